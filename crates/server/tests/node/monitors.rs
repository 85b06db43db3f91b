//! MONITOR over real sockets: lines from all loops, Unix sockets, and a monitor that does not read.

use crate::client::{Client, node, request, wait_until};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::atomic::Ordering;
use std::thread;

const CLIENTS: usize = 4;
const CALLS: usize = 200;

fn monitor(client: &mut Client) {
    client.ask(&[b"MONITOR"], b"+OK\r\n");
}

#[test]
fn calls_of_all_loops_are_seen_those_of_each_client_in_order() {
    let node = node("io-threads 2");
    let mut watcher = Client::new(&node);
    monitor(&mut watcher);
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let mut client = Client::new(&node);
            thread::spawn(move || {
                for call in 0..CALLS {
                    let text = format!("{number}-{call}");
                    client.ask(&[b"SET", b"key", text.as_bytes()], b"+OK\r\n");
                }
            })
        })
        .collect();
    let mut next = [0; CLIENTS];
    let mut last = String::new();
    for _ in 0..CLIENTS * CALLS {
        let line = String::from_utf8(watcher.read_line()).unwrap();
        let value = line.trim_end().rsplit('"').nth(1).unwrap().to_owned();
        let (number, call) = value.split_once('-').unwrap();
        let number: usize = number.parse().unwrap();
        assert_eq!(call.parse::<usize>().unwrap(), next[number], "{line}");
        next[number] += 1;
        last = value;
    }
    clients.into_iter().for_each(|client| client.join().unwrap());
    // All wrote to one key: lines are in the order of the changes.
    let mut reader = Client::new(&node);
    reader.ask(&[b"GET", b"key"], format!("${}\r\n{last}\r\n", last.len()).as_bytes());
    drop(watcher);
    let monitors = &node.server().engine.monitors;
    wait_until("nobody watches any more", || !monitors.is_watched());
}

#[test]
fn a_client_of_a_unix_socket_is_shown_by_the_sockets_path() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("o.sock");
    let node = node(&format!("unixsocket {}", path.display()));
    let mut watcher = Client::new(&node);
    monitor(&mut watcher);
    let mut stream = UnixStream::connect(&path).unwrap();
    stream.write_all(b"PING\r\n").unwrap();
    let mut pong = [0; 7];
    stream.read_exact(&mut pong).unwrap();
    let line = String::from_utf8(watcher.read_line()).unwrap();
    let expected = format!(" [0 unix:{}] \"PING\"\r\n", path.display());
    assert!(line.ends_with(&expected), "{line}");
}

#[test]
fn a_monitor_that_does_not_read_is_cut_off() {
    let node = node("io-threads 2\nclient-output-buffer-limit normal 1mb 0 0");
    let mut slow = Client::new(&node);
    monitor(&mut slow);
    let mut client = Client::new(&node);
    let text = vec![b'x'; 100_000];
    let cut_off = &node.server().statistics.output_limit_disconnections;
    let mut calls = 0;
    while cut_off.load(Ordering::Relaxed) == 0 {
        client.ask(&[b"SET", b"key", &text], b"+OK\r\n");
        calls += 1;
        assert!(calls < 1000, "it has not been cut off");
    }
    slow.read_to_end();
    let monitors = &node.server().engine.monitors;
    wait_until("nobody watches any more", || !monitors.is_watched());
    client.ping();
}

#[test]
fn a_monitor_may_be_idle() {
    let node = node("timeout 1");
    let (mut watcher, mut idle) = (Client::new(&node), Client::new(&node));
    monitor(&mut watcher);
    // Both have said nothing for as long when the other is closed.
    idle.ping();
    watcher.read_line();
    idle.read_to_end();
    let mut client = Client::new(&node);
    client.send(&request(&[b"ECHO", b"end"]));
    client.expect(b"$3\r\nend\r\n");
    let line = String::from_utf8(watcher.read_line()).unwrap();
    assert!(line.ends_with(" \"ECHO\" \"end\"\r\n"), "{line}");
}
