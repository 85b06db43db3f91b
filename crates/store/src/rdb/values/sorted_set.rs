//! The forms of sorted sets.

use std::io::{self, Read, Write};

use base::numbers::{self, IntegerBuffer};

use super::super::packed::{Item, Listpack, Ziplist};
use super::super::types::TypeCode;
use super::super::value::Rules;
use super::super::{RdbError, Reader, Writer};
use crate::layout::home::{Form, Home, Large, Own};
use crate::types::limits::SortedSetLimits;
use crate::types::sorted_set::{self, LargeSortedSet};

const DIGITS_NAN: u8 = 253;
const DIGITS_INFINITE: u8 = 254;
const DIGITS_INFINITE_BELOW: u8 = 255;

/// A sorted set that grows.
struct Growing {
    set: Own<LargeSortedSet>,
    limits: SortedSetLimits,
}

impl Growing {
    fn add(&mut self, member: &[u8], score: f64) -> Result<(), RdbError> {
        if score.is_nan() {
            return Err(RdbError::Corrupt("a score is no number"));
        }
        match sorted_set::set(&mut self.set, member, score, &self.limits).is_added() {
            true => Ok(()),
            false => Err(RdbError::Corrupt("a member comes twice")),
        }
    }

    fn add_pairs<'a>(
        &mut self,
        mut items: impl Iterator<Item = Result<Item<'a>, RdbError>>,
    ) -> Result<(), RdbError> {
        let mut digits = IntegerBuffer::new();
        while let Some(member) = items.next() {
            let member = member?;
            let score = match items.next().ok_or(RdbError::Corrupt("a score is missing"))?? {
                Item::Integer(score) => score as f64,
                Item::Bytes(text) => parse_score(text)?,
            };
            self.add(member.text(&mut digits), score)?;
        }
        match LargeSortedSet::len(self.set.form()) {
            0 => Err(RdbError::Empty),
            _ => Ok(()),
        }
    }
}

/// Reads a sorted set.
pub(in super::super) fn read<R: Read>(
    reader: &mut Reader<R>,
    type_code: TypeCode,
    rules: &Rules<'_>,
) -> Result<Own<LargeSortedSet>, RdbError> {
    let mut growing = Growing { set: Own::default(), limits: rules.limits.zset };
    let mut bytes = Vec::new();
    match type_code {
        TypeCode::SortedSetListpack => {
            reader.string(&mut bytes)?;
            growing.add_pairs(Listpack::new(&bytes)?)?;
        }
        TypeCode::SortedSetZiplist => {
            reader.string(&mut bytes)?;
            growing.add_pairs(Ziplist::new(&bytes)?)?;
        }
        _ => {
            let count = reader.count()?;
            let known = usize::try_from(count).unwrap_or(usize::MAX);
            sorted_set::reserve(&mut growing.set, known, 0, &growing.limits);
            for _ in 0..count {
                reader.string(&mut bytes)?;
                let score = match type_code {
                    TypeCode::SortedSetDigits => digits(reader)?,
                    _ => reader.float()?,
                };
                growing.add(&bytes, score)?;
            }
        }
    }
    Ok(growing.set)
}

/// Writes the members of a sorted set. The last comes first: Redis, whose lists of scores are built
/// from their head, reads that fastest.
pub(in super::super) fn write<W: Write>(
    writer: &mut Writer<W>,
    form: Form<'_, LargeSortedSet>,
) -> io::Result<()> {
    let count = LargeSortedSet::len(form);
    writer.count(count)?;
    for item in sorted_set::iter_back(form, 0..count) {
        writer.string(item.member)?;
        writer.bytes(&item.score.to_le_bytes())?;
    }
    Ok(())
}

/// A score that is written in digits.
fn digits<R: Read>(reader: &mut Reader<R>) -> Result<f64, RdbError> {
    match reader.byte()? {
        DIGITS_NAN => Ok(f64::NAN),
        DIGITS_INFINITE => Ok(f64::INFINITY),
        DIGITS_INFINITE_BELOW => Ok(f64::NEG_INFINITY),
        len => {
            let mut text = Vec::new();
            reader.bytes(u64::from(len), &mut text)?;
            parse_score(&text)
        }
    }
}

fn parse_score(text: &[u8]) -> Result<f64, RdbError> {
    numbers::parse_f64(text).ok_or(RdbError::Corrupt("a score is no number"))
}
