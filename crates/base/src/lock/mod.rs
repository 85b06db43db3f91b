//! The locks that every call passes: the shard lock, the set of shards, the gate for everything, the loop hand-over.
//!
//! Design. A thread here runs an event loop with thousands of connections, so it must never sleep
//! for one of them. Nothing in this module blocks: an attempt that fails leaves a [`Token`] where
//! it failed and returns [`Queued`]; the caller suspends the call (not the thread), goes on with
//! other connections, and attempts again, with the same claim, when [`Wake::wake`] was called with
//! its token or [`Queued::retry_at`] has come.
//!
//! | part | is | fast path |
//! |---|---|---|
//! | [`ShardLock`] | one shard's data under a small lock | one compare-and-swap in, one out |
//! | [`acquire_set`] | several shards for one call | the same per shard |
//! | [`Gate`] | every executing thread's mark, and one exclusive caller | one compare-and-swap in, one out, on the thread's own line |
//! | [`Handover`] | a loop's state while its thread runs a call | one store in, one compare-and-swap out |
//!
//! What a caller must keep to:
//! - A token stands for one claim at a time. It may be woken late, twice, or before the attempt
//!   that queued it has returned; all of that only causes another attempt.
//! - Whoever was [`Queued`] attempts again with the same claim, or withdraws it. A claim that is
//!   just forgotten may have been woken, and those behind it would wait until somebody else misses
//!   the lock.
//! - Lock order: gate, shards by index. [`acquire_set`] never waits while it holds a lock, so its
//!   order is free.
//!
//! Time is nanoseconds of a monotonic clock, passed in: this module reads no clock. Times of two
//! threads may differ a little; they decide who goes first, never whether two are inside.
//!
//! If you change an ordering or a state here, run the loom tests (see `models.rs`).

mod claim;
mod gate;
mod handover;
mod queue;
mod shard_lock;
mod sync;

#[cfg(all(test, loom))]
mod models;
#[cfg(all(test, not(loom)))]
mod tests;

pub use claim::{Claim, Tickets, acquire_set};
pub use gate::{Exclusive, Gate, GateClaim, Inside};
pub use handover::{Handover, Held};
pub use shard_lock::{Guard, ShardLock};

/// Whoever has run or waited for this long is slow: it is handed the lock, taken over, or waited
/// for alone.
pub const SLOW_NS: u64 = 1_000_000;

/// Who waits: opaque here; the server maps it to a loop and a connection.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Token(pub u64);

/// Where the tokens of those who should attempt again are delivered.
///
/// Called from whichever thread lets go, outside of this module's own locks. It must neither block
/// nor attempt a lock itself: post the token to its loop.
pub trait Wake: Send + Sync {
    /// Lets the owner of `token` attempt again.
    fn wake(&self, token: Token);
}

/// The attempt failed; the token waits and will be woken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "a call that was queued has to be suspended and attempted again, or withdrawn"]
pub struct Queued {
    /// Attempt again at this time even if nobody woke the token: what it has set aside for itself
    /// lapses then.
    pub retry_at: Option<u64>,
}
