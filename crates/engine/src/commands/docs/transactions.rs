//! Documentation of the transaction commands.

use super::Doc;
use super::argument::key;

pub(super) const DOCS: &[Doc] = &[
    Doc {
        name: "discard",
        summary: "Gives up the queued calls of a transaction.",
        complexity: "O(N) in the queued calls",
        ..Doc::NEW
    },
    Doc {
        name: "exec",
        summary: "Runs the queued calls of a transaction, with nothing in between.",
        complexity: "That of the queued calls together",
        ..Doc::NEW
    },
    Doc {
        name: "multi",
        summary: "Begins a transaction: calls are queued until EXEC.",
        ..Doc::NEW
    },
    Doc { name: "unwatch", summary: "Gives up watching all keys.", ..Doc::NEW },
    Doc {
        name: "watch",
        summary: "Watches keys: EXEC runs nothing if one of them has changed.",
        complexity: "O(N) in the keys",
        arguments: &[key("key", 0).multiple()],
        ..Doc::NEW
    },
];
