//! Bitmaps: strings whose bits are counted, found, combined, and read as small integers.
//!
//! Bit 0 is the highest bit of byte 0, so the bits of a string stand in reading order, and eight
//! bytes read big-endian are 64 bits in that order. That is all there is to it: searching and
//! counting go by words, and only the bytes at both ends of a span need a mask.
//!
//! ```text
//! byte       0               1
//! bit     0 1 2 3 4 5 6 7 8 9 …
//!               |first          |last      a span has both its ends
//! mask    0 0 0 1 1 1 1 1 | 1 1 0 0 0 0 0 0
//! ```
//!
//! A string that is too short reads as zeros beyond its end. A long one hangs off a pointer that
//! readers may share: the verbs that write look first whether there is anything to change, and
//! whoever grows one grows it in place unless somebody reads it.

mod combine;
mod count;
mod field;

use std::sync::Arc;

use crate::layout::entry::{Entry, EntryRef};

pub use combine::{Combination, combine};
pub use count::count;
pub use field::{FieldType, Overflow};

/// A bit was set: what was there, and whether anything is different now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BitSet {
    /// The bit as it was.
    pub old: bool,
    /// Whether bit or length have changed.
    pub is_changed: bool,
}

/// Bits of a string from `first` to `last`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first bit.
    pub first: u64,
    /// The last bit.
    pub last: u64,
}

impl Span {
    /// All bits of a string of `len` bytes, which is not empty.
    pub fn whole(len: usize) -> Option<Self> {
        Some(Self { first: 0, last: bit_len(len).checked_sub(1)? })
    }

    /// The bytes that it touches, and the masks for the first and the last of them.
    fn edges(self) -> (usize, usize, u8, u8) {
        let (first, last) = ((self.first / 8) as usize, (self.last / 8) as usize);
        (first, last, 0xff >> (self.first % 8), 0xff << (7 - self.last % 8))
    }
}

/// A new entry whose value is `len` zeros. Many zeros cost nothing until they are used.
pub fn zeros(key: &[u8], len: usize, clock: u32) -> Entry {
    let mut entry = Entry::shared(key, Arc::new(vec![0; len]), None, clock);
    entry.as_mut().set_raw(true);
    entry
}

/// Makes a string at least `len` bytes long, and one that was edited; says whether it grew.
pub fn grow(entry: &mut Entry, len: usize) -> bool {
    let is_short = entry.as_ref().string().len() < len;
    if is_short {
        entry.resize_value(len);
    }
    entry.as_mut().set_raw(true);
    is_short
}

/// Sets or clears the bit at `offset`; the string grows to hold it.
pub fn set_bit(entry: &mut Entry, offset: u64, bit: bool) -> BitSet {
    let old = self::bit(entry.as_ref(), offset);
    let has_grown = grow(entry, byte_len(offset + 1));
    if old != bit {
        entry.as_mut().string_mut()[(offset / 8) as usize] ^= 0x80 >> (offset % 8);
    }
    BitSet { old, is_changed: has_grown || old != bit }
}

/// The bit at `offset`.
pub fn bit(entry: EntryRef<'_>, offset: u64) -> bool {
    let byte = usize::try_from(offset / 8).ok().and_then(|i| entry.string().bytes().get(i));
    byte.is_some_and(|byte| byte & (0x80 >> (offset % 8)) != 0)
}

/// The first place in `span` where the bit is `bit`.
///
/// # Panics
/// If the span is not inside of `bytes`.
pub fn position(bytes: &[u8], bit: bool, span: Span) -> Option<u64> {
    if span.last < span.first {
        return None;
    }
    let (first, last, head, tail) = span.edges();
    // Looked for is a one in the bytes after this.
    let flip = if bit { 0x00 } else { 0xff };
    let found = |index: usize, mask: u8| {
        let byte = (bytes[index] ^ flip) & mask;
        (byte != 0).then(|| index as u64 * 8 + u64::from(byte.leading_zeros()))
    };
    if first == last {
        return found(first, head & tail);
    }
    found(first, head)
        .or_else(|| {
            let inner = unlike(&bytes[first + 1..last], flip)?;
            found(first + 1 + inner, 0xff)
        })
        .or_else(|| found(last, tail))
}

/// Index of the first byte that is not `byte`.
fn unlike(bytes: &[u8], byte: u8) -> Option<usize> {
    const STEP: usize = 64;
    let is_like = |step: &&[u8]| step.iter().fold(0, |all, one| all | (one ^ byte)) == 0;
    let skipped = bytes.chunks_exact(STEP).take_while(is_like).count() * STEP;
    let rest = bytes[skipped..].iter().position(|other| *other != byte)?;
    Some(skipped + rest)
}

/// How many bytes hold `bits` bits.
pub fn byte_len(bits: u64) -> usize {
    usize::try_from(bits.div_ceil(8)).expect("lengths are checked before")
}

/// How many bits `len` bytes hold.
pub fn bit_len(len: usize) -> u64 {
    len as u64 * 8
}

#[cfg(test)]
mod tests;
