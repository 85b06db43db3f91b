//! The outside world: sockets, threads, configuration, observability.
pub mod banner;
pub mod config;
pub mod log;
pub mod warnings;
