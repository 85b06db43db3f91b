//! The gate: every executing thread marks itself inside once per batch; an exclusive caller shuts all of them out.
//!
//! Problem. Some calls touch everything (FLUSHALL, a script that may touch anything, the cut).
//! Taking every shard lock costs hundreds of compare-and-swaps and meets every slow call one by
//! one.
//!
//! Idea. Each thread has a slot on its own cache line, and a slot is a tiny lock:
//!
//! ```text
//!  63                     4    3         2         1        0
//! ┌────────────────────────┬─────────┬─────────┬────────┬────────┐
//! │ inside since (ns)      │ REFUSED │ WATCHED │ CLOSED │ INSIDE │
//! └────────────────────────┴─────────┴─────────┴────────┴────────┘
//! ```
//!
//! Entering is one compare-and-swap from 0, leaving is one back to 0; both stay on the thread's own
//! line. The exclusive caller sets `CLOSED` in every slot, and nobody enters a slot with that bit;
//! when no slot has `INSIDE` any more, the caller is alone. Since both sides change the same word,
//! each slot settles on its own who was first: no fence, no shared flag on the way in.
//!
//! A thread that leaves and finds `CLOSED` or `WATCHED` takes the door's mutex and wakes the
//! exclusive caller if it was the last. `WATCHED` is set in the slot of a slow thread (inside for
//! [`SLOW_NS`]) when a caller would not close the gate because of it: closing would hold everybody
//! up for as long as the slow one takes. If one becomes slow after the gate was closed, the caller
//! comes back at `retry_at` and opens it again. A caller that insists closes it all the same.
//!
//! Order among exclusive callers: as at the shard lock. Opening wakes the entrants and the first
//! waiting caller, and keeps nothing for it; only when that one has waited [`SLOW_NS`] do newcomers
//! queue behind it (for as long as it may be expected to come).
//!
//! Entrants, too, may be beaten to the open gate again and again, by a crowd of exclusive callers.
//! `REFUSED` is set in the slot of a thread that found the gate closed, and sends its next entering
//! to the mutex. When it has been refused for [`SLOW_NS`], no exclusive caller closes the gate
//! until it has entered, or has let [`SLOW_NS`] pass without coming.
//!
//! All bits but `INSIDE` change only under the mutex.
//!
//! Whoever is exclusive may take shard locks in the ordinary way: they are all free, since they are
//! held only by calls inside, and nobody can miss one while alone. (A reservation or hand-off may
//! stand; a call alone should not mind it, see [`Exclusive`].)
//!
//! Cost. 10 ns for entering and leaving; two atomic operations per slot for closing and opening.
//!
//! Rejected: a mark, a full fence and a look at one shared flag (twice the time, and leaving needs
//! the fence too); a reader-writer lock (its counter is one line that all threads write).

use std::collections::VecDeque;
use std::sync::Arc;

use super::sync::{AtomicU64, Mutex, Ordering, Spin};
use super::{Queued, SLOW_NS, Token, Wake};

const INSIDE: u64 = 1;
const CLOSED: u64 = 2;
const WATCHED: u64 = 4;
const REFUSED: u64 = 8;
const SINCE_SHIFT: u32 = 4;

/// Everybody's way in, and the exclusive caller's way to be alone.
pub struct Gate {
    slots: Box<[Slot]>,
    door: Mutex<Door>,
    waker: Arc<dyn Wake>,
}

#[repr(align(128))]
struct Slot {
    word: AtomicU64,
}

struct Door {
    phase: Phase,
    /// Exclusive callers that wait for their turn, in order of arrival.
    closers: VecDeque<Closer>,
    /// Those who found the gate closed.
    entrants: Vec<Token>,
    /// Since when each slot's thread finds the gate closed, until it enters.
    refused_since: Box<[Option<u64>]>,
    /// Since when the open gate is kept open for those who were refused for too long.
    kept_open_since: Option<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Open,
    /// Nobody enters; the caller waits until those inside have left.
    Closing {
        closer: Token,
        /// It was told that it is queued, so the last to leave wakes it.
        sleeps: bool,
    },
    /// The caller is alone, since then.
    Held {
        since: u64,
    },
}

/// Is this the attempt after which the caller sleeps?
#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    No,
    Yes,
}

struct Closer {
    token: Token,
    since: u64,
    /// When it was told that the gate is open, unless it has come since.
    woken_at: Option<u64>,
}

/// One exclusive call's attempts, kept while it is suspended. Unless it is idle it must be
/// attempted again or [withdrawn](Gate::withdraw).
#[derive(Default, Debug)]
pub struct GateClaim {
    since: Option<u64>,
}

impl GateClaim {
    /// When the call first found the gate taken, if it waits: for the decision to insist.
    pub fn waiting_since(&self) -> Option<u64> {
        self.since
    }

    /// Does nothing stand for it at the gate?
    pub fn is_idle(&self) -> bool {
        self.since.is_none()
    }
}

impl Gate {
    /// An open gate for threads numbered from 0 to `slots`; each number is used by one thread at a
    /// time.
    pub fn new(slots: usize, waker: Arc<dyn Wake>) -> Self {
        let door = Door {
            phase: Phase::Open,
            closers: VecDeque::new(),
            entrants: Vec::new(),
            refused_since: vec![None; slots].into_boxed_slice(),
            kept_open_since: None,
        };
        Self {
            slots: (0..slots).map(|_| Slot { word: AtomicU64::new(0) }).collect(),
            door: Mutex::new(door),
            waker,
        }
    }

    /// Marks the thread of `slot` inside, or leaves `token` to be woken when the gate opens. Once
    /// per batch.
    ///
    /// # Panics
    /// When there is no such slot.
    #[inline]
    pub fn enter(&self, slot: usize, token: Token, now: u64) -> Result<Inside<'_>, Queued> {
        let word = &self.slots[slot].word;
        // Acquire pairs with the Release in `open`: what the exclusive caller did is seen.
        match word.compare_exchange(0, mark(now), Ordering::Acquire, Ordering::Relaxed) {
            Ok(_) => Ok(Inside { gate: self, slot }),
            Err(_) => self.enter_slow(slot, token, now),
        }
    }

    /// Shuts everybody out and waits, suspended, until nobody is inside. The caller must not be
    /// inside itself: it lets go of its own [`Inside`] first.
    ///
    /// The gate stays open while somebody inside is slow, unless the caller `insists`.
    pub fn close(
        &self,
        claim: &mut GateClaim,
        token: Token,
        now: u64,
        insists: bool,
    ) -> Result<Exclusive<'_>, Queued> {
        let mut spin = Spin::new();
        loop {
            // Whoever is in the way may be about to be done.
            if let Ok(exclusive) = self.try_close(claim, token, now, insists, Last::No) {
                return Ok(exclusive);
            }
            if self.is_slow(now) || !spin.again() {
                return self.try_close(claim, token, now, insists, Last::Yes);
            }
        }
    }

    /// The exclusive caller is gone: the gate opens if it was closing it, and whoever is next goes
    /// on.
    pub fn withdraw(&self, claim: &mut GateClaim, token: Token) {
        let Some(now) = claim.since.take() else { return };
        let mut door = self.door.lock();
        door.closers.retain(|closer| closer.token != token);
        let wakes = match door.phase {
            Phase::Closing { closer, .. } if closer == token => self.open(&mut door, now),
            Phase::Open => door.next_closer(now).into_iter().collect(),
            Phase::Closing { .. } | Phase::Held { .. } => Vec::new(),
        };
        drop(door);
        self.wake_all(wakes);
    }

    /// Is somebody alone inside, or about to be?
    pub fn is_closed(&self) -> bool {
        // Relaxed: a report.
        self.slots.first().is_some_and(|slot| slot.word.load(Ordering::Relaxed) & CLOSED != 0)
    }

    #[cold]
    fn enter_slow(&self, slot: usize, token: Token, now: u64) -> Result<Inside<'_>, Queued> {
        let word = &self.slots[slot].word;
        let mut spin = Spin::new();
        // Relaxed: the compare-and-swap decides.
        while word.load(Ordering::Relaxed) & CLOSED != 0 && spin.again() {}
        let mut door = self.door.lock();
        let found = word.load(Ordering::Relaxed);
        assert!(found & INSIDE == 0, "a slot belongs to one thread, which enters it once");
        if found & CLOSED != 0 && !door.is_closing(token) {
            // The bit changes only under the mutex, so whoever opens the gate finds this token.
            door.entrants.push(token);
            door.refused_since[slot].get_or_insert(now);
            word.fetch_or(REFUSED, Ordering::Relaxed);
            return Err(Queued { retry_at: None });
        }
        // A plain store: the slot is this thread's, and the other bits change only under the mutex,
        // by which what the exclusive caller did is seen.
        word.store(mark(now) | found & CLOSED, Ordering::Relaxed);
        door.refused_since[slot] = None;
        let wake = if found & CLOSED == 0 { door.goes_on(now) } else { None };
        drop(door);
        self.wake_all(wake);
        Ok(Inside { gate: self, slot })
    }

    #[inline]
    fn leave(&self, slot: usize) {
        let word = &self.slots[slot].word;
        // Relaxed: only flags can have changed since this thread entered, and the compare-and-swap
        // sees them.
        let mark = word.load(Ordering::Relaxed);
        // Release pairs with the Acquire of `is_clear`: what was done inside is seen by the
        // exclusive caller.
        if mark & (CLOSED | WATCHED) != 0
            || word.compare_exchange(mark, 0, Ordering::Release, Ordering::Relaxed).is_err()
        {
            self.leave_slow(slot);
        }
    }

    #[cold]
    fn leave_slow(&self, slot: usize) {
        let mut door = self.door.lock();
        let word = &self.slots[slot].word;
        let mark = word.load(Ordering::Relaxed);
        debug_assert!(mark & REFUSED == 0);
        // Release pairs with the Acquire of `is_clear`. A plain store: this thread owns the mark,
        // and the flags change only under the mutex.
        word.store(mark & CLOSED, Ordering::Release);
        let wake = match door.phase {
            Phase::Closing { closer, sleeps: true } if self.is_clear() => Some(closer),
            Phase::Open if mark & WATCHED != 0 => door.next_closer(mark >> SINCE_SHIFT),
            Phase::Open | Phase::Closing { .. } | Phase::Held { .. } => None,
        };
        drop(door);
        self.wake_all(wake);
    }

    fn try_close(
        &self,
        claim: &mut GateClaim,
        token: Token,
        now: u64,
        insists: bool,
        last: Last,
    ) -> Result<Exclusive<'_>, Queued> {
        let mut door = self.door.lock();
        let mut retry_at = None;
        let mut wakes = Vec::new();
        if door.phase == Phase::Open {
            if door.keeps_open(now) {
                retry_at = door.kept_open_since.map(|since| since.saturating_add(SLOW_NS));
            } else if door.admits(token, now) && (insists || !self.watch_slow(now)) {
                self.shut(&mut door, token);
            }
        }
        if let Phase::Closing { closer, sleeps } = &mut door.phase
            && *closer == token
        {
            if self.is_clear() {
                door.closers.retain(|closer| closer.token != token);
                door.phase = Phase::Held { since: now };
                *claim = GateClaim::default();
                return Ok(Exclusive { gate: self });
            }
            if !insists && self.watch_slow(now) {
                wakes = self.open(&mut door, now);
                wakes.retain(|woken| *woken != token);
            } else {
                *sleeps = last == Last::Yes;
                retry_at = (!insists).then(|| now.saturating_add(SLOW_NS));
            }
        }
        if last == Last::Yes || !claim.is_idle() {
            door.wait(claim, token, now);
        }
        drop(door);
        self.wake_all(wakes);
        Err(Queued { retry_at })
    }

    /// Under the mutex: nobody enters any more.
    fn shut(&self, door: &mut Door, closer: Token) {
        door.phase = Phase::Closing { closer, sleeps: false };
        for slot in &self.slots {
            // Relaxed: `is_clear` orders what was done inside before.
            slot.word.fetch_or(CLOSED, Ordering::Relaxed);
        }
    }

    /// Under the mutex, by the one who closed it: everybody may enter. Returns whom to wake.
    #[must_use]
    fn open(&self, door: &mut Door, now: u64) -> Vec<Token> {
        door.phase = Phase::Open;
        for slot in &self.slots {
            // Release pairs with the Acquire of `enter`.
            slot.word.fetch_and(!CLOSED, Ordering::Release);
        }
        let mut wakes = std::mem::take(&mut door.entrants);
        wakes.extend(door.next_closer(now));
        wakes
    }

    fn is_clear(&self) -> bool {
        // Acquire pairs with the Release of `leave`.
        self.slots.iter().all(|slot| slot.word.load(Ordering::Acquire) & INSIDE == 0)
    }

    fn is_slow(&self, now: u64) -> bool {
        // Relaxed: a hint.
        self.slots.iter().any(|slot| is_slow(slot.word.load(Ordering::Relaxed), now))
    }

    /// Under the mutex: is somebody inside slow? Those who are will wake the first exclusive caller
    /// when they leave.
    fn watch_slow(&self, now: u64) -> bool {
        let mut found = false;
        for slot in &self.slots {
            let mut word = slot.word.load(Ordering::Relaxed);
            while is_slow(word, now) {
                // Relaxed: the flag guards nothing; whoever acts on it takes the mutex.
                match slot.word.compare_exchange(
                    word,
                    word | WATCHED,
                    Ordering::Relaxed,
                    Ordering::Relaxed,
                ) {
                    Ok(_) => {
                        found = true;
                        break;
                    }
                    Err(actual) => word = actual,
                }
            }
        }
        found
    }

    #[cold]
    fn wake_all(&self, tokens: impl IntoIterator<Item = Token>) {
        for token in tokens {
            self.waker.wake(token);
        }
    }
}

impl Door {
    /// May `token` close the open gate? Not past one who has waited too long, if that one may be
    /// expected to come.
    fn admits(&self, token: Token, now: u64) -> bool {
        let Some(first) = self.closers.front() else { return true };
        first.token == token
            || now.saturating_sub(first.since) < SLOW_NS
            || first.woken_at.is_none_or(|woken_at| SLOW_NS <= now.saturating_sub(woken_at))
    }

    /// Is it `token` that shuts the others out, and has come back? It need not be woken then.
    fn is_closing(&mut self, token: Token) -> bool {
        match &mut self.phase {
            Phase::Closing { closer, sleeps } if *closer == token => {
                *sleeps = false;
                true
            }
            Phase::Open | Phase::Closing { .. } | Phase::Held { .. } => false,
        }
    }

    /// Must the gate stay open for threads that were refused for too long? They lose that right
    /// when they let too much time pass.
    fn keeps_open(&mut self, now: u64) -> bool {
        let is_due =
            |since: &Option<u64>| since.is_some_and(|since| SLOW_NS <= now.saturating_sub(since));
        if !self.refused_since.iter().any(is_due) {
            self.kept_open_since = None;
            return false;
        }
        let since = *self.kept_open_since.get_or_insert(now);
        if now.saturating_sub(since) < SLOW_NS {
            return true;
        }
        self.kept_open_since = None;
        for since in self.refused_since.iter_mut().filter(|since| is_due(since)) {
            *since = None;
        }
        false
    }

    /// A refused thread has entered: if it was the last for which the gate was kept open, whoever
    /// is next to close it goes on.
    fn goes_on(&mut self, now: u64) -> Option<Token> {
        let is_over = self.kept_open_since.is_some() && !self.keeps_open(now);
        is_over.then(|| self.next_closer(now)).flatten()
    }

    /// `token` waits for its turn, at its old place if it has one.
    fn wait(&mut self, claim: &mut GateClaim, token: Token, now: u64) {
        if claim.since.replace(claim.since.unwrap_or(now)).is_none() {
            self.closers.push_back(Closer { token, since: now, woken_at: None });
        } else if let Some(closer) = self.closers.iter_mut().find(|closer| closer.token == token) {
            closer.woken_at = None;
        }
    }

    /// The gate is open: the first exclusive caller should attempt again, unless one is on its way.
    fn next_closer(&mut self, now: u64) -> Option<Token> {
        for closer in &mut self.closers {
            match closer.woken_at {
                Some(woken_at) if now.saturating_sub(woken_at) < SLOW_NS => return None,
                Some(_) => {}
                None => {
                    closer.woken_at = Some(now);
                    return Some(closer.token);
                }
            }
        }
        None
    }
}

/// A thread's mark; dropping it leaves.
#[must_use = "a mark that isn't bound is left at once"]
pub struct Inside<'g> {
    gate: &'g Gate,
    slot: usize,
}

impl Drop for Inside<'_> {
    #[inline]
    fn drop(&mut self) {
        self.gate.leave(self.slot);
    }
}

/// The caller is alone; dropping it opens the gate and wakes everybody who waits for it.
///
/// Every shard lock is free while this stands. One may still be reserved for, or handed to, a call
/// that waits outside: insisting callers take it by
/// [`ShardLock::lock_alone`](super::ShardLock::lock_alone), which doesn't ask.
#[must_use = "a gate that isn't held opens at once"]
pub struct Exclusive<'g> {
    gate: &'g Gate,
}

impl Drop for Exclusive<'_> {
    fn drop(&mut self) {
        let mut door = self.gate.door.lock();
        let Phase::Held { since } = door.phase else {
            unreachable!("the phase changes only by the one who holds the gate")
        };
        let wakes = self.gate.open(&mut door, since);
        drop(door);
        self.gate.wake_all(wakes);
    }
}

fn mark(now: u64) -> u64 {
    debug_assert!(now >> (u64::BITS - SINCE_SHIFT) == 0, "a clock runs 36 years from its start");
    now << SINCE_SHIFT | INSIDE
}

fn is_slow(word: u64, now: u64) -> bool {
    word & INSIDE != 0 && SLOW_NS <= now.saturating_sub(word >> SINCE_SHIFT)
}
