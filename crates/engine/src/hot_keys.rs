//! Which keys take the most time and bytes: what HOTKEYS collects.
//!
//! While a collection runs, each call is charged to its keys, in equal parts. A summary holds a few hundred
//! keys: one that is new when it is full takes the place, and the amount, of that with the least (the
//! Space-Saving algorithm). So a key that takes more than a share of one in that many of everything is never
//! missing, and an amount is too high by at most that share.
//!
//! Calls go to one of some stripes, by their client, so that threads don't wait for each other; GET adds them
//! up. As long as nothing is collected, a call costs one load.

use crate::command::Group;
use crate::finished::Finished;
use crate::keys;
use base::rand::Rng;
use parking_lot::{Mutex, RwLock};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, Ordering::Relaxed};

/// Stripes of a collection.
const STRIPES: usize = 16;
/// Keys in a summary for each one that is wanted.
const KEYS_FACTOR: usize = 10;
/// Longer keys are left out, so that the summaries of all stripes take at most some 80 MiB.
const KEY_LEN_MAX: usize = 4 << 10;

/// The collection of a server, on cache lines of its own: every call looks at the flag.
#[derive(Default)]
#[repr(align(128))]
pub struct HotKeys {
    is_on: AtomicBool,
    collection: RwLock<Option<Arc<Collection>>>,
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    pub times: bool,
    pub bytes: bool,
    /// Keys that are told.
    pub keys_max: usize,
    pub duration_ms: Option<u64>,
    /// One call in so many is charged.
    pub sample_ratio: u64,
}

/// What was collected since one START.
pub struct Collection {
    pub wanted: Wanted,
    pub started_ms: u64,
    /// Processor time of the process when it began, in microseconds: of the user and of the system.
    pub processor_us: (u64, u64),
    /// When it ended; 0: it runs.
    ended_ms: AtomicU64,
    stripes: [Mutex<Stripe>; STRIPES],
}

struct Stripe {
    rng: Rng,
    times: Summary,
    bytes: Summary,
    all_ns: u64,
    all_bytes: u64,
}

/// The keys with the most, about.
#[derive(Default)]
struct Summary {
    places: HashMap<Box<[u8]>, usize>,
    keys: Vec<(Box<[u8]>, u64)>,
}

/// What all stripes together say.
pub struct Totals {
    pub all_us: u64,
    pub all_bytes: u64,
    /// Microseconds by key, the most first.
    pub times: Vec<(Box<[u8]>, u64)>,
    pub bytes: Vec<(Box<[u8]>, u64)>,
}

impl HotKeys {
    /// Begins a collection at `now_ms`, unless one runs.
    pub fn start(&self, wanted: Wanted, now_ms: u64, processor_us: (u64, u64), seed: u64) -> bool {
        let mut place = self.collection.write();
        if place.as_ref().is_some_and(|collection| collection.is_running(now_ms)) {
            return false;
        }
        let stripe = |number: usize| {
            Mutex::new(Stripe {
                rng: Rng::new(seed ^ number as u64),
                times: Summary::default(),
                bytes: Summary::default(),
                all_ns: 0,
                all_bytes: 0,
            })
        };
        *place = Some(Arc::new(Collection {
            wanted,
            started_ms: now_ms,
            processor_us,
            ended_ms: AtomicU64::new(0),
            stripes: std::array::from_fn(stripe),
        }));
        self.is_on.store(true, Ordering::Release);
        true
    }

    /// Ends the collection; what it has collected stays. Returns whether one was running.
    pub fn stop(&self, now_ms: u64) -> bool {
        let Some(collection) = self.last() else { return false };
        let was_running = collection.is_running(now_ms);
        collection.end(now_ms);
        self.is_on.store(false, Ordering::Release);
        was_running
    }

    /// Forgets what was collected, unless it still is.
    pub fn reset(&self, now_ms: u64) -> bool {
        let mut place = self.collection.write();
        let is_running = place.as_ref().is_some_and(|collection| collection.is_running(now_ms));
        if !is_running {
            self.is_on.store(false, Ordering::Release);
            *place = None;
        }
        !is_running
    }

    /// What is collected now, or was collected last.
    pub fn last(&self) -> Option<Arc<Collection>> {
        self.collection.read().clone()
    }

    /// Whether anything is collected.
    #[inline]
    pub(crate) fn is_on(&self) -> bool {
        self.is_on.load(Relaxed)
    }

    /// Charges a call to its keys.
    #[cold]
    pub(crate) fn note(&self, call: &Finished<'_>, now_ms: u64) {
        // A script's own time is charged to its keys, so not once more that of its calls.
        let Some(collection) = self.last().filter(|_| !call.is_within_script) else { return };
        if !collection.is_running(now_ms) {
            collection.end(now_ms);
            self.is_on.store(false, Ordering::Release);
            return;
        }
        collection.note(call);
    }
}

impl Collection {
    /// Whether it still collects.
    pub fn is_running(&self, now_ms: u64) -> bool {
        self.ended_ms.load(Relaxed) == 0 && !self.is_due(now_ms)
    }

    /// For how long it has collected, in milliseconds.
    pub fn duration_ms(&self, now_ms: u64) -> u64 {
        let until_ms = match self.ended_ms.load(Relaxed) {
            0 if self.is_due(now_ms) => self.started_ms + self.wanted.duration_ms.unwrap_or(0),
            0 => now_ms,
            ended_ms => ended_ms,
        };
        until_ms.saturating_sub(self.started_ms)
    }

    /// What was collected.
    pub fn totals(&self) -> Totals {
        let (mut times, mut bytes) = (Summary::default(), Summary::default());
        let (mut all_ns, mut all_bytes) = (0, 0);
        for stripe in &self.stripes {
            let stripe = stripe.lock();
            all_ns += stripe.all_ns;
            all_bytes += stripe.all_bytes;
            stripe.times.keys.iter().for_each(|(key, amount)| times.add(key, *amount, usize::MAX));
            stripe.bytes.keys.iter().for_each(|(key, amount)| bytes.add(key, *amount, usize::MAX));
        }
        let in_us = |(key, ns): (Box<[u8]>, u64)| (key, ns / 1000);
        Totals {
            all_us: all_ns / 1000,
            all_bytes,
            times: times.most(self.wanted.keys_max).into_iter().map(in_us).collect(),
            bytes: bytes.most(self.wanted.keys_max),
        }
    }

    fn is_due(&self, now_ms: u64) -> bool {
        self.wanted.duration_ms.is_some_and(|duration_ms| self.started_ms + duration_ms <= now_ms)
    }

    fn end(&self, now_ms: u64) {
        let ended_ms = self.started_ms + self.duration_ms(now_ms);
        // Only the first end counts.
        let _ = self.ended_ms.compare_exchange(0, ended_ms.max(1), Relaxed, Relaxed);
    }

    fn note(&self, call: &Finished<'_>) {
        let mut stripe = self.stripes[call.session.id as usize % STRIPES].lock();
        let bytes = (call.argv.request_len() + call.reply_bytes) as u64;
        // The calls of a transaction are charged themselves.
        if call.entry.row.group != Group::Transactions {
            stripe.all_ns += call.nanoseconds;
            stripe.all_bytes += bytes;
        }
        let ratio = self.wanted.sample_ratio;
        if 1 < ratio && stripe.rng.below(ratio) != 0 {
            return;
        }
        let mut places = Vec::new();
        keys::each_key(call.entry.row, call.argv, |index, _| places.push(index));
        let count = places.len().max(1) as u64;
        let capacity = self.wanted.keys_max * KEYS_FACTOR;
        for index in places {
            let key = call.argv.at(index);
            if KEY_LEN_MAX < key.len() {
                continue;
            }
            if self.wanted.times {
                stripe.times.add(key, call.nanoseconds / count, capacity);
            }
            if self.wanted.bytes {
                stripe.bytes.add(key, bytes / count, capacity);
            }
        }
    }
}

impl Summary {
    fn add(&mut self, key: &[u8], amount: u64, capacity: usize) {
        if let Some(place) = self.places.get(key) {
            self.keys[*place].1 += amount;
            return;
        }
        if self.keys.len() < capacity {
            self.places.insert(key.into(), self.keys.len());
            self.keys.push((key.into(), amount));
            return;
        }
        let amounts = self.keys.iter().enumerate();
        let Some((place, _)) = amounts.min_by_key(|(_, (_, amount))| *amount) else { return };
        let (least, sum) = &mut self.keys[place];
        self.places.remove(least);
        *least = key.into();
        *sum += amount;
        self.places.insert(key.into(), place);
    }

    /// So many keys with the most, the most first.
    fn most(mut self, count: usize) -> Vec<(Box<[u8]>, u64)> {
        self.keys.sort_by(|(one, a), (other, b)| b.cmp(a).then_with(|| one.cmp(other)));
        self.keys.truncate(count);
        self.keys
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_much_is_never_missing() {
        let (mut summary, mut rng) = (Summary::default(), Rng::new(7));
        let mut exact: HashMap<u64, u64> = HashMap::new();
        for _ in 0..20_000 {
            // Few keys take half of everything, thousands the rest.
            let key = if rng.below(2) == 0 { rng.below(5) } else { 5 + rng.below(5000) };
            let amount = 1 + rng.below(10);
            summary.add(key.to_string().as_bytes(), amount, 100);
            *exact.entry(key).or_default() += amount;
        }
        let total: u64 = exact.values().sum();
        let most = summary.most(5);
        let names: Vec<u64> =
            most.iter().map(|(key, _)| String::from_utf8_lossy(key).parse().unwrap()).collect();
        assert!((0..5).all(|key| names.contains(&key)), "{names:?}");
        for ((_, amount), name) in most.iter().zip(&names) {
            assert!(exact[name] <= *amount && *amount <= exact[name] + total / 100);
        }
    }
}
