//! The append-only file that is being written.
//!
//! What a crash may leave is always one of two: the file as it was before a step, or as it is after it.
//! - A manifest names only files that are there and, but for the end of the last, on disk: an increment is
//!   synced before the next is named, a base before it replaces anything.
//! - A manifest takes the place of the one before by a rename. If that fails half way, nobody knows
//!   which of them a crash would leave; both are right as long as nothing is written, and before
//!   anything is, the older is put in place for certain.
//! - A write that fails is taken back, so that the next begins behind whole commands.
//! - A sync that fails is never trusted again: the system may have dropped what it could not write, and
//!   say nothing of it the next time. From then on the file is *in doubt*, no sync succeeds, and only a new
//!   base, with an increment of its own, mends it. Neither is named before both are on disk.

use super::Place;
use crate::disk::{Disk, Output};
use crate::manifest::{Manifest, Part};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// Writes an append-only file.
pub struct Writer {
    disk: Arc<dyn Disk>,
    place: Place,
    /// As it was written last.
    manifest: Manifest,
    /// Nobody knows whether the manifest on disk is this one or the next.
    is_manifest_unsure: bool,
    increment: Box<dyn Output>,
    /// Bytes of whole commands in the increment.
    increment_len: u64,
    /// Behind them lies a part of what could not be written.
    is_torn: bool,
    trust: Trust,
    rewrite: Option<Rewrite>,
    base_len: u64,
    /// Bytes of the increments before the present.
    earlier_len: u64,
}

/// Whether a crash leaves what was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Trust {
    /// What was synced.
    Synced,
    /// There is no base yet.
    NoBase,
    /// A sync has failed, or the data has been replaced by other data: all that counts is what a crash would
    /// leave, until there is a new base.
    Doubt,
}

/// A rewrite that goes on.
struct Rewrite {
    /// The increment that follows the new base.
    first: Part,
    /// The manifest names it already.
    is_named: bool,
}

impl Writer {
    /// Goes on with an append-only file whose files are all whole, as `manifest` names them.
    ///
    /// # Errors
    /// As the disk says.
    pub fn open(disk: Arc<dyn Disk>, place: Place, manifest: Manifest) -> io::Result<Self> {
        // Whoever has put the manifest in its place may have ended before its name was safe.
        disk.sync_folder(&place.folder)?;
        let len = |part: &Part| -> io::Result<u64> { disk.open(&place.part(&part.name))?.len() };
        let base_len = manifest.base.as_ref().map_or(Ok(0), len)?;
        let Some((last, earlier)) = manifest.increments.split_last() else {
            let mut writer = Self::begin(disk, place, manifest)?;
            (writer.base_len, writer.trust) = (base_len, Trust::Synced);
            let Rewrite { first, .. } = writer.rewrite.take().expect("it has just begun");
            let mut manifest = writer.manifest.clone();
            manifest.increments.push(first);
            writer.put_manifest(manifest)?;
            return Ok(writer);
        };
        let earlier_len = earlier.iter().map(len).sum::<io::Result<u64>>()?;
        let mut increment = disk.append(&place.part(&last.name))?;
        // What was loaded is about to be shown, so it must not be lost any more, nor what was cut off come
        // back: whoever has written it may have ended before it was synced.
        increment.sync()?;
        let increment_len = increment.len()?;
        Ok(Self {
            disk,
            place,
            manifest,
            is_manifest_unsure: false,
            increment,
            increment_len,
            is_torn: false,
            trust: Trust::Synced,
            rewrite: None,
            base_len,
            earlier_len,
        })
    }

    /// Begins anew, with an increment in which everything is written from now on. It counts once
    /// [`Writer::finish_rewrite`] has put a base before it; until then what `manifest` names stays.
    ///
    /// # Errors
    /// As the disk says.
    pub fn begin(disk: Arc<dyn Disk>, place: Place, manifest: Manifest) -> io::Result<Self> {
        disk.create_folder(&place.folder)?;
        disk.sync_folder(place.above())?;
        let first = manifest.next_increment(&place.name);
        let increment = new_increment(&*disk, &place, &first)?;
        Ok(Self {
            disk,
            place,
            manifest,
            is_manifest_unsure: false,
            increment,
            increment_len: 0,
            is_torn: false,
            trust: Trust::NoBase,
            rewrite: Some(Rewrite { first, is_named: false }),
            base_len: 0,
            earlier_len: 0,
        })
    }

    /// Writes whole commands, all of them or none; they are safe after the next sync.
    ///
    /// # Errors
    /// As the disk says; the same bytes may be written again later.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.put_manifest_for_sure()?;
        if self.is_torn {
            self.increment.truncate(self.increment_len)?;
            self.is_torn = false;
        }
        if let Err(error) = self.increment.write_all(bytes) {
            self.is_torn = self.increment.truncate(self.increment_len).is_err();
            return Err(error);
        }
        self.increment_len += bytes.len() as u64;
        Ok(())
    }

    /// Makes all that was written safe from a crash.
    ///
    /// # Errors
    /// As the disk says. After a sync that failed none succeeds until the file was rewritten
    /// ([`Writer::is_in_doubt`]).
    pub fn sync(&mut self) -> io::Result<()> {
        if self.trust == Trust::Doubt {
            return Err(io::Error::other("a new base is needed"));
        }
        self.put_manifest_for_sure()?;
        self.increment.sync().inspect_err(|_| self.trust = Trust::Doubt)
    }

    /// The data has been replaced by other data: what was written says nothing of it.
    pub fn distrust(&mut self) {
        if self.trust == Trust::Synced {
            self.trust = Trust::Doubt;
        }
    }

    /// Whether a sync has failed, or the data was replaced, so that only a rewrite helps.
    pub fn is_in_doubt(&self) -> bool {
        self.trust == Trust::Doubt
    }

    /// Whether there is no base yet: nothing of what was written counts.
    pub fn has_no_base(&self) -> bool {
        self.trust == Trust::NoBase
    }

    /// Whether a rewrite goes on.
    pub fn is_rewriting(&self) -> bool {
        self.rewrite.is_some()
    }

    /// From now on everything is written behind a base that is to hold all that was written until now.
    /// The base itself goes to [`Place::new_base`].
    ///
    /// # Errors
    /// As the disk says; then everything is as before.
    pub fn begin_rewrite(&mut self) -> io::Result<()> {
        let is_named = self.trust == Trust::Synced;
        if is_named {
            self.sync()?;
        }
        let first = self.manifest.next_increment(&self.place.name);
        let increment = new_increment(&*self.disk, &self.place, &first)?;
        if is_named {
            let mut manifest = self.manifest.clone();
            manifest.increments.push(first.clone());
            self.put_manifest(manifest)?;
        }
        self.increment = increment;
        self.earlier_len += std::mem::take(&mut self.increment_len);
        self.is_torn = false;
        self.rewrite = Some(Rewrite { first, is_named });
        Ok(())
    }

    /// Puts the new base, which is written and synced, before what was written since the rewrite began. Returns
    /// the files that nobody needs any more, for the caller to remove; then [`Writer::forget_history`].
    ///
    /// # Errors
    /// As the disk says, or because a sync has failed since the rewrite began; then everything is as
    /// before, and the rewrite is to be given up.
    ///
    /// # Panics
    /// When no rewrite has begun.
    pub fn finish_rewrite(&mut self, is_snapshot: bool) -> io::Result<Vec<PathBuf>> {
        self.put_manifest_for_sure()?;
        let Rewrite { first, is_named } = self.rewrite.as_ref().expect("a rewrite has begun");
        if !is_named {
            self.increment.sync()?;
        } else if self.trust == Trust::Doubt {
            return Err(io::Error::other("a sync has failed since the rewrite began"));
        }
        let mut manifest = self.manifest.clone();
        let base = manifest.next_base(&self.place.name, is_snapshot);
        let old_base = manifest.base.replace(base.clone());
        if !is_named {
            manifest.increments.push(first.clone());
        }
        let is_old = |part: &Part| part.sequence < first.sequence;
        let (old, kept): (Vec<_>, Vec<_>) = manifest.increments.into_iter().partition(is_old);
        manifest.increments = kept;
        manifest.history.extend(old_base.into_iter().chain(old));
        let path = self.place.part(&base.name);
        let new = self.place.new_base();
        let base_len = self.disk.open(&new)?.len()?;
        // First, so that the base is never there without any manifest.
        self.place.prepare_manifest(&*self.disk, &manifest)?;
        self.disk.rename(&new, &path)?;
        // Names need not come to the platter in their order, and the manifest must not be the first.
        self.disk.sync_folder(&self.place.folder)?;
        self.place_manifest(manifest)?;
        self.base_len = base_len;
        self.earlier_len = 0;
        self.trust = Trust::Synced;
        self.rewrite = None;
        let history = &self.manifest.history;
        Ok(history.iter().map(|part| self.place.part(&part.name)).collect())
    }

    /// Gives up a rewrite. What was written since it began stays where it is.
    pub fn abort_rewrite(&mut self) {
        // It may not be there, and it is overwritten by the next.
        let _ = self.disk.remove(&self.place.new_base());
        self.rewrite = None;
    }

    /// The files of the history have been removed.
    ///
    /// # Errors
    /// As the disk says.
    pub fn forget_history(&mut self) -> io::Result<()> {
        if self.manifest.history.is_empty() {
            return Ok(());
        }
        let mut manifest = self.manifest.clone();
        manifest.history.clear();
        self.put_manifest(manifest)
    }

    /// Bytes of the base.
    pub fn base_len(&self) -> u64 {
        self.base_len
    }

    /// Bytes of all files.
    pub fn len(&self) -> u64 {
        self.base_len + self.earlier_len + self.increment_len
    }

    /// Whether nothing was written, and there is no base.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where it lies.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The files that it is made of.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn put_manifest_for_sure(&mut self) -> io::Result<()> {
        if self.is_manifest_unsure {
            let manifest = self.manifest.clone();
            self.put_manifest(manifest)?;
        }
        Ok(())
    }

    /// Puts `manifest` in place of the present one; after an error the present one counts.
    fn put_manifest(&mut self, manifest: Manifest) -> io::Result<()> {
        self.place.prepare_manifest(&*self.disk, &manifest)?;
        self.place_manifest(manifest)
    }

    /// The same, once it is prepared.
    fn place_manifest(&mut self, manifest: Manifest) -> io::Result<()> {
        self.is_manifest_unsure = true;
        self.disk.rename(&self.place.new_manifest(), &self.place.manifest())?;
        self.disk.sync_folder(&self.place.folder)?;
        self.is_manifest_unsure = false;
        self.manifest = manifest;
        Ok(())
    }
}

/// An empty increment. One of the same name, which was never named in a manifest, may be there from before
/// a crash: its bytes must not come back once this one is named.
fn new_increment(disk: &dyn Disk, place: &Place, part: &Part) -> io::Result<Box<dyn Output>> {
    let mut increment = disk.create(&place.part(&part.name))?;
    increment.sync()?;
    disk.sync_folder(&place.folder)?;
    Ok(increment)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::MachineDisk;
    use std::fs;
    use std::path::Path;

    fn place(folder: &Path) -> Place {
        Place { folder: folder.join("appendonlydir"), name: "appendonly.aof".to_owned() }
    }

    fn names(place: &Place) -> Vec<String> {
        let mut names = MachineDisk.list(&place.folder).unwrap();
        names.sort_unstable();
        names
    }

    fn manifest(place: &Place) -> Manifest {
        Manifest::parse(&fs::read(place.manifest()).unwrap()).unwrap()
    }

    fn put_base(place: &Place, text: &str) {
        fs::write(place.new_base(), text).unwrap();
    }

    fn remove_all(paths: &[PathBuf]) {
        paths.iter().for_each(|path| fs::remove_file(path).unwrap());
    }

    #[test]
    fn a_base_and_its_increments_follow_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let (disk, place) = (Arc::new(MachineDisk), place(folder.path()));
        let mut writer = Writer::begin(disk.clone(), place.clone(), Manifest::default()).unwrap();
        assert!(!place.manifest().exists(), "without a base nothing counts");
        writer.write(b"one ").unwrap();
        put_base(&place, "base");
        assert!(writer.finish_rewrite(true).unwrap().is_empty());
        writer.write(b"two ").unwrap();
        writer.sync().unwrap();
        assert_eq!((writer.base_len(), writer.len()), (4, 12));
        drop(writer);

        let mut writer = Writer::open(disk, place.clone(), manifest(&place)).unwrap();
        writer.write(b"three ").unwrap();
        writer.begin_rewrite().unwrap();
        writer.write(b"four ").unwrap();
        assert_eq!(manifest(&place).increments.len(), 2);
        put_base(&place, "new base");
        let history = writer.finish_rewrite(false).unwrap();
        assert_eq!(history.len(), 2);
        remove_all(&history);
        writer.forget_history().unwrap();
        assert_eq!((writer.base_len(), writer.len()), (8, 13));
        let expected =
            ["appendonly.aof.2.base.aof", "appendonly.aof.2.incr.aof", "appendonly.aof.manifest"];
        assert_eq!(names(&place), expected);
        let text = fs::read_to_string(place.part("appendonly.aof.2.incr.aof")).unwrap();
        assert_eq!(text, "four ");
    }

    #[test]
    fn a_rewrite_that_is_given_up_leaves_all_increments() {
        let folder = tempfile::tempdir().unwrap();
        let (disk, place) = (Arc::new(MachineDisk), place(folder.path()));
        let mut writer = Writer::begin(disk, place.clone(), Manifest::default()).unwrap();
        put_base(&place, "");
        writer.finish_rewrite(true).unwrap();
        writer.write(b"one").unwrap();
        writer.begin_rewrite().unwrap();
        writer.write(b"two").unwrap();
        assert!(writer.finish_rewrite(true).is_err(), "there is no base");
        writer.abort_rewrite();
        writer.write(b"three").unwrap();
        writer.sync().unwrap();
        let manifest = manifest(&place);
        assert_eq!(manifest.base.unwrap().sequence, 1);
        let parts = manifest.increments.iter();
        let texts: Vec<_> =
            parts.map(|part| fs::read_to_string(place.part(&part.name)).unwrap()).collect();
        assert_eq!(texts, ["one", "twothree"]);
    }

    #[test]
    fn what_was_replaced_counts_until_there_is_a_new_base() {
        let folder = tempfile::tempdir().unwrap();
        let (disk, place) = (Arc::new(MachineDisk), place(folder.path()));
        let mut writer = Writer::begin(disk, place.clone(), Manifest::default()).unwrap();
        put_base(&place, "old");
        writer.finish_rewrite(true).unwrap();
        writer.write(b"one").unwrap();
        writer.sync().unwrap();
        let before = manifest(&place);
        writer.distrust();
        assert!(writer.sync().is_err() && writer.is_in_doubt());
        writer.begin_rewrite().unwrap();
        writer.write(b"two").unwrap();
        assert_eq!(manifest(&place), before, "behind the old data it would be wrong");
        writer.abort_rewrite();
        assert!(writer.is_in_doubt());
        writer.begin_rewrite().unwrap();
        writer.write(b"three").unwrap();
        put_base(&place, "new");
        assert_eq!(writer.finish_rewrite(true).unwrap().len(), 2);
        writer.sync().unwrap();
        let parts = manifest(&place).increments;
        let texts: Vec<_> =
            parts.iter().map(|part| fs::read_to_string(place.part(&part.name)).unwrap()).collect();
        assert_eq!(texts, ["three"]);
    }

    #[test]
    fn a_base_without_increments_is_gone_on_with() {
        let folder = tempfile::tempdir().unwrap();
        let (disk, place) = (Arc::new(MachineDisk), place(folder.path()));
        fs::create_dir(&place.folder).unwrap();
        fs::write(place.part("old.aof"), "old").unwrap();
        let base = Part { name: "old.aof".to_owned(), sequence: 1 };
        let old = Manifest { base: Some(base), ..Manifest::default() };
        let mut writer = Writer::open(disk, place.clone(), old).unwrap();
        writer.write(b"new").unwrap();
        writer.sync().unwrap();
        assert_eq!(writer.len(), 6);
        assert_eq!(manifest(&place).increments[0].name, "appendonly.aof.1.incr.aof");
    }
}
