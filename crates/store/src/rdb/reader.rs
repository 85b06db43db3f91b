//! Lengths, strings and numbers, read from any source of bytes.
//!
//! ```text
//! 00llllll                    a length below 64
//! 01llllll llllllll           a length below 16384
//! 10000000 and 4 bytes        a longer one, the highest byte first
//! 10000001 and 8 bytes        a still longer one
//! 11000000 and 1, 2, 4 bytes  instead of a string: an integer (1, 10, in the lowest bits: longer ones)
//! 11000011                    instead of a string: its compressed length, its length, and as many bytes
//! ```

use std::io::Read;

use base::numbers::IntegerBuffer;

use super::{RdbError, STRING_LEN_MAX, lzf};

/// A buffer is made longer by as much as it has, and at least by this.
const GROWTH_MIN: u64 = 64 << 10;

/// Reads from a source, and knows how far it has come.
pub struct Reader<R> {
    source: R,
    offset: u64,
    compressed: Vec<u8>,
}

/// What stands where a length is expected.
enum Length {
    Plain(u64),
    /// A string is written in another way.
    Special(u8),
}

impl<R: Read> Reader<R> {
    /// Reads `source` from where it stands.
    pub fn new(source: R) -> Self {
        Self { source, offset: 0, compressed: Vec::new() }
    }

    /// How many bytes have been read.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// So many bytes were taken from the source.
    pub(super) fn passed(&mut self, len: usize) {
        self.offset += len as u64;
    }

    /// The source.
    pub fn source(&mut self) -> &mut R {
        &mut self.source
    }

    /// So many bytes.
    pub fn array<const LEN: usize>(&mut self) -> Result<[u8; LEN], RdbError> {
        let mut bytes = [0; LEN];
        self.source.read_exact(&mut bytes)?;
        self.offset += LEN as u64;
        Ok(bytes)
    }

    /// One byte.
    pub fn byte(&mut self) -> Result<u8, RdbError> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// A length, or any number that is written like one.
    pub fn length(&mut self) -> Result<u64, RdbError> {
        match self.length_or_special()? {
            Length::Plain(length) => Ok(length),
            Length::Special(_) => Err(RdbError::Corrupt("a length is expected")),
        }
    }

    /// A number of elements, which must not be zero.
    pub fn count(&mut self) -> Result<u64, RdbError> {
        match self.length()? {
            0 => Err(RdbError::Empty),
            count => Ok(count),
        }
    }

    /// A time in milliseconds.
    pub fn milliseconds(&mut self) -> Result<u64, RdbError> {
        self.array().map(u64::from_le_bytes)
    }

    /// A floating-point number in eight bytes.
    pub fn float(&mut self) -> Result<f64, RdbError> {
        self.array().map(f64::from_le_bytes)
    }

    /// A string; it takes the place of what `out` holds.
    pub fn string(&mut self, out: &mut Vec<u8>) -> Result<(), RdbError> {
        let kind = match self.length_or_special()? {
            Length::Plain(len) => return self.bytes(len, out),
            Length::Special(kind) => kind,
        };
        let integer = match kind {
            0 => i64::from(i8::from_le_bytes(self.array()?)),
            1 => i64::from(i16::from_le_bytes(self.array()?)),
            2 => i64::from(i32::from_le_bytes(self.array()?)),
            3 => return self.compressed_string(out),
            _ => return Err(RdbError::Corrupt("an unknown way to write a string")),
        };
        out.clear();
        out.extend_from_slice(IntegerBuffer::new().format(integer));
        Ok(())
    }

    /// `len` bytes; they take the place of what `out` holds.
    pub fn bytes(&mut self, len: u64, out: &mut Vec<u8>) -> Result<(), RdbError> {
        out.clear();
        if STRING_LEN_MAX < len {
            return Err(RdbError::Corrupt("a string is too long"));
        }
        let mut left = len;
        while left != 0 {
            let before = out.len();
            let step = left.min(GROWTH_MIN.max(before as u64));
            out.resize(before + step as usize, 0);
            self.source.read_exact(&mut out[before..])?;
            self.offset += step;
            left -= step;
        }
        Ok(())
    }

    fn compressed_string(&mut self, out: &mut Vec<u8>) -> Result<(), RdbError> {
        let compressed_len = self.length()?;
        let len = self.length()?;
        if STRING_LEN_MAX < len || !lzf::is_possible(compressed_len, len) {
            return Err(RdbError::Corrupt("a compressed string is too long"));
        }
        let mut compressed = std::mem::take(&mut self.compressed);
        let read = self.bytes(compressed_len, &mut compressed);
        let is_whole = read.is_ok() && lzf::decompress(&compressed, len as usize, out).is_some();
        // A huge one is not kept for the others.
        if compressed.capacity() as u64 <= GROWTH_MIN {
            self.compressed = compressed;
        }
        read?;
        if is_whole { Ok(()) } else { Err(RdbError::Corrupt("a compressed string")) }
    }

    fn length_or_special(&mut self) -> Result<Length, RdbError> {
        let first = self.byte()?;
        let low = first & 0x3f;
        Ok(match (first >> 6, low) {
            (0, _) => Length::Plain(u64::from(low)),
            (1, _) => Length::Plain(u64::from(low) << 8 | u64::from(self.byte()?)),
            (2, 0) => Length::Plain(u64::from(u32::from_be_bytes(self.array()?))),
            (2, 1) => Length::Plain(u64::from_be_bytes(self.array()?)),
            (2, _) => return Err(RdbError::Corrupt("a length of an unknown form")),
            _ => Length::Special(low),
        })
    }
}
