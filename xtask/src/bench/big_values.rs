//! What others wait while a value of millions of elements goes.
//!
//! A probe asks for that very key, again and again, so it wants the shard that the value lies in and
//! no other: its longest wait is the longest time that the shard was held, and what the system adds
//! to it. How much that is shows its longest wait before the call. `call ms` is what the server says
//! that the call took, if it was one that went, and `reply ms` what its connection waited. The value counts as freed when nothing waits to be freed any more.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::client::Client;
use super::memory::write;
use super::server::{Program, Server, Setup};
use crate::process::Outcome;

/// Elements that one command adds.
const PER_COMMAND: u64 = 100;
const PROBE_INTERVAL: Duration = Duration::from_micros(100);
const IDLE: Duration = Duration::from_secs(2);
/// How long is watched after the value is freed.
const AFTERWARDS: Duration = Duration::from_millis(200);
const FREED_TIME_MAX: Duration = Duration::from_secs(60);

/// A kind of value, and the commands by which element number `i` and the next ones come to it.
struct Kind {
    name: &'static str,
    fill: fn(u64) -> Vec<String>,
    per_command: u64,
}

const KINDS: &[Kind] = &[
    Kind { name: "hash", fill: |i| many("HSET", i, &[], Some("value")), per_command: PER_COMMAND },
    Kind { name: "list", fill: |i| many("RPUSH", i, &[], None), per_command: PER_COMMAND },
    Kind { name: "set", fill: |i| many("SADD", i, &[], None), per_command: PER_COMMAND },
    Kind {
        name: "stream",
        fill: |i| {
            let id = format!("{}-1", i + 1);
            ["XADD", "big", &id, "field", "value"].map(str::to_owned).to_vec()
        },
        per_command: 1,
    },
    Kind { name: "zset", fill: |i| many("ZADD", i, &[""], None), per_command: PER_COMMAND },
];

/// A command with the next elements; scores are their numbers.
fn many(command: &str, first: u64, before: &[&str], after: Option<&str>) -> Vec<String> {
    let mut words = vec![command.to_owned(), "big".to_owned()];
    for number in first..first + PER_COMMAND {
        words.extend(before.iter().map(|_| number.to_string()));
        words.push(format!("element:{number:010}"));
        words.extend(after.map(str::to_owned));
    }
    words
}

/// What makes the value go.
struct Action {
    name: &'static str,
    /// The kinds that it is for; all if empty.
    kinds: &'static [&'static str],
    commands: &'static [&'static [&'static str]],
}

const ACTIONS: &[Action] = &[
    Action { name: "del", kinds: &[], commands: &[&["DEL", "big"]] },
    Action { name: "unlink", kinds: &[], commands: &[&["UNLINK", "big"]] },
    Action { name: "set", kinds: &[], commands: &[&["SET", "big", "small"]] },
    Action { name: "rename", kinds: &["set"], commands: &[&["RENAME", "other", "big"]] },
    Action { name: "store", kinds: &["set"], commands: &[&["SUNIONSTORE", "big", "few"]] },
    Action { name: "expire", kinds: &["hash", "zset"], commands: &[&["PEXPIRE", "big", "10"]] },
    Action {
        name: "evict",
        kinds: &["list", "zset"],
        commands: &[
            &["CONFIG", "SET", "maxmemory-policy", "volatile-lru"],
            &["PEXPIRE", "big", "1000000"],
            // Less than the value takes: whoever calls next evicts it.
            &["CONFIG", "SET", "maxmemory", "5000000"],
            &["EXISTS", "other"],
            &["CONFIG", "SET", "maxmemory", "0"],
        ],
    },
    Action { name: "flushall", kinds: &["set"], commands: &[&["FLUSHALL", "SYNC"]] },
    Action { name: "flushdb async", kinds: &["set"], commands: &[&["FLUSHDB", "ASYNC"]] },
    Action { name: "trim", kinds: &["list"], commands: &[&["LTRIM", "big", "1", "0"]] },
    Action { name: "trim", kinds: &["stream"], commands: &[&["XTRIM", "big", "MAXLEN", "0"]] },
    Action { name: "trim", kinds: &["zset"], commands: &[&["ZREMRANGEBYRANK", "big", "0", "-1"]] },
];

pub(crate) struct Plan<'a> {
    pub(crate) programs: &'a [Program],
    pub(crate) elements: u64,
    /// Kinds and actions by name; all without.
    pub(crate) only: Option<&'a [String]>,
}

struct Row {
    server: String,
    call_ms: f64,
    reply_ms: f64,
    longest_ms: f64,
    idle_ms: f64,
    freed_ms: f64,
}

/// # Errors
/// If a server does not start, or refuses a command, or nothing is chosen.
pub(crate) fn run(plan: &Plan<'_>) -> Outcome {
    let elements = plan.elements / PER_COMMAND * PER_COMMAND;
    println!("a value of {elements} elements; one probe of its key each 0.1 ms");
    println!(
        "\n{:10}{:16}{:20}{:>10}{:>10}{:>12}{:>12}{:>10}",
        "value", "call", "server", "call ms", "reply ms", "longest ms", "idle ms", "freed ms"
    );
    let is_chosen = |kind: &Kind, action: &Action| {
        let names = plan.only.unwrap_or_default();
        let of = |own: &str, all: &mut dyn Iterator<Item = &'static str>| {
            let all: Vec<_> = all.collect();
            let mut wanted = names.iter().filter(|name| all.contains(&name.as_str())).peekable();
            wanted.peek().is_none() || wanted.any(|name| name == own)
        };
        of(kind.name, &mut KINDS.iter().map(|kind| kind.name))
            && of(action.name, &mut ACTIONS.iter().map(|action| action.name))
    };
    for kind in KINDS {
        for action in ACTIONS {
            let fits = action.kinds.is_empty() || action.kinds.contains(&kind.name);
            if !fits || !is_chosen(kind, action) {
                continue;
            }
            for program in plan.programs {
                let row = measure(program, kind, action, elements)?;
                let Row { server, call_ms, reply_ms, longest_ms, idle_ms, freed_ms } = row;
                println!(
                    "{:10}{:16}{server:20}{call_ms:>10.3}{reply_ms:>10.3}{longest_ms:>12.3}\
                     {idle_ms:>12.3}{freed_ms:>10.0}",
                    kind.name, action.name
                );
            }
        }
    }
    Ok(())
}

fn measure(program: &Program, kind: &Kind, action: &Action, elements: u64) -> Outcome<Row> {
    let fail = |reason: String| format!("{}: {}: {reason}", program.name, action.name);
    let server = Server::start(program, &Setup::default())?;
    let mut client = Client::new(&server)?;
    client.ask(&["SADD", "few", "a"])?;
    client.ask(&["SET", "other", "value"])?;
    let commands = (0..elements).step_by(kind.per_command as usize).map(kind.fill);
    write(&server, commands).map_err(fail)?;
    let (_, idle) = while_probing(&server, || {
        thread::sleep(IDLE);
        Ok(())
    })?;
    client.ask(&["CONFIG", "RESETSTAT"])?;
    let ((reply, freed), longest) = while_probing(&server, || {
        let start = Instant::now();
        for command in action.commands {
            client.ask(command).map_err(fail)?;
        }
        let reply = start.elapsed();
        wait_until_freed(&mut client)?;
        let freed = start.elapsed();
        thread::sleep(AFTERWARDS);
        Ok((reply, freed))
    })?;
    let ms = |duration: Duration| duration.as_secs_f64() * 1e3;
    let call_ms = call_us(&mut client, action)? as f64 / 1e3;
    let server = program.name.clone();
    let (reply_ms, freed_ms) = (ms(reply), ms(freed));
    Ok(Row { server, call_ms, reply_ms, longest_ms: ms(longest), idle_ms: ms(idle), freed_ms })
}

/// What the server counted for the slowest of the action's commands.
fn call_us(client: &mut Client, action: &Action) -> Outcome<u64> {
    let text = client.ask(&["INFO", "commandstats"])?;
    let of = |command: &&[&str]| {
        let name = command[..command.len().min(2)].join("|").to_lowercase();
        let is_it = |line: &&str| {
            let own = line.strip_prefix("cmdstat_").and_then(|line| line.split(':').next());
            own.is_some_and(|own| own == name || name.split('|').next() == Some(own))
        };
        let usec = text.lines().find(is_it)?.split("usec=").nth(1)?;
        usec.split(',').next()?.parse::<u64>().ok()
    };
    Ok(action.commands.iter().filter_map(of).max().unwrap_or_default())
}

/// Until the large value is neither there nor waits to be freed.
fn wait_until_freed(client: &mut Client) -> Outcome {
    let start = Instant::now();
    while start.elapsed() < FREED_TIME_MAX {
        let kind = client.ask(&["TYPE", "big"])?;
        let is_gone = match kind.as_str() {
            "none" | "string" => true,
            // A stream stays when it is empty, and a stored set is small.
            "set" => client.number(&["SCARD", "big"])? < 2,
            "stream" => client.number(&["XLEN", "big"])? == 0,
            _ => false,
        };
        let waits = client.info(&["lazyfree_pending_objects"])? != 0;
        if is_gone && !waits {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(2));
    }
    Err("the value was not freed".to_owned())
}

/// Runs `action` while a probe asks for the large value; returns its longest wait too.
fn while_probing<R>(
    server: &Server,
    action: impl FnOnce() -> Outcome<R>,
) -> Outcome<(R, Duration)> {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let mut probe = Client::new(server)?;
        let probing = scope.spawn({
            let stop = &stop;
            move || {
                let mut longest = Duration::ZERO;
                while !stop.load(Ordering::Relaxed) {
                    let start = Instant::now();
                    probe.ask(&["TYPE", "big"])?;
                    longest = longest.max(start.elapsed());
                    thread::sleep(PROBE_INTERVAL);
                }
                Ok::<_, String>(longest)
            }
        });
        let result = action();
        stop.store(true, Ordering::Relaxed);
        let longest = probing.join().map_err(|_| "the probe panicked".to_owned())??;
        Ok((result?, longest))
    })
}
