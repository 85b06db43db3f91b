//! The outside world: sockets, threads, configuration, observability.

#![deny(unsafe_code)]

pub mod banner;
pub mod config;
pub mod log;
pub mod warnings;

#[allow(unsafe_code, reason = "an allocator is made of raw memory")]
pub mod alloc;
pub mod clock;
#[allow(unsafe_code, reason = "calls to the operating system")]
pub mod sys;

/// Everything that this process allocates is counted.
#[global_allocator]
static ALLOCATOR: alloc::Allocator = alloc::Allocator;
