//! Invalidations: clients that may have a key in a cache of their own are told that it has changed.
//!
//! See [`tracking`](crate::tracking). Here is what one thread does of it: it tells those who have read a key
//! at once, and gathers the keys that a call changes for those who are told by prefix.

use crate::events::Event;
use crate::host::Host;
use crate::pushes::{Postings, Push};
use crate::tracking::{ChangedKey, Modes, TrackTable, Tracker, Tracking};
use std::sync::Arc;
use store::Key;

/// Changed keys that are gathered before they are told of although the call goes on.
const GATHERED_MAX: usize = 1024;

/// What one thread tells.
pub(super) struct Invalidations<'e> {
    tracking: &'e Tracking,
    host: &'e dyn Host,
    /// The client for which the present call is made.
    pub(super) caller: u64,
    /// Keys that the present call has changed, while there are prefixes.
    changed: Vec<ChangedKey>,
}

impl<'e> Invalidations<'e> {
    pub(super) fn new(tracking: &'e Tracking, host: &'e dyn Host) -> Self {
        Self { tracking, host, caller: 0, changed: Vec::new() }
    }

    /// Whether any client tracks anything.
    #[inline]
    pub(super) fn is_on(&self) -> bool {
        self.tracking.is_on()
    }

    /// `key` has changed.
    #[inline]
    pub(super) fn changed(
        &mut self,
        tracked: &mut TrackTable,
        key: &[u8],
        event: Option<Event>,
        postings: &mut Postings,
    ) {
        if self.is_on() {
            self.tell(tracked, key, event, postings);
        }
    }

    #[cold]
    fn tell(
        &mut self,
        tracked: &mut TrackTable,
        key: &[u8],
        event: Option<Event>,
        postings: &mut Postings,
    ) {
        // Nobody's change is one that its caller only met: expiry, eviction.
        let is_met = event.is_some_and(|event| matches!(event.class, b'e' | b'x'));
        let by = if is_met { 0 } else { self.caller };
        if let Some(trackers) = tracked.take(key, &self.tracking.counts) {
            let push = Push::invalidation(&[key]);
            for tracker in trackers.iter().filter(|tracker| tracker.wants_keys()) {
                let is_own = by == tracker.client && tracker.modes().has(Modes::NO_LOOP);
                if !is_own {
                    self.send(tracker, &push, postings);
                }
            }
        }
        if self.tracking.prefixes.any() {
            self.changed.push(ChangedKey { bytes: key.into(), by });
            if GATHERED_MAX <= self.changed.len() {
                self.broadcast(postings);
            }
        }
    }

    /// Tells of the keys that were gathered; to be called while their shards are held.
    #[inline]
    pub(super) fn flush(&mut self, postings: &mut Postings) {
        if !self.changed.is_empty() {
            self.broadcast(postings);
        }
    }

    #[cold]
    fn broadcast(&mut self, postings: &mut Postings) {
        let mut keys = std::mem::take(&mut self.changed);
        keys.sort_by(|one, other| one.bytes.cmp(&other.bytes));
        keys.dedup_by(|next, kept| {
            let is_same = next.bytes == kept.bytes;
            if is_same && next.by != kept.by {
                kept.by = 0;
            }
            is_same
        });
        self.tracking.prefixes.each_of(&keys, |prefix, keys| {
            let push = invalidation(keys.iter());
            for tracker in prefix.trackers() {
                let skips_own = tracker.modes().has(Modes::NO_LOOP);
                let is_own = |key: &&ChangedKey| skips_own && key.by == tracker.client;
                let own = keys.iter().filter(is_own).count();
                if own == 0 {
                    self.send(&tracker, &push, postings);
                } else if own < keys.len() {
                    let others = invalidation(keys.iter().filter(|key| !is_own(key)));
                    self.send(&tracker, &others, postings);
                }
            }
        });
        keys.clear();
        self.changed = keys;
    }

    /// Everything has changed.
    pub(super) fn all_changed(&self, postings: &mut Postings) {
        let push = Push::invalidation_of_all();
        self.tracking.trackers().iter().for_each(|tracker| self.send(tracker, &push, postings));
    }

    /// A client has read `key`. If there are too many keys with it, `limit` being how many there may be and
    /// a random number, another one is forgotten.
    pub(super) fn track(
        &self,
        tracked: &mut TrackTable,
        key: Key<'_>,
        tracker: &Arc<Tracker>,
        limit: (usize, u64),
        postings: &mut Postings,
    ) {
        tracked.add(key.bytes, tracker, &self.tracking.counts);
        self.forget_one(tracked, Some(key.bytes), limit, postings);
    }

    /// Forgets a key of a shard, if too many are known in all. Returns whether there are still too many, and
    /// more in this shard.
    pub(super) fn forget_one(
        &self,
        tracked: &mut TrackTable,
        spared: Option<&[u8]>,
        (keys_max, chance): (usize, u64),
        postings: &mut Postings,
    ) -> bool {
        let counts = &self.tracking.counts;
        let is_over = || keys_max != 0 && keys_max < counts.keys();
        if !is_over() {
            return false;
        }
        let Some((key, trackers)) = tracked.take_any(chance, spared, counts) else { return false };
        let push = Push::invalidation(&[&key]);
        let wanting = trackers.iter().filter(|tracker| tracker.wants_keys());
        wanting.for_each(|tracker| self.send(tracker, &push, postings));
        is_over() && !tracked.is_empty()
    }

    /// Forgets what clients had read that have gone.
    pub(super) fn sweep(&self, tracked: &mut TrackTable, keys_max: usize) {
        tracked.sweep(keys_max, &self.tracking.counts);
    }

    /// Forgets all keys of a shard whose readers are told that everything has changed.
    pub(super) fn forget_all(&self, tracked: &mut TrackTable) {
        tracked.clear(&self.tracking.counts);
    }

    fn send(&self, tracker: &Tracker, push: &Push, postings: &mut Postings) {
        let Some(receiver) = tracker.redirect() else {
            return postings.post(tracker.mailbox(), push);
        };
        if let Some(mailbox) = self.host.mailbox(receiver) {
            return postings.post(&mailbox, &push.redirected());
        }
        if tracker.broke() {
            self.host.redirection_broken(tracker.client);
        }
        postings.post(tracker.mailbox(), &Push::redirection_broken(receiver));
    }
}

fn invalidation<'k>(keys: impl Iterator<Item = &'k ChangedKey>) -> Push {
    let keys: Vec<&[u8]> = keys.map(|key| &*key.bytes).collect();
    Push::invalidation(&keys)
}
