//! Starts Ochre.
fn main() {}
