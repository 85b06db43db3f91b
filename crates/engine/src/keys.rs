//! Key specs: which arguments of a call are keys. Locks, ACL, cluster and COMMAND read them.

use crate::command::Command;
use resp::Argv;
use std::ops::Range;

/// Where the keys of a call stand, and what happens to them.
#[derive(Clone, Copy)]
pub struct KeySpec {
    pub begin: Begin,
    pub find: Find,
    pub flags: KeyFlags,
    /// What happens in one call, where that depends on its arguments.
    pub refined: Option<fn(Argv<'_>) -> KeyFlags>,
    /// The arguments that are its keys in one call, where only code can tell.
    pub located: Option<fn(Argv<'_>) -> Range<usize>>,
}

/// Where the search begins.
#[derive(Clone, Copy)]
pub enum Begin {
    /// At this argument.
    Index(usize),
    /// At the argument after `word`, looked for from `from` on (negative: from the end backwards).
    Keyword { word: &'static str, from: i32 },
    /// Only code could tell.
    Unknown,
}

/// How keys are found from there.
#[derive(Clone, Copy)]
pub enum Find {
    /// From the beginning to `last` (relative to the beginning; negative: from the end), every
    /// `step`; `limit` 2 means the first half, and so on.
    Range { last: i32, step: usize, limit: usize },
    /// A count stands at `count`, the first key at `first` (both relative to the beginning).
    Counted { count: usize, first: usize, step: usize },
    /// Only code could tell.
    Unknown,
}

/// What happens to a key, in the words of COMMAND INFO.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyFlags(pub &'static [&'static str]);

/// Read only, nothing of the value is returned.
pub const RO: KeyFlags = KeyFlags(&["RO"]);
pub const RO_ACCESS: KeyFlags = KeyFlags(&["RO", "access"]);
pub const RW_ACCESS: KeyFlags = KeyFlags(&["RW", "access"]);
pub const RW_DELETE: KeyFlags = KeyFlags(&["RW", "delete"]);
pub const RW_UPDATE: KeyFlags = KeyFlags(&["RW", "update"]);
pub const RW_UPDATE_DELETE: KeyFlags = KeyFlags(&["RW", "update", "delete"]);
pub const RW_ACCESS_INSERT: KeyFlags = KeyFlags(&["RW", "access", "insert"]);
pub const RW_ACCESS_UPDATE: KeyFlags = KeyFlags(&["RW", "access", "update"]);
pub const RW_ACCESS_UPDATE_VARIABLE: KeyFlags =
    KeyFlags(&["RW", "access", "update", "variable_flags"]);
pub const RW_ACCESS_DELETE: KeyFlags = KeyFlags(&["RW", "access", "delete"]);
pub const RW_ACCESS_DELETE_INCOMPLETE: KeyFlags =
    KeyFlags(&["RW", "access", "delete", "incomplete"]);
pub const RW_DELETE_VARIABLE: KeyFlags = KeyFlags(&["RW", "delete", "variable_flags"]);
pub const RW_INSERT: KeyFlags = KeyFlags(&["RW", "insert"]);
pub const OW_UPDATE: KeyFlags = KeyFlags(&["OW", "update"]);
pub const OW_UPDATE_VARIABLE: KeyFlags = KeyFlags(&["OW", "update", "variable_flags"]);
pub const OW_INSERT: KeyFlags = KeyFlags(&["OW", "insert"]);
pub const RM_DELETE: KeyFlags = KeyFlags(&["RM", "delete"]);

/// No key, but a channel that a cluster routes as if it were one.
pub const NOT_KEY: KeyFlags = KeyFlags(&["not_key"]);

impl KeySpec {
    /// One key, at argument `index`.
    pub const fn at(index: usize, flags: KeyFlags) -> Self {
        Self::range(index, 0, 1, flags)
    }

    /// Keys from `first` to `last` (relative to `first`, or negative from the end), every `step`.
    pub const fn range(first: usize, last: i32, step: usize, flags: KeyFlags) -> Self {
        let find = Find::Range { last, step, limit: 0 };
        Self { begin: Begin::Index(first), find, flags, refined: None, located: None }
    }

    /// A count at argument `at`, then that many keys, `step` apart.
    pub const fn counted(at: usize, step: usize, flags: KeyFlags) -> Self {
        let find = Find::Counted { count: 0, first: 1, step };
        Self { begin: Begin::Index(at), find, flags, refined: None, located: None }
    }

    /// Keys that no rule finds.
    pub const fn unknown(flags: KeyFlags) -> Self {
        let (begin, find) = (Begin::Unknown, Find::Unknown);
        Self { begin, find, flags, refined: None, located: None }
    }

    /// With a function that finds the keys.
    pub const fn located(self, located: fn(Argv<'_>) -> Range<usize>) -> Self {
        Self { located: Some(located), ..self }
    }

    /// With a function that tells what happens in one call.
    pub const fn refined(self, refined: fn(Argv<'_>) -> KeyFlags) -> Self {
        Self { refined: Some(refined), ..self }
    }

    /// What happens to its keys in this call.
    pub fn flags_of(&self, argv: Argv<'_>) -> KeyFlags {
        self.refined.map_or(self.flags, |refined| refined(argv))
    }
}

/// Calls `found` with the index of every key argument; `false` if the arguments do not hold what
/// a spec promises (a count that is no number, or larger than the arguments).
pub fn each_key(
    command: &Command,
    argv: Argv<'_>,
    mut found: impl FnMut(usize, &'static KeySpec),
) -> bool {
    let mut is_valid = true;
    for spec in command.keys.iter().filter(|spec| spec.flags != NOT_KEY) {
        is_valid &= spec.each(argv, &mut |index| found(index, spec));
    }
    is_valid
}

impl KeySpec {
    fn each(&self, argv: Argv<'_>, found: &mut impl FnMut(usize)) -> bool {
        if let Some(located) = self.located {
            located(argv).for_each(found);
            return true;
        }
        let Some(begin) = self.begin_index(argv) else { return true };
        match self.find {
            Find::Range { last, step, limit } => {
                let count = argv.len();
                if count <= begin {
                    return false;
                }
                let end = range_end(begin, last, limit, count);
                (begin..=end.min(count - 1)).step_by(step).for_each(found);
                end < count
            }
            Find::Counted { count, first, step } => {
                let wanted = argv
                    .get(begin + count)
                    .and_then(base::numbers::parse_i64)
                    .and_then(|n| usize::try_from(n).ok());
                let Some(wanted) = wanted else { return false };
                let from = begin + first;
                let room = argv.len().saturating_sub(from).div_ceil(step.max(1));
                (0..wanted.min(room)).for_each(|i| found(from + i * step));
                wanted <= room
            }
            Find::Unknown => true,
        }
    }

    fn begin_index(&self, argv: Argv<'_>) -> Option<usize> {
        match self.begin {
            Begin::Index(index) => Some(index),
            Begin::Unknown => None,
            Begin::Keyword { word, from } => {
                let count = argv.len();
                let is_word = |i: &usize| {
                    argv.get(*i).is_some_and(|a| a.eq_ignore_ascii_case(word.as_bytes()))
                };
                if 0 <= from {
                    (from.unsigned_abs() as usize..count).find(is_word).map(|i| i + 1)
                } else {
                    let start = count.saturating_sub(from.unsigned_abs() as usize);
                    (1..=start).rev().find(is_word).map(|i| i + 1)
                }
            }
        }
    }
}

fn range_end(begin: usize, last: i32, limit: usize, count: usize) -> usize {
    if 0 <= last {
        return begin + last.unsigned_abs() as usize;
    }
    let end = count.saturating_sub(last.unsigned_abs() as usize);
    if 2 <= limit { begin + (count - begin) / limit - 1 } else { end.max(begin) }
}
