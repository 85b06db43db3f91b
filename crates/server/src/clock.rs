//! The machine's clock: durations from the cycle counter, wall time from the operating system.
//!
//! The monotonic time is read once per command. The operating system's costs 20 to 25 ns a read, the
//! cycle counter 8 to 10: so where the kernel itself trusts the counter, it is measured once against
//! the system's clock (over [`MEASURE`], which is right to about 20 parts in a million) and used from
//! then on. Wall time always comes from the system, because somebody may set it.

use crate::sys;
use base::clock::Clock;
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How long the counter is measured, once per process.
const MEASURE: Duration = Duration::from_millis(5);

/// Reads of both clocks of which the closest pair counts.
const PAIRS: usize = 8;

/// Binary places of the factor from cycles to nanoseconds.
const FACTOR_BITS: u32 = 32;

/// The clock of the machine; every one shows the same time.
#[derive(Clone, Copy, Debug)]
pub struct MachineClock {
    origin: Pair,
    /// Nanoseconds per cycle, times 2^32; 0 where the counter can't be used.
    factor: u64,
}

/// The same moment by both clocks.
#[derive(Clone, Copy, Debug)]
struct Pair {
    cycles: u64,
    instant: Instant,
}

impl MachineClock {
    /// The clock, measured when it is asked for the first time.
    pub fn new() -> Self {
        static MEASURED: OnceLock<MachineClock> = OnceLock::new();
        *MEASURED.get_or_init(Self::measure)
    }

    fn measure() -> Self {
        let origin = Pair::read();
        if !sys::cycles_are_steady() {
            return Self { origin, factor: 0 };
        }
        std::thread::sleep(MEASURE);
        let end = Pair::read();
        let nanoseconds = end.instant.duration_since(origin.instant).as_nanos();
        let cycles = u128::from(end.cycles.wrapping_sub(origin.cycles).max(1));
        Self { origin, factor: ((nanoseconds << FACTOR_BITS) / cycles) as u64 }
    }
}

impl Default for MachineClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Pair {
    /// Of several reads the one in which the two clocks were read closest together.
    fn read() -> Self {
        let read = || {
            let before = sys::cycles();
            let instant = Instant::now();
            let gap = sys::cycles().wrapping_sub(before);
            (gap, Self { cycles: before.wrapping_add(gap / 2), instant })
        };
        let best = (0..PAIRS).map(|_| read()).min_by_key(|(gap, _)| *gap);
        best.map_or_else(|| read().1, |(_, pair)| pair)
    }
}

impl Clock for MachineClock {
    #[inline]
    fn now_ns(&self) -> u64 {
        if self.factor == 0 {
            return self.origin.instant.elapsed().as_nanos() as u64;
        }
        // A core whose counter lags by a few cycles must not show a time before the origin.
        let cycles = sys::cycles().saturating_sub(self.origin.cycles);
        ((u128::from(cycles) * u128::from(self.factor)) >> FACTOR_BITS) as u64
    }

    fn wall_us(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        since.map_or(0, |since| since.as_micros() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_as_fast_as_the_system_clock() {
        let clock = MachineClock::new();
        let (started, instant) = (clock.now_ns(), Instant::now());
        while instant.elapsed() < Duration::from_millis(50) {
            std::hint::spin_loop();
        }
        let (ours, theirs) = (clock.now_ns() - started, instant.elapsed().as_nanos() as u64);
        // A thousandth, and whatever lies between the reads on a busy machine.
        assert!(ours.abs_diff(theirs) < theirs / 1000 + 5_000_000, "{ours} ns, not {theirs}");
    }

    #[test]
    fn never_goes_back_on_one_thread() {
        let clock = MachineClock::new();
        let mut last = 0;
        for _ in 0..100_000 {
            let now = clock.now_ns();
            assert!(last <= now);
            last = now;
        }
    }
}
