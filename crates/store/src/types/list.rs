//! Lists: sequences that are pushed, popped, indexed and walked from both ends.
//!
//! Three forms, by size:
//!
//! ```text
//! up to 1 KiB     inside the entry      | count 2 | element | element | … |
//! one chunk       LargeList             head
//! several chunks  LargeList             head ── tree of chunks ── tail
//! ```
//!
//! An element is packed so that it is read from both ends ([`element`]); a chunk is a buffer of
//! elements with free room at its ends ([`chunk`]), of 8 KiB unless a setting says otherwise; an
//! element above that stands alone behind a shared pointer. A queue works on its head and its tail
//! chunk and meets the tree ([`tree`]) once in some hundred elements. An index is found in
//! O(log chunks) and a walk inside one chunk. Elements of 18 bytes take 20.2 bytes in a long list.
//!
//! The name that clients see for the encoding does not follow from the form but from their own
//! rules: `listpack` until the elements outgrow one chunk, and again when one chunk is left that is
//! at most half full. A list inside the entry is always the former.
//!
//! A packed list of up to 8 KiB inside the entry was rejected: each LPUSH would move all of it.
//! Inner chunks are not compressed, whatever `list-compress-depth` says: a chunk that is read is
//! not rewritten.

mod chunk;
mod element;
mod large;
#[cfg(test)]
mod tests;
mod tree;

use chunk::{Iter, Wanted};
pub use element::Element;
use element::Encoded;
pub use large::LargeList;
use std::ops::Range;

use super::limits::ListLimits;
use crate::layout::home::{Form, Home};

/// A list above this many bytes gets an object of its own.
const PACKED_BYTES_MAX: usize = 1024;
/// One that has shrunk to this many moves back into its entry.
const PACKED_AGAIN_MAX: usize = PACKED_BYTES_MAX / 2;
/// Bytes before the elements of a packed list: their number.
const COUNT_LEN: usize = 2;
/// At most so many bytes are kept beside the text of an element in a packed list.
const ELEMENT_OVERHEAD: usize = 4;

/// One of the two ends of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Index 0, the left.
    Head,
    /// The right.
    Tail,
}

impl End {
    /// The other one.
    #[must_use]
    pub fn opposite(self) -> Self {
        match self {
            Self::Head => Self::Tail,
            Self::Tail => Self::Head,
        }
    }
}

/// On which side of an element another one is put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Behind it.
    After,
    /// Before it.
    Before,
}

/// What clients call the form in which a list is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// It fits into one chunk.
    Listpack,
    /// It has outgrown one.
    Quicklist,
}

/// Adds elements at one end, one after the other. O(1) each.
#[inline]
pub fn push<'t, H: Home<LargeList>>(
    home: &mut H,
    end: End,
    texts: impl Iterator<Item = &'t [u8]> + Clone,
    limits: ListLimits,
) {
    let is_long = matches!(home.form(), Form::Large(large) if !large.is_listpack());
    if !is_long {
        let sum = |(bytes, count), text: &[u8]| (bytes + text.len(), count + 1);
        let (bytes, count) = texts.clone().fold((0, 0), sum);
        make_room(home, bytes, count, limits);
    }
    match home.large_mut() {
        Some(large) => texts.for_each(|text| large.push(end, text, limits)),
        None => push_packed(home, end, texts),
    }
}

/// Takes the element at one end away, after `visit` has seen it. O(1).
#[inline]
pub fn pop<H: Home<LargeList>, R>(
    home: &mut H,
    end: End,
    limits: ListLimits,
    visit: impl FnOnce(Element<'_>) -> R,
) -> Option<R> {
    let result = take(home, end, visit);
    settle(home, limits);
    result
}

/// Takes up to `count` elements at one end away, after `visit` has seen them in this order.
/// O(count).
pub fn pop_many<H: Home<LargeList>>(
    home: &mut H,
    end: End,
    count: usize,
    limits: ListLimits,
    visit: impl FnMut(Element<'_>),
) {
    let count = count.min(len(home.form()));
    walk(home.form(), end, 0, count).for_each(visit);
    trim_end(home, end, count);
    settle(home, limits);
}

/// Moves an element from one end to an end of the same list, after `visit` has seen it. O(1).
pub fn rotate<H: Home<LargeList>, R>(
    home: &mut H,
    from: End,
    to: End,
    limits: ListLimits,
    visit: impl FnOnce(Element<'_>) -> R,
) -> Option<R> {
    let (text, result) = take(home, from, |element| (element.to_vec(), visit(element)))?;
    push(home, to, std::iter::once(&text[..]), limits);
    settle(home, limits);
    Some(result)
}

/// Replaces element number `index`; returns whether there is one. O(log n).
pub fn set<H: Home<LargeList>>(
    home: &mut H,
    index: usize,
    text: &[u8],
    limits: ListLimits,
) -> bool {
    make_room(home, text.len(), 1, limits);
    let len = len(home.form());
    if len <= index {
        return false;
    }
    match home.large_mut() {
        Some(large) => large.set(index, text, limits),
        None => {
            let elements = packed_elements(home.packed());
            let at = element::offset(elements, len, index);
            let old_size = element::first_size(&elements[at..]);
            write(home, at, old_size, &Encoded::new(text));
        }
    }
    settle(home, limits);
    true
}

/// Puts an element beside the first one that equals `pivot`; returns the new length, or nothing if
/// there is no such element. O(n).
pub fn insert<H: Home<LargeList>>(
    home: &mut H,
    place: Place,
    pivot: &[u8],
    text: &[u8],
    limits: ListLimits,
) -> Option<usize> {
    make_room(home, text.len(), 1, limits);
    let mut equal = Positions::new(home.form(), End::Head, pivot, usize::MAX);
    let index = equal.next()? + usize::from(place == Place::After);
    let len = len(home.form());
    match home.large_mut() {
        Some(large) => large.insert(index, text, limits),
        None => {
            let at = element::offset(packed_elements(home.packed()), len, index);
            write(home, at, 0, &Encoded::new(text));
            set_count(home, len + 1);
        }
    }
    Some(len + 1)
}

/// Takes elements away that equal `text`: at most `count`, the first ones from `end`. Returns how
/// many. O(n).
pub fn remove<H: Home<LargeList>>(
    home: &mut H,
    end: End,
    text: &[u8],
    count: usize,
    limits: ListLimits,
) -> usize {
    let removed = match home.large_mut() {
        Some(large) => large.remove_equal(end, text, count),
        None => remove_packed(home, end, text, count),
    };
    if 0 < removed {
        settle(home, limits);
    }
    removed
}

/// Takes all elements away but those in `kept`, which is inside the list. O(elements removed).
pub fn trim<H: Home<LargeList>>(home: &mut H, kept: Range<usize>, limits: ListLimits) {
    let len = len(home.form());
    debug_assert!(kept.start <= kept.end && kept.end <= len);
    trim_end(home, End::Tail, len - kept.end);
    trim_end(home, End::Head, kept.start);
    settle(home, limits);
}

/// Number of elements. O(1).
#[inline]
pub fn len(form: Form<'_, LargeList>) -> usize {
    match form {
        Form::Packed(bytes) => packed_count(bytes),
        Form::Large(large) => large.len(),
    }
}

/// Element number `index`. O(log n).
pub fn get(form: Form<'_, LargeList>, index: usize) -> Option<Element<'_>> {
    if len(form) <= index { None } else { walk(form, End::Head, index, 1).next() }
}

/// `count` elements from `end` on, after the first `skipped`. O(log n), then O(1) each.
pub fn walk(form: Form<'_, LargeList>, end: End, skipped: usize, count: usize) -> Walk<'_> {
    let left = count.min(len(form).saturating_sub(skipped));
    Walk { form, end, chunk: Iter::new(b"", 0), next: skipped, left }
}

/// What clients call the form.
pub fn encoding(form: Form<'_, LargeList>) -> Encoding {
    match form {
        Form::Large(large) if !large.is_listpack() => Encoding::Quicklist,
        _ => Encoding::Listpack,
    }
}

/// A walk over elements, from one end towards the other.
pub struct Walk<'a> {
    form: Form<'a, LargeList>,
    end: End,
    chunk: Iter<'a>,
    /// The first element beyond the chunk, counted from the end where the walk began.
    next: usize,
    left: usize,
}

impl<'a> Walk<'a> {
    /// Goes to the chunk of the next element.
    fn turn(&mut self) {
        let len = len(self.form);
        let index = match self.end {
            End::Head => self.next,
            End::Tail => len - 1 - self.next,
        };
        let (mut chunk, index) = match self.form {
            Form::Packed(bytes) => (Iter::new(packed_elements(bytes), len), index),
            Form::Large(large) => {
                let (chunk, index) = large.locate(index);
                (chunk.iter(), index)
            }
        };
        let skipped = match self.end {
            End::Head => index,
            End::Tail => chunk.left() - 1 - index,
        };
        chunk.skip_at(self.end, skipped);
        self.next += chunk.left();
        self.chunk = chunk;
    }

    /// Whether the next element is `wanted`.
    fn next_equal(&mut self, wanted: &Wanted<'_>) -> Option<bool> {
        if self.left == 0 {
            return None;
        }
        if self.chunk.left() == 0 {
            self.turn();
        }
        self.left -= 1;
        self.chunk.step_equal(self.end, wanted)
    }
}

impl<'a> Iterator for Walk<'a> {
    type Item = Element<'a>;

    #[inline]
    fn next(&mut self) -> Option<Element<'a>> {
        if self.left == 0 {
            return None;
        }
        if self.chunk.left() == 0 {
            self.turn();
        }
        self.left -= 1;
        self.chunk.step(self.end)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Walk<'_> {}

/// The indices of the elements that equal a text.
pub struct Positions<'a> {
    walk: Walk<'a>,
    wanted: Wanted<'a>,
    len: usize,
    passed: usize,
}

impl<'a> Positions<'a> {
    /// Looks at the first `count_max` elements from `end`, in this order. O(n).
    pub fn new(form: Form<'a, LargeList>, end: End, text: &'a [u8], count_max: usize) -> Self {
        let walk = walk(form, end, 0, count_max);
        Self { walk, wanted: Wanted::new(text), len: len(form), passed: 0 }
    }
}

impl Iterator for Positions<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        loop {
            let is_equal = self.walk.next_equal(&self.wanted)?;
            let passed = self.passed;
            self.passed += 1;
            if is_equal {
                return Some(match self.walk.end {
                    End::Head => passed,
                    End::Tail => self.len - 1 - passed,
                });
            }
        }
    }
}

/// Converts the list if `count` more elements, of `bytes` altogether, are too many for its form.
fn make_room<H: Home<LargeList>>(home: &mut H, bytes: usize, count: usize, limits: ListLimits) {
    let large = match home.form() {
        Form::Packed(packed) => {
            let (elements, len) = (packed_elements(packed), packed_count(packed));
            let listpack_len = chunk::LISTPACK_BYTES + elements.len();
            let is_long = large::exceeds(limits, listpack_len + bytes, len + count);
            let packed_len = packed.len() + bytes + count * ELEMENT_OVERHEAD;
            if !is_long && packed_len <= PACKED_BYTES_MAX {
                return;
            }
            LargeList::from_elements(elements, len, !is_long)
        }
        Form::Large(large) => {
            let Some(chunk) = large.only_chunk().filter(|_| large.is_listpack()) else { return };
            if large::exceeds(limits, chunk.listpack_len() + bytes, chunk.count() + count)
                && let Some(large) = home.large_mut()
            {
                large.set_listpack(false);
            }
            return;
        }
    };
    home.set_large(large);
}

/// Converts the list to the smaller form that it has shrunk to. An empty one goes anyway.
#[inline]
fn settle<H: Home<LargeList>>(home: &mut H, limits: ListLimits) {
    if let Some(large) = home.large_mut()
        && large.only_chunk().is_some()
    {
        shrink(home, limits);
    }
}

fn shrink<H: Home<LargeList>>(home: &mut H, limits: ListLimits) {
    let Some(large) = home.large_mut() else { return };
    let Some(chunk) = large.only_chunk().filter(|chunk| 0 < chunk.count()) else { return };
    let is_small = chunk.elements().len() <= PACKED_AGAIN_MAX;
    let is_half = large::is_half(limits, chunk.listpack_len(), chunk.count());
    if !large.is_listpack() && !is_half {
        return;
    }
    if is_small {
        let count = (chunk.count() as u16).to_le_bytes();
        let bytes = [&count[..], chunk.elements()].concat();
        home.set_packed(&bytes);
    } else {
        large.set_listpack(true);
    }
}

/// As [`pop`], and leaves the form as it is.
#[inline]
fn take<H: Home<LargeList>, R>(
    home: &mut H,
    end: End,
    visit: impl FnOnce(Element<'_>) -> R,
) -> Option<R> {
    if let Some(large) = home.large_mut() {
        return large.pop(end, visit);
    }
    let result = visit(walk(home.form(), end, 0, 1).next()?);
    trim_end(home, end, 1);
    Some(result)
}

fn trim_end<H: Home<LargeList>>(home: &mut H, end: End, count: usize) {
    if let Some(large) = home.large_mut() {
        return large.trim(end, count);
    }
    let bytes = home.packed();
    let (len, left) = (bytes.len(), packed_count(bytes) - count);
    if left == 0 {
        home.splice(0..len, 0);
        return;
    }
    let elements = packed_elements(bytes);
    let range = match end {
        End::Head => COUNT_LEN..COUNT_LEN + element::offset(elements, left + count, count),
        End::Tail => COUNT_LEN + element::offset(elements, left + count, left)..len,
    };
    home.splice(range, 0);
    set_count(home, left);
}

fn push_packed<'t, H: Home<LargeList>>(
    home: &mut H,
    end: End,
    texts: impl Iterator<Item = &'t [u8]> + Clone,
) {
    if home.packed().is_empty() {
        home.splice(0..0, COUNT_LEN).fill(0);
    }
    let count = packed_count(home.packed());
    let sum = |(bytes, count), text| (bytes + Encoded::new(text).size(), count + 1);
    let (size, added) = texts.clone().fold((0, 0), sum);
    let at = match end {
        End::Head => COUNT_LEN,
        End::Tail => home.packed().len(),
    };
    let mut room = home.splice(at..at, size);
    for text in texts {
        let encoded = Encoded::new(text);
        let size = encoded.size();
        let (before, behind) = match end {
            End::Head => {
                let left = room.len() - size;
                room.split_at_mut(left)
            }
            End::Tail => room.split_at_mut(size),
        };
        let (out, rest) = match end {
            End::Head => (behind, before),
            End::Tail => (before, behind),
        };
        encoded.write(out);
        room = rest;
    }
    set_count(home, count + added);
}

fn remove_packed<H: Home<LargeList>>(home: &mut H, end: End, text: &[u8], count: usize) -> usize {
    let wanted = Encoded::new(text);
    let size = wanted.size();
    let len = packed_count(home.packed());
    let mut removed = 0;
    let (mut at, mut passed) = (if end == End::Head { 0 } else { usize::MAX }, 0);
    while passed < len && removed < count {
        let elements = packed_elements(home.packed());
        let one = match end {
            End::Head => at..at + element::first_size(&elements[at..]),
            End::Tail => {
                let end = at.min(elements.len());
                end - element::last_size(&elements[..end])..end
            }
        };
        passed += 1;
        let is_equal = wanted.is_first_of(&elements[one.clone()]);
        at = if end == End::Tail || is_equal { one.start } else { one.end };
        if is_equal {
            home.splice(COUNT_LEN + one.start..COUNT_LEN + one.start + size, 0);
            removed += 1;
        }
    }
    if removed == len {
        let rest = home.packed().len();
        home.splice(0..rest, 0);
    } else {
        set_count(home, len - removed);
    }
    removed
}

/// Writes an element over the `old_size` bytes from `at` on of a packed list.
fn write<H: Home<LargeList>>(home: &mut H, at: usize, old_size: usize, element: &Encoded<'_>) {
    let start = COUNT_LEN + at;
    element.write(home.splice(start..start + old_size, element.size()));
}

fn set_count<H: Home<LargeList>>(home: &mut H, count: usize) {
    home.packed_mut()[..COUNT_LEN].copy_from_slice(&(count as u16).to_le_bytes());
}

#[inline]
fn packed_count(bytes: &[u8]) -> usize {
    bytes.first_chunk().map_or(0, |count| usize::from(u16::from_le_bytes(*count)))
}

#[inline]
fn packed_elements(bytes: &[u8]) -> &[u8] {
    bytes.get(COUNT_LEN..).unwrap_or_default()
}
