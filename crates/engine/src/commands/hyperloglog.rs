//! HyperLogLog: PFADD, PFCOUNT, PFMERGE, on strings that are counters.

use crate::args;
use crate::command::{Categories, Command, Flags, Group, Outcome, Reach};
use crate::context::Ctx;
use crate::error::CommandError;
use crate::events;
use crate::keys::{self, KeySpec};
use base::numbers::append_u64;
use store::types::hyperloglog::{self, Corrupt, RegisterForm, Registers};
use store::{EntryRef, Key};

const ROW: Command = Command {
    reach: Reach::Keys,
    group: Group::HyperLogLog,
    acl: Categories::HYPERLOGLOG,
    since: "2.8.9",
    ..Command::NEW
};
const GROW: Flags = Flags::WRITE.with(Flags::DENYOOM);

pub(crate) const COMMANDS: &[Command] = &[
    Command {
        name: "pfadd",
        arity: -2,
        flags: GROW.with(Flags::FAST),
        keys: &[KeySpec::at(1, keys::RW_INSERT)],
        run: pfadd,
        ..ROW
    },
    Command {
        name: "pfcount",
        arity: -2,
        flags: Flags::READONLY.with(Flags::MAY_REPLICATE),
        keys: &[KeySpec::range(1, -1, 1, keys::RW_ACCESS)],
        run: pfcount,
        ..ROW
    },
    Command {
        name: "pfdebug",
        arity: 3,
        flags: GROW.with(Flags::ADMIN),
        keys: &[KeySpec::at(2, keys::RW_ACCESS)],
        run: pfdebug,
        ..ROW
    },
    Command {
        name: "pfmerge",
        arity: -2,
        flags: GROW,
        keys: &[KeySpec::at(1, keys::RW_ACCESS_INSERT), KeySpec::range(2, -1, 1, keys::RO_ACCESS)],
        run: pfmerge,
        ..ROW
    },
    Command {
        name: "pfselftest",
        arity: 1,
        flags: Flags::ADMIN,
        run: pfselftest,
        reach: Reach::None,
        ..ROW
    },
];

/// `PFADD key [element …]` → 1 if the count may have changed or the key is new. O(1) an element.
fn pfadd(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let key = ctx.key(1);
    let is_new = ensure(ctx, key)?;
    let (argv, sparse_len_max) = (ctx.argv, ctx.settings.types.hyperloglog.sparse_bytes_max);
    let mut is_changed = is_new;
    let added = ctx.data.edit(key, |entry| {
        entry.as_mut().set_raw(true);
        let added: Result<(), Corrupt> = argv.iter().skip(2).try_for_each(|element| {
            is_changed |= hyperloglog::add(entry, element, sparse_len_max)?;
            Ok(())
        });
        if is_changed {
            hyperloglog::invalidate_cached_count(entry);
        }
        added
    });
    if is_changed {
        ctx.data.changed(key, events::PFADD);
    }
    added?;
    ctx.reply.integer(i64::from(is_changed));
    Ok(())
}

/// `PFCOUNT key [key …]` → about how many different elements were added to any of them. O(1) for
/// one key whose count is cached, else O(keys) with a large constant.
fn pfcount(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let count = if ctx.argv.len() == 2 {
        count_one(ctx)?
    } else {
        let mut registers = Registers::default();
        merge(ctx, &mut registers)?;
        registers.count()
    };
    ctx.reply.integer(count as i64);
    Ok(())
}

/// `PFDEBUG DECODE | ENCODING | GETREG | TODENSE key`, `PFDEBUG SIMD ON | OFF`: looks inside.
fn pfdebug(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (word, key) = (ctx.argv.at(1), ctx.key(2));
    if args::is_word(word, "simd") {
        return simd(ctx);
    }
    let entry = ctx.data.write_string(key)?.ok_or(CommandError::HyperLogLogMissing)?;
    let form = form(entry.as_ref())?;
    if args::is_word(word, "decode") {
        if form != RegisterForm::Sparse {
            return Err(CommandError::HyperLogLogNotSparse);
        }
        ctx.reply.bulk(&decoded(entry.string().bytes()));
    } else if args::is_word(word, "encoding") {
        let is_dense = form == RegisterForm::Dense;
        ctx.reply.simple(if is_dense { "dense" } else { "sparse" });
    } else if args::is_word(word, "getreg") {
        make_dense(ctx, key)?;
        let mut registers = Registers::default();
        if let Some(entry) = ctx.data.found(key) {
            registers.merge(entry.string().bytes())?;
        }
        ctx.reply.array(registers.values().len());
        registers.values().iter().for_each(|value| ctx.reply.integer(i64::from(*value)));
    } else if args::is_word(word, "todense") {
        let was_sparse = make_dense(ctx, key)?;
        ctx.reply.integer(i64::from(was_sparse));
    } else {
        return Err(CommandError::HyperLogLogSubcommand(args::shown(word)));
    }
    Ok(())
}

/// `PFMERGE destination [source …]` → OK; the destination counts what any of them has seen, and
/// what it has seen itself. O(sources) with a large constant.
fn pfmerge(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let mut registers = Registers::default();
    let is_dense = merge(ctx, &mut registers)?;
    let key = ctx.key(1);
    ensure(ctx, key)?;
    let sparse_len_max = ctx.settings.types.hyperloglog.sparse_bytes_max;
    ctx.data.edit(key, |entry| {
        entry.as_mut().set_raw(true);
        hyperloglog::raise_all(entry, &registers, is_dense, sparse_len_max)?;
        hyperloglog::invalidate_cached_count(entry);
        Ok::<_, Corrupt>(())
    })?;
    ctx.data.changed(key, events::PFADD);
    ctx.reply.ok();
    Ok(())
}

/// `PFSELFTEST` → OK: the counters count. O(1), a millisecond.
fn pfselftest(ctx: &mut Ctx<'_, '_>) -> Outcome {
    if !hyperloglog::counts_well() {
        return Err(CommandError::HyperLogLogSelfTest);
    }
    ctx.reply.ok();
    Ok(())
}

/// The count of the only key; one that had to be computed is noted in the value, which is a change
/// of it though nobody is told of an event.
fn count_one(ctx: &mut Ctx<'_, '_>) -> Result<u64, CommandError> {
    let key = ctx.key(1);
    let Some(entry) = ctx.data.read_string(key)? else { return Ok(0) };
    form(entry)?;
    let value = entry.string();
    if let Some(count) = hyperloglog::cached_count(value.bytes()) {
        return Ok(count);
    }
    let count = hyperloglog::count(value.bytes())?;
    ctx.data.edit(key, |entry| {
        entry.as_mut().set_raw(true);
        hyperloglog::set_cached_count(entry, count);
    });
    ctx.data.changed_quietly(key);
    Ok(count)
}

/// Merges the counters of all arguments; says whether any of them is dense.
fn merge(ctx: &mut Ctx<'_, '_>, registers: &mut Registers) -> Result<bool, CommandError> {
    let mut is_any_dense = false;
    for index in 1..ctx.argv.len() {
        let Some(entry) = ctx.data.read_string(ctx.key(index))? else { continue };
        is_any_dense |= form(entry)? == RegisterForm::Dense;
        registers.merge(entry.string().bytes())?;
    }
    Ok(is_any_dense)
}

/// Makes sure that `key` holds a counter; says whether it is a new one.
fn ensure(ctx: &mut Ctx<'_, '_>, key: Key<'_>) -> Result<bool, CommandError> {
    if let Some(entry) = ctx.data.write_string(key)? {
        form(entry.as_ref())?;
        return Ok(false);
    }
    let clock = ctx.data.access_clock;
    ctx.data.put(key.hash, hyperloglog::empty(key.bytes, clock));
    Ok(true)
}

fn make_dense(ctx: &mut Ctx<'_, '_>, key: Key<'_>) -> Result<bool, CommandError> {
    let was_sparse = ctx.data.edit(key, hyperloglog::make_dense)?;
    if was_sparse {
        ctx.data.changed_quietly(key);
    }
    Ok(was_sparse)
}

fn form(entry: EntryRef<'_>) -> Result<RegisterForm, CommandError> {
    hyperloglog::form(entry.string().bytes()).ok_or(CommandError::HyperLogLogType)
}

impl From<Corrupt> for CommandError {
    fn from(_: Corrupt) -> Self {
        Self::HyperLogLogCorrupt
    }
}

/// There is one way to count, whatever is asked for.
fn simd(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let word = ctx.argv.at(2);
    let is_on = args::is_word(word, "on");
    if !is_on && !args::is_word(word, "off") {
        return Err(CommandError::OnOrOff);
    }
    ctx.reply.simple(if is_on { "enabled" } else { "disabled" });
    Ok(())
}

/// `z:n` and `Z:n` for zeros, `v:value,n` for values.
fn decoded(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    for (value, count, is_long) in hyperloglog::runs(bytes) {
        if !text.is_empty() {
            text.push(b' ');
        }
        match (value, is_long) {
            (0, false) => text.extend_from_slice(b"z:"),
            (0, true) => text.extend_from_slice(b"Z:"),
            _ => {
                text.extend_from_slice(b"v:");
                append_u64(&mut text, u64::from(value));
                text.push(b',');
            }
        }
        append_u64(&mut text, count as u64);
    }
    text
}
