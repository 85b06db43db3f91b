//! An element of a packed form.

use base::numbers::IntegerBuffer;

/// An element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// Bytes.
    Bytes(&'a [u8]),
    /// The digits of a number.
    Integer(i64),
}

impl<'a> Item<'a> {
    /// The bytes; `digits` holds those of a number.
    #[inline]
    pub fn text<'b>(self, digits: &'b mut IntegerBuffer) -> &'b [u8]
    where
        'a: 'b,
    {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Integer(integer) => digits.format(integer),
        }
    }

    /// The number, if it is kept as one.
    pub fn integer(self) -> Option<i64> {
        match self {
            Self::Bytes(_) => None,
            Self::Integer(integer) => Some(integer),
        }
    }
}
