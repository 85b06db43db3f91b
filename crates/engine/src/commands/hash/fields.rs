//! `FIELDS numfields field …`, and times for fields, as arguments.

use crate::args::{self, Args};
use crate::commands::common::deadline::{self, TimeForm};
use crate::context::Ctx;
use crate::dialect::Dialect;
use crate::error::CommandError;
use resp::Argv;
use store::types::hash::LargeHash;

/// The latest deadline that a field may have, in Unix milliseconds: what Redis can keep.
const DEADLINE_MAX: i64 = (1 << 46) - 1;

/// The fields that a call names.
#[derive(Clone, Copy)]
pub(super) struct FieldList<'a> {
    argv: Argv<'a>,
    first: usize,
    pub(super) count: usize,
}

/// FIELDS and what stands behind it, as Valkey reads them: the word is looked for before anything
/// else is read.
pub(super) struct Found<'a> {
    pub(super) fields: FieldList<'a>,
    /// What stands between the key and FIELDS, from argument `first` on.
    pub(super) options: Args<'a>,
}

impl<'a> Found<'a> {
    /// Looks for FIELDS from argument `first` on; `len` arguments belong to each field.
    pub(super) fn find(argv: Argv<'a>, first: usize, len: usize) -> Result<Self, CommandError> {
        let at = (first..argv.len()).find(|index| args::is_word(argv.at(*index), "fields"));
        let at = at.ok_or(CommandError::FieldCountWrongValkey)?;
        let fields = FieldList::counted(argv, at, len, CommandError::FieldCountWrongValkey)?;
        Ok(Self { fields, options: Args::new(argv.range(0, at), first) })
    }
}

impl<'a> FieldList<'a> {
    /// `FIELDS numfields field …` as the arguments from `first` on, of a hash that may be there.
    pub(super) fn of_hash(
        ctx: &mut Ctx<'a, '_>,
        first: usize,
        wrong_in_valkey: CommandError,
    ) -> Result<Self, CommandError> {
        let argv = ctx.argv;
        if !ctx.settings.dialect.differences().finds_fields_first {
            ctx.data.look_as::<LargeHash>(ctx.key(1))?;
            return Self::parse(ctx, Args::new(argv, first), CommandError::FieldCount);
        }
        if !args::is_word(argv.at(first), "fields") {
            return Err(CommandError::Syntax);
        }
        let fields = Self::counted(argv, first, 1, wrong_in_valkey)?;
        ctx.data.look_as::<LargeHash>(ctx.key(1))?;
        Ok(fields)
    }

    /// The fields behind the word at argument `at`, each of `len` arguments.
    fn counted(
        argv: Argv<'a>,
        at: usize,
        len: usize,
        wrong: CommandError,
    ) -> Result<Self, CommandError> {
        let Some(count) = argv.get(at + 1) else { return Err(wrong) };
        let count = args::integer(count)?;
        let count = usize::try_from(count)
            .ok()
            .filter(|count| 0 < *count && count.checked_mul(len) == Some(argv.len() - (at + 2)));
        Ok(Self { argv, first: at + 2, count: count.ok_or(wrong)? })
    }

    /// The rest of the arguments; `not_a_count` is said of a count that is none.
    pub(super) fn parse(
        ctx: &Ctx<'a, '_>,
        mut args: Args<'a>,
        not_a_count: CommandError,
    ) -> Result<Self, CommandError> {
        let argv = ctx.argv;
        if !args.take("fields") {
            return Err(CommandError::FieldsMissing);
        }
        if args.is_empty() {
            return Err(CommandError::WrongArity(ctx.entry.full_name.clone()));
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

    /// The argument that is the first field.
    pub(super) fn first(self) -> usize {
        self.first
    }
}

/// The deadline that a field's time means, in Unix milliseconds; it may have passed already.
pub(super) fn deadline(
    form: TimeForm,
    time: &[u8],
    now_ms: u64,
    (command, dialect): (&'static str, Dialect),
) -> Result<u64, CommandError> {
    let time = args::integer(time)?;
    if time < 0 {
        return Err(if dialect.differences().finds_fields_first {
            CommandError::ExpireTimeInvalid(command)
        } else {
            CommandError::ExpireTimeNegative
        });
    }
    deadline::absolute_ms(form, time, now_ms)
        .filter(|deadline| *deadline <= DEADLINE_MAX)
        .and_then(|deadline| u64::try_from(deadline).ok())
        .ok_or(CommandError::ExpireTimeInvalid(command))
}
