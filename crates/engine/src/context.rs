//! What a command sees: its arguments, the data, the reply, its session.

use crate::acl::{self, Called, Context};
use crate::blocking::{Wait, Waiter};
use crate::command::{Flags, Group, Outcome};
use crate::data::Data;
use crate::engine::Engine;
use crate::error::Denial;
use crate::finished::{self, Finished};
use crate::host::Host;
use crate::keyspace::LockedShard;
use crate::run;
use crate::scripting::ThreadScripting;
use crate::session::{QueuedCall, Replies, Session};
use crate::settings::Settings;
use crate::table::Entry;
use resp::{Argv, Reply};
use std::ops::ControlFlow;
use std::sync::Arc;
use store::Key;

/// A key argument with its hash, computed once when the call was admitted.
#[derive(Clone, Copy, Debug)]
pub struct HashedKey {
    pub argument: usize,
    pub hash: u64,
}

/// Who makes a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    Client,
    Script,
    Transaction,
}

/// One call: 'c is the call, 'e the engine.
pub struct Ctx<'c, 'e> {
    pub argv: Argv<'c>,
    pub entry: &'static Entry,
    pub origin: Origin,
    pub data: &'c mut Data<'e>,
    pub reply: &'c mut Reply,
    pub session: &'c mut Session,
    pub engine: &'e Engine,
    pub settings: &'c Settings,
    pub host: &'e dyn Host,
    pub scripting: &'c ThreadScripting,
    pub(crate) keys: &'c [HashedKey],
    /// The waiter for which this call is made, if it is not made for the first time.
    pub(crate) waiter: Option<Arc<Waiter>>,
    /// Its client waits now.
    pub(crate) has_waited: bool,
    /// When the call began, in monotonic nanoseconds.
    pub(crate) started_ns: u64,
    /// It needs other locks: nothing has come of it, and it is to be run again.
    pub(crate) runs_again: bool,
}

impl<'c, 'e> Ctx<'c, 'e> {
    /// The key at argument `index`, with its hash.
    #[inline]
    pub fn key(&self, index: usize) -> Key<'c> {
        let bytes = self.argv.at(index);
        let hash = match self.keys.first() {
            Some(first) if first.argument == index => first.hash,
            _ => self.other_hash(index, bytes),
        };
        Key { bytes, hash }
    }

    /// A key that is no argument of this call's specs; reach all.
    pub fn free_key<'k>(&self, bytes: &'k [u8]) -> Key<'k> {
        Key { bytes, hash: self.data.keyspace().hash(bytes) }
    }

    /// Whether the call has to look at `key`. One that is made for a waiter leaves out keys in shards
    /// that the serving thread does not hold: they have nothing, else the waiter would not wait.
    #[inline]
    pub fn is_at_hand(&self, key: Key<'_>) -> bool {
        self.waiter.is_none() || self.data.holds(key.hash)
    }

    /// Whether the call is made once more, for a client that waits in it.
    pub fn is_made_again(&self) -> bool {
        self.waiter.is_some()
    }

    /// Has the client wait, because its call found nothing: see [`blocking`](crate::blocking). The call is made again,
    /// on its behalf, when one of the keys is ready. `false`: nobody waits inside EXEC and scripts.
    #[must_use]
    pub fn wait(&mut self, wait: Wait) -> bool {
        if self.origin != Origin::Client {
            return false;
        }
        self.has_waited = true;
        if let Some(waiter) = &self.waiter {
            let is_sooner = waiter.retry_in(wait.retry, self.engine.clock().now_ns());
            if !waiter.wait_on() || is_sooner {
                self.engine.wake_all(vec![waiter.token]);
            }
            return true;
        }
        self.begin_wait(wait);
        true
    }

    #[cold]
    fn begin_wait(&mut self, mut wait: Wait) {
        let call = match wait.argv.take() {
            Some(arguments) => QueuedCall { entry: self.entry, arguments },
            None => QueuedCall::new(self.entry, self.argv),
        };
        let is_silent = matches!(self.session.replies, Replies::Off | Replies::Skipping);
        let now_ns = self.engine.clock().now_ns();
        let (number, db) = (self.engine.blocking.arrival(), self.data.db);
        let keys = self.keys.into();
        let waiter = Waiter::new(number, self.session, wait, is_silent, call, keys, db, now_ns);
        let waiter = Arc::new(waiter);
        for waited in waiter.waited_keys() {
            let bytes = self.argv.at(waited.argument);
            let key = Key { bytes, hash: waited.hash };
            self.data.shard(waited.hash).waiting.add(key, &waiter);
        }
        self.engine.blocking.began(&waiter);
        self.session.blocked = Some(waiter);
    }

    /// Whether the client's user may make another call within this one, as the user is now.
    #[inline]
    pub fn check_rights(
        &mut self,
        entry: &Entry,
        argv: Argv<'_>,
        context: Context,
    ) -> Result<(), Denial> {
        if self.session.acl_generation != self.engine.acl.generation() {
            self.engine.acl.refresh(self.session);
        }
        if self.session.is_unrestricted || self.data.is_replaying {
            return Ok(());
        }
        let call = Called { entry, argv, db: self.session.db };
        acl::check(self.engine, self.host, self.session, &call, context)
    }

    /// Whether the client's user may read any key at all by this call.
    pub fn may_read_all_keys(&self) -> bool {
        let call = Called { entry: self.entry, argv: self.argv, db: self.session.db };
        self.session.is_unrestricted
            || self.session.user.as_ref().is_none_or(|user| user.reads_all_keys(&call))
    }

    /// Runs another call within this one, under the same locks and the same time; its reply goes
    /// to the same place, or to `reply`. `keys` are those of its keys whose hashes are known, by argument.
    pub fn call(
        &mut self,
        argv: Argv<'_>,
        entry: &'static Entry,
        keys: &[HashedKey],
        origin: Origin,
        reply: Option<&mut Reply>,
    ) -> Outcome {
        let started = self.engine.clock().now_ns();
        let reply = reply.unwrap_or(&mut *self.reply);
        let position = reply.position();
        let mut inner = Ctx {
            argv,
            entry,
            origin,
            data: &mut *self.data,
            reply,
            session: &mut *self.session,
            engine: self.engine,
            settings: self.settings,
            host: self.host,
            scripting: self.scripting,
            keys,
            waiter: None,
            has_waited: false,
            runs_again: false,
            started_ns: started,
        };
        inner.data.db = inner.session.db;
        let outcome = run::invoke(&mut inner);
        let reply_bytes = inner.reply.len_since(position);
        self.data.db = self.session.db;
        let duration = self.engine.clock().now_ns().saturating_sub(started);
        let call = Finished {
            entry,
            argv,
            session: self.session,
            nanoseconds: duration,
            reply_bytes,
            is_failed: outcome.is_err(),
            is_within_script: origin == Origin::Script,
        };
        finished::note(self.engine, self.host, self.settings, self.data.statistics, &call);
        outcome
    }

    /// Says what stands for this call in the journal instead of the call as it was made: this command, and
    /// further ones if it is said again. For whatever would not do the same a second time.
    pub fn journal_as<T: AsRef<[u8]>>(&mut self, words: &[T]) {
        if self.data.recorder.is_on() {
            let db = self.data.db;
            self.data.recorder.say(db, words);
        }
    }

    /// Says that it stands in the journal as SET of `key` with the value and deadline that it has now.
    pub(crate) fn journal_as_set(&mut self, key: Key<'_>) {
        if !self.data.recorder.is_on() {
            return;
        }
        let db = self.data.db;
        let Some(entry) = self.data.found(key) else { return };
        let value = entry.string().bytes().to_vec();
        let digits = entry.deadline().map(|deadline| deadline.to_string());
        let mut words: Vec<&[u8]> = vec![b"SET", key.bytes, &value];
        if let Some(digits) = &digits {
            words.extend([&b"PXAT"[..], digits.as_bytes()]);
        }
        self.data.recorder.say(db, &words);
    }

    /// Says that it stands in the journal as the deadline that `key` has now, or as its removal.
    pub(crate) fn journal_as_deadline(&mut self, key: Key<'_>) {
        if !self.data.recorder.is_on() {
            return;
        }
        let deadline = self.data.found(key).map(|entry| entry.deadline());
        match deadline {
            None => self.journal_as(&[b"DEL", key.bytes]),
            Some(None) => self.journal_as(&[b"PERSIST", key.bytes]),
            Some(Some(deadline)) => {
                self.journal_as(&[b"PEXPIREAT", key.bytes, deadline.to_string().as_bytes()]);
            }
        }
    }

    /// Changes that this call has made so far, without those that are recorded apart.
    #[inline]
    pub(crate) fn own_changes(&self) -> u64 {
        self.data.changes - self.data.recorder.apart()
    }

    /// Records the call as it was made, if it has changed something and has not said what stands for it.
    #[cold]
    pub(crate) fn record(&mut self, before: u64) {
        let is_said = self.data.recorder.take_said();
        let flags = self.entry.row.flags;
        // What a script or a transaction changes its own calls have recorded.
        let stands_for_itself = flags.has(Flags::WRITE)
            || flags.has(Flags::READONLY) && self.entry.row.group != Group::Scripting;
        if !is_said && stands_for_itself && before != self.own_changes() {
            let words: Vec<&[u8]> = self.argv.iter().collect();
            let db = self.data.db;
            self.data.recorder.push(db, &words);
        }
    }

    /// The shards one by one (reach slices; inside EXEC and scripts all are held), and the reply.
    pub fn slices(&mut self) -> (Slices<'_, 'e>, &mut Reply) {
        let slices = Slices { data: self.data, engine: self.engine, host: self.host };
        (slices, self.reply)
    }

    /// Visits every shard once, for what takes a moment only.
    pub fn each_shard(&mut self, mut visit: impl FnMut(&mut LockedShard)) {
        self.slices().0.walk(|_, shard| {
            visit(shard);
            ControlFlow::Continue(Walk::Next)
        });
    }

    fn other_hash(&self, index: usize, bytes: &[u8]) -> u64 {
        let place = self.keys.binary_search_by_key(&index, |key| key.argument);
        place.map_or_else(|_| self.data.keyspace().hash(bytes), |place| self.keys[place].hash)
    }
}

/// The shards, one at a time. A visit should not take longer than a millisecond.
pub struct Slices<'c, 'e> {
    data: &'c mut Data<'e>,
    engine: &'e Engine,
    host: &'e dyn Host,
}

impl Slices<'_, '_> {
    /// Walks over all shards. `visit` may be called several times for a shard, until it says that
    /// it is done with it.
    pub fn walk(&mut self, mut visit: impl FnMut(u32, &mut LockedShard) -> ControlFlow<(), Walk>) {
        let mut index = 0;
        while index < self.len() {
            match self.visit(index, |shard| visit(index, shard)) {
                ControlFlow::Break(()) => return,
                ControlFlow::Continue(Walk::Again) => {}
                ControlFlow::Continue(Walk::Next) => index += 1,
            }
        }
    }

    /// Visits one shard, as soon as it is free.
    pub fn visit<R>(&mut self, index: u32, visit: impl FnOnce(&mut LockedShard) -> R) -> R {
        if self.data.exclusive.is_some() {
            return visit(self.data.shard_at(index));
        }
        let lock = &self.data.keyspace().locks()[index as usize];
        loop {
            if let Some(mut shard) = lock.try_lock(self.engine.clock().now_ns()) {
                return visit(&mut shard);
            }
            self.host.relax();
        }
    }

    /// How many shards there are.
    #[expect(clippy::len_without_is_empty, reason = "there is always a shard")]
    pub fn len(&self) -> u32 {
        self.data.keyspace().locks().len() as u32
    }
}

/// What a walk does after a visit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Walk {
    /// Visit the same shard again, after others had a chance.
    Again,
    /// Go on to the next shard.
    Next,
}
