//! An engine in process, with a clock that the test moves, and one or more threads to call it on.

use base::clock::ManualClock;
use base::lock::{Token, Wake};
use engine::data::ReclaimNow;
use engine::engine::Parts;
use engine::host::NoHost;
use engine::settings::{Access, Settings};
use engine::{Engine, Executor, Session};
use resp::{ArgvBuffer, Frame, Reply};
use std::sync::Arc;

/// When every test begins, in Unix milliseconds.
pub(crate) const START_MS: u64 = 1_700_000_000_000;

struct NoWake;

impl Wake for NoWake {
    fn wake(&self, _token: Token) {}
}

/// An engine and its clock.
pub(crate) struct World {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) engine: Engine,
}

impl World {
    /// With settings as a test wants them: DEBUG for everybody.
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    /// With other settings.
    pub(crate) fn with(change: impl FnOnce(&mut Settings)) -> Self {
        Self::of(|parts| change(&mut parts.settings))
    }

    /// Of other parts.
    pub(crate) fn of(change: impl FnOnce(&mut Parts)) -> Self {
        let clock = Arc::new(ManualClock::new(START_MS));
        let mut parts = Parts {
            rows: Vec::new(),
            settings: Settings { debug_access: Access::Everyone, ..Settings::default() },
            clock: Arc::clone(&clock) as Arc<dyn base::clock::Clock>,
            wake: Arc::new(NoWake),
            reclaim: Box::new(ReclaimNow),
            shards: 16,
            threads: 2,
            seed: 1,
        };
        change(&mut parts);
        Self { clock, engine: Engine::new(parts) }
    }

    /// A client on the first thread.
    pub(crate) fn client(&self) -> Client<'_> {
        self.client_on(0)
    }

    /// A client that has thread number `slot` for itself.
    pub(crate) fn client_on(&self, slot: usize) -> Client<'_> {
        let executor = Executor::new(&self.engine, &NoHost, slot);
        let number = slot as u64 + 1;
        let session = Session::new(number, Token(number), Arc::new(()));
        Client { engine: &self.engine, executor, session, position: 0 }
    }
}

/// One client.
pub(crate) struct Client<'w> {
    engine: &'w Engine,
    pub(crate) executor: Executor<'w>,
    pub(crate) session: Session,
    position: usize,
}

impl Client<'_> {
    /// Calls with words that are separated by blanks.
    pub(crate) fn call(&mut self, line: &str) -> Frame {
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        self.call_words(&words)
    }

    /// Calls with the given arguments.
    pub(crate) fn call_words(&mut self, words: &[&[u8]]) -> Frame {
        let bytes = self.bytes(words).expect("one client alone never waits");
        let (frame, len) = resp::decode(&bytes)
            .expect("a reply is in the form of the protocol")
            .expect("a reply is whole");
        assert_eq!(len, bytes.len(), "one call has one reply");
        frame
    }

    /// The bytes of the reply; `None` if the call has to wait for a lock. A blocking call that finds
    /// nothing is ended as if its time had run out.
    pub(crate) fn bytes(&mut self, words: &[&[u8]]) -> Option<Vec<u8>> {
        let mut argv = ArgvBuffer::new();
        words.iter().for_each(|word| argv.push(word));
        let mut reply = Reply::with_protocol(self.session.protocol);
        let is_done = self.executor.call(&mut self.session, argv.argv(), &mut reply);
        self.position += 1;
        if self.session.blocked.is_none() {
            return is_done.then(|| reply.to_vec());
        }
        self.engine
            .blocking
            .unblock(self.session.id, false, || {})
            .expect("it has just begun to wait");
        let limits = |_: &Session| resp::Limits::authenticated(1 << 20);
        let parser = &mut resp::RequestParser::default();
        self.executor.serve(&mut self.session, parser, limits, b"", &mut reply);
        Some(reply.to_vec())
    }

    /// Checks calls against the text of their replies.
    #[track_caller]
    pub(crate) fn check(&mut self, calls: &[(&str, &str)]) {
        for (line, expected) in calls {
            let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
            let bytes = self.bytes(&words).expect("one client alone never waits");
            let text = String::from_utf8_lossy(&bytes).replace("\r\n", " ");
            assert_eq!(text.trim_end(), *expected, "{line}");
        }
    }
}
