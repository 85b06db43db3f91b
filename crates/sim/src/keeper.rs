//! Who writes the append-only file, as the server's thread does, but one step at a time.

use crate::base_file::Base;
use engine::Engine;
use persist::aof::Place;
use persist::aof::writer::Writer;
use persist::disk::Disk;
use persist::manifest::Manifest;
use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// Writes what an engine records.
pub struct Keeper<'e> {
    engine: &'e Engine,
    disk: Arc<dyn Disk>,
    writer: Writer,
    /// Taken from the journal and not written yet, each with its end.
    pieces: VecDeque<(Vec<u8>, u64)>,
    taken: u64,
    written: u64,
    synced: u64,
    rewrite: Option<Base>,
    /// Files to be removed.
    history: Vec<PathBuf>,
}

impl<'e> Keeper<'e> {
    /// Goes on with what was loaded, or begins anew with all that the engine holds.
    ///
    /// # Errors
    /// As the disk says.
    pub fn open(
        engine: &'e Engine,
        disk: Arc<dyn Disk>,
        place: Place,
        loaded: Option<Manifest>,
    ) -> io::Result<Self> {
        let (writer, is_new) = match loaded {
            Some(manifest) => (Writer::open(Arc::clone(&disk), place, manifest)?, false),
            None => (Writer::begin(Arc::clone(&disk), place, Manifest::default())?, true),
        };
        let history: Vec<PathBuf> =
            writer.manifest().history.iter().map(|part| writer.place().part(&part.name)).collect();
        let mut keeper = Self {
            engine,
            disk,
            writer,
            pieces: VecDeque::new(),
            taken: 0,
            written: 0,
            synced: 0,
            rewrite: None,
            history,
        };
        engine.set_journaled(true);
        if is_new {
            keeper.rewrite = Some(Base::of(engine));
            while !keeper.go_on(usize::MAX)? {}
        }
        Ok(keeper)
    }

    /// Takes what was recorded; whether anything was.
    pub fn take(&mut self) -> bool {
        let piece = self.engine.journal.take(Vec::new());
        let is_new = !piece.bytes.is_empty();
        if is_new {
            self.taken = piece.end;
            self.pieces.push_back((piece.bytes, piece.end));
        }
        is_new
    }

    /// Up to where the journal was taken.
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// Writes up to `count` pieces in one go.
    ///
    /// # Errors
    /// As the disk says.
    pub fn write(&mut self, count: usize) -> io::Result<()> {
        let count = count.min(self.pieces.len());
        let Some((_, end)) = count.checked_sub(1).map(|last| &self.pieces[last]) else {
            return Ok(());
        };
        let end = *end;
        let pieces: Vec<&[u8]> =
            self.pieces.iter().take(count).map(|(bytes, _)| bytes.as_slice()).collect();
        self.writer.write(&pieces.concat())?;
        self.pieces.drain(..count);
        self.written = end;
        Ok(())
    }

    /// Syncs what was written.
    ///
    /// # Errors
    /// As the disk says.
    pub fn sync(&mut self) -> io::Result<()> {
        self.writer.sync()?;
        self.synced = self.written;
        Ok(())
    }

    /// Up to where nothing is lost when the power fails.
    pub fn synced(&self) -> u64 {
        self.synced
    }

    /// Up to where nothing is lost when the process ends.
    pub fn written(&self) -> u64 {
        let is_sure = !self.writer.is_in_doubt() && !self.writer.has_no_base();
        if is_sure { self.written } else { self.synced }
    }

    /// Whether a rewrite goes on.
    pub fn is_rewriting(&self) -> bool {
        self.rewrite.is_some()
    }

    /// Begins to write everything anew.
    ///
    /// # Errors
    /// As the disk says.
    pub fn begin_rewrite(&mut self) -> io::Result<()> {
        self.give_up_rewrite();
        if !self.writer.is_in_doubt() {
            self.write(usize::MAX)?;
        }
        let was_safe = !self.writer.is_in_doubt() && !self.writer.has_no_base();
        self.writer.begin_rewrite()?;
        // What was recorded before is in the base; what comes has to say its database again.
        self.pieces.clear();
        self.written = self.taken;
        if was_safe {
            self.synced = self.written;
        }
        self.engine.journal.mark();
        self.rewrite = Some(Base::of(self.engine));
        Ok(())
    }

    /// Gives up a rewrite, if one goes on.
    pub fn give_up_rewrite(&mut self) {
        if self.rewrite.take().is_some() {
            self.writer.abort_rewrite();
        }
    }

    /// Writes up to `len` bytes of the base, and once it is whole, puts it in place. Whether it is.
    ///
    /// # Errors
    /// As the disk says; then the rewrite is over.
    pub fn go_on(&mut self, len: usize) -> io::Result<bool> {
        let outcome = self.try_to_go_on(len);
        if outcome.is_err() {
            self.give_up_rewrite();
        }
        outcome
    }

    fn try_to_go_on(&mut self, len: usize) -> io::Result<bool> {
        let Some(base) = &mut self.rewrite else { return Ok(true) };
        if !base.write(&*self.disk, &self.writer.place().new_base(), len)? {
            return Ok(false);
        }
        let was_unsafe = self.writer.is_in_doubt() || self.writer.has_no_base();
        self.history = self.writer.finish_rewrite(true)?;
        if was_unsafe {
            self.synced = self.written;
        }
        self.rewrite = None;
        Ok(true)
    }

    /// Removes the files that nobody needs.
    ///
    /// # Errors
    /// As the disk says.
    pub fn tidy(&mut self) -> io::Result<()> {
        while let Some(path) = self.history.last() {
            match self.disk.remove(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => drop(self.history.pop()),
            }
        }
        self.writer.forget_history()
    }

    /// Does whatever is needed for all that was recorded to be safe.
    ///
    /// # Errors
    /// As the disk says.
    pub fn settle(&mut self) -> io::Result<()> {
        self.give_up_rewrite();
        self.take();
        if self.writer.is_in_doubt() || self.writer.has_no_base() {
            self.begin_rewrite()?;
            while !self.go_on(usize::MAX)? {}
        }
        self.write(usize::MAX)?;
        self.sync()?;
        self.tidy()
    }

    /// Whether a file is one of those that count.
    pub fn names(&self, name: &str) -> bool {
        let manifest = self.writer.manifest();
        let parts = manifest.base.iter().chain(&manifest.increments).chain(&manifest.history);
        let place = self.writer.place();
        let mut paths = parts.map(|part| place.part(&part.name)).chain([place.manifest()]);
        paths.any(|path| path.as_os_str() == name)
    }

    /// Whether a sync has failed, so that only a rewrite helps.
    pub fn is_in_doubt(&self) -> bool {
        self.writer.is_in_doubt()
    }
}
