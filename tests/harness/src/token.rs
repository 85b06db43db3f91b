//! Words of case files: bare, or quoted with escapes and a count, and back.

/// One word of a request line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    pub bytes: Vec<u8>,
    pub is_quoted: bool,
}

/// Splits a line at spaces; a quoted word may hold any byte and may be followed by `*count`.
///
/// # Errors
/// When a quote has no end or an escape is unknown.
pub fn split(line: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() {
        if rest.starts_with('"') {
            let (bytes, after) = unquote(rest)?;
            tokens.push(Token { bytes, is_quoted: true });
            rest = after;
        } else {
            let len = rest.find(char::is_whitespace).unwrap_or(rest.len());
            let bytes = rest.as_bytes()[..len].to_vec();
            tokens.push(Token { bytes, is_quoted: false });
            rest = &rest[len..];
        }
        if !rest.is_empty() && !rest.starts_with(char::is_whitespace) {
            return Err(format!("a space is missing before {rest}"));
        }
        rest = rest.trim_start();
    }
    Ok(tokens)
}

/// Reads one quoted text, with its count, and returns what follows.
///
/// # Errors
/// When the quote has no end, or an escape or the count is unknown.
pub fn unquote(text: &str) -> Result<(Vec<u8>, &str), String> {
    let mut bytes = Vec::new();
    let mut rest = text.strip_prefix('"').ok_or("a quote is missing")?;
    loop {
        let mut characters = rest.chars();
        let Some(character) = characters.next() else { return Err("a quote has no end".into()) };
        rest = characters.as_str();
        match character {
            '"' => return repeat(bytes, rest),
            '\\' => rest = escape(rest, &mut bytes)?,
            _ => bytes.extend(character.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

/// The text in quotes, so that `unquote` gives it back; long runs of one byte become a count.
pub fn quoted(bytes: &[u8]) -> String {
    if let [first, ..] = bytes
        && 64 < bytes.len()
        && bytes.iter().all(|byte| byte == first)
    {
        return format!("{}*{}", quoted_whole(&[*first]), bytes.len());
    }
    quoted_whole(bytes)
}

/// The text in quotes, without counts.
pub fn quoted_whole(bytes: &[u8]) -> String {
    let mut text = String::from('"');
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '"' => text.push_str("\\\""),
                '\\' => text.push_str("\\\\"),
                '\n' => text.push_str("\\n"),
                '\r' => text.push_str("\\r"),
                '\t' => text.push_str("\\t"),
                c if c.is_control() => {
                    let mut buffer = [0; 4];
                    for byte in c.encode_utf8(&mut buffer).bytes() {
                        text.push_str(&format!("\\x{byte:02x}"));
                    }
                }
                c => text.push(c),
            }
        }
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text.push('"');
    text
}

fn repeat(bytes: Vec<u8>, rest: &str) -> Result<(Vec<u8>, &str), String> {
    let Some(count) = rest.strip_prefix('*') else { return Ok((bytes, rest)) };
    let len = count.find(|c: char| !c.is_ascii_digit()).unwrap_or(count.len());
    let times: usize = count[..len].parse().map_err(|_| "a count must follow \"…\"*")?;
    Ok((bytes.repeat(times), &count[len..]))
}

fn escape<'a>(rest: &'a str, bytes: &mut Vec<u8>) -> Result<&'a str, String> {
    let mut characters = rest.chars();
    let byte = match characters.next() {
        Some('n') => b'\n',
        Some('r') => b'\r',
        Some('t') => b'\t',
        Some('a') => 7,
        Some('b') => 8,
        Some('"') => b'"',
        Some('\\') => b'\\',
        Some('x') => {
            let digits = rest.get(1..3).ok_or("\\x needs two digits")?;
            bytes.push(u8::from_str_radix(digits, 16).map_err(|_| format!("\\x{digits}"))?);
            return Ok(&rest[3..]);
        }
        other => return Err(format!("an unknown escape: {other:?}")),
    };
    bytes.push(byte);
    Ok(characters.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<Vec<u8>> {
        split(line).expect("a good line").into_iter().map(|token| token.bytes).collect()
    }

    #[test]
    fn bare_and_quoted_words() {
        assert_eq!(words("SET k \"a b\""), [b"SET".to_vec(), b"k".to_vec(), b"a b".to_vec()]);
        assert_eq!(
            words(r#"ECHO "\x00\n\"" "ab"*3 """#)[1..],
            [b"\x00\n\"".to_vec(), b"ababab".to_vec(), Vec::new()]
        );
        assert!(split("ECHO \"a").is_err());
        assert!(split("ECHO \"a\"b").is_err());
    }

    #[test]
    fn quoting_and_back() {
        for bytes in
            [b"".as_slice(), b"plain", b"\x00\xff\r\n\t\"\\", "é\u{80}".as_bytes(), &[b'x'; 100]]
        {
            assert_eq!(unquote(&quoted(bytes)), Ok((bytes.to_vec(), "")));
        }
    }
}
