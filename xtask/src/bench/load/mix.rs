//! The data set: mostly strings, and collections of all types, a few of them large.

/// A kind of key.
struct Shape {
    /// How much of a file is of this.
    percent: u64,
    /// What one key takes in a file, about.
    bytes: u64,
    commands: fn(&str, &mut Letters) -> Vec<Vec<String>>,
}

const SHAPES: [Shape; 6] = [
    Shape { percent: 60, bytes: 115, commands: string },
    Shape { percent: 10, bytes: 320, commands: hash },
    Shape { percent: 10, bytes: 650, commands: list },
    Shape { percent: 7, bytes: 400, commands: set },
    Shape { percent: 8, bytes: 480, commands: sorted_set },
    Shape { percent: 5, bytes: 800, commands: stream },
];

const STRING_LEN: usize = 100;
const FIELDS: usize = 10;
const ELEMENTS: usize = 20;
/// Every so many collections there is one with so many times as many elements.
const LARGE_EVERY: u64 = 1000;
const LARGE_TIMES: usize = 50;

/// Commands that make a file of about this many bytes.
pub(super) fn commands(bytes: u64) -> impl Iterator<Item = Vec<String>> {
    SHAPES.iter().zip(1..).flat_map(move |(shape, number)| {
        let keys = (bytes * shape.percent / 100 / shape.bytes).max(1);
        let mut letters = Letters::new(number);
        (0..keys).flat_map(move |key| {
            letters.is_large = key % LARGE_EVERY == LARGE_EVERY - 1;
            (shape.commands)(&format!("{number}:{key:010}"), &mut letters)
        })
    })
}

fn string(key: &str, letters: &mut Letters) -> Vec<Vec<String>> {
    vec![vec!["SET".to_owned(), key.to_owned(), letters.text(STRING_LEN)]]
}

fn hash(key: &str, letters: &mut Letters) -> Vec<Vec<String>> {
    let mut words = vec!["HSET".to_owned(), key.to_owned()];
    for field in 0..letters.size(FIELDS) {
        words.extend([format!("field:{field}"), letters.text(20)]);
    }
    vec![words]
}

fn list(key: &str, letters: &mut Letters) -> Vec<Vec<String>> {
    let mut words = vec!["RPUSH".to_owned(), key.to_owned()];
    words.extend((0..letters.size(ELEMENTS)).map(|_| letters.text(30)));
    vec![words]
}

fn set(key: &str, letters: &mut Letters) -> Vec<Vec<String>> {
    let mut words = vec!["SADD".to_owned(), key.to_owned()];
    words.extend((0..letters.size(ELEMENTS)).map(|_| letters.text(17)));
    vec![words]
}

fn sorted_set(key: &str, letters: &mut Letters) -> Vec<Vec<String>> {
    let mut words = vec!["ZADD".to_owned(), key.to_owned()];
    for _ in 0..letters.size(ELEMENTS) {
        words.extend([(letters.next() % 1_000_000).to_string(), letters.text(16)]);
    }
    vec![words]
}

fn stream(key: &str, letters: &mut Letters) -> Vec<Vec<String>> {
    let size = letters.size(ELEMENTS);
    let entry = |number: usize| {
        let id = format!("{}-0", 1_700_000_000_000 + number as u64 * 1000);
        let words = ["XADD", key, &id, "temperature", &letters.text(6), "place", &letters.text(12)];
        words.map(str::to_owned).to_vec()
    };
    (1..=size).map(entry).collect()
}

/// Random letters, the same in every run.
struct Letters {
    state: u64,
    /// The collection at hand is one of the large ones.
    is_large: bool,
}

impl Letters {
    fn new(seed: u64) -> Self {
        Self { state: seed, is_large: false }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        self.state >> 33
    }

    fn size(&self, usual: usize) -> usize {
        if self.is_large { usual * LARGE_TIMES } else { usual }
    }

    fn text(&mut self, len: usize) -> String {
        (0..len)
            .map(|_| char::from(b"abcdefghijklmnopqrstuvwxyz012345"[self.next() as usize % 32]))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_shapes_take_their_part() {
        assert_eq!(SHAPES.iter().map(|shape| shape.percent).sum::<u64>(), 100);
        let (mut len, mut verbs) = (0, std::collections::BTreeSet::new());
        for command in commands(2 << 20) {
            len += command.iter().skip(1).map(|word| word.len() + 1).sum::<usize>();
            verbs.insert(command[0].clone());
        }
        assert_eq!(verbs.len(), SHAPES.len());
        assert!((1 << 20..4 << 20).contains(&len), "{len}");
    }
}
