//! The log: lines in the form that tools for Redis read, to standard output or a file.
//!
//! `PID:ROLE DAY MONTH YEAR TIME LEVEL message`, in local time, with one character each for role
//! and level. A line below the chosen level costs one atomic load. The file is opened for every
//! line, as programs that rotate logs by renaming them expect; the log is no place for speed. A
//! line that cannot be written is dropped: there is nowhere to say so. With `syslog-enabled` the
//! system's log gets each message as well.

mod syslog;
mod zone;

use std::fmt::{self, Write as _};
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;

use crate::config::Settings;
use syslog::Syslog;
use zone::{LocalTime, Zone};

/// How important a line is, least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Level {
    Debug,
    Verbose,
    Notice,
    Warning,
    /// As a threshold: no line at all.
    Nothing,
}

/// What the process is, for the letter before the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Role {
    Child = b'C',
    Primary = b'M',
    Replica = b'S',
    Sentinel = b'X',
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    Json,
    #[default]
    Legacy,
    Logfmt,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimeFormat {
    Iso8601,
    #[default]
    Legacy,
    Milliseconds,
}

/// The threshold. `Relaxed`: nothing else hangs on when a thread sees a new one.
static LEVEL: AtomicU8 = AtomicU8::new(Level::Notice as u8);
/// `Relaxed` for the same reason.
static ROLE: AtomicU8 = AtomicU8::new(Role::Primary as u8);
/// Where lines go and how they look; held while one is written, so that lines don't mix.
static OUTPUT: Mutex<Output> = Mutex::new(Output {
    file: None,
    format: Format::Legacy,
    syslog: None,
    time_format: TimeFormat::Legacy,
});
static ZONE: LazyLock<Zone> = LazyLock::new(Zone::local);

struct Output {
    file: Option<PathBuf>,
    format: Format,
    syslog: Option<Syslog>,
    time_format: TimeFormat,
}

/// Takes level, places and form from the settings, at start and after a change.
pub fn configure(settings: &Settings) {
    LEVEL.store(settings.loglevel as u8, Ordering::Relaxed);
    let mut output = OUTPUT.lock();
    output.file = settings.logfile.as_ref().map(|path| settings.dir.join(path));
    output.format = settings.log_format;
    output.time_format = settings.log_time_format;
    if output.syslog.as_ref().map(|syslog| &syslog.name) != settings.syslog.as_ref() {
        output.syslog = settings.syslog.clone().map(Syslog::new);
    }
}

/// Sets the letter that lines show from now on.
pub fn set_role(role: Role) {
    ROLE.store(role as u8, Ordering::Relaxed);
}

/// Whether a line of this level would be written: for callers whose message is costly to make.
pub fn is_enabled(level: Level) -> bool {
    LEVEL.load(Ordering::Relaxed) <= level as u8
}

pub fn debug(message: fmt::Arguments<'_>) {
    write(Level::Debug, message);
}

pub fn verbose(message: fmt::Arguments<'_>) {
    write(Level::Verbose, message);
}

pub fn notice(message: fmt::Arguments<'_>) {
    write(Level::Notice, message);
}

pub fn warning(message: fmt::Arguments<'_>) {
    write(Level::Warning, message);
}

/// Writes one line, if its level is high enough.
pub fn write(level: Level, message: fmt::Arguments<'_>) {
    if !is_enabled(level) {
        return;
    }
    let stamp = Stamp {
        process: process::id(),
        role: ROLE.load(Ordering::Relaxed),
        level,
        unix_ms: unix_ms(),
        zone: &ZONE,
    };
    let mut output = OUTPUT.lock();
    let line = stamp.line(output.format, output.time_format, message);
    emit(&output, &line);
    if let Some(syslog) = &mut output.syslog {
        syslog.send(&stamp, message);
    }
}

/// Writes text as it is, without a stamp: the banner.
pub fn raw(text: &str) {
    if is_enabled(Level::Notice) {
        emit(&OUTPUT.lock(), text);
    }
}

fn emit(output: &Output, text: &str) {
    let _dropped = match &output.file {
        Some(path) => OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .and_then(|mut file| file.write_all(text.as_bytes())),
        None => {
            let mut stdout = io::stdout().lock();
            stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush())
        }
    };
}

fn unix_ms() -> i64 {
    // A clock before 1970 shows as 1970.
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// All that stands before the message.
struct Stamp<'a> {
    process: u32,
    role: u8,
    level: Level,
    unix_ms: i64,
    zone: &'a Zone,
}

impl Stamp<'_> {
    fn line(&self, format: Format, time: TimeFormat, message: fmt::Arguments<'_>) -> String {
        let mut line = String::with_capacity(128);
        let (process, time) = (self.process, self.time(time));
        let (role, level) = (self.role_name(), self.level_name());
        let _ = match format {
            Format::Legacy => {
                let (role, level) = (char::from(self.role), self.level_mark());
                write!(line, "{process}:{role} {time} {level} {message}")
            }
            Format::Logfmt => {
                let message = escaped(&message.to_string());
                write!(
                    line,
                    "pid={process} role={role} timestamp=\"{time}\" level={level} message=\"{message}\""
                )
            }
            Format::Json => {
                let message = escaped(&message.to_string());
                write!(
                    line,
                    "{{\"pid\":{process},\"role\":\"{role}\",\"timestamp\":\"{time}\",\
                     \"level\":\"{level}\",\"message\":\"{message}\"}}"
                )
            }
        };
        line.push('\n');
        line
    }

    fn time(&self, format: TimeFormat) -> String {
        if format == TimeFormat::Milliseconds {
            return self.unix_ms.to_string();
        }
        let ms = self.unix_ms.rem_euclid(1000);
        let local = self.zone.local_time(self.unix_ms.div_euclid(1000));
        let LocalTime { year, month, day, hour, minute, second, offset_s } = local;
        if format == TimeFormat::Legacy {
            let month = MONTHS[usize::from(month) - 1];
            return format!("{day:02} {month} {year} {hour:02}:{minute:02}:{second:02}.{ms:03}");
        }
        let sign = if offset_s < 0 { '-' } else { '+' };
        let offset_minutes = offset_s.abs() / 60;
        format!(
            "{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}{sign}{:02}:{:02}",
            offset_minutes / 60,
            offset_minutes % 60,
        )
    }

    fn role_name(&self) -> &'static str {
        match self.role {
            b'C' => "child",
            b'S' => "replica",
            b'X' => "sentinel",
            _ => "primary",
        }
    }

    fn level_name(&self) -> &'static str {
        match self.level {
            Level::Debug => "debug",
            Level::Verbose => "verbose",
            Level::Notice => "notice",
            Level::Warning | Level::Nothing => "warning",
        }
    }

    fn level_mark(&self) -> char {
        match self.level {
            Level::Debug => '.',
            Level::Verbose => '-',
            Level::Notice => '*',
            Level::Warning | Level::Nothing => '#',
        }
    }
}

/// The text as it may stand between double quotes in JSON, which suits logfmt as well.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control if u32::from(control) < 0x20 => {
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(format: Format, time: TimeFormat, level: Level, message: &str) -> String {
        let zone = Zone::from_posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        let stamp =
            Stamp { process: 7, role: b'M', level, unix_ms: 1_795_234_340_148, zone: &zone };
        stamp.line(format, time, format_args!("{message}"))
    }

    #[test]
    fn legacy_lines() {
        let legacy = |level, message| line(Format::Legacy, TimeFormat::Legacy, level, message);
        assert_eq!(legacy(Level::Notice, "hello"), "7:M 21 Nov 2026 05:12:20.148 * hello\n");
        for (level, mark) in [(Level::Debug, '.'), (Level::Verbose, '-'), (Level::Warning, '#')] {
            assert!(legacy(level, "x").ends_with(&format!(" {mark} x\n")));
        }
    }

    #[test]
    fn other_forms() {
        assert_eq!(
            line(Format::Legacy, TimeFormat::Iso8601, Level::Notice, "x"),
            "7:M 2026-11-21T05:12:20.148+01:00 * x\n"
        );
        assert_eq!(
            line(Format::Logfmt, TimeFormat::Milliseconds, Level::Notice, "a \"b\""),
            "pid=7 role=primary timestamp=\"1795234340148\" level=notice message=\"a \\\"b\\\"\"\n"
        );
        assert_eq!(
            line(Format::Json, TimeFormat::Legacy, Level::Warning, "a\nb\u{1}"),
            "{\"pid\":7,\"role\":\"primary\",\"timestamp\":\"21 Nov 2026 05:12:20.148\",\
             \"level\":\"warning\",\"message\":\"a\\nb\\u0001\"}\n"
        );
    }

    #[test]
    fn a_rotated_file_is_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let output = Output {
            file: Some(path.clone()),
            format: Format::Legacy,
            syslog: None,
            time_format: TimeFormat::Legacy,
        };
        emit(&output, "one\n");
        std::fs::rename(&path, folder.path().join("log.1")).unwrap();
        emit(&output, "two\n");
        emit(&output, "three\n");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "two\nthree\n");
    }

    #[test]
    fn levels_filter() {
        assert!(is_enabled(Level::Warning));
        assert!(!is_enabled(Level::Debug));
        assert!(Level::Debug < Level::Nothing);
    }
}
