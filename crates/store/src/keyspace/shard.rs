//! One stripe of the keyspace: a part of every numbered database.
//!
//! The caller picks a key's shard by the low bits of its hash and keeps each shard behind a lock.

use std::sync::Arc;

use base::hash::KeyedHash;

use super::cut::{Fetched, OldForms};
use super::database::Database;
use crate::layout::prefetch::PrefetchHint;

/// One stripe of all databases.
pub struct Shard {
    databases: Box<[Database]>,
    hash: Arc<KeyedHash>,
    newest_ms: u64,
    /// Databases that were taken away and still owe something to a cut.
    flushed: Vec<Database>,
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
        Self { databases, hash, newest_ms: 0, flushed: Vec::new() }
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
    /// frees it where it likes. One that belongs to a cut is left to [`Shard::take_flushed`].
    pub fn take_database(&mut self, db: usize) -> Option<Database> {
        let empty = self.databases[db].new_empty(Arc::clone(&self.hash));
        let mut taken = std::mem::replace(&mut self.databases[db], empty);
        taken.detach_hint();
        if taken.owes() {
            self.flushed.push(taken);
            return None;
        }
        Some(taken)
    }

    /// Puts a database back that was taken away. What was there since must be empty.
    ///
    /// # Panics
    /// If it is not.
    pub fn put_database(&mut self, db: usize, database: Database) {
        let mut empty = std::mem::replace(&mut self.databases[db], database);
        assert!(empty.is_empty());
        self.databases[db].swap_hint(&mut empty);
    }

    /// A database that was taken away and belongs to a cut: the caller walks it
    /// ([`Database::step_cut`]) and frees it.
    pub fn take_flushed(&mut self) -> Option<Database> {
        self.flushed.pop()
    }

    /// Begins a cut: all entries as they are now. The one before must have been walked to its end.
    ///
    /// # Panics
    /// If it has not.
    pub fn begin_cut(&mut self, shared: &Arc<OldForms>) {
        assert!(self.flushed.is_empty());
        for (db, database) in self.databases.iter_mut().enumerate() {
            database.begin_cut(db, shared);
        }
    }

    /// Fetches a piece of the cut: old forms, and at least `count_min` entries if there are as many. Says
    /// whether there is more to come; [`Shard::take_flushed`] is to be asked before.
    pub fn step_cut(&mut self, count_min: usize, out: &mut Fetched) -> bool {
        let len = out.entries.len();
        for database in &mut self.databases {
            let count = count_min.saturating_sub(out.entries.len() - len);
            if count == 0 || database.step_cut(count, out) {
                return true;
            }
        }
        false
    }

    /// Fetches nothing but old forms.
    pub fn fetch_old_forms(&mut self, out: &mut Fetched) {
        self.databases.iter_mut().for_each(|database| database.fetch_old_forms(out));
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
