//! Deadlines of keys: the EXPIRE and TTL families.

use crate::args::{self, Args};
use crate::command::Outcome;
use crate::commands::common::conditions::Conditions;
use crate::commands::common::deadline::{self, EX, EXAT, PX, PXAT, TimeForm};
use crate::context::Ctx;
use crate::error::CommandError;
use crate::events;

/// `EXPIRE key seconds [NX | XX | GT | LT]` → 1, or 0 if missing or a condition forbade it. O(1).
pub(super) fn expire(ctx: &mut Ctx<'_, '_>) -> Outcome {
    set_deadline(ctx, EX, "expire")
}

/// `EXPIREAT key unix-seconds [NX | XX | GT | LT]` → as EXPIRE. O(1).
pub(super) fn expireat(ctx: &mut Ctx<'_, '_>) -> Outcome {
    set_deadline(ctx, EXAT, "expireat")
}

/// `PEXPIRE key milliseconds [NX | XX | GT | LT]` → as EXPIRE. O(1).
pub(super) fn pexpire(ctx: &mut Ctx<'_, '_>) -> Outcome {
    set_deadline(ctx, PX, "pexpire")
}

/// `PEXPIREAT key unix-milliseconds [NX | XX | GT | LT]` → as EXPIRE. O(1).
pub(super) fn pexpireat(ctx: &mut Ctx<'_, '_>) -> Outcome {
    set_deadline(ctx, PXAT, "pexpireat")
}

/// `EXPIRETIME key` → deadline in Unix seconds; -1 if it has none, -2 if missing. O(1).
pub(super) fn expiretime(ctx: &mut Ctx<'_, '_>) -> Outcome {
    reply_deadline(ctx, |deadline, _| to_seconds(deadline))
}

/// `PEXPIRETIME key` → as EXPIRETIME, in milliseconds. O(1).
pub(super) fn pexpiretime(ctx: &mut Ctx<'_, '_>) -> Outcome {
    reply_deadline(ctx, |deadline, _| deadline)
}

/// `TTL key` → seconds left; -1 if it has no deadline, -2 if missing. O(1).
pub(super) fn ttl(ctx: &mut Ctx<'_, '_>) -> Outcome {
    reply_deadline(ctx, |deadline, now_ms| to_seconds(deadline.saturating_sub(now_ms)))
}

/// `PTTL key` → as TTL, in milliseconds. O(1).
pub(super) fn pttl(ctx: &mut Ctx<'_, '_>) -> Outcome {
    reply_deadline(ctx, u64::saturating_sub)
}

/// `PERSIST key` → 1 if it had a deadline, which it has no longer. O(1).
pub(super) fn persist(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let key = ctx.key(1);
    let is_volatile = ctx.data.write(key).is_some_and(|entry| entry.deadline().is_some());
    if is_volatile {
        ctx.data.set_deadline(key, None);
        ctx.data.changed(key, events::PERSIST);
    }
    ctx.reply.integer(i64::from(is_volatile));
    Ok(())
}

fn set_deadline(ctx: &mut Ctx<'_, '_>, form: TimeForm, command: &'static str) -> Outcome {
    let conditions = Conditions::parse(Args::new(ctx.argv, 3))?;
    let time = args::integer(ctx.argv.at(2))?;
    let now_ms = ctx.data.now_ms;
    let deadline = deadline::absolute_ms(form, time, ctx.data.from_ms)
        .ok_or(CommandError::ExpireTimeInvalid(command))?;
    let key = ctx.key(1);
    let is_allowed = match ctx.data.write(key) {
        None => false,
        Some(entry) => conditions.allow(entry.deadline(), deadline),
    };
    if is_allowed {
        match u64::try_from(deadline) {
            Ok(deadline) if now_ms < deadline => {
                ctx.data.set_deadline(key, Some(deadline));
                ctx.data.changed(key, events::EXPIRE);
            }
            _ => {
                ctx.data.remove(key);
                let expires = ctx.settings.dialect.differences().past_deadlines_expire;
                ctx.data.changed(key, if expires { events::EXPIRED } else { events::DEL });
            }
        }
        ctx.journal_as_deadline(key);
    }
    ctx.reply.integer(i64::from(is_allowed));
    Ok(())
}

fn reply_deadline(ctx: &mut Ctx<'_, '_>, show: impl FnOnce(u64, u64) -> u64) -> Outcome {
    let (key, now_ms) = (ctx.key(1), ctx.data.now_ms);
    let answer = match ctx.data.look(key).map(|entry| entry.deadline()) {
        None => -2,
        Some(None) => -1,
        Some(Some(deadline)) => i64::try_from(show(deadline, now_ms)).unwrap_or(i64::MAX),
    };
    ctx.reply.integer(answer);
    Ok(())
}

fn to_seconds(ms: u64) -> u64 {
    ms.saturating_add(500) / 1000
}
