//! The outside world: sockets, threads, configuration, observability.
pub mod config;
pub mod log;
