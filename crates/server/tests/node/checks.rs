//! `--check-aof`: what it says of append-only files, and what it cuts off.

use crate::program::Program;
use persist::disk::MachineDisk;
use server::persistence::check_append_only::{Mend, Request, check};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const SET_A: &str = "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n";
/// A snapshot without anything.
const EMPTY: &[u8] = b"REDIS0009\xff\0\0\0\0\0\0\0\0";

/// What it says when the user answers so, and whether all is well.
fn checked(path: &Path, mend: Mend, answer: &str) -> (String, bool) {
    let request = Request { path: path.to_owned(), mend };
    let mut out = Vec::new();
    let is_fine = check(&MachineDisk, &request, 0, &mut answer.as_bytes(), &mut out).unwrap();
    (String::from_utf8(out).unwrap(), is_fine)
}

fn file(bytes: &[u8]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.aof");
    fs::write(&path, bytes).unwrap();
    (folder, path)
}

/// A folder with a manifest of a base and these increments.
fn folder(increments: &[&[u8]]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.1.base.rdb"), EMPTY).unwrap();
    let mut manifest = "file a.1.base.rdb seq 1 type b\n".to_owned();
    for (number, bytes) in (1..).zip(increments) {
        let name = format!("a.{number}.incr.aof");
        manifest.push_str(&format!("file {name} seq {number} type i\n"));
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    let path = folder.path().join("a.manifest");
    fs::write(&path, manifest).unwrap();
    (folder, path)
}

#[test]
fn whole_files_are_valid() {
    let (_folder, path) = file(SET_A.as_bytes());
    let name = path.display();
    let expected = format!(
        "Start checking Old-Style AOF\n\
         AOF analyzed: filename={name}, size=27, ok_up_to=27, ok_up_to_line=8, diff=0\n\
         AOF {name} is valid\n"
    );
    assert_eq!(checked(&path, Mend::Nothing, ""), (expected.clone(), true));
    assert_eq!(checked(&path, Mend::Tail, ""), (expected, true));
    let (folder, path) = folder(&[SET_A.as_bytes(), b"#TS:1\r\n"]);
    let (text, is_fine) = checked(&path, Mend::Nothing, "");
    assert!(is_fine, "{text}");
    for line in [
        "Start checking Multi Part AOF\nStart to check BASE AOF (RDB format).\n",
        "\\o/ RDB looks OK! \\o/",
        "RDB preamble is OK, proceeding with AOF tail...\n",
        "AOF analyzed: filename=a.1.base.rdb, size=18, ok_up_to=18, ok_up_to_line=1, diff=0\n",
        "BASE AOF a.1.base.rdb is valid\nStart to check INCR files.\n",
        "INCR AOF a.1.incr.aof is valid\n",
        "AOF analyzed: filename=a.2.incr.aof, size=7, ok_up_to=7, ok_up_to_line=1, diff=0\n",
        "INCR AOF a.2.incr.aof is valid\nAll AOF files and manifest are valid\n",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    fs::write(folder.path().join("a.2.incr.aof"), "").unwrap();
    assert!(checked(&path, Mend::Nothing, "").0.contains("AOF a.2.incr.aof is empty\n"));
}

#[test]
fn a_tail_is_cut_off_once_the_user_says_so() {
    let open = "Reached EOF before reading EXEC for MULTI";
    for (tail, offset, line, reason) in [
        (&b"*1\r\n$3\r\nSE"[..], "1b", 8, "Unexpected end of file"),
        (b"*1\r\n$5\r\nMULTI\r\n", "2a", 11, open),
        (b"garbage", "1b", 8, "no command begins with 'g'"),
    ] {
        let bytes = [SET_A.as_bytes(), tail].concat();
        let (_folder, path) = file(&bytes);
        let (name, len, over) = (path.display(), bytes.len(), tail.len());
        let (text, is_fine) = checked(&path, Mend::Nothing, "");
        assert!(!is_fine);
        for line in [
            format!("0x              {offset}: {reason}\n"),
            format!(
                "filename={name}, size={len}, ok_up_to=27, ok_up_to_line={line}, diff={over}\n"
            ),
            format!("AOF {name} is not valid. Use the --fix option to try fixing it.\n"),
        ] {
            assert!(text.contains(&line), "{line}\n{text}");
        }
        for answer in ["n\n", ""] {
            let (text, is_fine) = checked(&path, Mend::Tail, answer);
            assert!(!is_fine && text.ends_with("Continue? [y/N]: Aborting...\n"), "{text}");
            assert_eq!(fs::read(&path).unwrap(), bytes);
        }
        let (text, is_fine) = checked(&path, Mend::Tail, "y\n");
        let cut = format!(
            "This will shrink the AOF {name} from {len} bytes, with {over} bytes, to 27 bytes\n\
             Continue? [y/N]: Successfully truncated AOF {name}\n"
        );
        assert!(is_fine && text.ends_with(&cut), "{text}");
        assert_eq!(fs::read(&path).unwrap(), SET_A.as_bytes());
    }
    let (_folder, path) = folder(&[&SET_A.as_bytes()[..20], SET_A.as_bytes()]);
    let (text, is_fine) = checked(&path, Mend::Tail, "y\n");
    let reason = "Failed to truncate AOF a.1.incr.aof because it is not the last file\n";
    assert!(!is_fine && text.ends_with(reason), "{text}");
}

#[test]
fn what_came_after_a_second_is_cut_off() {
    let bytes = format!("#TS:10\r\n{SET_A}#TS:20\r\n{SET_A}#TS:30\r\n{SET_A}");
    let (folder, path) = folder(&[bytes.as_bytes()]);
    let increment = folder.path().join("a.1.incr.aof");
    let (text, is_fine) = checked(&path, Mend::After(9), "");
    let reason = "AOF a.1.incr.aof has nothing before timestamp 9, aborting...\n";
    assert!(!is_fine && text.ends_with(reason), "{text}");
    let (text, is_fine) = checked(&path, Mend::After(30), "");
    assert!(text.contains("Truncate nothing in AOF a.1.incr.aof to timestamp 30\n") && is_fine);
    assert_eq!(fs::read(&increment).unwrap(), bytes.as_bytes());
    let (text, is_fine) = checked(&path, Mend::After(20), "");
    assert!(text.contains("Successfully truncated AOF a.1.incr.aof to timestamp 20\n") && is_fine);
    assert_eq!(fs::read(&increment).unwrap(), &bytes.as_bytes()[..70]);
}

#[test]
fn a_snapshot_that_is_empty_is_not_valid() {
    let (folder, path) = folder(&[SET_A.as_bytes()]);
    fs::write(folder.path().join("a.1.base.rdb"), "").unwrap();
    for mend in [Mend::Nothing, Mend::Tail] {
        let (text, is_fine) = checked(&path, mend, "y\n");
        let reason = "AOF a.1.base.rdb is empty, and is to be a snapshot\n";
        assert!(!is_fine && text.ends_with(reason), "{text}");
    }
}

#[test]
fn what_is_no_append_only_file_is_named() {
    let (folder, path) = file(b"file x\n");
    assert!(checked(&path, Mend::Nothing, "").0.contains("Invalid manifest file"));
    let damaged = folder.path().join("a.manifest");
    fs::write(&damaged, b"fil a seq 1 type b\n").unwrap();
    let (text, is_fine) = checked(&damaged, Mend::Tail, "y\n");
    assert!(!is_fine && text.contains("line 1 of the manifest"), "{text}");
    assert_eq!(fs::read(&damaged).unwrap(), b"fil a seq 1 type b\n");
    let (text, is_fine) = checked(&folder.path().join("none"), Mend::Nothing, "");
    assert!(!is_fine && text.starts_with("Cannot open file"), "{text}");
    assert!(text.ends_with("none: No such file or directory\n"), "{text}");
    let (_folder, path) = file(b"REDIS0009\xff\x01\0\0\0\0\0\0\0");
    let (text, is_fine) = checked(&path, Mend::Tail, "y\n");
    let reason = "RDB preamble of AOF file is not sane, aborting.\n";
    assert!(!is_fine && text.contains("wrong checksum") && text.ends_with(reason), "{text}");
    let program = Program::start(&["--check-aof", "a.aof"], folder.path());
    let (text, code) = program.finish();
    assert!(code == Some(1) && text.contains("Invalid manifest file a.aof"), "{text}");
}
