//! `ochre-benchmark` as a child process, and what it reports.

use std::path::PathBuf;
use std::process::{Child, Stdio};

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

/// A load that goes on until this is dropped.
pub(crate) struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Fails only if it has ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
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

    /// Runs with these arguments until what is returned is dropped.
    ///
    /// # Errors
    /// If it cannot be started.
    pub(crate) fn spawn(&self, port: u16, arguments: &[&str]) -> Outcome<Running> {
        let mut command = pinned(&self.path, self.pin.as_deref(), self.priority);
        command.args(["-p", &port.to_string(), "--json"]).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().map(Running).map_err(|error| format!("ochre-benchmark: {error}"))
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
