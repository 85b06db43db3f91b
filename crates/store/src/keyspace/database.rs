//! One numbered database in one shard: a table of entries and the deadlines of the volatile ones.
//!
//! Whatever changes an entry's deadline passes through here, so three things always agree: the
//! entry, the number of volatile keys, and the queue of deadlines, in which every volatile key has a
//! record that is not too late (`expiry`).
//!
//! A hash whose fields have deadlines is due when the first of them is: its record leads to it, and
//! [`Database::expire_due`] takes out the fields whose time is up. So each key has one record at
//! most that is not stale, for whatever comes first.
//!
//! The sizes of values are counted likewise (`sizes`).
//!
//! Whatever changes or removes an entry has it saved before, should a cut still need it (`cut`).
//!
//! A read does not look at the time: whoever needs to know asks the entry whether it has expired.

use std::sync::Arc;

use base::hash::KeyedHash;
use base::rand::Rng;
use smallvec::SmallVec;

use super::cut::Marks;
use super::evicted::Evicted;
use super::expiry::{Deadlines, Due};
use super::sizes::{SizeClass, Sizes};
use crate::layout::Key;
use crate::layout::entry::{Entry, EntryMut, EntryRef, EntryUse, Kind};
use crate::layout::home::{Form, Large, Wanted};
use crate::layout::prefetch::PrefetchHint;
use crate::layout::rubble::{Part, Rubble};
use crate::layout::table::{HashPrefix, Lookup, Remains, Table};
use crate::types::hash::{self, LargeHash};
use crate::types::stream::{self, Newness, Stream};
use crate::types::string;

/// Records that a call of [`Database::expire_due`] may move on for each entry that it may remove:
/// about the same time.
const RECORDS_PER_ENTRY: usize = 16;
/// Records that are handled together.
const DUE_BATCH: usize = 16;
/// Stale records that a pass looks up whenever a record is added.
const PASS_STEP: usize = 2;
/// Buckets whose entries are freed in one piece.
const BUCKETS_PER_PIECE: usize = 32;
/// Entries that are looked at to estimate the bytes of all.
const WEIGHED_COUNT: usize = 64;
/// Entries that one step looks at when the table has been ordered anew.
const REINDEX_STEP: usize = 64;

/// A part of one numbered database.
pub struct Database {
    pub(super) table: Table<Entry>,
    pub(super) marks: Marks,
    counts: Counts,
    deadlines: Option<Box<Deadlines>>,
    sizes: Sizes,
    /// The most that any of its streams has ever had.
    newness: Newness,
    /// Keys that were evicted lately, if any were.
    evicted: Option<Box<Evicted>>,
    /// Whether the queue finds the table's entries: not after it was ordered by another hash.
    indexing: Indexing,
    hints: Arc<[PrefetchHint]>,
    hint_index: usize,
    /// What the hint says: an address and a number of buckets.
    published: (usize, u64),
}

/// What a search for a key that must not have expired found.
pub enum Live<E> {
    /// The entry.
    Found(E),
    /// Nothing.
    Missing,
    /// An entry whose deadline has passed; it is no longer in the database.
    Expired(Entry),
}

/// What [`Database::expire_due`] did.
pub enum Passed<'a> {
    /// A key's deadline had passed.
    Key(Entry),
    /// Fields of a hash had passed theirs, and others are left.
    Fields {
        /// The hash's key.
        key: &'a [u8],
        /// How many went.
        count: usize,
        /// Which ones.
        names: &'a Names,
    },
    /// The last fields of a hash had passed theirs, so it is no longer in the database.
    LastFields {
        /// The hash, which is empty.
        entry: Entry,
        /// How many went.
        count: usize,
    },
}

/// Names of fields, in one piece of memory.
#[derive(Debug, Default)]
pub struct Names {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Names {
    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(&0).chain(&self.ends);
        starts.zip(&self.ends).map(|(start, end)| &self.bytes[*start..*end])
    }

    fn push(&mut self, name: &[u8]) {
        self.bytes.extend_from_slice(name);
        self.ends.push(self.bytes.len());
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }
}

/// How many entries have which times.
#[derive(Debug, Default)]
struct Counts {
    /// Keys with a deadline.
    volatile: usize,
    /// Keys with a deadline, of their own or of a part.
    due: usize,
    /// Hashes with a field that has a deadline.
    timed_hashes: usize,
}

impl Counts {
    #[inline]
    fn add(&mut self, times: Times) {
        self.volatile += usize::from(times.deadline.is_some());
        self.due += usize::from(times.due.is_some());
        self.timed_hashes += usize::from(times.has_timed_parts);
    }

    #[inline]
    fn remove(&mut self, times: Times) {
        self.volatile -= usize::from(times.deadline.is_some());
        self.due -= usize::from(times.due.is_some());
        self.timed_hashes -= usize::from(times.has_timed_parts);
    }
}

/// The times that the database knows of an entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Times {
    deadline: Option<u64>,
    /// The deadline, or that of a part if it is earlier.
    due: Option<u64>,
    /// Whether a part has a deadline.
    has_timed_parts: bool,
}

impl Times {
    #[inline]
    fn of(entry: EntryRef<'_>) -> Self {
        let (deadline, part) = (entry.deadline(), entry.next_deadline_ms());
        Self {
            deadline,
            due: deadline.into_iter().chain(part).min(),
            has_timed_parts: part.is_some(),
        }
    }

    #[inline]
    fn of_string(deadline: Option<u64>) -> Self {
        Self { deadline, due: deadline, has_timed_parts: false }
    }
}

/// What became of an edit of a key that must not have expired.
pub enum Edited<R> {
    /// What the edit said.
    Done(R),
    /// The key was not there.
    Missing,
    /// The key's deadline had passed; it is no longer in the database.
    Expired(Entry),
}

/// How far the queue of deadlines knows the table's present ordering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Indexing {
    generation: u8,
    /// Where to go on when entries are recorded anew.
    cursor: Option<u64>,
}

impl Database {
    /// An empty database that keeps `hints[hint_index]` up to date.
    pub(crate) fn new(hash: Arc<KeyedHash>, hints: Arc<[PrefetchHint]>, hint_index: usize) -> Self {
        let mut database = Self {
            table: Table::new(hash),
            marks: Marks::default(),
            counts: Counts::default(),
            deadlines: None,
            sizes: Sizes::default(),
            newness: Newness::default(),
            evicted: None,
            indexing: Indexing { generation: 0, cursor: None },
            hints,
            hint_index,
            published: (0, 0),
        };
        database.publish();
        database
    }

    /// An empty database to take this one's place.
    pub(crate) fn new_empty(&self, hash: Arc<KeyedHash>) -> Self {
        Self::new(hash, Arc::clone(&self.hints), self.hint_index)
    }

    /// Leaves the hint to the database that takes this one's place.
    pub(crate) fn detach_hint(&mut self) {
        self.hint_index = usize::MAX;
    }

    /// Lets two databases that have changed places keep each other's hint.
    pub(crate) fn swap_hint(&mut self, other: &mut Self) {
        std::mem::swap(&mut self.hint_index, &mut other.hint_index);
        for database in [self, other] {
            database.published = (0, 0);
            database.publish();
        }
    }

    /// Finds a key, to change what needs no other size, but for its deadline.
    #[inline]
    pub fn find_mut(&mut self, key: Key<'_>) -> Option<EntryMut<'_>> {
        let mut entry = self.table.find_mut(key)?;
        self.marks.save(entry.reborrow());
        Some(entry)
    }

    #[cold]
    fn save(&mut self, key: Key<'_>) {
        self.find_mut(key);
    }

    /// Finds a key unless its deadline has passed at `now_ms`: then it is removed.
    #[inline]
    pub fn live(&mut self, key: Key<'_>, now_ms: u64) -> Live<EntryUse<'_>> {
        match self.live_unsaved(key, now_ms) {
            Live::Expired(entry) => Live::Expired(entry),
            Live::Found(entry) => Live::Found(entry.into()),
            Live::Missing => Live::Missing,
        }
    }

    /// As [`Self::live`], to change what needs no other size, but for the deadline.
    #[inline]
    pub fn live_mut(&mut self, key: Key<'_>, now_ms: u64) -> Live<EntryMut<'_>> {
        // What a cut needs is copied when it is found.
        if self.marks.owed.is_some() {
            self.save(key);
        }
        self.live_unsaved(key, now_ms)
    }

    #[inline]
    fn live_unsaved(&mut self, key: Key<'_>, now_ms: u64) -> Live<EntryMut<'_>> {
        match self.table.entry(key) {
            Lookup::Missing(_) => Live::Missing,
            Lookup::Found(mut place) if place.item().is_expired(now_ms) => {
                self.marks.save(place.item_mut());
                let entry = place.remove();
                self.counts.remove(Times::of(entry.as_ref()));
                self.sizes.moved(SizeClass::of(entry.as_ref()), SizeClass::NONE);
                Live::Expired(entry)
            }
            Lookup::Found(place) => Live::Found(place.into_mut()),
        }
    }

    /// Gives a key a string value, a deadline or none, and an access clock. Returns the entry that
    /// was there, unless the new value took its place in memory.
    #[inline]
    pub fn set_string(
        &mut self,
        key: Key<'_>,
        value: &[u8],
        deadline: Option<u64>,
        clock: u32,
    ) -> Option<Entry> {
        let pass = deadline.is_some() && pass(&self.deadlines);
        match self.table.entry(key) {
            Lookup::Found(mut place) => {
                self.marks.save(place.item_mut());
                let before = Times::of(place.item());
                self.sizes.moved(SizeClass::of(place.item()), SizeClass::of_string(value.len()));
                let old = place.edit(|entry| entry.set_string(value, deadline, clock));
                if before.due.is_some() || deadline.is_some() {
                    if needs_record(before.due, deadline) {
                        place.item_mut().set_expiry_pass(pass);
                    }
                    self.note_times(key, before, Times::of_string(deadline));
                }
                old
            }
            Lookup::Missing(place) => {
                let mut entry = Entry::string(key.bytes, value, deadline, clock);
                entry.as_mut().set_marks(pass, self.marks.mark);
                welcome(&mut self.evicted, &mut entry, key.hash);
                self.sizes.moved(SizeClass::NONE, SizeClass::of_string(value.len()));
                place.insert(entry);
                self.publish();
                if deadline.is_some() {
                    self.note_times(key, Times::default(), Times::of_string(deadline));
                }
                None
            }
        }
    }

    /// As [`Self::set_string`], for bytes that are there already.
    pub fn set_shared(
        &mut self,
        key: Key<'_>,
        value: Arc<Vec<u8>>,
        deadline: Option<u64>,
        clock: u32,
    ) -> Option<Entry> {
        self.insert(Entry::shared(key.bytes, value, deadline, clock), key.hash)
    }

    /// Puts an entry there, whose key has this hash. Returns the entry that was there.
    pub fn insert(&mut self, mut entry: Entry, hash: u64) -> Option<Entry> {
        let pass = pass(&self.deadlines);
        let after = Times::of(entry.as_ref());
        let size = SizeClass::of(entry.as_ref());
        let prefix = self.table.prefix(Key { bytes: entry.as_ref().key(), hash });
        note_newness(&mut self.newness, entry.as_ref());
        match self.table.entry(Key { bytes: entry.as_ref().key(), hash }) {
            Lookup::Found(mut place) => {
                self.marks.save(place.item_mut());
                let look = place.item();
                let before = Times::of(look);
                self.sizes.moved(SizeClass::of(look), size);
                let is_new = needs_record(before.due, after.due);
                let pass = if is_new { pass } else { look.expiry_pass() };
                entry.as_mut().set_marks(pass, self.marks.mark);
                let old = place.replace(entry);
                self.count_times(prefix, before, after);
                Some(old)
            }
            Lookup::Missing(place) => {
                entry.as_mut().set_marks(pass, self.marks.mark);
                welcome(&mut self.evicted, &mut entry, hash);
                self.sizes.moved(SizeClass::NONE, size);
                place.insert(entry);
                self.publish();
                self.count_times(prefix, Times::default(), after);
                None
            }
        }
    }

    /// Lets `change` edit a key's entry as a whole: the verbs of [`crate::types`] want that. The
    /// entry must keep its key.
    #[inline]
    pub fn edit<R>(&mut self, key: Key<'_>, change: impl FnOnce(&mut Entry) -> R) -> Option<R> {
        let Lookup::Found(mut place) = self.table.entry(key) else { return None };
        self.marks.save(place.item_mut());
        let before = Times::of(place.item());
        let size = SizeClass::of(place.item());
        let result = place.edit(change);
        debug_assert!(place.item().key() == key.bytes);
        let after = Times::of(place.item());
        self.sizes.moved(size, SizeClass::of(place.item()));
        note_newness(&mut self.newness, place.item());
        if before != after {
            if needs_record(before.due, after.due) {
                place.item_mut().set_expiry_pass(pass(&self.deadlines));
            }
            self.note_times(key, before, after);
        }
        Some(result)
    }

    /// As [`Self::edit`], unless the key's deadline has passed at `now_ms`: then it is removed.
    #[inline]
    pub fn edit_live<R>(
        &mut self,
        key: Key<'_>,
        now_ms: u64,
        change: impl FnOnce(&mut Entry) -> R,
    ) -> Edited<R> {
        let Lookup::Found(mut place) = self.table.entry(key) else { return Edited::Missing };
        self.marks.save(place.item_mut());
        let before = place.item();
        if before.is_expired(now_ms) {
            let entry = place.remove();
            self.counts.remove(Times::of(entry.as_ref()));
            self.sizes.moved(SizeClass::of(entry.as_ref()), SizeClass::NONE);
            return Edited::Expired(entry);
        }
        let size = SizeClass::of(before);
        let before = Times::of(before);
        let result = place.edit(change);
        debug_assert!(place.item().key() == key.bytes);
        let after = Times::of(place.item());
        self.sizes.moved(size, SizeClass::of(place.item()));
        note_newness(&mut self.newness, place.item());
        if before != after {
            if needs_record(before.due, after.due) {
                place.item_mut().set_expiry_pass(pass(&self.deadlines));
            }
            self.note_times(key, before, after);
        }
        Edited::Done(result)
    }

    /// Adds bytes at the end of a key's string; returns the new length.
    ///
    /// # Panics
    /// If the key is not there or is not a string.
    pub fn append(&mut self, key: Key<'_>, bytes: &[u8]) -> usize {
        let len = self.edit(key, |entry| string::append(entry, bytes));
        len.expect("the caller has found the key")
    }

    /// Overwrites a part of a key's string; returns the new length.
    ///
    /// # Panics
    /// If the key is not there or is not a string.
    pub fn set_range(&mut self, key: Key<'_>, offset: usize, bytes: &[u8]) -> usize {
        let len = self.edit(key, |entry| string::set_range(entry, offset, bytes));
        len.expect("the caller has found the key")
    }

    /// Sets, changes or takes away a key's deadline; says whether the key is there.
    pub fn set_deadline(&mut self, key: Key<'_>, deadline: Option<u64>) -> bool {
        self.edit(key, |entry| entry.set_deadline(deadline)).is_some()
    }

    /// Takes a key's entry away.
    pub fn remove(&mut self, key: Key<'_>) -> Option<Entry> {
        let Lookup::Found(mut place) = self.table.entry(key) else { return None };
        self.marks.save(place.item_mut());
        let entry = place.remove();
        self.counts.remove(Times::of(entry.as_ref()));
        self.sizes.moved(SizeClass::of(entry.as_ref()), SizeClass::NONE);
        Some(entry)
    }

    /// As [`Self::remove`], because memory is short: should the key come back soon, it counts as
    /// used ([`EntryRef::is_used`]).
    pub fn evict(&mut self, key: Key<'_>) -> Option<Entry> {
        let entry = self.remove(key)?;
        let keys = self.table.len();
        let evicted = match self.evicted.take() {
            Some(evicted) if !evicted.is_misfit(keys) => evicted,
            _ => Box::new(Evicted::new(keys)),
        };
        self.evicted.insert(evicted).note(key.hash);
        Some(entry)
    }

    /// Removes entries, and fields of hashes, whose deadline has passed, at most `max`, and tells
    /// `out`. Returns how many.
    ///
    /// A call does a bounded amount of work, so it may end early. There is no more to do when
    /// [`Self::next_due_ms`] is later than now.
    pub fn expire_due(
        &mut self,
        now_ms: u64,
        max: usize,
        mut out: impl FnMut(Passed<'_>),
    ) -> usize {
        let Some(deadlines) = &mut self.deadlines else { return 0 };
        deadlines.advance(now_ms);
        let mut budget = max.saturating_mul(RECORDS_PER_ENTRY);
        let mut removed = 0;
        let mut batch: SmallVec<[Due; DUE_BATCH]> = SmallVec::new();
        while removed < max {
            // Two cache misses a key, most of what this costs, are awaited for all of them at once.
            let Some(deadlines) = &mut self.deadlines else { break };
            while batch.len() < DUE_BATCH.min(max - removed)
                && let Some(due) = deadlines.next_due(&mut budget)
            {
                budget = budget.saturating_sub(RECORDS_PER_ENTRY - 1);
                batch.push(due);
            }
            if batch.is_empty() {
                break;
            }
            batch.iter().for_each(|due| self.table.prefetch_buckets(due.prefix));
            batch.iter().for_each(|due| self.table.prefetch_items(due.prefix));
            for due in batch.drain(..) {
                removed += self.settle(due, now_ms, max.saturating_sub(removed), &mut out);
            }
        }
        self.publish();
        removed
    }

    /// Does some of the work that can wait: moves up to `budget` buckets of a table that changes
    /// its size, and looks up stale deadlines. Says whether there is more to do.
    pub fn maintain(&mut self, budget: usize) -> bool {
        let is_moving = self.table.maintain(budget);
        self.publish();
        let is_indexing = self.reindex(budget);
        let is_in_pass = self.continue_pass(budget);
        is_moving || is_indexing || is_in_pass
    }

    /// A key's entry.
    #[inline]
    pub fn find(&self, key: Key<'_>) -> Option<EntryRef<'_>> {
        self.table.find(key)
    }

    /// Visits entries from `cursor` on, at least `count_min` if there are as many, and returns the
    /// cursor to go on with: zero at the end, and always below 2^[`crate::CURSOR_BITS`]. An entry
    /// that is there throughout is visited.
    pub fn scan(&self, cursor: u64, count_min: usize, visit: impl FnMut(EntryRef<'_>)) -> u64 {
        self.table.scan(cursor, count_min, visit)
    }

    /// Some entry, each about equally likely.
    pub fn random(&self, rng: &mut Rng) -> Option<EntryRef<'_>> {
        self.table.random(rng)
    }

    /// Visits about `count` entries from a random place on, in the order of a hash: so they have
    /// nothing to do with each other.
    pub fn sample(&self, rng: &mut Rng, count: usize, visit: impl FnMut(EntryRef<'_>)) {
        self.table.sample(rng, count, visit);
    }

    /// A time before which no entry expires, in Unix milliseconds; not later than now if
    /// [`Self::expire_due`] has something to do.
    pub fn next_due_ms(&self) -> Option<u64> {
        self.deadlines.as_ref()?.next_due_ms()
    }

    /// Number of keys, those included that have expired and were not yet removed.
    #[inline]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there are no keys.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Number of keys with a deadline.
    #[inline]
    pub fn volatile_len(&self) -> usize {
        self.counts.volatile
    }

    /// Number of hashes with a field that has a deadline.
    #[inline]
    pub fn timed_hashes(&self) -> usize {
        self.counts.timed_hashes
    }

    /// What its streams may have that older servers do not know.
    pub fn newness(&self) -> Newness {
        self.newness
    }

    /// How many keys have values of which size.
    pub fn sizes(&self) -> &Sizes {
        &self.sizes
    }

    /// Prefetches the entry that may have this hash. Reads the table, so it wants the shard's lock.
    #[inline]
    pub fn prefetch_entry(&self, hash: u64) {
        self.table.prefetch(hash);
    }

    /// Fetches what calls with these elements of a key's value will look at into the cache.
    #[inline]
    pub fn prefetch_elements(&self, key: Key<'_>, wanted: &[Wanted<'_>]) {
        if let Some(entry) = self.table.find(key) {
            entry.prefetch(wanted);
        }
    }

    /// Bytes that the table and the queue of deadlines take, entries not included.
    pub fn memory_bytes(&self) -> usize {
        let evicted = self.evicted.as_ref().map_or(0, |evicted| evicted.memory_bytes());
        size_of::<Self>()
            + self.table.memory_bytes()
            + self.deadline_bytes()
            + evicted
            + self.sizes.memory_bytes()
    }

    /// Places for keys in the table.
    pub fn slots(&self) -> usize {
        self.table.slots()
    }

    /// Bytes that the queue of deadlines takes alone.
    pub fn deadline_bytes(&self) -> usize {
        self.deadlines.as_ref().map_or(0, |deadlines| deadlines.memory_bytes())
    }

    /// About how many bytes it takes with all its entries: some of them are weighed. O(1).
    pub fn estimated_bytes(&self) -> usize {
        let (mut count, mut bytes) = (0_u128, 0);
        // From one place on: it is in the order of a hash, so this is a random sample.
        self.table.scan(0, WEIGHED_COUNT, |entry| {
            (count, bytes) = (count + 1, bytes + entry.memory_bytes());
        });
        let of_entries = u128::from(bytes as u64) * u128::from(self.len() as u64) / count.max(1);
        self.memory_bytes() + of_entries as usize
    }

    /// How often keys collided beyond chance: see [`Table::flood_count`].
    pub fn flood_count(&self) -> u32 {
        self.table.flood_count()
    }

    /// Checks what must hold of every database; for tests and debugging.
    ///
    /// # Panics
    /// If it does not hold.
    pub fn check_invariants(&self) {
        self.table.check_invariants();
        let (mut volatile_len, mut due_len, mut timed_hashes, mut other_marks) = (0, 0, 0, 0);
        let mut sizes = Sizes::default();
        let mut cursor = 0;
        loop {
            cursor = self.table.scan(cursor, 1000, |entry| {
                sizes.moved(SizeClass::NONE, SizeClass::of(entry));
                other_marks += usize::from(entry.cut_mark() != self.marks.mark);
                volatile_len += usize::from(entry.deadline().is_some());
                due_len += usize::from(entry.due_ms().is_some());
                timed_hashes += usize::from(entry.next_deadline_ms().is_some());
            });
            if cursor == 0 {
                break;
            }
        }
        // While a cut is walked, marks may differ.
        assert!(self.marks.owed.is_some() || other_marks == 0);
        assert_eq!(self.counts.volatile, volatile_len);
        assert_eq!(self.counts.due, due_len);
        assert_eq!(self.counts.timed_hashes, timed_hashes);
        self.sizes.check_equal(&sizes);
        if let Some(deadlines) = &self.deadlines {
            deadlines.check_invariants();
        }
    }

    /// Keeps counts and queue right when a key's times have changed. The entry says already that
    /// it is recorded in this pass, if it needs a record.
    fn note_times(&mut self, key: Key<'_>, before: Times, after: Times) {
        self.count_times(self.table.prefix(key), before, after);
    }

    fn count_times(&mut self, prefix: HashPrefix, before: Times, after: Times) {
        self.counts.add(after);
        self.counts.remove(before);
        let Some(due) = after.due.filter(|_| needs_record(before.due, after.due)) else { return };
        let deadlines = self.deadlines.get_or_insert_default();
        deadlines.push(due, prefix);
        // Three records for two keys are the price of never searching for one; the last term keeps
        // a pass from coming too often when few keys are volatile, at an eighth of a byte a key.
        if self.counts.due / 2 * 3 + self.table.len() / 64 + 1024 < deadlines.len() {
            deadlines.begin_pass();
        }
        if deadlines.is_in_pass() {
            self.continue_pass(PASS_STEP);
        }
    }

    /// Looks at the entries of a record: removes up to `max` that are due, or as many fields, and
    /// records the others anew, for no other record may be there for them.
    fn settle(
        &mut self,
        due: Due,
        now_ms: u64,
        max: usize,
        mut out: impl FnMut(Passed<'_>),
    ) -> usize {
        let Some(deadlines) = &mut self.deadlines else { return 0 };
        let (sizes, marks) = (&mut self.sizes, &mut self.marks);
        let (mut removed, mut due_lost, mut timed_lost) = (0, 0, 0);
        // Of hashes that lost their last fields, how many that were.
        let mut emptied: Vec<usize> = Vec::new();
        let mut names = Names::default();
        let keep = |mut entry: EntryMut<'_>| {
            let Some(mut due_ms) = entry.as_ref().due_ms() else { return true };
            if entry.as_ref().is_expired(now_ms) && removed < max {
                marks.save(entry);
                removed += 1;
                return false;
            }
            let size = SizeClass::of(entry.as_ref());
            if due_ms < now_ms
                && removed < max
                && let Some(large) = marks.saved(&mut entry).large_mut::<LargeHash>()
            {
                names.clear();
                let count = hash::purge(large, now_ms, max - removed, |field| names.push(field));
                removed += count;
                timed_lost += usize::from(large.next_deadline_ms().is_none());
                let is_emptied = LargeHash::len(Form::Large(large)) == 0;
                sizes.moved(size, SizeClass::of(entry.as_ref()));
                if is_emptied {
                    emptied.push(count);
                    return false;
                }
                if count != 0 {
                    out(Passed::Fields { key: entry.as_ref().key(), count, names: &names });
                }
                let Some(next_ms) = entry.as_ref().due_ms() else {
                    due_lost += 1;
                    return true;
                };
                due_ms = next_ms;
            }
            let is_seen = entry.as_ref().expiry_pass() == deadlines.pass();
            if !due.is_old || !is_seen {
                deadlines.push(due_ms, due.prefix);
                entry.set_expiry_pass(deadlines.pass());
            }
            true
        };
        let mut gone: Vec<Entry> = Vec::new();
        self.table.sift(due.prefix, keep, |entry| gone.push(entry));
        self.counts.due -= due_lost + gone.len();
        self.counts.timed_hashes -= timed_lost;
        let mut emptied = emptied.into_iter();
        for entry in gone {
            let look = entry.as_ref();
            self.sizes.moved(SizeClass::of(look), SizeClass::NONE);
            self.counts.volatile -= usize::from(look.deadline().is_some());
            self.counts.timed_hashes -= usize::from(look.next_deadline_ms().is_some());
            if look.is_expired(now_ms) {
                out(Passed::Key(entry));
            } else {
                let count = emptied.next().unwrap_or(0);
                out(Passed::LastFields { entry, count });
            }
        }
        removed
    }

    /// Looks up some records of the pass in progress; says whether there are more.
    fn continue_pass(&mut self, budget: usize) -> bool {
        for _ in 0..budget {
            let Some(deadlines) = &mut self.deadlines else { return false };
            let Some(due) = deadlines.next_of_pass() else { return false };
            // Nothing is removed here, since nobody is there to take it: a due record stays due.
            self.settle(due, 0, 0, |_| ());
        }
        self.deadlines.as_ref().is_some_and(|deadlines| deadlines.is_in_pass())
    }

    /// Records volatile entries anew after the table was ordered by another hash, since the records
    /// that are there do not lead to them any more. Says whether there is more to do.
    fn reindex(&mut self, budget: usize) -> bool {
        if self.indexing.generation != self.table.generation() {
            if self.table.is_moving() {
                return true;
            }
            self.indexing = Indexing { generation: self.table.generation(), cursor: Some(0) };
        }
        for _ in 0..budget.div_ceil(REINDEX_STEP) {
            let Some(cursor) = self.indexing.cursor else { return false };
            let mut prefixes: Vec<HashPrefix> = Vec::new();
            let next = self.table.scan(cursor, REINDEX_STEP, |entry| {
                if entry.due_ms().is_some() {
                    prefixes.push(self.table.prefix_of(entry.key()));
                }
            });
            for prefix in prefixes {
                self.settle(Due { prefix, is_old: false }, 0, 0, |_| ());
            }
            self.indexing.cursor = (next != 0).then_some(next);
        }
        self.indexing.cursor.is_some()
    }

    /// Brings the hint up to date. A removal may leave it behind until the next insertion.
    #[inline]
    fn publish(&mut self) {
        let (address, count) = self.table.hint();
        if self.published != (address.addr(), count) {
            self.published = (address.addr(), count);
            if let Some(hint) = self.hints.get(self.hint_index) {
                hint.publish(address, count);
            }
        }
    }
}

impl Part for Database {
    fn crumble(mut self: Box<Self>, rubble: &mut Rubble) {
        rubble.add(self.table.take_remains());
    }
}

impl Part for Remains<Entry> {
    fn crumble(mut self: Box<Self>, rubble: &mut Rubble) {
        let mut large: Vec<Entry> = Vec::new();
        let has_more = self.take_some(BUCKETS_PER_PIECE, |entry| {
            if !entry.is_cheap_to_free() {
                large.push(entry);
            }
        });
        if has_more {
            rubble.put_back(self);
        }
        large.into_iter().for_each(|entry| rubble.add(entry));
    }
}

/// The bit that says of an entry that it has a record made since the last pass began.
#[inline]
fn pass(deadlines: &Option<Box<Deadlines>>) -> bool {
    deadlines.as_ref().is_some_and(|deadlines| deadlines.pass())
}

/// Whether a key whose deadline changes needs a record for the new one.
#[inline]
fn needs_record(before: Option<u64>, after: Option<u64>) -> bool {
    match (before, after) {
        (_, None) => false,
        (None, Some(_)) => true,
        // A record that is too early does no harm.
        (Some(before), Some(after)) => Deadlines::is_earlier(after, before),
    }
}

/// Notes what the value of an entry may have that older servers do not know.
#[inline]
fn note_newness(newest: &mut Newness, entry: EntryRef<'_>) {
    if entry.kind() == Kind::Stream {
        *newest = stream::look(entry.form::<Stream>()).newness().max(*newest);
    }
}

/// Marks a new entry as used if its key, with this hash, was evicted lately.
#[inline]
fn welcome(evicted: &mut Option<Box<Evicted>>, entry: &mut Entry, hash: u64) {
    if let Some(evicted) = evicted
        && evicted.take(hash)
    {
        entry.as_mut().set_used();
    }
}

#[cfg(test)]
mod tests;
