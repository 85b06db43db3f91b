//! The append-only file: a base with all there was, and increments with the changes since.

pub mod writer;

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

    fn above(&self) -> &Path {
        self.folder.parent().unwrap_or_else(|| Path::new(""))
    }
}

/// A comment that says when the commands behind it were made (`aof-timestamp-enabled`), in Unix seconds.
pub fn annotation(seconds: u64) -> String {
    format!("#TS:{seconds}\r\n")
}
