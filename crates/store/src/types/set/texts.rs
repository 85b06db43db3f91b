//! Packed texts behind a byte that tells them from packed integers.

use std::ops::Range;

use crate::layout::home::{Buffer, Home, PACKED_LEN_MAX};
use crate::layout::packed;

use super::LargeSet;

/// The byte that packed texts begin with.
pub(super) const TAG: u8 = 1;
const TAG_LEN: usize = 1;

/// What is behind the tag.
#[inline]
pub(super) fn items(bytes: &[u8]) -> &[u8] {
    bytes.get(TAG_LEN..).unwrap_or_default()
}

/// Makes it texts without a member, which somebody adds next.
pub(super) fn begin<H: Home<LargeSet>>(home: &mut H) {
    home.set_packed(&[TAG]);
}

/// An empty sequence, with room for `count` texts of up to `len` bytes.
pub(super) fn with_capacity(count: usize, len: usize) -> Vec<u8> {
    let items = count * packed::size_of_item(len);
    let mut bytes = Vec::with_capacity(TAG_LEN + packed::FIRST + items);
    bytes.push(TAG);
    bytes
}

/// Whether `member` can be added.
pub(super) fn has_room(items: &[u8], member: &[u8]) -> bool {
    let len = TAG_LEN + items.len().max(packed::FIRST) + packed::size_of_item(member.len());
    packed::has_room(items, &[member]) && len <= PACKED_LEN_MAX
}

/// Takes the text at an offset of `items` out. The last one leaves no bytes at all.
pub(super) fn remove<H: Home<LargeSet>>(home: &mut H, offset: usize) {
    packed::remove(&mut Texts(home), offset, 1);
    if home.packed().len() == TAG_LEN {
        home.splice(0..TAG_LEN, 0);
    }
}

/// The sequence of texts in a buffer that has a tag before it, or is empty and gets one.
pub(super) struct Texts<'a, B: ?Sized>(pub(super) &'a mut B);

impl<B: Buffer + ?Sized> Buffer for Texts<'_, B> {
    fn packed(&self) -> &[u8] {
        items(self.0.packed())
    }

    fn packed_mut(&mut self) -> &mut [u8] {
        &mut self.0.packed_mut()[TAG_LEN..]
    }

    fn splice(&mut self, range: Range<usize>, len: usize) -> &mut [u8] {
        if self.0.packed().is_empty() {
            // Tag and texts in one edit, since most sets of texts begin like this.
            let (tag, items) = self.0.splice(0..0, TAG_LEN + len).split_at_mut(TAG_LEN);
            tag[0] = TAG;
            return items;
        }
        self.0.splice(range.start + TAG_LEN..range.end + TAG_LEN, len)
    }
}
