//! ACL: users and their rights.
//!
//! What changes users stands behind the gate: no call runs with the old and the new rights, and the
//! reply comes after all calls that still had the old ones.

use crate::acl::{self, Around, Called, DEFAULT, LogEntry, Selector, User, Users};
use crate::args;
use crate::command::{Categories, Command, Flags, Group, Outcome, Reach, Secrets};
use crate::commands::common::help::reply_help;
use crate::context::Ctx;
use crate::dialect::Dialect;
use crate::error::{AclError, CommandError};
use crate::pubsub::Topic;
use crate::table::Lookup;
use resp::Reply;
use std::sync::Arc;

/// Bits of a generated password, and most that may be asked for.
const PASSWORD_BITS: i64 = 256;
const PASSWORD_BITS_MAX: i64 = 4096;

/// Entries of the log that are shown unasked.
const LOG_ENTRIES: usize = 10;

const ASKING: Flags = Flags::NOSCRIPT.with(Flags::LOADING).with(Flags::STALE);
const ROW: Command =
    Command { flags: ASKING, group: Group::Server, since: "6.0.0", ..Command::NEW };
const ADMIN: Command = Command { flags: ASKING.with(Flags::ADMIN), ..ROW };
const CHANGE: Command = Command { reach: Reach::All, ..ADMIN };

/// Who has an account, and with which password, is not for logs.
const USERS: Secrets = Secrets::From(2);

pub(crate) const COMMANDS: &[Command] =
    &[Command { name: "acl", arity: -2, flags: Flags::NONE, subcommands: SUBCOMMANDS, ..ROW }];

const SUBCOMMANDS: &[Command] = &[
    Command { name: "cat", arity: -2, run: cat, ..ROW },
    Command { name: "deluser", arity: -3, secrets: USERS, run: deluser, ..CHANGE },
    Command { name: "dryrun", arity: -4, since: "7.0.0", run: dryrun, ..ADMIN },
    Command { name: "genpass", arity: -2, run: genpass, ..ROW },
    Command { name: "getuser", arity: 3, secrets: USERS, run: getuser, ..ADMIN },
    Command { name: "help", arity: 2, flags: Flags::LOADING.with(Flags::STALE), run: help, ..ROW },
    Command { name: "list", arity: 2, run: list, ..ADMIN },
    Command { name: "load", arity: 2, run: load, ..CHANGE },
    Command { name: "log", arity: -2, run: log, ..ADMIN },
    Command { name: "save", arity: 2, run: save, ..ADMIN },
    Command { name: "setuser", arity: -3, secrets: USERS, run: setuser, ..CHANGE },
    Command { name: "users", arity: 2, run: users, ..ADMIN },
    Command { name: "whoami", arity: 2, run: whoami, ..ROW },
];

/// `ACL CAT [category]` → the categories, or the commands of one. O(commands).
fn cat(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let names: Vec<&str> = match ctx.argv.len() {
        2 => Categories::NAMES.iter().map(|(_, name)| *name).collect(),
        3 => {
            let name = ctx.argv.at(2);
            let unknown = || AclError::CategoryUnknown(args::shown(name));
            let category = acl::category(name).ok_or_else(unknown)?;
            let entries = ctx.engine.table.all();
            let members = entries.filter(|entry| entry.row.categories().has(category));
            members.map(|entry| &*entry.full_name).collect()
        }
        _ => return Err(wrong_arguments(ctx)),
    };
    ctx.reply.array(names.len());
    names.iter().for_each(|name| ctx.reply.bulk(name.as_bytes()));
    Ok(())
}

/// `ACL DELUSER name [name …]` → how many there were; their clients are ended. O(clients).
fn deluser(ctx: &mut Ctx<'_, '_>) -> Outcome {
    if ctx.argv.iter().skip(2).any(|name| name == DEFAULT) {
        return Err(AclError::DefaultUser.into());
    }
    let mut users = Users::clone(&ctx.engine.acl.users());
    let names = ctx.argv.iter().skip(2);
    let removed: Vec<Arc<User>> = names.filter_map(|name| users.remove(name)).collect();
    if !removed.is_empty() {
        ctx.engine.acl.publish(users);
    }
    removed.iter().for_each(|user| end_clients(ctx, user));
    ctx.reply.integer(removed.len() as i64);
    Ok(())
}

/// `ACL DRYRUN name command [argument …]` → OK, or why that user may not make that call. O(arguments
/// × patterns).
fn dryrun(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let name = ctx.argv.at(2);
    let not_found = || AclError::UserNotFound(args::shown(name));
    let user = ctx.engine.acl.user(name).ok_or_else(not_found)?;
    let argv = ctx.argv.from(3);
    let entry = match ctx.engine.table.lookup(argv) {
        Lookup::Found(entry) | Lookup::SubcommandMissing(entry) => entry,
        Lookup::UnknownCommand | Lookup::UnknownSubcommand(_) => {
            return Err(AclError::CommandNotFound(args::shown(argv.at(0))).into());
        }
    };
    if !entry.row.accepts(argv.len()) {
        return Err(CommandError::WrongArity(entry.full_name.clone()));
    }
    let call = Called { entry, argv, db: ctx.session.db };
    match user.check(&call) {
        Ok(()) => ctx.reply.ok(),
        Err(refusal) => {
            let denial =
                CommandError::from(AclError::Refused(refusal.denial_in_full(&user, &call)));
            ctx.reply.bulk(&denial.line());
        }
    }
    Ok(())
}

/// `ACL GENPASS [bits]` → a password of so many bits that nobody can guess. O(bits).
fn genpass(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let bits = match ctx.argv.len() {
        2 => PASSWORD_BITS,
        3 => args::integer(ctx.argv.at(2))?,
        _ => return Err(wrong_arguments(ctx)),
    };
    if !(1..=PASSWORD_BITS_MAX).contains(&bits) {
        return Err(AclError::GeneratedBits.into());
    }
    let digits = bits.unsigned_abs().div_ceil(4) as usize;
    let mut text = String::new();
    while text.len() < digits {
        text.push_str(&format!("{:016x}", ctx.host.secret_u64()));
    }
    ctx.reply.bulk(&text.as_bytes()[..digits]);
    Ok(())
}

/// `ACL GETUSER name` → what there is to know of a user, or null. O(rules).
fn getuser(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let Some(user) = ctx.engine.acl.user(ctx.argv.at(2)) else {
        ctx.reply.null();
        return Ok(());
    };
    let has_databases = ctx.settings.dialect == Dialect::Valkey;
    let reply = &mut *ctx.reply;
    reply.map(6 + usize::from(has_databases));
    reply.bulk(b"flags");
    let flags: Vec<&str> = user.flags(ctx.settings.dialect).collect();
    reply.set(flags.len());
    flags.iter().for_each(|flag| reply.bulk(flag.as_bytes()));
    reply.bulk(b"passwords");
    reply.array(user.passwords().len());
    user.passwords().iter().for_each(|password| reply.bulk(password));
    reply_selector(reply, user.root(), has_databases);
    reply.bulk(b"selectors");
    reply.array(user.selectors().len());
    for selector in user.selectors() {
        reply.map(3 + usize::from(has_databases));
        reply_selector(reply, selector, has_databases);
    }
    Ok(())
}

/// `ACL HELP` → the subcommands.
fn help(ctx: &mut Ctx<'_, '_>) -> Outcome {
    reply_help(ctx.reply, "acl", HELP);
    Ok(())
}

/// `ACL LIST` → all users as lines of a user file. O(users).
fn list(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let text = acl::to_text(&ctx.engine.acl.users(), ctx.settings.dialect);
    let lines: Vec<&[u8]> =
        text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    ctx.reply.array(lines.len());
    lines.iter().for_each(|line| ctx.reply.bulk(line));
    Ok(())
}

/// `ACL LOAD` → OK: the users of the user file, all of them or none. Clients of users that it does not
/// name are ended, and subscribers to what it withdraws. O(users + clients).
fn load(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let failed = |what: String| AclError::File(args::shown(what.as_bytes()));
    let Some((path, text)) = ctx.host.read_users().map_err(failed)? else {
        return Err(not_configured(ctx));
    };
    let around = Around::new(&ctx.engine.table, ctx.settings);
    let users = acl::parse_file(&path, &text, &around).map_err(failed)?;
    let before = ctx.engine.acl.users();
    ctx.engine.acl.publish(users.clone());
    for user in before.values() {
        match users.get(user.name()) {
            Some(same) if same == user => {}
            Some(changed) => end_subscribers(ctx, changed),
            None => end_clients(ctx, user),
        }
    }
    ctx.reply.ok();
    Ok(())
}

/// `ACL LOG [count | RESET]` → what was refused, the newest first. O(count).
fn log(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let count = match ctx.argv.get(2) {
        _ if 3 < ctx.argv.len() => return Err(wrong_arguments(ctx)),
        None => LOG_ENTRIES,
        Some(word) if args::is_word(word, "reset") => {
            ctx.engine.acl.log.clear();
            ctx.reply.ok();
            return Ok(());
        }
        Some(count) => usize::try_from(args::integer(count)?).unwrap_or(0),
    };
    let entries = ctx.engine.acl.log.newest(count);
    let now_ms = ctx.engine.clock().wall_ms();
    ctx.reply.array(entries.len());
    entries.iter().for_each(|entry| reply_log_entry(ctx.reply, entry, now_ms));
    Ok(())
}

/// `ACL SAVE` → OK: the users are in the user file. O(users).
fn save(ctx: &mut Ctx<'_, '_>) -> Outcome {
    match ctx.host.write_users(&acl::to_text(&ctx.engine.acl.users(), ctx.settings.dialect)) {
        Ok(true) => ctx.reply.ok(),
        Ok(false) => return Err(not_configured(ctx)),
        Err(reason) => {
            ctx.host.log(3, &reason);
            return Err(AclError::FileNotSaved.into());
        }
    }
    Ok(())
}

/// `ACL SETUSER name [rule …]` → OK: the rules are applied, all of them or none. O(rules × commands).
fn setuser(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let name = ctx.argv.at(2);
    acl::check_name(name)?;
    let unmatched =
        |index: usize| AclError::UnmatchedParenthesis(args::shown(ctx.argv.at(3 + index)));
    let rules = acl::merge_selectors(ctx.argv.iter().skip(3)).map_err(unmatched)?;
    let around = Around::new(&ctx.engine.table, ctx.settings);
    let before = ctx.engine.acl.user(name);
    let user = before
        .as_ref()
        .map_or_else(|| User::new(name, around.has_channels), |user| User::clone(user));
    let user = Arc::new(acl::changed(user, &rules, &around)?);
    let mut users = Users::clone(&ctx.engine.acl.users());
    users.insert(name.into(), Arc::clone(&user));
    ctx.engine.acl.publish(users);
    if before.is_some() {
        end_subscribers(ctx, &user);
    }
    ctx.reply.ok();
    Ok(())
}

/// `ACL USERS` → the names of all users. O(users).
fn users(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let users = ctx.engine.acl.users();
    ctx.reply.array(users.len());
    users.keys().for_each(|name| ctx.reply.bulk(name));
    Ok(())
}

/// `ACL WHOAMI` → the name of this connection's user. O(1).
fn whoami(ctx: &mut Ctx<'_, '_>) -> Outcome {
    ctx.reply.bulk(ctx.session.user_name());
    Ok(())
}

/// Ends all clients of a user.
fn end_clients(ctx: &mut Ctx<'_, '_>, user: &User) {
    let ends_own = ctx.host.end_clients_of(ctx.engine, user.name(), None, ctx.session.id);
    ctx.session.is_closing |= ends_own;
}

/// Ends the clients of a user who have subscribed to what it may not use any more.
fn end_subscribers(ctx: &mut Ctx<'_, '_>, user: &User) {
    // Who may use this pattern may use all channels: there is no other rule that allows it.
    if user.allows_channel(b"*", true) {
        return;
    }
    let topics = [Topic::Channel, Topic::Pattern, Topic::ShardChannel];
    let ids = topics
        .into_iter()
        .flat_map(|topic| {
            let is_refused = |name: &[u8]| !user.allows_channel(name, topic == Topic::Pattern);
            ctx.engine.pubsub.subscribers_of(topic, is_refused)
        })
        .collect();
    let own = ctx.session.id;
    let ends_own = ctx.host.end_clients_of(ctx.engine, user.name(), Some(&ids), own);
    ctx.session.is_closing |= ends_own;
}

fn reply_selector(reply: &mut Reply, selector: &Selector, has_databases: bool) {
    let mut field = |name: &[u8], describe: fn(&Selector, &mut Vec<u8>)| {
        let mut text = Vec::new();
        describe(selector, &mut text);
        reply.bulk(name);
        reply.bulk(&text);
    };
    field(b"commands", Selector::describe_commands);
    field(b"keys", Selector::describe_keys);
    field(b"channels", Selector::describe_channels);
    if has_databases {
        field(b"databases", Selector::describe_databases);
    }
}

fn reply_log_entry(reply: &mut Reply, entry: &LogEntry, now_ms: u64) {
    reply.map(10);
    reply.bulk(b"count");
    reply.integer(entry.count as i64);
    let texts: [(&[u8], &[u8]); 4] = [
        (b"reason", entry.what.name().as_bytes()),
        (b"context", entry.context.name().as_bytes()),
        (b"object", &entry.object),
        (b"username", &entry.user),
    ];
    for (name, text) in texts {
        reply.bulk(name);
        reply.bulk(text);
    }
    reply.bulk(b"age-seconds");
    reply.double(now_ms.saturating_sub(entry.updated_ms) as f64 / 1000.0);
    reply.bulk(b"client-info");
    reply.bulk(&entry.client);
    let numbers: [(&[u8], u64); 3] = [
        (b"entry-id", entry.id),
        (b"timestamp-created", entry.created_ms),
        (b"timestamp-last-updated", entry.updated_ms),
    ];
    for (name, number) in numbers {
        reply.bulk(name);
        reply.integer(number as i64);
    }
}

fn not_configured(ctx: &Ctx<'_, '_>) -> CommandError {
    let error = match ctx.settings.dialect {
        Dialect::Redis => AclError::FileNotConfigured,
        Dialect::Valkey => AclError::FileNotConfiguredValkey,
    };
    error.into()
}

fn wrong_arguments(ctx: &Ctx<'_, '_>) -> CommandError {
    CommandError::UnknownSubcommandOrArity { container: "ACL", name: args::shown(ctx.argv.at(1)) }
}

const HELP: &[&str] = &[
    "CAT [<category>]",
    "    Return the categories, or the commands of one.",
    "DELUSER <username> [<username> ...]",
    "    Remove users, and end their clients.",
    "DRYRUN <username> <command> [<arg> ...]",
    "    Tell whether a user may make a call, without making it.",
    "GENPASS [<bits>]",
    "    Return a password that nobody can guess, of 256 bits if not said otherwise.",
    "GETUSER <username>",
    "    Return what a user may do.",
    "LIST",
    "    Return all users as lines of a user file.",
    "LOAD",
    "    Read the user file again.",
    "LOG [<count>|RESET]",
    "    Return what was refused lately, or forget it.",
    "SAVE",
    "    Write the users into the user file.",
    "SETUSER <username> [<rule> ...]",
    "    Create a user, or change it.",
    "USERS",
    "    Return the names of all users.",
    "WHOAMI",
    "    Return the name of this connection's user.",
];
