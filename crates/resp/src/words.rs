//! Words in quotes: how a line typed by hand becomes arguments.
//!
//! Words are separated by blanks. Inside double quotes `\n \r \t \b \a`, `\xHH` and `\` before any
//! other byte are understood; inside single quotes only `\'`. A quote may open inside a word: `a"b c"`
//! is `ab c`. What may follow where it closes is the one point in which Redis and Valkey differ
//! ([`Quotes`]). Outside quotes `\` is itself.
//! Inline requests and configuration files share these rules.

use crate::request::Span;

/// What a closing quote does to its word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Quotes {
    /// It ends the word: `"a"b` is an error, as in Redis.
    #[default]
    EndWords,
    /// The word goes on, as in a shell and in Valkey: `"a"b` is `ab`.
    JoinWords,
}

/// A quote that is opened and not closed, or followed by what must not follow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnbalancedQuotes;

/// Splits `line` into words: their bytes are appended to `buffer`, their places in it to `spans`.
/// After an error both are as before.
pub fn split_words(
    line: &[u8],
    quotes: Quotes,
    buffer: &mut Vec<u8>,
    spans: &mut Vec<Span>,
) -> Result<(), UnbalancedQuotes> {
    let (buffer_len, spans_len) = (buffer.len(), spans.len());
    let mut rest = line;
    loop {
        rest = trim_blanks(rest);
        if rest.is_empty() {
            return Ok(());
        }
        let start = buffer.len();
        match read_word(rest, quotes, buffer) {
            Some(after) => rest = after,
            None => {
                buffer.truncate(buffer_len);
                spans.truncate(spans_len);
                return Err(UnbalancedQuotes);
            }
        }
        spans.push(Span { start, len: buffer.len() - start });
    }
}

/// Appends one word; gives what follows it, or nothing if its quotes are wrong.
fn read_word<'a>(mut rest: &'a [u8], quotes: Quotes, buffer: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        rest = match rest {
            [] | [b' ' | b'\t' | b'\r' | b'\n', ..] => return Some(rest),
            [quote @ (b'"' | b'\''), quoted @ ..] => {
                let after = match quote {
                    b'"' => read_double_quoted(quoted, buffer)?,
                    _ => read_single_quoted(quoted, buffer)?,
                };
                if quotes == Quotes::EndWords {
                    return after.first().is_none_or(is_blank).then_some(after);
                }
                after
            }
            [byte, after @ ..] => {
                buffer.push(*byte);
                after
            }
        }
    }
}

fn read_double_quoted<'a>(mut rest: &'a [u8], buffer: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        let (byte, after) = match rest {
            [] => return None,
            [b'"', after @ ..] => return Some(after),
            [b'\\', b'x', high, low, after @ ..]
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                (hexadecimal(*high) << 4 | hexadecimal(*low), after)
            }
            [b'\\', escaped, after @ ..] => (unescape(*escaped), after),
            [byte, after @ ..] => (*byte, after),
        };
        buffer.push(byte);
        rest = after;
    }
}

fn read_single_quoted<'a>(mut rest: &'a [u8], buffer: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        let (byte, after) = match rest {
            [] => return None,
            [b'\'', after @ ..] => return Some(after),
            [b'\\', b'\'', after @ ..] => (b'\'', after),
            [byte, after @ ..] => (*byte, after),
        };
        buffer.push(byte);
        rest = after;
    }
}

fn unescape(byte: u8) -> u8 {
    match byte {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 0x08,
        b'a' => 0x07,
        other => other,
    }
}

fn hexadecimal(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => digit.to_ascii_lowercase() - b'a' + 10,
    }
}

fn trim_blanks(line: &[u8]) -> &[u8] {
    let blanks = line.iter().take_while(|byte| is_blank(byte)).count();
    &line[blanks..]
}

/// Between words vertical tabs and form feeds count as blanks too; inside one they do not.
fn is_blank(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str, quotes: Quotes) -> Result<Vec<String>, UnbalancedQuotes> {
        let (mut buffer, mut spans) = (b"before".to_vec(), Vec::new());
        let outcome = split_words(line.as_bytes(), quotes, &mut buffer, &mut spans);
        if outcome.is_err() {
            assert_eq!((buffer.as_slice(), spans.len()), (&b"before"[..], 0));
        }
        outcome?;
        let word = |span: &Span| &buffer[span.start..span.start + span.len];
        Ok(spans.iter().map(|span| String::from_utf8_lossy(word(span)).into_owned()).collect())
    }

    #[test]
    fn words_are_split_and_unquoted() {
        for (line, expected) in [
            ("", &[][..]),
            (" \t\r\n", &[]),
            ("PING", &["PING"]),
            (" SET  key\tvalue ", &["SET", "key", "value"]),
            (r#"ECHO "\x41\n\r\t\b\a\q\xzz\x4""#, &["ECHO", "A\n\r\t\x08\x07qxzzx4"]),
            (r#"ECHO "a\"b\\""#, &["ECHO", "a\"b\\"]),
            (r"ECHO 'a\'b\n'", &["ECHO", "a'b\\n"]),
            (r#"ECHO """#, &["ECHO", ""]),
            (r#"ECHO 'a"b' "c'd""#, &["ECHO", "a\"b", "c'd"]),
            (r#"a"b c" d'e'"#, &["ab c", "de"]),
            (r"ECHO \x41 a\ b", &["ECHO", "\\x41", "a\\", "b"]),
            ("\x0ca\x0b b\x0c", &["a\x0b", "b\x0c"]),
            ("a\rb", &["a", "b"]),
        ] {
            let expected: Vec<String> = expected.iter().map(|word| (*word).to_owned()).collect();
            for quotes in [Quotes::EndWords, Quotes::JoinWords] {
                assert_eq!(words(line, quotes).as_ref(), Ok(&expected), "{line:?}");
            }
        }
    }

    #[test]
    fn open_quotes_are_refused() {
        for line in
            ["\"", "'", "a \"b", "a'", r#"a "b\""#, r"a 'b\'", r#""a"""#, r#"a\"b"#, r#""\"#]
        {
            for quotes in [Quotes::EndWords, Quotes::JoinWords] {
                assert_eq!(words(line, quotes), Err(UnbalancedQuotes), "{line:?}");
            }
        }
    }

    #[test]
    fn a_closing_quote_ends_the_word_or_joins() {
        for (line, joined) in [
            (r#""a"b"#, &["ab"][..]),
            ("'a'b c", &["ab", "c"]),
            (r#""a""b"'c'"#, &["abc"]),
            (r#"a"b c"d"#, &["ab cd"]),
        ] {
            assert_eq!(words(line, Quotes::EndWords), Err(UnbalancedQuotes), "{line:?}");
            let joined: Vec<String> = joined.iter().map(|word| (*word).to_owned()).collect();
            assert_eq!(words(line, Quotes::JoinWords), Ok(joined), "{line:?}");
        }
        let blank = "\"a\"\x0bb";
        assert_eq!(words(blank, Quotes::EndWords), Ok(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(words(blank, Quotes::JoinWords), Ok(vec!["a\x0bb".to_owned()]));
    }
}
