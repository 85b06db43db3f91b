//! One line of CLIENT LIST.

use crate::clients::record::{ClientRecord, flags};
use engine::Ctx;
use engine::context::Origin;
use engine::dialect::Dialect;
use engine::pubsub::Topic;
use std::fmt::Write;
use std::sync::atomic::Ordering::Relaxed;

/// Appends the line of a client.
pub(super) fn write(text: &mut String, ctx: &Ctx<'_, '_>, record: &ClientRecord) {
    let is_self = record.id == ctx.session.id;
    let is_valkey = ctx.settings.dialect == Dialect::Valkey;
    let now_ns = ctx.engine.clock().now_ns();
    let names = record.names.lock().clone();
    let counts = &record.counts;
    let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let _ = write!(
        text,
        "id={} addr={} laddr={} fd={} name={} age={} idle={} flags={}",
        record.id,
        record.endpoint.peer(),
        record.endpoint.local(),
        record.descriptor,
        shown(&names.name),
        now_ns.saturating_sub(record.created_ns) / 1_000_000_000,
        if is_self { 0 } else { record.idle_ns(now_ns) / 1_000_000_000 },
        flag_letters(record),
    );
    if is_valkey {
        let has_redirect = counts.flags.load(Relaxed) & flags::CAPA_REDIRECT != 0;
        let _ = write!(text, " capa={}", if has_redirect { "r" } else { "" });
    }
    let queued = match (&ctx.session.transaction, is_self) {
        (Some(transaction), true) => transaction.calls.len() as i64,
        (None, true) => -1,
        _ => counts.queued.load(Relaxed),
    };
    let [channels, patterns, shard_channels] = subscriptions(ctx, record, is_self);
    let _ = write!(
        text,
        " db={} sub={channels} psub={patterns} ssub={shard_channels} multi={} watch={} qbuf={} qbuf-free={} argv-mem={} \
         multi-mem={} rbs={} rbp={} obl={} oll={} omem={} tot-mem={} events={} cmd={} user={} \
         redir={} resp={} lib-name={} lib-ver={}",
        if is_self { ctx.session.db as u32 } else { counts.db.load(Relaxed) },
        queued,
        if is_self { ctx.session.watched.len() as u32 } else { counts.watched.load(Relaxed) },
        counts.input_bytes.load(Relaxed),
        counts.input_bytes_free.load(Relaxed),
        if is_self { ctx.argv.iter().map(<[u8]>::len).sum() } else { 0 },
        counts.queued_bytes.load(Relaxed),
        0,
        0,
        0,
        counts.outbox_pieces.load(Relaxed),
        counts.outbox_bytes.load(Relaxed),
        counts.memory_bytes.load(Relaxed),
        if counts.flags.load(Relaxed) & flags::WRITING == 0 { "r" } else { "rw" },
        command_name(ctx, record, is_self),
        shown(&names.user),
        counts.redirect.load(Relaxed),
        if is_self { protocol(ctx) } else { counts.protocol.load(Relaxed) },
        shown(&names.library),
        shown(&names.library_version),
    );
    if !is_valkey {
        let _ = write!(text, " io-thread={}", counts.thread.load(Relaxed));
    }
    let _ = writeln!(
        text,
        " tot-net-in={} tot-net-out={} tot-cmds={}",
        counts.bytes_read.load(Relaxed),
        counts.bytes_written.load(Relaxed),
        counts.commands.load(Relaxed),
    );
}

/// How many channels, patterns and shard channels a client has subscribed to.
fn subscriptions(ctx: &Ctx<'_, '_>, record: &ClientRecord, is_self: bool) -> [u32; 3] {
    if is_self {
        let own = ctx.session.subscriptions.as_ref();
        return [Topic::Channel, Topic::Pattern, Topic::ShardChannel]
            .map(|topic| own.map_or(0, |own| own.count(topic) as u32));
    }
    let counts = &record.counts;
    [&counts.channels, &counts.patterns, &counts.shard_channels].map(|count| count.load(Relaxed))
}

/// The letters of `flags=`; N stands for none.
pub(super) fn flag_letters(record: &ClientRecord) -> String {
    let set = record.counts.flags.load(Relaxed);
    let letters = [
        (flags::MONITOR, 'O'),
        (flags::PUBSUB, 'P'),
        (flags::MULTI, 'x'),
        (flags::BLOCKED, 'b'),
        (flags::DIRTY, 'd'),
        (flags::CLOSING, 'c'),
        (flags::NO_TOUCH, 'T'),
    ];
    let shown: String =
        letters.iter().filter(|(flag, _)| set & flag != 0).map(|(_, letter)| *letter).collect();
    let is_spared = record.counts.flags.load(Relaxed) & flags::NO_EVICT != 0;
    let shown = if is_spared { format!("{shown}e") } else { shown };
    let is_unix = matches!(record.endpoint, crate::clients::stream::Endpoint::Unix(_));
    let shown = if is_unix { format!("U{shown}") } else { shown };
    if shown.is_empty() { "N".to_owned() } else { shown }
}

fn command_name(ctx: &Ctx<'_, '_>, record: &ClientRecord, is_self: bool) -> String {
    if is_self {
        return match ctx.origin {
            Origin::Transaction => "exec".to_owned(),
            Origin::Client | Origin::Script => ctx.entry.full_name.to_string(),
        };
    }
    let number = record.counts.command.load(Relaxed) as usize;
    let entry = ctx.engine.table.all().find(|entry| entry.id + 1 == number);
    entry.map_or_else(|| "NULL".to_owned(), |entry| entry.full_name.to_string())
}

fn protocol(ctx: &Ctx<'_, '_>) -> u32 {
    match ctx.session.protocol {
        resp::Protocol::Resp2 => 2,
        resp::Protocol::Resp3 => 3,
    }
}
