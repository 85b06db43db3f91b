//! Extended floats: the 80-bit format in which increments of decimal strings are computed.
//!
//! Clients send `10.50` and `0.1` and expect `10.6`, not `10.5999999999999996`. The format that
//! they know is the x87 `long double` (64 bits of significand, 15 of exponent), printed with 17
//! decimals and the trailing zeros cut. This file computes exactly that, on any processor, with
//! integers only: a number is `significand × 2^exponent`, every operation is exact in 128 bits (or
//! in a big integer when the exponent is extreme) and then rounded once, half to even.
//!
//! Cost: parsing one 128-bit multiplication or division, adding a few shifts, printing one
//! 128-bit multiplication. Only numbers with more than 19 digits or beyond 10^±27 allocate.
//!
//! Rejected: exact decimals (simpler, but `1e20 + 0.1` and long sums print other digits than the
//! servers that people compare with) and pairs of doubles (106 bits, again other digits).

use super::integer::append_u64;

mod big;

use big::Big;

/// A number of the 80-bit extended format: 64 bits of significand, 15 of exponent, or infinite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LongDouble {
    is_negative: bool,
    magnitude: Magnitude,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Magnitude {
    Zero,
    /// `significand × 2^exponent`, the significand's highest bit set.
    Finite {
        significand: u64,
        exponent: i32,
    },
    Infinite,
}

/// The exponent of the lowest bit of the smallest number, and of the largest number.
const EXPONENT_MIN: i32 = -16445;
const EXPONENT_MAX: i32 = 16383 - 63;
/// Longer texts are refused, as the servers before us did.
const TEXT_LEN_MAX: usize = 5 * 1024 - 1;
/// Decimals printed before trailing zeros are cut.
const DECIMALS: u32 = 17;
const DECIMALS_SCALE: u128 = 10u128.pow(DECIMALS);

impl LongDouble {
    /// Zero.
    pub const ZERO: Self = Self { is_negative: false, magnitude: Magnitude::Zero };
    /// The largest number that is not infinite.
    pub const MAX: Self = Self {
        is_negative: false,
        magnitude: Magnitude::Finite { significand: u64::MAX, exponent: EXPONENT_MAX },
    };
    /// The smallest number that is not infinite.
    pub const MIN: Self = Self { is_negative: true, ..Self::MAX };

    /// Reads what C's `strtold` reads from the first byte to the last; refused are the empty
    /// string, spaces, trailing bytes, `nan`, and numbers too large or too small for the format.
    pub fn parse(text: &[u8]) -> Option<Self> {
        if TEXT_LEN_MAX < text.len() {
            return None;
        }
        let (is_negative, number) = split_sign(text);
        let magnitude =
            if number.eq_ignore_ascii_case(b"inf") || number.eq_ignore_ascii_case(b"infinity") {
                return Some(Self { is_negative, magnitude: Magnitude::Infinite });
            } else if let Some(hexadecimal) = parse_hexadecimal(number) {
                round(hexadecimal.bits, hexadecimal.is_inexact, hexadecimal.exponent)
            } else {
                Decimal::parse(number)?.round()?
            };
        match magnitude {
            Magnitude::Infinite => None,
            Magnitude::Zero if has_nonzero_digit(number) => None,
            magnitude => Some(Self { is_negative, magnitude }),
        }
    }

    /// The sum, or nothing if it is infinite or not a number.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        use Magnitude::{Finite, Infinite, Zero};
        match (self.magnitude, other.magnitude) {
            (Infinite, _) | (_, Infinite) => None,
            (Zero, Zero) => {
                Some(Self { is_negative: self.is_negative && other.is_negative, magnitude: Zero })
            }
            (Zero, _) => Some(other),
            (_, Zero) => Some(self),
            (Finite { .. }, Finite { .. }) => {
                let sum = if self.is_larger_than(&other) {
                    self.add_smaller(other)
                } else {
                    other.add_smaller(self)
                };
                (sum.magnitude != Infinite).then_some(sum)
            }
        }
    }

    /// Appends the number with up to 17 decimals, trailing zeros cut; zero has no sign.
    pub fn append_to(&self, out: &mut Vec<u8>) {
        let start = out.len();
        if self.is_negative {
            out.push(b'-');
        }
        let digits_start = out.len();
        match self.magnitude {
            Magnitude::Zero => out.push(b'0'),
            Magnitude::Infinite => out.extend_from_slice(b"inf"),
            Magnitude::Finite { significand, exponent } if 0 <= exponent => {
                append_whole(out, significand, exponent as u32);
            }
            Magnitude::Finite { significand, exponent } => {
                append_fraction(out, significand, exponent.unsigned_abs());
            }
        }
        if &out[digits_start..] == b"0" {
            out.truncate(start);
            out.push(b'0');
        }
    }

    /// The number on the other side of zero.
    #[must_use]
    pub fn negated(self) -> Self {
        Self { is_negative: !self.is_negative, ..self }
    }

    /// Whether it is less than the other.
    pub fn is_less_than(&self, other: &Self) -> bool {
        let sign = |number: &Self| match number.magnitude {
            Magnitude::Zero => 0,
            _ if number.is_negative => -1,
            _ => 1,
        };
        match (sign(self), sign(other)) {
            (-1, -1) => self.is_larger_than(other),
            (1, 1) => other.is_larger_than(self),
            (one, two) => one < two,
        }
    }

    /// Whether the number is neither infinite nor too large to compute with.
    pub fn is_finite(&self) -> bool {
        self.magnitude != Magnitude::Infinite
    }

    /// Significand and exponent, for tests of tables.
    #[cfg(test)]
    pub(super) fn parts(&self) -> Option<(u64, i32)> {
        match self.magnitude {
            Magnitude::Finite { significand, exponent } => Some((significand, exponent)),
            _ => None,
        }
    }

    fn is_larger_than(&self, other: &Self) -> bool {
        self.order() > other.order()
    }

    fn order(&self) -> (i32, u64) {
        match self.magnitude {
            Magnitude::Zero => (i32::MIN, 0),
            Magnitude::Finite { significand, exponent } => (exponent, significand),
            Magnitude::Infinite => (i32::MAX, 0),
        }
    }

    /// Adds a finite number whose magnitude is not larger.
    fn add_smaller(self, small: Self) -> Self {
        let (large_exponent, large_significand) = self.order();
        let (small_exponent, small_significand) = small.order();
        let distance = (large_exponent - small_exponent) as u32;
        // The highest bit stays free for the carry.
        let large = u128::from(large_significand) << 63;
        let unshifted = u128::from(small_significand) << 63;
        let shifted = unshifted.checked_shr(distance).unwrap_or(0);
        let is_inexact = shifted.checked_shl(distance).is_none_or(|restored| restored != unshifted);
        let bits = if self.is_negative == small.is_negative {
            large + shifted
        } else {
            // What was cut off the smaller number lies between this result and the next.
            large - shifted - u128::from(is_inexact)
        };
        let is_negative = self.is_negative && bits != 0;
        Self { is_negative, magnitude: round(bits, is_inexact, large_exponent - 63) }
    }
}

/// Splits an optional sign off; true means minus.
pub(super) fn split_sign(text: &[u8]) -> (bool, &[u8]) {
    match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    }
}

/// A hexadecimal float cut to 128 bits: `bits × 2^exponent`, and whether something was cut off.
pub(super) struct Hexadecimal {
    pub(super) bits: u128,
    pub(super) exponent: i32,
    pub(super) is_inexact: bool,
}

/// Reads an unsigned hexadecimal float: `0x`, digits with an optional point, an optional `p`
/// and exponent.
pub(super) fn parse_hexadecimal(text: &[u8]) -> Option<Hexadecimal> {
    let [b'0', b'x' | b'X', text @ ..] = text else { return None };
    let (digits, exponent) = split_exponent(text, b'p')?;
    let mut number = Hexadecimal { bits: 0, exponent, is_inexact: false };
    let mut digits_seen = false;
    let mut is_past_point = false;
    for &byte in digits {
        if byte == b'.' {
            if is_past_point {
                return None;
            }
            is_past_point = true;
            continue;
        }
        let digit = char::from(byte).to_digit(16)?;
        digits_seen = true;
        if number.bits >> 124 == 0 {
            number.bits = number.bits << 4 | u128::from(digit);
            number.exponent -= if is_past_point { 4 } else { 0 };
        } else {
            number.is_inexact |= digit != 0;
            number.exponent += if is_past_point { 0 } else { 4 };
        }
    }
    digits_seen.then_some(number)
}

/// Splits `digits[e[sign]number]` at the letter; no letter means exponent zero.
fn split_exponent(text: &[u8], letter: u8) -> Option<(&[u8], i32)> {
    let Some(at) = text.iter().position(|byte| byte.to_ascii_lowercase() == letter) else {
        return Some((text, 0));
    };
    let (is_negative, digits) = split_sign(&text[at + 1..]);
    if digits.is_empty() {
        return None;
    }
    let mut exponent = 0i32;
    for &byte in digits {
        if !byte.is_ascii_digit() {
            return None;
        }
        // Far beyond every bound, and far from overflow.
        exponent = (exponent * 10 + i32::from(byte - b'0')).min(1_000_000);
    }
    Some((&text[..at], if is_negative { -exponent } else { exponent }))
}

/// Whether the digits before an exponent hold one other than zero.
fn has_nonzero_digit(number: &[u8]) -> bool {
    if matches!(number, [b'0', b'x' | b'X', ..]) {
        let digits = number[2..].iter().take_while(|byte| !matches!(byte, b'p' | b'P'));
        return digits.into_iter().any(|byte| !matches!(byte, b'0' | b'.'));
    }
    number
        .iter()
        .take_while(|byte| !matches!(byte, b'e' | b'E'))
        .any(|byte| !matches!(byte, b'0' | b'.'))
}

/// A decimal number taken apart: the digits as text, and the power of ten of the last one.
struct Decimal<'a> {
    /// Digits and at most one point.
    digits: &'a [u8],
    /// How many of them are significant: no leading zeros, the point not counted.
    significant: usize,
    exponent: i32,
}

impl<'a> Decimal<'a> {
    fn parse(text: &'a [u8]) -> Option<Self> {
        let (digits, mut exponent) = split_exponent(text, b'e')?;
        let mut significant = 0;
        let mut digits_seen = false;
        let mut is_past_point = false;
        for &byte in digits {
            match byte {
                b'.' if !is_past_point => is_past_point = true,
                b'0'..=b'9' => {
                    digits_seen = true;
                    significant += usize::from(0 < significant || byte != b'0');
                    exponent -= i32::from(is_past_point);
                }
                _ => return None,
            }
        }
        digits_seen.then_some(Self { digits, significant, exponent })
    }

    /// The nearest extended float; infinite or zero where the format ends.
    fn round(&self) -> Option<Magnitude> {
        if self.significant == 0 {
            return Some(Magnitude::Zero);
        }
        // The position of the first digit decides whether the format can hold the number at all.
        let first = self.exponent + self.significant as i32;
        if 4940 < first {
            return Some(Magnitude::Infinite);
        }
        if first < -4970 {
            return Some(Magnitude::Zero);
        }
        if self.significant <= 19 && self.exponent.unsigned_abs() <= 27 {
            return Some(self.round_small());
        }
        Some(self.round_big())
    }

    fn values(&self) -> impl Iterator<Item = u8> + '_ {
        self.digits.iter().filter(|byte| **byte != b'.').map(|byte| byte - b'0')
    }

    /// Nineteen digits fit 64 bits and 5^27 fits 63, so 128 bits hold the product, or a quotient
    /// of at least 65 bits.
    fn round_small(&self) -> Magnitude {
        let digits = self.values().fold(0u128, |value, digit| value * 10 + u128::from(digit));
        let power = 5u128.pow(self.exponent.unsigned_abs());
        if 0 <= self.exponent {
            return round(digits * power, false, self.exponent);
        }
        let shift = digits.leading_zeros();
        let dividend = digits << shift;
        round(dividend / power, dividend % power != 0, self.exponent - shift as i32)
    }

    /// The same for any number of digits and any exponent.
    fn round_big(&self) -> Magnitude {
        let mut number = Big::default();
        for digit in self.values() {
            number.multiply_add(10, u32::from(digit));
        }
        let mut power = Big::power_of_five(self.exponent.unsigned_abs());
        if 0 <= self.exponent {
            number.multiply(&power);
            let (bits, is_inexact, dropped) = number.top_bits();
            return round(bits, is_inexact, self.exponent + dropped as i32);
        }
        // Shift one of the two until the quotient has 68 or 69 bits.
        let shift = power.bit_len() as i32 + 68 - number.bit_len() as i32;
        if 0 <= shift {
            number.shift_left(shift as usize);
        } else {
            power.shift_left(shift.unsigned_abs() as usize);
        }
        let (quotient, is_inexact) = number.divide(power);
        round(quotient, is_inexact, self.exponent - shift)
    }
}

/// Rounds `bits × 2^exponent` to the format, with something below the lowest bit if `is_inexact`, half to even.
///
/// An inexact number comes with at least 65 bits, so that the rounding bit is known.
fn round(bits: u128, is_inexact: bool, exponent: i32) -> Magnitude {
    if bits == 0 {
        return Magnitude::Zero;
    }
    let len = 128 - bits.leading_zeros() as i32;
    let lowest = exponent.saturating_add(len - 64).max(EXPONENT_MIN);
    let shift = lowest.saturating_sub(exponent);
    let mut kept = bits;
    if 0 < shift {
        let shift = shift as u32;
        kept = bits.checked_shr(shift).unwrap_or(0);
        let cut = bits ^ kept.checked_shl(shift).unwrap_or(0);
        let half = 1u128.checked_shl(shift - 1);
        let is_up = match half {
            None => false,
            Some(half) if cut == half => is_inexact || kept & 1 == 1,
            Some(half) => half < cut,
        };
        kept += u128::from(is_up);
    }
    let base = if 0 < shift { lowest } else { exponent };
    if kept == 0 {
        return Magnitude::Zero;
    }
    // After a carry the number is 2^64: one bit too long, and even.
    let spare = kept.leading_zeros() as i32 - 64;
    let significand = if spare < 0 { kept >> 1 } else { kept << spare };
    let exponent = base - spare;
    if EXPONENT_MAX < exponent {
        return Magnitude::Infinite;
    }
    Magnitude::Finite { significand: significand as u64, exponent }
}

fn append_whole(out: &mut Vec<u8>, significand: u64, exponent: u32) {
    if exponent <= 64 {
        append_u128(out, u128::from(significand) << exponent);
    } else {
        let mut number = Big::from(significand);
        number.shift_left(exponent as usize);
        number.append_to(out);
    }
}

/// Prints `significand / 2^shift`, rounded half to even at the last decimal.
fn append_fraction(out: &mut Vec<u8>, significand: u64, shift: u32) {
    let number = u128::from(significand);
    if 127 < shift {
        // Below 2^-63, less than half of the last decimal.
        out.push(b'0');
        return;
    }
    let whole = number >> shift;
    // Below 2^64 × 10^17, which is below 2^121.
    let scaled = (number - (whole << shift)) * DECIMALS_SCALE;
    let mut decimals = scaled >> shift;
    let cut = scaled - (decimals << shift);
    let half = 1u128 << (shift - 1);
    decimals += u128::from(half < cut || (cut == half && decimals & 1 == 1));
    // Rounding up may have carried into the whole part.
    let carry = u128::from(decimals == DECIMALS_SCALE);
    append_u128(out, whole + carry);
    let mut decimals = if carry == 1 { 0 } else { decimals as u64 };
    if decimals == 0 {
        return;
    }
    let mut text = *b".00000000000000000";
    for digit in text[1..].iter_mut().rev() {
        *digit += (decimals % 10) as u8;
        decimals /= 10;
    }
    out.extend_from_slice(&text);
    let end = out.iter().rposition(|byte| *byte != b'0').map_or(0, |last| last + 1);
    out.truncate(end);
}

fn append_u128(out: &mut Vec<u8>, value: u128) {
    match u64::try_from(value) {
        Ok(small) => append_u64(out, small),
        Err(_) => out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes()),
    }
}

#[cfg(test)]
mod tests;
