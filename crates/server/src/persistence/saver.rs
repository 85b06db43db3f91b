//! The thread that writes cuts in the background: snapshots, and bases of the append-only file.
//!
//! A cut is made by whoever asks, behind the gate, or by this thread when a save point is reached. Only one is on
//! its way at a time, so one thread is enough for both.
//!
//! It also makes the last snapshot when a signal asks for the end, since a signal has no thread that may wait
//! for the gate.

use super::append_only;
use super::cut_writer::CutWriter;
use super::save::Unwritten;
use crate::config::ShutdownWords;
use crate::log;
use crate::server::{Further, Server};
use crate::shutdown;
use crate::sys;
use engine::cut::{Cut, Purpose};
use parking_lot::Mutex;
use persist::aof::Place;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::Thread;

/// How long a disk may take nothing before the cut is given up.
pub const STALL_NS_MAX: u64 = 10_000_000_000;

/// What the thread is told.
pub enum Order {
    /// Write a base of the append-only file there, and tell its keeper how that went. The cut may have been given
    /// up: it has to be walked to its end.
    Base(Arc<Cut>, Place),
    /// Make a snapshot of what there is when this is read.
    Begin,
    /// Make the last snapshot, if one is to be made, and ask for the end.
    ShutDown(ShutdownWords),
    /// The server ends.
    Stop,
    /// Write a snapshot.
    Snapshot(Arc<Cut>),
}

/// The thread, as others see it.
#[derive(Default)]
pub struct Saver {
    orders: Mutex<VecDeque<Order>>,
    thread: Mutex<Option<Thread>>,
    /// A snapshot is to be begun as soon as everything can be held.
    is_beginning: AtomicBool,
}

impl Saver {
    /// Tells the thread.
    pub fn order(&self, order: Order) {
        self.orders.lock().push_back(order);
        if let Some(thread) = &*self.thread.lock() {
            thread.unpark();
        }
    }

    /// Has a snapshot begun, unless that was asked for already.
    pub fn begin(&self) {
        if !self.is_beginning.swap(true, Relaxed) {
            self.order(Order::Begin);
        }
    }

    /// Whether the thread is to leave what it does.
    pub(super) fn is_urgent(&self) -> bool {
        let orders = self.orders.lock();
        orders.iter().any(|order| matches!(order, Order::Stop | Order::ShutDown(_)))
    }
}

/// Carries orders out until it is told to stop.
pub fn run(server: &Arc<Server>) {
    let shared = &server.host.saver;
    *shared.thread.lock() = Some(std::thread::current());
    sys::lower_priority();
    let mut saving = Saving { server, writer: CutWriter::new(server, Further::Saver) };
    loop {
        // One at a time: those behind it say whether it is to be left.
        let order = shared.orders.lock().pop_front();
        match order {
            None => {
                base::memory::flush();
                std::thread::park();
            }
            Some(Order::Base(cut, place)) => saving.base(cut, &place),
            Some(Order::Begin) => saving.begin(),
            Some(Order::ShutDown(words)) => saving.shut_down(words),
            Some(Order::Snapshot(cut)) => saving.snapshot(&cut),
            Some(Order::Stop) => return,
        }
    }
}

/// The thread's state.
struct Saving<'s> {
    server: &'s Server,
    writer: CutWriter<'s>,
}

impl Saving<'_> {
    fn base(&mut self, cut: Arc<Cut>, place: &Place) {
        let outcome = self.writer.write_base(&cut, place);
        self.server.host.append_only.order(append_only::Order::BaseWritten(cut, outcome));
    }

    /// Takes a cut, if none is on its way, and writes a snapshot of it.
    fn begin(&mut self) {
        let (engine, host) = (&self.server.engine, &self.server.host);
        let begun = self.writer.alone(|data| {
            if engine.loading.is_on() {
                return None;
            }
            // Somebody may have been faster.
            let cut = engine.begin_cut(data, Purpose::Snapshot).ok()?;
            host.snapshots.begun(&cut);
            Some(cut)
        });
        host.saver.is_beginning.store(false, Relaxed);
        if let Some(cut) = begun.flatten() {
            self.snapshot(&cut);
        }
    }

    /// Makes a last snapshot, if one is to be made.
    fn shut_down(&mut self, words: ShutdownWords) {
        let (engine, host) = (&self.server.engine, &self.server.host);
        match self.writer.alone(|data| shutdown::prepare(engine, data, host, words)) {
            Some(true) => {
                host.shutdown.request(words);
            }
            Some(false) => {
                log::warning(format_args!(
                    "Errors trying to shut down the server. Check the logs for more information."
                ));
                host.shutdown.give_up();
            }
            // It ends already.
            None => {}
        }
    }

    fn snapshot(&mut self, cut: &Arc<Cut>) {
        let settings = self.server.host.settings();
        let temporary = settings.dir.join(format!("temp-bgsave-{}.rdb", std::process::id()));
        log::notice(format_args!("Background saving started"));
        let written = self.writer.write_snapshot(cut, &settings, temporary);
        let placed = written.and_then(|file| {
            // The last moment to give it up is before it takes the place of the one before.
            if cut.is_cancelled() {
                return Err(Unwritten::Cancelled);
            }
            Ok(file.place(&settings.dir.join(&settings.dbfilename))?)
        });
        let (engine, snapshots) = (&self.server.engine, &self.server.host.snapshots);
        match placed {
            Ok(len) => {
                let megabytes = |bytes: u64| bytes >> 20;
                log::notice(format_args!("DB saved on disk"));
                log::notice(format_args!(
                    "Snapshot: {} MB, copies of data that changed meanwhile: peak {} MB",
                    megabytes(len),
                    megabytes(cut.old_bytes_peak() as u64)
                ));
                log::notice(format_args!("Background saving terminated with success"));
                snapshots.ended(engine, cut, true);
            }
            Err(Unwritten::Cancelled) => {
                log::warning(format_args!("Background saving cancelled"));
                snapshots.cancelled(cut);
            }
            Err(error) => {
                log::warning(format_args!("Write error saving DB on disk: {error}"));
                log::warning(format_args!("Background saving error"));
                snapshots.ended(engine, cut, false);
            }
        }
    }
}
