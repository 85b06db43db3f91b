//! Tests of the reply writer: both protocols, deferred aggregates, shared pieces, sending in parts.

use proptest::prelude::*;

use super::*;
use crate::{Frame, decode};

fn written(protocol: Protocol, write: impl Fn(&mut Reply)) -> String {
    let mut reply = Reply::with_protocol(protocol);
    write(&mut reply);
    reply.to_vec().escape_ascii().to_string().replace("\\r\\n", "|")
}

#[test]
fn every_verb_speaks_both_protocols() {
    type Case<'a> = (fn(&mut Reply), &'a str, &'a str);
    let cases: [Case<'_>; 24] = [
        (|reply| reply.ok(), "+OK|", "+OK|"),
        (|reply| reply.simple("QUEUED"), "+QUEUED|", "+QUEUED|"),
        (|reply| reply.error(b"ERR a\r\nb\n"), "-ERR a  b|", "-ERR a  b|"),
        (|reply| reply.integer(7), ":7|", ":7|"),
        (|reply| reply.integer(-70), ":-70|", ":-70|"),
        (|reply| reply.bulk(b""), "$0||", "$0||"),
        (|reply| reply.bulk(b"hello world"), "$11|hello world|", "$11|hello world|"),
        (|reply| reply.bulk(&[b'x'; 100]), &X100, &X100),
        (|reply| reply.bulk_integer(-12), "$3|-12|", "$3|-12|"),
        (|reply| reply.null(), "$-1|", "_|"),
        (|reply| reply.null_array(), "*-1|", "_|"),
        (|reply| reply.boolean(true), ":1|", "#t|"),
        (|reply| reply.boolean(false), ":0|", "#f|"),
        (|reply| reply.double(3.5), "$3|3.5|", ",3.5|"),
        (|reply| reply.double(f64::NEG_INFINITY), "$4|-inf|", ",-inf|"),
        (|reply| reply.big_number("123"), "$3|123|", "(123|"),
        (|reply| reply.verbatim("txt", b"hi"), "$2|hi|", "=6|txt:hi|"),
        (|reply| reply.array(3), "*3|", "*3|"),
        (|reply| reply.array(12345), "*12345|", "*12345|"),
        (|reply| reply.map(5), "*10|", "%5|"),
        (|reply| reply.set(10), "*10|", "~10|"),
        (|reply| reply.push(3), "*3|", ">3|"),
        (|reply| assert_eq!(reply.attribute(1), reply.protocol() == Protocol::Resp3), "", "|1|"),
        (|reply| reply.error(b"\n"), "-|", "-|"),
    ];
    for (write, resp2, resp3) in cases {
        assert_eq!(written(Protocol::Resp2, write), resp2);
        assert_eq!(written(Protocol::Resp3, write), resp3);
    }
}

static X100: std::sync::LazyLock<String> =
    std::sync::LazyLock::new(|| format!("$100|{}|", "x".repeat(100)));

#[test]
fn lengths_can_come_last() {
    let write = |reply: &mut Reply| {
        reply.integer(0);
        let map = reply.begin_map();
        reply.simple("a");
        let set = reply.begin_set();
        reply.integer(1);
        reply.finish_set(set, 1);
        reply.simple("b");
        let array = reply.begin_array();
        reply.finish_array(array, 0);
        reply.finish_map(map, 2);
        reply.integer(9);
    };
    assert_eq!(written(Protocol::Resp2, write), ":0|*4|+a|*1|:1|+b|*0|:9|");
    assert_eq!(written(Protocol::Resp3, write), ":0|%2|+a|~1|:1|+b|*0|:9|");
}

#[test]
fn long_values_are_kept_by_reference() {
    let (small, large) = (Arc::new(vec![b's'; 10]), Arc::new(vec![b'l'; REPLY_SHARED_LEN_MIN]));
    let mut reply = Reply::new();
    reply.bulk_shared(&small);
    reply.bulk_shared(&large);
    reply.integer(1);
    reply.raw_shared(&large);
    assert_eq!((Arc::strong_count(&small), Arc::strong_count(&large)), (1, 3));
    let lens: Vec<usize> = reply.segments().map(<[u8]>::len).collect();
    assert_eq!(lens, [17 + 8, large.len(), 6, large.len()]);
    assert_eq!(reply.len(), lens.iter().sum::<usize>());
    reply.discard_front(26);
    assert_eq!(
        reply.segments().map(<[u8]>::len).collect::<Vec<_>>(),
        [large.len() - 1, 6, large.len()]
    );
    let mut all = Reply::new();
    all.integer(5);
    all.append(&mut reply);
    assert!(reply.is_empty());
    assert_eq!(all.len(), 4 + large.len() - 1 + 6 + large.len());
    all.clear();
    assert_eq!(Arc::strong_count(&large), 1);
}

#[test]
fn what_is_left_of_a_long_reply_moves_without_a_copy() {
    let large = Arc::new(vec![b'l'; 10 * REPLY_SHARED_LEN_MIN]);
    let mut reply = Reply::new();
    reply.bulk_shared(&large);
    reply.discard_front(1000);
    let expected = reply.to_vec();
    let mut waiting = Reply::new();
    waiting.append(&mut reply);
    assert!(reply.is_empty());
    assert_eq!((waiting.to_vec(), Arc::strong_count(&large)), (expected.clone(), 2));
    assert_eq!(waiting.len(), expected.len());
    assert!(waiting.memory_len() < large.len() + 1000);
    waiting.discard_front(expected.len() - 3);
    assert_eq!((waiting.to_vec(), Arc::strong_count(&large)), (b"l\r\n".to_vec(), 2));
    waiting.discard_front(3);
    assert!(waiting.is_empty());
    reply.set_protocol(Protocol::Resp3);
    reply.bulk(&large);
    let at = reply.segments().next().map(<[u8]>::as_ptr);
    waiting.append(&mut reply);
    assert!(reply.is_empty());
    assert_eq!(waiting.segments().next().map(<[u8]>::as_ptr), at);
    assert_eq!((reply.protocol(), waiting.protocol()), (Protocol::Resp3, Protocol::Resp2));
}

#[test]
fn a_growing_reply_is_sealed_in_pieces() {
    let element = |index: usize| format!("{index:0100}").into_bytes();
    let long = Arc::new(vec![b'l'; 20 << 10]);
    let write = |seals: bool| {
        let mut reply = Reply::new();
        reply.integer(7);
        let (position, mark) = (reply.position(), reply.begin_array());
        for index in 0..10_000 {
            let inner = reply.begin_array();
            reply.bulk(&element(index));
            if index % 1000 == 999 {
                reply.bulk_shared(&long);
            }
            reply.finish_array(inner, 1 + usize::from(index % 1000 == 999));
            if seals {
                reply.seal(&mark);
            }
        }
        reply.finish_array(mark, 10_000);
        (reply, position)
    };
    let (mut sealed, position) = write(true);
    let whole = write(false).0.to_vec();
    assert_eq!(sealed.to_vec(), whole);
    assert_eq!(sealed.len(), whole.len());
    assert_eq!(sealed.len_since(position), whole.len() - 4);
    let held = sealed.memory_len();
    assert!(held < whole.len() + (1 << 20), "{held} bytes for {}", whole.len());
    let mut read = Vec::new();
    while !sealed.is_empty() {
        let part = sealed.segments().next().expect("something waits").to_vec();
        let count = part.len().min(77_777);
        read.extend_from_slice(&part[..count]);
        sealed.discard_front(count);
    }
    assert!(read == whole);
    let (mut sealed, position) = write(true);
    sealed.truncate(position);
    assert_eq!(sealed.to_vec(), b":7\r\n");
}

#[test]
fn replies_can_be_taken_back() {
    let large = Arc::new(vec![b'l'; REPLY_SHARED_LEN_MIN]);
    let mut reply = Reply::new();
    reply.integer(1);
    let position = reply.position();
    reply.bulk_shared(&large);
    let _ = reply.begin_array();
    assert_eq!(reply.len_since(position), large.len() + 10);
    reply.truncate(position);
    reply.integer(2);
    assert_eq!((reply.to_vec(), Arc::strong_count(&large)), (b":1\r\n:2\r\n".to_vec(), 1));
}

#[test]
fn a_slow_reader_does_not_keep_what_it_has_read() {
    let mut reply = Reply::new();
    let mut total = 0;
    for _ in 0..10_000 {
        reply.bulk(&[b'x'; 100]);
        total += 108;
        let taken = reply.len().min(108) - usize::from(reply.len() < 1000);
        reply.discard_front(taken);
        total -= taken;
        assert_eq!(reply.len(), total);
    }
    assert!(reply.memory_len() < 4 * REPLY_COMPACT_LEN_MIN);
    reply.discard_front(total);
    reply.shrink_to(100);
    assert!(reply.is_empty());
    assert!(reply.memory_len() < 1000);
}

/// Writes a frame through the verbs, with aggregates announced or deferred by `is_deferred`.
fn write(reply: &mut Reply, frame: &Frame, is_deferred: bool) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    match frame {
        Frame::Array(items) if is_deferred => {
            let mark = reply.begin_array();
            items.iter().for_each(|item| write(reply, item, is_deferred));
            reply.finish_array(mark, items.len());
        }
        Frame::Array(items) => {
            reply.array(items.len());
            items.iter().for_each(|item| write(reply, item, is_deferred));
        }
        Frame::Set(items) if is_deferred => {
            let mark = reply.begin_set();
            items.iter().for_each(|item| write(reply, item, is_deferred));
            reply.finish_set(mark, items.len());
        }
        Frame::Set(items) => {
            reply.set(items.len());
            items.iter().for_each(|item| write(reply, item, is_deferred));
        }
        Frame::Push(items) => {
            reply.push(items.len());
            items.iter().for_each(|item| write(reply, item, is_deferred));
        }
        Frame::Map(pairs) => {
            let mark = is_deferred.then(|| reply.begin_map());
            if !is_deferred {
                reply.map(pairs.len());
            }
            for (key, value) in pairs {
                write(reply, key, is_deferred);
                write(reply, value, is_deferred);
            }
            if let Some(mark) = mark {
                reply.finish_map(mark, pairs.len());
            }
        }
        Frame::Attributed { attributes, value } => {
            if reply.attribute(attributes.len()) {
                for (key, value) in attributes {
                    write(reply, key, is_deferred);
                    write(reply, value, is_deferred);
                }
            }
            write(reply, value, is_deferred);
        }
        Frame::BigNumber(digits) => reply.big_number(&text(digits)),
        Frame::Boolean(value) => reply.boolean(*value),
        Frame::Bulk(bytes) => reply.bulk_shared(&Arc::new(bytes.clone())),
        Frame::BulkError(bytes) => reply.error(bytes),
        Frame::Double(value) => reply.double(*value),
        Frame::Error(line) => reply.error(line),
        Frame::Integer(value) => reply.integer(*value),
        Frame::Null | Frame::NullBulk => reply.null(),
        Frame::NullArray => reply.null_array(),
        Frame::Simple(line) => reply.simple(&text(line)),
        Frame::Verbatim { format, text: bytes } => reply.verbatim(&text(format), bytes),
    }
}

/// The frame that a client of the given protocol sees.
fn seen(frame: &Frame, protocol: Protocol) -> Frame {
    let is_new = protocol == Protocol::Resp3;
    let all = |items: &[Frame]| items.iter().map(|item| seen(item, protocol)).collect::<Vec<_>>();
    let pairs = |pairs: &[(Frame, Frame)]| -> Vec<(Frame, Frame)> {
        pairs.iter().map(|(key, value)| (seen(key, protocol), seen(value, protocol))).collect()
    };
    let bulk = |bytes: &[u8]| Frame::Bulk(bytes.to_vec());
    match frame {
        Frame::Array(items) => Frame::Array(all(items)),
        Frame::Attributed { value, attributes } if is_new => Frame::Attributed {
            attributes: pairs(attributes),
            value: Box::new(seen(value, protocol)),
        },
        Frame::Attributed { value, .. } => seen(value, protocol),
        Frame::BulkError(bytes) => {
            let end = bytes.iter().rposition(|byte| !is_line_end(*byte)).map_or(0, |at| at + 1);
            let mend = |byte: &u8| if is_line_end(*byte) { b' ' } else { *byte };
            Frame::Error(bytes[..end].iter().map(mend).collect())
        }
        Frame::Map(map) if is_new => Frame::Map(pairs(map)),
        Frame::Map(map) => {
            Frame::Array(pairs(map).into_iter().flat_map(|(key, value)| [key, value]).collect())
        }
        Frame::Null | Frame::NullBulk | Frame::NullArray if is_new => Frame::Null,
        Frame::Null => Frame::NullBulk,
        Frame::Push(items) if is_new => Frame::Push(all(items)),
        Frame::Set(items) if is_new => Frame::Set(all(items)),
        Frame::Push(items) | Frame::Set(items) => Frame::Array(all(items)),
        Frame::BigNumber(digits) if !is_new => bulk(digits),
        Frame::Boolean(value) if !is_new => Frame::Integer(i64::from(*value)),
        Frame::Double(value) if !is_new => bulk(FloatBuffer::new().format(*value)),
        Frame::Verbatim { text, .. } if !is_new => bulk(text),
        other => other.clone(),
    }
}

proptest! {
    #[test]
    fn what_is_written_is_what_clients_see(
        frame in crate::frame::tests::frame(),
        is_deferred: bool,
        long_len in 0usize..3,
    ) {
        // Long strings in front and behind exercise inserts and headers beside the buffer.
        let long = Frame::Bulk(vec![b'x'; long_len * (REPLY_SHARED_LEN_MIN - 1)]);
        let frame = Frame::Array(vec![long.clone(), frame, long]);
        for protocol in [Protocol::Resp2, Protocol::Resp3] {
            let mut reply = Reply::with_protocol(protocol);
            reply.ok();
            write(&mut reply, &frame, is_deferred);
            let bytes = reply.to_vec();
            prop_assert_eq!(bytes.len(), reply.len());
            let decoded = decode(&bytes[5..]);
            prop_assert_eq!(decoded, Ok(Some((seen(&frame, protocol), bytes.len() - 5))));
        }
    }

    #[test]
    fn sending_in_parts_gives_the_same_bytes(
        lens in prop::collection::vec(prop_oneof![3 => 0usize..200, 1 => 16_000usize..40_000], 1..20),
        cuts in prop::collection::vec(0usize..30_000, 1..40),
    ) {
        let (mut reply, mut expected, mut sent) = (Reply::new(), Vec::new(), Vec::new());
        let mut cuts = cuts.into_iter().cycle();
        for (index, len) in lens.iter().enumerate() {
            let value = vec![b'a' + index as u8; *len];
            crate::encode_request(&mut expected, &[&value]);
            let mark = reply.begin_array();
            reply.bulk_shared(&Arc::new(value));
            reply.finish_array(mark, 1);
            let cut = cuts.next().unwrap().min(reply.len());
            let waiting = reply.to_vec();
            sent.extend_from_slice(&waiting[..cut]);
            reply.discard_front(cut);
            prop_assert_eq!(&reply.to_vec(), &waiting[cut..]);
        }
        reply.append_to(&mut sent);
        prop_assert_eq!(sent, expected);
    }
}
