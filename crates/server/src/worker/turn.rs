//! One connection's turn: read once, run what has arrived whole, write once.

use crate::clients::connection::{Connection, ServedCounts};
use crate::clients::limits;
use crate::clients::record::add;
use crate::config::Settings;
use crate::limits::{
    OUTBOX_BYTES_UNAUTHENTICATED_MAX, READ_AHEAD_BYTES_MAX, READ_BYTES, REPLY_BYTES_KEPT,
};
use crate::server::Server;
use crate::worker::deferred;
use crate::worker::loop_state::Happened;
use arc_swap::ArcSwap;
use arc_swap::cache::Cache;
use engine::run::{Progress, Served};
use engine::{Executor, Session};
use mio::event::Source;
use mio::{Interest, Registry};
use resp::{Limits, Reply};
use std::io::{self, ErrorKind, Read};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// What a thread needs to serve connections; used again for each.
pub struct Turner<'s> {
    server: &'s Server,
    executor: Executor<'s>,
    number: usize,
    scratch: Box<[u8]>,
    reply: Reply,
    settings: Cache<&'s ArcSwap<Settings>, Arc<Settings>>,
    now_ns: u64,
}

/// What becomes of a connection after its turn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Turn {
    Close,
    Keep,
    /// As kept; its suspended call tries again at this time.
    Retry {
        at_ns: u64,
    },
}

impl Turn {
    /// What becomes of a connection that comes back from a slow call.
    pub fn of(connection: &Connection) -> Self {
        match connection.state.retry_at_ns {
            Some(at_ns) if connection.state.is_suspended => Self::Retry { at_ns },
            _ => Self::Keep,
        }
    }
}

impl<'s> Turner<'s> {
    /// For the thread number `number`.
    pub fn new(server: &'s Server, number: usize) -> Self {
        Self {
            server,
            executor: Executor::new(&server.engine, &server.host, number),
            number,
            scratch: vec![0; READ_BYTES].into(),
            reply: Reply::default(),
            settings: Cache::new(server.host.settings_snapshot()),
            now_ns: 0,
        }
    }

    /// Reads the clock.
    pub fn read_clock(&mut self) -> u64 {
        self.now_ns = self.server.engine.clock().now_ns();
        self.now_ns
    }

    /// The time when the clock was read last, by whomever on this thread.
    pub fn now_ns(&self) -> u64 {
        self.now_ns.max(self.executor.tick_ns())
    }

    /// Counts one round of a loop, which began at `since_ns`.
    pub fn count_cycle(&self, since_ns: u64) {
        let thread = self.server.statistics.of_thread(self.number);
        thread.cycles.add(1);
        thread.cycles_ns.add(self.now_ns().saturating_sub(since_ns));
    }

    /// Wakes who writes the journal, if there is something to write.
    pub fn hand_over_journal(&mut self) {
        self.executor.hand_over_journal();
    }

    /// Withdraws everything that a session has left with others.
    pub fn end_session(&mut self, session: &mut Session) {
        self.executor.end_session(session);
    }

    /// Gives a connection its turn. A short reply is left to be written: see [`Turner::reply`].
    pub fn turn(
        &mut self,
        connection: &mut Connection,
        happened: Happened,
        sockets: &Registry,
    ) -> Turn {
        let state = &mut connection.state;
        state.is_readable |= happened.readable;
        state.is_read_closed |= happened.read_closed;
        state.is_suspended &= !happened.resumed;
        if happened.killed || connection.record.is_killed() {
            return Turn::Close;
        }
        let is_held = state.is_held && self.is_held(&connection.session);
        connection.state.is_held = is_held;
        let has_room = !is_held && (happened.writable || connection.outbox.may_go_on());
        if has_room && self.flush(connection, sockets).is_err() {
            return Turn::Close;
        }
        if connection.state.is_closing {
            let is_over = connection.outbox.is_empty() || connection.state.is_read_closed;
            return if is_over { Turn::Close } else { Turn::Keep };
        }
        if connection.session.blocked.is_some() && connection.state.is_read_closed {
            return Turn::Close;
        }
        if happened.pushed {
            self.executor.deliver_pushes(&mut connection.session, &mut self.reply);
            if connection.record.is_killed() {
                return Turn::Close;
            }
        }
        if connection.can_go_on() {
            return self.serve(connection, sockets);
        }
        if self.reply.is_empty() {
            Turn::Keep
        } else {
            self.finish(connection, Turn::Keep, sockets)
        }
    }

    /// Reads what a connection that is due has sent, and looks at its first request.
    pub fn read_ahead(&mut self, connection: &mut Connection, happened: &mut Happened) {
        let state = &connection.state;
        let is_plain = *happened == Happened { readable: true, ..Happened::default() }
            && !(state.has_requests || state.is_suspended || state.is_closing || state.is_bulky)
            && connection.input.is_empty();
        if !is_plain {
            return;
        }
        // An end or a failure is met again when the connection is served.
        let Ok(count @ 1..) = connection.stream.read(&mut self.scratch) else { return };
        happened.readable = false;
        connection.state.is_readable = count == self.scratch.len();
        connection.state.has_requests = true;
        connection.state.is_bulky = READ_AHEAD_BYTES_MAX < count;
        connection.input.hold(&self.scratch[..count], 0);
        add(&connection.record.counts.bytes_read, count as u64);
        self.count_read(count);
        if !connection.state.is_bulky {
            self.executor.look_ahead(&connection.session, connection.input.bytes());
        }
    }

    /// Fetches ahead what the requests will touch that were looked at.
    pub fn fetch_ahead(&mut self, connection: &Connection) {
        self.executor.fetch_ahead(&connection.session);
    }

    fn serve(&mut self, connection: &mut Connection, sockets: &Registry) -> Turn {
        let mut counts = ServedCounts { thread: self.number as u32, ..ServedCounts::default() };
        let commands = &self.server.engine.threads()[self.number].commands_processed;
        let commands_before = commands.value();
        self.reply.set_protocol(connection.session.protocol);
        let served = if connection.state.has_requests {
            self.run_held(connection)
        } else {
            match self.read_and_run(connection, &mut counts) {
                Ok(Some(served)) => served,
                Ok(None) => return self.finish(connection, Turn::Keep, sockets),
                Err(_) => {
                    self.reply.clear();
                    return Turn::Close;
                }
            }
        };
        let turn = self.turn_after(connection, &served);
        counts.commands = commands.value().wrapping_sub(commands_before);
        counts.now_ns = self.executor.tick_ns();
        connection.publish(&counts, &self.server.registry);
        self.keep_clients_within_limit();
        self.finish(connection, turn, sockets)
    }

    /// Ends the largest clients if all together take too much.
    #[inline]
    fn keep_clients_within_limit(&mut self) {
        let max = limits::clients_bytes_max(self.settings.load());
        self.server.host.keep_clients_within(max);
    }

    /// Leaves a short reply to be written with others, writes any other.
    fn finish(&mut self, connection: &mut Connection, turn: Turn, sockets: &Registry) -> Turn {
        let is_held = !self.reply.is_empty() && self.is_held(&connection.session);
        if !is_held && connection.outbox.is_empty() && deferred::may_wait(&self.reply) {
            return turn;
        }
        self.write(connection, turn, sockets)
    }

    /// Whether what was answered may not be told yet: a crash could make it untrue.
    fn is_held(&self, session: &Session) -> bool {
        !self.server.engine.journal.is_safe(session.reply_offset)
    }

    /// The reply of the last turn, as far as it was not written.
    pub fn reply(&mut self) -> &mut Reply {
        &mut self.reply
    }

    /// Writes the reply of the last turn, or keeps what the socket doesn't take.
    pub fn write(&mut self, connection: &mut Connection, turn: Turn, sockets: &Registry) -> Turn {
        if self.reply.is_empty() {
            return settled(connection, turn);
        }
        let waiting = connection.outbox.len() + self.reply.len();
        let is_subscriber = connection.session.subscriptions.is_some();
        let limit = limits::of_class(self.settings.load(), is_subscriber);
        if limits::is_over_hard(limit, waiting) {
            self.reply.clear();
            self.server.host.output_limit_reached(connection);
            return Turn::Close;
        }
        if self.is_held(&connection.session) {
            connection.outbox.keep(&mut self.reply);
            connection.state.is_held = true;
            connection.publish_outbox(&self.server.registry);
            return turn;
        }
        let outcome = connection.outbox.send(&mut connection.stream, &mut self.reply);
        if outcome.is_err() {
            self.reply.clear();
        }
        if REPLY_BYTES_KEPT < self.reply.memory_len() {
            self.reply.shrink_to(REPLY_BYTES_KEPT);
        }
        self.written(connection, outcome, turn, sockets)
    }

    /// Writes a reply that has waited, or keeps what the socket doesn't take.
    pub fn write_bytes(
        &mut self,
        connection: &mut Connection,
        bytes: &[u8],
        turn: Turn,
        sockets: &Registry,
    ) -> Turn {
        let outcome = connection.outbox.send_bytes(&mut connection.stream, bytes);
        self.written(connection, outcome, turn, sockets)
    }

    /// Acts on what a write has come to.
    fn written(
        &mut self,
        connection: &mut Connection,
        outcome: io::Result<usize>,
        turn: Turn,
        sockets: &Registry,
    ) -> Turn {
        let Ok(count) = outcome else { return Turn::Close };
        let thread = self.server.statistics.of_thread(self.number);
        thread.bytes_written.add(count as u64);
        thread.writes.add(1);
        add(&connection.record.counts.bytes_written, count as u64);
        if !connection.outbox.is_empty() && self.note_unwritten(connection, sockets).is_err() {
            return Turn::Close;
        }
        settled(connection, turn)
    }

    /// Reads once and runs what is whole. `None`: there was nothing to read. An error: the connection has ended.
    fn read_and_run(
        &mut self,
        connection: &mut Connection,
        counts: &mut ServedCounts,
    ) -> io::Result<Option<Served>> {
        let is_fresh = connection.input.is_empty();
        let outcome = if is_fresh {
            connection.stream.read(&mut self.scratch).map(|count| (count, self.scratch.len()))
        } else {
            connection.input.read_from(&mut connection.stream)
        };
        let (count, room) = match outcome {
            Ok((0, _)) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                connection.state.is_readable = false;
                return Ok(None);
            }
            // Still readable: it has another turn.
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(None),
            Err(error) => return Err(error),
        };
        // A short read has emptied the socket; whatever comes later is told. But the end is not told twice.
        connection.state.is_readable = count == room || connection.state.is_read_closed;
        connection.state.is_bulky = READ_AHEAD_BYTES_MAX < count;
        counts.bytes_read = count as u64;
        self.count_read(count);
        let served =
            if is_fresh { self.run_fresh(connection, count) } else { self.run_held(connection) };
        Ok(Some(served))
    }

    fn count_read(&self, count: usize) {
        let thread = self.server.statistics.of_thread(self.number);
        thread.bytes_read.add(count as u64);
        thread.reads.add(1);
    }

    /// Runs the requests in the first `count` bytes of the thread's buffer.
    fn run_fresh(&mut self, connection: &mut Connection, count: usize) -> Served {
        let Connection { session, parser, input, .. } = connection;
        let bytes = &self.scratch[..count];
        let settings = self.settings.load();
        let Progress { consumed, state } = self.executor.serve(
            session,
            parser,
            |session| request_limits(session, settings),
            bytes,
            &mut self.reply,
        );
        if consumed < count {
            input.hold(&bytes[consumed..], wanted(&state));
        }
        state
    }

    /// Runs the requests in the connection's own buffer.
    fn run_held(&mut self, connection: &mut Connection) -> Served {
        let Connection { session, parser, input, .. } = connection;
        let settings = self.settings.load();
        let Progress { consumed, state } = self.executor.serve(
            session,
            parser,
            |session| request_limits(session, settings),
            input.bytes(),
            &mut self.reply,
        );
        input.consume(consumed);
        input.expect(wanted(&state));
        state
    }

    /// Notes what is left to do.
    fn turn_after(&mut self, connection: &mut Connection, served: &Served) -> Turn {
        let state = &mut connection.state;
        state.has_requests =
            matches!(served, Served::Blocked { .. } | Served::More | Served::Suspended { .. });
        state.retry_at_ns = None;
        match served {
            Served::Idle { .. } => {
                if self.settings.load().client_query_buffer_limit < connection.input.len() as u64 {
                    self.server.host.query_limit_reached(connection);
                    return Turn::Close;
                }
                Turn::Keep
            }
            Served::More => Turn::Keep,
            Served::Blocked { until } => {
                // What it waits for would have nobody to go to.
                state.is_closing = state.is_read_closed;
                state.is_suspended = true;
                state.retry_at_ns = *until;
                until.map_or(Turn::Keep, |at_ns| Turn::Retry { at_ns })
            }
            Served::Suspended { retry_at } => {
                state.is_suspended = true;
                state.retry_at_ns = *retry_at;
                retry_at.map_or(Turn::Keep, |at_ns| Turn::Retry { at_ns })
            }
            Served::Closing | Served::Broken(_) => {
                state.is_closing = true;
                Turn::Keep
            }
        }
    }

    /// Acts on what a reply has left in the outbox.
    #[cold]
    fn note_unwritten(
        &mut self,
        connection: &mut Connection,
        sockets: &Registry,
    ) -> io::Result<()> {
        let waiting = connection.outbox.len();
        let is_stranger = !connection.session.is_authenticated;
        connection.publish_outbox(&self.server.registry);
        self.keep_clients_within_limit();
        if is_stranger && OUTBOX_BYTES_UNAUTHENTICATED_MAX < waiting {
            self.server.host.output_limit_reached(connection);
            return Err(ErrorKind::OutOfMemory.into());
        }
        let since = &connection.record.counts.soft_limit_since_ns;
        let is_subscriber = connection.session.subscriptions.is_some();
        let limit = limits::of_class(self.settings.load(), is_subscriber);
        if !limits::is_over_soft(limit, waiting) {
            since.store(0, Relaxed);
        } else if since.load(Relaxed) == 0 {
            since.store(self.executor.tick_ns().max(1), Relaxed);
        }
        watch_room(connection, sockets)
    }

    fn flush(&mut self, connection: &mut Connection, sockets: &Registry) -> io::Result<()> {
        let written = connection.outbox.flush(&mut connection.stream)?;
        self.server.statistics.of_thread(self.number).bytes_written.add(written as u64);
        let counts = &connection.record.counts;
        counts.bytes_written.fetch_add(written as u64, Relaxed);
        let is_subscriber = connection.session.subscriptions.is_some();
        let limit = limits::of_class(self.settings.load(), is_subscriber);
        if !limits::is_over_soft(limit, connection.outbox.len()) {
            counts.soft_limit_since_ns.store(0, Relaxed);
        }
        connection.publish_outbox(&self.server.registry);
        watch_room(connection, sockets)
    }
}

/// Has the system tell when the socket has room again, as long as somebody waits for that.
fn watch_room(connection: &mut Connection, sockets: &Registry) -> io::Result<()> {
    let Connection { outbox, state, stream, .. } = connection;
    let is_full = !outbox.is_empty() && !outbox.may_go_on();
    let interest = match state.awaits_writable {
        false if is_full => Interest::READABLE | Interest::WRITABLE,
        true if outbox.is_empty() => Interest::READABLE,
        _ => return Ok(()),
    };
    state.awaits_writable = is_full;
    let token = mio::Token(connection.session.token.0 as usize);
    stream.reregister(sockets, token, interest)
}

/// What becomes of a connection once its reply is written or kept.
fn settled(connection: &Connection, turn: Turn) -> Turn {
    if connection.state.is_closing && connection.outbox.is_empty() { Turn::Close } else { turn }
}

/// What a session's next request may announce.
pub fn request_limits(session: &Session, settings: &Settings) -> Limits {
    let bulk_len_max = settings.proto_max_bulk_len as i64;
    let limits = if session.is_authenticated {
        Limits::authenticated(bulk_len_max)
    } else {
        Limits::unauthenticated(bulk_len_max)
    };
    limits.with_quotes(settings.dialect.differences().quotes)
}

/// How many more bytes the next request is known to need.
fn wanted(served: &Served) -> usize {
    match served {
        Served::Idle { wanted } => *wanted,
        _ => 0,
    }
}
