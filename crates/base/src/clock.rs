//! Time as an argument: the clock trait, and a clock that stands still until it is moved.
//!
//! Nothing below the server asks the operating system for the time; it gets a [`Clock`]. The real
//! one lives in the server; tests and the simulator use [`ManualClock`].

use std::sync::atomic::{AtomicU64, Ordering};

/// A source of time, shared by threads.
pub trait Clock: Send + Sync {
    /// Nanoseconds since some fixed moment; never goes back; cheap enough for every call.
    fn now_ns(&self) -> u64;

    /// Microseconds since 1970; may jump when the machine's clock is set.
    fn wall_us(&self) -> u64;

    /// Milliseconds since 1970; may jump when the machine's clock is set.
    fn wall_ms(&self) -> u64 {
        self.wall_us() / 1000
    }
}

/// A clock that moves only when told to.
#[derive(Debug, Default)]
pub struct ManualClock {
    monotonic_ns: AtomicU64,
    wall_us: AtomicU64,
}

impl ManualClock {
    /// A clock that shows `wall_ms` and has just started.
    pub fn new(wall_ms: u64) -> Self {
        Self { monotonic_ns: AtomicU64::new(0), wall_us: AtomicU64::new(wall_ms * 1000) }
    }

    /// Lets both times pass.
    pub fn advance_us(&self, duration_us: u64) {
        // Relaxed: a test orders its own steps; each time is one number.
        self.monotonic_ns.fetch_add(duration_us * 1000, Ordering::Relaxed);
        self.wall_us.fetch_add(duration_us, Ordering::Relaxed);
    }

    /// Lets both times pass.
    pub fn advance_ms(&self, duration_ms: u64) {
        self.advance_us(duration_ms * 1000);
    }

    /// Sets the wall clock, forwards or back; the monotonic time stays.
    pub fn set_wall_ms(&self, wall_ms: u64) {
        self.wall_us.store(wall_ms * 1000, Ordering::Relaxed);
    }
}

impl Clock for ManualClock {
    fn now_ns(&self) -> u64 {
        self.monotonic_ns.load(Ordering::Relaxed)
    }

    fn wall_us(&self) -> u64 {
        self.wall_us.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_when_told() {
        let clock = ManualClock::new(1_700_000_000_000);
        assert_eq!((clock.now_ns(), clock.wall_ms()), (0, 1_700_000_000_000));
        clock.advance_us(1_500);
        assert_eq!((clock.now_ns(), clock.wall_ms()), (1_500_000, 1_700_000_000_001));
        clock.advance_ms(1);
        assert_eq!(clock.wall_us(), 1_700_000_000_002_500);
        clock.set_wall_ms(5);
        assert_eq!((clock.now_ns(), clock.wall_ms()), (2_500_000, 5));
    }
}
