//! LATENCY: how long calls take, and what took longer than it should.

use super::latency_doctor;
use crate::command::{Command, Flags, Group, Outcome};
use crate::commands::common::help::reply_help;
use crate::context::Ctx;
use crate::error::CommandError;
use crate::latency::graph;
use crate::statistics::Latency;
use crate::table::Entry;

const HELP: Flags = Flags::LOADING.with(Flags::STALE);
const ROW: Command = Command { group: Group::Server, since: "2.8.13", ..Command::NEW };
const LOOK: Command = Command { flags: Flags::ADMIN.with(Flags::NOSCRIPT).with(HELP), ..ROW };

pub(crate) const COMMANDS: &[Command] =
    &[Command { name: "latency", arity: -2, subcommands: LATENCY, ..ROW }];

const LATENCY: &[Command] = &[
    Command { name: "doctor", arity: 2, run: doctor, ..LOOK },
    Command { name: "graph", arity: 3, run: draw, ..LOOK },
    Command { name: "help", arity: 2, flags: HELP, run: help, ..ROW },
    Command { name: "histogram", arity: -2, since: "7.0.0", run: histogram, ..LOOK },
    Command { name: "history", arity: 3, run: history, ..LOOK },
    Command { name: "latest", arity: 2, run: latest, ..LOOK },
    Command { name: "reset", arity: -2, run: reset, ..LOOK },
];

/// `LATENCY DOCTOR` → what the spikes were, and what may help, in words.
fn doctor(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let report = latency_doctor::report(
        &ctx.engine.spikes.all(),
        ctx.settings,
        ctx.engine.clock().wall_ms() / 1000,
    );
    ctx.reply.verbatim("txt", report.as_bytes());
    Ok(())
}

/// `LATENCY GRAPH event` → the spikes of an event as a picture.
fn draw(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let name = ctx.argv.at(2);
    let Some(series) = ctx.engine.spikes.series(name) else {
        return Err(CommandError::NoSamples(crate::args::shown(name)));
    };
    let now_s = ctx.engine.clock().wall_ms() / 1000;
    let picture = graph::draw(&String::from_utf8_lossy(name), &series, now_s);
    ctx.reply.verbatim("txt", picture.as_bytes());
    Ok(())
}

/// `LATENCY HELP` → the subcommands.
fn help(ctx: &mut Ctx<'_, '_>) -> Outcome {
    const LINES: &[&str] = &[
        "DOCTOR",
        "    Return what the latency spikes were, and what may help.",
        "GRAPH <event>",
        "    Return the spikes of an event as a picture.",
        "HISTOGRAM [<command> ...]",
        "    Return how many calls of these commands, or of all, took how long.",
        "HISTORY <event>",
        "    Return the times of the spikes of an event and their milliseconds.",
        "LATEST",
        "    Return the latest and the worst spike of each event.",
        "RESET [<event> ...]",
        "    Forget the spikes of these events, or all.",
    ];
    reply_help(ctx.reply, "LATENCY", LINES);
    Ok(())
}

/// `LATENCY HISTOGRAM [command …]` → of each command that was called: the number of calls, and how
/// many of them took at most so many microseconds. O(commands).
fn histogram(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let table = &ctx.engine.table;
    let mut entries: Vec<&'static Entry> = Vec::new();
    if ctx.argv.len() == 2 {
        entries.extend(table.all());
    }
    for name in ctx.argv.iter().skip(2) {
        let Some(entry) = table.full_named(name) else { continue };
        entries.push(entry);
        entries.extend(&entry.subcommands);
    }
    let histograms: Vec<_> = entries
        .into_iter()
        .map(|entry| (entry, sums(ctx, entry)))
        .filter(|(_, sums)| sums.iter().any(|count| *count != 0))
        .collect();
    let reply = &mut *ctx.reply;
    reply.map(histograms.len());
    for (entry, sums) in histograms {
        reply.bulk(entry.full_name.as_bytes());
        reply.map(2);
        reply.bulk(b"calls");
        reply.integer(sums.iter().sum::<u64>() as i64);
        reply.bulk(b"histogram_usec");
        let doublings = Latency::doublings(&sums);
        reply.map(doublings.len());
        for (us, count) in doublings {
            reply.integer(us as i64);
            reply.integer(count as i64);
        }
    }
    Ok(())
}

/// `LATENCY HISTORY event` → the times of its spikes, and their milliseconds.
fn history(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let series = ctx.engine.spikes.series(ctx.argv.at(2));
    let samples = series.map(|series| series.samples).unwrap_or_default();
    ctx.reply.array(samples.len());
    for sample in samples {
        ctx.reply.array(2);
        ctx.reply.integer(sample.at_s as i64);
        ctx.reply.integer(sample.ms as i64);
    }
    Ok(())
}

/// `LATENCY LATEST` → of each event that had a spike: its name, the time of the latest, its
/// milliseconds, and those of the worst; in Valkey those of all together and their number, too.
fn latest(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let events = ctx.engine.spikes.all();
    let are_summed = ctx.settings.dialect.differences().latency_spikes_are_summed;
    ctx.reply.array(events.len());
    for (event, series) in events {
        let (at_s, ms) = series.samples.last().map_or((0, 0), |last| (last.at_s, last.ms));
        ctx.reply.array(if are_summed { 6 } else { 4 });
        ctx.reply.bulk(event.name().as_bytes());
        ctx.reply.integer(at_s as i64);
        ctx.reply.integer(ms as i64);
        ctx.reply.integer(series.ms_max as i64);
        if are_summed {
            ctx.reply.integer(series.ms_sum as i64);
            ctx.reply.integer(series.count as i64);
        }
    }
    Ok(())
}

/// `LATENCY RESET [event …]` → how many events were forgotten.
fn reset(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let names = (2 < ctx.argv.len()).then(|| ctx.argv.iter().skip(2));
    let count = ctx.engine.spikes.reset(names);
    ctx.reply.integer(count as i64);
    Ok(())
}

/// Calls of one command by duration, on all threads.
fn sums(ctx: &Ctx<'_, '_>, entry: &Entry) -> Vec<u64> {
    let mut sums = Vec::new();
    for thread in ctx.engine.threads() {
        if let Some(latency) = thread.commands[entry.id].latency.get() {
            latency.add_to(&mut sums);
        }
    }
    sums
}
