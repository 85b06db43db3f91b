//! What holds for every text file: no left-overs, no trailing spaces, no paths of one machine.

use super::Finding;
use super::tree::{File, Tree};

/// Split, so that this file does not break its own rule.
const MACHINE_PATHS: &[&str] = &[concat!("/wo", "rk/"), concat!("/ro", "ot/")];
const LEFT_OVERS: &[(&str, &str)] = &[
    (concat!("TO", "DO"), "do it, or write an issue"),
    (concat!("FIX", "ME"), "fix it"),
    (concat!("XX", "X "), "say what is the matter"),
];
const RUST_LEFT_OVERS: &[(&str, &str)] = &[
    (concat!("#[ign", "ore"), "make the test run everywhere, or remove it"),
    (concat!("unimpl", "emented!("), "write it, or leave the item out"),
    (concat!("to", "do!("), "write it, or leave the item out"),
];

pub(crate) fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    for file in &tree.files {
        if file.path.ends_with(".lock") || file.path.ends_with("package-lock.json") {
            continue;
        }
        check_lines(file, findings);
        check_left_overs(file, findings);
        if !file.text.is_empty() && !file.text.ends_with('\n') {
            let line = file.text.lines().count();
            findings.push(file.finding(line, "last-line", "end the file with a newline"));
        }
    }
    for (file, _) in tree.sources() {
        if !file.text.starts_with("//! ") {
            let message = "begin with `//!` and one sentence that says what the file is for";
            findings.push(file.finding(1, "header", message));
        }
    }
}

fn check_lines(file: &File, findings: &mut Vec<Finding>) {
    for (index, line) in file.text.lines().enumerate() {
        if line.ends_with([' ', '\t', '\r']) {
            findings.push(file.finding(
                index + 1,
                "trailing-space",
                "remove the spaces at the end",
            ));
        }
        for path in MACHINE_PATHS.iter().filter(|path| has_path(line, path)) {
            let message =
                format!("{path} is a place on one machine; name it from the checkout's root");
            findings.push(file.finding(index + 1, "machine-path", message));
        }
    }
}

/// The path at the beginning of a word: `docs/work/` is none.
fn has_path(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        before.is_none_or(|c| !c.is_alphanumeric() && !"_-.}".contains(c))
    })
}

fn check_left_overs(file: &File, findings: &mut Vec<Finding>) {
    let mut report = |line: usize, word: &str, instead: &str| {
        let word = word.trim();
        findings.push(file.finding(line, "left-over", format!("no {word}: {instead}")));
    };
    let Some(source) = &file.source else {
        // In prose the words may be talked about; in programs they are left-overs.
        if [".py", ".js", ".mjs", ".toml", ".yml"].iter().any(|end| file.path.ends_with(end)) {
            for (index, line) in file.text.lines().enumerate() {
                for (word, instead) in LEFT_OVERS.iter().filter(|(word, _)| line.contains(word)) {
                    report(index + 1, word, instead);
                }
            }
        }
        return;
    };
    for comment in &source.comments {
        for (word, instead) in LEFT_OVERS.iter().filter(|(word, _)| comment.text.contains(word)) {
            report(comment.line, word, instead);
        }
    }
    for (line, code) in source.lines() {
        for (word, instead) in RUST_LEFT_OVERS.iter().filter(|(word, _)| code.contains(word)) {
            report(line, word, instead);
        }
    }
}
