//! Runs case files and random command streams; the closing line is `N passed, N failed, N skipped`.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool speaks there")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use harness::case::record::{Extent, record};
use harness::case::{self, CaseFile};
use harness::dumps;
use harness::files;
use harness::full_disk::{self, Outcome};
use harness::kills;
use harness::streams;
use harness::target::Target;
use harness::target::launch::Server;
use harness::target::socket::SocketTarget;

/// From the root of the checkout, where every task runs.
const CASES: &str = "tests/cases";

#[derive(Parser)]
enum Task {
    /// Run case files.
    Cases {
        /// The server binary to start.
        #[arg(long, required_unless_present = "engine")]
        server: Option<PathBuf>,
        /// The engine in process instead of a server.
        #[arg(long)]
        engine: bool,
        /// Start the server in this dialect.
        #[arg(long)]
        dialect: Option<String>,
        /// Only files whose path contains this.
        #[arg(long, default_value = "")]
        filter: String,
    },
    /// Carry values from one server to another and back, by DUMP and RESTORE.
    Dumps {
        #[arg(long)]
        server: PathBuf,
        #[arg(long)]
        reference: PathBuf,
        /// The seed of the first value; the next ones follow it.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        #[arg(long, default_value_t = 400)]
        count: u64,
    },
    /// Load the files that another server has written, there and here.
    Files {
        #[arg(long)]
        server: PathBuf,
        #[arg(long)]
        reference: PathBuf,
        /// The seed of the first file; the next ones follow it.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        #[arg(long, default_value_t = 32)]
        count: u64,
    },
    /// Fill the disk of a server that writes an append-only file.
    FullDisk {
        #[arg(long)]
        server: PathBuf,
        /// Under these sync policies.
        #[arg(long = "policy", default_values_t = ["always", "everysec", "no"].map(str::to_owned))]
        policies: Vec<String>,
    },
    /// Kill a server that writes an append-only file, and look what is left.
    Kills {
        #[arg(long)]
        server: PathBuf,
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// How often, under each sync policy.
        #[arg(long, default_value_t = 8)]
        rounds: u64,
    },
    /// Fill in the replies that case files lack.
    Record {
        #[arg(long)]
        server: PathBuf,
        /// Replace the replies that the server does not give as well.
        #[arg(long)]
        rewrite: bool,
        files: Vec<PathBuf>,
    },
    /// Replay the journal of random commands, and compare what is held then.
    Journal {
        /// A server that replays it instead of another engine.
        #[arg(long)]
        reference: Option<PathBuf>,
        /// The seed of the first stream; the next ones follow it.
        #[arg(long)]
        seed: Option<u64>,
        #[arg(long, default_value_t = 400)]
        count: u64,
        /// Commands in a stream.
        #[arg(long, default_value_t = 150)]
        length: usize,
    },
    /// Compare the replies of two servers to random commands.
    Streams {
        #[arg(long)]
        server: PathBuf,
        #[arg(long)]
        reference: PathBuf,
        /// The seed of the first stream; the next ones follow it.
        #[arg(long)]
        seed: Option<u64>,
        #[arg(long, default_value_t = 400)]
        count: u64,
        /// Commands in a stream.
        #[arg(long, default_value_t = 150)]
        length: usize,
    },
}

fn main() -> ExitCode {
    let outcome = match Task::parse() {
        Task::Cases { server, engine: _, dialect, filter } => {
            run_cases(server.as_deref(), dialect, &filter)
        }
        Task::Dumps { server, reference, seed, count } => {
            dumps::run(&dumps::Plan { server, reference, seed, count }).map(|count| {
                println!("{} passed, {} failed, 0 skipped", count.passed, count.failed);
                count.failed == 0
            })
        }
        Task::Files { server, reference, seed, count } => {
            files::run(&files::Plan { server, reference, seed, count }).map(|count| {
                println!("{} passed, {} failed, 0 skipped", count.passed, count.failed);
                count.failed == 0
            })
        }
        Task::FullDisk { server, policies } => full_disk::run(&server, &policies).map(|outcome| {
            let (passed, skipped) = match outcome {
                Outcome::Passed(passed) => (passed, 0),
                Outcome::Skipped(reason) => {
                    println!("no disk to fill: {reason}");
                    (0, policies.len())
                }
            };
            println!("{passed} passed, 0 failed, {skipped} skipped");
            true
        }),
        Task::Kills { server, seed, rounds } => kills::run(&kills::Plan { server, seed, rounds })
            .map(|passed| {
                println!("{passed} passed, 0 failed, 0 skipped");
                true
            }),
        Task::Record { server, rewrite, files } => {
            let extent = if rewrite { Extent::Wrong } else { Extent::Missing };
            record_files(&server, extent, &files)
        }
        Task::Journal { reference, seed, count, length } => {
            let plan = streams::journal::Plan { reference, seed, count, length };
            streams::journal::run(&plan).map(|count| {
                println!("{} passed, {} failed, 0 skipped", count.passed, count.failed);
                count.failed == 0
            })
        }
        Task::Streams { server, reference, seed, count, length } => {
            let plan = streams::Plan { server, reference, seed, count, length };
            streams::run(&plan).map(|count| {
                println!("{} passed, {} failed, 0 skipped", count.passed, count.failed);
                count.failed == 0
            })
        }
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn run_cases(server: Option<&Path>, dialect: Option<String>, filter: &str) -> Result<bool, String> {
    let files = case::read_folder(Path::new(CASES), filter)?;
    let options: Vec<String> =
        dialect.into_iter().flat_map(|dialect| ["dialect".to_owned(), dialect]).collect();
    let server = server.map(|server| Server::start(server, &options)).transpose()?;
    let mut target: Box<dyn Target> = match &server {
        Some(server) => Box::new(SocketTarget::new(server.port)?),
        None => harness::target::engine::target()?,
    };
    let summary = case::run::run(&files, target.as_mut())?;
    for failure in &summary.failures {
        println!("{failure}\n");
    }
    println!("{}: {} blocks are for other servers", target.identity(), summary.elsewhere);
    let case::run::Summary { passed, failures, skipped, .. } = &summary;
    println!("{passed} passed, {} failed, {skipped} skipped", failures.len());
    Ok(summary.failures.is_empty())
}

fn record_files(server: &Path, extent: Extent, paths: &[PathBuf]) -> Result<bool, String> {
    let server = Server::start(server, &[])?;
    let mut target = SocketTarget::new(server.port)?;
    for path in paths {
        let file = CaseFile::read(path)?;
        let (text, count) = record(&file, &mut target, extent)
            .map_err(|message| format!("{}: {message}", path.display()))?;
        std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))?;
        println!("{}: {count} replies", path.display());
    }
    Ok(true)
}
