//! Settings: the cluster.

use super::super::special::check;
use super::{
    INT_MAX, LONG_MAX, LONG_MIN, Listed, Row, checked, choice, flag, integer, memory, text,
};

pub(super) const ROWS: &[Row] = &[
    text("availability-zone", "")
        .doc("Zone that the server says it is in.")
        .only(Listed::Valkey)
        .kept(),
    flag("cluster-allow-pubsubshard-when-down", "yes")
        .doc("Serve shard channels while the cluster is down.")
        .kept(),
    flag("cluster-allow-reads-when-down", "no")
        .doc("Serve reads while the cluster is down.")
        .kept(),
    flag("cluster-allow-replica-migration", "yes")
        .doc("Let replicas move to primaries without one.")
        .kept(),
    integer("cluster-announce-bus-port", 0, 65535, "0")
        .doc("Bus port that other nodes are told.")
        .kept(),
    checked("cluster-announce-client-ipv4", check::ipv4, "")
        .doc("IPv4 address that clients are told.")
        .only(Listed::Valkey)
        .kept(),
    checked("cluster-announce-client-ipv6", check::ipv6, "")
        .doc("IPv6 address that clients are told.")
        .only(Listed::Valkey)
        .kept(),
    integer("cluster-announce-client-port", 0, 65535, "0")
        .doc("Port that clients are told.")
        .only(Listed::Valkey)
        .kept(),
    integer("cluster-announce-client-tls-port", 0, 65535, "0")
        .doc("TLS port that clients are told.")
        .only(Listed::Valkey)
        .kept(),
    checked("cluster-announce-hostname", check::hostname, "")
        .doc("Host name that clients are told.")
        .kept(),
    text("cluster-announce-human-nodename", "").doc("Name of the node in the log.").kept(),
    text("cluster-announce-ip", "").doc("Address that other nodes are told.").kept(),
    integer("cluster-announce-port", 0, 65535, "0").doc("Port that other nodes are told.").kept(),
    integer("cluster-announce-tls-port", 0, 65535, "0")
        .doc("TLS port that other nodes are told.")
        .kept(),
    integer("cluster-blacklist-ttl", LONG_MIN, LONG_MAX, "60")
        .doc("Seconds that a forgotten node stays away.")
        .only(Listed::Valkey)
        .kept(),
    integer("cluster-compatibility-sample-ratio", 0, 100, "0")
        .doc("Share of commands checked for whether a cluster could run them.")
        .only(Listed::Redis)
        .kept(),
    text("cluster-config-file", "nodes.conf")
        .doc("File that the cluster keeps its state in.")
        .immutable()
        .kept(),
    choice("cluster-config-save-behavior", &["sync", "best-effort"], "sync")
        .doc("What a failure to write that file means.")
        .only(Listed::Valkey)
        .kept(),
    integer("cluster-databases", 1, INT_MAX, "1")
        .doc("Numbered databases in cluster mode.")
        .only(Listed::Valkey)
        .immutable()
        .kept(),
    flag("cluster-enabled", "no")
        .doc("Run as a node of a cluster.")
        .immutable()
        .guarded("cluster mode isn't available yet"),
    memory("cluster-link-sendbuf-limit", 0, LONG_MAX, "0")
        .doc("Unsent bytes after which a link to a node is dropped.")
        .kept(),
    integer("cluster-manual-failover-timeout", 1, INT_MAX, "5000")
        .doc("Milliseconds that a failover on request may take.")
        .only(Listed::Valkey)
        .kept(),
    integer("cluster-message-gossip-perc", 1, 100, "10")
        .doc("Share of nodes that a message tells about.")
        .hidden()
        .kept(),
    integer("cluster-migration-barrier", 0, INT_MAX, "1")
        .doc("Replicas that stay when one moves away.")
        .kept(),
    integer("cluster-node-timeout", 0, LONG_MAX, "15000")
        .doc("Milliseconds of silence after which a node counts as failing.")
        .kept(),
    integer("cluster-ping-interval", 0, LONG_MAX, "0")
        .doc("Milliseconds between pings, for tests.")
        .hidden()
        .kept(),
    integer("cluster-port", 0, 65535, "0")
        .doc("Port of the cluster bus; 0 is the client port plus 10000.")
        .immutable()
        .kept(),
    choice("cluster-preferred-endpoint-type", &["ip", "hostname", "unknown-endpoint"], "ip")
        .doc("What clients are redirected to.")
        .kept(),
    flag("cluster-replica-no-failover", "no")
        .doc("Never promote this replica by itself.")
        .also(&["cluster-slave-no-failover"])
        .kept(),
    integer("cluster-replica-validity-factor", 0, INT_MAX, "10")
        .doc("How old a replica's data may be for it to be promoted.")
        .also(&["cluster-slave-validity-factor"])
        .kept(),
    flag("cluster-require-full-coverage", "yes")
        .doc("Serve nothing while a slot has no owner.")
        .kept(),
    integer("cluster-slot-migration-log-max-len", 0, LONG_MAX, "1000")
        .doc("Finished migrations that are remembered.")
        .only(Listed::Valkey)
        .kept(),
    flag("cluster-slot-stats-enabled", "no").doc("Count use by slot.").only(Listed::Valkey).kept(),
    memory("slot-migration-max-failover-repl-bytes", -1, LONG_MAX, "0")
        .doc("Changes that may be left when a slot changes hands.")
        .only(Listed::Valkey)
        .kept(),
];
