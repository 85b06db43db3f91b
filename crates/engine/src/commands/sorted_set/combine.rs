//! Several sorted sets at once, or sets: union, intersection and difference, as a reply, a number or
//! another sorted set.
//!
//! All keys are looked at first, so that one of a wrong type leaves everything as it was.

use crate::args::{self, Args};
use crate::command::Outcome;
use crate::commands::common::sorted_set::{reply_items, store};
use crate::context::Ctx;
use crate::data::Data;
use crate::error::CommandError;
use crate::events::{self, Event};
use std::ops::Range;
use store::types::set::LargeSet;
use store::types::sorted_set::{self, Aggregate, LargeSortedSet, Source, Weighted};
use store::{Home, Key, Kind, Own};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Combination {
    Difference,
    Intersection,
    Union,
}

/// What is done with the members that come of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Use {
    Count,
    Reply,
    Store,
}

/// `ZDIFF numkeys key [key …] [WITHSCORES]` → the members of the first that no other has.
/// O(first × keys + members log members).
pub(super) fn zdiff(ctx: &mut Ctx<'_, '_>) -> Outcome {
    reply_combined(ctx, Combination::Difference)
}

/// `ZDIFFSTORE destination numkeys key [key …]` → number of members of what ZDIFF replies, which is
/// stored. O(first × keys + members log members).
pub(super) fn zdiffstore(ctx: &mut Ctx<'_, '_>) -> Outcome {
    store_combined(ctx, Combination::Difference, events::ZDIFFSTORE)
}

/// `ZINTER numkeys key [key …] [WEIGHTS weight …] [AGGREGATE <SUM | MIN | MAX>] [WITHSCORES]` → the
/// members that all have. O(smallest × keys + members log members).
pub(super) fn zinter(ctx: &mut Ctx<'_, '_>) -> Outcome {
    reply_combined(ctx, Combination::Intersection)
}

/// `ZINTERCARD numkeys key [key …] [LIMIT limit]` → how many members all have, at most `limit`.
/// O(smallest × keys).
pub(super) fn zintercard(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let call = CombineCall::parse(ctx, 1, Combination::Intersection, Use::Count)?;
    let limit = if call.limit == 0 { usize::MAX } else { call.limit };
    let sources = call.keys.map(|index| source(ctx.data, ctx.key(index))).collect();
    let len = sorted_set::intersection_len(sources, limit);
    ctx.reply.integer(len as i64);
    Ok(())
}

/// `ZINTERSTORE destination numkeys key [key …] [WEIGHTS weight …] [AGGREGATE <SUM | MIN | MAX>]` →
/// number of members of what ZINTER replies, which is stored. O(smallest × keys + members log
/// members).
pub(super) fn zinterstore(ctx: &mut Ctx<'_, '_>) -> Outcome {
    store_combined(ctx, Combination::Intersection, events::ZINTERSTORE)
}

/// `ZUNION numkeys key [key …] [WEIGHTS weight …] [AGGREGATE <SUM | MIN | MAX>] [WITHSCORES]` → the
/// members of all. O(members log members).
pub(super) fn zunion(ctx: &mut Ctx<'_, '_>) -> Outcome {
    reply_combined(ctx, Combination::Union)
}

/// `ZUNIONSTORE destination numkeys key [key …] [WEIGHTS weight …] [AGGREGATE <SUM | MIN | MAX>]` →
/// number of members of what ZUNION replies, which is stored. O(members log members).
pub(super) fn zunionstore(ctx: &mut Ctx<'_, '_>) -> Outcome {
    store_combined(ctx, Combination::Union, events::ZUNIONSTORE)
}

fn reply_combined(ctx: &mut Ctx<'_, '_>, combination: Combination) -> Outcome {
    let call = CombineCall::parse(ctx, 1, combination, Use::Reply)?;
    let result = call.result(ctx);
    reply_items(ctx.reply, sorted_set::all(result.form()), call.with_scores);
    Ok(())
}

fn store_combined(ctx: &mut Ctx<'_, '_>, combination: Combination, event: Event) -> Outcome {
    let call = CombineCall::parse(ctx, 2, combination, Use::Store)?;
    let result = call.result(ctx);
    let len = store(ctx, ctx.key(1), result, event);
    ctx.reply.integer(len as i64);
    Ok(())
}

struct CombineCall {
    combination: Combination,
    keys: Range<usize>,
    aggregate: Aggregate,
    /// Of each key; none: 1 for all.
    weights: Vec<f64>,
    with_scores: bool,
    limit: usize,
}

impl CombineCall {
    /// Reads the arguments from the number of keys on, and checks the types of the keys.
    fn parse(
        ctx: &mut Ctx<'_, '_>,
        position: usize,
        combination: Combination,
        usage: Use,
    ) -> Result<Self, CommandError> {
        let count = args::integer(ctx.argv.at(position))?;
        if count < 1 {
            return Err(CommandError::NoInputKeys(ctx.entry.full_name.clone()));
        }
        let first = position + 1;
        let room = ctx.argv.len() - first;
        let count = usize::try_from(count).ok().filter(|count| *count <= room);
        let keys = first..first + count.ok_or(CommandError::Syntax)?;
        for index in keys.clone() {
            let kind = ctx.data.read(ctx.key(index)).map(|entry| entry.kind());
            if kind.is_some_and(|kind| !matches!(kind, Kind::Set | Kind::SortedSet)) {
                return Err(CommandError::WrongType);
            }
        }
        let args = Args::new(ctx.argv, keys.end);
        let call = Self {
            combination,
            keys,
            aggregate: Aggregate::Sum,
            weights: Vec::new(),
            with_scores: false,
            limit: 0,
        };
        call.with_options(args, usage)
    }

    fn with_options(mut self, mut args: Args<'_>, usage: Use) -> Result<Self, CommandError> {
        let is_weighted = self.combination != Combination::Difference && usage != Use::Count;
        while !args.is_empty() {
            if is_weighted && self.keys.len() < args.len() && args.take("weights") {
                self.weights.clear();
                for _ in self.keys.clone() {
                    let weight = args::float(args.required()?);
                    self.weights.push(weight.map_err(|_| CommandError::WeightNotFloat)?);
                }
            } else if is_weighted && 2 <= args.len() && args.take("aggregate") {
                self.aggregate = aggregate(args.required()?)?;
            } else if usage == Use::Reply && args.take("withscores") {
                self.with_scores = true;
            } else if usage == Use::Count && 2 <= args.len() && args.take("limit") {
                let limit = args::integer(args.required()?).ok();
                let limit = limit.and_then(|limit| usize::try_from(limit).ok());
                self.limit = limit.ok_or(CommandError::LimitNegative)?;
            } else {
                return Err(CommandError::Syntax);
            }
        }
        Ok(self)
    }

    fn result(&self, ctx: &Ctx<'_, '_>) -> Own<LargeSortedSet> {
        let limits = &ctx.settings.types.zset;
        let sources = self.keys.clone().map(|index| source(ctx.data, ctx.key(index)));
        if self.combination == Combination::Difference {
            return sorted_set::difference(&sources.collect::<Vec<_>>(), limits);
        }
        let weights = self.weights.iter().copied().chain(std::iter::repeat(1.0));
        let weighted = sources.zip(weights).map(|(source, weight)| Weighted { source, weight });
        match self.combination {
            Combination::Union => sorted_set::union(weighted.collect(), self.aggregate, limits),
            _ => sorted_set::intersection(weighted.collect(), self.aggregate, limits),
        }
    }
}

fn aggregate(word: &[u8]) -> Result<Aggregate, CommandError> {
    match word {
        word if args::is_word(word, "max") => Ok(Aggregate::Max),
        word if args::is_word(word, "min") => Ok(Aggregate::Min),
        word if args::is_word(word, "sum") => Ok(Aggregate::Sum),
        _ => Err(CommandError::Syntax),
    }
}

/// What there is at a key, which was asked for already.
fn source<'d>(data: &'d Data<'_>, key: Key<'_>) -> Source<'d> {
    if let Some(form) = data.view_as::<LargeSortedSet>(key) {
        return Source::SortedSet(form);
    }
    data.view_as::<LargeSet>(key).map_or(Source::Missing, Source::Set)
}
