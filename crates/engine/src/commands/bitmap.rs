//! Bitmaps: SETBIT, BITCOUNT, BITOP, BITFIELD and their relatives, on strings.

use crate::args::{self, Args};
use crate::command::{Categories, Command, Flags, Group, Outcome, Reach};
use crate::commands::bitmap_field::{bitfield, bitfield_key_flags, bitfield_ro};
use crate::commands::common::bits;
use crate::context::Ctx;
use crate::error::CommandError;
use crate::events;
use crate::keys::{self, KeySpec};
use smallvec::SmallVec;
use store::types::bitmap::{self, BitSet, Combination, Span};

const ROW: Command =
    Command { reach: Reach::Keys, group: Group::Bitmap, acl: Categories::BITMAP, ..Command::NEW };
const GROW: Flags = Flags::WRITE.with(Flags::DENYOOM);
const READ_FAST: Flags = Flags::READONLY.with(Flags::FAST);

const READ_KEY: &[KeySpec] = &[KeySpec::at(1, keys::RO_ACCESS)];

pub(crate) const COMMANDS: &[Command] = &[
    Command {
        name: "bitcount",
        arity: -2,
        flags: Flags::READONLY,
        keys: READ_KEY,
        since: "2.6.0",
        run: bitcount,
        ..ROW
    },
    Command {
        name: "bitfield",
        arity: -2,
        flags: GROW,
        keys: &[KeySpec::at(1, keys::RW_ACCESS_UPDATE_VARIABLE).refined(bitfield_key_flags)],
        since: "3.2.0",
        run: bitfield,
        ..ROW
    },
    Command {
        name: "bitfield_ro",
        arity: -2,
        flags: READ_FAST,
        keys: READ_KEY,
        since: "6.0.0",
        run: bitfield_ro,
        ..ROW
    },
    Command {
        name: "bitop",
        arity: -4,
        flags: GROW,
        keys: &[KeySpec::at(2, keys::OW_UPDATE), KeySpec::range(3, -1, 1, keys::RO_ACCESS)],
        since: "2.6.0",
        run: bitop,
        ..ROW
    },
    Command {
        name: "bitpos",
        arity: -3,
        flags: Flags::READONLY,
        keys: READ_KEY,
        since: "2.8.7",
        run: bitpos,
        ..ROW
    },
    Command {
        name: "getbit",
        arity: 3,
        flags: READ_FAST,
        keys: READ_KEY,
        since: "2.2.0",
        run: getbit,
        ..ROW
    },
    Command {
        name: "setbit",
        arity: 4,
        flags: GROW,
        keys: &[KeySpec::at(1, keys::RW_ACCESS_UPDATE)],
        since: "2.2.0",
        run: setbit,
        ..ROW
    },
];

/// `BITCOUNT key [start [end [BYTE | BIT]]]` → how many bits are set. O(bytes).
fn bitcount(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let mut args = Args::new(ctx.argv, 2);
    let range = Range::parse(&mut args, Purpose::Count)?;
    let count = match ctx.data.read_string(ctx.key(1))? {
        None => 0,
        Some(entry) => {
            let value = entry.string();
            let span = range.span(value.len());
            span.map_or(0, |span| bitmap::count(value.bytes(), span))
        }
    };
    ctx.reply.integer(count as i64);
    Ok(())
}

/// `BITOP operation destination source [source …]` → length of the result, which is stored.
/// O(bytes of all sources).
fn bitop(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let how = combination(ctx)?;
    let sources = 3..ctx.argv.len();
    for index in sources.clone() {
        ctx.data.read_string(ctx.key(index))?;
    }
    let result = {
        let found = sources.map(|index| ctx.data.found(ctx.key(index)));
        let texts: SmallVec<[&[u8]; 16]> =
            found.map(|entry| entry.map_or(&b""[..], |entry| entry.string().bytes())).collect();
        bitmap::combine(how, &texts)
    };
    let (destination, len) = (ctx.key(2), result.len());
    if len != 0 {
        ctx.data.set_edited_string(destination, result, None);
        ctx.data.changed(destination, events::SET);
    } else if ctx.data.remove(destination) {
        ctx.data.changed(destination, events::DEL);
    }
    ctx.reply.integer(len as i64);
    Ok(())
}

/// `BITPOS key bit [start [end [BYTE | BIT]]]` → place of the first such bit, or -1. O(bytes).
fn bitpos(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let bit = match args::integer(ctx.argv.at(2))? {
        0 => false,
        1 => true,
        _ => return Err(CommandError::BitArgument),
    };
    let mut args = Args::new(ctx.argv, 3);
    let range = Range::parse(&mut args, Purpose::Position)?;
    let place = match ctx.data.read_string(ctx.key(1))? {
        None => (!bit).then_some(0),
        Some(entry) => {
            let value = entry.string();
            let span = range.span(value.len());
            span.and_then(|span| {
                let found = bitmap::position(value.bytes(), bit, span);
                // Without an end the string goes on in zeros.
                found.or_else(|| (!bit && range.end.is_none()).then_some(span.last + 1))
            })
        }
    };
    ctx.reply.integer(place.map_or(-1, |place| place as i64));
    Ok(())
}

/// `GETBIT key offset` → the bit. O(1).
fn getbit(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let offset = bits::offset(ctx.argv.at(2), ctx.settings)?;
    let entry = ctx.data.read_string(ctx.key(1))?;
    let is_set = entry.is_some_and(|entry| bitmap::bit(entry, offset));
    ctx.reply.integer(i64::from(is_set));
    Ok(())
}

/// `SETBIT key offset bit` → the bit as it was. O(1), beside what growing costs.
fn setbit(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let offset = bits::offset(ctx.argv.at(2), ctx.settings)?;
    let bit = match args::integer(ctx.argv.at(3)) {
        Ok(0) => false,
        Ok(1) => true,
        _ => return Err(CommandError::BitInvalid),
    };
    let key = ctx.key(1);
    let is_new = bits::ensure(ctx.data, key, bitmap::byte_len(offset + 1))?;
    let BitSet { old, is_changed } =
        ctx.data.edit(key, |entry| bitmap::set_bit(entry, offset, bit));
    if is_new || is_changed {
        ctx.data.changed(key, events::SETBIT);
    }
    ctx.reply.integer(i64::from(old));
    Ok(())
}

fn combination(ctx: &Ctx<'_, '_>) -> Result<Combination, CommandError> {
    const NAMES: [(&str, Combination); 8] = [
        ("AND", Combination::And),
        ("OR", Combination::Or),
        ("XOR", Combination::Xor),
        ("NOT", Combination::Not),
        ("DIFF", Combination::Diff),
        ("DIFF1", Combination::Diff1),
        ("ANDOR", Combination::AndOr),
        ("ONE", Combination::One),
    ];
    let word = ctx.argv.at(1);
    let named = NAMES.into_iter().find(|(name, _)| args::is_word(word, name));
    let (name, how) = named.ok_or(CommandError::Syntax)?;
    let source_count = ctx.argv.len() - 3;
    match how {
        Combination::Not if source_count != 1 => Err(CommandError::BitopSingleSource),
        Combination::AndOr | Combination::Diff | Combination::Diff1 if source_count < 2 => {
            Err(CommandError::BitopTwoSources(name))
        }
        _ => Ok(how),
    }
}

/// Who asks for a range: the two commands differ in small things.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Count,
    /// The unit is looked at before the end, which shows in the error when both are wrong, and a
    /// range backwards from the end is clamped before it is found to be empty.
    Position,
}

/// What part of a string is meant, in bytes or bits; negative places count from the end.
struct Range {
    start: i64,
    end: Option<i64>,
    is_in_bits: bool,
    purpose: Purpose,
}

impl Range {
    fn parse(args: &mut Args<'_>, purpose: Purpose) -> Result<Self, CommandError> {
        let mut range = Self { start: 0, end: None, is_in_bits: false, purpose };
        if 3 < args.len() {
            return Err(CommandError::Syntax);
        }
        if let Some(start) = args.next() {
            range.start = args::integer(start)?;
        }
        let (end, unit) = (args.next(), args.next());
        if purpose == Purpose::Position {
            range.is_in_bits = is_in_bits(unit)?;
        }
        range.end = end.map(args::integer).transpose()?;
        range.is_in_bits = is_in_bits(unit)?;
        Ok(range)
    }

    /// The bits that are meant of a string of `len` bytes; none if there are none.
    fn span(&self, len: usize) -> Option<Span> {
        let total = if self.is_in_bits { len as i64 * 8 } else { len as i64 };
        let end = self.end.unwrap_or(-1);
        let is_backwards = self.start < 0 && end < 0 && end < self.start;
        if is_backwards && self.purpose == Purpose::Count {
            return None;
        }
        let from_end = |place: i64| if place < 0 { (total + place).max(0) } else { place };
        let (start, end) = (from_end(self.start), from_end(end).min(total - 1));
        if end < start {
            return None;
        }
        let (start, end) = (start as u64, end as u64);
        Some(if self.is_in_bits {
            Span { first: start, last: end }
        } else {
            Span { first: start * 8, last: end * 8 + 7 }
        })
    }
}

fn is_in_bits(unit: Option<&[u8]>) -> Result<bool, CommandError> {
    match unit {
        None => Ok(false),
        Some(word) if args::is_word(word, "bit") => Ok(true),
        Some(word) if args::is_word(word, "byte") => Ok(false),
        Some(_) => Err(CommandError::Syntax),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_clamped_as_in_redis() {
        let range = |start, end, is_in_bits, purpose| Range { start, end, is_in_bits, purpose };
        let span = |start, end, is_in_bits| range(start, end, is_in_bits, Purpose::Count).span(4);
        let bits = |first, last| Some(Span { first, last });
        assert_eq!(span(0, None, false), bits(0, 31));
        assert_eq!(span(1, Some(2), false), bits(8, 23));
        assert_eq!(span(-1, None, false), bits(24, 31));
        assert_eq!(span(5, Some(30), true), bits(5, 30));
        assert_eq!(span(-3, Some(-2), true), bits(29, 30));
        assert_eq!(span(-100, Some(100), false), bits(0, 31));
        // An end before the beginning stands for the beginning.
        assert_eq!(span(0, Some(-100), false), bits(0, 7));
        assert_eq!(span(-100, Some(-200), false), None);
        assert_eq!(span(2, Some(1), false), None);
        assert_eq!(span(4, None, false), None);
        assert_eq!(span(i64::MIN, Some(i64::MAX), true), bits(0, 31));
        assert_eq!(range(-100, Some(-200), false, Purpose::Position).span(4), bits(0, 7));
        assert_eq!(range(0, None, false, Purpose::Count).span(0), None);
    }
}
