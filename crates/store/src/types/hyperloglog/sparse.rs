//! Registers as runs of equal ones.
//!
//! Raising a register splits the run that it is in:
//!
//! ```text
//! zeros 100                    →  zeros 30, value 7 × 1, zeros 69
//! value 3 × 4                  →  value 3 × 1, value 7 × 1, value 3 × 2
//! ```
//!
//! After that, runs of values nearby are joined where they are equal and a run can hold them: five
//! looks, from the run before the split on. A run holds four values, so joining goes from the left
//! and may leave a short run behind a full one. All this is done as Redis does it, for the bytes
//! are the value that clients see.

use super::estimate::Histogram;
use super::{Corrupt, HEADER_LEN, REGISTER_COUNT};
use crate::layout::entry::Entry;

/// All registers zero.
pub(super) const EMPTY: [u8; 2] = (LONG | (REGISTER_COUNT - 1) as u16).to_be_bytes();

const LONG: u16 = 0x4000;
const VALUE: u8 = 0x80;
const ZEROS_MAX: usize = 64;
const VALUES_MAX: usize = 4;
/// Largest value of a register that a run can have.
const VALUE_MAX: u8 = 32;
/// How many runs are looked at to be joined after a change.
const JOIN_LOOKS: usize = 5;
/// What a split makes at most: long zeros, a value, long zeros.
const SPLIT_LEN_MAX: usize = 5;

/// What came of raising a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Raised {
    /// It was large enough.
    No,
    /// Nothing has changed: the counter must be dense for this.
    TooLarge,
    /// It was less.
    Yes,
}

/// Some equal registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) value: u8,
    pub(super) count: usize,
    /// Bytes that it takes.
    len: usize,
}

impl Run {
    /// The first run in `bytes`, which are not empty.
    #[inline]
    fn first(bytes: &[u8]) -> Result<Self, Corrupt> {
        let byte = bytes[0];
        let few = usize::from(byte % 64) + 1;
        if byte & VALUE != 0 {
            let value = (byte >> 2) % 32 + 1;
            Ok(Self { value, count: usize::from(byte % 4) + 1, len: 1 })
        } else if byte < 0x40 {
            Ok(Self { value: 0, count: few, len: 1 })
        } else {
            let low = bytes.get(1).ok_or(Corrupt)?;
            Ok(Self { value: 0, count: (few - 1) * 256 + usize::from(*low) + 1, len: 2 })
        }
    }

    /// Whether it takes the long form.
    pub(super) fn is_long(self) -> bool {
        self.len == 2
    }
}

/// The runs in order. After an error there are no more.
pub(super) fn runs(registers: &[u8]) -> impl Iterator<Item = Result<Run, Corrupt>> {
    let mut rest = registers;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let run = Run::first(rest);
        rest = run.map_or(&[], |run| &rest[run.len..]);
        Some(run)
    })
}

/// How many registers have which value.
pub(super) fn histogram(registers: &[u8]) -> Result<Histogram, Corrupt> {
    let mut histogram = Histogram::default();
    let mut total = 0;
    for run in runs(registers) {
        let Run { value, count, .. } = run?;
        total += count;
        if REGISTER_COUNT < total {
            return Err(Corrupt);
        }
        histogram.add(value, count as u32);
    }
    if total == REGISTER_COUNT { Ok(histogram) } else { Err(Corrupt) }
}

/// Makes every register of `max` at least what it is here.
pub(super) fn merge(registers: &[u8], max: &mut [u8; REGISTER_COUNT]) -> Result<(), Corrupt> {
    let mut index = 0;
    for run in runs(registers) {
        let Run { value, count, .. } = run?;
        let values = max.get_mut(index..index + count).ok_or(Corrupt)?;
        index += count;
        if value != 0 {
            values.iter_mut().for_each(|max| *max = value.max(*max));
        }
    }
    if index == REGISTER_COUNT { Ok(()) } else { Err(Corrupt) }
}

/// Makes register `index` at least `value`, unless the counter would grow beyond `len_max`.
pub(super) fn raise(
    entry: &mut Entry,
    index: usize,
    value: u8,
    len_max: usize,
) -> Result<Raised, Corrupt> {
    if VALUE_MAX < value {
        return Ok(Raised::TooLarge);
    }
    let bytes = entry.as_ref().string().bytes();
    let place = Place::of(bytes, index)?;
    let run = place.run;
    if value <= run.value {
        return Ok(Raised::No);
    }
    let mut split = Split::default();
    let before = index - place.first;
    split.push(run.value, before);
    split.push(value, 1);
    split.push(run.value, run.count - before - 1);
    let len = bytes.len() + split.len - run.len;
    if bytes.len() < len && len_max < len {
        return Ok(Raised::TooLarge);
    }
    replace(entry, place.at, run.len, &split.bytes[..split.len]);
    join(entry, place.before);
    Ok(Raised::Yes)
}

/// The run that a register is in.
struct Place {
    run: Run,
    /// Where the run stands.
    at: usize,
    /// Where the run before it stands, or itself.
    before: usize,
    /// Its first register.
    first: usize,
}

impl Place {
    fn of(bytes: &[u8], index: usize) -> Result<Self, Corrupt> {
        let (mut at, mut before, mut first) = (HEADER_LEN, HEADER_LEN, 0);
        while at < bytes.len() {
            let run = Run::first(&bytes[at..])?;
            if index < first + run.count {
                return Ok(Self { run, at, before, first });
            }
            before = at;
            at += run.len;
            first += run.count;
        }
        Err(Corrupt)
    }
}

/// The runs that take the place of one.
#[derive(Default)]
struct Split {
    bytes: [u8; SPLIT_LEN_MAX],
    len: usize,
}

impl Split {
    fn push(&mut self, value: u8, count: usize) {
        if count == 0 {
            return;
        }
        let long = (LONG | (count - 1) as u16).to_be_bytes();
        let short = match value {
            0 => [(count - 1) as u8],
            _ => [value_run(value, count)],
        };
        let run = if value == 0 && ZEROS_MAX < count { &long[..] } else { &short[..] };
        self.bytes[self.len..self.len + run.len()].copy_from_slice(run);
        self.len += run.len();
    }
}

fn value_run(value: u8, count: usize) -> u8 {
    VALUE | (value - 1) << 2 | (count - 1) as u8
}

/// Puts `new` in the place of `len` bytes at `at`.
fn replace(entry: &mut Entry, at: usize, len: usize, new: &[u8]) {
    let old_end = entry.as_ref().string().len();
    let end = old_end - len + new.len();
    if old_end < end {
        entry.resize_value(end);
    }
    let bytes = entry.as_mut().string_mut();
    bytes.copy_within(at + len..old_end, at + new.len());
    bytes[at..at + new.len()].copy_from_slice(new);
    if end < old_end {
        entry.resize_value(end);
    }
}

/// Joins equal runs of values, from the run at `at` on.
fn join(entry: &mut Entry, mut at: usize) {
    for _ in 0..JOIN_LOOKS {
        let bytes = entry.as_ref().string().bytes();
        let Some(Ok(run)) = bytes.get(at..).filter(|rest| !rest.is_empty()).map(Run::first) else {
            return;
        };
        let next = bytes.get(at + 1).filter(|_| run.value != 0);
        let next = next.and_then(|byte| Run::first(&[*byte]).ok());
        let equal = next.filter(|next| next.value == run.value);
        match equal.map(|next| run.count + next.count).filter(|count| *count <= VALUES_MAX) {
            Some(count) => replace(entry, at, 2, &[value_run(run.value, count)]),
            None => at += run.len,
        }
    }
}
