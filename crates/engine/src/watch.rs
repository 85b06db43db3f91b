//! WATCH: who must be told that a key changed. Lives in the key's shard, under its lock.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Raised when a key that a session watches has changed.
///
/// Written and read under the lock of the key's shard (EXEC holds the shards of its watched keys),
/// so relaxed order is enough.
#[derive(Default, Debug)]
pub struct WatchFlag(AtomicBool);

impl WatchFlag {
    /// Marks the watching session's transaction as lost.
    pub fn raise(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether a watched key has changed.
    pub fn is_raised(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// One key that a session watches.
#[derive(Debug)]
pub struct WatchedKey {
    pub db: usize,
    pub key: Box<[u8]>,
    pub hash: u64,
}

/// The watchers of one shard's keys.
#[derive(Default)]
pub struct WatchTable {
    keys: HashMap<(usize, Box<[u8]>), Vec<Watcher>>,
}

struct Watcher {
    flag: Arc<WatchFlag>,
    /// The key was past its deadline already when WATCH saw it: its removal changes nothing.
    saw_expired: bool,
}

impl WatchTable {
    /// Watches `key`; a second time is the same as once.
    pub fn add(&mut self, db: usize, key: &[u8], flag: &Arc<WatchFlag>, saw_expired: bool) {
        let watchers = self.keys.entry((db, key.into())).or_default();
        if !watchers.iter().any(|w| Arc::ptr_eq(&w.flag, flag)) {
            watchers.push(Watcher { flag: Arc::clone(flag), saw_expired });
        }
    }

    /// Ends one session's watch of `key`.
    pub fn remove(&mut self, watched: &WatchedKey, flag: &Arc<WatchFlag>) {
        let place = (watched.db, watched.key.clone());
        let Some(watchers) = self.keys.get_mut(&place) else { return };
        watchers.retain(|w| !Arc::ptr_eq(&w.flag, flag));
        if watchers.is_empty() {
            self.keys.remove(&place);
        }
    }

    /// `key` has changed.
    pub fn changed(&mut self, db: usize, key: &[u8]) {
        if self.keys.is_empty() {
            return;
        }
        for watcher in self.keys.get(&(db, key.into())).into_iter().flatten() {
            watcher.flag.raise();
        }
    }

    /// `key` was removed because its deadline has passed.
    pub fn expired(&mut self, db: usize, key: &[u8]) {
        if self.keys.is_empty() {
            return;
        }
        for watcher in self.keys.get_mut(&(db, key.into())).into_iter().flatten() {
            if !std::mem::take(&mut watcher.saw_expired) {
                watcher.flag.raise();
            }
        }
    }

    /// Everything in `db` is about to change: raises the flags of those keys for which `changes`
    /// says so.
    pub fn database_changed(&self, db: usize, mut changes: impl FnMut(&[u8]) -> bool) {
        for ((_, key), watchers) in self.keys.iter().filter(|((d, _), _)| *d == db) {
            if changes(key) {
                watchers.iter().for_each(|w| w.flag.raise());
            }
        }
    }

    /// Number of watched keys.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether nobody watches anything here.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}
