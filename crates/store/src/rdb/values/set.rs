//! The forms of sets.

use std::io::{self, Read, Write};

use base::numbers::IntegerBuffer;

use super::super::packed::{Intset, Listpack};
use super::super::types::TypeCode;
use super::super::value::Rules;
use super::super::{RdbError, Reader, Writer};
use crate::layout::home::{Form, Home, Large, Own};
use crate::types::limits::SetLimits;
use crate::types::set::{self, LargeSet, Member};

/// A set that grows.
struct Growing {
    set: Own<LargeSet>,
    limits: SetLimits,
}

impl Growing {
    fn add(&mut self, member: &[u8]) -> Result<(), RdbError> {
        match set::add(&mut self.set, member, &self.limits) {
            true => Ok(()),
            false => Err(RdbError::Corrupt("a member comes twice")),
        }
    }

    /// Members are to come, of which this is the first.
    fn begin(&mut self, first: &[u8], count: u64) -> Result<(), RdbError> {
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        set::reserve(&mut self.set, first, count, &self.limits);
        self.add(first)
    }
}

/// Reads a set.
pub(in super::super) fn read<R: Read>(
    reader: &mut Reader<R>,
    type_code: TypeCode,
    rules: &Rules<'_>,
) -> Result<Own<LargeSet>, RdbError> {
    let mut growing = Growing { set: Own::default(), limits: rules.limits.set };
    let (mut bytes, mut digits) = (Vec::new(), IntegerBuffer::new());
    if type_code == TypeCode::Set {
        let count = reader.count()?;
        reader.string(&mut bytes)?;
        growing.begin(&bytes, count)?;
        for _ in 1..count {
            reader.string(&mut bytes)?;
            growing.add(&bytes)?;
        }
        return Ok(growing.set);
    }
    reader.string(&mut bytes)?;
    if type_code == TypeCode::SetIntset {
        for integer in Intset::new(&bytes)? {
            growing.add(digits.format(integer?))?;
        }
    } else {
        for item in Listpack::new(&bytes)? {
            growing.add(item?.text(&mut digits))?;
        }
    }
    if LargeSet::len(growing.set.form()) == 0 { Err(RdbError::Empty) } else { Ok(growing.set) }
}

/// Writes the members of a set.
pub(in super::super) fn write<W: Write>(
    writer: &mut Writer<W>,
    form: Form<'_, LargeSet>,
) -> io::Result<()> {
    writer.count(LargeSet::len(form))?;
    for member in set::iter(form) {
        match member {
            Member::Integer(integer) => writer.integer(integer)?,
            Member::Text(bytes) => writer.string(bytes)?,
        }
    }
    Ok(())
}
