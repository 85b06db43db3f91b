//! An ordered map in shared nodes: a B+ tree whose clone is a freeze.
//!
//! Streams grow at one end and shrink at the other, so a page that is split because of its last
//! item stays full, and the new page begins with that item alone: appended keys fill every page.
//! A page that runs empty goes; neighbours that would fit into half a page are joined.
//!
//! A branch holds, beside each child, a key that is no greater than any key of the child (its first
//! child takes whatever is smaller). Removals do not touch these keys.

use std::borrow::Borrow;

use smallvec::SmallVec;

use crate::layout::rubble::{Part, Rubble};
use crate::layout::shared_node::Node;
use crate::layout::size_class::size_class;

/// Most items of a page.
const PAGE_LEN_MAX: usize = 64;
/// Neighbours are joined when they have no more items than this together.
const JOINED_LEN_MAX: usize = PAGE_LEN_MAX / 2;

/// An ordered map.
#[derive(Clone, Debug)]
pub(super) struct Tree<K, V> {
    root: Option<Node<Page<K, V>>>,
    len: usize,
    bytes: usize,
}

/// Items, or pages with their lower bounds.
#[derive(Clone, Debug)]
enum Page<K, V> {
    Branch { bounds: Vec<K>, children: Vec<Node<Self>> },
    Leaf { keys: Vec<K>, values: Vec<V> },
}

impl<K, V> Default for Tree<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K, V> Tree<K, V> {
    /// An empty map.
    pub(super) const fn new() -> Self {
        Self { root: None, len: 0, bytes: 0 }
    }

    /// Number of items.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes allocated for its pages; what its items own is not counted.
    pub(super) fn memory_bytes(&self) -> usize {
        self.bytes
    }
}

/// What a tree may hold: something that may have trees of its own.
pub(super) trait Crumbling: Send + Sync + 'static {
    /// Frees it, but for what takes long.
    fn crumble(self, rubble: &mut Rubble);
}

impl Crumbling for () {
    fn crumble(self, _rubble: &mut Rubble) {}
}

impl<K: Send + Sync + 'static, V: Crumbling> Tree<K, V> {
    /// Frees it, but for what takes long.
    pub(super) fn crumble(self, rubble: &mut Rubble) {
        if let Some(root) = self.root {
            rubble.add(root);
        }
    }
}

impl<K: Send + Sync + 'static, V: Crumbling> Part for Node<Page<K, V>> {
    fn crumble(mut self: Box<Self>, rubble: &mut Rubble) {
        match self.content_mut() {
            None => {}
            Some(Page::Branch { children, .. }) => {
                children.drain(..).for_each(|child| rubble.add(child));
            }
            Some(Page::Leaf { values, .. }) => {
                values.drain(..).for_each(|value| value.crumble(rubble));
            }
        }
    }
}

impl<K: Ord + Clone, V: Clone> Tree<K, V> {
    /// Puts a value at a key; the value that was there comes back.
    pub(super) fn insert(&mut self, key: K, value: V) -> Option<V> {
        let Some(root) = &mut self.root else {
            let page = Page::Leaf { keys: vec![key], values: vec![value] };
            self.bytes = page.bytes();
            self.root = Some(Node::new(page));
            self.len = 1;
            return None;
        };
        let mut inserted = Inserted { old: None, bytes_before: 0, bytes_after: 0 };
        if let Some((bound, right)) = insert(root, key, value, &mut inserted) {
            let first = root.lowest().clone();
            let page =
                Page::Branch { bounds: vec![first, bound], children: vec![root.clone(), right] };
            inserted.bytes_after += page.bytes();
            *root = Node::new(page);
        }
        self.len += usize::from(inserted.old.is_none());
        self.bytes = self.bytes + inserted.bytes_after - inserted.bytes_before;
        inserted.old
    }

    /// Takes the value at a key away.
    pub(super) fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        // A miss must not copy what is shared.
        self.get(key)?;
        let root = self.root.as_mut()?;
        let (mut before, mut after) = (0, 0);
        let value = remove(root, key, &mut before, &mut after);
        while let Page::Branch { children, .. } = &**root
            && children.len() == 1
        {
            after -= root.bytes();
            let only = children[0].clone();
            *root = only;
        }
        if root.len() == 0 {
            after -= root.bytes();
            self.root = None;
        }
        self.bytes = (self.bytes + after) - before;
        self.len -= 1;
        Some(value)
    }

    /// The value at a key, to change it.
    pub(super) fn value_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let Self { root, bytes, .. } = self;
        let mut page = root.as_mut()?;
        loop {
            match own(page, bytes) {
                Page::Leaf { keys, values } => {
                    let index = keys.binary_search_by(|k| k.borrow().cmp(key)).ok()?;
                    return values.get_mut(index);
                }
                Page::Branch { bounds, children } => {
                    let index = child_index(bounds, key);
                    page = &mut children[index];
                }
            }
        }
    }

    /// The value at the greatest key, to change it.
    #[inline]
    pub(super) fn last_mut(&mut self) -> Option<&mut V> {
        let Self { root, bytes, .. } = self;
        let mut page = root.as_mut()?;
        loop {
            match own(page, bytes) {
                Page::Leaf { values, .. } => return values.last_mut(),
                Page::Branch { children, .. } => page = children.last_mut()?,
            }
        }
    }
}

impl<K: Ord, V> Tree<K, V> {
    /// The value at a key.
    pub(super) fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let mut page = self.root.as_ref()?;
        loop {
            match &**page {
                Page::Leaf { keys, values } => {
                    let index = keys.binary_search_by(|k| k.borrow().cmp(key)).ok()?;
                    return values.get(index);
                }
                Page::Branch { bounds, children } => page = &children[child_index(bounds, key)],
            }
        }
    }

    /// The item with the least key.
    pub(super) fn first(&self) -> Option<(&K, &V)> {
        self.iter().next()
    }

    /// The item with the greatest key.
    pub(super) fn last(&self) -> Option<(&K, &V)> {
        let mut page = self.root.as_ref()?;
        loop {
            match &**page {
                Page::Leaf { keys, values } => return keys.last().zip(values.last()),
                Page::Branch { children, .. } => page = children.last()?,
            }
        }
    }

    /// The item with the greatest key that is not above `key`.
    pub(super) fn floor<Q: Ord + ?Sized>(&self, key: &Q) -> Option<(&K, &V)>
    where
        K: Borrow<Q>,
    {
        self.down_from(key).next()
    }

    /// All items in order.
    pub(super) fn iter(&self) -> Ascending<'_, K, V> {
        let mut ascending = Ascending { stack: SmallVec::new() };
        if let Some(root) = &self.root {
            ascending.descend(root);
        }
        ascending
    }

    /// The items whose keys are not below `key`, in order.
    pub(super) fn up_from<Q: Ord + ?Sized>(&self, key: &Q) -> Ascending<'_, K, V>
    where
        K: Borrow<Q>,
    {
        let mut stack = SmallVec::new();
        let mut next = self.root.as_deref();
        while let Some(page) = next {
            let index = page.index_of(key);
            stack.push((page, index));
            next = page.child(index);
        }
        Ascending { stack }
    }

    /// The items whose keys are not above `key`, in reverse order.
    pub(super) fn down_from<Q: Ord + ?Sized>(&self, key: &Q) -> Descending<'_, K, V>
    where
        K: Borrow<Q>,
    {
        let mut stack = SmallVec::new();
        let mut next = self.root.as_deref();
        while let Some(page) = next {
            match page {
                Page::Leaf { keys, .. } => {
                    stack.push((page, keys.partition_point(|k| k.borrow() <= key)));
                    break;
                }
                Page::Branch { bounds, .. } => {
                    let index = child_index(bounds, key);
                    stack.push((page, index));
                    next = page.child(index);
                }
            }
        }
        Descending { stack }
    }

    /// Checks all that must hold.
    ///
    /// # Panics
    /// If something does not.
    pub(super) fn check_invariants(&self) {
        let (mut len, mut bytes) = (0, 0);
        if let Some(root) = &self.root {
            assert!(0 < root.len());
            check(root, None, None, &mut len, &mut bytes);
        }
        assert_eq!(len, self.len);
        assert_eq!(bytes, self.bytes);
    }
}

impl<K, V> Page<K, V> {
    fn len(&self) -> usize {
        match self {
            Self::Branch { children, .. } => children.len(),
            Self::Leaf { keys, .. } => keys.len(),
        }
    }

    /// Bytes allocated for the page: the node with its count, and the lists.
    fn bytes(&self) -> usize {
        let lists = match self {
            Self::Branch { bounds, children } => {
                list_bytes::<K>(bounds.capacity()) + list_bytes::<Node<Self>>(children.capacity())
            }
            Self::Leaf { keys, values } => {
                list_bytes::<K>(keys.capacity()) + list_bytes::<V>(values.capacity())
            }
        };
        size_class(size_of::<usize>() + size_of::<Self>()) + lists
    }

    fn child(&self, index: usize) -> Option<&Self> {
        match self {
            Self::Branch { children, .. } => children.get(index).map(|child| &**child),
            Self::Leaf { .. } => None,
        }
    }

    /// The least key of a leaf, or a key that is not above it.
    fn lowest(&self) -> &K {
        match self {
            Self::Branch { bounds, .. } => &bounds[0],
            Self::Leaf { keys, .. } => &keys[0],
        }
    }
}

impl<K: Ord, V> Page<K, V> {
    /// Where the first item that is not below `key` is, or the child in which it may be.
    fn index_of<Q: Ord + ?Sized>(&self, key: &Q) -> usize
    where
        K: Borrow<Q>,
    {
        match self {
            Self::Branch { bounds, .. } => child_index(bounds, key),
            Self::Leaf { keys, .. } => keys.partition_point(|k| k.borrow() < key),
        }
    }
}

fn list_bytes<T>(capacity: usize) -> usize {
    if capacity == 0 || size_of::<T>() == 0 { 0 } else { size_class(capacity * size_of::<T>()) }
}

/// Which child a key belongs to.
fn child_index<K: Borrow<Q>, Q: Ord + ?Sized>(bounds: &[K], key: &Q) -> usize {
    bounds[1..].partition_point(|bound| bound.borrow() <= key)
}

/// The content of a node, to change it; copied first if it is shared. A copy has no spare room.
#[inline]
fn own<'a, K: Clone, V: Clone>(
    node: &'a mut Node<Page<K, V>>,
    bytes: &mut usize,
) -> &'a mut Page<K, V> {
    if !node.is_shared() {
        return node.make_mut();
    }
    *bytes -= node.bytes();
    let page = node.make_mut();
    *bytes += page.bytes();
    page
}

/// What an insertion did.
struct Inserted<V> {
    old: Option<V>,
    bytes_before: usize,
    bytes_after: usize,
}

/// Inserts below `node`; a page that it had to split off comes back with its lower bound.
fn insert<K: Ord + Clone, V: Clone>(
    node: &mut Node<Page<K, V>>,
    key: K,
    value: V,
    inserted: &mut Inserted<V>,
) -> Option<(K, Node<Page<K, V>>)> {
    inserted.bytes_before += node.bytes();
    let page = node.make_mut();
    let split = match page {
        Page::Leaf { keys, values } => match keys.binary_search(&key) {
            Ok(index) => {
                inserted.old = Some(std::mem::replace(&mut values[index], value));
                None
            }
            Err(index) => insert_item(keys, values, index, key, value)
                .map(|(keys, values)| (keys[0].clone(), Page::Leaf { keys, values })),
        },
        Page::Branch { bounds, children } => {
            let index = child_index(bounds, &key);
            insert(&mut children[index], key, value, inserted).and_then(|(bound, right)| {
                let (bounds, children) = insert_item(bounds, children, index + 1, bound, right)?;
                Some((bounds[0].clone(), Page::Branch { bounds, children }))
            })
        }
    };
    inserted.bytes_after += page.bytes();
    split.map(|(bound, right)| {
        inserted.bytes_after += right.bytes();
        (bound, Node::new(right))
    })
}

/// Inserts at a place of two parallel lists; what does not fit any more comes back as lists of its
/// own. After the last item of a full page that is the new item alone.
fn insert_item<A, B>(
    keys: &mut Vec<A>,
    values: &mut Vec<B>,
    index: usize,
    key: A,
    value: B,
) -> Option<(Vec<A>, Vec<B>)> {
    if keys.len() < PAGE_LEN_MAX {
        keys.insert(index, key);
        values.insert(index, value);
        return None;
    }
    if index == keys.len() {
        return Some((vec![key], vec![value]));
    }
    let half = PAGE_LEN_MAX / 2;
    let (mut right_keys, mut right_values) = (keys.split_off(half), values.split_off(half));
    if index <= half {
        keys.insert(index, key);
        values.insert(index, value);
    } else {
        right_keys.insert(index - half, key);
        right_values.insert(index - half, value);
    }
    Some((right_keys, right_values))
}

/// Removes a key that is there.
fn remove<K: Ord + Clone + Borrow<Q>, Q: Ord + ?Sized, V: Clone>(
    node: &mut Node<Page<K, V>>,
    key: &Q,
    before: &mut usize,
    after: &mut usize,
) -> V {
    *before += node.bytes();
    let page = node.make_mut();
    let value = match page {
        Page::Leaf { keys, values } => {
            let found = keys.binary_search_by(|k| k.borrow().cmp(key));
            let index = found.expect("the caller has looked the key up");
            keys.remove(index);
            values.remove(index)
        }
        Page::Branch { bounds, children } => {
            let index = child_index(bounds, key);
            let value = remove(&mut children[index], key, before, after);
            if children[index].len() == 0 {
                *after -= children[index].bytes();
                children.remove(index);
                bounds.remove(index);
            } else {
                join(bounds, children, index, before, after);
            }
            value
        }
    };
    *after += page.bytes();
    value
}

/// Joins a page that has become small with a neighbour, if that is small too.
fn join<K: Clone, V: Clone>(
    bounds: &mut Vec<K>,
    children: &mut Vec<Node<Page<K, V>>>,
    index: usize,
    before: &mut usize,
    after: &mut usize,
) {
    let fits = |left: usize| {
        left + 1 < children.len()
            && children[left].len() + children[left + 1].len() <= JOINED_LEN_MAX
    };
    let left = match index.checked_sub(1) {
        Some(left) if fits(left) => left,
        _ if fits(index) => index,
        _ => return,
    };
    *before += children[left].bytes() + children[left + 1].bytes();
    let right = children.remove(left + 1).into_inner();
    bounds.remove(left + 1);
    match (children[left].make_mut(), right) {
        (Page::Leaf { keys, values }, Page::Leaf { keys: more_keys, values: more_values }) => {
            keys.extend(more_keys);
            values.extend(more_values);
        }
        (
            Page::Branch { bounds, children },
            Page::Branch { bounds: more_bounds, children: more_children },
        ) => {
            bounds.extend(more_bounds);
            children.extend(more_children);
        }
        _ => unreachable!("the children of a branch are of one height"),
    }
    *after += children[left].bytes();
}

fn check<K: Ord, V>(
    page: &Page<K, V>,
    low: Option<&K>,
    high: Option<&K>,
    len: &mut usize,
    bytes: &mut usize,
) -> usize {
    *bytes += page.bytes();
    assert!(page.len() <= PAGE_LEN_MAX);
    match page {
        Page::Leaf { keys, values } => {
            assert_eq!(keys.len(), values.len());
            assert!(!keys.is_empty());
            assert!(keys.is_sorted_by(|a, b| a < b));
            assert!(low.is_none_or(|low| *low <= keys[0]));
            assert!(high.is_none_or(|high| keys[keys.len() - 1] < *high));
            *len += keys.len();
            1
        }
        Page::Branch { bounds, children } => {
            assert_eq!(bounds.len(), children.len());
            assert!(bounds[1..].is_sorted_by(|a, b| a < b));
            let mut heights = children.iter().enumerate().map(|(index, child)| {
                let low = if index == 0 { low } else { Some(&bounds[index]) };
                check(child, low, bounds.get(index + 1).or(high), len, bytes)
            });
            let height = heights.next().expect("a branch has children");
            assert!(heights.all(|other| other == height));
            height + 1
        }
    }
}

/// Items in order.
#[derive(Debug)]
pub(super) struct Ascending<'a, K, V> {
    /// The pages from the root to a leaf: in a branch the child that is on the way, in the leaf
    /// the next item.
    stack: SmallVec<[(&'a Page<K, V>, usize); 4]>,
}

impl<'a, K, V> Ascending<'a, K, V> {
    fn descend(&mut self, page: &'a Page<K, V>) {
        let mut next = Some(page);
        while let Some(page) = next {
            self.stack.push((page, 0));
            next = page.child(0);
        }
    }
}

impl<'a, K, V> Iterator for Ascending<'a, K, V> {
    type Item = (&'a K, &'a V);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (page, index) = self.stack.last_mut()?;
            let page: &'a Page<K, V> = page;
            match page {
                Page::Leaf { keys, values } if *index < keys.len() => {
                    *index += 1;
                    return Some((&keys[*index - 1], &values[*index - 1]));
                }
                Page::Branch { children, .. } if *index + 1 < children.len() => {
                    *index += 1;
                    let child = &children[*index];
                    self.descend(child);
                }
                _ => {
                    self.stack.pop();
                }
            }
        }
    }
}

/// Items in reverse order.
#[derive(Debug)]
pub(super) struct Descending<'a, K, V> {
    /// As in [`Ascending`]; in the leaf the item after the next one.
    stack: SmallVec<[(&'a Page<K, V>, usize); 4]>,
}

impl<'a, K, V> Descending<'a, K, V> {
    fn descend(&mut self, page: &'a Page<K, V>) {
        let mut next = Some(page);
        while let Some(page) = next {
            match page {
                Page::Leaf { keys, .. } => {
                    self.stack.push((page, keys.len()));
                    return;
                }
                Page::Branch { children, .. } => {
                    self.stack.push((page, children.len() - 1));
                    next = page.child(children.len() - 1);
                }
            }
        }
    }
}

impl<'a, K, V> Iterator for Descending<'a, K, V> {
    type Item = (&'a K, &'a V);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (page, index) = self.stack.last_mut()?;
            let page: &'a Page<K, V> = page;
            match page {
                _ if *index == 0 => {
                    self.stack.pop();
                }
                Page::Leaf { keys, values } => {
                    *index -= 1;
                    return Some((&keys[*index], &values[*index]));
                }
                Page::Branch { children, .. } => {
                    *index -= 1;
                    let child = &children[*index];
                    self.descend(child);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Call {
        Append(u16),
        Freeze,
        Insert(u16),
        Remove(u16),
        RemoveFirst(u16),
        Set(u16),
    }

    fn call() -> impl Strategy<Value = Call> {
        prop_oneof![
            4 => (1..200_u16).prop_map(Call::Append),
            1 => Just(Call::Freeze),
            8 => any::<u16>().prop_map(Call::Insert),
            8 => any::<u16>().prop_map(Call::Remove),
            3 => (1..200_u16).prop_map(Call::RemoveFirst),
            2 => any::<u16>().prop_map(Call::Set),
        ]
    }

    fn assert_same(tree: &Tree<u32, u32>, twin: &BTreeMap<u32, u32>) {
        tree.check_invariants();
        assert_eq!(tree.len(), twin.len());
        assert!(tree.iter().eq(twin.iter()));
        assert_eq!(tree.first(), twin.first_key_value());
        assert_eq!(tree.last(), twin.last_key_value());
        for key in [0, 100, 5000, 40_000, 70_000, u32::MAX] {
            assert_eq!(tree.get(&key), twin.get(&key));
            assert_eq!(tree.floor(&key), twin.range(..=key).next_back());
            assert!(tree.up_from(&key).eq(twin.range(key..)));
            assert!(tree.down_from(&key).eq(twin.range(..=key).rev()));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 200 }))]

        #[test]
        fn calls_agree_with_a_twin(calls in proptest::collection::vec(call(), 1..150)) {
            let (mut tree, mut twin) = (Tree::new(), BTreeMap::new());
            let mut frozen: Vec<(Tree<u32, u32>, BTreeMap<u32, u32>)> = Vec::new();
            for (round, call) in calls.into_iter().enumerate() {
                let value = round as u32;
                match call {
                    Call::Append(count) => for _ in 0..count {
                        let key = twin.last_key_value().map_or(0, |(key, _)| key + 1);
                        prop_assert_eq!(tree.insert(key, value), twin.insert(key, value));
                    },
                    Call::Freeze => frozen.push((tree.clone(), twin.clone())),
                    Call::Insert(key) => {
                        let key = u32::from(key);
                        prop_assert_eq!(tree.insert(key, value), twin.insert(key, value));
                    }
                    Call::Remove(key) => {
                        let place = twin.range(u32::from(key)..).next().map(|(key, _)| *key);
                        let key = place.unwrap_or_else(|| u32::from(key));
                        prop_assert_eq!(tree.remove(&key), twin.remove(&key));
                    }
                    Call::RemoveFirst(count) => for _ in 0..count {
                        let key = tree.first().map(|(key, _)| *key);
                        let removed = key.and_then(|key| Some((key, tree.remove(&key)?)));
                        prop_assert_eq!(removed, twin.pop_first());
                    },
                    Call::Set(key) => {
                        let key = twin.range(u32::from(key)..).next().map_or(0, |(key, _)| *key);
                        if let Some(own) = tree.value_mut(&key) {
                            *own = value;
                        }
                        twin.entry(key).and_modify(|own| *own = value);
                        if let Some(own) = tree.last_mut() {
                            *own += 1;
                            *twin.last_entry().unwrap().get_mut() += 1;
                        }
                    }
                }
                assert_same(&tree, &twin);
            }
            for (tree, twin) in &frozen {
                assert_same(tree, twin);
            }
        }
    }

    #[test]
    fn appended_keys_fill_their_pages() {
        let mut tree = Tree::new();
        for key in 0..10_000_u64 {
            tree.insert(key, key);
        }
        assert!(tree.memory_bytes() < 10_000 * 18);
        tree.check_invariants();
    }
}
