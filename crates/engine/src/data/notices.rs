//! Keyspace notifications: what happened to keys, published as messages.
//!
//! A change is told twice, as the settings say: what happened, to the channel of the key
//! (`__keyspace@0__:key`), and to which key, to the channel of what happened (`__keyevent@0__:set`).
//! Both are posted while the key's shard is held, so subscribers see the changes of a key in their
//! order, and before the caller's reply leaves. Switched off they cost one branch.

use super::invalidations::Invalidations;
use crate::events::{Classes, Event};
use crate::host::Host;
use crate::pubsub::{PubSub, Topic};
use crate::pushes::Postings;
use crate::settings::Settings;
use crate::tracking::{TrackTable, Tracker, Tracking};
use base::numbers::IntegerBuffer;
use base::rand::Rng;
use std::sync::Arc;
use store::Key;

/// What one thread publishes.
pub struct Notices<'e> {
    /// How messages are posted, and whose loops are told of them at the end of the batch.
    pub postings: Postings,
    invalidations: Invalidations<'e>,
    classes: Classes,
    pubsub: &'e PubSub,
    /// The name of a channel, made anew for each message.
    channel: Vec<u8>,
}

impl<'e> Notices<'e> {
    /// Notices to the subscribers in `pubsub`, and to those who track keys.
    pub fn new(
        pubsub: &'e PubSub,
        tracking: &'e Tracking,
        host: &'e dyn Host,
        settings: &Settings,
    ) -> Self {
        let mut notices = Self {
            postings: Postings::default(),
            invalidations: Invalidations::new(tracking, host),
            classes: Classes::NONE,
            pubsub,
            channel: Vec::new(),
        };
        notices.configure(settings);
        notices
    }

    /// Takes over what the settings say.
    pub fn configure(&mut self, settings: &Settings) {
        self.classes = settings.notified;
        self.postings.bytes_max = settings.push_bytes_max;
    }

    /// Whether anything is published at all.
    pub fn is_on(&self) -> bool {
        self.classes != Classes::NONE
    }

    /// Whether a change is told to nobody: it is not published, and no client tracks anything.
    #[inline]
    pub(super) fn is_silent(&self) -> bool {
        !self.is_on() && !self.invalidations.is_on()
    }

    /// Tells what happened to a key.
    #[inline]
    pub fn notify(&mut self, db: usize, key: &[u8], event: Event) {
        if self.is_on() {
            self.publish(db, key, event);
        }
    }

    /// Tells those who may have `key` in a cache of their own that it has changed.
    #[inline]
    pub(crate) fn invalidate(
        &mut self,
        tracked: &mut TrackTable,
        key: &[u8],
        event: Option<Event>,
    ) {
        self.invalidations.changed(tracked, key, event, &mut self.postings);
    }

    /// The calls that follow are made for this client.
    #[inline]
    pub(crate) fn begin(&mut self, client: u64) {
        self.invalidations.caller = client;
    }

    /// Posts what was gathered, at the end of a call that still holds its shards.
    #[inline]
    pub(crate) fn finish(&mut self) {
        self.invalidations.flush(&mut self.postings);
    }

    /// Tells everybody who tracks anything that everything has changed.
    pub(crate) fn invalidate_all(&mut self) {
        self.invalidations.all_changed(&mut self.postings);
    }

    /// A client has read `key`; see [`Invalidations::track`].
    pub(super) fn track(
        &mut self,
        tracked: &mut TrackTable,
        key: Key<'_>,
        tracker: &Arc<Tracker>,
        limit: (usize, u64),
    ) {
        self.invalidations.track(tracked, key, tracker, limit, &mut self.postings);
    }

    /// Forgets some of what is tracked in a shard and need not be. Returns whether there is more.
    pub(crate) fn tidy_tracked(
        &mut self,
        tracked: &mut TrackTable,
        keys_max: usize,
        rng: &mut Rng,
    ) -> bool {
        const SWEPT_MAX: usize = 64;
        self.invalidations.sweep(tracked, SWEPT_MAX);
        let mut is_over = false;
        for _ in 0..SWEPT_MAX {
            let limit = (keys_max, rng.next_u64());
            is_over = self.invalidations.forget_one(tracked, None, limit, &mut self.postings);
            if !is_over {
                break;
            }
        }
        is_over
    }

    /// Forgets what is tracked in a shard, because of [`Notices::invalidate_all`].
    pub(crate) fn forget_tracked(&mut self, tracked: &mut TrackTable) {
        self.invalidations.forget_all(tracked);
    }

    #[cold]
    fn publish(&mut self, db: usize, key: &[u8], event: Event) {
        if !self.classes.has(event.class) || !self.pubsub.has_listeners() {
            return;
        }
        if self.classes.has(Classes::TO_KEY) {
            self.post(b"__keyspace@", db, key, event.name.as_bytes());
        }
        if self.classes.has(Classes::TO_EVENT) {
            self.post(b"__keyevent@", db, event.name.as_bytes(), key);
        }
    }

    fn post(&mut self, head: &[u8], db: usize, tail: &[u8], message: &[u8]) {
        self.channel.clear();
        self.channel.extend_from_slice(head);
        self.channel.extend_from_slice(IntegerBuffer::new().format(db as i64));
        self.channel.extend_from_slice(b"__:");
        self.channel.extend_from_slice(tail);
        self.pubsub.publish(Topic::Channel, &self.channel, message, &mut self.postings);
    }
}
