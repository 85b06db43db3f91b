//! Local time without the C library, from the system's time zone file.
//!
//! A zone file lists the moments at which the distance from UTC changed, and ends with a rule for
//! all later years in the form of the `TZ` variable (`CET-1CEST,M3.5.0,M10.5.0/3`). Only the 64-bit
//! part of the file (version 2 and later) is read. Whatever cannot be read is UTC: a wrong zone
//! must not keep a server from writing its log.

use std::env;
use std::fs;
use std::path::Path;

const DAY_S: i64 = 86_400;
const FOLDER: &str = "/usr/share/zoneinfo";

/// A moment as a clock on the wall shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LocalTime {
    pub(super) year: i64,
    pub(super) month: u8,
    pub(super) day: u8,
    pub(super) hour: u8,
    pub(super) minute: u8,
    pub(super) second: u8,
    /// East of UTC.
    pub(super) offset_s: i64,
}

/// The distance from UTC at any moment.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Zone {
    /// From when on, and the distance from then on; in order of time.
    changes: Vec<(i64, i64)>,
    /// Before the first change.
    offset_first_s: i64,
    /// After the last change.
    rule: Option<Rule>,
}

#[derive(Debug, PartialEq)]
struct Rule {
    offset_s: i64,
    summer: Option<Summer>,
}

/// Summer time, from and until a day of the year and a local time on it.
#[derive(Debug, PartialEq)]
struct Summer {
    offset_s: i64,
    start: (Day, i64),
    end: (Day, i64),
}

#[derive(Debug, PartialEq)]
enum Day {
    /// Counted from 0, with 29 February.
    OfYear(i64),
    /// Counted from 1, never 29 February.
    Julian(i64),
    /// A weekday (0 is Sunday) in a week of a month; week 5 is the last.
    Weekday { month: i64, week: i64, weekday: i64 },
}

impl Zone {
    /// The zone that the environment and the system name.
    pub(super) fn local() -> Self {
        let read = |path: &Path| fs::read(path).ok().and_then(|bytes| Self::from_file(&bytes));
        let zone = match env::var("TZ") {
            Err(_) => read(Path::new("/etc/localtime")),
            Ok(name) => {
                let name = name.strip_prefix(':').unwrap_or(&name);
                // An absolute path replaces the folder.
                let file = read(&Path::new(FOLDER).join(name));
                file.or_else(|| Self::from_posix(name))
            }
        };
        zone.unwrap_or_default()
    }

    /// A zone in the form of the `TZ` variable.
    pub(super) fn from_posix(text: &str) -> Option<Self> {
        Some(Self { rule: Some(parse_rule(text)?), ..Self::default() })
    }

    fn from_file(bytes: &[u8]) -> Option<Self> {
        let first = Header::read(bytes)?;
        let second = bytes.get(44 + first.body_len(4)..)?;
        let header = Header::read(second)?;
        let body = second.get(44..)?;
        let times = body.get(..header.changes * 8)?;
        let kinds = body.get(header.changes * 8..header.changes * 9)?;
        let types = body.get(header.changes * 9..header.changes * 9 + header.types * 6)?;
        let offset = |kind: usize| {
            let bytes = types.get(kind * 6..kind * 6 + 4)?;
            Some(i64::from(i32::from_be_bytes(bytes.try_into().ok()?)))
        };
        let mut changes = Vec::with_capacity(header.changes);
        for (time, kind) in times.chunks_exact(8).zip(kinds) {
            let time = i64::from_be_bytes(time.try_into().ok()?);
            changes.push((time, offset(usize::from(*kind))?));
        }
        let footer = str::from_utf8(body.get(header.body_len(8)..)?).ok()?;
        let rule = parse_rule(footer.trim_matches('\n'));
        Some(Self { changes, offset_first_s: offset(0)?, rule })
    }

    pub(super) fn local_time(&self, unix_s: i64) -> LocalTime {
        let offset_s = self.offset_s(unix_s);
        let local = unix_s + offset_s;
        let (year, month, day) = date(local.div_euclid(DAY_S));
        let second = local.rem_euclid(DAY_S);
        let small = |number: i64| u8::try_from(number).unwrap_or(0);
        LocalTime {
            year,
            month: small(month),
            day: small(day),
            hour: small(second / 3600),
            minute: small(second / 60 % 60),
            second: small(second % 60),
            offset_s,
        }
    }

    fn offset_s(&self, unix_s: i64) -> i64 {
        let passed = self.changes.partition_point(|(time, _)| *time <= unix_s);
        match (passed.checked_sub(1), &self.rule) {
            (_, Some(rule)) if passed == self.changes.len() => rule.offset_s(unix_s),
            (Some(last), _) => self.changes[last].1,
            (None, _) => self.offset_first_s,
        }
    }
}

/// The counts at the beginning of each part of a zone file.
struct Header {
    changes: usize,
    types: usize,
    /// Of everything after the changes and types, with times of four bytes.
    name_len: usize,
    leaps: usize,
    marks: usize,
}

impl Header {
    fn read(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.get(..44)?;
        if !bytes.starts_with(b"TZif") || bytes[4] < b'2' {
            return None;
        }
        let count = |place: usize| {
            let field: [u8; 4] = bytes[20 + place * 4..24 + place * 4].try_into().ok()?;
            // Real files have a few thousand at most; this keeps the sums far from overflow.
            usize::try_from(u32::from_be_bytes(field)).ok().filter(|count| *count <= 1 << 20)
        };
        Some(Self {
            marks: count(0)? + count(1)?,
            leaps: count(2)?,
            changes: count(3)?,
            types: count(4)?,
            name_len: count(5)?,
        })
    }

    fn body_len(&self, time_len: usize) -> usize {
        self.changes * (time_len + 1)
            + self.types * 6
            + self.name_len
            + self.leaps * (time_len + 4)
            + self.marks
    }
}

impl Rule {
    fn offset_s(&self, unix_s: i64) -> i64 {
        let Some(summer) = &self.summer else { return self.offset_s };
        let (year, _, _) = date((unix_s + self.offset_s).div_euclid(DAY_S));
        let moment = |(day, time): &(Day, i64)| day.in_year(year) * DAY_S + time;
        let start = moment(&summer.start) - self.offset_s;
        let end = moment(&summer.end) - summer.offset_s;
        // South of the equator summer runs over the new year.
        let is_summer = if start <= end {
            start <= unix_s && unix_s < end
        } else {
            unix_s < end || start <= unix_s
        };
        if is_summer { summer.offset_s } else { self.offset_s }
    }
}

impl Day {
    /// Days since 1970.
    fn in_year(&self, year: i64) -> i64 {
        let first = days(year, 1, 1);
        match self {
            Self::OfYear(day) => first + day,
            Self::Julian(day) => {
                let is_leap = days(year, 3, 1) - days(year, 2, 1) == 29;
                first + day - 1 + i64::from(is_leap && 60 <= *day)
            }
            Self::Weekday { month, week, weekday } => {
                let first = days(year, *month, 1);
                let (next_year, next) =
                    if *month == 12 { (year + 1, 1) } else { (year, month + 1) };
                // 1 January 1970 was a Thursday.
                let first_weekday = (first + 4).rem_euclid(7);
                let day = first + (weekday - first_weekday).rem_euclid(7) + (week - 1) * 7;
                if day < days(next_year, next, 1) { day } else { day - 7 }
            }
        }
    }
}

/// Days since 1970 of a date of the Gregorian calendar. Years begin in March here, so that the leap
/// day comes last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The date of a day since 1970.
fn date(day: i64) -> (i64, i64, i64) {
    let day = day + 719_468;
    let era = day.div_euclid(146_097);
    let day_of_era = day.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

/// `name offset [name [offset] [, start [/time] , end [/time]]]`, with offsets counted west of UTC.
fn parse_rule(text: &str) -> Option<Rule> {
    let rest = skip_name(text)?;
    let (west, rest) = take_time(rest)?;
    let offset_s = -west;
    if rest.is_empty() {
        return Some(Rule { offset_s, summer: None });
    }
    let rest = skip_name(rest)?;
    let (summer_offset_s, rest) = match take_time(rest) {
        Some((west, rest)) => (-west, rest),
        None => (offset_s + 3600, rest),
    };
    // Without days, those of the United States count.
    let rest = if rest.is_empty() { ",M3.2.0,M11.1.0" } else { rest };
    let (start, end) = rest.strip_prefix(',')?.split_once(',')?;
    let summer =
        Summer { offset_s: summer_offset_s, start: parse_moment(start)?, end: parse_moment(end)? };
    Some(Rule { offset_s, summer: Some(summer) })
}

fn skip_name(text: &str) -> Option<&str> {
    if let Some(rest) = text.strip_prefix('<') {
        return Some(rest.split_once('>')?.1);
    }
    let len = text.bytes().take_while(u8::is_ascii_alphabetic).count();
    (3 <= len).then(|| &text[len..])
}

/// `[+-]hours[:minutes[:seconds]]` in seconds, and what follows.
fn take_time(text: &str) -> Option<(i64, &str)> {
    let len = text.bytes().take_while(|byte| b"+-:0123456789".contains(byte)).count();
    let (time, rest) = text.split_at(len);
    let (sign, time) = match time.strip_prefix('-') {
        Some(time) => (-1, time),
        None => (1, time.strip_prefix('+').unwrap_or(time)),
    };
    let mut seconds = 0;
    let mut unit = 3600;
    for part in time.split(':') {
        let number: i64 = part.parse::<u16>().ok()?.into();
        seconds += number * unit;
        unit /= 60;
    }
    Some((sign * seconds, rest))
}

fn parse_moment(text: &str) -> Option<(Day, i64)> {
    let (day, time) = text.split_once('/').unwrap_or((text, "2"));
    let (time, rest) = take_time(time)?;
    if !rest.is_empty() {
        return None;
    }
    let number = |text: &str| text.parse::<u16>().ok().map(i64::from);
    let day = if let Some(weekday) = day.strip_prefix('M') {
        let mut fields = weekday.split('.');
        let month = number(fields.next()?).filter(|month| (1..=12).contains(month))?;
        let week = number(fields.next()?).filter(|week| (1..=5).contains(week))?;
        let weekday = number(fields.next()?).filter(|weekday| *weekday <= 6)?;
        Day::Weekday { month, week, weekday }
    } else if let Some(day) = day.strip_prefix('J') {
        Day::Julian(number(day)?)
    } else {
        Day::OfYear(number(day)?)
    };
    Some((day, time))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offset(zone: &str, unix_s: i64) -> i64 {
        Zone::from_posix(zone).unwrap().offset_s(unix_s)
    }

    #[test]
    fn dates_go_both_ways() {
        assert_eq!(date(0), (1970, 1, 1));
        assert_eq!(date(20_778), (2026, 11, 21));
        assert_eq!(days(2000, 2, 29), 11_016);
        for day in (-1_000_000..1_000_000).step_by(997) {
            let (year, month, of_month) = date(day);
            assert_eq!(days(year, month, of_month), day);
        }
    }

    #[test]
    fn rules_know_summer() {
        let berlin = "CET-1CEST,M3.5.0,M10.5.0/3";
        // 2026: summer from 29 March 01:00 UTC until 25 October 01:00 UTC.
        assert_eq!(offset(berlin, 1_774_745_999), 3600);
        assert_eq!(offset(berlin, 1_774_746_000), 7200);
        assert_eq!(offset(berlin, 1_792_889_999), 7200);
        assert_eq!(offset(berlin, 1_792_890_000), 3600);
        let sydney = "AEST-10AEDT,M10.1.0,M4.1.0/3";
        assert_eq!(offset(sydney, 1_767_225_600), 11 * 3600);
        assert_eq!(offset(sydney, 1_782_864_000), 10 * 3600);
        assert_eq!(offset("UTC0", 5), 0);
        assert_eq!(offset("<+0530>-5:30", 5), 19_800);
        assert_eq!(offset("EST5EDT", 1_782_864_000), -4 * 3600);
        assert_eq!(offset("XXX3YYY,J60,300/0", 1_767_225_600), -3 * 3600);
    }

    #[test]
    fn nonsense_is_refused() {
        for bad in ["", "C", "CET", "CET-1CEST,M3.5", "CET-1CEST,M13.1.0,M1.1.0", "<x", "CET99999"]
        {
            assert_eq!(Zone::from_posix(bad), None, "{bad}");
        }
        assert_eq!(Zone::from_file(b"TZif2"), None);
        assert_eq!(Zone::from_file(&[b'T'; 100]), None);
    }

    /// A file with one change at time 1000 from +0 to +1 h, and the rule of Berlin after it.
    fn zone_file() -> Vec<u8> {
        let mut file = Vec::new();
        for time_len in [4_usize, 8] {
            file.extend(b"TZif2");
            file.extend([0; 15]);
            for count in [0_u32, 0, 0, 1, 2, 4] {
                file.extend(count.to_be_bytes());
            }
            let time = 1000_i64.to_be_bytes();
            file.extend(&time[8 - time_len..]);
            file.push(1);
            for offset in [0_i32, 3600] {
                file.extend(offset.to_be_bytes());
                file.extend([0, 0]);
            }
            file.extend(b"CET\0");
        }
        file.extend(b"\nCET-1CEST,M3.5.0,M10.5.0/3\n");
        file
    }

    #[test]
    fn files_are_read() {
        let zone = Zone::from_file(&zone_file()).unwrap();
        assert_eq!(zone.offset_s(999), 0);
        assert_eq!(zone.offset_s(1000), 3600);
        assert_eq!(zone.offset_s(1_774_746_000), 7200);
        for len in 0..zone_file().len() - 1 {
            // No prefix panics.
            let _ = Zone::from_file(&zone_file()[..len]);
        }
    }

    #[test]
    fn the_wall_clock_shows_local_time() {
        let zone = Zone::from_posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        let time = zone.local_time(1_795_234_340);
        assert_eq!((time.year, time.month, time.day), (2026, 11, 21));
        assert_eq!((time.hour, time.minute, time.second), (5, 12, 20));
    }
}
