//! What users and their rights have to complain of.

use std::borrow::Cow;

/// Why a call about users, or of a user, was not carried out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AclError {
    CategoryUnknown(Box<str>),
    CommandNotFound(Box<str>),
    DefaultUser,
    /// What is wrong with a user file.
    File(Box<str>),
    FileNotConfigured,
    /// The same, in Valkey's words.
    FileNotConfiguredValkey,
    FileNotSaved,
    GeneratedBits,
    NoPermission(Denial),
    NoPermissionInScript(Denial),
    /// The user has changed since the call was queued.
    NoPermissionInTransaction(Denial),
    /// As a reply: why a call would be refused.
    Refused(Denial),
    Rule {
        rule: Box<str>,
        reason: RuleError,
    },
    SortBy,
    SortGet,
    UnmatchedParenthesis(Box<str>),
    UserName,
    UserNotFound(Box<str>),
}

/// What a user may not do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Denial {
    Channel,
    /// As [`Denial::Channel`], for somebody who may know which.
    ChannelNamed {
        user: Box<str>,
        channel: Box<str>,
    },
    Command {
        user: Box<str>,
        command: Box<str>,
    },
    Database,
    /// As [`Denial::Database`], for somebody who may know which.
    DatabaseNamed {
        user: Box<str>,
        database: Box<str>,
    },
    Key,
    /// As [`Denial::Key`], for somebody who may know which.
    KeyNamed {
        user: Box<str>,
        key: Box<str>,
    },
}

/// What is wrong with one rule of a user.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RuleError {
    ChannelsAfterAll,
    DatabaseOutOfRange,
    Duplicate,
    FirstArgumentOfSubcommand,
    HashInvalid,
    KeysAfterAll,
    PasswordUnknown,
    Syntax,
    Unknown,
}

impl AclError {
    pub(super) fn text(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::DefaultUser => "ERR The 'default' user cannot be removed",
            Self::FileNotConfigured => {
                "ERR This Redis instance is not configured to use an ACL file. You may want to \
                 specify users via the ACL SETUSER command and then issue a CONFIG REWRITE \
                 (assuming you have a Redis configuration file set) in order to store users in the \
                 Redis configuration."
            }
            Self::FileNotConfiguredValkey => {
                "ERR This instance is not configured to use an ACL file. You may want to specify \
                 users via the ACL SETUSER command and then issue a CONFIG REWRITE (assuming you \
                 have a configuration file set) in order to store users in the configuration."
            }
            Self::FileNotSaved => {
                "ERR There was an error trying to save the ACLs. Please check the server logs for \
                 more information"
            }
            Self::GeneratedBits => {
                "ERR ACL GENPASS argument must be the number of bits for the output password, a \
                 positive number up to 4096"
            }
            Self::SortBy => "ERR BY option of SORT denied due to insufficient ACL permissions.",
            Self::SortGet => "ERR GET option of SORT denied due to insufficient ACL permissions.",
            Self::UserName => "ERR Usernames can't contain spaces or null characters",
            _ => return Cow::Owned(self.composed()),
        })
    }

    fn composed(&self) -> String {
        match self {
            Self::CategoryUnknown(name) => format!("ERR Unknown category '{name}'"),
            Self::CommandNotFound(name) => format!("ERR Command '{name}' not found"),
            Self::File(what) => format!("ERR {what}"),
            Self::NoPermission(denial) => format!("NOPERM {}", denial.text()),
            Self::NoPermissionInScript(denial) => {
                format!("ERR ACL failure in script: {}", denial.text())
            }
            Self::NoPermissionInTransaction(denial) => format!(
                "NOPERM ACLs rules changed between the moment the transaction was accumulated and \
                 the EXEC call. This command is no longer allowed for the following reason: {}",
                denial.reason()
            ),
            Self::Refused(denial) => denial.text(),
            Self::Rule { rule, reason } => {
                format!("ERR Error in ACL SETUSER modifier '{rule}': {}", reason.text())
            }
            Self::UnmatchedParenthesis(rule) => {
                format!("ERR Unmatched parenthesis in acl selector starting at '{rule}'.")
            }
            Self::UserNotFound(name) => format!("ERR User '{name}' not found"),
            _ => "ERR".to_owned(),
        }
    }
}

impl Denial {
    /// In the words of ACL DRYRUN.
    pub fn text(&self) -> String {
        match self {
            Self::Channel => "No permissions to access a channel".to_owned(),
            Self::ChannelNamed { user, channel } => {
                format!("User {user} has no permissions to access the '{channel}' channel")
            }
            Self::Command { user, command } => {
                format!("User {user} has no permissions to run the '{command}' command")
            }
            Self::Database => "No permissions to access database".to_owned(),
            Self::DatabaseNamed { user, database } => {
                format!("User {user} has no permissions to access database {database}")
            }
            Self::Key => "No permissions to access a key".to_owned(),
            Self::KeyNamed { user, key } => {
                format!("User {user} has no permissions to access the '{key}' key")
            }
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Channel | Self::ChannelNamed { .. } => {
                "no permission to access one of the channels used as arguments to the command"
            }
            Self::Command { .. } => "no permission to execute the command or subcommand",
            Self::Database | Self::DatabaseNamed { .. } => "no permission to access the database",
            Self::Key | Self::KeyNamed { .. } => "no permission to touch the specified keys",
        }
    }
}

impl RuleError {
    /// As it follows the rule, after a colon.
    pub fn text(self) -> &'static str {
        match self {
            Self::ChannelsAfterAll => {
                "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and \
                 does not have any effect. Try 'resetchannels' to start with an empty list of \
                 channels"
            }
            Self::DatabaseOutOfRange => "The provided database ID is out of range",
            Self::Duplicate => {
                "Duplicate user found. A user can only be defined once in config files"
            }
            Self::FirstArgumentOfSubcommand => {
                "Allowing first-arg of a subcommand is not supported"
            }
            Self::HashInvalid => {
                "The password hash must be exactly 64 characters and contain only lowercase \
                 hexadecimal characters"
            }
            Self::KeysAfterAll => {
                "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does \
                 not have any effect. Try 'resetkeys' to start with an empty list of patterns"
            }
            Self::PasswordUnknown => {
                "The password you are trying to remove from the user does not exist"
            }
            Self::Syntax => "Syntax error",
            Self::Unknown => "Unknown command or category name in ACL",
        }
    }
}
