//! The outside world as commands see it: configuration, clients, statistics, the log, and the end.

use crate::acceptor::AcceptorSwitch;
use crate::alloc;
use crate::clients::connection::Connection;
use crate::clients::record::{ClientRecord, flags};
use crate::clients::registry::Registry;
use crate::clients::stream::Endpoint;
use crate::clock::MachineClock;
use crate::commands::client::line::{self, Viewer};
use crate::config::value::os_reason;
use crate::config::{Config, Scope, Settings, replace_file};
use crate::log::{self, Level};
use crate::migration::Migrations;
use crate::persistence::Snapshots;
use crate::persistence::append_only::AppendOnly;
use crate::persistence::reload::Reloads;
use crate::persistence::saver::{STALL_NS_MAX, Saver};
use crate::process;
use crate::reclaimer::Reclaimer;
use crate::shutdown::Shutdown;
use crate::statistics::Statistics;
use crate::sys::{self, fatal};
use arc_swap::ArcSwap;
use base::clock::Clock;
use base::lock::Token;
use engine::acl::Called;
use engine::command::Outcome;
use engine::host::ClientShown;
use engine::pushes::Mailbox;
use engine::reload::Reload;
use engine::{Engine, Host, Session};
use parking_lot::Mutex;
use persist::disk::{Disk, MachineDisk};
use persist::steps::InSteps;
use std::any::Any;
use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// What the server's own command rows reach through [`Host::as_any`].
pub struct ServerHost {
    /// The settings as they were written; changed by CONFIG SET.
    pub config: Mutex<Config>,
    pub registry: Arc<Registry>,
    pub statistics: Arc<Statistics>,
    pub shutdown: Arc<Shutdown>,
    pub started: Started,
    pub reclaimer: Arc<Reclaimer>,
    pub snapshots: Snapshots,
    /// Who writes cuts to files.
    pub saver: Saver,
    pub append_only: AppendOnly,
    /// Who loads data while the server runs.
    pub reloads: Reloads,
    /// Where snapshots and the append-only file lie.
    pub disk: Arc<dyn Disk>,
    /// How long the disk may take nothing of a cut before that is given up.
    pub stall_ns_max: u64,
    /// What the history of changes is called.
    pub replication_id: Mutex<String>,
    /// Keys on their way to other servers.
    pub migrations: Migrations,
    /// Who listens; nobody in a server without sockets.
    pub acceptor: OnceLock<Arc<AcceptorSwitch>>,
    settings: ArcSwap<Settings>,
    /// Entries past their deadline go without being asked for.
    expires_actively: AtomicBool,
}

/// When and as what this server was started.
#[derive(Clone, Debug)]
pub struct Started {
    pub monotonic_ns: u64,
    pub wall_ms: u64,
    /// 40 hexadecimal digits that no other start has.
    pub run_id: String,
    /// The TCP port in use; 0 without one.
    pub port: u16,
    /// Loops in use.
    pub loops: usize,
    /// Bytes in use before the first client came.
    pub memory_bytes: usize,
    /// What the kernel's out-of-memory killer went by.
    pub oom_score: i32,
}

impl Started {
    /// A start at this moment.
    pub fn now(port: u16, loops: usize) -> Self {
        let clock = MachineClock::new();
        base::memory::flush();
        Self {
            monotonic_ns: clock.now_ns(),
            wall_ms: clock.wall_ms(),
            run_id: random_id(),
            port,
            loops,
            memory_bytes: base::memory::used(),
            oom_score: process::oom_score_at_start(),
        }
    }
}

/// A number that nobody can guess; the time where the system has no better.
pub fn random_u64() -> u64 {
    getrandom::u64().unwrap_or_else(|_| MachineClock::new().wall_us())
}

/// 40 hexadecimal digits that nobody else has.
fn random_id() -> String {
    let digits: String = (0..3).map(|_| format!("{:016x}", random_u64())).collect();
    digits[..40].to_owned()
}

impl ServerHost {
    /// The world of a server with these parts.
    pub fn new(
        config: Config,
        registry: Arc<Registry>,
        statistics: Arc<Statistics>,
        reclaimer: Arc<Reclaimer>,
        started: Started,
    ) -> Self {
        let settings = ArcSwap::from_pointee(config.settings());
        Self {
            config: Mutex::new(config),
            registry,
            statistics,
            shutdown: Arc::default(),
            snapshots: Snapshots::new(started.wall_ms),
            saver: Saver::default(),
            append_only: AppendOnly::default(),
            reloads: Reloads::default(),
            disk: Arc::new(MachineDisk),
            stall_ns_max: STALL_NS_MAX,
            replication_id: Mutex::new(random_id()),
            started,
            reclaimer,
            migrations: Migrations::default(),
            acceptor: OnceLock::new(),
            settings,
            expires_actively: AtomicBool::new(true),
        }
    }

    /// The disk for a file that a whole cut is written to; `in_steps`: it is synced on the way.
    pub fn disk_for_cuts(&self, in_steps: bool) -> Arc<dyn Disk> {
        let disk = Arc::clone(&self.disk);
        if in_steps { Arc::new(InSteps::new(disk)) } else { disk }
    }

    /// Ends a client other than the caller's own.
    pub fn end_client(&self, engine: &Engine, record: &ClientRecord) {
        self.registry.kill(record);
        // What it waits for is for others from now on.
        let woken = engine.blocking.unblock(record.id, false, || self.relax());
        engine.wake_all(woken.into_iter().collect());
    }

    /// The file of users, if they have one.
    fn user_file(&self) -> Option<PathBuf> {
        let settings = self.settings();
        settings.aclfile.as_ref().map(|path| settings.dir.join(path))
    }

    /// Whether entries past their deadline go without being asked for.
    pub fn expires_actively(&self) -> bool {
        self.expires_actively.load(Relaxed)
    }

    /// Whether much is being written: a snapshot, or a base of the append-only file.
    pub fn is_saving(&self) -> bool {
        self.snapshots.running().is_some()
            || self.append_only.figures.rewrite_since_ms.load(Relaxed) != 0
    }

    /// The typed settings now.
    pub fn settings(&self) -> Arc<Settings> {
        self.settings.load_full()
    }

    /// Where the typed settings are published.
    pub fn settings_snapshot(&self) -> &ArcSwap<Settings> {
        &self.settings
    }

    /// Publishes settings that have changed.
    pub fn publish(&self, settings: Settings) {
        self.settings.store(Arc::new(settings));
    }

    /// A client's unwritten replies are too many: it is closed.
    pub fn output_limit_reached(&self, connection: &Connection) {
        if connection.session.subscriptions.is_some() {
            self.log_output_limit_of_pushes(&connection.record);
        } else {
            self.log_output_limit(&connection.record);
        }
    }

    /// As [`ServerHost::output_limit_reached`], for a client known by its record.
    pub fn log_output_limit(&self, record: &ClientRecord) {
        self.statistics.output_limit_disconnections.fetch_add(1, Relaxed);
        log::warning(format_args!(
            "Client {} closed for overcoming of output buffer limits.",
            Brief(record)
        ));
    }

    /// As [`ServerHost::log_output_limit`], for a client that others have sent too much.
    pub fn log_output_limit_of_pushes(&self, record: &ClientRecord) {
        self.statistics.output_limit_disconnections.fetch_add(1, Relaxed);
        log::warning(format_args!(
            "Client {} scheduled to be closed ASAP for overcoming of output buffer limits.",
            Brief(record)
        ));
    }

    /// A client is ended because all together take too much memory.
    pub fn log_client_eviction(&self, record: &ClientRecord) {
        log::notice(format_args!("Evicting client: {}", Brief(record)));
    }

    /// A client's unfinished request is too long: it is closed.
    pub fn query_limit_reached(&self, connection: &Connection) {
        self.statistics.query_limit_disconnections.fetch_add(1, Relaxed);
        log::warning(format_args!(
            "Closing client that reached max query buffer length: {} (qbuf initial bytes: {})",
            Brief(&connection.record),
            connection.input.bytes()[..connection.input.len().min(64)].escape_ascii()
        ));
    }
}

impl Host for ServerHost {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn allocator_number(&self, name: &str, new: Option<i64>) -> Result<i64, String> {
        alloc::number(name, new).map_err(|error| os_reason(&error))
    }

    fn allocator_text(&self, name: &str) -> Result<Vec<u8>, String> {
        alloc::text(name).map_err(|error| os_reason(&error))
    }

    fn reload(&self, client: u64, what: Reload) {
        self.reloads.order(self, client, what);
    }

    fn reloaded(&self, client: u64) -> Option<Outcome> {
        self.reloads.outcome(client)
    }

    fn change_replication_id(&self) {
        *self.replication_id.lock() = random_id();
    }

    fn rewrite_config_wholly(&self, users: &[u8]) -> Result<(), String> {
        self.config.lock().rewrite(users, Scope::All).map_err(|error| error.to_string())
    }

    fn sleep_ns(&self, nanoseconds: u64) {
        std::thread::sleep(Duration::from_nanos(nanoseconds));
    }

    fn crash(&self) {
        fatal::crash();
    }

    fn processor_us(&self) -> (u64, u64) {
        let time = sys::processor_time(sys::TimeOf::Process);
        (time.user_us, time.system_us)
    }

    fn relax(&self) {
        std::thread::yield_now();
    }

    fn client_named(&self, session: &Session, name: &[u8]) {
        if let Some(record) = session.record.downcast_ref::<ClientRecord>() {
            record.names.lock().name = name.into();
        }
    }

    fn client_user_changed(&self, session: &Session) {
        if let Some(record) = session.record.downcast_ref::<ClientRecord>() {
            record.names.lock().user = session.user_name().into();
        }
    }

    fn client_line(&self, engine: &Engine, session: &Session, call: &Called<'_>) -> Vec<u8> {
        let mut text = String::new();
        if let Some(record) = session.record.downcast_ref::<ClientRecord>() {
            let dialect = self.settings().dialect;
            // Of a script or a transaction the call that the client made.
            let entry = session.last_command.unwrap_or(call.entry);
            let (argv, command) = (call.argv, &*entry.full_name);
            line::write(&mut text, &Viewer { engine, dialect, session, argv, command }, record);
        }
        text.truncate(text.trim_end().len());
        text.into_bytes()
    }

    fn end_clients_of(
        &self,
        engine: &Engine,
        user: &[u8],
        ids: Option<&HashSet<u64>>,
        own: u64,
    ) -> bool {
        let mut ends_own = false;
        for record in self.registry.all() {
            let is_users = *record.names.lock().user == *user;
            if !is_users || ids.is_some_and(|ids| !ids.contains(&record.id)) {
                continue;
            }
            if record.id == own {
                ends_own = true;
            } else {
                self.end_client(engine, &record);
            }
        }
        ends_own
    }

    fn read_users(&self) -> Result<Option<(String, Vec<u8>)>, String> {
        let Some(path) = self.user_file() else { return Ok(None) };
        let shown = path.display().to_string();
        match fs::read(&path) {
            Ok(text) => Ok(Some((shown, text))),
            Err(error) => {
                Err(format!("Error loading ACLs, opening file '{shown}': {}", os_reason(&error)))
            }
        }
    }

    fn write_users(&self, text: &[u8]) -> Result<bool, String> {
        let Some(path) = self.user_file() else { return Ok(false) };
        // Two at once would write into the same temporary file.
        let _alone = self.config.lock();
        match replace_file(&path, text) {
            Ok(()) => Ok(true),
            Err(error) => {
                Err(format!("Can't save users in '{}': {}", path.display(), os_reason(&error)))
            }
        }
    }

    fn secret_u64(&self) -> u64 {
        random_u64()
    }

    fn client_reset(&self, session: &Session) {
        if let Some(record) = session.record.downcast_ref::<ClientRecord>() {
            record.names.lock().name = Box::default();
            record.counts.flags.fetch_and(!flags::LASTING, Relaxed);
            record.counts.redirect.store(-1, Relaxed);
        }
    }

    fn client_shown(&self, session: &Session) -> ClientShown {
        let Some(record) = session.record.downcast_ref::<ClientRecord>() else {
            return ClientShown::default();
        };
        let name = record.names.lock().name.clone();
        let socket = match &record.endpoint {
            Endpoint::Unix(path) => Some(Arc::clone(path)),
            Endpoint::Inside | Endpoint::Tcp { .. } => None,
        };
        ClientShown { address: record.endpoint.peer().to_string(), name, socket }
    }

    fn mailbox(&self, client: u64) -> Option<Arc<Mailbox>> {
        let record = self.registry.find(client).filter(|record| !record.is_killed());
        record.map(|record| Arc::clone(record.mailbox()))
    }

    fn redirection_broken(&self, client: u64) {
        if let Some(record) = self.registry.find(client) {
            record.counts.flags.fetch_or(flags::TRACKING_BROKEN, Relaxed);
        }
    }

    fn pushes_wait(&self, tokens: &[Token]) {
        self.registry.inboxes().post_pushes(tokens);
    }

    fn pushes_overflowed(&self, session: &Session) {
        if let Some(record) = session.record.downcast_ref::<ClientRecord>() {
            self.log_output_limit_of_pushes(record);
            self.registry.kill(record);
        }
    }

    fn set_active_expiry(&self, is_on: bool) {
        self.expires_actively.store(is_on, Relaxed);
    }

    fn log(&self, level: u8, message: &str) {
        let level = match level {
            0 => Level::Debug,
            1 => Level::Verbose,
            2 => Level::Notice,
            _ => Level::Warning,
        };
        log::write(level, format_args!("{message}"));
    }
}

/// A client in a log line.
struct Brief<'r>(&'r ClientRecord);

impl std::fmt::Display for Brief<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(record) = self;
        let (peer, local) = (record.endpoint.peer(), record.endpoint.local());
        let counts = &record.counts;
        write!(
            formatter,
            "id={} addr={peer} laddr={local} fd={} name={} db={} qbuf={} omem={}",
            record.id,
            record.descriptor,
            record.names.lock().name.escape_ascii(),
            counts.db.load(Relaxed),
            counts.input_bytes.load(Relaxed),
            counts.outbox_bytes.load(Relaxed),
        )
    }
}
