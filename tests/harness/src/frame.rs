//! Replies as values: read from the wire, RESP2 and RESP3, and written in the notation of case files.

use std::fmt::{self, Write as _};

use crate::token;

/// The two protocols that a connection can speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Resp2,
    Resp3,
}

/// One reply. Doubles and big numbers stay text, since their very digits are compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    Array(Vec<Self>),
    BigNumber(Vec<u8>),
    Boolean(bool),
    Bulk(Vec<u8>),
    Double(Vec<u8>),
    Error(Vec<u8>),
    Integer(i64),
    Map(Vec<(Self, Self)>),
    /// RESP3's one null.
    Null,
    NullArray,
    NullBulk,
    Push(Vec<Self>),
    Set(Vec<Self>),
    Simple(Vec<u8>),
    Verbatim([u8; 3], Vec<u8>),
}

/// What stood where a reply should be.
#[derive(Debug)]
pub struct WireError(pub String);

impl fmt::Display for WireError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "not a reply: {}", self.0)
    }
}

impl Frame {
    /// Reads one reply from the front of `bytes` and says how many bytes it took; none when it is
    /// not complete yet. RESP3 attributes are read and left out.
    ///
    /// # Errors
    /// When the bytes are no reply.
    pub fn decode(bytes: &[u8]) -> Result<Option<(Self, usize)>, WireError> {
        let mut reader = Reader { bytes, at: 0 };
        Ok(reader.frame()?.map(|frame| (frame, reader.at)))
    }

    pub fn is_error(&self) -> bool {
        matches!(self, Self::Error(_))
    }

    /// The text of anything that has one.
    pub fn text(&self) -> Option<&[u8]> {
        match self {
            Self::BigNumber(text)
            | Self::Bulk(text)
            | Self::Double(text)
            | Self::Error(text)
            | Self::Simple(text)
            | Self::Verbatim(_, text) => Some(text),
            _ => None,
        }
    }

    /// The lines of this reply in the notation of case files.
    pub fn notation(&self) -> String {
        let mut lines = String::new();
        self.write_notation(&mut lines, 0);
        lines
    }

    fn write_notation(&self, lines: &mut String, depth: usize) {
        lines.extend(std::iter::repeat_n("  ", depth));
        let (head, items): (String, Vec<&Self>) = match self {
            Self::Array(items) => ("*".to_owned(), items.iter().collect()),
            Self::BigNumber(digits) => (format!("({}", plain(digits)), Vec::new()),
            Self::Boolean(value) => (if *value { "#t" } else { "#f" }.to_owned(), Vec::new()),
            Self::Bulk(text) => (token::quoted(text), Vec::new()),
            Self::Double(digits) => (format!(",{}", plain(digits)), Vec::new()),
            Self::Error(text) => (format!("-{}", plain(text)), Vec::new()),
            Self::Integer(value) => (format!(":{value}"), Vec::new()),
            Self::Map(pairs) => ("%".to_owned(), pairs.iter().flat_map(|(k, v)| [k, v]).collect()),
            Self::Null | Self::NullBulk => ("(nil)".to_owned(), Vec::new()),
            Self::NullArray => ("(nil array)".to_owned(), Vec::new()),
            Self::Push(items) => (">>".to_owned(), items.iter().collect()),
            Self::Set(items) => ("~".to_owned(), items.iter().collect()),
            Self::Simple(text) => (format!("+{}", plain(text)), Vec::new()),
            Self::Verbatim(format, text) => {
                (format!("={}:{}", plain(format), token::quoted(text)), Vec::new())
            }
        };
        let _ = writeln!(lines, "{head}");
        for item in items {
            item.write_notation(lines, depth + 1);
        }
    }
}

/// Line texts have no line ends; whatever else is odd in them is shown as an escape, and so is a space
/// at the end.
fn plain(text: &[u8]) -> String {
    let (text, space) = match text.strip_suffix(b" ") {
        Some(rest) => (rest, "\\x20"),
        None => (text, ""),
    };
    let quoted = token::quoted_whole(text);
    quoted[1..quoted.len() - 1].replace("\\\"", "\"") + space
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn frame(&mut self) -> Result<Option<Frame>, WireError> {
        let Some(line) = self.line()? else { return Ok(None) };
        let (kind, rest) = (line[0], line[1..].to_vec());
        let frame = match kind {
            b'+' => Frame::Simple(rest),
            b'-' => Frame::Error(rest),
            b':' => Frame::Integer(number(&rest)?),
            b',' => Frame::Double(rest),
            b'(' => Frame::BigNumber(rest),
            b'_' => Frame::Null,
            b'#' => Frame::Boolean(rest == b"t"),
            b'$' | b'!' | b'=' => return self.bulk(kind, &rest),
            b'*' | b'~' | b'>' | b'%' | b'|' => return self.aggregate(kind, &rest),
            _ => return Err(WireError(token::quoted(&line))),
        };
        Ok(Some(frame))
    }

    /// One line without its end; never empty.
    fn line(&mut self) -> Result<Option<Vec<u8>>, WireError> {
        let rest = &self.bytes[self.at..];
        let Some(len) = rest.windows(2).position(|pair| pair == b"\r\n") else { return Ok(None) };
        if len == 0 {
            return Err(WireError("an empty line".to_owned()));
        }
        self.at += len + 2;
        Ok(Some(rest[..len].to_vec()))
    }

    fn bulk(&mut self, kind: u8, len: &[u8]) -> Result<Option<Frame>, WireError> {
        let Ok(len) = usize::try_from(number(len)?) else { return Ok(Some(Frame::NullBulk)) };
        let Some(text) = self.bytes.get(self.at..self.at + len + 2) else { return Ok(None) };
        if !text.ends_with(b"\r\n") {
            return Err(WireError(format!("a text of {len} bytes without an end")));
        }
        self.at += len + 2;
        let text = text[..len].to_vec();
        Ok(Some(match kind {
            b'!' => Frame::Error(text),
            b'=' if 4 <= text.len() => {
                Frame::Verbatim([text[0], text[1], text[2]], text[4..].to_vec())
            }
            _ => Frame::Bulk(text),
        }))
    }

    fn aggregate(&mut self, kind: u8, count: &[u8]) -> Result<Option<Frame>, WireError> {
        let Ok(count) = usize::try_from(number(count)?) else { return Ok(Some(Frame::NullArray)) };
        let is_map = matches!(kind, b'%' | b'|');
        let mut items = Vec::new();
        for _ in 0..count * if is_map { 2 } else { 1 } {
            let Some(item) = self.frame()? else { return Ok(None) };
            items.push(item);
        }
        Ok(Some(match kind {
            b'*' => Frame::Array(items),
            b'~' => Frame::Set(items),
            b'>' => Frame::Push(items),
            b'%' => Frame::Map(pairs(items)),
            // An attribute stands before the reply that it describes.
            _ => return self.frame(),
        }))
    }
}

fn pairs(items: Vec<Frame>) -> Vec<(Frame, Frame)> {
    let mut pairs = Vec::with_capacity(items.len() / 2);
    let mut items = items.into_iter();
    while let (Some(key), Some(value)) = (items.next(), items.next()) {
        pairs.push((key, value));
    }
    pairs
}

fn number(digits: &[u8]) -> Result<i64, WireError> {
    let text = String::from_utf8_lossy(digits);
    text.parse().map_err(|_| WireError(format!("a number like {text}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(bytes: &[u8]) -> String {
        let (frame, len) = Frame::decode(bytes).expect("a reply").expect("a whole one");
        assert_eq!(len, bytes.len());
        frame.notation()
    }

    #[test]
    fn each_kind_of_reply() {
        assert_eq!(decoded(b"+OK\r\n"), "+OK\n");
        assert_eq!(decoded(b"-ERR no \"k\"\r\n"), "-ERR no \"k\"\n");
        assert_eq!(decoded(b":-5\r\n"), ":-5\n");
        assert_eq!(decoded(b"$3\r\na\x00\"\r\n"), "\"a\\x00\\\"\"\n");
        assert_eq!(decoded(b"$-1\r\n"), "(nil)\n");
        assert_eq!(decoded(b"*-1\r\n"), "(nil array)\n");
        assert_eq!(decoded(b"*2\r\n:1\r\n*1\r\n_\r\n"), "*\n  :1\n  *\n    (nil)\n");
        assert_eq!(decoded(b"%1\r\n+a\r\n,1.5\r\n"), "%\n  +a\n  ,1.5\n");
        assert_eq!(decoded(b"=5\r\ntxt:x\r\n"), "=txt:\"x\"\n");
        assert_eq!(decoded(b"|1\r\n+ttl\r\n:1\r\n#t\r\n"), "#t\n");
    }

    #[test]
    fn half_replies_and_garbage() {
        assert!(Frame::decode(b"*2\r\n:1\r\n").expect("no error").is_none());
        assert!(Frame::decode(b"$5\r\nab").expect("no error").is_none());
        assert!(Frame::decode(b"hello\r\n").is_err());
    }
}
