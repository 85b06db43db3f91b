//! The cut: all data at one moment, for snapshots, the base of the append-only file and replicas.
//!
//! [`Engine::begin_cut`] takes the moment, behind the gate: every database turns its mark over, and what else
//! belongs to the moment is noted in the [`Cut`]. Then everything goes on, and a [`CutWalk`] fetches the data
//! piece by piece, shard by shard, for some microseconds each. What changes meanwhile is saved before
//! (`store`'s `keyspace::cut` has the idea).
//!
//! Old forms that wait to be fetched take memory. The walk fetches them first when there are many, and above a
//! limit calls that may change data wait at admission ([`Cuts::holds_writers`]). What has begun never waits,
//! nor does expiry or eviction.
//!
//! One cut at a time. One that is given up ([`Cuts::cancel`]) has to be walked to its end as well before the
//! next can begin, but yields nothing any more, which takes little time. Whoever does that makes a walk of his
//! own: how far the walk is, is noted in the databases.

use crate::data::Data;
use crate::engine::Engine;
use crate::run::Executor;
use crate::scripting::functions::Library;
use crate::session::Session;
use base::limits::{CUT_BYTES_MIN, CUT_MEMORY_SHARE};
use base::lock::Queued;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use store::rdb::Version;
use store::types::stream::Newness;
use store::{Database, Fetched, OldForms, Shard};

/// Entries that are fetched under one hold of a shard's lock, about.
const ENTRIES_PER_STEP: usize = 64;

/// Old forms of more bytes than this are fetched before anything else.
const OLD_BYTES_FIRST: usize = 1 << 20;

/// What a cut is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// The base of the append-only file.
    Journal,
    /// A snapshot.
    Snapshot,
}

/// The cuts of an engine: at most one is on its way.
#[derive(Default)]
pub struct Cuts {
    present: Mutex<Option<Arc<Cut>>>,
    /// The last that was begun.
    last: Mutex<Option<Arc<Cut>>>,
    is_on: AtomicBool,
    /// The last snapshot could not be written.
    has_failed: AtomicBool,
    old: Arc<OldForms>,
    /// Bytes of old forms above which writers wait.
    old_bytes_max: AtomicUsize,
    /// How many there were.
    count: AtomicU64,
    flushes: AtomicU64,
}

/// One moment of all data. What its databases hold comes from a [`CutWalk`].
pub struct Cut {
    number: u64,
    pub purpose: Purpose,
    /// When it was taken, in Unix milliseconds.
    pub at_ms: u64,
    /// The access clock of that time.
    pub access_clock: u32,
    /// How many bytes the journal had.
    pub journal_end: u64,
    /// How many changes were counted.
    pub changes: u64,
    /// Bytes that were in use.
    pub memory_bytes: usize,
    /// What there was in each numbered database.
    pub databases: Vec<CutSizes>,
    pub libraries: Vec<Arc<Library>>,
    /// The oldest version that has what the streams have.
    pub stream_version: Version,
    /// Goes on with every step of a walk.
    steps: AtomicU64,
    /// Entries that were fetched.
    keys_fetched: AtomicU64,
    /// The most bytes of old forms that waited at once.
    old_bytes_peak: AtomicUsize,
    is_cancelled: AtomicBool,
}

/// What there was in one numbered database.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct CutSizes {
    pub keys: usize,
    /// Keys with a deadline.
    pub volatile: usize,
    /// Hashes with a field that has a deadline.
    pub timed_hashes: usize,
}

/// Where a walk over a cut is.
pub struct CutWalk {
    cut: Arc<Cut>,
    next_shard: usize,
    /// Tables that were taken away as a whole since the cut.
    flushed: Vec<Database>,
}

/// What a step of a walk has come to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// Somebody else has the shard, or everything: let others run first.
    Busy,
    /// That was all.
    Done,
    /// There is more to fetch.
    More,
}

impl Cuts {
    /// Gives a cut up: from now on it yields nothing, and nobody wants a file with it any more.
    pub fn cancel(&self, cut: &Cut) {
        cut.is_cancelled.store(true, Relaxed);
        // Under the lock, so that it cannot be a later one whose copies are no longer made.
        let present = self.present.lock();
        if present.as_ref().is_some_and(|present| present.number == cut.number) {
            self.old.cancel();
        }
    }

    /// All data goes: a snapshot that is being written is given up, since nobody wants to find in it what was
    /// flushed.
    pub fn all_flushed(&self) {
        self.flushes.fetch_add(1, Relaxed);
        let last = self.last.lock().clone();
        if let Some(cut) = last.filter(|cut| cut.purpose == Purpose::Snapshot) {
            self.cancel(&cut);
        }
    }

    /// How often all data went.
    pub fn flushes(&self) -> u64 {
        self.flushes.load(Relaxed)
    }

    /// The cut that is on its way, if there is one.
    pub fn present(&self) -> Option<Arc<Cut>> {
        // Relaxed: a look without the lock, which is right when nothing changes just now.
        if self.is_on.load(Relaxed) { self.present.lock().clone() } else { None }
    }

    /// Whether so many old forms wait that nobody should make more.
    #[inline]
    pub fn holds_writers(&self) -> bool {
        let bytes = self.old.bytes();
        bytes != 0 && self.old_bytes_max.load(Relaxed) < bytes
    }

    /// The last snapshot could not be written, or it could: writes may be refused meanwhile.
    pub fn set_failed(&self, has_failed: bool) {
        self.has_failed.store(has_failed, Relaxed);
    }

    /// Whether the last snapshot could not be written.
    #[inline]
    pub fn has_failed(&self) -> bool {
        self.has_failed.load(Relaxed)
    }

    /// Bytes of old forms that wait to be written.
    pub fn old_bytes(&self) -> usize {
        self.old.bytes()
    }

    /// What was fetched with this is written: its memory counts no more.
    pub fn written(&self, fetched: &mut Fetched) {
        fetched.entries.clear();
        self.old.written(std::mem::take(&mut fetched.old_bytes));
    }

    fn end(&self, cut: &Cut) {
        let mut present = self.present.lock();
        if present.as_ref().is_some_and(|present| present.number == cut.number) {
            *present = None;
            self.is_on.store(false, Relaxed);
        }
    }

    fn is_present(&self, cut: &Cut) -> bool {
        let present = self.present.lock();
        present.as_ref().is_some_and(|present| present.number == cut.number)
    }
}

impl Engine {
    /// Begins a cut, or says which is on its way. The caller stands alone behind the gate.
    pub fn begin_cut(&self, data: &mut Data<'_>, purpose: Purpose) -> Result<Arc<Cut>, Arc<Cut>> {
        let cuts = &self.cuts;
        let mut present = cuts.present.lock();
        if let Some(cut) = &*present {
            return Err(Arc::clone(cut));
        }
        cuts.old.renew();
        for index in 0..data.keyspace().locks().len() as u32 {
            data.shard_at(index).data.begin_cut(&cuts.old);
        }
        let cut = Arc::new(self.moment(data, purpose));
        // Relaxed: whoever is about to be held up sees it in time, or one call later.
        cuts.old_bytes_max.store(CUT_BYTES_MIN.max(cut.memory_bytes / CUT_MEMORY_SHARE), Relaxed);
        *present = Some(Arc::clone(&cut));
        *cuts.last.lock() = Some(Arc::clone(&cut));
        cuts.is_on.store(true, Relaxed);
        Ok(cut)
    }

    /// What there is to say of the present moment. The caller stands alone behind the gate, and stays there if
    /// no cut was begun.
    pub fn moment(&self, data: &mut Data<'_>, purpose: Purpose) -> Cut {
        let mut newness = Newness::default();
        let mut databases = vec![CutSizes::default(); data.keyspace().databases()];
        for index in 0..data.keyspace().locks().len() as u32 {
            newness = newness.max(add_sizes(&data.shard_at(index).data, &mut databases));
        }
        let at_ms = self.clock().wall_ms();
        Cut {
            number: self.cuts.count.fetch_add(1, Relaxed),
            purpose,
            at_ms,
            access_clock: crate::data::access_clock(at_ms),
            journal_end: self.journal.mark(),
            changes: self.changes(),
            memory_bytes: base::memory::used(),
            databases,
            stream_version: match newness {
                Newness::Plain => Version::STREAM_COUNTS,
                Newness::Producers => Version::STREAM_PRODUCERS,
                Newness::Nacks => Version::STREAM_NACKS,
            },
            libraries: self.functions.libraries(),
            steps: AtomicU64::new(0),
            keys_fetched: AtomicU64::new(0),
            old_bytes_peak: AtomicUsize::new(0),
            is_cancelled: AtomicBool::new(false),
        }
    }
}

impl Cut {
    /// How many keys it has.
    pub fn keys(&self) -> u64 {
        self.databases.iter().map(|sizes| sizes.keys as u64).sum()
    }

    /// How many of them were fetched.
    pub fn keys_fetched(&self) -> u64 {
        self.keys_fetched.load(Relaxed)
    }

    /// The most bytes of old forms that waited at once.
    pub fn old_bytes_peak(&self) -> usize {
        self.old_bytes_peak.load(Relaxed)
    }

    /// Goes on whenever a walk over it does: who sees it stand still knows that somebody waits for a disk.
    pub fn steps(&self) -> u64 {
        self.steps.load(Relaxed)
    }

    /// Whether it was given up.
    pub fn is_cancelled(&self) -> bool {
        self.is_cancelled.load(Relaxed)
    }
}

impl CutWalk {
    /// A walk over a cut, from wherever others are with theirs.
    pub fn new(cut: &Arc<Cut>) -> Self {
        Self { cut: Arc::clone(cut), next_shard: 0, flushed: Vec::new() }
    }

    /// The cut.
    pub fn cut(&self) -> &Arc<Cut> {
        &self.cut
    }

    /// Fetches the next piece. `visit` lends a shard, or says that it is not to be had.
    fn step(
        &mut self,
        engine: &Engine,
        out: &mut Fetched,
        mut visit: impl FnMut(usize, &mut dyn FnMut(&mut Shard)) -> bool,
    ) -> Step {
        let cuts = &engine.cuts;
        if !cuts.is_present(&self.cut) {
            // Others have walked to the end.
            return Step::Done;
        }
        self.cut.steps.fetch_add(1, Relaxed);
        let (len, shards) = (out.entries.len(), engine.keyspace.locks().len());
        let mut is_free = true;
        if let Some(database) = self.flushed.last_mut() {
            // Nobody else has it, so no lock is held.
            if !database.step_cut(ENTRIES_PER_STEP, out)
                && let Some(database) = self.flushed.pop()
            {
                engine.reclaim.reclaim_database(database);
            }
        } else {
            self.cut.old_bytes_peak.fetch_max(cuts.old.bytes(), Relaxed);
            if OLD_BYTES_FIRST < cuts.old.bytes() {
                for index in self.next_shard..shards {
                    visit(index, &mut |shard| shard.fetch_old_forms(out));
                }
            }
            let (flushed, mut has_more) = (&mut self.flushed, false);
            is_free = visit(self.next_shard, &mut |shard| {
                while let Some(database) = shard.take_flushed() {
                    flushed.push(database);
                }
                has_more = shard.step_cut(ENTRIES_PER_STEP, out);
            });
            self.next_shard += usize::from(is_free && !has_more);
        }
        self.cut.keys_fetched.fetch_add((out.entries.len() - len) as u64, Relaxed);
        if self.next_shard == shards && self.flushed.is_empty() {
            cuts.end(&self.cut);
            return Step::Done;
        }
        if is_free { Step::More } else { Step::Busy }
    }
}

impl Executor<'_> {
    /// Does something behind the gate, for instance [`Engine::begin_cut`], once this thread is alone there.
    ///
    /// # Errors
    /// It has to wait for the gate: to be tried again when the session's token is woken.
    pub fn alone<R>(
        &mut self,
        session: &mut Session,
        act: impl FnOnce(&mut Data<'_>) -> R,
    ) -> Result<R, Queued> {
        self.tick_ns = self.engine.clock().now_ns();
        self.acquire_all(session)?;
        let result = act(&mut self.data);
        self.data.release();
        self.leave(session);
        Ok(result)
    }

    /// Fetches the next piece of a cut, from a shard that is free just now.
    pub fn step_cut(
        &mut self,
        session: &mut Session,
        walk: &mut CutWalk,
        out: &mut Fetched,
    ) -> Step {
        self.tick_ns = self.engine.clock().now_ns();
        if self.enter(session).is_err() {
            return Step::Busy;
        }
        let (engine, now_ns) = (self.engine, self.tick_ns);
        let step = walk.step(engine, out, |index, visit| {
            let Some(mut shard) = engine.keyspace.locks()[index].try_lock(now_ns) else {
                return false;
            };
            visit(&mut shard.data);
            true
        });
        self.leave(session);
        step
    }
}

fn add_sizes(shard: &Shard, databases: &mut [CutSizes]) -> Newness {
    let mut newness = Newness::default();
    for (db, sizes) in databases.iter_mut().enumerate() {
        let database = shard.database_ref(db);
        sizes.keys += database.len();
        sizes.volatile += database.volatile_len();
        sizes.timed_hashes += database.timed_hashes();
        newness = newness.max(database.newness());
    }
    newness
}
