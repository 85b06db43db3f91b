//! Ranges by rank, by score and by bytes: ZRANGE and its older forms, ZRANGESTORE, ZCOUNT,
//! ZLEXCOUNT, ZREMRANGEBY…
//!
//! Whatever a range is given by, it becomes one of ranks.

use super::gone_at_once;
use crate::args::{self, Args};
use crate::command::Outcome;
use crate::commands::common::sorted_set::{reply_items, store};
use crate::context::Ctx;
use crate::error::CommandError;
use crate::events::{self, Event};
use base::numbers;
use std::ops::Range;
use store::types::sorted_set::{self, Bound, LargeSortedSet};
use store::{Form, Home, Large, Own};

/// What a range is given by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum By {
    Lex,
    Rank,
    Score,
}

/// A range as the arguments say it.
#[derive(Clone, Copy, Debug)]
enum Limits<'a> {
    Lex(Edge<'a>, Edge<'a>),
    Rank(i64, i64),
    Score(ScoreEdge, ScoreEdge),
}

/// An end of a range by bytes.
#[derive(Clone, Copy, Debug)]
enum Edge<'a> {
    Excluded(&'a [u8]),
    Greatest,
    Included(&'a [u8]),
    Least,
}

/// An end of a range by score.
#[derive(Clone, Copy, Debug)]
struct ScoreEdge {
    score: f64,
    is_excluded: bool,
}

/// What a call of the ZRANGE family asks for.
struct RangeCall<'a> {
    limits: Limits<'a>,
    is_reverse: bool,
    offset: i64,
    count: i64,
    with_scores: bool,
}

/// `ZCOUNT key min max` → number of members with scores in a range. O(log N).
pub(super) fn zcount(ctx: &mut Ctx<'_, '_>) -> Outcome {
    count(ctx, By::Score)
}

/// `ZLEXCOUNT key min max` → number of members in a range, when all have the same score. O(log N).
pub(super) fn zlexcount(ctx: &mut Ctx<'_, '_>) -> Outcome {
    count(ctx, By::Lex)
}

/// `ZRANGE key start stop [BYSCORE | BYLEX] [REV] [LIMIT offset count] [WITHSCORES]` → the members
/// in a range. O(log N + members).
pub(super) fn zrange(ctx: &mut Ctx<'_, '_>) -> Outcome {
    reply_range(ctx, None, None)
}

/// `ZRANGEBYLEX key min max [LIMIT offset count]` → as ZRANGE with BYLEX. O(log N + members).
pub(super) fn zrangebylex(ctx: &mut Ctx<'_, '_>) -> Outcome {
    reply_range(ctx, Some(By::Lex), Some(false))
}

/// `ZRANGEBYSCORE key min max [WITHSCORES] [LIMIT offset count]` → as ZRANGE with BYSCORE.
/// O(log N + members).
pub(super) fn zrangebyscore(ctx: &mut Ctx<'_, '_>) -> Outcome {
    reply_range(ctx, Some(By::Score), Some(false))
}

/// `ZREVRANGE key start stop [WITHSCORES]` → as ZRANGE with REV. O(log N + members).
pub(super) fn zrevrange(ctx: &mut Ctx<'_, '_>) -> Outcome {
    reply_range(ctx, Some(By::Rank), Some(true))
}

/// `ZREVRANGEBYLEX key max min [LIMIT offset count]` → as ZRANGE with BYLEX and REV.
/// O(log N + members).
pub(super) fn zrevrangebylex(ctx: &mut Ctx<'_, '_>) -> Outcome {
    reply_range(ctx, Some(By::Lex), Some(true))
}

/// `ZREVRANGEBYSCORE key max min [WITHSCORES] [LIMIT offset count]` → as ZRANGE with BYSCORE and
/// REV. O(log N + members).
pub(super) fn zrevrangebyscore(ctx: &mut Ctx<'_, '_>) -> Outcome {
    reply_range(ctx, Some(By::Score), Some(true))
}

/// `ZRANGESTORE destination source start stop [BYSCORE | BYLEX] [REV] [LIMIT offset count]` →
/// number of members of what ZRANGE replies, which is stored. O(log N + members log members).
pub(super) fn zrangestore(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let call = RangeCall::parse(Args::new(ctx.argv, 3), None, None, Scores::Stored)?;
    let limits = ctx.settings.types.zset;
    let mut result = Own::default();
    if let Some(form) = ctx.data.read_as::<LargeSortedSet>(ctx.key(2))? {
        let ranks = call.ranks(form);
        sorted_set::reserve(&mut result, ranks.len(), 0, &limits);
        for item in sorted_set::iter(form, ranks) {
            sorted_set::set(&mut result, item.member, item.score, &limits);
        }
    }
    let len = store(ctx, ctx.key(1), result, events::ZRANGESTORE);
    ctx.reply.integer(len as i64);
    Ok(())
}

/// `ZREMRANGEBYLEX key min max` → number of members removed. O(log N + members).
pub(super) fn zremrangebylex(ctx: &mut Ctx<'_, '_>) -> Outcome {
    remove_range(ctx, By::Lex, events::ZREMRANGEBYLEX)
}

/// `ZREMRANGEBYRANK key start stop` → number of members removed. O(log N + members).
pub(super) fn zremrangebyrank(ctx: &mut Ctx<'_, '_>) -> Outcome {
    remove_range(ctx, By::Rank, events::ZREMRANGEBYRANK)
}

/// `ZREMRANGEBYSCORE key min max` → number of members removed. O(log N + members).
pub(super) fn zremrangebyscore(ctx: &mut Ctx<'_, '_>) -> Outcome {
    remove_range(ctx, By::Score, events::ZREMRANGEBYSCORE)
}

fn count(ctx: &mut Ctx<'_, '_>, by: By) -> Outcome {
    let limits = Limits::parse(by, ctx.argv.at(2), ctx.argv.at(3))?;
    let form = ctx.data.read_as::<LargeSortedSet>(ctx.key(1))?;
    ctx.reply.integer(form.map_or(0, |form| limits.ranks(form).len()) as i64);
    Ok(())
}

/// `by` and the direction are given by the older commands; otherwise by options.
fn reply_range(ctx: &mut Ctx<'_, '_>, by: Option<By>, is_reverse: Option<bool>) -> Outcome {
    let call = RangeCall::parse(Args::new(ctx.argv, 2), by, is_reverse, Scores::Optional)?;
    let Some(form) = ctx.data.read_as::<LargeSortedSet>(ctx.key(1))? else {
        ctx.reply.array(0);
        return Ok(());
    };
    let ranks = call.ranks(form);
    let items = match call.is_reverse {
        true => sorted_set::iter_back(form, ranks),
        false => sorted_set::iter(form, ranks),
    };
    reply_items(ctx.reply, items, call.with_scores);
    Ok(())
}

fn remove_range(ctx: &mut Ctx<'_, '_>, by: By, event: Event) -> Outcome {
    let limits = Limits::parse(by, ctx.argv.at(2), ctx.argv.at(3))?;
    let key = ctx.key(1);
    // All at once goes without looking at any; some go one after the other.
    let all = |form: Form<'_, LargeSortedSet>| gone_at_once(form, limits.ranks(form).len());
    let removed = ctx.data.cut::<LargeSortedSet, _>(key, all, |home| {
        let ranks = limits.ranks(home.form());
        sorted_set::remove_ranks(home, ranks.clone());
        ranks.len()
    })?;
    let count = removed.as_ref().map_or(0, |removed| removed.result);
    if count != 0 {
        ctx.data.changed(key, event);
    }
    if removed.is_some_and(|removed| removed.is_emptied) {
        ctx.data.noted(key, events::DEL);
    }
    ctx.reply.integer(count as i64);
    Ok(())
}

/// Whether scores are an option.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Scores {
    Optional,
    Stored,
}

impl<'a> RangeCall<'a> {
    /// Reads the arguments from the first end of the range on.
    fn parse(
        mut args: Args<'a>,
        by: Option<By>,
        is_reverse: Option<bool>,
        scores: Scores,
    ) -> Result<Self, CommandError> {
        let (first, second) = (args.required()?, args.required()?);
        let (mut chosen, mut reverses) = (by, is_reverse);
        let (mut limit, mut with_scores) = (None, false);
        while !args.is_empty() {
            if scores == Scores::Optional && args.take("withscores") {
                with_scores = true;
            } else if 3 <= args.len() && args.take("limit") {
                limit = Some((args.integer()?, args.integer()?));
            } else if chosen.is_none() && args.take("bylex") {
                chosen = Some(By::Lex);
            } else if chosen.is_none() && args.take("byscore") {
                chosen = Some(By::Score);
            } else if reverses.is_none() && args.take("rev") {
                reverses = Some(true);
            } else {
                return Err(CommandError::Syntax);
            }
        }
        let (by, is_reverse) = (chosen.unwrap_or(By::Rank), reverses.unwrap_or(false));
        if by == By::Rank && limit.is_some_and(|(_, count)| count != -1) {
            return Err(CommandError::RangeLimitByRank);
        }
        if by == By::Lex && with_scores {
            return Err(CommandError::RangeScoresByLex);
        }
        let is_swapped = is_reverse && by != By::Rank;
        let (min, max) = if is_swapped { (second, first) } else { (first, second) };
        let (offset, count) = limit.unwrap_or((0, -1));
        let limits = Limits::parse(by, min, max)?;
        Ok(Self { limits, is_reverse, offset, count, with_scores })
    }

    /// The ranks that are asked for, in either direction.
    fn ranks(&self, form: Form<'_, LargeSortedSet>) -> Range<usize> {
        let all = match self.limits {
            Limits::Rank(start, stop) => {
                let len = LargeSortedSet::len(form);
                let ranks = rank_range(start, stop, len);
                return if self.is_reverse { len - ranks.end..len - ranks.start } else { ranks };
            }
            limits => limits.ranks(form),
        };
        let Ok(offset) = usize::try_from(self.offset) else { return 0..0 };
        let offset = offset.min(all.len());
        let count = usize::try_from(self.count).unwrap_or(usize::MAX).min(all.len() - offset);
        if self.is_reverse {
            all.end - offset - count..all.end - offset
        } else {
            all.start + offset..all.start + offset + count
        }
    }
}

impl<'a> Limits<'a> {
    fn parse(by: By, min: &'a [u8], max: &'a [u8]) -> Result<Self, CommandError> {
        Ok(match by {
            By::Lex => Self::Lex(Edge::parse(min)?, Edge::parse(max)?),
            By::Rank => Self::Rank(args::integer(min)?, args::integer(max)?),
            By::Score => Self::Score(ScoreEdge::parse(min)?, ScoreEdge::parse(max)?),
        })
    }

    /// The ranks of the members inside.
    fn ranks(self, form: Form<'_, LargeSortedSet>) -> Range<usize> {
        let len = LargeSortedSet::len(form);
        let before = |bound| sorted_set::count_before(form, bound);
        let (start, end) = match self {
            Self::Rank(start, stop) => return rank_range(start, stop, len),
            Self::Lex(min, max) => {
                let start = match min {
                    Edge::Excluded(member) => before(Bound::AfterMember(member)),
                    Edge::Greatest => len,
                    Edge::Included(member) => before(Bound::BeforeMember(member)),
                    Edge::Least => 0,
                };
                let end = match max {
                    Edge::Excluded(member) => before(Bound::BeforeMember(member)),
                    Edge::Greatest => len,
                    Edge::Included(member) => before(Bound::AfterMember(member)),
                    Edge::Least => 0,
                };
                (start, end)
            }
            Self::Score(min, max) => {
                let start = match min.is_excluded {
                    true => Bound::AfterScore(min.score),
                    false => Bound::BeforeScore(min.score),
                };
                let end = match max.is_excluded {
                    true => Bound::BeforeScore(max.score),
                    false => Bound::AfterScore(max.score),
                };
                (before(start), before(end))
            }
        };
        start..end.max(start)
    }
}

impl<'a> Edge<'a> {
    fn parse(argument: &'a [u8]) -> Result<Self, CommandError> {
        match argument {
            b"+" => Ok(Self::Greatest),
            b"-" => Ok(Self::Least),
            [b'(', member @ ..] => Ok(Self::Excluded(member)),
            [b'[', member @ ..] => Ok(Self::Included(member)),
            _ => Err(CommandError::RangeNotLex),
        }
    }
}

impl ScoreEdge {
    fn parse(argument: &[u8]) -> Result<Self, CommandError> {
        let (number, is_excluded) = match argument {
            [b'(', number @ ..] => (number, true),
            number => (number, false),
        };
        let score = numbers::parse_f64_bound(number).ok_or(CommandError::RangeNotFloat)?;
        Ok(Self { score, is_excluded })
    }
}

/// Ranks from one to another, the last one included; negative ones count from the end.
fn rank_range(start: i64, stop: i64, len: usize) -> Range<usize> {
    let from_end = |rank: i64| if rank < 0 { rank + len as i64 } else { rank };
    let start = from_end(start).max(0) as usize;
    let end = (from_end(stop).saturating_add(1).max(0) as usize).min(len);
    if start < end { start..end } else { 0..0 }
}
