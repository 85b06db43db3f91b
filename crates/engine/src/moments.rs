//! The time of the LFU policies: moments, which pass with the minutes and with the keys evicted.
//!
//! A key's counter shall shrink by the minutes without use; that is what the settings say and
//! clients see. But how much a use still means for eviction is a question of how much of the cache
//! has gone since, be that in a second or in a day. So an access clock holds neither, but the number
//! of a moment. A new one begins with each minute, and whenever a sixteenth of the keys was
//! evicted; and of each it is kept in which minute it was.
//!
//! Numbers wrap after 65,536 moments: 45 days where nothing is evicted, and otherwise when the cache
//! has been renewed some thousand times, after which few clocks are that old.

use std::sync::atomic::{AtomicU16, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

/// Moments whose minutes are kept together: their place is made when the first of them comes.
const CHUNK: usize = 1 << 9;
/// All of them: the moments that can be told apart.
const CHUNKS: usize = (1 << 16) / CHUNK;
/// A moment ends when the keys divided by this have been evicted.
const PARTS: u64 = 16;

/// All moments, and which is the present one.
pub struct Moments {
    /// The minute of the present moment in the upper half, its number in the lower.
    now: AtomicU32,
    /// The minute of each moment, since 1970, the lower 16 bits.
    minutes: [OnceLock<Box<[AtomicU16; CHUNK]>>; CHUNKS],
    /// Keys evicted in the present moment.
    evicted: AtomicU64,
    turn: Mutex<()>,
}

impl Moments {
    /// The number of the present moment.
    #[inline]
    pub fn now(&self, now_ms: u64) -> u16 {
        let minute = minute_of(now_ms);
        // Relaxed: whoever sees the last moment instead is a moment late.
        let now = self.now.load(Ordering::Relaxed);
        if (now >> 16) as u16 == minute && now != 0 {
            return now as u16;
        }
        self.turn(minute, |before| 0 < minute.wrapping_sub(before) as i16)
    }

    /// Notes that a key was evicted, of so many.
    pub fn evicted(&self, now_ms: u64, keys: usize) {
        // Relaxed: a number.
        let evicted = self.evicted.fetch_add(1, Ordering::Relaxed) + 1;
        if (keys as u64 / PARTS).max(1) <= evicted {
            self.evicted.store(0, Ordering::Relaxed);
            self.turn(minute_of(now_ms), |_| true);
        }
    }

    /// Minutes that had passed between two moments, at most 45 days; none since a moment that never
    /// was, which is what a clock holds that was set under another policy.
    #[inline]
    pub fn minutes_between(&self, then: u16, now: u16) -> u16 {
        match (self.minute(then), self.minute(now)) {
            (Some(then), Some(now)) => {
                now.load(Ordering::Relaxed).wrapping_sub(then.load(Ordering::Relaxed))
            }
            _ => 0,
        }
    }

    #[inline]
    fn minute(&self, moment: u16) -> Option<&AtomicU16> {
        let chunk = self.minutes[usize::from(moment) / CHUNK].get()?;
        Some(&chunk[usize::from(moment) % CHUNK])
    }

    /// Begins another moment, if that `is_due` where the present one's minute is this; returns the
    /// present one's number.
    #[cold]
    fn turn(&self, minute: u16, is_due: impl FnOnce(u16) -> bool) -> u16 {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.now.load(Ordering::Relaxed);
        if now != 0 && !is_due((now >> 16) as u16) {
            return now as u16;
        }
        // Zero stands for none.
        let next = (now as u16).checked_add(1).unwrap_or(1);
        let minutes = self.minutes[usize::from(next) / CHUNK]
            .get_or_init(|| Box::new(std::array::from_fn(|_| AtomicU16::new(minute))));
        // The minute first: who sees the moment's number should find it.
        minutes[usize::from(next) % CHUNK].store(minute, Ordering::Relaxed);
        self.now.store(u32::from(minute) << 16 | u32::from(next), Ordering::Release);
        next
    }
}

impl Default for Moments {
    fn default() -> Self {
        Self {
            now: AtomicU32::new(0),
            minutes: std::array::from_fn(|_| OnceLock::new()),
            evicted: AtomicU64::new(0),
            turn: Mutex::new(()),
        }
    }
}

fn minute_of(now_ms: u64) -> u16 {
    (now_ms / 60_000) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE_MS: u64 = 60_000;

    #[test]
    fn a_minute_is_a_moment() {
        let moments = Moments::default();
        let first = moments.now(100 * MINUTE_MS);
        assert_eq!(moments.now(100 * MINUTE_MS + 59_999), first);
        let later = moments.now(107 * MINUTE_MS);
        assert_eq!(later, first.wrapping_add(1));
        assert_eq!(moments.minutes_between(first, later), 7);
        assert_eq!(moments.minutes_between(later, later), 0);
    }

    #[test]
    fn time_does_not_run_back() {
        let moments = Moments::default();
        let first = moments.now(100 * MINUTE_MS);
        assert_eq!(moments.now(99 * MINUTE_MS), first);
        let wrapped = moments.now(0x1_0001 * MINUTE_MS);
        assert_eq!(wrapped, first, "45 days later looks like earlier");
    }

    #[test]
    fn a_sixteenth_of_the_keys_is_a_moment() {
        let moments = Moments::default();
        let first = moments.now(MINUTE_MS);
        (0..99).for_each(|_| moments.evicted(MINUTE_MS, 1600));
        assert_eq!(moments.now(MINUTE_MS), first);
        moments.evicted(MINUTE_MS, 1600);
        let second = moments.now(MINUTE_MS);
        assert_eq!(second, first + 1);
        assert_eq!(moments.minutes_between(first, second), 0);
    }
}
