//! Latency spikes (LATENCY): what took longer than `latency-monitor-threshold`, by kind of event.
//!
//! Of each kind of event the last [`SAMPLES_MAX`] seconds that had a spike are kept, with the worst
//! spike of the second. Nothing is kept, and nothing looked at, as long as no threshold is set.

pub mod graph;

use parking_lot::Mutex;
use std::collections::{BTreeMap, VecDeque};

/// Seconds with a spike that are kept of each event.
const SAMPLES_MAX: usize = 160;

/// What can take long.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Event {
    /// A sync of the append-only file that replies wait for.
    AofSync,
    /// A write to the append-only file.
    AofWrite,
    /// A call of a command that may well be slow.
    Command,
    /// Making room where memory is short.
    EvictionCycle,
    /// Taking keys away from one shard whose time is up.
    ExpireCycle,
    /// A call of a command that is always fast.
    FastCommand,
}

impl Event {
    /// The name that clients know.
    pub fn name(self) -> &'static str {
        match self {
            Self::AofSync => "aof-fsync-always",
            Self::AofWrite => "aof-write",
            Self::Command => "command",
            Self::EvictionCycle => "eviction-cycle",
            Self::ExpireCycle => "expire-cycle",
            Self::FastCommand => "fast-command",
        }
    }
}

/// The worst spike of one second.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sample {
    /// Unix seconds.
    pub at_s: u64,
    pub ms: u64,
}

/// The spikes of one kind of event; there is at least one.
#[derive(Clone, Debug)]
pub struct Series {
    /// Oldest first.
    pub samples: Vec<Sample>,
    /// The worst of all times.
    pub ms_max: u64,
    /// Those of all spikes together, and how many these were.
    pub ms_sum: u64,
    pub count: u64,
}

/// What a series comes to.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Analysis {
    pub count: usize,
    pub average_ms: u64,
    /// How far the samples lie from their average, on average.
    pub deviation_ms: u64,
    /// Seconds from one spike to the next, on average.
    pub period_s: f64,
}

/// All spikes of a server.
#[derive(Default)]
pub struct Spikes(Mutex<BTreeMap<Event, Kept>>);

#[derive(Default)]
struct Kept {
    samples: VecDeque<Sample>,
    ms_max: u64,
    ms_sum: u64,
    count: u64,
}

impl Spikes {
    /// Notes that something took so long.
    pub fn note(&self, event: Event, nanoseconds: u64, at_s: u64) {
        let ms = nanoseconds / 1_000_000;
        let mut events = self.0.lock();
        let kept = events.entry(event).or_default();
        kept.ms_max = kept.ms_max.max(ms);
        kept.ms_sum += ms;
        kept.count += 1;
        match kept.samples.back_mut() {
            Some(last) if last.at_s == at_s => last.ms = last.ms.max(ms),
            _ => {
                if kept.samples.len() == SAMPLES_MAX {
                    kept.samples.pop_front();
                }
                kept.samples.push_back(Sample { at_s, ms });
            }
        }
    }

    /// Forgets the events with one of these names, in any case of letters, or all. Returns how many
    /// there were.
    pub fn reset<'n>(&self, names: Option<impl Iterator<Item = &'n [u8]>>) -> usize {
        let mut events = self.0.lock();
        let before = events.len();
        match names {
            None => events.clear(),
            Some(names) => {
                for name in names {
                    events.retain(|event, _| !event.name().as_bytes().eq_ignore_ascii_case(name));
                }
            }
        }
        before - events.len()
    }

    /// The spikes of the event with this name.
    pub fn series(&self, name: &[u8]) -> Option<Series> {
        let events = self.0.lock();
        let found = events.iter().find(|(event, _)| event.name().as_bytes() == name);
        found.map(|(_, kept)| kept.series())
    }

    /// The spikes of all events that had any, by name.
    pub fn all(&self) -> Vec<(Event, Series)> {
        self.0.lock().iter().map(|(event, kept)| (*event, kept.series())).collect()
    }
}

impl Kept {
    fn series(&self) -> Series {
        Series {
            samples: self.samples.iter().copied().collect(),
            ms_max: self.ms_max,
            ms_sum: self.ms_sum,
            count: self.count,
        }
    }
}

impl Series {
    /// What it comes to at the time `now_s`.
    pub fn analysis(&self, now_s: u64) -> Analysis {
        let count = self.samples.len().max(1) as u64;
        let average_ms = self.samples.iter().map(|sample| sample.ms).sum::<u64>() / count;
        let deviations = self.samples.iter().map(|sample| sample.ms.abs_diff(average_ms));
        let since_s = self.samples.first().map_or(now_s, |oldest| oldest.at_s);
        Analysis {
            count: self.samples.len(),
            average_ms,
            deviation_ms: deviations.sum::<u64>() / count,
            period_s: now_s.saturating_sub(since_s).max(1) as f64 / count as f64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;
    const NAMES: Option<std::iter::Empty<&[u8]>> = None;

    #[test]
    fn the_worst_of_a_second_counts() {
        let spikes = Spikes::default();
        for (at_s, ms) in [(10, 5), (10, 9), (10, 7), (12, 3)] {
            spikes.note(Event::Command, ms * MS, at_s);
        }
        let series = spikes.series(b"command").unwrap();
        assert_eq!(series.samples, [Sample { at_s: 10, ms: 9 }, Sample { at_s: 12, ms: 3 }]);
        assert_eq!((series.ms_max, series.ms_sum, series.count), (9, 24, 4));
        let analysis = series.analysis(20);
        assert_eq!((analysis.count, analysis.average_ms, analysis.deviation_ms), (2, 6, 3));
        assert_eq!(analysis.period_s, 5.0);
        assert!(spikes.series(b"Command").is_none());
    }

    #[test]
    fn the_oldest_go() {
        let spikes = Spikes::default();
        (1..=200).for_each(|at_s| spikes.note(Event::ExpireCycle, (300 - at_s) * MS, at_s));
        let series = spikes.series(b"expire-cycle").unwrap();
        assert_eq!(series.samples.len(), SAMPLES_MAX);
        assert_eq!(series.samples[0], Sample { at_s: 41, ms: 259 });
        assert_eq!(series.ms_max, 299);
    }

    #[test]
    fn events_are_reset_by_name_or_all() {
        let spikes = Spikes::default();
        for event in [Event::Command, Event::FastCommand, Event::EvictionCycle] {
            spikes.note(event, MS, 1);
        }
        assert_eq!(spikes.reset(Some([&b"COMMAND"[..], b"nothing", b"command"].into_iter())), 1);
        assert_eq!(spikes.all().len(), 2);
        assert_eq!(spikes.reset(NAMES), 2);
        assert!(spikes.all().is_empty());
    }
}
