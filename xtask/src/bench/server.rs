//! A server under measurement: which program it is, one running process of it, and what that costs.
//!
//! A process is stopped when its `Server` is dropped, on whatever path that happens. If this
//! program itself is killed, `setpriv`, where there is one, has the kernel stop the server too.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use super::machine::kilobytes;
use crate::process::{self, Outcome};

const START_TIME_MAX: Duration = Duration::from_secs(20);
/// How long one that has a snapshot to load may take.
const LOAD_TIME_MAX: Duration = Duration::from_secs(180);
const POLL: Duration = Duration::from_millis(2);
/// In a second, as the kernel counts processor time.
const TICKS: f64 = 100.0;

/// A program that speaks the protocol.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Program {
    /// As in tables: `Valkey 9.1.2`.
    pub(crate) name: String,
    /// What `--version` says.
    pub(crate) version: String,
    pub(crate) path: PathBuf,
}

impl Program {
    /// Asks the program who it is.
    ///
    /// # Errors
    /// If it cannot be run.
    pub(crate) fn identify(path: &Path) -> Outcome<Self> {
        // Absolute, as servers start in folders of their own; links stay, as some programs look
        // at the name that they are called by.
        let path =
            std::path::absolute(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let version = process::output(Command::new(&path).arg("--version"))?;
        let version = version.lines().next().unwrap_or_default().to_owned();
        Ok(Self { name: name(&version), version, path })
    }
}

/// `Redis server v=8.0.6 sha=… ` becomes `Redis 8.0.6`. Ochre says the same, as clients look at it;
/// its own version is in the build.
fn name(version: &str) -> String {
    if let Some((_, own)) = version.split_once("build=ochre-") {
        return format!("Ochre {}", own.split(' ').next().unwrap_or(own));
    }
    let product = version.split([' ', '-']).next().unwrap_or("server");
    let mut letters = product.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    let product: String = first.into_iter().chain(letters).collect();
    let number = version.split_whitespace().find_map(|word| {
        let word = word.strip_prefix("v=").unwrap_or(word);
        word.starts_with(|letter: char| letter.is_ascii_digit()).then_some(word)
    });
    match number {
        Some(number) => format!("{product} {number}"),
        None => product,
    }
}

/// How a server is started.
#[derive(Clone, Debug, Default)]
pub(crate) struct Setup {
    /// Cores for `taskset`; anywhere without.
    pub(crate) pin: Option<String>,
    pub(crate) io_threads: Option<usize>,
    pub(crate) enables_debug: bool,
    /// When the append-only file is synced; without, there is none.
    pub(crate) appendfsync: Option<&'static str>,
    /// What it loads first.
    pub(crate) snapshot: Option<PathBuf>,
}

/// A running process with a folder and a port of its own.
pub(crate) struct Server {
    pub(crate) port: u16,
    child: Child,
    folder: TempDir,
}

impl Server {
    /// Starts it and waits until it answers.
    ///
    /// # Errors
    /// With the end of its log if it does not.
    pub(crate) fn start(program: &Program, setup: &Setup) -> Outcome<Self> {
        let fail = |error: std::io::Error| format!("{}: {error}", program.name);
        let folder = TempDir::new().map_err(fail)?;
        let port = free_port().map_err(fail)?;
        let log = File::create(folder.path().join("log")).map_err(fail)?;
        let mut command = pinned(&program.path, setup.pin.as_deref(), Priority::Normal);
        command.args(["--port", &port.to_string(), "--save", ""]);
        match setup.appendfsync {
            None => command.args(["--appendonly", "no"]),
            Some(policy) => command.args(["--appendonly", "yes", "--appendfsync", policy]),
        };
        command.args(["--daemonize", "no", "--protected-mode", "no"]);
        if let Some(threads) = setup.io_threads {
            command.args(["--io-threads", &threads.to_string()]);
        }
        if setup.enables_debug {
            command.args(["--enable-debug-command", "yes"]);
        }
        command.current_dir(folder.path()).stdin(Stdio::null());
        command.stderr(log.try_clone().map_err(fail)?).stdout(log);
        let mut patience = START_TIME_MAX;
        if let Some(snapshot) = &setup.snapshot {
            symlink(snapshot, folder.path().join("dump.rdb")).map_err(fail)?;
            patience = LOAD_TIME_MAX;
        }
        let child = command.spawn().map_err(fail)?;
        let mut server = Self { port, child, folder };
        server
            .wait_until_ready(patience)
            .map_err(|reason| format!("{}: {reason}", program.name))?;
        Ok(server)
    }

    fn wait_until_ready(&mut self, patience: Duration) -> Outcome {
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(format!("it ended at start with {status}\n{}", self.log_end()));
            }
            if self.answers() {
                return Ok(());
            }
            thread::sleep(POLL);
        }
        Err(format!("it does not answer on port {}\n{}", self.port, self.log_end()))
    }

    fn answers(&self) -> bool {
        let Ok(mut stream) = self.connect() else { return false };
        let asked = stream.write_all(b"PING\r\n");
        let mut reply = [0; 5];
        asked.and_then(|()| stream.read_exact(&mut reply)).is_ok() && reply == *b"+PONG"
    }

    fn log_end(&self) -> String {
        let log = fs::read(self.folder.path().join("log")).unwrap_or_default();
        let start = log.len().saturating_sub(2000);
        String::from_utf8_lossy(&log[start..]).into_owned()
    }

    /// A connection that waits at most a minute for anything.
    pub(crate) fn connect(&self) -> std::io::Result<TcpStream> {
        connect(self.port)
    }

    /// Processor time of all its threads so far, in nanoseconds, as the scheduler counts it.
    pub(crate) fn processor_nanos(&self) -> u64 {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id()));
        let of_task = |task: std::io::Result<fs::DirEntry>| {
            let text = fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
            text.split_whitespace().next()?.parse::<u64>().ok()
        };
        tasks.into_iter().flatten().filter_map(of_task).sum()
    }

    /// Processor time of the process, of threads that have ended and of children that have been waited for as
    /// well, in seconds.
    pub(crate) fn processor_seconds(&self) -> f64 {
        let text = fs::read_to_string(format!("/proc/{}/stat", self.child.id()));
        let text = text.unwrap_or_default();
        // The name may hold anything; what comes behind it begins with the third field.
        let fields = text.rsplit(") ").next().unwrap_or_default().split(' ');
        let ticks = fields.skip(11).take(4).map(|field| field.parse().unwrap_or(0.0));
        ticks.sum::<f64>() / TICKS
    }

    /// Where its files are.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The number of its process.
    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    /// Resident memory in bytes.
    pub(crate) fn resident_bytes(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = fs::read_to_string(path).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.map_or(0, kilobytes) * 1024
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Fails only if it has ended by itself, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Who goes first where processes want the same core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Priority {
    Background,
    Normal,
}

/// `program`, on these cores only, and stopped with us.
pub(crate) fn pinned(program: &Path, cores: Option<&str>, priority: Priority) -> Command {
    let mut words: Vec<&str> = Vec::new();
    if priority == Priority::Background {
        words.extend(["nice", "-n", "19"]);
    }
    if process::is_installed("setpriv") {
        words.extend(["setpriv", "--pdeathsig", "KILL"]);
    }
    if let Some(cores) = cores {
        words.extend(["taskset", "-c", cores]);
    }
    match words.split_first() {
        Some((first, rest)) => {
            let mut command = Command::new(first);
            command.args(rest).arg(program);
            command
        }
        None => Command::new(program),
    }
}

pub(crate) fn connect(port: u16) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    Ok(stream)
}

fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_named_by_what_they_say() {
        for (version, expected) in [
            ("Redis server v=8.0.6 sha=00000000:1 malloc=jemalloc-5.3.0 bits=64", "Redis 8.0.6"),
            ("Valkey server v=9.1.2 sha=0:0", "Valkey 9.1.2"),
            (
                "Redis server v=8.0.6 sha=0:0 malloc=jemalloc bits=64 build=ochre-0.1.0",
                "Ochre 0.1.0",
            ),
            ("ochre-server 0.1.0", "Ochre 0.1.0"),
            ("thing", "Thing"),
        ] {
            assert_eq!(name(version), expected);
        }
    }
}
