//! A file that is read from its beginning, by readers that may have read more of it than they needed.

use crate::disk::Input;
use std::io::{self, Read};

/// A file that is being read.
pub struct Source {
    input: Box<dyn Input>,
    /// What was read and given back, and how much of that was read again.
    returned: Vec<u8>,
    taken: usize,
    offset: u64,
}

impl Source {
    /// A file at its beginning.
    pub fn new(input: Box<dyn Input>) -> Self {
        Self { input, returned: Vec::new(), taken: 0, offset: 0 }
    }

    /// Gives back the last bytes that were read.
    ///
    /// # Panics
    /// When so many were not read.
    pub fn give_back(&mut self, bytes: &[u8]) {
        assert!(bytes.len() as u64 <= self.offset, "more is given back than was read");
        let rest = &self.returned[self.taken..];
        self.returned = [bytes, rest].concat();
        self.taken = 0;
        self.offset -= bytes.len() as u64;
    }

    /// How many bytes were read.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// How long the file is.
    ///
    /// # Errors
    /// As the system says.
    pub fn len(&self) -> io::Result<u64> {
        self.input.len()
    }

    /// Whether there is nothing in it.
    ///
    /// # Errors
    /// As the system says.
    pub fn is_empty(&self) -> io::Result<bool> {
        self.input.is_empty()
    }

    /// Whether a snapshot comes next.
    ///
    /// # Errors
    /// As the system says.
    pub fn begins_with_snapshot(&mut self) -> io::Result<bool> {
        self.begins_with(&[b"REDIS", b"VALKEY"])
    }

    fn begins_with(&mut self, words: &[&[u8]]) -> io::Result<bool> {
        let len = words.iter().map(|word| word.len()).max().unwrap_or(0);
        let mut head = Vec::with_capacity(len);
        self.by_ref().take(len as u64).read_to_end(&mut head)?;
        let found = words.iter().any(|word| head.starts_with(word));
        self.give_back(&head);
        Ok(found)
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = if self.taken < self.returned.len() {
            let read = (&self.returned[self.taken..]).read(buffer)?;
            self.taken += read;
            read
        } else {
            self.input.read(buffer)?
        };
        self.offset += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::{Disk, MachineDisk};

    #[test]
    fn what_is_given_back_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, b"REDIS and more").unwrap();
        let mut source = Source::new(MachineDisk.open(&path).unwrap());
        assert!(source.begins_with(&[b"VALKEY", b"REDIS"]).unwrap());
        assert!(!source.begins_with(&[b"VALKEY"]).unwrap());
        let mut word = [0; 7];
        source.read_exact(&mut word).unwrap();
        source.give_back(b" a");
        assert_eq!(source.offset(), 5);
        source.give_back(b"IS");
        let mut rest = String::new();
        source.read_to_string(&mut rest).unwrap();
        assert_eq!((rest.as_str(), source.offset()), ("IS and more", 14));
    }
}
