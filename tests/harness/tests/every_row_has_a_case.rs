//! Counts the rows of the command table without a case, subcommands included: there must be none.

#![allow(clippy::unwrap_used, reason = "a test that fails should say where")]

use std::collections::BTreeSet;
use std::path::Path;

use harness::case::pattern::Pattern;
use harness::case::{self, Action, Block, Step};
use harness::frame::Frame;
use harness::target::{self, Target};

/// Rows that do nothing for a server under test: one has no file of settings or users, runs no other
/// script, loads no modules, and must not end.
const ALWAYS_REFUSE: [&str; 8] = [
    "acl|load",
    "acl|save",
    "config|rewrite",
    "module|load",
    "module|loadex",
    "module|unload",
    "script|kill",
    "shutdown",
];

/// The full names of all rows, as the server itself lists them; containers are their subcommands.
fn rows(target: &mut dyn Target) -> BTreeSet<String> {
    let Frame::Array(names) = target.open().unwrap().call(&["COMMAND", "LIST"]).unwrap() else {
        panic!("COMMAND LIST replies with an array");
    };
    let text = |name: &Frame| String::from_utf8(name.text().unwrap().to_vec()).unwrap();
    let mut names: BTreeSet<String> = names.iter().map(text).collect();
    let containers: BTreeSet<String> =
        names.iter().filter_map(|name| Some(name.split_once('|')?.0.to_owned())).collect();
    names.retain(|name| !containers.contains(name));
    names
}

/// Whether the block holds for this server, in any of its dialects.
fn is_ours(block: &Block, target: &dyn Target) -> bool {
    let mut valkey = target.identity().clone();
    "ochre-valkey".clone_into(&mut valkey.name);
    block.holds_for(target.identity()) || block.holds_for(&valkey)
}

/// The row that a step calls, unless all that it expects is an error.
fn called(step: &Step, rows: &BTreeSet<String>) -> Option<String> {
    let (Action::Call(words) | Action::Until(words)) = &step.action else { return None };
    let word =
        |index: usize| words.get(index).map(|word| String::from_utf8_lossy(word).to_lowercase());
    let part = word(1).map(|part| format!("{}|{part}", word(0).unwrap_or_default()));
    let name = part.filter(|name| rows.contains(name)).or_else(|| word(0))?;
    let mut expected = step.resp2.iter().chain(&step.resp3).flatten();
    let is_refused = expected.all(is_error);
    (!is_refused || ALWAYS_REFUSE.contains(&name.as_str())).then_some(name)
}

fn is_error(pattern: &Pattern) -> bool {
    matches!(pattern, Pattern::ErrorPrefix(_) | Pattern::Exact(Frame::Error(_)))
}

#[test]
fn every_row_has_a_case() {
    let mut target = target::engine::target().unwrap();
    let rows = rows(target.as_mut());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../cases");
    let files = case::read_folder(&folder, "").unwrap();
    let blocks = files.iter().flat_map(|file| &file.blocks);
    let steps = blocks.filter(|block| is_ours(block, target.as_ref())).flat_map(|b| &b.steps);
    let called: BTreeSet<String> = steps.filter_map(|step| called(step, &rows)).collect();
    let missing: Vec<&String> = rows.difference(&called).collect();
    assert!(missing.is_empty(), "{} rows have no case: {missing:?}", missing.len());
}
