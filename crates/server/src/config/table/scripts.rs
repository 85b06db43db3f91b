//! Settings: scripts and texts.

use super::super::special::check;
use super::{LONG_MAX, Listed, Row, checked, flag, integer};

pub(super) const ROWS: &[Row] = &[
    integer("busy-reply-threshold", 0, LONG_MAX, "5000")
        .doc("Milliseconds after which a running script counts as slow and others are told so.")
        .also(&["lua-time-limit"]),
    flag("extended-redis-compatibility", "no")
        .doc("Answer like Redis in a few more places.")
        .only(Listed::Valkey)
        .kept(),
    checked("locale-collate", check::locale, "").doc("Locale that SORT ALPHA compares by.").kept(),
    flag("lua-enable-deprecated-api", "no")
        .doc("Give scripts functions that are no longer safe.")
        .also(&["lua-enable-insecure-api"])
        .hidden()
        .protected()
        .kept(),
];
