//! Append-only files that are loaded at the start: those of other servers, damaged ones, and none.

use crate::client::{Client, bulk, node, request, wait_until};
use base::rand::Rng;
use server::persistence::load;
use server::start::Node;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::Relaxed;
use tempfile::TempDir;

const MANIFEST: &str = "file appendonly.aof.1.base.rdb seq 1 type b\n\
    file appendonly.aof.1.incr.aof seq 1 type i\n";
const INCREMENT: &str = "appendonly.aof.1.incr.aof";
/// A snapshot without anything.
const EMPTY: &[u8] = b"REDIS0009\xff\0\0\0\0\0\0\0\0";

fn fixtures(kind: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures").join(kind)
}

/// Every fixture of a kind, with the digest of what is in it.
fn digests(kind: &str) -> Vec<(String, String)> {
    let text = fs::read_to_string(fixtures(kind).join("digests.txt")).unwrap();
    let lines = text.lines().filter_map(|line| line.split_once(' '));
    lines.map(|(name, digest)| (name.to_owned(), digest.to_owned())).collect()
}

/// A folder with an append-only file of this base and these changes.
fn folder(base: &[u8], increment: &[u8]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let files = folder.path().join("appendonlydir");
    fs::create_dir(&files).unwrap();
    fs::write(files.join("appendonly.aof.manifest"), MANIFEST).unwrap();
    fs::write(files.join("appendonly.aof.1.base.rdb"), base).unwrap();
    fs::write(files.join(INCREMENT), increment).unwrap();
    folder
}

fn copy_of(fixture: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let files = folder.path().join("appendonlydir");
    fs::create_dir(&files).unwrap();
    for file in fs::read_dir(fixtures("aof").join(fixture)).unwrap().map(Result::unwrap) {
        fs::copy(file.path(), files.join(file.file_name())).unwrap();
    }
    folder
}

fn loaded(folder: &Path, more: &str) -> Result<Node, String> {
    let dir = folder.display();
    let text = format!("enable-debug-command yes\ndir \"{dir}\"\nappendonly yes\n{more}");
    let node = node(&text);
    let settings = node.server().host.settings();
    load::load(node.server(), &settings).map_err(|error| error.to_string())?;
    assert!(!node.server().engine.loading.is_on());
    Ok(node)
}

fn line(node: &Node, words: &[&[u8]]) -> String {
    let mut client = Client::new(node);
    client.send(&request(words));
    String::from_utf8(client.read_line()).unwrap().trim_end().to_owned()
}

fn digest(node: &Node) -> String {
    line(node, &[b"DEBUG", b"DIGEST"])[1..].to_owned()
}

fn calls(lines: &[&str]) -> Vec<u8> {
    let words = |line: &&str| {
        let words: Vec<_> = line.split(' ').map(str::as_bytes).collect();
        request(&words)
    };
    lines.iter().flat_map(words).collect()
}

#[test]
fn append_only_files_of_all_servers_are_loaded_and_gone_on_with() {
    for (name, expected) in digests("aof") {
        let dialect = if name.starts_with("valkey") { "dialect valkey" } else { "" };
        let folder = copy_of(&name);
        let node = loaded(folder.path(), dialect).unwrap();
        assert_eq!(digest(&node), expected, "{name}");
        Client::new(&node).ask(&[b"SET", b"one", b"more"], b"+OK\r\n");
        let with_more = digest(&node);
        node.stop();
        let node = loaded(folder.path(), dialect).unwrap();
        assert_eq!(digest(&node), with_more, "{name}");
        Client::new(&node).ask(&[b"DEL", b"one"], b":1\r\n");
        assert_eq!(digest(&node), expected, "{name}");
    }
}

#[test]
fn an_append_only_file_begins_with_the_snapshot_there_is() {
    for (name, expected) in digests("rdb") {
        let folder = tempfile::tempdir().unwrap();
        fs::copy(fixtures("rdb").join(&name), folder.path().join("dump.rdb")).unwrap();
        let dialect = if name.starts_with("valkey") { "dialect valkey" } else { "" };
        let node = loaded(folder.path(), dialect).unwrap();
        assert_eq!(digest(&node), expected, "{name}");
        node.stop();
        fs::remove_file(folder.path().join("dump.rdb")).unwrap();
        assert_eq!(digest(&loaded(folder.path(), dialect).unwrap()), expected, "{name}");
    }
}

#[test]
fn the_one_file_of_older_servers_is_moved_and_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let old = folder.path().join("appendonly.aof");
    let snapshot = fs::read(fixtures("rdb").join("redis-7.0.15.rdb")).unwrap();
    fs::write(&old, [snapshot, calls(&["SELECT 15", "SET behind snapshot"])].concat()).unwrap();
    for _ in 0..2 {
        let node = loaded(folder.path(), "").unwrap();
        let mut client = Client::new(&node);
        client.ask(&[b"EXISTS", b"string:text"], b":1\r\n");
        client.ask(&[b"SELECT", b"15"], b"+OK\r\n");
        client.ask(&[b"GET", b"behind"], &bulk(b"snapshot"));
        assert!(!old.exists());
    }
}

#[test]
fn nothing_is_loaded_of_a_transaction_without_end() {
    let whole = calls(&["SET a 1", "MULTI", "SET b 1", "EXEC"]);
    let folder = folder(EMPTY, &[&whole[..], &calls(&["MULTI", "SET c 1"])].concat());
    let path = folder.path().join("appendonlydir").join(INCREMENT);
    let before = fs::read(&path).unwrap();
    let refused = loaded(folder.path(), "aof-load-truncated no").err().unwrap();
    for text in [INCREMENT, "offset 83", "aof-load-truncated", "--check-aof --fix"] {
        assert!(refused.contains(text), "{refused}");
    }
    assert_eq!(fs::read(&path).unwrap(), before);
    let node = loaded(folder.path(), "").unwrap();
    Client::new(&node).ask(&[b"EXISTS", b"a", b"b", b"c"], b":2\r\n");
    assert_eq!(fs::read(&path).unwrap(), whole);
    // What comes next is no part of it.
    Client::new(&node).ask(&[b"SET", b"d", b"1"], b"+OK\r\n");
    node.stop();
    let node = loaded(folder.path(), "").unwrap();
    Client::new(&node).ask(&[b"EXISTS", b"a", b"b", b"c", b"d"], b":3\r\n");
}

#[test]
fn no_time_is_up_before_all_is_loaded() {
    let entry = |key: u8| [&[0xfc, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, key][..], &[1, b'v']].concat();
    let base = [&b"REDIS0009\xfe\0"[..], &entry(b'a'), &entry(b'b'), &EMPTY[9..]].concat();
    let changes = calls(&[
        "PERSIST a",
        "SET c v PXAT 1",
        "APPEND c w",
        "PERSIST c",
        "SET d v PXAT 1",
        // Not as a server records it.
        "SET e v EX 1000",
        "HSET h f v g w",
        "HPEXPIREAT h 1 FIELDS 2 f g",
        "HPERSIST h FIELDS 1 f",
    ]);
    let node = loaded(folder(&base, &changes).path(), "").unwrap();
    let mut client = Client::new(&node);
    wait_until("what is past its time is gone", || line(&node, &[b"DBSIZE"]) == ":4");
    client.ask(&[b"EXISTS", b"a", b"b", b"c", b"d", b"e"], b":3\r\n");
    client.ask(&[b"GET", b"c"], &bulk(b"vw"));
    client.ask(&[b"HLEN", b"h"], b":1\r\n");
    let ttl: i64 = line(&node, &[b"TTL", b"e"])[1..].parse().unwrap();
    assert!((990..=1000).contains(&ttl), "{ttl}");
}

#[test]
fn what_clients_may_not_do_is_loaded_nevertheless() {
    let changes = calls(&["SET a 1", "LPUSH l 1 2", "EVAL return(redis.call('incr','a')) 0"]);
    let settings = "maxmemory 1\nuser default off\nuser admin on nopass ~* +@all";
    let node = loaded(folder(EMPTY, &changes).path(), settings).unwrap();
    let mut client = Client::new(&node);
    client.ask(&[b"AUTH", b"admin", b"x"], b"+OK\r\n");
    client.ask(&[b"GET", b"a"], &bulk(b"2"));
    client.ask(&[b"LLEN", b"l"], b":2\r\n");
}

#[test]
fn what_cannot_be_done_again_stops_the_start() {
    for (change, reason) in [
        ("LPUSH a 1", "WRONGTYPE"),
        ("NOSUCH a", "unknown command 'NOSUCH'"),
        ("SET a", "wrong number of arguments for 'set'"),
        ("SELECT 16", "DB index is out of range"),
        ("EVALSHA 0123456789012345678901234567890123456789 0", "NOSCRIPT"),
        ("BLPOP none 0", "waits"),
        ("QUIT", "ends its connection"),
    ] {
        let changes = calls(&["SET a 1", change, "SET b 1"]);
        let folder = folder(EMPTY, &changes);
        let refused = loaded(folder.path(), "").err().unwrap();
        assert!(refused.contains("at offset 27") && refused.contains(reason), "{refused}");
        let changes = calls(&["SET a 1", "MULTI", change, "EXEC"]);
        fs::write(folder.path().join("appendonlydir").join(INCREMENT), changes).unwrap();
        assert!(loaded(folder.path(), "").is_err() || change.starts_with("BLPOP"), "{change}");
    }
    // Older servers have recorded scripts that failed half way.
    let script = "EVAL redis.call('set','a','2')redis.call('lpush','a','1') 0";
    let node = loaded(folder(EMPTY, &calls(&["SET a 1", script])).path(), "").unwrap();
    Client::new(&node).ask(&[b"GET", b"a"], &bulk(b"2"));
}

/// Whatever is changed in a file, it is loaded or refused with its name; what is left out is only a tail.
#[test]
fn damaged_append_only_files_are_loaded_or_refused() {
    let mut rng = Rng::new(7);
    for (name, expected) in digests("aof") {
        let dialect = if name.starts_with("valkey") { "dialect valkey" } else { "" };
        let original = copy_of(&name);
        let file = "appendonlydir/appendonly.aof.2.incr.aof";
        let good = fs::read(original.path().join(file)).unwrap();
        for round in 0..30 {
            let folder = copy_of(&name);
            let mut bytes = good.clone();
            if round % 2 == 0 {
                bytes.truncate(rng.index(bytes.len()));
            } else {
                let at = rng.index(bytes.len());
                bytes[at] ^= 1 << rng.index(8);
            }
            fs::write(folder.path().join(file), &bytes).unwrap();
            match loaded(folder.path(), dialect) {
                Ok(node) => {
                    let total = node.server().engine.loading.bytes_total.load(Relaxed);
                    assert!(bytes.len() as u64 <= total, "{name} {round}");
                    node.stop();
                    // Keys may have expired since, which is behind what was kept.
                    let now = fs::read(folder.path().join(file)).unwrap();
                    let kept = bytes.iter().zip(&now).take_while(|(one, other)| one == other);
                    let tail = &bytes[kept.count()..];
                    let hidden = tail.windows(3).filter(|at| at == b"\r\n*").count();
                    assert!(
                        round % 2 == 0 || hidden <= 1,
                        "{name} {round}: {}",
                        tail.escape_ascii()
                    );
                }
                Err(error) => {
                    assert!(error.contains("appendonly.aof.2.incr.aof"), "{error}");
                    assert_eq!(fs::read(folder.path().join(file)).unwrap(), bytes);
                }
            }
        }
        assert_eq!(digest(&loaded(original.path(), dialect).unwrap()), expected);
    }
}

#[test]
fn a_damaged_base_stops_the_start() {
    let snapshot = fs::read(fixtures("rdb").join("redis-7.0.15.rdb")).unwrap();
    let mut changed = snapshot.clone();
    let end = changed.len() - 1;
    changed[end] ^= 1;
    let last = snapshot.len() / 2;
    for (base, reason) in [(&changed[..], "wrong checksum"), (&snapshot[..last], "unexpected end")]
    {
        let folder = folder(base, &calls(&["SET a 1"]));
        let refused = loaded(folder.path(), "").err().unwrap();
        for text in ["appendonly.aof.1.base.rdb", "at offset", reason, "--check-aof"] {
            assert!(refused.contains(text), "{refused}");
        }
    }
}
