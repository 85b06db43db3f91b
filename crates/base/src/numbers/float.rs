//! Doubles: read as C's `strtod` reads them, printed with few digits that read back equal.

use super::digits::Digits;
use super::extended;
use super::integer::IntegerBuffer;

/// Reads a double given as a command argument.
///
/// Accepted: what `strtod` accepts from the first byte to the last, `inf` and `infinity` in any
/// letter case and hexadecimal floats included. Refused: the empty string, spaces, trailing bytes,
/// `nan`, and numbers too large or too small for a double.
pub fn parse_f64(text: &[u8]) -> Option<f64> {
    let value = match parse_small_integer(text) {
        Some(value) => return Some(value),
        None => parse_decimal(text).or_else(|| parse_hexadecimal(text))?,
    };
    let is_exact_kind = if value.is_infinite() {
        is_infinity_word(text)
    } else {
        value != 0.0 || !has_nonzero_digit(text)
    };
    is_exact_kind.then_some(value)
}

/// Reads the bound of a range: like [`parse_f64`], but numbers out of range become infinite or
/// zero, the empty string is zero, and hexadecimal floats are refused.
pub fn parse_f64_bound(text: &[u8]) -> Option<f64> {
    if text.is_empty() { Some(0.0) } else { parse_decimal(text) }
}

/// Appends the text of `value`: what [`FloatBuffer::format`] gives.
#[inline]
pub fn append_f64(out: &mut Vec<u8>, value: f64) {
    out.extend_from_slice(FloatBuffer::new().format(value));
}

/// A place on the stack to print a double in.
#[derive(Clone)]
pub struct FloatBuffer {
    bytes: [u8; FLOAT_LEN_MAX],
    integer: IntegerBuffer,
}

/// The longest text is 25 bytes: sign, `0.000`, 17 digits and room for an exponent's worth more.
const FLOAT_LEN_MAX: usize = 32;

impl FloatBuffer {
    /// An empty buffer.
    #[inline]
    pub fn new() -> Self {
        Self { bytes: [0; FLOAT_LEN_MAX], integer: IntegerBuffer::new() }
    }

    /// The text of `value`, valid until the next call: `3`, `3.5`, `1e+20`, `inf`, `-inf`, `nan`,
    /// `-0`.
    ///
    /// Whole numbers up to 2^62 are printed in full. All others show few digits that read back
    /// as the same double (the fewest, but for one in 300): as a plain number if no more than seven
    /// zeros have to be filled in, otherwise with an exponent.
    pub fn format(&mut self, value: f64) -> &[u8] {
        if value.is_nan() {
            return b"nan";
        }
        if value.is_infinite() {
            return if value < 0.0 { b"-inf" } else { b"inf" };
        }
        if value == 0.0 {
            return if value.is_sign_negative() { b"-0" } else { b"0" };
        }
        let whole = value as i64;
        if whole.unsigned_abs() <= 1 << 62 && whole as f64 == value {
            return self.integer.format(whole);
        }
        self.format_short(value)
    }

    /// The text of a finite `value` that is not zero, as [`Self::format`] gives it for others than whole
    /// numbers: `1e+8`.
    pub fn format_short(&mut self, value: f64) -> &[u8] {
        debug_assert!(value.is_finite() && value != 0.0, "{value} has a text of its own");
        let mut writer = Writer { bytes: &mut self.bytes, len: 0 };
        if value < 0.0 {
            writer.push(b'-');
        }
        write(&Digits::of(value.abs()), &mut writer);
        let len = writer.len;
        &self.bytes[..len]
    }
}

impl Default for FloatBuffer {
    fn default() -> Self {
        Self::new()
    }
}

/// Lays digits out: as a plain number if few zeros have to be filled in, else with an exponent.
fn write(digits: &Digits, out: &mut Writer<'_>) {
    let (bytes, last) = (digits.bytes(), digits.exponent);
    let count = bytes.len() as i32;
    // How far the decimal point is behind the first digit, and the first digit from the units.
    let point = count + last;
    let first = (point - 1).abs();
    if 0 <= last && first < count + 7 {
        out.extend(bytes);
        out.zeros(last);
    } else if last < 0 && (-7 < last || first < 4) {
        if point <= 0 {
            out.extend(b"0.");
            out.zeros(-point);
            out.extend(bytes);
        } else {
            let (whole, fraction) = bytes.split_at(point as usize);
            out.extend(whole);
            out.push(b'.');
            out.extend(fraction);
        }
    } else {
        out.push(bytes[0]);
        if 1 < count {
            out.push(b'.');
            out.extend(&bytes[1..]);
        }
        out.push(b'e');
        out.push(if point < 1 { b'-' } else { b'+' });
        out.extend(IntegerBuffer::new().format(i64::from(first)));
    }
}

/// Appends to a fixed array.
struct Writer<'a> {
    bytes: &'a mut [u8; FLOAT_LEN_MAX],
    len: usize,
}

impl Writer<'_> {
    fn push(&mut self, byte: u8) {
        self.bytes[self.len] = byte;
        self.len += 1;
    }

    fn extend(&mut self, bytes: &[u8]) {
        self.bytes[self.len..self.len + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }

    fn zeros(&mut self, count: i32) {
        for _ in 0..count {
            self.push(b'0');
        }
    }
}

/// Up to fifteen plain digits, which every double holds exactly: nearly all scores in practice.
fn parse_small_integer(text: &[u8]) -> Option<f64> {
    if text.is_empty() || 15 < text.len() {
        return None;
    }
    let mut value = 0u64;
    for &byte in text {
        let digit = byte.wrapping_sub(b'0');
        if 9 < digit {
            return None;
        }
        value = value * 10 + u64::from(digit);
    }
    Some(value as f64)
}

fn parse_decimal(text: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(text).ok()?;
    text.parse::<f64>().ok().filter(|value| !value.is_nan())
}

/// Rounds the leading bits to a double. The lowest bit stands for all that was cut off, so the
/// rounding to 53 bits comes out right.
fn parse_hexadecimal(text: &[u8]) -> Option<f64> {
    let (is_negative, digits) = extended::split_sign(text);
    let number = extended::parse_hexadecimal(digits)?;
    let significand = (number.bits | u128::from(number.is_inexact)) as f64;
    if significand == 0.0 {
        return Some(if is_negative { -0.0 } else { 0.0 });
    }
    // In two steps, since 2^exponent alone may be out of a double's range.
    let half = number.exponent / 2;
    let value = significand * 2f64.powi(half) * 2f64.powi(number.exponent - half);
    Some(if is_negative { -value } else { value })
}

fn is_infinity_word(text: &[u8]) -> bool {
    let (_, word) = extended::split_sign(text);
    matches!(word.first(), Some(b'i' | b'I'))
}

/// Whether the significand (the part before an exponent) has a digit other than zero.
fn has_nonzero_digit(text: &[u8]) -> bool {
    let (_, number) = extended::split_sign(text);
    let is_hexadecimal = matches!(number, [b'0', b'x' | b'X', ..]);
    let digits = if is_hexadecimal { &number[2..] } else { number };
    let is_exponent = |byte: u8| match byte {
        b'e' | b'E' => !is_hexadecimal,
        b'p' | b'P' => is_hexadecimal,
        _ => false,
    };
    digits.iter().take_while(|byte| !is_exponent(**byte)).any(|byte| !matches!(byte, b'0' | b'.'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text_of(value: f64) -> String {
        String::from_utf8(FloatBuffer::new().format(value).to_vec()).unwrap()
    }

    #[test]
    fn doubles_print_as_clients_expect() {
        for (value, expected) in [
            (3.0, "3"),
            (3.5, "3.5"),
            (3.1, "3.1"),
            (0.1, "0.1"),
            (1e15, "1000000000000000"),
            (1e17, "100000000000000000"),
            (1e20, "1e+20"),
            (1e22, "1e+22"),
            (2.5e21, "2.5e+21"),
            (0.00001, "0.00001"),
            (0.000001, "0.000001"),
            (1e-7, "1e-7"),
            (0.0001, "0.0001"),
            (0.00001234, "1.234e-5"),
            (1234567e-10, "1.234567e-4"),
            (123456789.125, "123456789.125"),
            (12345678.9, "12345678.9"),
            (4.7e18, "4.7e+18"),
            (1234567890123456789.0, "1234567890123456768"),
            (4611686018427387904.0, "4611686018427387904"),
            (-4611686018427387904.0, "-4611686018427387904"),
            (4611686018427388928.0, "4611686018427389000"),
            (9223372036854775807.0, "9223372036854776000"),
            (123456789012345678901234.0, "123456789012345690000000"),
            // One digit more than need be, as clients have always seen them.
            (-0.736068, "-0.7360679999999999"),
            (406685e15, "406684999999999970000"),
            (-344.8465655966979, "-344.84656559669793"),
            (f64::MAX, "1.7976931348623157e+308"),
            (f64::MIN, "-1.7976931348623157e+308"),
            (5e-324, "5e-324"),
            (1e-320, "1e-320"),
            (0.0, "0"),
            (-0.0, "-0"),
            (-1.5, "-1.5"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
            (f64::NAN, "nan"),
        ] {
            assert_eq!(text_of(value), expected);
        }
    }

    #[test]
    fn arguments_are_read_as_strtod_reads_them() {
        let infinity = f64::INFINITY;
        for (text, expected) in [
            ("3", Some(3.0)),
            ("+5", Some(5.0)),
            ("007", Some(7.0)),
            ("1.", Some(1.0)),
            (".5", Some(0.5)),
            ("-.5", Some(-0.5)),
            ("5e3", Some(5000.0)),
            ("1e-320", Some(1e-320)),
            ("0e-999", Some(0.0)),
            ("0.0", Some(0.0)),
            ("inf", Some(infinity)),
            ("+Inf", Some(infinity)),
            ("-iNFinity", Some(-infinity)),
            ("0x10", Some(16.0)),
            ("-0x1.8", Some(-1.5)),
            ("0x1p3", Some(8.0)),
            ("0x.8P-1", Some(0.25)),
            ("0x0p5", Some(0.0)),
            ("0x1.fffffffffffff8p0", Some(2.0)),
            ("0x1.fffffffffffff7p0", Some(1.999_999_999_999_999_8)),
            ("0x1p2000", None),
            ("0x1p-2000", None),
            ("0x", None),
            ("0x1p", None),
            ("", None),
            (" 1", None),
            ("1 ", None),
            (".", None),
            ("+", None),
            ("1e", None),
            ("1e+", None),
            ("e5", None),
            ("nan", None),
            ("-NaN", None),
            ("nan(1)", None),
            ("infin", None),
            ("1_0", None),
            ("--1", None),
            ("1\0", None),
            ("1e400", None),
            ("-1e400", None),
            ("1e-400", None),
            ("é", None),
        ] {
            assert_eq!(parse_f64(text.as_bytes()), expected, "{text:?}");
        }
        assert!(parse_f64(b"-0").is_some_and(|zero| zero.is_sign_negative()));
    }

    #[test]
    fn bounds_are_read_more_loosely() {
        assert_eq!(parse_f64_bound(b""), Some(0.0));
        assert_eq!(parse_f64_bound(b"1e400"), Some(f64::INFINITY));
        assert_eq!(parse_f64_bound(b"1e-400"), Some(0.0));
        for refused in [&b" 1"[..], b"0x1", b"nan", b"1 "] {
            assert_eq!(parse_f64_bound(refused), None);
        }
    }

    proptest! {
        #[test]
        fn doubles_round_trip(bits: u64) {
            let value = f64::from_bits(bits);
            prop_assume!(!value.is_nan());
            let text = text_of(value);
            prop_assert!(text.len() <= 25, "{}", text);
            let again = parse_f64(text.as_bytes());
            prop_assert_eq!(again.map(f64::to_bits), Some(value.to_bits()), "{}", text);
        }

        #[test]
        fn short_decimals_print_as_they_were_written(whole in 1i64..1_000_000, cents in 1u8..100) {
            let text = format!("{whole}.{cents:02}");
            let printed = text_of(parse_f64(text.as_bytes()).unwrap());
            prop_assert_eq!(printed, text.trim_end_matches('0'));
        }

        #[test]
        fn any_bytes_are_parsed_without_panic(text: Vec<u8>) {
            let _ = parse_f64(&text);
            let _ = parse_f64_bound(&text);
        }
    }
}
