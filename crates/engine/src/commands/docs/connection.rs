//! Documentation of the commands about connections.

use super::Doc;
use super::argument::{block, integer, one_of, string, word};

pub(super) const DOCS: &[Doc] = &[
    Doc {
        name: "auth",
        summary: "Says who the client is.",
        history: &[("6.0.0", "A user name beside the password.")],
        arguments: &[string("username").optional().since("6.0.0"), string("password")],
        ..Doc::NEW
    },
    Doc {
        name: "client",
        summary: "Looks at and changes the connections of clients.",
        complexity: "Depends on the subcommand.",
        ..Doc::NEW
    },
    Doc {
        name: "client|caching",
        summary: "Says whether the keys of the next call are tracked.",
        arguments: &[one_of("mode", &[word("yes", "YES"), word("no", "NO")])],
        ..Doc::NEW
    },
    Doc {
        name: "client|capa",
        summary: "Says what the client is able to do.",
        arguments: &[string("capability").multiple()],
        ..Doc::NEW
    },
    Doc { name: "client|getname", summary: "Tells the name of this connection.", ..Doc::NEW },
    Doc {
        name: "client|getredir",
        summary: "Tells which client gets the invalidations of this one.",
        ..Doc::NEW
    },
    Doc { name: "client|help", summary: "Lists the subcommands.", ..Doc::NEW },
    Doc { name: "client|id", summary: "Tells the number of this connection.", ..Doc::NEW },
    Doc {
        name: "client|import-source",
        summary: "Marks this client as the one that imports data.",
        arguments: &[one_of("enabled", &[word("on", "ON"), word("off", "OFF")])],
        ..Doc::NEW
    },
    Doc {
        name: "client|info",
        summary: "Shows this connection as CLIENT LIST would.",
        tips: &["nondeterministic_output"],
        ..Doc::NEW
    },
    Doc {
        name: "client|kill",
        summary: "Closes connections.",
        complexity: "O(N) in the connections",
        history: &[
            ("2.8.12", "Filters, `ID` among them."),
            ("3.2.0", "The type `master`."),
            ("5.0.0", "The type `replica`, for which `slave` still stands."),
            ("6.2.0", "The filter `LADDR`."),
            ("7.4.0", "The filter `MAXAGE`."),
        ],
        arguments: &[one_of(
            "filter",
            &[
                string("old-format"),
                one_of(
                    "new-format",
                    &[
                        integer("client-id").after("ID").optional().multiple().since("2.8.12"),
                        one_of(
                            "client-type",
                            &[
                                word("normal", "NORMAL"),
                                word("master", "MASTER").since("3.2.0"),
                                word("primary", "PRIMARY").since("8.0.0"),
                                word("slave", "SLAVE"),
                                word("replica", "REPLICA").since("5.0.0"),
                                word("pubsub", "PUBSUB"),
                            ],
                        )
                        .after("TYPE")
                        .optional()
                        .since("2.8.12"),
                        string("username").after("USER").optional(),
                        string("addr").after("ADDR").optional(),
                        string("laddr").after("LADDR").optional().since("6.2.0"),
                        one_of("skipme", &[word("yes", "YES"), word("no", "NO")])
                            .after("SKIPME")
                            .optional(),
                        integer("maxage").after("MAXAGE").optional().since("8.0.0"),
                        string("name").after("NAME").optional().since("9.0.0"),
                        integer("idle").after("IDLE").optional().since("9.0.0"),
                        string("flags").after("FLAGS").optional().since("9.0.0"),
                        string("lib-name").after("LIB-NAME").optional().since("9.0.0"),
                        string("lib-ver").after("LIB-VER").optional().since("9.0.0"),
                        integer("db").after("DB").optional().since("9.0.0"),
                        string("capa").after("CAPA").optional().since("9.0.0"),
                        string("ip").after("IP").optional().since("9.0.0"),
                        one_of(
                            "not-client-type",
                            &[
                                word("normal", "NORMAL"),
                                word("master", "MASTER"),
                                word("primary", "PRIMARY"),
                                word("slave", "SLAVE"),
                                word("replica", "REPLICA"),
                                word("pubsub", "PUBSUB"),
                            ],
                        )
                        .after("NOT-TYPE")
                        .optional()
                        .since("9.0.0"),
                        integer("not-client-id")
                            .after("NOT-ID")
                            .optional()
                            .multiple()
                            .since("9.0.0"),
                        string("not-username").after("NOT-USER").optional().since("9.0.0"),
                        string("not-addr").after("NOT-ADDR").optional().since("9.0.0"),
                        string("not-laddr").after("NOT-LADDR").optional().since("9.0.0"),
                        string("not-name").after("NOT-NAME").optional().since("9.0.0"),
                        string("not-flags").after("NOT-FLAGS").optional().since("9.0.0"),
                        string("not-lib-name").after("NOT-LIB-NAME").optional().since("9.0.0"),
                        string("not-lib-ver").after("NOT-LIB-VER").optional().since("9.0.0"),
                        integer("not-db").after("NOT-DB").optional().since("9.0.0"),
                        string("not-capa").after("NOT-CAPA").optional().since("9.0.0"),
                        string("not-ip").after("NOT-IP").optional().since("9.0.0"),
                    ],
                )
                .multiple(),
            ],
        )],
        ..Doc::NEW
    },
    Doc {
        name: "client|list",
        summary: "Lists the connections.",
        complexity: "O(N) in the connections",
        tips: &["nondeterministic_output"],
        history: &[
            ("2.8.12", "The field `id`."),
            ("5.0.0", "The filter `TYPE`."),
            ("6.0.0", "The field `user`."),
            (
                "6.2.0",
                "The fields `argv-mem`, `tot-mem`, `laddr` and `redir`, and the filter `ID`.",
            ),
            ("7.0.0", "The fields `resp`, `multi-mem`, `rbs` and `rbp`."),
            ("7.0.3", "The field `ssub`."),
            ("7.2.0", "The fields `lib-name` and `lib-ver`."),
            ("7.4.0", "The field `watch`."),
            ("8.0.0", "The field `io-thread`."),
        ],
        arguments: &[
            one_of(
                "client-type",
                &[
                    word("normal", "NORMAL"),
                    word("master", "MASTER"),
                    word("replica", "REPLICA"),
                    word("pubsub", "PUBSUB"),
                ],
            )
            .after("TYPE")
            .optional()
            .since("5.0.0"),
            integer("client-id").after("ID").optional().multiple().since("6.2.0"),
            string("username").after("USER").optional().since("8.1.0"),
            string("addr").after("ADDR").optional().since("8.1.0"),
            string("laddr").after("LADDR").optional().since("8.1.0"),
            one_of("skipme", &[word("yes", "YES"), word("no", "NO")])
                .after("SKIPME")
                .optional()
                .since("8.1.0"),
            integer("maxage").after("MAXAGE").optional().since("8.1.0"),
            string("name").after("NAME").optional().since("9.0.0"),
            integer("idle").after("IDLE").optional().since("9.0.0"),
            string("flags").after("FLAGS").optional().since("9.0.0"),
            string("lib-name").after("LIB-NAME").optional().since("9.0.0"),
            string("lib-ver").after("LIB-VER").optional().since("9.0.0"),
            integer("db").after("DB").optional().since("9.0.0"),
            string("capa").after("CAPA").optional().since("9.0.0"),
            string("ip").after("IP").optional().since("9.0.0"),
            one_of(
                "not-client-type",
                &[
                    word("normal", "NORMAL"),
                    word("master", "MASTER"),
                    word("replica", "REPLICA"),
                    word("pubsub", "PUBSUB"),
                ],
            )
            .after("NOT-TYPE")
            .optional()
            .since("9.0.0"),
            integer("not-client-id").after("NOT-ID").optional().multiple().since("9.0.0"),
            string("not-username").after("NOT-USER").optional().since("9.0.0"),
            string("not-addr").after("NOT-ADDR").optional().since("9.0.0"),
            string("not-laddr").after("NOT-LADDR").optional().since("9.0.0"),
            string("not-name").after("NOT-NAME").optional().since("9.0.0"),
            string("not-flags").after("NOT-FLAGS").optional().since("9.0.0"),
            string("not-lib-name").after("NOT-LIB-NAME").optional().since("9.0.0"),
            string("not-lib-ver").after("NOT-LIB-VER").optional().since("9.0.0"),
            integer("not-db").after("NOT-DB").optional().since("9.0.0"),
            string("not-capa").after("NOT-CAPA").optional().since("9.0.0"),
            string("not-ip").after("NOT-IP").optional().since("9.0.0"),
        ],
        ..Doc::NEW
    },
    Doc {
        name: "client|no-evict",
        summary: "Keeps this connection from being closed when memory is short.",
        arguments: &[one_of("enabled", &[word("on", "ON"), word("off", "OFF")])],
        ..Doc::NEW
    },
    Doc {
        name: "client|no-touch",
        summary: "Says whether the calls of this client count as uses of the keys.",
        arguments: &[one_of("enabled", &[word("on", "ON"), word("off", "OFF")])],
        ..Doc::NEW
    },
    Doc {
        name: "client|pause",
        summary: "Lets the calls of all clients wait.",
        history: &[("6.2.0", "The mode `WRITE`.")],
        arguments: &[
            integer("timeout"),
            one_of("mode", &[word("write", "WRITE"), word("all", "ALL")]).optional().since("6.2.0"),
        ],
        ..Doc::NEW
    },
    Doc {
        name: "client|reply",
        summary: "Says whether this client wants replies.",
        arguments: &[one_of(
            "action",
            &[word("on", "ON"), word("off", "OFF"), word("skip", "SKIP")],
        )],
        ..Doc::NEW
    },
    Doc {
        name: "client|setinfo",
        summary: "Says which library the client uses.",
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        arguments: &[one_of(
            "attr",
            &[string("libname").after("LIB-NAME"), string("libver").after("LIB-VER")],
        )],
        ..Doc::NEW
    },
    Doc {
        name: "client|setname",
        summary: "Gives this connection a name.",
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        arguments: &[string("connection-name")],
        ..Doc::NEW
    },
    Doc {
        name: "client|tracking",
        summary: "Lets the server say which keys that the client has read have changed.",
        arguments: &[
            one_of("status", &[word("on", "ON"), word("off", "OFF")]),
            integer("client-id").after("REDIRECT").optional(),
            string("prefix").after("PREFIX").optional().multiple().repeating_token(),
            word("bcast", "BCAST").optional(),
            word("optin", "OPTIN").optional(),
            word("optout", "OPTOUT").optional(),
            word("noloop", "NOLOOP").optional(),
        ],
        ..Doc::NEW
    },
    Doc {
        name: "client|trackinginfo",
        summary: "Tells how this connection uses tracking.",
        ..Doc::NEW
    },
    Doc {
        name: "client|unblock",
        summary: "Ends the wait of a client that waits in a blocking call.",
        arguments: &[
            integer("client-id"),
            one_of("unblock-type", &[word("timeout", "TIMEOUT"), word("error", "ERROR")])
                .optional(),
        ],
        ..Doc::NEW
    },
    Doc {
        name: "client|unpause",
        summary: "Lets the calls of paused clients go on.",
        complexity: "O(N) in the paused clients",
        ..Doc::NEW
    },
    Doc {
        name: "echo",
        summary: "Returns what it is given.",
        arguments: &[string("message")],
        ..Doc::NEW
    },
    Doc {
        name: "hello",
        summary: "Settles the protocol, and tells what server this is.",
        history: &[("6.2.0", "The protocol version may be left out.")],
        arguments: &[block(
            "arguments",
            &[
                integer("protover"),
                block("auth", &[string("username"), string("password")]).after("AUTH").optional(),
                string("clientname").after("SETNAME").optional(),
            ],
        )
        .optional()],
        ..Doc::NEW
    },
    Doc {
        name: "ping",
        summary: "Answers, to show that the server is there.",
        tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
        arguments: &[string("message").optional()],
        ..Doc::NEW
    },
    Doc {
        name: "quit",
        summary: "Closes the connection.",
        deprecated: Some(("7.2.0", "just closing the connection")),
        ..Doc::NEW
    },
    Doc { name: "reset", summary: "Makes the connection as it was at its beginning.", ..Doc::NEW },
    Doc {
        name: "select",
        summary: "Chooses the database of the calls that follow.",
        arguments: &[integer("index")],
        ..Doc::NEW
    },
];
