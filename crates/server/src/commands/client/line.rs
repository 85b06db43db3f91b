//! One line of CLIENT LIST.

use crate::clients::record::{ClientRecord, flags};
use crate::clients::stream::Endpoint;
use engine::context::Origin;
use engine::dialect::Dialect;
use engine::pubsub::Topic;
use engine::{Ctx, Engine, Session};
use resp::Argv;
use std::fmt::Write;
use std::sync::atomic::Ordering::Relaxed;

/// Who looks at clients: its own line is as of now, the others' as of their last batch.
#[derive(Clone, Copy)]
pub(crate) struct Viewer<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) dialect: Dialect,
    pub(crate) session: &'a Session,
    pub(crate) argv: Argv<'a>,
    /// The name of what it calls.
    pub(crate) command: &'a str,
}

impl<'a> Viewer<'a> {
    /// The caller.
    pub(super) fn of(ctx: &'a Ctx<'_, '_>) -> Self {
        let command = match ctx.origin {
            Origin::Transaction => "exec",
            Origin::Client | Origin::Script => &*ctx.entry.full_name,
        };
        let dialect = ctx.settings.dialect;
        Self { engine: ctx.engine, dialect, session: &*ctx.session, argv: ctx.argv, command }
    }
}

/// Appends the line of a client.
pub(crate) fn write(text: &mut String, viewer: &Viewer<'_>, record: &ClientRecord) {
    let is_self = record.id == viewer.session.id;
    let is_valkey = viewer.dialect == Dialect::Valkey;
    let now_ns = viewer.engine.clock().now_ns();
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
    let queued = match (&viewer.session.transaction, is_self) {
        (Some(transaction), true) => transaction.calls.len() as i64,
        (None, true) => -1,
        _ => counts.queued.load(Relaxed),
    };
    let [channels, patterns, shard_channels] = subscriptions(viewer, record, is_self);
    let _ = write!(
        text,
        " db={} sub={channels} psub={patterns} ssub={shard_channels} multi={} watch={} qbuf={} qbuf-free={} argv-mem={} \
         multi-mem={} rbs={} rbp={} obl={} oll={} omem={} tot-mem={} events={} cmd={} user={} \
         redir={} resp={} lib-name={} lib-ver={}",
        if is_self { viewer.session.db as u32 } else { counts.db.load(Relaxed) },
        queued,
        if is_self { viewer.session.watched.len() as u32 } else { counts.watched.load(Relaxed) },
        counts.input_bytes.load(Relaxed),
        counts.input_bytes_free.load(Relaxed),
        if is_self { viewer.argv.iter().map(<[u8]>::len).sum() } else { 0 },
        counts.queued_bytes.load(Relaxed),
        0,
        0,
        0,
        counts.outbox_pieces.load(Relaxed),
        counts.outbox_bytes.load(Relaxed),
        counts.memory_bytes.load(Relaxed),
        if counts.flags.load(Relaxed) & flags::WRITING == 0 { "r" } else { "rw" },
        command_name(viewer, record, is_self),
        shown(&names.user),
        counts.redirect.load(Relaxed),
        if is_self { protocol(viewer) } else { counts.protocol.load(Relaxed) },
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
fn subscriptions(viewer: &Viewer<'_>, record: &ClientRecord, is_self: bool) -> [u32; 3] {
    if is_self {
        let own = viewer.session.subscriptions.as_ref();
        return [Topic::Channel, Topic::Pattern, Topic::ShardChannel]
            .map(|topic| own.map_or(0, |own| own.count(topic) as u32));
    }
    let counts = &record.counts;
    [&counts.channels, &counts.patterns, &counts.shard_channels].map(|count| count.load(Relaxed))
}

/// The letters of `flags=`; N stands for none.
pub(super) fn flag_letters(record: &ClientRecord) -> String {
    let is_unix = matches!(record.endpoint, Endpoint::Unix(_));
    let set = record.counts.flags.load(Relaxed) | if is_unix { flags::UNIX } else { 0 };
    let letters = [
        (flags::MONITOR, 'O'),
        (flags::PUBSUB, 'P'),
        (flags::MULTI, 'x'),
        (flags::BLOCKED, 'b'),
        (flags::TRACKING, 't'),
        (flags::TRACKING_BROKEN, 'R'),
        (flags::TRACKING_BROADCAST, 'B'),
        (flags::DIRTY, 'd'),
        (flags::CLOSING, 'c'),
        (flags::UNIX, 'U'),
        (flags::NO_EVICT, 'e'),
        (flags::NO_TOUCH, 'T'),
    ];
    let shown: String =
        letters.iter().filter(|(flag, _)| set & flag != 0).map(|(_, letter)| *letter).collect();
    if shown.is_empty() { "N".to_owned() } else { shown }
}

fn command_name(viewer: &Viewer<'_>, record: &ClientRecord, is_self: bool) -> String {
    if is_self {
        return viewer.command.to_owned();
    }
    let number = record.counts.command.load(Relaxed) as usize;
    let entry = viewer.engine.table.all().find(|entry| entry.id + 1 == number);
    entry.map_or_else(|| "NULL".to_owned(), |entry| entry.full_name.to_string())
}

fn protocol(viewer: &Viewer<'_>) -> u32 {
    match viewer.session.protocol {
        resp::Protocol::Resp2 => 2,
        resp::Protocol::Resp3 => 3,
    }
}
