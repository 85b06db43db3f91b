//! Rubble: values that nobody needs any more, freed piece by piece.
//!
//! Dropping a value of ten million elements takes the better part of a second. Whoever does it wants
//! to look up now and then: to let others have the core, or to stop because the process ends. So
//! every large form knows how to *crumble*: it frees its topmost node and leaves what hung below it
//! as further parts. A part stands for one node with its pages: a few hundred allocations at most.
//!
//! The parts are kept as a stack, so that a tree is taken down one branch after the other and no more
//! than a path of it, with the siblings beside that, is waiting.
//!
//! A node that a frozen view shares stays as it is, and is freed with the view.

use super::entry::Entry;

/// Something that is freed in steps.
pub trait Part: Send {
    /// Frees a piece of it, and leaves the rest.
    fn crumble(self: Box<Self>, rubble: &mut Rubble);
}

/// Parts of values that wait to be freed. Dropping it frees all of them.
#[derive(Default)]
pub struct Rubble {
    parts: Vec<Box<dyn Part>>,
}

impl Rubble {
    /// Adds a part.
    pub fn add(&mut self, part: impl Part + 'static) {
        self.put_back(Box::new(part));
    }

    /// Adds a part that is not done yet.
    pub fn put_back(&mut self, part: Box<dyn Part>) {
        self.parts.push(part);
    }

    /// Frees one piece; says whether there are more.
    pub fn clear_some(&mut self) -> bool {
        if let Some(part) = self.parts.pop() {
            part.crumble(self);
        }
        !self.parts.is_empty()
    }
}

impl Part for Entry {
    fn crumble(self: Box<Self>, rubble: &mut Rubble) {
        Self::crumble(*self, rubble);
    }
}

impl std::fmt::Debug for Rubble {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Rubble").field("parts", &self.parts.len()).finish()
    }
}

#[cfg(test)]
mod tests;
