//! The engine in process, with a clock that the test moves: what it answers, and what many threads see.

#![allow(clippy::unwrap_used, reason = "a test that fails should say where")]

mod facts;
mod threads;
mod world;

mod acl;
mod blocking;
mod cut;
mod history;
mod pubsub;
mod reclaim;
mod scripting;
mod scripting_values;
mod scripts_by_keys;
mod table;
mod tracking;
