//! A run of neighbouring elements: packed into one buffer, or one long element alone.
//!
//! ```text
//! buffer | free | element | element | … | element | free |
//!               start                              end
//! ```
//!
//! Free room may lie on both sides. Whoever adds at an end that has none moves the elements so that
//! most of the room comes to that side, or takes a larger buffer with all of it there; so adding at
//! either end moves each byte a few times at most, and taking away moves none.

use std::sync::Arc;

use super::End;
use super::element::{self, Element, Encoded};
use crate::layout::size_class::size_class;

/// What the listpack of a dump file takes beside its elements. It counts towards the limits.
pub(super) const LISTPACK_BYTES: usize = 7;
/// What a node with its chunk takes without the buffer.
const NODE_BYTES: usize = size_of::<Chunk>() + 8;
/// What a shared element takes beside its bytes: two counts and a vector.
const SHARED_BYTES: usize = 40;
/// A buffer grows by half of what it holds, between these bounds.
const GROWTH_MIN: usize = 64;
const GROWTH_MAX: usize = 2048;

/// A run of elements.
#[derive(Clone, Debug)]
pub(super) enum Chunk {
    Packed(Packed),
    /// An element that is longer than a chunk may be.
    Single(Arc<Vec<u8>>),
}

impl Chunk {
    pub(super) fn empty() -> Self {
        Self::Packed(Packed::default())
    }

    /// A chunk with one element, in the form that such a length has.
    pub(super) fn of(text: &[u8], is_long: bool) -> Self {
        if is_long {
            return Self::Single(Arc::new(text.to_vec()));
        }
        let mut packed = Packed::default();
        packed.push(End::Tail, &Encoded::new(text));
        Self::Packed(packed)
    }

    /// How many elements it has.
    #[inline]
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Packed(packed) => packed.count as usize,
            Self::Single(_) => 1,
        }
    }

    /// Bytes that are allocated for it, its node included.
    #[inline]
    pub(super) fn memory_bytes(&self) -> usize {
        let beyond = match self {
            Self::Packed(packed) => packed.buffer.len(),
            Self::Single(text) => SHARED_BYTES + size_class(text.capacity()),
        };
        NODE_BYTES + beyond
    }

    /// A walk over its elements, from both ends.
    #[inline]
    pub(super) fn iter(&self) -> Iter<'_> {
        match self {
            Self::Packed(packed) => Iter::new(packed.elements(), packed.count as usize),
            Self::Single(text) => Iter { single: Some(text), ..Iter::new(b"", 1) },
        }
    }

    /// Takes the element at one end away; there is one more.
    pub(super) fn pop(&mut self, end: End) {
        match self {
            Self::Packed(packed) => packed.pop(end),
            Self::Single(_) => unreachable!("the last element goes with its chunk"),
        }
    }

    /// Takes `count` elements at one end away; there are more.
    pub(super) fn trim(&mut self, end: End, count: usize) {
        match self {
            Self::Packed(packed) => packed.trim(end, count),
            Self::Single(_) => debug_assert!(count == 0),
        }
    }

    /// Gives back room that nobody will use soon.
    pub(super) fn fit(&mut self) {
        if let Self::Packed(packed) = self {
            packed.fit();
        }
    }
}

/// Elements in one buffer.
#[derive(Clone, Debug, Default)]
pub(super) struct Packed {
    buffer: Box<[u8]>,
    start: u32,
    end: u32,
    count: u32,
}

impl Packed {
    /// A chunk of elements that are packed already.
    pub(super) fn from_elements(elements: &[u8], count: usize) -> Self {
        let mut buffer = vec![0; size_class(elements.len())].into_boxed_slice();
        buffer[..elements.len()].copy_from_slice(elements);
        Self { buffer, start: 0, end: elements.len() as u32, count: count as u32 }
    }

    /// Adds an element.
    #[inline]
    pub(super) fn push(&mut self, end: End, element: &Encoded<'_>) {
        let size = element.size();
        let at = self.grow(end, size);
        element.write(&mut self.buffer[at..at + size]);
        self.count += 1;
    }

    /// Takes an element away.
    #[inline]
    pub(super) fn pop(&mut self, end: End) {
        match end {
            End::Head => self.start += element::first_size(self.elements()) as u32,
            End::Tail => self.end -= element::last_size(self.elements()) as u32,
        }
        self.count -= 1;
    }

    /// Puts an element before element number `index`.
    pub(super) fn insert(&mut self, index: usize, element: &Encoded<'_>) {
        let at = self.offset(index);
        self.splice(at, 0, element);
        self.count += 1;
    }

    /// Puts an element in the place of element number `index`.
    pub(super) fn replace(&mut self, index: usize, element: &Encoded<'_>) {
        let at = self.offset(index);
        let old_size = element::first_size(&self.elements()[at..]);
        self.splice(at, old_size, element);
    }

    /// Cuts it in two before element number `index`; returns the part behind.
    pub(super) fn split(&mut self, index: usize) -> Self {
        let at = self.offset(index);
        let behind = Self::from_elements(&self.elements()[at..], self.count as usize - index);
        self.end = self.start + at as u32;
        self.count = index as u32;
        self.fit();
        behind
    }

    /// Takes `count` elements at one end away.
    pub(super) fn trim(&mut self, end: End, count: usize) {
        match end {
            End::Head => self.start += self.offset(count) as u32,
            End::Tail => self.end = self.start + self.offset(self.count as usize - count) as u32,
        }
        self.count -= count as u32;
        self.fit_if_sparse();
    }

    /// Takes the elements that equal `wanted` away, but for the first `skipped` of them, and at
    /// most `count`.
    pub(super) fn remove_equal(&mut self, wanted: &Encoded<'_>, skipped: usize, count: usize) {
        let (mut read, mut write) = (self.start as usize, self.start as usize);
        let (mut met, mut removed) = (0, 0);
        while read < self.end as usize {
            let rest = &self.buffer[read..self.end as usize];
            let size = element::first_size(rest);
            let is_equal = removed < count && wanted.is_first_of(rest);
            met += usize::from(is_equal);
            if is_equal && skipped < met {
                removed += 1;
            } else {
                self.buffer.copy_within(read..read + size, write);
                write += size;
            }
            read += size;
        }
        self.end = write as u32;
        self.count -= removed as u32;
        self.fit_if_sparse();
    }

    /// The elements, as they are kept.
    #[inline]
    pub(super) fn elements(&self) -> &[u8] {
        &self.buffer[self.start as usize..self.end as usize]
    }

    /// Bytes that it would take in a dump file.
    #[inline]
    pub(super) fn listpack_len(&self) -> usize {
        LISTPACK_BYTES + (self.end - self.start) as usize
    }

    #[inline]
    pub(super) fn count(&self) -> usize {
        self.count as usize
    }

    /// Where element number `index` begins.
    fn offset(&self, index: usize) -> usize {
        element::offset(self.elements(), self.count as usize, index)
    }

    /// Writes an element over `old_size` bytes; the elements behind move.
    fn splice(&mut self, at: usize, old_size: usize, element: &Encoded<'_>) {
        let size = element.size();
        let old_end = (self.end - self.start) as usize;
        if old_size < size {
            self.grow(End::Tail, size - old_size);
        } else {
            self.end -= (old_size - size) as u32;
        }
        let start = self.start as usize;
        let at = start + at;
        self.buffer.copy_within(at + old_size..start + old_end, at + size);
        element.write(&mut self.buffer[at..at + size]);
    }

    /// Makes the elements `size` bytes longer at one end; returns where these bytes begin.
    #[inline]
    fn grow(&mut self, end: End, size: usize) -> usize {
        let room = match end {
            End::Head => self.start as usize,
            End::Tail => self.buffer.len() - self.end as usize,
        };
        if room < size {
            self.make_room(end, size);
        }
        match end {
            End::Head => {
                self.start -= size as u32;
                self.start as usize
            }
            End::Tail => {
                let at = self.end as usize;
                self.end += size as u32;
                at
            }
        }
    }

    /// Moves the elements so that at least `size` bytes are free at one end.
    #[cold]
    fn make_room(&mut self, end: End, size: usize) {
        let len = (self.end - self.start) as usize;
        let needed = len + size;
        let capacity = self.buffer.len();
        // Moving pays while a quarter is free; later only where growing would not help either.
        if needed <= capacity && (capacity / 4 <= capacity - len || GROWTH_MAX * 3 < capacity) {
            let free = capacity - needed;
            let start = match end {
                End::Head => size + free - free / 4,
                End::Tail => free / 4,
            };
            self.buffer.copy_within(self.start as usize..self.end as usize, start);
            self.start = start as u32;
        } else {
            let grown = needed + (needed / 2).clamp(GROWTH_MIN, GROWTH_MAX);
            // Full chunks of the usual length fill their buffers.
            let usual = 8 << 10;
            let capacity = size_class(if (needed..grown).contains(&usual) { usual } else { grown });
            let start = match end {
                End::Head => capacity - len,
                End::Tail => 0,
            };
            self.move_to(capacity, start);
        }
        self.end = self.start + len as u32;
    }

    /// Gives free room back, unless that saves next to nothing.
    fn fit(&mut self) {
        let len = (self.end - self.start) as usize;
        let capacity = size_class(len);
        if len + capacity / 16 < self.buffer.len() && capacity < self.buffer.len() {
            self.move_to(capacity, 0);
            self.end = len as u32;
        }
    }

    /// Gives free room back if it is more than half.
    fn fit_if_sparse(&mut self) {
        if ((self.end - self.start) as usize) < self.buffer.len() / 2 {
            self.fit();
        }
    }

    /// Moves the elements into a buffer of another size; the caller sets the end.
    fn move_to(&mut self, capacity: usize, start: usize) {
        let mut buffer = vec![0; capacity].into_boxed_slice();
        let elements = self.elements();
        buffer[start..start + elements.len()].copy_from_slice(elements);
        self.buffer = buffer;
        self.start = start as u32;
    }

    #[cfg(test)]
    pub(super) fn check_invariants(&self) {
        let elements = self.elements();
        let (mut at, mut count) = (0, 0);
        while at < elements.len() {
            let size = element::first_size(&elements[at..]);
            at += size;
            assert_eq!(element::last_size(&elements[..at]), size);
            count += 1;
        }
        assert_eq!(at, elements.len());
        assert_eq!(count, self.count);
    }
}

/// A walk over the elements of a chunk, or of a packed list.
#[derive(Clone, Debug)]
pub(super) struct Iter<'a> {
    elements: &'a [u8],
    left: usize,
    single: Option<&'a Arc<Vec<u8>>>,
}

impl<'a> Iter<'a> {
    #[inline]
    pub(super) fn new(elements: &'a [u8], count: usize) -> Self {
        Self { elements, left: count, single: None }
    }

    /// Leaves out `count` elements at one end.
    #[inline]
    pub(super) fn skip_at(&mut self, end: End, count: usize) {
        if self.single.is_none() {
            match end {
                End::Head => {
                    let at = element::offset(self.elements, self.left, count);
                    self.elements = &self.elements[at..];
                }
                End::Tail => {
                    let at = element::offset(self.elements, self.left, self.left - count);
                    self.elements = &self.elements[..at];
                }
            }
        }
        self.left -= count;
    }

    /// Whether the next element is `wanted`, and steps over it.
    #[inline]
    pub(super) fn step_equal(&mut self, end: End, wanted: &Wanted<'_>) -> Option<bool> {
        if self.left == 0 {
            return None;
        }
        if let Some(text) = self.single {
            self.left = 0;
            return Some(text.as_slice() == wanted.text);
        }
        self.left -= 1;
        let (before, behind) = match end {
            End::Head => self.elements.split_at(element::first_size(self.elements)),
            End::Tail => {
                let at = self.elements.len() - element::last_size(self.elements);
                self.elements.split_at(at)
            }
        };
        let (one, rest) = match end {
            End::Head => (before, behind),
            End::Tail => (behind, before),
        };
        self.elements = rest;
        Some(wanted.encoded.is_first_of(one))
    }

    /// How many elements are left.
    #[inline]
    pub(super) fn left(&self) -> usize {
        self.left
    }

    /// The next element from one end.
    #[inline]
    pub(super) fn step(&mut self, end: End) -> Option<Element<'a>> {
        if self.left == 0 {
            return None;
        }
        self.left -= 1;
        if let Some(text) = self.single {
            return Some(Element::Shared(text));
        }
        let elements = self.elements;
        let at = match end {
            End::Head => {
                let (element, size) = element::first(elements);
                self.elements = &elements[size..];
                return Some(element);
            }
            End::Tail => elements.len() - element::last_size(elements),
        };
        self.elements = &elements[..at];
        Some(element::first(&elements[at..]).0)
    }
}

/// A text that is looked for.
pub(super) struct Wanted<'a> {
    pub(super) text: &'a [u8],
    pub(super) encoded: Encoded<'a>,
}

impl<'a> Wanted<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self { text, encoded: Encoded::new(text) }
    }
}
