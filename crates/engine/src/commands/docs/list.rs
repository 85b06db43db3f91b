//! Documentation of the list commands.

use super::Doc;
use super::argument::{Argument, block, double, integer, key, one_of, string, word};

const LEFT_OR_RIGHT: &[Argument] = &[word("left", "LEFT"), word("right", "RIGHT")];
const WHERE: Argument = one_of("where", LEFT_OR_RIGHT);
const WHERE_FROM: Argument = one_of("wherefrom", LEFT_OR_RIGHT);
const WHERE_TO: Argument = one_of("whereto", LEFT_OR_RIGHT);
const HOW_MANY: Argument = block(
    "how-many",
    &[
        one_of("selector", &[integer("count").after("COUNT"), integer("exactly").after("EXACTLY")]),
        one_of("ordering", &[word("obo", "OBO"), word("bulk", "BULK")]),
    ],
)
.optional();
const MANY_ELEMENTS: &[(&str, &str)] = &[("2.4.0", "Takes several `element` arguments.")];
const MANY_ELEMENTS_X: &[(&str, &str)] = &[("4.0.0", "Takes several `element` arguments.")];
const COUNTED: &[(&str, &str)] = &[("6.2.0", "Takes the `count` argument.")];

const TIMEOUT: Argument = double("timeout");
const FRACTIONS: &[(&str, &str)] = &[("6.0.0", "Takes fractions of a second.")];

pub(super) const DOCS: &[Doc] = &[
    Doc {
        name: "blmove",
        summary: "Moves an element from an end of one list to an end of another, as soon as there \
                  is one, and returns it.",
        arguments: &[key("source", 0), key("destination", 1), WHERE_FROM, WHERE_TO, TIMEOUT],
        ..Doc::NEW
    },
    Doc {
        name: "blmovem",
        summary: "Moves several elements from an end of one list to an end of another, as soon as \
                  there are enough, and returns them.",
        complexity: "O(N) in the elements moved",
        arguments: &[
            key("source", 0),
            key("destination", 1),
            WHERE_FROM,
            WHERE_TO,
            TIMEOUT,
            HOW_MANY,
        ],
        ..Doc::NEW
    },
    Doc {
        name: "blmpop",
        summary: "Removes elements from the first list that there is, as soon as there is one, and \
                  returns them.",
        complexity: "O(N+M) in the keys and the elements returned",
        arguments: &[
            TIMEOUT,
            integer("numkeys"),
            key("key", 0).multiple(),
            WHERE,
            integer("count").after("COUNT").optional(),
        ],
        ..Doc::NEW
    },
    Doc {
        name: "blpop",
        summary: "Removes the first element of the first list that there is, as soon as there is \
                  one, and returns it.",
        complexity: "O(N) in the keys",
        history: FRACTIONS,
        arguments: &[key("key", 0).multiple(), TIMEOUT],
        ..Doc::NEW
    },
    Doc {
        name: "brpop",
        summary: "Removes the last element of the first list that there is, as soon as there is \
                  one, and returns it.",
        complexity: "O(N) in the keys",
        history: FRACTIONS,
        arguments: &[key("key", 0).multiple(), TIMEOUT],
        ..Doc::NEW
    },
    Doc {
        name: "brpoplpush",
        summary: "Moves the last element of one list to the head of another, as soon as there is \
                  one, and returns it.",
        history: FRACTIONS,
        deprecated: Some(("6.2.0", "`BLMOVE` with `RIGHT` and `LEFT`")),
        arguments: &[key("source", 0), key("destination", 1), TIMEOUT],
        ..Doc::NEW
    },
    Doc {
        name: "lindex",
        summary: "Reads the element of a list that has a given index.",
        complexity: "O(log N) in the length of the list",
        arguments: &[key("key", 0), integer("index")],
        ..Doc::NEW
    },
    Doc {
        name: "linsert",
        summary: "Puts an element before or behind the first one that equals the pivot.",
        complexity: "O(N) in the elements before the pivot",
        arguments: &[
            key("key", 0),
            one_of("where", &[word("before", "BEFORE"), word("after", "AFTER")]),
            string("pivot"),
            string("element"),
        ],
        ..Doc::NEW
    },
    Doc {
        name: "llen",
        summary: "Counts the elements of a list.",
        arguments: &[key("key", 0)],
        ..Doc::NEW
    },
    Doc {
        name: "lmove",
        summary: "Moves an element from an end of one list to an end of another and returns it.",
        arguments: &[key("source", 0), key("destination", 1), WHERE_FROM, WHERE_TO],
        ..Doc::NEW
    },
    Doc {
        name: "lmovem",
        summary: "Moves several elements from an end of one list to an end of another and \
                  returns them.",
        complexity: "O(N) in the elements moved",
        arguments: &[key("source", 0), key("destination", 1), WHERE_FROM, WHERE_TO, HOW_MANY],
        ..Doc::NEW
    },
    Doc {
        name: "lmpop",
        summary: "Removes elements from the first list that there is and returns them.",
        complexity: "O(N+M) in the keys and the elements returned",
        arguments: &[
            integer("numkeys"),
            key("key", 0).multiple(),
            WHERE,
            integer("count").after("COUNT").optional(),
        ],
        ..Doc::NEW
    },
    Doc {
        name: "lpop",
        summary: "Removes elements at the head of a list and returns them.",
        complexity: "O(N) in the elements returned",
        history: COUNTED,
        arguments: &[key("key", 0), integer("count").optional()],
        ..Doc::NEW
    },
    Doc {
        name: "lpos",
        summary: "Finds the indices of the elements that equal a given one.",
        complexity: "O(N) in the length of the list",
        arguments: &[
            key("key", 0),
            string("element"),
            integer("rank").after("RANK").optional(),
            integer("num-matches").after("COUNT").optional(),
            integer("len").after("MAXLEN").optional(),
        ],
        ..Doc::NEW
    },
    Doc {
        name: "lpush",
        summary: "Adds elements at the head of a list; a missing key begins empty.",
        complexity: "O(N) in the elements added",
        history: MANY_ELEMENTS,
        arguments: &[key("key", 0), string("element").multiple()],
        ..Doc::NEW
    },
    Doc {
        name: "lpushx",
        summary: "Adds elements at the head of a list that exists.",
        complexity: "O(N) in the elements added",
        history: MANY_ELEMENTS_X,
        arguments: &[key("key", 0), string("element").multiple()],
        ..Doc::NEW
    },
    Doc {
        name: "lrange",
        summary: "Reads the elements of a list from one index to another.",
        complexity: "O(log N + M) in the length of the list and the elements returned",
        arguments: &[key("key", 0), integer("start"), integer("stop")],
        ..Doc::NEW
    },
    Doc {
        name: "lrem",
        summary: "Removes elements that equal a given one.",
        complexity: "O(N) in the length of the list",
        arguments: &[key("key", 0), integer("count"), string("element")],
        ..Doc::NEW
    },
    Doc {
        name: "lset",
        summary: "Replaces the element of a list that has a given index.",
        complexity: "O(log N) in the length of the list",
        arguments: &[key("key", 0), integer("index"), string("element")],
        ..Doc::NEW
    },
    Doc {
        name: "ltrim",
        summary: "Removes all elements of a list but those from one index to another.",
        complexity: "O(N) in the elements removed",
        arguments: &[key("key", 0), integer("start"), integer("stop")],
        ..Doc::NEW
    },
    Doc {
        name: "rpop",
        summary: "Removes elements at the tail of a list and returns them.",
        complexity: "O(N) in the elements returned",
        history: COUNTED,
        arguments: &[key("key", 0), integer("count").optional()],
        ..Doc::NEW
    },
    Doc {
        name: "rpoplpush",
        summary: "Moves the last element of one list to the head of another and returns it.",
        deprecated: Some(("6.2.0", "`LMOVE` with the `RIGHT` and `LEFT` arguments")),
        arguments: &[key("source", 0), key("destination", 1)],
        ..Doc::NEW
    },
    Doc {
        name: "rpush",
        summary: "Adds elements at the tail of a list; a missing key begins empty.",
        complexity: "O(N) in the elements added",
        history: MANY_ELEMENTS,
        arguments: &[key("key", 0), string("element").multiple()],
        ..Doc::NEW
    },
    Doc {
        name: "rpushx",
        summary: "Adds elements at the tail of a list that exists.",
        complexity: "O(N) in the elements added",
        history: MANY_ELEMENTS_X,
        arguments: &[key("key", 0), string("element").multiple()],
        ..Doc::NEW
    },
];
