//! Shards, the databases in them, and the deadlines of their keys.

pub mod cut;
pub mod database;
mod evicted;
pub mod expiry;
pub mod shard;
pub mod sizes;
