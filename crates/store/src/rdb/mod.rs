//! The bytes in which values leave the process: those of snapshot files and of DUMP.
//!
//! A value is a type code and what follows from it. The same value has several forms: plain ones,
//! element by element, and the packed ones that a server keeps in memory and writes out as they are
//! (ziplist, listpack, intset …). All of them are read; what is written is plain, since every
//! version reads that, builds its own packed form from it, and a plain small value is no longer than
//! a packed one. Only streams have no plain form.
//!
//! ```text
//! snapshot   | magic, version | opcode …            | type | key | value | … | end | checksum 8 |
//! DUMP                                              | type |     | value | version 2 | checksum 8 |
//! ```
//!
//! The layers, from the ground: [`Reader`] and [`Writer`] know lengths, strings and numbers;
//! [`packed`] walks over packed forms; [`Value`] is one value without its key; [`payload`] frames it
//! for DUMP;
//! [`file`] puts many behind one another.
//!
//! **Nothing that is read is trusted.** A length is believed only as far as bytes follow it: buffers
//! grow with what has arrived, a number of elements reserves nothing, and a compressed string cannot
//! claim more than its bytes can unfold to. Every packed form is checked from end to end while it is
//! walked. Elements that come twice, collections without elements and scores that are no numbers are
//! refused, as Redis does after its deep check; there is no fast way around it, because loading
//! rebuilds each value anyhow. What is left over at the end of a payload is not looked at.
//!
//! Versions: 1 to 14 are Redis's (11 and below also Valkey's, before 9), 80 is Valkey's own. The two
//! have given type 22 to different things, so a type code means something only with its version.

mod error;
pub mod file;
mod lzf;
pub mod packed;
pub mod payload;
mod reader;
mod types;
pub mod value;
mod values;
mod version;
mod writer;

#[cfg(test)]
mod tests;

pub use error::RdbError;
pub use reader::Reader;
pub use types::TypeCode;
pub use value::{Rules, Value};
pub use version::{Family, Target, Version};
pub use writer::Writer;

/// Longest string that is read: an element's length is kept in 32 bits.
const STRING_LEN_MAX: u64 = u32::MAX as u64;
