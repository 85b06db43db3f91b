//! Walks over all keys: KEYS, SCAN, RANDOMKEY. They take one shard at a time, and never for long.
//!
//! A SCAN cursor is `position × shards + shard`: the shards are walked one after the other, and
//! inside a shard the position is the store's (an order of hashes, so it needs no memory and
//! outlives changes of the table's size). Positions have 47 bits and shard numbers at most 16, so
//! a cursor is below 2^63.

use crate::args::{self, Args};
use crate::command::Outcome;
use crate::commands::common::kind;
use crate::commands::common::scan::{self, ScanOptions};
use crate::context::{Ctx, Slices, Walk};
use crate::error::CommandError;
use base::glob;
use base::rand::Rng;
use resp::Reply;
use std::ops::ControlFlow;
use store::Kind;

/// Keys that are looked at under one hold of a shard: a fraction of a millisecond.
const KEYS_PER_HOLD: usize = 4096;

/// Steps that a SCAN goes on for without finding a key, in tables that are nearly empty.
const EMPTY_STEPS_MAX: usize = 16;

/// Bits of a position inside a shard.
const POSITION_BITS: u32 = 47;

/// Keys past their deadline that RANDOMKEY draws before it looks for any other.
const EXPIRED_DRAWS_MAX: usize = 100;

/// `KEYS pattern` → all keys that match. O(keys), in slices: every key that was there throughout.
pub(super) fn keys(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let pattern = ctx.argv.at(1);
    let (db, now_ms) = (ctx.data.db, ctx.data.now_ms);
    let only_shard = glob::is_literal(pattern)
        .then(|| ctx.data.keyspace().shard_index(ctx.data.keyspace().hash(pattern)) as u32);
    let (mut slices, reply) = ctx.slices();
    let mark = reply.begin_array();
    let (mut count, mut cursor) = (0, 0);
    slices.walk(|index, shard| {
        if only_shard.is_some_and(|only| only != index) {
            return ControlFlow::Continue(Walk::Next);
        }
        let now_ms = shard.data.observe_ms(now_ms);
        cursor = shard.data.database_ref(db).scan(cursor, KEYS_PER_HOLD, |entry| {
            if !entry.is_expired(now_ms) && glob::matches(pattern, entry.key()) {
                reply.bulk(entry.key());
                count += 1;
            }
        });
        reply.seal(&mark);
        ControlFlow::Continue(if cursor == 0 { Walk::Next } else { Walk::Again })
    });
    reply.finish_array(mark, count);
    Ok(())
}

/// `RANDOMKEY` → a key, each as likely as any other; null if there is none. O(shards).
pub(super) fn randomkey(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (db, now_ms) = (ctx.data.db, ctx.data.now_ms);
    let mut rng = Rng::new(ctx.data.rng.next_u64());
    let (mut slices, reply) = ctx.slices();
    for _ in 0..EXPIRED_DRAWS_MAX {
        match draw(&mut slices, db, now_ms, &mut rng, reply) {
            Draw::Empty => {
                reply.null();
                return Ok(());
            }
            Draw::Expired => {}
            Draw::Found => return Ok(()),
        }
    }
    if !reply_first(&mut slices, db, now_ms, reply) {
        reply.null();
    }
    Ok(())
}

/// `SCAN cursor [MATCH pattern] [COUNT count] [TYPE type]` → the next cursor and some keys. O(count).
pub(super) fn scan(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let cursor = scan::cursor(ctx.argv.at(1))?;
    let mut wanted = Wanted::All;
    let options = ScanOptions::parse(Args::new(ctx.argv, 2), |args| {
        let is_type = args.take("type");
        if is_type {
            wanted = Wanted::parse(ctx, args.required()?)?;
        }
        Ok(is_type)
    })?;
    let (db, now_ms) = (ctx.data.db, ctx.data.now_ms);
    let (mut slices, reply) = ctx.slices();
    let shards = u64::from(slices.len());
    let mut found = Reply::with_protocol(reply.protocol());
    let (mut shard, mut position) = (cursor % shards, cursor / shards);
    if position >> POSITION_BITS != 0 {
        // No cursor of ours: a walk that has ended.
        (shard, position) = (shards, 0);
    }
    let (mut count, mut missing, mut empty_steps) = (0, options.count, 0);
    while shard < shards && missing != 0 && empty_steps < EMPTY_STEPS_MAX {
        let mut visited = 0;
        position = slices.visit(shard as u32, |locked| {
            let now_ms = locked.data.observe_ms(now_ms);
            let database = locked.data.database_ref(db);
            database.scan(position, missing.min(KEYS_PER_HOLD), |entry| {
                visited += 1;
                if !entry.is_expired(now_ms)
                    && wanted.accept(entry.kind())
                    && options.accept(entry.key())
                {
                    found.bulk(entry.key());
                    count += 1;
                }
            })
        });
        missing = missing.saturating_sub(visited);
        shard += u64::from(position == 0);
        empty_steps += usize::from(visited == 0 && position != 0);
    }
    let next = if shard == shards { 0 } else { position * shards + shard };
    scan::reply_page(reply, next, count, &mut found);
    Ok(())
}

enum Draw {
    Empty,
    Expired,
    Found,
}

/// Draws a key and replies with it, unless its deadline has passed.
fn draw(
    slices: &mut Slices<'_, '_>,
    db: usize,
    now_ms: u64,
    rng: &mut Rng,
    reply: &mut Reply,
) -> Draw {
    let mut lens = Vec::with_capacity(slices.len() as usize);
    slices.walk(|_, shard| {
        lens.push(shard.data.database_ref(db).len());
        ControlFlow::Continue(Walk::Next)
    });
    let total: usize = lens.iter().sum();
    if total == 0 {
        return Draw::Empty;
    }
    let mut place = rng.index(total);
    let shard = lens.iter().position(|len| match place.checked_sub(*len) {
        Some(rest) => {
            place = rest;
            false
        }
        None => true,
    });
    let index = shard.expect("the place is below the sum of all") as u32;
    slices.visit(index, |shard| {
        let now_ms = shard.data.observe_ms(now_ms);
        match shard.data.database_ref(db).random(rng) {
            Some(entry) if !entry.is_expired(now_ms) => {
                reply.bulk(entry.key());
                Draw::Found
            }
            _ => Draw::Expired,
        }
    })
}

/// Replies with the first key that is not past its deadline; says whether there is one.
fn reply_first(slices: &mut Slices<'_, '_>, db: usize, now_ms: u64, reply: &mut Reply) -> bool {
    let (mut is_found, mut cursor) = (false, 0);
    slices.walk(|_, shard| {
        let now_ms = shard.data.observe_ms(now_ms);
        cursor = shard.data.database_ref(db).scan(cursor, KEYS_PER_HOLD, |entry| {
            if !is_found && !entry.is_expired(now_ms) {
                reply.bulk(entry.key());
                is_found = true;
            }
        });
        match (is_found, cursor) {
            (true, _) => ControlFlow::Break(()),
            (false, 0) => ControlFlow::Continue(Walk::Next),
            (false, _) => ControlFlow::Continue(Walk::Again),
        }
    });
    is_found
}

/// Kinds of values that SCAN shows.
enum Wanted {
    All,
    /// Of a type that does not exist.
    None,
    Only(Kind),
}

impl Wanted {
    fn parse(ctx: &Ctx<'_, '_>, name: &[u8]) -> Result<Self, CommandError> {
        match kind::named(name) {
            Some(kind) => Ok(Self::Only(kind)),
            None if ctx.settings.dialect.differences().scan_knows_types => {
                Err(CommandError::TypeUnknown(args::shown(name)))
            }
            None => Ok(Self::None),
        }
    }

    fn accept(&self, kind: Kind) -> bool {
        match self {
            Self::All => true,
            Self::None => false,
            Self::Only(only) => kind == *only,
        }
    }
}
