//! Packed bytes and the tables that find them.

pub mod entry;
pub mod home;
pub mod intset;
pub mod ordered;
pub mod packed;
pub mod prefetch;
pub mod rubble;
pub mod shared_node;
pub mod size_class;
pub mod table;
pub mod trie;

/// A key with its hash, which is computed once per call.
///
/// The hash is the one that the table was given ([`base::hash::KeyedHash`]), of exactly these
/// bytes. Its low 16 bits belong to the caller, who picks the shard by them.
#[derive(Clone, Copy, Debug)]
pub struct Key<'a> {
    /// The key itself.
    pub bytes: &'a [u8],
    /// Its hash.
    pub hash: u64,
}
