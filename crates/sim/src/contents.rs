//! What an engine holds, as one number for each key: enough to compare two engines, at any later time.
//!
//! DEBUG DIGEST says less: it knows no deadlines, no groups of streams. Every key, and every field with a deadline
//! of its own, has a *mark*. What is past its deadline does not count, whether it was removed yet or not;
//! so the same contents can be looked at as of any time.

use base::numbers::IntegerBuffer;
use base::xxh3::xxh3;
use engine::Engine;
use std::collections::BTreeMap;
use std::fmt;
use store::types::hash::{self, LargeHash};
use store::types::list::{self, End, LargeList};
use store::types::set::{self, LargeSet};
use store::types::sorted_set::{self, LargeSortedSet};
use store::types::stream::{self, Id, Stream};
use store::{EntryRef, Kind};

/// Entries that are visited in one step of a walk.
const ENTRIES_PER_STEP: usize = 1 << 16;

/// All that an engine holds.
#[derive(Clone, Default)]
pub struct Contents {
    marks: Vec<Mark>,
}

#[derive(Clone)]
struct Mark {
    place: Place,
    deadline: Option<u64>,
    number: u64,
}

/// Where something is held.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Functions,
    Key(usize, Box<[u8]>),
}

impl Contents {
    /// Of an engine that nobody else uses.
    ///
    /// # Panics
    /// When somebody else holds a shard.
    pub fn of(engine: &Engine) -> Self {
        let (mut marks, mut bytes) = (Vec::new(), Vec::new());
        let now_ns = engine.clock().now_ns();
        for lock in engine.keyspace.locks() {
            let shard = lock.try_lock(now_ns).expect("nobody else uses the engine");
            for db in 0..engine.keyspace.databases() {
                let database = shard.data.database_ref(db);
                let mut cursor = 0;
                loop {
                    cursor = database.scan(cursor, ENTRIES_PER_STEP, |entry| {
                        mark_entry(db, entry, &mut bytes, &mut marks);
                    });
                    if cursor == 0 {
                        break;
                    }
                }
            }
        }
        let libraries = engine.functions.libraries();
        marks.extend(libraries.iter().map(|library| Mark {
            place: Place::Functions,
            deadline: None,
            number: xxh3(&library.code),
        }));
        Self { marks }
    }

    /// One number for all that is not past its deadline at `now_ms`.
    pub fn at(&self, now_ms: u64) -> u64 {
        let live = self.marks.iter().filter(|mark| mark.is_live(now_ms));
        live.fold(0, |sum: u64, mark| sum.wrapping_add(mark.number))
    }

    /// Number of keys and functions, those past their deadline too.
    pub fn len(&self) -> usize {
        self.marks.len()
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.marks.is_empty()
    }

    /// In what the two differ at `now_ms`, the first few places.
    pub fn difference(&self, other: &Self, now_ms: u64) -> Vec<String> {
        let by_place = |contents: &Self| {
            let mut sums = BTreeMap::<Place, u64>::new();
            for mark in contents.marks.iter().filter(|mark| mark.is_live(now_ms)) {
                let sum = sums.entry(mark.place.clone()).or_default();
                *sum = sum.wrapping_add(mark.number);
            }
            sums
        };
        let (own, other) = (by_place(self), by_place(other));
        let mut lines = Vec::new();
        for place in own.keys().chain(other.keys().filter(|place| !own.contains_key(place))) {
            match (own.get(place), other.get(place)) {
                (Some(_), None) => lines.push(format!("{place} is only in the first")),
                (None, Some(_)) => lines.push(format!("{place} is only in the second")),
                (own, other) if own != other => lines.push(format!("{place} differs")),
                _ => {}
            }
        }
        lines
    }
}

impl Mark {
    fn is_live(&self, now_ms: u64) -> bool {
        self.deadline.is_none_or(|deadline| now_ms < deadline)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Functions => formatter.write_str("a library of functions"),
            Self::Key(db, key) => write!(formatter, "key '{}' of {db}", key.escape_ascii()),
        }
    }
}

/// Adds the marks of an entry. `bytes` is room to work in.
fn mark_entry(db: usize, entry: EntryRef<'_>, bytes: &mut Vec<u8>, marks: &mut Vec<Mark>) {
    let deadline = entry.deadline();
    bytes.clear();
    put_number(db as u64, bytes);
    put_text(entry.key(), bytes);
    put_number(entry.kind() as u64, bytes);
    put_number(deadline.map_or(0, |deadline| deadline + 1), bytes);
    let mut add = |deadline, number| {
        marks.push(Mark { place: Place::Key(db, entry.key().into()), deadline, number });
    };
    let head = bytes.len();
    let mut digits = IntegerBuffer::new();
    match entry.kind() {
        Kind::String => put_text(entry.string().bytes(), bytes),
        Kind::Hash => {
            let mut sum = None;
            for (field, value, own_deadline) in hash::iter_timed(entry.form::<LargeHash>()) {
                bytes.truncate(head);
                put_text(field, bytes);
                put_text(value, bytes);
                put_number(own_deadline.map_or(0, |deadline| deadline + 1), bytes);
                let number = xxh3(bytes);
                match own_deadline {
                    Some(own) => add(Some(deadline.map_or(own, |all| own.min(all))), number),
                    None => sum = Some(sum.unwrap_or(0_u64).wrapping_add(number)),
                }
            }
            if let Some(sum) = sum {
                add(deadline, sum);
            }
            return;
        }
        Kind::List => {
            let elements = list::walk(entry.form::<LargeList>(), End::Head, 0, usize::MAX);
            elements.for_each(|element| put_text(element.bytes(&mut digits), bytes));
        }
        Kind::Set => {
            let members = set::iter(entry.form::<LargeSet>());
            let sum = members.fold(0, |sum: u64, member| {
                bytes.truncate(head);
                put_text(member.bytes(&mut digits), bytes);
                sum.wrapping_add(xxh3(bytes))
            });
            return add(deadline, sum);
        }
        Kind::SortedSet => {
            for item in sorted_set::all(entry.form::<LargeSortedSet>()) {
                put_text(item.member, bytes);
                put_number(item.score.to_bits(), bytes);
            }
        }
        Kind::Stream => put_stream(stream::look(entry.form::<Stream>()), bytes),
    }
    add(deadline, xxh3(bytes));
}

/// All of a stream but when its consumers were seen last.
fn put_stream(stream: &Stream, bytes: &mut Vec<u8>) {
    for entry in stream.log().range(Id::MIN, Id::MAX) {
        put_id(entry.id, bytes);
        entry.fields.each(|field, value| {
            put_text(field, bytes);
            put_text(value, bytes);
        });
    }
    put_id(stream.last_id(), bytes);
    put_id(stream.max_deleted_id(), bytes);
    put_number(stream.entries_added(), bytes);
    for (name, group) in stream.groups() {
        put_text(name, bytes);
        put_id(group.last_id, bytes);
        put_number(group.entries_read.map_or(0, |read| read + 1), bytes);
        for (id, pending) in group.pending_from(Id::MIN) {
            put_id(id, bytes);
            let owner = pending.owner().and_then(|owner| group.consumer(owner));
            put_text(owner.map_or(b"", |consumer| consumer.name()), bytes);
            put_number(pending.delivered_ms(), bytes);
            put_number(pending.count_after(), bytes);
        }
        let mut names: Vec<&[u8]> = group.consumers().map(|consumer| consumer.name()).collect();
        names.sort_unstable();
        names.into_iter().for_each(|name| put_text(name, bytes));
    }
}

fn put_text(text: &[u8], bytes: &mut Vec<u8>) {
    put_number(text.len() as u64, bytes);
    bytes.extend_from_slice(text);
}

fn put_number(number: u64, bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(&number.to_le_bytes());
}

fn put_id(id: Id, bytes: &mut Vec<u8>) {
    put_number(id.ms, bytes);
    put_number(id.seq, bytes);
}
