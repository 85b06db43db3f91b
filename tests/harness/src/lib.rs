//! Runs cases and random command streams on Ochre and on a reference server.
//!
//! The harness judges, so it shares no code with what it judges: it has its own reading of the wire,
//! and servers are reached through bytes alone. `frame` reads replies, `target` reaches servers,
//! `case` reads, runs and records case files, `streams` makes random commands and compares replies, `dumps`
//! carries values from server to server, `files` has one load what another has written, `kills` kills
//! servers that write, `full_disk` fills their disk.
#![forbid(unsafe_code)]

pub mod case;
pub mod dumps;
pub mod files;
pub mod frame;
pub mod full_disk;
pub mod kills;
pub mod streams;
pub mod target;
pub mod token;
