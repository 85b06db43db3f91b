//! The append-only file that is loaded at the start: its base, and the calls of its increments once more.

use super::snapshot::{self, Expired};
use super::{End, tell_done};
use crate::config::Settings;
use crate::log;
use crate::persistence::append_only;
use crate::replay::replay;
use crate::server::{Further, Server};
use base::lock::Token;
use engine::{Executor, Session};
use persist::aof::{self, LoadError, Loaded, Place, Refused, SnapshotEnd, SnapshotError, Source};
use persist::manifest::Role;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

/// How often the log says how far it is.
const PROGRESS_PERIOD: Duration = Duration::from_secs(5);

/// Loads the append-only file that the settings name, if there is one.
pub(in crate::persistence) fn load(
    server: &Server,
    settings: &Settings,
) -> Result<Loaded, LoadError> {
    let started = Instant::now();
    let mut replayed = Replayed::new(server);
    let loaded = aof::load(
        &*server.host.disk,
        &append_only::place(settings),
        settings.aof_load_truncated,
        &mut replayed,
    );
    drop(replayed);
    base::memory::flush();
    let loaded = loaded?;
    if loaded.found == aof::Found::All {
        log::notice(format_args!(
            "DB loaded from append only file: {:.3} seconds",
            started.elapsed().as_secs_f64()
        ));
    }
    Ok(loaded)
}

/// What is read goes into the engine.
struct Replayed<'s> {
    server: &'s Server,
    executor: Executor<'s>,
    /// In the name of which the calls are made: a new one for each file.
    session: Session,
    file_started: Instant,
    told: Instant,
}

impl<'s> Replayed<'s> {
    fn new(server: &'s Server) -> Self {
        let now = Instant::now();
        let number = server.number_of(Further::Loader);
        Self {
            server,
            executor: Executor::replaying(&server.engine, &server.host, number),
            session: new_session(server.inboxes.token_of_this_thread()),
            file_started: now,
            told: now,
        }
    }

    /// A transaction that is open is over, and nothing has come of it.
    fn end_session(&mut self) {
        let new = new_session(self.session.token);
        let mut session = std::mem::replace(&mut self.session, new);
        self.executor.end_session(&mut session);
    }
}

fn new_session(token: Token) -> Session {
    Session::new(0, token, Arc::new(()))
}

impl aof::Replay for Replayed<'_> {
    fn begin(&mut self, bytes_total: u64) {
        let engine = &self.server.engine;
        engine.loading.begin(bytes_total, engine.clock().wall_ms());
    }

    fn begin_file(&mut self, _role: Role, _name: &str) {
        self.file_started = Instant::now();
    }

    fn end_file(&mut self, role: Role, name: &str) {
        self.end_session();
        let kind = if role == Role::Base { "base" } else { "incr" };
        log::notice(format_args!(
            "DB loaded from {kind} file {name}: {:.3} seconds",
            self.file_started.elapsed().as_secs_f64()
        ));
    }

    fn snapshot(&mut self, source: &mut Source) -> Result<SnapshotEnd, SnapshotError> {
        log::notice(format_args!("Reading RDB base file on AOF loading..."));
        // What comes behind it may be about keys whose time is up by now.
        match snapshot::read(self.server, &mut *source, Expired::Kept) {
            Ok((End::Interrupted, _)) => Ok(SnapshotEnd::Interrupted),
            Ok((End::Done, unread)) => {
                source.give_back(&unread);
                tell_done(self.server);
                Ok(SnapshotEnd::Done)
            }
            Err(problem) => {
                let (offset, reason) = (Some(problem.offset), problem.to_string());
                Err(SnapshotError { offset, reason })
            }
        }
    }

    fn commands(&mut self, commands: &[u8]) -> Result<(), Refused> {
        replay(&mut self.executor, &mut self.session, commands)
    }

    fn goes_on(&mut self, bytes_read: u64) -> bool {
        let loading = &self.server.engine.loading;
        loading.bytes_loaded.store(bytes_read, Relaxed);
        base::memory::flush();
        if PROGRESS_PERIOD <= self.told.elapsed() {
            self.told = Instant::now();
            let total = loading.bytes_total.load(Relaxed).max(1);
            log::notice(format_args!(
                "Loading DB in memory: {:.0}%",
                100.0 * bytes_read as f64 / total as f64
            ));
        }
        !self.server.host.shutdown.is_requested()
    }

    fn repaired(&mut self, name: &str, len: u64) {
        log::warning(format_args!("!!! Warning: short read while loading the AOF file {name}!!!"));
        log::warning(format_args!("!!! Truncating the AOF {name} at offset {len} !!!"));
        log::warning(format_args!(
            "AOF {name} loaded anyway because aof-load-truncated is enabled"
        ));
    }

    fn adopted(&mut self, place: &Place) {
        log::notice(format_args!(
            "Successfully migrated an old-style AOF file ({}) into the AOF directory ({}).",
            place.name,
            place.folder.file_name().unwrap_or_default().display()
        ));
    }
}
