//! LZF: the compression of strings in snapshots, quick rather than thorough.
//!
//! ```text
//! 000lllll            l + 1 bytes follow as they are
//! lllooooo oooooooo   l + 2 bytes are repeated from o + 1 bytes before    (l from 1 to 6)
//! 111ooooo l oooooooo l + 9 bytes are repeated from o + 1 bytes before
//! ```
//!
//! The compressor looks for the three bytes at hand where it has seen their like last. The places
//! are kept from string to string and told apart by a number that only grows, so that nothing is
//! cleared in between: most strings are shorter than the table.

const LITERALS_MAX: usize = 32;
const OFFSET_MAX: usize = 1 << 13;
const MATCH_LEN_MIN: usize = 3;
const MATCH_LEN_MAX: usize = 264;
/// Three bytes repeat 264 at most.
const EXPANSION_MAX: u64 = 88;

const TABLE_BITS: u32 = 13;

/// Compresses strings, one after the other.
pub(super) struct Compressor {
    /// Where three bytes of this hash were seen: a place in all strings so far, counted from 1.
    places: Vec<u32>,
    /// The place before the first byte of the next string.
    base: u32,
}

impl Compressor {
    pub(super) fn new() -> Self {
        Self { places: Vec::new(), base: 0 }
    }

    /// Adds the compressed form of `input` to `out`, unless it is no shorter than `len_max`.
    pub(super) fn compress(&mut self, input: &[u8], out: &mut Vec<u8>, len_max: usize) -> bool {
        let Ok(len) = u32::try_from(input.len()) else { return false };
        if self.places.is_empty() || u32::MAX - self.base <= len {
            self.places = vec![0; 1 << TABLE_BITS];
            self.base = 0;
        }
        let end = out.len() + len_max;
        let (mut at, mut literals) = (0, 0);
        while at + MATCH_LEN_MIN <= input.len() {
            let here = &input[at..];
            let place = &mut self.places[hash(here)];
            let before = std::mem::replace(place, self.base + at as u32 + 1);
            // Places of earlier strings are not above the base.
            let found = before.checked_sub(self.base + 1).map(|found| found as usize);
            let Some(start) = found.filter(|found| {
                before > self.base
                    && at - found <= OFFSET_MAX
                    && input[*found..*found + 3] == here[..3]
            }) else {
                at += 1;
                continue;
            };
            push_literals(out, &input[literals..at]);
            let len = match_len(input, start, at);
            push_match(out, at - start - 1, len);
            at += len;
            literals = at;
            if end <= out.len() {
                break;
            }
        }
        push_literals(out, &input[literals..]);
        self.base += len;
        out.len() < end
    }
}

fn hash(bytes: &[u8]) -> usize {
    let word = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], 0]);
    (word.wrapping_mul(0x9e37_79b1) >> (32 - TABLE_BITS)) as usize
}

fn match_len(input: &[u8], start: usize, at: usize) -> usize {
    let max = (input.len() - at).min(MATCH_LEN_MAX);
    let pairs = input[start..].iter().zip(&input[at..at + max]);
    pairs.take_while(|(one, other)| one == other).count()
}

fn push_literals(out: &mut Vec<u8>, literals: &[u8]) {
    for run in literals.chunks(LITERALS_MAX) {
        out.push((run.len() - 1) as u8);
        out.extend_from_slice(run);
    }
}

fn push_match(out: &mut Vec<u8>, offset: usize, len: usize) {
    let (high, low, len) = ((offset >> 8) as u8, offset as u8, len - 2);
    if len < 7 {
        out.push((len as u8) << 5 | high);
    } else {
        out.extend_from_slice(&[7 << 5 | high, (len - 7) as u8]);
    }
    out.push(low);
}

/// Whether so many compressed bytes can be the form of so many others.
pub(super) fn is_possible(compressed_len: u64, len: u64) -> bool {
    len <= compressed_len.saturating_mul(EXPANSION_MAX)
}

/// Puts what `input` is the compressed form of into `out`; it must have `len` bytes.
pub(super) fn decompress(input: &[u8], len: usize, out: &mut Vec<u8>) -> Option<()> {
    out.clear();
    out.reserve(len);
    let mut rest = input;
    while let Some((control, after)) = rest.split_first() {
        rest = after;
        let (control, high) = (usize::from(*control), usize::from(*control & 31) << 8);
        if control < LITERALS_MAX {
            let (literals, after) = rest.split_at_checked(control + 1)?;
            rest = after;
            out.extend_from_slice(literals);
        } else {
            let mut count = (control >> 5) + 2;
            if count == 9 {
                let (more, after) = rest.split_first()?;
                count += usize::from(*more);
                rest = after;
            }
            let (low, after) = rest.split_first()?;
            rest = after;
            let start = out.len().checked_sub((high | usize::from(*low)) + 1)?;
            if len < out.len() + count {
                return None;
            }
            repeat(out, start, count);
        }
        if len < out.len() {
            return None;
        }
    }
    (out.len() == len).then_some(())
}

/// Adds `count` bytes from `start` on, the added ones among them.
fn repeat(out: &mut Vec<u8>, start: usize, count: usize) {
    let mut left = count;
    while left != 0 {
        let step = left.min(out.len() - start);
        out.extend_from_within(start..start + step);
        left -= step;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn round_trip(compressor: &mut Compressor, input: &[u8]) -> usize {
        let mut compressed = Vec::new();
        assert!(compressor.compress(input, &mut compressed, input.len() * 2 + 2));
        let mut out = Vec::new();
        assert_eq!(decompress(&compressed, input.len(), &mut out), Some(()));
        assert_eq!(out, input);
        compressed.len()
    }

    #[test]
    fn repetition_is_found_within_and_not_between_strings() {
        let mut compressor = Compressor::new();
        assert!(round_trip(&mut compressor, &[b'x'; 3000]) < 60);
        let text = b"one two three one two three one two three";
        assert!(round_trip(&mut compressor, text) < 25);
        for _ in 0..3 {
            round_trip(&mut compressor, b"abcdefghijklmnop");
        }
        compressor.base = u32::MAX - 20;
        round_trip(&mut compressor, text);
        round_trip(&mut compressor, b"");
        assert!(!compressor.compress(b"abcdefghijklmnop", &mut Vec::new(), 12));
    }

    #[test]
    fn the_bytes_of_a_reference_are_read() {
        // DUMP of 84 times x by Redis 8.0.
        let mut out = Vec::new();
        let bytes = [0x01, b'x', b'x', 0xe0, 0x47, 0x00, 0x01, b'x', b'x'];
        assert_eq!(decompress(&bytes, 84, &mut out), Some(()));
        assert_eq!(out, [b'x'; 84]);
    }

    #[test]
    fn nonsense_is_refused() {
        let mut out = Vec::new();
        for (bytes, len) in [
            (&[5, b'a'][..], 6),
            (&[0x20, 0], 3),
            (&[0, b'a', 0xe0], 10),
            (&[0, b'a', 0xe0, 255], 265),
            (&[0, b'a', 0x20, 1], 4),
            (&[0, b'a', 0x20, 0], 3),
            (&[0, b'a'], 2),
        ] {
            assert_eq!(decompress(bytes, len, &mut out), None, "{bytes:?}");
        }
        assert!(is_possible(3, 264) && !is_possible(3, 265));
    }

    proptest! {
        #[test]
        fn everything_comes_back(inputs in prop::collection::vec(prop::collection::vec(0..4u8, 0..400), 1..6)) {
            let mut compressor = Compressor::new();
            for input in &inputs {
                round_trip(&mut compressor, input);
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>, len in 0..2000usize) {
            let mut out = Vec::new();
            let _ = decompress(&bytes, len, &mut out);
            prop_assert!(out.len() <= len + LITERALS_MAX);
        }
    }
}
