//! What takes elements away and replies with them: LPOP, RPOP, LMPOP.

use super::{end_named, pop_event, positive_count};
use crate::args::{self, Args};
use crate::command::Outcome;
use crate::commands::common::list::{reply_element, reply_elements};
use crate::context::Ctx;
use crate::error::CommandError;
use crate::events;
use store::types::list::{self, End, LargeList};
use store::{Form, Home, Key};

/// `LMPOP numkeys key [key …] <LEFT | RIGHT> [COUNT count]` → the first key that has a list, with
/// up to `count` of its elements, or null. O(keys + elements).
pub(super) fn lmpop(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let call = PopCall::parse(ctx, 1)?;
    for index in call.keys.clone() {
        let key = ctx.key(index);
        if ctx.data.look_as::<LargeList>(key)?.is_some() {
            ctx.reply.array(2);
            ctx.reply.bulk(key.bytes);
            pop_many(ctx, key, call.end, call.count)?;
            return Ok(());
        }
    }
    ctx.reply.null_array();
    Ok(())
}

/// `LPOP key [count]` → the first element, or an array of the first `count`, or null.
/// O(elements).
pub(super) fn lpop(ctx: &mut Ctx<'_, '_>) -> Outcome {
    pop(ctx, End::Head)
}

/// `RPOP key [count]` → the last element, or an array of the last `count`, or null.
/// O(elements).
pub(super) fn rpop(ctx: &mut Ctx<'_, '_>) -> Outcome {
    pop(ctx, End::Tail)
}

/// What LMPOP is asked for.
pub(super) struct PopCall {
    pub(super) keys: std::ops::Range<usize>,
    pub(super) end: End,
    pub(super) count: usize,
}

impl PopCall {
    /// Reads the arguments from the number of keys on.
    pub(super) fn parse(ctx: &Ctx<'_, '_>, position: usize) -> Result<Self, CommandError> {
        let keys_max = args::integer(ctx.argv.at(position))
            .ok()
            .and_then(|count| usize::try_from(count).ok())
            .filter(|count| 0 < *count);
        let key_count = keys_max.ok_or(CommandError::NumkeysNotGreater)?;
        let keys = position + 1..key_count.saturating_add(position + 1);
        let mut args = Args::new(ctx.argv, keys.end);
        let end = end_named(args.required()?)?;
        let mut count = None;
        while !args.is_empty() {
            if count.is_some() || !args.take("count") {
                return Err(CommandError::Syntax);
            }
            count = Some(positive_count(&mut args)?);
        }
        Ok(Self { keys, end, count: count.unwrap_or(1) })
    }
}

/// Takes up to `count` elements away, and replies with the array of them. The list is there.
pub(super) fn pop_many(ctx: &mut Ctx<'_, '_>, key: Key<'_>, end: End, count: usize) -> Outcome {
    let (reply, limits) = (&mut *ctx.reply, ctx.settings.types.list);
    let removed = |form: Form<'_, LargeList>| count.min(list::len(form));
    let popped = ctx.data.cut::<LargeList, _>(key, removed, |home| {
        let len = list::len(Home::<LargeList>::form(home));
        reply.array(count.min(len));
        list::pop_many(home, end, count, limits, |element| reply_element(reply, element));
    })?;
    told(ctx, key, end, popped.is_some_and(|popped| popped.is_emptied));
    ctx.journal_as(&[pop_name(end), key.bytes, count.to_string().as_bytes()]);
    Ok(())
}

/// The command that takes elements away at this end.
pub(super) fn pop_name(end: End) -> &'static [u8] {
    match end {
        End::Head => b"LPOP",
        End::Tail => b"RPOP",
    }
}

/// Tells that elements were taken away.
pub(super) fn told(ctx: &mut Ctx<'_, '_>, key: Key<'_>, end: End, is_emptied: bool) {
    ctx.data.changed(key, pop_event(end));
    if is_emptied {
        ctx.data.noted(key, events::DEL);
    }
}

/// Takes an element away and replies with it; `false` if there is none.
#[inline]
pub(super) fn pop_one(ctx: &mut Ctx<'_, '_>, key: Key<'_>, end: End) -> Result<bool, CommandError> {
    let (reply, limits) = (&mut *ctx.reply, ctx.settings.types.list);
    let popped = ctx.data.change::<LargeList, _>(key, |home| {
        list::pop(home, end, limits, |element| reply_element(reply, element));
    })?;
    if let Some(popped) = &popped {
        told(ctx, key, end, popped.is_emptied);
    }
    Ok(popped.is_some())
}

fn pop(ctx: &mut Ctx<'_, '_>, end: End) -> Outcome {
    if ctx.argv.len() != 2 {
        return pop_counted(ctx, end);
    }
    let key = ctx.key(1);
    if !pop_one(ctx, key, end)? {
        ctx.reply.null();
    }
    Ok(())
}

#[cold]
fn pop_counted(ctx: &mut Ctx<'_, '_>, end: End) -> Outcome {
    if 3 < ctx.argv.len() {
        return Err(CommandError::WrongArity(ctx.entry.full_name.clone()));
    }
    let count = args::integer(ctx.argv.at(2)).ok().and_then(|count| usize::try_from(count).ok());
    let count = count.ok_or(CommandError::OutOfRangePositive)?;
    let key = ctx.key(1);
    match ctx.data.look_as::<LargeList>(key)? {
        None => ctx.reply.null_array(),
        Some(form) if count == 0 => reply_elements(ctx.reply, list::walk(form, end, 0, 0)),
        Some(_) => pop_many(ctx, key, end, count)?,
    }
    Ok(())
}
