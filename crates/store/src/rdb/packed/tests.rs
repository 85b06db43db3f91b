//! Packed forms as servers write them, and as nobody should.

use base::numbers::IntegerBuffer;
use proptest::prelude::*;

use super::*;

fn texts<'a>(
    items: impl Iterator<Item = Result<Item<'a>, crate::rdb::RdbError>>,
) -> Option<Vec<Vec<u8>>> {
    items.map(|item| item.ok().map(|item| item.text(&mut IntegerBuffer::new()).to_vec())).collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let value = |digits: &[u8]| u8::from_str_radix(std::str::from_utf8(digits).unwrap(), 16);
    digits.chunks(2).map(|pair| value(pair).unwrap()).collect()
}

fn listpack(hex: &str) -> Option<Vec<Vec<u8>>> {
    texts(Listpack::new(&bytes(hex)).ok()?)
}

fn ziplist(hex: &str) -> Option<Vec<Vec<u8>>> {
    texts(Ziplist::new(&bytes(hex)).ok()?)
}

#[test]
fn a_listpack_of_redis_is_read() {
    // The fields of a hash, dumped by Redis 8.0: a 1 b 2.
    let expected = ["a", "1", "b", "2"].map(|text| text.as_bytes().to_vec());
    assert_eq!(listpack("11000000 0400 816102 0101 816202 0201 ff"), Some(expected.to_vec()));
    assert_eq!(listpack("11000000 ffff 816102 0101 816202 0201 ff"), Some(expected.to_vec()));
    assert_eq!(listpack("07000000 0000 ff"), Some(vec![]));
}

#[test]
fn a_wrong_listpack_is_refused() {
    for wrong in [
        "",
        "07000000",
        "07000000 0000 00",
        "08000000 0000 ff",
        // One element less, or more, than its count.
        "11000000 0500 816102 0101 816202 0201 ff",
        "11000000 0300 816102 0101 816202 0201 ff",
        // A length at the end that is none, and one of two bytes where one is enough.
        "11000000 0400 816103 0101 816202 0201 ff",
        "12000000 0400 81610082 0101 816202 0201 ff",
        // A string beyond the end, an unknown element, an element cut off.
        "09000000 0100 8561 ff",
        "09000000 0100 f501 ff",
        "0b000000 0100 f0ffffff ff",
        "08000000 0100 c1 ff",
    ] {
        assert_eq!(listpack(wrong), None, "{wrong}");
    }
}

/// A ziplist of elements that lack nothing but the length of the one before.
fn zipped(elements: &[Vec<u8>]) -> Vec<u8> {
    let (mut body, mut last, mut before) = (Vec::new(), 10, 0);
    for element in elements {
        last = 10 + body.len();
        match u8::try_from(before) {
            Ok(before @ ..254) => body.push(before),
            _ => {
                body.push(254);
                body.extend_from_slice(&(before as u32).to_le_bytes());
            }
        }
        body.extend_from_slice(element);
        before = 10 + body.len() - last;
    }
    let size = (body.len() + 11) as u32;
    let count = (elements.len() as u16).to_le_bytes();
    [&size.to_le_bytes()[..], &(last as u32).to_le_bytes(), &count, &body, &[255]].concat()
}

#[test]
fn a_ziplist_is_read() {
    let long = vec![b'x'; 300];
    let elements = [
        bytes("02 6162"),
        bytes("f6"),
        bytes("c0 2c01"),
        bytes("f0 90eefe"),
        bytes("fe ff"),
        bytes("d0 00000100"),
        [&[0x41, 0x2c], &long[..]].concat(),
        [&[0x80, 0, 0, 1, 0x2c], &long[..]].concat(),
        bytes("e0 0000000001000000"),
    ];
    let long = String::from_utf8(long).unwrap();
    let expected = ["ab", "5", "300", "-70000", "-1", "65536", &long, &long, "4294967296"];
    let expected = expected.map(|text| text.as_bytes().to_vec()).to_vec();
    let mut zipped = zipped(&elements);
    assert_eq!(texts(Ziplist::new(&zipped).unwrap()), Some(expected.clone()));
    zipped[8..10].fill(255);
    assert_eq!(texts(Ziplist::new(&zipped).unwrap()), Some(expected));
    assert_eq!(ziplist("0b000000 0a000000 0000 ff"), Some(vec![]));
}

#[test]
fn a_wrong_ziplist_is_refused() {
    for wrong in [
        "",
        "0b000000 0a000000 0000 fe",
        "0c000000 0a000000 0000 ff",
        "0b000000 0b000000 0000 ff",
        "0b000000 0a000000 0100 ff",
        // The length before the first element, the offset of the last.
        "0d000000 0a000000 0100 01f6 ff",
        "0d000000 0b000000 0100 00f6 ff",
        "0d000000 0a000000 0200 00f6 ff",
        "0d000000 0a000000 0100 0005 ff",
        "0d000000 0a000000 0100 00ff ff",
        "0d000000 0a000000 0100 fe00 ff",
    ] {
        assert_eq!(ziplist(wrong), None, "{wrong}");
    }
    assert!(ziplist("0d000000 0a000000 0100 00f6 ff").is_some());
}

#[test]
fn a_zipmap_is_read() {
    let read = |hex: &str| -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
        let bytes = bytes(hex);
        let pairs = Zipmap::new(&bytes).ok()?;
        pairs.map(|pair| pair.ok().map(|(f, v)| (f.to_vec(), v.to_vec()))).collect()
    };
    let pair = |field: &str, value: &str| (field.as_bytes().to_vec(), value.as_bytes().to_vec());
    // With three free bytes behind the first value.
    let hex = "02 0161 02 03 7879 000000 0362 6364 fe01000000 00 7a ff";
    assert_eq!(read(hex), Some(vec![pair("a", "xy"), pair("bcd", "z")]));
    assert_eq!(read("00 ff"), Some(vec![]));
    for wrong in ["", "ff", "01 ff", "00 0161 01 00 78 ff", "01 0561 01 00 78 ff", "01 0161 01 ff"]
    {
        assert_eq!(read(wrong), None, "{wrong}");
    }
}

#[test]
fn an_intset_is_read() {
    let read = |hex: &str| -> Option<Vec<i64>> {
        let bytes = bytes(hex);
        Intset::new(&bytes).ok()?.map(Result::ok).collect()
    };
    assert_eq!(read("02000000 03000000 ffff 0100 0200"), Some(vec![-1, 1, 2]));
    assert_eq!(read("08000000 01000000 0000000001000000"), Some(vec![1 << 32]));
    for wrong in [
        "02000000",
        "03000000 00000000",
        "02000000 02000000 0100",
        "02000000 02000000 0200 0100",
        "02000000 02000000 0100 0100",
        "08000000 ffffffff 0000000001000000",
    ] {
        assert_eq!(read(wrong), None, "{wrong}");
    }
}

proptest! {
    #[test]
    fn what_is_built_is_read(
        items in prop::collection::vec(
            prop_oneof![any::<i64>().prop_map(Ok), (-5000..5000_i64).prop_map(Ok), any::<Vec<u8>>().prop_map(Err)],
            0..60,
        ),
        long in 4000..20_000_usize,
    ) {
        let mut builder = ListpackBuilder::default();
        let long = vec![b'x'; long];
        let mut expected = Vec::new();
        builder.bytes(&long);
        expected.push(long.clone());
        for item in &items {
            match item {
                Ok(integer) => builder.integer(*integer),
                Err(bytes) => builder.bytes(bytes),
            }
            expected.push(item.clone().map_or_else(|bytes| bytes, |n| n.to_string().into_bytes()));
        }
        let built = builder.finish();
        prop_assert_eq!(texts(Listpack::new(&built).unwrap()), Some(expected));
    }

    #[test]
    fn any_bytes_are_walked_to_an_end(mut bytes: Vec<u8>, count: u16) {
        let mut whole = vec![0; 4];
        whole.extend_from_slice(&count.to_le_bytes());
        bytes.extend([0, 0, 0, 0, 255]);
        whole.extend(&bytes);
        let size = whole.len() as u32;
        whole[..4].copy_from_slice(&size.to_le_bytes());
        for walk in [
            Listpack::new(&whole).map(|walk| walk.count()),
            Ziplist::new(&whole).map(|walk| walk.count()),
            Zipmap::new(&whole).map(|walk| walk.count()),
            Intset::new(&whole).map(|walk| walk.count()),
        ] {
            prop_assert!(walk.is_err() || walk.is_ok_and(|count| count <= whole.len()));
        }
    }
}
