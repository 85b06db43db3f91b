//! DEBUG: for tests and for finding faults; behind `enable-debug-command`.

mod outside;
mod protocol;
mod reload;
mod switching;
mod tables;
mod values;

use crate::args;
use crate::command::{Command, Flags, Group, Outcome, Reach};
use crate::commands::common::help::reply_help;
use crate::commands::common::kind;
use crate::context::Ctx;
use crate::data;
use crate::digest::Digest;
use crate::error::CommandError;
use crate::keys::{self, Begin, Find, KeySpec};
use base::numbers;
use resp::Argv;
use store::rdb::payload;

const FLAGS: Flags = Flags::ADMIN
    .with(Flags::NOSCRIPT)
    .with(Flags::LOADING)
    .with(Flags::STALE)
    .with(Flags::PROTECTED);

/// The key of DEBUG SLEEP seconds KEY key.
const HELD_KEY: KeySpec = KeySpec {
    begin: Begin::Keyword { word: "KEY", from: 3 },
    find: Find::Range { last: 0, step: 1, limit: 0 },
    ..KeySpec::at(0, keys::RO)
};

pub(crate) const COMMANDS: &[Command] = &[Command {
    name: "debug",
    arity: -2,
    flags: FLAGS,
    keys: &[HELD_KEY],
    reach: Reach::ByArguments(reach),
    group: Group::Server,
    run: debug,
    ..Command::NEW
}];

/// What a subcommand does, by its name and number of arguments (this name included).
type Subcommand = (&'static str, std::ops::RangeInclusive<usize>, fn(&mut Ctx<'_, '_>) -> Outcome);

const SUBCOMMANDS: &[Subcommand] = &[
    ("aof-flush-sleep", 3..=3, switching::accept),
    ("assert", 2..=2, switching::assert),
    ("change-repl-id", 2..=2, outside::change_replication_id),
    ("config-rewrite-force-all", 2..=2, outside::rewrite_config),
    ("dict-resizing", 3..=3, switching::accept),
    ("digest", 2..=2, digest),
    ("digest-value", 2..=usize::MAX, digest_value),
    ("error", 3..=3, switching::error),
    ("help", 2..=2, help),
    ("htstats", 3..=usize::MAX, tables::of_database),
    ("htstats-key", 3..=usize::MAX, tables::of_key),
    ("leak", 3..=3, switching::leak),
    ("listpack", 3..=3, values::listpack),
    ("loadaof", 2..=usize::MAX, reload::loadaof),
    ("log", 3..=3, switching::log),
    ("mallctl", 3..=usize::MAX, outside::allocator_number),
    ("mallctl-str", 3..=usize::MAX, outside::allocator_text),
    ("object", 3..=4, object),
    ("oom", 2..=2, switching::out_of_memory),
    ("panic", 2..=2, panic),
    ("pause-cron", 3..=3, switching::pause_cron),
    ("populate", 3..=5, tables::populate),
    ("protocol", 3..=3, protocol::protocol),
    ("quicklist", 3..=4, values::quicklist),
    ("quicklist-packed-threshold", 3..=3, switching::quicklist_packed_threshold),
    ("reload", 2..=usize::MAX, reload::reload),
    ("replicate", 3..=usize::MAX, switching::accept),
    ("replybuffer", 4..=4, switching::reply_buffer),
    ("segfault", 2..=2, switching::segfault),
    ("set-active-expire", 3..=3, set_active_expire),
    ("set-disable-deny-scripts", 3..=3, switching::set_disable_deny_scripts),
    ("set-skip-checksum-validation", 3..=3, switching::set_skip_checksum_validation),
    ("sleep", 3..=3, sleep),
    ("sleep", 5..=5, sleep),
    ("stringmatch-test", 2..=2, values::try_patterns),
];

/// `DEBUG subcommand [argument …]`.
fn debug(ctx: &mut Ctx<'_, '_>) -> Outcome {
    match subcommand(ctx.argv) {
        Some((_, _, run)) => run(ctx),
        None => Err(CommandError::UnknownSubcommandOrArity {
            container: "DEBUG",
            name: args::shown(ctx.argv.at(1)),
        }),
    }
}

fn subcommand(argv: Argv<'_>) -> Option<&'static Subcommand> {
    let name = argv.get(1)?;
    let is_meant =
        |(word, counts, _): &&Subcommand| args::is_word(name, word) && counts.contains(&argv.len());
    SUBCOMMANDS.iter().find(is_meant).filter(|_| argv.len() != 5 || is_sleep_on_key(argv))
}

/// Whether it is `DEBUG SLEEP seconds KEY key`; other subcommands take any fifth argument.
fn is_sleep_on_key(argv: Argv<'_>) -> bool {
    let is_sleep = argv.get(1).is_some_and(|name| args::is_word(name, "sleep"));
    !is_sleep || argv.get(3).is_some_and(|word| args::is_word(word, "key"))
}

fn reach(argv: Argv<'_>) -> Reach {
    match subcommand(argv) {
        Some((
            "digest" | "digest-value" | "htstats-key" | "listpack" | "object" | "populate"
            | "quicklist",
            ..,
        )) => Reach::All,
        Some(("htstats", ..)) => Reach::Slices,
        Some(("sleep", ..)) if argv.len() == 3 => Reach::All,
        Some(("sleep", ..)) => Reach::Keys,
        _ => Reach::None,
    }
}

/// `DEBUG DIGEST` → fingerprint of all data. O(data).
fn digest(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let digest = Digest::of_keyspace(ctx.data, ctx.settings.dialect);
    ctx.reply.simple(&digest.to_hex());
    Ok(())
}

/// `DEBUG DIGEST-VALUE [key …]` → fingerprints of their values. O(values).
fn digest_value(ctx: &mut Ctx<'_, '_>) -> Outcome {
    ctx.reply.array(ctx.argv.len() - 2);
    let dialect = ctx.settings.dialect;
    for bytes in ctx.argv.iter().skip(2) {
        let key = ctx.free_key(bytes);
        let digest = ctx.data.peek(key).map(|entry| Digest::of_value(entry, dialect));
        let digest = digest.unwrap_or_default();
        ctx.reply.simple(&digest.to_hex());
    }
    Ok(())
}

/// `DEBUG HELP` → the subcommands.
fn help(ctx: &mut Ctx<'_, '_>) -> Outcome {
    const LINES: &[&str] = &[
        "AOF-FLUSH-SLEEP <microseconds>, DICT-RESIZING <0|1>, QUICKLIST-PACKED-THRESHOLD <size>,",
        "REPLYBUFFER <PEAK-RESET-TIME|RESIZING> <value>",
        "    Accepted: what they tune does not exist here.",
        "ASSERT",
        "    Crash the server as a broken invariant does.",
        "CHANGE-REPL-ID",
        "    Give the history of changes another name, so that no replica can go on with it.",
        "CONFIG-REWRITE-FORCE-ALL",
        "    Rewrite the configuration's file as CONFIG REWRITE does, with a line for every setting.",
        "DIGEST",
        "    Return a fingerprint of all data.",
        "DIGEST-VALUE <key> [<key> ...]",
        "    Return fingerprints of the values of keys.",
        "ERROR <text>",
        "    Return an error with this text.",
        "HTSTATS <db> [full]",
        "    Return how full the tables of a database are.",
        "HTSTATS-KEY <key> [full]",
        "    Return how full the table of a large value is.",
        "LEAK <string>",
        "    Lose the memory of a string.",
        "LISTPACK <key>",
        "    Write a line about a packed value to the server's log.",
        "LOADAOF",
        "    Load the append-only file in place of all data; if that fails, all is as before.",
        "LOG <message>",
        "    Write a line to the server's log.",
        "MALLCTL <name> [<value>]",
        "    Return a number of the allocator's, and set it first if it is one of those that may be.",
        "MALLCTL-STR <name>",
        "    Return a text of the allocator's.",
        "OBJECT <key> [fast]",
        "    Return how the value of a key is kept; `fast` leaves out what takes long to find out.",
        "OOM",
        "    Crash the server as if there were no memory.",
        "PANIC",
        "    Crash the server as a broken invariant does.",
        "PAUSE-CRON <0|1>",
        "    Have the periodic jobs rest, or go on.",
        "POPULATE <count> [<prefix>] [<size>]",
        "    Create keys prefix:0, prefix:1 and so on with strings of this size.",
        "PROTOCOL <type>",
        "    Return a reply of a type: string, integer, double, bignum, null, array, set, map,",
        "    attrib, push, verbatim, true, false.",
        "QUICKLIST <key>",
        "    Write a line about a large list to the server's log.",
        "RELOAD [NOSAVE] [NOFLUSH] [MERGE]",
        "    Save a snapshot and load it in place of all data; if that fails, all is as before.",
        "    NOSAVE: load the one that is there. NOFLUSH: load it beside what is there, which fails",
        "    at a key that is there too. MERGE: then the snapshot's value counts.",
        "REPLICATE <word> [<word> ...]",
        "    Send a call to the replicas alone, of which there are none.",
        "SEGFAULT",
        "    Crash the server as a stray pointer does.",
        "SET-ACTIVE-EXPIRE <0|1>",
        "    Remove keys past their deadline in the background, or only when they are met.",
        "SET-DISABLE-DENY-SCRIPTS <0|1>",
        "    Let scripts call what only clients call otherwise, or not.",
        "SET-SKIP-CHECKSUM-VALIDATION <0|1>",
        "    Let RESTORE take payloads with wrong checksums, or not.",
        "SLEEP <seconds> [KEY <key>]",
        "    Stop the whole server for that long, or only those who want the same shard as the key.",
        "STRINGMATCH-TEST",
        "    Try random patterns on random texts.",
    ];
    reply_help(ctx.reply, "DEBUG", LINES);
    Ok(())
}

/// `DEBUG OBJECT key [fast]` → how its value is kept. O(value), or O(1) with `fast`.
fn object(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let is_fast = ctx.argv.get(3).is_some_and(|word| args::is_word(word, "fast"));
    let (now_ms, target) = (ctx.data.now_ms, ctx.settings.dump_target());
    let key = ctx.free_key(ctx.argv.at(2));
    let entry = ctx.data.peek(key).ok_or(CommandError::NoSuchKey)?;
    let clock = entry.access_clock();
    let len = if is_fast {
        String::new()
    } else {
        format!(" serializedlength:{}", payload::value_len(entry, &target))
    };
    let idle_seconds = (data::access_clock(now_ms).wrapping_sub(clock) & 0x00ff_ffff) / 16;
    let text = format!(
        "Value at:{:p} refcount:1 encoding:{}{len} lru:{clock} lru_seconds_idle:{idle_seconds}",
        entry.key(),
        kind::encoding(entry),
    );
    ctx.reply.simple(&text);
    Ok(())
}

/// `DEBUG SET-ACTIVE-EXPIRE 0 | 1` → OK.
fn set_active_expire(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let is_on = numbers::parse_i64(ctx.argv.at(2)).is_some_and(|number| number != 0);
    ctx.host.set_active_expiry(is_on);
    ctx.reply.ok();
    Ok(())
}

/// `DEBUG PANIC`: ends the server with a report.
fn panic(_ctx: &mut Ctx<'_, '_>) -> Outcome {
    panic!("a client has called DEBUG PANIC");
}

/// `DEBUG SLEEP seconds [KEY key]` → OK, after that time: with the whole server stopped, or (ours)
/// only the shard of the key taken.
fn sleep(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let seconds = numbers::parse_f64(ctx.argv.at(2)).unwrap_or(0.0);
    ctx.host.sleep_ns((seconds * 1e9) as u64);
    ctx.reply.ok();
    Ok(())
}
