//! Members by chance: one, several different ones, and those that are taken out.

use base::rand::Rng;

use super::{Encoding, LargeSet, Member, add_member, encoding, iter, texts};
use crate::layout::home::{Form, Home, Large, Own};
use crate::layout::{intset, packed};
use crate::types::limits::SetLimits;

/// A large set of which at least this many times what stays is popped is built anew from what
/// stays.
const REBUILD_RATIO: usize = 5;

/// Some member, each equally likely.
pub fn random<'a>(form: Form<'a, LargeSet>, rng: &mut Rng) -> Option<Member<'a>> {
    let len = LargeSet::len(form);
    match form {
        _ if len == 0 => None,
        Form::Packed(bytes) if intset::is_intset(bytes) => {
            intset::random(bytes, rng).map(Member::Integer)
        }
        Form::Packed(bytes) => packed::get(texts::items(bytes), rng.index(len)).map(Member::Text),
        Form::Large(set) => set.0.random(rng).map(|element| Member::Text(element.key)),
    }
}

/// Visits `count` different members, or all if there are fewer; each choice of them is equally
/// likely.
pub fn sample(
    form: Form<'_, LargeSet>,
    rng: &mut Rng,
    count: usize,
    mut visit: impl FnMut(Member<'_>),
) {
    if let Form::Large(set) = form {
        return set.0.random_distinct(rng, count, |element| visit(Member::Text(element.key)));
    }
    partition(form, rng, count, |member, is_drawn| {
        if is_drawn {
            visit(member);
        }
    });
}

/// Whether [`pop`] builds the set anew when it takes `count` members, fewer than there are: it drops
/// all that was there.
pub fn is_rebuilt_by_pop(form: Form<'_, LargeSet>, count: usize) -> bool {
    let rest = LargeSet::len(form) - count;
    encoding(form) == Encoding::Large && rest * REBUILD_RATIO <= count
}

/// Takes `count` members by chance out of a set that has more, and visits them.
///
/// A large set of which little is left becomes packed again if that is within the limits.
pub fn pop<H: Home<LargeSet>>(
    home: &mut H,
    rng: &mut Rng,
    count: usize,
    limits: &SetLimits,
    mut visit: impl FnMut(Member<'_>),
) {
    let rest = LargeSet::len(home.form()) - count;
    match encoding(home.form()) {
        Encoding::Integers if count == 1 => {
            let index = rng.index(rest + 1);
            visit(Member::Integer(intset::at(home.packed(), index)));
            intset::remove_at(home, index);
        }
        Encoding::Texts if count == 1 => {
            let items = texts::items(home.packed());
            let offset = packed::skip(items, packed::FIRST, rng.index(rest + 1));
            visit(Member::Text(packed::item(items, offset).0));
            texts::remove(home, offset);
        }
        Encoding::Large if !is_rebuilt_by_pop(home.form(), count) => {
            pop_one_by_one(home, rng, count, visit)
        }
        encoding => keep_others(home, rng, count, limits, encoding, visit),
    }
}

/// Splits the set by chance: visits every member, and says of `count` of them that they are drawn.
fn partition<'a>(
    form: Form<'a, LargeSet>,
    rng: &mut Rng,
    count: usize,
    mut visit: impl FnMut(Member<'a>, bool),
) {
    let mut left = LargeSet::len(form);
    let mut wanted = count.min(left);
    for member in iter(form) {
        // With the chance that so many of those left are still wanted.
        let is_drawn = rng.index(left) < wanted;
        wanted -= usize::from(is_drawn);
        left -= 1;
        visit(member, is_drawn);
    }
}

fn pop_one_by_one<H: Home<LargeSet>>(
    home: &mut H,
    rng: &mut Rng,
    count: usize,
    mut visit: impl FnMut(Member<'_>),
) {
    let set = home.large_mut().expect("the caller has seen that it is large");
    let mut popped = Vec::new();
    for _ in 0..count {
        let element = set.0.random(rng).expect("the caller takes fewer than there are");
        popped.clear();
        popped.extend_from_slice(element.key);
        visit(Member::Text(&popped));
        set.0.remove(&popped);
    }
}

/// Builds the set anew from what is not drawn: integers stay integers, texts texts, and large sets
/// become texts or stay large.
fn keep_others<H: Home<LargeSet>>(
    home: &mut H,
    rng: &mut Rng,
    count: usize,
    limits: &SetLimits,
    encoding: Encoding,
    mut visit: impl FnMut(Member<'_>),
) {
    let mut rest = Own::<LargeSet>::default();
    let packed_limits = match encoding {
        Encoding::Integers => SetLimits { integers_max: usize::MAX, ..*limits },
        Encoding::Texts => SetLimits {
            integers_max: 0,
            packed_entries_max: usize::MAX,
            packed_value_max: usize::MAX,
        },
        Encoding::Large => SetLimits { integers_max: 0, ..*limits },
    };
    partition(home.form(), rng, count, |member, is_drawn| {
        if is_drawn {
            visit(member);
        } else {
            add_member(&mut rest, member, &packed_limits);
        }
    });
    match rest {
        Own::Packed(bytes) => home.set_packed(&bytes),
        Own::Large(large) => home.set_large(large),
    }
}
