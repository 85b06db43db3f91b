//! Many threads push, pop, move, give up and leave: every word arrives once, in order.

use super::rows;
use crate::threads::{ThreadClient, Threads};
use base::rand::Rng;
use parking_lot::Mutex;
use resp::Frame;
use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

const KEYS: u64 = 6;
const PRODUCERS: u64 = 2;
const MOVERS: u64 = 2;
const CONSUMERS: u64 = 4;
const WORDS_EACH: u64 = 3000;

/// How far everybody has come.
struct State {
    producing: AtomicUsize,
    moving: AtomicUsize,
    /// Words that nobody has received yet.
    left: AtomicUsize,
    /// Movers move between all keys, so words go round and come in any order.
    is_circular: bool,
    received: Mutex<BTreeSet<Vec<u8>>>,
}

struct Client<'s> {
    state: &'s State,
    client: ThreadClient<'s>,
    rng: Rng,
}

/// What has become of a call.
enum Outcome {
    Reply(Frame),
    /// The client has left; whether it had been served by then.
    Left(bool),
}

impl Client<'_> {
    /// Makes a call; a client that waits may leave when `leaves` says so.
    fn call(&mut self, words: &[&[u8]], mut leaves: impl FnMut(&mut Rng) -> bool) -> Outcome {
        let replies = self.client.calls_unless(&[words.to_vec()], || leaves(&mut self.rng));
        match replies {
            Some(mut replies) => Outcome::Reply(replies.remove(0)),
            None => Outcome::Left(self.client.leave()),
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
        self.state.producing.fetch_sub(1, SeqCst);
    }

    fn move_on(&mut self) {
        while 0 < self.state.left.load(SeqCst) {
            let (mut source, mut destination) = ("in", "out");
            if self.state.is_circular && self.rng.below(2) == 0 {
                std::mem::swap(&mut source, &mut destination);
            }
            let source = format!("{source}{}", self.rng.below(KEYS));
            let destination = format!("{destination}{}", self.rng.below(KEYS));
            let call: [&[u8]; 4] = [b"tmove", source.as_bytes(), destination.as_bytes(), b"5"];
            // A word that was moved for somebody who has left is where it belongs.
            self.call(&call, |rng| rng.below(8) == 0);
        }
        self.state.moving.fetch_sub(1, SeqCst);
    }

    /// Receives words; those of one producer and key come in order, unless movers are at work.
    fn consume(&mut self) {
        let mut last: HashMap<(String, String), String> = HashMap::new();
        while 0 < self.state.left.load(SeqCst) {
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
                    if key.starts_with("in") && !self.state.is_circular {
                        let stream = (key, word_text[..2].to_owned());
                        let before = last.insert(stream, word_text.clone());
                        assert!(before.is_none_or(|before| before < word_text), "{word_text}");
                    }
                    assert!(self.state.received.lock().insert(word.clone()), "twice: {word_text}");
                    self.state.left.fetch_sub(1, SeqCst);
                }
                Outcome::Reply(Frame::NullArray | Frame::Null) | Outcome::Left(false) => {}
                Outcome::Left(true) => {
                    self.state.left.fetch_sub(1, SeqCst);
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
    let slots = PRODUCERS + MOVERS + CONSUMERS;
    let threads = Threads::new(slots, 20, |parts| parts.rows = vec![rows::ROWS]);
    let state = State {
        producing: AtomicUsize::new(PRODUCERS as usize),
        moving: AtomicUsize::new(MOVERS as usize),
        left: AtomicUsize::new((PRODUCERS * WORDS_EACH) as usize),
        is_circular,
        received: Mutex::default(),
    };
    std::thread::scope(|scope| {
        let (threads, state) = (&threads, &state);
        for slot in 0..slots {
            scope.spawn(move || {
                let (client, rng) = (threads.client(slot), Rng::new(slot));
                let mut client = Client { state, client, rng };
                match slot {
                    _ if slot < PRODUCERS => client.produce(slot),
                    _ if slot < PRODUCERS + MOVERS => client.move_on(),
                    _ => client.consume(),
                }
            });
        }
    });
    let engine = &threads.world.engine;
    assert_eq!(engine.blocking.count(), 0);
    let keys = engine.keyspace.locks().iter();
    let keys: usize = keys.map(|lock| lock.try_lock(0).unwrap().data.database_ref(0).len()).sum();
    assert_eq!(keys, 0);
}
