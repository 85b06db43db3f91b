//! The reply writer: RESP2 and RESP3 behind one set of verbs.
//!
//! A command says what it means and never asks which protocol the connection speaks; where RESP2
//! lacks a type, the verb writes the form that RESP2 clients have always seen.
//!
//! ```text
//! bytes    [ :1\r\n$20000\r\n | \r\n*2\r\n… | … ]      one growing buffer
//! inserts                    ^ at 11: shared value      pieces that belong between its bytes
//! ```
//!
//! Most replies are the buffer alone. Two things are kept beside it as *inserts*, pieces with the
//! offset at which they belong: large values, held by reference so that they are never copied,
//! headers of long aggregates whose length turned out only at the end, and parts of replies that grow
//! for long. [`Reply::segments`] gives
//! buffer and inserts in order for a vectored write, [`Reply::discard_front`] takes away what the
//! socket has accepted. Between replies the memory is kept, so the steady state does not allocate.

use std::collections::VecDeque;
use std::sync::Arc;

use base::limits::{
    REPLY_COMPACT_LEN_MIN, REPLY_SEALED_LEN_MIN, REPLY_SHARED_LEN_MIN, REPLY_SHIFT_LEN_MAX,
};
use base::numbers::{FloatBuffer, IntegerBuffer};

/// The protocol that a connection speaks: RESP2 until it asks for RESP3.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// Simple strings, errors, integers, bulk strings and arrays.
    #[default]
    Resp2,
    /// All of RESP2, and maps, sets, doubles, booleans, nulls, big numbers, verbatim strings,
    /// pushes and attributes.
    Resp3,
}

/// Replies on their way to one client.
#[derive(Debug, Default)]
pub struct Reply {
    protocol: Protocol,
    buffer: Vec<u8>,
    inserts: VecDeque<Insert>,
    /// Bytes of all inserts together that wait to be sent.
    inserts_len: usize,
    sent: Sent,
}

/// A piece that belongs before the buffer's byte `at`.
#[derive(Clone, Debug)]
struct Insert {
    at: usize,
    piece: Piece,
}

#[derive(Clone, Debug)]
enum Piece {
    Header(Header),
    Shared(Arc<Vec<u8>>),
}

impl Piece {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Header(header) => header.bytes(),
            Self::Shared(bytes) => bytes,
        }
    }
}

/// What the socket has taken.
#[derive(Clone, Copy, Debug, Default)]
struct Sent {
    /// Bytes of the buffer.
    buffer: usize,
    /// Bytes of the first insert.
    insert: usize,
}

/// Where an aggregate of still unknown length begins.
#[derive(Clone, Copy, Debug)]
#[must_use = "an aggregate that is begun must be finished"]
pub struct Mark {
    at: usize,
    inserts: usize,
}

/// A place to which a reply can be taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    buffer_len: usize,
    inserts: usize,
    inserts_len: usize,
}

/// Lifecycle: making, sending, taking back.
impl Reply {
    /// An empty reply for a connection that speaks RESP2.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty reply in the given protocol.
    pub fn with_protocol(protocol: Protocol) -> Self {
        Self { protocol, ..Self::default() }
    }

    /// Sets the protocol of everything written from now on.
    pub fn set_protocol(&mut self, protocol: Protocol) {
        self.protocol = protocol;
    }

    /// The protocol in which is being written.
    #[inline]
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// How many bytes wait to be sent.
    #[inline]
    pub fn len(&self) -> usize {
        self.buffer.len() - self.sent.buffer + self.inserts_len
    }

    /// Whether nothing waits to be sent.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How much memory is held, shared values counted in full.
    pub fn memory_len(&self) -> usize {
        self.buffer.capacity() + self.inserts.capacity() * size_of::<Insert>() + self.inserts_len
    }

    /// The bytes that wait to be sent, in order, in as few pieces as there are.
    #[inline]
    pub fn segments(&self) -> Segments<'_> {
        Segments { reply: self, sent: self.sent, next_insert: 0 }
    }

    /// Appends all bytes that wait to be sent to `out`.
    pub fn append_to(&self, out: &mut Vec<u8>) {
        self.segments().for_each(|segment| out.extend_from_slice(segment));
    }

    /// All bytes that wait to be sent, copied.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.len());
        self.append_to(&mut out);
        out
    }

    /// Moves everything that waits in `other` behind what waits here. Long values stay references, and
    /// a long buffer changes hands as it is if nothing waits here.
    pub fn append(&mut self, other: &mut Self) {
        if self.is_empty() {
            self.clear();
            let waiting = other.buffer.len() - other.sent.buffer;
            if REPLY_SHARED_LEN_MIN <= waiting && other.buffer.capacity() / 4 <= waiting {
                std::mem::swap(self, other);
                std::mem::swap(&mut self.protocol, &mut other.protocol);
                return;
            }
        }
        let mut from = other.sent.buffer;
        let mut sent = other.sent.insert;
        for insert in other.inserts.drain(..) {
            self.buffer.extend_from_slice(&other.buffer[from..insert.at]);
            from = insert.at;
            if 0 < sent && !self.is_empty() {
                self.buffer.extend_from_slice(&insert.piece.bytes()[sent..]);
            } else {
                self.insert(self.inserts.len(), self.buffer.len(), insert.piece);
                self.sent.insert += sent;
                self.inserts_len -= sent;
            }
            sent = 0;
        }
        self.buffer.extend_from_slice(&other.buffer[from..]);
        other.clear();
    }

    /// Takes away the first `count` waiting bytes, which have been sent.
    ///
    /// Positions and marks taken before are void.
    ///
    /// # Panics
    /// If fewer bytes wait.
    pub fn discard_front(&mut self, count: usize) {
        assert!(count <= self.len(), "only what waits can have been sent");
        let mut count = count;
        while let Some(insert) = self.inserts.front() {
            let before = (insert.at - self.sent.buffer).min(count);
            self.sent.buffer += before;
            count -= before;
            let piece_len = insert.piece.bytes().len();
            let taken = (piece_len - self.sent.insert).min(count);
            self.sent.insert += taken;
            self.inserts_len -= taken;
            count -= taken;
            if self.sent.buffer < insert.at || self.sent.insert < piece_len {
                break;
            }
            self.inserts.pop_front();
            self.sent.insert = 0;
        }
        self.sent.buffer += count;
        self.compact();
    }

    /// Forgets everything that waits and keeps the memory.
    pub fn clear(&mut self) {
        self.buffer.clear();
        self.inserts.clear();
        self.inserts_len = 0;
        self.sent = Sent::default();
    }

    /// Gives memory above `capacity` bytes back, if nothing waits in it.
    pub fn shrink_to(&mut self, capacity: usize) {
        self.buffer.shrink_to(capacity);
        self.inserts.shrink_to(0);
    }

    /// The current end, to come back to with [`Self::truncate`].
    #[inline]
    pub fn position(&self) -> Position {
        Position {
            buffer_len: self.buffer.len(),
            inserts: self.inserts.len(),
            inserts_len: self.inserts_len,
        }
    }

    /// Takes back everything written since `position`, which was taken after the last
    /// [`Self::discard_front`] and not inside of an aggregate that has been finished since.
    pub fn truncate(&mut self, position: Position) {
        self.buffer.truncate(position.buffer_len);
        self.inserts.truncate(position.inserts);
        self.inserts_len = position.inserts_len;
    }

    /// How many bytes were written since `position`.
    pub fn len_since(&self, position: Position) -> usize {
        self.buffer.len() - position.buffer_len + self.inserts_len - position.inserts_len
    }

    /// Drops sent bytes at the buffer's front once they are worth the move.
    fn compact(&mut self) {
        let sent = self.sent.buffer;
        if self.is_empty() {
            self.clear();
        } else if REPLY_COMPACT_LEN_MIN <= sent && self.buffer.len() / 2 <= sent {
            self.buffer.drain(..sent);
            self.inserts.iter_mut().for_each(|insert| insert.at -= sent);
            self.sent.buffer = 0;
        }
    }

    fn insert(&mut self, index: usize, at: usize, piece: Piece) {
        self.inserts_len += piece.bytes().len();
        self.inserts.insert(index, Insert { at, piece });
    }
}

/// Simple values.
impl Reply {
    /// `+OK`.
    #[inline]
    pub fn ok(&mut self) {
        self.raw(b"+OK\r\n");
    }

    /// `+PONG`.
    pub fn pong(&mut self) {
        self.raw(b"+PONG\r\n");
    }

    /// `+QUEUED`.
    pub fn queued(&mut self) {
        self.raw(b"+QUEUED\r\n");
    }

    /// Bytes that are already in the form of the protocol.
    #[inline]
    pub fn raw(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Bytes that are already in the form of the protocol, by reference if they are many: the same
    /// message for many receivers.
    pub fn raw_shared(&mut self, bytes: &Arc<Vec<u8>>) {
        if bytes.len() < REPLY_SHARED_LEN_MIN {
            self.raw(bytes);
        } else {
            self.insert(self.inserts.len(), self.buffer.len(), Piece::Shared(Arc::clone(bytes)));
        }
    }

    /// A short text without line ends, such as a status.
    pub fn simple(&mut self, text: &str) {
        self.line(b'+', text.as_bytes());
    }

    /// An error: its code, a blank and the message. Line ends inside become blanks, at the end
    /// they are dropped.
    pub fn error(&mut self, line: &[u8]) {
        let end = line.iter().rposition(|byte| !is_line_end(*byte)).map_or(0, |last| last + 1);
        self.buffer.push(b'-');
        let text = line[..end].iter().map(|byte| if is_line_end(*byte) { b' ' } else { *byte });
        self.buffer.extend(text);
        self.line_end();
    }

    /// An integer.
    #[inline]
    pub fn integer(&mut self, value: i64) {
        if (0..10).contains(&value) {
            self.raw(&[b':', b'0' + value as u8, b'\r', b'\n']);
        } else {
            self.line(b':', IntegerBuffer::new().format(value));
        }
    }

    /// A string of any bytes.
    #[inline]
    pub fn bulk(&mut self, bytes: &[u8]) {
        self.buffer.reserve(bytes.len() + Header::LEN_MAX + 2);
        self.header(b'$', bytes.len());
        self.buffer.extend_from_slice(bytes);
        self.line_end();
    }

    /// A string of any bytes, by reference if it is long.
    pub fn bulk_shared(&mut self, bytes: &Arc<Vec<u8>>) {
        if bytes.len() < REPLY_SHARED_LEN_MIN {
            return self.bulk(bytes);
        }
        self.header(b'$', bytes.len());
        self.raw_shared(bytes);
        self.line_end();
    }

    /// An integer as a string.
    pub fn bulk_integer(&mut self, value: i64) {
        self.bulk(IntegerBuffer::new().format(value));
    }

    /// Nothing, where a string could be.
    #[inline]
    pub fn null(&mut self) {
        self.raw(match self.protocol {
            Protocol::Resp2 => b"$-1\r\n",
            Protocol::Resp3 => b"_\r\n",
        });
    }

    /// Nothing, where an array could be.
    pub fn null_array(&mut self) {
        self.raw(match self.protocol {
            Protocol::Resp2 => b"*-1\r\n",
            Protocol::Resp3 => b"_\r\n",
        });
    }

    /// A truth value; in RESP2 the integer 1 or 0.
    pub fn boolean(&mut self, value: bool) {
        self.raw(match (self.protocol, value) {
            (Protocol::Resp2, true) => b":1\r\n",
            (Protocol::Resp2, false) => b":0\r\n",
            (Protocol::Resp3, true) => b"#t\r\n",
            (Protocol::Resp3, false) => b"#f\r\n",
        });
    }

    /// A double; in RESP2 its text as a string.
    pub fn double(&mut self, value: f64) {
        let mut buffer = FloatBuffer::new();
        match self.protocol {
            Protocol::Resp2 => self.bulk(buffer.format(value)),
            Protocol::Resp3 => self.line(b',', buffer.format(value)),
        }
    }

    /// A double, given by its text.
    pub fn double_text(&mut self, text: &[u8]) {
        match self.protocol {
            Protocol::Resp2 => self.bulk(text),
            Protocol::Resp3 => self.line(b',', text),
        }
    }

    /// An integer of any size, given by its digits; in RESP2 a string.
    pub fn big_number(&mut self, digits: &str) {
        match self.protocol {
            Protocol::Resp2 => self.bulk(digits.as_bytes()),
            Protocol::Resp3 => self.line(b'(', digits.as_bytes()),
        }
    }

    /// Text with a format of three letters, such as `txt`; in RESP2 a plain string.
    pub fn verbatim(&mut self, format: &str, text: &[u8]) {
        debug_assert_eq!(format.len(), 3);
        match self.protocol {
            Protocol::Resp2 => self.bulk(text),
            Protocol::Resp3 => {
                self.header(b'=', text.len() + 4);
                self.raw(format.as_bytes());
                self.raw(b":");
                self.raw(text);
                self.line_end();
            }
        }
    }

    fn line(&mut self, kind: u8, text: &[u8]) {
        self.buffer.reserve(text.len() + 3);
        self.buffer.push(kind);
        self.buffer.extend_from_slice(text);
        self.line_end();
    }

    fn line_end(&mut self) {
        self.buffer.extend_from_slice(b"\r\n");
    }
}

/// Aggregates: a header, then as many replies as it announces.
impl Reply {
    /// An array of `len` replies.
    #[inline]
    pub fn array(&mut self, len: usize) {
        self.header(b'*', len);
    }

    /// A map of `pairs` keys, each followed by its value; in RESP2 an array of them all.
    pub fn map(&mut self, pairs: usize) {
        let (kind, len) = self.map_header(pairs);
        self.header(kind, len);
    }

    /// A set of `len` replies; in RESP2 an array.
    pub fn set(&mut self, len: usize) {
        self.header(self.or_array(b'~'), len);
    }

    /// A message outside of the order of replies, of `len` replies; in RESP2 an array.
    pub fn push(&mut self, len: usize) {
        self.header(self.or_array(b'>'), len);
    }

    /// Details about the reply that follows: `pairs` keys, each with its value. RESP2 has no such
    /// thing, so there nothing is written and nothing must be: true says that the pairs may follow.
    #[must_use]
    pub fn attribute(&mut self, pairs: usize) -> bool {
        let is_possible = self.protocol == Protocol::Resp3;
        if is_possible {
            self.header(b'|', pairs);
        }
        is_possible
    }

    /// Begins an array whose length is known only at its end. Aggregates begun later must be
    /// finished earlier.
    pub fn begin_array(&mut self) -> Mark {
        Mark { at: self.buffer.len(), inserts: self.inserts.len() }
    }

    /// Begins a map; see [`Self::begin_array`].
    pub fn begin_map(&mut self) -> Mark {
        self.begin_array()
    }

    /// Begins a set; see [`Self::begin_array`].
    pub fn begin_set(&mut self) -> Mark {
        self.begin_array()
    }

    /// Inside of an aggregate that grows for long: makes a piece of its own of what was written since its `mark`,
    /// if that is long. Such a reply is never copied as a whole, and each piece is freed when it has been sent.
    /// Aggregates that were begun after it must have been finished.
    pub fn seal(&mut self, mark: &Mark) {
        let start = self.inserts.back().map_or(mark.at, |insert| insert.at.max(mark.at));
        if REPLY_SEALED_LEN_MIN <= self.buffer.len() - start {
            let piece = Piece::Shared(Arc::new(self.buffer.split_off(start)));
            self.insert(self.inserts.len(), start, piece);
        }
    }

    /// Ends an array of `len` replies.
    pub fn finish_array(&mut self, mark: Mark, len: usize) {
        self.finish(mark, b'*', len);
    }

    /// Ends a map of `pairs` keys and as many values.
    pub fn finish_map(&mut self, mark: Mark, pairs: usize) {
        let (kind, len) = self.map_header(pairs);
        self.finish(mark, kind, len);
    }

    /// Ends a set of `len` replies.
    pub fn finish_set(&mut self, mark: Mark, len: usize) {
        self.finish(mark, self.or_array(b'~'), len);
    }

    fn finish(&mut self, mark: Mark, kind: u8, len: usize) {
        let header = Header::new(kind, len);
        let header_len = header.bytes().len();
        if REPLY_SHIFT_LEN_MAX < self.buffer.len() - mark.at {
            return self.insert(mark.inserts, mark.at, Piece::Header(header));
        }
        self.buffer.extend_from_slice(header.bytes());
        self.buffer[mark.at..].rotate_right(header_len);
        for insert in self.inserts.range_mut(mark.inserts..) {
            insert.at += header_len;
        }
    }

    fn map_header(&self, pairs: usize) -> (u8, usize) {
        match self.protocol {
            Protocol::Resp2 => (b'*', pairs * 2),
            Protocol::Resp3 => (b'%', pairs),
        }
    }

    fn or_array(&self, kind: u8) -> u8 {
        match self.protocol {
            Protocol::Resp2 => b'*',
            Protocol::Resp3 => kind,
        }
    }

    #[inline]
    fn header(&mut self, kind: u8, len: usize) {
        let digit = |value: usize| b'0' + (value % 10) as u8;
        // Lengths of up to three digits are nearly all there are.
        if len < 10 {
            self.buffer.extend_from_slice(&[kind, digit(len), b'\r', b'\n']);
        } else if len < 100 {
            let text = [kind, digit(len / 10), digit(len), b'\r', b'\n'];
            self.buffer.extend_from_slice(&text);
        } else if len < 1000 {
            let text = [kind, digit(len / 100), digit(len / 10), digit(len), b'\r', b'\n'];
            self.buffer.extend_from_slice(&text);
        } else {
            self.buffer.extend_from_slice(Header::new(kind, len).bytes());
        }
    }
}

/// A type byte, a length and a line end.
#[derive(Clone, Copy, Debug)]
struct Header {
    text: [u8; Self::LEN_MAX],
    len: u8,
}

impl Header {
    /// Type byte, the twenty digits of 2^64, line end.
    const LEN_MAX: usize = 23;

    fn new(kind: u8, value: usize) -> Self {
        let mut integer = IntegerBuffer::new();
        let digits = integer.format_u64(value as u64);
        let mut text = [0; Self::LEN_MAX];
        text[0] = kind;
        text[1..=digits.len()].copy_from_slice(digits);
        text[digits.len() + 1..][..2].copy_from_slice(b"\r\n");
        Self { text, len: digits.len() as u8 + 3 }
    }

    fn bytes(&self) -> &[u8] {
        &self.text[..usize::from(self.len)]
    }
}

/// The waiting bytes of a [`Reply`], piece by piece; none is empty.
#[derive(Clone, Debug)]
pub struct Segments<'a> {
    reply: &'a Reply,
    sent: Sent,
    next_insert: usize,
}

impl<'a> Iterator for Segments<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let reply = self.reply;
        let insert = reply.inserts.get(self.next_insert);
        let end = insert.map_or(reply.buffer.len(), |insert| insert.at);
        if self.sent.buffer < end {
            let segment = &reply.buffer[self.sent.buffer..end];
            self.sent.buffer = end;
            return Some(segment);
        }
        let segment = &insert?.piece.bytes()[self.sent.insert..];
        self.sent.insert = 0;
        self.next_insert += 1;
        Some(segment)
    }
}

fn is_line_end(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n')
}

#[cfg(test)]
mod tests;
