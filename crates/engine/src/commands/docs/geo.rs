//! Documentation of the commands of places.

use super::Doc;
use super::argument::{block, double, integer, key, one_of, string, word};

pub(super) const DOCS: &[Doc] = &[
    Doc {
        name: "geoadd",
        summary: "Adds places, each a longitude, a latitude and a name.",
        complexity: "O(log N) for each place",
        history: &[("6.2.0", "Knows `CH`, `NX` and `XX`.")],
        arguments: &[
            key("key", 0),
            one_of("condition", &[word("nx", "NX"), word("xx", "XX")]).optional().since("6.2.0"),
            word("change", "CH").optional().since("6.2.0"),
            block("data", &[double("longitude"), double("latitude"), string("member")]).multiple(),
        ],
        ..Doc::NEW
    },
    Doc {
        name: "geodist",
        summary: "Returns how far two places are from each other.",
        arguments: &[
            key("key", 0),
            string("member1"),
            string("member2"),
            one_of("unit", &[word("m", "M"), word("km", "KM"), word("ft", "FT"), word("mi", "MI")])
                .optional(),
        ],
        ..Doc::NEW
    },
    Doc {
        name: "geohash",
        summary: "Returns the geohashes of places as text.",
        complexity: "O(M) in the places asked for",
        arguments: &[key("key", 0), string("member").multiple().optional()],
        ..Doc::NEW
    },
    Doc {
        name: "geopos",
        summary: "Returns the longitudes and latitudes of places.",
        complexity: "O(M) in the places asked for",
        arguments: &[key("key", 0), string("member").multiple().optional()],
        ..Doc::NEW
    },
    Doc {
        name: "georadius",
        summary: "Returns the places around a point, and stores them if asked to.",
        complexity: "O(N + log M), N places in the box around the circle, M in it",
        history: &[
            ("6.2.0", "Knows `ANY` with `COUNT`."),
            ("7.0.0", "Accepts keywords in any case."),
        ],
        arguments: &[
            key("key", 0),
            double("longitude"),
            double("latitude"),
            double("radius"),
            one_of("unit", &[word("m", "M"), word("km", "KM"), word("ft", "FT"), word("mi", "MI")]),
            word("withcoord", "WITHCOORD").optional(),
            word("withdist", "WITHDIST").optional(),
            word("withhash", "WITHHASH").optional(),
            block(
                "count-block",
                &[integer("count").after("COUNT"), word("any", "ANY").optional().since("6.2.0")],
            )
            .optional(),
            one_of("order", &[word("asc", "ASC"), word("desc", "DESC")]).optional(),
            one_of(
                "store",
                &[key("storekey", 1).after("STORE"), key("storedistkey", 2).after("STOREDIST")],
            )
            .optional(),
        ],
        ..Doc::NEW
    },
    Doc {
        name: "georadius_ro",
        summary: "Returns the places around a point.",
        complexity: "O(N + log M), N places in the box around the circle, M in it",
        history: &[("6.2.0", "Knows `ANY` with `COUNT`.")],
        arguments: &[
            key("key", 0),
            double("longitude"),
            double("latitude"),
            double("radius"),
            one_of("unit", &[word("m", "M"), word("km", "KM"), word("ft", "FT"), word("mi", "MI")]),
            word("withcoord", "WITHCOORD").optional(),
            word("withdist", "WITHDIST").optional(),
            word("withhash", "WITHHASH").optional(),
            block(
                "count-block",
                &[integer("count").after("COUNT"), word("any", "ANY").optional().since("6.2.0")],
            )
            .optional(),
            one_of("order", &[word("asc", "ASC"), word("desc", "DESC")]).optional(),
        ],
        ..Doc::NEW
    },
    Doc {
        name: "georadiusbymember",
        summary: "Returns the places around another one, and stores them if asked to.",
        complexity: "O(N + log M), N places in the box around the circle, M in it",
        history: &[
            ("6.2.0", "Knows `ANY` with `COUNT`."),
            ("7.0.0", "Accepts keywords in any case."),
        ],
        arguments: &[
            key("key", 0),
            string("member"),
            double("radius"),
            one_of("unit", &[word("m", "M"), word("km", "KM"), word("ft", "FT"), word("mi", "MI")]),
            word("withcoord", "WITHCOORD").optional(),
            word("withdist", "WITHDIST").optional(),
            word("withhash", "WITHHASH").optional(),
            block("count-block", &[integer("count").after("COUNT"), word("any", "ANY").optional()])
                .optional(),
            one_of("order", &[word("asc", "ASC"), word("desc", "DESC")]).optional(),
            one_of(
                "store",
                &[key("storekey", 1).after("STORE"), key("storedistkey", 2).after("STOREDIST")],
            )
            .optional(),
        ],
        ..Doc::NEW
    },
    Doc {
        name: "georadiusbymember_ro",
        summary: "Returns the places around another one.",
        complexity: "O(N + log M), N places in the box around the circle, M in it",
        arguments: &[
            key("key", 0),
            string("member"),
            double("radius"),
            one_of("unit", &[word("m", "M"), word("km", "KM"), word("ft", "FT"), word("mi", "MI")]),
            word("withcoord", "WITHCOORD").optional(),
            word("withdist", "WITHDIST").optional(),
            word("withhash", "WITHHASH").optional(),
            block("count-block", &[integer("count").after("COUNT"), word("any", "ANY").optional()])
                .optional(),
            one_of("order", &[word("asc", "ASC"), word("desc", "DESC")]).optional(),
        ],
        ..Doc::NEW
    },
    Doc {
        name: "geosearch",
        summary: "Returns the places inside a circle, a box or a polygon.",
        complexity: "O(N + log M), N places in the box around the shape, M in it",
        history: &[("9.0.0", "Knows `BYPOLYGON` (Valkey).")],
        arguments: &[
            key("key", 0),
            one_of(
                "from",
                &[
                    string("member").after("FROMMEMBER"),
                    block("fromlonlat", &[double("longitude"), double("latitude")])
                        .after("FROMLONLAT"),
                ],
            )
            .optional(),
            one_of(
                "by",
                &[
                    block(
                        "circle",
                        &[
                            double("radius").after("BYRADIUS"),
                            one_of(
                                "unit",
                                &[
                                    word("m", "M"),
                                    word("km", "KM"),
                                    word("ft", "FT"),
                                    word("mi", "MI"),
                                ],
                            ),
                        ],
                    ),
                    block(
                        "box",
                        &[
                            double("width").after("BYBOX"),
                            double("height"),
                            one_of(
                                "unit",
                                &[
                                    word("m", "M"),
                                    word("km", "KM"),
                                    word("ft", "FT"),
                                    word("mi", "MI"),
                                ],
                            ),
                        ],
                    ),
                    block(
                        "polygon",
                        &[
                            integer("num-vertices").after("BYPOLYGON"),
                            block("vertices", &[double("longitude"), double("latitude")])
                                .multiple(),
                        ],
                    )
                    .since("9.0.0"),
                ],
            ),
            one_of("order", &[word("asc", "ASC"), word("desc", "DESC")]).optional(),
            block("count-block", &[integer("count").after("COUNT"), word("any", "ANY").optional()])
                .optional(),
            word("withcoord", "WITHCOORD").optional(),
            word("withdist", "WITHDIST").optional(),
            word("withhash", "WITHHASH").optional(),
        ],
        ..Doc::NEW
    },
    Doc {
        name: "geosearchstore",
        summary: "Stores the places inside a circle, a box or a polygon.",
        complexity: "O(N + log M), N places in the box around the shape, M in it",
        history: &[("9.0.0", "Knows `BYPOLYGON` (Valkey).")],
        arguments: &[
            key("destination", 0),
            key("source", 1),
            one_of(
                "from",
                &[
                    string("member").after("FROMMEMBER"),
                    block("fromlonlat", &[double("longitude"), double("latitude")])
                        .after("FROMLONLAT"),
                ],
            )
            .optional(),
            one_of(
                "by",
                &[
                    block(
                        "circle",
                        &[
                            double("radius").after("BYRADIUS"),
                            one_of(
                                "unit",
                                &[
                                    word("m", "M"),
                                    word("km", "KM"),
                                    word("ft", "FT"),
                                    word("mi", "MI"),
                                ],
                            ),
                        ],
                    ),
                    block(
                        "box",
                        &[
                            double("width").after("BYBOX"),
                            double("height"),
                            one_of(
                                "unit",
                                &[
                                    word("m", "M"),
                                    word("km", "KM"),
                                    word("ft", "FT"),
                                    word("mi", "MI"),
                                ],
                            ),
                        ],
                    ),
                    block(
                        "polygon",
                        &[
                            integer("num-vertices").after("BYPOLYGON"),
                            block("vertices", &[double("longitude"), double("latitude")])
                                .multiple(),
                        ],
                    )
                    .since("9.0.0"),
                ],
            ),
            one_of("order", &[word("asc", "ASC"), word("desc", "DESC")]).optional(),
            block("count-block", &[integer("count").after("COUNT"), word("any", "ANY").optional()])
                .optional(),
            word("storedist", "STOREDIST").optional(),
        ],
        ..Doc::NEW
    },
];
