//! The way back: base and increments are read in their order and replayed.
//!
//! Only the last file may have lost its tail, and only a tail is ever left out: a file before the last that
//! ends too early, damage in the middle, a snapshot that is not whole, files that the manifest names and that
//! are not there, and increments that no manifest names stop the load. The files are as they were then.

use super::Place;
use super::adopt::{Adopted, adopt, exists};
use super::frames::{Damage, Frames, Piece, Unreadable};
use super::source::Source;
use crate::disk::Disk;
use crate::manifest::{Manifest, ManifestError, Part, Role};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// What is done with what is read.
pub trait Replay {
    /// There are files with so many bytes in all.
    fn begin(&mut self, bytes_total: u64);

    /// A file comes.
    fn begin_file(&mut self, _role: Role, _name: &str) {}

    /// All of that file was replayed.
    fn end_file(&mut self, _role: Role, _name: &str) {}

    /// A snapshot comes, at the beginning of a file. What is read beyond its end is to be given back.
    ///
    /// # Errors
    /// What is wrong with it.
    fn snapshot(&mut self, source: &mut Source) -> Result<SnapshotEnd, SnapshotError>;

    /// Whole commands come, one behind the other. A transaction that is open at the end of the file is not to
    /// be applied.
    ///
    /// # Errors
    /// Which of them was refused, and why.
    fn commands(&mut self, commands: &[u8]) -> Result<(), Refused>;

    /// So many bytes were read in all; whether it is to go on.
    fn goes_on(&mut self, _bytes_read: u64) -> bool {
        true
    }

    /// The last file has lost its tail and was cut to so many bytes.
    fn repaired(&mut self, _name: &str, _len: u64) {}

    /// The one file of older servers was moved into the folder.
    fn adopted(&mut self, _place: &Place) {}
}

/// How reading a snapshot has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotEnd {
    /// All of it was read.
    Done,
    /// It is not to go on.
    Interrupted,
}

/// What is wrong with a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotError {
    /// Where, if that is known.
    pub offset: Option<u64>,
    /// What.
    pub reason: String,
}

/// A command that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Where it begins in what was handed over.
    pub offset: usize,
    /// Why.
    pub reason: String,
}

/// What was loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// How it ended.
    pub found: Found,
    /// The files there are.
    pub manifest: Manifest,
    /// How long the base is.
    pub base_len: u64,
    /// How long all files are, but for those of the history.
    pub len: u64,
}

/// What there was to be loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// An append-only file, and it was loaded.
    All,
    /// An append-only file, and loading was interrupted.
    Part,
    /// No append-only file.
    Nothing,
}

/// Why nothing, or not all, was loaded.
#[derive(Debug)]
pub struct LoadError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub wrong: Wrong,
}

/// What is wrong with a file.
#[derive(Debug)]
pub enum Wrong {
    /// At this offset stands what cannot be right.
    Damaged(u64, Damage),
    /// The system refuses to give it out.
    Io(io::Error),
    /// The manifest makes no sense.
    Manifest(ManifestError),
    /// The manifest names it, and it is not there.
    Missing,
    /// It is there, and no manifest names it.
    Orphan,
    /// The command at this offset was refused.
    Refused(u64, String),
    /// The snapshot in it.
    Snapshot(SnapshotError),
    /// Its tail is missing: it is whole up to this offset.
    Truncated(u64),
    /// Its tail is missing, and others come behind it.
    TruncatedInside(u64),
}

/// Loads the append-only file, if there is one. `cuts_tail`: an end that is missing is no error, the file is
/// cut to what is whole.
///
/// # Errors
/// What is wrong, and where. What was replayed until then is of no use.
pub fn load(
    disk: &dyn Disk,
    place: &Place,
    cuts_tail: bool,
    replay: &mut dyn Replay,
) -> Result<Loaded, LoadError> {
    let Adopted { manifest, has_moved } = adopt(disk, place)?;
    if has_moved {
        replay.adopted(place);
    }
    let Some(manifest) = manifest.filter(|m| m.base.is_some() || !m.increments.is_empty()) else {
        let manifest = Manifest::default();
        refuse_orphans(disk, place, &manifest)?;
        return Ok(Loaded { found: Found::Nothing, manifest, base_len: 0, len: 0 });
    };
    if manifest.base.is_none() {
        refuse_orphans(disk, place, &manifest)?;
    }
    let base = manifest.base.iter().map(|part| (Role::Base, part));
    let parts: Vec<_> =
        base.chain(manifest.increments.iter().map(|part| (Role::Increment, part))).collect();
    // All of them must be there before the first is read.
    let lens: Vec<u64> =
        parts.iter().map(|(_, part)| len_of(disk, place, part)).collect::<Result<_, _>>()?;
    replay.begin(lens.iter().sum());
    let mut reading = Reading { disk, place, cuts_tail, replay, bytes_before: 0 };
    let mut loaded =
        Loaded { found: Found::All, manifest: Manifest::default(), base_len: 0, len: 0 };
    for (index, (role, part)) in parts.iter().enumerate() {
        let is_last = index + 1 == parts.len();
        let Some(len) = reading.file(*role, part, is_last)? else {
            loaded.found = Found::Part;
            break;
        };
        loaded.len += len;
        if *role == Role::Base {
            loaded.base_len = len;
        }
    }
    loaded.manifest = manifest;
    Ok(loaded)
}

/// Whoever has lost the manifest of an append-only file, or the line of its base, would lose its data by a start
/// without it. While one is made for the first time, a base may be there that is not named yet, but then what
/// names it is prepared.
fn refuse_orphans(disk: &dyn Disk, place: &Place, manifest: &Manifest) -> Result<(), LoadError> {
    let wrong = |path: &Path, error| LoadError::new(path, Wrong::Io(error));
    let prepared = place.new_manifest();
    if exists(disk, &prepared).map_err(|error| wrong(&prepared, error))? {
        return Ok(());
    }
    let bases = bases_in_folder(disk, place).map_err(|error| wrong(&place.folder, error))?;
    let is_old = |name: &str| manifest.history.iter().any(|part| part.name == name);
    match bases.iter().find(|name| !is_old(name)) {
        Some(name) => Err(LoadError::new(&place.part(name), Wrong::Orphan)),
        None => Ok(()),
    }
}

/// The files in the folder that are called like a base.
fn bases_in_folder(disk: &dyn Disk, place: &Place) -> io::Result<Vec<String>> {
    let mut files = match disk.list(&place.folder) {
        Ok(files) => files,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    files.retain(|file| {
        let rest = file.strip_prefix(place.name.as_str()).and_then(|rest| rest.strip_prefix('.'));
        rest.is_some_and(|rest| {
            let behind = rest.trim_start_matches(|c: char| c.is_ascii_digit());
            behind.len() < rest.len() && behind.starts_with(".base.")
        })
    });
    files.sort_unstable();
    Ok(files)
}

fn len_of(disk: &dyn Disk, place: &Place, part: &Part) -> Result<u64, LoadError> {
    let path = place.part(&part.name);
    let len = disk.open(&path).and_then(|input| input.len());
    len.map_err(|error| LoadError::of_io(&path, error))
}

/// What the files are read with.
struct Reading<'l> {
    disk: &'l dyn Disk,
    place: &'l Place,
    cuts_tail: bool,
    replay: &'l mut dyn Replay,
    /// Bytes of the files before the present one.
    bytes_before: u64,
}

impl Reading<'_> {
    /// Replays a file; its length, or `None` if it is not to go on.
    fn file(&mut self, role: Role, part: &Part, is_last: bool) -> Result<Option<u64>, LoadError> {
        let path = self.place.part(&part.name);
        let wrong = |wrong| LoadError::new(&path, wrong);
        self.replay.begin_file(role, &part.name);
        let input = self.disk.open(&path).map_err(|error| LoadError::of_io(&path, error))?;
        let mut source = Source::new(input);
        let is_lost = part.is_snapshot() && source.is_empty().map_err(|e| wrong(Wrong::Io(e)))?;
        if role == Role::Base && is_lost {
            let reason = "the file is empty".to_owned();
            return Err(wrong(Wrong::Snapshot(SnapshotError { offset: Some(0), reason })));
        }
        if source.begins_with_snapshot().map_err(|error| wrong(Wrong::Io(error)))? {
            let end = self.replay.snapshot(&mut source);
            if end.map_err(|error| wrong(Wrong::Snapshot(error)))? == SnapshotEnd::Interrupted {
                return Ok(None);
            }
        }
        let mut frames = Frames::new(&mut source);
        let len = match self.commands(&mut frames) {
            Ok(true) => frames.offset(),
            Ok(false) => return Ok(None),
            Err(Wrong::Truncated(len)) if !is_last => {
                return Err(wrong(Wrong::TruncatedInside(len)));
            }
            Err(Wrong::Truncated(len)) if self.cuts_tail => {
                let cut = self.disk.append(&path).and_then(|mut file| {
                    file.truncate(len)?;
                    file.sync()
                });
                cut.map_err(|error| wrong(Wrong::Io(error)))?;
                self.replay.repaired(&part.name, len);
                len
            }
            Err(error) => return Err(wrong(error)),
        };
        self.bytes_before += len;
        self.replay.end_file(role, &part.name);
        Ok(Some(len))
    }

    /// Replays the commands of a file; `false` if it is not to go on.
    fn commands(&mut self, frames: &mut Frames<'_>) -> Result<bool, Wrong> {
        loop {
            if !self.replay.goes_on(self.bytes_before + frames.offset()) {
                return Ok(false);
            }
            let piece = match frames.next_piece() {
                Ok(piece) => piece,
                Err(Unreadable::Damaged(offset, damage)) => {
                    return Err(Wrong::Damaged(offset, damage));
                }
                Err(Unreadable::Io(error)) => return Err(Wrong::Io(error)),
                Err(Unreadable::Truncated) => return Err(Wrong::Truncated(frames.whole_len())),
            };
            match piece {
                Piece::Annotation(_) => {}
                Piece::Commands { offset, bytes } => {
                    self.replay.commands(bytes).map_err(|refused| {
                        Wrong::Refused(offset + refused.offset as u64, refused.reason)
                    })?;
                }
                Piece::End => return Ok(true),
            }
        }
    }
}

impl LoadError {
    pub(super) fn new(path: &Path, wrong: Wrong) -> Self {
        Self { path: path.to_owned(), wrong }
    }

    fn of_io(path: &Path, error: io::Error) -> Self {
        let is_missing = error.kind() == io::ErrorKind::NotFound;
        Self::new(path, if is_missing { Wrong::Missing } else { Wrong::Io(error) })
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.wrong {
            Wrong::Damaged(offset, damage) => write!(
                formatter,
                "Bad file format reading the append only file '{path}' at offset {offset}: {damage}. \
                 {BACKUP_AND_FIX}"
            ),
            Wrong::Io(error) => write!(
                formatter,
                "Can't read the append only file '{path}': {error}. Nothing was changed."
            ),
            Wrong::Manifest(error) => write!(
                formatter,
                "Bad AOF manifest '{path}': {error}. Nothing was changed. Put a good one in its place, \
                 with a line for each file: 'file NAME seq NUMBER type b' for the base, and type i for \
                 the increments in their order."
            ),
            Wrong::Missing => write!(
                formatter,
                "The append only file '{path}' is named by the manifest, and it is not there. Nothing \
                 was changed. Put it back, or take its line out of the manifest to start without its \
                 changes."
            ),
            Wrong::Orphan => write!(
                formatter,
                "The append only file '{path}' is there, and no manifest that names it. Nothing was \
                 changed. Put the manifest back, or move the folder away to start without its data."
            ),
            Wrong::Refused(offset, reason) => write!(
                formatter,
                "A command of the append only file '{path}' was refused, at offset {offset}: {reason}. \
                 Nothing was changed. The file may be of a server with other commands, or damaged: \
                 look at it, or cut it off there to start without what follows."
            ),
            Wrong::Snapshot(SnapshotError { offset, reason }) => {
                write!(formatter, "Error reading the RDB base file '{path}'")?;
                if let Some(offset) = offset {
                    write!(formatter, ", at offset {offset}")?;
                }
                write!(
                    formatter,
                    ": {reason}. The file was left as it is. Look at it with --check-aof, or put a \
                     good one in its place."
                )
            }
            Wrong::Truncated(len) => write!(
                formatter,
                "Unexpected end of file reading the append only file '{path}': it is whole up to offset \
                 {len}. You can: 1) Make a backup of your AOF file, then use --check-aof --fix \
                 <filename.manifest>. 2) Alternatively you can set the 'aof-load-truncated' \
                 configuration option to yes and restart the server."
            ),
            Wrong::TruncatedInside(len) => write!(
                formatter,
                "The append only file '{path}' ends too early, at offset {len}, and is not the last \
                 one: its tail must not be left out. {BACKUP_AND_FIX}"
            ),
        }
    }
}

const BACKUP_AND_FIX: &str = "Nothing was changed. Make a backup of your AOF files, then use --check-aof --fix <filename.manifest>.";

impl std::error::Error for LoadError {}

#[cfg(test)]
mod tests;
