//! What the server counts beside the engine: connections, bytes of the network, and rates.
//!
//! Counts of the hot path lie in one block per executing thread, which only that thread writes.

use crossbeam_utils::CachePadded;
use engine::statistics::Counter;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counters of the server.
pub struct Statistics {
    threads: Box<[CachePadded<ThreadCounts>]>,
    pub connections_received: AtomicU64,
    /// Refused because there were too many.
    pub connections_rejected: AtomicU64,
    /// Ended because all clients together took too much memory.
    pub evicted_clients: AtomicU64,
    /// Closed because of the limit of their output or of their query.
    pub output_limit_disconnections: AtomicU64,
    pub query_limit_disconnections: AtomicU64,
    /// Loops that went on with a spare thread because of a slow call.
    pub takeovers: AtomicU64,
    pub rates: Mutex<Rates>,
}

/// Counters of one executing thread.
#[derive(Default)]
pub struct ThreadCounts {
    pub bytes_read: Counter,
    pub bytes_written: Counter,
    /// Rounds of loops, and how long they took without the sleep between them.
    pub cycles: Counter,
    pub cycles_ns: Counter,
    pub reads: Counter,
    pub writes: Counter,
}

/// Sums over all threads at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    pub bytes_read: u64,
    pub bytes_written: u64,
    pub cycles: u64,
    pub cycles_ns: u64,
    pub reads: u64,
    pub writes: u64,
}

/// Samples over time of sums, from which a rate per second is told.
#[derive(Default)]
pub struct Rates {
    pub commands: Rate,
    pub bytes_read: Rate,
    pub bytes_written: Rate,
    pub cycles: Rate,
    pub cycles_ns: Rate,
}

/// A sum's growth per second, over the last [`Rate::SAMPLES`] samples.
#[derive(Default)]
pub struct Rate {
    samples: [u64; Self::SAMPLES],
    next: usize,
    last: Option<(u64, u64)>,
}

impl Statistics {
    /// For so many executing threads.
    pub fn new(threads: usize) -> Self {
        Self {
            threads: (0..threads).map(|_| CachePadded::default()).collect(),
            connections_received: AtomicU64::new(0),
            connections_rejected: AtomicU64::new(0),
            output_limit_disconnections: AtomicU64::new(0),
            evicted_clients: AtomicU64::new(0),
            query_limit_disconnections: AtomicU64::new(0),
            takeovers: AtomicU64::new(0),
            rates: Mutex::default(),
        }
    }

    /// The counters of the thread number `slot`, which alone may write them.
    pub fn of_thread(&self, slot: usize) -> &ThreadCounts {
        &self.threads[slot]
    }

    /// All threads together.
    pub fn sums(&self) -> Sums {
        let sum = |count: fn(&ThreadCounts) -> &Counter| {
            self.threads.iter().map(|thread| count(thread).value()).sum()
        };
        Sums {
            bytes_read: sum(|thread| &thread.bytes_read),
            bytes_written: sum(|thread| &thread.bytes_written),
            cycles: sum(|thread| &thread.cycles),
            cycles_ns: sum(|thread| &thread.cycles_ns),
            reads: sum(|thread| &thread.reads),
            writes: sum(|thread| &thread.writes),
        }
    }

    /// Back to zero (CONFIG RESETSTAT).
    pub fn reset(&self) {
        for thread in &self.threads {
            for counter in [
                &thread.bytes_read,
                &thread.bytes_written,
                &thread.cycles,
                &thread.cycles_ns,
                &thread.reads,
                &thread.writes,
            ] {
                counter.reset();
            }
        }
        for number in [
            &self.connections_received,
            &self.connections_rejected,
            &self.output_limit_disconnections,
            &self.evicted_clients,
            &self.query_limit_disconnections,
            &self.takeovers,
        ] {
            number.store(0, Relaxed);
        }
        *self.rates.lock() = Rates::default();
    }
}

impl Rate {
    /// Samples that a rate is the mean of.
    pub const SAMPLES: usize = 16;

    /// Notes the sum at a monotonic time.
    pub fn sample(&mut self, sum: u64, now_ns: u64) {
        if let Some((last_sum, last_ns)) = self.last.replace((sum, now_ns)) {
            let duration_ns = now_ns.saturating_sub(last_ns).max(1);
            let growth = u128::from(sum.saturating_sub(last_sum));
            self.samples[self.next] = (growth * 1_000_000_000 / u128::from(duration_ns)) as u64;
            self.next = (self.next + 1) % Self::SAMPLES;
        }
    }

    /// Growth per second.
    pub fn per_second(&self) -> u64 {
        self.samples.iter().sum::<u64>() / Self::SAMPLES as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_the_mean_of_its_samples() {
        let mut rate = Rate::default();
        for second in 0..=Rate::SAMPLES as u64 {
            rate.sample(second * 500, second * 1_000_000_000);
        }
        assert_eq!(rate.per_second(), 500);
    }
}
