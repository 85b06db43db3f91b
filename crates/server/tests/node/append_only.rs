//! The append-only file while the server runs: what waits for it, and what happens when it cannot be
//! written.

use crate::client::{Client, HOLD, wait_until};
use parking_lot::{Condvar, Mutex};
use persist::disk::{Disk, Input, MachineDisk, Output};
use server::config::{Config, Dialect, Machine};
use server::listeners::Port;
use server::persistence::{append_only, load};
use server::start::{Node, Options};
use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// A disk that can be stopped, and filled.
#[derive(Clone, Default)]
pub(crate) struct FaultyDisk(Arc<Faults>);

#[derive(Default)]
struct Faults {
    state: Mutex<State>,
    change: Condvar,
}

#[derive(Clone, Copy, Default)]
pub(crate) struct State {
    pub(crate) is_stopped: bool,
    pub(crate) is_full: bool,
    /// Writes do not end, as long as this is so.
    pub(crate) takes_nothing: bool,
    /// How often a file was synced.
    pub(crate) syncs: usize,
    /// A write, or a sync, waits for that to end.
    pub(crate) is_waited_for: bool,
    /// The next sync fails, and those behind it succeed: as systems do that drop what they could not write.
    fails_once: bool,
}

impl FaultyDisk {
    pub(crate) fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.0.state.lock());
        self.0.change.notify_all();
    }

    /// How often a file was synced.
    pub(crate) fn syncs(&self) -> usize {
        self.0.state.lock().syncs
    }

    pub(crate) fn is_waited_for(&self) -> bool {
        self.0.state.lock().is_waited_for
    }
}

impl Disk for FaultyDisk {
    fn open(&self, path: &Path) -> io::Result<Box<dyn Input>> {
        MachineDisk.open(path)
    }
    fn create(&self, path: &Path) -> io::Result<Box<dyn Output>> {
        Ok(Box::new(FaultyFile(MachineDisk.create(path)?, self.clone())))
    }
    fn append(&self, path: &Path) -> io::Result<Box<dyn Output>> {
        Ok(Box::new(FaultyFile(MachineDisk.append(path)?, self.clone())))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        MachineDisk.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        MachineDisk.remove(path)
    }
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        MachineDisk.create_folder(path)
    }
    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        MachineDisk.list(folder)
    }
    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        MachineDisk.sync_folder(folder)
    }
}

struct FaultyFile(Box<dyn Output>, FaultyDisk);

impl Write for FaultyFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.1.0.state.lock();
        while state.takes_nothing {
            state.is_waited_for = true;
            self.1.0.change.wait(&mut state);
        }
        state.is_waited_for = false;
        match state.is_full {
            // Half of it still fits.
            true if 1 < bytes.len() => self.0.write(&bytes[..bytes.len() / 2]),
            true => Err(ErrorKind::StorageFull.into()),
            false => {
                drop(state);
                self.0.write(bytes)
            }
        }
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Output for FaultyFile {
    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.1.0.state.lock();
        while state.is_stopped {
            state.is_waited_for = true;
            self.1.0.change.wait(&mut state);
        }
        state.is_waited_for = false;
        state.syncs += 1;
        if std::mem::take(&mut state.fails_once) {
            return Err(ErrorKind::Other.into());
        }
        drop(state);
        self.0.sync()
    }
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }
    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.0.truncate(len)
    }
}

/// A node whose disk goes on before it is stopped.
pub(crate) struct Running(Option<Node>, FaultyDisk);

impl Running {
    pub(crate) fn new(node: Node, disk: &FaultyDisk) -> Self {
        Self(Some(node), disk.clone())
    }
}

impl std::ops::Deref for Running {
    type Target = Node;
    fn deref(&self) -> &Node {
        self.0.as_ref().expect("it is there until it is dropped")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.1.change(|state| *state = State::default());
        drop(self.0.take());
    }
}

/// A node that keeps a new file.
fn node(folder: &Path, disk: &FaultyDisk, more: &str) -> Running {
    let node = started(folder, disk, more);
    let settings = node.server().host.settings();
    append_only::open(node.server(), &settings, None).unwrap();
    node
}

/// A node that has not opened its file.
fn started(folder: &Path, disk: &FaultyDisk, more: &str) -> Running {
    let machine = Machine { cores: 2, memory_bytes: 1 << 30 };
    let text =
        format!("save \"\"\nbind 127.0.0.1\nappendonly yes\ndir \"{}\"\n{more}", folder.display());
    let config = Config::from_text(text.as_bytes(), Dialect::Redis, machine).unwrap();
    let options = Options {
        disk: Arc::new(disk.clone()),
        port: Port::Any,
        rows: &[HOLD],
        ..Options::default()
    };
    let node = Node::start(config, options).unwrap();
    Running::new(node, disk)
}

/// The digest of all data.
fn digest(node: &Node) -> Vec<u8> {
    let mut client = Client::new(node);
    client.send(&crate::client::request(&[b"DEBUG", b"DIGEST"]));
    client.read_line()
}

/// Nothing comes for a while.
fn expect_silence(client: &mut Client) {
    client.stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let error = client.stream.read(&mut [0]).map(drop).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
    client.stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
}

pub(crate) fn info(client: &mut Client, field: &str) -> String {
    client.send(b"*2\r\n$4\r\nINFO\r\n$11\r\npersistence\r\n");
    let head = String::from_utf8(client.read_line()).unwrap();
    let len: usize = head[1..].trim_end().parse().unwrap();
    let mut text = vec![0; len + 2];
    client.stream.read_exact(&mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    let value = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    value.unwrap_or_else(|| panic!("no {field} in {text}")).to_owned()
}

#[test]
fn with_always_nobody_hears_of_what_is_not_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::default();
    let node = node(folder.path(), &disk, "appendfsync always");
    let [mut writer, mut reader, mut other, mut subscriber] = [(); 4].map(|()| Client::new(&node));
    writer.ask(&[b"SET", b"key", b"old"], b"+OK\r\n");
    let keyspace = &node.server().engine.keyspace;
    let shard = |key: &str| keyspace.shard_index(keyspace.hash(key.as_bytes()));
    let keys = (0..).map(|number| format!("elsewhere:{number}"));
    let elsewhere = keys.into_iter().find(|key| shard(key) != shard("key")).unwrap();
    other.ask(&[b"SET", elsewhere.as_bytes(), b"1"], b"+OK\r\n");
    subscriber.send(b"*2\r\n$9\r\nSUBSCRIBE\r\n$1\r\nc\r\n");
    subscriber.expect(b"*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n");

    disk.change(|state| state.is_stopped = true);
    // A script that writes and tells others: neither the reply nor the message may be heard.
    let script: &[u8] =
        b"redis.call('SET', KEYS[1], 'new') return redis.call('PUBLISH', 'c', 'new')";
    writer.send(&crate::client::request(&[b"EVAL", script, b"1", b"key"]));
    expect_silence(&mut writer);
    expect_silence(&mut subscriber);
    // Who reads it doesn't hear of it either; who reads something else does not wait.
    reader.send(&crate::client::request(&[b"GET", b"key"]));
    expect_silence(&mut reader);
    other.ping();
    other.ask(&[b"GET", elsewhere.as_bytes()], b"$1\r\n1\r\n");
    // What it asks next waits with what it has asked.
    reader.send(&crate::client::request(&[b"PING"]));
    expect_silence(&mut reader);

    disk.change(|state| state.is_stopped = false);
    writer.expect(b":1\r\n");
    subscriber.expect(b"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$3\r\nnew\r\n");
    reader.expect(b"$3\r\nnew\r\n+PONG\r\n");
    writer.ask(&[b"WAITAOF", b"1", b"0", b"0"], b"*2\r\n:1\r\n:0\r\n");
}

#[test]
fn replies_are_let_go_when_they_need_not_wait_any_more() {
    let folder = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::default();
    let node = node(folder.path(), &disk, "appendfsync always");
    let [mut writer, mut other] = [(); 2].map(|()| Client::new(&node));
    disk.change(|state| state.is_stopped = true);
    writer.send(&crate::client::request(&[b"SET", b"key", b"1"]));
    expect_silence(&mut writer);
    other.ask(&[b"CONFIG", b"SET", b"appendfsync", b"everysec"], b"+OK\r\n");
    writer.expect(b"+OK\r\n");
    disk.change(|state| state.is_stopped = false);
}

#[test]
fn a_full_disk_refuses_writes_until_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::default();
    let node = node(folder.path(), &disk, "");
    let mut client = Client::new(&node);
    client.ask(&[b"SET", b"key", b"1"], b"+OK\r\n");
    wait_until("all is written", || info(&mut client, "aof_buffer_length") == "0");
    disk.change(|state| state.is_full = true);
    client.ask(&[b"INCR", b"key"], b":2\r\n");
    wait_until("the write fails", || info(&mut client, "aof_last_write_status") == "err");
    let refusal = b"-MISCONF Errors writing to the AOF file: no storage space\r\n";
    client.ask(&[b"INCR", b"key"], refusal);
    let script: &[u8] = b"return redis.call('INCR', KEYS[1])";
    client.send(&crate::client::request(&[b"EVAL", script, b"1", b"key"]));
    let refused = client.read_line();
    assert!(refused.starts_with(&refusal[..refusal.len() - 2]), "{}", refused.escape_ascii());
    client.ask(&[b"GET", b"key"], b"$1\r\n2\r\n");
    client.ask(&[b"MULTI"], b"+OK\r\n");
    client.ask(&[b"GET", b"key"], b"+QUEUED\r\n");
    client.ask(&[b"EXEC"], b"*1\r\n$1\r\n2\r\n");

    disk.change(|state| state.is_full = false);
    wait_until("it is over", || info(&mut client, "aof_last_write_status") == "ok");
    client.ask(&[b"INCR", b"key"], b":3\r\n");
    drop(node);
    // Each command is there once and whole.
    let file = folder.path().join("appendonlydir/appendonly.aof.1.incr.aof");
    let text = String::from_utf8(std::fs::read(file).unwrap()).unwrap();
    assert_eq!(text.matches("INCR").count(), 2, "{text}");
    assert!(text.ends_with("*2\r\n$4\r\nINCR\r\n$3\r\nkey\r\n"), "{text}");
}

#[test]
fn a_sync_that_failed_is_mended_by_a_new_base() {
    let folder = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::default();
    let node = node(folder.path(), &disk, "appendfsync always");
    let [mut writer, mut other] = [(); 2].map(|()| Client::new(&node));
    writer.ask(&[b"SET", b"key", b"1"], b"+OK\r\n");
    disk.change(|state| state.fails_once = true);
    // The reply comes when the change is in the new base.
    writer.ask(&[b"SET", b"key", b"2"], b"+OK\r\n");
    wait_until("the file is rewritten", || info(&mut other, "aof_rewrites") == "1");
    wait_until("it is over", || info(&mut other, "aof_last_write_status") == "ok");
    writer.ask(&[b"SET", b"key", b"3"], b"+OK\r\n");
    drop(node);
    let manifest =
        std::fs::read_to_string(folder.path().join("appendonlydir/appendonly.aof.manifest"));
    let expected = "file appendonly.aof.2.base.rdb seq 2 type b\n\
        file appendonly.aof.2.incr.aof seq 2 type i\n";
    assert_eq!(manifest.unwrap(), expected);
}

#[test]
fn the_file_is_rewritten_and_switched_on_and_off() {
    let folder = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::default();
    let node = node(folder.path(), &disk, "auto-aof-rewrite-min-size 1mb");
    let mut client = Client::new(&node);
    client.ask(&[b"SET", b"key", b"1"], b"+OK\r\n");
    client.ask(&[b"BGREWRITEAOF"], b"+Background append only file rewriting started\r\n");
    wait_until("it is rewritten", || info(&mut client, "aof_rewrites") == "1");
    let parts = || {
        let path = folder.path().join("appendonlydir/appendonly.aof.manifest");
        std::fs::read_to_string(path).unwrap().lines().count()
    };
    assert_eq!(parts(), 2, "the history is gone");
    client.ask(&[b"CONFIG", b"SET", b"appendonly", b"no"], b"+OK\r\n");
    assert_eq!(info(&mut client, "aof_enabled"), "0");
    client.ask(&[b"WAITAOF", b"1", b"0", b"0"], WAIT_REFUSED);
    client.ask(&[b"SET", b"key", b"2"], b"+OK\r\n");
    // A base alone may be asked for.
    client.ask(&[b"BGREWRITEAOF"], b"+Background append only file rewriting started\r\n");
    wait_until("it is rewritten", || info(&mut client, "aof_rewrites") == "2");
    assert_eq!(parts(), 2);
    client.ask(&[b"CONFIG", b"SET", b"appendonly", b"yes"], b"+OK\r\n");
    assert_eq!(info(&mut client, "aof_enabled"), "1");
    wait_until("there is a base", || info(&mut client, "aof_rewrites") == "3");
    assert_eq!(parts(), 2);
    // It has grown by more than its size.
    let value = vec![b'v'; 100_000];
    for _ in 0..12 {
        client.ask(&[b"SET", b"long", &value], b"+OK\r\n");
    }
    wait_until("it is rewritten by itself", || info(&mut client, "aof_rewrites") == "4");
    drop(node);
    let path = folder.path().join("appendonlydir/appendonly.aof.5.base.rdb");
    assert!(std::fs::read(path).unwrap().starts_with(b"REDIS"));
}

const WAIT_REFUSED: &[u8] =
    b"-ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.\r\n";

#[test]
fn who_would_write_waits_while_a_sync_does_not_end() {
    let folder = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::default();
    let node = node(folder.path(), &disk, "appendfsync everysec");
    let [mut writer, mut other] = [(); 2].map(|()| Client::new(&node));
    writer.ask(&[b"SET", b"key", b"1"], b"+OK\r\n");
    disk.change(|state| state.is_stopped = true);
    // Two seconds are what may be lost, so after that nothing is added.
    other.ask(&[b"SET", b"other", b"1"], b"+OK\r\n");
    wait_until("a sync is late", || info(&mut other, "aof_delayed_fsync") != "0");
    writer.send(&crate::client::request(&[b"SET", b"key", b"2"]));
    expect_silence(&mut writer);
    other.ask(&[b"GET", b"key"], b"$1\r\n1\r\n");
    disk.change(|state| state.is_stopped = false);
    writer.expect(b"+OK\r\n");
}

#[test]
fn what_was_written_while_the_file_was_rewritten_is_there_once() {
    const WRITERS: usize = 4;
    const CALLS: usize = 600;
    let folder = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::default();
    let node = node(folder.path(), &disk, "enable-debug-command yes");
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let mut client = Client::new(&node);
            scope.spawn(move || {
                for call in 0..CALLS {
                    // Twice the same would be seen.
                    let key = format!("key:{}", (call * 7 + writer) % 100);
                    let requests = [
                        crate::client::request(&[b"INCR", key.as_bytes()]),
                        crate::client::request(&[b"RPUSH", b"list", key.as_bytes()]),
                        crate::client::request(&[b"HINCRBY", b"hash", key.as_bytes(), b"1"]),
                    ];
                    client.send(&requests.concat());
                    (0..3).for_each(|_| drop(client.read_line()));
                }
            });
        }
        let mut client = Client::new(&node);
        for _ in 0..20 {
            client.send(&crate::client::request(&[b"BGREWRITEAOF"]));
            client.read_line();
            let is_done = || info(&mut client, "aof_rewrite_in_progress") == "0";
            wait_until("it is rewritten", is_done);
        }
    });
    let mut client = Client::new(&node);
    wait_until("no rewrite goes on", || info(&mut client, "aof_rewrite_in_progress") == "0");
    assert_ne!(info(&mut client, "aof_rewrites"), "0");
    let total = (WRITERS * CALLS).to_string();
    client.ask(&[b"LLEN", b"list"], format!(":{total}\r\n").as_bytes());
    let expected = digest(&node);
    drop(node);
    let again = started(folder.path(), &disk, "enable-debug-command yes");
    let settings = again.server().host.settings();
    load::load(again.server(), &settings).unwrap();
    assert_eq!(digest(&again), expected);
}
