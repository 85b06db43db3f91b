//! What is on disk: snapshots, and the append-only file.

pub mod append_only;
pub mod check;
pub mod load;
pub mod save;

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What INFO and LASTSAVE show of snapshots.
#[derive(Debug)]
pub struct Snapshots {
    /// When the last one was written, in Unix milliseconds; or the start.
    pub saved_ms: AtomicU64,
    /// How many were written.
    pub saves: AtomicU64,
    /// Changes that were counted when the last one was written.
    pub changes_at_save: AtomicU64,
}

impl Snapshots {
    /// Nothing was written yet.
    pub fn new(now_ms: u64) -> Self {
        Self {
            saved_ms: AtomicU64::new(now_ms),
            saves: AtomicU64::new(0),
            changes_at_save: AtomicU64::new(0),
        }
    }

    /// One was written, with all of so many changes.
    pub fn saved(&self, now_ms: u64, changes: u64) {
        self.saved_ms.store(now_ms, Relaxed);
        self.changes_at_save.store(changes, Relaxed);
        self.saves.fetch_add(1, Relaxed);
    }
}
