//! Request bytes prepared once: a pipeline of commands in which only the numbers change.
//!
//! `key:__rand_int__` is encoded with twelve digits in the placeholder's place; what changes from
//! one pipeline to the next are those digits, so filling a request means drawing a number and
//! writing twelve bytes per place. All commands of a template have one length, so a shorter
//! pipeline (the last one of a run) is a prefix of the whole.

use std::sync::atomic::{AtomicU64, Ordering};

use base::rand::Rng;

/// The digits that a placeholder becomes.
pub(crate) const DIGITS: usize = 12;
/// `__rand_int__` (a number of its own each time) and `__rand_1st__` to `__rand_9th__` (one number
/// for all its places within a command). All are as long as the digits.
const PLACEHOLDERS: [&[u8; DIGITS]; SOURCES] = [
    b"__rand_int__",
    b"__rand_1st__",
    b"__rand_2nd__",
    b"__rand_3rd__",
    b"__rand_4th__",
    b"__rand_5th__",
    b"__rand_6th__",
    b"__rand_7th__",
    b"__rand_8th__",
    b"__rand_9th__",
];
const SOURCES: usize = 10;
/// Stands for the payload of `-d` bytes.
pub(crate) const DATA: &str = "__data__";

/// Where the numbers come from; shared by all threads of a run.
#[derive(Debug)]
pub(crate) enum Numbers {
    /// The placeholders stay as they are: every request is the same.
    Fixed,
    /// Below `keyspace`, each equally likely.
    Random { keyspace: u64 },
    /// 0, 1, 2 … `keyspace` - 1 and again from 0, for each placeholder on its own.
    Sequential { keyspace: u64, next: [AtomicU64; SOURCES] },
}

impl Numbers {
    pub(crate) fn sequential(keyspace: u64) -> Self {
        Self::Sequential { keyspace, next: Default::default() }
    }

    fn draw(&self, source: usize, rng: &mut Rng) -> u64 {
        match self {
            Self::Fixed => 0,
            Self::Random { keyspace } => rng.below(*keyspace),
            // Relaxed: a counter; nothing is published with it.
            Self::Sequential { keyspace, next } => {
                next[source].fetch_add(1, Ordering::Relaxed) % keyspace
            }
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Place {
    offset: usize,
    source: usize,
}

/// A pipeline's bytes with the places that change.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    bytes: Vec<u8>,
    /// In order; those of one command are neighbours.
    places: Vec<Place>,
    places_per_command: usize,
    command_len: usize,
    has_shared_sources: bool,
}

impl Template {
    /// `repeat` times the bytes of one request.
    pub(crate) fn new(command: &[u8], repeat: usize) -> Self {
        let mut first = Vec::new();
        let mut at = 0;
        while at + DIGITS <= command.len() {
            let here = &command[at..at + DIGITS];
            match PLACEHOLDERS.iter().position(|placeholder| *placeholder == here) {
                Some(source) => {
                    first.push(Place { offset: at, source });
                    at += DIGITS;
                }
                None => at += 1,
            }
        }
        let mut places = Vec::with_capacity(first.len() * repeat);
        for copy in 0..repeat {
            let start = copy * command.len();
            places
                .extend(first.iter().map(|place| Place { offset: start + place.offset, ..*place }));
        }
        Self {
            bytes: command.repeat(repeat),
            places,
            places_per_command: first.len(),
            command_len: command.len(),
            has_shared_sources: first.iter().any(|place| place.source != 0),
        }
    }

    /// The bytes of the next `count` requests, freshly numbered.
    pub(crate) fn fill(&mut self, count: usize, numbers: &Numbers, rng: &mut Rng) -> &[u8] {
        let places = &self.places[..count * self.places_per_command];
        match numbers {
            Numbers::Fixed => {}
            _ if self.has_shared_sources => {
                for command in places.chunks(self.places_per_command) {
                    fill_command(&mut self.bytes, command, numbers, rng);
                }
            }
            Numbers::Random { keyspace } => {
                for place in places {
                    write_digits(&mut self.bytes[place.offset..], rng.below(*keyspace));
                }
            }
            Numbers::Sequential { .. } => {
                for place in places {
                    write_digits(&mut self.bytes[place.offset..], numbers.draw(0, rng));
                }
            }
        }
        &self.bytes[..count * self.command_len]
    }
}

fn fill_command(bytes: &mut [u8], places: &[Place], numbers: &Numbers, rng: &mut Rng) {
    let mut drawn = [None; SOURCES];
    for &Place { offset, source } in places {
        let number = match source {
            0 => numbers.draw(0, rng),
            shared => *drawn[shared].get_or_insert_with(|| numbers.draw(shared, rng)),
        };
        write_digits(&mut bytes[offset..], number);
    }
}

const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[b'0'; 2]; 100];
    let mut number = 0;
    while number < 100 {
        pairs[number] = [b'0' + (number / 10) as u8, b'0' + (number % 10) as u8];
        number += 1;
    }
    pairs
};

/// Writes the last twelve decimal digits of `number`, with leading zeros.
fn write_digits(target: &mut [u8], number: u64) {
    // Halves of six digits fit 32 bits, where a division by a constant is one multiplication.
    let high = (number / 1_000_000 % 1_000_000) as u32;
    let low = (number % 1_000_000) as u32;
    let target = &mut target[..DIGITS];
    for (half, value) in [(0, high), (6, low)] {
        target[half..half + 2].copy_from_slice(&PAIRS[(value / 10_000) as usize]);
        target[half + 2..half + 4].copy_from_slice(&PAIRS[(value / 100 % 100) as usize]);
        target[half + 4..half + 6].copy_from_slice(&PAIRS[(value % 100) as usize]);
    }
}

/// One request as the wire wants it: an array of bulk strings.
pub(crate) fn encode(arguments: &[Vec<u8>], target: &mut Vec<u8>) {
    target.extend_from_slice(format!("*{}\r\n", arguments.len()).as_bytes());
    for argument in arguments {
        target.extend_from_slice(format!("${}\r\n", argument.len()).as_bytes());
        target.extend_from_slice(argument);
        target.extend_from_slice(b"\r\n");
    }
}

/// `argument` with every `__data__` in it replaced by `data`.
pub(crate) fn with_data(argument: &[u8], data: &[u8]) -> Vec<u8> {
    let mut result = Vec::with_capacity(argument.len());
    let mut rest = argument;
    while let Some(at) = memchr::memmem::find(rest, DATA.as_bytes()) {
        result.extend_from_slice(&rest[..at]);
        result.extend_from_slice(data);
        rest = &rest[at + DATA.len()..];
    }
    result.extend_from_slice(rest);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(command: &str, count: usize, numbers: &Numbers) -> String {
        let mut template = Template::new(command.as_bytes(), count);
        let bytes = template.fill(count, numbers, &mut Rng::new(1));
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[test]
    fn digits_are_padded_and_whole() {
        for (number, expected) in [
            (0, "000000000000"),
            (7, "000000000007"),
            (123_456, "000000123456"),
            (1_000_000, "000001000000"),
            (987_654_321_098, "987654321098"),
            (5_987_654_321_098, "987654321098"),
        ] {
            let mut target = [b'x'; 14];
            write_digits(&mut target[1..], number);
            assert_eq!(target[1..13], *expected.as_bytes());
            assert_eq!((target[0], target[13]), (b'x', b'x'));
        }
    }

    #[test]
    fn without_a_keyspace_nothing_changes() {
        let command = "GET key:__rand_int__\r\n";
        assert_eq!(filled(command, 2, &Numbers::Fixed), command.repeat(2));
    }

    #[test]
    fn sequential_numbers_count_on_and_wrap() {
        let numbers = Numbers::sequential(3);
        let text = filled("k__rand_int__;", 4, &numbers);
        assert_eq!(text, "k000000000000;k000000000001;k000000000002;k000000000000;");
    }

    #[test]
    fn a_named_number_is_the_same_within_a_command() {
        let numbers = Numbers::sequential(100);
        let text = filled("__rand_1st__ __rand_int__ __rand_1st__ __rand_int__;", 2, &numbers);
        let expected = "000000000000 000000000000 000000000000 000000000001;\
                        000000000001 000000000002 000000000001 000000000003;";
        assert_eq!(text, expected);
    }

    #[test]
    fn random_numbers_stay_below_the_keyspace_and_only_digits_change() {
        let mut template = Template::new(b"SET a:__rand_int__ v\r\n", 50);
        let mut rng = Rng::new(9);
        let mut seen = std::collections::HashSet::new();
        for _ in 0..50 {
            let bytes = template.fill(50, &Numbers::Random { keyspace: 20 }, &mut rng);
            for line in std::str::from_utf8(bytes).unwrap().lines() {
                let digits = line.strip_prefix("SET a:").unwrap().strip_suffix(" v").unwrap();
                assert_eq!(digits.len(), DIGITS);
                seen.insert(digits.parse::<u64>().unwrap());
            }
        }
        assert_eq!(seen, (0..20).collect());
    }

    #[test]
    fn a_short_pipeline_is_a_prefix() {
        let mut template = Template::new(b"GET __rand_int__\r\n", 10);
        let bytes = template.fill(3, &Numbers::sequential(10), &mut Rng::new(1));
        assert_eq!(bytes, b"GET 000000000000\r\nGET 000000000001\r\nGET 000000000002\r\n");
    }

    #[test]
    fn requests_are_arrays_of_bulk_strings() {
        let mut bytes = Vec::new();
        encode(
            &[b"SET".to_vec(), b"k".to_vec(), with_data(b"<__data__|__data__>", b"xy")],
            &mut bytes,
        );
        assert_eq!(bytes, b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$7\r\n<xy|xy>\r\n");
    }
}
