//! Every hard bound in the system, each with its reason.
//!
//! Bounds that a user may set live in the configuration; where such a setting has a default that is
//! also a bound, the number stands here once.

/// Most arguments in one request: the largest count that clients' own integers hold.
pub const REQUEST_ARGUMENTS_MAX: i64 = i32::MAX as i64;

/// Most arguments in one request before authentication: enough for any greeting, too few to make
/// the server set memory aside for a stranger.
pub const REQUEST_ARGUMENTS_UNAUTHENTICATED_MAX: i64 = 10;

/// Longest argument by default, in bytes; a setting can raise it.
pub const REQUEST_BULK_LEN_MAX: i64 = 512 << 20;

/// The least that the setting of the longest argument can be: what a program may rely on.
pub const REQUEST_BULK_LEN_MAX_LEAST: i64 = 1 << 20;

/// Longest argument before authentication, in bytes.
pub const REQUEST_BULK_LEN_UNAUTHENTICATED_MAX: i64 = 16 << 10;

/// Longest inline request, and longest run of bytes in which a line must end: a peer that never
/// sends a line end is cut off here.
pub const REQUEST_LINE_LEN_MAX: usize = 64 << 10;

/// Spans of a partly received request that are set aside at once, however many it announces.
pub const REQUEST_SPANS_RESERVED_MAX: usize = 1 << 10;

/// From this length on a value is put into a reply by reference instead of being copied: below it
/// one more piece to write costs more than the copy.
pub const REPLY_SHARED_LEN_MIN: usize = 16 << 10;

/// Bytes already sent at the front of a reply are dropped from this many on, when they are also
/// half of it: each byte is then moved about once.
pub const REPLY_COMPACT_LEN_MIN: usize = 16 << 10;

/// A reply aggregate whose length is known only at its end is shifted to make room for its header
/// up to this many bytes; above, the header becomes a piece of its own.
pub const REPLY_SHIFT_LEN_MAX: usize = 16 << 10;

/// A part of a growing reply becomes a piece of its own from this length on: long enough for the pieces to be few, short
/// enough to be copied while a shard is held.
pub const REPLY_SEALED_LEN_MIN: usize = 256 << 10;

/// Longest reply, in bytes, to a call that asks for the same elements again and again: what other
/// calls reply is bounded by what is stored, this by nothing.
pub const REPLY_REPEATED_LEN_MAX: usize = 1 << 30;

/// Deepest nesting of aggregates in a decoded reply: decoding recurses.
pub const FRAME_DEPTH_MAX: usize = 128;

/// Longest string in a decoded reply, in bytes: twice the default of the longest value.
pub const FRAME_BULK_LEN_MAX: usize = 1 << 30;

/// Most elements of one aggregate in a decoded reply.
pub const FRAME_ELEMENTS_MAX: usize = u32::MAX as usize;

/// Longest line in a decoded reply that is not a string: errors, numbers, headers.
pub const FRAME_LINE_LEN_MAX: usize = 1 << 20;

/// Longest text that a library of scripts builds, in bytes: as long as a value may be by default.
pub const SCRIPT_TEXT_LEN_MAX: usize = 512 << 20;

/// Most bytes that a thread's interpreter of scripts may hold: room for two of the longest values.
pub const SCRIPT_MEMORY_BYTES_MAX: usize = 1 << 30;

/// Bytes that may wait to be freed while memory is at its limit: so far the process may be above it.
/// Whoever writes then frees some of them first.
pub const MEMORY_HANDED_OVER_MAX: usize = 64 << 20;

/// Bytes that a thread may allocate or free before it tells the process-wide count: the count is
/// off by at most this much per thread.
pub const MEMORY_UNREPORTED_MAX: usize = 16 << 10;

/// Bytes of copies, made because data has changed while a snapshot was being written, above which writers
/// wait; at least, and as one in so many of the bytes in use.
pub const CUT_BYTES_MIN: usize = 16 << 20;
/// See [`CUT_BYTES_MIN`].
pub const CUT_MEMORY_SHARE: usize = 32;

/// Bytes of a refused key or channel that the log of refusals keeps.
pub const ACL_LOG_OBJECT_LEN_MAX: usize = 4 << 10;

/// So many of the newest refusals are looked at for one that is the same.
pub const ACL_LOG_JOINED_MAX: usize = 10;

/// Bytes of the journal that may wait to be written before calls that would change something wait, too.
pub const JOURNAL_BYTES_WAITING_MAX: usize = 64 << 20;
