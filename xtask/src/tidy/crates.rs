//! Which crate may lean on which: base ← resp, store ← engine ← server, and the programs on top.

use super::Finding;
use super::source::has_word;
use super::tree::{File, Tree};

/// Every crate of the house with the house crates that it may name. `None`: all of them.
const EDGES: &[(&str, Option<&[&str]>)] = &[
    ("base", Some(&[])),
    ("resp", Some(&["base"])),
    ("store", Some(&["base"])),
    ("luastack", Some(&[])),
    ("engine", Some(&["base", "resp", "store", "luastack"])),
    ("persist", Some(&["base", "resp", "store", "engine"])),
    ("server", Some(&["base", "resp", "store", "engine", "persist"])),
    ("bench", Some(&["base", "resp"])),
    ("cli", Some(&["base", "resp"])),
    ("sim", None),
    ("harness", None),
    ("xtask", Some(&[])),
];

/// What the four inner crates take as arguments instead of asking the operating system.
const OUTSIDE: &[(&str, &str)] = &[
    ("std::fs", "bytes or an io::Read that server hands in"),
    ("std::net", "bytes that server read from its socket"),
    ("std::thread", "state that server's workers drive"),
    ("std::process", "an error that server acts on"),
    ("std::env", "a setting"),
    ("SystemTime", "base::clock::Clock, handed in"),
    ("Instant::now", "base::clock::Clock, handed in"),
];
const INNER: &[&str] = &["base", "resp", "store", "engine"];

pub(crate) fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    for file in tree.files.iter().filter(|file| file.path.ends_with("Cargo.toml")) {
        check_manifest(file, findings);
    }
    for (file, source) in tree.sources() {
        // Benches are programs: they measure time and start threads.
        let is_library = file.path.starts_with("crates/") && file.path.contains("/src/");
        if !is_library || !INNER.contains(&file.house()) {
            continue;
        }
        for (line, code) in source.production_lines() {
            for (word, instead) in OUTSIDE.iter().filter(|(word, _)| names(code, word)) {
                let message = format!("{} must not use {word}; take {instead}", file.house());
                findings.push(file.finding(line, "outside", message));
            }
        }
    }
}

/// `std::fs` as such, or inside a `use std::{…}` on one line.
fn names(code: &str, word: &str) -> bool {
    let Some(module) = word.strip_prefix("std::") else { return has_word(code, word) };
    if has_word(code, word) {
        return true;
    }
    let Some((_, group)) = code.split_once("std::{") else { return false };
    group.split(',').any(|item| {
        item.trim().split("::").next().is_some_and(|first| first.trim_end_matches("};") == module)
    })
}

fn check_manifest(file: &File, findings: &mut Vec<Finding>) {
    let Some((_, allowed)) = EDGES.iter().find(|(name, _)| package_name(&file.text) == Some(name))
    else {
        if let Some(name) = package_name(&file.text) {
            let message =
                format!("crate {name} is not on the map; add it to xtask/src/tidy/crates.rs");
            findings.push(file.finding(1, "crate-map", message));
        }
        return;
    };
    let mut is_dependency_section = false;
    for (index, line) in file.text.lines().enumerate() {
        if line.starts_with('[') {
            is_dependency_section = line.ends_with("dependencies]");
            continue;
        }
        let name = line.split(['.', '=', ' ']).next().unwrap_or("");
        let is_house = EDGES.iter().any(|(house, _)| *house == name);
        let is_allowed = allowed.is_none_or(|allowed| allowed.contains(&name));
        if is_dependency_section && is_house && !is_allowed {
            let message = format!(
                "{} must not depend on {name}: the walls are in ARCHITECTURE.md",
                file.house()
            );
            findings.push(file.finding(index + 1, "crate-direction", message));
        }
    }
}

fn package_name(manifest: &str) -> Option<&str> {
    let (_, package) = manifest.split_once("[package]")?;
    let line = package.lines().find(|line| line.starts_with("name"))?;
    Some(line.split_once('=')?.1.trim().trim_matches('"'))
}
