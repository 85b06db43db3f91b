//! The commands of a file, and where it stops making sense.
//!
//! Commands are found but not understood, with one exception: a transaction counts as a whole, so the words
//! that begin and end one are known here.
//!
//! The file is read in pieces, and at most one piece and one command are in memory. What ends in the middle of
//! a command has lost its tail, as a machine leaves it that has lost its power: so has what ends in zeros,
//! where a file system has made room for bytes that never came. Anything else that cannot be read is damage.
//! A length that reaches beyond the end is damage too if whole commands follow it up to the very end: then not
//! the tail is missing, the length is wrong.

use super::source::Source;
use memchr::memmem;
use resp::{Limits, Parsed, ProtocolError, RequestParser, Span};
use std::fmt;
use std::io::{self, Read};

/// How much is read at once.
const PIECE_LEN: usize = 1 << 20;
/// The longest line that says something about commands.
const ANNOTATION_LEN_MAX: usize = 1024;
/// In how many places hidden commands are looked for.
const HIDDEN_TRIED_MAX: usize = 1000;

/// The commands of a file, from where it stands.
pub struct Frames<'s> {
    source: &'s mut Source,
    /// What was read; whole commands up to `end` were given out.
    buffer: Vec<u8>,
    end: usize,
    /// Where the buffer begins in the file.
    offset: u64,
    parser: RequestParser,
    spans: Vec<Span>,
    /// Up to here the file holds whole commands and whole transactions.
    whole_len: u64,
    /// A transaction has begun and not ended.
    is_open: bool,
    lines: u64,
}

/// What comes next in a file.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece<'b> {
    /// A line about what follows, without its end.
    Annotation(&'b [u8]),
    /// Whole commands, one behind the other.
    Commands {
        /// Where they begin in the file.
        offset: u64,
        /// All of them.
        bytes: &'b [u8],
    },
    /// No more.
    End,
}

/// Why a file cannot be read any further.
#[derive(Debug)]
pub enum Unreadable {
    /// What stands at this offset is wrong.
    Damaged(u64, Damage),
    /// The system does not give it out.
    Io(io::Error),
    /// It ends in the middle of a command or of a transaction.
    Truncated,
}

/// What is wrong with a file's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// A command without a name.
    Empty,
    /// A transaction ends that has not begun.
    EndAlone,
    /// Neither a command nor a line about one begins like this.
    Foreign(u8),
    /// An argument reaches over the end of the file, and whole commands are in it.
    Length,
    /// A line about commands that is too long.
    Line,
    /// A transaction begins within another.
    Nested,
    /// A command breaks the protocol.
    Protocol(ProtocolError),
}

impl<'s> Frames<'s> {
    /// The commands that come next in `source`.
    pub fn new(source: &'s mut Source) -> Self {
        let offset = source.offset();
        Self {
            source,
            buffer: Vec::new(),
            end: 0,
            offset,
            parser: RequestParser::new(),
            spans: Vec::new(),
            whole_len: offset,
            is_open: false,
            lines: 1,
        }
    }

    /// What comes next. After an error there is nothing more.
    ///
    /// # Errors
    /// Why it cannot be read; whatever came before has been given out.
    pub fn next_piece(&mut self) -> Result<Piece<'_>, Unreadable> {
        self.buffer.drain(..self.end);
        self.offset += self.end as u64;
        self.end = 0;
        loop {
            match self.buffer.get(self.end).copied() {
                Some(b'#') if self.end == 0 => {
                    if let Some(end) = self.line()? {
                        self.end = end;
                        let line = self.buffer[..end].trim_ascii_end();
                        return Ok(Piece::Annotation(line));
                    }
                }
                Some(b'*') if self.command()? => continue,
                Some(byte) if self.end == 0 && byte != b'*' => {
                    return Err(self.damaged(Damage::Foreign(byte)));
                }
                _ => {}
            }
            if self.end != 0 {
                let bytes = &self.buffer[..self.end];
                return Ok(Piece::Commands { offset: self.offset, bytes });
            }
            if !self.read_more().map_err(Unreadable::Io)? {
                return self.at_end();
            }
        }
    }

    /// Up to here the file holds whole commands and whole transactions.
    pub fn whole_len(&self) -> u64 {
        self.whole_len
    }

    /// Where in the file whatever was given out last ends.
    pub fn offset(&self) -> u64 {
        self.offset + self.end as u64
    }

    /// Counted from one, the line of the protocol behind the last whole command.
    pub fn line_number(&self) -> u64 {
        self.lines
    }

    /// Whether a transaction has begun and not ended.
    pub fn is_in_transaction(&self) -> bool {
        self.is_open
    }

    /// The end of the line at the beginning of the buffer, if it is there.
    fn line(&mut self) -> Result<Option<usize>, Unreadable> {
        let window = &self.buffer[..self.buffer.len().min(ANNOTATION_LEN_MAX)];
        match memchr::memchr(b'\n', window) {
            Some(end) => Ok(Some(end + 1)),
            None if window.len() == ANNOTATION_LEN_MAX => Err(self.damaged(Damage::Line)),
            None => Ok(None),
        }
    }

    /// Goes over the next command; `false` if it is not all there, or damaged behind others.
    fn command(&mut self) -> Result<bool, Unreadable> {
        self.spans.clear();
        let bytes = &self.buffer[self.end..];
        let parsed = self.parser.parse(bytes, &mut self.spans, &limits());
        let damage = match parsed {
            Ok(Parsed::Incomplete { .. }) => return Ok(false),
            Ok(Parsed::Complete { consumed, .. }) => {
                let name = self.spans.first().map_or(&[][..], |span| span.of(bytes));
                match self.transaction(name) {
                    Ok(is_open) => {
                        self.is_open = is_open;
                        self.end += consumed;
                        self.lines += 1 + 2 * self.spans.len() as u64;
                        if !is_open {
                            self.whole_len = self.offset + self.end as u64;
                        }
                        return Ok(true);
                    }
                    Err(damage) => damage,
                }
            }
            Ok(Parsed::Empty { .. }) => Damage::Empty,
            Err(error) => Damage::Protocol(error),
        };
        self.parser.reset();
        // What comes before it is given out first; then it is met again.
        if self.end == 0 { Err(self.damaged(damage)) } else { Ok(false) }
    }

    /// Whether a transaction is open behind a command with this name.
    fn transaction(&self, name: &[u8]) -> Result<bool, Damage> {
        let is = |word: &[u8]| name.eq_ignore_ascii_case(word);
        match (self.is_open, is(b"multi"), is(b"exec") || is(b"discard")) {
            (true, true, _) => Err(Damage::Nested),
            (false, _, true) => Err(Damage::EndAlone),
            (is_open, begins, ends) => Ok(begins || is_open && !ends),
        }
    }

    /// Reads a piece more; `false` at the end of the file.
    fn read_more(&mut self) -> io::Result<bool> {
        let piece = self.source.by_ref().take(PIECE_LEN as u64);
        read_to_end(piece, &mut self.buffer).map(|read| read != 0)
    }

    /// All has been read; the buffer begins with what is left over.
    fn at_end(&mut self) -> Result<Piece<'_>, Unreadable> {
        if hides_commands(&self.buffer) {
            return Err(Unreadable::Damaged(self.offset, Damage::Length));
        }
        let is_whole = self.buffer.is_empty() && !self.is_open;
        if is_whole { Ok(Piece::End) } else { Err(Unreadable::Truncated) }
    }

    /// What stands at the beginning of the buffer makes no sense: unless it is the beginning of a command, and
    /// zeros up to the end of the file.
    fn damaged(&mut self, damage: Damage) -> Unreadable {
        match self.ends_in_zeros() {
            Ok(true) => Unreadable::Truncated,
            Ok(false) => Unreadable::Damaged(self.offset, damage),
            Err(error) => Unreadable::Io(error),
        }
    }

    fn ends_in_zeros(&mut self) -> io::Result<bool> {
        let is_something = |byte: &u8| *byte != 0;
        let something = self.buffer.iter().rposition(is_something).map_or(0, |index| index + 1);
        if something == self.buffer.len() {
            return Ok(false);
        }
        self.parser.reset();
        self.spans.clear();
        let parsed = match &self.buffer[..something] {
            [] => Ok(Parsed::Incomplete { wanted: 1 }),
            [b'*', ..] => self.parser.parse(&self.buffer[..something], &mut self.spans, &limits()),
            _ => return Ok(false),
        };
        if !matches!(parsed, Ok(Parsed::Incomplete { .. })) {
            return Ok(false);
        }
        let mut piece = Vec::new();
        loop {
            piece.clear();
            if read_to_end(self.source.by_ref().take(PIECE_LEN as u64), &mut piece)? == 0 {
                return Ok(true);
            }
            if piece.iter().any(is_something) {
                return Ok(false);
            }
        }
    }
}

/// A file may hold whatever was allowed when it was written.
fn limits() -> Limits {
    Limits::authenticated(i64::MAX)
}

fn read_to_end(mut source: impl Read, buffer: &mut Vec<u8>) -> io::Result<usize> {
    source.read_to_end(buffer)
}

/// Whether whole commands lie in the beginning of one, up to the very end.
fn hides_commands(bytes: &[u8]) -> bool {
    const BEGINNING: &[u8] = b"\r\n*";
    let (mut parser, mut spans) = (RequestParser::new(), Vec::new());
    let mut from = 0;
    for _ in 0..HIDDEN_TRIED_MAX {
        let Some(found) = memmem::find(&bytes[from..], BEGINNING) else { break };
        let mut at = from + found + 2;
        loop {
            spans.clear();
            let rest = &bytes[at..];
            let is_command = rest.first() == Some(&b'*');
            let parsed = is_command.then(|| parser.parse(rest, &mut spans, &limits()));
            match parsed {
                Some(Ok(Parsed::Complete { consumed, .. })) => at += consumed,
                _ => break,
            }
            if at == bytes.len() {
                return true;
            }
        }
        parser.reset();
        from = at.max(from + found + BEGINNING.len());
    }
    false
}

impl fmt::Display for Damage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => formatter.write_str("a command without a name"),
            Self::EndAlone => formatter.write_str("a transaction ends that has not begun"),
            Self::Foreign(byte) => {
                write!(formatter, "no command begins with '{}'", byte.escape_ascii())
            }
            Self::Length => formatter
                .write_str("an argument's length reaches beyond the end, over whole commands"),
            Self::Line => formatter.write_str("a comment does not end"),
            Self::Nested => formatter.write_str("a transaction begins within another"),
            Self::Protocol(error) => error.fmt(formatter),
        }
    }
}

#[cfg(test)]
mod tests;
