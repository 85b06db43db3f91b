//! Starts a server on a free port in a folder of its own, and stops it again.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::socket::SocketLink;
use super::{Link, WAIT, request};
use crate::frame::Frame;

/// A running server; dropping it ends the process and removes its folder, if that is its own.
pub struct Server {
    pub port: u16,
    child: Child,
    folder: PathBuf,
    /// Removed when the server is dropped.
    own: Option<TempDir>,
}

impl Server {
    /// Starts `binary` with settings that make it forget everything and let tests look inside.
    /// `options` are more settings: name, value, name, value.
    ///
    /// # Errors
    /// When it does not answer; the message ends with what it wrote.
    pub fn start(binary: &Path, options: &[String]) -> Result<Self, String> {
        let own = tempfile::tempdir().map_err(|error| format!("{}: {error}", binary.display()))?;
        let mut server = Self::start_in(own.path(), binary, options)?;
        server.own = Some(own);
        Ok(server)
    }

    /// As [`Server::start`], in a folder that is there and stays.
    ///
    /// # Errors
    /// When it does not answer; the message ends with what it wrote.
    pub fn start_in(folder: &Path, binary: &Path, options: &[String]) -> Result<Self, String> {
        let mut last = String::new();
        // Between finding a free port and its use another program may take it.
        for _ in 0..3 {
            match Self::try_start(folder, binary, options) {
                Ok(server) => return Ok(server),
                Err(message) => last = message,
            }
        }
        Err(last)
    }

    fn try_start(folder: &Path, binary: &Path, options: &[String]) -> Result<Self, String> {
        let fail = |error: std::io::Error| format!("{}: {error}", binary.display());
        let port = free_port().map_err(fail)?;
        let log = File::create(folder.join("log")).map_err(fail)?;
        let mut command = Command::new(binary);
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""]);
        command.args(["--appendonly", "no", "--enable-debug-command", "yes"]);
        command.arg("--dir").arg(folder);
        for pair in options.chunks(2) {
            command.arg(format!("--{}", pair[0])).args(&pair[1..]);
        }
        command.stdin(Stdio::null());
        command.stdout(log.try_clone().map_err(fail)?).stderr(log);
        let child = command.spawn().map_err(fail)?;
        let mut server = Self { port, child, folder: folder.to_owned(), own: None };
        server.wait_until_ready()?;
        Ok(server)
    }

    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// What the server has written so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// Kills it, as the system does when memory is short: it learns nothing of it.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn kill(mut self) -> Result<(), String> {
        self.child.kill().and_then(|()| self.child.wait()).map_err(|error| error.to_string())?;
        Ok(())
    }

    /// Has it end by itself. It has written all that belongs into its append-only file then.
    ///
    /// # Errors
    /// When it does not end.
    pub fn shut_down(mut self) -> Result<(), String> {
        let mut link = SocketLink::open(self.port)?;
        link.send(&request(&[b"SHUTDOWN".to_vec(), b"NOSAVE".to_vec()]))?;
        let deadline = Instant::now() + WAIT;
        while Instant::now() < deadline {
            match self.child.try_wait() {
                Ok(Some(status)) if status.success() => return Ok(()),
                Ok(Some(status)) => return Err(format!("it ended with {status}:\n{}", self.log())),
                _ => std::thread::sleep(Duration::from_millis(2)),
            }
        }
        Err(format!("the server does not end:\n{}", self.log()))
    }

    fn wait_until_ready(&mut self) -> Result<(), String> {
        let deadline = Instant::now() + WAIT;
        while Instant::now() < deadline {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(format!("the server ended at once, {status}:\n{}", self.log()));
            }
            if let Ok(link) = SocketLink::open(self.port) {
                let mut link: Box<dyn Link> = Box::new(link);
                // A server that is loading answers with an error.
                if matches!(link.call(&["PING"]), Ok(Frame::Simple(text)) if text == b"PONG") {
                    return Ok(());
                }
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Err(format!("the server does not answer:\n{}", self.log()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
