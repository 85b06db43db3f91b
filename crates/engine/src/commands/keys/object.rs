//! OBJECT: what there is to know of a value beside the value.

use crate::command::Outcome;
use crate::commands::common::help::reply_help;
use crate::commands::common::kind;
use crate::context::Ctx;
use crate::error::CommandError;

/// What OBJECT REFCOUNT answers for a value that is shared by everybody.
const REFCOUNT_SHARED: i64 = i32::MAX as i64;

/// Integers below this one are shared, where any are.
const INTEGERS_SHARED: i64 = 10_000;

/// `OBJECT ENCODING key` → how its value is kept, or null. O(1).
pub(super) fn encoding(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let key = ctx.key(2);
    let name = ctx.data.look_quietly(key).map(kind::encoding);
    match name {
        Some(name) => ctx.reply.bulk(name.as_bytes()),
        None => ctx.reply.null(),
    }
    Ok(())
}

/// `OBJECT FREQ key` → logarithm of how often it is used, under an LFU policy; or null. O(1).
pub(super) fn freq(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let Some(clock) = access_clock(ctx) else { return Ok(()) };
    let frequency = ctx.data.frequency.ok_or(CommandError::LfuNotSelected)?;
    ctx.reply.integer(i64::from(frequency.counter(clock)));
    Ok(())
}

/// `OBJECT HELP` → the subcommands.
pub(super) fn help(ctx: &mut Ctx<'_, '_>) -> Outcome {
    const LINES: &[&str] = &[
        "ENCODING <key>",
        "    Return how the value of a key is kept in memory.",
        "FREQ <key>",
        "    Return the logarithm of how often a key is used (needs an LFU maxmemory policy).",
        "IDLETIME <key>",
        "    Return for how many seconds a key has not been used.",
        "REFCOUNT <key>",
        "    Return how many references there are to the value of a key.",
    ];
    reply_help(ctx.reply, "OBJECT", LINES);
    Ok(())
}

/// `OBJECT IDLETIME key` → seconds since it was last used, unless an LFU policy counts uses
/// instead; or null. O(1).
pub(super) fn idletime(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let Some(clock) = access_clock(ctx) else { return Ok(()) };
    if ctx.settings.memory_policy.is_lfu() {
        return Err(CommandError::LruNotSelected);
    }
    ctx.reply.integer(i64::from(idle_seconds(ctx.data.now_ms, clock)));
    Ok(())
}

/// `OBJECT REFCOUNT key` → 1, or null. O(1).
pub(super) fn refcount(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let key = ctx.key(2);
    let shares = ctx.settings.dialect.differences().shares_integers;
    let integer = ctx.data.look_quietly(key).map(kind::encoded_integer);
    match integer {
        None => ctx.reply.null(),
        Some(Some(n)) if shares && (0..INTEGERS_SHARED).contains(&n) => {
            ctx.reply.integer(REFCOUNT_SHARED);
        }
        Some(_) => ctx.reply.integer(1),
    }
    Ok(())
}

/// Seconds since the use that left `clock`.
pub(crate) fn idle_seconds(now_ms: u64, clock: u32) -> u32 {
    (crate::data::access_clock(now_ms).wrapping_sub(clock) & 0x00ff_ffff) / 16
}

/// The access clock of the key; replies with null if it is missing.
fn access_clock(ctx: &mut Ctx<'_, '_>) -> Option<u32> {
    let key = ctx.key(2);
    let clock = ctx.data.look_quietly(key).map(|entry| entry.access_clock());
    if clock.is_none() {
        ctx.reply.null();
    }
    clock
}
