//! Where the value of a collection lies: packed bytes inside its entry while it is small, an object
//! of its own after that.
//!
//! Types are verbs over such a place. They are written once, for the entries of the keyspace and
//! for values that have no key yet (the result of a union, say), and know nothing of keys.
//!
//! An empty packed value has no bytes at all.

use std::ops::Range;

use super::entry::Kind;
use super::rubble::Rubble;

/// Longest packed value in bytes: the entry's header has 18 bits for it, and a longer one would be
/// slow to edit. Whatever the limits of a type say, a value that would grow above turns large.
pub const PACKED_LEN_MAX: usize = 128 << 10;

/// The large form of a kind of value; there is one for each kind.
///
/// `clone` is a *freeze*: it takes constant time and shares all nodes ([`super::shared_node`]).
pub trait Large: Clone + Send + Sync + 'static {
    /// The kind of value.
    const KIND: Kind;
    /// Whether a key stays when its value is empty.
    const KEEPS_EMPTY: bool = false;

    /// Number of elements, in either form.
    fn len(form: Form<'_, Self>) -> usize;

    /// Bytes that are allocated for it, nodes included, itself not.
    fn memory_bytes(&self) -> usize;

    /// Whether dropping it takes no longer than handing it to another thread.
    fn is_cheap_to_free(&self) -> bool;

    /// Frees it, but for what takes long: that is left as parts.
    fn crumble(self, rubble: &mut Rubble);

    /// When a part of it expires next, in Unix milliseconds.
    fn next_deadline_ms(&self) -> Option<u64> {
        None
    }

    /// Removes the parts whose time is up, and calls `gone` with each.
    fn purge_due(&mut self, _now_ms: u64, _gone: &mut dyn FnMut(&[u8])) {}

    /// Fetches what calls with these elements will look at into the cache. Where there are several,
    /// their cache misses overlap, which they do not when each call waits for its own.
    fn prefetch(&self, _wanted: &[Wanted<'_>]) {}
}

/// An element that a call is going to look up, or to add.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// A field or member.
    pub element: &'a [u8],
    /// The score that it will be given, if that is known.
    pub score: Option<f64>,
}

/// So many elements are prefetched together: as many misses as a core has under way, a few times.
pub const PREFETCH_CHUNK: usize = 16;

/// A look at a value, wherever it lies.
#[derive(Debug)]
pub enum Form<'a, L> {
    /// Bytes inside the entry.
    Packed(&'a [u8]),
    /// An object of its own.
    Large(&'a L),
}

impl<L> Clone for Form<'_, L> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<L> Copy for Form<'_, L> {}

/// Bytes that can be edited in the middle.
pub trait Buffer {
    /// The bytes.
    fn packed(&self) -> &[u8];

    /// The bytes, to change without changing their number.
    fn packed_mut(&mut self) -> &mut [u8];

    /// Replaces `range` by `len` bytes of any content, and returns those for the caller to fill.
    ///
    /// # Panics
    /// If the range is not inside, or more than [`PACKED_LEN_MAX`] bytes would come of it.
    fn splice(&mut self, range: Range<usize>, len: usize) -> &mut [u8];
}

/// A place for a value of which `L` is the large form. [`Buffer`]'s verbs are for packed values.
pub trait Home<L: Large>: Buffer {
    /// The value.
    fn form(&self) -> Form<'_, L>;

    /// The value, to change it, if it is large.
    fn large_mut(&mut self) -> Option<&mut L>;

    /// Makes it packed, with these bytes.
    fn set_packed(&mut self, bytes: &[u8]);

    /// Makes it large.
    fn set_large(&mut self, large: L);
}

/// A value without a key.
#[derive(Clone, Debug)]
pub enum Own<L> {
    /// Packed bytes.
    Packed(Vec<u8>),
    /// An object.
    Large(L),
}

impl<L> Default for Own<L> {
    fn default() -> Self {
        Self::Packed(Vec::new())
    }
}

impl<L> Buffer for Own<L> {
    fn packed(&self) -> &[u8] {
        match self {
            Self::Packed(bytes) => bytes,
            Self::Large(_) => panic!("the value is not packed"),
        }
    }

    fn packed_mut(&mut self) -> &mut [u8] {
        match self {
            Self::Packed(bytes) => bytes,
            Self::Large(_) => panic!("the value is not packed"),
        }
    }

    fn splice(&mut self, range: Range<usize>, len: usize) -> &mut [u8] {
        match self {
            Self::Packed(bytes) => Buffer::splice(bytes, range, len),
            Self::Large(_) => panic!("the value is not packed"),
        }
    }
}

impl<L: Large> Home<L> for Own<L> {
    fn form(&self) -> Form<'_, L> {
        match self {
            Self::Packed(bytes) => Form::Packed(bytes),
            Self::Large(large) => Form::Large(large),
        }
    }

    fn large_mut(&mut self) -> Option<&mut L> {
        match self {
            Self::Packed(_) => None,
            Self::Large(large) => Some(large),
        }
    }

    fn set_packed(&mut self, bytes: &[u8]) {
        *self = Self::Packed(bytes.to_vec());
    }

    fn set_large(&mut self, large: L) {
        *self = Self::Large(large);
    }
}

impl Buffer for Vec<u8> {
    fn packed(&self) -> &[u8] {
        self
    }

    fn packed_mut(&mut self) -> &mut [u8] {
        self
    }

    fn splice(&mut self, range: Range<usize>, len: usize) -> &mut [u8] {
        let (start, old_len) = (range.start, self.len());
        let new_len = old_len - range.len() + len;
        assert!(new_len <= PACKED_LEN_MAX);
        if old_len < new_len {
            self.resize(new_len, 0);
        }
        self.copy_within(range.end..old_len, start + len);
        self.truncate(new_len);
        &mut self[start..start + len]
    }
}
