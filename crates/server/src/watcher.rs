//! The watcher: sees that a loop's thread has been with one connection for too long, and has a spare thread go on.
//!
//! It looks every millisecond while calls run, and sleeps when none do, so that an idle server costs nothing. To go to
//! sleep it raises a flag, looks once more a period later, and only then sleeps; a thread that parks its loop looks at the
//! flag. That needs no fence on the thread's side: a store is seen long before a millisecond has passed, so either the
//! last look sees the parking or the thread sees the flag.

use crate::limits::{WATCH_IDLE_LOOKS, WATCH_PERIOD};
use crate::server::Server;
use crate::spares::Wanted;
use base::lock::SLOW_NS;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Thread;

/// How the watcher is woken and stopped.
#[derive(Default)]
pub struct WatcherSwitch {
    is_asleep: AtomicBool,
    is_stopping: AtomicBool,
    thread: Mutex<Option<Thread>>,
}

impl WatcherSwitch {
    /// To be called after a loop was parked.
    #[inline]
    pub fn keep_awake(&self) {
        // Relaxed: see the file's head.
        if self.is_asleep.load(Ordering::Relaxed) {
            self.wake_up();
        }
    }

    /// Ends the watcher's thread.
    pub fn stop(&self) {
        self.is_stopping.store(true, Ordering::Release);
        self.wake_up();
    }

    #[cold]
    fn wake_up(&self) {
        self.is_asleep.store(false, Ordering::Relaxed);
        if let Some(thread) = &*self.thread.lock() {
            thread.unpark();
        }
    }
}

/// Watches until the server stops. `start` starts the thread of a number.
pub fn watch(server: &Arc<Server>, start: impl Fn(usize)) {
    let switch = &server.watcher;
    *switch.thread.lock() = Some(std::thread::current());
    let mut idle_looks = 0;
    while !switch.is_stopping.load(Ordering::Acquire) {
        if idle_looks <= WATCH_IDLE_LOOKS {
            std::thread::sleep(WATCH_PERIOD);
        } else {
            while switch.is_asleep.load(Ordering::Relaxed) {
                std::thread::park();
            }
            idle_looks = 0;
        }
        if look(server, &start) {
            idle_looks = 0;
            switch.is_asleep.store(false, Ordering::Relaxed);
        } else {
            idle_looks += 1;
            // Raised once only: whoever lowers it since then must be noticed.
            if idle_looks == WATCH_IDLE_LOOKS {
                switch.is_asleep.store(true, Ordering::Relaxed);
            }
        }
    }
}

/// One look at all loops. Returns whether any is parked.
fn look(server: &Server, start: &impl Fn(usize)) -> bool {
    let mut is_busy = false;
    for home in &server.homes {
        let Some((sequence, since_ns)) = home.handover.observe() else { continue };
        is_busy = true;
        let ran_ns = server.engine.clock().now_ns().saturating_sub(since_ns);
        if ran_ns < SLOW_NS || !server.spares.has_room() {
            continue;
        }
        if let Some(held) = home.handover.steal(sequence) {
            server.statistics.takeovers.fetch_add(1, Ordering::Relaxed);
            if let Wanted::Thread(number) = server.spares.give(held) {
                start(number);
            }
        }
    }
    is_busy
}
