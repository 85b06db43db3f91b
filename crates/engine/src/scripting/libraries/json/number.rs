//! Numbers at the start of a text, in all forms that C's `strtod` reads.

/// The number at the start of `text`, and its bytes.
pub(super) fn number_at(text: &[u8]) -> Option<(f64, usize)> {
    let sign = usize::from(matches!(text.first(), Some(b'+' | b'-')));
    let rest = &text[sign..];
    let (number, len) = named(rest).or_else(|| hexadecimal(rest)).or_else(|| decimal(rest))?;
    let number = if text[0] == b'-' { -number } else { number };
    Some((number, sign + len))
}

/// Whether the text begins with a number that JSON does not have, or not in this form.
pub(super) fn is_odd_number(text: &[u8]) -> bool {
    let rest = text.strip_prefix(b"-").unwrap_or(text);
    match rest {
        _ if text.starts_with(b"+") => true,
        [b'0', next, ..] => matches!(next, b'x' | b'X' | b'0'..=b'9'),
        _ => named(rest).is_some(),
    }
}

fn named(text: &[u8]) -> Option<(f64, usize)> {
    let begins = |name: &[u8]| text.get(..name.len()).is_some_and(|t| t.eq_ignore_ascii_case(name));
    if begins(b"infinity") {
        return Some((f64::INFINITY, 8));
    }
    if begins(b"inf") {
        return Some((f64::INFINITY, 3));
    }
    if !begins(b"nan") {
        return None;
    }
    // A payload in brackets belongs to it.
    let is_word = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'_';
    let payload = text[3..].strip_prefix(b"(").and_then(|rest| {
        let len = rest.iter().take_while(is_word).count();
        (rest.get(len) == Some(&b')')).then_some(len + 2)
    });
    Some((f64::NAN, 3 + payload.unwrap_or(0)))
}

fn hexadecimal(text: &[u8]) -> Option<(f64, usize)> {
    let [b'0', b'x' | b'X', digits @ ..] = text else { return None };
    let (mut number, mut scale, mut count, mut at, mut is_fraction) = (0.0, 0_i32, 0, 0, false);
    while let Some(byte) = digits.get(at) {
        match char::from(*byte).to_digit(16) {
            Some(digit) => {
                number = number * 16.0 + f64::from(digit);
                scale = scale.saturating_sub(4 * i32::from(is_fraction));
                count += 1;
            }
            None if *byte == b'.' && !is_fraction => is_fraction = true,
            None => break,
        }
        at += 1;
    }
    if count == 0 {
        return None;
    }
    if let Some(b'p' | b'P') = digits.get(at)
        && let Some((exponent, len)) = exponent(&digits[at + 1..])
    {
        scale = scale.saturating_add(exponent);
        at += 1 + len;
    }
    Some((number * 2_f64.powi(scale), 2 + at))
}

fn decimal(text: &[u8]) -> Option<(f64, usize)> {
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let whole = digits(text);
    let mut len = whole;
    if text.get(whole) == Some(&b'.') {
        let fraction = digits(&text[whole + 1..]);
        if 0 < whole + fraction {
            len = whole + 1 + fraction;
        }
    }
    if len == 0 {
        return None;
    }
    if let Some(b'e' | b'E') = text.get(len)
        && let Some((_, exponent_len)) = exponent(&text[len + 1..])
    {
        len += 1 + exponent_len;
    }
    let number = std::str::from_utf8(&text[..len]).ok()?.parse().ok()?;
    Some((number, len))
}

fn exponent(text: &[u8]) -> Option<(i32, usize)> {
    let sign = usize::from(matches!(text.first(), Some(b'+' | b'-')));
    let digits = text[sign..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 {
        return None;
    }
    let number = text[sign..sign + digits].iter().fold(0_i32, |number, digit| {
        number.saturating_mul(10).saturating_add(i32::from(digit - b'0'))
    });
    Some((if text[0] == b'-' { -number } else { number }, sign + digits))
}

#[cfg(test)]
mod tests {
    use super::{is_odd_number, number_at};

    #[test]
    fn numbers_are_read_as_far_as_they_go() {
        for (text, number, len) in [
            ("0", 0.0, 1),
            ("-12.5e2x", -1250.0, 7),
            ("1.", 1.0, 2),
            ("1.e3", 1000.0, 4),
            ("1e", 1.0, 1),
            ("1e+", 1.0, 1),
            (".5", 0.5, 2),
            ("+7", 7.0, 2),
            ("007", 7.0, 3),
            ("0x1F", 31.0, 4),
            ("0x1.8p1", 3.0, 7),
            ("0x", 0.0, 1),
            ("0xg", 0.0, 1),
            ("1e999", f64::INFINITY, 5),
            ("infinite", f64::INFINITY, 3),
            ("-Infinity,", f64::NEG_INFINITY, 9),
        ] {
            assert_eq!(number_at(text.as_bytes()), Some((number, len)), "{text}");
        }
        assert_eq!(number_at(b"nan(ab_1)x").map(|found| found.1), Some(9));
        assert_eq!(number_at(b"nan(ab").map(|found| found.1), Some(3));
        for text in ["", "-", "+x", ".", "e5", "n", "-.e1"] {
            assert_eq!(number_at(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn odd_numbers_are_known() {
        for text in ["+1", "01", "-01", "0x1", "inf", "-NaN"] {
            assert!(is_odd_number(text.as_bytes()), "{text}");
        }
        for text in ["0", "-0", "0.5", "10", "1e5", "-", "null"] {
            assert!(!is_odd_number(text.as_bytes()), "{text}");
        }
    }
}
