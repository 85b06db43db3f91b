//! The shard lock: one word that says who may enter and since when somebody is inside, beside the data it guards.
//!
//! ```text
//!  63                              3    2          1         0
//! ┌─────────────────────────────────┬──────────┬─────────┬────────┐
//! │ held since (ns), 0 while free   │ RESERVED │ WAITERS │ LOCKED │
//! └─────────────────────────────────┴──────────┴─────────┴────────┘
//! ```
//!
//! - `LOCKED`: set by a compare-and-swap from a word without it, cleared by its holder only.
//! - `WAITERS`: the holder must ask the queue whom to wake when it lets go.
//! - `RESERVED`: a newcomer must ask the queue whether the free lock is for somebody else.
//!
//! `WAITERS` and `RESERVED` change only under the queue's mutex, so whoever holds the mutex and sees one of them set
//! knows that nobody moves past it. Taking a free lock is one compare-and-swap that keeps
//! `WAITERS`; letting go of a lock without flags is one compare-and-swap to zero. A missed attempt
//! sets `WAITERS` under the mutex, by a compare-and-swap that fails if the holder let go in the
//! meantime: so either the holder sees the flag and comes for the mutex, or the attempt sees the
//! lock free.
//!
//! `WAITERS` is cleared while a woken waiter is on its way, so that those who are quicker run at the speed of two
//! compare-and-swaps meanwhile; it is set again by the next who misses.
//!
//! The time in the word is the one that the holder passed; that saves a store, and a release needs
//! no clock: whether a waiter has waited too long is judged by when the holder took the lock past
//! it.
//!
//! A guard that is dropped by a panic lets go as any other: there is no poisoning, since the
//! process ends.
//!
//! Rejected: a queue lock that hands over on each release (each hand-over is a wake-up: 5 to 50 µs
//! instead of 0.1); a byte-sized lock with the time beside it (one more store per call, and two
//! words to read for a watcher).

use std::cell::UnsafeCell;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use super::claim::Claim;
use super::gate::Exclusive;
use super::queue::{Queue, Reservation, Wakes};
use super::sync::{AtomicU64, Mutex, MutexGuard, Ordering, Spin};
use super::{Queued, SLOW_NS, Token, Wake};

const LOCKED: u64 = 1;
const WAITERS: u64 = 2;
const RESERVED: u64 = 4;
const FLAGS: u64 = WAITERS | RESERVED;
const SINCE_SHIFT: u32 = 3;

/// One shard's data, and who may touch it. Two of them never share a cache line, nor a pair of
/// lines that is fetched together.
#[repr(C, align(128))]
pub struct ShardLock<T> {
    word: AtomicU64,
    value: UnsafeCell<T>,
    index: u32,
    queue: Mutex<Queue>,
    waker: Arc<dyn Wake>,
}

// SAFETY: `value` is reached only through a `Guard`, of which the lock bit allows one at a time, or
// by `&mut self`; the value moves between threads with the guard, so it must be `Send`.
unsafe impl<T: Send> Sync for ShardLock<T> {}

impl<T> ShardLock<T> {
    /// A free lock. `index` is its place in the slice that [`acquire_set`](super::acquire_set) is
    /// called with.
    pub fn new(index: u32, value: T, waker: Arc<dyn Wake>) -> Self {
        Self {
            word: AtomicU64::new(0),
            value: UnsafeCell::new(value),
            index,
            queue: Mutex::new(Queue::default()),
            waker,
        }
    }

    /// The data, without a lock: nobody else can reach it.
    pub fn value_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    /// The data, for good.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }

    /// Its place among the shards.
    pub fn index(&self) -> u32 {
        self.index
    }

    /// Takes the lock if it is free and kept for nobody. Never waits, never queues.
    #[inline]
    pub fn try_lock(&self, now: u64) -> Option<Guard<'_, T>> {
        let held = held_since(now);
        // Acquire pairs with the Release of whoever let go last.
        match self.word.compare_exchange(0, held, Ordering::Acquire, Ordering::Relaxed) {
            Ok(_) => Some(self.guard()),
            Err(word) => self.try_lock_flagged(word, held),
        }
    }

    /// Takes the lock, or leaves `token` waiting for it, after a spin of a few µs.
    ///
    /// For one shard; a claim that was queued by [`acquire_set`](super::acquire_set) goes on there.
    #[inline]
    pub fn acquire(
        &self,
        claim: &mut Claim,
        token: Token,
        now: u64,
    ) -> Result<Guard<'_, T>, Queued> {
        if claim.is_idle()
            && let Some(guard) = self.try_lock(now)
        {
            return Ok(guard);
        }
        self.acquire_slow(claim, token, now)
    }

    /// Takes the lock for the caller that is alone behind the gate, whoever it is kept for: they
    /// can't come.
    ///
    /// # Panics
    /// When it is held, because then somebody runs a call without being inside the gate.
    pub fn lock_alone(&self, _alone: &Exclusive<'_>, now: u64) -> Guard<'_, T> {
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            assert!(word & LOCKED == 0, "shards are held only by calls inside the gate");
            // Acquire pairs with the Release of whoever let go last.
            match self.word.compare_exchange(
                word,
                held_since(now) | word,
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => return self.guard(),
                Err(actual) => word = actual,
            }
        }
    }

    /// Since when it is held, by the time that its holder passed; `None` while it is free.
    #[inline]
    pub fn held_since(&self) -> Option<u64> {
        // Relaxed: a report, nothing is read on the strength of it.
        let word = self.word.load(Ordering::Relaxed);
        (word & LOCKED != 0).then_some(word >> SINCE_SHIFT)
    }

    /// Is it held by a slow call?
    pub(super) fn is_slow(&self, now: u64) -> bool {
        SLOW_NS <= now && self.held_since().is_some_and(|since| since <= now - SLOW_NS)
    }

    /// A look that decides whether another attempt is worth it.
    pub(super) fn looks_free(&self) -> bool {
        // Relaxed: the attempt decides.
        self.word.load(Ordering::Relaxed) & (LOCKED | RESERVED) == 0
    }

    /// One attempt of a claim that may stand at this shard already: `stands` says so.
    pub(super) fn attempt(
        &self,
        token: Token,
        ticket: Option<u64>,
        stands: bool,
        now: u64,
    ) -> Option<Guard<'_, T>> {
        if stands || ticket.is_some() {
            return self.take(&mut self.queue.lock(), token, ticket, now);
        }
        self.try_lock(now)
    }

    /// Takes the lock, or leaves `token` waiting: one or the other, with no gap between.
    #[cold]
    pub(super) fn take_or_wait(
        &self,
        token: Token,
        ticket: Option<u64>,
        now: u64,
    ) -> Option<Guard<'_, T>> {
        let mut queue = self.queue.lock();
        queue.unreserve(token);
        let guard = self.take(&mut queue, token, ticket, now);
        if guard.is_none() {
            queue.wait(token, now);
        }
        guard
    }

    /// Sets the shard aside for a call. Whoever holds it wakes the reservation when it lets go;
    /// nobody with a higher ticket takes it from now on.
    #[cold]
    pub(super) fn reserve(&self, reservation: Reservation, now: u64) {
        let mut queue = self.queue.lock();
        let token = reservation.token;
        if queue.reserve(reservation) {
            return self.pass_on(queue, now, Some(token));
        }
        // Relaxed: the flags guard nothing; whoever acts on them takes the mutex.
        self.word.fetch_or(FLAGS, Ordering::Relaxed);
    }

    /// The call that has reserved this shard holds it, with all that it needs.
    #[cold]
    pub(super) fn fulfil(&self, guard: &Guard<'_, T>, token: Token) {
        debug_assert!(std::ptr::eq(guard.lock, self));
        let mut queue = self.queue.lock();
        queue.leave(token);
        let word = self.word.load(Ordering::Relaxed);
        // Relaxed, and a plain store: the lock is held here and the mutex too, so nobody else
        // writes the word.
        self.word.store((word & !FLAGS) | held_flags(&queue), Ordering::Relaxed);
    }

    /// Nothing stands here for `token` any more; a wake-up, hand-off or reservation that it had
    /// passes on.
    #[cold]
    pub(super) fn leave(&self, token: Token, now: u64) {
        let mut queue = self.queue.lock();
        queue.leave(token);
        self.pass_on(queue, now, None);
    }

    /// Somebody gave up a place: if the lock is free, whoever is next is woken; if not, its holder
    /// will do that.
    fn pass_on(&self, mut queue: MutexGuard<'_, Queue>, now: u64, letting_go: Option<Token>) {
        let mut wakes = None;
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            let flags = if word & LOCKED != 0 {
                held_flags(&queue)
            } else {
                wakes.get_or_insert_with(|| queue.choose(now, letting_go));
                free_flags(&queue)
            };
            // Relaxed: it changes flags only. As a read-modify-write it carries on the release
            // sequence of whoever let go last, so that the next to take the lock still pairs with
            // that Release.
            match self.word.compare_exchange(
                word,
                (word & !FLAGS) | flags,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => break,
                Err(actual) => word = actual,
            }
        }
        drop(queue);
        for token in wakes.iter().flat_map(Wakes::tokens) {
            self.waker.wake(token);
        }
    }

    fn guard(&self) -> Guard<'_, T> {
        Guard { lock: self, value: PhantomData }
    }

    /// The second look of `try_lock`: free, but with a flag.
    #[inline]
    fn try_lock_flagged(&self, word: u64, held: u64) -> Option<Guard<'_, T>> {
        if word & (LOCKED | RESERVED) != 0 {
            return None;
        }
        // Acquire pairs with the Release of whoever let go last.
        self.word
            .compare_exchange(word, held | word, Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
            .then(|| self.guard())
    }

    #[cold]
    fn acquire_slow(
        &self,
        claim: &mut Claim,
        token: Token,
        now: u64,
    ) -> Result<Guard<'_, T>, Queued> {
        debug_assert!(claim.stands_only_at(self.index), "a set's claim goes on with its set");
        let stands = !claim.is_idle();
        let mut spin = Spin::new();
        while !self.is_slow(now) && spin.again() {
            if self.looks_free()
                && let Some(guard) = self.attempt(token, None, stands, now)
            {
                claim.finish();
                return Ok(guard);
            }
        }
        if let Some(guard) = self.take_or_wait(token, None, now) {
            claim.finish();
            return Ok(guard);
        }
        claim.waits_at(self.index, now);
        Err(Queued { retry_at: None })
    }

    /// Under the queue's mutex: takes the lock, or sets `WAITERS`, so that the holder comes for the
    /// mutex.
    #[cold]
    fn take(
        &self,
        queue: &mut Queue,
        token: Token,
        ticket: Option<u64>,
        now: u64,
    ) -> Option<Guard<'_, T>> {
        // A guess; the first compare-and-swap corrects it.
        let mut word = 0;
        loop {
            let takes = word & LOCKED == 0 && queue.admits(token, ticket, now);
            let wanted = if takes { held_since(now) | word } else { word | WAITERS };
            // Acquire pairs with the Release of whoever let go last. Even when nothing changes, it
            // proves that the word was not stale.
            match self.word.compare_exchange(word, wanted, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) if takes => break,
                Ok(_) => return None,
                Err(actual) => word = actual,
            }
        }
        queue.took(token);
        // Relaxed, and a plain store: the lock is held here and the mutex too, so nobody else
        // writes the word.
        self.word.store(held_since(now) | held_flags(queue), Ordering::Relaxed);
        Some(self.guard())
    }

    #[inline]
    fn release(&self, letting_go: Option<Token>) {
        // Relaxed: only flags can have changed since this thread took the lock, and the
        // compare-and-swap sees them.
        let word = self.word.load(Ordering::Relaxed);
        // Release pairs with the Acquire of whoever takes the lock next.
        if word & FLAGS != 0
            || self.word.compare_exchange(word, 0, Ordering::Release, Ordering::Relaxed).is_err()
        {
            self.release_slow(letting_go);
        }
    }

    #[cold]
    fn release_slow(&self, letting_go: Option<Token>) {
        let mut queue = self.queue.lock();
        let since = self.word.load(Ordering::Relaxed) >> SINCE_SHIFT;
        let wakes = queue.choose(since, letting_go);
        // Release pairs with the Acquire of whoever takes the lock next. A plain store: the lock is
        // held here and the mutex too, so nobody else writes the word.
        self.word.store(free_flags(&queue), Ordering::Release);
        drop(queue);
        for token in wakes.tokens() {
            self.waker.wake(token);
        }
    }
}

/// The right to the data of one shard; dropping it lets go and wakes whoever is next.
#[must_use = "a guard that isn't bound lets go at once"]
pub struct Guard<'l, T> {
    lock: &'l ShardLock<T>,
    /// As a mutable reference: shared between threads only if the data may be.
    value: PhantomData<&'l mut T>,
}

impl<T> Guard<'_, T> {
    /// The place of its shard.
    pub fn index(&self) -> u32 {
        self.lock.index
    }

    /// Lets go, without waking the caller's own reservation: it is about to wait for another shard.
    pub(super) fn let_go(self, token: Token) {
        self.lock.release(Some(token));
        std::mem::forget(self);
    }

    /// Clears the caller's reservation, now that it holds all.
    pub(super) fn fulfil(&self, token: Token) {
        self.lock.fulfil(self, token);
    }
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the guard's holder alone has the lock bit, and `&self` borrows the guard, so
        // nobody writes the value.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T> DerefMut for Guard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard's holder alone has the lock bit, and `&mut self` borrows the guard
        // exclusively.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T> Drop for Guard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.lock.release(None);
    }
}

fn held_since(now: u64) -> u64 {
    debug_assert!(now >> (u64::BITS - SINCE_SHIFT) == 0, "a clock runs 73 years from its start");
    now << SINCE_SHIFT | LOCKED
}

fn held_flags(queue: &Queue) -> u64 {
    if queue.is_empty() { 0 } else { WAITERS }
}

fn free_flags(queue: &Queue) -> u64 {
    let waiters = if queue.is_reserved() { WAITERS } else { 0 };
    let reserved = if queue.binds() { RESERVED } else { 0 };
    waiters | reserved
}
