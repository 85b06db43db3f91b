//! How late what has expired is freed, and what that costs.
//!
//! Millions of keys, or fields of hashes, get deadlines that are spread evenly over a time; their
//! order has nothing to do with that in which they were written. While the time passes nobody asks
//! for any. What is still there past its deadline, divided by how many expire in a second, is how
//! late the server is. Processor time is what the server spends beyond what it spends before the
//! first deadline.

use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::client::Client;
use super::memory::write;
use super::server::{Program, Server, Setup};
use crate::process::Outcome;

/// Fields of a hash.
const FIELDS: u64 = 1000;
/// Items that are surely written in a second.
const WRITTEN_PER_SECOND: u64 = 150_000;
const SAMPLE: Duration = Duration::from_millis(250);
const IDLE: Duration = Duration::from_secs(2);
/// How long is waited for what is late at the end.
const LATE_MAX: Duration = Duration::from_secs(120);

pub(crate) struct Plan<'a> {
    pub(crate) programs: &'a [Program],
    pub(crate) items: u64,
    pub(crate) seconds: u64,
    /// Fields of hashes instead of keys.
    pub(crate) is_fields: bool,
}

/// # Errors
/// If a server does not start, refuses a command, or is filled too slowly.
pub(crate) fn run(plan: &Plan<'_>) -> Outcome {
    let (items, seconds) = (plan.items, plan.seconds);
    let what = if plan.is_fields { "fields" } else { "keys" };
    println!("{items} volatile {what}, deadlines spread over {seconds} s");
    println!(
        "\n{:20}{:>12}{:>12}{:>14}{:>12}{:>14}{:>12}",
        "server", "late s", "median s", "done after s", "CPU %", "ns each", "idle CPU %"
    );
    for program in plan.programs {
        eprintln!("{}", program.name);
        measure(program, plan)?;
    }
    Ok(())
}

fn measure(program: &Program, plan: &Plan<'_>) -> Outcome {
    let Plan { items, seconds, is_fields, .. } = *plan;
    let server = Server::start(program, &Setup::default())?;
    let mut client = Client::new(&server)?;
    let spread_ms = seconds * 1000;
    let first_ms = now_ms() + items / WRITTEN_PER_SECOND * 1000 + IDLE.as_millis() as u64 + 4000;
    // A step that has no divisor in common with the number of items visits each once.
    let step = (items * 618 / 1000..).find(|step| gcd(*step, items) == 1).unwrap_or(1);
    let deadline = |item: u64| {
        let place = (u128::from(item) * u128::from(step) % u128::from(items)) as u64;
        first_ms + place * spread_ms / items
    };
    let command = |item: u64| {
        let at = deadline(item).to_string();
        let words: &[&str] = if is_fields {
            let hash = format!("hash:{}", item / FIELDS);
            let field = format!("field:{item:012}");
            return ["HSETEX", &hash, "PXAT", &at, "FIELDS", "1", &field, "value"]
                .map(str::to_owned)
                .to_vec();
        } else {
            &["SET", &format!("key:{item:012}"), "value", "PXAT", &at]
        };
        words.iter().map(|word| (*word).to_owned()).collect()
    };
    write(&server, (0..items).map(command))?;
    if first_ms < now_ms() + IDLE.as_millis() as u64 {
        return Err(format!("{}: it took too long to write so much", program.name));
    }
    thread::sleep(Duration::from_millis(first_ms - now_ms()).saturating_sub(IDLE));
    let idle_from = server.processor_nanos();
    thread::sleep(Duration::from_millis(first_ms.saturating_sub(now_ms())));
    let idle_share = (server.processor_nanos() - idle_from) as f64 / IDLE.as_nanos() as f64;

    let fields: &[&str] =
        if is_fields { &["expired_subkeys", "expired_fields"] } else { &["expired_keys"] };
    let (from, start) = (server.processor_nanos(), Instant::now());
    let mut lateness = Vec::new();
    while start.elapsed() < Duration::from_secs(seconds) {
        thread::sleep(SAMPLE);
        let due = (now_ms() - first_ms) * items / spread_ms;
        let gone = client.info(fields)? as u64;
        lateness.push(due.min(items).saturating_sub(gone) as f64 * seconds as f64 / items as f64);
    }
    let spent = server.processor_nanos() - from;
    let share = spent as f64 / start.elapsed().as_nanos() as f64 - idle_share;
    let mut done = None;
    while done.is_none() && start.elapsed() < Duration::from_secs(seconds) + LATE_MAX {
        if client.info(fields)? as u64 == items {
            done = Some(start.elapsed().as_secs_f64() - seconds as f64);
        }
        thread::sleep(Duration::from_millis(20));
    }
    lateness.sort_by(f64::total_cmp);
    let latest = lateness.last().copied().unwrap_or_default();
    let median = lateness.get(lateness.len() / 2).copied().unwrap_or_default();
    let done = done.map_or_else(|| "not".to_owned(), |seconds| format!("{seconds:.1}"));
    let each = (spent as f64 - idle_share * seconds as f64 * 1e9) / items as f64;
    println!(
        "{:20}{latest:>12.2}{median:>12.2}{done:>14}{:>12.1}{each:>14.0}{:>12.1}",
        program.name,
        share * 100.0,
        idle_share * 100.0
    );
    Ok(())
}

fn gcd(one: u64, other: u64) -> u64 {
    if other == 0 { one } else { gcd(other, one % other) }
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as u64)
}
