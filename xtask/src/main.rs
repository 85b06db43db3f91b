//! All automation of the project: `cargo xtask bench`, `test`, `tidy`, `ci`, `cases`.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool speaks there")]

mod bench;
mod cases;
mod ci;
mod process;
mod test;
mod tidy;

use std::process::ExitCode;

use clap::Parser;

/// The project's automation: whatever CI does, it does through one of these.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Task {
    /// Measure Ochre beside other servers.
    Bench(Box<bench::Options>),
    /// Run case files against any server, or record the replies of one.
    Cases(cases::Options),
    /// The checks of one CI job.
    Ci(ci::Options),
    /// Set up and run every test; ends with `N passed, N failed, N skipped`.
    Test(test::Options),
    /// Check the rules of STYLE.md.
    Tidy,
}

fn main() -> ExitCode {
    let outcome = match Task::parse() {
        Task::Bench(options) => bench::run(&options),
        Task::Cases(options) => cases::run(&options),
        Task::Ci(options) => ci::run(&options),
        Task::Test(options) => test::run(&options),
        Task::Tidy => tidy::run(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}
