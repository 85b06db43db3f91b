//! Fills the disk of a real server: writes are refused, reads go on, and it recovers by itself.
//!
//! The disk is a small file system in memory, with ballast in it whose removal makes room again. Whoever may not
//! mount one cannot run this.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::frame::Frame;
use crate::target::launch::Server;
use crate::target::socket::SocketLink;
use crate::target::{Link, Received, WAIT, request};

const DISK_BYTES: usize = 6 << 20;
const BALLAST_BYTES: usize = 3 << 20;
const VALUE_BYTES: usize = 50_000;
/// More values than fit.
const VALUES_MAX: usize = 2 * DISK_BYTES / VALUE_BYTES;
/// Keys that are read meanwhile.
const READS: usize = 16;
/// A server that is well replies sooner.
const PATIENCE: Duration = Duration::from_secs(1);
const PACE: Duration = Duration::from_millis(20);

/// How it ended.
pub enum Outcome {
    Passed(u64),
    /// No disk can be had, and why.
    Skipped(String),
}

/// A small file system, which goes with this.
struct SmallDisk {
    folder: tempfile::TempDir,
}

impl SmallDisk {
    fn mount() -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let size = format!("size={DISK_BYTES}");
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", &size, "none"]).arg(folder.path());
        let output = command.output().map_err(|error| format!("mount: {error}"))?;
        match output.status.success() {
            true => Ok(Self { folder }),
            false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // A server that has just been killed may still hold it; then it goes once it is gone.
        let _ = Command::new("umount").arg("--lazy").arg(self.folder.path()).status();
    }
}

/// Fills the disk under each of these policies.
///
/// # Errors
/// What the server did not do.
#[allow(clippy::print_stdout, reason = "what it does is for the terminal")]
pub fn run(server: &Path, policies: &[String]) -> Result<Outcome, String> {
    for policy in policies {
        let disk = match SmallDisk::mount() {
            Ok(disk) => disk,
            Err(reason) => return Ok(Outcome::Skipped(reason)),
        };
        fill(server, policy, disk.folder.path()).map_err(|error| format!("{policy}: {error}"))?;
        println!("{policy}: refused, and recovered");
    }
    Ok(Outcome::Passed(policies.len() as u64))
}

fn fill(binary: &Path, policy: &str, folder: &Path) -> Result<(), String> {
    let ballast = folder.join("ballast");
    fs::write(&ballast, vec![0; BALLAST_BYTES]).map_err(|error| error.to_string())?;
    let options = ["appendonly", "yes", "appendfsync", policy, "auto-aof-rewrite-percentage", "0"];
    let options = options.map(str::to_owned);
    let server = Server::start_in(folder, binary, &options)?;
    let mut link = open(&server)?;
    let mut accepted = 0;
    let end = loop {
        if accepted == VALUES_MAX {
            return Err("all was accepted, though it cannot fit".to_owned());
        }
        match set(&mut *link, accepted, PATIENCE)? {
            Answer::Accepted => accepted += 1,
            other => break other,
        }
    };
    // What is not safe is not replied to, so under always there is a first one that just waits.
    let is_waiting = matches!(end, Answer::None);
    if is_waiting && policy != "always" {
        return Err("a write waits".to_owned());
    }
    let refused = match end {
        Answer::Refused(text) => text,
        _ => match set(&mut *open(&server)?, VALUES_MAX, PATIENCE)? {
            Answer::Refused(text) => text,
            _ => return Err("it takes writes though the disk is full".to_owned()),
        },
    };
    if !refused.starts_with("MISCONF") || !refused.contains("No space left on device") {
        return Err(format!("refused with: {refused}"));
    }
    reads_go_on(&server, accepted)?;
    fs::remove_file(&ballast).map_err(|error| error.to_string())?;
    if is_waiting {
        match link.receive(WAIT)? {
            Received::Frame(Frame::Simple(_)) => {}
            other => return Err(format!("the write that waited ended with {other:?}")),
        }
    } else {
        wait_until_accepted(&mut *link, accepted)?;
    }
    accepted += 1;
    for _ in 0..2 {
        let Answer::Accepted = set(&mut *link, accepted, WAIT)? else {
            return Err("it is well again, and refuses more".to_owned());
        };
        accepted += 1;
    }
    check(&mut *link, accepted)?;
    // Whatever the policy says, within two seconds all is safe.
    thread::sleep(Duration::from_secs(2));
    server.kill()?;
    let server = Server::start_in(folder, binary, &options)?;
    check(&mut *open(&server)?, accepted)
}

/// What a server says to a write.
enum Answer {
    Accepted,
    None,
    Refused(String),
}

/// Keys can be read, but for those that share a lock with what waits to be safe.
fn reads_go_on(server: &Server, accepted: usize) -> Result<(), String> {
    let mut waiting = 0;
    for number in 0..READS {
        let mut link = open(server)?;
        link.send(&request(&[b"GET".to_vec(), format!("key:{number}").into_bytes()]))?;
        match link.receive(PATIENCE)? {
            Received::Frame(frame) if frame.text() == Some(value(number).as_bytes()) => {}
            Received::Nothing => waiting += 1,
            other => return Err(format!("key:{number} of {accepted} is read as {other:?}")),
        }
    }
    if waiting <= READS / 4 { Ok(()) } else { Err(format!("{waiting} of {READS} reads wait")) }
}

fn open(server: &Server) -> Result<Box<dyn Link>, String> {
    Ok(Box::new(SocketLink::open(server.port)?))
}

/// Sets one more key.
fn set(
    link: &mut (dyn Link + 'static),
    number: usize,
    patience: Duration,
) -> Result<Answer, String> {
    let key = format!("key:{number}");
    let words = [b"SET".to_vec(), key.into_bytes(), value(number).into_bytes()];
    link.send(&request(&words))?;
    match link.receive(patience)? {
        Received::Frame(Frame::Error(text)) => {
            Ok(Answer::Refused(String::from_utf8_lossy(&text).into_owned()))
        }
        Received::Frame(_) => Ok(Answer::Accepted),
        Received::Nothing => Ok(Answer::None),
        Received::Closed => Err("the server has closed the connection".to_owned()),
    }
}

/// Waits until a write is accepted, for which nobody has to do anything.
fn wait_until_accepted(link: &mut (dyn Link + 'static), number: usize) -> Result<(), String> {
    let deadline = Instant::now() + WAIT;
    loop {
        match set(link, number, WAIT)? {
            Answer::Accepted => return Ok(()),
            Answer::None => return Err("no reply to a write".to_owned()),
            Answer::Refused(text) if deadline < Instant::now() => {
                return Err(format!("still refused though there is room: {text}"));
            }
            Answer::Refused(_) => thread::sleep(PACE),
        }
    }
}

/// The keys that were accepted can be read, and there are no others but one that was refused too late.
fn check(link: &mut (dyn Link + 'static), accepted: usize) -> Result<(), String> {
    for number in 0..accepted {
        let found = link.call(&["GET", &format!("key:{number}")])?;
        if found.text() != Some(value(number).as_bytes()) {
            return Err(format!("key:{number} of {accepted} is not there"));
        }
    }
    match link.call(&["DBSIZE"])? {
        Frame::Integer(count) if count as usize <= accepted + 1 => Ok(()),
        other => Err(format!("{accepted} keys were accepted, and there are {other:?}")),
    }
}

fn value(number: usize) -> String {
    format!("{number}:").repeat(VALUE_BYTES / format!("{number}:").len())
}
