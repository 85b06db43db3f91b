//! XREAD and XREADGROUP: what is new in one stream or several.

use super::id;
use super::journal;
use super::reply::{reply_entry, reply_fields, reply_id};
use crate::args::{self, Args};
use crate::blocking::Wait;
use crate::command::{Outcome, Reach};
use crate::commands::common::timeout;
use crate::context::Ctx;
use crate::error::{CommandError, StreamError};
use crate::events;
use base::numbers;
use resp::{Argv, ArgvBuffer, Position, Protocol, Reply};
use smallvec::SmallVec;
use std::ops::ControlFlow;
use std::time::Duration;
use store::Kind;
use store::types::stream::{self, ConsumerNumber, Id, Stream};

/// Where XREADGROUP's key spec begins to look for STREAMS.
const GROUP_SPEC_START: usize = 4;

/// Who waits to claim what is idle for less than this may find it as late as this.
const LOOK_AGAIN_MS: u64 = 100;

/// The options of a call.
#[derive(Clone, Copy, Debug)]
struct Call<'a> {
    /// Waits if there is nothing; for ever, without a time.
    block: Option<Option<Duration>>,
    /// Most entries of one stream.
    count: usize,
    /// Most entries of all streams.
    count_max: usize,
    /// Once the reply has so many bytes no entry follows.
    bytes_max: usize,
    /// Group and consumer.
    group: Option<(&'a [u8], &'a [u8])>,
    is_acknowledged: bool,
    /// Takes over what has been pending for so long.
    claim_idle_ms: Option<u64>,
    /// The argument that is the first key.
    first: usize,
    /// Number of streams.
    len: usize,
}

/// What is asked of one stream.
#[derive(Clone, Copy, Debug)]
enum From {
    /// What comes after an id; of a consumer: of what it has pending.
    After(Id),
    /// What the group has not read.
    New,
}

/// What a call may still reply with, over all its streams.
struct Budget {
    entries_left: usize,
    bytes_max: usize,
    /// Where the reply begins.
    start: Position,
}

/// `XREAD [COUNT count] [MAXCOUNT count] [MAXSIZE bytes] [BLOCK ms] STREAMS key [key …] id [id …]` →
/// the entries after these ids, by stream; null if there are none. O(log chunks + entries) for each
/// stream.
pub(super) fn xread(ctx: &mut Ctx<'_, '_>) -> Outcome {
    read(ctx, false)
}

/// `XREADGROUP GROUP group consumer [COUNT count] [MAXCOUNT count] [MAXSIZE bytes] [BLOCK ms]
/// [CLAIM ms] [NOACK] STREAMS key [key …] id [id …]` → entries for this consumer, by stream; null if
/// there are none. As XREAD, and O(log pending) for each entry.
pub(super) fn xreadgroup(ctx: &mut Ctx<'_, '_>) -> Outcome {
    read(ctx, true)
}

/// The keys of XREADGROUP stand where its key spec says, unless a name is `STREAMS`.
pub(super) fn xreadgroup_reach(argv: Argv<'_>) -> Reach {
    let is_streams = |index: &usize| args::is_word(argv.at(*index), "streams");
    let by_spec = (GROUP_SPEC_START..argv.len()).find(is_streams);
    let is_plain = Call::parse(argv, true, 0).is_ok_and(|call| by_spec == Some(call.first - 1));
    if is_plain { Reach::Keys } else { Reach::All }
}

fn read(ctx: &mut Ctx<'_, '_>, is_group: bool) -> Outcome {
    let call = Call::parse(ctx.argv, is_group, ctx.data.now_ms)?;
    let mut froms: SmallVec<[From; 8]> = SmallVec::new();
    for index in 0..call.len {
        match call.from(ctx, index) {
            Ok(from) => froms.push(from),
            Err(error) => {
                // A key of a wrong type up to here is told of first.
                for key in call.first..=call.first + index {
                    ctx.data.look_as::<Stream>(ctx.key(key))?;
                }
                return Err(error);
            }
        }
    }
    let start = ctx.reply.position();
    let served = serve(ctx, &call, &froms);
    if !matches!(served, Ok(true)) {
        ctx.reply.truncate(start);
    }
    if !served? && !wait(ctx, &call, &froms) {
        ctx.reply.null_array();
    }
    Ok(())
}

/// Waits for what comes after these ids, if the call asks for that.
fn wait(ctx: &mut Ctx<'_, '_>, call: &Call<'_>, froms: &[From]) -> bool {
    let Some(timeout) = call.block else { return false };
    let keys = call.first..call.first + call.len;
    let argv = call.argv_later(ctx.argv, froms);
    let (minds_removal, retry) = (call.group.is_some(), retry(ctx, call));
    ctx.wait(Wait { timeout, minds_removal, argv, retry, ..Wait::on(Kind::Stream, keys) })
}

/// When there may be something to claim that nobody tells of: once an entry has been pending for
/// long enough. One that is delivered from now on takes that long, or is found by looking.
fn retry(ctx: &mut Ctx<'_, '_>, call: &Call<'_>) -> Option<Duration> {
    let (idle_ms, (group, _)) = (call.claim_idle_ms?, call.group?);
    let mut wait_ms = idle_ms.max(LOOK_AGAIN_MS);
    for index in 0..call.len {
        let key = ctx.key(call.first + index);
        if !ctx.is_at_hand(key) {
            wait_ms = wait_ms.min(LOOK_AGAIN_MS);
            continue;
        }
        let now_ms = ctx.data.now_ms;
        let form = ctx.data.look_as::<Stream>(key).ok().flatten();
        let next_ms = form.and_then(|form| stream::look(form).next_idle_ms(group, idle_ms));
        wait_ms = wait_ms.min(next_ms.map_or(u64::MAX, |ms| ms.saturating_sub(now_ms)));
    }
    Some(Duration::from_millis(wait_ms.max(1)))
}

/// Replies with what there is, stream by stream; returns whether that is anything.
fn serve(ctx: &mut Ctx<'_, '_>, call: &Call<'_>, froms: &[From]) -> Result<bool, CommandError> {
    let is_map = ctx.reply.protocol() == Protocol::Resp3;
    let start = ctx.reply.position();
    let mut budget = Budget { entries_left: call.count_max, bytes_max: call.bytes_max, start };
    let mark = if is_map { ctx.reply.begin_map() } else { ctx.reply.begin_array() };
    let mut served = 0;
    for (index, from) in froms.iter().enumerate() {
        let key_index = call.first + index;
        if budget.entries_left == 0 {
            break;
        }
        if !ctx.is_at_hand(ctx.key(key_index)) {
            continue;
        }
        let before = ctx.reply.position();
        if !is_map {
            ctx.reply.array(2);
        }
        ctx.reply.bulk(ctx.argv.at(key_index));
        let is_served = match call.group {
            None => serve_entries(ctx, key_index, *from, call.count, &mut budget)?,
            Some(group) => serve_group(ctx, key_index, *from, call, group, &mut budget)?,
        };
        if is_served {
            served += 1;
        } else {
            ctx.reply.truncate(before);
        }
    }
    if is_map {
        ctx.reply.finish_map(mark, served);
    } else {
        ctx.reply.finish_array(mark, served);
    }
    Ok(0 < served)
}

/// XREAD of one stream.
fn serve_entries(
    ctx: &mut Ctx<'_, '_>,
    key_index: usize,
    from: From,
    count: usize,
    budget: &mut Budget,
) -> Result<bool, CommandError> {
    let Some(form) = ctx.data.read_as::<Stream>(ctx.key(key_index))? else { return Ok(false) };
    let From::After(id) = from else { return Ok(false) };
    let stream = stream::look(form);
    if stream.last_id() <= id {
        return Ok(false);
    }
    let Some(first) = id.next() else { return Ok(false) };
    let reply = &mut *ctx.reply;
    let (mark, mut read) = (reply.begin_array(), 0);
    for entry in stream.log().range(first, Id::MAX).take(budget.count(count)) {
        reply_entry(reply, entry);
        read += 1;
        if budget.spend(reply).is_break() {
            break;
        }
    }
    reply.finish_array(mark, read);
    Ok(0 < read)
}

/// XREADGROUP of one stream.
fn serve_group(
    ctx: &mut Ctx<'_, '_>,
    key_index: usize,
    from: From,
    call: &Call<'_>,
    (group, consumer): (&[u8], &[u8]),
    budget: &mut Budget,
) -> Result<bool, CommandError> {
    let (key, now_ms) = (ctx.key(key_index), ctx.data.now_ms);
    let mut delivered = Vec::new();
    let reply = &mut *ctx.reply;
    let changed = ctx.data.change::<Stream, _>(key, |home| {
        let stream = stream::open(home);
        let own = stream.group_mut(group)?;
        let (number, is_new) = own.create_consumer(consumer, now_ms);
        if let Some(consumer) = own.consumer_mut(number) {
            consumer.seen_ms = now_ms;
        }
        let is_served = match from {
            From::After(id) => {
                let from = id.next();
                if let Some(from) = from {
                    let reader = Reader { group, number, now_ms };
                    serve_pending(
                        reply,
                        stream,
                        reader,
                        (from, call.count),
                        budget,
                        &mut delivered,
                    );
                }
                from.is_some()
            }
            From::New => {
                let reader = Reader { group, number, now_ms };
                0 < serve_new(reply, stream, reader, call, budget, &mut delivered)
            }
        };
        Some((is_served, is_new))
    })?;
    let Some((is_served, is_new)) = changed.and_then(|changed| changed.result) else {
        let (key, group) = (args::shown(key.bytes), args::shown(group));
        return Err(StreamError::NoGroupToRead { key, group }.into());
    };
    if is_new {
        ctx.data.changed(key, events::XGROUP_CREATECONSUMER);
    } else if !delivered.is_empty() || (is_served && matches!(from, From::New)) {
        // Nothing that a watcher of the key would see.
        ctx.data.changes += 1;
    }
    if is_new {
        journal::consumer_made(ctx, key, group, consumer);
    }
    if is_served {
        journal::assigned(ctx, key, group, consumer, &delivered);
        if matches!(from, From::New) {
            journal::read_on(ctx, key, group);
        }
    }
    Ok(is_served)
}

/// Who reads from a stream, and when.
#[derive(Clone, Copy)]
struct Reader<'a> {
    group: &'a [u8],
    number: ConsumerNumber,
    now_ms: u64,
}

/// What a consumer has pending, again.
fn serve_pending(
    reply: &mut Reply,
    stream: &mut Stream,
    Reader { group, number, now_ms }: Reader<'_>,
    (from, count): (Id, usize),
    budget: &mut Budget,
    delivered: &mut Vec<Id>,
) {
    let (mark, count) = (reply.begin_array(), budget.count(count));
    let read = stream.read_pending(group, number, now_ms, from, count, |id, fields| {
        reply.array(2);
        reply_id(reply, id);
        match fields {
            Some(fields) => {
                delivered.push(id);
                reply_fields(reply, fields);
            }
            None => reply.null_array(),
        }
        budget.spend(reply)
    });
    reply.finish_array(mark, read);
}

/// What is idle, if the call claims that, and what the group has not read.
fn serve_new(
    reply: &mut Reply,
    stream: &mut Stream,
    Reader { group, number, now_ms }: Reader<'_>,
    call: &Call<'_>,
    budget: &mut Budget,
    delivered: &mut Vec<Id>,
) -> usize {
    let mark = reply.begin_array();
    let mut read = 0;
    if let Some(idle_ms) = call.claim_idle_ms {
        let times = (now_ms, idle_ms);
        let count = budget.count(call.count);
        read = stream.claim_idle(group, number, times, count, |entry, pending| {
            delivered.push(entry.id);
            reply.array(4);
            reply_id(reply, entry.id);
            reply_fields(reply, entry.fields);
            reply.integer(now_ms.saturating_sub(pending.delivered_ms()) as i64);
            reply.integer(pending.count as i64);
            budget.spend(reply)
        });
    }
    let left = budget.count(call.count - read);
    read += stream.read_group(group, number, now_ms, left, call.is_acknowledged, |entry| {
        delivered.push(entry.id);
        if call.claim_idle_ms.is_none() {
            reply_entry(reply, entry);
        } else {
            reply.array(4);
            reply_id(reply, entry.id);
            reply_fields(reply, entry.fields);
            reply.integer(0);
            reply.integer(0);
        }
        budget.spend(reply)
    });
    reply.finish_array(mark, read);
    if 0 < read
        && !call.is_acknowledged
        && let Some(consumer) = stream.group_mut(group).and_then(|g| g.consumer_mut(number))
    {
        consumer.active_ms = Some(now_ms);
    }
    read
}

impl Budget {
    /// How many entries may come, where no more than `count` are asked for.
    fn count(&self, count: usize) -> usize {
        count.min(self.entries_left)
    }

    /// An entry was replied: says whether another may follow.
    fn spend(&mut self, reply: &Reply) -> ControlFlow<()> {
        let is_full = self.bytes_max <= reply.len_since(self.start);
        self.entries_left = if is_full { 0 } else { self.entries_left - 1 };
        if self.entries_left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

impl<'a> Call<'a> {
    fn parse(argv: Argv<'a>, is_group: bool, now_ms: u64) -> Result<Self, CommandError> {
        let mut args = Args::new(argv, 1);
        let mut call = Self {
            block: None,
            count: usize::MAX,
            count_max: usize::MAX,
            bytes_max: usize::MAX,
            group: None,
            is_acknowledged: false,
            claim_idle_ms: None,
            first: 0,
            len: 0,
        };
        loop {
            if 2 <= args.len() && args.take("block") {
                call.block = Some(timeout::milliseconds(args.required()?, now_ms)?);
            } else if 2 <= args.len() && args.take("count") {
                let count = usize::try_from(args.integer()?).unwrap_or(0);
                call.count = if count == 0 { usize::MAX } else { count };
            } else if 2 <= args.len() && args.take("maxcount") {
                call.count_max = at_least_one(args.integer()?, "MAXCOUNT")?;
            } else if 2 <= args.len() && args.take("maxsize") {
                call.bytes_max = at_least_one(args.integer()?, "MAXSIZE")?;
            } else if 2 <= args.len() && args.take("streams") {
                return call.with_streams(args.position(), args.len(), is_group);
            } else if 3 <= args.len() && args.take("group") {
                only_in_group(is_group, "GROUP")?;
                call.group = Some((args.required()?, args.required()?));
            } else if args.take("noack") {
                only_in_group(is_group, "NOACK")?;
                call.is_acknowledged = true;
            } else if 2 <= args.len() && args.take("claim") {
                only_in_group(is_group, "CLAIM")?;
                let idle = args.required().map(numbers::parse_i64)?;
                let idle = idle.ok_or(StreamError::MinIdleNotAnInteger)?;
                let idle = u64::try_from(idle).map_err(|_| StreamError::MinIdleNegative)?;
                call.claim_idle_ms = Some(idle);
            } else {
                return Err(CommandError::Syntax);
            }
        }
    }

    fn with_streams(
        self,
        first: usize,
        count: usize,
        is_group: bool,
    ) -> Result<Self, CommandError> {
        if !count.is_multiple_of(2) {
            let (command, special) =
                if is_group { ("xreadgroup", " or '>'") } else { ("xread", ", '+', or '$'") };
            return Err(StreamError::Unbalanced { command, special }.into());
        }
        if is_group && self.group.is_none() {
            return Err(StreamError::MissingGroup.into());
        }
        if self.count != usize::MAX && self.count_max < self.count {
            return Err(StreamError::MaxcountBelowCount.into());
        }
        Ok(Self { first, len: count / 2, ..self })
    }

    /// Reads the id of stream number `index`, and looks at the stream if it says so.
    fn from(&self, ctx: &mut Ctx<'_, '_>, index: usize) -> Result<From, CommandError> {
        let key = ctx.key(self.first + index);
        let argument = ctx.argv.at(self.first + self.len + index);
        let is_at_hand = ctx.is_at_hand(key);
        let looks = is_at_hand && (self.group.is_some() || matches!(argument, b"$" | b"+"));
        let form = if looks { ctx.data.look_as::<Stream>(key)? } else { None };
        if is_at_hand
            && let Some((name, _)) = self.group
            && form.is_none_or(|form| stream::look(form).group(name).is_none())
        {
            let (key, group) = (args::shown(key.bytes), args::shown(name));
            return Err(StreamError::NoGroupToRead { key, group }.into());
        }
        match (argument, self.group) {
            (b"$", Some(_)) => Err(StreamError::NewOnly('$').into()),
            (b"+", Some(_)) => Err(StreamError::NewOnly('+').into()),
            (b">", Some(_)) => Ok(From::New),
            (b">", None) => Err(StreamError::NewId.into()),
            (b"$", None) => {
                Ok(From::After(form.map_or(Id::MIN, |form| stream::look(form).last_id())))
            }
            (b"+", None) => Ok(From::After(form.map_or(Id::MIN, before_last))),
            _ => id::id(argument).map(From::After),
        }
    }
}

impl Call<'_> {
    /// The arguments by which the call goes on later: what `$` and `+` stand for is said then.
    fn argv_later(&self, argv: Argv<'_>, froms: &[From]) -> Option<ArgvBuffer> {
        let ids = self.first + self.len;
        let is_relative = |argument: &[u8]| matches!(argument, b"$" | b"+");
        (ids..argv.len()).find(|index| is_relative(argv.at(*index)))?;
        let mut later = ArgvBuffer::new();
        (0..ids).for_each(|index| later.push(argv.at(index)));
        for (index, from) in froms.iter().enumerate() {
            match from {
                From::After(id) => later.push(id.text(&mut [0; Id::TEXT_LEN_MAX])),
                From::New => later.push(argv.at(ids + index)),
            }
        }
        Some(later)
    }
}

/// The id before that of the last entry; of an empty stream the last that was used.
fn before_last(form: store::Form<'_, Stream>) -> Id {
    let stream = stream::look(form);
    let last = stream.log().last();
    last.and_then(|entry| entry.id.previous()).unwrap_or_else(|| stream.last_id())
}

fn at_least_one(number: i64, option: &'static str) -> Result<usize, CommandError> {
    let number = usize::try_from(number).ok().filter(|number| 0 < *number);
    number.ok_or_else(|| StreamError::NotPositive(option).into())
}

fn only_in_group(is_group: bool, option: &'static str) -> Outcome {
    if is_group { Ok(()) } else { Err(StreamError::GroupOption(option).into()) }
}
