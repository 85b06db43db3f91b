//! All shards with their locks: key → hash → shard.

use crate::blocking::WaitTable;
use crate::moments::Moments;
use crate::tracking::TrackTable;
use crate::watch::WatchTable;
use base::hash::KeyedHash;
use base::lock::{ShardLock, Wake};
use std::sync::Arc;
use store::{Key, PrefetchHint, Shard, Wanted};

/// What one shard's lock protects.
pub struct LockedShard {
    pub data: Shard,
    pub watched: WatchTable,
    /// Keys that clients may have in caches of their own.
    pub tracked: TrackTable,
    pub waiting: WaitTable,
    /// Where the newest change in it ends in the journal.
    pub journaled: u64,
}

/// The keyspace: a power of two of shards.
pub struct Keyspace {
    locks: Box<[ShardLock<LockedShard>]>,
    hints: Arc<[PrefetchHint]>,
    hash: KeyedHash,
    databases: usize,
    /// The time of access clocks that hold frequencies.
    pub moments: Moments,
}

impl Keyspace {
    /// `shards` (a power of two, at most 65,536) shards of `databases` numbered databases each.
    pub fn new(shards: usize, databases: usize, seed: u64, wake: &Arc<dyn Wake>) -> Self {
        assert!(shards.is_power_of_two() && shards <= 1 << 16, "shard index is 16 hash bits");
        store::layout::trie::seed_hash(seed);
        let hints: Arc<[PrefetchHint]> =
            (0..shards * databases).map(|_| PrefetchHint::default()).collect();
        let shard = |index: usize| LockedShard {
            data: Shard::new(databases, Arc::clone(&hints), index * databases, seed),
            watched: WatchTable::default(),
            tracked: TrackTable::default(),
            waiting: WaitTable::default(),
            journaled: 0,
        };
        let locks =
            (0..shards).map(|i| ShardLock::new(i as u32, shard(i), Arc::clone(wake))).collect();
        Self { locks, hints, hash: KeyedHash::new(seed), databases, moments: Moments::default() }
    }

    /// The one hash of a key, used for its shard and its place in the table.
    #[inline]
    pub fn hash(&self, key: &[u8]) -> u64 {
        self.hash.hash(key)
    }

    /// The shard of a hash.
    #[inline]
    pub fn shard_index(&self, hash: u64) -> usize {
        hash as usize & (self.locks.len() - 1)
    }

    /// All locks, by shard index.
    pub fn locks(&self) -> &[ShardLock<LockedShard>] {
        &self.locks
    }

    /// Number of numbered databases.
    pub fn databases(&self) -> usize {
        self.databases
    }

    /// Fetches the place of a key in the table into the cache, without a lock.
    #[inline]
    pub fn prefetch_bucket(&self, db: usize, hash: u64) {
        self.hints[self.shard_index(hash) * self.databases + db].prefetch(hash);
    }

    /// Fetches elements of a key's value into the cache, if its shard is free.
    pub fn prefetch_elements(&self, db: usize, key: Key<'_>, wanted: &[Wanted<'_>], now_ns: u64) {
        if let Some(shard) = self.locks[self.shard_index(key.hash)].try_lock(now_ns) {
            shard.data.database_ref(db).prefetch_elements(key, wanted);
        }
    }

    /// Fetches the entry of a key into the cache, if its shard is free.
    #[inline]
    pub fn prefetch_entry(&self, db: usize, hash: u64, now_ns: u64) {
        if let Some(shard) = self.locks[self.shard_index(hash)].try_lock(now_ns) {
            shard.data.database_ref(db).prefetch_entry(hash);
        }
    }
}
