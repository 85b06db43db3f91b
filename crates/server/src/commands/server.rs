//! Commands about the process: SHUTDOWN, and what memory it uses.

use super::host;
use crate::config::ShutdownWords;
use crate::log;
use crate::persistence;
use crate::persistence::append_only::{self, Rewriting};
use engine::args::{Args, is_word};
use engine::command::{Categories, Flags, Group, Outcome};
use engine::{Command, CommandError, Ctx, Reach};
use resp::Argv;
use std::sync::atomic::Ordering::Relaxed;

const ROW: Command = Command { group: Group::Server, ..Command::NEW };

pub(crate) const COMMANDS: &[Command] = &[
    Command {
        name: "bgrewriteaof",
        arity: 1,
        flags: Flags::ADMIN.with(Flags::NOSCRIPT).with(Flags::NO_ASYNC_LOADING),
        reach: Reach::All,
        run: bgrewriteaof,
        ..ROW
    },
    Command {
        name: "lastsave",
        arity: 1,
        flags: Flags::LOADING.with(Flags::STALE).with(Flags::FAST),
        acl: Categories::ADMIN.with(Categories::DANGEROUS),
        run: lastsave,
        ..ROW
    },
    Command {
        name: "save",
        arity: 1,
        flags: Flags::ADMIN
            .with(Flags::NOSCRIPT)
            .with(Flags::NO_ASYNC_LOADING)
            .with(Flags::NO_MULTI),
        reach: Reach::All,
        run: save,
        ..ROW
    },
    SHUTDOWN,
];

const SHUTDOWN: Command = Command {
    name: "shutdown",
    arity: -1,
    flags: Flags::ADMIN
        .with(Flags::NOSCRIPT)
        .with(Flags::NO_MULTI)
        .with(Flags::LOADING)
        .with(Flags::STALE)
        .with(Flags::ALLOW_BUSY),
    reach: Reach::ByArguments(shutdown_reach),
    run: shutdown,
    ..ROW
};

/// `BGREWRITEAOF` → that the append-only file is being rewritten, or will be. O(1) here, O(data) behind.
fn bgrewriteaof(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let host = host(ctx)?;
    match append_only::rewrite(ctx.engine, ctx.data, host) {
        Rewriting::GoesOn => return Err(CommandError::RewriteInProgress),
        Rewriting::Scheduled => {
            ctx.reply.simple("Background append only file rewriting scheduled");
        }
        Rewriting::Started => ctx.reply.simple("Background append only file rewriting started"),
    }
    Ok(())
}

/// `LASTSAVE` → when the last snapshot was written, in Unix seconds. O(1).
fn lastsave(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let saved_ms = host(ctx)?.snapshots.saved_ms.load(Relaxed);
    ctx.reply.integer((saved_ms / 1000) as i64);
    Ok(())
}

/// `SAVE` → OK: a snapshot of all data is on disk. Everything waits meanwhile. O(data).
fn save(ctx: &mut Ctx<'_, '_>) -> Outcome {
    if !write_snapshot(ctx)? {
        return Err(CommandError::SaveFailed);
    }
    ctx.reply.ok();
    Ok(())
}

/// Writes everything to disk; the caller stands alone behind the gate. Says whether that went well.
fn write_snapshot(ctx: &mut Ctx<'_, '_>) -> Result<bool, CommandError> {
    let host = host(ctx)?;
    let changes = ctx.engine.changes();
    match persistence::save::save(ctx, &host.settings()) {
        Ok(()) => {
            host.snapshots.saved(ctx.data.now_ms, changes);
            log::notice(format_args!("DB saved on disk"));
            Ok(true)
        }
        Err(error) => {
            log::warning(format_args!("Write error saving DB on disk: {error}"));
            Ok(false)
        }
    }
}

/// What saves waits for its turn; what does not ends a script, too, that nothing else ends.
fn shutdown_reach(argv: Argv<'_>) -> Reach {
    let is_at_once = |word| is_word(word, "nosave") || is_word(word, "abort");
    if argv.iter().skip(1).any(is_at_once) { Reach::None } else { Reach::All }
}

/// `SHUTDOWN [NOSAVE | SAVE] [NOW] [FORCE] [ABORT] [SAFE] [FAILOVER]` → nothing: the server ends.
fn shutdown(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let mut args = Args::new(ctx.argv, 1);
    let mut words = ShutdownWords::default();
    let mut aborts = false;
    while let Some(word) = args.next() {
        let place = if is_word(word, "nosave") && !words.save {
            &mut words.nosave
        } else if is_word(word, "save") && !words.nosave {
            &mut words.save
        } else if is_word(word, "now") {
            &mut words.now
        } else if is_word(word, "force") {
            &mut words.force
        } else if is_word(word, "safe") {
            &mut words.safe
        } else if is_word(word, "failover") {
            &mut words.failover
        } else if is_word(word, "abort") {
            &mut aborts
        } else {
            return Err(CommandError::Syntax);
        };
        *place = true;
    }
    if aborts && 2 < ctx.argv.len() {
        return Err(CommandError::Syntax);
    }
    if aborts {
        return Err(CommandError::NoShutdown);
    }
    // Half of the data must not take the place of all of it.
    let saves = words.save && !ctx.engine.loading.is_on();
    if saves && !write_snapshot(ctx)? && !words.force {
        return Err(CommandError::ShutdownFailed);
    }
    host(ctx)?.shutdown.request(words);
    ctx.session.is_closing = true;
    Ok(())
}
