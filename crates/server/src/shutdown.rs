//! The wish to end: asked for by a signal or a command, carried out by whoever started the server.

use crate::config::ShutdownWords;
use parking_lot::{Condvar, Mutex};

/// Where the wish to end is left.
#[derive(Default)]
pub struct Shutdown {
    wish: Mutex<Option<ShutdownWords>>,
    arrival: Condvar,
}

impl Shutdown {
    /// Asks for the end; `false` if somebody has done so before.
    pub fn request(&self, words: ShutdownWords) -> bool {
        let mut wish = self.wish.lock();
        let is_first = wish.is_none();
        wish.get_or_insert(words);
        self.arrival.notify_all();
        is_first
    }

    /// Whether the end was asked for.
    pub fn is_requested(&self) -> bool {
        self.wish.lock().is_some()
    }

    /// Waits until the end is asked for.
    pub fn wait(&self) -> ShutdownWords {
        let mut wish = self.wish.lock();
        loop {
            match *wish {
                Some(words) => return words,
                None => self.arrival.wait(&mut wish),
            }
        }
    }
}
