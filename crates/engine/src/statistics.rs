//! What happened, counted: one block per executing thread, summed when INFO asks.
//!
//! A block is written by its thread alone (a plain load and store, no locked instruction) and read
//! by anybody.

use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

/// A counter that only its own thread writes.
#[derive(Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds `n`.
    pub fn add(&self, n: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(n), Relaxed);
    }

    /// The value now.
    pub fn value(&self) -> u64 {
        self.0.load(Relaxed)
    }

    /// Back to zero (CONFIG RESETSTAT; an addition at the same moment may survive).
    pub fn reset(&self) {
        self.0.store(0, Relaxed);
    }
}

/// Counters of one command on one thread.
#[derive(Default)]
pub struct CommandCounters {
    pub calls: Counter,
    pub failed: Counter,
    pub nanoseconds: Counter,
    pub rejected: Counter,
    pub latency: OnceLock<Box<Latency>>,
}

/// Counters of one executing thread, on cache lines of its own.
#[repr(align(128))]
pub struct ThreadStatistics {
    pub commands: Box<[CommandCounters]>,
    pub commands_processed: Counter,
    /// Of hashes.
    pub fields_expired: Counter,
    pub keys_evicted: Counter,
    pub keys_expired: Counter,
    pub keyspace_hits: Counter,
    pub keyspace_misses: Counter,
    pub changes: Counter,
    /// The command that runs: its id + 1; 0 while none does.
    running: AtomicU32,
}

impl ThreadStatistics {
    /// For a table of `commands` rows.
    pub fn new(commands: usize) -> Self {
        Self {
            commands: (0..commands).map(|_| CommandCounters::default()).collect(),
            commands_processed: Counter::default(),
            fields_expired: Counter::default(),
            keys_evicted: Counter::default(),
            keys_expired: Counter::default(),
            keyspace_hits: Counter::default(),
            keyspace_misses: Counter::default(),
            changes: Counter::default(),
            running: AtomicU32::new(0),
        }
    }

    /// Back to zero, but for the count of changes, which is no statistic.
    pub fn reset(&self) {
        for command in &self.commands {
            for counter in
                [&command.calls, &command.failed, &command.nanoseconds, &command.rejected]
            {
                counter.reset();
            }
            if let Some(latency) = command.latency.get() {
                latency.reset();
            }
        }
        for counter in [
            &self.commands_processed,
            &self.fields_expired,
            &self.keys_evicted,
            &self.keys_expired,
            &self.keyspace_hits,
            &self.keyspace_misses,
        ] {
            counter.reset();
        }
    }

    /// A call of the command `id` begins.
    pub fn begin(&self, id: usize) {
        self.running.store(id as u32 + 1, Relaxed);
    }

    /// No call runs any more.
    pub fn rest(&self) {
        self.running.store(0, Relaxed);
    }

    /// The id of the command whose call runs now.
    pub fn running(&self) -> Option<usize> {
        self.running.load(Relaxed).checked_sub(1).map(|id| id as usize)
    }

    /// Counts one call of the command `id`.
    pub fn called(&self, id: usize, nanoseconds: u64, is_latency_tracked: bool) {
        let command = &self.commands[id];
        command.calls.add(1);
        command.nanoseconds.add(nanoseconds);
        self.commands_processed.add(1);
        if is_latency_tracked {
            command.latency.get_or_init(Box::default).record(nanoseconds);
        }
    }
}

/// Calls by duration: 16 steps per power of two of nanoseconds, so within 6 %.
pub struct Latency {
    counts: [Counter; Self::STEPS],
}

impl Default for Latency {
    fn default() -> Self {
        Self { counts: std::array::from_fn(|_| Counter::default()) }
    }
}

impl Latency {
    const STEPS: usize = 16 * 32;
    /// Powers of two of the nanoseconds that a histogram tells apart: 1 µs to 1 s.
    const DOUBLINGS: std::ops::Range<usize> = 10..31;

    /// Counts one call.
    pub fn record(&self, nanoseconds: u64) {
        self.counts[Self::step(nanoseconds)].add(1);
    }

    /// Adds these counts to `sums`, which has [`Latency::STEPS`] places.
    pub fn add_to(&self, sums: &mut Vec<u64>) {
        sums.resize(Self::STEPS, 0);
        for (sum, count) in sums.iter_mut().zip(&self.counts) {
            *sum += count.value();
        }
    }

    /// Forgets all calls.
    pub fn reset(&self) {
        self.counts.iter().for_each(Counter::reset);
    }

    /// How many of `sums` took at most so many microseconds: from one step to the next about twice as
    /// many, those left out that tell nothing new. The last step is for all that took longer, too.
    pub fn doublings(sums: &[u64]) -> Vec<(u64, u64)> {
        let total: u64 = sums.iter().sum();
        let mut doublings = Vec::new();
        let (mut seen, mut step) = (0, 0);
        for power in Self::DOUBLINGS {
            // Steps below this one are of shorter durations.
            let end = if power + 1 == Self::DOUBLINGS.end { sums.len() } else { (power - 4) * 16 };
            let before = seen;
            seen += sums[step.min(end)..end].iter().sum::<u64>();
            step = end;
            if before < seen {
                // Redis's histogram has steps of a hundredth and tells their upper ends.
                let ns = (1_u64 << power) + (1 << (power - 7)) - 1;
                doublings.push((ns / 1000, seen));
            }
            if seen == total {
                break;
            }
        }
        doublings
    }

    fn step(nanoseconds: u64) -> usize {
        let n = nanoseconds.max(16);
        let power = 63 - n.leading_zeros() as usize;
        let within = (n >> (power - 4)) as usize & 15;
        ((power - 4) * 16 + within).min(Self::STEPS - 1)
    }

    /// Duration in nanoseconds below which `percent` of `sums` lie.
    pub fn percentile(sums: &[u64], percent: f64) -> u64 {
        let total: u64 = sums.iter().sum();
        let wanted = (total as f64 * percent / 100.0).ceil() as u64;
        let mut seen = 0;
        for (step, count) in sums.iter().enumerate() {
            seen += count;
            if 0 < *count && wanted <= seen {
                return Self::upper_bound(step);
            }
        }
        0
    }

    /// Largest duration that falls into `step`.
    pub fn upper_bound(step: usize) -> u64 {
        let power = step / 16 + 4;
        let within = (step % 16) as u64;
        ((16 + within + 1) << (power - 4)) - 1
    }
}

/// Error replies by their code: rare, so one small locked map.
#[derive(Default)]
pub struct ErrorStatistics(Mutex<BTreeMap<String, u64>>);

impl ErrorStatistics {
    /// Distinct codes kept, as in Redis: a script can make up any number of them.
    const CODES_MAX: usize = 128;

    /// Counts one error reply.
    pub fn count(&self, code: &str) {
        let mut codes = self.0.lock();
        if let Some(count) = codes.get_mut(code) {
            *count += 1;
        } else if codes.len() < Self::CODES_MAX {
            codes.insert(code.to_owned(), 1);
        }
    }

    /// All counts.
    pub fn snapshot(&self) -> BTreeMap<String, u64> {
        self.0.lock().clone()
    }

    /// Forgets all.
    pub fn reset(&self) {
        self.0.lock().clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_told_in_doublings() {
        let latency = Latency::default();
        for ns in [100, 900, 1500, 40_000, 600_000_000, 5_000_000_000] {
            latency.record(ns);
        }
        let mut sums = Vec::new();
        latency.add_to(&mut sums);
        let doublings = Latency::doublings(&sums);
        assert_eq!(doublings, [(1, 2), (2, 3), (66, 4), (1_082_130, 6)]);
        assert!(Latency::doublings(&vec![0; sums.len()]).is_empty());
    }
}
