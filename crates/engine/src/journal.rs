//! The journal: every change as a command, in the order in which the changes happened.
//!
//! While a call runs, its thread collects what stands for it in a [`Recorder`]: the call as it was made, or
//! what the command says instead where that would not do the same again (times that count from now, random
//! members, who was served). At its end, while its locks are still held, all of it is appended at once to
//! the one [`Journal`], in MULTI and EXEC if it is more than one command. So the order in the journal is an
//! order in which the changes could have been made, and no part of a call is there without the rest.
//!
//! The bytes are requests of the protocol, as the AOF and the stream of replication have always had them.
//! Whoever writes them to a file is its *reader*: a thread that takes them with [`Journal::take`] and says
//! how far they are safe. Who appends never waits for it. What waits, if the journal is to be on disk
//! before anybody hears of a change (`appendfsync always`), are replies: each until the journal is safe up
//! to the newest change in the shards that its call has used ([`Journal::is_safe`]). And if the reader falls
//! far behind, calls that would change something wait before they begin ([`Journal::is_congested`]).

mod recorder;

pub use recorder::Recorder;

use base::limits::JOURNAL_BYTES_WAITING_MAX;
use base::lock::{Token, Wake};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, Ordering::Relaxed};

/// What has changed and nobody has taken yet.
#[derive(Default)]
pub struct Journal {
    is_on: AtomicBool,
    /// Replies wait until what they tell of is safe.
    holds_replies: AtomicBool,
    is_congested: AtomicBool,
    /// How many bytes were appended in all.
    end: AtomicU64,
    /// How many of them are safe from a crash.
    safe: AtomicU64,
    reader: Reader,
    has_failed: AtomicBool,
    /// Why the journal cannot be written at the moment.
    failure: Mutex<Option<Arc<str>>>,
    log: Mutex<Log>,
}

#[derive(Default)]
struct Log {
    bytes: Vec<u8>,
    /// The database in which a reader of the log is at its end.
    db: Option<usize>,
}

/// Who takes what was appended.
#[derive(Default)]
struct Reader {
    token: Mutex<Option<Token>>,
    is_asleep: AtomicBool,
}

/// A piece of the journal.
#[derive(Default)]
pub struct Piece {
    pub bytes: Vec<u8>,
    /// How many bytes were appended up to its end.
    pub end: u64,
}

impl Journal {
    /// Whether changes are recorded.
    pub fn is_on(&self) -> bool {
        // Threads learn of it inside the gate, which orders it.
        self.is_on.load(Relaxed)
    }

    pub(crate) fn set_on(&self, is_on: bool) {
        self.is_on.store(is_on, Relaxed);
        // Whoever reads from here on knows of no database.
        self.log.lock().db = None;
    }

    /// Has replies wait for what they tell of to be safe, or no more.
    pub fn hold_replies(&self, holds: bool) {
        self.holds_replies.store(holds, Relaxed);
    }

    /// Whether replies wait.
    #[inline]
    pub fn holds_replies(&self) -> bool {
        self.holds_replies.load(Relaxed)
    }

    /// Whether a reply that tells of changes up to `offset` may leave.
    #[inline]
    pub fn is_safe(&self, offset: u64) -> bool {
        // Acquire pairs with `made_safe`, whose caller has just seen the sync end.
        offset <= self.safe.load(Ordering::Acquire) || !self.holds_replies()
    }

    /// Everything up to `offset` is safe from a crash.
    pub fn made_safe(&self, offset: u64) {
        self.safe.store(offset, Ordering::Release);
    }

    /// How many bytes were appended in all.
    #[inline]
    pub fn end(&self) -> u64 {
        self.end.load(Relaxed)
    }

    /// How many bytes are safe from a crash.
    pub fn safe(&self) -> u64 {
        self.safe.load(Relaxed)
    }

    /// Whether so much waits for the reader that calls which change something are to wait.
    #[inline]
    pub fn is_congested(&self) -> bool {
        self.is_congested.load(Relaxed)
    }

    /// Has calls that change something wait, or no more.
    pub fn set_congested(&self, is_congested: bool) {
        self.is_congested.store(is_congested, Relaxed);
    }

    /// The journal cannot be written, for this reason, or can be again.
    pub fn set_failure(&self, failure: Option<&str>) {
        self.has_failed.store(failure.is_some(), Relaxed);
        *self.failure.lock() = failure.map(Arc::from);
    }

    /// Why the journal cannot be written at the moment.
    pub fn failure(&self) -> Option<Arc<str>> {
        if self.has_failed() { self.failure.lock().clone() } else { None }
    }

    /// Whether the journal cannot be written at the moment.
    #[inline]
    pub fn has_failed(&self) -> bool {
        self.has_failed.load(Relaxed)
    }

    /// Appends what a call has recorded, all of it or nothing. Returns where it ends.
    pub(crate) fn append(&self, recorder: &mut Recorder) -> u64 {
        let mut log = self.log.lock();
        let start = log.bytes.len();
        let db = log.db;
        log.db = Some(recorder.write(db, &mut log.bytes));
        let end = self.end.load(Relaxed) + (log.bytes.len() - start) as u64;
        self.end.store(end, Relaxed);
        if JOURNAL_BYTES_WAITING_MAX < log.bytes.len() {
            self.is_congested.store(true, Relaxed);
        }
        end
    }

    /// Marks a place at which another reader may begin: what is appended behind it begins by naming its
    /// database. Returns where that is.
    pub fn mark(&self) -> u64 {
        let mut log = self.log.lock();
        log.db = None;
        self.end.load(Relaxed)
    }

    /// Takes what was appended since it was last taken. The memory of `spare` is used for what comes next.
    pub fn take(&self, spare: Vec<u8>) -> Piece {
        debug_assert!(spare.is_empty());
        let mut log = self.log.lock();
        Piece { bytes: std::mem::replace(&mut log.bytes, spare), end: self.end.load(Relaxed) }
    }

    /// How many bytes wait to be taken.
    pub fn waiting(&self) -> usize {
        self.log.lock().bytes.len()
    }

    /// From now on the reader of this token is woken when something was appended.
    pub fn set_reader(&self, token: Option<Token>) {
        *self.reader.token.lock() = token;
    }

    /// To be asked by the reader before it sleeps: whether there is nothing to take.
    pub fn may_sleep(&self) -> bool {
        self.reader.is_asleep.store(true, Ordering::SeqCst);
        // Either the bytes are seen here, or who has appended them sees the reader asleep.
        let is_empty = self.waiting() == 0;
        if !is_empty {
            self.reader.is_asleep.store(false, Relaxed);
        }
        is_empty
    }

    /// Wakes the reader if it sleeps.
    pub(crate) fn wake_reader(&self, wake: &dyn Wake) {
        std::sync::atomic::fence(Ordering::SeqCst);
        let asleep = &self.reader.is_asleep;
        if asleep.load(Relaxed) && asleep.swap(false, Relaxed) {
            let token = *self.reader.token.lock();
            token.into_iter().for_each(|token| wake.wake(token));
        }
    }
}
