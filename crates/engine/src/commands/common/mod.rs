//! What several families share.

pub(crate) mod deadline;
pub(crate) mod text;
