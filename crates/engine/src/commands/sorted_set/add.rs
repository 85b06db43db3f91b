//! What gives members their scores: ZADD, ZINCRBY.

use crate::args::{self, Args};
use crate::command::Outcome;
use crate::commands::common::sorted_set::{AddOptions, Scores, add, check_add_options};
use crate::context::Ctx;
use crate::error::CommandError;

/// `ZADD key [NX | XX] [GT | LT] [CH] [INCR] score member [score member …]` → number of members
/// added, with CH also of those with another score; with INCR the new score or null. O(log N) each.
pub(super) fn zadd(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let mut args = Args::new(ctx.argv, 2);
    let mut options = AddOptions::default();
    while options.take_basic(&mut args) || take_other(&mut options, &mut args) {}
    if args.is_empty() || !args.len().is_multiple_of(2) {
        return Err(CommandError::Syntax);
    }
    check_add_options(options)?;
    if options.increments && 2 < args.len() {
        return Err(CommandError::AddIncrementsMany);
    }
    set_scores(ctx, options, args.position())
}

/// `ZINCRBY key increment member` → the new score. O(log N).
pub(super) fn zincrby(ctx: &mut Ctx<'_, '_>) -> Outcome {
    // As in ZADD a word of these is an option, after which a score and a member are missing.
    if OPTION_WORDS.iter().any(|word| args::is_word(ctx.argv.at(2), word)) {
        return Err(CommandError::Syntax);
    }
    set_scores(ctx, AddOptions { increments: true, ..AddOptions::default() }, 2)
}

/// Every option of ZADD.
const OPTION_WORDS: [&str; 6] = ["ch", "gt", "incr", "lt", "nx", "xx"];

fn take_other(options: &mut AddOptions, args: &mut Args<'_>) -> bool {
    let others = [
        ("gt", &mut options.only_greater),
        ("incr", &mut options.increments),
        ("lt", &mut options.only_less),
    ];
    for (word, option) in others {
        if args.take(word) {
            *option = true;
            return true;
        }
    }
    false
}

/// Adds the pairs of score and member from argument `start` on, and replies.
fn set_scores(ctx: &mut Ctx<'_, '_>, options: AddOptions, start: usize) -> Outcome {
    let scores: Result<Scores, CommandError> =
        (start..ctx.argv.len()).step_by(2).map(|index| args::float(ctx.argv.at(index))).collect();
    let scores = scores?;
    let added = add(ctx, options, &scores, |index| start + 2 * index + 1)?;
    if options.increments {
        let first = scores.first().copied();
        match added.last.and_then(|change| if change.is_added() { first } else { change.new }) {
            // A member that is new has the very score that was asked for, negative zero included.
            Some(score) => ctx.reply.double(score),
            None => ctx.reply.null(),
        }
    } else {
        let updated = if options.counts_changes { added.updated } else { 0 };
        ctx.reply.integer((added.added + updated) as i64);
    }
    Ok(())
}
