//! The way back: what the files say goes into a new engine.

use crate::contents::Contents;
use crate::disk::SimDisk;
use crate::node;
use base::clock::ManualClock;
use base::lock::Token;
use engine::host::NoHost;
use engine::run::Served;
use engine::scripting::functions::{Existing, Loader};
use engine::{Engine, Executor, Session};
use persist::aof::{
    self, Found, LoadError, Loaded, Place, Refused, Replay, SnapshotEnd, SnapshotError, Source,
    Wrong,
};
use persist::disk::Disk;
use persist::manifest::Manifest;
use resp::{Limits, Reply, RequestParser};
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use store::rdb::RdbError;
use store::rdb::file::{FileReader, Record};
use store::rdb::value::Rules;

/// Loads the append-only file, if there is one.
///
/// # Errors
/// Why it could not be loaded.
pub fn load(
    engine: &Engine,
    disk: &dyn Disk,
    place: &Place,
) -> Result<Option<Manifest>, LoadError> {
    let mut session = Session::new(1 << 32, Token(1 << 32), Arc::new(()));
    let executor = Executor::replaying(engine, &NoHost, 0);
    let mut replay = Replaying { engine, executor, session: &mut session };
    let Loaded { found, manifest, .. } = aof::load(disk, place, true, &mut replay)?;
    let Replaying { mut executor, session, .. } = replay;
    executor.end_session(session);
    Ok((found == Found::All).then_some(manifest))
}

/// What one file holds, a snapshot or commands.
///
/// # Errors
/// Why it cannot be loaded.
pub fn read(disk: &SimDisk, path: &Path) -> Result<Contents, String> {
    let Some(bytes) = disk.bytes(path) else { return Err("it is not there".to_owned()) };
    let engine = node::engine(0, Arc::new(ManualClock::default()));
    let mut session = Session::new(1 << 32, Token(1 << 32), Arc::new(()));
    let executor = Executor::replaying(&engine, &NoHost, 0);
    let mut replaying = Replaying { engine: &engine, executor, session: &mut session };
    let mut rest = bytes.as_slice();
    if rest.starts_with(b"REDIS") || rest.starts_with(b"VALKEY") {
        let len = replaying.snapshot_bytes(rest).map_err(|error| error.reason)?;
        rest = &rest[len..];
    }
    replaying.commands(rest).map_err(|refused| refused.reason)?;
    drop(replaying);
    Ok(Contents::of(&engine))
}

/// Makes the calls of a journal once more.
///
/// # Errors
/// The first that is refused.
pub fn replay(engine: &Engine, journal: &[u8]) -> Result<(), Refused> {
    let mut session = Session::new(1 << 32, Token(1 << 32), Arc::new(()));
    let executor = Executor::replaying(engine, &NoHost, 0);
    Replaying { engine, executor, session: &mut session }.commands(journal)
}

/// Cuts off what follows the place at which a load has found damage.
///
/// # Errors
/// As the disk says.
pub fn mend(disk: &dyn Disk, error: &LoadError) -> io::Result<()> {
    let (Wrong::Damaged(offset, _) | Wrong::Refused(offset, _)) = error.wrong else {
        return Err(io::Error::other("there is nothing to cut off"));
    };
    let mut file = disk.append(&error.path)?;
    file.truncate(offset)?;
    file.sync()
}

struct Replaying<'r> {
    engine: &'r Engine,
    executor: Executor<'r>,
    session: &'r mut Session,
}

impl Replay for Replaying<'_> {
    fn begin(&mut self, _bytes_total: u64) {}

    fn snapshot(&mut self, source: &mut Source) -> Result<SnapshotEnd, SnapshotError> {
        let mut bytes = Vec::new();
        let read = source.read_to_end(&mut bytes);
        read.map_err(|error| SnapshotError { offset: None, reason: error.to_string() })?;
        let len = self.snapshot_bytes(&bytes)?;
        source.give_back(&bytes[len..]);
        Ok(SnapshotEnd::Done)
    }

    fn commands(&mut self, commands: &[u8]) -> Result<(), Refused> {
        let limits = |_: &Session| Limits::authenticated(1 << 20);
        let mut parser = RequestParser::default();
        let mut done = 0;
        while done < commands.len() {
            let mut reply = Reply::new();
            let input = &commands[done..];
            let progress =
                self.executor.serve(self.session, &mut parser, limits, input, &mut reply);
            let text = reply.to_vec();
            if text.starts_with(b"-") || matches!(progress.state, Served::Broken(_)) {
                let reason = text.escape_ascii().to_string();
                return Err(Refused { offset: done, reason });
            }
            if progress.consumed == 0 {
                return Err(Refused { offset: done, reason: "it is not whole".to_owned() });
            }
            done += progress.consumed;
        }
        Ok(())
    }
}

impl Replaying<'_> {
    /// Loads a snapshot; how long it is.
    fn snapshot_bytes(&mut self, bytes: &[u8]) -> Result<usize, SnapshotError> {
        let mut reader = FileReader::new(bytes).map_err(|error| wrong(0, &error))?;
        let mut db = 0;
        loop {
            let record = reader.record().map_err(|error| wrong(reader.offset(), &error))?;
            match record {
                Record::Database(number) => {
                    db = number as usize;
                    if self.engine.keyspace.databases() <= db {
                        let reason = format!("there is no database {number}");
                        return Err(SnapshotError { offset: Some(reader.offset()), reason });
                    }
                }
                Record::End => break,
                Record::Entry(head) => {
                    let (settings, version) = (self.engine.settings(), reader.version());
                    let rules = Rules { version, limits: &settings.types, now_ms: 0 };
                    let value = reader.value(&head, &rules);
                    let value = value.map_err(|error| wrong(reader.offset(), &error))?;
                    let entry = value.into_entry(&head.key, head.deadline, 0);
                    self.engine.insert_loaded(db, entry, || {});
                }
                Record::Function(code) => {
                    let loader = Loader { engine: self.engine, host: &NoHost };
                    let loaded = self.engine.functions.load(loader, &code, Existing::Refuse);
                    loaded.map_err(|error| SnapshotError {
                        offset: None,
                        reason: error.text().into_owned(),
                    })?;
                }
                Record::Field(..) | Record::Sizes(..) | Record::SlotInfo(_) => {}
            }
        }
        Ok(reader.offset() as usize)
    }
}

fn wrong(offset: u64, error: &RdbError) -> SnapshotError {
    SnapshotError { offset: Some(offset), reason: error.to_string() }
}
