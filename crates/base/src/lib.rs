//! What the standard library lacks and every crate needs: numbers, globs, hashes, locks, clocks, limits.
