//! The append-only file: a base with all there was, and increments with the changes since.
//!
//! ```text
//! dir/appendonlydir/appendonly.aof.manifest
//!                   appendonly.aof.2.base.rdb     a snapshot, or commands, or both
//!                   appendonly.aof.2.incr.aof     commands
//! ```
//!
//! Commands are requests as a client would send them. Lines that begin with `#` say something about what
//! follows: `#TS:` and a time.

mod adopt;
mod frames;
mod source;

pub mod load;
pub mod writer;

pub use frames::{Damage, Frames, Piece, Unreadable};
pub use load::{
    Found, LoadError, Loaded, Refused, Replay, SnapshotEnd, SnapshotError, Wrong, load,
};
pub use source::Source;

use crate::disk::Disk;
use crate::manifest::Manifest;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Where an append-only file lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The folder of all its files (`appenddirname`).
    pub folder: PathBuf,
    /// What their names begin with (`appendfilename`).
    pub name: String,
}

impl Place {
    /// The manifest's path.
    pub fn manifest(&self) -> PathBuf {
        self.folder.join(format!("{}.manifest", self.name))
    }

    /// The path of one of its files.
    pub fn part(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Where a base is written before it has its name.
    pub fn new_base(&self) -> PathBuf {
        self.folder.join(format!("temp-{}.base", self.name))
    }

    fn new_manifest(&self) -> PathBuf {
        self.folder.join(format!("temp-{}.manifest", self.name))
    }

    /// The one file that older servers wrote.
    fn old(&self) -> PathBuf {
        self.above().join(&self.name)
    }

    /// Writes what is to take the manifest's place, and makes it safe from a crash. Files that come into
    /// the folder before it does are then known for what they are: not named yet.
    fn prepare_manifest(&self, disk: &dyn Disk, manifest: &Manifest) -> io::Result<()> {
        let mut file = disk.create(&self.new_manifest())?;
        file.write_all(manifest.text().as_bytes())?;
        file.sync()?;
        disk.sync_folder(&self.folder)
    }

    fn above(&self) -> &Path {
        self.folder.parent().unwrap_or_else(|| Path::new(""))
    }
}

/// A comment that says when the commands behind it were made (`aof-timestamp-enabled`), in Unix seconds.
pub fn annotation(seconds: u64) -> String {
    format!("#TS:{seconds}\r\n")
}
