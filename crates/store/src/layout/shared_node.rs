//! Nodes of large values: reference-counted, copied by whoever changes one that is shared.
//!
//! Every large form is a tree of such nodes, each at most a few KiB. To *freeze* a value is to clone
//! its root: the frozen view and the value share all nodes, in constant time. A writer that meets a
//! shared node copies it and goes on in the copy, so it copies the path from the root to the place
//! of its change, once per freeze, and the view never changes. The reference count is thus the
//! node's generation, and a node that nobody else holds costs one relaxed load more than a box.

use std::ops::Deref;

use triomphe::Arc;

/// A node that frozen views may share.
#[derive(Debug, Default)]
pub struct Node<T>(Arc<T>);

impl<T> Node<T> {
    /// A node of one's own.
    pub fn new(content: T) -> Self {
        Self(Arc::new(content))
    }

    /// Whether a frozen view (or the value, if this is the view) holds it too.
    pub fn is_shared(&self) -> bool {
        !self.0.is_unique()
    }

    /// The content if nobody else holds the node.
    #[inline]
    pub fn content_mut(&mut self) -> Option<&mut T> {
        Arc::get_mut(&mut self.0)
    }
}

impl<T: Clone> Node<T> {
    /// The content, to change it: copied first if the node is shared.
    #[inline]
    pub fn make_mut(&mut self) -> &mut T {
        Arc::make_mut(&mut self.0)
    }

    /// The content by value: copied if the node is shared.
    pub fn into_inner(self) -> T {
        Arc::try_unwrap(self.0).unwrap_or_else(|shared| T::clone(&shared))
    }
}

impl<T> Clone for Node<T> {
    /// Shares the node.
    #[inline]
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Deref for Node<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::Node;

    #[test]
    fn a_frozen_view_keeps_what_it_has() {
        let mut root = Node::new(vec![Node::new(1), Node::new(2)]);
        let frozen = root.clone();
        assert!(root.is_shared());
        *root.make_mut()[0].make_mut() = 9;
        assert!(!root.is_shared());
        assert_eq!((*root[0], *root[1]), (9, 2));
        assert_eq!((*frozen[0], *frozen[1]), (1, 2));
        assert!(root[1].is_shared(), "what did not change is not copied");
        drop(frozen);
        assert!(root.make_mut()[1].content_mut().is_some());
    }
}
