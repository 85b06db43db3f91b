//! Amounts of memory as configuration files write them: `100mb`, `1gb`, `512k`.

/// Reads an amount of memory in bytes: digits and an optional unit, in any letter case.
///
/// `k`, `m`, `g` are powers of 1000; `kb`, `mb`, `gb` powers of 1024; `b` or nothing means bytes.
/// No digits at all count as zero, as configuration files have long had it. Signs, fractions,
/// spaces, unknown units and amounts of 2^64 and more are refused.
pub fn parse_memory_size(text: &[u8]) -> Option<u64> {
    let digits_len = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, unit) = text.split_at(digits_len);
    let mut value = 0u64;
    for byte in digits {
        value = value.checked_mul(10)?.checked_add(u64::from(byte - b'0'))?;
    }
    let scale = UNITS.iter().find(|(name, _)| unit.eq_ignore_ascii_case(name.as_bytes()))?.1;
    value.checked_mul(scale)
}

const UNITS: [(&str, u64); 8] = [
    ("", 1),
    ("b", 1),
    ("k", 1000),
    ("kb", 1 << 10),
    ("m", 1_000_000),
    ("mb", 1 << 20),
    ("g", 1_000_000_000),
    ("gb", 1 << 30),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_read() {
        for (text, expected) in [
            ("0", Some(0)),
            ("1b", Some(1)),
            ("1k", Some(1000)),
            ("1KB", Some(1024)),
            ("2m", Some(2_000_000)),
            ("2Mb", Some(2 << 20)),
            ("3g", Some(3_000_000_000)),
            ("3gb", Some(3 << 30)),
            ("01k", Some(1000)),
            ("", Some(0)),
            ("kb", Some(0)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("18446744073709551615k", None),
            ("1.5gb", None),
            ("-1", None),
            ("+1", None),
            ("1 kb", None),
            ("1tb", None),
        ] {
            assert_eq!(parse_memory_size(text.as_bytes()), expected, "{text:?}");
        }
    }
}
