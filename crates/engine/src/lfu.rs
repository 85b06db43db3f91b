//! How often a key is used, in the 24 bits of its access clock: for the LFU eviction policies.
//!
//! ```text
//! | moment 16 | counter 8 |
//! ```
//!
//! The counter grows with the logarithm of the number of uses: the more it has counted, the less
//! likely is the next use to count (one in `(counter - 5) × log factor + 1`). It shrinks by one for
//! every `decay` minutes without use, since the moment of its last use ([`Moments`]). A new key
//! begins at 5.

use crate::moments::Moments;
use store::EntryUse;

/// Counter of a new key.
const COUNTER_NEW: u8 = 5;

/// What the settings and the moment say about counting.
#[derive(Clone, Copy)]
pub struct Frequency<'e> {
    moments: &'e Moments,
    /// The present moment.
    now: u16,
    /// Minutes that cost a counter one; 0: it never shrinks.
    decay_minutes: u32,
    log_factor: u32,
}

/// What a use leaves in an entry's access clock.
#[derive(Clone, Copy)]
pub enum AccessMark<'e> {
    /// Counts, with this chance (0 to 1) drawn beforehand.
    Count(Frequency<'e>, f64),
    /// Nothing.
    Leave,
    /// The time.
    Time(u32),
}

impl AccessMark<'_> {
    /// Marks a use.
    #[inline]
    pub fn apply(self, entry: &mut EntryUse<'_>) {
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

impl<'e> Frequency<'e> {
    /// At `now_ms` since 1970.
    pub fn new(moments: &'e Moments, now_ms: u64, decay_minutes: u32, log_factor: u32) -> Self {
        Self { moments, now: moments.now(now_ms), decay_minutes, log_factor }
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

    /// The access clock of a key that was used now, and whose counter is this.
    pub fn counted(self, counter: u8) -> u32 {
        self.clock(counter)
    }

    /// The counter as it is now, after its decay.
    pub fn counter(self, clock: u32) -> u8 {
        let (then, counter) = ((clock >> 8) as u16, clock as u8);
        if self.decay_minutes == 0 {
            return counter;
        }
        let passed = u32::from(self.moments.minutes_between(then, self.now)) / self.decay_minutes;
        counter.saturating_sub(u8::try_from(passed).unwrap_or(u8::MAX))
    }

    /// Moments since the last use.
    pub fn age(self, clock: u32) -> u16 {
        self.now.wrapping_sub((clock >> 8) as u16)
    }

    fn clock(self, counter: u8) -> u32 {
        u32::from(self.now) << 8 | u32::from(counter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::rand::Rng;

    const MINUTE_MS: u64 = 60_000;

    #[test]
    fn a_new_key_decays_to_zero() {
        let moments = Moments::default();
        let at = |minutes: u64, decay| Frequency::new(&moments, minutes * MINUTE_MS, decay, 10);
        let clock = at(100, 1).fresh();
        for (minutes, expected) in [(100, 5), (101, 4), (104, 1), (105, 0)] {
            assert_eq!(at(minutes, 1).counter(clock), expected, "in minute {minutes}");
        }
        assert_eq!(at(105, 2).counter(clock), 3);
        assert_eq!(at(1100, 1).counter(clock), 0);
        assert_eq!(at(1100, 0).counter(clock), 5);
    }

    #[test]
    fn minutes_wrap() {
        let moments = Moments::default();
        let clock = Frequency::new(&moments, 0xffff * MINUTE_MS, 1, 10).fresh();
        assert_eq!(Frequency::new(&moments, 0x1_0001 * MINUTE_MS, 1, 10).counter(clock), 3);
    }

    #[test]
    fn evictions_age_a_key_and_leave_its_counter() {
        let moments = Moments::default();
        let clock = Frequency::new(&moments, MINUTE_MS, 1, 10).fresh();
        (0..300).for_each(|_| moments.evicted(MINUTE_MS, 1600));
        let later = Frequency::new(&moments, MINUTE_MS, 1, 10);
        assert_eq!((later.age(clock), later.counter(clock)), (3, 5));
    }

    #[test]
    fn counting_slows_down() {
        let moments = Moments::default();
        let mut rng = Rng::new(1);
        // The mean of several keys: one key's count is a matter of luck.
        let mut count = |uses: usize, log_factor: u32| {
            const KEYS: u32 = 20;
            let now = Frequency::new(&moments, 0, 1, log_factor);
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
