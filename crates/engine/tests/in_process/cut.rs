//! The cut against a copy that was made at its moment, while several threads change everything.

use crate::threads::{ThreadClient, Threads};
use base::rand::Rng;
use engine::cut::{Cut, CutWalk, Purpose, Step};
use engine::data::Data;
use engine::expiry::Care;
use resp::Frame;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use store::rdb::{Target, payload};
use store::{EntryRef, Fetched};

const SEEDS: u64 = 12;
const DATABASES: u64 = 3;

/// An entry as far as a snapshot keeps it.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Kept {
    deadline: Option<u64>,
    dump: Vec<u8>,
}

type Everything = BTreeMap<(usize, Vec<u8>), Kept>;

fn kept(entry: EntryRef<'_>) -> Kept {
    let dump = payload::dump(entry, &Target::default()).unwrap();
    Kept { deadline: entry.deadline(), dump }
}

/// All entries, looked at behind the gate.
fn everything(data: &mut Data<'_>) -> Everything {
    let mut all = Everything::new();
    for index in 0..data.keyspace().locks().len() as u32 {
        for db in 0..data.keyspace().databases() {
            let database = data.shard_at(index).data.database_ref(db);
            let mut cursor = 0;
            loop {
                cursor = database.scan(cursor, 100, |entry| {
                    all.insert((db, entry.key().to_vec()), kept(entry));
                });
                if cursor == 0 {
                    break;
                }
            }
        }
    }
    all
}

/// A call at random, on few keys of every type.
fn call(rng: &mut Rng) -> Vec<String> {
    // One key in three holds what its name says, so that values grow.
    let kinds = ["s", "n", "l", "t", "z", "h", "x", "p"];
    let kind = kinds[rng.index(kinds.len())];
    let (key, other) = (format!("{kind}{}", rng.below(6)), format!("{kind}{}", rng.below(6)));
    let (member, number) = (format!("m{}", rng.below(400)), rng.below(400));
    let line = match (rng.below(24), kind) {
        (0, _) => format!("DEL {key}"),
        (1, _) => format!("RENAME {key} {other}"),
        (2, _) => format!("COPY {key} {other} DB {} REPLACE", rng.below(DATABASES)),
        (3, _) => format!("MOVE {key} {}", rng.below(DATABASES)),
        (4, _) => format!("PEXPIRE {key} {}", 1 + rng.below(40)),
        (5, _) => format!("PERSIST {key}"),
        (6, _) => format!("SELECT {}", rng.below(DATABASES)),
        (7, "s" | "n") => format!("GETDEL {key}"),
        (7, "h") => format!("HPEXPIRE {key} {} FIELDS 1 {member}", 1 + rng.below(60)),
        (7, "t") => format!("SUNIONSTORE {key} {key} {other}"),
        (7, "x") => format!("XGROUP CREATE {key} group 0 MKSTREAM"),
        (8, "x") => format!("XREADGROUP GROUP group one COUNT 3 STREAMS {key} >"),
        (9, "x") => format!("XTRIM {key} MAXLEN {number}"),
        (8, "l") => format!("LTRIM {key} 0 {number}"),
        (8, "t") => format!("SPOP {key} 3"),
        (8, "z") => format!("ZREMRANGEBYRANK {key} 0 2"),
        (8, "h") => format!("HDEL {key} {member}"),
        (8, "s") => format!("SETRANGE {key} {number} {member}"),
        (9, "s") => format!("SET {key} {} PX 30", "long".repeat(5000)),
        (9, "l") => format!("LMOVE {key} {other} LEFT RIGHT"),
        (10, _) => {
            format!("EVAL redis.call('DEL',KEYS[1]);redis.call('SET','{other}','lua') 1 {key}")
        }
        (11, _) if rng.below(12) == 0 => format!("SWAPDB {} {}", rng.below(2), rng.below(3)),
        (12, _) if rng.below(40) == 0 => "FLUSHDB".to_owned(),
        (_, "s") => format!("APPEND {key} {}", member.repeat(1 + rng.index(30))),
        (_, "n") => format!("INCRBY {key} {number}"),
        (_, "l") => format!("RPUSH {key} {member} {}", member.repeat(rng.index(60))),
        (_, "t") => format!("SADD {key} {member} {number} x{number}"),
        (_, "z") => format!("ZADD {key} {number} {member} 1 x{number}"),
        (_, "h") => format!("HSET {key} {member} {number} x{number} {member}"),
        (_, "x") => format!("XADD {key} * field {member}"),
        _ => format!("PFADD {key} {member} {number}"),
    };
    let words = line.split(' ').map(str::to_owned);
    // Lua has blanks of its own.
    words.map(|word| word.replace(';', " ")).collect()
}

/// Makes calls until it is told to stop, some of them as transactions.
fn write(client: &mut ThreadClient<'_>, rng: &mut Rng, is_over: &AtomicBool) {
    while !is_over.load(Relaxed) {
        write_some(client, rng, 1);
    }
}

fn write_some(client: &mut ThreadClient<'_>, rng: &mut Rng, count: u64) {
    for _ in 0..count {
        let mut calls: Vec<Vec<String>> = (0..1 + rng.below(8)).map(|_| call(rng)).collect();
        if rng.below(4) == 0 {
            calls.insert(0, vec!["MULTI".to_owned()]);
            calls.push(vec!["EXEC".to_owned()]);
        }
        client.calls(&calls);
    }
}

/// Takes a cut of everything, as soon as the gate lets it.
fn begin(client: &mut ThreadClient<'_>, purpose: Purpose) -> (Arc<Cut>, Everything) {
    let mut copy = Everything::new();
    loop {
        let engine = client.engine();
        let (executor, session) = client.parts();
        let begun = executor.alone(session, |data| {
            copy = everything(data);
            engine.begin_cut(data, purpose)
        });
        match begun {
            Ok(begun) => return (begun.ok().unwrap(), copy),
            Err(_) => std::thread::park_timeout(std::time::Duration::from_micros(100)),
        }
    }
}

/// Walks to the end, or for so many steps.
fn walk(
    client: &mut ThreadClient<'_>,
    walk: &mut CutWalk,
    steps_max: u64,
    found: &mut Everything,
) -> bool {
    let mut fetched = Fetched::default();
    let mut steps = 0;
    while steps < steps_max {
        let (executor, session) = client.parts();
        let step = executor.step_cut(session, walk, &mut fetched);
        for (db, entry) in &fetched.entries {
            let look = entry.as_ref();
            let before = found.insert((*db, look.key().to_vec()), kept(look));
            assert!(before.is_none(), "{:?} came twice", look);
        }
        client.engine().cuts.written(&mut fetched);
        match step {
            Step::Busy => std::thread::yield_now(),
            Step::Done => return true,
            Step::More => steps += 1,
        }
    }
    false
}

fn run(seed: u64) {
    let threads = Threads::new(3, 200, |parts| parts.settings.databases = DATABASES as usize);
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for slot in 1..3 {
            let (threads, is_over) = (&threads, &is_over);
            scope.spawn(move || {
                let mut rng = Rng::new(seed * 10 + slot);
                write(&mut threads.client(slot), &mut rng, is_over);
            });
        }
        let _over = Over(&is_over);
        let mut client = threads.client(0);
        let mut rng = Rng::new(seed);
        for round in 0..6 {
            write_some(&mut client, &mut rng, 30);
            let (cut, copy) = begin(&mut client, Purpose::Journal);
            let keys: usize = cut.databases.iter().map(|sizes| sizes.keys).sum();
            assert_eq!(keys, copy.len());
            let mut walker = CutWalk::new(&cut);
            let mut found = Everything::new();
            while !walk(&mut client, &mut walker, 1, &mut found) {
                write_some(&mut client, &mut rng, 1);
                let (executor, session) = client.parts();
                while executor.look_after_shard(session, rng.index(4), true) == Care::More {}
                if round % 3 == 2 && rng.below(4) == 0 {
                    threads.world.engine.cuts.cancel(&cut);
                }
            }
            if !cut.is_cancelled() {
                assert_eq!(cut.keys_fetched() as usize, keys);
                assert!(found == copy, "seed {seed}: {}", difference(&copy, &found));
            }
            assert!(threads.world.engine.cuts.present().is_none());
            assert_eq!(threads.world.engine.cuts.old_bytes(), 0);
        }
    });
}

/// Lets the writers end, however the test does.
struct Over<'t>(&'t AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

fn difference(one: &Everything, other: &Everything) -> String {
    let differs = |key: &&(usize, Vec<u8>)| one.get(*key) != other.get(*key);
    let (db, key) = one.keys().chain(other.keys()).find(differs).unwrap();
    let at = (*db, key.clone());
    let key = key.escape_ascii();
    format!("{key} of {db}: {:?} was found as {:?}", one.get(&at), other.get(&at))
}

#[test]
fn a_cut_is_one_moment() {
    (0..SEEDS).for_each(run);
}

#[test]
fn only_a_snapshot_is_given_up_when_everything_is_flushed() {
    let threads = Threads::new(1, 0, |_| {});
    let mut client = threads.client(0);
    for (purpose, is_given_up) in [(Purpose::Snapshot, true), (Purpose::Journal, false)] {
        let set = |n: u32| vec!["SET".to_owned(), format!("k{n}"), "v".to_owned()];
        client.calls(&(0..1000).map(set).collect::<Vec<_>>());
        let (cut, copy) = begin(&mut client, purpose);
        assert!(threads.world.engine.cuts.present().is_some());
        let (mut walker, mut found) = (CutWalk::new(&cut), Everything::new());
        walk(&mut client, &mut walker, 3, &mut found);
        assert_eq!(client.calls(&[vec!["FLUSHALL"]]), [Frame::Simple("OK".into())]);
        assert!(walk(&mut client, &mut walker, u64::MAX, &mut found));
        assert_eq!(cut.is_cancelled(), is_given_up);
        assert_eq!(found == copy, !is_given_up);
        assert!(threads.world.engine.cuts.present().is_none());
    }
}

#[test]
fn writers_wait_when_too_much_waits_for_a_cut() {
    let threads = Threads::new(2, 1000, |_| {});
    let mut client = threads.client(0);
    let value = "v".repeat(1_000_000);
    let set =
        |n: u32, first: &str| vec!["SET".to_owned(), format!("k{n}"), format!("{first}{value}")];
    let calls: Vec<Vec<String>> = (0..40).map(|n| set(n, "a")).collect();
    client.calls(&calls);
    let (cut, copy) = begin(&mut client, Purpose::Journal);
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (threads, is_done) = (&threads, &is_done);
        let calls: Vec<Vec<String>> = (0..40).map(|n| set(n, "b")).collect();
        scope.spawn(move || {
            threads.client(1).calls(&calls);
            is_done.store(true, Relaxed);
        });
        while !threads.world.engine.cuts.holds_writers() {
            std::thread::yield_now();
        }
        // Who only reads does not wait.
        assert_eq!(client.calls(&[vec!["STRLEN", "k39"]]), [Frame::Integer(1_000_001)]);
        assert!(!is_done.load(Relaxed));
        let (mut walker, mut found) = (CutWalk::new(&cut), Everything::new());
        assert!(walk(&mut client, &mut walker, u64::MAX, &mut found));
        assert!(found == copy);
    });
    assert!(is_done.load(Relaxed));
    assert!(cut.old_bytes_peak() < 24 << 20);
}
