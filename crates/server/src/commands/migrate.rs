//! MIGRATE: keys that move to another server, one command for DUMP, RESTORE and DEL.
//!
//! The values are written out under the locks of their shards; then the locks go, a thread of its own
//! talks to the target, and the client waits as in any blocking call: neither its loop nor other
//! clients wait for the network. When the target has answered, the call is made again, under its
//! locks again, and deletes what it finds as it was sent.
//!
//! **What is promised.** A key goes from here only in a state that the target has acknowledged. Where
//! somebody has changed it meanwhile it is sent once more, over what was sent before; and where it
//! is gone, the target is told to delete it. After a few such rounds the thread that runs the call
//! talks to the target itself while it holds the locks, so that nothing can change: as Redis does it
//! from the start. It also does so inside EXEC and scripts, where nobody can wait. With COPY nothing
//! is deleted here, and the target gets the state that was there when the call began.
//!
//! A client that is unblocked, or goes away, leaves its keys here, and perhaps there too.

use super::host;
use crate::migration::{Delivered, Delivery, Failure, Item, Migrations, Mission, SentValue};
use engine::args::{self, Args, is_word};
use engine::blocking::{AtTimeout, Wait};
use engine::command::{Categories, Flags, Group, Outcome, Secrets};
use engine::keys::{self, Begin, Find, KeySpec};
use engine::{Command, CommandError, Ctx, Reach, events};
use resp::Argv;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use store::rdb::payload;

/// The place of the key, which is empty if there are several.
const KEY: usize = 3;
/// Where the options begin.
const OPTIONS: usize = 6;
/// How long a target may take for each step if the call doesn't say.
const TIMEOUT_MS: i64 = 1000;
/// How soon the call looks whether the target has answered.
const LOOK_AGAIN: Duration = Duration::from_millis(2);
/// So often the keys are sent while others may change them.
const ROUNDS_FREE: usize = 3;

pub(crate) const COMMANDS: &[Command] = &[Command {
    name: "migrate",
    arity: -6,
    flags: Flags::WRITE,
    keys: &[
        KeySpec::at(KEY, keys::RW_ACCESS_DELETE).located(only_key),
        // A search for the word may meet a key or a password of that name, so clients are told that
        // it is not all.
        KeySpec {
            begin: Begin::Keyword { word: "KEYS", from: -2 },
            find: Find::Range { last: -1, step: 1, limit: 0 },
            ..KeySpec::at(0, keys::RW_ACCESS_DELETE_INCOMPLETE)
        }
        .located(many_keys),
    ],
    reach: Reach::Keys,
    group: Group::Generic,
    acl: Categories::KEYSPACE.with(Categories::DANGEROUS),
    secrets: Secrets::Where(is_secret),
    since: "2.6.0",
    run: migrate,
    ..Command::NEW
}];

/// What a call asks for.
struct Request<'a> {
    host: &'a [u8],
    port: u16,
    database: i64,
    timeout: Duration,
    copies: bool,
    replaces: bool,
    /// User name and password, or the password alone.
    credentials: Vec<Vec<u8>>,
    /// The arguments that are keys.
    keys: Range<usize>,
}

/// `MIGRATE host port key | "" db timeout [COPY] [REPLACE] [AUTH password | AUTH2 username password]
/// [KEYS key …]` → OK: the keys are at the other server, and no longer here; NOKEY if none is there.
/// O(values).
fn migrate(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let request = Request::read(ctx.argv)?;
    let migrations = &host(ctx)?.migrations;
    let client = ctx.session.id;
    let running = if ctx.is_made_again() { migrations.of(client) } else { None };
    let mut delivery = match running {
        Some(delivery) => delivery,
        None => {
            let items = request.items(ctx);
            if items.is_empty() {
                ctx.reply.simple("NOKEY");
                return Ok(());
            }
            Arc::new(Delivery::new(request.mission(items), 0))
        }
    };
    loop {
        let Some(delivered) = carry_out(ctx, migrations, &delivery) else { return Ok(()) };
        let left = request.settle(ctx, delivery.items(), &delivered);
        let is_over = left.is_empty() || delivered.failure.is_some();
        if is_over {
            migrations.forget(client);
            let Some(failure) = delivered.failure else { break };
            return Err(error(failure));
        }
        delivery = Arc::new(Delivery::new(request.mission(left), delivery.round() + 1));
    }
    ctx.reply.ok();
    Ok(())
}

/// What has become of a delivery; nothing yet if the client waits for that.
fn carry_out(
    ctx: &mut Ctx<'_, '_>,
    migrations: &Migrations,
    delivery: &Arc<Delivery>,
) -> Option<Delivered> {
    if let Some(delivered) = delivery.delivered() {
        return Some(delivered);
    }
    let wait = Wait { retry: Some(LOOK_AGAIN), ..Wait::until(None, AtTimeout::NullArray) };
    if delivery.round() < ROUNDS_FREE && ctx.wait(wait) {
        migrations.start(ctx.session.id, delivery);
        return None;
    }
    Some(delivery.run())
}

fn error(failure: Failure) -> CommandError {
    match failure {
        Failure::Connect => CommandError::MigrateUnreachable,
        Failure::Read => CommandError::MigrateFailed("reading"),
        Failure::Refused(answer) => CommandError::MigrateRefused(args::shown(&answer)),
        Failure::Write => CommandError::MigrateFailed("writing"),
    }
}

impl<'a> Request<'a> {
    fn read(argv: Argv<'a>) -> Result<Self, CommandError> {
        let mut request = Self {
            host: argv.at(1),
            // What is no port is reached like one that nobody listens on.
            port: std::str::from_utf8(argv.at(2))
                .ok()
                .and_then(|text| text.parse().ok())
                .unwrap_or(0),
            database: 0,
            timeout: Duration::ZERO,
            copies: false,
            replaces: false,
            credentials: Vec::new(),
            keys: KEY..KEY + 1,
        };
        let mut args = Args::new(argv, OPTIONS);
        while !args.is_empty() {
            if args.take("copy") {
                request.copies = true;
            } else if args.take("replace") {
                request.replaces = true;
            } else if args.take("auth") {
                request.credentials = vec![args.required()?.to_vec()];
            } else if args.take("auth2") {
                let name = args.required()?.to_vec();
                request.credentials = vec![name, args.required()?.to_vec()];
            } else if args.take("keys") {
                if !argv.at(KEY).is_empty() {
                    return Err(CommandError::MigrateKeysAndKey);
                }
                request.keys = args.position()..argv.len();
                break;
            } else {
                return Err(CommandError::Syntax);
            }
        }
        let timeout_ms = Some(args::integer(argv.at(5))?).filter(|timeout| 0 < *timeout);
        request.timeout = Duration::from_millis(timeout_ms.unwrap_or(TIMEOUT_MS).unsigned_abs());
        request.database = args::integer(argv.at(4))?;
        Ok(request)
    }

    /// The keys that are there, as they are now.
    fn items(&self, ctx: &mut Ctx<'_, '_>) -> Vec<Item> {
        let keys = self.keys.clone();
        keys.filter_map(|index| item(ctx, index, self.replaces)).collect()
    }

    fn mission(&self, items: Vec<Item>) -> Mission {
        Mission {
            host: String::from_utf8_lossy(self.host).into_owned(),
            port: self.port,
            database: self.database,
            timeout: self.timeout,
            credentials: self.credentials.clone(),
            items,
        }
    }

    /// Deletes the keys that have arrived as they are. Returns what is to be sent after that.
    fn settle(&self, ctx: &mut Ctx<'_, '_>, items: &[Item], delivered: &Delivered) -> Vec<Item> {
        let mut left = Vec::new();
        if self.copies {
            return left;
        }
        let arrived = items.iter().zip(&delivered.is_done).filter(|(_, is_done)| **is_done);
        for (sent, _) in arrived {
            let found = item(ctx, sent.argument, true);
            match (found, &sent.value) {
                (Some(found), Some(value)) if found.value.as_ref() == Some(value) => {
                    let key = ctx.key(sent.argument);
                    ctx.data.remove(key);
                    ctx.data.changed(key, events::DEL);
                    ctx.journal_as(&[b"DEL", key.bytes]);
                }
                (Some(found), _) => left.push(found),
                (None, Some(_)) => left.push(Item { value: None, ..sent.clone() }),
                (None, None) => {}
            }
        }
        left
    }
}

/// The key at an argument with its value, to be sent.
fn item(ctx: &mut Ctx<'_, '_>, argument: usize, replaces: bool) -> Option<Item> {
    let (key, target, now_ms) = (ctx.key(argument), ctx.settings.dump_target(), ctx.data.now_ms);
    let entry = ctx.data.peek(key)?;
    let deadline = entry.deadline();
    let payload = payload::dump(entry, &target)?;
    Some(Item {
        argument,
        key: key.bytes.to_vec(),
        value: Some(SentValue { payload, deadline }),
        ttl_ms: deadline.map_or(0, |deadline| deadline.saturating_sub(now_ms).max(1)),
        replaces,
    })
}

/// The key, unless several are named.
fn only_key(argv: Argv<'_>) -> Range<usize> {
    let is_only = KEY < argv.len() && key_list(argv).is_none();
    if is_only { KEY..KEY + 1 } else { 0..0 }
}

/// The keys behind the word KEYS.
fn many_keys(argv: Argv<'_>) -> Range<usize> {
    key_list(argv).map_or(0..0, |first| first..argv.len())
}

/// Where the keys begin behind the word KEYS.
fn key_list(argv: Argv<'_>) -> Option<usize> {
    let mut args = Args::new(argv, OPTIONS);
    while let Some(word) = args.next() {
        if is_word(word, "keys") {
            return Some(args.position());
        }
        // What stands for itself may be such a word too.
        let skipped = if is_word(word, "auth2") { 2 } else { usize::from(is_word(word, "auth")) };
        for _ in 0..skipped {
            args.next();
        }
    }
    None
}

/// Whether an argument of MIGRATE is a part of what it says who it is.
fn is_secret(argv: Argv<'_>, wanted: usize) -> bool {
    let mut index = OPTIONS;
    while let Some(word) = argv.get(index).filter(|_| index < wanted) {
        let count = match word {
            _ if is_word(word, "auth") => 1,
            _ if is_word(word, "auth2") => 2,
            _ if is_word(word, "keys") => return false,
            _ => 0,
        };
        if wanted <= index + count {
            return true;
        }
        index += 1 + count;
    }
    false
}
