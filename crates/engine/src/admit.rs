//! Admission: the ordered checks between a parsed request and its locks.

use crate::acl::{self, Called, Context};
use crate::args;
use crate::command::{Flags, Outcome};
use crate::engine::Engine;
use crate::error::{AclError, CommandError};
use crate::host::Host;
use crate::pause::Paused;
use crate::session::Session;
use crate::settings::{Access, Settings};
use crate::table::{Entry, Lookup};
use resp::{Argv, Protocol};

/// The row of a call, or the error that its name deserves.
pub fn resolve(lookup: Lookup, argv: Argv<'_>) -> Result<&'static Entry, CommandError> {
    match lookup {
        Lookup::Found(entry) => Ok(entry),
        Lookup::UnknownCommand if is_http(argv) => Err(CommandError::CrossProtocol),
        Lookup::UnknownCommand => Err(CommandError::unknown_command(argv)),
        Lookup::SubcommandMissing(entry) => Err(CommandError::WrongArity(entry.full_name.clone())),
        Lookup::UnknownSubcommand(entry) => Err(CommandError::UnknownSubcommand {
            container: entry.full_name.to_uppercase().into(),
            name: args::shown(&argv.at(1)[..argv.at(1).len().min(128)]),
        }),
    }
}

/// Whether a browser or the like was made to send its request here: what follows its head could be
/// commands that its user never meant.
fn is_http(argv: Argv<'_>) -> bool {
    argv.get(0).is_some_and(|word| {
        word.eq_ignore_ascii_case(b"post") || word.eq_ignore_ascii_case(b"host:")
    })
}

/// All checks that a call from a client must pass. `is_memory_short`: and nothing may be evicted.
///
/// Nearly every call is one that none of them is about, which is seen at once: a call of a tenth of a
/// microsecond need not ask them one after the other.
#[inline]
pub fn admit(
    engine: &Engine,
    host: &dyn Host,
    settings: &Settings,
    session: &Session,
    entry: &Entry,
    argv: Argv<'_>,
    is_memory_short: bool,
) -> Outcome {
    let concerns_none = session.is_unhindered()
        && !is_memory_short
        && !entry.row.flags.has(Flags::PROTECTED)
        && entry.row.accepts(argv.len());
    debug_assert!(
        !concerns_none || check(engine, host, settings, session, entry, argv, false).is_ok(),
        "the checks are about nothing else"
    );
    if concerns_none {
        return Ok(());
    }
    check(engine, host, settings, session, entry, argv, is_memory_short)
}

/// The checks of [`admit`], in their order.
#[inline(never)]
fn check(
    engine: &Engine,
    host: &dyn Host,
    settings: &Settings,
    session: &Session,
    entry: &Entry,
    argv: Argv<'_>,
    is_memory_short: bool,
) -> Outcome {
    if settings.dialect.differences().asks_for_password_first {
        authentication(engine, session, entry)?;
    }
    arity(entry, argv)?;
    protection(settings, session, entry)?;
    authentication(engine, session, entry)?;
    transaction(settings, session, entry)?;
    if !session.is_unrestricted {
        permission(engine, host, session, entry, argv)?;
    }
    memory(session, entry, is_memory_short)?;
    subscription(session, entry)?;
    monitoring(session, entry)
}

/// What is answered to a call whose name has no row.
pub fn unresolved(
    engine: &Engine,
    settings: &Settings,
    session: &Session,
    error: CommandError,
) -> CommandError {
    let hides = settings.dialect.differences().asks_for_password_first;
    if hides && !acl::is_admitted(engine, session) { CommandError::NoAuth } else { error }
}

/// The number of arguments.
pub fn arity(entry: &Entry, argv: Argv<'_>) -> Outcome {
    if entry.row.accepts(argv.len()) {
        return Ok(());
    }
    Err(CommandError::WrongArity(entry.full_name.clone()))
}

/// Refuses what may not run before all data is there.
pub fn loading(engine: &Engine, settings: &Settings, session: &Session, entry: &Entry) -> Outcome {
    let needs_data = |entry: &Entry| !entry.row.flags.has(Flags::LOADING);
    if !engine.loading.is_on() || !is_any(session, entry, needs_data) {
        return Ok(());
    }
    Err(CommandError::Loading(settings.dialect.differences().product))
}

/// Whether a pause holds this call.
pub fn is_paused(engine: &Engine, session: &Session, entry: &Entry) -> bool {
    let paused = engine.pause.paused();
    if paused == Paused::Nothing || entry.row.flags.has(Flags::UNPAUSED) {
        return false;
    }
    let changes =
        |e: &Entry| e.row.flags.has(Flags::WRITE) || e.row.flags.has(Flags::MAY_REPLICATE);
    paused == Paused::Everything || is_any(session, entry, changes)
}

/// Whether a call may change data, itself or by what was queued.
pub fn may_change(session: &Session, entry: &Entry) -> bool {
    is_any(session, entry, |entry| entry.row.flags.has(Flags::WRITE))
}

/// Whether a call waits while changes have to: one that changes data, or a script, of which nobody knows.
pub fn may_be_held_up(session: &Session, entry: &Entry) -> bool {
    let is_script = |entry: &Entry| matches!(entry.row.reach, crate::Reach::Script(_));
    is_any(session, entry, |entry| entry.row.flags.has(Flags::WRITE) || is_script(entry))
}

/// Whether something is true of a call, or of one that it makes.
fn is_any(session: &Session, entry: &Entry, is: impl Fn(&Entry) -> bool) -> bool {
    let queued = || session.transaction.iter().flat_map(|t| &t.calls).any(|call| is(call.entry));
    is(entry) || (matches!(entry.row.reach, crate::Reach::Transaction) && queued())
}

/// Refuses what would change data while it cannot be kept on disk.
pub fn disk(engine: &Engine, settings: &Settings, session: &Session, entry: &Entry) -> Outcome {
    let is_refused = || entry.row.flags.has(Flags::TELLS_OF_DISK) || may_change(session, entry);
    if settings.snapshot_failure_stops_writes && engine.cuts.has_failed() && is_refused() {
        return Err(CommandError::SnapshotFailed(settings.dialect.differences().product));
    }
    match engine.journal.failure() {
        Some(reason) if is_refused() => Err(CommandError::JournalFailed(reason)),
        _ => Ok(()),
    }
}

#[inline]
fn authentication(engine: &Engine, session: &Session, entry: &Entry) -> Outcome {
    let is_free = session.is_authenticated
        || entry.row.flags.has(Flags::NO_AUTH)
        || acl::is_admitted(engine, session);
    if is_free { Ok(()) } else { Err(CommandError::NoAuth) }
}

/// Whether the session's user may make this call.
#[cold]
fn permission(
    engine: &Engine,
    host: &dyn Host,
    session: &Session,
    entry: &Entry,
    argv: Argv<'_>,
) -> Outcome {
    let context =
        if session.transaction.is_some() { Context::Transaction } else { Context::TopLevel };
    let call = Called { entry, argv, db: session.db };
    acl::check(engine, host, session, &call, context)
        .map_err(|denial| AclError::NoPermission(denial).into())
}

/// In RESP2 nobody can tell a reply from a message, so a subscriber may make few calls.
#[inline]
fn subscription(session: &Session, entry: &Entry) -> Outcome {
    let is_allowed = session.subscriptions.is_none()
        || session.protocol != Protocol::Resp2
        || entry.row.flags.has(Flags::WHILE_SUBSCRIBED);
    if is_allowed { Ok(()) } else { Err(CommandError::Subscribed(entry.full_name.clone())) }
}

/// Who watches all calls makes none that touch keys.
fn monitoring(session: &Session, entry: &Entry) -> Outcome {
    if !session.is_monitor {
        return Ok(());
    }
    let touching = [Flags::READONLY, Flags::WRITE, Flags::MAY_REPLICATE];
    let touches = touching.iter().any(|flag| entry.row.flags.has(*flag));
    if touches { Err(CommandError::MonitorTouchesKeys) } else { Ok(()) }
}

fn protection(settings: &Settings, session: &Session, entry: &Entry) -> Outcome {
    if !entry.row.flags.has(Flags::PROTECTED) {
        return Ok(());
    }
    let (access, error) = if entry.row.flags.has(Flags::ABOUT_MODULES) {
        (settings.module_access, CommandError::ModuleDenied)
    } else {
        (settings.debug_access, CommandError::DebugDenied)
    };
    let is_allowed = match access {
        Access::Everyone => true,
        Access::Local => session.is_local,
        Access::Nobody => false,
    };
    if is_allowed { Ok(()) } else { Err(error) }
}

fn transaction(settings: &Settings, session: &Session, entry: &Entry) -> Outcome {
    let flags = entry.row.flags;
    let aborts = settings.dialect.differences().nested_multi_aborts;
    let is_refused = flags.has(Flags::NO_MULTI) || aborts && flags.has(Flags::NO_MULTI_VALKEY);
    if session.transaction.is_none() || !is_refused {
        return Ok(());
    }
    if aborts {
        return Err(CommandError::NotInTransactionNamed(entry.full_name.clone()));
    }
    // What runs at once inside MULTI says itself what is wrong, and does no harm.
    if flags.has(Flags::UNQUEUED) {
        return Ok(());
    }
    Err(CommandError::NotInTransaction)
}

/// Whether more memory is used than allowed.
pub fn is_memory_short(settings: &Settings) -> bool {
    let limit = settings.memory_bytes_max;
    limit != 0 && limit < base::memory::used()
}

/// Whether the process holds more memory than allowed, with what is about to be freed.
#[inline]
pub fn is_memory_full(settings: &Settings) -> bool {
    let limit = settings.memory_bytes_max;
    limit != 0 && limit < base::memory::allocated()
}

fn memory(session: &Session, entry: &Entry, is_memory_short: bool) -> Outcome {
    if !is_memory_short {
        return Ok(());
    }
    let grows = |e: &Entry| e.row.flags.has(Flags::DENYOOM);
    let mut queued = session.transaction.iter().flat_map(|t| &t.calls);
    let is_exec = matches!(entry.row.reach, crate::Reach::Transaction);
    if grows(entry) || (is_exec && queued.any(|call| grows(call.entry))) {
        return Err(CommandError::OutOfMemory);
    }
    Ok(())
}
