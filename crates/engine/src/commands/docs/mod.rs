//! Prose and argument trees for COMMAND DOCS, and the hints of COMMAND INFO.
//!
//! The facts that locking, routing and checking depend on stand in the rows; here is only what
//! people and command-line tools read. A test proves that every row has its documentation.

mod argument;
mod bitmap;
mod connection;
mod generic;
mod geo;
mod hash;
mod hyperloglog;
mod list;
mod pubsub;
mod scripting;
mod server;
mod set;
mod sorted_set;
mod stream;
mod string;
mod transactions;

pub use argument::{Argument, ArgumentKind};

/// What is told about one command or subcommand.
pub struct Doc {
    /// The full name, `config|get`.
    pub name: &'static str,
    pub summary: &'static str,
    pub complexity: &'static str,
    /// Hints for clients of a cluster and for caches, in COMMAND INFO.
    pub tips: &'static [&'static str],
    /// Version and change.
    pub history: &'static [(&'static str, &'static str)],
    /// Since when it should not be used any longer, and what should.
    pub deprecated: Option<(&'static str, &'static str)>,
    pub arguments: &'static [Argument],
}

impl Doc {
    const NEW: Self = Self {
        name: "",
        summary: "",
        complexity: "O(1)",
        tips: &[],
        history: &[],
        deprecated: None,
        arguments: &[],
    };
}

/// The documentation of all families, each sorted by name.
pub const DOCS: &[&[Doc]] = &[
    bitmap::DOCS,
    connection::DOCS,
    generic::DOCS,
    geo::DOCS,
    hash::DOCS,
    list::DOCS,
    hyperloglog::DOCS,
    pubsub::DOCS,
    scripting::DOCS,
    server::DOCS,
    set::DOCS,
    sorted_set::DOCS,
    stream::DOCS,
    string::DOCS,
    transactions::DOCS,
];

/// The documentation of the command with this full name.
pub fn find(full_name: &str) -> Option<&'static Doc> {
    DOCS.iter().find_map(|docs| {
        let place = docs.binary_search_by_key(&full_name, |doc| doc.name).ok()?;
        docs.get(place)
    })
}
