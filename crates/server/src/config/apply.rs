//! What settings do to the process: folder, pid file, background, supervisor, score, socket.
//!
//! Everything here is done through files and the standard library alone. Turning huge pages off and
//! writing the process title need system calls, which live in `sys`.

use std::env;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{self, Command, Stdio};

use super::settings::{OomScoreAdj, Settings, Supervised};
use super::table::{ROWS, Status};
use super::value::os_reason;
use super::{Changes, Config, Dialect, dialect};
use crate::log::Level;

/// Tells the second run of a server in the background that it is the second.
const DETACHED: &str = "OCHRE_DETACHED";

/// A line for the log about the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    pub level: Level,
    pub text: String,
}

/// One line for each named setting that differs from its default and has no effect here. With
/// `changes`, only about the settings that they touch.
pub(super) fn notes(config: &Config, changes: Option<&Changes>) -> Vec<Note> {
    let is_asked = |index: usize| changes.is_none_or(|changes| changes.holds(index));
    let mut notes = Vec::new();
    for (index, row) in ROWS.iter().enumerate() {
        let differs = config.values[index] != config.defaults[index];
        if row.status == Status::Kept && config.is_named[index] && differs && is_asked(index) {
            let name = row.canonical_name(config.dialect);
            let text = format!("The setting {name} is accepted and has no effect here");
            notes.push(Note { level: Level::Notice, text });
        }
    }
    notes
}

/// Whether the log can be written where the settings say.
pub(super) fn check_logfile(settings: &Settings) -> Result<(), String> {
    let Some(path) = &settings.logfile else { return Ok(()) };
    let path = settings.dir.join(path);
    match OpenOptions::new().append(true).create(true).open(path) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("Can't open the log file: {}", os_reason(&error))),
    }
}

/// Goes to the folder that the settings name; relative paths count from there.
pub fn enter_folder(settings: &Settings) -> io::Result<()> {
    env::set_current_dir(&settings.dir)
}

/// Writes the process number where the settings say. A failure is for the log and no reason to
/// stop.
pub fn write_pidfile(settings: &Settings) -> io::Result<()> {
    match &settings.pidfile {
        Some(path) => fs::write(path, format!("{}\n", process::id())),
        None => Ok(()),
    }
}

/// Takes the pid file away at the end.
pub fn remove_pidfile(settings: &Settings) {
    if let Some(path) = &settings.pidfile {
        // Somebody may have tidied it up already.
        let _ = fs::remove_file(path);
    }
}

/// What became of a wish to run in the background.
#[derive(Debug, PartialEq, Eq)]
pub enum Detached {
    /// This process goes on: it is the one in the background, or nobody asked for one.
    GoOn,
    /// Another process has taken over; this one ends with success.
    TakenOver,
}

/// Runs the program once more, with the same arguments, in a process group of its own and without a
/// terminal. The settings have been read by then, so that their errors are seen; `standard_input`
/// is what was read of it, for the second run to read again.
pub fn detach(settings: &Settings, standard_input: &[u8]) -> io::Result<Detached> {
    if !settings.daemonize || env::var_os(DETACHED).is_some() {
        return Ok(Detached::GoOn);
    }
    let mut arguments = env::args_os();
    let program = arguments.next().unwrap_or_default();
    let mut child = Command::new(env::current_exe()?)
        .arg0(program)
        .args(arguments)
        .env(DETACHED, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()?;
    if let Some(mut pipe) = child.stdin.take() {
        // A second run that reads nothing may have closed its end.
        let _ = pipe.write_all(standard_input);
    }
    Ok(Detached::TakenOver)
}

/// Tells systemd something (`READY=1`, `STOPPING=1`), when it started the server and wants to know.
/// Gives back whether it was told.
pub fn notify_supervisor(settings: &Settings, state: &str) -> io::Result<bool> {
    if !matches!(settings.supervised, Supervised::Auto | Supervised::Systemd) {
        return Ok(false);
    }
    let Some(place) = env::var_os("NOTIFY_SOCKET") else { return Ok(false) };
    notify(Path::new(&place), state)?;
    Ok(true)
}

fn notify(place: &Path, state: &str) -> io::Result<()> {
    let socket = UnixDatagram::unbound()?;
    let address = match place.to_str().and_then(|text| text.strip_prefix('@')) {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(place)?,
    };
    socket.send_to_addr(state.as_bytes(), &address)?;
    Ok(())
}

/// Sets the score that the kernel's out-of-memory killer goes by, for a primary. `at_start` is the
/// score that the process began with, which relative scores add to.
pub fn set_oom_score(settings: &Settings, at_start: i32) -> io::Result<()> {
    let [score, ..] = settings.oom_score_adj_values;
    let score = match settings.oom_score_adj {
        OomScoreAdj::No => return Ok(()),
        OomScoreAdj::Absolute => score,
        OomScoreAdj::Relative => at_start.saturating_add(score),
    };
    fs::write("/proc/self/oom_score_adj", score.clamp(-1000, 1000).to_string())
}

/// The score that the process has now.
pub fn oom_score() -> i32 {
    let text = fs::read_to_string("/proc/self/oom_score_adj").unwrap_or_default();
    text.trim().parse().unwrap_or(0)
}

/// Names the process as `ps` and `top` show it in short form; the kernel cuts it at 15 bytes.
pub fn set_process_name(dialect: Dialect) -> io::Result<()> {
    fs::write("/proc/self/comm", format!("{}-server", dialect::facts(dialect).name))
}

/// Gives a Unix socket the mode and group that the settings name.
pub fn own_socket(settings: &Settings, path: &Path) -> io::Result<()> {
    if settings.unixsocketperm != 0 {
        fs::set_permissions(path, fs::Permissions::from_mode(settings.unixsocketperm))?;
    }
    let Some(group) = &settings.unixsocketgroup else { return Ok(()) };
    let known = fs::read_to_string("/etc/group").unwrap_or_default();
    let id = group_id(&known, group).ok_or_else(|| {
        io::Error::new(io::ErrorKind::NotFound, format!("there is no group {group}"))
    })?;
    chown(path, None, Some(id))
}

/// The number of a group by its name, or the number itself.
fn group_id(known: &str, group: &str) -> Option<u32> {
    let by_name = known.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(group)).then(|| fields.nth(1)?.parse().ok()).flatten()
    });
    by_name.or_else(|| group.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::super::{Caller, Machine};
    use super::*;

    fn load(text: &str) -> Config {
        let machine = Machine { cores: 2, memory_bytes: 1000 };
        Config::from_text(text.as_bytes(), Dialect::Redis, machine).unwrap()
    }

    fn texts(text: &str) -> Vec<String> {
        load(text).notes().into_iter().map(|note| note.text).collect()
    }

    #[test]
    fn notes_name_what_has_no_effect() {
        assert_eq!(texts("save \"\"\ndynamic-hz yes\nport 7000"), [] as [&str; 0]);
        assert_eq!(
            texts("save \"\"\ndynamic-hz no"),
            ["The setting dynamic-hz is accepted and has no effect here"]
        );
        assert_eq!(texts("appendonly yes"), [] as [&str; 0]);
        assert_eq!(texts(""), [] as [&str; 0]);
    }

    #[test]
    fn changes_are_noted_alone() {
        let mut config = load("dynamic-hz no");
        let pairs: [(&[u8], &[u8]); 2] = [(b"save", b"60 1"), (b"activedefrag", b"yes")];
        let changes = config.set_many(&pairs, Caller::Local).unwrap();
        let notes = config.notes_about(&changes);
        assert_eq!(notes.len(), 1);
        assert!(notes[0].text.contains("activedefrag"));
    }

    #[test]
    fn pidfile_comes_and_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("server.pid");
        let settings = load(&format!("pidfile {}", path.display())).settings();
        write_pidfile(&settings).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", process::id()));
        remove_pidfile(&settings);
        assert!(!path.exists());
        assert_eq!(load("daemonize yes").settings().pidfile, Some("/var/run/redis.pid".into()));
        assert_eq!(load("").settings().pidfile, None);
    }

    #[test]
    fn supervisor_hears_on_both_kinds_of_sockets() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        notify(&path, "READY=1").unwrap();
        let mut buffer = [0; 16];
        let len = socket.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..len], b"READY=1");

        let name = format!("ochre-test-{}", process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let socket = UnixDatagram::bind_addr(&address).unwrap();
        notify(Path::new(&format!("@{name}")), "STOPPING=1").unwrap();
        let len = socket.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..len], b"STOPPING=1");
        assert!(!notify_supervisor(&load("").settings(), "READY=1").unwrap());
    }

    #[test]
    fn groups_are_found_by_name_or_number() {
        let known = "root:x:0:\nwww-data:x:33:a,b\n";
        assert_eq!(group_id(known, "www-data"), Some(33));
        assert_eq!(group_id(known, "44"), Some(44));
        assert_eq!(group_id(known, "nobody"), None);
    }

    #[test]
    fn sockets_get_their_mode() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        fs::write(&path, "").unwrap();
        own_socket(&load("unixsocketperm 700").settings(), &path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
    }
}
