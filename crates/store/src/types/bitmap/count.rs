//! Counting ones.
//!
//! A carry-save adder takes three words and gives two: the sums of their bits, and the carries. A
//! tree of them turns sixteen words into one of weight sixteen and one each of weights eight, four,
//! two and one, which are kept for the next sixteen. So bits are counted one by one (what a plain
//! processor does in a dozen steps) only for every sixteenth word. Four words go side by side, as
//! the compiler makes vectors of them: 30 µs a MiB, where a loop over single words takes 62.

use super::Span;

/// Words side by side.
const LANES: usize = 4;

/// What is added up at once.
const BLOCK_LEN: usize = 16 * LANES * 8;

type Lanes = [u64; LANES];

/// How many bits of `span` are set.
///
/// # Panics
/// If the span is not inside of `bytes`.
pub fn count(bytes: &[u8], span: Span) -> u64 {
    if span.last < span.first {
        return 0;
    }
    let (first, last, head, tail) = span.edges();
    if first == last {
        return ones(bytes[first] & head & tail);
    }
    ones(bytes[first] & head) + count_bytes(&bytes[first + 1..last]) + ones(bytes[last] & tail)
}

fn ones(byte: u8) -> u64 {
    u64::from(byte.count_ones())
}

fn count_bytes(bytes: &[u8]) -> u64 {
    let (blocks, rest) = bytes.as_chunks::<BLOCK_LEN>();
    let (words, tail) = rest.as_chunks::<8>();
    let words: u64 = words.iter().map(|w| u64::from(u64::from_ne_bytes(*w).count_ones())).sum();
    count_blocks(blocks) + words + tail.iter().copied().map(ones).sum::<u64>()
}

fn count_blocks(blocks: &[[u8; BLOCK_LEN]]) -> u64 {
    let mut kept = Kept::default();
    let mut sixteens = 0;
    for block in blocks {
        let (halves, _) = block.as_chunks::<{ BLOCK_LEN / 2 }>();
        let low = kept.add_eight(&halves[0]);
        let high = kept.add_eight(&halves[1]);
        let carry = add(&mut kept.eights, low, high);
        sixteens += sum(carry);
    }
    16 * sixteens + 8 * sum(kept.eights) + 4 * sum(kept.fours) + 2 * sum(kept.twos) + sum(kept.ones)
}

/// What is left below a weight of sixteen.
#[derive(Default)]
struct Kept {
    ones: Lanes,
    twos: Lanes,
    fours: Lanes,
    eights: Lanes,
}

impl Kept {
    /// Adds eight words (in each lane), and returns those of weight eight.
    #[inline(always)]
    fn add_eight(&mut self, half: &[u8; BLOCK_LEN / 2]) -> Lanes {
        let word = |index: usize| lanes(half, index);
        let twos_a = add(&mut self.ones, word(0), word(1));
        let twos_b = add(&mut self.ones, word(2), word(3));
        let fours_a = add(&mut self.twos, twos_a, twos_b);
        let twos_a = add(&mut self.ones, word(4), word(5));
        let twos_b = add(&mut self.ones, word(6), word(7));
        let fours_b = add(&mut self.twos, twos_a, twos_b);
        add(&mut self.fours, fours_a, fours_b)
    }
}

/// Adds `a` and `b` to `kept`, bit by bit, and returns the carries.
#[inline(always)]
fn add(kept: &mut Lanes, a: Lanes, b: Lanes) -> Lanes {
    std::array::from_fn(|lane| {
        let half = kept[lane] ^ a[lane];
        let carry = (kept[lane] & a[lane]) | (half & b[lane]);
        kept[lane] = half ^ b[lane];
        carry
    })
}

#[inline(always)]
fn lanes(bytes: &[u8; BLOCK_LEN / 2], index: usize) -> Lanes {
    let (words, _) = bytes.as_chunks::<8>();
    std::array::from_fn(|lane| u64::from_ne_bytes(words[index * LANES + lane]))
}

#[inline(always)]
fn sum(lanes: Lanes) -> u64 {
    lanes.iter().map(|word| u64::from(word.count_ones())).sum()
}
