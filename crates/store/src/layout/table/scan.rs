//! Walks over a table: by cursor, by the beginning of a hash, by chance.
//!
//! *Cursor.* A position in the order of the hash (its upper 44 bits), so it needs no memory here
//! and means the same before and after the table has changed its size: a scan visits all items
//! whose hash lies between its cursor and the next, in whichever array they are. An item that is
//! there throughout is visited; one visited twice only if the scan is begun again.
//!
//! Only an ordering by a new hash (see `migrate`) upsets this. Each ordering is a generation, which
//! the cursor names in three bits above the position. While items move to a new ordering, a scan
//! walks the old array to its end by the old hash, and then the new one from its beginning: an item
//! that has not been visited in the old array when it moves is visited in the new one. A cursor
//! of a generation that is gone begins anew. Generation zero is only ever the first, so the first
//! cursor, zero, is also the last: the end.

use std::ops::Range;
use std::ptr::NonNull;

use base::rand::Rng;

use super::array::{Array, Place};
use super::bucket::FINGERPRINT_SHIFT;
use super::{BUCKET_SIZE, Item, SLOT_COUNT, Site, Table, pointer};
use crate::layout::prefetch::prefetch_line;

/// Bits of a cursor; the rest is the caller's, for instance for the shard.
pub const CURSOR_BITS: u32 = POSITION_BITS + 3;

const POSITION_BITS: u32 = 44;
const POSITION_SHIFT: u32 = 64 - POSITION_BITS;
const POSITION_END: u64 = 1 << POSITION_BITS;

/// The first 28 bits of a hash: with them an index finds an item again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashPrefix(u32);

impl HashPrefix {
    /// How many bits.
    pub const BITS: u32 = 28;

    /// The beginning of this hash.
    #[inline]
    pub fn of(hash: u64) -> Self {
        Self((hash >> (64 - Self::BITS)) as u32)
    }

    /// The prefix that is this number.
    #[inline]
    pub fn from_bits(bits: u32) -> Self {
        debug_assert!(bits >> Self::BITS == 0);
        Self(bits)
    }

    /// The prefix as a number.
    #[inline]
    pub fn bits(self) -> u32 {
        self.0
    }

    fn lowest(self) -> u64 {
        u64::from(self.0) << (64 - Self::BITS)
    }

    fn highest(self) -> u64 {
        self.lowest() | (u64::MAX >> Self::BITS)
    }
}

/// Which arrays a walk visits, and which hash orders them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The old array, while items move to another ordering.
    Old,
    /// All others.
    Current,
}

impl<T: Item> Table<T> {
    /// Visits the items from `cursor` on, at least `count_min` if there are as many, and returns
    /// the cursor to go on with: zero at the end. Cursors are below 2^[`CURSOR_BITS`].
    ///
    /// In a table that is nearly empty, fewer may be visited before the end.
    pub fn scan(&self, cursor: u64, count_min: usize, mut visit: impl FnMut(T::Ref<'_>)) -> u64 {
        self.scan_addresses(cursor, count_min, |address| {
            // SAFETY: an item of the table, which is borrowed.
            visit(unsafe { T::borrow(pointer(address)) });
        })
    }

    /// As [`Table::scan`], with looks that may change what needs no other size.
    pub fn scan_mut(
        &mut self,
        cursor: u64,
        count_min: usize,
        mut visit: impl FnMut(T::Mut<'_>),
    ) -> u64 {
        self.scan_addresses(cursor, count_min, |address| {
            // SAFETY: an item of the table, which is borrowed mutably; the walk itself looks at no item
            // while this one is lent.
            visit(unsafe { T::borrow_mut(pointer(address)) });
        })
    }

    /// Visits about `count` items that are neighbours in the order of the hash, from a random place
    /// on; the first is behind the last. Fewer if there are not as many, or where few are left.
    pub fn sample(&self, rng: &mut Rng, count: usize, mut visit: impl FnMut(T::Ref<'_>)) {
        let is_reordering = self.migration.is_some() && self.salted.is_some();
        let phase = if is_reordering && rng.below(2) == 0 { Phase::Old } else { Phase::Current };
        let mut seen = 0;
        let start = self.encode(phase, rng.below(POSITION_END));
        let next = self.scan(start, count, |item| {
            seen += 1;
            visit(item);
        });
        let missing = count.min(self.len).saturating_sub(seen);
        if next == 0 && 0 < missing {
            self.scan(0, missing, visit);
        }
    }

    /// Checks what must hold of every table; for tests and debugging.
    ///
    /// # Panics
    /// If it does not hold.
    pub fn check_invariants(&self) {
        let old_len = self
            .migration
            .as_ref()
            .map_or(0, |migration| self.check_array(Phase::Old, migration.old()));
        let len = self.check_array(Phase::Current, &self.array);
        assert_eq!(self.len, old_len + len + self.stash.len());
        let is_loaded = self.len <= self.array.count() * SLOT_COUNT;
        assert!(is_loaded || self.len == 0);
    }

    fn check_array(&self, phase: Phase, array: &Array) -> usize {
        let mut len = 0;
        for index in 0..array.ready() {
            let bucket = array.bucket(index);
            assert!(bucket.reach() < array.count());
            len += bucket.occupied().count();
            for place in array.at_home(index) {
                let hash = self.hash_in(phase, array.at(place).address());
                assert_eq!(array.home(hash), index);
                let bits = hash >> FINGERPRINT_SHIFT & ((1 << 19) - 1);
                assert_eq!(array.at(place).hash_bits(), bits);
            }
        }
        let at_home: usize = (0..array.ready()).map(|home| array.at_home(home).count()).sum();
        assert_eq!(len, at_home);
        len
    }

    /// The first item with this prefix that `keep` does not want.
    pub(super) fn first_unwanted(
        &mut self,
        prefix: HashPrefix,
        mut keep: impl FnMut(T::Mut<'_>) -> bool,
    ) -> Option<Site> {
        let mut is_wanted = |address: u64| {
            // SAFETY: an item of the table, which is borrowed mutably.
            keep(unsafe { T::borrow_mut(pointer(address)) })
        };
        if let Some(migration) = &self.migration {
            let mut places = with_prefix(migration.old(), prefix);
            let unwanted = places.find(|place| !is_wanted(migration.old().at(*place).address()));
            if let Some(place) = unwanted {
                return Some(Site::Old(place));
            }
        }
        let mut places = with_prefix(&self.array, prefix);
        if let Some(place) = places.find(|place| !is_wanted(self.array.at(*place).address())) {
            return Some(Site::Array(place));
        }
        let mut stashed = self.stash.range((prefix.lowest(), 0)..=(prefix.highest(), u64::MAX));
        let (hash, address) = stashed.find(|(_, address)| !is_wanted(*address))?;
        Some(Site::Stash(*hash, *address))
    }

    /// Asks for the first bucket that an item whose hash begins so may be in.
    #[inline]
    pub(crate) fn prefetch_buckets(&self, prefix: HashPrefix) {
        let array = self.array_of(prefix);
        let bucket = array.address().wrapping_add(array.home(prefix.lowest()) * BUCKET_SIZE);
        prefetch_line(bucket);
    }

    /// Asks for the items whose hash begins so, once their bucket has come.
    #[inline]
    pub(crate) fn prefetch_items(&self, prefix: HashPrefix) {
        let array = self.array_of(prefix);
        for place in with_prefix(array, prefix) {
            prefetch_line(pointer(array.at(place).address()).as_ptr());
        }
    }

    /// The array in which most items are whose hash begins so.
    fn array_of(&self, prefix: HashPrefix) -> &Array {
        match &self.migration {
            Some(migration) if migration.is_in_old(prefix.lowest()) => migration.old(),
            _ => &self.array,
        }
    }

    /// Some item, by trying slots.
    pub(super) fn random_raw(&self, rng: &mut Rng) -> Option<NonNull<u8>> {
        // Under half empty, a hundred misses in a row do not happen; while a table that was
        // emptied shrinks, they may.
        const TRY_COUNT_MAX: usize = 100;
        let old = self.migration.as_ref().map(|migration| (migration.old(), migration.drained()));
        let old_count = old.map_or(0, |(old, drained)| old.count() - drained);
        let count = self.array.ready() + old_count;
        let slot_at = |index: usize| match old {
            Some((old, drained)) if self.array.ready() <= index => {
                old.bucket(drained + index - self.array.ready())
            }
            _ => self.array.bucket(index),
        };
        if self.len == 0 {
            return None;
        }
        for _ in 0..TRY_COUNT_MAX {
            let (bucket, slot) = (slot_at(rng.index(count)), rng.index(SLOT_COUNT));
            if bucket.is_occupied(slot) {
                return Some(pointer(bucket.at(slot).address()));
            }
        }
        let start = rng.index(count);
        let mut buckets = (0..count).map(|step| slot_at((start + step) % count));
        let found = buckets.find_map(|bucket| Some(bucket.at(bucket.occupied().next()?).address()));
        // What is left may have been put aside, or wrapped around into a part that has moved.
        let address =
            found.or_else(|| self.stash.first().map(|(_, address)| *address)).or_else(|| {
                let old = old?.0;
                old.addresses().next()
            });
        address.map(pointer)
    }

    fn decode(&self, cursor: u64) -> (Phase, u64) {
        let position = cursor & (POSITION_END - 1);
        let generation = (cursor >> POSITION_BITS) as u8;
        match self.migration.as_ref().filter(|migration| migration.is_rehash()) {
            Some(_) if generation == self.generation => (Phase::Current, position),
            Some(migration) if generation == migration.generation() => (Phase::Old, position),
            Some(_) => (Phase::Old, 0),
            None if generation == self.generation => (Phase::Current, position),
            None => (Phase::Current, 0),
        }
    }

    fn encode(&self, phase: Phase, position: u64) -> u64 {
        let generation = match (&self.migration, phase) {
            (Some(migration), Phase::Old) => migration.generation(),
            _ => self.generation,
        };
        u64::from(generation) << POSITION_BITS | position
    }

    /// The position about `homes` buckets after `from`.
    fn range_end(&self, phase: Phase, from: u64, homes: usize) -> u64 {
        let hash = from << POSITION_SHIFT;
        let array = match &self.migration {
            Some(migration) if phase == Phase::Old => migration.old(),
            Some(migration) if !migration.is_rehash() && migration.is_in_old(hash) => {
                migration.old()
            }
            _ => &self.array,
        };
        let home = array.home(hash).saturating_add(homes).min(array.count());
        let end = array.lowest_hash(home).div_ceil(1 << POSITION_SHIFT);
        end as u64
    }

    fn scan_addresses(&self, cursor: u64, count_min: usize, mut visit: impl FnMut(u64)) -> u64 {
        let (mut phase, mut from) = self.decode(cursor);
        let mut missing = count_min.max(1);
        // Bounds the walk over empty buckets.
        let mut homes_left = missing.saturating_add(16);
        loop {
            let homes = missing.div_ceil(SLOT_COUNT).min(homes_left);
            homes_left -= homes;
            let to = self.range_end(phase, from, homes);
            let mut visited = 0;
            self.visit_range(phase, from..to, |item| {
                visited += 1;
                visit(item);
            });
            missing = missing.saturating_sub(visited);
            from = to;
            if to == POSITION_END {
                if phase == Phase::Current {
                    return 0;
                }
                (phase, from) = (Phase::Current, 0);
            }
            if missing == 0 || homes_left == 0 {
                return self.encode(phase, from);
            }
        }
    }

    fn visit_range(&self, phase: Phase, range: Range<u64>, mut visit: impl FnMut(u64)) {
        if let Some(migration) = &self.migration
            && (phase == Phase::Old || !migration.is_rehash())
        {
            self.visit_array(Phase::Old, migration.old(), &range, &mut visit);
        }
        if phase == Phase::Current {
            self.visit_array(Phase::Current, &self.array, &range, &mut visit);
            for (hash, address) in &self.stash {
                if range.contains(&(hash >> POSITION_SHIFT)) {
                    visit(*address);
                }
            }
        }
    }

    fn visit_array(
        &self,
        phase: Phase,
        array: &Array,
        range: &Range<u64>,
        visit: &mut impl FnMut(u64),
    ) {
        let first = array.home(range.start << POSITION_SHIFT);
        let last = array.home(range.end.wrapping_shl(POSITION_SHIFT).wrapping_sub(1));
        for home in first..=last {
            if home + 1 < last.min(array.ready()) {
                array.prefetch_home(home + 1);
            }
            // Homes in between lie in the range as a whole.
            let is_border = home == first || home == last;
            for place in array.at_home(home) {
                let address = array.at(place).address();
                let is_inside =
                    !is_border || range.contains(&(self.hash_in(phase, address) >> POSITION_SHIFT));
                if is_inside {
                    visit(address);
                }
            }
        }
    }

    fn hash_in(&self, phase: Phase, address: u64) -> u64 {
        match (&self.migration, phase) {
            (Some(migration), Phase::Old) => {
                let function = migration.salted().unwrap_or(&self.hash);
                function.hash(self.key_of(address))
            }
            _ => self.hash_of(address),
        }
    }
}

impl Array {
    fn prefetch_home(&self, home: usize) {
        let bucket = self.bucket(home);
        for slot in bucket.occupied() {
            prefetch_line(pointer(bucket.at(slot).address()).as_ptr());
        }
    }
}

/// The places of the items whose hash begins with `prefix`, as far as the buckets tell.
fn with_prefix(array: &Array, prefix: HashPrefix) -> impl Iterator<Item = Place> + use<'_> {
    /// Bits that both the prefix and a bucket know.
    const SHARED_BITS: u32 = 18;
    let homes = array.home(prefix.lowest())..=array.home(prefix.highest());
    homes.flat_map(move |home| array.at_home(home)).filter(move |place| {
        let known = array.at(*place).hash_bits() >> 1;
        known == u64::from(prefix.bits()) & ((1 << SHARED_BITS) - 1)
    })
}
