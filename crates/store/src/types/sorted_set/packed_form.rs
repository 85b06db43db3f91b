//! The packed form: members and scores one after the other, in order.

use std::ops::Range;

use smallvec::SmallVec;

use super::{Bound, Change, Item, LargeSortedSet, SortedSetLimits};
use crate::layout::home::{Home, PACKED_LEN_MAX};
use crate::layout::packed;
use crate::layout::trie::Index;

/// Items of a member: its bytes and its score.
const ITEMS: usize = 2;
/// Members whose places a walk backwards keeps without an allocation.
const PLACES_FEW: usize = 32;

/// By how much a packed set can grow when a score changes, at most.
const SCORE_SIZE_MAX: usize = 8;

/// A member that was found.
pub(super) struct Found {
    pub(super) rank: usize,
    pub(super) score: f64,
    /// Where it begins.
    offset: usize,
}

pub(super) fn len(bytes: &[u8]) -> usize {
    packed::len(bytes) / ITEMS
}

pub(super) fn find(bytes: &[u8], member: &[u8]) -> Option<Found> {
    let (index, offset) = packed::find(bytes, member, ITEMS)?;
    let (_, at) = packed::item(bytes, offset);
    let (score, _) = packed::item(bytes, at);
    Some(Found { rank: index / ITEMS, score: decode(score), offset })
}

/// See [`super::change`]; a member that does not belong into a packed set makes it large.
pub(super) fn change<H: Home<LargeSortedSet>>(
    home: &mut H,
    member: &[u8],
    limits: &SortedSetLimits,
    decide: impl FnOnce(Option<f64>) -> Option<f64>,
) -> Change {
    let found = find(home.packed(), member);
    let old = found.as_ref().map(|found| found.score);
    let new = decide(old).map(|score| score + 0.0);
    let Some(score) = new else { return Change { old, new } };
    let encoded = Encoded::new(score);
    if let Some(found) = found {
        let has_room = home.packed().len() + SCORE_SIZE_MAX <= PACKED_LEN_MAX;
        if found.score != score && has_room {
            move_to(home, &found, member, score, &encoded);
        } else if found.score != score {
            let hash = Index::<u64>::hash(member);
            make_large(home).set_score(hash, member, found.score, score);
        }
        return Change { old, new };
    }
    let bytes = home.packed();
    let is_too_many = limits.packed_entries_max < len(bytes) + 1;
    let is_too_long = limits.packed_value_max < member.len();
    if is_too_many || is_too_long || !packed::has_room(bytes, &[member, encoded.bytes()]) {
        let set = make_large(home);
        set.insert(Index::<u64>::hash(member), member, score);
    } else {
        insert(home, member, score, &encoded);
    }
    Change { old, new }
}

pub(super) fn remove<H: Home<LargeSortedSet>>(home: &mut H, member: &[u8]) -> bool {
    let Some(found) = find(home.packed(), member) else { return false };
    packed::remove(home, found.offset, ITEMS);
    true
}

pub(super) fn remove_ranks<H: Home<LargeSortedSet>>(home: &mut H, ranks: Range<usize>) {
    if !ranks.is_empty() {
        let offset = packed::skip(home.packed(), packed::FIRST, ITEMS * ranks.start);
        packed::remove(home, offset, ITEMS * ranks.len());
    }
}

pub(super) fn make_large<H: Home<LargeSortedSet>>(home: &mut H) -> &mut LargeSortedSet {
    let mut set = LargeSortedSet::default();
    for Item { member, score } in iter(home.packed(), 0..len(home.packed())) {
        set.insert(Index::<u64>::hash(member), member, score);
    }
    home.set_large(set);
    home.large_mut().expect("it has just turned large")
}

pub(super) fn count_before(bytes: &[u8], bound: Bound<'_>) -> usize {
    iter(bytes, 0..len(bytes)).take_while(|item| bound.is_behind(item)).count()
}

pub(super) fn iter(bytes: &[u8], ranks: Range<usize>) -> Iter<'_> {
    let end = ranks.end.min(len(bytes));
    let start = ranks.start.min(end);
    let offset = packed::skip(bytes, packed::FIRST, ITEMS * start);
    Iter { items: packed::Iter::at(bytes, offset), remaining: end - start }
}

pub(super) fn iter_back(bytes: &[u8], ranks: Range<usize>) -> IterBack<'_> {
    let mut items = iter(bytes, ranks);
    let mut places = SmallVec::new();
    for _ in 0..items.remaining {
        places.push(items.items.offset() as u32);
        items.next();
    }
    IterBack { bytes, places }
}

/// Members in order.
#[derive(Clone)]
pub(super) struct Iter<'a> {
    items: packed::Iter<'a>,
    remaining: usize,
}

impl<'a> Iterator for Iter<'a> {
    type Item = Item<'a>;

    #[inline]
    fn next(&mut self) -> Option<Item<'a>> {
        self.remaining = self.remaining.checked_sub(1)?;
        let member = self.items.next()?;
        Some(Item { member, score: decode(self.items.next()?) })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.remaining, Some(self.remaining))
    }
}

/// Members from the last to the first.
#[derive(Clone)]
pub(super) struct IterBack<'a> {
    bytes: &'a [u8],
    places: SmallVec<[u32; PLACES_FEW]>,
}

impl<'a> Iterator for IterBack<'a> {
    type Item = Item<'a>;

    fn next(&mut self) -> Option<Item<'a>> {
        let (member, at) = packed::item(self.bytes, self.places.pop()? as usize);
        Some(Item { member, score: decode(packed::item(self.bytes, at).0) })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.places.len(), Some(self.places.len()))
    }
}

/// Adds a member that is not there.
fn insert<H: Home<LargeSortedSet>>(home: &mut H, member: &[u8], score: f64, encoded: &Encoded) {
    let bytes = home.packed();
    let offset = place(bytes, packed::FIRST, member, score);
    packed::insert(home, offset, &[member, encoded.bytes()]);
}

/// Gives a member another score; it moves if its neighbours want it so.
fn move_to<H: Home<LargeSortedSet>>(
    home: &mut H,
    found: &Found,
    member: &[u8],
    score: f64,
    encoded: &Encoded,
) {
    let bytes = home.packed();
    let (_, score_at) = packed::item(bytes, found.offset);
    let (_, end) = packed::item(bytes, score_at);
    // Upwards only what follows is looked at, downwards everything from the beginning.
    let is_upwards = found.score < score;
    let stays = if is_upwards {
        place(bytes, end, member, score) == end
    } else {
        place(bytes, packed::FIRST, member, score) == found.offset
    };
    if stays {
        packed::replace(home, score_at, encoded.bytes());
        return;
    }
    packed::remove(home, found.offset, ITEMS);
    insert(home, member, score, encoded);
}

/// The offset of the first member, from the one at `offset` on, that is not less.
fn place(bytes: &[u8], offset: usize, member: &[u8], score: f64) -> usize {
    let mut items = packed::Iter::at(bytes, offset);
    loop {
        let offset = items.offset();
        let (Some(other), Some(encoded)) = (items.next(), items.next()) else {
            return offset.max(packed::FIRST);
        };
        let other_score = decode(encoded);
        if score < other_score || score == other_score && member <= other {
            return offset;
        }
    }
}

/// A score as it is kept: its bytes from the highest on, without the zeros at the end.
struct Encoded {
    bytes: [u8; 8],
    len: usize,
}

impl Encoded {
    fn new(score: f64) -> Self {
        let bits = score.to_bits();
        Self { bytes: bits.to_be_bytes(), len: 8 - bits.trailing_zeros() as usize / 8 }
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

#[inline]
fn decode(bytes: &[u8]) -> f64 {
    let mut word = [0; 8];
    word[..bytes.len()].copy_from_slice(bytes);
    f64::from_bits(u64::from_be_bytes(word))
}
