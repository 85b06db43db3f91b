//! What waits for a sorted set: BZPOPMIN, BZPOPMAX, BZMPOP.
//!
//! Each does what its sister without the B does, and waits where that finds nothing.

use super::pop::{PopCall, Shape, Side, pop};
use crate::blocking::Wait;
use crate::command::Outcome;
use crate::commands::common::timeout;
use crate::context::Ctx;
use crate::error::CommandError;
use std::ops::Range;
use std::time::Duration;
use store::types::sorted_set::LargeSortedSet;
use store::{Key, Kind};

/// `BZMPOP timeout numkeys key [key …] <MIN | MAX> [COUNT count]` → the first key that has a sorted
/// set, with up to `count` of its members. O(keys + members log N).
pub(super) fn bzmpop(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let call = PopCall::parse(ctx, 2)?;
    let timeout = timeout_at(ctx, 1)?;
    let Some(key) = first_key(ctx, call.keys.clone())? else {
        return wait(ctx, call.keys, timeout);
    };
    ctx.reply.array(2);
    ctx.reply.bulk(key.bytes);
    pop(ctx, key, call.side, call.count, Shape::Pairs)
}

/// `BZPOPMAX key [key …] timeout` → the first key that has a sorted set, the member with the
/// greatest score, and this. O(keys + log N).
pub(super) fn bzpopmax(ctx: &mut Ctx<'_, '_>) -> Outcome {
    pop_or_wait(ctx, Side::Max)
}

/// `BZPOPMIN key [key …] timeout` → the first key that has a sorted set, the member with the least
/// score, and this. O(keys + log N).
pub(super) fn bzpopmin(ctx: &mut Ctx<'_, '_>) -> Outcome {
    pop_or_wait(ctx, Side::Min)
}

fn pop_or_wait(ctx: &mut Ctx<'_, '_>, side: Side) -> Outcome {
    let last = ctx.argv.len() - 1;
    let timeout = timeout_at(ctx, last)?;
    let Some(key) = first_key(ctx, 1..last)? else {
        return wait(ctx, 1..last, timeout);
    };
    pop(ctx, key, side, 1, Shape::WithKey)
}

/// The first of these keys that has a sorted set; one of another type before it is an error.
fn first_key<'c>(
    ctx: &mut Ctx<'c, '_>,
    keys: Range<usize>,
) -> Result<Option<Key<'c>>, CommandError> {
    for index in keys {
        let key = ctx.key(index);
        if ctx.is_at_hand(key) && ctx.data.look_as::<LargeSortedSet>(key)?.is_some() {
            return Ok(Some(key));
        }
    }
    Ok(None)
}

fn wait(ctx: &mut Ctx<'_, '_>, keys: Range<usize>, timeout: Option<Duration>) -> Outcome {
    if !ctx.wait(Wait { timeout, ..Wait::on(Kind::SortedSet, keys) }) {
        ctx.reply.null_array();
    }
    Ok(())
}

fn timeout_at(ctx: &Ctx<'_, '_>, index: usize) -> Result<Option<Duration>, CommandError> {
    timeout::seconds(ctx.argv.at(index), ctx.data.now_ms)
}
