//! The bytes of many entries, taken out of a snapshot for somebody else to read.

use super::super::value::{Rules, Value};
use super::super::{RdbError, Reader, TypeCode, Version};
use super::reader::{Head, read_head};
use crate::layout::entry::{Entry, INLINE_LEN_MAX};
use std::ops::Range;
use std::sync::Arc;

/// Entries as they are written, one behind the other.
pub struct Entries {
    pub(super) bytes: Vec<u8>,
    pub(super) range: Range<usize>,
    pub(super) count: usize,
    pub(super) offset: u64,
    pub(super) version: Version,
}

impl Entries {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Where they begin in the snapshot.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Begins to read them.
    pub fn read(&self) -> EntryReader<'_> {
        let reader = Reader::new(&self.bytes[self.range.clone()]);
        let (offset, version) = (self.offset, self.version);
        EntryReader { reader, offset, version, head: Head::default(), text: Vec::new() }
    }

    /// Their memory, for the next ones.
    pub fn into_memory(self) -> Vec<u8> {
        self.bytes
    }
}

/// Reads entries one by one.
pub struct EntryReader<'e> {
    reader: Reader<&'e [u8]>,
    /// Of the first entry in the snapshot.
    offset: u64,
    version: Version,
    head: Head,
    text: Vec<u8>,
}

impl EntryReader<'_> {
    /// What is said of the next entry beside its value, which must be read next; `None` at the end.
    pub fn head(&mut self) -> Result<Option<&Head>, RdbError> {
        if self.reader.source().is_empty() {
            return Ok(None);
        }
        match read_head(&mut self.reader, &mut self.head)? {
            None => Ok(Some(&self.head)),
            Some(_) => Err(RdbError::Corrupt("an entry is expected")),
        }
    }

    /// The entry whose head was read last, with this deadline and access clock; `None` if the time of all that is
    /// in it has passed.
    pub fn entry(
        &mut self,
        rules: &Rules<'_>,
        deadline: Option<u64>,
        clock: u32,
    ) -> Result<Option<Entry>, RdbError> {
        let Head { key, code, .. } = &self.head;
        if *code == TypeCode::String.code() {
            self.reader.string(&mut self.text)?;
            let entry = if INLINE_LEN_MAX < self.text.len() {
                // The buffer becomes that of the entry.
                Entry::shared(key, Arc::new(std::mem::take(&mut self.text)), deadline, clock)
            } else {
                Entry::string(key, &self.text, deadline, clock)
            };
            return Ok(Some(entry));
        }
        let value = Value::read(&mut self.reader, *code, rules)?;
        Ok((!value.is_gone()).then(|| value.into_entry(key, deadline, clock)))
    }

    /// The version in which they are written.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The key of the entry that is being read.
    pub fn key(&self) -> &[u8] {
        &self.head.key
    }

    /// How far it is in the snapshot.
    pub fn offset(&self) -> u64 {
        self.offset + self.reader.offset()
    }
}
