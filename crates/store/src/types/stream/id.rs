//! The ids of entries: a time in milliseconds, and a number among the entries of that time.

use base::numbers::IntegerBuffer;

/// An id; ids are in the order of time, then number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id {
    /// Unix time in milliseconds, by convention.
    pub ms: u64,
    /// Number among the ids of this time.
    pub seq: u64,
}

impl std::fmt::Display for Id {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}-{}", self.ms, self.seq)
    }
}

impl Id {
    /// The greatest id.
    pub const MAX: Self = Self { ms: u64::MAX, seq: u64::MAX };
    /// The least id; no entry has it.
    pub const MIN: Self = Self { ms: 0, seq: 0 };
    /// Longest id as text.
    pub const TEXT_LEN_MAX: usize = 41;

    /// An id of its parts.
    pub const fn new(ms: u64, seq: u64) -> Self {
        Self { ms, seq }
    }

    /// The id that follows; there is none after the greatest.
    pub fn next(self) -> Option<Self> {
        match self.seq.checked_add(1) {
            Some(seq) => Some(Self { seq, ..self }),
            None => Some(Self { ms: self.ms.checked_add(1)?, seq: 0 }),
        }
    }

    /// The id before; there is none before the least.
    pub fn previous(self) -> Option<Self> {
        match self.seq.checked_sub(1) {
            Some(seq) => Some(Self { seq, ..self }),
            None => Some(Self { ms: self.ms.checked_sub(1)?, seq: u64::MAX }),
        }
    }

    /// The id as text, `ms-seq`.
    pub fn text(self, buffer: &mut [u8; Self::TEXT_LEN_MAX]) -> &[u8] {
        let mut number = IntegerBuffer::new();
        let ms = number.format_u64(self.ms);
        let len = ms.len();
        buffer[..len].copy_from_slice(ms);
        buffer[len] = b'-';
        let seq = number.format_u64(self.seq);
        let end = len + 1 + seq.len();
        buffer[len + 1..end].copy_from_slice(seq);
        &buffer[..end]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_carry() {
        let (low, high) = (Id::new(7, u64::MAX), Id::new(8, 0));
        assert_eq!(low.next(), Some(high));
        assert_eq!(high.previous(), Some(low));
        assert_eq!((Id::MAX.next(), Id::MIN.previous()), (None, None));
        assert_eq!(Id::MIN.next(), Some(Id::new(0, 1)));
    }

    #[test]
    fn the_longest_text_fits() {
        let mut buffer = [0; Id::TEXT_LEN_MAX];
        assert_eq!(Id::MAX.text(&mut buffer), b"18446744073709551615-18446744073709551615");
        assert_eq!(Id::new(5, 0).text(&mut buffer), b"5-0");
    }
}
