//! Keyspace notifications: what happened to keys, published as messages.
//!
//! A change is told twice, as the settings say: what happened, to the channel of the key
//! (`__keyspace@0__:key`), and to which key, to the channel of what happened (`__keyevent@0__:set`).
//! Both are posted while the key's shard is held, so subscribers see the changes of a key in their
//! order, and before the caller's reply leaves. Switched off they cost one branch.

use crate::events::{Classes, Event};
use crate::pubsub::{PubSub, Topic};
use crate::pushes::Postings;
use crate::settings::Settings;
use base::numbers::IntegerBuffer;

/// What one thread publishes.
pub struct Notices<'e> {
    /// How messages are posted, and whose loops are told of them at the end of the batch.
    pub postings: Postings,
    classes: Classes,
    pubsub: &'e PubSub,
    /// The name of a channel, made anew for each message.
    channel: Vec<u8>,
}

impl<'e> Notices<'e> {
    /// Notices to the subscribers in `pubsub`.
    pub fn new(pubsub: &'e PubSub, settings: &Settings) -> Self {
        let channel = Vec::new();
        let mut notices =
            Self { postings: Postings::default(), classes: Classes::NONE, pubsub, channel };
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

    /// Tells what happened to a key.
    #[inline]
    pub fn notify(&mut self, db: usize, key: &[u8], event: Event) {
        if self.is_on() {
            self.publish(db, key, event);
        }
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
