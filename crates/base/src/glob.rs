//! The one glob matcher: the pattern language of keys, channels and settings.
//!
//! `*` any bytes, `?` one byte, `[abc]`, `[a-z]`, `[^a-z]` one byte of (or not of) a class, `\x`
//! the byte x itself. Patterns that end early are completed rather than refused: `[ab` is `[ab]`, a
//! final `\` is itself. The empty text matches only the empty pattern and a lone `*`.
//!
//! Only the last `*` is ever retried: whatever an earlier one could match in another way, the last
//! one can match too. So the cost is at most pattern × text and the stack does not grow; the
//! obvious recursive matcher takes exponential time on `a*a*a*…b`, which a client may send.

/// Whether the whole of `text` matches `pattern`.
pub fn matches(pattern: &[u8], text: &[u8]) -> bool {
    run(pattern, text, |byte| byte)
}

/// Like [`matches`], with ASCII letters equal in both cases.
pub fn matches_ignore_case(pattern: &[u8], text: &[u8]) -> bool {
    run(pattern, text, |byte| byte.to_ascii_lowercase())
}

/// Whether a pattern holds no special byte and so matches only itself.
pub fn is_literal(pattern: &[u8]) -> bool {
    !pattern.iter().any(|byte| matches!(byte, b'*' | b'?' | b'[' | b'\\'))
}

fn run(mut pattern: &[u8], mut text: &[u8], fold: impl Fn(u8) -> u8 + Copy) -> bool {
    if text.is_empty() {
        return pattern.is_empty() || pattern == b"*";
    }
    // The pattern after the last `*`, and the text from which it is tried next.
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        if let Some((&b'*', rest)) = pattern.split_first() {
            pattern = rest;
            if pattern.is_empty() {
                return true;
            }
            retry = Some((pattern, text));
            continue;
        }
        if let Some((&byte, text_rest)) = text.split_first() {
            if let Some(pattern_rest) = match_one(pattern, byte, fold) {
                (pattern, text) = (pattern_rest, text_rest);
                continue;
            }
        } else {
            return pattern.is_empty();
        }
        let Some((retry_pattern, retry_text)) = retry else { return false };
        let Some((_, retry_text)) = retry_text.split_first() else { return false };
        (pattern, text) = (retry_pattern, retry_text);
        retry = Some((pattern, text));
    }
}

/// Matches one byte against the pattern's first element; gives the pattern after it.
#[inline]
fn match_one(pattern: &[u8], byte: u8, fold: impl Fn(u8) -> u8) -> Option<&[u8]> {
    let (literal, rest) = match pattern {
        [b'?', rest @ ..] => return Some(rest),
        [b'[', rest @ ..] => return match_class(rest, byte, fold),
        [b'\\', literal, rest @ ..] | [literal, rest @ ..] => (*literal, rest),
        [] => return None,
    };
    (fold(literal) == fold(byte)).then_some(rest)
}

/// Matches one byte against a class whose `[` is already read; gives the pattern after the `]`.
///
/// Quoted bytes in a class are compared as they are, in both forms of the matcher.
fn match_class(mut class: &[u8], byte: u8, fold: impl Fn(u8) -> u8) -> Option<&[u8]> {
    let mut is_negated = false;
    if let [b'^', rest @ ..] = class {
        is_negated = true;
        class = rest;
    }
    let mut is_member = false;
    let folded = fold(byte);
    loop {
        class = match class {
            [b'\\', literal, rest @ ..] => {
                is_member |= *literal == byte;
                rest
            }
            [b']', rest @ ..] => {
                class = rest;
                break;
            }
            [] => break,
            [from, b'-', to, rest @ ..] => {
                let (low, high) = (fold(*from.min(to)), fold(*from.max(to)));
                is_member |= low <= folded && folded <= high;
                rest
            }
            [literal, rest @ ..] => {
                is_member |= fold(*literal) == folded;
                rest
            }
        };
    }
    (is_member != is_negated).then_some(class)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(pattern: &str, matching: &[&str], other: &[&str]) {
        for text in matching {
            assert!(matches(pattern.as_bytes(), text.as_bytes()), "{pattern:?} on {text:?}");
        }
        for text in other {
            assert!(!matches(pattern.as_bytes(), text.as_bytes()), "{pattern:?} on {text:?}");
        }
    }

    #[test]
    fn stars_and_marks() {
        check("*", &["", "a", "abc"], &[]);
        check("**", &["a", "abc"], &[""]);
        check("", &[""], &["a"]);
        check("?", &["a"], &["", "ab"]);
        check("user:*", &["user:", "user:1"], &["user", "xuser:1"]);
        check("*:1", &["a:1", ":1", "a:1:1"], &["a:12", "1"]);
        check("a*b*c", &["abc", "axxbxxc", "abcbc"], &["ab", "acb", "abcx"]);
        check("*a?c*", &["abc", "xxadcxx"], &["ac", "ab"]);
        check("h?llo", &["hello", "hallo"], &["hllo"]);
    }

    #[test]
    fn classes() {
        check("h[ae]llo", &["hello", "hallo"], &["hillo", "h]llo"]);
        check("h[^e]llo", &["hallo"], &["hello", "hllo"]);
        check("h[a-c]llo", &["hallo", "hcllo"], &["hdllo", "h-llo"]);
        check("[c-a]", &["a", "b", "c"], &["d"]);
        check("[\\]]", &["]"], &["\\", "a"]);
        check("[a\\-c]", &["a", "-", "c"], &["b"]);
        check("[]a]", &[], &["]", "a", "a]", "]a]"]);
        check("[^]", &["a", "]", "^"], &[""]);
        check("[^^]", &["a"], &["^"]);
        check("[a-]", &["]", "^", "a"], &["-", "b"]);
        check("[a-]]", &["]", "^", "a"], &["a]"]);
        check("[a]b*", &["ab", "abc"], &["a"]);
    }

    #[test]
    fn patterns_that_end_early() {
        check("[", &[], &["[", "a", ""]);
        check("[a", &["a"], &["[a", "b"]);
        check("[^a", &["b"], &["a", ""]);
        check("[a-c", &["a", "c"], &["d"]);
        check("\\", &["\\"], &["", "a"]);
        check("a\\", &["a\\"], &["a"]);
        check("[\\", &["\\"], &["["]);
        check("\\[", &["["], &["\\["]);
        check("\\*", &["*"], &["a", "\\a"]);
    }

    #[test]
    fn letter_case_can_be_ignored() {
        assert!(matches_ignore_case(b"MAX*", b"maxmemory"));
        assert!(matches_ignore_case(b"[A-C]x", b"bX"));
        assert!(!matches(b"MAX*", b"maxmemory"));
        assert!(!matches_ignore_case(b"[\\A]", b"a"));
    }

    #[test]
    fn literal_patterns_are_recognized() {
        assert!(is_literal(b"user:1"));
        assert!(is_literal(b"a]^-"));
        for pattern in [&b"a*"[..], b"?", b"[a", b"\\a"] {
            assert!(!is_literal(pattern));
        }
    }

    #[test]
    fn hostile_patterns_end_soon() {
        let text = vec![b'a'; 10_000];
        let mut pattern = b"a*".repeat(1000);
        pattern.push(b'b');
        assert!(!matches(&pattern, &text));
    }

    /// The matcher that everyone writes first, as the twin.
    fn matches_naive(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern, text) {
            ([], _) => text.is_empty(),
            ([b'*', rest @ ..], _) => {
                (0..=text.len()).any(|taken| matches_naive(rest, &text[taken..]))
            }
            (_, []) => false,
            (_, [byte, text @ ..]) => match_one(pattern, *byte, |byte| byte)
                .is_some_and(|pattern| matches_naive(pattern, text)),
        }
    }

    proptest! {
        #[test]
        fn retrying_the_last_star_is_enough(pattern in "[ab*?\\[\\]^\\\\-]{0,9}", text in "[ab\\]-]{1,9}") {
            let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
            prop_assert_eq!(matches(pattern, text), matches_naive(pattern, text));
        }

        #[test]
        fn any_bytes_are_matched_without_panic(pattern: Vec<u8>, text: Vec<u8>) {
            let _ = matches(&pattern, &text);
            let _ = matches_ignore_case(&pattern, &text);
        }
    }
}
