//! How many bytes the process has in use, counted on every allocation at about a nanosecond.
//!
//! The allocator's wrapper calls [`add`] for each allocation and release. A thread sums up in a
//! cell of its own and passes the sum on to one shared counter only when it exceeds
//! [`MEMORY_UNREPORTED_MAX`], so threads do not fight for a cache line. Memory often goes back on
//! another thread than it came from: a thread's sum may be negative, and only the total means
//! something.
//!
//! What is handed over to be freed elsewhere ([`hand_over`]) counts as freed from that moment, so that
//! nobody makes room twice for the same bytes. Whoever frees it settles what it has freed
//! ([`settle`]); [`allocated`] says what the process really holds.
//!
//! Nothing here allocates, and the thread's cell has no destructor, so [`add`] may run at any time
//! in a thread's life, its very end included.

use std::cell::Cell;
use std::sync::atomic::{AtomicIsize, Ordering};

use crate::limits::MEMORY_UNREPORTED_MAX;

/// What all threads have reported.
static USED: AtomicIsize = AtomicIsize::new(0);
/// Bytes that were handed over to be freed and are still there.
static HANDED_OVER: AtomicIsize = AtomicIsize::new(0);
/// The highest value that [`used`] has had.
static PEAK: AtomicIsize = AtomicIsize::new(0);

thread_local! {
    /// What this thread has not yet reported.
    static UNREPORTED: Cell<isize> = const { Cell::new(0) };
    /// What it has reported, all together.
    static REPORTED: Cell<isize> = const { Cell::new(0) };
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

/// What this thread has allocated less what it has freed, since it began.
pub fn of_this_thread() -> isize {
    REPORTED.try_with(Cell::get).unwrap_or(0) + UNREPORTED.try_with(Cell::get).unwrap_or(0)
}

/// Counts bytes as freed that somebody else will free.
pub fn hand_over(bytes: usize) {
    HANDED_OVER.fetch_add(bytes as isize, Ordering::Relaxed);
}

/// Bytes that were handed over have been freed, and reported, by now.
pub fn settle(bytes: usize) {
    HANDED_OVER.fetch_sub(bytes as isize, Ordering::Relaxed);
}

/// Bytes in use, all threads together, off by at most [`MEMORY_UNREPORTED_MAX`] per thread. What was
/// handed over to be freed is not in use.
#[inline]
pub fn used() -> usize {
    (USED.load(Ordering::Relaxed) - HANDED_OVER.load(Ordering::Relaxed)).max(0) as usize
}

/// As [`used`], with what was handed over and is not yet freed.
#[inline]
pub fn allocated() -> usize {
    USED.load(Ordering::Relaxed).max(0) as usize
}

/// The most bytes that were in use at once, as far as was reported.
pub fn peak() -> usize {
    PEAK.load(Ordering::Relaxed).max(0) as usize
}

/// Forgets the peak: from now on it is what is in use.
pub fn reset_peak() {
    PEAK.store(used() as isize, Ordering::Relaxed);
}

#[cold]
fn report(bytes: isize) {
    let _ = REPORTED.try_with(|cell| cell.set(cell.get() + bytes));
    // Relaxed: counters, they order nothing else.
    let allocated = USED.fetch_add(bytes, Ordering::Relaxed) + bytes;
    let used = allocated - HANDED_OVER.load(Ordering::Relaxed);
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
        what_is_handed_over_is_not_in_use();
    }

    fn what_is_handed_over_is_not_in_use() {
        add(1_000_000);
        flush();
        let (before, allocated_before) = (used(), allocated());
        let of_thread = of_this_thread();
        hand_over(600_000);
        assert_eq!((used(), allocated()), (before - 600_000, allocated_before));
        add(-600_000);
        flush();
        settle(600_000);
        assert_eq!(of_thread - of_this_thread(), 600_000);
        assert_eq!((used(), allocated()), (before - 600_000, allocated_before - 600_000));
        add(-400_000);
        add(100);
        assert_eq!(of_thread - of_this_thread(), 999_900);
        flush();
    }
}
