//! All that a run of the bench found, as it is written to and read from JSON.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::machine::Machine;
use super::server::Program;
use super::{memory, pause, speed};
use crate::process::Outcome;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Document {
    pub(crate) machine: Machine,
    /// The first is what ratios refer to; Ochre comes last.
    pub(crate) servers: Vec<Program>,
    /// How servers and generator were pinned, in words.
    pub(crate) conditions: String,
    pub(crate) rounds: usize,
    #[serde(default)]
    pub(crate) speed: Vec<speed::Row>,
    #[serde(default)]
    pub(crate) memory: Vec<memory::Row>,
    #[serde(default)]
    pub(crate) pauses: Vec<pause::Row>,
}

impl Document {
    pub(crate) fn read(path: &Path) -> Outcome<Self> {
        let text = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
        serde_json::from_slice(&text).map_err(|error| format!("{}: {error}", path.display()))
    }

    pub(crate) fn write(&self, path: &Path) -> Outcome {
        let text = serde_json::to_string_pretty(self).map_err(|error| error.to_string())?;
        fs::write(path, text + "\n").map_err(|error| format!("{}: {error}", path.display()))
    }

    /// The conditions that every table stands under.
    pub(crate) fn print_header(&self) {
        self.machine.print();
        for server in &self.servers {
            println!("{}: {} ({})", server.name, server.path.display(), server.version);
        }
        println!("{}", self.conditions);
    }

    pub(crate) fn print_tables(&self) {
        speed::print(&self.speed);
        memory::print(&self.memory);
        pause::print(&self.pauses);
    }
}
