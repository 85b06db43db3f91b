//! One stripe of the keyspace: a part of every numbered database.
//!
//! The caller picks a key's shard by the low bits of its hash and keeps each shard behind a lock.

use std::sync::Arc;

use base::hash::KeyedHash;

use super::database::Database;
use crate::layout::prefetch::PrefetchHint;

/// One stripe of all databases.
pub struct Shard {
    databases: Box<[Database]>,
    hash: Arc<KeyedHash>,
    newest_ms: u64,
}

impl Shard {
    /// An empty shard of `database_count` databases. Keys come hashed by `KeyedHash::new(seed)`.
    /// Database `db` keeps `hints[first_hint + db]` up to date.
    ///
    /// # Panics
    /// If there are too few hints.
    pub fn new(
        database_count: usize,
        hints: Arc<[PrefetchHint]>,
        first_hint: usize,
        seed: u64,
    ) -> Self {
        assert!(first_hint + database_count <= hints.len());
        let hash = Arc::new(KeyedHash::new(seed));
        let database = |db| Database::new(Arc::clone(&hash), Arc::clone(&hints), first_hint + db);
        let databases = (0..database_count).map(database).collect();
        Self { databases, hash, newest_ms: 0 }
    }

    /// The part of a database that is in this shard.
    #[inline]
    pub fn database(&mut self, db: usize) -> &mut Database {
        &mut self.databases[db]
    }

    /// Lets two databases change places.
    pub fn swap_databases(&mut self, one: usize, other: usize) {
        if one != other {
            self.databases.swap(one, other);
            let (low, high) = (one.min(other), one.max(other));
            let (head, tail) = self.databases.split_at_mut(high);
            head[low].swap_hint(&mut tail[0]);
        }
    }

    /// Takes a database away as a whole and leaves an empty one, in constant time; the caller
    /// frees it where it likes.
    pub fn take_database(&mut self, db: usize) -> Database {
        let empty = self.databases[db].new_empty(Arc::clone(&self.hash));
        let mut taken = std::mem::replace(&mut self.databases[db], empty);
        taken.detach_hint();
        taken
    }

    /// Notes a time and returns it, or the newest that was noted if that is later: time does not
    /// go back for a shard.
    #[inline]
    pub fn observe_ms(&mut self, now_ms: u64) -> u64 {
        self.newest_ms = self.newest_ms.max(now_ms);
        self.newest_ms
    }

    /// The part of a database that is in this shard, to look at.
    #[inline]
    pub fn database_ref(&self, db: usize) -> &Database {
        &self.databases[db]
    }

    /// How many databases there are.
    pub fn database_count(&self) -> usize {
        self.databases.len()
    }

    /// Bytes that tables and indices take, entries not included.
    pub fn memory_bytes(&self) -> usize {
        self.databases.iter().map(Database::memory_bytes).sum()
    }
}
