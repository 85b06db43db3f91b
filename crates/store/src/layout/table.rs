//! The hash table: thin pointers in cache-line buckets, in the order of the hash.
//!
//! *Problem.* Tens of millions of small items: a lookup should touch one line of the table and one
//! of the item, a table should cost little more than its pointers, and no single call may pay for
//! moving them all.
//!
//! *Idea.* Buckets of one cache line hold seven items each (`bucket`), in the order of the hash
//! (`array`). The number of buckets need not be a power of two, so a full table grows by a quarter
//! only and is between 0.70 and 0.87 full: 10.5 to 13 bytes an item. Items move to the new array in
//! the order of the hash, a few buckets with each insertion (`migrate`), so one comparison tells in
//! which of the two arrays a key is. A scan's cursor is a position in the order of the hash, so it
//! survives any number of moves (`scan`).
//!
//! *Cost.* A hit reads 1.1 buckets when the table is 0.70 full and 1.4 (neighbours) when it is 0.87
//! full. A missing key reads about as many. 19 bits of the hash and the exact home are compared
//! before an item is looked at, so a wrong one is almost never read.
//!
//! *Rejected.* Powers of two: between 0.44 and 0.87 full, four bytes more an item. First come,
//! first served in the row: at 0.87 a missing key reads 4.2 buckets, and some items lie 77 away.
//! Chains of buckets: a scan's cursor would need to know each chain's history.
//!
//! *Flooding.* An item more than 15 buckets from home is next to impossible by chance. It then goes
//! to a small tree beside the table (the stash), and the table grows, in case some part of it was
//! only fuller than the others. If that was not it, the event is counted, and all items move to an
//! array that is ordered by a new hash of its own, which nobody outside knows.
//!
//! The table owns its items as addresses. The SAFETY comments call "an item of the table" that an
//! occupied slot, or the stash, holds exactly one address for each item given to the table and not
//! yet taken back, and no other address.

mod array;
mod bucket;
mod migrate;
mod remains;
mod scan;

use std::collections::BTreeSet;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::sync::Arc;

use array::{Array, Place};
use base::hash::KeyedHash;
use base::rand::Rng;
use bucket::{Probe, Tagged};
use migrate::Migration;

use super::Key;
use super::prefetch::prefetch_line;

pub(crate) use remains::Remains;
pub use scan::{CURSOR_BITS, HashPrefix};

/// Bytes of a bucket: one cache line.
pub(crate) const BUCKET_SIZE: usize = 64;
/// Items in a bucket.
const SLOT_COUNT: usize = 7;

/// An owned thing of one pointer, found by its key.
///
/// # Safety
/// `into_raw` gives a pointer that stays valid, wherever the table puts it, until `from_raw` makes
/// the same item of it again. Items may be sent to another thread.
pub unsafe trait Item: Sized + Send {
    /// A look at an item.
    type Ref<'a>: Copy;
    /// A look that may change the item, but for its key.
    type Mut<'a>;

    /// Gives the item up for a pointer to it.
    fn into_raw(self) -> NonNull<u8>;

    /// Takes the item back.
    ///
    /// # Safety
    /// `raw` came from `into_raw`, and this is the only return.
    unsafe fn from_raw(raw: NonNull<u8>) -> Self;

    /// Looks at the item.
    ///
    /// # Safety
    /// `raw` came from `into_raw` and is not taken back or borrowed mutably during `'a`.
    unsafe fn borrow<'a>(raw: NonNull<u8>) -> Self::Ref<'a>;

    /// Looks at the item and may change it.
    ///
    /// # Safety
    /// As for `borrow`, and nobody else looks at it during `'a`.
    unsafe fn borrow_mut<'a>(raw: NonNull<u8>) -> Self::Mut<'a>;

    /// The key.
    fn key<'a>(item: Self::Ref<'a>) -> &'a [u8];
}

/// A set of items with distinct keys.
pub struct Table<T: Item> {
    /// All items, or those that have moved already.
    array: Array,
    len: usize,
    /// With so many items an insertion makes the table larger first.
    grow_at: usize,
    /// With fewer items a removal makes the table smaller.
    shrink_at: usize,
    /// Where the other items still are.
    migration: Option<Box<Migration>>,
    /// The function by which callers hash.
    hash: Arc<KeyedHash>,
    /// The function that orders `array`, if it is not `hash`.
    salted: Option<Box<KeyedHash>>,
    /// Items that found no room near their home: hash and address.
    stash: BTreeSet<(u64, u64)>,
    flood_count: u32,
    /// Which ordering of the table this is: see `scan`.
    generation: u8,
    owns: PhantomData<T>,
}

/// Where a table keeps an item.
#[derive(Clone, Copy)]
enum Site {
    Array(Place),
    Old(Place),
    Stash(u64, u64),
}

/// What a search for a key found.
pub enum Lookup<'t, T: Item> {
    /// The item.
    Found(Occupied<'t, T>),
    /// Nothing, and the right to insert it.
    Missing(Vacant<'t, T>),
}

/// An item in its place.
pub struct Occupied<'t, T: Item> {
    table: &'t mut Table<T>,
    site: Site,
}

/// The place of a missing key.
pub struct Vacant<'t, T: Item> {
    table: &'t mut Table<T>,
    hash: u64,
}

impl<T: Item> Table<T> {
    /// An empty table for keys that are hashed by `hash`; allocates nothing yet.
    pub fn new(hash: Arc<KeyedHash>) -> Self {
        Self {
            array: Array::unallocated(),
            len: 0,
            grow_at: 0,
            shrink_at: 0,
            migration: None,
            hash,
            salted: None,
            stash: BTreeSet::new(),
            flood_count: 0,
            generation: 0,
            owns: PhantomData,
        }
    }

    /// Finds the item of a key, to change it as a whole, take it out, or put one there.
    #[inline]
    pub fn entry(&mut self, key: Key<'_>) -> Lookup<'_, T> {
        match self.locate(key) {
            Some(site) => Lookup::Found(Occupied { table: self, site }),
            None => Lookup::Missing(Vacant { table: self, hash: key.hash }),
        }
    }

    /// Finds the item of a key, to change it in place.
    #[inline]
    pub fn find_mut(&mut self, key: Key<'_>) -> Option<T::Mut<'_>> {
        let raw = self.raw_at(self.locate(key)?);
        // SAFETY: an item of the table, which is borrowed mutably.
        Some(unsafe { T::borrow_mut(raw) })
    }

    /// Takes the item of a key out.
    #[inline]
    pub fn remove(&mut self, key: Key<'_>) -> Option<T> {
        let site = self.locate(key)?;
        Some(self.take(site))
    }

    /// Takes out the items whose hash begins with `prefix` and which `keep` does not want.
    ///
    /// `keep` may also see an item with another hash, if rarely, and one that it keeps twice.
    pub fn sift(
        &mut self,
        prefix: HashPrefix,
        mut keep: impl FnMut(T::Mut<'_>) -> bool,
        mut removed: impl FnMut(T),
    ) {
        while let Some(site) = self.first_unwanted(prefix, &mut keep) {
            removed(self.take(site));
        }
    }

    /// Moves up to `budget` buckets on, if the table is changing its size or should; says whether
    /// there is more to do.
    pub fn maintain(&mut self, budget: usize) -> bool {
        if self.migration.is_some() {
            self.migrate(budget);
        } else if self.len < self.shrink_at {
            self.shrink();
        }
        self.migration.is_some() || self.len < self.shrink_at
    }

    /// The item of a key.
    #[inline]
    pub fn find(&self, key: Key<'_>) -> Option<T::Ref<'_>> {
        let raw = self.raw_at(self.locate(key)?);
        // SAFETY: an item of the table, which is borrowed.
        Some(unsafe { T::borrow(raw) })
    }

    /// Some item, each about equally likely.
    pub fn random(&self, rng: &mut Rng) -> Option<T::Ref<'_>> {
        let raw = self.random_raw(rng)?;
        // SAFETY: an item of the table, which is borrowed.
        Some(unsafe { T::borrow(raw) })
    }

    /// Number of items.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Places for items.
    pub fn slots(&self) -> usize {
        self.array.count() * SLOT_COUNT
    }

    /// Bytes that the table itself takes.
    pub fn memory_bytes(&self) -> usize {
        let old = self.migration.as_ref().map_or(0, |migration| migration.memory_bytes());
        self.array.memory_bytes() + old + self.stash.len() * size_of::<(u64, u64)>()
    }

    /// How often an item found no room near its home: more than a few times means that somebody
    /// chooses keys whose hashes collide.
    pub fn flood_count(&self) -> u32 {
        self.flood_count
    }

    /// Changes whenever the table begins to order items by another hash.
    pub(crate) fn generation(&self) -> u8 {
        self.generation
    }

    /// The beginning of the hash by which the table orders the item with this key.
    #[inline]
    pub(crate) fn prefix(&self, key: Key<'_>) -> HashPrefix {
        HashPrefix::of(self.ordering_hash(key.hash, key.bytes))
    }

    /// The same, without the caller's hash.
    pub(crate) fn prefix_of(&self, key: &[u8]) -> HashPrefix {
        HashPrefix::of(self.salted.as_deref().unwrap_or(&self.hash).hash(key))
    }

    /// Whether items are on the way to another array.
    pub(crate) fn is_moving(&self) -> bool {
        self.migration.is_some()
    }

    /// The array in which most lookups end, for prefetching: its address and number of buckets.
    #[inline]
    pub(crate) fn hint(&self) -> (*const u8, u64) {
        let array = match &self.migration {
            Some(migration) if !migration.is_past_half() => migration.old(),
            _ => &self.array,
        };
        (array.address(), array.count() as u64)
    }

    /// Prefetches the items that may have this hash.
    #[inline]
    pub(crate) fn prefetch(&self, hash: u64) {
        let array = match &self.migration {
            Some(migration) if migration.is_in_old(hash) => migration.old(),
            _ => &self.array,
        };
        array.prefetch(hash);
    }

    #[inline]
    fn locate(&self, key: Key<'_>) -> Option<Site> {
        if self.migration.is_none() && self.salted.is_none() {
            if let Some(place) = self.array.find::<T>(key.hash, key.bytes) {
                return Some(Site::Array(place));
            }
            if self.stash.is_empty() {
                return None;
            }
        }
        self.locate_slowly(key)
    }

    /// The search while the table moves, or after a flood.
    fn locate_slowly(&self, key: Key<'_>) -> Option<Site> {
        if let Some(migration) = &self.migration {
            let hash = migration.ordering_hash(key.hash, key.bytes);
            if migration.is_in_old(hash) {
                let place = migration.old().find::<T>(hash, key.bytes).map(Site::Old);
                return place.or_else(|| self.locate_stashed(key));
            }
        }
        let hash = self.ordering_hash(key.hash, key.bytes);
        let place = self.array.find::<T>(hash, key.bytes).map(Site::Array);
        place.or_else(|| self.locate_stashed(key))
    }

    fn locate_stashed(&self, key: Key<'_>) -> Option<Site> {
        if self.stash.is_empty() {
            return None;
        }
        let hash = self.ordering_hash(key.hash, key.bytes);
        let mut candidates = self.stash.range((hash, 0)..=(hash, u64::MAX));
        let (_, address) = candidates.find(|(_, address)| self.key_of(*address) == key.bytes)?;
        Some(Site::Stash(hash, *address))
    }

    fn insert(&mut self, hash: u64, item: T) {
        if self.grow_at <= self.len {
            self.grow();
        }
        if self.migration.is_some() {
            self.step();
        }
        let address = address(item.into_raw());
        self.len += 1;
        if self.migration.is_none() && self.salted.is_none() {
            if let Err(left_over) = self.array.put(hash, Tagged::new(address, hash)) {
                self.stash(left_over);
            }
            return;
        }
        self.insert_slowly(hash, address);
    }

    fn insert_slowly(&mut self, hash: u64, address: u64) {
        let mut result = None;
        if let Some(migration) = &mut self.migration {
            // SAFETY: the item has just been given to the table.
            let key = unsafe { T::borrow(pointer(address)) };
            let hash = migration.ordering_hash(hash, T::key(key));
            if migration.is_in_old(hash) {
                result = Some(migration.put(hash, Tagged::new(address, hash)));
            }
        }
        let result = result.unwrap_or_else(|| {
            let hash = self.ordering_hash(hash, self.key_of(address));
            self.array.put(hash, Tagged::new(address, hash))
        });
        if let Err(left_over) = result {
            self.stash(left_over);
        }
    }

    fn take(&mut self, site: Site) -> T {
        let address = match site {
            Site::Array(place) => self.array.take(place).address(),
            Site::Old(place) => {
                let Some(migration) = &mut self.migration else {
                    unreachable!("the item was found in the old array")
                };
                migration.take(place).address()
            }
            Site::Stash(hash, address) => {
                self.stash.remove(&(hash, address));
                address
            }
        };
        self.len -= 1;
        if self.migration.is_some() {
            self.step();
        } else if self.len < self.shrink_at {
            self.shrink();
        }
        // SAFETY: this was an item of the table, and its address is in no slot any more.
        unsafe { T::from_raw(pointer(address)) }
    }

    fn address_at(&self, site: Site) -> u64 {
        match site {
            Site::Array(place) => self.array.at(place).address(),
            Site::Old(place) => {
                let Some(migration) = &self.migration else {
                    unreachable!("the item was found in the old array")
                };
                migration.old().at(place).address()
            }
            Site::Stash(_, address) => address,
        }
    }

    #[inline]
    fn raw_at(&self, site: Site) -> NonNull<u8> {
        pointer(self.address_at(site))
    }

    /// Notes that an item has moved in memory; returns where to find it now.
    #[inline]
    fn set_address(&mut self, site: Site, address: u64) -> Site {
        match site {
            Site::Array(place) => self.array.set_address(place, address),
            Site::Old(place) => {
                let Some(migration) = &mut self.migration else {
                    unreachable!("the item was found in the old array")
                };
                migration.set_address(place, address);
            }
            Site::Stash(hash, old) => {
                self.stash.remove(&(hash, old));
                self.stash.insert((hash, address));
                return Site::Stash(hash, address);
            }
        }
        site
    }

    /// The hash that orders the main array, from the caller's hash.
    #[inline]
    fn ordering_hash(&self, hash: u64, key: &[u8]) -> u64 {
        match &self.salted {
            None => hash,
            Some(salted) => salted.hash(key),
        }
    }

    /// The hash that orders the main array.
    fn hash_of(&self, address: u64) -> u64 {
        let function = self.salted.as_deref().unwrap_or(&self.hash);
        function.hash(self.key_of(address))
    }

    fn key_of(&self, address: u64) -> &[u8] {
        // SAFETY: callers ask for items of the table, which is borrowed.
        T::key(unsafe { T::borrow(pointer(address)) })
    }
}

impl<T: Item> Drop for Table<T> {
    fn drop(&mut self) {
        drop(self.take_remains());
    }
}

impl<'t, T: Item> Occupied<'t, T> {
    /// The item.
    #[inline]
    pub fn item(&self) -> T::Ref<'_> {
        // SAFETY: an item of the table, which is borrowed.
        unsafe { T::borrow(self.table.raw_at(self.site)) }
    }

    /// The item, to be changed in place.
    #[inline]
    pub fn item_mut(&mut self) -> T::Mut<'_> {
        // SAFETY: an item of the table, which is borrowed mutably.
        unsafe { T::borrow_mut(self.table.raw_at(self.site)) }
    }

    /// The item, to be changed in place for as long as the table is borrowed.
    #[inline]
    pub fn into_mut(self) -> T::Mut<'t> {
        // SAFETY: an item of the table, which is borrowed mutably for 't.
        unsafe { T::borrow_mut(self.table.raw_at(self.site)) }
    }

    /// Lets `change` have the item as if it owned it, so that it may move in memory. The key must
    /// stay what it is.
    #[inline]
    pub fn edit<R>(&mut self, change: impl FnOnce(&mut T) -> R) -> R {
        // An item of the table: until it is put back, only `change` reaches it, and it is put back
        // even if `change` panics.
        let raw = self.table.raw_at(self.site);
        // SAFETY: as above.
        let item = unsafe { T::from_raw(raw) };
        let mut edit = Edit { place: self, item: ManuallyDrop::new(item), before: address(raw) };
        change(&mut edit.item)
    }

    /// Puts another item with the same key in its place.
    pub fn replace(&mut self, item: T) -> T {
        self.edit(|old| std::mem::replace(old, item))
    }

    /// Takes the item out.
    pub fn remove(self) -> T {
        self.table.take(self.site)
    }
}

/// Puts an item that was lent to an edit back into its slot.
struct Edit<'e, 't, T: Item> {
    place: &'e mut Occupied<'t, T>,
    item: ManuallyDrop<T>,
    before: u64,
}

impl<T: Item> Drop for Edit<'_, '_, T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: the item is not used after this.
        let item = unsafe { ManuallyDrop::take(&mut self.item) };
        let address = address(item.into_raw());
        if address != self.before {
            // Only then, so that the bucket's cache line stays clean.
            self.place.site = self.place.table.set_address(self.place.site, address);
        }
    }
}

impl<T: Item> Vacant<'_, T> {
    /// Puts the item there. Its key must be the one that was searched.
    #[inline]
    pub fn insert(self, item: T) {
        self.table.insert(self.hash, item);
    }
}

impl Array {
    /// The addresses of all items.
    fn addresses(&self) -> impl Iterator<Item = u64> + use<'_> {
        (0..self.ready()).flat_map(|index| {
            let bucket = self.bucket(index);
            bucket.occupied().map(|slot| bucket.at(slot).address())
        })
    }

    /// Prefetches the items that may have this hash.
    #[inline]
    fn prefetch(&self, hash: u64) {
        let mut index = self.home(hash);
        if self.ready() <= index {
            return;
        }
        let probe = Probe::new(hash);
        let mut bucket = self.bucket(index);
        let reach = bucket.reach();
        for distance in 0..=reach {
            for slot in bucket.matches(probe.fingerprint) {
                let Some(address) = probe.address(bucket.word(slot), distance) else { continue };
                let item = pointer(address).as_ptr().cast_const();
                prefetch_line(item);
                prefetch_line(item.wrapping_add(BUCKET_SIZE));
                return;
            }
            if distance < reach {
                index = self.after(index);
                bucket = self.bucket(index);
            }
        }
    }
}

/// An item's pointer as a number that fits into a slot.
#[inline]
fn address(raw: NonNull<u8>) -> u64 {
    let address = raw.as_ptr().expose_provenance() as u64;
    assert!(address >> 48 == 0);
    address
}

/// The pointer to an item whose address is in a slot.
#[inline]
fn pointer(address: u64) -> NonNull<u8> {
    let pointer = std::ptr::with_exposed_provenance_mut(address as usize);
    NonNull::new(pointer).expect("slots in use hold no null pointer")
}

#[cfg(test)]
mod tests;
