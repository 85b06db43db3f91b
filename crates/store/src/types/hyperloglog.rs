//! HyperLogLog: how many different elements were seen, within 0.81 %, in at most 12 KiB.
//!
//! An element's hash picks one of 16,384 registers, and the register keeps the longest run of zeros
//! that the rest of a hash ended in (plus one). Runs double their rarity with each zero, so all
//! registers together tell how many different hashes there must have been. The same element never
//! changes anything twice, and two counters merge by taking the larger of each two registers.
//!
//! The counter is a string in the form that Redis writes, byte for byte, so that dumps and clients
//! may carry it from one server to another:
//!
//! ```text
//! | "HYLL" | form 1 | zeros 3 | cached count 8, little endian | registers … |
//!            0 dense            highest bit set: not valid
//!            1 sparse
//!
//! dense    12,288 bytes: registers of 6 bits, the first in the lowest bits of the first byte
//! sparse   runs of equal registers, in order, 16,384 registers together:
//!          00nnnnnn             n + 1 zeros
//!          01nnnnnn nnnnnnnn    n + 1 zeros
//!          1vvvvvnn             n + 1 registers of value v + 1
//! ```
//!
//! A sparse counter turns dense when it would grow beyond a limit (3,000 bytes by default), or when
//! a value does not fit into five bits. Where a run is split, and which runs are joined after that,
//! is as in Redis ([`sparse`]), since it decides about the bytes.
//!
//! The bytes come from clients too (SET, SETRANGE, RESTORE), so nothing about them is believed:
//! [`form`] says whether they are a counter at all, and a sparse one whose runs do not add up is
//! [`Corrupt`].

mod dense;
mod estimate;
mod murmur;
mod sparse;

use crate::layout::entry::Entry;

use estimate::Histogram;

/// How many registers there are.
pub const REGISTER_COUNT: usize = 1 << INDEX_BITS;
/// Longest sparse counter, where no setting says otherwise.
pub const SPARSE_LEN_MAX: usize = 3000;
/// Length of a dense counter.
pub const DENSE_LEN: usize = HEADER_LEN + dense::LEN;

const INDEX_BITS: u32 = 14;
const HEADER_LEN: usize = 16;
const MAGIC: &[u8] = b"HYLL";
const FORM_AT: usize = 4;
const CACHE_AT: usize = 8;
/// In the last byte of the cached count.
const CACHE_INVALID: u8 = 0x80;

/// How the registers are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegisterForm {
    /// Six bits each.
    Dense,
    /// Runs of equal ones.
    Sparse,
}

/// The runs of a sparse counter do not make up its registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Corrupt;

/// A counter that has seen nothing.
pub fn empty(key: &[u8], clock: u32) -> Entry {
    let mut bytes = [0; HEADER_LEN + sparse::EMPTY.len()];
    bytes[..MAGIC.len()].copy_from_slice(MAGIC);
    bytes[FORM_AT] = 1;
    bytes[HEADER_LEN..].copy_from_slice(&sparse::EMPTY);
    let mut entry = Entry::string(key, &bytes, None, clock);
    entry.as_mut().set_raw(true);
    entry
}

/// Adds an element; says whether a register has changed.
///
/// # Errors
/// If the counter is corrupt.
pub fn add(entry: &mut Entry, element: &[u8], sparse_len_max: usize) -> Result<bool, Corrupt> {
    let (index, value) = register_of(element);
    raise(entry, index, value, sparse_len_max)
}

/// Makes register `index` at least `value`; says whether it was less.
fn raise(
    entry: &mut Entry,
    index: usize,
    value: u8,
    sparse_len_max: usize,
) -> Result<bool, Corrupt> {
    if let Some(RegisterForm::Sparse) = form(bytes(entry)) {
        match sparse::raise(entry, index, value, sparse_len_max)? {
            sparse::Raised::No => return Ok(false),
            sparse::Raised::Yes => return Ok(true),
            sparse::Raised::TooLarge => make_dense(entry)?,
        };
    }
    let is_less = dense::read(&bytes(entry)[HEADER_LEN..], index) < value;
    if is_less {
        dense::write(&mut entry.as_mut().string_mut()[HEADER_LEN..], index, value);
    }
    Ok(is_less)
}

/// Turns a sparse counter dense; says whether it was sparse.
///
/// # Errors
/// If the counter is corrupt; it is not changed then.
pub fn make_dense(entry: &mut Entry) -> Result<bool, Corrupt> {
    if form(bytes(entry)) == Some(RegisterForm::Dense) {
        return Ok(false);
    }
    let mut registers = Registers::default();
    registers.merge(bytes(entry))?;
    entry.resize_value(DENSE_LEN);
    let bytes = entry.as_mut().string_mut();
    bytes[FORM_AT] = 0;
    dense::pack(&registers.0, &mut bytes[HEADER_LEN..]);
    Ok(true)
}

/// Makes every register of the counter at least what it is in `registers`, as a dense counter if
/// `is_dense`.
///
/// # Errors
/// If the counter is corrupt.
pub fn raise_all(
    entry: &mut Entry,
    registers: &Registers,
    is_dense: bool,
    sparse_len_max: usize,
) -> Result<(), Corrupt> {
    if is_dense {
        make_dense(entry)?;
    }
    let mut own = Registers::default();
    own.merge(bytes(entry))?;
    for (index, (new, old)) in registers.0.iter().zip(own.0.iter()).enumerate() {
        if old < new {
            raise(entry, index, *new, sparse_len_max)?;
        }
    }
    Ok(())
}

/// Notes the count in a counter's header.
pub fn set_cached_count(entry: &mut Entry, count: u64) {
    entry.as_mut().string_mut()[CACHE_AT..HEADER_LEN].copy_from_slice(&count.to_le_bytes());
}

/// Says in a counter's header that the count there is not valid any more.
pub fn invalidate_cached_count(entry: &mut Entry) {
    if cached_count(bytes(entry)).is_some() {
        entry.as_mut().string_mut()[HEADER_LEN - 1] |= CACHE_INVALID;
    }
}

/// Which form a counter has; nothing if the bytes are no counter. Every other verb wants one.
pub fn form(bytes: &[u8]) -> Option<RegisterForm> {
    if bytes.len() < HEADER_LEN || !bytes.starts_with(MAGIC) {
        return None;
    }
    match bytes[FORM_AT] {
        0 => (bytes.len() == DENSE_LEN).then_some(RegisterForm::Dense),
        1 => Some(RegisterForm::Sparse),
        _ => None,
    }
}

/// The count that was noted in a counter's header, if it is still valid.
pub fn cached_count(bytes: &[u8]) -> Option<u64> {
    let (count, _) = bytes[CACHE_AT..].split_first_chunk::<8>()?;
    (count[7] & CACHE_INVALID == 0).then(|| u64::from_le_bytes(*count))
}

/// How many different elements the counter has seen, about.
///
/// # Errors
/// If the counter is corrupt.
pub fn count(bytes: &[u8]) -> Result<u64, Corrupt> {
    let registers = &bytes[HEADER_LEN..];
    let histogram: Histogram = match form(bytes) {
        Some(RegisterForm::Dense) => dense::histogram(registers),
        _ => sparse::histogram(registers)?,
    };
    Ok(estimate::count(&histogram))
}

/// The runs of a sparse counter: the value of its registers, how many there are, and whether the
/// longer form says so. What comes after the first corrupt one is not shown.
pub fn runs(bytes: &[u8]) -> impl Iterator<Item = (u8, usize, bool)> {
    sparse::runs(&bytes[HEADER_LEN..])
        .map_while(Result::ok)
        .map(|run| (run.value, run.count, run.is_long()))
}

/// Whether counters of a few sizes come as near to the truth as they should: within four standard
/// errors of 1.04 / √16384.
pub fn counts_well() -> bool {
    let mut entry = empty(b"", 0);
    (1..=20_000u32).all(|elements| {
        let is_added = add(&mut entry, &elements.to_le_bytes(), SPARSE_LEN_MAX).is_ok();
        let is_looked_at = [1, 10, 100, 1000, 5000, 20_000].contains(&elements);
        is_added && (!is_looked_at || is_near(&entry, elements))
    })
}

fn is_near(entry: &Entry, elements: u32) -> bool {
    let error_max = f64::from(elements) * 4.0 * 1.04 / 128.0 + 1.0;
    count(bytes(entry)).is_ok_and(|count| (count as f64 - f64::from(elements)).abs() <= error_max)
}

/// Which register an element belongs to, and what it makes of it.
fn register_of(element: &[u8]) -> (usize, u8) {
    let hash = murmur::hash(element);
    let index = hash as usize % REGISTER_COUNT;
    // One beyond the last bit, so that there is an end.
    let rest = hash >> INDEX_BITS | 1 << (u64::BITS - INDEX_BITS);
    (index, rest.trailing_zeros() as u8 + 1)
}

fn bytes(entry: &Entry) -> &[u8] {
    entry.as_ref().string().bytes()
}

/// All registers, one byte each.
pub struct Registers(Box<[u8; REGISTER_COUNT]>);

impl Default for Registers {
    fn default() -> Self {
        Self(Box::new([0; REGISTER_COUNT]))
    }
}

impl Registers {
    /// Notes an element.
    pub fn add(&mut self, element: &[u8]) {
        let (index, value) = register_of(element);
        self.0[index] = self.0[index].max(value);
    }

    /// Makes every register at least what it is in a counter.
    ///
    /// # Errors
    /// If the counter is corrupt.
    pub fn merge(&mut self, bytes: &[u8]) -> Result<(), Corrupt> {
        let registers = &bytes[HEADER_LEN..];
        match form(bytes) {
            Some(RegisterForm::Dense) => {
                dense::merge(registers, &mut self.0);
                Ok(())
            }
            _ => sparse::merge(registers, &mut self.0),
        }
    }

    /// How many different elements have been seen, about.
    pub fn count(&self) -> u64 {
        let mut histogram = Histogram::default();
        self.0.iter().for_each(|value| histogram.add(*value, 1));
        estimate::count(&histogram)
    }

    /// Their values.
    pub fn values(&self) -> &[u8] {
        &*self.0
    }
}

#[cfg(test)]
mod tests;
