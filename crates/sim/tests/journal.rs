//! Calls whose journal, replayed, once led to something else.

use base::clock::ManualClock;
use sim::contents::Contents;
use sim::node::{self, Node, words};
use sim::restart;
use sim::trace::Trace;
use std::sync::Arc;

/// Makes the calls, a second apart, and those of their journal on another engine a day later.
fn check(lines: &[&str]) {
    let clock = Arc::new(ManualClock::new(1_700_000_000_000));
    let first = node::engine(1, Arc::clone(&clock));
    first.set_journaled(true);
    let mut node = Node::new(&first, Trace::off());
    for line in lines {
        node.call(0, &words(line));
        clock.advance_ms(1000);
    }
    let journal = first.journal.take(Vec::new()).bytes;
    clock.advance_ms(86_400_000);
    let second = node::engine(2, clock);
    restart::replay(&second, &journal).expect("a journal has no errors");
    let (expected, found) = (Contents::of(&first), Contents::of(&second));
    let difference = expected.difference(&found, 0);
    assert!(difference.is_empty(), "{difference:?}\n{}", journal.escape_ascii());
}

#[test]
fn an_entry_that_was_read_again_was_delivered_then() {
    check(&[
        "XADD x 1-1 f v",
        "XGROUP CREATE x g 0",
        "XREADGROUP GROUP g c STREAMS x >",
        "XREADGROUP GROUP g c STREAMS x 0",
        "XREADGROUP GROUP g new STREAMS x 0",
    ]);
}
