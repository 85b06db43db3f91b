//! The thread that writes bases of the append-only file.

use super::Order;
use crate::persistence::save;
use crate::server::{Further, Server};
use engine::cut::{Cut, CutWalk, Purpose, Step};
use engine::{Executor, Session};
use parking_lot::Mutex;
use persist::aof::Place;
use persist::snapshot::{CommandsFile, Origin, SnapshotFile};
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Thread;
use std::time::Duration;
use store::Fetched;
use store::rdb::file::WriteError;

/// How long the thread waits when others are in its way.
const BUSY_PAUSE: Duration = Duration::from_micros(100);

/// A base to be written.
pub struct Job {
    pub cut: Arc<Cut>,
    pub place: Place,
}

/// What the thread has to do. A cut that was given up is a job as well: it is walked to its end.
#[derive(Default)]
pub struct Jobs {
    waiting: Mutex<VecDeque<Job>>,
    is_stopping: AtomicBool,
    thread: Mutex<Option<Thread>>,
}

impl Jobs {
    /// Has a base written. The keeper is told how that went.
    pub fn give(&self, job: Job) {
        self.waiting.lock().push_back(job);
        self.wake();
    }

    /// Ends the thread; a base that is being written is given up.
    pub fn stop(&self) {
        self.is_stopping.store(true, Ordering::Release);
        self.wake();
    }

    fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Acquire)
    }

    fn wake(&self) {
        if let Some(thread) = &*self.thread.lock() {
            thread.unpark();
        }
    }
}

/// Writes bases until it is told to stop.
pub fn run(server: &Server) {
    let jobs = &server.host.append_only.jobs;
    *jobs.thread.lock() = Some(std::thread::current());
    let mut author = Author::new(server);
    while !jobs.is_stopping() {
        let job = jobs.waiting.lock().pop_front();
        match job {
            Some(Job { cut, place }) => {
                let outcome = author.write_base(&cut, &place);
                base::memory::flush();
                server.host.append_only.order(Order::BaseWritten(cut, outcome));
            }
            None => std::thread::park(),
        }
    }
}

/// Who writes a base.
pub(super) struct Author<'s> {
    server: &'s Server,
    executor: Executor<'s>,
    session: Session,
}

impl<'s> Author<'s> {
    /// On this thread; one at a time.
    pub(super) fn new(server: &'s Server) -> Self {
        let token = server.inboxes.token_of_this_thread();
        let number = server.number_of(Further::Rewriter);
        Self {
            server,
            executor: Executor::new(&server.engine, &server.host, number),
            session: Session::new(0, token, Arc::new(())),
        }
    }

    /// Takes a cut, once this thread is alone behind the gate.
    pub(super) fn take_cut(&mut self) -> Arc<Cut> {
        let engine = &self.server.engine;
        loop {
            let begun = self
                .executor
                .alone(&mut self.session, |data| engine.begin_cut(data, Purpose::Journal));
            match begun {
                Ok(Ok(cut)) => return cut,
                // Another is on its way to its end, or somebody is inside.
                Ok(Err(_)) | Err(_) => std::thread::park_timeout(BUSY_PAUSE),
            }
        }
    }

    /// Writes a cut to where a new base is expected, and forces it to disk.
    pub(super) fn write_base(&mut self, cut: &Arc<Cut>, place: &Place) -> io::Result<()> {
        let written = self.write(cut, place);
        if written.is_err() {
            self.server.engine.cuts.cancel(cut);
            // The next cut can begin when this one is walked to its end.
            self.walk(cut, |_| Ok(()))?;
        }
        written
    }

    fn write(&mut self, cut: &Arc<Cut>, place: &Place) -> io::Result<()> {
        let settings = self.server.host.settings();
        let disk = Arc::clone(&self.server.host.disk);
        if !settings.aof_use_rdb_preamble {
            let mut target = self.server.engine.settings().dump_target();
            target.version = settings.rdb_version;
            let mut file = CommandsFile::create(disk, place.new_base(), target, cut)?;
            self.walk(cut, |fetched| file.write(fetched))?;
            return if cut.is_cancelled() { Err(cancelled()) } else { file.finish().map(drop) };
        }
        let style = save::style(&settings, cut);
        let origin = Origin { dialect: settings.dialect, is_journal_base: true };
        let mut file =
            SnapshotFile::create(disk, place.new_base(), style, origin, cut).map_err(plain)?;
        self.walk(cut, |fetched| file.write(fetched).map_err(plain))?;
        if cut.is_cancelled() {
            return Err(cancelled());
        }
        file.finish()?.keep();
        Ok(())
    }

    /// Hands everything that a cut holds to `write`.
    fn walk(
        &mut self,
        cut: &Arc<Cut>,
        mut write: impl FnMut(&Fetched) -> io::Result<()>,
    ) -> io::Result<()> {
        let engine = &self.server.engine;
        let (mut walk, mut fetched) = (CutWalk::new(cut), Fetched::default());
        loop {
            let step = self.executor.step_cut(&mut self.session, &mut walk, &mut fetched);
            let written = write(&fetched);
            engine.cuts.written(&mut fetched);
            written?;
            if self.server.host.append_only.jobs.is_stopping() {
                return Err(io::Error::other("the server ends"));
            }
            match step {
                Step::Done => return Ok(()),
                Step::More => {}
                Step::Busy => std::thread::park_timeout(BUSY_PAUSE),
            }
        }
    }
}

fn cancelled() -> io::Error {
    io::Error::other("it was cancelled")
}

fn plain(error: WriteError) -> io::Error {
    match error {
        WriteError::Io(error) => error,
        WriteError::Needs(version) => {
            let number = version.number();
            io::Error::other(format!("the data needs the snapshot version {number}"))
        }
    }
}
