//! SLOWLOG and COMMANDLOG: the calls that took long, or had a large request or reply.

use crate::args;
use crate::call_log::{CallLog, Measure};
use crate::command::{Command, Flags, Group, Origin, Outcome};
use crate::commands::common::help::reply_help;
use crate::context::Ctx;
use crate::error::CommandError;

/// Calls that SLOWLOG GET shows without a count.
const SHOWN_COUNT: usize = 10;

const HELP: Flags = Flags::LOADING.with(Flags::STALE);
const ROW: Command = Command { group: Group::Server, since: "2.2.12", ..Command::NEW };
const LOOK: Command = Command { flags: Flags::ADMIN.with(HELP), ..ROW };
const VALKEY: Command = Command { since: "8.1.0", origin: Origin::Valkey, ..ROW };
const VALKEY_LOOK: Command = Command { flags: LOOK.flags, ..VALKEY };

pub(crate) const COMMANDS: &[Command] = &[
    Command { name: "commandlog", arity: -2, subcommands: COMMANDLOG, ..VALKEY },
    Command { name: "slowlog", arity: -2, subcommands: SLOWLOG, ..ROW },
];

const COMMANDLOG: &[Command] = &[
    Command { name: "get", arity: 4, run: commandlog_get, ..VALKEY_LOOK },
    Command { name: "help", arity: 2, flags: HELP, run: commandlog_help, ..VALKEY },
    Command { name: "len", arity: 3, run: commandlog_len, ..VALKEY_LOOK },
    Command { name: "reset", arity: 3, run: commandlog_reset, ..VALKEY_LOOK },
];

const SLOWLOG: &[Command] = &[
    Command { name: "get", arity: -2, run: slowlog_get, ..LOOK },
    Command { name: "help", arity: 2, flags: HELP, since: "6.2.0", run: slowlog_help, ..ROW },
    Command { name: "len", arity: 2, run: slowlog_len, ..LOOK },
    Command { name: "reset", arity: 2, run: slowlog_reset, ..LOOK },
];

/// `COMMANDLOG GET count slow | large-request | large-reply` → the newest calls of that log; -1: all.
fn commandlog_get(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let count = count(ctx.argv.at(2))?;
    let log = log_of(ctx, 3)?;
    reply_calls(ctx, log, count);
    Ok(())
}

/// `COMMANDLOG HELP` → the subcommands.
fn commandlog_help(ctx: &mut Ctx<'_, '_>) -> Outcome {
    const LINES: &[&str] = &[
        "GET <count> <type>",
        "    Return the newest <count> calls of a log, -1 for all. Of each: its number, when",
        "    it was over, its microseconds (slow) or bytes (large-request, large-reply), its",
        "    arguments, the client's address and its name.",
        "LEN <type>",
        "    Return how many calls a log has.",
        "RESET <type>",
        "    Forget the calls of a log.",
    ];
    reply_help(ctx.reply, "COMMANDLOG", LINES);
    Ok(())
}

/// `COMMANDLOG LEN type` → how many calls that log has. O(1).
fn commandlog_len(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let len = log_of(ctx, 2)?.len();
    ctx.reply.integer(len as i64);
    Ok(())
}

/// `COMMANDLOG RESET type` → OK: that log is empty.
fn commandlog_reset(ctx: &mut Ctx<'_, '_>) -> Outcome {
    log_of(ctx, 2)?.reset();
    ctx.reply.ok();
    Ok(())
}

/// `SLOWLOG GET [count]` → the newest slow calls: ten, or as many as asked for; -1: all.
fn slowlog_get(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let count = match ctx.argv.len() {
        2 => SHOWN_COUNT,
        3 => count(ctx.argv.at(2))?,
        _ => {
            return Err(CommandError::UnknownSubcommandOrArity {
                container: "SLOWLOG",
                name: args::shown(ctx.argv.at(1)),
            });
        }
    };
    let log = ctx.engine.call_logs.of(Measure::Slow);
    reply_calls(ctx, log, count);
    Ok(())
}

/// `SLOWLOG HELP` → the subcommands.
fn slowlog_help(ctx: &mut Ctx<'_, '_>) -> Outcome {
    const LINES: &[&str] = &[
        "GET [<count>]",
        "    Return the newest slow calls: 10, or <count>, or all for -1. Of each: its number,",
        "    when it was over, its microseconds, its arguments, the client's address and its",
        "    name.",
        "LEN",
        "    Return how many slow calls are kept.",
        "RESET",
        "    Forget the slow calls.",
    ];
    reply_help(ctx.reply, "SLOWLOG", LINES);
    Ok(())
}

/// `SLOWLOG LEN` → how many slow calls are kept. O(1).
fn slowlog_len(ctx: &mut Ctx<'_, '_>) -> Outcome {
    ctx.reply.integer(ctx.engine.call_logs.of(Measure::Slow).len() as i64);
    Ok(())
}

/// `SLOWLOG RESET` → OK: no slow calls are kept any more.
fn slowlog_reset(ctx: &mut Ctx<'_, '_>) -> Outcome {
    ctx.engine.call_logs.of(Measure::Slow).reset();
    ctx.reply.ok();
    Ok(())
}

fn count(argument: &[u8]) -> Result<usize, CommandError> {
    match args::integer(argument) {
        Ok(-1) => Ok(usize::MAX),
        Ok(count) => usize::try_from(count).map_err(|_| CommandError::CountBelowMinusOne),
        Err(_) => Err(CommandError::CountBelowMinusOne),
    }
}

fn log_of<'e>(ctx: &Ctx<'_, 'e>, index: usize) -> Result<&'e CallLog, CommandError> {
    const MEASURES: [(&str, Measure); 3] = [
        ("slow", Measure::Slow),
        ("large-request", Measure::LargeRequest),
        ("large-reply", Measure::LargeReply),
    ];
    let asked = ctx.argv.at(index);
    let found = MEASURES.iter().find(|(name, _)| args::is_word(asked, name));
    let (_, measure) = found.ok_or(CommandError::CallLogType)?;
    Ok(ctx.engine.call_logs.of(*measure))
}

fn reply_calls(ctx: &mut Ctx<'_, '_>, log: &CallLog, count: usize) {
    let calls = log.newest(count);
    ctx.reply.array(calls.len());
    for call in calls {
        ctx.reply.array(6);
        ctx.reply.integer(call.id as i64);
        ctx.reply.integer(call.at_s as i64);
        ctx.reply.integer(i64::try_from(call.value).unwrap_or(i64::MAX));
        ctx.reply.array(call.arguments.len());
        call.arguments.iter().for_each(|argument| ctx.reply.bulk(argument));
        ctx.reply.bulk(call.address.as_bytes());
        ctx.reply.bulk(&call.name);
    }
}
