//! A cut as commands: a base of the append-only file without a snapshot (`aof-use-rdb-preamble no`).
//!
//! Each key is one RESTORE with its deadline, each library one FUNCTION LOAD. Replaying them gives the same data,
//! whatever the type, in as many commands as there are keys.

use super::file::Temporary;
use crate::disk::{Disk, Output};
use engine::cut::Cut;
use resp::encode_request;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use store::rdb::{Target, payload};
use store::{Entry, Fetched};

/// Bytes that gather before they are written.
const BUFFER_LEN: usize = 256 << 10;

/// A file of commands that is being written. It is removed unless it is finished.
pub struct CommandsFile {
    temporary: Temporary,
    output: Box<dyn Output>,
    buffer: Vec<u8>,
    target: Target,
    /// The database of the last entry.
    db: Option<usize>,
}

impl CommandsFile {
    /// Begins to write a cut to the file `temporary`, for those to read whom `target` names.
    ///
    /// # Errors
    /// As the disk says.
    pub fn create(
        disk: Arc<dyn Disk>,
        temporary: PathBuf,
        target: Target,
        cut: &Cut,
    ) -> io::Result<Self> {
        let output = disk.create(&temporary)?;
        let temporary = Temporary::new(disk, temporary);
        let mut buffer = Vec::with_capacity(BUFFER_LEN);
        for library in &cut.libraries {
            encode_request(&mut buffer, &[b"FUNCTION", &b"LOAD"[..], &library.code]);
        }
        Ok(Self { temporary, output, buffer, target, db: None })
    }

    /// Writes what a walk has fetched.
    ///
    /// # Errors
    /// As the disk says, or the target cannot hold a value.
    pub fn write(&mut self, fetched: &Fetched) -> io::Result<()> {
        for (db, entry) in &fetched.entries {
            self.entry(*db, entry)?;
            if BUFFER_LEN <= self.buffer.len() {
                self.write_out()?;
            }
        }
        Ok(())
    }

    /// Ends it when the walk is done, and forces it to disk; it keeps its temporary name. Returns how long it is.
    ///
    /// # Errors
    /// As the disk says.
    pub fn finish(mut self) -> io::Result<u64> {
        self.write_out()?;
        self.output.sync()?;
        let len = self.output.len()?;
        self.temporary.keep();
        Ok(len)
    }

    fn entry(&mut self, db: usize, entry: &Entry) -> io::Result<()> {
        if self.db.replace(db) != Some(db) {
            encode_request(&mut self.buffer, &["SELECT", &db.to_string()]);
        }
        let entry = entry.as_ref();
        let Some(payload) = payload::dump(entry, &self.target) else {
            let key = entry.key().escape_ascii();
            return Err(io::Error::other(format!("rdb-version is too old for the key '{key}'")));
        };
        let deadline = entry.deadline().unwrap_or(0).to_string();
        let words = [b"RESTORE", entry.key(), deadline.as_bytes(), &payload, b"ABSTTL"];
        encode_request(&mut self.buffer, &words);
        Ok(())
    }

    fn write_out(&mut self) -> io::Result<()> {
        self.output.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }
}
