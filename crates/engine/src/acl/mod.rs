//! Users and their rights: who may make which call.
//!
//! ```text
//! Acl ── snapshot ──► name → User ──► root selector, further selectors
//!                                      │ commands (a bit for each row), keys, channels, databases
//! Session: its user, whether that user may do everything, and the generation that it knows
//! ```
//!
//! The users are one published snapshot, changed behind the gate. A session keeps its user and one
//! flag, *may do everything*, beside the generation of the snapshot that they come from. A call of
//! such a session costs one comparison; all others are checked selector by selector. The first that
//! allows the whole call (command, databases, keys, channels) is enough.
//!
//! Rules are text, as ACL SETUSER takes them. They are applied to a copy of the user, which takes the
//! user's place if all of them are right, so half a change never happens.

mod check;
mod commands;
mod file;
mod log;
mod selector;
mod user;

pub use check::{Called, Refusal, Refused};
pub use commands::category;
pub use file::{ConfiguredUser, configured, parse_file, to_text};
pub use log::{AclLog, Context, LogEntry};
pub use selector::{Selector, has_blanks};
pub use user::{User, merge_selectors};

use crate::error::{AclError, CommandError, Denial};
use crate::host::Host;
use crate::session::Session;
use crate::settings::Settings;
use crate::table::CommandTable;
use crate::{Engine, args};
use arc_swap::ArcSwap;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The user that every client is at first.
pub const DEFAULT: &[u8] = b"default";

/// All users by name.
pub type Users = BTreeMap<Box<[u8]>, Arc<User>>;

/// What rules are read with.
#[derive(Clone, Copy)]
pub struct Around<'a> {
    pub table: &'a CommandTable,
    /// Whether a new user may use all channels.
    pub has_channels: bool,
}

impl<'a> Around<'a> {
    /// As an engine's settings want it.
    pub fn new(table: &'a CommandTable, settings: &Settings) -> Self {
        Self { table, has_channels: settings.channels_by_default }
    }
}

/// The users of a server.
pub struct Acl {
    users: ArcSwap<Users>,
    generation: AtomicU64,
    pub log: AclLog,
    denied: [AtomicU64; Refused::ALL.len()],
}

impl Acl {
    /// Only the default user, who may do everything, with a password unless it is empty.
    pub fn new(password: &[u8]) -> Self {
        let mut users = Users::new();
        users.insert(DEFAULT.into(), Arc::new(User::all_powerful(DEFAULT, password)));
        Self {
            users: ArcSwap::from_pointee(users),
            // A session that knows none has 0.
            generation: AtomicU64::new(1),
            log: AclLog::default(),
            denied: Default::default(),
        }
    }

    /// Replaces the users; behind the gate, so that no call runs with both.
    pub fn publish(&self, users: Users) {
        self.users.store(Arc::new(users));
        // Pairs with the acquire in `generation`.
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// Gives the default user this password alone, or none if it is empty (`requirepass`).
    pub fn set_default_password(&self, password: &[u8]) {
        let mut users = Users::clone(&self.users.load());
        if let Some(user) = users.get_mut(DEFAULT) {
            Arc::make_mut(user).set_only_password(password);
        }
        self.publish(users);
    }

    /// Gives a session the rights that its user has now. One whose user is gone has none, and ends.
    #[cold]
    pub fn refresh(&self, session: &mut Session) {
        let generation = self.generation();
        match self.user(session.user_name()) {
            Some(user) => session.log_in(user, generation),
            None => {
                let nobody = Arc::new(User::new(session.user_name(), false));
                session.log_in(nobody, generation);
                session.is_closing = true;
            }
        }
    }

    /// The users now.
    pub fn users(&self) -> Arc<Users> {
        self.users.load_full()
    }

    /// The user of this name.
    pub fn user(&self, name: &[u8]) -> Option<Arc<User>> {
        self.users.load().get(name).cloned()
    }

    /// Changes whenever a user does.
    #[inline]
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// The user with this name and password, who is not disabled.
    pub fn authenticate(&self, name: &[u8], password: &[u8]) -> Option<Arc<User>> {
        self.user(name).filter(|user| user.accepts(password))
    }

    /// Whether a client may do anything without having said who it is.
    pub fn is_open(&self) -> bool {
        self.users.load().get(DEFAULT).is_some_and(|user| user.is_open())
    }

    /// Whether the default user needs no password, enabled or not.
    pub fn needs_no_password(&self) -> bool {
        self.users.load().get(DEFAULT).is_some_and(|user| user.needs_no_password())
    }

    /// How often something was refused.
    pub fn denied(&self, what: Refused) -> u64 {
        self.denied[what as usize].load(Ordering::Relaxed)
    }

    /// Counts of refusals back to zero.
    pub fn reset_statistics(&self) {
        self.denied.iter().for_each(|count| count.store(0, Ordering::Relaxed));
    }
}

/// Whether the session's user may make a call: a refusal is counted and logged. To be asked when the
/// session is not unrestricted.
#[cold]
pub fn check(
    engine: &Engine,
    host: &dyn Host,
    session: &Session,
    call: &Called<'_>,
    context: Context,
) -> Result<(), Denial> {
    // Who has no user yet has no rights: whoever asks has given the session its user before.
    let user = session.user.clone().unwrap_or_else(|| Arc::new(User::new(DEFAULT, false)));
    let Err(refusal) = user.check(call) else { return Ok(()) };
    let object = match refusal.what {
        Refused::Command => call.entry.full_name.as_bytes().to_vec(),
        _ => call.argv.at(refusal.argument).to_vec(),
    };
    note(engine, host, session, call, context, (refusal.what, &object, session.user_name()));
    Err(refusal.denial(&user, call))
}

/// Whether a session may make calls: it has said who it is, or need not.
#[inline]
pub fn is_admitted(engine: &Engine, session: &Session) -> bool {
    session.is_authenticated || engine.acl.is_open()
}

/// Counts and logs a password that was wrong.
pub fn note_wrong_password(
    engine: &Engine,
    host: &dyn Host,
    session: &Session,
    call: &Called<'_>,
    user: &[u8],
) {
    let context =
        if session.transaction.is_some() { Context::Transaction } else { Context::TopLevel };
    note(engine, host, session, call, context, (Refused::Password, call.argv.at(0), user));
}

fn note(
    engine: &Engine,
    host: &dyn Host,
    session: &Session,
    call: &Called<'_>,
    context: Context,
    (what, object, user): (Refused, &[u8], &[u8]),
) {
    engine.acl.denied[what as usize].fetch_add(1, Ordering::Relaxed);
    let client = host.client_line(engine, session, call);
    let len_max = engine.settings().acl_log_len_max;
    let entry = LogEntry::new(what, context, object, user, client, engine.clock().wall_ms());
    engine.acl.log.add(entry, len_max);
}

/// The error for users' names that can't be.
pub fn check_name(name: &[u8]) -> Result<(), CommandError> {
    if has_blanks(name) { Err(AclError::UserName.into()) } else { Ok(()) }
}

/// A user with further rules applied, or the error for the first that is wrong.
pub fn changed(
    mut user: User,
    rules: &[Vec<u8>],
    around: &Around<'_>,
) -> Result<User, CommandError> {
    for rule in rules {
        let wrong = |reason| AclError::Rule { rule: args::shown(rule), reason };
        user.apply(rule, around).map_err(wrong)?;
    }
    Ok(user)
}

#[cfg(test)]
mod tests;
