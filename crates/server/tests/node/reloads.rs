//! Data that is loaded anew while the server runs: DEBUG RELOAD and DEBUG LOADAOF.

use crate::append_only::{FaultyDisk, info};
use crate::client::{Client, request, wait_until};
use crate::saving::{line, node};
use server::start::Node;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

const FAILED: &str = "-ERR Error trying to load the RDB dump, check server logs.";
const LIBRARY: &[u8] = b"#!lua name=l\nredis.register_function('seven', function() return 7 end)";

fn digest(client: &mut Client) -> String {
    line(client, &[b"DEBUG", b"DIGEST"])
}

/// Counts up a key of its own until it is over; how far it was told that it has come.
fn count_up(node: &Node, key: &[u8], is_over: &AtomicBool) -> u64 {
    let (mut client, mut count) = (Client::new(node), 0);
    while !is_over.load(SeqCst) {
        let answer = line(&mut client, &[b"INCR", key]);
        match answer.strip_prefix(':') {
            Some(number) => {
                count += 1;
                assert_eq!(number, count.to_string());
            }
            None => assert!(answer.starts_with("-LOADING"), "{answer}"),
        }
    }
    count
}

/// Lets the writers end, however the test does.
struct Over<'t>(&'t AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

#[test]
fn writers_beside_it_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::default();
    let more = "appendonly yes\nappendfsync always";
    let running = node(folder.path(), &disk, more);
    let mut client = Client::new(&running);
    let script: &[u8] = b"for i = 1, 20000 do redis.call('SET', 'key:' .. i, i) end return 1";
    client.ask(&[b"EVAL", script, b"0"], b":1\r\n");
    let is_over = AtomicBool::new(false);
    let counts = std::thread::scope(|scope| {
        let (running, is_over) = (&running, &is_over);
        let one = scope.spawn(move || count_up(running, b"one", is_over));
        let other = scope.spawn(move || count_up(running, b"other", is_over));
        let _over = Over(is_over);
        for _ in 0..4 {
            client.ask(&[b"DEBUG", b"RELOAD"], b"+OK\r\n");
            client.ask(&[b"DEBUG", b"LOADAOF"], b"+OK\r\n");
        }
        is_over.store(true, SeqCst);
        [one, other].map(|writer| writer.join().unwrap())
    });
    let expect = |client: &mut Client| {
        client.ask(&[b"DBSIZE"], b":20002\r\n");
        for (key, count) in [&b"one"[..], b"other"].into_iter().zip(counts) {
            let text = count.to_string();
            let reply = format!("${}\r\n{text}\r\n", text.len());
            client.ask(&[b"GET", key], reply.as_bytes());
        }
    };
    expect(&mut client);
    let found = digest(&mut client);
    drop(running);
    let again = node(folder.path(), &disk, more);
    let mut client = Client::new(&again);
    expect(&mut client);
    assert_eq!(digest(&mut client), found);
}

#[test]
fn what_cannot_be_loaded_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let node = node(folder.path(), &FaultyDisk::default(), "");
    let mut client = Client::new(&node);
    client.ask(&[b"DEBUG", b"POPULATE", b"2000"], b"+OK\r\n");
    client.ask(&[b"SAVE"], b"+OK\r\n");
    client.ask(&[b"FUNCTION", b"LOAD", LIBRARY], b"$1\r\nl\r\n");
    client.ask(&[b"DEL", b"key:7"], b":1\r\n");
    client.ask(&[b"RPUSH", b"list", b"a", b"b"], b":2\r\n");
    client.ask(&[b"SELECT", b"3"], b"+OK\r\n");
    client.ask(&[b"SET", b"volatile", b"1", b"EX", b"10000"], b"+OK\r\n");
    let before = digest(&mut client);
    let path = folder.path().join("dump.rdb");
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let mut waiter = Client::new(&node);
    waiter.send(&request(&[b"BLPOP", b"none", b"0"]));
    wait_until("it waits", || node.server().engine.blocking.count() == 1);
    assert_eq!(line(&mut client, &[b"DEBUG", b"RELOAD", b"NOSAVE"]), FAILED);
    assert_eq!(digest(&mut client), before);
    client.ask(&[b"FCALL", b"seven", b"0"], b":7\r\n");
    client.ask(&[b"EXPIRETIME", b"none"], b":-2\r\n");
    client.ask(&[b"PERSIST", b"volatile"], b":1\r\n");
    client.ask(&[b"SELECT", b"0"], b"+OK\r\n");
    client.ask(&[b"RPUSH", b"none", b"x"], b":1\r\n");
    waiter.expect(b"*2\r\n$4\r\nnone\r\n$1\r\nx\r\n");

    // Nor is there anything to be loaded.
    fs::remove_file(&path).unwrap();
    assert_eq!(line(&mut client, &[b"DEBUG", b"RELOAD", b"NOSAVE"]), FAILED);
    let missing = "-ERR Error trying to load the AOF files, check server logs.";
    assert_eq!(line(&mut client, &[b"DEBUG", b"LOADAOF"]), missing);
    client.ask(&[b"DBSIZE"], b":2000\r\n");
    client.ask(&[b"DEBUG", b"RELOAD"], b"+OK\r\n");
    client.ask(&[b"DBSIZE"], b":2000\r\n");
}

#[test]
fn a_full_disk_stops_it_before_anything_goes() {
    let folder = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::default();
    let node = node(folder.path(), &disk, "");
    let mut client = Client::new(&node);
    client.ask(&[b"DEBUG", b"POPULATE", b"100"], b"+OK\r\n");
    disk.change(|state| state.is_full = true);
    assert_eq!(line(&mut client, &[b"DEBUG", b"RELOAD"]), "-ERR");
    client.ask(&[b"DBSIZE"], b":100\r\n");
    disk.change(|state| state.is_full = false);
    client.ask(&[b"DEBUG", b"RELOAD"], b"+OK\r\n");
    client.ask(&[b"DBSIZE"], b":100\r\n");
}

#[test]
fn a_damaged_append_only_file_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::default();
    let running = node(folder.path(), &disk, "appendonly yes");
    let mut client = Client::new(&running);
    client.ask(&[b"RPUSH", b"list", b"a", b"b"], b":2\r\n");
    client.ask(&[b"DEBUG", b"LOADAOF"], b"+OK\r\n");
    let path = folder.path().join("appendonlydir/appendonly.aof.1.incr.aof");
    let whole = fs::read(&path).unwrap();
    // It ends within a call; at the start that would be mended.
    fs::write(&path, &whole[..whole.len() - 3]).unwrap();
    client.ask(&[b"RPUSH", b"list", b"c"], b":3\r\n");
    assert!(line(&mut client, &[b"DEBUG", b"LOADAOF"]).starts_with("-ERR Error trying to load"));
    client.ask(&[b"LRANGE", b"list", b"0", b"-1"], b"*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n");
}

#[test]
fn other_data_gets_a_base_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::default();
    let running = node(folder.path(), &disk, "appendonly yes");
    let mut client = Client::new(&running);
    client.ask(&[b"RPUSH", b"key", b"a"], b":1\r\n");
    client.ask(&[b"SAVE"], b"+OK\r\n");
    client.ask(&[b"DEL", b"key"], b":1\r\n");
    client.ask(&[b"SET", b"key", b"text"], b"+OK\r\n");
    client.ask(&[b"DEBUG", b"RELOAD", b"NOSAVE"], b"+OK\r\n");
    assert_eq!(info(&mut client, "aof_rewrite_in_progress"), "0");
    // Behind what was there before this could not be done.
    client.ask(&[b"RPUSH", b"key", b"b"], b":2\r\n");
    drop(running);
    let running = node(folder.path(), &disk, "appendonly yes");
    let mut client = Client::new(&running);
    client.ask(&[b"LRANGE", b"key", b"0", b"-1"], b"*2\r\n$1\r\na\r\n$1\r\nb\r\n");

    // Without room for a base nothing is changed behind the old one.
    client.ask(&[b"SET", b"other", b"1"], b"+OK\r\n");
    wait_until("all is written", || info(&mut client, "aof_buffer_length") == "0");
    disk.change(|state| state.is_full = true);
    client.ask(&[b"DEBUG", b"RELOAD", b"NOSAVE"], b"+OK\r\n");
    client.ask(&[b"EXISTS", b"other"], b":0\r\n");
    assert_eq!(info(&mut client, "aof_last_bgrewrite_status"), "err");
    disk.change(|state| state.is_full = false);
    wait_until("there is a base", || info(&mut client, "aof_last_bgrewrite_status") == "ok");
    client.ask(&[b"RPUSH", b"key", b"c"], b":2\r\n");
    drop(running);
    let running = node(folder.path(), &disk, "appendonly yes");
    let mut client = Client::new(&running);
    client.ask(&[b"LRANGE", b"key", b"0", b"-1"], b"*2\r\n$1\r\na\r\n$1\r\nc\r\n");
    client.ask(&[b"DBSIZE"], b":1\r\n");
}

#[test]
fn a_snapshot_in_the_background_gives_way() {
    let folder = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::default();
    let node = node(folder.path(), &disk, "");
    let mut client = Client::new(&node);
    client.ask(&[b"SET", b"key", b"old"], b"+OK\r\n");
    disk.change(|state| state.is_stopped = true);
    client.ask(&[b"BGSAVE"], b"+Background saving started\r\n");
    // One that is given up before that would leave the disk to the snapshot that is to be loaded.
    wait_until("it is at its end", || disk.is_waited_for());
    client.ask(&[b"SET", b"key", b"new"], b"+OK\r\n");
    client.send(&request(&[b"DEBUG", b"RELOAD"]));
    let running = || node.server().host.snapshots.running();
    wait_until("it is given up", || running().is_some_and(|cut| cut.is_cancelled()));
    disk.change(|state| state.is_stopped = false);
    client.expect(b"+OK\r\n");
    client.ask(&[b"GET", b"key"], b"$3\r\nnew\r\n");
    client.ask(&[b"DEBUG", b"RELOAD", b"NOSAVE"], b"+OK\r\n");
    client.ask(&[b"GET", b"key"], b"$3\r\nnew\r\n");
}

#[test]
fn nothing_is_done_to_half_of_the_data() {
    let folder = tempfile::tempdir().unwrap();
    let node = node(folder.path(), &FaultyDisk::default(), "");
    let [mut client, mut waiter] = [(); 2].map(|()| Client::new(&node));
    client.ask(&[b"MULTI"], b"+OK\r\n");
    client.ask(&[b"SET", b"key", b"1"], b"+QUEUED\r\n");
    waiter.send(&request(&[b"BLPOP", b"none", b"0.5"]));
    let engine = &node.server().engine;
    wait_until("it waits", || engine.blocking.count() == 1);
    engine.loading.begin(0, 0);
    let refusal = "LOADING Redis is loading the dataset in memory";
    let aborted = format!("-EXECABORT Transaction discarded because of: {refusal}");
    assert_eq!(line(&mut client, &[b"EXEC"]), aborted);
    for name in ["BGSAVE", "SAVE", "BGREWRITEAOF", "FLUSHALL", "DBSIZE"] {
        assert_eq!(line(&mut client, &[name.as_bytes()]), format!("-{refusal}"));
    }
    waiter.expect(b"*-1\r\n");
    engine.loading.end();
    client.ask(&[b"EXISTS", b"key"], b":0\r\n");
    assert!(!folder.path().join("dump.rdb").exists());
}
