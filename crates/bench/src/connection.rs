//! Connections to the server under load: opened and greeted blocking, then handed to the event loop.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;

use mio::event::Source;
use mio::{Interest, Registry, Token};

use crate::options::{Options, Target};
use crate::scan::Scanner;
use crate::template::encode;

/// Why a run ended early.
#[derive(Debug)]
pub(crate) enum LoadError {
    Closed,
    Connect {
        place: String,
        error: io::Error,
    },
    Garbage {
        byte: u8,
    },
    Io(io::Error),
    Server(String),
    /// More replies than requests.
    Surplus,
}

impl fmt::Display for LoadError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => write!(formatter, "Error: Server closed the connection"),
            Self::Connect { place, error } => {
                let reason = error.to_string();
                let reason = reason.split(" (os error").next().unwrap_or(&reason);
                write!(formatter, "Could not connect to server at {place}: {reason}")
            }
            Self::Garbage { byte } => {
                let byte = byte.escape_ascii();
                write!(formatter, "Error: the server's reply is no RESP: unexpected '{byte}'")
            }
            Self::Io(error) => write!(formatter, "Error: {error}"),
            Self::Server(text) => write!(formatter, "Error from server: {text}"),
            Self::Surplus => write!(formatter, "Error: the server sent a reply too many"),
        }
    }
}

impl From<io::Error> for LoadError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// A resolved server and what every connection says to it first.
#[derive(Debug)]
pub(crate) struct Server {
    /// As in messages: `host:port` or the path.
    place: String,
    address: Address,
    greeting: Vec<u8>,
    greeting_replies: u64,
}

#[derive(Debug)]
enum Address {
    Tcp(Vec<SocketAddr>),
    Unix(PathBuf),
}

impl Server {
    /// Looks the host up.
    ///
    /// # Errors
    /// If the name has no address.
    pub(crate) fn resolve(options: &Options) -> Result<Self, LoadError> {
        let (place, address) = match &options.target {
            Target::Tcp { host, port } => {
                let place = format!("{host}:{port}");
                let found = (host.as_str(), *port).to_socket_addrs();
                let found =
                    found.map_err(|error| LoadError::Connect { place: place.clone(), error })?;
                (place, Address::Tcp(found.collect()))
            }
            Target::Unix(path) => (path.clone(), Address::Unix(path.into())),
        };
        let mut server = Self { place, address, greeting: Vec::new(), greeting_replies: 0 };
        for command in greeting(options) {
            encode(&command, &mut server.greeting);
            server.greeting_replies += 1;
        }
        Ok(server)
    }

    /// A connection that has been greeted and blocks no more.
    ///
    /// # Errors
    /// If there is no server, or it refuses the greeting.
    pub(crate) fn connect(&self) -> Result<Stream, LoadError> {
        match &self.address {
            Address::Tcp(addresses) => {
                let stream = std::net::TcpStream::connect(&addresses[..]);
                let mut stream = stream.map_err(|error| self.refused(error))?;
                stream.set_nodelay(true)?;
                self.greet(&mut stream)?;
                stream.set_nonblocking(true)?;
                Ok(Stream::Tcp(mio::net::TcpStream::from_std(stream)))
            }
            Address::Unix(path) => {
                let stream = std::os::unix::net::UnixStream::connect(path);
                let mut stream = stream.map_err(|error| self.refused(error))?;
                self.greet(&mut stream)?;
                stream.set_nonblocking(true)?;
                Ok(Stream::Unix(mio::net::UnixStream::from_std(stream)))
            }
        }
    }

    /// The value of a setting as `CONFIG GET` tells it; `None` if the server does not.
    pub(crate) fn setting(&self, name: &str) -> Option<String> {
        match &self.address {
            Address::Tcp(addresses) => {
                self.ask_setting(std::net::TcpStream::connect(&addresses[..]).ok()?, name)
            }
            Address::Unix(path) => {
                self.ask_setting(std::os::unix::net::UnixStream::connect(path).ok()?, name)
            }
        }
    }

    fn ask_setting(&self, mut stream: impl Read + Write, name: &str) -> Option<String> {
        self.greet(&mut stream).ok()?;
        let mut request = Vec::new();
        encode(&[b"CONFIG".to_vec(), b"GET".to_vec(), name.into()], &mut request);
        stream.write_all(&request).ok()?;
        let (mut reply, mut scanner) = (Vec::new(), Scanner::new());
        let mut buffer = [0; 4096];
        loop {
            let len = stream.read(&mut buffer).ok().filter(|len| *len != 0)?;
            reply.extend_from_slice(&buffer[..len]);
            if scanner.feed(&buffer[..len]).ok()? != 0 {
                break;
            }
        }
        // *2, or %1 in RESP3; then $, the name, $, the value: the fifth line.
        let reply = String::from_utf8(reply).ok()?;
        reply.split("\r\n").nth(4).map(str::to_owned)
    }

    fn refused(&self, error: io::Error) -> LoadError {
        LoadError::Connect { place: self.place.clone(), error }
    }

    fn greet(&self, stream: &mut (impl Read + Write)) -> Result<(), LoadError> {
        stream.write_all(&self.greeting)?;
        let mut scanner = Scanner::new();
        let mut missing = self.greeting_replies;
        let mut buffer = [0; 4096];
        while missing != 0 {
            let len = stream.read(&mut buffer)?;
            if len == 0 {
                return Err(LoadError::Closed);
            }
            let found = scanner.feed(&buffer[..len]);
            let found = found.map_err(|garbage| LoadError::Garbage { byte: garbage.byte })?;
            if let Some(text) = scanner.take_error() {
                return Err(LoadError::Server(text));
            }
            missing = missing.saturating_sub(found);
        }
        Ok(())
    }
}

/// The commands that come before the load, in order.
fn greeting(options: &Options) -> Vec<Vec<Vec<u8>>> {
    let words = |words: &[&str]| words.iter().map(|word| word.as_bytes().to_vec()).collect();
    let mut commands = Vec::new();
    match (&options.user, &options.password) {
        (Some(user), Some(password)) => commands.push(words(&["AUTH", user, password])),
        (None, Some(password)) => commands.push(words(&["AUTH", password])),
        (_, None) => {}
    }
    if options.is_resp3 {
        commands.push(words(&["HELLO", "3"]));
    }
    if options.db != 0 {
        commands.push(words(&["SELECT", &options.db.to_string()]));
    }
    if options.is_tracking {
        commands.push(words(&["CLIENT", "TRACKING", "ON"]));
    }
    commands
}

/// A socket of either kind.
#[derive(Debug)]
pub(crate) enum Stream {
    Tcp(mio::net::TcpStream),
    Unix(mio::net::UnixStream),
}

impl Stream {
    /// Has the event loop report on this socket as `token`, whenever something changes.
    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        let interest = Interest::READABLE | Interest::WRITABLE;
        let source: &mut dyn Source = match self {
            Self::Tcp(stream) => stream,
            Self::Unix(stream) => stream,
        };
        source.register(registry, token, interest)
    }

    /// Like `Read::read`, but `None` where it would block.
    pub(crate) fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        without_blocking(|| match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Unix(stream) => stream.read(buffer),
        })
    }

    /// Like `Write::write`, but `None` where it would block.
    pub(crate) fn try_write(&mut self, bytes: &[u8]) -> io::Result<Option<usize>> {
        without_blocking(|| match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Unix(stream) => stream.write(bytes),
        })
    }
}

fn without_blocking(mut call: impl FnMut() -> io::Result<usize>) -> io::Result<Option<usize>> {
    loop {
        return match call() {
            Ok(len) => Ok(Some(len)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
    }
}
