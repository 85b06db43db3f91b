//! Sets: SADD, SREM, SMEMBERS, SINTER and their relatives.

mod combine;
mod draw;

use crate::args::Args;
use crate::command::{Categories, Command, Elements, Flags, Group, Origin, Outcome, Reach};
use crate::commands::common::scan::{self, ScanOptions};
use crate::context::Ctx;
use crate::events;
use crate::keys::{self, KeySpec};
use base::numbers::IntegerBuffer;
use combine::{
    sdiff, sdiffcard, sdiffstore, sinter, sintercard, sinterstore, sunion, sunioncard, sunionstore,
};
use draw::{spop, srandmember};
use resp::Reply;
use store::types::set::{self, LargeSet, Member};
use store::{Form, Large};

const ROW: Command =
    Command { reach: Reach::Keys, group: Group::Set, acl: Categories::SET, ..Command::NEW };
const GROW: Flags = Flags::WRITE.with(Flags::DENYOOM);
const READ_FAST: Flags = Flags::READONLY.with(Flags::FAST);
const WRITE_FAST: Flags = Flags::WRITE.with(Flags::FAST);

const COUNTED_KEYS: &[KeySpec] = &[KeySpec::counted(1, 1, keys::RO_ACCESS)];
const LOOKED_AT_KEY: &[KeySpec] = &[KeySpec::at(1, keys::RO)];
const READ_KEY: &[KeySpec] = &[KeySpec::at(1, keys::RO_ACCESS)];
const STORED_KEYS: &[KeySpec] =
    &[KeySpec::at(1, keys::OW_UPDATE), KeySpec::range(2, -1, 1, keys::RO_ACCESS)];

/// Several sets become one reply.
const COMBINES: Command = Command {
    arity: -2,
    flags: Flags::READONLY,
    keys: &[KeySpec::range(1, -1, 1, keys::RO_ACCESS)],
    ..ROW
};
/// Several sets become a number.
const COUNTS: Command = Command { arity: -3, flags: Flags::READONLY, keys: COUNTED_KEYS, ..ROW };
/// Several sets become another one.
const STORES: Command = Command { arity: -3, flags: GROW, keys: STORED_KEYS, ..ROW };

pub(crate) const COMMANDS: &[Command] = &[
    Command {
        name: "sadd",
        arity: -3,
        flags: GROW.with(Flags::FAST),
        keys: &[KeySpec::at(1, keys::RW_INSERT)],
        elements: Elements::All(2),
        run: sadd,
        ..ROW
    },
    Command { name: "scard", arity: 2, flags: READ_FAST, keys: LOOKED_AT_KEY, run: scard, ..ROW },
    Command { name: "sdiff", run: sdiff, ..COMBINES },
    Command { name: "sdiffcard", since: "8.10.0", origin: Origin::Redis, run: sdiffcard, ..COUNTS },
    Command { name: "sdiffstore", run: sdiffstore, ..STORES },
    Command { name: "sinter", run: sinter, ..COMBINES },
    Command { name: "sintercard", since: "7.0.0", run: sintercard, ..COUNTS },
    Command { name: "sinterstore", run: sinterstore, ..STORES },
    Command {
        name: "sismember",
        arity: 3,
        flags: READ_FAST,
        keys: LOOKED_AT_KEY,
        elements: Elements::One(2),
        run: sismember,
        ..ROW
    },
    Command {
        name: "smembers",
        arity: 2,
        flags: Flags::READONLY,
        keys: READ_KEY,
        run: smembers,
        ..ROW
    },
    Command {
        name: "smismember",
        arity: -3,
        flags: READ_FAST,
        keys: READ_KEY,
        since: "6.2.0",
        elements: Elements::All(2),
        run: smismember,
        ..ROW
    },
    Command {
        name: "smove",
        arity: 4,
        flags: WRITE_FAST,
        keys: &[KeySpec::at(1, keys::RW_ACCESS_DELETE), KeySpec::at(2, keys::RW_INSERT)],
        run: smove,
        ..ROW
    },
    Command {
        name: "spop",
        arity: -2,
        flags: WRITE_FAST,
        keys: &[KeySpec::at(1, keys::RW_ACCESS_DELETE)],
        run: spop,
        ..ROW
    },
    Command {
        name: "srandmember",
        arity: -2,
        flags: Flags::READONLY,
        keys: READ_KEY,
        run: srandmember,
        ..ROW
    },
    Command {
        name: "srem",
        arity: -3,
        flags: WRITE_FAST,
        keys: &[KeySpec::at(1, keys::RW_DELETE)],
        elements: Elements::All(2),
        run: srem,
        ..ROW
    },
    Command {
        name: "sscan",
        arity: -3,
        flags: Flags::READONLY,
        keys: READ_KEY,
        since: "2.8.0",
        run: sscan,
        ..ROW
    },
    Command { name: "sunion", run: sunion, ..COMBINES },
    Command {
        name: "sunioncard",
        since: "8.10.0",
        origin: Origin::Redis,
        run: sunioncard,
        ..COUNTS
    },
    Command { name: "sunionstore", run: sunionstore, ..STORES },
];

/// `SADD key member [member …]` → how many are new. O(members).
fn sadd(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (key, argv, limits) = (ctx.key(1), ctx.argv, ctx.settings.types.set);
    let changed = ctx.data.create::<LargeSet, _>(key, |home| {
        set::reserve(home, argv.at(2), argv.len() - 2, &limits);
        argv.iter().skip(2).filter(|member| set::add(home, member, &limits)).count()
    })?;
    if changed.result != 0 {
        ctx.data.changed(key, events::SADD);
    }
    ctx.reply.integer(changed.result as i64);
    Ok(())
}

/// `SCARD key` → number of members. O(1).
fn scard(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let key = ctx.key(1);
    let len = ctx.data.read_as::<LargeSet>(key)?.map_or(0, LargeSet::len);
    ctx.reply.integer(len as i64);
    Ok(())
}

/// `SISMEMBER key member` → 1 or 0. O(1).
fn sismember(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (key, member) = (ctx.key(1), ctx.argv.at(2));
    let set = ctx.data.read_as::<LargeSet>(key)?;
    let is_member = set.is_some_and(|set| set::contains(set, member));
    ctx.reply.integer(i64::from(is_member));
    Ok(())
}

/// `SMEMBERS key` → all members. O(members).
fn smembers(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let key = ctx.key(1);
    match ctx.data.read_as::<LargeSet>(key)? {
        Some(set) => reply_all(ctx.reply, set),
        None => ctx.reply.set(0),
    }
    Ok(())
}

/// `SMISMEMBER key member [member …]` → 1 or 0 for each. O(members asked for).
fn smismember(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (key, argv) = (ctx.key(1), ctx.argv);
    let set = ctx.data.read_as::<LargeSet>(key)?;
    ctx.reply.array(argv.len() - 2);
    for member in argv.iter().skip(2) {
        let is_member = set.is_some_and(|set| set::contains(set, member));
        ctx.reply.integer(i64::from(is_member));
    }
    Ok(())
}

/// `SMOVE source destination member` → 1, or 0 if source does not have it. O(1).
fn smove(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (from, to, member) = (ctx.key(1), ctx.key(2), ctx.argv.at(3));
    let Some(source) = ctx.data.look_as::<LargeSet>(from)? else {
        ctx.reply.integer(0);
        return Ok(());
    };
    let is_member = set::contains(source, member);
    ctx.data.look_as::<LargeSet>(to)?;
    if is_member && from.bytes != to.bytes {
        let limits = ctx.settings.types.set;
        let removed = ctx.data.change::<LargeSet, _>(from, |home| set::remove(home, member))?;
        ctx.data.changed(from, events::SREM);
        if removed.is_some_and(|removed| removed.is_emptied) {
            ctx.data.noted(from, events::DEL);
        }
        let added = ctx.data.create::<LargeSet, _>(to, |home| set::add(home, member, &limits))?;
        if added.result {
            ctx.data.changed(to, events::SADD);
        }
    }
    ctx.reply.integer(i64::from(is_member));
    Ok(())
}

/// `SREM key member [member …]` → how many were there. O(members).
fn srem(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (key, argv) = (ctx.key(1), ctx.argv);
    let removed = ctx.data.change::<LargeSet, _>(key, |home| {
        argv.iter().skip(2).filter(|member| set::remove(home, member)).count()
    })?;
    let mut count = 0;
    if let Some(removed) = removed
        && removed.result != 0
    {
        count = removed.result;
        ctx.data.changed(key, events::SREM);
        if removed.is_emptied {
            ctx.data.noted(key, events::DEL);
        }
    }
    ctx.reply.integer(count as i64);
    Ok(())
}

/// `SSCAN key cursor [MATCH pattern] [COUNT count]` → the next cursor and some members. O(count).
fn sscan(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (key, argv) = (ctx.key(1), ctx.argv);
    let cursor = scan::cursor(argv.at(2))?;
    let mut found = Reply::with_protocol(ctx.reply.protocol());
    let (mut next, mut count) = (0, 0);
    if let Some(set) = ctx.data.read_as::<LargeSet>(key)? {
        let options = ScanOptions::parse(Args::new(argv, 3), |_| Ok(false))?;
        next = set::scan(set, cursor, options.count, |member| {
            if options.accept(member.bytes(&mut IntegerBuffer::new())) {
                reply_member(&mut found, member);
                count += 1;
            }
        });
    }
    scan::reply_page(ctx.reply, next, count, &mut found);
    Ok(())
}

/// Replies with all members as a set.
fn reply_all(reply: &mut Reply, set: Form<'_, LargeSet>) {
    reply.set(LargeSet::len(set));
    set::iter(set).for_each(|member| reply_member(reply, member));
}

#[inline]
fn reply_member(reply: &mut Reply, member: Member<'_>) {
    match member {
        Member::Integer(value) => reply.bulk_integer(value),
        Member::Text(bytes) => reply.bulk(bytes),
    }
}
