//! Settings: the keyspace's databases and what only this server has.

use super::{INT_MAX, Listed, Row, choice, integer, text};

pub(super) const ROWS: &[Row] = &[
    integer("databases", 1, INT_MAX, "16").doc("Numbered databases.").immutable(),
    choice("dialect", &["redis", "valkey"], "redis")
        .doc("Which family to answer like where the two contradict each other.")
        .valkey_default("valkey")
        .hidden()
        .immutable(),
    choice("rdb-version", &["auto", "9", "10", "11", "12", "13", "14", "80"], "auto")
        .doc("Version of snapshots: what must read them; by itself the oldest that can hold the data.")
        .hidden(),
    text("hash-seed", "")
        .doc("Seed of the key hash, for cursors that are the same on several servers.")
        .only(Listed::Valkey)
        .immutable()
        .kept(),
];
