//! Values that are written and read again; what comes of bytes that somebody has changed.

use base::crc::crc64;
use base::rand::Rng;
use proptest::prelude::*;

use super::payload::{Payload, dump};
use super::*;
use crate::layout::entry::{Entry, EntryRef, Kind};
use crate::layout::home::{Form, Home, Own};
use crate::types::hash::{self, LargeHash, Ttl};
use crate::types::limits::Limits;
use crate::types::list::{self, End, LargeList};
use crate::types::set::{self, LargeSet};
use crate::types::sorted_set::{self, LargeSortedSet};
use crate::types::stream::{self, Id, Stream};

const NOW_MS: u64 = 1_700_000_000_000;
const FAMILIES: [Family; 2] = [Family::Redis, Family::Valkey];

fn target(family: Family) -> Target {
    Target { family, ..Target::default() }
}

fn restore(bytes: &[u8]) -> Result<Entry, RdbError> {
    let value = Payload::open(bytes)?.value(&Limits::default(), NOW_MS)?;
    Ok(value.into_entry(b"key", None, 0))
}

/// A value as text: equal values have equal texts.
fn shown(entry: EntryRef<'_>) -> String {
    match entry.kind() {
        Kind::Hash => {
            let fields = hash::iter_timed(entry.form::<LargeHash>());
            let mut fields: Vec<_> = fields.map(|field| format!("{field:?}")).collect();
            fields.sort();
            format!("{fields:?} {:?}", hash::encoding(entry.form()))
        }
        Kind::List => {
            let form = entry.form::<LargeList>();
            let elements = list::walk(form, End::Head, 0, usize::MAX);
            format!("{:?}", elements.map(|element| element.to_vec()).collect::<Vec<_>>())
        }
        Kind::Set => {
            set::check_invariants(entry.form::<LargeSet>());
            let members = set::iter(entry.form::<LargeSet>());
            let mut members: Vec<_> = members.map(|member| format!("{member:?}")).collect();
            members.sort();
            format!("{members:?}")
        }
        Kind::SortedSet => {
            let form = entry.form::<LargeSortedSet>();
            sorted_set::check_invariants(form);
            let items = sorted_set::all(form);
            format!(
                "{:?}",
                items.map(|item| (item.member.to_vec(), item.score)).collect::<Vec<_>>()
            )
        }
        Kind::Stream => shown_stream(entry.form()),
        Kind::String => format!("{:?}", entry.string().bytes()),
    }
}

fn shown_stream(form: Form<'_, Stream>) -> String {
    let stream = stream::look(form);
    stream.check_invariants();
    let entries = stream.log().range(Id::MIN, Id::MAX);
    let entries: Vec<_> =
        entries.map(|entry| (entry.id, entry.fields.collect::<Vec<_>>())).collect();
    let groups = stream.groups().map(|(name, group)| {
        let pending = group.pending_from(Id::MIN).map(|(id, pending)| {
            let owner = pending.owner().and_then(|owner| group.consumer(owner));
            let owner = owner.map(|consumer| consumer.name().to_vec());
            (id, owner, pending.count, pending.delivered_ms(), pending.nack_number())
        });
        let consumers =
            group.consumers().map(|consumer| (consumer.name().to_vec(), consumer.seen_ms));
        let (last_id, read) = (group.last_id, group.entries_read);
        (name, last_id, read, pending.collect::<Vec<_>>(), consumers.collect::<Vec<_>>())
    });
    let producers = stream.producers().map(|producers| {
        let mut sent = Vec::new();
        let visited = producers.each(|name, iids| {
            sent.push(format!("{name:?} {iids:?}"));
            Ok::<(), ()>(())
        });
        (visited, sent, producers.duration_s(), producers.iids_max(), producers.added())
    });
    let counts = (stream.last_id(), stream.max_deleted_id(), stream.entries_added());
    format!("{entries:?} {counts:?} {:?} {producers:?}", groups.collect::<Vec<_>>())
}

fn check_round_trip(entry: &Entry) {
    for family in FAMILIES {
        let bytes = dump(entry.as_ref(), &target(family)).unwrap();
        let back = restore(&bytes).unwrap();
        assert_eq!(shown(back.as_ref()), shown(entry.as_ref()), "{family:?}");
        assert_eq!(dump(back.as_ref(), &target(family)).unwrap().len(), bytes.len());
    }
}

/// Values of every type, small and large, made with a seed.
fn values(seed: u64) -> Vec<Entry> {
    let mut rng = Rng::new(seed);
    let limits = Limits::default();
    let mut values = vec![
        Entry::string(b"key", b"text", None, 0),
        Entry::string(b"key", b"-12345", None, 0),
        Entry::string(b"key", &b"compressible ".repeat(5000), None, 0),
    ];
    for size in [1, 20, 700] {
        let texts: Vec<Vec<u8>> = (0..size).map(|index| text(&mut rng, index)).collect();
        let mut list = Own::<LargeList>::default();
        let mut hash = Own::<LargeHash>::default();
        let mut timed = Own::<LargeHash>::default();
        let mut sorted = Own::<LargeSortedSet>::default();
        let (mut set, mut integers) = (Own::<LargeSet>::default(), Own::<LargeSet>::default());
        for (index, text) in texts.iter().enumerate() {
            list::push(&mut list, End::Tail, std::iter::once(&text[..]), limits.list);
            hash::set(&mut hash, text, b"value", Ttl::Clear, NOW_MS, limits.hash);
            let ttl =
                if index % 2 == 0 { Ttl::At(NOW_MS + rng.below(1 << 40)) } else { Ttl::Clear };
            hash::set(&mut timed, text, b"7", ttl, NOW_MS, limits.hash);
            sorted_set::set(&mut sorted, text, rng.next_f64() - 0.5, &limits.zset);
            set::add(&mut set, text, &limits.set);
            set::add(&mut integers, rng.below(1 << 20).to_string().as_bytes(), &limits.set);
        }
        values.push(Entry::collection(b"key", list, None, 0));
        values.push(Entry::collection(b"key", hash, None, 0));
        values.push(Entry::collection(b"key", timed, None, 0));
        values.push(Entry::collection(b"key", sorted, None, 0));
        values.push(Entry::collection(b"key", set, None, 0));
        values.push(Entry::collection(b"key", integers, None, 0));
        values.push(Entry::collection(b"key", Own::Large(log(&mut rng, &texts)), None, 0));
    }
    values
}

fn text(rng: &mut Rng, index: usize) -> Vec<u8> {
    match rng.below(4) {
        0 => format!("{index}{}", "long ".repeat(rng.index(60))).into(),
        1 => (rng.next_u64() as i32 as i64 * index as i64).to_string().into(),
        _ => format!("e{index}").into(),
    }
}

fn log(rng: &mut Rng, texts: &[Vec<u8>]) -> Stream {
    let limits = Limits::default().stream;
    let mut stream = Stream::new();
    let id = |index: usize| Id::new(1000 + index as u64 / 4, index as u64 % 4);
    for (index, text) in texts.iter().enumerate() {
        let pairs: [(&[u8], &[u8]); 2] = match index % 5 {
            0 => [(b"own", text), (text, b"1")],
            _ => [(b"name", text), (b"number", b"5")],
        };
        stream.append(id(index), pairs.into_iter(), limits);
    }
    stream.delete(id(texts.len() / 2), stream::References::Keep);
    stream.create_group(b"empty", Id::MIN, None);
    stream.create_group(b"busy", id(texts.len()), Some(7));
    let group = stream.group_mut(b"busy").unwrap();
    let (alice, _) = group.create_consumer(b"alice", NOW_MS);
    let (bob, _) = group.create_consumer(b"bob", NOW_MS - 5);
    for index in 0..texts.len().min(30) {
        let owner = if rng.below(2) == 0 { alice } else { bob };
        group.assign(id(index), owner, NOW_MS - rng.below(1000), 1 + rng.below(3));
    }
    if rng.below(2) == 0 {
        (0..texts.len().min(5)).rev().for_each(|index| group.give_back(id(index), 2));
        let producers = stream.producers_mut();
        producers.configure(Some(50), Some(20));
        producers.remember(b"producer", b"first", Id::new(NOW_MS, 1), NOW_MS);
        producers.remember(b"producer", b"second", Id::new(NOW_MS, 2), NOW_MS);
    }
    stream
}

#[test]
fn every_value_comes_back() {
    for seed in 0..6 {
        values(seed).iter().for_each(check_round_trip);
    }
}

#[test]
fn a_target_that_cannot_hold_a_value_gets_none() {
    let mut hash = Own::<LargeHash>::default();
    hash::set(&mut hash, b"f", b"v", Ttl::At(NOW_MS), NOW_MS, Limits::default().hash);
    let entry = Entry::collection(b"key", hash, None, 0);
    let only = |version| Target { version: Some(version), ..Target::default() };
    assert!(dump(entry.as_ref(), &only(Version::STREAM_ACTIVITY)).is_none());
    for version in [Version::FIELD_DEADLINES, Version::VALKEY] {
        let bytes = dump(entry.as_ref(), &only(version)).unwrap();
        assert_eq!(shown(restore(&bytes).unwrap().as_ref()), shown(entry.as_ref()));
    }
}

#[test]
fn what_was_given_back_goes_to_nobody_in_older_versions() {
    let mut stream = Stream::new();
    stream.create_group(b"g", Id::MIN, None);
    stream.group_mut(b"g").unwrap().give_back(Id::new(5, 1), 3);
    let entry = Entry::collection(b"key", Own::Large(stream), None, 0);
    for version in [Version::OLDEST, Version::STREAM_COUNTS, Version::VALKEY] {
        let target = Target { version: Some(version), ..Target::default() };
        let back = restore(&dump(entry.as_ref(), &target).unwrap()).unwrap();
        let group = stream::look(back.as_ref().form()).group(b"g").unwrap();
        let pending = group.pending(Id::new(5, 1)).unwrap();
        assert_eq!((pending.count, pending.delivered_ms()), (3, 0));
        assert_eq!(group.consumer(pending.owner().unwrap()).unwrap().name(), b"");
    }
}

#[test]
fn fields_whose_time_has_passed_are_left_out() {
    let limits = Limits::default().hash;
    let mut hash = Own::<LargeHash>::default();
    hash::set(&mut hash, b"old", b"v", Ttl::At(NOW_MS - 1), NOW_MS - 10, limits);
    let gone = Entry::collection(b"key", hash.clone(), None, 0);
    hash::set(&mut hash, b"new", b"v", Ttl::At(NOW_MS), NOW_MS - 10, limits);
    let entry = Entry::collection(b"key", hash, None, 0);
    for family in FAMILIES {
        let read = |entry: &Entry| {
            let bytes = dump(entry.as_ref(), &target(family)).unwrap();
            Payload::open(&bytes).unwrap().value(&Limits::default(), NOW_MS).unwrap()
        };
        assert!(read(&gone).is_gone());
        let Value::Hash(left) = read(&entry) else { panic!("it is a hash") };
        assert_eq!(hash::len(left.form(), NOW_MS), 1);
    }
}

/// A payload with this value and a right footer.
fn framed(mut bytes: Vec<u8>, version: u16) -> Vec<u8> {
    bytes.extend_from_slice(&version.to_le_bytes());
    let checksum = crc64(0, &bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    bytes
}

#[test]
fn the_frame_is_looked_at() {
    let good = framed(b"\0\x01v".to_vec(), 9);
    assert!(restore(&good).is_ok());
    let mut wrong = good;
    wrong[2] = b'w';
    assert!(matches!(restore(&wrong), Err(RdbError::Checksum { .. })));
    let end = wrong.len() - 8;
    wrong[end..].fill(0);
    assert!(matches!(restore(&wrong), Err(RdbError::Checksum { expected: 0, .. })));
    assert!(matches!(restore(&framed(b"\0\x01v".to_vec(), 15)), Err(RdbError::Version(15))));
    assert!(matches!(restore(b"123456789"), Err(RdbError::Truncated)));
    assert!(matches!(restore(&framed(vec![], 9)), Err(RdbError::Truncated)));
    assert!(matches!(restore(&framed(b"\x63".to_vec(), 9)), Err(RdbError::UnknownType(0x63))));
}

#[test]
fn values_that_cannot_be_are_refused() {
    let wrong: [(&[u8], &str); 14] = [
        (b"\x01\x00", "a list of nothing"),
        (b"\x02\x02\x01a\x01a", "a member twice"),
        (b"\x04\x02\x01f\x01v\x01f\x01w", "a field twice"),
        (b"\x03\x01\x01a\xfd", "no number"),
        (b"\x03\x01\x01a\x03abc", "no digits"),
        (b"\x05\x01\x01a\0\0\0\0\0\0\xf8\x7f", "no number in binary"),
        (b"\x05\x02\x01a\0\0\0\0\0\0\xf0\x3f", "one of two"),
        (b"\x00\x81\xff\xff\xff\xff\xff\xff\xff\xff", "a string of all lengths"),
        (b"\x00\xc4", "an unknown string"),
        (b"\x00\x82", "an unknown length"),
        (b"\x00\xc3\x01\x81\0\0\0\x01\0\0\0\0\0", "a bomb"),
        (b"\x12\x01\x03\x01a", "an unknown node"),
        (b"\x02\x81\xff\xff\xff\xff\xff\xff\xff\xff\x01a", "more members than there are"),
        (b"\x15\x01\x02ab\x00", "a node without an id"),
    ];
    for (bytes, about) in wrong {
        assert!(restore(&framed(bytes.to_vec(), 11)).is_err(), "{about}");
    }
    let digits = restore(&framed(b"\x03\x03\x01a\xfe\x01b\x041e-3\x01c\xff".to_vec(), 6)).unwrap();
    assert_eq!(shown(digits.as_ref()), "[([99], -inf), ([98], 0.001), ([97], inf)]");
}

#[test]
fn modules_are_named() {
    // "ft_index0", version 5.
    let name = b"ft_index0".iter().fold(0_u64, |number, byte| {
        let place = match byte {
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            _ => 63,
        };
        number << 6 | u64::from(place)
    });
    let mut bytes = vec![7, 0x81];
    bytes.extend_from_slice(&(name << 10 | 5).to_be_bytes());
    let Err(RdbError::Module(found)) = restore(&framed(bytes, 9)) else { panic!("it is one") };
    assert_eq!(&*found, "ft_index0");
}

/// Changes some bytes, cuts off the end, or puts bytes in, and makes the checksum right again.
fn mutated(bytes: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut value = bytes[..bytes.len() - 10].to_vec();
    let version = u16::from_le_bytes([bytes[bytes.len() - 10], bytes[bytes.len() - 9]]);
    for _ in 0..=rng.below(3) {
        // Heads say more than what follows.
        let near = if rng.below(2) == 0 { value.len().min(40) } else { value.len() };
        let at = rng.index(near.max(1));
        match rng.below(6) {
            0 => value.truncate(at),
            1 => value.insert(at.min(value.len()), rng.next_u64() as u8),
            2 if at < value.len() => drop(value.remove(at)),
            3 if at < value.len() => value[at] = [0, 1, 0x7f, 0x80, 0xfe, 0xff][rng.index(6)],
            _ if at < value.len() => value[at] ^= 1 << rng.below(8),
            _ => {}
        }
    }
    framed(value, version)
}

#[test]
fn changed_bytes_are_refused_or_make_a_value() {
    let (mut refused, mut read) = (0, 0);
    for seed in 0..4 {
        let mut rng = Rng::new(seed);
        for entry in values(seed) {
            let family = FAMILIES[rng.index(2)];
            let bytes =
                dump(entry.as_ref(), &Target { compresses: false, ..target(family) }).unwrap();
            for _ in 0..40 {
                match restore(&mutated(&bytes, &mut rng)) {
                    Ok(entry) => {
                        read += 1;
                        shown(entry.as_ref());
                    }
                    Err(_) => refused += 1,
                }
            }
        }
    }
    assert!(100 < read && 500 < refused, "{read} read, {refused} refused");
}

proptest! {
    #[test]
    fn any_bytes_are_refused_or_make_a_value(code in 0..30_u8, rest: Vec<u8>, version in 1..15_u16) {
        for version in [version, 80] {
            let bytes = framed([&[code][..], &rest].concat(), version);
            if let Ok(entry) = restore(&bytes) {
                shown(entry.as_ref());
            }
        }
    }
}
