//! The inner chunks of a list: a counted tree of shared nodes.
//!
//! ```text
//!            branch: | 4711 elements | 3980 elements | … |        up to 32 children
//!                           │               │
//!                        branch           branch                  all chunks equally deep
//!                        │  │  │          │  │  │
//!                     chunk chunk …     chunk chunk …
//! ```
//!
//! A child is kept with its number of elements and its bytes, so an element is found by its index in
//! one descent, O(log chunks), and the measure of the whole is known at the root. A writer copies
//! the nodes on its path that a frozen view shares, and no others.
//!
//! Chunks are added and taken away at the two ends most of the time: a branch that is full there is
//! not split but gets a neighbour, so that a list which only grows has full branches. A branch is
//! only split in the middle. Branches that have become small are left alone; empty ones go.

use super::End;
use super::chunk::Chunk;
use crate::layout::rubble::{Part, Rubble};
use crate::layout::shared_node::Node;
use crate::layout::size_class::size_class;

/// Most children of a branch: 1 KiB, so that copying one is cheap.
const CHILDREN_MAX: usize = 32;

/// Chunks in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Tree {
    /// A child without a parent.
    root: Option<Child>,
}

#[derive(Clone, Debug)]
struct Child {
    /// Elements below it.
    len: usize,
    /// Bytes allocated for it and below it.
    bytes: usize,
    link: Link,
}

#[derive(Clone, Debug)]
enum Link {
    Branch(Node<Branch>),
    Chunk(Node<Chunk>),
}

#[derive(Clone, Debug)]
struct Branch {
    children: Vec<Child>,
}

impl Tree {
    /// Number of elements.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.root.as_ref().map_or(0, |root| root.len)
    }

    /// Bytes that are allocated for all of it.
    pub(super) fn memory_bytes(&self) -> usize {
        self.root.as_ref().map_or(0, |root| root.bytes)
    }

    /// The chunk that holds element `index`, and the element's index in it.
    pub(super) fn locate(&self, index: usize) -> (&Chunk, usize) {
        let mut link = &self.root.as_ref().expect("there is such an element").link;
        let mut index = index;
        loop {
            match link {
                Link::Chunk(chunk) => return (chunk, index),
                Link::Branch(branch) => {
                    let place = branch.place_of(&mut index);
                    link = &branch.children[place].link;
                }
            }
        }
    }

    /// Adds a chunk.
    pub(super) fn push(&mut self, end: End, chunk: Node<Chunk>) {
        let child = Child::chunk(chunk);
        let Some(root) = &mut self.root else {
            self.root = Some(child);
            return;
        };
        let sibling = match &root.link {
            Link::Chunk(_) => Some(child),
            Link::Branch(_) => root.push(end, child),
        };
        if let Some(sibling) = sibling {
            self.add_level(end, sibling);
        }
    }

    /// Takes the chunk at one end out.
    pub(super) fn pop(&mut self, end: End) -> Option<Node<Chunk>> {
        let root = self.root.as_mut()?;
        let chunk = match &mut root.link {
            Link::Chunk(_) => match self.root.take()?.link {
                Link::Chunk(chunk) => chunk,
                Link::Branch(_) => unreachable!("it has just been looked at"),
            },
            Link::Branch(_) => root.pop(end),
        };
        self.lower();
        Some(chunk)
    }

    /// Takes `count` elements at one end away, whole chunks without looking into them.
    pub(super) fn trim(&mut self, end: End, count: usize) {
        let Some(root) = &mut self.root else { return };
        if root.len <= count {
            self.root = None;
            return;
        }
        root.trim(end, count);
        self.lower();
    }

    /// Lets `edit` change the chunk that holds element `index`: it gets the chunk, the element's
    /// index in it, and a place for chunks that shall follow. An empty chunk goes.
    pub(super) fn edit(
        &mut self,
        index: usize,
        edit: impl FnOnce(&mut Node<Chunk>, usize, &mut Vec<Node<Chunk>>),
    ) {
        let root = self.root.as_mut().expect("there is such an element");
        let siblings = root.edit(index, edit);
        if root.len == 0 {
            self.root = None;
        }
        for sibling in siblings {
            self.add_level(End::Tail, sibling);
        }
        self.lower();
    }

    /// Frees it, but for what takes long.
    pub(super) fn crumble(self, rubble: &mut Rubble) {
        if let Some(Child { link: Link::Branch(branch), .. }) = self.root {
            rubble.add(branch);
        }
    }

    /// Puts a child beside the root, as deep as the root is.
    fn add_level(&mut self, end: End, sibling: Child) {
        let Some(root) = self.root.take() else {
            self.root = Some(sibling);
            return;
        };
        // A root that was made for the sibling before is only one level higher.
        if let Link::Branch(branch) = &root.link
            && branch.children[0].depth() == sibling.depth()
        {
            let mut root = root;
            let branch = root.branch_mut();
            match end {
                End::Head => branch.children.insert(0, sibling),
                End::Tail => branch.children.push(sibling),
            }
            root.measure();
            self.root = Some(root);
            return;
        }
        let children = match end {
            End::Head => vec![sibling, root],
            End::Tail => vec![root, sibling],
        };
        self.root = Some(Child::branch(children));
    }

    /// A root with one child is not needed.
    fn lower(&mut self) {
        while let Some(Child { link: Link::Branch(branch), .. }) = &self.root
            && branch.children.len() == 1
        {
            self.root = Some(branch.children[0].clone());
        }
    }

    #[cfg(test)]
    pub(super) fn check_invariants(&self) {
        if let Some(root) = &self.root {
            if let Link::Branch(branch) = &root.link {
                assert!(1 < branch.children.len());
            }
            root.check_invariants();
        }
    }
}

impl Part for Node<Branch> {
    fn crumble(mut self: Box<Self>, rubble: &mut Rubble) {
        let Some(branch) = self.content_mut() else { return };
        for child in branch.children.drain(..) {
            if let Link::Branch(below) = child.link {
                rubble.add(below);
            }
        }
    }
}

impl Child {
    fn chunk(chunk: Node<Chunk>) -> Self {
        let (len, bytes) = (chunk.len(), chunk.memory_bytes());
        Self { len, bytes, link: Link::Chunk(chunk) }
    }

    fn branch(children: Vec<Self>) -> Self {
        let link = Link::Branch(Node::new(Branch { children }));
        let mut child = Self { len: 0, bytes: 0, link };
        child.measure();
        child
    }

    /// Adds a chunk below this branch. What does not fit comes back, as deep as this is.
    fn push(&mut self, end: End, child: Self) -> Option<Self> {
        let branch = self.branch_mut();
        let edge = branch.edge_mut(end);
        let child = match &edge.link {
            Link::Branch(_) => edge.push(end, child),
            Link::Chunk(_) => Some(child),
        };
        if let Some(child) = child {
            if CHILDREN_MAX <= branch.children.len() {
                // A copy that was just made of a shared branch may be smaller than the branch was.
                self.measure();
                return Some(Self::branch(vec![child]));
            }
            match end {
                End::Head => branch.children.insert(0, child),
                End::Tail => branch.children.push(child),
            }
        }
        self.measure();
        None
    }

    /// Takes the chunk at one end of this branch out.
    fn pop(&mut self, end: End) -> Node<Chunk> {
        let branch = self.branch_mut();
        let edge = branch.edge_mut(end);
        let chunk = match &edge.link {
            Link::Branch(_) => edge.pop(end),
            Link::Chunk(chunk) => {
                let chunk = chunk.clone();
                edge.len = 0;
                chunk
            }
        };
        if edge.len == 0 {
            branch.remove_edges(end, 1);
        }
        self.measure();
        chunk
    }

    /// Takes some, not all, elements at one end away.
    fn trim(&mut self, end: End, count: usize) {
        match &mut self.link {
            Link::Chunk(chunk) => chunk.make_mut().trim(end, count),
            Link::Branch(branch) => {
                let branch = branch.make_mut();
                let (mut whole, mut left) = (0, count);
                while let Some(edge) = branch.edge_at(end, whole)
                    && edge.len <= left
                {
                    left -= edge.len;
                    whole += 1;
                }
                branch.remove_edges(end, whole);
                if 0 < left {
                    branch.edge_mut(end).trim(end, left);
                }
            }
        }
        self.measure();
    }

    /// As [`Tree::edit`]; children that shall follow this one come back.
    fn edit(
        &mut self,
        index: usize,
        edit: impl FnOnce(&mut Node<Chunk>, usize, &mut Vec<Node<Chunk>>),
    ) -> Vec<Self> {
        let mut siblings = Vec::new();
        match &mut self.link {
            Link::Chunk(chunk) => {
                let mut chunks = Vec::new();
                edit(chunk, index, &mut chunks);
                siblings.extend(chunks.into_iter().map(Self::chunk));
            }
            Link::Branch(branch) => {
                let branch = branch.make_mut();
                let mut index = index;
                let place = branch.place_of(&mut index);
                let added = branch.children[place].edit(index, edit);
                branch.children.splice(place + 1..place + 1, added);
                if branch.children[place].len == 0 {
                    branch.children.remove(place);
                }
                if CHILDREN_MAX < branch.children.len() {
                    let half = branch.children.len() / 2;
                    siblings.push(Self::branch(branch.children.split_off(half)));
                }
            }
        }
        self.measure();
        siblings
    }

    /// Counts again after a change below.
    fn measure(&mut self) {
        (self.len, self.bytes) = match &self.link {
            Link::Chunk(chunk) => (chunk.len(), chunk.memory_bytes()),
            Link::Branch(branch) => branch.measure(),
        };
    }

    fn branch_mut(&mut self) -> &mut Branch {
        match &mut self.link {
            Link::Branch(branch) => branch.make_mut(),
            Link::Chunk(_) => unreachable!("the caller has looked"),
        }
    }

    /// How many branches are above its chunks.
    fn depth(&self) -> usize {
        let (mut child, mut depth) = (self, 0);
        while let Link::Branch(branch) = &child.link {
            child = &branch.children[0];
            depth += 1;
        }
        depth
    }

    #[cfg(test)]
    fn check_invariants(&self) {
        assert!(0 < self.len);
        match &self.link {
            Link::Chunk(chunk) => {
                assert_eq!((self.len, self.bytes), (chunk.len(), chunk.memory_bytes()));
                if let Chunk::Packed(packed) = &**chunk {
                    packed.check_invariants();
                }
            }
            Link::Branch(branch) => {
                assert!((1..=CHILDREN_MAX).contains(&branch.children.len()));
                assert_eq!((self.len, self.bytes), branch.measure());
                for child in &branch.children {
                    assert_eq!(child.depth() + 1, self.depth());
                    child.check_invariants();
                }
            }
        }
    }
}

impl Branch {
    /// Which child holds element `index`, which becomes the index in that child.
    fn place_of(&self, index: &mut usize) -> usize {
        for (place, child) in self.children.iter().enumerate() {
            if *index < child.len {
                return place;
            }
            *index -= child.len;
        }
        unreachable!("a branch knows how many elements are below it")
    }

    fn edge_mut(&mut self, end: End) -> &mut Child {
        let edge = match end {
            End::Head => self.children.first_mut(),
            End::Tail => self.children.last_mut(),
        };
        edge.expect("no branch is empty")
    }

    /// Child number `index`, counted from one end.
    fn edge_at(&self, end: End, index: usize) -> Option<&Child> {
        match end {
            End::Head => self.children.get(index),
            End::Tail => self.children.iter().rev().nth(index),
        }
    }

    fn remove_edges(&mut self, end: End, count: usize) {
        match end {
            End::Head => drop(self.children.drain(..count)),
            End::Tail => self.children.truncate(self.children.len() - count),
        }
    }

    fn measure(&self) -> (usize, usize) {
        let own = size_class(size_of::<Self>() + 8)
            + size_class(self.children.capacity() * size_of::<Child>());
        let add = |(len, bytes), child: &Child| (len + child.len, bytes + child.bytes);
        self.children.iter().fold((0, own), add)
    }
}
