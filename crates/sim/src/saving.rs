//! All data at one moment on its way to a file, while calls change it.

use crate::contents::Contents;
use crate::disk::SimDisk;
use crate::restart;
use base::lock::Token;
use engine::cut::{Cut, CutWalk, Purpose, Step};
use engine::dialect::Dialect;
use engine::host::NoHost;
use engine::{Engine, Executor, Session};
use persist::snapshot::{CommandsFile, Origin, SnapshotFile, oldest_version};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use store::Fetched;
use store::rdb::Target;
use store::rdb::file::{Clocks, Style, WriteError};

/// The thread that fetches what is to be written.
pub struct Author<'e> {
    engine: &'e Engine,
    disk: SimDisk,
    executor: Executor<'e>,
    session: Session,
}

/// A cut that is being written.
pub struct Saving {
    cut: Arc<Cut>,
    walk: CutWalk,
    fetched: Fetched,
    form: Form,
    path: PathBuf,
    /// What it is called in the end, if not as it is called meanwhile.
    name: Option<PathBuf>,
    file: Option<File>,
    /// All there was at the moment of the cut.
    contents: Contents,
}

/// How it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Commands,
    Snapshot,
}

enum File {
    Commands(CommandsFile),
    Snapshot(SnapshotFile),
}

impl<'e> Author<'e> {
    /// On a thread of its own.
    pub fn new(engine: &'e Engine, disk: SimDisk) -> Self {
        let executor = Executor::new(engine, &NoHost, 1);
        let session = Session::new(1 << 33, Token(1 << 33), Arc::new(()));
        Self { engine, disk, executor, session }
    }

    /// Takes a cut, which is to be written to `path`. One that is on its way is given up.
    ///
    /// # Panics
    /// When somebody else uses the engine.
    pub fn begin(&mut self, purpose: Purpose, form: Form, path: PathBuf) -> Saving {
        let contents = Contents::of(self.engine);
        let cut = loop {
            let engine = self.engine;
            let begun =
                self.executor.alone(&mut self.session, |data| engine.begin_cut(data, purpose));
            match begun {
                Ok(Ok(cut)) => break cut,
                Ok(Err(present)) => self.walk_to_end(&present),
                Err(_) => panic!("nobody else uses the engine"),
            }
        };
        let walk = CutWalk::new(&cut);
        let fetched = Fetched::default();
        Saving { cut, walk, fetched, form, path, name: None, file: None, contents }
    }

    /// Writes up to `steps` pieces more; whether it is all there, and safe.
    ///
    /// # Errors
    /// As the disk says, or it was cancelled; then it is to be given up.
    pub fn go_on(&mut self, saving: &mut Saving, steps: usize) -> io::Result<bool> {
        for _ in 0..steps {
            if self.step(saving)? == Step::Done {
                if saving.cut.is_cancelled() {
                    return Err(io::Error::other("it was cancelled"));
                }
                return match (saving.file.take(), &saving.name) {
                    (Some(File::Commands(file)), _) => file.finish().map(|_| true),
                    (Some(File::Snapshot(file)), None) => file.finish().map(|file| 0 < file.keep()),
                    (Some(File::Snapshot(file)), Some(name)) => {
                        file.finish()?.place(name).map(|_| true)
                    }
                    (None, _) => Ok(true),
                };
            }
        }
        Ok(false)
    }

    fn step(&mut self, saving: &mut Saving) -> io::Result<Step> {
        if saving.file.is_none() {
            saving.file = Some(self.create(saving)?);
        }
        let Saving { walk, fetched, file, .. } = saving;
        let step = self.executor.step_cut(&mut self.session, walk, fetched);
        let written = match file {
            Some(File::Commands(file)) => file.write(fetched),
            Some(File::Snapshot(file)) => file.write(fetched).map_err(plain),
            None => Ok(()),
        };
        self.engine.cuts.written(fetched);
        written.map(|()| step)
    }

    fn create(&self, saving: &Saving) -> io::Result<File> {
        let (disk, path, cut) = (Arc::new(self.disk.clone()), saving.path.clone(), &*saving.cut);
        if saving.form == Form::Commands {
            let target: Target = self.engine.settings().dump_target();
            return CommandsFile::create(disk, path, target, cut).map(File::Commands);
        }
        let style = Style {
            version: oldest_version(cut, Dialect::Redis),
            compresses: true,
            has_checksum: true,
            clocks: Clocks::Ignored,
        };
        let is_journal_base = cut.purpose == Purpose::Journal;
        let origin = Origin { dialect: Dialect::Redis, is_journal_base };
        SnapshotFile::create(disk, path, style, origin, cut).map(File::Snapshot).map_err(plain)
    }

    /// Gives a cut up.
    pub fn give_up(&mut self, saving: Saving) {
        let Saving { cut, file, .. } = saving;
        drop(file);
        self.walk_to_end(&cut);
    }

    /// Lets the next cut begin.
    fn walk_to_end(&mut self, cut: &Arc<Cut>) {
        self.engine.cuts.cancel(cut);
        let (mut walk, mut fetched) = (CutWalk::new(cut), Fetched::default());
        while self.executor.step_cut(&mut self.session, &mut walk, &mut fetched) != Step::Done {
            self.engine.cuts.written(&mut fetched);
        }
        self.engine.cuts.written(&mut fetched);
    }

    /// In what a file that was written differs from what it should hold.
    pub fn difference(&self, path: &Path, contents: &Contents) -> Vec<String> {
        match restart::read(&self.disk, path) {
            // Nothing is past its deadline at the beginning of time.
            Ok(found) => contents.difference(&found, 0),
            Err(problem) => vec![problem],
        }
    }
}

impl Saving {
    /// The same, under another name in the end.
    #[must_use]
    pub fn named(self, name: PathBuf) -> Self {
        Self { name: Some(name), ..self }
    }

    /// All there was at the moment of the cut.
    pub fn contents(&self) -> &Contents {
        &self.contents
    }

    /// Up to where the journal belongs to it.
    pub fn journal_end(&self) -> u64 {
        self.cut.journal_end
    }

    /// How it is written.
    pub fn form(&self) -> Form {
        self.form
    }
}

fn plain(error: WriteError) -> io::Error {
    match error {
        WriteError::Io(error) => error,
        WriteError::Needs(version) => io::Error::other(format!("it needs {version:?}")),
    }
}
