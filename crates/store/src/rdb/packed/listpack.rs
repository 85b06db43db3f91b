//! Listpack: elements that can be walked from both ends.
//!
//! ```text
//! | bytes 4 | count 2 | element | element | … | 255 |
//!
//! element = | 0xxxxxxx                          a number below 128
//!           | 10llllll …                        a string of up to 63 bytes
//!           | 110xxxxx x                        a number of 13 bits
//!           | 1110llll l …                      a string of up to 4095 bytes
//!           | 11110000 l l l l …                a longer one
//!           | 111100kk …                        a number of 2, 3, 4, 8 bytes (kk = 1, 2, 3, then 4)
//!           | length of the element so far, 1 to 5 bytes |
//! ```
//!
//! The length at the end of an element is read backwards: seven bits a byte, the lowest in the last
//! byte, and the high bit says that another byte stands before it. A count of 65535 says that there
//! are so many or more.

use super::super::RdbError;
use super::{COUNT_UNKNOWN, END, Item, Left, array, integer_24, slice};

const HEADER_LEN: usize = 6;
const WRONG: RdbError = RdbError::Corrupt("a listpack");

/// A walk over a listpack.
#[derive(Clone)]
pub struct Listpack<'a> {
    /// The elements that are left.
    bytes: &'a [u8],
    left: Left,
}

impl<'a> Listpack<'a> {
    /// Looks at the header and the end.
    pub fn new(bytes: &'a [u8]) -> Result<Self, RdbError> {
        let left = Left::of(bytes, HEADER_LEN).ok_or(WRONG)?;
        Ok(Self { bytes: &bytes[HEADER_LEN..bytes.len() - 1], left })
    }

    /// The next element, which must be there.
    pub fn required(&mut self) -> Result<Item<'a>, RdbError> {
        self.next().unwrap_or(Err(WRONG))
    }

    /// The next element, which must be there and a number.
    pub fn integer(&mut self) -> Result<i64, RdbError> {
        self.required()?.integer().ok_or(WRONG)
    }

    fn step(&mut self) -> Option<Item<'a>> {
        let (item, len) = element(self.bytes)?;
        let back_len = back_len(len);
        let is_right = read_back(slice(self.bytes, len, back_len)?) == Some(len);
        self.left.take()?;
        self.bytes = &self.bytes[len + back_len..];
        is_right.then_some(item)
    }
}

impl<'a> Iterator for Listpack<'a> {
    type Item = Result<Item<'a>, RdbError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.bytes.is_empty() {
            let is_over = self.left.may_be_none();
            self.left = Left(None);
            return (!is_over).then_some(Err(WRONG));
        }
        let item = self.step();
        if item.is_none() {
            (self.bytes, self.left) = (&[], Left(None));
        }
        Some(item.ok_or(WRONG))
    }
}

/// The element at the beginning, and its length without the one that it ends with.
#[inline]
fn element(bytes: &[u8]) -> Option<(Item<'_>, usize)> {
    let first = *bytes.first()?;
    let string = |start: usize, len: usize| {
        slice(bytes, start, len).map(|text| (Item::Bytes(text), start + len))
    };
    let integer = |value: i64, len: usize| Some((Item::Integer(value), len));
    match first {
        0x00..=0x7f => integer(i64::from(first), 1),
        0x80..=0xbf => string(1, usize::from(first & 0x3f)),
        0xc0..=0xdf => {
            let raw = i16::from_be_bytes([first & 0x1f, *bytes.get(1)?]);
            // Thirteen bits: the sign is the highest of them.
            integer(i64::from(raw << 3 >> 3), 2)
        }
        0xe0..=0xef => string(2, usize::from(first & 0x0f) << 8 | usize::from(*bytes.get(1)?)),
        0xf0 => string(5, u32::from_le_bytes(array(bytes, 1)?) as usize),
        0xf1 => integer(i64::from(i16::from_le_bytes(array(bytes, 1)?)), 3),
        0xf2 => integer(integer_24(array(bytes, 1)?), 4),
        0xf3 => integer(i64::from(i32::from_le_bytes(array(bytes, 1)?)), 5),
        0xf4 => integer(i64::from_le_bytes(array(bytes, 1)?), 9),
        0xf5..=0xff => None,
    }
}

/// Bytes of the length at the end of an element of `len` bytes.
fn back_len(len: usize) -> usize {
    match len {
        0..0x80 => 1,
        0x80..0x4000 => 2,
        0x4000..0x20_0000 => 3,
        0x20_0000..0x1000_0000 => 4,
        _ => 5,
    }
}

fn read_back(bytes: &[u8]) -> Option<usize> {
    let mut len = 0;
    for (index, byte) in bytes.iter().enumerate() {
        // All but the first say that there is another before them.
        if (byte & 0x80 != 0) != (index != 0) {
            return None;
        }
        len = len << 7 | usize::from(byte & 0x7f);
    }
    Some(len)
}

/// A listpack that is being written.
#[derive(Default)]
pub struct ListpackBuilder {
    /// The header, and the elements.
    bytes: Vec<u8>,
    count: usize,
}

impl ListpackBuilder {
    /// Adds a number.
    pub fn integer(&mut self, value: i64) {
        let start = self.begin();
        let little = value.to_le_bytes();
        if (0..128).contains(&value) {
            self.bytes.push(value as u8);
        } else if (-4096..4096).contains(&value) {
            self.bytes.extend_from_slice(&[0xc0 | (value >> 8) as u8 & 0x1f, value as u8]);
        } else {
            let (code, len) = match value {
                -0x8000..0x8000 => (0xf1, 2),
                -0x80_0000..0x80_0000 => (0xf2, 3),
                -0x8000_0000..0x8000_0000 => (0xf3, 4),
                _ => (0xf4, 8),
            };
            self.bytes.push(code);
            self.bytes.extend_from_slice(&little[..len]);
        }
        self.end(start);
    }

    /// Adds a string as it is, digits too.
    ///
    /// # Panics
    /// If it has 4 GiB or more.
    pub fn bytes(&mut self, text: &[u8]) {
        let start = self.begin();
        let len = u32::try_from(text.len()).expect("an element is shorter than 4 GiB");
        if len < 1 << 6 {
            self.bytes.push(0x80 | len as u8);
        } else if len < 1 << 12 {
            self.bytes.extend_from_slice(&[0xe0 | (len >> 8) as u8, len as u8]);
        } else {
            self.bytes.push(0xf0);
            self.bytes.extend_from_slice(&len.to_le_bytes());
        }
        self.bytes.extend_from_slice(text);
        self.end(start);
    }

    /// All of it; the builder is empty after that.
    ///
    /// # Panics
    /// If it has 4 GiB or more.
    pub fn finish(&mut self) -> Vec<u8> {
        self.begin();
        self.bytes.push(END);
        let len = u32::try_from(self.bytes.len()).expect("a listpack is shorter than 4 GiB");
        let count = u16::try_from(self.count).unwrap_or(COUNT_UNKNOWN);
        self.bytes[..4].copy_from_slice(&len.to_le_bytes());
        self.bytes[4..HEADER_LEN].copy_from_slice(&count.to_le_bytes());
        self.count = 0;
        std::mem::take(&mut self.bytes)
    }

    fn begin(&mut self) -> usize {
        if self.bytes.is_empty() {
            self.bytes.extend_from_slice(&[0; HEADER_LEN]);
        }
        self.bytes.len()
    }

    /// Writes the length of the element that begins at `start`.
    fn end(&mut self, start: usize) {
        let len = self.bytes.len() - start;
        for index in (0..back_len(len)).rev() {
            let more = if index + 1 == back_len(len) { 0 } else { 0x80 };
            self.bytes.push((len >> (7 * index)) as u8 & 0x7f | more);
        }
        self.count += 1;
    }
}
