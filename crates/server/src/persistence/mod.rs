//! What is on disk: snapshots, and the append-only file.

pub mod append_only;
pub mod check;
pub mod check_append_only;
mod cut_writer;
pub mod load;
pub mod reload;
pub mod save;
pub mod saver;

use engine::Engine;
use engine::cut::Cut;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};

/// What is known of snapshots: what INFO and LASTSAVE show, and what save points go by.
pub struct Snapshots {
    /// When the last one was written, in Unix milliseconds; or the start.
    pub saved_ms: AtomicU64,
    /// How many were written.
    pub saves: AtomicU64,
    /// Changes that were counted when the last one was written.
    pub changes_at_save: AtomicU64,
    /// When the last was begun, in Unix milliseconds; 0: none was.
    pub tried_ms: AtomicU64,
    /// How long the last took, in seconds; -1: there was none.
    pub last_s: AtomicI64,
    /// The most memory that the copies of the last took.
    pub last_copies_bytes: AtomicU64,
    /// One is wanted as soon as it can be.
    pub is_scheduled: AtomicBool,
    /// The one that is being written.
    running: Mutex<Option<Arc<Cut>>>,
}

impl Snapshots {
    /// Nothing was written yet.
    pub fn new(now_ms: u64) -> Self {
        Self {
            saved_ms: AtomicU64::new(now_ms),
            saves: AtomicU64::new(0),
            changes_at_save: AtomicU64::new(0),
            tried_ms: AtomicU64::new(0),
            last_s: AtomicI64::new(-1),
            last_copies_bytes: AtomicU64::new(0),
            is_scheduled: AtomicBool::new(false),
            running: Mutex::new(None),
        }
    }

    /// The one that is being written, in the background.
    pub fn running(&self) -> Option<Arc<Cut>> {
        self.running.lock().clone()
    }

    /// One is being written from now on.
    pub fn begun(&self, cut: &Arc<Cut>) {
        self.tried_ms.store(cut.at_ms, Relaxed);
        self.is_scheduled.store(false, Relaxed);
        *self.running.lock() = Some(Arc::clone(cut));
    }

    /// One was written, with everything held or in the background.
    pub fn saved(&self, engine: &Engine, cut: &Cut) {
        engine.cuts.set_failed(false);
        self.saved_ms.store(engine.clock().wall_ms(), Relaxed);
        self.changes_at_save.store(cut.changes, Relaxed);
        self.saves.fetch_add(1, Relaxed);
    }

    /// One was written in the background, or could not be. Whoever says so first is believed.
    pub fn ended(&self, engine: &Engine, cut: &Arc<Cut>, is_whole: bool) -> bool {
        if !self.leave(cut) {
            return false;
        }
        let seconds = engine.clock().wall_ms().saturating_sub(cut.at_ms) / 1000;
        self.last_s.store(seconds as i64, Relaxed);
        self.last_copies_bytes.store(cut.old_bytes_peak() as u64, Relaxed);
        if is_whole {
            self.saved(engine, cut);
        } else {
            engine.cuts.set_failed(true);
        }
        true
    }

    /// One was given up on somebody's wish: that says nothing of the disk.
    pub fn cancelled(&self, cut: &Arc<Cut>) {
        self.leave(cut);
    }

    /// Whether this is the one that is being written; it is so no more.
    fn leave(&self, cut: &Arc<Cut>) -> bool {
        let mut running = self.running.lock();
        let is_it = running.as_ref().is_some_and(|running| Arc::ptr_eq(running, cut));
        if is_it {
            *running = None;
        }
        is_it
    }
}
