//! Documentation of the stream commands.

use super::Doc;
use super::argument::{Argument, block, integer, key, one_of, string, unix_time, word};

const REFERENCES: Argument = one_of(
    "condition",
    &[word("keepref", "KEEPREF"), word("delref", "DELREF"), word("acked", "ACKED")],
)
.since("8.2.0")
.optional();

const IDS: Argument = block("ids", &[integer("numids"), string("id").multiple()]).after("IDS");

const STRATEGY: Argument =
    one_of("strategy", &[word("maxlen", "MAXLEN"), word("minid", "MINID").since("6.2.0")]);

const OPERATOR: Argument =
    one_of("operator", &[word("equal", "="), word("approximately", "~")]).optional();

const TRIM_PARTS: &[Argument] = &[
    STRATEGY,
    OPERATOR,
    string("threshold"),
    integer("count").after("LIMIT").since("6.2.0").optional(),
];

const START_OF_GROUP: Argument = one_of("id-selector", &[string("id"), word("new-id", "$")]);

const ENTRIES_READ: Argument =
    integer("entries-read").after("ENTRIESREAD").since("7.0.0").optional();

const MAXCOUNT: Argument = integer("maxcount").after("MAXCOUNT").since("8.10.0").optional();

const MAXSIZE: Argument = integer("maxsize").after("MAXSIZE").since("8.10.0").optional();

const STREAMS: Argument =
    block("streams", &[key("key", 0).multiple(), string("id").multiple()]).after("STREAMS");

pub(super) const DOCS: &[Doc] = &[
    Doc {
        name: "xack",
        summary: "Says that a group is done with entries of a stream.",
        complexity: "O(N) in the ids",
        arguments: &[key("key", 0), string("group"), string("id").multiple()],
        ..Doc::NEW
    },
    Doc {
        name: "xackdel",
        summary: "Says that a group is done with entries of a stream, and deletes them.",
        complexity: "O(N) in the ids",
        arguments: &[key("key", 0), string("group"), REFERENCES, IDS],
        ..Doc::NEW
    },
    Doc {
        name: "xadd",
        summary: "Adds an entry to a stream, which is made if it is missing.",
        complexity: "O(1); with trimming O(N) in the entries removed",
        tips: &["nondeterministic_output"],
        history: &[
            ("6.2.0", "NOMKSTREAM, MINID and LIMIT."),
            ("7.0.0", "Ids of the form ms-*."),
            ("8.2.0", "KEEPREF, DELREF and ACKED."),
            ("8.6.0", "IDMP and IDMPAUTO."),
        ],
        arguments: &[
            key("key", 0),
            word("nomkstream", "NOMKSTREAM").since("6.2.0").optional(),
            REFERENCES,
            one_of(
                "idmp",
                &[
                    string("producer-id").after("IDMPAUTO"),
                    block("idmp-with-pid-iid", &[string("producer-id"), string("idempotent-id")])
                        .after("IDMP"),
                ],
            )
            .since("8.6.0")
            .optional(),
            block("trim", TRIM_PARTS).optional(),
            one_of("id-selector", &[word("auto-id", "*"), string("id")]),
            block("data", &[string("field"), string("value")]).multiple(),
        ],
        ..Doc::NEW
    },
    Doc {
        name: "xautoclaim",
        summary: "Hands entries that have been pending for too long to another consumer.",
        complexity: "O(1) for a small count",
        tips: &["nondeterministic_output"],
        history: &[("7.0.0", "Deleted entries are listed, and not pending any more.")],
        arguments: &[
            key("key", 0),
            string("group"),
            string("consumer"),
            string("min-idle-time"),
            string("start"),
            integer("count").after("COUNT").optional(),
            word("justid", "JUSTID").optional(),
        ],
        ..Doc::NEW
    },
    Doc {
        name: "xcfgset",
        summary: "Sets how long and how many ids of producers a stream remembers.",
        arguments: &[
            key("key", 0),
            integer("idmp-duration").after("IDMP-DURATION").optional(),
            integer("idmp-maxsize").after("IDMP-MAXSIZE").optional(),
        ],
        ..Doc::NEW
    },
    Doc {
        name: "xclaim",
        summary: "Hands pending entries to another consumer.",
        complexity: "O(N log M) in the ids and the entries that the group has pending",
        tips: &["nondeterministic_output"],
        arguments: &[
            key("key", 0),
            string("group"),
            string("consumer"),
            string("min-idle-time"),
            string("id").multiple(),
            integer("ms").after("IDLE").optional(),
            unix_time("unix-time-milliseconds").after("TIME").optional(),
            integer("count").after("RETRYCOUNT").optional(),
            word("force", "FORCE").optional(),
            word("justid", "JUSTID").optional(),
            string("lastid").after("LASTID").optional(),
        ],
        ..Doc::NEW
    },
    Doc {
        name: "xdel",
        summary: "Deletes entries of a stream.",
        complexity: "O(N) in the ids",
        arguments: &[key("key", 0), string("id").multiple()],
        ..Doc::NEW
    },
    Doc {
        name: "xdelex",
        summary: "Deletes entries of a stream, and says what becomes of references to them.",
        complexity: "O(N) in the ids",
        arguments: &[key("key", 0), REFERENCES, IDS],
        ..Doc::NEW
    },
    Doc {
        name: "xgroup",
        summary: "A container for commands about consumer groups.",
        complexity: "Depends on the subcommand.",
        ..Doc::NEW
    },
    Doc {
        name: "xgroup|create",
        summary: "Makes a consumer group.",
        history: &[("7.0.0", "ENTRIESREAD.")],
        arguments: &[
            key("key", 0),
            string("group"),
            START_OF_GROUP,
            word("mkstream", "MKSTREAM").optional(),
            ENTRIES_READ,
        ],
        ..Doc::NEW
    },
    Doc {
        name: "xgroup|createconsumer",
        summary: "Makes a consumer of a group.",
        arguments: &[key("key", 0), string("group"), string("consumer")],
        ..Doc::NEW
    },
    Doc {
        name: "xgroup|delconsumer",
        summary: "Removes a consumer with all that it has pending.",
        complexity: "O(N) in the entries that it has pending",
        arguments: &[key("key", 0), string("group"), string("consumer")],
        ..Doc::NEW
    },
    Doc {
        name: "xgroup|destroy",
        summary: "Removes a consumer group.",
        complexity: "O(N) in the entries that it has pending",
        arguments: &[key("key", 0), string("group")],
        ..Doc::NEW
    },
    Doc { name: "xgroup|help", summary: "Lists the subcommands.", ..Doc::NEW },
    Doc {
        name: "xgroup|setid",
        summary: "Lets a consumer group go on from another entry.",
        history: &[("7.0.0", "ENTRIESREAD.")],
        arguments: &[key("key", 0), string("group"), START_OF_GROUP, ENTRIES_READ],
        ..Doc::NEW
    },
    Doc {
        name: "xinfo",
        summary: "A container for commands that tell about streams.",
        complexity: "Depends on the subcommand.",
        ..Doc::NEW
    },
    Doc {
        name: "xinfo|consumers",
        summary: "Lists the consumers of a group.",
        complexity: "O(N) in the consumers",
        tips: &["nondeterministic_output"],
        history: &[("7.2.0", "The inactive field.")],
        arguments: &[key("key", 0), string("group")],
        ..Doc::NEW
    },
    Doc {
        name: "xinfo|groups",
        summary: "Lists the consumer groups of a stream.",
        complexity: "O(N) in the groups",
        history: &[("7.0.0", "The entries-read and lag fields.")],
        arguments: &[key("key", 0)],
        ..Doc::NEW
    },
    Doc { name: "xinfo|help", summary: "Lists the subcommands.", ..Doc::NEW },
    Doc {
        name: "xinfo|stream",
        summary: "Tells what there is to know of a stream.",
        complexity: "O(1); FULL: O(N) in what is listed",
        history: &[
            ("6.0.0", "FULL."),
            ("7.0.0", "Ids and counts that tell what was deleted, and what groups have read."),
            ("7.2.0", "The active-time field, and a clearer seen-time."),
        ],
        arguments: &[
            key("key", 0),
            block(
                "full-block",
                &[word("full", "FULL"), integer("count").after("COUNT").optional()],
            )
            .optional(),
        ],
        ..Doc::NEW
    },
    Doc {
        name: "xlen",
        summary: "Counts the entries of a stream.",
        arguments: &[key("key", 0)],
        ..Doc::NEW
    },
    Doc {
        name: "xnack",
        summary: "Gives pending entries back to their group, for any consumer to claim.",
        complexity: "O(N) in the ids",
        arguments: &[
            key("key", 0),
            string("group"),
            one_of(
                "mode",
                &[word("silent", "SILENT"), word("fail", "FAIL"), word("fatal", "FATAL")],
            ),
            IDS,
            integer("count").after("RETRYCOUNT").optional(),
            word("force", "FORCE").optional(),
        ],
        ..Doc::NEW
    },
    Doc {
        name: "xpending",
        summary: "Tells what a group has pending.",
        complexity: "O(N) in the entries looked at, or in the consumers for the summary",
        tips: &["nondeterministic_output"],
        history: &[("6.2.0", "IDLE, and ends of ranges that are left out.")],
        arguments: &[
            key("key", 0),
            string("group"),
            block(
                "filters",
                &[
                    integer("min-idle-time").after("IDLE").since("6.2.0").optional(),
                    string("start"),
                    string("end"),
                    integer("count"),
                    string("consumer").optional(),
                ],
            )
            .optional(),
        ],
        ..Doc::NEW
    },
    Doc {
        name: "xrange",
        summary: "Reads the entries between two ids.",
        complexity: "O(N) in the entries read",
        history: &[("6.2.0", "Ends that are left out.")],
        arguments: &[
            key("key", 0),
            string("start"),
            string("end"),
            integer("count").after("COUNT").optional(),
        ],
        ..Doc::NEW
    },
    Doc {
        name: "xread",
        summary: "Reads what comes after some ids of some streams, and can wait for it.",
        complexity: "O(N) in the entries read",
        history: &[("8.10.0", "MAXCOUNT and MAXSIZE.")],
        arguments: &[
            integer("count").after("COUNT").optional(),
            MAXCOUNT,
            MAXSIZE,
            integer("milliseconds").after("BLOCK").optional(),
            STREAMS,
        ],
        ..Doc::NEW
    },
    Doc {
        name: "xreadgroup",
        summary: "Reads entries as a consumer of a group, and can wait for them.",
        complexity: "O(N) in the entries read",
        history: &[("8.4.0", "CLAIM."), ("8.10.0", "MAXCOUNT and MAXSIZE.")],
        arguments: &[
            block("group-block", &[string("group"), string("consumer")]).after("GROUP"),
            integer("count").after("COUNT").optional(),
            MAXCOUNT,
            MAXSIZE,
            integer("milliseconds").after("BLOCK").optional(),
            integer("min-idle-time").after("CLAIM").since("8.4.0").optional(),
            word("noack", "NOACK").optional(),
            STREAMS,
        ],
        ..Doc::NEW
    },
    Doc {
        name: "xrevrange",
        summary: "Reads the entries between two ids, last one first.",
        complexity: "O(N) in the entries read",
        history: &[("6.2.0", "Ends that are left out.")],
        arguments: &[
            key("key", 0),
            string("end"),
            string("start"),
            integer("count").after("COUNT").optional(),
        ],
        ..Doc::NEW
    },
    Doc {
        name: "xsetid",
        summary: "Sets the last id of a stream, for servers that rebuild one.",
        history: &[("7.0.0", "ENTRIESADDED and MAXDELETEDID.")],
        arguments: &[
            key("key", 0),
            string("last-id"),
            integer("entries-added").after("ENTRIESADDED").since("7.0.0").optional(),
            string("max-deleted-id").after("MAXDELETEDID").since("7.0.0").optional(),
        ],
        ..Doc::NEW
    },
    Doc {
        name: "xtrim",
        summary: "Removes entries from the beginning of a stream.",
        complexity: "O(N) in the entries removed",
        tips: &["nondeterministic_output"],
        history: &[("6.2.0", "MINID and LIMIT."), ("8.2.0", "KEEPREF, DELREF and ACKED.")],
        arguments: &[key("key", 0), block("trim", TRIM_PARTS), REFERENCES],
        ..Doc::NEW
    },
];
