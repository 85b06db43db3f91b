//! How a table changes its size: in the order of the hash, a few homes with each call.
//!
//! The old array empties from its first home to its last; `drained` says how far. Keys whose old
//! home is below are in the new array, all others in the old one. The new array's buckets are
//! initialised as they are reached, so beginning costs one allocation.
//!
//! *Moving without looking.* To find an item's new home takes its hash, and reading the item for it
//! would cost a cache miss: with four moves for each insertion (a quarter more room, every item
//! moves) that were most of the time. But an old array of n buckets gives away the upper log2(n)
//! bits of the hash by the item's home, and the bucket holds bits 35 to 54. From 2^11 buckets on
//! these two overlap, so all bits above 35 are known. They decide the new home unless they fall
//! within 2^35 of its border: one item in thousands. Only that one is read.

use base::hash::KeyedHash;

use super::array::{Array, Place};
use super::bucket::{FINGERPRINT_BITS, FINGERPRINT_SHIFT, TAG_BITS, Tagged};
use super::{Item, SLOT_COUNT, Table, pointer};
use crate::layout::prefetch::prefetch_line;

/// Homes that an insertion or a removal moves on. About a microsecond, and a table that grows by a
/// quarter has moved before a tenth of the new room is used.
const HOMES_PER_STEP: usize = 8;

/// The same while items lie aside because some part of the old array is too full.
const HOMES_PER_STEP_HURRIED: usize = 64;

/// Arrays up to this size move at once.
const SMALL_COUNT: usize = 16;

/// From so many buckets on an item's home and what its bucket holds say all that is needed.
const KNOWN_HASH_COUNT_MIN: usize = 1 << 11;

/// The bits of the hash that a bucket knows of each item.
const KNOWN_BITS: u32 = FINGERPRINT_BITS + TAG_BITS;

/// The way from one array to another.
pub(super) struct Migration {
    old: Array,
    /// Homes below have moved.
    drained: usize,
    /// The function that orders the old array, if it is not the callers'.
    salted: Option<Box<KeyedHash>>,
    /// Whether the new array is ordered by another function.
    is_rehash: bool,
    /// The generation of the old array.
    generation: u8,
}

impl Migration {
    pub(super) fn put(&mut self, hash: u64, item: Tagged) -> Result<(), Tagged> {
        self.old.put(hash, item)
    }

    pub(super) fn take(&mut self, place: Place) -> Tagged {
        self.old.take(place)
    }

    pub(super) fn set_address(&mut self, place: Place, address: u64) {
        self.old.set_address(place, address);
    }

    /// The array that its items have not left yet.
    pub(super) fn into_old(self) -> Array {
        self.old
    }

    pub(super) fn old(&self) -> &Array {
        &self.old
    }

    /// Whether a key with this hash (by the old array's function) has not moved yet.
    #[inline]
    pub(super) fn is_in_old(&self, hash: u64) -> bool {
        self.drained <= self.old.home(hash)
    }

    /// The hash that orders the old array, from the caller's hash.
    #[inline]
    pub(super) fn ordering_hash(&self, hash: u64, key: &[u8]) -> u64 {
        match &self.salted {
            None => hash,
            Some(salted) => salted.hash(key),
        }
    }

    pub(super) fn salted(&self) -> Option<&KeyedHash> {
        self.salted.as_deref()
    }

    pub(super) fn is_past_half(&self) -> bool {
        self.old.count() < 2 * self.drained
    }

    pub(super) fn is_rehash(&self) -> bool {
        self.is_rehash
    }

    pub(super) fn generation(&self) -> u8 {
        self.generation
    }

    pub(super) fn drained(&self) -> usize {
        self.drained
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.old.memory_bytes()
    }
}

impl<T: Item> Table<T> {
    /// Makes room for one item more.
    #[cold]
    pub(super) fn grow(&mut self) {
        if self.migration.is_some() {
            // Filled faster than it moved: only a table that shrinks while it is filled.
            self.migrate(HOMES_PER_STEP_HURRIED);
        } else if self.array.is_allocated() {
            self.begin_growth();
        } else {
            self.array = Array::zeroed(1);
            self.set_bounds();
        }
    }

    /// Gives back what fewer items do not need.
    #[cold]
    pub(super) fn shrink(&mut self) {
        let count = self.array.count();
        // Afterwards it is 0.74 full as a whole, and 0.80 where it is fullest.
        let wanted = (self.len * 100).div_ceil(SLOT_COUNT * 74).max(1);
        let (items, slots) = self.array.fullest_window();
        let wanted = wanted.max((count * items * 100).div_ceil(slots * 80));
        if wanted <= count - count / 8 {
            self.begin_migration(Array::with_count(wanted));
        } else {
            // Some part is too full. Look again when there are fewer items.
            self.shrink_at = self.len - self.len / 8;
        }
    }

    /// Keeps an item that found no room, and sees to it that it will.
    #[cold]
    pub(super) fn stash(&mut self, item: Tagged) {
        self.stash.insert((self.hash_of(item.address()), item.address()));
        if self.migration.is_some() {
            return;
        }
        // Some part of the table is too full. By chance, or since items were removed in the order
        // of a scan? Then a larger array helps. If it does not, or if the table is rather empty,
        // somebody chooses keys.
        let slots = self.array.count() * SLOT_COUNT;
        if slots * 3 / 10 < self.len {
            self.begin_growth();
        } else {
            self.rehash();
        }
    }

    /// Moves on by as much as an insertion or a removal may take.
    pub(super) fn step(&mut self) {
        let is_calm = self.stash.is_empty();
        self.migrate(if is_calm { HOMES_PER_STEP } else { HOMES_PER_STEP_HURRIED });
    }

    /// Moves `homes` homes on.
    pub(super) fn migrate(&mut self, homes: usize) {
        for _ in 0..homes {
            let Some(migration) = &self.migration else { return };
            if migration.drained == migration.old.count() {
                self.finish_migration();
                return;
            }
            self.drain_home();
        }
    }

    fn begin_growth(&mut self) {
        let count = self.array.count();
        self.begin_migration(Array::with_count(count + (count / 4).max(1)));
    }

    /// Orders all items by a hash that nobody outside can know.
    fn rehash(&mut self) {
        self.flood_count = self.flood_count.saturating_add(1);
        let salt = self.hash.hash(&self.flood_count.to_le_bytes());
        let count = self.array.count();
        self.begin_migration(Array::zeroed(count + count / 4));
        self.salted = Some(Box::new(KeyedHash::new(salt)));
        if let Some(migration) = &mut self.migration {
            migration.is_rehash = true;
        }
        // Zero is the first generation only: see `scan`.
        self.generation = self.generation % 7 + 1;
        // What is put aside is found by the hash that orders the new array.
        let stashed = std::mem::take(&mut self.stash);
        self.stash = stashed.into_iter().map(|(_, at)| (self.hash_of(at), at)).collect();
        if count <= SMALL_COUNT {
            self.migrate(usize::MAX);
        }
    }

    fn begin_migration(&mut self, new: Array) {
        debug_assert!(self.migration.is_none());
        let is_small = self.array.count() <= SMALL_COUNT && new.ready() == 0;
        self.migration = Some(Box::new(Migration {
            old: std::mem::replace(&mut self.array, new),
            drained: 0,
            salted: self.salted.clone(),
            is_rehash: false,
            generation: self.generation,
        }));
        self.set_bounds();
        if is_small {
            self.migrate(usize::MAX);
        }
    }

    fn finish_migration(&mut self) {
        let was_rehash = self.migration.take().is_some_and(|migration| migration.is_rehash);
        let last = self.array.count() - 1;
        self.array.make_ready(last);
        for (hash, address) in std::mem::take(&mut self.stash) {
            if let Err(left_over) = self.array.put(hash, Tagged::new(address, hash)) {
                let address = left_over.address();
                self.stash.insert((self.hash_of(address), address));
            }
        }
        if !self.stash.is_empty() && !was_rehash {
            self.rehash();
        }
    }

    fn set_bounds(&mut self) {
        let slots = self.array.count() * SLOT_COUNT;
        self.grow_at = slots * 7 / 8;
        self.shrink_at = if self.array.count() == 1 { 0 } else { slots * 9 / 16 };
    }

    /// Moves all items of the next home.
    fn drain_home(&mut self) {
        let Some(migration) = &mut self.migration else { return };
        let home = migration.drained;
        let count = migration.old.count();
        let is_known = KNOWN_HASH_COUNT_MIN <= count && !migration.is_rehash;
        if !is_known && home + 2 < count {
            migration.old.prefetch_bucket(home + 2);
        }
        let lowest = migration.old.lowest_hash(home) as u64;
        let mut index = home;
        for distance in 0..=migration.old.bucket(home).reach() {
            loop {
                let slot = migration.old.bucket(index).displaced_by(distance).next();
                let Some(slot) = slot else { break };
                let item = migration.old.take_leaving_hole(Place { index, slot });
                let known = is_known.then(|| known_hash(lowest, item, &self.array)).flatten();
                let hash = known.unwrap_or_else(|| {
                    // SAFETY: an item of the table.
                    let look = unsafe { T::borrow(pointer(item.address())) };
                    self.salted.as_deref().unwrap_or(&self.hash).hash(T::key(look))
                });
                if let Err(left_over) = self.array.put(hash, Tagged::new(item.address(), hash)) {
                    // SAFETY: an item of the table.
                    let look = unsafe { T::borrow(pointer(left_over.address())) };
                    let hash = self.salted.as_deref().unwrap_or(&self.hash).hash(T::key(look));
                    self.stash.insert((hash, left_over.address()));
                }
            }
            index = migration.old.after(index);
        }
        migration.drained = home + 1;
        if !migration.is_rehash {
            // A key that has moved may be looked for in any of these.
            let last = (migration.old.lowest_hash(home + 1) - 1) as u64;
            let ready = self.array.home(last);
            self.array.make_ready(ready);
        }
    }
}

impl Array {
    /// Items and slots in the fullest of some windows.
    ///
    /// A client that scans and removes what it finds empties the table from its beginning, so the
    /// rest may be full while the whole is not. Hence windows all over, and ever closer ones
    /// towards both ends.
    fn fullest_window(&self) -> (usize, usize) {
        const WINDOW_LEN: usize = 64;
        const WINDOW_COUNT: usize = 32;
        let count = self.count();
        if count <= WINDOW_LEN {
            return (self.window_len(0, count), count * SLOT_COUNT);
        }
        let last = count - WINDOW_LEN;
        let even = (0..WINDOW_COUNT).map(|step| last / WINDOW_COUNT * step);
        let lower = (0..usize::BITS).map(|shift| last >> shift).take_while(|at| 0 < *at);
        let starts = even.chain(lower.clone()).chain(lower.map(|at| last - at)).chain([last]);
        let items = starts.map(|start| self.window_len(start, WINDOW_LEN)).max().unwrap_or(0);
        (items, WINDOW_LEN * SLOT_COUNT)
    }

    fn window_len(&self, start: usize, count: usize) -> usize {
        (start..start + count).map(|index| self.bucket(index).len()).sum()
    }

    fn prefetch_bucket(&self, index: usize) {
        let bucket = self.bucket(index);
        for slot in bucket.occupied() {
            prefetch_line(pointer(bucket.at(slot).address()).as_ptr());
        }
    }
}

/// The upper bits of an item's hash, of which `lowest` is the least that its home allows, if they
/// decide where the item is at home in `new`. The lower ones are zero.
fn known_hash(lowest: u64, item: Tagged, new: &Array) -> Option<u64> {
    let lowest = lowest >> FINGERPRINT_SHIFT;
    let above = item.hash_bits().wrapping_sub(lowest) & ((1 << KNOWN_BITS) - 1);
    let hash = (lowest + above) << FINGERPRINT_SHIFT;
    let last = hash | ((1 << FINGERPRINT_SHIFT) - 1);
    (new.home(hash) == new.home(last)).then_some(hash)
}

#[cfg(test)]
mod tests {
    use base::rand::Rng;

    use super::*;

    #[test]
    fn what_is_known_of_a_hash_is_right() {
        let mut rng = Rng::new(1);
        for count in [KNOWN_HASH_COUNT_MIN, 2_049, 5_000, 1 << 16, 1_000_003, 1 << 22] {
            let (old, new) = (Array::with_count(count), Array::with_count(count + count / 4));
            let mut unknown = 0;
            for _ in 0..20_000 {
                let hash = rng.next_u64();
                let lowest = old.lowest_hash(old.home(hash)) as u64;
                match known_hash(lowest, Tagged::new(8, hash), &new) {
                    Some(known) => assert_eq!(known >> 35, hash >> 35),
                    None => unknown += 1,
                }
            }
            // One in 2^29 / count.
            assert!(unknown <= 20 + 40_000 * count / (1 << 29), "{count}: {unknown}");
        }
    }
}
