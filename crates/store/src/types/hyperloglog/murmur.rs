//! MurmurHash64A by Austin Appleby (public domain), with the seed that Redis uses for HyperLogLog.
//!
//! The registers of a counter depend on it, so it can never be exchanged for a better one.

const SEED: u64 = 0xadc8_3b19;
const MULTIPLIER: u64 = 0xc6a4_a793_5bd1_e995;
const SHIFT: u32 = 47;

/// The hash of an element.
pub(super) fn hash(bytes: &[u8]) -> u64 {
    let (words, tail) = bytes.as_chunks::<8>();
    let start = SEED ^ (bytes.len() as u64).wrapping_mul(MULTIPLIER);
    let mut hash = words.iter().fold(start, |hash, word| {
        let word = mix(u64::from_le_bytes(*word).wrapping_mul(MULTIPLIER));
        (hash ^ word.wrapping_mul(MULTIPLIER)).wrapping_mul(MULTIPLIER)
    });
    if !tail.is_empty() {
        let mut word = [0; 8];
        word[..tail.len()].copy_from_slice(tail);
        hash = (hash ^ u64::from_le_bytes(word)).wrapping_mul(MULTIPLIER);
    }
    mix(mix(hash).wrapping_mul(MULTIPLIER))
}

fn mix(word: u64) -> u64 {
    word ^ (word >> SHIFT)
}
