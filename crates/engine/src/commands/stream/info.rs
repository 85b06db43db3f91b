//! XINFO: what there is to know of streams, groups and consumers.

use super::reply::{reply_entries, reply_entry, reply_id};
use crate::args::{self, Args};
use crate::command::Outcome;
use crate::commands::common::help::reply_help;
use crate::context::Ctx;
use crate::error::{CommandError, StreamError};
use resp::Reply;
use store::types::stream::{self, Consumer, Group, Id, Stream};

/// Entries that XINFO STREAM FULL shows of every list, if nothing else is said.
const FULL_COUNT: usize = 10;

/// `XINFO CONSUMERS key group` → the consumers. O(consumers).
pub(super) fn consumers(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (key, name, now_ms) = (ctx.key(2), ctx.argv.at(3), ctx.data.now_ms);
    let form = ctx.data.read_as::<Stream>(key)?.ok_or(CommandError::NoSuchKey)?;
    let group = stream::look(form).group(name).ok_or_else(|| StreamError::NoGroupNamed {
        key: args::shown(key.bytes),
        group: args::shown(name),
    })?;
    let reply = &mut *ctx.reply;
    reply.array(group.consumers_len());
    for consumer in group.consumers() {
        reply.map(4);
        reply.bulk(b"name");
        reply.bulk(consumer.name());
        reply.bulk(b"pending");
        reply.integer(consumer.pending_len() as i64);
        reply.bulk(b"idle");
        reply.integer(now_ms.saturating_sub(consumer.seen_ms) as i64);
        reply.bulk(b"inactive");
        let inactive = consumer.active_ms.map(|ms| now_ms.saturating_sub(ms) as i64);
        reply.integer(inactive.unwrap_or(-1));
    }
    Ok(())
}

/// `XINFO GROUPS key` → the groups. O(groups).
pub(super) fn groups(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let form = ctx.data.read_as::<Stream>(ctx.key(2))?.ok_or(CommandError::NoSuchKey)?;
    let stream = stream::look(form);
    let reply = &mut *ctx.reply;
    reply.array(stream.groups_len());
    for (name, group) in stream.groups() {
        reply.map(6);
        reply.bulk(b"name");
        reply.bulk(name);
        reply.bulk(b"consumers");
        reply.integer(group.consumers_len() as i64);
        reply.bulk(b"pending");
        reply.integer(group.pending_len() as i64);
        reply_progress(reply, stream, group);
    }
    Ok(())
}

/// How far a group has read.
fn reply_progress(reply: &mut Reply, stream: &Stream, group: &Group) {
    reply.bulk(b"last-delivered-id");
    reply_id(reply, group.last_id);
    reply.bulk(b"entries-read");
    reply_count(reply, group.entries_read);
    reply.bulk(b"lag");
    reply_count(reply, stream.lag(group));
}

fn reply_count(reply: &mut Reply, count: Option<u64>) {
    match count {
        Some(count) => reply.integer(count as i64),
        None => reply.null(),
    }
}

/// `XINFO HELP` → the subcommands.
pub(super) fn help(ctx: &mut Ctx<'_, '_>) -> Outcome {
    const LINES: &[&str] = &[
        "CONSUMERS <key> <groupname>",
        "    Return the consumers of a group.",
        "GROUPS <key>",
        "    Return the consumer groups of a stream.",
        "STREAM <key> [FULL [COUNT <count>]]",
        "    Return what there is to know of a stream.",
    ];
    reply_help(ctx.reply, "XINFO", LINES);
    Ok(())
}

/// `XINFO STREAM key [FULL [COUNT count]]` → what there is to know. O(1); FULL: O(what it shows).
pub(super) fn stream(ctx: &mut Ctx<'_, '_>) -> Outcome {
    // A missing key is told of before anything that is wrong with the arguments.
    if ctx.data.look_as::<Stream>(ctx.key(2))?.is_none() {
        return Err(CommandError::NoSuchKey);
    }
    let mut args = Args::new(ctx.argv, 3);
    let mut full = None;
    if !args.is_empty() {
        let has_count = args.len() == 3;
        let is_full = args.take("full");
        if !is_full || (has_count && !args.take("count")) {
            return Err(arguments_error(ctx));
        }
        let count = if has_count { args.integer()? } else { FULL_COUNT as i64 };
        if !args.is_empty() {
            return Err(arguments_error(ctx));
        }
        full = Some(match usize::try_from(count) {
            Ok(0) => usize::MAX,
            Ok(count) => count,
            Err(_) => FULL_COUNT,
        });
    }
    let now_ms = ctx.data.now_ms;
    let form = ctx.data.read_as::<Stream>(ctx.key(2))?.ok_or(CommandError::NoSuchKey)?;
    let stream = stream::look(form);
    match full {
        Some(count) => reply_full(ctx.reply, stream, now_ms, count),
        None => reply_short(ctx.reply, stream, now_ms),
    }
    Ok(())
}

fn arguments_error(ctx: &Ctx<'_, '_>) -> CommandError {
    let name = args::shown(ctx.argv.at(1));
    StreamError::SubcommandArguments { container: "XINFO", name }.into()
}

/// How many more pairs there are about producers, once there are any.
fn producer_pairs(stream: &Stream) -> usize {
    if stream.producers().is_some() { 6 } else { 0 }
}

fn reply_producers(reply: &mut Reply, stream: &Stream, now_ms: u64) {
    let Some(producers) = stream.producers() else { return };
    let (tracked, iids) = producers.measure(now_ms);
    let pairs = [
        ("idmp-duration", i64::from(producers.duration_s())),
        ("idmp-maxsize", i64::from(producers.iids_max())),
        ("pids-tracked", tracked as i64),
        ("iids-tracked", iids as i64),
        ("iids-added", producers.added() as i64),
        ("iids-duplicates", producers.duplicates() as i64),
    ];
    for (name, number) in pairs {
        reply.bulk(name.as_bytes());
        reply.integer(number);
    }
}

fn reply_head(reply: &mut Reply, stream: &Stream, now_ms: u64) {
    let chunks = stream.log().chunks_len() as i64;
    reply.bulk(b"length");
    reply.integer(stream.log().len() as i64);
    reply.bulk(b"radix-tree-keys");
    reply.integer(chunks);
    reply.bulk(b"radix-tree-nodes");
    reply.integer(chunks + 1);
    reply.bulk(b"last-generated-id");
    reply_id(reply, stream.last_id());
    reply.bulk(b"max-deleted-entry-id");
    reply_id(reply, stream.max_deleted_id());
    reply.bulk(b"entries-added");
    reply.integer(stream.entries_added() as i64);
    reply.bulk(b"recorded-first-entry-id");
    reply_id(reply, stream.first_id());
    reply_producers(reply, stream, now_ms);
}

fn reply_short(reply: &mut Reply, stream: &Stream, now_ms: u64) {
    reply.map(10 + producer_pairs(stream));
    reply_head(reply, stream, now_ms);
    reply.bulk(b"groups");
    reply.integer(stream.groups_len() as i64);
    let (first, last) = (stream.log().first(), stream.log().last());
    for (name, entry) in [("first-entry", first), ("last-entry", last)] {
        reply.bulk(name.as_bytes());
        match entry {
            Some(entry) => reply_entry(reply, entry),
            None => reply.null(),
        }
    }
}

fn reply_full(reply: &mut Reply, stream: &Stream, now_ms: u64, count: usize) {
    reply.map(9 + producer_pairs(stream));
    reply_head(reply, stream, now_ms);
    reply.bulk(b"entries");
    reply_entries(reply, stream.log().range(Id::MIN, Id::MAX).take(count));
    reply.bulk(b"groups");
    reply.array(stream.groups_len());
    for (name, group) in stream.groups() {
        reply.map(8);
        reply.bulk(b"name");
        reply.bulk(name);
        reply_progress(reply, stream, group);
        reply.bulk(b"pel-count");
        reply.integer(group.pending_len() as i64);
        reply.bulk(b"nacked-count");
        reply.integer(group.unowned_len() as i64);
        reply.bulk(b"pending");
        reply_pending(reply, group, count);
        reply.bulk(b"consumers");
        reply.array(group.consumers_len());
        group.consumers().for_each(|consumer| reply_consumer(reply, group, consumer, count));
    }
}

fn reply_pending(reply: &mut Reply, group: &Group, count: usize) {
    reply.array(group.pending_len().min(count));
    for (id, pending) in group.pending_from(Id::MIN).take(count) {
        reply.array(4);
        reply_id(reply, id);
        let owner = pending.owner().and_then(|number| group.consumer(number));
        reply.bulk(owner.map_or(b"", Consumer::name));
        reply.integer(pending.delivered_ms() as i64);
        reply.integer(pending.count as i64);
    }
}

fn reply_consumer(reply: &mut Reply, group: &Group, consumer: &Consumer, count: usize) {
    reply.map(5);
    reply.bulk(b"name");
    reply.bulk(consumer.name());
    reply.bulk(b"seen-time");
    reply.integer(consumer.seen_ms as i64);
    reply.bulk(b"active-time");
    reply.integer(consumer.active_ms.map_or(-1, |ms| ms as i64));
    reply.bulk(b"pel-count");
    reply.integer(consumer.pending_len() as i64);
    reply.bulk(b"pending");
    reply.array(consumer.pending_len().min(count));
    let Some(number) = group.consumer_number(consumer.name()) else { return };
    for (id, pending) in group.pending_of(number, Id::MIN).take(count) {
        reply.array(3);
        reply_id(reply, id);
        reply.integer(pending.delivered_ms() as i64);
        reply.integer(pending.count as i64);
    }
}
