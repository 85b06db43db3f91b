//! A run of entries in one piece of memory.
//!
//! ```text
//! | count | field … | entry | entry | …        the master fields are those of the first entry
//!
//! entry = | flags | ms | seq | count, field, value, field, value, …    fields of its own
//!                            | value, value, …                         the master fields (SAME_FIELDS)
//! ```
//!
//! Counts, `ms` and `seq` are numbers of seven bits per byte. An id is written as the step from the
//! one before it in the chunk: within the same millisecond (SAME_MS) `seq` says how many ids were
//! skipped, else `ms` says how much time has passed and `seq` is the number itself; zeros are left
//! out (NO_SEQ). So an entry of a busy stream costs one or two bytes beside its values, where a
//! list of packed items that can be walked backwards costs about ten.
//!
//! Deleted entries keep their bytes and are flagged (DELETED), so that the ids after them can be
//! read. A chunk without any other entry is dropped by the log; one that has mostly deleted entries
//! is written anew.

use std::cmp::Ordering;

use base::numbers::IntegerBuffer;
use smallvec::SmallVec;

use super::id::Id;
use super::item;
use crate::types::item::Item;

const DELETED: u8 = 1;
const SAME_FIELDS: u8 = 2;
const SAME_MS: u8 = 4;
const NO_SEQ: u8 = 8;

/// Fewer deleted entries than this are not worth writing the chunk anew.
const DELETED_COUNT_MIN: u32 = 16;

/// What happens to an entry that is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    Delete,
    Keep,
    /// It and all after it stay.
    Stop,
}

/// A run of entries.
#[derive(Clone, Debug)]
pub(super) struct Chunk {
    bytes: Vec<u8>,
    first: Id,
    last: Id,
    /// Where the entries begin.
    start: u32,
    /// Entries that are not deleted.
    live: u32,
    /// Entries whose bytes are there.
    written: u32,
    /// Entries that were ever added.
    added: u32,
}

impl Chunk {
    /// A chunk for an entry with these fields, and others after it.
    pub(super) fn new<'a>(first: Id, fields: impl ExactSizeIterator<Item = &'a [u8]>) -> Self {
        let mut bytes = Vec::new();
        item::push_varint(&mut bytes, fields.len() as u64);
        fields.for_each(|field| item::push(&mut bytes, field));
        let start = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        Self { bytes, first, last: first, start, live: 0, written: 0, added: 0 }
    }

    /// Adds an entry; its id is above all others (or the chunk's first).
    pub(super) fn push<'a>(
        &mut self,
        id: Id,
        pairs: impl ExactSizeIterator<Item = (&'a [u8], &'a [u8])> + Clone,
    ) {
        debug_assert!(self.last < id || self.written == 0);
        let has_same_fields = self.has_fields(pairs.clone().map(|(field, _)| field));
        self.push_head(id, has_same_fields);
        if !has_same_fields {
            item::push_varint(&mut self.bytes, pairs.len() as u64);
        }
        for (field, value) in pairs {
            if !has_same_fields {
                item::push(&mut self.bytes, field);
            }
            item::push(&mut self.bytes, value);
        }
    }

    /// Writes flags and id.
    fn push_head(&mut self, id: Id, has_same_fields: bool) {
        let (ms, seq) = if self.written == 0 {
            (0, 0)
        } else if id.ms == self.last.ms {
            (0, id.seq - self.last.seq - 1)
        } else {
            (id.ms - self.last.ms, id.seq)
        };
        let mut flags = 0;
        flags |= if has_same_fields { SAME_FIELDS } else { 0 };
        flags |= if ms == 0 { SAME_MS } else { 0 };
        flags |= if seq == 0 { NO_SEQ } else { 0 };
        self.bytes.push(flags);
        if ms != 0 {
            item::push_varint(&mut self.bytes, ms);
        }
        if seq != 0 {
            item::push_varint(&mut self.bytes, seq);
        }
        self.last = id;
        self.live += 1;
        self.written += 1;
        self.added += 1;
    }

    /// Deletes the entries that `decide` says, in order until it says to stop; returns how many, and
    /// whether it stopped. If none is left, the chunk is of no use any more.
    pub(super) fn delete_where(&mut self, mut decide: impl FnMut(Id) -> Decision) -> (u32, bool) {
        let mut offsets: SmallVec<[usize; 64]> = SmallVec::new();
        let mut has_stopped = false;
        for entry in self.entries().filter(|entry| !entry.is_deleted) {
            match decide(entry.id) {
                Decision::Delete => offsets.push(entry.offset),
                Decision::Keep => {}
                Decision::Stop => {
                    has_stopped = true;
                    break;
                }
            }
        }
        for offset in &offsets {
            self.bytes[*offset] |= DELETED;
        }
        let count = offsets.len() as u32;
        self.live -= count;
        let deleted = self.written - self.live;
        if 0 < count && 0 < self.live && DELETED_COUNT_MIN <= deleted && self.live < deleted {
            self.compact();
        }
        (count, has_stopped)
    }

    /// Deletes an entry; returns whether it was there.
    pub(super) fn delete(&mut self, id: Id) -> bool {
        let (count, _) = self.delete_where(|other| match other.cmp(&id) {
            Ordering::Less => Decision::Keep,
            Ordering::Equal => Decision::Delete,
            Ordering::Greater => Decision::Stop,
        });
        count == 1
    }

    /// Writes the chunk anew, without the entries that are deleted.
    fn compact(&mut self) {
        let mut new = Self {
            bytes: self.bytes[..self.start as usize].to_vec(),
            first: self.first,
            last: self.first,
            start: self.start,
            live: 0,
            written: 0,
            added: 0,
        };
        for entry in self.entries().filter(|entry| !entry.is_deleted) {
            if new.written == 0 {
                new.first = entry.id;
            }
            let Fields { own_count, values, .. } = entry.fields;
            new.push_head(entry.id, own_count.is_none());
            if let Some(count) = own_count {
                item::push_varint(&mut new.bytes, u64::from(count));
            }
            new.bytes.extend_from_slice(values);
        }
        // The ids of deleted entries stay taken, and the chunk is as full as it was.
        new.added = self.added;
        *self = new;
        self.bytes.shrink_to_fit();
    }

    /// Gives room back that no entry will need.
    pub(super) fn shrink(&mut self) {
        self.bytes.shrink_to_fit();
    }

    /// The last entry that was added, and not taken out of the bytes; or the first id of all.
    pub(super) fn last(&self) -> Id {
        self.last
    }

    /// Number of entries that are not deleted.
    pub(super) fn live(&self) -> u32 {
        self.live
    }

    /// Number of entries that were ever added.
    pub(super) fn added(&self) -> u32 {
        self.added
    }

    /// Length of all entries, deleted ones included.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Bytes that it owns.
    pub(super) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Every entry in order, deleted ones included.
    pub(super) fn entries(&self) -> Entries<'_> {
        Entries { chunk: self, offset: self.start as usize, id: self.first, is_first: true }
    }

    /// Whether these are the master fields.
    fn has_fields<'a>(&self, mut fields: impl ExactSizeIterator<Item = &'a [u8]>) -> bool {
        let (count, mut offset) = item::read_varint(&self.bytes);
        count == fields.len() as u64
            && fields.all(|field| {
                let (master, len) = item::read(&self.bytes[offset..]);
                offset += len;
                master.is(field)
            })
    }

    /// Checks all that must hold.
    pub(super) fn check_invariants(&self) {
        let (mut live, mut written, mut last) = (0, 0, None);
        for entry in self.entries() {
            assert!(last < Some(entry.id));
            live += u32::from(!entry.is_deleted);
            written += 1;
            last = Some(entry.id);
        }
        assert_eq!((live, written), (self.live, self.written));
        assert!(written <= self.added);
        assert!(0 < live);
        assert_eq!(last, Some(self.last));
    }
}

/// An entry.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// Its id.
    pub id: Id,
    /// Its fields and values.
    pub fields: Fields<'a>,
    /// Where its flags are.
    offset: usize,
    pub(super) is_deleted: bool,
}

/// The fields and values of an entry, in the order in which they were given.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a> {
    /// Number of the entry's own fields; none if it has those of the chunk.
    own_count: Option<u32>,
    /// The chunk's fields that were not returned yet.
    master: &'a [u8],
    /// The values (and fields) that were not returned yet.
    values: &'a [u8],
    left: u32,
}

impl<'a> Iterator for Fields<'a> {
    type Item = (Item<'a>, Item<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let source = if self.own_count.is_some() { &mut self.values } else { &mut self.master };
        let (field, len) = item::read(source);
        *source = &source[len..];
        let (value, len) = item::read(self.values);
        self.values = &self.values[len..];
        Some((field, value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left as usize, Some(self.left as usize))
    }
}

impl ExactSizeIterator for Fields<'_> {}

impl Fields<'_> {
    /// Calls `visit` with every field and its value as texts.
    pub fn each(self, mut visit: impl FnMut(&[u8], &[u8])) {
        let (mut field_buffer, mut value_buffer) = (IntegerBuffer::new(), IntegerBuffer::new());
        for (field, value) in self {
            visit(field.text(&mut field_buffer), value.text(&mut value_buffer));
        }
    }
}

/// The entries of a chunk, in order.
#[derive(Clone, Debug)]
pub(super) struct Entries<'a> {
    chunk: &'a Chunk,
    offset: usize,
    /// The id of the entry before.
    id: Id,
    is_first: bool,
}

impl<'a> Iterator for Entries<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        let bytes = &self.chunk.bytes[..];
        let offset = self.offset;
        let flags = *bytes.get(offset)?;
        let mut at = offset + 1;
        let mut varint = |is_there: bool| {
            if !is_there {
                return 0;
            }
            let (n, len) = item::read_varint(&bytes[at..]);
            at += len;
            n
        };
        let ms = varint(flags & SAME_MS == 0);
        let seq = varint(flags & NO_SEQ == 0);
        let own_count = (flags & SAME_FIELDS == 0).then(|| varint(true) as u32);
        if !std::mem::take(&mut self.is_first) {
            self.id = if ms == 0 {
                Id::new(self.id.ms, self.id.seq + seq + 1)
            } else {
                Id::new(self.id.ms + ms, seq)
            };
        }
        let (master_count, master_start) = item::read_varint(bytes);
        let left = own_count.unwrap_or(master_count as u32);
        let start = at;
        let items = if own_count.is_some() { left as usize * 2 } else { left as usize };
        for _ in 0..items {
            at += item::read(&bytes[at..]).1;
        }
        self.offset = at;
        let fields = Fields {
            own_count,
            master: &bytes[master_start..self.chunk.start as usize],
            values: &bytes[start..at],
            left,
        };
        Some(Entry { id: self.id, fields, offset, is_deleted: flags & DELETED != 0 })
    }
}
