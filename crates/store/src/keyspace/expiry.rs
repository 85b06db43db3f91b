//! Which keys expire next: a queue of deadlines at eight bytes a key.
//!
//! *Problem.* Ten million keys may be volatile, most of them sessions whose deadline moves with each
//! use. Finding the due ones must not depend on luck, and must cost neither memory nor time per use.
//!
//! *Idea.* A record is a hint, not the truth: 36 bits of time in ticks of 64 ms, and the first 28
//! bits of the key's hash, by which the table finds it. Every volatile key has a record that is not
//! later than its deadline. When it comes due, the key is looked at: if its deadline has passed it
//! goes, and if not, the record is made anew. So a deadline that moves later, or away, costs nothing
//! here; one that moves earlier adds a record.
//!
//! *Order.* A radix heap. Bucket `i` holds the records whose time differs from now in bit `i` and in
//! none above. When time passes, the highest bit that changed says which buckets are reached: these
//! and all below become `pending`, in constant time. Pending records are due, or go into a lower
//! bucket; each goes through fewer than 36 buckets in its life, and since keys mostly live for
//! minutes to days, about ten. How many are handled per call is up to the caller.
//!
//! Buckets are lists of chunks, so that a record takes 8.26 bytes and a half-filled chunk per bucket
//! is all the slack.
//!
//! *Stale records* are those of keys that were deleted, or replaced, before their time. When they
//! are too many, a pass begins: the heap becomes the old one, and step by step its records are
//! looked up; the first for each key is made anew in the new heap, and all others vanish. A bit in
//! the entry, which changes its meaning with each pass, says whether a key has been seen.
//!
//! *Rejected.* Sampling: a quarter of the expired keys may stay. A binary heap: 8 bytes as well, but
//! logarithmic and a cache miss per level. A wheel: a record of 8 bytes has no room for links.

use crate::layout::table::HashPrefix;

const TICK_MS_BITS: u32 = 6;
const TICK_BITS: u32 = 36;
/// The time of records that are farther away than ticks reach: never, as far as ticks tell.
const TICK_NEVER: u64 = (1 << TICK_BITS) - 1;

const _: () = assert!(TICK_BITS + HashPrefix::BITS == 64);

/// Records in a chunk: with two words for itself it takes 512 bytes.
const CHUNK_LEN: usize = 62;

/// A queue of deadlines, which may name a key more than once or too early but never too late.
#[derive(Default)]
pub struct Deadlines {
    now_tick: u64,
    current: Heap,
    /// What the pass in progress has not looked at.
    old: Option<Box<Heap>>,
    /// Which pass was begun last.
    pass: bool,
}

/// A record that has come due.
#[derive(Clone, Copy, Debug)]
pub struct Due {
    /// The beginning of the hash of its keys.
    pub prefix: HashPrefix,
    /// Whether it was made before the pass in progress.
    pub is_old: bool,
}

impl Deadlines {
    /// Adds a record.
    pub fn push(&mut self, deadline_ms: u64, prefix: HashPrefix) {
        let record = tick_of(deadline_ms) << HashPrefix::BITS | u64::from(prefix.bits());
        self.current.push(record, self.now_tick);
    }

    /// Lets time pass. It does not go back.
    #[inline]
    pub fn advance(&mut self, now_ms: u64) {
        let tick = (now_ms >> TICK_MS_BITS).min(TICK_NEVER - 1);
        if self.now_tick < tick {
            self.current.reach(self.now_tick, tick);
            if let Some(old) = &mut self.old {
                old.reach(self.now_tick, tick);
            }
            self.now_tick = tick;
        }
    }

    /// Takes out a record that is due. Each record that is handled on the way takes one from
    /// `budget`; when that is used up, there may be more.
    pub fn next_due(&mut self, budget: &mut usize) -> Option<Due> {
        if let Some(prefix) = self.current.next_due(self.now_tick, budget) {
            return Some(Due { prefix, is_old: false });
        }
        let prefix = self.old.as_mut()?.next_due(self.now_tick, budget)?;
        Some(Due { prefix, is_old: true })
    }

    /// Begins a pass: from now on each key is to be seen once more.
    pub fn begin_pass(&mut self) {
        if self.old.is_none() {
            self.old = Some(Box::new(std::mem::take(&mut self.current)));
            self.pass = !self.pass;
        }
    }

    /// Takes a record out that the pass in progress has not looked at; the last one ends the pass.
    pub fn next_of_pass(&mut self) -> Option<Due> {
        let record = self.old.as_mut()?.pop_any();
        if record.is_none() {
            self.old = None;
        }
        Some(Due { prefix: prefix_of(record?), is_old: true })
    }

    /// Whether a deadline needs a record, given that the same key had another.
    #[inline]
    pub fn is_earlier(deadline_ms: u64, than_ms: u64) -> bool {
        tick_of(deadline_ms) < tick_of(than_ms)
    }

    /// The bit of the last pass, for entries that have a record since.
    #[inline]
    pub fn pass(&self) -> bool {
        self.pass
    }

    /// Whether a pass is in progress.
    #[inline]
    pub fn is_in_pass(&self) -> bool {
        self.old.is_some()
    }

    /// Number of records.
    #[inline]
    pub fn len(&self) -> usize {
        self.current.len + self.old.as_ref().map_or(0, |old| old.len)
    }

    /// Whether there are no records.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A time before which no record comes due, in Unix milliseconds: for a record that is due
    /// already, the time that was last told.
    pub fn next_due_ms(&self) -> Option<u64> {
        let old = self.old.as_ref().and_then(|old| old.next_tick(self.now_tick));
        let next = [self.current.next_tick(self.now_tick), old].into_iter().flatten().min();
        next.map(|tick| tick << TICK_MS_BITS)
    }

    /// Bytes that the queue takes.
    pub fn memory_bytes(&self) -> usize {
        let old = self.old.as_ref().map_or(0, |old| size_of::<Heap>() + old.memory_bytes());
        size_of::<Self>() + self.current.memory_bytes() + old
    }

    /// Checks what must hold of every queue; for tests and debugging.
    ///
    /// # Panics
    /// If it does not hold.
    pub fn check_invariants(&self) {
        self.current.check_invariants(self.now_tick);
        if let Some(old) = &self.old {
            old.check_invariants(self.now_tick);
        }
    }
}

/// The tick at which a key with this deadline has expired, whatever the milliseconds.
#[inline]
fn tick_of(deadline_ms: u64) -> u64 {
    ((deadline_ms >> TICK_MS_BITS) + 1).min(TICK_NEVER)
}

#[inline]
fn tick(record: u64) -> u64 {
    record >> HashPrefix::BITS
}

#[inline]
fn prefix_of(record: u64) -> HashPrefix {
    HashPrefix::from_bits((record & ((1 << HashPrefix::BITS) - 1)) as u32)
}

/// Records, sorted by the highest bit in which their time differs from now.
struct Heap {
    buckets: [Chunks; TICK_BITS as usize],
    /// What time has reached and nobody has looked at since.
    pending: Vec<Chunks>,
    len: usize,
}

impl Default for Heap {
    fn default() -> Self {
        Self { buckets: std::array::from_fn(|_| Chunks::default()), pending: Vec::new(), len: 0 }
    }
}

impl Heap {
    fn push(&mut self, record: u64, now_tick: u64) {
        self.len += 1;
        self.place(record, now_tick);
    }

    fn place(&mut self, record: u64, now_tick: u64) {
        if now_tick < tick(record) {
            self.buckets[bucket_index(tick(record), now_tick)].push(record);
            return;
        }
        if self.pending.is_empty() {
            self.pending.push(Chunks::default());
        }
        self.pending[0].push(record);
    }

    /// Makes the buckets pending that a step of time reaches.
    fn reach(&mut self, from_tick: u64, to_tick: u64) {
        for bucket in &mut self.buckets[..=bucket_index(from_tick, to_tick)] {
            if bucket.head.is_some() {
                self.pending.push(std::mem::take(bucket));
            }
        }
    }

    fn next_due(&mut self, now_tick: u64, budget: &mut usize) -> Option<HashPrefix> {
        while 0 < *budget {
            let Some(record) = self.pending.last_mut()?.pop() else {
                self.pending.pop();
                continue;
            };
            *budget -= 1;
            if tick(record) <= now_tick {
                self.len -= 1;
                return Some(prefix_of(record));
            }
            self.place(record, now_tick);
        }
        None
    }

    fn pop_any(&mut self) -> Option<u64> {
        while let Some(chunks) = self.pending.last_mut() {
            if let Some(record) = chunks.pop() {
                self.len -= 1;
                return Some(record);
            }
            self.pending.pop();
        }
        let record = self.buckets.iter_mut().find_map(Chunks::pop)?;
        self.len -= 1;
        Some(record)
    }

    fn next_tick(&self, now_tick: u64) -> Option<u64> {
        if self.pending.iter().any(|chunks| chunks.head.is_some()) {
            return Some(now_tick);
        }
        let lowest = self.buckets.iter().position(|bucket| bucket.head.is_some())?;
        // The first time that has this bit and all above as the bucket's records have them.
        Some((now_tick >> lowest | 1) << lowest)
    }

    fn memory_bytes(&self) -> usize {
        let lists = self.buckets.iter().chain(&self.pending);
        let chunks: usize = lists.map(|chunks| chunks.count).sum();
        chunks * size_of::<Chunk>() + self.pending.capacity() * size_of::<Chunks>()
    }

    fn check_invariants(&self, now_tick: u64) {
        let mut len = self.pending.iter().flat_map(Chunks::records).count();
        for (index, bucket) in self.buckets.iter().enumerate() {
            for record in bucket.records() {
                assert!(now_tick < tick(record));
                assert_eq!(bucket_index(tick(record), now_tick), index);
                len += 1;
            }
        }
        assert_eq!(len, self.len);
    }
}

/// The highest bit in which two different times differ.
#[inline]
fn bucket_index(one: u64, other: u64) -> usize {
    (one ^ other).ilog2() as usize
}

/// Records in no order.
#[derive(Default)]
struct Chunks {
    head: Option<Box<Chunk>>,
    count: usize,
}

struct Chunk {
    next: Option<Box<Self>>,
    len: usize,
    records: [u64; CHUNK_LEN],
}

const _: () = assert!(size_of::<Chunk>() == 512);

impl Chunks {
    #[inline]
    fn push(&mut self, record: u64) {
        match &mut self.head {
            Some(chunk) if chunk.len < CHUNK_LEN => {
                chunk.records[chunk.len] = record;
                chunk.len += 1;
            }
            _ => self.push_chunk(record),
        }
    }

    #[inline]
    fn pop(&mut self) -> Option<u64> {
        let chunk = self.head.as_mut()?;
        // A chunk in a list is never empty.
        chunk.len -= 1;
        let record = chunk.records[chunk.len];
        if chunk.len == 0 {
            self.head = chunk.next.take();
            self.count -= 1;
        }
        Some(record)
    }

    fn push_chunk(&mut self, record: u64) {
        let mut records = [0; CHUNK_LEN];
        records[0] = record;
        self.head = Some(Box::new(Chunk { next: self.head.take(), len: 1, records }));
        self.count += 1;
    }

    fn records(&self) -> impl Iterator<Item = u64> + use<'_> {
        let chunks = std::iter::successors(self.head.as_deref(), |chunk| chunk.next.as_deref());
        chunks.flat_map(|chunk| chunk.records[..chunk.len].iter().copied())
    }
}

impl Drop for Chunks {
    fn drop(&mut self) {
        // One after the other: dropping the first would recurse through all.
        let mut next = self.head.take();
        while let Some(mut chunk) = next {
            next = chunk.next.take();
        }
    }
}

#[cfg(test)]
mod tests;
