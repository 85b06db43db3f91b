//! Folders as other servers leave them, and as crashes and people do.

use super::*;
use crate::disk::MachineDisk;
use std::fs;
use std::io::Read;
use tempfile::TempDir;

/// Notes what it is given. Its snapshots are of twelve bytes.
#[derive(Default)]
struct Notes {
    log: Vec<String>,
    refuses: Option<&'static [u8]>,
}

impl Replay for Notes {
    fn begin(&mut self, bytes_total: u64) {
        self.log.push(format!("{bytes_total} bytes"));
    }

    fn begin_file(&mut self, role: Role, name: &str) {
        self.log.push(format!("{role:?} {name}"));
    }

    fn snapshot(&mut self, source: &mut Source) -> Result<SnapshotEnd, SnapshotError> {
        let mut bytes = Vec::new();
        source.by_ref().take(100).read_to_end(&mut bytes).unwrap();
        if bytes.len() < 12 {
            return Err(SnapshotError { offset: Some(5), reason: "too short".to_owned() });
        }
        source.give_back(&bytes[12..]);
        self.log.push("snapshot".to_owned());
        Ok(SnapshotEnd::Done)
    }

    fn commands(&mut self, commands: &[u8]) -> Result<(), Refused> {
        if let Some(refused) = self.refuses
            && let Some(offset) = memchr::memmem::find(commands, refused)
        {
            return Err(Refused { offset, reason: "no".to_owned() });
        }
        self.log.push(String::from_utf8_lossy(commands).replace("\r\n", " "));
        Ok(())
    }

    fn repaired(&mut self, name: &str, len: u64) {
        self.log.push(format!("{name} cut to {len}"));
    }

    fn adopted(&mut self, _place: &Place) {
        self.log.push("adopted".to_owned());
    }
}

const SET_A: &str = "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n";
const SET_B: &str = "*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$1\r\n2\r\n";
const SNAPSHOT: &str = "REDIS0011end";

struct Dir {
    dir: TempDir,
    place: Place,
}

impl Dir {
    /// A folder with these files in `aof`; those with a slash in front are beside it.
    fn with(files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let place = Place { folder: dir.path().join("aof"), name: "a.aof".to_owned() };
        let made = Self { dir, place };
        for (name, text) in files {
            match name.strip_prefix('/') {
                Some(name) => fs::write(made.dir.path().join(name), text).unwrap(),
                None => {
                    fs::create_dir_all(&made.place.folder).unwrap();
                    fs::write(made.place.folder.join(name), text).unwrap();
                }
            }
        }
        made
    }

    fn load_with(&self, cuts_tail: bool, notes: &mut Notes) -> Result<Loaded, String> {
        load(&MachineDisk, &self.place, cuts_tail, notes).map_err(|error| error.to_string())
    }

    fn load(&self) -> (Result<Loaded, String>, Vec<String>) {
        let mut notes = Notes::default();
        let loaded = self.load_with(true, &mut notes);
        (loaded, notes.log)
    }

    /// Does not load, and says these words; all files are as they were.
    fn refuses(&self, words: &[&str]) {
        let before = self.files();
        let error = self.load().0.unwrap_err();
        for word in words {
            assert!(error.contains(word), "{word:?} is missing: {error}");
        }
        assert_eq!(self.files(), before);
    }

    fn files(&self) -> Vec<(String, Vec<u8>)> {
        let mut files = Vec::new();
        for folder in [self.dir.path().to_owned(), self.place.folder.clone()] {
            for entry in fs::read_dir(folder).into_iter().flatten().map(Result::unwrap) {
                if entry.path().is_file() {
                    let name = entry.path().strip_prefix(self.dir.path()).unwrap().to_owned();
                    files.push((name.display().to_string(), fs::read(entry.path()).unwrap()));
                }
            }
        }
        files.sort();
        files
    }
}

const MANIFEST: &str = "file a.aof.2.base.rdb seq 2 type b\n\
    file a.aof.1.incr.aof seq 1 type h\n\
    file a.aof.2.incr.aof seq 2 type i\n\
    file a.aof.3.incr.aof seq 3 type i\n";

#[test]
fn files_are_replayed_in_their_order() {
    let place = Dir::with(&[
        ("a.aof.manifest", MANIFEST),
        ("a.aof.2.base.rdb", SNAPSHOT),
        ("a.aof.1.incr.aof", "old"),
        ("a.aof.2.incr.aof", SET_A),
        ("a.aof.3.incr.aof", &format!("#TS:1\r\n{SET_B}")),
    ]);
    let (loaded, log) = place.load();
    let expected = [
        "73 bytes",
        "Base a.aof.2.base.rdb",
        "snapshot",
        "Increment a.aof.2.incr.aof",
        "*3 $3 SET $1 a $1 1 ",
        "Increment a.aof.3.incr.aof",
        "*3 $3 SET $1 b $1 2 ",
    ];
    assert_eq!(log, expected);
    let loaded = loaded.unwrap();
    assert_eq!((loaded.found, loaded.base_len, loaded.len), (Found::All, 12, 73));
    assert_eq!(loaded.manifest, Manifest::parse(MANIFEST.as_bytes()).unwrap());
}

#[test]
fn commands_go_on_behind_a_snapshot() {
    let place = Dir::with(&[("/a.aof", &format!("{SNAPSHOT}{SET_A}"))]);
    let (loaded, log) = place.load();
    assert_eq!(log, ["adopted", "39 bytes", "Base a.aof", "snapshot", "*3 $3 SET $1 a $1 1 "]);
    assert_eq!(loaded.unwrap().base_len, 39);
}

#[test]
fn nothing_is_found_where_nothing_is() {
    let (loaded, log) = Dir::with(&[]).load();
    assert_eq!((loaded.unwrap().found, log.len()), (Found::Nothing, 0));
    // As a crash leaves an append-only file that was about to be made.
    for (incomplete, text) in [("x", ""), ("a.aof.1.base.rdb", SNAPSHOT)] {
        let files =
            [("temp-a.aof.manifest", "fi"), ("a.aof.1.incr.aof", SET_A), (incomplete, text)];
        assert_eq!(Dir::with(&files).load().0.unwrap().found, Found::Nothing);
    }
    let begun = Dir::with(&[("a.aof.1.incr.aof", SET_A), ("temp-a.aof.base", SNAPSHOT)]);
    assert_eq!(begun.load().0.unwrap().found, Found::Nothing);
}

#[test]
fn an_old_file_is_moved_into_the_folder_whenever_that_was_interrupted() {
    let manifest = "file a.aof seq 1 type b\n";
    for before in [
        &[("/a.aof", SET_A)][..],
        &[("/a.aof", SET_A), ("temp-a.aof.manifest", "fi")],
        &[("/a.aof", SET_A), ("a.aof.manifest", manifest)],
    ] {
        let place = Dir::with(before);
        let (loaded, log) = place.load();
        assert_eq!(log, ["adopted", "27 bytes", "Base a.aof", "*3 $3 SET $1 a $1 1 "]);
        assert_eq!(loaded.unwrap().found, Found::All);
        let files = place.files();
        assert_eq!(files[0], ("aof/a.aof".to_owned(), SET_A.as_bytes().to_vec()));
        assert_eq!(files[1], ("aof/a.aof.manifest".to_owned(), manifest.as_bytes().to_vec()));
        // It is not done twice, whatever lies there now.
        fs::write(place.place.old(), SET_B).unwrap();
        assert_eq!(place.load().1, ["27 bytes", "Base a.aof", "*3 $3 SET $1 a $1 1 "]);
    }
}

#[test]
fn only_the_last_file_may_lose_its_tail() {
    let increments = "file a.aof.1.incr.aof seq 1 type i\nfile a.aof.2.incr.aof seq 2 type i\n";
    let cut = format!("{SET_A}{}", &SET_B[..20]);
    let files = |first: &str, second: &str| {
        Dir::with(&[
            ("a.aof.manifest", increments),
            ("a.aof.1.incr.aof", first),
            ("a.aof.2.incr.aof", second),
        ])
    };
    let place = files(SET_A, &cut);
    let refused = place.load_with(false, &mut Notes::default()).unwrap_err();
    for word in ["a.aof.2.incr.aof", "offset 27", "aof-load-truncated", "--check-aof --fix"] {
        assert!(refused.contains(word), "{refused}");
    }
    let (loaded, log) = place.load();
    assert_eq!(loaded.unwrap().len, 54);
    assert_eq!(log[log.len() - 2..], ["*3 $3 SET $1 a $1 1 ", "a.aof.2.incr.aof cut to 27"]);
    assert_eq!(place.files()[1].1, SET_A.as_bytes());
    let (loaded, log) = place.load();
    assert_eq!((loaded.unwrap().len, log.len()), (54, 5));
    files(&cut, SET_B).refuses(&["a.aof.1.incr.aof", "offset 27", "not the last"]);
    files(&cut, "").refuses(&["a.aof.1.incr.aof", "offset 27", "not the last"]);
}

#[test]
fn what_cannot_be_loaded_stops_the_load() {
    let base = "file a.aof.1.base.rdb seq 1 type b\n";
    Dir::with(&[("a.aof.manifest", MANIFEST), ("a.aof.2.base.rdb", SNAPSHOT)])
        .refuses(&["a.aof.2.incr.aof", "not there"]);
    Dir::with(&[("a.aof.manifest", "")]).refuses(&["a.aof.manifest", "names no file"]);
    Dir::with(&[("a.aof.manifest", "file x\n")]).refuses(&["a.aof.manifest", "line 1"]);
    // A snapshot is never empty, and a base that lost its line in the manifest is lost.
    Dir::with(&[("a.aof.manifest", base), ("a.aof.1.base.rdb", "")]).refuses(&[
        "a.aof.1.base.rdb",
        "offset 0",
        "the file is empty",
    ]);
    let increment = "file a.aof.1.incr.aof seq 1 type i\n";
    let lost = [
        ("a.aof.manifest", increment),
        ("a.aof.1.base.rdb", SNAPSHOT),
        ("a.aof.1.incr.aof", SET_A),
    ];
    Dir::with(&lost).refuses(&["a.aof.1.base.rdb", "no manifest"]);
    Dir::with(&[("a.aof.7.base.aof", SET_A)]).refuses(&["a.aof.7.base.aof", "no manifest"]);
    Dir::with(&[("a.aof.manifest", base), ("a.aof.1.base.rdb", "REDIS00")]).refuses(&[
        "a.aof.1.base.rdb",
        "offset 5",
        "too short",
        "--check-aof",
    ]);
    let place = Dir::with(&[("a.aof.manifest", base), ("a.aof.1.base.rdb", SET_A)]);
    let mut notes = Notes { refuses: Some(b"a\r\n"), ..Notes::default() };
    let refused = place.load_with(true, &mut notes).unwrap_err();
    assert!(refused.contains("at offset 17: no."), "{refused}");
    Dir::with(&[
        ("a.aof.manifest", base),
        ("a.aof.1.base.rdb", &format!("{SNAPSHOT}{SET_A}hello")),
    ])
    .refuses(&[
        "a.aof.1.base.rdb",
        "offset 39",
        "no command begins with 'h'",
        "--check-aof --fix",
    ]);
}
