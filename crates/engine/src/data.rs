//! The door to the keyspace: the only way in which a command reads or changes data.
//!
//! A [`Data`] holds the shards that the call has locked. What follows from a change is derived in
//! one place, [`Data::changed`]: commands say *what* happened to a key and nothing of what follows.
//!
//! Under the gate (reach all: scripts, FLUSHALL) shards are locked one by one as they are touched;
//! nobody else is inside then, so they are always free.

use crate::blocking::{ReadyKey, WaitTable};
use crate::error::CommandError;
use crate::events::{self, Event};
use crate::journal::Recorder;
use crate::keyspace::{Keyspace, LockedShard};
use crate::lfu::{AccessMark, Frequency};
use crate::statistics::ThreadStatistics;
use crate::tracking::{TrackTable, Tracker, Tracking};
use crate::watch::WatchTable;
use base::lock::{Exclusive, Guard, Inside};
use base::rand::Rng;
use std::sync::Arc;

mod collection;
mod invalidations;
mod notices;

pub use collection::Changed;
pub use notices::Notices;
use store::{Database, Entry, EntryMut, EntryRef, EntryUse, Key, Kind, Live};

/// Takes removed entries whose freeing may take long to where it holds nobody up.
pub trait Reclaim: Sync {
    /// Frees `entry`, at once or later; these bytes of it count as freed.
    fn reclaim(&self, entry: Entry, bytes: usize);
    /// Frees a whole database.
    fn reclaim_database(&self, database: Database);
    /// Frees some of what waits, for less than a millisecond; lets others run if nothing does.
    fn help(&self);
}

/// A thread's access to the keyspace; between calls it holds nothing.
pub struct Data<'e> {
    pub db: usize,
    /// Wall clock in milliseconds, fixed once the locks were held.
    pub now_ms: u64,
    /// What times that are given as so many seconds count from.
    pub(crate) from_ms: u64,
    /// The access clock of a new entry, and what a use leaves in it if it is a time.
    pub access_clock: u32,
    /// How uses are counted, when access clocks hold frequencies.
    pub frequency: Option<Frequency<'e>>,
    /// Whether reads leave the access clock alone (CLIENT NO-TOUCH).
    pub is_no_touch: bool,
    /// Whether only changes count as use (the LRM policies).
    pub is_lrm: bool,
    /// Whether keys past their deadline are removed when met (off while replaying).
    pub rng: Rng,
    pub statistics: &'e ThreadStatistics,
    /// Whether the present call began with too little memory, and nothing to evict.
    pub is_memory_short: bool,
    /// The calls of a journal are made once more: they were all allowed, and no key's time is up until it is
    /// done, since a key that went is recorded like any other change.
    pub(crate) is_replaying: bool,
    /// A call that was made once more and refused: why.
    pub(crate) refusal: Option<Vec<u8>>,
    /// What stands for the present call in the journal.
    pub(crate) recorder: Recorder,
    /// Changes of the present call: 0 means that nothing follows from it.
    pub changes: u64,
    /// Where subscribers are told what happened.
    pub notices: Notices<'e>,
    /// Keys with waiters that the present call has changed.
    pub(crate) ready: Vec<ReadyKey>,
    pub(crate) keyspace: &'e Keyspace,
    pub(crate) guards: Vec<(u32, Guard<'e, LockedShard>)>,
    /// Alone behind the gate: every shard is free to be taken.
    pub(crate) exclusive: Option<Exclusive<'e>>,
    pub(crate) inside: Option<Inside<'e>>,
    reclaim: &'e dyn Reclaim,
}

impl<'e> Data<'e> {
    /// Access without any shard.
    pub fn new(
        keyspace: &'e Keyspace,
        statistics: &'e ThreadStatistics,
        reclaim: &'e dyn Reclaim,
        notices: Notices<'e>,
        seed: u64,
    ) -> Self {
        Self {
            db: 0,
            now_ms: 0,
            from_ms: 0,
            access_clock: 0,
            frequency: None,
            is_no_touch: false,
            is_lrm: false,
            rng: Rng::new(seed),
            statistics,
            is_memory_short: false,
            is_replaying: false,
            refusal: None,
            recorder: Recorder::default(),
            changes: 0,
            notices,
            ready: Vec::new(),
            keyspace,
            guards: Vec::new(),
            exclusive: None,
            inside: None,
            reclaim,
        }
    }

    /// The entry of `key` for reading: counted as hit or miss, and touched.
    #[inline]
    pub fn read(&mut self, key: Key<'_>) -> Option<EntryRef<'_>> {
        let mark = if self.is_lrm { AccessMark::Leave } else { self.access_mark() };
        let db = self.db;
        let (found, after) = self.live_and_after(key);
        let Some(mut entry) = found else {
            after.missed(db, key);
            return None;
        };
        after.statistics.keyspace_hits.add(1);
        mark.apply(&mut entry);
        Some(entry.into_ref())
    }

    /// The entry of `key` for reading something about it: counted, but not touched.
    pub fn look(&mut self, key: Key<'_>) -> Option<EntryRef<'_>> {
        let db = self.db;
        let (found, after) = self.live_and_after(key);
        match found {
            Some(_) => after.statistics.keyspace_hits.add(1),
            None => after.missed(db, key),
        }
        found.map(EntryUse::into_ref)
    }

    /// As [`Data::look`], for what tells nobody that the key is missing.
    pub fn look_quietly(&mut self, key: Key<'_>) -> Option<EntryRef<'_>> {
        let statistics = self.statistics;
        let found = self.peek(key);
        let counter = match found {
            Some(_) => &statistics.keyspace_hits,
            None => &statistics.keyspace_misses,
        };
        counter.add(1);
        found
    }

    /// The entry of `key` without counting or touching it.
    #[inline]
    pub fn peek(&mut self, key: Key<'_>) -> Option<EntryRef<'_>> {
        self.live(key).map(EntryUse::into_ref)
    }

    /// The entry of a key that this call has looked at already; several can be held at once.
    pub fn found(&self, key: Key<'_>) -> Option<EntryRef<'_>> {
        let index = self.keyspace.shard_index(key.hash) as u32;
        let place = self.guards.binary_search_by_key(&index, |(i, _)| *i).ok()?;
        self.guards[place].1.data.database_ref(self.db).find(key)
    }

    /// The entry of `key` for a call that will write: touched, but not counted.
    #[inline]
    pub fn write(&mut self, key: Key<'_>) -> Option<EntryUse<'_>> {
        let mark = self.access_mark();
        let mut entry = self.live(key)?;
        mark.apply(&mut entry);
        Some(entry)
    }

    /// Whether `key` exists.
    pub fn exists(&mut self, key: Key<'_>) -> bool {
        self.live(key).is_some()
    }

    /// The bytes of a string for reading; an error if `key` holds another type.
    #[inline]
    pub fn read_string(&mut self, key: Key<'_>) -> Result<Option<EntryRef<'_>>, CommandError> {
        match self.read(key) {
            Some(entry) if entry.kind() != Kind::String => Err(CommandError::WrongType),
            found => Ok(found),
        }
    }

    /// As [`Data::read_string`], for a call that will write: neither counted as hit nor miss.
    #[inline]
    pub fn write_string(&mut self, key: Key<'_>) -> Result<Option<EntryUse<'_>>, CommandError> {
        match self.write(key) {
            Some(entry) if entry.kind() != Kind::String => Err(CommandError::WrongType),
            found => Ok(found),
        }
    }

    /// As [`Data::write_string`], for a change in place; say what happened with [`Data::changed`].
    #[inline]
    pub fn change_string(&mut self, key: Key<'_>) -> Result<Option<EntryMut<'_>>, CommandError> {
        let (db, now_ms, mark) = (self.db, self.now_ms, self.access_mark());
        let (shard, mut after) = self.parts(key.hash);
        let LockedShard { data, watched, tracked, waiting, .. } = shard;
        match data.database(db).live_mut(key, now_ms) {
            Live::Found(mut entry) => {
                mark.apply(&mut entry.reborrow().into());
                if entry.kind() == Kind::String {
                    return Ok(Some(entry));
                }
                Err(CommandError::WrongType)
            }
            Live::Missing => Ok(None),
            Live::Expired(entry) => {
                after.expired(watched, tracked, waiting, db, key, entry);
                Ok(None)
            }
        }
    }

    /// Sets `key` to a string, whatever it was, with the given deadline (or none).
    #[inline]
    pub fn set_string(&mut self, key: Key<'_>, value: &[u8], deadline: Option<u64>) {
        let (clock, reclaim) = (self.clock_for(key), self.reclaim);
        let database = self.database(key.hash);
        let len_before = database.len();
        let old = database.set_string(key, value, deadline, clock);
        let is_new = len_before < database.len();
        if let Some(old) = old {
            free(reclaim, old);
        }
        if is_new {
            self.notices.notify(self.db, key.bytes, events::NEW);
        }
    }

    /// As [`Data::set_string`] without deadline, for a key that was not looked at before.
    #[inline]
    pub fn overwrite(&mut self, key: Key<'_>, value: &[u8]) {
        self.expire_first(key);
        self.set_string(key, value, None);
    }

    /// Sets `key` to a string that a command has made, without copying it.
    pub fn set_edited_string(&mut self, key: Key<'_>, value: Vec<u8>, deadline: Option<u64>) {
        self.expire_first(key);
        let clock = self.clock_for(key);
        let mut entry = Entry::shared(key.bytes, Arc::new(value), deadline, clock);
        entry.as_mut().set_raw(true);
        self.put(key.hash, entry);
    }

    /// Removes `key` for good. Returns whether it was there.
    pub fn remove(&mut self, key: Key<'_>) -> bool {
        if !self.exists(key) {
            return false;
        }
        let removed = self.database(key.hash).remove(key);
        if let Some(old) = removed {
            free(self.reclaim, old);
        }
        true
    }

    /// Takes the entry of `key` out of the table.
    pub fn take(&mut self, key: Key<'_>) -> Option<Entry> {
        if !self.exists(key) {
            return None;
        }
        self.database(key.hash).remove(key)
    }

    /// Puts an entry (whose key is `key`) into the table, in place of any other.
    pub fn put(&mut self, hash: u64, entry: Entry) {
        let reclaim = self.reclaim;
        let key = self.notices.is_on().then(|| entry.as_ref().key().to_vec());
        let old = self.database(hash).insert(entry, hash);
        match (old, key) {
            (Some(old), _) => free(reclaim, old),
            (None, Some(key)) => self.notices.notify(self.db, &key, events::NEW),
            (None, None) => {}
        }
    }

    /// Lets `change` edit the entry of a key that is there, as a whole.
    ///
    /// # Panics
    /// If it is not there.
    pub fn edit<R>(&mut self, key: Key<'_>, change: impl FnOnce(&mut Entry) -> R) -> R {
        self.database(key.hash).edit(key, change).expect("the caller has found the key")
    }

    /// Gives `key` a deadline in wall-clock milliseconds, or takes it away.
    pub fn set_deadline(&mut self, key: Key<'_>, deadline: Option<u64>) {
        self.database(key.hash).set_deadline(key, deadline);
    }

    /// Tells what happened to `key`. Everything that follows from a change follows from here:
    /// the count of changes, WATCH, clients' caches, notifications; and that a call has changed something is
    /// what puts it into the journal.
    #[inline]
    pub fn changed(&mut self, key: Key<'_>, event: Event) {
        self.changes += 1;
        self.noted(key, event);
    }

    /// As [`Data::changed`], for a change that subscribers are not told of.
    pub fn changed_quietly(&mut self, key: Key<'_>) {
        self.changes += 1;
        let db = self.db;
        let (shard, after) = self.parts(key.hash);
        shard.watched.changed(db, key.bytes);
        after.notices.invalidate(&mut shard.tracked, key.bytes, None);
    }

    /// A client has read `key`: it is told when that changes. At most `keys_max` keys are known to be read
    /// in all shards.
    pub(crate) fn track(&mut self, key: Key<'_>, tracker: &Arc<Tracker>, keys_max: usize) {
        let chance = self.rng.next_u64();
        let (shard, after) = self.parts(key.hash);
        after.notices.track(&mut shard.tracked, key, tracker, (keys_max, chance));
    }

    /// Tells of a further event of a change that [`Data::changed`] has counted.
    #[inline]
    pub fn noted(&mut self, key: Key<'_>, event: Event) {
        let shard = self.shard(key.hash);
        let is_awaited = !shard.watched.is_empty() || !shard.waiting.is_empty();
        if is_awaited || !self.notices.is_silent() {
            self.tell(key, event);
        }
    }

    /// Tells all whom a change may concern.
    #[inline(never)]
    fn tell(&mut self, key: Key<'_>, event: Event) {
        let db = self.db;
        let (LockedShard { watched, tracked, waiting, .. }, after) = self.parts(key.hash);
        follow(watched, tracked, after.notices, db, key.bytes, event);
        if !waiting.is_empty() {
            waiting.note(db, key, after.ready);
        }
    }

    /// Tells all who track keys to forget what they have. What they have read is forgotten here too, if nobody
    /// can have read anything meanwhile: behind the gate.
    pub(crate) fn invalidate_everything(&mut self, tracking: &Tracking) {
        if tracking.is_on() {
            self.notices.invalidate_all();
        }
        if self.exclusive.is_some() && tracking.keys() != 0 {
            for index in 0..self.keyspace.locks().len() as u32 {
                self.forget_tracked(index);
            }
        }
    }

    /// Forgets what clients have read in a shard: they have been told that everything has changed.
    fn forget_tracked(&mut self, index: u32) {
        let mut tracked = std::mem::take(&mut self.shard_at(index).tracked);
        self.notices.forget_tracked(&mut tracked);
    }

    /// Whether the shard of `hash` is held now.
    pub fn holds(&self, hash: u64) -> bool {
        let index = self.keyspace.shard_index(hash) as u32;
        self.guards.binary_search_by_key(&index, |(i, _)| *i).is_ok()
    }

    /// Takes the shard of `hash` too, if it is held or free now.
    pub(crate) fn try_hold(&mut self, hash: u64, now_ns: u64) -> bool {
        let index = self.keyspace.shard_index(hash) as u32;
        let Err(place) = self.guards.binary_search_by_key(&index, |(i, _)| *i) else { return true };
        let Some(mut guard) = self.keyspace.locks()[index as usize].try_lock(now_ns) else {
            return false;
        };
        self.now_ms = guard.data.observe_ms(self.now_ms);
        self.guards.insert(place, (index, guard));
        true
    }

    /// The present database in the shard of `hash`.
    #[inline]
    pub fn database(&mut self, hash: u64) -> &mut Database {
        let db = self.db;
        self.shard(hash).data.database(db)
    }

    /// The locked shard of `hash`.
    #[inline]
    pub fn shard(&mut self, hash: u64) -> &mut LockedShard {
        let index = self.keyspace.shard_index(hash) as u32;
        self.shard_at(index)
    }

    /// The locked shard number `index`.
    #[inline]
    pub fn shard_at(&mut self, index: u32) -> &mut LockedShard {
        if self.guards.first().is_some_and(|(first, _)| *first == index) {
            return &mut self.guards[0].1;
        }
        self.other_shard(index)
    }

    /// The entry of `key`, unless its deadline has passed: then it is removed.
    #[inline]
    fn live(&mut self, key: Key<'_>) -> Option<EntryUse<'_>> {
        self.live_and_after(key).0
    }

    /// As [`Data::live`], with what follows from finding nothing.
    #[inline]
    fn live_and_after(&mut self, key: Key<'_>) -> (Option<EntryUse<'_>>, After<'_, 'e>) {
        let (db, now_ms) = (self.db, self.now_ms);
        let (LockedShard { data, watched, tracked, waiting, .. }, mut after) = self.parts(key.hash);
        let found = match data.database(db).live(key, now_ms) {
            Live::Found(entry) => Some(entry),
            Live::Missing => None,
            Live::Expired(entry) => {
                after.expired(watched, tracked, waiting, db, key, entry);
                None
            }
        };
        (found, after)
    }

    /// Lets a key past its deadline expire, with all that follows from it, before it is replaced.
    #[inline]
    fn expire_first(&mut self, key: Key<'_>) {
        if self.database(key.hash).volatile_len() != 0 {
            self.live(key);
        }
    }

    /// The locked shard of `hash`, and apart from it what follows from what is met there.
    #[inline]
    fn parts(&mut self, hash: u64) -> (&mut LockedShard, After<'_, 'e>) {
        let after = After {
            statistics: self.statistics,
            reclaim: self.reclaim,
            changes: &mut self.changes,
            recorder: &mut self.recorder,
            notices: &mut self.notices,
            ready: &mut self.ready,
        };
        let index = self.keyspace.shard_index(hash) as u32;
        let is_first = self.guards.first().is_some_and(|(first, _)| *first == index);
        let shard = if is_first {
            &mut *self.guards[0].1
        } else {
            other_shard(&mut self.guards, self.keyspace, self.exclusive.as_ref(), index)
        };
        (shard, after)
    }

    #[inline]
    fn access_mark(&mut self) -> AccessMark<'e> {
        match self.frequency {
            _ if self.is_no_touch => AccessMark::Leave,
            None => AccessMark::Time(self.access_clock),
            Some(frequency) => AccessMark::Count(frequency, self.rng.next_f64()),
        }
    }

    /// The access clock of a value that is about to be set: a counted frequency outlives it.
    #[inline]
    fn clock_for(&mut self, key: Key<'_>) -> u32 {
        if self.frequency.is_none() {
            return self.access_clock;
        }
        let old = self.peek(key).map(EntryRef::access_clock);
        old.unwrap_or(self.access_clock)
    }

    #[cold]
    fn note_ready(&mut self, key: Key<'_>) {
        let (db, mut ready) = (self.db, std::mem::take(&mut self.ready));
        self.shard(key.hash).waiting.note(db, key, &mut ready);
        self.ready = ready;
    }

    #[cold]
    fn other_shard(&mut self, index: u32) -> &mut LockedShard {
        other_shard(&mut self.guards, self.keyspace, self.exclusive.as_ref(), index)
    }

    /// The sink for what is removed.
    pub fn reclaim(&self) -> &'e dyn Reclaim {
        self.reclaim
    }

    /// Lets go of every shard and of the gate.
    pub(crate) fn release(&mut self) {
        self.guards.clear();
        self.exclusive = None;
    }

    /// The keyspace, for its measures.
    pub fn keyspace(&self) -> &'e Keyspace {
        self.keyspace
    }
}

/// What follows when a key is missing, or met past its deadline.
struct After<'d, 'e> {
    statistics: &'d ThreadStatistics,
    reclaim: &'d dyn Reclaim,
    changes: &'d mut u64,
    recorder: &'d mut Recorder,
    notices: &'d mut Notices<'e>,
    ready: &'d mut Vec<ReadyKey>,
}

impl After<'_, '_> {
    fn expired(
        &mut self,
        watched: &mut WatchTable,
        tracked: &mut TrackTable,
        waiting: &mut WaitTable,
        db: usize,
        key: Key<'_>,
        entry: Entry,
    ) {
        *self.changes += 1;
        self.recorder.push_apart(db, &[b"DEL", key.bytes]);
        self.statistics.keys_expired.add(1);
        follow(watched, tracked, self.notices, db, key.bytes, events::EXPIRED);
        if !waiting.is_empty() {
            waiting.note(db, key, self.ready);
        }
        free(self.reclaim, entry);
    }

    /// Fields of a hash were past their deadlines; `is_last` if none is left, so that the key goes too.
    #[cold]
    fn parts_expired(
        &mut self,
        watched: &mut WatchTable,
        tracked: &mut TrackTable,
        (db, key): (usize, Key<'_>),
        gone: &[Box<[u8]>],
        is_last: bool,
    ) {
        let mut words = vec![&b"HDEL"[..], key.bytes];
        words.extend(gone.iter().map(|field| &field[..]));
        *self.changes += 1;
        self.recorder.push_apart(db, &words);
        self.statistics.fields_expired.add(gone.len() as u64);
        follow(watched, tracked, self.notices, db, key.bytes, events::HEXPIRED);
        if is_last {
            follow(watched, tracked, self.notices, db, key.bytes, events::DEL);
        }
    }

    fn missed(self, db: usize, key: Key<'_>) {
        self.statistics.keyspace_misses.add(1);
        self.notices.notify(db, key.bytes, events::KEYMISS);
    }
}

fn other_shard<'d, 'e>(
    guards: &'d mut Vec<(u32, Guard<'e, LockedShard>)>,
    keyspace: &'e Keyspace,
    exclusive: Option<&Exclusive<'e>>,
    index: u32,
) -> &'d mut LockedShard {
    let place = guards.binary_search_by_key(&index, |(i, _)| *i).unwrap_or_else(|place| {
        let alone = exclusive.expect("a call touches only keys that its row names");
        guards.insert(place, (index, keyspace.locks()[index as usize].lock_alone(alone, 0)));
        place
    });
    &mut guards[place].1
}

/// What follows from one change, beside its count.
#[inline]
pub(crate) fn follow(
    watched: &mut WatchTable,
    tracked: &mut TrackTable,
    notices: &mut Notices<'_>,
    db: usize,
    key: &[u8],
    event: Event,
) {
    watched.changed(db, key);
    notices.invalidate(tracked, key, Some(event));
    notices.notify(db, key, event);
}

#[inline]
pub(crate) fn free(reclaim: &dyn Reclaim, entry: Entry) {
    if entry.is_cheap_to_free() {
        drop(entry);
    } else {
        let bytes = entry.as_ref().memory_bytes();
        reclaim.reclaim(entry, bytes);
    }
}

/// Frees everything at once: for tests and small programs.
pub struct ReclaimNow;

impl Reclaim for ReclaimNow {
    fn reclaim(&self, entry: Entry, _bytes: usize) {
        drop(entry);
    }
    fn reclaim_database(&self, database: Database) {
        drop(database);
    }
    fn help(&self) {}
}

/// Shared bytes as store keeps them.
pub type SharedBytes = Arc<Vec<u8>>;

/// Wall time as an entry's access clock: 1/16 s, 24 bits.
pub(crate) fn access_clock(now_ms: u64) -> u32 {
    (now_ms * 16 / 1000) as u32 & 0x00ff_ffff
}
