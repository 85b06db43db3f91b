//! Whether a user may make a call, and what speaks against it.

use super::selector::{Permissions, Selector};
use super::user::User;
use crate::args;
use crate::command::{Categories, Channels, Command, Databases};
use crate::error::Denial;
use crate::keys::{self, NOT_KEY};
use crate::table::Entry;
use resp::Argv;

/// A call, as far as rights depend on it.
#[derive(Clone, Copy)]
pub struct Called<'a> {
    pub entry: &'a Entry,
    pub argv: Argv<'a>,
    /// The session's database.
    pub db: usize,
}

/// What is refused. Of several selectors' refusals the last in this order is told.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Refused {
    Command,
    Database,
    Key,
    Channel,
    /// No call, but a way in.
    Password,
}

/// A refusal, and the argument that it is about; 0 if it is about none.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Refusal {
    pub what: Refused,
    pub argument: usize,
}

impl Refused {
    pub const ALL: [Self; 5] =
        [Self::Command, Self::Database, Self::Key, Self::Channel, Self::Password];

    /// In the words of ACL LOG.
    pub fn name(self) -> &'static str {
        match self {
            Self::Channel => "channel",
            Self::Command => "command",
            Self::Database => "database",
            Self::Key => "key",
            Self::Password => "auth",
        }
    }
}

impl Refusal {
    /// As the client is told, who does not learn more than it knew.
    pub fn denial(self, user: &User, call: &Called<'_>) -> Denial {
        match self.what {
            Refused::Channel => Denial::Channel,
            Refused::Database => Denial::Database,
            Refused::Key => Denial::Key,
            Refused::Command | Refused::Password => Denial::Command {
                user: args::shown(user.name()),
                command: call.entry.full_name.clone(),
            },
        }
    }

    /// As somebody is told who may look at users.
    pub fn denial_in_full(self, user: &User, call: &Called<'_>) -> Denial {
        let name = args::shown(user.name());
        let argument = || args::shown(call.argv.get(self.argument).unwrap_or_default());
        match self.what {
            Refused::Channel => Denial::ChannelNamed { user: name, channel: argument() },
            Refused::Database => Denial::DatabaseNamed { user: name, database: argument() },
            Refused::Key => Denial::KeyNamed { user: name, key: argument() },
            Refused::Command | Refused::Password => self.denial(user, call),
        }
    }
}

impl User {
    /// Whether a call may be made: one selector must allow all of it.
    ///
    /// # Errors
    /// What the selector that came farthest refuses.
    pub fn check(&self, call: &Called<'_>) -> Result<(), Refusal> {
        let mut farthest = Refusal { what: Refused::Command, argument: 0 };
        for selector in self.all_selectors() {
            match selector.check(call) {
                Ok(()) => return Ok(()),
                Err(refusal) => farthest = farthest.max(refusal),
            }
        }
        Err(farthest)
    }

    /// Whether a call may be made by rules that let it read any key at all, as SORT does that looks
    /// for further keys.
    pub fn reads_all_keys(&self, call: &Called<'_>) -> bool {
        self.all_selectors()
            .any(|selector| selector.reads_all_keys() && selector.check(call).is_ok())
    }
}

impl Selector {
    fn check(&self, call: &Called<'_>) -> Result<(), Refusal> {
        let Called { entry, argv, .. } = *call;
        if !self.allows_command(entry, argv) {
            return Err(Refusal { what: Refused::Command, argument: 0 });
        }
        if !self.allows_all_databases() {
            self.check_databases(call)?;
        }
        if !self.allows_all_keys() {
            self.check_keys(entry.row, argv)?;
        }
        if !self.allows_all_channels() {
            self.check_channels(entry.row, argv)?;
        }
        Ok(())
    }

    fn check_keys(&self, row: &Command, argv: Argv<'_>) -> Result<(), Refusal> {
        let mut refused = None;
        keys::each_key(row, argv, |index, spec| {
            let needed = Permissions::needed(spec.flags_of(argv));
            if refused.is_none() && !self.allows_key(argv.at(index), needed) {
                refused = Some(Refusal { what: Refused::Key, argument: index });
            }
        });
        refused.map_or(Ok(()), Err)
    }

    fn check_channels(&self, row: &Command, argv: Argv<'_>) -> Result<(), Refusal> {
        let (arguments, is_pattern) = match row.channels {
            Channels::None => return Ok(()),
            Channels::One(index) => (index..index + 1, false),
            Channels::All(first) => (first..argv.len(), false),
            Channels::Patterns(first) => (first..argv.len(), true),
        };
        for index in arguments {
            let is_allowed =
                argv.get(index).is_none_or(|channel| self.allows_channel(channel, is_pattern));
            if !is_allowed {
                return Err(Refusal { what: Refused::Channel, argument: index });
            }
        }
        Ok(())
    }

    fn check_databases(&self, call: &Called<'_>) -> Result<(), Refusal> {
        let refuse = |argument| Err(Refusal { what: Refused::Database, argument });
        let check_own = || {
            let is_free = !touches_keyspace(call.entry.row) || self.allows_database(call.db);
            if is_free { Ok(()) } else { refuse(0) }
        };
        // What is no number of a database is for the command to complain of.
        let check_named = |index: usize| {
            let number = call.argv.get(index).and_then(base::numbers::parse_i64);
            match number.and_then(|number| usize::try_from(number).ok()) {
                Some(db) if !self.allows_database(db) => refuse(index),
                _ => Ok(()),
            }
        };
        match call.entry.row.databases {
            Databases::Every => refuse(0),
            Databases::Named(arguments) => {
                arguments.iter().try_for_each(|index| check_named(*index))
            }
            Databases::Own => check_own(),
            Databases::OwnAnd(find) => {
                find(call.argv).into_iter().try_for_each(check_named)?;
                check_own()
            }
        }
    }
}

/// Whether a command looks at keys of the session's database.
fn touches_keyspace(row: &Command) -> bool {
    let categories = row.categories();
    [Categories::KEYSPACE, Categories::READ, Categories::WRITE]
        .into_iter()
        .any(|category| categories.has(category))
        || row.keys.iter().any(|spec| spec.flags != NOT_KEY)
}
