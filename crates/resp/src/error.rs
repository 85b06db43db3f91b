//! What can be wrong with bytes on the wire, in the words that clients know.

use std::fmt;

/// A request that breaks the protocol. The connection gets the text as an error and is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtocolError {
    /// An argument does not start with `$` but with this byte.
    ExpectedDollar(u8),
    /// An argument's length is not a number, negative, or above the limit.
    InvalidBulkLength,
    /// An argument or a header line does not end with `\r\n`.
    InvalidLineEnd,
    /// The number of arguments is not a number, or above the limit.
    InvalidMultibulkLength,
    /// The line with an argument's length does not end.
    TooBigBulkCount,
    /// An inline request does not end.
    TooBigInlineRequest,
    /// The line with the number of arguments does not end.
    TooBigMultibulkCount,
    /// An argument too long for a client that has not authenticated.
    UnauthenticatedBulkLength,
    /// Too many arguments for a client that has not authenticated.
    UnauthenticatedMultibulkLength,
    /// An inline request with an open quote.
    UnbalancedQuotes,
}

impl ProtocolError {
    /// Appends the text, without an error code. Unlike [`fmt::Display`] it gives the wrong byte
    /// of [`Self::ExpectedDollar`] as it was sent, whatever it is.
    pub fn append_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"Protocol error: ");
        match self {
            Self::ExpectedDollar(byte) => {
                out.extend_from_slice(b"expected '$', got '");
                out.push(*byte);
                out.push(b'\'');
            }
            other => out.extend_from_slice(other.text().as_bytes()),
        }
    }

    fn text(&self) -> &'static str {
        match self {
            Self::ExpectedDollar(_) => "expected '$'",
            Self::InvalidBulkLength => "invalid bulk length",
            Self::InvalidLineEnd => "invalid CRLF in request",
            Self::InvalidMultibulkLength => "invalid multibulk length",
            Self::TooBigBulkCount => "too big bulk count string",
            Self::TooBigInlineRequest => "too big inline request",
            Self::TooBigMultibulkCount => "too big mbulk count string",
            Self::UnauthenticatedBulkLength => "unauthenticated bulk length",
            Self::UnauthenticatedMultibulkLength => "unauthenticated multibulk length",
            Self::UnbalancedQuotes => "unbalanced quotes in request",
        }
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Vec::new();
        self.append_to(&mut text);
        formatter.write_str(&String::from_utf8_lossy(&text))
    }
}

impl std::error::Error for ProtocolError {}

/// A reply that cannot be read. Nothing after it on the same connection can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// A length that is not a number, negative where it must not be, or above the bound.
    InvalidLength,
    /// A string or a line that does not end with `\r\n`.
    InvalidLineEnd,
    /// A number, boolean or null that does not read as one.
    InvalidScalar(u8),
    /// A line that does not end within the bound.
    LineTooLong,
    /// Aggregates nested deeper than the bound.
    TooDeep,
    /// A type byte that neither RESP2 nor RESP3 has.
    UnknownType(u8),
}

impl fmt::Display for FrameError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidLength => formatter.write_str("invalid length in reply"),
            Self::InvalidLineEnd => formatter.write_str("invalid CRLF in reply"),
            Self::InvalidScalar(kind) => {
                write!(formatter, "invalid value of type '{}' in reply", kind.escape_ascii())
            }
            Self::LineTooLong => formatter.write_str("too long line in reply"),
            Self::TooDeep => formatter.write_str("too deeply nested reply"),
            Self::UnknownType(byte) => {
                write!(formatter, "unknown reply type '{}'", byte.escape_ascii())
            }
        }
    }
}

impl std::error::Error for FrameError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_those_that_clients_know() {
        for (error, text) in [
            (ProtocolError::ExpectedDollar(b'x'), "Protocol error: expected '$', got 'x'"),
            (ProtocolError::InvalidBulkLength, "Protocol error: invalid bulk length"),
            (ProtocolError::InvalidMultibulkLength, "Protocol error: invalid multibulk length"),
            (ProtocolError::TooBigInlineRequest, "Protocol error: too big inline request"),
        ] {
            assert_eq!(error.to_string(), text);
        }
        let mut raw = Vec::new();
        ProtocolError::ExpectedDollar(0xff).append_to(&mut raw);
        assert_eq!(raw, b"Protocol error: expected '$', got '\xff'");
    }
}
