//! An inner node of the ordered tree: up to 32 children, with what is needed to choose among them.
//!
//! Scores and counts lie in arrays of their own, so a search reads few cache lines. The bytes that
//! tell members of one score apart are rarely needed, and empty then.
//!
//! The separator of the first child is never looked at: what is less than the second belongs there.

use smallvec::SmallVec;

use super::super::prefetch::prefetch_bytes;
use super::super::size_class::size_class;
use super::page::Page;
use super::{Child, Key};

/// Most children.
const CHILDREN_MAX: usize = 32;
/// With fewer children it should be joined with another.
const CHILDREN_FEW: usize = CHILDREN_MAX / 4;

type Row<T> = SmallVec<[T; CHILDREN_MAX]>;

/// See the file's header.
#[derive(Clone)]
pub(super) struct Inner {
    keys: Row<Key>,
    counts: Row<usize>,
    bytes: Row<Box<[u8]>>,
    children: Row<Child>,
}

/// The right one of two nodes that were one, and what separates them.
pub(super) struct Split {
    pub(super) key: Key,
    pub(super) bytes: Box<[u8]>,
    pub(super) right: Child,
}

impl Split {
    /// The shortest separator of two pages.
    pub(super) fn between(left: &Page, right: Page) -> Self {
        let last = left.len() - 1;
        let (key, first) = (right.key(0), right.member(0));
        let bytes = if left.key(last) == key {
            let shared = left.member(last).iter().zip(first).take_while(|(a, b)| a == b).count();
            first[..=shared].into()
        } else {
            Box::default()
        };
        Self { key, bytes, right: Child::Page(right) }
    }
}

impl Inner {
    /// The node above two that were one.
    pub(super) fn above(left: Child, split: Split) -> Self {
        let first = Split { key: Key(0), bytes: Box::default(), right: left };
        let mut inner =
            Self { keys: Row::new(), counts: Row::new(), bytes: Row::new(), children: Row::new() };
        inner.insert_at(0, first);
        inner.insert_at(1, split);
        inner
    }

    /// Puts the right half of child number `index` behind it, and counts both anew. If there are too
    /// many children, the right ones of them go into the node that is returned.
    pub(super) fn insert_behind(&mut self, index: usize, split: Split) -> Option<Split> {
        self.counts[index] = self.children[index].count();
        if self.len() < CHILDREN_MAX {
            self.insert_at(index + 1, split);
            return None;
        }
        // Members that come in order leave full nodes behind.
        let is_end = index + 1 == CHILDREN_MAX;
        let at = if is_end { CHILDREN_MAX - 1 } else { CHILDREN_MAX / 2 };
        let mut right = self.split_off(at);
        if index < at {
            self.insert_at(index + 1, split);
        } else {
            right.insert_at(index + 1 - at, split);
        }
        let (key, bytes) = (right.keys[0], std::mem::take(&mut right.bytes[0]));
        Some(Split { key, bytes, right: Child::Inner(super::Node::new(right)) })
    }

    /// Makes room for a member in child number `index` if it is a full page and a neighbour is not:
    /// so pages are fuller than if each were split alone (about five sixths instead of two thirds).
    /// Says whether members have moved.
    #[inline]
    pub(super) fn make_room(&mut self, index: usize, member: &[u8], memory: &mut usize) -> bool {
        match &self.children[index] {
            Child::Page(page) if !page.has_room_for(member) => {
                self.level(index, index + 1, memory)
                    || 0 < index && self.level(index - 1, index, memory)
            }
            _ => false,
        }
    }

    /// Makes two neighbouring pages about equally full, if that is worth while.
    #[cold]
    fn level(&mut self, left: usize, right: usize, memory: &mut usize) -> bool {
        let Some([Child::Page(first), Child::Page(second)]) = self.children.get(left..=right)
        else {
            return false;
        };
        let before = first.memory_bytes() + second.memory_bytes() + bytes_size(&self.bytes[right]);
        let Some((first, second)) = first.level(second) else { return false };
        (self.counts[left], self.counts[right]) = (first.len(), second.len());
        let split = Split::between(&first, second);
        self.children[left] = Child::Page(first);
        (self.keys[right], self.bytes[right]) = (split.key, split.bytes);
        self.children[right] = split.right;
        *memory += self.children[left].memory_bytes()
            + self.children[right].memory_bytes()
            + bytes_size(&self.bytes[right]);
        *memory -= before;
        true
    }

    /// Takes child number `index` away if it is empty, or joins it with a neighbour if both are
    /// small.
    pub(super) fn join(&mut self, index: usize, memory: &mut usize) {
        if self.counts[index] == 0 {
            *memory -= self.children[index].memory_bytes() + bytes_size(&self.bytes[index]);
            self.remove_at(index);
            return;
        }
        if !self.children[index].is_thin() {
            return;
        }
        let neighbours = [(index, index + 1), (index.wrapping_sub(1), index)];
        let pair = neighbours.into_iter().find(|(left, right)| {
            *right < self.len()
                && *left < *right
                && self.children[*left].fits_with(&self.children[*right])
        });
        let Some((left, right)) = pair else { return };
        let before = self.children[left].memory_bytes()
            + self.children[right].memory_bytes()
            + bytes_size(&self.bytes[right]);
        let (count, split) = self.remove_at(right);
        self.children[left].absorb(split);
        self.counts[left] += count;
        *memory = *memory + self.children[left].memory_bytes() - before;
    }

    /// Leaves a node without children, which is good for nothing but to be freed.
    pub(super) fn take_children(&mut self) -> impl Iterator<Item = Child> {
        self.children.drain(..)
    }

    #[inline]
    pub(super) fn add_to_count(&mut self, index: usize, change: isize) {
        self.counts[index] = self.counts[index].strict_add_signed(change);
    }

    #[inline]
    pub(super) fn child_mut(&mut self, index: usize) -> &mut Child {
        &mut self.children[index]
    }

    #[inline]
    pub(super) fn child(&self, index: usize) -> &Child {
        &self.children[index]
    }

    /// Number of children.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.children.len()
    }

    /// Number of members below.
    pub(super) fn count(&self) -> usize {
        self.counts.iter().sum()
    }

    /// Number of members below child number `index`.
    #[inline]
    pub(super) fn count_at(&self, index: usize) -> usize {
        self.counts[index]
    }

    /// Number of members below the children before number `index`.
    #[inline]
    pub(super) fn count_before(&self, index: usize) -> usize {
        self.counts[..index].iter().sum()
    }

    /// The child that has member number `rank`, and its number there. A rank behind the end leads to
    /// the last child.
    #[inline]
    pub(super) fn select(&self, rank: usize) -> (usize, usize) {
        let (mut index, mut rest) = (0, rank);
        while index + 1 < self.counts.len() && self.counts[index] <= rest {
            rest -= self.counts[index];
            index += 1;
        }
        (index, rest)
    }

    /// Fetches what [`Inner::route`] looks at.
    #[inline]
    pub(super) fn prefetch(&self) {
        prefetch_bytes(std::ptr::from_ref(&self.keys).cast(), size_of::<Row<Key>>());
    }

    /// The child below which a member stands, or would stand.
    #[inline]
    pub(super) fn route(&self, key: Key, member: &[u8]) -> usize {
        self.partition(|other, at| other < key || other == key && *self.bytes[at] <= *member)
    }

    /// The last child whose separator satisfies `is_before`, or the first.
    #[inline]
    pub(super) fn partition(&self, is_before: impl Fn(Key, usize) -> bool) -> usize {
        let keys = &self.keys[..];
        let (mut low, mut high) = (1, keys.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            if is_before(keys[middle], middle) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low - 1
    }

    #[inline]
    pub(super) fn separator_bytes(&self, index: usize) -> &[u8] {
        &self.bytes[index]
    }

    pub(super) fn separator(&self, index: usize) -> (Key, &[u8]) {
        (self.keys[index], &self.bytes[index])
    }

    /// Bytes allocated.
    pub(super) fn memory_bytes(&self) -> usize {
        let bytes: usize = self.bytes.iter().map(|bytes| bytes_size(bytes)).sum();
        size_class(size_of::<usize>() + size_of::<Self>()) + bytes
    }

    pub(super) fn check_invariants(&self) {
        let len = self.len();
        assert!((1..=CHILDREN_MAX).contains(&len));
        assert!(self.keys.len() == len && self.counts.len() == len && self.bytes.len() == len);
        assert!(!self.keys.spilled() && !self.children.spilled());
        let is_ordered = |index| self.separator(index) < self.separator(index + 1);
        assert!((1..len - 1).all(is_ordered));
    }

    fn insert_at(&mut self, index: usize, split: Split) {
        self.keys.insert(index, split.key);
        self.counts.insert(index, split.right.count());
        self.bytes.insert(index, split.bytes);
        self.children.insert(index, split.right);
    }

    fn remove_at(&mut self, index: usize) -> (usize, Split) {
        let count = self.counts.remove(index);
        let (key, bytes) = (self.keys.remove(index), self.bytes.remove(index));
        (count, Split { key, bytes, right: self.children.remove(index) })
    }

    fn split_off(&mut self, at: usize) -> Self {
        Self {
            keys: self.keys.drain(at..).collect(),
            counts: self.counts.drain(at..).collect(),
            bytes: self.bytes.drain(at..).collect(),
            children: self.children.drain(at..).collect(),
        }
    }

    /// Takes over the children of the node behind this one.
    fn absorb(&mut self, key: Key, bytes: Box<[u8]>, mut right: Self) {
        self.keys.push(key);
        self.bytes.push(bytes);
        self.keys.extend(right.keys.drain(1..));
        self.bytes.extend(right.bytes.drain(1..));
        self.counts.append(&mut right.counts);
        self.children.append(&mut right.children);
    }
}

impl Child {
    fn is_thin(&self) -> bool {
        match self {
            Self::Inner(inner) => inner.len() < CHILDREN_FEW,
            Self::Page(page) => page.is_thin(),
        }
    }

    fn fits_with(&self, right: &Self) -> bool {
        match (self, right) {
            (Self::Inner(left), Self::Inner(right)) => {
                left.len() + right.len() <= CHILDREN_MAX / 4 * 3
            }
            (Self::Page(left), Self::Page(right)) => left.fits_with(right),
            _ => unreachable!("all pages are equally deep"),
        }
    }

    /// Takes over what is below the right neighbour, from which it was separated so.
    fn absorb(&mut self, split: Split) {
        match (self, split) {
            (Self::Inner(left), Split { key, bytes, right: Self::Inner(right) }) => {
                left.make_mut().absorb(key, bytes, right.into_inner());
            }
            (Self::Page(left), Split { right: Self::Page(right), .. }) => left.absorb(&right),
            _ => unreachable!("all pages are equally deep"),
        }
    }
}

/// Bytes that the bytes of a separator take.
fn bytes_size(bytes: &[u8]) -> usize {
    if bytes.is_empty() { 0 } else { size_class(bytes.len()) }
}
