//! The calls worth a look: slow ones, and those with a large request or reply (SLOWLOG, COMMANDLOG).
//!
//! Each log keeps the newest calls that reached its threshold, with the head of their arguments. A
//! call that reaches none compares three numbers that are there anyway; whatever a log needs beside
//! them is looked up for a call that it takes. A log is a small list behind a lock that is held for
//! one entry, so threads meet at it only when many calls are logged at once.

use crate::host::ClientShown;
use crate::settings::Settings;
use crate::table::Entry;
use parking_lot::Mutex;
use resp::Argv;
use std::collections::VecDeque;

/// Arguments that are kept of one call; the last one says how many are left out.
const ARGUMENTS_MAX: usize = 32;
/// Bytes that are kept of one argument, and behind them how many are left out.
const ARGUMENT_BYTES_MAX: usize = 128;
/// What stands for an argument that nobody may see.
pub(crate) const REDACTED: &[u8] = b"(redacted)";

/// What a log goes by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Measure {
    LargeReply,
    LargeRequest,
    Slow,
}

/// Which calls a log takes, and how many of them it keeps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LogLimits {
    /// Bytes, or nanoseconds, from which on a call is taken; `u64::MAX`: none is.
    pub value_min: u64,
    pub entries_max: usize,
}

impl LogLimits {
    /// A log that takes no calls.
    pub const OFF: Self = Self { value_min: u64::MAX, entries_max: 0 };

    /// From the settings: a threshold below zero and a log without room take nothing. A threshold is
    /// in units of `unit`.
    pub fn new(threshold: i64, entries_max: u64, unit: u64) -> Self {
        let entries_max = usize::try_from(entries_max).unwrap_or(usize::MAX);
        match u64::try_from(threshold) {
            Ok(threshold) if entries_max != 0 => {
                Self { value_min: threshold.saturating_mul(unit), entries_max }
            }
            _ => Self::OFF,
        }
    }

    fn is_off(self) -> bool {
        self == Self::OFF
    }
}

/// The limits of all logs.
#[derive(Clone, Copy, Debug)]
pub struct CallLogLimits {
    pub large_reply: LogLimits,
    pub large_request: LogLimits,
    pub slow: LogLimits,
}

impl Default for CallLogLimits {
    fn default() -> Self {
        Self {
            large_reply: LogLimits { value_min: 1 << 20, entries_max: 128 },
            large_request: LogLimits { value_min: 1 << 20, entries_max: 128 },
            slow: LogLimits { value_min: 10_000_000, entries_max: 128 },
        }
    }
}

impl CallLogLimits {
    fn of(&self, measure: Measure) -> LogLimits {
        match measure {
            Measure::LargeReply => self.large_reply,
            Measure::LargeRequest => self.large_request,
            Measure::Slow => self.slow,
        }
    }
}

/// One logged call.
#[derive(Clone, Debug)]
pub struct LoggedCall {
    /// One more than that of the call before in the same log.
    pub id: u64,
    /// When it was over, in Unix seconds.
    pub at_s: u64,
    /// Microseconds or bytes.
    pub value: u64,
    /// The head of them.
    pub arguments: Vec<Box<[u8]>>,
    /// Where the client came from.
    pub address: String,
    /// What the client called itself.
    pub name: Box<[u8]>,
}

/// All logs of a server.
#[derive(Default)]
pub struct CallLogs {
    large_replies: CallLog,
    large_requests: CallLog,
    slow: CallLog,
}

/// The calls of one log, newest first.
#[derive(Default)]
pub struct CallLog(Mutex<Calls>);

#[derive(Default)]
struct Calls {
    next_id: u64,
    calls: VecDeque<LoggedCall>,
}

impl CallLogs {
    /// The log that goes by `measure`.
    pub fn of(&self, measure: Measure) -> &CallLog {
        match measure {
            Measure::LargeReply => &self.large_replies,
            Measure::LargeRequest => &self.large_requests,
            Measure::Slow => &self.slow,
        }
    }

    /// Drops what is too many by new settings. As in Redis a log that takes nothing any more keeps
    /// what it has.
    pub(crate) fn trim(&self, settings: &Settings) {
        for measure in [Measure::LargeReply, Measure::LargeRequest, Measure::Slow] {
            let limits = settings.call_logs.of(measure);
            if !limits.is_off() {
                self.of(measure).0.lock().calls.truncate(limits.entries_max);
            }
        }
    }
}

impl CallLog {
    /// Forgets all calls; ids go on.
    pub fn reset(&self) {
        self.0.lock().calls.clear();
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.lock().calls.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The newest calls, at most `count`, newest first.
    pub fn newest(&self, count: usize) -> Vec<LoggedCall> {
        self.0.lock().calls.iter().take(count).cloned().collect()
    }

    /// Takes one call more; the oldest goes if there are too many.
    pub(crate) fn add(&self, mut call: LoggedCall, entries_max: usize) {
        let mut log = self.0.lock();
        call.id = log.next_id;
        log.next_id += 1;
        log.calls.push_front(call);
        log.calls.truncate(entries_max);
    }
}

impl LoggedCall {
    /// A call as a log keeps it; its id is given by the log.
    pub(crate) fn new(
        entry: &Entry,
        argv: Argv<'_>,
        value: u64,
        at_s: u64,
        client: &ClientShown,
    ) -> Self {
        Self {
            id: 0,
            at_s,
            value,
            arguments: shown_arguments(entry, argv),
            address: client.address.clone(),
            name: client.name.clone(),
        }
    }
}

/// The head of the arguments, without what is secret in them.
fn shown_arguments(entry: &Entry, argv: Argv<'_>) -> Vec<Box<[u8]>> {
    let count = argv.len().min(ARGUMENTS_MAX);
    let mut shown: Vec<Box<[u8]>> = Vec::with_capacity(count);
    for (index, argument) in argv.iter().take(count).enumerate() {
        let left_out = argv.len() - index;
        if index + 1 == ARGUMENTS_MAX && 1 < left_out {
            shown.push(format!("... ({left_out} more arguments)").into_bytes().into());
        } else if entry.row.secrets.hides(argv, index) {
            shown.push(REDACTED.into());
        } else {
            shown.push(shown_argument(argument));
        }
    }
    shown
}

fn shown_argument(argument: &[u8]) -> Box<[u8]> {
    let Some((head, rest)) = argument.split_at_checked(ARGUMENT_BYTES_MAX) else {
        return argument.into();
    };
    if rest.is_empty() {
        return argument.into();
    }
    let tail = format!("... ({} more bytes)", rest.len());
    [head, tail.as_bytes()].concat().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(value: u64) -> LoggedCall {
        LoggedCall {
            id: 0,
            at_s: 0,
            value,
            arguments: Vec::new(),
            address: String::new(),
            name: Box::default(),
        }
    }

    #[test]
    fn the_oldest_go_and_ids_go_on() {
        let log = CallLog::default();
        (0..5).for_each(|value| log.add(call(value), 3));
        let ids = |log: &CallLog| log.newest(9).iter().map(|call| call.id).collect::<Vec<_>>();
        assert_eq!(ids(&log), [4, 3, 2]);
        assert_eq!(log.newest(1)[0].value, 4);
        log.reset();
        assert!(log.is_empty());
        log.add(call(7), 3);
        assert_eq!(ids(&log), [5]);
    }

    #[test]
    fn thresholds_below_zero_and_logs_without_room_take_nothing() {
        assert_eq!(LogLimits::new(-1, 128, 1000), LogLimits::OFF);
        assert_eq!(LogLimits::new(5, 0, 1000), LogLimits::OFF);
        assert_eq!(LogLimits::new(5, 2, 1000), LogLimits { value_min: 5000, entries_max: 2 });
        assert_eq!(LogLimits::new(i64::MAX, 2, 1000).value_min, u64::MAX);
    }

    #[test]
    fn arguments_are_cut_where_they_are_too_long() {
        assert_eq!(&*shown_argument(&[b'a'; 128]), [b'a'; 128]);
        let cut = shown_argument(&[b'a'; 130]);
        assert_eq!(cut[..128], [b'a'; 128]);
        assert_eq!(&cut[128..], b"... (2 more bytes)");
    }
}
