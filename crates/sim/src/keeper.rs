//! Who writes the append-only file, as the server's thread does, but one step at a time.

use crate::disk::SimDisk;
use crate::saving::{Author, Form, Saving};
use engine::Engine;
use engine::cut::Purpose;
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
    disk: SimDisk,
    author: Author<'e>,
    writer: Writer,
    /// Taken from the journal and not written yet, each with its end.
    pieces: VecDeque<(Vec<u8>, u64)>,
    taken: u64,
    written: u64,
    synced: u64,
    rewrite: Option<Rewrite>,
    /// Files to be removed.
    history: Vec<PathBuf>,
    /// In what the last base differs from what it should hold.
    wrong: Vec<String>,
}

struct Rewrite {
    base: Saving,
    /// All that was recorded before the cut is in the increment before.
    has_begun: bool,
}

impl<'e> Keeper<'e> {
    /// Goes on with what was loaded, or begins anew with all that the engine holds.
    ///
    /// # Errors
    /// As the disk says.
    pub fn open(
        engine: &'e Engine,
        disk: SimDisk,
        place: Place,
        loaded: Option<Manifest>,
    ) -> io::Result<Self> {
        let shared: Arc<dyn Disk> = Arc::new(disk.clone());
        let (writer, is_new) = match loaded {
            Some(manifest) => (Writer::open(shared, place, manifest)?, false),
            None => (Writer::begin(shared, place, Manifest::default())?, true),
        };
        let history: Vec<PathBuf> =
            writer.manifest().history.iter().map(|part| writer.place().part(&part.name)).collect();
        let mut keeper = Self {
            engine,
            author: Author::new(engine, disk.clone()),
            disk,
            writer,
            pieces: VecDeque::new(),
            taken: 0,
            written: 0,
            synced: 0,
            rewrite: None,
            history,
            wrong: Vec::new(),
        };
        engine.set_journaled(true);
        if is_new {
            let base = keeper.cut(Form::Snapshot);
            keeper.rewrite = Some(Rewrite { base, has_begun: true });
            keeper.go_on(usize::MAX)?;
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

    /// Writes up to `count` pieces in one go; what belongs to the base that is being written, by itself.
    ///
    /// # Errors
    /// As the disk says.
    pub fn write(&mut self, count: usize) -> io::Result<()> {
        if let Some(Rewrite { base, has_begun: false }) = &self.rewrite {
            let cut = base.journal_end();
            let before = self.pieces.partition_point(|(_, end)| *end <= cut);
            self.write_pieces(count.min(before))?;
            return if before <= count { self.begin_increment() } else { Ok(()) };
        }
        self.write_pieces(count.min(self.pieces.len()))
    }

    fn write_pieces(&mut self, count: usize) -> io::Result<()> {
        let Some(last) = count.checked_sub(1) else { return Ok(()) };
        let end = self.pieces[last].1;
        let pieces: Vec<&[u8]> =
            self.pieces.iter().take(count).map(|(bytes, _)| bytes.as_slice()).collect();
        self.writer.write(&pieces.concat())?;
        self.pieces.drain(..count);
        self.written = end;
        Ok(())
    }

    /// Goes on in a new increment, behind the base to come.
    fn begin_increment(&mut self) -> io::Result<()> {
        let was_safe = self.is_safe();
        if let Err(error) = self.writer.begin_rewrite() {
            self.give_up_rewrite();
            return Err(error);
        }
        if was_safe {
            self.synced = self.written;
        }
        if let Some(rewrite) = &mut self.rewrite {
            rewrite.has_begun = true;
        }
        Ok(())
    }

    /// Syncs what was written.
    ///
    /// # Errors
    /// As the disk says.
    pub fn sync(&mut self) -> io::Result<()> {
        self.writer.sync()?;
        if !self.writer.has_no_base() {
            self.synced = self.written;
        }
        Ok(())
    }

    /// Up to where nothing is lost when the power fails.
    pub fn synced(&self) -> u64 {
        self.synced
    }

    /// Up to where nothing is lost when the process ends.
    pub fn written(&self) -> u64 {
        if self.is_safe() { self.written } else { self.synced }
    }

    /// Whether what is written to the increment counts.
    fn is_safe(&self) -> bool {
        !self.writer.is_in_doubt() && !self.writer.has_no_base()
    }

    /// Whether a rewrite goes on.
    pub fn is_rewriting(&self) -> bool {
        self.rewrite.is_some()
    }

    /// Begins to write everything anew.
    pub fn begin_rewrite(&mut self, form: Form) {
        self.give_up_rewrite();
        let base = self.cut(form);
        self.rewrite = Some(Rewrite { base, has_begun: false });
    }

    fn cut(&mut self, form: Form) -> Saving {
        self.author.begin(Purpose::Journal, form, self.writer.place().new_base())
    }

    /// Gives up a rewrite, if one goes on.
    pub fn give_up_rewrite(&mut self) {
        if let Some(Rewrite { base, has_begun }) = self.rewrite.take() {
            self.author.give_up(base);
            if has_begun {
                self.writer.abort_rewrite();
            }
        }
    }

    /// Writes up to so many pieces of the base, and once it is whole, puts it in place. Whether it is.
    ///
    /// # Errors
    /// As the disk says; then the rewrite is over.
    pub fn go_on(&mut self, steps: usize) -> io::Result<bool> {
        let outcome = self.try_to_go_on(steps);
        if outcome.is_err() {
            self.give_up_rewrite();
        }
        outcome
    }

    fn try_to_go_on(&mut self, steps: usize) -> io::Result<bool> {
        if self.rewrite.as_ref().is_some_and(|rewrite| !rewrite.has_begun) {
            self.write(usize::MAX)?;
        }
        let Some(Rewrite { base, .. }) = &mut self.rewrite else { return Ok(true) };
        if !self.author.go_on(base, steps)? {
            return Ok(false);
        }
        let path = self.writer.place().new_base();
        self.wrong = self.author.difference(&path, base.contents());
        let was_safe = self.is_safe();
        let form = self.rewrite.as_ref().map(|rewrite| rewrite.base.form());
        self.history = self.writer.finish_rewrite(form == Some(Form::Snapshot))?;
        if !was_safe {
            self.synced = self.written;
        }
        self.rewrite = None;
        Ok(true)
    }

    /// In what the last base differs from what it should hold; asked once.
    pub fn take_wrong(&mut self) -> Vec<String> {
        std::mem::take(&mut self.wrong)
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
        if !self.is_safe() {
            self.begin_rewrite(Form::Snapshot);
            self.go_on(usize::MAX)?;
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

    /// Who fetches what is written.
    pub fn author(&mut self) -> &mut Author<'e> {
        &mut self.author
    }
}
