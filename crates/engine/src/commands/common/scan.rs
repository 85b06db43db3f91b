//! What SCAN and its relatives have in common: cursor, options, reply.

use crate::args::Args;
use crate::error::CommandError;
use base::{glob, numbers};
use resp::Reply;

/// Elements that are looked at unless COUNT says otherwise.
const COUNT_DEFAULT: usize = 10;

/// The options of a call.
pub(crate) struct ScanOptions<'a> {
    /// Elements that are wanted, about.
    pub(crate) count: usize,
    pattern: Option<&'a [u8]>,
}

impl<'a> ScanOptions<'a> {
    /// `[MATCH pattern] [COUNT count]`, and options of its own that `take_other` takes.
    pub(crate) fn parse(
        mut args: Args<'a>,
        mut take_other: impl FnMut(&mut Args<'a>) -> Result<bool, CommandError>,
    ) -> Result<Self, CommandError> {
        let mut options = Self { count: COUNT_DEFAULT, pattern: None };
        while !args.is_empty() {
            if args.take("count") {
                let count = args.integer()?;
                options.count = usize::try_from(count).map_err(|_| CommandError::Syntax)?;
                if count == 0 {
                    return Err(CommandError::Syntax);
                }
            } else if args.take("match") {
                options.pattern = Some(args.required()?);
            } else if !take_other(&mut args)? {
                let is_hash_only = args.take("novalues");
                return Err(match is_hash_only {
                    true => CommandError::ScanNoValues,
                    false => CommandError::Syntax,
                });
            }
        }
        Ok(options)
    }

    /// Whether an element of this name is wanted.
    #[inline]
    pub(crate) fn accept(&self, name: &[u8]) -> bool {
        self.pattern.is_none_or(|pattern| glob::matches(pattern, name))
    }
}

/// Reads a cursor as clients send it.
pub(crate) fn cursor(argument: &[u8]) -> Result<u64, CommandError> {
    numbers::parse_u64_loose(argument).ok_or(CommandError::CursorInvalid)
}

/// Replies with the next cursor and the `count` elements of `found`.
pub(crate) fn reply_page(reply: &mut Reply, next: u64, count: usize, found: &mut Reply) {
    reply.array(2);
    reply.bulk(numbers::IntegerBuffer::new().format_u64(next));
    reply.array(count);
    reply.append(found);
}
