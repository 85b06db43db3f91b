//! Snapshots: a cut in the format that Redis's own snapshots have, and the file that it becomes.

pub mod commands;
pub mod file;
pub mod writer;

pub use commands::CommandsFile;
pub use file::{FinishedSnapshot, SnapshotFile};
pub use writer::{Origin, SnapshotWriter, oldest_version};
