//! Snapshots: those of other servers, our own after a restart, and damaged ones.

use crate::client::{Client, node, wait_until};
use crate::program::Program;
use server::config::{Config, Dialect, Machine};
use server::inprocess::InProcess;
use server::persistence::{check, load};
use server::start::Node;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::Relaxed;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/rdb")
}

/// A node over this folder and file.
fn node_over(folder: &Path, file: &str, more: &str) -> Node {
    let text = format!(
        "enable-debug-command yes\ndir \"{}\"\ndbfilename {file}\n{more}",
        folder.display()
    );
    node(&text)
}

fn loaded(folder: &Path, file: &str, more: &str) -> Result<Node, String> {
    let node = node_over(folder, file, more);
    let settings = node.server().host.settings();
    load::load(node.server(), &settings).map_err(|error| error.to_string())?;
    Ok(node)
}

fn line(client: &mut Client, words: &[&[u8]]) -> String {
    client.send(&crate::client::request(words));
    String::from_utf8(client.read_line()).unwrap().trim_end().to_owned()
}

fn digest(node: &Node) -> String {
    line(&mut Client::new(node), &[b"DEBUG", b"DIGEST"])
}

#[test]
fn snapshots_of_all_servers_are_loaded_and_written() {
    let digests = fs::read_to_string(fixtures().join("digests.txt")).unwrap();
    for (file, expected) in digests.lines().filter_map(|line| line.split_once(' ')) {
        let dialect = if file.starts_with("valkey") { "dialect valkey" } else { "" };
        let folder = tempfile::tempdir().unwrap();
        fs::copy(fixtures().join(file), folder.path().join(file)).unwrap();
        let node = loaded(folder.path(), file, dialect).unwrap();
        assert_eq!(digest(&node), format!("+{expected}"), "{file}");
        // What we write of it is the same.
        Client::new(&node).ask(&[b"SAVE"], b"+OK\r\n");
        let names: Vec<_> =
            fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, [file]);
        let written = fs::read(folder.path().join(file)).unwrap();
        assert_ne!(written, fs::read(fixtures().join(file)).unwrap());
        let again = loaded(folder.path(), file, dialect).unwrap();
        assert_eq!(digest(&again), format!("+{expected}"), "{file}");
        let keys = |node: &Node| line(&mut Client::new(node), &[b"DBSIZE"]);
        assert_eq!(keys(&again), keys(&node));
        let report = check::check(&folder.path().join(file), 0);
        assert!(report.is_fine && report.text.contains("RDB looks OK!"), "{}", report.text);
    }
}

#[test]
fn functions_are_saved_and_loaded() {
    const LIBRARY: &[u8] =
        b"#!lua name=counter\nlocal n = 0\nredis.register_function('next', function() n = n + 1 return n end)";
    let folder = tempfile::tempdir().unwrap();
    let node = loaded(folder.path(), "dump.rdb", "rdb-version 9").unwrap();
    let mut client = Client::new(&node);
    client.ask(&[b"FUNCTION", b"LOAD", LIBRARY], b"$7\r\ncounter\r\n");
    client.ask(&[b"FCALL", b"next", b"0"], b":1\r\n");
    // The first version with functions is 10.
    assert!(line(&mut client, &[b"SAVE"]).starts_with("-ERR"));
    client.ask(&[b"CONFIG", b"SET", b"rdb-version", b"10"], b"+OK\r\n");
    client.ask(&[b"SAVE"], b"+OK\r\n");
    let again = loaded(folder.path(), "dump.rdb", "").unwrap();
    let mut client = Client::new(&again);
    client.ask(&[b"FCALL", b"next", b"0"], b":1\r\n");
    client.ask(&[b"FCALL", b"next", b"0"], b":2\r\n");
}

#[test]
fn nothing_is_loaded_where_nothing_is() {
    let folder = tempfile::tempdir().unwrap();
    let node = loaded(folder.path(), "dump.rdb", "").unwrap();
    assert_eq!(line(&mut Client::new(&node), &[b"DBSIZE"]), ":0");
    assert!(!node.server().engine.loading.is_on());
}

#[test]
fn keys_whose_time_has_passed_are_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let entry = |deadline: u64, key: u8| {
        [&[0xfc][..], &deadline.to_le_bytes(), &[0, 1, key, 1, b'v']].concat()
    };
    let body = [b"REDIS0009\xfe\x00".to_vec(), entry(1, b'a'), entry(4_000_000_000_000, b'b')];
    let file = [body.concat(), vec![0xff], vec![0; 8]].concat();
    fs::write(folder.path().join("dump.rdb"), file).unwrap();
    let node = loaded(folder.path(), "dump.rdb", "").unwrap();
    let mut client = Client::new(&node);
    client.ask(&[b"PEXPIRETIME", b"b"], b":4000000000000\r\n");
    client.ask(&[b"DBSIZE"], b":1\r\n");
    let loading = &node.server().engine.loading;
    assert_eq!((loading.keys_loaded.load(Relaxed), loading.keys_expired.load(Relaxed)), (1, 1));
}

#[test]
fn a_damaged_snapshot_is_named_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let good = fs::read(fixtures().join("redis-7.0.15.rdb")).unwrap();
    let path = folder.path().join("dump.rdb");
    let refused = |bytes: &[u8], expected: &[&str]| {
        fs::write(&path, bytes).unwrap();
        let error = loaded(folder.path(), "dump.rdb", "").err().unwrap();
        for text in expected.iter().chain(&["dump.rdb", "--check-rdb"]) {
            assert!(error.contains(text), "{error}");
        }
        assert!(!check::check(&path, 0).is_fine);
        assert_eq!(fs::read(&path).unwrap(), bytes, "the file was touched");
    };
    refused(&good[..good.len() / 2], &["at offset", "unexpected end"]);
    refused(&good[..5], &["unexpected end"]);
    refused(b"", &["unexpected end"]);
    let mut changed = good;
    let end = changed.len() - 1;
    changed[end] ^= 1;
    refused(&changed, &["wrong checksum", "at offset"]);
    refused(b"REDIS0099", &["RDB version 99 is not known"]);
    // In themselves these are whole.
    let elsewhere = b"REDIS0009\xfe\x10\xff\0\0\0\0\0\0\0\0";
    let lost = b"REDIS0010\xf5\x0d#!lua name=a\n\xff\0\0\0\0\0\0\0\0";
    let twice = b"REDIS0009\xfe\0\0\x01k\x01v\0\x01k\x01w\xff\0\0\0\0\0\0\0\0";
    let wrong = [
        (&elsewhere[..], "database 16"),
        (twice, "a key comes twice"),
        (lost, "a library of functions: ERR No functions registered"),
    ];
    for (bytes, expected) in wrong {
        fs::write(&path, bytes).unwrap();
        let error = loaded(folder.path(), "dump.rdb", "").err().unwrap();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn while_loading_only_some_calls_are_answered() {
    let folder = tempfile::tempdir().unwrap();
    let node = node_over(folder.path(), "dump.rdb", "");
    let mut client = Client::new(&node);
    let loading = &node.server().engine.loading;
    loading.begin(1000, 1);
    client.ask(&[b"GET", b"k"], b"-LOADING Redis is loading the dataset in memory\r\n");
    client.ask(&[b"SET", b"k", b"v"], b"-LOADING Redis is loading the dataset in memory\r\n");
    client.send(&crate::client::request(&[b"INFO", b"persistence"]));
    wait_until("INFO is there", || client.read_line().starts_with(b"loading:1"));
    wait_until("its end is there", || client.read_line().starts_with(b"loading_eta_seconds"));
    client.read_line();
    loading.end();
    client.ask(&[b"SET", b"k", b"v"], b"+OK\r\n");
    client.ask(&[b"GET", b"k"], b"$1\r\nv\r\n");
}

#[test]
fn a_snapshot_that_cannot_be_written_leaves_the_old_one() {
    let folder = tempfile::tempdir().unwrap();
    let machine = || Machine { cores: 1, memory_bytes: 1 << 30 };
    let text =
        format!("save \"\"\ndir \"{}\"\ndbfilename there/dump.rdb\n", folder.path().display());
    // A name with a folder in it is refused; so the folder itself goes.
    assert!(Config::from_text(text.as_bytes(), Dialect::Redis, machine()).is_err());
    let text = text.replace("there/", "");
    let config = Config::from_text(text.as_bytes(), Dialect::Redis, machine()).unwrap();
    let node = InProcess::new(config, &[]);
    drop(folder);
    let mut caller = node.connect();
    assert_eq!(node.call(&mut caller, &[b"SAVE"]), b"-ERR\r\n");
    node.disconnect(caller);
}

const QUIET: [&str; 6] = ["--port", "0", "--save", "", "--unixsocket", "socket"];

#[test]
fn the_program_loads_what_is_in_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(fixtures().join("redis-8.0.6.rdb"), folder.path().join("dump.rdb")).unwrap();
    let mut program = Program::start(&QUIET, folder.path());
    let lines = program.wait_for("Ready to accept connections unix");
    let place = |text: &str| {
        let found = lines.iter().position(|line| line.contains(text));
        found.unwrap_or_else(|| panic!("no '{text}' in {lines:#?}"))
    };
    let texts = [
        "Server initialized",
        "Loading RDB produced by version 8.0.6",
        "Done loading RDB, keys loaded: 3",
        "DB loaded from disk: ",
        "Ready to accept connections unix",
    ];
    assert!(texts.map(place).is_sorted(), "{lines:#?}");
}

#[test]
fn the_program_does_not_start_over_a_damaged_snapshot() {
    let folder = tempfile::tempdir().unwrap();
    let good = fs::read(fixtures().join("redis-8.0.6.rdb")).unwrap();
    let path = folder.path().join("dump.rdb");
    fs::write(&path, &good[..good.len() / 2]).unwrap();
    let (log, code) = Program::start(&QUIET, folder.path()).finish();
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains("dump.rdb', at offset") && log.contains("unexpected end"), "{log}");
    assert!(!log.contains("Ready to accept"), "{log}");
    assert_eq!(fs::metadata(&path).unwrap().len(), good.len() as u64 / 2);
    let (text, code) = Program::start(&["--check-rdb", "dump.rdb"], folder.path()).finish();
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("--- RDB ERROR DETECTED ---"), "{text}");
    fs::write(&path, &good).unwrap();
    let (text, code) = Program::start(&["--check-rdb", "dump.rdb"], folder.path()).finish();
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("AUX FIELD redis-ver = '8.0.6'"), "{text}");
    assert!(text.contains("\\o/ RDB looks OK! \\o/"), "{text}");
}

#[test]
fn a_version_may_be_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let node = node_over(folder.path(), "dump.rdb", "");
    let mut client = Client::new(&node);
    let header = || fs::read(folder.path().join("dump.rdb")).unwrap()[..9].to_vec();
    client.ask(&[b"HSET", b"h", b"f", b"v"], b":1\r\n");
    client.ask(&[b"SAVE"], b"+OK\r\n");
    assert_eq!(header(), b"REDIS0010");
    client.ask(&[b"CONFIG", b"SET", b"rdb-version", b"80"], b"+OK\r\n");
    client.ask(&[b"SAVE"], b"+OK\r\n");
    assert_eq!(header(), b"VALKEY080");
    client.ask(&[b"HPEXPIRE", b"h", b"1000000", b"FIELDS", b"1", b"f"], b"*1\r\n:1\r\n");
    client.ask(&[b"SAVE"], b"+OK\r\n");
    client.ask(&[b"CONFIG", b"SET", b"rdb-version", b"11"], b"+OK\r\n");
    // Nothing is left out: rather there is no new snapshot.
    client.ask(&[b"SAVE"], b"-ERR\r\n");
    assert_eq!(header(), b"VALKEY080");
    client.ask(&[b"CONFIG", b"SET", b"rdb-version", b"auto"], b"+OK\r\n");
    client.ask(&[b"SAVE"], b"+OK\r\n");
    assert_eq!(header(), b"REDIS0012");
    let names = fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(names, 1, "a temporary file is left");
}
