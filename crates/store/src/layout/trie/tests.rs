//! The hash trie against maps of the standard library.

use std::collections::{BTreeMap, BTreeSet};

use base::rand::Rng;
use proptest::prelude::*;

use super::*;

/// Hashes that agree in more bits than chance allows, for keys that ask for it.
pub(super) fn chosen_hash(key: &[u8]) -> Option<u64> {
    if key.starts_with(b"same:") {
        return Some(0x0123_4567_89ab_cdef);
    }
    let rest = key.strip_prefix(b"deep:")?;
    Some(KeyedHash::new(0).hash(rest) >> 44)
}

/// A deadline beside each key, as hashes have it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Timed(u64);

impl Payload for Timed {
    const LEN: usize = 8;
    const HAS_VALUE: bool = true;
    type Due = u64;
    const NEVER: u64 = u64::MAX;

    fn due(self) -> u64 {
        if self.0 == 0 { u64::MAX } else { self.0 }
    }

    fn write(self, bytes: &mut [u8]) {
        bytes.copy_from_slice(&self.0.to_le_bytes());
    }

    fn read(bytes: &[u8]) -> Self {
        Self(u64::from_le_bytes(bytes.try_into().unwrap()))
    }
}

type Model = BTreeMap<Vec<u8>, (Timed, Vec<u8>)>;

fn check_equal(trie: &Trie<Timed>, model: &Model) {
    assert_eq!(trie.len(), model.len());
    let found: BTreeMap<_, _> =
        trie.iter().map(|e| (e.key.to_vec(), (e.payload, e.value.to_vec()))).collect();
    assert_eq!(&found, model);
    let due = model.values().map(|(payload, _)| payload.due()).min().unwrap_or(u64::MAX);
    assert_eq!(trie.due(), due);
    let count_due = model.values().filter(|(payload, _)| payload.due() < 500).count();
    assert_eq!(trie.count_due_before(500), count_due);
}

#[derive(Clone, Debug)]
enum Step {
    Insert(u16, u64, usize),
    Remove(u16),
    /// Due before this, at most so many.
    RemoveDue(u64, usize),
    SetPayload(u16, u64),
    Edit(u16, u8),
    Freeze,
    Thaw,
}

fn key(pool: &str, number: u16) -> Vec<u8> {
    // Some keys are long, and a few longer than a page wants them.
    let len = match number % 50 {
        0 => 700,
        1 => 62,
        2 => 63,
        3 => 0,
        _ => 5,
    };
    let mut key = format!("{pool}{number}").into_bytes();
    key.resize(key.len() + len, b'.');
    key
}

fn steps(keys: u16) -> impl Strategy<Value = Vec<Step>> {
    let number = 0..keys;
    let len = prop_oneof![8 => 0usize..20, 1 => 250usize..260, 1 => 480usize..520, 1 => Just(3000)];
    let due = prop_oneof![3 => Just(0u64), 1 => 1u64..1000];
    let step = prop_oneof![
        8 => (number.clone(), due.clone(), len).prop_map(|(a, b, c)| Step::Insert(a, b, c)),
        6 => number.clone().prop_map(Step::Remove),
        1 => (1u64..1000, prop_oneof![1usize..5, Just(usize::MAX)])
            .prop_map(|(limit, max)| Step::RemoveDue(limit, max)),
        2 => (number.clone(), due).prop_map(|(a, b)| Step::SetPayload(a, b)),
        2 => (number, any::<u8>()).prop_map(|(a, b)| Step::Edit(a, b)),
        1 => Just(Step::Freeze),
        1 => Just(Step::Thaw),
    ];
    proptest::collection::vec(step, 1..400)
}

fn run(pool: &str, filled: u16, steps: &[Step]) {
    let mut trie = Trie::new();
    let mut model = Model::new();
    for number in 0..filled {
        trie.insert(&key(pool, number), Timed(0), b"start");
        model.insert(key(pool, number), (Timed(0), b"start".to_vec()));
    }
    let mut frozen: Vec<(Trie<Timed>, Model)> = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        match *step {
            Step::Insert(number, due, len) => {
                let (key, value) = (key(pool, number), vec![index as u8; len]);
                let is_new = trie.insert(&key, Timed(due), &value);
                assert_eq!(is_new, model.insert(key, (Timed(due), value)).is_none());
            }
            Step::Remove(number) => {
                let key = key(pool, number);
                assert_eq!(trie.remove(&key), model.remove(&key).is_some());
            }
            Step::RemoveDue(limit, max) => {
                let is_due = |(_, (payload, _)): &(&Vec<u8>, &(Timed, _))| payload.due() < limit;
                let due: Vec<Vec<u8>> =
                    model.iter().filter(is_due).map(|(key, _)| key.clone()).collect();
                let count = due.len().min(max);
                assert_eq!(trie.remove_due_before(limit, max, |_| {}), count);
                // Which of them went is not said.
                let gone = due.iter().filter(|key| trie.get(key).is_none());
                let removed = gone.map(|key| model.remove(key)).count();
                assert_eq!(removed, count);
            }
            Step::SetPayload(number, due) => {
                let key = key(pool, number);
                let known = model.get_mut(&key).map(|(payload, _)| *payload = Timed(due));
                assert_eq!(trie.set_payload(&key, Timed(due)), known.is_some());
            }
            Step::Edit(number, byte) => {
                let key = key(pool, number);
                let edited = trie.edit_value(&key, |value| value.fill(byte));
                let known = model.get_mut(&key).map(|(_, value)| value.fill(byte));
                assert_eq!(edited, known);
            }
            Step::Freeze => frozen.push((trie.clone(), model.clone())),
            Step::Thaw => {
                if let Some((trie, model)) = frozen.pop() {
                    check_equal(&trie, &model);
                }
            }
        }
        trie.check_invariants();
        let number = index as u16 % 100;
        let known = model.get(&key(pool, number));
        let found = trie.get(&key(pool, number)).map(|e| (e.payload, e.value.to_vec()));
        assert_eq!(found.as_ref(), known);
    }
    check_equal(&trie, &model);
    for (trie, model) in frozen {
        trie.check_invariants();
        check_equal(&trie, &model);
    }
    for key in model.keys() {
        assert!(trie.remove(key));
    }
    trie.check_invariants();
    assert_eq!((trie.len(), trie.page_count()), (0, 1));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn small_tries_are_maps(steps in steps(60)) {
        run("", 0, &steps);
    }

    #[test]
    fn tries_of_some_pages_are_maps(steps in steps(2000)) {
        run("", 900, &steps);
    }

    #[test]
    fn keys_with_one_hash_are_told_apart(steps in steps(400)) {
        run("same:", 300, &steps);
    }

    #[test]
    fn deep_tries_are_maps(steps in steps(800)) {
        run("deep:", 600, &steps);
    }

    #[test]
    fn an_index_is_a_multimap(
        steps in proptest::collection::vec((0u32..700, 0u64..4, any::<u8>()), 1..1200),
        shift in 0u32..24,
    ) {
        let mut index = Index::new();
        let mut model: BTreeMap<(u32, u64), usize> = BTreeMap::new();
        let mut frozen = None;
        for (step, (hash, payload, action)) in steps.into_iter().enumerate() {
            let hash = hash.wrapping_mul(0x9e37_79b9) >> shift;
            if step == 500 {
                frozen = Some((index.clone(), model.clone()));
            }
            match action % 8 {
                0..5 => {
                    index.insert(hash, payload);
                    *model.entry((hash, payload)).or_default() += 1;
                }
                5 | 6 => {
                    let known = model.get_mut(&(hash, payload)).filter(|count| 0 < **count);
                    assert_eq!(index.remove(hash, payload), known.is_some());
                    if let Some(count) = known {
                        *count -= 1;
                    }
                }
                _ => {
                    let known = model.get_mut(&(hash, payload)).filter(|count| 0 < **count);
                    assert_eq!(index.replace(hash, payload, 9), known.is_some());
                    if let Some(count) = known {
                        *count -= 1;
                        *model.entry((hash, 9)).or_default() += 1;
                    }
                }
            }
            let found = index.find(hash, |other| other == payload).is_some();
            assert_eq!(found, model.get(&(hash, payload)).is_some_and(|count| 0 < *count));
        }
        for (index, mut model) in frozen.into_iter().chain([(index, model)]) {
            index.check_invariants();
            model.retain(|_, count| *count != 0);
            let mut found: BTreeMap<(u32, u64), usize> = BTreeMap::new();
            index.iter().for_each(|element| *found.entry(element).or_default() += 1);
            assert_eq!(found, model);
            assert_eq!(index.len(), model.values().sum::<usize>());
        }
    }
}

fn member(number: usize) -> Vec<u8> {
    format!("member:{number:010}").into_bytes()
}

/// A set of `len` members of 17 bytes.
fn set(len: usize) -> Trie<()> {
    let mut trie = Trie::new();
    for number in 0..len {
        assert!(trie.insert(&member(number), (), b""));
    }
    trie
}

#[test]
fn elements_take_little_more_than_their_bytes() {
    const LEN: usize = 200_000;
    let set = set(LEN);
    set.check_invariants();
    let per_member = set.memory_bytes() as f64 / LEN as f64;
    assert!(per_member < 25.5, "17 bytes take {per_member}");
    let mut hash = Trie::new();
    let mut index = Index::new();
    for number in 0..LEN {
        let field = format!("field:{number:010}");
        assert!(hash.insert(field.as_bytes(), Timed(0), b"sixteen bytes.."));
        index.insert(Index::<u64>::hash(field.as_bytes()), number as u64);
    }
    let per_field = hash.memory_bytes() as f64 / LEN as f64;
    assert!(per_field < 43.0, "31 bytes take {per_field}");
    let per_score = index.memory_bytes() as f64 / LEN as f64;
    assert!(per_score < 16.5, "12 bytes take {per_score}");
}

#[test]
fn a_small_trie_takes_little_too() {
    for len in [130, 300, 600, 1000, 5000, 20_000, 30_000, 50_000] {
        let per_member = set(len).memory_bytes() as f64 / len as f64;
        assert!(per_member < 30.0, "17 bytes of {len} take {per_member}");
    }
}

#[test]
fn what_was_removed_gives_its_memory_back() {
    const LEN: usize = 50_000;
    let mut trie = set(LEN);
    for number in 0..LEN {
        if number % 10 != 0 {
            assert!(trie.remove(&member(number)));
        }
    }
    trie.check_invariants();
    let per_member = trie.memory_bytes() as f64 / (LEN / 10) as f64;
    assert!(per_member < 30.0, "{per_member}");
    for number in (0..LEN).step_by(10) {
        assert!(trie.remove(&member(number)));
    }
    assert_eq!(trie.page_count(), 1);
    assert!(trie.memory_bytes() <= 64, "{}", trie.memory_bytes());
}

#[test]
fn a_scan_finds_all_that_stays() {
    let mut trie = set(3000);
    for number in 0..500 {
        trie.insert(format!("same:{number}").as_bytes(), (), b"");
    }
    let mut rng = Rng::new(1);
    for count in [1, 10, 300, usize::MAX] {
        let mut seen = BTreeSet::new();
        let mut cursor = 0;
        let mut short_count = 0;
        loop {
            let mut visited = 0;
            cursor = trie.scan(cursor, count, |element| {
                visited += 1;
                seen.insert(element.key.to_vec());
            });
            assert!(cursor < 1 << CURSOR_BITS);
            // Around the hash that many share there are empty pages.
            short_count += usize::from(visited < count);
            assert!(visited <= count || (500..=count.saturating_add(500)).contains(&visited));
            if cursor == 0 {
                assert!(short_count <= 10);
                break;
            }
            // Members above a thousand come and go.
            for _ in 0..20 {
                let other = member(1000 + rng.index(6000));
                if !trie.insert(&other, (), b"") {
                    trie.remove(&other);
                }
            }
        }
        assert!((0..1000).all(|number| seen.contains(&member(number))));
        assert!((0..500).all(|number| seen.contains(format!("same:{number}").as_bytes())));
    }
}

#[test]
fn chance_favours_nobody() {
    const LEN: usize = 1000;
    let trie = set(LEN);
    let mut rng = Rng::new(2);
    let mut counts: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
    for _ in 0..200 * LEN {
        let element = trie.random(&mut rng).expect("it is not empty");
        *counts.entry(element.key.to_vec()).or_default() += 1;
    }
    assert_eq!(counts.len(), LEN);
    // 200 expected, standard deviation 14: six of them either way.
    assert!(counts.values().all(|count| (115..285).contains(count)), "{counts:?}");
    for count in [0, 1, 10, 62, 63, 500, 999, 1000, 2000] {
        let mut seen = BTreeSet::new();
        trie.random_distinct(&mut rng, count, |element| {
            assert!(seen.insert(element.key.to_vec()));
        });
        assert_eq!(seen.len(), count.min(LEN));
    }
    assert!(Trie::<()>::new().random(&mut rng).is_none());
}

#[test]
fn each_index_has_its_element() {
    let trie = set(2000);
    for (index, element) in trie.iter().enumerate() {
        assert_eq!(trie.at(index), element);
    }
}

#[test]
fn a_write_after_a_freeze_copies_one_path() {
    let mut trie = set(100_000);
    let frozen = trie.clone();
    trie.insert(b"another", (), b"");
    assert_eq!((trie.len(), frozen.len()), (100_001, 100_000));
    assert!(trie.contains(b"another") && !frozen.contains(b"another"));
    let pages = |trie: &Trie<()>| {
        trie.tree.pages().map(|page| page.element(0).key.as_ptr()).collect::<BTreeSet<_>>()
    };
    let copied = pages(&trie).difference(&pages(&frozen)).count();
    assert!(copied <= 2, "{copied} pages were copied");
    drop(trie);
    frozen.check_invariants();
}
