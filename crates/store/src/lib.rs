//! The data: values, encodings, shards, expiry. Knows no clients, commands, files, clocks or threads.
#![allow(clippy::all)]
use std::collections::HashMap;
use std::sync::Arc;
#[derive(Clone, Copy)]
pub struct Key<'a> {
    pub bytes: &'a [u8],
    pub hash: u64,
}
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    String,
    List,
}
#[derive(Clone)]
pub struct Entry {
    key: Box<[u8]>,
    value: Vec<u8>,
    deadline: Option<u64>,
    clock: u32,
}
impl Entry {
    pub fn is_cheap_to_free(&self) -> bool {
        true
    }
}
#[derive(Clone, Copy)]
pub struct EntryRef<'a>(&'a Entry);
pub struct EntryMut<'a>(&'a mut Entry);
pub enum StringRef<'a> {
    Inline(&'a [u8]),
    Shared(&'a Arc<Vec<u8>>),
}
impl<'a> StringRef<'a> {
    pub fn bytes(&self) -> &'a [u8] {
        match self {
            Self::Inline(b) => b,
            Self::Shared(b) => b,
        }
    }
    pub fn len(&self) -> usize {
        self.bytes().len()
    }
}
impl<'a> EntryRef<'a> {
    pub fn key(self) -> &'a [u8] {
        &self.0.key
    }
    pub fn kind(self) -> Kind {
        Kind::String
    }
    pub fn deadline(self) -> Option<u64> {
        self.0.deadline
    }
    pub fn string(self) -> StringRef<'a> {
        StringRef::Inline(&self.0.value)
    }
}
impl<'a> EntryMut<'a> {
    pub fn kind(&self) -> Kind {
        Kind::String
    }
    pub fn deadline(&self) -> Option<u64> {
        self.0.deadline
    }
    pub fn touch(&mut self, clock: u32) {
        self.0.clock = clock;
    }
    pub fn into_ref(self) -> EntryRef<'a> {
        EntryRef(self.0)
    }
    pub fn string(&self) -> StringRef<'_> {
        StringRef::Inline(&self.0.value)
    }
}
pub enum Live<'a> {
    Found(EntryMut<'a>),
    Missing,
    Expired(Entry),
}
#[derive(Default)]
pub struct PrefetchHint;
impl PrefetchHint {
    pub fn prefetch(&self, _hash: u64) {}
}
#[derive(Default)]
pub struct Database {
    map: HashMap<Box<[u8]>, Entry>,
}
impl Database {
    pub fn len(&self) -> usize {
        self.map.len()
    }
    pub fn volatile_len(&self) -> usize {
        0
    }
    pub fn memory_bytes(&self) -> usize {
        0
    }
    pub fn prefetch_entry(&self, _hash: u64) {}
    pub fn live(&mut self, key: Key<'_>, now: u64) -> Live<'_> {
        if let Some(e) = self.map.get(key.bytes)
            && e.deadline.is_some_and(|d| d <= now)
        {
            return Live::Expired(self.map.remove(key.bytes).expect("found above"));
        }
        match self.map.get_mut(key.bytes) {
            Some(e) => Live::Found(EntryMut(e)),
            None => Live::Missing,
        }
    }
    pub fn set_string(
        &mut self,
        key: Key<'_>,
        value: &[u8],
        deadline: Option<u64>,
        clock: u32,
    ) -> Option<Entry> {
        self.map.insert(
            key.bytes.into(),
            Entry { key: key.bytes.into(), value: value.to_vec(), deadline, clock },
        )
    }
    pub fn remove(&mut self, key: Key<'_>) -> Option<Entry> {
        self.map.remove(key.bytes)
    }
    pub fn insert(&mut self, entry: Entry, _hash: u64) -> Option<Entry> {
        self.map.insert(entry.key.clone(), entry)
    }
    pub fn set_deadline(&mut self, key: Key<'_>, deadline: Option<u64>) -> bool {
        self.map.get_mut(key.bytes).map(|e| e.deadline = deadline).is_some()
    }
    pub fn append(&mut self, key: Key<'_>, tail: &[u8]) -> usize {
        let e = self.map.get_mut(key.bytes).expect("callers looked");
        e.value.extend_from_slice(tail);
        e.value.len()
    }
    pub fn set_range(&mut self, key: Key<'_>, offset: usize, bytes: &[u8]) -> usize {
        let e = self.map.get_mut(key.bytes).expect("callers looked");
        let end = offset + bytes.len();
        if e.value.len() < end {
            e.value.resize(end, 0)
        }
        e.value[offset..end].copy_from_slice(bytes);
        e.value.len()
    }
}
pub struct Shard {
    dbs: Vec<Database>,
    newest: u64,
}
impl Shard {
    pub fn new(databases: usize, _hints: Arc<[PrefetchHint]>, _first: usize, _seed: u64) -> Self {
        Self { dbs: (0..databases).map(|_| Database::default()).collect(), newest: 0 }
    }
    pub fn database(&mut self, db: usize) -> &mut Database {
        &mut self.dbs[db]
    }
    pub fn database_ref(&self, db: usize) -> &Database {
        &self.dbs[db]
    }
    pub fn observe_ms(&mut self, now: u64) -> u64 {
        self.newest = self.newest.max(now);
        self.newest
    }
}
