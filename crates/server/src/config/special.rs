//! Settings with a grammar of their own: save points, output limits, event classes and others.

use std::fmt::{Display, Write as _};

use base::numbers::parse_memory_size;

use super::dialect::Dialect;
use super::value::{Choices, Reason, Value, WRONG_NUMBER_OF_ARGUMENTS, integer};

/// As many addresses as Redis accepts.
pub const BIND_ADDRESSES_MAX: usize = 16;

const OOM_SCORE_MAX: i128 = 2000;

/// A snapshot is due when so many seconds have passed and so many changes were made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SavePoint {
    pub seconds: u32,
    pub changes: u32,
}

/// When a client that doesn't read its replies is cut off; 0 means never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutputLimit {
    pub hard_bytes: u64,
    pub soft_bytes: u64,
    pub soft_seconds: u32,
}

/// The classes of clients that have an output limit each, in the order of [`Value::OutputLimits`].
pub const OUTPUT_CLASSES: [&str; 3] = ["normal", "slave", "pubsub"];

/// The letters of `notify-keyspace-events`, in the order of printing; a class's bit is its place
/// here.
const EVENT_LETTERS: &[u8] = b"g$lshzxetdnKEm";

/// The bit of a letter of `notify-keyspace-events`; `A` stands for all classes of data events but
/// `m` and `n`.
pub fn event_bits(letter: u8) -> Option<u16> {
    if letter == b'A' {
        return Some((1 << 10) - 1);
    }
    EVENT_LETTERS.iter().position(|known| *known == letter).map(|place| 1 << place)
}

pub(super) fn parse_bind(words: &[&[u8]]) -> Result<Value, Reason> {
    // An address holds no space, so that a quoted word may hold several.
    let addresses = words.iter().flat_map(|word| word.split(|byte| *byte == b' '));
    let addresses: Vec<Vec<u8>> =
        addresses.filter(|word| !word.is_empty()).map(<[u8]>::to_vec).collect();
    if BIND_ADDRESSES_MAX < addresses.len() {
        return Err("Too many bind addresses specified.".into());
    }
    Ok(Value::Words(addresses))
}

pub(super) fn parse_choices(
    words: &[&[u8]],
    choices: &Choices,
    dialect: Dialect,
) -> Result<Value, Reason> {
    if words.is_empty() {
        return Err(choices.refusal(dialect));
    }
    let mut bits = 0;
    for word in words {
        let place = choices.position(word).ok_or_else(|| choices.refusal(dialect))?;
        bits |= (1_u32 << place) & !1;
    }
    let chosen = |word: &[u8]| choices.position(word).is_some_and(|place| bits & (1 << place) != 0);
    if chosen(b"save") && chosen(b"nosave") {
        return Err("shutdown options SAVE and NOSAVE can't be used simultaneously".into());
    }
    Ok(Value::Choices(bits))
}

pub(super) fn print_choices(bits: u32, words: &[&str]) -> String {
    if bits == 0 {
        return words.first().copied().unwrap_or_default().to_owned();
    }
    let chosen: Vec<&str> = words
        .iter()
        .enumerate()
        .filter(|(place, _)| bits & (1 << place) != 0)
        .map(|(_, word)| *word)
        .collect();
    chosen.join(" ")
}

pub(super) fn parse_oom_scores(words: &[&[u8]]) -> Result<Value, Reason> {
    let [primary, replica, child] = words else { return Err(WRONG_NUMBER_OF_ARGUMENTS) };
    let score = |word: &[u8]| {
        integer(word)
            .filter(|score| -OOM_SCORE_MAX <= *score && *score <= OOM_SCORE_MAX)
            .and_then(|score| i32::try_from(score).ok())
            .ok_or_else(|| {
                Reason::from(
                    "Invalid oom-score-adj-values, elements must be between -2000 and 2000.",
                )
            })
    };
    Ok(Value::OomScores([score(primary)?, score(replica)?, score(child)?]))
}

pub(super) fn parse_output_limits(words: &[&[u8]], current: &Value) -> Result<Value, Reason> {
    if !words.len().is_multiple_of(4) {
        return Err("Wrong number of arguments in buffer limit configuration.".into());
    }
    let mut limits = match current {
        Value::OutputLimits(limits) => *limits,
        _ => [OutputLimit::default(); 3],
    };
    for line in words.chunks_exact(4) {
        let class = match line[0].to_ascii_lowercase().as_slice() {
            b"normal" => 0,
            b"slave" | b"replica" => 1,
            b"pubsub" => 2,
            _ => {
                return Err("Invalid client class specified in buffer limit configuration.".into());
            }
        };
        limits[class] = parse_output_limit(&line[1..])
            .ok_or("Error in hard, soft or soft_seconds setting in buffer limit configuration.")?;
    }
    Ok(Value::OutputLimits(limits))
}

fn parse_output_limit(words: &[&[u8]]) -> Option<OutputLimit> {
    let [hard, soft, seconds] = words else { return None };
    Some(OutputLimit {
        hard_bytes: parse_memory_size(hard)?,
        soft_bytes: parse_memory_size(soft)?,
        soft_seconds: u32::try_from(integer(seconds)?).ok()?,
    })
}

pub(super) fn print_output_limits(limits: &[OutputLimit; 3]) -> String {
    let mut text = String::new();
    for (class, limit) in OUTPUT_CLASSES.iter().zip(limits) {
        if !text.is_empty() {
            text.push(' ');
        }
        let OutputLimit { hard_bytes, soft_bytes, soft_seconds } = limit;
        let _ = write!(text, "{class} {hard_bytes} {soft_bytes} {soft_seconds}");
    }
    text
}

pub(super) fn parse_percentiles(words: &[&[u8]]) -> Result<Value, Reason> {
    let mut list = Vec::with_capacity(words.len());
    for word in words {
        let percentile: f64 = str::from_utf8(word)
            .ok()
            .and_then(|text| text.parse().ok())
            .ok_or("Invalid latency-tracking-info-percentiles parameters")?;
        if !(0.0..=100.0).contains(&percentile) {
            return Err(
                "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]"
                    .into(),
            );
        }
        list.push(percentile);
    }
    Ok(Value::Percentiles(list))
}

pub(super) fn parse_primary(words: &[&[u8]]) -> Result<Value, Reason> {
    match words {
        [] => Ok(Value::Text(Vec::new())),
        [host, port] if host.eq_ignore_ascii_case(b"no") && port.eq_ignore_ascii_case(b"one") => {
            Ok(Value::Text(Vec::new()))
        }
        [host, port] => {
            let number = integer(port).filter(|port| (0..=65535).contains(port));
            let number = number.ok_or("Invalid master port")?;
            let mut text = host.to_vec();
            text.extend_from_slice(format!(" {number}").as_bytes());
            Ok(Value::Text(text))
        }
        _ => Err(WRONG_NUMBER_OF_ARGUMENTS),
    }
}

/// `seconds changes` pairs; none at all means no snapshots.
pub(super) fn parse_save(words: &[&[u8]]) -> Result<Value, Reason> {
    let invalid = || Reason::from("Invalid save parameters");
    if matches!(words, [b""]) {
        return Ok(Value::Save(Vec::new()));
    }
    if !words.len().is_multiple_of(2) {
        return Err(invalid());
    }
    let mut points = Vec::with_capacity(words.len() / 2);
    for pair in words.chunks_exact(2) {
        let number = |word: &[u8]| integer(word).and_then(|number| i32::try_from(number).ok());
        let seconds = number(pair[0]).filter(|seconds| 1 <= *seconds).ok_or_else(invalid)?;
        let changes = number(pair[1]).filter(|changes| 0 <= *changes).ok_or_else(invalid)?;
        points.push(SavePoint { seconds: seconds.unsigned_abs(), changes: changes.unsigned_abs() });
    }
    Ok(Value::Save(points))
}

pub(super) fn print_save(points: &[SavePoint]) -> String {
    let pairs: Vec<String> = points
        .iter()
        .map(|SavePoint { seconds, changes }| format!("{seconds} {changes}"))
        .collect();
    pairs.join(" ")
}

pub(super) fn parse_event_classes(word: &[u8]) -> Result<Value, Reason> {
    let mut bits = 0;
    for letter in word {
        bits |= event_bits(*letter)
            .ok_or_else(|| Reason::from("Invalid event class character. Use 'Ag$lshzxeKEtmdn'."))?;
    }
    Ok(Value::EventClasses(bits))
}

/// All data classes print as `A`; `n`, which `A` leaves out, stays visible beside it so that no
/// class is lost on the way.
pub(super) fn print_event_classes(bits: u16) -> String {
    let all = (1 << 10) - 1;
    let mut text = String::new();
    let mut rest = bits;
    if bits & all == all {
        text.push('A');
        rest &= !all;
    }
    for (place, letter) in EVENT_LETTERS.iter().enumerate() {
        if rest & (1 << place) != 0 {
            text.push(char::from(*letter));
        }
    }
    text
}

pub(super) fn join<T: Display>(items: &[T]) -> String {
    let words: Vec<String> = items.iter().map(ToString::to_string).collect();
    words.join(" ")
}

/// Checks of texts, named after what they hold.
pub(super) mod check {
    use super::Reason;
    use std::net::{Ipv4Addr, Ipv6Addr};

    fn file_name(text: &[u8], name: &str, noun: &str) -> Result<(), Reason> {
        if text.is_empty() {
            return Err(format!("{name} can't be empty").into());
        }
        if text.contains(&b'/') {
            return Err(format!("{name} can't be a path, just a {noun}").into());
        }
        Ok(())
    }

    pub(crate) fn appendfilename(text: &[u8]) -> Result<(), Reason> {
        file_name(text, "appendfilename", "filename")
    }

    pub(crate) fn appenddirname(text: &[u8]) -> Result<(), Reason> {
        file_name(text, "appenddirname", "dirname")
    }

    pub(crate) fn dbfilename(text: &[u8]) -> Result<(), Reason> {
        if text.is_empty() { Ok(()) } else { file_name(text, "dbfilename", "filename") }
    }

    pub(crate) fn hostname(text: &[u8]) -> Result<(), Reason> {
        if text.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.')) {
            return Ok(());
        }
        Err("Hostnames may only contain alphanumeric characters, hyphens or dots".into())
    }

    pub(crate) fn ipv4(text: &[u8]) -> Result<(), Reason> {
        let is_address = str::from_utf8(text).is_ok_and(|text| text.parse::<Ipv4Addr>().is_ok());
        if text.is_empty() || is_address { Ok(()) } else { Err("Invalid IPv4 address".into()) }
    }

    pub(crate) fn ipv6(text: &[u8]) -> Result<(), Reason> {
        let is_address = str::from_utf8(text).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok());
        if text.is_empty() || is_address { Ok(()) } else { Err("Invalid IPv6 address".into()) }
    }

    /// The default locale, or a name of the usual form (`de_DE.UTF-8`).
    pub(crate) fn locale(text: &[u8]) -> Result<(), Reason> {
        let base = text.split(|byte| *byte == b'.').next().unwrap_or_default();
        let is_regional = matches!(base, [a, b, b'_', c, d]
            if [a, b].map(u8::is_ascii_lowercase) == [true; 2]
                && [c, d].map(u8::is_ascii_uppercase) == [true; 2]);
        if is_regional || matches!(base, b"" | b"C" | b"POSIX") {
            return Ok(());
        }
        Err("Invalid locale name".into())
    }

    /// Braces hold only names that are known.
    pub(crate) fn title_template(text: &[u8]) -> Result<(), Reason> {
        const KNOWN: [&str; 7] = [
            "config-file",
            "listen-addr",
            "port",
            "server-mode",
            "title",
            "tls-port",
            "unixsocket",
        ];
        let invalid = || Reason::from("template format is invalid or contains unknown variables");
        let mut rest = str::from_utf8(text).map_err(|_| invalid())?;
        if rest.is_empty() {
            return Err(invalid());
        }
        while let Some((_, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').ok_or_else(invalid)?;
            if !KNOWN.contains(&name) {
                return Err(invalid());
            }
            rest = after;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::value::Kind;
    use super::*;

    fn printed(kind: Kind, word: &str) -> Result<String, String> {
        let defaults = Value::OutputLimits([OutputLimit::default(); 3]);
        let value = kind
            .parse(&[word.as_bytes()], &defaults, Dialect::Redis)
            .map_err(Reason::into_owned)?;
        Ok(String::from_utf8(kind.print(&value)).unwrap())
    }

    #[test]
    fn save_points() {
        assert_eq!(printed(Kind::Save, "60 10 3600 1"), Ok("60 10 3600 1".into()));
        assert_eq!(printed(Kind::Save, ""), Ok(String::new()));
        for bad in ["3600", "3600 1 x 2", "0 1", "10 -1", "1 2 3"] {
            assert_eq!(printed(Kind::Save, bad), Err("Invalid save parameters".into()), "{bad}");
        }
    }

    #[test]
    fn output_limits_change_only_the_classes_named() {
        assert_eq!(
            printed(Kind::OutputLimits, "normal 1mb 2kb 60 replica 1g 0 5"),
            Ok("normal 1048576 2048 60 slave 1000000000 0 5 pubsub 0 0 0".into())
        );
        assert_eq!(
            printed(Kind::OutputLimits, "normal 0 0"),
            Err("Wrong number of arguments in buffer limit configuration.".into())
        );
        assert_eq!(
            printed(Kind::OutputLimits, "master 0 0 0"),
            Err("Invalid client class specified in buffer limit configuration.".into())
        );
        for bad in ["normal x 0 0", "normal 0 0 -5"] {
            let reason =
                "Error in hard, soft or soft_seconds setting in buffer limit configuration.";
            assert_eq!(printed(Kind::OutputLimits, bad), Err(reason.into()));
        }
    }

    #[test]
    fn event_classes_print_in_a_fixed_order() {
        for (given, shown) in [
            ("AKE", "AKE"),
            ("KEA", "AKE"),
            ("K$lshzxeg", "g$lshzxeK"),
            ("nK", "nK"),
            ("dK", "dK"),
            ("mE", "Em"),
            ("g$lshzxetdmKE", "AKEm"),
            ("", ""),
        ] {
            assert_eq!(printed(Kind::EventClasses, given), Ok(shown.into()));
        }
        assert_eq!(
            printed(Kind::EventClasses, "q"),
            Err("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.".into())
        );
    }

    #[test]
    fn scores_percentiles_and_primaries() {
        assert_eq!(printed(Kind::OomScores, "300 200 -100"), Ok("300 200 -100".into()));
        assert_eq!(printed(Kind::OomScores, "0 200"), Err("wrong number of arguments".into()));
        assert!(printed(Kind::OomScores, "0 200 5000").is_err());
        assert_eq!(printed(Kind::Percentiles, "50 99.90 100"), Ok("50 99.9 100".into()));
        assert!(printed(Kind::Percentiles, "50 x").unwrap_err().starts_with("Invalid latency"));
        assert!(printed(Kind::Percentiles, "nan").unwrap_err().contains("[0.0,100.0]"));
        assert_eq!(printed(Kind::Primary, "no one"), Ok(String::new()));
        assert_eq!(printed(Kind::Primary, "a 1"), Ok("a 1".into()));
        assert_eq!(printed(Kind::Primary, "a 70000"), Err("Invalid master port".into()));
    }

    #[test]
    fn choices_combine() {
        let listed = &["default", "save", "nosave", "now", "force"];
        let kind = Kind::Choices(Choices::of(listed));
        assert_eq!(printed(kind, "force save"), Ok("save force".into()));
        assert_eq!(printed(kind, "default"), Ok("default".into()));
        assert!(printed(kind, "").is_err());
        assert_eq!(
            printed(kind, "save nosave"),
            Err("shutdown options SAVE and NOSAVE can't be used simultaneously".into())
        );
    }

    #[test]
    fn texts_are_checked() {
        assert!(check::title_template(b"{title} on {port}").is_ok());
        for bad in [&b"{foo}"[..], b"{x", b"", b"{}"] {
            assert!(check::title_template(bad).is_err());
        }
        assert!(check::locale(b"de_DE.UTF-8").is_ok());
        assert!(check::locale(b"zzz").is_err());
        assert!(check::hostname(b"a b").is_err());
        assert!(check::ipv6(b"::1").is_ok());
    }
}
