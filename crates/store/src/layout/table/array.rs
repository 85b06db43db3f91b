//! Buckets in a row, in the order of the hash, and how items find room in them.
//!
//! An item's home is the bucket at `hash * count / 2^64`, so buckets are in the order of the hash.
//! If home is full, the item lies in one of the following buckets (after the last comes the first).
//! Two rules keep the way short, and together keep the items sorted by home:
//!
//! - *Putting*: at a full bucket, whoever is farther from home stays; the other goes on. So no item
//!   lies far out while another nearby is at home: at a load of 0.87 in a million buckets the
//!   farthest is about 7 away, where first come, first served has some at 77.
//! - *Taking*: an item that passed over the bucket in which a slot became free moves back into it,
//!   and so on down the row. So there are no tombstones, and no bucket that is passed over has room.
//!
//! Each bucket notes its reach, how far its own items lie from it at most, so that a lookup of a
//! missing key ends where the last candidate may be: at home for most keys.

use std::alloc::{Layout, alloc, alloc_zeroed, dealloc, handle_alloc_error};
use std::ptr::NonNull;

use super::bucket::{Bucket, DISPLACEMENT_MAX, Probe, Tagged};
use super::{BUCKET_SIZE, Item, pointer};

/// The bucket of all arrays that are not allocated. Never written.
static NO_BUCKET: Bucket = Bucket::EMPTY;

/// Where an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) index: usize,
    pub(super) slot: usize,
}

/// An array of buckets. Those from `ready` on have not been written yet.
///
/// It does not own the items: the table does.
pub(super) struct Array {
    base: NonNull<Bucket>,
    count: usize,
    ready: usize,
}

// SAFETY: the array owns its memory and is only a place for words.
unsafe impl Send for Array {}
// SAFETY: through a shared array the words are only read.
unsafe impl Sync for Array {}

impl Array {
    /// One empty bucket that cannot be written.
    pub(super) const fn unallocated() -> Self {
        let base = &raw const NO_BUCKET;
        // SAFETY: the address of a static is not null.
        let base = unsafe { NonNull::new_unchecked(base.cast_mut()) };
        Self { base, count: 1, ready: 1 }
    }

    /// Buckets that become ready one after the other: the cost of a large array is spread.
    pub(super) fn with_count(count: usize) -> Self {
        let layout = layout(count);
        // SAFETY: the size is not zero.
        let memory = unsafe { alloc(layout) };
        let Some(base) = NonNull::new(memory.cast()) else { handle_alloc_error(layout) };
        Self { base, count, ready: 0 }
    }

    /// Buckets that are ready at once.
    pub(super) fn zeroed(count: usize) -> Self {
        let layout = layout(count);
        // SAFETY: the size is not zero.
        let memory = unsafe { alloc_zeroed(layout) };
        let Some(base) = NonNull::new(memory.cast()) else { handle_alloc_error(layout) };
        Self { base, count, ready: count }
    }

    /// Makes the bucket at `index` and all before it ready.
    #[inline]
    pub(super) fn make_ready(&mut self, index: usize) {
        debug_assert!(index < self.count);
        while self.ready <= index {
            // SAFETY: inside the allocation, which is ours alone.
            let bucket = unsafe { self.base.add(self.ready) };
            // SAFETY: as above.
            unsafe { bucket.write(Bucket::EMPTY) };
            self.ready += 1;
        }
    }

    /// Finds room for an item that is not there. If too many want the same few buckets, one item
    /// is left over and comes back; it need not be the one that was given.
    #[inline]
    pub(super) fn put(&mut self, hash: u64, item: Tagged) -> Result<(), Tagged> {
        let home = self.home(hash);
        self.make_ready(home);
        let bucket = self.bucket_mut(home);
        if let Some(slot) = bucket.vacancy() {
            bucket.put(slot, item);
            return Ok(());
        }
        self.put_displaced(home, item)
    }

    /// Takes an item out; others may move nearer to their homes.
    pub(super) fn take(&mut self, place: Place) -> Tagged {
        let was_full = self.bucket(place.index).is_full();
        let item = self.take_leaving_hole(place);
        let distance = item.displacement();
        self.lower_reach(self.before(place.index, distance), distance);
        if was_full {
            self.fill_hole(place.index);
        }
        item
    }

    /// Takes an item out and nothing else.
    #[inline]
    pub(super) fn take_leaving_hole(&mut self, place: Place) -> Tagged {
        self.bucket_mut(place.index).take(place.slot)
    }

    /// Notes that an item's address has changed.
    #[inline]
    pub(super) fn set_address(&mut self, place: Place, address: u64) {
        self.bucket_mut(place.index).set_address(place.slot, address);
    }

    /// The place of the item with this key.
    #[inline]
    pub(super) fn find<T: Item>(&self, hash: u64, key: &[u8]) -> Option<Place> {
        let probe = Probe::new(hash);
        let mut index = self.home(hash);
        let mut bucket = self.bucket(index);
        let reach = bucket.reach();
        let mut distance = 0;
        loop {
            for slot in bucket.matches(probe.fingerprint) {
                let Some(address) = probe.address(bucket.word(slot), distance) else { continue };
                // SAFETY: the word of an occupied slot holds the address of an item that the
                // table owns, and the look ends before the table can change.
                let item = unsafe { T::borrow(pointer(address)) };
                if T::key(item) == key {
                    return Some(Place { index, slot });
                }
            }
            if distance == reach {
                return None;
            }
            distance += 1;
            index = self.after(index);
            bucket = self.bucket(index);
        }
    }

    /// The items whose home is `home`.
    pub(super) fn at_home(&self, home: usize) -> impl Iterator<Item = Place> + use<'_> {
        let reach = if home < self.ready { self.bucket(home).reach() } else { 0 };
        let distances = if home < self.ready { 0..reach + 1 } else { 0..0 };
        distances.flat_map(move |distance| {
            let index = self.wrapped(home + distance);
            self.bucket(index).displaced_by(distance).map(move |slot| Place { index, slot })
        })
    }

    /// What is known of the item at a place.
    #[inline]
    pub(super) fn at(&self, place: Place) -> Tagged {
        self.bucket(place.index).at(place.slot)
    }

    /// The bucket at which a hash is at home.
    #[inline]
    pub(super) fn home(&self, hash: u64) -> usize {
        ((u128::from(hash) * self.count as u128) >> 64) as usize
    }

    /// The lowest hash that is at home at `home`; 2^64 for the end.
    pub(super) fn lowest_hash(&self, home: usize) -> u128 {
        ((home as u128) << 64).div_ceil(self.count as u128)
    }

    #[inline]
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// How many buckets, from the first, can hold items.
    #[inline]
    pub(super) fn ready(&self) -> usize {
        self.ready
    }

    pub(super) fn is_allocated(&self) -> bool {
        !std::ptr::eq(self.base.as_ptr(), &raw const NO_BUCKET)
    }

    pub(super) fn memory_bytes(&self) -> usize {
        if self.is_allocated() { self.count * BUCKET_SIZE } else { 0 }
    }

    pub(super) fn address(&self) -> *const u8 {
        self.base.as_ptr().cast_const().cast()
    }

    /// The bucket that follows; the first after the last.
    #[inline]
    pub(super) fn after(&self, index: usize) -> usize {
        if index + 1 == self.count { 0 } else { index + 1 }
    }

    #[inline]
    pub(super) fn bucket(&self, index: usize) -> &Bucket {
        debug_assert!(index < self.ready);
        // SAFETY: inside the allocation: homes and what follows them are below `count`.
        let bucket = unsafe { self.base.add(index) };
        // SAFETY: ready buckets are initialised; nobody writes while the array is borrowed.
        unsafe { bucket.as_ref() }
    }

    fn bucket_mut(&mut self, index: usize) -> &mut Bucket {
        debug_assert!(index < self.ready);
        debug_assert!(self.is_allocated());
        // SAFETY: inside the allocation: homes and what follows them are below `count`.
        let mut bucket = unsafe { self.base.add(index) };
        // SAFETY: ready buckets are initialised, and the array is borrowed mutably.
        unsafe { bucket.as_mut() }
    }

    /// Walks on from a full home until there is room, each time leaving behind who is farther.
    #[cold]
    #[inline(never)]
    fn put_displaced(&mut self, home: usize, item: Tagged) -> Result<(), Tagged> {
        let mut carried = item;
        let mut distance = 0;
        let mut index = home;
        loop {
            distance += 1;
            if DISPLACEMENT_MAX.min(self.count - 1) < distance {
                return Err(carried);
            }
            index = self.after(index);
            self.make_ready(index);
            let bucket = self.bucket_mut(index);
            carried = carried.with_displacement(distance);
            if let Some(slot) = bucket.vacancy() {
                bucket.put(slot, carried);
                self.raise_reach(index, distance);
                return Ok(());
            }
            let (slot, least) = bucket.least_displaced();
            if least < distance {
                carried = bucket.swap(slot, carried);
                self.raise_reach(index, distance);
                distance = least;
            }
        }
    }

    /// Moves items back along the row, beginning with one into the bucket at `index`.
    fn fill_hole(&mut self, mut index: usize) {
        loop {
            let next = self.after(index);
            if self.ready <= next {
                return;
            }
            let bucket = self.bucket_mut(next);
            let was_full = bucket.is_full();
            let Some(slot) = bucket.most_displaced() else { return };
            let item = bucket.take(slot);
            let distance = item.displacement();
            let target = self.bucket_mut(index);
            let Some(hole) = target.vacancy() else {
                unreachable!("an item was taken from this bucket")
            };
            target.put(hole, Bucket::nearer(item));
            self.lower_reach(self.before(next, distance), distance);
            if !was_full {
                return;
            }
            index = next;
        }
    }

    /// Notes at its home that an item lies at `index`, `distance` buckets away.
    fn raise_reach(&mut self, index: usize, distance: usize) {
        let home = self.bucket_mut(self.before(index, distance));
        if home.reach() < distance {
            home.set_reach(distance);
        }
    }

    /// An item has left the place `distance` buckets from `home`: it may have been the farthest.
    fn lower_reach(&mut self, home: usize, distance: usize) {
        let mut reach = self.bucket(home).reach();
        if distance == 0 || distance < reach {
            return;
        }
        while 0 < reach
            && self.bucket(self.wrapped(home + reach)).displaced_by(reach).next().is_none()
        {
            reach -= 1;
        }
        self.bucket_mut(home).set_reach(reach);
    }

    #[inline]
    fn before(&self, index: usize, distance: usize) -> usize {
        if distance <= index { index - distance } else { index + self.count - distance }
    }

    #[inline]
    fn wrapped(&self, index: usize) -> usize {
        if index < self.count { index } else { index - self.count }
    }
}

impl Drop for Array {
    fn drop(&mut self) {
        if self.is_allocated() {
            // SAFETY: allocated with this layout, and nobody looks again.
            unsafe { dealloc(self.base.as_ptr().cast(), layout(self.count)) };
        }
    }
}

fn layout(count: usize) -> Layout {
    Layout::array::<Bucket>(count).expect("bucket counts come from items in memory")
}
