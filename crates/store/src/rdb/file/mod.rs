//! Snapshots: a header, what there is to say, libraries, databases with their entries, a checksum.
//!
//! ```text
//! | REDIS0010 | fa name value | f5 library | fe db | fb sizes | fc deadline | type key value | … | ff | checksum 8 |
//! ```
//!
//! Neither side knows files or databases: the writer is given entries and the reader gives them out,
//! one by one. Versions are Redis's four digits after `REDIS`, or three after `VALKEY`.

mod entries;
mod frame;
pub(super) mod opcode;
mod reader;
mod summed;
mod writer;

#[cfg(test)]
mod tests;

pub use entries::{Entries, EntryReader};
pub use reader::{FileReader, Head, Record};
pub use summed::{SummedSink, SummedSource};
pub use writer::{Clocks, FileWriter, Style, WriteError};
