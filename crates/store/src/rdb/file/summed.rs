//! What a snapshot is read from and written to: buffers that keep a checksum of all that has passed.
//!
//! The checksum is taken over whole buffers instead of over the few bytes of each call: that is
//! several times faster, and it is most of what a small value costs.

use std::io::{self, Read, Write};
use std::ops::Range;

use base::crc::crc64;

const BUFFER_LEN: usize = 256 << 10;
/// A buffer that is to hold something whole grows up to this.
const BUFFER_LEN_MAX: usize = 4 << 20;

/// A buffered source with a checksum.
pub struct SummedSource<R> {
    source: R,
    buffer: Vec<u8>,
    /// What was read from the source and not yet asked for.
    start: usize,
    end: usize,
    /// Where the bytes begin that are not in the checksum yet.
    summed: usize,
    checksum: u64,
}

impl<R: Read> SummedSource<R> {
    /// Reads `source`.
    pub fn new(source: R) -> Self {
        let buffer = vec![0; BUFFER_LEN];
        Self { source, buffer, start: 0, end: 0, summed: 0, checksum: 0 }
    }

    /// What was taken from the source and not asked for.
    pub fn unread(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Whether there is little left of what was read.
    pub fn is_low(&self) -> bool {
        self.end - self.start < BUFFER_LEN / 2
    }

    /// Fills the buffer behind what was not asked for yet; a full one is made longer. `false` at the end of the
    /// source, or if there is too much. It waits until there is so much, so the source should be a file.
    pub fn read_ahead(&mut self) -> io::Result<bool> {
        self.checksum();
        if self.start == 0 && self.end == self.buffer.len() {
            if BUFFER_LEN_MAX <= self.buffer.len() {
                return Ok(false);
            }
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        self.buffer.copy_within(self.start..self.end, 0);
        (self.start, self.summed, self.end) = (0, 0, self.end - self.start);
        let before = self.end;
        while self.end != self.buffer.len() {
            match self.source.read(&mut self.buffer[self.end..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
                Ok(0) => break,
                Ok(read) => self.end += read,
            }
        }
        Ok(before != self.end)
    }

    /// Takes the next `len` bytes, which were read ahead, with the buffer around them; `spare` takes its place.
    ///
    /// # Panics
    /// If so many were not read ahead.
    pub fn take(&mut self, len: usize, mut spare: Vec<u8>) -> (Vec<u8>, Range<usize>) {
        let range = self.start..self.start + len;
        let rest = &self.buffer[range.end..self.end];
        let rest_len = rest.len();
        if len < rest_len {
            // Less to copy.
            spare.clear();
            spare.extend_from_slice(&self.buffer[range]);
            self.start += len;
            return (spare, 0..len);
        }
        if spare.len() < BUFFER_LEN.max(rest_len) {
            spare.resize(BUFFER_LEN.max(rest_len), 0);
        }
        spare[..rest_len].copy_from_slice(rest);
        self.start = range.end;
        self.checksum();
        (self.start, self.summed, self.end) = (0, 0, rest_len);
        (std::mem::replace(&mut self.buffer, spare), range)
    }

    /// The checksum of all that was asked for.
    pub fn checksum(&mut self) -> u64 {
        self.checksum = crc64(self.checksum, &self.buffer[self.summed..self.start]);
        self.summed = self.start;
        self.checksum
    }
}

impl<R: Read> Read for SummedSource<R> {
    #[inline]
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.start == self.end {
            self.checksum();
            let end = self.source.read(&mut self.buffer)?;
            (self.start, self.summed, self.end) = (0, 0, end);
        }
        let len = out.len().min(self.end - self.start);
        out[..len].copy_from_slice(&self.buffer[self.start..self.start + len]);
        self.start += len;
        Ok(len)
    }
}

/// A buffered sink with a checksum.
pub struct SummedSink<W> {
    sink: W,
    buffer: Vec<u8>,
    /// `None`: nobody wants one.
    checksum: Option<u64>,
    len: u64,
}

impl<W: Write> SummedSink<W> {
    /// Writes to `sink`.
    pub fn new(sink: W, has_checksum: bool) -> Self {
        let checksum = has_checksum.then_some(0);
        Self { sink, buffer: Vec::with_capacity(BUFFER_LEN), checksum, len: 0 }
    }

    /// How many bytes were written.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The checksum of all that was written; zero if nobody wants one.
    pub fn checksum(&mut self) -> io::Result<u64> {
        self.pass_on()?;
        Ok(self.checksum.unwrap_or(0))
    }

    /// The sink, which has all that was written.
    pub fn into_sink(mut self) -> io::Result<W> {
        self.pass_on()?;
        Ok(self.sink)
    }

    fn pass_on(&mut self) -> io::Result<()> {
        if let Some(checksum) = &mut self.checksum {
            *checksum = crc64(*checksum, &self.buffer);
        }
        // What cannot be written is not tried again: the snapshot is spoilt.
        let written = self.sink.write_all(&self.buffer);
        self.buffer.clear();
        written
    }
}

impl<W: Write> Write for SummedSink<W> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if BUFFER_LEN < self.buffer.len() + bytes.len() {
            self.pass_on()?;
        }
        let len = bytes.len().min(BUFFER_LEN);
        self.buffer.extend_from_slice(&bytes[..len]);
        self.len += len as u64;
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.pass_on()?;
        self.sink.flush()
    }
}
