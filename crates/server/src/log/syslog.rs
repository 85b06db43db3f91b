//! The system's log: messages as datagrams to its socket, in the form that the C library's `syslog` gives them.
//!
//! `<PRIORITY>MONTH DAY TIME IDENT[PID]: message`. A log that is not there is looked for again with
//! the next message, since it may be started later than the server; one that takes nothing holds a
//! message up for [`SEND_TIME_MAX`], and the message is dropped.

use std::fmt;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::time::Duration;

use super::zone::LocalTime;
use super::{Level, MONTHS, Stamp};
use crate::config::SyslogName;

/// Where systems have it.
const SOCKET: &str = "/dev/log";
/// How long a message waits for a log that is behind.
const SEND_TIME_MAX: Duration = Duration::from_millis(100);

/// The way to the system's log.
pub(super) struct Syslog {
    pub(super) name: SyslogName,
    path: PathBuf,
    socket: Option<UnixDatagram>,
}

impl Syslog {
    pub(super) fn new(name: SyslogName) -> Self {
        Self { name, path: SOCKET.into(), socket: None }
    }

    /// Sends one message.
    pub(super) fn send(&mut self, stamp: &Stamp<'_>, message: fmt::Arguments<'_>) {
        let datagram = self.datagram(stamp, message);
        let is_sent = |socket: &UnixDatagram| socket.send(datagram.as_bytes()).is_ok();
        if self.socket.as_ref().is_some_and(is_sent) {
            return;
        }
        // It is not there yet, or has been started anew.
        self.socket = self.connect().ok().filter(is_sent);
    }

    fn connect(&self) -> io::Result<UnixDatagram> {
        let socket = UnixDatagram::unbound()?;
        socket.set_write_timeout(Some(SEND_TIME_MAX))?;
        socket.connect(&self.path)?;
        Ok(socket)
    }

    fn datagram(&self, stamp: &Stamp<'_>, message: fmt::Arguments<'_>) -> String {
        let SyslogName { facility, ident } = &self.name;
        let severity = match stamp.level {
            Level::Debug => 7,
            Level::Verbose => 6,
            Level::Notice => 5,
            Level::Warning | Level::Nothing => 4,
        };
        let priority = facility * 8 + severity;
        let local = stamp.zone.local_time(stamp.unix_ms.div_euclid(1000));
        let LocalTime { month, day, hour, minute, second, .. } = local;
        let month = MONTHS[usize::from(month) - 1];
        let process = stamp.process;
        format!(
            "<{priority}>{month} {day:2} {hour:02}:{minute:02}:{second:02} {ident}[{process}]: {message}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::zone::Zone;
    use super::*;

    #[test]
    fn messages_arrive_also_when_the_log_comes_later_or_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let name = SyslogName { facility: 16, ident: "redis".into() };
        let mut syslog = Syslog { path: path.clone(), ..Syslog::new(name) };
        let zone = Zone::from_posix("UTC0").unwrap();
        let stamp = |level| Stamp {
            process: 7,
            role: b'M',
            level,
            unix_ms: 1_780_628_645_148,
            zone: &zone,
        };
        syslog.send(&stamp(Level::Notice), format_args!("nobody hears this"));
        let mut received = [0; 200];
        for (level, expected) in [
            (Level::Warning, "<132>Jun  5 03:04:05 redis[7]: a message"),
            (Level::Debug, "<135>Jun  5 03:04:05 redis[7]: a message"),
        ] {
            let log = UnixDatagram::bind(&path).unwrap();
            syslog.send(&stamp(level), format_args!("a {}", "message"));
            let len = log.recv(&mut received).unwrap();
            assert_eq!(String::from_utf8_lossy(&received[..len]), expected);
            std::fs::remove_file(&path).unwrap();
        }
    }
}
