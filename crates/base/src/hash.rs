//! The keyed hash that every table uses.
//!
//! foldhash: a few multiplications for a key of 8 to 40 bytes. The stronger finish ("quality") is
//! used because callers take the shard from some bits, the bucket from others and the fingerprint
//! from yet others, so every bit has to be good. The seed is secret and per process, so a client
//! cannot choose keys that collide; a table that sees too many collisions anyway takes a new seed.

use std::hash::Hasher;

use foldhash::SharedSeed;
use foldhash::quality::FoldHasher;

use crate::rand::split_mix;

/// A hash function chosen by a seed.
#[derive(Clone)]
pub struct KeyedHash {
    start: u64,
    shared: SharedSeed,
}

impl KeyedHash {
    /// The function that belongs to `seed`.
    pub fn new(seed: u64) -> Self {
        let mut state = seed;
        let start = split_mix(&mut state);
        Self { start, shared: SharedSeed::from_u64(split_mix(&mut state)) }
    }

    /// Hashes `bytes`; high and low bits are equally good.
    #[inline]
    pub fn hash(&self, bytes: &[u8]) -> u64 {
        let mut hasher = FoldHasher::with_seed(self.start, &self.shared);
        hasher.write(bytes);
        hasher.finish()
    }
}

impl std::fmt::Debug for KeyedHash {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The seed stays secret, in logs too.
        formatter.write_str("KeyedHash")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seed_decides() {
        let (one, same, other) = (KeyedHash::new(1), KeyedHash::new(1), KeyedHash::new(2));
        assert_eq!(one.hash(b"key"), same.hash(b"key"));
        assert_ne!(one.hash(b"key"), other.hash(b"key"));
        assert_ne!(one.hash(b""), one.hash(b"\0"));
        assert_ne!(one.hash(b"a\0"), one.hash(b"a"));
    }

    /// Counts how evenly 2^16 sequential keys fall into 2^8 groups by each window of eight bits.
    #[test]
    fn every_window_of_bits_spreads_keys() {
        let hash = KeyedHash::new(7);
        let hashes: Vec<u64> =
            (0..1 << 16).map(|index| hash.hash(format!("key:{index:012}").as_bytes())).collect();
        for shift in (0..=56).step_by(8) {
            let mut counts = [0u32; 256];
            for hash in &hashes {
                counts[(hash >> shift) as usize & 0xff] += 1;
            }
            let (low, high) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
            // 256 expected, standard deviation 16: six of them either way.
            assert!(160 < *low && *high < 352, "bits at {shift}: {low} to {high}");
        }
    }
}
