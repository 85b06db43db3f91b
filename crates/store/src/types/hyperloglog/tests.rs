//! HyperLogLog against the bytes and numbers of a reference server, and against a naive twin.

use proptest::prelude::*;
use sha1_smol::Sha1;

use super::*;

fn added(range: std::ops::Range<u32>) -> Entry {
    let mut entry = empty(b"key", 0);
    for i in range {
        add(&mut entry, format!("element:{i}").as_bytes(), SPARSE_LEN_MAX).unwrap();
        invalidate_cached_count(&mut entry);
    }
    entry
}

fn digest(entry: &Entry) -> String {
    Sha1::from(bytes(entry)).digest().to_string()
}

/// A counter from its runs, whatever they are.
fn sparse(runs: &[u8]) -> Entry {
    let header = b"HYLL\x01\0\0\0\0\0\0\0\0\0\0\x80";
    Entry::string(b"key", &[&header[..], runs].concat(), None, 0)
}

/// How many elements, the length, the digest of the bytes, the count, the digest with the count
/// cached; recorded from Redis 8.0.6 and Valkey 9.1.2.
const RECORDED: [(u32, usize, &str, u64, &str); 10] = [
    (
        1,
        21,
        "d111dd27cb94748a8cf3c3c1bf002fe0e1b6b277",
        1,
        "946a3f384bd41aeac7fc2f5baa171a9779cbb61a",
    ),
    (
        10,
        48,
        "dd7cf3784918baa4c956f1723b1cebdb193228f7",
        10,
        "e3e04df1a81a6ff6519b7fbb700d7061cc170f4c",
    ),
    (
        100,
        285,
        "adb8b211e8f1c583accacde62d6a276b6655b70e",
        99,
        "4d1b3bef5d497d64c4202942021f568e478230c6",
    ),
    (
        500,
        1050,
        "6c8940e3bb8e4085470524fec02bd03b03437d86",
        502,
        "54c23f2d1a0d61f405dfba4b94c77c52b6e7983f",
    ),
    (
        1000,
        1897,
        "0e960765508b760a1d14e0dbf53a47cda116bf34",
        997,
        "600cc26e1c0791fccdb3cde0fabfa0c84550674a",
    ),
    (
        1500,
        2722,
        "b100a66eeab600d2bd3d0bdf8f8340d0c1cb3801",
        1500,
        "e31c9dd1080de9d25485a8f50abe3730da1b9d27",
    ),
    (
        2000,
        12304,
        "5b5af8349628ff2f83fe6cfca50f1c2cc671e307",
        2004,
        "52443fcb41e355a8d4fd9fe24dd9521b2588e69f",
    ),
    (
        3000,
        12304,
        "66aa5c54fd1fce025b32b413efc42d075b3ee285",
        3002,
        "a456ded68989065f6ee0edf2d4ef1d5cce15c63f",
    ),
    (
        20_000,
        12304,
        "760926999ca4cd24462f115f64f03d415e81e69e",
        19_986,
        "0aff780e7abbc86b0d2fda3540cc64226a21b452",
    ),
    (
        300_000,
        12304,
        "bd04f6a84f7c2564352d8562405bdab5a2afe2ca",
        298_112,
        "e1edc319da0e7fc30c0e5abf662407d43590ec01",
    ),
];

#[test]
fn bytes_and_counts_are_those_of_the_reference() {
    for (elements, len, before, expected, after) in RECORDED {
        let mut entry = added(0..elements);
        assert_eq!(bytes(&entry).len(), len, "{elements}");
        assert_eq!(digest(&entry), before, "{elements}");
        let found = count(bytes(&entry)).unwrap();
        assert_eq!(found, expected);
        assert_eq!(cached_count(bytes(&entry)), None);
        set_cached_count(&mut entry, found);
        assert_eq!(cached_count(bytes(&entry)), Some(expected));
        assert_eq!(digest(&entry), after, "{elements}");
    }
}

#[test]
fn merged_bytes_are_those_of_the_reference() {
    let (mut one, other) = (added(0..1000), added(700..1301));
    let mut all = Registers::default();
    all.merge(bytes(&one)).unwrap();
    all.merge(bytes(&other)).unwrap();
    assert_eq!(all.count(), 1295);

    let mut entry = empty(b"key", 0);
    raise_all(&mut entry, &all, false, SPARSE_LEN_MAX).unwrap();
    invalidate_cached_count(&mut entry);
    assert_eq!(bytes(&entry).len(), 2389);
    assert_eq!(digest(&entry), "8f2c26b4ab7c4619fae25d01cdc325cc16ec8b92");
    assert_eq!(count(bytes(&entry)), Ok(1295));

    assert_eq!(make_dense(&mut one), Ok(true));
    assert_eq!(make_dense(&mut one), Ok(false));
    let mut entry = empty(b"key", 0);
    raise_all(&mut entry, &all, true, SPARSE_LEN_MAX).unwrap();
    invalidate_cached_count(&mut entry);
    assert_eq!(digest(&entry), "8664063b1e0ef902cc1eec67fd31f5943b051278");
}

#[test]
fn a_new_counter_is_empty_and_its_count_is_known() {
    let entry = empty(b"key", 0);
    assert_eq!(bytes(&entry), b"HYLL\x01\0\0\0\0\0\0\0\0\0\0\0\x7f\xff");
    assert_eq!(cached_count(bytes(&entry)), Some(0));
    assert_eq!(count(bytes(&entry)), Ok(0));
    assert_eq!(runs(bytes(&entry)).collect::<Vec<_>>(), [(0, REGISTER_COUNT, true)]);
}

#[test]
fn counts_are_near_the_truth() {
    assert!(counts_well());
}

#[test]
fn what_is_no_counter_is_known_by_its_header() {
    let mut dense = empty(b"key", 0);
    make_dense(&mut dense).unwrap();
    let dense = bytes(&dense);
    assert_eq!(form(dense), Some(RegisterForm::Dense));
    assert_eq!(form(&dense[1..]), None);
    assert_eq!(form(&dense[..DENSE_LEN - 1]), None);
    assert_eq!(form(b"HYLL"), None);
    assert_eq!(form(b"HYLL\x02\0\0\0\0\0\0\0\0\0\0\0\x7f\xff"), None);
    assert_eq!(form(b"HYLL\x01\0\0\0\0\0\0\0\0\0\0\0"), Some(RegisterForm::Sparse));
    assert_eq!(form(b"hyll\x01\0\0\0\0\0\0\0\0\0\0\0\x7f\xff"), None);
}

#[test]
fn runs_that_do_not_add_up_are_corrupt() {
    let broken: [&[u8]; 7] = [
        b"",
        b"\x7f\xff\x00",
        b"\x7f\xfe",
        b"\x7f",
        b"\x7f\xff\x80",
        b"\x7f\xff\x7f\xff",
        b"\x7f\xfe\x40",
    ];
    for runs in broken {
        let mut entry = sparse(runs);
        assert_eq!(count(bytes(&entry)), Err(Corrupt), "{runs:?}");
        assert_eq!(Registers::default().merge(bytes(&entry)), Err(Corrupt));
        let before = bytes(&entry).to_vec();
        assert_eq!(make_dense(&mut entry), Err(Corrupt));
        assert_eq!(bytes(&entry), before);
    }
}

#[test]
fn large_values_make_a_counter_dense() {
    let mut entry = empty(b"key", 0);
    assert_eq!(raise(&mut entry, 77, 32, SPARSE_LEN_MAX), Ok(true));
    assert_eq!(form(bytes(&entry)), Some(RegisterForm::Sparse));
    assert_eq!(raise(&mut entry, 77, 33, SPARSE_LEN_MAX), Ok(true));
    assert_eq!(form(bytes(&entry)), Some(RegisterForm::Dense));
    assert_eq!(raise(&mut entry, 77, 33, SPARSE_LEN_MAX), Ok(false));
    let mut registers = Registers::default();
    registers.merge(bytes(&entry)).unwrap();
    assert_eq!(registers.values()[77], 33);
    assert_eq!(registers.values().iter().filter(|value| **value != 0).count(), 1);
}

proptest! {
    #[test]
    fn registers_agree_with_a_vector(
        steps in prop::collection::vec((0usize..400, 1u8..=40), 1..300),
        len_max in prop_oneof![Just(20usize), Just(60), Just(300), Just(SPARSE_LEN_MAX)],
        stride in prop_oneof![Just(1usize), Just(41)],
    ) {
        let mut entry = empty(b"key", 0);
        let mut twin = vec![0; REGISTER_COUNT];
        for (index, value) in steps {
            let index = index * stride % REGISTER_COUNT;
            let is_less = twin[index] < value;
            twin[index] = value.max(twin[index]);
            prop_assert_eq!(raise(&mut entry, index, value, len_max), Ok(is_less));
            let mut registers = Registers::default();
            prop_assert_eq!(registers.merge(bytes(&entry)), Ok(()));
            prop_assert_eq!(registers.values(), &twin[..]);
            if form(bytes(&entry)) == Some(RegisterForm::Sparse) {
                prop_assert!(bytes(&entry).len() <= len_max);
            }
        }
        let mut registers = Registers::default();
        registers.merge(bytes(&entry)).unwrap();
        prop_assert_eq!(count(bytes(&entry)), Ok(registers.count()));
        make_dense(&mut entry).unwrap();
        prop_assert_eq!(count(bytes(&entry)), Ok(registers.count()));
    }

    #[test]
    fn no_bytes_make_it_panic(
        runs in prop::collection::vec(prop_oneof![any::<u8>(), Just(0x7f), Just(0x80), Just(0xff)], 0..30),
        index in 0..REGISTER_COUNT,
        value in 1u8..52,
    ) {
        let mut entry = sparse(&runs);
        let _ = count(bytes(&entry));
        let _ = super::runs(bytes(&entry)).count();
        let _ = raise(&mut entry, index, value, 40);
        if form(bytes(&entry)) == Some(RegisterForm::Sparse) {
            let _ = make_dense(&mut entry);
        }
        let _ = raise(&mut entry, index, value, 40);
    }
}
