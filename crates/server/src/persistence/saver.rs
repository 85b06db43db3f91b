//! The thread that writes snapshots in the background.
//!
//! The cut itself is made by whoever asks, behind the gate, or by this thread when a save point is reached. Then
//! the thread walks over the data, a few microseconds under each lock, and writes outside of them. It is no loop
//! and serves nobody, so it may wait for the disk as long as it likes: what changes meanwhile is kept up to a
//! limit, and above that writers wait. If the disk takes nothing for [`STALL_NS_MAX`], the periodic jobs give
//! the cut up.
//!
//! It also makes the last snapshot when a signal asks for the end, since a signal has no thread that may wait
//! for the gate.

use super::save;
use crate::config::{Settings, ShutdownWords};
use crate::log;
use crate::server::{Further, Server};
use crate::shutdown;
use crate::sys;
use engine::cut::{Cut, CutWalk, Purpose, Step};
use engine::{Executor, Session};
use parking_lot::Mutex;
use persist::snapshot::FinishedSnapshot;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::Thread;
use std::time::Duration;
use store::Fetched;

/// How long a disk may take nothing before the cut is given up.
pub const STALL_NS_MAX: u64 = 10_000_000_000;

/// How soon the thread looks again for something that others have.
const RETRY: Duration = Duration::from_micros(50);

/// What the thread is told.
pub enum Order {
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
    fn is_urgent(&self) -> bool {
        let orders = self.orders.lock();
        orders.iter().any(|order| matches!(order, Order::Stop | Order::ShutDown(_)))
    }
}

/// Carries orders out until it is told to stop.
pub fn run(server: &Arc<Server>) {
    let shared = &server.host.saver;
    *shared.thread.lock() = Some(std::thread::current());
    sys::lower_priority();
    let token = server.inboxes.token_of_this_thread();
    let number = server.number_of(Further::Saver);
    let mut saving = Saving {
        server,
        executor: Executor::new(&server.engine, &server.host, number),
        session: Session::new(0, token, Arc::new(())),
    };
    loop {
        // One at a time: those behind it say whether it is to be left.
        let order = shared.orders.lock().pop_front();
        match order {
            None => {
                base::memory::flush();
                std::thread::park();
            }
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
    executor: Executor<'s>,
    session: Session,
}

impl Saving<'_> {
    /// Takes a cut, if none is on its way, and writes it.
    fn begin(&mut self) {
        let cut = self.take_cut();
        self.server.host.saver.is_beginning.store(false, Relaxed);
        if let Some(cut) = cut {
            self.snapshot(&cut);
        }
    }

    fn take_cut(&mut self) -> Option<Arc<Cut>> {
        let (engine, snapshots) = (&self.server.engine, &self.server.host.snapshots);
        loop {
            if self.server.host.saver.is_urgent() {
                return None;
            }
            let begun = self.executor.alone(&mut self.session, |data| {
                if engine.loading.is_on() {
                    return None;
                }
                let cut = engine.begin_cut(data, Purpose::Snapshot).ok()?;
                snapshots.begun(&cut);
                Some(cut)
            });
            match begun {
                // Somebody may have been faster.
                Ok(begun) => return begun,
                Err(_) => std::thread::park_timeout(RETRY),
            }
        }
    }

    /// Makes a last snapshot, if one is to be made.
    fn shut_down(&mut self, words: ShutdownWords) {
        let (engine, host) = (&self.server.engine, &self.server.host);
        loop {
            let ended = self
                .executor
                .alone(&mut self.session, |data| shutdown::prepare(engine, data, host, words));
            match ended {
                Ok(true) => {
                    host.shutdown.request(words);
                    return;
                }
                Ok(false) => {
                    log::warning(format_args!(
                        "Errors trying to shut down the server. Check the logs for more information."
                    ));
                    host.shutdown.give_up();
                    return;
                }
                Err(_) => std::thread::park_timeout(RETRY),
            }
        }
    }

    fn snapshot(&mut self, cut: &Arc<Cut>) {
        let settings = self.server.host.settings();
        let path = settings.dir.join(&settings.dbfilename);
        log::notice(format_args!("Background saving started"));
        let file = self.write(cut, &settings);
        // The last moment to give it up is before it takes the place of the one before.
        let placed = file.and_then(|file| match file.filter(|_| !cut.is_cancelled()) {
            Some(file) => file.place(&path).map(Some).map_err(save::io_reason),
            None => Ok(None),
        });
        let (engine, snapshots) = (&self.server.engine, &self.server.host.snapshots);
        match placed {
            Ok(Some(len)) => {
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
            Ok(None) => {
                log::warning(format_args!("Background saving cancelled"));
                snapshots.cancelled(cut);
            }
            Err(reason) => {
                log::warning(format_args!("Write error saving DB on disk: {reason}"));
                log::warning(format_args!("Background saving error"));
                snapshots.ended(engine, cut, false);
            }
        }
    }

    /// Walks over a cut to its end, and writes it; nothing if it was given up.
    fn write(
        &mut self,
        cut: &Arc<Cut>,
        settings: &Settings,
    ) -> Result<Option<FinishedSnapshot>, String> {
        let (engine, saver) = (&self.server.engine, &self.server.host.saver);
        let name = format!("temp-bgsave-{}.rdb", std::process::id());
        let temporary = settings.dir.join(name);
        let mut file = save::create(&self.server.host, settings, cut, temporary)
            .map_err(|error| save::reason(&error))
            .inspect_err(|_| engine.cuts.cancel(cut));
        let (mut walk, mut fetched) = (CutWalk::new(cut), Fetched::default());
        loop {
            let step = self.executor.step_cut(&mut self.session, &mut walk, &mut fetched);
            if let Ok(open) = &mut file
                && !cut.is_cancelled()
                && let Err(error) = open.write(&fetched)
            {
                engine.cuts.cancel(cut);
                file = Err(save::reason(&error));
            }
            engine.cuts.written(&mut fetched);
            match step {
                Step::Busy => std::thread::park_timeout(RETRY),
                Step::Done => break,
                Step::More => {}
            }
            if saver.is_urgent() {
                engine.cuts.cancel(cut);
            }
        }
        base::memory::flush();
        let file = file?;
        if cut.is_cancelled() {
            return Ok(None);
        }
        file.finish().map(Some).map_err(save::io_reason)
    }
}
