//! What other clients feel while one client is heavy.
//!
//! Eight connections for each of the server's loops ask for small keys of a large data set, one GET at a time every four
//! milliseconds, and note every wait. A wait begins when the GET was due, if the reply before it
//! was late: a pause of a second is felt by every request of that second, not by one.
//!
//! A call that holds a few keys for long may hold their shard: the others of that shard wait, and
//! rightly so. Which keys those are is found out by a short rehearsal of all that hold keys at once; if
//! the server answers for some keys during it, the probes ask for those alone, and if for none, for any.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::generator::Generator;
use super::server::Server;
use super::speed::Contestant;
use crate::process::Outcome;

mod actions;
mod plot;

use actions::{ACTIONS, Action};
pub(crate) use plot::draw;

/// Connections that ask, for each loop of the server.
const PROBES_PER_LOOP: u64 = 8;
const PROBE_INTERVAL: Duration = Duration::from_millis(4);
const ACTION_SECONDS: u32 = 3;
/// How the probed keys are written.
const VALUE_LEN: &str = "100";
/// Of these keys, some are asked for while the call that is rehearsed runs.
const CANDIDATES: u64 = 256;
/// When in a rehearsal the asking begins and ends.
const ASKING: [Duration; 2] = [Duration::from_millis(400), Duration::from_millis(700)];
/// The generator's words after those that every action shares.
type Words = Vec<String>;

/// One action on one server.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) action: String,
    pub(crate) label: String,
    pub(crate) server: String,
    pub(crate) seconds: f64,
    pub(crate) gets: usize,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) p999_ms: f64,
    pub(crate) longest_ms: f64,
    /// Why there are no figures.
    pub(crate) refusal: Option<String>,
}

pub(crate) struct Plan<'a> {
    pub(crate) contestants: &'a [Contestant<'a>],
    pub(crate) generator: &'a Generator,
    pub(crate) keys: u64,
    pub(crate) new_keys: u64,
    pub(crate) only: Option<&'a [String]>,
}

struct Stage<'a> {
    server: &'a Server,
    generator: &'a Generator,
    new_keys: u64,
    probes: u64,
}

/// Rows in the order of the contestants, then of the actions.
///
/// # Errors
/// If a server does not start or cannot be filled, or `only` names no action.
pub(crate) fn measure(plan: &Plan<'_>) -> Outcome<Vec<Row>> {
    let names: Vec<&str> = ACTIONS.iter().map(|action| action.name).collect();
    if let Some(unknown) =
        plan.only.unwrap_or_default().iter().find(|name| !names.contains(&name.as_str()))
    {
        return Err(format!("--only {unknown}: known are {}", names.join(" ")));
    }
    let mut rows = Vec::new();
    for contestant in plan.contestants {
        let server = Server::start(contestant.program, &contestant.setup)?;
        let keys = plan.keys.to_string();
        let fill = "-P 100 --sequential SET key:__rand_int__ __data__";
        let fill = words(&format!("-d {VALUE_LEN} -n {keys} -r {keys} {fill}"));
        run(plan.generator, &server, &fill)?;
        let stage = Stage {
            server: &server,
            generator: plan.generator,
            new_keys: plan.new_keys,
            probes: PROBES_PER_LOOP * contestant.setup.io_threads.unwrap_or(1) as u64,
        };
        for action in ACTIONS {
            let is_chosen = |only: &[String]| only.iter().any(|name| name == action.name);
            if plan.only.is_none_or(is_chosen) {
                eprintln!("{}: {}", contestant.label, action.label);
                rows.push(watch(action, &stage, &contestant.label, plan.keys)?);
            }
        }
    }
    Ok(rows)
}

fn watch(action: &Action, stage: &Stage<'_>, server: &str, keys: u64) -> Outcome<Row> {
    let mut row = Row {
        action: action.name.to_owned(),
        label: action.label.to_owned(),
        server: server.to_owned(),
        ..Row::default()
    };
    let call = match (action.prepare)(stage) {
        Ok(call) => call,
        Err(reason) => return Ok(Row { refusal: Some(reason), ..row }),
    };
    let free = match &call.rehearsals[..] {
        [] => Vec::new(),
        rehearsals => free_keys(stage, rehearsals)?,
    };
    let start = Instant::now();
    let (done, mut waits) = while_probing(stage, keys, &free, || {
        let done = run_all(stage, &call.clients);
        // What comes of it may come later.
        let rest = Duration::from_secs(u64::from(ACTION_SECONDS)).saturating_sub(start.elapsed());
        thread::sleep(rest);
        done
    })?;
    row.seconds = start.elapsed().as_secs_f64();
    row.refusal = done.err();
    waits.sort_unstable();
    let quantile = |q: f64| {
        let index = (waits.len() as f64 * q) as usize;
        waits.get(index).or_else(|| waits.last()).map_or(0.0, |&nanos| nanos as f64 / 1e6)
    };
    row.gets = waits.len();
    row.p50_ms = quantile(0.5);
    row.p99_ms = quantile(0.99);
    row.p999_ms = quantile(0.999);
    row.longest_ms = quantile(1.0);
    Ok(row)
}

/// Runs `action` while all probes ask; returns how it ended and every wait.
fn while_probing(
    stage: &Stage<'_>,
    keys: u64,
    free: &[u64],
    action: impl FnOnce() -> Outcome,
) -> Outcome<(Outcome, Vec<u64>)> {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let probes: Vec<_> = (0..stage.probes)
            .map(|seed| {
                let stop = &stop;
                scope.spawn(move || probe(stage, keys, free, seed, stop))
            })
            .collect();
        let done = action();
        stop.store(true, Ordering::Relaxed);
        let mut waits = Vec::new();
        for probe in probes {
            waits.extend(probe.join().map_err(|_| "a probe panicked".to_owned())??);
        }
        Ok((done, waits))
    })
}

/// The candidates that the server answers for while the rehearsals run, all at once.
fn free_keys(stage: &Stage<'_>, rehearsals: &[Words]) -> Outcome<Vec<u64>> {
    let fail = |error: std::io::Error| format!("a rehearsal: {error}");
    let connect = |_| stage.server.connect();
    let mut streams =
        (0..CANDIDATES).map(connect).collect::<std::io::Result<Vec<_>>>().map_err(fail)?;
    thread::scope(|scope| {
        let start = Instant::now();
        let call = scope.spawn(|| run_all(stage, rehearsals));
        let [begin, end] = ASKING;
        thread::sleep(begin);
        for (key, stream) in (0..).zip(&mut streams) {
            stream.write_all(&request(key)).map_err(fail)?;
        }
        thread::sleep(end.saturating_sub(start.elapsed()));
        let mut free = Vec::new();
        for (key, stream) in (0..).zip(&mut streams) {
            stream.set_nonblocking(true).map_err(fail)?;
            if matches!(stream.peek(&mut [0]), Ok(1)) {
                free.push(key);
            }
        }
        // What is wrong with the call will be seen when it is made in earnest.
        let _ = call.join();
        Ok(free)
    })
}

/// Waits in nanoseconds, until told to stop.
fn probe(
    stage: &Stage<'_>,
    keys: u64,
    free: &[u64],
    seed: u64,
    stop: &AtomicBool,
) -> Outcome<Vec<u64>> {
    let fail = |error: std::io::Error| format!("a probe: {error}");
    let mut stream = stage.server.connect().map_err(fail)?;
    let mut reader = BufReader::new(stream.try_clone().map_err(fail)?);
    let mut waits = Vec::new();
    let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let start = Instant::now();
    let mut due = start + PROBE_INTERVAL.mul_f64(seed as f64 / stage.probes as f64);
    while !stop.load(Ordering::Relaxed) {
        let now = Instant::now();
        let since = if now < due {
            thread::sleep(due - now);
            // What the sleep is too long is not the server's doing.
            Instant::now()
        } else {
            due
        };
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let number = random >> 33;
        let key = match free.len() as u64 {
            0 => number % keys,
            count => free[(number % count) as usize],
        };
        get(&mut stream, &mut reader, key).map_err(fail)?;
        waits.push(since.elapsed().as_nanos() as u64);
        due += PROBE_INTERVAL;
    }
    Ok(waits)
}

fn get(stream: &mut TcpStream, reader: &mut BufReader<TcpStream>, key: u64) -> std::io::Result<()> {
    stream.write_all(&request(key))?;
    let mut line = Vec::new();
    reader.read_until(b'\n', &mut line)?;
    if line == b"$-1\r\n" {
        return Ok(());
    }
    let len = line.strip_prefix(b"$").and_then(|rest| std::str::from_utf8(rest).ok());
    let Some(len) = len.and_then(|len| len.trim().parse::<usize>().ok()) else {
        return Err(std::io::Error::other(format!("{:?}", String::from_utf8_lossy(&line))));
    };
    std::io::copy(&mut std::io::Read::take(reader, len as u64 + 2), &mut std::io::sink())?;
    Ok(())
}

fn request(key: u64) -> Vec<u8> {
    format!("*2\r\n$3\r\nGET\r\n$16\r\nkey:{key:012}\r\n").into_bytes()
}

/// Lets every client make its calls, all at the same time.
fn run_all(stage: &Stage<'_>, clients: &[Words]) -> Outcome {
    thread::scope(|scope| {
        let mut running = Vec::new();
        for words in clients {
            running.push(scope.spawn(move || run(stage.generator, stage.server, words)));
        }
        let results = running.into_iter().map(|client| client.join());
        results.into_iter().try_for_each(|result| {
            result.unwrap_or_else(|_| Err("a client of the action panicked".to_owned()))
        })
    })
}

fn run(generator: &Generator, server: &Server, words: &[String]) -> Outcome {
    let mut all = vec!["-c", "1"];
    all.extend(words.iter().map(String::as_str));
    generator.run(server.port, &all).map(drop)
}

fn words(line: &str) -> Words {
    line.split_whitespace().map(str::to_owned).collect()
}

/// One table for each action.
pub(crate) fn print(rows: &[Row]) {
    for action in ACTIONS {
        let mut of_action = rows.iter().filter(|row| row.action == action.name).peekable();
        if of_action.peek().is_none() {
            continue;
        }
        println!(
            "\n{:44}{:>9}{:>9}{:>10}{:>10}{:>10}{:>12}",
            format!("others wait during: {}", action.label),
            "seconds",
            "GETs",
            "p50 ms",
            "p99 ms",
            "p99.9 ms",
            "longest ms"
        );
        for row in of_action {
            let Row { server, seconds, gets, p50_ms, p99_ms, p999_ms, longest_ms, .. } = row;
            match &row.refusal {
                Some(reason) => println!("  {server:42}  refused: {reason}"),
                None => println!(
                    "  {server:42}{seconds:>9.1}{gets:>9}{p50_ms:>10.3}{p99_ms:>10.3}\
                     {p999_ms:>10.3}{longest_ms:>12.1}"
                ),
            }
        }
    }
}
