//! Every error that a command can answer with, and its exact text: the only file with error texts.
//!
//! Clients match on prefixes and whole texts, so they are Redis's.

use std::borrow::Cow;

/// Why a call was not carried out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CommandError {
    AppendTooLarge,
    AuthWithoutPassword,
    BadPort(Box<str>),
    BitOffset,
    BusyScript,
    ClientFilterInvalid(&'static str),
    ClientFilterNotPositive(&'static str),
    ClientIdInvalid,
    ClientIdNotPositive,
    ClientInfoInvalid(&'static str),
    ClientInfoOption(Box<str>),
    ClientNameInvalid,
    ClientNotFound,
    ClientType(Box<str>),
    ConfigSet(Box<str>),
    ConfigUnknown(Box<str>),
    CopySameObject,
    DatabaseIndexInvalid,
    DatabaseIndexOutOfRange,
    DebugDenied,
    DecrementOverflow,
    DiscardWithoutMulti,
    ExecAborted,
    ExecAbortedBy(Box<CommandError>),
    ExecWithoutMulti,
    ExpireFlagsExclusiveGtLt,
    ExpireFlagsExclusiveNx,
    ExpireOption(Box<str>),
    ExpireTimeInvalid(&'static str),
    FirstDatabaseIndexInvalid,
    ImportModeOff,
    IncrementNotFinite,
    IncrementOverflow,
    InternalInconsistency(&'static str),
    KeySpecInvalid,
    KeysNotFound,
    LcsLenAndIdx,
    LcsTooLarge,
    LcsWrongType,
    LfuNotSelected,
    LruNotSelected,
    MultiInsideMulti,
    NoAuth,
    NoAuthHello,
    NoKeysInCommand,
    NoScript,
    NoShutdown,
    NoSuchKey,
    NoSuchUser(Box<str>),
    NotAFloat,
    NotAnInteger,
    NotInTransaction(Box<str>),
    NotInScript,
    NumkeysInvalid,
    NumkeysNotPositive,
    NumkeysTooLarge,
    OffsetOutOfRange,
    OutOfMemory,
    /// What the world outside of the engine answered.
    Outside(Box<str>),
    OutOfRange,
    OutOfRangePositive,
    PauseMode,
    ProtocolUnsupported,
    ReplyTooLarge,
    SameObject,
    Script(Box<str>),
    ScriptArgumentCount,
    ScriptArgumentType,
    ScriptCompile(Box<str>),
    ScriptDebugger,
    ScriptFlushMode,
    ScriptLogLevel,
    ScriptNoArguments,
    ScriptNotBusy,
    ScriptProtocol,
    ScriptReadOnly,
    ScriptReplyDepth,
    ScriptShebang(Box<str>),
    ScriptUnknownCommand,
    ScriptWrongArity,
    SecondDatabaseIndexInvalid,
    StringTooLarge,
    Syntax,
    TimeoutInvalid,
    TimeoutNegative,
    UnblockReason,
    UnknownCommand(Box<str>),
    UnknownSubcommand {
        container: Box<str>,
        name: Box<str>,
    },
    ValueOutOfRange(&'static str),
    WatchInsideMulti,
    WrongArity(Box<str>),
    WrongPass,
    WrongType,
    /// An error line that another part composed (a script, a host), complete with its code.
    Line(Box<str>),
}

impl CommandError {
    /// The error line without the leading `-` and the line end.
    pub fn text(&self) -> Cow<'static, str> {
        use CommandError as E;
        let fixed = match self {
            E::AppendTooLarge | E::StringTooLarge => {
                "ERR string exceeds maximum allowed size (proto-max-bulk-len)"
            }
            E::AuthWithoutPassword => {
                "ERR AUTH <password> called without any password configured for the default user. \
                 Are you sure your configuration is correct?"
            }
            E::BitOffset => "ERR bit offset is not an integer or out of range",
            E::BusyScript => {
                "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."
            }
            E::ClientIdInvalid => "ERR Invalid client ID",
            E::ClientIdNotPositive => "ERR client-id should be greater than 0",
            E::ImportModeOff => "ERR Server is not in import mode",
            E::PauseMode => "ERR CLIENT PAUSE mode must be WRITE or ALL",
            E::UnblockReason => "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR",
            E::ClientNameInvalid => {
                "ERR Client names cannot contain spaces, newlines or special characters."
            }
            E::ClientNotFound => "ERR No such client",
            E::Syntax => "ERR syntax error",
            E::CopySameObject | E::SameObject => "ERR source and destination objects are the same",
            E::DatabaseIndexInvalid => "ERR invalid DB index",
            E::DatabaseIndexOutOfRange => "ERR DB index is out of range",
            E::DebugDenied => {
                "ERR DEBUG command not allowed. If the enable-debug-command option is set to \
                 \"local\", you can run it from a local connection, otherwise you need to set this \
                 option in the configuration file, and then restart the server."
            }
            E::DecrementOverflow => "ERR decrement would overflow",
            E::DiscardWithoutMulti => "ERR DISCARD without MULTI",
            E::ExecAborted => "EXECABORT Transaction discarded because of previous errors.",
            E::ExecWithoutMulti => "ERR EXEC without MULTI",
            E::ExpireFlagsExclusiveGtLt => {
                "ERR GT and LT options at the same time are not compatible"
            }
            E::ExpireFlagsExclusiveNx => {
                "ERR NX and XX, GT or LT options at the same time are not compatible"
            }
            E::FirstDatabaseIndexInvalid => "ERR invalid first DB index",
            E::IncrementNotFinite => "ERR increment would produce NaN or Infinity",
            E::IncrementOverflow => "ERR increment or decrement would overflow",
            E::KeySpecInvalid => "ERR Invalid arguments specified for command",
            E::KeysNotFound => "ERR The command has no key arguments",
            E::LcsTooLarge => {
                "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len"
            }
            E::LcsWrongType => "ERR The specified keys must contain string values",
            E::LcsLenAndIdx => "ERR If you want both the length and indexes, please just use IDX.",
            E::LfuNotSelected => {
                "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please \
                 note that when switching between policies at runtime LRU and LFU data will take \
                 some time to adjust."
            }
            E::LruNotSelected => {
                "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that \
                 when switching between policies at runtime LRU and LFU data will take some time to \
                 adjust."
            }
            E::MultiInsideMulti => "ERR MULTI calls can not be nested",
            E::NoAuth => "NOAUTH Authentication required.",
            E::NoAuthHello => {
                "NOAUTH HELLO must be called with the client already authenticated, otherwise the \
                 HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and \
                 select the RESP protocol version at the same time"
            }
            E::NoKeysInCommand => "ERR The command has no key arguments",
            E::NoScript => "NOSCRIPT No matching script. Please use EVAL.",
            E::NoShutdown => "ERR No shutdown in progress.",
            E::NoSuchKey => "ERR no such key",
            E::NotAFloat => "ERR value is not a valid float",
            E::NotAnInteger => "ERR value is not an integer or out of range",
            E::NotInScript => "ERR This Redis command is not allowed from script",
            E::ScriptArgumentCount => "ERR wrong number or type of arguments",
            E::ScriptArgumentType => {
                "ERR Lua redis lib command arguments must be strings or integers"
            }
            E::ScriptDebugger => "ERR SCRIPT DEBUG is not supported",
            E::ScriptFlushMode => "ERR SCRIPT FLUSH only support SYNC|ASYNC option",
            E::ScriptLogLevel => "ERR Invalid log level.",
            E::ScriptNoArguments => "ERR Please specify at least one argument for this redis.call() call",
            E::ScriptNotBusy => "NOTBUSY No scripts in execution right now.",
            E::ScriptProtocol => "ERR RESP version must be 2 or 3.",
            E::ScriptReadOnly => "ERR Write commands are not allowed from read-only scripts.",
            E::ScriptReplyDepth => "ERR reached lua stack limit",
            E::ScriptUnknownCommand => "ERR Unknown Redis command called from script",
            E::ScriptWrongArity => "ERR Wrong number of args calling Redis command from script",
            E::NumkeysInvalid => "ERR invalid numkeys value",
            E::NumkeysNotPositive => "ERR Number of keys can't be negative",
            E::NumkeysTooLarge => "ERR Number of keys can't be greater than number of args",
            E::OffsetOutOfRange => "ERR offset is out of range",
            E::OutOfMemory => "OOM command not allowed when used memory > 'maxmemory'.",
            E::OutOfRange => "ERR value is out of range",
            E::OutOfRangePositive => "ERR value is out of range, must be positive",
            E::ProtocolUnsupported => "NOPROTO unsupported protocol version",
            E::ReplyTooLarge => "ERR reply too large",
            E::SecondDatabaseIndexInvalid => "ERR invalid second DB index",
            E::TimeoutInvalid => "ERR timeout is not an integer or out of range",
            E::TimeoutNegative => "ERR timeout is negative",
            E::WatchInsideMulti => "ERR WATCH inside MULTI is not allowed",
            E::WrongPass => "WRONGPASS invalid username-password pair or user is disabled.",
            E::WrongType => "WRONGTYPE Operation against a key holding the wrong kind of value",
            _ => return Cow::Owned(self.composed()),
        };
        Cow::Borrowed(fixed)
    }

    fn composed(&self) -> String {
        use CommandError as E;
        match self {
            E::ClientFilterInvalid(name) => format!("ERR {name} is not an integer or out of range"),
            E::ClientFilterNotPositive(name) => format!("ERR {name} should be greater than 0"),
            E::ClientInfoInvalid(name) => {
                format!("ERR {name} cannot contain spaces, newlines or special characters.")
            }
            E::ClientInfoOption(option) => format!("ERR Unrecognized option '{option}'"),
            E::ClientType(name) => format!("ERR Unknown client type '{name}'"),
            E::NoSuchUser(name) => format!("ERR No such user '{name}'"),
            E::BadPort(text) => format!("ERR Invalid port '{text}'"),
            E::ConfigSet(why) => format!("ERR CONFIG SET failed {why}"),
            E::ConfigUnknown(name) => {
                format!("ERR Unknown option or number of arguments for CONFIG SET - '{name}'")
            }
            E::ExecAbortedBy(error) => {
                format!("EXECABORT Transaction discarded because of: {}", error.without_code())
            }
            E::ExpireOption(option) => format!("ERR Unsupported option {option}"),
            E::ExpireTimeInvalid(command) => {
                format!("ERR invalid expire time in '{command}' command")
            }
            E::InternalInconsistency(what) => format!("ERR internal inconsistency: {what}"),
            E::NotInTransaction(_) => "ERR Command not allowed inside a transaction".to_owned(),
            E::Outside(text) | E::Script(text) | E::ScriptShebang(text) => format!("ERR {text}"),
            E::ScriptCompile(text) => format!("ERR Error compiling script (new function): {text}"),
            E::UnknownCommand(text) => format!("ERR unknown command {text}"),
            E::UnknownSubcommand { container, name } => {
                format!("ERR unknown subcommand '{name}'. Try {container} HELP.")
            }
            E::ValueOutOfRange(what) => format!("ERR {what} is out of range"),
            E::WrongArity(name) => format!("ERR wrong number of arguments for '{name}' command"),
            E::Line(line) => line.to_string(),
            _ => "ERR".to_owned(),
        }
    }

    /// The first word, by which INFO errorstats counts.
    pub fn code(&self) -> String {
        self.text().split(' ').next().unwrap_or("ERR").to_owned()
    }

    fn without_code(&self) -> String {
        let text = self.text();
        text.split_once(' ').map_or_else(|| text.to_string(), |(_, rest)| rest.to_owned())
    }

    /// The error for a command name that nobody knows, with the start of its arguments.
    pub fn unknown_command(argv: resp::Argv<'_>) -> Self {
        const SHOWN_BYTES_MAX: usize = 128;
        let shown = |bytes: &[u8]| {
            String::from_utf8_lossy(&bytes[..bytes.len().min(SHOWN_BYTES_MAX)]).into_owned()
        };
        let mut text = format!("'{}', with args beginning with: ", shown(argv.at(0)));
        let mut used = 0;
        for argument in argv.iter().skip(1) {
            if SHOWN_BYTES_MAX <= used {
                break;
            }
            let part = &argument[..argument.len().min(SHOWN_BYTES_MAX - used)];
            let part = format!("'{}' ", String::from_utf8_lossy(part));
            used += part.len();
            text.push_str(&part);
        }
        Self::UnknownCommand(text.into())
    }
}
