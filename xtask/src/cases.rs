//! `cargo xtask cases`: run case files against any server, or record the replies of one.

use std::path::PathBuf;

use crate::process::{Outcome, cargo, run as run_process};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Fill in the replies that this file lacks from the server, for review.
    #[arg(long, value_name = "FILE")]
    record: Vec<PathBuf>,
    /// With --record: replace the replies that are there as well.
    #[arg(long, requires = "record")]
    rewrite: bool,
    /// The server to ask; by default the `redis-server` on the path.
    #[arg(long, value_name = "PATH", default_value = "redis-server")]
    server: PathBuf,
    /// Run only the case files whose path contains this.
    #[arg(value_name = "PART OF A PATH")]
    filter: Option<String>,
}

/// # Errors
/// When a case fails or the harness cannot be built.
pub(crate) fn run(options: &Options) -> Outcome {
    let mut command = cargo();
    command.args(["run", "--quiet", "--package", "harness", "--"]);
    command.arg(if options.record.is_empty() { "cases" } else { "record" });
    command.arg("--server").arg(&options.server);
    if options.rewrite {
        command.arg("--rewrite");
    }
    command.args(&options.record);
    if let Some(filter) = &options.filter {
        command.args(["--filter", filter]);
    }
    run_process(&mut command)
}
