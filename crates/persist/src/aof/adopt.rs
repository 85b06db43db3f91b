//! The one file of the time before Redis 7 becomes the base of a folder.
//!
//! The manifest is written first, then the file is moved. Whatever happens in between, the next start finds a
//! manifest that names nothing but this file, and the file where it was, and goes on from there.

use super::Place;
use super::load::{LoadError, Wrong};
use crate::disk::Disk;
use crate::manifest::{Manifest, Part};
use std::io;
use std::path::Path;

/// The manifest there is, after an old file was moved to its place.
pub(super) fn adopt(disk: &dyn Disk, place: &Place) -> Result<Adopted, LoadError> {
    let manifest = read_manifest(disk, place)?;
    let old = place.old();
    let at_old = |error| LoadError::new(&old, Wrong::Io(error));
    let is_old_there = exists(disk, &old).map_err(at_old)?;
    let wants_old = match &manifest {
        None => true,
        Some(manifest) => {
            let is_only_old = names_only(manifest, &place.name);
            let path = place.part(&place.name);
            is_only_old && !exists(disk, &path).map_err(|e| LoadError::new(&path, Wrong::Io(e)))?
        }
    };
    if !is_old_there || !wants_old {
        return Ok(Adopted { manifest, has_moved: false });
    }
    let part = Part { name: place.name.clone(), sequence: 1 };
    let manifest = Manifest { base: Some(part), ..Manifest::default() };
    move_old(disk, place, &manifest).map_err(at_old)?;
    Ok(Adopted { manifest: Some(manifest), has_moved: true })
}

/// What was found.
pub(super) struct Adopted {
    pub(super) manifest: Option<Manifest>,
    /// There was an old file, and it is in the folder now.
    pub(super) has_moved: bool,
}

fn move_old(disk: &dyn Disk, place: &Place, manifest: &Manifest) -> io::Result<()> {
    disk.create_folder(&place.folder)?;
    disk.sync_folder(place.above())?;
    place.prepare_manifest(disk, manifest)?;
    disk.rename(&place.new_manifest(), &place.manifest())?;
    disk.sync_folder(&place.folder)?;
    disk.rename(&place.old(), &place.part(&place.name))?;
    disk.sync_folder(&place.folder)?;
    disk.sync_folder(place.above())
}

/// Whether it names this base and nothing else.
fn names_only(manifest: &Manifest, name: &str) -> bool {
    let is_base = manifest.base.as_ref().is_some_and(|base| base.name == name);
    is_base && manifest.increments.is_empty() && manifest.history.is_empty()
}

fn read_manifest(disk: &dyn Disk, place: &Place) -> Result<Option<Manifest>, LoadError> {
    let path = place.manifest();
    let text = match Manifest::read_text(disk, &path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(LoadError::new(&path, Wrong::Io(error))),
    };
    let manifest = Manifest::parse(&text);
    manifest.map(Some).map_err(|error| LoadError::new(&path, Wrong::Manifest(error)))
}

pub(super) fn exists(disk: &dyn Disk, path: &Path) -> io::Result<bool> {
    match disk.open(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
