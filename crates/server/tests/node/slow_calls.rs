//! A slow call holds up only its own connection and those who want the same key.

use crate::client::{Client, PING, PONG, node, request, wait_until};
use server::start::Node;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// How long the slow call takes; everything else must be done long before.
const SLOW: Duration = Duration::from_secs(1);

fn hold(client: &mut Client, key: &[u8]) {
    client.send(&request(&[b"HOLD", key, SLOW.as_millis().to_string().as_bytes()]));
}

/// A key in another shard than those of `keys`.
fn free_key(node: &Node, keys: &[Vec<u8>]) -> Vec<u8> {
    let keyspace = &node.server().engine.keyspace;
    let shard = |key: &[u8]| keyspace.shard_index(keyspace.hash(key));
    let mut free = (0..).map(|number| format!("free:{number}").into_bytes());
    free.find(|free| keys.iter().all(|key| shard(free) != shard(key))).unwrap()
}

#[test]
fn others_of_the_same_loop_go_on() {
    let node = node("io-threads 1");
    let free = free_key(&node, &[b"held".to_vec()]);
    let mut others: Vec<_> = (0..8).map(|_| Client::new(&node)).collect();
    let mut slow = Client::new(&node);
    others.iter_mut().for_each(|client| client.ping());
    let started = Instant::now();
    hold(&mut slow, b"held");
    let takeovers = &node.server().statistics.takeovers;
    wait_until("the loop is taken over", || takeovers.load(Ordering::Relaxed) == 1);
    for round in 0..100 {
        let value = round.to_string();
        for client in &mut others {
            client.ask(&[b"SET", &free, value.as_bytes()], b"+OK\r\n");
        }
    }
    assert!(started.elapsed() < SLOW, "they have waited for the slow call");
    slow.expect(b"+OK\r\n");
    assert!(SLOW <= started.elapsed());
    slow.ping();
}

#[test]
fn who_wants_the_same_key_waits_and_nobody_else() {
    let node = node("io-threads 2");
    let mut slow = Client::new(&node);
    let mut waiting: Vec<_> = (0..4).map(|_| Client::new(&node)).collect();
    let mut other = Client::new(&node);
    let free = free_key(&node, &[b"held".to_vec()]);
    let started = Instant::now();
    hold(&mut slow, b"held");
    let takeovers = &node.server().statistics.takeovers;
    wait_until("the loop is taken over", || takeovers.load(Ordering::Relaxed) == 1);
    for client in &mut waiting {
        client.send(&request(&[b"SET", b"held", b"1"]));
        client.send(PING);
    }
    for _ in 0..100 {
        other.ask(&[b"GET", &free], b"$-1\r\n");
    }
    assert!(started.elapsed() < SLOW, "the other has waited for the slow call");
    slow.expect(b"+OK\r\n");
    for client in &mut waiting {
        client.expect(b"+OK\r\n");
        client.expect(PONG);
    }
    assert!(SLOW <= started.elapsed());
}

#[test]
fn several_slow_calls_at_once() {
    let node = node("io-threads 1");
    let started = Instant::now();
    let mut slow: Vec<_> = (0..6).map(|_| Client::new(&node)).collect();
    let mut keys = Vec::new();
    for client in &mut slow {
        let key = free_key(&node, &keys);
        hold(client, &key);
        keys.push(key);
    }
    slow.iter_mut().for_each(|client| client.expect(b"+OK\r\n"));
    assert!(started.elapsed() < 3 * SLOW, "they have run one after the other");
}

#[test]
fn who_leaves_while_it_waits_is_forgotten() {
    let node = node("io-threads 1");
    let mut slow = Client::new(&node);
    hold(&mut slow, b"held");
    let takeovers = &node.server().statistics.takeovers;
    wait_until("the loop is taken over", || takeovers.load(Ordering::Relaxed) == 1);
    for _ in 0..10 {
        Client::new(&node).send(&request(&[b"GET", b"held"]));
    }
    drop(slow);
    wait_until("all are forgotten", || node.server().registry.count() == 0);
    Client::new(&node).ask(&[b"SET", b"held", b"1"], b"+OK\r\n");
}
