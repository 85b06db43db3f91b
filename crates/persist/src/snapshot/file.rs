//! The file of a snapshot: written under a temporary name, forced to disk, and then put in its place.

use super::writer::{Origin, SnapshotWriter};
use crate::disk::{Disk, Output};
use engine::cut::Cut;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use store::Fetched;
use store::rdb::file::{Style, WriteError};

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

    /// Ends the snapshot when the walk is done, and forces it to disk; it keeps its temporary name. Returns
    /// how long it is.
    ///
    /// # Errors
    /// As the disk says.
    pub fn finish(self) -> io::Result<u64> {
        let Self { mut temporary, writer } = self;
        let mut output = writer.finish()?;
        output.sync()?;
        let len = output.len()?;
        temporary.keep();
        Ok(len)
    }

    /// As [`SnapshotFile::finish`], under the name `path`, in place of any file that has it.
    ///
    /// # Errors
    /// As the disk says.
    pub fn finish_as(self, path: &Path) -> io::Result<u64> {
        let Self { mut temporary, writer } = self;
        let mut output = writer.finish()?;
        output.sync()?;
        let len = output.len()?;
        drop(output);
        temporary.disk.rename(&temporary.path, path)?;
        temporary.keep();
        temporary.disk.sync_folder(path.parent().unwrap_or_else(|| Path::new("")))?;
        Ok(len)
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
