//! Numbers as clients write and read them: strict parsers and the exact printed forms.
//!
//! Three number systems meet on the wire, and clients depend on the text of each:
//!
//! - 64-bit integers, in one canonical spelling only ([`parse_i64`]);
//! - doubles, read as C's `strtod` reads them and printed with few digits that read back as the
//!   same double ([`parse_f64`], [`append_f64`]);
//! - the 80-bit extended floats in which increments of decimal strings are computed
//!   ([`LongDouble`]).
//!
//! Nothing here allocates, except for extended floats far outside everyday range.

mod digits;
mod extended;
mod float;
mod integer;
mod memory_size;

pub use extended::LongDouble;
pub use float::{FloatBuffer, append_f64, parse_f64, parse_f64_bound};
pub use integer::{
    IntegerBuffer, append_i64, append_u64, decimal_len, parse_i64, parse_u64, parse_u64_loose,
};
pub use memory_size::parse_memory_size;
