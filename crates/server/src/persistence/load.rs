//! The data that is loaded at the start: the append-only file if one is kept, or the snapshot.
//!
//! Who turns `appendonly` on over a snapshot has that loaded, and the append-only file begins with it; Redis
//! would begin with nothing. Until all is there and the append-only file is open, clients hear -LOADING.

pub(super) mod journal;
pub(super) mod snapshot;

use super::append_only;
use super::save::Unwritten;
use crate::config::Settings;
use crate::log;
use crate::server::Server;
use persist::aof;
use persist::manifest::Manifest;
use snapshot::Expired;
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::Ordering::Relaxed;

/// Why the data was not loaded.
#[derive(Debug)]
pub enum LoadError {
    /// The append-only file.
    Journal(aof::LoadError),
    /// The append-only file was loaded, and cannot be written.
    Open(Unwritten),
    /// The snapshot.
    Snapshot(snapshot::LoadError),
}

/// How loading has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Done,
    /// The server is to end first.
    Interrupted,
}

/// What was loaded.
enum Loaded {
    /// Not all, because the server is to end.
    Interrupted,
    /// The append-only file.
    Journal(Manifest),
    /// No data.
    Nothing,
    /// The snapshot of this path.
    Snapshot(PathBuf),
}

/// Loads what the settings name, and opens the append-only file if one is kept.
///
/// # Errors
/// What is wrong with which file; the files are as they were.
pub fn load(server: &Server, settings: &Settings) -> Result<(), LoadError> {
    let loaded = match load_journal(server, settings)? {
        Some(loaded) => loaded,
        None => {
            let path = settings.dir.join(&settings.dbfilename);
            match snapshot::load(server, &path, Expired::Dropped).map_err(LoadError::Snapshot)? {
                Some(End::Done) => Loaded::Snapshot(path),
                Some(End::Interrupted) => Loaded::Interrupted,
                None => Loaded::Nothing,
            }
        }
    };
    if let Loaded::Interrupted = loaded {
        // What is there is not all, so nothing may be done with it until the end.
        return Ok(());
    }
    // It may have been switched meanwhile.
    let settings = server.host.settings();
    if settings.appendonly {
        if let Loaded::Snapshot(path) = &loaded {
            log::notice(format_args!(
                "There is no append only file yet: it begins with the snapshot '{}'",
                path.display()
            ));
        }
        let manifest = match loaded {
            Loaded::Journal(manifest) => Some(manifest),
            _ => None,
        };
        append_only::open(server, &settings, manifest).map_err(LoadError::Open)?;
    }
    server.engine.loading.end();
    Ok(())
}

/// Loads the append-only file, if one is to be kept and there is one.
fn load_journal(server: &Server, settings: &Settings) -> Result<Option<Loaded>, LoadError> {
    if !settings.appendonly {
        return Ok(None);
    }
    let loaded = journal::load(server, settings).map_err(LoadError::Journal)?;
    Ok(match loaded.found {
        aof::Found::All => Some(Loaded::Journal(loaded.manifest)),
        aof::Found::Nothing => None,
        aof::Found::Part => Some(Loaded::Interrupted),
    })
}

/// Says that a snapshot was read.
fn tell_done(server: &Server) {
    let loading = &server.engine.loading;
    log::notice(format_args!(
        "Done loading RDB, keys loaded: {}, keys expired: {}.",
        loading.keys_loaded.load(Relaxed),
        loading.keys_expired.load(Relaxed),
    ));
}

impl fmt::Display for LoadError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Journal(error) => error.fmt(formatter),
            Self::Open(error) => write!(formatter, "Can't open the append-only file: {error}"),
            Self::Snapshot(error) => error.fmt(formatter),
        }
    }
}
