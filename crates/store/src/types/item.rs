//! A text, or the number whose digits it is: what packed forms keep their elements as.

use base::numbers::{IntegerBuffer, parse_i64};

/// Longest text of an integer.
pub(crate) const INTEGER_LEN_MAX: usize = 20;

/// An element of a packed form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// As it was given.
    Bytes(&'a [u8]),
    /// Given as the text of this number.
    Integer(i64),
}

impl<'a> Item<'a> {
    /// The text; that of a number is printed into the buffer.
    #[inline]
    pub fn text<'b>(self, buffer: &'b mut IntegerBuffer) -> &'b [u8]
    where
        'a: 'b,
    {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Integer(n) => buffer.format(n),
        }
    }

    /// Whether this is its text.
    pub fn is(self, text: &[u8]) -> bool {
        match self {
            Self::Bytes(bytes) => bytes == text,
            Self::Integer(n) => text.len() <= INTEGER_LEN_MAX && parse_i64(text) == Some(n),
        }
    }

    /// The number, if it is kept as one.
    pub fn integer(self) -> Option<i64> {
        match self {
            Self::Bytes(_) => None,
            Self::Integer(n) => Some(n),
        }
    }
}
