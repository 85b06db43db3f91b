//! The one file of older servers becomes the base of a folder, wherever the power fails meanwhile.

use base::clock::ManualClock;
use base::rand::Rng;
use persist::aof::Place;
use persist::disk::Disk;
use sim::contents::Contents;
use sim::disk::{Nature, SimDisk};
use sim::keeper::Keeper;
use sim::node;
use sim::restart;
use sim::trace::Trace;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const OLD: &[u8] =
    b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n*3\r\n$5\r\nRPUSH\r\n$1\r\nb\r\n$1\r\n2\r\n";

fn place() -> Place {
    Place { folder: PathBuf::from("data/aof"), name: "a.aof".to_owned() }
}

/// A disk with the old file, all of it safe.
fn disk(seed: u64) -> SimDisk {
    let nature = Nature::draw(&mut Rng::new(seed));
    let disk = SimDisk::new(seed, nature, Arc::new(ManualClock::default()), Trace::off());
    let folder = Path::new("data");
    let made = disk.create_folder(folder).and_then(|()| disk.sync_folder(Path::new("")));
    let written = made.and_then(|()| {
        let mut file = disk.create(&folder.join("a.aof"))?;
        file.write_all(OLD)?;
        file.sync()?;
        disk.sync_folder(folder)
    });
    written.expect("nothing fails yet");
    disk
}

/// Starts a server, which may lose its power; what it has found.
fn start(disk: &SimDisk) -> Option<Contents> {
    let engine = node::engine(1, Arc::default());
    let loaded = restart::load(&engine, disk, &place());
    if disk.is_off() {
        return None;
    }
    let manifest = loaded.expect("what a power failure leaves can be loaded");
    assert!(manifest.is_some(), "the old file was found");
    let opened = Keeper::open(&engine, disk.clone(), place(), manifest);
    assert!(opened.is_ok() || disk.is_off());
    Some(Contents::of(&engine))
}

#[test]
fn the_power_may_fail_anywhere() {
    let expected = start(&disk(0)).expect("the power does not fail");
    assert_eq!(expected.len(), 2);
    let mut cuts = 0;
    for seed in 0..20 {
        for operations in 0..60 {
            let disk = disk(seed);
            disk.cut_power_after(operations);
            let mut found = start(&disk);
            cuts += usize::from(disk.is_off());
            for _ in 0..2 {
                disk.cut_power();
                disk.restore_power();
                found = start(&disk);
            }
            let found = found.expect("the power does not fail any more");
            let difference = expected.difference(&found, 0);
            assert!(difference.is_empty(), "{seed}, {operations}: {difference:?}");
        }
    }
    assert!(400 < cuts, "{cuts}");
}
