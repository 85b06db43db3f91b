//! `cargo xtask test`: sets up what the tests need, runs them all, and counts.
//!
//! The work is a list of parts. Each part is a function that returns how many tests passed, failed and
//! were skipped; a part that needs something this machine cannot have is skipped with the reason. The
//! last line of the output is the sum, `N passed, N failed, N skipped`, and nothing else.

mod count;
mod parts;
mod setup;

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::process::{Outcome, find, root};
use count::Count;
use parts::PARTS;
use setup::Setup;

#[derive(clap::Args, Default)]
pub(crate) struct Options {
    /// Compare with this server binary instead of the `redis-server` on the path.
    #[arg(long, value_name = "PATH")]
    reference: Option<PathBuf>,
    /// Test this server binary instead of the one that is built here.
    #[arg(long, value_name = "PATH")]
    server: Option<PathBuf>,
    /// Run only parts whose name begins with this; may be given several times.
    #[arg(long, value_name = "PART")]
    only: Vec<String>,
    /// The seed of the random command streams; always the same one by default.
    #[arg(long)]
    seed: Option<u64>,
    /// List the parts.
    #[arg(long)]
    list: bool,
}

impl Options {
    pub(crate) fn only(parts: &[&str]) -> Self {
        Self { only: parts.iter().map(|part| (*part).to_owned()).collect(), ..Self::default() }
    }
}

/// What the parts share.
struct Plan {
    root: PathBuf,
    options: Options,
    setup: Setup,
    /// The last lines of the runs that failed.
    failures: RefCell<Vec<String>>,
}

/// Lines of a failed run that the report repeats: long outputs are often cut to their end.
const REPEATED_LINES: usize = 60;

impl Plan {
    fn keep_end(&self, text: &str) {
        let lines: Vec<&str> = text.lines().collect();
        let end = lines[lines.len().saturating_sub(REPEATED_LINES)..].join("\n");
        self.failures.borrow_mut().push(end);
    }

    /// A program of the workspace, built with the `ci` profile.
    fn built(&self, program: &str) -> PathBuf {
        let folder = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
        self.root.join(folder).join("ci").join(program)
    }

    /// The server under test, as a full path: suites run in folders of their own.
    fn server(&self) -> Result<PathBuf, Skip> {
        let path = match &self.options.server {
            Some(path) => path.clone(),
            None => self.built("ochre-server"),
        };
        let found = path.canonicalize().ok().or_else(|| find(&path.to_string_lossy()));
        found.ok_or_else(|| Skip::Failed(format!("there is no server {}", path.display())))
    }

    fn reference(&self) -> Result<PathBuf, Skip> {
        match &self.options.reference {
            Some(path) => Ok(path.clone()),
            None => self.setup.reference(),
        }
    }

    /// Everything that tests leave behind lies here, inside the checkout.
    fn scratch(&self) -> &Path {
        self.setup.folder()
    }
}

/// Why a part cannot run: something is missing that this machine cannot have, or it is broken.
enum Skip {
    Failed(String),
    Missing(String),
}

impl From<String> for Skip {
    fn from(message: String) -> Self {
        Self::Failed(message)
    }
}

struct Done {
    name: &'static str,
    count: Count,
    time: Duration,
}

/// # Errors
/// When a test fails or a part cannot be run.
pub(crate) fn run(options: &Options) -> Outcome {
    if options.list {
        for part in PARTS {
            println!("{:<18}{}", part.name, part.about);
        }
        return Ok(());
    }
    let plan = Plan {
        root: root(),
        options: copy(options),
        setup: Setup::new(&root()),
        failures: RefCell::default(),
    };
    let mut done: Vec<Done> = Vec::new();
    for part in PARTS.iter().filter(|part| is_chosen(options, part)) {
        println!("\n=== {}: {}", part.name, part.about);
        let start = Instant::now();
        let count = match (part.run)(&plan) {
            Ok(count) => count,
            Err(Skip::Missing(reason)) => {
                println!("skipped: {reason}");
                Count { skipped: 1, ..Count::default() }
            }
            Err(Skip::Failed(message)) => {
                println!("failed: {message}");
                plan.keep_end(&message);
                Count { failed: 1, ..Count::default() }
            }
        };
        done.push(Done { name: part.name, count, time: start.elapsed() });
        // Nothing can run that was not built.
        if part.is_required && 0 < count.failed {
            break;
        }
    }
    report(&done, &plan.failures.borrow())
}

fn is_chosen(options: &Options, part: &parts::Part) -> bool {
    let is_named = options.only.iter().any(|name| part.name.starts_with(name.as_str()));
    let is_needed = options.only.iter().any(|name| parts::needs_build(name));
    options.only.is_empty() || is_named || (part.name == "build" && is_needed)
}

fn copy(options: &Options) -> Options {
    let Options { reference, server, only, seed, list } = options;
    Options {
        reference: reference.clone(),
        server: server.clone(),
        only: only.clone(),
        seed: *seed,
        list: *list,
    }
}

fn report(done: &[Done], failures: &[String]) -> Outcome {
    for failure in failures {
        println!("\nThe end of a run that failed:\n{failure}");
    }
    let mut slowest: Vec<&Done> = done.iter().collect();
    slowest.sort_by_key(|part| std::cmp::Reverse(part.time));
    let total: Duration = done.iter().map(|part| part.time).sum();
    println!("\nThe slowest parts of {:.0} s:", total.as_secs_f64());
    for part in slowest.iter().take(10) {
        println!("{:>8.1} s  {:<18}{}", part.time.as_secs_f64(), part.name, part.count);
    }
    for part in done.iter().filter(|part| 0 < part.count.failed) {
        println!("FAILED: {}", part.name);
    }
    let sum = done.iter().fold(Count::default(), |sum, part| sum + part.count);
    // The line is the last of standard output; the failure shows in the exit code.
    println!("{sum}");
    if 0 < sum.failed {
        std::process::exit(1);
    }
    Ok(())
}
