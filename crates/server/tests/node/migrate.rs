//! Keys that move from server to server.

use crate::client::{Client, PING, PONG, node, request};
use server::start::Node;
use std::net::TcpListener;
use std::time::{Duration, Instant};

fn migrate(client: &mut Client, port: u16, rest: &[&[u8]], expected: &[u8]) {
    send(client, port, rest);
    client.expect(expected);
}

fn send(client: &mut Client, port: u16, rest: &[&[u8]]) {
    let port = port.to_string();
    let head: [&[u8]; 3] = [b"MIGRATE", b"127.0.0.1", port.as_bytes()];
    let words = [&head[..], rest].concat();
    client.send(&request(&words));
}

fn pair() -> (Node, Node, Client, Client) {
    let (from, to) = (node(""), node(""));
    let (here, there) = (Client::new(&from), Client::new(&to));
    (from, to, here, there)
}

#[test]
fn keys_move_with_their_times() {
    let (_from, to, mut here, mut there) = pair();
    here.ask(&[b"SET", b"a", b"1"], b"+OK\r\n");
    here.ask(&[b"RPUSH", b"b", b"x", b"y"], b":2\r\n");
    here.ask(&[b"PEXPIREAT", b"b", b"4000000000000"], b":1\r\n");
    migrate(&mut here, to.port(), &[b"a", b"0", b"1000"], b"+OK\r\n");
    migrate(&mut here, to.port(), &[b"", b"3", b"1000", b"KEYS", b"no", b"b"], b"+OK\r\n");
    migrate(&mut here, to.port(), &[b"a", b"0", b"1000"], b"+NOKEY\r\n");
    here.ask(&[b"DBSIZE"], b":0\r\n");
    there.ask(&[b"GET", b"a"], b"$1\r\n1\r\n");
    there.ask(&[b"SELECT", b"3"], b"+OK\r\n");
    there.ask(&[b"LRANGE", b"b", b"0", b"-1"], b"*2\r\n$1\r\nx\r\n$1\r\ny\r\n");
    there.ask(&[b"EXPIRETIME", b"b"], b":4000000000\r\n");
}

#[test]
fn copy_and_replace_do_what_they_say() {
    let (_from, to, mut here, mut there) = pair();
    here.ask(&[b"SET", b"a", b"new"], b"+OK\r\n");
    here.ask(&[b"SET", b"b", b"new"], b"+OK\r\n");
    there.ask(&[b"SET", b"a", b"old"], b"+OK\r\n");
    let busy =
        b"-ERR Target instance replied with error: BUSYKEY Target key name already exists.\r\n";
    // The other key has arrived all the same.
    migrate(&mut here, to.port(), &[b"", b"0", b"1000", b"KEYS", b"a", b"b"], busy);
    here.ask(&[b"EXISTS", b"a", b"b"], b":1\r\n");
    migrate(&mut here, to.port(), &[b"a", b"0", b"1000", b"COPY", b"REPLACE"], b"+OK\r\n");
    here.ask(&[b"GET", b"a"], b"$3\r\nnew\r\n");
    there.ask(&[b"MGET", b"a", b"b"], b"*2\r\n$3\r\nnew\r\n$3\r\nnew\r\n");
}

#[test]
fn a_password_is_asked_for_and_given() {
    let (from, to) = (node(""), node("requirepass secret"));
    let mut here = Client::new(&from);
    here.ask(&[b"SET", b"a", b"1"], b"+OK\r\n");
    let noauth = b"-ERR Target instance replied with error: NOAUTH Authentication required.\r\n";
    migrate(&mut here, to.port(), &[b"a", b"0", b"1000"], noauth);
    let auth: [&[u8]; 6] = [b"a", b"0", b"1000", b"COPY", b"AUTH", b"secret"];
    migrate(&mut here, to.port(), &auth, b"+OK\r\n");
    let auth: [&[u8]; 7] = [b"a", b"0", b"1000", b"REPLACE", b"AUTH2", b"default", b"secret"];
    migrate(&mut here, to.port(), &auth, b"+OK\r\n");
    here.ask(&[b"EXISTS", b"a"], b":0\r\n");
}

#[test]
fn nothing_goes_to_a_database_that_is_not_there() {
    let (_from, to, mut here, mut there) = pair();
    here.ask(&[b"SET", b"a", b"1"], b"+OK\r\n");
    let refused = b"-ERR Target instance replied with error: ERR DB index is out of range\r\n";
    migrate(&mut here, to.port(), &[b"a", b"99", b"1000"], refused);
    here.ask(&[b"EXISTS", b"a"], b":1\r\n");
    there.ask(&[b"DBSIZE"], b":0\r\n");
}

#[test]
fn others_go_on_while_the_target_is_silent() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let from = node("io-threads 1");
    let (mut here, mut other) = (Client::new(&from), Client::new(&from));
    here.ask(&[b"SET", b"a", b"1"], b"+OK\r\n");
    let started = Instant::now();
    send(&mut here, port, &[b"a", b"0", b"1500"]);
    for _ in 0..50 {
        other.send(PING);
        other.expect(PONG);
        // Its key too, and what needs everything.
        other.ask(&[b"APPEND", b"b", b"x"], b":1\r\n");
        other.ask(&[b"GET", b"a"], b"$1\r\n1\r\n");
        other.ask(&[b"SWAPDB", b"5", b"6"], b"+OK\r\n");
        other.ask(&[b"DEL", b"b"], b":1\r\n");
    }
    assert!(started.elapsed() < Duration::from_secs(1), "they have waited for the target");
    here.expect(b"-IOERR error or timeout reading to target instance\r\n");
    here.ask(&[b"GET", b"a"], b"$1\r\n1\r\n");
    drop(silent);
    migrate(
        &mut here,
        port,
        &[b"a", b"0", b"1000"],
        b"-IOERR error or timeout writing to target instance\r\n",
    );
}

/// The number at a key; zero if it is not there.
fn number(client: &mut Client, key: &[u8]) -> i32 {
    client.send(&request(&[b"GET", key]));
    if client.read_line() == b"$-1\r\n" {
        return 0;
    }
    let line = String::from_utf8(client.read_line()).unwrap();
    line.trim().parse().unwrap()
}

#[test]
fn what_is_written_meanwhile_arrives_too() {
    let (from, to, mut here, mut there) = pair();
    let mut writer = Client::new(&from);
    for round in 0..30 {
        writer.ask(&[b"SET", b"n", b"0"], b"+OK\r\n");
        send(&mut here, to.port(), &[b"n", b"0", b"1000", b"REPLACE"]);
        let written = 1 + round % 5;
        for _ in 0..written {
            writer.send(&request(&[b"INCR", b"n"]));
        }
        here.expect(b"+OK\r\n");
        for _ in 0..written {
            writer.read_line();
        }
        let (moved, left) = (number(&mut there, b"n"), number(&mut writer, b"n"));
        assert_eq!(moved + left, written, "{moved} have moved and {left} are left");
        there.ask(&[b"DEL", b"n"], b":1\r\n");
        writer.send(&request(&[b"DEL", b"n"]));
        writer.read_line();
    }
}

#[test]
fn a_transaction_moves_its_keys_at_once() {
    let (_from, to, mut here, mut there) = pair();
    here.ask(&[b"SET", b"a", b"1"], b"+OK\r\n");
    here.ask(&[b"MULTI"], b"+OK\r\n");
    migrate(&mut here, to.port(), &[b"a", b"0", b"1000"], b"+QUEUED\r\n");
    here.ask(&[b"EXISTS", b"a"], b"+QUEUED\r\n");
    here.ask(&[b"EXEC"], b"*2\r\n+OK\r\n:0\r\n");
    there.ask(&[b"GET", b"a"], b"$1\r\n1\r\n");
}
