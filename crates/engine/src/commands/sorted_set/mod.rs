//! Sorted sets: ZADD, ZRANGE, ZUNION and their relatives.

mod add;
mod blocking;
mod combine;
mod pop;
mod random;
mod range;

use crate::args::{self, Args};
use crate::command::{Categories, Command, Elements, Flags, Group, Outcome, Reach};
use crate::commands::common::scan::{self, ScanOptions};
use crate::context::Ctx;
use crate::error::CommandError;
use crate::events;
use crate::keys::{self, KeySpec};
use base::numbers::FloatBuffer;
use resp::Reply;
use store::types::sorted_set::{self, LargeSortedSet};
use store::{Form, Large};

const ROW: Command = Command {
    reach: Reach::Keys,
    group: Group::SortedSet,
    acl: Categories::SORTED_SET,
    ..Command::NEW
};
const GROW: Flags = Flags::WRITE.with(Flags::DENYOOM);
const GROW_FAST: Flags = GROW.with(Flags::FAST);
const GROW_MANY: Flags = GROW.with(Flags::MOVABLE_KEYS);
const READ_FAST: Flags = Flags::READONLY.with(Flags::FAST);
const READ_MANY: Flags = Flags::READONLY.with(Flags::MOVABLE_KEYS);
const WAIT_FAST: Flags = WRITE_FAST.with(Flags::BLOCKING);
const WRITE_FAST: Flags = Flags::WRITE.with(Flags::FAST);
const WRITE_MANY: Flags = Flags::WRITE.with(Flags::MOVABLE_KEYS);

const COPY_KEYS: &[KeySpec] = &[KeySpec::at(1, keys::OW_UPDATE), KeySpec::at(2, keys::RO_ACCESS)];
const INCREMENT_KEY: &[KeySpec] = &[KeySpec::at(1, keys::RW_ACCESS_UPDATE)];
const LEN_KEY: &[KeySpec] = &[KeySpec::at(1, keys::RO)];
const POP_KEY: &[KeySpec] = &[KeySpec::at(1, keys::RW_ACCESS_DELETE)];
const POP_KEYS: &[KeySpec] = &[KeySpec::counted(1, 1, keys::RW_ACCESS_DELETE)];
const READ_KEY: &[KeySpec] = &[KeySpec::at(1, keys::RO_ACCESS)];
const REMOVE_KEY: &[KeySpec] = &[KeySpec::at(1, keys::RW_DELETE)];
const SOURCES: &[KeySpec] = &[KeySpec::counted(1, 1, keys::RO_ACCESS)];
const STORE_KEYS: &[KeySpec] =
    &[KeySpec::at(1, keys::OW_UPDATE), KeySpec::counted(2, 1, keys::RO_ACCESS)];
const UPDATE_KEY: &[KeySpec] = &[KeySpec::at(1, keys::RW_UPDATE)];
const WAIT_KEYS: &[KeySpec] = &[KeySpec::range(1, -2, 1, keys::RW_ACCESS_DELETE)];

pub(crate) const COMMANDS: &[Command] = &[
    Command {
        name: "bzmpop",
        arity: -5,
        flags: WRITE_MANY.with(Flags::BLOCKING),
        keys: &[KeySpec::counted(2, 1, keys::RW_ACCESS_DELETE)],
        since: "7.0.0",
        run: blocking::bzmpop,
        ..ROW
    },
    Command {
        name: "bzpopmax",
        arity: -3,
        flags: WAIT_FAST,
        keys: WAIT_KEYS,
        since: "5.0.0",
        run: blocking::bzpopmax,
        ..ROW
    },
    Command {
        name: "bzpopmin",
        arity: -3,
        flags: WAIT_FAST,
        keys: WAIT_KEYS,
        since: "5.0.0",
        run: blocking::bzpopmin,
        ..ROW
    },
    Command {
        name: "zadd",
        arity: -4,
        flags: GROW_FAST,
        keys: UPDATE_KEY,
        since: "1.2.0",
        elements: Elements::Scored(3),
        run: add::zadd,
        ..ROW
    },
    Command {
        name: "zcard",
        arity: 2,
        flags: READ_FAST,
        keys: LEN_KEY,
        since: "1.2.0",
        run: zcard,
        ..ROW
    },
    Command {
        name: "zcount",
        arity: 4,
        flags: READ_FAST,
        keys: READ_KEY,
        since: "2.0.0",
        run: range::zcount,
        ..ROW
    },
    Command {
        name: "zdiff",
        arity: -3,
        flags: READ_MANY,
        keys: SOURCES,
        since: "6.2.0",
        run: combine::zdiff,
        ..ROW
    },
    Command {
        name: "zdiffstore",
        arity: -4,
        flags: GROW_MANY,
        keys: STORE_KEYS,
        since: "6.2.0",
        run: combine::zdiffstore,
        ..ROW
    },
    Command {
        name: "zincrby",
        arity: 4,
        flags: GROW_FAST,
        keys: INCREMENT_KEY,
        since: "1.2.0",
        elements: Elements::One(3),
        run: add::zincrby,
        ..ROW
    },
    Command {
        name: "zinter",
        arity: -3,
        flags: READ_MANY,
        keys: SOURCES,
        since: "6.2.0",
        run: combine::zinter,
        ..ROW
    },
    Command {
        name: "zintercard",
        arity: -3,
        flags: READ_MANY,
        keys: SOURCES,
        since: "7.0.0",
        run: combine::zintercard,
        ..ROW
    },
    Command {
        name: "zinterstore",
        arity: -4,
        flags: GROW_MANY,
        keys: STORE_KEYS,
        since: "2.0.0",
        run: combine::zinterstore,
        ..ROW
    },
    Command {
        name: "zlexcount",
        arity: 4,
        flags: READ_FAST,
        keys: READ_KEY,
        since: "2.8.9",
        run: range::zlexcount,
        ..ROW
    },
    Command {
        name: "zmpop",
        arity: -4,
        flags: WRITE_MANY,
        keys: POP_KEYS,
        since: "7.0.0",
        run: pop::zmpop,
        ..ROW
    },
    Command {
        name: "zmscore",
        arity: -3,
        flags: READ_FAST,
        keys: READ_KEY,
        since: "6.2.0",
        elements: Elements::All(2),
        run: zmscore,
        ..ROW
    },
    Command {
        name: "zpopmax",
        arity: -2,
        flags: WRITE_FAST,
        keys: POP_KEY,
        since: "5.0.0",
        run: pop::zpopmax,
        ..ROW
    },
    Command {
        name: "zpopmin",
        arity: -2,
        flags: WRITE_FAST,
        keys: POP_KEY,
        since: "5.0.0",
        run: pop::zpopmin,
        ..ROW
    },
    Command {
        name: "zrandmember",
        arity: -2,
        flags: Flags::READONLY,
        keys: READ_KEY,
        since: "6.2.0",
        run: random::zrandmember,
        ..ROW
    },
    Command {
        name: "zrange",
        arity: -4,
        flags: Flags::READONLY,
        keys: READ_KEY,
        since: "1.2.0",
        run: range::zrange,
        ..ROW
    },
    Command {
        name: "zrangebylex",
        arity: -4,
        flags: Flags::READONLY,
        keys: READ_KEY,
        since: "2.8.9",
        run: range::zrangebylex,
        ..ROW
    },
    Command {
        name: "zrangebyscore",
        arity: -4,
        flags: Flags::READONLY,
        keys: READ_KEY,
        since: "1.0.5",
        run: range::zrangebyscore,
        ..ROW
    },
    Command {
        name: "zrangestore",
        arity: -5,
        flags: GROW,
        keys: COPY_KEYS,
        since: "6.2.0",
        run: range::zrangestore,
        ..ROW
    },
    Command {
        name: "zrank",
        arity: -3,
        flags: READ_FAST,
        keys: READ_KEY,
        since: "2.0.0",
        elements: Elements::One(2),
        run: zrank,
        ..ROW
    },
    Command {
        name: "zrem",
        arity: -3,
        flags: WRITE_FAST,
        keys: REMOVE_KEY,
        since: "1.2.0",
        elements: Elements::All(2),
        run: zrem,
        ..ROW
    },
    Command {
        name: "zremrangebylex",
        arity: 4,
        flags: Flags::WRITE,
        keys: REMOVE_KEY,
        since: "2.8.9",
        run: range::zremrangebylex,
        ..ROW
    },
    Command {
        name: "zremrangebyrank",
        arity: 4,
        flags: Flags::WRITE,
        keys: REMOVE_KEY,
        since: "2.0.0",
        run: range::zremrangebyrank,
        ..ROW
    },
    Command {
        name: "zremrangebyscore",
        arity: 4,
        flags: Flags::WRITE,
        keys: REMOVE_KEY,
        since: "1.2.0",
        run: range::zremrangebyscore,
        ..ROW
    },
    Command {
        name: "zrevrange",
        arity: -4,
        flags: Flags::READONLY,
        keys: READ_KEY,
        since: "1.2.0",
        run: range::zrevrange,
        ..ROW
    },
    Command {
        name: "zrevrangebylex",
        arity: -4,
        flags: Flags::READONLY,
        keys: READ_KEY,
        since: "2.8.9",
        run: range::zrevrangebylex,
        ..ROW
    },
    Command {
        name: "zrevrangebyscore",
        arity: -4,
        flags: Flags::READONLY,
        keys: READ_KEY,
        since: "2.2.0",
        run: range::zrevrangebyscore,
        ..ROW
    },
    Command {
        name: "zrevrank",
        arity: -3,
        flags: READ_FAST,
        keys: READ_KEY,
        since: "2.0.0",
        elements: Elements::One(2),
        run: zrevrank,
        ..ROW
    },
    Command {
        name: "zscan",
        arity: -3,
        flags: Flags::READONLY,
        keys: READ_KEY,
        since: "2.8.0",
        run: zscan,
        ..ROW
    },
    Command {
        name: "zscore",
        arity: 3,
        flags: READ_FAST,
        keys: READ_KEY,
        since: "1.2.0",
        elements: Elements::One(2),
        run: zscore,
        ..ROW
    },
    Command {
        name: "zunion",
        arity: -3,
        flags: READ_MANY,
        keys: SOURCES,
        since: "6.2.0",
        run: combine::zunion,
        ..ROW
    },
    Command {
        name: "zunionstore",
        arity: -4,
        flags: GROW_MANY,
        keys: STORE_KEYS,
        since: "2.0.0",
        run: combine::zunionstore,
        ..ROW
    },
];

/// `ZCARD key` → number of members. O(1).
fn zcard(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let len = ctx.data.read_as::<LargeSortedSet>(ctx.key(1))?.map_or(0, LargeSortedSet::len);
    ctx.reply.integer(len as i64);
    Ok(())
}

/// `ZMSCORE key member [member …]` → their scores, null for what is missing. O(members).
fn zmscore(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let form = ctx.data.read_as::<LargeSortedSet>(ctx.key(1))?;
    let members = ctx.argv.from(2);
    ctx.reply.array(members.len());
    for member in members.iter() {
        reply_score(ctx.reply, form.and_then(|form| sorted_set::score(form, member)));
    }
    Ok(())
}

/// `ZRANK key member [WITHSCORE]` → its number in the order of scores from zero, or null. O(log N).
fn zrank(ctx: &mut Ctx<'_, '_>) -> Outcome {
    reply_rank(ctx, |rank, _| rank)
}

/// `ZREVRANK key member [WITHSCORE]` → its number from the greatest score down, or null. O(log N).
fn zrevrank(ctx: &mut Ctx<'_, '_>) -> Outcome {
    reply_rank(ctx, |rank, len| len - 1 - rank)
}

/// `ZREM key member [member …]` → number of members removed. O(members log N).
fn zrem(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (key, members) = (ctx.key(1), ctx.argv.from(2));
    let removed = ctx.data.change::<LargeSortedSet, _>(key, |home| {
        members.iter().filter(|member| sorted_set::remove(home, member)).count()
    })?;
    let count = removed.as_ref().map_or(0, |removed| removed.result);
    if count != 0 {
        ctx.data.changed(key, events::ZREM);
    }
    if removed.is_some_and(|removed| removed.is_emptied) {
        ctx.data.noted(key, events::DEL);
    }
    ctx.reply.integer(count as i64);
    Ok(())
}

/// `ZSCAN key cursor [MATCH pattern] [COUNT count] [NOSCORES]` → the next cursor and some members
/// with their scores. O(count log N).
fn zscan(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let cursor = scan::cursor(ctx.argv.at(2))?;
    let mut found = Reply::with_protocol(ctx.reply.protocol());
    // Options are not looked at if there is nothing to scan.
    if ctx.data.read_as::<LargeSortedSet>(ctx.key(1))?.is_none() {
        scan::reply_page(ctx.reply, 0, 0, &mut found);
        return Ok(());
    }
    let mut with_scores = true;
    let options = ScanOptions::parse(Args::new(ctx.argv, 3), |args| {
        let is_other = args.take("noscores");
        with_scores &= !is_other;
        Ok(is_other)
    })?;
    let (mut count, mut next) = (0, 0);
    if let Some(form) = ctx.data.view_as::<LargeSortedSet>(ctx.key(1)) {
        let mut digits = FloatBuffer::new();
        next = sorted_set::scan(form, cursor, options.count, |item| {
            if options.accept(item.member) {
                found.bulk(item.member);
                count += 1;
                if with_scores {
                    found.bulk(digits.format(item.score));
                    count += 1;
                }
            }
        });
    }
    scan::reply_page(ctx.reply, next, count, &mut found);
    Ok(())
}

/// `ZSCORE key member` → its score, or null. O(1).
fn zscore(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let form = ctx.data.read_as::<LargeSortedSet>(ctx.key(1))?;
    let score = form.and_then(|form| sorted_set::score(form, ctx.argv.at(2)));
    reply_score(ctx.reply, score);
    Ok(())
}

fn reply_score(reply: &mut Reply, score: Option<f64>) {
    match score {
        Some(score) => reply.double(score),
        None => reply.null(),
    }
}

fn reply_rank(ctx: &mut Ctx<'_, '_>, place: fn(usize, usize) -> usize) -> Outcome {
    let with_score = match ctx.argv.get(3) {
        None => false,
        Some(_) if 4 < ctx.argv.len() => {
            return Err(CommandError::WrongArity(ctx.entry.full_name.clone()));
        }
        Some(word) if args::is_word(word, "withscore") => true,
        Some(_) => return Err(CommandError::Syntax),
    };
    let form = ctx.data.read_as::<LargeSortedSet>(ctx.key(1))?;
    let found = form.and_then(|form| {
        let (rank, score) = sorted_set::rank(form, ctx.argv.at(2))?;
        Some((place(rank, LargeSortedSet::len(form)), score))
    });
    match found {
        None if with_score => ctx.reply.null_array(),
        None => ctx.reply.null(),
        Some((rank, score)) => {
            if with_score {
                ctx.reply.array(2);
            }
            ctx.reply.integer(rank as i64);
            if with_score {
                ctx.reply.double(score);
            }
        }
    }
    Ok(())
}

/// How many members go at once when `count` are to go: all, or else one page after the other.
fn gone_at_once(form: Form<'_, LargeSortedSet>, count: usize) -> usize {
    let len = LargeSortedSet::len(form);
    if len <= count { len } else { 0 }
}
