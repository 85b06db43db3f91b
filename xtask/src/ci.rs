//! `cargo xtask ci JOB`: the jobs of continuous integration, each of them runnable anywhere.

use crate::process::Outcome;
use crate::test;

#[derive(clap::Args)]
pub(crate) struct Options {
    #[arg(value_enum)]
    job: Job,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Job {
    /// Before every merge: format, clippy, tidy, unit tests, cases in process.
    Quick,
    /// Everything: the same as `cargo xtask test`.
    Full,
}

/// # Errors
/// When a check of the job fails.
pub(crate) fn run(options: &Options) -> Outcome {
    match options.job {
        Job::Quick => {
            test::run(&test::Options::only(&["format", "clippy", "tidy", "unit", "cases-engine"]))
        }
        Job::Full => test::run(&test::Options::default()),
    }
}
