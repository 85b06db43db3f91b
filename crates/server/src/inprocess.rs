//! A server without sockets and threads, for tests: calls go straight to the engine, replies come back as bytes.
//!
//! Calls of several threads run at the same time, as they would on a real server's threads. What a real server's periodic
//! jobs and spare threads do is left out: nothing happens between calls.

use crate::clients::record::ClientRecord;
use crate::clients::registry::Registry;
use crate::clients::stream::Endpoint;
use crate::clock::MachineClock;
use crate::config::Config;
use crate::host::{self, ServerHost, Started};
use crate::inbox::{Inboxes, as_wake};
use crate::limits::SHARDS_PER_LOOP;
use crate::reclaimer::Reclaimer;
use crate::replay::replay;
use crate::statistics::Statistics;
use crate::users;
use crate::worker::turn::request_limits;
use engine::data::ReclaimNow;
use engine::engine::{Engine, Parts};
use engine::pushes::{self, Delivery};
use engine::run::Served;
use engine::{Command, Executor, Session};
use parking_lot::Mutex;
use resp::{Reply, RequestParser};
use std::sync::Arc;
use std::time::Duration;

/// Threads that may call at the same time.
const THREADS: usize = 16;

/// How long a suspended call waits before it looks again unasked.
const RETRY: Duration = Duration::from_millis(1);

/// A server in this process.
pub struct InProcess {
    engine: Engine,
    host: ServerHost,
    inboxes: Arc<Inboxes>,
    /// Numbers at the gate that no thread uses.
    free: Mutex<Vec<usize>>,
}

/// A client of a server in this process.
pub struct Caller {
    session: Session,
    parser: RequestParser,
    /// What it has sent and nobody has read, because it waits in a blocking call.
    unread: Vec<u8>,
}

impl Caller {
    /// Whether it waits in a blocking call.
    pub fn is_blocked(&self) -> bool {
        self.session.blocked.is_some()
    }

    /// Whether the server would have closed the connection.
    pub fn is_closed(&self) -> bool {
        self.session.is_closing
    }
}

impl InProcess {
    /// A server as the configuration describes it, with the usual rows and `rows`.
    ///
    /// # Panics
    /// When something is wrong with the configured users.
    pub fn new(config: Config, rows: &'static [&'static [Command]]) -> Self {
        let settings = config.settings();
        let inboxes = Arc::new(Inboxes::new(Vec::new()));
        let registry = Arc::new(Registry::new(Arc::clone(&inboxes)));
        let engine = Engine::new(Parts {
            rows: [crate::commands::FAMILIES, rows].concat(),
            settings: settings.for_engine(),
            clock: Arc::new(MachineClock::new()),
            wake: as_wake(&inboxes),
            reclaim: Box::new(ReclaimNow),
            shards: SHARDS_PER_LOOP,
            threads: THREADS,
            seed: host::random_u64(),
        });
        let statistics = Arc::new(Statistics::new(THREADS));
        let reclaimer = Arc::<Reclaimer>::default();
        let host = ServerHost::new(config, registry, statistics, reclaimer, Started::now(0, 1));
        let users = users::load(&engine, &host);
        users.expect("whoever builds a server in process has checked its users");
        Self { engine, host, inboxes, free: Mutex::new((0..THREADS).collect()) }
    }

    /// A new client, to be used on the present thread.
    pub fn connect(&self) -> Caller {
        let token = self.inboxes.token_of_this_thread();
        let id = self.host.registry.next_id();
        let now_ns = self.engine.clock().now_ns();
        let record = Arc::new(ClientRecord::new(id, token, Endpoint::Inside, -1, now_ns));
        self.host.registry.insert(Arc::clone(&record));
        let mut session = Session::new(id, token, record);
        session.is_authenticated = self.engine.acl.is_open();
        Caller { session, parser: RequestParser::default(), unread: Vec::new() }
    }

    /// Makes one call and returns its reply as a client would read it.
    ///
    /// # Panics
    /// When more than [`THREADS`] threads call at the same time.
    pub fn call(&self, caller: &mut Caller, words: &[&[u8]]) -> Vec<u8> {
        let mut bytes = Vec::new();
        resp::encode_request(&mut bytes, words);
        self.send(caller, &bytes)
    }

    /// Has whole requests in the protocol's form executed, and returns their replies. Those behind a
    /// blocking call, and its reply, come with a later call; to look for them, send nothing.
    ///
    /// # Panics
    /// When more than [`THREADS`] threads call at the same time.
    pub fn send(&self, caller: &mut Caller, bytes: &[u8]) -> Vec<u8> {
        let slot = self.free.lock().pop().expect("no more threads call than there are numbers");
        let mut executor = Executor::new(&self.engine, &self.host, slot);
        let mut reply = Reply::with_protocol(caller.session.protocol);
        let mut input = std::mem::take(&mut caller.unread);
        input.extend_from_slice(bytes);
        let mut done = 0;
        loop {
            let settings = self.host.settings();
            let limits = |session: &Session| request_limits(session, &settings);
            let Caller { session, parser, .. } = caller;
            let progress = executor.serve(session, parser, limits, &input[done..], &mut reply);
            done += progress.consumed;
            match progress.state {
                Served::More => {}
                Served::Suspended { .. } => std::thread::park_timeout(RETRY),
                Served::Broken(_) => {
                    session.is_closing = true;
                    break;
                }
                Served::Blocked { .. } => {
                    caller.unread = input.split_off(done);
                    break;
                }
                Served::Closing | Served::Idle { .. } => break,
            }
        }
        if caller.session.is_closing {
            executor.end_session(&mut caller.session);
        }
        drop(executor);
        self.free.lock().push(slot);
        reply.to_vec()
    }

    /// Whatever was pushed to a client since it called last.
    pub fn pushes(&self, caller: &mut Caller) -> Vec<u8> {
        let mut reply = Reply::new();
        let delivery = pushes::deliver(&mut caller.session, &self.host, &mut reply);
        caller.session.is_closing |= delivery == Delivery::Overflowed;
        reply.to_vec()
    }

    /// The client goes.
    pub fn disconnect(&self, mut caller: Caller) {
        let slot = self.free.lock().pop().expect("no more threads call than there are numbers");
        let mut executor = Executor::new(&self.engine, &self.host, slot);
        executor.end_session(&mut caller.session);
        drop(executor);
        self.free.lock().push(slot);
        self.host.registry.remove(caller.session.id);
    }

    /// Makes the calls of a journal once more.
    ///
    /// # Errors
    /// Why one of them was refused.
    ///
    /// # Panics
    /// When more than [`THREADS`] threads call at the same time.
    pub fn replay(&self, journal: &[u8]) -> Result<(), String> {
        let slot = self.free.lock().pop().expect("no more threads call than there are numbers");
        let mut caller = self.connect();
        let mut executor = Executor::replaying(&self.engine, &self.host, slot);
        let replayed = replay(&mut executor, &mut caller.session, journal);
        executor.end_session(&mut caller.session);
        drop(executor);
        self.free.lock().push(slot);
        self.host.registry.remove(caller.session.id);
        replayed.map_err(|refused| format!("at {}: {}", refused.offset, refused.reason))
    }

    /// The engine inside.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Dialect, Machine};

    fn server() -> InProcess {
        let machine = Machine { cores: 2, memory_bytes: 1 << 30 };
        InProcess::new(Config::from_text(b"save \"\"", Dialect::Redis, machine).unwrap(), &[])
    }

    #[test]
    fn calls_are_answered() {
        let server = server();
        let mut caller = server.connect();
        assert_eq!(server.call(&mut caller, &[b"SET", b"key", b"value"]), b"+OK\r\n");
        assert_eq!(server.call(&mut caller, &[b"GET", b"key"]), b"$5\r\nvalue\r\n");
        assert_eq!(server.send(&mut caller, b"GET key\r\nGET none\r\n"), b"$5\r\nvalue\r\n$-1\r\n");
        assert!(server.send(&mut caller, b"*1\r\nx\r\n").starts_with(b"-ERR Protocol error"));
        assert!(caller.is_closed());
        server.disconnect(caller);
    }

    #[test]
    fn threads_call_at_the_same_time() {
        let server = server();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let mut caller = server.connect();
                    for _ in 0..1000 {
                        server.call(&mut caller, &[b"INCR", b"counter"]);
                    }
                    server.disconnect(caller);
                });
            }
        });
        let mut caller = server.connect();
        assert_eq!(server.call(&mut caller, &[b"GET", b"counter"]), b"$4\r\n4000\r\n");
    }
}
