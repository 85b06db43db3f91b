//! The options of trimming and deleting: MAXLEN, MINID, LIMIT, KEEPREF, DELREF, ACKED, IDS.

use super::id;
use crate::args::{self, Args};
use crate::error::{CommandError, StreamError};
use base::numbers;
use resp::Argv;
use store::types::limits::StreamLimits;
use store::types::stream::{Id, References, Trim, TrimRule};

/// Chunks that an approximate trimming removes at most, where no LIMIT says otherwise.
const CHUNKS_MAX: u64 = 100;
/// Entries that an approximate trimming removes at most, if chunks have no limit.
const ENTRIES_MAX: u64 = 10_000;
/// However large chunks may be, no more entries than this are removed.
const ENTRIES_MAX_MAX: u64 = 1_000_000;

/// Options that say how to trim.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TrimOptions {
    trim: Option<Trim>,
    is_approximate: bool,
    limit: Option<i64>,
    references: Option<References>,
}

impl TrimOptions {
    /// Takes one option if one is next.
    pub(super) fn take(&mut self, args: &mut Args<'_>) -> Result<bool, CommandError> {
        if take_references(args, &mut self.references)? {
            return Ok(true);
        }
        if args.len() < 2 {
            return Ok(false);
        }
        if args.take("maxlen") {
            let threshold = self.take_threshold(args)?;
            let len = args::integer(threshold)?;
            let len = u64::try_from(len).map_err(|_| StreamError::MaxlenNegative)?;
            self.trim = Some(Trim::LenMax(len));
        } else if args.take("minid") {
            let threshold = self.take_threshold(args)?;
            self.trim = Some(Trim::IdMin(id::id(threshold)?));
        } else if args.take("limit") {
            let limit = args.integer()?;
            if limit < 0 {
                return Err(StreamError::LimitNegative.into());
            }
            self.limit = Some(limit);
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    fn take_threshold<'a>(&mut self, args: &mut Args<'a>) -> Result<&'a [u8], CommandError> {
        if self.trim.is_some() {
            return Err(StreamError::TrimTwice.into());
        }
        if 2 <= args.len() {
            self.is_approximate = args.take("~");
            if !self.is_approximate {
                args.take("=");
            }
        }
        args.required()
    }

    /// What was said, for a command that does nothing else.
    pub(super) fn required_rule(self, limits: StreamLimits) -> Result<TrimRule, CommandError> {
        let is_said = self.trim.is_some() || self.limit.is_some_and(|limit| limit != 0);
        let rule = if is_said { self.rule(limits)? } else { None };
        rule.ok_or_else(|| StreamError::TrimMissing.into())
    }

    /// What was said, once all is known.
    pub(super) fn rule(self, limits: StreamLimits) -> Result<Option<TrimRule>, CommandError> {
        let Some(trim) = self.trim else {
            return match self.limit {
                // A limit of 0 is none, and yet one that was said.
                Some(0) => Err(StreamError::LimitWithoutApproximation.into()),
                Some(_) => Err(StreamError::LimitWithoutTrim.into()),
                None => Ok(None),
            };
        };
        if self.limit.is_some() && !self.is_approximate {
            return Err(StreamError::LimitWithoutApproximation.into());
        }
        let limit = match self.limit {
            Some(limit) => limit.unsigned_abs(),
            None if !self.is_approximate => 0,
            None if limits.node_entries_max == 0 => ENTRIES_MAX,
            None => (CHUNKS_MAX * limits.node_entries_max as u64).min(ENTRIES_MAX_MAX),
        };
        let references = self.references.unwrap_or_default();
        Ok(Some(TrimRule { trim, is_approximate: self.is_approximate, limit, references }))
    }
}

/// Takes a word for what becomes of references; only one may be said.
fn take_references(
    args: &mut Args<'_>,
    said: &mut Option<References>,
) -> Result<bool, CommandError> {
    let references = if args.take("keepref") {
        References::Keep
    } else if args.take("delref") {
        References::Delete
    } else if args.take("acked") {
        References::Acknowledged
    } else {
        return Ok(false);
    };
    if said.replace(references).is_some() {
        return Err(CommandError::Syntax);
    }
    Ok(true)
}

/// Ids after a count, and what becomes of references.
#[derive(Clone, Copy)]
pub(super) struct Deletions<'a> {
    argv: Argv<'a>,
    first: usize,
    end: usize,
    pub(super) references: References,
}

impl<'a> Deletions<'a> {
    /// Reads `[KEEPREF | DELREF | ACKED] IDS count id …`, in any order; the ids are checked.
    pub(super) fn parse(argv: Argv<'a>, start: usize) -> Result<Self, CommandError> {
        let mut args = Args::new(argv, start);
        let (mut references, mut ids) = (None, None);
        while !args.is_empty() {
            if take_references(&mut args, &mut references)? {
                continue;
            }
            if ids.is_some() || !args.take("ids") {
                return Err(CommandError::Syntax);
            }
            let count = args.required()?;
            let count = numbers::parse_i64(count).and_then(|n| usize::try_from(n).ok());
            let count = count.filter(|count| 0 < *count).ok_or(StreamError::NumidsNotPositive)?;
            if args.len() < count {
                return Err(StreamError::NumidsMismatch.into());
            }
            let first = args.position();
            ids = Some((first, first + count));
            args = Args::new(argv, first + count);
        }
        let (first, end) = ids.ok_or(CommandError::Syntax)?;
        check_ids(argv, first, end)?;
        Ok(Self { argv, first, end, references: references.unwrap_or_default() })
    }

    /// Number of ids.
    pub(super) fn len(&self) -> usize {
        self.end - self.first
    }

    /// The ids.
    pub(super) fn ids(self) -> impl Iterator<Item = Id> + 'a {
        ids(self.argv, self.first, self.end)
    }
}

/// An error unless these arguments are ids.
pub(super) fn check_ids(argv: Argv<'_>, first: usize, end: usize) -> Result<(), CommandError> {
    (first..end).try_for_each(|index| id::id(argv.at(index)).map(|_| ()))
}

/// The ids among these arguments.
pub(super) fn ids(argv: Argv<'_>, first: usize, end: usize) -> impl Iterator<Item = Id> + '_ {
    (first..end).filter_map(move |index| id::parse(argv.at(index), 0))
}
