//! `--check-aof`: looks through an append-only file, says up to where it is whole, and cuts off the rest.

use super::check;
use crate::config::value::os_reason;
use persist::aof::{Frames, Piece, Source, Unreadable};
use persist::disk::Disk;
use persist::manifest::{Manifest, Part, Role};
use std::io::{self, BufRead, Read, Write};
use std::path::{Path, PathBuf};

/// What is to be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// A manifest, or a file of commands, which may begin with a snapshot.
    pub path: PathBuf,
    pub mend: Mend,
}

/// What is done with what is not whole, or not wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mend {
    /// It stays.
    Nothing,
    /// Is cut off, once the user has said so.
    Tail,
    /// Whatever was recorded after this second is cut off.
    After(u64),
}

/// So much of a file is read to see whether it is a manifest.
const HEAD_LEN: u64 = 4096;

/// Looks through an append-only file and tells the user in `out`, who answers in `input`. Keys have expired
/// if their deadline is before `now_ms`. Whether all is well now.
///
/// # Errors
/// When the user cannot be told or asked.
pub fn check(
    disk: &dyn Disk,
    request: &Request,
    now_ms: u64,
    input: &mut dyn BufRead,
    out: &mut dyn Write,
) -> io::Result<bool> {
    let mut check = Check { disk, mend: request.mend, now_ms, input, out };
    let path = &request.path;
    match is_manifest(disk, path) {
        Ok(true) => check.manifest(path),
        Ok(false) => {
            writeln!(check.out, "Start checking Old-Style AOF")?;
            let file = File { path, name: &path.display().to_string(), role: None, is_last: true };
            check.file(&file)
        }
        Err(error) => {
            writeln!(check.out, "Cannot open file {}: {}", path.display(), os_reason(&error))?;
            Ok(false)
        }
    }
}

/// A damaged manifest is one by its name: it must not be cut off like a file of commands.
fn is_manifest(disk: &dyn Disk, path: &Path) -> io::Result<bool> {
    let mut head = Vec::new();
    disk.open(path)?.take(HEAD_LEN).read_to_end(&mut head)?;
    if path.extension().is_some_and(|extension| extension == "manifest") {
        return Ok(true);
    }
    let mut lines = head.split(|byte| *byte == b'\n');
    Ok(lines.find(|line| !line.starts_with(b"#")).is_some_and(|line| line.starts_with(b"file ")))
}

struct Check<'c> {
    disk: &'c dyn Disk,
    mend: Mend,
    now_ms: u64,
    input: &'c mut dyn BufRead,
    out: &'c mut dyn Write,
}

/// A file that is looked at.
struct File<'f> {
    path: &'f Path,
    /// As it is called to the user.
    name: &'f str,
    /// In the manifest that names it.
    role: Option<Role>,
    is_last: bool,
}

/// What was found in a file.
struct Found {
    len: u64,
    /// It is whole up to here.
    whole_len: u64,
    line: u64,
    /// What was recorded later than is wanted begins here.
    late_from: Option<u64>,
}

impl Check<'_> {
    /// All files that a manifest names.
    fn manifest(&mut self, path: &Path) -> io::Result<bool> {
        writeln!(self.out, "Start checking Multi Part AOF")?;
        let text = Manifest::read_text(self.disk, path).map_err(|error| os_reason(&error));
        let manifest =
            text.and_then(|text| Manifest::parse(&text).map_err(|error| error.to_string()));
        let manifest = match manifest {
            Ok(manifest) => manifest,
            Err(reason) => {
                writeln!(self.out, "Invalid manifest file {}: {reason}", path.display())?;
                return Ok(false);
            }
        };
        let folder = path.parent().unwrap_or_else(|| Path::new(""));
        let parts = manifest.base.iter().chain(&manifest.increments).count();
        for (index, part) in manifest.base.iter().enumerate() {
            let path = folder.join(&part.name);
            let is_snapshot = self.begins_with_snapshot(&path);
            let format = if is_snapshot.unwrap_or(false) { "RDB" } else { "RESP" };
            writeln!(self.out, "Start to check BASE AOF ({format} format).")?;
            if part.is_snapshot() && self.is_empty(&path) {
                writeln!(self.out, "AOF {} is empty, and is to be a snapshot", part.name)?;
                return Ok(false);
            }
            if !self.part(&path, part, Role::Base, index + 1 == parts)? {
                return Ok(false);
            }
        }
        if !manifest.increments.is_empty() {
            writeln!(self.out, "Start to check INCR files.")?;
        }
        let last = manifest.increments.last();
        for part in &manifest.increments {
            let is_last = last.is_some_and(|last| last == part);
            if !self.part(&folder.join(&part.name), part, Role::Increment, is_last)? {
                return Ok(false);
            }
        }
        writeln!(self.out, "All AOF files and manifest are valid")?;
        Ok(true)
    }

    fn part(&mut self, path: &Path, part: &Part, role: Role, is_last: bool) -> io::Result<bool> {
        self.file(&File { path, name: &part.name, role: Some(role), is_last })
    }

    /// A file; whether it is whole now.
    fn file(&mut self, file: &File<'_>) -> io::Result<bool> {
        let name = file.name;
        let source = self.disk.open(file.path).map(Source::new);
        let looked = source.and_then(|mut source| self.look(&mut source));
        let found = match looked {
            Ok(Some(found)) => found,
            Ok(None) => {
                writeln!(self.out, "RDB preamble of AOF file is not sane, aborting.")?;
                return Ok(false);
            }
            Err(error) => {
                writeln!(self.out, "Cannot open file {name}: {}", os_reason(&error))?;
                return Ok(false);
            }
        };
        if found.len == 0 {
            writeln!(self.out, "AOF {name} is empty")?;
            return Ok(true);
        }
        if let Mend::After(second) = self.mend {
            return self.cut_late(file, &found, second);
        }
        let Found { len, whole_len, line, .. } = found;
        let over = len - whole_len;
        writeln!(
            self.out,
            "AOF analyzed: filename={name}, size={len}, ok_up_to={whole_len}, ok_up_to_line={line}, diff={over}"
        )?;
        if over == 0 {
            return self.valid(file);
        }
        if self.mend == Mend::Nothing {
            writeln!(self.out, "AOF {name} is not valid. Use the --fix option to try fixing it.")?;
            return Ok(false);
        }
        if !file.is_last {
            writeln!(self.out, "Failed to truncate AOF {name} because it is not the last file")?;
            return Ok(false);
        }
        writeln!(
            self.out,
            "This will shrink the AOF {name} from {len} bytes, with {over} bytes, to {whole_len} bytes"
        )?;
        write!(self.out, "Continue? [y/N]: ")?;
        self.out.flush()?;
        let mut answer = String::new();
        self.input.read_line(&mut answer)?;
        if !answer.to_ascii_lowercase().starts_with('y') {
            writeln!(self.out, "Aborting...")?;
            return Ok(false);
        }
        self.cut(file, whole_len, "")
    }

    fn valid(&mut self, file: &File<'_>) -> io::Result<bool> {
        let kind = match file.role {
            None => "",
            Some(Role::Base) => "BASE ",
            Some(_) => "INCR ",
        };
        writeln!(self.out, "{kind}AOF {} is valid", file.name)?;
        Ok(true)
    }

    /// Cuts off what was recorded after a second.
    fn cut_late(&mut self, file: &File<'_>, found: &Found, second: u64) -> io::Result<bool> {
        let name = file.name;
        match found.late_from {
            None if found.whole_len < found.len => {
                writeln!(
                    self.out,
                    "AOF {name} is not valid. Use the --fix option to try fixing it."
                )?;
                Ok(false)
            }
            None => {
                writeln!(self.out, "Truncate nothing in AOF {name} to timestamp {second}")?;
                self.valid(file)
            }
            Some(0) => {
                writeln!(
                    self.out,
                    "AOF {name} has nothing before timestamp {second}, aborting..."
                )?;
                Ok(false)
            }
            Some(offset) if !file.is_last => {
                writeln!(
                    self.out,
                    "Failed to truncate AOF {name} to timestamp {second} to offset {offset} because it is not the \
                     last file.\nIf you insist, please delete all files after this file according to the manifest \
                     file and delete the corresponding records in manifest file manually. Then check it again."
                )?;
                Ok(false)
            }
            Some(offset) => self.cut(file, offset, &format!(" to timestamp {second}")),
        }
    }

    fn cut(&mut self, file: &File<'_>, len: u64, how: &str) -> io::Result<bool> {
        let cut = self.disk.append(file.path).and_then(|mut output| {
            output.truncate(len)?;
            output.sync()
        });
        if let Err(error) = cut {
            writeln!(self.out, "Failed to truncate AOF {}: {}", file.name, os_reason(&error))?;
            return Ok(false);
        }
        writeln!(self.out, "Successfully truncated AOF {}{how}", file.name)?;
        Ok(true)
    }

    fn is_empty(&self, path: &Path) -> bool {
        self.disk.open(path).and_then(|input| input.is_empty()).unwrap_or(false)
    }

    fn begins_with_snapshot(&self, path: &Path) -> io::Result<bool> {
        Source::new(self.disk.open(path)?).begins_with_snapshot()
    }

    /// Looks through a file; `None` if the snapshot that it begins with is damaged.
    fn look(&mut self, source: &mut Source) -> io::Result<Option<Found>> {
        let len = source.len()?;
        if source.begins_with_snapshot()? {
            writeln!(self.out, "[offset 0] Checking the RDB part")?;
            let (report, unread) = check::check_source(&mut *source, self.now_ms);
            write!(self.out, "{}", report.text)?;
            if !report.is_fine {
                return Ok(None);
            }
            source.give_back(&unread);
            writeln!(self.out, "RDB preamble is OK, proceeding with AOF tail...")?;
        }
        let mut frames = Frames::new(source);
        let mut late_from = None;
        let last_second = if let Mend::After(second) = self.mend { second } else { u64::MAX };
        let wrong = loop {
            let before = frames.offset();
            let second = match frames.next_piece() {
                Ok(Piece::Annotation(line)) => second_of(line),
                Ok(Piece::Commands { .. }) => None,
                Ok(Piece::End) => break None,
                Err(unreadable) => break Some(unreadable),
            };
            if second.is_some_and(|second| last_second < second) {
                late_from = Some(before);
                break None;
            }
        };
        let wrong = match wrong {
            None => None,
            Some(Unreadable::Damaged(offset, damage)) => Some((offset, damage.to_string())),
            Some(Unreadable::Truncated) if frames.is_in_transaction() => {
                Some((len, "Reached EOF before reading EXEC for MULTI".to_owned()))
            }
            Some(Unreadable::Truncated) => {
                Some((frames.offset(), "Unexpected end of file".to_owned()))
            }
            Some(Unreadable::Io(error)) => return Err(error),
        };
        if let Some((offset, reason)) = wrong {
            writeln!(self.out, "0x{offset:16x}: {reason}")?;
        }
        // Comments behind the last command are whole.
        let is_to_the_end = frames.offset() == len && !frames.is_in_transaction();
        let whole_len = if is_to_the_end { len } else { frames.whole_len() };
        Ok(Some(Found { len, whole_len, line: frames.line_number(), late_from }))
    }
}

/// The second that a comment names.
fn second_of(line: &[u8]) -> Option<u64> {
    base::numbers::parse_u64(line.strip_prefix(b"#TS:")?)
}
