//! Snapshots that are loaded on several threads: the same as one thread would find in them, or the same
//! error.

use crate::client::{Client, node, request};
use base::rand::Rng;
use server::persistence::{check, load};
use server::start::Node;
use std::fs;
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;

/// More than the reader hands over unread.
const LONG: usize = 5 << 20;

fn node_over(folder: &Path, more: &str) -> Node {
    node(&format!("enable-debug-command yes\ndir \"{}\"\n{more}", folder.display()))
}

fn loaded(folder: &Path, more: &str) -> Result<Node, String> {
    let node = node_over(folder, more);
    let settings = node.server().host.settings();
    load::load(node.server(), &settings).map_err(|error| error.to_string())?;
    Ok(node)
}

fn digest(node: &Node) -> String {
    let mut client = Client::new(node);
    client.send(&request(&[b"DEBUG", b"DIGEST"]));
    String::from_utf8(client.read_line()).unwrap()
}

fn text(rng: &mut Rng, len_max: usize) -> Vec<u8> {
    // Some are integers, some can be compressed, some are as they are.
    let len = rng.index(len_max) + 1;
    match rng.below(3) {
        0 => (rng.next_u64() >> rng.below(64)).to_string().into_bytes(),
        1 => vec![b'a' + rng.below(26) as u8; len],
        _ => {
            let mut bytes = vec![0; len];
            rng.fill(&mut bytes);
            bytes
        }
    }
}

/// The calls that make `count` keys of all types and many sizes.
fn calls(rng: &mut Rng, count: usize) -> Vec<u8> {
    let mut calls = request(&[b"CLIENT", b"REPLY", b"OFF"]);
    for number in 0..count {
        if rng.below(50) == 0 {
            let db = rng.below(16).to_string();
            calls.extend(request(&[b"SELECT", db.as_bytes()]));
        }
        let key = format!("key:{number}").into_bytes();
        let size = if rng.below(20) == 0 { 400 } else { 1 + rng.index(12) };
        let element_len = if rng.below(10) == 0 { 300 } else { 20 };
        let (verb, parts): (&[u8], _) = match rng.below(6) {
            0 => (b"SET", 0),
            1 => (b"HSET", 2),
            2 => (b"RPUSH", 1),
            3 => (b"SADD", 1),
            4 => (b"ZADD", 2),
            _ => (b"XADD", 3),
        };
        let mut words = vec![verb.to_vec(), key.clone()];
        match verb {
            b"SET" => words.push(text(rng, size * element_len)),
            b"XADD" => words.extend([b"*".to_vec(), text(rng, 9), text(rng, element_len)]),
            b"ZADD" => (0..size).for_each(|place| {
                words.extend([format!("{place}.5").into_bytes(), text(rng, element_len)]);
            }),
            _ => words.extend((0..size * parts).map(|_| text(rng, element_len))),
        }
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        calls.extend(request(&words));
        if rng.below(4) == 0 {
            calls.extend(request(&[b"PEXPIREAT", &key, b"4000000000000"]));
        }
    }
    calls.extend(request(&[b"CLIENT", b"REPLY", b"ON"]));
    calls
}

/// A node with random contents that has written its snapshot into this folder.
fn filled(folder: &Path, seed: u64, count: usize, more: &str) -> Node {
    let node = node_over(folder, more);
    let mut client = Client::new(&node);
    client.send(&calls(&mut Rng::new(seed), count));
    client.expect(b"+OK\r\n");
    node
}

#[test]
fn what_was_saved_is_loaded_by_all_threads() {
    for (seed, settings) in
        [(1, "rdbcompression yes"), (2, "rdbcompression no"), (3, "dialect valkey")]
    {
        let folder = tempfile::tempdir().unwrap();
        let node = filled(folder.path(), seed, 2000, settings);
        let mut client = Client::new(&node);
        client.ask(&[b"SET", b"long", &vec![b'x'; LONG]], b"+OK\r\n");
        let mut random = vec![0; LONG / 400];
        let mut list = vec![b"RPUSH".to_vec(), b"long:list".to_vec()];
        for _ in 0..400 {
            Rng::new(seed).fill(&mut random);
            list.push(random.clone());
        }
        let list: Vec<&[u8]> = list.iter().map(Vec::as_slice).collect();
        client.ask(&list, b":400\r\n");
        client.ask(&[b"SAVE"], b"+OK\r\n");
        let again = loaded(folder.path(), settings).unwrap();
        assert_eq!(digest(&again), digest(&node), "seed {seed}");
        let loading = &again.server().engine.loading;
        assert_eq!(loading.keys_loaded.load(Relaxed), 2002, "seed {seed}");
        let len = fs::metadata(folder.path().join("dump.rdb")).unwrap().len();
        let progress = [&loading.bytes_total, &loading.bytes_loaded];
        assert_eq!(progress.map(|bytes| bytes.load(Relaxed)), [len, len], "seed {seed}");
    }
}

#[test]
fn what_is_wrong_is_found_where_one_thread_finds_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dump.rdb");
    let node = filled(folder.path(), 4, 1500, "");
    Client::new(&node).ask(&[b"SAVE"], b"+OK\r\n");
    node.stop();
    let mut whole = fs::read(&path).unwrap();
    // Without a checksum, so that what is changed is not found by that alone.
    let end = whole.len() - 8;
    whole[end..].fill(0);
    let (mut fine, mut wrong) = (0, 0);
    for seed in 0..100 {
        let mut rng = Rng::new(seed);
        let mut changed = whole.clone();
        if rng.below(8) == 0 {
            changed.truncate(rng.index(changed.len()));
        }
        for _ in 0..rng.below(16) {
            let at = rng.index(changed.len());
            changed[at] = match rng.below(3) {
                0 => b"\x00\x40\x80\x81\xc3\xfc\xfe\xff"[rng.index(8)],
                _ => changed[at] ^ 1 << rng.below(8),
            };
        }
        fs::write(&path, &changed).unwrap();
        let report = check::check(&path, 0);
        match loaded(folder.path(), "").err() {
            None => {
                assert!(report.is_fine, "seed {seed} is loaded: {}", report.text);
                fine += 1;
            }
            // Of these only servers know.
            Some(error) if error.contains("a key comes twice") => {}
            Some(error) if error.contains("is beyond the 16 of the setting") => {}
            Some(error) => {
                let (_, found) = report.text.split_once("DETECTED ---\n[offset ").unwrap();
                let found = found.lines().next().unwrap();
                let (offset, what) = found.split_once("] ").unwrap();
                assert!(
                    error.contains(&format!("at offset {offset}: ")),
                    "seed {seed}: {error}, {found}"
                );
                assert!(error.contains(what), "seed {seed}: {error}, {found}");
                wrong += 1;
            }
        }
    }
    assert!(15 < fine && 15 < wrong, "{fine} are fine, {wrong} are not");
}
