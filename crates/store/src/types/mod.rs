//! Verbs on values, one file per type. They know no keys, deadlines or commands.

pub mod bitmap;
pub mod geo;
pub mod hash;
pub mod hyperloglog;
pub(crate) mod item;
pub mod limits;
pub mod list;
pub mod set;
pub mod sorted_set;
pub mod stream;
pub mod string;
