//! Checksums: CRC-16 for cluster slots and CRC-64 for files.
//!
//! Both use tables made at compile time. CRC-16 runs over one short key at a time, so one table of
//! 512 bytes that stays in the cache is best. CRC-64 runs over whole files: sixteen tables let it
//! take sixteen bytes per step whose lookups do not wait for each other ("slicing"). The carry-less
//! multiplication of newer processors is several times faster still, but needs `unsafe` for a
//! checksum that is a small part of writing a file.

/// CRC-16/XMODEM of `bytes`: polynomial 0x1021, start 0, nothing reflected.
pub fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| crc << 8 ^ CRC16_TABLE[usize::from((crc >> 8) as u8 ^ byte)])
}

/// Continues a CRC-64/Jones with `bytes`: polynomial 0xad93d23594c935a9, reflected, start 0.
///
/// `crc64(crc64(0, a), b)` is the checksum of a followed by b.
pub fn crc64(crc: u64, bytes: &[u8]) -> u64 {
    let mut crc = crc;
    let (chunks, rest) = bytes.as_chunks::<16>();
    for chunk in chunks {
        let (low, high) = chunk.split_at(8);
        let low = crc ^ u64::from_le_bytes(low.try_into().expect("half of sixteen is eight"));
        let high = u64::from_le_bytes(high.try_into().expect("half of sixteen is eight"));
        let mut mixed = 0;
        for index in 0..8 {
            mixed ^= CRC64_TABLES[15 - index][usize::from((low >> (8 * index)) as u8)];
            mixed ^= CRC64_TABLES[7 - index][usize::from((high >> (8 * index)) as u8)];
        }
        crc = mixed;
    }
    for byte in rest {
        crc = crc >> 8 ^ CRC64_TABLES[0][usize::from(crc as u8 ^ byte)];
    }
    crc
}

const CRC16_POLYNOMIAL: u16 = 0x1021;
/// The Jones polynomial with its bits reversed, as a reflected CRC needs it.
const CRC64_POLYNOMIAL: u64 = 0xad93d23594c935a9u64.reverse_bits();

static CRC16_TABLE: [u16; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = (byte as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = crc << 1 ^ if crc & 0x8000 != 0 { CRC16_POLYNOMIAL } else { 0 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

/// Table n advances a byte past n more zero bytes.
static CRC64_TABLES: [[u64; 256]; 16] = {
    let mut tables = [[0; 256]; 16];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u64;
        let mut bit = 0;
        while bit < 8 {
            crc = crc >> 1 ^ if crc & 1 != 0 { CRC64_POLYNOMIAL } else { 0 };
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut index = 1;
    while index < 16 {
        let mut byte = 0;
        while byte < 256 {
            let before = tables[index - 1][byte];
            tables[index][byte] = before >> 8 ^ tables[0][(before & 0xff) as usize];
            byte += 1;
        }
        index += 1;
    }
    tables
};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn check_values_are_right() {
        assert_eq!(crc16(b""), 0);
        assert_eq!(crc16(b"123456789"), 0x31c3);
        assert_eq!(crc64(0, b""), 0);
        assert_eq!(crc64(0, b"123456789"), 0xe9c6d914c4b8d9ca);
    }

    /// Bit by bit, as the definition has it.
    fn crc64_slow(bytes: &[u8]) -> u64 {
        let mut crc = 0u64;
        for byte in bytes {
            crc ^= u64::from(*byte);
            for _ in 0..8 {
                crc = crc >> 1 ^ if crc & 1 == 1 { CRC64_POLYNOMIAL } else { 0 };
            }
        }
        crc
    }

    proptest! {
        #[test]
        fn slices_agree_with_bits(bytes: Vec<u8>, cut: prop::sample::Index) {
            let (left, right) = bytes.split_at(cut.index(bytes.len() + 1));
            prop_assert_eq!(crc64(0, &bytes), crc64_slow(&bytes));
            prop_assert_eq!(crc64(crc64(0, left), right), crc64(0, &bytes));
        }
    }
}
