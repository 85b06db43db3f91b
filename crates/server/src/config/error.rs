//! What can go wrong with settings, in the words that operators and clients know.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::dialect::{Dialect, facts};
use super::file::Directive;
use super::value::{Reason, os_reason};

/// Why a CONFIG SET was refused; shown without the code that begins an error reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigError {
    Refused { name: String, reason: String },
    Unknown(String),
}

impl ConfigError {
    /// A refusal of one argument; the server makes one too when a change cannot be carried out.
    pub fn refused(name: &str, reason: Reason) -> Self {
        Self::Refused { name: name.to_owned(), reason: reason.into_owned() }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { name, reason } => write!(
                formatter,
                "CONFIG SET failed (possibly related to argument '{name}') - {reason}"
            ),
            Self::Unknown(name) => {
                write!(formatter, "Unknown option or number of arguments for CONFIG SET - '{name}'")
            }
        }
    }
}

impl Error for ConfigError {}

/// Why the server doesn't start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoadError {
    /// Goes to standard error as it is.
    Config(FatalError),
    /// Goes to the log.
    Unreadable { path: PathBuf, reason: String },
}

impl LoadError {
    pub(super) fn unreadable(path: &Path, error: &io::Error) -> Self {
        Self::Unreadable { path: path.to_owned(), reason: os_reason(error) }
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => error.fmt(formatter),
            Self::Unreadable { path, reason } => {
                let path = path.display();
                write!(formatter, "Fatal error, can't open config file '{path}': {reason}")
            }
        }
    }
}

impl Error for LoadError {}

/// A setting that stops the start, with its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FatalError {
    pub dialect: Dialect,
    /// Number and text of the line, when one line is to blame.
    pub line: Option<(usize, String)>,
    pub reason: String,
}

impl FatalError {
    pub(super) fn at(dialect: Dialect, directive: &Directive, reason: Reason) -> Self {
        let text = String::from_utf8_lossy(&directive.text).into_owned();
        Self { dialect, line: Some((directive.line, text)), reason: reason.into_owned() }
    }

    pub(super) fn whole(dialect: Dialect, reason: String) -> Self {
        Self { dialect, line: None, reason }
    }
}

impl fmt::Display for FatalError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = facts(self.dialect).version_in_errors;
        writeln!(formatter, "\n*** FATAL CONFIG FILE ERROR ({version}) ***")?;
        if let Some((number, text)) = &self.line {
            writeln!(formatter, "Reading the configuration file, at line {number}")?;
            writeln!(formatter, ">>> '{text}'")?;
        }
        writeln!(formatter, "{}", self.reason)
    }
}

impl Error for FatalError {}
