//! Who listens to which channel: a striped table beside the keyspace.
//!
//! ```text
//! channels        64 stripes, each a lock and a table: channel → subscribers
//! shard channels  the same once more: names of their own, bound to hash slots in a cluster
//! patterns        one lock: pattern → subscribers
//! ```
//!
//! A message is left in the mailboxes of all its receivers while the lock of its channel's stripe is
//! held, patterns included. So all that listen to a channel see one order, and whoever has had the
//! reply of its PUBLISH can rely on it that the message is on its way. No lock is held across a call;
//! they are taken after those of shards, in the order stripe, patterns, mailbox.
//!
//! Cost of a message: its receivers, and one match per pattern. Without any subscription a look at
//! two counters.

use crate::host::Host;
use crate::pushes::{Mailbox, Postings, Push};
use crate::session::Session;
use base::glob;
use base::hash::KeyedHash;
use parking_lot::{Mutex, MutexGuard, RwLock};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Stripes of a table of channels: more than threads that publish at the same time.
const STRIPES: usize = 64;

/// What is subscribed to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Topic {
    Channel,
    Pattern,
    ShardChannel,
}

/// The name of a channel or pattern, shared by the table and the sessions.
type Name = Arc<[u8]>;

/// Mailboxes by the ids of their sessions.
type Subscribers = HashMap<u64, Arc<Mailbox>>;

type Table = HashMap<Name, Subscribers>;

/// All subscriptions of a server.
pub struct PubSub {
    channels: Channels,
    shard_channels: Channels,
    patterns: RwLock<Table>,
    /// Patterns in the table, to be read without its lock.
    patterns_count: AtomicUsize,
    /// Sessions with a subscription.
    clients: AtomicUsize,
}

struct Channels {
    stripes: Box<[Stripe]>,
    hash: KeyedHash,
    /// Channels in all stripes, to be read without a lock.
    count: AtomicUsize,
}

/// On cache lines of its own.
#[repr(align(128))]
#[derive(Default)]
struct Stripe(Mutex<Table>);

/// What one session has subscribed to.
#[derive(Debug, Default)]
pub struct Subscriptions {
    channels: HashSet<Name>,
    patterns: HashSet<Name>,
    shard_channels: HashSet<Name>,
}

impl Subscriptions {
    /// How many channels, patterns or shard channels.
    pub fn count(&self, topic: Topic) -> usize {
        self.of(topic).len()
    }

    /// The number in a confirmation: channels and patterns count together.
    pub fn confirmed_count(&self, topic: Topic) -> usize {
        match topic {
            Topic::Channel | Topic::Pattern => self.channels.len() + self.patterns.len(),
            Topic::ShardChannel => self.shard_channels.len(),
        }
    }

    /// The names that are subscribed to.
    pub fn names(&self, topic: Topic) -> Vec<Arc<[u8]>> {
        self.of(topic).iter().cloned().collect()
    }

    fn is_empty(&self) -> bool {
        self.channels.is_empty() && self.patterns.is_empty() && self.shard_channels.is_empty()
    }

    fn of(&self, topic: Topic) -> &HashSet<Name> {
        match topic {
            Topic::Channel => &self.channels,
            Topic::Pattern => &self.patterns,
            Topic::ShardChannel => &self.shard_channels,
        }
    }

    fn of_mut(&mut self, topic: Topic) -> &mut HashSet<Name> {
        match topic {
            Topic::Channel => &mut self.channels,
            Topic::Pattern => &mut self.patterns,
            Topic::ShardChannel => &mut self.shard_channels,
        }
    }
}

impl PubSub {
    /// Without subscriptions; `seed` spreads the channels over the stripes.
    pub fn new(seed: u64) -> Self {
        Self {
            channels: Channels::new(seed),
            shard_channels: Channels::new(seed),
            patterns: RwLock::default(),
            patterns_count: AtomicUsize::new(0),
            clients: AtomicUsize::new(0),
        }
    }

    /// Subscribes a session; once more changes nothing.
    pub fn subscribe(&self, session: &mut Session, host: &dyn Host, topic: Topic, name: &[u8]) {
        if session.subscriptions.as_ref().is_some_and(|all| all.of(topic).contains(name)) {
            return;
        }
        let mailbox = Arc::clone(session.mailbox(host));
        let name = match topic {
            Topic::Channel => self.channels.add(name, &mailbox),
            Topic::ShardChannel => self.shard_channels.add(name, &mailbox),
            Topic::Pattern => add(&mut self.patterns.write(), &self.patterns_count, name, &mailbox),
        };
        let subscriptions = session.subscriptions.get_or_insert_with(|| {
            self.clients.fetch_add(1, Ordering::Relaxed);
            Box::default()
        });
        subscriptions.of_mut(topic).insert(name);
    }

    /// Ends a subscription, if there is one. What was published before stays in the mailbox.
    pub fn unsubscribe(&self, session: &mut Session, topic: Topic, name: &[u8]) {
        let Some(subscriptions) = &mut session.subscriptions else { return };
        let is_last = subscriptions.of_mut(topic).remove(name) && subscriptions.is_empty();
        self.forget(session.id, topic, name);
        if is_last {
            session.subscriptions = None;
            self.clients.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Ends all subscriptions of a session.
    pub fn unsubscribe_all(&self, session: &mut Session) {
        let Some(subscriptions) = session.subscriptions.take() else { return };
        for topic in [Topic::Channel, Topic::Pattern, Topic::ShardChannel] {
            for name in subscriptions.of(topic) {
                self.forget(session.id, topic, name);
            }
        }
        self.clients.fetch_sub(1, Ordering::Relaxed);
    }

    /// Publishes to a channel or shard channel. Returns the number of receivers.
    pub fn publish(
        &self,
        topic: Topic,
        channel: &[u8],
        message: &[u8],
        postings: &mut Postings,
    ) -> usize {
        if topic == Topic::ShardChannel {
            let (stripe, kind) = (self.shard_channels.stripe(channel), b"smessage");
            return post_to_channel(&stripe, kind, channel, message, postings);
        }
        if !self.has_listeners() {
            return 0;
        }
        let stripe = self.channels.stripe(channel);
        post_to_channel(&stripe, b"message", channel, message, postings)
            + self.post_to_patterns(channel, message, postings)
    }

    /// Whether anybody listens to any channel or pattern.
    #[inline]
    pub fn has_listeners(&self) -> bool {
        // Acquire pairs with the releases in `add` and `remove`; a subscriber that has had its
        // confirmation is seen.
        self.channels.count.load(Ordering::Acquire) != 0
            || self.patterns_count.load(Ordering::Acquire) != 0
    }

    /// Channels or shard channels with subscribers whose names match, if a pattern is given.
    pub fn channels(&self, topic: Topic, pattern: Option<&[u8]>) -> Vec<Arc<[u8]>> {
        let is_meant = |name: &&Name| pattern.is_none_or(|pattern| glob::matches(pattern, name));
        let mut names = Vec::new();
        for stripe in &self.table(topic).stripes {
            names.extend(stripe.0.lock().keys().filter(is_meant).cloned());
        }
        names
    }

    /// Ids of the sessions that have subscribed to channels, patterns or shard channels with such
    /// names.
    pub fn subscribers_of(&self, topic: Topic, is_meant: impl Fn(&[u8]) -> bool) -> Vec<u64> {
        let ids = |table: &Table| -> Vec<u64> {
            let meant = table.iter().filter(|(name, _)| is_meant(name));
            meant.flat_map(|(_, subscribers)| subscribers.keys().copied()).collect()
        };
        match topic {
            Topic::Pattern => ids(&self.patterns.read()),
            Topic::Channel | Topic::ShardChannel => {
                let stripes = &self.table(topic).stripes;
                stripes.iter().flat_map(|stripe| ids(&stripe.0.lock())).collect()
            }
        }
    }

    /// Subscribers of one channel or shard channel.
    pub fn subscribers(&self, topic: Topic, channel: &[u8]) -> usize {
        self.table(topic).stripe(channel).get(channel).map_or(0, HashMap::len)
    }

    /// How many channels, patterns or shard channels have subscribers.
    pub fn count(&self, topic: Topic) -> usize {
        let count = match topic {
            Topic::Channel => &self.channels.count,
            Topic::Pattern => &self.patterns_count,
            Topic::ShardChannel => &self.shard_channels.count,
        };
        count.load(Ordering::Relaxed)
    }

    /// Sessions with a subscription.
    pub fn clients(&self) -> usize {
        self.clients.load(Ordering::Relaxed)
    }

    fn post_to_patterns(&self, channel: &[u8], message: &[u8], postings: &mut Postings) -> usize {
        if self.patterns_count.load(Ordering::Acquire) == 0 {
            return 0;
        }
        let patterns = self.patterns.read();
        let matching = patterns.iter().filter(|(pattern, _)| glob::matches(pattern, channel));
        let posted = matching.map(|(pattern, subscribers)| {
            let push = Push::texts(&[b"pmessage", pattern, channel, message]);
            post_to_all(subscribers, &push, postings)
        });
        posted.sum()
    }

    fn forget(&self, id: u64, topic: Topic, name: &[u8]) {
        match topic {
            Topic::Channel => self.channels.remove(name, id),
            Topic::Pattern => remove(&mut self.patterns.write(), &self.patterns_count, name, id),
            Topic::ShardChannel => self.shard_channels.remove(name, id),
        }
    }

    fn table(&self, topic: Topic) -> &Channels {
        match topic {
            Topic::Channel | Topic::Pattern => &self.channels,
            Topic::ShardChannel => &self.shard_channels,
        }
    }
}

impl Channels {
    fn new(seed: u64) -> Self {
        Self {
            stripes: (0..STRIPES).map(|_| Stripe::default()).collect(),
            hash: KeyedHash::new(seed),
            count: AtomicUsize::new(0),
        }
    }

    fn add(&self, name: &[u8], mailbox: &Arc<Mailbox>) -> Name {
        add(&mut self.stripe(name), &self.count, name, mailbox)
    }

    fn remove(&self, name: &[u8], id: u64) {
        remove(&mut self.stripe(name), &self.count, name, id);
    }

    fn stripe(&self, name: &[u8]) -> MutexGuard<'_, Table> {
        self.stripes[self.hash.hash(name) as usize % STRIPES].0.lock()
    }
}

fn add(table: &mut Table, count: &AtomicUsize, name: &[u8], mailbox: &Arc<Mailbox>) -> Name {
    let known = table.get_key_value(name).map(|(name, _)| Arc::clone(name));
    let name = known.unwrap_or_else(|| {
        count.fetch_add(1, Ordering::Release);
        name.into()
    });
    let subscribers = table.entry(Arc::clone(&name)).or_default();
    subscribers.insert(mailbox.owner, Arc::clone(mailbox));
    name
}

fn remove(table: &mut Table, count: &AtomicUsize, name: &[u8], id: u64) {
    let Some(subscribers) = table.get_mut(name) else { return };
    subscribers.remove(&id);
    if subscribers.is_empty() {
        table.remove(name);
        count.fetch_sub(1, Ordering::Release);
    }
}

fn post_to_channel(
    stripe: &Table,
    kind: &[u8],
    channel: &[u8],
    message: &[u8],
    postings: &mut Postings,
) -> usize {
    let Some(subscribers) = stripe.get(channel) else { return 0 };
    post_to_all(subscribers, &Push::texts(&[kind, channel, message]), postings)
}

fn post_to_all(subscribers: &Subscribers, push: &Push, postings: &mut Postings) -> usize {
    subscribers.values().for_each(|mailbox| postings.post(mailbox, push));
    subscribers.len()
}
