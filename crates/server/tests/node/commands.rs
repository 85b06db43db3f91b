//! Tests over all rows, the engine's and the server's: every command of the reference servers is there, and
//! its facts are those of the reference.

#[path = "../../../engine/tests/in_process/facts.rs"]
mod facts;

use engine::command::{Command, Flags, Origin};
use engine::keys::{Begin, Find, KeySpec};
use facts::{facts, with_sorted_flags};
use std::collections::BTreeSet;

/// Names that are ours alone, or whose rows say more than the reference's.
const KEYS_OF_OUR_OWN: [&str; 1] = ["debug"];

/// Commands of what a single server has not: cluster, Sentinel, replication, persistence. An entry stands for
/// its subcommands too.
const OF_OTHER_PARTS: &[&str] = &[
    "asking",
    "cluster",
    "clusterscan",
    "failover",
    "psync",
    "readonly",
    "readwrite",
    "replconf",
    "replicaof",
    "sentinel",
    "sflush",
    "slaveof",
    "sync",
];

/// Every row with its full name.
fn rows() -> Vec<(String, &'static Command)> {
    let families = engine::commands::FAMILIES.iter().chain(server::commands::FAMILIES);
    let commands = families.flat_map(|family| family.iter());
    let with_parts = commands.flat_map(|row| {
        let parts =
            row.subcommands.iter().map(move |part| (format!("{}|{}", row.name, part.name), part));
        std::iter::once((row.name.to_owned(), row)).chain(parts)
    });
    with_parts.collect()
}

/// Whether a list holds a command, or its container.
fn lists(list: &[&str], name: &str) -> bool {
    let container = name.split('|').next().unwrap();
    list.contains(&name) || list.contains(&container)
}

#[test]
fn every_command_of_the_reference_is_there() {
    let own: BTreeSet<String> = rows().into_iter().map(|(name, _)| name).collect();
    let wanted: BTreeSet<String> =
        facts().into_keys().filter(|name| !lists(OF_OTHER_PARTS, name)).collect();
    let missing: Vec<&String> = wanted.iter().filter(|name| !own.contains(*name)).collect();
    assert!(missing.is_empty(), "missing: {missing:?}");
    assert!(OF_OTHER_PARTS.is_sorted());
    for name in OF_OTHER_PARTS {
        assert!(!own.contains(*name), "{name} is there: take it off the list");
    }
}

#[test]
fn facts_are_those_of_the_reference() {
    let facts = facts();
    let mut differences = Vec::new();
    for (name, row) in rows() {
        let Some(expected) = facts.get(&name) else {
            assert!(row.origin == Origin::Ochre, "{name} is unknown to the reference");
            continue;
        };
        let mut compare = |what: &str, own: String, theirs: String| {
            if own != theirs {
                differences.push(format!("{name}: {what} is {own}, not {theirs}"));
            }
        };
        compare("arity", row.arity.to_string(), expected.arity.to_string());
        compare("group", row.group.name().to_owned(), expected.group.clone());
        compare("since", row.since.to_owned(), expected.since.clone());
        compare(
            "categories",
            format!("{:?}", category_names(row)),
            format!("{:?}", expected.categories),
        );
        compare(
            "flags",
            format!("{:?}", flag_names(row)),
            format!("{:?}", comparable(&expected.flags)),
        );
        let origin = match (expected.in_redis, expected.in_valkey) {
            (true, false) => Origin::Redis,
            (false, true) => Origin::Valkey,
            _ => Origin::Both,
        };
        compare("origin", format!("{:?}", row.origin), format!("{origin:?}"));
        if !KEYS_OF_OUR_OWN.contains(&name.as_str()) {
            let own = row.keys.iter().map(|spec| with_sorted_flags(&spec_text(spec)));
            let own: Vec<String> = own.collect();
            compare("keys", format!("{own:?}"), format!("{:?}", expected.keys));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

fn category_names(row: &Command) -> BTreeSet<String> {
    row.categories().names().map(str::to_owned).collect()
}

/// Flags by the reference's names; those that are not shown to clients stand here by hand.
fn flag_names(row: &Command) -> BTreeSet<String> {
    let hidden = [
        (Flags::MAY_REPLICATE, "may_replicate"),
        (Flags::PROTECTED, "protected"),
        (Flags::TOUCHES_ARBITRARY_KEYS, "touches_arbitrary_keys"),
    ];
    let hidden = hidden.iter().filter(|(flag, _)| row.flags.has(*flag)).map(|(_, name)| *name);
    let names: BTreeSet<String> = row.flags.names().chain(hidden).map(str::to_owned).collect();
    comparable(&names)
}

/// Without what the two reference servers name differently, or what only one of their modes knows.
fn comparable(flags: &BTreeSet<String>) -> BTreeSet<String> {
    const LEFT_OUT: [&str; 5] =
        ["all_dbs", "experimental", "movablekeys", "sentinel", "only_sentinel"];
    let kept = flags.iter().filter(|flag| !LEFT_OUT.contains(&flag.as_str()));
    kept.map(|flag| flag.replace("skip_slowlog", "skip_commandlog")).collect()
}

/// A key spec in the notation of the facts: `@1 range(-1,1,0) [rm|delete]`.
fn spec_text(spec: &KeySpec) -> String {
    let begin = match spec.begin {
        Begin::Index(index) => format!("@{index}"),
        Begin::Keyword { word, from } => format!("@{}>{from}", word.to_lowercase()),
        Begin::Unknown => "@?".to_owned(),
    };
    let find = match spec.find {
        Find::Range { last, step, limit } => format!("range({last},{step},{limit})"),
        Find::Counted { count, first, step } => format!("keynum({count},{first},{step})"),
        Find::Unknown => "?".to_owned(),
    };
    format!("{begin} {find} [{}]", spec.flags.0.join("|").to_lowercase())
}
