//! Intset: sorted integers of one width.
//!
//! ```text
//! | width 4 | count 4 | integer | integer | …
//! ```

use super::super::RdbError;
use super::array;

const HEADER_LEN: usize = 8;

/// A walk over an intset.
pub struct Intset<'a> {
    bytes: &'a [u8],
    width: usize,
    last: Option<i64>,
}

impl<'a> Intset<'a> {
    /// Looks at the header.
    pub fn new(bytes: &'a [u8]) -> Result<Self, RdbError> {
        let wrong = RdbError::Corrupt("the header of an intset");
        let header =
            array(bytes, 0).map(u32::from_le_bytes).zip(array(bytes, 4).map(u32::from_le_bytes));
        let Some((width @ (2 | 4 | 8), count)) = header else { return Err(wrong) };
        let (width, integers) = (width as usize, &bytes[HEADER_LEN..]);
        if (count as usize).checked_mul(width) != Some(integers.len()) {
            return Err(wrong);
        }
        Ok(Self { bytes: integers, width, last: None })
    }
}

impl Iterator for Intset<'_> {
    type Item = Result<i64, RdbError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.bytes.is_empty() {
            return None;
        }
        let integer = match self.width {
            2 => array(self.bytes, 0).map(i16::from_le_bytes).map(i64::from),
            4 => array(self.bytes, 0).map(i32::from_le_bytes).map(i64::from),
            _ => array(self.bytes, 0).map(i64::from_le_bytes),
        }?;
        if self.last.is_some_and(|last| integer <= last) {
            self.bytes = &[];
            return Some(Err(RdbError::Corrupt("the order of an intset")));
        }
        self.bytes = &self.bytes[self.width..];
        self.last = Some(integer);
        Some(Ok(integer))
    }
}
