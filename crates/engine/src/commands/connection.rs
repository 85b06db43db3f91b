//! What a client settles about its connection: AUTH, HELLO, SELECT, PING, QUIT, RESET.

use crate::acl::{self, Called, DEFAULT};
use crate::args;
use crate::command::{Categories, Command, Databases, Flags, Group, Outcome, Secrets};
use crate::commands::common::database::database;
use crate::context::Ctx;
use crate::error::CommandError;
use base::numbers;
use resp::{Argv, Protocol};

const FAST: Flags = Flags::FAST.with(Flags::LOADING).with(Flags::STALE);
const BEFORE_AUTH: Flags = FAST.with(Flags::NOSCRIPT).with(Flags::NO_AUTH).with(Flags::ALLOW_BUSY);
const ENDING: Flags = BEFORE_AUTH.with(Flags::UNQUEUED).with(Flags::WHILE_SUBSCRIBED);
const ROW: Command =
    Command { group: Group::Connection, acl: Categories::CONNECTION, ..Command::NEW };

pub(crate) const COMMANDS: &[Command] = &[
    Command {
        name: "auth",
        arity: -2,
        flags: BEFORE_AUTH,
        secrets: Secrets::From(1),
        run: auth,
        ..ROW
    },
    Command { name: "echo", arity: 2, flags: FAST, run: echo, ..ROW },
    Command {
        name: "hello",
        flags: BEFORE_AUTH,
        secrets: Secrets::Where(is_secret_of_hello),
        since: "6.0.0",
        run: hello,
        ..ROW
    },
    Command {
        name: "ping",
        flags: Flags::FAST.with(Flags::WHILE_SUBSCRIBED).with(Flags::TELLS_OF_DISK),
        run: ping,
        ..ROW
    },
    Command { name: "quit", flags: ENDING, run: quit, ..ROW },
    Command { name: "reset", arity: 1, flags: ENDING, since: "6.2.0", run: reset, ..ROW },
    Command {
        name: "select",
        arity: 2,
        flags: FAST.with(Flags::ALLOW_BUSY),
        databases: Databases::Named(&[1]),
        run: select,
        ..ROW
    },
];

/// `AUTH [username] password` → OK. O(1).
fn auth(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let (user, password) = match ctx.argv.len() {
        2 if ctx.engine.acl.needs_no_password() => return Err(CommandError::AuthWithoutPassword),
        2 => (DEFAULT, ctx.argv.at(1)),
        3 => (ctx.argv.at(1), ctx.argv.at(2)),
        _ => return Err(CommandError::Syntax),
    };
    authenticate(ctx, user, password)?;
    ctx.reply.ok();
    Ok(())
}

/// `ECHO message` → the message. O(1).
fn echo(ctx: &mut Ctx<'_, '_>) -> Outcome {
    ctx.reply.bulk(ctx.argv.at(1));
    Ok(())
}

/// `HELLO [protover [AUTH username password] [SETNAME name]]` → facts about the server. O(1).
fn hello(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let protocol = if 1 < ctx.argv.len() { Some(wanted_protocol(ctx.argv.at(1))?) } else { None };
    let (mut credentials, mut name) = (None, None);
    let mut index = 2;
    while let Some(word) = ctx.argv.get(index) {
        let following = ctx.argv.len() - index - 1;
        if args::is_word(word, "auth") && 2 <= following {
            credentials = Some((ctx.argv.at(index + 1), ctx.argv.at(index + 2)));
            index += 3;
        } else if args::is_word(word, "setname") && 1 <= following {
            let wanted = ctx.argv.at(index + 1);
            if !wanted.iter().all(|byte| (b'!'..=b'~').contains(byte)) {
                return Err(CommandError::ClientNameInvalid);
            }
            name = Some(wanted);
            index += 2;
        } else {
            return Err(CommandError::HelloOption(args::shown(word)));
        }
    }
    if let Some((user, password)) = credentials {
        authenticate(ctx, user, password)?;
    }
    if !acl::is_admitted(ctx.engine, ctx.session) {
        return Err(CommandError::NoAuthHello);
    }
    if let Some(name) = name {
        ctx.host.client_named(ctx.session, name);
    }
    if let Some(protocol) = protocol {
        ctx.session.protocol = protocol;
        ctx.reply.set_protocol(protocol);
    }
    reply_hello(ctx);
    Ok(())
}

/// `PING [message]` → PONG or the message. O(1).
///
/// A subscriber in RESP2 gets a list that looks like a message.
fn ping(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let is_subscriber = ctx.session.subscriptions.is_some();
    match ctx.argv.len() {
        count @ (1 | 2) if is_subscriber && ctx.session.protocol == Protocol::Resp2 => {
            ctx.reply.array(2);
            ctx.reply.bulk(b"pong");
            ctx.reply.bulk(if count == 2 { ctx.argv.at(1) } else { b"" });
        }
        1 => ctx.reply.pong(),
        2 => ctx.reply.bulk(ctx.argv.at(1)),
        _ => return Err(CommandError::WrongArity(ctx.entry.full_name.clone())),
    }
    Ok(())
}

/// `QUIT` → OK, then the connection is closed.
fn quit(ctx: &mut Ctx<'_, '_>) -> Outcome {
    ctx.session.is_closing = true;
    ctx.reply.ok();
    Ok(())
}

/// `RESET` → RESET: the connection is as it was when it was accepted. O(watched keys).
fn reset(ctx: &mut Ctx<'_, '_>) -> Outcome {
    ctx.engine.pubsub.unsubscribe_all(ctx.session);
    ctx.engine.monitors.remove(ctx.session);
    ctx.engine.tracking.end(ctx.session);
    ctx.session.reset(ctx.engine.acl.is_open());
    ctx.engine.acl.refresh(ctx.session);
    ctx.host.client_reset(ctx.session);
    ctx.host.client_user_changed(ctx.session);
    ctx.reply.set_protocol(ctx.session.protocol);
    ctx.reply.simple("RESET");
    Ok(())
}

/// `SELECT index` → OK: the calls that follow use that database. O(1).
fn select(ctx: &mut Ctx<'_, '_>) -> Outcome {
    ctx.session.db = database(ctx, ctx.argv.at(1))?;
    ctx.reply.ok();
    Ok(())
}

/// Whether an argument of HELLO is a user or a password.
fn is_secret_of_hello(argv: Argv<'_>, wanted: usize) -> bool {
    let mut index = 2;
    while let Some(word) = argv.get(index).filter(|_| index < wanted) {
        if args::is_word(word, "auth") {
            if wanted <= index + 2 {
                return true;
            }
            index += 3;
        } else {
            index += 2;
        }
    }
    false
}

fn authenticate(ctx: &mut Ctx<'_, '_>, user: &[u8], password: &[u8]) -> Outcome {
    let Some(user) = ctx.engine.acl.authenticate(user, password) else {
        let call = Called { entry: ctx.entry, argv: ctx.argv, db: ctx.session.db };
        acl::note_wrong_password(ctx.engine, ctx.host, ctx.session, &call, user);
        return Err(CommandError::WrongPass);
    };
    ctx.session.log_in(user, ctx.engine.acl.generation());
    ctx.session.is_authenticated = true;
    ctx.host.client_user_changed(ctx.session);
    Ok(())
}

fn wanted_protocol(argument: &[u8]) -> Result<Protocol, CommandError> {
    match numbers::parse_i64(argument) {
        None => Err(CommandError::ProtocolInvalid),
        Some(2) => Ok(Protocol::Resp2),
        Some(3) => Ok(Protocol::Resp3),
        Some(_) => Err(CommandError::ProtocolUnsupported),
    }
}

fn reply_hello(ctx: &mut Ctx<'_, '_>) {
    let differences = ctx.settings.dialect.differences();
    let reply = &mut *ctx.reply;
    reply.map(7);
    reply.bulk(b"server");
    reply.bulk(differences.hello_server.as_bytes());
    reply.bulk(b"version");
    reply.bulk(differences.hello_version.as_bytes());
    reply.bulk(b"proto");
    reply.integer(match ctx.session.protocol {
        Protocol::Resp2 => 2,
        Protocol::Resp3 => 3,
    });
    reply.bulk(b"id");
    reply.integer(ctx.session.id as i64);
    reply.bulk(b"mode");
    reply.bulk(b"standalone");
    reply.bulk(b"role");
    reply.bulk(b"master");
    reply.bulk(b"modules");
    reply.array(0);
}
