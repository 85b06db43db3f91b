//! The outside world: sockets, threads, configuration, observability.
//!
//! Read in this order: [`start`] (what there is), [`worker`] (who serves), [`clients`] (what is served), then the threads
//! beside the workers: [`acceptor`], [`watcher`], [`cron`], [`reclaimer`].

#![deny(unsafe_code)]

pub mod config;
pub mod limits;
pub mod log;

pub mod banner;
pub mod start;
pub mod warnings;

pub mod change;
pub mod commands;
pub mod host;
pub mod persistence;
mod replay;
pub mod server;
pub mod shutdown;
pub mod statistics;

pub mod clients;
pub mod inbox;
pub mod worker;

pub mod acceptor;
pub mod cron;
pub mod listeners;
pub mod migration;
pub mod reclaimer;
pub mod spares;
pub mod watcher;

pub mod clock;
pub mod crash;
pub mod inprocess;
pub mod process;
pub mod signals;
pub mod title;
pub mod users;

#[allow(unsafe_code, reason = "an allocator is made of raw memory")]
pub mod alloc;
#[allow(unsafe_code, reason = "calls to the operating system")]
pub mod sys;

/// Everything that this process allocates is counted.
#[global_allocator]
static ALLOCATOR: alloc::Allocator = alloc::Allocator;
