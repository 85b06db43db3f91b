//! What is left of a table that nobody needs any more: its items, to be taken out a few at a time.

use std::collections::BTreeSet;
use std::marker::PhantomData;

use super::array::Array;
use super::{Item, Table, pointer};

/// See the file's header. Dropping it drops the items that are left.
pub(crate) struct Remains<T: Item> {
    /// One, or two if the table was changing its size.
    arrays: Vec<Array>,
    /// Buckets of the last array that have been emptied already.
    emptied: usize,
    stash: BTreeSet<(u64, u64)>,
    owns: PhantomData<T>,
}

impl<T: Item> Table<T> {
    /// All items; the table is empty and unallocated afterwards.
    pub(crate) fn take_remains(&mut self) -> Remains<T> {
        let array = std::mem::replace(&mut self.array, Array::unallocated());
        let old = self.migration.take().map(|migration| migration.into_old());
        (self.len, self.grow_at, self.shrink_at) = (0, 0, 0);
        Remains {
            arrays: [Some(array), old].into_iter().flatten().collect(),
            emptied: 0,
            stash: std::mem::take(&mut self.stash),
            owns: PhantomData,
        }
    }
}

impl<T: Item> Remains<T> {
    /// Gives the items of at most `bucket_count` buckets away; says whether there are more.
    pub(crate) fn take_some(&mut self, bucket_count: usize, mut take: impl FnMut(T)) -> bool {
        for _ in 0..bucket_count {
            let Some(array) = self.arrays.last() else {
                let Some((_, address)) = self.stash.pop_first() else { return false };
                // SAFETY: an item of the table; it has just left the stash, so nobody takes it again.
                take(unsafe { T::from_raw(pointer(address)) });
                continue;
            };
            if array.ready() <= self.emptied {
                self.arrays.pop();
                self.emptied = 0;
                continue;
            }
            let bucket = array.bucket(self.emptied);
            // Counted before its items go: whatever happens while one is freed, none goes twice.
            self.emptied += 1;
            for slot in bucket.occupied() {
                // SAFETY: an item of the table; each bucket is passed once and nobody looks into it
                // again, so nobody takes the item again.
                take(unsafe { T::from_raw(pointer(bucket.at(slot).address())) });
            }
        }
        true
    }
}

impl<T: Item> Drop for Remains<T> {
    fn drop(&mut self) {
        while self.take_some(usize::MAX, drop) {}
    }
}
