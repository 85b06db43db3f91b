//! Many threads call, with commands, transactions and scripts over several keys; the history of what they
//! saw must be one that could have happened one call after the other, in an order that agrees with time.
//!
//! Keys hold counters that are read and incremented and nothing else, so every call tells which versions
//! it has seen and made, and the order of a key's versions is known. What remains is a graph: whoever made
//! a version comes before those who saw it, those before whoever made the next one, and a call that had ended
//! before another began comes before that one. The history is right if and only if the graph has no cycle
//! (Adya's serialization graph, with the order of time added: strict serializability).

use crate::threads::{ThreadClient, Threads};
use base::rand::Rng;
use resp::Frame;
use std::collections::HashMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

const THREADS: u64 = 4;
const KEYS: usize = 5;
const CALLS_EACH: usize = 20_000;

/// What one atomic call has seen and made.
#[derive(Clone, Debug, Default)]
struct Event {
    what: &'static str,
    /// Moments of one counter that all threads share.
    began: u64,
    ended: u64,
    /// Key and version.
    seen: Vec<(usize, u64)>,
    made: Vec<(usize, u64)>,
}

struct Client<'t> {
    client: ThreadClient<'t>,
    moments: &'t AtomicU64,
    rng: Rng,
    events: Vec<Event>,
}

/// A step of a call: read or increment a key.
#[derive(Clone, Copy)]
enum Step {
    Increment(usize),
    Read(usize),
}

impl Client<'_> {
    fn calls(&mut self, calls: &[Vec<String>]) -> Vec<Frame> {
        self.client.calls(calls)
    }

    fn moment(&self) -> u64 {
        self.moments.fetch_add(1, SeqCst)
    }

    /// Different keys, each read or incremented.
    fn steps(&mut self) -> Vec<Step> {
        let count = 1 + self.rng.below(3);
        let mut steps: Vec<Step> = Vec::new();
        for _ in 0..count {
            let key = self.rng.below(KEYS as u64) as usize;
            let is_new = steps.iter().all(|step| step.key() != key);
            if is_new {
                let increments = self.rng.below(2) == 0;
                steps.push(if increments { Step::Increment(key) } else { Step::Read(key) });
            }
        }
        steps
    }

    fn run(&mut self) {
        for _ in 0..CALLS_EACH {
            let steps = self.steps();
            match self.rng.below(7) {
                0 => self.one_command(&steps),
                1 => self.read_many(&steps),
                2 => self.transaction(&steps),
                3 => self.script("script of its keys", script(&steps, true), &steps),
                4 => self.script("script of any keys", script(&steps, false), &steps),
                5 => self.script_in_transaction(&steps),
                _ => self.watched(&steps),
            }
        }
    }

    fn one_command(&mut self, steps: &[Step]) {
        let began = self.moment();
        let replies = self.calls(&[steps[0].words()]);
        self.note("command", began, &steps[..1], &replies);
    }

    fn read_many(&mut self, steps: &[Step]) {
        let steps: Vec<Step> = steps.iter().map(|step| Step::Read(step.key())).collect();
        let mut words = vec!["MGET".to_owned()];
        words.extend(steps.iter().map(|step| name(step.key())));
        let began = self.moment();
        let reply = self.calls(&[words]).remove(0);
        self.note("MGET", began, &steps, items(&reply));
    }

    fn transaction(&mut self, steps: &[Step]) {
        let mut calls = vec![words("MULTI")];
        calls.extend(steps.iter().map(|step| step.words()));
        calls.push(words("EXEC"));
        let began = self.moment();
        let replies = self.calls(&calls);
        self.note("EXEC", began, steps, items(replies.last().unwrap()));
    }

    fn script(&mut self, what: &'static str, call: Vec<String>, steps: &[Step]) {
        let began = self.moment();
        let reply = self.calls(&[call]).remove(0);
        self.note(what, began, steps, items(&reply));
    }

    fn script_in_transaction(&mut self, steps: &[Step]) {
        let calls = [words("MULTI"), script(steps, true), words("EXEC")];
        let began = self.moment();
        let replies = self.calls(&calls);
        self.note("script in EXEC", began, steps, items(&items(replies.last().unwrap())[0]));
    }

    /// Reads all keys under WATCH, then increments one if none has changed: the writes of two such
    /// calls that have each read the other's key must not both happen.
    fn watched(&mut self, steps: &[Step]) {
        let keys: Vec<String> = steps.iter().map(|step| name(step.key())).collect();
        let mut watch = vec!["WATCH".to_owned()];
        watch.extend(keys.iter().cloned());
        let mut read = vec!["MGET".to_owned()];
        read.extend(keys);
        let read_began = self.moment();
        self.calls(&[watch]);
        let reply = self.calls(&[read]).remove(0);
        let read_steps: Vec<Step> = steps.iter().map(|step| Step::Read(step.key())).collect();
        let seen = versions(items(&reply));
        let ended = self.moment();
        let pairs = read_steps.iter().map(|step| step.key()).zip(seen);
        let seen: Vec<(usize, u64)> = pairs.collect();
        let event =
            Event { what: "MGET under WATCH", began: read_began, ended, ..Event::default() };
        self.events.push(Event { seen: seen.clone(), ..event });
        let target = steps[0].key();
        let began = self.moment();
        let calls = [words("MULTI"), Step::Increment(target).words(), words("EXEC")];
        let replies = self.calls(&calls);
        let ended = self.moment();
        if let Frame::Array(results) = replies.last().unwrap() {
            // What was read is still so when EXEC runs.
            let made = vec![(target, versions(results)[0])];
            let event = Event { what: "EXEC under WATCH", began, ended, seen, made };
            self.events.push(event);
        }
    }

    fn note(&mut self, what: &'static str, began: u64, steps: &[Step], replies: &[Frame]) {
        let mut event = Event { what, began, ended: self.moment(), ..Event::default() };
        assert_eq!(steps.len(), replies.len(), "{what}: {replies:?}");
        for (step, version) in steps.iter().zip(versions(replies)) {
            match step {
                Step::Increment(key) => event.made.push((*key, version)),
                Step::Read(key) => event.seen.push((*key, version)),
            }
        }
        self.events.push(event);
    }
}

impl Step {
    fn key(self) -> usize {
        match self {
            Self::Increment(key) | Self::Read(key) => key,
        }
    }

    fn words(self) -> Vec<String> {
        match self {
            Self::Increment(key) => vec!["INCR".to_owned(), name(key)],
            Self::Read(key) => vec!["GET".to_owned(), name(key)],
        }
    }
}

fn name(key: usize) -> String {
    format!("counter:{key}")
}

fn words(line: &str) -> Vec<String> {
    line.split(' ').map(str::to_owned).collect()
}

/// A script that does the steps, with its keys as KEYS or as ARGV.
fn script(steps: &[Step], names_its_keys: bool) -> Vec<String> {
    let mut body = String::from("local r = {} ");
    let list = if names_its_keys { "KEYS" } else { "ARGV" };
    for (index, step) in steps.iter().enumerate() {
        let command = if matches!(step, Step::Increment(_)) { "incr" } else { "get" };
        let (place, key) = (index + 1, index + 1);
        let _ = write!(body, "r[{place}] = redis.call('{command}', {list}[{key}]) ");
    }
    body += "return r";
    let count = if names_its_keys { steps.len() } else { 0 };
    let mut words = vec!["EVAL".to_owned(), body, count.to_string()];
    words.extend(steps.iter().map(|step| name(step.key())));
    words
}

fn items(frame: &Frame) -> &[Frame] {
    match frame {
        Frame::Array(items) => items,
        other => panic!("no array: {other:?}"),
    }
}

fn versions(frames: &[Frame]) -> Vec<u64> {
    let version = |frame: &Frame| match frame {
        Frame::Integer(number) => *number as u64,
        Frame::Bulk(digits) => std::str::from_utf8(digits).unwrap().parse().unwrap(),
        frame if frame.is_null() => 0,
        // What a script makes of nil.
        Frame::Boolean(false) => 0,
        other => panic!("no version: {other:?}"),
    };
    frames.iter().map(version).collect()
}

/// The edges of the graph, as lists of followers. Nodes are the events, and behind them one for each end
/// of an event, in the order of time: what comes after an end comes after all earlier ones.
fn followers(events: &[Event]) -> Vec<Vec<usize>> {
    let mut followers: Vec<Vec<usize>> = vec![Vec::new(); events.len() * 2];
    for key in 0..KEYS {
        let mut makers: HashMap<u64, usize> = HashMap::new();
        for (number, event) in events.iter().enumerate() {
            for (_, version) in event.made.iter().filter(|(made, _)| *made == key) {
                let other = makers.insert(*version, number);
                assert!(other.is_none(), "version {version} of {key} was made twice");
            }
        }
        let last = makers.len() as u64;
        assert!((1..=last).all(|v| makers.contains_key(&v)), "an increment of {key} was lost");
        for version in 2..=last {
            followers[makers[&(version - 1)]].push(makers[&version]);
        }
        for (number, event) in events.iter().enumerate() {
            for (_, version) in event.seen.iter().filter(|(seen, _)| *seen == key) {
                let is_own = |maker: usize| maker == number;
                if let Some(maker) = makers.get(version).filter(|maker| !is_own(**maker)) {
                    followers[*maker].push(number);
                }
                if let Some(next) = makers.get(&(version + 1)).filter(|next| !is_own(**next)) {
                    followers[number].push(*next);
                }
            }
        }
    }
    add_time(events, &mut followers);
    followers
}

fn add_time(events: &[Event], followers: &mut [Vec<usize>]) {
    let mut by_end: Vec<usize> = (0..events.len()).collect();
    by_end.sort_unstable_by_key(|number| events[*number].ended);
    for (place, number) in by_end.iter().enumerate() {
        followers[*number].push(events.len() + place);
        if place + 1 < events.len() {
            followers[events.len() + place].push(events.len() + place + 1);
        }
    }
    for (number, event) in events.iter().enumerate() {
        let before = by_end.partition_point(|other| events[*other].ended < event.began);
        if let Some(last) = before.checked_sub(1) {
            followers[events.len() + last].push(number);
        }
    }
}

/// The events that no order can hold, if there are any.
fn cycle(events: &[Event]) -> Vec<Event> {
    let followers = followers(events);
    let mut waits_for = vec![0_usize; followers.len()];
    followers.iter().flatten().for_each(|node| waits_for[*node] += 1);
    let mut free: Vec<usize> = (0..followers.len()).filter(|node| waits_for[*node] == 0).collect();
    while let Some(node) = free.pop() {
        for follower in &followers[node] {
            waits_for[*follower] -= 1;
            if waits_for[*follower] == 0 {
                free.push(*follower);
            }
        }
    }
    let is_stuck = |(number, _): &(usize, &Event)| waits_for[*number] != 0;
    events.iter().enumerate().filter(is_stuck).map(|(_, event)| event.clone()).collect()
}

#[test]
fn what_threads_see_could_have_happened_one_after_the_other() {
    let (threads, moments) = (Threads::new(THREADS, 3, |_| {}), AtomicU64::new(0));
    let mut events = Vec::new();
    std::thread::scope(|scope| {
        let (threads, moments) = (&threads, &moments);
        let run = |slot: u64| {
            scope.spawn(move || {
                let (client, rng) = (threads.client(slot), Rng::new(slot + 1));
                let mut client = Client { client, moments, rng, events: Vec::new() };
                client.run();
                client.events
            })
        };
        let clients: Vec<_> = (0..THREADS).map(run).collect();
        clients.into_iter().for_each(|client| events.extend(client.join().unwrap()));
    });
    assert!(CALLS_EACH * THREADS as usize <= events.len());
    let kinds = ["command", "EXEC", "EXEC under WATCH", "script of its keys", "script of any keys"];
    for kind in kinds {
        assert!(100 < events.iter().filter(|event| event.what == kind).count(), "{kind}");
    }
    let stuck = cycle(&events);
    assert!(stuck.is_empty(), "{} events in a cycle, such as {:#?}", stuck.len(), &stuck[..3]);
}

fn event(began: u64, ended: u64, seen: &[(usize, u64)], made: &[(usize, u64)]) -> Event {
    Event { what: "made up", began, ended, seen: seen.to_vec(), made: made.to_vec() }
}

#[test]
fn the_checker_finds_write_skew() {
    // Each has read the other's key as it was before the other's write.
    let one = event(0, 9, &[(0, 0), (1, 0)], &[(0, 1)]);
    let two = event(1, 8, &[(0, 0), (1, 0)], &[(1, 1)]);
    assert_eq!(cycle(&[one.clone(), two]).len(), 2);
    let after = event(1, 8, &[(0, 1), (1, 0)], &[(1, 1)]);
    assert!(cycle(&[one, after]).is_empty());
}

#[test]
fn the_checker_finds_stale_and_torn_reads() {
    let write = event(0, 1, &[], &[(0, 1), (1, 1)]);
    let stale = event(2, 3, &[(0, 0)], &[]);
    assert_ne!(cycle(&[write.clone(), stale]).len(), 0);
    let torn = event(0, 3, &[(0, 1), (1, 0)], &[]);
    assert_ne!(cycle(&[write.clone(), torn]).len(), 0);
    let early = event(0, 3, &[(0, 0), (1, 0)], &[]);
    assert!(cycle(&[write, early]).is_empty());
}
