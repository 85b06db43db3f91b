//! A simulated world for the real engine and its files: everything from one seed.
#![forbid(unsafe_code)]

// The world.
pub mod disk;
pub mod trace;

// The server in it.
pub mod keeper;
pub mod node;
pub mod restart;
pub mod saving;
pub mod workload;

// What must hold.
pub mod contents;
pub mod model;
pub mod run;
