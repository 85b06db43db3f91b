//! Connections as clients make them: in pieces, in bulk, too many, too slow, gone.

use crate::client::{Client, PING, PONG, bulk, node, request, wait_until};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::atomic::Ordering;

#[test]
fn answers_and_closes() {
    let node = node("");
    let mut client = Client::new(&node);
    client.ask(&[b"SET", b"key", b"value"], b"+OK\r\n");
    client.ask(&[b"GET", b"key"], b"$5\r\nvalue\r\n");
    client.send(b"GET key\r\n");
    client.expect(b"$5\r\nvalue\r\n");
    client.ask(&[b"QUIT"], b"+OK\r\n");
    assert_eq!(client.read_to_end(), b"");
}

#[test]
fn every_byte_alone() {
    let node = node("");
    let mut client = Client::new(&node);
    let mut bytes = request(&[b"SET", b"key", b"a value with \r\n in it"]);
    bytes.extend_from_slice(b"\r\nGET key\r\n");
    bytes.extend_from_slice(&request(&[b"GET", b"key"]));
    for byte in &bytes {
        client.send(&[*byte]);
    }
    client.expect(b"+OK\r\n");
    client.expect(&bulk(b"a value with \r\n in it"));
    client.expect(&bulk(b"a value with \r\n in it"));
}

#[test]
fn a_long_pipeline_in_one_go() {
    let node = node("");
    let mut client = Client::new(&node);
    let mut requests = Vec::new();
    let mut expected = Vec::new();
    for number in 0..10_000 {
        let (key, value) = (format!("key:{number}"), format!("value:{number}"));
        requests.extend_from_slice(&request(&[b"SET", key.as_bytes(), value.as_bytes()]));
        requests.extend_from_slice(&request(&[b"GET", key.as_bytes()]));
        expected.extend_from_slice(b"+OK\r\n");
        expected.extend_from_slice(&bulk(value.as_bytes()));
    }
    let mut writer = client.stream.try_clone().unwrap();
    let sender = std::thread::spawn(move || writer.write_all(&requests).unwrap());
    client.expect(&expected);
    sender.join().unwrap();
}

#[test]
fn large_values_go_both_ways() {
    let node = node("");
    let mut client = Client::new(&node);
    let value: Vec<u8> =
        (0..20_000_000_u32).map(|number| (number >> 3).wrapping_mul(7) as u8).collect();
    client.ask(&[b"SET", b"key", &value], b"+OK\r\n");
    // Written while nobody reads: most of it waits in the outbox.
    client.send(&request(&[b"GET", b"key"]));
    client.send(&request(&[b"GET", b"key"]));
    client.send(PING);
    let record = node.server().registry.all().pop().unwrap();
    wait_until("replies wait", || 20_000_000 < record.counts.outbox_bytes.load(Ordering::Relaxed));
    client.expect(&bulk(&value));
    client.expect(&bulk(&value));
    client.expect(PONG);
    client.ask(&[b"GET", b"key"], &bulk(&value));
    wait_until("nothing waits", || record.counts.outbox_bytes.load(Ordering::Relaxed) == 0);
}

#[test]
fn garbage_is_answered_and_closed() {
    let node = node("");
    for (garbage, reply) in [
        (&b"*1\r\n%3\r\nabc\r\n"[..], &b"-ERR Protocol error: expected '$', got '%'\r\n"[..]),
        (b"*x\r\n", b"-ERR Protocol error: invalid multibulk length\r\n"),
        (b"*1\r\n$-5\r\n", b"-ERR Protocol error: invalid bulk length\r\n"),
    ] {
        let mut client = Client::new(&node);
        client.send(PING);
        client.send(garbage);
        client.expect(PONG);
        assert_eq!(client.read_to_end(), reply, "{}", garbage.escape_ascii());
    }
}

#[test]
fn half_a_request_and_gone() {
    let node = node("");
    for _ in 0..50 {
        let mut client = Client::new(&node);
        client.send(b"*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$100000\r\nabc");
    }
    wait_until("they are forgotten", || node.server().registry.count() == 0);
    Client::new(&node).ask(&[b"GET", b"key"], b"$-1\r\n");
}

#[test]
fn the_end_of_input_comes_after_its_requests() {
    let node = node("");
    let mut client = Client::new(&node);
    client.send(&[PING, PING].concat());
    client.stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(client.read_to_end(), [PONG, PONG].concat());
}

#[test]
fn two_hundred_at_once() {
    let node = node("");
    let port = node.port();
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            std::thread::spawn(move || {
                let mut clients: Vec<_> = (0..50).map(|_| Client::to_port(port)).collect();
                for round in 0..20 {
                    for (number, client) in clients.iter_mut().enumerate() {
                        let key = format!("{thread}:{number}");
                        let value = format!("{round}");
                        client.send(&request(&[b"SET", key.as_bytes(), value.as_bytes()]));
                        client.send(&request(&[b"GET", key.as_bytes()]));
                    }
                    for client in &mut clients {
                        client.expect(b"+OK\r\n");
                        client.expect(&bulk(format!("{round}").as_bytes()));
                    }
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    wait_until("all are gone", || node.server().registry.count() == 0);
    assert!(node.server().registry.all().is_empty());
}

#[test]
fn one_too_many_is_refused() {
    let node = node("maxclients 3");
    let mut clients: Vec<_> = (0..3).map(|_| Client::new(&node)).collect();
    clients.iter_mut().for_each(|client| client.ping());
    let refused = Client::new(&node).read_to_end();
    assert_eq!(refused, b"-ERR max number of clients reached\r\n");
    drop(clients.pop());
    wait_until("one is gone", || node.server().registry.count() == 2);
    Client::new(&node).ping();
}

#[test]
fn unix_sockets_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    std::fs::write(&path, "left behind").unwrap();
    let text = format!("unixsocket {}\nunixsocketperm 700\nport 0", path.display());
    let node = node(&text);
    let mut stream = UnixStream::connect(&path).unwrap();
    stream.write_all(PING).unwrap();
    let mut reply = [0; PONG.len()];
    stream.read_exact(&mut reply).unwrap();
    assert_eq!(reply, PONG);
    node.stop();
    assert!(!path.exists());
}

#[test]
fn who_asks_nothing_is_closed() {
    let node = node("timeout 1");
    let mut client = Client::new(&node);
    client.ping();
    assert_eq!(client.read_to_end(), b"");
}

#[test]
fn who_does_not_read_is_cut_off() {
    let node = node("client-output-buffer-limit normal 1mb 0 0");
    let mut client = Client::new(&node);
    client.ask(&[b"SET", b"key", &vec![b'x'; 100_000]], b"+OK\r\n");
    for _ in 0..400 {
        if client.stream.write_all(&request(&[b"GET", b"key"])).is_err() {
            break;
        }
    }
    wait_until("it is closed", || node.server().registry.count() == 0);
    let closed = &node.server().statistics.output_limit_disconnections;
    assert_eq!(closed.load(Ordering::Relaxed), 1);
}

#[test]
fn who_reads_too_slowly_for_too_long_is_cut_off() {
    let node = node("client-output-buffer-limit normal 0 1mb 1");
    let mut client = Client::new(&node);
    client.ask(&[b"SET", b"key", &vec![b'x'; 10_000_000]], b"+OK\r\n");
    client.send(&request(&[b"GET", b"key"]));
    wait_until("it is closed", || node.server().registry.count() == 0);
}

#[test]
fn an_endless_request_is_cut_off() {
    let node = node("client-query-buffer-limit 1mb");
    let mut client = Client::new(&node);
    client.send(b"*2\r\n$3\r\nGET\r\n$20000000\r\n");
    let piece = vec![b'x'; 100_000];
    while client.stream.write_all(&piece).is_ok() {}
    wait_until("it is closed", || node.server().registry.count() == 0);
}

#[test]
fn a_killed_client_is_closed() {
    let node = node("");
    let mut client = Client::new(&node);
    client.ping();
    let record = node.server().registry.all().pop().unwrap();
    node.server().registry.kill(&record);
    // Others see it gone at once, its loop a little later.
    assert!(node.server().registry.all().is_empty());
    assert_eq!(client.read_to_end(), b"");
    wait_until("its loop has let it go", || node.server().registry.find(record.id).is_none());
}

#[test]
fn a_stopped_node_leaves_nothing_behind() {
    let node = node("");
    let port = node.port();
    let mut client = Client::new(&node);
    client.ping();
    node.stop();
    assert_eq!(client.read_to_end(), b"");
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
}
