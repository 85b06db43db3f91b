//! The engine: everything that all threads share.

use crate::acl::Acl;
use crate::blocking::Blocking;
use crate::call_log::CallLogs;
use crate::command::Command;
use crate::cut::Cuts;
use crate::data::Reclaim;
use crate::hot_keys::HotKeys;
use crate::journal::Journal;
use crate::keyspace::Keyspace;
use crate::latency::{Event, Spikes};
use crate::loading::Loading;
use crate::monitors::Monitors;
use crate::pause::{Pause, Paused};
use crate::pubsub::PubSub;
use crate::scripting::Scripts;
use crate::scripting::functions::Functions;
use crate::settings::Settings;
use crate::statistics::{ErrorStatistics, ThreadStatistics};
use crate::switches::Switches;
use crate::table::CommandTable;
use crate::tracking::Tracking;
use arc_swap::ArcSwap;
use base::clock::Clock;
use base::lock::{Gate, Tickets, Token, Wake};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What an engine is built from.
pub struct Parts {
    /// Own rows of whoever builds it, beside the engine's families.
    pub rows: Vec<&'static [Command]>,
    pub settings: Settings,
    pub clock: Arc<dyn Clock>,
    pub wake: Arc<dyn Wake>,
    pub reclaim: Box<dyn Reclaim + Send + Sync>,
    /// Power of two.
    pub shards: usize,
    /// Threads that may execute calls at the same time.
    pub threads: usize,
    /// Of the keyed hash and every random choice.
    pub seed: u64,
}

/// The shared state of a server.
pub struct Engine {
    pub table: CommandTable,
    pub acl: Acl,
    pub keyspace: Keyspace,
    pub gate: Gate,
    pub tickets: Tickets,
    pub pause: Pause,
    pub pubsub: PubSub,
    pub blocking: Blocking,
    pub scripts: Scripts,
    pub functions: Functions,
    pub errors: ErrorStatistics,
    pub call_logs: CallLogs,
    pub spikes: Spikes,
    pub monitors: Monitors,
    pub journal: Journal,
    pub cuts: Cuts,
    pub tracking: Tracking,
    pub switches: Switches,
    pub hot_keys: HotKeys,
    pub loading: Loading,
    pub(crate) reclaim: Box<dyn Reclaim + Send + Sync>,
    pub(crate) seed: u64,
    settings: ArcSwap<Settings>,
    settings_generation: AtomicU64,
    threads: Box<[ThreadStatistics]>,
    clock: Arc<dyn Clock>,
    wake: Arc<dyn Wake>,
}

impl Engine {
    /// Builds an engine with an empty keyspace.
    pub fn new(parts: Parts) -> Self {
        let mut families = crate::commands::FAMILIES.to_vec();
        families.extend(parts.rows);
        let table = CommandTable::new(&families);
        let threads = (0..parts.threads).map(|_| ThreadStatistics::new(table.count())).collect();
        Self {
            acl: Acl::new(&parts.settings.password),
            keyspace: Keyspace::new(
                parts.shards,
                parts.settings.databases,
                parts.seed,
                &parts.wake,
            ),
            gate: Gate::new(parts.threads, Arc::clone(&parts.wake)),
            tickets: Tickets::default(),
            pause: Pause::default(),
            pubsub: PubSub::new(parts.seed),
            blocking: Blocking::default(),
            scripts: Scripts::new(parts.threads),
            functions: Functions::default(),
            errors: ErrorStatistics::default(),
            call_logs: CallLogs::default(),
            spikes: Spikes::default(),
            monitors: Monitors::default(),
            journal: Journal::default(),
            cuts: Cuts::default(),
            tracking: Tracking::default(),
            switches: Switches::default(),
            hot_keys: HotKeys::default(),
            loading: Loading::default(),
            reclaim: parts.reclaim,
            seed: parts.seed,
            settings: ArcSwap::from_pointee(parts.settings),
            settings_generation: AtomicU64::new(0),
            threads,
            clock: parts.clock,
            wake: parts.wake,
            table,
        }
    }

    /// Publishes new settings; behind the gate, so that no call runs with both.
    pub fn publish_settings(&self, settings: Settings) {
        self.call_logs.trim(&settings);
        self.settings.store(Arc::new(settings));
        // Pairs with the acquire in `settings_generation`.
        self.settings_generation.fetch_add(1, Ordering::Release);
    }

    /// Has changes recorded in the journal from now on, or no more; behind the gate, or before anything runs.
    pub fn set_journaled(&self, is_journaled: bool) {
        self.journal.set_on(is_journaled);
        // Threads look at it when they look at the settings.
        self.settings_generation.fetch_add(1, Ordering::Release);
    }

    /// Something was appended to the journal.
    pub(crate) fn wake_journal_reader(&self) {
        self.journal.wake_reader(&*self.wake);
    }

    /// Notes that something took so long, if that counts as a latency spike.
    pub fn note_duration(&self, settings: &Settings, event: Event, nanoseconds: u64) {
        if settings.spike_ns_min <= nanoseconds {
            self.spikes.note(event, nanoseconds, self.clock.wall_ms() / 1000);
        }
    }

    /// Sets all statistics back to zero (CONFIG RESETSTAT).
    pub fn reset_statistics(&self) {
        self.threads.iter().for_each(ThreadStatistics::reset);
        self.errors.reset();
        self.acl.reset_statistics();
    }

    /// Wakes those whose wait is over.
    pub fn wake_all(&self, tokens: Vec<Token>) {
        tokens.into_iter().for_each(|token| self.wake.wake(token));
    }

    /// The settings now.
    pub fn settings(&self) -> Arc<Settings> {
        self.settings.load_full()
    }

    /// Changes whenever the settings do.
    #[inline]
    pub fn settings_generation(&self) -> u64 {
        self.settings_generation.load(Ordering::Acquire)
    }

    /// Whether anything at all may refuse calls, or let them wait, that has nothing to do with who makes them: each
    /// call looks here, and only when something is there at what it is.
    #[inline]
    pub(crate) fn is_hindered(&self) -> bool {
        self.loading.is_on()
            || self.cuts.has_failed()
            || self.journal.has_failed()
            || self.pause.paused() != Paused::Nothing
            || self.journal.is_congested()
            || self.cuts.holds_writers()
    }

    /// The clock, for what outlives a call.
    pub(crate) fn shared_clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    /// The clock that this engine lives by.
    #[inline]
    pub fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// Changes of data that were counted so far.
    pub fn changes(&self) -> u64 {
        self.threads.iter().map(|thread| thread.changes.value()).sum()
    }

    /// Counters of every executing thread.
    pub fn threads(&self) -> &[ThreadStatistics] {
        &self.threads
    }
}
