//! The behaviour: what every command does and what follows from a change, as pure state.
//!
//! Never here: sockets, files, threads, the wall clock, OS randomness. They come in as arguments
//! ([`Clock`](base::clock::Clock), [`Host`], a seed), so that tests and simulations replace them.
//!
//! Read in this order: [`command`] (the row), [`context`] (what a command may touch), [`run`] (the
//! life of one call), then a family in [`commands`].
#![forbid(unsafe_code)]

pub mod command;
pub mod dialect;
pub mod error;
pub mod events;
pub mod keys;
pub mod settings;

pub mod acl;
pub mod args;
pub mod blocking;
pub mod call_log;
pub mod hot_keys;
pub mod journal;
pub mod keyspace;
pub mod latency;
pub mod lfu;
pub mod loading;
mod moments;
pub mod monitors;
pub mod pause;
pub mod pubsub;
pub mod pushes;
pub mod reload;
pub mod session;
pub mod statistics;
pub mod switches;
pub mod tracking;
pub mod watch;

pub mod cut;
pub mod data;
pub mod digest;

pub mod context;
pub mod host;

pub mod scripting;

pub mod commands;
pub mod table;

pub mod admit;
pub mod batch;
pub mod engine;
pub mod eviction;
pub mod expiry;
mod finished;
pub mod run;

pub use command::{Command, Reach};
pub use context::Ctx;
pub use engine::Engine;
pub use error::CommandError;
pub use host::Host;
pub use run::Executor;
pub use session::Session;
