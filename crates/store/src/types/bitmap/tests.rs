//! Bitmaps against vectors of booleans.

use proptest::prelude::*;

use super::*;
use crate::layout::entry::{INLINE_LEN_MAX, StringRef};

fn bits(bytes: &[u8]) -> Vec<bool> {
    let of_byte = |byte: &u8| (0..8).map(|i| byte & (0x80 >> i) != 0).collect::<Vec<_>>();
    bytes.iter().flat_map(of_byte).collect()
}

/// Strings with long runs, as bitmaps have.
fn string() -> impl Strategy<Value = Vec<u8>> {
    let run = (prop_oneof![Just(0u8), Just(0xff), any::<u8>()], 0usize..200);
    prop::collection::vec(run, 0..12)
        .prop_map(|runs| runs.iter().flat_map(|(byte, len)| vec![*byte; *len]).collect())
}

fn combined(how: Combination, set: &[bool]) -> bool {
    let count = set.iter().filter(|bit| **bit).count();
    let others = set[1..].iter().any(|bit| *bit);
    match how {
        Combination::And => count == set.len(),
        Combination::AndOr => set[0] && others,
        Combination::Diff => set[0] && !others,
        Combination::Diff1 => !set[0] && others,
        Combination::Not => !set[0],
        Combination::One => count == 1,
        Combination::Or => count != 0,
        Combination::Xor => count % 2 == 1,
    }
}

const COMBINATIONS: [Combination; 8] = [
    Combination::And,
    Combination::AndOr,
    Combination::Diff,
    Combination::Diff1,
    Combination::Not,
    Combination::One,
    Combination::Or,
    Combination::Xor,
];

proptest! {
    #[test]
    fn counting_and_finding_agree_with_single_bits(
        bytes in string(),
        first in any::<prop::sample::Index>(),
        last in any::<prop::sample::Index>(),
    ) {
        prop_assume!(!bytes.is_empty());
        let twin = bits(&bytes);
        let span = Span { first: first.index(twin.len()) as u64, last: last.index(twin.len()) as u64 };
        let inside = twin.iter().enumerate().filter(|(i, _)| (span.first..=span.last).contains(&(*i as u64)));
        prop_assert_eq!(count(&bytes, span), inside.clone().filter(|(_, bit)| **bit).count() as u64);
        for wanted in [false, true] {
            let expected = inside.clone().find(|(_, bit)| **bit == wanted).map(|(i, _)| i as u64);
            prop_assert_eq!(position(&bytes, wanted, span), expected);
        }
    }

    #[test]
    fn combining_agrees_with_single_bits(strings in prop::collection::vec(string(), 1..5)) {
        for how in COMBINATIONS {
            let sources: Vec<&[u8]> = strings.iter().map(Vec::as_slice).collect();
            let sources = if how == Combination::Not { &sources[..1] } else { &sources[..] };
            let len = sources.iter().map(|source| source.len()).max().unwrap_or(0);
            let twins: Vec<Vec<bool>> = sources.iter().map(|source| bits(source)).collect();
            let expected: Vec<bool> = (0..len * 8)
                .map(|i| {
                    let set: Vec<bool> =
                        twins.iter().map(|twin| twin.get(i).copied().unwrap_or(false)).collect();
                    combined(how, &set)
                })
                .collect();
            prop_assert_eq!(bits(&combine(how, sources)), expected, "{:?}", how);
        }
    }

    #[test]
    fn fields_agree_with_single_bits(
        mut bytes in prop::collection::vec(any::<u8>(), 0..24),
        is_signed in any::<bool>(),
        width in 1i64..=64,
        offset in 0u64..200,
        value in any::<i64>(),
    ) {
        let Some(field) = FieldType::new(is_signed, width) else { return Ok(()) };
        let mut twin = bits(&bytes);
        twin.resize(twin.len().max(300), false);
        let range = offset as usize..offset as usize + width as usize;
        let number = |twin: &[bool]| {
            let plain = twin[range.clone()].iter().fold(0i128, |n, bit| n * 2 + i128::from(*bit));
            let is_negative = is_signed && twin[range.start];
            (plain - if is_negative { 1i128 << width } else { 0 }) as i64
        };
        prop_assert_eq!(field.read(&bytes, offset), number(&twin));

        let value = field.fit(i128::from(value), Overflow::Wrap).unwrap();
        bytes.resize(bytes.len().max(byte_len(offset + field.bits())), 0);
        field.write(&mut bytes, offset, value);
        for (place, bit) in range.clone().rev().enumerate() {
            twin[bit] = value >> place.min(63) & 1 == 1;
        }
        twin.truncate(bytes.len() * 8);
        prop_assert_eq!(&bits(&bytes), &twin);
        prop_assert_eq!(field.read(&bytes, offset), value);
    }

    #[test]
    fn setting_bits_agrees_with_a_vector(
        start in 0usize..40,
        steps in prop::collection::vec((0u64..2000, any::<bool>()), 1..60),
    ) {
        let mut entry = Entry::string(b"key", &vec![0; start], Some(7), 5);
        let mut twin = vec![false; start * 8];
        for (offset, value) in steps {
            let len = twin.len().max(byte_len(offset + 1) * 8);
            let has_grown = twin.len() < len;
            twin.resize(len, false);
            let old = std::mem::replace(&mut twin[offset as usize], value);
            let expected = BitSet { old, is_changed: has_grown || old != value };
            prop_assert_eq!(set_bit(&mut entry, offset, value), expected);
            prop_assert_eq!(bit(entry.as_ref(), offset), value);
        }
        prop_assert_eq!(bits(entry.as_ref().string().bytes()), twin);
        prop_assert_eq!(entry.as_ref().deadline(), Some(7));
    }
}

#[test]
fn long_strings_are_counted_by_blocks() {
    let bytes: Vec<u8> =
        (0..5000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 11) as u8).collect();
    let expected = bits(&bytes).iter().filter(|bit| **bit).count() as u64;
    assert_eq!(count(&bytes, Span::whole(bytes.len()).unwrap()), expected);
    assert_eq!(count(&[0xff; 4096], Span::whole(4096).unwrap()), 8 * 4096);
}

#[test]
fn numbers_that_do_not_fit_wrap_or_stop_at_the_end() {
    let (i8, u8) = (FieldType::new(true, 8).unwrap(), FieldType::new(false, 8).unwrap());
    let i64 = FieldType::new(true, 64).unwrap();
    let cases = [
        (i8, 127, Some(127), 127, 127),
        (i8, 128, None, 127, -128),
        (i8, -129, None, -128, 127),
        (u8, -1, None, 0, 255),
        (u8, 256, None, 255, 0),
        (u8, 255, Some(255), 255, 255),
        (u8, u8.given(-1), None, 255, 255),
        (i64, i128::from(i64::MAX) + 1, None, i64::MAX, i64::MIN),
        (i64, i128::from(i64::MIN) * 2, None, i64::MIN, 0),
    ];
    for (field, value, fail, saturate, wrap) in cases {
        assert_eq!(field.fit(value, Overflow::Fail), fail, "{value}");
        assert_eq!(field.fit(value, Overflow::Saturate), Some(saturate), "{value}");
        assert_eq!(field.fit(value, Overflow::Wrap), Some(wrap), "{value}");
    }
    for (is_signed, bits, is_right) in [
        (true, 0, false),
        (true, 64, true),
        (true, 65, false),
        (false, 63, true),
        (false, 64, false),
    ] {
        assert_eq!(FieldType::new(is_signed, bits).is_some(), is_right);
    }
}

#[test]
fn a_long_bitmap_is_copied_only_while_somebody_reads_it() {
    let mut entry = zeros(b"key", INLINE_LEN_MAX * 4, 0);
    let address = |entry: &Entry| entry.as_ref().string().bytes().as_ptr().addr();
    let before = address(&entry);
    set_bit(&mut entry, 5000, true);
    assert_eq!(address(&entry), before);

    let StringRef::Shared(value) = entry.as_ref().string() else { panic!("it is long") };
    let reader = Arc::clone(value);
    assert!(!set_bit(&mut entry, 5000, true).is_changed);
    assert_eq!(address(&entry), before, "nothing to change, nothing to copy");
    assert!(set_bit(&mut entry, 5001, true).is_changed);
    assert_ne!(address(&entry), before);
    assert_eq!(reader[5000 / 8].count_ones(), 1);
}
