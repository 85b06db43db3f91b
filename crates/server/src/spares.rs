//! Threads that wait for a loop to run.
//!
//! Every thread that runs loops is the same: it takes a loop's state from here, runs it until a slow call has cost it the
//! loop, and comes back. Threads are started when a loop needs one and none waits, up to a bound, and are kept.

use crate::worker::loop_state::LoopState;
use base::lock::Held;
use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;

/// The waiting threads and the loops that need one.
pub struct Spares {
    state: Mutex<State>,
    arrival: Condvar,
    threads_max: usize,
}

#[derive(Default)]
struct State {
    loops: VecDeque<Held<LoopState>>,
    waiting: usize,
    threads: usize,
    is_stopping: bool,
}

/// What giving a loop to the spare threads asks of the giver.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wanted {
    Nothing,
    /// Start the thread of this number: none waits.
    Thread(usize),
}

impl Spares {
    /// Without threads; at most `threads_max` will be started.
    pub fn new(threads_max: usize) -> Self {
        Self { state: Mutex::default(), arrival: Condvar::new(), threads_max }
    }

    /// Whether a loop that is given now finds a thread.
    pub fn has_room(&self) -> bool {
        let state = self.state.lock();
        state.loops.len() < state.waiting || state.threads < self.threads_max
    }

    /// Gives a loop to whichever thread comes first.
    #[must_use]
    pub fn give(&self, held: Held<LoopState>) -> Wanted {
        let mut state = self.state.lock();
        state.loops.push_back(held);
        if state.loops.len() <= state.waiting || state.threads == self.threads_max {
            self.arrival.notify_one();
            return Wanted::Nothing;
        }
        state.threads += 1;
        Wanted::Thread(state.threads - 1)
    }

    /// Waits for a loop to run; `None` when the server stops.
    pub fn wait(&self) -> Option<Held<LoopState>> {
        let mut state = self.state.lock();
        state.waiting += 1;
        let taken = loop {
            if let Some(held) = state.loops.pop_front() {
                break Some(held);
            }
            if state.is_stopping {
                break None;
            }
            self.arrival.wait(&mut state);
        };
        state.waiting -= 1;
        taken
    }

    /// Lets waiting threads end.
    pub fn stop(&self) {
        self.state.lock().is_stopping = true;
        self.arrival.notify_all();
    }
}
