//! Blocking calls: order, timeouts, moves, and what ends them; and many threads at once.
//!
//! The rows here stand in for those of lists: a string holds words of eight bytes, `tpush` appends
//! some, `tpop` takes the first of the first key that has one, `tmove` moves one.

mod rows;
mod stress;

use crate::world;
use base::clock::ManualClock;
use base::lock::{Token, Wake};
use engine::host::NoHost;
use engine::run::Served;
use engine::{Engine, Executor, Session};
use parking_lot::Mutex;
use resp::{Limits, Reply, RequestParser};
use std::sync::Arc;

/// Notes who was woken.
#[derive(Default)]
struct Woken(Mutex<Vec<u64>>);

impl Wake for Woken {
    fn wake(&self, token: Token) {
        self.0.lock().push(token.0);
    }
}

struct World {
    clock: Arc<ManualClock>,
    woken: Arc<Woken>,
    engine: Engine,
}

impl World {
    fn new() -> Self {
        let woken = Arc::<Woken>::default();
        let world::World { clock, engine } = world::World::of(|parts| {
            parts.rows = vec![rows::ROWS];
            parts.wake = Arc::clone(&woken) as Arc<dyn Wake>;
            parts.threads = 8;
        });
        Self { clock, woken, engine }
    }

    /// Client `number` on the thread of that number.
    fn client(&self, number: u64) -> Client<'_> {
        Client {
            executor: Executor::new(&self.engine, &NoHost, number as usize),
            session: Session::new(number, Token(number), Arc::new(())),
            parser: RequestParser::default(),
        }
    }

    fn blocking_keys(&self) -> usize {
        let locks = self.engine.keyspace.locks().iter();
        locks.map(|lock| lock.try_lock(0).unwrap().waiting.measure().0).sum()
    }

    fn places(&self) -> usize {
        let locks = self.engine.keyspace.locks().iter();
        locks.filter(|lock| !lock.try_lock(0).unwrap().waiting.is_empty()).count()
    }
}

struct Client<'w> {
    executor: Executor<'w>,
    session: Session,
    parser: RequestParser,
}

impl Client<'_> {
    /// Sends lines of words and returns the replies, and whether the client waits.
    fn send(&mut self, lines: &str) -> (String, bool) {
        let mut input = Vec::new();
        for line in lines.lines() {
            let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
            resp::encode_request(&mut input, &words);
        }
        let (reply, served, _) = self.serve(&input);
        (reply, matches!(served, Served::Blocked { .. }))
    }

    fn serve(&mut self, input: &[u8]) -> (String, Served, usize) {
        let mut reply = Reply::with_protocol(self.session.protocol);
        let limits = |_: &Session| Limits::authenticated(1 << 20);
        let progress =
            self.executor.serve(&mut self.session, &mut self.parser, limits, input, &mut reply);
        let text = String::from_utf8(reply.to_vec()).unwrap().replace("\r\n", " ");
        (text.trim_end().to_owned(), progress.state, progress.consumed)
    }

    /// What has come meanwhile.
    fn look(&mut self) -> String {
        self.serve(b"").0
    }

    #[track_caller]
    fn blocks(&mut self, line: &str) {
        assert_eq!(self.send(line), (String::new(), true), "{line}");
    }

    #[track_caller]
    fn gets(&mut self, line: &str, reply: &str) {
        assert_eq!(self.send(line), (reply.to_owned(), false), "{line}");
    }

    fn leave(mut self) {
        self.executor.end_session(&mut self.session);
    }
}

#[test]
fn waiters_are_served_in_the_order_of_their_arrival() {
    let world = World::new();
    let (mut a, mut b, mut c) = (world.client(0), world.client(1), world.client(2));
    a.blocks("tpop k 0");
    b.blocks("tpop other k 0");
    assert_eq!((world.engine.blocking.count(), world.blocking_keys()), (2, 2));
    c.gets("tpush k aaaaaaaa", ":8");
    assert_eq!(*world.woken.0.lock(), [0]);
    assert_eq!((a.look(), b.look()), ("*2 $1 k $8 aaaaaaaa".into(), String::new()));
    c.gets("tpush k bbbbbbbb cccccccc", ":16");
    assert_eq!(b.look(), "*2 $1 k $8 bbbbbbbb");
    c.gets("get k", "$8 cccccccc");
    assert_eq!((world.engine.blocking.count(), world.places()), (0, 0));
}

#[test]
fn what_follows_a_blocking_call_stays_unread() {
    let world = World::new();
    let (mut a, mut c) = (world.client(0), world.client(1));
    let mut input = Vec::new();
    for words in [&["ping"][..], &["tpop", "k", "0"], &["get", "k"]] {
        let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
        resp::encode_request(&mut input, &words);
    }
    let (reply, served, consumed) = a.serve(&input);
    assert_eq!(reply, "+PONG");
    assert!(matches!(served, Served::Blocked { until: None }));
    c.gets("tpush k aaaaaaaa bbbbbbbb", ":16");
    assert_eq!(a.serve(&input[consumed..]).0, "*2 $1 k $8 aaaaaaaa $8 bbbbbbbb");
}

#[test]
fn a_wait_ends_when_its_time_is_over() {
    let world = World::new();
    let (mut a, mut c) = (world.client(0), world.client(1));
    a.blocks("tpop k j 50");
    world.clock.advance_ms(49);
    assert_eq!(a.look(), "");
    world.clock.advance_ms(1);
    assert_eq!(a.look(), "*-1");
    assert_eq!((world.engine.blocking.count(), world.places()), (0, 0));
    c.gets("tpush k aaaaaaaa", ":8");
    a.gets("tpop j k 0", "*2 $1 k $8 aaaaaaaa");
    a.blocks("wait 1 10");
    world.clock.advance_ms(10);
    assert_eq!(a.look(), ":0");
    a.blocks("waitaof 0 1 10");
    world.clock.advance_ms(10);
    assert_eq!(a.look(), "*2 :0 :0");
}

#[test]
fn others_may_end_a_wait() {
    let world = World::new();
    let mut a = world.client(3);
    for (with_error, reply) in
        [(false, "*-1"), (true, "-UNBLOCKED client unblocked via CLIENT UNBLOCK")]
    {
        a.blocks("tpop k 0");
        assert_eq!(world.engine.blocking.unblock(3, with_error, || {}), Some(Token(3)));
        assert_eq!(world.engine.blocking.unblock(3, with_error, || {}), None);
        assert_eq!(a.look(), reply);
    }
    assert_eq!((world.engine.blocking.count(), world.places()), (0, 0));
}

#[test]
fn nothing_is_given_to_those_who_have_left() {
    let world = World::new();
    let (mut a, mut b, mut c) = (world.client(0), world.client(1), world.client(2));
    a.blocks("tpop k 0");
    b.blocks("tpop k 0");
    a.leave();
    c.gets("tpush k aaaaaaaa", ":8");
    assert_eq!(b.look(), "*2 $1 k $8 aaaaaaaa");
    assert_eq!((world.engine.blocking.count(), world.places()), (0, 0));
}

#[test]
fn a_transaction_serves_at_its_end_and_never_waits() {
    let world = World::new();
    let (mut a, mut c) = (world.client(0), world.client(1));
    a.blocks("tpop k 0");
    c.gets("multi\ntpush k aaaaaaaa\ndel k\ntpop k 0\nexec", {
        "+OK +QUEUED +QUEUED +QUEUED *3 :8 :1 *-1"
    });
    assert_eq!(a.look(), "");
    c.gets("multi\ntpush k bbbbbbbb\ntpush k cccccccc\nget k\nexec", {
        "+OK +QUEUED +QUEUED +QUEUED *3 :8 :16 $16 bbbbbbbbcccccccc"
    });
    assert_eq!(a.look(), "*2 $1 k $8 bbbbbbbb");
    c.gets("eval redis.call('tpop','k',0)return{redis.call('tpop','k',0)} 0", "*1 $-1");
}

#[test]
fn a_script_serves_at_its_end() {
    let world = World::new();
    let (mut a, mut b, mut c) = (world.client(0), world.client(1), world.client(2));
    a.blocks("tpop j k 0");
    b.blocks("tmove j m 0");
    c.gets("eval redis.call('tpush','k','aaaaaaaa')redis.call('tpush','j','bbbbbbbb') 0", "$-1");
    // The keys of a call are looked at in its own order.
    assert_eq!(a.look(), "*2 $1 j $8 bbbbbbbb");
    assert_eq!(b.look(), "");
    c.gets("get k", "$8 aaaaaaaa");
}

#[test]
fn moves_wake_moves() {
    let world = World::new();
    let (mut a, mut b) = (world.client(0), world.client(1));
    let (mut d, mut e, mut c) = (world.client(2), world.client(3), world.client(4));
    // A chain through several shards, a circle in it, and somebody at its end.
    a.blocks("tmove k1 k2 0");
    b.blocks("tmove k2 k3 0");
    d.blocks("tmove k3 k1 0");
    e.blocks("tpop k1 0");
    c.gets("tpush k1 aaaaaaaa", ":8");
    let moved = "$8 aaaaaaaa";
    assert_eq!((a.look(), b.look(), d.look()), (moved.into(), moved.into(), moved.into()));
    assert_eq!(e.look(), "*2 $2 k1 $8 aaaaaaaa");
    c.gets("exists k1 k2 k3", ":0");
    assert_eq!((world.engine.blocking.count(), world.places()), (0, 0));
}

#[test]
fn a_move_takes_the_shard_of_its_destination_first() {
    let world = World::new();
    let (mut a, mut c) = (world.client(0), world.client(1));
    a.blocks("tmove source destination 0");
    let keyspace = &world.engine.keyspace;
    let place = keyspace.shard_index(keyspace.hash(b"destination"));
    let guard = keyspace.locks()[place].try_lock(0).unwrap();
    // The push waits, as nobody may see it without the move.
    let mut input = Vec::new();
    resp::encode_request(&mut input, &[&b"tpush"[..], b"source", b"aaaaaaaa"]);
    let (_, served, consumed) = c.serve(&input);
    assert!(matches!(served, Served::Suspended { .. }), "{served:?}");
    assert_eq!(consumed, 0);
    drop(guard);
    assert_eq!(c.serve(&input).0, ":8");
    assert_eq!(a.look(), "$8 aaaaaaaa");
    c.gets("get destination", "$8 aaaaaaaa");
}

#[test]
fn another_kind_serves_nobody() {
    let world = World::new();
    let (mut a, mut c) = (world.client(0), world.client(1));
    a.blocks("tmove k j 0");
    c.gets("set j wrong", "+OK");
    c.gets("tpush k aaaaaaaa", ":8");
    assert_eq!(a.look(), "-WRONGTYPE Operation against a key holding the wrong kind of value");
    // The element stays, as nobody took it.
    c.gets("get k", "$8 aaaaaaaa");
}

#[test]
fn databases_are_apart() {
    let world = World::new();
    let (mut a, mut b, mut c) = (world.client(0), world.client(1), world.client(2));
    a.blocks("tpop k 0");
    b.gets("select 1", "+OK");
    b.blocks("tpop k 0");
    c.gets("select 2\ntpush k aaaaaaaa", "+OK :8");
    assert_eq!((a.look(), b.look()), (String::new(), String::new()));
    c.gets("move k 1", ":1");
    assert_eq!((a.look(), b.look()), (String::new(), "*2 $1 k $8 aaaaaaaa".into()));
    c.gets("tpush k bbbbbbbb\nswapdb 0 2", ":8 +OK");
    assert_eq!(a.look(), "*2 $1 k $8 bbbbbbbb");
    a.blocks("tpop k 0");
    c.gets("select 0\ntpush j cccccccc\nrename j k", "+OK :8 +OK");
    assert_eq!(a.look(), "*2 $1 k $8 cccccccc");
}

#[test]
fn watches_see_what_is_done_for_waiters() {
    let world = World::new();
    let (mut a, mut b, mut c) = (world.client(0), world.client(1), world.client(2));
    b.gets("watch j\nmulti\nget j", "+OK +OK +QUEUED");
    a.blocks("tmove k j 0");
    c.gets("tpush k aaaaaaaa", ":8");
    b.gets("exec", "*-1");
    assert_eq!(a.look(), "$8 aaaaaaaa");
}

#[test]
fn calls_are_counted_when_they_end() {
    let world = World::new();
    let (mut a, mut c) = (world.client(0), world.client(1));
    let calls = |name: &str| {
        let argv: resp::ArgvBuffer = [name].into_iter().collect();
        let engine::table::Lookup::Found(entry) = world.engine.table.lookup(argv.argv()) else {
            panic!("a row")
        };
        let threads = world.engine.threads().iter();
        threads.map(|thread| thread.commands[entry.id].calls.value()).sum::<u64>()
    };
    a.blocks("tpop k 0");
    assert_eq!(calls("tpop"), 0);
    c.gets("tpush k aaaaaaaa", ":8");
    assert_eq!((calls("tpop"), calls("tpush")), (1, 1));
}

#[test]
fn answers_can_be_switched_off() {
    let world = World::new();
    let (mut a, mut c) = (world.client(0), world.client(1));
    a.session.replies = engine::session::Replies::SkipNext;
    a.blocks("tpop k 0");
    c.gets("tpush k aaaaaaaa", ":8");
    assert_eq!(a.send("ping"), ("+PONG".to_owned(), false));
}

#[test]
fn hundreds_of_keys_cost_nobody_else() {
    let world = World::new();
    let (mut a, mut c) = (world.client(0), world.client(1));
    let keys: Vec<String> = (0..400).map(|index| format!("queue{index}")).collect();
    for round in 0..20 {
        a.blocks(&format!("tpop {} 0", keys.join(" ")));
        assert_eq!(world.blocking_keys(), 400);
        let key = &keys[round * 7];
        c.gets(&format!("tpush {key} aaaaaaaa"), ":8");
        assert_eq!(world.blocking_keys(), 0);
        assert_eq!(a.look(), format!("*2 ${} {key} $8 aaaaaaaa", key.len()));
        assert_eq!(world.places(), 0);
    }
}
