//! Tests over the table: complete, consistent, equal to the reference servers' defaults.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{Config, Machine};
use super::*;

/// Name, default of Redis 8.0, default of Valkey 9.1, of every directive that CONFIG GET * lists
/// there.
const REFERENCE: &str = include_str!("../../../tests/data/settings.tsv");

fn config(dialect: Dialect) -> Config {
    Config::new(dialect, Machine { cores: 1, memory_bytes: 1 << 30 })
}

fn reference(dialect: Dialect) -> BTreeMap<&'static str, &'static str> {
    let mut found = BTreeMap::new();
    for line in REFERENCE.lines().skip(1) {
        let [name, redis, valkey] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("{line}");
        };
        let default = if dialect == Dialect::Redis { redis } else { valkey };
        if default != "-" {
            found.insert(name, if default == "(empty)" { "" } else { default });
        }
    }
    found
}

#[test]
fn names_are_unique() {
    let mut names = BTreeSet::new();
    for name in ROWS.iter().flat_map(Row::names) {
        assert!(names.insert(name), "{name} twice");
        assert_eq!(name, name.to_ascii_lowercase());
    }
    for name in
        FILE_DIRECTIVES.iter().map(|directive| directive.name).chain(RETIRED.iter().copied())
    {
        assert!(names.insert(name), "{name} twice");
    }
}

#[test]
fn every_name_finds_its_row() {
    for (index, row) in ROWS.iter().enumerate() {
        for name in row.names() {
            assert_eq!(find(name.to_ascii_uppercase().as_bytes()), Some((index, name)));
        }
        assert_eq!(index_of(row.name), index);
    }
    assert_eq!(find(b"no-such-setting"), None);
}

#[test]
fn every_row_says_what_it_is() {
    for row in &ROWS {
        assert!(row.doc.ends_with('.'), "{}", row.name);
        assert!(8 < row.doc.len(), "{}", row.name);
    }
}

#[test]
fn defaults_hold_their_own_bounds() {
    for dialect in [Dialect::Redis, Dialect::Valkey] {
        let config = config(dialect);
        for (index, row) in ROWS.iter().enumerate() {
            let text = row.default_text(dialect).as_bytes();
            let value = config.parsed(index, &[text], &config.defaults[index]);
            let value = value.unwrap_or_else(|reason| panic!("{}: {reason}", row.name));
            if !matches!(row.name, "dir" | "io-threads") {
                assert_eq!(value, config.defaults[index], "{}", row.name);
            }
            let printed = config.print(index);
            let again = row.kind.parse(&[&printed], &value, dialect).unwrap();
            assert_eq!(again, config.values[index], "{}", row.name);
        }
    }
}

/// The same names as the reference lists, with the same values. A pid file is named there only by a
/// server in the background, and a folder is the one it was started in.
#[test]
fn listing_equals_the_reference() {
    for dialect in [Dialect::Redis, Dialect::Valkey] {
        let shown: BTreeMap<String, String> = config(dialect)
            .find(&[b"*"])
            .into_iter()
            .map(|(name, value)| (name, String::from_utf8(value).unwrap()))
            .collect();
        let reference = reference(dialect);
        let names: BTreeSet<&str> = shown.keys().map(String::as_str).collect();
        let expected: BTreeSet<&str> = reference.keys().copied().collect();
        let differing: Vec<_> = names.symmetric_difference(&expected).collect();
        assert!(differing.is_empty(), "{dialect:?}: {differing:?}");
        for (name, value) in
            reference.into_iter().filter(|(name, _)| !matches!(*name, "dir" | "pidfile"))
        {
            assert_eq!(shown[name], value, "{dialect:?}: {name}");
        }
    }
}

/// No number that a row accepts is too large or too small for the type that the settings hold it
/// in.
#[test]
fn extremes_fit_the_settings() {
    for dialect in [Dialect::Redis, Dialect::Valkey] {
        for take_max in [false, true] {
            let mut config = config(dialect);
            for (index, row) in ROWS.iter().enumerate() {
                let bounds = match row.kind {
                    Kind::Integer { min, max } | Kind::Memory { min, max } => (min, max),
                    Kind::MemoryOrAuto | Kind::MemoryOrPercent => (0, u64::MAX.into()),
                    _ => continue,
                };
                let number = if take_max { bounds.1 } else { bounds.0 }.to_string();
                if let Ok(value) = config.parsed(index, &[number.as_bytes()], &config.values[index])
                {
                    config.values[index] = value;
                }
            }
            let settings = config.settings();
            assert_eq!(settings.port, if take_max { u16::MAX } else { 0 });
            assert_eq!(settings.hz, if take_max { 500 } else { 1 });
        }
    }
}

#[test]
fn hidden_names_answer_when_asked() {
    let config = config(Dialect::Redis);
    assert_eq!(config.find(&[b"key-load-delay"])[0].1, b"0");
    assert_eq!(config.find(&[b"key-load-dela*"]), []);
    assert_eq!(config.find(&[b"dialect"])[0].1, b"redis");
}
