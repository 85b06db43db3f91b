//! Settings: the memory limit, eviction, freeing, defragmentation, expiry.

use super::{Choices, INT_MAX, Kind, LONG_MAX, Listed, Row, flag, integer, memory, row};

const POLICIES: Kind = Kind::Choice(Choices {
    unlisted: &["volatile-lrm", "allkeys-lrm"],
    ..Choices::of(&[
        "volatile-lru",
        "volatile-lfu",
        "volatile-random",
        "volatile-ttl",
        "allkeys-lru",
        "allkeys-lfu",
        "allkeys-random",
        "noeviction",
    ])
});

pub(super) const ROWS: &[Row] = &[
    integer("active-defrag-cycle-max", 1, 99, "25")
        .doc("The most effort for defragmentation, in percent.")
        .kept(),
    integer("active-defrag-cycle-min", 1, 99, "1")
        .doc("The least effort for defragmentation, in percent.")
        .kept(),
    integer("active-defrag-cycle-us", 0, 100_000, "500")
        .doc("Microseconds of one step of defragmentation.")
        .only(Listed::Valkey)
        .kept(),
    memory("active-defrag-ignore-bytes", 1, LONG_MAX, "100mb")
        .doc("Waste below which nothing is defragmented.")
        .kept(),
    integer("active-defrag-max-scan-fields", 1, LONG_MAX, "1000")
        .doc("Fields that one step of defragmentation visits.")
        .kept(),
    integer("active-defrag-threshold-lower", 0, 1000, "10")
        .doc("Waste in percent at which defragmentation starts.")
        .kept(),
    integer("active-defrag-threshold-upper", 0, 1000, "100")
        .doc("Waste in percent at which defragmentation is at its most.")
        .kept(),
    integer("active-expire-effort", 1, 10, "1")
        .doc("Effort spent on removing expired keys.")
        .kept(),
    flag("activedefrag", "no").doc("Defragment memory while running.").kept(),
    flag("activerehashing", "yes").doc("Let idle time go into resizing tables.").kept(),
    flag("lazyfree-lazy-eviction", "no")
        .doc("Free evicted values in the background; here large ones always are.")
        .valkey_default("yes")
        .kept(),
    flag("lazyfree-lazy-expire", "no")
        .doc("Free expired values in the background; here large ones always are.")
        .valkey_default("yes")
        .kept(),
    flag("lazyfree-lazy-server-del", "no")
        .doc("Free overwritten values in the background; here large ones always are.")
        .valkey_default("yes")
        .kept(),
    flag("lazyfree-lazy-user-del", "no")
        .doc("Let DEL free in the background; here it does so with large values.")
        .valkey_default("yes")
        .kept(),
    flag("lazyfree-lazy-user-flush", "no")
        .doc("Let FLUSHALL and FLUSHDB without a word free in the background.")
        .valkey_default("yes"),
    integer("lfu-decay-time", 0, INT_MAX, "1")
        .doc("Minutes in which the access counter of an unused key loses one; 0 never."),
    integer("lfu-log-factor", 0, INT_MAX, "10").doc("How slowly the access counter grows."),
    row("maxmemory", Kind::MemoryOrAuto, "0")
        .doc("The most memory for data; 0 is no limit, auto 80 % of what the machine has."),
    integer("maxmemory-eviction-tenacity", 0, 100, "10")
        .doc("Effort of one eviction before other work goes on.")
        .kept(),
    row("maxmemory-policy", POLICIES, "noeviction").doc("Which keys go when the memory is full."),
    integer("maxmemory-samples", 1, 64, "5").doc("Keys looked at for each one evicted."),
];
