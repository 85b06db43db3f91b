//! The wire: bytes to requests and replies to bytes, RESP2 and RESP3, without I/O.
//!
//! **Requests.** A client sends arrays of byte strings, each string announced by its length:
//!
//! ```text
//! *3\r\n $3\r\n SET\r\n $3\r\n key\r\n $5\r\n value\r\n
//! ```
//!
//! or, for people at a terminal, a line of words (an *inline request*): `SET key "a value"`.
//! [`RequestParser`] reads both as they trickle in and gives the place of every argument in the
//! read buffer; nothing is copied, and nothing is allocated per argument. [`Argv`] is the list of
//! arguments that a command sees.
//!
//! **Replies.** A reply is a value with a type byte in front: `+` short text, `-` error, `:`
//! integer, `$` bytes, `*` array; since RESP3 also `_` null, `#` boolean, `,` double, `(` big
//! number, `=` text with a format, `%` map, `~` set, `>` push, `|` attribute, `!` long error.
//! [`Reply`] writes them. A command says what it means (`map`, `double`, `null`), and a connection
//! that speaks RESP2 gets the nearest older form. Large values are held by reference, not copied.
//!
//! **The other side.** [`Frame`] is a reply read back into a tree, [`Scanner`] finds where a reply
//! ends without building one, [`encode_request`] writes a request: for clients, benches and tests.
//!
//! Nothing here panics on what arrives, and every announced length is bounded before it is
//! believed.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod error;
mod request;
// Words in quotes, as in inline requests and configuration files.
mod argv;
mod frame;
mod reply;
mod words;

pub use argv::{Argv, ArgvBuffer};
pub use error::{FrameError, ProtocolError};
pub use frame::{Frame, Item, Scanner, decode, encode_request, read_item};
pub use reply::{Mark, Position, Protocol, Reply, Segments};
pub use request::{Limits, Parsed, RequestParser, Span};
pub use words::{Quotes, UnbalancedQuotes, split_words};
