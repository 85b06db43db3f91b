//! Several threads on one engine: each has a client of its own, and sleeps while that has to wait.

use crate::world::World;
use base::lock::{Token, Wake};
use engine::engine::Parts;
use engine::host::NoHost;
use engine::run::Served;
use engine::{Engine, Executor, Session};
use parking_lot::Mutex;
use resp::{Frame, Limits, Reply, RequestParser};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::thread::Thread;
use std::time::Duration;

/// A thread that nobody wakes looks again after this time, as the server's watcher would have it do.
const PATIENCE: Duration = Duration::from_micros(200);

/// Unparks the thread of a token.
#[derive(Default)]
struct Unpark(Mutex<HashMap<u64, Thread>>);

impl Wake for Unpark {
    fn wake(&self, token: Token) {
        if let Some(thread) = self.0.lock().get(&token.0) {
            thread.unpark();
        }
    }
}

/// An engine that several threads call.
pub(crate) struct Threads {
    pub(crate) world: World,
    unpark: Arc<Unpark>,
    ids: AtomicU64,
    /// What the clock goes on by with every call.
    step_us: u64,
}

impl Threads {
    pub(crate) fn new(count: u64, step_us: u64, change: impl FnOnce(&mut Parts)) -> Self {
        let unpark = Arc::<Unpark>::default();
        let world = World::of(|parts| {
            parts.threads = count as usize;
            parts.wake = Arc::clone(&unpark) as Arc<dyn Wake>;
            // Few, so that different keys meet in one.
            parts.shards = 4;
            change(parts);
        });
        Self { world, unpark, ids: AtomicU64::new(1), step_us }
    }

    /// The present thread's client, in place number `slot` of the engine's threads.
    pub(crate) fn client(&self, slot: u64) -> ThreadClient<'_> {
        let executor = Executor::new(&self.world.engine, &NoHost, slot as usize);
        ThreadClient { threads: self, executor, session: self.session() }
    }

    fn session(&self) -> Session {
        let id = self.ids.fetch_add(1, SeqCst);
        self.unpark.0.lock().insert(id, std::thread::current());
        Session::new(id, Token(id), Arc::new(()))
    }
}

/// A client on a thread of its own.
pub(crate) struct ThreadClient<'t> {
    threads: &'t Threads,
    executor: Executor<'t>,
    session: Session,
}

impl<'t> ThreadClient<'t> {
    /// What makes its calls, and in whose name.
    pub(crate) fn parts(&mut self) -> (&mut Executor<'t>, &mut Session) {
        (&mut self.executor, &mut self.session)
    }

    /// What it calls.
    pub(crate) fn engine(&self) -> &'t Engine {
        &self.threads.world.engine
    }

    /// Makes calls in one go, and waits as long as they do; their replies.
    pub(crate) fn calls<W: AsRef<[u8]>>(&mut self, calls: &[Vec<W>]) -> Vec<Frame> {
        self.calls_unless(calls, || false).expect("it does not give up")
    }

    /// As [`ThreadClient::calls`]; nothing if a blocked call gives up, which it is asked at each look.
    pub(crate) fn calls_unless<W: AsRef<[u8]>>(
        &mut self,
        calls: &[Vec<W>],
        mut gives_up: impl FnMut() -> bool,
    ) -> Option<Vec<Frame>> {
        let mut input = Vec::new();
        calls.iter().for_each(|words| resp::encode_request(&mut input, words));
        let (mut parser, mut reply) = (RequestParser::default(), Reply::new());
        let mut done = 0;
        loop {
            self.threads.world.clock.advance_us(self.threads.step_us);
            let limits = |_: &Session| Limits::authenticated(1 << 20);
            let rest = &input[done..];
            let progress =
                self.executor.serve(&mut self.session, &mut parser, limits, rest, &mut reply);
            done += progress.consumed;
            match progress.state {
                Served::Blocked { .. } if gives_up() => return None,
                Served::Blocked { .. } | Served::Suspended { .. } => {
                    std::thread::park_timeout(PATIENCE);
                }
                Served::More => {}
                _ => break,
            }
        }
        let bytes = reply.to_vec();
        let (mut rest, mut frames) = (&bytes[..], Vec::new());
        while let Some((frame, len)) = resp::decode(rest).unwrap() {
            frames.push(frame);
            rest = &rest[len..];
        }
        assert_eq!(frames.len(), calls.len(), "one call has one reply");
        Some(frames)
    }

    /// Goes away while a call is blocked, and comes back as another client. Returns whether the call had
    /// been served.
    pub(crate) fn leave(&mut self) -> bool {
        let waiter = Arc::clone(self.session.blocked.as_ref().unwrap());
        self.executor.end_session(&mut self.session);
        self.session = self.threads.session();
        // Whoever has claimed it is about to serve it, or to see that it has left.
        loop {
            let text = format!("{waiter:?}");
            if !text.contains("Claimed") {
                return text.contains("Served");
            }
            std::thread::yield_now();
        }
    }
}
