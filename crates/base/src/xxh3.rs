//! XXH3, the 64-bit hash by Yann Collet that clients compare values by (DIGEST, IFDEQ).
//!
//! Without a seed and with the secret that everybody uses, so that a client computes the same number
//! from the same bytes. Short inputs are mixed by a formula for their length. From 241 bytes on
//! eight numbers are kept, one for each eighth of a stripe of 64 bytes, which the compiler turns
//! into vectors; after every 16 stripes they are scrambled, and at the end folded into one.
//!
//! It is a fast hash and no safe one: whoever wants two values with one digest can make them.

const SECRET: [u8; 192] = [
    0xb8, 0xfe, 0x6c, 0x39, 0x23, 0xa4, 0x4b, 0xbe, 0x7c, 0x01, 0x81, 0x2c, 0xf7, 0x21, 0xad, 0x1c,
    0xde, 0xd4, 0x6d, 0xe9, 0x83, 0x90, 0x97, 0xdb, 0x72, 0x40, 0xa4, 0xa4, 0xb7, 0xb3, 0x67, 0x1f,
    0xcb, 0x79, 0xe6, 0x4e, 0xcc, 0xc0, 0xe5, 0x78, 0x82, 0x5a, 0xd0, 0x7d, 0xcc, 0xff, 0x72, 0x21,
    0xb8, 0x08, 0x46, 0x74, 0xf7, 0x43, 0x24, 0x8e, 0xe0, 0x35, 0x90, 0xe6, 0x81, 0x3a, 0x26, 0x4c,
    0x3c, 0x28, 0x52, 0xbb, 0x91, 0xc3, 0x00, 0xcb, 0x88, 0xd0, 0x65, 0x8b, 0x1b, 0x53, 0x2e, 0xa3,
    0x71, 0x64, 0x48, 0x97, 0xa2, 0x0d, 0xf9, 0x4e, 0x38, 0x19, 0xef, 0x46, 0xa9, 0xde, 0xac, 0xd8,
    0xa8, 0xfa, 0x76, 0x3f, 0xe3, 0x9c, 0x34, 0x3f, 0xf9, 0xdc, 0xbb, 0xc7, 0xc7, 0x0b, 0x4f, 0x1d,
    0x8a, 0x51, 0xe0, 0x4b, 0xcd, 0xb4, 0x59, 0x31, 0xc8, 0x9f, 0x7e, 0xc9, 0xd9, 0x78, 0x73, 0x64,
    0xea, 0xc5, 0xac, 0x83, 0x34, 0xd3, 0xeb, 0xc3, 0xc5, 0x81, 0xa0, 0xff, 0xfa, 0x13, 0x63, 0xeb,
    0x17, 0x0d, 0xdd, 0x51, 0xb7, 0xf0, 0xda, 0x49, 0xd3, 0x16, 0x55, 0x26, 0x29, 0xd4, 0x68, 0x9e,
    0x2b, 0x16, 0xbe, 0x58, 0x7d, 0x47, 0xa1, 0xfc, 0x8f, 0xf8, 0xb8, 0xd1, 0x7a, 0xd0, 0x31, 0xce,
    0x45, 0xcb, 0x3a, 0x8f, 0x95, 0x16, 0x04, 0x28, 0xaf, 0xd7, 0xfb, 0xca, 0xbb, 0x4b, 0x40, 0x7e,
];

const PRIME32_1: u64 = 0x9e37_79b1;
const PRIME32_2: u64 = 0x85eb_ca77;
const PRIME32_3: u64 = 0xc2b2_ae3d;
const PRIME64_1: u64 = 0x9e37_79b1_85eb_ca87;
const PRIME64_2: u64 = 0xc2b2_ae3d_27d4_eb4f;
const PRIME64_3: u64 = 0x1656_67b1_9e37_79f9;
const PRIME64_4: u64 = 0x85eb_ca77_c2b2_ae63;
const PRIME64_5: u64 = 0x27d4_eb2f_1656_67c5;
const MIX_1: u64 = 0x1656_6791_9e37_79f9;
const MIX_2: u64 = 0x9fb2_1c65_1e98_df25;

const STRIPE_LEN: usize = 64;
/// The secret moves on by eight bytes a stripe, until its last stripe is used.
const BLOCK_STRIPES: usize = (SECRET.len() - STRIPE_LEN) / 8;
const BLOCK_LEN: usize = BLOCK_STRIPES * STRIPE_LEN;

type Lanes = [u64; 8];

/// The hash of some bytes.
pub fn xxh3(bytes: &[u8]) -> u64 {
    match bytes.len() {
        0 => avalanche_64(secret(56) ^ secret(64)),
        1..=3 => hash_to_3(bytes),
        4..=8 => hash_to_8(bytes),
        9..=16 => hash_to_16(bytes),
        17..=128 => hash_to_128(bytes),
        129..=240 => hash_to_240(bytes),
        _ => hash_long(bytes),
    }
}

fn hash_to_3(bytes: &[u8]) -> u64 {
    let len = bytes.len();
    let [first, middle, last] = [bytes[0], bytes[len / 2], bytes[len - 1]].map(u32::from);
    let combined = first << 16 | middle << 24 | last | (len as u32) << 8;
    let key = word_32(&SECRET, 0) ^ word_32(&SECRET, 4);
    avalanche_64(u64::from(combined ^ key))
}

fn hash_to_8(bytes: &[u8]) -> u64 {
    let len = bytes.len();
    let (first, last) = (word_32(bytes, 0), word_32(bytes, len - 4));
    let input = u64::from(last) | u64::from(first) << 32;
    let mut hash = input ^ secret(8) ^ secret(16);
    hash ^= hash.rotate_left(49) ^ hash.rotate_left(24);
    hash = hash.wrapping_mul(MIX_2);
    hash ^= (hash >> 35) + len as u64;
    hash = hash.wrapping_mul(MIX_2);
    hash ^ hash >> 28
}

fn hash_to_16(bytes: &[u8]) -> u64 {
    let len = bytes.len();
    let low = word(bytes, 0) ^ secret(24) ^ secret(32);
    let high = word(bytes, len - 8) ^ secret(40) ^ secret(48);
    let sum = (len as u64).wrapping_add(low.swap_bytes()).wrapping_add(high);
    avalanche(sum.wrapping_add(fold(low, high)))
}

fn hash_to_128(bytes: &[u8]) -> u64 {
    let len = bytes.len();
    let mut sum = (len as u64).wrapping_mul(PRIME64_1);
    // From both ends inwards.
    for pair in 0..(len - 1) / 32 + 1 {
        let from_start = mix(bytes, pair * 16, pair * 32);
        let from_end = mix(bytes, len - (pair + 1) * 16, pair * 32 + 16);
        sum = sum.wrapping_add(from_start).wrapping_add(from_end);
    }
    avalanche(sum)
}

fn hash_to_240(bytes: &[u8]) -> u64 {
    let len = bytes.len();
    let mut sum = (len as u64).wrapping_mul(PRIME64_1);
    for round in 0..8 {
        sum = sum.wrapping_add(mix(bytes, round * 16, round * 16));
    }
    sum = avalanche(sum);
    for round in 8..len / 16 {
        sum = sum.wrapping_add(mix(bytes, round * 16, (round - 8) * 16 + 3));
    }
    avalanche(sum.wrapping_add(mix(bytes, len - 16, 136 - 17)))
}

fn hash_long(bytes: &[u8]) -> u64 {
    let mut lanes =
        [PRIME32_3, PRIME64_1, PRIME64_2, PRIME64_3, PRIME64_4, PRIME32_2, PRIME64_5, PRIME32_1];
    // The last byte belongs to the last stripe, which is added apart.
    let (head, last) = (&bytes[..bytes.len() - 1], &bytes[bytes.len() - STRIPE_LEN..]);
    let blocks = head.chunks(BLOCK_LEN);
    for block in blocks {
        let (stripes, _) = block.as_chunks::<STRIPE_LEN>();
        for (index, stripe) in stripes.iter().enumerate() {
            add_stripe(&mut lanes, stripe, index * 8);
        }
        if block.len() == BLOCK_LEN {
            scramble(&mut lanes);
        }
    }
    if let Some(stripe) = last.first_chunk() {
        add_stripe(&mut lanes, stripe, SECRET.len() - STRIPE_LEN - 7);
    }
    let (pairs, _) = lanes.as_chunks::<2>();
    let sum = (bytes.len() as u64).wrapping_mul(PRIME64_1);
    let sum = pairs.iter().enumerate().fold(sum, |sum, (index, [low, high])| {
        let at = 11 + index * 16;
        sum.wrapping_add(fold(low ^ secret(at), high ^ secret(at + 8)))
    });
    avalanche(sum)
}

#[inline]
fn add_stripe(lanes: &mut Lanes, stripe: &[u8; STRIPE_LEN], at: usize) {
    let data: Lanes = std::array::from_fn(|lane| word(stripe, lane * 8));
    let keyed: Lanes = std::array::from_fn(|lane| data[lane] ^ secret(at + lane * 8));
    for lane in 0..lanes.len() {
        let product = (keyed[lane] & 0xffff_ffff).wrapping_mul(keyed[lane] >> 32);
        lanes[lane] = lanes[lane].wrapping_add(data[lane ^ 1]).wrapping_add(product);
    }
}

fn scramble(lanes: &mut Lanes) {
    for (index, lane) in lanes.iter_mut().enumerate() {
        let key = secret(SECRET.len() - STRIPE_LEN + index * 8);
        *lane = (*lane ^ *lane >> 47 ^ key).wrapping_mul(PRIME32_1);
    }
}

/// Sixteen bytes from `at` on, with as many of the secret.
fn mix(bytes: &[u8], at: usize, secret_at: usize) -> u64 {
    fold(word(bytes, at) ^ secret(secret_at), word(bytes, at + 8) ^ secret(secret_at + 8))
}

/// Both halves of the product.
fn fold(one: u64, other: u64) -> u64 {
    let product = u128::from(one) * u128::from(other);
    product as u64 ^ (product >> 64) as u64
}

fn avalanche(mut hash: u64) -> u64 {
    hash ^= hash >> 37;
    hash = hash.wrapping_mul(MIX_1);
    hash ^ hash >> 32
}

fn avalanche_64(mut hash: u64) -> u64 {
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(PRIME64_2);
    hash ^= hash >> 29;
    hash = hash.wrapping_mul(PRIME64_3);
    hash ^ hash >> 32
}

#[inline]
fn secret(at: usize) -> u64 {
    word(&SECRET, at)
}

#[inline]
fn word(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}

fn word_32(bytes: &[u8], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(word)
}

#[cfg(test)]
mod tests {
    use super::xxh3;

    /// Length and hash of the bytes below; computed by another implementation.
    const KNOWN: [(usize, u64); 22] = [
        (0, 0x2d06_8005_38d3_94c2),
        (1, 0xc44b_dff4_074e_ecdb),
        (3, 0x67a4_cd1b_2f6a_dd25),
        (4, 0x08ed_46ae_baa2_4fce),
        (8, 0x579d_b41c_3751_f2f5),
        (9, 0x8f9e_2146_888d_e351),
        (16, 0x0a32_f11e_209e_e3b1),
        (17, 0xa461_9c46_9146_1bd5),
        (32, 0xd87e_87b2_d963_2b88),
        (33, 0x1781_ef77_843e_92a2),
        (64, 0x51f9_8012_f9dc_88f8),
        (65, 0x8fe2_022d_e9fa_4494),
        (96, 0x62b2_c743_3209_c2d1),
        (97, 0x97bd_1262_65b2_7e24),
        (128, 0x005f_4768_9a31_97b3),
        (129, 0xd169_5f67_324c_8bec),
        (240, 0xcb6f_355d_19d0_ff16),
        (241, 0xe1b1_3e28_3f95_5891),
        (1024, 0x7809_d9a5_6ad9_3ddf),
        (1025, 0x2b6d_b209_1719_8ae5),
        (2049, 0x645d_39e2_1927_392d),
        (65536, 0x3c5d_618d_f6bb_2dc1),
    ];

    #[test]
    fn hashes_are_those_of_others() {
        let byte = |i: u32| (i.wrapping_mul(2_654_435_761) >> 11) as u8;
        let bytes: Vec<u8> = (0..70_000).map(byte).collect();
        for (len, expected) in KNOWN {
            assert_eq!(xxh3(&bytes[..len]), expected, "{len}");
        }
        assert_eq!(xxh3(b"hello"), 0x9555_e855_5c62_dcfd);
        assert_eq!(xxh3(b"Hello world"), 0xb6ac_b9d8_4a38_ff74);
    }
}
