//! Scripts that do not end: who is told, how they are killed, and that the server can end all the same.

use crate::client::{Client, PING, PONG, node, request};
use server::start::Node;
use std::time::{Duration, Instant};

/// Touches a key that it is not given, so it runs alone.
const ENDLESS: &[u8] = b"redis.call('get', 'key') while true do end";

/// Each level holds the one below twice: a text that no time suffices to write.
const BOMB: &[u8] =
    b"redis.call('get', 'key') local t = {} for i = 1, 60 do t = {t, t} end return cjson.encode(t)";

fn run(node: &Node, script: &[u8]) -> Client {
    let mut client = Client::new(node);
    client.send(&request(&[b"EVAL", script, b"0"]));
    client
}

/// Waits until clients are told that a script is busy.
fn wait_until_busy(client: &mut Client) {
    let started = Instant::now();
    loop {
        client.send(PING);
        if client.read_line().starts_with(b"-BUSY ") {
            return;
        }
        assert!(started.elapsed() < Duration::from_secs(20), "nobody is told");
    }
}

fn killed(client: &mut Client) {
    let line = client.read_line();
    assert!(line.starts_with(b"-ERR Script killed by user with SCRIPT KILL"), "{line:?}");
}

#[test]
fn everybody_is_told_and_goes_on_when_it_is_killed() {
    let node = node("io-threads 2\nbusy-reply-threshold 200");
    let mut others: Vec<_> = (0..20).map(|_| Client::new(&node)).collect();
    others.iter_mut().for_each(Client::ping);
    let mut endless = run(&node, ENDLESS);
    wait_until_busy(&mut others[0]);
    for client in &mut others[1..] {
        client.send(&request(&[b"GET", b"key"]));
        assert!(client.read_line().starts_with(b"-BUSY "));
    }
    others[0].ask(&[b"SCRIPT", b"KILL"], b"+OK\r\n");
    killed(&mut endless);
    for client in others.iter_mut().chain([&mut endless]) {
        client.ping();
    }
}

#[test]
fn those_who_wait_are_told_when_it_becomes_busy() {
    let node = node("io-threads 1\nbusy-reply-threshold 300");
    let mut others: Vec<_> = (0..8).map(|_| Client::new(&node)).collect();
    others.iter_mut().for_each(Client::ping);
    let mut endless = run(&node, ENDLESS);
    // Until the endless one has begun they have their replies; in that round they wait.
    let mut are_told = false;
    while !are_told {
        for client in &mut others {
            client.send(&request(&[b"EVAL", b"return 1", b"0"]));
        }
        are_told = true;
        for client in &mut others {
            let line = client.read_line();
            assert!(line.starts_with(b"-BUSY ") || line == b":1\r\n", "{line:?}");
            are_told &= line != b":1\r\n";
        }
    }
    others[0].ask(&[b"SCRIPT", b"KILL"], b"+OK\r\n");
    killed(&mut endless);
}

#[test]
fn a_library_at_work_is_killed_too() {
    let node = node("busy-reply-threshold 20");
    let mut other = Client::new(&node);
    let mut bomb = run(&node, BOMB);
    wait_until_busy(&mut other);
    other.ask(&[b"SCRIPT", b"KILL"], b"+OK\r\n");
    killed(&mut bomb);
    bomb.send(PING);
    bomb.expect(PONG);
}

#[test]
fn the_server_ends_though_a_script_does_not() {
    let node = node("busy-reply-threshold 20");
    let mut other = Client::new(&node);
    let written = [b"redis.call('set', 'key', 1) ", ENDLESS].concat();
    let _endless = run(&node, &written);
    wait_until_busy(&mut other);
    other.send(&request(&[b"SCRIPT", b"KILL"]));
    assert!(other.read_line().starts_with(b"-UNKILLABLE "));
    other.send(&request(&[b"SHUTDOWN", b"NOSAVE"]));
    assert!(other.read_to_end().is_empty());
    node.stop();
}
