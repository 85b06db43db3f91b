//! The values that random commands are made of: few keys, so that commands meet, and odd numbers.

use base::rand::Rng;

/// What values are drawn from.
pub(super) struct Pools {
    pub(super) rng: Rng,
    /// Ids of stream entries are near this one, which grows: most new ones are above all others.
    moment: u64,
}

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
const SCORES: &[&str] = &[
    "0",
    "-0",
    "0.1",
    "-1.5",
    "inf",
    "+inf",
    "-inf",
    "Infinity",
    "nan",
    "abc",
    "",
    "1e308",
    "-1e308",
    "1e400",
    "5e-324",
    "2.2250738585072014e-308",
    "9007199254740993",
    "-9223372036854775808",
    "1e17",
    "123456789012345678",
    " 1",
];
const IDS: &[&str] = &[
    "0",
    "0-0",
    "0-1",
    "5-",
    "-",
    "+",
    "(",
    "1-1-1",
    "abc",
    "",
    "-1",
    "18446744073709551615-18446744073709551615",
    "18446744073709551616",
    "01-01",
];
const CITIES: &[(i64, i64)] = &[(13, 38), (2, 48), (179, 0), (-122, 37)];
const DEGREES: &[&str] =
    &["181", "-180.1", "86", "-86", "85.05112878", "abc", "nan", "inf", "0", ""];
const PATTERNS: &[&str] =
    &["*", "a*", "?", "[a-c]", "[^a-c]", "key*", "", "\\*", "*:*", "a", "[b", "**"];
/// Beside the good ones (`from_now`, the first two moments): over already, or wrong.
const SECONDS: &[&str] = &["0", "-1", "-100", "9223372036854775807", "abc", "1e3"];
const MILLISECONDS: &[&str] = &["0", "-1", "-5000", "9223372036854775807", "x"];
const MOMENTS: &[&str] =
    &["33177117420", "33177117421", "1", "0", "-1", "9223372036854775807", "1.0"];
const MOMENTS_MS: &[&str] =
    &["33177117420123", "33177117420124", "1", "0", "-1", "99999999999999999999", "y"];

impl Pools {
    pub(super) fn new(rng: Rng) -> Self {
        Self { rng, moment: 1 }
    }

    /// Words from the pool of that name.
    ///
    /// # Panics
    /// When there is no such pool: the grammar is wrong.
    pub(super) fn draw(&mut self, name: &str) -> Vec<Vec<u8>> {
        let rng = &mut self.rng;
        match name {
            "around" => around(rng),
            "at" => vec![far(MOMENTS, rng)],
            "at_ms" => vec![far(MOMENTS_MS, rng)],
            "between" => vec![between(rng)],
            "bit" => vec![bit(rng)],
            "bound" => vec![bound(rng)],
            "consumer" => vec![mostly(["x", "y", "x", "y"], &["z", ""], rng)],
            "db" => vec![mostly(["0", "0", "1", "2"], &["16", "-1", "abc", "15"], rng)],
            "element" => vec![element(rng)],
            "elements" => (0..=rng.index(4)).map(|_| element(rng)).collect(),
            "far" => vec![mostly(["100", "1", "2000.5", "50"], &["0", "-1", "abc", "1e9"], rng)],
            "field" => vec![field(rng), mostly(["0", "3", "#1", "17"], &["-1", "#-1", "abc"], rng)],
            "float" => vec![one_of(FLOATS, rng)],
            "future" => vec![one_of(&MOMENTS[..2], rng)],
            "future_ms" => vec![one_of(&MOMENTS_MS[..2], rng)],
            "geo" => vec![mostly(["geo"; 4], &["geo2", "geo2", "nothing"], rng)],
            "group" => vec![mostly(["g", "g", "g", "h"], &["i", ""], rng)],
            "id" => vec![self.id()],
            "ids" => (0..=rng.index(3)).map(|_| self.id()).collect(),
            "index" => vec![mostly(["0", "1", "-1", "3"], INTEGERS, rng)],
            "int" => vec![one_of(INTEGERS, rng)],
            "key" => vec![key(rng)],
            "keys" => (0..=rng.index(3)).map(|_| key(rng)).collect(),
            "lex" => vec![b"lex".to_vec()],
            "limit_id" => vec![self.limit_id()],
            "listed" => listed(1, rng),
            "listed_pairs" => listed(2, rng),
            "located" => (0..=rng.index(3)).flat_map(|_| located(rng)).collect(),
            "located_3" => (0..3).flat_map(|_| place_on_earth(rng)).collect(),
            "moment" => vec![self.moment().to_string().into_bytes()],
            "ms" => vec![from_now(100_000, MILLISECONDS, rng)],
            "name" => vec![name_of_field(rng)],
            "names" => (0..=rng.index(3)).map(|_| name_of_field(rng)).collect(),
            "new_id" => vec![self.new_id()],
            "numbers" => (0..=rng.index(4)).map(|_| number(rng)).collect(),
            // A far offset would make a string of half a gigabyte; beyond the limit it is an error.
            "offset" => vec![mostly(["0", "1", "5", "20"], &["-1", "536870912", "abc"], rng)],
            "pairs" => (0..=rng.index(3)).flat_map(|_| [key(rng), value(rng)]).collect(),
            "pairs_of_fields" => pairs_of_fields(1 + rng.index(3), rng),
            "pattern" => vec![one_of(PATTERNS, rng)],
            "place" => vec![mostly(["0", "1", "-1", "3"], &["-100", "400", "abc", "7"], rng)],
            "place_on_earth" => place_on_earth(rng),
            "score" => vec![score(rng)],
            "scored" => (0..=rng.index(4)).flat_map(|_| [score(rng), element(rng)]).collect(),
            "seconds" => vec![from_now(100, SECONDS, rng)],
            // Sorting turns a small sorted set into a large one, elsewhere: these keys are not asked
            // for their encoding.
            "sortable" => vec![mostly(["s", "s", "t", "u"], &["a", "nothing"], rng)],
            // Below zero it depends on the encoding what a limit skips, in some servers.
            "skip" => vec![mostly(["0", "1", "0", "3"], &["400", "abc"], rng)],
            "unit" => vec![mostly(["km", "m", "mi", "ft"], &["KM", "mm", ""], rng)],
            "value" => vec![value(rng)],
            other => panic!("the grammar names a pool {other}"),
        }
    }

    fn moment(&mut self) -> u64 {
        self.moment += self.rng.below(2);
        self.moment
    }

    fn new_id(&mut self) -> Vec<u8> {
        match self.rng.below(20) {
            0 => one_of(IDS, &mut self.rng),
            1 => self.id(),
            2..8 => format!("{}-{}", self.moment(), self.rng.below(4)).into_bytes(),
            _ => format!("{}-*", self.moment()).into_bytes(),
        }
    }

    /// The id of an entry that there may be.
    fn id(&mut self) -> Vec<u8> {
        let moment = self.moment - self.rng.below(self.moment.min(8));
        match self.rng.below(16) {
            0 => one_of(IDS, &mut self.rng),
            1..4 => moment.to_string().into_bytes(),
            _ => format!("{moment}-{}", self.rng.below(3)).into_bytes(),
        }
    }

    fn limit_id(&mut self) -> Vec<u8> {
        match self.rng.below(8) {
            0..2 => b"-".to_vec(),
            2..4 => b"+".to_vec(),
            4..6 => [b"(".to_vec(), self.id()].concat(),
            _ => self.id(),
        }
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

/// The names of a hash's or an entry's fields.
fn name_of_field(rng: &mut Rng) -> Vec<u8> {
    match rng.below(12) {
        0..7 => vec![b'f' + rng.below(4) as u8],
        7 => b"weight".to_vec(),
        8..10 => format!("field:{}", rng.below(200)).into_bytes(),
        10 => element(rng),
        _ => value(rng),
    }
}

fn pairs_of_fields(count: usize, rng: &mut Rng) -> Vec<Vec<u8>> {
    (0..count).flat_map(|_| [name_of_field(rng), element(rng)]).collect()
}

/// `FIELDS count name…` or, with values, `FIELDS count name value…`; the count is mostly right.
fn listed(words_each: usize, rng: &mut Rng) -> Vec<Vec<u8>> {
    let count = 1 + rng.index(3);
    let said = if rng.below(12) == 0 { one_of(INTEGERS, rng) } else { count.to_string().into() };
    let mut words = vec![b"FIELDS".to_vec(), said];
    for _ in 0..count {
        words.push(name_of_field(rng));
        words.extend((1..words_each).map(|_| element(rng)));
    }
    words
}

fn number(rng: &mut Rng) -> Vec<u8> {
    if rng.below(12) == 0 {
        return one_of(&["0.5", "-3.75", "1e2", "abc", "inf", "-inf", "nan"], rng);
    }
    (rng.below(60) as i64 - 30).to_string().into_bytes()
}

/// Small ones, so that members share a score, and extreme ones.
fn score(rng: &mut Rng) -> Vec<u8> {
    match rng.below(10) {
        0..6 => (rng.below(8) as i64 - 2).to_string().into_bytes(),
        6 => format!("{}.{}", rng.below(100), rng.below(1_000)).into_bytes(),
        _ => one_of(SCORES, rng),
    }
}

fn bound(rng: &mut Rng) -> Vec<u8> {
    let mut score = score(rng);
    // An end of a range was anything that C reads as a number, before Redis 8 and Valkey 9.
    if score.is_empty() || score.starts_with(b" ") {
        score = b"1.".to_vec();
    }
    match rng.below(8) {
        0..2 => b"-inf".to_vec(),
        2..4 => b"+inf".to_vec(),
        4 => [b"(".to_vec(), score].concat(),
        _ => score,
    }
}

/// An end of a range of members.
fn between(rng: &mut Rng) -> Vec<u8> {
    match rng.below(10) {
        0..2 => b"-".to_vec(),
        2..4 => b"+".to_vec(),
        4..6 => [b"(".to_vec(), element(rng)].concat(),
        6 => one_of(&["[", "(", "", "a", "[\u{7f}", "(member:3"], rng),
        _ => [b"[".to_vec(), element(rng)].concat(),
    }
}

fn around(rng: &mut Rng) -> Vec<Vec<u8>> {
    if rng.below(2) == 0 {
        return vec![b"FROMMEMBER".to_vec(), element(rng)];
    }
    let mut words = vec![b"FROMLONLAT".to_vec()];
    words.extend(place_on_earth(rng));
    words
}

fn located(rng: &mut Rng) -> Vec<Vec<u8>> {
    let mut words = place_on_earth(rng);
    words.push(element(rng));
    words
}

/// Longitude and latitude: near a few cities, at the edges of the world, or beyond them.
fn place_on_earth(rng: &mut Rng) -> Vec<Vec<u8>> {
    let (longitude, latitude) = match rng.below(12) {
        0..8 => {
            let (longitude, latitude) = CITIES[rng.index(CITIES.len())];
            let mut near = |degrees: i64| degrees as f64 + rng.below(1_000_000) as f64 / 1e6;
            (near(longitude), near(latitude))
        }
        8 => (180.0, 85.05),
        9 => (-180.0, -85.05),
        10 => (rng.below(360) as f64 - 180.0, rng.below(170) as f64 - 85.0),
        _ => return vec![one_of(DEGREES, rng), one_of(DEGREES, rng)],
    };
    [longitude, latitude].map(|degrees| degrees.to_string().into_bytes()).to_vec()
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
