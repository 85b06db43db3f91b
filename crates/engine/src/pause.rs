//! CLIENT PAUSE: whose calls wait, until when, and who is to be woken then.

use base::lock::Token;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicU8, Ordering};

/// Which calls wait.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Paused {
    Nothing = 0,
    Writes = 1,
    Everything = 2,
}

/// The pause of a server. Changed only behind the gate, so that its reply comes after every call
/// that it did not hold.
#[derive(Default)]
pub struct Pause {
    paused: AtomicU8,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    until_ms: u64,
    waiting: Vec<Token>,
}

impl Pause {
    /// What is paused now (the deadline is checked by [`Pause::end_if_due`]).
    #[inline]
    pub fn paused(&self) -> Paused {
        match self.paused.load(Ordering::Acquire) {
            0 => Paused::Nothing,
            1 => Paused::Writes,
            _ => Paused::Everything,
        }
    }

    /// Pauses until `until_ms`; a pause that stands is never made shorter or weaker.
    pub fn begin(&self, paused: Paused, until_ms: u64) {
        let mut state = self.state.lock();
        state.until_ms = state.until_ms.max(until_ms);
        // Pairs with the acquire in `paused`.
        self.paused.fetch_max(paused as u8, Ordering::Release);
    }

    /// Ends the pause; the caller wakes those who waited.
    #[must_use]
    pub fn end(&self) -> Vec<Token> {
        let mut state = self.state.lock();
        state.until_ms = 0;
        self.paused.store(0, Ordering::Release);
        std::mem::take(&mut state.waiting)
    }

    /// Ends the pause if its time has come.
    #[must_use]
    pub fn end_if_due(&self, now_ms: u64) -> Vec<Token> {
        if self.paused() == Paused::Nothing || now_ms < self.state.lock().until_ms {
            return Vec::new();
        }
        self.end()
    }

    /// Notes who waits. `false` if the pause has ended meanwhile.
    pub fn wait(&self, token: Token) -> bool {
        let mut state = self.state.lock();
        let is_paused = self.paused() != Paused::Nothing;
        if is_paused && !state.waiting.contains(&token) {
            state.waiting.push(token);
        }
        is_paused
    }

    /// Milliseconds that remain.
    pub fn remaining_ms(&self, now_ms: u64) -> u64 {
        self.state.lock().until_ms.saturating_sub(now_ms)
    }
}
