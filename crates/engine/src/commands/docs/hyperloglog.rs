//! Documentation of the HyperLogLog commands.

use super::Doc;
use super::argument::{key, string};

pub(super) const DOCS: &[Doc] = &[
    Doc {
        name: "pfadd",
        summary: "Shows elements to a counter of different elements, which is made if missing.",
        complexity: "O(1) for each element",
        arguments: &[key("key", 0), string("element").optional().multiple()],
        ..Doc::NEW
    },
    Doc {
        name: "pfcount",
        summary: "Tells about how many different elements were shown to any of some counters.",
        complexity: "O(1) for one key; O(N) in the keys, with a large constant, for several",
        arguments: &[key("key", 0).multiple()],
        ..Doc::NEW
    },
    Doc {
        name: "pfdebug",
        summary: "Looks inside a counter, for debugging.",
        complexity: "O(1)",
        arguments: &[string("subcommand"), key("key", 0)],
        ..Doc::NEW
    },
    Doc {
        name: "pfmerge",
        summary: "Merges counters into one, which is made if missing.",
        complexity: "O(N) in the counters, with a large constant",
        arguments: &[key("destkey", 0), key("sourcekey", 1).optional().multiple()],
        ..Doc::NEW
    },
    Doc {
        name: "pfselftest",
        summary: "Checks that counters count well.",
        complexity: "O(1)",
        ..Doc::NEW
    },
];
