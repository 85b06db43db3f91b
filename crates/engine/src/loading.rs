//! Data that is loaded, at the start or later ([`reload`](crate::reload)): how far it is, and how entries come
//! in.
//!
//! Meanwhile the server answers, and refuses what its row does not allow while loading.

use crate::data;
use crate::engine::Engine;
use crate::lfu::Frequency;
use crate::scripting::functions::Existing;
use crate::settings::Settings;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use store::Entry;

/// How far the loading is. All counters are of the last loading.
#[derive(Debug, Default)]
pub struct Loading {
    is_on: AtomicBool,
    /// What is there gives way to what is loaded, instead of being in its way.
    merges: AtomicBool,
    pub started_ms: AtomicU64,
    pub bytes_total: AtomicU64,
    pub bytes_loaded: AtomicU64,
    pub keys_loaded: AtomicU64,
    pub keys_expired: AtomicU64,
}

impl Loading {
    /// Whether data is being loaded.
    #[inline]
    pub fn is_on(&self) -> bool {
        // Relaxed: whoever sees it late is refused once more, or finds keys that are there already.
        self.is_on.load(Relaxed)
    }

    /// Begins to load so many bytes.
    pub fn begin(&self, bytes_total: u64, now_ms: u64) {
        self.started_ms.store(now_ms, Relaxed);
        self.bytes_total.store(bytes_total, Relaxed);
        for counter in [&self.bytes_loaded, &self.keys_loaded, &self.keys_expired] {
            counter.store(0, Relaxed);
        }
        self.is_on.store(true, Relaxed);
    }

    /// From now on what is there gives way to what is loaded, until the end.
    pub fn merge(&self) {
        self.merges.store(true, Relaxed);
    }

    /// What becomes of what is there already.
    pub fn existing(&self) -> Existing {
        if self.merges.load(Relaxed) { Existing::Replace } else { Existing::Refuse }
    }

    /// All is loaded, or it has failed.
    pub fn end(&self) {
        self.merges.store(false, Relaxed);
        self.is_on.store(false, Relaxed);
    }
}

impl Engine {
    /// Puts an entry that was loaded into a database; gives it back if one of its key is there and in the way.
    /// `relax` is called while somebody else has the shard.
    pub fn insert_loaded(&self, db: usize, entry: Entry, relax: impl Fn()) -> Option<Entry> {
        let hash = self.keyspace.hash(entry.as_ref().key());
        let lock = &self.keyspace.locks()[self.keyspace.shard_index(hash)];
        let mut shard = loop {
            match lock.try_lock(self.clock().now_ns()) {
                Some(shard) => break shard,
                None => relax(),
            }
        };
        let database = shard.data.database(db);
        let before = database.insert(entry, hash)?;
        if self.loading.existing() == Existing::Replace {
            return None;
        }
        database.insert(before, hash)
    }

    /// The access clock of an entry that comes from outside, with what is known of its use.
    pub fn clock_of_loaded(
        &self,
        settings: &Settings,
        now_ms: u64,
        idle_seconds: Option<u64>,
        frequency: Option<u8>,
    ) -> u32 {
        access_clock(
            settings.frequency(&self.keyspace.moments, now_ms),
            now_ms,
            idle_seconds,
            frequency,
        )
    }
}

/// The access clock that says what is known of an entry's use, if the policy keeps such a thing.
pub(crate) fn access_clock(
    counting: Option<Frequency<'_>>,
    now_ms: u64,
    idle_seconds: Option<u64>,
    frequency: Option<u8>,
) -> u32 {
    match (counting, frequency) {
        (Some(counting), Some(counter)) => counting.counted(counter),
        (Some(counting), None) => counting.fresh(),
        (None, _) => {
            let idle_ms = idle_seconds.unwrap_or(0).saturating_mul(1000);
            data::access_clock(now_ms.saturating_sub(idle_ms))
        }
    }
}
