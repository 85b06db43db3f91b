//! The packed forms in which servers keep small collections, walked with every length checked.
//!
//! A walk gives each element, or says that the bytes are not what they claim to be; after that it
//! ends. Who has walked to the end knows that all of it was well formed.

mod intset;
mod item;
mod listpack;
mod ziplist;
mod zipmap;

pub use intset::Intset;
pub use item::Item;
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

/// An integer of three bytes.
fn integer_24(bytes: [u8; 3]) -> i64 {
    let [a, b, c] = bytes;
    i64::from(i32::from_le_bytes([0, a, b, c]) >> 8)
}

#[cfg(test)]
mod tests;
