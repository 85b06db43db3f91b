//! Commands about the process: SHUTDOWN.

use super::host;
use crate::config::ShutdownWords;
use crate::persistence::append_only::{self, Rewriting};
use crate::shutdown;
use engine::args::{Args, is_word};
use engine::command::{Flags, Group, Outcome};
use engine::{Command, CommandError, Ctx, Reach};
use resp::Argv;

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
    run: end,
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

/// What saves waits for its turn; what does not ends a script, too, that nothing else ends.
fn shutdown_reach(argv: Argv<'_>) -> Reach {
    let is_at_once = |word| is_word(word, "nosave") || is_word(word, "abort");
    if argv.iter().skip(1).any(is_at_once) { Reach::None } else { Reach::All }
}

/// `SHUTDOWN [NOSAVE | SAVE] [NOW] [FORCE] [ABORT] [SAFE] [FAILOVER]` → nothing: the server ends.
fn end(ctx: &mut Ctx<'_, '_>) -> Outcome {
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
    let host = host(ctx)?;
    if !words.nosave && !shutdown::prepare(ctx.engine, ctx.data, host, words) {
        return Err(CommandError::ShutdownFailed);
    }
    host.shutdown.request(words);
    ctx.session.is_closing = true;
    Ok(())
}
