//! What commands of the server's own need from the outside: faked in tests.

use crate::acl::Called;
use crate::command::Outcome;
use crate::engine::Engine;
use crate::pushes::Mailbox;
use crate::reload::Reload;
use crate::session::Session;
use base::lock::Token;
use std::collections::HashSet;
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

    /// A client has logged in as another user.
    fn client_user_changed(&self, _session: &Session) {}

    /// The line of CLIENT LIST for a client that makes this call.
    fn client_line(&self, _engine: &Engine, _session: &Session, _call: &Called<'_>) -> Vec<u8> {
        Vec::new()
    }

    /// Ends the clients that are logged in as `user`: all of them, or those with these ids. That with
    /// the id `own` is left for its own thread to end; whether it was among them.
    fn end_clients_of(
        &self,
        _engine: &Engine,
        _user: &[u8],
        _ids: Option<&HashSet<u64>>,
        _own: u64,
    ) -> bool {
        false
    }

    /// The user file's path and text; `None`: none is configured.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn read_users(&self) -> Result<Option<(String, Vec<u8>)>, String> {
        Ok(None)
    }

    /// Replaces the user file; `false`: none is configured.
    ///
    /// # Errors
    /// Why it cannot be written.
    fn write_users(&self, _text: &[u8]) -> Result<bool, String> {
        Ok(false)
    }

    /// A number that nobody can guess.
    fn secret_u64(&self) -> u64 {
        0
    }

    /// The mailbox of a client, which is made if it has none yet; `None` if there is no such client.
    fn mailbox(&self, _client: u64) -> Option<Arc<Mailbox>> {
        None
    }

    /// The client to which a client's invalidations were redirected has gone.
    fn redirection_broken(&self, _client: u64) {}

    /// Pushes wait for the sessions of these tokens: each mailbox was empty before.
    fn pushes_wait(&self, _tokens: &[Token]) {}

    /// More pushes came for a client than may wait: it is to be cut off.
    fn pushes_overflowed(&self, _session: &Session) {}

    /// Expiry in the background is switched on or off (DEBUG SET-ACTIVE-EXPIRE).
    fn set_active_expiry(&self, _is_on: bool) {}

    /// A number of the allocator's, after it was set if there is a new one (DEBUG MALLCTL).
    ///
    /// # Errors
    /// Why it cannot be had or set.
    fn allocator_number(&self, _name: &str, _new: Option<i64>) -> Result<i64, String> {
        Err("No such file or directory".to_owned())
    }

    /// A text of the allocator's (DEBUG MALLCTL-STR).
    ///
    /// # Errors
    /// Why it cannot be had.
    fn allocator_text(&self, _name: &str) -> Result<Vec<u8>, String> {
        Err("No such file or directory".to_owned())
    }

    /// Has data loaded from disk, for a client that waits for it (DEBUG RELOAD, DEBUG LOADAOF).
    fn reload(&self, _client: u64, _what: Reload) {}

    /// What has come of what the client has asked for by [`Host::reload`]; once, when it is over.
    fn reloaded(&self, _client: u64) -> Option<Outcome> {
        None
    }

    /// Gives the history of changes another name (DEBUG CHANGE-REPL-ID).
    fn change_replication_id(&self) {}

    /// Rewrites the configuration's file with a line for every setting, and these about users (DEBUG
    /// CONFIG-REWRITE-FORCE-ALL).
    ///
    /// # Errors
    /// Why that failed.
    fn rewrite_config_wholly(&self, _users: &[u8]) -> Result<(), String> {
        Err("No such file or directory".to_owned())
    }

    /// Sleeps on this thread (DEBUG SLEEP).
    fn sleep_ns(&self, nanoseconds: u64);

    /// Ends the process as a stray pointer does (DEBUG SEGFAULT).
    fn crash(&self) {
        panic!("a client has called DEBUG SEGFAULT");
    }

    /// Processor time of the process in microseconds: of the user and of the system.
    fn processor_us(&self) -> (u64, u64) {
        (0, 0)
    }

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
