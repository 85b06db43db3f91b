//! The data: values, encodings, shards, expiry. Knows no clients, commands, files, clocks or threads.
//!
//! Reading order: an [`Entry`] is one key with its value, packed into one allocation; a table finds
//! entries by hash; a [`Database`] joins a table with the deadlines of its keys; a [`Shard`] is one
//! stripe of all databases, which the caller keeps behind a lock of its own. Time comes in as an
//! argument, and what is to be freed goes out as a return value, so that the caller may free it
//! elsewhere.

#![deny(missing_docs)]
#![deny(unsafe_code)]

// Packed bytes and tables: the only place for `unsafe`.
#[allow(unsafe_code)]
pub mod layout;
// Verbs on values.
pub mod types;
// Shards, databases, deadlines.
pub mod keyspace;
// Values as bytes, for files and for DUMP.
pub mod rdb;

pub use keyspace::cut::{Fetched, OldForms};
pub use keyspace::database::{Database, Edited, Live, Passed};
pub use keyspace::shard::Shard;
pub use keyspace::sizes::SizeSums;
pub use layout::Key;
pub use layout::entry::{Entry, EntryMut, EntryRef, EntryUse, Kind, StringRef};
pub use layout::home::{Buffer, Form, Home, Large, Own, PREFETCH_CHUNK, Wanted};
pub use layout::prefetch::PrefetchHint;
pub use layout::rubble::{Part, Rubble};
pub use layout::table::CURSOR_BITS;
