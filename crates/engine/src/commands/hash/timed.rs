//! Values together with deadlines or deletion: HGETDEL, HGETEX, HSETEX.

use super::fields::{self, FieldList, Found};
use super::ttl::{self, Done};
use super::{form, reply_optional};
use crate::args::{self, Args};
use crate::command::Outcome;
use crate::commands::common::deadline::{self, EX, EXAT, PX, PXAT, TimeForm};
use crate::context::Ctx;
use crate::dialect::Dialect;
use crate::error::CommandError;
use crate::events;
use store::types::hash::{self, LargeHash, Ttl};

/// Behind FIELDS there are a number, a field and a value at least.
const FIELDS_LEN_MIN: usize = 3;

const TIMES: [(&str, TimeForm); 4] = [("ex", EX), ("px", PX), ("exat", EXAT), ("pxat", PXAT)];

/// `HGETDEL key FIELDS numfields field …` → the values, null for those that are missing; they are
/// deleted. O(fields).
pub(super) fn hgetdel(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (key, now_ms) = (ctx.key(1), ctx.data.now_ms);
    let fields = FieldList::of_hash(ctx, 2, CommandError::FieldCountWrongValkey)?;
    ctx.reply.array(fields.count);
    let reply = &mut *ctx.reply;
    let changed = ctx.data.change::<LargeHash, _>(key, |home| {
        let mut done = Done::default();
        for field in fields.iter() {
            reply_optional(reply, hash::get(form(home), field, now_ms));
            done.has_deleted |= hash::delete(home, field, now_ms);
        }
        done
    })?;
    match changed {
        None => (0..fields.count).for_each(|_| ctx.reply.null()),
        Some(changed) => {
            if changed.result.has_deleted {
                ttl::journal(ctx, fields.iter(), None);
            }
            changed.result.tell(ctx, changed.is_emptied);
        }
    }
    Ok(())
}

/// `HGETEX key [EX s | PX ms | EXAT s | PXAT ms | PERSIST] FIELDS numfields field …` → the values,
/// null for those that are missing. O(fields).
pub(super) fn hgetex(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (key, now_ms, from_ms) = (ctx.key(1), ctx.data.now_ms, ctx.data.from_ms);
    let command = ("hgetex", ctx.settings.dialect);
    let (deadline, persists, fields) = if command.1.differences().finds_fields_first {
        let Found { fields, options } = Found::find(ctx.argv, 2, 1)?;
        let options = GetOptions::parse(options)?;
        ctx.data.read_as::<LargeHash>(key)?;
        let parse = |(form, time)| fields::deadline(form, time, from_ms, command);
        (options.time.map(parse).transpose()?, options.persists, fields)
    } else {
        ctx.data.read_as::<LargeHash>(key)?;
        let mut args = Args::new(ctx.argv, 2);
        let deadline = take_deadline(&mut args, from_ms, command)?;
        let persists = deadline.is_none() && args.take("persist");
        (deadline, persists, FieldList::parse(ctx, args, CommandError::FieldCount)?)
    };
    ctx.reply.array(fields.count);
    let reply = &mut *ctx.reply;
    let mut has_persisted = false;
    let changed = ctx.data.change::<LargeHash, _>(key, |home| {
        let mut done = Done::default();
        for field in fields.iter() {
            let value = hash::get(form(home), field, now_ms);
            reply_optional(reply, value);
            match deadline {
                _ if value.is_none() => {}
                Some(deadline) => {
                    done.set_deadline(home, field, deadline, now_ms);
                }
                None if persists => {
                    let old = hash::deadline(form(home), field, now_ms).flatten();
                    has_persisted |= old.is_some() && hash::set_deadline(home, field, None, now_ms);
                }
                None => {}
            }
        }
        done
    })?;
    if has_persisted {
        ctx.data.changed(key, events::HPERSIST);
    }
    match changed {
        None => (0..fields.count).for_each(|_| ctx.reply.null()),
        Some(changed) => {
            if has_persisted || changed.result.has_done_something() {
                ttl::journal(ctx, fields.iter(), deadline);
            }
            changed.result.tell(ctx, changed.is_emptied);
        }
    }
    Ok(())
}

/// `HSETEX key [NX | XX] [FNX | FXX] [EX s | PX ms | EXAT s | PXAT ms | KEEPTTL] FIELDS numfields field value …`
/// → 1, or 0 if none is set because the key is (NX), or is not (XX), there, or some field is (FNX),
/// or is not (FXX). O(fields).
pub(super) fn hsetex(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (key, argv, now_ms) = (ctx.key(1), ctx.argv, ctx.data.now_ms);
    let options = SetOptions::parse(ctx)?;
    let limits = ctx.settings.types.hash;
    if !options.is_allowed(ctx)? {
        ctx.reply.integer(0);
        return Ok(());
    }
    let is_past = matches!(options.ttl, Some(Ttl::At(deadline)) if deadline <= now_ms);
    let ttl = options.ttl.filter(|_| !is_past).unwrap_or(Ttl::Clear);
    let is_new = ctx.data.peek(key).is_none();
    let changed = ctx.data.create::<LargeHash, _>(key, |home| {
        for at in (options.first..argv.len()).step_by(2) {
            hash::set(home, argv.at(at), argv.at(at + 1), ttl, now_ms, limits);
        }
        // What is set with a deadline that has passed is gone at once, and so is what was there.
        let fields = (options.first..argv.len()).step_by(2).filter(|_| is_past);
        fields.for_each(|at| {
            hash::delete(home, argv.at(at), now_ms);
        });
    })?;
    if is_new && changed.is_emptied {
        ctx.data.noted(key, events::NEW);
    }
    ctx.data.changed(key, events::HSET);
    if is_past && ctx.settings.dialect.differences().past_deadlines_expire {
        ctx.data.noted(key, events::HEXPIRE);
        ctx.data.noted(key, events::HEXPIRED);
    } else if is_past {
        ctx.data.noted(key, events::HDEL);
    } else if matches!(ttl, Ttl::At(_)) {
        ctx.data.noted(key, events::HEXPIRE);
    }
    if changed.is_emptied {
        ctx.data.noted(key, events::DEL);
    }
    options.journal(ctx, is_past);
    ctx.reply.integer(1);
    Ok(())
}

/// Takes an `EX seconds`-like option if one is next.
fn take_deadline(
    args: &mut Args<'_>,
    from_ms: u64,
    command: (&'static str, Dialect),
) -> Result<Option<u64>, CommandError> {
    let Some((_, form)) = TIMES.into_iter().find(|(word, _)| args.take(word)) else {
        return Ok(None);
    };
    let time = args.next().ok_or(CommandError::ExpireTimeMissing)?;
    fields::deadline(form, time, from_ms, command).map(Some)
}

/// The options of HGETEX, as Valkey reads them.
#[derive(Default)]
struct GetOptions<'a> {
    time: Option<(TimeForm, &'a [u8])>,
    persists: bool,
}

impl<'a> GetOptions<'a> {
    fn parse(mut args: Args<'a>) -> Result<Self, CommandError> {
        let mut options = Self::default();
        while !args.is_empty() {
            if options.time.is_none() && args.take("persist") {
                options.persists = true;
            } else if options.time.is_none() && !options.persists {
                options.time = Some(deadline::take_option(&mut args)?.ok_or(CommandError::Syntax)?);
            } else {
                return Err(CommandError::Syntax);
            }
        }
        Ok(options)
    }
}

/// The options of HSETEX.
#[derive(Default)]
struct SetOptions {
    /// Whether the key must be there, or must not.
    wants_key: Option<bool>,
    /// Whether all fields must be there, or none of them.
    wants_present: Option<bool>,
    ttl: Option<Ttl>,
    /// The argument that is the first field.
    first: usize,
}

impl SetOptions {
    fn parse(ctx: &mut Ctx<'_, '_>) -> Result<Self, CommandError> {
        let dialect = ctx.settings.dialect;
        if dialect.differences().finds_fields_first {
            return Self::parse_valkey(ctx);
        }
        let (mut options, from_ms) = (Self::default(), ctx.data.from_ms);
        let mut args = Args::new(ctx.argv, 2);
        while let Some(word) = args.peek() {
            let is_time = TIMES.iter().any(|(name, _)| args::is_word(word, name));
            let is_keep = args::is_word(word, "keepttl");
            if is_time || is_keep {
                if options.ttl.is_some() {
                    return Err(CommandError::HsetexTimeExclusive);
                }
                options.ttl = match take_deadline(&mut args, from_ms, ("hsetex", dialect))? {
                    Some(deadline) => Some(Ttl::At(deadline)),
                    None => args.next().map(|_| Ttl::Keep),
                };
            } else if args.take("fnx") || args.take("fxx") {
                if options.wants_present.is_some() {
                    return Err(CommandError::HsetexConditionExclusive);
                }
                options.wants_present = Some(args::is_word(word, "fxx"));
            } else if args.take("nx") || args.take("xx") {
                if options.wants_key.is_some() {
                    return Err(CommandError::Syntax);
                }
                options.wants_key = Some(args::is_word(word, "xx"));
            } else if args.take("fields") {
                if args.len() < FIELDS_LEN_MIN {
                    return Err(CommandError::WrongArity(ctx.entry.full_name.clone()));
                }
                let count = args.next().and_then(base::numbers::parse_i64);
                let count = count.and_then(|count| i32::try_from(count).ok());
                let count = count.filter(|count| 0 < *count).ok_or(CommandError::FieldsInvalid)?;
                if usize::try_from(count).ok().and_then(|n| n.checked_mul(2)) != Some(args.len()) {
                    return Err(CommandError::WrongArity(ctx.entry.full_name.clone()));
                }
                options.first = args.position();
                return Ok(options);
            } else {
                return Err(CommandError::ArgumentUnknown(args::shown(word)));
            }
        }
        Err(CommandError::FieldsArgumentMissing)
    }

    fn parse_valkey(ctx: &mut Ctx<'_, '_>) -> Result<Self, CommandError> {
        let Found { fields, options: mut args } = Found::find(ctx.argv, 2, 2)?;
        let mut options = Self { first: fields.first(), ..Self::default() };
        let mut time = None;
        while let Some(word) = args.peek() {
            let has_time = time.is_some() || options.ttl.is_some();
            if args.take("fnx") || args.take("fxx") {
                set_once(&mut options.wants_present, args::is_word(word, "fxx"))?;
            } else if args.take("nx") || args.take("xx") {
                set_once(&mut options.wants_key, args::is_word(word, "xx"))?;
            } else if time.is_none() && args.take("keepttl") {
                options.ttl = Some(Ttl::Keep);
            } else if !has_time {
                time = Some(deadline::take_option(&mut args)?.ok_or(CommandError::Syntax)?);
            } else {
                return Err(CommandError::Syntax);
            }
        }
        ctx.data.look_as::<LargeHash>(ctx.key(1))?;
        if let Some((form, time)) = time {
            let command = ("hsetex", ctx.settings.dialect);
            options.ttl = Some(Ttl::At(fields::deadline(form, time, ctx.data.from_ms, command)?));
        }
        Ok(options)
    }

    /// Says how the call stands in the journal.
    fn journal(&self, ctx: &mut Ctx<'_, '_>, is_past: bool) {
        let argv = ctx.argv;
        let fields = (self.first..argv.len()).step_by(2).map(|at| argv.at(at));
        let (count, digits) = (
            fields.len().to_string(),
            match self.ttl {
                Some(Ttl::At(deadline)) => deadline.to_string(),
                _ => String::new(),
            },
        );
        let key = argv.at(1);
        let mut words = match self.ttl {
            _ if is_past => vec![&b"HDEL"[..], key],
            Some(Ttl::At(_)) => {
                vec![&b"HSETEX"[..], key, b"PXAT", digits.as_bytes(), b"FIELDS", count.as_bytes()]
            }
            Some(Ttl::Keep) => vec![&b"HSETEX"[..], key, b"KEEPTTL", b"FIELDS", count.as_bytes()],
            _ => vec![&b"HSET"[..], key],
        };
        if is_past {
            words.extend(fields);
        } else {
            words.extend(argv.iter().skip(self.first));
        }
        ctx.journal_as(&words);
    }

    /// Whether the fields that are there allow the call.
    fn is_allowed(&self, ctx: &mut Ctx<'_, '_>) -> Result<bool, CommandError> {
        let (key, argv, now_ms) = (ctx.key(1), ctx.argv, ctx.data.now_ms);
        let hash = ctx.data.look_as::<LargeHash>(key)?;
        if self.wants_key.is_some_and(|wants_key| wants_key != hash.is_some()) {
            return Ok(false);
        }
        let Some(wants_present) = self.wants_present else { return Ok(true) };
        let is_present =
            |at: usize| hash.is_some_and(|hash| hash::contains(hash, argv.at(at), now_ms));
        Ok((self.first..argv.len()).step_by(2).all(|at| is_present(at) == wants_present))
    }
}

/// Saying the same twice is allowed, and nothing else.
fn set_once(option: &mut Option<bool>, said: bool) -> Result<(), CommandError> {
    match option.replace(said) {
        Some(before) if before != said => Err(CommandError::Syntax),
        _ => Ok(()),
    }
}
