//! All that an engine holds, as a snapshot that is written piece by piece.

use engine::Engine;
use persist::disk::{Disk, Output};
use std::io;
use std::path::Path;
use store::rdb::Version;
use store::rdb::file::{Clocks, FileWriter, Style, WriteError};

/// A snapshot on its way to a file.
pub struct Base {
    bytes: Vec<u8>,
    written: usize,
    file: Option<Box<dyn Output>>,
}

impl Base {
    /// Of an engine as it is now.
    ///
    /// # Panics
    /// When somebody else uses the engine.
    pub fn of(engine: &Engine) -> Self {
        let mut version = Version::FIELD_DEADLINES;
        let bytes = loop {
            match snapshot(engine, version) {
                Ok(bytes) => break bytes,
                Err(WriteError::Needs(newer)) => version = newer,
                Err(WriteError::Io(error)) => panic!("memory takes every byte: {error}"),
            }
        };
        Self { bytes, written: 0, file: None }
    }

    /// Writes up to `len` bytes more; whether it is all there, and safe.
    ///
    /// # Errors
    /// As the disk says.
    pub fn write(&mut self, disk: &dyn Disk, path: &Path, len: usize) -> io::Result<bool> {
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(disk.create(path)?),
        };
        let rest = &self.bytes[self.written..];
        let len = len.min(rest.len());
        file.write_all(&rest[..len])?;
        self.written += len;
        let is_all = self.written == self.bytes.len();
        if is_all {
            file.sync()?;
        }
        Ok(is_all)
    }
}

fn snapshot(engine: &Engine, version: Version) -> Result<Vec<u8>, WriteError> {
    let style = Style { version, compresses: true, has_checksum: true, clocks: Clocks::Ignored };
    let mut writer = FileWriter::new(Vec::new(), style)?;
    for library in engine.functions.libraries() {
        writer.function(&library.code)?;
    }
    let now_ns = engine.clock().now_ns();
    for db in 0..engine.keyspace.databases() {
        writer.database(db, 0, 0)?;
        for lock in engine.keyspace.locks() {
            let shard = lock.try_lock(now_ns).expect("nobody else uses the engine");
            let (mut cursor, mut written) = (0, Ok(()));
            loop {
                cursor = shard.data.database_ref(db).scan(cursor, 1 << 16, |entry| {
                    if written.is_ok() {
                        written = writer.entry(entry);
                    }
                });
                if cursor == 0 || written.is_err() {
                    break;
                }
            }
            written?;
        }
    }
    Ok(writer.finish()?)
}
