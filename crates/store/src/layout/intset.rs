//! Different integers in order, in one run of bytes: the smallest form of a set.
//!
//! ```text
//! | width 1 | integer | integer | …        each `width` bytes (2, 4 or 8), little-endian
//! ```
//!
//! The width is that of the widest integer that was ever in it: when a wider one comes all are
//! rewritten, and since it is wider than all others, its place is at one of the ends. Removing makes
//! nothing narrower. The order lets a binary search find an integer; at the usual limit of 512 it
//! takes nine steps in a KiB, and an edit moves half of that at most.
//!
//! The first byte tells it from other packed forms, which begin with other numbers. An empty one
//! has no bytes at all. The bytes were written by this file.

use base::rand::Rng;

use super::home::{Buffer, PACKED_LEN_MAX};

/// Where the integers begin.
const FIRST: usize = 1;
/// Widths that there are.
const WIDTHS: [usize; 3] = [2, 4, 8];

/// Most integers, of whatever width.
pub const COUNT_MAX: usize = (PACKED_LEN_MAX - FIRST) / 8;

/// Whether packed bytes are of this form.
#[inline]
pub fn is_intset(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(|first| WIDTHS.contains(&usize::from(*first)))
}

/// Number of integers.
#[inline]
pub fn len(bytes: &[u8]) -> usize {
    bytes.first().map_or(0, |width| (bytes.len() - FIRST) / usize::from(*width))
}

/// Integer number `index` in ascending order.
///
/// # Panics
/// If there are not that many.
#[inline]
pub fn at(bytes: &[u8], index: usize) -> i64 {
    match bytes[0] {
        2 => i64::from(i16::from_le_bytes(slot(bytes, index))),
        4 => i64::from(i32::from_le_bytes(slot(bytes, index))),
        _ => i64::from_le_bytes(slot(bytes, index)),
    }
}

/// Whether `value` is in it.
#[inline]
pub fn contains(bytes: &[u8], value: i64) -> bool {
    search(bytes, value).is_ok()
}

/// All integers in ascending order.
pub fn iter(bytes: &[u8]) -> impl ExactSizeIterator<Item = i64> + '_ {
    (0..len(bytes)).map(|index| at(bytes, index))
}

/// Some integer, each equally likely.
pub fn random(bytes: &[u8], rng: &mut Rng) -> Option<i64> {
    let len = len(bytes);
    (len != 0).then(|| at(bytes, rng.index(len)))
}

/// Adds `value`; says whether it is new.
///
/// # Panics
/// If there are [`COUNT_MAX`] integers.
pub fn add<B: Buffer + ?Sized>(buffer: &mut B, value: i64) -> bool {
    let bytes = buffer.packed();
    let width = width_of(value);
    if bytes.is_empty() {
        let new = buffer.splice(0..0, FIRST + width);
        new[0] = width as u8;
        write(&mut new[FIRST..], width, value);
        return true;
    }
    if usize::from(bytes[0]) < width {
        widen(buffer, width);
    }
    let bytes = buffer.packed();
    let Err(index) = search(bytes, value) else { return false };
    let width = usize::from(bytes[0]);
    let start = FIRST + index * width;
    write(buffer.splice(start..start, width), width, value);
    true
}

/// Takes `value` out; says whether it was there. The last one leaves no bytes at all.
pub fn remove<B: Buffer + ?Sized>(buffer: &mut B, value: i64) -> bool {
    let found = search(buffer.packed(), value);
    found.map(|index| remove_at(buffer, index)).is_ok()
}

/// Takes integer number `index` out.
///
/// # Panics
/// If there are not that many.
pub fn remove_at<B: Buffer + ?Sized>(buffer: &mut B, index: usize) {
    let bytes = buffer.packed();
    let width = usize::from(bytes[0]);
    let start = FIRST + index * width;
    let all = bytes.len();
    let range = if all == FIRST + width { 0..all } else { start..start + width };
    buffer.splice(range, 0);
}

/// The index of `value`, or the one that it would have.
#[inline]
fn search(bytes: &[u8], value: i64) -> Result<usize, usize> {
    let Some(&width) = bytes.first() else { return Err(0) };
    match width {
        2 => search_as(bytes, value, |bytes| i64::from(i16::from_le_bytes(bytes))),
        4 => search_as(bytes, value, |bytes| i64::from(i32::from_le_bytes(bytes))),
        _ => search_as(bytes, value, i64::from_le_bytes),
    }
}

/// Halves the range without a branch that could be guessed wrong.
#[inline]
fn search_as<const WIDTH: usize>(
    bytes: &[u8],
    value: i64,
    read: impl Fn([u8; WIDTH]) -> i64,
) -> Result<usize, usize> {
    let (slots, _) = bytes[FIRST..].as_chunks::<WIDTH>();
    let (mut base, mut len) = (0, slots.len());
    while 1 < len {
        let half = len / 2;
        base += if read(slots[base + half]) <= value { half } else { 0 };
        len -= half;
    }
    match read(slots[base]) {
        found if found == value => Ok(base),
        found => Err(base + usize::from(found < value)),
    }
}

/// Rewrites all integers with more bytes each.
fn widen<B: Buffer + ?Sized>(buffer: &mut B, width: usize) {
    let old = buffer.packed().to_vec();
    let new = buffer.splice(0..old.len(), FIRST + len(&old) * width);
    new[0] = width as u8;
    for (slot, value) in new[FIRST..].chunks_exact_mut(width).zip(iter(&old)) {
        write(slot, width, value);
    }
}

/// The narrowest width that holds `value`.
#[inline]
fn width_of(value: i64) -> usize {
    if i16::try_from(value).is_ok() {
        2
    } else if i32::try_from(value).is_ok() {
        4
    } else {
        8
    }
}

#[inline]
fn slot<const WIDTH: usize>(bytes: &[u8], index: usize) -> [u8; WIDTH] {
    let (slots, _) = bytes[FIRST..].as_chunks();
    slots[index]
}

/// In two's complement the low bytes are those of the narrower integer.
#[inline]
fn write(slot: &mut [u8], width: usize, value: i64) {
    slot.copy_from_slice(&value.to_le_bytes()[..width]);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use base::rand::Rng;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_widest_decides_how_wide_all_are() {
        let mut bytes = Vec::new();
        let values = [5, -5, 32_767, -32_768, 32_768, i64::from(i32::MIN), 1 << 31, i64::MIN];
        let widths = [2, 2, 2, 2, 4, 4, 8, 8];
        for (count, (value, width)) in values.into_iter().zip(widths).enumerate() {
            assert!(add(&mut bytes, value));
            assert!(!add(&mut bytes, value));
            assert_eq!(bytes.len(), 1 + (count + 1) * width);
        }
        let mut sorted = values;
        sorted.sort_unstable();
        assert!(iter(&bytes).eq(sorted));
        assert!(values.into_iter().all(|value| remove(&mut bytes, value)));
        assert!(bytes.is_empty());
        assert!(!is_intset(&bytes));
        assert!(!remove(&mut bytes, 5));
    }

    #[test]
    fn chance_reaches_all() {
        let mut bytes = Vec::new();
        let mut rng = Rng::new(1);
        assert_eq!(random(&bytes, &mut rng), None);
        (0..10).for_each(|value| assert!(add(&mut bytes, value)));
        let seen: BTreeSet<_> = (0..200).filter_map(|_| random(&bytes, &mut rng)).collect();
        assert_eq!(seen.len(), 10);
    }

    fn integer() -> impl Strategy<Value = i64> {
        prop_oneof![
            4 => -20..20_i64,
            2 => any::<i16>().prop_map(i64::from),
            1 => any::<i32>().prop_map(i64::from),
            1 => any::<i64>(),
        ]
    }

    proptest! {
        #[test]
        fn it_is_a_sorted_set(calls in prop::collection::vec((any::<bool>(), integer()), 1..150)) {
            let (mut bytes, mut twin) = (Vec::new(), BTreeSet::new());
            for (is_removal, value) in calls {
                if is_removal {
                    prop_assert_eq!(remove(&mut bytes, value), twin.remove(&value));
                } else {
                    prop_assert_eq!(add(&mut bytes, value), twin.insert(value));
                    prop_assert!(is_intset(&bytes));
                }
                prop_assert_eq!(len(&bytes), twin.len());
                prop_assert!(iter(&bytes).eq(twin.iter().copied()));
                prop_assert_eq!(bytes.is_empty(), twin.is_empty());
                for probe in [value - value.signum(), value, value ^ 1] {
                    prop_assert_eq!(contains(&bytes, probe), twin.contains(&probe));
                }
            }
        }
    }
}
