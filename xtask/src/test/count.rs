//! How many tests passed, failed and were skipped, read from what the test runners print.

use std::fmt;
use std::ops::Add;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl Count {
    pub(crate) const ONE: Self = Self { passed: 1, failed: 0, skipped: 0 };

    /// Sums the closing lines of every known runner in `text`; none when there is none.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let mut sum: Option<Self> = None;
        for line in text.lines() {
            let plain = strip_colors(line);
            if let Some(count) = read_line(plain.trim()) {
                sum = Some(sum.unwrap_or_default() + count);
            }
        }
        sum
    }
}

impl Add for Count {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            skipped: self.skipped + other.skipped,
        }
    }
}

impl fmt::Display for Count {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { passed, failed, skipped } = self;
        write!(formatter, "{passed} passed, {failed} failed, {skipped} skipped")
    }
}

fn read_line(line: &str) -> Option<Count> {
    let is_libtest = line.starts_with("test result:");
    let is_nextest = line.starts_with("Summary [");
    let is_own = line.starts_with(|c: char| c.is_ascii_digit()) && line.contains(" passed, ");
    if is_libtest || is_nextest || is_own {
        return Some(Count {
            passed: before(line, "passed"),
            failed: before(line, "failed") + before(line, "timed out"),
            // nextest counts what a filter leaves out as skipped; nothing here is filtered but by us.
            skipped: if is_own { before(line, "skipped") } else { before(line, "ignored") },
        });
    }
    // Node's runner closes with one line a figure.
    let (key, value) = line.strip_prefix("# ")?.split_once(' ')?;
    let value: u64 = value.parse().ok()?;
    match key {
        "pass" => Some(Count { passed: value, ..Count::default() }),
        "fail" | "cancelled" => Some(Count { failed: value, ..Count::default() }),
        "skipped" => Some(Count { skipped: value, ..Count::default() }),
        _ => None,
    }
}

/// The number in front of a word: 12 in `12 passed`.
fn before(line: &str, word: &str) -> u64 {
    let words: Vec<&str> = line.split([' ', ';', ',']).filter(|word| !word.is_empty()).collect();
    let first = word.split(' ').next().unwrap_or(word);
    let found = words.windows(2).find(|pair| pair[1] == first && pair[0].parse::<u64>().is_ok());
    found.and_then(|pair| pair[0].parse().ok()).unwrap_or(0)
}

fn strip_colors(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        if character == '\u{1b}' {
            characters.by_ref().find(|c| c.is_ascii_alphabetic());
        } else {
            plain.push(character);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(passed: u64, failed: u64, skipped: u64) -> Option<Count> {
        Some(Count { passed, failed, skipped })
    }

    #[test]
    fn closing_lines_of_each_runner() {
        let libtest = "test result: ok. 5 passed; 1 failed; 2 ignored; 0 measured; 0 filtered out";
        assert_eq!(Count::read(libtest), count(5, 1, 2));
        let nextest =
            "     Summary [   0.052s] 12 tests run: 10 passed (1 slow), 2 failed, 3 skipped";
        assert_eq!(Count::read(nextest), count(10, 2, 0));
        assert_eq!(Count::read("7 passed, 0 failed, 3 skipped\n"), count(7, 0, 3));
        assert_eq!(Count::read("# tests 3\n# pass 2\n# fail 1\n# skipped 0\n"), count(2, 1, 0));
        assert_eq!(Count::read("\u{1b}[32m7 passed, 1 failed, 0 skipped"), count(7, 1, 0));
        assert_eq!(Count::read("nothing here"), None);
    }
}
