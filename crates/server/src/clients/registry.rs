//! All clients by their ids: a table in stripes, each with a small lock that is never held across a call.

use crate::clients::record::ClientRecord;
use crate::inbox::{Inboxes, Message};
use crate::limits;
use crossbeam_utils::CachePadded;
use parking_lot::{Mutex, MutexGuard};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

/// Records by id.
type Stripe = HashMap<u64, Arc<ClientRecord>>;

/// The clients of a server.
pub struct Registry {
    stripes: Box<[CachePadded<Mutex<Stripe>>]>,
    next_id: AtomicU64,
    count: AtomicUsize,
    /// What all records say, summed up.
    memory_bytes: CachePadded<AtomicU64>,
    /// Held by whoever chooses clients to end.
    eviction: Mutex<()>,
    inboxes: Arc<Inboxes>,
}

impl Registry {
    /// Without any client; `inboxes` are those of the loops that serve them.
    pub fn new(inboxes: Arc<Inboxes>) -> Self {
        Self {
            stripes: (0..limits::REGISTRY_STRIPES).map(|_| CachePadded::default()).collect(),
            next_id: AtomicU64::new(1),
            count: AtomicUsize::new(0),
            memory_bytes: CachePadded::default(),
            eviction: Mutex::default(),
            inboxes,
        }
    }

    /// An id that no other client has or had.
    pub fn next_id(&self) -> u64 {
        self.next_id.fetch_add(1, Relaxed)
    }

    /// Counts a connection that is about to be served, unless there are `max` already.
    pub fn admit(&self, max: usize) -> bool {
        self.count
            .fetch_update(Relaxed, Relaxed, |count| (count < max).then_some(count + 1))
            .is_ok()
    }

    /// Undoes [`Registry::admit`].
    pub fn dismiss(&self) {
        self.count.fetch_sub(1, Relaxed);
    }

    /// Connections that are served, or about to be.
    pub fn count(&self) -> usize {
        self.count.load(Relaxed)
    }

    /// Makes a client known.
    pub fn insert(&self, record: Arc<ClientRecord>) {
        self.stripe(record.id).lock().insert(record.id, record);
    }

    /// Forgets a client.
    pub fn remove(&self, id: u64) {
        let record = self.stripe(id).lock().remove(&id);
        if let Some(record) = record {
            self.note_memory(&record, 0);
        }
    }

    /// Publishes how many bytes a client takes; only the thread that serves it does.
    #[inline]
    pub fn note_memory(&self, record: &ClientRecord, bytes: u64) {
        let own = &record.counts.memory_bytes;
        let before = own.load(Relaxed);
        if before != bytes {
            own.store(bytes, Relaxed);
            // It wraps around with a decrease, and back.
            self.memory_bytes.fetch_add(bytes.wrapping_sub(before), Relaxed);
        }
    }

    /// Bytes that all clients take.
    #[inline]
    pub fn memory_bytes(&self) -> u64 {
        self.memory_bytes.load(Relaxed)
    }

    /// The right to choose clients to end, unless somebody has it.
    pub fn begin_eviction(&self) -> Option<MutexGuard<'_, ()>> {
        self.eviction.try_lock()
    }

    /// The record of a client.
    pub fn find(&self, id: u64) -> Option<Arc<ClientRecord>> {
        self.stripe(id).lock().get(&id).cloned()
    }

    /// The records of all clients that nobody has killed, by id.
    pub fn all(&self) -> Vec<Arc<ClientRecord>> {
        let mut records = Vec::with_capacity(self.count());
        for stripe in &self.stripes {
            let stripe = stripe.lock();
            records.extend(stripe.values().filter(|record| !record.is_killed()).cloned());
        }
        records.sort_unstable_by_key(|record| record.id);
        records
    }

    /// Visits every record, some at a time; `visit` must be quick and take no lock.
    pub fn for_each(&self, mut visit: impl FnMut(&Arc<ClientRecord>)) {
        for stripe in &self.stripes {
            stripe.lock().values().for_each(&mut visit);
        }
    }

    /// Ends a client's connection, as soon as no call of it runs.
    pub fn kill(&self, record: &ClientRecord) {
        record.kill();
        self.inboxes.post(record.token, Message::Kill(record.token));
    }

    /// The inboxes of the loops that serve them.
    pub fn inboxes(&self) -> &Inboxes {
        &self.inboxes
    }

    fn stripe(&self, id: u64) -> &Mutex<Stripe> {
        &self.stripes[id as usize % self.stripes.len()]
    }
}
