//! Combining strings bit by bit.
//!
//! The result is made tile by tile: all sources are folded into a piece that stays in the nearest
//! cache before the next piece begins, so memory is read once and written once however many sources
//! there are. Each step is a loop over two slices, which the compiler turns into vectors.

/// What is made of the bits that stand at the same place; *first* is the first source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Combination {
    /// Set in all.
    And,
    /// Set in the first and in any other.
    AndOr,
    /// Set in the first and in no other.
    Diff,
    /// Set in any other and not in the first.
    Diff1,
    /// Not set in the first, which is the only one.
    Not,
    /// Set in exactly one.
    One,
    /// Set in any.
    Or,
    /// Set in an odd number.
    Xor,
}

const TILE_LEN: usize = 8 << 10;

/// Combines strings; the result is as long as the longest, and shorter ones end in zeros.
///
/// # Panics
/// If there is no source.
pub fn combine(how: Combination, sources: &[&[u8]]) -> Vec<u8> {
    let len = sources.iter().map(|source| source.len()).max().expect("there is a source");
    let mut result = vec![0; len];
    let mut scratch = [0; TILE_LEN];
    for (index, tile) in result.chunks_mut(TILE_LEN).enumerate() {
        let start = index * TILE_LEN;
        let end = start + tile.len();
        let parts =
            sources.iter().map(|source| &source[start.min(source.len())..end.min(source.len())]);
        combine_tile(how, tile, parts, &mut scratch);
    }
    result
}

/// Fills `tile`, which is all zeros.
fn combine_tile<'s>(
    how: Combination,
    tile: &mut [u8],
    mut parts: impl Iterator<Item = &'s [u8]>,
    scratch: &mut [u8; TILE_LEN],
) {
    let first = parts.next().unwrap_or_default();
    match how {
        Combination::Not => {
            tile.fill(0xff);
            fold(tile, first, |a, b| a & !b);
        }
        Combination::And => {
            tile[..first.len()].copy_from_slice(first);
            for part in parts {
                fold(tile, part, |a, b| a & b);
                tile[part.len()..].fill(0);
            }
        }
        Combination::Or => {
            fold(tile, first, |a, b| a | b);
            parts.for_each(|part| fold(tile, part, |a, b| a | b));
        }
        Combination::Xor => {
            fold(tile, first, |a, b| a ^ b);
            parts.for_each(|part| fold(tile, part, |a, b| a ^ b));
        }
        Combination::One => {
            let more = &mut scratch[..tile.len()];
            more.fill(0);
            fold(tile, first, |a, b| a | b);
            for part in parts {
                // Two steps, so that each has one slice to write.
                more.iter_mut().zip(&*tile).zip(part).for_each(|((m, t), p)| *m |= t & p);
                fold(tile, part, |a, b| a | b);
            }
            fold(tile, more, |a, b| a & !b);
        }
        Combination::AndOr | Combination::Diff | Combination::Diff1 => {
            parts.for_each(|part| fold(tile, part, |a, b| a | b));
            match how {
                Combination::Diff1 => fold(tile, first, |a, b| a & !b),
                Combination::Diff => fold(tile, first, |a, b| b & !a),
                _ => fold(tile, first, |a, b| a & b),
            }
            if how != Combination::Diff1 {
                tile[first.len()..].fill(0);
            }
        }
    }
}

#[inline(always)]
fn fold(tile: &mut [u8], part: &[u8], step: impl Fn(u8, u8) -> u8) {
    tile.iter_mut().zip(part).for_each(|(a, b)| *a = step(*a, *b));
}
