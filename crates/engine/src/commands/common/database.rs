//! Numbers of databases as arguments.

use crate::args;
use crate::context::Ctx;
use crate::error::CommandError;

/// The database that an argument names.
pub(crate) fn database(ctx: &Ctx<'_, '_>, argument: &[u8]) -> Result<usize, CommandError> {
    in_range(ctx, args::integer_32(argument)?)
}

/// The database with this number.
pub(crate) fn in_range(ctx: &Ctx<'_, '_>, number: i32) -> Result<usize, CommandError> {
    let count = ctx.data.keyspace().databases();
    usize::try_from(number)
        .ok()
        .filter(|db| *db < count)
        .ok_or(CommandError::DatabaseIndexOutOfRange)
}
