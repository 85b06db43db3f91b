//! The append-only file of a running server: what it is told, and what is known of it.
//!
//! One thread, the [`keeper`], takes what was appended to the journal, writes and syncs it. Nobody
//! else touches the files. Orders reach it through a queue; what happened is told by figures and
//! the journal's own marks, so nobody waits for the disk who serves clients.

pub mod keeper;

use crate::config::Settings;
use crate::host::ServerHost;
use crate::log;
use crate::persistence::cut_writer::CutWriter;
use crate::persistence::save::Unwritten;
use crate::server::{Further, Server};
use engine::Engine;
use engine::cut::{Cut, Purpose};
use engine::data::Data;
use parking_lot::Mutex;
use persist::aof::Place;
use persist::aof::writer::Writer;
use persist::manifest::Manifest;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::SyncSender;
use std::thread::Thread;

/// When what was written is forced to disk (`appendfsync`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncPolicy {
    /// Before anybody hears of it.
    Always,
    EverySecond,
    /// When the system likes.
    No,
}

/// What the keeper is told.
pub enum Order {
    /// Keep this file from now on: the journal is on, and begins with it.
    Keep(Box<Writer>),
    /// Write and sync all that was appended up to now and let the file be.
    LetGo,
    /// Say when all that was appended up to now is in files from which it can be loaded, or why it is not.
    Prove(SyncSender<io::Result<()>>),
    /// What the files hold is not what is there any more: only a new base mends that.
    Distrust,
    /// Write a new base, of this cut, and go on behind it.
    Rewrite(Arc<Cut>),
    /// The base of this cut was written, or not.
    BaseWritten(Arc<Cut>, Result<(), Unwritten>),
    /// The server ends: write and sync all.
    Stop,
}

/// The append-only file, as others see it.
#[derive(Default)]
pub struct AppendOnly {
    /// What INFO shows.
    pub figures: Figures,
    orders: Mutex<Vec<Order>>,
    thread: Mutex<Option<Thread>>,
}

/// What INFO shows of the append-only file.
#[derive(Debug)]
pub struct Figures {
    pub is_on: AtomicBool,
    /// How long all files were when the file was opened, or rewritten.
    pub base_len: AtomicU64,
    pub len: AtomicU64,
    /// Bytes that the keeper has taken and not written.
    pub waiting: AtomicU64,
    /// Since when (monotonic) a sync goes on; 0: none does.
    pub sync_since_ns: AtomicU64,
    pub delayed_syncs: AtomicU64,
    pub has_write_failed: AtomicBool,
    pub rewrites: AtomicU64,
    pub has_rewrite_failed: AtomicBool,
    pub rewrite_failures_in_a_row: AtomicU64,
    /// Since when (Unix milliseconds) a rewrite goes on; 0: none does.
    pub rewrite_since_ms: AtomicU64,
    /// How long the last took; -1: there was none.
    pub last_rewrite_s: AtomicI64,
    /// It is to be rewritten as soon as nothing is in the way: that was asked for, or there is no base.
    pub is_rewrite_scheduled: AtomicBool,
}

impl Default for Figures {
    fn default() -> Self {
        Self {
            is_on: AtomicBool::new(false),
            base_len: AtomicU64::new(0),
            len: AtomicU64::new(0),
            waiting: AtomicU64::new(0),
            sync_since_ns: AtomicU64::new(0),
            delayed_syncs: AtomicU64::new(0),
            has_write_failed: AtomicBool::new(false),
            rewrites: AtomicU64::new(0),
            has_rewrite_failed: AtomicBool::new(false),
            rewrite_failures_in_a_row: AtomicU64::new(0),
            rewrite_since_ms: AtomicU64::new(0),
            last_rewrite_s: AtomicI64::new(-1),
            is_rewrite_scheduled: AtomicBool::new(false),
        }
    }
}

impl Figures {
    /// Bytes that were appended and are not written.
    pub fn waiting_bytes(&self, engine: &Engine) -> u64 {
        self.waiting.load(Relaxed) + engine.journal.waiting() as u64
    }
}

impl Figures {
    /// By how many percent the file has grown since it was rewritten, if that is reason to do it again.
    pub fn growth_percent(&self, settings: &Settings) -> Option<u64> {
        let (base, len) = (self.base_len.load(Relaxed).max(1), self.len.load(Relaxed));
        let percent = (len.saturating_sub(base) as u128 * 100 / u128::from(base)) as u64;
        let threshold = settings.auto_aof_rewrite_percentage;
        let is_reason = threshold != 0 && settings.auto_aof_rewrite_min_bytes < len;
        (is_reason && threshold <= percent).then_some(percent)
    }
}

impl AppendOnly {
    /// The settings have changed.
    pub fn look_at_settings(&self) {
        if let Some(thread) = &*self.thread.lock() {
            thread.unpark();
        }
    }

    /// Tells the keeper.
    pub fn order(&self, order: Order) {
        self.orders.lock().push(order);
        self.look_at_settings();
    }
}

/// Begins to keep the append-only file, at the start: what was loaded of it, or a new one with a base of all
/// data. To be called before clients can change anything.
///
/// # Errors
/// As the disk says, or the base cannot be written.
pub fn open(
    server: &Server,
    settings: &Settings,
    loaded: Option<Manifest>,
) -> Result<(), Unwritten> {
    let place = place(settings);
    let writer = match loaded {
        Some(manifest) => Writer::open(Arc::clone(&server.host.disk), place, manifest)?,
        None => {
            let mut writer = begin(&server.host, settings)?;
            let mut base = CutWriter::new(server, Further::Loader);
            let begun = base.alone(|data| server.engine.begin_cut(data, Purpose::Journal));
            // While data is loaded nobody else begins one.
            let cut = begun.and_then(Result::ok).ok_or(Unwritten::Cancelled)?;
            base.write_base(&cut, &place)?;
            let is_snapshot = settings.aof_use_rdb_preamble;
            let name = place.part(&writer.manifest().next_base(&place.name, is_snapshot).name);
            log::notice(format_args!("Creating AOF base file {} on server start", name.display()));
            writer.finish_rewrite(is_snapshot)?;
            writer
        }
    };
    keep(&server.engine, &server.host, settings, writer);
    Ok(())
}

/// Begins an append-only file that has no base yet.
///
/// # Errors
/// As the disk says, or the manifest that is there is none.
pub fn begin(host: &ServerHost, settings: &Settings) -> io::Result<Writer> {
    let place = place(settings);
    let manifest = match host.disk.open(&place.manifest()) {
        Ok(mut file) => {
            let mut text = Vec::new();
            file.read_to_end(&mut text)?;
            Manifest::parse(&text).map_err(io::Error::other)?
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Manifest::default(),
        Err(error) => return Err(error),
    };
    Writer::begin(Arc::clone(&host.disk), place, manifest)
}

/// From now on every change goes to the append-only file; behind the gate, or before anything can change.
pub fn keep(engine: &Engine, host: &ServerHost, settings: &Settings, writer: Writer) {
    let figures = &host.append_only.figures;
    figures.is_on.store(true, Relaxed);
    figures.base_len.store(writer.len(), Relaxed);
    figures.len.store(writer.len(), Relaxed);
    figures.is_rewrite_scheduled.store(writer.has_no_base(), Relaxed);
    engine.journal.hold_replies(settings.appendfsync == SyncPolicy::Always);
    engine.set_journaled(true);
    host.append_only.order(Order::Keep(Box::new(writer)));
}

/// As the settings say, from now on every change goes to the append-only file; behind the gate. It begins with a
/// base that is written as soon as possible.
///
/// # Errors
/// As [`begin`].
pub fn turn_on(engine: &Engine, host: &ServerHost) -> io::Result<()> {
    let settings = host.settings();
    let writer = begin(host, &settings)?;
    keep(engine, host, &settings, writer);
    Ok(())
}

/// From now on nothing goes to the append-only file; behind the gate.
pub fn let_go(engine: &Engine, host: &ServerHost) {
    engine.set_journaled(false);
    host.append_only.figures.is_on.store(false, Relaxed);
    host.append_only.figures.is_rewrite_scheduled.store(false, Relaxed);
    host.append_only.order(Order::LetGo);
}

/// What became of the wish to rewrite the append-only file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rewriting {
    /// It is being rewritten already.
    GoesOn,
    /// It will be, when nothing is in the way any more.
    Scheduled,
    Started,
}

/// Has the append-only file rewritten; the caller stands alone behind the gate.
pub fn rewrite(engine: &Engine, data: &mut Data<'_>, host: &ServerHost) -> Rewriting {
    let figures = &host.append_only.figures;
    if figures.rewrite_since_ms.load(Relaxed) != 0 {
        return Rewriting::GoesOn;
    }
    // One thread writes them, so a snapshot that is not on disk yet is in the way, and all cuts are.
    let is_free = host.snapshots.running().is_none();
    let begun = is_free.then(|| engine.begin_cut(data, Purpose::Journal));
    let Some(Ok(cut)) = begun else {
        figures.is_rewrite_scheduled.store(true, Relaxed);
        return Rewriting::Scheduled;
    };
    figures.is_rewrite_scheduled.store(false, Relaxed);
    figures.rewrite_since_ms.store(cut.at_ms, Relaxed);
    host.append_only.order(Order::Rewrite(cut));
    log::notice(format_args!("Background append only file rewriting started"));
    Rewriting::Started
}

/// Where the settings have the append-only file.
pub fn place(settings: &Settings) -> Place {
    Place {
        folder: settings.dir.join(&settings.appenddirname),
        name: settings.appendfilename.clone(),
    }
}
