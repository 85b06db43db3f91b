//! What may be written where: unsafe, error texts, command names, glob matchers, names of things.

use super::Finding;
use super::source::{Source, has_word, is_name};
use super::tree::{File, Tree};

/// The only places for `unsafe`, each with a portable twin or a model test beside it.
const UNSAFE_PLACES: &[&str] = &[
    "crates/base/src/lock",
    "crates/base/src/simd",
    "crates/luastack/src",
    "crates/server/src/alloc",
    "crates/server/src/sys",
    "crates/server/src/worker",
    "crates/store/src/blob",
    "crates/store/src/layout",
];
/// The only file with texts of error replies.
const ERROR_FILE: &str = "crates/engine/src/error";
const ERROR_PREFIXES: &[&str] = &["ERR ", "-ERR ", "WRONGTYPE", "-WRONGTYPE"];
/// The only glob matcher.
const GLOB_FILE: &str = "crates/base/src/glob";
const GLOB_NAMES: &[&str] =
    &["glob_match", "match_glob", "string_match", "wildcard_match", "pattern_match"];

pub(crate) fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    for (file, source) in tree.sources() {
        check_unsafe(file, source, findings);
        check_names(file, source, findings);
        if file.path.starts_with("crates/") {
            check_error_texts(file, source, findings);
            if matches!(file.house(), "engine" | "server") {
                check_command_names(file, source, findings);
            }
            check_sleeps(file, source, findings);
        }
    }
}

fn check_unsafe(file: &File, source: &Source, findings: &mut Vec<Finding>) {
    if UNSAFE_PLACES.iter().any(|place| file.is_in(place)) {
        return;
    }
    for (line, _) in source.lines().filter(|(_, code)| has_word(code, "unsafe")) {
        let message = format!("unsafe lives only in {}", UNSAFE_PLACES.join(", "));
        findings.push(file.finding(line, "unsafe", message));
    }
}

fn check_error_texts(file: &File, source: &Source, findings: &mut Vec<Finding>) {
    // The programs on top read error replies; the crates below produce them.
    if file.is_in(ERROR_FILE) || matches!(file.house(), "bench" | "cli" | "sim") {
        return;
    }
    for literal in source.literals.iter().filter(|literal| !source.is_test(literal.line)) {
        // The bare code is not a text: scripts put it before texts of their own.
        let is_code = literal.text.trim_start_matches('-') == "ERR ";
        if !is_code && ERROR_PREFIXES.iter().any(|prefix| literal.text.starts_with(prefix)) {
            let message = format!("the error text \"{}\" belongs in {ERROR_FILE}.rs", literal.text);
            findings.push(file.finding(literal.line, "error-text", message));
        }
    }
}

/// A comparison of a row's name is a fact about a command outside its row.
fn check_command_names(file: &File, source: &Source, findings: &mut Vec<Finding>) {
    for (line, code) in source.production_lines() {
        let is_row = ["command.name", "row.name", "cmd.name", "command.full_name", "row.full_name"]
            .iter()
            .any(|word| has_word(code, word));
        let is_compared =
            ["==", "!=", "eq_ignore_ascii_case", "match "].iter().any(|op| code.contains(op));
        let has_literal = code.contains('"') || code.trim_start().starts_with("match ");
        if is_row && is_compared && has_literal {
            let message = "compares a command's name; put the fact into its row and ask the row";
            findings.push(file.finding(line, "command-name", message));
        }
    }
}

fn check_sleeps(file: &File, source: &Source, findings: &mut Vec<Finding>) {
    for (line, code) in source.lines().filter(|(line, _)| source.is_test(*line)) {
        if code.contains("thread::sleep") {
            let message =
                "a test does not sleep: use a fake clock, or wait for the event with a deadline";
            findings.push(file.finding(line, "sleep", message));
        }
    }
}

fn check_names(file: &File, source: &Source, findings: &mut Vec<Finding>) {
    for (line, code) in source.lines() {
        if let Some(name) = declared(code, "fn ") {
            if let Some(rest) = name.strip_prefix("get_") {
                let message = format!("fn {name}: call it {rest}");
                findings.push(file.finding(line, "name", message));
            }
            if GLOB_NAMES.contains(&name) && !file.is_in(GLOB_FILE) {
                let message = format!("fn {name}: the one glob matcher is base::glob");
                findings.push(file.finding(line, "glob", message));
            }
        }
        for keyword in ["struct ", "enum ", "trait ", "mod "] {
            let Some(name) = declared(code, keyword) else { continue };
            for part in ["Manager", "Helper", "Util", "utils", "helpers"] {
                if name.contains(part) {
                    let message = format!("{name}: name it after what it is, without {part}");
                    findings.push(file.finding(line, "name", message));
                }
            }
        }
    }
}

/// The name that follows a keyword which begins a declaration on this line.
fn declared<'a>(code: &'a str, keyword: &str) -> Option<&'a str> {
    let at = code.find(keyword)?;
    let is_start = code[..at].chars().next_back().is_none_or(|c| !is_name(c));
    let rest = &code[at + keyword.len()..];
    let len = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
    (is_start && 0 < len).then(|| &rest[..len])
}
