//! Which module may name which, inside store and engine.

use super::Finding;
use super::source::is_name;
use super::tree::{File, Tree};

/// store, from the ground up; equal ranks do not know each other.
const STORE: &[(&str, u8)] =
    &[("blob", 0), ("layout", 0), ("types", 1), ("value", 2), ("keyspace", 3), ("rdb", 3)];

/// engine, from the ground up. Modules that are not listed (acl, pubsub …) are state that context
/// holds; only the listed ones have a direction.
const ENGINE: &[(&str, u8)] = &[
    ("args", 0),
    ("command", 0),
    ("effects", 0),
    ("error", 0),
    ("context", 1),
    ("commands", 2),
    ("table", 3),
    ("run", 4),
];

/// Who may name a higher module: a row's function takes a `Ctx`, and a `Ctx` lets EXEC and scripts
/// make calls, which go through the same `run` and the same rows as a client's; COMMAND shows the
/// table.
const EXCEPTIONS: &[(&str, &str)] =
    &[("command", "context"), ("commands", "table"), ("context", "run"), ("context", "table")];

pub(crate) fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    for (file, source) in tree.sources() {
        let lines: Vec<(usize, &str)> = source.production_lines().collect();
        if let Some(module) = top_module(file, "crates/store/src/") {
            check_ranks(file, module, STORE, &lines, findings);
        }
        if let Some(module) = top_module(file, "crates/engine/src/") {
            check_ranks(file, module, ENGINE, &lines, findings);
        }
        if let Some(family) = top_module(file, "crates/engine/src/commands/") {
            check_family(file, family, &lines, findings);
        }
    }
}

fn top_module<'a>(file: &'a File, folder: &str) -> Option<&'a str> {
    let rest = file.path.strip_prefix(folder)?;
    let first = rest.split('/').next()?;
    Some(first.trim_end_matches(".rs"))
}

fn check_ranks(
    file: &File,
    module: &str,
    ranks: &[(&str, u8)],
    lines: &[(usize, &str)],
    findings: &mut Vec<Finding>,
) {
    let rank_of =
        |name: &str| ranks.iter().find(|(known, _)| *known == name).map(|(_, rank)| *rank);
    let Some(own) = rank_of(module) else { return };
    for (line, code) in lines {
        for other in crate_paths(code) {
            let Some(rank) = rank_of(other) else { continue };
            let is_peer_wall = rank == own && 3 <= own && ranks.len() == STORE.len();
            let is_exception = EXCEPTIONS.contains(&(module, other));
            if other != module && (own < rank || is_peer_wall) && !is_exception {
                let message =
                    format!("{module} must not know {other}; move what both need below them");
                findings.push(file.finding(*line, "module-direction", message));
            }
        }
    }
}

/// The first names after `crate::` on a line, those of a group on one line included.
fn crate_paths(code: &str) -> Vec<&str> {
    let mut names = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(group) => names.extend(group.split(',').map(|item| first_name(item.trim()))),
            None => names.push(first_name(rest)),
        }
    }
    names
}

fn first_name(text: &str) -> &str {
    text.split(|c| !is_name(c)).next().unwrap_or("")
}

fn check_family(file: &File, family: &str, lines: &[(usize, &str)], findings: &mut Vec<Finding>) {
    if matches!(family, "mod" | "common" | "docs") {
        return;
    }
    let depth = file.path.matches('/').count() - "crates/engine/src/commands".matches('/').count();
    let up = "super::".repeat(depth);
    for (line, code) in lines {
        let mut named: Vec<&str> = Vec::new();
        for prefix in ["crate::commands::", up.as_str()] {
            for (at, _) in code.match_indices(prefix) {
                // A longer chain of `super` leaves the folder; it is not about families.
                if prefix == up && code[..at].ends_with("super::") {
                    continue;
                }
                named.push(first_name(&code[at + prefix.len()..]));
            }
        }
        for other in named {
            // A family may be split over files whose names begin with its own.
            let is_own = is_part(family, other) || is_part(other, family);
            let is_allowed = ["common", "docs", "super", ""].contains(&other)
                || is_own
                || other.starts_with(char::is_uppercase);
            if !is_allowed {
                let message = format!(
                    "family {family} must not use family {other}; share it in commands/common/"
                );
                findings.push(file.finding(*line, "family", message));
            }
        }
    }
}

/// Whether `part` is `whole` or a piece of it: `string_lcs` of `string`.
fn is_part(part: &str, whole: &str) -> bool {
    part.strip_prefix(whole).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
}
