//! Documentation of the commands for any key.

use super::Doc;
use super::argument::{Argument, block, integer, key, one_of, pattern, string, unix_time, word};

const MIGRATE_AUTHENTICATION: &[Argument] = &[
    string("auth").after("AUTH").since("4.0.7"),
    block("auth2", &[string("username"), string("password")]).after("AUTH2").since("6.0.0"),
];
const RESTORE_HISTORY: &[(&str, &str)] =
    &[("3.0.0", "The word `REPLACE`."), ("5.0.0", "The words `ABSTTL`, `IDLETIME` and `FREQ`.")];
const RESTORE_ARGUMENTS: &[Argument] = &[
    key("key", 0),
    integer("ttl"),
    string("serialized-value"),
    word("replace", "REPLACE").optional().since("3.0.0"),
    word("absttl", "ABSTTL").optional().since("5.0.0"),
    integer("seconds").after("IDLETIME").optional().since("5.0.0"),
    integer("frequency").after("FREQ").optional().since("5.0.0"),
];
const SORT_COMPLEXITY: &str = "O(N+M*log(M)) in the elements and those returned";
const SORT_BY: Argument =
    Argument { key_spec: Some(1), ..pattern("by-pattern").after("BY").optional() };
const SORT_GET: Argument = Argument {
    key_spec: Some(1),
    ..pattern("get-pattern").after("GET").optional().multiple().repeating_token()
};
const SORT_LIMIT: Argument =
    block("limit", &[integer("offset"), integer("count")]).after("LIMIT").optional();
const SORT_ORDER: Argument =
    one_of("order", &[word("asc", "ASC"), word("desc", "DESC")]).optional();

pub(super) const DOCS: &[Doc] = &[
    Doc {
        name: "copy",
        summary: "Copies a value to another key.",
        complexity: "O(N) in the elements of the value; O(1) for strings",
        arguments: &[
            key("source", 0),
            key("destination", 1),
            integer("destination-db").after("DB").optional(),
            word("replace", "REPLACE").optional(),
        ],
        ..Doc::NEW
    },
    Doc {
        name: "del",
        summary: "Deletes keys.",
        complexity: "O(N) in the keys; the memory of large values is freed elsewhere",
        tips: &["request_policy:multi_shard", "response_policy:agg_sum"],
        arguments: &[key("key", 0).multiple()],
        ..Doc::NEW
    },
    Doc {
        name: "dump",
        summary: "Returns a value as bytes for RESTORE.",
        complexity: "O(N) in the bytes of the value",
        tips: &["nondeterministic_output"],
        arguments: &[key("key", 0)],
        ..Doc::NEW
    },
    Doc {
        name: "exists",
        summary: "Counts how many of the keys exist.",
        complexity: "O(N) in the keys",
        tips: &["request_policy:multi_shard", "response_policy:agg_sum"],
        history: &[("3.0.3", "Several keys in one call.")],
        arguments: &[key("key", 0).multiple()],
        ..Doc::NEW
    },
    Doc {
        name: "expire",
        summary: "Lets a key expire after some seconds.",
        history: &[("7.0.0", "The conditions `NX`, `XX`, `GT` and `LT`.")],
        arguments: &[
            key("key", 0),
            integer("seconds"),
            one_of(
                "condition",
                &[word("nx", "NX"), word("xx", "XX"), word("gt", "GT"), word("lt", "LT")],
            )
            .optional()
            .since("7.0.0"),
        ],
        ..Doc::NEW
    },
    Doc {
        name: "expireat",
        summary: "Lets a key expire at a moment given in Unix seconds.",
        history: &[("7.0.0", "The conditions `NX`, `XX`, `GT` and `LT`.")],
        arguments: &[
            key("key", 0),
            unix_time("unix-time-seconds"),
            one_of(
                "condition",
                &[word("nx", "NX"), word("xx", "XX"), word("gt", "GT"), word("lt", "LT")],
            )
            .optional()
            .since("7.0.0"),
        ],
        ..Doc::NEW
    },
    Doc {
        name: "expiretime",
        summary: "Tells when a key expires, in Unix seconds.",
        arguments: &[key("key", 0)],
        ..Doc::NEW
    },
    Doc {
        name: "keys",
        summary: "Lists all keys whose names match a pattern.",
        complexity: "O(N) in the keys of the database, in slices that hold nobody up",
        tips: &["request_policy:all_shards", "nondeterministic_output_order"],
        arguments: &[pattern("pattern")],
        ..Doc::NEW
    },
    Doc {
        name: "migrate",
        summary: "Moves keys to another server.",
        complexity: "O(N) in the bytes of the values",
        history: &[
            ("3.0.0", "The words `COPY` and `REPLACE`."),
            ("3.0.6", "Several keys after `KEYS`."),
            ("4.0.7", "A password after `AUTH`."),
            ("6.0.0", "A user's name and password after `AUTH2`."),
        ],
        tips: &["nondeterministic_output"],
        arguments: &[
            string("host"),
            integer("port"),
            one_of("key-selector", &[key("key", 0), word("empty-string", "\"\"")]),
            integer("destination-db"),
            integer("timeout"),
            word("copy", "COPY").optional().since("3.0.0"),
            word("replace", "REPLACE").optional().since("3.0.0"),
            one_of("authentication", MIGRATE_AUTHENTICATION).optional(),
            key("keys", 1).after("KEYS").optional().multiple().since("3.0.6"),
        ],
        ..Doc::NEW
    },
    Doc {
        name: "move",
        summary: "Moves a key to another database.",
        arguments: &[key("key", 0), integer("db")],
        ..Doc::NEW
    },
    Doc {
        name: "object",
        summary: "Looks at how values are kept.",
        complexity: "Depends on the subcommand.",
        ..Doc::NEW
    },
    Doc {
        name: "object|encoding",
        summary: "Tells how a value is kept in memory.",
        tips: &["nondeterministic_output"],
        arguments: &[key("key", 0)],
        ..Doc::NEW
    },
    Doc {
        name: "object|freq",
        summary: "Tells how often a key is used, on a logarithmic scale.",
        tips: &["nondeterministic_output"],
        arguments: &[key("key", 0)],
        ..Doc::NEW
    },
    Doc { name: "object|help", summary: "Lists the subcommands.", ..Doc::NEW },
    Doc {
        name: "object|idletime",
        summary: "Tells for how many seconds a key has not been used.",
        tips: &["nondeterministic_output"],
        arguments: &[key("key", 0)],
        ..Doc::NEW
    },
    Doc {
        name: "object|refcount",
        summary: "Tells how many references there are to a value.",
        tips: &["nondeterministic_output"],
        arguments: &[key("key", 0)],
        ..Doc::NEW
    },
    Doc {
        name: "persist",
        summary: "Takes the deadline of a key away.",
        arguments: &[key("key", 0)],
        ..Doc::NEW
    },
    Doc {
        name: "pexpire",
        summary: "Lets a key expire after some milliseconds.",
        history: &[("7.0.0", "The conditions `NX`, `XX`, `GT` and `LT`.")],
        arguments: &[
            key("key", 0),
            integer("milliseconds"),
            one_of(
                "condition",
                &[word("nx", "NX"), word("xx", "XX"), word("gt", "GT"), word("lt", "LT")],
            )
            .optional()
            .since("7.0.0"),
        ],
        ..Doc::NEW
    },
    Doc {
        name: "pexpireat",
        summary: "Lets a key expire at a moment given in Unix milliseconds.",
        history: &[("7.0.0", "The conditions `NX`, `XX`, `GT` and `LT`.")],
        arguments: &[
            key("key", 0),
            unix_time("unix-time-milliseconds"),
            one_of(
                "condition",
                &[word("nx", "NX"), word("xx", "XX"), word("gt", "GT"), word("lt", "LT")],
            )
            .optional()
            .since("7.0.0"),
        ],
        ..Doc::NEW
    },
    Doc {
        name: "pexpiretime",
        summary: "Tells when a key expires, in Unix milliseconds.",
        arguments: &[key("key", 0)],
        ..Doc::NEW
    },
    Doc {
        name: "pttl",
        summary: "Tells how many milliseconds a key has left.",
        tips: &["nondeterministic_output"],
        history: &[("2.8.0", "-2 for a missing key.")],
        arguments: &[key("key", 0)],
        ..Doc::NEW
    },
    Doc {
        name: "randomkey",
        summary: "Draws one of the keys.",
        tips: &["request_policy:all_shards", "response_policy:special", "nondeterministic_output"],
        ..Doc::NEW
    },
    Doc {
        name: "rename",
        summary: "Gives a key another name; a key that had that name is gone.",
        arguments: &[key("key", 0), key("newkey", 1)],
        ..Doc::NEW
    },
    Doc {
        name: "renamenx",
        summary: "Gives a key another name, if no key has it.",
        history: &[("3.2.0", "No error if both names are the same.")],
        arguments: &[key("key", 0), key("newkey", 1)],
        ..Doc::NEW
    },
    Doc {
        name: "restore",
        summary: "Makes a key of what DUMP has returned.",
        complexity: "O(N) in the bytes of the value; O(N*log(N)) in the members of a sorted set",
        history: RESTORE_HISTORY,
        arguments: RESTORE_ARGUMENTS,
        ..Doc::NEW
    },
    Doc {
        name: "restore-asking",
        summary: "Makes a key of what DUMP has returned, for a cluster that moves it here.",
        complexity: "O(N) in the bytes of the value; O(N*log(N)) in the members of a sorted set",
        history: RESTORE_HISTORY,
        arguments: RESTORE_ARGUMENTS,
        ..Doc::NEW
    },
    Doc {
        name: "scan",
        summary: "Walks over the keys of the database, a few with each call.",
        complexity: "O(1) for a call, O(N) in the keys for a whole walk",
        tips: &["nondeterministic_output", "request_policy:special", "response_policy:special"],
        history: &[("6.0.0", "The option `TYPE`.")],
        arguments: &[
            integer("cursor"),
            pattern("pattern").after("MATCH").optional(),
            integer("count").after("COUNT").optional(),
            string("type").after("TYPE").optional().since("6.0.0"),
        ],
        ..Doc::NEW
    },
    Doc {
        name: "sort",
        summary: "Sorts the elements of a list, set or sorted set; returns or stores them.",
        complexity: SORT_COMPLEXITY,
        arguments: &[
            key("key", 0),
            SORT_BY,
            SORT_LIMIT,
            SORT_GET,
            SORT_ORDER,
            word("sorting", "ALPHA").optional(),
            key("destination", 2).after("STORE").optional(),
        ],
        ..Doc::NEW
    },
    Doc {
        name: "sort_ro",
        summary: "Sorts the elements of a list, set or sorted set and returns them.",
        complexity: SORT_COMPLEXITY,
        arguments: &[
            key("key", 0),
            SORT_BY,
            SORT_LIMIT,
            SORT_GET,
            SORT_ORDER,
            word("sorting", "ALPHA").optional(),
        ],
        ..Doc::NEW
    },
    Doc {
        name: "touch",
        summary: "Counts how many of the keys exist, and marks them as used.",
        complexity: "O(N) in the keys",
        tips: &["request_policy:multi_shard", "response_policy:agg_sum"],
        arguments: &[key("key", 0).multiple()],
        ..Doc::NEW
    },
    Doc {
        name: "ttl",
        summary: "Tells how many seconds a key has left.",
        tips: &["nondeterministic_output"],
        history: &[("2.8.0", "-2 for a missing key.")],
        arguments: &[key("key", 0)],
        ..Doc::NEW
    },
    Doc {
        name: "type",
        summary: "Tells which type of value a key holds.",
        arguments: &[key("key", 0)],
        ..Doc::NEW
    },
    Doc {
        name: "unlink",
        summary: "Deletes keys without waiting for their memory to be freed.",
        complexity: "O(N) in the keys; the memory of large values is freed elsewhere",
        tips: &["request_policy:multi_shard", "response_policy:agg_sum"],
        arguments: &[key("key", 0).multiple()],
        ..Doc::NEW
    },
    Doc {
        name: "wait",
        summary: "Waits until enough replicas have this connection's writes.",
        tips: &["request_policy:all_shards", "response_policy:agg_min"],
        arguments: &[integer("numreplicas"), integer("timeout")],
        ..Doc::NEW
    },
    Doc {
        name: "waitaof",
        summary: "Waits until this connection's writes are on disk here and at enough replicas.",
        tips: &["request_policy:all_shards", "response_policy:agg_min"],
        arguments: &[integer("numlocal"), integer("numreplicas"), integer("timeout")],
        ..Doc::NEW
    },
];
