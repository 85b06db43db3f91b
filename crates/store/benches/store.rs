//! Nanoseconds per operation, bytes per item and the longest insertion, without locks or sockets.
//!
//! `cargo bench -p store [-- millions of keys]`: by default 1 and 10 million keys in one shard, then
//! 10 million in 128 shards. Batches of 64 keys are hashed and prefetched as the server does it.
//! Times are this thread's processor time, so that a busy machine disturbs less.

#![allow(clippy::print_stdout)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use base::hash::KeyedHash;
use base::rand::Rng;
use store::types::string;
use store::{Key, PrefetchHint, Shard};

const SEED: u64 = 1;
const BATCH: usize = 64;

fn main() {
    let count = std::env::args().skip(1).find_map(|argument| argument.parse::<usize>().ok());
    let shapes = match count {
        Some(millions) => vec![(millions, 1), (millions, 128)],
        None => vec![(1, 1), (10, 1), (10, 128)],
    };
    for (millions, shard_count) in shapes {
        speed(millions * 1_000_000, shard_count);
    }
    if count.is_some() {
        return;
    }
    memory("16 + 64 bytes", 64, false);
    memory("16 + 8 bytes", 8, false);
    memory("16 + 64 bytes, deadline", 64, true);
    longest_insertion(5_000_000);
}

/// All shards, and what leads to them.
struct Store {
    shards: Vec<Shard>,
    hints: Arc<[PrefetchHint]>,
    hash: KeyedHash,
}

impl Store {
    fn new(shard_count: usize) -> Self {
        let hints: Arc<[PrefetchHint]> =
            (0..shard_count).map(|_| PrefetchHint::default()).collect();
        let shard = |index| Shard::new(1, Arc::clone(&hints), index, SEED);
        Self { shards: (0..shard_count).map(shard).collect(), hints, hash: KeyedHash::new(SEED) }
    }

    fn index(&self, hash: u64) -> usize {
        hash as usize & (self.shards.len() - 1)
    }

    /// Runs `operation` on the keys of these numbers, in batches.
    fn run(
        &mut self,
        numbers: impl Iterator<Item = usize>,
        mut operation: impl FnMut(&mut Shard, Key<'_>),
    ) -> f64 {
        let mut names = [[0u8; 16]; BATCH];
        let mut hashes = [0u64; BATCH];
        let mut numbers = numbers.peekable();
        let (begin, mut count) = (processor_ns(), 0);
        while numbers.peek().is_some() {
            let mut len = 0;
            for number in numbers.by_ref().take(BATCH) {
                names[len] = name(number);
                hashes[len] = self.hash.hash(&names[len]);
                self.hints[self.index(hashes[len])].prefetch(hashes[len]);
                len += 1;
            }
            for hash in &hashes[..len] {
                self.shards[self.index(*hash)].database_ref(0).prefetch_entry(*hash);
            }
            for (bytes, hash) in names[..len].iter().zip(hashes) {
                let index = self.index(hash);
                operation(&mut self.shards[index], Key { bytes, hash });
            }
            count += len;
        }
        (processor_ns() - begin) / count as f64
    }
}

fn speed(len: usize, shard_count: usize) {
    let mut store = Store::new(shard_count);
    let value = [7u8; 64];
    let mut rng = Rng::new(3);
    let order: Vec<u32> = (0..4_000_000).map(|_| rng.index(len) as u32).collect();
    let drawn = || order.iter().map(|number| *number as usize);
    let line = |what: &str, nanoseconds: f64| println!("  {what:<12} {nanoseconds:6.1} ns");
    println!("{len} keys of 16 bytes, {shard_count} shards, nanoseconds per operation:");
    line("insert", {
        store.run(0..len, |shard, key| {
            drop(shard.database(0).set_string(key, &value, None, 1));
        })
    });
    line("get", {
        store.run(drawn(), |shard, key| {
            black_box(shard.database_ref(0).find(key).map(|entry| entry.string().bytes()[0]));
        })
    });
    line("get missing", {
        store.run(drawn().map(|number| number + len), |shard, key| {
            black_box(shard.database_ref(0).find(key).is_some());
        })
    });
    line("set in place", {
        store.run(drawn(), |shard, key| {
            drop(shard.database(0).set_string(key, &value, None, 2));
        })
    });
    line("set deadline", {
        store.run(drawn(), |shard, key| {
            drop(shard.database(0).set_string(key, &value, Some(1_000_000_000), 2));
        })
    });
    store.run(0..len, |shard, key| drop(shard.database(0).set_string(key, b"10000000", None, 1)));
    line("increment", {
        store.run(drawn(), |shard, key| {
            let Some(mut entry) = shard.database(0).find_mut(key) else { return };
            let mut digits = [0; 8];
            digits.copy_from_slice(entry.string().bytes());
            digits[7] = b'0' + (digits[7] - b'0' + 1) % 10;
            black_box(entry.replace_string(&digits));
        })
    });
    line("append", {
        store.run(drawn().take(1_000_000), |shard, key| {
            black_box(shard.database(0).edit(key, |entry| string::append(entry, b"tail")));
        })
    });
    line("remove", store.run(0..len, |shard, key| drop(shard.database(0).remove(key))));
    assert!(store.shards.iter().all(|shard| shard.database_ref(0).is_empty()));
}

/// Bytes per item while a shard grows: what entries and table have allocated.
fn memory(what: &str, value_len: usize, has_deadline: bool) {
    let mut store = Store::new(64);
    let value = vec![7; value_len];
    let deadline = |number: usize| has_deadline.then_some(3_600_000 + number as u64);
    let mut worst = (0.0f64, 0.0f64);
    let (mut best, mut sum, mut steps) = (f64::INFINITY, 0.0, 0);
    for step in 0..100 {
        store.run(step * 20_000..(step + 1) * 20_000, |shard, key| {
            let _ = shard.database(0).set_string(key, &value, deadline(step), 1);
        });
        if 50 <= step {
            let len = (step + 1) * 20_000;
            store.shards.iter_mut().for_each(|shard| while shard.database(0).maintain(1000) {});
            let bytes: usize = store.shards.iter().map(Shard::memory_bytes).sum();
            let each = bytes as f64 / len as f64;
            worst = (worst.0.max(each), worst.1);
            best = best.min(each);
            (sum, steps) = (sum + each, steps + 1);
        }
    }
    let key = Key { bytes: &name(5), hash: store.hash.hash(&name(5)) };
    let index = store.index(key.hash);
    let entry = store.shards[index].database_ref(0).find(key).map(|entry| entry.memory_bytes());
    let (entry, mean) = (entry.unwrap_or(0), sum / steps as f64);
    println!("{what}: entry {entry}, table {best:.1} to {:.1}, mean {mean:.1} bytes", worst.0);
}

/// The longest single insertion while a table in one shard grows. The same load is run several
/// times: what the machine adds falls on another insertion each time, so the least counts.
fn longest_insertion(len: usize) {
    const RUN_COUNT: usize = 6;
    let mut least = vec![u32::MAX; len];
    for _ in 0..RUN_COUNT {
        let mut store = Store::new(1);
        for (number, least) in least.iter_mut().enumerate() {
            let bytes = name(number);
            let key = Key { bytes: &bytes, hash: store.hash.hash(&bytes) };
            let begin = Instant::now();
            drop(store.shards[0].database(0).set_string(key, b"12345678", None, 1));
            *least = (*least).min(begin.elapsed().as_nanos() as u32);
        }
    }
    let mut order: Vec<usize> = (0..len).collect();
    order.sort_unstable_by_key(|number| std::cmp::Reverse(least[*number]));
    println!("longest of {len} insertions into one shard, least of {RUN_COUNT} runs each:");
    for number in &order[..6] {
        println!("  {:6.1} µs: number {number}", f64::from(least[*number]) / 1000.0);
    }
    println!("  {:6.1} µs: one in a thousand", f64::from(least[order[len / 1000]]) / 1000.0);
}

/// What this thread has used of the processor.
fn processor_ns() -> f64 {
    let statistics = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let used = statistics.split_whitespace().next().and_then(|field| field.parse().ok());
    used.unwrap_or_default()
}

/// `key:` and twelve digits.
fn name(mut number: usize) -> [u8; 16] {
    let mut name = *b"key:000000000000";
    let mut at = 16;
    while number != 0 {
        at -= 1;
        name[at] = b'0' + (number % 10) as u8;
        number /= 10;
    }
    name
}
