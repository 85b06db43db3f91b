//! Tests of tidy: the tree itself passes, and each rule finds what it is for.

use super::*;

#[test]
fn the_tree_is_tidy() {
    let tree = Tree::read(&root()).expect("the checkout is readable");
    let findings: Vec<String> = findings(&tree).iter().map(ToString::to_string).collect();
    assert!(findings.is_empty(), "\n{}\n", findings.join("\n"));
}

/// The rules that one file breaks.
fn broken(path: &str, text: &str) -> Vec<&'static str> {
    broken_together(&[(path, text)])
}

/// The rules that several files break.
fn broken_together(files: &[(&str, &str)]) -> Vec<&'static str> {
    let mut tree = Tree { files: Vec::new() };
    for (path, text) in files {
        tree.add((*path).to_owned(), (*text).to_owned());
    }
    findings(&tree).into_iter().map(|finding| finding.rule).collect()
}

fn rust(path: &str, body: &str) -> Vec<&'static str> {
    broken(path, &format!("//! A file.\n{body}\n"))
}

#[test]
fn clean_files_pass() {
    assert!(rust("crates/base/src/lib.rs", "pub fn one() -> u8 {\n    1\n}").is_empty());
    assert!(
        broken("docs/a.md", "# A page\n\nSee [itself](a.md) and [a site](https://a.b/c).\n")
            .is_empty()
    );
}

#[test]
fn edges_against_the_direction() {
    let manifest = "[package]\nname = \"store\"\n[dependencies]\nresp.workspace = true\n";
    let source = ("crates/store/src/a.rs", "//! A file.\nuse resp::Reply;\n");
    let broken = broken_together(&[("crates/store/Cargo.toml", manifest), source]);
    assert_eq!(broken, ["crate-direction"]);
    let manifest = "[package]\nname = \"engine\"\n[dependencies]\nstore.workspace = true\n";
    let source = ("crates/engine/src/a.rs", "//! A file.\nuse store::Kind;\n");
    assert!(broken_together(&[("crates/engine/Cargo.toml", manifest), source]).is_empty());
}

#[test]
fn unused_dependencies() {
    let root = ("Cargo.toml", "[workspace.dependencies]\na-b = \"1\"\nc = { version = \"2\" }\n");
    let manifest = |text: &'static str| ("xtask/Cargo.toml", text);
    let used = "[package]\nname = \"xtask\"\n[dependencies]\na-b.workspace = true\n\n\
                # For tests.\n[dev-dependencies]\nc = \"2\"\n";
    let source = (
        "xtask/src/a.rs",
        "//! A file.\nuse a_b::D;\n\n#[cfg(test)]\nmod tests {\n    use c::E;\n}\n",
    );
    assert!(broken_together(&[root, manifest(used), source]).is_empty());
    // In a text or for tests alone.
    let source = (
        "xtask/src/a.rs",
        "//! A file, not a_b.\nconst C: &str = \"c\";\n\n#[cfg(test)]\nmod tests {\n    use a_b::E;\n}\n",
    );
    let unused = ["unused-dependency", "unused-dependency"];
    assert_eq!(broken_together(&[root, manifest(used), source]), unused);
    // By no member.
    assert_eq!(broken_together(&[root]), unused);
}

#[test]
fn the_outside_world_stays_outside() {
    assert_eq!(rust("crates/engine/src/a.rs", "use std::fs;"), ["outside"]);
    assert_eq!(rust("crates/store/src/a.rs", "use std::{fmt, thread};"), ["outside"]);
    assert_eq!(rust("crates/base/src/a.rs", "fn now() { Instant::now(); }"), ["outside"]);
    assert!(rust("crates/server/src/a.rs", "use std::fs;").is_empty());
    assert!(
        rust("crates/store/src/a.rs", "#[cfg(test)]\nmod tests {\n    use std::thread;\n}")
            .is_empty()
    );
}

#[test]
fn modules_of_store_know_only_lower_ones() {
    assert_eq!(
        rust("crates/store/src/types/set.rs", "use crate::value::Value;"),
        ["module-direction"]
    );
    assert_eq!(
        rust("crates/store/src/rdb/read.rs", "use crate::keyspace::Shard;"),
        ["module-direction"]
    );
    assert!(
        rust("crates/store/src/keyspace/shard.rs", "use crate::{layout, value::Value};").is_empty()
    );
}

#[test]
fn families_do_not_import_each_other() {
    let list = "crates/engine/src/commands/list.rs";
    assert_eq!(rust(list, "use crate::commands::zset::pop;"), ["family"]);
    assert_eq!(rust(list, "use super::string::length;"), ["family"]);
    assert!(rust(list, "use super::common::limit;").is_empty());
    assert!(rust("crates/engine/src/commands/zset/pop.rs", "use super::range::span;").is_empty());
    assert_eq!(
        rust("crates/engine/src/commands/zset/pop.rs", "use super::super::list::pop;"),
        ["family"]
    );
}

#[test]
fn long_functions_and_files() {
    let body = "    let _ = 1;\n".repeat(80);
    assert_eq!(rust("crates/base/src/a.rs", &format!("fn f() {{\n{body}}}")), ["function-length"]);
    let lines = "const A: u8 = 1;\n".repeat(1_600);
    assert_eq!(rust("crates/base/src/a.rs", lines.trim_end()), ["file-length"]);
    let with_reason = format!("//! Length: a table.\n{}", lines.trim_end());
    assert!(rust("crates/base/src/a.rs", &with_reason).is_empty());
}

#[test]
fn words_in_their_places() {
    assert_eq!(rust("crates/resp/src/a.rs", "fn f() { unsafe { g() } }"), ["unsafe"]);
    assert!(rust("crates/store/src/layout/entry.rs", "fn f() { unsafe { g() } }").is_empty());
    assert!(
        rust("crates/resp/src/a.rs", "// unsafe is a word in prose\nconst A: &str = \"unsafe\";")
            .is_empty()
    );
    assert_eq!(rust("crates/server/src/a.rs", "const A: &str = \"ERR no\";"), ["error-text"]);
    assert!(rust("crates/engine/src/error.rs", "const A: &str = \"ERR no\";").is_empty());
    assert_eq!(
        rust("crates/engine/src/a.rs", "fn f() { if row.name == \"get\" {} }"),
        ["command-name"]
    );
    assert_eq!(rust("crates/store/src/a.rs", "fn glob_match() {}"), ["glob"]);
    assert_eq!(rust("crates/store/src/a.rs", "fn get_length() {}"), ["name"]);
    assert_eq!(rust("crates/store/src/a.rs", "struct KeyManager;"), ["name"]);
}

#[test]
fn headers_and_left_overs() {
    assert_eq!(broken("crates/base/src/a.rs", "fn f() {}\n"), ["header"]);
    assert_eq!(rust("crates/base/src/a.rs", concat!("// TO", "DO later")), ["left-over"]);
    assert_eq!(broken("docs/a.md", "two  \n"), ["trailing-space"]);
    assert_eq!(broken("docs/a.md", "[gone](nowhere.md)\n"), ["link"]);
    assert_eq!(broken("docs/a.md", concat!("see /wo", "rk/main\n")), ["machine-path"]);
}

#[test]
fn literals_and_comments_are_not_code() {
    let text = "//! A file.\nfn f<'a>(x: &'a str) -> char { let _ = r#\"unsafe \" {\"#; '{' }\n";
    let source = source::Source::parse("crates/base/src/a.rs", text);
    assert_eq!(source.code.len(), text.len());
    assert!(!source.code.contains("unsafe"));
    let functions = source.functions();
    assert_eq!((functions[0].name.as_str(), functions[0].len), ("f", 1));
}
