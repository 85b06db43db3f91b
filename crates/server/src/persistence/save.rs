//! A snapshot that is written by whoever wants it, with everything held; and what all files of a cut are like.

use crate::config::Settings;
use crate::config::value::os_reason;
use crate::host::ServerHost;
use engine::Engine;
use engine::cut::{Cut, Purpose};
use engine::data::Data;
use persist::snapshot::{Origin, SnapshotFile, oldest_version};
use std::fmt;
use std::io;
use std::path::PathBuf;
use store::Database;
use store::rdb::file::{Clocks, Style, WriteError};

/// Entries that are visited in one step of the walk.
const ENTRIES_PER_STEP: usize = 1 << 12;

/// Writes everything to the file that the settings name. The caller stands alone behind the gate and stays
/// there, so it needs no cut, and one may be on its way.
pub fn save_alone(engine: &Engine, data: &mut Data<'_>, host: &ServerHost) -> Result<(), String> {
    let settings = host.settings();
    let moment = engine.moment(data, Purpose::Snapshot);
    let temporary = settings.dir.join(format!("temp-{}.rdb", std::process::id()));
    let created = create(host, &settings, &moment, temporary, false);
    let written = created.and_then(|mut file| {
        let shards = data.keyspace().locks().len() as u32;
        for (db, sizes) in moment.databases.iter().enumerate() {
            for index in (0..shards).filter(|_| sizes.keys != 0) {
                let database = data.shard_at(index).data.database_ref(db);
                write_part(database, db, &mut file)?;
            }
        }
        file.finish()?.place(&settings.dir.join(&settings.dbfilename))?;
        Ok(())
    });
    if written.is_ok() {
        host.snapshots.saved(engine, &moment);
    }
    written.map_err(|error| Unwritten::from(error).to_string())
}

fn write_part(database: &Database, db: usize, file: &mut SnapshotFile) -> Result<(), WriteError> {
    let (mut cursor, mut written) = (0, Ok(()));
    loop {
        cursor = database.scan(cursor, ENTRIES_PER_STEP, |entry| {
            if written.is_ok() {
                written = file.entry(db, entry);
            }
        });
        if cursor == 0 || written.is_err() {
            return written;
        }
    }
}

/// Begins the file of a snapshot, or of a base of the append-only file that is one, under a temporary name.
pub fn create(
    host: &ServerHost,
    settings: &Settings,
    cut: &Cut,
    temporary: PathBuf,
    is_journal_base: bool,
) -> Result<SnapshotFile, WriteError> {
    let origin = Origin { dialect: settings.dialect, is_journal_base };
    let style = style(settings, cut);
    let in_steps = if is_journal_base {
        settings.aof_rewrite_incremental_fsync
    } else {
        settings.rdb_save_incremental_fsync
    };
    let disk = host.disk_for_cuts(in_steps);
    SnapshotFile::create(disk, temporary, style, origin, cut)
}

fn style(settings: &Settings, cut: &Cut) -> Style {
    let clocks = if settings.maxmemory_policy.is_lfu() {
        Clocks::Frequencies
    } else if settings.maxmemory != 0 {
        Clocks::Times(cut.access_clock)
    } else {
        Clocks::Ignored
    };
    Style {
        version: settings.rdb_version.unwrap_or_else(|| oldest_version(cut, settings.dialect)),
        compresses: settings.rdbcompression,
        has_checksum: settings.rdbchecksum,
        clocks,
    }
}

/// Why a cut was not written.
#[derive(Debug)]
pub enum Unwritten {
    /// It was given up.
    Cancelled,
    Failed(WriteError),
}

impl From<WriteError> for Unwritten {
    fn from(error: WriteError) -> Self {
        Self::Failed(error)
    }
}

impl From<io::Error> for Unwritten {
    fn from(error: io::Error) -> Self {
        Self::Failed(error.into())
    }
}

impl fmt::Display for Unwritten {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancelled => formatter.write_str("it was given up"),
            Self::Failed(WriteError::Io(error)) => formatter.write_str(&os_reason(error)),
            Self::Failed(WriteError::Needs(version)) => {
                let version = version.number();
                write!(
                    formatter,
                    "the data needs version {version} of the format, and rdb-version is older"
                )
            }
        }
    }
}
