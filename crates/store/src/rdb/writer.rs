//! Lengths, strings and numbers, written to any sink of bytes. See `reader` for their forms.

use std::io::{self, Write};

use base::numbers;

use super::lzf::Compressor;

/// Longest text of an integer that is written as one.
const INTEGER_LEN_MAX: usize = 11;
/// A shorter string is not compressed.
const COMPRESSED_LEN_MIN: usize = 21;
/// A compressed string is shorter by more than this.
const COMPRESSED_GAIN_MIN: usize = 4;

/// Writes to a sink.
pub struct Writer<W> {
    sink: W,
    /// What compresses strings, if they are.
    compressor: Option<Compressor>,
    compressed: Vec<u8>,
}

impl<W: Write> Writer<W> {
    /// Writes to `sink`.
    pub fn new(sink: W, compresses: bool) -> Self {
        Self { sink, compressor: compresses.then(Compressor::new), compressed: Vec::new() }
    }

    /// The sink.
    pub fn sink(&mut self) -> &mut W {
        &mut self.sink
    }

    /// The sink, when all is written.
    pub fn into_sink(self) -> W {
        self.sink
    }

    /// Bytes as they are.
    pub fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.sink.write_all(bytes)
    }

    /// A length, or any number that is written like one.
    pub fn length(&mut self, length: u64) -> io::Result<()> {
        if length < 1 << 6 {
            self.bytes(&[length as u8])
        } else if length < 1 << 14 {
            self.bytes(&[0x40 | (length >> 8) as u8, length as u8])
        } else if let Ok(length) = u32::try_from(length) {
            self.bytes(&[0x80])?;
            self.bytes(&length.to_be_bytes())
        } else {
            self.bytes(&[0x81])?;
            self.bytes(&length.to_be_bytes())
        }
    }

    /// A number of elements.
    pub fn count(&mut self, count: usize) -> io::Result<()> {
        self.length(count as u64)
    }

    /// A time in milliseconds.
    pub fn milliseconds(&mut self, time: u64) -> io::Result<()> {
        self.bytes(&time.to_le_bytes())
    }

    /// A string, in the shortest form.
    pub fn string(&mut self, text: &[u8]) -> io::Result<()> {
        if text.len() <= INTEGER_LEN_MAX
            && let Some(integer) = numbers::parse_i64(text)
            && let Ok(integer) = i32::try_from(integer)
        {
            return self.small_integer(integer);
        }
        if COMPRESSED_LEN_MIN <= text.len() && self.compress(text) {
            let compressed = std::mem::take(&mut self.compressed);
            self.bytes(&[0xc3])?;
            self.count(compressed.len())?;
            self.count(text.len())?;
            self.bytes(&compressed)?;
            self.compressed = compressed;
            return Ok(());
        }
        self.count(text.len())?;
        self.bytes(text)
    }

    /// An integer, as the string of its digits.
    pub fn integer(&mut self, integer: i64) -> io::Result<()> {
        match i32::try_from(integer) {
            Ok(integer) => self.small_integer(integer),
            Err(_) => {
                let mut digits = numbers::IntegerBuffer::new();
                let text = digits.format(integer);
                self.count(text.len())?;
                self.bytes(text)
            }
        }
    }

    fn small_integer(&mut self, integer: i32) -> io::Result<()> {
        let [a, b, c, d] = integer.to_le_bytes();
        if i8::try_from(integer).is_ok() {
            self.bytes(&[0xc0, a])
        } else if i16::try_from(integer).is_ok() {
            self.bytes(&[0xc1, a, b])
        } else {
            self.bytes(&[0xc2, a, b, c, d])
        }
    }

    /// Puts the compressed form into its buffer, if it is worth it.
    fn compress(&mut self, text: &[u8]) -> bool {
        let Some(compressor) = &mut self.compressor else { return false };
        self.compressed.clear();
        compressor.compress(text, &mut self.compressed, text.len() - COMPRESSED_GAIN_MIN)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Reader;
    use super::*;

    fn written(write: impl FnOnce(&mut Writer<Vec<u8>>) -> io::Result<()>) -> Vec<u8> {
        let mut writer = Writer::new(Vec::new(), true);
        write(&mut writer).unwrap();
        writer.into_sink()
    }

    #[test]
    fn lengths_come_back() {
        let lengths = [0, 63, 64, 16_383, 16_384, u64::from(u32::MAX), 1 << 32, u64::MAX];
        for (length, size) in lengths.into_iter().zip([1, 1, 2, 2, 5, 5, 9, 9]) {
            let bytes = written(|writer| writer.length(length));
            assert_eq!(bytes.len(), size);
            assert_eq!(Reader::new(&bytes[..]).length().unwrap(), length);
        }
    }

    #[test]
    fn strings_come_back() {
        let long = b"abc".repeat(1000);
        let mut random = vec![0; 3000];
        base::rand::Rng::new(1).fill(&mut random);
        let texts: [(&[u8], std::ops::Range<usize>); 14] = [
            (b"", 1..2),
            (b"text", 5..6),
            (b"-128", 2..3),
            (b"127", 2..3),
            (b"128", 3..4),
            (b"-32768", 3..4),
            (b"-2147483648", 5..6),
            (b"2147483648", 11..12),
            (b"007", 4..5),
            (b"-0", 3..4),
            (b"aaaaaaaaaaaaaaaaaaaa", 21..22),
            (b"aaaaaaaaaaaaaaaaaaaaa", 5..12),
            (&long, 10..100),
            (&random, 3002..3003),
        ];
        for (text, size) in texts {
            let bytes = written(|writer| writer.string(text));
            assert!(size.contains(&bytes.len()), "{} for {}", bytes.len(), text.len());
            let mut out = b"what was there".to_vec();
            Reader::new(&bytes[..]).string(&mut out).unwrap();
            assert_eq!(out, text);
        }
    }

    #[test]
    fn integers_are_the_strings_of_their_digits() {
        for integer in [0, -1, 127, 128, 40_000, 3_000_000_000, i64::MIN] {
            let text = integer.to_string();
            let bytes = written(|writer| writer.integer(integer));
            assert_eq!(bytes, written(|writer| writer.string(text.as_bytes())));
        }
    }
}
