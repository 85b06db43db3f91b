//! The sockets that the server listens on, as the settings name them.

use crate::config::{Bind, Settings, apply};
use crate::log;
use mio::net::{TcpListener, UnixListener};
use socket2::{Domain, Protocol, Socket, Type};
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::os::unix::net::UnixListener as StdUnixListener;
use std::path::PathBuf;
use std::sync::Arc;

/// Open listening sockets.
#[derive(Debug)]
pub struct Listeners {
    pub tcp: Vec<TcpListener>,
    pub unix: Option<UnixSocket>,
    /// The TCP port in use; 0 without one.
    pub port: u16,
}

/// A listening Unix socket; its file goes with it.
#[derive(Debug)]
pub struct UnixSocket {
    pub listener: UnixListener,
    pub path: Arc<str>,
    file: PathBuf,
}

/// Which TCP port is wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Port {
    /// Whichever is free: for tests.
    Any,
    /// As configured; 0 means none.
    #[default]
    Configured,
}

/// Why the server cannot listen.
#[derive(Debug)]
pub enum ListenError {
    /// Neither a port nor a Unix socket is configured.
    Nowhere,
    Tcp {
        port: u16,
    },
    Unix(io::Error),
}

impl fmt::Display for ListenError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nowhere => formatter.write_str("Configured to not listen anywhere, exiting."),
            Self::Tcp { port } => {
                write!(formatter, "Failed listening on port {port} (tcp), aborting.")
            }
            Self::Unix(error) => write!(formatter, "Failed opening Unix socket: bind: {error}"),
        }
    }
}

impl Listeners {
    /// Opens every socket that `settings` names.
    pub fn open(settings: &Settings, port: Port) -> Result<Self, ListenError> {
        let mut listeners = Self { tcp: Vec::new(), unix: None, port: settings.port };
        if port == Port::Any {
            listeners.port = 0;
        }
        if port == Port::Any {
            listeners.open_addresses(settings)?;
        } else {
            listeners.open_tcp(settings)?;
        }
        if let Some(path) = &settings.unixsocket {
            listeners.unix = Some(open_unix(settings, path.clone()).map_err(ListenError::Unix)?);
        }
        if listeners.tcp.is_empty() && listeners.unix.is_none() {
            return Err(ListenError::Nowhere);
        }
        Ok(listeners)
    }

    /// Opens the TCP sockets that `settings` name, beside what is open.
    pub fn open_tcp(&mut self, settings: &Settings) -> Result<(), ListenError> {
        self.port = settings.port;
        if settings.port == 0 { Ok(()) } else { self.open_addresses(settings) }
    }

    fn open_addresses(&mut self, settings: &Settings) -> Result<(), ListenError> {
        settings.bind.iter().try_for_each(|bind| self.add_tcp(bind, settings.tcp_backlog))
    }

    fn add_tcp(&mut self, bind: &Bind, backlog: u32) -> Result<(), ListenError> {
        match open_tcp(&bind.address, self.port, backlog) {
            Ok(listener) => {
                let local = listener.local_addr();
                self.port = local.map_or(self.port, |address| address.port());
                self.tcp.push(listener);
                Ok(())
            }
            Err(error) => {
                log::warning(format_args!(
                    "Warning: Could not create server TCP listening socket {}:{}: bind: {}",
                    bind.address,
                    self.port,
                    reason(&error)
                ));
                if may_be_missing(bind, &error) {
                    return Ok(());
                }
                Err(ListenError::Tcp { port: self.port })
            }
        }
    }
}

impl Drop for UnixSocket {
    fn drop(&mut self) {
        log::notice(format_args!("Removing the unix socket file."));
        // Somebody may have tidied it up already.
        let _ = std::fs::remove_file(&self.file);
    }
}

fn open_tcp(address: &str, port: u16, backlog: u32) -> io::Result<TcpListener> {
    let address = match address {
        "*" => SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)),
        "::*" => SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)),
        name => (name, port)
            .to_socket_addrs()?
            .next()
            .ok_or_else(|| io::Error::from(io::ErrorKind::AddrNotAvailable))?,
    };
    let domain = Domain::for_address(address);
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
    socket.set_nonblocking(true)?;
    Ok(TcpListener::from_std(socket.into()))
}

fn open_unix(settings: &Settings, file: PathBuf) -> io::Result<UnixSocket> {
    // A server that ended badly leaves its file behind.
    match std::fs::remove_file(&file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&socket2::SockAddr::unix(&file)?)?;
    socket.listen(i32::try_from(settings.tcp_backlog).unwrap_or(i32::MAX))?;
    socket.set_nonblocking(true)?;
    apply::own_socket(settings, &file)?;
    let listener = UnixListener::from_std(StdUnixListener::from(socket));
    Ok(UnixSocket { listener, path: file.to_string_lossy().into(), file })
}

/// An address that this machine doesn't have is no error where it is optional, nor a family that it doesn't know.
fn may_be_missing(bind: &Bind, error: &io::Error) -> bool {
    let is_unknown_family = matches!(
        error.raw_os_error(),
        Some(
            libc::ENOPROTOOPT
                | libc::EPROTONOSUPPORT
                | libc::ESOCKTNOSUPPORT
                | libc::EPFNOSUPPORT
                | libc::EAFNOSUPPORT
        )
    );
    is_unknown_family || (bind.is_optional && error.kind() == io::ErrorKind::AddrNotAvailable)
}

/// The system's words without the number that Rust adds.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}
