//! LPOS: where an element stands.

use crate::args::{self, Args};
use crate::command::Outcome;
use crate::context::Ctx;
use crate::error::CommandError;
use store::types::list::{End, LargeList, Positions};

/// What LPOS is asked for.
struct Search {
    end: End,
    /// Matches that are passed over.
    skipped: usize,
    /// Most matches; none: one, not in an array.
    count: Option<usize>,
    /// Most elements that are looked at.
    len_max: usize,
}

/// `LPOS key element [RANK rank] [COUNT matches] [MAXLEN len]` → the index of the element, or null;
/// with COUNT, an array of indices. O(N).
pub(super) fn lpos(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let search = Search::parse(Args::new(ctx.argv, 3))?;
    let text = ctx.argv.at(2);
    let Some(form) = ctx.data.read_as::<LargeList>(ctx.key(1))? else {
        match search.count {
            Some(_) => ctx.reply.array(0),
            None => ctx.reply.null(),
        }
        return Ok(());
    };
    let mut found = Positions::new(form, search.end, text, search.len_max).skip(search.skipped);
    match search.count {
        None => match found.next() {
            Some(index) => ctx.reply.integer(index as i64),
            None => ctx.reply.null(),
        },
        Some(count) => {
            let mark = ctx.reply.begin_array();
            let mut len = 0;
            for index in found.take(count) {
                ctx.reply.integer(index as i64);
                len += 1;
            }
            ctx.reply.finish_array(mark, len);
        }
    }
    Ok(())
}

impl Search {
    fn parse(mut args: Args<'_>) -> Result<Self, CommandError> {
        let mut search = Self { end: End::Head, skipped: 0, count: None, len_max: usize::MAX };
        while !args.is_empty() {
            let is_last = args.len() == 1;
            if !is_last && args.take("rank") {
                search.set_rank(args.integer()?)?;
            } else if !is_last && args.take("count") {
                search.count = Some(limit(&mut args).ok_or(CommandError::CountNegative)?);
            } else if !is_last && args.take("maxlen") {
                search.len_max = limit(&mut args).ok_or(CommandError::MaxlenNegative)?;
            } else {
                return Err(CommandError::Syntax);
            }
        }
        Ok(search)
    }

    fn set_rank(&mut self, rank: i64) -> Outcome {
        match rank {
            0 => return Err(CommandError::RankZero),
            i64::MIN => return Err(CommandError::OutOfRangeLong),
            _ => {}
        }
        self.end = if rank < 0 { End::Tail } else { End::Head };
        self.skipped = rank.unsigned_abs() as usize - 1;
        Ok(())
    }
}

/// A number of which 0 means all.
fn limit(args: &mut Args<'_>) -> Option<usize> {
    let limit = args::integer(args.next()?).ok().and_then(|limit| usize::try_from(limit).ok())?;
    Some(if limit == 0 { usize::MAX } else { limit })
}
