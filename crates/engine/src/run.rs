//! The life of one call: request → admission → locks → command → what follows → reply.
//!
//! An [`Executor`] belongs to one thread. It serves one connection at a time: as many complete
//! requests as the input holds, in order, until one has to wait. A call that has to wait is
//! *suspended*: it leaves nothing behind but its place in a queue, its request stays in the input,
//! and is parsed again when the session's token is woken.

use crate::admit;
use crate::batch::{Batch, End, REQUESTS_MAX, Request};
use crate::blocking::Leftover;
use crate::command::{FindScript, Flags, Outcome, Reach};
use crate::context::{Ctx, HashedKey, Origin};
use crate::data::{Data, Notices, access_clock};
use crate::engine::Engine;
use crate::error::CommandError;
use crate::finished::{self, Finished};
use crate::host::Host;
use crate::keys;
use crate::lfu::Frequency;
use crate::monitors::{self, Moment};
use crate::pushes::{self, Delivery};
use crate::scripting::ThreadScripting;
use crate::session::{QueuedCall, Replies, Session};
use crate::settings::Settings;
use crate::table::Entry;
use crate::tracking;
use crate::watch::{WatchFlag, WatchedKey};
use base::lock::{Queued, Token, acquire_set};
use resp::{Argv, Limits, ProtocolError, Reply, RequestParser};
use smallvec::SmallVec;
use std::sync::Arc;

/// A reply that has grown to this many bytes is written before the next request is run.
const REPLY_BYTES_SOFT_MAX: usize = 1 << 20;

/// How long the gate stays closed for one call of a batch after the other: closing it costs more than a
/// short script, and nobody notices so short a time.
const GATE_KEPT_NS_MAX: u64 = 50_000;

/// A call that took longer than this makes the wall clock stale.
const WALL_CLOCK_STALE_NS: u64 = 100_000;

/// After so long a call that is held up looks again whether the journal's reader, or a cut's, has caught up.
const HELD_UP_RETRY_NS: u64 = 1_000_000;

const CROSS_PROTOCOL_WARNING: &str = "Possible SECURITY ATTACK detected: a client sent POST or \
    Host: commands, as in an attack by cross-protocol scripting. Its connection was closed.";

/// Runs calls on one thread.
pub struct Executor<'e> {
    pub(crate) engine: &'e Engine,
    pub(crate) host: &'e dyn Host,
    /// This thread's number, at the gate and in the statistics.
    slot: usize,
    pub(crate) settings: Arc<Settings>,
    settings_generation: u64,
    acl_generation: u64,
    pub(crate) data: Data<'e>,
    pub(crate) scripting: ThreadScripting,
    batch: Batch,
    /// Database and hash of keys whose buckets are on the way into the cache.
    ahead: SmallVec<[(usize, u64); 16]>,
    keys: Vec<HashedKey>,
    /// Watches that have ended and are still in their shards' tables.
    unwatched: Vec<(WatchedKey, Arc<WatchFlag>)>,
    /// Waiters that are over and still in their shards' tables.
    pub(crate) leftovers: Vec<Leftover>,
    /// Waiters that were served and are not woken yet, and since when the first of them.
    pub(crate) woken: Vec<Token>,
    pub(crate) woken_since_ns: u64,
    /// Monotonic time at which this thread has closed the gate last.
    gate_closed_ns: u64,
    /// Something was appended to the journal, and its reader was not woken yet.
    pub(crate) has_journaled: bool,
    pub(crate) wall_ms: u64,
    /// Monotonic time at the end of the last call.
    pub(crate) tick_ns: u64,
}

/// How far a connection's input was served.
pub struct Progress {
    /// Bytes of the input that are done with.
    pub consumed: usize,
    pub state: Served,
}

/// Why serving stopped.
#[derive(Debug)]
pub enum Served {
    /// After all complete requests; at least `wanted` more bytes make the next (0: unknown).
    Idle { wanted: usize },
    /// There may be more requests; the reply should be written first.
    More,
    /// The last request waits in a blocking call: serve again when the session's token is woken, or
    /// at `until` (monotonic nanoseconds). What follows it in the input stays unread.
    Blocked { until: Option<u64> },
    /// The next request waits: serve again when the session's token is woken, or at `retry_at`
    /// (monotonic nanoseconds) if nobody woke it until then.
    Suspended { retry_at: Option<u64> },
    /// The session has ended: write the reply, then close.
    Closing,
    /// The input is no protocol: the reply holds the error; write it, then close.
    Broken(ProtocolError),
}

pub(crate) enum Flow {
    /// Its client waits; at this time for nothing any more.
    Blocked {
        until: Option<u64>,
    },
    Done,
    /// To be tried again when woken, or at this time.
    Suspended {
        retry_at: Option<u64>,
    },
}

impl<'e> Executor<'e> {
    /// An executor for the thread number `slot`.
    pub fn new(engine: &'e Engine, host: &'e dyn Host, slot: usize) -> Self {
        let statistics = &engine.threads()[slot];
        let seed = engine.seed ^ (slot as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let settings = engine.settings();
        let notices = Notices::new(&engine.pubsub, &engine.tracking, host, &settings);
        let mut data = Data::new(&engine.keyspace, statistics, &*engine.reclaim, notices, seed);
        data.recorder.set_on(engine.journal.is_on());
        Self {
            engine,
            host,
            slot,
            settings,
            settings_generation: engine.settings_generation(),
            acl_generation: engine.acl.generation(),
            data,
            scripting: ThreadScripting::new(engine.scripts.running.of_thread(slot)),
            batch: Batch::default(),
            ahead: SmallVec::new(),
            keys: Vec::new(),
            unwatched: Vec::new(),
            leftovers: Vec::new(),
            woken: Vec::new(),
            woken_since_ns: 0,
            gate_closed_ns: 0,
            has_journaled: false,
            wall_ms: 0,
            tick_ns: 0,
        }
    }

    /// An executor that makes the calls of a journal once more.
    pub fn replaying(engine: &'e Engine, host: &'e dyn Host, slot: usize) -> Self {
        let mut executor = Self::new(engine, host, slot);
        executor.data.is_replaying = true;
        // What it changes is in the journal already.
        executor.data.recorder.set_on(false);
        executor
    }

    /// Runs the complete requests in `input`, in order. Replies are appended to `reply`.
    pub fn serve(
        &mut self,
        session: &mut Session,
        parser: &mut RequestParser,
        limits: impl Fn(&Session) -> Limits,
        input: &[u8],
        reply: &mut Reply,
    ) -> Progress {
        self.tick_ns = self.engine.clock().now_ns();
        self.read_wall_clock();
        if let Some(state) = self.serve_blocked(session, reply) {
            self.leave(session);
            return Progress { consumed: 0, state };
        }
        let mut batch = std::mem::take(&mut self.batch);
        let mut consumed = 0;
        let state = loop {
            // Before authentication limits are tighter, so what follows AUTH is not parsed ahead.
            let max = if session.is_authenticated { REQUESTS_MAX } else { 1 };
            let end = batch.read(parser, &limits(session), input, consumed, max);
            // Whoever may not enter now is suspended when the first request runs.
            let is_inside = !self.is_script_busy() && self.enter(session).is_ok();
            batch.look_ahead(self.engine, input, session.db, self.tick_ns, is_inside);
            if let Some(state) =
                self.run_batch(&batch, session, parser, input, &mut consumed, reply)
            {
                parser.reset();
                break state;
            }
            match end {
                End::Input { wanted } => break Served::Idle { wanted },
                End::Full if REPLY_BYTES_SOFT_MAX <= reply.len() => break Served::More,
                End::Full => {}
                End::Broken(error) => {
                    let mut line = b"ERR ".to_vec();
                    error.append_to(&mut line);
                    reply.error(&line);
                    break Served::Broken(error);
                }
            }
        };
        self.batch = batch;
        self.leave(session);
        self.data.statistics.rest();
        Progress { consumed, state }
    }

    /// Goes on with the blocking call in which the session waits; why nothing else is served, if it waits on.
    #[inline]
    fn serve_blocked(&mut self, session: &mut Session, reply: &mut Reply) -> Option<Served> {
        let waiter = Arc::clone(session.blocked.as_ref()?);
        match self.resume(session, &waiter, reply) {
            Flow::Blocked { until } => Some(Served::Blocked { until }),
            Flow::Done => {
                // Somebody else's call may have served it.
                session.reply_offset = session.reply_offset.max(self.engine.journal.end());
                // What was pushed meanwhile may make the reply out of date, so it comes behind it.
                if session.mailbox.as_ref().is_some_and(|mailbox| mailbox.has_waiting()) {
                    self.deliver_pushes(session, reply);
                }
                session.is_closing.then_some(Served::Closing)
            }
            Flow::Suspended { retry_at } => Some(Served::Suspended { retry_at }),
        }
    }

    /// Looks at the first request of an input that will be served soon, and fetches the bucket of
    /// its key into the cache.
    pub fn look_ahead(&mut self, session: &Session, input: &[u8]) {
        if let Some(hash) = self.batch.look_at_first(self.engine, input, session.db) {
            self.ahead.push((session.db, hash));
        }
    }

    /// Fetches the entries of the keys that were looked at, whose buckets should have arrived.
    pub fn fetch_ahead(&mut self, session: &Session) {
        // That takes locks, so it is not for somebody who would have to wait at the gate.
        if !self.engine.gate.is_closed() && self.enter(session).is_ok() {
            for (db, hash) in &self.ahead {
                self.engine.keyspace.prefetch_entry(*db, *hash, self.tick_ns);
            }
            self.data.inside = None;
        }
        self.ahead.clear();
    }

    /// Runs one call with the given arguments, as a client would.
    pub fn call(&mut self, session: &mut Session, argv: Argv<'_>, reply: &mut Reply) -> bool {
        self.tick_ns = self.engine.clock().now_ns();
        self.read_wall_clock();
        let entry = admit::resolve(self.engine.table.lookup(argv), argv);
        let flow = self.run_request(session, entry, None, argv, reply);
        self.leave(session);
        self.hand_over_journal();
        self.data.statistics.rest();
        matches!(flow, Flow::Done)
    }

    /// Ends a session: whatever it waits for or watches is given up.
    pub fn end_session(&mut self, session: &mut Session) {
        self.tick_ns = self.engine.clock().now_ns();
        self.withdraw(session);
        self.abandon_wait(session);
        session.transaction = None;
        session.unwatch();
        self.engine.pubsub.unsubscribe_all(session);
        self.engine.monitors.remove(session);
        self.engine.tracking.forget(session);
        // If the gate is closed now, the watches end a little later, with somebody else's call.
        let _ = self.enter(session);
        self.leave(session);
    }

    /// Writes whatever was pushed to a session behind its replies.
    #[cold]
    pub fn deliver_pushes(&mut self, session: &mut Session, reply: &mut Reply) {
        // Its own loop need not be told any more.
        self.data.notices.postings.told.retain(|token| *token != session.token);
        // Whatever they tell of has happened by now.
        session.reply_offset = session.reply_offset.max(self.engine.journal.end());
        if pushes::deliver(session, self.host, reply) == Delivery::Overflowed {
            self.host.pushes_overflowed(session);
        }
    }

    /// Why the last call was refused that was made once more. What was served is consumed up to it.
    pub fn take_refusal(&mut self) -> Option<Vec<u8>> {
        self.data.refusal.take()
    }

    /// Monotonic time of the last call's end, in nanoseconds.
    pub fn tick_ns(&self) -> u64 {
        self.tick_ns
    }

    fn run_batch(
        &mut self,
        batch: &Batch,
        session: &mut Session,
        parser: &RequestParser,
        input: &[u8],
        consumed: &mut usize,
        reply: &mut Reply,
    ) -> Option<Served> {
        for request in &batch.requests {
            let argv = batch.argv(request, input, parser);
            let (entry, hash) = self.row_of(request, argv);
            let flow = self.run_request(session, entry, hash, argv, reply);
            if self.data.is_replaying && self.is_refused(session, &flow) {
                return Some(Served::Closing);
            }
            match flow {
                Flow::Blocked { until } => {
                    *consumed = request.end;
                    return Some(Served::Blocked { until });
                }
                Flow::Done => *consumed = request.end,
                Flow::Suspended { retry_at } => return Some(Served::Suspended { retry_at }),
            }
            if session.is_closing {
                return Some(Served::Closing);
            }
        }
        None
    }

    /// Whether a call that was made once more has not done what it did.
    #[cold]
    fn is_refused(&mut self, session: &Session, flow: &Flow) -> bool {
        // What changes data neither waits for others nor ends a connection.
        if matches!(flow, Flow::Blocked { .. }) || session.is_closing {
            self.data.refusal = Some(b"it waits, or ends its connection".to_vec());
        }
        self.data.refusal.is_some()
    }

    #[inline]
    fn row_of(
        &self,
        request: &Request,
        argv: Argv<'_>,
    ) -> (Result<&'static Entry, CommandError>, Option<u64>) {
        match request.entry {
            Some(entry) => (Ok(entry), Some(request.hash)),
            None => (admit::resolve(self.engine.table.lookup(argv), argv), None),
        }
    }

    pub(crate) fn run_request(
        &mut self,
        session: &mut Session,
        entry: Result<&'static Entry, CommandError>,
        hash: Option<u64>,
        argv: Argv<'_>,
        reply: &mut Reply,
    ) -> Flow {
        if self.data.exclusive.is_some() && !self.keeps_gate(entry.as_ref().ok()) {
            self.data.exclusive = None;
        }
        let is_busy = self.data.inside.is_none() && self.is_script_busy();
        if !is_busy && let Err(Queued { retry_at }) = self.enter(session) {
            return Flow::Suspended { retry_at: self.retry_before_busy(retry_at) };
        }
        let position = reply.position();
        if session.replies == Replies::SkipNext {
            session.replies = Replies::Skipping;
        }
        let flow = match entry {
            Ok(entry) if is_busy && !runs_while_busy(entry, argv) => {
                self.refuse_while_busy(session, entry, argv, reply);
                Flow::Done
            }
            Ok(entry) => self.run_known(session, entry, hash, argv, reply),
            Err(error) => {
                let error = admit::unresolved(self.engine, &self.settings, session, error);
                self.refuse(session, None, error, reply);
                tracking::called(session, false);
                Flow::Done
            }
        };
        match session.replies {
            Replies::On | Replies::SkipNext => {}
            Replies::Off => reply.truncate(position),
            Replies::Skipping if matches!(flow, Flow::Suspended { .. }) => {
                session.replies = Replies::SkipNext;
            }
            Replies::Skipping => {
                reply.truncate(position);
                session.replies = Replies::On;
            }
        }
        if let Some(mailbox) = &session.mailbox {
            let has_waiting = mailbox.has_waiting();
            if session.tracking.is_some() && matches!(flow, Flow::Done) {
                let row = session.last_command.map(|entry| entry.row);
                let is_kept = row.is_some_and(|row| row.flags.has(Flags::KEEPS_CACHING));
                tracking::called(session, is_kept);
            }
            if has_waiting {
                self.deliver_pushes(session, reply);
            }
        }
        flow
    }

    #[inline]
    fn run_known(
        &mut self,
        session: &mut Session,
        entry: &'static Entry,
        hash: Option<u64>,
        argv: Argv<'_>,
        reply: &mut Reply,
    ) -> Flow {
        session.last_command = Some(entry);
        self.data.statistics.begin(entry.id);
        // Outside of the gate (while a script is busy) there is no room to be made.
        self.data.is_memory_short = admit::is_memory_full(&self.settings)
            && self.is_inside_gate()
            && !self.data.is_replaying
            && self.make_room();
        if let Err(error) = self.admit(session, entry, argv) {
            self.refuse(session, Some(entry), error, reply);
            return Flow::Done;
        }
        if self.engine.is_hindered()
            && !self.data.is_replaying
            && let Some(flow) = self.hold_back(session, entry, reply)
        {
            return flow;
        }
        if let Some(transaction) = &mut session.transaction
            && !entry.row.flags.has(Flags::UNQUEUED)
        {
            transaction.push(QueuedCall::new(entry, argv));
            reply.queued();
            return Flow::Done;
        }
        let mut keys = std::mem::take(&mut self.keys);
        keys.clear();
        let flow = loop {
            keys.clear();
            let held = self.acquire(session, entry, hash, argv, &mut keys);
            if let Some(flow) = self.run_if_held(session, entry, argv, held, &keys, reply) {
                break flow;
            }
        };
        self.keys = keys;
        flow
    }

    /// Refuses a call that the state of the server does not allow, or lets it wait.
    #[cold]
    fn hold_back(
        &mut self,
        session: &mut Session,
        entry: &'static Entry,
        reply: &mut Reply,
    ) -> Option<Flow> {
        let outcome = admit::loading(self.engine, &self.settings, session, entry);
        if outcome.is_err() && session.blocked.is_some() {
            // It has begun before, and goes on afterwards.
            self.withdraw(session);
            return Some(Flow::Suspended { retry_at: Some(self.tick_ns + HELD_UP_RETRY_NS) });
        }
        let outcome =
            outcome.and_then(|()| admit::disk(self.engine, &self.settings, session, entry));
        if let Err(error) = outcome {
            self.refuse(session, Some(entry), error, reply);
            return Some(Flow::Done);
        }
        if admit::is_paused(self.engine, session, entry) && self.engine.pause.wait(session.token) {
            self.withdraw(session);
            return Some(Flow::Suspended { retry_at: None });
        }
        let is_held_up = self.engine.journal.is_congested() || self.engine.cuts.holds_writers();
        if is_held_up && admit::may_be_held_up(session, entry) {
            self.withdraw(session);
            return Some(Flow::Suspended { retry_at: Some(self.tick_ns + HELD_UP_RETRY_NS) });
        }
        None
    }

    /// `None`: the call needs other locks than it was thought to, and nothing has come of it.
    #[inline]
    fn run_if_held(
        &mut self,
        session: &mut Session,
        entry: &'static Entry,
        argv: Argv<'_>,
        held: Result<(), Queued>,
        keys: &[HashedKey],
        reply: &mut Reply,
    ) -> Option<Flow> {
        match held {
            Ok(())
                if self.data.exclusive.is_some()
                    && let Err(error) = self.admit_behind_gate(session, entry, argv) =>
            {
                self.data.release();
                self.refuse(session, Some(entry), error, reply);
                Some(Flow::Done)
            }
            Ok(()) => {
                session.waiting_since = None;
                session.further.clear();
                let flow = self.run_held(session, entry, argv, keys, reply);
                if self.data.recorder.is_on() {
                    self.enter_in_journal(session, entry);
                }
                self.data.guards.clear();
                if !self.woken.is_empty() {
                    self.wake_if_late();
                }
                flow
            }
            Err(Queued { retry_at }) => {
                let since_ns = *session.waiting_since.get_or_insert(self.tick_ns);
                let retry_at = if self.data.inside.is_none() {
                    // Who waits for the gate may wait for a script.
                    self.retry_before_busy(retry_at)
                } else if self.is_script_in_the_way(since_ns) {
                    self.refuse_while_busy(session, entry, argv, reply);
                    return Some(Flow::Done);
                } else {
                    self.retry_while_waiting(retry_at, since_ns)
                };
                Some(Flow::Suspended { retry_at })
            }
        }
    }

    /// Appends what stands for the call to the journal, and notes up to where that must be safe before the
    /// reply may leave: up to the newest change in the shards that the call has used.
    #[inline(never)]
    fn enter_in_journal(&mut self, session: &mut Session, entry: &Entry) {
        let journal = &self.engine.journal;
        if !self.data.recorder.is_empty() {
            let end = journal.append(&mut self.data.recorder);
            self.has_journaled = true;
            for (_, shard) in &mut self.data.guards {
                shard.journaled = end;
            }
            session.written_offset = end;
            session.reply_offset = session.reply_offset.max(end);
        }
        if journal.holds_replies() {
            let newest = self.data.guards.iter().map(|(_, shard)| shard.journaled).max();
            let used = match newest {
                Some(newest) => newest,
                None if matches!(entry.row.reach, Reach::None) => 0,
                // It has taken shards one by one, and let go of them.
                None => journal.end(),
            };
            session.reply_offset = session.reply_offset.max(used);
        }
    }

    /// Admits a call, with the rights that its user has now.
    // Left to itself the compiler makes a function of it: 25 more instructions for each call.
    #[inline(always)]
    fn admit(&mut self, session: &mut Session, entry: &'static Entry, argv: Argv<'_>) -> Outcome {
        if self.data.is_replaying {
            return admit::arity(entry, argv);
        }
        if session.acl_generation != self.acl_generation {
            self.engine.acl.refresh(session);
        }
        let is_short = self.data.is_memory_short;
        admit::admit(self.engine, self.host, &self.settings, session, entry, argv, is_short)
    }

    /// Admits a call once more: while it closed the gate, users may have changed, or data be loaded anew.
    fn admit_behind_gate(
        &mut self,
        session: &mut Session,
        entry: &'static Entry,
        argv: Argv<'_>,
    ) -> Outcome {
        if !self.data.is_replaying {
            admit::loading(self.engine, &self.settings, session, entry)?;
        }
        if session.acl_generation != self.acl_generation {
            self.admit(session, entry, argv)?;
        }
        Ok(())
    }

    /// Runs an admitted call whose locks are held.
    #[inline]
    fn run_held(
        &mut self,
        session: &mut Session,
        entry: &'static Entry,
        argv: Argv<'_>,
        keys: &[HashedKey],
        reply: &mut Reply,
    ) -> Option<Flow> {
        self.begin_call(session);
        let started = self.tick_ns;
        let position = reply.position();
        let waiter = session.blocked.clone();
        let mut ctx = Ctx {
            argv,
            entry,
            origin: Origin::Client,
            data: &mut self.data,
            reply,
            session,
            engine: self.engine,
            settings: &self.settings,
            host: self.host,
            scripting: &self.scripting,
            keys,
            waiter,
            has_waited: false,
            runs_again: false,
            started_ns: started,
        };
        let outcome = invoke(&mut ctx);
        let (has_waited, runs_again) = (ctx.has_waited, ctx.runs_again);
        if runs_again {
            reply.truncate(position);
            return None;
        }
        self.tick_ns = self.engine.clock().now_ns();
        let duration = self.tick_ns.saturating_sub(started);
        let flow = if has_waited {
            self.waited(session, duration)
        } else {
            if self.data.exclusive.is_some() {
                // CONFIG SET counts by the settings that it has made.
                self.read_settings();
            }
            self.note(&Finished {
                entry,
                argv,
                session,
                nanoseconds: duration,
                reply_bytes: reply.len_since(position),
                is_failed: outcome.is_err(),
                is_within_script: false,
            });
            Flow::Done
        };
        if !self.data.ready.is_empty() {
            self.serve_waiters();
        }
        self.data.notices.finish();
        self.data.statistics.changes.add(self.data.changes);
        if WALL_CLOCK_STALE_NS < duration {
            self.read_wall_clock();
        }
        Some(flow)
    }

    /// Fixes what a call sees: the time, the database, how uses are counted.
    #[inline]
    fn begin_call(&mut self, session: &Session) {
        let mut now_ms = self.wall_ms;
        if !self.data.is_replaying {
            for (_, shard) in &mut self.data.guards {
                now_ms = shard.data.observe_ms(now_ms);
            }
        }
        self.data.now_ms = now_ms;
        self.data.frequency = self.settings.frequency(&self.engine.keyspace.moments, now_ms);
        let used_ms = if self.data.is_replaying { self.engine.clock().wall_ms() } else { now_ms };
        self.data.from_ms = used_ms;
        self.data.access_clock =
            self.data.frequency.map_or_else(|| access_clock(used_ms), Frequency::fresh);
        self.data.db = session.db;
        self.data.notices.begin(session.id);
        self.data.is_no_touch = session.is_no_touch;
        self.data.is_lrm = self.settings.memory_policy.is_lrm();
        self.data.changes = 0;
        self.data.recorder.begin();
    }

    /// Locks what a call touches. On `Queued` nothing is held, and the session's token is woken
    /// when it is worth another try.
    #[inline]
    fn acquire(
        &mut self,
        session: &mut Session,
        entry: &'static Entry,
        hash: Option<u64>,
        argv: Argv<'_>,
        keys: &mut Vec<HashedKey>,
    ) -> Result<(), Queued> {
        match entry.row.reach.of(argv) {
            Reach::None => return Ok(()),
            Reach::Keys => {
                if let Some(argument) = entry.only_key
                    && session.further.is_empty()
                {
                    let hash = hash.unwrap_or_else(|| self.engine.keyspace.hash(argv.at(argument)));
                    keys.push(HashedKey { argument, hash });
                    self.acquire_one(session, hash)?;
                } else {
                    self.hash_keys(entry, argv, hash, keys);
                    let own = keys.iter().map(|key| key.hash);
                    let hashes = own.chain(session.further.iter().copied()).collect();
                    self.acquire_many(session, hashes)?;
                }
            }
            Reach::All => return self.acquire_all(session),
            Reach::Script(find) => self.acquire_script(session, entry, find, (argv, hash), keys)?,
            // Inside its own walk a call takes one shard at a time, and no mark at the gate may
            // stand for as long as that takes.
            Reach::Slices => return Ok(()),
            Reach::Transaction => self.acquire_transaction(session)?,
            Reach::ByArguments(_) => unreachable!("a reach by arguments yields a plain one"),
        }
        if self.data.guards.iter().any(|(_, shard)| shard.waiting.is_wide()) {
            return self.widen(session, entry, argv);
        }
        Ok(())
    }

    #[inline]
    fn acquire_one(&mut self, session: &mut Session, hash: u64) -> Result<(), Queued> {
        let index = self.engine.keyspace.shard_index(hash);
        let lock = &self.engine.keyspace.locks()[index];
        let guard = lock.acquire(&mut session.claim, session.token, self.tick_ns)?;
        self.data.guards.push((index as u32, guard));
        Ok(())
    }

    pub(crate) fn acquire_many(
        &mut self,
        session: &mut Session,
        hashes: SmallVec<[u64; 16]>,
    ) -> Result<(), Queued> {
        let keyspace = &self.engine.keyspace;
        let mut indices: SmallVec<[u32; 16]> =
            hashes.iter().map(|hash| keyspace.shard_index(*hash) as u32).collect();
        indices.sort_unstable();
        indices.dedup();
        let insist = self.is_insisting(session);
        acquire_set(
            keyspace.locks(),
            &indices,
            &mut session.claim,
            session.token,
            &self.engine.tickets,
            self.tick_ns,
            insist,
            &mut self.data.guards,
        )?;
        Ok(())
    }

    /// Locks what a script touches: its keys, or everything.
    fn acquire_script(
        &mut self,
        session: &mut Session,
        entry: &'static Entry,
        find: FindScript,
        (argv, hash): (Argv<'_>, Option<u64>),
        keys: &mut Vec<HashedKey>,
    ) -> Result<(), Queued> {
        self.scripting.set_found(None);
        // A call without a script ends with an error.
        let Some(script) = find(self.engine, &self.settings, argv) else { return Ok(()) };
        if script.names_its_keys() {
            self.hash_keys(entry, argv, hash, keys);
            if let [only] = keys[..]
                && session.further.is_empty()
            {
                self.acquire_one(session, only.hash)?;
            } else {
                let own = keys.iter().map(|key| key.hash);
                let hashes = own.chain(session.further.iter().copied()).collect();
                self.acquire_many(session, hashes)?;
            }
        } else {
            self.acquire_all(session)?;
        }
        self.scripting.set_found(Some(script));
        Ok(())
    }

    pub(crate) fn acquire_all(&mut self, session: &mut Session) -> Result<(), Queued> {
        if self.data.exclusive.is_none() {
            let insist = self.is_insisting(session);
            self.data.inside = None;
            let gate = &self.engine.gate;
            let exclusive =
                gate.close(&mut session.gate_claim, session.token, self.tick_ns, insist)?;
            self.data.exclusive = Some(exclusive);
            self.tick_ns = self.engine.clock().now_ns();
            self.gate_closed_ns = self.tick_ns;
            self.read_wall_clock();
        }
        self.read_settings();
        Ok(())
    }

    /// Locks what EXEC touches: the keys of its calls, unless they will not run, and the watched.
    fn acquire_transaction(&mut self, session: &mut Session) -> Result<(), Queued> {
        let mut hashes: SmallVec<[u64; 16]> =
            session.watched.iter().map(|watched| watched.hash).collect();
        hashes.extend(session.further.iter().copied());
        let mut touches_all = false;
        let transaction = session.transaction.iter().filter(|t| !t.is_doomed);
        for call in transaction.flat_map(|t| &t.calls) {
            match call.entry.row.reach.of(call.argv()) {
                Reach::None => {}
                Reach::Keys => {
                    keys::each_key(call.entry.row, call.argv(), |index, _| {
                        hashes.push(self.engine.keyspace.hash(call.argv().at(index)));
                    });
                }
                _ => touches_all = true,
            }
        }
        if touches_all { self.acquire_all(session) } else { self.acquire_many(session, hashes) }
    }

    /// Hashes the keys of a call, but for the first one if its `hash` is known.
    fn hash_keys(
        &self,
        entry: &Entry,
        argv: Argv<'_>,
        hash: Option<u64>,
        keys: &mut Vec<HashedKey>,
    ) {
        keys::each_key(entry.row, argv, |argument, _| {
            let known = hash.filter(|_| entry.first_key == Some(argument));
            let hash = known.unwrap_or_else(|| self.engine.keyspace.hash(argv.at(argument)));
            keys.push(HashedKey { argument, hash });
        });
        if !keys.is_sorted_by_key(|key| key.argument) {
            keys.sort_unstable_by_key(|key| key.argument);
        }
    }

    /// Answers a call that was not admitted.
    #[cold]
    fn refuse(
        &mut self,
        session: &mut Session,
        entry: Option<&Entry>,
        error: CommandError,
        reply: &mut Reply,
    ) {
        if let Some(entry) = entry {
            self.data.statistics.commands[entry.id].rejected.add(1);
        }
        self.withdraw(session);
        if error == CommandError::CrossProtocol {
            self.host.log(3, CROSS_PROTOCOL_WARNING);
            session.is_closing = true;
            return;
        }
        let is_exec = entry.is_some_and(|e| matches!(e.row.reach, Reach::Transaction));
        let error = if is_exec {
            session.transaction = None;
            session.unwatch();
            CommandError::ExecAbortedBy(Box::new(error))
        } else {
            error
        };
        self.engine.errors.count(&error.code());
        reply.error(&error.line());
        if self.data.is_replaying {
            self.data.refusal = Some(error.line().into());
        }
        if let Some(transaction) = &mut session.transaction {
            transaction.is_doomed = true;
        }
    }

    /// Marks this thread as inside the gate, unless it is already, or keeps the gate closed.
    #[inline]
    pub(crate) fn enter(&mut self, session: &Session) -> Result<(), Queued> {
        if self.is_inside_gate() { Ok(()) } else { self.pass_gate(session) }
    }

    /// Once for a batch, so that [`Self::enter`] is a look at two fields for each of its calls.
    #[inline(never)]
    fn pass_gate(&mut self, session: &Session) -> Result<(), Queued> {
        let inside = self.engine.gate.enter(self.slot, session.token, self.tick_ns)?;
        self.data.inside = Some(inside);
        self.read_settings();
        Ok(())
    }

    #[inline]
    fn is_inside_gate(&self) -> bool {
        self.data.inside.is_some() || self.data.exclusive.is_some()
    }

    /// Whether the gate, closed for the last call, stays so for the next.
    #[cold]
    fn keeps_gate(&self, next: Option<&&'static Entry>) -> bool {
        let wants_all = |entry: &&Entry| matches!(entry.row.reach, Reach::All | Reach::Script(_));
        self.tick_ns.saturating_sub(self.gate_closed_ns) < GATE_KEPT_NS_MAX
            && next.is_some_and(wants_all)
    }

    /// Leaves the gate, at the end of a batch.
    #[inline]
    pub(crate) fn leave(&mut self, session: &mut Session) {
        if !session.unwatched.is_empty() {
            self.unwatched.append(&mut session.unwatched);
        }
        if !self.unwatched.is_empty() && self.data.inside.is_some() {
            self.clear_unwatched();
        }
        if !self.woken.is_empty() {
            self.wake_served();
        }
        if !self.leftovers.is_empty() {
            self.clear_leftovers();
        }
        self.data.exclusive = None;
        self.data.inside = None;
        if !self.data.notices.postings.told.is_empty() {
            self.tell_receivers();
        }
    }

    /// Wakes who writes the journal, if something was appended. To be called once in a while, and before the
    /// thread sleeps: who writes it then finds more to write at once.
    pub fn hand_over_journal(&mut self) {
        if std::mem::take(&mut self.has_journaled) {
            self.engine.wake_journal_reader();
        }
    }

    /// Tells the loops for whose sessions pushes wait.
    #[cold]
    fn tell_receivers(&mut self) {
        self.host.pushes_wait(&self.data.notices.postings.told);
        self.data.notices.postings.told.clear();
    }

    /// Takes watches that have ended out of their shards' tables. A shard that is taken just now
    /// is left for the next time: until then its table raises a flag that nobody looks at.
    #[cold]
    fn clear_unwatched(&mut self) {
        let (keyspace, now) = (&self.engine.keyspace, self.tick_ns);
        self.unwatched.retain(|(watched, flag)| {
            let lock = &keyspace.locks()[keyspace.shard_index(watched.hash)];
            let Some(mut shard) = lock.try_lock(now) else { return true };
            shard.watched.remove(watched, flag);
            false
        });
    }

    /// Gives up what a suspended call waits for.
    fn withdraw(&mut self, session: &mut Session) {
        session.waiting_since = None;
        session.further.clear();
        if !session.claim.is_idle() {
            session.claim.withdraw(self.engine.keyspace.locks(), session.token);
        }
        if !session.gate_claim.is_idle() {
            self.engine.gate.withdraw(&mut session.gate_claim, session.token);
        }
    }

    /// Whether a script runs alone for so long that others are told so instead of waiting.
    #[inline]
    fn is_script_busy(&mut self) -> bool {
        let Some(since_ns) = self.engine.scripts.running.alone_since_ns() else { return false };
        // This thread may not have been inside since the threshold was set.
        self.read_settings();
        let threshold_ns = self.busy_threshold_ns();
        threshold_ns != 0 && threshold_ns <= self.tick_ns.saturating_sub(since_ns)
    }

    /// When a call that waits is to be tried again at the latest: when a script that is in its way
    /// counts as busy. A script may be about to begin, so a call that sees none looks again too.
    fn retry_before_busy(&self, retry_at: Option<u64>) -> Option<u64> {
        let threshold_ns = self.busy_threshold_ns();
        if threshold_ns == 0 {
            return retry_at;
        }
        let since_ns = self.engine.scripts.running.alone_since_ns().unwrap_or(self.tick_ns);
        let busy_at = since_ns.saturating_add(threshold_ns).max(self.tick_ns);
        Some(retry_at.map_or(busy_at, |retry_at| retry_at.min(busy_at)))
    }

    /// Whether a call that has waited for shards since `since_ns` is told that a script is busy.
    fn is_script_in_the_way(&self, since_ns: u64) -> bool {
        let threshold_ns = self.busy_threshold_ns();
        threshold_ns != 0
            && threshold_ns <= self.tick_ns.saturating_sub(since_ns)
            && self.engine.scripts.running.is_any_older(self.tick_ns.saturating_sub(threshold_ns))
    }

    /// When a call that waits for shards looks again at the latest.
    fn retry_while_waiting(&self, retry_at: Option<u64>, since_ns: u64) -> Option<u64> {
        let threshold_ns = self.busy_threshold_ns();
        if threshold_ns == 0 {
            return retry_at;
        }
        let waited_ns = self.tick_ns.saturating_sub(since_ns);
        // Once that has passed, whatever is in the way is looked at again after as long.
        let rounds = waited_ns / threshold_ns + 1;
        let look_at = since_ns.saturating_add(threshold_ns.saturating_mul(rounds));
        Some(retry_at.map_or(look_at, |retry_at| retry_at.min(look_at)))
    }

    fn busy_threshold_ns(&self) -> u64 {
        self.settings.busy_reply_threshold_ms.saturating_mul(1_000_000)
    }

    /// Tells that a script is busy, unless something else is wrong with the call.
    #[cold]
    fn refuse_while_busy(
        &mut self,
        session: &mut Session,
        entry: &'static Entry,
        argv: Argv<'_>,
        reply: &mut Reply,
    ) {
        self.data.is_memory_short = false;
        let admitted = self.admit(session, entry, argv);
        let kind = self.engine.scripts.running.alone_kind();
        let busy = || self.settings.dialect.script_error(kind.busy());
        let error = admitted.err().unwrap_or_else(busy);
        self.refuse(session, Some(entry), error, reply);
    }

    fn is_insisting(&self, session: &Session) -> bool {
        let threshold_ns = self.busy_threshold_ns();
        let is_over = |since: u64| threshold_ns < self.tick_ns.saturating_sub(since);
        session.waiting_since.is_some_and(is_over)
    }

    /// Counts a call that is over, and logs it if it stands out.
    #[inline]
    pub(crate) fn note(&self, call: &Finished<'_>) {
        finished::note(self.engine, self.host, &self.settings, self.data.statistics, call);
    }

    pub(crate) fn read_wall_clock(&mut self) {
        self.wall_ms = if self.data.is_replaying { 0 } else { self.engine.clock().wall_ms() };
    }

    fn read_settings(&mut self) {
        self.acl_generation = self.engine.acl.generation();
        let generation = self.engine.settings_generation();
        if generation != self.settings_generation {
            self.settings_generation = generation;
            self.settings = self.engine.settings();
            self.data.notices.configure(&self.settings);
            self.data.recorder.set_on(self.engine.journal.is_on() && !self.data.is_replaying);
        }
    }
}

/// Whether a call may be made beside a busy script: those that touch nothing that needs the gate.
fn runs_while_busy(entry: &Entry, argv: Argv<'_>) -> bool {
    entry.row.flags.has(Flags::ALLOW_BUSY) && matches!(entry.row.reach.of(argv), Reach::None)
}

/// Runs the command's function; an error takes the place of whatever it had replied so far.
// As `Executor::admit`.
#[inline(always)]
pub(crate) fn invoke(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let position = ctx.reply.position();
    let before = ctx.own_changes();
    if ctx.engine.monitors.is_watched() {
        monitors::show(ctx, Moment::Begin);
    }
    let outcome = (ctx.entry.row.run)(ctx);
    if let Err(error) = &outcome {
        answer_error(ctx, error, position);
    }
    if ctx.data.recorder.is_on() {
        ctx.record(before);
    }
    if ctx.session.tracking.is_some() {
        tracking::remember(ctx);
    }
    if ctx.engine.monitors.is_watched() {
        monitors::show(ctx, Moment::End);
    }
    outcome
}

#[cold]
fn answer_error(ctx: &mut Ctx<'_, '_>, error: &CommandError, position: resp::Position) {
    ctx.reply.truncate(position);
    ctx.reply.error(&error.line());
    ctx.engine.errors.count(&error.code());
    if ctx.data.is_replaying && counts_as_refused(ctx, error) {
        ctx.data.refusal = Some(error.line().into());
    }
}

/// Whether a call that was made once more should not have failed. A script may fail as it did before, and so
/// may the calls in it: older servers have recorded scripts instead of what they did.
fn counts_as_refused(ctx: &Ctx<'_, '_>, error: &CommandError) -> bool {
    let is_script = ctx.origin == Origin::Script || matches!(ctx.entry.row.reach, Reach::Script(_));
    !is_script || *error == CommandError::NoScript
}
