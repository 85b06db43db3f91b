//! Replies read back: an owned tree, a scanner that finds where a reply ends, requests written.
//!
//! [`decode`] builds a tree and is for clients that look at what they get. It starts over when a
//! reply is incomplete; who reads large replies in pieces asks a [`Scanner`] first, which keeps its
//! place, builds nothing, and is all that a load generator needs.
//!
//! The scanner needs no stack: it counts the values still to come. A string takes one off, an array
//! of n puts n on.

use std::fmt;

use base::limits::{FRAME_BULK_LEN_MAX, FRAME_DEPTH_MAX, FRAME_ELEMENTS_MAX, FRAME_LINE_LEN_MAX};
use base::numbers::{IntegerBuffer, parse_i64};
use memchr::memchr;

use crate::error::FrameError;

mod display;

/// One reply, whatever its type.
#[derive(Clone, Debug, PartialEq)]
pub enum Frame {
    /// `*`: values in order.
    Array(Vec<Self>),
    /// `|`: details, and the reply that they are about.
    Attributed {
        /// Keys and values.
        attributes: Vec<(Self, Self)>,
        /// The reply itself.
        value: Box<Self>,
    },
    /// `(`: the digits of an integer of any size.
    BigNumber(Vec<u8>),
    /// `#`: true or false.
    Boolean(bool),
    /// `$`: any bytes.
    Bulk(Vec<u8>),
    /// `!`: an error of any bytes.
    BulkError(Vec<u8>),
    /// `,`: a double.
    Double(f64),
    /// `-`: an error, code first.
    Error(Vec<u8>),
    /// `:`: an integer.
    Integer(i64),
    /// `%`: keys and values in order.
    Map(Vec<(Self, Self)>),
    /// `_`: nothing.
    Null,
    /// `*-1`: nothing, where RESP2 has an array otherwise.
    NullArray,
    /// `$-1`: nothing, where RESP2 has a string otherwise.
    NullBulk,
    /// `>`: a message outside of the order of replies.
    Push(Vec<Self>),
    /// `~`: values in no order.
    Set(Vec<Self>),
    /// `+`: a short text.
    Simple(Vec<u8>),
    /// `=`: text with a format of three letters.
    Verbatim {
        /// The format, such as `txt`.
        format: [u8; 3],
        /// The text.
        text: Vec<u8>,
    },
}

impl Frame {
    /// Whether this is an error of either form.
    pub fn is_error(&self) -> bool {
        matches!(self, Self::Error(_) | Self::BulkError(_))
    }

    /// Whether this is one of the three forms of nothing.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null | Self::NullArray | Self::NullBulk)
    }

    /// The bytes of a text, string or error.
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::BigNumber(bytes)
            | Self::Bulk(bytes)
            | Self::BulkError(bytes)
            | Self::Error(bytes)
            | Self::Simple(bytes)
            | Self::Verbatim { text: bytes, .. } => Some(bytes),
            _ => None,
        }
    }

    /// Appends the frame as it is sent.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Array(items) => encode_items(out, b'*', items),
            Self::Attributed { attributes, value } => {
                encode_pairs(out, b'|', attributes);
                value.encode(out);
            }
            Self::BigNumber(digits) => encode_line(out, b'(', digits),
            Self::Boolean(value) => encode_line(out, b'#', if *value { b"t" } else { b"f" }),
            Self::Bulk(bytes) => encode_bulk(out, b'$', &[bytes]),
            Self::BulkError(bytes) => encode_bulk(out, b'!', &[bytes]),
            Self::Double(value) => {
                encode_line(out, b',', base::numbers::FloatBuffer::new().format(*value));
            }
            Self::Error(line) => encode_line(out, b'-', line),
            Self::Integer(value) => encode_line(out, b':', IntegerBuffer::new().format(*value)),
            Self::Map(pairs) => encode_pairs(out, b'%', pairs),
            Self::Null => out.extend_from_slice(b"_\r\n"),
            Self::NullArray => out.extend_from_slice(b"*-1\r\n"),
            Self::NullBulk => out.extend_from_slice(b"$-1\r\n"),
            Self::Push(items) => encode_items(out, b'>', items),
            Self::Set(items) => encode_items(out, b'~', items),
            Self::Simple(line) => encode_line(out, b'+', line),
            Self::Verbatim { format, text } => encode_bulk(out, b'=', &[format, b":", text]),
        }
    }
}

fn encode_items(out: &mut Vec<u8>, kind: u8, items: &[Frame]) {
    encode_length(out, kind, items.len());
    items.iter().for_each(|item| item.encode(out));
}

fn encode_pairs(out: &mut Vec<u8>, kind: u8, pairs: &[(Frame, Frame)]) {
    encode_length(out, kind, pairs.len());
    for (key, value) in pairs {
        key.encode(out);
        value.encode(out);
    }
}

fn encode_bulk(out: &mut Vec<u8>, kind: u8, parts: &[&[u8]]) {
    encode_length(out, kind, parts.iter().map(|part| part.len()).sum());
    parts.iter().for_each(|part| out.extend_from_slice(part));
    out.extend_from_slice(b"\r\n");
}

fn encode_length(out: &mut Vec<u8>, kind: u8, len: usize) {
    encode_line(out, kind, IntegerBuffer::new().format_u64(len as u64));
}

fn encode_line(out: &mut Vec<u8>, kind: u8, text: &[u8]) {
    out.push(kind);
    out.extend_from_slice(text);
    out.extend_from_slice(b"\r\n");
}

/// Appends a request of these arguments to `out`.
pub fn encode_request<T: AsRef<[u8]>>(out: &mut Vec<u8>, arguments: &[T]) {
    encode_length(out, b'*', arguments.len());
    arguments.iter().for_each(|argument| encode_bulk(out, b'$', &[argument.as_ref()]));
}

/// Reads the reply at the start of `bytes`: the frame and how many bytes it took, or nothing if it
/// is not all there yet.
pub fn decode(bytes: &[u8]) -> Result<Option<(Frame, usize)>, FrameError> {
    let mut decoder = Decoder { bytes, position: 0 };
    Ok(decoder.frame(FRAME_DEPTH_MAX)?.map(|frame| (frame, decoder.position)))
}

/// One item of a reply's bytes: a whole scalar, or the header of an aggregate. `kind` is the byte that
/// it begins with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Item<'a> {
    /// So many items follow (pairs, for `%` and `|`).
    Aggregate {
        /// `*`, `%`, `~`, `>` or `|`.
        kind: u8,
        /// How many.
        len: usize,
    },
    /// Bytes of a known length.
    Bulk {
        /// `$`, `=` or `!`.
        kind: u8,
        /// All of them (of `=` with the format in front).
        bytes: &'a [u8],
    },
    /// What stands on one line.
    Line {
        /// `+`, `-`, `:`, `_`, `#`, `,` or `(`.
        kind: u8,
        /// The line without its type and its end.
        text: &'a [u8],
    },
    /// `*-1`.
    NullArray,
    /// `$-1`.
    NullBulk,
}

/// Reads one item at `position`; gives it and where the next one starts, or nothing if it is
/// incomplete.
///
/// # Errors
/// The bytes are no reply.
pub fn read_item(bytes: &[u8], position: usize) -> Result<Option<(Item<'_>, usize)>, FrameError> {
    let Some(rest) = bytes.get(position..).filter(|rest| !rest.is_empty()) else { return Ok(None) };
    let kind = rest[0];
    if !b"+-:$*_#,(=%~>|!".contains(&kind) {
        return Err(FrameError::UnknownType(kind));
    }
    let window = &rest[..rest.len().min(FRAME_LINE_LEN_MAX)];
    let Some(end) = memchr(b'\r', window) else {
        return if window.len() < FRAME_LINE_LEN_MAX {
            Ok(None)
        } else {
            Err(FrameError::LineTooLong)
        };
    };
    match rest.get(end + 1) {
        None => return Ok(None),
        Some(b'\n') => {}
        Some(_) => return Err(FrameError::InvalidLineEnd),
    }
    let (text, body) = (&rest[1..end], end + 2);
    let item = match kind {
        b'*' if text == b"-1" => Item::NullArray,
        b'$' if text == b"-1" => Item::NullBulk,
        b'*' | b'%' | b'~' | b'>' | b'|' => {
            Item::Aggregate { kind, len: parse_length(text, FRAME_ELEMENTS_MAX)? }
        }
        b'$' | b'=' | b'!' => {
            let len = parse_length(text, FRAME_BULK_LEN_MAX)?;
            return match rest.get(body + len..body + len + 2) {
                None => Ok(None),
                Some(b"\r\n") => {
                    let item = Item::Bulk { kind, bytes: &rest[body..body + len] };
                    Ok(Some((item, position + body + len + 2)))
                }
                Some(_) => Err(FrameError::InvalidLineEnd),
            };
        }
        _ => Item::Line { kind, text },
    };
    Ok(Some((item, position + body)))
}

fn parse_length(text: &[u8], max: usize) -> Result<usize, FrameError> {
    let len = parse_i64(text).and_then(|len| usize::try_from(len).ok());
    len.filter(|len| *len <= max).ok_or(FrameError::InvalidLength)
}

/// Finds where replies end without building them.
#[derive(Clone, Debug, Default)]
pub struct Scanner {
    /// The first byte not yet understood, counted from the reply's first.
    position: usize,
    /// Values still to come, one more than zero before the reply begins.
    expected: u64,
    is_inside: bool,
}

impl Scanner {
    /// A scanner at the start of a reply.
    pub fn new() -> Self {
        Self::default()
    }

    /// Looks at `bytes`, which begin at the reply's first byte. Gives its length once all of it is
    /// there; until then call again with the same bytes and more behind them.
    pub fn scan(&mut self, bytes: &[u8]) -> Result<Option<usize>, FrameError> {
        if !self.is_inside {
            *self = Self { position: 0, expected: 1, is_inside: true };
        }
        while self.expected != 0 {
            let Some((item, next)) = read_item(bytes, self.position)? else { return Ok(None) };
            self.position = next;
            let followers = match item {
                Item::Aggregate { kind: b'%', len } => 2 * len as u64,
                // Attributes come before the value and do not stand for it.
                Item::Aggregate { kind: b'|', len } => 2 * len as u64 + 1,
                Item::Aggregate { len, .. } => len as u64,
                _ => 0,
            };
            self.expected = (self.expected - 1).saturating_add(followers);
        }
        self.is_inside = false;
        Ok(Some(self.position))
    }
}

struct Decoder<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl Decoder<'_> {
    fn frame(&mut self, depth: usize) -> Result<Option<Frame>, FrameError> {
        let Some((item, next)) = read_item(self.bytes, self.position)? else { return Ok(None) };
        self.position = next;
        let (kind, len) = match item {
            Item::Aggregate { kind, len } => (kind, len),
            Item::Bulk { kind, bytes } => return bulk_frame(kind, bytes).map(Some),
            Item::Line { kind, text } => return line_frame(kind, text).map(Some),
            Item::NullArray => return Ok(Some(Frame::NullArray)),
            Item::NullBulk => return Ok(Some(Frame::NullBulk)),
        };
        let Some(depth) = depth.checked_sub(1) else { return Err(FrameError::TooDeep) };
        match kind {
            b'%' => Ok(self.pairs(len, depth)?.map(Frame::Map)),
            b'|' => {
                let Some(attributes) = self.pairs(len, depth)? else { return Ok(None) };
                let Some(value) = self.frame(depth)? else { return Ok(None) };
                Ok(Some(Frame::Attributed { attributes, value: Box::new(value) }))
            }
            b'~' => Ok(self.items(len, depth)?.map(Frame::Set)),
            b'>' => Ok(self.items(len, depth)?.map(Frame::Push)),
            _ => Ok(self.items(len, depth)?.map(Frame::Array)),
        }
    }

    fn items(&mut self, len: usize, depth: usize) -> Result<Option<Vec<Frame>>, FrameError> {
        let mut items = Vec::with_capacity(len.min(self.items_max()));
        for _ in 0..len {
            let Some(item) = self.frame(depth)? else { return Ok(None) };
            items.push(item);
        }
        Ok(Some(items))
    }

    fn pairs(
        &mut self,
        len: usize,
        depth: usize,
    ) -> Result<Option<Vec<(Frame, Frame)>>, FrameError> {
        let mut pairs = Vec::with_capacity(len.min(self.items_max() / 2));
        for _ in 0..len {
            let Some(key) = self.frame(depth)? else { return Ok(None) };
            let Some(value) = self.frame(depth)? else { return Ok(None) };
            pairs.push((key, value));
        }
        Ok(Some(pairs))
    }

    /// How many items the rest of the bytes can hold at most: the shortest one, `_\r\n`, has three.
    /// A cap beside it, since nested headers would each reserve that much again.
    fn items_max(&self) -> usize {
        ((self.bytes.len() - self.position) / 3).min(1 << 10)
    }
}

fn bulk_frame(kind: u8, bytes: &[u8]) -> Result<Frame, FrameError> {
    match (kind, bytes) {
        (b'$', bytes) => Ok(Frame::Bulk(bytes.to_vec())),
        (b'!', bytes) => Ok(Frame::BulkError(bytes.to_vec())),
        (_, [a, b, c, b':', text @ ..]) => {
            Ok(Frame::Verbatim { format: [*a, *b, *c], text: text.to_vec() })
        }
        _ => Err(FrameError::InvalidScalar(kind)),
    }
}

fn line_frame(kind: u8, text: &[u8]) -> Result<Frame, FrameError> {
    let frame = match (kind, text) {
        (b'+', text) => Some(Frame::Simple(text.to_vec())),
        (b'-', text) => Some(Frame::Error(text.to_vec())),
        (b':', text) => parse_i64(text.strip_prefix(b"+").unwrap_or(text)).map(Frame::Integer),
        (b'_', b"") => Some(Frame::Null),
        (b'#', b"t") => Some(Frame::Boolean(true)),
        (b'#', b"f") => Some(Frame::Boolean(false)),
        (b',', text) => parse_double(text).map(Frame::Double),
        (b'(', text) => is_big_number(text).then(|| Frame::BigNumber(text.to_vec())),
        _ => None,
    };
    frame.ok_or(FrameError::InvalidScalar(kind))
}

fn parse_double(text: &[u8]) -> Option<f64> {
    match text {
        b"nan" | b"-nan" => Some(f64::NAN),
        text => base::numbers::parse_f64(text),
    }
}

fn is_big_number(text: &[u8]) -> bool {
    let digits = text.strip_prefix(b"-").or_else(|| text.strip_prefix(b"+")).unwrap_or(text);
    !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
}

impl fmt::Display for Frame {
    /// The frame as a person at a terminal reads it, without a line end after the last line.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        display::write(formatter, self, 0)
    }
}

#[cfg(test)]
pub(crate) mod tests;
