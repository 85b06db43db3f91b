//! Several sets at once: intersection, union and difference, as a reply, a number or another set.
//!
//! All keys are looked at first, so that one of a wrong type leaves everything as it was. After
//! that the sets are only looked at, where they lie, and their members go into the reply at once.

use super::reply_member;
use crate::args::{self, Args};
use crate::command::Outcome;
use crate::context::Ctx;
use crate::data::Data;
use crate::error::CommandError;
use crate::events::{self, Event};
use base::numbers::IntegerBuffer;
use smallvec::SmallVec;
use std::ops::{ControlFlow, Range};
use store::types::hyperloglog::Registers;
use store::types::limits::SetLimits;
use store::types::set::{self, LargeSet, Member};
use store::{Form, Home, Key, Large, Own};

type Keys<'a> = SmallVec<[Key<'a>; 8]>;

/// Sets that are combined; of a missing key there is none.
type Sets<'a> = SmallVec<[Form<'a, LargeSet>; 8]>;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Combination {
    Difference,
    Intersection,
    Union,
}

/// `SDIFF key [key …]` → members of the first set that no other has. O(members).
pub(super) fn sdiff(ctx: &mut Ctx<'_, '_>) -> Outcome {
    reply_combined(ctx, Combination::Difference)
}

/// `SDIFFCARD numkeys key [key …] [LIMIT limit]` → how many members SDIFF has. O(members).
pub(super) fn sdiffcard(ctx: &mut Ctx<'_, '_>) -> Outcome {
    reply_len(ctx, Combination::Difference)
}

/// `SDIFFSTORE destination key [key …]` → number of members of what SDIFF replies. O(members).
pub(super) fn sdiffstore(ctx: &mut Ctx<'_, '_>) -> Outcome {
    store_combined(ctx, Combination::Difference, events::SDIFFSTORE)
}

/// `SINTER key [key …]` → members that all sets have. O(smallest set × sets).
pub(super) fn sinter(ctx: &mut Ctx<'_, '_>) -> Outcome {
    reply_combined(ctx, Combination::Intersection)
}

/// `SINTERCARD numkeys key [key …] [LIMIT limit]` → how many members SINTER has. O(smallest set ×
/// sets).
pub(super) fn sintercard(ctx: &mut Ctx<'_, '_>) -> Outcome {
    reply_len(ctx, Combination::Intersection)
}

/// `SINTERSTORE destination key [key …]` → number of members of what SINTER replies. O(smallest
/// set × sets).
pub(super) fn sinterstore(ctx: &mut Ctx<'_, '_>) -> Outcome {
    store_combined(ctx, Combination::Intersection, events::SINTERSTORE)
}

/// `SUNION key [key …]` → members that any set has. O(members).
pub(super) fn sunion(ctx: &mut Ctx<'_, '_>) -> Outcome {
    reply_combined(ctx, Combination::Union)
}

/// `SUNIONCARD numkeys key [key …] [APPROX] [LIMIT limit]` → how many members SUNION has, or with
/// APPROX about how many. O(members); with APPROX in constant memory.
pub(super) fn sunioncard(ctx: &mut Ctx<'_, '_>) -> Outcome {
    reply_len(ctx, Combination::Union)
}

/// `SUNIONSTORE destination key [key …]` → number of members of what SUNION replies. O(members).
pub(super) fn sunionstore(ctx: &mut Ctx<'_, '_>) -> Outcome {
    store_combined(ctx, Combination::Union, events::SUNIONSTORE)
}

fn reply_combined(ctx: &mut Ctx<'_, '_>, combination: Combination) -> Outcome {
    let keys = touch(ctx, 1..ctx.argv.len())?;
    let reply = &mut *ctx.reply;
    let mark = reply.begin_set();
    let mut count = 0;
    combine(view(ctx.data, &keys), combination, &mut |member| {
        reply_member(reply, member);
        count += 1;
        ControlFlow::Continue(())
    });
    reply.finish_set(mark, count);
    Ok(())
}

fn reply_len(ctx: &mut Ctx<'_, '_>, combination: Combination) -> Outcome {
    let Counting { keys, max, is_approximate } = Counting::parse(ctx, combination)?;
    let keys = touch(ctx, keys)?;
    let views = view(ctx.data, &keys);
    let len = if is_approximate {
        approximate_union_len(&views).min(max)
    } else {
        set::combine_len(max, |visit| combine(views, combination, visit))
    };
    ctx.reply.integer(len as i64);
    Ok(())
}

/// About how many different members there are, by a HyperLogLog of them all.
fn approximate_union_len(views: &Views<'_>) -> usize {
    let mut registers = Registers::default();
    for member in views.sets.iter().flat_map(|set| set::iter(*set)) {
        registers.add(member.bytes(&mut IntegerBuffer::new()));
    }
    registers.count() as usize
}

fn store_combined(ctx: &mut Ctx<'_, '_>, combination: Combination, event: Event) -> Outcome {
    let target = ctx.key(1);
    let keys = touch(ctx, 2..ctx.argv.len())?;
    let result = collect(view(ctx.data, &keys), combination, &ctx.settings.types.set);
    let len = LargeSet::len(result.form());
    if len != 0 {
        ctx.data.put_collection(target, result, None);
        ctx.data.changed(target, event);
    } else if ctx.data.remove(target) {
        ctx.data.changed(target, events::DEL);
    }
    ctx.reply.integer(len as i64);
    Ok(())
}

fn collect(views: Views<'_>, combination: Combination, limits: &SetLimits) -> Own<LargeSet> {
    let mut result = Own::default();
    combine(views.clone(), combination, &mut |member| {
        set::add_member(&mut result, member, limits);
        ControlFlow::Continue(())
    });
    if combination == Combination::Difference
        && let [first, others @ ..] = &views.sets[..]
    {
        set::raise_to_difference(&mut result, *first, others, limits);
    }
    result
}

/// The arguments of a call that counts.
struct Counting {
    /// The arguments that are keys.
    keys: Range<usize>,
    /// Up to which number to count.
    max: usize,
    is_approximate: bool,
}

impl Counting {
    /// `numkeys key [key …] [LIMIT limit]`, and APPROX for unions.
    fn parse(ctx: &Ctx<'_, '_>, combination: Combination) -> Result<Self, CommandError> {
        let count = args::integer(ctx.argv.at(1)).ok().filter(|count| 0 < *count);
        let count = count.ok_or(CommandError::NumkeysNotGreater)?;
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        if ctx.argv.len() - 2 < count {
            return Err(CommandError::NumkeysTooLarge);
        }
        let keys = 2..2 + count;
        let mut args = Args::new(ctx.argv, keys.end);
        let (mut limit, mut is_approximate) = (0, false);
        while !args.is_empty() {
            if args.len() != 1 && args.take("limit") {
                let argument = args.integer().ok();
                let argument = argument.and_then(|limit| usize::try_from(limit).ok());
                limit = argument.ok_or(CommandError::LimitNegative)?;
            } else if combination == Combination::Union && args.take("approx") {
                is_approximate = true;
            } else {
                return Err(CommandError::Syntax);
            }
        }
        Ok(Self { keys, max: if limit == 0 { usize::MAX } else { limit }, is_approximate })
    }
}

/// Looks whether all keys are sets or missing; what has expired is gone after that.
fn touch<'c>(ctx: &mut Ctx<'c, '_>, indices: Range<usize>) -> Result<Keys<'c>, CommandError> {
    let mut keys = Keys::new();
    for index in indices {
        let key = ctx.key(index);
        ctx.data.read_as::<LargeSet>(key)?;
        keys.push(key);
    }
    Ok(keys)
}

/// The sets that are there.
#[derive(Clone)]
struct Views<'a> {
    sets: Sets<'a>,
    missing: Missing,
}

/// Which keys have no set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Missing {
    None,
    /// The first, and maybe others.
    First,
    Other,
}

/// The sets of keys that were touched.
fn view<'a>(data: &'a Data<'_>, keys: &[Key<'_>]) -> Views<'a> {
    let mut views = Views { sets: Sets::new(), missing: Missing::None };
    for (index, key) in keys.iter().enumerate() {
        match data.view_as::<LargeSet>(*key) {
            Some(set) => views.sets.push(set),
            None if index == 0 => views.missing = Missing::First,
            None if views.missing == Missing::None => views.missing = Missing::Other,
            None => {}
        }
    }
    views
}

fn combine(
    views: Views<'_>,
    combination: Combination,
    visit: &mut dyn FnMut(Member<'_>) -> ControlFlow<()>,
) {
    let Views { mut sets, missing } = views;
    match (combination, missing) {
        (Combination::Difference, Missing::First)
        | (Combination::Intersection, Missing::First | Missing::Other) => {}
        (Combination::Intersection, Missing::None) => set::intersection(&mut sets, visit),
        (Combination::Union, _) => set::union(&mut sets, visit),
        (Combination::Difference, Missing::None | Missing::Other) => {
            if let [first, others @ ..] = &sets[..] {
                set::difference(*first, others, visit);
            }
        }
    }
}
