//! The request parser: incremental, borrowing, multibulk and inline.
//!
//! The caller reads into a buffer and calls [`RequestParser::parse`] with the bytes from the current
//! request's first one on. Three things matter:
//!
//! - *One pass.* A pipelined request that lies whole in the buffer is read once, header digits by a
//!   hand-written loop. A search for line ends (`memchr`) would cost more than the few digits.
//! - *No second look.* When the bytes run out, the parser keeps its place relative to the request's
//!   start and the spans found so far. A request of a million arguments that arrives in thousands
//!   of reads costs each byte once.
//! - *The same answer for any split.* What is accepted depends on the bytes alone, never on where a
//!   read ended; the property test below holds the parser to it. So a line may have
//!   [`REQUEST_LINE_LEN_MAX`] bytes before its end whether they come at once or one by one.
//!
//! Lengths are believed only within [`Limits`], and memory for spans grows with the bytes that have
//! arrived, not with the number of arguments that a client announces.

use base::limits::{
    REQUEST_ARGUMENTS_MAX, REQUEST_ARGUMENTS_UNAUTHENTICATED_MAX, REQUEST_BULK_LEN_MAX,
    REQUEST_BULK_LEN_MAX_LEAST, REQUEST_BULK_LEN_UNAUTHENTICATED_MAX, REQUEST_LINE_LEN_MAX,
    REQUEST_SPANS_RESERVED_MAX,
};
use base::numbers::parse_i64;
use memchr::memchr;

use crate::error::ProtocolError;
use crate::words::{Quotes, split_words};

/// Where an argument lies in its buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Offset of the first byte.
    pub start: usize,
    /// Number of bytes.
    pub len: usize,
}

impl Span {
    /// The bytes of this span.
    ///
    /// # Panics
    /// If the span does not lie in `buffer`.
    #[inline]
    pub fn of(self, buffer: &[u8]) -> &[u8] {
        &buffer[self.start..self.start + self.len]
    }
}

/// What a request may announce. Fixed from a request's first byte to its last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest argument in bytes.
    bulk_len_max: i64,
    /// Longest line, inline requests and headers alike.
    line_len_max: usize,
    is_authenticated: bool,
    /// Of inline requests.
    quotes: Quotes,
}

impl Limits {
    /// The limits of a client that has authenticated or need not. The longest argument is a
    /// setting, of no less than [`REQUEST_BULK_LEN_MAX_LEAST`].
    pub fn authenticated(bulk_len_max: i64) -> Self {
        Self {
            bulk_len_max: bulk_len_max.max(REQUEST_BULK_LEN_MAX_LEAST),
            line_len_max: REQUEST_LINE_LEN_MAX,
            is_authenticated: true,
            quotes: Quotes::default(),
        }
    }

    /// The tighter limits of a client that must authenticate first. What it sends behind its
    /// authentication in the same pipeline must be parsed with the others, so as long as these
    /// hold, a request is parsed only after the one before it has run.
    pub fn unauthenticated(bulk_len_max: i64) -> Self {
        Self { is_authenticated: false, ..Self::authenticated(bulk_len_max) }
    }

    /// The same limits, with this meaning of quotes in inline requests.
    #[must_use]
    pub fn with_quotes(self, quotes: Quotes) -> Self {
        Self { quotes, ..self }
    }

    fn check_count(&self, count: Option<i64>) -> Result<usize, ProtocolError> {
        let count = count.ok_or(ProtocolError::InvalidMultibulkLength)?;
        if REQUEST_ARGUMENTS_MAX < count {
            return Err(ProtocolError::InvalidMultibulkLength);
        }
        if !self.is_authenticated && REQUEST_ARGUMENTS_UNAUTHENTICATED_MAX < count {
            return Err(ProtocolError::UnauthenticatedMultibulkLength);
        }
        Ok(count.max(0) as usize)
    }

    fn check_bulk(&self, len: Option<i64>) -> Result<usize, ProtocolError> {
        let len = len.ok_or(ProtocolError::InvalidBulkLength)?;
        if len < 0 || self.bulk_len_max < len {
            return Err(ProtocolError::InvalidBulkLength);
        }
        if !self.is_authenticated && REQUEST_BULK_LEN_UNAUTHENTICATED_MAX < len {
            return Err(ProtocolError::UnauthenticatedBulkLength);
        }
        Ok(len as usize)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::authenticated(REQUEST_BULK_LEN_MAX)
    }
}

/// What the bytes so far amount to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// A request. Its spans are relative to the bytes given, or to
    /// [`RequestParser::inline_buffer`] if `is_inline`.
    Complete {
        /// How many bytes the request took.
        consumed: usize,
        /// Whether it was a line of words.
        is_inline: bool,
    },
    /// A request without arguments, to be skipped without a reply.
    Empty {
        /// How many bytes the request took.
        consumed: usize,
    },
    /// The request goes on.
    Incomplete {
        /// At least so many more bytes are needed: what is missing of a long argument, else 1.
        wanted: usize,
    },
}

/// Reads requests out of a growing buffer, one after the other.
#[derive(Debug, Default)]
pub struct RequestParser {
    stage: Stage,
    cursor: Cursor,
    /// Spans of a request whose end has not arrived.
    pending: Vec<Span>,
    /// The unquoted words of inline requests.
    inline: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    /// Before or in the first line.
    #[default]
    First,
    /// The number of arguments is known.
    Arguments,
}

/// The place in a request; offsets count from its first byte.
#[derive(Clone, Copy, Debug, Default)]
struct Cursor {
    /// The first byte not yet understood.
    position: usize,
    /// Bytes from `position` on that hold no line end.
    searched: usize,
    /// Arguments still to come.
    remaining: usize,
    /// The length of the argument at `position`, once its header is read.
    bulk_len: Option<usize>,
}

impl RequestParser {
    /// A parser at the start of a request.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads one request from `bytes`, which begin at its first byte, and appends its spans to
    /// `arguments`.
    ///
    /// On [`Parsed::Incomplete`] call again with the same bytes and more behind them; `arguments`
    /// is then as before the call. After an error the connection's bytes make no sense any more.
    pub fn parse(
        &mut self,
        bytes: &[u8],
        arguments: &mut Vec<Span>,
        limits: &Limits,
    ) -> Result<Parsed, ProtocolError> {
        if self.stage == Stage::Arguments {
            return self.resume(bytes, arguments, limits);
        }
        match bytes.first() {
            None => Ok(Parsed::Incomplete { wanted: 1 }),
            Some(b'*') => self.parse_multibulk(bytes, arguments, limits),
            Some(_) => self.parse_inline(bytes, arguments, limits),
        }
    }

    /// Forgets a half-read request.
    pub fn reset(&mut self) {
        self.stage = Stage::First;
        self.cursor = Cursor::default();
        self.pending = Vec::new();
    }

    /// What the spans of inline requests refer to. Requests add up here, so that a batch of them
    /// can be parsed before the first one runs, until [`Self::clear_inline_buffer`].
    pub fn inline_buffer(&self) -> &[u8] {
        &self.inline
    }

    /// Forgets the words of inline requests that have run.
    pub fn clear_inline_buffer(&mut self) {
        self.inline.clear();
        if REQUEST_LINE_LEN_MAX < self.inline.capacity() {
            self.inline = Vec::new();
        }
    }

    /// How much memory the parser holds, for a connection's account.
    pub fn memory_len(&self) -> usize {
        self.pending.capacity() * size_of::<Span>() + self.inline.capacity()
    }

    fn parse_multibulk(
        &mut self,
        bytes: &[u8],
        arguments: &mut Vec<Span>,
        limits: &Limits,
    ) -> Result<Parsed, ProtocolError> {
        let (remaining, position) = match bytes {
            // Up to nine arguments, nearly all requests.
            [_, digit @ b'1'..=b'9', b'\r', b'\n', ..] => (usize::from(digit - b'0'), 4),
            _ => {
                let too_long = ProtocolError::TooBigMultibulkCount;
                let Some(line) = find_line(bytes, &mut self.cursor, limits, too_long)? else {
                    return Ok(Parsed::Incomplete { wanted: 1 });
                };
                let count = limits.check_count(parse_i64(&line.text[1..]))?;
                self.cursor = Cursor::default();
                if count == 0 {
                    return Ok(Parsed::Empty { consumed: line.next });
                }
                (count, line.next)
            }
        };
        // A first line that came in pieces has left its mark.
        self.cursor.searched = 0;
        let first = arguments.len();
        arguments.reserve(remaining.min(REQUEST_SPANS_RESERVED_MAX));
        let (position, remaining) = read_short_arguments(bytes, position, remaining, arguments);
        if remaining == 0 {
            return Ok(Parsed::Complete { consumed: position, is_inline: false });
        }
        let cursor = Cursor { position, searched: 0, remaining, bulk_len: None };
        Ok(match read_arguments(bytes, cursor, arguments, limits)? {
            Progress::Done { consumed } => Parsed::Complete { consumed, is_inline: false },
            Progress::Stuck { cursor, wanted } => {
                self.stage = Stage::Arguments;
                self.cursor = cursor;
                self.pending.extend(arguments.drain(first..));
                Parsed::Incomplete { wanted }
            }
        })
    }

    fn resume(
        &mut self,
        bytes: &[u8],
        arguments: &mut Vec<Span>,
        limits: &Limits,
    ) -> Result<Parsed, ProtocolError> {
        match read_arguments(bytes, self.cursor, &mut self.pending, limits)? {
            Progress::Done { consumed } => {
                arguments.append(&mut self.pending);
                self.reset();
                Ok(Parsed::Complete { consumed, is_inline: false })
            }
            Progress::Stuck { cursor, wanted } => {
                self.cursor = cursor;
                Ok(Parsed::Incomplete { wanted })
            }
        }
    }

    fn parse_inline(
        &mut self,
        bytes: &[u8],
        arguments: &mut Vec<Span>,
        limits: &Limits,
    ) -> Result<Parsed, ProtocolError> {
        let window = &bytes[..bytes.len().min(limits.line_len_max + 1)];
        let Some(found) = memchr(b'\n', &window[self.cursor.searched..]) else {
            if limits.line_len_max < window.len() {
                return Err(ProtocolError::TooBigInlineRequest);
            }
            self.cursor.searched = window.len();
            return Ok(Parsed::Incomplete { wanted: 1 });
        };
        let end = self.cursor.searched + found;
        let consumed = end + 1;
        self.cursor = Cursor::default();
        let first = arguments.len();
        split_words(&bytes[..end], limits.quotes, &mut self.inline, arguments)
            .map_err(|_| ProtocolError::UnbalancedQuotes)?;
        Ok(if arguments.len() == first {
            Parsed::Empty { consumed }
        } else {
            Parsed::Complete { consumed, is_inline: true }
        })
    }
}

/// How far the arguments could be read.
enum Progress {
    Done { consumed: usize },
    Stuck { cursor: Cursor, wanted: usize },
}

/// Reads arguments until the request ends or the bytes do.
fn read_arguments(
    bytes: &[u8],
    mut cursor: Cursor,
    spans: &mut Vec<Span>,
    limits: &Limits,
) -> Result<Progress, ProtocolError> {
    while cursor.remaining != 0 {
        let len = match cursor.bulk_len {
            Some(len) => len,
            None => match read_header(bytes, &mut cursor, limits)? {
                Some(len) => len,
                None => return Ok(Progress::Stuck { cursor, wanted: 1 }),
            },
        };
        let rest = &bytes[cursor.position..];
        match rest.get(len..len + 2) {
            Some(b"\r\n") => {}
            Some(_) => return Err(ProtocolError::InvalidLineEnd),
            None => {
                cursor.bulk_len = Some(len);
                return Ok(Progress::Stuck { cursor, wanted: len + 2 - rest.len() });
            }
        }
        spans.push(Span { start: cursor.position, len });
        cursor.position += len + 2;
        cursor = Cursor { bulk_len: None, searched: 0, remaining: cursor.remaining - 1, ..cursor };
        (cursor.position, cursor.remaining) =
            read_short_arguments(bytes, cursor.position, cursor.remaining, spans);
    }
    Ok(Progress::Done { consumed: cursor.position })
}

/// Reads arguments while they are complete, right and announced by few digits; stops before the
/// first one that is not. This is the loop that nearly all bytes of nearly all requests go through.
#[inline]
fn read_short_arguments(
    bytes: &[u8],
    mut position: usize,
    mut remaining: usize,
    spans: &mut Vec<Span>,
) -> (usize, usize) {
    while remaining != 0 {
        let Some((len, header_len)) = short_header(&bytes[position..]) else { break };
        let start = position + header_len;
        let Some(b"\r\n") = bytes.get(start + len..start + len + 2) else { break };
        spans.push(Span { start, len });
        position = start + len + 2;
        remaining -= 1;
    }
    (position, remaining)
}

/// Reads `$` and up to three digits, which every limit admits; gives the argument's length and the
/// header's.
#[inline]
fn short_header(bytes: &[u8]) -> Option<(usize, usize)> {
    let digit = |byte: &u8| usize::from(byte - b'0');
    match bytes {
        [b'$', a @ b'0'..=b'9', b'\r', b'\n', ..] => Some((digit(a), 4)),
        [b'$', a @ b'1'..=b'9', b @ b'0'..=b'9', b'\r', b'\n', ..] => {
            Some((digit(a) * 10 + digit(b), 5))
        }
        [b'$', a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', b'\r', b'\n', ..] => {
            Some((digit(a) * 100 + digit(b) * 10 + digit(c), 6))
        }
        _ => None,
    }
}

/// Reads any header, right or wrong; gives the argument's length once its line is there.
fn read_header(
    bytes: &[u8],
    cursor: &mut Cursor,
    limits: &Limits,
) -> Result<Option<usize>, ProtocolError> {
    let too_long = ProtocolError::TooBigBulkCount;
    let Some(line) = find_line(bytes, cursor, limits, too_long)? else { return Ok(None) };
    // An empty line has its own line end where the type byte should be.
    let (&kind, digits) = line.text.split_first().unwrap_or((&b'\r', &[]));
    if kind != b'$' {
        return Err(ProtocolError::ExpectedDollar(kind));
    }
    let len = limits.check_bulk(parse_i64(digits))?;
    cursor.position = line.next;
    Ok(Some(len))
}

/// A line without its end, and where the next one starts.
struct Line<'a> {
    text: &'a [u8],
    next: usize,
}

/// Finds the line at the cursor; if its end has not arrived, notes how far was searched.
fn find_line<'a>(
    bytes: &'a [u8],
    cursor: &mut Cursor,
    limits: &Limits,
    too_long: ProtocolError,
) -> Result<Option<Line<'a>>, ProtocolError> {
    let rest = &bytes[cursor.position..];
    let window = &rest[..rest.len().min(limits.line_len_max + 1)];
    let Some(found) = memchr(b'\r', &window[cursor.searched..]) else {
        if limits.line_len_max < window.len() {
            return Err(too_long);
        }
        cursor.searched = window.len();
        return Ok(None);
    };
    let end = cursor.searched + found;
    match rest.get(end + 1) {
        None => {
            cursor.searched = end;
            Ok(None)
        }
        Some(b'\n') => {
            cursor.searched = 0;
            Ok(Some(Line { text: &rest[..end], next: cursor.position + end + 2 }))
        }
        Some(_) => Err(ProtocolError::InvalidLineEnd),
    }
}

#[cfg(test)]
mod tests;
