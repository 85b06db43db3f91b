//! What other clients feel while one client is heavy.
//!
//! Eight connections ask for small keys of a large data set, one GET at a time every four
//! milliseconds, and note every wait. A wait begins when the GET was due, if the reply before it
//! was late: a pause of a second is felt by every request of that second, not by one.
//!
//! A call that holds a few keys for long may hold their shard: the others of that shard wait, and
//! rightly so. Which keys those are is found out by a short rehearsal; if the server answers for
//! some keys during it, the probes ask for those alone, and if for none, for any.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::generator::Generator;
use super::server::{Server, connect};
use super::speed::Contestant;
use crate::process::Outcome;

const PROBES: u64 = 8;
const PROBE_INTERVAL: Duration = Duration::from_millis(4);
const ACTION_SECONDS: u32 = 3;
/// How the probed keys are written.
const VALUE_LEN: &str = "100";
const LARGE_LEN: usize = 50 << 20;
const SLOW_SCRIPT: &str = "local x = 0 for i = 1, ARGV[1] do x = x + i % 7 end \
                           return redis.call('SET', KEYS[1], x)";
const SCRIPT_STEPS: u64 = 10_000_000;
/// Of these keys, some are asked for while the call that is rehearsed runs.
const CANDIDATES: u64 = 64;
/// How long a rehearsal takes, and when in it the asking begins and ends.
const REHEARSAL_SECONDS: f64 = 0.6;
const ASKING: [Duration; 2] = [Duration::from_millis(200), Duration::from_millis(400)];
/// The generator's words after those that every action shares.
type Words = Vec<String>;

/// What the heavy client does.
#[derive(Default)]
struct Call {
    words: Words,
    /// The same for a shorter time, if it holds keys.
    rehearsal: Option<Words>,
}

impl Call {
    fn plain(line: &str) -> Self {
        Self { words: words(line), rehearsal: None }
    }
}

/// Something heavy that one client does.
struct Action {
    name: &'static str,
    label: &'static str,
    /// Done before the probes start; what it returns is what the client does then.
    prepare: fn(&Stage<'_>) -> Outcome<Call>,
}

const ACTIONS: &[Action] = &[
    Action { name: "idle", label: "nothing", prepare: |_| Ok(Call::default()) },
    Action { name: "keys", label: "KEYS *", prepare: |_| Ok(Call::plain("-n 1 KEYS *")) },
    Action { name: "eval", label: "EVAL of 3 s", prepare: prepare_script },
    Action {
        name: "sleep",
        label: "DEBUG SLEEP 3 KEY k",
        prepare: |_| {
            let sleep = |seconds: f64| words(&format!("-n 1 DEBUG SLEEP {seconds} KEY sleeper"));
            let rehearsal = Some(sleep(REHEARSAL_SECONDS));
            Ok(Call { words: sleep(f64::from(ACTION_SECONDS)), rehearsal })
        },
    },
    Action { name: "get", label: "GET of 50 MB, in a loop", prepare: prepare_large_value },
    Action {
        name: "set",
        label: "SET of 50 MB, in a loop",
        prepare: |_| {
            let set = format!("--duration {ACTION_SECONDS} -d {LARGE_LEN} SET large __data__");
            Ok(Call::plain(&set))
        },
    },
    Action {
        name: "load",
        label: "SET of new keys",
        prepare: |stage| {
            let count = stage.new_keys;
            let load = "-P 64 -d 8 --sequential SET grow:__rand_int__ __data__";
            Ok(Call::plain(&format!("-n {count} -r {count} {load}")))
        },
    },
];

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
        let stage = Stage { server: &server, generator: plan.generator, new_keys: plan.new_keys };
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
    let free = match &call.rehearsal {
        Some(rehearsal) => free_keys(stage, rehearsal)?,
        None => Vec::new(),
    };
    let start = Instant::now();
    let (done, mut waits) = while_probing(stage.server.port, keys, &free, || {
        if call.words.is_empty() {
            thread::sleep(Duration::from_secs(u64::from(ACTION_SECONDS)));
            return Ok(());
        }
        run(stage.generator, stage.server, &call.words)
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
    port: u16,
    keys: u64,
    free: &[u64],
    action: impl FnOnce() -> Outcome,
) -> Outcome<(Outcome, Vec<u64>)> {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let probes: Vec<_> = (0..PROBES)
            .map(|seed| {
                let stop = &stop;
                scope.spawn(move || probe(port, keys, free, seed, stop))
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

/// The candidates that the server answers for while the rehearsal runs.
fn free_keys(stage: &Stage<'_>, rehearsal: &[String]) -> Outcome<Vec<u64>> {
    let fail = |error: std::io::Error| format!("a rehearsal: {error}");
    let connect = |_| stage.server.connect();
    let mut streams =
        (0..CANDIDATES).map(connect).collect::<std::io::Result<Vec<_>>>().map_err(fail)?;
    thread::scope(|scope| {
        let start = Instant::now();
        let call = scope.spawn(|| run(stage.generator, stage.server, rehearsal));
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
fn probe(port: u16, keys: u64, free: &[u64], seed: u64, stop: &AtomicBool) -> Outcome<Vec<u64>> {
    let fail = |error: std::io::Error| format!("a probe: {error}");
    let mut stream = connect(port).map_err(fail)?;
    let mut reader = BufReader::new(stream.try_clone().map_err(fail)?);
    let mut waits = Vec::new();
    let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let start = Instant::now();
    let mut due = start + PROBE_INTERVAL.mul_f64(seed as f64 / PROBES as f64);
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

/// Finds how many steps take three seconds here.
fn prepare_script(stage: &Stage<'_>) -> Outcome<Call> {
    let script = |steps: u64| {
        let mut words = words("-n 1 EVAL");
        words.extend([SLOW_SCRIPT, "1", "{script}", &steps.to_string()].map(str::to_owned));
        words
    };
    let start = Instant::now();
    run(stage.generator, stage.server, &script(SCRIPT_STEPS))?;
    let seconds = start.elapsed().as_secs_f64().max(0.01);
    let of = |target: f64| script((SCRIPT_STEPS as f64 * target / seconds) as u64);
    let rehearsal = Some(of(REHEARSAL_SECONDS));
    Ok(Call { words: of(f64::from(ACTION_SECONDS)), rehearsal })
}

fn prepare_large_value(stage: &Stage<'_>) -> Outcome<Call> {
    let set = format!("-n 1 -d {LARGE_LEN} SET large __data__");
    run(stage.generator, stage.server, &words(&set))?;
    Ok(Call::plain(&format!("--duration {ACTION_SECONDS} GET large")))
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
