//! Who writes a cut to a file: a snapshot, or the base of the append-only file.
//!
//! It walks over the data, a few microseconds under each lock, and writes outside of them. It is no loop and serves
//! nobody, so it may wait for the disk as long as it likes: what changes meanwhile is kept up to a limit, and above
//! that writers wait. If the disk takes nothing for [`STALL_NS_MAX`](super::saver::STALL_NS_MAX), the periodic jobs
//! give the cut up.

use super::save::{self, Unwritten};
use crate::config::Settings;
use crate::server::{Further, Server};
use engine::cut::{Cut, CutWalk, Step};
use engine::data::Data;
use engine::{Executor, Session};
use persist::aof::Place;
use persist::snapshot::{CommandsFile, FinishedSnapshot, SnapshotFile};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use store::Fetched;
use store::rdb::file::WriteError;

/// How soon it looks again for something that others have.
const RETRY: Duration = Duration::from_micros(50);

/// A thread's part in writing cuts.
pub(super) struct CutWriter<'s> {
    server: &'s Server,
    executor: Executor<'s>,
    session: Session,
    who: Further,
}

impl<'s> CutWriter<'s> {
    /// On this thread, which is that of `who`.
    pub(super) fn new(server: &'s Server, who: Further) -> Self {
        let token = server.inboxes.token_of_this_thread();
        let number = server.number_of(who);
        Self {
            server,
            executor: Executor::new(&server.engine, &server.host, number),
            session: Session::new(0, token, Arc::new(())),
            who,
        }
    }

    /// Does something behind the gate; `None` if something else is more urgent.
    pub(super) fn alone<R>(&mut self, mut act: impl FnMut(&mut Data<'_>) -> R) -> Option<R> {
        while !self.is_urgent() {
            match self.executor.alone(&mut self.session, &mut act) {
                Ok(result) => return Some(result),
                Err(_) => std::thread::park_timeout(RETRY),
            }
        }
        None
    }

    /// Writes a snapshot, to be put in its place.
    pub(super) fn write_snapshot(
        &mut self,
        cut: &Arc<Cut>,
        settings: &Settings,
        temporary: PathBuf,
    ) -> Result<FinishedSnapshot, Unwritten> {
        let create = || save::create(&self.server.host, settings, cut, temporary, false);
        let file = self.write(cut, create(), SnapshotFile::write)?;
        Ok(file.finish()?)
    }

    /// Writes a cut to where a new base of the append-only file is expected.
    pub(super) fn write_base(&mut self, cut: &Arc<Cut>, place: &Place) -> Result<(), Unwritten> {
        let host = &self.server.host;
        let (settings, path) = (host.settings(), place.new_base());
        if settings.aof_use_rdb_preamble {
            let created = save::create(host, &settings, cut, path, true);
            self.write(cut, created, SnapshotFile::write)?.finish()?.keep();
        } else {
            let mut target = self.server.engine.settings().dump_target();
            target.version = settings.rdb_version;
            let disk = host.disk_for_cuts(settings.aof_rewrite_incremental_fsync);
            let created = CommandsFile::create(disk, path, target, cut).map_err(WriteError::Io);
            self.write(cut, created, |file, fetched| Ok(file.write(fetched)?))?.finish()?;
        }
        Ok(())
    }

    /// Hands everything that a cut holds to a file. It is walked to its end in any case: else the next could not
    /// begin.
    fn write<F>(
        &mut self,
        cut: &Arc<Cut>,
        created: Result<F, WriteError>,
        write: impl Fn(&mut F, &Fetched) -> Result<(), WriteError>,
    ) -> Result<F, Unwritten> {
        let cuts = &self.server.engine.cuts;
        let mut file = created.inspect_err(|_| cuts.cancel(cut));
        let (mut walk, mut fetched) = (CutWalk::new(cut), Fetched::default());
        loop {
            let step = self.executor.step_cut(&mut self.session, &mut walk, &mut fetched);
            if let Ok(open) = &mut file
                && !cut.is_cancelled()
                && let Err(error) = write(open, &fetched)
            {
                cuts.cancel(cut);
                file = Err(error);
            }
            cuts.written(&mut fetched);
            match step {
                Step::Busy => std::thread::park_timeout(RETRY),
                Step::Done => break,
                Step::More => {}
            }
            if self.is_urgent() {
                cuts.cancel(cut);
            }
        }
        base::memory::flush();
        let file = file?;
        if cut.is_cancelled() { Err(Unwritten::Cancelled) } else { Ok(file) }
    }

    /// Whether the thread is to leave what it does.
    fn is_urgent(&self) -> bool {
        self.who == Further::Saver && self.server.host.saver.is_urgent()
    }
}
