//! Settings: the keyspace's databases and what only this server has.

use super::{INT_MAX, Listed, Row, choice, integer, text};

pub(super) const ROWS: &[Row] = &[
    integer("databases", 1, INT_MAX, "16").doc("Numbered databases.").immutable(),
    choice("dialect", &["redis", "valkey"], "redis")
        .doc("Which family to answer like where the two contradict each other.")
        .valkey_default("valkey")
        .hidden()
        .immutable(),
    text("hash-seed", "")
        .doc("Seed of the key hash, for cursors that are the same on several servers.")
        .only(Listed::Valkey)
        .immutable()
        .kept(),
];
