//! Ziplist: what came before listpacks.
//!
//! ```text
//! | bytes 4 | offset of the last element 4 | count 2 | element | element | … | 255 |
//!
//! element = | length of the element before, 1 byte, or 254 and 4 bytes
//!           | 00llllll …                         a string of up to 63 bytes
//!           | 01llllll l …                       a string of up to 16383 bytes
//!           | 10------ l l l l …                 a longer one, the highest byte first
//!           | 1100---- 1101---- 1110---- 11110000 11111110    a number of 2, 4, 8, 3, 1 bytes
//!           | 1111xxxx                           the number x - 1, x from 1 to 13
//! ```

use super::super::RdbError;
use super::{Item, Left, array, integer_24, slice};

const HEADER_LEN: usize = 10;
const LONG_BEFORE: u8 = 254;
const WRONG: RdbError = RdbError::Corrupt("a ziplist");

/// A walk over a ziplist.
pub struct Ziplist<'a> {
    /// All of it.
    bytes: &'a [u8],
    /// Where the next element begins.
    at: usize,
    /// Length of the element before.
    before: usize,
    left: Left,
}

impl<'a> Ziplist<'a> {
    /// Looks at the header and the end.
    pub fn new(bytes: &'a [u8]) -> Result<Self, RdbError> {
        let left = Left::of(bytes, HEADER_LEN).ok_or(WRONG)?;
        Ok(Self { bytes, at: HEADER_LEN, before: 0, left })
    }

    fn step(&mut self) -> Option<Item<'a>> {
        let elements = &self.bytes[..self.bytes.len() - 1];
        let (before, at) = match *elements.get(self.at)? {
            LONG_BEFORE => {
                let before = u32::from_le_bytes(array(elements, self.at + 1)?);
                (before as usize, self.at + 5)
            }
            before => (usize::from(before), self.at + 1),
        };
        let (item, len) = element(elements.get(at..)?)?;
        self.left.take()?;
        let is_right = before == self.before;
        self.before = at + len - self.at;
        self.at = at + len;
        is_right.then_some(item)
    }

    /// Whether the end is where the header says.
    fn ends_well(&self) -> bool {
        let last = array(self.bytes, 4).map(|bytes| u32::from_le_bytes(bytes) as usize);
        last == Some(self.at - self.before) && self.left.may_be_none()
    }
}

impl<'a> Iterator for Ziplist<'a> {
    type Item = Result<Item<'a>, RdbError>;

    fn next(&mut self) -> Option<Self::Item> {
        let end = self.bytes.len().saturating_sub(1);
        if self.bytes.is_empty() {
            return None;
        }
        let item = match self.at == end {
            true if self.ends_well() => None,
            true => Some(Err(WRONG)),
            false => Some(self.step().ok_or(WRONG)),
        };
        if !matches!(item, Some(Ok(_))) {
            self.bytes = &[];
        }
        item
    }
}

/// What stands behind the length of the element before, and its own length.
fn element(bytes: &[u8]) -> Option<(Item<'_>, usize)> {
    let first = *bytes.first()?;
    let string = |start: usize, len: usize| {
        slice(bytes, start, len).map(|text| (Item::Bytes(text), start + len))
    };
    let integer = |value: i64, len: usize| Some((Item::Integer(value), len));
    match first {
        0x00..=0x3f => string(1, usize::from(first)),
        0x40..=0x7f => string(2, usize::from(first & 0x3f) << 8 | usize::from(*bytes.get(1)?)),
        0x80 => string(5, u32::from_be_bytes(array(bytes, 1)?) as usize),
        0xc0 => integer(i64::from(i16::from_le_bytes(array(bytes, 1)?)), 3),
        0xd0 => integer(i64::from(i32::from_le_bytes(array(bytes, 1)?)), 5),
        0xe0 => integer(i64::from_le_bytes(array(bytes, 1)?), 9),
        0xf0 => integer(integer_24(array(bytes, 1)?), 4),
        0xf1..=0xfd => integer(i64::from(first & 0x0f) - 1, 1),
        0xfe => integer(i64::from(i8::from_le_bytes(array(bytes, 1)?)), 2),
        _ => None,
    }
}
