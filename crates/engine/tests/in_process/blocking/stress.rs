//! Many threads push, pop, move, give up and leave: every word arrives once, in order.

use super::rows;
use base::clock::{Clock, ManualClock};
use base::lock::{Token, Wake};
use base::rand::Rng;
use engine::data::ReclaimNow;
use engine::engine::Parts;
use engine::host::NoHost;
use engine::run::Served;
use engine::settings::Settings;
use engine::{Engine, Executor, Session};
use parking_lot::Mutex;
use resp::{Frame, Limits, Reply, RequestParser};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::thread::Thread;
use std::time::Duration;

const KEYS: u64 = 6;
const PRODUCERS: u64 = 2;
const MOVERS: u64 = 2;
const CONSUMERS: u64 = 4;
const WORDS_EACH: u64 = 3000;

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

struct World {
    engine: Engine,
    clock: Arc<ManualClock>,
    threads: Arc<Unpark>,
    ids: AtomicU64,
    producing: AtomicUsize,
    moving: AtomicUsize,
    /// Words that nobody has received yet.
    left: AtomicUsize,
    /// Movers move between all keys, so words go round and come in any order.
    is_circular: bool,
    received: Mutex<BTreeSet<Vec<u8>>>,
}

struct Client<'w> {
    world: &'w World,
    executor: Executor<'w>,
    session: Session,
    rng: Rng,
}

/// What has become of a call.
enum Outcome {
    Reply(Frame),
    /// The client has left; whether it had been served by then.
    Left(bool),
}

impl World {
    fn client(&self, slot: u64) -> Client<'_> {
        let executor = Executor::new(&self.engine, &NoHost, slot as usize);
        Client { world: self, executor, session: self.session(), rng: Rng::new(slot) }
    }

    fn session(&self) -> Session {
        let id = self.ids.fetch_add(1, SeqCst);
        self.threads.0.lock().insert(id, std::thread::current());
        Session::new(id, Token(id), Arc::new(()))
    }
}

impl Client<'_> {
    /// Makes a call; a client that waits may leave when `leaves` says so.
    fn call(&mut self, words: &[&[u8]], mut leaves: impl FnMut(&mut Rng) -> bool) -> Outcome {
        let mut input = Vec::new();
        resp::encode_request(&mut input, words);
        let (mut parser, mut reply) = (RequestParser::default(), Reply::new());
        let mut done = 0;
        loop {
            self.world.clock.advance_us(20);
            let limits = |_: &Session| Limits::authenticated(1 << 20);
            let progress = self.executor.serve(
                &mut self.session,
                &mut parser,
                limits,
                &input[done..],
                &mut reply,
            );
            done += progress.consumed;
            match progress.state {
                Served::Blocked { .. } if leaves(&mut self.rng) => return self.leave(),
                Served::Blocked { .. } | Served::Suspended { .. } => {
                    std::thread::park_timeout(Duration::from_micros(300));
                }
                Served::More => {}
                _ => break,
            }
        }
        Outcome::Reply(resp::decode(&reply.to_vec()).unwrap().unwrap().0)
    }

    fn leave(&mut self) -> Outcome {
        let waiter = Arc::clone(self.session.blocked.as_ref().unwrap());
        self.executor.end_session(&mut self.session);
        self.session = self.world.session();
        // Whoever has claimed it is about to serve it, or to see that it has left.
        loop {
            let text = format!("{waiter:?}");
            if !text.contains("Claimed") {
                return Outcome::Left(text.contains("Served"));
            }
            std::thread::yield_now();
        }
    }

    fn produce(&mut self, number: u64) {
        let mut next = [0; KEYS as usize];
        let mut produced = 0;
        while produced < WORDS_EACH {
            let key = self.rng.below(KEYS);
            let count = (1 + self.rng.below(3)).min(WORDS_EACH - produced);
            let words: Vec<String> = (0..count)
                .map(|_| {
                    next[key as usize] += 1;
                    format!("{number}{key}{:06}", next[key as usize])
                })
                .collect();
            let key = format!("in{key}");
            let mut call: Vec<&[u8]> = vec![b"tpush", key.as_bytes()];
            call.extend(words.iter().map(String::as_bytes));
            let Outcome::Reply(reply) = self.call(&call, |_| false) else { unreachable!() };
            assert!(!reply.is_error(), "{reply:?}");
            produced += count;
        }
        self.world.producing.fetch_sub(1, SeqCst);
    }

    fn move_on(&mut self) {
        while 0 < self.world.left.load(SeqCst) {
            let (mut source, mut destination) = ("in", "out");
            if self.world.is_circular && self.rng.below(2) == 0 {
                std::mem::swap(&mut source, &mut destination);
            }
            let source = format!("{source}{}", self.rng.below(KEYS));
            let destination = format!("{destination}{}", self.rng.below(KEYS));
            let call: [&[u8]; 4] = [b"tmove", source.as_bytes(), destination.as_bytes(), b"5"];
            // A word that was moved for somebody who has left is where it belongs.
            self.call(&call, |rng| rng.below(8) == 0);
        }
        self.world.moving.fetch_sub(1, SeqCst);
    }

    /// Receives words; those of one producer and key come in order, unless movers are at work.
    fn consume(&mut self) {
        let mut last: HashMap<(String, String), String> = HashMap::new();
        while 0 < self.world.left.load(SeqCst) {
            let name = |rng: &mut Rng| match rng.below(3) {
                0 => format!("out{}", rng.below(KEYS)),
                _ => format!("in{}", rng.below(KEYS)),
            };
            let keys: Vec<String> =
                (0..1 + self.rng.below(4)).map(|_| name(&mut self.rng)).collect();
            let timeout = (1 + self.rng.below(20)).to_string();
            let mut call: Vec<&[u8]> = vec![b"tpop"];
            call.extend(keys.iter().map(String::as_bytes));
            call.push(timeout.as_bytes());
            match self.call(&call, |rng| rng.below(16) == 0) {
                Outcome::Reply(Frame::Array(items)) => {
                    let [Frame::Bulk(key), Frame::Bulk(word)] = &items[..] else {
                        panic!("{items:?}")
                    };
                    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
                    let (key, word_text) = (text(key), text(word));
                    if key.starts_with("in") && !self.world.is_circular {
                        let stream = (key, word_text[..2].to_owned());
                        let before = last.insert(stream, word_text.clone());
                        assert!(before.is_none_or(|before| before < word_text), "{word_text}");
                    }
                    assert!(self.world.received.lock().insert(word.clone()), "twice: {word_text}");
                    self.world.left.fetch_sub(1, SeqCst);
                }
                Outcome::Reply(Frame::NullArray | Frame::Null) | Outcome::Left(false) => {}
                Outcome::Left(true) => {
                    self.world.left.fetch_sub(1, SeqCst);
                }
                Outcome::Reply(other) => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn every_word_arrives_once_and_in_order() {
    run(false);
}

#[test]
fn words_that_go_round_arrive_once() {
    run(true);
}

fn run(is_circular: bool) {
    let clock = Arc::new(ManualClock::new(1_700_000_000_000));
    let threads = Arc::<Unpark>::default();
    let slots = PRODUCERS + MOVERS + CONSUMERS;
    let engine = Engine::new(Parts {
        rows: vec![rows::ROWS],
        settings: Settings::default(),
        clock: Arc::clone(&clock) as Arc<dyn Clock>,
        wake: Arc::clone(&threads) as Arc<dyn Wake>,
        reclaim: Box::new(ReclaimNow),
        shards: 4,
        threads: slots as usize,
        seed: 3,
    });
    let world = World {
        engine,
        clock,
        threads,
        ids: AtomicU64::new(1),
        producing: AtomicUsize::new(PRODUCERS as usize),
        moving: AtomicUsize::new(MOVERS as usize),
        left: AtomicUsize::new((PRODUCERS * WORDS_EACH) as usize),
        is_circular,
        received: Mutex::default(),
    };
    std::thread::scope(|scope| {
        let world = &world;
        for slot in 0..slots {
            scope.spawn(move || {
                let mut client = world.client(slot);
                match slot {
                    _ if slot < PRODUCERS => client.produce(slot),
                    _ if slot < PRODUCERS + MOVERS => client.move_on(),
                    _ => client.consume(),
                }
            });
        }
    });
    assert_eq!(world.engine.blocking.count(), 0);
    let keys = world.engine.keyspace.locks().iter();
    let keys: usize = keys.map(|lock| lock.try_lock(0).unwrap().data.database_ref(0).len()).sum();
    assert_eq!(keys, 0);
}
