//! Reads the command line in Redis's form and turns its options into lines of configuration text.
//!
//! The first word that doesn't begin with a dash is the file. `--name value…` becomes one line
//! after the file's own; a word that holds name and values (`"--port 7000"`) too. The word after a
//! bare option is always its value, even if it begins with dashes. `-` as first or last word reads
//! more text from standard input.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use resp::Quotes;

use super::dialect::{Dialect, facts};
use super::file::{quoted, split_words};
use crate::persistence::check_append_only::{Mend, Request};

/// What the command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Invocation {
    /// Look through this append-only file.
    CheckAppendOnly(Request),
    /// Look through this snapshot.
    CheckSnapshot(PathBuf),
    CheckSystem,
    Help,
    /// The reason why it can't be done.
    Refused(String),
    Run(Sources),
    Version,
}

/// Where settings come from, in the order in which they count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    pub file: Option<PathBuf>,
    pub reads_standard_input: bool,
    /// The options as lines of a file.
    pub options: Vec<u8>,
}

/// Names under which the program looks through a snapshot.
const SNAPSHOT_CHECKERS: [&str; 3] = ["ochre-check-rdb", "redis-check-rdb", "valkey-check-rdb"];

/// Names under which it looks through an append-only file.
const APPEND_ONLY_CHECKERS: [&str; 3] = ["ochre-check-aof", "redis-check-aof", "valkey-check-aof"];

/// Reads the program's name and the words after it.
pub fn parse(program: &str, arguments: &[Vec<u8>]) -> Invocation {
    let name = program.rsplit('/').next().unwrap_or(program);
    match arguments {
        [only] if SNAPSHOT_CHECKERS.contains(&name) && !only.starts_with(b"-") => {
            return Invocation::CheckSnapshot(PathBuf::from(OsStr::from_bytes(only)));
        }
        words if APPEND_ONLY_CHECKERS.contains(&name) => return check_append_only(program, words),
        [first, rest @ ..] if first == b"--check-aof" => {
            return check_append_only(&format!("{program} --check-aof"), rest);
        }
        [first, rest @ ..] if first == b"--check-rdb" => {
            let [file] = rest else {
                return Invocation::Refused(format!("Usage: {program} --check-rdb FILE"));
            };
            return Invocation::CheckSnapshot(PathBuf::from(OsStr::from_bytes(file)));
        }
        [only] if only == b"-v" || only == b"--version" => return Invocation::Version,
        [only] if only == b"-h" || only == b"--help" => return Invocation::Help,
        [only] if only == b"--check-system" => return Invocation::CheckSystem,
        [first, ..] if first == b"--test-memory" => {
            return Invocation::Refused("this server has no memory test".to_owned());
        }
        _ => {}
    }
    if arguments.iter().any(|word| word == b"--sentinel") {
        let reason = "Sentinel mode isn't available: this program is a data server only";
        return Invocation::Refused(reason.to_owned());
    }
    let mut sources = Sources::default();
    let mut words = arguments;
    if let [first, rest @ ..] = arguments
        && first.first() != Some(&b'-')
    {
        sources.file = Some(PathBuf::from(OsStr::from_bytes(first)));
        words = rest;
    }
    match words {
        [first, rest @ ..] if first == b"-" && sources.file.is_none() => {
            sources.reads_standard_input = true;
            words = rest;
        }
        _ => {}
    }
    if let [rest @ .., last] = words
        && last == b"-"
    {
        sources.reads_standard_input = true;
        words = rest;
    }
    sources.options = option_lines(words);
    Invocation::Run(sources)
}

/// The words behind `--check-aof`.
fn check_append_only(command: &str, words: &[Vec<u8>]) -> Invocation {
    let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
    let (mend, file) = match words[..] {
        [file] if !file.starts_with(b"--") => (Mend::Nothing, file),
        [b"--fix", file] => (Mend::Tail, file),
        [b"--truncate-to-timestamp", second, file] => {
            let Some(second) = base::numbers::parse_u64(second) else {
                return Invocation::Refused("Invalid timestamp, aborting...".to_owned());
            };
            (Mend::After(second), file)
        }
        _ => {
            return Invocation::Refused(format!(
                "Usage: {command} [--fix|--truncate-to-timestamp $timestamp] <file.manifest|file.aof>"
            ));
        }
    };
    Invocation::CheckAppendOnly(Request { path: PathBuf::from(OsStr::from_bytes(file)), mend })
}

fn option_lines(words: &[Vec<u8>]) -> Vec<u8> {
    let mut lines: Vec<u8> = Vec::new();
    let mut awaits_value = false;
    for (index, word) in words.iter().enumerate() {
        match word.strip_prefix(b"--") {
            Some(option) if !awaits_value => {
                if 0 < index {
                    lines.push(b'\n');
                }
                lines.extend_from_slice(option);
                let names_only =
                    split_words(option, Quotes::EndWords).is_some_and(|split| split.len() == 1);
                let next_is_option =
                    words.get(index + 1).is_none_or(|next| next.starts_with(b"--"));
                if option.eq_ignore_ascii_case(b"save") && next_is_option {
                    lines.extend_from_slice(b" \"\"");
                } else {
                    awaits_value = names_only;
                }
            }
            _ => {
                if !lines.is_empty() && lines.last() != Some(&b'\n') {
                    lines.push(b' ');
                }
                lines.extend_from_slice(&quoted(word));
                awaits_value = false;
            }
        }
    }
    lines
}

/// What `--version` prints.
pub fn version_line(dialect: Dialect) -> String {
    let facts = facts(dialect);
    format!(
        "{} server v={} sha=00000000:0 malloc=jemalloc bits={} build=ochre-{}",
        facts.product,
        facts.version,
        usize::BITS,
        env!("CARGO_PKG_VERSION"),
    )
}

/// What `--help` prints.
pub fn usage(program: &str) -> String {
    format!(
        "Usage: {program} [FILE] [--SETTING VALUE...] [-]\n\
         \n\
         \x20 FILE             Read settings from a file\n\
         \x20 -                Read settings from standard input; the first or the last word\n\
         \x20 --SETTING VALUE  Set one, over what the file says; as often as needed.\n\
         \x20                  `CONFIG GET *` lists them all\n\
         \x20 -v, --version    Print the version\n\
         \x20 -h, --help       Print this text\n\
         \x20 --check-aof [--fix | --truncate-to-timestamp SECOND] FILE\n\
         \x20                  Look through an append-only file, by its manifest, and cut off its end;\n\
         \x20                  so does the name redis-check-aof\n\
         \x20 --check-rdb FILE Look through a snapshot; so does the name redis-check-rdb\n\
         \x20 --check-system   Look at the machine for what slows the server down\n\
         \n\
         Examples:\n\
         \x20 {program}\n\
         \x20 {program} --port 7777 --maxmemory 2gb\n\
         \x20 {program} /etc/redis/redis.conf --loglevel verbose\n\
         \x20 echo 'maxmemory auto' | {program} -\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(words: &[&str]) -> Sources {
        let words: Vec<Vec<u8>> = words.iter().map(|word| word.as_bytes().to_vec()).collect();
        match parse("ochre-server", &words) {
            Invocation::Run(sources) => sources,
            other => panic!("{other:?}"),
        }
    }

    fn check(words: &[&str], lines: &str) {
        assert_eq!(String::from_utf8(run(words).options).unwrap(), lines, "{words:?}");
    }

    #[test]
    fn options_become_lines() {
        check(&["--port", "7000", "--save", ""], "port \"7000\"\nsave \"\"");
        check(&["--port 7000", "--hz", "5"], "port 7000\nhz \"5\"");
        check(&["--requirepass", "--abc", "--hz", "5"], "requirepass \"--abc\"\nhz \"5\"");
        check(
            &["--save", "60", "1", "--save", "--port", "0"],
            "save \"60\" \"1\"\nsave \"\"\nport \"0\"",
        );
        check(&["--port", "0", "extra"], "port \"0\" \"extra\"");
        check(&["--hz", "\"5"], "hz \"\\\"5\"");
        check(&["--appendonly", "--port", "0"], "appendonly \"--port\" \"0\"");
        check(&["-p", "0"], "\"-p\" \"0\"");
        check(&["--"], "");
    }

    #[test]
    fn file_and_standard_input() {
        assert_eq!(run(&["a.conf", "--hz", "5"]).file, Some("a.conf".into()));
        assert!(run(&["-"]).reads_standard_input);
        assert!(run(&["a.conf", "--hz", "5", "-"]).reads_standard_input);
        assert!(run(&["a.conf", "-"]).reads_standard_input);
        assert!(!run(&["--hz", "5"]).reads_standard_input);
        assert_eq!(run(&[]), Sources::default());
    }

    #[test]
    fn questions_and_refusals() {
        let parse = |words: &[&str]| {
            let words: Vec<_> = words.iter().map(|word| word.as_bytes().to_vec()).collect();
            super::parse("ochre-server", &words)
        };
        assert_eq!(parse(&["-v"]), Invocation::Version);
        assert_eq!(parse(&["--help"]), Invocation::Help);
        assert_eq!(parse(&["--check-system"]), Invocation::CheckSystem);
        let snapshot = Invocation::CheckSnapshot(PathBuf::from("x.rdb"));
        assert_eq!(parse(&["--check-rdb", "x.rdb"]), snapshot);
        assert_eq!(super::parse("/bin/redis-check-rdb", &[b"x.rdb".to_vec()]), snapshot);
        assert!(matches!(parse(&["--check-rdb"]), Invocation::Refused(_)));
        let of_mend =
            |mend| Invocation::CheckAppendOnly(Request { path: PathBuf::from("x.aof"), mend });
        assert_eq!(parse(&["--check-aof", "x.aof"]), of_mend(Mend::Nothing));
        assert_eq!(parse(&["--check-aof", "--fix", "x.aof"]), of_mend(Mend::Tail));
        let until = ["--check-aof", "--truncate-to-timestamp", "12", "x.aof"];
        assert_eq!(parse(&until), of_mend(Mend::After(12)));
        let words = [b"--fix".to_vec(), b"x.aof".to_vec()];
        assert_eq!(super::parse("redis-check-aof", &words), of_mend(Mend::Tail));
        let wrong: [&[&str]; 4] = [
            &["--check-aof"],
            &["--check-aof", "--fix"],
            &["--check-aof", "--mend", "x.aof"],
            &["--check-aof", "--truncate-to-timestamp", "now", "x.aof"],
        ];
        wrong.iter().for_each(|words| assert!(matches!(parse(words), Invocation::Refused(_))));
        assert!(matches!(parse(&["x.conf", "--sentinel"]), Invocation::Refused(_)));
        assert!(version_line(Dialect::Redis).starts_with("Redis server v=8.0.6 "));
        assert!(usage("ochre-server").contains("--port 7777"));
    }
}
