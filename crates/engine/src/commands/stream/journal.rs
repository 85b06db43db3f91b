//! How changes of streams stand in the journal, where the call itself would not do the same again: ids that
//! the clock gave, trimming that follows the layout, and who was given which entries.

use crate::context::Ctx;
use store::Key;
use store::types::stream::{self, Id, References, Stream};

/// An entry was added: the call with this id, and without its trimming. `once` is what makes sure that it is
/// not added twice; its fields begin at argument `first`.
pub(super) fn added(ctx: &mut Ctx<'_, '_>, id: Id, once: &[&[u8]], first: usize) {
    if !ctx.data.recorder.is_on() {
        return;
    }
    let id = id.to_string();
    let mut words = vec![&b"XADD"[..], ctx.argv.at(1)];
    words.extend(once);
    words.push(id.as_bytes());
    words.extend(ctx.argv.iter().skip(first));
    ctx.journal_as(&words);
}

/// Entries were trimmed away. Those that go are the first ones, whatever the rule, unless some are kept
/// because they are not acknowledged: then the rule itself stands there, in `exact`.
pub(super) fn trimmed(
    ctx: &mut Ctx<'_, '_>,
    key: Key<'_>,
    references: References,
    exact: &[&[u8]],
) {
    if !ctx.data.recorder.is_on() {
        return;
    }
    let form = ctx.data.view_as::<Stream>(key);
    let first = form.and_then(|form| stream::look(form).log().first().map(|entry| entry.id));
    let first = first.map(|id| id.to_string());
    let mut words = vec![&b"XTRIM"[..], key.bytes];
    match (&first, references) {
        (_, References::Acknowledged) => words.extend(exact),
        (Some(first), _) => words.extend([&b"MINID"[..], b"=", first.as_bytes()]),
        (None, _) => words.extend([&b"MAXLEN"[..], b"=", b"0"]),
    }
    match references {
        References::Acknowledged => words.push(b"ACKED"),
        References::Delete => words.push(b"DELREF"),
        References::Keep => {}
    }
    ctx.journal_as(&words);
}

/// A consumer has these entries pending now.
pub(super) fn assigned(
    ctx: &mut Ctx<'_, '_>,
    key: Key<'_>,
    group: &[u8],
    consumer: &[u8],
    ids: &[Id],
) {
    if !ctx.data.recorder.is_on() {
        return;
    }
    for id in ids {
        let form = ctx.data.view_as::<Stream>(key);
        let Some(own) = form.and_then(|form| stream::look(form).group(group)) else { return };
        let Some(pending) = own.pending(*id) else { continue };
        let [id, last_id] = [*id, own.last_id].map(|id| id.to_string());
        let [time, count] = [pending.delivered_ms(), pending.count].map(|n| n.to_string());
        ctx.journal_as(&[
            b"XCLAIM",
            key.bytes,
            group,
            consumer,
            b"0",
            id.as_bytes(),
            b"TIME",
            time.as_bytes(),
            b"RETRYCOUNT",
            count.as_bytes(),
            b"FORCE",
            b"JUSTID",
            b"LASTID",
            last_id.as_bytes(),
        ]);
    }
}

/// Entries that are gone are no longer pending.
pub(super) fn acknowledged(ctx: &mut Ctx<'_, '_>, key: Key<'_>, group: &[u8], ids: &[Id]) {
    if ids.is_empty() {
        return;
    }
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let mut words = vec![&b"XACK"[..], key.bytes, group];
    words.extend(ids.iter().map(|id| id.as_bytes()));
    ctx.journal_as(&words);
}

/// A group has got on.
pub(super) fn read_on(ctx: &mut Ctx<'_, '_>, key: Key<'_>, group: &[u8]) {
    if !ctx.data.recorder.is_on() {
        return;
    }
    let form = ctx.data.view_as::<Stream>(key);
    let Some(own) = form.and_then(|form| stream::look(form).group(group)) else { return };
    let last_id = own.last_id.to_string();
    let count = own.entries_read.map(|count| count.to_string());
    let mut words = vec![&b"XGROUP"[..], b"SETID", key.bytes, group, last_id.as_bytes()];
    if let Some(count) = &count {
        words.extend([&b"ENTRIESREAD"[..], count.as_bytes()]);
    }
    ctx.journal_as(&words);
}

/// A consumer was made by the way.
pub(super) fn consumer_made(ctx: &mut Ctx<'_, '_>, key: Key<'_>, group: &[u8], consumer: &[u8]) {
    ctx.journal_as(&[&b"XGROUP"[..], b"CREATECONSUMER", key.bytes, group, consumer]);
}
