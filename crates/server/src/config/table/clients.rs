//! Settings: limits on clients and on what they send and receive.

use super::{INT_MAX, Kind, LONG_MAX, Listed, Row, UINT_MAX, flag, integer, memory, row};

pub(super) const ROWS: &[Row] = &[
    integer("client-default-resp", 2, 3, "2")
        .doc("Protocol that a new connection speaks.")
        .hidden()
        .immutable()
        .kept(),
    row(
        "client-output-buffer-limit",
        Kind::OutputLimits,
        "normal 0 0 0 slave 256mb 64mb 60 pubsub 32mb 8mb 60",
    )
    .doc("Unread bytes by class that end a connection: at once, and after some seconds."),
    memory("client-query-buffer-limit", 1 << 20, LONG_MAX, "1gb")
        .doc("The most that a client may send without completing a request."),
    integer("maxclients", 1, UINT_MAX, "10000").doc("How many clients may be connected at once."),
    row("maxmemory-clients", Kind::MemoryOrPercent, "0")
        .doc("Memory for all clients' buffers together; the largest are cut off above it.")
        .kept(),
    memory("proto-max-bulk-len", 1 << 20, LONG_MAX, "512mb")
        .doc("The longest single argument that a request may hold."),
    integer("prefetch-batch-max-size", 0, 128, "16")
        .doc("Commands whose keys are prefetched together.")
        .only(Listed::Valkey)
        .kept(),
    integer("min-io-threads-avoid-copy-reply", 0, INT_MAX, "7")
        .doc("Threads from which on replies aren't copied.")
        .hidden()
        .kept(),
    integer("min-string-size-avoid-copy-reply", 0, INT_MAX, "16384")
        .doc("Length from which on a reply isn't copied.")
        .hidden()
        .kept(),
    integer("min-string-size-avoid-copy-reply-threaded", 0, INT_MAX, "65536")
        .doc("The same with several threads.")
        .hidden()
        .kept(),
    integer("tracking-table-max-keys", 0, LONG_MAX, "1000000")
        .doc("Keys remembered for client-side caching; 0 is no limit."),
    flag("import-mode", "no")
        .doc("Let a client import data without expiry and eviction getting in the way.")
        .only(Listed::Valkey)
        .kept(),
];
