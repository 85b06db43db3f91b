//! BITFIELD: reads and changes of small integers in a string, several in one call.

use crate::args::{self, Args};
use crate::command::Outcome;
use crate::commands::common::bits;
use crate::context::Ctx;
use crate::error::CommandError;
use crate::events;
use crate::keys::{self, KeyFlags};
use base::numbers;
use resp::{Argv, Reply};
use smallvec::SmallVec;
use store::Entry;
use store::types::bitmap::{self, FieldType, Overflow};

/// One step of a call.
#[derive(Clone, Copy)]
struct Operation {
    action: Action,
    field: FieldType,
    offset: u64,
    overflow: Overflow,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Action {
    Get,
    Increment(i64),
    Set(i64),
}

type Operations = SmallVec<[Operation; 8]>;

/// `BITFIELD key [GET type offset | [OVERFLOW WRAP | SAT | FAIL] SET type offset value |
/// INCRBY type offset increment …]` → an array: the number read, the one before, the sum. O(1) for
/// each.
pub(super) fn bitfield(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let operations = parse(ctx)?;
    let writes = operations.iter().filter(|operation| operation.action != Action::Get);
    let end = writes.map(|operation| operation.offset + operation.field.bits()).max();
    match end {
        None => read(ctx, &operations),
        Some(end) => write(ctx, &operations, bitmap::byte_len(end)),
    }
}

/// `BITFIELD_RO key [GET type offset …]` → the numbers. O(1) for each.
pub(super) fn bitfield_ro(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let operations = parse(ctx)?;
    if operations.iter().any(|operation| operation.action != Action::Get) {
        return Err(CommandError::BitfieldReadOnly);
    }
    read(ctx, &operations)
}

/// A call that only gets writes nothing.
pub(super) fn bitfield_key_flags(argv: Argv<'_>) -> KeyFlags {
    let writes = |word: &[u8]| args::is_word(word, "set") || args::is_word(word, "incrby");
    if argv.iter().skip(2).any(writes) { keys::RW_ACCESS_UPDATE } else { keys::RO_ACCESS }
}

fn read(ctx: &mut Ctx<'_, '_>, operations: &Operations) -> Outcome {
    let entry = ctx.data.read_string(ctx.key(1))?;
    let bytes = entry.map_or(&b""[..], |entry| entry.string().bytes());
    ctx.reply.array(operations.len());
    for operation in operations {
        ctx.reply.integer(operation.field.read(bytes, operation.offset));
    }
    Ok(())
}

fn write(ctx: &mut Ctx<'_, '_>, operations: &Operations, len: usize) -> Outcome {
    let key = ctx.key(1);
    let is_new = bits::ensure(ctx.data, key, len)?;
    ctx.reply.array(operations.len());
    let reply = &mut *ctx.reply;
    let is_changed = ctx.data.edit(key, |entry| {
        let has_grown = bitmap::grow(entry, len);
        let carry_out = |changed, operation| carry_out(entry, operation, reply) || changed;
        operations.iter().fold(has_grown, carry_out)
    });
    if is_new || is_changed {
        ctx.data.changed(key, events::SETBIT);
    }
    Ok(())
}

/// Does one step on a string that is long enough; says whether it changed anything.
fn carry_out(entry: &mut Entry, operation: &Operation, reply: &mut Reply) -> bool {
    let Operation { action, field, offset, overflow } = *operation;
    let old = field.read(entry.as_ref().string().bytes(), offset);
    let wanted = match action {
        Action::Get => i128::from(old),
        Action::Increment(increment) => i128::from(old) + i128::from(increment),
        Action::Set(value) => field.given(value),
    };
    let Some(new) = field.fit(wanted, overflow) else {
        reply.null();
        return false;
    };
    reply.integer(if matches!(action, Action::Increment(_)) { new } else { old });
    if new != old {
        field.write(entry.as_mut().string_mut(), offset, new);
    }
    new != old
}

fn parse(ctx: &Ctx<'_, '_>) -> Result<Operations, CommandError> {
    let mut operations = Operations::new();
    let mut overflow = Overflow::Wrap;
    let mut args = Args::new(ctx.argv, 2);
    while !args.is_empty() {
        let left = args.len() - 1;
        if 1 <= left && args.take("overflow") {
            overflow = parse_overflow(args.required()?)?;
            continue;
        }
        let wants_get = 2 <= left && args.take("get");
        let wants_set = !wants_get && 3 <= left && args.take("set");
        let wants_add = !wants_get && !wants_set && 3 <= left && args.take("incrby");
        if !(wants_get || wants_set || wants_add) {
            return Err(CommandError::Syntax);
        }
        let field = parse_type(args.required()?)?;
        let offset = bits::field_offset(args.required()?, field.bits(), ctx.settings)?;
        let action = if wants_get {
            Action::Get
        } else if wants_set {
            Action::Set(args.integer()?)
        } else {
            Action::Increment(args.integer()?)
        };
        operations.push(Operation { action, field, offset, overflow });
    }
    Ok(operations)
}

fn parse_overflow(word: &[u8]) -> Result<Overflow, CommandError> {
    let names = [("wrap", Overflow::Wrap), ("sat", Overflow::Saturate), ("fail", Overflow::Fail)];
    let named = names.into_iter().find(|(name, _)| args::is_word(word, name));
    named.map(|(_, overflow)| overflow).ok_or(CommandError::BitfieldOverflow)
}

/// `i8`, `u63`: only in small letters.
fn parse_type(word: &[u8]) -> Result<FieldType, CommandError> {
    let (is_signed, digits) = match word {
        [b'i', digits @ ..] => (true, digits),
        [b'u', digits @ ..] => (false, digits),
        _ => return Err(CommandError::BitfieldType),
    };
    let field = numbers::parse_i64(digits).and_then(|bits| FieldType::new(is_signed, bits));
    field.ok_or(CommandError::BitfieldType)
}
