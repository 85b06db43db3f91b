//! An ordered tree with ranks: members in the order of their scores, and of their bytes where
//! scores are equal.
//!
//! *Problem.* A sorted set wants the n-th member, the number of a member, ranges by number, score or
//! bytes in both directions, and cheap changes of scores; at few bytes above a member's own; no step
//! that takes long; and a frozen view in O(1) that later writes do not disturb.
//!
//! *Idea.* A B+-tree in which every inner node knows how many members are below each child. The
//! leaves are pages of up to 2 KiB in which members are packed ([`page`]); inner nodes have up to 32
//! children ([`inner`]).
//!
//! ```text
//! Ordered ─► inner: 32 × (count, separator, child) ─┬─► page: score, score, … │ member, member, …
//!                                                   └─► page
//! ```
//!
//! A separator is not more than the first member of its child and more than the last before it: a
//! score, and as many bytes of a member as are needed where the scores are equal, which is none for
//! most. So inner nodes stay small whatever the members are, and are found in the cache.
//!
//! *Ranks are the positions.* Every range is found by two descents that count what lies before its
//! bounds ([`Ordered::count_before`]), and walked from one rank to another ([`Ordered::iter`]), so a
//! range by score, by bytes and by rank are one thing, and counting needs no walk at all.
//!
//! *Cost.* A million members: three inner nodes, of which the upper ones are hot, and a page. A
//! 17-byte member takes 29 to 35 bytes: the member, its length, 8 for the score, 2 for where it lies,
//! and what is free in the page. A score that changes within its page moves 10 bytes
//! of each member in between and nothing else.
//!
//! *Freezing.* Pages and nodes are counted references; `clone` takes one of the root. A writer copies
//! what is shared on its path: one page and a 2 KiB node per level.
//!
//! *Steps.* A change touches one path. Ranges are removed page by page
//! ([`Ordered::remove_some`]), so the caller may stop in between.
//!
//! *Full pages.* A full page gives members to a neighbour that has room; only where both are nearly
//! full one is split. Members that come in order leave full pages behind. So pages are five sixths
//! full or more, whatever the order. Pages are joined when they are nearly empty.
//!
//! *Rejected.* A skip list: two to four pointers per member and a cache miss for each step.

mod inner;
mod iter;
mod page;
#[cfg(test)]
mod tests;

use std::ops::Range;

use smallvec::SmallVec;

pub use iter::Iter;

use super::home::PREFETCH_CHUNK;
use super::prefetch::prefetch_line;
use super::rubble::{Part, Rubble};
use super::shared_node::Node;
use inner::{Inner, Split};
use page::Page;

/// Below this many bytes a tree is freed where it is.
const CHEAP_TO_FREE_MAX: usize = 64 << 10;

/// Members in the order of score and bytes. `clone` is O(1) and shares all nodes.
#[derive(Clone)]
pub struct Ordered {
    root: Child,
    len: usize,
    memory_bytes: usize,
}

/// One member.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Item<'a> {
    /// Its bytes.
    pub member: &'a [u8],
    /// Its score.
    pub score: f64,
}

/// A place between members.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound<'a> {
    /// Behind a member, which need not be there.
    After(f64, &'a [u8]),
    /// Behind all members whose bytes are not greater, whatever their scores: makes sense only if
    /// all scores are equal.
    AfterMember(&'a [u8]),
    /// Behind all members of this score.
    AfterScore(f64),
    /// Before a member, which need not be there.
    Before(f64, &'a [u8]),
    /// Before all members whose bytes are not less; see [`Bound::AfterMember`].
    BeforeMember(&'a [u8]),
    /// Before all members of this score.
    BeforeScore(f64),
}

impl Bound<'_> {
    /// Whether the bound is behind this member.
    pub fn is_behind(&self, item: &Item<'_>) -> bool {
        BoundKey::new(*self).is_after(Key::new(item.score), || item.member)
    }
}

/// What stands below a node.
#[derive(Clone)]
enum Child {
    Inner(Node<Inner>),
    Page(Page),
}

impl Ordered {
    /// A tree without members.
    pub fn new() -> Self {
        let root = Page::empty();
        let memory_bytes = root.memory_bytes();
        Self { root: Child::Page(root), len: 0, memory_bytes }
    }

    /// Adds a member that is not there. O(log n).
    pub fn insert(&mut self, score: f64, member: &[u8]) {
        let split = insert(&mut self.root, Key::new(score), member, &mut self.memory_bytes);
        self.len += 1;
        if let Some(split) = split {
            let left = std::mem::replace(&mut self.root, Child::Page(Page::empty()));
            let root = Inner::above(left, split);
            self.memory_bytes += root.memory_bytes();
            self.root = Child::Inner(Node::new(root));
        }
    }

    /// Takes a member out; says whether it was there. O(log n).
    pub fn remove(&mut self, score: f64, member: &[u8]) -> bool {
        let target = Target::Member(Key::new(score), member);
        self.take(target, 1, &mut |_| ()) == 1
    }

    /// Gives a member that is there another score. O(log n), and less the smaller the change is.
    pub fn set_score(&mut self, score: f64, member: &[u8], new: f64) {
        let change = ScoreChange { old: Key::new(score), member, new: Key::new(new) };
        if !update(&mut self.root, &change, Edges { is_first: true, is_last: true }) {
            let is_removed = self.remove(score, member);
            debug_assert!(is_removed);
            self.insert(new, member);
        }
    }

    /// Takes at least one and at most `count` members out, from number `rank` on, after `visit` has
    /// seen them in order; returns how many: as many as lie in one page. O(log n + page).
    ///
    /// # Panics
    /// If there is no member number `rank`.
    pub fn remove_some(
        &mut self,
        rank: usize,
        count: usize,
        mut visit: impl FnMut(Item<'_>),
    ) -> usize {
        assert!(rank < self.len);
        self.take(Target::Rank(rank), count, &mut visit)
    }

    /// Number of members.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no members.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Number of members before `bound`. O(log n).
    pub fn count_before(&self, bound: Bound<'_>) -> usize {
        let bound = BoundKey::new(bound);
        let (mut child, mut count) = (&self.root, 0);
        loop {
            match child {
                Child::Page(page) => {
                    let is_before = |key, at| bound.is_after(key, || page.member(at));
                    return count + page.partition(is_before);
                }
                Child::Inner(inner) => {
                    let is_before = |key, at| bound.is_after(key, || inner.separator_bytes(at));
                    let index = inner.partition(is_before);
                    count += inner.count_before(index);
                    child = inner.child(index);
                }
            }
        }
    }

    /// The number of a member, from zero. O(log n).
    pub fn rank(&self, score: f64, member: &[u8]) -> Option<usize> {
        let key = Key::new(score);
        let (mut child, mut rank) = (&self.root, 0);
        loop {
            match child {
                Child::Page(page) => return page.find(key, member).ok().map(|index| rank + index),
                Child::Inner(inner) => {
                    let index = inner.route(key, member);
                    rank += inner.count_before(index);
                    child = inner.child(index);
                }
            }
        }
    }

    /// Whether there is such a member. O(log n).
    #[inline]
    pub fn contains(&self, score: f64, member: &[u8]) -> bool {
        let key = Key::new(score);
        let mut child = &self.root;
        loop {
            match child {
                Child::Page(page) => return page.find(key, member).is_ok(),
                Child::Inner(inner) => child = inner.child(inner.route(key, member)),
            }
        }
    }

    /// Fetches the places of these members, which need not be there, into the cache: first all
    /// pages' scores, then what is compared with the members.
    pub fn prefetch(&self, places: &[(f64, &[u8])]) {
        let mut children: SmallVec<[&Child; 2 * PREFETCH_CHUNK]> =
            places.iter().map(|_| &self.root).collect();
        // All pages are equally deep.
        while let Some(Child::Inner(_)) = children.first() {
            for child in &children {
                if let Child::Inner(inner) = child {
                    inner.prefetch();
                }
            }
            for (child, (score, member)) in children.iter_mut().zip(places) {
                if let Child::Inner(inner) = child {
                    *child = inner.child(inner.route(Key::new(*score), member));
                    prefetch_line(std::ptr::from_ref(*child).cast());
                }
            }
        }
        let prefetch = |prefetch: &dyn Fn(&Page, Key)| {
            for (child, (score, _)) in children.iter().zip(places) {
                if let Child::Page(page) = child {
                    prefetch(page, Key::new(*score));
                }
            }
        };
        prefetch(&|page, _| page.prefetch());
        if 1 < places.len() {
            prefetch(&Page::prefetch_member);
        }
    }

    /// Member number `rank`. O(log n).
    pub fn at(&self, rank: usize) -> Option<Item<'_>> {
        let (mut child, mut rank) = (&self.root, rank);
        loop {
            match child {
                Child::Page(page) => return (rank < page.len()).then(|| page.item(rank)),
                Child::Inner(inner) => {
                    let (index, rest) = inner.select(rank);
                    (child, rank) = (inner.child(index), rest);
                }
            }
        }
    }

    /// The members with these numbers, in order. O(log n) to begin.
    pub fn iter(&self, ranks: Range<usize>) -> Iter<'_> {
        Iter::forward(&self.root, clamped(ranks, self.len))
    }

    /// The members with these numbers, from the last to the first. O(log n) to begin.
    pub fn iter_back(&self, ranks: Range<usize>) -> Iter<'_> {
        Iter::backward(&self.root, clamped(ranks, self.len))
    }

    /// Bytes allocated.
    pub fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }

    /// Whether dropping it takes no longer than handing it to another thread.
    pub fn is_cheap_to_free(&self) -> bool {
        self.memory_bytes <= CHEAP_TO_FREE_MAX
    }

    /// Frees it, but for what takes long.
    pub fn crumble(self, rubble: &mut Rubble) {
        if let Child::Inner(node) = self.root {
            rubble.add(node);
        }
    }

    /// Checks what must hold; for tests and debugging.
    ///
    /// # Panics
    /// If it does not hold.
    pub fn check_invariants(&self) {
        let mut memory_bytes = 0;
        let len = self.root.check_invariants(&mut memory_bytes, None, None);
        assert_eq!(len, self.len);
        assert_eq!(memory_bytes, self.memory_bytes);
        let mut last: Option<Item<'_>> = None;
        for item in self.iter(0..self.len) {
            let is_ordered = last.is_none_or(|last| {
                (Key::new(last.score), last.member) < (Key::new(item.score), item.member)
            });
            assert!(is_ordered);
            last = Some(item);
        }
    }

    fn take(&mut self, target: Target<'_>, count: usize, visit: &mut dyn FnMut(Item<'_>)) -> usize {
        let taken = take(&mut self.root, target, count, &mut self.memory_bytes, visit);
        self.len -= taken;
        while let Child::Inner(inner) = &self.root
            && inner.len() <= 1
        {
            self.memory_bytes -= inner.memory_bytes();
            let only = (inner.len() == 1).then(|| inner.child(0).clone());
            self.root = only.unwrap_or_else(|| {
                let page = Page::empty();
                self.memory_bytes += page.memory_bytes();
                Child::Page(page)
            });
        }
        taken
    }
}

impl Default for Ordered {
    fn default() -> Self {
        Self::new()
    }
}

/// A score as an integer of the same order. Zero and negative zero are one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key(u64);

impl Key {
    const SIGN: u64 = 1 << 63;

    #[inline]
    fn new(score: f64) -> Self {
        debug_assert!(!score.is_nan());
        // Adding zero turns negative zero into zero.
        let bits = (score + 0.0).to_bits();
        Self(if bits & Self::SIGN == 0 { bits | Self::SIGN } else { !bits })
    }

    #[inline]
    fn score(self) -> f64 {
        f64::from_bits(if self.0 & Self::SIGN == 0 { !self.0 } else { self.0 ^ Self::SIGN })
    }
}

/// A [`Bound`], ready for comparisons.
enum BoundKey<'a> {
    After(Key, &'a [u8]),
    AfterMember(&'a [u8]),
    AfterScore(Key),
    Before(Key, &'a [u8]),
    BeforeMember(&'a [u8]),
    BeforeScore(Key),
}

impl<'a> BoundKey<'a> {
    fn new(bound: Bound<'a>) -> Self {
        match bound {
            Bound::After(score, member) => Self::After(Key::new(score), member),
            Bound::AfterMember(member) => Self::AfterMember(member),
            Bound::AfterScore(score) => Self::AfterScore(Key::new(score)),
            Bound::Before(score, member) => Self::Before(Key::new(score), member),
            Bound::BeforeMember(member) => Self::BeforeMember(member),
            Bound::BeforeScore(score) => Self::BeforeScore(Key::new(score)),
        }
    }

    /// Whether the bound is behind this member.
    #[inline]
    fn is_after<'m>(&self, key: Key, member: impl FnOnce() -> &'m [u8]) -> bool {
        match *self {
            Self::After(own, bytes) => key < own || key == own && member() <= bytes,
            Self::AfterMember(bytes) => member() <= bytes,
            Self::AfterScore(own) => key <= own,
            Self::Before(own, bytes) => key < own || key == own && member() < bytes,
            Self::BeforeMember(bytes) => member() < bytes,
            Self::BeforeScore(own) => key < own,
        }
    }
}

/// What is to be taken out.
#[derive(Clone, Copy)]
enum Target<'a> {
    Member(Key, &'a [u8]),
    Rank(usize),
}

struct ScoreChange<'a> {
    old: Key,
    member: &'a [u8],
    new: Key,
}

/// On which edges of the tree a node lies.
#[derive(Clone, Copy)]
struct Edges {
    is_first: bool,
    is_last: bool,
}

impl Part for Node<Inner> {
    fn crumble(mut self: Box<Self>, rubble: &mut Rubble) {
        let Some(inner) = self.content_mut() else { return };
        for child in inner.take_children() {
            if let Child::Inner(node) = child {
                rubble.add(node);
            }
        }
    }
}

impl Child {
    /// Number of members below.
    fn count(&self) -> usize {
        match self {
            Self::Inner(inner) => inner.count(),
            Self::Page(page) => page.len(),
        }
    }

    /// Bytes of the node itself.
    fn memory_bytes(&self) -> usize {
        match self {
            Self::Inner(inner) => inner.memory_bytes(),
            Self::Page(page) => page.memory_bytes(),
        }
    }

    /// Adds up the bytes below, and returns the number of members.
    fn check_invariants(
        &self,
        memory_bytes: &mut usize,
        first: Option<(Key, &[u8])>,
        end: Option<(Key, &[u8])>,
    ) -> usize {
        *memory_bytes += self.memory_bytes();
        match self {
            Self::Page(page) => {
                page.check_invariants();
                let is_inside = |item: Item<'_>| {
                    let place = (Key::new(item.score), item.member);
                    first.is_none_or(|first| first <= place) && end.is_none_or(|end| place < end)
                };
                assert!((0..page.len()).all(|index| is_inside(page.item(index))));
                page.len()
            }
            Self::Inner(inner) => {
                inner.check_invariants();
                let mut sum = 0;
                for index in 0..inner.len() {
                    let first = if index == 0 { first } else { Some(inner.separator(index)) };
                    let is_last = index + 1 == inner.len();
                    let end = if is_last { end } else { Some(inner.separator(index + 1)) };
                    let child = inner.child(index);
                    let count = child.check_invariants(memory_bytes, first, end);
                    assert!(0 < count);
                    assert_eq!(count, inner.count_at(index));
                    sum += count;
                }
                sum
            }
        }
    }
}

/// Adds a member below `child`; returns the right half if it had to be split.
fn insert(child: &mut Child, key: Key, member: &[u8], memory: &mut usize) -> Option<Split> {
    match child {
        Child::Page(page) => {
            let (index, before) = (page.place(key, member), page.memory_bytes());
            let right = page.insert(index, key, member);
            *memory = *memory + page.memory_bytes() - before;
            let right = right?;
            *memory += right.memory_bytes();
            Some(Split::between(page, right))
        }
        Child::Inner(inner) => {
            let inner = inner.make_mut();
            let mut index = inner.route(key, member);
            if inner.make_room(index, member, memory) {
                index = inner.route(key, member);
            }
            let split = insert(inner.child_mut(index), key, member, memory);
            let Some(split) = split else {
                inner.add_to_count(index, 1);
                return None;
            };
            let before = inner.memory_bytes();
            let right = inner.insert_behind(index, split);
            *memory = *memory + inner.memory_bytes() - before;
            let right = right?;
            *memory += right.right.memory_bytes();
            Some(right)
        }
    }
}

/// Takes up to `count` members of one page below `child` out; returns how many.
fn take(
    child: &mut Child,
    target: Target<'_>,
    count: usize,
    memory: &mut usize,
    visit: &mut dyn FnMut(Item<'_>),
) -> usize {
    match child {
        Child::Page(page) => {
            let index = match target {
                Target::Rank(rank) => rank,
                Target::Member(key, member) => match page.find(key, member) {
                    Ok(index) => index,
                    Err(_) => return 0,
                },
            };
            let (end, before) = ((index + count).min(page.len()), page.memory_bytes());
            (index..end).for_each(|index| visit(page.item(index)));
            page.remove(index..end);
            *memory = *memory + page.memory_bytes() - before;
            end - index
        }
        Child::Inner(inner) => {
            let inner = inner.make_mut();
            let (index, target) = match target {
                Target::Member(key, member) => (inner.route(key, member), target),
                Target::Rank(rank) => {
                    let (index, rest) = inner.select(rank);
                    (index, Target::Rank(rest))
                }
            };
            let taken = take(inner.child_mut(index), target, count, memory, visit);
            if 0 < taken {
                inner.add_to_count(index, -(taken as isize));
                inner.join(index, memory);
            }
            taken
        }
    }
}

/// Changes a score if the member stays in its page; says whether it did.
fn update(child: &mut Child, change: &ScoreChange<'_>, edges: Edges) -> bool {
    match child {
        Child::Page(page) => {
            let Ok(from) = page.find(change.old, change.member) else { return false };
            let to = page.place(change.new, change.member);
            // Where it would stand without itself.
            let to = if from < to { to - 1 } else { to };
            let is_before = to == 0 && !edges.is_first && change.new < change.old;
            let is_behind = to + 1 == page.len() && !edges.is_last && change.old < change.new;
            let is_outside = is_before || is_behind;
            if !is_outside {
                page.move_slot(from, to, change.new);
            }
            !is_outside
        }
        Child::Inner(inner) => {
            let index = inner.route(change.old, change.member);
            let edges = Edges {
                is_first: edges.is_first && index == 0,
                is_last: edges.is_last && index + 1 == inner.len(),
            };
            update(inner.make_mut().child_mut(index), change, edges)
        }
    }
}

fn clamped(range: Range<usize>, len: usize) -> Range<usize> {
    let end = range.end.min(len);
    range.start.min(end)..end
}
