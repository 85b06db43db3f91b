//! Which keys were evicted lately: a key that comes back soon is in use, however it looks.
//!
//! A cache that is too small for its keys evicts many before their second use. Those that are asked
//! for again and again look new each time they come back, and would be evicted as such again. So a
//! few bits of an evicted key's hash are kept for a while, in a table with a place for each two or
//! three keys that are there, where later ones overwrite earlier ones. One new key in 30,000 is
//! mistaken for one of them, which does no harm.

/// Places for keys that were evicted: two bytes each.
pub(crate) struct Evicted {
    /// Zero where there is none.
    tags: Box<[u16]>,
}

/// Fewest places.
const PLACES_MIN: usize = 8;

impl Evicted {
    /// For a database with this many keys.
    pub(crate) fn new(keys: usize) -> Self {
        Self { tags: vec![0; places(keys)].into_boxed_slice() }
    }

    /// Whether it is far too small or large for a database with this many keys.
    pub(crate) fn is_misfit(&self, keys: usize) -> bool {
        let (own, wanted) = (self.tags.len(), places(keys));
        2 * own < wanted || 4 * wanted < own
    }

    /// Notes that the key with this hash was evicted.
    pub(crate) fn note(&mut self, hash: u64) {
        self.tags[self.place(hash)] = tag(hash);
    }

    /// Whether the key with this hash was evicted lately, which is forgotten by asking.
    #[inline]
    pub(crate) fn take(&mut self, hash: u64) -> bool {
        let place = self.place(hash);
        let is_it = self.tags[place] == tag(hash);
        if is_it {
            self.tags[place] = 0;
        }
        is_it
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        size_of_val(&*self.tags)
    }

    #[inline]
    fn place(&self, hash: u64) -> usize {
        // The low 16 bits choose the shard.
        (hash >> 16) as usize & (self.tags.len() - 1)
    }
}

/// From a third of the keys to two thirds.
fn places(keys: usize) -> usize {
    (keys / 3).next_power_of_two().max(PLACES_MIN)
}

#[inline]
fn tag(hash: u64) -> u16 {
    (hash >> 48) as u16 | 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(number: u64) -> u64 {
        base::rand::Rng::new(number).next_u64()
    }

    #[test]
    fn a_key_comes_back_once() {
        let mut evicted = Evicted::new(1000);
        evicted.note(hash(1));
        assert!(!evicted.take(hash(2)));
        assert!(evicted.take(hash(1)));
        assert!(!evicted.take(hash(1)));
    }

    #[test]
    fn it_remembers_the_latest() {
        let mut evicted = Evicted::new(3000);
        (0..100_000).for_each(|number| evicted.note(hash(number)));
        let known = (99_500..100_000).filter(|number| evicted.take(hash(*number))).count();
        assert!((350..=480).contains(&known), "{known} of the last 500");
        assert!((100_000..130_000).filter(|number| evicted.take(hash(*number))).count() < 10);
    }

    #[test]
    fn it_fits_a_range_of_sizes() {
        let evicted = Evicted::new(3000);
        assert!([1000, 3000, 6000].iter().all(|keys| !evicted.is_misfit(*keys)));
        assert!([100, 30_000].iter().all(|keys| evicted.is_misfit(*keys)));
    }
}
