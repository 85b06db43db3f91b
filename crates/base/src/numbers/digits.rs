//! The decimal digits of a double: few, and read back as the same double.
//!
//! Florian Loitsch's Grisu2 ("Printing Floating-Point Numbers Quickly and Accurately with
//! Integers", 2010). The double `w` and the two numbers halfway to its neighbours are scaled by a
//! power of ten from a table, so that their whole part fits 32 bits:
//!
//! ```text
//!   lower ........ w ........ upper        any number in between reads back as w
//!          |<------ delta ------>|
//! ```
//!
//! The digits of `upper` are then produced one by one until what is left fits into `delta`, and the
//! last one is lowered while that brings the number nearer to `w`. The table and the products are
//! exact to 64 bits only, so the interval is drawn in by one at either end; that makes about one
//! number in 300 a digit longer than need be.
//!
//! Rejected: algorithms that always find the shortest digits (Ryu). They print that one number in
//! 300 unlike the servers that clients have compared with for years, whose choices (this interval,
//! this table, this search in it) are followed here to the last digit.

/// The digits of a number, without zeros in front: `digits × 10^exponent`.
pub(super) struct Digits {
    bytes: [u8; Self::MAX],
    len: usize,
    /// The power of ten of the last digit.
    pub(super) exponent: i32,
}

/// `significand × 2^exponent`.
#[derive(Clone, Copy)]
struct Scaled {
    significand: u64,
    exponent: i32,
}

/// The bit that doubles leave out, and the exponent of their lowest bit.
const HIDDEN_BIT: u64 = 1 << 52;
const EXPONENT_BIAS: i32 = 1023 + 52;

/// The table's powers of ten: from 10^-348 in steps of 10^8.
const POWER_FIRST: i32 = -348;
const POWER_STEP: i32 = 8;
/// Powers of ten in 32 bits.
const TENS: [u32; 10] =
    [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000];
/// Where the exponent of a scaled number must lie for its whole part to fit 32 bits.
const SCALED_EXPONENTS: std::ops::RangeInclusive<i32> = -60..=-32;

impl Digits {
    /// Seventeen are enough for any double.
    pub(super) const MAX: usize = 17;

    /// The digits of a finite number above zero.
    pub(super) fn of(value: f64) -> Self {
        let exact = Scaled::exact(value);
        let (lower, upper) = exact.neighbours();
        let (power, power_exponent) = power_for(upper.exponent);
        let middle = exact.normalized().times(power);
        let (lower, upper) = (lower.times(power), upper.times(power));
        let mut digits = Self { bytes: [0; Self::MAX], len: 0, exponent: -power_exponent };
        digits.generate(middle, lower.significand + 1, upper.significand - 1);
        digits
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Produces the digits of `upper` until the rest is below `upper - lower`.
    fn generate(&mut self, middle: Scaled, lower: u64, upper: u64) {
        let shift = -middle.exponent as u32;
        let one = 1u64 << shift;
        let (mut delta, mut distance) = (upper - lower, upper - middle.significand);
        // The whole part fits 32 bits, in which division is cheap.
        let (mut whole, mut fraction) = ((upper >> shift) as u32, upper & (one - 1));
        for power in (0..=whole.ilog10()).rev() {
            let divisor = TENS[power as usize];
            self.push((whole / divisor) as u8);
            whole %= divisor;
            let rest = (u64::from(whole) << shift) + fraction;
            if rest <= delta {
                self.exponent += power as i32;
                return self.approach(distance, delta, rest, u64::from(divisor) << shift);
            }
        }
        loop {
            fraction *= 10;
            delta *= 10;
            distance = distance.wrapping_mul(10);
            self.exponent -= 1;
            self.push((fraction >> shift) as u8);
            fraction &= one - 1;
            if fraction < delta {
                return self.approach(distance, delta, fraction, one);
            }
        }
    }

    /// Lowers the last digit while that brings the number nearer to the exact one: `rest` is the
    /// distance from the upper end, `unit` what one step of the digit is worth.
    fn approach(&mut self, distance: u64, delta: u64, rest: u64, unit: u64) {
        let mut rest = rest;
        while rest < distance
            && unit <= delta - rest
            && (rest + unit < distance || rest + unit - distance < distance - rest)
        {
            self.bytes[self.len - 1] -= 1;
            rest += unit;
        }
    }

    fn push(&mut self, digit: u8) {
        self.bytes[self.len] = b'0' + digit;
        self.len += 1;
    }
}

impl Scaled {
    fn exact(value: f64) -> Self {
        let bits = value.to_bits();
        let (fraction, biased) = (bits & (HIDDEN_BIT - 1), (bits >> 52) as i32 & 0x7ff);
        if biased == 0 {
            Self { significand: fraction, exponent: 1 - EXPONENT_BIAS }
        } else {
            Self { significand: fraction | HIDDEN_BIT, exponent: biased - EXPONENT_BIAS }
        }
    }

    /// The numbers halfway to the next double below and above, with one exponent. Below a power of
    /// two doubles lie twice as close.
    fn neighbours(self) -> (Self, Self) {
        let upper = Self { significand: self.significand * 2 + 1, exponent: self.exponent - 1 };
        let upper = upper.normalized();
        let closeness = if self.significand == HIDDEN_BIT { 2 } else { 1 };
        let lower = (self.significand << closeness) - 1;
        let shift = self.exponent - closeness - upper.exponent;
        (Self { significand: lower << shift, exponent: upper.exponent }, upper)
    }

    /// The same number with the highest bit set.
    fn normalized(self) -> Self {
        let shift = self.significand.leading_zeros();
        Self { significand: self.significand << shift, exponent: self.exponent - shift as i32 }
    }

    /// The upper half of the product, rounded.
    fn times(self, other: Self) -> Self {
        let product = u128::from(self.significand) * u128::from(other.significand) + (1 << 63);
        Self { significand: (product >> 64) as u64, exponent: self.exponent + other.exponent + 64 }
    }
}

/// A power of ten that brings a number with this exponent into the range, and its own exponent.
fn power_for(exponent: i32) -> (Scaled, i32) {
    const LOG10_OF_2: f64 = 0.301_029_995_663_981_14;
    let guess = (-f64::from(exponent + POWERS.len() as i32) * LOG10_OF_2) as i32;
    let mut index = (guess - POWER_FIRST) / POWER_STEP;
    loop {
        let power_exponent = POWER_FIRST + index * POWER_STEP;
        let power = Scaled {
            significand: POWERS[index as usize],
            exponent: binary_exponent(power_exponent),
        };
        let scaled = exponent + power.exponent + 64;
        if scaled < *SCALED_EXPONENTS.start() {
            index += 1;
        } else if *SCALED_EXPONENTS.end() < scaled {
            index -= 1;
        } else {
            return (power, power_exponent);
        }
    }
}

/// The exponent of the lowest of the 64 bits of a power of ten: log2(10) in fixed point.
fn binary_exponent(power: i32) -> i32 {
    ((power * 1_741_647) >> 19) - 63
}

/// The 64 leading bits of 10^-348, 10^-340, … 10^340, rounded.
static POWERS: [u64; 87] = [
    0xfa8fd5a0081c0288,
    0xbaaee17fa23ebf76,
    0x8b16fb203055ac76,
    0xcf42894a5dce35ea,
    0x9a6bb0aa55653b2d,
    0xe61acf033d1a45df,
    0xab70fe17c79ac6ca,
    0xff77b1fcbebcdc4f,
    0xbe5691ef416bd60c,
    0x8dd01fad907ffc3c,
    0xd3515c2831559a83,
    0x9d71ac8fada6c9b5,
    0xea9c227723ee8bcb,
    0xaecc49914078536d,
    0x823c12795db6ce57,
    0xc21094364dfb5637,
    0x9096ea6f3848984f,
    0xd77485cb25823ac7,
    0xa086cfcd97bf97f4,
    0xef340a98172aace5,
    0xb23867fb2a35b28e,
    0x84c8d4dfd2c63f3b,
    0xc5dd44271ad3cdba,
    0x936b9fcebb25c996,
    0xdbac6c247d62a584,
    0xa3ab66580d5fdaf6,
    0xf3e2f893dec3f126,
    0xb5b5ada8aaff80b8,
    0x87625f056c7c4a8b,
    0xc9bcff6034c13053,
    0x964e858c91ba2655,
    0xdff9772470297ebd,
    0xa6dfbd9fb8e5b88f,
    0xf8a95fcf88747d94,
    0xb94470938fa89bcf,
    0x8a08f0f8bf0f156b,
    0xcdb02555653131b6,
    0x993fe2c6d07b7fac,
    0xe45c10c42a2b3b06,
    0xaa242499697392d3,
    0xfd87b5f28300ca0e,
    0xbce5086492111aeb,
    0x8cbccc096f5088cc,
    0xd1b71758e219652c,
    0x9c40000000000000,
    0xe8d4a51000000000,
    0xad78ebc5ac620000,
    0x813f3978f8940984,
    0xc097ce7bc90715b3,
    0x8f7e32ce7bea5c70,
    0xd5d238a4abe98068,
    0x9f4f2726179a2245,
    0xed63a231d4c4fb27,
    0xb0de65388cc8ada8,
    0x83c7088e1aab65db,
    0xc45d1df942711d9a,
    0x924d692ca61be758,
    0xda01ee641a708dea,
    0xa26da3999aef774a,
    0xf209787bb47d6b85,
    0xb454e4a179dd1877,
    0x865b86925b9bc5c2,
    0xc83553c5c8965d3d,
    0x952ab45cfa97a0b3,
    0xde469fbd99a05fe3,
    0xa59bc234db398c25,
    0xf6c69a72a3989f5c,
    0xb7dcbf5354e9bece,
    0x88fcf317f22241e2,
    0xcc20ce9bd35c78a5,
    0x98165af37b2153df,
    0xe2a0b5dc971f303a,
    0xa8d9d1535ce3b396,
    0xfb9b7cd9a4a7443c,
    0xbb764c4ca7a44410,
    0x8bab8eefb6409c1a,
    0xd01fef10a657842c,
    0x9b10a4e5e9913129,
    0xe7109bfba19c0c9d,
    0xac2820d9623bf429,
    0x80444b5e7aa7cf85,
    0xbf21e44003acdd2d,
    0x8e679c2f5e44ff8f,
    0xd433179d9c8cb841,
    0x9e19db92b4e31ba9,
    0xeb96bf6ebadf77d9,
    0xaf87023b9bf0ee6b,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numbers::LongDouble;

    #[test]
    fn powers_of_ten_are_right() {
        for (index, significand) in POWERS.iter().enumerate() {
            let power = POWER_FIRST + index as i32 * POWER_STEP;
            let exact = LongDouble::parse(format!("1e{power}").as_bytes()).unwrap();
            assert_eq!(exact.parts(), Some((*significand, binary_exponent(power))), "10^{power}");
        }
    }
}
