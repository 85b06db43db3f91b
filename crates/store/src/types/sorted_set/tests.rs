//! Tests of sorted sets: random calls against a map of the standard library, at tight limits.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::layout::entry::Entry;
use crate::layout::home::Own;
use crate::types::limits::SetLimits;
use crate::types::set::{self as plain, LargeSet};

const TIGHT: SortedSetLimits = SortedSetLimits { packed_entries_max: 12, packed_value_max: 8 };

type Twin = BTreeMap<Vec<u8>, f64>;

fn ordered(twin: &Twin) -> Vec<(f64, Vec<u8>)> {
    let mut items: Vec<_> = twin.iter().map(|(member, score)| (*score, member.clone())).collect();
    items.sort_by(|a, b| a.partial_cmp(b).unwrap());
    items
}

fn items<'a>(items: impl Iterator<Item = Item<'a>>) -> Vec<(f64, Vec<u8>)> {
    items.map(|item| (item.score, item.member.to_vec())).collect()
}

#[derive(Clone, Debug)]
enum Call {
    Add(Vec<u8>, f64),
    Change(usize, f64),
    Freeze,
    Remove(usize),
    RemoveRanks(usize, usize),
}

fn a_score() -> impl Strategy<Value = f64> {
    prop_oneof![
        6 => (-4..5_i32).prop_map(f64::from),
        2 => any::<f64>().prop_filter("a number", |score| !score.is_nan()),
        1 => prop::sample::select(vec![f64::INFINITY, f64::NEG_INFINITY, -0.0, 0.1]),
    ]
}

fn member() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        9 => (0..60_u32).prop_map(|number| format!("m{number}").into_bytes()),
        1 => prop::collection::vec(0..3_u8, 0..12),
    ]
}

fn call() -> impl Strategy<Value = Call> {
    prop_oneof![
        8 => (member(), a_score()).prop_map(|(member, score)| Call::Add(member, score)),
        4 => (any::<usize>(), a_score()).prop_map(|(at, score)| Call::Change(at, score)),
        3 => any::<usize>().prop_map(Call::Remove),
        1 => (any::<usize>(), 0..6_usize).prop_map(|(at, count)| Call::RemoveRanks(at, count)),
        1 => Just(Call::Freeze),
    ]
}

fn apply(home: &mut impl Home<LargeSortedSet>, twin: &mut Twin, call: Call) {
    let nth = |twin: &Twin, at: usize| twin.keys().nth(at % twin.len().max(1)).cloned();
    match call {
        Call::Add(member, score) => {
            let old = twin.insert(member.clone(), score);
            let change = set(home, &member, score, &TIGHT);
            assert_eq!(change, Change { old, new: Some(score) });
        }
        Call::Change(at, score) => {
            let Some(member) = nth(twin, at) else { return };
            set(home, &member, score, &TIGHT);
            twin.insert(member, score);
        }
        Call::Remove(at) => {
            let Some(member) = nth(twin, at) else { return };
            assert!(remove(home, &member));
            assert!(!remove(home, &member));
            twin.remove(&member);
        }
        Call::RemoveRanks(at, count) => {
            let start = at % (twin.len() + 1);
            let end = (start + count).min(twin.len());
            ordered(twin)[start..end].iter().for_each(|(_, member)| {
                twin.remove(member);
            });
            remove_ranks(home, start..end);
        }
        Call::Freeze => {}
    }
}

fn check(form: Form<'_, LargeSortedSet>, twin: &Twin) {
    check_invariants(form);
    let wanted = ordered(twin);
    assert_eq!(LargeSortedSet::len(form), wanted.len());
    assert_eq!(items(all(form)), wanted);
    let mut back = items(iter_back(form, 0..wanted.len()));
    back.reverse();
    assert_eq!(back, wanted);
    for (place, (value, member)) in wanted.iter().enumerate() {
        assert_eq!(rank(form, member), Some((place, *value)));
        assert_eq!(score(form, member), Some(*value));
        assert_eq!(at(form, place), Some(Item { member, score: *value }));
        let before = wanted.iter().filter(|(other, _)| other < value).count();
        assert_eq!(count_before(form, Bound::BeforeScore(*value)), before);
        assert_eq!(count_before(form, Bound::After(*value, member)), place + 1);
    }
    assert_eq!(at(form, wanted.len()), None);
    assert_eq!(rank(form, b"nobody"), None);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn calls_do_what_a_map_does(calls in prop::collection::vec(call(), 1..80)) {
        let mut entry = Entry::collection::<LargeSortedSet>(b"key", Own::default(), None, 0);
        let mut twin = Twin::new();
        let mut frozen: Vec<(Entry, Twin)> = Vec::new();
        for call in calls {
            if matches!(call, Call::Freeze) {
                frozen.push((Entry::duplicate(entry.as_ref(), b"copy"), twin.clone()));
            }
            apply(&mut entry, &mut twin, call);
            check(entry.as_ref().form(), &twin);
        }
        for (entry, twin) in &frozen {
            check(entry.as_ref().form(), twin);
        }
    }

    #[test]
    fn a_scan_finds_all_that_stay_while_scores_change(
        moves in prop::collection::vec((any::<usize>(), a_score(), any::<bool>()), 0..200),
        count in 1..20_usize,
        scores in 1..40_u32,
    ) {
        let (mut home, mut rest) = (Own::<LargeSortedSet>::default(), moves.iter());
        let name = |number: usize| format!("member {number}").into_bytes();
        (0..300).for_each(|number| {
            set(&mut home, &name(number), f64::from(number as u32 % scores), &TIGHT);
        });
        let (mut seen, mut cursor) = (BTreeSet::new(), 0);
        loop {
            cursor = scan(home.form(), cursor, count, |item| {
                seen.insert(item.member.to_vec());
            });
            if cursor == 0 {
                break;
            }
            for (at, score, is_new) in rest.by_ref().take(5) {
                let number = if *is_new { 300 + at % 100 } else { at % 300 };
                set(&mut home, &name(number), *score, &TIGHT);
            }
        }
        prop_assert!((0..300).all(|number| seen.contains(&name(number))));
    }

    #[test]
    fn combinations_are_those_of_maps(
        maps in prop::collection::vec(
            (prop::collection::btree_map(0..40_i64, -3..4_i32, 0..30), -2..3_i32, any::<bool>()),
            1..4,
        ),
        aggregate in prop::sample::select(vec![Aggregate::Max, Aggregate::Min, Aggregate::Sum]),
    ) {
        let homes: Vec<_> = maps.iter().map(|(map, _, is_plain)| {
            let (mut sorted, mut unsorted) = (Own::<LargeSortedSet>::default(), Own::<LargeSet>::default());
            for (number, score) in map {
                let member = number.to_string();
                set(&mut sorted, member.as_bytes(), f64::from(*score), &TIGHT);
                plain::add(&mut unsorted, member.as_bytes(), &SetLimits::default());
            }
            (sorted, unsorted, *is_plain)
        }).collect();
        let sources: Vec<Weighted<'_>> = homes.iter().zip(&maps).map(|(home, (_, weight, _))| {
            let (sorted, unsorted, is_plain) = home;
            let source = if *is_plain { Source::Set(unsorted.form()) } else { Source::SortedSet(sorted.form()) };
            Weighted { source, weight: f64::from(*weight) }
        }).collect();
        let scores = |member: &i64| -> Vec<i32> {
            let of = |(map, weight, is_plain): &(BTreeMap<i64, i32>, i32, bool)| {
                map.get(member).map(|score| weight * if *is_plain { 1 } else { *score })
            };
            maps.iter().filter_map(of).collect()
        };
        let mut all_of = Twin::new();
        let mut common = Twin::new();
        for member in 0..40 {
            let scores = scores(&member);
            let joined = match aggregate {
                Aggregate::Max => scores.iter().copied().max(),
                Aggregate::Min => scores.iter().copied().min(),
                Aggregate::Sum => scores.iter().copied().reduce(|a, b| a + b),
            };
            let Some(joined) = joined else { continue };
            all_of.insert(member.to_string().into_bytes(), f64::from(joined));
            if scores.len() == maps.len() {
                common.insert(member.to_string().into_bytes(), f64::from(joined));
            }
        }
        check(union(sources.clone(), aggregate, &TIGHT).form(), &all_of);
        check(intersection(sources.clone(), aggregate, &TIGHT).form(), &common);
        let plain: Vec<Source<'_>> = sources.iter().map(|weighted| weighted.source).collect();
        prop_assert_eq!(intersection_len(plain.clone(), usize::MAX), common.len());
        prop_assert_eq!(intersection_len(plain.clone(), 2), common.len().min(2));
        let (first, _, is_plain) = &maps[0];
        let alone = first.iter().filter(|(member, _)| maps[1..].iter().all(|(map, ..)| !map.contains_key(member)));
        let alone = alone.map(|(member, score)| {
            (member.to_string().into_bytes(), if *is_plain { 1.0 } else { f64::from(*score) })
        });
        check(difference(&plain, &TIGHT).form(), &alone.collect());
    }
}

#[test]
fn a_set_turns_large_at_its_limits() {
    let is_large = |home: &Own<LargeSortedSet>| matches!(home.form(), Form::Large(_));
    let mut home = Own::default();
    for number in 0..12 {
        set(&mut home, format!("{number}").as_bytes(), 1.0, &TIGHT);
        assert!(!is_large(&home));
    }
    set(&mut home, b"3", 2.0, &TIGHT);
    assert!(!is_large(&home), "a score that changes is no further member");
    set(&mut home, b"12", 1.0, &TIGHT);
    assert!(is_large(&home));
    let mut home = Own::default();
    set(&mut home, b"12345678", 1.0, &TIGHT);
    assert!(!is_large(&home));
    set(&mut home, b"123456789", 1.0, &TIGHT);
    assert!(is_large(&home));
    for (count, len, expected) in [(12, 8, false), (13, 1, true), (1, 9, true)] {
        let mut home = Own::default();
        reserve(&mut home, count, len, &TIGHT);
        assert_eq!(is_large(&home), expected);
    }
}

#[test]
fn members_cost_little() {
    let mut home = Own::<LargeSortedSet>::default();
    let mut rng = base::rand::Rng::new(7);
    for number in 0..20_000 {
        let member = format!("member:{number:010}");
        set(&mut home, member.as_bytes(), rng.next_f64(), &SortedSetLimits::default());
    }
    let Form::Large(large) = home.form() else { panic!("it is large") };
    assert!(large.memory_bytes() / 20_000 <= 51, "{}", large.memory_bytes() / 20_000);
}
