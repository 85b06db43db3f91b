//! Strings: GET, SET, APPEND, INCR and their relatives.

use crate::args::{self, Args};
use crate::command::{Categories, Command, Flags, Group, Origin, Outcome, Reach};
use crate::commands::common::deadline::{self, TimeForm};
use crate::commands::common::text::reply_optional;
use crate::commands::string_compare::{Comparison, delex, delex_key_flags, digest, is_comparison};
use crate::commands::string_increx::increx;
use crate::commands::string_lcs::lcs;
use crate::context::Ctx;
use crate::error::CommandError;
use crate::events;
use crate::keys::{self, KeyFlags, KeySpec};
use base::numbers::{IntegerBuffer, LongDouble};
use resp::Argv;
use store::types::string;
use store::{Key, Kind};

const ROW: Command =
    Command { reach: Reach::Keys, group: Group::String, acl: Categories::STRING, ..Command::NEW };
const READ_FAST: Flags = Flags::READONLY.with(Flags::FAST);
const WRITE_FAST: Flags = Flags::WRITE.with(Flags::FAST);
const GROW: Flags = Flags::WRITE.with(Flags::DENYOOM);
const GROW_FAST: Flags = GROW.with(Flags::FAST);

const COUNTER: &[KeySpec] = &[KeySpec::at(1, keys::RW_ACCESS_UPDATE)];
const READ_KEY: &[KeySpec] = &[KeySpec::at(1, keys::RO_ACCESS)];
const SET_KEY: &[KeySpec] = &[KeySpec::at(1, keys::OW_UPDATE)];

pub(crate) const COMMANDS: &[Command] = &[
    Command {
        name: "append",
        arity: 3,
        flags: GROW_FAST,
        keys: &[KeySpec::at(1, keys::RW_INSERT)],
        since: "2.0.0",
        run: append,
        ..ROW
    },
    Command { name: "decr", arity: 2, flags: GROW_FAST, keys: COUNTER, run: decr, ..ROW },
    Command { name: "decrby", arity: 3, flags: GROW_FAST, keys: COUNTER, run: decrby, ..ROW },
    Command {
        name: "delex",
        arity: -2,
        flags: WRITE_FAST,
        keys: &[KeySpec::at(1, keys::RW_DELETE_VARIABLE).refined(delex_key_flags)],
        since: "8.4.0",
        origin: Origin::Redis,
        run: delex,
        ..ROW
    },
    Command {
        name: "delifeq",
        arity: 3,
        flags: WRITE_FAST,
        keys: &[KeySpec::at(1, keys::RM_DELETE)],
        since: "9.0.0",
        origin: Origin::Valkey,
        run: delifeq,
        ..ROW
    },
    Command {
        name: "digest",
        arity: 2,
        flags: READ_FAST,
        keys: READ_KEY,
        since: "8.4.0",
        origin: Origin::Redis,
        run: digest,
        ..ROW
    },
    Command { name: "get", arity: 2, flags: READ_FAST, keys: READ_KEY, run: get, ..ROW },
    Command {
        name: "getdel",
        arity: 2,
        flags: WRITE_FAST,
        keys: &[KeySpec::at(1, keys::RW_ACCESS_DELETE)],
        since: "6.2.0",
        run: getdel,
        ..ROW
    },
    Command {
        name: "getex",
        arity: -2,
        flags: WRITE_FAST,
        keys: COUNTER,
        since: "6.2.0",
        run: getex,
        ..ROW
    },
    Command {
        name: "getrange",
        arity: 4,
        flags: Flags::READONLY,
        keys: READ_KEY,
        since: "2.4.0",
        run: getrange,
        ..ROW
    },
    Command { name: "getset", arity: 3, flags: GROW_FAST, keys: COUNTER, run: getset, ..ROW },
    Command { name: "incr", arity: 2, flags: GROW_FAST, keys: COUNTER, run: incr, ..ROW },
    Command { name: "incrby", arity: 3, flags: GROW_FAST, keys: COUNTER, run: incrby, ..ROW },
    Command {
        name: "incrbyfloat",
        arity: 3,
        flags: GROW_FAST,
        keys: COUNTER,
        since: "2.6.0",
        run: incrbyfloat,
        ..ROW
    },
    Command {
        name: "increx",
        arity: -2,
        flags: GROW_FAST,
        keys: COUNTER,
        since: "8.8.0",
        run: increx,
        ..ROW
    },
    Command {
        name: "lcs",
        arity: -3,
        flags: Flags::READONLY,
        keys: &[KeySpec::range(1, 1, 1, keys::RO_ACCESS)],
        since: "7.0.0",
        run: lcs,
        ..ROW
    },
    Command {
        name: "mget",
        arity: -2,
        flags: READ_FAST,
        keys: &[KeySpec::range(1, -1, 1, keys::RO_ACCESS)],
        run: mget,
        ..ROW
    },
    Command {
        name: "mset",
        arity: -3,
        flags: GROW,
        keys: &[KeySpec::range(1, -1, 2, keys::OW_UPDATE)],
        since: "1.0.1",
        run: mset,
        ..ROW
    },
    Command {
        name: "msetex",
        arity: -4,
        flags: GROW,
        keys: &[KeySpec::counted(1, 2, keys::OW_UPDATE)],
        since: "9.1.0",
        origin: Origin::Valkey,
        run: msetex,
        ..ROW
    },
    Command {
        name: "msetnx",
        arity: -3,
        flags: GROW,
        keys: &[KeySpec::range(1, -1, 2, keys::OW_INSERT)],
        since: "1.0.1",
        run: msetnx,
        ..ROW
    },
    Command {
        name: "psetex",
        arity: 4,
        flags: GROW,
        keys: SET_KEY,
        since: "2.6.0",
        run: psetex,
        ..ROW
    },
    Command {
        name: "set",
        arity: -3,
        flags: GROW,
        keys: &[KeySpec::at(1, keys::RW_ACCESS_UPDATE_VARIABLE).refined(set_key_flags)],
        run: set,
        ..ROW
    },
    Command {
        name: "setex",
        arity: 4,
        flags: GROW,
        keys: SET_KEY,
        since: "2.0.0",
        run: setex,
        ..ROW
    },
    Command {
        name: "setnx",
        arity: 3,
        flags: GROW_FAST,
        keys: &[KeySpec::at(1, keys::OW_INSERT)],
        run: setnx,
        ..ROW
    },
    Command {
        name: "setrange",
        arity: 4,
        flags: GROW,
        keys: &[KeySpec::at(1, keys::RW_UPDATE)],
        since: "2.2.0",
        run: setrange,
        ..ROW
    },
    Command {
        name: "strlen",
        arity: 2,
        flags: READ_FAST,
        keys: &[KeySpec::at(1, keys::RO)],
        since: "2.2.0",
        run: strlen,
        ..ROW
    },
    Command {
        name: "substr",
        arity: 4,
        flags: Flags::READONLY,
        keys: READ_KEY,
        run: getrange,
        ..ROW
    },
];

/// `APPEND key value` → new length. O(1) amortised.
fn append(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (key, tail) = (ctx.key(1), ctx.argv.at(2));
    let len = match ctx.data.write_string(key)? {
        None => {
            ctx.data.set_string(key, tail, None);
            tail.len()
        }
        Some(entry) => {
            let len = entry.string().len();
            check_len(ctx, len, tail.len())?;
            ctx.data.edit(key, |entry| string::append(entry, tail))
        }
    };
    ctx.data.changed(key, events::APPEND);
    ctx.reply.integer(len as i64);
    Ok(())
}

/// `DECR key` → new value. O(1).
fn decr(ctx: &mut Ctx<'_, '_>) -> Outcome {
    add(ctx, -1)
}

/// `DECRBY key decrement` → new value. O(1).
fn decrby(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let decrement = args::integer(ctx.argv.at(2))?;
    add(ctx, decrement.checked_neg().ok_or(CommandError::DecrementOverflow)?)
}

/// `DELIFEQ key value` → 1 if the key held exactly this value and was deleted. O(1).
fn delifeq(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let key = ctx.key(1);
    let is_equal = match ctx.data.write_string(key)? {
        None => false,
        Some(entry) => entry.string().bytes() == ctx.argv.at(2),
    };
    if is_equal {
        ctx.data.remove(key);
        ctx.data.changed(key, events::DEL);
    }
    ctx.reply.integer(i64::from(is_equal));
    Ok(())
}

/// `GET key` → the value. O(1).
fn get(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let entry = ctx.data.read_string(ctx.key(1))?;
    reply_optional(ctx.reply, entry);
    Ok(())
}

/// `GETDEL key` → the value, which is deleted. O(1).
fn getdel(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let key = ctx.key(1);
    let entry = ctx.data.read_string(key)?;
    let exists = entry.is_some();
    reply_optional(ctx.reply, entry);
    if exists {
        ctx.data.remove(key);
        ctx.data.changed(key, events::DEL);
        ctx.journal_as(&[b"DEL", key.bytes]);
    }
    Ok(())
}

/// `GETEX key [EX s | PX ms | EXAT s | PXAT ms | PERSIST]` → the value. O(1).
fn getex(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let mut args = Args::new(ctx.argv, 2);
    let mut time = None;
    let mut persists = false;
    while !args.is_empty() {
        // Saying the same twice is allowed.
        if time.is_none() && args.take("persist") {
            persists = true;
            continue;
        }
        let option = deadline::take_option(&mut args)?.ok_or(CommandError::Syntax)?;
        let is_other = time.is_some_and(|(form, _): (TimeForm, _)| form != option.0);
        if persists || is_other {
            return Err(CommandError::Syntax);
        }
        time = Some(option);
    }
    let key = ctx.key(1);
    let (now_ms, from_ms) = (ctx.data.now_ms, ctx.data.from_ms);
    let differences = ctx.settings.dialect.differences();
    let parse = |time: Option<(TimeForm, &[u8])>| {
        time.map(|time| deadline::deadline(time, from_ms, "getex")).transpose()
    };
    if differences.getex_checks_time_first {
        parse(time)?;
    }
    let entry = ctx.data.read_string(key)?;
    let exists = entry.is_some();
    // The time of a missing key is not looked at.
    let deadline = parse(time.filter(|_| exists))?;
    let is_volatile = entry.is_some_and(|e| e.deadline().is_some());
    reply_optional(ctx.reply, entry);
    match deadline {
        _ if !exists => {}
        Some(deadline) if deadline <= now_ms => {
            ctx.data.remove(key);
            let expires = differences.past_deadlines_expire;
            ctx.data.changed(key, if expires { events::EXPIRED } else { events::DEL });
        }
        Some(deadline) => {
            ctx.data.set_deadline(key, Some(deadline));
            ctx.data.changed(key, events::EXPIRE);
        }
        None if persists && is_volatile => {
            ctx.data.set_deadline(key, None);
            ctx.data.changed(key, events::PERSIST);
        }
        None => return Ok(()),
    }
    if exists {
        ctx.journal_as_deadline(key);
    }
    Ok(())
}

/// `GETRANGE key start end` → the bytes from start to end, both inclusive. O(bytes).
fn getrange(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (start, end) = (args::integer(ctx.argv.at(2))?, args::integer(ctx.argv.at(3))?);
    match ctx.data.read_string(ctx.key(1))? {
        None => ctx.reply.bulk(b""),
        Some(entry) => {
            let value = entry.string();
            ctx.reply.bulk(range(value.bytes(), start, end));
        }
    }
    Ok(())
}

/// `GETSET key value` → the old value. O(1).
fn getset(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let key = ctx.key(1);
    let entry = ctx.data.read_string(key)?;
    reply_optional(ctx.reply, entry);
    ctx.data.set_string(key, ctx.argv.at(2), None);
    ctx.data.changed(key, events::SET);
    Ok(())
}

/// `INCR key` → new value. O(1).
fn incr(ctx: &mut Ctx<'_, '_>) -> Outcome {
    add(ctx, 1)
}

/// `INCRBY key increment` → new value. O(1).
fn incrby(ctx: &mut Ctx<'_, '_>) -> Outcome {
    add(ctx, args::integer(ctx.argv.at(2))?)
}

/// `INCRBYFLOAT key increment` → new value. O(1).
fn incrbyfloat(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (key, increment) = (ctx.key(1), ctx.argv.at(2));
    let old = match ctx.data.write_string(key)? {
        None => LongDouble::parse(b"0"),
        Some(entry) => LongDouble::parse(entry.string().bytes()),
    };
    let old = old.ok_or(CommandError::NotAFloat)?;
    let increment = LongDouble::parse(increment).ok_or(CommandError::NotAFloat)?;
    let sum = old.checked_add(increment).filter(LongDouble::is_finite);
    let mut value = Vec::new();
    sum.ok_or(CommandError::IncrementNotFinite)?.append_to(&mut value);
    replace(ctx, key, &value);
    ctx.data.edit(key, |entry| entry.as_mut().set_text(true));
    ctx.data.changed(key, events::INCRBYFLOAT);
    ctx.journal_as(&[b"SET", key.bytes, &value, b"KEEPTTL"]);
    ctx.reply.bulk(&value);
    Ok(())
}

/// `MGET key [key …]` → their values; null for what is missing or no string. O(keys).
fn mget(ctx: &mut Ctx<'_, '_>) -> Outcome {
    ctx.reply.array(ctx.argv.len() - 1);
    for index in 1..ctx.argv.len() {
        let entry = ctx.data.read(ctx.key(index)).filter(|e| e.kind() == Kind::String);
        reply_optional(ctx.reply, entry);
    }
    Ok(())
}

/// `MSET key value [key value …]` → OK. O(keys).
fn mset(ctx: &mut Ctx<'_, '_>) -> Outcome {
    check_pairs(ctx)?;
    set_pairs(ctx, 1..ctx.argv.len(), |_| None);
    ctx.reply.ok();
    Ok(())
}

/// `MSETEX numkeys key value [key value …] [NX | XX] [EX s | PX ms | EXAT s | PXAT ms | KEEPTTL]`
/// → 1, or 0 if NX or XX forbade it. O(keys).
fn msetex(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let count =
        args::integer(ctx.argv.at(1)).ok().filter(|n| (1..=i64::from(i32::MAX)).contains(n));
    let count = count.ok_or(CommandError::NumkeysInvalid)? as usize;
    let end = 2 + count * 2;
    if ctx.argv.len() < end {
        return Err(CommandError::Syntax);
    }
    let options = SetOptions::parse(Args::new(ctx.argv, end), SetForm::Many)?;
    let deadline = options.deadline(ctx, "msetex")?;
    let exists = |ctx: &mut Ctx<'_, '_>, index: usize| ctx.data.exists(ctx.key(index));
    let is_allowed = match options.condition {
        Some(Condition::Missing) => !(2..end).step_by(2).any(|i| exists(ctx, i)),
        Some(Condition::Exists) => (2..end).step_by(2).all(|i| exists(ctx, i)),
        _ => true,
    };
    if is_allowed {
        for index in (2..end).step_by(2) {
            let key = ctx.key(index);
            let kept = options.keeps_ttl.then(|| ctx.data.peek(key).and_then(|e| e.deadline()));
            ctx.data.set_string(key, ctx.argv.at(index + 1), kept.flatten().or(deadline));
            ctx.data.changed(key, events::SET);
            if deadline.is_some() {
                ctx.data.noted(key, events::EXPIRE);
            }
            ctx.journal_as_set(key);
        }
    }
    ctx.reply.integer(i64::from(is_allowed));
    Ok(())
}

/// `MSETNX key value [key value …]` → 1, or 0 if any of the keys existed. O(keys).
fn msetnx(ctx: &mut Ctx<'_, '_>) -> Outcome {
    check_pairs(ctx)?;
    let is_free = !(1..ctx.argv.len()).step_by(2).any(|index| ctx.data.exists(ctx.key(index)));
    if is_free {
        set_pairs(ctx, 1..ctx.argv.len(), |_| None);
    }
    ctx.reply.integer(i64::from(is_free));
    Ok(())
}

/// `PSETEX key milliseconds value` → OK. O(1).
fn psetex(ctx: &mut Ctx<'_, '_>) -> Outcome {
    set_volatile(ctx, deadline::PX, "psetex")
}

/// `SET key value [NX | XX | IFEQ value | IFNE value | IFDEQ digest | IFDNE digest] [GET] [EX s |
/// PX ms | EXAT s | PXAT ms | KEEPTTL]` → OK, null if a condition forbade it, or the old value with GET. O(1).
fn set(ctx: &mut Ctx<'_, '_>) -> Outcome {
    if ctx.argv.len() == 3 {
        let key = ctx.key(1);
        ctx.data.overwrite(key, ctx.argv.at(2));
        ctx.data.changed(key, events::SET);
        ctx.reply.ok();
        return Ok(());
    }
    set_with_options(ctx)
}

/// Without GET or a comparison nothing of the old value is read.
fn set_key_flags(argv: Argv<'_>) -> KeyFlags {
    let reads = |word: &[u8]| args::is_word(word, "get") || is_comparison(word);
    let reads = argv.iter().skip(3).any(reads);
    if reads { keys::RW_ACCESS_UPDATE } else { keys::OW_UPDATE }
}

fn set_with_options(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let options = SetOptions::parse(Args::new(ctx.argv, 3), SetForm::One)?;
    let deadline = options.deadline(ctx, "set")?;
    let key = ctx.key(1);
    let found = if options.returns_old {
        ctx.data.read_string(key)?
    } else {
        ctx.data.write(key).map(store::EntryUse::into_ref)
    };
    let is_allowed = match options.condition {
        None => true,
        Some(Condition::Exists) => found.is_some(),
        Some(Condition::Missing) => found.is_none(),
        Some(Condition::Compared(comparison)) => match found {
            Some(entry) if entry.kind() != Kind::String => return Err(CommandError::WrongType),
            Some(entry) => comparison.holds_of(entry.string().bytes())?,
            None => comparison.holds_of_nothing(),
        },
    };
    let kept = found.and_then(|e| e.deadline()).filter(|_| options.keeps_ttl);
    if options.returns_old {
        reply_optional(ctx.reply, found);
    } else if is_allowed {
        ctx.reply.ok();
    } else {
        ctx.reply.null();
    }
    if is_allowed {
        ctx.data.set_string(key, ctx.argv.at(2), kept.or(deadline));
        ctx.data.changed(key, events::SET);
        if deadline.is_some() {
            ctx.data.noted(key, events::EXPIRE);
        }
        ctx.journal_as_set(key);
    }
    Ok(())
}

/// `SETEX key seconds value` → OK. O(1).
fn setex(ctx: &mut Ctx<'_, '_>) -> Outcome {
    set_volatile(ctx, deadline::EX, "setex")
}

/// `SETNX key value` → 1, or 0 if the key existed. O(1).
fn setnx(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let key = ctx.key(1);
    let is_free = ctx.data.write(key).is_none();
    if is_free {
        ctx.data.set_string(key, ctx.argv.at(2), None);
        ctx.data.changed(key, events::SET);
    }
    ctx.reply.integer(i64::from(is_free));
    Ok(())
}

/// `SETRANGE key offset value` → new length. O(bytes).
fn setrange(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let offset = args::integer(ctx.argv.at(2))?;
    let offset = usize::try_from(offset).map_err(|_| CommandError::OffsetOutOfRange)?;
    let (key, bytes) = (ctx.key(1), ctx.argv.at(3));
    let old_len = ctx.data.write_string(key)?.map(|e| e.string().len());
    if bytes.is_empty() {
        ctx.reply.integer(old_len.unwrap_or(0) as i64);
        return Ok(());
    }
    check_len(ctx, offset, bytes.len())?;
    if old_len.is_none() {
        ctx.data.set_string(key, b"", None);
    }
    let len = ctx.data.edit(key, |entry| string::set_range(entry, offset, bytes));
    ctx.data.changed(key, events::SETRANGE);
    ctx.reply.integer(len as i64);
    Ok(())
}

/// `STRLEN key` → length in bytes; 0 if missing. O(1).
fn strlen(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let len = ctx.data.read_string(ctx.key(1))?.map_or(0, |entry| entry.string().len());
    ctx.reply.integer(len as i64);
    Ok(())
}

fn add(ctx: &mut Ctx<'_, '_>, increment: i64) -> Outcome {
    let key = ctx.key(1);
    let mut digits = IntegerBuffer::new();
    let sum = |old: i64| old.checked_add(increment).ok_or(CommandError::IncrementOverflow);
    let value = match ctx.data.change_string(key)? {
        None => {
            ctx.data.set_string(key, digits.format(increment), None);
            increment
        }
        Some(mut entry) => {
            let value = sum(args::integer(entry.string().bytes())?)?;
            if !entry.replace_string(digits.format(value)) {
                replace(ctx, key, digits.format(value));
            }
            value
        }
    };
    ctx.data.changed(key, events::INCRBY);
    ctx.reply.integer(value);
    Ok(())
}

/// Sets the value of a key that may exist, and leaves its deadline alone.
fn replace(ctx: &mut Ctx<'_, '_>, key: Key<'_>, value: &[u8]) {
    let deadline = ctx.data.peek(key).and_then(|entry| entry.deadline());
    ctx.data.set_string(key, value, deadline);
}

fn set_volatile(ctx: &mut Ctx<'_, '_>, form: TimeForm, command: &'static str) -> Outcome {
    let key = ctx.key(1);
    let deadline = deadline::deadline((form, ctx.argv.at(2)), ctx.data.from_ms, command)?;
    ctx.data.write(key);
    ctx.data.set_string(key, ctx.argv.at(3), Some(deadline));
    ctx.data.changed(key, events::SET);
    ctx.data.noted(key, events::EXPIRE);
    ctx.journal_as_set(key);
    ctx.reply.ok();
    Ok(())
}

fn set_pairs(
    ctx: &mut Ctx<'_, '_>,
    range: std::ops::Range<usize>,
    deadline: impl Fn(usize) -> Option<u64>,
) {
    for index in range.step_by(2) {
        let key = ctx.key(index);
        ctx.data.write(key);
        ctx.data.set_string(key, ctx.argv.at(index + 1), deadline(index));
        ctx.data.changed(key, events::SET);
    }
}

fn check_pairs(ctx: &Ctx<'_, '_>) -> Outcome {
    if ctx.argv.len() % 2 == 1 {
        return Ok(());
    }
    Err(CommandError::WrongArity(ctx.entry.full_name.clone()))
}

fn check_len(ctx: &Ctx<'_, '_>, len: usize, more: usize) -> Outcome {
    match (len as u64).checked_add(more as u64) {
        Some(total) if total <= ctx.settings.bulk_len_max => Ok(()),
        _ => Err(CommandError::StringTooLarge),
    }
}

/// The part of `bytes` from `start` to `end`, inclusive; negative indices count from the end.
fn range(bytes: &[u8], start: i64, end: i64) -> &[u8] {
    let len = bytes.len() as i64;
    if start < 0 && end < 0 && end < start {
        return b"";
    }
    let from_end = |index: i64| if index < 0 { (len + index).max(0) } else { index };
    let (start, end) = (from_end(start), from_end(end).min(len - 1));
    if end < start || len == 0 { b"" } else { &bytes[start as usize..=end as usize] }
}

/// What must hold for SET to set.
#[derive(Clone, Copy)]
enum Condition<'a> {
    Compared(Comparison<'a>),
    Exists,
    Missing,
}

/// Whose options are parsed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SetForm {
    Many,
    One,
}

#[derive(Default)]
struct SetOptions<'a> {
    condition: Option<Condition<'a>>,
    returns_old: bool,
    keeps_ttl: bool,
    time: Option<(TimeForm, &'a [u8])>,
}

impl<'a> SetOptions<'a> {
    fn parse(mut args: Args<'a>, form: SetForm) -> Result<Self, CommandError> {
        let mut options = Self::default();
        while !args.is_empty() {
            let condition = options.condition;
            let is_conditional = condition.is_some();
            // Saying the same twice is allowed.
            let may_miss = matches!(condition, None | Some(Condition::Missing));
            let may_exist = matches!(condition, None | Some(Condition::Exists));
            if may_miss && args.take("nx") {
                options.condition = Some(Condition::Missing);
            } else if may_exist && args.take("xx") {
                options.condition = Some(Condition::Exists);
            } else if form == SetForm::One
                && !is_conditional
                && let Some(comparison) = Comparison::take(&mut args)?
            {
                options.condition = Some(Condition::Compared(comparison));
            } else if form == SetForm::One && args.take("get") {
                options.returns_old = true;
            } else if options.time.is_none() && args.take("keepttl") {
                options.keeps_ttl = true;
            } else if !options.keeps_ttl
                && let Some(time) = deadline::take_option(&mut args)?
            {
                if options.time.is_some_and(|(form, _)| form != time.0) {
                    return Err(CommandError::Syntax);
                }
                options.time = Some(time);
            } else {
                return Err(CommandError::Syntax);
            }
        }
        Ok(options)
    }

    fn deadline(
        &self,
        ctx: &Ctx<'_, '_>,
        command: &'static str,
    ) -> Result<Option<u64>, CommandError> {
        self.time.map(|time| deadline::deadline(time, ctx.data.from_ms, command)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::range;

    #[test]
    fn ranges_are_clamped_as_in_redis() {
        let bytes = b"Hello World";
        for (start, end, expected) in [
            (0, 4, &b"Hello"[..]),
            (-5, -1, b"World"),
            (0, -1, b"Hello World"),
            (5, 3, b""),
            (-1, -5, b""),
            (-100, 2, b"Hel"),
            (20, 30, b""),
            (0, 100, b"Hello World"),
            (-100, -50, b"H"),
        ] {
            assert_eq!(range(bytes, start, end), expected, "{start} {end}");
        }
        assert_eq!(range(b"", 0, -1), b"");
    }
}
