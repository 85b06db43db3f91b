//! How many keys have values of which size: a histogram by powers of two for each kind.
//!
//! ```text
//! class   0   1   2    3    4     5  …
//! sizes   0   1   2–3  4–7  8–15     …     bytes of a string, elements of a collection
//! ```
//!
//! It is kept up to date by whatever changes an entry. Most changes leave a value in its class, and
//! then nothing is written: a class is some bits of a length that is at hand.

use crate::layout::entry::{EntryRef, Kind};
use crate::layout::home::Large;
use crate::types::hash::LargeHash;
use crate::types::list::LargeList;
use crate::types::set::LargeSet;
use crate::types::sorted_set::LargeSortedSet;

/// Classes of a kind: no value is larger than 2^47.
const CLASSES: usize = 48;

/// The kinds that are counted, in the order in which they are told.
const KINDS: [Kind; 5] = [Kind::String, Kind::List, Kind::Set, Kind::SortedSet, Kind::Hash];

/// Where an entry counts: the number of its kind times [`CLASSES`], and its class.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct SizeClass(u8);

impl SizeClass {
    /// Of what is not counted: a stream, or no entry at all.
    pub(super) const NONE: Self = Self(u8::MAX);

    #[inline]
    pub(super) fn of(entry: EntryRef<'_>) -> Self {
        let (kind, size) = match entry.kind() {
            Kind::String => return Self::of_string(entry.string().len()),
            Kind::List => (1, LargeList::len(entry.form())),
            Kind::Set => (2, LargeSet::len(entry.form())),
            Kind::SortedSet => (3, LargeSortedSet::len(entry.form())),
            Kind::Hash => (4, LargeHash::len(entry.form())),
            Kind::Stream => return Self::NONE,
        };
        Self((kind * CLASSES + class(size)) as u8)
    }

    #[inline]
    pub(super) fn of_string(len: usize) -> Self {
        Self(class(len) as u8)
    }
}

const _: () = assert!(KINDS.len() * CLASSES < u8::MAX as usize);

/// The class of a size.
#[inline]
fn class(size: usize) -> usize {
    ((usize::BITS - size.leading_zeros()) as usize).min(CLASSES - 1)
}

/// The sizes of the values in one part of a database.
#[derive(Default)]
pub struct Sizes {
    /// None until there is something to count.
    counts: Option<Box<[u32; KINDS.len() * CLASSES]>>,
}

impl Sizes {
    /// An entry that counted in one class counts in another now.
    #[inline]
    pub(super) fn moved(&mut self, before: SizeClass, after: SizeClass) {
        if before != after {
            self.count(before, after);
        }
    }

    #[inline]
    fn count(&mut self, before: SizeClass, after: SizeClass) {
        let counts = self.counts.get_or_insert_with(|| Box::new([0; KINDS.len() * CLASSES]));
        if let Some(count) = counts.get_mut(usize::from(before.0)) {
            *count -= 1;
        }
        if let Some(count) = counts.get_mut(usize::from(after.0)) {
            *count += 1;
        }
    }

    /// Adds these numbers to `sums`.
    pub fn add_to(&self, sums: &mut SizeSums) {
        let Some(counts) = &self.counts else { return };
        for (sum, count) in sums.0.iter_mut().zip(counts.iter()) {
            *sum += u64::from(*count);
        }
    }

    /// Checks that it counts what another one does.
    ///
    /// # Panics
    /// If it does not.
    pub(super) fn check_equal(&self, other: &Self) {
        let (mut own, mut others) = (SizeSums::default(), SizeSums::default());
        self.add_to(&mut own);
        other.add_to(&mut others);
        assert_eq!(own.0, others.0);
    }

    /// Bytes that it takes.
    pub(super) fn memory_bytes(&self) -> usize {
        self.counts.as_ref().map_or(0, |counts| size_of_val(&**counts))
    }
}

/// The sizes of the values in several parts together.
#[derive(Clone)]
pub struct SizeSums([u64; KINDS.len() * CLASSES]);

impl Default for SizeSums {
    fn default() -> Self {
        Self([0; KINDS.len() * CLASSES])
    }
}

impl SizeSums {
    /// For each kind that is counted: the smallest size of every class that has keys, and how many.
    pub fn of_kinds(&self) -> impl Iterator<Item = (Kind, Vec<(u64, u64)>)> {
        let by_kind = KINDS.into_iter().zip(self.0.chunks_exact(CLASSES));
        by_kind.map(|(kind, counts)| {
            let smallest = |class: usize| if class == 0 { 0 } else { 1 << (class - 1) };
            let classes = counts.iter().enumerate().filter(|(_, count)| **count != 0);
            (kind, classes.map(|(class, count)| (smallest(class), *count)).collect())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_powers_of_two() {
        let classes = [0, 1, 2, 3, 4, 7, 8, 1023, 1024].map(class);
        assert_eq!(classes, [0, 1, 2, 2, 3, 3, 4, 10, 11]);
        assert_eq!(class(usize::MAX), CLASSES - 1);
    }

    #[test]
    fn what_moves_is_counted_once() {
        let mut sizes = Sizes::default();
        let of = SizeClass::of_string;
        sizes.moved(SizeClass::NONE, of(5));
        sizes.moved(SizeClass::NONE, of(0));
        sizes.moved(of(5), of(6));
        sizes.moved(of(6), of(700));
        let mut sums = SizeSums::default();
        sizes.add_to(&mut sums);
        sizes.add_to(&mut sums);
        let (kind, strings) = sums.of_kinds().next().unwrap();
        assert_eq!((kind, strings), (Kind::String, vec![(0, 2), (512, 2)]));
        sizes.moved(of(700), SizeClass::NONE);
        sizes.moved(of(0), SizeClass::NONE);
        let mut sums = SizeSums::default();
        sizes.add_to(&mut sums);
        assert!(sums.of_kinds().all(|(_, classes)| classes.is_empty()));
    }
}
