//! What the standard library lacks and every crate needs: numbers, globs, hashes, locks, clocks, limits.
//!
//! This crate knows no word of the data store's domain. `unsafe` is refused everywhere but in the
//! modules that say otherwise on their `mod` line.

#![deny(missing_docs)]
#![deny(unsafe_code)]

pub mod numbers;
// The one glob matcher.
pub mod glob;
// Checksums.
pub mod crc;
pub mod xxh3;
// Hashing and randomness.
pub mod hash;
pub mod rand;
// Time.
pub mod clock;
// Bounds and the count of bytes in use.
pub mod limits;
pub mod memory;
// Locks and the order of waiting.
#[allow(unsafe_code)]
pub mod lock;
