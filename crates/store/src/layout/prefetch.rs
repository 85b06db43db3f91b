//! Hints that let a caller warm the cache for a key before it holds the shard's lock.
//!
//! A batch of calls first asks for the home bucket of every key. Where the bucket is may change at
//! any moment, since no lock is held; but a prefetch of a wrong address is only a wasted one, never
//! an error, so two relaxed loads are enough. The pair may be torn: the same applies.

use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

use super::table::BUCKET_SIZE;

/// Where the buckets of one database in one shard are, for prefetching only.
#[derive(Debug, Default)]
pub struct PrefetchHint {
    base: AtomicPtr<u8>,
    bucket_count: AtomicU64,
}

impl PrefetchHint {
    /// Prefetches the bucket in which the key with this hash is at home.
    #[inline]
    pub fn prefetch(&self, hash: u64) {
        // Relaxed: nothing is read through the pointer.
        let count = self.bucket_count.load(Ordering::Relaxed);
        let home = (u128::from(hash) * u128::from(count)) >> 64;
        let base = self.base.load(Ordering::Relaxed);
        let bucket = base.wrapping_add(home as usize * BUCKET_SIZE);
        prefetch_line(bucket);
        // One item in seven lies in the next one.
        prefetch_line(bucket.wrapping_add(BUCKET_SIZE));
    }

    /// Says where the buckets are from now on.
    pub(crate) fn publish(&self, base: *const u8, bucket_count: u64) {
        // Relaxed: see above.
        self.base.store(base.cast_mut(), Ordering::Relaxed);
        self.bucket_count.store(bucket_count, Ordering::Relaxed);
    }
}

/// Asks for the cache lines of `len` bytes at `address`, which need not be valid.
#[inline]
pub(crate) fn prefetch_bytes(address: *const u8, len: usize) {
    const LINE: usize = 64;
    let start = address.addr() & (LINE - 1);
    for at in (0..start + len).step_by(LINE) {
        prefetch_line(address.wrapping_add(at).wrapping_sub(start));
    }
}

/// Asks for the cache line at `address`, which need not be valid.
#[inline]
pub(crate) fn prefetch_line(address: *const u8) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch never faults, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) };
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = address;
}
