//! A sequence of byte strings in one run of bytes: the small form of hashes, sets and sorted sets.
//!
//! ```text
//! | number of items 2 | length | bytes | length | bytes | …
//! ```
//!
//! A length takes one byte below 128, two below 16,384, else five. A packed sequence is searched
//! from its beginning, which for a few dozen short items is as fast as a table, and costs little
//! more than the items. It has at most [`COUNT_MAX`] items and [`PACKED_LEN_MAX`] bytes, so whoever
//! adds to it asks [`has_room`] first.
//!
//! An *offset* is a place in the bytes where an item begins, or the end. The first is [`FIRST`].
//! The bytes were written by this file, so a damaged length is a bug and panics on the slice.

use std::ops::Range;

use super::home::{Buffer, PACKED_LEN_MAX};

/// The offset of the first item, or the end of an empty sequence.
pub const FIRST: usize = 2;
/// Most items.
pub const COUNT_MAX: usize = u16::MAX as usize;

/// Lengths from here on take two bytes.
const MEDIUM: usize = 1 << 7;
/// Lengths from here on take five bytes.
const LONG: usize = 1 << 14;
const LONG_MARK: u8 = 0xff;

/// Number of items.
#[inline]
pub fn len(bytes: &[u8]) -> usize {
    match bytes {
        [] => 0,
        _ => usize::from(u16::from_le_bytes([bytes[0], bytes[1]])),
    }
}

/// All items in order.
#[inline]
pub fn iter(bytes: &[u8]) -> Iter<'_> {
    Iter { bytes, offset: FIRST }
}

/// The item at an offset, and where the next one begins.
#[inline]
pub fn item(bytes: &[u8], offset: usize) -> (&[u8], usize) {
    let range = item_range(bytes, offset);
    let next = range.end;
    (&bytes[range], next)
}

/// Item number `index`, from zero.
pub fn get(bytes: &[u8], index: usize) -> Option<&[u8]> {
    iter(bytes).nth(index)
}

/// Searches items number 0, `step`, 2 × `step` and so on for `needle`; returns number and offset.
#[inline]
pub fn find(bytes: &[u8], needle: &[u8], step: usize) -> Option<(usize, usize)> {
    let (mut offset, mut index) = (FIRST, 0);
    while offset < bytes.len() {
        let range = item_range(bytes, offset);
        if range.len() == needle.len() && bytes[range.clone()] == *needle {
            return Some((index, offset));
        }
        offset = range.end;
        index += step;
        for _ in 1..step {
            offset = item_range(bytes, offset).end;
        }
    }
    None
}

/// The offset `count` items after `offset`.
pub fn skip(bytes: &[u8], offset: usize, count: usize) -> usize {
    (0..count).fold(offset, |offset, _| item_range(bytes, offset).end)
}

/// Bytes that an item takes.
#[inline]
pub fn size_of_item(len: usize) -> usize {
    len_size(len) + len
}

/// Whether `items` can be added.
pub fn has_room(bytes: &[u8], items: &[&[u8]]) -> bool {
    let added: usize = items.iter().map(|item| size_of_item(item.len())).sum();
    len(bytes) + items.len() <= COUNT_MAX && bytes.len().max(FIRST) + added <= PACKED_LEN_MAX
}

/// Adds items at the end.
#[inline]
pub fn push<B: Buffer + ?Sized>(buffer: &mut B, items: &[&[u8]]) {
    let end = buffer.packed().len().max(FIRST);
    insert(buffer, end, items);
}

/// Adds items at an offset, before the one that begins there.
pub fn insert<B: Buffer + ?Sized>(buffer: &mut B, offset: usize, items: &[&[u8]]) {
    let added: usize = items.iter().map(|item| size_of_item(item.len())).sum();
    let mut gap = if buffer.packed().is_empty() {
        let (count, gap) = buffer.splice(0..0, FIRST + added).split_at_mut(FIRST);
        count.fill(0);
        gap
    } else {
        buffer.splice(offset..offset, added)
    };
    for item in items {
        gap = write_item(gap, item);
    }
    add_to_count(buffer, items.len() as isize);
}

/// Puts another item in the place of the one at `offset`.
pub fn replace<B: Buffer + ?Sized>(buffer: &mut B, offset: usize, new: &[u8]) {
    let end = item_range(buffer.packed(), offset).end;
    let size = size_of_item(new.len());
    let place = if end - offset == size {
        &mut buffer.packed_mut()[offset..end]
    } else {
        buffer.splice(offset..end, size)
    };
    write_item(place, new);
}

/// Takes `count` items away, from the one at `offset` on. The last ones leave no bytes at all.
pub fn remove<B: Buffer + ?Sized>(buffer: &mut B, offset: usize, count: usize) {
    let bytes = buffer.packed();
    if len(bytes) == count {
        let all = bytes.len();
        buffer.splice(0..all, 0);
        return;
    }
    let end = skip(bytes, offset, count);
    buffer.splice(offset..end, 0);
    add_to_count(buffer, -(count as isize));
}

/// Items in order.
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Iter<'a> {
    /// Goes on from an offset.
    pub fn at(bytes: &'a [u8], offset: usize) -> Self {
        Self { bytes, offset }
    }

    /// The offset of the item that comes next.
    #[inline]
    pub fn offset(&self) -> usize {
        self.offset
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        if self.bytes.len() <= self.offset {
            return None;
        }
        let (item, next) = item(self.bytes, self.offset);
        self.offset = next;
        Some(item)
    }
}

/// Where the bytes of the item at `offset` are.
#[inline]
fn item_range(bytes: &[u8], offset: usize) -> Range<usize> {
    let first = bytes[offset];
    let (start, len) = if usize::from(first) < MEDIUM {
        (offset + 1, usize::from(first))
    } else if first < LONG_MARK {
        (offset + 2, usize::from(first & 0x7f) << 8 | usize::from(bytes[offset + 1]))
    } else {
        let len = [bytes[offset + 1], bytes[offset + 2], bytes[offset + 3], bytes[offset + 4]];
        (offset + 5, u32::from_le_bytes(len) as usize)
    };
    start..start + len
}

#[inline]
fn len_size(len: usize) -> usize {
    match len {
        0..MEDIUM => 1,
        MEDIUM..LONG => 2,
        _ => 5,
    }
}

/// Writes an item; returns what is left of the place.
#[inline]
fn write_item<'a>(place: &'a mut [u8], item: &[u8]) -> &'a mut [u8] {
    let size = len_size(item.len());
    let (head, rest) = place.split_at_mut(size);
    match size {
        1 => head[0] = item.len() as u8,
        2 => head.copy_from_slice(&[0x80 | (item.len() >> 8) as u8, item.len() as u8]),
        _ => {
            head[0] = LONG_MARK;
            head[1..].copy_from_slice(&(item.len() as u32).to_le_bytes());
        }
    }
    let (bytes, rest) = rest.split_at_mut(item.len());
    bytes.copy_from_slice(item);
    rest
}

fn add_to_count<B: Buffer + ?Sized>(buffer: &mut B, change: isize) {
    let bytes = buffer.packed_mut();
    let count = len(bytes).strict_add_signed(change);
    bytes[..FIRST].copy_from_slice(&(count as u16).to_le_bytes());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn items(bytes: &[u8]) -> Vec<Vec<u8>> {
        iter(bytes).map(<[u8]>::to_vec).collect()
    }

    #[test]
    fn lengths_of_all_sizes() {
        let mut bytes = Vec::new();
        for len in [0, 1, 127, 128, 16_383, 16_384, 40_000] {
            push(&mut bytes, &[&vec![len as u8; len]]);
        }
        let lens: Vec<usize> = iter(&bytes).map(<[u8]>::len).collect();
        assert_eq!(lens, [0, 1, 127, 128, 16_383, 16_384, 40_000]);
        assert_eq!(len(&bytes), 7);
        assert_eq!(get(&bytes, 3).map(<[u8]>::len), Some(128));
        assert!(has_room(&bytes, &[&[0; 50_000]]));
        assert!(!has_room(&bytes, &[&[0; 90_000]]));
    }

    #[test]
    fn a_search_looks_at_every_other_item_only() {
        let mut bytes = Vec::new();
        push(&mut bytes, &[b"a", b"b", b"b", b"a"]);
        assert_eq!(find(&bytes, b"b", 2), Some((2, FIRST + 4)));
        assert_eq!(find(&bytes, b"b", 1), Some((1, FIRST + 2)));
        assert_eq!(find(&bytes, b"c", 1), None);
        assert_eq!(find(&[], b"c", 1), None);
    }

    #[derive(Clone, Debug)]
    enum Edit {
        Insert(usize, Vec<u8>),
        Remove(usize, usize),
        Replace(usize, Vec<u8>),
    }

    fn edit() -> impl Strategy<Value = Edit> {
        let item = || prop_oneof![prop::collection::vec(any::<u8>(), 0..20), Just(vec![7; 200])];
        prop_oneof![
            3 => (any::<usize>(), item()).prop_map(|(at, item)| Edit::Insert(at, item)),
            1 => (any::<usize>(), 1..4_usize).prop_map(|(at, count)| Edit::Remove(at, count)),
            2 => (any::<usize>(), item()).prop_map(|(at, item)| Edit::Replace(at, item)),
        ]
    }

    proptest! {
        #[test]
        fn edits_are_those_of_a_vector(edits in prop::collection::vec(edit(), 1..60)) {
            let (mut bytes, mut twin) = (Vec::new(), Vec::<Vec<u8>>::new());
            for edit in edits {
                match edit {
                    Edit::Insert(at, item) => {
                        let at = at % (twin.len() + 1);
                        let offset = skip(&bytes, FIRST, at);
                        insert(&mut bytes, offset, &[&item]);
                        twin.insert(at, item);
                    }
                    Edit::Remove(at, count) if !twin.is_empty() => {
                        let at = at % twin.len();
                        let count = count.min(twin.len() - at);
                        let offset = skip(&bytes, FIRST, at);
                        remove(&mut bytes, offset, count);
                        twin.drain(at..at + count);
                    }
                    Edit::Replace(at, item) if !twin.is_empty() => {
                        let at = at % twin.len();
                        let offset = skip(&bytes, FIRST, at);
                        replace(&mut bytes, offset, &item);
                        twin[at] = item;
                    }
                    Edit::Remove(..) | Edit::Replace(..) => {}
                }
                prop_assert_eq!(items(&bytes), twin.clone());
                prop_assert_eq!(len(&bytes), twin.len());
                prop_assert_eq!(bytes.is_empty(), twin.is_empty());
            }
        }
    }
}
