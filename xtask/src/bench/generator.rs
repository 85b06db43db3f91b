//! `ochre-benchmark` as a child process, and what it reports.

use std::path::PathBuf;

use serde::Deserialize;

use super::server::{Priority, pinned};
use crate::process::{self, Outcome, cargo, root};

/// The load generator and the cores that it may use.
#[derive(Clone, Debug)]
pub(crate) struct Generator {
    path: PathBuf,
    pin: Option<String>,
    priority: Priority,
}

/// One line of its JSON, as far as it matters here.
#[derive(Debug, Deserialize)]
pub(crate) struct Report {
    pub(crate) requests: u64,
    pub(crate) rps: f64,
    pub(crate) latency_ms: Latency,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Latency {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    #[serde(rename = "p99.9")]
    pub(crate) p999: f64,
}

impl Generator {
    /// Builds it as it is shipped.
    ///
    /// # Errors
    /// If it does not build.
    pub(crate) fn build(pin: Option<String>) -> Outcome<Self> {
        process::run(cargo().args(["build", "--release", "--quiet", "--package", "bench"]))?;
        Ok(Self {
            path: root().join("target/release/ochre-benchmark"),
            pin,
            priority: Priority::Normal,
        })
    }

    /// Yields the processor to everything else that wants it.
    pub(crate) fn in_background(self) -> Self {
        Self { priority: Priority::Background, ..self }
    }

    /// Runs to the end with these arguments.
    ///
    /// # Errors
    /// With what it says on standard error if it fails.
    pub(crate) fn run(&self, port: u16, arguments: &[&str]) -> Outcome<Report> {
        let mut command = pinned(&self.path, self.pin.as_deref(), self.priority);
        command.args(["-p", &port.to_string(), "--json"]).args(arguments);
        let output = command.output().map_err(|error| format!("ochre-benchmark: {error}"))?;
        if !output.status.success() {
            let complaint = String::from_utf8_lossy(&output.stderr);
            return Err(complaint.lines().next().unwrap_or("ochre-benchmark failed").to_owned());
        }
        serde_json::from_slice(&output.stdout)
            .map_err(|error| format!("the report of ochre-benchmark: {error}"))
    }
}
