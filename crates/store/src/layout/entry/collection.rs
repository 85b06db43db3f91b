//! Entries as places for collections: packed bytes inside, or an object behind the pointer.

use std::ops::Range;

use super::super::home::{Buffer, Form, Home, Large, Own, PACKED_LEN_MAX, Wanted};
use super::header::Header;
use super::object::ObjectPointer;
use super::{Entry, EntryMut, EntryRef, Kind, Raw};

impl Entry {
    /// A collection.
    pub fn collection<L: Large>(
        key: &[u8],
        value: Own<L>,
        deadline: Option<u64>,
        clock: u32,
    ) -> Self {
        let mut header = Header::new(L::KIND, key.len(), clock);
        match value {
            Own::Packed(bytes) => {
                assert!(bytes.len() <= PACKED_LEN_MAX);
                Self { raw: packed(header, key, &bytes, deadline) }
            }
            Own::Large(large) => {
                header.set_pointer(true);
                let raw = Raw::allocate(header, key, deadline);
                raw.write_object(ObjectPointer::new(large));
                Self { raw }
            }
        }
    }

    pub(super) fn duplicate_collection(source: EntryRef<'_>, key: &[u8]) -> Self {
        let mut header = source.raw.header();
        header.set_key_len(key.len());
        if !header.has_pointer() {
            return Self { raw: packed(header, key, source.raw.value(), source.deadline()) };
        }
        let raw = Raw::allocate(header, key, source.deadline());
        raw.write_object(source.raw.object().duplicate());
        Self { raw }
    }

    /// Puts another form of the value in the place of this one; key, deadline and flags stay.
    fn reshape(&mut self, shape: impl FnOnce(Header, &[u8], Option<u64>) -> Raw) {
        let look = self.as_ref();
        let raw = shape(self.raw.header(), look.key(), look.deadline());
        *self = Self { raw };
    }
}

impl Buffer for Entry {
    #[inline]
    fn packed(&self) -> &[u8] {
        assert!(!self.raw.header().has_pointer());
        self.raw.value()
    }

    #[inline]
    fn packed_mut(&mut self) -> &mut [u8] {
        assert!(!self.raw.header().has_pointer());
        self.raw.value_mut()
    }

    fn splice(&mut self, range: Range<usize>, len: usize) -> &mut [u8] {
        let old_len = self.packed().len();
        assert!(range.start <= range.end && range.end <= old_len);
        let new_len = old_len - range.len() + len;
        assert!(new_len <= PACKED_LEN_MAX);
        if old_len < new_len {
            self.resize_inline(new_len);
        }
        self.raw.value_mut().copy_within(range.end..old_len, range.start + len);
        if new_len < old_len {
            self.resize_inline(new_len);
        }
        &mut self.raw.value_mut()[range.start..range.start + len]
    }
}

impl<L: Large> Home<L> for Entry {
    #[inline]
    fn form(&self) -> Form<'_, L> {
        self.as_ref().form()
    }

    #[inline]
    fn large_mut(&mut self) -> Option<&mut L> {
        let header = self.raw.header();
        assert!(header.kind() == L::KIND);
        header.has_pointer().then(|| self.raw.object().value_mut())
    }

    fn set_packed(&mut self, bytes: &[u8]) {
        assert!(bytes.len() <= PACKED_LEN_MAX);
        self.reshape(|mut header, key, deadline| {
            header.set_pointer(false);
            packed(header, key, bytes, deadline)
        });
    }

    fn set_large(&mut self, large: L) {
        assert!(self.raw.header().kind() == L::KIND);
        self.reshape(|mut header, key, deadline| {
            header.set_pointer(true);
            header.set_value_len(0);
            let raw = Raw::allocate(header, key, deadline);
            raw.write_object(ObjectPointer::new(large));
            raw
        });
    }
}

impl<'a> EntryRef<'a> {
    /// The value of a collection.
    ///
    /// # Panics
    /// If it is of another kind.
    #[inline]
    pub fn form<L: Large>(self) -> Form<'a, L> {
        let header = self.raw.header();
        assert!(header.kind() == L::KIND);
        if header.has_pointer() {
            Form::Large(self.raw.object().value())
        } else {
            Form::Packed(self.raw.value())
        }
    }

    /// When a part of the value expires next, in Unix milliseconds.
    #[inline]
    pub fn next_deadline_ms(self) -> Option<u64> {
        let header = self.raw.header();
        // Of all kinds only hashes have parts that expire.
        if header.kind() != Kind::Hash || !header.has_pointer() {
            return None;
        }
        self.raw.object().next_deadline_ms()
    }

    /// Fetches what calls with these elements of a large collection will look at into the cache.
    pub fn prefetch(self, wanted: &[Wanted<'_>]) {
        let header = self.raw.header();
        if header.kind() != Kind::String && header.has_pointer() {
            self.raw.object().prefetch(wanted);
        }
    }

    /// When it expires as a whole or in part, in Unix milliseconds.
    #[inline]
    pub fn due_ms(self) -> Option<u64> {
        match (self.deadline(), self.next_deadline_ms()) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        }
    }
}

impl EntryMut<'_> {
    /// The value of a collection, to change it, if it is large and of this kind.
    pub fn large_mut<L: Large>(&mut self) -> Option<&mut L> {
        let header = self.raw.header();
        let is_it = header.kind() == L::KIND && header.has_pointer();
        is_it.then(|| self.raw.object().value_mut())
    }
}

/// A new allocation with a packed value.
fn packed(mut header: Header, key: &[u8], bytes: &[u8], deadline: Option<u64>) -> Raw {
    header.set_value_len(bytes.len());
    let raw = Raw::allocate(header, key, deadline);
    raw.write_value(bytes);
    raw
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::super::rubble::Rubble;
    use super::*;

    /// A stand-in for a large value.
    #[derive(Clone)]
    struct Pile(Arc<Vec<u8>>);

    impl Large for Pile {
        const KIND: Kind = Kind::Set;

        fn len(form: Form<'_, Self>) -> usize {
            match form {
                Form::Packed(bytes) => bytes.len(),
                Form::Large(pile) => pile.0.len(),
            }
        }
        fn memory_bytes(&self) -> usize {
            self.0.capacity()
        }
        fn is_cheap_to_free(&self) -> bool {
            false
        }
        fn crumble(self, _rubble: &mut Rubble) {}
    }

    fn packed_bytes(entry: &Entry) -> &[u8] {
        match entry.as_ref().form::<Pile>() {
            Form::Packed(bytes) => bytes,
            Form::Large(_) => panic!("it is large"),
        }
    }

    #[test]
    fn packed_bytes_are_edited_in_the_middle() {
        for key in [&b"key"[..], &[b'k'; 300]] {
            let mut entry = Entry::collection::<Pile>(key, Own::default(), Some(77), 5);
            let mut twin = Vec::new();
            for round in 0_usize..2000 {
                let start = round * 7919 % (twin.len() + 1);
                let end = (start + round % 5).min(twin.len());
                let len = round % 7;
                entry.splice(start..end, len).fill(round as u8);
                twin.splice(start..end, std::iter::repeat_n(round as u8, len));
                assert_eq!(packed_bytes(&entry), twin);
            }
            let look = entry.as_ref();
            assert_eq!((look.key(), look.deadline(), look.access_clock()), (key, Some(77), 5));
            assert_eq!(look.kind(), Kind::Set);
            assert!(1000 < twin.len());
        }
    }

    #[test]
    fn a_value_turns_large_and_packed_again() {
        let value = Arc::new(vec![1, 2, 3]);
        let mut entry = Entry::collection::<Pile>(b"key", Own::Packed(vec![9]), Some(77), 5);
        assert!(entry.is_cheap_to_free());
        entry.set_large(Pile(Arc::clone(&value)));
        assert!(!entry.is_cheap_to_free());
        let copy = Entry::duplicate(entry.as_ref(), b"another key");
        assert_eq!(Arc::strong_count(&value), 3);
        entry.set_deadline(None);
        let mut entry = entry.with_key(b"a longer key than before");
        assert_eq!(Pile::len(entry.as_ref().form()), 3);
        let large: Option<&mut Pile> = entry.large_mut();
        assert!(large.is_some());
        Home::<Pile>::set_packed(&mut entry, b"bytes");
        assert_eq!(packed_bytes(&entry), b"bytes");
        assert_eq!(Pile::len(copy.as_ref().form()), 3);
        assert_eq!(copy.as_ref().deadline(), Some(77));
        drop(copy);
        assert_eq!(Arc::strong_count(&value), 1);
    }
}
