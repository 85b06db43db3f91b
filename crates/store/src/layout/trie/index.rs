//! A hash trie without keys: for a member that is stored elsewhere, a number to find it by.
//!
//! A sorted set keeps its members in an ordered tree, where a member is found by its score. What
//! this index keeps of a member is 32 bits of its hash and the score: 12 bytes. A search gives the
//! scores of those members whose hash agrees, and the caller looks which of them is the one. That
//! is nearly always the first: of 128 members in a page, one in millions agrees by chance.
//!
//! ```text
//! | count of holders 8 | count 8 | lowest hash byte … | other hash bytes … | payload … |
//!                                  1 each               3 each               V::LEN each
//! ```
//!
//! Each of the three parts has room for as many elements as fit into the allocation.

use std::marker::PhantomData;
use std::ops::Range;

use smallvec::SmallVec;
use triomphe::{Arc, HeaderSlice};

use super::super::home::PREFETCH_CHUNK;
use super::super::prefetch::{prefetch_bytes, prefetch_line};
use super::super::rubble::Rubble;
use super::super::size_class::{PAGE_CLASS_MAX, page_class, size_class};
use super::tree::{Page, Pages, Route, Tree};
use super::{IndexPayload, hash};

/// Bytes of a hash.
const HASH_LEN: usize = 4;
/// What an allocation holds besides the elements: two counts.
const OVERHEAD: usize = 2 * size_of::<usize>();

/// Payloads, found by the hash of what they belong to. `clone` is O(1) and shares all pages.
pub struct Index<V: IndexPayload> {
    tree: Tree<IndexPage<V>>,
}

impl<V: IndexPayload> Index<V> {
    /// An index without elements.
    pub fn new() -> Self {
        Self { tree: Tree::new() }
    }

    /// The hash that a member is found by.
    #[inline]
    pub fn hash(member: &[u8]) -> u32 {
        (hash(member) >> 32) as u32
    }

    /// Adds an element, also if there is one like it.
    pub fn insert(&mut self, hash: u32, payload: V) {
        self.tree.change(&HashRoute(hash), |page, ()| page.push(hash, payload));
    }

    /// Takes one element with this hash and payload out; says whether there was one.
    pub fn remove(&mut self, hash: u32, payload: V) -> bool {
        self.tree.change(&HashRoute(hash), |page, ()| {
            let index = page.find(hash, |other| other == payload);
            index.map(|index| page.remove(index)).is_some()
        })
    }

    /// Gives one element with this hash and payload another payload; says whether there was one.
    pub fn replace(&mut self, hash: u32, old: V, new: V) -> bool {
        self.tree.change(&HashRoute(hash), |page, ()| {
            let index = page.find(hash, |other| other == old);
            index.map(|index| page.set_payload(index, new)).is_some()
        })
    }

    /// The payload for which `is_it` holds, of those with this hash.
    #[inline]
    pub fn find(&self, hash: u32, is_it: impl FnMut(V) -> bool) -> Option<V> {
        let page = self.tree.page(&HashRoute(hash));
        page.find(hash, is_it).map(|index| page.payload(index))
    }

    /// Fetches what searches for these hashes will look at into the cache, and returns the payloads
    /// that they will probably find; none of them for one hash alone, where nothing overlaps.
    pub fn prefetch(&self, hashes: &[u32]) -> SmallVec<[Option<V>; PREFETCH_CHUNK]> {
        let routes: SmallVec<[HashRoute; PREFETCH_CHUNK]> =
            hashes.iter().map(|hash| HashRoute(*hash)).collect();
        let pages = self.tree.pages_of(&routes);
        pages.iter().for_each(|page| page.prefetch());
        if hashes.len() == 1 {
            return SmallVec::new();
        }
        let with_hashes = pages.iter().zip(hashes);
        let indices: SmallVec<[Option<usize>; PREFETCH_CHUNK]> =
            with_hashes.map(|(page, hash)| page.prefetch_element(*hash)).collect();
        let payload = |((page, hash), index): ((&&IndexPage<V>, &u32), Option<usize>)| {
            index.filter(|index| page.hash(*index) == *hash).map(|index| page.payload(index))
        };
        pages.iter().zip(hashes).zip(indices).map(payload).collect()
    }

    /// All elements with their hashes, in an order that means nothing.
    pub fn iter(&self) -> impl Iterator<Item = (u32, V)> {
        let elements = |page| (0..IndexPage::len(page)).map(|index| page.element(index));
        self.tree.pages().flat_map(elements)
    }

    /// Visits elements in the order of their hashes, from `cursor` on, at least `count_min` of them
    /// or all that are left. Returns the hash to go on from, or zero at the end. An element that is
    /// there throughout is visited, with whatever payload it has then.
    pub fn scan(&self, cursor: u64, count_min: usize, mut visit: impl FnMut(u32, V)) -> u64 {
        const SHIFT: u32 = u64::BITS - u32::BITS;
        let (mut from, mut missing) = (cursor & u64::from(u32::MAX), count_min.max(1));
        let mut found: Vec<(u32, V)> = Vec::new();
        loop {
            let place = self.tree.place(from << SHIFT);
            found.clear();
            for page in Pages::new(place.child) {
                let elements = (0..page.len()).map(|index| page.element(index));
                found.extend(elements.filter(|(hash, _)| from <= u64::from(*hash)));
            }
            found.sort_unstable_by_key(|(hash, _)| *hash);
            let mut last = None;
            for (hash, payload) in &found {
                // Elements of one hash go together.
                if missing == 0 && last != Some(*hash) {
                    return u64::from(*hash);
                }
                missing = missing.saturating_sub(1);
                last = Some(*hash);
                visit(*hash, *payload);
            }
            from = place.end >> SHIFT;
            if from == 0 || missing == 0 {
                return from;
            }
        }
    }

    /// Number of elements.
    #[inline]
    pub fn len(&self) -> usize {
        self.tree.len()
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes allocated.
    pub fn memory_bytes(&self) -> usize {
        self.tree.memory_bytes()
    }

    /// Whether dropping it takes no longer than handing it to another thread.
    pub fn is_cheap_to_free(&self) -> bool {
        self.tree.is_cheap_to_free()
    }

    /// Frees it, but for what takes long.
    pub fn crumble(self, rubble: &mut Rubble) {
        self.tree.crumble(rubble);
    }

    /// Checks what must hold; for tests and debugging.
    ///
    /// # Panics
    /// If it does not hold.
    pub fn check_invariants(&self) {
        self.tree.check_invariants();
    }
}

impl<V: IndexPayload> Default for Index<V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<V: IndexPayload> Clone for Index<V> {
    fn clone(&self) -> Self {
        Self { tree: self.tree.clone() }
    }
}

struct HashRoute(u32);

impl Route for HashRoute {
    #[inline]
    fn byte(&self, level: u32) -> u8 {
        (self.0 >> (24 - 8 * level)) as u8
    }
}

/// See the file's header.
struct IndexPage<V> {
    block: Arc<HeaderSlice<usize, [u8]>>,
    payload: PhantomData<V>,
}

impl<V: IndexPayload> IndexPage<V> {
    const ELEMENT_LEN: usize = HASH_LEN + V::LEN;

    /// Most elements in a page.
    const COUNT_MAX: usize = (PAGE_CLASS_MAX - OVERHEAD) / Self::ELEMENT_LEN;

    fn with_room(count: usize) -> Self {
        let block = Arc::from_header_and_vec(0, vec![0; Self::room(count)]);
        Self { block, payload: PhantomData }
    }

    /// The bytes to ask for when there shall be room for so many elements. A page that is over may
    /// have more than the largest.
    fn room(count: usize) -> usize {
        let len = OVERHEAD + count * Self::ELEMENT_LEN;
        let class = if count <= Self::COUNT_MAX { page_class(len) } else { size_class(len) };
        class - OVERHEAD
    }

    fn push(&mut self, hash: u32, payload: V) {
        let index = self.len();
        if self.capacity() == index {
            self.rebuild(index + 1);
        }
        self.unique().header += 1;
        self.set(index, hash, payload);
    }

    fn remove(&mut self, index: usize) {
        let last = self.len() - 1;
        let (hash, payload) = self.element(last);
        self.set(index, hash, payload);
        self.unique().header = last;
        // Not before it could grow again by a quarter without growing back.
        if Self::room(last + last / 4) < self.block.slice.len() {
            self.rebuild(last);
        }
    }

    fn set(&mut self, index: usize, hash: u32, payload: V) {
        let capacity = self.capacity();
        let bytes = hash.to_le_bytes();
        let slice = &mut self.unique().slice;
        slice[index] = bytes[0];
        let at = capacity + (HASH_LEN - 1) * index;
        slice[at..at + HASH_LEN - 1].copy_from_slice(&bytes[1..]);
        self.set_payload(index, payload);
    }

    fn set_payload(&mut self, index: usize, payload: V) {
        let at = self.payload_at(index);
        payload.write(&mut self.unique().slice[at..at + V::LEN]);
    }

    #[inline]
    fn find(&self, hash: u32, mut is_it: impl FnMut(V) -> bool) -> Option<usize> {
        let tags = &self.block.slice[..self.len()];
        memchr::memchr_iter(hash as u8, tags)
            .find(|index| self.hash(*index) == hash && is_it(self.payload(*index)))
    }

    /// Fetches what is searched first: the lowest bytes of the hashes.
    #[inline]
    fn prefetch(&self) {
        prefetch_bytes(self.block.slice.as_ptr().wrapping_sub(OVERHEAD), OVERHEAD + 160);
    }

    /// Fetches the element that may have this hash, whose index is returned.
    #[inline]
    fn prefetch_element(&self, hash: u32) -> Option<usize> {
        let index = memchr::memchr(hash as u8, &self.block.slice[..self.len()])?;
        let start = self.block.slice.as_ptr();
        prefetch_line(start.wrapping_add(self.capacity() + (HASH_LEN - 1) * index));
        prefetch_bytes(start.wrapping_add(self.payload_at(index)), V::LEN);
        Some(index)
    }

    #[inline]
    fn hash(&self, index: usize) -> u32 {
        let at = self.capacity() + (HASH_LEN - 1) * index;
        let slice = &self.block.slice;
        u32::from_le_bytes([slice[index], slice[at], slice[at + 1], slice[at + 2]])
    }

    #[inline]
    fn payload(&self, index: usize) -> V {
        let at = self.payload_at(index);
        V::read(&self.block.slice[at..at + V::LEN])
    }

    fn element(&self, index: usize) -> (u32, V) {
        (self.hash(index), self.payload(index))
    }

    fn payload_at(&self, index: usize) -> usize {
        HASH_LEN * self.capacity() + V::LEN * index
    }

    /// Elements that there is room for.
    #[inline]
    fn capacity(&self) -> usize {
        self.block.slice.len() / Self::ELEMENT_LEN
    }

    fn unique(&mut self) -> &mut HeaderSlice<usize, [u8]> {
        if !self.block.is_unique() {
            let HeaderSlice { header, slice } = &*self.block;
            self.block = Arc::from_header_and_slice(*header, slice);
        }
        Arc::get_mut(&mut self.block).expect("it is unique now")
    }

    /// Moves everything into an allocation for this many elements.
    fn rebuild(&mut self, count: usize) {
        let mut new = Self::with_room(count);
        new.unique().header = self.len();
        for index in 0..self.len() {
            new.set(index, self.hash(index), self.payload(index));
        }
        *self = new;
    }
}

impl<V: IndexPayload> Page for IndexPage<V> {
    type Due = ();
    const NEVER: () = ();
    const LEVELS_MAX: u32 = HASH_LEN as u32;

    fn empty() -> Self {
        Self::with_room(0)
    }

    fn split(&mut self, level: u32, mask: u8) -> Self {
        let goes = |index: &usize| HashRoute(self.hash(*index)).byte(level) & mask != 0;
        let count = (0..self.len()).filter(goes).count();
        let mut parts = [self.len() - count, count].map(Self::with_room);
        for index in 0..self.len() {
            let (hash, payload) = self.element(index);
            parts[usize::from(goes(&index))].push(hash, payload);
        }
        let [stays, goes] = parts;
        *self = stays;
        goes
    }

    fn absorb(&mut self, other: &Self) {
        self.rebuild(self.len() + other.len());
        for index in 0..other.len() {
            let (hash, payload) = other.element(index);
            self.push(hash, payload);
        }
    }

    #[inline]
    fn len(&self) -> usize {
        self.block.header
    }

    fn due(&self) {}

    #[inline]
    fn is_over(&self) -> bool {
        Self::COUNT_MAX < self.len()
    }

    fn fits_with(&self, other: &Self) -> bool {
        self.len() + other.len() <= Self::COUNT_MAX / 2
    }

    fn memory_bytes(&self) -> usize {
        size_class(OVERHEAD + self.block.slice.len())
    }

    fn check_invariants(&self) {
        assert!(self.len() <= self.capacity());
    }

    fn check_routes(&self, level: u32, range: Range<usize>) {
        for index in 0..self.len() {
            let byte = HashRoute(self.hash(index)).byte(level);
            assert!(range.contains(&usize::from(byte)));
        }
    }
}

impl<V> Clone for IndexPage<V> {
    fn clone(&self) -> Self {
        Self { block: Arc::clone(&self.block), payload: PhantomData }
    }
}
