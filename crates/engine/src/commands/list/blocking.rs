//! What waits for a list: BLPOP, BRPOP, BLMPOP, BLMOVE, BLMOVEM, BRPOPLPUSH.
//!
//! Each does what its sister without the B does, and waits where that finds nothing.

use super::movement::{Amount, Move, move_many, move_one};
use super::pop::{PopCall, pop_many, pop_name, told};
use crate::args::Args;
use crate::blocking::Wait;
use crate::command::Outcome;
use crate::commands::common::list::reply_element;
use crate::commands::common::timeout;
use crate::context::Ctx;
use crate::error::CommandError;
use std::time::Duration;
use store::types::list::{self, End, LargeList};
use store::{Key, Kind};

/// `BLMOVE source destination <LEFT | RIGHT> <LEFT | RIGHT> timeout` → the element moved. O(1).
pub(super) fn blmove(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let call = Move::parse(ctx)?;
    let timeout = timeout_at(ctx, 5)?;
    move_or_wait(ctx, call, timeout)
}

/// `BLMOVEM source destination <LEFT | RIGHT> <LEFT | RIGHT> timeout [<COUNT count | EXACTLY count>
/// <OBO | BULK>]` → the elements moved, as they stand in the destination. O(elements).
pub(super) fn blmovem(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let call = Move::parse(ctx)?;
    let timeout = timeout_at(ctx, 5)?;
    let amount = Amount::parse(Args::new(ctx.argv, 6))?;
    let is_moved = move_many(ctx, call, amount)?;
    if !is_moved && !ctx.wait(Wait { timeout, ..Wait::on(Kind::List, 1..2) }) {
        ctx.reply.null_array();
    }
    Ok(())
}

/// `BLMPOP timeout numkeys key [key …] <LEFT | RIGHT> [COUNT count]` → the first key that has a
/// list, with up to `count` of its elements. O(keys + elements).
pub(super) fn blmpop(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let call = PopCall::parse(ctx, 2)?;
    let timeout = timeout_at(ctx, 1)?;
    for index in call.keys.clone() {
        let key = ctx.key(index);
        if ctx.is_at_hand(key) && ctx.data.look_as::<LargeList>(key)?.is_some() {
            ctx.reply.array(2);
            ctx.reply.bulk(key.bytes);
            return pop_many(ctx, key, call.end, call.count);
        }
    }
    if !ctx.wait(Wait { timeout, ..Wait::on(Kind::List, call.keys) }) {
        ctx.reply.null_array();
    }
    Ok(())
}

/// `BLPOP key [key …] timeout` → the first key that has a list, and its first element. O(keys).
pub(super) fn blpop(ctx: &mut Ctx<'_, '_>) -> Outcome {
    pop_or_wait(ctx, End::Head)
}

/// `BRPOP key [key …] timeout` → the first key that has a list, and its last element. O(keys).
pub(super) fn brpop(ctx: &mut Ctx<'_, '_>) -> Outcome {
    pop_or_wait(ctx, End::Tail)
}

/// `BRPOPLPUSH source destination timeout` → the element moved. O(1).
pub(super) fn brpoplpush(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (source, destination) = (ctx.key(1), ctx.key(2));
    let timeout = timeout_at(ctx, 3)?;
    let call = Move { source, destination, from: End::Tail, to: End::Head };
    move_or_wait(ctx, call, timeout)
}

fn move_or_wait(ctx: &mut Ctx<'_, '_>, call: Move<'_>, timeout: Option<Duration>) -> Outcome {
    if !move_one(ctx, call)? && !ctx.wait(Wait { timeout, ..Wait::on(Kind::List, 1..2) }) {
        ctx.reply.null();
    }
    Ok(())
}

fn pop_or_wait(ctx: &mut Ctx<'_, '_>, end: End) -> Outcome {
    let last = ctx.argv.len() - 1;
    let timeout = timeout_at(ctx, last)?;
    for index in 1..last {
        let key = ctx.key(index);
        if ctx.is_at_hand(key) && pop_one(ctx, key, end)? {
            return Ok(());
        }
    }
    if !ctx.wait(Wait { timeout, ..Wait::on(Kind::List, 1..last) }) {
        ctx.reply.null_array();
    }
    Ok(())
}

/// Takes one element away, and replies with the key and it; `false` if there is none.
fn pop_one(ctx: &mut Ctx<'_, '_>, key: Key<'_>, end: End) -> Result<bool, CommandError> {
    let (reply, limits) = (&mut *ctx.reply, ctx.settings.types.list);
    let popped = ctx.data.change::<LargeList, _>(key, |home| {
        reply.array(2);
        reply.bulk(key.bytes);
        list::pop(home, end, limits, |element| reply_element(reply, element));
    })?;
    let Some(popped) = popped else { return Ok(false) };
    told(ctx, key, end, popped.is_emptied);
    ctx.journal_as(&[pop_name(end), key.bytes]);
    Ok(true)
}

fn timeout_at(ctx: &Ctx<'_, '_>, index: usize) -> Result<Option<Duration>, CommandError> {
    timeout::seconds(ctx.argv.at(index), ctx.data.now_ms)
}
