//! How long files and functions may be.

use super::Finding;
use super::source::{Function, Source};
use super::tree::Tree;

/// A file longer than this says in its header, on a line that begins `//! Length:`, why it is one thing.
const FILE_LINES_MAX: usize = 1_500;
const FUNCTION_LINES_MAX: usize = 70;

/// `path function lines`, one a line: what was longer when the rule came. It only shrinks.
const LONG_FUNCTIONS: &str = "xtask/src/tidy/long_functions.txt";

pub(crate) fn check_files(tree: &Tree, findings: &mut Vec<Finding>) {
    for (file, _) in tree.sources() {
        let count = file.text.lines().count();
        let has_reason = file.text.lines().any(|line| line.starts_with("//! Length:"));
        if FILE_LINES_MAX < count && !has_reason {
            let message = format!(
                "{count} lines, more than {FILE_LINES_MAX}; split it, or say on a `//! Length:` line why it is one thing"
            );
            findings.push(file.finding(count, "file-length", message));
        }
    }
}

pub(crate) fn check_functions(tree: &Tree, findings: &mut Vec<Finding>) {
    let list = tree.files.iter().find(|file| file.path == LONG_FUNCTIONS);
    let mut allowed = list.map(|list| allowances(&list.text)).unwrap_or_default();
    for (file, source) in tree.sources() {
        for function in source.functions() {
            let is_short = function.len <= FUNCTION_LINES_MAX;
            if is_short || source.is_test(function.line) || has_reason(source, &function) {
                continue;
            }
            let known = allowed.iter_mut().find(|known| known.is(&file.path, &function.name));
            let bound = known.map_or(FUNCTION_LINES_MAX, |known| {
                known.is_used = true;
                known.len_max
            });
            if bound < function.len {
                let (name, len) = (&function.name, function.len);
                let message = format!(
                    "fn {name} has {len} lines, more than {bound}; name its steps, or say on a `// Length:` line above it why it is one"
                );
                findings.push(file.finding(function.line, "function-length", message));
            }
        }
    }
    for unused in allowed.iter().filter(|known| !known.is_used) {
        let message = format!("{} {} is short now: remove this line", unused.path, unused.name);
        let (path, rule) = (LONG_FUNCTIONS.to_owned(), "function-length");
        findings.push(Finding { path, line: unused.line, rule, message });
    }
}

/// A table, a dispatcher or a state machine says so in a comment right above it or at its beginning.
fn has_reason(source: &Source, function: &Function) -> bool {
    source.comments.iter().any(|comment| {
        let is_near = (function.line.saturating_sub(5)..=function.line + 2).contains(&comment.line);
        let text = comment.text.trim_start_matches('/').trim_start();
        is_near && text.starts_with("Length:")
    })
}

struct Allowance {
    path: String,
    name: String,
    len_max: usize,
    line: usize,
    is_used: bool,
}

impl Allowance {
    fn is(&self, path: &str, name: &str) -> bool {
        self.path == path && self.name == name
    }
}

fn allowances(text: &str) -> Vec<Allowance> {
    let mut allowed = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [path, name, len_max] = words[..] else { continue };
        if path.starts_with('#') {
            continue;
        }
        allowed.push(Allowance {
            path: path.to_owned(),
            name: name.to_owned(),
            len_max: len_max.parse().unwrap_or(FUNCTION_LINES_MAX),
            line: index + 1,
            is_used: false,
        });
    }
    allowed
}
