//! DUMP and RESTORE: a value as bytes, for another server.

use crate::args::{self, Args};
use crate::command::Outcome;
use crate::context::Ctx;
use crate::error::CommandError;
use crate::events;
use crate::loading;
use store::rdb::payload;

/// What RESTORE is told beside key, time and value.
#[derive(Default)]
struct Options {
    replaces: bool,
    is_absolute: bool,
    idle_seconds: Option<u64>,
    frequency: Option<u8>,
}

/// `DUMP key` → its value as bytes for RESTORE, or null. O(value).
///
/// The oldest version that can hold the value is to read it, so that servers of any age take it.
pub(super) fn dump(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let target = ctx.settings.dump_target();
    let key = ctx.key(1);
    match ctx.data.read(key).and_then(|entry| payload::dump(entry, &target)) {
        Some(bytes) => ctx.reply.bulk(&bytes),
        None => ctx.reply.null(),
    }
    Ok(())
}

/// `RESTORE key ttl value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]` → OK: the key has
/// what DUMP gave. O(value).
pub(super) fn restore(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let options = options(ctx)?;
    let (key, now_ms, from_ms) = (ctx.key(1), ctx.data.now_ms, ctx.data.from_ms);
    let is_there = ctx.data.exists(key);
    if is_there && !options.replaces {
        return Err(CommandError::BusyKey);
    }
    let ttl = args::integer(ctx.argv.at(2))?;
    let ttl = u64::try_from(ttl).map_err(|_| CommandError::TtlNegative)?;
    let open = if ctx.engine.switches.skips_checksums.is_on() {
        payload::Payload::open_unchecked
    } else {
        payload::Payload::open
    };
    let payload = open(ctx.argv.at(3)).map_err(|_| CommandError::PayloadFrame)?;
    let value = payload.value(&ctx.settings.types, now_ms);
    let value = value.map_err(|_| CommandError::PayloadFormat)?;
    let deadline = match (ttl, options.is_absolute) {
        (0, _) => None,
        (_, true) => Some(ttl),
        (_, false) => Some(ttl.saturating_add(from_ms).min(i64::MAX as u64)),
    };
    if is_there {
        ctx.data.remove(key);
    }
    if deadline.is_some_and(|deadline| deadline <= now_ms) || value.is_gone() {
        if is_there {
            ctx.data.changed(key, events::DEL);
            ctx.journal_as(&[b"DEL", key.bytes]);
        }
    } else {
        let Options { idle_seconds, frequency, .. } = options;
        let clock = loading::access_clock(ctx.data.frequency, from_ms, idle_seconds, frequency);
        ctx.data.put(key.hash, value.into_entry(key.bytes, deadline, clock));
        ctx.data.changed(key, events::RESTORE);
        let deadline = deadline.unwrap_or(0).to_string();
        let words: [&[u8]; 6] =
            [b"RESTORE", key.bytes, deadline.as_bytes(), ctx.argv.at(3), b"REPLACE", b"ABSTTL"];
        ctx.journal_as(&words);
    }
    ctx.reply.ok();
    Ok(())
}

fn options(ctx: &Ctx<'_, '_>) -> Result<Options, CommandError> {
    let mut options = Options::default();
    let mut args = Args::new(ctx.argv, 4);
    while !args.is_empty() {
        if args.take("replace") {
            options.replaces = true;
        } else if args.take("absttl") {
            options.is_absolute = true;
        } else if options.frequency.is_none() && args.take("idletime") {
            let seconds = u64::try_from(args.integer()?);
            options.idle_seconds = Some(seconds.map_err(|_| CommandError::IdleTimeNegative)?);
        } else if options.idle_seconds.is_none() && args.take("freq") {
            let frequency = u8::try_from(args.integer()?);
            options.frequency = Some(frequency.map_err(|_| CommandError::FrequencyRange)?);
        } else {
            return Err(CommandError::Syntax);
        }
    }
    Ok(options)
}
