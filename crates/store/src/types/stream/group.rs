//! Consumer groups: what was read, and what is still to be acknowledged by whom.
//!
//! An entry that was delivered is *pending* until it is acknowledged. The group keeps pending
//! entries by id, with their consumer, time and count; each consumer keeps the ids of its own. A
//! consumer is referred to by a number, so that a pending entry takes 40 bytes and a consumer's
//! share of it 16.
//!
//! An entry that a consumer gave back (a *nack*) is nobody's. It has no delivery time; in its
//! place stands its number among the nacks, so that they are claimed in the order in which they came
//! back, before all others.
//!
//! A claim asks for the entries that have been pending longest. The order by time that this needs is
//! only built for groups of which it was asked once: it costs a third more memory.

use std::borrow::Borrow;

use super::id::Id;
use super::tree::{Crumbling, Tree};
use crate::layout::rubble::Rubble;
use crate::layout::shared_node::Node;
use crate::layout::size_class::size_class;

/// The name of a group or consumer.
#[derive(Clone, Debug)]
pub(super) struct Name(Node<Box<[u8]>>);

impl Name {
    pub(super) fn new(bytes: &[u8]) -> Self {
        Self(Node::new(bytes.into()))
    }

    /// Its bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn memory_bytes(&self) -> usize {
        size_class(size_of::<usize>() + size_of::<Box<[u8]>>()) + size_class(self.0.len())
    }
}

impl Borrow<[u8]> for Name {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.bytes() == other.bytes()
    }
}

impl Eq for Name {}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.bytes().cmp(other.bytes())
    }
}

/// The number of a consumer within its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConsumerNumber(u32);

/// Deliveries are not counted above this: clients see a signed number.
pub const COUNT_MAX: u64 = i64::MAX as u64;

/// The owner of entries that were given back.
const NOBODY: ConsumerNumber = ConsumerNumber(u32::MAX);

/// An entry that was delivered and not acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    /// How often it was delivered.
    pub count: u64,
    /// When it was delivered last; of a nack its number.
    time: u64,
    owner: ConsumerNumber,
}

impl Pending {
    /// Whose it is; nobody's after a nack.
    pub fn owner(self) -> Option<ConsumerNumber> {
        (self.owner != NOBODY).then_some(self.owner)
    }

    /// Its place among those that were given back, if it was.
    pub fn nack_number(self) -> Option<u64> {
        (self.owner == NOBODY).then_some(self.time)
    }

    /// When it was delivered last, in Unix milliseconds; 0 after a nack.
    pub fn delivered_ms(self) -> u64 {
        if self.owner == NOBODY { 0 } else { self.time }
    }

    /// For how long it has been pending; a nack for longer than anything.
    pub fn idle_ms(self, now_ms: u64) -> u64 {
        if self.owner == NOBODY { u64::MAX } else { now_ms.saturating_sub(self.time) }
    }

    /// How often it was delivered, once it is delivered again.
    pub fn count_after(self) -> u64 {
        self.count.saturating_add(1).min(COUNT_MAX)
    }

    /// Its place in the order by time.
    fn due(self, id: Id) -> Due {
        Due { is_owned: self.owner != NOBODY, time: self.time, id }
    }
}

/// A place in the order by time: nacks first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Due {
    is_owned: bool,
    time: u64,
    id: Id,
}

/// One who reads for a group.
#[derive(Clone, Debug)]
pub struct Consumer {
    name: Name,
    /// When it called last, in Unix milliseconds.
    pub seen_ms: u64,
    /// When it got entries last.
    pub active_ms: Option<u64>,
    pending: Tree<Id, ()>,
}

impl Consumer {
    /// Its name.
    pub fn name(&self) -> &[u8] {
        self.name.bytes()
    }

    /// Number of entries that it has not acknowledged.
    pub fn pending_len(&self) -> usize {
        self.pending.len()
    }
}

impl Crumbling for ConsumerNumber {
    fn crumble(self, _rubble: &mut Rubble) {}
}

impl Crumbling for Pending {
    fn crumble(self, _rubble: &mut Rubble) {}
}

impl Crumbling for Node<Consumer> {
    fn crumble(mut self, rubble: &mut Rubble) {
        if let Some(consumer) = self.content_mut() {
            std::mem::take(&mut consumer.pending).crumble(rubble);
        }
    }
}

impl Crumbling for Node<Group> {
    fn crumble(mut self, rubble: &mut Rubble) {
        if let Some(group) = self.content_mut() {
            std::mem::take(&mut group.pending).crumble(rubble);
            group.by_time.take().unwrap_or_default().crumble(rubble);
            std::mem::take(&mut group.consumers).crumble(rubble);
            std::mem::take(&mut group.names).crumble(rubble);
        }
    }
}

/// A consumer group.
#[derive(Clone, Debug)]
pub struct Group {
    /// The last entry that was delivered.
    pub last_id: Id,
    /// How many entries of the stream were delivered or passed by, if that is known.
    pub entries_read: Option<u64>,
    pending: Tree<Id, Pending>,
    by_time: Option<Tree<Due, ()>>,
    consumers: Tree<ConsumerNumber, Node<Consumer>>,
    names: Tree<Name, ConsumerNumber>,
    next_number: u32,
    /// Numbers of nacks that were given.
    nacks: u64,
    /// Pending entries that are nobody's.
    unowned: usize,
    /// Bytes of all names.
    name_bytes: usize,
    /// Bytes of the ids that consumers have pending.
    owned_bytes: usize,
}

impl Group {
    /// A group that reads what comes after `last_id`.
    pub(super) fn new(last_id: Id, entries_read: Option<u64>) -> Self {
        Self {
            last_id,
            entries_read,
            pending: Tree::new(),
            by_time: None,
            consumers: Tree::new(),
            names: Tree::new(),
            next_number: 0,
            nacks: 0,
            unowned: 0,
            name_bytes: 0,
            owned_bytes: 0,
        }
    }

    /// The number of the consumer with this name, who is made if missing; and whether it was.
    pub fn create_consumer(&mut self, name: &[u8], now_ms: u64) -> (ConsumerNumber, bool) {
        if let Some(number) = self.names.get(name) {
            return (*number, false);
        }
        let mut number = ConsumerNumber(self.next_number);
        while number == NOBODY || self.consumers.get(&number).is_some() {
            number = ConsumerNumber(number.0.wrapping_add(1));
        }
        self.next_number = number.0.wrapping_add(1);
        let name = Name::new(name);
        self.name_bytes += name.memory_bytes();
        self.names.insert(name.clone(), number);
        let consumer = Consumer { name, seen_ms: now_ms, active_ms: None, pending: Tree::new() };
        self.consumers.insert(number, Node::new(consumer));
        (number, true)
    }

    /// Takes a consumer away, with all that it had pending; returns how much that was.
    pub fn remove_consumer(&mut self, name: &[u8]) -> Option<usize> {
        let number = self.names.remove(name)?;
        let consumer = self.consumers.remove(&number)?;
        self.name_bytes -= consumer.name.memory_bytes();
        self.owned_bytes -= consumer.pending.memory_bytes();
        for (id, ()) in consumer.pending.iter() {
            let pending = self.pending.remove(id);
            if let (Some(pending), Some(by_time)) = (pending, &mut self.by_time) {
                by_time.remove(&pending.due(*id));
            }
        }
        Some(consumer.pending.len())
    }

    /// A consumer, to change its times.
    pub fn consumer_mut(&mut self, number: ConsumerNumber) -> Option<&mut Consumer> {
        self.consumers.value_mut(&number).map(Node::make_mut)
    }

    /// An entry goes to a consumer, whoever had it before.
    pub fn assign(&mut self, id: Id, owner: ConsumerNumber, delivered_ms: u64, count: u64) {
        self.put(id, Pending { count, time: delivered_ms, owner });
    }

    /// An entry is given back: it is nobody's, and first in the order by time.
    pub fn give_back(&mut self, id: Id, count: u64) {
        self.nacks += 1;
        self.put(id, Pending { count, time: self.nacks, owner: NOBODY });
    }

    /// An entry is not pending any more. Returns whether it was.
    pub fn acknowledge(&mut self, id: Id) -> bool {
        let Some(pending) = self.pending.remove(&id) else { return false };
        self.disown(id, pending);
        true
    }

    fn put(&mut self, id: Id, new: Pending) {
        if let Some(old) = self.pending.insert(id, new) {
            if old.owner == new.owner && new.owner != NOBODY {
                if let Some(by_time) = &mut self.by_time {
                    by_time.remove(&old.due(id));
                    by_time.insert(new.due(id), ());
                }
                return;
            }
            self.disown(id, old);
        }
        if let Some(by_time) = &mut self.by_time {
            by_time.insert(new.due(id), ());
        }
        let is_owned = self.change_owned(new.owner, |ids| {
            ids.insert(id, ());
        });
        self.unowned += usize::from(!is_owned);
    }

    /// Takes an entry out of the order by time and from its consumer.
    fn disown(&mut self, id: Id, pending: Pending) {
        if let Some(by_time) = &mut self.by_time {
            by_time.remove(&pending.due(id));
        }
        let is_owned = self.change_owned(pending.owner, |ids| {
            ids.remove(&id);
        });
        self.unowned -= usize::from(!is_owned);
    }

    /// Lets `change` edit the ids that a consumer has pending; says whether there is one.
    fn change_owned(
        &mut self,
        owner: ConsumerNumber,
        change: impl FnOnce(&mut Tree<Id, ()>),
    ) -> bool {
        let Some(consumer) = self.consumers.value_mut(&owner) else { return false };
        let ids = &mut consumer.make_mut().pending;
        let before = ids.memory_bytes();
        change(ids);
        self.owned_bytes = self.owned_bytes + ids.memory_bytes() - before;
        true
    }

    /// The entries that have been pending for at least `idle_ms`, longest first; at most `count`, of
    /// those that `is_wanted`.
    pub(super) fn idle(
        &mut self,
        now_ms: u64,
        idle_ms: u64,
        count: usize,
        is_wanted: impl Fn(Id) -> bool,
    ) -> Vec<Id> {
        let Self { by_time, pending, .. } = self;
        let by_time = by_time.get_or_insert_with(|| {
            let mut by_time = Tree::new();
            for (id, pending) in pending.iter() {
                by_time.insert(pending.due(*id), ());
            }
            by_time
        });
        let is_idle = |due: &Due| !due.is_owned || idle_ms <= now_ms.saturating_sub(due.time);
        let dues = by_time.iter().map(|(due, ())| due).take_while(|due| is_idle(due));
        dues.map(|due| due.id).filter(|id| is_wanted(*id)).take(count).collect()
    }

    /// When the next pending entry that `is_wanted` will have been so for `idle_ms`, in Unix
    /// milliseconds; known once the group was asked for idle entries.
    pub(super) fn next_idle_ms(&self, idle_ms: u64, is_wanted: impl Fn(Id) -> bool) -> Option<u64> {
        let mut dues = self.by_time.as_ref()?.iter().map(|(due, ())| due);
        let due = dues.find(|due| is_wanted(due.id))?;
        Some(if due.is_owned { due.time.saturating_add(idle_ms) } else { 0 })
    }

    /// The number of the consumer with this name.
    pub fn consumer_number(&self, name: &[u8]) -> Option<ConsumerNumber> {
        self.names.get(name).copied()
    }

    /// The consumer with this number.
    pub fn consumer(&self, number: ConsumerNumber) -> Option<&Consumer> {
        self.consumers.get(&number).map(|consumer| &**consumer)
    }

    /// All consumers by name.
    pub fn consumers(&self) -> impl Iterator<Item = &Consumer> {
        self.names.iter().filter_map(|(_, number)| self.consumer(*number))
    }

    /// Number of consumers.
    pub fn consumers_len(&self) -> usize {
        self.names.len()
    }

    /// Number of pending entries.
    pub fn pending_len(&self) -> usize {
        self.pending.len()
    }

    /// Number of pending entries that were given back.
    pub fn unowned_len(&self) -> usize {
        self.unowned
    }

    /// The pending entry of this id.
    pub fn pending(&self, id: Id) -> Option<Pending> {
        self.pending.get(&id).copied()
    }

    /// The ids of the first and the last pending entry.
    pub fn pending_bounds(&self) -> Option<(Id, Id)> {
        let (first, _) = self.pending.first()?;
        let (last, _) = self.pending.last()?;
        Some((*first, *last))
    }

    /// The pending entries from an id on.
    pub fn pending_from(&self, from: Id) -> impl Iterator<Item = (Id, Pending)> {
        self.pending.up_from(&from).map(|(id, pending)| (*id, *pending))
    }

    /// The pending entries of one consumer from an id on.
    pub fn pending_of(
        &self,
        number: ConsumerNumber,
        from: Id,
    ) -> impl Iterator<Item = (Id, Pending)> {
        let consumer = self.consumers.get(&number);
        let ids = consumer.into_iter().flat_map(move |consumer| consumer.pending.up_from(&from));
        ids.filter_map(|(id, ())| Some((*id, self.pending(*id)?)))
    }

    /// Bytes allocated for it.
    pub(super) fn memory_bytes(&self) -> usize {
        let own = size_class(size_of::<usize>() + size_of::<Self>());
        let by_time = self.by_time.as_ref().map_or(0, Tree::memory_bytes);
        let consumer = size_class(size_of::<usize>() + size_of::<Consumer>());
        let of_consumers = self.consumers.len() * consumer + self.owned_bytes;
        let trees = self.pending.memory_bytes() + by_time + self.consumers.memory_bytes();
        own + trees + self.names.memory_bytes() + of_consumers + self.name_bytes
    }

    /// Checks all that must hold.
    ///
    /// # Panics
    /// If something does not.
    pub(super) fn check_invariants(&self) {
        self.pending.check_invariants();
        self.consumers.check_invariants();
        self.names.check_invariants();
        assert_eq!(self.consumers.len(), self.names.len());
        let mut owned = 0;
        for (name, number) in self.names.iter() {
            let consumer = self.consumer(*number).expect("every name has its consumer");
            assert_eq!(consumer.name(), name.bytes());
            consumer.pending.check_invariants();
            for (id, ()) in consumer.pending.iter() {
                assert_eq!(self.pending(*id).map(|pending| pending.owner), Some(*number));
            }
            owned += consumer.pending.len();
        }
        assert_eq!(owned + self.unowned, self.pending.len());
        let bytes = self.consumers.iter().map(|(_, consumer)| consumer.pending.memory_bytes());
        assert_eq!(self.owned_bytes, bytes.sum::<usize>());
        if let Some(by_time) = &self.by_time {
            by_time.check_invariants();
            assert_eq!(by_time.len(), self.pending.len());
            assert!(self.pending.iter().all(|(id, p)| by_time.get(&p.due(*id)).is_some()));
        }
    }
}
