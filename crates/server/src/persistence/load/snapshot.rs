//! A snapshot that is loaded, on all cores.
//!
//! One thread reads the file, finds where its entries end, and sums it up; it looks at no value. The bytes of
//! some thousands of entries at a time go to other threads, which build them and put them into their
//! shards, where most of the time is spent waiting for memory. What the reader cannot frame (streams,
//! values of megabytes, damage) it reads itself, one by one.

use super::{End, tell_done};
use crate::log;
use crate::server::Server;
use crate::shutdown::Shutdown;
use engine::engine::Engine;
use engine::host::Host;
use engine::loading::Loading;
use engine::scripting::functions::Loader;
use parking_lot::Mutex;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};
use store::Entry;
use store::rdb::file::{Entries, EntryReader, FileReader, Head, Record};
use store::rdb::value::Rules;
use store::rdb::{RdbError, Version};

/// Entries whose places in memory are fetched together.
const GROUP_LEN: usize = 64;
/// Pieces that wait to be built, at most.
const PIECES_WAITING_MAX: usize = 8;
/// A larger buffer is not read into again.
const SPARE_LEN_MAX: usize = 512 << 10;
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
    /// Where in the file.
    pub offset: u64,
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

/// Entries on their way, for this database.
enum Work {
    /// To be built.
    Bytes(usize, Entries),
    /// One that the reader has built.
    Entry(usize, Built),
}

/// An entry, and where in the file it begins.
struct Built {
    offset: u64,
    entry: Entry,
}

/// What the threads share.
struct Shared<'s> {
    engine: &'s Engine,
    settings: Arc<engine::settings::Settings>,
    now_ms: u64,
    expired: Expired,
    /// Buffers that can be read into again.
    spares: Mutex<Vec<Vec<u8>>>,
    /// What is wrong, and nearest to the beginning.
    problem: Mutex<Option<Problem>>,
    has_problem: AtomicBool,
}

/// Loads the snapshot at `path`; `None` if there is none.
pub(in crate::persistence) fn load(
    server: &Server,
    path: &Path,
    expired: Expired,
) -> Result<Option<End>, LoadError> {
    let wrong = |problem| LoadError { path: path.to_owned(), problem };
    let unreadable =
        |error| wrong(Problem { what: Wrong::Unreadable(error), offset: 0, key: None });
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
    let shared = Shared {
        engine,
        settings: engine.settings(),
        now_ms: engine.clock().wall_ms(),
        expired,
        spares: Mutex::default(),
        problem: Mutex::default(),
        has_problem: AtomicBool::new(false),
    };
    let shared = &shared;
    let (sender, receiver) = sync_channel(PIECES_WAITING_MAX);
    let receiver = &Mutex::new(receiver);
    let read = std::thread::scope(|scope| {
        // The reader is mostly waiting for them.
        for _ in 0..server.host.started.loops {
            scope.spawn(move || build(shared, receiver));
        }
        let mut load = Load {
            shared,
            host: &server.host,
            shutdown: &server.host.shutdown,
            db: 0,
            sender,
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
        Err(Problem { what, offset, key })
    });
    base::memory::flush();
    // The scope has waited for the last of them.
    match (shared.problem.lock().take(), read) {
        (Some(built), Err(read)) if read.offset < built.offset => Err(read),
        (Some(built), _) => Err(built),
        (None, read) => read,
    }
}

/// Builds entries and puts them into their shards until no more come.
fn build(shared: &Shared<'_>, receiver: &Mutex<Receiver<Work>>) {
    let mut group = Vec::with_capacity(GROUP_LEN);
    loop {
        let work = receiver.lock().recv();
        let Ok(work) = work else { return };
        let built = match work {
            Work::Bytes(_, entries) if shared.is_spoilt_before(entries.offset()) => continue,
            Work::Bytes(db, entries) => {
                let built = build_all(shared, db, &entries, &mut group);
                shared.give_back(entries.into_memory());
                built
            }
            Work::Entry(_, built) if shared.is_spoilt_before(built.offset) => continue,
            Work::Entry(db, built) => {
                group.push(built);
                insert(shared, db, &mut group)
            }
        };
        if let Err(problem) = built {
            shared.fail(problem);
        }
        base::memory::flush();
    }
}

fn build_all(
    shared: &Shared<'_>,
    db: usize,
    entries: &Entries,
    group: &mut Vec<Built>,
) -> Result<(), Problem> {
    let mut reader = entries.read();
    let mut counts = Counts::default();
    let version = reader.version();
    loop {
        let offset = reader.offset();
        let next = build_next(shared, version, &mut reader, &mut counts);
        let next = match next {
            Ok(next) => next,
            Err(error) => {
                // What comes before it may be wrong as well.
                insert(shared, db, group)?;
                let key = Some(reader.key().to_vec());
                return Err(Problem { what: Wrong::File(error), offset: reader.offset(), key });
            }
        };
        let is_end = next.is_none();
        group.extend(next.flatten().map(|entry| Built { offset, entry }));
        if is_end || group.len() == GROUP_LEN {
            insert(shared, db, group)?;
        }
        if is_end {
            counts.add_to(&shared.engine.loading);
            return Ok(());
        }
    }
}

/// The next entry; an inner `None` stands for one that is left out.
fn build_next(
    shared: &Shared<'_>,
    version: Version,
    reader: &mut EntryReader<'_>,
    counts: &mut Counts,
) -> Result<Option<Option<Entry>>, RdbError> {
    let Some(head) = reader.head()? else { return Ok(None) };
    let (deadline, clock) = (shared.deadline(head), shared.clock(head));
    let is_expired = shared.is_expired(deadline);
    let entry = match reader.entry(&shared.rules(version), deadline, clock) {
        Ok(entry) => entry.filter(|_| !is_expired),
        Err(RdbError::Empty) => {
            tell_empty(reader.key());
            return Ok(Some(None));
        }
        Err(error) => return Err(error),
    };
    counts.loaded += u64::from(entry.is_some());
    counts.expired += u64::from(entry.is_none());
    Ok(Some(entry))
}

/// Puts entries into their shards.
fn insert(shared: &Shared<'_>, db: usize, group: &mut Vec<Built>) -> Result<(), Problem> {
    let keyspace = &shared.engine.keyspace;
    for built in &*group {
        keyspace.prefetch_bucket(db, keyspace.hash(built.entry.as_ref().key()));
    }
    for Built { offset, entry } in group.drain(..) {
        if let Some(refused) = shared.engine.insert_loaded(db, entry, std::thread::yield_now) {
            let key = Some(refused.as_ref().key().to_vec());
            return Err(Problem { what: Wrong::Duplicate, offset, key });
        }
    }
    Ok(())
}

/// Older servers have left them behind; they stand for nothing.
fn tell_empty(key: &[u8]) {
    let key = key.escape_ascii();
    log::notice(format_args!("Skipping the empty key '{key}' of the snapshot"));
}

/// What was counted in a piece.
#[derive(Default)]
struct Counts {
    loaded: u64,
    expired: u64,
}

impl Counts {
    fn add_to(&self, loading: &Loading) {
        loading.keys_loaded.fetch_add(self.loaded, Relaxed);
        loading.keys_expired.fetch_add(self.expired, Relaxed);
    }
}

impl Shared<'_> {
    /// A buffer can be read into again.
    fn give_back(&self, buffer: Vec<u8>) {
        // One that has grown for a long value is not kept.
        if buffer.capacity() <= SPARE_LEN_MAX {
            self.spares.lock().push(buffer);
        }
    }

    /// Notes what is wrong; that which is nearest to the beginning counts.
    fn fail(&self, problem: Problem) {
        let mut first = self.problem.lock();
        let is_first = first.as_ref().is_none_or(|first| problem.offset < first.offset);
        if is_first {
            *first = Some(problem);
        }
        self.has_problem.store(true, Relaxed);
    }

    /// Whether something is wrong before this place.
    fn is_spoilt_before(&self, offset: u64) -> bool {
        self.has_problem.load(Relaxed)
            && self.problem.lock().as_ref().is_some_and(|first| first.offset < offset)
    }

    fn rules(&self, version: Version) -> Rules<'_> {
        Rules { version, limits: &self.settings.types, now_ms: self.expired_ms() }
    }

    /// What has a deadline before this is left out.
    fn expired_ms(&self) -> u64 {
        if self.expired == Expired::Dropped { self.now_ms } else { 0 }
    }

    /// A deadline that is no time at all has passed long ago.
    fn deadline(&self, head: &Head) -> Option<u64> {
        head.deadline.map(|deadline| i64::try_from(deadline).map_or(0, |_| deadline))
    }

    fn is_expired(&self, deadline: Option<u64>) -> bool {
        deadline.is_some_and(|deadline| deadline < self.expired_ms())
    }

    fn clock(&self, head: &Head) -> u32 {
        let (idle, frequency) = (head.idle_seconds, head.frequency);
        self.engine.clock_of_loaded(&self.settings, self.now_ms, idle, frequency)
    }
}

/// What the reading thread works with.
struct Load<'s> {
    shared: &'s Shared<'s>,
    host: &'s dyn Host,
    shutdown: &'s Shutdown,
    db: usize,
    sender: SyncSender<Work>,
    told: Instant,
}

impl Load<'_> {
    fn read<R: Read>(
        &mut self,
        reader: &mut FileReader<R>,
        key: &mut Option<Vec<u8>>,
    ) -> Result<End, Wrong> {
        let (mut fields, mut spare) = (Fields::default(), Vec::new());
        loop {
            // Whoever has found something wrong says so.
            if self.shutdown.is_requested() || self.shared.has_problem.load(Relaxed) {
                return Ok(End::Interrupted);
            }
            if spare.is_empty() {
                spare = self.shared.spares.lock().pop().unwrap_or_default();
            }
            if let Some(entries) = reader.entries(&mut spare).map_err(Wrong::File)? {
                fields.tell(self.shared.now_ms);
                self.hand_over(Work::Bytes(self.db, entries), reader.offset());
                continue;
            }
            let offset = reader.offset();
            let record = reader.record().map_err(Wrong::File)?;
            match record {
                Record::Database(db) => {
                    let known = self.shared.settings.databases;
                    let found = usize::try_from(db).ok().filter(|db| *db < known);
                    self.db = found.ok_or(Wrong::Database(db, known))?;
                }
                Record::End => {
                    self.shared.engine.loading.bytes_loaded.store(reader.offset(), Relaxed);
                    return Ok(End::Done);
                }
                Record::Entry(head) => {
                    fields.tell(self.shared.now_ms);
                    *key = Some(head.key.clone());
                    self.entry(reader, &head, offset)?;
                    *key = None;
                }
                Record::Field(name, value) => fields.note(&name, value),
                Record::Function(code) => {
                    let engine = self.shared.engine;
                    let loader = Loader { engine, host: self.host };
                    let loaded = engine.functions.load(loader, &code, engine.loading.existing());
                    loaded.map_err(|error| Wrong::Function(error.text().into_owned()))?;
                }
                Record::Sizes(..) | Record::SlotInfo(_) => {}
            }
        }
    }

    /// An entry that was not framed.
    fn entry<R: Read>(
        &mut self,
        reader: &mut FileReader<R>,
        head: &Head,
        offset: u64,
    ) -> Result<(), Wrong> {
        let shared = self.shared;
        let value = match reader.value(head, &shared.rules(reader.version())) {
            Ok(value) => value,
            Err(RdbError::Empty) => {
                tell_empty(&head.key);
                return Ok(());
            }
            Err(error) => return Err(Wrong::File(error)),
        };
        let deadline = shared.deadline(head);
        let is_left_out = shared.is_expired(deadline) || value.is_gone();
        let counts = Counts { loaded: u64::from(!is_left_out), expired: u64::from(is_left_out) };
        counts.add_to(&shared.engine.loading);
        if !is_left_out {
            let entry = value.into_entry(&head.key, deadline, shared.clock(head));
            self.hand_over(Work::Entry(self.db, Built { offset, entry }), reader.offset());
        }
        Ok(())
    }

    fn hand_over(&mut self, work: Work, offset: u64) {
        // They go on until this end is closed.
        let _ = self.sender.send(work);
        self.shared.engine.loading.bytes_loaded.store(offset, Relaxed);
        self.tell();
    }

    /// How far it is, now and then.
    fn tell(&mut self) {
        if self.told.elapsed() < PROGRESS_PERIOD {
            return;
        }
        self.told = Instant::now();
        let loading = &self.shared.engine.loading;
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

impl fmt::Display for LoadError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "Can't load the snapshot '{}', at offset {}: {}. The file was left as it is. Look at it with \
             --check-rdb, put a good one in its place, or move it away to start without its data.",
            self.path.display(),
            self.problem.offset,
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
