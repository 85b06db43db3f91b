//! What was delivered and not acknowledged: XACK, XACKDEL, XAUTOCLAIM, XCLAIM, XNACK, XPENDING.

use super::id;
use super::journal;
use super::log::deletion_code;
use super::reply::{reply_entry, reply_id};
use super::trim::{Deletions, check_ids, ids};
use crate::args::{self, Args};
use crate::command::Outcome;
use crate::context::Ctx;
use crate::error::{CommandError, StreamError};
use crate::events;
use base::numbers;
use store::Key;
use store::types::stream::{
    self, COUNT_MAX, Consumer, ConsumerNumber, Deletion, Group, Id, Stream,
};

/// Entries that XAUTOCLAIM claims at most, if nothing else is said.
const AUTOCLAIM_COUNT: i64 = 100;
/// Pending entries that XAUTOCLAIM looks at for each that it may claim.
const AUTOCLAIM_TRIES: usize = 10;
/// A count above this would overflow the number of tries in the reference.
const AUTOCLAIM_COUNT_MAX: i64 = i64::MAX / 16;

/// `XACK key group id [id …]` → how many were pending. O(ids · log pending).
pub(super) fn xack(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (argv, key, name) = (ctx.argv, ctx.key(1), ctx.argv.at(2));
    let form = ctx.data.look_as::<Stream>(key)?;
    if form.and_then(|form| stream::look(form).group(name)).is_none() {
        ctx.reply.integer(0);
        return Ok(());
    }
    check_ids(argv, 3, argv.len())?;
    let changed = ctx.data.change::<Stream, _>(key, |home| {
        let group = stream::open(home).group_mut(name)?;
        Some(ids(argv, 3, argv.len()).filter(|id| group.acknowledge(*id)).count())
    })?;
    let count = changed.and_then(|changed| changed.result).unwrap_or(0);
    ctx.data.changes += count as u64;
    ctx.reply.integer(count as i64);
    Ok(())
}

/// `XACKDEL key group [KEEPREF | DELREF | ACKED] IDS count id [id …]` → for each id 1 if it was
/// pending and its entry is gone, 2 if other groups still refer to that, -1 if it was not pending.
/// O(ids · log pending).
pub(super) fn xackdel(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (key, name) = (ctx.key(1), ctx.argv.at(2));
    let deletions = Deletions::parse(ctx.argv, 3)?;
    let form = ctx.data.look_as::<Stream>(key)?;
    let has_group = form.is_some_and(|form| stream::look(form).group(name).is_some());
    let reply = &mut *ctx.reply;
    reply.array(deletions.len());
    if !has_group {
        (0..deletions.len()).for_each(|_| reply.integer(-1));
        return Ok(());
    }
    let changed = ctx.data.change::<Stream, _>(key, |home| {
        let stream = stream::open(home);
        let (mut acknowledged, mut deleted) = (0, 0);
        for id in deletions.ids() {
            if !stream.group_mut(name).is_some_and(|group| group.acknowledge(id)) {
                reply.integer(deletion_code(Deletion::Missing));
                continue;
            }
            acknowledged += 1;
            let deletion = stream.delete(id, deletions.references);
            deleted += usize::from(deletion == Deletion::Deleted);
            let is_refused = deletion == Deletion::Refused;
            let code = if is_refused { Deletion::Refused } else { Deletion::Deleted };
            reply.integer(deletion_code(code));
        }
        (acknowledged, deleted)
    })?;
    match changed.map(|changed| changed.result) {
        Some((_, deleted)) if 0 < deleted => ctx.data.changed(key, events::XDEL),
        Some((acknowledged, _)) => ctx.data.changes += acknowledged,
        None => {}
    }
    Ok(())
}

/// `XNACK key group SILENT | FAIL | FATAL IDS count id [id …] [RETRYCOUNT count] [FORCE]` → how many
/// entries were given back to the group. O(ids · log pending).
pub(super) fn xnack(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let nack = Nack::parse(ctx)?;
    let (argv, key, name) = (ctx.argv, ctx.key(1), ctx.argv.at(2));
    check_group(ctx, key, name)?;
    let changed = ctx.data.change::<Stream, _>(key, |home| {
        let stream = stream::open(home);
        let given_back = ids(argv, nack.first, nack.end).filter(|id| nack.apply(stream, name, *id));
        given_back.count()
    })?;
    let count = changed.map_or(0, |changed| changed.result);
    if 0 < count {
        ctx.data.changed_inside(key);
    }
    ctx.reply.integer(count as i64);
    Ok(())
}

/// A call of XNACK.
#[derive(Clone, Copy, Debug)]
struct Nack {
    mode: NackMode,
    retry_count: Option<u64>,
    is_forced: bool,
    /// Where the ids begin and end.
    first: usize,
    end: usize,
}

/// What becomes of the count of deliveries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum NackMode {
    /// It stays.
    Fail,
    /// It says that nobody can use the entry.
    Fatal,
    /// The delivery did not happen.
    Silent,
}

impl Nack {
    fn parse(ctx: &Ctx<'_, '_>) -> Result<Self, CommandError> {
        let mut args = Args::new(ctx.argv, 3);
        let mode = if args.take("silent") {
            NackMode::Silent
        } else if args.take("fail") {
            NackMode::Fail
        } else if args.take("fatal") {
            NackMode::Fatal
        } else {
            return Err(StreamError::NackMode.into());
        };
        let mut nack = Self { mode, retry_count: None, is_forced: false, first: 0, end: 0 };
        while let Some(argument) = args.peek() {
            if args.take("force") {
                nack.is_forced = true;
            } else if 2 <= args.len() && args.take("retrycount") {
                let count = args.integer()?;
                let count = u64::try_from(count).map_err(|_| StreamError::NackRetryCount)?;
                nack.retry_count = Some(count);
            } else if nack.first == 0 && 2 <= args.len() && args.take("ids") {
                let count = args.required().map(numbers::parse_i64)?;
                let count = count.and_then(|count| usize::try_from(count).ok());
                let count = count.filter(|count| 0 < *count);
                let count = count.ok_or(StreamError::NackIdsNotPositive)?;
                if args.len() < count {
                    return Err(StreamError::NackIdsMismatch.into());
                }
                (nack.first, nack.end) = (args.position(), args.position() + count);
                args = Args::new(ctx.argv, nack.end);
            } else {
                return Err(StreamError::NackOptionUnknown(args::shown(argument)).into());
            }
        }
        if nack.first == 0 {
            return Err(StreamError::NackIdsMissing.into());
        }
        check_ids(ctx.argv, nack.first, nack.end)?;
        Ok(nack)
    }

    /// Gives one entry back; returns whether there was something to give.
    fn apply(self, stream: &mut Stream, name: &[u8], id: Id) -> bool {
        let exists = stream.log().get(id).is_some();
        let Some(group) = stream.group_mut(name) else { return false };
        let pending = group.pending(id);
        if pending.is_none() && !(self.is_forced && exists) {
            return false;
        }
        let count = pending.map_or(0, |pending| pending.count);
        let count = match (self.retry_count, self.mode) {
            (Some(count), _) => count,
            (None, NackMode::Fail) => count,
            (None, NackMode::Fatal) => COUNT_MAX,
            (None, NackMode::Silent) => count.saturating_sub(1),
        };
        group.give_back(id, count);
        stream.know_nacks();
        true
    }
}

/// `XPENDING key group [[IDLE ms] start end count [consumer]]` → how much is pending, or which
/// entries. O(consumers), or O(log pending + entries looked at).
pub(super) fn xpending(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let asked = PendingRange::parse(ctx)?;
    let (key, name, now_ms) = (ctx.key(1), ctx.argv.at(2), ctx.data.now_ms);
    let group = match ctx.data.read_as::<Stream>(key)? {
        Some(form) => stream::look(form).group(name),
        None => None,
    };
    let Some(group) = group else { return Err(no_group(key, name)) };
    match asked {
        None => reply_summary(ctx.reply, group),
        Some(asked) => asked.reply(ctx.reply, group, now_ms),
    }
    Ok(())
}

/// Which pending entries are asked for.
#[derive(Clone, Copy, Debug)]
struct PendingRange<'a> {
    idle_ms: u64,
    from: Id,
    to: Id,
    count: usize,
    consumer: Option<&'a [u8]>,
}

impl<'a> PendingRange<'a> {
    fn parse(ctx: &Ctx<'a, '_>) -> Result<Option<Self>, CommandError> {
        let argv = ctx.argv;
        if argv.len() == 3 {
            return Ok(None);
        }
        if !(6..=9).contains(&argv.len()) {
            return Err(CommandError::Syntax);
        }
        let mut args = Args::new(argv, 3);
        let mut idle_ms = 0;
        if args.take("idle") {
            idle_ms = u64::try_from(args.integer()?).unwrap_or(0);
            if argv.len() < 8 {
                return Err(CommandError::Syntax);
            }
        }
        let (start, end) = (args.required()?, args.required()?);
        let count = usize::try_from(args.integer()?).unwrap_or(0);
        let (from, to) = (id::range_start(start)?, id::range_end(end)?);
        Ok(Some(Self { idle_ms, from, to, count, consumer: args.next() }))
    }

    fn reply(self, reply: &mut resp::Reply, group: &Group, now_ms: u64) {
        let mark = reply.begin_array();
        let mut shown = 0;
        let mut show = |(id, pending): (Id, stream::Pending)| {
            reply.array(4);
            reply_id(reply, id);
            let owner = pending.owner().and_then(|number| group.consumer(number));
            reply.bulk(owner.map_or(b"", Consumer::name));
            let is_nobodys = pending.owner().is_none();
            let idle = now_ms.saturating_sub(pending.delivered_ms()) as i64;
            reply.integer(if is_nobodys { -1 } else { idle });
            reply.integer(pending.count as i64);
            shown += 1;
        };
        let is_inside = |(id, _): &(Id, stream::Pending)| *id <= self.to;
        let is_idle =
            |(_, pending): &(Id, stream::Pending)| self.idle_ms <= pending.idle_ms(now_ms);
        let (from, count) = (self.from, self.count);
        match self.consumer.map(|name| group.consumer_number(name)) {
            None => {
                let pending = group.pending_from(from).take_while(is_inside);
                pending.filter(is_idle).take(count).for_each(&mut show);
            }
            Some(Some(number)) => {
                let pending = group.pending_of(number, from).take_while(is_inside);
                pending.filter(is_idle).take(count).for_each(&mut show);
            }
            Some(None) => {}
        }
        reply.finish_array(mark, shown);
    }
}

fn reply_summary(reply: &mut resp::Reply, group: &Group) {
    reply.array(4);
    reply.integer(group.pending_len() as i64);
    let Some((first, last)) = group.pending_bounds() else {
        reply.null();
        reply.null();
        reply.null_array();
        return;
    };
    reply_id(reply, first);
    reply_id(reply, last);
    let mark = reply.begin_array();
    let mut count = 0;
    for consumer in group.consumers().filter(|consumer| 0 < consumer.pending_len()) {
        reply.array(2);
        reply.bulk(consumer.name());
        reply.bulk_integer(consumer.pending_len() as i64);
        count += 1;
    }
    reply.finish_array(mark, count);
}

/// How XCLAIM and XAUTOCLAIM take an entry over.
#[derive(Clone, Copy, Debug)]
struct Takeover {
    idle_ms: u64,
    delivered_ms: u64,
    retry_count: Option<u64>,
    is_forced: bool,
    /// Only ids are shown, and the delivery is not counted.
    is_just_id: bool,
}

/// What became of an entry that was to be taken over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Taken {
    /// It was deleted, and is not pending any more.
    Deleted,
    /// It has not been pending, or not for long enough.
    No,
    Yes,
}

impl Takeover {
    fn apply(
        self,
        stream: &mut Stream,
        name: &[u8],
        number: ConsumerNumber,
        now_ms: u64,
        id: Id,
    ) -> Taken {
        let exists = stream.log().get(id).is_some();
        let Some(group) = stream.group_mut(name) else { return Taken::No };
        let pending = group.pending(id);
        if !exists {
            return if group.acknowledge(id) { Taken::Deleted } else { Taken::No };
        }
        let count = match pending {
            None if !self.is_forced => return Taken::No,
            Some(pending) if pending.idle_ms(now_ms) < self.idle_ms => return Taken::No,
            Some(pending) if self.is_just_id => pending.count,
            Some(pending) => pending.count_after(),
            None if self.is_just_id => 1,
            None => 2,
        };
        group.assign(id, number, self.delivered_ms, self.retry_count.unwrap_or(count));
        Taken::Yes
    }
}

/// `XCLAIM key group consumer min-idle-ms id [id …] [IDLE ms] [TIME unix-ms] [RETRYCOUNT count]
/// [FORCE] [JUSTID] [LASTID id]` → the entries that the consumer has now. O(ids · log pending).
pub(super) fn xclaim(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (argv, key, name, now_ms) = (ctx.argv, ctx.key(1), ctx.argv.at(2), ctx.data.now_ms);
    check_group(ctx, key, name)?;
    let idle = min_idle(argv.at(4), "XCLAIM")?;
    let end = (5..argv.len()).find(|index| id::parse(argv.at(*index), 0).is_none());
    let end = end.unwrap_or(argv.len());
    // The times in a journal have been checked.
    let time_max = if ctx.data.is_replaying { u64::MAX } else { now_ms };
    let (takeover, last_id) = claim_options(Args::new(argv, end), idle, now_ms, time_max)?;
    let reply = &mut *ctx.reply;
    let mark = reply.begin_array();
    let changed = ctx.data.change::<Stream, _>(key, |home| {
        let stream = stream::open(home);
        let group = stream.group_mut(name)?;
        group.last_id = group.last_id.max(last_id);
        let (number, is_new) = see_consumer(group, argv.at(3), now_ms);
        let (mut claimed, mut deleted) = (Vec::new(), Vec::new());
        for id in ids(argv, 5, end) {
            match takeover.apply(stream, name, number, now_ms, id) {
                Taken::No => {}
                Taken::Deleted => deleted.push(id),
                Taken::Yes => {
                    claimed.push(id);
                    reply_claimed(reply, stream, id, takeover.is_just_id);
                }
            }
        }
        mark_active(stream, name, number, now_ms, claimed.len());
        Some((is_new, claimed, deleted))
    })?;
    let (is_new, claimed, deleted) = changed.and_then(|changed| changed.result).unwrap_or_default();
    ctx.reply.finish_array(mark, claimed.len());
    note_claims(ctx, key, is_new, &claimed, &deleted);
    Ok(())
}

/// Reads what stands behind the ids; a time in the future counts as now.
fn claim_options(
    mut args: Args<'_>,
    idle_ms: u64,
    now_ms: u64,
    time_max: u64,
) -> Result<(Takeover, Id), CommandError> {
    let mut takeover = Takeover {
        idle_ms,
        delivered_ms: now_ms,
        retry_count: None,
        is_forced: false,
        is_just_id: false,
    };
    let mut last_id = Id::MIN;
    let number = |args: &mut Args<'_>, option| {
        let number = args.required().map(numbers::parse_i64)?;
        number.ok_or(CommandError::Stream(StreamError::ClaimOption(option)))
    };
    while let Some(argument) = args.peek() {
        if args.take("force") {
            takeover.is_forced = true;
        } else if args.take("justid") {
            takeover.is_just_id = true;
        } else if 2 <= args.len() && args.take("idle") {
            let idle = number(&mut args, "IDLE")?;
            let time = i64::try_from(now_ms).unwrap_or(i64::MAX).saturating_sub(idle);
            takeover.delivered_ms = past(time, now_ms);
        } else if 2 <= args.len() && args.take("time") {
            takeover.delivered_ms = past(number(&mut args, "TIME")?, time_max);
        } else if 2 <= args.len() && args.take("retrycount") {
            takeover.retry_count = u64::try_from(number(&mut args, "RETRYCOUNT")?).ok();
        } else if 2 <= args.len() && args.take("lastid") {
            last_id = id::id(args.required()?)?;
        } else {
            return Err(StreamError::ClaimOptionUnknown(args::shown(argument)).into());
        }
    }
    Ok((takeover, last_id))
}

fn past(time_ms: i64, now_ms: u64) -> u64 {
    u64::try_from(time_ms).ok().filter(|time_ms| *time_ms <= now_ms).unwrap_or(now_ms)
}

/// `XAUTOCLAIM key group consumer min-idle-ms start [COUNT count] [JUSTID]` → where to go on, the
/// entries that the consumer has now, and the ids of those that were deleted. O(count · log pending).
pub(super) fn xautoclaim(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (argv, key, name, now_ms) = (ctx.argv, ctx.key(1), ctx.argv.at(2), ctx.data.now_ms);
    let idle_ms = min_idle(argv.at(4), "XAUTOCLAIM")?;
    let start = id::range_start(argv.at(5))?;
    let mut args = Args::new(argv, 6);
    let (mut count, mut is_just_id) = (AUTOCLAIM_COUNT, false);
    while !args.is_empty() {
        if 2 <= args.len() && args.take("count") {
            let asked = numbers::parse_i64(args.required()?);
            let asked = asked.filter(|asked| (1..=AUTOCLAIM_COUNT_MAX).contains(asked));
            count = asked.ok_or(StreamError::ClaimCountNotPositive)?;
        } else if args.take("justid") {
            is_just_id = true;
        } else {
            return Err(CommandError::Syntax);
        }
    }
    check_group(ctx, key, name)?;
    let takeover =
        Takeover { idle_ms, delivered_ms: now_ms, retry_count: None, is_forced: false, is_just_id };
    let reply = &mut *ctx.reply;
    let changed = ctx.data.change::<Stream, _>(key, |home| {
        let stream = stream::open(home);
        let (number, is_new) = see_consumer(stream.group_mut(name)?, argv.at(3), now_ms);
        let mut left = usize::try_from(count).unwrap_or(usize::MAX);
        let mut tries = left.saturating_mul(AUTOCLAIM_TRIES);
        let (mut claimed, mut deleted) = (Vec::new(), Vec::new());
        let mut next = Some(start);
        while let Some(from) = next {
            let pending = stream.group(name)?.pending_from(from).next();
            let Some((id, _)) = pending else {
                next = None;
                break;
            };
            if left == 0 || tries == 0 {
                next = Some(id);
                break;
            }
            tries -= 1;
            match takeover.apply(stream, name, number, now_ms, id) {
                Taken::No => {}
                Taken::Deleted => deleted.push(id),
                Taken::Yes => claimed.push(id),
            }
            left = usize::try_from(count).unwrap_or(usize::MAX) - claimed.len() - deleted.len();
            next = id.next();
        }
        mark_active(stream, name, number, now_ms, claimed.len());
        reply.array(3);
        reply_id(reply, next.unwrap_or(Id::MIN));
        reply.array(claimed.len());
        claimed.iter().for_each(|id| reply_claimed(reply, stream, *id, is_just_id));
        reply.array(deleted.len());
        deleted.iter().for_each(|id| reply_id(reply, *id));
        Some((is_new, claimed, deleted))
    })?;
    let (is_new, claimed, deleted) = changed.and_then(|changed| changed.result).unwrap_or_default();
    note_claims(ctx, key, is_new, &claimed, &deleted);
    Ok(())
}

fn min_idle(argument: &[u8], command: &'static str) -> Result<u64, CommandError> {
    let idle = numbers::parse_i64(argument).ok_or(StreamError::ClaimMinIdle(command))?;
    Ok(u64::try_from(idle).unwrap_or(0))
}

/// The consumer, made if missing, was seen now.
fn see_consumer(group: &mut Group, name: &[u8], now_ms: u64) -> (ConsumerNumber, bool) {
    let (number, is_new) = group.create_consumer(name, now_ms);
    if let Some(consumer) = group.consumer_mut(number) {
        consumer.seen_ms = now_ms;
    }
    (number, is_new)
}

fn mark_active(
    stream: &mut Stream,
    name: &[u8],
    number: ConsumerNumber,
    now_ms: u64,
    claimed: usize,
) {
    let group = if claimed == 0 { None } else { stream.group_mut(name) };
    if let Some(consumer) = group.and_then(|group| group.consumer_mut(number)) {
        consumer.active_ms = Some(now_ms);
    }
}

fn reply_claimed(reply: &mut resp::Reply, stream: &Stream, id: Id, is_just_id: bool) {
    match stream.log().get(id) {
        Some(entry) if !is_just_id => reply_entry(reply, entry),
        _ => reply_id(reply, id),
    }
}

fn note_claims(ctx: &mut Ctx<'_, '_>, key: Key<'_>, is_new: bool, claimed: &[Id], deleted: &[Id]) {
    let (group, consumer) = (ctx.argv.at(2), ctx.argv.at(3));
    if is_new {
        ctx.data.changed(key, events::XGROUP_CREATECONSUMER);
        journal::consumer_made(ctx, key, group, consumer);
    }
    if !claimed.is_empty() || !deleted.is_empty() {
        ctx.data.changed_inside(key);
        journal::assigned(ctx, key, group, consumer, claimed);
        journal::acknowledged(ctx, key, group, deleted);
    }
}

fn check_group(ctx: &mut Ctx<'_, '_>, key: Key<'_>, name: &[u8]) -> Outcome {
    let form = ctx.data.look_as::<Stream>(key)?;
    let has_group = form.is_some_and(|form| stream::look(form).group(name).is_some());
    if has_group { Ok(()) } else { Err(no_group(key, name)) }
}

fn no_group(key: Key<'_>, name: &[u8]) -> CommandError {
    StreamError::NoGroup { key: args::shown(key.bytes), group: args::shown(name) }.into()
}
