//! `FIELDS numfields field …`, and times for fields, as arguments.

use crate::args::{self, Args};
use crate::commands::common::deadline::{self, TimeForm};
use crate::error::CommandError;
use resp::Argv;

/// The latest deadline that a field may have, in Unix milliseconds: what Redis can keep.
const DEADLINE_MAX: i64 = (1 << 46) - 1;

/// The fields that a call names.
#[derive(Clone, Copy)]
pub(super) struct FieldList<'a> {
    argv: Argv<'a>,
    first: usize,
    pub(super) count: usize,
}

impl<'a> FieldList<'a> {
    /// The rest of the arguments; `not_a_count` is said of a count that is none.
    pub(super) fn parse(
        mut args: Args<'a>,
        argv: Argv<'a>,
        not_a_count: CommandError,
    ) -> Result<Self, CommandError> {
        if !args.take("fields") {
            return Err(CommandError::FieldsMissing);
        }
        let count = args.next().and_then(base::numbers::parse_i64).filter(|count| 0 < *count);
        let count = usize::try_from(count.ok_or(not_a_count)?).unwrap_or(usize::MAX);
        if count != args.len() {
            return Err(CommandError::FieldCountWrong);
        }
        Ok(Self { argv, first: args.position(), count })
    }

    pub(super) fn iter(self) -> impl Iterator<Item = &'a [u8]> {
        self.argv.iter().skip(self.first)
    }
}

/// The deadline that a field's time means, in Unix milliseconds; it may have passed already.
pub(super) fn deadline(
    form: TimeForm,
    time: &[u8],
    now_ms: u64,
    command: &'static str,
) -> Result<u64, CommandError> {
    let time = args::integer(time)?;
    if time < 0 {
        return Err(CommandError::ExpireTimeNegative);
    }
    deadline::absolute_ms(form, time, now_ms)
        .filter(|deadline| *deadline <= DEADLINE_MAX)
        .and_then(|deadline| u64::try_from(deadline).ok())
        .ok_or(CommandError::ExpireTimeInvalid(command))
}
