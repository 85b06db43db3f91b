//! A cut: all data as it was at one moment, handed over piece by piece while it changes.
//!
//! *Problem.* A snapshot takes seconds to write, calls change data meanwhile, and nobody may wait.
//!
//! *Idea.* Each entry has one bit, its mark, and each database one of its own. As long as nothing is being
//! cut, all of them are equal. Beginning a cut turns the database's mark over, so all entries are unsaved at
//! once, without anybody having touched them:
//!
//! ```text
//! database 0   entries 0 0 0 0     nothing is being cut
//!          1           0 0 0 0     a cut has begun: all are unsaved
//!          1           1 0 1 0 1   the walk is here; a later one was changed; one came anew
//!          1           1 1 1 1 1   all are saved: the cut is over
//! ```
//!
//! A walk along the cursor of SCAN takes copies of unsaved entries. Whoever changes, replaces or removes an
//! entry has it saved before, if it is not saved yet: its *old form* is kept until the walk fetches it. Both
//! turn the entry's mark over. So each entry of that moment is handed over once, as it was.
//!
//! *Cost.* Without a cut, a look at one pointer. With one, an entry is copied before it changes for the first
//! time: small ones byte by byte, large ones by cloning the root of their tree, long strings by their reference
//! count. The old forms that wait are counted in [`OldForms`], so that callers can hold writers up. Their bytes
//! do not count as used: else keys would be evicted to make room for the old forms of evicted keys.
//!
//! What belongs to a cut goes with its database: SWAPDB takes it along under its old number, and a table that
//! is taken away as a whole (FLUSHDB) is left to the walk.
//!
//! Rejected: noting the epoch in each entry instead of a bit (there is no room, and one cut at a time is
//! enough); serializing old forms where they are met (compression would be on the caller's way).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use super::database::Database;
use crate::layout::entry::{Entry, EntryMut, EntryRef};

/// What the copy of a large collection counts for: its root, and the first nodes that differ.
const LARGE_BYTES: usize = 4 << 10;

/// What all parts of a cut share: whether it is still wanted, and how much of it waits to be fetched.
#[derive(Debug, Default)]
pub struct OldForms {
    bytes: AtomicUsize,
    is_unwanted: AtomicBool,
}

impl OldForms {
    /// Bytes that were copied because entries have changed, and that were not written yet.
    pub fn bytes(&self) -> usize {
        // Relaxed: a measure.
        self.bytes.load(Relaxed)
    }

    /// Old forms of so many bytes are written, and gone.
    pub fn written(&self, bytes: usize) {
        if bytes != 0 {
            self.bytes.fetch_sub(bytes, Relaxed);
            base::memory::flush();
            base::memory::settle(bytes);
        }
    }

    fn kept(&self, bytes: usize) {
        self.bytes.fetch_add(bytes, Relaxed);
        base::memory::hand_over(bytes);
    }

    /// Nobody wants the cut any more: nothing is copied from now on. It has to be walked to its end all the same.
    pub fn cancel(&self) {
        // Relaxed: who sees it late makes a copy too many.
        self.is_unwanted.store(true, Relaxed);
    }

    /// Another cut begins, which is wanted.
    pub fn renew(&self) {
        self.is_unwanted.store(false, Relaxed);
    }

    /// Whether somebody wants the cut.
    pub fn is_wanted(&self) -> bool {
        !self.is_unwanted.load(Relaxed)
    }
}

/// What a part of a database still owes a cut.
pub(super) struct Owed {
    /// The database's number at the moment of the cut.
    db: usize,
    /// Where the walk goes on.
    cursor: u64,
    old: Vec<Entry>,
    old_bytes: usize,
    shared: Arc<OldForms>,
}

/// What a step of the walk has fetched.
#[derive(Default)]
pub struct Fetched {
    /// Entries, each with the number of its database at the moment of the cut. They are copies: their owner
    /// may write and free them where it likes.
    pub entries: Vec<(usize, Entry)>,
    /// How many bytes of them are old forms ([`OldForms::written`]).
    pub old_bytes: usize,
}

impl Owed {
    pub(super) fn new(db: usize, shared: &Arc<OldForms>) -> Self {
        Self { db, cursor: 0, old: Vec::new(), old_bytes: 0, shared: Arc::clone(shared) }
    }

    pub(super) fn is_wanted(&self) -> bool {
        self.shared.is_wanted()
    }

    #[cold]
    fn save(&mut self, entry: EntryRef<'_>) {
        if !self.shared.is_wanted() {
            return;
        }
        let copy = Entry::duplicate(entry, entry.key());
        let bytes = bytes_of(&copy);
        self.old.push(copy);
        self.old_bytes += bytes;
        self.shared.kept(bytes);
    }

    fn hand_over_old(&mut self, out: &mut Fetched) {
        let db = self.db;
        out.entries.extend(self.old.drain(..).map(|entry| (db, entry)));
        out.old_bytes += std::mem::take(&mut self.old_bytes);
        // A burst of changes leaves no room behind.
        self.old = Vec::new();
    }
}

impl Drop for Owed {
    fn drop(&mut self) {
        self.shared.written(self.old_bytes);
    }
}

/// The mark of a database's entries, and what it owes to the cut that is being walked.
#[derive(Default)]
pub(super) struct Marks {
    pub(super) mark: bool,
    pub(super) owed: Option<Box<Owed>>,
}

impl Marks {
    /// Saves an entry that is about to change, if it has to be.
    #[inline]
    pub(super) fn save(&mut self, mut entry: EntryMut<'_>) {
        if let Some(owed) = &mut self.owed
            && entry.as_ref().cut_mark() != self.mark
        {
            owed.save(entry.as_ref());
            entry.set_cut_mark(self.mark);
        }
    }

    /// The same entry, after [`Marks::save`].
    pub(super) fn saved<'e, 'a>(&mut self, entry: &'e mut EntryMut<'a>) -> &'e mut EntryMut<'a> {
        self.save(entry.reborrow());
        entry
    }
}

impl Database {
    /// Begins a cut in which this database has the number `db`. No other may be on its way.
    pub(super) fn begin_cut(&mut self, db: usize, shared: &Arc<OldForms>) {
        assert!(self.marks.owed.is_none(), "one cut at a time");
        if !self.is_empty() {
            self.marks.mark = !self.marks.mark;
            self.marks.owed = Some(Box::new(Owed::new(db, shared)));
        }
    }

    /// Fetches old forms, and at least `count_min` entries if the walk is not at its end. Says whether there
    /// is more to come.
    pub fn step_cut(&mut self, count_min: usize, out: &mut Fetched) -> bool {
        let Some(owed) = &mut self.marks.owed else { return false };
        owed.hand_over_old(out);
        let (db, mark, is_wanted) = (owed.db, self.marks.mark, owed.is_wanted());
        owed.cursor = self.table.scan_mut(owed.cursor, count_min, |mut entry| {
            let look = entry.as_ref();
            if look.cut_mark() == mark {
                return;
            }
            if is_wanted {
                out.entries.push((db, Entry::duplicate(look, look.key())));
            }
            entry.set_cut_mark(mark);
        });
        let has_more = owed.cursor != 0;
        if !has_more {
            self.marks.owed = None;
        }
        has_more
    }

    /// Fetches old forms.
    pub(super) fn fetch_old_forms(&mut self, out: &mut Fetched) {
        if let Some(owed) = &mut self.marks.owed {
            owed.hand_over_old(out);
        }
    }

    /// Whether somebody waits for what it owes to a cut.
    pub(super) fn owes(&self) -> bool {
        self.marks.owed.as_ref().is_some_and(|owed| owed.is_wanted())
    }
}

fn bytes_of(entry: &Entry) -> usize {
    if entry.as_ref().is_large() { LARGE_BYTES } else { entry.as_ref().memory_bytes() }
}
