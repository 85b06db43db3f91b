//! Tests of the extended floats: known sums, exact decimals, and both ways of rounding.

use proptest::prelude::*;

use super::*;

fn text_of(number: LongDouble) -> String {
    let mut out = Vec::new();
    number.append_to(&mut out);
    String::from_utf8(out).unwrap()
}

fn parse(text: &str) -> Option<LongDouble> {
    LongDouble::parse(text.as_bytes())
}

fn sum(left: &str, right: &str) -> Option<String> {
    Some(text_of(parse(left)?.checked_add(parse(right)?)?))
}

#[test]
fn sums_print_as_clients_expect() {
    for (left, right, expected) in [
        ("10.50", "0.1", "10.6"),
        ("5.0e3", "200", "5200"),
        ("3.0e0", "1", "4"),
        ("0.1", "0.2", "0.3"),
        ("1.17", "-1.17", "0"),
        ("-0", "0", "0"),
        ("-0", "-0", "0"),
        ("-1e-18", "0", "0"),
        ("1e-17", "0", "0.00000000000000001"),
        ("5e-18", "0", "0"),
        ("5.1e-18", "0", "0.00000000000000001"),
        ("1e20", "1", "100000000000000000000"),
        ("18446744073709551615", "1", "18446744073709551616"),
        ("18446744073709551617", "2", "18446744073709551618"),
        ("123456789123456789.123456789", "0.1", "123456789123456789.2265625"),
        ("0x10", "0x1p-3", "16.125"),
        ("1.", "1", "2"),
        ("+1", ".5", "1.5"),
        ("1e-4950", "1", "1"),
        ("3e-4951", "0", "0"),
        ("0.99999999999999999999", "0", "1"),
        ("-0.5", "0.25", "-0.25"),
    ] {
        assert_eq!(sum(left, right).as_deref(), Some(expected), "{left} + {right}");
    }
}

#[test]
fn extreme_numbers_are_exact() {
    let text = text_of(parse("1e4000").unwrap());
    let known = "99999999999999999999654638730996237849324925835069576313015083330432619433063423";
    assert_eq!(text.len(), 4000);
    assert!(text.starts_with(known));
    assert_eq!(text_of(parse(&text).unwrap()), text);
}

#[test]
fn what_is_no_number_is_refused() {
    for text in [
        "",
        " 1",
        "1 ",
        "nan",
        "-nan",
        "nan(1)",
        "0x",
        "1e",
        "1e+",
        "e5",
        ".",
        "+",
        "--1",
        "1e5000",
        "-1e5000",
        "1e-5000",
        "1e99999999999999999999",
        "1.2.3",
        "0x1.2.3",
        "0x1p",
        "1\0",
        "1e4933",
    ] {
        assert_eq!(parse(text), None, "{text:?}");
    }
    assert_eq!(parse(&"1".repeat(5120)), None);
    assert!(parse(&format!("{}1", "0".repeat(5118))).is_some());
}

#[test]
fn infinite_numbers_are_read_and_never_summed() {
    for text in ["inf", "+Inf", "-INFINITY"] {
        let infinite = parse(text).unwrap();
        assert!(!infinite.is_finite());
        assert_eq!(infinite.checked_add(parse("1").unwrap()), None);
        assert_eq!(infinite.checked_add(infinite), None);
    }
    assert_eq!(sum("1e4932", "1e4932"), None);
}

/// Prints a number of hundred-millionths as a decimal, without trailing zeros.
fn decimal_text(units: i128) -> String {
    let sign = if units < 0 { "-" } else { "" };
    let magnitude = units.unsigned_abs();
    let text = format!("{}.{:08}", magnitude / 100_000_000, magnitude % 100_000_000);
    let text = format!("{sign}{text}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

proptest! {
    /// Below ten the format's error stays under half of the last printed decimal.
    #[test]
    fn small_decimals_add_exactly(left in -499_999_999i64..=499_999_999, right in -499_999_999i64..=499_999_999) {
        let (left, right) = (i128::from(left), i128::from(right));
        let total = sum(&decimal_text(left), &decimal_text(right)).unwrap();
        prop_assert_eq!(total, decimal_text(left + right));
    }

    #[test]
    fn whole_numbers_add_exactly(left: i64, right: i64) {
        let total = i128::from(left) + i128::from(right);
        prop_assert_eq!(sum(&left.to_string(), &right.to_string()).unwrap(), total.to_string());
    }

    #[test]
    fn both_ways_of_rounding_agree(digits in 1u64..10_000_000_000_000_000_000, exponent in -27i32..=27) {
        let text = format!("{digits}");
        let mut decimal = Decimal::parse(text.as_bytes()).unwrap();
        decimal.exponent = exponent;
        prop_assert_eq!(decimal.round_small(), decimal.round_big());
    }

    #[test]
    fn addition_commutes(left: f64, right: f64) {
        prop_assume!(left.is_finite() && right.is_finite());
        let (left, right) = (parse(&left.to_string()).unwrap(), parse(&right.to_string()).unwrap());
        prop_assert_eq!(left.checked_add(right), right.checked_add(left));
    }

    /// Both operands exact in hexadecimal and close in size: the sum is known exactly.
    #[test]
    fn hexadecimal_sums_are_exact(left: u32, right: u32, shift in 0u32..30) {
        let total = (u64::from(left) << shift) + u64::from(right);
        let printed = sum(&format!("0x{left:x}p{shift}"), &format!("0x{right:x}")).unwrap();
        prop_assert_eq!(printed, total.to_string());
    }

    #[test]
    fn whole_numbers_read_back(digits in "[1-9][0-9]{0,40}") {
        let number = parse(&digits).unwrap();
        prop_assert_eq!(parse(&text_of(number)), Some(number));
    }

    #[test]
    fn any_bytes_are_parsed_without_panic(text: Vec<u8>) {
        if let Some(number) = LongDouble::parse(&text) {
            number.append_to(&mut Vec::new());
        }
    }

    #[test]
    fn any_number_like_text_is_parsed_without_panic(text in "[-+]?(0x)?[0-9a-f.]{0,30}([ep][-+]?[0-9]{0,6})?") {
        if let Some(number) = parse(&text) {
            let _ = number.checked_add(parse("1.5").unwrap()).map(text_of);
        }
    }
}
