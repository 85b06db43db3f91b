//! What takes the least or the greatest members out and replies with them: ZPOPMIN, ZPOPMAX, ZMPOP.

use super::gone_at_once;
use crate::args::{self, Args};
use crate::command::Outcome;
use crate::context::Ctx;
use crate::error::CommandError;
use crate::events::{self, Event};
use resp::{Protocol, Reply};
use std::ops::Range;
use store::types::sorted_set::{self, LargeSortedSet};
use store::{Form, Home, Key, Large};

/// From where members are taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Side {
    Max,
    Min,
}

/// How members and scores stand in the reply.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Shape {
    Flat,
    Pairs,
    /// One member, behind its key.
    WithKey,
}

impl Side {
    fn event(self) -> Event {
        match self {
            Self::Max => events::ZPOPMAX,
            Self::Min => events::ZPOPMIN,
        }
    }
}

/// `ZMPOP numkeys key [key …] <MIN | MAX> [COUNT count]` → the first key that has a sorted set, with
/// up to `count` of its members, or null. O(keys + members log N).
pub(super) fn zmpop(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let call = PopCall::parse(ctx, 1)?;
    for index in call.keys.clone() {
        let key = ctx.key(index);
        if ctx.data.look_as::<LargeSortedSet>(key)?.is_some() {
            ctx.reply.array(2);
            ctx.reply.bulk(key.bytes);
            return pop(ctx, key, call.side, call.count, Shape::Pairs);
        }
    }
    ctx.reply.null_array();
    Ok(())
}

/// `ZPOPMAX key [count]` → the members with the greatest scores, and these. O(members log N).
pub(super) fn zpopmax(ctx: &mut Ctx<'_, '_>) -> Outcome {
    pop_one_key(ctx, Side::Max)
}

/// `ZPOPMIN key [count]` → the members with the least scores, and these. O(members log N).
pub(super) fn zpopmin(ctx: &mut Ctx<'_, '_>) -> Outcome {
    pop_one_key(ctx, Side::Min)
}

/// What ZMPOP is asked for.
pub(super) struct PopCall {
    pub(super) keys: Range<usize>,
    pub(super) side: Side,
    pub(super) count: usize,
}

impl PopCall {
    /// Reads the arguments from the number of keys on.
    pub(super) fn parse(ctx: &Ctx<'_, '_>, position: usize) -> Result<Self, CommandError> {
        let count = args::integer(ctx.argv.at(position)).ok().filter(|count| 0 < *count);
        let count = count.and_then(|count| usize::try_from(count).ok());
        let key_count = count.ok_or(CommandError::NumkeysNotGreater)?;
        let keys = position + 1..key_count.saturating_add(position + 1);
        let mut args = Args::new(ctx.argv, keys.end);
        let side = match args.required()? {
            word if args::is_word(word, "max") => Side::Max,
            word if args::is_word(word, "min") => Side::Min,
            _ => return Err(CommandError::Syntax),
        };
        let mut count = None;
        while !args.is_empty() {
            if count.is_some() || !args.take("count") {
                return Err(CommandError::Syntax);
            }
            let number = args::integer(args.required()?).ok().filter(|count| 0 < *count);
            count = Some(number.ok_or(CommandError::CountNotPositive)?);
        }
        let count = usize::try_from(count.unwrap_or(1)).unwrap_or(usize::MAX);
        Ok(Self { keys, side, count })
    }
}

fn pop_one_key(ctx: &mut Ctx<'_, '_>, side: Side) -> Outcome {
    if 3 < ctx.argv.len() {
        return Err(CommandError::Syntax);
    }
    let is_counted = ctx.argv.len() == 3;
    let count = if is_counted { args::integer(ctx.argv.at(2)).unwrap_or(-1) } else { 1 };
    let count = usize::try_from(count).map_err(|_| CommandError::OutOfRangePositive)?;
    let key = ctx.key(1);
    if ctx.data.look_as::<LargeSortedSet>(key)?.is_none() || count == 0 {
        ctx.reply.array(0);
        return Ok(());
    }
    let is_nested = is_counted && ctx.reply.protocol() == Protocol::Resp3;
    pop(ctx, key, side, count, if is_nested { Shape::Pairs } else { Shape::Flat })
}

/// Takes members out of a sorted set that is there, and replies with them.
pub(super) fn pop(
    ctx: &mut Ctx<'_, '_>,
    key: Key<'_>,
    side: Side,
    count: usize,
    shape: Shape,
) -> Outcome {
    let reply = &mut *ctx.reply;
    let all = |form: Form<'_, LargeSortedSet>| gone_at_once(form, count);
    let popped = ctx.data.cut::<LargeSortedSet, _>(key, all, |home| {
        let form = home.form();
        let len = LargeSortedSet::len(form);
        let count = count.min(len);
        let (ranks, items) = match side {
            Side::Max => (len - count..len, sorted_set::iter_back(form, len - count..len)),
            Side::Min => (0..count, sorted_set::iter(form, 0..count)),
        };
        reply_popped(reply, key, items, shape);
        sorted_set::remove_ranks(home, ranks);
    })?;
    ctx.data.changed(key, side.event());
    if popped.is_some_and(|popped| popped.is_emptied) {
        ctx.data.noted(key, events::DEL);
    }
    let name: &[u8] = if side == Side::Min { b"ZPOPMIN" } else { b"ZPOPMAX" };
    ctx.journal_as(&[name, key.bytes, count.to_string().as_bytes()]);
    Ok(())
}

fn reply_popped(reply: &mut Reply, key: Key<'_>, items: sorted_set::Iter<'_>, shape: Shape) {
    match shape {
        Shape::Flat => reply.array(2 * items.len()),
        Shape::Pairs => reply.array(items.len()),
        Shape::WithKey => {
            reply.array(3);
            reply.bulk(key.bytes);
        }
    }
    for item in items {
        if shape == Shape::Pairs {
            reply.array(2);
        }
        reply.bulk(item.member);
        reply.double(item.score);
    }
}
