//! Periodic jobs: a list, run by one thread that sleeps in between.
//!
//! The thread takes part like any that executes calls: it has a number at the gate, marks itself inside, and takes shards
//! one at a time, only when they are free.

use crate::clients::limits;
use crate::config::SavePoint;
use crate::log;
use crate::persistence::append_only;
use crate::server::{Further, Server};
use base::lock::Token;
use engine::cut::{Cut, CutWalk, Step};
use engine::data::Data;
use engine::expiry::Care;
use engine::latency::Event;
use engine::pause::Paused;
use engine::{Executor, Session};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering, Ordering::Relaxed};
use std::thread::Thread;
use std::time::Duration;
use store::Fetched;

/// How the thread of the periodic jobs is stopped from outside.
#[derive(Default)]
pub struct CronSwitch {
    is_stopping: AtomicBool,
    thread: parking_lot::Mutex<Option<Thread>>,
}

impl CronSwitch {
    /// Ends the thread.
    pub fn stop(&self) {
        self.is_stopping.store(true, Ordering::Release);
        if let Some(thread) = &*self.thread.lock() {
            thread.unpark();
        }
    }
}

/// The part of a core that looking after the shards may take, as one in so many.
const CARE_SHARE: u32 = 10;

/// The same, while entries are past their deadline by more than a round of the shards.
const CARE_SHARE_BEHIND: u32 = 4;

/// How long the shards are looked after without a pause.
const CARE_BURST: Duration = Duration::from_millis(1);

/// How often every shard is looked after at least.
const CARE_PERIOD: Duration = Duration::from_millis(100);

/// How often it is looked whether the append-only file is to be rewritten.
const AOF_PERIOD: Duration = Duration::from_millis(100);

/// How soon that is tried again after it has failed.
const AOF_RETRY_PERIOD: Duration = Duration::from_secs(5);

/// For how long a sync may go on before who would write waits.
const SYNC_LATE_NS: u64 = 2_000_000_000;

/// How long the thread waits at the gate before it looks again.
const GATE_PAUSE: Duration = Duration::from_micros(100);

/// How soon after a failure a snapshot is tried again.
const SNAPSHOT_RETRY_MS: u64 = 5000;

/// What jobs work with.
struct Cron<'s> {
    server: &'s Server,
    executor: Executor<'s>,
    /// In the name of which shards are looked after.
    session: Session,
    /// The shard to go on with.
    next_shard: usize,
    /// Shards of the present round that have more to do. Those that somebody else had wait for the next.
    unfinished: usize,
    is_behind: bool,
    /// How far the present cut was when it was looked at, with its time, and since when it stands still.
    cut_steps: u64,
    /// How often all data went, up to now.
    flushes: u64,
    cut_stands_since_ns: u64,
}

/// One periodic job: does its work, and says after how long it wants to be run again.
type Job = fn(&mut Cron<'_>) -> Duration;

/// Every job.
const JOBS: &[Job] = &[
    |cron| cron.end_pause(),
    |cron| cron.sample_rates(),
    |cron| cron.look_after_clients(),
    |cron| cron.look_after_clients_memory(),
    |cron| cron.look_after_append_only(),
    |cron| cron.look_after_shards(),
    |cron| cron.look_after_snapshots(),
];

/// Runs the jobs until they are stopped.
pub fn run(server: &Arc<Server>, switch: &CronSwitch) {
    *switch.thread.lock() = Some(std::thread::current());
    let mut cron = Cron::new(server);
    let mut due_ns = vec![0; JOBS.len()];
    while !switch.is_stopping.load(Ordering::Acquire) {
        if server.engine.switches.pauses_jobs.is_on() {
            std::thread::park_timeout(CARE_PERIOD);
            continue;
        }
        let now_ns = server.engine.clock().now_ns();
        for (job, due_ns) in JOBS.iter().zip(&mut due_ns) {
            if *due_ns <= now_ns {
                let period = job(&mut cron);
                *due_ns = now_ns + period.as_nanos() as u64;
            }
        }
        let next_ns = due_ns.iter().copied().min().unwrap_or(now_ns);
        let now_ns = server.engine.clock().now_ns();
        std::thread::park_timeout(Duration::from_nanos(next_ns.saturating_sub(now_ns)));
    }
}

impl<'s> Cron<'s> {
    fn new(server: &'s Server) -> Self {
        let token = server.inboxes.token_of_this_thread();
        let number = server.number_of(Further::Cron);
        Self {
            server,
            executor: Executor::new(&server.engine, &server.host, number),
            session: Session::new(0, token, Arc::new(())),
            next_shard: 0,
            unfinished: 0,
            is_behind: false,
            cut_steps: 0,
            cut_stands_since_ns: 0,
            flushes: 0,
        }
    }

    /// Expired entries go, and tables get on with changing their size: all shards in turn, in short bursts.
    fn look_after_shards(&mut self) -> Duration {
        let clock = self.server.engine.clock();
        let shards = self.server.engine.keyspace.locks().len();
        let is_paused = self.server.engine.pause.paused() != Paused::Nothing;
        let expires = !is_paused && self.server.host.expires_actively();
        let started_ns = clock.now_ns();
        loop {
            let care = self.look_after_shard(expires);
            self.unfinished += usize::from(care == Care::More);
            self.next_shard += 1;
            if self.next_shard == shards {
                let is_done = self.unfinished == 0;
                (self.next_shard, self.unfinished) = (0, 0);
                // A round that leaves something over is followed by another at once.
                self.is_behind = !is_done;
                if is_done {
                    return CARE_PERIOD;
                }
            }
            let spent = Duration::from_nanos(clock.now_ns() - started_ns);
            if CARE_BURST <= spent {
                let share = if self.is_behind { CARE_SHARE_BEHIND } else { CARE_SHARE };
                return spent * (share - 1);
            }
        }
    }

    /// Looks after the next shard.
    fn look_after_shard(&mut self, expires: bool) -> Care {
        let engine = &self.server.engine;
        let started_ns = engine.clock().now_ns();
        let care = self.executor.look_after_shard(&mut self.session, self.next_shard, expires);
        let duration_ns = engine.clock().now_ns().saturating_sub(started_ns);
        if expires {
            // Whoever wanted this shard had to wait for so long.
            engine.note_duration(&engine.settings(), Event::ExpireCycle, duration_ns);
        }
        care
    }

    /// The append-only file is rewritten when it has grown, or when that was put off; and who would write
    /// waits while a sync does not come to its end.
    fn look_after_append_only(&mut self) -> Duration {
        let (engine, host) = (&self.server.engine, &self.server.host);
        let (figures, settings) = (&host.append_only.figures, host.settings());
        let since_ns = figures.sync_since_ns.load(Relaxed);
        let now_ns = engine.clock().now_ns();
        if since_ns != 0 && SYNC_LATE_NS < now_ns.saturating_sub(since_ns) {
            engine.journal.set_congested(true);
            // The sync may have come to its end just now: then the keeper has to say so.
            host.append_only.look_at_settings();
            figures.delayed_syncs.fetch_add(1, Relaxed);
        }
        let is_idle = !host.is_saving() && engine.cuts.present().is_none();
        let has_failed = figures.has_rewrite_failed.load(Relaxed);
        if !is_idle || !figures.is_on.load(Relaxed) || engine.loading.is_on() {
            return AOF_PERIOD;
        }
        let growth = figures.growth_percent(&settings);
        if let Some(percent) = growth {
            log::notice(format_args!("Starting automatic rewriting of AOF on {percent}% growth"));
        }
        if growth.is_some() || figures.is_rewrite_scheduled.load(Relaxed) {
            let act = |data: &mut Data<'_>| {
                // Data may be loaded anew since it was looked.
                if !engine.loading.is_on() {
                    append_only::rewrite(engine, data, host);
                }
            };
            while self.executor.alone(&mut self.session, act).is_err() {
                std::thread::park_timeout(GATE_PAUSE);
            }
        }
        // Whatever was in the way may still be.
        if has_failed { AOF_RETRY_PERIOD } else { AOF_PERIOD }
    }

    /// Save points, snapshots that were put off, and disks that stand still.
    fn look_after_snapshots(&mut self) -> Duration {
        let period = Duration::from_millis(100);
        let (engine, host) = (&self.server.engine, &self.server.host);
        let (now_ms, snapshots) = (engine.clock().wall_ms(), &host.snapshots);
        if let Some(cut) = engine.cuts.present() {
            self.look_after_cut(&cut);
            return period;
        }
        if snapshots.running().is_some() || engine.loading.is_on() {
            return period;
        }
        let since_try_ms = now_ms.saturating_sub(snapshots.tried_ms.load(Relaxed));
        if engine.cuts.has_failed() && since_try_ms <= SNAPSHOT_RETRY_MS {
            return period;
        }
        let changes = engine.changes().saturating_sub(snapshots.changes_at_save.load(Relaxed));
        let since_save_s = now_ms.saturating_sub(snapshots.saved_ms.load(Relaxed)) / 1000;
        let settings = host.settings();
        let reached = settings.save.iter().find(|point| {
            u64::from(point.changes) <= changes && u64::from(point.seconds) < since_save_s
        });
        if let Some(SavePoint { seconds, changes }) = reached {
            log::notice(format_args!("{changes} changes in {seconds} seconds. Saving..."));
        }
        let flushes = engine.cuts.flushes();
        let is_emptied = self.flushes != flushes && !settings.save.is_empty();
        self.flushes = flushes;
        if reached.is_some() || is_emptied || snapshots.is_scheduled.load(Relaxed) {
            host.saver.begin();
        }
        period
    }

    /// Gives a cut up of which the disk has taken nothing for too long.
    fn look_after_cut(&mut self, cut: &Arc<Cut>) {
        let (engine, host) = (&self.server.engine, &self.server.host);
        let (steps, now_ns) = (cut.steps() + cut.at_ms, engine.clock().now_ns());
        if self.cut_steps != steps {
            (self.cut_steps, self.cut_stands_since_ns) = (steps, now_ns);
        }
        if now_ns.saturating_sub(self.cut_stands_since_ns) < host.stall_ns_max {
            return;
        }
        engine.cuts.cancel(cut);
        if host.snapshots.ended(engine, cut, false) {
            let seconds = host.stall_ns_max / 1_000_000_000;
            log::warning(format_args!(
                "Background saving error: the disk took nothing for {seconds} s"
            ));
        }
        let (mut walk, mut fetched) = (CutWalk::new(cut), Fetched::default());
        while self.executor.step_cut(&mut self.session, &mut walk, &mut fetched) == Step::More {
            engine.cuts.written(&mut fetched);
        }
    }

    /// CLIENT PAUSE ends.
    fn end_pause(&mut self) -> Duration {
        let engine = &self.server.engine;
        let tokens: Vec<Token> = engine.pause.end_if_due(engine.clock().wall_ms());
        engine.wake_all(tokens);
        let is_paused = engine.pause.paused() != Paused::Nothing;
        Duration::from_millis(if is_paused { 5 } else { 50 })
    }

    /// What INFO shows per second.
    fn sample_rates(&mut self) -> Duration {
        let now_ns = self.server.engine.clock().now_ns();
        let threads = self.server.engine.threads().iter();
        let commands = threads.map(|thread| thread.commands_processed.value()).sum();
        let sums = self.server.statistics.sums();
        let mut rates = self.server.statistics.rates.lock();
        rates.commands.sample(commands, now_ns);
        rates.bytes_read.sample(sums.bytes_read, now_ns);
        rates.bytes_written.sample(sums.bytes_written, now_ns);
        rates.cycles.sample(sums.cycles, now_ns);
        rates.cycles_ns.sample(sums.cycles_ns, now_ns);
        Duration::from_millis(100)
    }

    /// `maxmemory-clients`, after the setting itself has changed.
    fn look_after_clients_memory(&mut self) -> Duration {
        self.server.host.keep_clients_within_limit();
        Duration::from_millis(100)
    }

    /// Clients that ask nothing, or don't read, for too long.
    fn look_after_clients(&mut self) -> Duration {
        let (server, now_ns) = (self.server, self.server.engine.clock().now_ns());
        let settings = server.host.settings();
        let idle_ns_max = u64::from(settings.timeout_s) * 1_000_000_000;
        let mut ended = Vec::new();
        server.registry.for_each(|record| {
            let counts = &record.counts;
            let since_ns = counts.soft_limit_since_ns.load(Relaxed);
            let is_subscriber = record.is_subscriber();
            let may_be_idle = idle_ns_max == 0 || is_subscriber || record.is_monitor();
            let is_idle = !may_be_idle && idle_ns_max < record.idle_ns(now_ns);
            let limit = limits::of_class(&settings, is_subscriber);
            let is_slow = limits::has_lapsed(limit, since_ns, now_ns);
            if is_idle || is_slow {
                ended.push((Arc::clone(record), is_slow));
            }
        });
        for (record, is_slow) in ended {
            if is_slow {
                server.host.log_output_limit(&record);
            }
            server.registry.kill(&record);
        }
        Duration::from_secs(1)
    }
}
