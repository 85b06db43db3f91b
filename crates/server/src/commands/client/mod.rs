//! CLIENT: what a connection says of itself, and what it learns of and does to others.

mod filter;
pub(crate) mod line;
mod tracking;

use super::{host, own_record, reply_help};
use crate::clients::record::flags;
use engine::args::{self, Args, is_word};
use engine::command::{Categories, Flags, Group, Origin, Outcome};
use engine::pause::Paused;
use engine::session::Replies;
use engine::{Command, CommandError, Ctx, Reach};
use filter::Filter;
use line::Viewer;
use std::sync::atomic::Ordering::Relaxed;

const ROW: Command = Command {
    group: Group::Connection,
    acl: Categories::CONNECTION,
    flags: ANYTIME,
    ..Command::NEW
};
const ANYTIME: Flags =
    Flags::NOSCRIPT.with(Flags::LOADING).with(Flags::STALE).with(Flags::ALLOW_BUSY).with(OURS);
const SHOWING: Flags = Flags::NOSCRIPT.with(Flags::LOADING).with(Flags::STALE).with(OURS);
const HELPING: Flags = Flags::LOADING.with(Flags::STALE).with(OURS);
const OURS: Flags = Flags::UNPAUSED.with(Flags::KEEPS_CACHING);

pub(crate) const COMMANDS: &[Command] = &[Command {
    name: "client",
    arity: -2,
    flags: Flags::NONE,
    acl: Categories::NONE,
    since: "2.4.0",
    subcommands: SUBCOMMANDS,
    ..ROW
}];

const SUBCOMMANDS: &[Command] = &[
    Command { name: "caching", arity: 3, since: "6.0.0", run: tracking::caching, ..ROW },
    Command { name: "capa", arity: -3, since: "8.0.0", origin: Origin::Valkey, run: capa, ..ROW },
    Command { name: "getname", arity: 2, since: "2.6.9", run: getname, ..ROW },
    Command { name: "getredir", arity: 2, since: "6.0.0", run: tracking::getredir, ..ROW },
    Command { name: "help", arity: 2, flags: HELPING, since: "5.0.0", run: help, ..ROW },
    Command { name: "id", arity: 2, since: "5.0.0", run: id, ..ROW },
    Command {
        name: "import-source",
        arity: 3,
        flags: SHOWING,
        since: "8.1.0",
        origin: Origin::Valkey,
        run: import_source,
        ..ROW
    },
    Command { name: "info", arity: 2, flags: SHOWING, since: "6.2.0", run: info, ..ROW },
    Command {
        name: "kill",
        arity: -3,
        flags: SHOWING.with(Flags::ADMIN),
        since: "2.4.0",
        run: kill,
        ..ROW
    },
    Command {
        name: "list",
        arity: -2,
        flags: SHOWING.with(Flags::ADMIN),
        since: "2.4.0",
        run: list,
        ..ROW
    },
    Command {
        name: "no-evict",
        arity: 3,
        flags: ANYTIME.with(Flags::ADMIN),
        since: "7.0.0",
        run: no_evict,
        ..ROW
    },
    Command { name: "no-touch", arity: 3, since: "7.2.0", run: no_touch, ..ROW },
    Command {
        name: "pause",
        arity: -3,
        flags: SHOWING.with(Flags::ADMIN),
        reach: Reach::All,
        since: "3.0.0",
        run: pause,
        ..ROW
    },
    Command {
        name: "reply",
        arity: 3,
        flags: ANYTIME.with(Flags::NO_MULTI_VALKEY),
        since: "3.2.0",
        run: reply,
        ..ROW
    },
    Command { name: "setinfo", arity: 4, since: "7.2.0", run: setinfo, ..ROW },
    Command { name: "setname", arity: 3, since: "2.6.9", run: setname, ..ROW },
    Command {
        name: "tracking",
        arity: -3,
        flags: SHOWING,
        since: "6.0.0",
        run: tracking::tracking,
        ..ROW
    },
    Command {
        name: "trackinginfo",
        arity: 2,
        flags: SHOWING,
        since: "6.2.0",
        run: tracking::trackinginfo,
        ..ROW
    },
    Command {
        name: "unblock",
        arity: -3,
        flags: SHOWING.with(Flags::ADMIN),
        since: "5.0.0",
        run: unblock,
        ..ROW
    },
    Command {
        name: "unpause",
        arity: 2,
        flags: SHOWING.with(Flags::ADMIN),
        reach: Reach::All,
        since: "6.2.0",
        run: unpause,
        ..ROW
    },
];

/// `CLIENT CAPA capability [capability …]` → OK; unknown ones are ignored.
fn capa(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let record = own_record(ctx)?;
    if ctx.argv.iter().skip(2).any(|word| is_word(word, "redirect")) {
        record.counts.flags.fetch_or(flags::CAPA_REDIRECT, Relaxed);
    }
    ctx.reply.ok();
    Ok(())
}

/// `CLIENT GETNAME` → the connection's name, or null.
fn getname(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let record = own_record(ctx)?;
    let names = record.names.lock();
    if names.name.is_empty() {
        ctx.reply.null()
    } else {
        ctx.reply.bulk(&names.name)
    }
    Ok(())
}

/// `CLIENT HELP` → the subcommands.
fn help(ctx: &mut Ctx<'_, '_>) -> Outcome {
    reply_help(ctx.reply, HELP);
    Ok(())
}

/// `CLIENT ID` → the connection's number.
fn id(ctx: &mut Ctx<'_, '_>) -> Outcome {
    ctx.reply.integer(ctx.session.id as i64);
    Ok(())
}

/// `CLIENT IMPORT-SOURCE ON | OFF` → OK to OFF, else an error: the server is in no import mode.
fn import_source(ctx: &mut Ctx<'_, '_>) -> Outcome {
    if !args::is_word(ctx.argv.at(2), "off") {
        return Err(CommandError::ImportModeOff);
    }
    ctx.reply.ok();
    Ok(())
}

/// `CLIENT INFO` → the line of CLIENT LIST for this connection.
fn info(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let record = own_record(ctx)?;
    let mut text = String::new();
    line::write(&mut text, &Viewer::of(ctx), &record);
    ctx.reply.verbatim("txt", text.as_bytes());
    Ok(())
}

/// `CLIENT KILL addr:port | filter value [filter value …]` → OK, or how many were closed.
fn kill(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let host = host(ctx)?;
    if ctx.argv.len() == 3 {
        let address = ctx.argv.at(2);
        let is_meant = |peer: String| peer.as_bytes() == address;
        let records = host.registry.all();
        let found = records.iter().find(|record| is_meant(record.endpoint.peer().to_string()));
        let record = found.ok_or(CommandError::ClientNotFound)?;
        end_client(ctx, record)?;
        ctx.reply.ok();
        return Ok(());
    }
    let filter = Filter::parse(ctx, Args::new(ctx.argv, 2), filter::Use::Kill)?;
    let mut count = 0;
    let mut ends_self = false;
    for record in host.registry.all() {
        if filter.matches(ctx, &record) {
            count += 1;
            ends_self |= record.id == ctx.session.id;
            if record.id != ctx.session.id {
                end_client(ctx, &record)?;
            }
        }
    }
    ctx.reply.integer(count);
    ctx.session.is_closing |= ends_self;
    Ok(())
}

/// `CLIENT LIST [filter value …]` → a line per client.
fn list(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let filter = Filter::parse(ctx, Args::new(ctx.argv, 2), filter::Use::List)?;
    let mut text = String::new();
    for record in host(ctx)?.registry.all() {
        if filter.matches(ctx, &record) {
            line::write(&mut text, &Viewer::of(ctx), &record);
        }
    }
    ctx.reply.verbatim("txt", text.as_bytes());
    Ok(())
}

/// `CLIENT NO-EVICT ON | OFF` → OK.
fn no_evict(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let record = own_record(ctx)?;
    if switch(ctx.argv.at(2))? {
        record.counts.flags.fetch_or(flags::NO_EVICT, Relaxed);
    } else {
        record.counts.flags.fetch_and(!flags::NO_EVICT, Relaxed);
    }
    ctx.reply.ok();
    Ok(())
}

/// `CLIENT NO-TOUCH ON | OFF` → OK: whether this connection's reads leave access times alone.
fn no_touch(ctx: &mut Ctx<'_, '_>) -> Outcome {
    ctx.session.is_no_touch = switch(ctx.argv.at(2))?;
    ctx.reply.ok();
    Ok(())
}

/// `CLIENT PAUSE milliseconds [WRITE | ALL]` → OK.
fn pause(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let paused = match ctx.argv.get(3) {
        Some(word) if is_word(word, "write") => Paused::Writes,
        Some(word) if !is_word(word, "all") => return Err(CommandError::PauseMode),
        _ => Paused::Everything,
    };
    if 4 < ctx.argv.len() {
        return Err(CommandError::Syntax);
    }
    let duration = args::integer(ctx.argv.at(2)).map_err(|_| CommandError::TimeoutInvalid)?;
    let duration = u64::try_from(duration).map_err(|_| CommandError::TimeoutNegative)?;
    let until = ctx.data.now_ms.checked_add(duration).ok_or(CommandError::TimeoutInvalid)?;
    ctx.engine.pause.begin(paused, until);
    ctx.reply.ok();
    Ok(())
}

/// `CLIENT REPLY ON | OFF | SKIP` → OK after ON, nothing otherwise.
fn reply(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let word = ctx.argv.at(2);
    if is_word(word, "on") {
        ctx.session.replies = Replies::On;
        ctx.reply.ok();
    } else if is_word(word, "off") {
        ctx.session.replies = Replies::Off;
    } else if is_word(word, "skip") {
        if ctx.session.replies != Replies::Off {
            ctx.session.replies = Replies::SkipNext;
        }
    } else {
        return Err(CommandError::Syntax);
    }
    Ok(())
}

/// `CLIENT SETINFO LIB-NAME | LIB-VER value` → OK.
fn setinfo(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (option, value) = (ctx.argv.at(2), ctx.argv.at(3));
    let record = own_record(ctx)?;
    let mut names = record.names.lock();
    let shown = args::shown(option);
    let place = if is_word(option, "lib-name") {
        &mut names.library
    } else if is_word(option, "lib-ver") {
        &mut names.library_version
    } else {
        return Err(CommandError::ClientInfoOption(shown));
    };
    if !is_plain(value) {
        return Err(CommandError::ClientInfoInvalid(shown));
    }
    *place = value.into();
    ctx.reply.ok();
    Ok(())
}

/// `CLIENT SETNAME name` → OK.
fn setname(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let name = ctx.argv.at(2);
    if !is_plain(name) {
        return Err(CommandError::ClientNameInvalid);
    }
    own_record(ctx)?.names.lock().name = name.into();
    ctx.reply.ok();
    Ok(())
}

/// `CLIENT UNBLOCK id [TIMEOUT | ERROR]` → 1 if that client was blocked and no longer is.
fn unblock(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let mut with_error = false;
    if let Some(reason) = ctx.argv.get(3) {
        with_error = is_word(reason, "error");
        if (!with_error && !is_word(reason, "timeout")) || 4 < ctx.argv.len() {
            return Err(CommandError::UnblockReason);
        }
    }
    let id = args::integer(ctx.argv.at(2))?;
    let unblocked = u64::try_from(id)
        .ok()
        .and_then(|id| ctx.engine.blocking.unblock(id, with_error, || ctx.host.relax()));
    ctx.engine.wake_all(unblocked.into_iter().collect());
    ctx.reply.integer(i64::from(unblocked.is_some()));
    Ok(())
}

/// `CLIENT UNPAUSE` → OK.
fn unpause(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let waiting = ctx.engine.pause.end();
    ctx.engine.wake_all(waiting);
    ctx.reply.ok();
    Ok(())
}

fn end_client(ctx: &mut Ctx<'_, '_>, record: &crate::clients::record::ClientRecord) -> Outcome {
    if record.id == ctx.session.id {
        ctx.session.is_closing = true;
    } else {
        host(ctx)?.end_client(ctx.engine, record);
    }
    Ok(())
}

fn switch(word: &[u8]) -> Result<bool, CommandError> {
    if is_word(word, "on") {
        Ok(true)
    } else if is_word(word, "off") {
        Ok(false)
    } else {
        Err(CommandError::Syntax)
    }
}

/// Names go into the lines of CLIENT LIST, so they hold no space and nothing unprintable.
fn is_plain(name: &[u8]) -> bool {
    name.iter().all(|byte| (b'!'..=b'~').contains(byte))
}

const HELP: &[&str] = &[
    "CLIENT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "CACHING (YES|NO)",
    "    Whether what the next call reads is tracked, with OPTIN or OPTOUT.",
    "CAPA <capability> [<capability> ...]",
    "    Tell what this client can handle.",
    "GETNAME",
    "    Return the name of this connection.",
    "GETREDIR",
    "    Return the client that invalidations are sent to.",
    "ID",
    "    Return the number of this connection.",
    "INFO",
    "    Return the line of CLIENT LIST for this connection.",
    "KILL <ip:port> | <filter> <value> [<filter> <value> ...]",
    "    Close connections. The filters are those of LIST, and SKIPME (YES|NO).",
    "LIST [<filter> <value> ...]",
    "    Return a line for each connection. Filters, each also with NOT- before it:",
    "    ID, TYPE, USER, ADDR, LADDR, IP, NAME, LIB-NAME, LIB-VER, DB, FLAGS, CAPA, IDLE, MAXAGE.",
    "NO-EVICT (ON|OFF)",
    "    Whether this connection is spared when clients' memory is short.",
    "NO-TOUCH (ON|OFF)",
    "    Whether reads of this connection leave the keys' access times alone.",
    "PAUSE <milliseconds> [WRITE|ALL]",
    "    Hold all calls, or those that write.",
    "REPLY (ON|OFF|SKIP)",
    "    Whether calls of this connection are answered.",
    "SETINFO (LIB-NAME|LIB-VER) <value>",
    "    Say which library this connection uses.",
    "SETNAME <name>",
    "    Name this connection.",
    "TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]]",
    "         [OPTIN] [OPTOUT] [NOLOOP]",
    "    Whether this connection is told when keys that it has read change.",
    "TRACKINGINFO",
    "    Return what is tracked for this connection.",
    "UNBLOCK <id> [TIMEOUT|ERROR]",
    "    End a client's blocking call.",
    "UNPAUSE",
    "    End a pause.",
    "HELP",
    "    Print this help.",
];
