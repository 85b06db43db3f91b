//! What commands of the server's own need from the outside: faked in tests.

use crate::session::Session;
use base::lock::Token;
use std::sync::Arc;

/// A client, as logs and monitors show it.
#[derive(Clone, Debug)]
pub struct ClientShown {
    /// Where it comes from.
    pub address: String,
    /// What it calls itself.
    pub name: Box<[u8]>,
    /// The path of the Unix socket by which it came.
    pub socket: Option<Arc<str>>,
}

impl Default for ClientShown {
    /// A client without a connection.
    fn default() -> Self {
        Self { address: "?:0".to_owned(), name: Box::default(), socket: None }
    }
}

/// The outside world, as commands see it.
pub trait Host: Sync {
    /// The part that the server's own command rows know by its type.
    fn as_any(&self) -> &dyn std::any::Any;

    /// A client has named itself by HELLO.
    fn client_named(&self, _session: &Session, _name: &[u8]) {}

    /// A client has reset its connection.
    fn client_reset(&self, _session: &Session) {}

    /// How a client is shown.
    fn client_shown(&self, _session: &Session) -> ClientShown {
        ClientShown::default()
    }

    /// Pushes wait for the sessions of these tokens: each mailbox was empty before.
    fn pushes_wait(&self, _tokens: &[Token]) {}

    /// More pushes came for a client than may wait: it is to be cut off.
    fn pushes_overflowed(&self, _session: &Session) {}

    /// Expiry in the background is switched on or off (DEBUG SET-ACTIVE-EXPIRE).
    fn set_active_expiry(&self, _is_on: bool) {}

    /// Sleeps on this thread (DEBUG SLEEP).
    fn sleep_ns(&self, nanoseconds: u64);

    /// Lets other threads run while this one waits for somebody else's short hold.
    fn relax(&self);

    /// Writes a line to the server's log; level 0 is debug, 3 is warning (redis.log).
    fn log(&self, level: u8, message: &str);
}

/// A host without a world, for tests of the engine alone.
pub struct NoHost;

impl Host for NoHost {
    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
    fn sleep_ns(&self, _nanoseconds: u64) {}
    fn relax(&self) {
        std::hint::spin_loop();
    }
    fn log(&self, _level: u8, _message: &str) {}
}
