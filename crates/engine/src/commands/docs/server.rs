//! Documentation of the commands about the server.

use super::Doc;
use super::argument::{Argument, block, integer, key, one_of, pattern, string, word};

/// Which of the logs of calls is meant.
const LOG: Argument = one_of(
    "type",
    &[
        word("slow", "SLOW"),
        word("large-request", "LARGE-REQUEST"),
        word("large-reply", "LARGE-REPLY"),
    ],
);

pub(super) const DOCS: &[Doc] = &[
    Doc {
        name: "acl",
        summary: "Looks at and changes users and their rights.",
        complexity: "Depends on the subcommand.",
        ..Doc::NEW
    },
    Doc {
        name: "acl|cat",
        summary: "Lists the categories, or the commands of one.",
        complexity: "O(N) in the commands",
        arguments: &[string("category").optional()],
        ..Doc::NEW
    },
    Doc {
        name: "acl|deluser",
        summary: "Removes users and ends their clients.",
        complexity: "O(N) in the clients",
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        arguments: &[string("username").multiple()],
        ..Doc::NEW
    },
    Doc {
        name: "acl|dryrun",
        summary: "Tells whether a user may make a call, without making it.",
        complexity: "O(N) in the call's keys and the user's patterns",
        arguments: &[string("username"), string("command"), string("arg").optional().multiple()],
        ..Doc::NEW
    },
    Doc {
        name: "acl|genpass",
        summary: "Makes a password that nobody can guess.",
        arguments: &[integer("bits").optional()],
        ..Doc::NEW
    },
    Doc {
        name: "acl|getuser",
        summary: "Shows what a user may do.",
        complexity: "O(N) in the user's rules",
        history: &[("6.2.0", "Patterns of channels."), ("7.0.0", "Selectors; patterns as text.")],
        arguments: &[string("username")],
        ..Doc::NEW
    },
    Doc { name: "acl|help", summary: "Lists the subcommands.", ..Doc::NEW },
    Doc {
        name: "acl|list",
        summary: "Shows all users as lines of a user file.",
        complexity: "O(N) in the users",
        ..Doc::NEW
    },
    Doc {
        name: "acl|load",
        summary: "Reads the user file again.",
        complexity: "O(N) in the users",
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        ..Doc::NEW
    },
    Doc {
        name: "acl|log",
        summary: "Shows what was refused lately, or forgets it.",
        complexity: "O(N) in the entries shown",
        history: &[("7.2.0", "Numbers and times of entries.")],
        arguments: &[one_of("operation", &[integer("count"), word("reset", "RESET")]).optional()],
        ..Doc::NEW
    },
    Doc {
        name: "acl|save",
        summary: "Writes the users into the user file.",
        complexity: "O(N) in the users",
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        ..Doc::NEW
    },
    Doc {
        name: "acl|setuser",
        summary: "Creates a user or changes it.",
        complexity: "O(N) in the rules",
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        history: &[
            ("6.2.0", "Patterns of channels."),
            ("7.0.0", "Selectors, and patterns of keys for reading or writing alone."),
        ],
        arguments: &[string("username"), string("rule").optional().multiple()],
        ..Doc::NEW
    },
    Doc {
        name: "acl|users",
        summary: "Lists the names of all users.",
        complexity: "O(N) in the users",
        ..Doc::NEW
    },
    Doc { name: "acl|whoami", summary: "Tells the name of this connection's user.", ..Doc::NEW },
    Doc {
        name: "bgrewriteaof",
        summary: "Rewrites the append-only file in the background.",
        complexity: "O(1) for the call, O(N) behind it for N keys.",
        ..Doc::NEW
    },
    Doc {
        name: "bgsave",
        summary: "Writes a snapshot in the background, or gives up the one that is being written.",
        complexity: "O(1) for the call, O(N) behind it for N keys.",
        history: &[("3.2.2", "`SCHEDULE`."), ("8.1.0", "`CANCEL`, in Valkey.")],
        arguments: &[one_of(
            "operation",
            &[word("schedule", "SCHEDULE").since("3.2.2"), word("cancel", "CANCEL").since("8.1.0")],
        )
        .optional()],
        ..Doc::NEW
    },
    Doc {
        name: "command",
        summary: "Tells the facts about all commands.",
        complexity: "O(N) in the commands",
        tips: &["nondeterministic_output_order"],
        ..Doc::NEW
    },
    Doc {
        name: "commandlog",
        summary: "Looks at the calls that took long, or had a large request or reply.",
        complexity: "Depends on the subcommand.",
        ..Doc::NEW
    },
    Doc {
        name: "commandlog|get",
        summary: "Shows the newest calls of a log.",
        complexity: "O(N) in the calls shown",
        tips: &["request_policy:all_nodes", "nondeterministic_output"],
        arguments: &[integer("count"), LOG],
        ..Doc::NEW
    },
    Doc { name: "commandlog|help", summary: "Lists the subcommands.", ..Doc::NEW },
    Doc {
        name: "commandlog|len",
        summary: "Counts the calls of a log.",
        tips: &["request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"],
        arguments: &[LOG],
        ..Doc::NEW
    },
    Doc {
        name: "commandlog|reset",
        summary: "Forgets the calls of a log.",
        complexity: "O(N) in its calls",
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        arguments: &[LOG],
        ..Doc::NEW
    },
    Doc { name: "command|count", summary: "Counts the commands.", ..Doc::NEW },
    Doc {
        name: "command|docs",
        summary: "Tells what commands do and which arguments they take.",
        complexity: "O(N) in the commands asked for",
        tips: &["nondeterministic_output_order"],
        arguments: &[string("command-name").optional().multiple()],
        ..Doc::NEW
    },
    Doc {
        name: "command|getkeys",
        summary: "Tells which arguments of a call are keys.",
        complexity: "O(N) in the arguments",
        arguments: &[string("command"), string("arg").optional().multiple()],
        ..Doc::NEW
    },
    Doc {
        name: "command|getkeysandflags",
        summary: "Tells which arguments of a call are keys, and what happens to them.",
        complexity: "O(N) in the arguments",
        arguments: &[string("command"), string("arg").optional().multiple()],
        ..Doc::NEW
    },
    Doc { name: "command|help", summary: "Lists the subcommands.", ..Doc::NEW },
    Doc {
        name: "command|info",
        summary: "Tells the facts about some commands, or all.",
        complexity: "O(N) in the commands asked for",
        tips: &["nondeterministic_output_order"],
        history: &[("7.0.0", "Without names: all commands.")],
        arguments: &[string("command-name").optional().multiple()],
        ..Doc::NEW
    },
    Doc {
        name: "command|list",
        summary: "Lists the names of commands.",
        complexity: "O(N) in the commands",
        tips: &["nondeterministic_output_order"],
        arguments: &[one_of(
            "filterby",
            &[
                string("module-name").after("MODULE"),
                string("category").after("ACLCAT"),
                pattern("pattern").after("PATTERN"),
            ],
        )
        .after("FILTERBY")
        .optional()],
        ..Doc::NEW
    },
    Doc {
        name: "config",
        summary: "Looks at and changes the settings.",
        complexity: "Depends on the subcommand.",
        ..Doc::NEW
    },
    Doc {
        name: "config|get",
        summary: "Shows settings.",
        complexity: "O(N) in the settings",
        history: &[("7.0.0", "Several patterns in one call.")],
        arguments: &[string("parameter").multiple()],
        ..Doc::NEW
    },
    Doc { name: "config|help", summary: "Lists the subcommands.", ..Doc::NEW },
    Doc {
        name: "config|resetstat",
        summary: "Sets the statistics back to zero.",
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        ..Doc::NEW
    },
    Doc {
        name: "config|rewrite",
        summary: "Writes the settings that are in force into the configuration file.",
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        ..Doc::NEW
    },
    Doc {
        name: "config|set",
        summary: "Changes settings, all of them or none.",
        complexity: "O(N) in the settings given",
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        history: &[("7.0.0", "Several settings in one call.")],
        arguments: &[block("data", &[string("parameter"), string("value")]).multiple()],
        ..Doc::NEW
    },
    Doc {
        name: "dbsize",
        summary: "Counts the keys of the database.",
        tips: &["request_policy:all_shards", "response_policy:agg_sum"],
        ..Doc::NEW
    },
    Doc {
        name: "debug",
        summary: "Helps to test the server and to find faults.",
        complexity: "Depends on the subcommand.",
        ..Doc::NEW
    },
    Doc {
        name: "flushall",
        summary: "Empties all databases.",
        complexity: "O(1) for those who wait; the memory is freed elsewhere",
        tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
        history: &[("4.0.0", "The mode `ASYNC`."), ("6.2.0", "The mode `SYNC`.")],
        arguments: &[one_of(
            "flush-type",
            &[word("async", "ASYNC").since("4.0.0"), word("sync", "SYNC").since("6.2.0")],
        )
        .optional()],
        ..Doc::NEW
    },
    Doc {
        name: "flushdb",
        summary: "Empties the database.",
        complexity: "O(1) for those who wait; the memory is freed elsewhere",
        tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
        history: &[("4.0.0", "The mode `ASYNC`."), ("6.2.0", "The mode `SYNC`.")],
        arguments: &[one_of(
            "flush-type",
            &[word("async", "ASYNC").since("4.0.0"), word("sync", "SYNC").since("6.2.0")],
        )
        .optional()],
        ..Doc::NEW
    },
    Doc { name: "hotkeys", summary: "Groups the commands about keys that take much.", ..Doc::NEW },
    Doc {
        name: "hotkeys|get",
        summary: "Tells which keys took the most processor time and network bytes.",
        complexity: "O(K) in the keys that are told",
        tips: &["nondeterministic_output"],
        ..Doc::NEW
    },
    Doc { name: "hotkeys|help", summary: "Lists the subcommands.", ..Doc::NEW },
    Doc { name: "hotkeys|reset", summary: "Forgets which keys took the most.", ..Doc::NEW },
    Doc {
        name: "hotkeys|start",
        summary: "Begins to collect which keys take the most.",
        arguments: &[
            block(
                "metrics",
                &[integer("count"), word("cpu", "CPU").optional(), word("net", "NET").optional()],
            )
            .after("METRICS"),
            integer("k").after("COUNT").optional(),
            integer("seconds").after("DURATION").optional(),
            integer("ratio").after("SAMPLE").optional(),
        ],
        ..Doc::NEW
    },
    Doc { name: "hotkeys|stop", summary: "Collects no more which keys take the most.", ..Doc::NEW },
    Doc {
        name: "info",
        summary: "Tells facts and statistics about the server.",
        tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
        history: &[("7.0.0", "Several sections in one call.")],
        arguments: &[string("section").optional().multiple()],
        ..Doc::NEW
    },
    Doc {
        name: "lastsave",
        summary: "Tells when the last snapshot was written.",
        tips: &["nondeterministic_output"],
        ..Doc::NEW
    },
    Doc {
        name: "latency",
        summary: "Tells how long calls take, and what took longer than it should.",
        complexity: "Depends on the subcommand.",
        ..Doc::NEW
    },
    Doc {
        name: "latency|doctor",
        summary: "Tells what the latency spikes were, and what may help.",
        tips: &["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"],
        ..Doc::NEW
    },
    Doc {
        name: "latency|graph",
        summary: "Draws the latency spikes of an event.",
        tips: &["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"],
        arguments: &[string("event")],
        ..Doc::NEW
    },
    Doc { name: "latency|help", summary: "Lists the subcommands.", ..Doc::NEW },
    Doc {
        name: "latency|histogram",
        summary: "Tells how many calls of commands took how long.",
        complexity: "O(N) in the commands asked for",
        tips: &["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"],
        arguments: &[string("command").optional().multiple()],
        ..Doc::NEW
    },
    Doc {
        name: "latency|history",
        summary: "Shows the latency spikes of an event.",
        tips: &["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"],
        arguments: &[string("event")],
        ..Doc::NEW
    },
    Doc {
        name: "latency|latest",
        summary: "Shows the latest latency spike of each event.",
        tips: &["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"],
        ..Doc::NEW
    },
    Doc {
        name: "latency|reset",
        summary: "Forgets latency spikes.",
        tips: &["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"],
        arguments: &[string("event").optional().multiple()],
        ..Doc::NEW
    },
    Doc {
        name: "lolwut",
        summary: "Draws a picture, and tells the version.",
        arguments: &[integer("version").after("VERSION").optional()],
        ..Doc::NEW
    },
    Doc {
        name: "memory",
        summary: "Looks at the memory.",
        complexity: "Depends on the subcommand.",
        ..Doc::NEW
    },
    Doc {
        name: "memory|doctor",
        summary: "Tells what could be wrong with the memory.",
        tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
        ..Doc::NEW
    },
    Doc { name: "memory|help", summary: "Lists the subcommands.", ..Doc::NEW },
    Doc {
        name: "memory|malloc-stats",
        summary: "Shows the statistics of the memory allocator.",
        complexity: "That of the allocator",
        tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
        ..Doc::NEW
    },
    Doc {
        name: "memory|purge",
        summary: "Gives memory that is not used back to the system.",
        complexity: "That of the allocator",
        tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
        ..Doc::NEW
    },
    Doc {
        name: "memory|stats",
        summary: "Tells what the memory is used for.",
        tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
        ..Doc::NEW
    },
    Doc {
        name: "memory|usage",
        summary: "Tells how many bytes a key and its value occupy.",
        arguments: &[key("key", 0), integer("count").after("SAMPLES").optional()],
        ..Doc::NEW
    },
    Doc { name: "module", summary: "Groups the commands about modules.", ..Doc::NEW },
    Doc { name: "module|help", summary: "Lists the subcommands.", ..Doc::NEW },
    Doc {
        name: "module|list",
        summary: "Lists the loaded modules.",
        tips: &["nondeterministic_output_order"],
        ..Doc::NEW
    },
    Doc {
        name: "module|load",
        summary: "Loads a module.",
        arguments: &[string("path"), string("arg").optional().multiple()],
        ..Doc::NEW
    },
    Doc {
        name: "module|loadex",
        summary: "Loads a module with settings of its own.",
        arguments: &[
            string("path"),
            block("configs", &[string("name"), string("value")])
                .after("CONFIG")
                .optional()
                .multiple()
                .repeating_token(),
            string("args").after("ARGS").optional().multiple(),
        ],
        ..Doc::NEW
    },
    Doc {
        name: "module|unload",
        summary: "Unloads a module.",
        arguments: &[string("name")],
        ..Doc::NEW
    },
    Doc {
        name: "monitor",
        summary: "Shows all calls of all clients as they are made.",
        ..Doc::NEW
    },
    Doc {
        name: "role",
        summary: "Tells whether this server is a primary or a replica, and of whom.",
        ..Doc::NEW
    },
    Doc {
        name: "save",
        summary: "Writes a snapshot of all data, and has everybody wait for it.",
        complexity: "O(N) in all data",
        ..Doc::NEW
    },
    Doc {
        name: "shutdown",
        summary: "Ends the server.",
        complexity: "O(N) in the keys if they are saved, else O(1)",
        history: &[("7.0.0", "The modifiers `NOW`, `FORCE` and `ABORT`.")],
        arguments: &[one_of(
            "abort-selector",
            &[
                block(
                    "save-selector-block",
                    &[
                        one_of("save-selector", &[word("nosave", "NOSAVE"), word("save", "SAVE")])
                            .optional(),
                        word("now", "NOW").optional().since("7.0.0"),
                        word("force", "FORCE").optional().since("7.0.0"),
                        word("safe", "SAFE").optional().since("9.0.0"),
                        word("failover", "FAILOVER").optional().since("9.0.0"),
                    ],
                ),
                word("abort", "ABORT").since("7.0.0"),
            ],
        )
        .optional()],
        ..Doc::NEW
    },
    Doc {
        name: "slowlog",
        summary: "Looks at the calls that took long.",
        complexity: "Depends on the subcommand.",
        ..Doc::NEW
    },
    Doc {
        name: "slowlog|get",
        summary: "Shows the newest calls that took long.",
        complexity: "O(N) in the calls shown",
        tips: &["request_policy:all_nodes", "nondeterministic_output"],
        history: &[("4.0.0", "Address and name of the client.")],
        arguments: &[integer("count").optional()],
        ..Doc::NEW
    },
    Doc { name: "slowlog|help", summary: "Lists the subcommands.", ..Doc::NEW },
    Doc {
        name: "slowlog|len",
        summary: "Counts the calls that took long.",
        tips: &["request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"],
        ..Doc::NEW
    },
    Doc {
        name: "slowlog|reset",
        summary: "Forgets the calls that took long.",
        complexity: "O(N) in the calls kept",
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        ..Doc::NEW
    },
    Doc {
        name: "swapdb",
        summary: "Lets two databases change places.",
        complexity: "O(N) in the watched keys",
        arguments: &[integer("index1"), integer("index2")],
        ..Doc::NEW
    },
    Doc {
        name: "time",
        summary: "Tells the time.",
        tips: &["nondeterministic_output"],
        ..Doc::NEW
    },
];
