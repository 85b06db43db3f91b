//! XGROUP: groups and their consumers, made, moved and removed.

use super::id;
use crate::args::{self, Args};
use crate::command::Outcome;
use crate::commands::common::help::reply_help;
use crate::context::Ctx;
use crate::error::{CommandError, StreamError};
use crate::events;
use store::Form;
use store::types::stream::{self, Id, Stream};

/// Where a group begins to read.
#[derive(Clone, Copy, Debug)]
struct Start {
    /// `None`: after the last entry.
    last_id: Option<Id>,
    entries_read: Option<u64>,
}

impl Start {
    fn last_id(self, stream: &Stream) -> Id {
        self.last_id.unwrap_or_else(|| stream.last_id())
    }

    /// No group has read more than was ever added.
    fn entries_read(self, stream: &Stream) -> Option<u64> {
        self.entries_read.map(|read| read.min(stream.entries_added()))
    }
}

/// `XGROUP CREATE key group id | $ [MKSTREAM] [ENTRIESREAD count]` → OK. O(log groups).
pub(super) fn create(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let mut makes_stream = false;
    let entries_read = options(ctx, Some(&mut makes_stream))?;
    let (key, name) = (ctx.key(2), ctx.argv.at(3));
    if ctx.data.look_as::<Stream>(key)?.is_none() && !makes_stream {
        return Err(StreamError::GroupKeyMissing.into());
    }
    let start = start(ctx, id::id, entries_read)?;
    let created = ctx.data.create::<Stream, _>(key, |home| {
        let stream = stream::open(home);
        stream.create_group(name, start.last_id(stream), start.entries_read(stream))
    })?;
    if !created.result {
        return Err(StreamError::BusyGroup.into());
    }
    ctx.data.changed(key, events::XGROUP_CREATE);
    ctx.reply.ok();
    Ok(())
}

/// `XGROUP SETID key group id | $ [ENTRIESREAD count]` → OK. O(log groups).
pub(super) fn setid(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let entries_read = options(ctx, None)?;
    check_group(ctx)?;
    let start = start(ctx, id::bound, entries_read)?;
    let (key, name) = (ctx.key(2), ctx.argv.at(3));
    ctx.data.change::<Stream, _>(key, |home| {
        let stream = stream::open(home);
        let (last_id, entries_read) = (start.last_id(stream), start.entries_read(stream));
        if let Some(group) = stream.group_mut(name) {
            (group.last_id, group.entries_read) = (last_id, entries_read);
        }
    })?;
    ctx.data.changed(key, events::XGROUP_SETID);
    ctx.reply.ok();
    Ok(())
}

/// What stands behind the id.
fn options(
    ctx: &Ctx<'_, '_>,
    mut makes_stream: Option<&mut bool>,
) -> Result<Option<u64>, CommandError> {
    // Every option once is the most.
    let len_max = if makes_stream.is_some() { 8 } else { 7 };
    let name = args::shown(ctx.argv.at(1));
    let error = StreamError::SubcommandArguments { container: "XGROUP", name };
    if len_max < ctx.argv.len() {
        return Err(error.into());
    }
    let mut args = Args::new(ctx.argv, 5);
    let mut entries_read = None;
    while !args.is_empty() {
        if let Some(makes_stream) = &mut makes_stream
            && args.take("mkstream")
        {
            **makes_stream = true;
        } else if 2 <= args.len() && args.take("entriesread") {
            let read = args.integer()?;
            if read < -1 {
                return Err(StreamError::EntriesReadNegative.into());
            }
            entries_read = u64::try_from(read).ok();
        } else {
            return Err(error.into());
        }
    }
    Ok(entries_read)
}

fn start(
    ctx: &Ctx<'_, '_>,
    parse: fn(&[u8]) -> Result<Id, CommandError>,
    entries_read: Option<u64>,
) -> Result<Start, CommandError> {
    let argument = ctx.argv.at(4);
    let last_id = if argument == b"$" { None } else { Some(parse(argument)?) };
    Ok(Start { last_id, entries_read })
}

/// `XGROUP CREATECONSUMER key group consumer` → 1, or 0 if it was there. O(log consumers).
pub(super) fn createconsumer(ctx: &mut Ctx<'_, '_>) -> Outcome {
    check_group(ctx)?;
    let (key, name, consumer) = (ctx.key(2), ctx.argv.at(3), ctx.argv.at(4));
    let now_ms = ctx.data.now_ms;
    let changed = ctx.data.change::<Stream, _>(key, |home| {
        let group = stream::open(home).group_mut(name);
        group.is_some_and(|group| group.create_consumer(consumer, now_ms).1)
    })?;
    let is_new = changed.is_some_and(|changed| changed.result);
    if is_new {
        ctx.data.changed(key, events::XGROUP_CREATECONSUMER);
    }
    ctx.reply.integer(i64::from(is_new));
    Ok(())
}

/// `XGROUP DELCONSUMER key group consumer` → how many entries it had pending. O(entries).
pub(super) fn delconsumer(ctx: &mut Ctx<'_, '_>) -> Outcome {
    check_group(ctx)?;
    let (key, name, consumer) = (ctx.key(2), ctx.argv.at(3), ctx.argv.at(4));
    let changed = ctx.data.change::<Stream, _>(key, |home| {
        stream::open(home).group_mut(name)?.remove_consumer(consumer)
    })?;
    let pending = changed.and_then(|changed| changed.result);
    if pending.is_some() {
        ctx.data.changed(key, events::XGROUP_DELCONSUMER);
    }
    ctx.reply.integer(pending.unwrap_or(0) as i64);
    Ok(())
}

/// `XGROUP DESTROY key group` → 1, or 0 if it was not there. O(entries pending).
pub(super) fn destroy(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (key, name) = (ctx.key(2), ctx.argv.at(3));
    let removed = |form: Form<'_, Stream>| {
        stream::look(form).group(name).map_or(0, |group| group.pending_len())
    };
    let changed =
        ctx.data.cut::<Stream, _>(key, removed, |home| stream::open(home).remove_group(name))?;
    let was_there = changed.ok_or(StreamError::GroupKeyMissing)?.result;
    if was_there {
        ctx.data.changed(key, events::XGROUP_DESTROY);
    }
    ctx.reply.integer(i64::from(was_there));
    Ok(())
}

/// `XGROUP HELP` → the subcommands.
pub(super) fn help(ctx: &mut Ctx<'_, '_>) -> Outcome {
    const LINES: &[&str] = &[
        "CREATE <key> <groupname> <id|$> [MKSTREAM] [ENTRIESREAD <count>]",
        "    Make a consumer group that reads what comes after an id.",
        "CREATECONSUMER <key> <groupname> <consumer>",
        "    Make a consumer.",
        "DELCONSUMER <key> <groupname> <consumer>",
        "    Remove a consumer with all that it has pending.",
        "DESTROY <key> <groupname>",
        "    Remove a consumer group.",
        "SETID <key> <groupname> <id|$> [ENTRIESREAD <count>]",
        "    Let a consumer group go on from another id.",
    ];
    reply_help(ctx.reply, "XGROUP", LINES);
    Ok(())
}

/// An error unless the stream and the group are there.
fn check_group(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (key, name) = (ctx.key(2), ctx.argv.at(3));
    let form = ctx.data.look_as::<Stream>(key)?.ok_or(StreamError::GroupKeyMissing)?;
    if stream::look(form).group(name).is_some() {
        return Ok(());
    }
    let (key, group) = (args::shown(key.bytes), args::shown(name));
    Err(StreamError::NoGroupNamed { key, group }.into())
}
