//! The names of files and folders: as programs see them, and as they are on the platter.

use super::nature::{Nature, Order};
use base::rand::Rng;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The number of a file, which it keeps under all its names.
pub(super) type FileId = u64;

/// All names.
#[derive(Default)]
pub(super) struct Names {
    seen: Tree,
    kept: Tree,
    /// What happened since its folder was synced.
    pending: Vec<Change>,
}

#[derive(Clone, Default)]
struct Tree {
    files: BTreeMap<PathBuf, FileId>,
    folders: BTreeSet<PathBuf>,
}

#[derive(Clone)]
enum Change {
    Folder(PathBuf),
    Link(PathBuf, FileId),
    Move(PathBuf, PathBuf, FileId),
    Unlink(PathBuf),
}

impl Names {
    pub(super) fn find(&self, path: &Path) -> Option<FileId> {
        self.seen.files.get(path).copied()
    }

    pub(super) fn has_folder(&self, path: &Path) -> bool {
        path.as_os_str().is_empty() || self.seen.folders.contains(path)
    }

    /// All files with their names.
    pub(super) fn files(&self) -> impl Iterator<Item = (&Path, FileId)> {
        self.seen.files.iter().map(|(path, file)| (path.as_path(), *file))
    }

    /// Every file that has a name, or may have one again after a crash.
    pub(super) fn all_files(&self) -> BTreeSet<FileId> {
        let trees = [&self.seen, &self.kept];
        let named = trees.into_iter().flat_map(|tree| tree.files.values().copied());
        let pending = self.pending.iter().filter_map(|change| match change {
            Change::Link(_, file) => Some(*file),
            _ => None,
        });
        named.chain(pending).collect()
    }

    pub(super) fn make_folder(&mut self, path: &Path) {
        self.change(Change::Folder(path.to_owned()));
    }

    pub(super) fn link(&mut self, path: &Path, file: FileId) {
        self.change(Change::Link(path.to_owned(), file));
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) {
        if let Some(file) = self.find(from) {
            self.change(Change::Move(from.to_owned(), to.to_owned(), file));
        }
    }

    pub(super) fn unlink(&mut self, path: &Path) {
        self.change(Change::Unlink(path.to_owned()));
    }

    fn change(&mut self, change: Change) {
        self.seen.apply(&change);
        self.pending.push(change);
    }

    /// What happened in a folder is on the platter.
    pub(super) fn sync(&mut self, folder: &Path) {
        let kept = &mut self.kept;
        self.pending.retain(|change| {
            let is_here = change.folder() == folder;
            if is_here {
                kept.apply(change);
            }
            !is_here
        });
    }

    /// The power fails: whether anything that was pending has happened depends on luck.
    pub(super) fn crash(&mut self, nature: Nature, rng: &mut Rng) {
        let pending = std::mem::take(&mut self.pending);
        let last = rng.index(pending.len() + 1);
        for (index, change) in pending.iter().enumerate() {
            let is_done = match nature.name_order {
                Order::Any => rng.below(2) == 0,
                Order::Kept => index < last,
            };
            if is_done {
                self.kept.apply(change);
            }
        }
        let Tree { files, folders } = &mut self.kept;
        files.retain(|path, _| {
            let folder = folder_of(path);
            folder.as_os_str().is_empty() || folders.contains(folder)
        });
        self.seen = self.kept.clone();
    }
}

impl Tree {
    fn apply(&mut self, change: &Change) {
        match change {
            Change::Folder(path) => drop(self.folders.insert(path.clone())),
            Change::Link(path, file) => drop(self.files.insert(path.clone(), *file)),
            // After a crash that has kept this and lost what came before it, there may be nothing to move. What
            // an older file of that name is, no disk takes for the one that was moved.
            Change::Move(from, to, file) => {
                if self.files.get(from) == Some(file) {
                    self.files.remove(from);
                    self.files.insert(to.clone(), *file);
                }
            }
            Change::Unlink(path) => drop(self.files.remove(path)),
        }
    }
}

impl Change {
    /// The folder that has to be synced for it.
    fn folder(&self) -> &Path {
        match self {
            Self::Folder(path)
            | Self::Link(path, _)
            | Self::Move(_, path, _)
            | Self::Unlink(path) => folder_of(path),
        }
    }
}

/// The folder of a file; an empty path is the place where everything is.
pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or_else(|| Path::new(""))
}
