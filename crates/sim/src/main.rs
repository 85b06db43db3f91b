//! Runs seeds of the simulation, and tells of the first that fails.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "what it finds is for the terminal")]

use clap::Parser;
use sim::run::{Counts, Options, run};
use sim::trace::Trace;
use std::cell::Cell;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Crashes the engine and its files on a simulated disk, and looks whether anything is lost.
#[derive(Parser)]
struct Arguments {
    /// Number of seeds.
    #[arg(long, default_value_t = 1000)]
    seeds: u64,
    /// The first of them; without it, one that is different each time.
    #[arg(long)]
    from: Option<u64>,
    /// Tells all that happens in the one seed `--from`.
    #[arg(long)]
    trace: bool,
    /// Threads, each with seeds of its own.
    #[arg(long)]
    threads: Option<usize>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        default(info);
        tell(SEED.get(), "it has panicked");
    }));
    let from = arguments.from.unwrap_or_else(|| {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs())
    });
    if arguments.trace {
        return show(from);
    }
    println!("sim: --seeds {} --from {from}", arguments.seeds);
    let threads = arguments.threads.unwrap_or_else(|| {
        std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get)
    });
    let (next, started) = (AtomicU64::new(0), Instant::now());
    let (failed, panicked) = (AtomicU64::new(u64::MAX), AtomicU64::new(0));
    let sums: Vec<Counts> = std::thread::scope(|scope| {
        let work = || seeds(&next, &failed, from, arguments.seeds);
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        threads
            .into_iter()
            .map(|thread| {
                thread.join().unwrap_or_else(|_| {
                    panicked.fetch_add(1, Ordering::Relaxed);
                    Counts::default()
                })
            })
            .collect()
    });
    let sum = sums.into_iter().fold(Counts::default(), Counts::plus);
    let failed = failed.into_inner();
    let failures = u64::from(failed != u64::MAX) + panicked.into_inner();
    let passed = sum.seeds;
    let seconds = started.elapsed().as_secs_f64();
    println!("{sum:?}");
    println!("{passed} seeds in {seconds:.1} s, {:.0} a second", passed as f64 / seconds);
    println!("{passed} passed, {failures} failed");
    if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs seeds until there are no more, or one has failed.
fn seeds(next: &AtomicU64, failed: &AtomicU64, from: u64, count: u64) -> Counts {
    let mut sum = Counts::default();
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if count.min(failed.load(Ordering::Relaxed)) <= number {
            return sum;
        }
        let seed = from.wrapping_add(number);
        SEED.set(seed);
        match run(seed, Options::default(), &Trace::off()) {
            Ok(counts) => sum = sum.plus(counts),
            Err(failure) => {
                failed.fetch_min(number, Ordering::Relaxed);
                tell(seed, &failure.to_string());
            }
        }
    }
}

thread_local! {
    /// What this thread runs.
    static SEED: Cell<u64> = const { Cell::new(0) };
}

fn tell(seed: u64, problem: &str) {
    println!("seed {seed}: {problem}");
    println!("again: cargo run --release -p sim -- --trace --from {seed}");
}

/// Runs one seed and tells what happens.
fn show(seed: u64) -> ExitCode {
    SEED.set(seed);
    match run(seed, Options::default(), &Trace::to(|line| println!("{line}"))) {
        Ok(counts) => {
            println!("seed {seed}: {counts:?}");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            println!("seed {seed}: {failure}");
            ExitCode::FAILURE
        }
    }
}
