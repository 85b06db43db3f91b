//! Markdown: links to files of the tree must resolve.

use super::Finding;
use super::tree::{File, Tree};

pub(crate) fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    for file in tree.files.iter().filter(|file| file.path.ends_with(".md")) {
        let mut is_code = false;
        for (index, line) in file.text.lines().enumerate() {
            if line.trim_start().starts_with("```") {
                is_code = !is_code;
            }
            if is_code {
                continue;
            }
            for target in links(line) {
                if let Some(missing) = missing(tree, file, target) {
                    let message = format!("the link to {missing} leads nowhere");
                    findings.push(file.finding(index + 1, "link", message));
                }
            }
        }
    }
}

/// The targets of `[text](target)` on one line.
fn links(line: &str) -> impl Iterator<Item = &str> {
    line.match_indices("](").filter_map(|(at, _)| {
        let rest = &line[at + 2..];
        Some(rest[..rest.find(')')?].split(' ').next().unwrap_or(""))
    })
}

fn missing(tree: &Tree, file: &File, target: &str) -> Option<String> {
    let path = target.split('#').next().unwrap_or("");
    if path.is_empty() || path.contains("://") || path.starts_with("mailto:") {
        return None;
    }
    let mut parts: Vec<&str> = file.path.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            name => parts.push(name),
        }
    }
    let resolved = parts.join("/");
    // Pictures are not text, so the tree does not hold them; ask the disk.
    let is_there = tree.contains(&resolved) || crate::process::root().join(&resolved).exists();
    (!is_there).then_some(resolved)
}
