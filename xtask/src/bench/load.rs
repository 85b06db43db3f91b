//! How fast files are loaded and saved.
//!
//! A mix of all types is written once, to the first server, which saves it. Every server loads that file and
//! saves it in its own way; from then on every server loads each of these files, and saves what it holds, by turns.
//! Loading is timed from the start of the process to its first PONG. The files lie in the system's
//! cache, so it is processors that are compared, and for saving also the disk that all have to wait for.

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::client::Client;
use super::memory;
use super::server::{Program, Server, Setup};
use super::speed::middle;
use crate::process::Outcome;

mod mix;

/// What is to be reached: the time beside the first server's.
const LOAD_GOAL: f64 = 0.6;
const SAVE_GOAL: f64 = 1.0;
const POLL: Duration = Duration::from_millis(2);
const SAVE_TIME_MAX: Duration = Duration::from_secs(180);

pub(crate) struct Plan<'a> {
    pub(crate) programs: &'a [Program],
    pub(crate) megabytes: u64,
    pub(crate) pin: Option<&'a str>,
    pub(crate) rounds: usize,
}

/// What one thing took, in each round.
#[derive(Clone, Default)]
struct Found {
    seconds: Vec<f64>,
    processor_seconds: Vec<f64>,
}

/// Who did what.
struct Row {
    what: String,
    bytes: u64,
    goal: f64,
    /// One for each program.
    found: Vec<Found>,
}

/// # Errors
/// If a server does not start, cannot be filled, or does not save.
pub(crate) fn run(plan: &Plan<'_>) -> Outcome {
    let folder = TempDir::new().map_err(|error| error.to_string())?;
    let files = files(plan, &folder)?;
    let count = plan.programs.len();
    let row =
        |what: String, bytes, goal| Row { what, bytes, goal, found: vec![Found::default(); count] };
    let mut rows = Vec::new();
    for (path, program) in files.iter().zip(plan.programs) {
        let bytes = fs::metadata(path).map_err(|error| error.to_string())?.len();
        rows.push(row(format!("load the file of {}", program.name), bytes, LOAD_GOAL));
    }
    let bytes = rows[0].bytes;
    rows.extend(["SAVE", "BGSAVE"].map(|verb| row(verb.to_owned(), bytes, SAVE_GOAL)));
    for round in 1..=plan.rounds {
        for (place, path) in files.iter().enumerate() {
            for (index, program) in plan.programs.iter().enumerate() {
                eprintln!("round {round}: {}, {}", program.name, rows[place].what);
                let (server, seconds) = start(program, plan, Some(path.clone()))?;
                rows[place].found[index].seconds.push(seconds);
                rows[place].found[index].processor_seconds.push(server.processor_seconds());
                // Each saves what it has loaded of its own file: what others have written may lie otherwise
                // in its memory.
                if place == index {
                    for (verb, row) in ["SAVE", "BGSAVE"].iter().zip(&mut rows[count..]) {
                        save(&server, verb, &mut row.found[index])?;
                    }
                }
            }
        }
    }
    print(plan.programs, &rows);
    Ok(())
}

/// A file of each program with the same contents.
fn files(plan: &Plan<'_>, folder: &TempDir) -> Outcome<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> = Vec::new();
    for (number, program) in plan.programs.iter().enumerate() {
        eprintln!("{}: a file of its own", program.name);
        let (server, _) = start(program, plan, files.first().cloned())?;
        if files.is_empty() {
            memory::write(&server, mix::commands(plan.megabytes << 20))?;
        }
        Client::new(&server)?.ask(&["SAVE"])?;
        let path = folder.path().join(format!("{number}.rdb"));
        fs::copy(server.folder().join("dump.rdb"), &path).map_err(|error| error.to_string())?;
        files.push(path);
    }
    Ok(files)
}

/// Starts a server over a file; how long it took until it answered.
fn start(program: &Program, plan: &Plan<'_>, snapshot: Option<PathBuf>) -> Outcome<(Server, f64)> {
    let pin = plan.pin.map(str::to_owned);
    let setup = Setup { pin, snapshot, ..Setup::default() };
    let started = Instant::now();
    let server = Server::start(program, &setup)?;
    Ok((server, started.elapsed().as_secs_f64()))
}

fn save(server: &Server, verb: &str, found: &mut Found) -> Outcome {
    let mut client = Client::new(server)?;
    let (before, started) = (server.processor_seconds(), Instant::now());
    client.ask(&[verb])?;
    while client.info(&["rdb_bgsave_in_progress"])? != 0 {
        if SAVE_TIME_MAX < started.elapsed() {
            return Err("the snapshot does not come to its end".to_owned());
        }
        thread::sleep(POLL);
    }
    found.seconds.push(started.elapsed().as_secs_f64());
    found.processor_seconds.push(server.processor_seconds() - before);
    Ok(())
}

fn print(programs: &[Program], rows: &[Row]) {
    println!(
        "\n{:36}{:16}{:>9}{:>10}{:>8}{:>8}{:>12}{:>8}{:>8}",
        "", "server", "seconds", "fastest", "slowest", "MB/s", "CPU seconds", "ratio", "goal"
    );
    for row in rows {
        let first = middle(row.found[0].seconds.clone());
        for (index, (program, found)) in programs.iter().zip(&row.found).enumerate() {
            let seconds = middle(found.seconds.clone());
            let least = found.seconds.iter().copied().fold(f64::INFINITY, f64::min);
            let most = found.seconds.iter().copied().fold(0.0, f64::max);
            let goal = if index == 0 { String::new() } else { format!("{:.1}", row.goal) };
            println!(
                "{:36}{:16}{seconds:>9.2}{least:>10.2}{most:>8.2}{:>8.0}{:>12.2}{:>8.2}{goal:>8}",
                row.what,
                program.name,
                row.bytes as f64 / 1e6 / seconds,
                middle(found.processor_seconds.clone()),
                seconds / first,
            );
        }
    }
}
