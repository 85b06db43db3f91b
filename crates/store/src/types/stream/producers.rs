//! What producers have sent: an entry that one of them sends again is found, and not added twice.
//!
//! A producer names itself, and each of its entries by an id of its own (an *iid*). A stream
//! remembers the last iids of every producer, with the id that the entry got: as many as it is set
//! to, and for as long.
//!
//! Each producer has its iids by name, to find them, and by number, to forget the oldest first. All
//! of these are trees of shared nodes, so a stream with producers is frozen as fast as one without.
//! A producer who sends nothing more is found out by those who do: each addition looks at a few
//! producers, in turn, and takes away those whose iids are all too old. So there are never more than
//! a few times as many as there would be if a clock took them away.

use super::group::Name;
use super::id::Id;
use super::tree::{Crumbling, Tree};
use crate::layout::rubble::Rubble;
use crate::layout::shared_node::Node;
use crate::layout::size_class::size_class;

/// How long an iid is remembered, in seconds, if nothing else was said.
const DURATION_S: u32 = 100;
/// How many iids of a producer are remembered, if nothing else was said.
const IIDS_MAX: u32 = 100;
/// Producers that an addition looks at.
const LOOKED_AT: usize = 2;

/// The producers of a stream.
#[derive(Clone, Debug)]
pub struct Producers {
    by_name: Tree<Name, Node<Producer>>,
    /// Where the next addition goes on looking for producers who send nothing more.
    next: Option<Name>,
    duration_s: u32,
    iids_max: u32,
    added: u64,
    duplicates: u64,
    /// Bytes of the producers and their names.
    bytes: usize,
}

/// One of them.
#[derive(Clone, Debug, Default)]
struct Producer {
    by_iid: Tree<Name, Sent>,
    by_number: Tree<u64, Name>,
    next_number: u64,
    /// Bytes of the iids.
    bytes: usize,
}

/// What became of an iid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sent {
    id: Id,
    at_ms: u64,
}

impl Crumbling for Name {
    fn crumble(self, _rubble: &mut Rubble) {}
}

impl Crumbling for Sent {
    fn crumble(self, _rubble: &mut Rubble) {}
}

impl Crumbling for Node<Producer> {
    fn crumble(mut self, rubble: &mut Rubble) {
        if let Some(producer) = self.content_mut() {
            std::mem::take(&mut producer.by_iid).crumble(rubble);
            std::mem::take(&mut producer.by_number).crumble(rubble);
        }
    }
}

impl Default for Producers {
    fn default() -> Self {
        Self {
            by_name: Tree::new(),
            next: None,
            duration_s: DURATION_S,
            iids_max: IIDS_MAX,
            added: 0,
            duplicates: 0,
            bytes: 0,
        }
    }
}

impl Producers {
    /// Sets for how long and how many iids are remembered; `None` leaves a number as it is. If one
    /// changes, all are forgotten.
    pub fn configure(&mut self, duration_s: Option<u32>, iids_max: Option<u32>) {
        let wanted = (duration_s.unwrap_or(self.duration_s), iids_max.unwrap_or(self.iids_max));
        if wanted != (self.duration_s, self.iids_max) {
            let Self { added, duplicates, .. } = *self;
            let (duration_s, iids_max) = wanted;
            *self = Self { duration_s, iids_max, added, duplicates, ..Self::default() };
        }
    }

    /// The id of the entry that a producer has sent by this iid already, which is counted.
    pub fn find_duplicate(&mut self, producer: &[u8], iid: &[u8], now_ms: u64) -> Option<Id> {
        let sent = self.by_name.get(producer)?.by_iid.get(iid)?;
        if self.is_over(*sent, now_ms) {
            return None;
        }
        let id = sent.id;
        self.duplicates += 1;
        Some(id)
    }

    /// Remembers an entry that was added.
    pub fn remember(&mut self, producer: &[u8], iid: &[u8], id: Id, now_ms: u64) {
        self.added += 1;
        let (duration_ms, iids_max) = (self.duration_ms(), self.iids_max as usize);
        if self.by_name.get(producer).is_none() {
            let name = Name::new(producer);
            self.bytes += name.memory_bytes() + Producer::own_bytes();
            self.by_name.insert(name, Node::default());
        }
        if let Some(node) = self.by_name.value_mut(producer) {
            let producer = node.make_mut();
            let before = producer.memory_bytes();
            producer.remember(iid, Sent { id, at_ms: now_ms });
            producer.forget_old(iids_max, now_ms.saturating_sub(duration_ms));
            self.bytes = self.bytes + producer.memory_bytes() - before;
        }
        self.forget_silent(now_ms);
    }

    /// Sets how many entries were added with an iid, and how many were found to be sent again.
    pub fn set_counts(&mut self, added: u64, duplicates: u64) {
        (self.added, self.duplicates) = (added, duplicates);
    }

    /// Takes those away, of a few, who have sent nothing for so long that nothing is remembered.
    fn forget_silent(&mut self, now_ms: u64) {
        for _ in 0..LOOKED_AT {
            let mut from = match &self.next {
                Some(name) => self.by_name.up_from(name.bytes()),
                None => self.by_name.iter(),
            };
            let found = from.next().map(|(name, producer)| {
                let is_silent = producer.last().is_none_or(|sent| self.is_over(sent, now_ms));
                (name.clone(), is_silent)
            });
            let next = from.next().map(|(name, _)| name.clone());
            drop(from);
            if let Some((name, true)) = found
                && let Some(gone) = self.by_name.remove(name.bytes())
            {
                self.bytes -= gone.memory_bytes() + name.memory_bytes() + Producer::own_bytes();
            }
            self.next = next;
        }
    }

    /// For how long an iid is remembered, in seconds.
    pub fn duration_s(&self) -> u32 {
        self.duration_s
    }

    /// How many iids of a producer are remembered.
    pub fn iids_max(&self) -> u32 {
        self.iids_max
    }

    /// How many producers there are, silent ones too.
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// Visits every producer with the iids that are remembered, the oldest first, until `visit`
    /// fails.
    pub fn each<E>(
        &self,
        mut visit: impl FnMut(&[u8], Vec<(&[u8], Id)>) -> Result<(), E>,
    ) -> Result<(), E> {
        for (name, producer) in self.by_name.iter() {
            let sent = producer.by_number.iter().filter_map(|(_, iid)| {
                let sent = producer.by_iid.get(iid.bytes())?;
                Some((iid.bytes(), sent.id))
            });
            visit(name.bytes(), sent.collect())?;
        }
        Ok(())
    }

    /// How many producers are remembered now, and how many iids of all of them.
    pub fn measure(&self, now_ms: u64) -> (usize, usize) {
        let (mut producers, mut iids) = (0, 0);
        for (_, producer) in self.by_name.iter() {
            let live = producer.by_iid.iter().filter(|(_, sent)| !self.is_over(**sent, now_ms));
            let count = live.count();
            producers += usize::from(count != 0);
            iids += count;
        }
        (producers, iids)
    }

    /// How many entries were added with an iid.
    pub fn added(&self) -> u64 {
        self.added
    }

    /// How many were found to be sent again.
    pub fn duplicates(&self) -> u64 {
        self.duplicates
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.by_name.memory_bytes() + self.bytes
    }

    pub(super) fn crumble(self, rubble: &mut Rubble) {
        self.by_name.crumble(rubble);
    }

    pub(super) fn check_invariants(&self) {
        self.by_name.check_invariants();
        let mut bytes = 0;
        for (name, producer) in self.by_name.iter() {
            bytes += name.memory_bytes() + Producer::own_bytes() + producer.memory_bytes();
            producer.check_invariants();
            assert!(producer.by_iid.len() <= self.iids_max as usize);
        }
        assert_eq!(bytes, self.bytes);
    }

    fn duration_ms(&self) -> u64 {
        u64::from(self.duration_s) * 1000
    }

    fn is_over(&self, sent: Sent, now_ms: u64) -> bool {
        sent.at_ms + self.duration_ms() <= now_ms
    }
}

impl Producer {
    /// Bytes of the node without what its trees own.
    fn own_bytes() -> usize {
        size_class(size_of::<usize>() + size_of::<Self>())
    }

    fn remember(&mut self, iid: &[u8], sent: Sent) {
        let name = Name::new(iid);
        self.bytes += name.memory_bytes();
        let number = self.next_number;
        self.next_number += 1;
        if self.by_iid.insert(name.clone(), sent).is_some() {
            // What was remembered under this iid was over: it is the older one that goes.
            let old = self.by_number.iter().find(|(_, old)| **old == name).map(|(n, _)| *n);
            if let Some(old) = old.and_then(|number| self.by_number.remove(&number)) {
                self.bytes -= old.memory_bytes();
            }
        }
        self.by_number.insert(number, name);
    }

    /// Keeps the newest `len_max`, and of these what was sent after `after_ms`.
    fn forget_old(&mut self, len_max: usize, after_ms: u64) {
        while let Some((number, name)) = self.by_number.first() {
            let (number, name) = (*number, name.clone());
            let sent = self.by_iid.get(name.bytes()).copied();
            let is_old = sent.is_none_or(|sent| sent.at_ms <= after_ms);
            if !is_old && self.by_number.len() <= len_max {
                return;
            }
            self.by_number.remove(&number);
            self.by_iid.remove(name.bytes());
            self.bytes -= name.memory_bytes();
        }
    }

    fn last(&self) -> Option<Sent> {
        let (_, name) = self.by_number.last()?;
        self.by_iid.get(name.bytes()).copied()
    }

    fn memory_bytes(&self) -> usize {
        self.by_iid.memory_bytes() + self.by_number.memory_bytes() + self.bytes
    }

    fn check_invariants(&self) {
        self.by_iid.check_invariants();
        self.by_number.check_invariants();
        assert_eq!(self.by_iid.len(), self.by_number.len());
        assert!(self.by_number.iter().all(|(_, name)| self.by_iid.get(name.bytes()).is_some()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(ms: u64) -> Id {
        Id::new(ms, 0)
    }

    #[test]
    fn the_oldest_are_forgotten_first() {
        let mut producers = Producers::default();
        producers.configure(None, Some(3));
        for n in 1..=5_u64 {
            producers.remember(b"p", n.to_string().as_bytes(), id(n), n);
            producers.check_invariants();
        }
        assert_eq!(producers.find_duplicate(b"p", b"2", 6), None);
        assert_eq!(producers.find_duplicate(b"p", b"3", 6), Some(id(3)));
        assert_eq!(producers.find_duplicate(b"q", b"3", 6), None);
        assert_eq!((producers.added(), producers.duplicates()), (5, 1));
        assert_eq!(producers.measure(6), (1, 3));
        producers.configure(Some(100), Some(3));
        assert_eq!(producers.measure(6), (1, 3), "nothing has changed");
        producers.configure(Some(99), None);
        assert_eq!(producers.measure(6), (0, 0));
        producers.check_invariants();
    }

    #[test]
    fn time_takes_iids_and_producers_away() {
        let mut producers = Producers::default();
        producers.configure(Some(1), None);
        for n in 0..50_u64 {
            producers.remember(n.to_string().as_bytes(), b"x", id(n + 1), 10);
        }
        assert_eq!(producers.find_duplicate(b"7", b"x", 1009), Some(id(8)));
        assert_eq!(producers.find_duplicate(b"7", b"x", 1010), None);
        producers.remember(b"7", b"x", id(100), 1010);
        assert_eq!(producers.find_duplicate(b"7", b"x", 1011), Some(id(100)));
        producers.check_invariants();
        for n in 0..60_u64 {
            producers.remember(b"busy", n.to_string().as_bytes(), id(200 + n), 1500);
            producers.check_invariants();
        }
        assert_eq!(producers.by_name.len(), 2, "the silent ones are gone");
        assert_eq!(producers.measure(1500), (2, 61));
    }

    #[test]
    fn a_frozen_view_keeps_what_it_has() {
        let mut producers = Producers::default();
        producers.remember(b"p", b"a", id(1), 1);
        let mut frozen = producers.clone();
        producers.remember(b"p", b"b", id(2), 2);
        assert_eq!(frozen.find_duplicate(b"p", b"b", 3), None);
        assert_eq!(producers.find_duplicate(b"p", b"b", 3), Some(id(2)));
        frozen.check_invariants();
        producers.check_invariants();
    }
}
