//! Scripting: EVAL, EVALSHA and the cache of scripts.

use crate::args;
use crate::command::{Categories, Command, Flags, Group, Origin, Outcome, Reach};
use crate::context::{Ctx, Origin as Caller};
use crate::engine::Engine;
use crate::error::CommandError;
use crate::keys::{self, KeySpec};
use crate::scripting::{self, Script, ScriptArguments};
use crate::settings::Settings;
use resp::Argv;
use std::sync::Arc;

const ROW: Command =
    Command { group: Group::Scripting, acl: Categories::SCRIPTING, since: "2.6.0", ..Command::NEW };
const CACHE: Flags = Flags::NOSCRIPT;
const RUN: Flags = Flags::NOSCRIPT.with(Flags::SKIP_MONITOR).with(Flags::NO_MANDATORY_KEYS);
const RUN_RW: Flags = RUN.with(Flags::MAY_REPLICATE).with(Flags::STALE).with(Flags::MOVABLE_KEYS);
const RUN_RO: Flags = RUN.with(Flags::READONLY).with(Flags::STALE).with(Flags::MOVABLE_KEYS);
const KEYS_RW: &[KeySpec] = &[KeySpec::counted(2, 1, keys::RW_ACCESS_UPDATE)];
const KEYS_RO: &[KeySpec] = &[KeySpec::counted(2, 1, keys::RO_ACCESS)];

const RUNNING: Command =
    Command { arity: -3, flags: RUN_RW, reach: Reach::Script(by_digest), ..ROW };

pub(crate) const COMMANDS: &[Command] = &[
    Command { name: "eval", keys: KEYS_RW, reach: Reach::Script(by_body), run: eval, ..RUNNING },
    Command {
        name: "eval_ro",
        reach: Reach::Script(by_body),
        flags: RUN_RO,
        keys: KEYS_RO,
        since: "7.0.0",
        run: eval_ro,
        ..RUNNING
    },
    Command { name: "evalsha", keys: KEYS_RW, run: evalsha, ..RUNNING },
    Command {
        name: "evalsha_ro",
        flags: RUN_RO,
        keys: KEYS_RO,
        since: "7.0.0",
        run: evalsha_ro,
        ..RUNNING
    },
    Command { name: "script", arity: -2, subcommands: SCRIPT, acl: Categories::NONE, ..ROW },
];

const SCRIPT: &[Command] = &[
    Command { name: "debug", arity: -3, flags: CACHE, since: "3.2.0", run: script_debug, ..ROW },
    Command {
        name: "exists",
        arity: -3,
        flags: CACHE.with(Flags::STALE),
        run: script_exists,
        ..ROW
    },
    Command {
        name: "flush",
        arity: -2,
        flags: CACHE.with(Flags::STALE),
        reach: Reach::All,
        run: script_flush,
        ..ROW
    },
    Command {
        name: "help",
        arity: 2,
        flags: Flags::LOADING.with(Flags::STALE),
        since: "5.0.0",
        run: script_help,
        ..ROW
    },
    Command {
        name: "kill",
        arity: 2,
        flags: CACHE.with(Flags::ALLOW_BUSY),
        run: script_kill,
        ..ROW
    },
    Command { name: "load", arity: 3, flags: CACHE.with(Flags::STALE), run: script_load, ..ROW },
    Command {
        name: "show",
        arity: 3,
        flags: CACHE.with(Flags::STALE),
        since: "8.0.0",
        origin: Origin::Valkey,
        run: script_show,
        ..ROW
    },
];

/// `EVAL script numkeys [key …] [arg …]` → what the script returns. Runs alone.
fn eval(ctx: &mut Ctx<'_, '_>) -> Outcome {
    eval_body(ctx, Writes::Allowed)
}

/// `EVAL_RO script numkeys [key …] [arg …]` → as EVAL, for scripts that only read.
fn eval_ro(ctx: &mut Ctx<'_, '_>) -> Outcome {
    eval_body(ctx, Writes::Refused)
}

/// `EVALSHA sha1 numkeys [key …] [arg …]` → as EVAL, for a cached script.
fn evalsha(ctx: &mut Ctx<'_, '_>) -> Outcome {
    eval_cached(ctx, Writes::Allowed)
}

/// `EVALSHA_RO sha1 numkeys [key …] [arg …]` → as EVAL_RO, for a cached script.
fn evalsha_ro(ctx: &mut Ctx<'_, '_>) -> Outcome {
    eval_cached(ctx, Writes::Refused)
}

/// `SCRIPT DEBUG YES | SYNC | NO` → OK to NO, else an error: there is no debugger.
fn script_debug(ctx: &mut Ctx<'_, '_>) -> Outcome {
    match ctx.argv.at(2) {
        mode if args::is_word(mode, "no") => {
            ctx.reply.ok();
            Ok(())
        }
        mode if args::is_word(mode, "sync") || args::is_word(mode, "yes") => {
            Err(CommandError::ScriptDebugger)
        }
        _ => Err(CommandError::ScriptDebugMode),
    }
}

/// `SCRIPT EXISTS sha1 [sha1 …]` → for each 1 if it is cached, else 0.
fn script_exists(ctx: &mut Ctx<'_, '_>) -> Outcome {
    ctx.reply.array(ctx.argv.len() - 2);
    for text in ctx.argv.iter().skip(2) {
        let script = scripting::parse_digest(text).and_then(|d| ctx.engine.scripts.find(&d));
        ctx.reply.integer(i64::from(script.is_some()));
    }
    Ok(())
}

/// `SCRIPT FLUSH [ASYNC | SYNC]` → OK.
fn script_flush(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let is_mode = |word: &[u8]| args::is_word(word, "async") || args::is_word(word, "sync");
    match ctx.argv.get(2) {
        Some(mode) if 3 < ctx.argv.len() || !is_mode(mode) => Err(CommandError::ScriptFlushMode),
        _ => {
            ctx.engine.scripts.flush();
            ctx.reply.ok();
            Ok(())
        }
    }
}

/// `SCRIPT HELP` → the subcommands.
fn script_help(ctx: &mut Ctx<'_, '_>) -> Outcome {
    const LINES: &[&str] = &[
        "SCRIPT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "EXISTS <sha1> [<sha1> ...]",
        "    Tell which of the scripts with these digests are cached.",
        "FLUSH [ASYNC|SYNC]",
        "    Forget all cached scripts.",
        "KILL",
        "    End the script that is running, unless it has written.",
        "LOAD <script>",
        "    Cache a script without running it, and return its digest.",
        "SHOW <sha1>",
        "    Return the text of a cached script.",
        "HELP",
        "    Print this help.",
    ];
    ctx.reply.array(LINES.len());
    LINES.iter().for_each(|line| ctx.reply.simple(line));
    Ok(())
}

/// `SCRIPT KILL` → OK: the scripts that have run for too long end with an error, but for those that have
/// written.
fn script_kill(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let threshold_ns = ctx.settings.busy_reply_threshold_ms.saturating_mul(1_000_000);
    let before_ns = ctx.engine.clock().now_ns().saturating_sub(threshold_ns);
    let killed = ctx.engine.scripts.running.kill_older(before_ns);
    killed.map_err(|error| ctx.settings.dialect.script_error(error))?;
    ctx.reply.ok();
    Ok(())
}

/// `SCRIPT LOAD script` → its digest.
fn script_load(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let body = ctx.argv.at(2);
    let script = ctx.engine.scripts.prepare(body, &ctx.engine.table, ctx.settings.dialect)?;
    ctx.scripting.check(ctx, &script)?;
    ctx.engine.scripts.add(body, true, &ctx.engine.table, ctx.settings.dialect)?;
    ctx.reply.bulk(&script.digest);
    Ok(())
}

/// `SCRIPT SHOW sha1` → the text of a cached script.
fn script_show(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let script = find(ctx, ctx.argv.at(2)).map_err(|_| CommandError::NoScriptToShow)?;
    ctx.reply.bulk(&script.body);
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Writes {
    Allowed,
    Refused,
}

fn eval_body(ctx: &mut Ctx<'_, '_>, writes: Writes) -> Outcome {
    let arguments = arguments(ctx)?;
    let script = match found(ctx) {
        Some(script) => script,
        None => add(ctx.engine, ctx.settings, ctx.argv)?,
    };
    ctx.scripting.run(ctx, &script, arguments, writes == Writes::Refused)
}

fn eval_cached(ctx: &mut Ctx<'_, '_>, writes: Writes) -> Outcome {
    // What cannot be a digest is told before anything else is looked at.
    scripting::parse_digest(ctx.argv.at(1)).ok_or(CommandError::NoScript)?;
    let arguments = arguments(ctx)?;
    let script = match found(ctx) {
        Some(script) => script,
        None => find(ctx, ctx.argv.at(1))?,
    };
    ctx.scripting.run(ctx, &script, arguments, writes == Writes::Refused)
}

/// The script of an EVAL, cached now if it was not.
fn by_body(engine: &Engine, settings: &Settings, argv: Argv<'_>) -> Option<Arc<Script>> {
    add(engine, settings, argv).ok()
}

/// The script of an EVALSHA, if it is cached.
fn by_digest(engine: &Engine, _: &Settings, argv: Argv<'_>) -> Option<Arc<Script>> {
    engine.scripts.find(&scripting::parse_digest(argv.at(1))?)
}

fn add(engine: &Engine, settings: &Settings, argv: Argv<'_>) -> Result<Arc<Script>, CommandError> {
    engine.scripts.add(argv.at(1), false, &engine.table, settings.dialect)
}

/// The script for which the locks of this call were taken. Inside EXEC everything is held.
fn found(ctx: &Ctx<'_, '_>) -> Option<Arc<Script>> {
    if ctx.origin == Caller::Client { ctx.scripting.take_found() } else { None }
}

fn find(ctx: &Ctx<'_, '_>, digest: &[u8]) -> Result<Arc<Script>, CommandError> {
    scripting::parse_digest(digest)
        .and_then(|digest| ctx.engine.scripts.find(&digest))
        .ok_or(CommandError::NoScript)
}

fn arguments<'c>(ctx: &Ctx<'c, '_>) -> Result<ScriptArguments<'c>, CommandError> {
    const FIRST_KEY: usize = 3;
    let count = args::integer(ctx.argv.at(2))?;
    let rest = ctx.argv.from(FIRST_KEY);
    let count = usize::try_from(count).map_err(|_| CommandError::NumkeysNotPositive)?;
    if rest.len() < count {
        return Err(CommandError::NumkeysTooLarge);
    }
    Ok(ScriptArguments { keys: rest.range(0, count), values: rest.from(count) })
}
