//! Random calls against a deque, with frozen views that must keep what they had.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;
use crate::layout::entry::Entry;
use crate::layout::home::{Large, Own};

type Text = Vec<u8>;

#[derive(Clone, Debug)]
enum Call {
    Freeze,
    Insert(Place, usize, Text),
    Pop(End),
    PopMany(End, usize),
    Push(End, Vec<Text>),
    /// The same text many times, to get over the limits.
    PushRun(End, Text, usize),
    Remove(End, usize, usize),
    Rotate(End, End),
    Set(usize, Text),
    Trim(usize, usize),
}

fn end() -> impl Strategy<Value = End> {
    prop_oneof![Just(End::Head), Just(End::Tail)]
}

fn text() -> impl Strategy<Value = Text> {
    prop_oneof![
        4 => (0..6u8).prop_map(|n| vec![b'a' + n]),
        3 => any::<i32>().prop_map(|n| n.to_string().into_bytes()),
        2 => (0..40i64).prop_map(|n| (n * n * n * n * 7919).to_string().into_bytes()),
        3 => (any::<u8>(), 0..200usize).prop_map(|(byte, len)| vec![byte; len]),
        1 => (any::<u8>(), 0..5000usize).prop_map(|(byte, len)| vec![byte; len]),
        1 => (any::<u8>(), 4000..9000usize).prop_map(|(byte, len)| vec![byte; len]),
    ]
}

fn call() -> impl Strategy<Value = Call> {
    let place = prop_oneof![Just(Place::After), Just(Place::Before)];
    prop_oneof![
        1 => Just(Call::Freeze),
        4 => (place, any::<usize>(), text()).prop_map(|(p, i, t)| Call::Insert(p, i, t)),
        3 => end().prop_map(Call::Pop),
        2 => (end(), 0..600usize).prop_map(|(end, count)| Call::PopMany(end, count)),
        6 => (end(), prop::collection::vec(text(), 1..5)).prop_map(|(e, t)| Call::Push(e, t)),
        3 => (end(), text(), 1..700usize).prop_map(|(e, t, n)| Call::PushRun(e, t, n)),
        2 => (end(), any::<usize>(), 1..800usize).prop_map(|(e, i, n)| Call::Remove(e, i, n)),
        2 => (end(), end()).prop_map(|(from, to)| Call::Rotate(from, to)),
        4 => (any::<usize>(), text()).prop_map(|(index, text)| Call::Set(index, text)),
        1 => (any::<usize>(), any::<usize>()).prop_map(|(from, to)| Call::Trim(from, to)),
    ]
}

/// What the calls should do.
fn twin_apply(twin: &mut VecDeque<Text>, call: &Call) {
    match call {
        Call::Freeze => {}
        Call::Insert(place, index, text) => {
            if let Some(pivot) = nth(twin, *index) {
                let at = twin.iter().position(|text| *text == pivot).expect("it is there");
                twin.insert(at + usize::from(*place == Place::After), text.clone());
            }
        }
        Call::Pop(end) => drop(twin_pop(twin, *end)),
        Call::PopMany(end, count) => {
            for _ in 0..*count {
                twin_pop(twin, *end);
            }
        }
        Call::Push(end, texts) => texts.iter().for_each(|text| twin_push(twin, *end, text)),
        Call::PushRun(end, text, count) => {
            for _ in 0..*count {
                twin_push(twin, *end, text);
            }
        }
        Call::Remove(end, index, count) => {
            if let Some(wanted) = nth(twin, *index) {
                for _ in 0..*count {
                    let mut indices = (0..twin.len()).filter(|index| twin[*index] == wanted);
                    let found =
                        if *end == End::Head { indices.next() } else { indices.next_back() };
                    let Some(found) = found else { break };
                    twin.remove(found);
                }
            }
        }
        Call::Rotate(from, to) => {
            if let Some(text) = twin_pop(twin, *from) {
                twin_push(twin, *to, &text);
            }
        }
        Call::Set(index, text) => {
            if !twin.is_empty() {
                let len = twin.len();
                twin[index % len] = text.clone();
            }
        }
        Call::Trim(from, to) => {
            let kept = kept(twin.len(), *from, *to);
            twin.truncate(kept.end);
            twin.drain(..kept.start);
        }
    }
}

fn apply(home: &mut Own<LargeList>, twin: &VecDeque<Text>, call: &Call, limits: ListLimits) {
    match call {
        Call::Freeze => {}
        Call::Insert(place, index, text) => {
            let pivot = nth(twin, *index);
            let wanted = pivot.as_deref().unwrap_or(b"nothing equals this");
            let expected = pivot.as_ref().map(|_| twin.len() + 1);
            assert_eq!(insert(home, *place, wanted, text, limits), expected);
        }
        Call::Pop(end) => {
            let expected = if *end == End::Head { twin.front() } else { twin.back() };
            assert_eq!(pop(home, *end, limits, |element| element.to_vec()).as_ref(), expected);
        }
        Call::PopMany(end, count) => {
            let mut popped = Vec::new();
            pop_many(home, *end, *count, limits, |element| popped.push(element.to_vec()));
            let mut twin = twin.clone();
            let expected = (0..*count).filter_map(|_| twin_pop(&mut twin, *end));
            assert!(popped.into_iter().eq(expected));
        }
        Call::Push(end, texts) => push(home, *end, texts.iter().map(|text| &text[..]), limits),
        Call::PushRun(end, text, count) => {
            for _ in 0..*count {
                push(home, *end, std::iter::once(&text[..]), limits);
            }
        }
        Call::Remove(end, index, count) => {
            if let Some(wanted) = nth(twin, *index) {
                let there = twin.iter().filter(|text| **text == wanted).count();
                assert_eq!(remove(home, *end, &wanted, *count, limits), there.min(*count));
            }
        }
        Call::Rotate(from, to) => {
            let expected = if *from == End::Head { twin.front() } else { twin.back() };
            assert_eq!(
                rotate(home, *from, *to, limits, |element| element.to_vec()).as_ref(),
                expected
            );
        }
        Call::Set(index, text) => {
            let index = index % twin.len().max(1);
            assert_eq!(set(home, index, text, limits), index < twin.len());
        }
        Call::Trim(from, to) => trim(home, kept(twin.len(), *from, *to), limits),
    }
}

fn nth(twin: &VecDeque<Text>, index: usize) -> Option<Text> {
    twin.get(index.checked_rem(twin.len())?).cloned()
}

fn kept(len: usize, from: usize, to: usize) -> Range<usize> {
    // Mostly something is left.
    let start = from % (len / 4 + 1);
    let end = len - to % (len / 4 + 1);
    start..end.max(start)
}

fn twin_pop(twin: &mut VecDeque<Text>, end: End) -> Option<Text> {
    if end == End::Head { twin.pop_front() } else { twin.pop_back() }
}

fn twin_push(twin: &mut VecDeque<Text>, end: End, text: &Text) {
    match end {
        End::Head => twin.push_front(text.clone()),
        End::Tail => twin.push_back(text.clone()),
    }
}

fn check_invariants(home: &Own<LargeList>) {
    match home {
        Own::Packed(bytes) => {
            assert!(bytes.len() <= PACKED_BYTES_MAX);
            assert_eq!(bytes.is_empty(), packed_count(bytes) == 0);
            let elements = packed_elements(bytes);
            let count = packed_count(bytes);
            assert_eq!(element::offset(elements, 2 * count, count), elements.len());
        }
        Own::Large(large) => large.check_invariants(),
    }
}

fn check_equal(home: &Own<LargeList>, twin: &VecDeque<Text>) {
    let form = home.form();
    assert_eq!(len(form), twin.len());
    let forward = walk(form, End::Head, 0, usize::MAX).map(Element::to_vec);
    assert!(forward.eq(twin.iter().cloned()));
    let backward = walk(form, End::Tail, 0, usize::MAX).map(Element::to_vec);
    assert!(backward.eq(twin.iter().rev().cloned()));
}

/// Looks at a few places, with the seed that the step's number is.
fn check_places(home: &Own<LargeList>, twin: &VecDeque<Text>, step: usize) {
    let form = home.form();
    assert_eq!(len(form), twin.len());
    for index in [0, step * 31, step * 677, twin.len().wrapping_sub(1), twin.len()] {
        let found = get(form, index).map(Element::to_vec);
        assert_eq!(found.as_ref(), twin.get(index));
        for end in [End::Head, End::Tail] {
            let some = walk(form, end, index, 3).map(Element::to_vec);
            let expected: Vec<Text> = match end {
                End::Head => twin.iter().skip(index).take(3).cloned().collect(),
                End::Tail => twin.iter().rev().skip(index).take(3).cloned().collect(),
            };
            assert!(some.eq(expected));
        }
    }
    if let Some(wanted) = nth(twin, step * 17) {
        let equal = |end, count| Positions::new(form, end, &wanted, count);
        let is_equal = |index: &usize| twin[*index] == wanted;
        let expected = (0..twin.len()).filter(is_equal);
        assert!(equal(End::Head, usize::MAX).eq(expected));
        let expected = (0..twin.len()).rev().take(100).filter(is_equal);
        assert!(equal(End::Tail, 100).eq(expected));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn calls_do_what_a_deque_does(
        calls in prop::collection::vec(call(), 1..60),
        chunk_max in prop_oneof![Just(-2), Just(-1), Just(-5), Just(1), Just(3), Just(128)],
    ) {
        let limits = ListLimits { chunk_max };
        let (mut home, mut twin) = (Own::default(), VecDeque::new());
        let mut frozen: Vec<(Own<LargeList>, VecDeque<Text>)> = Vec::new();
        for (step, call) in calls.iter().enumerate() {
            if matches!(call, Call::Freeze) {
                frozen.push((home.clone(), twin.clone()));
            }
            apply(&mut home, &twin, call, limits);
            twin_apply(&mut twin, call);
            check_invariants(&home);
            check_places(&home, &twin, step);
        }
        check_equal(&home, &twin);
        for (view, twin) in &frozen {
            check_invariants(view);
            check_equal(view, twin);
        }
    }
}

fn repeated(text: &[u8], count: usize) -> impl Iterator<Item = &[u8]> + Clone {
    std::iter::repeat_n(text, count)
}

#[test]
fn a_long_list_takes_little_more_than_its_elements() {
    let limits = ListLimits::default();
    for end in [End::Head, End::Tail] {
        let mut home = Own::default();
        for number in 0..200_000 {
            let text = format!("element:{number:010}");
            assert_eq!(text.len(), 18);
            push(&mut home, end, std::iter::once(text.as_bytes()), limits);
        }
        let Own::Large(large) = &home else { panic!("it is large") };
        let per_element = large.memory_bytes() as f64 / 200_000.0;
        assert!(per_element < 20.4, "{per_element}");
    }
}

#[test]
fn the_encoding_follows_the_number_of_bytes() {
    let limits = ListLimits::default();
    let mut home = Own::<LargeList>::default();
    let encoding_of = |home: &Own<LargeList>| encoding(home.form());
    // Seven bytes, and 103 for each element; the next one counts without its overhead.
    push(&mut home, End::Tail, repeated(&[b'x'; 100], 78), limits);
    assert_eq!(encoding_of(&home), Encoding::Listpack);
    push(&mut home, End::Tail, repeated(&[b'x'; 100], 1), limits);
    assert_eq!(encoding_of(&home), Encoding::Listpack);
    push(&mut home, End::Head, repeated(&[b'x'; 100], 1), limits);
    assert_eq!(encoding_of(&home), Encoding::Quicklist);
    pop_many(&mut home, End::Head, 40, limits, |_| {});
    assert_eq!(encoding_of(&home), Encoding::Quicklist);
    pop_many(&mut home, End::Head, 1, limits, |_| {});
    assert_eq!((len(home.form()), encoding_of(&home)), (39, Encoding::Listpack));
    assert!(matches!(home, Own::Large(_)));
    trim(&mut home, 0..4, limits);
    assert!(matches!(home, Own::Packed(_)));
}

#[test]
fn the_encoding_follows_the_number_of_elements() {
    let limits = ListLimits { chunk_max: 4 };
    let mut home = Own::<LargeList>::default();
    push(&mut home, End::Tail, repeated(b"x", 4), limits);
    assert_eq!(encoding(home.form()), Encoding::Listpack);
    assert!(insert(&mut home, Place::After, b"y", b"z", limits).is_none());
    assert_eq!(encoding(home.form()), Encoding::Quicklist);
    pop_many(&mut home, End::Tail, 1, limits, |_| {});
    assert_eq!(encoding(home.form()), Encoding::Quicklist);
    pop_many(&mut home, End::Tail, 1, limits, |_| {});
    assert_eq!(encoding(home.form()), Encoding::Listpack);
    assert!(matches!(home, Own::Packed(_)));
}

#[test]
fn a_long_element_stands_alone_and_is_read_by_reference() {
    let limits = ListLimits::default();
    let mut home = Own::<LargeList>::default();
    let long = vec![b'x'; 10_000];
    push(&mut home, End::Tail, repeated(b"a", 3), limits);
    push(&mut home, End::Tail, [&long[..], b"b"].into_iter(), limits);
    let Some(Element::Shared(text)) = get(home.form(), 3) else { panic!("it is long") };
    let reader = std::sync::Arc::clone(text);
    assert!(set(&mut home, 3, b"short", limits));
    assert_eq!(*reader, long);
    assert_eq!(get(home.form(), 3).map(Element::to_vec), Some(b"short".to_vec()));
}

#[test]
fn an_entry_is_a_home() {
    let limits = ListLimits::default();
    let mut entry = Entry::collection::<LargeList>(b"key", Own::default(), Some(5), 7);
    for number in 0..3000 {
        let text = format!("element:{number}");
        push(&mut entry, End::Head, std::iter::once(text.as_bytes()), limits);
    }
    let copy = Entry::duplicate(entry.as_ref(), b"copy");
    for number in 0..3000 {
        let text = pop(&mut entry, End::Tail, limits, |element| element.to_vec());
        assert_eq!(text, Some(format!("element:{number}").into_bytes()));
    }
    assert_eq!(len(Home::<LargeList>::form(&entry)), 0);
    assert_eq!((entry.as_ref().key(), entry.as_ref().deadline()), (&b"key"[..], Some(5)));
    assert_eq!(len(copy.as_ref().form::<LargeList>()), 3000);
}

#[test]
fn a_full_branch_that_a_view_shares_is_counted_as_its_copy_is() {
    let limits = ListLimits { chunk_max: 1 };
    let mut home = Own::<LargeList>::default();
    push(&mut home, End::Tail, repeated(b"a", 100), limits);
    assert!(set(&mut home, 10, b"p", limits));
    // A branch that is split keeps room for more children than it may have.
    for _ in 0..40 {
        assert!(insert(&mut home, Place::Before, b"p", b"b", limits).is_some());
    }
    for _ in 0..80 {
        let frozen = home.clone();
        push(&mut home, End::Head, repeated(b"a", 1), limits);
        check_invariants(&home);
        check_invariants(&frozen);
    }
}
