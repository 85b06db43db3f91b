//! A client's socket: TCP or Unix, behind one type.

use mio::event::Source;
use mio::net::{TcpStream, UnixStream};
use mio::{Interest, Registry, Token};
use std::fmt;
use std::io::{self, IoSlice, Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;

/// A connected socket.
#[derive(Debug)]
pub enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// The two ends of a connection, as CLIENT LIST shows them.
#[derive(Clone, Debug)]
pub enum Endpoint {
    /// A client without a socket: a call made inside the process.
    Inside,
    Tcp {
        peer: SocketAddr,
        local: SocketAddr,
    },
    /// The path of the listening socket; clients have no address of their own.
    Unix(Arc<str>),
}

impl Endpoint {
    /// Whether the peer is on this machine.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Tcp { peer, .. } => match peer.ip() {
                IpAddr::V4(address) => address.is_loopback(),
                IpAddr::V6(address) => address.to_canonical().is_loopback(),
            },
            Self::Inside | Self::Unix(_) => true,
        }
    }

    /// The client's end.
    pub fn peer(&self) -> impl fmt::Display + '_ {
        End(self, |endpoint| endpoint.0)
    }

    /// The server's end.
    pub fn local(&self) -> impl fmt::Display + '_ {
        End(self, |endpoint| endpoint.1)
    }
}

/// One of the two ends, to be printed.
struct End<'e>(&'e Endpoint, fn((SocketAddr, SocketAddr)) -> SocketAddr);

impl fmt::Display for End<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Endpoint::Inside => formatter.write_str("?:0"),
            Endpoint::Tcp { peer, local } => self.1((*peer, *local)).fmt(formatter),
            Endpoint::Unix(path) => write!(formatter, "{path}:0"),
        }
    }
}

impl Stream {
    /// Tells whether and how the socket failed or was closed, where the system knows.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        match self {
            Self::Tcp(stream) => stream.take_error(),
            Self::Unix(stream) => stream.take_error(),
        }
    }
}

impl AsRawFd for Stream {
    fn as_raw_fd(&self) -> RawFd {
        match self {
            Self::Tcp(stream) => stream.as_raw_fd(),
            Self::Unix(stream) => stream.as_raw_fd(),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Unix(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Unix(stream) => stream.write(bytes),
        }
    }

    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write_vectored(pieces),
            Self::Unix(stream) => stream.write_vectored(pieces),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Source for Stream {
    fn register(
        &mut self,
        registry: &Registry,
        token: Token,
        interest: Interest,
    ) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.register(registry, token, interest),
            Self::Unix(stream) => stream.register(registry, token, interest),
        }
    }

    fn reregister(
        &mut self,
        registry: &Registry,
        token: Token,
        interest: Interest,
    ) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.reregister(registry, token, interest),
            Self::Unix(stream) => stream.reregister(registry, token, interest),
        }
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.deregister(registry),
            Self::Unix(stream) => stream.deregister(registry),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_shown_as_clients_know_them() {
        let tcp = |peer: &str| Endpoint::Tcp {
            peer: peer.parse().unwrap(),
            local: "127.0.0.1:6379".parse().unwrap(),
        };
        assert_eq!(tcp("127.0.0.1:50000").peer().to_string(), "127.0.0.1:50000");
        assert_eq!(tcp("[::1]:50000").peer().to_string(), "[::1]:50000");
        assert_eq!(tcp("[::1]:50000").local().to_string(), "127.0.0.1:6379");
        assert_eq!(Endpoint::Unix("/tmp/o".into()).peer().to_string(), "/tmp/o:0");
        assert!(tcp("127.8.0.1:1").is_local() && tcp("[::ffff:127.0.0.1]:1").is_local());
        assert!(!tcp("10.0.0.1:1").is_local());
    }
}
