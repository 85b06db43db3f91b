//! Names of types and encodings.

use base::numbers;
use store::types::hash::{self, LargeHash};
use store::types::list::{self, LargeList};
use store::types::set::{self, LargeSet};
use store::types::sorted_set::LargeSortedSet;
use store::{EntryRef, Form, Kind};

/// Longest string that is shown as `embstr`.
const EMBEDDED_LEN_MAX: usize = 44;

/// Every kind of value, with the name that TYPE answers.
const KINDS: [(Kind, &str); 6] = [
    (Kind::Hash, "hash"),
    (Kind::List, "list"),
    (Kind::Set, "set"),
    (Kind::SortedSet, "zset"),
    (Kind::Stream, "stream"),
    (Kind::String, "string"),
];

/// The name of a kind.
pub(crate) fn name(kind: Kind) -> &'static str {
    KINDS.iter().find(|(k, _)| *k == kind).map_or("none", |(_, name)| name)
}

/// The kind of this name, in any case.
pub(crate) fn named(name: &[u8]) -> Option<Kind> {
    let found = KINDS.iter().find(|(_, n)| n.as_bytes().eq_ignore_ascii_case(name));
    found.map(|(kind, _)| *kind)
}

/// The encoding of a value, by the names that OBJECT ENCODING uses.
pub(crate) fn encoding(entry: EntryRef<'_>) -> &'static str {
    match entry.kind() {
        Kind::String => string_encoding(entry),
        Kind::Hash => match hash::encoding(entry.form::<LargeHash>()) {
            hash::Encoding::Packed => "listpack",
            hash::Encoding::PackedTimed => "listpackex",
            hash::Encoding::Table => "hashtable",
        },
        Kind::List => match list::encoding(entry.form::<LargeList>()) {
            list::Encoding::Listpack => "listpack",
            list::Encoding::Quicklist => "quicklist",
        },
        Kind::Set => match set::encoding(entry.form::<LargeSet>()) {
            set::Encoding::Integers => "intset",
            set::Encoding::Large => "hashtable",
            set::Encoding::Texts => "listpack",
        },
        Kind::SortedSet => match entry.form::<LargeSortedSet>() {
            Form::Packed(_) => "listpack",
            Form::Large(_) => "skiplist",
        },
        Kind::Stream => "stream",
    }
}

/// The integer that a string is shown to be encoded as.
pub(crate) fn encoded_integer(entry: EntryRef<'_>) -> Option<i64> {
    if entry.kind() != Kind::String || entry.is_raw() || entry.is_text() {
        return None;
    }
    numbers::parse_i64(entry.string().bytes())
}

fn string_encoding(entry: EntryRef<'_>) -> &'static str {
    if entry.is_raw() || EMBEDDED_LEN_MAX < entry.string().bytes().len() {
        "raw"
    } else if encoded_integer(entry).is_some() {
        "int"
    } else {
        "embstr"
    }
}
