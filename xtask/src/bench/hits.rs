//! How often a cache of limited memory holds what is asked for, by policy and trace, beside the true
//! LRU order and the optimum for the same number of keys.
//!
//! The cache has room for about a fifth of the keys. A trace is a sequence of key numbers from one
//! seed; whoever misses a key writes it. Requests go out at a steady pace, since what a policy can
//! tell apart depends on how fast its clock is against the load.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::client::Client;
use super::plot;
use super::server::{Program, Server, Setup};
use crate::process::Outcome;

const KEYS: u32 = 100_000;
/// Of them, how many have room.
const ROOM: u32 = KEYS / 5;
const EXPONENT: f64 = 0.99;
const BATCH: usize = 50;
const VALUE_LEN: usize = 100;
const SEED: u64 = 1;

/// What a trace adds to Zipf's law.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trace {
    Plain,
    Scans,
    Shifting,
}

const TRACES: [(Trace, &str); 3] =
    [(Trace::Plain, "Zipf 0.99"), (Trace::Scans, "with scans"), (Trace::Shifting, "shifting")];
const POLICIES: [&str; 2] = ["allkeys-lru", "allkeys-lfu"];

/// One policy of one server on one trace; the ratios are of the trace's second half.
struct Row {
    policy: &'static str,
    trace: &'static str,
    server: String,
    keys: usize,
    hits: f64,
    lru: f64,
    optimum: f64,
}

/// # Errors
/// If a server does not start or refuses a command.
pub(crate) fn run(
    programs: &[Program],
    requests: usize,
    pace: u64,
    plot_to: Option<&Path>,
) -> Outcome {
    println!(
        "{KEYS} keys of {VALUE_LEN} bytes, room for a fifth, {requests} requests, {pace} a second"
    );
    let mut rows = Vec::new();
    for (trace, name) in TRACES {
        let keys = trace.keys(requests);
        let optimum = optimum(&keys, ROOM as usize);
        for policy in POLICIES {
            for program in programs {
                eprintln!("{name}: {policy}: {}", program.name);
                let (held, hits) = replay(program, policy, &keys, pace)?;
                let lru = true_lru(&keys, held);
                let server = program.name.clone();
                rows.push(Row { policy, trace: name, server, keys: held, hits, lru, optimum });
            }
        }
    }
    print(&rows);
    let Some(path) = plot_to else { return Ok(()) };
    let mut panels = Vec::new();
    let mut series: Vec<String> = programs.iter().map(|program| program.name.clone()).collect();
    series.extend(["true LRU".to_owned(), "optimum".to_owned()]);
    for policy in POLICIES {
        let mut bars = Vec::new();
        for row in rows.iter().filter(|row| row.policy == policy) {
            bars.push((row.trace, row.server.as_str(), row.hits));
            bars.push((row.trace, "true LRU", row.lru));
            bars.push((row.trace, "optimum", row.optimum));
        }
        panels.push((policy, bars));
    }
    plot::draw_hits(&panels, &series, path)
}

fn print(rows: &[Row]) {
    println!(
        "\n{:14}{:14}{:20}{:>10}{:>10}{:>10}{:>10}",
        "policy", "trace", "server", "keys", "hits", "true LRU", "optimum"
    );
    for row in rows {
        let Row { policy, trace, server, keys, hits, lru, optimum } = row;
        println!(
            "{policy:14}{trace:14}{server:20}{keys:>10}{hits:>10.4}{lru:>10.4}{optimum:>10.4}"
        );
    }
}

impl Trace {
    fn keys(self, requests: usize) -> Vec<u32> {
        let mut random = Random(SEED);
        let mut sum = 0.0;
        let weights = (1..=KEYS).map(|rank| {
            sum += f64::from(rank).powf(-EXPONENT);
            sum
        });
        let cumulative: Vec<f64> = weights.collect();
        // Popular keys should not be neighbours.
        let mut numbers: Vec<u32> = (0..KEYS).collect();
        for index in (1..numbers.len()).rev() {
            numbers.swap(index, random.below(index as u64 + 1) as usize);
        }
        let mut scanned = 0;
        let mut key = |position: usize| {
            let is_scan = position % 20_000 >= 16_000;
            if self == Self::Scans && is_scan {
                scanned += 1;
                return KEYS + scanned % KEYS;
            }
            let drawn = random.fraction() * cumulative[KEYS as usize - 1];
            let rank = cumulative.partition_point(|sum| *sum < drawn);
            // Every so often all keys change their popularity a little.
            let shift =
                if self == Self::Shifting { position / (requests / 40).max(1) * 500 } else { 0 };
            numbers[(rank.min(KEYS as usize - 1) + shift) % KEYS as usize]
        };
        (0..requests).map(&mut key).collect()
    }
}

/// Number of keys that the server held on average, and the share of hits.
fn replay(program: &Program, policy: &str, keys: &[u32], pace: u64) -> Outcome<(usize, f64)> {
    let setup = Setup { io_threads: Some(1), ..Setup::default() };
    let server = Server::start(program, &setup)?;
    let mut client = Client::new(&server)?;
    let limit = limit_for(&mut client, ROOM)?;
    client.ask(&["CONFIG", "SET", "maxmemory-policy", policy])?;
    client.ask(&["CONFIG", "SET", "maxmemory", &limit.to_string()])?;
    let value = "v".repeat(VALUE_LEN);
    let (mut hits, mut held, mut looks) = (0_usize, 0, 0);
    let start = Instant::now();
    for (index, batch) in keys.chunks(BATCH).enumerate() {
        let due = Duration::from_nanos((index * BATCH) as u64 * 1_000_000_000 / pace);
        thread::sleep(due.saturating_sub(start.elapsed()));
        let gets = batch.iter().map(|key| vec!["GET".to_owned(), name(*key)]);
        let found = client.send(gets)?;
        let missed = batch.iter().zip(&found).filter(|(_, found)| !**found);
        let sets = missed.map(|(key, _)| vec!["SET".to_owned(), name(*key), value.clone()]);
        let sets: Vec<_> = sets.collect();
        client.send(sets.into_iter())?;
        if keys.len() / 2 <= index * BATCH {
            hits += found.iter().filter(|found| **found).count();
            if index % 100 == 0 {
                held += client.number(&["DBSIZE"])?;
                looks += 1;
            }
        }
    }
    let counted = keys.len() - keys.len() / 2;
    Ok((held / looks.max(1), hits as f64 / counted as f64))
}

fn name(key: u32) -> String {
    format!("key:{key:012}")
}

/// The memory in which so many keys have room.
fn limit_for(client: &mut Client, count: u32) -> Outcome<usize> {
    let value = "v".repeat(VALUE_LEN);
    let all: Vec<u32> = (0..count).collect();
    for batch in all.chunks(BATCH) {
        let set = |key: &u32| vec!["SET".to_owned(), name(*key), value.clone()];
        client.send(batch.iter().map(set))?;
    }
    let used = client.info(&["used_memory"])?;
    client.ask(&["FLUSHALL"])?;
    Ok(used)
}

/// The share of hits in the second half, if the key used longest ago always gives way.
fn true_lru(keys: &[u32], room: usize) -> f64 {
    let (mut last, mut order) = (HashMap::new(), BTreeSet::new());
    let mut hits = 0;
    for (position, key) in keys.iter().enumerate() {
        match last.insert(*key, position) {
            Some(before) => {
                order.remove(&(before, *key));
                hits += usize::from(keys.len() / 2 <= position);
            }
            None if order.len() == room => {
                if let Some((_, victim)) = order.pop_first() {
                    last.remove(&victim);
                }
            }
            None => {}
        }
        order.insert((position, *key));
    }
    hits as f64 / (keys.len() - keys.len() / 2) as f64
}

/// The same, if the key used latest from now always gives way: nothing can do better.
fn optimum(keys: &[u32], room: usize) -> f64 {
    let mut next_use = vec![usize::MAX; keys.len()];
    let mut seen = HashMap::new();
    for (position, key) in keys.iter().enumerate().rev() {
        next_use[position] = seen.insert(*key, position).unwrap_or(usize::MAX);
    }
    let (mut held, mut order) = (HashMap::new(), BTreeSet::new());
    let mut hits = 0;
    for (position, key) in keys.iter().enumerate() {
        if let Some(due) = held.remove(key) {
            order.remove(&(due, *key));
            hits += usize::from(keys.len() / 2 <= position);
        } else if held.len() == room
            && let Some((_, victim)) = order.pop_last()
        {
            held.remove(&victim);
        }
        held.insert(*key, next_use[position]);
        order.insert((next_use[position], *key));
    }
    hits as f64 / (keys.len() - keys.len() / 2) as f64
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ bits >> 31
    }

    fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    /// From 0 to 1.
    fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caches_of_two_places() {
        // The second half is 1 3 1 3: the true LRU order holds 3 and 2 when it begins.
        let keys = [1, 2, 3, 2, 1, 3, 1, 3];
        assert_eq!(true_lru(&keys, 2), 0.5);
        assert_eq!(optimum(&keys, 2), 0.75);
        assert_eq!(true_lru(&keys, 3), 1.0);
    }

    #[test]
    fn traces_are_the_same_every_time() {
        for (trace, _) in TRACES {
            let keys = trace.keys(50_000);
            assert_eq!(keys, trace.keys(50_000));
            assert!(keys.iter().any(|key| *key < KEYS));
        }
        let scanned = Trace::Scans.keys(50_000).iter().filter(|key| KEYS <= **key).count();
        assert_eq!(scanned, 8_000);
    }
}
