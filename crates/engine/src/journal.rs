//! The journal: every change as a command, in the order in which the changes happened.
//!
//! While a call runs, its thread collects what stands for it in a [`Recorder`]: the call as it was made, or
//! what the command says instead where that would not do the same again (times that count from now, random
//! members, who was served). At its end, while its locks are still held, all of it is appended at once to
//! the one [`Journal`], in MULTI and EXEC if it is more than one command. So the order in the journal is an
//! order in which the changes could have been made, and no part of a call is there without the rest.
//!
//! The bytes are requests of the protocol, as the AOF and the stream of replication have always had them.
//! Whoever writes them to a file takes them with [`Journal::take`].

mod recorder;

pub use recorder::Recorder;

use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// What has changed and nobody has taken yet.
#[derive(Default)]
pub struct Journal {
    is_on: AtomicBool,
    log: Mutex<Log>,
}

#[derive(Default)]
struct Log {
    bytes: Vec<u8>,
    /// How many bytes were appended in all.
    end: u64,
    /// The database in which a reader of the log is at its end.
    db: Option<usize>,
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
        // Relaxed: threads learn of it inside the gate, which orders it.
        self.is_on.load(Ordering::Relaxed)
    }

    pub(crate) fn set_on(&self, is_on: bool) {
        self.is_on.store(is_on, Ordering::Relaxed);
        // Whoever reads from here on knows of no database.
        self.log.lock().db = None;
    }

    /// Appends what a call has recorded, all of it or nothing.
    pub(crate) fn append(&self, recorder: &mut Recorder) {
        let mut log = self.log.lock();
        let start = log.bytes.len();
        let db = log.db;
        log.db = Some(recorder.write(db, &mut log.bytes));
        log.end += (log.bytes.len() - start) as u64;
    }

    /// Takes what was appended since it was last taken. The memory of `spare` is used for what comes next.
    pub fn take(&self, spare: Vec<u8>) -> Piece {
        debug_assert!(spare.is_empty());
        let mut log = self.log.lock();
        Piece { bytes: std::mem::replace(&mut log.bytes, spare), end: log.end }
    }
}
