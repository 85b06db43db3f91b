//! Walks over the members of an ordered tree, in both directions.

use std::ops::Range;

use smallvec::SmallVec;

use super::inner::Inner;
use super::page::Page;
use super::{Child, Item};

/// Levels of a tree with billions of members.
const LEVELS_MANY: usize = 8;

/// Members in order, or in reverse.
#[derive(Clone)]
pub struct Iter<'a> {
    /// The nodes above the page, each with the child that the walk is in.
    path: SmallVec<[(&'a Inner, usize); LEVELS_MANY]>,
    page: Option<&'a Page>,
    /// Of the next member; behind the end, or at zero when going back, the next page comes.
    index: usize,
    remaining: usize,
    is_backward: bool,
}

impl<'a> Iter<'a> {
    pub(super) fn forward(root: &'a Child, ranks: Range<usize>) -> Self {
        Self::new(root, ranks.start, ranks.len(), false)
    }

    pub(super) fn backward(root: &'a Child, ranks: Range<usize>) -> Self {
        let mut iter = Self::new(root, ranks.end.saturating_sub(1), ranks.len(), true);
        // Going back, `index` is the end of what is left of the page.
        iter.index += 1;
        iter
    }

    fn new(root: &'a Child, rank: usize, remaining: usize, is_backward: bool) -> Self {
        let mut iter = Self { path: SmallVec::new(), page: None, index: 0, remaining, is_backward };
        if remaining != 0 {
            iter.descend(root, |inner, rank| inner.select(rank), rank);
        }
        iter
    }

    /// Goes down to a page, and remembers the way.
    fn descend(
        &mut self,
        child: &'a Child,
        choose: impl Fn(&Inner, usize) -> (usize, usize),
        rank: usize,
    ) {
        let (mut child, mut rank) = (child, rank);
        loop {
            match child {
                Child::Page(page) => {
                    (self.page, self.index) = (Some(page), rank);
                    return;
                }
                Child::Inner(inner) => {
                    let (index, rest) = choose(inner, rank);
                    self.path.push((inner, index));
                    (child, rank) = (inner.child(index), rest);
                }
            }
        }
    }

    /// Goes on to the page behind this one, or before it.
    fn step(&mut self) {
        while let Some((inner, index)) = self.path.pop() {
            if self.is_backward {
                if index != 0 {
                    self.path.push((inner, index - 1));
                    self.descend(inner.child(index - 1), |inner, _| (inner.len() - 1, 0), 0);
                    self.index = self.page.map_or(0, Page::len);
                    return;
                }
            } else if index + 1 < inner.len() {
                self.path.push((inner, index + 1));
                self.descend(inner.child(index + 1), |_, _| (0, 0), 0);
                return;
            }
        }
        self.page = None;
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = Item<'a>;

    #[inline]
    fn next(&mut self) -> Option<Item<'a>> {
        self.remaining = self.remaining.checked_sub(1)?;
        if self.is_backward {
            if self.index == 0 {
                self.step();
            }
            self.index -= 1;
            return Some(self.page?.item(self.index));
        }
        if self.page?.len() <= self.index {
            self.step();
        }
        self.index += 1;
        Some(self.page?.item(self.index - 1))
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.remaining, Some(self.remaining))
    }
}

impl ExactSizeIterator for Iter<'_> {}
