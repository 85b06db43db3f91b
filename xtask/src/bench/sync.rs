//! What the append-only file costs, by when it is synced.
//!
//! Fifty clients set keys without a pipeline, at a server without the file and with each policy. Servers
//! and policies take turns, so that all of them meet the disk in all its moods. Two ratios matter: processor
//! time per operation beside the same server without the file, and operations per second beside the peer's
//! with the same policy.

use std::time::Instant;

use super::generator::Generator;
use super::server::{Program, Server, Setup};
use super::speed::middle;
use crate::process::Outcome;

const POLICIES: [Option<&str>; 4] = [None, Some("no"), Some("everysec"), Some("always")];
const REQUESTS: u64 = 300_000;
const WARM_UP: u64 = 20_000;

pub(crate) struct Plan<'a> {
    pub(crate) programs: &'a [Program],
    pub(crate) generator: &'a Generator,
    pub(crate) pin: &'a str,
    pub(crate) rounds: usize,
    pub(crate) divisor: u64,
}

/// One server under one policy: a value for each round.
#[derive(Clone, Default)]
struct Found {
    nanos_per_operation: Vec<f64>,
    operations_per_second: Vec<f64>,
}

/// # Errors
/// If a server does not start, or the load fails.
pub(crate) fn run(plan: &Plan<'_>) -> Outcome {
    let mut found = vec![[(); POLICIES.len()].map(|()| Found::default()); plan.programs.len()];
    for round in 1..=plan.rounds {
        for (place, policy) in POLICIES.iter().enumerate() {
            for (program, found) in plan.programs.iter().zip(&mut found) {
                eprintln!("round {round}: {}, {}", program.name, policy.unwrap_or("off"));
                measure(program, *policy, plan, &mut found[place])?;
            }
        }
    }
    print(plan.programs, &found);
    Ok(())
}

fn measure(
    program: &Program,
    appendfsync: Option<&'static str>,
    plan: &Plan<'_>,
    found: &mut Found,
) -> Outcome {
    let pin = Some(plan.pin.to_owned());
    let io_threads = (!plan.pin.contains([',', '-'])).then_some(1);
    let server =
        Server::start(program, &Setup { pin, io_threads, appendfsync, ..Setup::default() })?;
    let load = |requests: u64| {
        let count = (requests / plan.divisor).max(1).to_string();
        plan.generator
            .run(server.port, &["-t", "set", "-n", &count, "-c", "50", "-r", "1000000", "-d", "64"])
    };
    load(WARM_UP)?;
    let (nanos, started) = (server.processor_nanos(), Instant::now());
    let report = load(REQUESTS)?;
    let nanos = server.processor_nanos() - nanos;
    let seconds = started.elapsed().as_secs_f64();
    found.nanos_per_operation.push(nanos as f64 / report.requests as f64);
    found.operations_per_second.push(report.requests as f64 / seconds);
    Ok(())
}

fn print(programs: &[Program], found: &[[Found; POLICIES.len()]]) {
    println!(
        "\n{:16}{:>12}{:>14}{:>18}{:>14}{:>18}",
        "server", "appendfsync", "us CPU per op", "beside off", "ops/s", "beside the first"
    );
    let cpu = |found: &Found| middle(found.nanos_per_operation.clone()) / 1000.0;
    let rate = |found: &Found| middle(found.operations_per_second.clone());
    for (place, policy) in POLICIES.iter().enumerate() {
        for (program, rows) in programs.iter().zip(found) {
            let row = &rows[place];
            println!(
                "{:16}{:>12}{:>14.2}{:>18.2}{:>14.0}{:>18.2}",
                program.name,
                policy.unwrap_or("off"),
                cpu(row),
                cpu(row) / cpu(&rows[0]),
                rate(row),
                rate(row) / rate(&found[0][place]),
            );
        }
    }
}
