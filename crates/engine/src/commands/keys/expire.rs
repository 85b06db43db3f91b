//! Deadlines of keys: the EXPIRE and TTL families.

use crate::args::{self, Args};
use crate::command::Outcome;
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
    let deadline = deadline::absolute_ms(form, time, now_ms)
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

/// What must hold of the present deadline.
#[derive(Default)]
struct Conditions {
    is_missing: bool,
    is_there: bool,
    is_earlier: bool,
    is_later: bool,
}

impl Conditions {
    fn parse(mut args: Args<'_>) -> Result<Self, CommandError> {
        let mut conditions = Self::default();
        while let Some(word) = args.next() {
            let condition = match word {
                word if args::is_word(word, "nx") => &mut conditions.is_missing,
                word if args::is_word(word, "xx") => &mut conditions.is_there,
                word if args::is_word(word, "gt") => &mut conditions.is_earlier,
                word if args::is_word(word, "lt") => &mut conditions.is_later,
                _ => {
                    return Err(CommandError::ExpireOption(args::shown(word)));
                }
            };
            *condition = true;
        }
        let Self { is_missing, is_there, is_earlier, is_later } = conditions;
        if is_missing && (is_there || is_earlier || is_later) {
            return Err(CommandError::ExpireFlagsExclusiveNx);
        }
        if is_earlier && is_later {
            return Err(CommandError::ExpireFlagsExclusiveGtLt);
        }
        Ok(conditions)
    }

    /// Whether `new` may take the place of `old`; a key without a deadline lives forever.
    fn allow(&self, old: Option<u64>, new: i64) -> bool {
        let old = old.map(|old| i64::try_from(old).unwrap_or(i64::MAX));
        (!self.is_missing || old.is_none())
            && (!self.is_there || old.is_some())
            && (!self.is_earlier || old.is_some_and(|old| old < new))
            && (!self.is_later || old.is_none_or(|old| new < old))
    }
}

#[cfg(test)]
mod tests {
    use super::Conditions;

    #[test]
    fn forever_is_later_than_any_deadline() {
        let later = Conditions { is_earlier: true, ..Conditions::default() };
        assert!(!later.allow(None, 100));
        assert!(later.allow(Some(99), 100));
        assert!(!later.allow(Some(100), 100));
        let earlier = Conditions { is_later: true, ..Conditions::default() };
        assert!(earlier.allow(None, 100));
        assert!(earlier.allow(Some(101), 100));
        assert!(!earlier.allow(Some(100), 100));
        assert!(earlier.allow(Some(u64::MAX), -5));
    }
}
