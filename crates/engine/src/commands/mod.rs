//! The command families: one row and one function per command.
//!
//! Families never import each other; what they share is in [`common`].

use crate::command::Command;

pub mod common;

mod scripting;
mod string;
mod string_lcs;

/// Every family of the engine's own.
pub const FAMILIES: &[&[Command]] = &[scripting::COMMANDS, string::COMMANDS];
