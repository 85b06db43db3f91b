//! Snapshots that are written while everything goes on, by themselves, and at the end.

use crate::append_only::{FaultyDisk, Running, info};
use crate::client::{Client, request, wait_until};
use crate::program::Program;
use server::config::{Config, Dialect, Machine};
use server::listeners::Port;
use server::persistence::load;
use server::start::{Node, Options};
use std::fs;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::Duration;

const KEYS: u64 = 3000;
const MISCONF: &str = "-MISCONF Redis is configured to save RDB snapshots";

pub(crate) fn node(folder: &Path, disk: &FaultyDisk, more: &str) -> Running {
    let machine = Machine { cores: 2, memory_bytes: 1 << 30 };
    let text = format!(
        "save \"\"\nbind 127.0.0.1\nenable-debug-command yes\ndir \"{}\"\n{more}",
        folder.display()
    );
    let config = Config::from_text(text.as_bytes(), Dialect::Redis, machine).unwrap();
    let options = Options { disk: Arc::new(disk.clone()), port: Port::Any, ..Options::default() };
    let node = Node::start(config, options).unwrap();
    let settings = node.server().host.settings();
    load::load(node.server(), &settings).map_err(|error| error.to_string()).unwrap();
    Running::new(node, disk)
}

pub(crate) fn line(client: &mut Client, words: &[&[u8]]) -> String {
    client.send(&request(words));
    String::from_utf8(client.read_line()).unwrap().trim_end().to_owned()
}

fn wait_for_saves(client: &mut Client, count: u64) {
    wait_until("a snapshot is written", || info(client, "rdb_saves") == count.to_string());
    wait_until("it is over", || info(client, "rdb_bgsave_in_progress") == "0");
}

fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// All keys get the same number at once, again and again; so a snapshot that is one moment holds one number.
fn write(node: &Node, is_over: &AtomicBool, newest: &AtomicU64) {
    let mut client = Client::new(node);
    for number in 1_u64.. {
        let mut words = vec![b"MSET".to_vec()];
        for key in 0..KEYS {
            words.push(format!("key:{key}").into_bytes());
            words.push(format!("{number}:{}", "x".repeat(key as usize % 90)).into_bytes());
        }
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        client.ask(&words, b"+OK\r\n");
        newest.store(number, SeqCst);
        if is_over.load(SeqCst) {
            return;
        }
    }
}

/// Lets the writer end, however the test does.
struct Over<'t>(&'t AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

#[test]
fn what_is_saved_in_the_background_is_one_moment() {
    let folder = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::default();
    let running = node(folder.path(), &disk, "");
    let (is_over, newest) = (AtomicBool::new(false), AtomicU64::new(0));
    for round in 1..4 {
        is_over.store(false, SeqCst);
        let (before, after) = std::thread::scope(|scope| {
            let (running, is_over, newest) = (&running, &is_over, &newest);
            newest.store(0, SeqCst);
            scope.spawn(move || write(running, is_over, newest));
            let _over = Over(is_over);
            wait_until("there is something", || 3 <= newest.load(SeqCst));
            let mut client = Client::new(running);
            let before = newest.load(SeqCst);
            client.ask(&[b"BGSAVE"], b"+Background saving started\r\n");
            let after = newest.load(SeqCst) + 1;
            wait_for_saves(&mut client, round);
            (before, after)
        });
        assert_eq!(files(folder.path()), ["dump.rdb"]);
        let again = node(folder.path(), &disk, "");
        let mut client = Client::new(&again);
        client.ask(&[b"DBSIZE"], format!(":{KEYS}\r\n").as_bytes());
        let mut found = Vec::new();
        for key in 0..KEYS {
            let key = format!("key:{key}");
            client.send(&request(&[b"GETRANGE", key.as_bytes(), b"0", b"5"]));
            client.read_line();
            let value = String::from_utf8(client.read_line()).unwrap();
            found.push(value.split(':').next().unwrap().to_owned());
        }
        found.dedup();
        assert_eq!(found.len(), 1, "{found:?}");
        let number: u64 = found[0].parse().unwrap();
        assert!((before..=after).contains(&number), "{before} {number} {after}");
    }
}

#[test]
fn save_points_save() {
    let folder = tempfile::tempdir().unwrap();
    let running = node(folder.path(), &FaultyDisk::default(), "save 1 3");
    let mut client = Client::new(&running);
    client.ask(&[b"MSET", b"a", b"1", b"b", b"2", b"c", b"3"], b"+OK\r\n");
    wait_for_saves(&mut client, 1);
    assert_eq!(info(&mut client, "rdb_changes_since_last_save"), "0");
    assert_eq!(info(&mut client, "rdb_last_bgsave_status"), "ok");
    // What is flushed must not come back.
    client.ask(&[b"FLUSHALL"], b"+OK\r\n");
    wait_for_saves(&mut client, 2);
    let again = node(folder.path(), &FaultyDisk::default(), "");
    Client::new(&again).ask(&[b"DBSIZE"], b":0\r\n");
}

#[test]
fn a_full_disk_stops_writes_until_a_snapshot_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::default();
    let running = node(folder.path(), &disk, "save 1000 1");
    let mut client = Client::new(&running);
    client.ask(&[b"SET", b"key", &[b'v'; 600_000]], b"+OK\r\n");
    disk.change(|state| state.is_full = true);
    client.ask(&[b"BGSAVE"], b"+Background saving started\r\n");
    wait_until("it has failed", || info(&mut client, "rdb_last_bgsave_status") == "err");
    assert_eq!(files(folder.path()), [] as [&str; 0]);
    let calls: [&[&[u8]]; 4] = [
        &[b"SET", b"key", b"v"],
        &[b"PING"],
        &[b"EVAL", b"return redis.call('SET', 'key', 'v')", b"0"],
        &[b"SHUTDOWN", b"SAVE"],
    ];
    for call in &calls[..3] {
        assert!(line(&mut client, call).starts_with(MISCONF), "{call:?}");
    }
    assert!(line(&mut client, calls[3]).starts_with("-ERR Errors trying to SHUTDOWN"));
    client.ask(&[b"STRLEN", b"key"], b":600000\r\n");
    client.ask(&[b"CONFIG", b"SET", b"stop-writes-on-bgsave-error", b"no"], b"+OK\r\n");
    client.ask(&[b"SET", b"key", b"w"], b"+OK\r\n");
    client.ask(&[b"CONFIG", b"SET", b"stop-writes-on-bgsave-error", b"yes"], b"+OK\r\n");
    assert!(line(&mut client, calls[0]).starts_with(MISCONF));
    disk.change(|state| state.is_full = false);
    client.ask(&[b"BGSAVE"], b"+Background saving started\r\n");
    wait_for_saves(&mut client, 1);
    client.ask(&[b"SET", b"key", b"v"], b"+OK\r\n");
}

#[test]
fn large_snapshots_are_synced_on_the_way() {
    let folder = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::default();
    let running = node(folder.path(), &disk, "rdbcompression no");
    let mut client = Client::new(&running);
    for key in [&b"a"[..], b"b", b"c", b"d", b"e"] {
        client.ask(&[b"SETRANGE", key, b"15999999", b"x"], b":16000000\r\n");
    }
    for (is_on, saves) in [(true, 1), (false, 2)] {
        let word: &[u8] = if is_on { b"yes" } else { b"no" };
        client.ask(&[b"CONFIG", b"SET", b"rdb-save-incremental-fsync", word], b"+OK\r\n");
        let before = disk.syncs();
        client.ask(&[b"BGSAVE"], b"+Background saving started\r\n");
        wait_for_saves(&mut client, saves);
        let syncs = disk.syncs() - before;
        assert_eq!(1 < syncs, is_on, "{syncs}");
    }
}

#[test]
fn a_snapshot_can_be_put_off_and_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::default();
    let running = node(folder.path(), &disk, "dialect valkey");
    let mut client = Client::new(&running);
    client.ask(&[b"SET", b"key", b"v"], b"+OK\r\n");
    disk.change(|state| state.is_stopped = true);
    client.ask(&[b"BGSAVE"], b"+Background saving started\r\n");
    for words in [&[&b"BGSAVE"[..]][..], &[b"SAVE"], &[b"BGSAVE", b"SCHEDULE"]] {
        client.ask(words, b"-ERR Background save already in progress\r\n");
    }
    client.ask(&[b"BGSAVE", b"CANCEL"], b"+Background saving cancelled\r\n");
    disk.change(|state| state.is_stopped = false);
    wait_until("it is over", || info(&mut client, "rdb_bgsave_in_progress") == "0");
    assert_eq!(files(folder.path()), [] as [&str; 0]);
    assert_eq!(info(&mut client, "rdb_last_bgsave_status"), "ok");
    // One that is put off comes by itself.
    client.ask(&[b"MULTI"], b"+OK\r\n");
    client.ask(&[b"BGSAVE"], b"+QUEUED\r\n");
    client.ask(&[b"EXEC"], b"*1\r\n+Background saving scheduled\r\n");
    wait_for_saves(&mut client, 1);
    assert_eq!(files(folder.path()), ["dump.rdb"]);
}

#[test]
fn the_end_saves_if_there_are_save_points() {
    let folder = tempfile::tempdir().unwrap();
    let start = |save: &str| {
        let mut program = Program::start(
            &["--port", "0", "--unixsocket", "socket", "--save", save],
            folder.path(),
        );
        program.wait_for("Ready to accept connections unix");
        program
    };
    let call = |text: &str| {
        use std::io::{Read, Write};
        let mut stream = UnixStream::connect(folder.path().join("socket")).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(text.as_bytes()).unwrap();
        let mut reply = vec![0; 100];
        let len = stream.read(&mut reply).unwrap_or(0);
        String::from_utf8(reply[..len].to_vec()).unwrap()
    };
    let ends: [(&str, &str, &str); 5] = [
        ("100 1", "SHUTDOWN\r\n", "1"),
        ("100 1", "SHUTDOWN NOSAVE\r\n", "1"),
        ("100 1", "", "3"),
        ("", "SHUTDOWN\r\n", "3"),
        ("", "SHUTDOWN SAVE\r\n", "5"),
    ];
    for (index, (save, end, kept)) in ends.into_iter().enumerate() {
        let program = start(save);
        assert_eq!(call(&format!("SET key {}\r\n", index + 1)), "+OK\r\n");
        if end.is_empty() {
            program.signal("-TERM");
        } else {
            assert_eq!(call(end), "");
        }
        let (log, code) = program.finish();
        assert_eq!(code, Some(0), "{log}");
        let program = start("");
        assert_eq!(call("GET key\r\n"), format!("$1\r\n{kept}\r\n"), "{log}");
        program.signal("-TERM");
        assert_eq!(program.finish().1, Some(0));
    }
}
