//! A whole node over real sockets, in this process and as the program that users start.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod append_only;
mod checks;
mod client;
mod clients_memory;
mod commands;
mod eviction;
mod journals;
mod loading;
mod migrate;
mod monitors;
mod mutants;
mod program;
mod pubsub;
mod reloads;
mod saving;
mod scripts;
mod slow_calls;
mod snapshots;
mod sockets;
mod stalled_disk;
mod upkeep;
mod users;
