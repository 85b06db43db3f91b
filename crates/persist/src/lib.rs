//! What outlives the process: the append-only file, snapshots, and the way back from them.
//!
//! Everything here is driven from outside: files come as a [`disk::Disk`], time as an argument, and no
//! thread is started. So the server runs it over the machine's disks and its own threads, and a
//! simulation over a disk that tears writes and a power that fails.

pub mod aof;
pub mod disk;
pub mod manifest;
pub mod snapshot;
pub mod steps;
