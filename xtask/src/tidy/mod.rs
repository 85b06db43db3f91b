//! `cargo xtask tidy`: the rules of STYLE.md that a program can check.
//!
//! Every rule is a function from the tree to findings. A finding names the file, the line, the rule
//! and what to write instead, so that nobody has to look a rule up. The same checks run as a test.

mod crates;
mod dependencies;
mod markdown;
mod modules;
mod sizes;
mod source;
mod text;
mod tree;
mod words;

#[cfg(test)]
mod tests;

use std::fmt;

use crate::process::{Outcome, root};
use tree::Tree;

/// One broken rule.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    path: String,
    /// From 1; 0 stands for the file as a whole.
    line: usize,
    rule: &'static str,
    message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, line, rule, message } = self;
        write!(formatter, "{path}:{line}: [{rule}] {message}")
    }
}

const RULES: &[fn(&Tree, &mut Vec<Finding>)] = &[
    crates::check,
    dependencies::check,
    modules::check,
    sizes::check_files,
    sizes::check_functions,
    text::check,
    words::check,
    markdown::check,
];

/// Checks the whole tree and prints what is wrong.
///
/// # Errors
/// When a rule is broken or the tree cannot be read.
pub(crate) fn run() -> Outcome {
    let tree = Tree::read(&root())?;
    let findings = findings(&tree);
    for finding in &findings {
        println!("{finding}");
    }
    match findings.len() {
        0 => {
            println!("tidy: {} files, nothing to say", tree.files.len());
            Ok(())
        }
        count => Err(format!("tidy: {count} findings")),
    }
}

fn findings(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rule in RULES {
        rule(tree, &mut findings);
    }
    findings.sort();
    findings
}
