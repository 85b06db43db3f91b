//! The locks under loom.
