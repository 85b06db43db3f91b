//! ZRANDMEMBER: members drawn at random.

use crate::args;
use crate::command::Outcome;
use crate::commands::common::sorted_set::reply_items;
use crate::context::Ctx;
use crate::error::CommandError;
use base::rand::Rng;
use std::collections::HashSet;
use store::types::sorted_set::{self, Item, LargeSortedSet};
use store::{Form, Large};

/// Draws without repetition from more than a third of the members shuffle them all.
const SHUFFLED_PART: usize = 3;

/// `ZRANDMEMBER key [count [WITHSCORES]]` → a member, or `count` different ones, or, if it is
/// negative, as many that may repeat. O(count log N).
pub(super) fn zrandmember(ctx: &mut Ctx<'_, '_>) -> Outcome {
    if ctx.argv.len() == 2 {
        return draw_one(ctx);
    }
    let count = args::integer(ctx.argv.at(2))?;
    let with_scores = match ctx.argv.get(3) {
        None => false,
        Some(word) if ctx.argv.len() == 4 && args::is_word(word, "withscores") => true,
        Some(_) => return Err(CommandError::Syntax),
    };
    let is_too_large = with_scores && i64::MAX as u64 / 2 < count.unsigned_abs();
    if count == i64::MIN {
        return Err(CommandError::OutOfRangeLong);
    }
    if is_too_large {
        return Err(CommandError::OutOfRange);
    }
    let mut rng = Rng::new(ctx.data.rng.next_u64());
    let Some(form) = ctx.data.read_as::<LargeSortedSet>(ctx.key(1))? else {
        ctx.reply.array(0);
        return Ok(());
    };
    let len = LargeSortedSet::len(form);
    let wanted = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    if count < 0 {
        let draws = (0..wanted).map(|_| item(form, rng.index(len)));
        reply_items(ctx.reply, draws, with_scores);
    } else if len <= wanted {
        reply_items(ctx.reply, sorted_set::all(form), with_scores);
    } else {
        let ranks = sample(len, wanted, &mut rng);
        reply_items(ctx.reply, ranks.into_iter().map(|rank| item(form, rank)), with_scores);
    }
    Ok(())
}

fn draw_one(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let draw = ctx.data.rng.next_f64();
    match ctx.data.read_as::<LargeSortedSet>(ctx.key(1))? {
        None => ctx.reply.null(),
        Some(form) => {
            let len = LargeSortedSet::len(form);
            let rank = ((draw * len as f64) as usize).min(len - 1);
            ctx.reply.bulk(item(form, rank).member);
        }
    }
    Ok(())
}

fn item(form: Form<'_, LargeSortedSet>, rank: usize) -> Item<'_> {
    sorted_set::at(form, rank).expect("the rank is below the number of members")
}

/// `count` different numbers below `len`, each choice equally likely.
fn sample(len: usize, count: usize, rng: &mut Rng) -> Vec<usize> {
    if len < SHUFFLED_PART.saturating_mul(count) {
        let mut all: Vec<usize> = (0..len).collect();
        for place in 0..count {
            let other = place + rng.index(len - place);
            all.swap(place, other);
        }
        all.truncate(count);
        return all;
    }
    let mut seen = HashSet::with_capacity(count);
    let mut ranks = Vec::with_capacity(count);
    while ranks.len() < count {
        let rank = rng.index(len);
        if seen.insert(rank) {
            ranks.push(rank);
        }
    }
    ranks
}
