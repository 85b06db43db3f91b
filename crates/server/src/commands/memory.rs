//! MEMORY: what the memory is used for, and what could be wrong with it.

mod doctor;

use super::host;
use super::info::Facts;
use super::info::memory::{Memory, gap, percent, ratio};
use crate::alloc;
use engine::args::Args;
use engine::command::{Flags, Group, Outcome};
use engine::commands::common::help;
use engine::dialect::Dialect;
use engine::keys::{self, KeySpec};
use engine::{Command, CommandError, Ctx, Reach};
use resp::Reply;

const ROW: Command = Command { group: Group::Server, since: "4.0.0", ..Command::NEW };

pub(crate) const COMMANDS: &[Command] =
    &[Command { name: "memory", arity: -2, subcommands: SUBCOMMANDS, ..ROW }];

const SUBCOMMANDS: &[Command] = &[
    Command { name: "doctor", arity: 2, reach: Reach::Slices, run: doctor, ..ROW },
    Command { name: "help", arity: 2, flags: Flags::LOADING.with(Flags::STALE), run: help, ..ROW },
    Command { name: "malloc-stats", arity: 2, flags: Flags::LOADING, run: malloc_stats, ..ROW },
    Command { name: "purge", arity: 2, flags: Flags::LOADING, run: purge, ..ROW },
    Command { name: "stats", arity: 2, reach: Reach::Slices, run: stats, ..ROW },
    Command {
        name: "usage",
        arity: -3,
        flags: Flags::READONLY,
        keys: &[KeySpec::at(2, keys::RO)],
        reach: Reach::Keys,
        run: usage,
        ..ROW
    },
];

/// `MEMORY DOCTOR` → a report. O(shards + clients).
fn doctor(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let facts = Facts::gather(ctx, host(ctx)?, true);
    let report = doctor::report(&Memory::of(&facts));
    ctx.reply.verbatim("txt", report.as_bytes());
    Ok(())
}

/// `MEMORY HELP` → the subcommands.
fn help(ctx: &mut Ctx<'_, '_>) -> Outcome {
    const LINES: &[&str] = &[
        "DOCTOR",
        "    Return what could be wrong with the memory.",
        "MALLOC-STATS",
        "    Return the statistics of the memory allocator.",
        "PURGE",
        "    Give memory that is not used back to the system.",
        "STATS",
        "    Return what the memory is used for.",
        "USAGE <key> [SAMPLES <count>]",
        "    Return how many bytes a key and its value occupy. All of it is counted, so",
        "    the number of samples does not matter.",
    ];
    help::reply_help(ctx.reply, "MEMORY", LINES);
    Ok(())
}

/// `MEMORY MALLOC-STATS` → the allocator's own report.
fn malloc_stats(ctx: &mut Ctx<'_, '_>) -> Outcome {
    ctx.reply.verbatim("txt", &alloc::report());
    Ok(())
}

/// `MEMORY PURGE` → OK: unused pages are the system's again.
fn purge(ctx: &mut Ctx<'_, '_>) -> Outcome {
    if !alloc::purge() {
        return Err(CommandError::PurgeFailed);
    }
    ctx.reply.ok();
    Ok(())
}

/// `MEMORY STATS` → what the memory is used for. O(shards + clients).
// Length: a line for each field.
fn stats(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let facts = Facts::gather(ctx, host(ctx)?, true);
    let memory = Memory::of(&facts);
    let is_redis = ctx.settings.dialect == Dialect::Redis;
    let keys: usize = facts.databases.iter().map(|database| database.keys).sum();
    let since_start = memory.used.saturating_sub(memory.startup);
    let mut map = Map { reply: ctx.reply, len: 0 };
    let mark = map.reply.begin_map();
    map.count("peak.allocated", memory.peak);
    map.count("total.allocated", memory.used);
    map.count("startup.allocated", memory.startup);
    map.count("replication.backlog", 0);
    map.count(if is_redis { "replica.fullsync.buffer" } else { "replicas.repl.buffer" }, 0);
    map.count("clients.slaves", 0);
    map.count("clients.normal", memory.clients);
    map.count("cluster.links", 0);
    if !is_redis {
        map.count("cluster.slot_import", 0);
        map.count("cluster.slot_export", 0);
    }
    map.count("aof.buffer", 0);
    map.count("lua.caches", memory.scripts);
    map.count("functions.caches", memory.functions);
    if is_redis {
        map.count("script.VMs", memory.interpreters.0 + memory.interpreters.1);
    }
    for (db, database) in facts.databases.iter().enumerate().filter(|(_, facts)| 0 < facts.keys) {
        map.name(&format!("db.{db}"));
        map.reply.map(2);
        map.reply.bulk(b"overhead.hashtable.main");
        map.reply.integer(database.table_bytes as i64);
        map.reply.bulk(b"overhead.hashtable.expires");
        map.reply.integer(database.deadline_bytes as i64);
    }
    map.count("overhead.db.hashtable.lut", facts.table_bytes);
    map.count("overhead.db.hashtable.rehashing", 0);
    map.count("overhead.total", memory.overhead);
    map.count("db.dict.rehashing.count", 0);
    map.count("keys.count", keys);
    map.count("keys.bytes-per-key", since_start.checked_div(keys).unwrap_or(0));
    map.count("dataset.bytes", memory.dataset());
    map.double("dataset.percentage", memory.dataset_percent());
    map.double("peak.percentage", percent(memory.used, memory.peak));
    let allocator = &memory.allocator;
    map.count("allocator.allocated", allocator.allocated);
    map.count("allocator.active", allocator.active);
    map.count("allocator.resident", allocator.resident);
    map.count("allocator.muzzy", 0);
    for (ratio_name, gap_name, much, little) in [
        (
            "allocator-fragmentation.ratio",
            "allocator-fragmentation.bytes",
            allocator.active,
            allocator.allocated,
        ),
        ("allocator-rss.ratio", "allocator-rss.bytes", allocator.resident, allocator.active),
        ("rss-overhead.ratio", "rss-overhead.bytes", memory.resident, allocator.resident),
        ("fragmentation", "fragmentation.bytes", memory.resident, memory.used),
    ] {
        map.double(ratio_name, ratio(much, little));
        map.name(gap_name);
        map.reply.integer(gap(much, little));
    }
    let (reply, len) = (map.reply, map.len);
    reply.finish_map(mark, len);
    Ok(())
}

/// `MEMORY USAGE key [SAMPLES count]` → bytes that the key and its value occupy, or null. O(1).
fn usage(ctx: &mut Ctx<'_, '_>) -> Outcome {
    let mut args = Args::new(ctx.argv, 3);
    while !args.is_empty() {
        if !args.take("samples") {
            return Err(CommandError::Syntax);
        }
        if args.integer()? < 0 {
            return Err(CommandError::Syntax);
        }
    }
    let key = ctx.key(2);
    let bytes = ctx.data.look(key).map(|entry| entry.memory_bytes());
    match bytes {
        Some(bytes) => ctx.reply.integer(bytes as i64),
        None => ctx.reply.null(),
    }
    Ok(())
}

/// A map whose length turns out at its end.
struct Map<'r> {
    reply: &'r mut Reply,
    len: usize,
}

impl Map<'_> {
    fn name(&mut self, name: &str) {
        self.reply.bulk(name.as_bytes());
        self.len += 1;
    }

    fn count(&mut self, name: &str, count: usize) {
        self.name(name);
        self.reply.integer(count as i64);
    }

    fn double(&mut self, name: &str, value: f64) {
        self.name(name);
        self.reply.double(value);
    }
}
