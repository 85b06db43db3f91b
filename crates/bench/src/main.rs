//! A load generator with the options of redis-benchmark.
fn main() {}
