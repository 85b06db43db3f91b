//! Documentation of the string commands.

use super::Doc;
use super::argument::{Argument, block, double, integer, key, one_of, string, unix_time, word};

/// What the value that is there may be compared with.
const COMPARISONS: &[Argument] = &[
    string("ifeq-value").after("IFEQ"),
    string("ifne-value").after("IFNE"),
    string("ifdeq-digest").after("IFDEQ"),
    string("ifdne-digest").after("IFDNE"),
];

pub(super) const DOCS: &[Doc] = &[
    Doc {
        name: "append",
        summary: "Adds bytes to the end of a string; a missing key begins empty.",
        complexity: "O(N) in the bytes added, amortized",
        arguments: &[key("key", 0), string("value")],
        ..Doc::NEW
    },
    Doc {
        name: "decr",
        summary: "Takes one from an integer; a missing key counts as 0.",
        arguments: &[key("key", 0)],
        ..Doc::NEW
    },
    Doc {
        name: "decrby",
        summary: "Takes a number from an integer; a missing key counts as 0.",
        arguments: &[key("key", 0), integer("decrement")],
        ..Doc::NEW
    },
    Doc {
        name: "delex",
        summary: "Deletes a key if its string, or the digest of it, is or is not the given one.",
        complexity: "O(1); O(N) in the bytes of the string where digests are compared",
        arguments: &[key("key", 0), one_of("condition", COMPARISONS).optional()],
        ..Doc::NEW
    },
    Doc {
        name: "delifeq",
        summary: "Deletes a key if it holds exactly the given string.",
        arguments: &[key("key", 0), string("value")],
        ..Doc::NEW
    },
    Doc {
        name: "digest",
        summary: "Tells the XXH3 hash of a string.",
        complexity: "O(N) in the bytes of the string",
        arguments: &[key("key", 0)],
        ..Doc::NEW
    },
    Doc { name: "get", summary: "Reads a string.", arguments: &[key("key", 0)], ..Doc::NEW },
    Doc {
        name: "getdel",
        summary: "Reads a string and deletes its key.",
        arguments: &[key("key", 0)],
        ..Doc::NEW
    },
    Doc {
        name: "getex",
        summary: "Reads a string and changes when its key expires.",
        arguments: &[
            key("key", 0),
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
        ],
        ..Doc::NEW
    },
    Doc {
        name: "getrange",
        summary: "Reads a part of a string.",
        complexity: "O(N) in the bytes returned",
        arguments: &[key("key", 0), integer("start"), integer("end")],
        ..Doc::NEW
    },
    Doc {
        name: "getset",
        summary: "Sets a string and returns the one before.",
        deprecated: Some(("6.2.0", "`SET` with the `GET` option")),
        arguments: &[key("key", 0), string("value")],
        ..Doc::NEW
    },
    Doc {
        name: "incr",
        summary: "Adds one to an integer; a missing key counts as 0.",
        arguments: &[key("key", 0)],
        ..Doc::NEW
    },
    Doc {
        name: "incrby",
        summary: "Adds a number to an integer; a missing key counts as 0.",
        arguments: &[key("key", 0), integer("increment")],
        ..Doc::NEW
    },
    Doc {
        name: "incrbyfloat",
        summary: "Adds a decimal fraction to a number; a missing key counts as 0.",
        arguments: &[key("key", 0), double("increment")],
        ..Doc::NEW
    },
    Doc {
        name: "increx",
        summary: "Adds to a number within bounds, and sets when its key expires.",
        arguments: &[
            key("key", 0),
            one_of(
                "increment",
                &[double("float").after("BYFLOAT"), integer("integer").after("BYINT")],
            )
            .optional(),
            word("saturate", "SATURATE").optional(),
            string("lowerbound").after("LBOUND").optional(),
            string("upperbound").after("UBOUND").optional(),
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
            word("enx", "ENX").optional(),
            one_of("condition", &[word("nx", "NX"), word("xx", "XX")]).optional(),
        ],
        ..Doc::NEW
    },
    Doc {
        name: "lcs",
        summary: "Finds the longest subsequence that two strings have in common.",
        complexity: "O(N*M) in the lengths of the two strings",
        arguments: &[
            key("key1", 0),
            key("key2", 0),
            word("len", "LEN").optional(),
            word("idx", "IDX").optional(),
            integer("min-match-len").after("MINMATCHLEN").optional(),
            word("withmatchlen", "WITHMATCHLEN").optional(),
        ],
        ..Doc::NEW
    },
    Doc {
        name: "mget",
        summary: "Reads the strings of several keys at one moment.",
        complexity: "O(N) in the keys",
        tips: &["request_policy:multi_shard"],
        arguments: &[key("key", 0).multiple()],
        ..Doc::NEW
    },
    Doc {
        name: "mset",
        summary: "Sets the strings of several keys at one moment.",
        complexity: "O(N) in the keys",
        tips: &["request_policy:multi_shard", "response_policy:all_succeeded"],
        arguments: &[block("data", &[key("key", 0), string("value")]).multiple()],
        ..Doc::NEW
    },
    Doc {
        name: "msetex",
        summary: "Sets the strings of several keys at one moment, all with the same expiration.",
        complexity: "O(N) in the keys",
        tips: &["request_policy:multi_shard", "response_policy:all_succeeded"],
        arguments: &[
            integer("numkeys"),
            block("data", &[key("key", 0), string("value")]).multiple(),
            one_of("condition", &[word("nx", "NX"), word("xx", "XX")]).optional(),
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
        ],
        ..Doc::NEW
    },
    Doc {
        name: "msetnx",
        summary: "Sets the strings of several keys, if none of the keys exists.",
        complexity: "O(N) in the keys",
        arguments: &[block("data", &[key("key", 0), string("value")]).multiple()],
        ..Doc::NEW
    },
    Doc {
        name: "psetex",
        summary: "Sets a string that expires after some milliseconds.",
        deprecated: Some(("2.6.12", "`SET` with the `PX` option")),
        arguments: &[key("key", 0), integer("milliseconds"), string("value")],
        ..Doc::NEW
    },
    Doc {
        name: "set",
        summary: "Sets a string, whatever the key held before.",
        history: &[
            ("2.6.12", "The options `EX`, `PX`, `NX` and `XX`."),
            ("6.0.0", "The option `KEEPTTL`."),
            ("6.2.0", "The options `GET`, `EXAT` and `PXAT`."),
            ("7.0.0", "`NX` and `GET` together."),
            ("8.1.0", "The option `IFEQ`."),
            ("8.4.0", "The options `IFNE`, `IFDEQ` and `IFDNE`."),
        ],
        arguments: &[
            key("key", 0),
            string("value"),
            one_of(
                "condition",
                &[
                    word("nx", "NX").since("2.6.12"),
                    word("xx", "XX").since("2.6.12"),
                    string("ifeq-value").after("IFEQ").since("8.1.0"),
                    string("ifne-value").after("IFNE").since("8.4.0"),
                    string("ifdeq-digest").after("IFDEQ").since("8.4.0"),
                    string("ifdne-digest").after("IFDNE").since("8.4.0"),
                ],
            )
            .optional(),
            word("get", "GET").optional().since("6.2.0"),
            one_of(
                "expiration",
                &[
                    integer("seconds").after("EX").since("2.6.12"),
                    integer("milliseconds").after("PX").since("2.6.12"),
                    unix_time("unix-time-seconds").after("EXAT").since("6.2.0"),
                    unix_time("unix-time-milliseconds").after("PXAT").since("6.2.0"),
                    word("keepttl", "KEEPTTL").since("6.0.0"),
                ],
            )
            .optional(),
        ],
        ..Doc::NEW
    },
    Doc {
        name: "setex",
        summary: "Sets a string that expires after some seconds.",
        deprecated: Some(("2.6.12", "`SET` with the `EX` option")),
        arguments: &[key("key", 0), integer("seconds"), string("value")],
        ..Doc::NEW
    },
    Doc {
        name: "setnx",
        summary: "Sets a string if the key does not exist.",
        deprecated: Some(("2.6.12", "`SET` with the `NX` option")),
        arguments: &[key("key", 0), string("value")],
        ..Doc::NEW
    },
    Doc {
        name: "setrange",
        summary: "Overwrites a part of a string; what lies before a missing part becomes zeros.",
        complexity: "O(N) in the bytes written, and in those filled with zeros",
        arguments: &[key("key", 0), integer("offset"), string("value")],
        ..Doc::NEW
    },
    Doc {
        name: "strlen",
        summary: "Tells how long a string is, in bytes.",
        arguments: &[key("key", 0)],
        ..Doc::NEW
    },
    Doc {
        name: "substr",
        summary: "Reads a part of a string.",
        complexity: "O(N) in the bytes returned",
        deprecated: Some(("2.0.0", "`GETRANGE`")),
        arguments: &[key("key", 0), integer("start"), integer("end")],
        ..Doc::NEW
    },
];
