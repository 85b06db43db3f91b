//! Sets against a `BTreeSet`: all forms, conversions at the limits, frozen views, chance, and
//! combinations.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use base::numbers::IntegerBuffer;
use base::rand::Rng;
use proptest::prelude::*;

use super::*;
use crate::layout::home::Own;

type Twin = BTreeSet<Vec<u8>>;
type Set = Own<LargeSet>;

const LIMITS: SetLimits =
    SetLimits { integers_max: 12, packed_entries_max: 8, packed_value_max: 10 };

fn owned(member: Member<'_>) -> Vec<u8> {
    member.bytes(&mut IntegerBuffer::new()).to_vec()
}

fn members(set: &Set) -> Twin {
    let list: Vec<_> = iter(set.form()).map(owned).collect();
    let twin: Twin = list.iter().cloned().collect();
    assert_eq!(list.len(), twin.len(), "a member comes twice");
    twin
}

fn set_of(members: impl IntoIterator<Item = Vec<u8>>, limits: &SetLimits) -> Set {
    let mut set = Set::default();
    for member in members {
        add(&mut set, &member, limits);
    }
    set
}

fn numbers(range: std::ops::Range<i64>) -> impl Iterator<Item = Vec<u8>> {
    range.map(|value| value.to_string().into_bytes())
}

fn encoding_after(first: impl Iterator<Item = Vec<u8>>, member: &[u8]) -> Encoding {
    let mut set = set_of(first, &SetLimits::default());
    add(&mut set, member, &SetLimits::default());
    encoding(set.form())
}

#[test]
fn a_set_turns_where_its_limits_say() {
    assert_eq!(encoding_after(numbers(0..511), b"-7"), Encoding::Integers);
    assert_eq!(encoding_after(numbers(0..512), b"7"), Encoding::Integers);
    assert_eq!(encoding_after(numbers(0..512), b"-7"), Encoding::Large);
    assert_eq!(encoding_after(numbers(0..127), b"x"), Encoding::Texts);
    assert_eq!(encoding_after(numbers(0..128), b"x"), Encoding::Large);
    assert_eq!(encoding_after(numbers(0..2), b"07"), Encoding::Texts);
    assert_eq!(encoding_after(numbers(0..2), &[b'x'; 64]), Encoding::Texts);
    assert_eq!(encoding_after(numbers(0..2), &[b'x'; 65]), Encoding::Large);
    assert_eq!(encoding_after(numbers(0..0), &[b'x'; 65]), Encoding::Large);
    assert_eq!(encoding_after([b"x".to_vec()].into_iter(), b"7"), Encoding::Texts);
    let texts = (0..128).map(|index| format!("x{index}").into_bytes());
    assert_eq!(encoding_after(texts.clone(), b"x1"), Encoding::Texts);
    assert_eq!(encoding_after(texts, b"7"), Encoding::Large);
}

#[test]
fn members_that_are_announced_decide_the_form() {
    let reserved = |before: &[&[u8]], first: &[u8], count| {
        let limits = SetLimits::default();
        let mut set = set_of(before.iter().map(|member| member.to_vec()), &limits);
        reserve(&mut set, first, count, &limits);
        add(&mut set, first, &limits);
        encoding(set.form())
    };
    assert_eq!(reserved(&[], b"1", 512), Encoding::Integers);
    assert_eq!(reserved(&[], b"1", 513), Encoding::Large);
    assert_eq!(reserved(&[], b"x", 128), Encoding::Texts);
    assert_eq!(reserved(&[], b"x", 129), Encoding::Large);
    assert_eq!(reserved(&[b"1"], b"1", 512), Encoding::Integers);
    assert_eq!(reserved(&[b"1"], b"1", 513), Encoding::Large);
    assert_eq!(reserved(&[b"x"], b"1", 129), Encoding::Large);
    let few = SetLimits { integers_max: 1, ..SetLimits::default() };
    let mut set = Set::default();
    reserve(&mut set, b"1", 2, &few);
    add(&mut set, b"1", &few);
    assert_eq!(encoding(set.form()), Encoding::Texts);
}

#[test]
fn a_set_of_which_much_is_popped_is_built_anew() {
    let limits = SetLimits::default();
    let popped = |set: &mut Set, count| {
        let mut popped = Twin::new();
        pop(set, &mut Rng::new(7), count, &limits, |member| {
            assert!(popped.insert(owned(member)));
        });
        assert_eq!(popped.len(), count);
        assert!(popped.is_disjoint(&members(set)));
        encoding(set.form())
    };
    let all = || (0..600).map(|index| format!("x{index}").into_bytes());
    assert_eq!(popped(&mut set_of(all(), &limits), 499), Encoding::Large);
    assert_eq!(popped(&mut set_of(all(), &limits), 500), Encoding::Texts);
    assert_eq!(popped(&mut set_of(numbers(0..600), &limits), 590), Encoding::Texts);
    assert_eq!(popped(&mut set_of(numbers(0..500), &limits), 490), Encoding::Integers);
    assert_eq!(popped(&mut set_of(all().take(100), &limits), 99), Encoding::Texts);
}

#[test]
fn every_member_is_drawn_as_often() {
    let mut rng = Rng::new(3);
    for limits in [LIMITS, SetLimits { integers_max: 0, ..LIMITS }, SetLimits::default()] {
        for set in [set_of(numbers(0..8), &limits), set_of(numbers(0..30), &limits)] {
            let len = LargeSet::len(set.form());
            let mut counts = std::collections::BTreeMap::<_, u32>::new();
            for _ in 0..400 * len {
                let drawn = random(set.form(), &mut rng).map(owned);
                *counts.entry(drawn.expect("there are members")).or_default() += 1;
            }
            for _ in 0..400 {
                sample(set.form(), &mut rng, len / 2, |member| {
                    *counts.entry(owned(member)).or_default() += 2;
                });
            }
            assert_eq!(counts.len(), len);
            assert!(counts.values().all(|count| (600..1000).contains(count)), "{counts:?}");
        }
    }
    assert!(random(Set::default().form(), &mut rng).is_none());
}

#[derive(Clone, Debug)]
enum Call {
    Add(Vec<u8>),
    Freeze,
    Pop(usize),
    Remove(Vec<u8>),
    Reserve(Vec<u8>, usize),
}

fn member() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => (-9..30_i64).prop_map(|value| value.to_string().into_bytes()),
        1 => any::<i64>().prop_map(|value| value.to_string().into_bytes()),
        3 => "[a-c]{0,3}".prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 8..13),
    ]
}

fn call() -> impl Strategy<Value = Call> {
    prop_oneof![
        12 => member().prop_map(Call::Add),
        6 => member().prop_map(Call::Remove),
        1 => (1..4_usize).prop_map(Call::Pop),
        1 => (member(), 1..14_usize).prop_map(|(first, count)| Call::Reserve(first, count)),
        1 => Just(Call::Freeze),
    ]
}

/// What a form may hold; `before` is how it was kept before the call.
fn check_form(set: &Set, before: Encoding, limits: &SetLimits) {
    check_invariants(set.form());
    let len = LargeSet::len(set.form());
    match encoding(set.form()) {
        Encoding::Integers => assert!(len <= limits.integers_max),
        Encoding::Texts => {
            assert!(len <= limits.packed_entries_max);
            assert!(iter(set.form()).all(|member| owned(member).len() <= limits.packed_value_max));
            assert!(len == 0 || before != Encoding::Large);
        }
        Encoding::Large => {}
    }
}

fn sets() -> impl Strategy<Value = Vec<Twin>> {
    prop::collection::vec(prop::collection::btree_set(member(), 0..25), 1..12)
}

fn collect(combine: impl FnOnce(&mut dyn FnMut(Member<'_>) -> ControlFlow<()>)) -> Twin {
    let mut twin = Twin::new();
    combine(&mut |member| {
        assert!(twin.insert(owned(member)), "a member comes twice");
        ControlFlow::Continue(())
    });
    twin
}

proptest! {
    #[test]
    fn a_set_is_a_set(calls in prop::collection::vec(call(), 1..120)) {
        let (mut set, mut twin) = (Set::default(), Twin::new());
        let mut frozen: Vec<(Set, Twin)> = Vec::new();
        for call in calls {
            let before = encoding(set.form());
            let mut has_popped = false;
            match call {
                Call::Add(member) => {
                    prop_assert_eq!(add(&mut set, &member, &LIMITS), twin.insert(member));
                }
                Call::Remove(member) => {
                    prop_assert_eq!(remove(&mut set, &member), twin.remove(&member));
                    prop_assert!(!contains(set.form(), &member));
                }
                Call::Pop(count) if count < twin.len() => {
                    has_popped = true;
                    let rng = &mut Rng::new(twin.len() as u64);
                    pop(&mut set, rng, count, &LIMITS, |member| {
                        assert!(twin.remove(&owned(member)));
                    });
                }
                Call::Reserve(first, count) => {
                    reserve(&mut set, &first, count, &LIMITS);
                    prop_assert_eq!(add(&mut set, &first, &LIMITS), twin.insert(first));
                }
                Call::Freeze => frozen.push((set.clone(), twin.clone())),
                Call::Pop(_) => {}
            }
            check_form(&set, if has_popped { Encoding::Texts } else { before }, &LIMITS);
            prop_assert_eq!(LargeSet::len(set.form()), twin.len());
            prop_assert_eq!(&members(&set), &twin);
            prop_assert!(twin.iter().all(|member| contains(set.form(), member)));
            if twin.is_empty() {
                // What an entry would be removed for.
                set = Set::default();
            }
        }
        for (set, twin) in frozen {
            check_invariants(set.form());
            prop_assert_eq!(members(&set), twin);
        }
    }

    #[test]
    fn a_scan_sees_what_stays(
        stays in prop::collection::btree_set(member(), 0..40),
        comes in prop::collection::vec(member(), 0..40),
        count in 1..10_usize,
    ) {
        let mut set = set_of(stays.iter().cloned(), &LIMITS);
        let mut changes = comes.into_iter().filter(|member| !stays.contains(member));
        let (mut seen, mut cursor) = (Twin::new(), 0);
        loop {
            cursor = scan(set.form(), cursor, count, |member| {
                seen.insert(owned(member));
            });
            if cursor == 0 {
                break;
            }
            for member in changes.by_ref().take(3) {
                add(&mut set, &member, &LIMITS);
            }
        }
        prop_assert!(seen.is_superset(&stays));
    }

    #[test]
    fn combinations_are_those_of_the_twins(twins in sets(), limits_index in 0..3_usize) {
        let limits = [LIMITS, SetLimits { packed_entries_max: 0, ..LIMITS }, SetLimits::default()];
        let limits = limits[limits_index];
        let sets: Vec<Set> = twins.iter().map(|twin| set_of(twin.iter().cloned(), &limits)).collect();
        let forms: Vec<_> = sets.iter().map(Home::form).collect();
        let both = twins.iter().cloned().reduce(|one, other| &one & &other).unwrap_or_default();
        prop_assert_eq!(collect(|visit| intersection(&mut forms.clone(), visit)), both);
        let any = twins.iter().cloned().reduce(|one, other| &one | &other).unwrap_or_default();
        let any_len = any.len();
        prop_assert_eq!(collect(|visit| union(&mut forms.clone(), visit)), any);
        let rest = twins.iter().cloned().reduce(|one, other| &one - &other).unwrap_or_default();
        let visited = collect(|visit| difference(forms[0], &forms[1..], visit));
        prop_assert_eq!(&visited, &rest);
        let mut stored = set_of(visited, &limits);
        raise_to_difference(&mut stored, forms[0], &forms[1..], &limits);
        check_invariants(stored.form());
        prop_assert_eq!(members(&stored), rest);
        for max in [1, 3, usize::MAX] {
            let count = combine_len(max, |visit| union(&mut forms.clone(), visit));
            prop_assert_eq!(count, any_len.min(max));
        }
    }
}
