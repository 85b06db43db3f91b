//! One number for everything that is stored, the same as Redis's for the same data.
//!
//! Each key gets a SHA-1 based digest of its name, type, value and whether it is volatile; those of
//! all keys are combined by exclusive or, so the order does not matter. Databases are mixed in by
//! their index, in order.

use sha1_smol::Sha1;

use crate::layout::entry::{EntryRef, Kind};

/// A digest that grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Digest([u8; 20]);

impl Digest {
    /// Begins with a database that is not empty: call it in order of their indices, and add the
    /// entries of the database next.
    pub fn begin_database(&mut self, index: u32) {
        self.mix(&index.to_be_bytes());
    }

    /// Adds a key of the database that was begun last; the order of keys does not matter.
    pub fn add(&mut self, entry: EntryRef<'_>) {
        let mut digest = Self::default();
        digest.mix(entry.key());
        digest.mix_value(entry);
        self.combine(&digest.0);
    }

    /// The digest of one value, whatever its key is called.
    pub fn of_value(entry: EntryRef<'_>) -> Self {
        let mut digest = Self::default();
        digest.mix_value(entry);
        digest
    }

    /// The digest as it stands.
    pub fn bytes(&self) -> [u8; 20] {
        self.0
    }

    fn mix_value(&mut self, entry: EntryRef<'_>) {
        self.mix(&type_number(entry.kind()).to_be_bytes());
        if entry.kind() == Kind::String {
            self.mix(entry.string().bytes());
        }
        if entry.deadline().is_some() {
            self.combine(b"!!expire!!");
        }
    }

    /// Adds bytes so that their order matters.
    fn mix(&mut self, bytes: &[u8]) {
        self.combine(bytes);
        self.0 = Sha1::from(self.0).digest().bytes();
    }

    /// Adds bytes so that their order does not matter.
    fn combine(&mut self, bytes: &[u8]) {
        let hash = Sha1::from(bytes).digest().bytes();
        for (own, other) in self.0.iter_mut().zip(hash) {
            *own ^= other;
        }
    }
}

/// The number by which a type goes into the digest.
fn type_number(kind: Kind) -> u32 {
    match kind {
        Kind::String => 0,
        Kind::List => 1,
        Kind::Set => 2,
        Kind::SortedSet => 3,
        Kind::Hash => 4,
        Kind::Stream => 6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::entry::Entry;

    fn hex(digest: Digest) -> String {
        digest.bytes().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The expected values are what a reference server says of the same data.
    #[test]
    fn a_reference_server_agrees() {
        let entry = |key: &str, value: &str, deadline| {
            Entry::string(key.as_bytes(), value.as_bytes(), deadline, 0)
        };
        let a = entry("a", "1", None);
        let long = entry("key", "some longer value", None);
        let volatile = entry("key", "some longer value", Some(1));
        let mut digest = Digest::default();
        assert_eq!(hex(digest), "0000000000000000000000000000000000000000");
        digest.begin_database(0);
        digest.add(a.as_ref());
        assert_eq!(hex(digest), "943d800368fb9c0e951138f1bc0e313ac769d91f");
        let mut other = digest;
        other.add(long.as_ref());
        assert_eq!(hex(other), "1b8ad13c1b57ac04098e88a3ecb2c125752ef3d8");
        digest.add(volatile.as_ref());
        assert_eq!(hex(digest), "3693c355fcfa014207dab91b94399c4bb2f83f7e");
        digest.begin_database(3);
        digest.add(entry("x", "y", None).as_ref());
        assert_eq!(hex(digest), "968029aee41d6fbad17c5f3a4e3cb6451ef6f601");
        let of_value = |entry: &Entry| hex(Digest::of_value(entry.as_ref()));
        assert_eq!(of_value(&a), "b4fc66738120fba0b5aa500ab5c2bf89cea1c5da");
        assert_eq!(of_value(&volatile), "9502a3f533e45219b397c7cfb1446064686ba3df");
        let mut empty = Digest::default();
        empty.begin_database(0);
        empty.add(entry("", "", None).as_ref());
        assert_eq!(hex(empty), "fb9ecd0df494522427a790267e98f20cd199499b");
    }
}
