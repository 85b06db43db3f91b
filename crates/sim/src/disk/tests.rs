//! The disk keeps what it promises, and nothing more.

use super::*;
use std::collections::BTreeSet;

const NASTY: Nature = Nature {
    data_order: Order::Any,
    name_order: Order::Any,
    grows_early: true,
    holes: Holes::Zeros,
};

fn disk(seed: u64, nature: Nature) -> SimDisk {
    SimDisk::new(seed, nature, Arc::new(ManualClock::new(0)), Trace::off())
}

fn crash(disk: &SimDisk) {
    disk.cut_power();
    disk.restore_power();
}

/// Everything that can be there after a crash.
fn outcomes(nature: Nature, make: impl Fn(&SimDisk)) -> BTreeSet<Vec<(String, String)>> {
    let outcome = |seed| {
        let disk = disk(seed, nature);
        make(&disk);
        crash(&disk);
        let text = |path: &str| disk.bytes(Path::new(path)).unwrap().escape_ascii().to_string();
        disk.files().into_iter().map(|(path, _)| (path.clone(), text(&path))).collect()
    };
    (0..300).map(outcome).collect()
}

fn set(outcomes: &[&[(&str, &str)]]) -> BTreeSet<Vec<(String, String)>> {
    let pair = |(path, text): &(&str, &str)| ((*path).to_owned(), (*text).to_owned());
    outcomes.iter().map(|outcome| outcome.iter().map(pair).collect()).collect()
}

/// A file whose first two bytes and whose name are safe.
fn two_safe_bytes(disk: &SimDisk) -> Box<dyn Output> {
    let path = Path::new("f");
    let mut file = disk.create(path).unwrap();
    file.write_all(b"ab").unwrap();
    file.sync().unwrap();
    disk.sync_folder(Path::new("")).unwrap();
    file
}

#[test]
fn what_was_synced_stays_and_the_rest_is_torn() {
    let found = outcomes(Nature::ORDERLY, |disk| {
        two_safe_bytes(disk).write_all(b"cd").unwrap();
    });
    assert_eq!(found, set(&[&[("f", "ab")], &[("f", "abc")], &[("f", "abcd")]]));
}

#[test]
fn writes_change_places_and_leave_holes() {
    let found = outcomes(NASTY, |disk| {
        let mut file = two_safe_bytes(disk);
        file.write_all(b"c").unwrap();
        file.write_all(b"d").unwrap();
    });
    let texts = ["ab", "abc", "abcd", "ab\\x00d", "ab\\x00", "ab\\x00\\x00", "abc\\x00"];
    let expected: Vec<_> = texts.iter().map(|text| vec![("f", *text)]).collect();
    let expected: Vec<&[_]> = expected.iter().map(Vec::as_slice).collect();
    assert_eq!(found, set(&expected));
}

#[test]
fn a_cut_happens_or_not_and_comes_before_what_follows_it() {
    let found = outcomes(Nature { grows_early: false, ..NASTY }, |disk| {
        let mut file = two_safe_bytes(disk);
        file.truncate(1).unwrap();
        file.write_all(b"z").unwrap();
    });
    assert_eq!(found, set(&[&[("f", "ab")], &[("f", "a")], &[("f", "az")]]));
}

#[test]
fn a_file_without_a_synced_name_may_be_gone() {
    let found = outcomes(Nature::ORDERLY, |disk| {
        let mut file = disk.create(Path::new("f")).unwrap();
        file.write_all(b"a").unwrap();
        file.sync().unwrap();
    });
    assert_eq!(found, set(&[&[], &[("f", "a")]]));
    let found = outcomes(Nature::ORDERLY, |disk| {
        disk.create_folder(Path::new("d")).unwrap();
        disk.create(Path::new("d/f")).unwrap().sync().unwrap();
        disk.sync_folder(Path::new("d")).unwrap();
    });
    assert_eq!(found, set(&[&[], &[("d/f", "")]]), "with the folder's own name all in it is gone");
}

#[test]
fn a_new_name_may_be_of_an_empty_file() {
    let found = outcomes(Nature::ORDERLY, |disk| {
        two_safe_bytes(disk);
        disk.create(Path::new("t")).unwrap().write_all(b"z").unwrap();
        disk.rename(Path::new("t"), Path::new("f")).unwrap();
        disk.sync_folder(Path::new("")).unwrap();
    });
    assert_eq!(found, set(&[&[("f", "")], &[("f", "z")]]));
}

#[test]
fn names_change_places() {
    let change = |disk: &SimDisk| {
        two_safe_bytes(disk);
        disk.rename(Path::new("f"), Path::new("g")).unwrap();
        disk.create(Path::new("h")).unwrap();
    };
    let all: [&[_]; 4] =
        [&[("f", "ab")], &[("g", "ab")], &[("f", "ab"), ("h", "")], &[("g", "ab"), ("h", "")]];
    assert_eq!(outcomes(NASTY, change), set(&all));
    assert_eq!(outcomes(Nature::ORDERLY, change), set(&[all[0], all[1], all[3]]));
}

#[test]
fn what_a_failed_sync_has_lost_no_other_sync_brings_back() {
    let mut lost = 0;
    for seed in 0..100 {
        let disk = disk(seed, Nature::ORDERLY);
        let mut file = two_safe_bytes(&disk);
        file.write_all(b"cd").unwrap();
        disk.set_faults(Faults { sync: 1, ..Faults::default() });
        file.sync().unwrap_err();
        disk.set_faults(Faults::default());
        file.sync().unwrap();
        assert_eq!(disk.bytes(Path::new("f")).unwrap(), b"abcd", "the cache still has it");
        crash(&disk);
        lost += usize::from(disk.bytes(Path::new("f")).unwrap() == b"ab\0\0");
    }
    assert!((1..100).contains(&lost), "{lost}");
}

#[test]
fn a_full_disk_takes_what_fits() {
    let disk = disk(1, Nature::ORDERLY);
    let mut file = two_safe_bytes(&disk);
    disk.set_space(Some(3));
    let written = file.write(b"cdefgh").unwrap();
    assert!((1..=3).contains(&written));
    assert_eq!(file.write_all(b"ijk").unwrap_err().kind(), io::ErrorKind::StorageFull);
    assert_eq!(file.len().unwrap(), 5);
    disk.set_space(None);
    file.write_all(b"!").unwrap();
}

#[test]
fn power_fails_in_the_middle_of_any_operation() {
    let found = outcomes(Nature::ORDERLY, |disk| {
        let mut file = two_safe_bytes(disk);
        disk.cut_power_after(1);
        file.write_all(b"c").unwrap();
        file.sync().unwrap_err();
        assert!(disk.is_off());
        disk.open(Path::new("f")).map(drop).unwrap_err();
        disk.restore_power();
        file.write_all(b"d").unwrap_err();
    });
    assert_eq!(found, set(&[&[("f", "ab")], &[("f", "abc")]]));
}

#[test]
fn a_lie_is_a_sync_that_does_nothing() {
    let disk = disk(1, Nature::ORDERLY);
    disk.set_lies(Lies { sync: true, sync_folder: false });
    let found = (0..20).map(|_| {
        drop(two_safe_bytes(&disk));
        crash(&disk);
        disk.files()[0].1
    });
    assert!(found.collect::<BTreeSet<_>>().contains(&0));
}
