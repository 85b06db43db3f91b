//! Strings: edits that change the length, and what their encoding is called.
//!
//! A string keeps its bytes as they are, whatever they look like: a number is not stored in
//! another form, so reading one is reading bytes. The names that clients see for encodings are
//! computed when they ask.

use base::numbers::parse_i64;

use crate::layout::entry::{Entry, EntryRef};
use crate::types::item::INTEGER_LEN_MAX;

/// Longest string that clients expect to be called `embstr`.
const EMBEDDED_LEN_MAX: usize = 44;

/// What clients call the form in which a string is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// A short string.
    Embedded,
    /// A 64-bit integer in its shortest form.
    Integer,
    /// A long string, or one that was made by an edit.
    Raw,
}

/// Adds bytes at the end; returns the new length. Deadline and access clock stay.
pub fn append(entry: &mut Entry, bytes: &[u8]) -> usize {
    let old_len = entry.as_ref().string().bytes().len();
    let len = old_len + bytes.len();
    entry.resize_value(len);
    entry.as_mut().set_raw(true);
    entry.as_mut().string_mut()[old_len..].copy_from_slice(bytes);
    len
}

/// Overwrites the bytes from `offset` on, after filling up with zeros; returns the new length.
/// Deadline and access clock stay.
pub fn set_range(entry: &mut Entry, offset: usize, bytes: &[u8]) -> usize {
    let end = offset + bytes.len();
    let len = entry.as_ref().string().bytes().len().max(end);
    entry.resize_value(len);
    entry.as_mut().set_raw(true);
    entry.as_mut().string_mut()[offset..end].copy_from_slice(bytes);
    len
}

/// Replaces the value; deadline and access clock stay. The entry that held the old one comes back
/// unless the new value took its place.
pub fn replace(entry: &mut Entry, bytes: &[u8]) -> Option<Entry> {
    let (deadline, clock) = (entry.as_ref().deadline(), entry.as_ref().access_clock());
    entry.set_string(bytes, deadline, clock)
}

/// What clients call the form of this string.
pub fn encoding(entry: EntryRef<'_>) -> Encoding {
    let bytes = entry.string().bytes();
    if entry.is_raw() {
        Encoding::Raw
    } else if !entry.is_text() && bytes.len() <= INTEGER_LEN_MAX && parse_i64(bytes).is_some() {
        Encoding::Integer
    } else if bytes.len() <= EMBEDDED_LEN_MAX {
        Encoding::Embedded
    } else {
        Encoding::Raw
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::layout::entry::{INLINE_LEN_MAX, StringRef};

    fn entry(value: &[u8]) -> Entry {
        Entry::string(b"key", value, Some(77), 5)
    }

    fn bytes(entry: &Entry) -> &[u8] {
        entry.as_ref().string().bytes()
    }

    #[test]
    fn appending_piece_by_piece_crosses_all_sizes() {
        let mut entry = entry(b"");
        let mut twin = Vec::new();
        let mut step = 1;
        while twin.len() < 3 * INLINE_LEN_MAX {
            let piece = vec![twin.len() as u8; step];
            twin.extend_from_slice(&piece);
            assert_eq!(append(&mut entry, &piece), twin.len());
            assert_eq!(bytes(&entry), twin);
            step = step % 701 + 1;
        }
        let look = entry.as_ref();
        assert_eq!((look.key(), look.deadline(), look.access_clock()), (&b"key"[..], Some(77), 5));
        assert!(look.memory_bytes() < twin.len() + twin.len() / 4 + 200);
    }

    #[test]
    fn a_reader_keeps_what_it_has() {
        let mut entry = entry(&[7; INLINE_LEN_MAX + 1]);
        let StringRef::Shared(value) = entry.as_ref().string() else { panic!("it is long") };
        let reader = Arc::clone(value);
        append(&mut entry, b"more");
        set_range(&mut entry, 0, b"start");
        assert_eq!(*reader, [7; INLINE_LEN_MAX + 1]);
        assert_eq!(&bytes(&entry)[..6], b"start\x07");
        assert!(bytes(&entry).ends_with(b"\x07more"));
    }

    #[test]
    fn a_range_beyond_the_end_is_filled_with_zeros() {
        let mut entry = entry(b"ab");
        assert_eq!(set_range(&mut entry, 4, b"cd"), 6);
        assert_eq!(bytes(&entry), b"ab\0\0cd");
        assert_eq!(set_range(&mut entry, 1, b"x"), 6);
        assert_eq!(bytes(&entry), b"ax\0\0cd");
        assert_eq!(set_range(&mut entry, 2 * INLINE_LEN_MAX, b"y"), 2 * INLINE_LEN_MAX + 1);
        assert_eq!(bytes(&entry).iter().map(|byte| usize::from(*byte != 0)).sum::<usize>(), 5);
    }

    #[test]
    fn a_number_of_the_same_length_stays_in_place() {
        let mut entry = entry(b"41");
        assert!(replace(&mut entry, b"42").is_none());
        assert_eq!(bytes(&entry), b"42");
        assert!(replace(&mut entry, &[b'1'; 200]).is_some());
        assert_eq!(entry.as_ref().deadline(), Some(77));
    }

    #[test]
    fn encodings_have_the_names_that_clients_know() {
        let cases: [(&[u8], Encoding); 8] = [
            (b"123", Encoding::Integer),
            (b"-9223372036854775808", Encoding::Integer),
            (b"9223372036854775808", Encoding::Embedded),
            (b"0123", Encoding::Embedded),
            (b"", Encoding::Embedded),
            (b"text", Encoding::Embedded),
            (&[b'x'; 44], Encoding::Embedded),
            (&[b'x'; 45], Encoding::Raw),
        ];
        for (value, expected) in cases {
            assert_eq!(encoding(entry(value).as_ref()), expected);
        }
        let mut edited = entry(b"1");
        append(&mut edited, b"2");
        assert_eq!(encoding(edited.as_ref()), Encoding::Raw);
        replace(&mut edited, b"13");
        assert_eq!(encoding(edited.as_ref()), Encoding::Integer);
        edited.as_mut().set_text(true);
        assert_eq!(encoding(edited.as_ref()), Encoding::Embedded);
        let copy = Entry::duplicate(edited.as_ref(), b"copy");
        assert_eq!(encoding(copy.as_ref()), Encoding::Embedded);
        replace(&mut edited, b"14");
        assert_eq!(encoding(edited.as_ref()), Encoding::Integer);
    }
}
