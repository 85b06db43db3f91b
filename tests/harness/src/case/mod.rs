//! Case files: requests and the replies that are right, as plain text. `tests/cases/README.md` has
//! the notation.

pub mod parse;
pub mod pattern;
pub mod record;
pub mod run;

use std::path::{Path, PathBuf};

use crate::frame::Protocol;
use crate::target::version::{Identity, Selector};
use pattern::Pattern;

/// One case file.
#[derive(Debug)]
pub struct CaseFile {
    pub path: PathBuf,
    pub text: String,
    pub blocks: Vec<Block>,
}

/// One case: it begins with an empty keyspace and fresh connections.
#[derive(Clone, Debug, Default)]
pub struct Block {
    /// Its first line in the file, from 1.
    pub line: usize,
    /// Empty: every server.
    pub selectors: Vec<Selector>,
    /// Only this protocol.
    pub protocol: Option<Protocol>,
    /// Settings that hold during the block: name, value.
    pub config: Vec<(String, String)>,
    /// Commands of families that a server may lack as a whole.
    pub needs: Vec<String>,
    /// Whether it needs real sockets.
    pub needs_socket: bool,
    pub steps: Vec<Step>,
}

/// One request, or one wait for a reply, with what is expected.
#[derive(Clone, Debug)]
pub struct Step {
    pub line: usize,
    pub connection: String,
    pub action: Action,
    /// The lines of the expectation: first and one past the last, from 1.
    pub expected_lines: (usize, usize),
    pub resp2: Option<Vec<Pattern>>,
    pub resp3: Option<Vec<Pattern>>,
    /// Under this name later requests find the reply's text.
    pub capture: Option<String>,
}

#[derive(Clone, Debug)]
pub enum Action {
    Call(Vec<Vec<u8>>),
    /// Bytes as they are.
    Raw(Vec<u8>),
    /// Read one more reply, a push for instance.
    Read,
    /// Repeat the call until the reply is right.
    Until(Vec<Vec<u8>>),
}

impl Block {
    pub fn holds_for(&self, identity: &Identity) -> bool {
        self.selectors.is_empty() || self.selectors.iter().any(|one| one.holds_for(identity))
    }

    pub fn protocols(&self) -> Vec<Protocol> {
        match self.protocol {
            Some(protocol) => vec![protocol],
            None => vec![Protocol::Resp2, Protocol::Resp3],
        }
    }
}

impl Step {
    pub fn expected(&self, protocol: Protocol) -> Option<&[Pattern]> {
        match protocol {
            Protocol::Resp2 => self.resp2.as_deref(),
            Protocol::Resp3 => self.resp3.as_deref(),
        }
    }
}

/// Every case file below a folder whose path contains `filter`, in order of their paths.
///
/// # Errors
/// When a file cannot be read or is no case file.
pub fn read_folder(folder: &Path, filter: &str) -> Result<Vec<CaseFile>, String> {
    let mut paths = Vec::new();
    collect(folder, &mut paths)?;
    paths.sort();
    paths.retain(|path| path.to_string_lossy().contains(filter));
    paths.iter().map(|path| CaseFile::read(path)).collect()
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) -> Result<(), String> {
    let fail = |error: std::io::Error| format!("{}: {error}", folder.display());
    for entry in std::fs::read_dir(folder).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        if path.is_dir() {
            collect(&path, paths)?;
        } else if path.extension().is_some_and(|end| end == "case") {
            paths.push(path);
        }
    }
    Ok(())
}
