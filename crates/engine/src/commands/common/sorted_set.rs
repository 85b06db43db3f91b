//! What the commands of sorted sets and those of places share: adding, storing, replying.

use crate::args::Args;
use crate::command::Outcome;
use crate::context::Ctx;
use crate::error::CommandError;
use crate::events::{self, Event};
use resp::{Protocol, Reply};
use smallvec::SmallVec;
use store::types::sorted_set::{self, Change, Item, LargeSortedSet};
use store::{Home, Key, Large, Own};

/// Scores of one call that are kept without an allocation.
pub(crate) type Scores = SmallVec<[f64; 8]>;

/// When ZADD and GEOADD change a member, and what they answer.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct AddOptions {
    pub(crate) counts_changes: bool,
    pub(crate) increments: bool,
    pub(crate) only_existing: bool,
    pub(crate) only_greater: bool,
    pub(crate) only_less: bool,
    pub(crate) only_new: bool,
}

/// How many members were added, and how many got another score.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Added {
    pub(crate) added: usize,
    pub(crate) updated: usize,
    /// What became of the last member.
    pub(crate) last: Option<Change>,
}

impl AddOptions {
    /// Takes one of the options that GEOADD has too.
    pub(crate) fn take_basic(&mut self, args: &mut Args<'_>) -> bool {
        let options = [
            ("ch", &mut self.counts_changes),
            ("nx", &mut self.only_new),
            ("xx", &mut self.only_existing),
        ];
        for (word, option) in options {
            if args.take(word) {
                *option = true;
                return true;
            }
        }
        false
    }

    /// The score that a member gets, who has `old`; none if it stays as it is.
    #[inline]
    fn decide(self, old: Option<f64>, score: f64) -> Option<f64> {
        let Some(old) = old else { return (!self.only_existing).then_some(score) };
        let score = if self.increments { old + score } else { score };
        let is_refused =
            self.only_new || self.only_greater && score <= old || self.only_less && old <= score;
        (!is_refused).then_some(score)
    }
}

/// Adds members, whose scores are given, or changes their scores; tells what happened.
/// `member_at` says at which argument the n-th member is.
pub(crate) fn add(
    ctx: &mut Ctx<'_, '_>,
    options: AddOptions,
    scores: &[f64],
    member_at: impl Fn(usize) -> usize,
) -> Result<Added, CommandError> {
    let key = ctx.key(1);
    let (argv, limits) = (ctx.argv, ctx.settings.types.zset);
    let mut verb = |home: &mut store::Entry| {
        if 1 < scores.len() || home_is_empty(home) {
            let lens = (0..scores.len()).map(|index| argv.at(member_at(index)).len());
            sorted_set::reserve(home, scores.len(), lens.max().unwrap_or(0), &limits);
        }
        let mut all = Added::default();
        for (index, score) in scores.iter().enumerate() {
            let mut is_nan = false;
            let change = sorted_set::change(home, argv.at(member_at(index)), &limits, |old| {
                let new = options.decide(old, *score);
                is_nan = new.is_some_and(f64::is_nan);
                new.filter(|_| !is_nan)
            });
            if is_nan {
                return Err(CommandError::ScoreNotANumber);
            }
            all.added += usize::from(change.is_added());
            all.updated += usize::from(change.is_updated());
            all.last = Some(change);
        }
        Ok(all)
    };
    let added = if options.only_existing {
        match ctx.data.change::<LargeSortedSet, _>(key, verb)? {
            None => return Ok(Added::default()),
            Some(changed) => changed.result?,
        }
    } else {
        ctx.data.create::<LargeSortedSet, _>(key, &mut verb)?.result?
    };
    if added.added + added.updated != 0 {
        ctx.data.changed(key, if options.increments { events::ZINCR } else { events::ZADD });
    }
    Ok(added)
}

/// Refuses options of which one makes the other meaningless.
pub(crate) fn check_add_options(options: AddOptions) -> Outcome {
    let AddOptions { only_existing, only_greater, only_less, only_new, .. } = options;
    if only_new && only_existing {
        return Err(CommandError::AddNxXx);
    }
    if only_new && (only_greater || only_less) || only_greater && only_less {
        return Err(CommandError::AddGtLtNx);
    }
    Ok(())
}

/// Puts a result at `key`, or removes what is there if it is empty; returns its length.
pub(crate) fn store(
    ctx: &mut Ctx<'_, '_>,
    key: Key<'_>,
    result: Own<LargeSortedSet>,
    event: Event,
) -> usize {
    let len = LargeSortedSet::len(result.form());
    if len != 0 {
        ctx.data.remove(key);
        ctx.data.put_collection(key, result, None);
        ctx.data.changed(key, event);
    } else if ctx.data.remove(key) {
        ctx.data.changed(key, events::DEL);
    }
    len
}

/// Replies with members; in RESP3 those with scores are pairs.
pub(crate) fn reply_items<'a>(
    reply: &mut Reply,
    items: impl ExactSizeIterator<Item = Item<'a>>,
    with_scores: bool,
) {
    let is_nested = with_scores && reply.protocol() == Protocol::Resp3;
    let parts = if with_scores && !is_nested { 2 } else { 1 };
    reply.array(items.len() * parts);
    for item in items {
        if is_nested {
            reply.array(2);
        }
        reply.bulk(item.member);
        if with_scores {
            reply.double(item.score);
        }
    }
}

fn home_is_empty(home: &store::Entry) -> bool {
    LargeSortedSet::len(Home::<LargeSortedSet>::form(home)) == 0
}
