//! The queue of deadlines against a sorted twin.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// Every record that is due at `now_ms`.
fn take_due(deadlines: &mut Deadlines, now_ms: u64) -> Vec<u32> {
    deadlines.advance(now_ms);
    let mut due = Vec::new();
    while let Some(record) = deadlines.next_due(&mut 1_000_000) {
        due.push(record.prefix.bits());
    }
    due.sort_unstable();
    due
}

#[test]
fn a_record_comes_due_just_after_its_deadline() {
    for deadline in [0, 1, 63, 64, 65, 1_700_000_000_000, 1_700_000_000_063] {
        let mut deadlines = Deadlines::default();
        deadlines.advance(deadline);
        deadlines.push(deadline, HashPrefix::from_bits(7));
        assert_eq!(take_due(&mut deadlines, deadline), []);
        assert!(deadlines.next_due_ms().unwrap() <= deadline + 64);
        assert_eq!(take_due(&mut deadlines, deadline + 64), [7]);
        assert!(deadlines.is_empty());
        assert_eq!(deadlines.next_due_ms(), None);
    }
}

#[test]
fn what_has_passed_is_due_at_once() {
    let mut deadlines = Deadlines::default();
    deadlines.advance(1_000_000);
    deadlines.push(5, HashPrefix::from_bits(1));
    assert!(deadlines.next_due_ms().unwrap() <= 1_000_000);
    assert_eq!(take_due(&mut deadlines, 1_000_000), [1]);
}

#[test]
fn the_end_of_time_never_comes() {
    let mut deadlines = Deadlines::default();
    deadlines.push(u64::MAX, HashPrefix::from_bits(1));
    deadlines.push(1 << 45, HashPrefix::from_bits(2));
    assert_eq!(take_due(&mut deadlines, u64::MAX), []);
    assert_eq!(deadlines.len(), 2);
    deadlines.check_invariants();
}

#[test]
fn a_call_handles_no_more_than_its_budget() {
    let mut deadlines = Deadlines::default();
    // All go through several buckets before they are due.
    for bits in 0..10_000 {
        deadlines.push(10_000_000 + u64::from(bits), HashPrefix::from_bits(bits));
    }
    deadlines.advance(9_999_000);
    let mut budget = 100;
    assert!(deadlines.next_due(&mut budget).is_none());
    assert_eq!(budget, 0);
    deadlines.check_invariants();
    assert!(deadlines.next_due_ms().unwrap() <= 9_999_000);
    assert_eq!(take_due(&mut deadlines, 9_999_000), []);
    assert_eq!(take_due(&mut deadlines, 20_000_000).len(), 10_000);
}

#[test]
fn records_take_little_more_than_eight_bytes() {
    let mut deadlines = Deadlines::default();
    deadlines.advance(1_700_000_000_000);
    for bits in 0..10_000 {
        let deadline = 1_700_003_600_000 + u64::from(bits) * 60;
        deadlines.push(deadline, HashPrefix::from_bits(bits));
    }
    let bytes_per_record = deadlines.memory_bytes() as f64 / 10_000.0;
    assert!(bytes_per_record < 8.8, "{bytes_per_record}");
}

#[test]
fn a_pass_shows_every_record_once() {
    let mut deadlines = Deadlines::default();
    deadlines.advance(1_000_000);
    for bits in 0..1_000 {
        deadlines.push(u64::from(bits) * 3_000, HashPrefix::from_bits(bits));
    }
    let pass = deadlines.pass();
    deadlines.begin_pass();
    assert_ne!(deadlines.pass(), pass);
    deadlines.push(2_000_000, HashPrefix::from_bits(5_000));
    let mut seen: Vec<u32> =
        std::iter::from_fn(|| deadlines.next_of_pass()).map(|due| due.prefix.bits()).collect();
    seen.sort_unstable();
    assert_eq!(seen, (0..1_000).collect::<Vec<_>>());
    assert!(!deadlines.is_in_pass());
    assert_eq!(deadlines.len(), 1);
}

#[derive(Clone, Debug)]
enum Call {
    BeginPass,
    Push(u64),
    Time(u64),
}

fn call() -> impl Strategy<Value = Call> {
    let span = prop_oneof![0..200u64, 0..100_000u64, 0..100_000_000_000u64];
    prop_oneof![
        1 => Just(Call::BeginPass),
        6 => span.clone().prop_map(Call::Push),
        3 => span.prop_map(Call::Time),
    ]
}

proptest! {
    #[test]
    fn records_come_due_in_time(calls in proptest::collection::vec(call(), 1..200)) {
        let mut deadlines = Deadlines::default();
        let mut twin: BTreeMap<u32, u64> = BTreeMap::new();
        let mut now = 1_700_000_000_000;
        deadlines.advance(now);
        for (number, call) in (0..).zip(calls) {
            match call {
                Call::BeginPass => deadlines.begin_pass(),
                Call::Push(span) => {
                    // Some in the past.
                    let deadline = now + span - 100;
                    deadlines.push(deadline, HashPrefix::from_bits(number));
                    twin.insert(number, deadline);
                }
                Call::Time(span) => {
                    now += span;
                    let due = take_due(&mut deadlines, now);
                    for number in due {
                        let deadline = twin.remove(&number);
                        prop_assert!(deadline.is_some_and(|deadline| deadline < now));
                    }
                    prop_assert!(twin.values().all(|deadline| now <= deadline + 64));
                }
            }
            deadlines.check_invariants();
            prop_assert_eq!(deadlines.len(), twin.len());
            let next = twin.values().min().map(|deadline| deadline + 64);
            prop_assert!(next.is_none_or(|next| deadlines.next_due_ms().unwrap() <= next.max(now)));
        }
    }
}
