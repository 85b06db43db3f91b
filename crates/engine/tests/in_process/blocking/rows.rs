//! Rows for tests: words of eight bytes in a string, pushed, popped and moved.

use engine::args;
use engine::blocking::Wait;
use engine::command::{Command, Flags, Outcome};
use engine::events;
use engine::keys::{self, KeySpec};
use engine::{Ctx, Reach};
use std::time::Duration;
use store::{Key, Kind};

const ROW: Command = Command { reach: Reach::Keys, flags: Flags::WRITE, ..Command::NEW };

pub(crate) const ROWS: &[Command] = &[
    Command {
        name: "tmove",
        arity: 4,
        keys: &[KeySpec::at(1, keys::RW_ACCESS_DELETE), KeySpec::at(2, keys::RW_INSERT)],
        run: tmove,
        ..ROW
    },
    Command {
        name: "tpop",
        arity: -3,
        keys: &[KeySpec::range(1, -2, 1, keys::RW_ACCESS_DELETE)],
        run: tpop,
        ..ROW
    },
    Command {
        name: "tpush",
        arity: -3,
        keys: &[KeySpec::at(1, keys::RW_INSERT)],
        run: tpush,
        ..ROW
    },
];

fn tmove(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let timeout = timeout(ctx)?;
    let (source, destination) = (ctx.key(1), ctx.key(2));
    if let Some(is_whole) = ctx.data.peek(destination).map(|entry| entry.string().len() % 8 == 0)
        && !is_whole
    {
        return Err(engine::CommandError::WrongType);
    }
    if let Some(word) = pop(ctx, source) {
        push(ctx, destination, &[&word]);
        ctx.reply.bulk(&word);
    } else if !ctx.wait(Wait { timeout, ..Wait::on(Kind::String, 1..2) }) {
        ctx.reply.null();
    }
    Ok(())
}

fn tpop(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let timeout = timeout(ctx)?;
    let last = ctx.argv.len() - 1;
    for index in 1..last {
        let key = ctx.key(index);
        if !ctx.is_at_hand(key) {
            continue;
        }
        if let Some(word) = pop(ctx, key) {
            ctx.reply.array(2);
            ctx.reply.bulk(key.bytes);
            ctx.reply.bulk(&word);
            return Ok(());
        }
    }
    if !ctx.wait(Wait { timeout, ..Wait::on(Kind::String, 1..last) }) {
        ctx.reply.null_array();
    }
    Ok(())
}

fn tpush(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let words: Vec<&[u8]> = ctx.argv.iter().skip(2).collect();
    let len = push(ctx, ctx.key(1), &words);
    ctx.reply.integer(len as i64);
    Ok(())
}

fn push(ctx: &mut Ctx<'_, '_>, key: Key<'_>, words: &[&[u8]]) -> usize {
    let mut value =
        ctx.data.peek(key).map(|entry| entry.string().bytes().to_vec()).unwrap_or_default();
    words.iter().for_each(|word| value.extend_from_slice(word));
    ctx.data.set_string(key, &value, None);
    ctx.data.changed(key, events::APPEND);
    value.len()
}

fn pop(ctx: &mut Ctx<'_, '_>, key: Key<'_>) -> Option<Vec<u8>> {
    let mut value = ctx.data.peek(key)?.string().bytes().to_vec();
    let word: Vec<u8> = value.drain(..8).collect();
    if value.is_empty() {
        ctx.data.remove(key);
    } else {
        ctx.data.set_string(key, &value, None);
    }
    ctx.data.changed(key, events::SETRANGE);
    Some(word)
}

fn timeout(ctx: &Ctx<'_, '_>) -> Result<Option<Duration>, engine::CommandError> {
    let ms = args::integer(ctx.argv.at(ctx.argv.len() - 1))? as u64;
    Ok((ms != 0).then(|| Duration::from_millis(ms)))
}
