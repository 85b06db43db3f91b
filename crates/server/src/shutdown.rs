//! The wish to end: asked for by a signal or a command, carried out by whoever started the server. A last
//! snapshot is made before.

use crate::config::ShutdownWords;
use crate::host::ServerHost;
use crate::log;
use crate::persistence::save;
use engine::Engine;
use engine::data::Data;
use parking_lot::{Condvar, Mutex};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Where the wish to end is left.
#[derive(Default)]
pub struct Shutdown {
    wish: Mutex<Option<ShutdownWords>>,
    arrival: Condvar,
    /// A signal has asked for the end, and it is being prepared.
    is_prepared: AtomicBool,
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

    /// A signal asks for the end, which is to be prepared first; `false` if one has done so before.
    pub fn begin(&self) -> bool {
        !self.is_requested() && !self.is_prepared.swap(true, Relaxed)
    }

    /// It could not be prepared, so there is no end.
    pub fn give_up(&self) {
        self.is_prepared.store(false, Relaxed);
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

/// Makes the last snapshot, if one is to be made. The caller stands alone behind the gate. Says whether the
/// server may end.
pub fn prepare(
    engine: &Engine,
    data: &mut Data<'_>,
    host: &ServerHost,
    words: ShutdownWords,
) -> bool {
    // Half of the data must not take the place of all of it.
    if !saves(host, words) || engine.loading.is_on() {
        return true;
    }
    if let Some(cut) = host.snapshots.running() {
        log::warning(format_args!("Data is being saved in the background. Giving that up!"));
        engine.cuts.cancel(&cut);
    }
    log::notice(format_args!("Saving the final RDB snapshot before exiting."));
    match save::save_alone(engine, data, host) {
        Ok(()) => {
            log::notice(format_args!("DB saved on disk"));
            true
        }
        Err(reason) => {
            log::warning(format_args!("Write error saving DB on disk: {reason}"));
            let outcome =
                if words.force { "but it ends all the same, as asked" } else { "can't exit." };
            log::warning(format_args!("Error trying to save the DB, {outcome}"));
            words.force
        }
    }
}

/// Whether a last snapshot is to be made: as these words say, or else if there are save points.
pub fn saves(host: &ServerHost, words: ShutdownWords) -> bool {
    words.save || (!words.nosave && !host.settings().save.is_empty())
}
