//! Files that somebody has changed: a clear error, or a load; never a panic, nor half of what was there
//! where that can be known. An error leaves all files as they are.

use base::clock::ManualClock;
use base::rand::Rng;
use persist::aof::{LoadError, Place, Wrong};
use persist::disk::Disk;
use sim::contents::Contents;
use sim::disk::{Nature, SimDisk};
use sim::keeper::Keeper;
use sim::node::{self, Node};
use sim::restart;
use sim::saving::Form;
use sim::trace::Trace;
use sim::workload::Workload;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const SERVERS: u64 = 24;
const CHANGES: usize = 60;

/// What a server has left, and what it held after each change.
struct Left {
    files: BTreeMap<String, Vec<u8>>,
    /// Since the base.
    moments: Vec<Contents>,
}

fn place() -> Place {
    Place { folder: PathBuf::from("aof"), name: "a.aof".to_owned() }
}

fn disk(seed: u64) -> SimDisk {
    let disk = SimDisk::new(seed, Nature::ORDERLY, Arc::default(), Trace::off());
    disk.create_folder(&place().folder).expect("nothing fails on this disk");
    disk
}

/// Has a server work for a while.
fn work(seed: u64) -> Left {
    let (mut rng, disk) = (Rng::new(seed), disk(seed));
    let clock = Arc::new(ManualClock::new(1_700_000_000_000));
    let engine = node::engine(seed, clock);
    let mut keeper = Keeper::open(&engine, disk.clone(), place(), None).expect("nothing fails");
    let mut node = Node::new(&engine, Trace::off());
    let workload = Workload::draw(&mut rng);
    let mut moments = Vec::new();
    for step in 0..60 {
        node.step(&workload, &mut rng);
        if step == 30 {
            let form = if seed.is_multiple_of(2) { Form::Commands } else { Form::Snapshot };
            keeper.take();
            keeper.begin_rewrite(form);
            keeper.go_on(usize::MAX).expect("nothing fails");
            moments = vec![Contents::of(&engine)];
        } else if keeper.take() {
            moments.push(Contents::of(&engine));
        }
    }
    keeper.settle().expect("nothing fails");
    Left { files: files(&disk), moments }
}

fn files(disk: &SimDisk) -> BTreeMap<String, Vec<u8>> {
    let bytes = |path: &str| disk.bytes(Path::new(path)).expect("it was listed");
    disk.files().into_iter().map(|(path, _)| (path.clone(), bytes(&path))).collect()
}

/// Loads these files; what is held then, and the files as they are then.
fn load(given: &BTreeMap<String, Vec<u8>>) -> (Result<Contents, LoadError>, SimDisk) {
    let disk = disk(1);
    for (path, bytes) in given {
        let mut file = disk.create(Path::new(path)).expect("nothing fails on this disk");
        file.write_all(bytes).expect("nothing fails on this disk");
    }
    let engine = node::engine(1, Arc::default());
    let loaded = restart::load(&engine, &disk, &place());
    (loaded.map(|_| Contents::of(&engine)), disk)
}

/// Changes some bytes, leaves some out or puts some in.
fn change(bytes: &mut Vec<u8>, rng: &mut Rng) {
    for _ in 0..=rng.below(3) {
        let at = rng.index(bytes.len().max(1));
        match rng.below(9) {
            0 => bytes.insert(at.min(bytes.len()), rng.next_u64() as u8),
            1 if at < bytes.len() => drop(bytes.remove(at)),
            // What lengths and types begin with.
            2 if at < bytes.len() => {
                bytes[at] = b"\x00\x40\x7f\x80\x81\xfe\xff09*$-\r\n"[rng.index(14)]
            }
            3 => bytes.extend_from_within(at..),
            4 if at < bytes.len() => {
                let end = at + rng.index(bytes.len() - at);
                bytes.drain(at..end);
            }
            // Blocks that have changed places.
            5 => {
                let len = rng.index(bytes.len() / 2 + 1).min(512);
                let other = rng.index(bytes.len() - len + 1);
                let at = at.min(bytes.len() - len);
                let block = bytes[at..at + len].to_vec();
                bytes.copy_within(other..other + len, at);
                bytes[other..other + len].copy_from_slice(&block);
            }
            // A length far beyond the end.
            6 if at < bytes.len() => {
                let huge = [
                    &b"\x80\xff\xff\xff\xff"[..],
                    b"\x81\x7f\xff\xff\xff\xff\xff\xff\xff",
                    b"$536870911\r\n",
                ];
                let end = bytes.len().min(at + 1);
                bytes.splice(at..end, huge[rng.index(3)].iter().copied());
            }
            _ if at < bytes.len() => bytes[at] ^= 1 << rng.below(8),
            _ => {}
        }
    }
}

#[test]
fn a_shorter_last_file_is_an_earlier_moment() {
    for seed in 0..SERVERS {
        let Left { files, moments } = work(seed);
        let last = files.keys().rfind(|path| path.contains(".incr.")).expect("there is one");
        let mut rng = Rng::new(seed);
        for _ in 0..CHANGES / 4 {
            let mut files = files.clone();
            let bytes = files.get_mut(last).expect("it is there");
            bytes.truncate(rng.index(bytes.len() + 1));
            let found = match load(&files).0 {
                Ok(found) => found,
                // A value that holds whole commands up to the end looks like one whose length is wrong.
                Err(LoadError { wrong: Wrong::Damaged(..), .. }) => continue,
                Err(error) => panic!("seed {seed}: {error}"),
            };
            let is_known = moments.iter().any(|moment| moment.difference(&found, 0).is_empty());
            assert!(is_known, "seed {seed}, {last} cut to {}", files[last].len());
        }
    }
}

#[test]
fn changed_files_are_refused_or_loaded() {
    let (mut loaded, mut refused) = (0, 0);
    for seed in 0..SERVERS {
        let Left { files: whole, moments } = work(seed);
        let last = moments.last().expect("there is the base at least");
        let mut rng = Rng::new(seed);
        for _ in 0..CHANGES {
            let mut files = whole.clone();
            let path = whole.keys().nth(rng.index(whole.len())).expect("there are files");
            change(files.get_mut(path).expect("it is there"), &mut rng);
            let (found, disk) = load(&files);
            match found {
                Ok(found) => {
                    loaded += 1;
                    // Snapshots have a checksum; for commands nobody can tell.
                    let is_summed = whole[path].starts_with(b"REDIS");
                    let is_same = last.difference(&found, 0).is_empty();
                    assert!(
                        is_same || !is_summed,
                        "seed {seed}: {path} was changed, and is loaded"
                    );
                }
                Err(error) => {
                    refused += 1;
                    assert!(error.to_string().contains(&error.path.display().to_string()));
                    assert!(self::files(&disk) == files, "seed {seed}: {path}: {error}");
                }
            }
        }
    }
    assert!(20 < loaded && 100 < refused, "{loaded} were loaded, {refused} were refused");
}

#[test]
fn changed_snapshots_without_a_checksum_are_refused_or_loaded() {
    let (mut loaded, mut refused) = (0, 0);
    for seed in (1..SERVERS).step_by(2) {
        let Left { files, .. } = work(seed);
        let base = files.values().find(|bytes| bytes.starts_with(b"REDIS"));
        let base = base.expect("odd seeds have a snapshot");
        let mut rng = Rng::new(seed);
        for _ in 0..4 * CHANGES {
            let mut bytes = base[..base.len() - 8].to_vec();
            change(&mut bytes, &mut rng);
            bytes.extend([0; 8]);
            let disk = disk(1);
            let mut file = disk.create(Path::new("f")).expect("nothing fails on this disk");
            file.write_all(&bytes).expect("nothing fails on this disk");
            match restart::read(&disk, Path::new("f")) {
                Ok(_) => loaded += 1,
                Err(problem) => {
                    refused += 1;
                    assert!(!problem.is_empty());
                }
            }
        }
    }
    assert!(20 < loaded && 100 < refused, "{loaded} were loaded, {refused} were refused");
}
