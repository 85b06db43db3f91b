//! Hashes against a map of the standard library.

use std::collections::BTreeMap;

use base::rand::Rng;
use proptest::prelude::*;

use super::*;
use crate::layout::home::Own;

const LIMITS: HashLimits = HashLimits { packed_entries_max: 8, packed_value_max: 16 };

/// Value and deadline.
type Model = BTreeMap<Vec<u8>, (Vec<u8>, Option<u64>)>;

#[derive(Clone, Debug)]
enum Step {
    Set(u8, usize, Option<u64>, bool),
    Delete(u8),
    SetDeadline(u8, Option<u64>),
    Purge(usize),
    Wait(u64),
    Freeze,
}

fn step(fields: u8) -> impl Strategy<Value = Step> {
    let field = || 0..fields;
    let after = || prop_oneof![2 => Just(None), 1 => (1..50_u64).prop_map(Some)];
    let len = prop_oneof![20 => 0..17_usize, 1 => Just(17_usize), 1 => Just(900)];
    prop_oneof![
        12 => (field(), len, after(), any::<bool>())
            .prop_map(|(field, len, after, keep)| Step::Set(field, len, after, keep)),
        4 => field().prop_map(Step::Delete),
        4 => (field(), after()).prop_map(|(field, after)| Step::SetDeadline(field, after)),
        1 => (0..5_usize).prop_map(Step::Purge),
        1 => (1..30_u64).prop_map(Step::Wait),
        1 => Just(Step::Freeze),
    ]
}

fn live(model: &Model, now_ms: u64) -> Model {
    let is_live = |deadline: Option<u64>| deadline.is_none_or(|deadline| now_ms <= deadline);
    let live = model.iter().filter(|(_, (_, deadline))| is_live(*deadline));
    live.map(|(field, found)| (field.clone(), found.clone())).collect()
}

fn check(own: &Own<LargeHash>, model: &Model, now_ms: u64, rng: &mut Rng) {
    let form = own.form();
    let live = live(model, now_ms);
    assert_eq!(len(form, now_ms), live.len());
    let found: BTreeMap<_, _> =
        iter(form, now_ms).map(|(field, value)| (field.to_vec(), value.to_vec())).collect();
    let wanted: BTreeMap<_, _> = live.iter().map(|(f, (v, _))| (f.clone(), v.clone())).collect();
    assert_eq!(found, wanted);
    for number in 0..4_u8 {
        let field = vec![number];
        let known = live.get(&field);
        assert_eq!(get(form, &field, now_ms), known.map(|(value, _)| &value[..]));
        assert_eq!(deadline(form, &field, now_ms), known.map(|(_, deadline)| *deadline));
    }
    let drawn = random(form, rng, now_ms).map(|(field, value)| (field.to_vec(), value.to_vec()));
    assert_eq!(drawn.is_some(), !wanted.is_empty());
    assert!(drawn.is_none_or(|(field, value)| wanted[&field] == value));
    let count = rng.index(wanted.len() + 2);
    let mut distinct = BTreeMap::new();
    random_distinct(form, rng, count, now_ms, |field, value| {
        assert!(distinct.insert(field.to_vec(), value.to_vec()).is_none());
    });
    assert_eq!(distinct.len(), count.min(wanted.len()));
    assert!(distinct.iter().all(|(field, value)| wanted[field] == *value));
    let mut scanned = BTreeMap::new();
    let mut cursor = 0;
    loop {
        cursor = scan(form, cursor, 3, now_ms, |field, value| {
            scanned.insert(field.to_vec(), value.to_vec());
        });
        if cursor == 0 {
            break;
        }
    }
    assert_eq!(scanned, wanted);
    if let Form::Large(large) = form {
        large.fields.check_invariants();
        let next = model.values().filter_map(|(_, deadline)| *deadline).min();
        assert_eq!(large.next_deadline_ms(), next);
    }
}

fn run(steps: Vec<Step>) {
    let mut own: Own<LargeHash> = Own::default();
    let mut model = Model::new();
    let mut frozen = Vec::new();
    let mut rng = Rng::new(5);
    let mut now_ms = 1000;
    for (index, step) in steps.into_iter().enumerate() {
        match step {
            Step::Set(field, len, after, keeps) => {
                let (field, value) = (vec![field], vec![index as u8; len]);
                let old = live(&model, now_ms).remove(&field);
                let (ttl, deadline) = match after {
                    Some(after) => (Ttl::At(now_ms + after), Some(now_ms + after)),
                    None if keeps => (Ttl::Keep, old.as_ref().and_then(|(_, deadline)| *deadline)),
                    None => (Ttl::Clear, None),
                };
                assert_eq!(set(&mut own, &field, &value, ttl, now_ms, LIMITS), old.is_none());
                model.insert(field, (value, deadline));
            }
            Step::Delete(field) => {
                let field = vec![field];
                let is_there = live(&model, now_ms).contains_key(&field);
                assert_eq!(delete(&mut own, &field, now_ms), is_there);
                if is_there {
                    model.remove(&field);
                }
            }
            Step::SetDeadline(field, after) => {
                let field = vec![field];
                let is_there = live(&model, now_ms).contains_key(&field);
                let deadline = after.map(|after| now_ms + after);
                assert_eq!(set_deadline(&mut own, &field, deadline, now_ms), is_there);
                if is_there {
                    model.get_mut(&field).unwrap().1 = deadline;
                }
            }
            Step::Purge(max) => {
                let due = model.len() - live(&model, now_ms).len();
                if let Some(large) = own.large_mut() {
                    assert_eq!(purge(large, now_ms, max, |_| {}), due.min(max));
                    model.retain(|field, _| large.fields.contains(field));
                }
            }
            Step::Wait(ms) => now_ms += ms,
            Step::Freeze => frozen.push((own.clone(), model.clone())),
        }
        check(&own, &model, now_ms, &mut rng);
        assert_eq!(LargeHash::len(own.form()), model.len());
    }
    for (own, model) in frozen {
        check(&own, &model, now_ms, &mut rng);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn small_hashes_are_maps(steps in proptest::collection::vec(step(6), 1..150)) {
        run(steps);
    }

    #[test]
    fn larger_hashes_are_maps(steps in proptest::collection::vec(step(200), 1..300)) {
        run(steps);
    }
}

#[test]
fn a_hash_turns_large_at_its_limits() {
    let filled = |count: u8| {
        let mut own: Own<LargeHash> = Own::default();
        (0..count).for_each(|field| {
            set(&mut own, &[field], b"value", Ttl::Clear, 0, LIMITS);
        });
        own
    };
    assert_eq!(encoding(filled(8).form()), Encoding::Packed);
    assert_eq!(encoding(filled(9).form()), Encoding::Table);
    for (field, value, expected) in [
        (&[7; 16][..], &[7; 16][..], Encoding::Packed),
        (&[7; 17], b"", Encoding::Table),
        (b"", &[7; 17], Encoding::Table),
    ] {
        let mut own = filled(2);
        set(&mut own, field, value, Ttl::Clear, 0, LIMITS);
        assert_eq!(encoding(own.form()), expected);
    }
}

#[test]
fn deadlines_make_a_small_hash_another_kind_of_list() {
    let mut own: Own<LargeHash> = Own::default();
    set(&mut own, b"a", b"1", Ttl::Clear, 0, LIMITS);
    assert!(set_deadline(&mut own, b"a", None, 0));
    assert_eq!(encoding(own.form()), Encoding::Packed);
    assert!(!set_deadline(&mut own, b"b", Some(5), 0));
    assert_eq!(encoding(own.form()), Encoding::Packed);
    assert!(set_deadline(&mut own, b"a", Some(5), 0));
    assert_eq!(encoding(own.form()), Encoding::PackedTimed);
    (0..7_u8).for_each(|field| {
        set(&mut own, &[field], b"", Ttl::Clear, 0, LIMITS);
    });
    assert_eq!(encoding(own.form()), Encoding::PackedTimed);
    set(&mut own, b"another", b"", Ttl::Clear, 0, LIMITS);
    assert_eq!(encoding(own.form()), Encoding::Table);
    let mut own: Own<LargeHash> = Own::default();
    set(&mut own, b"a", b"1", Ttl::At(9), 0, LIMITS);
    assert_eq!(encoding(own.form()), Encoding::PackedTimed);
    set(&mut own, b"a", &[0; 17], Ttl::Keep, 0, LIMITS);
    assert_eq!(encoding(own.form()), Encoding::Table);
    assert_eq!(deadline(own.form(), b"a", 0), Some(Some(9)));
}
