//! From registers to a number: Otmar Ertl's estimator (arXiv 1702.01284, algorithm 6).
//!
//! It needs only how many registers have which value, and is right for small counts as for large
//! ones, without tables or thresholds. Redis uses it too, in this order of floating-point
//! operations, so the numbers are the same to the last digit.

use super::{INDEX_BITS, REGISTER_COUNT};

/// Bits of a hash beyond those that pick the register.
const REST_BITS: usize = (u64::BITS - INDEX_BITS) as usize;
/// 1 / (2 ln 2).
const ALPHA: f64 = 0.721_347_520_444_481_7;

/// How many registers have which value. Six bits allow larger values than a hash can make; those
/// are kept apart and never looked at.
pub(super) struct Histogram([u32; 64]);

impl Default for Histogram {
    fn default() -> Self {
        Self([0; 64])
    }
}

impl Histogram {
    /// Counts `count` registers of this value.
    #[inline]
    pub(super) fn add(&mut self, value: u8, count: u32) {
        self.0[usize::from(value % 64)] += count;
    }

    fn of(&self, value: usize) -> f64 {
        f64::from(self.0[value])
    }
}

/// How many different elements make registers look like this.
pub(super) fn count(histogram: &Histogram) -> u64 {
    let all = REGISTER_COUNT as f64;
    let mut z = all * tau((all - histogram.of(REST_BITS + 1)) / all);
    for value in (1..=REST_BITS).rev() {
        z += histogram.of(value);
        z *= 0.5;
    }
    z += all * sigma(histogram.of(0) / all);
    (ALPHA * all * all / z).round() as u64
}

/// x + Σ x^(2^k) · 2^(k-1), for the registers that are still zero.
fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let mut y = 1.0;
    let mut z = x;
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if before == z {
            return z;
        }
    }
}

/// (1 - x - Σ (1 - x^(2^-k))² · 2^-k) / 3, for the registers that are full.
fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let mut y = 1.0;
    let mut z = 1.0 - x;
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x) * (1.0 - x) * y;
        if before == z {
            return z / 3.0;
        }
    }
}
