//! The hash trie: elements packed into pages, which are found by the bits of a hash.
//!
//! *Problem.* A large set, hash or index wants an element found in a few cache misses, costs of a
//! few bytes per element above its own, no step that takes long (so no table that is rebuilt), and a
//! frozen view in O(1) that later writes do not disturb.
//!
//! *Idea.* Up to 128 elements lie packed in one allocation, a page, which asks for no more room than
//! it needs. Pages are the leaves of a tree of nodes that route by eight bits of the hash each, from
//! the top. In a node a page covers as large a part of the 256 slots as it can fill; when it
//! overflows it is split into two halves of its part, and a page that has only one slot left becomes
//! a node of its own below. Buddies that are nearly empty are joined again.
//!
//! ```text
//! Trie ─► node: starts, 256 bits │ children ─┬─► page (depth 3: 32 slots)
//!                                            ├─► page (depth 4: 16 slots)
//!                                            └─► node ─┬─► page …      pages: `page`, `index`
//! ```
//!
//! A child knows how many elements are below it, so the n-th element is found directly (which makes
//! random ones truly uniform), and when the first of them is due: that finds the fields that expire
//! next without an index of deadlines.
//!
//! *Cost.* A set of a million: two nodes, which are hot, then a page's tags, its offset, the item.
//! 17-byte members take about 24 bytes each (a table of pointers: 17 + 8 + 16). Inserting moves up to
//! a few hundred bytes, and copies a page of up to 4 KiB when it grows into the next size class.
//!
//! *Freezing.* Nodes and pages are counted references; `clone` takes one of the root, and a writer
//! copies what is shared on its path: a few KiB.
//!
//! *Order.* All walks follow the hash, which never changes in a process. So a cursor is a position
//! in it, and means the same before and after pages were split.
//!
//! *Floods.* The hash is keyed by a secret. Should keys agree in all 64 bits anyway, they are
//! routed by further bytes, of a slower, stronger function.

mod index;
mod page;
#[cfg(test)]
mod tests;
mod tree;

use std::hash::{DefaultHasher, Hasher};
use std::sync::OnceLock;

use base::hash::KeyedHash;
use base::rand::Rng;
use smallvec::SmallVec;

use super::home::PREFETCH_CHUNK;
use super::rubble::Rubble;
pub use index::Index;
use page::Page;
use tree::{Page as _, Pages, Route, Tree};

/// Bits of a scan's cursor.
pub const CURSOR_BITS: u32 = 62;

/// Pages with elements that are due which are found by one walk.
const DUE_PAGES: usize = 64;
/// Empty pages that a scan may pass beyond those that it wants.
const SCAN_PAGES_SPARE: usize = 16;

/// The secret of the hash, and the function.
static HASH: OnceLock<(u64, KeyedHash)> = OnceLock::new();

/// Chooses the hash function of all tries by a secret. Only the first call counts, and only before
/// the first trie has elements.
pub fn seed_hash(seed: u64) {
    let _ = HASH.set((seed, KeyedHash::new(seed)));
}

/// The hash by which tries find a key.
#[inline]
pub fn hash(key: &[u8]) -> u64 {
    #[cfg(test)]
    if let Some(hash) = tests::chosen_hash(key) {
        return hash;
    }
    HASH.get_or_init(|| (0, KeyedHash::new(0))).1.hash(key)
}

/// What is kept beside a key: something of fixed size that takes no room while it is the default.
pub trait Payload: Copy + Default + PartialEq + Send + Sync + 'static {
    /// Bytes that it takes.
    const LEN: usize;
    /// Whether elements have a value, of any length, too.
    const HAS_VALUE: bool;
    /// When the element is due: `()` if none ever is.
    type Due: Copy + Ord + std::fmt::Debug + Send + Sync;
    /// Later than all.
    const NEVER: Self::Due;

    /// When the element that has this payload is due.
    fn due(self) -> Self::Due;

    /// Writes it into [`Self::LEN`] bytes.
    fn write(self, bytes: &mut [u8]);

    /// Reads it from what `write` wrote.
    fn read(bytes: &[u8]) -> Self;
}

/// What an [`Index`] finds.
pub trait IndexPayload: Copy + PartialEq + Send + Sync + 'static {
    /// Bytes that it takes.
    const LEN: usize;

    /// Writes it into [`Self::LEN`] bytes.
    fn write(self, bytes: &mut [u8]);

    /// Reads it from what `write` wrote.
    fn read(bytes: &[u8]) -> Self;
}

/// Elements of sets have only a key.
impl Payload for () {
    const LEN: usize = 0;
    const HAS_VALUE: bool = false;
    type Due = ();
    const NEVER: () = ();

    fn due(self) {}

    fn write(self, _bytes: &mut [u8]) {}

    fn read(_bytes: &[u8]) {}
}

/// A double by its bits: zero and negative zero differ.
impl IndexPayload for u64 {
    const LEN: usize = 8;

    #[inline]
    fn write(self, bytes: &mut [u8]) {
        bytes.copy_from_slice(&self.to_le_bytes());
    }

    #[inline]
    fn read(bytes: &[u8]) -> Self {
        let mut word = [0; 8];
        word.copy_from_slice(bytes);
        Self::from_le_bytes(word)
    }
}

/// One element of a trie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element<'a, V> {
    /// What it is found by.
    pub key: &'a [u8],
    /// What is kept beside it.
    pub payload: V,
    /// Its value; empty if the trie has none.
    pub value: &'a [u8],
}

/// Elements found by their key. `clone` is O(1) and shares all pages.
pub struct Trie<V: Payload> {
    tree: Tree<Page<V>>,
}

impl<V: Payload> Trie<V> {
    /// A trie without elements.
    pub fn new() -> Self {
        Self { tree: Tree::new() }
    }

    /// Adds an element, or gives the one with this key another payload and value. Says whether it
    /// is new.
    ///
    /// # Panics
    /// If there is a value and the trie has none.
    pub fn insert(&mut self, key: &[u8], payload: V, value: &[u8]) -> bool {
        assert!(V::HAS_VALUE || value.is_empty());
        let route = KeyRoute::new(key);
        self.tree.change(&route, |page, due| match page.find(route.tag(), key) {
            Some(index) => {
                let before = page.replace(index, key, payload, value);
                settle_due(page, due, before.due(), payload.due());
                false
            }
            None => {
                page.push(route.tag(), key, payload, value);
                *due = payload.due().min(*due);
                true
            }
        })
    }

    /// Takes an element out; says whether there was one.
    pub fn remove(&mut self, key: &[u8]) -> bool {
        let route = KeyRoute::new(key);
        self.tree.change(&route, |page, due| {
            let Some(index) = page.find(route.tag(), key) else { return false };
            let before = page.element(index).payload.due();
            page.remove(index);
            settle_due(page, due, before, V::NEVER);
            true
        })
    }

    /// Takes elements out that are due before `limit`, at most `max`, and calls `gone` with each; returns how
    /// many. Those of a page go together, and the pages are found by one walk for many of them.
    pub fn remove_due_before(
        &mut self,
        limit: V::Due,
        max: usize,
        mut gone: impl FnMut(&[u8]),
    ) -> usize {
        let mut removed = 0;
        while removed < max {
            let pages = self.tree.due_pages(limit).take(DUE_PAGES.min(max - removed));
            let is_due = |page: &Page<V>, index| page.element(index).payload.due() < limit;
            let one_of = |page: &Page<V>| {
                let index = (0..page.len()).find(|index| is_due(page, *index))?;
                Some(Box::from(page.element(index).key))
            };
            let keys: Vec<Box<[u8]>> = pages.filter_map(one_of).collect();
            if keys.is_empty() {
                break;
            }
            for key in keys {
                removed += self.tree.change(&KeyRoute::new(&key), |page, due| {
                    let before = page.len();
                    for index in (0..before).rev() {
                        let taken = before - page.len();
                        if removed + taken < max && is_due(page, index) {
                            gone(page.element(index).key);
                            page.remove(index);
                        }
                    }
                    *due = page.due();
                    before - page.len()
                });
            }
        }
        removed
    }

    /// Gives an element another payload; says whether there is one.
    pub fn set_payload(&mut self, key: &[u8], payload: V) -> bool {
        let route = KeyRoute::new(key);
        self.tree.change(&route, |page, due| {
            let Some(index) = page.find(route.tag(), key) else { return false };
            let before = page.element(index).payload.due();
            page.set_payload(index, payload);
            settle_due(page, due, before, payload.due());
            true
        })
    }

    /// Lets `edit` change an element's value without changing its length. `None` if there is no
    /// such element.
    pub fn edit_value<R>(&mut self, key: &[u8], edit: impl FnOnce(&mut [u8]) -> R) -> Option<R> {
        let route = KeyRoute::new(key);
        self.tree.change(&route, |page, _| {
            let index = page.find(route.tag(), key)?;
            Some(edit(page.value_mut(index)))
        })
    }

    /// An element by its key.
    #[inline]
    pub fn get(&self, key: &[u8]) -> Option<Element<'_, V>> {
        let route = KeyRoute::new(key);
        let page = self.tree.page(&route);
        page.find(route.tag(), key).map(|index| page.element(index))
    }

    /// Whether there is an element with this key.
    #[inline]
    pub fn contains(&self, key: &[u8]) -> bool {
        let route = KeyRoute::new(key);
        self.tree.page(&route).find(route.tag(), key).is_some()
    }

    /// Fetches what searches for these keys will look at into the cache: in steps, each of which
    /// needs what the one before fetched. For one key alone only its page.
    pub fn prefetch<'k>(&self, keys: impl Iterator<Item = &'k [u8]>) {
        let routes: SmallVec<[KeyRoute<'_>; PREFETCH_CHUNK]> = keys.map(KeyRoute::new).collect();
        let pages = self.tree.pages_of(&routes);
        pages.iter().for_each(|page| page.prefetch());
        if pages.len() == 1 {
            return;
        }
        let with_routes = pages.iter().zip(&routes);
        let indices: SmallVec<[Option<usize>; PREFETCH_CHUNK]> =
            with_routes.map(|(page, route)| page.prefetch_offset(route.tag())).collect();
        for (page, index) in pages.iter().zip(indices) {
            if let Some(index) = index {
                page.prefetch_item(index);
            }
        }
    }

    /// The element at this index in the present order.
    ///
    /// # Panics
    /// If there are not that many.
    pub fn at(&self, index: usize) -> Element<'_, V> {
        let (page, index) = self.tree.at(index);
        page.element(index)
    }

    /// Some element, each equally likely.
    pub fn random(&self, rng: &mut Rng) -> Option<Element<'_, V>> {
        self.tree.random(rng).map(|(page, index)| page.element(index))
    }

    /// Visits `count` different elements, or all if there are fewer; each choice of them is equally
    /// likely. In their present order.
    pub fn random_distinct<'a>(
        &'a self,
        rng: &mut Rng,
        count: usize,
        mut visit: impl FnMut(Element<'a, V>),
    ) {
        let len = self.len();
        if count < len / 16 {
            let mut indices = std::collections::BTreeSet::new();
            while indices.len() < count {
                indices.insert(rng.index(len));
            }
            indices.into_iter().for_each(|index| visit(self.at(index)));
            return;
        }
        // Each is taken with the chance that so many of those left are still wanted.
        let mut wanted = count.min(len);
        for (index, element) in self.iter().enumerate() {
            if wanted == 0 {
                break;
            }
            if rng.index(len - index) < wanted {
                wanted -= 1;
                visit(element);
            }
        }
    }

    /// When the first element is due.
    #[inline]
    pub fn due(&self) -> V::Due {
        self.tree.due()
    }

    /// Number of elements that are due before `limit`.
    pub fn count_due_before(&self, limit: V::Due) -> usize {
        let count = |page: &Page<V>| {
            let dues = (0..page.len()).map(|index| page.element(index).payload.due());
            dues.filter(|due| *due < limit).count()
        };
        self.tree.due_pages(limit).map(count).sum()
    }

    /// All elements, in an order that lasts until the trie changes.
    pub fn iter(&self) -> Iter<'_, V> {
        Iter { pages: self.tree.pages(), page: None, index: 0, remaining: self.len() }
    }

    /// Visits elements from `cursor` on, at least `count_min` if there are as many, and returns the
    /// cursor to go on with: zero at the end, and always below 2^[`CURSOR_BITS`]. An element that
    /// is there throughout is visited. Where pages are nearly empty, fewer may be visited.
    pub fn scan(
        &self,
        cursor: u64,
        count_min: usize,
        mut visit: impl FnMut(Element<'_, V>),
    ) -> u64 {
        const SHIFT: u32 = u64::BITS - CURSOR_BITS;
        let mut missing = count_min.max(1);
        let mut pages_left = missing.saturating_add(SCAN_PAGES_SPARE);
        let mut from = cursor & (u64::MAX >> SHIFT);
        let mut found: Vec<(u64, &Page<V>, usize)> = Vec::new();
        loop {
            let place = self.tree.place(from << SHIFT);
            found.clear();
            for page in Pages::new(place.child) {
                let positions = (0..page.len())
                    .map(|index| (hash(page.element(index).key) >> SHIFT, page, index));
                found.extend(positions.filter(|(position, ..)| from <= *position));
            }
            found.sort_unstable_by_key(|(position, ..)| *position);
            let mut last = None;
            for (position, page, index) in &found {
                // Elements at the same position go together.
                if missing == 0 && last != Some(*position) {
                    return *position;
                }
                missing = missing.saturating_sub(1);
                last = Some(*position);
                visit(page.element(*index));
            }
            from = place.end >> SHIFT;
            pages_left -= 1;
            if from == 0 || missing == 0 || pages_left == 0 {
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
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes allocated.
    pub fn memory_bytes(&self) -> usize {
        self.tree.memory_bytes()
    }

    /// Number of pages.
    pub fn page_count(&self) -> usize {
        self.tree.page_count()
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

impl<V: Payload> Default for Trie<V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<V: Payload> Clone for Trie<V> {
    fn clone(&self) -> Self {
        Self { tree: self.tree.clone() }
    }
}

impl<V: Payload> std::fmt::Debug for Trie<V> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Trie").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// The elements of a trie.
pub struct Iter<'a, V: Payload> {
    pages: Pages<'a, Page<V>>,
    page: Option<&'a Page<V>>,
    index: usize,
    remaining: usize,
}

impl<'a, V: Payload> Iterator for Iter<'a, V> {
    type Item = Element<'a, V>;

    #[inline]
    fn next(&mut self) -> Option<Element<'a, V>> {
        loop {
            if let Some(page) = self.page
                && self.index < page.len()
            {
                self.index += 1;
                self.remaining -= 1;
                return Some(page.element(self.index - 1));
            }
            (self.page, self.index) = (Some(self.pages.next()?), 0);
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.remaining, Some(self.remaining))
    }
}

impl<V: Payload> ExactSizeIterator for Iter<'_, V> {}

/// A key with its hash.
struct KeyRoute<'a> {
    key: &'a [u8],
    hash: u64,
}

impl<'a> KeyRoute<'a> {
    #[inline]
    fn new(key: &'a [u8]) -> Self {
        Self { key, hash: hash(key) }
    }

    /// What a page searches first.
    #[inline]
    fn tag(&self) -> u8 {
        self.hash as u8
    }
}

impl Route for KeyRoute<'_> {
    #[inline]
    fn byte(&self, level: u32) -> u8 {
        const LEVELS: u32 = u64::BITS / 8;
        if level < LEVELS {
            return (self.hash >> (u64::BITS - 8 - 8 * level)) as u8;
        }
        // All 64 bits agree: go on with those of another function.
        let secret = HASH.get().map_or(0, |(secret, _)| *secret);
        let mut hasher = DefaultHasher::new();
        hasher.write_u64(secret ^ u64::from(level / LEVELS));
        hasher.write(self.key);
        (hasher.finish() >> (8 * (level % LEVELS))) as u8
    }
}

/// Keeps a page's earliest element right when one changed from `before` to `after`.
#[inline]
fn settle_due<V: Payload>(page: &Page<V>, due: &mut V::Due, before: V::Due, after: V::Due) {
    if after <= *due {
        *due = after;
    } else if before == *due {
        *due = page.due();
    }
}
