//! Replies that show a string value.

use resp::Reply;
use store::{EntryRef, StringRef};

/// Replies with a string value; a large one by reference, so that it is never copied.
#[inline]
pub(crate) fn reply_value(reply: &mut Reply, entry: EntryRef<'_>) {
    match entry.string() {
        StringRef::Inline(bytes) => reply.bulk(bytes),
        StringRef::Shared(bytes) => reply.bulk_shared(bytes),
    }
}

/// Replies with the string value, or null where there is none.
#[inline]
pub(crate) fn reply_optional(reply: &mut Reply, entry: Option<EntryRef<'_>>) {
    match entry {
        Some(entry) => reply_value(reply, entry),
        None => reply.null(),
    }
}
