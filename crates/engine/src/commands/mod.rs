//! The command families: one row and one function per command.
//!
//! Families never import each other; what they share is in [`common`].

use crate::command::Command;

pub mod common;

mod acl;
mod bitmap;
mod bitmap_field;
mod call_log;
mod command;
mod connection;
mod debug;
pub mod docs;
mod function;
mod geo;
mod hash;
mod hot_keys;
mod hyperloglog;
mod keys;
mod latency;
mod latency_doctor;
mod list;
mod lolwut;
mod module;
mod monitor;
mod pubsub;
mod scripting;
mod server;
mod set;
mod sorted_set;
mod stream;
mod string;
mod string_compare;
mod string_increx;
mod string_lcs;
mod transaction;
mod wait;

/// Every family of the engine's own.
pub const FAMILIES: &[&[Command]] = &[
    acl::COMMANDS,
    bitmap::COMMANDS,
    call_log::COMMANDS,
    command::COMMANDS,
    connection::COMMANDS,
    debug::COMMANDS,
    function::COMMANDS,
    geo::COMMANDS,
    hash::COMMANDS,
    hot_keys::COMMANDS,
    hyperloglog::COMMANDS,
    keys::COMMANDS,
    latency::COMMANDS,
    list::COMMANDS,
    lolwut::COMMANDS,
    module::COMMANDS,
    monitor::COMMANDS,
    pubsub::COMMANDS,
    scripting::COMMANDS,
    server::COMMANDS,
    set::COMMANDS,
    sorted_set::COMMANDS,
    stream::COMMANDS,
    string::COMMANDS,
    transaction::COMMANDS,
    wait::COMMANDS,
];
