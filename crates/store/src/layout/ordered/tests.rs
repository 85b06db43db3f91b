//! Tests of the ordered tree: random edits against a set of the standard library.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// Members in order of a score as integer, then of bytes.
type Twin = BTreeSet<Element>;
type Element = (i32, Vec<u8>);

fn content(tree: &Ordered) -> Vec<(i32, Vec<u8>)> {
    tree.iter(0..tree.len()).map(|item| (item.score as i32, item.member.to_vec())).collect()
}

fn same(tree: &Ordered, twin: &Twin) {
    assert!(content(tree).iter().eq(twin.iter()));
    let back: Vec<_> =
        tree.iter_back(0..tree.len()).map(|i| (i.score as i32, i.member.to_vec())).collect();
    assert!(back.iter().eq(twin.iter().rev()));
}

#[derive(Clone, Debug)]
enum Edit {
    Freeze,
    Insert(i32, Vec<u8>),
    InsertMany(i32, u8, u16),
    Remove(usize),
    RemoveRange(usize, usize),
    SetScore(usize, i32),
}

fn member() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => prop::collection::vec(0..4_u8, 0..6),
        2 => (any::<u8>(), 100..481_usize).prop_map(|(byte, len)| vec![byte % 4; len]),
        1 => (any::<u8>(), 481..1000_usize).prop_map(|(byte, len)| vec![byte % 4; len]),
    ]
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        1 => Just(Edit::Freeze),
        6 => (-3..4_i32, member()).prop_map(|(score, member)| Edit::Insert(score, member)),
        3 => (-3..4_i32, any::<u8>(), 1..600_u16)
            .prop_map(|(score, step, count)| Edit::InsertMany(score, step, count)),
        3 => any::<usize>().prop_map(Edit::Remove),
        2 => (any::<usize>(), 0..900_usize).prop_map(|(at, count)| Edit::RemoveRange(at, count)),
        4 => (any::<usize>(), -3..4_i32).prop_map(|(at, score)| Edit::SetScore(at, score)),
    ]
}

fn insert(tree: &mut Ordered, twin: &mut Twin, score: i32, member: &[u8]) {
    assert_eq!(tree.contains(score.into(), member), twin.contains(&(score, member.to_vec())));
    if twin.insert((score, member.to_vec())) {
        tree.insert(score.into(), member);
    }
}

fn apply(tree: &mut Ordered, twin: &mut Twin, edit: Edit) {
    let nth = |twin: &Twin, at: usize| twin.iter().nth(at % twin.len()).cloned();
    match edit {
        Edit::Insert(score, member) => insert(tree, twin, score, &member),
        Edit::InsertMany(score, step, count) => {
            for number in 0..u64::from(count) {
                let number = number.wrapping_mul(u64::from(step) * 2 + 1) & 0xffff;
                let score = if step < 128 { score } else { score + (number % 5) as i32 };
                insert(tree, twin, score, format!("{number:06}").as_bytes());
            }
        }
        Edit::Remove(at) if !twin.is_empty() => {
            let (score, member) = nth(twin, at).unwrap();
            assert!(tree.remove(score.into(), &member));
            assert!(!tree.remove(score.into(), &member));
            twin.remove(&(score, member));
        }
        Edit::RemoveRange(at, count) if !twin.is_empty() => {
            let at = at % twin.len();
            let mut left = count.min(twin.len() - at);
            let gone: Vec<_> = twin.iter().skip(at).take(left).cloned().collect();
            let mut seen = Vec::new();
            while left != 0 {
                left -= tree.remove_some(at, left, |item| {
                    seen.push((item.score as i32, item.member.to_vec()));
                });
            }
            assert_eq!(seen, gone);
            gone.iter().for_each(|element| assert!(twin.remove(element)));
        }
        Edit::SetScore(at, new) if !twin.is_empty() => {
            let (score, member) = nth(twin, at).unwrap();
            if !twin.contains(&(new, member.clone())) {
                tree.set_score(score.into(), &member, new.into());
                twin.remove(&(score, member.clone()));
                twin.insert((new, member));
            }
        }
        _ => {}
    }
}

fn check_bounds(tree: &Ordered, twin: &Twin, score: i32, member: &[u8]) {
    let count = |is_before: &dyn Fn(&Element) -> bool| {
        twin.iter().take_while(|element| is_before(element)).count()
    };
    let place = (score, member.to_vec());
    let before = |bound| tree.count_before(bound);
    assert_eq!(before(Bound::BeforeScore(score.into())), count(&|e| e.0 < score));
    assert_eq!(before(Bound::AfterScore(score.into())), count(&|e| e.0 <= score));
    assert_eq!(before(Bound::Before(score.into(), member)), count(&|e| *e < place));
    assert_eq!(before(Bound::After(score.into(), member)), count(&|e| *e <= place));
    assert_eq!(before(Bound::BeforeScore(f64::NEG_INFINITY)), 0);
    assert_eq!(before(Bound::AfterScore(f64::INFINITY)), twin.len());
    let rank = twin.contains(&place).then(|| count(&|e| *e < place));
    assert_eq!(tree.rank(score.into(), member), rank);
    if let Some(rank) = rank {
        assert_eq!(tree.at(rank), Some(Item { member, score: score.into() }));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn edits_are_those_of_a_sorted_set(
        edits in prop::collection::vec(edit(), 1..30),
        probes in prop::collection::vec((-4..5_i32, member()), 5),
        range in (any::<usize>(), any::<usize>()),
    ) {
        let (mut tree, mut twin) = (Ordered::new(), Twin::new());
        let mut frozen: Vec<(Ordered, Twin)> = Vec::new();
        for edit in edits {
            if matches!(edit, Edit::Freeze) {
                frozen.push((tree.clone(), twin.clone()));
                continue;
            }
            apply(&mut tree, &mut twin, edit);
            tree.check_invariants();
            prop_assert_eq!(tree.len(), twin.len());
        }
        same(&tree, &twin);
        for (score, member) in &probes {
            check_bounds(&tree, &twin, *score, member);
        }
        for (tree, twin) in &frozen {
            tree.check_invariants();
            same(tree, twin);
        }
        let (start, end) = (range.0 % (twin.len() + 2), range.1 % (twin.len() + 2));
        let some = tree.iter(start..end).map(|item| item.member.to_vec());
        let count = end.saturating_sub(start);
        let wanted = twin.iter().skip(start).take(count).map(|(_, member)| member.clone());
        prop_assert!(some.eq(wanted));
        prop_assert_eq!(tree.at(twin.len()), None);
    }

    #[test]
    fn bounds_by_bytes_count_members_of_one_score(
        members in prop::collection::btree_set(member(), 0..200),
        probe in member(),
    ) {
        let mut tree = Ordered::new();
        members.iter().for_each(|member| tree.insert(7.0, member));
        let less = members.iter().filter(|member| **member < probe).count();
        let equal = usize::from(members.contains(&probe));
        prop_assert_eq!(tree.count_before(Bound::BeforeMember(&probe)), less);
        prop_assert_eq!(tree.count_before(Bound::AfterMember(&probe)), less + equal);
    }
}

#[test]
fn scores_are_ordered_as_numbers() {
    let scores =
        [f64::NEG_INFINITY, -1e300, -2.5, -f64::MIN_POSITIVE, 0.0, 5e-324, 1.0, f64::INFINITY];
    for pair in scores.windows(2) {
        assert!(Key::new(pair[0]) < Key::new(pair[1]));
    }
    for score in scores {
        assert_eq!(Key::new(score).score().to_bits(), score.to_bits());
    }
    assert_eq!(Key::new(-0.0).score().to_bits(), 0.0_f64.to_bits());
}

#[test]
fn members_in_order_fill_their_pages() {
    let sizes = [true, false].map(|is_ascending| {
        let mut tree = Ordered::new();
        for number in 0..20_000 {
            let number = if is_ascending { number } else { 20_000 - number };
            tree.insert(f64::from(number), format!("member:{number:010}").as_bytes());
        }
        tree.check_invariants();
        tree.memory_bytes() / tree.len()
    });
    assert!(sizes.iter().all(|bytes| *bytes <= 30), "{sizes:?}");
}

#[test]
fn members_in_any_order_cost_little() {
    let mut tree = Ordered::new();
    let mut rng = base::rand::Rng::new(7);
    for number in 0..20_000 {
        tree.insert(rng.next_f64(), format!("member:{number:010}").as_bytes());
    }
    tree.check_invariants();
    assert!(tree.memory_bytes() / tree.len() <= 36, "{}", tree.memory_bytes() / tree.len());
    while !tree.is_empty() {
        let rank = rng.index(tree.len());
        tree.remove_some(rank, 1 + rng.index(3), |_| ());
    }
    tree.check_invariants();
    assert_eq!(tree.memory_bytes(), Ordered::new().memory_bytes());
}
