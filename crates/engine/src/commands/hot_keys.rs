//! HOTKEYS: which keys take the most processor time and network bytes.

use crate::args::Args;
use crate::command::{Command, Flags, Group, Origin, Outcome};
use crate::commands::common::help::reply_help;
use crate::context::Ctx;
use crate::error::{CommandError, HotKeysError};
use crate::hot_keys::{Collection, Wanted};

const ROW: Command = Command {
    group: Group::Server,
    flags: Flags::ADMIN.with(Flags::NOSCRIPT),
    since: "8.6.0",
    origin: Origin::Redis,
    ..Command::NEW
};

pub(crate) const COMMANDS: &[Command] =
    &[Command { name: "hotkeys", arity: -2, flags: Flags::NONE, subcommands: SUBCOMMANDS, ..ROW }];

const SUBCOMMANDS: &[Command] = &[
    Command { name: "get", arity: 2, run: get, ..ROW },
    Command { name: "help", arity: 2, flags: Flags::LOADING.with(Flags::STALE), run: help, ..ROW },
    Command { name: "reset", arity: 2, run: reset, ..ROW },
    Command { name: "start", arity: -2, run: start, ..ROW },
    Command { name: "stop", arity: 2, run: stop, ..ROW },
];

const KEYS_DEFAULT: usize = 10;
const KEYS_MAX: i64 = 64;
const DURATION_S_MAX: i64 = 1_000_000;

/// `HOTKEYS GET` → a list of one map, what was collected; null if nothing was. O(keys).
fn get(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let Some(collection) = ctx.engine.hot_keys.last() else {
        ctx.reply.null();
        return Ok(());
    };
    let now_ms = ctx.engine.clock().wall_ms();
    let totals = collection.totals();
    let Wanted { times, bytes, sample_ratio, .. } = collection.wanted;
    ctx.reply.array(1);
    ctx.reply.map(7 + if times { 3 } else { 0 } + if bytes { 2 } else { 0 });
    number(ctx, "tracking-active", u64::from(collection.is_running(now_ms)));
    number(ctx, "sample-ratio", sample_ratio);
    ctx.reply.bulk(b"selected-slots");
    // There is no choice without a cluster.
    ctx.reply.array(0);
    number(ctx, "all-commands-all-slots-us", totals.all_us);
    number(ctx, "net-bytes-all-commands-all-slots", totals.all_bytes);
    number(ctx, "collection-start-time-unix-ms", collection.started_ms);
    number(ctx, "collection-duration-ms", collection.duration_ms(now_ms));
    if times {
        let (user_us, system_us) = processor_us(ctx, &collection);
        number(ctx, "total-cpu-time-user-ms", user_us / 1000);
        number(ctx, "total-cpu-time-sys-ms", system_us / 1000);
    }
    if bytes {
        number(ctx, "total-net-bytes", totals.all_bytes);
    }
    if times {
        keys(ctx, "by-cpu-time-us", &totals.times);
    }
    if bytes {
        keys(ctx, "by-net-bytes", &totals.bytes);
    }
    Ok(())
}

/// `HOTKEYS HELP` → the subcommands.
fn help(ctx: &mut Ctx<'_, '_>) -> Outcome {
    const LINES: &[&str] = &[
        "GET",
        "    Return what is collected now, or was collected last.",
        "RESET",
        "    Forget what was collected. The collection must have been stopped.",
        "START METRICS <count> [CPU] [NET] [COUNT <k>] [DURATION <seconds>] [SAMPLE <ratio>]",
        "    Collect which keys take the most processor time, network bytes, or both: k keys, for so",
        "    long, of one call in so many.",
        "STOP",
        "    Collect no more.",
    ];
    reply_help(ctx.reply, "HOTKEYS", LINES);
    Ok(())
}

/// `HOTKEYS RESET` → OK.
fn reset(ctx: &mut Ctx<'_, '_>) -> Outcome {
    if !ctx.engine.hot_keys.reset(ctx.engine.clock().wall_ms()) {
        return Err(HotKeysError::RunningYet.into());
    }
    ctx.reply.ok();
    Ok(())
}

/// `HOTKEYS START METRICS count [CPU] [NET] [COUNT k] [DURATION seconds] [SAMPLE ratio]` → OK.
fn start(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let now_ms = ctx.engine.clock().wall_ms();
    if ctx.engine.hot_keys.last().is_some_and(|collection| collection.is_running(now_ms)) {
        return Err(HotKeysError::Running.into());
    }
    let wanted = wanted(Args::new(ctx.argv, 2))?;
    let (processor_us, seed) = (ctx.host.processor_us(), ctx.data.rng.next_u64());
    if !ctx.engine.hot_keys.start(wanted, now_ms, processor_us, seed) {
        return Err(HotKeysError::Running.into());
    }
    ctx.reply.ok();
    Ok(())
}

/// `HOTKEYS STOP` → OK; null if nothing is collected.
fn stop(ctx: &mut Ctx<'_, '_>) -> Outcome {
    if ctx.engine.hot_keys.stop(ctx.engine.clock().wall_ms()) {
        ctx.reply.ok();
    } else {
        ctx.reply.null();
    }
    Ok(())
}

fn wanted(mut args: Args<'_>) -> Result<Wanted, CommandError> {
    if !args.take("metrics") {
        return Err(HotKeysError::MetricsMissing.into());
    }
    let count = args.next().and_then(base::numbers::parse_i64);
    let count = count.filter(|count| (1..=2).contains(count)).ok_or(HotKeysError::MetricsCount)?;
    let (mut times, mut bytes) = (false, false);
    loop {
        let (metric, name) = if args.take("cpu") {
            (&mut times, "CPU")
        } else if args.take("net") {
            (&mut bytes, "NET")
        } else {
            break;
        };
        if std::mem::replace(metric, true) {
            return Err(HotKeysError::MetricTwice(name).into());
        }
    }
    match i64::from(times) + i64::from(bytes) {
        0 => return Err(HotKeysError::MetricsNone.into()),
        found if found != count => return Err(HotKeysError::MetricsMismatch.into()),
        _ => {}
    }
    let mut wanted =
        Wanted { times, bytes, keys_max: KEYS_DEFAULT, duration_ms: None, sample_ratio: 1 };
    while !args.is_empty() {
        if args.take("count") {
            wanted.keys_max = within(&mut args, KEYS_MAX, HotKeysError::Count)? as usize;
        } else if args.take("duration") {
            let seconds = within(&mut args, DURATION_S_MAX, HotKeysError::Duration)?;
            wanted.duration_ms = Some(seconds * 1000);
        } else if args.take("sample") {
            wanted.sample_ratio = within(&mut args, i64::from(i32::MAX), HotKeysError::Sample)?;
        } else if args.take("slots") {
            return Err(HotKeysError::Slots.into());
        } else {
            return Err(CommandError::Syntax);
        }
    }
    Ok(wanted)
}

/// A number from 1 to `max`.
fn within(args: &mut Args<'_>, max: i64, error: HotKeysError) -> Result<u64, CommandError> {
    let number = base::numbers::parse_i64(args.required()?);
    let number = number.filter(|number| (1..=max).contains(number));
    Ok(number.ok_or(error)?.unsigned_abs())
}

fn number(ctx: &mut Ctx<'_, '_>, name: &str, value: u64) {
    ctx.reply.bulk(name.as_bytes());
    ctx.reply.integer(value as i64);
}

fn keys(ctx: &mut Ctx<'_, '_>, name: &str, keys: &[(Box<[u8]>, u64)]) {
    ctx.reply.bulk(name.as_bytes());
    ctx.reply.array(keys.len() * 2);
    for (key, amount) in keys {
        ctx.reply.bulk(key);
        ctx.reply.integer(*amount as i64);
    }
}

/// Processor time since the beginning, in microseconds: of the user and of the system.
fn processor_us(ctx: &Ctx<'_, '_>, collection: &Collection) -> (u64, u64) {
    let (now, then) = (ctx.host.processor_us(), collection.processor_us);
    (now.0.saturating_sub(then.0), now.1.saturating_sub(then.1))
}
