//! Whole entries to another name or database: COPY, MOVE, RENAME.

use crate::args::Args;
use crate::command::Outcome;
use crate::commands::common::database::database;
use crate::context::Ctx;
use crate::error::CommandError;
use crate::events;
use resp::Argv;
use smallvec::SmallVec;
use store::Entry;

/// `COPY source destination [DB db] [REPLACE]` → 1, or 0 if there was nothing to copy or no room.
/// O(value), or O(1) for a large string.
pub(super) fn copy(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (from_db, mut to_db, mut replaces) = (ctx.data.db, ctx.data.db, false);
    let mut args = Args::new(ctx.argv, 3);
    while !args.is_empty() {
        if args.take("replace") {
            replaces = true;
        } else if args.take("db") {
            to_db = database(ctx, args.required()?)?;
        } else {
            return Err(CommandError::Syntax);
        }
    }
    let (from, to) = (ctx.key(1), ctx.key(2));
    if from_db == to_db && from.bytes == to.bytes {
        return Err(CommandError::SameObject);
    }
    let copied = ctx.data.read(from).map(|entry| Entry::duplicate(entry, to.bytes));
    let mut is_copied = false;
    if let Some(entry) = copied {
        ctx.data.db = to_db;
        if replaces || !ctx.data.exists(to) {
            // What was there goes first, so that the key counts as new.
            ctx.data.remove(to);
            ctx.data.put(to.hash, entry);
            ctx.data.changed(to, events::COPY_TO);
            is_copied = true;
        }
        ctx.data.db = from_db;
    }
    ctx.reply.integer(i64::from(is_copied));
    Ok(())
}

/// The arguments that name a database to copy to; only the last counts, but all must be allowed.
pub(super) fn copy_database(argv: Argv<'_>) -> SmallVec<[usize; 2]> {
    let mut args = Args::new(argv, 3);
    let mut found = SmallVec::new();
    while !args.is_empty() {
        if args.take("db") {
            found.push(args.position());
        }
        args.next();
    }
    found
}

/// `MOVE key db` → 1, or 0 if it is missing, or there already. O(1).
pub(super) fn move_(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let from_db = ctx.data.db;
    let to_db = database(ctx, ctx.argv.at(2))?;
    if from_db == to_db {
        return Err(CommandError::SameObject);
    }
    let key = ctx.key(1);
    ctx.data.db = to_db;
    let is_free = !ctx.data.exists(key);
    ctx.data.db = from_db;
    let taken = if is_free { ctx.data.take(key) } else { None };
    let is_moved = taken.is_some();
    if let Some(entry) = taken {
        ctx.data.db = to_db;
        ctx.data.put(key.hash, entry);
        ctx.data.db = from_db;
        ctx.data.changed(key, events::MOVE_FROM);
        ctx.data.db = to_db;
        ctx.data.noted(key, events::MOVE_TO);
        ctx.data.db = from_db;
    }
    ctx.reply.integer(i64::from(is_moved));
    Ok(())
}

/// `RENAME key newkey` → OK; what newkey held is gone. O(1).
pub(super) fn rename(ctx: &mut Ctx<'_, '_>) -> Outcome {
    rename_key(ctx, Target::MayExist)?;
    ctx.reply.ok();
    Ok(())
}

/// `RENAMENX key newkey` → 1, or 0 if newkey exists. O(1).
pub(super) fn renamenx(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let is_renamed = rename_key(ctx, Target::MustBeFree)?;
    ctx.reply.integer(i64::from(is_renamed));
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Target {
    MayExist,
    MustBeFree,
}

fn rename_key(ctx: &mut Ctx<'_, '_>, target: Target) -> Result<bool, CommandError> {
    let (from, to) = (ctx.key(1), ctx.key(2));
    if !ctx.data.exists(from) {
        return Err(CommandError::NoSuchKey);
    }
    if from.bytes == to.bytes || (target == Target::MustBeFree && ctx.data.exists(to)) {
        return Ok(false);
    }
    if let Some(entry) = ctx.data.take(from) {
        // What was there goes first, so that the key counts as new.
        ctx.data.remove(to);
        ctx.data.put(to.hash, entry.with_key(to.bytes));
        ctx.data.changed(from, events::RENAME_FROM);
        ctx.data.noted(to, events::RENAME_TO);
    }
    Ok(true)
}
