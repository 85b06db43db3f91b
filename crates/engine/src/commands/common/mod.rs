//! What several families share.

pub(crate) mod bits;
pub(crate) mod conditions;
pub(crate) mod database;
pub(crate) mod deadline;
pub mod help;
pub(crate) mod kind;
pub(crate) mod list;
pub(crate) mod scan;
pub(crate) mod sorted_set;
pub(crate) mod text;
pub mod timeout;
