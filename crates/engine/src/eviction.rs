//! Eviction: keys give way when memory is short.
//!
//! A call that finds more memory used than allowed makes room before it takes any lock: it takes one
//! shard after the other, by chance, whichever is free just now, looks at some of its keys, and
//! evicts the one that the policy wants least. So all threads evict at once, nobody waits for
//! anybody, and no call starts over the limit unless there is nothing that may go.
//!
//! *Which key.* Keys that lie next to each other in the order of their hash have nothing to do with
//! each other, so a look at neighbours is a random sample, at a fraction of the cache misses. A
//! sample of twenty finds a key among the worst twentieth on average. A key that was never used
//! since it was written counts as [`UNUSED_WEIGHT`] times as idle as it is: a scan that passes
//! through the cache once then pushes out itself rather than what is in use, which makes the LRU
//! policies hit more often than the true LRU order (`cargo xtask bench hits`). Under the LFU policies
//! such keys go first, and of the others a counter is worth less the more of the cache was renewed
//! since the last use, so that what was popular once does not stay for ever. A key that comes back
//! soon after it was evicted counts as used.

use crate::admit;
use crate::data;
use crate::events;
use crate::keyspace::LockedShard;
use crate::latency::Event;
use crate::lfu::Frequency;
use crate::moments::Moments;
use crate::run::Executor;
use crate::settings::{MemoryPolicy, Settings};
use base::limits::MEMORY_HANDED_OVER_MAX;
use base::rand::Rng;
use smallvec::SmallVec;
use store::{Database, EntryRef, Key};

/// Keys that are looked at for each one that `maxmemory-samples` says.
const SAMPLE_FACTOR: usize = 4;
/// Places that are looked at for keys with a deadline, where few have one.
const PLACES_MAX: usize = 64;
/// Keys that one call evicts at most: the next one goes on.
const VICTIMS_MAX: usize = 1024;
/// Turns of freeing what waits that one call takes at most: about a millisecond.
const HELP_TURNS: usize = 5;
/// How much more idle a key counts that was written and not used since.
const UNUSED_WEIGHT: u64 = 2;
/// Under an LFU policy: what a key that was never used scores, and others never do.
const UNUSED_SCORE: u64 = 1 << 32;
/// What each count less than the largest scores, and each moment without use: the cache has to be
/// renewed by three quarters for a count to be forgotten.
const COUNT_SCORE: u64 = 25;
const MOMENT_SCORE: u64 = 2;
/// A used key counts as used once at least: one that came back after it was evicted does not know.
const COUNTER_USED: u8 = 6;
/// Access clocks wrap.
const CLOCK_MASK: u32 = 0x00ff_ffff;

/// A key that may go.
struct Victim {
    score: u64,
    key: SmallVec<[u8; 64]>,
}

/// What a shard had to give.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    /// Somebody else has it.
    Busy,
    /// No key that may go.
    Nothing,
    /// A key, which is gone.
    Victim,
}

/// What makes one key less wanted than another.
struct Ranking<'e> {
    policy: MemoryPolicy,
    frequency: Option<Frequency<'e>>,
    access_clock: u32,
    samples: usize,
}

impl Executor<'_> {
    /// Evicts keys until memory is within its limit. To be called inside the gate, without locks.
    /// Says whether memory stays short because nothing more may go: others may have filled it up
    /// again meanwhile, which is their business.
    #[cold]
    pub(crate) fn make_room(&mut self) -> bool {
        if self.engine.loading.is_on() {
            return false;
        }
        if self.settings.spike_ns_min == u64::MAX {
            return self.evict_enough();
        }
        let clock = self.engine.clock();
        let started_ns = clock.now_ns();
        let is_short = self.evict_enough();
        let duration_ns = clock.now_ns().saturating_sub(started_ns);
        self.engine.note_duration(&self.settings, Event::EvictionCycle, duration_ns);
        is_short
    }

    fn evict_enough(&mut self) -> bool {
        base::memory::flush();
        self.help_reclaiming();
        let moments = &self.engine.keyspace.moments;
        let Some(ranking) = Ranking::new(&self.settings, moments, self.wall_ms) else {
            return admit::is_memory_short(&self.settings);
        };
        let shards = self.engine.keyspace.locks().len();
        let (mut evicted, mut fruitless, mut busy) = (0, 0, 0);
        let mut index = self.data.rng.below(shards as u64) as usize;
        while admit::is_memory_short(&self.settings) && evicted < VICTIMS_MAX {
            if fruitless + busy == shards {
                // Each was looked at once. Those that somebody has may have something.
                return busy == 0;
            }
            match self.evict_from(index, &ranking) {
                Found::Busy => busy += 1,
                Found::Nothing => fruitless += 1,
                Found::Victim => {
                    (evicted, fruitless, busy) = (evicted + 1, 0, 0);
                    base::memory::flush();
                    index = self.data.rng.below(shards as u64) as usize;
                    continue;
                }
            }
            index = (index + 1) % shards;
        }
        false
    }

    /// What was evicted before has to be freed too: while too much of that waits, this thread does
    /// its part, without locks.
    fn help_reclaiming(&self) {
        let limit = self.settings.memory_bytes_max;
        for _ in 0..HELP_TURNS {
            let waiting = base::memory::allocated().saturating_sub(base::memory::used());
            if waiting <= MEMORY_HANDED_OVER_MAX || base::memory::allocated() <= limit {
                return;
            }
            self.data.reclaim().help();
        }
    }

    /// Evicts one key from a shard, if the shard is free and has one that may go.
    fn evict_from(&mut self, index: usize, ranking: &Ranking<'_>) -> Found {
        let lock = &self.engine.keyspace.locks()[index];
        let Some(mut shard) = lock.try_lock(self.tick_ns) else { return Found::Busy };
        let LockedShard { data, watched, tracked, waiting, .. } = &mut *shard;
        let Some(db) = some_database(data, ranking, &mut self.data.rng) else {
            return Found::Nothing;
        };
        let database = data.database(db);
        let Some(victim) = ranking.worst(database, &mut self.data.rng) else {
            return Found::Nothing;
        };
        let key = Key { bytes: &victim.key, hash: self.engine.keyspace.hash(&victim.key) };
        let Some(entry) = database.evict(key) else { return Found::Nothing };
        if ranking.frequency.is_some() {
            let keyspace = &self.engine.keyspace;
            keyspace.moments.evicted(self.wall_ms, database.len() * keyspace.locks().len());
        }
        let mut nudged = Vec::new();
        waiting.removed(db, key, &mut nudged);
        let notices = &mut self.data.notices;
        data::follow(watched, tracked, notices, db, key.bytes, events::EVICTED);
        notices.finish();
        if self.data.recorder.is_on() {
            self.data.recorder.push(db, &[b"DEL", key.bytes]);
            shard.journaled = self.engine.journal.append(&mut self.data.recorder);
            self.has_journaled = true;
        }
        drop(shard);
        self.engine.wake_all(nudged);
        self.data.statistics.keys_evicted.add(1);
        self.data.statistics.changes.add(1);
        data::free(self.data.reclaim(), entry);
        Found::Victim
    }
}

/// A database of the shard, each key that may go equally likely to be in it.
fn some_database(shard: &store::Shard, ranking: &Ranking<'_>, rng: &mut Rng) -> Option<usize> {
    let len = |db: usize| {
        let database = shard.database_ref(db);
        let is_volatile_only = ranking.policy.is_volatile();
        (if is_volatile_only { database.volatile_len() } else { database.len() }) as u64
    };
    let total: u64 = (0..shard.database_count()).map(len).sum();
    let mut place = rng.below(total.max(1));
    (0..shard.database_count()).find(|db| {
        let is_here = place < len(*db);
        place = place.saturating_sub(len(*db));
        is_here
    })
}

impl<'e> Ranking<'e> {
    /// The ranking of a policy; `None` if it evicts nothing.
    fn new(settings: &Settings, moments: &'e Moments, now_ms: u64) -> Option<Self> {
        let policy = settings.memory_policy;
        if policy == MemoryPolicy::NoEviction {
            return None;
        }
        let frequency = settings.frequency(moments, now_ms);
        let samples = settings.memory_samples * SAMPLE_FACTOR;
        Some(Self { policy, frequency, access_clock: data::access_clock(now_ms), samples })
    }

    /// The key of a sample that is wanted least.
    fn worst(&self, database: &Database, rng: &mut Rng) -> Option<Victim> {
        let is_volatile_only = self.policy.is_volatile();
        if is_volatile_only && database.volatile_len() == 0 {
            return None;
        }
        let mut worst: Option<Victim> = None;
        let (mut seen, mut places) = (0, 0);
        while seen < self.samples && places < PLACES_MAX {
            database.sample(rng, self.samples, |entry| {
                if is_volatile_only && entry.deadline().is_none() {
                    return;
                }
                seen += 1;
                let score = self.score(entry, seen);
                if worst.as_ref().is_none_or(|worst| worst.score < score) {
                    worst = Some(Victim { score, key: entry.key().into() });
                }
            });
            places += 1;
            // One place is enough if any key may go, however few there are.
            if !is_volatile_only && worst.is_some() {
                break;
            }
        }
        worst
    }

    /// The higher, the less wanted.
    fn score(&self, entry: EntryRef<'_>, seen: usize) -> u64 {
        if let Some(frequency) = self.frequency {
            let clock = entry.access_clock();
            let age = u64::from(frequency.age(clock));
            if !entry.is_used() {
                return UNUSED_SCORE + age;
            }
            let rarity = u64::from(u8::MAX - frequency.counter(clock).max(COUNTER_USED));
            return COUNT_SCORE * rarity + MOMENT_SCORE * age;
        }
        match self.policy {
            MemoryPolicy::VolatileTtl => u64::MAX - entry.deadline().unwrap_or(u64::MAX),
            // The first of a random place is as good as any.
            MemoryPolicy::AllKeysRandom | MemoryPolicy::VolatileRandom => u64::from(seen == 1),
            _ => {
                let idle = self.access_clock.wrapping_sub(entry.access_clock()) & CLOCK_MASK;
                let weight = if entry.is_used() { 1 } else { UNUSED_WEIGHT };
                u64::from(idle + 1) * weight
            }
        }
    }
}
