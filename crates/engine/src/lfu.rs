//! How often a key is used, in the 24 bits of its access clock: for the LFU eviction policies.
//!
//! ```text
//! | minutes 16 | counter 8 |
//! ```
//!
//! The counter grows with the logarithm of the number of uses: the more it has counted, the less
//! likely is the next use to count (one in `(counter - 5) × log factor + 1`). It shrinks by one for
//! every `decay` minutes without use, by the minutes of its last decay, which wrap after 45 days. A
//! new key begins at 5, so that it is not the first to go.

use store::EntryMut;

/// Counter of a new key.
const COUNTER_NEW: u8 = 5;

/// What the settings and the moment say about counting.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Frequency {
    /// Minutes since 1970, the lower 16 bits.
    pub now_minutes: u16,
    /// Minutes that cost a counter one; 0: it never shrinks.
    pub decay_minutes: u32,
    pub log_factor: u32,
}

/// What a use leaves in an entry's access clock.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum AccessMark {
    /// Counts, with this chance (0 to 1) drawn beforehand.
    Count(Frequency, f64),
    /// Nothing.
    Leave,
    /// The time.
    Time(u32),
}

impl AccessMark {
    /// Marks a use.
    #[inline]
    pub fn apply(self, entry: &mut EntryMut<'_>) {
        match self {
            Self::Leave => {}
            Self::Time(clock) => entry.touch(clock),
            Self::Count(frequency, chance) => {
                let clock = frequency.used(entry.as_ref().access_clock(), chance);
                entry.touch(clock);
            }
        }
    }
}

impl Frequency {
    /// At `now_ms` since 1970.
    pub fn new(now_ms: u64, decay_minutes: u32, log_factor: u32) -> Self {
        Self { now_minutes: (now_ms / 60_000) as u16, decay_minutes, log_factor }
    }

    /// The access clock of a new key.
    pub fn fresh(self) -> u32 {
        self.clock(COUNTER_NEW)
    }

    /// The access clock after one more use, of which `chance` (0 to 1) decides whether it counts.
    pub fn used(self, clock: u32, chance: f64) -> u32 {
        let counter = self.counter(clock);
        let above_new = f64::from(counter.saturating_sub(COUNTER_NEW));
        let counts = chance < 1.0 / (above_new * f64::from(self.log_factor) + 1.0);
        self.clock(counter.saturating_add(u8::from(counts)))
    }

    /// The counter as it is now, after its decay.
    pub fn counter(self, clock: u32) -> u8 {
        let (then, counter) = ((clock >> 8) as u16, clock as u8);
        if self.decay_minutes == 0 {
            return counter;
        }
        let passed = u32::from(self.now_minutes.wrapping_sub(then)) / self.decay_minutes;
        counter.saturating_sub(u8::try_from(passed).unwrap_or(u8::MAX))
    }

    fn clock(self, counter: u8) -> u32 {
        u32::from(self.now_minutes) << 8 | u32::from(counter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::rand::Rng;

    const MINUTE_MS: u64 = 60_000;

    #[test]
    fn a_new_key_decays_to_zero() {
        let born = Frequency::new(100 * MINUTE_MS, 1, 10);
        let clock = born.fresh();
        for (minutes, expected) in [(0, 5), (1, 4), (4, 1), (5, 0), (1000, 0)] {
            let later = Frequency::new((100 + minutes) * MINUTE_MS, 1, 10);
            assert_eq!(later.counter(clock), expected, "after {minutes} minutes");
        }
        assert_eq!(Frequency::new(1000 * MINUTE_MS, 0, 10).counter(clock), 5);
        assert_eq!(Frequency::new(104 * MINUTE_MS, 2, 10).counter(clock), 3);
    }

    #[test]
    fn minutes_wrap() {
        let born = Frequency::new(0xffff * MINUTE_MS, 1, 10);
        assert_eq!(Frequency::new(0x1_0001 * MINUTE_MS, 1, 10).counter(born.fresh()), 3);
    }

    #[test]
    fn counting_slows_down() {
        let mut rng = Rng::new(1);
        // The mean of several keys: one key's count is a matter of luck.
        let mut count = |uses: usize, log_factor: u32| {
            const KEYS: u32 = 20;
            let now = Frequency::new(0, 1, log_factor);
            let one = |_| {
                let clock = (0..uses).fold(now.fresh(), |clock, _| now.used(clock, rng.next_f64()));
                u32::from(now.counter(clock))
            };
            (0..KEYS).map(one).sum::<u32>() / KEYS
        };
        // The table that Redis's documentation gives for these numbers of uses.
        assert!((8..=14).contains(&count(100, 10)));
        assert!((14..=24).contains(&count(1000, 10)));
        assert!((130..=155).contains(&count(100_000, 10)));
        assert_eq!(count(100, 0), 105);
        assert_eq!(count(1000, 0), 255);
    }
}
