//! The table against naive twins, while it grows, shrinks, moves and is flooded.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use base::rand::Rng;
use proptest::prelude::*;

use super::*;
use crate::layout::entry::Entry;

struct Fixture {
    table: Table<Entry>,
    hash: Arc<KeyedHash>,
}

impl Fixture {
    fn new() -> Self {
        let hash = Arc::new(KeyedHash::new(42));
        Self { table: Table::new(Arc::clone(&hash)), hash }
    }

    fn with_len(len: usize) -> Self {
        let mut fixture = Self::new();
        (0..len).for_each(|number| fixture.insert(&name(number), "v"));
        fixture
    }

    fn key<'a>(&self, key: &'a str) -> Key<'a> {
        Key { bytes: key.as_bytes(), hash: self.hash.hash(key.as_bytes()) }
    }

    fn insert(&mut self, key: &str, value: &str) {
        let entry = Entry::string(key.as_bytes(), value.as_bytes(), None, 0);
        match self.table.entry(self.key(key)) {
            Lookup::Found(mut place) => drop(place.replace(entry)),
            Lookup::Missing(place) => place.insert(entry),
        }
    }

    fn remove(&mut self, key: &str) -> Option<Entry> {
        self.table.remove(self.key(key))
    }

    fn value(&self, key: &str) -> Option<String> {
        let entry = self.table.find(self.key(key))?;
        assert_eq!(entry.key(), key.as_bytes());
        Some(String::from_utf8(entry.string().bytes().to_vec()).unwrap())
    }

    fn scan(&self, cursor: u64, count: usize, seen: &mut HashMap<String, usize>) -> u64 {
        self.table.scan(cursor, count, |entry| {
            *seen.entry(String::from_utf8(entry.key().to_vec()).unwrap()).or_default() += 1;
        })
    }

    fn load(&self) -> f64 {
        let slots = self.table.memory_bytes() / BUCKET_SIZE * SLOT_COUNT;
        self.table.len() as f64 / slots as f64
    }

    fn settle(&mut self) {
        while self.table.maintain(1000) {}
    }
}

fn name(number: usize) -> String {
    format!("key:{number:012}")
}

/// Few enough for an interpreter, many otherwise.
fn sized(len: usize) -> usize {
    if cfg!(miri) { len / 100 } else { len }
}

#[test]
fn an_empty_table_has_nothing() {
    let mut fixture = Fixture::new();
    assert_eq!(fixture.table.memory_bytes(), 0);
    assert!(fixture.value("a").is_none());
    assert!(fixture.remove("a").is_none());
    assert!(fixture.table.random(&mut Rng::new(1)).is_none());
    assert_eq!(fixture.table.scan(0, 10, |_| panic!("there is nothing")), 0);
    assert!(!fixture.table.maintain(1));
    fixture.table.check_invariants();
}

#[test]
fn the_load_stays_where_it_should() {
    let mut fixture = Fixture::new();
    let (mut lowest, mut highest) = (1.0f64, 0.0f64);
    for number in 0..sized(100_000) {
        fixture.insert(&name(number), "v");
        if 1000 < number && fixture.table.migration.is_none() {
            (lowest, highest) = (lowest.min(fixture.load()), highest.max(fixture.load()));
        }
    }
    if !cfg!(miri) {
        assert!(0.68 < lowest && highest < 0.88, "{lowest} to {highest}");
    }
    for number in 0..sized(100_000) {
        assert!(fixture.value(&name(number)).is_some());
        assert!(fixture.value(&name(number + 1_000_000)).is_none());
    }
    // And back: at most half empty, however many go.
    for number in 0..sized(99_000) {
        assert!(fixture.remove(&name(number)).is_some());
        if number + 1000 < sized(99_000) && fixture.table.migration.is_none() {
            assert!(0.55 < fixture.load());
        }
    }
    fixture.settle();
    fixture.table.check_invariants();
    assert!(fixture.table.memory_bytes() < sized(1_000).max(100) * 20);
}

#[test]
fn few_lines_are_read_at_the_highest_load() {
    let mut fixture = Fixture::new();
    let mut number = 0;
    while fixture.table.array.count() < sized(20_000)
        || fixture.table.len() + 1 < fixture.table.grow_at
        || fixture.table.migration.is_some()
    {
        fixture.insert(&name(number), "v");
        number += 1;
    }
    let array = &fixture.table.array;
    let mut distances = [0usize; 16];
    for home in 0..array.count() {
        for place in array.at_home(home) {
            distances[array.at(place).displacement()] += 1;
        }
    }
    let reaches: usize = (0..array.count()).map(|home| array.bucket(home).reach()).sum();
    let miss = 1.0 + reaches as f64 / array.count() as f64;
    let total: usize = distances.iter().enumerate().map(|(at, count)| at * count).sum();
    let hit = 1.0 + total as f64 / fixture.table.len() as f64;
    assert_eq!(distances[12..], [0; 4], "{distances:?}");
    assert!(hit < 1.5 && miss < 1.8, "{hit} {miss} {distances:?}");
    assert_eq!(fixture.table.flood_count(), 0);
}

#[test]
fn a_scan_visits_each_once_if_nothing_changes() {
    for len in [1, 6, 7, 100, 3_000, 30_000].map(|len| if cfg!(miri) { len.min(100) } else { len })
    {
        let fixture = Fixture::with_len(len);
        for count in [1, 10, 1_000, 1_000_000] {
            let (mut seen, mut cursor, mut calls) = (HashMap::new(), 0, 0);
            loop {
                let before = seen.len();
                cursor = fixture.scan(cursor, count, &mut seen);
                assert!(cursor >> CURSOR_BITS == 0);
                calls += 1;
                if cursor == 0 {
                    break;
                }
                assert!(before + count <= seen.len());
            }
            assert_eq!(seen.len(), len);
            assert!(seen.values().all(|times| *times == 1));
            assert!(calls <= len / count + 1);
        }
    }
}

#[test]
fn a_scan_survives_growth_and_shrinkage() {
    let lasting = sized(20_000);
    let mut fixture = Fixture::with_len(lasting);
    let (mut seen, mut cursor, mut extra, mut rng) = (HashMap::new(), 0, lasting, Rng::new(5));
    let mut is_growing = true;
    loop {
        cursor = fixture.scan(cursor, 10, &mut seen);
        if cursor == 0 {
            break;
        }
        for _ in 0..rng.below(200) {
            if is_growing {
                fixture.insert(&name(extra), "v");
                extra += 1;
            } else if lasting < extra {
                extra -= 1;
                fixture.remove(&name(extra));
            }
        }
        if 4 * lasting < extra || extra == lasting {
            is_growing = !is_growing;
        }
    }
    for number in 0..lasting {
        // Once, since nothing but the table's size has changed.
        assert_eq!(seen.get(&name(number)), Some(&1), "{number}");
    }
}

#[test]
fn random_items_are_about_equally_likely() {
    for extra in [0, 1, 2, 40] {
        // The last insertions catch the table on the way to another array.
        let mut fixture = Fixture::with_len(sized(12_000));
        while fixture.table.migration.is_none() && 0 < extra {
            let len = fixture.table.len();
            fixture.insert(&name(len), "v");
        }
        (0..extra).for_each(|number| fixture.insert(&format!("extra {number}"), "v"));
        let mut rng = Rng::new(7);
        let mut counts: HashMap<Vec<u8>, usize> = HashMap::new();
        let draws = 20 * fixture.table.len();
        for _ in 0..draws {
            *counts.entry(fixture.table.random(&mut rng).unwrap().key().to_vec()).or_default() += 1;
        }
        assert!(fixture.table.len() * 99 / 100 <= counts.len());
        assert!(*counts.values().max().unwrap() < 70);
    }
}

#[test]
fn sifting_finds_all_with_the_prefix() {
    let mut fixture = Fixture::with_len(sized(5_000));
    for number in 0..sized(5_000) {
        let prefix = fixture.table.prefix(fixture.key(&name(number)));
        assert_eq!(prefix, fixture.table.prefix_of(name(number).as_bytes()));
        let mut visited = Vec::new();
        fixture.table.sift(
            prefix,
            |item| {
                visited.push(item.as_ref().key().to_vec());
                true
            },
            |_| panic!("all are kept"),
        );
        assert!(visited.contains(&name(number).into_bytes()));
        let mut removed = Vec::new();
        let is_odd = number % 2 == 1;
        let keep = |item: <Entry as Item>::Mut<'_>| {
            !is_odd || item.as_ref().key() != name(number).as_bytes()
        };
        fixture.table.sift(prefix, keep, |entry| removed.push(entry));
        assert_eq!(removed.len(), usize::from(is_odd));
    }
    assert_eq!(fixture.table.len(), sized(5_000) / 2);
    fixture.table.check_invariants();
}

#[test]
fn a_scan_that_removes_what_it_finds_does_no_harm() {
    for len in [100, 3_000, sized(60_000)] {
        let mut fixture = Fixture::with_len(len);
        let mut cursor = 0;
        loop {
            let mut seen = HashMap::new();
            cursor = fixture.scan(cursor, 10, &mut seen);
            seen.keys().for_each(|key| assert!(fixture.remove(key).is_some()));
            assert!(fixture.table.stash.len() < 100, "{}", fixture.table.stash.len());
            if cursor == 0 {
                break;
            }
        }
        assert_eq!((fixture.table.len(), fixture.table.flood_count()), (0, 0));
        fixture.settle();
        fixture.table.check_invariants();
        assert!(fixture.table.memory_bytes() <= BUCKET_SIZE * 10);
    }
}

#[test]
fn half_a_table_may_go_and_come_back() {
    let mut fixture = Fixture::with_len(sized(40_000));
    let half = fixture.table.len() / 2;
    let (mut cursor, mut removed) = (0, 0);
    while removed < half {
        let mut seen = HashMap::new();
        cursor = fixture.scan(cursor, 10, &mut seen);
        removed += seen.len();
        seen.keys().for_each(|key| assert!(fixture.remove(key).is_some()));
    }
    fixture.table.check_invariants();
    for number in 0..sized(60_000) {
        fixture.insert(&format!("more:{number}"), "v");
        assert!(fixture.table.stash.len() < 100);
    }
    fixture.settle();
    fixture.table.check_invariants();
    assert!(fixture.table.stash.is_empty());
}

#[test]
fn items_may_come_in_the_order_of_the_hash() {
    let fixture = Fixture::with_len(sized(20_000));
    let mut copy = Fixture::new();
    let mut cursor = 0;
    loop {
        let mut names = Vec::new();
        cursor = fixture.table.scan(cursor, 10, |entry| {
            names.push(String::from_utf8(entry.key().to_vec()).unwrap());
        });
        names.iter().for_each(|name| copy.insert(name, "v"));
        assert!(copy.table.stash.len() < 100, "{}", copy.table.stash.len());
        if cursor == 0 {
            break;
        }
    }
    copy.settle();
    copy.table.check_invariants();
    assert!(copy.table.stash.is_empty());
    assert_eq!(copy.table.len(), fixture.table.len());
}

/// Keys whose home is in the first 4096th of the table, as an attacker who knows the hash has them.
fn colliding(hash: &KeyedHash, count: usize) -> Vec<String> {
    let names = (0..).map(|number| format!("flood:{number}"));
    names.filter(|name| hash.hash(name.as_bytes()) >> 52 == 0).take(count).collect()
}

#[test]
#[cfg_attr(miri, expect(unused, reason = "finding the keys takes too long"))]
fn a_flood_orders_the_table_anew() {
    if cfg!(miri) {
        return;
    }
    let mut fixture = Fixture::with_len(20_000);
    let flood = colliding(&fixture.hash, 1_000);
    let (mut seen, mut cursor) = (HashMap::new(), 0);
    let mut scan_some = |fixture: &Fixture, calls: usize| {
        for _ in 0..calls {
            cursor = fixture.scan(cursor, 10, &mut seen);
            if cursor == 0 {
                return std::mem::take(&mut seen);
            }
        }
        HashMap::new()
    };
    scan_some(&fixture, 700);
    for (number, name) in flood.iter().enumerate() {
        fixture.insert(name, "v");
        assert_eq!(fixture.table.len(), 20_001 + number);
        if number % 10 == 0 {
            fixture.table.check_invariants();
            flood[..=number].iter().for_each(|name| assert!(fixture.value(name).is_some()));
        }
        scan_some(&fixture, 1);
    }
    assert!(0 < fixture.table.flood_count());
    assert_ne!(fixture.table.generation(), 0);
    fixture.settle();
    assert!(fixture.table.stash.is_empty());
    assert!(fixture.table.migration.is_none());
    fixture.table.check_invariants();
    let mut seen = HashMap::new();
    while seen.is_empty() {
        seen = scan_some(&fixture, 100);
    }
    (0..20_000).for_each(|number| {
        assert!(fixture.value(&name(number)).is_some());
        assert!(seen.contains_key(&name(number)), "{number}");
    });
    for name in &flood {
        assert!(fixture.remove(name).is_some());
    }
    fixture.table.check_invariants();
    // It also goes on growing and shrinking.
    (0..20_000).for_each(|number| fixture.insert(&format!("more:{number}"), "v"));
    (0..20_000).for_each(|number| drop(fixture.remove(&name(number)).unwrap()));
    fixture.settle();
    fixture.table.check_invariants();
    assert_eq!(fixture.table.len(), 20_000);
}

#[test]
fn an_edit_that_panics_leaves_the_item() {
    let mut fixture = Fixture::with_len(10);
    let key = fixture.key("key:000000000003");
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let Lookup::Found(mut place) = fixture.table.entry(key) else { panic!("it is there") };
        place.edit(|entry| {
            entry.resize_value(1_000);
            panic!("in the middle");
        })
    }));
    assert!(result.is_err());
    assert_eq!(fixture.value("key:000000000003").unwrap().len(), 1_000);
    fixture.table.check_invariants();
}

#[derive(Clone, Debug)]
enum Call {
    Insert(u16),
    InsertMany(u16, u8),
    Maintain(u8),
    Remove(u16),
    RemoveMany(u16, u8),
    ScanBegin,
    ScanOn(u8),
}

fn call() -> impl Strategy<Value = Call> {
    prop_oneof![
        4 => (0..2_000u16).prop_map(Call::Insert),
        2 => (0..2_000u16, any::<u8>()).prop_map(|(from, count)| Call::InsertMany(from, count)),
        1 => any::<u8>().prop_map(Call::Maintain),
        4 => (0..2_000u16).prop_map(Call::Remove),
        2 => (0..2_000u16, any::<u8>()).prop_map(|(from, count)| Call::RemoveMany(from, count)),
        1 => Just(Call::ScanBegin),
        4 => any::<u8>().prop_map(Call::ScanOn),
    ]
}

/// A scan in progress, and the keys that were there since it began.
#[derive(Default)]
struct Scan {
    cursor: u64,
    is_running: bool,
    lasting: BTreeSet<String>,
    seen: HashMap<String, usize>,
}

struct Model {
    fixture: Fixture,
    twin: BTreeMap<String, String>,
    scan: Scan,
    step: usize,
}

impl Model {
    fn run(&mut self, call: Call) {
        self.step += 1;
        match call {
            Call::Insert(number) => self.insert(number),
            Call::InsertMany(from, count) => {
                (from..from + u16::from(count)).for_each(|number| self.insert(number));
            }
            Call::Maintain(budget) => {
                self.fixture.table.maintain(usize::from(budget));
            }
            Call::Remove(number) => self.remove(number),
            Call::RemoveMany(from, count) => {
                (from..from + u16::from(count)).for_each(|number| self.remove(number));
            }
            Call::ScanBegin => {
                let lasting = self.twin.keys().cloned().collect();
                self.scan = Scan { is_running: true, lasting, ..Scan::default() };
            }
            Call::ScanOn(count) if self.scan.is_running => {
                let scan = &mut self.scan;
                scan.cursor = self.fixture.scan(scan.cursor, usize::from(count), &mut scan.seen);
                if scan.cursor == 0 {
                    scan.is_running = false;
                    assert!(scan.lasting.iter().all(|key| scan.seen.get(key) == Some(&1)));
                }
            }
            Call::ScanOn(_) => {}
        }
        self.fixture.table.check_invariants();
        assert_eq!(self.fixture.table.len(), self.twin.len());
    }

    fn insert(&mut self, number: u16) {
        let (key, value) = (name(number.into()), self.step.to_string());
        self.fixture.insert(&key, &value);
        self.twin.insert(key, value);
    }

    fn remove(&mut self, number: u16) {
        let key = name(number.into());
        self.scan.lasting.remove(&key);
        assert_eq!(self.fixture.remove(&key).is_some(), self.twin.remove(&key).is_some());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 200 }))]

    #[test]
    fn calls_agree_with_a_twin(calls in proptest::collection::vec(call(), 1..sized(150).max(5))) {
        let mut model = Model {
            fixture: Fixture::new(),
            twin: BTreeMap::new(),
            scan: Scan::default(),
            step: 0,
        };
        calls.into_iter().for_each(|call| model.run(call));
        for number in 0..2_300 {
            let key = name(number);
            prop_assert_eq!(model.fixture.value(&key), model.twin.get(&key).cloned());
        }
    }
}
