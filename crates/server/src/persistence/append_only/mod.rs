//! The append-only file of a running server: what it is told, and what is known of it.
//!
//! One thread, the [`keeper`], takes what was appended to the journal, writes and syncs it. Nobody
//! else touches the files. Orders reach it through a queue; what happened is told by figures and
//! the journal's own marks, so nobody waits for the disk who serves clients.

pub mod keeper;

use crate::config::Settings;
use crate::server::Server;
use engine::Engine;
use parking_lot::Mutex;
use persist::aof::Place;
use persist::aof::writer::Writer;
use persist::manifest::Manifest;
use std::io;
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
    /// Write and sync all that was appended up to now and let the file be. Then the sender is told.
    LetGo(SyncSender<()>),
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

/// Begins to keep the append-only file, at the start: what was loaded of it, or a new one. To be called before
/// anything can change.
///
/// # Errors
/// As the disk says.
pub fn open(server: &Server, settings: &Settings, loaded: Option<Manifest>) -> io::Result<()> {
    let (disk, place) = (Arc::clone(&server.host.disk), place(settings));
    let writer = match loaded {
        Some(manifest) => Writer::open(disk, place, manifest)?,
        None => {
            let mut writer = Writer::begin(Arc::clone(&disk), place.clone(), Manifest::default())?;
            let mut base = disk.create(&place.new_base())?;
            base.sync()?;
            drop(base);
            writer.finish_rewrite(true)?;
            writer
        }
    };
    let journal = &server.engine.journal;
    journal.hold_replies(settings.appendfsync == SyncPolicy::Always);
    server.engine.set_journaled(true);
    server.host.append_only.figures.is_on.store(true, Relaxed);
    server.host.append_only.order(Order::Keep(Box::new(writer)));
    Ok(())
}

/// Where the settings have the append-only file.
pub fn place(settings: &Settings) -> Place {
    Place {
        folder: settings.dir.join(&settings.appenddirname),
        name: settings.appendfilename.clone(),
    }
}
