//! The keys of one shard that clients have read.
//!
//! A list of keys with their clients, and a table from a key to its place there: so a key is found at once,
//! and any one can be picked at random, in constant time. Boxed, because most shards have none.

use super::{Counts, Tracker};
use smallvec::SmallVec;
use std::collections::HashMap;
use std::sync::Arc;

/// Clients that may have one key.
pub(crate) type Trackers = SmallVec<[Arc<Tracker>; 1]>;

/// Who may have which key of one shard. Lives under the shard's lock.
#[derive(Default)]
pub struct TrackTable(Option<Box<Tables>>);

#[derive(Default)]
struct Tables {
    places: HashMap<Arc<[u8]>, usize>,
    keys: Vec<TrackedKey>,
    /// Where the sweep goes on.
    swept: usize,
}

struct TrackedKey {
    key: Arc<[u8]>,
    trackers: Trackers,
}

impl TrackTable {
    /// Whether nobody has anything.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// How many keys somebody has.
    pub fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |tables| tables.keys.len())
    }

    /// A client has read `key`.
    pub(crate) fn add(&mut self, key: &[u8], tracker: &Arc<Tracker>, counts: &Counts) {
        let tables = self.0.get_or_insert_with(Box::default);
        let Some(place) = tables.places.get(key).copied() else {
            let key: Arc<[u8]> = key.into();
            tables.places.insert(Arc::clone(&key), tables.keys.len());
            let trackers = std::iter::once(Arc::clone(tracker)).collect();
            tables.keys.push(TrackedKey { key, trackers });
            counts.added(1, 1);
            return;
        };
        let trackers = &mut tables.keys[place].trackers;
        if trackers.iter().any(|known| Arc::ptr_eq(known, tracker)) {
            return;
        }
        // So there are never more than twice as many as there are clients.
        if trackers.len() == trackers.capacity() {
            remove_gone(trackers, counts);
        }
        trackers.push(Arc::clone(tracker));
        counts.added(0, 1);
    }

    /// Forgets `key`; returns who may have it.
    pub(crate) fn take(&mut self, key: &[u8], counts: &Counts) -> Option<Trackers> {
        let place = *self.0.as_ref()?.places.get(key)?;
        Some(self.take_at(place, counts).trackers)
    }

    /// Forgets some key other than `spared`, by `chance`; returns it, and who may have it.
    pub(crate) fn take_any(
        &mut self,
        chance: u64,
        spared: Option<&[u8]>,
        counts: &Counts,
    ) -> Option<(Arc<[u8]>, Trackers)> {
        let keys = &self.0.as_ref()?.keys;
        let first = (chance % keys.len() as u64) as usize;
        let mut places = [first, (first + 1) % keys.len()].into_iter();
        let place = places.find(|place| spared != Some(&*keys[*place].key))?;
        let TrackedKey { key, trackers } = self.take_at(place, counts);
        Some((key, trackers))
    }

    /// Forgets everything, and tells nobody.
    pub(crate) fn clear(&mut self, counts: &Counts) {
        if let Some(tables) = self.0.take() {
            let items = tables.keys.iter().map(|tracked| tracked.trackers.len()).sum();
            counts.removed(tables.keys.len(), items);
        }
    }

    /// Takes clients that have gone out of the lists of some keys.
    pub(crate) fn sweep(&mut self, keys_max: usize, counts: &Counts) {
        for _ in 0..keys_max.min(self.len()) {
            let Some(tables) = &mut self.0 else { return };
            let place = if tables.swept < tables.keys.len() { tables.swept } else { 0 };
            let trackers = &mut tables.keys[place].trackers;
            remove_gone(trackers, counts);
            if trackers.is_empty() {
                // The last one takes its place, and is next.
                tables.swept = place;
                self.take_at(place, counts);
            } else {
                tables.swept = place + 1;
            }
        }
    }

    fn take_at(&mut self, place: usize, counts: &Counts) -> TrackedKey {
        let tables = self.0.as_mut().expect("a place was found in it");
        let taken = tables.keys.swap_remove(place);
        tables.places.remove(&taken.key);
        if let Some(moved) = tables.keys.get(place) {
            tables.places.insert(Arc::clone(&moved.key), place);
        }
        counts.removed(1, taken.trackers.len());
        if tables.keys.is_empty() {
            self.0 = None;
        }
        taken
    }
}

fn remove_gone(trackers: &mut Trackers, counts: &Counts) {
    let before = trackers.len();
    trackers.retain(|tracker| !tracker.is_gone());
    counts.removed(0, before - trackers.len());
}

#[cfg(test)]
mod tests {
    use super::super::{ClientTracking, Modes};
    use super::*;
    use crate::pushes::Mailbox;
    use base::lock::Token;
    use std::sync::atomic::Ordering::Relaxed;

    fn tracker(client: u64) -> Arc<Tracker> {
        ClientTracking::new(client, Arc::new(Mailbox::new(client, Token(client)))).tracker
    }

    fn measure(counts: &Counts) -> (usize, usize) {
        (counts.keys.load(Relaxed), counts.items.load(Relaxed))
    }

    #[test]
    fn what_is_taken_is_counted_off() {
        let (counts, mut table) = (Counts::default(), TrackTable::default());
        let (one, two) = (tracker(1), tracker(2));
        for key in [&b"a"[..], b"b", b"c", b"a"] {
            table.add(key, &one, &counts);
        }
        table.add(b"b", &two, &counts);
        assert_eq!(measure(&counts), (3, 4));
        assert_eq!(table.take(b"b", &counts).map(|trackers| trackers.len()), Some(2));
        assert!(table.take(b"b", &counts).is_none());
        assert_eq!(table.take(b"c", &counts).map(|trackers| trackers[0].client), Some(1));
        assert_eq!(measure(&counts), (1, 1));
        assert!(table.take_any(7, Some(b"a"), &counts).is_none());
        assert!(table.take_any(7, None, &counts).is_some());
        assert!(table.is_empty());
        assert_eq!(measure(&counts), (0, 0));
    }

    #[test]
    fn clients_that_have_gone_do_not_pile_up() {
        let (counts, mut table) = (Counts::default(), TrackTable::default());
        for client in 0..1000 {
            let tracker = tracker(client);
            table.add(b"key", &tracker, &counts);
            tracker.modes.store(Modes::GONE.0, Relaxed);
        }
        assert!(measure(&counts).1 < 10, "{counts:?}");
        let stays = tracker(1000);
        table.add(b"key", &stays, &counts);
        table.add(b"other", &stays, &counts);
        table.sweep(10, &counts);
        assert_eq!(measure(&counts), (2, 2));
        stays.modes.store(Modes::GONE.0, Relaxed);
        table.sweep(1, &counts);
        table.sweep(1, &counts);
        assert!(table.is_empty());
        assert_eq!(measure(&counts), (0, 0));
    }
}
