//! Lists: LPUSH, RPOP, LRANGE and their relatives.

mod blocking;
mod movement;
mod pop;
mod position;

use crate::args::{self, Args};
use crate::command::{Categories, Command, Flags, Group, Origin, Outcome, Reach};
use crate::commands::common::list::{reply_element, reply_elements};
use crate::context::Ctx;
use crate::error::CommandError;
use crate::events::{self, Event};
use crate::keys::{self, KeySpec};
use std::ops::Range;
use store::types::list::{self, End, LargeList, Place};
use store::{Form, Home};

const ROW: Command =
    Command { reach: Reach::Keys, group: Group::List, acl: Categories::LIST, ..Command::NEW };
const GROW: Flags = Flags::WRITE.with(Flags::DENYOOM);
const GROW_FAST: Flags = GROW.with(Flags::FAST);
const READ_FAST: Flags = Flags::READONLY.with(Flags::FAST);
const WAIT: Flags = Flags::WRITE.with(Flags::BLOCKING);
const WRITE_FAST: Flags = Flags::WRITE.with(Flags::FAST);

const INSERT_KEY: &[KeySpec] = &[KeySpec::at(1, keys::RW_INSERT)];
const POP_KEY: &[KeySpec] = &[KeySpec::at(1, keys::RW_ACCESS_DELETE)];
const WAIT_KEYS: &[KeySpec] = &[KeySpec::range(1, -2, 1, keys::RW_ACCESS_DELETE)];
const READ_KEY: &[KeySpec] = &[KeySpec::at(1, keys::RO_ACCESS)];
const REMOVE_KEY: &[KeySpec] = &[KeySpec::at(1, keys::RW_DELETE)];
const MOVE_KEYS: &[KeySpec] =
    &[KeySpec::at(1, keys::RW_ACCESS_DELETE), KeySpec::at(2, keys::RW_INSERT)];

pub(crate) const COMMANDS: &[Command] = &[
    Command {
        name: "blmove",
        arity: 6,
        flags: GROW.with(Flags::BLOCKING),
        keys: MOVE_KEYS,
        since: "6.2.0",
        run: blocking::blmove,
        ..ROW
    },
    Command {
        name: "blmovem",
        arity: -6,
        flags: GROW.with(Flags::BLOCKING),
        keys: MOVE_KEYS,
        since: "8.10.0",
        origin: Origin::Ochre,
        run: blocking::blmovem,
        ..ROW
    },
    Command {
        name: "blmpop",
        arity: -5,
        flags: WAIT.with(Flags::MOVABLE_KEYS),
        keys: &[KeySpec::counted(2, 1, keys::RW_ACCESS_DELETE)],
        since: "7.0.0",
        run: blocking::blmpop,
        ..ROW
    },
    Command {
        name: "blpop",
        arity: -3,
        flags: WAIT,
        keys: WAIT_KEYS,
        since: "2.0.0",
        run: blocking::blpop,
        ..ROW
    },
    Command {
        name: "brpop",
        arity: -3,
        flags: WAIT,
        keys: WAIT_KEYS,
        since: "2.0.0",
        run: blocking::brpop,
        ..ROW
    },
    Command {
        name: "brpoplpush",
        arity: 4,
        flags: GROW.with(Flags::BLOCKING),
        keys: MOVE_KEYS,
        since: "2.2.0",
        run: blocking::brpoplpush,
        ..ROW
    },
    Command {
        name: "lindex",
        arity: 3,
        flags: Flags::READONLY,
        keys: READ_KEY,
        run: lindex,
        ..ROW
    },
    Command {
        name: "linsert",
        arity: 5,
        flags: GROW,
        keys: INSERT_KEY,
        since: "2.2.0",
        run: linsert,
        ..ROW
    },
    Command {
        name: "llen",
        arity: 2,
        flags: READ_FAST,
        keys: &[KeySpec::at(1, keys::RO)],
        run: llen,
        ..ROW
    },
    Command {
        name: "lmove",
        arity: 5,
        flags: GROW,
        keys: MOVE_KEYS,
        since: "6.2.0",
        run: movement::lmove,
        ..ROW
    },
    Command {
        name: "lmovem",
        arity: -5,
        flags: GROW,
        keys: MOVE_KEYS,
        since: "8.10.0",
        origin: Origin::Ochre,
        run: movement::lmovem,
        ..ROW
    },
    Command {
        name: "lmpop",
        arity: -4,
        flags: Flags::WRITE.with(Flags::MOVABLE_KEYS),
        keys: &[KeySpec::counted(1, 1, keys::RW_ACCESS_DELETE)],
        since: "7.0.0",
        run: pop::lmpop,
        ..ROW
    },
    Command { name: "lpop", arity: -2, flags: WRITE_FAST, keys: POP_KEY, run: pop::lpop, ..ROW },
    Command {
        name: "lpos",
        arity: -3,
        flags: Flags::READONLY,
        keys: READ_KEY,
        since: "6.0.6",
        run: position::lpos,
        ..ROW
    },
    Command { name: "lpush", arity: -3, flags: GROW_FAST, keys: INSERT_KEY, run: lpush, ..ROW },
    Command {
        name: "lpushx",
        arity: -3,
        flags: GROW_FAST,
        keys: INSERT_KEY,
        since: "2.2.0",
        run: lpushx,
        ..ROW
    },
    Command {
        name: "lrange",
        arity: 4,
        flags: Flags::READONLY,
        keys: READ_KEY,
        run: lrange,
        ..ROW
    },
    Command { name: "lrem", arity: 4, flags: Flags::WRITE, keys: REMOVE_KEY, run: lrem, ..ROW },
    Command {
        name: "lset",
        arity: 4,
        flags: GROW,
        keys: &[KeySpec::at(1, keys::RW_UPDATE)],
        run: lset,
        ..ROW
    },
    Command { name: "ltrim", arity: 4, flags: Flags::WRITE, keys: REMOVE_KEY, run: ltrim, ..ROW },
    Command { name: "rpop", arity: -2, flags: WRITE_FAST, keys: POP_KEY, run: pop::rpop, ..ROW },
    Command {
        name: "rpoplpush",
        arity: 3,
        flags: GROW,
        keys: MOVE_KEYS,
        since: "1.2.0",
        run: movement::rpoplpush,
        ..ROW
    },
    Command { name: "rpush", arity: -3, flags: GROW_FAST, keys: INSERT_KEY, run: rpush, ..ROW },
    Command {
        name: "rpushx",
        arity: -3,
        flags: GROW_FAST,
        keys: INSERT_KEY,
        since: "2.2.0",
        run: rpushx,
        ..ROW
    },
];

/// `LINDEX key index` → the element there, or null; negative indices count from the tail.
/// O(log N).
fn lindex(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let Some(form) = ctx.data.read_as::<LargeList>(ctx.key(1))? else {
        ctx.reply.null();
        return Ok(());
    };
    let index = args::integer(ctx.argv.at(2))?;
    match index_in(index, list::len(form)).and_then(|index| list::get(form, index)) {
        Some(element) => reply_element(ctx.reply, element),
        None => ctx.reply.null(),
    }
    Ok(())
}

/// `LINSERT key <BEFORE | AFTER> pivot element` → the new length, 0 without a list, -1 without the
/// pivot. O(N).
fn linsert(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let place = match ctx.argv.at(2) {
        word if args::is_word(word, "before") => Place::Before,
        word if args::is_word(word, "after") => Place::After,
        _ => return Err(CommandError::Syntax),
    };
    let key = ctx.key(1);
    let (argv, limits) = (ctx.argv, ctx.settings.types.list);
    let inserted = ctx.data.change::<LargeList, _>(key, |home| {
        list::insert(home, place, argv.at(3), argv.at(4), limits)
    })?;
    let len = match inserted.map(|changed| changed.result) {
        None => 0,
        Some(None) => -1,
        Some(Some(len)) => {
            ctx.data.changed(key, events::LINSERT);
            len as i64
        }
    };
    ctx.reply.integer(len);
    Ok(())
}

/// `LLEN key` → number of elements. O(1).
fn llen(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let len = ctx.data.read_as::<LargeList>(ctx.key(1))?.map_or(0, list::len);
    ctx.reply.integer(len as i64);
    Ok(())
}

/// `LPUSH key element [element …]` → the new length. O(1) each.
fn lpush(ctx: &mut Ctx<'_, '_>) -> Outcome {
    push(ctx, End::Head)
}

/// `LPUSHX key element [element …]` → the new length, 0 without a list. O(1) each.
fn lpushx(ctx: &mut Ctx<'_, '_>) -> Outcome {
    push_existing(ctx, End::Head)
}

/// `LRANGE key start stop` → the elements from one index to another. O(log N + elements).
fn lrange(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (start, stop) = (args::integer(ctx.argv.at(2))?, args::integer(ctx.argv.at(3))?);
    let Some(form) = ctx.data.read_as::<LargeList>(ctx.key(1))? else {
        ctx.reply.array(0);
        return Ok(());
    };
    let range = range_in(start, stop, list::len(form));
    reply_elements(ctx.reply, list::walk(form, End::Head, range.start, range.len()));
    Ok(())
}

/// `LREM key count element` → how many elements were removed: the first `count` that are equal,
/// the last ones if it is negative, all if it is 0. O(N).
fn lrem(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let count = args::integer(ctx.argv.at(2))?;
    if count == i64::MIN {
        return Err(CommandError::OutOfRangeLong);
    }
    let end = if count < 0 { End::Tail } else { End::Head };
    let count = if count == 0 { usize::MAX } else { count.unsigned_abs() as usize };
    let key = ctx.key(1);
    let (text, limits) = (ctx.argv.at(3), ctx.settings.types.list);
    let removed = ctx
        .data
        .change::<LargeList, _>(key, |home| list::remove(home, end, text, count, limits))?;
    let Some(removed) = removed else {
        ctx.reply.integer(0);
        return Ok(());
    };
    if 0 < removed.result {
        ctx.data.changed(key, events::LREM);
    }
    if removed.is_emptied {
        ctx.data.noted(key, events::DEL);
    }
    ctx.reply.integer(removed.result as i64);
    Ok(())
}

/// `LSET key index element` → OK. O(log N).
fn lset(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let key = ctx.key(1);
    let Some(form) = ctx.data.look_as::<LargeList>(key)? else {
        return Err(CommandError::NoSuchKey);
    };
    let len = list::len(form);
    let index = args::integer(ctx.argv.at(2))?;
    let index = index_in(index, len).unwrap_or(usize::MAX);
    let (text, limits) = (ctx.argv.at(3), ctx.settings.types.list);
    let set = ctx.data.change::<LargeList, _>(key, |home| list::set(home, index, text, limits))?;
    if !set.is_some_and(|set| set.result) {
        return Err(CommandError::IndexOutOfRange);
    }
    ctx.data.changed(key, events::LSET);
    ctx.reply.ok();
    Ok(())
}

/// `LTRIM key start stop` → OK, with only the elements from one index to another left.
/// O(elements removed).
fn ltrim(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (start, stop) = (args::integer(ctx.argv.at(2))?, args::integer(ctx.argv.at(3))?);
    let key = ctx.key(1);
    let limits = ctx.settings.types.list;
    let removed = |form: Form<'_, LargeList>| {
        let len = list::len(form);
        len - range_in(start, stop, len).len()
    };
    let trimmed = ctx.data.cut::<LargeList, _>(key, removed, |home| {
        let len = list::len(Home::<LargeList>::form(home));
        let kept = range_in(start, stop, len);
        list::trim(home, kept.clone(), limits);
        len - kept.len()
    })?;
    if let Some(trimmed) = trimmed {
        if trimmed.result == 0 {
            ctx.data.noted(key, events::LTRIM);
        } else {
            ctx.data.changed(key, events::LTRIM);
        }
        if trimmed.is_emptied {
            ctx.data.noted(key, events::DEL);
        }
    }
    ctx.reply.ok();
    Ok(())
}

/// `RPUSH key element [element …]` → the new length. O(1) each.
fn rpush(ctx: &mut Ctx<'_, '_>) -> Outcome {
    push(ctx, End::Tail)
}

/// `RPUSHX key element [element …]` → the new length, 0 without a list. O(1) each.
fn rpushx(ctx: &mut Ctx<'_, '_>) -> Outcome {
    push_existing(ctx, End::Tail)
}

fn push(ctx: &mut Ctx<'_, '_>, end: End) -> Outcome {
    let key = ctx.key(1);
    let (texts, limits) = (ctx.argv.from(2), ctx.settings.types.list);
    let pushed = ctx.data.create::<LargeList, _>(key, |home| {
        list::push(home, end, texts.iter(), limits);
        list::len(Home::<LargeList>::form(home))
    })?;
    ctx.data.changed(key, push_event(end));
    ctx.reply.integer(pushed.result as i64);
    Ok(())
}

fn push_existing(ctx: &mut Ctx<'_, '_>, end: End) -> Outcome {
    let key = ctx.key(1);
    let (texts, limits) = (ctx.argv.from(2), ctx.settings.types.list);
    let pushed = ctx.data.change::<LargeList, _>(key, |home| {
        list::push(home, end, texts.iter(), limits);
        list::len(Home::<LargeList>::form(home))
    })?;
    if pushed.is_some() {
        ctx.data.changed(key, push_event(end));
    }
    ctx.reply.integer(pushed.map_or(0, |pushed| pushed.result as i64));
    Ok(())
}

fn push_event(end: End) -> Event {
    match end {
        End::Head => events::LPUSH,
        End::Tail => events::RPUSH,
    }
}

fn pop_event(end: End) -> Event {
    match end {
        End::Head => events::LPOP,
        End::Tail => events::RPOP,
    }
}

/// The end that a word names, or a syntax error.
fn end_named(word: &[u8]) -> Result<End, CommandError> {
    match word {
        word if args::is_word(word, "left") => Ok(End::Head),
        word if args::is_word(word, "right") => Ok(End::Tail),
        _ => Err(CommandError::Syntax),
    }
}

/// The next argument as a number of elements, at least one.
fn positive_count(args: &mut Args<'_>) -> Result<usize, CommandError> {
    match args::integer(args.required()?) {
        Ok(count) if 0 < count => Ok(usize::try_from(count).unwrap_or(usize::MAX)),
        _ => Err(CommandError::CountNotPositive),
    }
}

/// An index, negative ones from the end, in a sequence of `len`.
fn index_in(index: i64, len: usize) -> Option<usize> {
    let index = if index < 0 { index + len as i64 } else { index };
    usize::try_from(index).ok().filter(|index| *index < len)
}

/// A range of indices, negative ones from the end and the last one included, in a sequence of
/// `len`.
fn range_in(start: i64, stop: i64, len: usize) -> Range<usize> {
    let from_end = |index: i64| if index < 0 { index + len as i64 } else { index };
    let start = from_end(start).max(0) as usize;
    let end = (from_end(stop).saturating_add(1).max(0) as usize).min(len);
    if start < end { start..end } else { 0..0 }
}

#[cfg(test)]
mod tests {
    use super::{index_in, range_in};

    #[test]
    fn indices_count_from_either_end() {
        for (index, expected) in
            [(0, Some(0)), (2, Some(2)), (3, None), (-1, Some(2)), (-3, Some(0))]
        {
            assert_eq!(index_in(index, 3), expected);
        }
        for index in [-4, i64::MIN, i64::MAX] {
            assert_eq!(index_in(index, 3), None);
        }
        for (start, stop, expected) in [
            (0, -1, 0..3),
            (1, 1, 1..2),
            (-2, -2, 1..2),
            (2, 1, 0..0),
            (-100, 100, 0..3),
            (3, 5, 0..0),
            (i64::MIN, i64::MAX, 0..3),
            (i64::MAX, i64::MIN, 0..0),
            (0, i64::MIN, 0..0),
        ] {
            assert_eq!(range_in(start, stop, 3), expected, "{start} {stop}");
        }
    }
}
