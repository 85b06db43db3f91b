//! The packed forms in which servers keep small collections, walked with every length checked.
//!
//! A walk gives each element, or says that the bytes are not what they claim to be; after that it
//! ends. Who has walked to the end knows that all of it was well formed.

mod intset;
mod listpack;
mod ziplist;
mod zipmap;

pub use crate::types::item::Item;
pub use intset::Intset;
pub use listpack::{Listpack, ListpackBuilder};
pub use ziplist::Ziplist;
pub use zipmap::Zipmap;

/// The bytes from `at` on, `len` many.
fn slice(bytes: &[u8], at: usize, len: usize) -> Option<&[u8]> {
    bytes.get(at..at.checked_add(len)?)
}

/// The bytes from `at` on, as many as there are in the result.
fn array<const LEN: usize>(bytes: &[u8], at: usize) -> Option<[u8; LEN]> {
    slice(bytes, at, LEN)?.try_into().ok()
}

/// A head's count that says no more than that there are so many elements or more.
const COUNT_UNKNOWN: u16 = u16::MAX;

/// The last byte of a listpack and of a ziplist.
const END: u8 = 255;

/// How many elements are left, as far as the head has said it.
#[derive(Clone, Copy)]
struct Left(Option<u16>);

impl Left {
    /// By the head of a listpack or a ziplist, which begins with the length of all and ends with the count;
    /// nothing if the length is wrong, or the end.
    fn of(bytes: &[u8], head_len: usize) -> Option<Self> {
        let size = array(bytes, 0).map(u32::from_le_bytes)?;
        let count = array(bytes, head_len - size_of::<u16>()).map(u16::from_le_bytes)?;
        let is_whole = size as usize == bytes.len() && head_len < bytes.len();
        let ends = bytes.last() == Some(&END);
        (is_whole && ends).then_some(Self((count != COUNT_UNKNOWN).then_some(count)))
    }

    /// One less, if there was one.
    fn take(&mut self) -> Option<()> {
        if let Some(left) = &mut self.0 {
            *left = left.checked_sub(1)?;
        }
        Some(())
    }

    /// Whether there may be no more.
    fn may_be_none(self) -> bool {
        self.0.is_none_or(|left| left == 0)
    }
}

/// An integer of three bytes.
fn integer_24(bytes: [u8; 3]) -> i64 {
    let [a, b, c] = bytes;
    i64::from(i32::from_le_bytes([0, a, b, c]) >> 8)
}

#[cfg(test)]
mod tests;
