//! Intersection, union and difference of sets, member by member to a visitor: nothing is collected
//! but where a member has to be remembered to be visited once.

use std::ops::ControlFlow;

use super::{
    Encoding, LargeSet, Member, add_member, contains_member, encoding, enlarge, iter,
    leave_integers,
};
use crate::layout::home::{Form, Home, Large, Own};
use crate::types::limits::SetLimits;

/// Up to this many sets are united by asking those before; for more, what was visited is
/// remembered, since asking them all would take too long.
const SETS_ASKED_MAX: usize = 8;

/// Visits every member that is in all `sets`, until the visitor breaks. O(smallest × sets).
///
/// Large sets are walked in the order of one hash, so probing one with the members of another
/// stays in the same pages.
pub fn intersection(
    sets: &mut [Form<'_, LargeSet>],
    mut visit: impl FnMut(Member<'_>) -> ControlFlow<()>,
) {
    sets.sort_by_key(|set| LargeSet::len(*set));
    let Some((smallest, others)) = sets.split_first() else { return };
    for member in iter(*smallest) {
        if others.iter().all(|set| contains_member(*set, member)) && visit(member).is_break() {
            return;
        }
    }
}

/// Visits every member that is in any of `sets`, each once, until the visitor breaks. O(members).
pub fn union(
    sets: &mut [Form<'_, LargeSet>],
    mut visit: impl FnMut(Member<'_>) -> ControlFlow<()>,
) {
    // The largest first: its members need not be looked for anywhere.
    sets.sort_by_key(|set| std::cmp::Reverse(LargeSet::len(*set)));
    let mut remembered = Own::<LargeSet>::default();
    let is_asking = sets.len() <= SETS_ASKED_MAX;
    for (index, set) in sets.iter().enumerate() {
        for member in iter(*set) {
            let is_new = if is_asking {
                !sets[..index].iter().any(|before| contains_member(*before, member))
            } else {
                add_member(&mut remembered, member, &SetLimits::default())
            };
            if is_new && visit(member).is_break() {
                return;
            }
        }
    }
}

/// Visits every member of `first` that is in none of `others`, until the visitor breaks.
/// O(members), or O(first × others) where that is less.
pub fn difference(
    first: Form<'_, LargeSet>,
    others: &[Form<'_, LargeSet>],
    mut visit: impl FnMut(Member<'_>) -> ControlFlow<()>,
) {
    let mut removed = Own::<LargeSet>::default();
    let removed = if is_probing_slow(first, others) {
        for member in others.iter().flat_map(|set| iter(*set)) {
            if contains_member(first, member) {
                add_member(&mut removed, member, &SetLimits::default());
            }
        }
        &[removed.form()]
    } else {
        others
    };
    for member in iter(first) {
        if !removed.iter().any(|set| contains_member(*set, member)) && visit(member).is_break() {
            return;
        }
    }
}

/// Counts what a combination visits, up to `max`.
pub fn combine_len(
    max: usize,
    combine: impl FnOnce(&mut dyn FnMut(Member<'_>) -> ControlFlow<()>),
) -> usize {
    let mut count = 0;
    combine(&mut |_| {
        count += 1;
        if count < max { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    count
}

/// Gives a stored difference the form that it gets where members are removed from a copy of the
/// first set: that of the copy.
pub fn raise_to_difference(
    result: &mut Own<LargeSet>,
    first: Form<'_, LargeSet>,
    others: &[Form<'_, LargeSet>],
    limits: &SetLimits,
) {
    if !is_probing_slow(first, others) || LargeSet::len(result.form()) == 0 {
        return;
    }
    let mut copy = Own::default();
    for member in iter(first) {
        add_member(&mut copy, member, limits);
        if encoding(copy.form()) == Encoding::Large {
            break;
        }
    }
    match encoding(copy.form()) {
        Encoding::Integers => {}
        Encoding::Large if result.large_mut().is_some() => {}
        Encoding::Large => {
            enlarge(result);
        }
        Encoding::Texts if encoding(result.form()) == Encoding::Integers => {
            leave_integers(result, 0, limits);
        }
        Encoding::Texts => {}
    }
}

/// Whether looking for every member of `first` in each of `others` takes longer than looking at
/// all members of all sets once. A probe is cheap, hence the half.
fn is_probing_slow(first: Form<'_, LargeSet>, others: &[Form<'_, LargeSet>]) -> bool {
    let first_len = LargeSet::len(first);
    let all: usize = others.iter().map(|set| LargeSet::len(*set)).sum();
    first_len + all < first_len * (others.len() + 1) / 2
}
