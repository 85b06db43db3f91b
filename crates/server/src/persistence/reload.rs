//! The thread that loads data while the server runs: DEBUG RELOAD and DEBUG LOADAOF.
//!
//! It begins behind the gate: what is to be saved is saved, all data is set aside, and from then on clients hear
//! -LOADING. Then it loads as at the start. Only when all is there is what was set aside let go; if it cannot be
//! loaded, all of it is put back.
//!
//! The append-only file hears nothing of it while both hold the same. A snapshot that was not saved just before
//! brings other data: then the file is in doubt, and clients wait for a new base of it, so that no change is
//! written behind data to which it was not made. A crash before that leaves what there was before.

use super::load::{End, journal, snapshot};
use super::{append_only, save};
use crate::config::value::os_reason;
use crate::host::ServerHost;
use crate::log;
use crate::server::{Further, Server};
use engine::command::Outcome;
use engine::data::Data;
use engine::reload::{Aside, Reload, SnapshotReload};
use engine::{CommandError, Executor, Session};
use parking_lot::Mutex;
use persist::aof::Found;
use snapshot::Expired;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering, Ordering::Relaxed};
use std::sync::mpsc::sync_channel;
use std::thread::Thread;
use std::time::Duration;

/// How soon the thread tries again to be alone behind the gate.
const GATE_PAUSE: Duration = Duration::from_micros(50);

/// How soon it looks again whether others have written their files.
const WRITING_PAUSE: Duration = Duration::from_millis(1);

/// The thread, as others see it.
#[derive(Default)]
pub struct Reloads {
    orders: Mutex<VecDeque<Order>>,
    /// What clients wait for.
    by_client: Mutex<HashMap<u64, Arc<Wanted>>>,
    is_stopping: AtomicBool,
    thread: Mutex<Option<Thread>>,
}

struct Order {
    what: Reload,
    wanted: Arc<Wanted>,
}

/// What is to come of an order.
type Wanted = Mutex<Option<Outcome>>;

impl Reloads {
    /// Tells the thread.
    pub fn order(&self, host: &ServerHost, client: u64, what: Reload) {
        let wanted = Arc::<Wanted>::default();
        let mut by_client = self.by_client.lock();
        by_client.retain(|client, _| host.registry.find(*client).is_some());
        by_client.insert(client, Arc::clone(&wanted));
        drop(by_client);
        self.orders.lock().push_back(Order { what, wanted });
        self.wake();
    }

    /// What has come of a client's order; once.
    pub fn outcome(&self, client: u64) -> Option<Outcome> {
        let mut by_client = self.by_client.lock();
        let outcome = by_client.get(&client)?.lock().take()?;
        by_client.remove(&client);
        Some(outcome)
    }

    /// Ends the thread.
    pub fn stop(&self) {
        self.is_stopping.store(true, Ordering::Release);
        self.wake();
    }

    fn wake(&self) {
        if let Some(thread) = &*self.thread.lock() {
            thread.unpark();
        }
    }
}

/// Carries orders out until it is stopped.
pub fn run(server: &Server) {
    let reloads = &server.host.reloads;
    *reloads.thread.lock() = Some(std::thread::current());
    let mut reloading = Reloading::new(server);
    while !reloads.is_stopping.load(Ordering::Acquire) {
        let order = reloads.orders.lock().pop_front();
        let Some(Order { what, wanted }) = order else {
            std::thread::park();
            continue;
        };
        if let Some(outcome) = reloading.carry_out(what) {
            *wanted.lock() = Some(outcome);
        }
        base::memory::flush();
    }
}

/// The thread's state.
struct Reloading<'s> {
    server: &'s Server,
    executor: Executor<'s>,
    session: Session,
}

/// Why nothing was loaded.
enum Stop {
    Failed(CommandError),
    /// The server ends first, and all is left as it is.
    Interrupted,
}

impl<'s> Reloading<'s> {
    fn new(server: &'s Server) -> Self {
        let token = server.inboxes.token_of_this_thread();
        let number = server.number_of(Further::Loader);
        Self {
            server,
            executor: Executor::new(&server.engine, &server.host, number),
            session: Session::new(0, token, Arc::new(())),
        }
    }

    /// `None`: the server ends first.
    fn carry_out(&mut self, what: Reload) -> Option<Outcome> {
        let done = match what {
            Reload::Journal => self.load_journal(),
            Reload::Snapshot(how) => self.load_snapshot(how),
        };
        match done {
            Ok(()) => Some(Ok(())),
            Err(Stop::Failed(error)) => Some(Err(error)),
            Err(Stop::Interrupted) => None,
        }
    }

    fn load_snapshot(&mut self, how: SnapshotReload) -> Result<(), Stop> {
        let (engine, host) = (&self.server.engine, &self.server.host);
        let aside = self.begin(|data| {
            if how.saves {
                save::save_alone(engine, data, host).map_err(|reason| {
                    log::warning(format_args!("Write error saving DB on disk: {reason}"));
                    Stop::Failed(CommandError::SaveFailed)
                })?;
            }
            engine.loading.begin(0, engine.clock().wall_ms());
            if how.merges {
                engine.loading.merge();
            }
            Ok((!how.keeps).then(|| engine.set_aside(data)))
        })??;
        let (settings, is_journaled) = (host.settings(), engine.journal.is_on());
        let path = settings.dir.join(&settings.dbfilename);
        // What goes because its time is up goes as ever, if the append-only file has to hear of it.
        let expired = if is_journaled { Expired::Kept } else { Expired::Dropped };
        let done = match snapshot::load(self.server, &path, expired) {
            Ok(Some(End::Done)) => Ok(()),
            Ok(Some(End::Interrupted)) => return Err(Stop::Interrupted),
            Ok(None) => Err(format!("There is no snapshot '{}'", path.display())),
            Err(error) => Err(error.to_string()),
        };
        // A load that fails takes back what it has done, but not what it has put beside what was there.
        let has_changed = how.keeps || (done.is_ok() && !how.saves);
        if is_journaled && has_changed {
            self.write_new_base()?;
        }
        self.end(done, aside, Reload::Snapshot(how))
    }

    fn load_journal(&mut self) -> Result<(), Stop> {
        let (engine, host) = (&self.server.engine, &self.server.host);
        self.begin(|_| engine.loading.begin(0, engine.clock().wall_ms()))?;
        let mut settings = (*host.settings()).clone();
        if engine.journal.is_on() {
            // All of it is there, so a file that ends too early is not one that a crash has left.
            settings.aof_load_truncated = false;
            if let Err(reason) = self.prove_journal() {
                return self.end(Err(reason), None, Reload::Journal);
            }
        }
        let aside = self.alone(|data| engine.set_aside(data))?;
        let done = match journal::load(self.server, &settings).map(|loaded| loaded.found) {
            Ok(Found::All) => Ok(()),
            Ok(Found::Nothing) => Err("There is no append-only file".to_owned()),
            Ok(Found::Part) => return Err(Stop::Interrupted),
            Err(error) => Err(error.to_string()),
        };
        if done.is_ok() {
            host.snapshots.changes_at_save.store(engine.changes(), Relaxed);
        }
        self.end(done, Some(aside), Reload::Journal)
    }

    /// Waits until all changes are in the append-only file.
    fn prove_journal(&self) -> Result<(), String> {
        let (tell, told) = sync_channel(1);
        self.server.host.append_only.order(append_only::Order::Prove(tell));
        match told.recv() {
            Ok(proved) => proved.map_err(|error| os_reason(&error)),
            Err(_) => Err("the server ends".to_owned()),
        }
    }

    /// Has a new base of the append-only file written, of what is there now, and waits for it. If it cannot be
    /// written, it is tried again and again, and changes are refused meanwhile.
    fn write_new_base(&mut self) -> Result<(), Stop> {
        let (engine, host) = (&self.server.engine, &self.server.host);
        self.alone(|data| {
            host.append_only.order(append_only::Order::Distrust);
            append_only::rewrite(engine, data, host)
        })?;
        while host.append_only.figures.rewrite_since_ms.load(Relaxed) != 0 {
            self.pause(WRITING_PAUSE)?;
        }
        Ok(())
    }

    /// What was loaded is there from now on; or what was there before, if nothing was.
    fn end(
        &mut self,
        done: Result<(), String>,
        aside: Option<Aside>,
        what: Reload,
    ) -> Result<(), Stop> {
        let (engine, host) = (&self.server.engine, &self.server.host);
        if let Err(reason) = &done {
            log::warning(format_args!("{reason}"));
        }
        let is_done = done.is_ok();
        let mut aside = Some(aside);
        self.alone(|data| {
            match aside.take().flatten() {
                Some(aside) if !is_done => {
                    if let Err(error) = engine.put_back(data, host, aside) {
                        log::warning(format_args!("Functions are lost: {}", error.text()));
                    }
                }
                aside => engine.settle_reload(data, aside),
            }
            engine.loading.end();
            // It may have been switched on meanwhile; off it was switched at once.
            if host.settings().appendonly
                && !engine.journal.is_on()
                && let Err(error) = append_only::turn_on(engine, host)
            {
                log::warning(format_args!("Can't open the append-only file: {error}"));
            }
        })?;
        if !is_done {
            return Err(Stop::Failed(CommandError::ReloadFailed(what)));
        }
        log::notice(match what {
            Reload::Journal => format_args!("Append Only File loaded by DEBUG LOADAOF"),
            Reload::Snapshot(_) => format_args!("DB reloaded by DEBUG RELOAD"),
        });
        Ok(())
    }

    /// Does something behind the gate at a moment when nobody writes a cut. A snapshot that is being written is
    /// given up: it would take the place of a newer one.
    fn begin<R>(&mut self, mut act: impl FnMut(&mut Data<'_>) -> R) -> Result<R, Stop> {
        let (engine, host) = (&self.server.engine, &self.server.host);
        loop {
            while host.is_saving() || engine.cuts.present().is_some() {
                if let Some(cut) = host.snapshots.running() {
                    engine.cuts.cancel(&cut);
                }
                self.pause(WRITING_PAUSE)?;
            }
            let begun = self.alone(|data| {
                let is_free = !host.is_saving() && engine.cuts.present().is_none();
                is_free.then(|| act(data))
            })?;
            if let Some(begun) = begun {
                return Ok(begun);
            }
        }
    }

    /// Does something behind the gate.
    fn alone<R>(&mut self, mut act: impl FnMut(&mut Data<'_>) -> R) -> Result<R, Stop> {
        loop {
            match self.executor.alone(&mut self.session, &mut act) {
                Ok(result) => return Ok(result),
                Err(_) => self.pause(GATE_PAUSE)?,
            }
        }
    }

    fn pause(&self, duration: Duration) -> Result<(), Stop> {
        let host = &self.server.host;
        if host.reloads.is_stopping.load(Ordering::Acquire) || host.shutdown.is_requested() {
            return Err(Stop::Interrupted);
        }
        std::thread::park_timeout(duration);
        Ok(())
    }
}
