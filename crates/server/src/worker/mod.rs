//! The threads that run event loops and execute calls.
//!
//! *A loop is not a thread.* A thread takes a loop's state in hand, finds out who is due, and serves them one after the
//! other. While it serves a connection the state is parked, so that the watcher can give it to a spare thread when the
//! call turns out slow. Then this thread, once its call is over, posts the connection back to the loop and waits for
//! another one to run.
//!
//! When several connections are due, all are read before the first is served (`read_ahead`): most of
//! what an unpipelined call costs beside the system's part is waiting for two places in memory, and
//! these waits then overlap with the reads.
//!
//! Per wake-up of a loop the system is called once to wait, and for each busy connection once to read and once to write.

pub mod deferred;
pub mod loop_state;
pub mod turn;

use crate::clients::connection::Connection;
use crate::clients::record::ClientRecord;
use crate::inbox::{Accepted, Message};
use crate::limits::{READ_AHEAD_MAX, READ_AHEAD_MIN};
use crate::server::Server;
use crate::worker::deferred::Waiting;
use crate::worker::loop_state::{LoopState, happened_by};
use crate::worker::turn::{Turn, Turner};
use base::lock::Held;
use engine::Session;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// Serves loops as thread number `number` until the server stops.
pub fn work(server: &Server, number: usize) {
    let mut worker = Worker { server, turner: Turner::new(server, number) };
    while let Some(held) = server.spares.wait() {
        worker.run(held);
        base::memory::flush();
    }
}

/// One thread.
struct Worker<'s> {
    server: &'s Server,
    turner: Turner<'s>,
}

impl Worker<'_> {
    /// Runs a loop until it is lost to another thread or the server stops.
    fn run(&mut self, held: Held<LoopState>) {
        let mut state = held;
        // What the thread before has left.
        self.write_deferred(&mut state);
        loop {
            let inbox = self.server.inboxes.of(state.index);
            let outcome = state.wait(inbox, self.turner.now_ns());
            outcome.expect("a poll of valid events with a valid descriptor cannot fail");
            let now_ns = self.turner.read_clock();
            if !self.take_messages(&mut state) {
                return self.end(state);
            }
            state.retry_due(now_ns);
            self.read_ahead(&mut state);
            for _ in 0..state.due() {
                let Some((connection, happened)) = state.take_due() else { continue };
                match self.serve(state, connection, happened) {
                    Some(back) => state = back,
                    None => return,
                }
                if state.deferred.is_due(self.turner.now_ns()) {
                    self.write_deferred(&mut state);
                }
            }
            self.write_deferred(&mut state);
            self.turner.count_cycle(now_ns);
        }
    }

    /// Reads what several due connections have sent before the first is served, so that the memory
    /// which their calls will touch is on its way meanwhile.
    fn read_ahead(&mut self, state: &mut LoopState) {
        if state.due() < READ_AHEAD_MIN {
            return;
        }
        state.each_due(READ_AHEAD_MAX, |connection, happened| {
            self.turner.read_ahead(connection, happened);
        });
        state.each_due(1, |connection, _| self.turner.fetch_ahead(connection));
    }

    /// Gives one connection its turn. `None` when the loop was lost meanwhile.
    fn serve(
        &mut self,
        state: Held<LoopState>,
        mut connection: Box<Connection>,
        happened: loop_state::Happened,
    ) -> Option<Held<LoopState>> {
        let home = &self.server.homes[state.index];
        let index = state.index;
        let sequence = home.handover.park(state, self.turner.now_ns());
        self.server.watcher.keep_awake();
        let turn = self.turner.turn(&mut connection, happened, &home.sockets);
        let Some(mut state) = home.handover.reclaim(sequence) else {
            self.turner.hand_over_journal();
            let turn = self.turner.write(&mut connection, turn, &home.sockets);
            connection.is_over = matches!(turn, Turn::Close);
            self.server.inboxes.of(index).post(Message::Return(connection));
            return None;
        };
        if self.turner.reply().is_empty() {
            self.settle(&mut state, connection, turn);
        } else {
            let now_ns = self.turner.now_ns();
            state.deferred.add(connection, turn, self.turner.reply(), now_ns);
        }
        Some(state)
    }

    /// Writes the replies that were gathered.
    fn write_deferred(&mut self, state: &mut LoopState) {
        self.turner.hand_over_journal();
        if state.deferred.is_empty() {
            return;
        }
        let sockets = &self.server.homes[state.index].sockets;
        let mut deferred = std::mem::take(&mut state.deferred);
        deferred.write_all(|waiting, bytes| {
            let Waiting { mut connection, turn, .. } = waiting;
            let turn = self.turner.write_bytes(&mut connection, bytes, turn, sockets);
            self.settle(state, connection, turn);
        });
        // Its memory is used again.
        state.deferred = deferred;
    }

    /// Acts on what a turn has come to.
    fn settle(&mut self, state: &mut LoopState, connection: Box<Connection>, turn: Turn) {
        let token = connection.session.token;
        let held = connection.state.is_held.then_some(connection.session.reply_offset);
        match turn {
            Turn::Close => self.close(state, connection),
            Turn::Keep => state.put_back(connection),
            Turn::Retry { at_ns } => {
                state.retry_at(at_ns, connection.session.token);
                state.put_back(connection);
            }
        }
        if let Some(offset) = held
            && !matches!(turn, Turn::Close)
        {
            state.hold(offset, token);
            // It may have become so while the connection was on its way.
            self.release_safe(state);
        }
    }

    /// Lets replies leave that have waited for the journal.
    fn release_safe(&self, state: &mut LoopState) {
        let journal = &self.server.engine.journal;
        state.release_safe(|offset| journal.is_safe(offset));
    }

    /// Acts on the inbox's messages. `false` when the server stops.
    fn take_messages(&mut self, state: &mut LoopState) -> bool {
        let inbox = self.server.inboxes.of(state.index);
        while let Some(message) = inbox.take() {
            if let Some((token, happened)) = happened_by(&message) {
                state.happen(token, happened);
                continue;
            }
            match message {
                Message::Accept(accepted) => self.accept(state, accepted),
                Message::Return(connection) => {
                    let turn = if connection.is_over { Turn::Close } else { Turn::of(&connection) };
                    self.settle(state, connection, turn);
                }
                Message::Pushed(tokens) => state.pushes_wait(&tokens),
                Message::Safe => self.release_safe(state),
                Message::Stop => return false,
                Message::Kill(_) | Message::Resume(_) => {}
            }
        }
        true
    }

    fn accept(&mut self, state: &mut LoopState, accepted: Accepted) {
        let Accepted { mut stream, endpoint } = accepted;
        let token = state.reserve();
        if state.register(&mut stream, token).is_err() {
            state.release(token);
            self.forget(state.index);
            return;
        }
        let id = self.server.registry.next_id();
        let now_ns = self.turner.now_ns();
        let is_local = endpoint.is_local();
        let record = ClientRecord::new(id, token, endpoint, stream.as_raw_fd(), now_ns);
        let record = Arc::new(record);
        let mut session = Session::new(id, token, Arc::clone(&record) as _);
        session.is_local = is_local;
        session.is_authenticated = self.server.engine.acl.is_open();
        self.server.registry.insert(Arc::clone(&record));
        state.put_back(Box::new(Connection::new(stream, session, record)));
    }

    fn close(&mut self, state: &mut LoopState, mut connection: Box<Connection>) {
        let token = connection.session.token;
        self.turner.end_session(&mut connection.session);
        self.server.registry.remove(connection.record.id);
        connection.record.disconnected();
        // The socket goes first: its descriptor must not be watched under a token that is used again.
        drop(connection);
        state.release(token);
        self.forget(state.index);
    }

    fn forget(&self, index: usize) {
        self.server.registry.dismiss();
        self.server.homes[index].connections.fetch_sub(1, Relaxed);
    }

    /// Closes all connections of a loop.
    fn end(&mut self, mut state: Held<LoopState>) {
        self.write_deferred(&mut state);
        for connection in state.take_all() {
            self.close(&mut state, connection);
        }
    }
}
