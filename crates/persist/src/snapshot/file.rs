//! The file of a snapshot: written under a temporary name, forced to disk, and then put in its place.

use super::writer::{Origin, SnapshotWriter};
use crate::disk::{Disk, Output};
use engine::cut::Cut;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use store::rdb::file::{Style, WriteError};
use store::{EntryRef, Fetched};

/// A snapshot that is being written. Its file is removed unless it is finished.
pub struct SnapshotFile {
    temporary: Temporary,
    writer: SnapshotWriter<Box<dyn Output>>,
}

/// A file that goes away with this.
pub(super) struct Temporary {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    is_kept: bool,
}

impl SnapshotFile {
    /// Begins to write a cut to the file `temporary`.
    ///
    /// # Errors
    /// As the disk says, or the version of `style` cannot hold what belongs to the cut.
    pub fn create(
        disk: Arc<dyn Disk>,
        temporary: PathBuf,
        style: Style,
        origin: Origin,
        cut: &Cut,
    ) -> Result<Self, WriteError> {
        let output = disk.create(&temporary)?;
        let temporary = Temporary::new(disk, temporary);
        let writer = SnapshotWriter::new(output, style, origin, cut)?;
        Ok(Self { temporary, writer })
    }

    /// Writes what a walk has fetched.
    ///
    /// # Errors
    /// As the disk says, or a value needs another version.
    pub fn write(&mut self, fetched: &Fetched) -> Result<(), WriteError> {
        self.writer.write(fetched)
    }

    /// Writes one entry of a database.
    ///
    /// # Errors
    /// As the disk says, or the value needs another version.
    pub fn entry(&mut self, db: usize, entry: EntryRef<'_>) -> Result<(), WriteError> {
        self.writer.entry(db, entry)
    }

    /// Ends the snapshot when the walk is done, and forces it to disk.
    ///
    /// # Errors
    /// As the disk says.
    pub fn finish(self) -> io::Result<FinishedSnapshot> {
        let Self { temporary, writer } = self;
        let mut output = writer.finish()?;
        output.sync()?;
        let len = output.len()?;
        Ok(FinishedSnapshot { temporary, len })
    }
}

/// A snapshot that is whole and on disk under its temporary name. It is removed unless it is kept.
pub struct FinishedSnapshot {
    temporary: Temporary,
    len: u64,
}

impl FinishedSnapshot {
    /// Leaves it under its temporary name; whoever gives it another syncs the folder. Returns how long it is.
    pub fn keep(mut self) -> u64 {
        self.temporary.keep();
        self.len
    }

    /// Gives it the name `path`, in place of any file that has it. Returns how long it is.
    ///
    /// # Errors
    /// As the disk says.
    pub fn place(mut self, path: &Path) -> io::Result<u64> {
        let disk = Arc::clone(&self.temporary.disk);
        disk.rename(&self.temporary.path, path)?;
        self.temporary.keep();
        disk.sync_folder(path.parent().unwrap_or_else(|| Path::new("")))?;
        Ok(self.len)
    }
}

impl Temporary {
    pub(super) fn new(disk: Arc<dyn Disk>, path: PathBuf) -> Self {
        Self { disk, path, is_kept: false }
    }

    pub(super) fn keep(&mut self) {
        self.is_kept = true;
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.is_kept {
            // Whatever is wrong with it has been said by what failed before.
            let _ = self.disk.remove(&self.path);
        }
    }
}
