//! Files of commands: whole, cut anywhere, and changed.

use super::*;
use crate::disk::{Disk, MachineDisk};
use proptest::prelude::*;

/// How reading a file has ended: its pieces, and how much of it is whole.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    commands: Vec<u8>,
    annotations: usize,
    whole_len: u64,
    end: Result<(), String>,
}

fn read(bytes: &[u8]) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    std::fs::write(&path, bytes).unwrap();
    let mut source = Source::new(MachineDisk.open(&path).unwrap());
    let mut frames = Frames::new(&mut source);
    let (mut commands, mut annotations) = (Vec::new(), 0);
    let end = loop {
        match frames.next_piece() {
            Ok(Piece::Annotation(_)) => annotations += 1,
            Ok(Piece::Commands { offset, bytes: piece }) => {
                assert_eq!(piece, &bytes[offset as usize..][..piece.len()]);
                commands.extend_from_slice(piece);
            }
            Ok(Piece::End) => break Ok(()),
            Err(Unreadable::Damaged(offset, damage)) => break Err(format!("{offset}: {damage}")),
            Err(Unreadable::Truncated) => break Err("truncated".to_owned()),
            Err(Unreadable::Io(error)) => panic!("{error}"),
        }
    };
    Outcome { commands, annotations, whole_len: frames.whole_len(), end }
}

fn command(words: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
    resp::encode_request(&mut bytes, &words);
    bytes
}

#[test]
fn commands_and_lines_about_them_are_told_apart() {
    let (one, two) = (command(&["SET", "a", "1"]), command(&["SET", "b", "#2"]));
    let file = [b"#TS:1628217470\r\n", &one[..], b"#\n#TS:1628217471\r\n", &two].concat();
    let commands = [one, two].concat();
    let whole_len = file.len() as u64;
    assert_eq!(read(&file), Outcome { commands, annotations: 3, whole_len, end: Ok(()) });
}

#[test]
fn large_commands_go_over_many_pieces() {
    let value = "x".repeat(3 * PIECE_LEN + 17);
    let small = command(&["SET", "a", "1"]);
    let file = [small.repeat(PIECE_LEN / small.len() + 5), command(&["SET", "b", &value]), small];
    let file = file.concat();
    let outcome = read(&file);
    assert_eq!((outcome.commands == file, outcome.end), (true, Ok(())));
    let outcome = read(&file[..file.len() - 100]);
    assert_eq!(outcome.end, Err("truncated".to_owned()));
}

#[test]
fn a_transaction_is_whole_or_cut_off() {
    let before = command(&["SET", "a", "1"]);
    let group = [command(&["multi"]), command(&["SET", "b", "1"]), command(&["EXEC"])].concat();
    let file = [&before[..], &group].concat();
    for len in before.len() + 1..file.len() {
        let outcome = read(&file[..len]);
        assert_eq!(outcome.end, Err("truncated".to_owned()), "{len}");
        assert_eq!(outcome.whole_len, before.len() as u64, "{len}");
    }
    assert_eq!(read(&file).whole_len, file.len() as u64);
    let twice = read(&[command(&["MULTI"]), command(&["MULTI"])].concat());
    assert_eq!(twice.end, Err("15: a transaction begins within another".to_owned()));
    let alone = read(&[&before[..], &command(&["EXEC"])].concat());
    assert_eq!(alone.end, Err("27: a transaction ends that has not begun".to_owned()));
}

#[test]
fn damage_is_named_with_its_place() {
    let before = command(&["SET", "a", "1"]);
    let damaged = |rest: &[u8]| {
        let file = [&before[..], rest].concat();
        let outcome = read(&file);
        assert_eq!(outcome.commands, before);
        assert_eq!(outcome.whole_len, before.len() as u64);
        outcome.end.unwrap_err()
    };
    assert_eq!(damaged(b"SET a 1\r\n"), "27: no command begins with 'S'");
    assert_eq!(damaged(b"\0\0*"), "27: no command begins with '\\x00'");
    assert_eq!(damaged(b"*0\r\n"), "27: a command without a name");
    assert_eq!(damaged(b"*1\r\n:1\r\n"), "27: Protocol error: expected '$', got ':'");
    assert_eq!(damaged(b"*1\r\n$1\r\nabc"), "27: Protocol error: invalid CRLF in request");
    assert_eq!(damaged(&[b'#'; 2000]), "27: a comment does not end");
    assert_eq!(damaged(b"#TS:1"), "truncated");
    // Room for bytes that never came.
    for beginning in ["", "*", "*3\r\n$3\r\nSE", "*2\r\n$3\r\nGET\r\n$1\r\nx\r"] {
        for zeros in [1, 100, PIECE_LEN * 2] {
            let rest = [beginning.as_bytes(), &vec![0; zeros]].concat();
            assert_eq!(damaged(&rest), "truncated", "{beginning} {zeros}");
        }
    }
    let something = [vec![0; PIECE_LEN * 2], vec![1]].concat();
    assert_eq!(damaged(&something), "27: no command begins with '\\x00'");
}

#[test]
fn a_length_that_is_too_long_is_no_missing_tail() {
    let (one, two) = (command(&["SET", "a", "1"]), command(&["SET", "b", "2"]));
    let wrong = b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$9000\r\n1\r\n";
    let reason = "an argument's length reaches beyond the end, over whole commands";
    let outcome = read(&[&one[..], wrong, &two].concat());
    assert_eq!(outcome.end, Err(format!("27: {reason}")));
    assert_eq!(read(&[&one[..], wrong, &two[..20]].concat()).end, Err("truncated".to_owned()));
    assert_eq!(read(&[&one[..], wrong].concat()).end, Err("truncated".to_owned()));
}

fn words() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let word = proptest::collection::vec(
        prop_oneof![4 => any::<u8>(), 1 => Just(b'\r'), 1 => Just(b'\n'), 1 => Just(b'*')],
        0..40,
    );
    proptest::collection::vec(word, 1..6)
}

fn file() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let command = words().prop_map(|words| {
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        let mut bytes = Vec::new();
        resp::encode_request(&mut bytes, &words);
        bytes
    });
    proptest::collection::vec(command, 1..20)
}

proptest! {
    #[test]
    fn a_cut_file_gives_its_whole_commands(commands in file(), at in any::<proptest::sample::Index>()) {
        let bytes = commands.concat();
        let len = at.index(bytes.len() + 1);
        let mut whole = 0;
        let mut borders = commands.iter().map(|command| { whole += command.len(); whole });
        let whole = borders.by_ref().take_while(|border| *border <= len).last().unwrap_or(0);
        let outcome = read(&bytes[..len]);
        prop_assert_eq!(&outcome.commands, &bytes[..whole]);
        prop_assert_eq!(outcome.whole_len, whole as u64);
        prop_assert_eq!(outcome.end.is_ok(), whole == len);
    }

    #[test]
    fn a_changed_file_gives_what_comes_before(
        commands in file(),
        at in any::<proptest::sample::Index>(),
        byte: u8,
    ) {
        let mut bytes = commands.concat();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let outcome = read(&bytes);
        let mut end = 0;
        let before = commands.iter().map(|command| { end += command.len(); end })
            .take_while(|end| *end <= at).last().unwrap_or(0);
        prop_assert!(before <= outcome.commands.len());
        prop_assert_eq!(&outcome.commands[..before], &bytes[..before]);
    }

    #[test]
    fn anything_is_read_or_refused(bytes: Vec<u8>) {
        let _ = read(&bytes);
        let _ = read(&[b"*1\r\n", &bytes[..]].concat());
    }
}
