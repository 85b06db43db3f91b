//! The value of one setting: what each kind accepts, and how CONFIG GET prints it.
//!
//! A kind turns words into a value or into the reason why not. The reasons are those that operators
//! and scripts know from Redis, because tools match on them. Kinds that have a grammar of their own
//! (`save`, output limits, event classes) live in `special`.

use std::borrow::Cow;
use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use base::numbers::{parse_i64, parse_memory_size};

use super::dialect::Dialect;
use super::special::{self, OutputLimit, SavePoint};

/// Why a value was refused, in the words that clients know.
pub type Reason = Cow<'static, str>;

/// Checks a text beyond its being one word.
pub type Check = fn(&[u8]) -> Result<(), Reason>;

pub(super) const WRONG_NUMBER_OF_ARGUMENTS: Reason = Cow::Borrowed("wrong number of arguments");
const NOT_AN_INTEGER: Reason = Cow::Borrowed("argument couldn't be parsed into an integer");
const NOT_MEMORY: Reason = Cow::Borrowed("argument must be a memory value");
const NOT_MEMORY_OR_PERCENT: Reason = Cow::Borrowed("argument must be a memory or percent value");
const NOT_OCTAL: Reason = Cow::Borrowed("argument couldn't be parsed as an octal number");
const OCTAL_MAX: i128 = 0o777;

/// The words that a setting may hold.
#[derive(Clone, Copy, Debug)]
pub struct Choices {
    /// Named in error texts.
    pub listed: &'static [&'static str],
    /// Accepted in both dialects and named in the error texts of Valkey's.
    pub valkey: &'static [&'static str],
    /// Accepted, but named nowhere: the reference servers don't have them.
    pub unlisted: &'static [&'static str],
}

impl Choices {
    pub const fn of(listed: &'static [&'static str]) -> Self {
        Self { listed, valkey: &[], unlisted: &[] }
    }

    /// All of them, in the order that values count in.
    pub fn all(&self) -> impl Iterator<Item = &'static str> {
        self.listed.iter().chain(self.valkey).chain(self.unlisted).copied()
    }

    pub(super) fn position(&self, word: &[u8]) -> Option<usize> {
        self.all().position(|choice| word.eq_ignore_ascii_case(choice.as_bytes()))
    }

    pub(super) fn refusal(&self, dialect: Dialect) -> Reason {
        let mut words = self.listed.to_vec();
        if dialect == Dialect::Valkey {
            words.extend(self.valkey);
        }
        format!("argument(s) must be one of the following: {}", words.join(", ")).into()
    }
}

/// What a setting accepts.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// The addresses to listen on.
    Bind,
    Choice(Choices),
    /// Any of some words, or the first alone, which stands for none.
    Choices(Choices),
    /// The letters of `notify-keyspace-events`.
    EventClasses,
    /// `yes` or `no`.
    Flag,
    /// A folder that exists.
    Folder,
    Integer {
        min: i128,
        max: i128,
    },
    /// Bytes with an optional unit.
    Memory {
        min: i128,
        max: i128,
    },
    /// Bytes, or the word `auto`.
    MemoryOrAuto,
    /// Bytes, or a share of `maxmemory`.
    MemoryOrPercent,
    Octal,
    /// Three scores for the kernel's out-of-memory killer.
    OomScores,
    OutputLimits,
    Percentiles,
    /// `host port`, or `no one`.
    Primary,
    Save,
    Text {
        check: Option<Check>,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Leaves the number to the machine: 80 % of the memory for `maxmemory`.
    Auto,
    /// Index into the kind's words, in the order of [`Choices::all`].
    Choice(usize),
    /// One bit per word after the first.
    Choices(u32),
    EventClasses(u16),
    Flag(bool),
    Integer(i128),
    OomScores([i32; 3]),
    OutputLimits([OutputLimit; 3]),
    Percent(u8),
    Percentiles(Vec<f64>),
    Save(Vec<SavePoint>),
    Text(Vec<u8>),
    Words(Vec<Vec<u8>>),
}

impl Kind {
    /// Whether the value is a list, so that one word with spaces in it counts as several.
    pub fn takes_many_words(&self) -> bool {
        matches!(
            self,
            Self::Bind
                | Self::Choices(_)
                | Self::OomScores
                | Self::OutputLimits
                | Self::Percentiles
                | Self::Primary
                | Self::Save
        )
    }

    /// Parses the words of a directive. `current` is what the setting holds, for kinds of which a
    /// line gives only a part.
    pub fn parse(
        &self,
        words: &[&[u8]],
        current: &Value,
        dialect: Dialect,
    ) -> Result<Value, Reason> {
        if matches!(self, Self::Primary) && words.is_empty() {
            return Err(WRONG_NUMBER_OF_ARGUMENTS);
        }
        if self.takes_many_words() {
            let split: Vec<&[u8]> = match words {
                [only] => {
                    only.split(|byte| *byte == b' ').filter(|word| !word.is_empty()).collect()
                }
                several => several.to_vec(),
            };
            return self.parse_list(&split, current, dialect);
        }
        let [word] = words else { return Err(WRONG_NUMBER_OF_ARGUMENTS) };
        self.parse_word(word, dialect)
    }

    fn parse_list(
        &self,
        words: &[&[u8]],
        current: &Value,
        dialect: Dialect,
    ) -> Result<Value, Reason> {
        match self {
            Self::Bind => special::parse_bind(words),
            Self::Choices(choices) => special::parse_choices(words, choices, dialect),
            Self::OomScores => special::parse_oom_scores(words),
            Self::OutputLimits => special::parse_output_limits(words, current),
            Self::Percentiles => special::parse_percentiles(words),
            Self::Primary => special::parse_primary(words),
            _ => special::parse_save(words),
        }
    }

    fn parse_word(&self, word: &[u8], dialect: Dialect) -> Result<Value, Reason> {
        match *self {
            Self::Choice(choices) => {
                let place = choices.position(word).ok_or_else(|| choices.refusal(dialect))?;
                Ok(Value::Choice(place))
            }
            Self::EventClasses => special::parse_event_classes(word),
            Self::Flag => match word.to_ascii_lowercase().as_slice() {
                b"yes" => Ok(Value::Flag(true)),
                b"no" => Ok(Value::Flag(false)),
                _ => Err("argument must be 'yes' or 'no'".into()),
            },
            Self::Folder => parse_folder(word),
            Self::Integer { min, max } => {
                let number = integer(word).ok_or(NOT_AN_INTEGER)?;
                bounded(number, min, max)
            }
            Self::Memory { min, max } => {
                let number = match integer(word) {
                    Some(number) if min < 0 && number < 0 => number,
                    _ => i128::from(parse_memory_size(word).ok_or(NOT_MEMORY)?),
                };
                bounded(number, min, max)
            }
            Self::MemoryOrAuto if word.eq_ignore_ascii_case(b"auto") => Ok(Value::Auto),
            Self::MemoryOrAuto => {
                parse_memory_size(word).map(|bytes| Value::Integer(bytes.into())).ok_or(NOT_MEMORY)
            }
            Self::MemoryOrPercent => parse_memory_or_percent(word),
            Self::Octal => parse_octal(word),
            Self::Text { check } => {
                if let Some(check) = check {
                    check(word)?;
                }
                Ok(Value::Text(word.to_vec()))
            }
            _ => Err(WRONG_NUMBER_OF_ARGUMENTS),
        }
    }

    /// The value as CONFIG GET shows it.
    pub fn print(&self, value: &Value) -> Vec<u8> {
        match value {
            Value::Auto => b"auto".to_vec(),
            Value::Choice(index) => self.words()[*index].as_bytes().to_vec(),
            Value::Choices(bits) => special::print_choices(*bits, &self.words()).into_bytes(),
            Value::EventClasses(bits) => special::print_event_classes(*bits).into_bytes(),
            Value::Flag(true) => b"yes".to_vec(),
            Value::Flag(false) => b"no".to_vec(),
            Value::Integer(number) if matches!(self, Self::Octal) => {
                format!("{number:o}").into_bytes()
            }
            Value::Integer(number) => number.to_string().into_bytes(),
            Value::OomScores(scores) => special::join(scores).into_bytes(),
            Value::OutputLimits(limits) => special::print_output_limits(limits).into_bytes(),
            Value::Percent(percent) => format!("{percent}%").into_bytes(),
            Value::Percentiles(list) => special::join(list).into_bytes(),
            Value::Save(points) => special::print_save(points).into_bytes(),
            Value::Text(text) => text.clone(),
            Value::Words(words) => words.join(&b' '),
        }
    }

    /// Every word that the kind accepts, in the order that choices count in.
    pub fn words(&self) -> Vec<&'static str> {
        match self {
            Self::Choice(choices) | Self::Choices(choices) => choices.all().collect(),
            _ => Vec::new(),
        }
    }
}

/// A whole number as clients write it: no plus sign, no leading zeros, no spaces.
pub(super) fn integer(word: &[u8]) -> Option<i128> {
    parse_i64(word).map(i128::from)
}

/// The message of an operating system error, without the number that Rust adds.
pub(crate) fn os_reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((message, _)) => message.to_owned(),
        None => text,
    }
}

fn bounded(number: i128, min: i128, max: i128) -> Result<Value, Reason> {
    if number < min || max < number {
        return Err(format!("argument must be between {min} and {max} inclusive").into());
    }
    Ok(Value::Integer(number))
}

fn parse_folder(word: &[u8]) -> Result<Value, Reason> {
    let folder = Path::new(std::ffi::OsStr::from_bytes(word));
    let found = fs::canonicalize(folder).map_err(|error| Reason::from(os_reason(&error)))?;
    if !found.is_dir() {
        return Err("Not a directory".into());
    }
    Ok(Value::Text(found.into_os_string().into_vec()))
}

fn parse_memory_or_percent(word: &[u8]) -> Result<Value, Reason> {
    let Some(number) = word.strip_suffix(b"%") else {
        return parse_memory_size(word)
            .map(|bytes| Value::Integer(bytes.into()))
            .ok_or(NOT_MEMORY_OR_PERCENT);
    };
    let percent = integer(number).filter(|percent| 0 <= *percent).ok_or(NOT_MEMORY_OR_PERCENT)?;
    match u8::try_from(percent) {
        Ok(0) => Ok(Value::Integer(0)),
        Ok(percent) if percent <= 100 => Ok(Value::Percent(percent)),
        _ => Err("percentage argument must be less or equal to 100".into()),
    }
}

fn parse_octal(word: &[u8]) -> Result<Value, Reason> {
    if word.is_empty() {
        return Ok(Value::Integer(0));
    }
    let text = str::from_utf8(word).map_err(|_| NOT_OCTAL)?;
    let number = i64::from_str_radix(text, 8).map_err(|_| NOT_OCTAL)?;
    let number = i128::from(number);
    if !(0..=OCTAL_MAX).contains(&number) {
        return Err("argument must be between 0 and 777 inclusive".into());
    }
    Ok(Value::Integer(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Value = Value::Flag(false);

    fn printed(kind: Kind, word: &str) -> Result<String, String> {
        let value =
            kind.parse(&[word.as_bytes()], &NONE, Dialect::Redis).map_err(Reason::into_owned)?;
        Ok(String::from_utf8(kind.print(&value)).unwrap())
    }

    fn accepts(kind: Kind, word: &str, shown: &str) {
        assert_eq!(printed(kind, word), Ok(shown.to_owned()), "{word}");
    }

    fn refuses(kind: Kind, word: &str, reason: &str) {
        assert_eq!(printed(kind, word), Err(reason.to_owned()), "{word}");
    }

    #[test]
    fn integers_are_strict() {
        let kind = Kind::Integer { min: -1, max: 100 };
        accepts(kind, "-1", "-1");
        accepts(kind, "0", "0");
        for word in ["", "+5", "05", " 5", "5 ", "-0", "5x", "99999999999999999999"] {
            refuses(kind, word, "argument couldn't be parsed into an integer");
        }
        refuses(kind, "101", "argument must be between -1 and 100 inclusive");
    }

    #[test]
    fn memory_has_units() {
        let kind = Kind::Memory { min: 0, max: i64::MAX.into() };
        accepts(kind, "1gb", "1073741824");
        accepts(kind, "1G", "1000000000");
        accepts(kind, "100MB", "104857600");
        accepts(kind, "1m", "1000000");
        accepts(kind, "3kb", "3072");
        accepts(kind, "3k", "3000");
        accepts(kind, "10b", "10");
        accepts(kind, "", "0");
        for word in ["1t", "-1", "1.5gb", "10 kb", "99999999999999999999", "99999999999gb"] {
            refuses(kind, word, "argument must be a memory value");
        }
        accepts(Kind::Memory { min: -1, max: 9 }, "-1", "-1");
        refuses(
            Kind::Memory { min: -1, max: 9 },
            "-2",
            "argument must be between -1 and 9 inclusive",
        );
        accepts(Kind::MemoryOrAuto, "AUTO", "auto");
        refuses(Kind::MemoryOrAuto, "automatic", "argument must be a memory value");
    }

    #[test]
    fn shares_of_memory() {
        accepts(Kind::MemoryOrPercent, "5%", "5%");
        accepts(Kind::MemoryOrPercent, "0%", "0");
        accepts(Kind::MemoryOrPercent, "1kb", "1024");
        refuses(Kind::MemoryOrPercent, "500%", "percentage argument must be less or equal to 100");
        refuses(Kind::MemoryOrPercent, "-5%", "argument must be a memory or percent value");
    }

    #[test]
    fn words_and_modes() {
        let kind = Kind::Choice(Choices { unlisted: &["maybe"], ..Choices::of(&["no", "yes"]) });
        accepts(kind, "YES", "yes");
        accepts(kind, "maybe", "maybe");
        refuses(kind, "x", "argument(s) must be one of the following: no, yes");
        accepts(Kind::Octal, "0700", "700");
        accepts(Kind::Octal, "", "0");
        refuses(Kind::Octal, "9", "argument couldn't be parsed as an octal number");
        refuses(Kind::Octal, "1777", "argument must be between 0 and 777 inclusive");
        accepts(Kind::Flag, "Yes", "yes");
        refuses(Kind::Flag, "on", "argument must be 'yes' or 'no'");
        refuses(Kind::Folder, "/no/such/folder", "No such file or directory");
    }
}
