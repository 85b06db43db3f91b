//! Fields and values as bytes in a chunk: strings, and integers in fewer bytes than their digits.
//!
//! ```text
//! 0nnnnnnn                 the integer n, 0 to 127
//! 10llllll bytes           a string of up to 63 bytes
//! 110nnnnn n               an integer of 13 bits, two's complement
//! 1110llll l bytes         a string of up to 4095 bytes
//! 11110000 l l l l bytes   a longer string
//! 111100kk n…              an integer of 2, 4 or 8 bytes (kk = 1, 2, 3)
//! ```
//!
//! A string that is exactly the shortest form of a 64-bit integer is kept as one. The bytes are
//! trusted: only this module writes them.

use crate::types::item::{INTEGER_LEN_MAX, Item};
use base::numbers::parse_i64;

const SHORT_LEN_MAX: usize = 63;
const MEDIUM_LEN_MAX: usize = 4095;
const STRING_4: u8 = 0xf0;
const INTEGER_2: u8 = 0xf1;
const INTEGER_4: u8 = 0xf2;
const INTEGER_8: u8 = 0xf3;

/// Adds an item.
pub(super) fn push(out: &mut Vec<u8>, text: &[u8]) {
    let is_number = text.len() <= INTEGER_LEN_MAX
        && text.first().is_some_and(|first| first.is_ascii_digit() || *first == b'-');
    if is_number && let Some(n) = parse_i64(text) {
        push_integer(out, n);
        return;
    }
    let len = text.len();
    if len <= SHORT_LEN_MAX {
        out.push(0x80 | len as u8);
    } else if len <= MEDIUM_LEN_MAX {
        out.extend_from_slice(&[0xe0 | (len >> 8) as u8, len as u8]);
    } else {
        out.push(STRING_4);
        let len = u32::try_from(len).expect("an argument is shorter than 4 GiB");
        out.extend_from_slice(&len.to_le_bytes());
    }
    out.extend_from_slice(text);
}

fn push_integer(out: &mut Vec<u8>, n: i64) {
    if (0..=127).contains(&n) {
        out.push(n as u8);
    } else if (-4096..=4095).contains(&n) {
        out.extend_from_slice(&[0xc0 | (n >> 8) as u8 & 0x1f, n as u8]);
    } else if let Ok(n) = i16::try_from(n) {
        out.push(INTEGER_2);
        out.extend_from_slice(&n.to_le_bytes());
    } else if let Ok(n) = i32::try_from(n) {
        out.push(INTEGER_4);
        out.extend_from_slice(&n.to_le_bytes());
    } else {
        out.push(INTEGER_8);
        out.extend_from_slice(&n.to_le_bytes());
    }
}

/// The item at the beginning, and its length in bytes.
#[inline]
pub(super) fn read(bytes: &[u8]) -> (Item<'_>, usize) {
    let tag = bytes[0];
    let string = |start: usize, len: usize| (Item::Bytes(&bytes[start..start + len]), start + len);
    match tag {
        0x00..=0x7f => (Item::Integer(i64::from(tag)), 1),
        0x80..=0xbf => string(1, usize::from(tag & 0x3f)),
        0xc0..=0xdf => {
            let raw = i16::from_be_bytes([tag & 0x1f, bytes[1]]);
            // Thirteen bits: the sign is the highest of them.
            (Item::Integer(i64::from(raw << 3 >> 3)), 2)
        }
        0xe0..=0xef => string(2, usize::from(tag & 0x0f) << 8 | usize::from(bytes[1])),
        INTEGER_2 => (Item::Integer(i64::from(i16::from_le_bytes(fixed(bytes)))), 3),
        INTEGER_4 => (Item::Integer(i64::from(i32::from_le_bytes(fixed(bytes)))), 5),
        INTEGER_8 => (Item::Integer(i64::from_le_bytes(fixed(bytes))), 9),
        _ => string(5, u32::from_le_bytes(fixed(bytes)) as usize),
    }
}

/// The bytes after the tag.
fn fixed<const LEN: usize>(bytes: &[u8]) -> [u8; LEN] {
    let mut fixed = [0; LEN];
    fixed.copy_from_slice(&bytes[1..=LEN]);
    fixed
}

/// Adds a number of seven bits per byte, the lowest first.
pub(super) fn push_varint(out: &mut Vec<u8>, mut n: u64) {
    while 0x80 <= n {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

/// The number at the beginning, and its length in bytes.
#[inline]
pub(super) fn read_varint(bytes: &[u8]) -> (u64, usize) {
    let (mut n, mut index) = (0, 0);
    loop {
        let byte = bytes[index];
        n |= u64::from(byte & 0x7f) << (7 * index);
        index += 1;
        if byte < 0x80 {
            return (n, index);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::numbers::IntegerBuffer;

    fn assert_round_trip(text: &[u8], len: usize) {
        let mut bytes = vec![];
        push(&mut bytes, text);
        bytes.push(0xff);
        let (item, read_len) = read(&bytes);
        assert_eq!(item.text(&mut IntegerBuffer::new()), text);
        assert!(item.is(text));
        assert!(!item.is(b"something else"));
        assert_eq!((read_len, read_len + 1), (len, bytes.len()));
    }

    #[test]
    fn every_item_comes_back() {
        for (n, len) in [
            (0_i64, 1),
            (127, 1),
            (128, 2),
            (-1, 2),
            (4095, 2),
            (-4096, 2),
            (4096, 3),
            (-4097, 3),
            (32767, 3),
            (32768, 5),
            (-2_147_483_648, 5),
            (2_147_483_648, 9),
            (i64::MAX, 9),
            (i64::MIN, 9),
        ] {
            assert_round_trip(n.to_string().as_bytes(), len);
        }
        for text in ["", "-", "-0", "+1", "01", "9223372036854775808", "1.5", "text"] {
            assert_round_trip(text.as_bytes(), text.len() + 1);
        }
        for (len, head) in [(63, 1), (64, 2), (4095, 2), (4096, 5), (70_000, 5)] {
            assert_round_trip(&vec![b'x'; len], head + len);
        }
    }

    #[test]
    fn every_number_comes_back() {
        for n in [0, 1, 127, 128, 16_383, 16_384, u64::from(u32::MAX), u64::MAX] {
            let mut bytes = vec![];
            push_varint(&mut bytes, n);
            let len = bytes.len();
            bytes.push(0x80);
            assert_eq!(read_varint(&bytes), (n, len));
        }
    }
}
