//! Counts complete replies in a stream of bytes, however the bytes are cut, without building them.
//!
//! A load generator wants to know three things of a reply: where it ends, whether it is an error,
//! and what the error says. So nothing is stored of a value but what is still missing of it:
//!
//! ```text
//! owed   values missing until the reply at hand is whole; an array of n owes n more
//! skip   bytes of a bulk string that still have to pass, its CRLF included
//! ```
//!
//! That needs no stack, whatever the nesting, and a bulk string of 50 MB costs one subtraction per
//! read. A reply of a few bytes costs about as many steps of the machine below as it has bytes up
//! to its length; lines whose text nobody wants are left to `memchr`.
//!
//! RESP3 is covered: maps owe twice their length, an attribute belongs to the value after it, and
//! a push message outside a reply is not counted as one.

use memchr::memchr;

/// No error text of more bytes than this is kept; the rest of its line is dropped.
const ERROR_BYTES_MAX: usize = 512;

/// What the next byte belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The first byte of a value.
    Type,
    /// A line whose end completes a value.
    Line,
    /// The line of a top-level error; its text is kept.
    Error,
    /// The digits after a type byte that is followed by a length.
    Length { kind: u8, is_null: bool, len: u64 },
    /// The body of a bulk string.
    Skip(u64),
}

/// Bytes that no server may send here; the connection is of no more use.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Garbage {
    pub(crate) byte: u8,
}

/// The state of one connection's incoming stream.
#[derive(Debug)]
pub(crate) struct Scanner {
    state: State,
    owed: u64,
    /// The reply at hand has begun with an aggregate, so that what comes is inside of it.
    is_open: bool,
    /// Between replies, or inside a push message that arrived between them.
    is_push: bool,
    error: Option<Vec<u8>>,
}

impl Scanner {
    pub(crate) fn new() -> Self {
        Self { state: State::Type, owed: 1, is_open: false, is_push: false, error: None }
    }

    /// Takes the next bytes of the stream and says how many replies they complete.
    ///
    /// # Errors
    /// If a byte cannot start a value or be part of a length.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<u64, Garbage> {
        let mut replies = 0;
        let mut at = 0;
        while at < bytes.len() {
            match self.state {
                State::Type => {
                    self.start_value(bytes[at])?;
                    at += 1;
                }
                State::Length { kind, is_null, len } => {
                    at += self.read_length(&bytes[at..], kind, is_null, len, &mut replies)?;
                }
                State::Skip(missing) => {
                    let step = missing.min((bytes.len() - at) as u64);
                    at += step as usize;
                    if step == missing {
                        self.end_value(&mut replies);
                    } else {
                        self.state = State::Skip(missing - step);
                    }
                }
                State::Line => match memchr(b'\n', &bytes[at..]) {
                    Some(end) => {
                        at += end + 1;
                        self.end_value(&mut replies);
                    }
                    None => at = bytes.len(),
                },
                State::Error => at += self.read_error(&bytes[at..], &mut replies),
            }
        }
        Ok(replies)
    }

    /// The text of the first error reply since the last call. Errors inside arrays are data.
    pub(crate) fn take_error(&mut self) -> Option<String> {
        // A line that has not ended yet is kept until it has.
        if self.state == State::Error {
            return None;
        }
        self.error.take().map(|text| String::from_utf8_lossy(&text).trim_end().to_owned())
    }

    fn start_value(&mut self, kind: u8) -> Result<(), Garbage> {
        self.state = match kind {
            b'+' | b':' | b'_' | b'#' | b',' | b'(' => State::Line,
            b'-' if !self.is_open && self.error.is_none() => {
                self.error = Some(Vec::new());
                State::Error
            }
            b'-' => State::Line,
            b'$' | b'*' | b'!' | b'=' | b'%' | b'~' | b'>' | b'|' => {
                State::Length { kind, is_null: false, len: 0 }
            }
            byte => return Err(Garbage { byte }),
        };
        Ok(())
    }

    /// Reads on in a length, acts on it at the end of its line, and returns the bytes taken.
    fn read_length(
        &mut self,
        bytes: &[u8],
        kind: u8,
        mut is_null: bool,
        mut len: u64,
        replies: &mut u64,
    ) -> Result<usize, Garbage> {
        for (index, &byte) in bytes.iter().enumerate() {
            match byte {
                b'0'..=b'9' => {
                    len = len.saturating_mul(10).saturating_add(u64::from(byte - b'0'));
                }
                b'-' => is_null = true,
                b'\r' => {}
                b'\n' => {
                    self.apply_length(kind, is_null, len, replies);
                    return Ok(index + 1);
                }
                byte => return Err(Garbage { byte }),
            }
        }
        self.state = State::Length { kind, is_null, len };
        Ok(bytes.len())
    }

    fn apply_length(&mut self, kind: u8, is_null: bool, len: u64, replies: &mut u64) {
        match kind {
            _ if is_null => self.end_value(replies),
            b'$' | b'!' | b'=' => {
                if kind == b'!' && !self.is_open && self.error.is_none() {
                    self.error = Some(b"bulk error".to_vec());
                }
                self.state = State::Skip(len.saturating_add(2));
            }
            b'*' | b'~' => self.open(len, replies),
            b'%' => self.open(len.saturating_mul(2), replies),
            b'|' => {
                // The attribute's pairs come on top of the value that they describe.
                self.owed = self.owed.saturating_add(len.saturating_mul(2));
                self.is_open = true;
                self.state = State::Type;
            }
            _ => {
                self.is_push |= !self.is_open;
                self.open(len, replies);
            }
        }
    }

    /// An aggregate of `len` values takes the place of one value.
    fn open(&mut self, len: u64, replies: &mut u64) {
        self.owed = self.owed.saturating_add(len);
        self.is_open = true;
        self.end_value(replies);
    }

    fn end_value(&mut self, replies: &mut u64) {
        self.state = State::Type;
        self.owed -= 1;
        if self.owed == 0 {
            self.owed = 1;
            *replies += u64::from(!self.is_push);
            self.is_open = false;
            self.is_push = false;
        }
    }

    fn read_error(&mut self, bytes: &[u8], replies: &mut u64) -> usize {
        let end = memchr(b'\n', bytes);
        let text = &bytes[..end.unwrap_or(bytes.len())];
        let kept = self.error.get_or_insert_default();
        let room = ERROR_BYTES_MAX.saturating_sub(kept.len());
        kept.extend_from_slice(&text[..text.len().min(room)]);
        let Some(end) = end else { return bytes.len() };
        self.end_value(replies);
        end + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Replies, and how many of them count.
    const STREAMS: &[(&str, u64)] = &[
        ("+OK\r\n", 1),
        ("+OK\r\n:12\r\n-ERR no\r\n", 3),
        ("$3\r\nabc\r\n$0\r\n\r\n$-1\r\n", 3),
        ("$5\r\n\r\n$1\r\r\n+OK\r\n", 2),
        ("*0\r\n*-1\r\n*2\r\n$1\r\na\r\n:1\r\n", 3),
        ("*2\r\n*2\r\n:1\r\n*1\r\n$1\r\nx\r\n-ERR inner\r\n+OK\r\n", 2),
        ("%2\r\n+a\r\n:1\r\n+b\r\n*1\r\n:2\r\n~1\r\n#t\r\n", 2),
        ("_\r\n,1.5\r\n(123456789012345678901\r\n=7\r\ntxt:abc\r\n", 4),
        ("|1\r\n+ttl\r\n:9\r\n$1\r\nv\r\n:2\r\n", 2),
        (">2\r\n+invalidate\r\n*1\r\n$1\r\nk\r\n+OK\r\n", 1),
        ("!5\r\nERR x\r\n+OK\r\n", 2),
    ];

    #[test]
    fn any_split_gives_the_same_count() {
        for (stream, expected) in STREAMS {
            let bytes = stream.as_bytes();
            for first in 0..=bytes.len() {
                for second in first..=bytes.len() {
                    let mut scanner = Scanner::new();
                    let parts = [&bytes[..first], &bytes[first..second], &bytes[second..]];
                    let counts = parts.map(|part| scanner.feed(part).unwrap());
                    let total: u64 = counts.iter().sum();
                    assert_eq!(total, *expected, "{stream:?} cut at {first} and {second}");
                    assert_eq!((scanner.state, scanner.owed), (State::Type, 1));
                }
            }
        }
    }

    #[test]
    fn a_reply_counts_with_its_last_byte_only() {
        let bytes = b"*2\r\n$1\r\na\r\n:1\r\n";
        let mut scanner = Scanner::new();
        for byte in &bytes[..bytes.len() - 1] {
            assert_eq!(scanner.feed(&[*byte]), Ok(0));
        }
        assert_eq!(scanner.feed(b"\n"), Ok(1));
    }

    #[test]
    fn only_top_level_errors_are_reported_and_whole() {
        let mut scanner = Scanner::new();
        assert_eq!(scanner.feed(b"*1\r\n-ERR inner\r\n"), Ok(1));
        assert_eq!(scanner.take_error(), None);
        assert_eq!(scanner.feed(b"-ERR half"), Ok(0));
        assert_eq!(scanner.take_error(), None);
        assert_eq!(scanner.feed(b" a line\r\n-ERR second\r\n"), Ok(2));
        assert_eq!(scanner.take_error().as_deref(), Some("ERR half a line"));
        assert_eq!(scanner.take_error(), None);
    }

    #[test]
    fn an_endless_error_is_cut_off() {
        let mut scanner = Scanner::new();
        scanner.feed(b"-").unwrap();
        for _ in 0..100 {
            scanner.feed(&[b'x'; 100]).unwrap();
        }
        assert_eq!(scanner.feed(b"\r\n"), Ok(1));
        assert_eq!(scanner.take_error().map(|text| text.len()), Some(ERROR_BYTES_MAX));
    }

    #[test]
    fn garbage_is_told() {
        assert_eq!(Scanner::new().feed(b"HTTP/1.1"), Err(Garbage { byte: b'H' }));
        assert_eq!(Scanner::new().feed(b"$1x\r\n"), Err(Garbage { byte: b'x' }));
    }

    #[test]
    fn absurd_lengths_do_not_overflow() {
        let mut scanner = Scanner::new();
        let count = scanner.feed(b"%99999999999999999999999\r\n$99999999999999999999999\r\nabc");
        assert_eq!(count, Ok(0));
    }
}
