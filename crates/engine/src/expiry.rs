//! What a shard needs beside calls: entries whose deadline has passed go without anybody asking for them, and a table that
//! changes its size gets on with it.
//!
//! Whoever runs this goes around the shards, as often as it sees fit and can afford. A shard is held for some
//! [`ENTRIES_MAX`] entries at a time, only when it is free, so no call waits for long.

use crate::data::{self, Notices, Reclaim};
use crate::events;
use crate::journal::Recorder;
use crate::keyspace::LockedShard;
use crate::run::Executor;
use crate::session::Session;
use crate::statistics::ThreadStatistics;
use crate::tracking::TrackTable;
use crate::watch::WatchTable;
use store::{Key, Passed};

/// Entries of a database that are removed under one hold of the shard's lock.
const ENTRIES_MAX: usize = 64;

/// Buckets of a database that are moved under one hold of the shard's lock.
const BUCKETS_MAX: usize = 64;

/// What looking after a shard has come to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Care {
    /// Somebody else has it, or everything.
    Busy,
    /// There is nothing to do for now.
    Done,
    /// There is more to do.
    More,
}

impl Executor<'_> {
    /// Does what is due in the shard number `index`. Without `expires`, and while data is loaded, entries stay past their
    /// deadline until somebody asks for them.
    pub fn look_after_shard(&mut self, session: &mut Session, index: usize, expires: bool) -> Care {
        self.tick_ns = self.engine.clock().now_ns();
        self.read_wall_clock();
        if self.enter(session).is_err() {
            return Care::Busy;
        }
        // What is loaded may still be about keys whose time is up.
        let care = self.look_after_entered(index, expires && !self.engine.loading.is_on());
        self.leave(session);
        self.hand_over_journal();
        care
    }

    fn look_after_entered(&mut self, index: usize, expires: bool) -> Care {
        if index == 0 {
            self.clear_shared_leftovers();
        }
        let lock = &self.engine.keyspace.locks()[index];
        let Some(mut shard) = lock.try_lock(self.tick_ns) else { return Care::Busy };
        let LockedShard { data, watched, tracked, waiting, .. } = &mut *shard;
        let now_ms = data.observe_ms(self.wall_ms);
        let (mut has_more, mut nudged) = (false, Vec::new());
        for db in 0..self.engine.keyspace.databases() {
            let database = data.database(db);
            if expires && database.next_due_ms().is_some_and(|due_ms| due_ms <= now_ms) {
                let (statistics, reclaim) = (self.data.statistics, self.data.reclaim());
                let (notices, recorder) = (&mut self.data.notices, &mut self.data.recorder);
                database.expire_due(now_ms, ENTRIES_MAX, |passed| {
                    record(&passed, db, recorder);
                    if !waiting.is_empty()
                        && let Passed::Key(entry) = &passed
                    {
                        let bytes = entry.as_ref().key();
                        let hash = self.engine.keyspace.hash(bytes);
                        waiting.removed(db, Key { bytes, hash }, &mut nudged);
                    }
                    after_expiry(passed, db, (watched, tracked), notices, statistics, reclaim);
                });
                has_more |= database.next_due_ms().is_some_and(|due_ms| due_ms <= now_ms);
            }
            has_more |= database.maintain(BUCKETS_MAX);
        }
        if !tracked.is_empty() {
            let (keys_max, rng) = (self.settings.tracked_keys_max, &mut self.data.rng);
            has_more |= self.data.notices.tidy_tracked(tracked, keys_max, rng);
        }
        self.data.notices.finish();
        if !self.data.recorder.is_empty() {
            shard.journaled = self.engine.journal.append(&mut self.data.recorder);
            self.has_journaled = true;
        }
        drop(shard);
        self.engine.wake_all(nudged);
        if has_more { Care::More } else { Care::Done }
    }
}

/// What follows when the time of a key, or of fields of a hash, is up.
fn after_expiry(
    passed: Passed<'_>,
    db: usize,
    (watched, tracked): (&mut WatchTable, &mut TrackTable),
    notices: &mut Notices<'_>,
    statistics: &ThreadStatistics,
    reclaim: &dyn Reclaim,
) {
    match passed {
        Passed::Key(entry) => {
            statistics.changes.add(1);
            statistics.keys_expired.add(1);
            data::follow(watched, tracked, notices, db, entry.as_ref().key(), events::EXPIRED);
            data::free(reclaim, entry);
        }
        Passed::Fields { key, count, .. } => {
            statistics.changes.add(count as u64);
            statistics.fields_expired.add(count as u64);
            data::follow(watched, tracked, notices, db, key, events::HEXPIRED);
        }
        Passed::LastFields { entry, count } => {
            statistics.changes.add(count as u64);
            statistics.fields_expired.add(count as u64);
            data::follow(watched, tracked, notices, db, entry.as_ref().key(), events::HEXPIRED);
            data::follow(watched, tracked, notices, db, entry.as_ref().key(), events::DEL);
            data::free(reclaim, entry);
        }
    }
}

/// Records that a key, or fields of a hash, have gone.
fn record(passed: &Passed<'_>, db: usize, recorder: &mut Recorder) {
    if !recorder.is_on() {
        return;
    }
    match passed {
        Passed::Key(entry) | Passed::LastFields { entry, .. } => {
            recorder.push(db, &[b"DEL", entry.as_ref().key()]);
        }
        Passed::Fields { key, names, .. } => {
            let mut words = vec![&b"HDEL"[..], key];
            words.extend(names.iter());
            recorder.push(db, &words);
        }
    }
}
