//! Entries at all boundaries of their layout.

use proptest::prelude::*;

use super::*;

const KEY_LENS: [usize; 7] = [0, 1, 16, 254, 255, 256, 70_000];
const VALUE_LENS: [usize; 9] =
    [0, 1, 8, 64, 300, 16_383, INLINE_LEN_MAX, INLINE_LEN_MAX + 1, 600 << 10];

fn bytes(len: usize, seed: u8) -> Vec<u8> {
    (0..len).map(|index| (index as u8).wrapping_mul(31).wrapping_add(seed)).collect()
}

fn check(entry: &Entry, key: &[u8], value: &[u8], deadline: Option<u64>, clock: u32) {
    let look = entry.as_ref();
    assert_eq!(look.key(), key);
    assert_eq!(look.string().bytes(), value);
    assert_eq!(look.deadline(), deadline);
    assert_eq!(look.access_clock(), clock);
    assert_eq!(look.kind(), Kind::String);
    let is_inline = matches!(look.string(), StringRef::Inline(_));
    assert_eq!(is_inline, value.len() <= INLINE_LEN_MAX);
    let raw_len = key.len() + value.len() + 8 + 8 * usize::from(deadline.is_some());
    assert!(raw_len <= look.memory_bytes());
    assert!(look.memory_bytes() <= raw_len + raw_len / 4 + 100);
}

fn all_shapes(mut visit: impl FnMut(&[u8], &[u8], Option<u64>)) {
    for key_len in KEY_LENS {
        for value_len in VALUE_LENS {
            for deadline in [None, Some(0), Some(u64::MAX)] {
                visit(&bytes(key_len, 1), &bytes(value_len, 2), deadline);
            }
        }
    }
}

#[test]
fn sizes_are_what_the_design_says() {
    let size = |key: usize, value: usize, deadline| {
        Entry::string(&bytes(key, 0), &bytes(value, 0), deadline, 0).as_ref().memory_bytes()
    };
    assert_eq!(size(16, 64, None), 96);
    assert_eq!(size(16, 64, Some(1)), 96);
    assert_eq!(size(16, 8, None), 32);
    assert_eq!(size(32, 300, Some(1)), 384);
}

#[test]
fn what_goes_in_comes_out() {
    all_shapes(|key, value, deadline| {
        let entry = Entry::string(key, value, deadline, 0xabcdef);
        check(&entry, key, value, deadline, 0xabcdef);
        let shared = Entry::shared(key, Arc::new(value.to_vec()), deadline, 1);
        check(&shared, key, value, deadline, 1);
        // Only 24 bits of a clock are kept.
        check(&Entry::string(key, value, deadline, u32::MAX), key, value, deadline, 0xffffff);
    });
}

#[test]
fn keys_and_deadlines_change() {
    all_shapes(|key, value, deadline| {
        for new_key_len in KEY_LENS {
            let new_key = bytes(new_key_len, 3);
            let mut entry = Entry::string(key, value, deadline, 9).with_key(&new_key);
            check(&entry, &new_key, value, deadline, 9);
            for deadline in [Some(5), None, None, Some(6), Some(7)] {
                entry.set_deadline(deadline);
                check(&entry, &new_key, value, deadline, 9);
            }
        }
    });
}

#[test]
fn values_change_their_length() {
    for old_len in VALUE_LENS {
        for new_len in VALUE_LENS {
            for key_len in [3, 300] {
                let (key, old, new) = (bytes(key_len, 1), bytes(old_len, 2), bytes(new_len, 3));
                let mut entry = Entry::string(&key, &old, Some(4), 5);
                entry.resize_value(new_len);
                let mut expected = old.clone();
                expected.resize(new_len, 0);
                check(&entry, &key, &expected, Some(4), 5);
                entry.as_mut().string_mut().copy_from_slice(&new);
                check(&entry, &key, &new, Some(4), 5);
            }
        }
    }
}

#[test]
fn a_value_takes_the_place_of_one_of_its_class() {
    // 8 + 8 + 3 of 64 bytes are not the value.
    let mut entry = Entry::string(b"key", &bytes(45, 1), Some(1), 1);
    let address = entry.as_ref().key().as_ptr();
    for len in [45, 38, 45, 40] {
        assert!(entry.set_string(&bytes(len, 2), Some(2), 3).is_none());
        check(&entry, b"key", &bytes(len, 2), Some(2), 3);
    }
    assert_eq!(entry.as_ref().key().as_ptr(), address);
    for (len, deadline) in [(46, Some(2)), (37, Some(2)), (37, None), (20_000, None), (2, None)] {
        let before = entry.as_ref().string().bytes().to_vec();
        let old = entry.set_string(&bytes(len, 4), deadline, 6).unwrap();
        assert_eq!(old.as_ref().string().bytes(), before);
        check(&entry, b"key", &bytes(len, 4), deadline, 6);
    }
}

#[test]
fn a_duplicate_shares_until_one_changes() {
    let long = bytes(50_000, 1);
    let mut entry = Entry::string(b"one", &long, Some(3), 4);
    entry.as_mut().set_raw(true);
    let copy = Entry::duplicate(entry.as_ref(), b"another");
    check(&copy, b"another", &long, Some(3), 4);
    assert!(copy.as_ref().is_raw());
    let address = |entry: &Entry| entry.as_ref().string().bytes().as_ptr();
    assert_eq!(address(&entry), address(&copy));
    entry.as_mut().string_mut()[0] ^= 1;
    assert_ne!(address(&entry), address(&copy));
    check(&copy, b"another", &long, Some(3), 4);
}

#[test]
fn touching_changes_the_clock_alone() {
    let mut entry = Entry::string(b"k", b"v", Some(3), 4);
    entry.as_mut().touch(0xffffff);
    check(&entry, b"k", b"v", Some(3), 0xffffff);
    entry.as_mut().touch(0);
    check(&entry, b"k", b"v", Some(3), 0);
}

#[test]
fn expired_is_after_the_deadline() {
    let entry = Entry::string(b"k", b"v", Some(10), 0);
    let is_expired = |now| entry.as_ref().is_expired(now);
    assert_eq!((is_expired(9), is_expired(10), is_expired(11)), (false, false, true));
    assert!(!Entry::string(b"k", b"v", None, 0).as_ref().is_expired(u64::MAX));
}

#[derive(Clone, Debug)]
enum Edit {
    Clock(u32),
    Deadline(Option<u64>),
    Key(usize),
    Pass(bool),
    Raw(bool),
    Replace(usize),
    Resize(usize),
    Set(usize, Option<u64>, u32),
}

fn edit() -> impl Strategy<Value = Edit> {
    let len = prop_oneof![0..200usize, 16_300..16_500usize];
    let key_len = prop_oneof![0..40usize, 250..260usize];
    let deadline = proptest::option::of(any::<u64>());
    let clock = 0..1u32 << 24;
    prop_oneof![
        clock.clone().prop_map(Edit::Clock),
        deadline.clone().prop_map(Edit::Deadline),
        key_len.prop_map(Edit::Key),
        any::<bool>().prop_map(Edit::Pass),
        any::<bool>().prop_map(Edit::Raw),
        len.clone().prop_map(Edit::Replace),
        len.clone().prop_map(Edit::Resize),
        (len, deadline, clock).prop_map(|(len, deadline, clock)| Edit::Set(len, deadline, clock)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 4 } else { 300 }))]

    #[test]
    fn edits_agree_with_a_twin(edits in proptest::collection::vec(edit(), 1..40)) {
        let (mut key, mut value, mut deadline, mut clock) = (vec![], vec![], None, 0);
        let (mut raw, mut pass) = (false, false);
        let mut entry = Entry::string(&key, &value, deadline, clock);
        for (step, edit) in edits.into_iter().enumerate() {
            match edit {
                Edit::Clock(new) => {
                    clock = new;
                    entry.as_mut().touch(clock);
                }
                Edit::Deadline(new) => {
                    deadline = new;
                    entry.set_deadline(deadline);
                }
                Edit::Key(len) => {
                    key = bytes(len, step as u8);
                    entry = entry.with_key(&key);
                }
                Edit::Pass(new) => {
                    pass = new;
                    entry.as_mut().set_expiry_pass(new);
                }
                Edit::Raw(new) => {
                    raw = new;
                    entry.as_mut().set_raw(new);
                }
                Edit::Replace(len) => {
                    let new = bytes(len, step as u8);
                    if entry.as_mut().replace_string(&new) {
                        (value, raw) = (new, false);
                    }
                }
                Edit::Resize(len) => {
                    value.resize(len, 0);
                    entry.resize_value(len);
                }
                Edit::Set(len, new_deadline, new_clock) => {
                    (value, deadline, clock, raw) =
                        (bytes(len, step as u8), new_deadline, new_clock, false);
                    drop(entry.set_string(&value, deadline, clock));
                }
            }
            check(&entry, &key, &value, deadline, clock);
            prop_assert_eq!(entry.as_ref().is_raw(), raw);
            prop_assert_eq!(entry.as_ref().expiry_pass(), pass);
        }
    }
}
