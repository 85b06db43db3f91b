//! Clients: their connections, what is buffered for them, and the public record of each.

pub mod connection;
pub mod eviction;
pub mod input;
pub mod limits;
pub mod outbox;
pub mod record;
pub mod registry;
pub mod stream;
