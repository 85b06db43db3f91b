//! Where and when a measurement was made: figures mean nothing without it.

use std::fs;
use std::process::Command;
use std::thread;

use serde::{Deserialize, Serialize};

use crate::process;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) cores: usize,
    pub(crate) memory_gib: u64,
    pub(crate) kernel: String,
    /// UTC, to the minute.
    pub(crate) date: String,
    /// The command line that made the figures.
    pub(crate) command: String,
}

impl Machine {
    /// This machine, now.
    pub(crate) fn here() -> Self {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        let said = |program: &str, arguments: &[&str]| {
            process::output(Command::new(program).args(arguments)).unwrap_or_default()
        };
        Self {
            processor: field("/proc/cpuinfo", "model name"),
            cores: thread::available_parallelism().map_or(1, usize::from),
            memory_gib: kilobytes(&field("/proc/meminfo", "MemTotal")).div_ceil(1 << 20),
            kernel: said("uname", &["-r"]),
            date: said("date", &["-u", "+%Y-%m-%d %H:%M"]),
            command: format!("cargo xtask {}", arguments.join(" ")),
        }
    }

    pub(crate) fn print(&self) {
        let Self { processor, cores, memory_gib, kernel, date, command } = self;
        println!("{date} UTC, {processor}, {cores} cores, {memory_gib} GiB, Linux {kernel}");
        println!("{command}");
    }
}

/// What stands after `name:` in a file of lines; empty if nothing does.
fn field(path: &str, name: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_once(':'))
        .map_or_else(String::new, |(_, value)| value.trim().to_owned())
}

/// The number in `123 kB`.
pub(crate) fn kilobytes(text: &str) -> u64 {
    text.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or(0)
}
