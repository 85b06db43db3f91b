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
///
/// The map is by key alone, so that a change can look it up without a copy of the key; the few
/// watchers of the same key in other databases are passed over.
#[derive(Default)]
pub struct WatchTable {
    keys: HashMap<Box<[u8]>, Vec<Watcher>>,
}

struct Watcher {
    db: usize,
    flag: Arc<WatchFlag>,
}

impl WatchTable {
    /// Watches `key`; a second time is the same as once.
    pub fn add(&mut self, db: usize, key: &[u8], flag: &Arc<WatchFlag>) {
        let watchers = self.keys.entry(key.into()).or_default();
        if !watchers.iter().any(|w| w.is(db, flag)) {
            watchers.push(Watcher { db, flag: Arc::clone(flag) });
        }
    }

    /// Ends one session's watch of `key`.
    pub fn remove(&mut self, watched: &WatchedKey, flag: &Arc<WatchFlag>) {
        let Some(watchers) = self.keys.get_mut(&watched.key) else { return };
        watchers.retain(|w| !w.is(watched.db, flag));
        if watchers.is_empty() {
            self.keys.remove(&watched.key);
        }
    }

    /// `key` has changed, or was removed because its deadline has passed.
    #[inline]
    pub fn changed(&mut self, db: usize, key: &[u8]) {
        if !self.keys.is_empty() {
            self.raise(db, key);
        }
    }

    /// Everything in `db` is about to change: raises the flags of those keys for which `changes`
    /// says so.
    pub fn database_changed(&self, db: usize, mut changes: impl FnMut(&[u8]) -> bool) {
        for (key, watchers) in &self.keys {
            if watchers.iter().any(|w| w.db == db) && changes(key) {
                watchers.iter().filter(|w| w.db == db).for_each(|w| w.flag.raise());
            }
        }
    }

    /// Number of watched keys, whatever their database.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether nobody watches anything here.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    #[cold]
    fn raise(&self, db: usize, key: &[u8]) {
        let watchers = self.keys.get(key).into_iter().flatten();
        watchers.filter(|w| w.db == db).for_each(|w| w.flag.raise());
    }
}

impl Watcher {
    fn is(&self, db: usize, flag: &Arc<WatchFlag>) -> bool {
        self.db == db && Arc::ptr_eq(&self.flag, flag)
    }
}
