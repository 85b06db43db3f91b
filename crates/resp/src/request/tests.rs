//! Tests of the request parser: what is accepted, what is refused, and that splits do not matter.

use proptest::prelude::*;

use super::*;

type Request = Vec<Vec<u8>>;

/// Feeds `bytes` in pieces of the given sizes (the last one repeats) as a connection would.
/// Gives the requests, and the error that ended the stream.
fn feed(bytes: &[u8], sizes: &[usize], limits: &Limits) -> (Vec<Request>, Option<ProtocolError>) {
    let (mut parser, mut requests) = (RequestParser::new(), Vec::new());
    let (mut start, mut arrived) = (0, 0);
    let mut sizes = sizes.iter().copied().chain(std::iter::repeat(*sizes.last().unwrap()));
    // Something else of the same batch is already in the list.
    let mut spans = vec![Span { start: 7, len: 7 }];
    while arrived < bytes.len() {
        arrived = (arrived + sizes.next().unwrap().max(1)).min(bytes.len());
        loop {
            let unread = &bytes[start..arrived];
            match parser.parse(unread, &mut spans, limits) {
                Ok(Parsed::Complete { consumed, is_inline }) => {
                    let buffer = if is_inline { parser.inline_buffer() } else { unread };
                    let words = spans.drain(1..).map(|span| span.of(buffer).to_vec());
                    requests.push(words.collect());
                    start += consumed;
                    parser.clear_inline_buffer();
                }
                Ok(Parsed::Empty { consumed }) => start += consumed,
                Ok(Parsed::Incomplete { wanted }) => {
                    assert!(0 < wanted);
                    assert_eq!(spans.len(), 1);
                    break;
                }
                Err(error) => return (requests, Some(error)),
            }
        }
    }
    (requests, None)
}

fn feed_whole(bytes: &[u8]) -> (Vec<Request>, Option<ProtocolError>) {
    feed(bytes, &[bytes.len()], &Limits::default())
}

fn request(words: &[&str]) -> Request {
    words.iter().map(|word| word.as_bytes().to_vec()).collect()
}

#[test]
fn requests_are_read() {
    let long = "x".repeat(1234);
    let cases: [(&[u8], &[&[&str]]); 9] = [
        (b"*1\r\n$4\r\nPING\r\n", &[&["PING"]]),
        (b"*2\r\n$4\r\nECHO\r\n$0\r\n\r\n", &[&["ECHO", ""]]),
        (
            b"*3\r\n$3\r\nSET\r\n$3\r\na\r\n\r\n$12\r\nhello world!\r\n",
            &[&["SET", "a\r\n", "hello world!"]],
        ),
        (b"*0\r\n*-1\r\n*-7\r\n*1\r\n$1\r\na\r\n", &[&["a"]]),
        (b"PING\r\n", &[&["PING"]]),
        (b"\r\n\n  \r\nPING a\r\nPING\n", &[&["PING", "a"], &["PING"]]),
        (b"PING\rx\r\n", &[&["PING", "x"]]),
        (
            b"SET k \"a \\x41\"\r\n*1\r\n$1\r\na\r\nGET k\n",
            &[&["SET", "k", "a A"], &["a"], &["GET", "k"]],
        ),
        (b"$4\r\nPING\r\n", &[&["$4"], &["PING"]]),
    ];
    for (bytes, expected) in cases {
        let expected: Vec<Request> = expected.iter().map(|words| request(words)).collect();
        assert_eq!(feed_whole(bytes), (expected, None), "{}", bytes.escape_ascii());
    }
    let bytes = format!("*11\r\n{}$1234\r\n{long}\r\n", "$1\r\na\r\n".repeat(10));
    let (requests, error) = feed_whole(bytes.as_bytes());
    assert_eq!((requests[0].len(), requests[0][10].len(), error), (11, 1234, None));
}

#[test]
fn broken_requests_are_refused() {
    use ProtocolError::*;
    let cases: [(&[u8], ProtocolError); 24] = [
        (b"*x\r\n", InvalidMultibulkLength),
        (b"*\r\n", InvalidMultibulkLength),
        (b"*01\r\n", InvalidMultibulkLength),
        (b"*+1\r\n", InvalidMultibulkLength),
        (b"*1\0\r\n", InvalidMultibulkLength),
        (b"*2147483648\r\n", InvalidMultibulkLength),
        (b"*99999999999999999999\r\n", InvalidMultibulkLength),
        (b"*1\rx", InvalidLineEnd),
        (b"*1\r\nx4\r\n", ExpectedDollar(b'x')),
        (b"*1\r\n\n4\r\n", ExpectedDollar(b'\n')),
        (b"*1\r\n\r\n", ExpectedDollar(b'\r')),
        (b"*1\r\n:4\r\n", ExpectedDollar(b':')),
        (b"*1\r\n$-1\r\n", InvalidBulkLength),
        (b"*1\r\n$x\r\n", InvalidBulkLength),
        (b"*1\r\n$\r\n", InvalidBulkLength),
        (b"*1\r\n$04\r\n", InvalidBulkLength),
        (b"*1\r\n$00\r\n", InvalidBulkLength),
        (b"*1\r\n$536870913\r\n", InvalidBulkLength),
        (b"*1\r\n$4\rxPING\r\n", InvalidLineEnd),
        (b"*1\r\n$4\r\nPINGxx", InvalidLineEnd),
        (b"*1\r\n$4\r\nPING\rx", InvalidLineEnd),
        (b"\"PING\r\n", UnbalancedQuotes),
        (b"PING 'a\r\n", UnbalancedQuotes),
        (b"PING a\\\"\r\n", UnbalancedQuotes),
    ];
    for (bytes, expected) in cases {
        for prefix in [&b""[..], b"*1\r\n$1\r\na\r\n", b"a\r\n"] {
            let stream = [prefix, bytes].concat();
            let (requests, error) = feed_whole(&stream);
            assert_eq!(error, Some(expected), "{}", bytes.escape_ascii());
            assert_eq!(requests.len(), usize::from(!prefix.is_empty()));
        }
    }
}

#[test]
fn lines_end_within_the_bound() {
    let max = REQUEST_LINE_LEN_MAX;
    for (start, byte, error) in [
        ("*", b'1', ProtocolError::TooBigMultibulkCount),
        ("*1\r\n$", b'1', ProtocolError::TooBigBulkCount),
        ("", b'x', ProtocolError::TooBigInlineRequest),
    ] {
        let line_start = start.rfind('\n').map_or(0, |at| at + 1);
        let mut bytes = start.as_bytes().to_vec();
        bytes.resize(line_start + max, byte);
        assert_eq!(feed_whole(&bytes).1, None);
        bytes.push(byte);
        for sizes in [&[bytes.len()][..], &[1000], &[max], &[max + 1]] {
            assert_eq!(feed(&bytes, sizes, &Limits::default()).1, Some(error), "{sizes:?}");
        }
        // The end comes too late, whether or not it is already there.
        bytes.extend_from_slice(b"\r\n");
        assert_eq!(feed_whole(&bytes).1, Some(error));
    }
    let longest = [vec![b'x'; max], b"\n".to_vec()].concat();
    assert_eq!(feed_whole(&longest).0[0][0].len(), max);
}

#[test]
fn strangers_get_tighter_limits() {
    let limits = Limits::unauthenticated(REQUEST_BULK_LEN_MAX);
    for (bytes, expected) in [
        (&b"*11\r\n"[..], Some(ProtocolError::UnauthenticatedMultibulkLength)),
        (b"*10\r\n", None),
        (b"*2147483648\r\n", Some(ProtocolError::InvalidMultibulkLength)),
        (b"*1\r\n$16385\r\n", Some(ProtocolError::UnauthenticatedBulkLength)),
        (b"*1\r\n$16384\r\n", None),
        (b"*1\r\n$536870913\r\n", Some(ProtocolError::InvalidBulkLength)),
    ] {
        assert_eq!(feed(bytes, &[100], &limits).1, expected, "{}", bytes.escape_ascii());
    }
    let least = Limits::authenticated(0);
    assert_eq!(feed(b"*1\r\n$1048576\r\n", &[9], &least).1, None);
    let (_, error) = feed(b"*1\r\n$1048577\r\n", &[9], &least);
    assert_eq!(error, Some(ProtocolError::InvalidBulkLength));
}

#[test]
fn missing_bytes_of_a_long_argument_are_told() {
    let (mut parser, mut spans) = (RequestParser::new(), Vec::new());
    let mut bytes = b"*2\r\n$3\r\nSET\r\n$1000\r\n0123456789".to_vec();
    for expected in [992, 1] {
        let parsed = parser.parse(&bytes, &mut spans, &Limits::default());
        assert_eq!(parsed, Ok(Parsed::Incomplete { wanted: expected }));
        assert!(spans.is_empty());
        bytes.resize(bytes.len() + expected - 1, b'x');
    }
    bytes.truncate(bytes.len() - 1);
    bytes.extend_from_slice(b"\r\n");
    let parsed = parser.parse(&bytes, &mut spans, &Limits::default());
    assert_eq!(parsed, Ok(Parsed::Complete { consumed: bytes.len(), is_inline: false }));
    assert_eq!(spans[1], Span { start: 20, len: 1000 });
}

#[test]
fn an_announced_count_takes_no_memory() {
    let (mut parser, mut spans) = (RequestParser::new(), Vec::new());
    let bytes = b"*2147483647\r\n$1\r\na\r\n";
    let parsed = parser.parse(bytes, &mut spans, &Limits::default());
    assert_eq!(parsed, Ok(Parsed::Incomplete { wanted: 1 }));
    assert!(parser.memory_len() <= REQUEST_SPANS_RESERVED_MAX * size_of::<Span>());
    assert!(spans.capacity() <= REQUEST_SPANS_RESERVED_MAX);
    parser.reset();
    assert_eq!(parser.memory_len(), 0);
}

#[test]
fn inline_requests_of_a_batch_keep_their_words() {
    let (mut parser, mut spans) = (RequestParser::new(), Vec::new());
    let bytes = b"GET a\r\nGET 'b c'\r\n";
    let mut start = 0;
    while start < bytes.len() {
        match parser.parse(&bytes[start..], &mut spans, &Limits::default()) {
            Ok(Parsed::Complete { consumed, is_inline: true }) => start += consumed,
            other => panic!("{other:?}"),
        }
    }
    let words: Vec<&[u8]> = spans.iter().map(|span| span.of(parser.inline_buffer())).collect();
    assert_eq!(words, [&b"GET"[..], b"a", b"GET", b"b c"]);
}

/// A piece of a stream: requests of both kinds, empty ones, and sometimes garbage.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let argument = prop_oneof![
        5 => prop::collection::vec(any::<u8>(), 0..12),
        1 => prop::collection::vec(any::<u8>(), 95..130),
    ];
    let multibulk = prop::collection::vec(argument, 0..13).prop_map(|arguments| {
        let mut out = format!("*{}\r\n", arguments.len()).into_bytes();
        for argument in arguments {
            out.extend_from_slice(format!("${}\r\n", argument.len()).as_bytes());
            out.extend_from_slice(&argument);
            out.extend_from_slice(b"\r\n");
        }
        out
    });
    prop_oneof![
        12 => multibulk,
        4 => "[a-z]{1,5}( [a-z\"'\\\\x4]{0,4}){0,3}\r?\n".prop_map(String::into_bytes),
        2 => "[*$][-+0-9a]{0,4}\r\n".prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..9),
    ]
}

proptest! {
    #[test]
    fn splits_do_not_matter(
        pieces in prop::collection::vec(piece(), 1..8),
        sizes in prop::collection::vec(1usize..40, 1..20),
    ) {
        let bytes = pieces.concat();
        // A short line bound brings the errors about lines within reach.
        let limits = Limits { line_len_max: 24, ..Limits::default() };
        for limits in [Limits::default(), limits, Limits::unauthenticated(0)] {
            let whole = feed(&bytes, &[bytes.len()], &limits);
            prop_assert_eq!(&whole, &feed(&bytes, &sizes, &limits));
            prop_assert_eq!(&whole, &feed(&bytes, &[1], &limits));
        }
    }

    #[test]
    fn any_bytes_are_parsed_without_panic(bytes: Vec<u8>, sizes in prop::collection::vec(1usize..9, 1..9)) {
        feed(&bytes, &sizes, &Limits::default());
        feed(&[b"*3\r\n", &bytes[..]].concat(), &sizes, &Limits::default());
        feed(&[b"*2\r\n$3\r\nGET\r\n$", &bytes[..]].concat(), &sizes, &Limits::default());
    }

    #[test]
    fn what_is_encoded_is_read_back(
        requests in prop::collection::vec(
            prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 1..20), 1..5),
    ) {
        let mut bytes = Vec::new();
        for request in &requests {
            crate::encode_request(&mut bytes, request);
        }
        prop_assert_eq!(feed_whole(&bytes), (requests, None));
    }
}
