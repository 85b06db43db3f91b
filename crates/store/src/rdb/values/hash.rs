//! The forms of hashes, with deadlines of fields and without.

use std::io::{self, Read, Write};

use base::numbers::IntegerBuffer;

use super::super::packed::{Item, Listpack, Ziplist, Zipmap};
use super::super::types::TypeCode;
use super::super::value::{Plan, Rules};
use super::super::{Family, RdbError, Reader, Target, Version, Writer};
use crate::layout::home::{Form, Home, Large, Own};
use crate::types::hash::{self, LargeHash, Ttl};
use crate::types::limits::HashLimits;

/// Where Valkey writes a deadline: there is none.
const NO_DEADLINE: u64 = u64::MAX;

/// A hash that grows.
struct Growing {
    hash: Own<LargeHash>,
    limits: HashLimits,
    now_ms: u64,
    /// Whether a field was left out, whose time had passed.
    has_passed: bool,
}

impl Growing {
    fn add(&mut self, field: &[u8], value: &[u8], deadline: Option<u64>) -> Result<(), RdbError> {
        let ttl = match deadline {
            Some(deadline) if deadline < self.now_ms => {
                self.has_passed = true;
                return Ok(());
            }
            Some(deadline) if i64::try_from(deadline).is_err() => {
                return Err(RdbError::Corrupt("the deadline of a field"));
            }
            Some(deadline) => Ttl::At(deadline),
            None => Ttl::Clear,
        };
        match hash::set(&mut self.hash, field, value, ttl, self.now_ms, self.limits) {
            true => Ok(()),
            false => Err(RdbError::Corrupt("a field comes twice")),
        }
    }

    fn add_pairs<'a>(
        &mut self,
        mut items: impl Iterator<Item = Result<Item<'a>, RdbError>>,
        is_timed: bool,
    ) -> Result<(), RdbError> {
        let (mut field_digits, mut value_digits) = (IntegerBuffer::new(), IntegerBuffer::new());
        while let Some(field) = items.next() {
            let field = field?;
            let mut next = || items.next().unwrap_or(Err(RdbError::Corrupt("a value is missing")));
            let value = next()?;
            let deadline = if is_timed { packed_deadline(next()?)? } else { None };
            let (field, value) = (field.text(&mut field_digits), value.text(&mut value_digits));
            self.add(field, value, deadline)?;
        }
        Ok(())
    }

    fn read_packed(&mut self, bytes: &[u8], type_code: TypeCode) -> Result<(), RdbError> {
        match type_code {
            TypeCode::HashZipmap => {
                for pair in Zipmap::new(bytes)? {
                    let (field, value) = pair?;
                    self.add(field, value, None)?;
                }
                Ok(())
            }
            TypeCode::HashZiplist => self.add_pairs(Ziplist::new(bytes)?, false),
            TypeCode::HashListpack => self.add_pairs(Listpack::new(bytes)?, false),
            _ => self.add_pairs(Listpack::new(bytes)?, true),
        }
    }
}

/// Reads a hash.
pub(in super::super) fn read<R: Read>(
    reader: &mut Reader<R>,
    type_code: TypeCode,
    rules: &Rules<'_>,
) -> Result<Own<LargeHash>, RdbError> {
    let (limits, now_ms) = (rules.limits.hash, rules.now_ms);
    let mut growing = Growing { hash: Own::default(), limits, now_ms, has_passed: false };
    let earliest = match type_code {
        TypeCode::HashTimed | TypeCode::HashTimedListpack => reader.milliseconds()?,
        _ => 0,
    };
    match type_code {
        TypeCode::Hash
        | TypeCode::HashTimed
        | TypeCode::HashTimedEarly
        | TypeCode::HashTimedValkey => {
            let count = reader.count()?;
            read_pairs(reader, type_code, count, earliest, &mut growing)?;
        }
        _ => {
            let mut bytes = Vec::new();
            reader.string(&mut bytes)?;
            growing.read_packed(&bytes, type_code)?;
        }
    }
    let is_empty = LargeHash::len(growing.hash.form()) == 0 && !growing.has_passed;
    if is_empty { Err(RdbError::Empty) } else { Ok(growing.hash) }
}

fn read_pairs<R: Read>(
    reader: &mut Reader<R>,
    type_code: TypeCode,
    count: u64,
    earliest: u64,
    growing: &mut Growing,
) -> Result<(), RdbError> {
    let (mut field, mut value) = (Vec::new(), Vec::new());
    for _ in 0..count {
        // Zero is no deadline; in the settled form one stands for the earliest.
        let before = match type_code {
            TypeCode::HashTimed => match reader.length()? {
                0 => None,
                distance => Some(earliest.saturating_add(distance - 1)),
            },
            TypeCode::HashTimedEarly => Some(reader.length()?).filter(|deadline| *deadline != 0),
            _ => None,
        };
        reader.string(&mut field)?;
        reader.string(&mut value)?;
        let deadline = match type_code {
            TypeCode::HashTimedValkey => {
                Some(reader.milliseconds()?).filter(|deadline| *deadline != NO_DEADLINE)
            }
            _ => before,
        };
        growing.add(&field, &value, deadline)?;
    }
    Ok(())
}

/// How to write a hash.
pub(in super::super) fn plan(form: Form<'_, LargeHash>, target: &Target) -> Option<Plan> {
    let is_timed = matches!(form, Form::Large(large) if large.next_deadline_ms().is_some());
    let (type_code, version) = match (is_timed, target.family()) {
        (false, _) => (TypeCode::Hash, Version::OLDEST),
        (true, Family::Redis) => (TypeCode::HashTimed, Version::FIELD_DEADLINES),
        (true, Family::Valkey) => (TypeCode::HashTimedValkey, Version::VALKEY),
    };
    target.has(version).then_some(Plan { type_code, version })
}

/// Writes the fields of a hash.
pub(in super::super) fn write<W: Write>(
    writer: &mut Writer<W>,
    form: Form<'_, LargeHash>,
    type_code: TypeCode,
) -> io::Result<()> {
    let earliest = hash::iter_timed(form).filter_map(|(_, _, deadline)| deadline).min();
    let earliest = earliest.unwrap_or(0);
    if type_code == TypeCode::HashTimed {
        writer.milliseconds(earliest)?;
    }
    writer.count(LargeHash::len(form))?;
    for (field, value, deadline) in hash::iter_timed(form) {
        if type_code == TypeCode::HashTimed {
            writer.length(deadline.map_or(0, |deadline| deadline - earliest + 1))?;
        }
        writer.string(field)?;
        writer.string(value)?;
        if type_code == TypeCode::HashTimedValkey {
            writer.milliseconds(deadline.unwrap_or(NO_DEADLINE))?;
        }
    }
    Ok(())
}

fn packed_deadline(item: Item<'_>) -> Result<Option<u64>, RdbError> {
    let deadline = item.integer().and_then(|deadline| u64::try_from(deadline).ok());
    let deadline = deadline.ok_or(RdbError::Corrupt("the deadline of a field"))?;
    Ok((deadline != 0).then_some(deadline))
}
