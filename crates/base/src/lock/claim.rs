//! One call's claim to its shards: what stands for it where, while it is suspended; and the way to several shards.
//!
//! Problem. A call needs several shards at once. Holding some while waiting for others chains
//! unrelated calls together, and one slow call then stops the store; never holding any while
//! waiting starves a call whose shards are never free at the same moment.
//!
//! Idea. Nobody holds a lock while waiting for one. A call tries its shards in order; when it
//! misses one, it lets go of the others, spins a few µs, and then waits for that one. After
//! [`MISSES_MAX`] such misses it takes a ticket from one counter and sets all of its shards aside
//! (`Reservation`): each is then closed to everybody but holders of lower tickets. The holder of
//! the lowest ticket of all finds each of its shards free or held by somebody who is running, so it
//! gets them all after at most one wake-up per shard; then the next one is the lowest. So everybody
//! gets there.
//!
//! A reservation keeps others out of a shard that is idle, so it must be short. It is made only
//! when none of the needed shards has been held for [`SLOW_NS`], it binds for [`SLOW_NS`], and the
//! call comes back at that time: if one of its shards is held by a slow call now, it drops its
//! reservations (and wakes those behind them) and waits for that one alone. Its ticket stays, so it
//! keeps its age. A call that insists, because it has waited for longer than anybody should,
//! reserves whatever happens.
//!
//! Cost. No miss: one compare-and-swap per shard. A reservation: the queue's mutex, three times per
//! shard.
//!
//! Rejected: to hold in index order and wait (the chain above); to hand tickets to everybody from
//! the start (one more shared counter on every call, and idle shards as soon as two calls cross).

use super::queue::Reservation;
use super::shard_lock::{Guard, ShardLock};
use super::sync::{AtomicU64, Ordering, Spin};
use super::{Queued, SLOW_NS, Token};

/// After so many misses a call that needs several shards reserves them.
const MISSES_MAX: u32 = if cfg!(loom) { 1 } else { 3 };

/// The order in which calls that need several shards go first: one counter for all shards.
#[derive(Default)]
pub struct Tickets {
    next: AtomicU64,
}

impl Tickets {
    /// A counter that starts at zero.
    pub fn new() -> Self {
        Self::default()
    }

    fn next(&self) -> u64 {
        // Relaxed: a counter; what matters is that no two are equal.
        self.next.fetch_add(1, Ordering::Relaxed)
    }
}

/// The state of one call's attempts, kept in its session while it is suspended.
///
/// It is idle when the call has its shards, and before the first miss. Unless it is idle it must be
/// attempted again or [withdrawn](Self::withdraw).
#[derive(Default, Debug)]
pub struct Claim {
    since: Option<u64>,
    misses: u32,
    /// With the time when it was drawn.
    ticket: Option<(u64, u64)>,
    /// The shard where the token waits.
    waits_at: Option<u32>,
    /// The shards that are set aside, ascending.
    reserved: Vec<u32>,
    /// The time of the last attempt.
    now: u64,
}

impl Claim {
    /// Gives up: the connection is closed, or the call is gone. All that stands for it lapses, and
    /// whoever is next goes on. The claim is idle then.
    pub fn withdraw<T>(&mut self, locks: &[ShardLock<T>], token: Token) {
        self.leave_all_but(None, locks, token);
        self.finish();
    }

    /// When the call first missed a shard, if it waits: for the decision to insist.
    pub fn waiting_since(&self) -> Option<u64> {
        self.since
    }

    /// Does nothing stand for it anywhere?
    pub fn is_idle(&self) -> bool {
        self.since.is_none()
    }

    pub(super) fn stands_only_at(&self, index: u32) -> bool {
        self.reserved.is_empty() && self.waits_at.is_none_or(|place| place == index)
    }

    pub(super) fn waits_at(&mut self, index: u32, now: u64) {
        self.missed(now);
        self.waits_at = Some(index);
    }

    /// The call has what it needs; nothing stands for it.
    pub(super) fn finish(&mut self) {
        *self = Self { reserved: std::mem::take(&mut self.reserved), ..Self::default() };
        self.reserved.clear();
    }

    fn missed(&mut self, now: u64) {
        self.since.get_or_insert(now);
        self.misses = self.misses.saturating_add(1);
        self.now = now;
    }

    fn stands_at(&self, index: u32) -> bool {
        self.waits_at == Some(index) || self.reserved.binary_search(&index).is_ok()
    }

    fn leave_all_but<T>(&mut self, kept: Option<u32>, locks: &[ShardLock<T>], token: Token) {
        if let Some(index) = self.waits_at.take_if(|index| Some(*index) != kept) {
            locks[index as usize].leave(token, self.now);
        }
        for index in self.reserved.drain(..).filter(|index| Some(*index) != kept) {
            locks[index as usize].leave(token, self.now);
        }
    }

    /// Sets all the shards aside, or renews that, until the returned time.
    fn reserve<T>(
        &mut self,
        locks: &[ShardLock<T>],
        indices: &[u32],
        tickets: &Tickets,
        attempt: &Attempt,
    ) -> u64 {
        let now = attempt.now;
        let until = if attempt.insists { u64::MAX } else { now.saturating_add(SLOW_NS) };
        let (ticket, since) = *self.ticket.get_or_insert_with(|| (tickets.next(), now));
        for &index in indices {
            let token = attempt.token;
            locks[index as usize].reserve(Reservation { ticket, token, since, until }, now);
        }
        // Where it stood before and needs nothing any more. A wait at one of the shards became the
        // reservation.
        self.waits_at.take_if(|index| indices.binary_search(index).is_ok());
        self.reserved.retain(|index| indices.binary_search(index).is_err());
        self.leave_all_but(None, locks, attempt.token);
        self.reserved.extend_from_slice(indices);
        until
    }
}

/// Locks the shards at `indices` (ascending, each once) of `locks` into `out`, in that order; or
/// leaves `token` waiting, holding nothing.
///
/// `insists` says that the call has waited for longer than anybody should: it then reserves its shards even while a slow
/// call holds one of them.
///
/// # Panics
/// When an index is out of range.
#[expect(
    clippy::too_many_arguments,
    reason = "each is a different thing, and this is the hot path"
)]
#[inline]
pub fn acquire_set<'l, T>(
    locks: &'l [ShardLock<T>],
    indices: &[u32],
    claim: &mut Claim,
    token: Token,
    tickets: &Tickets,
    now: u64,
    insists: bool,
    out: &mut Vec<(u32, Guard<'l, T>)>,
) -> Result<(), Queued> {
    debug_assert!(out.is_empty(), "a call that holds a lock must not attempt others");
    debug_assert!(indices.windows(2).all(|pair| pair[0] < pair[1]));
    let attempt = Attempt { token, now, insists };
    if claim.is_idle() {
        let missed = indices.iter().find(|&&index| {
            let guard = locks[index as usize].try_lock(now);
            guard.map(|guard| out.push((index, guard))).is_none()
        });
        let Some(&missed) = missed else { return Ok(()) };
        let_go(out, token);
        return acquire_slow(locks, indices, claim, tickets, &attempt, Some(missed), out);
    }
    acquire_slow(locks, indices, claim, tickets, &attempt, None, out)
}

/// What doesn't change during one attempt.
struct Attempt {
    token: Token,
    now: u64,
    insists: bool,
}

/// `missed` is the shard that the quick attempt missed.
#[cold]
fn acquire_slow<'l, T>(
    locks: &'l [ShardLock<T>],
    indices: &[u32],
    claim: &mut Claim,
    tickets: &Tickets,
    attempt: &Attempt,
    mut missed: Option<u32>,
    out: &mut Vec<(u32, Guard<'l, T>)>,
) -> Result<(), Queued> {
    let mut held = None;
    let mut spin = Spin::new();
    loop {
        if missed.is_none() {
            missed = take_all(locks, indices, claim, attempt, held.take(), out);
        }
        let Some(place) = missed.take() else {
            fulfil(locks, claim, attempt.token, out);
            return Ok(());
        };
        if spin_until_free(&locks[place as usize], &mut spin, attempt.now) {
            continue;
        }
        claim.missed(attempt.now);
        let slow = indices
            .iter()
            .copied()
            .find(|&index| !attempt.insists && locks[index as usize].is_slow(attempt.now));
        if slow.is_none() && (MISSES_MAX < claim.misses || attempt.insists) {
            let until = claim.reserve(locks, indices, tickets, attempt);
            // The one that was missed may have been let go before the reservation stood: only an
            // attempt after it counts.
            if take_all(locks, indices, claim, attempt, None, out).is_some() {
                return Err(Queued { retry_at: (until != u64::MAX).then_some(until) });
            }
            fulfil(locks, claim, attempt.token, out);
            return Ok(());
        }
        let place = slow.unwrap_or(place);
        claim.leave_all_but(Some(place), locks, attempt.token);
        let ticket = claim.ticket.map(|(ticket, _)| ticket);
        let guard = locks[place as usize].take_or_wait(attempt.token, ticket, attempt.now);
        claim.waits_at = Some(place).filter(|_| guard.is_none());
        match guard {
            Some(guard) => held = Some((place, guard)),
            None => return Err(Queued { retry_at: None }),
        }
    }
}

/// Tries every shard once; `held` is one that the call has already. Returns the one that it missed,
/// and holds none then.
fn take_all<'l, T>(
    locks: &'l [ShardLock<T>],
    indices: &[u32],
    claim: &mut Claim,
    attempt: &Attempt,
    mut held: Option<(u32, Guard<'l, T>)>,
    out: &mut Vec<(u32, Guard<'l, T>)>,
) -> Option<u32> {
    let ticket = claim.ticket.map(|(ticket, _)| ticket);
    for &index in indices {
        if let Some(taken) = held.take_if(|(held, _)| *held == index) {
            out.push(taken);
            continue;
        }
        let stands = claim.stands_at(index);
        match locks[index as usize].attempt(attempt.token, ticket, stands, attempt.now) {
            Some(guard) => {
                claim.waits_at.take_if(|place| *place == index);
                out.push((index, guard));
            }
            None => {
                out.extend(held);
                let_go(out, attempt.token);
                return Some(index);
            }
        }
    }
    debug_assert!(held.is_none(), "what is held is one of the needed");
    None
}

/// All shards are held: nothing stands for the call any more.
fn fulfil<T>(locks: &[ShardLock<T>], claim: &mut Claim, token: Token, out: &[(u32, Guard<'_, T>)]) {
    for (index, guard) in out {
        if claim.reserved.binary_search(index).is_ok() {
            guard.fulfil(token);
        }
    }
    claim.reserved.retain(|index| out.binary_search_by_key(index, |(held, _)| *held).is_err());
    claim.leave_all_but(None, locks, token);
    claim.finish();
}

fn let_go<T>(out: &mut Vec<(u32, Guard<'_, T>)>, token: Token) {
    for (_, guard) in out.drain(..) {
        guard.let_go(token);
    }
}

/// Waits a few µs for a shard that a quick call holds; true when another attempt is worth it.
fn spin_until_free<T>(lock: &ShardLock<T>, spin: &mut Spin, now: u64) -> bool {
    while !lock.is_slow(now) && spin.again() {
        if lock.looks_free() {
            return true;
        }
    }
    false
}
