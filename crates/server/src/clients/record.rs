//! What the rest of the server knows of one client: a record that its session publishes.
//!
//! CLIENT LIST, INFO and the periodic jobs read records; nobody asks a loop and waits. The thread that serves the
//! connection stores plain numbers (relaxed: each stands for itself) once per batch; names, which change rarely, lie
//! behind a small lock.

use crate::clients::stream::Endpoint;
use crate::sys;
use base::lock::Token;
use engine::pushes::Mailbox;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

/// One client, as others see it.
#[derive(Debug)]
pub struct ClientRecord {
    pub id: u64,
    /// Where its connection is served; names nobody else even when its place is used again.
    pub token: Token,
    pub endpoint: Endpoint,
    /// Descriptor of its socket; -1 without one.
    pub descriptor: i32,
    /// Whether the socket is still this client's: after that the descriptor may be another's.
    is_connected: Mutex<bool>,
    /// Monotonic time of its arrival.
    pub created_ns: u64,
    pub names: Mutex<Names>,
    pub counts: Counts,
    /// Where pushes for it wait, once somebody has asked for any.
    mailbox: OnceLock<Arc<Mailbox>>,
    is_killed: AtomicBool,
}

/// What a client calls itself.
#[derive(Clone, Debug, Default)]
pub struct Names {
    pub name: Box<[u8]>,
    pub library: Box<[u8]>,
    pub library_version: Box<[u8]>,
    pub user: Box<[u8]>,
}

/// Numbers of a client, as of the end of its last batch.
#[derive(Debug)]
pub struct Counts {
    /// Monotonic time of the last batch.
    pub last_active_ns: AtomicU64,
    /// See [`flags`].
    pub flags: AtomicU32,
    pub db: AtomicU32,
    /// 2 or 3.
    pub protocol: AtomicU32,
    pub channels: AtomicU32,
    pub patterns: AtomicU32,
    pub shard_channels: AtomicU32,
    /// Calls queued since MULTI; -1 outside.
    pub queued: AtomicI64,
    pub watched: AtomicU32,
    pub input_bytes: AtomicU64,
    pub input_bytes_free: AtomicU64,
    pub queued_bytes: AtomicU64,
    /// Pieces and bytes that wait to be written.
    pub outbox_pieces: AtomicU32,
    pub outbox_bytes: AtomicU64,
    /// Since when the soft limit of unwritten bytes is exceeded; 0: it isn't.
    pub soft_limit_since_ns: AtomicU64,
    /// Everything that is set aside for it.
    pub memory_bytes: AtomicU64,
    /// Number of the last command's row, plus one; 0: none yet.
    pub command: AtomicU32,
    /// Client that its invalidations go to; -1: none.
    pub redirect: AtomicI64,
    pub bytes_read: AtomicU64,
    pub bytes_written: AtomicU64,
    pub commands: AtomicU64,
    /// The thread that served it last.
    pub thread: AtomicU32,
}

/// Bits of [`Counts::flags`].
pub mod flags {
    /// Its call waits.
    pub const BLOCKED: u32 = 1 << 0;
    /// To be closed once its replies are written.
    pub const CLOSING: u32 = 1 << 1;
    /// A watched key has changed.
    pub const DIRTY: u32 = 1 << 2;
    pub const MULTI: u32 = 1 << 3;
    pub const NO_EVICT: u32 = 1 << 4;
    pub const NO_TOUCH: u32 = 1 << 5;
    /// Unwritten bytes wait for the socket.
    pub const WRITING: u32 = 1 << 6;
    /// The client understands redirections.
    pub const CAPA_REDIRECT: u32 = 1 << 7;
    /// Subscribed to something.
    pub const PUBSUB: u32 = 1 << 8;
    /// Watches all calls.
    pub const MONITOR: u32 = 1 << 16;
    /// It is told when keys change that it has read.
    pub const TRACKING: u32 = 1 << 9;
    /// It tracks by prefix.
    pub const TRACKING_BROADCAST: u32 = 1 << 10;
    /// Its invalidations have nobody to go to.
    pub const TRACKING_BROKEN: u32 = 1 << 11;
    /// It came by a Unix socket; not stored.
    pub const UNIX: u32 = 1 << 12;
    /// Those that commands set; the others follow from the connection's state.
    pub const LASTING: u32 = NO_EVICT | CAPA_REDIRECT;
}

impl ClientRecord {
    /// The record of a client that has just come.
    pub fn new(id: u64, token: Token, endpoint: Endpoint, descriptor: i32, now_ns: u64) -> Self {
        let names = Names { user: (*b"default").into(), ..Names::default() };
        Self {
            id,
            token,
            endpoint,
            descriptor,
            is_connected: Mutex::new(0 <= descriptor),
            created_ns: now_ns,
            names: Mutex::new(names),
            counts: Counts::new(now_ns),
            mailbox: OnceLock::new(),
            is_killed: AtomicBool::new(false),
        }
    }

    /// Ends the client: its peer sees the end at once, and its connection is closed as soon as nobody serves it.
    pub fn kill(&self) {
        // Relaxed: the loop is told by a message, which orders this before it looks.
        self.is_killed.store(true, Relaxed);
        if *self.is_connected.lock() {
            sys::shut_down(self.descriptor);
        }
    }

    /// To be called before the socket is closed.
    pub fn disconnected(&self) {
        *self.is_connected.lock() = false;
    }

    /// Where pushes for it wait.
    pub fn mailbox(&self) -> &Arc<Mailbox> {
        self.mailbox.get_or_init(|| Arc::new(Mailbox::new(self.id, self.token)))
    }

    /// Whether the client is to go.
    #[inline]
    pub fn is_killed(&self) -> bool {
        self.is_killed.load(Relaxed)
    }

    /// Whether it has subscribed to something.
    pub fn is_subscriber(&self) -> bool {
        self.counts.flags.load(Relaxed) & flags::PUBSUB != 0
    }

    /// Whether it watches all calls.
    pub fn is_monitor(&self) -> bool {
        self.counts.flags.load(Relaxed) & flags::MONITOR != 0
    }

    /// Nanoseconds since its last batch.
    pub fn idle_ns(&self, now_ns: u64) -> u64 {
        now_ns.saturating_sub(self.counts.last_active_ns.load(Relaxed))
    }
}

impl Counts {
    fn new(now_ns: u64) -> Self {
        Self {
            last_active_ns: AtomicU64::new(now_ns),
            flags: AtomicU32::new(0),
            db: AtomicU32::new(0),
            protocol: AtomicU32::new(2),
            channels: AtomicU32::new(0),
            patterns: AtomicU32::new(0),
            shard_channels: AtomicU32::new(0),
            queued: AtomicI64::new(-1),
            watched: AtomicU32::new(0),
            input_bytes: AtomicU64::new(0),
            input_bytes_free: AtomicU64::new(0),
            queued_bytes: AtomicU64::new(0),
            outbox_pieces: AtomicU32::new(0),
            outbox_bytes: AtomicU64::new(0),
            soft_limit_since_ns: AtomicU64::new(0),
            memory_bytes: AtomicU64::new(0),
            command: AtomicU32::new(0),
            redirect: AtomicI64::new(-1),
            bytes_read: AtomicU64::new(0),
            bytes_written: AtomicU64::new(0),
            commands: AtomicU64::new(0),
            thread: AtomicU32::new(0),
        }
    }
}

/// Adds to a number that only the thread which serves the client writes.
#[inline]
pub fn add(number: &AtomicU64, n: u64) {
    number.store(number.load(Relaxed).wrapping_add(n), Relaxed);
}
