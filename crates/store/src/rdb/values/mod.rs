//! The forms of each type.

pub(super) mod hash;
pub(super) mod list;
pub(super) mod set;
pub(super) mod sorted_set;
pub(super) mod stream;
mod stream_node;
