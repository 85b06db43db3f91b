//! A disk that takes nothing for a while, in the middle of a snapshot: nobody waits for it, and what is kept for
//! the snapshot has a bound.

use crate::append_only::{FaultyDisk, Running, info};
use crate::client::{Client, bulk, request, wait_until};
use base::limits::CUT_BYTES_MIN;
use server::config::{Config, Dialect, Machine};
use server::listeners::Port;
use server::persistence::load;
use server::start::{Node, Options};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

const KEYS: usize = 6000;
/// All of them are three times what is kept.
const VALUE_LEN: usize = 10_000;
/// What is kept beyond the limit: that of calls which were admitted before.
const OVER_MAX: usize = 1 << 20;

fn node(folder: &Path, disk: &FaultyDisk, options: Options) -> Running {
    let machine = Machine { cores: 2, memory_bytes: 1 << 30 };
    let text = format!(
        "save \"\"\nbind 127.0.0.1\nenable-debug-command yes\nrdbcompression no\ndir \"{}\"",
        folder.display()
    );
    let config = Config::from_text(text.as_bytes(), Dialect::Redis, machine).unwrap();
    let options = Options { disk: Arc::new(disk.clone()), port: Port::Any, ..options };
    let node = Running::new(Node::start(config, options).unwrap(), disk);
    let settings = node.server().host.settings();
    load::load(node.server(), &settings).map_err(|error| error.to_string()).unwrap();
    node
}

fn key(number: usize) -> Vec<u8> {
    format!("key:{number}").into_bytes()
}

fn value(letter: u8) -> Vec<u8> {
    vec![letter; VALUE_LEN]
}

/// Gives these keys a value, one call after the other.
fn fill(client: &mut Client, keys: impl Iterator<Item = usize>, letter: u8, done: &AtomicUsize) {
    for number in keys {
        client.ask(&[b"SET", &key(number), &value(letter)], b"+OK\r\n");
        done.fetch_add(1, SeqCst);
    }
}

fn digest(node: &Node) -> Vec<u8> {
    let mut client = Client::new(node);
    client.send(&request(&[b"DEBUG", b"DIGEST"]));
    client.read_line()
}

fn files(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    names.map(|name| name.into_string().unwrap()).collect()
}

/// A node with all keys, whose disk has stopped in the middle of a snapshot.
fn stalled(folder: &Path, disk: &FaultyDisk, options: Options) -> (Running, Client) {
    let node = node(folder, disk, options);
    let mut client = Client::new(&node);
    fill(&mut client, 0..KEYS, b'a', &AtomicUsize::new(0));
    disk.change(|state| state.takes_nothing = true);
    client.ask(&[b"BGSAVE"], b"+Background saving started\r\n");
    wait_until("something is to be written", || disk.is_waited_for());
    (node, client)
}

#[test]
fn who_changes_little_does_not_wait_and_what_is_kept_has_a_bound() {
    let folder = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::default();
    let (node, mut client) = stalled(folder.path(), &disk, Options::default());
    // Half of what may be kept.
    let few = CUT_BYTES_MIN / 2 / VALUE_LEN;
    fill(&mut client, 0..few, b'b', &AtomicUsize::new(0));
    for number in 0..few {
        client.ask(&[b"GET", &key(number)], &bulk(&value(b'b')));
    }
    client.ask(&[b"SET", b"new", b"1"], b"+OK\r\n");
    client.ask(&[b"DEL", b"new"], b":1\r\n");
    let cuts = &node.server().engine.cuts;
    assert!(!cuts.holds_writers());
    // Some of it was fetched before the disk stopped.
    let (kept, expected) = (cuts.old_bytes(), few * VALUE_LEN);
    assert!((expected / 2..=expected * 5 / 4).contains(&kept), "{kept} bytes are kept");
    let done = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let (node, done) = (&node, &done);
        // Lets the writer end, whatever happens here.
        let _goes_on = GoesOn(&disk);
        scope.spawn(move || fill(&mut Client::new(node), 0..KEYS, b'c', done));
        wait_until("enough is kept", || cuts.holds_writers());
        // He waits now, and only he.
        let made = done.load(SeqCst);
        for number in 0..KEYS {
            client.send(&request(&[b"STRLEN", &key(number)]));
            client.expect(format!(":{VALUE_LEN}\r\n").as_bytes());
        }
        assert!(done.load(SeqCst) <= made + 1 && made < KEYS, "{made}, {done:?}");
        let kept = cuts.old_bytes();
        assert!(kept < CUT_BYTES_MIN + OVER_MAX, "{kept} bytes are kept");
    });
    assert_eq!(done.load(SeqCst), KEYS);
    wait_until("it is written", || info(&mut client, "rdb_saves") == "1");
    wait_until("it is over", || info(&mut client, "rdb_bgsave_in_progress") == "0");
    let peak: usize = info(&mut client, "rdb_last_cow_size").parse().unwrap();
    assert!((CUT_BYTES_MIN..CUT_BYTES_MIN + OVER_MAX).contains(&peak), "{peak} bytes were kept");
    assert_eq!(cuts.old_bytes(), 0);
    // It holds what there was at first.
    let now = digest(&node);
    fill(&mut client, 0..KEYS, b'a', &AtomicUsize::new(0));
    let before = digest(&node);
    assert_ne!(now, before);
    let again = self::node(folder.path(), &disk, Options::default());
    assert_eq!(digest(&again), before);
}

#[test]
fn a_snapshot_is_given_up_if_the_disk_takes_nothing_for_long() {
    let folder = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::default();
    let options = Options { stall_ns_max: 300_000_000, ..Options::default() };
    let (node, mut client) = stalled(folder.path(), &disk, options);
    // More than may be kept: the end of it waits until nothing is kept any more.
    fill(&mut Client::new(&node), 0..KEYS, b'b', &AtomicUsize::new(0));
    assert!(disk.is_waited_for(), "the disk takes nothing yet");
    assert_eq!(info(&mut client, "rdb_last_bgsave_status"), "err");
    assert_eq!(node.server().engine.cuts.old_bytes(), 0);
    fill(&mut client, 0..KEYS, b'c', &AtomicUsize::new(0));
    assert_eq!(node.server().engine.cuts.old_bytes(), 0);
    disk.change(|state| state.takes_nothing = false);
    wait_until("nothing is left of it", || files(folder.path()).is_empty());
    client.ask(&[b"BGSAVE"], b"+Background saving started\r\n");
    wait_until("it is written", || info(&mut client, "rdb_last_bgsave_status") == "ok");
    assert_eq!(files(folder.path()), ["dump.rdb"]);
    let again = self::node(folder.path(), &disk, Options::default());
    assert_eq!(digest(&again), digest(&node));
}

struct GoesOn<'t>(&'t FaultyDisk);

impl Drop for GoesOn<'_> {
    fn drop(&mut self) {
        self.0.change(|state| state.takes_nothing = false);
    }
}
