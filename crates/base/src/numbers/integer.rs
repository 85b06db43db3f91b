//! Integers: the canonical decimal form, read and written.

/// Reads a 64-bit signed integer in its one canonical spelling.
///
/// Refused: the empty string, leading zeros, `+`, `-0`, spaces, anything out of range. A text that
/// passes prints back to exactly the same bytes, so a value may be stored as a number.
pub fn parse_i64(text: &[u8]) -> Option<i64> {
    if let Some((&b'-', digits)) = text.split_first() {
        let magnitude = parse_u64(digits)?;
        if magnitude == 0 {
            return None;
        }
        0i64.checked_sub_unsigned(magnitude)
    } else {
        i64::try_from(parse_u64(text)?).ok()
    }
}

/// Reads a 64-bit unsigned integer in its one canonical spelling: digits without a leading zero.
pub fn parse_u64(text: &[u8]) -> Option<u64> {
    // Nineteen digits always fit; only a twentieth can overflow.
    let (head, last) = match text {
        [b'0'] => return Some(0),
        [b'0', ..] | [] => return None,
        _ if text.len() <= 19 => (text, None),
        [head @ .., last] if head.len() == 19 => (head, Some(*last)),
        _ => return None,
    };
    let mut value = 0u64;
    for &byte in head {
        let digit = byte.wrapping_sub(b'0');
        if 9 < digit {
            return None;
        }
        value = value * 10 + u64::from(digit);
    }
    let Some(last) = last else { return Some(value) };
    let digit = last.wrapping_sub(b'0');
    if 9 < digit {
        return None;
    }
    value.checked_mul(10)?.checked_add(u64::from(digit))
}

/// Reads an unsigned integer as C's `strtoull` does where the whole text must be used: leading
/// white space, one sign and leading zeros are allowed. A negative number is refused, but not `-0`.
pub fn parse_u64_loose(text: &[u8]) -> Option<u64> {
    let mut digits = text.trim_ascii_start();
    let mut is_negative = false;
    if let Some((&sign @ (b'+' | b'-'), rest)) = digits.split_first() {
        is_negative = sign == b'-';
        digits = rest;
    }
    if digits.is_empty() {
        return None;
    }
    let mut value = 0u64;
    for &byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if 9 < digit {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    if is_negative && value != 0 { None } else { Some(value) }
}

/// Appends the decimal form of `value`.
#[inline]
pub fn append_i64(out: &mut Vec<u8>, value: i64) {
    out.extend_from_slice(IntegerBuffer::new().format(value));
}

/// Appends the decimal form of `value`.
#[inline]
pub fn append_u64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(IntegerBuffer::new().format_u64(value));
}

/// How many bytes [`append_i64`] writes for `value`, sign included.
pub fn decimal_len(value: i64) -> usize {
    usize::from(value < 0) + value.unsigned_abs().checked_ilog10().map_or(1, |log| log as usize + 1)
}

/// A place on the stack to print an integer in, for callers that want the bytes and no allocation.
#[derive(Clone)]
pub struct IntegerBuffer(itoa::Buffer);

impl IntegerBuffer {
    /// An empty buffer; costs nothing.
    #[inline]
    pub fn new() -> Self {
        Self(itoa::Buffer::new())
    }

    /// The decimal form of `value`, valid until the next call.
    #[inline]
    pub fn format(&mut self, value: i64) -> &[u8] {
        self.0.format(value).as_bytes()
    }

    /// The decimal form of `value`, valid until the next call.
    #[inline]
    pub fn format_u64(&mut self, value: u64) -> &[u8] {
        self.0.format(value).as_bytes()
    }
}

impl Default for IntegerBuffer {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn canonical_integers_are_accepted() {
        for value in [0, 1, -1, 9, 10, -10, i64::MAX, i64::MIN, i64::MAX - 1, i64::MIN + 1] {
            let text = value.to_string();
            assert_eq!(parse_i64(text.as_bytes()), Some(value));
            assert_eq!(decimal_len(value), text.len());
        }
        assert_eq!(parse_u64(b"18446744073709551615"), Some(u64::MAX));
    }

    #[test]
    fn other_spellings_are_refused() {
        let refused: [&[u8]; 17] = [
            b"",
            b"-",
            b"+1",
            b"-0",
            b"00",
            b"01",
            b"-01",
            b" 1",
            b"1 ",
            b"1.0",
            b"1e3",
            b"9223372036854775808",
            b"-9223372036854775809",
            b"--1",
            b"0x10",
            b"12345678901234567890123",
            b"1\0",
        ];
        for text in refused {
            assert_eq!(parse_i64(text), None, "{:?}", text.escape_ascii().to_string());
        }
        assert_eq!(parse_u64(b"18446744073709551616"), None);
        assert_eq!(parse_u64(b"-1"), None);
    }

    #[test]
    fn loose_integers_follow_strtoull() {
        for (text, expected) in [
            (&b"+7"[..], Some(7)),
            (b"007", Some(7)),
            (b" \t7", Some(7)),
            (b"-0", Some(0)),
            (b"-00", Some(0)),
            (b"-1", None),
            (b"", None),
            (b"+", None),
            (b"7 ", None),
            (b"+-7", None),
            (b"18446744073709551615", Some(u64::MAX)),
            (b"18446744073709551616", None),
        ] {
            assert_eq!(parse_u64_loose(text), expected, "{:?}", text.escape_ascii().to_string());
        }
    }

    proptest! {
        #[test]
        fn integers_round_trip(value: i64, unsigned: u64) {
            let mut out = Vec::new();
            append_i64(&mut out, value);
            prop_assert_eq!(parse_i64(&out), Some(value));
            prop_assert_eq!(decimal_len(value), out.len());
            out.clear();
            append_u64(&mut out, unsigned);
            prop_assert_eq!(parse_u64(&out), Some(unsigned));
        }

        #[test]
        fn whatever_is_accepted_prints_the_same(text in "[-+0-9 ]{0,21}") {
            if let Some(value) = parse_i64(text.as_bytes()) {
                prop_assert_eq!(value.to_string(), text);
            }
        }
    }
}
