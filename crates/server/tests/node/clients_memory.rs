//! `maxmemory-clients`: the largest clients go when all together take too much.

use crate::client::{Client, node, request, wait_until};
use server::start::Node;
use std::io::Write;
use std::sync::atomic::Ordering::Relaxed;

fn evicted(node: &Node) -> u64 {
    node.server().statistics.evicted_clients.load(Relaxed)
}

/// A client that holds so many bytes in an unfinished request.
fn holding(node: &Node, bytes: usize) -> Client {
    let mut client = Client::new(node);
    let id = ask_id(&mut client);
    let head = format!("*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n${}\r\n", bytes + 100);
    send_in_vain(&mut client, &[head.as_bytes(), &vec![b'x'; bytes]].concat());
    wait_until("the request has come", || {
        let record = node.server().registry.find(id);
        record.is_none_or(|record| bytes as u64 <= record.counts.input_bytes.load(Relaxed))
    });
    client
}

/// Sends what may be too much: the server may close before all is sent.
fn send_in_vain(client: &mut Client, bytes: &[u8]) {
    let _ = client.stream.write_all(bytes);
}

fn ask_id(client: &mut Client) -> u64 {
    client.send(&request(&[b"CLIENT", b"ID"]));
    let line = client.read_line();
    std::str::from_utf8(&line[1..]).unwrap().trim_end().parse().unwrap()
}

/// The rest of what `holding` began: the client is still there.
fn finish(client: &mut Client) {
    client.send(&[&[b'x'; 100][..], b"\r\n"].concat());
    client.expect(b"+OK\r\n");
}

#[test]
fn the_largest_client_goes_first() {
    let node = node("maxmemory-clients 2mb");
    let mut small = holding(&node, 300_000);
    let mut large = holding(&node, 900_000);
    let mut middle = holding(&node, 500_000);
    assert_eq!(evicted(&node), 0);
    let mut last = holding(&node, 600_000);
    assert_eq!(large.read_to_end(), b"");
    assert_eq!(evicted(&node), 1);
    for client in [&mut small, &mut middle, &mut last] {
        finish(client);
    }
    wait_until("what they held is given back", || node.server().registry.memory_bytes() < 100_000);
}

#[test]
fn who_is_not_to_be_evicted_is_counted_and_spared() {
    let node = node("maxmemory-clients 2mb");
    let mut spared = Client::new(&node);
    spared.ask(&[b"CLIENT", b"NO-EVICT", b"ON"], b"+OK\r\n");
    spared.send(b"*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$1500100\r\n");
    spared.send(&vec![b'x'; 1_500_000]);
    wait_until("the request has come", || 1_500_000 < node.server().registry.memory_bytes());
    let mut other = holding(&node, 700_000);
    assert_eq!(other.read_to_end(), b"");
    assert_eq!(evicted(&node), 1);
    finish(&mut spared);
}

#[test]
fn a_share_is_one_of_maxmemory_and_takes_effect_at_once() {
    let node = node("maxmemory-clients 10%");
    let mut first = holding(&node, 900_000);
    let mut second = holding(&node, 800_000);
    let mut admin = Client::new(&node);
    // A share of what is not limited is not limited.
    admin.ping();
    assert_eq!(evicted(&node), 0);
    admin.ask(&[b"CONFIG", b"SET", b"maxmemory", b"15mb"], b"+OK\r\n");
    assert_eq!(first.read_to_end(), b"");
    assert_eq!(evicted(&node), 1);
    finish(&mut second);
    admin.ask(&[b"CONFIG", b"SET", b"maxmemory-clients", b"1"], b"+OK\r\n");
    admin.ping();
}

#[test]
fn queued_calls_and_unread_replies_count() {
    let node = node("maxmemory-clients 3mb");
    let mut queueing = Client::new(&node);
    queueing.ask(&[b"MULTI"], b"+OK\r\n");
    let value = vec![b'v'; 100_000];
    for _ in 0..40 {
        send_in_vain(&mut queueing, &request(&[b"SET", b"key", &value]));
    }
    assert!(!queueing.read_to_end().is_empty());
    assert_eq!(evicted(&node), 1);
    let mut writer = Client::new(&node);
    writer.ask(&[b"SET", b"key", &value], b"+OK\r\n");
    let mut lazy = Client::new(&node);
    for _ in 0..1000 {
        send_in_vain(&mut lazy, &request(&[b"GETRANGE", b"key", b"0", b"-1"]));
    }
    wait_until("who does not read is ended", || evicted(&node) == 2);
    writer.ping();
}
