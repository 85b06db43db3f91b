//! Bounds of the server's own machinery; those of the wire and of memory are in `base::limits`.

use std::time::Duration;

/// Bytes read at once. Long enough for a pipeline of hundreds of requests, short enough that what is parsed is still in
/// the second-level cache when it runs.
pub const READ_BYTES: usize = 64 << 10;

/// Bytes that one connection reads at once of a long request, and writes at once of a long reply, before the loop's
/// other connections have their turn. The system needs about 0.1 ms for so many.
pub const TURN_BYTES_MAX: usize = 256 << 10;

/// A thread's reply buffer that has grown beyond this is given back after the write.
pub const REPLY_BYTES_KEPT: usize = 1 << 20;

/// Pieces written by one call to the system.
pub const WRITE_PIECES: usize = 64;

/// Space for a partial request is set aside at once up to this; a longer one grows as its bytes come.
pub const INPUT_BYTES_AHEAD: usize = 1 << 20;

/// Unwritten bytes after which a client that has not authenticated is cut off: nothing before AUTH answers at length.
pub const OUTBOX_BYTES_UNAUTHENTICATED_MAX: usize = 1024;

/// A reply up to this length waits for the end of the round; a longer one is written at once.
pub const DEFERRED_REPLY_BYTES_MAX: usize = 16 << 10;

/// Waiting replies are written when they come to this together.
pub const DEFERRED_BYTES_MAX: usize = 64 << 10;

/// How long a reply waits for others at most, while others are served.
pub const ROUND_NS_MAX: u64 = 200_000;

/// Events taken from the system at once.
pub const EVENTS: usize = 1024;

/// Threads beside the loops' own that may run slow calls at the same time. With all of them busy a further slow call
/// holds its loop up.
pub const SPARE_THREADS_MAX: usize = 16;

/// With so many connections due at once, they are read ahead.
pub const READ_AHEAD_MIN: usize = 2;

/// Most connections that are read ahead: their keys' memory must stay in the nearest cache.
pub const READ_AHEAD_MAX: usize = 32;

/// A connection that sends more than this at once is not read ahead: a batch of requests is fetched
/// ahead by itself, and its bytes would have to be copied.
pub const READ_AHEAD_BYTES_MAX: usize = 512;

/// How often the watcher looks for slow calls.
pub const WATCH_PERIOD: Duration = Duration::from_millis(1);

/// Looks in a row without any call before the watcher sleeps.
pub const WATCH_IDLE_LOOKS: u32 = 3;

/// Stripes of the client registry.
pub const REGISTRY_STRIPES: usize = 64;

/// Loops at most, so that a token has room for the number of its loop.
pub const LOOPS_MAX: usize = 256;

/// Descriptors that are kept for files, listeners and pipes, beside those of clients.
pub const RESERVED_FILES: u64 = 32;

/// How long the acceptor waits when the process has no descriptor left.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Shards per loop.
pub const SHARDS_PER_LOOP: usize = 64;
