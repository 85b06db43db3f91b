//! A list as chunks: the first and the last at hand, those between in a tree.
//!
//! A call at either end works on one chunk and meets the tree only when that chunk is full or used
//! up, once in some hundred elements. A list of one chunk has only a head, one of two a head and a
//! tail.

use super::End;
use super::chunk::{Chunk, Packed, Wanted};
use super::element::{Element, Encoded};
use super::tree::Tree;
use crate::layout::entry::Kind;
use crate::layout::home::{Form, Large};
use crate::layout::rubble::Rubble;
use crate::layout::shared_node::Node;
use crate::types::limits::ListLimits;

/// What an element is taken to need beside its bytes when it is asked whether a chunk has room.
const ELEMENT_OVERHEAD: usize = 8;
/// Most bytes of a chunk that is limited by its number of elements.
const COUNTED_BYTES_MAX: usize = 8192;
/// Dropping so much takes about as long as handing it to another thread.
const CHEAP_TO_FREE_MAX: usize = 256 << 10;

/// The large form of a list. Cloning it is a freeze.
#[derive(Clone, Debug)]
pub struct LargeList {
    len: usize,
    /// Whether it counts as packed: it has never been longer than one chunk may be.
    is_listpack: bool,
    /// Empty only if the list is.
    head: Node<Chunk>,
    tree: Tree,
    /// There, and not empty, if the tree has chunks.
    tail: Option<Node<Chunk>>,
}

impl Large for LargeList {
    const KIND: Kind = Kind::List;

    fn len(form: Form<'_, Self>) -> usize {
        super::len(form)
    }

    fn memory_bytes(&self) -> usize {
        let tail = self.tail.as_ref().map_or(0, |tail| tail.memory_bytes());
        self.head.memory_bytes() + self.tree.memory_bytes() + tail
    }

    fn is_cheap_to_free(&self) -> bool {
        self.memory_bytes() <= CHEAP_TO_FREE_MAX
    }

    fn crumble(self, rubble: &mut Rubble) {
        self.tree.crumble(rubble);
    }
}

impl LargeList {
    /// A list of one chunk, of elements that are packed already.
    pub(super) fn from_elements(elements: &[u8], count: usize, is_listpack: bool) -> Self {
        let chunk = Chunk::Packed(Packed::from_elements(elements, count));
        let head = Node::new(chunk);
        Self { len: count, is_listpack, head, tree: Tree::default(), tail: None }
    }

    /// From now on the list is long, and a chunk that is full gets a neighbour.
    pub(super) fn set_listpack(&mut self, is_listpack: bool) {
        self.is_listpack = is_listpack;
    }

    /// Adds an element.
    #[inline]
    pub(super) fn push(&mut self, end: End, text: &[u8], limits: ListLimits) {
        self.len += 1;
        let has_room = self.is_listpack || has_room(self.edge(end), text.len(), limits);
        let edge = self.edge_mut(end);
        match edge.content_mut() {
            Some(Chunk::Packed(packed)) if has_room => packed.push(end, &Encoded::new(text)),
            _ => self.push_slowly(end, text, has_room, limits),
        }
    }

    /// Lets `visit` look at the element at one end, and takes it away.
    #[inline]
    pub(super) fn pop<R>(&mut self, end: End, visit: impl FnOnce(Element<'_>) -> R) -> Option<R> {
        let edge = self.edge_mut(end);
        let result = visit(edge.iter().step(end)?);
        if edge.len() == 1 {
            self.drop_edge(end);
        } else {
            edge.make_mut().pop(end);
        }
        self.len -= 1;
        Some(result)
    }

    /// Puts an element before element number `index`.
    pub(super) fn insert(&mut self, index: usize, text: &[u8], limits: ListLimits) {
        if index == 0 || index == self.len {
            let end = if index == 0 { End::Head } else { End::Tail };
            return self.push(end, text, limits);
        }
        let is_listpack = self.is_listpack;
        // Behind its neighbour, so that runs of insertions at one place fill chunks.
        self.edit(index - 1, |chunk, offset, followers| {
            if is_listpack && let Chunk::Packed(packed) = chunk.make_mut() {
                packed.insert(offset + 1, &Encoded::new(text));
            } else {
                insert_into(chunk, offset + 1, text, limits, followers);
            }
        });
    }

    /// Puts an element in the place of element number `index`.
    pub(super) fn set(&mut self, index: usize, text: &[u8], limits: ListLimits) {
        let is_long = is_long(limits, text.len());
        let is_listpack = self.is_listpack;
        if !is_long && matches!(self.locate(index), (Chunk::Single(_), _)) {
            // It may join the chunk before it.
            self.edit(index, |chunk, _, _| *chunk = Node::new(Chunk::empty()));
            return self.insert(index, text, limits);
        }
        self.edit(index, |chunk, offset, followers| {
            if chunk.len() == 1 {
                *chunk = Node::new(Chunk::of(text, is_long && !is_listpack));
                return;
            }
            let Chunk::Packed(packed) = chunk.make_mut() else {
                unreachable!("a chunk of several elements is packed")
            };
            let bytes = packed.listpack_len() + text.len() + ELEMENT_OVERHEAD;
            if is_listpack || !(is_long || exceeds(limits, bytes, 0)) {
                return packed.replace(offset, &Encoded::new(text));
            }
            // It no longer fits in between: the elements behind it move to another chunk.
            let mut behind = Chunk::Packed(packed.split(offset));
            if behind.len() == 1 {
                followers.push(Node::new(Chunk::of(text, is_long)));
            } else {
                behind.pop(End::Head);
                followers.push(Node::new(Chunk::of(text, is_long)));
                followers.push(Node::new(behind));
            }
        });
    }

    /// Takes `count` elements at one end away; `count` is at most the length.
    pub(super) fn trim(&mut self, end: End, count: usize) {
        let mut left = count;
        self.len -= count;
        while 0 < left {
            let edge = self.edge_mut(end);
            let edge_len = edge.len();
            if left < edge_len {
                return edge.make_mut().trim(end, left);
            }
            left -= edge_len;
            let inner = self.tree.len().min(left);
            self.tree.trim(end, inner);
            left -= inner;
            self.drop_edge(end);
        }
    }

    /// Takes elements away that equal `text`: at most `count`, the first ones from `end`. Returns
    /// how many.
    pub(super) fn remove_equal(&mut self, end: End, text: &[u8], count: usize) -> usize {
        let wanted = Wanted::new(text);
        let (mut removed, mut passed) = (0, 0);
        while passed < self.len && removed < count {
            let index = match end {
                End::Head => passed,
                End::Tail => self.len - 1 - passed,
            };
            let (chunk, _) = self.locate(index);
            let chunk_len = chunk.len();
            let found = count_equal(chunk, &wanted);
            let taken = found.min(count - removed);
            if 0 < taken {
                let skipped = if end == End::Head { 0 } else { found - taken };
                self.edit(index, |chunk, _, _| match chunk.make_mut() {
                    Chunk::Packed(packed) => packed.remove_equal(&wanted.encoded, skipped, taken),
                    single @ Chunk::Single(_) => *single = Chunk::empty(),
                });
            }
            removed += taken;
            passed += chunk_len - taken;
        }
        removed
    }

    /// Number of elements.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Whether it has not yet outgrown one chunk.
    #[inline]
    pub(super) fn is_listpack(&self) -> bool {
        self.is_listpack
    }

    /// The elements, if they are in one chunk, packed.
    #[inline]
    pub(super) fn only_chunk(&self) -> Option<&Packed> {
        match &*self.head {
            Chunk::Packed(packed) if self.tail.is_none() => Some(packed),
            _ => None,
        }
    }

    /// The chunk that holds element `index`, and the element's index in it.
    #[inline]
    pub(super) fn locate(&self, index: usize) -> (&Chunk, usize) {
        let Some(inner) = index.checked_sub(self.head.len()) else { return (&self.head, index) };
        match inner.checked_sub(self.tree.len()) {
            None => self.tree.locate(inner),
            Some(index) => (self.tail.as_deref().expect("there is such an element"), index),
        }
    }

    /// As [`Tree::edit`].
    fn edit(
        &mut self,
        index: usize,
        edit: impl FnOnce(&mut Node<Chunk>, usize, &mut Vec<Node<Chunk>>),
    ) {
        let mut followers = Vec::new();
        let (head_len, inner_len) = (self.head.len(), self.tree.len());
        if index < head_len {
            edit(&mut self.head, index, &mut followers);
            if self.tail.is_none() {
                self.tail = followers.pop();
            }
            for chunk in followers.into_iter().rev() {
                self.tree.push(End::Head, chunk);
            }
            if self.head.len() == 0 {
                self.drop_edge(End::Head);
            }
        } else if index < head_len + inner_len {
            self.tree.edit(index - head_len, edit);
        } else {
            let tail = self.tail.as_mut().expect("there is such an element");
            edit(tail, index - head_len - inner_len, &mut followers);
            for chunk in followers {
                let before = self.tail.replace(chunk).filter(|chunk| 0 < chunk.len());
                if let Some(before) = before {
                    self.tree.push(End::Tail, before);
                }
            }
            if self.tail.as_ref().is_some_and(|tail| tail.len() == 0) {
                self.drop_edge(End::Tail);
            }
        }
        self.recount();
    }

    fn recount(&mut self) {
        let tail = self.tail.as_ref().map_or(0, |tail| tail.len());
        self.len = self.head.len() + self.tree.len() + tail;
    }

    /// Adds an element where the chunk at the end cannot take it as it is.
    #[cold]
    fn push_slowly(&mut self, end: End, text: &[u8], has_room: bool, limits: ListLimits) {
        let edge = self.edge_mut(end);
        if has_room && let Chunk::Packed(packed) = edge.make_mut() {
            return packed.push(end, &Encoded::new(text));
        }
        let fresh = Node::new(Chunk::of(text, is_long(limits, text.len())));
        if edge.len() == 0 {
            *edge = fresh;
            return;
        }
        if let Some(chunk) = edge.content_mut() {
            chunk.fit();
        }
        match (end, &mut self.tail) {
            (End::Head, None) => self.tail = Some(std::mem::replace(&mut self.head, fresh)),
            (End::Head, Some(_)) => {
                let chunk = std::mem::replace(&mut self.head, fresh);
                self.tree.push(End::Head, chunk);
            }
            (End::Tail, None) => self.tail = Some(fresh),
            (End::Tail, Some(tail)) => {
                let chunk = std::mem::replace(tail, fresh);
                self.tree.push(End::Tail, chunk);
            }
        }
    }

    /// Puts the next chunk in the place of the one at the end.
    fn drop_edge(&mut self, end: End) {
        match (end, self.tail.is_some()) {
            (End::Tail, true) => self.tail = self.tree.pop(End::Tail),
            (End::Head, true) => {
                let next = self.tree.pop(End::Head).or_else(|| self.tail.take());
                self.head = next.expect("there is a tail");
            }
            (_, false) => self.head = Node::new(Chunk::empty()),
        }
    }

    #[inline]
    fn edge(&self, end: End) -> &Chunk {
        match (end, &self.tail) {
            (End::Tail, Some(tail)) => tail,
            _ => &self.head,
        }
    }

    #[inline]
    fn edge_mut(&mut self, end: End) -> &mut Node<Chunk> {
        match (end, &mut self.tail) {
            (End::Tail, Some(tail)) => tail,
            _ => &mut self.head,
        }
    }

    #[cfg(test)]
    pub(super) fn check_invariants(&self) {
        self.tree.check_invariants();
        let tail = self.tail.as_ref().map_or(0, |tail| tail.len());
        assert_eq!(self.len, self.head.len() + self.tree.len() + tail);
        assert_eq!(self.head.len() == 0, self.len == 0);
        if self.tail.is_some() {
            assert!(0 < tail);
            assert!(!self.is_listpack);
        } else {
            assert_eq!(self.tree.len(), 0);
        }
        for chunk in [Some(&self.head), self.tail.as_ref()].into_iter().flatten() {
            if let Chunk::Packed(packed) = &**chunk {
                packed.check_invariants();
            }
        }
    }
}

/// Whether a listpack of so many bytes and elements is more than a chunk may hold.
#[inline]
pub(super) fn exceeds(limits: ListLimits, listpack_len: usize, count: usize) -> bool {
    match usize::try_from(limits.chunk_max) {
        // No elements at all cannot be meant.
        Ok(count_max) => COUNTED_BYTES_MAX < listpack_len || count_max.max(1) < count,
        Err(_) => bytes_max(limits) < listpack_len,
    }
}

/// Whether a listpack is less than half of what a chunk may hold.
pub(super) fn is_half(limits: ListLimits, listpack_len: usize, count: usize) -> bool {
    match usize::try_from(limits.chunk_max) {
        Ok(count_max) => count <= count_max.max(1) / 2,
        Err(_) => listpack_len <= bytes_max(limits) / 2,
    }
}

fn bytes_max(limits: ListLimits) -> usize {
    match limits.chunk_max {
        0.. => COUNTED_BYTES_MAX,
        -5..=-1 => 2048 << -limits.chunk_max,
        _ => 64 << 10,
    }
}

/// Whether an element is so long that it stands alone.
fn is_long(limits: ListLimits, len: usize) -> bool {
    bytes_max(limits) < len
}

#[inline]
fn has_room(chunk: &Chunk, len: usize, limits: ListLimits) -> bool {
    let Chunk::Packed(packed) = chunk else { return false };
    let bytes = packed.listpack_len() + len + ELEMENT_OVERHEAD;
    // An empty chunk takes whatever does not have to stand alone.
    let is_full = exceeds(limits, bytes, packed.count() + 1) && packed.count() != 0;
    !is_full && !is_long(limits, len)
}

/// Puts an element before number `index` of a chunk, which may take new chunks behind it.
fn insert_into(
    chunk: &mut Node<Chunk>,
    index: usize,
    text: &[u8],
    limits: ListLimits,
    followers: &mut Vec<Node<Chunk>>,
) {
    let len = chunk.len();
    if has_room(chunk, text.len(), limits)
        && let Chunk::Packed(packed) = chunk.make_mut()
    {
        return packed.insert(index, &Encoded::new(text));
    }
    let fresh = || Node::new(Chunk::of(text, is_long(limits, text.len())));
    if is_long(limits, text.len()) || len == 1 {
        if index == 0 {
            followers.push(std::mem::replace(chunk, fresh()));
        } else if index == len {
            followers.push(fresh());
        } else if let Chunk::Packed(packed) = chunk.make_mut() {
            let behind = packed.split(index);
            followers.push(fresh());
            followers.push(Node::new(Chunk::Packed(behind)));
        }
        return;
    }
    let Chunk::Packed(packed) = chunk.make_mut() else {
        unreachable!("a chunk of several elements is packed")
    };
    let half = len / 2;
    let mut behind = Node::new(Chunk::Packed(packed.split(half)));
    if index <= half {
        insert_into(chunk, index, text, limits, followers);
        followers.push(behind);
    } else {
        let mut last = Vec::new();
        insert_into(&mut behind, index - half, text, limits, &mut last);
        followers.push(behind);
        followers.append(&mut last);
    }
}

fn count_equal(chunk: &Chunk, wanted: &Wanted<'_>) -> usize {
    let mut iter = chunk.iter();
    let mut count = 0;
    while let Some(is_equal) = iter.step_equal(End::Head, wanted) {
        count += usize::from(is_equal);
    }
    count
}
