//! Builds the parts of a server in order, and stops them in reverse.

use crate::acceptor::{Acceptor, AcceptorSwitch};
use crate::clients::registry::Registry;
use crate::clock::MachineClock;
use crate::config::{Config, Settings};
use crate::cron::{self, CronSwitch};
use crate::host::{self, ServerHost, Started};
use crate::inbox::{Inbox, Inboxes, as_wake};
use crate::limits::{LOOPS_MAX, SHARDS_PER_LOOP, SPARE_THREADS_MAX};
use crate::listeners::{ListenError, Listeners, Port};
use crate::persistence::append_only::{Order, keeper};
use crate::persistence::reload;
use crate::persistence::saver::{self, STALL_NS_MAX};
use crate::reclaimer::{Reclaimer, Sink};
use crate::server::{Further, Home, Server};
use crate::spares::{Spares, Wanted};
use crate::statistics::Statistics;
use crate::users;
use crate::watcher::{self, WatcherSwitch};
use crate::worker;
use crate::worker::loop_state::{INBOX, LoopState};
use base::lock::{Handover, Held};
use engine::Command;
use engine::engine::{Engine, Parts};
use mio::{Poll, Waker};
use parking_lot::Mutex;
use persist::disk::{Disk, MachineDisk};
use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::thread::{Builder, JoinHandle};

/// A running server: stopped when dropped.
pub struct Node {
    server: Arc<Server>,
    acceptor: Arc<AcceptorSwitch>,
    cron: Arc<CronSwitch>,
    reclaimer: Arc<Reclaimer>,
    workers: Workers,
    /// The threads that are not workers, in the order in which they were started.
    threads: Vec<(Part, JoinHandle<()>)>,
}

/// What differs between a server and one that a test starts.
#[derive(Clone)]
pub struct Options {
    pub disk: Arc<dyn Disk>,
    /// How long it may take nothing of a cut before that is given up.
    pub stall_ns_max: u64,
    pub port: Port,
    /// Rows beside the engine's and the server's own.
    pub rows: &'static [&'static [Command]],
    /// Data is to be loaded: until that is done clients are told so.
    pub is_loading: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            disk: Arc::new(MachineDisk),
            stall_ns_max: STALL_NS_MAX,
            port: Port::default(),
            rows: &[],
            is_loading: false,
        }
    }
}

/// Why a server doesn't start.
#[derive(Debug)]
pub enum StartError {
    Listen(ListenError),
    System(io::Error),
    Users(String),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Part {
    Acceptor,
    Cron,
    Keeper,
    Loader,
    Reclaimer,
    Saver,
    Watcher,
}

/// The threads that run loops; the watcher adds to them.
type Workers = Arc<Mutex<Vec<JoinHandle<()>>>>;

impl Node {
    /// Starts a server.
    pub fn start(config: Config, options: Options) -> Result<Self, StartError> {
        let settings = config.settings();
        let listeners = Listeners::open(&settings, options.port).map_err(StartError::Listen)?;
        let reclaimer = Arc::<Reclaimer>::default();
        let (server, states) = build(config, &settings, listeners.port, &reclaimer, options)?;
        let acceptor = Acceptor::new(Arc::clone(&server), listeners)?;
        // Set once, here.
        let _ = server.host.acceptor.set(acceptor.switch());
        let mut node = Self {
            acceptor: acceptor.switch(),
            cron: Arc::default(),
            reclaimer,
            workers: Workers::default(),
            threads: Vec::new(),
            server,
        };
        node.start_threads(states, acceptor)?;
        Ok(node)
    }

    /// The TCP port in use; 0 without one.
    pub fn port(&self) -> u16 {
        self.server.host.started.port
    }

    /// What its threads share.
    pub fn server(&self) -> &Arc<Server> {
        &self.server
    }

    /// Stops everything and waits for it.
    pub fn stop(self) {
        drop(self);
    }

    fn start_threads(
        &mut self,
        states: Vec<Held<LoopState>>,
        acceptor: Acceptor,
    ) -> io::Result<()> {
        let server = Arc::clone(&self.server);
        self.spawn(Part::Keeper, move || keeper::run(&server))?;
        let reclaimer = Arc::clone(&self.reclaimer);
        self.spawn(Part::Reclaimer, move || reclaimer.run())?;
        let server = Arc::clone(&self.server);
        self.spawn(Part::Saver, move || saver::run(&server))?;
        let server = Arc::clone(&self.server);
        self.spawn(Part::Loader, move || reload::run(&server))?;
        for state in states {
            if let Wanted::Thread(number) = self.server.spares.give(state) {
                start_worker(&self.server, &self.workers, number)?;
            }
        }
        let (server, workers) = (Arc::clone(&self.server), Arc::clone(&self.workers));
        self.spawn(Part::Watcher, move || {
            watcher::watch(&server, |number| {
                // Without a thread the loop waits for the next that is free, at worst the slow one.
                let _ = start_worker(&server, &workers, number);
            });
        })?;
        let (server, switch) = (Arc::clone(&self.server), Arc::clone(&self.cron));
        self.spawn(Part::Cron, move || cron::run(&server, &switch))?;
        self.spawn(Part::Acceptor, move || acceptor.run())
    }

    fn spawn(&mut self, part: Part, body: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let name = format!("{part:?}").to_lowercase();
        let thread = Builder::new().name(name).spawn(body)?;
        self.threads.push((part, thread));
        Ok(())
    }

    fn stop_workers(&self) {
        self.server.inboxes.stop();
        self.server.spares.stop();
        loop {
            let Some(worker) = self.workers.lock().pop() else { return };
            join(worker);
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // A script without end would keep its thread for ever.
        self.server.engine.scripts.running.stop();
        let mut has_workers = true;
        while let Some((part, thread)) = self.threads.pop() {
            match part {
                Part::Acceptor => self.acceptor.stop(),
                Part::Cron => self.cron.stop(),
                // Nobody is left who could append anything.
                Part::Keeper => self.server.host.append_only.order(Order::Stop),
                Part::Loader => self.server.host.reloads.stop(),
                Part::Saver => self.server.host.saver.order(saver::Order::Stop),
                Part::Watcher => self.server.watcher.stop(),
                Part::Reclaimer => {
                    // The watcher is gone, so no further worker comes; and they are the last who free anything.
                    self.stop_workers();
                    has_workers = false;
                    self.reclaimer.stop();
                }
            }
            join(thread);
        }
        if has_workers {
            self.stop_workers();
        }
    }
}

/// Waits for a thread; a panic in it has been reported by then.
fn join(thread: JoinHandle<()>) {
    let _ = thread.join();
}

fn start_worker(server: &Arc<Server>, workers: &Workers, number: usize) -> io::Result<()> {
    let server = Arc::clone(server);
    let body = move || worker::work(&server, number);
    let thread = Builder::new().name(format!("worker-{number}")).spawn(body)?;
    workers.lock().push(thread);
    Ok(())
}

fn build(
    config: Config,
    settings: &Settings,
    port: u16,
    reclaimer: &Arc<Reclaimer>,
    options: Options,
) -> Result<(Arc<Server>, Vec<Held<LoopState>>), StartError> {
    let loops = (settings.io_threads as usize).clamp(1, LOOPS_MAX);
    let workers_max = loops + SPARE_THREADS_MAX;
    let mut homes = Vec::new();
    let mut states = Vec::new();
    let mut inboxes = Vec::new();
    for index in 0..loops {
        let poll = Poll::new()?;
        inboxes.push(Inbox::new(Waker::new(poll.registry(), INBOX)?));
        let sockets = poll.registry().try_clone()?;
        let (handover, held) = Handover::new(Box::new(LoopState::new(index, poll)));
        homes.push(Home { handover, sockets, connections: AtomicUsize::new(0) });
        states.push(held);
    }
    let inboxes = Arc::new(Inboxes::new(inboxes));
    let registry = Arc::new(Registry::new(Arc::clone(&inboxes)));
    let threads = workers_max + Further::COUNT;
    let statistics = Arc::new(Statistics::new(threads));
    let clock = MachineClock::new();
    let engine = Engine::new(Parts {
        rows: [crate::commands::FAMILIES, options.rows].concat(),
        settings: settings.for_engine(),
        clock: Arc::new(clock),
        wake: as_wake(&inboxes),
        reclaim: Box::new(Sink(Arc::clone(reclaimer))),
        shards: (loops * SHARDS_PER_LOOP).next_power_of_two(),
        threads,
        seed: host::random_u64(),
    });
    if options.is_loading {
        engine.loading.begin(0, engine.clock().wall_ms());
    }
    let started = Started::now(port, loops);
    let mut host = ServerHost::new(
        config,
        Arc::clone(&registry),
        Arc::clone(&statistics),
        Arc::clone(reclaimer),
        started,
    );
    host.disk = options.disk;
    host.stall_ns_max = options.stall_ns_max;
    users::load(&engine, &host).map_err(StartError::Users)?;
    let server = Server {
        engine,
        host,
        homes: homes.into(),
        inboxes,
        registry,
        spares: Spares::new(workers_max),
        statistics,
        watcher: WatcherSwitch::default(),
    };
    Ok((Arc::new(server), states))
}

impl From<io::Error> for StartError {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen(error) => error.fmt(formatter),
            Self::Users(reason) => {
                write!(formatter, "Aborting startup because of ACL errors: {reason}")
            }
            Self::System(error) => write!(formatter, "Failed starting: {error}"),
        }
    }
}
