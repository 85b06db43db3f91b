//! Hashes: HSET, HGET, HGETALL, HINCRBY and their relatives, and fields that expire.

mod draw;
mod fields;
mod timed;
mod ttl;

use crate::args::{self, Args};
use crate::command::{Categories, Command, Elements, Flags, Group, Outcome, Reach};
use crate::commands::common::scan::{self, ScanOptions};
use crate::context::Ctx;
use crate::error::CommandError;
use crate::events::{self, Event};
use crate::keys::{self, KeySpec};
use base::numbers::{self, IntegerBuffer, LongDouble};
use draw::hrandfield;
use resp::Reply;
use store::types::hash::{self, Fields, LargeHash, Ttl};
use store::{Entry, Home};
use timed::{hgetdel, hgetex, hsetex};
use ttl::{
    hexpire, hexpireat, hexpiretime, hpersist, hpexpire, hpexpireat, hpexpiretime, hpttl, httl,
};

const ROW: Command =
    Command { reach: Reach::Keys, group: Group::Hash, acl: Categories::HASH, ..Command::NEW };
const GROW_FAST: Flags = Flags::WRITE.with(Flags::DENYOOM).with(Flags::FAST);
const READ_FAST: Flags = Flags::READONLY.with(Flags::FAST);
const WRITE_FAST: Flags = Flags::WRITE.with(Flags::FAST);

const COUNTER: &[KeySpec] = &[KeySpec::at(1, keys::RW_ACCESS_UPDATE)];
const INSERTED_KEY: &[KeySpec] = &[KeySpec::at(1, keys::RW_INSERT)];
const LOOKED_AT_KEY: &[KeySpec] = &[KeySpec::at(1, keys::RO)];
const READ_KEY: &[KeySpec] = &[KeySpec::at(1, keys::RO_ACCESS)];
const UPDATED_KEY: &[KeySpec] = &[KeySpec::at(1, keys::RW_UPDATE)];

/// Fields get a deadline.
const EXPIRES: Command =
    Command { arity: -6, flags: WRITE_FAST, keys: UPDATED_KEY, since: "7.4.0", ..ROW };
/// Deadlines of fields are shown.
const SHOWS: Command =
    Command { arity: -5, flags: READ_FAST, keys: READ_KEY, since: "7.4.0", ..ROW };
/// All of a hash is read.
const READS_ALL: Command =
    Command { arity: 2, flags: Flags::READONLY, keys: READ_KEY, since: "2.0.0", ..ROW };

// Length: the table of the family.
pub(crate) const COMMANDS: &[Command] = &[
    Command {
        name: "hdel",
        arity: -3,
        flags: WRITE_FAST,
        keys: &[KeySpec::at(1, keys::RW_DELETE)],
        since: "2.0.0",
        elements: Elements::All(2),
        run: hdel,
        ..ROW
    },
    Command {
        name: "hexists",
        arity: 3,
        flags: READ_FAST,
        keys: LOOKED_AT_KEY,
        since: "2.0.0",
        elements: Elements::One(2),
        run: hexists,
        ..ROW
    },
    Command { name: "hexpire", run: hexpire, ..EXPIRES },
    Command { name: "hexpireat", run: hexpireat, ..EXPIRES },
    Command { name: "hexpiretime", run: hexpiretime, ..SHOWS },
    Command {
        name: "hget",
        arity: 3,
        flags: READ_FAST,
        keys: READ_KEY,
        since: "2.0.0",
        elements: Elements::One(2),
        run: hget,
        ..ROW
    },
    Command { name: "hgetall", run: hgetall, ..READS_ALL },
    Command {
        name: "hgetdel",
        arity: -5,
        flags: WRITE_FAST,
        keys: &[KeySpec::at(1, keys::RW_ACCESS_DELETE)],
        since: "8.0.0",
        run: hgetdel,
        ..ROW
    },
    Command {
        name: "hgetex",
        arity: -5,
        flags: WRITE_FAST,
        keys: COUNTER,
        since: "8.0.0",
        run: hgetex,
        ..ROW
    },
    Command {
        name: "hincrby",
        arity: 4,
        flags: GROW_FAST,
        keys: COUNTER,
        since: "2.0.0",
        elements: Elements::One(2),
        run: hincrby,
        ..ROW
    },
    Command {
        name: "hincrbyfloat",
        arity: 4,
        flags: GROW_FAST,
        keys: COUNTER,
        since: "2.6.0",
        elements: Elements::One(2),
        run: hincrbyfloat,
        ..ROW
    },
    Command { name: "hkeys", run: hkeys, ..READS_ALL },
    Command {
        name: "hlen",
        arity: 2,
        flags: READ_FAST,
        keys: LOOKED_AT_KEY,
        since: "2.0.0",
        run: hlen,
        ..ROW
    },
    Command {
        name: "hmget",
        arity: -3,
        flags: READ_FAST,
        keys: READ_KEY,
        since: "2.0.0",
        elements: Elements::All(2),
        run: hmget,
        ..ROW
    },
    Command {
        name: "hmset",
        arity: -4,
        flags: GROW_FAST,
        keys: UPDATED_KEY,
        since: "2.0.0",
        elements: Elements::Pairs(2),
        run: hmset,
        ..ROW
    },
    Command { name: "hpersist", arity: -5, run: hpersist, ..EXPIRES },
    Command { name: "hpexpire", run: hpexpire, ..EXPIRES },
    Command { name: "hpexpireat", run: hpexpireat, ..EXPIRES },
    Command { name: "hpexpiretime", run: hpexpiretime, ..SHOWS },
    Command { name: "hpttl", run: hpttl, ..SHOWS },
    Command { name: "hrandfield", arity: -2, since: "6.2.0", run: hrandfield, ..READS_ALL },
    Command { name: "hscan", arity: -3, since: "2.8.0", run: hscan, ..READS_ALL },
    Command {
        name: "hset",
        arity: -4,
        flags: GROW_FAST,
        keys: UPDATED_KEY,
        since: "2.0.0",
        elements: Elements::Pairs(2),
        run: hset,
        ..ROW
    },
    Command {
        name: "hsetex",
        arity: -6,
        flags: GROW_FAST,
        keys: INSERTED_KEY,
        since: "8.0.0",
        run: hsetex,
        ..ROW
    },
    Command {
        name: "hsetnx",
        arity: 4,
        flags: GROW_FAST,
        keys: INSERTED_KEY,
        since: "2.0.0",
        elements: Elements::One(2),
        run: hsetnx,
        ..ROW
    },
    Command {
        name: "hstrlen",
        arity: 3,
        flags: READ_FAST,
        keys: LOOKED_AT_KEY,
        since: "3.2.0",
        elements: Elements::One(2),
        run: hstrlen,
        ..ROW
    },
    Command { name: "httl", run: httl, ..SHOWS },
    Command { name: "hvals", run: hvals, ..READS_ALL },
];

/// `HDEL key field [field …]` → how many were there. O(fields).
fn hdel(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (key, argv, now_ms) = (ctx.key(1), ctx.argv, ctx.data.now_ms);
    let changed = ctx.data.change::<LargeHash, _>(key, |home| {
        argv.iter().skip(2).filter(|field| hash::delete(home, field, now_ms)).count()
    })?;
    let Some(changed) = changed else {
        ctx.reply.integer(0);
        return Ok(());
    };
    if changed.result != 0 {
        ctx.data.changed(key, events::HDEL);
    }
    if changed.is_emptied {
        ctx.data.noted(key, events::DEL);
    }
    ctx.reply.integer(changed.result as i64);
    Ok(())
}

/// `HEXISTS key field` → 1 if the field is there. O(1).
fn hexists(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (field, now_ms) = (ctx.argv.at(2), ctx.data.now_ms);
    let hash = ctx.data.read_as::<LargeHash>(ctx.key(1))?;
    let exists = hash.is_some_and(|hash| hash::contains(hash, field, now_ms));
    ctx.reply.integer(i64::from(exists));
    Ok(())
}

/// `HGET key field` → the value, or null. O(1).
fn hget(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (field, now_ms) = (ctx.argv.at(2), ctx.data.now_ms);
    let hash = ctx.data.read_as::<LargeHash>(ctx.key(1))?;
    reply_optional(ctx.reply, hash.and_then(|hash| hash::get(hash, field, now_ms)));
    Ok(())
}

/// `HGETALL key` → map of all fields and values. O(fields).
fn hgetall(ctx: &mut Ctx<'_, '_>) -> Outcome {
    reply_all(ctx, Reply::map, |reply, field, value| {
        reply.bulk(field);
        reply.bulk(value);
    })
}

/// `HINCRBY key field increment` → new value. O(1).
fn hincrby(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let increment = args::integer(ctx.argv.at(3))?;
    let mut digits = IntegerBuffer::new();
    let sum = add(ctx, events::HINCRBY, |old| {
        let old = match old {
            None => 0,
            Some(old) => numbers::parse_i64(old).ok_or(CommandError::HashValueNotAnInteger)?,
        };
        let sum = old.checked_add(increment).ok_or(CommandError::IncrementOverflow)?;
        Ok((sum, digits.format(sum)))
    })?;
    ctx.reply.integer(sum);
    Ok(())
}

/// `HINCRBYFLOAT key field increment` → new value. O(1).
fn hincrbyfloat(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let increment = LongDouble::parse(ctx.argv.at(3)).ok_or(CommandError::NotAFloat)?;
    if !increment.is_finite() {
        return Err(CommandError::NotANumberOrInfinity);
    }
    let mut text = Vec::new();
    add(ctx, events::HINCRBYFLOAT, |old| {
        let old = LongDouble::parse(old.unwrap_or(b"0")).ok_or(CommandError::HashValueNotAFloat)?;
        let sum = old.checked_add(increment).filter(LongDouble::is_finite);
        sum.ok_or(CommandError::IncrementNotFinite)?.append_to(&mut text);
        Ok(((), &text[..]))
    })?;
    let (key, field) = (ctx.key(1), ctx.argv.at(2));
    ctx.journal_as(&[b"HSET", key.bytes, field, &text]);
    // HSET alone would take its deadline away.
    let now_ms = ctx.data.now_ms;
    let hash = ctx.data.view_as::<LargeHash>(key);
    if let Some(deadline) = hash.and_then(|hash| hash::deadline(hash, field, now_ms)).flatten() {
        let deadline = deadline.to_string();
        ctx.journal_as(&[b"HPEXPIREAT", key.bytes, deadline.as_bytes(), b"FIELDS", b"1", field]);
    }
    ctx.reply.bulk(&text);
    Ok(())
}

/// `HKEYS key` → all fields. O(fields).
fn hkeys(ctx: &mut Ctx<'_, '_>) -> Outcome {
    reply_all(ctx, Reply::array, |reply, field, _| reply.bulk(field))
}

/// `HLEN key` → number of fields. O(1), and O(expired fields) while there are any.
fn hlen(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let now_ms = ctx.data.now_ms;
    let hash = ctx.data.read_as::<LargeHash>(ctx.key(1))?;
    ctx.reply.integer(hash.map_or(0, |hash| hash::len(hash, now_ms)) as i64);
    Ok(())
}

/// `HMGET key field [field …]` → the values, null for those that are missing. O(fields).
fn hmget(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (argv, now_ms) = (ctx.argv, ctx.data.now_ms);
    let hash = ctx.data.read_as::<LargeHash>(ctx.key(1))?;
    ctx.reply.array(argv.len() - 2);
    for field in argv.iter().skip(2) {
        reply_optional(ctx.reply, hash.and_then(|hash| hash::get(hash, field, now_ms)));
    }
    Ok(())
}

/// `HMSET key field value [field value …]` → OK. O(fields).
fn hmset(ctx: &mut Ctx<'_, '_>) -> Outcome {
    set_pairs(ctx)?;
    ctx.reply.ok();
    Ok(())
}

/// `HSCAN key cursor [MATCH pattern] [COUNT count] [NOVALUES]` → the next cursor and some fields
/// with their values. O(count).
fn hscan(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (key, argv, now_ms) = (ctx.key(1), ctx.argv, ctx.data.now_ms);
    let cursor = scan::cursor(argv.at(2))?;
    let mut found = Reply::with_protocol(ctx.reply.protocol());
    let (mut next, mut count) = (0, 0);
    if let Some(hash) = ctx.data.read_as::<LargeHash>(key)? {
        let mut has_values = true;
        let options = ScanOptions::parse(Args::new(argv, 3), |args| {
            let is_it = args.take("novalues");
            has_values &= !is_it;
            Ok(is_it)
        })?;
        next = hash::scan(hash, cursor, options.count, now_ms, |field, value| {
            if options.accept(field) {
                found.bulk(field);
                count += 1;
                if has_values {
                    found.bulk(value);
                    count += 1;
                }
            }
        });
    }
    scan::reply_page(ctx.reply, next, count, &mut found);
    Ok(())
}

/// `HSET key field value [field value …]` → how many fields are new. O(fields).
fn hset(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let added = set_pairs(ctx)?;
    ctx.reply.integer(added);
    Ok(())
}

/// `HSETNX key field value` → 1 if the field was missing and is set. O(1).
fn hsetnx(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (key, field, value) = (ctx.key(1), ctx.argv.at(2), ctx.argv.at(3));
    let (now_ms, limits) = (ctx.data.now_ms, ctx.settings.types.hash);
    let changed = ctx.data.create::<LargeHash, _>(key, |home| {
        let is_missing = !hash::contains(form(home), field, now_ms);
        is_missing && hash::set(home, field, value, Ttl::Clear, now_ms, limits)
    })?;
    if changed.result {
        ctx.data.changed(key, events::HSET);
    }
    ctx.reply.integer(i64::from(changed.result));
    Ok(())
}

/// `HSTRLEN key field` → length of the value, 0 if there is none. O(1).
fn hstrlen(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (field, now_ms) = (ctx.argv.at(2), ctx.data.now_ms);
    let hash = ctx.data.read_as::<LargeHash>(ctx.key(1))?;
    let value = hash.and_then(|hash| hash::get(hash, field, now_ms));
    ctx.reply.integer(value.map_or(0, <[u8]>::len) as i64);
    Ok(())
}

/// `HVALS key` → all values. O(fields).
fn hvals(ctx: &mut Ctx<'_, '_>) -> Outcome {
    reply_all(ctx, Reply::array, |reply, _, value| reply.bulk(value))
}

/// Sets the fields of HSET and HMSET; returns how many are new.
fn set_pairs(ctx: &mut Ctx<'_, '_>) -> Result<i64, CommandError> {
    let (key, argv) = (ctx.key(1), ctx.argv);
    if argv.len() % 2 != 0 {
        return Err(CommandError::WrongArity(ctx.entry.full_name.clone()));
    }
    let (now_ms, limits) = (ctx.data.now_ms, ctx.settings.types.hash);
    let changed = ctx.data.create::<LargeHash, _>(key, |home| {
        let pairs = (2..argv.len()).step_by(2);
        let is_new =
            |at: &usize| hash::set(home, argv.at(*at), argv.at(at + 1), Ttl::Clear, now_ms, limits);
        pairs.filter(is_new).count()
    })?;
    ctx.data.changed(key, events::HSET);
    Ok(changed.result as i64)
}

/// Lets `sum` compute a field's new value from the old one; the field keeps its deadline.
fn add<'s, R>(
    ctx: &mut Ctx<'_, '_>,
    event: Event,
    sum: impl FnOnce(Option<&[u8]>) -> Result<(R, &'s [u8]), CommandError>,
) -> Result<R, CommandError> {
    let (key, field) = (ctx.key(1), ctx.argv.at(2));
    let (now_ms, limits) = (ctx.data.now_ms, ctx.settings.types.hash);
    let mut sum = Some(sum);
    let changed = ctx.data.create::<LargeHash, _>(key, |home| {
        let sum = sum.take().expect("it is created once");
        let (result, value) = sum(hash::get(form(home), field, now_ms))?;
        hash::set(home, field, value, Ttl::Keep, now_ms, limits);
        Ok::<R, CommandError>(result)
    })?;
    let result = changed.result?;
    ctx.data.changed(key, event);
    Ok(result)
}

/// Replies with something of every field, after a header for so many.
fn reply_all(
    ctx: &mut Ctx<'_, '_>,
    head: fn(&mut Reply, usize),
    show: impl Fn(&mut Reply, &[u8], &[u8]),
) -> Outcome {
    let now_ms = ctx.data.now_ms;
    let Some(hash) = ctx.data.read_as::<LargeHash>(ctx.key(1))? else {
        head(ctx.reply, 0);
        return Ok(());
    };
    head(ctx.reply, hash::len(hash, now_ms));
    hash::iter(hash, now_ms).for_each(|(field, value)| show(ctx.reply, field, value));
    Ok(())
}

#[inline]
fn reply_optional(reply: &mut Reply, value: Option<&[u8]>) {
    match value {
        Some(value) => reply.bulk(value),
        None => reply.null(),
    }
}

#[inline]
fn form(home: &Entry) -> Fields<'_> {
    Home::<LargeHash>::form(home)
}
