//! A page of the ordered tree: scores and members in one allocation.
//!
//! ```text
//! | count of holders 8 | header 16 | slot | slot | …   free   … | record | record |
//!                                    └──────── where it lies ────────┘
//! slot   = | score as an ordered integer 8 | offset of its record 2 |      in the order of members
//! record = | length 1 or 2 | bytes |  or  | 0xff | number among the long members 2 |
//! ```
//!
//! Slots are in order, records lie where there was room. So a search goes through scores that lie
//! close together and looks at members only where scores are equal, and an insertion or a changed
//! score moves slots, not members. Records of removed members are garbage until the page is built
//! anew, which happens when room is wanted, or when a smaller allocation would do: see [`page_class`].
//!
//! A member above [`INLINE_LEN_MAX`] bytes lies behind a shared pointer of its own.

use std::ops::Range;

use triomphe::{Arc, HeaderSlice};

use super::super::prefetch::{prefetch_bytes, prefetch_line};
use super::super::shared_node::Node;
use super::super::size_class::{PAGE_CLASS_MAX, page_class, size_class};
use super::{Item, Key};

/// What an allocation holds besides slots and records.
const OVERHEAD: usize = size_of::<usize>() + size_of::<Header>();
/// Most bytes of slots and records.
const CONTENT_MAX: usize = PAGE_CLASS_MAX - OVERHEAD;
/// Longest member that lies in the page. After a page was split, a half and one more of these fit.
const INLINE_LEN_MAX: usize = 480;

/// Most bytes in two pages that are levelled instead of splitting one.
const LEVEL_MAX: usize = CONTENT_MAX / 4 * 7;

const SLOT_LEN: usize = 10;
const OFFSET_AT: usize = 8;
const LONG_MARK: u8 = 0xff;
const LONG_RECORD_LEN: usize = 3;

const _: () = assert!(OVERHEAD == 24);
const _: () = assert!(
    CONTENT_MAX / 2 + 2 * (INLINE_LEN_MAX + 2 + SLOT_LEN) <= CONTENT_MAX,
    "a half fits with one more member, whatever the last one in it was"
);

/// See the file's header.
#[derive(Clone)]
pub(super) struct Page {
    block: Arc<HeaderSlice<Header, [u8]>>,
}

#[derive(Clone, Default)]
struct Header {
    count: u16,
    /// Where the first record begins.
    heap: u16,
    /// Bytes of records that nobody needs any more.
    garbage: u16,
    long: Option<Box<Long>>,
}

/// The members that do not lie in the page.
#[derive(Clone, Default)]
struct Long {
    members: Vec<Node<Box<[u8]>>>,
    bytes: usize,
}

impl Page {
    pub(super) fn empty() -> Self {
        Builder::new(0).finish()
    }

    /// Adds a member as number `index`. If it does not fit, the right part goes into the page that
    /// is returned.
    #[inline]
    pub(super) fn insert(&mut self, index: usize, key: Key, member: &[u8]) -> Option<Self> {
        let size = SLOT_LEN + record_len(member.len());
        if self.free_len() < size {
            let used = self.used_len() + size;
            if CONTENT_MAX < used {
                return Some(self.split_for(index, key, member));
            }
            self.rebuild(used);
        }
        self.insert_here(index, key, member);
        None
    }

    /// Takes members out.
    pub(super) fn remove(&mut self, range: Range<usize>) {
        for index in range.clone().rev() {
            if record_long(&self.block.slice, self.offset(index)).is_some() {
                self.remove_long(index);
            }
        }
        let garbage: usize =
            range.clone().map(|index| record_size(&self.block.slice, self.offset(index))).sum();
        let end = self.len() * SLOT_LEN;
        let HeaderSlice { header, slice } = self.unique();
        header.garbage += garbage as u16;
        header.count -= range.len() as u16;
        slice.copy_within(range.end * SLOT_LEN..end, range.start * SLOT_LEN);
        let used = self.used_len();
        // Not before it could grow again by a quarter without growing back.
        if content_len((used + used / 4).min(CONTENT_MAX)) < self.block.slice.len() {
            self.rebuild(used);
        }
    }

    /// Moves member number `from` to the place that is number `to` without it, with another score.
    #[inline]
    pub(super) fn move_slot(&mut self, from: usize, to: usize, key: Key) {
        let offset = self.offset(from);
        let slice = &mut self.unique().slice;
        let (from_at, to_at) = (from * SLOT_LEN, to * SLOT_LEN);
        if from < to {
            slice.copy_within(from_at + SLOT_LEN..to_at + SLOT_LEN, from_at);
        } else {
            slice.copy_within(to_at..from_at, to_at + SLOT_LEN);
        }
        write_slot(slice, to, key, offset);
    }

    /// Puts the members of the page behind this one at its end. They must fit: see
    /// [`Page::fits_with`].
    pub(super) fn absorb(&mut self, other: &Self) {
        let mut builder = Builder::new(self.used_len() + other.used_len());
        builder.take(self, 0..self.len());
        builder.take(other, 0..other.len());
        *self = builder.finish();
    }

    /// This page and the one behind it anew, about equally full, unless one member is so long that
    /// they cannot be, or so much is in the two that the next member would ask for it again.
    pub(super) fn level(&self, right: &Self) -> Option<(Self, Self)> {
        let total = self.used_len() + right.used_len();
        if LEVEL_MAX < total {
            return None;
        }
        let (first, count) = (self.len(), self.len() + right.len());
        let size = |index: usize| match index.checked_sub(first) {
            None => self.size(index),
            Some(index) => right.size(index),
        };
        let (mut at, mut used) = (0, 0);
        while used + size(at) <= total / 2 {
            used += size(at);
            at += 1;
        }
        if at == 0 || CONTENT_MAX < total - used {
            return None;
        }
        let part = |range: Range<usize>, used: usize| {
            let mut builder = Builder::new(used);
            builder.take(self, range.start.min(first)..range.end.min(first));
            builder.take(right, range.start.max(first) - first..range.end.max(first) - first);
            builder.finish()
        };
        Some((part(0..at, used), part(at..count, total - used)))
    }

    /// Whether a member can be added without splitting the page.
    #[inline]
    pub(super) fn has_room_for(&self, member: &[u8]) -> bool {
        self.used_len() + SLOT_LEN + record_len(member.len()) <= CONTENT_MAX
    }

    /// Whether joining the two leaves room for more.
    pub(super) fn fits_with(&self, other: &Self) -> bool {
        self.used_len() + other.used_len() <= CONTENT_MAX / 4 * 3
    }

    /// Whether it should be joined with another.
    #[inline]
    pub(super) fn is_thin(&self) -> bool {
        self.used_len() < CONTENT_MAX / 4
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        usize::from(self.block.header.count)
    }

    #[inline]
    pub(super) fn item(&self, index: usize) -> Item<'_> {
        Item { member: self.member(index), score: self.key(index).score() }
    }

    #[inline]
    pub(super) fn key(&self, index: usize) -> Key {
        let at = index * SLOT_LEN;
        let mut word = [0; 8];
        word.copy_from_slice(&self.block.slice[at..at + OFFSET_AT]);
        Key(u64::from_le_bytes(word))
    }

    #[inline]
    pub(super) fn member(&self, index: usize) -> &[u8] {
        let (slice, at) = (&self.block.slice, self.offset(index));
        let first = slice[at];
        if first < 0x80 {
            return &slice[at + 1..at + 1 + usize::from(first)];
        }
        match record_long(slice, at) {
            None => {
                let len = usize::from(first & 0x7f) << 8 | usize::from(slice[at + 1]);
                &slice[at + 2..at + 2 + len]
            }
            Some(number) => self.long(number),
        }
    }

    /// Fetches the scores.
    #[inline]
    pub(super) fn prefetch(&self) {
        // How many there are is not known before they come: usually they are a good third of it.
        let slice = &self.block.slice;
        prefetch_bytes(slice.as_ptr().wrapping_sub(OVERHEAD), OVERHEAD + slice.len() * 3 / 8);
    }

    /// Fetches the first member with this score, which is where one is compared or added; the scores
    /// should have come.
    #[inline]
    pub(super) fn prefetch_member(&self, key: Key) {
        let index = self.partition(|other, _| other < key);
        if index < self.len() {
            prefetch_line(self.block.slice.as_ptr().wrapping_add(self.offset(index)));
        }
    }

    /// Where a member stands, or would stand.
    #[inline]
    pub(super) fn find(&self, key: Key, member: &[u8]) -> Result<usize, usize> {
        let index = self.place(key, member);
        let is_it = index < self.len() && self.key(index) == key && self.member(index) == member;
        if is_it { Ok(index) } else { Err(index) }
    }

    /// Number of members that are less.
    #[inline]
    pub(super) fn place(&self, key: Key, member: &[u8]) -> usize {
        self.partition(|other, at| other < key || other == key && self.member(at) < member)
    }

    /// Number of members for which `is_before` holds: those at the beginning.
    #[inline]
    pub(super) fn partition(&self, is_before: impl Fn(Key, usize) -> bool) -> usize {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            if is_before(self.key(middle), middle) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// Bytes allocated.
    #[inline]
    pub(super) fn memory_bytes(&self) -> usize {
        let long = self.block.header.long.as_ref();
        size_class(OVERHEAD + self.block.slice.len()) + long.map_or(0, |long| long.memory_bytes())
    }

    pub(super) fn check_invariants(&self) {
        let Header { heap, garbage, long, .. } = &self.block.header;
        let slice = &self.block.slice;
        assert!(slice.len() <= CONTENT_MAX);
        assert!(self.len() * SLOT_LEN <= usize::from(*heap));
        let sizes: usize = (0..self.len()).map(|i| record_size(slice, self.offset(i))).sum();
        assert_eq!(usize::from(*heap) + usize::from(*garbage) + sizes, slice.len());
        let numbers = (0..self.len()).filter_map(|i| record_long(slice, self.offset(i)));
        let mut numbers: Vec<usize> = numbers.collect();
        numbers.sort_unstable();
        let members = long.as_ref().map_or(&[][..], |long| &long.members);
        assert!(numbers.iter().copied().eq(0..members.len()));
        assert!(long.as_ref().is_none_or(|long| !long.members.is_empty()));
        let bytes: usize = members.iter().map(long_memory_bytes).sum();
        assert_eq!(bytes, long.as_ref().map_or(0, |long| long.bytes));
    }

    /// Adds a member for which there is room.
    fn insert_here(&mut self, index: usize, key: Key, member: &[u8]) {
        let (size, end) = (record_len(member.len()), self.len() * SLOT_LEN);
        let HeaderSlice { header, slice } = self.unique();
        let at = usize::from(header.heap) - size;
        header.heap = at as u16;
        header.count += 1;
        slice.copy_within(index * SLOT_LEN..end, (index + 1) * SLOT_LEN);
        write_slot(slice, index, key, at);
        if INLINE_LEN_MAX < member.len() {
            let long = header.long.get_or_insert_default();
            write_long(slice, at, long.push(Node::new(member.into())));
        } else {
            write_inline(slice, at, member);
        }
    }

    /// Adds a member for which there is no room, and gives the right part away. Members that come
    /// in order leave full pages behind.
    #[cold]
    fn split_for(&mut self, index: usize, key: Key, member: &[u8]) -> Self {
        let count = self.len();
        let at = match index {
            0 => 0,
            _ if index == count => count,
            _ => self.middle(),
        };
        let mut right = self.part(at..count);
        if at == 0 {
            *self = Self::empty();
        } else if at < count {
            *self = self.part(0..at);
        }
        let (page, index) = if index < at || at == 0 || index == at && at < count {
            (&mut *self, index)
        } else {
            (&mut right, index - at)
        };
        let overflow = page.insert(index, key, member);
        assert!(overflow.is_none(), "a half has room for one more");
        right
    }

    /// Where the two parts are about equally large.
    fn middle(&self) -> usize {
        let half = self.used_len() / 2;
        let mut sum = 0;
        let index = (0..self.len()).position(|index| {
            sum += self.size(index);
            half <= sum
        });
        index.map_or(1, |index| index + 1)
    }

    /// A page with some of the members.
    fn part(&self, range: Range<usize>) -> Self {
        let mut builder = Builder::new(range.clone().map(|index| self.size(index)).sum());
        builder.take(self, range);
        builder.finish()
    }

    /// Moves everything into an allocation for `len` bytes of slots and records.
    #[cold]
    fn rebuild(&mut self, len: usize) {
        let mut builder = Builder::new(len);
        builder.take(self, 0..self.len());
        *self = builder.finish();
    }

    /// Lets go of the long member number `index`; its record stays, and means nothing any more.
    #[cold]
    fn remove_long(&mut self, index: usize) {
        let at = self.offset(index);
        let Some(number) = record_long(&self.block.slice, at) else { return };
        let last = self.block.header.long.as_ref().map_or(0, |long| long.members.len() - 1);
        let moved = (0..self.len())
            .map(|index| self.offset(index))
            .find(|at| record_long(&self.block.slice, *at) == Some(last))
            .expect("each long member has a record");
        let HeaderSlice { header, slice } = self.unique();
        write_long(slice, moved, number);
        let is_last = header.long.as_mut().is_some_and(|long| {
            let gone = long.members.swap_remove(number);
            long.bytes -= long_memory_bytes(&gone);
            long.members.is_empty()
        });
        if is_last {
            header.long = None;
        }
        // The record must not be taken for one of those that are left.
        slice[at] = (LONG_RECORD_LEN - 1) as u8;
    }

    #[inline]
    fn unique(&mut self) -> &mut HeaderSlice<Header, [u8]> {
        if !self.block.is_unique() {
            let HeaderSlice { header, slice } = &*self.block;
            self.block = Arc::from_header_and_slice(header.clone(), slice);
        }
        Arc::get_mut(&mut self.block).expect("it is unique now")
    }

    #[inline]
    fn offset(&self, index: usize) -> usize {
        let at = index * SLOT_LEN + OFFSET_AT;
        usize::from(u16::from_le_bytes([self.block.slice[at], self.block.slice[at + 1]]))
    }

    /// Bytes that a member takes with its score.
    #[inline]
    fn size(&self, index: usize) -> usize {
        SLOT_LEN + record_size(&self.block.slice, self.offset(index))
    }

    fn long(&self, number: usize) -> &[u8] {
        let long = self.block.header.long.as_ref().expect("a record of a long member");
        &long.members[number]
    }

    /// Bytes between slots and records.
    #[inline]
    fn free_len(&self) -> usize {
        usize::from(self.block.header.heap) - self.len() * SLOT_LEN
    }

    /// Bytes of slots and records that are needed.
    #[inline]
    fn used_len(&self) -> usize {
        let Header { count, heap, garbage, .. } = self.block.header;
        usize::from(count) * SLOT_LEN + self.block.slice.len()
            - usize::from(heap)
            - usize::from(garbage)
    }
}

impl Long {
    fn push(&mut self, member: Node<Box<[u8]>>) -> usize {
        self.bytes += long_memory_bytes(&member);
        self.members.push(member);
        self.members.len() - 1
    }

    fn memory_bytes(&self) -> usize {
        // By their number and not the capacity, which is another one in a copy.
        size_class(size_of::<Self>())
            + size_class(self.members.len() * size_of::<Node<Box<[u8]>>>())
            + self.bytes
    }
}

/// A page that is being put together.
struct Builder {
    content: [u8; CONTENT_MAX],
    len: usize,
    header: Header,
}

impl Builder {
    /// For `used` bytes of slots and records.
    fn new(used: usize) -> Self {
        let len = content_len(used);
        let header = Header { heap: len as u16, ..Header::default() };
        Self { content: [0; CONTENT_MAX], len, header }
    }

    /// Adds members of a page at the end.
    fn take(&mut self, page: &Page, range: Range<usize>) {
        let slice = &page.block.slice;
        for index in range {
            let from = page.offset(index);
            let size = record_size(slice, from);
            let at = usize::from(self.header.heap) - size;
            self.content[at..at + size].copy_from_slice(&slice[from..from + size]);
            if let Some(number) = record_long(slice, from) {
                let old = page.block.header.long.as_ref().expect("a record of a long member");
                let long = self.header.long.get_or_insert_default();
                write_long(&mut self.content, at, long.push(old.members[number].clone()));
            }
            write_slot(&mut self.content, usize::from(self.header.count), page.key(index), at);
            self.header.heap = at as u16;
            self.header.count += 1;
        }
    }

    fn finish(self) -> Page {
        Page { block: Arc::from_header_and_slice(self.header, &self.content[..self.len]) }
    }
}

/// What a page asks for if it needs this many bytes of slots and records.
fn content_len(used: usize) -> usize {
    page_class(OVERHEAD + used) - OVERHEAD
}

fn record_len(member_len: usize) -> usize {
    match member_len {
        0..0x80 => 1 + member_len,
        0x80..=INLINE_LEN_MAX => 2 + member_len,
        _ => LONG_RECORD_LEN,
    }
}

/// Bytes of the record at an offset.
#[inline]
fn record_size(slice: &[u8], at: usize) -> usize {
    match slice[at] {
        LONG_MARK => LONG_RECORD_LEN,
        len if len < 0x80 => 1 + usize::from(len),
        high => 2 + (usize::from(high & 0x7f) << 8 | usize::from(slice[at + 1])),
    }
}

/// Which of the long members the record at an offset stands for.
#[inline]
fn record_long(slice: &[u8], at: usize) -> Option<usize> {
    let is_long = slice[at] == LONG_MARK;
    is_long.then(|| usize::from(u16::from_le_bytes([slice[at + 1], slice[at + 2]])))
}

fn write_slot(slice: &mut [u8], index: usize, key: Key, offset: usize) {
    let slot = &mut slice[index * SLOT_LEN..(index + 1) * SLOT_LEN];
    slot[..OFFSET_AT].copy_from_slice(&key.0.to_le_bytes());
    slot[OFFSET_AT..].copy_from_slice(&(offset as u16).to_le_bytes());
}

fn write_inline(slice: &mut [u8], at: usize, member: &[u8]) {
    let start = if member.len() < 0x80 {
        slice[at] = member.len() as u8;
        at + 1
    } else {
        slice[at] = 0x80 | (member.len() >> 8) as u8;
        slice[at + 1] = member.len() as u8;
        at + 2
    };
    slice[start..start + member.len()].copy_from_slice(member);
}

fn write_long(slice: &mut [u8], at: usize, number: usize) {
    slice[at] = LONG_MARK;
    slice[at + 1..at + LONG_RECORD_LEN].copy_from_slice(&(number as u16).to_le_bytes());
}

fn long_memory_bytes(member: &Node<Box<[u8]>>) -> usize {
    size_class(member.len()) + size_class(size_of::<usize>() + size_of::<Box<[u8]>>())
}
