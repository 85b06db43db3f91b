//! A snapshot that is written: header, fields, libraries, databases with their entries, checksum.

use std::io::{self, Write};

use super::super::value::{plan, write};
use super::super::{Family, Target, Version, Writer};
use super::opcode;
use super::summed::SummedSink;
use crate::layout::entry::EntryRef;

/// What a snapshot is like.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// Who must be able to read it.
    pub version: Version,
    /// Whether strings are compressed.
    pub compresses: bool,
    /// Whether it ends with a checksum.
    pub has_checksum: bool,
    /// What access clocks hold, if it is to be kept.
    pub clocks: Clocks,
}

/// What the access clocks of entries hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clocks {
    /// Nothing that is worth keeping.
    Ignored,
    /// How often entries are used, in their lowest byte.
    Frequencies,
    /// When entries were used last, in sixteenths of a second; this is the time now.
    Times(u32),
}

/// Why a snapshot cannot be written.
#[derive(Debug)]
pub enum WriteError {
    /// The sink failed.
    Io(io::Error),
    /// A value can only be read by this version. Begin again with it.
    Needs(Version),
}

impl From<io::Error> for WriteError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Writes a snapshot.
pub struct FileWriter<W: Write> {
    writer: Writer<SummedSink<W>>,
    style: Style,
}

impl<W: Write> FileWriter<W> {
    /// Begins a snapshot.
    pub fn new(sink: W, style: Style) -> io::Result<Self> {
        let mut writer = Writer::new(SummedSink::new(sink, style.has_checksum), style.compresses);
        let number = style.version.number();
        let magic = match style.version.family() {
            Family::Redis => format!("REDIS{number:04}"),
            Family::Valkey => format!("VALKEY{number:03}"),
        };
        writer.bytes(magic.as_bytes())?;
        Ok(Self { writer, style })
    }

    /// A field: a name and what there is to say of it.
    pub fn field(&mut self, name: &str, value: &[u8]) -> io::Result<()> {
        self.writer.bytes(&[opcode::AUX])?;
        self.writer.string(name.as_bytes())?;
        self.writer.string(value)
    }

    /// A library of functions; they come before the databases.
    pub fn function(&mut self, code: &[u8]) -> io::Result<()> {
        self.writer.bytes(&[opcode::FUNCTION])?;
        self.writer.string(code)
    }

    /// The entries that come are in this database: so many, and so many of them with a deadline.
    pub fn database(&mut self, db: usize, len: usize, volatile_len: usize) -> io::Result<()> {
        self.writer.bytes(&[opcode::DATABASE])?;
        self.writer.count(db)?;
        self.writer.bytes(&[opcode::SIZES])?;
        self.writer.count(len)?;
        self.writer.count(volatile_len)
    }

    /// The entries that come are in this database, of which the sizes were told already.
    pub fn again(&mut self, db: usize) -> io::Result<()> {
        self.writer.bytes(&[opcode::DATABASE])?;
        self.writer.count(db)
    }

    /// An entry.
    pub fn entry(&mut self, entry: EntryRef<'_>) -> Result<(), WriteError> {
        let any = Target { family: self.style.version.family(), version: None, compresses: true };
        // Nothing is left out of a snapshot: rather it is one that fewer can read.
        let plan = match plan(entry, &any) {
            Some(plan) if self.target().has(plan.version) => plan,
            Some(plan) => return Err(WriteError::Needs(plan.version)),
            None => return Err(WriteError::Needs(Version::STREAM_NACKS)),
        };
        if let Some(deadline) = entry.deadline() {
            self.writer.bytes(&[opcode::DEADLINE_MS])?;
            self.writer.milliseconds(deadline)?;
        }
        match self.style.clocks {
            Clocks::Ignored => {}
            Clocks::Frequencies => {
                self.writer.bytes(&[opcode::FREQUENCY, entry.access_clock() as u8])?;
            }
            Clocks::Times(now) => {
                let idle = now.wrapping_sub(entry.access_clock()) & 0x00ff_ffff;
                self.writer.bytes(&[opcode::IDLE])?;
                self.writer.length(u64::from(idle / 16))?;
            }
        }
        self.writer.bytes(&[plan.type_code.code()])?;
        self.writer.string(entry.key())?;
        write(&mut self.writer, entry, plan.type_code)?;
        Ok(())
    }

    /// Ends the snapshot; the sink has all of it.
    pub fn finish(mut self) -> io::Result<W> {
        self.writer.bytes(&[opcode::END])?;
        let checksum = self.writer.sink().checksum()?;
        self.writer.bytes(&checksum.to_le_bytes())?;
        self.writer.into_sink().into_sink()
    }

    /// How many bytes were written.
    pub fn len(&mut self) -> u64 {
        self.writer.sink().len()
    }

    /// Whether nothing was written; there is a header at least.
    pub fn is_empty(&mut self) -> bool {
        self.len() == 0
    }

    fn target(&self) -> Target {
        let Style { version, compresses, .. } = self.style;
        Target { family: version.family(), version: Some(version), compresses }
    }
}
