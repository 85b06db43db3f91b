//! What executing threads do for waiters: serve them, take their shards beforehand, and resume them.

use super::waiter::{End, Inside, Standing, Waiter};
use super::{Leftover, ReadyKey, WaitedKey};
use crate::acl::{self, Called};
use crate::command::{Flags, Reach};
use crate::context::{Ctx, Origin};
use crate::error::{AclError, CommandError};
use crate::finished::Finished;
use crate::keys;
use crate::run::{Executor, Flow, invoke};
use crate::session::Session;
use crate::table::Entry;
use base::lock::Queued;
use parking_lot::MutexGuard;
use resp::{Argv, Reply};
use smallvec::SmallVec;
use std::sync::Arc;
use store::{EntryRef, Key, Kind};

/// How long a waiter whose time has run out waits for whoever runs its call just then.
const CLAIMED_RETRY_NS: u64 = 1_000_000;

/// When waiters have been served so long ago, they are woken although the batch goes on.
const WAKE_LATEST_NS: u64 = 100_000;

impl Executor<'_> {
    /// Serves those whose keys the call has made ready, under its locks.
    #[cold]
    pub(crate) fn serve_waiters(&mut self) {
        if self.data.is_replaying {
            return self.serve_nobody();
        }
        let mut next = 0;
        while next < self.data.ready.len() {
            let bytes = std::mem::take(&mut self.data.ready[next].bytes);
            let ReadyKey { db, hash, .. } = self.data.ready[next];
            self.serve_key(db, Key { bytes: &bytes, hash });
            next += 1;
        }
        self.data.ready.clear();
    }

    /// Calls that are made once more have served whom they served; others hear of them at the end.
    fn serve_nobody(&mut self) {
        for ReadyKey { db, hash, bytes } in std::mem::take(&mut self.data.ready) {
            self.data.shard(hash).waiting.begin(db, Key { bytes: &bytes, hash });
        }
    }

    /// Serves the waiters of one key, first come first, as long as there is something for them.
    fn serve_key(&mut self, db: usize, key: Key<'_>) {
        let is_removal_minded = self.data.shard(key.hash).waiting.begin(db, key);
        let mut after = 0;
        while let Some(waiter) = self.data.shard(key.hash).waiting.next(db, key, after) {
            after = waiter.number;
            self.data.db = db;
            let kind = self.data.peek(key).map(EntryRef::kind);
            if kind.is_none() && !is_removal_minded {
                return;
            }
            if !is_for(&waiter, kind) {
                continue;
            }
            if !self.reach_further(&waiter) {
                self.nudge_all(db, key);
                return;
            }
            if waiter.claim() {
                self.serve_waiter(&waiter);
            } else if waiter.is_over() {
                self.take_out(&waiter);
            }
        }
    }

    /// Makes the call of a waiter that this thread has claimed.
    fn serve_waiter(&mut self, waiter: &Arc<Waiter>) {
        let mut inside = waiter.inside.lock();
        let mut reply = Reply::with_protocol(inside.session.protocol);
        if let Err(error) = self.check_rights_of(waiter, &mut inside.session) {
            reply.error(&error.line());
            self.engine.errors.count(&error.code());
            self.finish_serving(waiter, inside, reply);
            return;
        }
        self.data.db = waiter.db;
        self.data.is_no_touch = inside.session.is_no_touch;
        self.data.notices.begin(waiter.client);
        let started = self.tick_ns;
        let mut ctx = Ctx {
            argv: waiter.call.argv(),
            entry: waiter.call.entry,
            origin: Origin::Client,
            data: &mut self.data,
            reply: &mut reply,
            session: &mut inside.session,
            engine: self.engine,
            settings: &self.settings,
            host: self.host,
            scripting: &self.scripting,
            keys: &waiter.keys,
            waiter: Some(Arc::clone(waiter)),
            has_waited: false,
            runs_again: false,
            started_ns: started,
        };
        let outcome = invoke(&mut ctx);
        let waits_on = ctx.has_waited;
        self.tick_ns = self.engine.clock().now_ns();
        inside.spent_ns += self.tick_ns.saturating_sub(started);
        if waits_on {
            return;
        }
        self.note(&Finished {
            entry: waiter.call.entry,
            argv: waiter.call.argv(),
            session: &inside.session,
            nanoseconds: inside.spent_ns,
            reply_bytes: reply.len(),
            is_failed: outcome.is_err(),
            is_within_script: false,
        });
        self.finish_serving(waiter, inside, reply);
    }

    /// Leaves a waiter its reply, and has it woken.
    fn finish_serving(
        &mut self,
        waiter: &Waiter,
        mut inside: MutexGuard<'_, Inside>,
        reply: Reply,
    ) {
        inside.reply = reply;
        drop(inside);
        waiter.served();
        self.engine.blocking.ended(waiter);
        self.take_out(waiter);
        self.wake_later(waiter.token);
    }

    /// Whether the waiter's user may still make the call: it may have changed meanwhile.
    fn check_rights_of(&self, waiter: &Waiter, session: &mut Session) -> Result<(), CommandError> {
        if session.acl_generation != self.engine.acl.generation() {
            self.engine.acl.refresh(session);
        }
        if session.is_unrestricted {
            return Ok(());
        }
        let call = Called { entry: waiter.call.entry, argv: waiter.call.argv(), db: waiter.db };
        acl::check(self.engine, self.host, session, &call, acl::Context::TopLevel)
            .map_err(|denial| AclError::NoPermission(denial).into())
    }

    /// Takes a waiter that is over out of the queues in those shards that this thread holds.
    fn take_out(&mut self, waiter: &Waiter) {
        for waited in waiter.waited_keys() {
            if self.data.holds(waited.hash) {
                self.data.shard(waited.hash).waiting.remove(waited, waiter);
            }
        }
    }

    /// Whether all shards of a waiter's call beside those of its keys are held, which they are unless
    /// the call that made the key ready could not foresee it.
    fn reach_further(&mut self, waiter: &Waiter) -> bool {
        let mut further = waiter.further_keys();
        self.data.exclusive.is_some()
            || further.all(|key| self.data.try_hold(key.hash, self.tick_ns))
    }

    /// Has all waiters of a key make their calls themselves.
    fn nudge_all(&mut self, db: usize, key: Key<'_>) {
        let mut after = 0;
        while let Some(waiter) = self.data.shard(key.hash).waiting.next(db, key, after) {
            after = waiter.number;
            if waiter.nudge() {
                self.wake_later(waiter.token);
            }
        }
    }

    fn wake_later(&mut self, token: base::lock::Token) {
        if self.woken.is_empty() {
            self.woken_since_ns = self.tick_ns;
        }
        self.woken.push(token);
    }

    /// Wakes those who were served, unless more are likely to follow.
    #[cold]
    pub(crate) fn wake_if_late(&mut self) {
        if WAKE_LATEST_NS < self.tick_ns.saturating_sub(self.woken_since_ns) {
            self.wake_served();
        }
    }

    /// Wakes those who were served.
    #[cold]
    pub(crate) fn wake_served(&mut self) {
        self.engine.wake_all(std::mem::take(&mut self.woken));
    }

    /// Holding its own shards, a call that may make a key ready for waiters which need further shards lets
    /// go and takes them all.
    #[cold]
    pub(crate) fn widen(
        &mut self,
        session: &mut Session,
        entry: &'static Entry,
        argv: Argv<'_>,
    ) -> Result<(), Queued> {
        if entry.row.flags.has(Flags::READONLY) {
            return Ok(());
        }
        loop {
            let (own, missing) = self.further_shards(session, entry, argv);
            if missing.is_empty() {
                session.further.clear();
                return Ok(());
            }
            session.further.extend(missing);
            self.data.guards.clear();
            let mut all = own;
            all.extend(session.further.iter().copied());
            self.acquire_many(session, all)?;
        }
    }

    /// Hashes of the keys that a call touches, and of those that it needs beside them and does not hold.
    fn further_shards(
        &mut self,
        session: &Session,
        entry: &'static Entry,
        argv: Argv<'_>,
    ) -> (SmallVec<[u64; 16]>, SmallVec<[u64; 4]>) {
        let mut own: SmallVec<[u64; 16]> = SmallVec::new();
        let mut pending: Vec<(u64, Box<[u8]>)> = Vec::new();
        let mut elements = 0_usize;
        let mut look_at = |entry: &'static Entry, argv: Argv<'_>| {
            elements = elements.saturating_add(elements_max(entry, argv));
            keys::each_key(entry.row, argv, |index, _| {
                let bytes = argv.at(index);
                pending.push((self.engine.keyspace.hash(bytes), bytes.into()));
            });
        };
        if matches!(entry.row.reach, Reach::Transaction) {
            let calls = session.transaction.iter().flat_map(|transaction| &transaction.calls);
            calls.for_each(|call| look_at(call.entry, call.argv()));
            own.extend(session.watched.iter().map(|watched| watched.hash));
        } else {
            look_at(entry, argv);
        }
        own.extend(pending.iter().map(|(hash, _)| *hash));
        let mut seen: SmallVec<[u64; 16]> = SmallVec::new();
        let mut missing = SmallVec::new();
        while let Some((hash, bytes)) = pending.pop() {
            if seen.contains(&hash) {
                continue;
            }
            seen.push(hash);
            if !self.data.holds(hash) {
                missing.push(hash);
                continue;
            }
            self.data.shard(hash).waiting.each_further(
                Key { bytes: &bytes, hash },
                elements,
                |further| pending.push((further.hash, further.bytes.into())),
            );
        }
        (own, missing)
    }

    /// Goes on with a session that waits in a blocking call: its reply, if there is one now.
    #[cold]
    pub(crate) fn resume(
        &mut self,
        session: &mut Session,
        waiter: &Arc<Waiter>,
        reply: &mut Reply,
    ) -> Flow {
        let deadline = waiter.deadline_ns;
        loop {
            let is_late = deadline.is_some_and(|deadline_ns| deadline_ns <= self.tick_ns);
            match waiter.standing() {
                Standing::Waiting | Standing::Nudged if is_late => {
                    if waiter.try_end(End::TimedOut) == Some(true) {
                        self.engine.blocking.ended(waiter);
                    }
                }
                Standing::Waiting if waiter.is_due(self.tick_ns) => {
                    waiter.nudge();
                }
                Standing::Waiting => return Flow::Blocked { until: waiter.until_ns() },
                Standing::Claimed => {
                    let retry_ns = self.tick_ns + CLAIMED_RETRY_NS;
                    let is_due = is_late || waiter.is_due(self.tick_ns);
                    let until = if is_due { Some(retry_ns) } else { waiter.until_ns() };
                    return Flow::Blocked { until };
                }
                Standing::Nudged => {
                    if waiter.take_up() {
                        return self.make_again(session, waiter, reply);
                    }
                }
                Standing::Served => {
                    let mut inside = waiter.inside.lock();
                    if !waiter.is_silent {
                        reply.append(&mut inside.reply);
                    }
                    break;
                }
                Standing::Ended(end) => {
                    self.answer_end(waiter, end, reply);
                    break;
                }
            }
        }
        self.finish_wait(session);
        Flow::Done
    }

    /// Makes a waiter's call as any call of its session, with locks of its own.
    fn make_again(
        &mut self,
        session: &mut Session,
        waiter: &Arc<Waiter>,
        reply: &mut Reply,
    ) -> Flow {
        let position = reply.position();
        let flow =
            self.run_request(session, Ok(waiter.call.entry), None, waiter.call.argv(), reply);
        match flow {
            Flow::Suspended { .. } => waiter.put_down(),
            Flow::Blocked { .. } => {}
            Flow::Done => {
                if waiter.is_silent {
                    reply.truncate(position);
                }
                waiter.served();
                self.engine.blocking.ended(waiter);
                self.finish_wait(session);
            }
        }
        flow
    }

    /// The reply to a call that was not served.
    fn answer_end(&mut self, waiter: &Waiter, end: End, reply: &mut Reply) {
        let position = reply.position();
        let outcome = if end == End::Unblocked {
            let error = CommandError::Unblocked;
            reply.error(&error.line());
            self.engine.errors.count(&error.code());
            Err(error)
        } else {
            waiter.at_timeout.reply(reply);
            Ok(())
        };
        if waiter.is_silent {
            reply.truncate(position);
        }
        let inside = waiter.inside.lock();
        self.note(&Finished {
            entry: waiter.call.entry,
            argv: waiter.call.argv(),
            session: &inside.session,
            nanoseconds: inside.spent_ns,
            reply_bytes: reply.len_since(position),
            is_failed: outcome.is_err(),
            is_within_script: false,
        });
    }

    /// The session waits no longer; what is left of it in queues goes soon.
    fn finish_wait(&mut self, session: &mut Session) {
        if let Some(waiter) = session.blocked.take() {
            let keys: Vec<WaitedKey> = waiter.waited_keys().collect();
            self.leftovers.push(Leftover { waiter, keys });
        }
    }

    /// The session ends: nobody may serve it from now on.
    pub(crate) fn abandon_wait(&mut self, session: &mut Session) {
        if let Some(waiter) = &session.blocked {
            waiter.try_end(End::Gone);
            self.engine.blocking.ended(waiter);
            self.finish_wait(session);
        }
    }

    /// Takes places of this thread's waiters that are over out of their queues; those in shards that
    /// are taken just now are left to the periodic jobs.
    #[cold]
    pub(crate) fn clear_leftovers(&mut self) {
        let mut leftovers = std::mem::take(&mut self.leftovers);
        if self.data.inside.is_some() {
            self.take_out_all(&mut leftovers);
        }
        self.engine.blocking.leave_over(&mut leftovers);
        // Its memory is used again.
        self.leftovers = leftovers;
    }

    /// What other threads have left over; inside the gate.
    pub(crate) fn clear_shared_leftovers(&mut self) {
        let mut leftovers = self.engine.blocking.take_leftovers();
        self.take_out_all(&mut leftovers);
        self.engine.blocking.leave_over(&mut leftovers);
    }

    fn take_out_all(&self, leftovers: &mut Vec<Leftover>) {
        let (keyspace, now) = (&self.engine.keyspace, self.tick_ns);
        leftovers.retain_mut(|Leftover { waiter, keys }| {
            keys.retain(|waited| {
                let lock = &keyspace.locks()[keyspace.shard_index(waited.hash)];
                let Some(mut shard) = lock.try_lock(now) else { return true };
                shard.waiting.remove(*waited, waiter);
                false
            });
            !keys.is_empty()
        });
    }

    /// The session's call has begun to wait, or waits on.
    pub(crate) fn waited(&self, session: &Session, duration_ns: u64) -> Flow {
        let until = session.blocked.as_ref().and_then(|waiter| {
            waiter.inside.lock().spent_ns += duration_ns;
            waiter.until_ns()
        });
        Flow::Blocked { until }
    }
}

/// Whether a key that holds `kind` now is something for a waiter.
fn is_for(waiter: &Waiter, kind: Option<Kind>) -> bool {
    waiter.minds_removal || (kind.is_some() && kind == waiter.kind)
}

/// How many elements a call can bring to the keys that it touches: no more waiters are served by it, unless
/// those move elements in a circle.
fn elements_max(entry: &Entry, argv: Argv<'_>) -> usize {
    let inserts = entry.row.keys.iter().all(|spec| spec.flags == keys::RW_INSERT);
    if inserts && entry.only_key.is_some() { argv.len() } else { usize::MAX }
}
