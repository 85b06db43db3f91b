//! Entries: XADD, XDEL, XDELEX, XLEN, XRANGE, XREVRANGE, XSETID, XTRIM.

use super::id::{self, NewId};
use super::journal;
use super::once::Once;
use super::reply::{reply_entries, reply_id};
use super::trim::{Deletions, TrimOptions, check_ids, ids};
use crate::args::Args;
use crate::command::Outcome;
use crate::context::Ctx;
use crate::error::{CommandError, StreamError};
use crate::events;
use store::types::stream::{self, Deletion, Id, References, Stream, Trim, TrimRule};
use store::{Form, Key, Large};

/// `XADD key [NOMKSTREAM] [KEEPREF | DELREF | ACKED] [IDMPAUTO producer | IDMP producer iid]
/// [MAXLEN | MINID [= | ~] threshold [LIMIT count]] * | id field value [field value …]` → the id of
/// the new entry, or of the one that this producer has sent already; null if there is no stream and
/// none is to be made. O(1), and O(entries removed).
pub(super) fn xadd(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let limits = ctx.settings.types.stream;
    let AddCall { new_id, rule, makes_stream, once, first } = AddCall::parse(ctx)?;
    let (argv, key, now_ms) = (ctx.argv, ctx.key(1), ctx.data.now_ms);
    let once_words = once.as_ref().map_or_else(Vec::new, Once::words);
    let once = once.map(|once: Once<'_>| once.known_by(argv, first));
    let add = |home: &mut store::Entry| {
        let stream = stream::open(home);
        if let Some(id) = once.as_ref().and_then(|once| once.find(stream, now_ms)) {
            return Ok(Addition::Duplicate(id));
        }
        let id = id_to_add(stream, new_id, now_ms)?;
        let pairs = (first..argv.len()).step_by(2);
        stream.append(id, pairs.map(|index| (argv.at(index), argv.at(index + 1))), limits);
        once.iter().for_each(|once| once.remember(stream, id, now_ms));
        let (trimmed, left) = match rule {
            Some(rule) if stream.trims_much(rule) => (0, Some(rule)),
            rule => (rule.map_or(0, |rule| stream.trim(rule)), None),
        };
        Ok::<_, StreamError>(Addition::New { id, trimmed, left })
    };
    let addition = if makes_stream {
        ctx.data.create::<Stream, _>(key, add)?.result?
    } else {
        match ctx.data.change::<Stream, _>(key, add)? {
            Some(changed) => changed.result?,
            None => {
                ctx.reply.null();
                return Ok(());
            }
        }
    };
    let (id, mut trimmed, left) = match addition {
        Addition::Duplicate(id) => {
            reply_id(ctx.reply, id);
            return Ok(());
        }
        Addition::New { id, trimmed, left } => (id, trimmed, left),
    };
    if let Some(rule) = left {
        trimmed = trim(ctx, key, rule)?;
    }
    ctx.data.changed(key, events::XADD);
    journal::added(ctx, id, &once_words, first);
    if let Some(rule) = rule.filter(|_| 0 < trimmed) {
        tell_trimmed(ctx, key, rule);
    }
    reply_id(ctx.reply, id);
    Ok(())
}

/// What XADD is asked for.
struct AddCall<'a> {
    new_id: NewId,
    rule: Option<TrimRule>,
    makes_stream: bool,
    once: Option<Once<'a>>,
    /// The argument that is the first field.
    first: usize,
}

impl<'a> AddCall<'a> {
    fn parse(ctx: &Ctx<'a, '_>) -> Result<Self, CommandError> {
        let mut args = Args::new(ctx.argv, 2);
        let (mut options, mut makes_stream) = (TrimOptions::default(), true);
        let mut once = None;
        let new_id = loop {
            if args.take("nomkstream") {
                makes_stream = false;
            } else if Once::take(&mut args, &mut once)? {
            } else if !options.take(&mut args)? {
                let Some(argument) = args.next() else { break None };
                break Some(id::new_id(argument)?);
            }
        };
        let rule = options.rule(ctx.settings.types.stream)?;
        let first = args.position();
        let pairs_are_whole = !args.is_empty() && args.len().is_multiple_of(2);
        let (Some(new_id), true) = (new_id, pairs_are_whole) else {
            return Err(CommandError::WrongArity(ctx.entry.full_name.clone()));
        };
        // In a journal the id is there that the entry has got.
        if once.is_some() && new_id != NewId::Auto && !ctx.data.is_replaying {
            return Err(StreamError::OnceWithId.into());
        }
        if new_id == NewId::Given(Id::MIN) {
            return Err(StreamError::AddIdZero.into());
        }
        Ok(Self { new_id, rule, makes_stream, once, first })
    }
}

/// What XADD has done.
enum Addition {
    /// Nothing: this entry was there.
    Duplicate(Id),
    /// `left` is what is still to be trimmed.
    New { id: Id, trimmed: u64, left: Option<TrimRule> },
}

/// Removes entries; many of them are freed elsewhere.
fn trim(ctx: &mut Ctx<'_, '_>, key: Key<'_>, rule: TrimRule) -> Result<u64, CommandError> {
    let removed = |form: Form<'_, Stream>| {
        let stream = stream::look(form);
        if stream.trims_much(rule) { usize::MAX } else { 0 }
    };
    let changed = ctx.data.cut::<Stream, _>(key, removed, |home| stream::open(home).trim(rule))?;
    Ok(changed.map_or(0, |changed| changed.result))
}

/// Tells that entries were trimmed away; the change has been counted.
fn tell_trimmed(ctx: &mut Ctx<'_, '_>, key: Key<'_>, rule: TrimRule) {
    ctx.data.noted(key, events::XTRIM);
    let (name, threshold) = match rule.trim {
        Trim::LenMax(len) => (&b"MAXLEN"[..], len.to_string()),
        Trim::IdMin(id) => (&b"MINID"[..], id.to_string()),
    };
    journal::trimmed(ctx, key, rule.references, &[name, b"=", threshold.as_bytes()]);
}

fn id_to_add(stream: &Stream, new_id: NewId, now_ms: u64) -> Result<Id, StreamError> {
    if stream.last_id() == Id::MAX {
        return Err(StreamError::Exhausted);
    }
    let id = match new_id {
        NewId::Auto => stream.next_id(now_ms),
        NewId::AutoSeq(ms) => stream.next_id_at(ms),
        NewId::Given(id) => Some(id),
    };
    id.filter(|id| stream.last_id() < *id).ok_or(StreamError::AddIdTooSmall)
}

/// `XDEL key id [id …]` → how many entries there were. O(ids), each a part of a chunk.
pub(super) fn xdel(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (argv, key) = (ctx.argv, ctx.key(1));
    if ctx.data.look_as::<Stream>(key)?.is_none() {
        ctx.reply.integer(0);
        return Ok(());
    }
    check_ids(argv, 2, argv.len())?;
    let changed = ctx.data.change::<Stream, _>(key, |home| {
        let stream = stream::open(home);
        let deleted = ids(argv, 2, argv.len())
            .filter(|id| stream.delete(*id, References::Keep) == Deletion::Deleted);
        deleted.count()
    })?;
    let count = changed.map_or(0, |changed| changed.result);
    if 0 < count {
        ctx.data.changed(key, events::XDEL);
    }
    ctx.reply.integer(count as i64);
    Ok(())
}

/// `XDELEX key [KEEPREF | DELREF | ACKED] IDS count id [id …]` → for each id 1 if the entry was
/// deleted, 2 if a group still refers to it, -1 if there is none. O(ids).
pub(super) fn xdelex(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (key, deletions) = (ctx.key(1), Deletions::parse(ctx.argv, 2)?);
    let reply = &mut *ctx.reply;
    let start = reply.position();
    reply.array(deletions.len());
    let changed = ctx.data.change::<Stream, _>(key, |home| {
        let stream = stream::open(home);
        let mut count = 0;
        for id in deletions.ids() {
            let deletion = stream.delete(id, deletions.references);
            count += usize::from(deletion == Deletion::Deleted);
            reply.integer(deletion_code(deletion));
        }
        count
    });
    match changed {
        Err(error) => {
            ctx.reply.truncate(start);
            return Err(error);
        }
        Ok(None) => (0..deletions.len()).for_each(|_| ctx.reply.integer(-1)),
        Ok(Some(changed)) if 0 < changed.result => ctx.data.changed(key, events::XDEL),
        Ok(Some(_)) => {}
    }
    Ok(())
}

/// What became of an entry, as a number.
pub(super) fn deletion_code(deletion: Deletion) -> i64 {
    match deletion {
        Deletion::Deleted => 1,
        Deletion::Missing => -1,
        Deletion::Refused => 2,
    }
}

/// `XLEN key` → number of entries. O(1).
pub(super) fn xlen(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let form: Option<Form<'_, Stream>> = ctx.data.read_as(ctx.key(1))?;
    ctx.reply.integer(form.map_or(0, Stream::len) as i64);
    Ok(())
}

/// `XRANGE key start end [COUNT count]` → the entries. O(log chunks + entries).
pub(super) fn xrange(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (from, to) = (id::range_start(ctx.argv.at(2))?, id::range_end(ctx.argv.at(3))?);
    reply_range(ctx, from, to, false)
}

/// `XREVRANGE key end start [COUNT count]` → the entries, last one first. O(log chunks + entries).
pub(super) fn xrevrange(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (from, to) = (id::range_start(ctx.argv.at(3))?, id::range_end(ctx.argv.at(2))?);
    reply_range(ctx, from, to, true)
}

fn reply_range(ctx: &mut Ctx<'_, '_>, from: Id, to: Id, is_reverse: bool) -> Outcome {
    let mut args = Args::new(ctx.argv, 4);
    let mut count = usize::MAX;
    while !args.is_empty() {
        if !args.take("count") {
            return Err(CommandError::Syntax);
        }
        count = usize::try_from(args.integer()?).unwrap_or(0);
    }
    let Some(form) = ctx.data.read_as::<Stream>(ctx.key(1))? else {
        ctx.reply.array(0);
        return Ok(());
    };
    let log = stream::look(form).log();
    if count == 0 {
        ctx.reply.null_array();
    } else if to < from {
        ctx.reply.array(0);
    } else if is_reverse {
        reply_entries(ctx.reply, log.range_back(from, to).take(count));
    } else {
        reply_entries(ctx.reply, log.range(from, to).take(count));
    }
    Ok(())
}

/// `XSETID key id [ENTRIESADDED count] [MAXDELETEDID id]` → OK. O(1).
pub(super) fn xsetid(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let last_id = id::id(ctx.argv.at(2))?;
    let mut args = Args::new(ctx.argv, 3);
    let (mut added, mut max_deleted) = (None, None);
    while !args.is_empty() {
        if args.len() < 2 {
            return Err(CommandError::Syntax);
        } else if args.take("entriesadded") {
            let count = args.integer()?;
            added = Some(u64::try_from(count).map_err(|_| StreamError::EntriesAddedNegative)?);
        } else if args.take("maxdeletedid") {
            let id = id::id(args.required()?)?;
            if last_id < id {
                return Err(StreamError::SetIdBelowGivenDeleted.into());
            }
            max_deleted = Some(id).filter(|id| *id != Id::MIN);
        } else {
            return Err(CommandError::Syntax);
        }
    }
    let key = ctx.key(1);
    let changed = ctx.data.change::<Stream, _>(key, |home| {
        let stream = stream::open(home);
        if last_id < stream.max_deleted_id() {
            return Err(StreamError::SetIdBelowCurrentDeleted);
        }
        if stream.log().last().is_some_and(|entry| last_id < entry.id) {
            return Err(StreamError::SetIdBelowTop);
        }
        if added.is_some_and(|added| added < stream.log().len()) {
            return Err(StreamError::SetIdBelowEntries);
        }
        stream.set_id(last_id, added, max_deleted);
        Ok(())
    })?;
    changed.ok_or(CommandError::NoSuchKey)?.result?;
    ctx.data.changed(key, events::XSETID);
    ctx.reply.ok();
    Ok(())
}

/// `XTRIM key MAXLEN | MINID [= | ~] threshold [LIMIT count] [KEEPREF | DELREF | ACKED]` → how many
/// entries were removed. O(chunks and entries removed).
pub(super) fn xtrim(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let mut args = Args::new(ctx.argv, 2);
    let mut options = TrimOptions::default();
    while !args.is_empty() {
        if !options.take(&mut args)? {
            return Err(CommandError::Syntax);
        }
    }
    let rule = options.required_rule(ctx.settings.types.stream)?;
    let key = ctx.key(1);
    let count = trim(ctx, key, rule)?;
    if 0 < count {
        ctx.data.changes += 1;
        tell_trimmed(ctx, key, rule);
    }
    ctx.reply.integer(count as i64);
    Ok(())
}
