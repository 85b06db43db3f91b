//! One connection: its socket, its session, and what waits in between.
//!
//! A connection belongs to one thread at a time. It lies at its place in its loop's state, or is with the thread that
//! serves it.

use crate::clients::input::Input;
use crate::clients::outbox::Outbox;
use crate::clients::record::{ClientRecord, add, flags};
use crate::clients::registry::Registry;
use crate::clients::stream::Stream;
use engine::Session;
use engine::pubsub::Topic;
use engine::tracking::Modes;
use resp::{Protocol, RequestParser};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// A served connection.
pub struct Connection {
    pub stream: Stream,
    pub session: Session,
    pub parser: RequestParser,
    pub input: Input,
    pub outbox: Outbox,
    pub record: Arc<ClientRecord>,
    pub state: State,
    /// Ended while it was away from its loop, which only has to forget it.
    pub is_over: bool,
}

/// Where a connection stands.
#[derive(Clone, Copy, Debug, Default)]
pub struct State {
    /// The socket may hold bytes.
    pub is_readable: bool,
    /// The peer sends nothing more: read on until the end is seen.
    pub is_read_closed: bool,
    /// `input` may hold whole requests.
    pub has_requests: bool,
    /// The last read brought many bytes.
    pub is_bulky: bool,
    /// The next request waits for its token.
    pub is_suspended: bool,
    /// Its replies wait until the journal is safe; nothing more is read until then.
    pub is_held: bool,
    /// To be closed once the outbox is empty; nothing more is read.
    pub is_closing: bool,
    /// The loop is told when the socket can be written.
    pub awaits_writable: bool,
    /// When a suspended request tries again even if nobody wakes it.
    pub retry_at_ns: Option<u64>,
}

impl Connection {
    /// A connection that has just been accepted.
    pub fn new(stream: Stream, session: Session, record: Arc<ClientRecord>) -> Self {
        Self {
            stream,
            session,
            parser: RequestParser::default(),
            input: Input::default(),
            outbox: Outbox::default(),
            record,
            state: State { is_readable: true, ..State::default() },
            is_over: false,
        }
    }

    /// Whether it is to have another turn without anything happening.
    pub fn is_due(&self) -> bool {
        self.can_go_on() || (self.outbox.may_go_on() && !self.state.is_held)
    }

    /// Whether it may have requests to be served.
    pub fn can_go_on(&self) -> bool {
        let state = &self.state;
        let is_stopped = state.is_closing || state.is_suspended || state.is_held;
        !is_stopped && (state.has_requests || state.is_readable)
    }

    /// Publishes what has changed since the last batch.
    #[inline]
    pub fn publish(&self, served: &ServedCounts, registry: &Registry) {
        let counts = &self.record.counts;
        counts.last_active_ns.store(served.now_ns, Relaxed);
        counts.thread.store(served.thread, Relaxed);
        add(&counts.bytes_read, served.bytes_read);
        add(&counts.commands, served.commands);
        counts.db.store(self.session.db as u32, Relaxed);
        counts.input_bytes.store(self.input.len() as u64, Relaxed);
        counts.input_bytes_free.store(self.input.free() as u64, Relaxed);
        counts.outbox_bytes.store(self.outbox.len() as u64, Relaxed);
        counts.outbox_pieces.store(self.outbox.pieces() as u32, Relaxed);
        registry.note_memory(&self.record, self.memory_bytes() as u64);
        let lasting = counts.flags.load(Relaxed) & flags::LASTING;
        counts.flags.store(lasting | self.flags(), Relaxed);
        let command = self.session.last_command.map_or(0, |entry| entry.id + 1);
        counts.command.store(command as u32, Relaxed);
        let subscribed = |topic| match &self.session.subscriptions {
            Some(subscriptions) => subscriptions.count(topic) as u32,
            None => 0,
        };
        counts.channels.store(subscribed(Topic::Channel), Relaxed);
        counts.patterns.store(subscribed(Topic::Pattern), Relaxed);
        counts.shard_channels.store(subscribed(Topic::ShardChannel), Relaxed);
        let protocol = if self.session.protocol == Protocol::Resp3 { 3 } else { 2 };
        counts.protocol.store(protocol, Relaxed);
        let watched = self.session.watched.len();
        counts.watched.store(watched as u32, Relaxed);
        let queued = self.session.transaction.as_ref();
        counts.queued.store(queued.map_or(-1, |queued| queued.calls.len() as i64), Relaxed);
        counts.queued_bytes.store(self.queued_bytes() as u64, Relaxed);
    }

    /// Tells others how much the socket has not taken yet.
    pub fn publish_outbox(&self, registry: &Registry) {
        let counts = &self.record.counts;
        counts.outbox_bytes.store(self.outbox.len() as u64, Relaxed);
        counts.outbox_pieces.store(self.outbox.pieces() as u32, Relaxed);
        registry.note_memory(&self.record, self.memory_bytes() as u64);
        if let Some(mailbox) = &self.session.mailbox {
            mailbox.note_unwritten(self.outbox.len());
        }
    }

    /// Everything that is set aside for it.
    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>()
            + size_of::<ClientRecord>()
            + self.input.len()
            + self.input.free()
            + self.outbox.memory_bytes()
            + self.queued_bytes()
            + self.session.mailbox.as_ref().map_or(0, |mailbox| mailbox.waiting_bytes())
    }

    fn queued_bytes(&self) -> usize {
        self.session.transaction.as_ref().map_or(0, |transaction| transaction.memory_bytes)
    }

    fn flags(&self) -> u32 {
        let session = &self.session;
        let set = |is_set: bool, flag: u32| if is_set { flag } else { 0 };
        let tracking = session.tracking.as_ref().map(|own| own.tracker().modes());
        let tracks = |mode| tracking.is_some_and(|modes| modes.has(mode));
        set(session.transaction.is_some(), flags::MULTI)
            | set(session.subscriptions.is_some(), flags::PUBSUB)
            | set(session.is_monitor, flags::MONITOR)
            | set(session.is_no_touch, flags::NO_TOUCH)
            | set(tracks(Modes::ON), flags::TRACKING)
            | set(tracks(Modes::BROADCAST), flags::TRACKING_BROADCAST)
            | set(tracks(Modes::ON.with(Modes::BROKEN)), flags::TRACKING_BROKEN)
            | set(!session.watched.is_empty() && session.watch_flag.is_raised(), flags::DIRTY)
            | set(self.state.is_suspended, flags::BLOCKED)
            | set(self.state.is_closing, flags::CLOSING)
            | set(self.state.awaits_writable, flags::WRITING)
    }
}

/// What one turn of a connection amounted to.
#[derive(Clone, Copy, Debug, Default)]
pub struct ServedCounts {
    pub now_ns: u64,
    pub thread: u32,
    pub bytes_read: u64,
    pub commands: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::stream::Endpoint;

    /// What an idle connection costs beside the kernel's own: its box, its record, its place in the registry.
    #[test]
    fn an_idle_connection_is_small() {
        let registry_entry = 2 * size_of::<(u64, Arc<ClientRecord>)>();
        let total = size_of::<Connection>() + size_of::<ClientRecord>() + registry_entry;
        assert!(total < 1024, "{total} bytes");
        assert!(size_of::<Endpoint>() <= 64);
    }
}
