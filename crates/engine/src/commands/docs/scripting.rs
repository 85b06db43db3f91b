//! Documentation of the scripting commands.

use super::Doc;
use super::argument::{integer, key, one_of, string, word};

pub(super) const DOCS: &[Doc] = &[
    Doc {
        name: "eval",
        summary: "Runs a Lua script.",
        complexity: "That of the script",
        arguments: &[
            string("script"),
            integer("numkeys"),
            key("key", 0).optional().multiple(),
            string("arg").optional().multiple(),
        ],
        ..Doc::NEW
    },
    Doc {
        name: "eval_ro",
        summary: "Runs a Lua script that only reads.",
        complexity: "That of the script",
        arguments: &[
            string("script"),
            integer("numkeys"),
            key("key", 0).optional().multiple(),
            string("arg").optional().multiple(),
        ],
        ..Doc::NEW
    },
    Doc {
        name: "evalsha",
        summary: "Runs a cached Lua script, named by its SHA-1.",
        complexity: "That of the script",
        arguments: &[
            string("sha1"),
            integer("numkeys"),
            key("key", 0).optional().multiple(),
            string("arg").optional().multiple(),
        ],
        ..Doc::NEW
    },
    Doc {
        name: "evalsha_ro",
        summary: "Runs a cached Lua script that only reads, named by its SHA-1.",
        complexity: "That of the script",
        arguments: &[
            string("sha1"),
            integer("numkeys"),
            key("key", 0).optional().multiple(),
            string("arg").optional().multiple(),
        ],
        ..Doc::NEW
    },
    Doc {
        name: "fcall",
        summary: "Calls a function.",
        complexity: "That of the function",
        arguments: &[
            string("function"),
            integer("numkeys"),
            key("key", 0).optional().multiple(),
            string("arg").optional().multiple(),
        ],
        ..Doc::NEW
    },
    Doc {
        name: "fcall_ro",
        summary: "Calls a function that only reads.",
        complexity: "That of the function",
        arguments: &[
            string("function"),
            integer("numkeys"),
            key("key", 0).optional().multiple(),
            string("arg").optional().multiple(),
        ],
        ..Doc::NEW
    },
    Doc {
        name: "function",
        summary: "Looks after the libraries of functions.",
        complexity: "Depends on the subcommand.",
        ..Doc::NEW
    },
    Doc {
        name: "function|delete",
        summary: "Deletes a library and its functions.",
        complexity: "O(1)",
        tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
        arguments: &[string("library-name")],
        ..Doc::NEW
    },
    Doc {
        name: "function|dump",
        summary: "Returns all libraries as bytes.",
        complexity: "O(N) in the functions",
        ..Doc::NEW
    },
    Doc {
        name: "function|flush",
        summary: "Deletes all libraries.",
        complexity: "O(N) in the functions",
        tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
        arguments: &[
            one_of("flush-type", &[word("async", "ASYNC"), word("sync", "SYNC")]).optional()
        ],
        ..Doc::NEW
    },
    Doc { name: "function|help", summary: "Lists the subcommands.", ..Doc::NEW },
    Doc {
        name: "function|kill",
        summary: "Ends the function that is running, if it has not written yet.",
        tips: &["request_policy:all_shards", "response_policy:one_succeeded"],
        ..Doc::NEW
    },
    Doc {
        name: "function|list",
        summary: "Lists the libraries and their functions.",
        complexity: "O(N) in the functions",
        tips: &["nondeterministic_output_order"],
        arguments: &[
            string("library-name-pattern").after("LIBRARYNAME").optional(),
            word("withcode", "WITHCODE").optional(),
        ],
        ..Doc::NEW
    },
    Doc {
        name: "function|load",
        summary: "Creates a library.",
        complexity: "O(1), and what its text does when it is loaded",
        tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
        arguments: &[word("replace", "REPLACE").optional(), string("function-code")],
        ..Doc::NEW
    },
    Doc {
        name: "function|restore",
        summary: "Creates the libraries of a payload.",
        complexity: "O(N) in the functions of the payload",
        tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
        arguments: &[
            string("serialized-value"),
            one_of(
                "policy",
                &[word("flush", "FLUSH"), word("append", "APPEND"), word("replace", "REPLACE")],
            )
            .optional(),
        ],
        ..Doc::NEW
    },
    Doc {
        name: "function|stats",
        summary: "Shows the running function, and how many there are.",
        complexity: "O(1)",
        tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
        ..Doc::NEW
    },
    Doc {
        name: "script",
        summary: "Looks after the cache of Lua scripts.",
        complexity: "Depends on the subcommand.",
        ..Doc::NEW
    },
    Doc {
        name: "script|debug",
        summary: "Would choose how scripts are debugged.",
        arguments: &[one_of("mode", &[word("yes", "YES"), word("sync", "SYNC"), word("no", "NO")])],
        ..Doc::NEW
    },
    Doc {
        name: "script|exists",
        summary: "Tells which scripts are cached.",
        complexity: "O(N) in the scripts asked for",
        tips: &["request_policy:all_shards", "response_policy:agg_logical_and"],
        arguments: &[string("sha1").multiple()],
        ..Doc::NEW
    },
    Doc {
        name: "script|flush",
        summary: "Empties the cache of scripts.",
        complexity: "O(N) in the cached scripts",
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        history: &[("6.2.0", "The modes `ASYNC` and `SYNC`.")],
        arguments: &[one_of("flush-type", &[word("async", "ASYNC"), word("sync", "SYNC")])
            .optional()
            .since("6.2.0")],
        ..Doc::NEW
    },
    Doc { name: "script|help", summary: "Lists the subcommands.", ..Doc::NEW },
    Doc {
        name: "script|kill",
        summary: "Ends the script that is running, if it has not written yet.",
        tips: &["request_policy:all_shards", "response_policy:one_succeeded"],
        ..Doc::NEW
    },
    Doc {
        name: "script|load",
        summary: "Puts a script into the cache.",
        complexity: "O(N) in the bytes of the script",
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        arguments: &[string("script")],
        ..Doc::NEW
    },
    Doc {
        name: "script|show",
        summary: "Shows a cached script.",
        arguments: &[string("sha1")],
        ..Doc::NEW
    },
];
