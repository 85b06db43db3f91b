//! Client-side caching: which client may have which key in a cache of its own, and who is told that a key
//! has changed.
//!
//! ```text
//! default  a call that reads a key ──► the key's shard: key → trackers      (`table`)
//! BCAST    CLIENT TRACKING ON BCAST PREFIX p ──► prefix → trackers          (`prefixes`)
//!
//! a change ──► its trackers' mailboxes: `invalidate [key …]`, or `invalidate null` for everything
//! ```
//!
//! *Order.* A read registers, and a change invalidates, under the lock of the key's shard; and mailboxes are
//! emptied between calls only. So an invalidation follows the reply that it makes out of date, and whoever
//! has had the reply of a change can rely on it that the invalidations are on their way. Those of BCAST are
//! gathered while a call runs and posted at its end, still under its locks: one message for a whole EXEC.
//!
//! *Names.* As in Redis keys are known by name alone: what happens to a key in one database invalidates it
//! for those who have read its namesake in another.
//!
//! *Cost.* As long as nobody tracks, a change costs one load and a read one test of a field of the session.
//! A tracked key costs its name, two places in tables, and a pointer for each client. Their number is
//! bounded (`tracking-table-max-keys`): a key too many is forgotten, and invalidated. Clients that have gone
//! are taken out when a key's list of clients would grow, and in the background.

mod prefixes;
mod table;

use crate::command::{Flags, Group, Outcome};
use crate::context::Ctx;
use crate::error::TrackingError;
use crate::host::Host;
use crate::keys;
use crate::pushes::Mailbox;
use crate::session::Session;
use parking_lot::Mutex;
use prefixes::Prefixes;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering, Ordering::Relaxed};

pub use prefixes::ChangedKey;
pub use table::TrackTable;

/// What all clients track, on cache lines of its own: every change looks at the count.
#[derive(Default)]
#[repr(align(128))]
pub struct Tracking {
    /// How many clients track, to be read without the lock.
    clients: AtomicUsize,
    /// Clients that track, by id.
    trackers: Mutex<HashMap<u64, Arc<Tracker>>>,
    pub(crate) prefixes: Prefixes,
    pub(crate) counts: Counts,
}

/// How much is tracked in all shards together.
#[derive(Debug, Default)]
pub struct Counts {
    keys: AtomicUsize,
    items: AtomicUsize,
}

/// One client, as those see it who have something to tell it.
#[derive(Debug)]
pub struct Tracker {
    /// Its id.
    pub client: u64,
    mailbox: Arc<Mailbox>,
    modes: AtomicU8,
    /// The client that receives its invalidations; 0: itself.
    redirect: AtomicU64,
}

/// How a client tracks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Modes(u8);

impl Modes {
    /// It does not track.
    pub const NONE: Self = Self(0);
    /// It tracks.
    pub const ON: Self = Self(1);
    /// It is told of all changes of keys with its prefixes, whether it has read them or not.
    pub const BROADCAST: Self = Self(1 << 1);
    /// Only reads after CLIENT CACHING YES are tracked.
    pub const OPT_IN: Self = Self(1 << 2);
    /// Reads after CLIENT CACHING NO are not tracked.
    pub const OPT_OUT: Self = Self(1 << 3);
    /// It is not told of its own changes.
    pub const NO_LOOP: Self = Self(1 << 4);
    /// The client that was to receive its invalidations has gone.
    pub const BROKEN: Self = Self(1 << 5);
    /// It has gone itself.
    const GONE: Self = Self(1 << 6);

    /// Both sets together.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `other` is in it.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// What one session tracks.
#[derive(Clone, Debug)]
pub struct ClientTracking {
    tracker: Arc<Tracker>,
    prefixes: BTreeSet<Box<[u8]>>,
    /// CLIENT CACHING has said how the next call is taken.
    pub is_caching_said: bool,
}

/// What CLIENT TRACKING ON asks for.
#[derive(Debug, Default)]
pub struct Options<'a> {
    /// BROADCAST, `OPT_IN`, `OPT_OUT`, `NO_LOOP`.
    pub modes: Modes,
    /// 0: to itself.
    pub redirect: u64,
    pub prefixes: Vec<&'a [u8]>,
}

impl Tracking {
    /// A session tracks from now on, or in another way than before.
    ///
    /// # Errors
    /// Options that contradict each other, or what the session has asked for before.
    pub fn begin(
        &self,
        session: &mut Session,
        host: &dyn Host,
        options: &Options<'_>,
    ) -> Result<(), TrackingError> {
        options.check(session.tracking.as_deref())?;
        let (id, mailbox) = (session.id, Arc::clone(session.mailbox(host)));
        let own =
            session.tracking.get_or_insert_with(|| Box::new(ClientTracking::new(id, mailbox)));
        let tracker = &own.tracker;
        tracker.redirect.store(options.redirect, Relaxed);
        // Released, with the redirection, by the locks below.
        tracker.modes.store(Modes::ON.with(options.modes).0, Relaxed);
        let mut trackers = self.trackers.lock();
        trackers.insert(id, Arc::clone(tracker));
        // Pairs with the acquire in `is_on`.
        self.clients.store(trackers.len(), Ordering::Release);
        drop(trackers);
        if options.modes.has(Modes::BROADCAST) {
            let is_all = options.prefixes.is_empty();
            let all: &[&[u8]] = if is_all { &[b""] } else { &options.prefixes };
            for prefix in all {
                if own.prefixes.insert((*prefix).into()) {
                    self.prefixes.add(prefix, &own.tracker);
                }
            }
        }
        Ok(())
    }

    /// A session tracks no longer. Keys that it has read stay known, as in Redis: if it begins again it is
    /// told of them.
    pub fn end(&self, session: &mut Session) {
        let Some(own) = &mut session.tracking else { return };
        for prefix in std::mem::take(&mut own.prefixes) {
            self.prefixes.remove(&prefix, session.id);
        }
        own.is_caching_said = false;
        own.tracker.modes.store(Modes::NONE.0, Relaxed);
        let mut trackers = self.trackers.lock();
        trackers.remove(&session.id);
        self.clients.store(trackers.len(), Ordering::Release);
    }

    /// A session ends.
    pub fn forget(&self, session: &mut Session) {
        self.end(session);
        if let Some(own) = session.tracking.take() {
            own.tracker.modes.store(Modes::GONE.0, Relaxed);
        }
    }

    /// Whether anybody tracks anything.
    #[inline]
    pub fn is_on(&self) -> bool {
        // Pairs with the releases above. Who has registered a key has done so under its shard's lock, after
        // that; who has had the reply of CLIENT TRACKING is told of every later change.
        self.clients.load(Ordering::Acquire) != 0
    }

    /// How many clients track.
    pub fn clients(&self) -> usize {
        self.clients.load(Relaxed)
    }

    /// How many prefixes have clients.
    pub fn prefixes(&self) -> usize {
        self.prefixes.count()
    }

    /// Keys that somebody has read, in all shards.
    pub fn keys(&self) -> usize {
        self.counts.keys()
    }

    /// The same, each key once for every client.
    pub fn items(&self) -> usize {
        self.counts.items.load(Relaxed)
    }

    pub(crate) fn trackers(&self) -> Vec<Arc<Tracker>> {
        self.trackers.lock().values().cloned().collect()
    }
}

impl Counts {
    pub(crate) fn keys(&self) -> usize {
        self.keys.load(Relaxed)
    }

    fn added(&self, keys: usize, items: usize) {
        self.keys.fetch_add(keys, Relaxed);
        self.items.fetch_add(items, Relaxed);
    }

    fn removed(&self, keys: usize, items: usize) {
        self.keys.fetch_sub(keys, Relaxed);
        self.items.fetch_sub(items, Relaxed);
    }
}

impl Tracker {
    /// How it tracks now. Relaxed throughout: what depends on it is ordered by the locks of shards and tables.
    pub fn modes(&self) -> Modes {
        Modes(self.modes.load(Relaxed))
    }

    /// The client that receives its invalidations, if not itself.
    pub fn redirect(&self) -> Option<u64> {
        match self.redirect.load(Relaxed) {
            0 => None,
            client => Some(client),
        }
    }

    pub(crate) fn mailbox(&self) -> &Mailbox {
        &self.mailbox
    }

    /// Notes that nobody receives its invalidations any more. Returns whether that is news.
    pub(crate) fn broke(&self) -> bool {
        // An `end` at the same moment wins or is undone by the next `begin`: the mode is a report.
        let before = Modes(self.modes.fetch_or(Modes::BROKEN.0, Relaxed));
        !before.has(Modes::BROKEN)
    }

    /// Whether it is told of keys that it has read.
    pub(crate) fn wants_keys(&self) -> bool {
        let modes = self.modes();
        modes.has(Modes::ON) && !modes.has(Modes::BROADCAST)
    }

    fn is_gone(&self) -> bool {
        self.modes().has(Modes::GONE)
    }
}

impl ClientTracking {
    fn new(client: u64, mailbox: Arc<Mailbox>) -> Self {
        let (modes, redirect) = (AtomicU8::default(), AtomicU64::default());
        let tracker = Arc::new(Tracker { client, mailbox, modes, redirect });
        Self { tracker, prefixes: BTreeSet::new(), is_caching_said: false }
    }

    /// How others see it.
    pub fn tracker(&self) -> &Tracker {
        &self.tracker
    }

    /// Its prefixes, in order.
    pub fn prefixes(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.prefixes.iter().map(|prefix| &**prefix)
    }

    /// Whether what its next call reads is tracked.
    fn registers(&self) -> bool {
        let modes = self.tracker.modes();
        let is_left_out = if modes.has(Modes::OPT_IN) {
            !self.is_caching_said
        } else {
            modes.has(Modes::OPT_OUT) && self.is_caching_said
        };
        modes.has(Modes::ON) && !modes.has(Modes::BROADCAST) && !is_left_out
    }
}

impl Options<'_> {
    fn check(&self, own: Option<&ClientTracking>) -> Result<(), TrackingError> {
        let has = |mode| self.modes.has(mode);
        let before = own.map_or(Modes::NONE, |own| own.tracker.modes());
        if !has(Modes::BROADCAST) && !self.prefixes.is_empty() {
            return Err(TrackingError::PrefixWithoutBroadcast);
        }
        if before.has(Modes::ON) && before.has(Modes::BROADCAST) != has(Modes::BROADCAST) {
            return Err(TrackingError::BroadcastSwitched);
        }
        if has(Modes::BROADCAST) && (has(Modes::OPT_IN) || has(Modes::OPT_OUT)) {
            return Err(TrackingError::BroadcastWithOpt);
        }
        if has(Modes::OPT_IN) && has(Modes::OPT_OUT) {
            return Err(TrackingError::OptInAndOut);
        }
        let is_switched = (has(Modes::OPT_IN) && before.has(Modes::OPT_OUT))
            || (has(Modes::OPT_OUT) && before.has(Modes::OPT_IN));
        if is_switched {
            return Err(TrackingError::OptSwitched);
        }
        let existing: Vec<&[u8]> = own.iter().flat_map(|own| own.prefixes()).collect();
        for (index, prefix) in self.prefixes.iter().enumerate() {
            let overlaps = |other: &&[u8]| prefix.starts_with(other) || other.starts_with(prefix);
            if let Some(other) = existing.iter().copied().find(overlaps) {
                return Err(TrackingError::prefixes(prefix, other, "an existing"));
            }
            if let Some(other) = self.prefixes[index + 1..].iter().copied().find(overlaps) {
                return Err(TrackingError::prefixes(prefix, other, "another provided"));
            }
        }
        Ok(())
    }
}

/// `CLIENT CACHING YES | NO`: how what follows is taken.
///
/// # Errors
/// An answer that the session's mode does not ask for.
pub fn say_caching(session: &mut Session, is_yes: bool) -> Outcome {
    let own = session.tracking.as_mut().filter(|own| own.tracker.modes().has(Modes::ON));
    let own = own.ok_or(TrackingError::CachingWithoutTracking)?;
    let (mode, error) = if is_yes {
        (Modes::OPT_IN, TrackingError::CachingYes)
    } else {
        (Modes::OPT_OUT, TrackingError::CachingNo)
    };
    if !own.tracker.modes().has(mode) {
        return Err(error.into());
    }
    own.is_caching_said = true;
    Ok(())
}

/// Registers the keys that a call has read for its client.
#[cold]
pub(crate) fn remember(ctx: &mut Ctx<'_, '_>) {
    let row = ctx.entry.row;
    // Of a script what its calls read counts.
    if !row.flags.has(Flags::READONLY) || row.group == Group::Scripting {
        return;
    }
    let Some(own) = ctx.session.tracking.as_ref().filter(|own| own.registers()) else { return };
    let tracker = Arc::clone(&own.tracker);
    let argv = ctx.argv;
    let (mut indices, keys_max) = (Vec::new(), ctx.settings.tracked_keys_max);
    keys::each_key(row, argv, |index, _| indices.push(index));
    for index in indices {
        let key = ctx.key(index);
        if ctx.is_at_hand(key) {
            ctx.data.track(key, &tracker, keys_max);
        }
    }
}

/// A call of a session is over: what CLIENT CACHING said is spent, but for a transaction.
#[cold]
pub(crate) fn called(session: &mut Session, keeps_caching: bool) {
    if session.transaction.is_none()
        && !keeps_caching
        && let Some(own) = &mut session.tracking
    {
        own.is_caching_said = false;
    }
}
