//! Zipmap: the small hashes of Redis 2.4.
//!
//! ```text
//! | count 1 | length | field | length | free 1 | value | free bytes | … | 255 |
//! ```
//!
//! A length is one byte below 254, or 254 and four bytes. A count of 254 or more is not known.

use super::super::RdbError;
use super::{array, slice};

const END: u8 = 255;
const LONG: u8 = 254;
const WRONG: RdbError = RdbError::Corrupt("a zipmap");

/// A walk over a zipmap.
pub struct Zipmap<'a> {
    /// The pairs that are left.
    bytes: &'a [u8],
    left: Option<u8>,
}

impl<'a> Zipmap<'a> {
    /// Looks at the count and the end.
    pub fn new(bytes: &'a [u8]) -> Result<Self, RdbError> {
        let [count, pairs @ .., END] = bytes else { return Err(WRONG) };
        Ok(Self { bytes: pairs, left: (*count < LONG).then_some(*count) })
    }

    fn step(&mut self) -> Option<(&'a [u8], &'a [u8])> {
        let (field_len, at) = length(self.bytes, 0)?;
        let field = slice(self.bytes, at, field_len)?;
        let (value_len, at) = length(self.bytes, at + field_len)?;
        let free = usize::from(*self.bytes.get(at)?);
        let value = slice(self.bytes, at + 1, value_len)?;
        self.left = match self.left {
            None => None,
            Some(left) => Some(left.checked_sub(1)?),
        };
        self.bytes = self.bytes.get(at + 1 + value_len + free..)?;
        Some((field, value))
    }
}

impl<'a> Iterator for Zipmap<'a> {
    type Item = Result<(&'a [u8], &'a [u8]), RdbError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.bytes.is_empty() {
            let is_short = self.left.is_some_and(|left| left != 0);
            self.left = None;
            return is_short.then_some(Err(WRONG));
        }
        let pair = self.step();
        if pair.is_none() {
            (self.bytes, self.left) = (&[], None);
        }
        Some(pair.ok_or(WRONG))
    }
}

/// The length at `at`, and where it ends.
fn length(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    match *bytes.get(at)? {
        END => None,
        LONG => Some((u32::from_le_bytes(array(bytes, at + 1)?) as usize, at + 5)),
        short => Some((usize::from(short), at + 1)),
    }
}
