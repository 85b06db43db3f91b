//! Union, intersection and difference of sorted sets, and of sets, whose members count as 1.

use std::ops::ControlFlow;

use base::numbers::IntegerBuffer;

use super::{Item, LargeSortedSet, SortedSetLimits, all, change, score, set};
use crate::layout::home::{Form, Large, Own};
use crate::types::set::{self as plain, LargeSet};

/// Something with members that have scores.
#[derive(Clone, Copy)]
pub enum Source<'a> {
    /// A key that is not there.
    Missing,
    /// All scores are 1.
    Set(Form<'a, LargeSet>),
    /// As they are.
    SortedSet(Form<'a, LargeSortedSet>),
}

/// A source, the scores of which are multiplied.
#[derive(Clone, Copy)]
pub struct Weighted<'a> {
    /// Where the members come from.
    pub source: Source<'a>,
    /// By what their scores are multiplied.
    pub weight: f64,
}

/// What becomes of the scores of a member that several sources have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aggregate {
    /// The greatest.
    Max,
    /// The least.
    Min,
    /// Their sum; that of opposite infinities is zero.
    Sum,
}

impl Aggregate {
    fn join(self, a: f64, b: f64) -> f64 {
        match self {
            Self::Max => a.max(b),
            Self::Min => a.min(b),
            Self::Sum => zero_if_nan(a + b),
        }
    }
}

impl Source<'_> {
    /// Number of members.
    #[expect(clippy::len_without_is_empty, reason = "nobody asks")]
    pub fn len(self) -> usize {
        match self {
            Self::Missing => 0,
            Self::Set(form) => LargeSet::len(form),
            Self::SortedSet(form) => LargeSortedSet::len(form),
        }
    }

    fn score(self, member: &[u8]) -> Option<f64> {
        match self {
            Self::Missing => None,
            Self::Set(form) => plain::contains(form, member).then_some(1.0),
            Self::SortedSet(form) => score(form, member),
        }
    }

    fn try_each(self, mut visit: impl FnMut(Item<'_>) -> ControlFlow<()>) {
        match self {
            Self::Missing => {}
            Self::Set(form) => {
                let mut digits = IntegerBuffer::new();
                let _ = plain::iter(form).try_for_each(|member| {
                    visit(Item { member: member.bytes(&mut digits), score: 1.0 })
                });
            }
            Self::SortedSet(form) => {
                let _ = all(form).try_for_each(visit);
            }
        }
    }
}

impl Weighted<'_> {
    fn weigh(&self, score: f64) -> f64 {
        zero_if_nan(self.weight * score)
    }
}

/// All members of all sources. O(members log members).
pub fn union(
    mut sources: Vec<Weighted<'_>>,
    aggregate: Aggregate,
    limits: &SortedSetLimits,
) -> Own<LargeSortedSet> {
    // The order in which scores are added up shows in the last digit.
    sources.sort_by_key(|weighted| weighted.source.len());
    let mut result = Own::default();
    for weighted in &sources {
        weighted.source.try_each(|item| {
            let score = weighted.weigh(item.score);
            change(&mut result, item.member, limits, |old| {
                Some(old.map_or(score, |old| aggregate.join(old, score)))
            });
            ControlFlow::Continue(())
        });
    }
    result
}

/// The members that all sources have. O(smallest × sources).
pub fn intersection(
    sources: Vec<Weighted<'_>>,
    aggregate: Aggregate,
    limits: &SortedSetLimits,
) -> Own<LargeSortedSet> {
    let mut result = Own::default();
    each_in_all(sources, aggregate, |item| {
        set(&mut result, item.member, item.score, limits);
        ControlFlow::Continue(())
    });
    result
}

/// How many members all sources have; at most `limit`. O(smallest × sources).
pub fn intersection_len(sources: Vec<Source<'_>>, limit: usize) -> usize {
    let sources = sources.into_iter().map(|source| Weighted { source, weight: 1.0 }).collect();
    let mut count = 0;
    each_in_all(sources, Aggregate::Sum, |_| {
        count += 1;
        if count == limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    count
}

/// The members of the first source that no other has. O(first × sources).
pub fn difference(sources: &[Source<'_>], limits: &SortedSetLimits) -> Own<LargeSortedSet> {
    let mut result = Own::default();
    let Some((first, others)) = sources.split_first() else { return result };
    first.try_each(|item| {
        if others.iter().all(|other| other.score(item.member).is_none()) {
            set(&mut result, item.member, item.score, limits);
        }
        ControlFlow::Continue(())
    });
    result
}

fn each_in_all(
    mut sources: Vec<Weighted<'_>>,
    aggregate: Aggregate,
    mut visit: impl FnMut(Item<'_>) -> ControlFlow<()>,
) {
    sources.sort_by_key(|weighted| weighted.source.len());
    let Some((smallest, others)) = sources.split_first() else { return };
    smallest.source.try_each(|item| {
        let first = smallest.weigh(item.score);
        let score = others.iter().try_fold(first, |sum, other| {
            let score = other.source.score(item.member)?;
            Some(aggregate.join(sum, other.weigh(score)))
        });
        score.map_or(ControlFlow::Continue(()), |score| visit(Item { score, ..item }))
    });
}

fn zero_if_nan(score: f64) -> f64 {
    if score.is_nan() { 0.0 } else { score }
}
