//! Registers of six bits: four in three bytes, the first in the lowest bits.

use super::REGISTER_COUNT;
use super::estimate::Histogram;

/// Bytes of all registers.
pub(super) const LEN: usize = REGISTER_COUNT * 6 / 8;

const MASK: u32 = 63;

/// Register `index`.
pub(super) fn read(registers: &[u8], index: usize) -> u8 {
    unpack(triple(registers, index))[index % 4]
}

/// Sets register `index`.
pub(super) fn write(registers: &mut [u8], index: usize, value: u8) {
    let shift = index % 4 * 6;
    let word = triple(registers, index) & !(MASK << shift) | u32::from(value) << shift;
    let at = index / 4 * 3;
    registers[at..at + 3].copy_from_slice(&word.to_le_bytes()[..3]);
}

/// Makes every register of `max` at least what it is here.
pub(super) fn merge(registers: &[u8], max: &mut [u8; REGISTER_COUNT]) {
    let (triples, _) = registers.as_chunks::<3>();
    let (quads, _) = max.as_chunks_mut::<4>();
    for (quad, triple) in quads.iter_mut().zip(triples) {
        let values = unpack(word(triple));
        quad.iter_mut().zip(values).for_each(|(max, value)| *max = value.max(*max));
    }
}

/// Writes registers that are given one in a byte.
pub(super) fn pack(values: &[u8; REGISTER_COUNT], registers: &mut [u8]) {
    let (quads, _) = values.as_chunks::<4>();
    let (triples, _) = registers.as_chunks_mut::<3>();
    for (triple, quad) in triples.iter_mut().zip(quads) {
        let word = quad.iter().rev().fold(0, |word, value| word << 6 | u32::from(*value) & MASK);
        triple.copy_from_slice(&word.to_le_bytes()[..3]);
    }
}

/// How many registers have which value.
pub(super) fn histogram(registers: &[u8]) -> Histogram {
    let mut histogram = Histogram::default();
    let (triples, _) = registers.as_chunks::<3>();
    for triple in triples {
        unpack(word(triple)).into_iter().for_each(|value| histogram.add(value, 1));
    }
    histogram
}

fn triple(registers: &[u8], index: usize) -> u32 {
    let (triples, _) = registers.as_chunks::<3>();
    word(&triples[index / 4])
}

#[inline]
fn word(triple: &[u8; 3]) -> u32 {
    u32::from_le_bytes([triple[0], triple[1], triple[2], 0])
}

#[inline]
fn unpack(word: u32) -> [u8; 4] {
    [0, 6, 12, 18].map(|shift| (word >> shift & MASK) as u8)
}
