//! The reclaimer: frees large values on a thread of its own, so that no call pays for them.
//!
//! What it has been given and not yet freed counts as free for eviction, else a large delete would evict more.

use crossbeam_queue::SegQueue;
use engine::data::Reclaim;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::Thread;
use store::{Database, Entry};

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

enum Garbage {
    Database(Box<Database>),
    Entry(Entry),
}

/// The reclaimer as the engine knows it.
pub struct Sink(pub Arc<Reclaimer>);

impl Reclaimer {
    /// Values that wait to be freed.
    pub fn pending(&self) -> u64 {
        self.pending.load(Ordering::Relaxed)
    }

    /// Values that were freed.
    pub fn freed(&self) -> u64 {
        self.freed.load(Ordering::Relaxed)
    }

    /// Frees until it is stopped.
    pub fn run(&self) {
        let _ = self.thread.set(std::thread::current());
        loop {
            while let Some(garbage) = self.queue.pop() {
                match garbage {
                    Garbage::Database(database) => drop(database),
                    Garbage::Entry(entry) => drop(entry),
                }
                self.pending.fetch_sub(1, Ordering::Relaxed);
                self.freed.fetch_add(1, Ordering::Relaxed);
            }
            base::memory::flush();
            if self.is_stopping.load(Ordering::Acquire) {
                return;
            }
            self.sleep();
        }
    }

    /// Ends its thread once everything is freed.
    pub fn stop(&self) {
        self.is_stopping.store(true, Ordering::Release);
        self.wake_up();
    }

    fn add(&self, garbage: Garbage) {
        self.pending.fetch_add(1, Ordering::Relaxed);
        self.queue.push(garbage);
        // Pairs with the one in `sleep`: either it sees what was pushed or it is seen asleep here.
        std::sync::atomic::fence(Ordering::SeqCst);
        if self.is_asleep.load(Ordering::Relaxed) {
            self.wake_up();
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

impl Reclaim for Sink {
    fn reclaim(&self, entry: Entry) {
        self.0.add(Garbage::Entry(entry));
    }

    fn reclaim_database(&self, database: Database) {
        self.0.add(Garbage::Database(Box::new(database)));
    }
}
