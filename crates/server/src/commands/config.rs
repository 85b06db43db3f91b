//! CONFIG: settings shown, changed, written back; and statistics reset.

use super::{host, reply_help};
use crate::config::{Caller, ConfigError, Scope, table};
use crate::persistence::append_only;
use engine::acl;
use engine::args;
use engine::command::{Categories, Flags, Group, Outcome, Secrets};
use engine::{Command, CommandError, Ctx, Reach};
use resp::Argv;
use std::sync::atomic::Ordering::Relaxed;

const ROW: Command = Command {
    group: Group::Server,
    flags: Flags::ADMIN.with(Flags::NOSCRIPT).with(Flags::LOADING).with(Flags::STALE),
    since: "2.0.0",
    ..Command::NEW
};

pub(crate) const COMMANDS: &[Command] = &[Command {
    name: "config",
    arity: -2,
    flags: Flags::NONE,
    acl: Categories::NONE,
    subcommands: SUBCOMMANDS,
    ..ROW
}];

const SUBCOMMANDS: &[Command] = &[
    Command { name: "get", arity: -3, run: get, ..ROW },
    Command {
        name: "help",
        arity: 2,
        flags: Flags::LOADING.with(Flags::STALE),
        since: "5.0.0",
        run: help,
        ..ROW
    },
    Command { name: "resetstat", arity: 2, run: resetstat, ..ROW },
    Command { name: "rewrite", arity: 2, since: "2.8.0", run: rewrite, ..ROW },
    // Everything, so that no call runs partly with the old settings, and the reply comes after
    // all calls that still saw them.
    Command {
        name: "set",
        arity: -4,
        reach: Reach::All,
        secrets: Secrets::Where(is_secret_of_set),
        run: set,
        ..ROW
    },
];

/// `CONFIG GET pattern [pattern …]` → names and values.
fn get(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let patterns: Vec<&[u8]> = ctx.argv.iter().skip(2).collect();
    let found = host(ctx)?.config.lock().find(&patterns);
    ctx.reply.map(found.len());
    for (name, value) in &found {
        ctx.reply.bulk(name.as_bytes());
        ctx.reply.bulk(value);
    }
    Ok(())
}

/// `CONFIG HELP` → the subcommands.
fn help(ctx: &mut Ctx<'_, '_>) -> Outcome {
    const LINES: &[&str] = &[
        "CONFIG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "GET <pattern> [<pattern> ...]",
        "    Return the settings whose names match, with their values.",
        "SET <setting> <value> [<setting> <value> ...]",
        "    Change settings, all of them or none.",
        "RESETSTAT",
        "    Set the statistics of INFO back to zero.",
        "REWRITE",
        "    Write the settings back into the configuration file.",
        "HELP",
        "    Print this help.",
    ];
    reply_help(ctx.reply, LINES);
    Ok(())
}

/// `CONFIG RESETSTAT` → OK.
fn resetstat(ctx: &mut Ctx<'_, '_>) -> Outcome {
    host(ctx)?.statistics.reset();
    host(ctx)?.reclaimer.reset_freed();
    ctx.engine.reset_statistics();
    base::memory::reset_peak();
    ctx.reply.ok();
    Ok(())
}

/// `CONFIG REWRITE` → OK.
fn rewrite(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let users = acl::to_text(&ctx.engine.acl.users(), ctx.settings.dialect);
    let outcome = host(ctx)?.config.lock().rewrite(&users, Scope::Changed);
    outcome.map_err(|error| CommandError::Outside(args::shown(error.to_string().as_bytes())))?;
    ctx.reply.ok();
    Ok(())
}

/// `CONFIG SET setting value [setting value …]` → OK: all of them or none.
fn set(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let words: Vec<&[u8]> = ctx.argv.iter().skip(2).collect();
    if words.len() % 2 == 1 {
        return Err(CommandError::Syntax);
    }
    let pairs: Vec<(&[u8], &[u8])> = words.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
    let caller = if ctx.session.is_local { Caller::Local } else { Caller::Remote };
    let refused =
        |error: ConfigError| CommandError::Outside(args::shown(error.to_string().as_bytes()));
    let host = host(ctx)?;
    host.change_config(ctx.engine, &pairs, caller).map_err(refused)?;
    if host.append_only.figures.is_rewrite_scheduled.load(Relaxed) {
        // It was just switched on.
        append_only::rewrite(ctx.engine, ctx.data, host);
    }
    ctx.reply.ok();
    Ok(())
}

/// Whether an argument of CONFIG SET is the value of a setting that is nobody's business.
fn is_secret_of_set(argv: Argv<'_>, index: usize) -> bool {
    let is_value = 3 <= index && index % 2 == 1;
    let row = || table::find(argv.at(index - 1)).map(|(row, _)| &table::ROWS[row]);
    is_value && row().is_some_and(|row| row.is_secret)
}
