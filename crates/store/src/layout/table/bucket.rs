//! One bucket: 64 bytes, seven slots, and what is needed to skip most of them unread.
//!
//! ```text
//! control byte 0..7   per slot: 0 when empty, else 0x80 | 7 hash bits (the fingerprint)
//! control byte 7      reach: how far the items that are at home here lie from home, at most
//! slots 7 x 8 bytes   bits 0..48 pointer, 48..52 displacement, 52..64 12 more hash bits (the tag)
//! ```

use super::SLOT_COUNT;

/// Of the hash, bits 35 to 42 are the fingerprint and bits 42 to 54 the tag. The bits above choose
/// the bucket; see `migrate` for why they border on it.
pub(super) const FINGERPRINT_SHIFT: u32 = 35;
pub(super) const FINGERPRINT_BITS: u32 = 7;
const TAG_SHIFT: u32 = FINGERPRINT_SHIFT + FINGERPRINT_BITS;
pub(super) const TAG_BITS: u32 = 12;

/// Greatest displacement that a slot can note.
pub(super) const DISPLACEMENT_MAX: usize = 15;

const POINTER_BITS: u32 = 48;
const POINTER_MASK: u64 = (1 << POINTER_BITS) - 1;
const DISPLACEMENT_MASK: u64 = (DISPLACEMENT_MAX as u64) << POINTER_BITS;
const DISPLACEMENT_ONE: u64 = 1 << POINTER_BITS;
const REACH_SHIFT: u32 = 8 * SLOT_COUNT as u32;
/// The high bit of each fingerprint's byte.
const OCCUPIED: u64 = 0x0080_8080_8080_8080;

/// What an item is known by in a bucket: where it is, and 19 bits of its hash.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tagged {
    /// The control byte.
    pub(super) fingerprint: u8,
    /// The slot's word.
    pub(super) word: u64,
}

impl Tagged {
    /// An item at home. Its address fits into 48 bits.
    #[inline]
    pub(super) fn new(address: u64, hash: u64) -> Self {
        let tag = (hash >> TAG_SHIFT) & ((1 << TAG_BITS) - 1);
        let word = address | tag << (64 - TAG_BITS);
        Self { fingerprint: fingerprint(hash), word }
    }

    #[inline]
    pub(super) fn with_displacement(self, displacement: usize) -> Self {
        let bits = (displacement as u64) << POINTER_BITS;
        Self { word: self.word & !DISPLACEMENT_MASK | bits, ..self }
    }

    #[inline]
    pub(super) fn displacement(self) -> usize {
        displacement(self.word)
    }

    #[inline]
    pub(super) fn address(self) -> u64 {
        self.word & POINTER_MASK
    }

    /// Bits 35 to 54 of the item's hash, all that is known of it here.
    #[inline]
    pub(super) fn hash_bits(self) -> u64 {
        let fingerprint = u64::from(self.fingerprint & 0x7f);
        fingerprint | self.word >> (64 - TAG_BITS) << FINGERPRINT_BITS
    }
}

/// What a lookup compares, prepared once per hash.
#[derive(Clone, Copy, Debug)]
pub(super) struct Probe {
    /// The control byte to look for.
    pub(super) fingerprint: u8,
    /// The 16 bits above the pointer of an item at home.
    high: u64,
}

impl Probe {
    #[inline]
    pub(super) fn new(hash: u64) -> Self {
        let item = Tagged::new(0, hash);
        Self { fingerprint: item.fingerprint, high: item.word >> POINTER_BITS }
    }

    /// The address in a slot's word, if its item may have the hash and be at home `displacement`
    /// buckets before.
    #[inline]
    pub(super) fn address(self, word: u64, displacement: usize) -> Option<u64> {
        let is_same = word >> POINTER_BITS == self.high + displacement as u64;
        is_same.then_some(word & POINTER_MASK)
    }
}

/// The control byte of an item with this hash.
#[inline]
pub(super) fn fingerprint(hash: u64) -> u8 {
    0x80 | (hash >> FINGERPRINT_SHIFT) as u8
}

#[inline]
fn displacement(word: u64) -> usize {
    ((word & DISPLACEMENT_MASK) >> POINTER_BITS) as usize
}

/// One cache line of the table.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub(super) struct Bucket {
    control: u64,
    slots: [u64; SLOT_COUNT],
}

const _: () = assert!(size_of::<Bucket>() == super::BUCKET_SIZE);

impl Bucket {
    pub(super) const EMPTY: Self = Self { control: 0, slots: [0; SLOT_COUNT] };

    /// Puts an item into an empty slot.
    #[inline]
    pub(super) fn put(&mut self, slot: usize, item: Tagged) {
        debug_assert!(!self.is_occupied(slot));
        self.control |= u64::from(item.fingerprint) << (8 * slot);
        self.slots[slot] = item.word;
    }

    /// Empties an occupied slot.
    #[inline]
    pub(super) fn take(&mut self, slot: usize) -> Tagged {
        let item = self.at(slot);
        self.control &= !(0xff << (8 * slot));
        self.slots[slot] = 0;
        item
    }

    /// Puts another item in the place of one.
    #[inline]
    pub(super) fn swap(&mut self, slot: usize, item: Tagged) -> Tagged {
        let old = self.take(slot);
        self.put(slot, item);
        old
    }

    /// Changes where the item of a slot is.
    #[inline]
    pub(super) fn set_address(&mut self, slot: usize, address: u64) {
        self.slots[slot] = self.slots[slot] & !POINTER_MASK | address;
    }

    #[inline]
    pub(super) fn set_reach(&mut self, reach: usize) {
        self.control = self.control & !(0xff << REACH_SHIFT) | (reach as u64) << REACH_SHIFT;
    }

    /// How far the items that are at home here lie from home, at most.
    #[inline]
    pub(super) fn reach(&self) -> usize {
        (self.control >> REACH_SHIFT) as usize
    }

    #[inline]
    pub(super) fn at(&self, slot: usize) -> Tagged {
        debug_assert!(self.is_occupied(slot));
        Tagged { fingerprint: (self.control >> (8 * slot)) as u8, word: self.slots[slot] }
    }

    #[inline]
    pub(super) fn word(&self, slot: usize) -> u64 {
        self.slots[slot]
    }

    #[inline]
    pub(super) fn is_occupied(&self, slot: usize) -> bool {
        self.control & 0x80 << (8 * slot) != 0
    }

    /// Number of items.
    #[inline]
    pub(super) fn len(&self) -> usize {
        (self.control & OCCUPIED).count_ones() as usize
    }

    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.control & OCCUPIED == OCCUPIED
    }

    /// An empty slot.
    #[inline]
    pub(super) fn vacancy(&self) -> Option<usize> {
        let empty = !self.control & OCCUPIED;
        (empty != 0).then(|| empty.trailing_zeros() as usize / 8)
    }

    /// The slots in use.
    #[inline]
    pub(super) fn occupied(&self) -> Slots<8> {
        Slots(self.control & OCCUPIED)
    }

    /// The slots whose items came from exactly `distance` buckets before.
    #[inline]
    pub(super) fn displaced_by(&self, distance: usize) -> impl Iterator<Item = usize> + use<'_> {
        self.occupied().filter(move |slot| displacement(self.slots[*slot]) == distance)
    }

    /// The slots whose fingerprint is `fingerprint`.
    #[inline]
    pub(super) fn matches(&self, fingerprint: u8) -> Matches {
        matches(self.control, fingerprint)
    }

    /// The slot of a full bucket whose item is least displaced, and by how much.
    #[inline]
    pub(super) fn least_displaced(&self) -> (usize, usize) {
        let keyed = |slot: usize| (displacement(self.slots[slot]), slot);
        let (distance, slot) = (1..SLOT_COUNT).map(keyed).fold(keyed(0), Ord::min);
        (slot, distance)
    }

    /// The slot whose item is most displaced, if any is not at home.
    #[inline]
    pub(super) fn most_displaced(&self) -> Option<usize> {
        let keyed = |slot: usize| (displacement(self.slots[slot]), slot);
        // An empty slot's word is zero, so it counts as not displaced.
        let (distance, slot) = (1..SLOT_COUNT).map(keyed).fold(keyed(0), Ord::max);
        (distance != 0).then_some(slot)
    }

    /// Lets an item move one bucket nearer to its home.
    #[inline]
    pub(super) fn nearer(item: Tagged) -> Tagged {
        debug_assert!(item.displacement() != 0);
        Tagged { word: item.word - DISPLACEMENT_ONE, ..item }
    }
}

/// Slots as a set of bits, `STRIDE` bits apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slots<const STRIDE: u32>(u64);

impl<const STRIDE: u32> Iterator for Slots<STRIDE> {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        if self.0 == 0 {
            return None;
        }
        let slot = self.0.trailing_zeros() / STRIDE;
        self.0 &= self.0 - 1;
        Some(slot as usize)
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) type Matches = Slots<1>;
#[cfg(not(target_arch = "x86_64"))]
pub(super) type Matches = Slots<8>;

#[cfg(target_arch = "x86_64")]
#[inline]
fn matches(control: u64, fingerprint: u8) -> Matches {
    // SAFETY: every x86_64 has SSE2.
    unsafe { matches_sse2(control, fingerprint) }
}

#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "sse2")]
fn matches_sse2(control: u64, fingerprint: u8) -> Matches {
    use std::arch::x86_64::{_mm_cmpeq_epi8, _mm_cvtsi64_si128, _mm_movemask_epi8, _mm_set1_epi8};
    let control = _mm_cvtsi64_si128(control as i64);
    let equal = _mm_cmpeq_epi8(control, _mm_set1_epi8(fingerprint as i8));
    Slots(_mm_movemask_epi8(equal) as u64 & ((1 << SLOT_COUNT) - 1))
}

#[cfg(not(target_arch = "x86_64"))]
#[inline]
fn matches(control: u64, fingerprint: u8) -> Matches {
    matches_portable(control, fingerprint)
}

/// The twin of the vector version: finds the bytes that are equal without carrying between them.
#[cfg(any(test, not(target_arch = "x86_64")))]
#[inline]
fn matches_portable(control: u64, fingerprint: u8) -> Slots<8> {
    const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    let differing = control ^ (u64::from(fingerprint) * 0x0101_0101_0101_0101);
    let is_nonzero = ((differing & LOW) + LOW) | differing;
    Slots(!is_nonzero & OCCUPIED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_portable_twin_agrees() {
        let mut rng = base::rand::Rng::new(1);
        for _ in 0..10_000 {
            // Few different bytes, so that there are matches.
            let control = rng.next_u64() & 0x8381_8381_8381_8381 | rng.next_u64() & OCCUPIED;
            for fingerprint in 0x80..=0x83 {
                let slots: Vec<usize> = matches(control, fingerprint).collect();
                let twin: Vec<usize> = matches_portable(control, fingerprint).collect();
                let naive: Vec<usize> = (0..SLOT_COUNT)
                    .filter(|slot| control.to_le_bytes()[*slot] == fingerprint)
                    .collect();
                assert_eq!(slots, naive);
                assert_eq!(twin, naive);
            }
        }
    }

    #[test]
    fn an_item_keeps_what_is_known_of_it() {
        let mut rng = base::rand::Rng::new(2);
        for _ in 0..1_000 {
            let (hash, address) = (rng.next_u64(), rng.next_u64() & POINTER_MASK & !7);
            let distance = rng.index(DISPLACEMENT_MAX + 1);
            let item = Tagged::new(address, hash).with_displacement(distance);
            assert_eq!(item.address(), address);
            assert_eq!(item.displacement(), distance);
            assert_eq!(item.hash_bits(), (hash >> FINGERPRINT_SHIFT) & ((1 << 19) - 1));
            let probe = Probe::new(hash);
            assert_eq!(probe.fingerprint, item.fingerprint);
            assert_eq!(probe.address(item.word, distance), Some(address));
            assert_eq!(probe.address(item.word, distance ^ 1), None);
            assert_eq!(Probe::new(hash ^ 1 << 50).address(item.word, distance), None);
        }
    }

    #[test]
    fn slots_fill_and_empty() {
        let mut bucket = Bucket::EMPTY;
        for slot in 0..SLOT_COUNT {
            assert_eq!(bucket.vacancy(), Some(slot));
            assert!(!bucket.is_full());
            bucket.put(slot, Tagged::new(8, 0).with_displacement(slot));
        }
        bucket.set_reach(9);
        assert_eq!((bucket.reach(), bucket.is_full(), bucket.vacancy()), (9, true, None));
        assert_eq!(bucket.least_displaced(), (0, 0));
        assert_eq!(bucket.most_displaced(), Some(6));
        assert_eq!(bucket.take(3).displacement(), 3);
        assert_eq!((bucket.vacancy(), bucket.reach()), (Some(3), 9));
        assert_eq!(bucket.displaced_by(3).count(), 0);
        assert_eq!(bucket.displaced_by(4).collect::<Vec<_>>(), [4]);
        assert_eq!(bucket.occupied().collect::<Vec<_>>(), [0, 1, 2, 4, 5, 6]);
    }
}
