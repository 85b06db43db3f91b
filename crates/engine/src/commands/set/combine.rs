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
use smallvec::SmallVec;
use std::ops::{ControlFlow, Range};
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

/// `SUNIONCARD numkeys key [key …] [APPROX] [LIMIT limit]` → how many members SUNION has. O(members).
///
/// An exact number is an approximate one too.
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
    let (keys, max) = parse_counted(ctx, combination)?;
    let keys = touch(ctx, keys)?;
    let views = view(ctx.data, &keys);
    let len = set::combine_len(max, |visit| combine(views, combination, visit));
    ctx.reply.integer(len as i64);
    Ok(())
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

/// `numkeys key [key …]` and options: the indices of the keys, and up to which number to count.
fn parse_counted(
    ctx: &Ctx<'_, '_>,
    combination: Combination,
) -> Result<(Range<usize>, usize), CommandError> {
    let count = args::integer(ctx.argv.at(1)).ok().filter(|count| 0 < *count);
    let count = count.ok_or(CommandError::NumkeysNotGreater)?;
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    if ctx.argv.len() - 2 < count {
        return Err(CommandError::NumkeysTooLarge);
    }
    let keys = 2..2 + count;
    let mut args = Args::new(ctx.argv, keys.end);
    let mut limit = 0;
    while !args.is_empty() {
        if args.len() != 1 && args.take("limit") {
            let argument = args.integer().ok();
            let argument = argument.and_then(|limit| usize::try_from(limit).ok());
            limit = argument.ok_or(CommandError::LimitNegative)?;
        } else if combination != Combination::Union || !args.take("approx") {
            return Err(CommandError::Syntax);
        }
    }
    Ok((keys, if limit == 0 { usize::MAX } else { limit }))
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
