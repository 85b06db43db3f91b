//! The manifest: which files the append-only file is made of, as Redis 7 writes it.
//!
//! ```text
//! file appendonly.aof.2.base.rdb seq 2 type b
//! file appendonly.aof.1.incr.aof seq 1 type h
//! file appendonly.aof.2.incr.aof seq 2 type i
//! ```
//!
//! One base (a snapshot, or commands), then the increments (commands) in their order. Files of the
//! history are not needed any more. Source: Redis, "Redis persistence", on the multi-part AOF.

use crate::disk::Disk;
use resp::{Quotes, Span, split_words};
use std::fmt::{self, Write as _};
use std::io::{self, Read};
use std::path::Path;

/// The longest line, in bytes.
const LINE_LEN_MAX: usize = 1024;
/// The longest manifest, in bytes.
const TEXT_LEN_MAX: u64 = 64 << 20;

/// What a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// All there was when it was made.
    Base,
    /// Replaced, to be removed.
    History,
    /// What changed since the file before it.
    Increment,
}

impl Role {
    fn letter(self) -> char {
        match self {
            Self::Base => 'b',
            Self::History => 'h',
            Self::Increment => 'i',
        }
    }
}

/// A file that the append-only file is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its name in the folder.
    pub name: String,
    /// Counted apart for bases and increments.
    pub sequence: u64,
}

impl Part {
    /// Whether its name says that it begins with a snapshot. Such a file is never empty; one of commands may be.
    pub fn is_snapshot(&self) -> bool {
        self.name.ends_with(".rdb")
    }
}

/// Which files the append-only file is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// All there was when it was made, if that was anything.
    pub base: Option<Part>,
    /// What changed since, in order.
    pub increments: Vec<Part>,
    /// To be removed: what was replaced.
    pub history: Vec<Part>,
}

/// What is wrong with a manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ManifestError {
    /// No file is named.
    Empty,
    /// A line that is none of a manifest, with its number from one.
    Line(usize),
    /// A second base, on this line.
    SecondBase(usize),
    /// The increment of this line does not follow the one before.
    Order(usize),
}

impl Manifest {
    /// Reads a manifest.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &[u8]) -> Result<Self, ManifestError> {
        let mut manifest = Self::default();
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        if text.is_empty() {
            return Err(ManifestError::Empty);
        }
        for (line, number) in text.split(|byte| *byte == b'\n').zip(1..) {
            if !line.starts_with(b"#") {
                manifest.read_line(line, number)?;
            }
        }
        if manifest == Self::default() { Err(ManifestError::Empty) } else { Ok(manifest) }
    }

    /// The bytes of a manifest's file.
    ///
    /// # Errors
    /// As the system says, and when no manifest is so long.
    pub fn read_text(disk: &dyn Disk, path: &Path) -> io::Result<Vec<u8>> {
        let mut text = Vec::new();
        disk.open(path)?.take(TEXT_LEN_MAX + 1).read_to_end(&mut text)?;
        if TEXT_LEN_MAX < text.len() as u64 {
            return Err(io::Error::other("too long for a manifest"));
        }
        Ok(text)
    }

    fn read_line(&mut self, line: &[u8], number: usize) -> Result<(), ManifestError> {
        let (role, part) = part_of_line(line).ok_or(ManifestError::Line(number))?;
        match role {
            Role::Base if self.base.is_some() => return Err(ManifestError::SecondBase(number)),
            Role::Base => self.base = Some(part),
            Role::History => self.history.push(part),
            Role::Increment => {
                let last = self.increments.last();
                if last.is_some_and(|last| part.sequence <= last.sequence) {
                    return Err(ManifestError::Order(number));
                }
                self.increments.push(part);
            }
        }
        Ok(())
    }

    /// How it is written.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let base = self.base.iter().map(|part| (Role::Base, part));
        let history = self.history.iter().map(|part| (Role::History, part));
        let increments = self.increments.iter().map(|part| (Role::Increment, part));
        for (role, part) in base.chain(history).chain(increments) {
            let (name, sequence) = (Quoted(&part.name), part.sequence);
            // Writing to a String cannot fail.
            let _ = writeln!(text, "file {name} seq {sequence} type {}", role.letter());
        }
        text
    }

    /// The base that comes next, of the append-only file called `name`.
    pub fn next_base(&self, name: &str, is_snapshot: bool) -> Part {
        let bases = self.history.iter().filter(|part| part.name.contains(".base."));
        let last = self.base.iter().chain(bases).map(|part| part.sequence).max();
        let sequence = last.unwrap_or(0) + 1;
        let ending = if is_snapshot { "rdb" } else { "aof" };
        Part { name: format!("{name}.{sequence}.base.{ending}"), sequence }
    }

    /// The increment that comes next, of the append-only file called `name`.
    pub fn next_increment(&self, name: &str) -> Part {
        let old = self.history.iter().filter(|part| part.name.contains(".incr."));
        let last = self.increments.iter().chain(old).map(|part| part.sequence).max();
        let sequence = last.unwrap_or(0) + 1;
        Part { name: format!("{name}.{sequence}.incr.aof"), sequence }
    }
}

/// `file NAME seq NUMBER type LETTER`; other pairs are left to those who know them.
fn part_of_line(line: &[u8]) -> Option<(Role, Part)> {
    if LINE_LEN_MAX < line.len() {
        return None;
    }
    let (mut bytes, mut spans) = (Vec::new(), Vec::new());
    split_words(line, Quotes::EndWords, &mut bytes, &mut spans).ok()?;
    let word = |span: &Span| &bytes[span.start..span.start + span.len];
    let (mut name, mut sequence, mut role) = (None, None, None);
    let (pairs, rest) = spans.as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    for [key, value] in pairs {
        let (key, value) = (word(key), word(value));
        match key.to_ascii_lowercase().as_slice() {
            b"file" => name = Some(String::from_utf8(value.to_vec()).ok()?),
            b"seq" => sequence = Some(base::numbers::parse_u64(value)?),
            b"type" => {
                role = Some(match value {
                    [b'b'] => Role::Base,
                    [b'h'] => Role::History,
                    [b'i'] => Role::Increment,
                    _ => return None,
                });
            }
            _ => {}
        }
    }
    let name = name.filter(|name| !name.is_empty() && !name.contains('/') && name != "..")?;
    let sequence = sequence.filter(|sequence| (1..u64::MAX).contains(sequence))?;
    Some((role?, Part { name, sequence }))
}

/// A name, in quotes if it would be read as something else without.
struct Quoted<'n>(&'n str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'' | b'\\');
        if self.0.bytes().all(is_plain) {
            return formatter.write_str(self.0);
        }
        formatter.write_char('"')?;
        for byte in self.0.bytes() {
            match byte {
                b'"' | b'\\' => write!(formatter, "\\{}", char::from(byte))?,
                b' '..=b'~' => formatter.write_char(char::from(byte))?,
                _ => write!(formatter, "\\x{byte:02x}")?,
            }
        }
        formatter.write_char('"')
    }
}

impl fmt::Display for ManifestError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => formatter.write_str("the manifest names no file"),
            Self::Line(line) => {
                write!(formatter, "line {line} of the manifest is none of a manifest")
            }
            Self::SecondBase(line) => {
                write!(formatter, "line {line} of the manifest names a second base")
            }
            Self::Order(line) => {
                write!(
                    formatter,
                    "the file on line {line} of the manifest does not follow the one before"
                )
            }
        }
    }
}

impl std::error::Error for ManifestError {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_manifest_as_others_write_it_is_read() {
        let text = b"# comment\n\
            file appendonly.aof.2.base.rdb seq 2 type b\n\
            file appendonly.aof.1.incr.aof seq 1 type h\n\
            file \"append only.aof.2.incr.aof\" seq 2 type i startoffset 0\n";
        let manifest = Manifest::parse(text).unwrap();
        assert_eq!(manifest.base.as_ref().unwrap().name, "appendonly.aof.2.base.rdb");
        assert_eq!(manifest.increments[0].name, "append only.aof.2.incr.aof");
        assert_eq!(manifest.next_base("a", true).name, "a.3.base.rdb");
        assert_eq!(manifest.next_increment("a").name, "a.3.incr.aof");
        assert_eq!(Manifest::default().next_base("a", false).name, "a.1.base.aof");
    }

    #[test]
    fn what_is_no_manifest_is_refused() {
        let error = |text: &str| Manifest::parse(text.as_bytes()).unwrap_err();
        assert_eq!(error(""), ManifestError::Empty);
        assert_eq!(error("# nothing\n"), ManifestError::Empty);
        let base = "file a seq 1 type b\n";
        for line in [
            "",
            "file",
            "file a",
            "file a seq 1",
            "file a seq x type b",
            "file a seq 0 type b",
            "file a seq 1 type x",
            "file ../a seq 1 type b",
            "file \"\" seq 1 type b",
            "file \"a seq 1 type b",
        ] {
            assert_eq!(error(&format!("{base}{line}\n\n")), ManifestError::Line(2), "{line}");
        }
        assert_eq!(error(&format!("{base}{base}")), ManifestError::SecondBase(2));
        let increment = "file a seq 1 type i\n";
        assert_eq!(error(&format!("{increment}{increment}")), ManifestError::Order(2));
    }

    fn part() -> impl Strategy<Value = Part> {
        ("[ -.0-~äß\u{1}]{1,20}", 1..u64::MAX).prop_map(|(name, sequence)| Part { name, sequence })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(
            base in proptest::option::of(part()),
            history in proptest::collection::vec(part(), 0..3),
            mut increments in proptest::collection::vec(part(), 1..3),
        ) {
            increments.sort_by_key(|part| part.sequence);
            increments.dedup_by_key(|part| part.sequence);
            let manifest = Manifest { base, increments, history };
            prop_assume!([&manifest.increments, &manifest.history]
                .into_iter().flatten().chain(&manifest.base).all(|part| part.name != ".."));
            prop_assert_eq!(Manifest::parse(manifest.text().as_bytes()), Ok(manifest));
        }

        #[test]
        fn anything_is_read_or_refused(text: Vec<u8>) {
            let _ = Manifest::parse(&text);
        }
    }
}
