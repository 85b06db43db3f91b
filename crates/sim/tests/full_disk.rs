//! A disk that is full at any byte of a snapshot: the one before stays as it is, nothing else is left, clients
//! hear of it if they are to, and once there is room everything is well.

use base::clock::ManualClock;
use base::rand::Rng;
use engine::Engine;
use engine::cut::Purpose;
use engine::settings::Settings;
use persist::disk::Disk;
use sim::contents::Contents;
use sim::disk::{Nature, SimDisk};
use sim::node::{self, Node};
use sim::restart;
use sim::saving::{Author, Form};
use sim::trace::Trace;
use sim::workload::Workload;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const TEMPORARY: &str = "data/temp-1.rdb";
const NAME: &str = "data/dump.rdb";

/// Writes a snapshot, as a server does, and notes how it has ended.
fn save(engine: &Engine, author: &mut Author<'_>) -> bool {
    let mut saving = author
        .begin(Purpose::Snapshot, Form::Snapshot, PathBuf::from(TEMPORARY))
        .named(PathBuf::from(NAME));
    let is_whole = author.go_on(&mut saving, usize::MAX).is_ok();
    if !is_whole {
        author.give_up(saving);
    }
    engine.cuts.set_failed(!is_whole);
    is_whole
}

fn found(disk: &SimDisk) -> Contents {
    restart::read(disk, Path::new(NAME)).expect("the snapshot is whole")
}

#[test]
fn a_full_disk_costs_the_new_snapshot_and_nothing_else() {
    let (mut failed, mut refused) = (0, 0);
    for seed in 0..30 {
        let mut rng = Rng::new(seed);
        let nature = Nature::draw(&mut rng);
        let disk = SimDisk::new(seed, nature, Arc::default(), Trace::off());
        let made = disk.create_folder(Path::new("data"));
        made.and_then(|()| disk.sync_folder(Path::new(""))).expect("there is room");
        let engine = node::engine(seed, Arc::new(ManualClock::new(1_700_000_000_000)));
        let stops_writes = seed % 2 == 0;
        let settings = Settings::clone(&engine.settings());
        engine
            .publish_settings(Settings { snapshot_failure_stops_writes: stops_writes, ..settings });
        let mut node = Node::new(&engine, Trace::off());
        let mut author = Author::new(&engine, disk.clone());
        let workload = Workload::draw(&mut rng);
        (0..20).for_each(|_| node.step(&workload, &mut rng));
        assert!(save(&engine, &mut author), "seed {seed}: there is room");
        let (old, old_bytes) = (Contents::of(&engine), disk.bytes(Path::new(NAME)));
        (0..20).for_each(|_| node.step(&workload, &mut rng));
        let mut space = 0;
        loop {
            disk.set_space(Some(space));
            let about = format!("seed {seed}, {space} bytes");
            let is_whole = save(&engine, &mut author);
            disk.set_space(None);
            assert_eq!(disk.bytes(Path::new(TEMPORARY)), None, "{about}");
            if is_whole {
                break;
            }
            failed += 1;
            assert_eq!(disk.bytes(Path::new(NAME)), old_bytes, "{about}");
            let reply = node.ask(0, &node::words("SET s0 written"));
            assert_eq!(reply.starts_with(b"-MISCONF "), stops_writes, "{about}");
            refused += usize::from(stops_writes);
            assert!(!node.ask(0, &node::words("GET s0")).starts_with(b"-MISCONF "), "{about}");
            space += 1 + rng.index(9);
        }
        // It took as much room as it needed.
        assert!(disk.bytes(Path::new(NAME)).is_some_and(|bytes| bytes.len() <= space));
        let new = Contents::of(&engine);
        assert!(new.difference(&found(&disk), 0).is_empty(), "seed {seed}");
        assert!(!old.difference(&new, 0).is_empty(), "seed {seed}: nothing has changed");
        let reply = node.ask(0, &node::words("SET s0 again"));
        assert!(!reply.starts_with(b"-MISCONF "), "seed {seed}");
        // And it was safe when it was said to be.
        disk.cut_power();
        disk.restore_power();
        assert!(new.difference(&found(&disk), 0).is_empty(), "seed {seed}");
    }
    assert!(300 < failed && 100 < refused, "{failed} have failed, {refused} were refused");
}

#[test]
fn a_power_failure_after_a_full_disk_leaves_the_snapshot_before() {
    for seed in 0..60 {
        let mut rng = Rng::new(seed);
        let nature = Nature::draw(&mut rng);
        let disk = SimDisk::new(seed, nature, Arc::default(), Trace::off());
        let made = disk.create_folder(Path::new("data"));
        made.and_then(|()| disk.sync_folder(Path::new(""))).expect("there is room");
        let engine = node::engine(seed, Arc::default());
        let mut node = Node::new(&engine, Trace::off());
        let mut author = Author::new(&engine, disk.clone());
        node.call(0, &node::words("SET s0 old"));
        assert!(save(&engine, &mut author));
        let old = Contents::of(&engine);
        node.call(0, &node::words("SET s0 new"));
        disk.set_space(Some(rng.index(60)));
        assert!(!save(&engine, &mut author), "seed {seed}");
        disk.cut_power();
        disk.restore_power();
        assert!(old.difference(&found(&disk), 0).is_empty(), "seed {seed}");
    }
}
