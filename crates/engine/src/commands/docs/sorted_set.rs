//! Documentation of the commands of sorted sets.

use super::Doc;
use super::argument::{block, double, integer, key, one_of, pattern, string, word};

const FRACTIONS: &[(&str, &str)] = &[("6.0.0", "Takes fractions of a second.")];

pub(super) const DOCS: &[Doc] = &[
    Doc {
        name: "bzmpop",
        summary: "Takes the least or the greatest members out of the first sorted set that there \
                  is, as soon as there is one, and returns them.",
        complexity: "O(K + M log N), K keys, M members taken",
        arguments: &[
            double("timeout"),
            integer("numkeys"),
            key("key", 0).multiple(),
            one_of("where", &[word("min", "MIN"), word("max", "MAX")]),
            integer("count").after("COUNT").optional(),
        ],
        ..Doc::NEW
    },
    Doc {
        name: "bzpopmax",
        summary: "Takes the member with the greatest score out of the first sorted set that there \
                  is, as soon as there is one, and returns it.",
        complexity: "O(K + log N), K keys",
        history: FRACTIONS,
        arguments: &[key("key", 0).multiple(), double("timeout")],
        ..Doc::NEW
    },
    Doc {
        name: "bzpopmin",
        summary: "Takes the member with the least score out of the first sorted set that there is, \
                  as soon as there is one, and returns it.",
        complexity: "O(K + log N), K keys",
        history: FRACTIONS,
        arguments: &[key("key", 0).multiple(), double("timeout")],
        ..Doc::NEW
    },
    Doc {
        name: "zadd",
        summary: "Adds members to a sorted set, or changes their scores.",
        complexity: "O(log N) for each member",
        history: &[
            ("2.4.0", "Takes several members."),
            ("3.0.2", "Knows `XX`, `NX`, `CH` and `INCR`."),
            ("6.2.0", "Knows `GT` and `LT`."),
        ],
        arguments: &[
            key("key", 0),
            one_of("condition", &[word("nx", "NX"), word("xx", "XX")]).optional().since("3.0.2"),
            one_of("comparison", &[word("gt", "GT"), word("lt", "LT")]).optional().since("6.2.0"),
            word("change", "CH").optional().since("3.0.2"),
            word("increment", "INCR").optional().since("3.0.2"),
            block("data", &[double("score"), string("member")]).multiple(),
        ],
        ..Doc::NEW
    },
    Doc {
        name: "zcard",
        summary: "Counts the members of a sorted set.",
        arguments: &[key("key", 0)],
        ..Doc::NEW
    },
    Doc {
        name: "zcount",
        summary: "Counts the members whose scores lie in a range.",
        complexity: "O(log N)",
        arguments: &[key("key", 0), double("min"), double("max")],
        ..Doc::NEW
    },
    Doc {
        name: "zdiff",
        summary: "Returns the members of one sorted set that no other of those given has.",
        complexity: "O(L + M log M), L members of all sets, M in the result",
        arguments: &[
            integer("numkeys"),
            key("key", 0).multiple(),
            word("withscores", "WITHSCORES").optional(),
        ],
        ..Doc::NEW
    },
    Doc {
        name: "zdiffstore",
        summary: "Stores the members of one sorted set that no other of those given has.",
        complexity: "O(L + M log M), L members of all sets, M in the result",
        arguments: &[key("destination", 0), integer("numkeys"), key("key", 1).multiple()],
        ..Doc::NEW
    },
    Doc {
        name: "zincrby",
        summary: "Adds a number to the score of a member; a missing one begins at 0.",
        complexity: "O(log N)",
        arguments: &[key("key", 0), integer("increment"), string("member")],
        ..Doc::NEW
    },
    Doc {
        name: "zinter",
        summary: "Returns the members that all given sorted sets have.",
        complexity: "O(N K + M log M), N members of the smallest of K sets, M in the result",
        arguments: &[
            integer("numkeys"),
            key("key", 0).multiple(),
            integer("weight").after("WEIGHTS").multiple().optional(),
            one_of("aggregate", &[word("sum", "SUM"), word("min", "MIN"), word("max", "MAX")])
                .after("AGGREGATE")
                .optional(),
            word("withscores", "WITHSCORES").optional(),
        ],
        ..Doc::NEW
    },
    Doc {
        name: "zintercard",
        summary: "Counts the members that all given sorted sets have.",
        complexity: "O(N K), N members of the smallest of K sets",
        arguments: &[
            integer("numkeys"),
            key("key", 0).multiple(),
            integer("limit").after("LIMIT").optional(),
        ],
        ..Doc::NEW
    },
    Doc {
        name: "zinterstore",
        summary: "Stores the members that all given sorted sets have.",
        complexity: "O(N K + M log M), N members of the smallest of K sets, M in the result",
        arguments: &[
            key("destination", 0),
            integer("numkeys"),
            key("key", 1).multiple(),
            integer("weight").after("WEIGHTS").multiple().optional(),
            one_of("aggregate", &[word("sum", "SUM"), word("min", "MIN"), word("max", "MAX")])
                .after("AGGREGATE")
                .optional(),
        ],
        ..Doc::NEW
    },
    Doc {
        name: "zlexcount",
        summary: "Counts the members between two texts, where all have the same score.",
        complexity: "O(log N)",
        arguments: &[key("key", 0), string("min"), string("max")],
        ..Doc::NEW
    },
    Doc {
        name: "zmpop",
        summary: "Takes the least or the greatest members out of the first sorted set that is there.",
        complexity: "O(K + M log N), K keys, M members taken",
        arguments: &[
            integer("numkeys"),
            key("key", 0).multiple(),
            one_of("where", &[word("min", "MIN"), word("max", "MAX")]),
            integer("count").after("COUNT").optional(),
        ],
        ..Doc::NEW
    },
    Doc {
        name: "zmscore",
        summary: "Returns the scores of several members.",
        complexity: "O(N) in the members asked for",
        arguments: &[key("key", 0), string("member").multiple()],
        ..Doc::NEW
    },
    Doc {
        name: "zpopmax",
        summary: "Takes the members with the greatest scores out and returns them.",
        complexity: "O(M log N), M members taken",
        arguments: &[key("key", 0), integer("count").optional()],
        ..Doc::NEW
    },
    Doc {
        name: "zpopmin",
        summary: "Takes the members with the least scores out and returns them.",
        complexity: "O(M log N), M members taken",
        arguments: &[key("key", 0), integer("count").optional()],
        ..Doc::NEW
    },
    Doc {
        name: "zrandmember",
        summary: "Returns members drawn at random.",
        complexity: "O(M log N), M members returned",
        tips: &["nondeterministic_output"],
        arguments: &[
            key("key", 0),
            block("options", &[integer("count"), word("withscores", "WITHSCORES").optional()])
                .optional(),
        ],
        ..Doc::NEW
    },
    Doc {
        name: "zrange",
        summary: "Returns the members in a range of ranks, scores or texts.",
        complexity: "O(log N + M), M members returned",
        history: &[("6.2.0", "Knows `REV`, `BYSCORE`, `BYLEX` and `LIMIT`.")],
        arguments: &[
            key("key", 0),
            string("start"),
            string("stop"),
            one_of("sortby", &[word("byscore", "BYSCORE"), word("bylex", "BYLEX")])
                .optional()
                .since("6.2.0"),
            word("rev", "REV").optional().since("6.2.0"),
            block("limit", &[integer("offset"), integer("count")])
                .after("LIMIT")
                .optional()
                .since("6.2.0"),
            word("withscores", "WITHSCORES").optional(),
        ],
        ..Doc::NEW
    },
    Doc {
        name: "zrangebylex",
        summary: "Returns the members between two texts, where all have the same score.",
        complexity: "O(log N + M), M members returned",
        arguments: &[
            key("key", 0),
            string("min"),
            string("max"),
            block("limit", &[integer("offset"), integer("count")]).after("LIMIT").optional(),
        ],
        ..Doc::NEW
    },
    Doc {
        name: "zrangebyscore",
        summary: "Returns the members whose scores lie in a range.",
        complexity: "O(log N + M), M members returned",
        history: &[("2.0.0", "Knows `WITHSCORES`.")],
        arguments: &[
            key("key", 0),
            double("min"),
            double("max"),
            word("withscores", "WITHSCORES").optional().since("2.0.0"),
            block("limit", &[integer("offset"), integer("count")]).after("LIMIT").optional(),
        ],
        ..Doc::NEW
    },
    Doc {
        name: "zrangestore",
        summary: "Stores the members in a range of ranks, scores or texts as a sorted set.",
        complexity: "O(log N + M log M), M members stored",
        arguments: &[
            key("dst", 0),
            key("src", 1),
            string("min"),
            string("max"),
            one_of("sortby", &[word("byscore", "BYSCORE"), word("bylex", "BYLEX")]).optional(),
            word("rev", "REV").optional(),
            block("limit", &[integer("offset"), integer("count")]).after("LIMIT").optional(),
        ],
        ..Doc::NEW
    },
    Doc {
        name: "zrank",
        summary: "Returns the number of a member in the order of scores.",
        complexity: "O(log N)",
        history: &[("7.2.0", "Knows `WITHSCORE`.")],
        arguments: &[key("key", 0), string("member"), word("withscore", "WITHSCORE").optional()],
        ..Doc::NEW
    },
    Doc {
        name: "zrem",
        summary: "Removes members from a sorted set.",
        complexity: "O(M log N), M members removed",
        history: &[("2.4.0", "Takes several members.")],
        arguments: &[key("key", 0), string("member").multiple()],
        ..Doc::NEW
    },
    Doc {
        name: "zremrangebylex",
        summary: "Removes the members between two texts, where all have the same score.",
        complexity: "O(log N + M), M members removed",
        arguments: &[key("key", 0), string("min"), string("max")],
        ..Doc::NEW
    },
    Doc {
        name: "zremrangebyrank",
        summary: "Removes the members in a range of ranks.",
        complexity: "O(log N + M), M members removed",
        arguments: &[key("key", 0), integer("start"), integer("stop")],
        ..Doc::NEW
    },
    Doc {
        name: "zremrangebyscore",
        summary: "Removes the members whose scores lie in a range.",
        complexity: "O(log N + M), M members removed",
        arguments: &[key("key", 0), double("min"), double("max")],
        ..Doc::NEW
    },
    Doc {
        name: "zrevrange",
        summary: "Returns the members in a range of ranks, from the greatest score down.",
        complexity: "O(log N + M), M members returned",
        arguments: &[
            key("key", 0),
            integer("start"),
            integer("stop"),
            word("withscores", "WITHSCORES").optional(),
        ],
        ..Doc::NEW
    },
    Doc {
        name: "zrevrangebylex",
        summary: "Returns the members between two texts in reverse, where all have the same score.",
        complexity: "O(log N + M), M members returned",
        arguments: &[
            key("key", 0),
            string("max"),
            string("min"),
            block("limit", &[integer("offset"), integer("count")]).after("LIMIT").optional(),
        ],
        ..Doc::NEW
    },
    Doc {
        name: "zrevrangebyscore",
        summary: "Returns the members whose scores lie in a range, from the greatest down.",
        complexity: "O(log N + M), M members returned",
        history: &[("2.1.6", "`min` and `max` may exclude their value.")],
        arguments: &[
            key("key", 0),
            double("max"),
            double("min"),
            word("withscores", "WITHSCORES").optional(),
            block("limit", &[integer("offset"), integer("count")]).after("LIMIT").optional(),
        ],
        ..Doc::NEW
    },
    Doc {
        name: "zrevrank",
        summary: "Returns the number of a member from the greatest score down.",
        complexity: "O(log N)",
        history: &[("7.2.0", "Knows `WITHSCORE`.")],
        arguments: &[key("key", 0), string("member"), word("withscore", "WITHSCORE").optional()],
        ..Doc::NEW
    },
    Doc {
        name: "zscan",
        summary: "Walks over the members of a sorted set in several calls.",
        complexity: "O(1) per member, for a complete walk O(N)",
        tips: &["nondeterministic_output"],
        history: &[("8.0.0", "Knows `NOSCORES` (Valkey).")],
        arguments: &[
            key("key", 0),
            integer("cursor"),
            pattern("pattern").after("MATCH").optional(),
            integer("count").after("COUNT").optional(),
            word("noscores", "NOSCORES").optional(),
        ],
        ..Doc::NEW
    },
    Doc {
        name: "zscore",
        summary: "Returns the score of a member.",
        arguments: &[key("key", 0), string("member")],
        ..Doc::NEW
    },
    Doc {
        name: "zunion",
        summary: "Returns the members of all given sorted sets.",
        complexity: "O(N + M log M), N members of all sets, M in the result",
        arguments: &[
            integer("numkeys"),
            key("key", 0).multiple(),
            integer("weight").after("WEIGHTS").multiple().optional(),
            one_of("aggregate", &[word("sum", "SUM"), word("min", "MIN"), word("max", "MAX")])
                .after("AGGREGATE")
                .optional(),
            word("withscores", "WITHSCORES").optional(),
        ],
        ..Doc::NEW
    },
    Doc {
        name: "zunionstore",
        summary: "Stores the members of all given sorted sets.",
        complexity: "O(N + M log M), N members of all sets, M in the result",
        arguments: &[
            key("destination", 0),
            integer("numkeys"),
            key("key", 1).multiple(),
            integer("weight").after("WEIGHTS").multiple().optional(),
            one_of("aggregate", &[word("sum", "SUM"), word("min", "MIN"), word("max", "MAX")])
                .after("AGGREGATE")
                .optional(),
        ],
        ..Doc::NEW
    },
];
