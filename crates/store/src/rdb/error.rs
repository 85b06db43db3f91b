//! What can be wrong with bytes that claim to be a value.

use std::fmt;
use std::io;

/// Why bytes were not understood.
#[derive(Debug)]
pub enum RdbError {
    /// The checksum is another one.
    Checksum {
        /// The one that was stored.
        expected: u64,
        /// The one of the bytes.
        found: u64,
    },
    /// What follows is not what it should be.
    Corrupt(&'static str),
    /// A collection without elements.
    Empty,
    /// The source failed.
    Io(io::Error),
    /// Data of a module.
    Module(Box<str>),
    /// The bytes end too early.
    Truncated,
    /// A type code that this version does not have.
    UnknownType(u8),
    /// Written by a version that is too new, or by nobody.
    Version(u32),
}

impl From<io::Error> for RdbError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Truncated,
            _ => Self::Io(error),
        }
    }
}

impl fmt::Display for RdbError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Checksum { expected, found } => {
                write!(formatter, "wrong checksum: expected {expected:016x}, found {found:016x}")
            }
            Self::Corrupt(what) => write!(formatter, "corrupt data: {what}"),
            Self::Empty => write!(formatter, "a collection without elements"),
            Self::Io(error) => error.fmt(formatter),
            Self::Module(name) => write!(formatter, "data of the module '{name}'"),
            Self::Truncated => write!(formatter, "unexpected end"),
            Self::UnknownType(code) => write!(formatter, "unknown type of value {code}"),
            Self::Version(version) => write!(formatter, "RDB version {version} is not known"),
        }
    }
}

impl std::error::Error for RdbError {}
