//! The sizes that the allocator really hands out.
//!
//! jemalloc, built with a quantum of 8 bytes, serves a request from the next class: multiples of 8
//! up to 64, then four classes per doubling (80, 96, 112, 128, 160, …). An entry asks for the whole
//! class. That costs nothing, says how much memory it takes, and lets a value change its length
//! inside the class without a new allocation: an append that grows a string byte by byte allocates
//! only four times per doubling.

/// From here on a request is only rounded to 8 bytes: a class would be pages that nobody touches.
const ROUNDED_MAX: usize = 32 << 10;

/// The size that is allocated for `len` bytes: at least `len`, a multiple of 8, never zero.
#[inline]
pub const fn size_class(len: usize) -> usize {
    if len <= 64 || ROUNDED_MAX < len {
        let rounded = (len + 7) & !7;
        return if rounded == 0 { 8 } else { rounded };
    }
    let shift = (len - 1).ilog2() - 2;
    (len + (1 << shift) - 1) >> shift << shift
}

/// The largest class of a tree's pages.
pub const PAGE_CLASS_MAX: usize = 2048;

/// The size that a tree's page of at most [`PAGE_CLASS_MAX`] bytes asks for.
///
/// The pages of a tree that grows pass through the classes together. The allocator keeps the blocks
/// of each class in slabs of their own, so the few pages that lag behind would hold the slabs of all
/// the classes that the others have left: a sorted set of a million held 44 % more memory than was
/// allocated. So there are few classes between a half-full page and a full one.
#[inline]
pub const fn page_class(len: usize) -> usize {
    debug_assert!(len <= PAGE_CLASS_MAX);
    match len {
        0..=768 => size_class(len),
        769..=1536 => 1536,
        _ => PAGE_CLASS_MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_those_of_the_allocator() {
        let classes = [
            (0, 8),
            (1, 8),
            (8, 8),
            (9, 16),
            (57, 64),
            (64, 64),
            (65, 80),
            (88, 96),
            (97, 112),
            (113, 128),
            (129, 160),
            (257, 320),
            (348, 384),
            (512, 512),
            (513, 640),
            (16384, 16384),
            (16385, 20480),
            (40_001, 40_008),
        ];
        for (len, class) in classes {
            assert_eq!(size_class(len), class, "{len}");
        }
    }

    #[test]
    fn a_class_is_its_own_class() {
        for len in 0..70_000 {
            let class = size_class(len);
            assert!(len <= class);
            assert!(class <= len.max(32) + len.max(32) / 4);
            assert_eq!(size_class(class), class);
        }
    }
}
