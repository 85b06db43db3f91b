//! A cut as a snapshot file: the header and what belongs to the whole, then entries as a walk fetches them.
//!
//! A walk goes shard by shard, and old forms come in between, so the entries of a database stand in several
//! places of the file, each behind the number of its database. All readers take that; the sizes of a database,
//! by which they reserve memory, stand where it comes first.

use engine::cut::{Cut, CutSizes};
use engine::dialect::Dialect;
use std::io::{self, Write};
use store::rdb::Version;
use store::rdb::file::{FileWriter, Style, WriteError};
use store::{EntryRef, Fetched};

/// What a snapshot says of itself beside its data.
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    pub dialect: Dialect,
    /// It begins an append-only file.
    pub is_journal_base: bool,
}

/// Writes a cut into a sink.
pub struct SnapshotWriter<W: Write> {
    file: FileWriter<W>,
    /// The database of the last entry.
    db: Option<usize>,
    /// Sizes of databases that have not come yet.
    sizes: Vec<Option<CutSizes>>,
}

/// The oldest version that can hold what belongs to a cut, as far as it can be told without looking at every
/// value.
pub fn oldest_version(cut: &Cut, dialect: Dialect) -> Version {
    let has_timed_fields = cut.databases.iter().any(|sizes| sizes.timed_hashes != 0);
    match (has_timed_fields, dialect) {
        // Only Redis has these streams, and it has all the rest.
        _ if Version::STREAM_COUNTS < cut.stream_version => cut.stream_version,
        (false, _) => Version::STREAM_COUNTS,
        (true, Dialect::Redis) => Version::FIELD_DEADLINES,
        (true, Dialect::Valkey) => Version::VALKEY,
    }
}

impl<W: Write> SnapshotWriter<W> {
    /// Begins a snapshot.
    ///
    /// # Errors
    /// The sink fails, or the version of `style` cannot hold what belongs to the cut.
    pub fn new(sink: W, style: Style, origin: Origin, cut: &Cut) -> Result<Self, WriteError> {
        if !cut.libraries.is_empty() && style.version < Version::FUNCTIONS {
            return Err(WriteError::Needs(Version::FUNCTIONS));
        }
        let mut file = FileWriter::new(sink, style)?;
        let differences = origin.dialect.differences();
        let number = |number: u64| number.to_string().into_bytes();
        match differences.valkey_version {
            Some(version) => file.field("valkey-ver", version.as_bytes())?,
            None => file.field("redis-ver", differences.redis_version.as_bytes())?,
        }
        file.field("redis-bits", b"64")?;
        file.field("ctime", &number(cut.at_ms / 1000))?;
        file.field("used-mem", &number(cut.memory_bytes as u64))?;
        file.field("aof-base", if origin.is_journal_base { b"1" } else { b"0" })?;
        cut.libraries.iter().try_for_each(|library| file.function(&library.code))?;
        let sizes = cut.databases.iter().copied().map(Some).collect();
        Ok(Self { file, db: None, sizes })
    }

    /// Writes what a walk has fetched.
    ///
    /// # Errors
    /// The sink fails, or a value needs another version.
    pub fn write(&mut self, fetched: &Fetched) -> Result<(), WriteError> {
        fetched.entries.iter().try_for_each(|(db, entry)| self.entry(*db, entry.as_ref()))
    }

    /// Writes one entry of a database.
    ///
    /// # Errors
    /// The sink fails, or the value needs another version.
    pub fn entry(&mut self, db: usize, entry: EntryRef<'_>) -> Result<(), WriteError> {
        if self.db != Some(db) {
            self.db = Some(db);
            match self.sizes.get_mut(db).and_then(Option::take) {
                Some(sizes) => self.file.database(db, sizes.keys, sizes.volatile)?,
                None => self.file.again(db)?,
            }
        }
        self.file.entry(entry)
    }

    /// Ends the snapshot when the walk is done; the sink has all of it.
    ///
    /// # Errors
    /// The sink fails.
    pub fn finish(self) -> io::Result<W> {
        self.file.finish()
    }

    /// How many bytes were written.
    pub fn bytes_written(&mut self) -> u64 {
        self.file.len()
    }
}
