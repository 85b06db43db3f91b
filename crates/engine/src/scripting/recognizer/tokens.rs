//! Lua 5.1's words: a script as a sequence of tokens.
//!
//! Only scripts that the interpreter has compiled are read here, so what is no Lua need not be told
//! from what is: whatever is not understood ends the reading.
//! Source: the Lua 5.1 reference manual, §2.1.

/// One word of a script.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Token<'s> {
    /// A name or a keyword.
    Word(&'s str),
    /// A number, as it was written.
    Number(&'s str),
    /// A text in quotes without escapes: what stands between the quotes.
    Text(&'s str),
    /// Any other text.
    OtherText,
    /// An operator or a sign.
    Sign(&'static str),
    End,
}

/// Signs, longer ones before those that they begin with.
const SIGNS: &[&str] = &[
    "...", "..", "==", "~=", "<=", ">=", "+", "-", "*", "/", "%", "^", "#", "<", ">", "=", "(",
    ")", "{", "}", "[", "]", ";", ":", ",", ".",
];

/// The tokens of a script; `None` if there is something that is not understood.
pub(super) fn tokens(script: &str) -> Option<Vec<Token<'_>>> {
    let mut tokens = Vec::with_capacity(script.len() / 4);
    let mut rest = script;
    loop {
        rest = skip_blank(rest)?;
        let (token, after) = first(rest)?;
        tokens.push(token);
        if token == Token::End {
            return Some(tokens);
        }
        rest = after;
    }
}

/// Skips white space and comments.
fn skip_blank(mut rest: &str) -> Option<&str> {
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\n', '\r', '\x0b', '\x0c']);
        let Some(comment) = rest.strip_prefix("--") else { return Some(rest) };
        rest = match long_bracket(comment) {
            Some(level) => skip_long(comment, level)?,
            None => comment.find(['\n', '\r']).map_or("", |end| &comment[end..]),
        };
    }
}

fn first(rest: &str) -> Option<(Token<'_>, &str)> {
    let Some(head) = rest.bytes().next() else { return Some((Token::End, rest)) };
    if head.is_ascii_alphabetic() || head == b'_' {
        let (word, after) = split_while(rest, |b| b.is_ascii_alphanumeric() || b == b'_');
        return Some((Token::Word(word), after));
    }
    let digits = rest.strip_prefix('.').unwrap_or(rest);
    if digits.bytes().next().is_some_and(|byte| byte.is_ascii_digit()) {
        return Some(number(rest));
    }
    if head == b'"' || head == b'\'' {
        return quoted(rest, head);
    }
    if let Some(level) = long_bracket(rest) {
        return Some((Token::OtherText, skip_long(rest, level)?));
    }
    let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign))?;
    Some((Token::Sign(sign), &rest[sign.len()..]))
}

/// A number, with whatever letters stand right behind it.
fn number(rest: &str) -> (Token<'_>, &str) {
    let mut last = 0;
    let (text, after) = split_while(rest, |byte| {
        let is_exponent_sign = matches!(byte, b'+' | b'-') && matches!(last, b'e' | b'E');
        last = byte;
        byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'_' || is_exponent_sign
    });
    (Token::Number(text), after)
}

fn quoted(rest: &str, quote: u8) -> Option<(Token<'_>, &str)> {
    let mut has_escapes = false;
    let mut bytes = rest.bytes().enumerate().skip(1);
    loop {
        let (index, byte) = bytes.next()?;
        if byte == quote {
            let token = if has_escapes { Token::OtherText } else { Token::Text(&rest[1..index]) };
            return Some((token, &rest[index + 1..]));
        }
        if byte == b'\\' {
            has_escapes = true;
            bytes.next()?;
        }
    }
}

/// The level of a long bracket (`[[` is 0, `[=[` is 1), if `rest` begins with one.
fn long_bracket(rest: &str) -> Option<usize> {
    let inner = rest.strip_prefix('[')?;
    let level = inner.bytes().take_while(|byte| *byte == b'=').count();
    inner[level..].starts_with('[').then_some(level)
}

/// What follows a text or comment in long brackets.
fn skip_long(rest: &str, level: usize) -> Option<&str> {
    let close = format!("]{}]", "=".repeat(level));
    let inner = &rest[level + 2..];
    inner.find(&close).map(|end| &inner[end + close.len()..])
}

fn split_while(text: &str, mut belongs: impl FnMut(u8) -> bool) -> (&str, &str) {
    let end = text.bytes().position(|byte| !belongs(byte)).unwrap_or(text.len());
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_becomes_words() {
        let line = "local n = 0x1F .. 'a' -- no\n--[==[ ]] ]==] x.y\"\\n\" [[z]] 3.5e-7..";
        let expected = [
            Token::Word("local"),
            Token::Word("n"),
            Token::Sign("="),
            Token::Number("0x1F"),
            Token::Sign(".."),
            Token::Text("a"),
            Token::Word("x"),
            Token::Sign("."),
            Token::Word("y"),
            Token::OtherText,
            Token::OtherText,
            Token::Number("3.5e-7.."),
            Token::End,
        ];
        assert_eq!(tokens(line).unwrap(), expected);
    }

    #[test]
    fn what_is_not_understood_ends_the_reading() {
        for script in ["'open", "--[[ open", "[[ open", "a ! b", "'a\\", "a \u{e4}"] {
            assert_eq!(tokens(script), None, "{script}");
        }
    }
}
