//! What a node does beside calls: entries expire, pauses end, CONFIG SET reaches the sockets.

use crate::client::{Client, node, request, wait_until};
use server::start::Node;
use std::net::TcpListener;

fn expired(node: &Node) -> u64 {
    node.server().engine.threads().iter().map(|thread| thread.keys_expired.value()).sum()
}

#[test]
fn entries_go_without_being_asked_for() {
    let node = node("");
    let mut client = Client::new(&node);
    let mut requests = Vec::new();
    for number in 0..5000 {
        let key = format!("key:{number}");
        requests.extend(request(&[b"SET", key.as_bytes(), b"value", b"PX", b"100"]));
    }
    client.send(&requests);
    client.expect(&b"+OK\r\n".repeat(5000));
    wait_until("all have expired", || expired(&node) == 5000);
    client.ask(&[b"DBSIZE"], b":0\r\n");
}

#[test]
fn nothing_goes_while_that_is_switched_off() {
    let node = node("enable-debug-command yes");
    let mut client = Client::new(&node);
    client.ask(&[b"DEBUG", b"SET-ACTIVE-EXPIRE", b"0"], b"+OK\r\n");
    client.ask(&[b"SET", b"key", b"value", b"PX", b"1"], b"+OK\r\n");
    client.ask(&[b"SET", b"other", b"value", b"PX", b"100"], b"+OK\r\n");
    client.ask(&[b"DEBUG", b"SLEEP", b"0.3"], b"+OK\r\n");
    client.ask(&[b"DBSIZE"], b":2\r\n");
    client.ask(&[b"DEBUG", b"SET-ACTIVE-EXPIRE", b"1"], b"+OK\r\n");
    wait_until("both have expired", || expired(&node) == 2);
}

#[test]
fn rounds_of_loops_are_counted_without_their_sleep() {
    let node = node("io-threads 1");
    let started = std::time::Instant::now();
    let mut client = Client::new(&node);
    let sums = || node.server().statistics.sums();
    (0..10).for_each(|_| client.ping());
    let asleep = std::time::Duration::from_millis(200);
    let since = std::time::Instant::now();
    wait_until("a while has passed", || asleep <= since.elapsed());
    client.ping();
    wait_until("the last round ends", || 11 <= sums().cycles);
    let busy_ns = u128::from(sums().cycles_ns);
    assert!(0 < busy_ns && busy_ns < (started.elapsed() - asleep).as_nanos(), "{busy_ns}");
}

#[test]
fn a_pause_ends() {
    let node = node("");
    let mut client = Client::new(&node);
    client.ask(&[b"CLIENT", b"PAUSE", b"100", b"ALL"], b"+OK\r\n");
    let mut other = Client::new(&node);
    other.ask(&[b"SET", b"key", b"value"], b"+OK\r\n");
}

#[test]
fn a_new_port_takes_the_place_of_the_old() {
    let node = node("");
    let mut client = Client::new(&node);
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken_port = taken.local_addr().unwrap().port().to_string();
    let refused = b"-ERR CONFIG SET failed (possibly related to argument 'port') - \
                    Unable to listen on this port. Check server logs.\r\n";
    client.ask(&[b"CONFIG", b"SET", b"port", taken_port.as_bytes()], refused);
    client.ask(&[b"CONFIG", b"SET", b"port", free.to_string().as_bytes()], b"+OK\r\n");
    Client::to_port(free).ping();
    client.ping();
}

#[test]
fn fewer_clients_from_now_on() {
    let node = node("");
    let mut client = Client::new(&node);
    client.ask(&[b"CONFIG", b"SET", b"maxclients", b"1", b"timeout", b"100"], b"+OK\r\n");
    let refused = Client::new(&node).read_to_end();
    assert_eq!(refused, b"-ERR max number of clients reached\r\n");
    client.ask(&[b"CONFIG", b"SET", b"maxclients", b"0", b"timeout", b"1"], b"-ERR CONFIG SET");
}

#[test]
fn a_password_from_now_on() {
    let node = node("");
    let mut client = Client::new(&node);
    client.ask(&[b"CONFIG", b"SET", b"requirepass", b"secret"], b"+OK\r\n");
    client.ping();
    let mut other = Client::new(&node);
    other.ask(&[b"GET", b"key"], b"-NOAUTH Authentication required.\r\n");
    other.ask(&[b"AUTH", b"secret"], b"+OK\r\n");
    other.ping();
}
