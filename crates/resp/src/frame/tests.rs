//! Tests of frames: every type, broken replies, the scanner against the decoder.

use proptest::prelude::*;

use super::*;

fn bulk(text: &str) -> Frame {
    Frame::Bulk(text.as_bytes().to_vec())
}

#[test]
fn every_type_is_read() {
    let cases: [(&[u8], Frame); 22] = [
        (b"+OK\r\n", Frame::Simple(b"OK".to_vec())),
        (b"-ERR no\r\n", Frame::Error(b"ERR no".to_vec())),
        (b":-7\r\n", Frame::Integer(-7)),
        (b"$3\r\na\r\n\r\n", bulk("a\r\n")),
        (b"$0\r\n\r\n", bulk("")),
        (b"$-1\r\n", Frame::NullBulk),
        (b"*-1\r\n", Frame::NullArray),
        (b"*0\r\n", Frame::Array(vec![])),
        (
            b"*2\r\n:1\r\n*1\r\n$1\r\na\r\n",
            Frame::Array(vec![Frame::Integer(1), Frame::Array(vec![bulk("a")])]),
        ),
        (b"_\r\n", Frame::Null),
        (b"#t\r\n", Frame::Boolean(true)),
        (b"#f\r\n", Frame::Boolean(false)),
        (b",3.5\r\n", Frame::Double(3.5)),
        (b",-inf\r\n", Frame::Double(f64::NEG_INFINITY)),
        (b"(-12345678901234567890\r\n", Frame::BigNumber(b"-12345678901234567890".to_vec())),
        (b"=6\r\ntxt:hi\r\n", Frame::Verbatim { format: *b"txt", text: b"hi".to_vec() }),
        (b"!5\r\nERR x\r\n", Frame::BulkError(b"ERR x".to_vec())),
        (
            b"%1\r\n+k\r\n:1\r\n",
            Frame::Map(vec![(Frame::Simple(b"k".to_vec()), Frame::Integer(1))]),
        ),
        (b"~1\r\n:1\r\n", Frame::Set(vec![Frame::Integer(1)])),
        (b">1\r\n+m\r\n", Frame::Push(vec![Frame::Simple(b"m".to_vec())])),
        (
            b"|0\r\n:1\r\n",
            Frame::Attributed { attributes: vec![], value: Box::new(Frame::Integer(1)) },
        ),
        (b":9223372036854775807\r\n", Frame::Integer(i64::MAX)),
    ];
    for (bytes, expected) in cases {
        let text = bytes.escape_ascii();
        assert_eq!(decode(bytes), Ok(Some((expected.clone(), bytes.len()))), "{text}");
        let mut again = Vec::new();
        expected.encode(&mut again);
        assert_eq!(again, bytes, "{text}");
        for len in 0..bytes.len() {
            assert_eq!(decode(&bytes[..len]), Ok(None), "{text} cut at {len}");
        }
    }
    assert!(matches!(decode(b",nan\r\n"), Ok(Some((Frame::Double(value), 6))) if value.is_nan()));
}

#[test]
fn broken_replies_are_refused() {
    let deep = b"*1\r\n".repeat(FRAME_DEPTH_MAX + 1);
    let cases: [(&[u8], FrameError); 18] = [
        (b"x", FrameError::UnknownType(b'x')),
        (b"*1\r\n\r\n", FrameError::UnknownType(b'\r')),
        (b"$-2\r\n", FrameError::InvalidLength),
        (b"$x\r\n", FrameError::InvalidLength),
        (b"$1073741825\r\n", FrameError::InvalidLength),
        (b"*-2\r\n", FrameError::InvalidLength),
        (b"%-1\r\n", FrameError::InvalidLength),
        (b"*99999999999\r\n", FrameError::InvalidLength),
        (b"$1\r\nabc", FrameError::InvalidLineEnd),
        (b"+a\rb", FrameError::InvalidLineEnd),
        (b":x\r\n", FrameError::InvalidScalar(b':')),
        (b",x\r\n", FrameError::InvalidScalar(b',')),
        (b"#x\r\n", FrameError::InvalidScalar(b'#')),
        (b"_x\r\n", FrameError::InvalidScalar(b'_')),
        (b"(1a\r\n", FrameError::InvalidScalar(b'(')),
        (b"(-\r\n", FrameError::InvalidScalar(b'(')),
        (b"=2\r\nab\r\n", FrameError::InvalidScalar(b'=')),
        (&deep, FrameError::TooDeep),
    ];
    for (bytes, expected) in cases {
        assert_eq!(decode(bytes), Err(expected), "{}", bytes.escape_ascii());
    }
    let long = [b"+".as_slice(), &vec![b'a'; FRAME_LINE_LEN_MAX]].concat();
    assert_eq!(decode(&long), Err(FrameError::LineTooLong));
    // A huge array is announced and does not come: no memory is taken for it.
    assert_eq!(decode(b"*4294967295\r\n:1\r\n"), Ok(None));
}

#[test]
fn frames_read_well() {
    let map = Frame::Map(vec![
        (bulk("a"), Frame::Integer(1)),
        (bulk("b"), Frame::Array(vec![bulk("x\"\n\x01"), Frame::Null])),
    ]);
    let mut items = vec![map, Frame::Array(vec![]), Frame::Double(2.5), Frame::Boolean(true)];
    items.extend((0..6).map(Frame::Integer));
    let expected = r#" 1) 1# "a" => (integer) 1
    2# "b" =>
       1) "x\"\n\x01"
       2) (nil)
 2) (empty array)
 3) (double) 2.5
 4) (true)
 5) (integer) 0
 6) (integer) 1
 7) (integer) 2
 8) (integer) 3
 9) (integer) 4
10) (integer) 5"#;
    assert_eq!(Frame::Array(items).to_string(), expected);
    assert_eq!(Frame::Error(b"ERR no".to_vec()).to_string(), "(error) ERR no");
    assert_eq!(Frame::Set(vec![bulk("é")]).to_string(), r#"1~ "\xc3\xa9""#);
}

#[test]
fn requests_are_encoded() {
    let mut out = Vec::new();
    encode_request(&mut out, &["SET", "key", ""]);
    assert_eq!(out, b"*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$0\r\n\r\n");
}

pub(crate) fn frame() -> impl Strategy<Value = Frame> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..20);
    let line = || "[ -~]{0,20}".prop_map(String::into_bytes);
    let scalar = prop_oneof![
        "-?[0-9]{1,30}".prop_map(|digits| Frame::BigNumber(digits.into_bytes())),
        any::<bool>().prop_map(Frame::Boolean),
        bytes().prop_map(Frame::Bulk),
        bytes().prop_map(Frame::BulkError),
        prop::num::f64::NORMAL.prop_map(Frame::Double),
        line().prop_map(Frame::Error),
        any::<i64>().prop_map(Frame::Integer),
        Just(Frame::Null),
        Just(Frame::NullArray),
        Just(Frame::NullBulk),
        line().prop_map(Frame::Simple),
        bytes().prop_map(|text| Frame::Verbatim { format: *b"txt", text }),
    ];
    scalar.prop_recursive(4, 40, 6, |inner| {
        let items = || prop::collection::vec(inner.clone(), 0..6);
        let pairs = || prop::collection::vec((inner.clone(), inner.clone()), 0..4);
        prop_oneof![
            items().prop_map(Frame::Array),
            (pairs(), inner.clone()).prop_map(|(attributes, value)| Frame::Attributed {
                attributes,
                value: Box::new(value)
            }),
            pairs().prop_map(Frame::Map),
            items().prop_map(Frame::Push),
            items().prop_map(Frame::Set),
        ]
    })
}

proptest! {
    #[test]
    fn frames_round_trip(frame in frame()) {
        let mut bytes = Vec::new();
        frame.encode(&mut bytes);
        let len = bytes.len();
        bytes.extend_from_slice(b"+next\r\n");
        prop_assert_eq!(decode(&bytes), Ok(Some((frame.clone(), len))));
        prop_assert!(!frame.to_string().is_empty() || frame.bytes().is_some());
    }

    #[test]
    fn the_scanner_finds_the_same_ends(
        frames in prop::collection::vec(frame(), 1..4),
        sizes in prop::collection::vec(1usize..30, 1..10),
    ) {
        let mut bytes = Vec::new();
        frames.iter().for_each(|frame| frame.encode(&mut bytes));
        let (mut scanner, mut start, mut found) = (Scanner::new(), 0, Vec::new());
        let mut arrived = 0;
        let mut sizes = sizes.iter().cycle();
        while arrived < bytes.len() {
            arrived = (arrived + sizes.next().unwrap()).min(bytes.len());
            while let Some(len) = scanner.scan(&bytes[start..arrived]).unwrap() {
                found.push(decode(&bytes[start..]).unwrap().unwrap());
                prop_assert_eq!(found.last().unwrap().1, len);
                start += len;
            }
        }
        let found: Vec<Frame> = found.into_iter().map(|(frame, _)| frame).collect();
        prop_assert_eq!(found, frames);
    }

    #[test]
    fn any_bytes_are_decoded_without_panic(bytes: Vec<u8>, kind in "[-+:$*_#,(=%~>|!]", len in 0u8..9) {
        let _ = decode(&bytes);
        let _ = Scanner::new().scan(&bytes);
        let like_a_reply = [kind.as_bytes(), len.to_string().as_bytes(), b"\r\n", &bytes].concat();
        let _ = decode(&like_a_reply);
        let _ = Scanner::new().scan(&like_a_reply);
    }
}
