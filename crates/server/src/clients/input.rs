//! Bytes of a request that has not arrived whole.
//!
//! Most reads hold whole requests only and are served out of the thread's own buffer, so an idle connection holds nothing
//! here. What a read leaves over is kept until the rest comes; the next read then goes behind it. Space grows with the
//! bytes that have arrived, up to [`INPUT_BYTES_AHEAD`] at once and fourfold after that, until it reaches the length
//! that the request has announced. It is set to zero piece by piece as it is read into, since a long turn would hold
//! others up.

use crate::limits::{INPUT_BYTES_AHEAD, READ_BYTES, TURN_BYTES_MAX};
use std::io::{self, Read};

/// A buffer of bytes that wait for more.
///
/// Invariant: `bytes[filled..]` is space that has been set to zero or used before, so that reading needs no `unsafe`;
/// behind it is more, up to the vector's capacity.
#[derive(Debug, Default)]
pub struct Input {
    bytes: Vec<u8>,
    filled: usize,
}

impl Input {
    /// What has arrived.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.filled == 0
    }

    /// Number of bytes held.
    pub fn len(&self) -> usize {
        self.filled
    }

    /// Bytes of space that are not used.
    pub fn free(&self) -> usize {
        self.bytes.capacity() - self.filled
    }

    /// Holds `bytes`, before which nothing was held; `wanted` more are known to come.
    pub fn hold(&mut self, bytes: &[u8], wanted: usize) {
        debug_assert!(self.is_empty());
        if wanted == 0 {
            self.bytes = bytes.to_vec();
            self.filled = bytes.len();
            return;
        }
        self.reserve_for(bytes.len(), wanted);
        self.bytes.clear();
        self.bytes.extend_from_slice(bytes);
        self.filled = bytes.len();
    }

    /// Makes space for the rest of a request.
    pub fn expect(&mut self, wanted: usize) {
        if 0 < wanted && self.free() == 0 {
            self.reserve_for(self.filled, wanted);
        }
    }

    /// Reads once behind what is held. Returns how many bytes came, and for how many there was room.
    pub fn read_from(&mut self, source: &mut impl Read) -> io::Result<(usize, usize)> {
        if self.free() == 0 {
            self.reserve_for(self.filled, 1);
        }
        let room = self.free().min(TURN_BYTES_MAX);
        let end = self.filled + room;
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        let count = source.read(&mut self.bytes[self.filled..end])?;
        self.filled += count;
        Ok((count, room))
    }

    /// The first `count` bytes are done with.
    pub fn consume(&mut self, count: usize) {
        if count == self.filled {
            *self = Self::default();
        } else if 0 < count {
            self.bytes.copy_within(count..self.filled, 0);
            self.filled -= count;
        }
    }

    /// Makes room behind the first `kept` bytes for `wanted` more, as far as that is sensible.
    fn reserve_for(&mut self, kept: usize, wanted: usize) {
        // A long argument is followed by whatever is pipelined behind it; a short one by little. But a request of very
        // many short ones must not be copied for each of them.
        let least = kept.min(READ_BYTES).max(kept / 4);
        let ahead = wanted.clamp(least, INPUT_BYTES_AHEAD.max(3 * kept)).max(64);
        self.bytes.truncate(self.filled);
        self.bytes.reserve_exact(kept + ahead - self.filled);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_what_comes_in_pieces() {
        let mut input = Input::default();
        input.hold(b"abc", 3);
        let mut source: &[u8] = b"defg";
        while !source.is_empty() {
            assert!(0 < input.read_from(&mut source).unwrap().0);
        }
        assert_eq!(input.bytes(), b"abcdefg");
        input.consume(5);
        assert_eq!(input.bytes(), b"fg");
        input.consume(2);
        assert!(input.is_empty());
        assert_eq!(input.free(), 0);
    }

    #[test]
    fn an_announced_length_is_not_set_aside_at_once() {
        let mut input = Input::default();
        input.hold(b"*1\r\n$536870912\r\n", 512 << 20);
        assert!(input.free() <= INPUT_BYTES_AHEAD);
        let mut source = io::repeat(b'x');
        while input.len() < 8 << 20 {
            input.read_from(&mut source).unwrap();
            input.expect(512 << 20);
        }
        assert!(input.len() + input.free() <= 32 << 20);
    }

    #[test]
    fn a_turn_reads_only_so_much() {
        let mut input = Input::default();
        input.hold(b"$50000000\r\n", 50_000_002);
        let read = input.read_from(&mut io::repeat(b'x')).unwrap();
        assert_eq!(read, (TURN_BYTES_MAX, TURN_BYTES_MAX));
        assert!(input.bytes().ends_with(b"xxx"));
    }

    #[test]
    fn many_short_arguments_are_copied_seldom() {
        let mut input = Input::default();
        input.hold(&[b'x'; 1000], 1);
        let mut source = io::repeat(b'x');
        let mut copies = 0;
        while input.len() < 50 << 20 {
            let before = input.bytes().as_ptr();
            input.read_from(&mut source).unwrap();
            input.expect(1);
            copies += usize::from(input.bytes().as_ptr() != before);
        }
        assert!(copies < 60, "{copies}");
        assert!(input.free() < 20 << 20);
    }

    #[test]
    fn a_long_value_is_given_space_of_its_length() {
        let mut input = Input::default();
        input.hold(b"$500000\r\n", 500_002);
        assert_eq!(input.free(), 500_002);
    }
}
