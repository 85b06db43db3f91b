//! The values that random commands are made of: few keys, so that commands meet, and odd numbers.

use base::rand::Rng;

const KEYS: &[&str] = &["a", "b", "c", "d", "e", "f", "key:with:colons", ""];
const TEXTS: &[&str] =
    &["", "x", "hello", "Hello World", "0", "-0", "007", " 1", "1 ", "aab", "abcabc"];
const INTEGERS: &[&str] = &[
    "0",
    "1",
    "-1",
    "2",
    "10",
    "-10",
    "100",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "4611686018427387904",
    "2147483648",
    "abc",
    "1.5",
    "+1",
    "01",
    "",
];
const FLOATS: &[&str] =
    &["0", "1", "-1", "0.5", "1.25", "-3.75", "10", "1e2", "abc", "inf", "nan", "", " 1"];
const PATTERNS: &[&str] =
    &["*", "a*", "?", "[a-c]", "[^a-c]", "key*", "", "\\*", "*:*", "a", "[b", "**"];
/// Beside the good ones (`from_now`, the first two moments): over already, or wrong.
const SECONDS: &[&str] = &["0", "-1", "-100", "9223372036854775807", "abc", "1e3"];
const MILLISECONDS: &[&str] = &["0", "-1", "-5000", "9223372036854775807", "x"];
const MOMENTS: &[&str] =
    &["33177117420", "33177117421", "1", "0", "-1", "9223372036854775807", "1.0"];
const MOMENTS_MS: &[&str] =
    &["33177117420123", "33177117420124", "1", "0", "-1", "99999999999999999999", "y"];

/// Words from the pool of that name.
///
/// # Panics
/// When there is no such pool: the grammar is wrong.
pub(super) fn draw(name: &str, rng: &mut Rng) -> Vec<Vec<u8>> {
    match name {
        "key" => vec![key(rng)],
        "keys" => (0..=rng.index(3)).map(|_| key(rng)).collect(),
        "bit" => vec![bit(rng)],
        "field" => vec![field(rng), mostly(["0", "3", "#1", "17"], &["-1", "#-1", "abc"], rng)],
        "value" => vec![value(rng)],
        "pairs" => (0..=rng.index(3)).flat_map(|_| [key(rng), value(rng)]).collect(),
        "int" => vec![one_of(INTEGERS, rng)],
        "float" => vec![one_of(FLOATS, rng)],
        "element" => vec![element(rng)],
        "elements" => (0..=rng.index(4)).map(|_| element(rng)).collect(),
        "place" => vec![mostly(["0", "1", "-1", "3"], &["-100", "400", "abc", "7"], rng)],
        "pattern" => vec![one_of(PATTERNS, rng)],
        "seconds" => vec![from_now(100, SECONDS, rng)],
        "ms" => vec![from_now(100_000, MILLISECONDS, rng)],
        "future" => vec![one_of(&MOMENTS[..2], rng)],
        "future_ms" => vec![one_of(&MOMENTS_MS[..2], rng)],
        "at" => vec![far(MOMENTS, rng)],
        "at_ms" => vec![far(MOMENTS_MS, rng)],
        "db" => vec![mostly(["0", "0", "1", "2"], &["16", "-1", "abc", "15"], rng)],
        "index" => vec![mostly(["0", "1", "-1", "3"], INTEGERS, rng)],
        // A far offset would make a string of half a gigabyte; beyond the limit it is an error.
        "offset" => vec![mostly(["0", "1", "5", "20"], &["-1", "536870912", "abc"], rng)],
        other => panic!("the grammar names a pool {other}"),
    }
}

fn key(rng: &mut Rng) -> Vec<u8> {
    // The first keys come more often.
    let index = rng.index(KEYS.len()).min(rng.index(KEYS.len()));
    KEYS[index].as_bytes().to_vec()
}

fn value(rng: &mut Rng) -> Vec<u8> {
    match rng.below(10) {
        0..3 => one_of(TEXTS, rng),
        3..6 => (rng.below(2_000) as i64 - 1_000).to_string().into_bytes(),
        6 => one_of(INTEGERS, rng),
        7 => one_of(FLOATS, rng),
        8 => vec![b'a' + rng.below(3) as u8; rng.index(60)],
        _ => {
            let mut bytes = vec![0; rng.index(12)];
            rng.fill(&mut bytes);
            bytes
        }
    }
}

/// A far bit would make a string of half a gigabyte; beyond the limit it is an error.
fn bit(rng: &mut Rng) -> Vec<u8> {
    match rng.below(10) {
        0 => one_of(&["-1", "abc", "4294967296", "1.5"], rng),
        1 => rng.below(200_000).to_string().into_bytes(),
        _ => rng.below(100).to_string().into_bytes(),
    }
}

fn field(rng: &mut Rng) -> Vec<u8> {
    match rng.below(12) {
        0 => one_of(&["u64", "i65", "i0", "U8", "x8", "u"], rng),
        1..4 => one_of(&["u8", "i8", "i64", "u63", "u1", "i1"], rng),
        bits => format!("{}{}", if bits % 2 == 0 { 'u' } else { 'i' }, 1 + rng.below(63)).into(),
    }
}

/// Elements of lists: some are found again, some are long.
fn element(rng: &mut Rng) -> Vec<u8> {
    match rng.below(12) {
        0..5 => vec![b'a' + rng.below(4) as u8],
        5..8 => rng.below(300).to_string().into_bytes(),
        8 => format!("element:{}", rng.below(600)).into_bytes(),
        9 => vec![b'x'; 1_000 * (1 + rng.index(9))],
        _ => value(rng),
    }
}

fn one_of(pool: &[&str], rng: &mut Rng) -> Vec<u8> {
    pool[rng.index(pool.len())].as_bytes().to_vec()
}

/// Far away, so that nothing expires on the way, and hardly twice the same: of two equal ones GT and LT
/// would see the milliseconds between the calls.
fn from_now(unit: u64, odd: &[&str], rng: &mut Rng) -> Vec<u8> {
    if rng.below(3) == 0 {
        return one_of(odd, rng);
    }
    (unit * (10 + rng.below(100_000))).to_string().into_bytes()
}

/// One of the first two, good ones, or any.
fn far(pool: &[&str], rng: &mut Rng) -> Vec<u8> {
    if rng.below(3) != 0 { one_of(&pool[..2], rng) } else { one_of(pool, rng) }
}

fn mostly(good: [&str; 4], odd: &[&str], rng: &mut Rng) -> Vec<u8> {
    if rng.below(8) != 0 { one_of(&good, rng) } else { one_of(odd, rng) }
}
