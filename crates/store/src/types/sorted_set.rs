//! Sorted sets: different members in the order of their scores.
//!
//! ```text
//! packed   | count 2 | member | score | member | score | …      in order, inside the entry
//! large    an ordered tree of (score, member), and an index     an object of its own
//!          from a member's hash to its score
//! ```
//!
//! A packed score is its eight bytes, the highest first, without the zeros at the end: two bytes for
//! most whole numbers. A packed set turns large when a member is added that it should not hold (see
//! [`SortedSetLimits`]), and never back.
//!
//! In the large form a member lies in the tree only. The index keeps 32 bits of its hash and the
//! score, and a search in the index asks the tree whether the score is that of the member; so a
//! 17-byte member takes about 46 bytes in all, where a table with a member in each slot would take
//! 20 more. Members and scores are equal in both at all times.
//!
//! Ranges are ranges of ranks, in both forms: bounds by score or by bytes are counted first
//! ([`count_before`]), then the members from one rank to another are walked ([`iter`]) or removed
//! ([`remove_ranks`]).
//!
//! Negative zero is kept as zero.

mod combine;
mod packed_form;
#[cfg(test)]
mod tests;

use std::ops::Range;

use smallvec::SmallVec;

use super::limits::SortedSetLimits;
use crate::layout::entry::Kind;
use crate::layout::home::{Form, Home, Large, PREFETCH_CHUNK, Wanted};
use crate::layout::ordered::{self, Ordered};
use crate::layout::rubble::Rubble;
use crate::layout::trie::Index;

pub use crate::layout::ordered::{Bound, Item};
pub use combine::{Aggregate, Source, Weighted, difference, intersection, intersection_len, union};

/// A scan that has to search among so many members of one score for each that it finds takes more
/// of them at once.
const TIES_MANY: usize = 64;
/// In this many steps at most a scan goes through members that all have one score.
const TIES_STEPS: usize = 256;

/// The large form.
#[derive(Clone, Default)]
pub struct LargeSortedSet {
    tree: Ordered,
    index: Index<u64>,
}

impl Large for LargeSortedSet {
    const KIND: Kind = Kind::SortedSet;

    #[inline]
    fn len(form: Form<'_, Self>) -> usize {
        match form {
            Form::Packed(bytes) => packed_form::len(bytes),
            Form::Large(set) => set.tree.len(),
        }
    }

    fn memory_bytes(&self) -> usize {
        self.tree.memory_bytes() + self.index.memory_bytes()
    }

    fn is_cheap_to_free(&self) -> bool {
        self.tree.is_cheap_to_free() && self.index.is_cheap_to_free()
    }

    fn crumble(self, rubble: &mut Rubble) {
        self.tree.crumble(rubble);
        self.index.crumble(rubble);
    }

    fn prefetch(&self, wanted: &[Wanted<'_>]) {
        let hashes: SmallVec<[u32; PREFETCH_CHUNK]> =
            wanted.iter().map(|wanted| Index::<u64>::hash(wanted.element)).collect();
        let scores = self.index.prefetch(&hashes);
        let old = scores
            .iter()
            .zip(wanted)
            .filter_map(|(bits, wanted)| bits.map(|bits| (f64::from_bits(bits), wanted.element)));
        let new = wanted.iter().filter_map(|wanted| Some((wanted.score?, wanted.element)));
        let places: SmallVec<[(f64, &[u8]); 2 * PREFETCH_CHUNK]> = old.chain(new).collect();
        self.tree.prefetch(&places);
    }
}

impl LargeSortedSet {
    /// The score of a member, with the hash of which it was found.
    #[inline]
    fn find(&self, member: &[u8]) -> (u32, Option<f64>) {
        let hash = Index::<u64>::hash(member);
        let is_it = |bits| self.tree.contains(f64::from_bits(bits), member);
        (hash, self.index.find(hash, is_it).map(f64::from_bits))
    }

    /// Adds a member that is not there.
    fn insert(&mut self, hash: u32, member: &[u8], score: f64) {
        self.tree.insert(score, member);
        self.index.insert(hash, score.to_bits());
    }

    fn set_score(&mut self, hash: u32, member: &[u8], old: f64, new: f64) {
        self.tree.set_score(old, member, new);
        self.index.replace(hash, old.to_bits(), new.to_bits());
    }

    fn remove(&mut self, member: &[u8]) -> bool {
        let (hash, score) = self.find(member);
        score.is_some_and(|score| {
            self.index.remove(hash, score.to_bits());
            self.tree.remove(score, member)
        })
    }

    fn remove_ranks(&mut self, ranks: Range<usize>) {
        if ranks == (0..self.tree.len()) {
            *self = Self::default();
            return;
        }
        let Self { tree, index } = self;
        let mut left = ranks.len();
        while left != 0 {
            left -= tree.remove_some(ranks.start, left, |item| {
                index.remove(Index::<u64>::hash(item.member), item.score.to_bits());
            });
        }
    }
}

/// What became of a member.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change {
    /// Its score before, if it was there.
    pub old: Option<f64>,
    /// The score that it was given, if any.
    pub new: Option<f64>,
}

impl Change {
    /// Whether the member is new.
    pub fn is_added(&self) -> bool {
        self.old.is_none() && self.new.is_some()
    }

    /// Whether the member was there and has another score now.
    pub fn is_updated(&self) -> bool {
        self.old.is_some() && self.new.is_some() && self.old != self.new
    }
}

/// Gives `member` the score that `decide` chooses, who is told the present one; with `None` nothing
/// changes. The score must be a number.
#[inline]
pub fn change<H: Home<LargeSortedSet>>(
    home: &mut H,
    member: &[u8],
    limits: &SortedSetLimits,
    decide: impl FnOnce(Option<f64>) -> Option<f64>,
) -> Change {
    let Some(set) = home.large_mut() else {
        return packed_form::change(home, member, limits, decide);
    };
    let (hash, old) = set.find(member);
    // Adding zero turns negative zero into zero.
    let new = decide(old).map(|score| score + 0.0);
    match (old, new) {
        (None, Some(new)) => set.insert(hash, member, new),
        (Some(old), Some(new)) if old != new => set.set_score(hash, member, old, new),
        _ => {}
    }
    Change { old, new }
}

/// Gives `member` a score.
pub fn set<H: Home<LargeSortedSet>>(
    home: &mut H,
    member: &[u8],
    score: f64,
    limits: &SortedSetLimits,
) -> Change {
    change(home, member, limits, |_| Some(score))
}

/// Takes `member` out; says whether it was there.
pub fn remove<H: Home<LargeSortedSet>>(home: &mut H, member: &[u8]) -> bool {
    match home.large_mut() {
        Some(set) => set.remove(member),
        None => packed_form::remove(home, member),
    }
}

/// Takes the members with these numbers out, which must be there.
pub fn remove_ranks<H: Home<LargeSortedSet>>(home: &mut H, ranks: Range<usize>) {
    match home.large_mut() {
        Some(set) => set.remove_ranks(ranks),
        None => packed_form::remove_ranks(home, ranks),
    }
}

/// Prepares a set for `count` further members, the longest of which has `len_max` bytes: one that
/// would outgrow its form if all were new turns large at once.
pub fn reserve<H: Home<LargeSortedSet>>(
    home: &mut H,
    count: usize,
    len_max: usize,
    limits: &SortedSetLimits,
) {
    let is_new = match home.form() {
        Form::Large(_) => return,
        Form::Packed(bytes) => bytes.is_empty(),
    };
    let is_too_many = limits.packed_entries_max < count;
    let is_too_long = is_new && limits.packed_value_max < len_max;
    if is_too_many || is_too_long {
        packed_form::make_large(home);
    }
}

/// The score of `member`.
#[inline]
pub fn score(form: Form<'_, LargeSortedSet>, member: &[u8]) -> Option<f64> {
    match form {
        Form::Packed(bytes) => packed_form::find(bytes, member).map(|found| found.score),
        Form::Large(set) => set.find(member).1,
    }
}

/// The number of `member` from zero, and its score.
pub fn rank(form: Form<'_, LargeSortedSet>, member: &[u8]) -> Option<(usize, f64)> {
    match form {
        Form::Packed(bytes) => {
            packed_form::find(bytes, member).map(|found| (found.rank, found.score))
        }
        Form::Large(set) => {
            let mut rank = None;
            let bits = set.index.find(Index::<u64>::hash(member), |bits| {
                rank = set.tree.rank(f64::from_bits(bits), member);
                rank.is_some()
            })?;
            rank.map(|rank| (rank, f64::from_bits(bits)))
        }
    }
}

/// Number of members before `bound`.
pub fn count_before(form: Form<'_, LargeSortedSet>, bound: Bound<'_>) -> usize {
    match form {
        Form::Packed(bytes) => packed_form::count_before(bytes, bound),
        Form::Large(set) => set.tree.count_before(bound),
    }
}

/// Member number `rank`.
pub fn at(form: Form<'_, LargeSortedSet>, rank: usize) -> Option<Item<'_>> {
    match form {
        Form::Packed(bytes) => packed_form::iter(bytes, rank..rank + 1).next(),
        Form::Large(set) => set.tree.at(rank),
    }
}

/// The members with these numbers, in order.
pub fn iter(form: Form<'_, LargeSortedSet>, ranks: Range<usize>) -> Iter<'_> {
    Iter(match form {
        Form::Packed(bytes) => Items::Packed(packed_form::iter(bytes, ranks)),
        Form::Large(set) => Items::Large(set.tree.iter(ranks)),
    })
}

/// The members with these numbers, from the last to the first.
pub fn iter_back(form: Form<'_, LargeSortedSet>, ranks: Range<usize>) -> Iter<'_> {
    Iter(match form {
        Form::Packed(bytes) => Items::PackedBack(packed_form::iter_back(bytes, ranks)),
        Form::Large(set) => Items::Large(set.tree.iter_back(ranks)),
    })
}

/// All members, in order.
pub fn all(form: Form<'_, LargeSortedSet>) -> Iter<'_> {
    iter(form, 0..LargeSortedSet::len(form))
}

/// Visits some members, about `count_min` or more, and returns where to go on: zero at the end. A
/// member that is there throughout is visited, whatever becomes of its score; a packed set is
/// visited as a whole.
pub fn scan(
    form: Form<'_, LargeSortedSet>,
    cursor: u64,
    count_min: usize,
    visit: impl FnMut(Item<'_>),
) -> u64 {
    match form {
        Form::Packed(_) => {
            all(form).for_each(visit);
            0
        }
        Form::Large(set) => set.scan(cursor, count_min, visit),
    }
}

impl LargeSortedSet {
    /// A scan goes by the hash, which stays as it is when scores change. A member is found by its
    /// score; those of one score are searched for the hashes that are wanted.
    fn scan(&self, cursor: u64, count_min: usize, mut visit: impl FnMut(Item<'_>)) -> u64 {
        let mut scores: Vec<u64> = Vec::new();
        let mut next = self.index.scan(cursor, count_min, |_, bits| scores.push(bits));
        let found = scores.len();
        let ties = self.settle_scores(&mut scores);
        if TIES_MANY * found < ties && next != 0 {
            let more = (ties / TIES_STEPS).saturating_sub(found);
            next = self.index.scan(next, more, |_, bits| scores.push(bits));
            self.settle_scores(&mut scores);
        }
        let is_wanted = |hash: u64| cursor <= hash && (next == 0 || hash < next);
        for bits in scores {
            for item in self.tree.iter(self.ranks_of(f64::from_bits(bits))) {
                if is_wanted(u64::from(Index::<u64>::hash(item.member))) {
                    visit(item);
                }
            }
        }
        next
    }

    /// Each score once; returns how many members have them.
    fn settle_scores(&self, scores: &mut Vec<u64>) -> usize {
        scores.sort_unstable();
        scores.dedup();
        scores.iter().map(|bits| self.ranks_of(f64::from_bits(*bits)).len()).sum()
    }

    /// The members that have this score.
    fn ranks_of(&self, score: f64) -> Range<usize> {
        let count = |bound| self.tree.count_before(bound);
        count(Bound::BeforeScore(score))..count(Bound::AfterScore(score))
    }
}

/// Checks what must hold; for tests and debugging.
///
/// # Panics
/// If it does not hold.
pub fn check_invariants(form: Form<'_, LargeSortedSet>) {
    let Form::Large(set) = form else {
        let items: Vec<Item<'_>> = all(form).collect();
        assert!(items.is_sorted_by(|a, b| (a.score, a.member) < (b.score, b.member)));
        return;
    };
    set.tree.check_invariants();
    set.index.check_invariants();
    assert_eq!(set.tree.len(), set.index.len());
    for item in all(form) {
        assert_eq!(score(form, item.member), Some(item.score));
    }
}

/// Members with their scores.
#[derive(Clone)]
pub struct Iter<'a>(Items<'a>);

#[derive(Clone)]
enum Items<'a> {
    Large(ordered::Iter<'a>),
    Packed(packed_form::Iter<'a>),
    PackedBack(packed_form::IterBack<'a>),
}

impl<'a> Iterator for Iter<'a> {
    type Item = Item<'a>;

    #[inline]
    fn next(&mut self) -> Option<Item<'a>> {
        match &mut self.0 {
            Items::Large(items) => items.next(),
            Items::Packed(items) => items.next(),
            Items::PackedBack(items) => items.next(),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match &self.0 {
            Items::Large(items) => items.size_hint(),
            Items::Packed(items) => items.size_hint(),
            Items::PackedBack(items) => items.size_hint(),
        }
    }
}

impl ExactSizeIterator for Iter<'_> {}
