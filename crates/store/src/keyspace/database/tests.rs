//! A database against a naive twin, with time that jumps, and the shard around it.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::keyspace::shard::Shard;
use crate::layout::entry::Kind;
use crate::layout::home::Own;
use crate::types::limits::HashLimits;
use crate::types::string;

const SEED: u64 = 9;
const START_MS: u64 = 1_700_000_000_000;

struct Fixture {
    database: Database,
    hash: KeyedHash,
}

impl Fixture {
    fn new() -> Self {
        let hints: Arc<[PrefetchHint]> = Arc::new([PrefetchHint::default()]);
        let database = Database::new(Arc::new(KeyedHash::new(SEED)), hints, 0);
        Self { database, hash: KeyedHash::new(SEED) }
    }

    fn key<'a>(&self, key: &'a str) -> Key<'a> {
        Key { bytes: key.as_bytes(), hash: self.hash.hash(key.as_bytes()) }
    }

    fn set(&mut self, key: &str, value: &str, deadline: Option<u64>) -> Option<Entry> {
        self.database.set_string(self.key(key), value.as_bytes(), deadline, 0)
    }

    fn expire(&mut self, now_ms: u64, max: usize) -> Vec<String> {
        let mut expired = Vec::new();
        let count = self.database.expire_due(now_ms, max, |passed| {
            let Passed::Key(entry) = passed else { panic!("there are no hashes") };
            assert!(entry.as_ref().is_expired(now_ms));
            expired.push(String::from_utf8(entry.as_ref().key().to_vec()).unwrap());
        });
        assert_eq!(count, expired.len());
        expired
    }

    fn expire_all(&mut self, now_ms: u64) -> usize {
        let mut count = 0;
        loop {
            count += self.expire(now_ms, 100).len();
            if self.database.next_due_ms().is_none_or(|next| now_ms < next) {
                return count;
            }
        }
    }

    fn records(&self) -> usize {
        self.database.deadlines.as_ref().map_or(0, |deadlines| deadlines.len())
    }
}

#[test]
fn what_is_set_is_found() {
    let mut fixture = Fixture::new();
    assert!(fixture.set("key", "one", None).is_none());
    assert!(fixture.set("key", "two", None).is_none());
    let old = fixture.set("key", &"x".repeat(100), None).unwrap();
    assert_eq!(old.as_ref().string().bytes(), b"two");
    let key = fixture.key("key");
    let old = fixture.database.set_shared(key, Arc::new(vec![1; 20_000]), Some(5), 7).unwrap();
    assert_eq!(old.as_ref().string().bytes().len(), 100);
    let found = fixture.database.find(key).unwrap();
    assert_eq!((found.kind(), found.deadline(), found.access_clock()), (Kind::String, Some(5), 7));
    assert_eq!(fixture.database.volatile_len(), 1);
    fixture.database.find_mut(key).unwrap().touch(9);
    assert_eq!(fixture.database.find(key).unwrap().access_clock(), 9);
    let len = fixture.database.edit(key, |entry| string::append(entry, b"tail"));
    assert_eq!(len, Some(20_004));
    assert!(fixture.database.remove(key).is_some());
    assert!(fixture.database.find(key).is_none());
    assert_eq!((fixture.database.len(), fixture.database.volatile_len()), (0, 0));
    fixture.database.check_invariants();
}

#[test]
fn an_expired_key_is_never_live() {
    let mut fixture = Fixture::new();
    fixture.set("key", "value", Some(START_MS));
    let key = fixture.key("key");
    assert!(matches!(fixture.database.live(key, START_MS), Live::Found(_)));
    assert!(matches!(fixture.database.live(key, START_MS + 1), Live::Expired(_)));
    assert!(matches!(fixture.database.live(key, START_MS + 1), Live::Missing));
    assert_eq!(fixture.database.volatile_len(), 0);
    // Its record is still there, and does no harm.
    fixture.set("key", "other", Some(START_MS + 5_000));
    assert_eq!(fixture.expire(START_MS + 100, 10), [] as [String; 0]);
    assert_eq!(fixture.expire(START_MS + 6_000, 10), ["key"]);
}

/// A hash of `count` fields, of which number n expires n times ten milliseconds after the start.
fn add_hash(fixture: &mut Fixture, key: &str, count: u64) {
    let mut own: Own<LargeHash> = Own::default();
    for number in 0..count {
        let ttl = hash::Ttl::At(START_MS + 10 * number);
        hash::set(&mut own, &number.to_le_bytes(), b"value", ttl, START_MS, HashLimits::default());
    }
    let entry = Entry::collection(key.as_bytes(), own, None, 0);
    let hash = fixture.key(key).hash;
    fixture.database.insert(entry, hash);
}

#[test]
fn fields_go_when_their_time_is_up() {
    const HASHES: usize = 20;
    let mut fixture = Fixture::new();
    (0..HASHES).for_each(|number| add_hash(&mut fixture, &number.to_string(), 100));
    let lasting = fixture.key("0");
    fixture.database.edit(lasting, |entry| {
        hash::set(entry, b"lasting", b"", hash::Ttl::Clear, START_MS, HashLimits::default())
    });
    let (mut fields, mut emptied) = (0, 0);
    for now_ms in (START_MS..START_MS + 1200).step_by(50) {
        let mut called = false;
        while !called || fixture.database.next_due_ms().is_some_and(|next| next <= now_ms) {
            called = true;
            let mut told = 0;
            let count = fixture.database.expire_due(now_ms, 7, |passed| match passed {
                Passed::Key(_) => panic!("no key has a deadline"),
                Passed::Fields { count, .. } => told += count,
                Passed::LastFields { entry, count } => {
                    assert_eq!(LargeHash::len(entry.as_ref().form()), 0);
                    emptied += 1;
                    told += count;
                }
            });
            assert!(count <= 7);
            assert_eq!(count, told);
            fields += count;
        }
        fixture.database.check_invariants();
        // A record is up to 64 ms late, and a field that is due is seen by nobody.
        let due = HASHES as u64 * ((now_ms - START_MS) / 10).min(100);
        let late = HASHES as u64 * 8;
        assert!((due.saturating_sub(late)..=due).contains(&(fields as u64)), "{fields} of {due}");
    }
    assert_eq!((fields, emptied, fixture.database.len()), (100 * HASHES, HASHES - 1, 1));
    assert_eq!(fixture.database.next_due_ms(), None);
    assert_eq!(fixture.database.volatile_len(), 0);
    // A deadline that a verb gives is known, and so is a key's own that comes first.
    fixture.database.edit(lasting, |entry| {
        hash::set_deadline(entry, b"lasting", Some(START_MS + 5000), START_MS)
    });
    fixture.database.set_deadline(lasting, Some(START_MS + 4000));
    fixture.database.check_invariants();
    let mut is_told = false;
    fixture.database.expire_due(START_MS + 4100, 9, |passed| {
        is_told = matches!(passed, Passed::Key(_));
    });
    assert!(is_told && fixture.database.is_empty());
    fixture.database.check_invariants();
}

#[test]
fn entries_move_between_keys() {
    let mut fixture = Fixture::new();
    fixture.set("from", "value", Some(START_MS + 5));
    fixture.set("to", "other", None);
    let entry = fixture.database.remove(fixture.key("from")).unwrap().with_key(b"to");
    let hash = fixture.key("to").hash;
    let old = fixture.database.insert(entry, hash).unwrap();
    assert_eq!(old.as_ref().string().bytes(), b"other");
    let copy = Entry::duplicate(fixture.database.find(fixture.key("to")).unwrap(), b"copy");
    let hash = fixture.key("copy").hash;
    assert!(fixture.database.insert(copy, hash).is_none());
    fixture.database.check_invariants();
    assert_eq!(fixture.expire(START_MS + 100, 10).len(), 2);
    assert!(fixture.database.is_empty());
}

#[test]
fn due_entries_go_at_most_so_many_at_once() {
    let mut fixture = Fixture::new();
    for number in 0..1_000 {
        fixture.set(&number.to_string(), "v", Some(START_MS + number / 2));
        fixture.set(&format!("lasting {number}"), "v", None);
    }
    assert_eq!(fixture.expire(START_MS - 1_000_000, 10), [] as [String; 0]);
    let mut count = 0;
    while count < 1_000 {
        let expired = fixture.expire(START_MS + 1_000, 7).len();
        assert!(0 < expired && expired <= 7);
        count += expired;
    }
    assert_eq!(fixture.expire(START_MS + 1_000, 7), [] as [String; 0]);
    assert_eq!((fixture.database.len(), fixture.database.volatile_len()), (1_000, 0));
    assert_eq!(fixture.database.next_due_ms(), None);
}

#[test]
fn a_deadline_that_moves_later_costs_no_record() {
    let mut fixture = Fixture::new();
    for round in 0..50 {
        for number in 0..100 {
            fixture.set(&number.to_string(), "v", Some(START_MS + round * 1_000));
            let key = number.to_string();
            let key = fixture.key(&key);
            assert!(fixture.database.set_deadline(key, Some(START_MS + round * 1_000 + 500)));
        }
    }
    assert_eq!(fixture.records(), 100);
    assert_eq!(fixture.expire_all(START_MS + 20_000), 0);
    assert_eq!(fixture.records(), 100);
    assert_eq!(fixture.expire_all(START_MS + 49_564), 100);
    assert_eq!(fixture.records(), 0);
}

#[test]
fn stale_records_are_bounded() {
    let mut fixture = Fixture::new();
    for round in 0..200u64 {
        for number in 0..500 {
            let name = format!("{}", number);
            let key = fixture.key(&name);
            // Each way of leaving a record behind.
            match (number + round) % 4 {
                0 => drop(fixture.database.remove(key)),
                1 => drop(fixture.set(&name, "v", None)),
                _ => drop(fixture.set(&name, "v", Some(START_MS + 1_000_000 - round * 1_000))),
            }
        }
        let bound = fixture.database.volatile_len() * 3 / 2 + 1024 + fixture.database.len() / 64;
        assert!(fixture.records() <= bound + bound / 2 + 2, "{}", fixture.records());
        fixture.database.check_invariants();
    }
    while fixture.database.maintain(100) {}
    let volatile = fixture.database.volatile_len();
    assert_eq!(fixture.expire_all(START_MS + 2_000_000), volatile);
    assert_eq!(fixture.database.volatile_len(), 0);
}

#[test]
fn deadlines_survive_a_flood() {
    let mut fixture = Fixture::new();
    for number in 0..20_000 {
        fixture.set(&number.to_string(), "v", (number % 2 == 0).then_some(START_MS));
    }
    let names = (0..).map(|number| format!("flood {number}"));
    let names = names.filter(|name| fixture.hash.hash(name.as_bytes()) >> 52 == 0);
    for name in names.take(1_000).collect::<Vec<_>>() {
        fixture.set(&name, "v", Some(START_MS + 500));
    }
    assert!(0 < fixture.database.flood_count());
    while fixture.database.maintain(100) {}
    fixture.database.check_invariants();
    assert_eq!(fixture.expire_all(START_MS + 100), 10_000);
    assert_eq!(fixture.expire_all(START_MS + 1_000), 1_000);
}

#[test]
fn databases_change_places_and_go() {
    let hints: Arc<[PrefetchHint]> = (0..4).map(|_| PrefetchHint::default()).collect();
    let mut shard = Shard::new(2, Arc::clone(&hints), 2, SEED);
    let hash = KeyedHash::new(SEED);
    let key = Key { bytes: b"key", hash: hash.hash(b"key") };
    for db in 0..2 {
        shard.database(db).set_string(key, db.to_string().as_bytes(), None, 0);
    }
    shard.swap_databases(0, 1);
    shard.swap_databases(1, 1);
    let value =
        |shard: &Shard, db| Some(shard.database_ref(db).find(key)?.string().bytes().to_vec());
    assert_eq!(value(&shard, 0), Some(b"1".to_vec()));
    assert_eq!(value(&shard, 1), Some(b"0".to_vec()));
    let taken = shard.take_database(1).unwrap();
    assert_eq!((taken.len(), shard.database_ref(1).len()), (1, 0));
    (0..2).for_each(|db| shard.database_ref(db).check_invariants());
    std::thread::spawn(move || drop(taken)).join().unwrap();
    assert_eq!(shard.observe_ms(5), 5);
    assert_eq!(shard.observe_ms(3), 5);
    hints.iter().for_each(|hint| hint.prefetch(key.hash));
    shard.database_ref(0).prefetch_entry(key.hash);
    assert!(shard.memory_bytes() < 2_000);
}

#[derive(Clone, Debug)]
enum Call {
    Append(u8),
    Deadline(u8, Option<u64>),
    Expire(u64, u8),
    Maintain(u8),
    Move(u8, u8),
    Pass,
    Remove(u8),
    Set(u8, u8, Option<u64>),
}

fn call() -> impl Strategy<Value = Call> {
    let deadline = || {
        let span = prop_oneof![0..300u64, 0..100_000u64, 0..1_000_000_000_000u64];
        proptest::option::weighted(0.7, span)
    };
    prop_oneof![
        2 => any::<u8>().prop_map(Call::Append),
        4 => (any::<u8>(), deadline()).prop_map(|(key, deadline)| Call::Deadline(key, deadline)),
        3 => (prop_oneof![0..300u64, 0..100_000u64, 0..10_000_000u64], any::<u8>())
            .prop_map(|(span, max)| Call::Expire(span, max)),
        1 => any::<u8>().prop_map(Call::Maintain),
        1 => (any::<u8>(), any::<u8>()).prop_map(|(from, to)| Call::Move(from, to)),
        1 => Just(Call::Pass),
        3 => any::<u8>().prop_map(Call::Remove),
        8 => (any::<u8>(), any::<u8>(), deadline())
            .prop_map(|(key, len, deadline)| Call::Set(key, len, deadline)),
    ]
}

type Twin = BTreeMap<String, (Vec<u8>, Option<u64>)>;

fn run(fixture: &mut Fixture, twin: &mut Twin, now: &mut u64, call: Call) {
    // Two digits in the name give different lengths, so that entries differ in size.
    let name = |number: u8| format!("key {number}");
    let absolute = |span: Option<u64>| span.map(|span| *now + span);
    match call {
        Call::Append(number) => {
            let name = name(number);
            let key = fixture.key(&name);
            let len = fixture.database.edit(key, |entry| string::append(entry, b"more"));
            let expected = twin.get_mut(&name).map(|(value, _)| {
                value.extend_from_slice(b"more");
                value.len()
            });
            assert_eq!(len, expected);
        }
        Call::Deadline(number, span) => {
            let (name, deadline) = (name(number), absolute(span));
            let key = fixture.key(&name);
            let is_there = fixture.database.set_deadline(key, deadline);
            let expected = twin.get_mut(&name).map(|(_, twin)| *twin = deadline);
            assert_eq!(is_there, expected.is_some());
        }
        Call::Expire(span, max) => {
            *now += span;
            for name in fixture.expire(*now, max.into()) {
                let (_, deadline) = twin.remove(&name).unwrap();
                assert!(deadline.unwrap() < *now);
            }
            if fixture.database.next_due_ms().is_none_or(|next| *now < next) {
                // Nothing that has expired stays longer than a tick.
                let is_late = |deadline: Option<u64>| deadline.is_some_and(|it| it + 64 < *now);
                assert!(twin.values().all(|(_, deadline)| !is_late(*deadline)));
            }
        }
        Call::Maintain(budget) => drop(fixture.database.maintain(budget.into())),
        Call::Move(from, to) => {
            let (from, to) = (name(from), name(to));
            let Some(entry) = fixture.database.remove(fixture.key(&from)) else { return };
            let moved = twin.remove(&from).unwrap();
            twin.insert(to.clone(), moved);
            let hash = fixture.key(&to).hash;
            drop(fixture.database.insert(entry.with_key(to.as_bytes()), hash));
        }
        Call::Pass => {
            if let Some(deadlines) = &mut fixture.database.deadlines {
                deadlines.begin_pass();
            }
        }
        Call::Remove(number) => {
            let name = name(number);
            let removed = fixture.database.remove(fixture.key(&name));
            assert_eq!(removed.is_some(), twin.remove(&name).is_some());
        }
        Call::Set(number, len, span) => {
            let (name, value, deadline) = (name(number), "v".repeat(len.into()), absolute(span));
            drop(fixture.set(&name, &value, deadline));
            twin.insert(name, (value.into_bytes(), deadline));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 300 }))]

    #[test]
    fn calls_agree_with_a_twin(calls in proptest::collection::vec(call(), 1..300)) {
        let mut fixture = Fixture::new();
        let (mut twin, mut now) = (Twin::new(), START_MS);
        for call in calls {
            run(&mut fixture, &mut twin, &mut now, call);
            fixture.database.check_invariants();
            prop_assert_eq!(fixture.database.len(), twin.len());
            let volatile = twin.values().filter(|(_, deadline)| deadline.is_some()).count();
            prop_assert_eq!(fixture.database.volatile_len(), volatile);
        }
        for (name, (value, deadline)) in &twin {
            let entry = fixture.database.find(fixture.key(name)).unwrap();
            prop_assert_eq!(entry.string().bytes(), value);
            prop_assert_eq!(entry.deadline(), *deadline);
        }
        // Whatever happened to records, every volatile key has one that is early enough.
        now += 10_000_000_000_000;
        let volatile = fixture.database.volatile_len();
        prop_assert_eq!(fixture.expire_all(now), volatile);
        prop_assert_eq!(fixture.database.len(), twin.len() - volatile);
    }
}
