//! Messages over real sockets: many who listen, several who publish, and one who does not read.

use crate::client::{Client, bulk, node, request, wait_until};
use std::sync::atomic::Ordering;
use std::thread;

const SUBSCRIBERS: usize = 200;
const PUBLISHERS: usize = 4;
const MESSAGES: usize = 200;

/// A message as a subscriber in RESP2 reads it.
fn message(channel: &[u8], text: &[u8]) -> Vec<u8> {
    [&b"*3\r\n$7\r\nmessage\r\n"[..], &bulk(channel), &bulk(text)].concat()
}

fn subscribe(client: &mut Client, channel: &[u8]) {
    client.send(&request(&[b"SUBSCRIBE", channel]));
    client.expect(&[&b"*3\r\n$9\r\nsubscribe\r\n"[..], &bulk(channel), b":1\r\n"].concat());
}

/// Everything that a subscriber is sent, of so many bytes.
fn read(client: &mut Client, len: usize) -> Vec<u8> {
    use std::io::Read;
    let mut bytes = vec![0; len];
    client.stream.read_exact(&mut bytes).unwrap();
    bytes
}

#[test]
fn all_subscribers_see_one_order() {
    let node = node("io-threads 2");
    let mut subscribers: Vec<_> = (0..SUBSCRIBERS).map(|_| Client::new(&node)).collect();
    subscribers.iter_mut().for_each(|client| subscribe(client, b"news"));
    let publishers: Vec<_> = (0..PUBLISHERS)
        .map(|publisher| {
            let mut client = Client::new(&node);
            thread::spawn(move || {
                for number in 0..MESSAGES {
                    let text = format!("{publisher} {number:05}");
                    let receivers = format!(":{SUBSCRIBERS}\r\n");
                    client.ask(&[b"PUBLISH", b"news", text.as_bytes()], receivers.as_bytes());
                }
            })
        })
        .collect();
    let len = message(b"news", b"0 00000").len() * PUBLISHERS * MESSAGES;
    let first = read(&mut subscribers[0], len);
    for other in &mut subscribers[1..] {
        assert!(read(other, len) == first, "subscribers disagree about the order");
    }
    publishers.into_iter().for_each(|publisher| publisher.join().unwrap());
    for publisher in 0..PUBLISHERS {
        let mut rest = &first[..];
        for number in 0..MESSAGES {
            let own = message(b"news", format!("{publisher} {number:05}").as_bytes());
            let place = rest.windows(own.len()).position(|part| part == own);
            rest = &rest[place.expect("each publisher's messages come in its order") + own.len()..];
        }
    }
    drop(subscribers);
    let pubsub = &node.server().engine.pubsub;
    wait_until("their subscriptions are gone", || pubsub.clients() == 0);
    assert!(!pubsub.has_listeners());
}

#[test]
fn who_does_not_read_is_cut_off_and_the_others_go_on() {
    let node = node("io-threads 2\nclient-output-buffer-limit pubsub 1mb 0 0");
    let (mut slow, mut quick) = (Client::new(&node), Client::new(&node));
    subscribe(&mut slow, b"news");
    subscribe(&mut quick, b"news");
    let mut publisher = Client::new(&node);
    let text = vec![b'x'; 100_000];
    let cut_off = &node.server().statistics.output_limit_disconnections;
    let expected = message(b"news", &text);
    for _ in 0..1000 {
        publisher.send(&request(&[b"PUBLISH", b"news", &text]));
        assert_eq!(publisher.read_line()[..1], *b":");
        quick.expect(&expected);
        if cut_off.load(Ordering::Relaxed) != 0 {
            break;
        }
    }
    wait_until("it is cut off", || cut_off.load(Ordering::Relaxed) == 1);
    slow.read_to_end();
    publisher.send(&request(&[b"PUBLISH", b"news", b"last"]));
    publisher.expect(b":1\r\n");
    quick.expect(&message(b"news", b"last"));
}

#[test]
fn the_soft_limit_of_subscribers_has_its_time() {
    let node = node("io-threads 1\nclient-output-buffer-limit pubsub 0 100kb 1");
    let mut slow = Client::new(&node);
    subscribe(&mut slow, b"news");
    let mut publisher = Client::new(&node);
    let text = vec![b'x'; 1 << 20];
    for _ in 0..20 {
        publisher.ask(&[b"PUBLISH", b"news", &text], b":1\r\n");
    }
    let cut_off = &node.server().statistics.output_limit_disconnections;
    assert_eq!(cut_off.load(Ordering::Relaxed), 0);
    wait_until("it is cut off", || cut_off.load(Ordering::Relaxed) == 1);
    slow.read_to_end();
}

#[test]
fn a_message_passes_a_slow_call_of_the_same_loop() {
    let node = node("io-threads 1");
    let mut subscriber = Client::new(&node);
    subscribe(&mut subscriber, b"news");
    let (mut slow, mut publisher) = (Client::new(&node), Client::new(&node));
    publisher.ping();
    let started = std::time::Instant::now();
    slow.send(&request(&[b"HOLD", b"key", b"1000"]));
    let takeovers = &node.server().statistics.takeovers;
    wait_until("the loop is taken over", || takeovers.load(Ordering::Relaxed) == 1);
    publisher.ask(&[b"PUBLISH", b"news", b"x"], b":1\r\n");
    subscriber.expect(&message(b"news", b"x"));
    assert!(started.elapsed().as_millis() < 1000, "it has waited for the slow call");
    slow.expect(b"+OK\r\n");
}

/// In RESP3 a client that waits for a shard is pushed to all the same, and messages do not come into
/// the middle of replies.
#[test]
fn who_waits_for_a_shard_is_pushed_to() {
    let node = node("io-threads 1");
    let mut subscriber = Client::new(&node);
    subscriber.send(&request(&[b"HELLO", b"3"]));
    while subscriber.read_line() != b"*0\r\n" {}
    subscriber.send(&request(&[b"SUBSCRIBE", b"news"]));
    subscriber.expect(b">3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n");
    let (mut slow, mut publisher) = (Client::new(&node), Client::new(&node));
    publisher.ping();
    slow.send(&request(&[b"HOLD", b"key", b"500"]));
    let takeovers = &node.server().statistics.takeovers;
    wait_until("the loop is taken over", || takeovers.load(Ordering::Relaxed) == 1);
    subscriber.send(&request(&[b"SET", b"key", b"value"]));
    publisher.ask(&[b"PUBLISH", b"news", b"x"], b":1\r\n");
    subscriber.expect(b">3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$1\r\nx\r\n");
    slow.expect(b"+OK\r\n");
    subscriber.expect(b"+OK\r\n");
}
