//! What a snapshot costs others: memory, and what another client waits.
//!
//! One client overwrites random keys of a large data set at full speed, with pipelines. Another asks for
//! one key each millisecond and notes what it waits; a wait begins when the question was due. After some seconds
//! the server is told BGSAVE, and until that is done the same goes on. Memory is that of the server and all
//! its children: pages that they share are counted once.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::client::Client;
use super::generator::Generator;
use super::server::{Program, Server, Setup};
use crate::process::Outcome;

mod plot;

pub(crate) use plot::draw;

/// How long the writer is alone.
const ALONE: Duration = Duration::from_secs(8);
const ASK_PERIOD: Duration = Duration::from_millis(1);
const SAMPLE_PERIOD: Duration = Duration::from_millis(100);
const SAVE_TIME_MAX: Duration = Duration::from_secs(180);

pub(crate) struct Plan<'a> {
    pub(crate) programs: &'a [Program],
    pub(crate) generator: &'a Generator,
    pub(crate) keys: u64,
}

/// Seconds, and what was found then.
type Points = Vec<(f64, f64)>;

/// What happened to one server; times are seconds since BGSAVE.
pub(crate) struct Course {
    server: String,
    /// When it was done.
    done: f64,
    /// Bytes.
    memory: Points,
    /// Milliseconds.
    waits: Points,
}

/// # Errors
/// If a server does not start, cannot be filled, or does not finish.
pub(crate) fn run(plan: &Plan<'_>) -> Outcome<Vec<Course>> {
    let mut courses = Vec::new();
    for program in plan.programs {
        eprintln!("{}", program.name);
        courses.push(measure(program, plan)?);
    }
    print(&courses);
    Ok(courses)
}

fn measure(program: &Program, plan: &Plan<'_>) -> Outcome<Course> {
    let server = Server::start(program, &Setup::default())?;
    let keys = plan.keys.to_string();
    let set = ["SET", "key:__rand_int__", "__data__"];
    let fill = ["-d", "100", "-n", &keys, "-r", &keys, "-P", "100", "--sequential"];
    plan.generator.run(server.port, &[&fill[..], &set].concat())?;
    let is_over = AtomicBool::new(false);
    let (started, is_over) = (Instant::now(), &is_over);
    thread::scope(|scope| {
        let endless = ["-d", "100", "-n", "2000000000", "-r", &keys, "-c", "4", "-P", "16"];
        let writer = plan.generator.spawn(server.port, &[&endless[..], &set].concat())?;
        let prober = scope.spawn(|| probe(&server, plan.keys, started, is_over));
        let watched = watch(&server, started);
        is_over.store(true, Ordering::Relaxed);
        drop(writer);
        let waits = prober.join().map_err(|_| "the prober has panicked".to_owned())??;
        let (begun, done, memory) = watched?;
        let shift =
            |points: Points| points.into_iter().map(|(at, value)| (at - begun, value)).collect();
        Ok(Course {
            server: program.name.clone(),
            done: done - begun,
            memory: shift(memory),
            waits: shift(waits),
        })
    })
}

/// Samples memory, has a snapshot written, and says when that began and ended.
fn watch(server: &Server, started: Instant) -> Outcome<(f64, f64, Points)> {
    let (mut client, mut memory, mut begun) = (Client::new(server)?, Vec::new(), None);
    loop {
        memory.push((started.elapsed().as_secs_f64(), memory_bytes(server.process()) as f64));
        let now = started.elapsed();
        match begun {
            None if ALONE <= now => {
                client.ask(&["BGSAVE"])?;
                begun = Some(now);
            }
            Some(begun) if client.info(&["rdb_bgsave_in_progress"])? == 0 => {
                return Ok((begun.as_secs_f64(), now.as_secs_f64(), memory));
            }
            Some(begun) if begun + SAVE_TIME_MAX < now => {
                return Err("the snapshot does not come to its end".to_owned());
            }
            _ => {}
        }
        thread::sleep(SAMPLE_PERIOD);
    }
}

/// Asks for one key after the other.
fn probe(server: &Server, keys: u64, started: Instant, is_over: &AtomicBool) -> Outcome<Points> {
    let (mut client, mut waits, mut due) = (Client::new(server)?, Vec::new(), started.elapsed());
    let mut key = 1;
    while !is_over.load(Ordering::Relaxed) {
        due += ASK_PERIOD;
        if let Some(early) = due.checked_sub(started.elapsed()) {
            thread::sleep(early);
        }
        key = key * 48_271 % 2_147_483_647;
        client.ask(&["GET", &format!("key:{:012}", key % keys)])?;
        let wait = started.elapsed().saturating_sub(due);
        waits.push((due.as_secs_f64(), wait.as_secs_f64() * 1000.0));
    }
    Ok(waits)
}

/// Of a process and its children, in bytes.
fn memory_bytes(process: u32) -> u64 {
    let path = format!("/proc/{process}/task/{process}/children");
    let children = fs::read_to_string(path).unwrap_or_default();
    let children: Vec<u32> = children.split_whitespace().flat_map(str::parse).collect();
    if children.is_empty() {
        return field(&format!("/proc/{process}/status"), "VmRSS:");
    }
    let all = children.into_iter().chain([process]);
    all.map(|process| field(&format!("/proc/{process}/smaps_rollup"), "Pss:")).sum()
}

fn field(path: &str, name: &str) -> u64 {
    let text = fs::read_to_string(path).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.map_or(0, super::machine::kilobytes) * 1024
}

impl Course {
    /// How much memory rose beside what it was at most before.
    fn memory_ratio(&self) -> f64 {
        let most = |is: fn(f64) -> bool| {
            let chosen = self.memory.iter().filter(|(at, _)| is(*at));
            chosen.map(|(_, bytes)| *bytes).fold(0.0, f64::max)
        };
        most(|at| 0.0 <= at) / most(|at| at < 0.0)
    }

    /// The 99.9th percentile and the maximum of what was waited, in milliseconds.
    fn waits(&self, is: impl Fn(f64) -> bool) -> (f64, f64) {
        let chosen = self.waits.iter().filter(|(at, _)| is(*at));
        let mut waits: Vec<f64> = chosen.map(|(_, wait)| *wait).collect();
        waits.sort_unstable_by(f64::total_cmp);
        let place = (waits.len() as f64 * 0.999) as usize;
        let at = |place: usize| waits.get(place).copied().unwrap_or_default();
        (at(place.min(waits.len().saturating_sub(1))), at(waits.len().saturating_sub(1)))
    }
}

fn print(courses: &[Course]) {
    println!(
        "\n{:16}{:>10}{:>14}{:>16}{:>16}{:>10}{:>14}{:>14}{:>10}",
        "server",
        "BGSAVE s",
        "memory ratio",
        "alone p99.9 ms",
        "save p99.9 ms",
        "ratio",
        "alone max ms",
        "save max ms",
        "ratio"
    );
    for course in courses {
        let (alone, alone_max) = course.waits(|at| at < 0.0);
        let (save, save_max) = course.waits(|at| (0.0..course.done).contains(&at));
        println!(
            "{:16}{:>10.1}{:>14.2}{alone:>16.2}{save:>16.2}{:>10.2}{alone_max:>14.2}{save_max:>14.2}{:>10.2}",
            course.server,
            course.done,
            course.memory_ratio(),
            save / alone,
            save_max / alone_max,
        );
    }
}
