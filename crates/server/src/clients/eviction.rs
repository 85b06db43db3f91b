//! Clients give way when they take too much memory together: `maxmemory-clients`.
//!
//! Each connection's bytes are published with its record, and summed up as they change, so that
//! nobody adds up thousands of clients to learn that all is well. Whoever finds the sum over the
//! limit looks at all records and ends the largest clients, until the others are within it. A client
//! that has said CLIENT NO-EVICT is counted and spared.
//!
//! A client that is ended keeps its bytes until its own loop has closed it; it is not counted among
//! the others then, so nobody else has to go for it.

use crate::clients::limits;
use crate::clients::record::{ClientRecord, flags};
use crate::host::ServerHost;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

impl ServerHost {
    /// Ends the largest clients if all together take more than they may.
    #[inline]
    pub fn keep_clients_within(&self, bytes_max: Option<u64>) {
        if bytes_max.is_some_and(|max| max <= self.registry.memory_bytes()) {
            self.evict_clients(bytes_max.unwrap_or(u64::MAX));
        }
    }

    /// As [`ServerHost::keep_clients_within`], by the present settings.
    pub fn keep_clients_within_limit(&self) {
        self.keep_clients_within(limits::clients_bytes_max(&self.settings()));
    }

    #[cold]
    fn evict_clients(&self, bytes_max: u64) {
        // One at a time: who comes second would count clients that the first is about to end.
        let Some(_evicting) = self.registry.begin_eviction() else { return };
        let mut sum = 0;
        let mut candidates: Vec<(u64, Arc<ClientRecord>)> = Vec::new();
        self.registry.for_each(|record| {
            if record.is_killed() {
                return;
            }
            let bytes = record.counts.memory_bytes.load(Relaxed);
            sum += bytes;
            if record.counts.flags.load(Relaxed) & flags::NO_EVICT == 0 {
                candidates.push((bytes, Arc::clone(record)));
            }
        });
        candidates.sort_unstable_by_key(|(bytes, record)| (*bytes, record.id));
        while bytes_max <= sum
            && let Some((bytes, record)) = candidates.pop()
        {
            sum -= bytes;
            self.log_client_eviction(&record);
            self.statistics.evicted_clients.fetch_add(1, Relaxed);
            self.registry.kill(&record);
        }
    }
}
