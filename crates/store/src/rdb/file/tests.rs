//! Snapshots that are written and read again, whole, cut off and changed.

use super::super::value::{Rules, Value};
use super::super::{RdbError, Version};
use super::*;
use crate::layout::entry::Entry;
use crate::layout::home::Own;
use crate::types::hash::{self, LargeHash, Ttl};
use crate::types::limits::Limits;

const STYLE: Style = Style {
    version: Version::STREAM_COUNTS,
    compresses: true,
    has_checksum: true,
    clocks: Clocks::Ignored,
};

fn snapshot(style: Style) -> Vec<u8> {
    snapshot_with(style, 10_000)
}

/// One with a string of this length.
fn snapshot_with(style: Style, len: usize) -> Vec<u8> {
    let mut writer = FileWriter::new(Vec::new(), style).unwrap();
    writer.field("redis-ver", b"8.0.6").unwrap();
    writer.function(b"#!lua name=library").unwrap();
    writer.database(3, 2, 1).unwrap();
    writer.entry(Entry::string(b"one", b"1", None, 160).as_ref()).unwrap();
    let long = b"long ".repeat(len / 5);
    writer.entry(Entry::string(b"two", &long, Some(4_000_000_000_000), 320).as_ref()).unwrap();
    writer.finish().unwrap()
}

/// All records with their values, up to the end or to what is wrong.
fn read(bytes: &[u8]) -> Result<Vec<(Record, Option<usize>)>, RdbError> {
    let limits = Limits::default();
    let mut reader = FileReader::new(bytes)?;
    let rules = Rules { version: reader.version(), limits: &limits, now_ms: 0 };
    let mut records = Vec::new();
    loop {
        let record = reader.record()?;
        let value = match &record {
            Record::End => return Ok(records),
            Record::Entry(head) => match reader.value(head, &rules)? {
                Value::String(bytes) => Some(bytes.len()),
                _ => None,
            },
            _ => None,
        };
        records.push((record, value));
    }
}

#[test]
fn records_come_back_in_order() {
    let head = |key: &[u8], deadline| Head { key: key.to_vec(), deadline, ..Head::default() };
    let expected = [
        (Record::Field(b"redis-ver".to_vec(), b"8.0.6".to_vec()), None),
        (Record::Function(b"#!lua name=library".to_vec()), None),
        (Record::Database(3), None),
        (Record::Sizes(2, 1), None),
        (Record::Entry(head(b"one", None)), Some(1)),
        (Record::Entry(head(b"two", Some(4_000_000_000_000))), Some(10_000)),
    ];
    assert_eq!(read(&snapshot(STYLE)).unwrap(), expected);
    let plain = Style { compresses: false, has_checksum: false, ..STYLE };
    assert_eq!(read(&snapshot(plain)).unwrap(), expected);
    assert!(snapshot(plain).ends_with(&[0xff, 0, 0, 0, 0, 0, 0, 0, 0]));
}

#[test]
fn a_snapshot_may_be_longer_than_its_buffers() {
    let plain = Style { compresses: false, ..STYLE };
    for len in [262_000, 262_144, 700_000] {
        let bytes = snapshot_with(plain, len - len % 5);
        assert!(len < bytes.len());
        let records = read(&bytes).unwrap();
        assert_eq!(records.last().unwrap().1, Some(len - len % 5));
    }
}

#[test]
fn what_is_known_of_use_is_kept() {
    let heads = |clocks| -> Vec<Head> {
        let records = read(&snapshot(Style { clocks, ..STYLE })).unwrap();
        let heads = records.into_iter().filter_map(|(record, _)| match record {
            Record::Entry(head) => Some(head),
            _ => None,
        });
        heads.collect()
    };
    let idle: Vec<_> = heads(Clocks::Times(336)).iter().map(|head| head.idle_seconds).collect();
    assert_eq!(idle, [Some(11), Some(1)]);
    let often: Vec<_> = heads(Clocks::Frequencies).iter().map(|head| head.frequency).collect();
    assert_eq!(often, [Some(160), Some(64)]);
}

#[test]
fn what_is_cut_off_or_changed_is_noticed() {
    let whole = snapshot(STYLE);
    for len in 0..whole.len() {
        assert!(matches!(read(&whole[..len]), Err(RdbError::Truncated)), "{len}");
    }
    for at in 0..whole.len() {
        for bit in [0, 7] {
            let mut changed = whole.clone();
            changed[at] ^= 1 << bit;
            assert!(read(&changed).is_err(), "{at}");
        }
    }
    let end = whole.len() - 1;
    let mut changed = whole;
    changed[end] ^= 1;
    assert!(matches!(read(&changed), Err(RdbError::Checksum { .. })));
}

#[test]
fn other_files_are_refused() {
    for (header, is_known) in [
        (&b"REDIS0001\xff"[..], true),
        (b"REDIS0004\xff", true),
        (b"REDIS0012\xff\0\0\0\0\0\0\0\0", true),
        (b"VALKEY080\xff\0\0\0\0\0\0\0\0", true),
        (b"REDIS0080\xff\0\0\0\0\0\0\0\0", false),
        (b"VALKEY011\xff\0\0\0\0\0\0\0\0", false),
        (b"REDIS0099\xff", false),
        (b"REDIS00x1\xff", false),
        (b"PNG000001\xff", false),
        (b"", false),
    ] {
        assert_eq!(read(header).is_ok(), is_known, "{}", header.escape_ascii());
    }
    let module = b"REDIS0009\xf7\x81\0\0\0\0\0\0\0\0";
    assert!(matches!(read(module), Err(RdbError::Module(_))));
    assert!(read(b"REDIS0009\xfc\0\0\0\0\0\0\0\0\xff\0\0\0\0\0\0\0\0").is_err());
    let seconds = read(b"REDIS0003\xfd\x01\0\0\0\0\x01k\x01v\xff").unwrap();
    let Record::Entry(head) = &seconds[0].0 else { panic!("it is an entry") };
    assert_eq!((head.deadline, &head.key[..]), (Some(1000), &b"k"[..]));
}

#[test]
fn a_value_that_is_too_new_asks_for_another_version() {
    let mut fields = Own::<LargeHash>::default();
    hash::set(&mut fields, b"f", b"v", Ttl::At(5), 0, Limits::default().hash);
    let entry = Entry::collection(b"key", fields, None, 0);
    let write = |version| {
        let mut writer = FileWriter::new(Vec::new(), Style { version, ..STYLE }).unwrap();
        writer.entry(entry.as_ref())
    };
    let needed = Version::FIELD_DEADLINES;
    assert!(matches!(write(Version::OLDEST), Err(WriteError::Needs(v)) if v == needed));
    assert!(write(Version::FIELD_DEADLINES).is_ok());
    assert!(write(Version::VALKEY).is_ok());
}

/// The entries of a snapshot, written again; those that lie whole in a buffer are read from its bytes, if
/// `in_pieces`.
fn rewritten(bytes: &[u8], in_pieces: bool) -> Result<Vec<u8>, RdbError> {
    let limits = Limits::default();
    let mut reader = FileReader::new(bytes)?;
    let version = reader.version();
    let rules = Rules { version, limits: &limits, now_ms: 0 };
    let style = Style { version: Version::STREAM_NACKS, compresses: false, ..STYLE };
    let mut writer = FileWriter::new(Vec::new(), style).unwrap();
    let mut spare = Vec::new();
    loop {
        if in_pieces && let Some(entries) = reader.entries(&mut spare)? {
            let mut piece = entries.read();
            let mut count = 0;
            while let Some(head) = piece.head()? {
                let deadline = head.deadline;
                let entry = match piece.entry(&rules, deadline, 0) {
                    Ok(entry) => entry.expect("fields do not expire before the beginning of time"),
                    Err(RdbError::Empty) => continue,
                    Err(error) => return Err(error),
                };
                writer.entry(entry.as_ref()).unwrap();
                count += 1;
            }
            assert_eq!(piece.offset(), reader.offset());
            assert!(count <= entries.len());
            spare = entries.into_memory();
            continue;
        }
        match reader.record()? {
            Record::End => return Ok(writer.finish().unwrap()),
            Record::Entry(head) => match reader.value(&head, &rules) {
                Ok(value) => {
                    let entry = value.into_entry(&head.key, head.deadline, 0);
                    writer.entry(entry.as_ref()).unwrap();
                }
                Err(RdbError::Empty) => {}
                Err(error) => return Err(error),
            },
            _ => {}
        }
    }
}

fn fixtures() -> Vec<Vec<u8>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/rdb");
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let snapshots = files.filter(|path| path.extension().is_some_and(|ending| ending == "rdb"));
    let snapshots: Vec<_> = snapshots.map(|path| std::fs::read(path).unwrap()).collect();
    assert!(3 < snapshots.len());
    snapshots
}

#[test]
fn entries_in_pieces_are_the_same_as_one_by_one() {
    for bytes in fixtures() {
        let expected = rewritten(&bytes, false).unwrap();
        assert!(rewritten(&bytes, true).unwrap() == expected);
    }
    let plain = Style { compresses: false, ..STYLE };
    // Below and above what a buffer grows to, so that entries end in the middle of buffers.
    for len in [262_000, 700_000, 5_000_000] {
        let bytes = snapshot_with(plain, len);
        assert!(rewritten(&bytes, true).unwrap() == rewritten(&bytes, false).unwrap());
    }
    let mut writer = FileWriter::new(Vec::new(), plain).unwrap();
    for number in 0..50_000_usize {
        let (key, value) = (number.to_string(), "v".repeat(number % 100));
        let deadline = (number % 3 == 0).then_some(4_000_000_000_000);
        writer
            .entry(Entry::string(key.as_bytes(), value.as_bytes(), deadline, 0).as_ref())
            .unwrap();
    }
    let many = writer.finish().unwrap();
    assert!(rewritten(&many, true).unwrap() == rewritten(&many, false).unwrap());
}

#[test]
fn damage_is_noticed_in_pieces_as_it_is_one_by_one() {
    for bytes in fixtures() {
        for at in (0..bytes.len()).step_by(631) {
            let cut = &bytes[..at];
            assert_eq!(rewritten(cut, true).is_ok(), rewritten(cut, false).is_ok(), "{at}");
            let mut changed = bytes.clone();
            changed[at] ^= 1 << (at % 8);
            let (one, other) = (rewritten(&changed, true), rewritten(&changed, false));
            assert_eq!(one.is_ok(), other.is_ok(), "{at}: {:?} {:?}", one.err(), other.err());
        }
    }
}
