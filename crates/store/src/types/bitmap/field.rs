//! Small integers at any bit of a string.
//!
//! A field of up to 64 bits touches at most nine bytes. They are read big-endian into the top of a
//! 128-bit window, where the field is a shift away from either end.
//!
//! ```text
//! byte    | b | b+1 | …            | b+8 | zeros …
//! window  |  xxx[ field of n bits ]xxx   |
//! ```

/// Bytes that a field may touch.
const TOUCHED_LEN_MAX: usize = 9;

/// How wide a field is, and how it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldType {
    bits: u8,
    is_signed: bool,
}

/// What happens to a number that does not fit into its field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// It is not written.
    Fail,
    /// The nearest that fits is written.
    Saturate,
    /// Its low bits are written.
    Wrap,
}

impl FieldType {
    /// A signed field of 1 to 64 bits, or an unsigned one of 1 to 63.
    pub fn new(is_signed: bool, bits: i64) -> Option<Self> {
        let bits_max = if is_signed { 64 } else { 63 };
        let bits = u8::try_from(bits).ok().filter(|bits| (1..=bits_max).contains(bits))?;
        Some(Self { bits, is_signed })
    }

    /// How many bits it has.
    pub fn bits(self) -> u64 {
        u64::from(self.bits)
    }

    /// The number at bit `offset`; there are zeros beyond the end.
    pub fn read(self, bytes: &[u8], offset: u64) -> i64 {
        let window = window(bytes, offset) << (offset % 8);
        if self.is_signed {
            (window.cast_signed() >> (128 - self.bits)) as i64
        } else {
            (window >> (128 - self.bits)) as i64
        }
    }

    /// Writes a number that fits (or the low bits of one that does not) at bit `offset`.
    ///
    /// # Panics
    /// If the string ends before the field does.
    pub fn write(self, bytes: &mut [u8], offset: u64, value: i64) {
        let shift = 128 - u32::from(self.bits) - (offset % 8) as u32;
        let ones = (1u128 << self.bits) - 1;
        let value = u128::from(value.cast_unsigned()) & ones;
        let window = window(bytes, offset) & !(ones << shift) | value << shift;
        let start = (offset / 8) as usize;
        let end = super::byte_len(offset + self.bits());
        bytes[start..end].copy_from_slice(&window.to_be_bytes()[..end - start]);
    }

    /// `given` as the number that SET means: what is negative is large for an unsigned field.
    pub fn given(self, given: i64) -> i128 {
        if self.is_signed { i128::from(given) } else { i128::from(given.cast_unsigned()) }
    }

    /// The number to write for `value`, and whether it had to be made to fit; nothing if it does
    /// not fit and that is an error.
    pub fn fit(self, value: i128, overflow: Overflow) -> Option<i64> {
        let (min, max) = self.range();
        if (min..=max).contains(&value) {
            return Some(value as i64);
        }
        match overflow {
            Overflow::Fail => None,
            Overflow::Saturate => Some(value.clamp(min, max) as i64),
            Overflow::Wrap => {
                let unused = 128 - u32::from(self.bits);
                let value = value << unused;
                let signed = value >> unused;
                let unsigned = value.cast_unsigned() >> unused;
                Some(if self.is_signed { signed as i64 } else { unsigned as i64 })
            }
        }
    }

    fn range(self) -> (i128, i128) {
        if self.is_signed {
            let half = 1i128 << (self.bits - 1);
            (-half, half - 1)
        } else {
            (0, (1i128 << self.bits) - 1)
        }
    }
}

fn window(bytes: &[u8], offset: u64) -> u128 {
    let mut window = [0; 16];
    let rest = usize::try_from(offset / 8).ok().and_then(|start| bytes.get(start..));
    let rest = rest.unwrap_or_default();
    let len = rest.len().min(TOUCHED_LEN_MAX);
    window[..len].copy_from_slice(&rest[..len]);
    u128::from_be_bytes(window)
}
