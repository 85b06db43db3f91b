//! The directory of the hash trie: nodes of up to 256 children, routed by eight hash bits each.

use base::rand::Rng;
use smallvec::SmallVec;

use super::super::home::PREFETCH_CHUNK;
use super::super::prefetch::prefetch_line;
use super::super::rubble::{Part, Rubble};
use super::super::shared_node::Node;
use super::super::size_class::size_class;

/// Bits of the hash that one node routes by.
const NODE_BITS: u32 = 8;
/// Levels that a place is searched on: the end of its range is a multiple of 256 then.
const PLACE_LEVELS: u32 = u64::BITS / NODE_BITS - 1;
/// Pages that are freed in about the time that it takes to hand them to another thread.
const CHEAP_PAGES_MAX: usize = 32;

/// A leaf: elements whose hashes begin alike.
pub(super) trait Page: Clone + Send + Sync + 'static {
    /// When an element wants to be looked at next: `()` where none ever does.
    type Due: Copy + Ord + std::fmt::Debug + Send + Sync + 'static;
    /// Later than all.
    const NEVER: Self::Due;
    /// Levels of nodes that the hash has bits for.
    const LEVELS_MAX: u32;

    /// A page without elements.
    fn empty() -> Self;

    /// Moves the elements whose byte at `level` has a bit of `mask` to a new page.
    fn split(&mut self, level: u32, mask: u8) -> Self;

    /// Takes all elements of another page over.
    fn absorb(&mut self, other: &Self);

    fn len(&self) -> usize;

    /// The earliest of its elements, found by looking at all.
    fn due(&self) -> Self::Due;

    /// Whether it holds more than a page should.
    fn is_over(&self) -> bool;

    /// Whether the two are so empty that one page should hold both.
    fn fits_with(&self, other: &Self) -> bool;

    /// Bytes that are allocated for it, and for it alone.
    fn memory_bytes(&self) -> usize;

    fn check_invariants(&self);

    /// Checks that an element's byte at `level` lies in this range.
    fn check_routes(&self, level: u32, range: std::ops::Range<usize>);
}

/// What an element is found by.
pub(super) trait Route {
    /// The byte by which a node at this level finds its child.
    fn byte(&self, level: u32) -> u8;
}

/// Pages in the order of the hash, found by its bits from the top.
#[derive(Clone)]
pub(super) struct Tree<P: Page> {
    root: Child<P>,
    totals: Totals,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Totals {
    memory_bytes: usize,
    page_count: usize,
}

/// A part of a node's range: it covers 2^(8 - depth) slots of it.
#[derive(Clone)]
pub(super) struct Child<P: Page> {
    pub(super) link: Link<P>,
    /// Elements below.
    count: u32,
    depth: u8,
    /// The earliest of the elements below.
    due: P::Due,
}

#[derive(Clone)]
pub(super) enum Link<P: Page> {
    Inner(Node<Inner<P>>),
    Page(P),
}

/// A node. Slots are the 256 values of its byte; a child covers an aligned range of them.
#[derive(Clone)]
pub(super) struct Inner<P: Page> {
    /// A bit for each slot at which a child's range starts.
    starts: [u64; 4],
    /// In the order of their ranges.
    pub(super) children: Vec<Child<P>>,
}

/// Where a hash leads: a page, or a node whose elements all agree in the bits above the last eight.
pub(super) struct Place<'a, P: Page> {
    pub(super) child: &'a Child<P>,
    /// The first hash behind the place's range, or zero at the end of all.
    pub(super) end: u64,
}

impl<P: Page> Tree<P> {
    pub(super) fn new() -> Self {
        let page = P::empty();
        let totals = Totals { memory_bytes: page.memory_bytes(), page_count: 1 };
        Self { root: Child::new(page, 0), totals }
    }

    /// Lets `edit` change the page that the route leads to, and the earliest of its elements, and
    /// then splits or merges pages.
    pub(super) fn change<R>(
        &mut self,
        route: &impl Route,
        edit: impl FnOnce(&mut P, &mut P::Due) -> R,
    ) -> R {
        let result = self.root.change(0, route, edit, &mut self.totals);
        self.root.deepen(0, &mut self.totals);
        result
    }

    /// The page that the route leads to.
    #[inline]
    pub(super) fn page(&self, route: &impl Route) -> &P {
        let mut child = &self.root;
        let mut level = 0;
        loop {
            match &child.link {
                Link::Page(page) => return page,
                Link::Inner(node) => child = &node.children[node.index(route.byte(level))],
            }
            level += 1;
        }
    }

    /// The pages that the routes lead to. All go down a level together, so that the cache misses of
    /// a level overlap.
    pub(super) fn pages_of<R: Route>(&self, routes: &[R]) -> SmallVec<[&P; PREFETCH_CHUNK]> {
        let mut children: SmallVec<[&Child<P>; PREFETCH_CHUNK]> =
            routes.iter().map(|_| &self.root).collect();
        for level in 0.. {
            let mut is_below = false;
            for child in &children {
                if let Link::Inner(node) = &child.link {
                    prefetch_line(std::ptr::from_ref::<Inner<P>>(node).cast());
                    is_below = true;
                }
            }
            if !is_below {
                break;
            }
            for (child, route) in children.iter_mut().zip(routes) {
                if let Link::Inner(node) = &child.link {
                    *child = &node.children[node.index(route.byte(level))];
                    prefetch_line(std::ptr::from_ref(*child).cast());
                }
            }
        }
        children.into_iter().filter_map(Child::page).collect()
    }

    /// The place that the hash leads to.
    pub(super) fn place(&self, hash: u64) -> Place<'_, P> {
        let mut child = &self.root;
        let mut level = 0;
        let mut end = 0;
        while let Link::Inner(node) = &child.link
            && level < PLACE_LEVELS
        {
            let shift = u64::BITS - NODE_BITS * (level + 1);
            let slot = (hash >> shift) as u8;
            child = &node.children[node.index(slot)];
            let stop = child.stop(slot);
            // The range of the last child ends where its node's does.
            if stop <= usize::from(u8::MAX) {
                let above = hash >> shift >> NODE_BITS << NODE_BITS;
                end = (above | stop as u64) << shift;
            }
            level += 1;
        }
        Place { child, end }
    }

    /// The element at this index in the order of pages: its page, and its index there.
    ///
    /// # Panics
    /// If there are not that many.
    pub(super) fn at(&self, mut index: usize) -> (&P, usize) {
        let mut child = &self.root;
        loop {
            assert!(index < child.count as usize, "there is no such element");
            let node = match &child.link {
                Link::Page(page) => return (page, index),
                Link::Inner(node) => node,
            };
            for below in &node.children {
                child = below;
                if index < below.count as usize {
                    break;
                }
                index -= below.count as usize;
            }
        }
    }

    /// Some element, each equally likely.
    pub(super) fn random(&self, rng: &mut Rng) -> Option<(&P, usize)> {
        (0 < self.len()).then(|| self.at(rng.index(self.len())))
    }

    pub(super) fn pages(&self) -> Pages<'_, P> {
        Pages::new(&self.root)
    }

    /// The pages with elements that are due before `limit`.
    pub(super) fn due_pages(&self, limit: P::Due) -> impl Iterator<Item = &P> {
        let root = (self.root.due < limit).then_some(&self.root);
        let mut above: Vec<&Child<P>> = root.into_iter().collect();
        std::iter::from_fn(move || {
            loop {
                match &above.pop()?.link {
                    Link::Page(page) => return Some(page),
                    Link::Inner(node) => {
                        above.extend(node.children.iter().filter(|child| child.due < limit));
                    }
                }
            }
        })
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.root.count as usize
    }

    #[inline]
    pub(super) fn due(&self) -> P::Due {
        self.root.due
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.totals.memory_bytes
    }

    pub(super) fn page_count(&self) -> usize {
        self.totals.page_count
    }

    pub(super) fn is_cheap_to_free(&self) -> bool {
        self.totals.page_count <= CHEAP_PAGES_MAX
    }

    /// Frees it, but for what takes long.
    pub(super) fn crumble(self, rubble: &mut Rubble) {
        if let Link::Inner(node) = self.root.link {
            rubble.add(node);
        }
    }

    pub(super) fn check_invariants(&self) {
        let mut totals = Totals::default();
        self.root.check_invariants(0, &mut totals);
        assert_eq!(self.totals, totals);
        let pages = self.pages().count();
        assert_eq!(self.totals.page_count, pages);
    }
}

impl<P: Page> Part for Node<Inner<P>> {
    fn crumble(mut self: Box<Self>, rubble: &mut Rubble) {
        let Some(inner) = self.content_mut() else { return };
        for child in inner.children.drain(..) {
            if let Link::Inner(node) = child.link {
                rubble.add(node);
            }
        }
    }
}

impl<P: Page> Child<P> {
    fn new(page: P, depth: u8) -> Self {
        Self { count: page.len() as u32, due: page.due(), depth, link: Link::Page(page) }
    }

    /// See [`Tree::change`]; `level` is that of the node that the child may be.
    fn change<R>(
        &mut self,
        level: u32,
        route: &impl Route,
        edit: impl FnOnce(&mut P, &mut P::Due) -> R,
        totals: &mut Totals,
    ) -> R {
        let node = match &mut self.link {
            Link::Page(page) => {
                let before = page.memory_bytes();
                let result = edit(page, &mut self.due);
                totals.memory_bytes = totals.memory_bytes - before + page.memory_bytes();
                self.count = page.len() as u32;
                return result;
            }
            Link::Inner(node) => node,
        };
        let capacity = node.children.capacity();
        let inner = node.make_mut();
        // A copy of a shared node has no spare room.
        inner.count_capacity(capacity, totals);
        let slot = route.byte(level);
        let index = inner.index(slot);
        let child = &mut inner.children[index];
        let (count_before, due_before) = (child.count, child.due);
        let result = child.change(level + 1, route, edit, totals);
        let (count, due) = (child.count, child.due);
        if child.is_over() {
            inner.split(index, slot, level, totals);
        } else if count < count_before {
            inner.merge(index, slot, totals);
        }
        if due < self.due {
            self.due = due;
        } else if due != due_before && due_before == self.due {
            self.due = inner.due();
        }
        self.count = self.count - count_before + count;
        self.flatten(totals);
        result
    }

    /// Makes a page that holds too much, and has its whole range of slots split off already, a node
    /// of this level.
    fn deepen(&mut self, level: u32, totals: &mut Totals) {
        if !self.is_over() || level == P::LEVELS_MAX {
            return;
        }
        let link = std::mem::replace(&mut self.link, Link::Page(P::empty()));
        let mut inner = Inner { starts: [1, 0, 0, 0], children: Vec::with_capacity(2) };
        inner.children.push(Self { link, depth: 0, ..*self });
        totals.memory_bytes += inner.memory_bytes();
        inner.split(0, 0, level, totals);
        self.link = Link::Inner(Node::new(inner));
    }

    /// Takes a node away that has only one page left, and that one not full.
    fn flatten(&mut self, totals: &mut Totals) {
        let Link::Inner(node) = &self.link else { return };
        let [sole] = &node.children[..] else { return };
        let Link::Page(page) = &sole.link else { return };
        if page.fits_with(&P::empty()) {
            totals.memory_bytes -= node.memory_bytes();
            self.link = Link::Page(page.clone());
        }
    }

    fn page(&self) -> Option<&P> {
        match &self.link {
            Link::Page(page) => Some(page),
            Link::Inner(_) => None,
        }
    }

    #[inline]
    fn is_over(&self) -> bool {
        match &self.link {
            Link::Page(page) => page.is_over(),
            Link::Inner(_) => false,
        }
    }

    /// The first slot of its range, of which `slot` is one.
    fn start(&self, slot: u8) -> usize {
        usize::from(slot) & !(self.width() - 1)
    }

    /// The first slot behind its range.
    fn stop(&self, slot: u8) -> usize {
        self.start(slot) + self.width()
    }

    fn width(&self) -> usize {
        1 << (NODE_BITS - u32::from(self.depth))
    }

    fn check_invariants(&self, level: u32, totals: &mut Totals) {
        match &self.link {
            Link::Page(page) => {
                page.check_invariants();
                assert_eq!(self.count as usize, page.len());
                assert_eq!(self.due, page.due());
                assert!(!page.is_over() || level == P::LEVELS_MAX);
                totals.memory_bytes += page.memory_bytes();
                totals.page_count += 1;
            }
            Link::Inner(node) => {
                totals.memory_bytes += node.memory_bytes();
                let count: u32 = node.children.iter().map(|child| child.count).sum();
                assert_eq!(self.count, count);
                assert_eq!(self.due, node.due());
                let mut slot = 0;
                for (index, child) in node.children.iter().enumerate() {
                    assert_eq!(node.index(slot as u8), index);
                    assert_eq!(child.start(slot as u8), slot);
                    child.check_invariants(level + 1, totals);
                    let range = slot..child.stop(slot as u8);
                    slot = range.end;
                    Pages::new(child).for_each(|page| page.check_routes(level, range.clone()));
                }
                assert_eq!(slot, 1 << NODE_BITS);
                let starts: u32 = node.starts.iter().map(|word| word.count_ones()).sum();
                assert_eq!(starts as usize, node.children.len());
            }
        }
    }
}

impl<P: Page> Inner<P> {
    /// Splits a page by bits of its range until no part holds too much.
    fn split(&mut self, index: usize, slot: u8, level: u32, totals: &mut Totals) {
        let child = &mut self.children[index];
        if !child.is_over() {
            return;
        }
        if u32::from(child.depth) == NODE_BITS {
            child.deepen(level + 1, totals);
            return;
        }
        let Link::Page(page) = &mut child.link else { return };
        let start = usize::from(slot) & !((1 << (NODE_BITS - u32::from(child.depth))) - 1);
        let half = 1 << (NODE_BITS - u32::from(child.depth) - 1);
        let before = page.memory_bytes();
        let split_off = Child::new(page.split(level, half as u8), child.depth + 1);
        totals.memory_bytes = totals.memory_bytes - before + page.memory_bytes();
        totals.memory_bytes += split_off.memory_bytes();
        totals.page_count += 1;
        (child.count, child.due, child.depth) = (page.len() as u32, page.due(), child.depth + 1);
        self.flip_start(start + half);
        if self.children.len() == self.children.capacity() {
            let capacity = self.children.capacity();
            self.children.reserve_exact(self.children.len() / 4 + 1);
            self.count_capacity(capacity, totals);
        }
        self.children.insert(index + 1, split_off);
        self.split(index + 1, (start + half) as u8, level, totals);
        self.split(index, start as u8, level, totals);
    }

    /// Joins a page with its buddy while both hold little.
    fn merge(&mut self, mut index: usize, slot: u8, totals: &mut Totals) {
        while self.children[index].depth != 0 {
            let child = &self.children[index];
            let (start, width) = (child.start(slot), child.width());
            let is_upper = start & width != 0;
            // A range's first slot is that of a child, so the lower buddy is the one before.
            let (lower, upper) = if is_upper { (index - 1, index) } else { (index, index + 1) };
            let [low, high] = &mut self.children[lower..=upper] else { return };
            if low.depth != high.depth {
                return;
            }
            let (Link::Page(page), Link::Page(other)) = (&mut low.link, &high.link) else { return };
            if !page.fits_with(other) {
                return;
            }
            let before = page.memory_bytes() + other.memory_bytes();
            page.absorb(other);
            totals.memory_bytes = totals.memory_bytes - before + page.memory_bytes();
            totals.page_count -= 1;
            low.count += high.count;
            low.due = low.due.min(high.due);
            low.depth -= 1;
            self.children.remove(upper);
            self.flip_start(if is_upper { start } else { start + width });
            index = lower;
        }
    }

    /// Counts the bytes of the children's room, which was another one before.
    #[inline]
    fn count_capacity(&self, before: usize, totals: &mut Totals) {
        if self.children.capacity() != before {
            let bytes = |capacity: usize| size_class(capacity * size_of::<Child<P>>());
            totals.memory_bytes += bytes(self.children.capacity());
            totals.memory_bytes -= bytes(before);
        }
    }

    /// The child in whose range a slot lies.
    #[inline]
    pub(super) fn index(&self, slot: u8) -> usize {
        let (word, bit) = (usize::from(slot >> 6), slot & 63);
        let mut count = (self.starts[word] << (63 - bit)).count_ones();
        for starts in &self.starts[..word] {
            count += starts.count_ones();
        }
        count as usize - 1
    }

    fn flip_start(&mut self, slot: usize) {
        self.starts[slot >> 6] ^= 1 << (slot & 63);
    }

    fn due(&self) -> P::Due {
        self.children.iter().map(|child| child.due).min().unwrap_or(P::NEVER)
    }

    fn memory_bytes(&self) -> usize {
        let children = size_class(self.children.capacity() * size_of::<Child<P>>());
        size_class(size_of::<usize>() + size_of::<Self>()) + children
    }
}

impl<P: Page> Child<P> {
    fn memory_bytes(&self) -> usize {
        match &self.link {
            Link::Page(page) => page.memory_bytes(),
            Link::Inner(node) => node.memory_bytes(),
        }
    }
}

/// The pages of a tree, in the order of the hash.
pub(super) struct Pages<'a, P: Page> {
    first: Option<&'a P>,
    above: Vec<std::slice::Iter<'a, Child<P>>>,
}

impl<'a, P: Page> Pages<'a, P> {
    pub(super) fn new(child: &'a Child<P>) -> Self {
        match &child.link {
            Link::Page(page) => Self { first: Some(page), above: Vec::new() },
            Link::Inner(node) => Self { first: None, above: vec![node.children.iter()] },
        }
    }
}

impl<'a, P: Page> Iterator for Pages<'a, P> {
    type Item = &'a P;

    fn next(&mut self) -> Option<&'a P> {
        if let Some(page) = self.first.take() {
            return Some(page);
        }
        loop {
            match self.above.last_mut()?.next() {
                None => {
                    self.above.pop();
                }
                Some(child) => match &child.link {
                    Link::Page(page) => return Some(page),
                    Link::Inner(node) => self.above.push(node.children.iter()),
                },
            }
        }
    }
}
