//! Big natural numbers: the few operations that reading and printing an extreme float needs.

/// A natural number, lowest limb first, without zero limbs at the top.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Big {
    limbs: Vec<u32>,
}

impl Big {
    pub(super) fn power_of_five(exponent: u32) -> Self {
        // 5^13 is the largest power in one limb.
        let mut power = Self::from(1);
        for _ in 0..exponent / 13 {
            power.multiply_add(5u32.pow(13), 0);
        }
        power.multiply_add(5u32.pow(exponent % 13), 0);
        power
    }

    pub(super) fn multiply_add(&mut self, factor: u32, addend: u32) {
        let mut carry = u64::from(addend);
        for limb in &mut self.limbs {
            carry += u64::from(*limb) * u64::from(factor);
            *limb = carry as u32;
            carry >>= 32;
        }
        if carry != 0 {
            self.limbs.push(carry as u32);
        }
    }

    pub(super) fn multiply(&mut self, other: &Self) {
        let mut product = vec![0u32; self.limbs.len() + other.limbs.len()];
        for (index, &factor) in self.limbs.iter().enumerate() {
            let mut carry = 0u64;
            for (limb, &other_limb) in product[index..].iter_mut().zip(&other.limbs) {
                carry += u64::from(*limb) + u64::from(factor) * u64::from(other_limb);
                *limb = carry as u32;
                carry >>= 32;
            }
            product[index + other.limbs.len()] = carry as u32;
        }
        self.limbs = product;
        self.trim();
    }

    pub(super) fn shift_left(&mut self, bits: usize) {
        if self.limbs.is_empty() {
            return;
        }
        let mut carry = 0u64;
        for limb in &mut self.limbs {
            carry |= u64::from(*limb) << (bits % 32);
            *limb = carry as u32;
            carry >>= 32;
        }
        self.limbs.push(carry as u32);
        self.trim();
        self.limbs.splice(0..0, std::iter::repeat_n(0, bits / 32));
    }

    fn shift_right_one(&mut self) {
        let mut carry = 0u32;
        for limb in self.limbs.iter_mut().rev() {
            let low = *limb & 1;
            *limb = *limb >> 1 | carry << 31;
            carry = low;
        }
        self.trim();
    }

    /// Divides; the quotient must fit 128 bits. Gives the quotient and whether a rest remains.
    pub(super) fn divide(mut self, mut divisor: Self) -> (u128, bool) {
        let steps = self.bit_len().saturating_sub(divisor.bit_len());
        divisor.shift_left(steps);
        let mut quotient = 0u128;
        for _ in 0..=steps {
            quotient <<= 1;
            if divisor.is_at_most(&self) {
                self.subtract(&divisor);
                quotient |= 1;
            }
            divisor.shift_right_one();
        }
        (quotient, !self.limbs.is_empty())
    }

    /// Prints the number in decimal.
    pub(super) fn append_to(mut self, out: &mut Vec<u8>) {
        const CHUNK: u64 = 1_000_000_000;
        let mut chunks = Vec::new();
        while !self.limbs.is_empty() {
            let mut rest = 0u64;
            for limb in self.limbs.iter_mut().rev() {
                rest = rest << 32 | u64::from(*limb);
                *limb = (rest / CHUNK) as u32;
                rest %= CHUNK;
            }
            chunks.push(rest as u32);
            self.trim();
        }
        let mut buffer = itoa::Buffer::new();
        out.extend_from_slice(buffer.format(chunks.pop().unwrap_or(0)).as_bytes());
        for chunk in chunks.into_iter().rev() {
            let digits = buffer.format(chunk).as_bytes();
            out.extend_from_slice(&b"000000000"[digits.len()..]);
            out.extend_from_slice(digits);
        }
    }

    pub(super) fn bit_len(&self) -> usize {
        let top = self.limbs.last().map_or(0, |limb| 32 - limb.leading_zeros() as usize);
        self.limbs.len().saturating_sub(1) * 32 + top
    }

    /// The highest 97 to 128 bits, whether a lower bit is set, and how many bits were dropped.
    pub(super) fn top_bits(&self) -> (u128, bool, usize) {
        let dropped = self.limbs.len().saturating_sub(4);
        let (low, high) = self.limbs.split_at(dropped);
        let bits = high.iter().rev().fold(0u128, |bits, &limb| bits << 32 | u128::from(limb));
        (bits, low.iter().any(|limb| *limb != 0), dropped * 32)
    }

    fn is_at_most(&self, other: &Self) -> bool {
        let by_len = self.limbs.len().cmp(&other.limbs.len());
        by_len.then_with(|| self.limbs.iter().rev().cmp(other.limbs.iter().rev())).is_le()
    }

    /// Subtracts a number that is not larger.
    fn subtract(&mut self, other: &Self) {
        let mut borrow = 0i64;
        for (index, limb) in self.limbs.iter_mut().enumerate() {
            let taken = other.limbs.get(index).map_or(0, |limb| i64::from(*limb));
            let difference = i64::from(*limb) - taken + borrow;
            *limb = difference as u32;
            borrow = difference >> 32;
        }
        self.trim();
    }

    fn trim(&mut self) {
        while self.limbs.last() == Some(&0) {
            self.limbs.pop();
        }
    }
}

impl From<u64> for Big {
    fn from(value: u64) -> Self {
        let mut number = Self { limbs: vec![value as u32, (value >> 32) as u32] };
        number.trim();
        number
    }
}
