//! Connections to a server over TCP.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::version::Identity;
use super::{Link, Received, Target, WAIT};
use crate::frame::Frame;

/// A server that listens on a port of this machine.
pub struct SocketTarget {
    port: u16,
    identity: Identity,
}

impl SocketTarget {
    /// # Errors
    /// When nobody answers there.
    pub fn new(port: u16) -> Result<Self, String> {
        let mut link: Box<dyn Link> = Box::new(SocketLink::open(port)?);
        let info = link.call(&["INFO", "server"])?;
        let info = String::from_utf8_lossy(info.text().unwrap_or_default()).into_owned();
        Ok(Self { port, identity: Identity::read(&info) })
    }
}

impl Target for SocketTarget {
    fn open(&mut self) -> Result<Box<dyn Link>, String> {
        Ok(Box::new(SocketLink::open(self.port)?))
    }

    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn has_sockets(&self) -> bool {
        true
    }
}

pub struct SocketLink {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl SocketLink {
    /// # Errors
    /// When the port takes no connection.
    pub fn open(port: u16) -> Result<Self, String> {
        let stream = TcpStream::connect(("127.0.0.1", port)).map_err(|error| error.to_string())?;
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        stream.set_write_timeout(Some(WAIT)).map_err(|error| error.to_string())?;
        Ok(Self { stream, buffer: Vec::new() })
    }
}

impl Link for SocketLink {
    fn send(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.stream.write_all(bytes).map_err(|error| format!("sending: {error}"))
    }

    fn receive(&mut self, wait: Duration) -> Result<Received, String> {
        let deadline = Instant::now() + wait;
        let mut chunk = vec![0; 64 * 1024];
        loop {
            if let Some((frame, len)) = Frame::decode(&self.buffer).map_err(|e| e.to_string())? {
                self.buffer.drain(..len);
                return Ok(Received::Frame(frame));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Received::Nothing);
            }
            self.stream.set_read_timeout(Some(left)).map_err(|error| error.to_string())?;
            match self.stream.read(&mut chunk) {
                Ok(0) => return Ok(Received::Closed),
                Ok(count) => self.buffer.extend(&chunk[..count]),
                Err(error) => match error.kind() {
                    ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => {
                        return Ok(Received::Closed);
                    }
                    ErrorKind::Interrupted | ErrorKind::TimedOut | ErrorKind::WouldBlock => {}
                    _ => return Err(format!("receiving: {error}")),
                },
            }
        }
    }
}
