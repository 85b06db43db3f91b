//! Deadlines of fields: HEXPIRE, HTTL, HPERSIST and their relatives.

use super::fields::{self, FieldList, Found};
use super::form;
use crate::args::Args;
use crate::command::Outcome;
use crate::commands::common::conditions::Conditions;
use crate::commands::common::deadline::{EX, EXAT, PX, PXAT, TimeForm};
use crate::context::Ctx;
use crate::error::CommandError;
use crate::events;
use store::Entry;
use store::types::hash::{self, LargeHash};

/// What is said of a field that is not there.
const MISSING: i64 = -2;
/// What is said of a field without a deadline.
const LASTING: i64 = -1;

/// `HEXPIRE key seconds [NX | XX | GT | LT] FIELDS numfields field …` → for each field 1 if it has
/// the deadline, 2 if that has passed and it is gone, 0 if the condition fails, -2 if it is missing.
/// O(fields).
pub(super) fn hexpire(ctx: &mut Ctx<'_, '_>) -> Outcome {
    expire(ctx, EX, "hexpire")
}

/// `HEXPIREAT key unix-seconds …` → as HEXPIRE. O(fields).
pub(super) fn hexpireat(ctx: &mut Ctx<'_, '_>) -> Outcome {
    expire(ctx, EXAT, "hexpireat")
}

/// `HPEXPIRE key milliseconds …` → as HEXPIRE. O(fields).
pub(super) fn hpexpire(ctx: &mut Ctx<'_, '_>) -> Outcome {
    expire(ctx, PX, "hpexpire")
}

/// `HPEXPIREAT key unix-milliseconds …` → as HEXPIRE. O(fields).
pub(super) fn hpexpireat(ctx: &mut Ctx<'_, '_>) -> Outcome {
    expire(ctx, PXAT, "hpexpireat")
}

/// `HTTL key FIELDS numfields field …` → seconds left of each field; -1 if it lasts, -2 if it is
/// missing. O(fields).
pub(super) fn httl(ctx: &mut Ctx<'_, '_>) -> Outcome {
    show(ctx, |deadline, now_ms| to_seconds(deadline.saturating_sub(now_ms)))
}

/// `HPTTL key FIELDS numfields field …` → as HTTL, in milliseconds. O(fields).
pub(super) fn hpttl(ctx: &mut Ctx<'_, '_>) -> Outcome {
    show(ctx, u64::saturating_sub)
}

/// `HEXPIRETIME key FIELDS numfields field …` → deadlines in Unix seconds, as HTTL. O(fields).
pub(super) fn hexpiretime(ctx: &mut Ctx<'_, '_>) -> Outcome {
    show(ctx, |deadline, _| to_seconds(deadline))
}

/// `HPEXPIRETIME key FIELDS numfields field …` → as HEXPIRETIME, in milliseconds. O(fields).
pub(super) fn hpexpiretime(ctx: &mut Ctx<'_, '_>) -> Outcome {
    show(ctx, |deadline, _| deadline)
}

/// `HPERSIST key FIELDS numfields field …` → for each field 1 if it had a deadline, which it has no
/// longer, -1 if it had none, -2 if it is missing. O(fields).
pub(super) fn hpersist(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (key, now_ms) = (ctx.key(1), ctx.data.now_ms);
    let fields = FieldList::of_hash(ctx, 2, CommandError::FieldCountWrongValkey)?;
    ctx.reply.array(fields.count);
    let reply = &mut *ctx.reply;
    let changed = ctx.data.change::<LargeHash, _>(key, |home| {
        let mut has_changed = false;
        for field in fields.iter() {
            let answer = match hash::deadline(form(home), field, now_ms) {
                None => MISSING,
                Some(None) => LASTING,
                Some(Some(_)) => {
                    has_changed |= hash::set_deadline(home, field, None, now_ms);
                    1
                }
            };
            reply.integer(answer);
        }
        has_changed
    })?;
    match changed {
        None => (0..fields.count).for_each(|_| ctx.reply.integer(MISSING)),
        Some(changed) if changed.result => ctx.data.changed(key, events::HPERSIST),
        Some(_) => {}
    }
    Ok(())
}

fn expire(ctx: &mut Ctx<'_, '_>, form: TimeForm, command: &'static str) -> Outcome {
    let (key, now_ms) = (ctx.key(1), ctx.data.now_ms);
    let (argv, dialect, from_ms) = (ctx.argv, ctx.settings.dialect, ctx.data.from_ms);
    let deadline = || fields::deadline(form, argv.at(2), from_ms, (command, dialect));
    let (conditions, fields, deadline) = if dialect.differences().finds_fields_first {
        let Found { fields, options } = Found::find(argv, 3, 1)?;
        let read = (Conditions::parse(options)?, fields, deadline()?);
        ctx.data.look_as::<LargeHash>(key)?;
        read
    } else {
        ctx.data.look_as::<LargeHash>(key)?;
        let deadline = deadline()?;
        let mut args = Args::new(argv, 3);
        let conditions = Conditions::take_one(&mut args);
        (conditions, FieldList::parse(ctx, args, CommandError::FieldCountParameter)?, deadline)
    };
    ctx.reply.array(fields.count);
    let reply = &mut *ctx.reply;
    let changed = ctx.data.change::<LargeHash, _>(key, |home| {
        let mut done = Done::default();
        for field in fields.iter() {
            let answer = match hash::deadline(super::form(home), field, now_ms) {
                None => MISSING,
                Some(old) if !conditions.allow(old, deadline as i64) => 0,
                Some(_) => done.set_deadline(home, field, deadline, now_ms),
            };
            reply.integer(answer);
        }
        done
    })?;
    let Some(changed) = changed else {
        (0..fields.count).for_each(|_| ctx.reply.integer(MISSING));
        return Ok(());
    };
    if changed.result.has_done_something() {
        journal(ctx, fields.iter(), Some(deadline));
    }
    changed.result.tell(ctx, changed.is_emptied);
    Ok(())
}

/// Says how fields stand in the journal that were to have this deadline, or none: those that have it, and
/// those that are gone.
pub(super) fn journal<'a>(
    ctx: &mut Ctx<'_, '_>,
    fields: impl Iterator<Item = &'a [u8]>,
    deadline: Option<u64>,
) {
    if !ctx.data.recorder.is_on() {
        return;
    }
    let (key, now_ms) = (ctx.key(1), ctx.data.now_ms);
    let hash = ctx.data.view_as::<LargeHash>(key);
    let (mut timed, mut gone) = (Vec::new(), vec![&b"HDEL"[..], key.bytes]);
    for field in fields {
        match hash.and_then(|hash| hash::deadline(hash, field, now_ms)) {
            None => gone.push(field),
            Some(now) if now == deadline => timed.push(field),
            Some(_) => {}
        }
    }
    let (digits, count) = (deadline.map(|at| at.to_string()), timed.len().to_string());
    if !timed.is_empty() {
        let mut words = match &digits {
            Some(digits) => vec![&b"HPEXPIREAT"[..], key.bytes, digits.as_bytes()],
            None => vec![&b"HPERSIST"[..], key.bytes],
        };
        words.extend([&b"FIELDS"[..], count.as_bytes()]);
        words.extend(timed);
        ctx.journal_as(&words);
    }
    if 2 < gone.len() {
        ctx.journal_as(&gone);
    }
}

fn show(ctx: &mut Ctx<'_, '_>, show: impl Fn(u64, u64) -> u64) -> Outcome {
    let now_ms = ctx.data.now_ms;
    let fields = FieldList::of_hash(ctx, 2, CommandError::Syntax)?;
    let hash = ctx.data.read_as::<LargeHash>(ctx.key(1))?;
    ctx.reply.array(fields.count);
    for field in fields.iter() {
        let answer = match hash.and_then(|hash| hash::deadline(hash, field, now_ms)) {
            None => MISSING,
            Some(None) => LASTING,
            Some(Some(deadline)) => i64::try_from(show(deadline, now_ms)).unwrap_or(i64::MAX),
        };
        ctx.reply.integer(answer);
    }
    Ok(())
}

/// A begun second is a whole one.
fn to_seconds(ms: u64) -> u64 {
    ms.div_ceil(1000)
}

/// What became of fields that were given a deadline.
#[derive(Default)]
pub(super) struct Done {
    pub(super) has_deleted: bool,
    /// A deadline that had passed already took fields away.
    pub(super) has_expired: bool,
    pub(super) has_updated: bool,
}

impl Done {
    /// Gives a field that is there a deadline, or deletes it if that has passed: answers 1 or 2.
    pub(super) fn set_deadline(
        &mut self,
        home: &mut Entry,
        field: &[u8],
        deadline: u64,
        now_ms: u64,
    ) -> i64 {
        if deadline <= now_ms {
            self.has_expired |= hash::delete(home, field, now_ms);
            return 2;
        }
        self.has_updated |= hash::set_deadline(home, field, Some(deadline), now_ms);
        1
    }

    pub(super) fn has_done_something(&self) -> bool {
        self.has_deleted || self.has_expired || self.has_updated
    }

    /// Tells of it.
    pub(super) fn tell(&self, ctx: &mut Ctx<'_, '_>, is_emptied: bool) {
        let key = ctx.key(1);
        if self.has_updated {
            ctx.data.changed(key, events::HEXPIRE);
        }
        if self.has_deleted {
            ctx.data.changed(key, events::HDEL);
        }
        if self.has_expired {
            let expires = ctx.settings.dialect.differences().past_deadlines_expire;
            ctx.data.changed(key, if expires { events::HEXPIRED } else { events::HDEL });
        }
        if is_emptied {
            ctx.data.noted(key, events::DEL);
        }
    }
}
