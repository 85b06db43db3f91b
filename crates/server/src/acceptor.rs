//! The acceptor: one thread that takes new connections and gives each to the loop that has the fewest.

use crate::clients::stream::{Endpoint, Stream};
use crate::config::{Dialect, Settings};
use crate::inbox::{Accepted, Message};
use crate::limits::ACCEPT_PAUSE;
use crate::listeners::Listeners;
use crate::log;
use crate::server::Server;
use engine::error::TOO_MANY_CLIENTS;
use mio::event::Source;
use mio::{Events, Interest, Poll, Token, Waker};
use parking_lot::Mutex;
use socket2::{SockRef, TcpKeepalive};
use std::io::{self, ErrorKind, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Sender};
use std::time::Duration;

const STOP: Token = Token(usize::MAX);
const UNIX: Token = Token(usize::MAX - 1);

/// How the acceptor is stopped from outside.
pub struct AcceptorSwitch {
    waker: Waker,
    is_stopping: AtomicBool,
    wish: Mutex<Option<Wish>>,
}

/// That the acceptor listen elsewhere.
struct Wish {
    before: Settings,
    after: Settings,
    /// Whether it could be done.
    answer: Sender<bool>,
}

/// The acceptor's own state.
pub struct Acceptor {
    server: Arc<Server>,
    listeners: Listeners,
    poll: Poll,
    switch: Arc<AcceptorSwitch>,
}

impl AcceptorSwitch {
    /// Ends the acceptor's thread; its listeners close with it.
    pub fn stop(&self) {
        self.is_stopping.store(true, Ordering::Release);
        // An error would mean that the acceptor is gone already.
        let _ = self.waker.wake();
    }
}

impl AcceptorSwitch {
    /// Closes the TCP sockets and opens those of `after`; those of `before` again if that fails. Returns whether it could
    /// be done.
    pub fn listen(&self, before: &Settings, after: &Settings) -> bool {
        let (answer, outcome) = mpsc::channel();
        let wish = Wish { before: before.clone(), after: after.clone(), answer };
        *self.wish.lock() = Some(wish);
        // An error would mean that the acceptor is gone, and with it the other end of the channel.
        let _ = self.waker.wake();
        outcome.recv().unwrap_or(false)
    }
}

impl Acceptor {
    /// Makes ready to accept from `listeners`.
    pub fn new(server: Arc<Server>, mut listeners: Listeners) -> io::Result<Self> {
        let poll = Poll::new()?;
        register_tcp(&poll, &mut listeners)?;
        if let Some(unix) = &mut listeners.unix {
            unix.listener.register(poll.registry(), UNIX, Interest::READABLE)?;
        }
        let waker = Waker::new(poll.registry(), STOP)?;
        let switch = Arc::new(AcceptorSwitch {
            waker,
            is_stopping: AtomicBool::new(false),
            wish: Mutex::default(),
        });
        Ok(Self { server, listeners, poll, switch })
    }

    /// The switch that stops it.
    pub fn switch(&self) -> Arc<AcceptorSwitch> {
        Arc::clone(&self.switch)
    }

    /// Accepts until it is stopped.
    pub fn run(mut self) {
        let mut events = Events::with_capacity(64);
        let mut pause = None;
        while !self.switch.is_stopping.load(Ordering::Acquire) {
            // An interruption is as good as an event: everybody is looked after below.
            let _ = self.poll.poll(&mut events, pause);
            let wish = self.switch.wish.lock().take();
            if let Some(wish) = wish {
                self.listen_elsewhere(&wish);
            }
            // Every listener, since after a pause no event tells of those who still wait.
            pause = self.accept_all().err().map(|error| self.explain(&error));
        }
    }

    fn listen_elsewhere(&mut self, wish: &Wish) {
        self.listeners.tcp.clear();
        let mut is_done = self.listeners.open_tcp(&wish.after).is_ok();
        is_done = is_done && register_tcp(&self.poll, &mut self.listeners).is_ok();
        if !is_done {
            self.listeners.tcp.clear();
            // They were open a moment ago; if somebody was quicker, the log says so.
            let _ = self.listeners.open_tcp(&wish.before);
            let _ = register_tcp(&self.poll, &mut self.listeners);
        }
        // Who asked waits for the answer.
        let _ = wish.answer.send(is_done);
    }

    fn accept_all(&self) -> io::Result<()> {
        for listener in &self.listeners.tcp {
            while let Some((stream, peer)) = none_if_blocked(listener.accept())? {
                let local = stream.local_addr().unwrap_or(peer);
                self.admit(Stream::Tcp(stream), Endpoint::Tcp { peer, local });
            }
        }
        if let Some(unix) = &self.listeners.unix {
            while let Some((stream, _)) = none_if_blocked(unix.listener.accept())? {
                self.admit(Stream::Unix(stream), Endpoint::Unix(Arc::clone(&unix.path)));
            }
        }
        Ok(())
    }

    fn admit(&self, mut stream: Stream, endpoint: Endpoint) {
        let (server, settings) = (&self.server, self.server.host.settings());
        let statistics = &server.statistics;
        if !server.registry.admit(settings.maxclients as usize) {
            statistics.connections_rejected.fetch_add(1, Ordering::Relaxed);
            // Best effort: who doesn't read it sees the end all the same.
            let _ = stream.write(TOO_MANY_CLIENTS.as_bytes());
            return;
        }
        let is_open = server.engine.acl.needs_no_password();
        if settings.protected_mode && is_open && !endpoint.is_local() {
            server.registry.dismiss();
            statistics.connections_rejected.fetch_add(1, Ordering::Relaxed);
            let _ = stream.write(refusal(settings.dialect).as_bytes());
            return;
        }
        statistics.connections_received.fetch_add(1, Ordering::Relaxed);
        prepare(&stream, settings.tcp_keepalive_s);
        let loads = server.homes.iter().map(|home| home.connections.load(Ordering::Relaxed));
        let index = loads.enumerate().min_by_key(|(_, load)| *load).map_or(0, |(index, _)| index);
        server.homes[index].connections.fetch_add(1, Ordering::Relaxed);
        server.inboxes.of(index).post(Message::Accept(Accepted { stream, endpoint }));
    }

    /// Tells why nothing can be accepted, and how long to wait until it is tried again.
    fn explain(&self, error: &io::Error) -> Duration {
        log::warning(format_args!("Error accepting a client connection: {error}"));
        ACCEPT_PAUSE
    }
}

/// What a client of another machine is told while there is no password: word for word what clients and guides know.
fn refusal(dialect: Dialect) -> String {
    let (is, to, make_sure) = match dialect {
        Dialect::Redis => ("Redis is running", " to Redis", "Redis is"),
        Dialect::Valkey => ("Running", "", "it's"),
    };
    let (comma, by, file) = match dialect {
        Dialect::Redis => ("", "to Redis ", "Redis configuration"),
        Dialect::Valkey => (",", "", "configuration"),
    };
    format!(
        "-DENIED {is} in protected mode because protected mode is enabled and no password is set for the default \
         user. In this mode connections are only accepted from the loopback interface. If you want to connect from \
         external computers{to}{comma} you may adopt one of the following solutions: 1) Just disable protected mode \
         sending the command 'CONFIG SET protected-mode no' from the loopback interface by connecting {by}from the \
         same host the server is running, however MAKE SURE {make_sure} not publicly accessible from internet if you \
         do so. Use CONFIG REWRITE to make this change permanent. 2) Alternatively you can just disable the protected \
         mode by editing the {file} file, and setting the protected mode option to 'no', and then restarting the \
         server. 3) If you started the server manually just for testing, restart it with the '--protected-mode no' \
         option. 4) Set up an authentication password for the default user. NOTE: You only need to do one of the above \
         things in order for the server to start accepting connections from the outside.\r\n"
    )
}

fn register_tcp(poll: &Poll, listeners: &mut Listeners) -> io::Result<()> {
    for (index, listener) in listeners.tcp.iter_mut().enumerate() {
        listener.register(poll.registry(), Token(index), Interest::READABLE)?;
    }
    Ok(())
}

/// Sets what a client's socket needs. A failure leaves it usable.
fn prepare(stream: &Stream, keepalive_seconds: u32) {
    let Stream::Tcp(stream) = stream else { return };
    let _ = stream.set_nodelay(true);
    if keepalive_seconds != 0 {
        let seconds = |count: u32| Duration::from_secs(u64::from(count.max(1)));
        let keepalive = TcpKeepalive::new()
            .with_time(seconds(keepalive_seconds))
            .with_interval(seconds(keepalive_seconds / 3))
            .with_retries(3);
        let _ = SockRef::from(stream).set_tcp_keepalive(&keepalive);
    }
}

/// A connection that was lost before it was accepted is nobody's error.
fn none_if_blocked<T>(outcome: io::Result<T>) -> io::Result<Option<T>> {
    match outcome {
        Ok(accepted) => Ok(Some(accepted)),
        Err(error) => match error.kind() {
            ErrorKind::WouldBlock => Ok(None),
            ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::Interrupted => {
                Ok(None)
            }
            _ => Err(error),
        },
    }
}
