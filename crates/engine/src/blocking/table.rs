//! The waiters of one shard's keys: a queue per key. Lives in the shard, under its lock.

use super::waiter::Waiter;
use super::{ReadyKey, WaitedKey};
use base::lock::Token;
use smallvec::SmallVec;
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;
use store::Key;

/// Who waits for which key.
///
/// Found by the hash that the call has anyway; keys of the same hash, and the same key in other databases,
/// are told apart behind it.
#[derive(Default)]
pub struct WaitTable {
    queues: HashMap<u64, SmallVec<[Queue; 1]>, BuildHasherDefault<KeyHasher>>,
    /// How many places belong to waiters whose calls touch keys beside those that they wait for.
    wide: usize,
}

/// The waiters of one key, first come first.
struct Queue {
    db: usize,
    key: Box<[u8]>,
    waiters: VecDeque<(u64, Arc<Waiter>)>,
    /// How many of them mind the key's removal.
    minding: usize,
    /// Stands among the present call's ready keys.
    is_noted: bool,
}

/// Takes the key's hash as it is, turned so that the bits that all keys of a shard share are not
/// those that choose the place.
#[derive(Default)]
struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _bytes: &[u8]) {
        unreachable!("the table's keys are numbers");
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash.rotate_left(32);
    }
}

impl WaitTable {
    /// Whether nobody waits here.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.queues.is_empty()
    }

    /// Whether a waiter here needs shards beside that of its key.
    #[inline]
    pub fn is_wide(&self) -> bool {
        self.wide != 0
    }

    /// Numbers of keys that are waited for, and of those whose removal somebody minds.
    pub fn measure(&self) -> (usize, usize) {
        let (mut keys, mut minded) = (0, 0);
        for queue in self.queues.values().flatten() {
            let mut live = queue.waiters.iter().filter(|(_, waiter)| !waiter.is_over()).peekable();
            keys += usize::from(live.peek().is_some());
            minded += usize::from(live.any(|(_, waiter)| waiter.minds_removal));
        }
        (keys, minded)
    }

    /// Puts `waiter` at the end of a key's queue; a second time is the same as once.
    pub(crate) fn add(&mut self, key: Key<'_>, waiter: &Arc<Waiter>) {
        let queues = self.queues.entry(key.hash).or_default();
        let place = queues.iter().position(|queue| queue.is(waiter.db, key.bytes));
        let place = place.unwrap_or_else(|| {
            queues.push(Queue::new(waiter.db, key.bytes));
            queues.len() - 1
        });
        let queue = &mut queues[place];
        if queue.waiters.back().is_some_and(|(number, _)| *number == waiter.number) {
            return;
        }
        queue.waiters.push_back((waiter.number, Arc::clone(waiter)));
        queue.minding += usize::from(waiter.minds_removal);
        self.wide += usize::from(is_wide(waiter));
    }

    /// Takes `waiter` out of the queue of one of its keys, if it is there.
    pub(crate) fn remove(&mut self, waited: WaitedKey, waiter: &Waiter) {
        let Some(queues) = self.queues.get_mut(&waited.hash) else { return };
        let key = waiter.call.argv().at(waited.argument);
        let Some(index) = queues.iter().position(|queue| queue.is(waiter.db, key)) else { return };
        let queue = &mut queues[index];
        let Ok(place) = queue.waiters.binary_search_by_key(&waiter.number, |(number, _)| *number)
        else {
            return;
        };
        queue.waiters.remove(place);
        queue.minding -= usize::from(waiter.minds_removal);
        self.wide -= usize::from(is_wide(waiter));
        if queue.waiters.is_empty() {
            queues.swap_remove(index);
            if queues.is_empty() {
                self.queues.remove(&waited.hash);
            }
        }
    }

    /// A key has changed: appended to `ready` if somebody waits for it and it isn't there yet.
    pub(crate) fn note(&mut self, db: usize, key: Key<'_>, ready: &mut Vec<ReadyKey>) {
        let Some(queue) = self.queue_mut(db, key) else { return };
        if !std::mem::replace(&mut queue.is_noted, true) {
            ready.push(ReadyKey { db, hash: key.hash, bytes: key.bytes.into() });
        }
    }

    /// Notes all keys of a database that somebody waits for.
    pub(crate) fn note_database(&mut self, db: usize, ready: &mut Vec<ReadyKey>) {
        for (hash, queues) in &mut self.queues {
            for queue in queues.iter_mut().filter(|queue| queue.db == db) {
                if !std::mem::replace(&mut queue.is_noted, true) {
                    ready.push(ReadyKey { db, hash: *hash, bytes: queue.key.clone() });
                }
            }
        }
    }

    /// A ready key is about to be served: it may be noted again. Whether anybody there minds its
    /// removal.
    pub(super) fn begin(&mut self, db: usize, key: Key<'_>) -> bool {
        self.queue_mut(db, key).is_some_and(|queue| {
            queue.is_noted = false;
            queue.minding != 0
        })
    }

    /// The first waiter of a key with a number above `after`.
    pub(super) fn next(&self, db: usize, key: Key<'_>, after: u64) -> Option<Arc<Waiter>> {
        let queues = self.queues.get(&key.hash)?;
        let queue = queues.iter().find(|queue| queue.is(db, key.bytes))?;
        let place = queue.waiters.partition_point(|(number, _)| *number <= after);
        queue.waiters.get(place).map(|(_, waiter)| Arc::clone(waiter))
    }

    /// What the first `count` waiters of a key, in any database, touch beside it.
    pub(super) fn each_further(&self, key: Key<'_>, count: usize, mut found: impl FnMut(Key<'_>)) {
        let queues = self.queues.get(&key.hash).into_iter().flatten();
        for queue in queues.filter(|queue| *queue.key == *key.bytes) {
            let live = queue.waiters.iter().filter(|(_, waiter)| !waiter.is_over());
            for (_, waiter) in live.take(count) {
                for further in waiter.further_keys() {
                    let bytes = waiter.call.argv().at(further.argument);
                    found(Key { bytes, hash: further.hash });
                }
            }
        }
    }

    /// Nudges those who mind that `key` was removed; their tokens are to be woken.
    pub(crate) fn removed(&self, db: usize, key: Key<'_>, tokens: &mut Vec<Token>) {
        let queues = self.queues.get(&key.hash).into_iter().flatten();
        queues.filter(|queue| queue.is(db, key.bytes)).for_each(|queue| queue.nudge(tokens));
    }

    /// As [`WaitTable::removed`], for all keys of a database.
    pub(crate) fn all_removed(&self, db: usize, tokens: &mut Vec<Token>) {
        let queues = self.queues.values().flatten();
        queues.filter(|queue| queue.db == db).for_each(|queue| queue.nudge(tokens));
    }

    /// Nudges everybody: any key may be there now, or gone.
    pub(crate) fn anything_changed(&self, tokens: &mut Vec<Token>) {
        let waiters = self.queues.values().flatten().flat_map(|queue| &queue.waiters);
        tokens.extend(waiters.filter(|(_, w)| w.nudge()).map(|(_, waiter)| waiter.token));
    }

    fn queue_mut(&mut self, db: usize, key: Key<'_>) -> Option<&mut Queue> {
        let queues = self.queues.get_mut(&key.hash)?;
        queues.iter_mut().find(|queue| queue.is(db, key.bytes))
    }
}

impl Queue {
    fn new(db: usize, key: &[u8]) -> Self {
        Self { db, key: key.into(), waiters: VecDeque::new(), minding: 0, is_noted: false }
    }

    fn nudge(&self, tokens: &mut Vec<Token>) {
        if self.minding != 0 {
            let minding = self.waiters.iter().filter(|(_, waiter)| waiter.minds_removal);
            tokens.extend(minding.filter(|(_, w)| w.nudge()).map(|(_, waiter)| waiter.token));
        }
    }

    fn is(&self, db: usize, key: &[u8]) -> bool {
        self.db == db && *self.key == *key
    }
}

fn is_wide(waiter: &Waiter) -> bool {
    waiter.further_keys().next().is_some()
}
