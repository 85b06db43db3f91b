//! Function libraries: FUNCTION, and FCALL for their functions.

use crate::args;
use crate::command::{Categories, Command, Flags, Group, Outcome, Reach};
use crate::context::Ctx;
use crate::error::{CommandError, FunctionError};
use crate::keys::{self, KeySpec};
use crate::scripting::functions::{Existing, Library, Loader};
use crate::scripting::{Kind, ScriptArguments};
use base::glob;
use store::rdb::RdbError;
use store::rdb::payload::Payload;

const ROW: Command =
    Command { group: Group::Scripting, acl: Categories::SCRIPTING, since: "7.0.0", ..Command::NEW };
const RUN: Flags = Flags::NOSCRIPT
    .with(Flags::SKIP_MONITOR)
    .with(Flags::NO_MANDATORY_KEYS)
    .with(Flags::STALE)
    .with(Flags::MOVABLE_KEYS);
const RUN_RW: Flags = RUN.with(Flags::MAY_REPLICATE);
const RUN_RO: Flags = RUN.with(Flags::READONLY);
const KEYS_RW: &[KeySpec] = &[KeySpec::counted(2, 1, keys::RW_ACCESS_UPDATE)];
const KEYS_RO: &[KeySpec] = &[KeySpec::counted(2, 1, keys::RO_ACCESS)];

const CALL: Command = Command { arity: -3, reach: Reach::All, ..ROW };
const CHANGE: Flags = Flags::NOSCRIPT.with(Flags::WRITE);
const LOOK: Flags = Flags::NOSCRIPT;

pub(crate) const COMMANDS: &[Command] = &[
    Command { name: "fcall", flags: RUN_RW, keys: KEYS_RW, run: fcall, ..CALL },
    Command { name: "fcall_ro", flags: RUN_RO, keys: KEYS_RO, run: fcall_ro, ..CALL },
    Command { name: "function", arity: -2, subcommands: FUNCTION, acl: Categories::NONE, ..ROW },
];

const FUNCTION: &[Command] = &[
    Command {
        name: "delete",
        arity: 3,
        flags: CHANGE,
        reach: Reach::All,
        run: function_delete,
        ..ROW
    },
    Command { name: "dump", arity: 2, flags: LOOK, run: function_dump, ..ROW },
    Command {
        name: "flush",
        arity: -2,
        flags: CHANGE,
        reach: Reach::All,
        run: function_flush,
        ..ROW
    },
    Command {
        name: "help",
        arity: 2,
        flags: Flags::LOADING.with(Flags::STALE),
        run: function_help,
        ..ROW
    },
    Command {
        name: "kill",
        arity: 2,
        flags: LOOK.with(Flags::ALLOW_BUSY),
        run: function_kill,
        ..ROW
    },
    Command { name: "list", arity: -2, flags: LOOK, run: function_list, ..ROW },
    Command {
        name: "load",
        arity: -3,
        flags: CHANGE.with(Flags::DENYOOM),
        reach: Reach::All,
        run: function_load,
        ..ROW
    },
    Command {
        name: "restore",
        arity: -3,
        flags: CHANGE.with(Flags::DENYOOM),
        reach: Reach::All,
        run: function_restore,
        ..ROW
    },
    Command {
        name: "stats",
        arity: 2,
        flags: LOOK.with(Flags::ALLOW_BUSY),
        run: function_stats,
        ..ROW
    },
];

/// The engine's name, as it is shown.
const ENGINE: &[u8] = b"LUA";

/// `FCALL function numkeys [key …] [arg …]` → what the function returns. Runs alone.
fn fcall(ctx: &mut Ctx<'_, '_>) -> Outcome {
    call(ctx, false)
}

/// `FCALL_RO function numkeys [key …] [arg …]` → as FCALL, for functions that only read.
fn fcall_ro(ctx: &mut Ctx<'_, '_>) -> Outcome {
    call(ctx, true)
}

/// `FUNCTION DELETE library` → OK.
fn function_delete(ctx: &mut Ctx<'_, '_>) -> Outcome {
    if !ctx.engine.functions.delete(ctx.argv.at(2)) {
        return Err(FunctionError::LibraryNotFound.into());
    }
    ctx.data.changes += 1;
    ctx.reply.ok();
    Ok(())
}

/// `FUNCTION DUMP` → all libraries as bytes for FUNCTION RESTORE. O(bytes of the libraries).
fn function_dump(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let bytes = ctx.engine.functions.dump(&ctx.settings.dump_target());
    ctx.reply.bulk(&bytes);
    Ok(())
}

/// `FUNCTION FLUSH [ASYNC | SYNC]` → OK.
fn function_flush(ctx: &mut Ctx<'_, '_>) -> Outcome {
    if 3 < ctx.argv.len() {
        return Err(wrong_arity(ctx));
    }
    let is_mode = |word| args::is_word(word, "async") || args::is_word(word, "sync");
    if ctx.argv.get(2).is_some_and(|word| !is_mode(word)) {
        return Err(FunctionError::FlushMode.into());
    }
    ctx.engine.functions.flush();
    ctx.data.changes += 1;
    ctx.reply.ok();
    Ok(())
}

/// `FUNCTION HELP` → the subcommands.
fn function_help(ctx: &mut Ctx<'_, '_>) -> Outcome {
    const LINES: &[&str] = &[
        "FUNCTION <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "DELETE <LIBRARY NAME>",
        "    Delete a library and its functions.",
        "DUMP",
        "    Return all libraries as bytes for RESTORE.",
        "FLUSH [ASYNC|SYNC]",
        "    Delete all libraries.",
        "KILL",
        "    End the function that is running, unless it has written.",
        "LIST [LIBRARYNAME PATTERN] [WITHCODE]",
        "    List the libraries, or those whose names match a pattern, with their functions.",
        "LOAD [REPLACE] <FUNCTION CODE>",
        "    Create a library, and return its name.",
        "RESTORE <PAYLOAD> [FLUSH|APPEND|REPLACE]",
        "    Create the libraries of a payload: instead of all that there are, beside them (the default),",
        "    or instead of those with the same names. All are created or none.",
        "STATS",
        "    Show the function that is running, and how many libraries and functions there are.",
        "HELP",
        "    Print this help.",
    ];
    ctx.reply.array(LINES.len());
    LINES.iter().for_each(|line| ctx.reply.simple(line));
    Ok(())
}

/// `FUNCTION KILL` → OK: the function that runs ends with an error, unless it has written.
fn function_kill(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let killed = ctx.engine.scripts.running.kill_function();
    killed.map_err(|error| ctx.settings.dialect.script_error(error))?;
    ctx.reply.ok();
    Ok(())
}

/// `FUNCTION LIST [LIBRARYNAME pattern] [WITHCODE]` → the libraries, by name.
fn function_list(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (mut pattern, mut shows_code) = (None, false);
    let mut words = args::Args::new(ctx.argv, 2);
    while let Some(word) = words.next() {
        if !shows_code && args::is_word(word, "withcode") {
            shows_code = true;
        } else if pattern.is_none() && args::is_word(word, "libraryname") {
            pattern = Some(words.next().ok_or(FunctionError::LibraryNameMissing)?);
        } else {
            return Err(FunctionError::ListArgument(args::shown(word)).into());
        }
    }
    let mut libraries = ctx.engine.functions.libraries();
    if let Some(pattern) = pattern {
        libraries.retain(|library| glob::matches_ignore_case(pattern, &library.name));
    }
    ctx.reply.array(libraries.len());
    libraries.iter().for_each(|library| show_library(ctx, library, shows_code));
    Ok(())
}

fn show_library(ctx: &mut Ctx<'_, '_>, library: &Library, shows_code: bool) {
    let reply = &mut *ctx.reply;
    reply.map(3 + usize::from(shows_code));
    reply.bulk(b"library_name");
    reply.bulk(&library.name);
    reply.bulk(b"engine");
    reply.bulk(ENGINE);
    reply.bulk(b"functions");
    reply.array(library.functions.len());
    for function in &library.functions {
        reply.map(3);
        reply.bulk(b"name");
        reply.bulk(&function.name);
        reply.bulk(b"description");
        match &function.description {
            None => reply.null(),
            Some(text) => reply.bulk(text),
        }
        reply.bulk(b"flags");
        let flags = function.flags.names();
        reply.set(flags.clone().count());
        flags.for_each(|flag| reply.simple(flag));
    }
    if shows_code {
        reply.bulk(b"library_code");
        reply.bulk(&library.code);
    }
}

/// `FUNCTION LOAD [REPLACE] code` → the library's name.
fn function_load(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let last = ctx.argv.len() - 1;
    let mut existing = Existing::Refuse;
    for word in ctx.argv.range(2, last).iter() {
        if !args::is_word(word, "replace") {
            return Err(FunctionError::LoadOption(args::shown(word)).into());
        }
        existing = Existing::Replace;
    }
    let functions = &ctx.engine.functions;
    let name = functions.load(loader(ctx), ctx.argv.at(last), existing)?;
    ctx.data.changes += 1;
    ctx.reply.bulk(&name);
    Ok(())
}

/// `FUNCTION RESTORE payload [FLUSH | APPEND | REPLACE]` → OK: the libraries of the payload are there,
/// all or none.
fn function_restore(ctx: &mut Ctx<'_, '_>) -> Outcome {
    if 4 < ctx.argv.len() {
        return Err(wrong_arity(ctx));
    }
    let (existing, keeps_others) = match ctx.argv.get(3) {
        None => (Existing::Refuse, true),
        Some(word) if args::is_word(word, "append") => (Existing::Refuse, true),
        Some(word) if args::is_word(word, "replace") => (Existing::Replace, true),
        Some(word) if args::is_word(word, "flush") => (Existing::Refuse, false),
        Some(_) => return Err(FunctionError::RestorePolicy.into()),
    };
    let payload = Payload::open(ctx.argv.at(2)).map_err(|_| CommandError::PayloadFrame)?;
    let codes = payload.functions().map_err(|error| match error {
        RdbError::UnknownType(_) => FunctionError::RestoreType,
        _ => FunctionError::RestoreData,
    })?;
    ctx.engine.functions.load_all(loader(ctx), &codes, existing, keeps_others)?;
    ctx.data.changes += 1;
    ctx.reply.ok();
    Ok(())
}

/// `FUNCTION STATS` → the function that runs, and how many libraries and functions there are.
fn function_stats(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let running = &ctx.engine.scripts.running;
    if running.alone_since_ns().is_some() && running.alone_kind() == Kind::Script {
        return Err(ctx.settings.dialect.script_error(CommandError::BusyScript));
    }
    let reply = &mut *ctx.reply;
    reply.map(2);
    reply.bulk(b"running_script");
    match running.function() {
        None => reply.null(),
        Some(function) => {
            let duration_ns = ctx.engine.clock().now_ns().saturating_sub(function.since_ns);
            reply.map(3);
            reply.bulk(b"name");
            reply.bulk(&function.name);
            reply.bulk(b"command");
            reply.array(function.call.argv().len());
            function.call.argv().iter().for_each(|argument| reply.bulk(argument));
            reply.bulk(b"duration_ms");
            reply.integer((duration_ns / 1_000_000) as i64);
        }
    }
    let (libraries, functions) = ctx.engine.functions.count();
    reply.bulk(b"engines");
    reply.map(1);
    reply.bulk(ENGINE);
    reply.map(2);
    reply.bulk(b"libraries_count");
    reply.integer(libraries as i64);
    reply.bulk(b"functions_count");
    reply.integer(functions as i64);
    Ok(())
}

fn call(ctx: &mut Ctx<'_, '_>, is_read_only: bool) -> Outcome {
    const FIRST_KEY: usize = 3;
    let functions = &ctx.engine.functions;
    let function = functions.find(ctx.argv.at(1)).ok_or(FunctionError::NotFound)?;
    let count = args::integer(ctx.argv.at(2)).map_err(|_| FunctionError::NumkeysInvalid)?;
    let rest = ctx.argv.from(FIRST_KEY);
    if count > rest.len() as i64 {
        return Err(FunctionError::NumkeysTooLarge.into());
    }
    let count = usize::try_from(count).map_err(|_| FunctionError::NumkeysNegative)?;
    let arguments = ScriptArguments { keys: rest.range(0, count), values: rest.from(count) };
    functions.call(ctx, &function, arguments, is_read_only)
}

fn loader<'e>(ctx: &Ctx<'_, 'e>) -> Loader<'e> {
    Loader { engine: ctx.engine, host: ctx.host }
}

fn wrong_arity(ctx: &Ctx<'_, '_>) -> CommandError {
    CommandError::UnknownSubcommandOrArity {
        container: "FUNCTION",
        name: args::shown(ctx.argv.at(1)),
    }
}
