//! One element of a list as bytes that can be read from both ends.
//!
//! ```text
//! | head 1..9 | bytes of a string | length before this field, 1..5 |
//! ```
//!
//! The first bits of the head say what follows, so that a number takes fewer bytes than its text:
//!
//! | head                | what it is                                     |
//! | ------------------- | ---------------------------------------------- |
//! | `0xxxxxxx`          | the integer 0 to 127                           |
//! | `10llllll`          | a string of up to 63 bytes                     |
//! | `110xxxxx` + 1 byte | an integer of 13 bits                          |
//! | `1110llll` + 1 byte | a string of up to 4095 bytes                   |
//! | `F0` + 4 bytes      | a longer string, its length little-endian      |
//! | `F1` to `F4`        | an integer of 2, 3, 4 or 8 bytes, little-endian |
//!
//! The last field counts the bytes before it, seven bits a byte, the lowest at the very end and the
//! high bit set where another byte stands to the left. These are the entries of listpacks in dump
//! files, so a chunk's bytes go into one and come out of one as they are, and a list changes its
//! encoding exactly where clients have seen it do so.
//!
//! A text has one form only, so two elements are equal if their bytes are.

use std::sync::Arc;

use crate::types::item::INTEGER_LEN_MAX;
use base::numbers::{IntegerBuffer, parse_i64};

const HEAD_LEN_MAX: usize = 9;

const STRING_LONG: u8 = 0xf0;
const INTEGER_16: u8 = 0xf1;
const INTEGER_24: u8 = 0xf2;
const INTEGER_32: u8 = 0xf3;
const INTEGER_64: u8 = 0xf4;

/// An element, where it lies.
#[derive(Clone, Copy, Debug)]
pub enum Element<'a> {
    /// Bytes inside the list: copy them.
    Bytes(&'a [u8]),
    /// A number, kept as such.
    Integer(i64),
    /// Bytes of their own: clone the pointer, and they outlive the lock.
    Shared(&'a Arc<Vec<u8>>),
}

impl<'a> Element<'a> {
    /// The text; `buffer` holds it if it is a number.
    #[inline]
    pub fn bytes<'b>(self, buffer: &'b mut IntegerBuffer) -> &'b [u8]
    where
        'a: 'b,
    {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Integer(value) => buffer.format(value),
            Self::Shared(bytes) => bytes,
        }
    }

    /// The text, copied.
    pub fn to_vec(self) -> Vec<u8> {
        self.bytes(&mut IntegerBuffer::new()).to_vec()
    }
}

/// A text as it is kept, not yet written.
#[derive(Clone, Copy)]
pub(super) struct Encoded<'a> {
    head: [u8; HEAD_LEN_MAX],
    head_len: u8,
    data: &'a [u8],
}

impl<'a> Encoded<'a> {
    #[inline]
    pub(super) fn new(text: &'a [u8]) -> Self {
        let may_be_integer =
            text.len() <= INTEGER_LEN_MAX && matches!(text.first(), Some(b'0'..=b'9' | b'-'));
        match parse_i64(if may_be_integer { text } else { b"" }) {
            Some(value) => Self::integer(value),
            None => Self::string(text),
        }
    }

    fn string(text: &'a [u8]) -> Self {
        let mut head = [0; HEAD_LEN_MAX];
        let len = text.len();
        let head_len = if len < 1 << 6 {
            head[0] = 0x80 | len as u8;
            1
        } else if len < 1 << 12 {
            head[0] = 0xe0 | (len >> 8) as u8;
            head[1] = len as u8;
            2
        } else {
            head[0] = STRING_LONG;
            head[1..5].copy_from_slice(&(len as u32).to_le_bytes());
            5
        };
        Self { head, head_len, data: text }
    }

    fn integer(value: i64) -> Self {
        let mut head = [0; HEAD_LEN_MAX];
        let little = value.to_le_bytes();
        let width_of = |bits: u32| {
            let half = 1i64 << (bits - 1);
            (-half..half).contains(&value)
        };
        let head_len = if (0..128).contains(&value) {
            head[0] = value as u8;
            1
        } else if width_of(13) {
            head[0] = 0xc0 | (value >> 8) as u8 & 0x1f;
            head[1] = value as u8;
            2
        } else {
            let (mark, width) = if width_of(16) {
                (INTEGER_16, 2)
            } else if width_of(24) {
                (INTEGER_24, 3)
            } else if width_of(32) {
                (INTEGER_32, 4)
            } else {
                (INTEGER_64, 8)
            };
            head[0] = mark;
            head[1..=width].copy_from_slice(&little[..width]);
            1 + width as u8
        };
        Self { head, head_len, data: b"" }
    }

    /// Bytes that it takes, the length behind it included.
    #[inline]
    pub(super) fn size(&self) -> usize {
        let len = self.content_len();
        len + back_len(len)
    }

    /// Writes it into `out`, which is exactly as long as [`Self::size`] says.
    #[inline]
    pub(super) fn write(&self, out: &mut [u8]) {
        let head_len = usize::from(self.head_len);
        let len = self.content_len();
        out[..head_len].copy_from_slice(&self.head[..head_len]);
        out[head_len..len].copy_from_slice(self.data);
        write_back(&mut out[len..], len);
    }

    /// Whether `elements` begin with it.
    #[inline]
    pub(super) fn is_first_of(&self, elements: &[u8]) -> bool {
        let head = &self.head[..usize::from(self.head_len)];
        elements.strip_prefix(head).is_some_and(|rest| rest.starts_with(self.data))
    }

    fn content_len(&self) -> usize {
        usize::from(self.head_len) + self.data.len()
    }
}

/// The first of `elements`, and how many bytes it takes.
#[inline]
pub(super) fn first(elements: &[u8]) -> (Element<'_>, usize) {
    let head = elements[0];
    let string = |from: usize, len: usize| {
        let end = from + len;
        (Element::Bytes(&elements[from..end]), end + back_len(end))
    };
    match head {
        0..=0x7f => (Element::Integer(i64::from(head)), 2),
        0x80..=0xbf => string(1, usize::from(head & 0x3f)),
        0xc0..=0xdf => {
            let bits = u16::from(head & 0x1f) << 8 | u16::from(elements[1]);
            // The sign is the highest of 13 bits.
            (Element::Integer(i64::from((bits << 3) as i16 >> 3)), 3)
        }
        0xe0..=0xef => string(2, usize::from(head & 0x0f) << 8 | usize::from(elements[1])),
        STRING_LONG => string(5, integer(&elements[1..5]) as u32 as usize),
        _ => {
            let width = integer_width(head);
            (Element::Integer(integer(&elements[1..=width])), width + 2)
        }
    }
}

/// How many bytes the first of `elements` takes.
#[inline]
pub(super) fn first_size(elements: &[u8]) -> usize {
    first(elements).1
}

/// How many bytes the last of `elements` takes.
#[inline]
pub(super) fn last_size(elements: &[u8]) -> usize {
    let (mut len, mut shift) = (0, 0);
    for (width, byte) in elements.iter().rev().enumerate() {
        len |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return len + width + 1;
        }
        shift += 7;
    }
    unreachable!("elements end with a length")
}

/// Where element number `index` of `count` begins; the end of the bytes for `count` itself.
pub(super) fn offset(elements: &[u8], count: usize, index: usize) -> usize {
    debug_assert!(index <= count);
    if index <= count / 2 {
        let mut at = 0;
        for _ in 0..index {
            at += first_size(&elements[at..]);
        }
        at
    } else {
        let mut at = elements.len();
        for _ in index..count {
            at -= last_size(&elements[..at]);
        }
        at
    }
}

/// How many bytes the length of `len` bytes takes.
#[inline]
const fn back_len(len: usize) -> usize {
    match len {
        0..=127 => 1,
        128..=16_382 => 2,
        16_383..=2_097_150 => 3,
        2_097_151..=268_435_454 => 4,
        _ => 5,
    }
}

#[inline]
fn write_back(out: &mut [u8], len: usize) {
    let mut rest = len;
    let leftmost = out.len() - 1;
    for index in (0..=leftmost).rev() {
        out[index] = (rest & 0x7f) as u8 | if index == 0 { 0 } else { 0x80 };
        rest >>= 7;
    }
}

fn integer_width(head: u8) -> usize {
    match head {
        INTEGER_16 => 2,
        INTEGER_24 => 3,
        INTEGER_32 => 4,
        INTEGER_64 => 8,
        _ => unreachable!("an element begins with a head"),
    }
}

/// A little-endian integer of up to eight bytes.
#[inline]
fn integer(bytes: &[u8]) -> i64 {
    let mut little = [0; 8];
    little[8 - bytes.len()..].copy_from_slice(bytes);
    i64::from_le_bytes(little) >> (64 - 8 * bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &[u8]) -> Vec<u8> {
        let encoded = Encoded::new(text);
        let mut bytes = vec![0; encoded.size()];
        encoded.write(&mut bytes);
        bytes
    }

    #[test]
    fn bytes_are_those_of_dump_files() {
        let cases: [(&[u8], &[u8]); 12] = [
            (b"", b"\x80\x01"),
            (b"a", b"\x81a\x02"),
            (b"0", b"\x00\x01"),
            (b"127", b"\x7f\x01"),
            (b"128", b"\xc0\x80\x02"),
            (b"-1", b"\xdf\xff\x02"),
            (b"-4096", b"\xd0\x00\x02"),
            (b"4096", b"\xf1\x00\x10\x03"),
            (b"-8388608", b"\xf2\x00\x00\x80\x04"),
            (b"2147483647", b"\xf3\xff\xff\xff\x7f\x05"),
            (b"-2147483649", b"\xf4\xff\xff\xff\x7f\xff\xff\xff\xff\x09"),
            (b"01", b"\x8201\x03"),
        ];
        for (text, bytes) in cases {
            assert_eq!(written(text), bytes, "{}", text.escape_ascii());
        }
        let long = written(&[b'x'; 300]);
        assert_eq!((&long[..2], &long[302..]), (&b"\xe1\x2c"[..], &b"\x02\xae"[..]));
        let longer = written(&[b'x'; 20_000]);
        assert_eq!(&longer[..5], b"\xf0\x20\x4e\x00\x00");
        assert_eq!(&longer[20_005..], b"\x01\x9c\xa5");
    }

    #[test]
    fn what_is_written_is_read_from_both_ends() {
        let mut texts: Vec<Vec<u8>> = Vec::new();
        for len in [0, 1, 62, 63, 64, 125, 126, 127, 128, 4094, 4095, 4096, 16_377, 16_378, 16_379]
        {
            texts.push(vec![b'v'; len]);
        }
        for shift in 0..63 {
            for near in [-1, 0, 1] {
                let value = (1i64 << shift) + near;
                texts.push(value.to_string().into_bytes());
                texts.push((-value).to_string().into_bytes());
            }
        }
        for text in ["9223372036854775807", "-9223372036854775808", "9223372036854775808", "-0"] {
            texts.push(text.as_bytes().to_vec());
        }
        for text in texts {
            let bytes = written(&text);
            let (element, size) = first(&bytes);
            assert_eq!((element.to_vec(), size), (text.clone(), bytes.len()));
            assert_eq!(last_size(&bytes), bytes.len());
            assert!(Encoded::new(&text).is_first_of(&bytes));
        }
    }

    #[test]
    fn elements_are_found_from_the_nearer_end() {
        let elements: Vec<u8> = (0..200).flat_map(|n| written(n.to_string().as_bytes())).collect();
        let mut expected = 0;
        for index in 0..200 {
            assert_eq!(offset(&elements, 200, index), expected);
            expected += first_size(&elements[expected..]);
        }
        assert_eq!(offset(&elements, 200, 200), elements.len());
    }
}
