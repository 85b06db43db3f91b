//! How many bytes the process has in use, counted on every allocation at about a nanosecond.
//!
//! The allocator's wrapper calls [`add`] for each allocation and release. A thread sums up in a
//! cell of its own and passes the sum on to one shared counter only when it exceeds
//! [`MEMORY_UNREPORTED_MAX`], so threads do not fight for a cache line. Memory often goes back on
//! another thread than it came from: a thread's sum may be negative, and only the total means
//! something.
//!
//! Nothing here allocates, and the thread's cell has no destructor, so [`add`] may run at any time
//! in a thread's life, its very end included.

use std::cell::Cell;
use std::sync::atomic::{AtomicIsize, Ordering};

use crate::limits::MEMORY_UNREPORTED_MAX;

/// What all threads have reported.
static USED: AtomicIsize = AtomicIsize::new(0);
/// The highest value that [`USED`] has had.
static PEAK: AtomicIsize = AtomicIsize::new(0);

thread_local! {
    /// What this thread has not yet reported.
    static UNREPORTED: Cell<isize> = const { Cell::new(0) };
}

/// Counts `bytes` more, or fewer if negative.
#[inline]
pub fn add(bytes: isize) {
    let unreported = UNREPORTED.try_with(|cell| {
        let sum = cell.get() + bytes;
        let is_due = MEMORY_UNREPORTED_MAX <= sum.unsigned_abs();
        cell.set(if is_due { 0 } else { sum });
        if is_due { sum } else { 0 }
    });
    let due = unreported.unwrap_or(bytes);
    if due != 0 {
        report(due);
    }
}

/// Reports what this thread has summed up; a thread calls it before it ends or goes idle.
pub fn flush() {
    if let Ok(due) = UNREPORTED.try_with(|cell| cell.replace(0)) {
        report(due);
    }
}

/// Bytes in use, all threads together, off by at most [`MEMORY_UNREPORTED_MAX`] per thread.
#[inline]
pub fn used() -> usize {
    USED.load(Ordering::Relaxed).max(0) as usize
}

/// The most bytes that were in use at once, as far as was reported.
pub fn peak() -> usize {
    PEAK.load(Ordering::Relaxed).max(0) as usize
}

/// Forgets the peak: from now on it is what is in use.
pub fn reset_peak() {
    PEAK.store(USED.load(Ordering::Relaxed), Ordering::Relaxed);
}

#[cold]
fn report(bytes: isize) {
    // Relaxed: counters, they order nothing else.
    let used = USED.fetch_add(bytes, Ordering::Relaxed) + bytes;
    if PEAK.load(Ordering::Relaxed) < used {
        PEAK.fetch_max(used, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One test, since the counters belong to the whole process.
    #[test]
    fn threads_add_up() {
        const PIECE: isize = 100;
        const COUNT: isize = 10_000;
        let threads: Vec<_> = (0..4)
            .map(|_| {
                std::thread::spawn(|| {
                    (0..COUNT).for_each(|_| add(PIECE));
                    flush();
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        let total = (4 * PIECE * COUNT) as usize;
        assert_eq!((used(), peak()), (total, total));
        (0..4 * COUNT).for_each(|_| add(-PIECE));
        flush();
        assert_eq!((used(), peak()), (0, total));
        reset_peak();
        assert_eq!(peak(), 0);
        // What is not yet due is not yet seen.
        add(PIECE);
        assert_eq!(used(), 0);
        add(-2 * PIECE);
        flush();
        assert_eq!(used(), 0);
    }
}
