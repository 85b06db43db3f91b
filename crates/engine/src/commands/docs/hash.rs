//! Documentation of the hash commands.

use super::Doc;
use super::argument::{
    Argument, block, double, integer, key, one_of, pattern, string, unix_time, word,
};

const KEY: Argument = key("key", 0);
const FIELD: Argument = string("field");
const PAIRS: Argument = block("data", &[string("field"), string("value")]).multiple();
const FIELDS: Argument =
    block("fields", &[integer("numfields"), string("field").multiple()]).after("FIELDS");
const CONDITION: Argument =
    one_of("condition", &[word("nx", "NX"), word("xx", "XX"), word("gt", "GT"), word("lt", "LT")])
        .optional();

const EACH_FIELD: &str = "O(N) in the fields named";
const ALL_FIELDS: &str = "O(N) in the fields of the hash";

// Length: the prose of the family.
pub(super) const DOCS: &[Doc] = &[
    Doc {
        name: "hdel",
        summary: "Deletes fields of a hash, and the hash with its last one.",
        complexity: EACH_FIELD,
        history: &[("2.4.0", "Several fields can be named.")],
        arguments: &[KEY, string("field").multiple()],
        ..Doc::NEW
    },
    Doc {
        name: "hexists",
        summary: "Tells whether a hash has a field.",
        arguments: &[KEY, FIELD],
        ..Doc::NEW
    },
    Doc {
        name: "hexpire",
        summary: "Lets fields expire after a number of seconds.",
        complexity: EACH_FIELD,
        arguments: &[KEY, integer("seconds"), CONDITION, FIELDS],
        ..Doc::NEW
    },
    Doc {
        name: "hexpireat",
        summary: "Lets fields expire at a Unix time in seconds.",
        complexity: EACH_FIELD,
        arguments: &[KEY, unix_time("unix-time-seconds"), CONDITION, FIELDS],
        ..Doc::NEW
    },
    Doc {
        name: "hexpiretime",
        summary: "Tells when fields expire, as a Unix time in seconds.",
        complexity: EACH_FIELD,
        arguments: &[KEY, FIELDS],
        ..Doc::NEW
    },
    Doc { name: "hget", summary: "Reads a field of a hash.", arguments: &[KEY, FIELD], ..Doc::NEW },
    Doc {
        name: "hgetall",
        summary: "Reads all fields of a hash with their values.",
        complexity: ALL_FIELDS,
        tips: &["nondeterministic_output_order"],
        arguments: &[KEY],
        ..Doc::NEW
    },
    Doc {
        name: "hgetdel",
        summary: "Reads fields of a hash and deletes them.",
        complexity: EACH_FIELD,
        arguments: &[KEY, FIELDS],
        ..Doc::NEW
    },
    Doc {
        name: "hgetex",
        summary: "Reads fields of a hash and changes when they expire.",
        complexity: EACH_FIELD,
        arguments: &[
            KEY,
            one_of(
                "expiration",
                &[
                    integer("seconds").after("EX"),
                    integer("milliseconds").after("PX"),
                    unix_time("unix-time-seconds").after("EXAT"),
                    unix_time("unix-time-milliseconds").after("PXAT"),
                    word("persist", "PERSIST"),
                ],
            )
            .optional(),
            FIELDS,
        ],
        ..Doc::NEW
    },
    Doc {
        name: "hincrby",
        summary: "Adds to the integer in a field; a missing field counts as 0.",
        arguments: &[KEY, FIELD, integer("increment")],
        ..Doc::NEW
    },
    Doc {
        name: "hincrbyfloat",
        summary: "Adds to the number in a field; a missing field counts as 0.",
        arguments: &[KEY, FIELD, double("increment")],
        ..Doc::NEW
    },
    Doc {
        name: "hkeys",
        summary: "Lists the fields of a hash.",
        complexity: ALL_FIELDS,
        tips: &["nondeterministic_output_order"],
        arguments: &[KEY],
        ..Doc::NEW
    },
    Doc { name: "hlen", summary: "Counts the fields of a hash.", arguments: &[KEY], ..Doc::NEW },
    Doc {
        name: "hmget",
        summary: "Reads several fields of a hash.",
        complexity: EACH_FIELD,
        arguments: &[KEY, string("field").multiple()],
        ..Doc::NEW
    },
    Doc {
        name: "hmset",
        summary: "Sets several fields of a hash.",
        complexity: EACH_FIELD,
        deprecated: Some(("4.0.0", "`HSET` with several pairs")),
        arguments: &[KEY, PAIRS],
        ..Doc::NEW
    },
    Doc {
        name: "hpersist",
        summary: "Takes the deadlines of fields away.",
        complexity: EACH_FIELD,
        arguments: &[KEY, FIELDS],
        ..Doc::NEW
    },
    Doc {
        name: "hpexpire",
        summary: "Lets fields expire after a number of milliseconds.",
        complexity: EACH_FIELD,
        arguments: &[KEY, integer("milliseconds"), CONDITION, FIELDS],
        ..Doc::NEW
    },
    Doc {
        name: "hpexpireat",
        summary: "Lets fields expire at a Unix time in milliseconds.",
        complexity: EACH_FIELD,
        arguments: &[KEY, unix_time("unix-time-milliseconds"), CONDITION, FIELDS],
        ..Doc::NEW
    },
    Doc {
        name: "hpexpiretime",
        summary: "Tells when fields expire, as a Unix time in milliseconds.",
        complexity: EACH_FIELD,
        arguments: &[KEY, FIELDS],
        ..Doc::NEW
    },
    Doc {
        name: "hpttl",
        summary: "Tells how many milliseconds fields have left.",
        complexity: EACH_FIELD,
        tips: &["nondeterministic_output"],
        arguments: &[KEY, FIELDS],
        ..Doc::NEW
    },
    Doc {
        name: "hrandfield",
        summary: "Picks fields of a hash at random.",
        complexity: "O(N) in the fields asked for",
        tips: &["nondeterministic_output"],
        arguments: &[
            KEY,
            block("options", &[integer("count"), word("withvalues", "WITHVALUES").optional()])
                .optional(),
        ],
        ..Doc::NEW
    },
    Doc {
        name: "hscan",
        summary: "Walks over the fields of a hash, some at a time.",
        complexity: "O(1) a call, O(N) in the fields of the hash for a full walk",
        tips: &["nondeterministic_output"],
        arguments: &[
            KEY,
            integer("cursor"),
            pattern("pattern").after("MATCH").optional(),
            integer("count").after("COUNT").optional(),
            word("novalues", "NOVALUES").optional(),
        ],
        ..Doc::NEW
    },
    Doc {
        name: "hset",
        summary: "Sets fields of a hash, which it makes if it is missing.",
        complexity: EACH_FIELD,
        history: &[("4.0.0", "Several pairs can be given.")],
        arguments: &[KEY, PAIRS],
        ..Doc::NEW
    },
    Doc {
        name: "hsetex",
        summary: "Sets fields of a hash and when they expire, if the hash and none or all of them are there.",
        complexity: EACH_FIELD,
        arguments: &[
            KEY,
            one_of("key-condition", &[word("nx", "NX"), word("xx", "XX")]).optional(),
            one_of("condition", &[word("fnx", "FNX"), word("fxx", "FXX")]).optional(),
            one_of(
                "expiration",
                &[
                    integer("seconds").after("EX"),
                    integer("milliseconds").after("PX"),
                    unix_time("unix-time-seconds").after("EXAT"),
                    unix_time("unix-time-milliseconds").after("PXAT"),
                    word("keepttl", "KEEPTTL"),
                ],
            )
            .optional(),
            block("fields", &[integer("numfields"), PAIRS]).after("FIELDS"),
        ],
        ..Doc::NEW
    },
    Doc {
        name: "hsetnx",
        summary: "Sets a field of a hash if it is missing.",
        arguments: &[KEY, FIELD, string("value")],
        ..Doc::NEW
    },
    Doc {
        name: "hstrlen",
        summary: "Tells how long the value of a field is.",
        arguments: &[KEY, FIELD],
        ..Doc::NEW
    },
    Doc {
        name: "httl",
        summary: "Tells how many seconds fields have left.",
        complexity: EACH_FIELD,
        tips: &["nondeterministic_output"],
        arguments: &[KEY, FIELDS],
        ..Doc::NEW
    },
    Doc {
        name: "hvals",
        summary: "Lists the values of a hash.",
        complexity: ALL_FIELDS,
        tips: &["nondeterministic_output_order"],
        arguments: &[KEY],
        ..Doc::NEW
    },
];
