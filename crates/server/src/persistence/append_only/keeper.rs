//! The thread that writes the append-only file.
//!
//! With `appendfsync always` it takes whatever was appended while the last sync ran, writes and syncs that
//! in one go, and tells the loops how far everything is safe: one sync for all who have written meanwhile.
//! Otherwise it gathers for a moment before it writes, so that a write to the system costs little per call.

use super::{Order, SyncPolicy};
use crate::config::Settings;
use crate::config::value::os_reason;
use crate::log;
use crate::persistence::save::Unwritten;
use crate::persistence::{append_only, saver};
use crate::server::Server;
use engine::cut::Cut;
use engine::journal::Piece;
use engine::latency::Event;
use persist::aof::annotation;
use persist::aof::writer::Writer;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// How long changes gather before they are written, if nobody waits for them.
const GATHERING: Duration = Duration::from_millis(2);

/// How soon after a failure it is tried again.
const RETRY: Duration = Duration::from_millis(100);

/// How often `everysec` syncs.
const SYNC_PERIOD_NS: u64 = 1_000_000_000;

/// How often the log says that something still fails.
const COMPLAINT_PERIOD_NS: u64 = 30_000_000_000;

/// Memory for a piece of the journal that is kept for the next.
const SPARE_BYTES_MAX: usize = 1 << 20;

/// The thread's state.
struct Keeper<'s> {
    server: &'s Arc<Server>,
    settings: Arc<Settings>,
    writer: Option<Box<Writer>>,
    rewrite: Option<Rewrite>,
    /// The file is switched off, and only its base is wanted.
    is_alone: bool,
    /// Taken from the journal and not written yet.
    piece: Piece,
    /// Up to where the journal was written.
    written: u64,
    /// Up to where it was synced.
    synced: u64,
    synced_ns: u64,
    /// The second that the last annotation names.
    annotated_s: u64,
    complained_ns: Option<u64>,
}

/// A rewrite that goes on.
struct Rewrite {
    cut: Arc<Cut>,
    started_ms: u64,
    /// All before the cut is in the increment before, and the base is being written.
    has_begun: bool,
}

/// What the thread does next.
enum Next {
    Go,
    /// Sleeps for so long, or until something happens.
    Sleep(Option<Duration>),
    /// Sleeps for so long, whatever is appended meanwhile.
    Gather(Duration),
}

/// Keeps the append-only file until it is told to stop.
pub fn run(server: &Arc<Server>) {
    let shared = &server.host.append_only;
    *shared.thread.lock() = Some(std::thread::current());
    let (token, journal) = (server.inboxes.token_of_this_thread(), &server.engine.journal);
    journal.set_reader(Some(token));
    let mut keeper = Keeper {
        server,
        settings: server.host.settings(),
        writer: None,
        rewrite: None,
        is_alone: false,
        piece: Piece::default(),
        written: 0,
        synced: 0,
        synced_ns: 0,
        annotated_s: 0,
        complained_ns: None,
    };
    loop {
        keeper.settings = server.host.settings();
        if keeper.writer.is_some() && keeper.piece.bytes.is_empty() {
            keeper.take();
        }
        // Behind that: an order for a place in the journal comes before what is appended there.
        let orders = std::mem::take(&mut *shared.orders.lock());
        for order in orders {
            if matches!(order, Order::Stop) {
                keeper.give_up_rewrite();
                return keeper.let_go();
            }
            keeper.obey(order);
        }
        let next = keeper.round();
        base::memory::flush();
        match next {
            Next::Go => {}
            Next::Gather(duration) => std::thread::park_timeout(duration),
            Next::Sleep(_) if !journal.may_sleep() => {}
            Next::Sleep(None) => std::thread::park(),
            Next::Sleep(Some(duration)) => std::thread::park_timeout(duration),
        }
    }
}

impl Keeper<'_> {
    fn obey(&mut self, order: Order) {
        match order {
            Order::Keep(writer) => {
                self.give_up_rewrite();
                self.writer = Some(writer);
                // More may have been appended since the journal is on.
                self.written = self.server.engine.journal.safe();
                self.synced = self.written;
                self.show();
            }
            Order::LetGo => {
                self.give_up_rewrite();
                self.let_go();
            }
            Order::Prove(tell) => {
                // Nobody may wait for it any more.
                let _ = tell.send(self.prove());
            }
            Order::Distrust => {
                // What it holds is to be whole, as long as it counts.
                let _ = self.write_all();
                let _ = self.sync(self.server.engine.clock().now_ns());
                if let Some(writer) = &mut self.writer {
                    writer.distrust();
                }
            }
            Order::Rewrite(cut) => {
                let started_ms = cut.at_ms;
                self.rewrite = Some(Rewrite { cut, started_ms, has_begun: false });
                if self.writer.is_none() {
                    self.begin_alone();
                }
            }
            Order::BaseWritten(cut, outcome) => {
                // One that was given up may come late.
                let is_wanted = |rewrite: &Rewrite| Arc::ptr_eq(&rewrite.cut, &cut);
                if self.rewrite.as_ref().is_some_and(is_wanted) {
                    self.finish_rewrite(outcome);
                }
            }
            Order::Stop => {}
        }
    }

    /// Writes what was appended, and syncs it if it is time.
    fn round(&mut self) -> Next {
        let journal = &self.server.engine.journal;
        if self.writer.is_none() {
            return Next::Sleep(None);
        }
        let policy = self.settings.appendfsync;
        let is_always = policy == SyncPolicy::Always && !self.is_alone;
        journal.hold_replies(is_always && self.syncs_now());
        let has_written = !self.piece.bytes.is_empty();
        if let Err(error) = self.write() {
            self.fail("Error writing to the AOF file", &error);
            return Next::Gather(RETRY);
        }
        let now_ns = self.server.engine.clock().now_ns();
        let since_sync_ns = now_ns.saturating_sub(self.synced_ns);
        let is_due = match policy {
            SyncPolicy::Always => true,
            SyncPolicy::EverySecond => SYNC_PERIOD_NS <= since_sync_ns,
            SyncPolicy::No => false,
        };
        let is_dirty = self.synced < self.written;
        if is_dirty && is_due && self.syncs_now() {
            if let Err(error) = self.sync(now_ns) {
                self.fail("Error syncing the AOF file", &error);
                return Next::Gather(RETRY);
            }
        } else if policy == SyncPolicy::Always && is_dirty {
            self.release(self.written);
        }
        self.succeed();
        if self.rewrite.as_ref().is_some_and(|rewrite| !rewrite.has_begun) {
            return Next::Go;
        }
        match policy {
            SyncPolicy::Always if has_written => Next::Go,
            SyncPolicy::EverySecond if self.synced < self.written => {
                let left = Duration::from_nanos(SYNC_PERIOD_NS.saturating_sub(since_sync_ns));
                if has_written {
                    Next::Gather(GATHERING)
                } else {
                    Next::Sleep(Some(left.max(GATHERING)))
                }
            }
            _ if has_written => Next::Gather(GATHERING),
            _ => Next::Sleep(None),
        }
    }

    /// Whether syncs are not left out for the sake of somebody who writes much.
    fn syncs_now(&self) -> bool {
        !self.settings.no_appendfsync_on_rewrite || !self.server.host.is_saving()
    }

    fn take(&mut self) {
        let journal = &self.server.engine.journal;
        let mut spare = std::mem::take(&mut self.piece.bytes);
        if SPARE_BYTES_MAX < spare.capacity() {
            spare = Vec::new();
        }
        self.piece = journal.take(spare);
        journal.set_congested(false);
        let waiting = self.piece.bytes.len() as u64;
        self.server.host.append_only.figures.waiting.store(waiting, Relaxed);
    }

    fn write(&mut self) -> io::Result<()> {
        let Some(writer) = &mut self.writer else { return Ok(()) };
        if self.settings.aof_timestamp_enabled {
            let now_s = self.server.engine.clock().wall_ms() / 1000;
            if self.annotated_s < now_s {
                writer.write(annotation(now_s).as_bytes())?;
                self.annotated_s = now_s;
            }
        }
        if let Some(rewrite) = &self.rewrite
            && !rewrite.has_begun
            // Else a part of what comes before the cut was not even taken.
            && rewrite.cut.journal_end <= self.piece.end
        {
            let start = self.piece.end - self.piece.bytes.len() as u64;
            let before = rewrite.cut.journal_end.saturating_sub(start);
            let before = (before as usize).min(self.piece.bytes.len());
            writer.write(&self.piece.bytes[..before])?;
            self.written = start + before as u64;
            self.piece.bytes.drain(..before);
            self.begin_rewrite();
        }
        let Some(writer) = &mut self.writer else { return Ok(()) };
        let started_ns = self.server.engine.clock().now_ns();
        writer.write(&self.piece.bytes)?;
        self.note_duration(Event::AofWrite, started_ns);
        self.written = self.piece.end.max(self.written);
        self.piece.bytes.clear();
        self.server.host.append_only.figures.waiting.store(0, Relaxed);
        self.show();
        Ok(())
    }

    fn note_duration(&self, event: Event, since_ns: u64) {
        let engine = &self.server.engine;
        let duration_ns = engine.clock().now_ns().saturating_sub(since_ns);
        engine.note_duration(&engine.settings(), event, duration_ns);
    }

    /// Has a base written though the append-only file is switched off, as BGREWRITEAOF may ask for.
    fn begin_alone(&mut self) {
        match append_only::begin(&self.server.host, &self.settings) {
            Ok(writer) => {
                self.writer = Some(Box::new(writer));
                self.is_alone = true;
            }
            Err(error) => self.fail_rewrite(&error.into()),
        }
    }

    /// The base is written, or is not: the file is let be again if it is switched off.
    fn end_alone(&mut self) {
        if std::mem::take(&mut self.is_alone) {
            self.writer = None;
        }
    }

    /// Goes on in a new increment, and has the base before it written.
    fn begin_rewrite(&mut self) {
        let (Some(writer), Some(rewrite)) = (&mut self.writer, &mut self.rewrite) else { return };
        // One that waits for its first base has begun already.
        let begun = if writer.is_rewriting() { Ok(()) } else { writer.begin_rewrite() };
        if let Err(error) = begun {
            return self.fail_rewrite(&error.into());
        }
        rewrite.has_begun = true;
        let order = saver::Order::Base(Arc::clone(&rewrite.cut), writer.place().clone());
        self.server.host.saver.order(order);
    }

    fn finish_rewrite(&mut self, outcome: Result<(), Unwritten>) {
        let (Some(writer), Some(rewrite)) = (&mut self.writer, &self.rewrite) else { return };
        let is_snapshot = self.settings.aof_use_rdb_preamble;
        let history = match outcome.and_then(|()| Ok(writer.finish_rewrite(is_snapshot)?)) {
            Ok(history) => history,
            Err(error) => return self.fail_rewrite(&error),
        };
        for path in history {
            // What stays is still named as history, and can be removed by hand.
            if let Err(error) = self.server.host.disk.remove(&path) {
                log::warning(format_args!(
                    "Can't remove {}: {}",
                    path.display(),
                    os_reason(&error)
                ));
            }
        }
        if let Err(error) = writer.forget_history() {
            log::warning(format_args!("Can't write the AOF manifest: {}", os_reason(&error)));
        }
        let figures = &self.server.host.append_only.figures;
        let took_ms = self.server.engine.clock().wall_ms().saturating_sub(rewrite.started_ms);
        figures.last_rewrite_s.store((took_ms / 1000) as i64, Relaxed);
        figures.rewrites.fetch_add(1, Relaxed);
        figures.rewrite_failures_in_a_row.store(0, Relaxed);
        figures.has_rewrite_failed.store(false, Relaxed);
        figures.rewrite_since_ms.store(0, Relaxed);
        figures.base_len.store(writer.len(), Relaxed);
        self.rewrite = None;
        self.show();
        self.end_alone();
        log::notice(format_args!("Background AOF rewrite finished successfully"));
    }

    fn fail_rewrite(&mut self, error: &Unwritten) {
        let Some(rewrite) = self.rewrite.take() else { return };
        self.server.engine.cuts.cancel(&rewrite.cut);
        if !rewrite.has_begun {
            // Somebody has to walk it to its end.
            let place = append_only::place(&self.settings);
            self.server.host.saver.order(saver::Order::Base(rewrite.cut, place));
        }
        if let Some(writer) = &mut self.writer {
            writer.abort_rewrite();
        }
        let figures = &self.server.host.append_only.figures;
        figures.rewrite_failures_in_a_row.fetch_add(1, Relaxed);
        figures.has_rewrite_failed.store(true, Relaxed);
        figures.rewrite_since_ms.store(0, Relaxed);
        let needs_base = self.writer.as_ref().is_some_and(|w| w.has_no_base() || w.is_in_doubt());
        figures.is_rewrite_scheduled.store(needs_base, Relaxed);
        self.end_alone();
        log::warning(format_args!("Background AOF rewrite terminated: {error}"));
    }

    /// Stops a rewrite: nobody wants it any more.
    fn give_up_rewrite(&mut self) {
        // Who writes the base finds that the cut is cancelled.
        self.fail_rewrite(&Unwritten::Cancelled);
    }

    fn sync(&mut self, now_ns: u64) -> io::Result<()> {
        let Some(writer) = &mut self.writer else { return Ok(()) };
        let since = &self.server.host.append_only.figures.sync_since_ns;
        since.store(now_ns.max(1), Relaxed);
        let outcome = writer.sync();
        since.store(0, Relaxed);
        if self.settings.appendfsync == SyncPolicy::Always {
            self.note_duration(Event::AofSync, now_ns);
        }
        outcome?;
        self.synced_ns = now_ns;
        self.synced = self.written;
        self.release(self.written);
        Ok(())
    }

    /// Lets replies leave that tell of nothing behind `offset`.
    fn release(&self, offset: u64) {
        let journal = &self.server.engine.journal;
        journal.made_safe(offset);
        if journal.holds_replies() {
            self.server.inboxes.journal_is_safe();
        }
    }

    /// Writes all that was appended.
    fn write_all(&mut self) -> io::Result<()> {
        loop {
            if self.piece.bytes.is_empty() {
                self.take();
            }
            if self.piece.bytes.is_empty() {
                return Ok(());
            }
            self.write()?;
        }
    }

    /// Has all that was appended in files from which it can be loaded.
    fn prove(&mut self) -> io::Result<()> {
        match &self.writer {
            Some(writer) if !writer.has_no_base() => {}
            _ => return Err(io::Error::other("there is no base yet")),
        }
        self.write_all()?;
        self.sync(self.server.engine.clock().now_ns())
    }

    /// Writes and syncs all there is, and lets the file be.
    fn let_go(&mut self) {
        if self.writer.is_none() {
            return;
        }
        if let Err(error) = self.write_all() {
            log::warning(format_args!(
                "What was changed last is not in the append-only file: {}",
                os_reason(&error)
            ));
        }
        if let Err(error) = self.sync(self.server.engine.clock().now_ns()) {
            log::warning(format_args!("Error syncing the AOF file: {}", os_reason(&error)));
        }
        self.server.engine.journal.set_failure(None);
        self.server.engine.journal.hold_replies(false);
        self.server.inboxes.journal_is_safe();
        self.server.host.append_only.figures.is_on.store(false, Relaxed);
        self.piece = Piece::default();
        self.writer = None;
    }

    fn fail(&mut self, what: &str, error: &io::Error) {
        let (now_ns, reason) = (self.server.engine.clock().now_ns(), os_reason(error));
        let is_told =
            self.complained_ns.is_some_and(|told_ns| now_ns - told_ns < COMPLAINT_PERIOD_NS);
        if !is_told {
            self.complained_ns = Some(now_ns);
            log::warning(format_args!("{what}: {reason}"));
        }
        self.server.engine.journal.set_failure(Some(&reason));
        if self.writer.as_ref().is_some_and(|writer| writer.is_in_doubt()) && self.rewrite.is_none()
        {
            // Nothing else helps.
            self.server.host.append_only.figures.is_rewrite_scheduled.store(true, Relaxed);
        }
        self.server.host.append_only.figures.has_write_failed.store(true, Relaxed);
    }

    fn succeed(&mut self) {
        if self.complained_ns.take().is_some() {
            log::warning(format_args!("AOF write error looks solved. The server can write again."));
            self.server.engine.journal.set_failure(None);
            self.server.host.append_only.figures.has_write_failed.store(false, Relaxed);
        }
    }

    /// Tells INFO how long the files are.
    fn show(&self) {
        let Some(writer) = &self.writer else { return };
        let figures = &self.server.host.append_only.figures;
        figures.len.store(writer.len(), Relaxed);
    }
}
