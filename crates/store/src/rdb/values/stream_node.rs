//! A node of a stream: entries in a listpack.
//!
//! ```text
//! | entries | deleted | fields | field | … | 0 |                      the fields of the first entry
//!
//! entry = | flags | ms | seq | fields | field | value | … | items |   ms, seq: distance from the
//!                            | value | value | … | items |             node's id
//! ```
//!
//! The flag 1 says that an entry is deleted, the flag 2 that its fields are those of the node. At
//! its end stands how many items it takes, itself not counted.

use std::io::{self, Write};
use std::ops::Range;

use base::numbers::IntegerBuffer;

use super::super::packed::{Item, Listpack, ListpackBuilder};
use super::super::{RdbError, Writer};
use crate::types::limits::StreamLimits;
use crate::types::stream::{Entry, Id, Stream};

const DELETED: i64 = 1;
const SAME_FIELDS: i64 = 2;
/// Flags, two parts of the id.
const HEAD_ITEMS: i64 = 3;

/// A node that is written has so many bytes or little more, and at most so many entries.
const NODE_BYTES_MAX: usize = 4096;
const NODE_ENTRIES_MAX: usize = 100;
/// A node's fields are kept once; in memory they are there once for each run of entries. They
/// may not become more than so many times the bytes that were read.
const EXPANSION_MAX: usize = 16;

/// Texts, one after the other.
#[derive(Default)]
struct Texts {
    bytes: Vec<u8>,
    places: Vec<Range<usize>>,
}

impl Texts {
    fn clear(&mut self) {
        self.bytes.clear();
        self.places.clear();
    }

    fn push(&mut self, item: Item<'_>) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(item.text(&mut IntegerBuffer::new()));
        self.places.push(start..self.bytes.len());
    }

    fn at(&self, index: usize) -> &[u8] {
        &self.bytes[self.places[index].clone()]
    }
}

/// Adds the entries of a node to a stream.
pub(super) fn read(
    bytes: &[u8],
    first: Id,
    stream: &mut Stream,
    limits: StreamLimits,
) -> Result<(), RdbError> {
    let mut items = Listpack::new(bytes)?;
    let (live, deleted) = (items.integer()?, items.integer()?);
    let (mut master, mut texts) = (Texts::default(), Texts::default());
    for _ in 0..items.integer()? {
        master.push(items.required()?);
    }
    if items.integer()? != 0 {
        return Err(WRONG);
    }
    let limits = fit(limits, master.bytes.len());
    let is_short = limits.node_bytes_max <= NODE_BYTES_MAX.max(bytes.len());
    let (mut found_live, mut found_deleted) = (0, 0);
    while items.clone().next().is_some() {
        texts.clear();
        let flags = items.integer()?;
        let (ms, seq) = (items.integer()?, items.integer()?);
        let id = Id::new(first.ms.wrapping_add(ms as u64), first.seq.wrapping_add(seq as u64));
        let has_own_fields = flags & SAME_FIELDS == 0;
        let count = match has_own_fields {
            true => items.integer()?,
            false => master.places.len() as i64,
        };
        let values = if has_own_fields { count.checked_mul(2).ok_or(WRONG)? } else { count };
        if count <= 0 {
            return Err(WRONG);
        }
        for _ in 0..values {
            texts.push(items.required()?);
        }
        if items.integer()? != HEAD_ITEMS + values + i64::from(has_own_fields) {
            return Err(WRONG);
        }
        if flags & DELETED != 0 {
            found_deleted += 1;
            continue;
        }
        found_live += 1;
        let repeated = master.bytes.len().saturating_mul(found_live as usize);
        if id <= stream.last_id() || !is_short && EXPANSION_MAX * bytes.len() < repeated {
            return Err(WRONG);
        }
        let pairs = (0..count as usize).map(|index| match has_own_fields {
            true => (texts.at(2 * index), texts.at(2 * index + 1)),
            false => (master.at(index), texts.at(index)),
        });
        stream.append(id, pairs, limits);
    }
    if (live, deleted) == (found_live, found_deleted) { Ok(()) } else { Err(WRONG) }
}

const WRONG: RdbError = RdbError::Corrupt("a node of a stream");

/// Limits with which a run of entries has about as many bytes of its own as the fields that it
/// shares.
fn fit(limits: StreamLimits, shared_len: usize) -> StreamLimits {
    let raise = |limit: usize, least| if limit == 0 { 0 } else { limit.max(least) };
    StreamLimits {
        node_bytes_max: raise(limits.node_bytes_max, 2 * shared_len),
        node_entries_max: raise(limits.node_entries_max, shared_len / 4),
    }
}

/// Writes the number of nodes, and the nodes.
pub(super) fn write_all<W: Write>(writer: &mut Writer<W>, stream: &Stream) -> io::Result<()> {
    let mut nodes = 0;
    each_node(stream, |_| {
        nodes += 1;
        Ok(())
    })?;
    writer.count(nodes)?;
    let mut builder = ListpackBuilder::default();
    each_node(stream, |entries| write(writer, &mut builder, entries))
}

/// Visits the entries node by node.
fn each_node<'s>(
    stream: &'s Stream,
    mut visit: impl FnMut(&[Entry<'s>]) -> io::Result<()>,
) -> io::Result<()> {
    let (mut entries, mut bytes) = (Vec::new(), 0);
    for entry in stream.log().range(Id::MIN, Id::MAX) {
        let len =
            entry.fields.map(|(field, value)| item_len(field) + item_len(value)).sum::<usize>();
        let is_full = NODE_BYTES_MAX < bytes + len || entries.len() == NODE_ENTRIES_MAX;
        if is_full && !entries.is_empty() {
            visit(&entries)?;
            entries.clear();
            bytes = 0;
        }
        bytes += len;
        entries.push(entry);
    }
    if entries.is_empty() { Ok(()) } else { visit(&entries) }
}

fn item_len(item: Item<'_>) -> usize {
    match item {
        Item::Bytes(bytes) => bytes.len(),
        Item::Integer(_) => size_of::<i64>(),
    }
}

fn write<W: Write>(
    writer: &mut Writer<W>,
    builder: &mut ListpackBuilder,
    entries: &[Entry<'_>],
) -> io::Result<()> {
    let Some(first) = entries.first() else { return Ok(()) };
    let push = |builder: &mut ListpackBuilder, item: Item<'_>| match item {
        Item::Bytes(bytes) => builder.bytes(bytes),
        Item::Integer(integer) => builder.integer(integer),
    };
    builder.integer(entries.len() as i64);
    builder.integer(0);
    builder.integer(first.fields.len() as i64);
    first.fields.for_each(|(field, _)| push(builder, field));
    builder.integer(0);
    for entry in entries {
        let mut pairs = first.fields.zip(entry.fields);
        let has_own_fields = first.fields.len() != entry.fields.len()
            || pairs.any(|((field, _), (other, _))| field != other);
        builder.integer(if has_own_fields { 0 } else { SAME_FIELDS });
        builder.integer(entry.id.ms.wrapping_sub(first.id.ms) as i64);
        builder.integer(entry.id.seq.wrapping_sub(first.id.seq) as i64);
        let count = entry.fields.len() as i64;
        if has_own_fields {
            builder.integer(count);
        }
        for (field, value) in entry.fields {
            if has_own_fields {
                push(builder, field);
            }
            push(builder, value);
        }
        let values = if has_own_fields { 2 * count + 1 } else { count };
        builder.integer(HEAD_ITEMS + values);
    }
    let id = [first.id.ms.to_be_bytes(), first.id.seq.to_be_bytes()].concat();
    writer.count(id.len())?;
    writer.bytes(&id)?;
    writer.string(&builder.finish())
}
