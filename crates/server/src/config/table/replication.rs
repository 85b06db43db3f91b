//! Settings: replicas and their primary.

use super::{
    Choices, INT_MAX, Kind, LONG_MAX, Listed, Row, choice, flag, integer, memory, row, text,
};

const DISKLESS_LOAD: Kind = Kind::Choice(Choices {
    valkey: &["flush-before-load"],
    ..Choices::of(&["disabled", "on-empty-db", "swapdb"])
});

pub(super) const ROWS: &[Row] = &[
    flag("dual-channel-replication-enabled", "no")
        .doc("Send snapshot and changes over two connections.")
        .only(Listed::Valkey)
        .kept(),
    text("masterauth", "")
        .doc("Password for the primary.")
        .valkey_name("primaryauth")
        .secret()
        .kept(),
    text("masteruser", "").doc("User for the primary.").valkey_name("primaryuser").secret().kept(),
    integer("min-replicas-max-lag", 0, INT_MAX, "10")
        .doc("Seconds that a replica may be behind to count.")
        .also(&["min-slaves-max-lag"])
        .kept(),
    integer("min-replicas-to-write", 0, INT_MAX, "0")
        .doc("Replicas without which writes are refused.")
        .also(&["min-slaves-to-write"])
        .guarded("replication isn't available yet, so that no replica could ever be there"),
    choice("propagation-error-behavior", &["ignore", "panic", "panic-on-replicas"], "ignore")
        .doc("What to do about a replicated command that fails.")
        .kept(),
    memory("repl-backlog-size", 1, LONG_MAX, "1mb")
        .doc("Memory of the recent changes that a returning replica can catch up from.")
        .valkey_default("10mb")
        .clamped(1 << 14, LONG_MAX)
        .kept(),
    integer("repl-backlog-ttl", 0, LONG_MAX, "3600")
        .doc("Seconds after the last replica has gone until that memory is freed.")
        .kept(),
    flag("repl-disable-tcp-nodelay", "no").doc("Collect changes into larger packets.").kept(),
    row("repl-diskless-load", DISKLESS_LOAD, "disabled")
        .doc("Whether a replica loads straight from the connection.")
        .kept(),
    flag("repl-diskless-sync", "yes").doc("Send a snapshot without a file between.").kept(),
    integer("repl-diskless-sync-delay", 0, INT_MAX, "5")
        .doc("Seconds to wait for more replicas before sending a snapshot.")
        .kept(),
    integer("repl-diskless-sync-max-replicas", 0, INT_MAX, "0")
        .doc("Replicas with which the waiting ends.")
        .kept(),
    flag("repl-mptcp", "no")
        .doc("Use multipath TCP for replication.")
        .only(Listed::Valkey)
        .immutable()
        .kept(),
    integer("repl-ping-replica-period", 1, INT_MAX, "10")
        .doc("Seconds between pings to replicas.")
        .also(&["repl-ping-slave-period"])
        .kept(),
    flag("repl-rdb-channel", "yes")
        .doc("Send the snapshot over a connection of its own.")
        .hidden()
        .kept(),
    integer("repl-timeout", 1, INT_MAX, "60")
        .doc("Seconds of silence after which the other side counts as gone.")
        .kept(),
    text("replica-announce-ip", "")
        .doc("Address that a replica gives to its primary.")
        .also(&["slave-announce-ip"])
        .kept(),
    integer("replica-announce-port", 0, 65535, "0")
        .doc("Port that a replica gives to its primary.")
        .also(&["slave-announce-port"])
        .kept(),
    flag("replica-announced", "yes").doc("Let sentinels name this replica.").kept(),
    memory("replica-full-sync-buffer-limit", 0, LONG_MAX, "0")
        .doc("Memory of changes held while a snapshot is sent.")
        .only(Listed::Redis)
        .kept(),
    flag("replica-ignore-disk-write-errors", "no")
        .doc("Let a replica go on when its disk fails.")
        .kept(),
    flag("replica-ignore-maxmemory", "yes")
        .doc("Let a replica leave eviction to its primary.")
        .also(&["slave-ignore-maxmemory"])
        .kept(),
    flag("replica-lazy-flush", "no")
        .doc("Free a replica's old data in the background.")
        .also(&["slave-lazy-flush"])
        .valkey_default("yes")
        .kept(),
    integer("replica-priority", 0, INT_MAX, "100")
        .doc("Order in which sentinels promote; 0 never.")
        .also(&["slave-priority"])
        .kept(),
    flag("replica-read-only", "yes")
        .doc("Refuse writes to a replica.")
        .also(&["slave-read-only"])
        .kept(),
    flag("replica-serve-stale-data", "yes")
        .doc("Let a replica answer while its primary is away.")
        .also(&["slave-serve-stale-data"])
        .kept(),
    row("replicaof", Kind::Primary, "")
        .doc("Host and port of the primary.")
        .also(&["slaveof"])
        .immutable()
        .guarded("replication isn't available yet, and this server would take writes as a primary"),
];
