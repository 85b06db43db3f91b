//! The reclaimer: frees large values on a thread of its own, so that no call pays for them.
//!
//! *In pieces.* A value is rubble ([`store::Rubble`]) that is cleared some hundred allocations at a
//! time. In between the thread offers its core to others, and looks whether the server stops: then
//! it leaves the rest to the end of the process, which frees it at once.
//!
//! *Counted once.* What is handed over counts as freed from then on ([`base::memory::hand_over`]),
//! else a large delete would evict more. Each piece settles what it has really freed, the last one
//! what is left of the value's bytes: a view that shares the value's nodes may keep them.
//!
//! *Bounded.* Those who write while memory is short see how much is waiting, and when it is too much
//! they free some of it themselves, without locks ([`Reclaim::help`]). So memory cannot be filled
//! faster than it is freed.

use crossbeam_queue::SegQueue;
use engine::data::Reclaim;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::Thread;
use std::time::{Duration, Instant};
use store::{Database, Entry, Rubble};

/// Pieces after which others may have the core: a millisecond or two.
const PIECES_PER_TURN: usize = 32;

/// How long one turn of helping takes.
const HELP: Duration = Duration::from_micros(200);

/// What waits to be freed.
#[derive(Default)]
pub struct Reclaimer {
    queue: SegQueue<Garbage>,
    pending: AtomicU64,
    freed: AtomicU64,
    is_asleep: AtomicBool,
    is_stopping: AtomicBool,
    thread: OnceLock<Thread>,
}

/// One thing that was handed over.
struct Garbage {
    rubble: Rubble,
    /// Keys that it was.
    keys: u64,
    /// Bytes that count as freed and are not settled.
    bytes: usize,
}

/// The reclaimer as the engine knows it.
pub struct Sink(pub Arc<Reclaimer>);

impl Reclaimer {
    /// Keys whose values wait to be freed.
    pub fn pending(&self) -> u64 {
        self.pending.load(Ordering::Relaxed)
    }

    /// Keys whose values were freed.
    pub fn freed(&self) -> u64 {
        self.freed.load(Ordering::Relaxed)
    }

    /// Forgets how many were freed.
    pub fn reset_freed(&self) {
        self.freed.store(0, Ordering::Relaxed);
    }

    /// Frees until it is stopped.
    pub fn run(&self) {
        let _ = self.thread.set(std::thread::current());
        loop {
            while let Some(mut garbage) = self.queue.pop() {
                let mut pieces = 0;
                while garbage.clear_some() {
                    if self.is_stopping.load(Ordering::Acquire) {
                        // The process ends, or a test's server does.
                        std::mem::forget(garbage);
                        return self.abandon();
                    }
                    pieces += 1;
                    if pieces % PIECES_PER_TURN == 0 {
                        std::thread::yield_now();
                    }
                }
                self.done(&garbage);
            }
            base::memory::flush();
            if self.is_stopping.load(Ordering::Acquire) {
                return;
            }
            self.sleep();
        }
    }

    /// Ends its thread soon, whatever there is to free.
    pub fn stop(&self) {
        self.is_stopping.store(true, Ordering::Release);
        self.wake_up();
    }

    /// Frees some of what waits; lets others run if nothing does.
    fn help(&self) {
        let Some(mut garbage) = self.queue.pop() else { return std::thread::yield_now() };
        let started = Instant::now();
        while started.elapsed() < HELP {
            if !garbage.clear_some() {
                return self.done(&garbage);
            }
        }
        self.queue.push(garbage);
    }

    fn add(&self, garbage: Garbage) {
        base::memory::hand_over(garbage.bytes);
        self.pending.fetch_add(garbage.keys, Ordering::Relaxed);
        self.queue.push(garbage);
        // Pairs with the one in `sleep`: either it sees what was pushed or it is seen asleep here.
        std::sync::atomic::fence(Ordering::SeqCst);
        if self.is_asleep.load(Ordering::Relaxed) {
            self.wake_up();
        }
    }

    fn done(&self, garbage: &Garbage) {
        self.pending.fetch_sub(garbage.keys, Ordering::Relaxed);
        self.freed.fetch_add(garbage.keys, Ordering::Relaxed);
    }

    fn abandon(&self) {
        while let Some(garbage) = self.queue.pop() {
            std::mem::forget(garbage);
        }
    }

    fn sleep(&self) {
        self.is_asleep.store(true, Ordering::Relaxed);
        std::sync::atomic::fence(Ordering::SeqCst);
        if self.queue.is_empty() && !self.is_stopping.load(Ordering::Acquire) {
            std::thread::park();
        }
        self.is_asleep.store(false, Ordering::Relaxed);
    }

    fn wake_up(&self) {
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }
}

impl Garbage {
    /// Frees a piece; says whether there is more.
    fn clear_some(&mut self) -> bool {
        let before = base::memory::of_this_thread();
        let has_more = self.rubble.clear_some();
        let freed = (before - base::memory::of_this_thread()).max(0) as usize;
        let settled = if has_more { freed.min(self.bytes) } else { self.bytes };
        self.bytes -= settled;
        base::memory::flush();
        base::memory::settle(settled);
        has_more
    }
}

impl Reclaim for Sink {
    fn reclaim(&self, entry: Entry, bytes: usize) {
        let mut rubble = Rubble::default();
        rubble.add(entry);
        self.0.add(Garbage { rubble, keys: 1, bytes });
    }

    fn reclaim_database(&self, database: Database) {
        let (keys, bytes) = (database.len() as u64, database.estimated_bytes());
        let mut rubble = Rubble::default();
        rubble.add(database);
        self.0.add(Garbage { rubble, keys, bytes });
    }

    fn help(&self) {
        self.0.help();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::Ordering::Relaxed;
    use store::types::limits::SetLimits;
    use store::types::set::{self, LargeSet};
    use store::{Own, Rubble};

    fn large_set(count: u64) -> Entry {
        let mut value = Own::default();
        for number in 0..count {
            set::add(&mut value, format!("member:{number}").as_bytes(), &SetLimits::default());
        }
        Entry::collection::<LargeSet>(b"key", value, None, 0)
    }

    fn hand_over(sink: &Sink, count: u64) {
        let entry = large_set(count);
        let bytes = entry.as_ref().memory_bytes();
        sink.reclaim(entry, bytes);
    }

    #[test]
    fn who_helps_frees_what_waits_and_leaves_the_rest() {
        let reclaimer = Arc::<Reclaimer>::default();
        let sink = Sink(Arc::clone(&reclaimer));
        (0..3).for_each(|_| hand_over(&sink, 20_000));
        assert_eq!((reclaimer.pending(), reclaimer.freed()), (3, 0));
        let mut turns = 0;
        while reclaimer.pending() != 0 {
            sink.help();
            turns += 1;
        }
        assert!(3 <= turns, "{turns}");
        assert_eq!(reclaimer.freed(), 3);
        sink.help();
        assert_eq!(reclaimer.freed(), 3);
    }

    #[test]
    fn the_thread_frees_and_stops_in_the_middle() {
        struct Endless(Arc<AtomicU64>);
        impl store::Part for Endless {
            fn crumble(self: Box<Self>, rubble: &mut Rubble) {
                self.0.fetch_add(1, Relaxed);
                rubble.put_back(self);
            }
        }
        let reclaimer = Arc::<Reclaimer>::default();
        let sink = Sink(Arc::clone(&reclaimer));
        let own = Arc::clone(&reclaimer);
        let thread = std::thread::spawn(move || own.run());
        hand_over(&sink, 20_000);
        while reclaimer.freed() == 0 {
            std::thread::yield_now();
        }
        let steps = Arc::<AtomicU64>::default();
        let mut rubble = Rubble::default();
        rubble.add(Endless(Arc::clone(&steps)));
        reclaimer.add(Garbage { rubble, keys: 1, bytes: 0 });
        while steps.load(Relaxed) < 10 {
            std::thread::yield_now();
        }
        reclaimer.stop();
        assert!(thread.join().is_ok());
        assert_eq!((reclaimer.pending(), reclaimer.freed()), (1, 1));
    }
}
