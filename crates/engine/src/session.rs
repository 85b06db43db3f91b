//! The logical state of one client: what its next call depends on.

use crate::acl::{self, User};
use crate::blocking::Waiter;
use crate::host::Host;
use crate::pubsub::Subscriptions;
use crate::pushes::{Mailbox, Receiver};
use crate::table::Entry;
use crate::tracking::ClientTracking;
use crate::watch::{WatchFlag, WatchedKey};
use base::lock::{Claim, GateClaim, Token};
use resp::{Argv, ArgvBuffer, Protocol};
use smallvec::SmallVec;
use std::sync::Arc;

/// One client's state.
pub struct Session {
    pub id: u64,
    /// Whom to wake when what this session waits for is free.
    pub token: Token,
    pub db: usize,
    pub protocol: Protocol,
    pub is_authenticated: bool,
    /// Whom it has logged in as; `None`: nobody has asked yet, so it is the default user.
    pub(crate) user: Option<Arc<User>>,
    /// Its user may do everything, as of `acl_generation`.
    pub(crate) is_unrestricted: bool,
    /// Generation of the users that it knows; 0: of none.
    pub(crate) acl_generation: u64,
    /// The connection comes from this machine (loopback or a Unix socket).
    pub is_local: bool,
    pub is_no_touch: bool,
    /// It watches all calls.
    pub is_monitor: bool,
    pub replies: Replies,
    /// The open transaction, between MULTI and EXEC or DISCARD.
    pub transaction: Option<Transaction>,
    pub watched: Vec<WatchedKey>,
    pub watch_flag: Arc<WatchFlag>,
    /// Watches that have ended, for the executor to take out of their shards' tables.
    pub(crate) unwatched: Vec<(WatchedKey, Arc<WatchFlag>)>,
    /// Where pushes for it wait, once it has asked for any.
    pub mailbox: Option<Arc<Mailbox>>,
    /// What it has subscribed to; none without a subscription.
    pub subscriptions: Option<Box<Subscriptions>>,
    /// What it tracks, once it has asked for any.
    pub tracking: Option<Box<ClientTracking>>,
    /// To be closed once its replies are written.
    pub is_closing: bool,
    /// Progress of a call that waits for shards.
    pub claim: Claim,
    /// Progress of a call that waits for the gate.
    pub gate_claim: GateClaim,
    /// Where the last change that it has made ends in the journal.
    pub written_offset: u64,
    /// Up to where the journal must be safe before its replies may leave.
    pub reply_offset: u64,
    /// What it called last.
    pub last_command: Option<&'static Entry>,
    /// When the present wait began, in monotonic nanoseconds.
    pub waiting_since: Option<u64>,
    /// The blocking call that it waits in.
    pub blocked: Option<Arc<Waiter>>,
    /// Hashes of keys that the call which waits for its shards needs beside its own, for those whom it may serve.
    pub(crate) further: SmallVec<[u64; 1]>,
    /// What the server keeps of this client beside the logical state (its registry record).
    pub record: Arc<dyn std::any::Any + Send + Sync>,
}

/// What CLIENT REPLY has asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Replies {
    #[default]
    On,
    Off,
    /// The next call's reply is left out.
    SkipNext,
    /// This call's reply is left out.
    Skipping,
}

/// Calls queued since MULTI.
#[derive(Default)]
pub struct Transaction {
    pub calls: Vec<QueuedCall>,
    /// Bytes that they take.
    pub memory_bytes: usize,
    /// A call was refused while queueing: EXEC will abort.
    pub is_doomed: bool,
}

/// One queued call, with its own copy of the arguments.
pub struct QueuedCall {
    pub entry: &'static Entry,
    pub arguments: ArgvBuffer,
}

impl Transaction {
    /// Queues one call more.
    pub fn push(&mut self, call: QueuedCall) {
        self.memory_bytes += call.memory_bytes();
        self.calls.push(call);
    }
}

impl QueuedCall {
    /// Copies the arguments.
    pub fn new(entry: &'static Entry, argv: Argv<'_>) -> Self {
        Self { entry, arguments: argv.into() }
    }

    /// Bytes that it takes, about: each argument has an offset beside its bytes.
    fn memory_bytes(&self) -> usize {
        let arguments = self.argv();
        let bytes: usize =
            arguments.iter().map(|argument| argument.len() + size_of::<usize>()).sum();
        size_of::<Self>() + bytes
    }

    /// The arguments.
    pub fn argv(&self) -> Argv<'_> {
        self.arguments.argv()
    }
}

impl Session {
    /// A session as it is right after the connection was accepted.
    pub fn new(id: u64, token: Token, record: Arc<dyn std::any::Any + Send + Sync>) -> Self {
        Self {
            id,
            token,
            db: 0,
            protocol: Protocol::Resp2,
            is_authenticated: true,
            user: None,
            is_unrestricted: false,
            acl_generation: 0,
            is_local: true,
            is_no_touch: false,
            is_monitor: false,
            replies: Replies::On,
            transaction: None,
            watched: Vec::new(),
            watch_flag: Arc::default(),
            unwatched: Vec::new(),
            mailbox: None,
            subscriptions: None,
            tracking: None,
            is_closing: false,
            claim: Claim::default(),
            gate_claim: GateClaim::default(),
            written_offset: 0,
            reply_offset: 0,
            last_command: None,
            waiting_since: None,
            blocked: None,
            further: SmallVec::new(),
            record,
        }
    }

    /// Where pushes for it wait.
    pub fn mailbox(&mut self, host: &dyn Host) -> &Arc<Mailbox> {
        let (id, token) = (self.id, self.token);
        self.mailbox.get_or_insert_with(|| {
            // Whoever is known to others by its id has one that they find.
            host.mailbox(id).unwrap_or_else(|| Arc::new(Mailbox::new(id, token)))
        })
    }

    /// What it understands of what is pushed to it.
    pub fn receiver(&self) -> Receiver {
        Receiver { protocol: self.protocol, is_subscriber: self.subscriptions.is_some() }
    }

    /// A session that makes a waiting call in place of this one, on another thread.
    pub(crate) fn stand_in(&self) -> Self {
        Self {
            db: self.db,
            protocol: self.protocol,
            is_authenticated: self.is_authenticated,
            user: self.user.clone(),
            is_unrestricted: self.is_unrestricted,
            acl_generation: self.acl_generation,
            is_local: self.is_local,
            is_no_touch: self.is_no_touch,
            tracking: self.tracking.clone(),
            ..Self::new(self.id, self.token, Arc::clone(&self.record))
        }
    }

    /// Gives it the rights of a user, as they are in this generation.
    pub(crate) fn log_in(&mut self, user: Arc<User>, generation: u64) {
        self.is_unrestricted = user.is_unrestricted();
        self.acl_generation = generation;
        self.user = Some(user);
    }

    /// Whether nothing that it is or has begun stands in the way of any call: its user may do everything,
    /// and it is in no transaction, a subscriber or a monitor.
    #[inline]
    pub(crate) fn is_unhindered(&self) -> bool {
        self.is_authenticated
            && self.is_unrestricted
            && self.transaction.is_none()
            && self.subscriptions.is_none()
            && !self.is_monitor
    }

    /// The name of its user.
    pub fn user_name(&self) -> &[u8] {
        self.user.as_ref().map_or(acl::DEFAULT, |user| user.name())
    }

    /// Ends all watches. Needs no lock: the flag that a change would raise is left behind.
    pub fn unwatch(&mut self) {
        if self.watched.is_empty() {
            return;
        }
        let flag = std::mem::take(&mut self.watch_flag);
        let ended = self.watched.drain(..).map(|watched| (watched, Arc::clone(&flag)));
        self.unwatched.extend(ended);
    }

    /// Back to the state right after the connection was accepted (RESET).
    pub fn reset(&mut self, is_authenticated: bool) {
        self.unwatch();
        self.transaction = None;
        self.db = 0;
        self.protocol = Protocol::Resp2;
        self.is_authenticated = is_authenticated;
        self.user = None;
        self.is_unrestricted = false;
        self.acl_generation = 0;
        self.is_no_touch = false;
        self.replies = Replies::On;
    }
}
