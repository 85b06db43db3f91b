//! Nanoseconds per request parsed and per reply written: `cargo bench -p resp`.
//!
//! Each line is the best of several rounds over a buffer that stays in the processor's cache, so it
//! shows the code and not the memory.

#![allow(clippy::print_stdout, reason = "the figures are what this program is for")]

use std::hint::black_box;
use std::time::Instant;

use resp::{Limits, Parsed, Protocol, Reply, RequestParser, Scanner, Span, encode_request};

const ROUNDS: usize = 30;
const REQUESTS: usize = 200;

fn main() {
    let value = "v".repeat(64);
    let long = "v".repeat(300);
    parse("GET, 16-byte key", &["GET", "key:000000000001"]);
    parse("SET, 16-byte key, 64-byte value", &["SET", "key:000000000001", &value]);
    parse("SET, 32-byte key, 300-byte value, EX", &["SET", &value[..32], &long, "EX", "3600"]);
    parse("MSET of 10 pairs", &["k:000001"; 21]);
    parse_inline("GET inline", b"GET key:000000000001\r\n");
    parse_split("SET in two reads", &["SET", "key:000000000001", &value]);
    write("+OK", |reply| reply.ok());
    write("integer 12345", |reply| reply.integer(black_box(12345)));
    write("bulk of 64", |reply| reply.bulk(black_box(value.as_bytes())));
    write("bulk of 300", |reply| reply.bulk(black_box(long.as_bytes())));
    write("double 3.25", |reply| reply.double(black_box(3.25)));
    write("array of 3, length last", |reply| {
        let mark = reply.begin_array();
        (0..3).for_each(|value| reply.integer(value));
        reply.finish_array(mark, 3);
    });
    scan("scan bulk of 64", |reply| reply.bulk(value.as_bytes()));
}

/// Prints the best time of one step, with so many steps in a round.
fn report(name: &str, steps: usize, mut round: impl FnMut()) {
    let best = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            (0..100).for_each(|_| round());
            start.elapsed()
        })
        .min()
        .unwrap_or_default();
    println!("{:6.1} ns  {name}", best.as_nanos() as f64 / (100 * steps) as f64);
}

fn parse(name: &str, arguments: &[&str]) {
    let mut bytes = Vec::new();
    (0..REQUESTS).for_each(|_| encode_request(&mut bytes, arguments));
    parse_bytes(name, &bytes);
}

fn parse_inline(name: &str, line: &[u8]) {
    parse_bytes(name, &line.repeat(REQUESTS));
}

fn parse_bytes(name: &str, bytes: &[u8]) {
    let (mut parser, mut spans, limits) = (RequestParser::new(), Vec::new(), Limits::default());
    report(name, REQUESTS, || {
        let mut start = 0;
        while let Ok(Parsed::Complete { consumed, .. }) =
            parser.parse(&bytes[start..], &mut spans, &limits)
        {
            black_box(&spans);
            spans.clear();
            start += consumed;
        }
        assert_eq!(start, bytes.len());
        parser.clear_inline_buffer();
    });
}

fn parse_split(name: &str, arguments: &[&str]) {
    let mut bytes = Vec::new();
    encode_request(&mut bytes, arguments);
    let (mut parser, limits) = (RequestParser::new(), Limits::default());
    let mut spans: Vec<Span> = Vec::new();
    report(name, 1, || {
        let first = parser.parse(&bytes[..bytes.len() / 2], &mut spans, &limits);
        assert!(matches!(first, Ok(Parsed::Incomplete { .. })));
        let second = parser.parse(black_box(&bytes), &mut spans, &limits);
        assert!(matches!(second, Ok(Parsed::Complete { .. })));
        spans.clear();
    });
}

fn write(name: &str, step: impl Fn(&mut Reply)) {
    let mut reply = Reply::with_protocol(Protocol::Resp3);
    report(name, REQUESTS, || {
        reply.clear();
        (0..REQUESTS).for_each(|_| step(&mut reply));
        black_box(&reply);
    });
}

fn scan(name: &str, step: impl Fn(&mut Reply)) {
    let mut reply = Reply::new();
    (0..REQUESTS).for_each(|_| step(&mut reply));
    let bytes = reply.to_vec();
    let mut scanner = Scanner::new();
    report(name, REQUESTS, || {
        let mut start = 0;
        while let Ok(Some(len)) = scanner.scan(&bytes[start..]) {
            start += len;
        }
        assert_eq!(start, bytes.len());
    });
}
