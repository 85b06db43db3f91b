//! A snapshot that is loaded, by one thread that reads and others that insert.
//!
//! The reader takes the file apart, checks it and builds the values; entries go in batches to
//! threads that put them into their shards, where most of the time is spent waiting for memory.

use super::{End, tell_done};
use crate::log;
use crate::server::Server;
use crate::shutdown::Shutdown;
use engine::engine::Engine;
use engine::host::Host;
use engine::scripting::functions::Loader;
use parking_lot::Mutex;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};
use store::Entry;
use store::rdb::RdbError;
use store::rdb::file::{FileReader, Head, Record};
use store::rdb::value::Rules;

/// Entries that are handed over together.
const BATCH_LEN: usize = 256;
/// Batches that wait to be inserted, at most.
const BATCHES_WAITING_MAX: usize = 8;
/// How often the log says how far it is.
const PROGRESS_PERIOD: Duration = Duration::from_secs(5);

/// Why a file was not loaded.
#[derive(Debug)]
pub struct LoadError {
    path: PathBuf,
    problem: Problem,
}

/// What is wrong with a snapshot.
#[derive(Debug)]
pub(super) struct Problem {
    what: Wrong,
    /// Where in the file, if that is known.
    pub offset: Option<u64>,
    /// The key at hand.
    key: Option<Vec<u8>>,
}

#[derive(Debug)]
enum Wrong {
    Database(u64, usize),
    Duplicate,
    File(RdbError),
    /// A library that does not load, and why.
    Function(String),
    Unreadable(io::Error),
}

/// What becomes of keys whose time is up.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::persistence) enum Expired {
    Dropped,
    /// What comes behind the snapshot may be about them, or the journal has to hear how they go.
    Kept,
}

/// An entry on its way to its shard.
type Loaded = (usize, Entry);

/// Loads the snapshot at `path`; `None` if there is none.
pub(in crate::persistence) fn load(
    server: &Server,
    path: &Path,
    expired: Expired,
) -> Result<Option<End>, LoadError> {
    let wrong = |problem| LoadError { path: path.to_owned(), problem };
    let unreadable = |error| wrong(Problem::new(Wrong::Unreadable(error)));
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    let len = file.metadata().map_err(unreadable)?.len();
    let (started, engine) = (Instant::now(), &server.engine);
    engine.loading.begin(len, engine.clock().wall_ms());
    let (end, _) = read(server, file, expired).map_err(wrong)?;
    if end == End::Done {
        tell_done(server);
        log::notice(format_args!(
            "DB loaded from disk: {:.3} seconds",
            started.elapsed().as_secs_f64()
        ));
    }
    Ok(Some(end))
}

/// Loads a snapshot; what was read beyond its end comes with it.
pub(super) fn read(
    server: &Server,
    source: impl Read,
    expired: Expired,
) -> Result<(End, Vec<u8>), Problem> {
    let engine = &server.engine;
    let inserters = server.host.started.loops.saturating_sub(1).max(1);
    let has_duplicate = AtomicBool::new(false);
    let (sender, receiver) = sync_channel(BATCHES_WAITING_MAX);
    let receiver = Mutex::new(receiver);
    let (receiver, has_duplicate) = (&receiver, &has_duplicate);
    let read = std::thread::scope(|scope| {
        for _ in 0..inserters {
            scope.spawn(move || insert(engine, receiver, has_duplicate));
        }
        let mut load = Load {
            engine,
            host: &server.host,
            shutdown: &server.host.shutdown,
            settings: engine.settings(),
            now_ms: engine.clock().wall_ms(),
            expired,
            db: 0,
            batch: Vec::with_capacity(BATCH_LEN),
            sender,
            has_duplicate,
            told: Instant::now(),
        };
        let mut key = None;
        let (what, offset) = match FileReader::new(source) {
            Err(error) => (Wrong::File(error), 0),
            Ok(mut reader) => match load.read(&mut reader, &mut key) {
                Ok(end) => return Ok((end, reader.unread().to_vec())),
                Err(what) => (what, reader.offset()),
            },
        };
        Err(Problem { what, offset: Some(offset), key })
    });
    base::memory::flush();
    // The scope has waited for the last of them.
    match has_duplicate.load(Relaxed) {
        true if read.is_ok() => Err(Problem::new(Wrong::Duplicate)),
        _ => read,
    }
}

/// Puts entries into their shards until no more come.
fn insert(engine: &Engine, receiver: &Mutex<Receiver<Vec<Loaded>>>, has_duplicate: &AtomicBool) {
    loop {
        let batch = receiver.lock().recv();
        let Ok(batch) = batch else { return };
        for (db, entry) in &batch {
            engine.keyspace.prefetch_bucket(*db, engine.keyspace.hash(entry.as_ref().key()));
        }
        for (db, entry) in batch {
            if !engine.insert_loaded(db, entry, std::thread::yield_now) {
                has_duplicate.store(true, Relaxed);
            }
        }
        base::memory::flush();
    }
}

/// What the reading thread works with.
struct Load<'s> {
    engine: &'s Engine,
    host: &'s dyn Host,
    shutdown: &'s Shutdown,
    settings: std::sync::Arc<engine::settings::Settings>,
    now_ms: u64,
    expired: Expired,
    db: usize,
    batch: Vec<Loaded>,
    sender: SyncSender<Vec<Loaded>>,
    has_duplicate: &'s AtomicBool,
    told: Instant,
}

impl Load<'_> {
    fn read<R: Read>(
        &mut self,
        reader: &mut FileReader<R>,
        key: &mut Option<Vec<u8>>,
    ) -> Result<End, Wrong> {
        let mut fields = Fields::default();
        loop {
            let record = reader.record().map_err(Wrong::File)?;
            match record {
                Record::Database(db) => {
                    let known = self.settings.databases;
                    let found = usize::try_from(db).ok().filter(|db| *db < known);
                    self.db = found.ok_or(Wrong::Database(db, known))?;
                }
                Record::End => {
                    self.hand_over();
                    return match self.has_duplicate.load(Relaxed) {
                        true => Err(Wrong::Duplicate),
                        false => Ok(End::Done),
                    };
                }
                Record::Entry(head) => {
                    fields.tell(self.now_ms);
                    *key = Some(head.key.clone());
                    self.entry(reader, head)?;
                    *key = None;
                    if self.batch.is_empty() && self.shutdown.is_requested() {
                        return Ok(End::Interrupted);
                    }
                }
                Record::Field(name, value) => fields.note(&name, value),
                Record::Function(code) => {
                    let loader = Loader { engine: self.engine, host: self.host };
                    let loaded =
                        self.engine.functions.load(loader, &code, self.engine.loading.existing());
                    loaded.map_err(|error| Wrong::Function(error.text().into_owned()))?;
                }
                Record::Sizes(..) | Record::SlotInfo(_) => {}
            }
        }
    }

    fn entry<R: Read>(&mut self, reader: &mut FileReader<R>, head: Head) -> Result<(), Wrong> {
        let (loading, version) = (&self.engine.loading, reader.version());
        let expired_ms = if self.expired == Expired::Dropped { self.now_ms } else { 0 };
        let rules = Rules { version, limits: &self.settings.types, now_ms: expired_ms };
        let value = match reader.value(&head, &rules) {
            Ok(value) => value,
            // Older servers have left them behind; they stand for nothing.
            Err(RdbError::Empty) => {
                let key = head.key.escape_ascii();
                log::notice(format_args!("Skipping the empty key '{key}' of the snapshot"));
                return Ok(());
            }
            Err(error) => return Err(Wrong::File(error)),
        };
        // A deadline that is no time at all has passed long ago.
        let deadline =
            head.deadline.map(|deadline| i64::try_from(deadline).map_or(0, |_| deadline));
        if deadline.is_some_and(|deadline| deadline < expired_ms) || value.is_gone() {
            loading.keys_expired.fetch_add(1, Relaxed);
            return Ok(());
        }
        let (idle, frequency) = (head.idle_seconds, head.frequency);
        let clock = self.engine.clock_of_loaded(&self.settings, self.now_ms, idle, frequency);
        self.batch.push((self.db, value.into_entry(&head.key, deadline, clock)));
        loading.keys_loaded.fetch_add(1, Relaxed);
        if self.batch.len() == BATCH_LEN {
            loading.bytes_loaded.store(reader.offset(), Relaxed);
            self.hand_over();
            self.tell();
        }
        Ok(())
    }

    fn hand_over(&mut self) {
        let batch = std::mem::replace(&mut self.batch, Vec::with_capacity(BATCH_LEN));
        // They go on until this end is closed.
        let _ = self.sender.send(batch);
    }

    /// How far it is, now and then.
    fn tell(&mut self) {
        if self.told.elapsed() < PROGRESS_PERIOD {
            return;
        }
        self.told = Instant::now();
        let loading = &self.engine.loading;
        let (done, total) = (loading.bytes_loaded.load(Relaxed), loading.bytes_total.load(Relaxed));
        log::notice(format_args!(
            "Loading DB in memory: {:.0}%, keys loaded: {}",
            100.0 * done as f64 / total.max(1) as f64,
            loading.keys_loaded.load(Relaxed),
        ));
    }
}

/// What the snapshot says of its origin.
#[derive(Default)]
struct Fields {
    product: Option<String>,
    created_s: Option<u64>,
    memory_bytes: Option<u64>,
    is_told: bool,
}

impl Fields {
    fn note(&mut self, name: &[u8], value: Vec<u8>) {
        let number = || base::numbers::parse_u64(&value);
        match name {
            b"redis-ver" | b"valkey-ver" => {
                self.product = Some(value.escape_ascii().to_string());
            }
            b"ctime" => self.created_s = number(),
            b"used-mem" => self.memory_bytes = number(),
            // Others are for others: an unknown field is not an error.
            _ => {}
        }
    }

    /// Tells the log, once.
    fn tell(&mut self, now_ms: u64) {
        if std::mem::replace(&mut self.is_told, true) {
            return;
        }
        if let Some(version) = &self.product {
            log::notice(format_args!("Loading RDB produced by version {version}"));
        }
        if let Some(created_s) = self.created_s {
            let age = (now_ms / 1000).saturating_sub(created_s);
            log::notice(format_args!("RDB age {age} seconds"));
        }
        if let Some(bytes) = self.memory_bytes {
            let megabytes = bytes as f64 / f64::from(1 << 20);
            log::notice(format_args!("RDB memory usage when created {megabytes:.2} Mb"));
        }
    }
}

impl Problem {
    fn new(what: Wrong) -> Self {
        Self { what, offset: None, key: None }
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Can't load the snapshot '{}'", self.path.display())?;
        if let Some(offset) = self.problem.offset {
            write!(formatter, ", at offset {offset}")?;
        }
        write!(
            formatter,
            ": {}. The file was left as it is. Look at it with --check-rdb, put a good one in its place, or \
             move it away to start without its data.",
            self.problem
        )
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(key) = &self.key {
            write!(formatter, "in the key '{}': ", key.escape_ascii())?;
        }
        match &self.what {
            Wrong::Database(db, known) => {
                write!(formatter, "database {db} is beyond the {known} of the setting databases")
            }
            Wrong::Duplicate => formatter.write_str("a key comes twice"),
            Wrong::File(error) => error.fmt(formatter),
            Wrong::Function(problem) => write!(formatter, "a library of functions: {problem}"),
            Wrong::Unreadable(error) => error.fmt(formatter),
        }
    }
}
