//! Documentation of the bitmap commands.

use super::Doc;
use super::argument::{Argument, block, integer, key, one_of, string, word};

/// `GET type offset`.
const GET: Argument = block("get-block", &[string("encoding"), integer("offset")]).after("GET");

/// `[start [end [BYTE | BIT]]]`.
const RANGE: Argument = block(
    "range",
    &[
        integer("start"),
        block(
            "end-unit-block",
            &[
                integer("end"),
                one_of("unit", &[word("byte", "BYTE"), word("bit", "BIT")])
                    .since("7.0.0")
                    .optional(),
            ],
        )
        .optional(),
    ],
)
.optional();

pub(super) const DOCS: &[Doc] = &[
    Doc {
        name: "bitcount",
        summary: "Counts the ones in a string or a part of it.",
        complexity: "O(N) in the bytes counted",
        history: &[
            ("7.0.0", "`BYTE` and `BIT` say what the range is given in."),
            ("8.0.0", "The end of the range may be left out."),
        ],
        arguments: &[key("key", 0), RANGE],
        ..Doc::NEW
    },
    Doc {
        name: "bitfield",
        summary: "Reads and changes integers of any width at any bit of a string.",
        complexity: "O(1) for each operation",
        arguments: &[
            key("key", 0),
            one_of(
                "operation",
                &[
                    GET,
                    block(
                        "write",
                        &[
                            one_of(
                                "overflow-block",
                                &[word("wrap", "WRAP"), word("sat", "SAT"), word("fail", "FAIL")],
                            )
                            .after("OVERFLOW")
                            .optional(),
                            one_of(
                                "write-operation",
                                &[
                                    block(
                                        "set-block",
                                        &[string("encoding"), integer("offset"), integer("value")],
                                    )
                                    .after("SET"),
                                    block(
                                        "incrby-block",
                                        &[
                                            string("encoding"),
                                            integer("offset"),
                                            integer("increment"),
                                        ],
                                    )
                                    .after("INCRBY"),
                                ],
                            ),
                        ],
                    ),
                ],
            )
            .optional()
            .multiple(),
        ],
        ..Doc::NEW
    },
    Doc {
        name: "bitfield_ro",
        summary: "Reads integers of any width at any bit of a string.",
        complexity: "O(1) for each operation",
        arguments: &[key("key", 0), GET.optional().multiple().repeating_token()],
        ..Doc::NEW
    },
    Doc {
        name: "bitop",
        summary: "Combines strings bit by bit and stores the result.",
        complexity: "O(N) in the bytes of all sources",
        history: &[("8.2.0", "`DIFF`, `DIFF1`, `ANDOR` and `ONE`.")],
        arguments: &[
            one_of(
                "operation",
                &[
                    word("and", "AND"),
                    word("or", "OR"),
                    word("xor", "XOR"),
                    word("not", "NOT"),
                    word("diff", "DIFF"),
                    word("diff1", "DIFF1"),
                    word("andor", "ANDOR"),
                    word("one", "ONE"),
                ],
            ),
            key("destkey", 0),
            key("key", 1).multiple(),
        ],
        ..Doc::NEW
    },
    Doc {
        name: "bitpos",
        summary: "Finds the first one, or the first zero, in a string or a part of it.",
        complexity: "O(N) in the bytes looked at",
        history: &[("7.0.0", "`BYTE` and `BIT` say what the range is given in.")],
        arguments: &[key("key", 0), integer("bit"), RANGE],
        ..Doc::NEW
    },
    Doc {
        name: "getbit",
        summary: "Reads one bit of a string.",
        arguments: &[key("key", 0), integer("offset")],
        ..Doc::NEW
    },
    Doc {
        name: "setbit",
        summary: "Sets or clears one bit of a string, which grows to hold it.",
        arguments: &[key("key", 0), integer("offset"), integer("value")],
        ..Doc::NEW
    },
];
