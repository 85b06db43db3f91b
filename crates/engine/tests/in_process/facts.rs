//! What the reference servers say of their commands.
#![allow(dead_code, reason = "the tests of the server use it too, and each a part of it")]

use std::collections::{BTreeMap, BTreeSet};

/// What the reference servers say of one command.
pub(crate) struct Facts {
    pub(crate) arity: i32,
    pub(crate) group: String,
    pub(crate) since: String,
    pub(crate) categories: BTreeSet<String>,
    pub(crate) flags: BTreeSet<String>,
    pub(crate) keys: Vec<String>,
    pub(crate) in_redis: bool,
    pub(crate) in_valkey: bool,
}

/// The facts by full name, in lower case.
pub(crate) fn facts() -> BTreeMap<String, Facts> {
    let words = |text: &str, by: &str| -> Vec<String> {
        text.split(by).filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
    };
    let lines = include_str!("../data/commands.tsv").lines().skip(1);
    let facts = lines.map(|line| {
        let columns: Vec<&str> = line.split('\t').collect();
        let facts = Facts {
            arity: columns[1].parse().unwrap(),
            group: columns[2].replace('_', "-"),
            // Where the two differ, Redis's version stands behind a tilde.
            since: columns[3].rsplit('~').next().unwrap().to_owned(),
            categories: words(columns[4], ",").into_iter().collect(),
            flags: words(columns[5], ",").into_iter().collect(),
            keys: words(columns[6], "; ").iter().map(|spec| with_sorted_flags(spec)).collect(),
            in_redis: columns[7] == "1",
            in_valkey: columns[8] == "1",
        };
        (columns[0].to_lowercase(), facts)
    });
    facts.collect()
}

/// The flags of a key are a set: their order says nothing.
pub(crate) fn with_sorted_flags(spec: &str) -> String {
    let Some((place, flags)) = spec.split_once('[') else { return spec.to_owned() };
    let flags: BTreeSet<&str> = flags.trim_end_matches(']').split('|').collect();
    format!("{place}{flags:?}")
}
