//! MODULE: there is no interface for modules, and this says so.

use crate::command::{Command, Flags, Group, Outcome};
use crate::commands::common::help::reply_help;
use crate::context::Ctx;
use crate::error::CommandError;

const ROW: Command = Command { group: Group::Server, since: "4.0.0", ..Command::NEW };
const ADMIN: Flags = Flags::ADMIN.with(Flags::NOSCRIPT);
const CHANGING: Flags =
    ADMIN.with(Flags::NO_ASYNC_LOADING).with(Flags::PROTECTED).with(Flags::ABOUT_MODULES);

pub(crate) const COMMANDS: &[Command] =
    &[Command { name: "module", arity: -2, subcommands: SUBCOMMANDS, ..ROW }];

const SUBCOMMANDS: &[Command] = &[
    Command {
        name: "help",
        arity: 2,
        flags: Flags::LOADING.with(Flags::STALE),
        since: "5.0.0",
        run: help,
        ..ROW
    },
    Command { name: "list", arity: 2, flags: ADMIN, run: list, ..ROW },
    Command { name: "load", arity: -3, flags: CHANGING, run: load, ..ROW },
    Command { name: "loadex", arity: -3, flags: CHANGING, since: "7.0.0", run: load, ..ROW },
    Command { name: "unload", arity: 3, flags: CHANGING, run: unload, ..ROW },
];

/// `MODULE HELP` → the subcommands.
fn help(ctx: &mut Ctx<'_, '_>) -> Outcome {
    const LINES: &[&str] = &[
        "LIST",
        "    Return the loaded modules: none.",
        "LOAD <path> [<arg> ...]",
        "    Fail, because this server has no interface for modules.",
        "LOADEX <path> [CONFIG <name> <value> ...] [ARGS <arg> ...]",
        "    Fail as well.",
        "UNLOAD <name>",
        "    Fail, because no module is loaded.",
    ];
    reply_help(ctx.reply, "MODULE", LINES);
    Ok(())
}

/// `MODULE LIST` → an empty list.
fn list(ctx: &mut Ctx<'_, '_>) -> Outcome {
    ctx.reply.array(0);
    Ok(())
}

/// `MODULE LOAD path [arg …]`, `MODULE LOADEX path [CONFIG name value …] [ARGS arg …]` → an error: the
/// log says why.
fn load(ctx: &mut Ctx<'_, '_>) -> Outcome {
    ctx.host.log(3, "A module was not loaded: this server has no interface for modules.");
    Err(CommandError::ModuleNotLoaded)
}

/// `MODULE UNLOAD name` → an error: there is no such module.
fn unload(_ctx: &mut Ctx<'_, '_>) -> Outcome {
    Err(CommandError::ModuleUnknown)
}
