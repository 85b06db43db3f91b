//! A Rust file taken apart without a parser: code, comments, literals, and which lines are tests.
//!
//! `code` is the text with every comment and every literal's content replaced by spaces, byte for
//! byte, so that line numbers agree and a search in it finds code only.

pub(crate) struct Source {
    pub(crate) code: String,
    pub(crate) literals: Vec<Piece>,
    pub(crate) comments: Vec<Piece>,
    /// By line, from 0: whether the line belongs to test code.
    test_lines: Vec<bool>,
}

/// A literal's content or a comment's text.
pub(crate) struct Piece {
    pub(crate) text: String,
    /// From 1.
    pub(crate) line: usize,
}

/// Where a function begins and how many lines it has.
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) line: usize,
    pub(crate) len: usize,
}

impl Source {
    pub(crate) fn parse(path: &str, text: &str) -> Self {
        let mut scanner = Scanner {
            bytes: text.as_bytes(),
            at: 0,
            line: 1,
            code: Vec::with_capacity(text.len()),
            literals: Vec::new(),
            comments: Vec::new(),
        };
        scanner.run();
        let code = String::from_utf8_lossy(&scanner.code).into_owned();
        let test_lines = test_lines(path, &code);
        Self { code, literals: scanner.literals, comments: scanner.comments, test_lines }
    }

    /// Whether a line, from 1, belongs to test code.
    pub(crate) fn is_test(&self, line: usize) -> bool {
        self.test_lines.get(line.saturating_sub(1)).copied().unwrap_or(false)
    }

    /// The lines of code with their numbers from 1.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code.lines().enumerate().map(|(index, line)| (index + 1, line))
    }

    /// The lines of code that are not tests.
    pub(crate) fn production_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.lines().filter(|(line, _)| !self.is_test(*line))
    }

    pub(crate) fn functions(&self) -> Vec<Function> {
        let mut functions = Vec::new();
        let bytes = self.code.as_bytes();
        for (at, _) in self.code.match_indices("fn ") {
            if 0 < at && is_word(bytes[at - 1]) {
                continue;
            }
            let name: String = self.code[at + 3..].chars().take_while(|c| is_name(*c)).collect();
            let Some(open) = body_open(bytes, at) else { continue };
            let line = line_of(bytes, at);
            let len = line_of(bytes, matching(bytes, open)) - line + 1;
            if !name.is_empty() {
                functions.push(Function { name, line, len });
            }
        }
        functions
    }
}

/// Whether `word` stands in `line` as a word of its own.
pub(crate) fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back().is_none_or(|c| !is_name(c));
        let after = line[at + word.len()..].chars().next().is_none_or(|c| !is_name(c));
        before && after
    })
}

pub(crate) fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn line_of(bytes: &[u8], at: usize) -> usize {
    1 + bytes[..at].iter().filter(|byte| **byte == b'\n').count()
}

/// The `{` of a function's body; none for a declaration that ends with `;`.
fn body_open(bytes: &[u8], from: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, byte) in bytes.iter().enumerate().skip(from) {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth = depth.saturating_sub(1),
            b';' if depth == 0 => return None,
            b'{' if depth == 0 => return Some(at),
            _ => {}
        }
    }
    None
}

/// The `}` that closes the `{` at `open`, or the end of the text.
fn matching(bytes: &[u8], open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in bytes.iter().enumerate().skip(open) {
        match byte {
            b'{' => depth += 1,
            b'}' => {
                depth -= 1;
                if depth == 0 {
                    return at;
                }
            }
            _ => {}
        }
    }
    bytes.len()
}

fn test_lines(path: &str, code: &str) -> Vec<bool> {
    let count = code.lines().count();
    let is_test_file =
        path.ends_with("/tests.rs") || path.starts_with("tests/") || path.contains("/tests/");
    if is_test_file {
        return vec![true; count];
    }
    let mut lines = vec![false; count];
    let bytes = code.as_bytes();
    for marker in ["#[cfg(test)]", "#[cfg(all(test", "#[cfg(all(loom, test", "#[cfg(loom)]"] {
        for (at, _) in code.match_indices(marker) {
            let Some(open) = body_open(bytes, at + marker.len()) else { continue };
            let (first, last) = (line_of(bytes, at), line_of(bytes, matching(bytes, open)));
            lines[first - 1..last.min(count)].fill(true);
        }
    }
    lines
}

struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
    line: usize,
    code: Vec<u8>,
    literals: Vec<Piece>,
    comments: Vec<Piece>,
}

impl Scanner<'_> {
    fn run(&mut self) {
        while let Some(byte) = self.peek(0) {
            match byte {
                b'/' if self.peek(1) == Some(b'/') => self.line_comment(),
                b'/' if self.peek(1) == Some(b'*') => self.block_comment(),
                b'"' => self.string(),
                b'r' if self.is_raw_string() => self.raw_string(),
                b'\'' => self.quote(),
                _ => self.keep(),
            }
        }
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.bytes.get(self.at + ahead).copied()
    }

    fn keep(&mut self) {
        self.push(self.bytes[self.at]);
    }

    fn blank(&mut self) {
        let byte = self.bytes[self.at];
        self.push(if byte == b'\n' { b'\n' } else { b' ' });
    }

    fn push(&mut self, byte: u8) {
        self.code.push(byte);
        self.line += usize::from(byte == b'\n');
        self.at += 1;
    }

    fn piece(&self, from: usize, line: usize) -> Piece {
        let text = String::from_utf8_lossy(&self.bytes[from..self.at]).into_owned();
        Piece { text, line }
    }

    fn line_comment(&mut self) {
        let (from, line) = (self.at, self.line);
        while self.peek(0).is_some_and(|byte| byte != b'\n') {
            self.blank();
        }
        let piece = self.piece(from, line);
        self.comments.push(piece);
    }

    fn block_comment(&mut self) {
        let (from, line) = (self.at, self.line);
        let mut depth = 0_usize;
        while self.peek(0).is_some() {
            match (self.peek(0), self.peek(1)) {
                (Some(b'/'), Some(b'*')) => depth += 1,
                (Some(b'*'), Some(b'/')) => depth -= 1,
                _ => {
                    self.blank();
                    continue;
                }
            }
            self.blank();
            self.blank();
            if depth == 0 {
                break;
            }
        }
        let piece = self.piece(from, line);
        self.comments.push(piece);
    }

    fn string(&mut self) {
        self.keep();
        let (from, line) = (self.at, self.line);
        while let Some(byte) = self.peek(0) {
            match byte {
                b'"' => break,
                b'\\' => {
                    self.blank();
                    if self.peek(0).is_some() {
                        self.blank();
                    }
                }
                _ => self.blank(),
            }
        }
        let piece = self.piece(from, line);
        self.literals.push(piece);
        if self.peek(0).is_some() {
            self.keep();
        }
    }

    fn is_raw_string(&self) -> bool {
        let follows_word = self.code.last().is_some_and(|byte| is_word(*byte) && *byte != b'b');
        let hashes = self.bytes[self.at + 1..].iter().take_while(|byte| **byte == b'#').count();
        !follows_word && self.peek(1 + hashes) == Some(b'"')
    }

    fn raw_string(&mut self) {
        self.keep();
        let mut hashes = 0;
        while self.peek(0) == Some(b'#') {
            hashes += 1;
            self.keep();
        }
        self.keep();
        let (from, line) = (self.at, self.line);
        let close = [b"\"".as_slice(), &vec![b'#'; hashes]].concat();
        while self.at < self.bytes.len() && !self.bytes[self.at..].starts_with(&close) {
            self.blank();
        }
        let piece = self.piece(from, line);
        self.literals.push(piece);
        for _ in 0..close.len().min(self.bytes.len() - self.at) {
            self.keep();
        }
    }

    /// A character literal is blanked; a lifetime is code.
    fn quote(&mut self) {
        let is_escape = self.peek(1) == Some(b'\\');
        let width = self.bytes[self.at + 1..].iter().take(5).position(|byte| *byte == b'\'');
        if !is_escape && width.is_none_or(|width| width == 0 || self.is_lifetime(width)) {
            return self.keep();
        }
        self.keep();
        while let Some(byte) = self.peek(0) {
            if byte == b'\'' {
                break;
            }
            self.blank();
            if byte == b'\\' && self.peek(0).is_some() {
                self.blank();
            }
        }
        if self.peek(0).is_some() {
            self.keep();
        }
    }

    /// `'a, 'b` has a quote a few bytes further as well: one character between them is a literal.
    fn is_lifetime(&self, width: usize) -> bool {
        let between = &self.bytes[self.at + 1..self.at + 1 + width];
        String::from_utf8_lossy(between).chars().count() != 1
    }
}
