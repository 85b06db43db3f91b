//! Reads configuration text: lines, words, quotes and includes.
//!
//! Nothing fails here: a line that cannot be read becomes a directive that says so, and whoever
//! applies the directives in order reports the first one that is wrong, with its line.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use resp::Quotes;

use super::value::os_reason;

/// Files may include files so deep; a circle of includes ends here.
const INCLUDE_DEPTH_MAX: usize = 16;

/// One line that asks for something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directive {
    /// In its file, counted from 1.
    pub line: usize,
    /// The line without the space around it.
    pub text: Vec<u8>,
    pub content: Content,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    IncludeTooDeep,
    UnbalancedQuotes,
    UnreadableFile {
        path: PathBuf,
        reason: String,
    },
    /// At least one word: the name, in lower case, comes first.
    Words(Vec<Vec<u8>>),
}

/// All directives of a text, with those of included files in their place.
pub fn directives(text: &[u8], quotes: Quotes) -> Vec<Directive> {
    let mut found = Vec::new();
    collect(text, quotes, 0, &mut found);
    found
}

fn collect(text: &[u8], quotes: Quotes, depth: usize, found: &mut Vec<Directive>) {
    for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
        let line = trim(line);
        if line.is_empty() || line[0] == b'#' {
            continue;
        }
        let directive = |content| Directive { line: index + 1, text: line.to_vec(), content };
        let Some(mut words) = split_words(line, quotes) else {
            found.push(directive(Content::UnbalancedQuotes));
            continue;
        };
        let Some(name) = words.first_mut() else { continue };
        name.make_ascii_lowercase();
        if words.len() == 2 && words[0] == b"include" {
            if depth == INCLUDE_DEPTH_MAX {
                found.push(directive(Content::IncludeTooDeep));
                return;
            }
            for path in included_paths(&words[1]) {
                match fs::read(&path) {
                    Ok(text) => collect(&text, quotes, depth + 1, found),
                    Err(error) => found.push(directive(unreadable(path, &error))),
                }
            }
            continue;
        }
        found.push(directive(Content::Words(words)));
    }
}

fn unreadable(path: PathBuf, error: &io::Error) -> Content {
    Content::UnreadableFile { path, reason: os_reason(error) }
}

/// Without the blanks at both ends; a carriage return is one.
pub fn trim(line: &[u8]) -> &[u8] {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    let start = line.iter().position(|byte| !is_blank(byte)).unwrap_or(line.len());
    let end = line.iter().rposition(|byte| !is_blank(byte)).map_or(start, |last| last + 1);
    &line[start..end]
}

/// Splits a line into words, by the rules of inline requests. `None` when quotes aren't balanced.
pub fn split_words(line: &[u8], quotes: Quotes) -> Option<Vec<Vec<u8>>> {
    let (mut bytes, mut spans) = (Vec::new(), Vec::new());
    resp::split_words(line, quotes, &mut bytes, &mut spans).ok()?;
    Some(spans.iter().map(|span| bytes[span.start..][..span.len].to_vec()).collect())
}

/// A word in double quotes, so that [`split_words`] gives it back.
pub fn quoted(word: &[u8]) -> Vec<u8> {
    let mut text = vec![b'"'];
    for byte in word {
        match byte {
            b'"' | b'\\' => text.extend([b'\\', *byte]),
            b'\n' => text.extend(b"\\n"),
            b'\r' => text.extend(b"\\r"),
            b'\t' => text.extend(b"\\t"),
            0x07 => text.extend(b"\\a"),
            0x08 => text.extend(b"\\b"),
            b' '..=b'~' => text.push(*byte),
            _ => text.extend(format!("\\x{byte:02x}").as_bytes()),
        }
    }
    text.push(b'"');
    text
}

/// The files that an include names: itself, or what its pattern finds, in order of name.
fn included_paths(pattern: &[u8]) -> Vec<PathBuf> {
    if base::glob::is_literal(pattern) {
        return vec![PathBuf::from(OsStr::from_bytes(pattern))];
    }
    let mut found =
        vec![if pattern.starts_with(b"/") { PathBuf::from("/") } else { PathBuf::new() }];
    for part in pattern.split(|byte| *byte == b'/').filter(|part| !part.is_empty()) {
        found = found.iter().flat_map(|folder| matching_entries(folder, part)).collect();
    }
    found
}

fn matching_entries(folder: &Path, part: &[u8]) -> Vec<PathBuf> {
    if base::glob::is_literal(part) {
        let path = folder.join(OsStr::from_bytes(part));
        return if path.exists() { vec![path] } else { Vec::new() };
    }
    let place = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let Ok(entries) = fs::read_dir(place) else { return Vec::new() };
    let mut names: Vec<Vec<u8>> = entries
        .flatten()
        .map(|entry| entry.file_name().into_vec())
        .filter(|name| part.starts_with(b".") || !name.starts_with(b"."))
        .filter(|name| base::glob::matches(part, name))
        .collect();
    names.sort();
    names.iter().map(|name| folder.join(OsStr::from_bytes(name))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Option<Vec<String>> {
        let split = split_words(line.as_bytes(), Quotes::EndWords)?;
        Some(split.into_iter().map(|word| String::from_utf8(word).unwrap()).collect())
    }

    fn check(line: &str, expected: &[&str]) {
        assert_eq!(words(line).as_deref(), Some(&expected.map_owned()[..]), "{line}");
    }

    trait MapOwned {
        fn map_owned(&self) -> Vec<String>;
    }

    impl MapOwned for [&str] {
        fn map_owned(&self) -> Vec<String> {
            self.iter().map(|word| (*word).to_owned()).collect()
        }
    }

    #[test]
    fn words_and_quotes() {
        check("hz 10", &["hz", "10"]);
        check("  hz\t 10  ", &["hz", "10"]);
        check("save \"\"", &["save", ""]);
        check(r#"a "b \"c\" \x41\n\q""#, &["a", "b \"c\" A\nq"]);
        check(r"a 'b \'c\' \n'", &["a", r"b 'c' \n"]);
        check(r#"a"b""#, &["ab"]);
        check(r#"a "\xzz""#, &["a", "xzz"]);
        check("", &[]);
        for bad in ["a \"b", "a 'b", "a \"b\"c", "a 'b'c", "a \"b\\"] {
            assert_eq!(words(bad), None, "{bad}");
        }
    }

    #[test]
    fn lines_are_counted_and_comments_skipped() {
        let found = directives(b"\n# c\n  PORT 7000\r\n\t\nfoo \"x\nbar 1", Quotes::EndWords);
        let lines: Vec<usize> = found.iter().map(|directive| directive.line).collect();
        assert_eq!(lines, [3, 5, 6]);
        assert_eq!(found[0].text, b"PORT 7000");
        assert_eq!(found[0].content, Content::Words(vec![b"port".into(), b"7000".into()]));
        assert_eq!(found[1].content, Content::UnbalancedQuotes);
    }

    #[test]
    fn includes_stand_where_they_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        fs::write(path("b.conf"), "hz 2").unwrap();
        fs::write(path("a.conf"), format!("hz 1\ninclude {}\n", path("x.inc"))).unwrap();
        fs::write(path("x.inc"), "port 5").unwrap();
        let text = format!("hz 0\ninclude {}\nhz 3\n", path("*.conf"));
        let texts: Vec<String> = directives(text.as_bytes(), Quotes::EndWords)
            .into_iter()
            .map(|directive| String::from_utf8(directive.text).unwrap())
            .collect();
        assert_eq!(texts, ["hz 0", "hz 1", "port 5", "hz 2", "hz 3"]);
    }

    #[test]
    fn missing_and_circular_includes_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("loop.conf");
        fs::write(&path, format!("hz 1\ninclude {}\n", path.display())).unwrap();
        let found = directives(&fs::read(&path).unwrap(), Quotes::EndWords);
        assert_eq!(found.len(), INCLUDE_DEPTH_MAX + 2);
        assert_eq!(found[INCLUDE_DEPTH_MAX + 1].content, Content::IncludeTooDeep);
        let found = directives(b"include /no/such/file", Quotes::EndWords);
        let Content::UnreadableFile { reason, .. } = &found[0].content else { panic!("{found:?}") };
        assert_eq!(reason, "No such file or directory");
        assert_eq!(directives(b"include /no/such/*", Quotes::EndWords), []);
    }
}
