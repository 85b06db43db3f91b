//! Scripts, run in process: what they see, what they return, and how they fail.

mod common;

use base::clock::ManualClock;
use base::lock::{Token, Wake};
use engine::data::ReclaimNow;
use engine::engine::Parts;
use engine::host::NoHost;
use engine::settings::Settings;
use engine::{Engine, Executor, Session};
use resp::{ArgvBuffer, Reply};
use std::sync::Arc;

struct NoWake;

impl Wake for NoWake {
    fn wake(&self, _token: Token) {}
}

fn engine() -> Engine {
    Engine::new(Parts {
        rows: Vec::new(),
        settings: Settings::default(),
        clock: Arc::new(ManualClock::new(1_700_000_000_000)),
        wake: Arc::new(NoWake),
        reclaim: Box::new(ReclaimNow),
        shards: 8,
        threads: 1,
        seed: 1,
    })
}

fn check(calls: &[(&[&str], &str)]) {
    let engine = engine();
    let mut executor = Executor::new(&engine, &NoHost, 0);
    let mut session = Session::new(1, Token(1), Arc::new(()));
    for (arguments, expected) in calls {
        let mut argv = ArgvBuffer::new();
        arguments.iter().for_each(|argument| argv.push(argument.as_bytes()));
        let mut reply = Reply::new();
        assert!(executor.call(&mut session, argv.argv(), &mut reply), "it waits: {arguments:?}");
        let text = String::from_utf8_lossy(&reply.to_vec()).into_owned();
        assert_eq!(text, *expected, "{arguments:?}");
    }
}

#[test]
fn values_become_replies() {
    check(&[
        (&["EVAL", "return 1.9", "0"], ":1\r\n"),
        (&["EVAL", "return 'x'", "0"], "$1\r\nx\r\n"),
        (&["EVAL", "return nil", "0"], "$-1\r\n"),
        (&["EVAL", "return false", "0"], "$-1\r\n"),
        (&["EVAL", "return true", "0"], ":1\r\n"),
        (&["EVAL", "return {1,'a',{2},nil,3}", "0"], "*3\r\n:1\r\n$1\r\na\r\n*1\r\n:2\r\n"),
        (&["EVAL", "return {ok='fine'}", "0"], "+fine\r\n"),
        (&["EVAL", "return {KEYS[1],ARGV[1]}", "1", "k", "v"], "*2\r\n$1\r\nk\r\n$1\r\nv\r\n"),
        (&["EVAL", "return redis.error_reply('My Err')", "0"], "-My Err\r\n"),
        (
            &["EVAL", "return redis.sha1hex('')", "0"],
            "$40\r\nda39a3ee5e6b4b0d3255bfef95601890afd80709\r\n",
        ),
    ]);
}

#[test]
fn calls_reach_the_data() {
    let compare = "if redis.call('get',KEYS[1]) == ARGV[1] then \
                   return redis.call('delifeq',KEYS[1],ARGV[1]) else return 0 end";
    check(&[
        (&["EVAL", "return redis.call('set','k','v')", "0"], "+OK\r\n"),
        (&["GET", "k"], "$1\r\nv\r\n"),
        (&["EVAL", "return redis.call('get','none')", "0"], "$-1\r\n"),
        (&["EVAL", "return redis.call('get','none') == false", "0"], ":1\r\n"),
        (&["EVAL", compare, "1", "k", "v"], ":1\r\n"),
        (&["EVAL", compare, "1", "k", "v"], ":0\r\n"),
        (&["EVAL", "return redis.call('incrby','n',5)", "0"], ":5\r\n"),
        (
            &["EVAL", "return redis.pcall('incrby','n','x')['err']", "0"],
            "$43\r\nERR value is not an integer or out of range\r\n",
        ),
    ]);
}

#[test]
fn long_replies_are_whole() {
    let world = common::World::new();
    let mut client = world.client();
    client.call("HELLO 3");
    let script: &[u8] = b"local t = {} for i = 1, 20000 do t[i] = 'x' end return t";
    let resp::Frame::Array(items) = client.call_words(&[b"EVAL", script, b"0"]) else {
        panic!("a table is an array")
    };
    assert_eq!(items.len(), 20_000);
    let script: &[u8] = b"local t = {} for i = 1, 20000 do t[i] = 'x' end return {map = t}";
    let resp::Frame::Map(pairs) = client.call_words(&[b"EVAL", script, b"0"]) else {
        panic!("this table is a map")
    };
    assert_eq!(pairs.len(), 20_000);
}
