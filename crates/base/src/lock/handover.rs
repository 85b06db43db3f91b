//! The hand-over: a loop's state, parked on its own cache line while its thread runs a call that may turn out slow.
//!
//! Problem. A thread that runs a slow call can't run its event loop, and every connection of that
//! loop would wait.
//!
//! Idea. A loop is not a thread. Before a thread runs a call it parks everything else that the loop
//! consists of here, and takes it back afterwards. A watcher that sees the same parking stand for
//! too long takes it instead and gives it to a spare thread, which goes on with the loop; the slow
//! thread finds its parking gone. One word decides who has it:
//!
//! ```text
//!  63                       1    0
//! ┌──────────────────────────┬────────┐
//! │ number of the parking    │ PARKED │
//! └──────────────────────────┴────────┘
//! ```
//!
//! Each parking has its own number, so that neither a late watcher nor a slow thread, whose loop
//! has been parked again by another, takes a parking that it doesn't mean.
//!
//! There is exactly one [`Held`] for each hand-over, and only it can be parked there: so parking
//! needs no compare-and-swap.
//!
//! Cost. A load and three stores to park, one compare-and-swap to take back.

use std::cell::UnsafeCell;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::AtomicU64 as PlainAtomicU64;

use super::sync::{AtomicU64, Ordering};

const PARKED: u64 = 1;

/// The number of the next hand-over; not modelled by loom, since it only tells them apart.
static NEXT_ID: PlainAtomicU64 = PlainAtomicU64::new(0);

/// The place where one loop's state is parked.
#[repr(C, align(128))]
pub struct Handover<T> {
    /// The parking's number, and whether it stands.
    word: AtomicU64,
    parked_since: AtomicU64,
    state: UnsafeCell<Option<Box<T>>>,
    id: u64,
}

// SAFETY: `state` is touched only by the one who parks (there is one `Held`) and by the one whose
// compare-and-swap ended the parking. What it holds moves between threads, so it must be `Send`.
unsafe impl<T: Send> Sync for Handover<T> {}

/// A loop's state in the hands of the thread that runs it: the only one for its [`Handover`].
pub struct Held<T> {
    state: Box<T>,
    home: u64,
}

impl<T: Send> Handover<T> {
    /// A place with nothing parked, and the state that belongs there.
    pub fn new(state: Box<T>) -> (Self, Held<T>) {
        // Relaxed: a counter.
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        let place = Self {
            word: AtomicU64::new(0),
            parked_since: AtomicU64::new(0),
            state: UnsafeCell::new(None),
            id,
        };
        (place, Held { state, home: id })
    }

    /// Parks the state and returns the number of the parking, to take it back with.
    ///
    /// # Panics
    /// When the state belongs to another place.
    #[inline]
    pub fn park(&self, held: Held<T>, now: u64) -> u64 {
        assert!(held.home == self.id, "a loop is parked at its own place");
        // Relaxed: this thread has the state, so it ended the last parking or was handed the state
        // by who did.
        let sequence = (self.word.load(Ordering::Relaxed) >> 1) + 1;
        // Release pairs with the Acquire in `observe`: whoever sees this time sees that the last
        // parking has ended.
        self.parked_since.store(now, Ordering::Release);
        // SAFETY: nothing is parked while the only `Held` of this place is in our hands, so nobody
        // else reads or writes the cell until the store below.
        unsafe { *self.state.get() = Some(held.state) };
        // Release pairs with the Acquire in `take`: whoever ends the parking sees the state.
        self.word.store(sequence << 1 | PARKED, Ordering::Release);
        sequence
    }

    /// Takes the state back after the call, unless it was stolen.
    #[inline]
    pub fn reclaim(&self, sequence: u64) -> Option<Held<T>> {
        self.take(sequence)
    }

    /// Takes the state from a thread that has run one call for too long, if the parking that was
    /// observed still stands.
    pub fn steal(&self, sequence: u64) -> Option<Held<T>> {
        self.take(sequence)
    }

    /// The number of the parking that stands, and since when.
    pub fn observe(&self) -> Option<(u64, u64)> {
        // Acquire pairs with the Release in `park`: the time is not that of an earlier parking.
        let word = self.word.load(Ordering::Acquire);
        // Acquire pairs with the Release in `park`: if this is the time of a later parking, the
        // word has changed below.
        let since = self.parked_since.load(Ordering::Acquire);
        let stands = word & PARKED != 0 && self.word.load(Ordering::Relaxed) == word;
        stands.then_some((word >> 1, since))
    }

    #[inline]
    fn take(&self, sequence: u64) -> Option<Held<T>> {
        let parked = sequence << 1 | PARKED;
        // Acquire pairs with the Release of `park`. Nothing needs a Release: the next to park has
        // the state from us.
        self.word
            .compare_exchange(parked, sequence << 1, Ordering::Acquire, Ordering::Relaxed)
            .ok()?;
        // SAFETY: the compare-and-swap above ended this parking, which only one can do; the cell is
        // written again only by who has the state that is taken out here.
        let state = unsafe { (*self.state.get()).take() };
        let state = state.expect("a parking that stands has a state");
        Some(Held { state, home: self.id })
    }
}

impl<T> Deref for Held<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.state
    }
}

impl<T> DerefMut for Held<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.state
    }
}
