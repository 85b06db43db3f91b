//! The server as a whole, as far as it is data: DBSIZE, FLUSHALL, SWAPDB, TIME, ROLE.

use crate::args::{self, Args};
use crate::command::{Categories, Command, Databases, Flags, Group, Outcome, Reach};
use crate::commands::common::database;
use crate::context::{Ctx, Origin, Walk};
use crate::error::CommandError;
use crate::keyspace::LockedShard;
use base::numbers::IntegerBuffer;
use resp::Argv;
use std::ops::ControlFlow;

const ROW: Command = Command { group: Group::Server, ..Command::NEW };
const FLUSH: Command =
    Command { flags: Flags::WRITE, acl: Categories::KEYSPACE.with(Categories::DANGEROUS), ..ROW };
const READ_FAST: Flags = Flags::READONLY.with(Flags::FAST);
const TELL: Flags = Flags::FAST.with(Flags::LOADING).with(Flags::STALE);

pub(crate) const COMMANDS: &[Command] = &[
    Command {
        name: "dbsize",
        arity: 1,
        flags: READ_FAST,
        reach: Reach::Slices,
        acl: Categories::KEYSPACE,
        run: dbsize,
        ..ROW
    },
    Command {
        name: "flushall",
        databases: Databases::Every,
        reach: Reach::All,
        run: flushall,
        ..FLUSH
    },
    Command { name: "flushdb", reach: Reach::ByArguments(flush_reach), run: flushdb, ..FLUSH },
    Command {
        name: "role",
        arity: 1,
        flags: TELL.with(Flags::NOSCRIPT),
        acl: Categories::ADMIN.with(Categories::DANGEROUS),
        since: "2.8.12",
        run: role,
        ..ROW
    },
    Command {
        name: "swapdb",
        arity: 3,
        databases: Databases::Named(&[1, 2]),
        flags: Flags::WRITE.with(Flags::FAST),
        reach: Reach::All,
        acl: Categories::KEYSPACE.with(Categories::DANGEROUS),
        since: "4.0.0",
        run: swapdb,
        ..ROW
    },
    Command { name: "time", arity: 1, flags: TELL, since: "2.6.0", run: time, ..ROW },
];

/// `DBSIZE` → number of keys. O(shards).
fn dbsize(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (db, mut count) = (ctx.data.db, 0);
    ctx.each_shard(|shard| count += shard.data.database_ref(db).len());
    ctx.reply.integer(count as i64);
    Ok(())
}

/// `FLUSHALL [ASYNC | SYNC]` → OK: all databases are empty. O(shards × databases); what was in them
/// is freed elsewhere, in either mode.
fn flushall(ctx: &mut Ctx<'_, '_>) -> Outcome {
    check_mode(ctx)?;
    ctx.engine.cuts.all_flushed();
    flush(ctx, 0..ctx.data.keyspace().databases());
    ctx.reply.ok();
    Ok(())
}

/// `FLUSHDB [ASYNC | SYNC]` → OK: this database is empty. O(shards). ASYNC empties the shards one
/// after the other, without holding anybody up.
fn flushdb(ctx: &mut Ctx<'_, '_>) -> Outcome {
    check_mode(ctx)?;
    let db = ctx.data.db;
    flush(ctx, db..db + 1);
    ctx.reply.ok();
    Ok(())
}

/// `ROLE` → master, its offset, its replicas. O(replicas).
fn role(ctx: &mut Ctx<'_, '_>) -> Outcome {
    ctx.reply.array(3);
    ctx.reply.bulk(b"master");
    ctx.reply.integer(0);
    ctx.reply.array(0);
    Ok(())
}

/// `SWAPDB index1 index2` → OK: each has what the other had. O(shards + watched keys).
fn swapdb(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let number = |index: usize| args::integer_32(ctx.argv.at(index));
    let first = number(1).map_err(|_| CommandError::FirstDatabaseIndexInvalid)?;
    let second = number(2).map_err(|_| CommandError::SecondDatabaseIndexInvalid)?;
    let (first, second) = (database::in_range(ctx, first)?, database::in_range(ctx, second)?);
    if first != second {
        let keyspace = ctx.data.keyspace();
        let mut ready = Vec::new();
        ctx.each_shard(|LockedShard { data, watched, waiting, .. }| {
            let (one, other) = (data.database_ref(first), data.database_ref(second));
            let is_there = |key: &[u8]| {
                let key = store::Key { bytes: key, hash: keyspace.hash(key) };
                one.find(key).is_some() || other.find(key).is_some()
            };
            watched.database_changed(first, is_there);
            watched.database_changed(second, is_there);
            data.swap_databases(first, second);
            waiting.note_database(first, &mut ready);
            waiting.note_database(second, &mut ready);
        });
        ctx.data.ready.append(&mut ready);
        ctx.data.changes += 1;
        ctx.data.invalidate_everything(&ctx.engine.tracking);
    }
    ctx.reply.ok();
    Ok(())
}

/// `TIME` → Unix seconds, and microseconds of the running second. O(1).
fn time(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let frozen_us = ctx.data.now_ms * 1000;
    let now_us = match ctx.origin {
        Origin::Client => frozen_us.max(ctx.engine.clock().wall_us()),
        Origin::Script | Origin::Transaction => frozen_us,
    };
    ctx.reply.array(2);
    let mut digits = IntegerBuffer::new();
    ctx.reply.bulk(digits.format_u64(now_us / 1_000_000));
    ctx.reply.bulk(digits.format_u64(now_us % 1_000_000));
    Ok(())
}

fn flush_reach(argv: Argv<'_>) -> Reach {
    let is_async = argv.get(1).is_some_and(|mode| args::is_word(mode, "async"));
    if is_async { Reach::Slices } else { Reach::All }
}

fn check_mode(ctx: &Ctx<'_, '_>) -> Outcome {
    let mut args = Args::new(ctx.argv, 1);
    if !args.is_empty() && !args.take("async") && !args.take("sync") {
        return Err(CommandError::Syntax);
    }
    args.end()
}

/// Empties databases: each shard's table is taken out whole and freed elsewhere.
fn flush(ctx: &mut Ctx<'_, '_>, databases: std::ops::Range<usize>) {
    let (keyspace, reclaim) = (ctx.data.keyspace(), ctx.data.reclaim());
    let (mut count, mut nudged) = (0, Vec::new());
    ctx.slices().0.walk(|_, LockedShard { data, watched, waiting, .. }| {
        for db in databases.clone() {
            let database = data.database_ref(db);
            if database.is_empty() {
                continue;
            }
            watched.database_changed(db, |key| {
                database.find(store::Key { bytes: key, hash: keyspace.hash(key) }).is_some()
            });
            waiting.all_removed(db, &mut nudged);
            count += database.len() as u64;
            // One that belongs to a cut is freed when it has been walked.
            if let Some(taken) = data.take_database(db) {
                reclaim.reclaim_database(taken);
            }
        }
        ControlFlow::Continue(Walk::Next)
    });
    ctx.data.changes += count;
    ctx.engine.wake_all(nudged);
    ctx.data.invalidate_everything(&ctx.engine.tracking);
}
