//! Documentation of the set commands.

use super::Doc;
use super::argument::{Argument, integer, key, pattern, string, word};

const ANY: &[&str] = &["nondeterministic_output"];
const ANY_ORDER: &[&str] = &["nondeterministic_output_order"];
const COUNTED_KEYS: [Argument; 3] =
    [integer("numkeys"), key("key", 0).multiple(), integer("limit").after("LIMIT").optional()];
const MANY_MEMBERS: &[(&str, &str)] = &[("2.4.0", "Takes several `member` arguments.")];

pub(super) const DOCS: &[Doc] = &[
    Doc {
        name: "sadd",
        summary: "Adds members to a set; a missing key begins empty.",
        complexity: "O(1) per member",
        history: MANY_MEMBERS,
        arguments: &[key("key", 0), string("member").multiple()],
        ..Doc::NEW
    },
    Doc {
        name: "scard",
        summary: "Counts the members of a set.",
        arguments: &[key("key", 0)],
        ..Doc::NEW
    },
    Doc {
        name: "sdiff",
        summary: "Lists the members of the first set that are in none of the others.",
        complexity: "O(N) in the members of all sets",
        tips: ANY_ORDER,
        arguments: &[key("key", 0).multiple()],
        ..Doc::NEW
    },
    Doc {
        name: "sdiffcard",
        summary: "Counts the members of the first set that are in none of the others.",
        complexity: "O(N) in the members of all sets",
        arguments: &COUNTED_KEYS,
        ..Doc::NEW
    },
    Doc {
        name: "sdiffstore",
        summary: "Stores the members of the first set that are in none of the others.",
        complexity: "O(N) in the members of all sets",
        arguments: &[key("destination", 0), key("key", 1).multiple()],
        ..Doc::NEW
    },
    Doc {
        name: "sinter",
        summary: "Lists the members that all sets have.",
        complexity: "O(N*M) in the members of the smallest set and the number of sets",
        tips: ANY_ORDER,
        arguments: &[key("key", 0).multiple()],
        ..Doc::NEW
    },
    Doc {
        name: "sintercard",
        summary: "Counts the members that all sets have.",
        complexity: "O(N*M) in the members of the smallest set and the number of sets",
        arguments: &COUNTED_KEYS,
        ..Doc::NEW
    },
    Doc {
        name: "sinterstore",
        summary: "Stores the members that all sets have.",
        complexity: "O(N*M) in the members of the smallest set and the number of sets",
        arguments: &[key("destination", 0), key("key", 1).multiple()],
        ..Doc::NEW
    },
    Doc {
        name: "sismember",
        summary: "Tells whether a set has a member.",
        arguments: &[key("key", 0), string("member")],
        ..Doc::NEW
    },
    Doc {
        name: "smembers",
        summary: "Lists all members of a set.",
        complexity: "O(N) in the members of the set",
        tips: ANY_ORDER,
        arguments: &[key("key", 0)],
        ..Doc::NEW
    },
    Doc {
        name: "smismember",
        summary: "Tells of several members whether a set has them.",
        complexity: "O(N) in the members asked for",
        arguments: &[key("key", 0), string("member").multiple()],
        ..Doc::NEW
    },
    Doc {
        name: "smove",
        summary: "Moves a member from one set to another.",
        arguments: &[key("source", 0), key("destination", 1), string("member")],
        ..Doc::NEW
    },
    Doc {
        name: "spop",
        summary: "Takes members by chance out of a set and returns them.",
        complexity: "O(N) in the members returned",
        tips: ANY,
        history: &[("3.2.0", "Takes the `count` argument.")],
        arguments: &[key("key", 0), integer("count").optional().since("3.2.0")],
        ..Doc::NEW
    },
    Doc {
        name: "srandmember",
        summary: "Returns members of a set by chance.",
        complexity: "O(N) in the members returned",
        tips: ANY,
        history: &[("2.6.0", "Takes the `count` argument.")],
        arguments: &[key("key", 0), integer("count").optional().since("2.6.0")],
        ..Doc::NEW
    },
    Doc {
        name: "srem",
        summary: "Takes members out of a set; the last one takes the key along.",
        complexity: "O(1) per member",
        history: MANY_MEMBERS,
        arguments: &[key("key", 0), string("member").multiple()],
        ..Doc::NEW
    },
    Doc {
        name: "sscan",
        summary: "Walks over the members of a set in steps.",
        complexity: "O(1) per call, O(N) for a walk over all members",
        tips: ANY,
        arguments: &[
            key("key", 0),
            integer("cursor"),
            pattern("pattern").after("MATCH").optional(),
            integer("count").after("COUNT").optional(),
        ],
        ..Doc::NEW
    },
    Doc {
        name: "sunion",
        summary: "Lists the members that any of the sets has.",
        complexity: "O(N) in the members of all sets",
        tips: ANY_ORDER,
        arguments: &[key("key", 0).multiple()],
        ..Doc::NEW
    },
    Doc {
        name: "sunioncard",
        summary: "Counts the members that any of the sets has.",
        complexity: "O(N) in the members of all sets",
        arguments: &[
            integer("numkeys"),
            key("key", 0).multiple(),
            word("approx", "APPROX").optional(),
            integer("limit").after("LIMIT").optional(),
        ],
        ..Doc::NEW
    },
    Doc {
        name: "sunionstore",
        summary: "Stores the members that any of the sets has.",
        complexity: "O(N) in the members of all sets",
        arguments: &[key("destination", 0), key("key", 1).multiple()],
        ..Doc::NEW
    },
];
