//! Files that were changed at random, and what the whole server makes of them: it loads them, or says which file
//! is wrong and where; it does not panic, hang, or ask for more memory than the file can need. The programs that
//! check files say the same of them.

use crate::client::{Client, node, request};
use base::rand::Rng;
use persist::disk::MachineDisk;
use server::persistence::check;
use server::persistence::check_append_only::{self, Mend, Request};
use server::persistence::load;
use server::start::Node;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const MANIFEST: &str = "appendonly.aof.manifest";
/// Words of refusals that a file's form does not show: what it holds does not go together.
const OF_CONTENTS: [&str; 4] =
    ["a key comes twice", "is beyond the", "a library of functions", "was refused"];

type Files = BTreeMap<String, Vec<u8>>;

fn fixtures(kind: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures").join(kind)
}

fn snapshots() -> Vec<(String, Vec<u8>)> {
    let files = fs::read_dir(fixtures("rdb")).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|e| e == "rdb")).collect();
    files.sort();
    let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    files.iter().map(|path| (name(path), fs::read(path).unwrap())).collect()
}

fn dialect(name: &str) -> &'static str {
    if name.starts_with("valkey") { "dialect valkey\n" } else { "" }
}

fn loaded(folder: &Path, more: &str) -> Result<Node, String> {
    let node = node(&format!("enable-debug-command yes\ndir \"{}\"\n{more}", folder.display()));
    let settings = node.server().host.settings();
    load::load(node.server(), &settings).map_err(|error| error.to_string())?;
    Ok(node)
}

fn digest(node: &Node) -> Vec<u8> {
    let mut client = Client::new(node);
    client.send(&request(&[b"DEBUG", b"DIGEST"]));
    client.read_line()
}

/// Changes some bytes, as disks, programs and people do.
fn change(bytes: &mut Vec<u8>, rng: &mut Rng) {
    let len = bytes.len();
    let mut block = |most: usize| {
        let at = rng.index(len.max(1));
        at..len.min(at + 1 + rng.index(most))
    };
    let (block, other) = (block(512), block(512));
    match rng.below(10) {
        0 => bytes.truncate(block.start),
        1 => {
            let noise: Vec<u8> = (0..1 + rng.below(64)).map(|_| rng.next_u64() as u8).collect();
            bytes.splice(block.start..block.start, noise);
        }
        2 => drop(bytes.drain(block)),
        3 => bytes[block].fill(0),
        4 => {
            let doubled = bytes[block.clone()].to_vec();
            bytes.splice(block.start..block.start, doubled);
        }
        // Two blocks have changed places.
        5 => {
            let len = block.len().min(other.len());
            for index in 0..len {
                bytes.swap(block.start + index, other.start + index);
            }
        }
        6 => set_snapshot_length(bytes, block.start, rng),
        7 => set_command_length(bytes, rng),
        _ if len == 0 => {}
        _ => bytes[block.start] ^= 1 << rng.below(8),
    }
}

/// Puts a length as snapshots have them somewhere.
fn set_snapshot_length(bytes: &mut Vec<u8>, at: usize, rng: &mut Rng) {
    let short = (rng.next_u64() as u32 >> rng.below(32)).to_be_bytes();
    let long = (rng.next_u64() >> rng.below(64)).to_be_bytes();
    let length = if rng.below(2) == 0 {
        [&b"\x80"[..], &short].concat()
    } else {
        [&b"\x81"[..], &long].concat()
    };
    bytes.splice(at..bytes.len().min(at + 1), length);
}

/// Replaces one of the numbers behind `*` or `$`.
fn set_command_length(bytes: &mut Vec<u8>, rng: &mut Rng) {
    let is_sign = |index: &usize| matches!(bytes[*index], b'*' | b'$');
    let signs: Vec<usize> = (0..bytes.len()).filter(is_sign).collect();
    let Some(sign) = signs.get(rng.index(signs.len().max(1))) else { return };
    let digits = bytes[sign + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number = std::str::from_utf8(&bytes[sign + 1..sign + 1 + digits]).unwrap();
    let number: u64 = number.parse().unwrap_or(0);
    let lengths = [
        (number + 1).to_string(),
        number.saturating_sub(1).to_string(),
        (number * 10).to_string(),
        "536870912".to_owned(),
        "2147483647".to_owned(),
        u64::MAX.to_string(),
        "-1".to_owned(),
        String::new(),
    ];
    let length = lengths[rng.index(lengths.len())].bytes();
    bytes.splice(sign + 1..sign + 1 + digits, length);
}

/// Changes whole lines, as people do.
fn change_lines(bytes: &mut Vec<u8>, rng: &mut Rng) {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
    let (one, other) = (rng.index(lines.len()), rng.index(lines.len()));
    match rng.below(3) {
        0 => lines.swap(one, other),
        1 => drop(lines.remove(one)),
        _ => lines.insert(one, lines[other]),
    }
    *bytes = lines.concat().into_bytes();
}

#[test]
fn a_changed_snapshot_is_refused_or_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dump.rdb");
    let (mut loads, mut refusals) = (0, 0);
    for (seed, (name, good)) in (1..).zip(snapshots()) {
        let mut rng = Rng::new(seed);
        fs::write(&path, &good).unwrap();
        let expected = digest(&loaded(folder.path(), dialect(&name)).unwrap());
        for round in 0..40 {
            let mut bytes = good.clone();
            // Without its checksum more of it has to be understood.
            let is_summed = round % 3 == 0;
            if is_summed {
                change(&mut bytes, &mut rng);
            } else {
                bytes.truncate(good.len() - 8);
                change(&mut bytes, &mut rng);
                bytes.extend([0; 8]);
            }
            fs::write(&path, &bytes).unwrap();
            let report = check::check(&path, 0);
            let about = format!("{name}, round {round}: {}", report.text);
            match loaded(folder.path(), dialect(&name)) {
                Ok(node) => {
                    loads += 1;
                    assert!(report.is_fine, "{about}");
                    assert!(!is_summed || digest(&node) == expected, "{about}");
                }
                Err(error) => {
                    refusals += 1;
                    assert!(error.contains("dump.rdb") && error.contains("--check-rdb"), "{error}");
                    let is_of_contents = OF_CONTENTS.iter().any(|words| error.contains(words));
                    assert!(is_of_contents || error.contains("at offset"), "{error}");
                    assert!(is_of_contents || !report.is_fine, "{error}\n{about}");
                }
            }
            assert_eq!(fs::read(&path).unwrap(), bytes, "{about}");
        }
    }
    assert!(5 < loads && 60 < refusals, "{loads} were loaded, {refusals} were refused");
}

/// An append-only file as servers leave them: with times, transactions, and a base of one kind or another.
fn append_only_file(rng: &mut Rng) -> Files {
    let calls = |rng: &mut Rng| {
        let mut bytes = Vec::new();
        for second in 1_700_000_000..1_700_000_000 + 2 + rng.below(30) {
            let (number, text) = (second.to_string(), "x\r\n*3\r\n".repeat(rng.index(20)));
            let (number, text) = (number.as_bytes(), text.as_bytes());
            let words: &[&[&[u8]]] = match rng.below(6) {
                0 => &[&[b"SET", b"s", text]],
                1 => &[&[b"RPUSH", b"l", number, text]],
                2 => &[&[b"MULTI"], &[b"INCR", b"n"], &[b"HSET", b"h", number, text], &[b"EXEC"]],
                3 => &[&[b"SELECT", b"3"], &[b"SADD", b"t", number], &[b"SELECT", b"0"]],
                4 => &[&[b"XADD", b"x", b"*", b"f", text]],
                _ => &[&[b"ZADD", b"z", number, text]],
            };
            if rng.below(3) == 0 {
                bytes.extend(format!("#TS:{second}\r\n").bytes());
            }
            bytes.extend(words.iter().flat_map(|words| request(words)));
        }
        bytes
    };
    let snapshots = snapshots();
    let snapshot = snapshots[rng.index(snapshots.len() - 1)].1.clone();
    let (name, base) = match rng.below(3) {
        0 => ("appendonly.aof.2.base.aof", calls(rng)),
        1 => ("appendonly.aof.2.base.rdb", snapshot),
        // As older servers wrote it, in one file.
        _ => ("appendonly.aof", [snapshot, calls(rng)].concat()),
    };
    let manifest = format!(
        "file {name} seq 2 type b\n\
         file appendonly.aof.3.incr.aof seq 3 type i\n\
         file appendonly.aof.4.incr.aof seq 4 type i\n"
    );
    BTreeMap::from([
        (MANIFEST.to_owned(), manifest.into_bytes()),
        (name.to_owned(), base),
        ("appendonly.aof.3.incr.aof".to_owned(), calls(rng)),
        ("appendonly.aof.4.incr.aof".to_owned(), calls(rng)),
    ])
}

fn put(folder: &Path, files: &Files) {
    let _ = fs::remove_dir_all(folder);
    fs::create_dir(folder).unwrap();
    files.iter().for_each(|(name, bytes)| fs::write(folder.join(name), bytes).unwrap());
}

fn files(folder: &Path) -> Files {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    files.map(|path| (name(&path), fs::read(&path).unwrap())).collect()
}

/// What `--check-aof` says, and whether all is well then.
fn checked(folder: &Path, mend: Mend) -> (String, bool) {
    let request = Request { path: folder.join(MANIFEST), mend };
    let mut out = Vec::new();
    let is_fine =
        check_append_only::check(&MachineDisk, &request, 0, &mut &b"y\n"[..], &mut out).unwrap();
    (String::from_utf8_lossy(&out).into_owned(), is_fine)
}

#[test]
fn a_changed_append_only_file_is_refused_or_loaded() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("appendonlydir");
    let (mut loads, mut refusals, mut mended) = (0, 0, 0);
    for seed in 0..160 {
        let mut rng = Rng::new(seed);
        let mut given = append_only_file(&mut rng);
        if seed < 10 {
            // Nothing but the change is wrong with it.
            put(&folder, &given);
            assert!(checked(&folder, Mend::Nothing).1, "seed {seed}");
            loaded(dir.path(), "appendonly yes\naof-load-truncated no").unwrap();
        }
        let names: Vec<String> = given.keys().cloned().collect();
        let name = &names[rng.index(names.len())];
        let bytes = given.get_mut(name).unwrap();
        match name == MANIFEST && rng.below(2) == 0 {
            true => change_lines(bytes, &mut rng),
            false => change(bytes, &mut rng),
        }
        put(&folder, &given);
        let (text, is_fine) = checked(&folder, Mend::Nothing);
        assert_eq!(files(&folder), given);
        let about = format!("seed {seed}, {name}: {text}");
        let cuts_tail = rng.below(2) == 0;
        let more =
            if cuts_tail { "appendonly yes" } else { "appendonly yes\naof-load-truncated no" };
        match loaded(dir.path(), more) {
            Ok(node) => {
                loads += 1;
                node.stop();
                // Without leave to cut a tail off, only what is whole is loaded.
                let tail_is_cut = cuts_tail && !is_fine;
                for (name, bytes) in &given {
                    let now = fs::read(folder.join(name)).unwrap();
                    assert!(tail_is_cut || now.starts_with(bytes) || name == MANIFEST, "{about}");
                }
                assert!(is_fine || cuts_tail, "{about}");
            }
            Err(error) => {
                refusals += 1;
                assert_eq!(files(&folder), given, "{error}\n{about}");
                assert!(error.contains("appendonlydir/"), "{error}");
                let places = [
                    "at offset",
                    "to offset",
                    "line ",
                    "is not there",
                    "no manifest",
                    "names no file",
                ];
                let is_of_contents = OF_CONTENTS.iter().any(|words| error.contains(words));
                assert!(
                    is_of_contents || places.iter().any(|place| error.contains(place)),
                    "{error}"
                );
                let has_no_line = error.contains("no manifest");
                assert!(is_of_contents || has_no_line || !is_fine, "{error}\n{about}");
            }
        }
        // What is mended is loaded, or what it holds does not go together.
        put(&folder, &given);
        if !is_fine && checked(&folder, Mend::Tail).1 {
            mended += 1;
            if let Err(error) = loaded(dir.path(), more) {
                let is_of_contents = OF_CONTENTS.iter().any(|words| error.contains(words));
                assert!(is_of_contents || error.contains("no manifest"), "{error}\n{about}");
            }
        }
    }
    assert!(15 < loads && 50 < refusals && 10 < mended, "{loads}, {refusals}, {mended}");
}

/// Runs the program with little memory and for some seconds at most; what it says, and how it has ended.
fn run_with(kilobytes: u64, words: &[&str], folder: &Path) -> (String, Option<i32>) {
    let limited = format!("ulimit -v {kilobytes}; exec \"$@\"");
    let output = Command::new("timeout")
        .args(["20", "sh", "-c", &limited, "sh", env!("CARGO_BIN_EXE_ochre-server")])
        .args(words)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    (String::from_utf8_lossy(&output.stdout).into_owned(), output.status.code())
}

#[test]
fn wrong_lengths_ask_for_no_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dump.rdb");
    // As much as it takes to look at a good one, and a bit.
    const KILOBYTES: u64 = 400_000;
    for (seed, (name, good)) in (1..).zip(snapshots()) {
        let mut rng = Rng::new(seed);
        fs::write(&path, &good).unwrap();
        let (text, code) = run_with(KILOBYTES, &["--check-rdb", "dump.rdb"], folder.path());
        assert_eq!(code, Some(0), "{name}: {text}");
        for round in 0..12 {
            let mut bytes = good[..good.len() - 8].to_vec();
            let at = 9 + rng.index(bytes.len() - 9);
            let (form, digits) = (0x80 + (round % 2) as u8, [0x0f, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
            let len = if form == 0x80 { 4 } else { 8 };
            bytes.splice(at..at + 1, [&[form][..], &digits[..len]].concat());
            bytes.extend([0; 8]);
            fs::write(&path, &bytes).unwrap();
            let (text, code) = run_with(KILOBYTES, &["--check-rdb", "dump.rdb"], folder.path());
            assert!(matches!(code, Some(0 | 1)), "{name}, round {round}: {code:?}\n{text}");
        }
    }
    let files = folder.path().join("appendonlydir");
    for length in ["536870912", "9223372036854775807"] {
        for command in
            [format!("*{length}\r\n$3\r\nSET\r\n"), format!("*2\r\n$3\r\nGET\r\n${length}\r\n")]
        {
            let whole = request(&[b"SET", b"a", b"1"]);
            let increment = [&whole, command.as_bytes(), &whole].concat();
            let given = BTreeMap::from([
                (MANIFEST.to_owned(), b"file a seq 1 type i\n".to_vec()),
                ("a".to_owned(), increment),
            ]);
            put(&files, &given);
            let (text, code) =
                run_with(KILOBYTES, &["--check-aof", "appendonlydir/a"], folder.path());
            assert_eq!(code, Some(1), "{text}");
            // A whole server has threads and tables, and needs more.
            let (text, code) = run_with(
                10 * KILOBYTES,
                &[
                    "--appendonly",
                    "yes",
                    "--port",
                    "0",
                    "--unixsocket",
                    "socket",
                    "--loglevel",
                    "warning",
                ],
                folder.path(),
            );
            assert!(code == Some(1) && text.contains("appendonlydir/a"), "{code:?}: {text}");
        }
    }
}
