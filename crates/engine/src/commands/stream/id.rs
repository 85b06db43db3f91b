//! Ids as arguments: complete ones, bounds of ranges, and those of entries to come.

use crate::error::{CommandError, StreamError};
use base::numbers;
use store::types::stream::Id;

/// Longest id that is looked at.
const LEN_MAX: usize = 127;

/// The id of an entry that is to be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NewId {
    /// `*`
    Auto,
    /// `ms-*`
    AutoSeq(u64),
    Given(Id),
}

/// An id `ms-seq`, or `ms` alone, which stands for `ms-0`.
pub(super) fn id(argument: &[u8]) -> Result<Id, CommandError> {
    parse(argument, 0).ok_or_else(invalid)
}

/// As [`id`]; `-` and `+` are the least and the greatest.
pub(super) fn bound(argument: &[u8]) -> Result<Id, CommandError> {
    either_end(argument, 0).ok_or_else(invalid)
}

/// Where a range begins; after `(` the id itself is left out.
pub(super) fn range_start(argument: &[u8]) -> Result<Id, CommandError> {
    match argument.strip_prefix(b"(") {
        Some(rest) => id(rest)?.next().ok_or_else(|| StreamError::RangeStart.into()),
        None => bound(argument),
    }
}

/// Where a range ends; a time alone stands for all ids of it.
pub(super) fn range_end(argument: &[u8]) -> Result<Id, CommandError> {
    match argument.strip_prefix(b"(") {
        Some(rest) => {
            let id = parse(rest, u64::MAX).ok_or_else(invalid)?;
            id.previous().ok_or_else(|| StreamError::RangeEnd.into())
        }
        None => either_end(argument, u64::MAX).ok_or_else(invalid),
    }
}

/// The id of an entry to add.
pub(super) fn new_id(argument: &[u8]) -> Result<NewId, CommandError> {
    if argument == b"*" {
        return Ok(NewId::Auto);
    }
    if let Some(ms) = argument.strip_suffix(b"-*") {
        return numbers::parse_u64_loose(ms).map(NewId::AutoSeq).ok_or_else(invalid);
    }
    id(argument).map(NewId::Given)
}

/// The id, if this is one.
pub(super) fn parse(argument: &[u8], seq_missing: u64) -> Option<Id> {
    if LEN_MAX < argument.len() {
        return None;
    }
    let Some(dash) = argument.iter().position(|byte| *byte == b'-') else {
        return Some(Id::new(numbers::parse_u64_loose(argument)?, seq_missing));
    };
    let ms = numbers::parse_u64_loose(&argument[..dash])?;
    Some(Id::new(ms, numbers::parse_u64_loose(&argument[dash + 1..])?))
}

fn either_end(argument: &[u8], seq_missing: u64) -> Option<Id> {
    match argument {
        b"-" => Some(Id::MIN),
        b"+" => Some(Id::MAX),
        _ => parse(argument, seq_missing),
    }
}

fn invalid() -> CommandError {
    StreamError::IdInvalid.into()
}
