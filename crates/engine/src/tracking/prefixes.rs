//! Who is told of all keys that begin in some way (BCAST).
//!
//! The prefixes are a published snapshot, by their length: a changed key is looked up once for each length
//! that somebody uses. Clients of a prefix that is there already are added to its own list, so that many
//! clients with the same prefix, the usual case, publish it once.

use super::Tracker;
use arc_swap::ArcSwap;
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// All prefixes by their length.
type Snapshot = BTreeMap<usize, HashMap<Box<[u8]>, Arc<Prefix>>>;

/// Prefixes with their clients.
#[derive(Default)]
pub(crate) struct Prefixes {
    published: ArcSwap<Snapshot>,
    /// How many there are, to be read without the snapshot.
    count: AtomicUsize,
    /// Held by whoever changes something.
    change: Mutex<()>,
}

/// One prefix.
pub(crate) struct Prefix {
    name: Box<[u8]>,
    trackers: Mutex<Vec<Arc<Tracker>>>,
}

/// A key that a call has changed.
#[derive(Debug)]
pub struct ChangedKey {
    pub bytes: Box<[u8]>,
    /// The client that alone has changed it; 0: several, or none.
    pub by: u64,
}

impl Prefixes {
    /// Whether there is any.
    #[inline]
    pub(crate) fn any(&self) -> bool {
        self.count() != 0
    }

    pub(crate) fn count(&self) -> usize {
        // Pairs with the releases below.
        self.count.load(Ordering::Acquire)
    }

    pub(super) fn add(&self, name: &[u8], tracker: &Arc<Tracker>) {
        let _change = self.change.lock();
        let published = self.published.load();
        if let Some(prefix) = published.get(&name.len()).and_then(|same| same.get(name)) {
            prefix.trackers.lock().push(Arc::clone(tracker));
            return;
        }
        let trackers = Mutex::new(vec![Arc::clone(tracker)]);
        let prefix = Arc::new(Prefix { name: name.into(), trackers });
        let mut next = Snapshot::clone(&published);
        next.entry(name.len()).or_default().insert(name.into(), prefix);
        self.publish(next);
    }

    pub(super) fn remove(&self, name: &[u8], client: u64) {
        let _change = self.change.lock();
        let published = self.published.load();
        let Some(prefix) = published.get(&name.len()).and_then(|same| same.get(name)) else {
            return;
        };
        let mut trackers = prefix.trackers.lock();
        trackers.retain(|tracker| tracker.client != client);
        if !trackers.is_empty() {
            return;
        }
        let mut next = Snapshot::clone(&published);
        if let Some(same) = next.get_mut(&name.len()) {
            same.remove(name);
            if same.is_empty() {
                next.remove(&name.len());
            }
        }
        self.publish(next);
    }

    /// Calls `found` with each prefix of some of `keys`, in order, and which these are. `keys` are sorted,
    /// so those with the same prefix are neighbours.
    pub(crate) fn each_of(
        &self,
        keys: &[ChangedKey],
        mut found: impl FnMut(&Prefix, &[ChangedKey]),
    ) {
        let published = self.published.load();
        let mut groups: Vec<(&Arc<Prefix>, Range<usize>)> = Vec::new();
        for (len, same) in published.iter() {
            let mut next = 0;
            while next < keys.len() {
                let begin = next;
                next += 1;
                let Some(head) = keys[begin].bytes.get(..*len) else { continue };
                while next < keys.len() && keys[next].bytes.starts_with(head) {
                    next += 1;
                }
                if let Some(prefix) = same.get(head) {
                    groups.push((prefix, begin..next));
                }
            }
        }
        groups.sort_unstable_by(|(one, _), (other, _)| one.name.cmp(&other.name));
        groups.into_iter().for_each(|(prefix, range)| found(prefix, &keys[range]));
    }

    fn publish(&self, next: Snapshot) {
        let count = next.values().map(HashMap::len).sum();
        self.published.store(Arc::new(next));
        self.count.store(count, Ordering::Release);
    }
}

impl Prefix {
    /// The clients that have asked for it.
    pub(crate) fn trackers(&self) -> Vec<Arc<Tracker>> {
        self.trackers.lock().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::super::ClientTracking;
    use super::*;
    use crate::pushes::Mailbox;
    use base::lock::Token;

    fn tracker(client: u64) -> Arc<Tracker> {
        ClientTracking::new(client, Arc::new(Mailbox::new(client, Token(client)))).tracker
    }

    fn found(prefixes: &Prefixes, keys: &[&str]) -> Vec<String> {
        let key = |key: &&str| ChangedKey { bytes: key.as_bytes().into(), by: 0 };
        let keys: Vec<ChangedKey> = keys.iter().map(key).collect();
        let mut found = Vec::new();
        prefixes.each_of(&keys, |prefix, keys| {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let clients: Vec<u64> = prefix.trackers().iter().map(|t| t.client).collect();
            let keys: Vec<String> = keys.iter().map(|key| text(&key.bytes)).collect();
            found.push(format!("{}{clients:?}: {}", text(&prefix.name), keys.join(" ")));
        });
        found
    }

    #[test]
    fn keys_are_found_by_their_prefixes() {
        let prefixes = Prefixes::default();
        let (one, two) = (tracker(1), tracker(2));
        for (name, tracker) in [("user:", &one), ("", &one), ("a", &two), ("user:", &two)] {
            prefixes.add(name.as_bytes(), tracker);
        }
        assert_eq!(prefixes.count(), 3);
        let expected =
            ["[1]: a ab b user user:1 user:2", "a[2]: a ab", "user:[1, 2]: user:1 user:2"];
        assert_eq!(found(&prefixes, &["a", "ab", "b", "user", "user:1", "user:2"]), expected);
        prefixes.remove(b"user:", 1);
        prefixes.remove(b"", 1);
        prefixes.remove(b"a", 1);
        assert_eq!(found(&prefixes, &["", "a", "user:"]), ["a[2]: a", "user:[2]: user:"]);
        prefixes.remove(b"user:", 2);
        prefixes.remove(b"a", 2);
        assert!(!prefixes.any());
    }
}
