//! A server's inside: an engine, its clients, and what it records; no sockets, no threads.

use crate::trace::Trace;
use crate::workload::{Step, Words, Workload};
use base::clock::{Clock, ManualClock};
use base::lock::{Token, Wake};
use base::rand::Rng;
use engine::data::ReclaimNow;
use engine::engine::Parts;
use engine::host::NoHost;
use engine::settings::Settings;
use engine::{Engine, Executor, Session};
use resp::{ArgvBuffer, Limits, Reply, RequestParser};
use std::sync::Arc;
use store::types::limits;

/// Few, so that a walk over all of them is short; more than one, so that there is an order among them.
const SHARDS: usize = 4;
const DATABASES: usize = 2;
const CLIENTS: usize = 3;

/// An engine as simulations want it, with nothing in it.
pub fn engine(seed: u64, clock: Arc<ManualClock>) -> Engine {
    // The first engine of the process would choose it for all others, and runs would depend on it.
    store::layout::trie::seed_hash(0);
    let mut rng = Rng::new(seed);
    let settings = Settings {
        databases: DATABASES,
        is_latency_tracked: false,
        types: draw_limits(&mut rng),
        snapshot_failure_stops_writes: rng.below(2) == 0,
        ..Settings::default()
    };
    Engine::new(Parts {
        rows: Vec::new(),
        settings,
        clock: clock as Arc<dyn Clock>,
        wake: Arc::new(NoWake),
        reclaim: Box::new(ReclaimNow),
        shards: SHARDS,
        threads: 2,
        seed,
    })
}

/// Small ones, so that small values turn large.
fn draw_limits(rng: &mut Rng) -> limits::Limits {
    let mut all = limits::Limits::default();
    if rng.below(2) == 0 {
        all.hash.packed_entries_max = rng.index(4);
        all.set.packed_entries_max = rng.index(4);
        all.set.integers_max = rng.index(4);
        all.zset.packed_entries_max = rng.index(4);
        all.list.chunk_max = 1 + rng.below(4) as i32;
        all.stream.node_entries_max = 1 + rng.index(3);
    }
    all
}

/// Whoever waits looks again by itself.
struct NoWake;

impl Wake for NoWake {
    fn wake(&self, _token: Token) {}
}

/// The clients of an engine, and the thread that serves them.
pub struct Node<'e> {
    engine: &'e Engine,
    executor: Executor<'e>,
    clients: Vec<Session>,
    trace: Trace,
}

impl<'e> Node<'e> {
    /// With new clients.
    pub fn new(engine: &'e Engine, trace: Trace) -> Self {
        let executor = Executor::new(engine, &NoHost, 0);
        let session = |id| Session::new(id, Token(id), Arc::new(()));
        let clients = (1..=CLIENTS as u64).map(session).collect();
        Self { engine, executor, clients, trace }
    }

    /// Some client does something.
    pub fn step(&mut self, workload: &Workload, rng: &mut Rng) {
        let client = rng.index(self.clients.len());
        if self.clients[client].blocked.is_some() {
            return self.look(client);
        }
        match workload.draw_step(self.engine.clock().wall_ms(), rng) {
            Step::Blocking(words) => {
                // One is never blocked, so that there is always somebody to go on.
                if client != 0 {
                    self.call(client, &words);
                }
            }
            Step::Call(words) => self.call(client, &words),
            Step::Transaction(calls) => {
                self.call(client, &[b"MULTI".to_vec()]);
                calls.iter().for_each(|words| self.call(client, words));
                self.call(client, &[b"EXEC".to_vec()]);
            }
        }
    }

    /// Does what is due in a shard, as a server does in the background.
    pub fn tend(&mut self, rng: &mut Rng) {
        let index = rng.index(self.engine.keyspace.locks().len());
        let care = self.executor.look_after_shard(&mut self.clients[0], index, true);
        self.trace.note(|| format!("node: shard {index} is looked after: {care:?}"));
    }

    /// Makes one call.
    pub fn call(&mut self, client: usize, words: &[Vec<u8>]) {
        self.ask(client, words);
    }

    /// Makes one call; its reply.
    pub fn ask(&mut self, client: usize, words: &[Vec<u8>]) -> Vec<u8> {
        let mut argv = ArgvBuffer::new();
        words.iter().for_each(|word| argv.push(word));
        let mut reply = Reply::new();
        self.executor.call(&mut self.clients[client], argv.argv(), &mut reply);
        let reply = reply.to_vec();
        self.trace
            .note(|| format!("client {client}: {} -> {}", shown(words), reply.escape_ascii()));
        reply
    }

    /// A blocked client looks whether it still is.
    fn look(&mut self, client: usize) {
        let mut reply = Reply::new();
        let limits = |_: &Session| Limits::authenticated(1 << 20);
        let session = &mut self.clients[client];
        self.executor.serve(session, &mut RequestParser::default(), limits, b"", &mut reply);
        self.trace.note(|| format!("client {client}: looks -> {}", shown_reply(reply)));
    }
}

fn shown(words: &[Vec<u8>]) -> String {
    let words: Vec<String> = words.iter().map(|word| word.escape_ascii().to_string()).collect();
    words.join(" ")
}

fn shown_reply(reply: Reply) -> String {
    reply.to_vec().escape_ascii().to_string()
}

/// A call's words from a line.
pub fn words(line: &str) -> Words {
    line.split(' ').map(|word| word.as_bytes().to_vec()).collect()
}
