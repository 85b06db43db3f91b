//! The entries of a stream: chunks in an ordered tree, by the id with which each began.
//!
//! An entry is appended to the last chunk, until that has `node_entries_max` entries or
//! `node_bytes_max` bytes. Deleting flags an entry; a chunk goes when nothing else is left in it.
//! Trimming drops whole chunks from the front and, if it must be exact, flags entries of the next.

use std::ops::ControlFlow;

use super::chunk::{Chunk, Decision, Entries, Entry};
use super::id::Id;
use super::tree::{Ascending, Crumbling, Descending, Tree};
use crate::layout::rubble::Rubble;
use crate::layout::shared_node::Node;
use crate::layout::size_class::size_class;
use crate::types::limits::StreamLimits;

/// Whatever the limits say, a chunk of several entries is no longer than this, since a writer may
/// have to copy it.
const CHUNK_LEN_MAX: usize = 64 << 10;

/// Trimming away so many entries, or chunks, is much.
const MANY_ENTRIES: u64 = 20_000;
const MANY_CHUNKS: usize = 200;

/// What trimming leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trim {
    /// Entries whose ids are not below this one.
    IdMin(Id),
    /// The last so many entries.
    LenMax(u64),
}

/// Entries in the order of their ids.
#[derive(Clone, Debug, Default)]
pub struct Log {
    chunks: Tree<Id, Node<Chunk>>,
    len: u64,
    /// Bytes that the chunks own.
    chunk_bytes: usize,
}

impl Log {
    pub(super) const fn new() -> Self {
        Self { chunks: Tree::new(), len: 0, chunk_bytes: 0 }
    }

    /// Adds an entry at the end.
    ///
    /// # Panics
    /// In tests, if its id is not above that of the last entry.
    pub(super) fn append<'a>(
        &mut self,
        id: Id,
        pairs: impl ExactSizeIterator<Item = (&'a [u8], &'a [u8])> + Clone,
        limits: StreamLimits,
    ) {
        self.len += 1;
        let len = pairs.clone().map(|(field, value)| field.len() + value.len()).sum::<usize>();
        if let Some(last) = self.chunks.last_mut() {
            let before = chunk_bytes(last);
            if has_room(last, len, limits) {
                last.make_mut().push(id, pairs);
                self.chunk_bytes = self.chunk_bytes + chunk_bytes(last) - before;
                return;
            }
            if let Some(chunk) = last.content_mut() {
                chunk.shrink();
                self.chunk_bytes = self.chunk_bytes + chunk_bytes(last) - before;
            }
        }
        let mut chunk = Chunk::new(id, pairs.clone().map(|(field, _)| field));
        chunk.push(id, pairs);
        let node = Node::new(chunk);
        self.chunk_bytes += chunk_bytes(&node);
        self.chunks.insert(id, node);
    }

    /// Deletes an entry; returns whether it was there.
    pub(super) fn delete(&mut self, id: Id) -> bool {
        let Some(key) = self.chunks.floor(&id).map(|(key, _)| *key) else { return false };
        // A miss must not copy a shared chunk.
        self.get(id).is_some() && self.edit(key, |chunk| u32::from(chunk.delete(id))) == 1
    }

    /// Removes entries from the front, as far as `trim` says; returns how many.
    ///
    /// Approximately means: whole chunks only. With a `limit` (0 is none) a chunk that would make
    /// more than so many stays. `may_go` may keep an entry back; without it entries of chunks that
    /// go as a whole are not looked at.
    pub(super) fn trim(
        &mut self,
        trim: Trim,
        is_approximate: bool,
        limit: u64,
        mut may_go: Option<&mut dyn FnMut(Id) -> bool>,
    ) -> u64 {
        let old_len = self.len;
        if limit == 0 && may_go.is_none() && self.is_all(trim) {
            *self = Self::new();
            return old_len;
        }
        let mut from = Id::MIN;
        loop {
            let next = self.chunks.up_from(&from).next();
            let Some((key, chunk)) = next.map(|(key, chunk)| (*key, chunk)) else { break };
            let live = u64::from(chunk.live());
            if limit != 0 && limit < old_len - self.len + live {
                break;
            }
            let goes_whole = match trim {
                Trim::IdMin(min) => chunk.last() < min,
                Trim::LenMax(max) if self.len <= max => break,
                Trim::LenMax(max) => max <= self.len - live,
            };
            if goes_whole && may_go.is_none() {
                self.drop_chunk(key);
                continue;
            }
            if !goes_whole && is_approximate {
                break;
            }
            if self.trim_chunk(key, trim, &mut may_go).is_break() {
                break;
            }
            let Some(next) = key.next() else { break };
            from = next;
        }
        old_len - self.len
    }

    /// Whether trimming to this leaves nothing.
    fn is_all(&self, trim: Trim) -> bool {
        match trim {
            Trim::IdMin(min) => self.chunks.last().is_some_and(|(_, chunk)| chunk.last() < min),
            Trim::LenMax(max) => max == 0,
        }
    }

    /// Whether trimming to this takes so much away that the caller may want to free it elsewhere.
    pub(super) fn is_much(&self, trim: Trim) -> bool {
        match trim {
            Trim::IdMin(min) => {
                self.chunks.iter().nth(MANY_CHUNKS).is_some_and(|(key, _)| *key < min)
            }
            Trim::LenMax(max) => MANY_ENTRIES < self.len.saturating_sub(max),
        }
    }

    /// Removes entries of one chunk; breaks at the first that stays because of `trim`.
    fn trim_chunk(
        &mut self,
        key: Id,
        trim: Trim,
        may_go: &mut Option<&mut dyn FnMut(Id) -> bool>,
    ) -> ControlFlow<()> {
        let mut len = self.len;
        let mut has_stopped = false;
        self.edit(key, |chunk| {
            let (count, stopped) = chunk.delete_where(|id| {
                let is_over = match trim {
                    Trim::IdMin(min) => min <= id,
                    Trim::LenMax(max) => len <= max,
                };
                if is_over {
                    return Decision::Stop;
                }
                if may_go.as_mut().is_some_and(|may_go| !may_go(id)) {
                    return Decision::Keep;
                }
                len -= 1;
                Decision::Delete
            });
            has_stopped = stopped;
            count
        });
        if has_stopped { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// Lets `change` delete entries of a chunk, and drops that if none is left.
    fn edit(&mut self, key: Id, change: impl FnOnce(&mut Chunk) -> u32) -> u32 {
        let Some(node) = self.chunks.value_mut(&key) else { return 0 };
        let before = chunk_bytes(node);
        let chunk = node.make_mut();
        let count = change(chunk);
        let is_empty = chunk.live() == 0;
        self.chunk_bytes = self.chunk_bytes + chunk_bytes(node) - before;
        self.len -= u64::from(count);
        if is_empty {
            self.drop_chunk(key);
        }
        count
    }

    fn drop_chunk(&mut self, key: Id) {
        if let Some(chunk) = self.chunks.remove(&key) {
            self.chunk_bytes -= chunk_bytes(&chunk);
            self.len -= u64::from(chunk.live());
        }
    }

    /// Frees it, but for what takes long.
    pub(super) fn crumble(self, rubble: &mut Rubble) {
        self.chunks.crumble(rubble);
    }

    /// Number of entries.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Number of chunks.
    pub fn chunks_len(&self) -> usize {
        self.chunks.len()
    }

    /// Bytes allocated for it.
    pub fn memory_bytes(&self) -> usize {
        self.chunks.memory_bytes() + self.chunk_bytes
    }

    /// The entry of this id.
    pub fn get(&self, id: Id) -> Option<Entry<'_>> {
        self.range(id, id).next()
    }

    /// The first entry.
    pub fn first(&self) -> Option<Entry<'_>> {
        self.range(Id::MIN, Id::MAX).next()
    }

    /// The last entry.
    pub fn last(&self) -> Option<Entry<'_>> {
        self.range_back(Id::MIN, Id::MAX).next()
    }

    /// The entries from one id to another, both inclusive, in order.
    pub fn range(&self, from: Id, to: Id) -> Range<'_> {
        let start = self.chunks.floor(&from).map_or(from, |(key, _)| *key);
        Range { chunks: self.chunks.up_from(&start), entries: None, from, to }
    }

    /// The entries from one id to another, both inclusive, in reverse order.
    pub fn range_back(&self, from: Id, to: Id) -> RangeBack<'_> {
        RangeBack { chunks: self.chunks.down_from(&to), entries: Vec::new(), from, to }
    }

    /// Checks all that must hold.
    ///
    /// # Panics
    /// If something does not.
    pub(super) fn check_invariants(&self) {
        self.chunks.check_invariants();
        let (mut len, mut bytes, mut last) = (0, 0, None);
        for (key, chunk) in self.chunks.iter() {
            chunk.check_invariants();
            let first = chunk.entries().next().map(|entry| entry.id);
            assert!(first.is_some_and(|first| *key <= first));
            assert!(last < Some(*key));
            last = Some(chunk.last());
            len += u64::from(chunk.live());
            bytes += chunk_bytes(chunk);
        }
        assert_eq!((len, bytes), (self.len, self.chunk_bytes));
    }
}

impl Crumbling for Node<Chunk> {
    fn crumble(self, _rubble: &mut Rubble) {}
}

/// All bytes of a chunk: the node with its count, and the entries.
fn chunk_bytes(chunk: &Node<Chunk>) -> usize {
    size_class(size_of::<usize>() + size_of::<Chunk>()) + size_class(chunk.capacity())
}

/// Whether an entry with fields and values of this length goes into the chunk.
fn has_room(chunk: &Chunk, len: usize, limits: StreamLimits) -> bool {
    let len_max = match limits.node_bytes_max {
        0 => CHUNK_LEN_MAX,
        max => max.min(CHUNK_LEN_MAX),
    };
    let has_places =
        limits.node_entries_max == 0 || (chunk.added() as usize) < limits.node_entries_max;
    has_places && chunk.len() + len < len_max
}

/// Entries in order.
#[derive(Debug)]
pub struct Range<'a> {
    chunks: Ascending<'a, Id, Node<Chunk>>,
    entries: Option<Entries<'a>>,
    from: Id,
    to: Id,
}

impl<'a> Iterator for Range<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        loop {
            let Some(entry) = self.entries.as_mut().and_then(Iterator::next) else {
                let (key, chunk) = self.chunks.next()?;
                if self.to < *key {
                    return None;
                }
                self.entries = Some(chunk.entries());
                continue;
            };
            if self.to < entry.id {
                return None;
            }
            if self.from <= entry.id && !entry.is_deleted {
                return Some(entry);
            }
        }
    }
}

/// Entries in reverse order.
#[derive(Debug)]
pub struct RangeBack<'a> {
    chunks: Descending<'a, Id, Node<Chunk>>,
    /// Those of the chunk that is being read: it can only be read forwards.
    entries: Vec<Entry<'a>>,
    from: Id,
    to: Id,
}

impl<'a> Iterator for RangeBack<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        loop {
            if let Some(entry) = self.entries.pop() {
                return Some(entry);
            }
            let (_, chunk) = self.chunks.next()?;
            if chunk.last() < self.from {
                return None;
            }
            let (from, to) = (self.from, self.to);
            let inside = chunk.entries().take_while(|entry| entry.id <= to);
            self.entries.extend(inside.filter(|entry| from <= entry.id && !entry.is_deleted));
        }
    }
}
