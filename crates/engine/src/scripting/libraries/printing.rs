//! Numbers as C prints them with `%g`: so many significant digits, and no more than needed.

use std::io::Write;

/// Appends `number` with at most `precision` digits (1..=17).
pub(super) fn append_general(out: &mut Vec<u8>, number: f64, precision: usize) {
    if !number.is_finite() {
        let sign = if number.is_sign_negative() { "-" } else { "" };
        let name = if number.is_nan() { "nan" } else { "inf" };
        out.extend_from_slice(sign.as_bytes());
        out.extend_from_slice(name.as_bytes());
        return;
    }
    // Rounded to the digits that are shown, so that the exponent is the one of what is shown.
    let scientific = format!("{number:.*e}", precision - 1);
    let (mantissa, exponent) = scientific.split_once('e').expect("this form has an exponent");
    let exponent: i32 = exponent.parse().expect("the exponent is a small number");
    if (-4..precision as i32).contains(&exponent) {
        let decimals = (precision as i32 - 1 - exponent) as usize;
        out.extend_from_slice(trimmed(&format!("{number:.decimals$}")).as_bytes());
        return;
    }
    out.extend_from_slice(trimmed(mantissa).as_bytes());
    let sign = if exponent < 0 { '-' } else { '+' };
    let exponent = exponent.unsigned_abs();
    write!(out, "e{sign}{exponent:02}").expect("writing to memory does not fail");
}

/// Without zeros at the end of its fraction.
fn trimmed(digits: &str) -> &str {
    if !digits.contains('.') {
        return digits;
    }
    digits.trim_end_matches('0').trim_end_matches('.')
}

#[cfg(test)]
mod tests {
    use super::append_general;

    fn general(number: f64, precision: usize) -> String {
        let mut out = Vec::new();
        append_general(&mut out, number, precision);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_are_as_short_as_they_can_be() {
        for (number, precision, expected) in [
            (0.0, 14, "0"),
            (-0.0, 14, "-0"),
            (0.1, 14, "0.1"),
            (1.0 / 3.0, 14, "0.33333333333333"),
            (100.0, 14, "100"),
            (1e14, 14, "1e+14"),
            (99_999_999_999_999.0, 14, "99999999999999"),
            (999_999_999_999_999.0, 14, "1e+15"),
            (1e20, 14, "1e+20"),
            (1.5e-5, 14, "1.5e-05"),
            (0.0001, 14, "0.0001"),
            (1e300, 14, "1e+300"),
            (2.71999, 3, "2.72"),
            (9.996, 3, "10"),
            (123_456.0, 3, "1.23e+05"),
            (f64::INFINITY, 14, "inf"),
            (f64::NEG_INFINITY, 14, "-inf"),
        ] {
            assert_eq!(general(number, precision), expected);
        }
    }
}
