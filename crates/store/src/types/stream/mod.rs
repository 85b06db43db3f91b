//! Streams: a log of entries with ids that only grow, and groups of consumers who share it.
//!
//! A stream is always in its large form, and stays when it is empty. All its parts are ordered
//! trees of shared nodes ([`tree`]): the chunks of the log by id, the groups by name, and in each
//! group the pending entries by id and the consumers by name. To freeze a stream is to copy this
//! struct.
//!
//! What groups have read is counted where it can be known. The counter of entries that were ever
//! added does not say how many of them lie behind an id, once entries were deleted in the middle;
//! [`Stream::entries_before`] answers only when it is certain.

mod chunk;
mod group;
mod id;
mod item;
mod log;
mod producers;
mod tree;

#[cfg(test)]
mod tests;

pub use crate::types::item::Item;
pub use chunk::{Entry, Fields};
pub use group::{COUNT_MAX, Consumer, ConsumerNumber, Group, Pending};
pub use id::Id;
pub use log::{Log, Range, RangeBack, Trim};
pub use producers::Producers;

use super::limits::StreamLimits;
use crate::layout::entry::Kind;
use crate::layout::home::{Form, Home, Large};
use crate::layout::rubble::Rubble;
use crate::layout::shared_node::Node;
use group::Name;
use std::ops::ControlFlow;
use tree::Tree;

/// More chunks than this are not freed on the way.
const CHEAP_CHUNKS_MAX: usize = 4;
/// More bytes than this are not freed on the way.
const CHEAP_BYTES_MAX: usize = 64 << 10;

/// What becomes of the references that groups have to an entry that is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum References {
    /// An entry that some group has not read, or not acknowledged, is not deleted.
    Acknowledged,
    /// It is not pending anywhere any more.
    Delete,
    /// They stay.
    #[default]
    Keep,
}

/// What became of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletion {
    /// It is gone.
    Deleted,
    /// There was none.
    Missing,
    /// Groups refer to it.
    Refused,
}

/// How to trim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrimRule {
    /// What is left.
    pub trim: Trim,
    /// Whether only whole chunks go.
    pub is_approximate: bool,
    /// Most entries that go; 0 is no limit.
    pub limit: u64,
    /// What becomes of references.
    pub references: References,
}

/// A stream.
#[derive(Clone, Debug)]
pub struct Stream {
    log: Log,
    groups: Tree<Name, Node<Group>>,
    /// 0-0 if there is no entry.
    first_id: Id,
    /// The greatest id that was ever used.
    last_id: Id,
    /// The greatest id that was deleted, other than by trimming.
    max_deleted_id: Id,
    /// Number of entries that were ever added.
    entries_added: u64,
    /// Who sends entries by ids of their own, once somebody has.
    producers: Option<Node<Producers>>,
    /// Whether an entry was ever given back.
    knows_nacks: bool,
}

/// What a stream may have that older servers do not know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Newness {
    /// Nothing.
    #[default]
    Plain,
    /// Producers.
    Producers,
    /// Entries that were given back.
    Nacks,
}

/// What is read where nothing is.
static EMPTY: Stream = Stream::new();

/// The stream in a place, to read it.
pub fn look(form: Form<'_, Stream>) -> &Stream {
    match form {
        Form::Large(stream) => stream,
        Form::Packed(_) => &EMPTY,
    }
}

/// The stream in a place, to change it; an empty one is made if nothing is there.
pub fn open<H: Home<Stream>>(home: &mut H) -> &mut Stream {
    if matches!(home.form(), Form::Packed(_)) {
        home.set_large(Stream::new());
    }
    home.large_mut().expect("it is large now")
}

impl Large for Stream {
    const KIND: Kind = Kind::Stream;
    const KEEPS_EMPTY: bool = true;

    fn len(form: Form<'_, Self>) -> usize {
        look(form).log.len() as usize
    }

    fn memory_bytes(&self) -> usize {
        let names =
            self.groups.iter().map(|(name, group)| name.memory_bytes() + group.memory_bytes());
        let producers = self.producers.as_ref().map_or(0, |producers| producers.memory_bytes());
        self.log.memory_bytes() + self.groups.memory_bytes() + names.sum::<usize>() + producers
    }

    fn is_cheap_to_free(&self) -> bool {
        self.log.chunks_len() <= CHEAP_CHUNKS_MAX
            && self.groups.len() <= CHEAP_CHUNKS_MAX
            && self.memory_bytes() <= CHEAP_BYTES_MAX
    }

    fn crumble(self, rubble: &mut Rubble) {
        self.log.crumble(rubble);
        self.groups.crumble(rubble);
        if let Some(mut producers) = self.producers
            && let Some(producers) = producers.content_mut()
        {
            std::mem::take(producers).crumble(rubble);
        }
    }
}

impl Default for Stream {
    fn default() -> Self {
        Self::new()
    }
}

impl Stream {
    /// An empty stream.
    pub const fn new() -> Self {
        Self {
            log: Log::new(),
            groups: Tree::new(),
            first_id: Id::MIN,
            last_id: Id::MIN,
            max_deleted_id: Id::MIN,
            entries_added: 0,
            producers: None,
            knows_nacks: false,
        }
    }

    /// Entries may have been given back from now on.
    pub fn know_nacks(&mut self) {
        self.knows_nacks = true;
    }

    /// Who sends entries by ids of their own, to change it.
    pub fn producers_mut(&mut self) -> &mut Producers {
        self.producers.get_or_insert_default().make_mut()
    }

    /// Adds an entry, whose id must be above [`Stream::last_id`].
    pub fn append<'a>(
        &mut self,
        id: Id,
        pairs: impl ExactSizeIterator<Item = (&'a [u8], &'a [u8])> + Clone,
        limits: StreamLimits,
    ) {
        assert!(self.last_id < id);
        self.log.append(id, pairs, limits);
        if self.log.len() == 1 {
            self.first_id = id;
        }
        self.last_id = id;
        self.entries_added += 1;
    }

    /// Deletes an entry.
    pub fn delete(&mut self, id: Id, references: References) -> Deletion {
        if references == References::Delete {
            self.forget(id);
        }
        if self.log.get(id).is_none() {
            return Deletion::Missing;
        }
        if references == References::Acknowledged && self.is_referenced(id) {
            return Deletion::Refused;
        }
        self.log.delete(id);
        self.max_deleted_id = self.max_deleted_id.max(id);
        if id == self.first_id {
            self.find_first();
        }
        Deletion::Deleted
    }

    /// Removes entries from the front; returns how many.
    pub fn trim(&mut self, rule: TrimRule) -> u64 {
        let Self { log, groups, .. } = self;
        let (approximate, limit) = (rule.is_approximate, rule.limit);
        let references = if groups.is_empty() { References::Keep } else { rule.references };
        let count = match references {
            References::Keep => log.trim(rule.trim, approximate, limit, None),
            References::Acknowledged => {
                let mut may_go = |id| !is_referenced(groups, id);
                log.trim(rule.trim, approximate, limit, Some(&mut may_go))
            }
            References::Delete => {
                let mut may_go = |id| {
                    forget(groups, id);
                    true
                };
                log.trim(rule.trim, approximate, limit, Some(&mut may_go))
            }
        };
        if 0 < count {
            self.find_first();
        }
        count
    }

    /// Whether trimming by this rule takes so much away that the caller may want to free it
    /// elsewhere: from a frozen view that it takes before.
    pub fn trims_much(&self, rule: TrimRule) -> bool {
        rule.limit == 0 && self.log.is_much(rule.trim)
    }

    /// Sets what was used and deleted so far; `None` leaves a number as it is.
    pub fn set_id(&mut self, last_id: Id, added: Option<u64>, max_deleted_id: Option<Id>) {
        self.last_id = last_id;
        self.entries_added = added.unwrap_or(self.entries_added);
        self.max_deleted_id = max_deleted_id.unwrap_or(self.max_deleted_id);
    }

    /// Makes a group; returns whether its name was free.
    pub fn create_group(&mut self, name: &[u8], last_id: Id, entries_read: Option<u64>) -> bool {
        if self.groups.get(name).is_some() {
            return false;
        }
        self.groups.insert(Name::new(name), Node::new(Group::new(last_id, entries_read)));
        true
    }

    /// Takes a group away; returns whether it was there.
    pub fn remove_group(&mut self, name: &[u8]) -> bool {
        self.groups.remove(name).is_some()
    }

    /// A group, to change it.
    pub fn group_mut(&mut self, name: &[u8]) -> Option<&mut Group> {
        self.groups.value_mut(name).map(Node::make_mut)
    }

    /// Gives a consumer the entries that its group has not read, at most `count` and until `visit`
    /// breaks off; those that are to be acknowledged become pending. Returns how many they were.
    pub fn read_group<'s>(
        &'s mut self,
        name: &[u8],
        consumer: ConsumerNumber,
        now_ms: u64,
        count: usize,
        is_acknowledged: bool,
        mut visit: impl FnMut(Entry<'s>) -> ControlFlow<()>,
    ) -> usize {
        let Self { log, groups, first_id, last_id, max_deleted_id, entries_added, .. } = self;
        let marks = Marks {
            len: log.len(),
            first_id: *first_id,
            last_id: *last_id,
            max_deleted_id: *max_deleted_id,
            entries_added: *entries_added,
        };
        let Some(group) = groups.value_mut(name).map(Node::make_mut) else { return 0 };
        let Some(from) = group.last_id.next() else { return 0 };
        let mut read = 0;
        for entry in log.range(from, Id::MAX).take(count) {
            group.entries_read = match group.entries_read {
                Some(read) if marks.knows(group.last_id) => Some(read + 1),
                _ => marks.entries_before(entry.id),
            };
            group.last_id = entry.id;
            if !is_acknowledged {
                group.assign(entry.id, consumer, now_ms, 1);
            }
            read += 1;
            if visit(entry).is_break() {
                break;
            }
        }
        read
    }

    /// Gives a consumer the entries that have been pending for at least `idle_ms`, longest first, at
    /// most `count` and until `visit` breaks off; with each comes what was known of it before. Returns
    /// how many they were.
    pub fn claim_idle<'s>(
        &'s mut self,
        name: &[u8],
        consumer: ConsumerNumber,
        (now_ms, idle_ms): (u64, u64),
        count: usize,
        mut visit: impl FnMut(Entry<'s>, Pending) -> ControlFlow<()>,
    ) -> usize {
        let Self { log, groups, .. } = self;
        let Some(group) = groups.value_mut(name).map(Node::make_mut) else { return 0 };
        let ids = group.idle(now_ms, idle_ms, count, |id| log.get(id).is_some());
        let mut claimed = 0;
        for id in ids {
            let (Some(pending), Some(entry)) = (group.pending(id), log.get(id)) else { continue };
            group.assign(id, consumer, now_ms, pending.count_after());
            claimed += 1;
            if visit(entry, pending).is_break() {
                break;
            }
        }
        claimed
    }

    /// Gives a consumer again the entries that it has pending, from an id on, at most `count` and
    /// until `visit` breaks off; those that were deleted come without fields.
    pub fn read_pending<'s>(
        &'s mut self,
        name: &[u8],
        consumer: ConsumerNumber,
        now_ms: u64,
        from: Id,
        count: usize,
        mut visit: impl FnMut(Id, Option<Fields<'s>>) -> ControlFlow<()>,
    ) -> usize {
        let Self { log, groups, .. } = self;
        let Some(group) = groups.value_mut(name).map(Node::make_mut) else { return 0 };
        let (mut from, mut read) = (Some(from), 0);
        while let Some(start) = from
            && read < count
        {
            let Some((id, pending)) = group.pending_of(consumer, start).next() else { break };
            let entry = log.get(id);
            if entry.is_some() {
                group.assign(id, consumer, now_ms, pending.count_after());
            }
            read += 1;
            from = if visit(id, entry.map(|entry| entry.fields)).is_break() {
                None
            } else {
                id.next()
            };
        }
        read
    }

    /// No group waits for this entry to be acknowledged any more.
    pub fn forget(&mut self, id: Id) {
        forget(&mut self.groups, id);
    }

    /// Whether a group has not read this entry, or has not acknowledged it.
    pub fn is_referenced(&self, id: Id) -> bool {
        is_referenced(&self.groups, id)
    }

    fn find_first(&mut self) {
        self.first_id = self.log.first().map_or(Id::MIN, |entry| entry.id);
    }

    /// When [`Stream::claim_idle`] will find something, in Unix milliseconds, as far as the entries
    /// that are pending now tell.
    pub fn next_idle_ms(&self, name: &[u8], idle_ms: u64) -> Option<u64> {
        self.group(name)?.next_idle_ms(idle_ms, |id| self.log.get(id).is_some())
    }

    /// Who sends entries by ids of their own, once somebody has.
    pub fn producers(&self) -> Option<&Producers> {
        self.producers.as_deref()
    }

    /// The entries.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// A group.
    pub fn group(&self, name: &[u8]) -> Option<&Group> {
        self.groups.get(name).map(|group| &**group)
    }

    /// What it may have that older servers do not know. O(1).
    pub fn newness(&self) -> Newness {
        match (self.knows_nacks, self.producers.is_some()) {
            (true, _) => Newness::Nacks,
            (false, true) => Newness::Producers,
            (false, false) => Newness::Plain,
        }
    }

    /// All groups by name.
    pub fn groups(&self) -> impl Iterator<Item = (&[u8], &Group)> {
        self.groups.iter().map(|(name, group)| (name.bytes(), &**group))
    }

    /// Number of groups.
    pub fn groups_len(&self) -> usize {
        self.groups.len()
    }

    /// The id of the first entry; 0-0 if there is none.
    pub fn first_id(&self) -> Id {
        self.first_id
    }

    /// The greatest id that was ever used.
    pub fn last_id(&self) -> Id {
        self.last_id
    }

    /// The greatest id that was deleted, other than by trimming.
    pub fn max_deleted_id(&self) -> Id {
        self.max_deleted_id
    }

    /// Number of entries that were ever added.
    pub fn entries_added(&self) -> u64 {
        self.entries_added
    }

    /// The id of an entry that is added now; none after the greatest.
    pub fn next_id(&self, now_ms: u64) -> Option<Id> {
        if self.last_id.ms < now_ms { Some(Id::new(now_ms, 0)) } else { self.last_id.next() }
    }

    /// The id of an entry that is added with this time, if there is still one.
    pub fn next_id_at(&self, ms: u64) -> Option<Id> {
        match ms.cmp(&self.last_id.ms) {
            std::cmp::Ordering::Less => None,
            std::cmp::Ordering::Equal => Some(Id::new(ms, self.last_id.seq.checked_add(1)?)),
            std::cmp::Ordering::Greater => Some(Id::new(ms, 0)),
        }
    }

    /// How many entries were ever added up to an id, if that can be known.
    pub fn entries_before(&self, id: Id) -> Option<u64> {
        self.marks().entries_before(id)
    }

    /// How many entries a group has still to read, if that can be known.
    pub fn lag(&self, group: &Group) -> Option<u64> {
        if self.entries_added == 0 || self.log.is_empty() {
            return Some(0);
        }
        let marks = self.marks();
        let read = match group.entries_read {
            Some(read) if marks.knows(group.last_id) => Some(read),
            _ => marks.entries_before(group.last_id),
        };
        read.map(|read| self.entries_added.saturating_sub(read))
    }

    fn marks(&self) -> Marks {
        Marks {
            len: self.log.len(),
            first_id: self.first_id,
            last_id: self.last_id,
            max_deleted_id: self.max_deleted_id,
            entries_added: self.entries_added,
        }
    }

    /// Checks all that must hold.
    ///
    /// # Panics
    /// If something does not.
    pub fn check_invariants(&self) {
        self.log.check_invariants();
        self.groups.check_invariants();
        self.groups.iter().for_each(|(_, group)| group.check_invariants());
        self.producers.iter().for_each(|producers| producers.check_invariants());
        let first = self.log.first().map_or(Id::MIN, |entry| entry.id);
        assert_eq!(first, self.first_id);
        assert!(self.log.last().is_none_or(|entry| entry.id <= self.last_id));
    }
}

fn is_referenced(groups: &Tree<Name, Node<Group>>, id: Id) -> bool {
    groups.iter().any(|(_, group)| group.last_id < id || group.pending(id).is_some())
}

fn forget(groups: &mut Tree<Name, Node<Group>>, id: Id) {
    loop {
        let holder = groups.iter().find(|(_, group)| group.pending(id).is_some());
        let Some(name) = holder.map(|(name, _)| name.clone()) else { return };
        if let Some(group) = groups.value_mut(name.bytes()) {
            group.make_mut().acknowledge(id);
        }
    }
}

/// Where a stream begins and ends, for counting what lies behind an id.
#[derive(Clone, Copy)]
struct Marks {
    len: u64,
    first_id: Id,
    last_id: Id,
    max_deleted_id: Id,
    entries_added: u64,
}

impl Marks {
    /// Whether a count of entries up to an id can be carried on: nothing was deleted behind it.
    fn knows(self, id: Id) -> bool {
        let has_tombstones = self.len != 0
            && self.max_deleted_id != Id::MIN
            && self.first_id <= self.max_deleted_id
            && id <= self.max_deleted_id;
        self.first_id <= id && !has_tombstones
    }

    fn entries_before(self, id: Id) -> Option<u64> {
        if self.entries_added == 0 {
            return Some(0);
        }
        if self.len == 0 && id <= self.last_id {
            return Some(self.entries_added);
        }
        match id.cmp(&self.last_id) {
            std::cmp::Ordering::Equal => return Some(self.entries_added),
            std::cmp::Ordering::Greater => return None,
            std::cmp::Ordering::Less => {}
        }
        let is_whole = self.max_deleted_id == Id::MIN || self.max_deleted_id < self.first_id;
        match id.cmp(&self.first_id) {
            std::cmp::Ordering::Less if is_whole => Some(self.entries_added - self.len),
            std::cmp::Ordering::Equal if is_whole => Some(self.entries_added - self.len + 1),
            _ => None,
        }
    }
}
