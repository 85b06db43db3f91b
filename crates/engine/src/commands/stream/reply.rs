//! Replies that show ids and entries.

use resp::Reply;
use store::types::stream::{Entry, Fields, Id};

/// An id.
pub(super) fn reply_id(reply: &mut Reply, id: Id) {
    reply.bulk(id.text(&mut [0; Id::TEXT_LEN_MAX]));
}

/// An entry: its id, and a list of its fields and values.
pub(super) fn reply_entry(reply: &mut Reply, entry: Entry<'_>) {
    reply.array(2);
    reply_id(reply, entry.id);
    reply_fields(reply, entry.fields);
}

pub(super) fn reply_fields(reply: &mut Reply, fields: Fields<'_>) {
    reply.array(fields.len() * 2);
    fields.each(|field, value| {
        reply.bulk(field);
        reply.bulk(value);
    });
}

/// A list of entries; returns how many.
pub(super) fn reply_entries<'a>(
    reply: &mut Reply,
    entries: impl Iterator<Item = Entry<'a>>,
) -> usize {
    let mark = reply.begin_array();
    let mut count = 0;
    for entry in entries {
        reply_entry(reply, entry);
        count += 1;
    }
    reply.finish_array(mark, count);
    count
}
