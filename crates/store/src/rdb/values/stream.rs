//! The forms of streams: their nodes, what was used and deleted, their groups, their producers.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};

use super::super::types::TypeCode;
use super::super::value::{Plan, Rules};
use super::super::{RdbError, Reader, Target, Version, Writer};
use super::stream_node;
use crate::layout::home::Form;
use crate::types::stream::{self, COUNT_MAX, ConsumerNumber, Group, Id, Stream};

/// What stands where a number is not known.
const UNKNOWN: u64 = u64::MAX;
/// Bounds of what a stream can be told to remember of its producers.
const DURATION_S_MAX: u64 = 86_400;
const IIDS_MAX: u64 = 10_000;
/// The consumer that gets what was given back, where a target knows no such thing.
const NOBODY: &[u8] = b"";

/// Reads a stream; `number` says in which of its forms.
pub(in super::super) fn read<R: Read>(
    reader: &mut Reader<R>,
    number: u8,
    rules: &Rules<'_>,
) -> Result<Stream, RdbError> {
    let mut stream = Stream::new();
    let mut bytes = Vec::new();
    for _ in 0..reader.length()? {
        reader.string(&mut bytes)?;
        let first = bytes.as_slice().try_into().map(raw_id);
        let first = first.map_err(|_| RdbError::Corrupt("the id of a node"))?;
        reader.string(&mut bytes)?;
        stream_node::read(&bytes, first, &mut stream, rules.limits.stream)?;
    }
    read_counts(reader, number, &mut stream)?;
    for _ in 0..reader.length()? {
        reader.string(&mut bytes)?;
        let last_id = read_id(reader)?;
        let entries_read = match number {
            1 => UNKNOWN,
            _ => reader.length()?,
        };
        let entries_read = match entries_read {
            UNKNOWN => None,
            count => Some(count).filter(|count| *count <= COUNT_MAX),
        };
        if !stream.create_group(&bytes, last_id, entries_read) {
            return Err(RdbError::Corrupt("a group comes twice"));
        }
        let group = stream.group_mut(&bytes).ok_or(RdbError::Corrupt("a group"))?;
        read_group(reader, number, group)?;
    }
    if 5 <= number {
        stream.know_nacks();
    }
    if 4 <= number {
        read_producers(reader, &mut stream, rules.now_ms)?;
    }
    Ok(stream)
}

/// Reads what was used and deleted, and sees whether it can be true of the entries.
fn read_counts<R: Read>(
    reader: &mut Reader<R>,
    number: u8,
    stream: &mut Stream,
) -> Result<(), RdbError> {
    let len = reader.length()?;
    if len != stream.log().len() {
        return Err(RdbError::Corrupt("the number of entries of a stream"));
    }
    let last_id = read_id(reader)?;
    let (mut max_deleted_id, mut added) = (Id::MIN, len);
    if 2 <= number {
        let _first = read_id(reader)?;
        max_deleted_id = read_id(reader)?;
        added = reader.length()?;
    }
    if last_id < stream.last_id() || added < len || COUNT_MAX < added {
        return Err(RdbError::Corrupt("what a stream says of its entries"));
    }
    stream.set_id(last_id, Some(added), Some(max_deleted_id));
    Ok(())
}

/// An entry that is pending, and nobody's so far.
struct Unowned {
    id: Id,
    delivered_ms: u64,
    count: u64,
}

fn read_group<R: Read>(
    reader: &mut Reader<R>,
    number: u8,
    group: &mut Group,
) -> Result<(), RdbError> {
    let mut unowned: Vec<Option<Unowned>> = Vec::new();
    let mut ids: Vec<Id> = Vec::new();
    for _ in 0..reader.length()? {
        let id = raw_id(reader.array()?);
        let delivered_ms = reader.milliseconds()?;
        let count = reader.length()?.min(COUNT_MAX);
        if ids.last().is_some_and(|last| id <= *last) {
            return Err(RdbError::Corrupt("the order of pending entries"));
        }
        ids.push(id);
        unowned.push(Some(Unowned { id, delivered_ms, count }));
    }
    let mut take = |id: Id| {
        let place = ids.binary_search(&id).ok()?;
        unowned.get_mut(place)?.take()
    };
    let mut name = Vec::new();
    for _ in 0..reader.length()? {
        reader.string(&mut name)?;
        let seen_ms = reader.milliseconds()?;
        let active_ms = match number {
            1 | 2 => seen_ms,
            _ => reader.milliseconds()?,
        };
        let (consumer, is_new) = group.create_consumer(&name, seen_ms);
        let found = group.consumer_mut(consumer).filter(|_| is_new);
        let found = found.ok_or(RdbError::Corrupt("a consumer comes twice"))?;
        found.active_ms = (active_ms != UNKNOWN).then_some(active_ms);
        for _ in 0..reader.length()? {
            let pending = take(raw_id(reader.array()?)).ok_or(WRONG_OWNER)?;
            group.assign(pending.id, consumer, pending.delivered_ms, pending.count);
        }
    }
    if 5 <= number {
        for _ in 0..reader.length()? {
            let pending = take(raw_id(reader.array()?)).ok_or(WRONG_OWNER)?;
            group.give_back(pending.id, pending.count);
        }
    }
    if unowned.iter().any(Option::is_some) { Err(WRONG_OWNER) } else { Ok(()) }
}

const WRONG_OWNER: RdbError = RdbError::Corrupt("whose a pending entry is");

fn read_producers<R: Read>(
    reader: &mut Reader<R>,
    stream: &mut Stream,
    now_ms: u64,
) -> Result<(), RdbError> {
    let (duration_s, iids_max) = (reader.length()?, reader.length()?);
    if !(1..=DURATION_S_MAX).contains(&duration_s) || !(1..=IIDS_MAX).contains(&iids_max) {
        return Err(RdbError::Corrupt("what a stream remembers of its producers"));
    }
    let producers = stream.producers_mut();
    producers.configure(Some(duration_s as u32), Some(iids_max as u32));
    let (mut name, mut iid) = (Vec::new(), Vec::new());
    for _ in 0..reader.length()? {
        reader.string(&mut name)?;
        for _ in 0..reader.length()? {
            reader.string(&mut iid)?;
            let id = read_id(reader)?;
            // When it was sent is not written; ids begin with their time, as a rule.
            producers.remember(&name, &iid, id, id.ms.min(now_ms));
        }
    }
    producers.set_counts(reader.length()?, reader.length()?);
    Ok(())
}

/// How to write a stream.
pub(in super::super) fn plan(form: Form<'_, Stream>, target: &Target) -> Plan {
    let stream = stream::look(form);
    let has_nacks = stream.groups().any(|(_, group)| group.unowned_len() != 0);
    // When a consumer was active is not worth it that older servers cannot read the stream.
    let has_activity = target.version.is_some();
    let wanted = [
        (has_nacks, 5, Version::STREAM_NACKS),
        (stream.producers().is_some(), 4, Version::STREAM_PRODUCERS),
        (has_activity, 3, Version::STREAM_ACTIVITY),
        (true, 2, Version::STREAM_COUNTS),
    ];
    let found =
        wanted.into_iter().find(|(is_wanted, _, version)| *is_wanted && target.has(*version));
    let (number, version) =
        found.map_or((1, Version::OLDEST), |(_, number, version)| (number, version));
    Plan { type_code: TypeCode::Stream(number), version }
}

/// Writes a stream.
pub(in super::super) fn write<W: Write>(
    writer: &mut Writer<W>,
    form: Form<'_, Stream>,
    type_code: TypeCode,
) -> io::Result<()> {
    let stream = stream::look(form);
    let TypeCode::Stream(number) = type_code else {
        return Err(io::Error::other("a stream is written as a stream"));
    };
    stream_node::write_all(writer, stream)?;
    writer.length(stream.log().len())?;
    write_id(writer, stream.last_id())?;
    if 2 <= number {
        write_id(writer, stream.first_id())?;
        write_id(writer, stream.max_deleted_id())?;
        writer.length(stream.entries_added())?;
    }
    writer.count(stream.groups_len())?;
    for (name, group) in stream.groups() {
        writer.string(name)?;
        write_id(writer, group.last_id)?;
        if 2 <= number {
            writer.length(group.entries_read.unwrap_or(UNKNOWN))?;
        }
        write_group(writer, number, group)?;
    }
    if 4 <= number { write_producers(writer, stream) } else { Ok(()) }
}

fn write_group<W: Write>(writer: &mut Writer<W>, number: u8, group: &Group) -> io::Result<()> {
    writer.count(group.pending_len())?;
    for (id, pending) in group.pending_from(Id::MIN) {
        write_raw_id(writer, id)?;
        writer.milliseconds(pending.delivered_ms())?;
        writer.length(pending.count)?;
    }
    let mut nacks: Vec<(u64, Id)> = Vec::new();
    if group.unowned_len() != 0 {
        let pending = group.pending_from(Id::MIN);
        nacks.extend(pending.filter_map(|(id, pending)| Some((pending.nack_number()?, id))));
        nacks.sort_unstable();
    }
    let nobody = if nacks.is_empty() || 5 <= number { None } else { Some(NOBODY) };
    // Somebody may have the name of nobody.
    let is_missing = nobody.is_some_and(|name| group.consumer_number(name).is_none());
    writer.count(group.consumers_len() + usize::from(is_missing))?;
    for consumer in group.consumers() {
        let owned = group.consumer_number(consumer.name());
        let given_back = if nobody == Some(consumer.name()) { &nacks[..] } else { &[] };
        let times = (consumer.seen_ms, consumer.active_ms);
        write_consumer(writer, number, (consumer.name(), times), (group, owned), given_back)?;
    }
    if is_missing {
        write_consumer(writer, number, (NOBODY, (0, None)), (group, None), &nacks)?;
    }
    if 5 <= number {
        writer.count(nacks.len())?;
        nacks.iter().try_for_each(|(_, id)| write_raw_id(writer, *id))?;
    }
    Ok(())
}

type Times = (u64, Option<u64>);

fn write_consumer<W: Write>(
    writer: &mut Writer<W>,
    number: u8,
    (name, (seen_ms, active_ms)): (&[u8], Times),
    (group, consumer): (&Group, Option<ConsumerNumber>),
    given_back: &[(u64, Id)],
) -> io::Result<()> {
    writer.string(name)?;
    writer.milliseconds(seen_ms)?;
    if 3 <= number {
        writer.milliseconds(active_ms.unwrap_or(UNKNOWN))?;
    }
    let owned = consumer.into_iter().flat_map(|consumer| group.pending_of(consumer, Id::MIN));
    let ids: BTreeSet<Id> =
        owned.map(|(id, _)| id).chain(given_back.iter().map(|(_, id)| *id)).collect();
    writer.count(ids.len())?;
    ids.into_iter().try_for_each(|id| write_raw_id(writer, id))
}

fn write_producers<W: Write>(writer: &mut Writer<W>, stream: &Stream) -> io::Result<()> {
    let none = stream::Producers::default();
    let producers = stream.producers().unwrap_or(&none);
    writer.length(u64::from(producers.duration_s()))?;
    writer.length(u64::from(producers.iids_max()))?;
    writer.count(producers.len())?;
    producers.each(|name, sent| {
        writer.string(name)?;
        writer.count(sent.len())?;
        for (iid, id) in sent {
            writer.string(iid)?;
            write_id(writer, id)?;
        }
        Ok::<(), io::Error>(())
    })?;
    writer.length(producers.added())?;
    writer.length(producers.duplicates())
}

fn read_id<R: Read>(reader: &mut Reader<R>) -> Result<Id, RdbError> {
    Ok(Id::new(reader.length()?, reader.length()?))
}

fn write_id<W: Write>(writer: &mut Writer<W>, id: Id) -> io::Result<()> {
    writer.length(id.ms)?;
    writer.length(id.seq)
}

/// An id in sixteen bytes, the highest first.
fn raw_id(bytes: [u8; 16]) -> Id {
    let whole = u128::from_be_bytes(bytes);
    Id::new((whole >> 64) as u64, whole as u64)
}

fn write_raw_id<W: Write>(writer: &mut Writer<W>, id: Id) -> io::Result<()> {
    writer.bytes(&id.ms.to_be_bytes())?;
    writer.bytes(&id.seq.to_be_bytes())
}
