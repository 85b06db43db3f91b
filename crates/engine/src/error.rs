//! Every error that a command can answer with, and its exact text: the only file with error texts.
//!
//! Clients match on prefixes and whole texts, so they are Redis's.

mod acl;
mod function;
mod hot_keys;
mod stream;
mod tracking;

use crate::reload::Reload;
use std::borrow::Cow;
use std::sync::Arc;

pub use acl::{AclError, Denial, RuleError};
pub use function::FunctionError;
pub use hot_keys::HotKeysError;
pub use stream::StreamError;
pub use tracking::TrackingError;

/// What a client is told that is one too many.
pub const TOO_MANY_CLIENTS: &str = "-ERR max number of clients reached\r\n";

/// Why a call was not carried out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CommandError {
    Acl(AclError),
    AddGtLtNx,
    AddIncrementsMany,
    AddNxXx,
    AppendTooLarge,
    AppliedInfinite,
    AppliedOverflow,
    ArgumentCountInvalid,
    ArgumentUnknown(Box<str>),
    AuthWithoutPassword,
    BadPort(Box<str>),
    BitArgument,
    BitInvalid,
    BitOffset,
    BitfieldOverflow,
    BitfieldReadOnly,
    BitfieldType,
    BitopSingleSource,
    BitopTwoSources(&'static str),
    BoundsCrossed,
    BoxNegative,
    BusyFunction,
    BusyKey,
    BusyScript,
    CallLogType,
    ClientDatabase {
        last: usize,
    },
    ClientFilterInvalid(&'static str),
    ClientFilterNotPositive(&'static str),
    ClientIdInvalid,
    ClientIdNotPositive,
    ClientCapabilityUnknown(Box<str>),
    ClientFlagsUnknown(Box<str>),
    ClientInfoInvalid(Box<str>),
    ClientInfoOption(Box<str>),
    ClientNameInvalid,
    ClientNotFound,
    ClientType(Box<str>),
    CommandInvalid,
    ConditionInvalid,
    ConditionType,
    ConfigSet(Box<str>),
    ConfigUnknown(Box<str>),
    CornersInvalid,
    CornersTooFew,
    CountBelowMinusOne,
    CountNegative,
    CountNotPositive,
    CursorInvalid,
    DatabaseIndexInvalid,
    DatabaseIndexOutOfRange,
    DebugDatabase,
    DebugDenied,
    DebugNoTable,
    DebugNotListpack,
    DebugNotQuicklist,
    DebugProtocolResp2,
    DebugProtocolType,
    DebugRewrite(Box<str>),
    DebugThreshold,
    DecrementOverflow,
    DigestInvalid,
    DiscardWithoutMulti,
    ExecAborted,
    ExecAbortedBy(Box<Self>),
    ExecWithoutMulti,
    ExpireFlagsExclusiveGtLt,
    ExpireFlagsExclusiveNx,
    ExpireOption(Box<str>),
    ExpireTimeInvalid(&'static str),
    ExpireTimeMissing,
    ExpireTimeNegative,
    FieldCount,
    FieldCountParameter,
    FieldCountWrong,
    /// The same and more, in Valkey's words.
    FieldCountWrongValkey,
    FieldsArgumentMissing,
    FieldsInvalid,
    FieldsMissing,
    FirstDatabaseIndexInvalid,
    FrequencyRange,
    Function(FunctionError),
    FunctionKilled,
    GeoAnyWithoutCount,
    GeoCenterMissing(Box<str>),
    GeoCountNotPositive,
    GeoRadiusStoreOptions,
    GeoSearchStoreOptions,
    GeoShapeMissing(Box<str>),
    HeightNotNumeric,
    HashValueNotAFloat,
    HashValueNotAnInteger,
    HelloOption(Box<str>),
    HotKeys(HotKeysError),
    HsetexConditionExclusive,
    HsetexTimeExclusive,
    HyperLogLogCorrupt,
    HyperLogLogMissing,
    HyperLogLogNotSparse,
    HyperLogLogSelfTest,
    HyperLogLogSubcommand(Box<str>),
    HyperLogLogType,
    IdleTimeNegative,
    ImportModeOff,
    IncrementInfinite,
    IncrementNotFinite,
    IncrementOverflow,
    IncrexEnxAlone,
    IndexOutOfRange,
    InternalInconsistency(&'static str),
    KeySpecInvalid,
    /// Why the journal cannot be written.
    JournalFailed(Arc<str>),
    LcsLenAndIdx,
    LcsTooLarge,
    LcsWrongType,
    LfuNotSelected,
    LimitNegative,
    /// What the product is called that is loading.
    Loading(&'static str),
    LruNotSelected,
    MaxlenNegative,
    /// MIGRATE could not do this with its target.
    MigrateFailed(&'static str),
    MigrateKeysAndKey,
    /// What MIGRATE's target has answered.
    MigrateRefused(Box<str>),
    MigrateUnreachable,
    ModuleDenied,
    ModuleNotLoaded,
    ModuleUnknown,
    MonitorInTransaction,
    MonitorTouchesKeys,
    MultiInsideMulti,
    NoAuth,
    NoAuthHello,
    NoInputKeys(Box<str>),
    NoKeysInCommand,
    NoSamples(Box<str>),
    NoScript,
    NoScriptToShow,
    NoShutdown,
    NoSuchKey,
    NoSuchUser(Box<str>),
    NotAFloat,
    NotAFloatNamed(&'static str),
    NotANumberOrInfinity,
    NotAnInteger,
    NotAnIntegerNamed(&'static str),
    NotInTransaction,
    NotInTransactionNamed(Box<str>),
    NotInScript,
    NumkeysInvalid,
    NumkeysNotGreater,
    NumkeysNotPositive,
    NumkeysTooLarge,
    OffsetOutOfRange,
    OnOrOff,
    OutOfMemory,
    /// What the world outside of the engine answered.
    Outside(Box<str>),
    OutOfRange,
    OutOfRange32,
    OutOfRangeBinary,
    OutOfRangeLong,
    OutOfRangePositive,
    PauseMode,
    /// A dumped value whose bytes make no sense.
    PayloadFormat,
    /// A dumped value of a version that is not known, or with a wrong checksum.
    PayloadFrame,
    PlaceInvalid(Box<str>),
    /// What was searched around is no member.
    PlaceMissing(Box<str>),
    /// The same, in Valkey's words.
    PlaceMissingNamed(Box<str>),
    ProtocolInvalid,
    ProtocolUnsupported,
    PurgeFailed,
    RadiusNegative,
    RadiusNotNumeric,
    RangeLimitByRank,
    RangeNotFloat,
    RangeNotLex,
    RangeScoresByLex,
    RankZero,
    ReplyTooLarge,
    SameObject,
    RewriteInProgress,
    ReloadFailed(Reload),
    ReloadOption,
    SaveFailed,
    SaveInProgress,
    NoSaveInProgress,
    CutInProgress,
    /// The product's name.
    SnapshotFailed(&'static str),
    ScanNoValues,
    ScoreNotANumber,
    Script(Box<str>),
    ScriptArgumentCount,
    ScriptArgumentType,
    ScriptArgumentsWrong,
    ScriptCheckedCommand,
    ScriptCompile(Box<str>),
    ScriptDebugMode,
    ScriptDebugger,
    ScriptFirstLine(Box<str>),
    ScriptFlushMode,
    ScriptKilled,
    ScriptLogArguments,
    ScriptLogLevel,
    ScriptLogLevelType,
    ScriptMayWrite,
    ScriptNoArguments,
    ScriptNotBusy,
    ScriptProtocol,
    ScriptProtocolArguments,
    ScriptReadOnly,
    ScriptReplicationArguments,
    ScriptReplicationFlags,
    ScriptReplyDepth,
    ScriptStrayed,
    ScriptUnkillable,
    ScriptUnknownCommand,
    ScriptWrongArity,
    SecondDatabaseIndexInvalid,
    ShutdownFailed,
    SortScoreInvalid,
    Stream(StreamError),
    StringTooLarge,
    /// What a client of RESP2 may not do while it is subscribed to something.
    Subscribed(Box<str>),
    Syntax,
    /// A request of another protocol, made by something that was led to this port: no reply.
    CrossProtocol,
    TimeoutInvalid,
    TimeoutNegative,
    TimeoutNotFloat,
    TimeoutOutOfRange,
    Tracking(TrackingError),
    TtlNegative,
    TypeUnknown(Box<str>),
    UnblockReason,
    Unblocked,
    UnitUnknown,
    /// With the rest of the line, in the bytes that the client sent.
    UnknownCommand(Box<[u8]>),
    UnknownSubcommand {
        container: Box<str>,
        name: Box<str>,
    },
    UnknownSubcommandOrArity {
        container: &'static str,
        name: Box<str>,
    },
    ValueInfinite,
    ValueOutOfRange(&'static str),
    WaitWithoutJournal,
    WatchInsideMulti,
    WeightNotFloat,
    WidthNotNumeric,
    WrongArity(Box<str>),
    WrongPass,
    WrongType,
    /// An error line that another part composed (a script, a host), complete with its code.
    Line(Box<str>),
}

impl CommandError {
    /// The error line without the leading `-` and the line end.
    // Length: one arm for each text.
    pub fn text(&self) -> Cow<'static, str> {
        let fixed = match self {
            Self::AddGtLtNx => "ERR GT, LT, and/or NX options at the same time are not compatible",
            Self::AddIncrementsMany => "ERR INCR option supports a single increment-element pair",
            Self::AddNxXx => "ERR XX and NX options at the same time are not compatible",
            Self::AppendTooLarge | Self::StringTooLarge => {
                "ERR string exceeds maximum allowed size (proto-max-bulk-len)"
            }
            Self::AppliedInfinite => "ERR applied increment would be Infinity",
            Self::AppliedOverflow => "ERR applied increment would overflow",
            Self::ArgumentCountInvalid => "ERR Invalid number of arguments specified for command",
            Self::CommandInvalid => "ERR Invalid command specified",
            Self::AuthWithoutPassword => {
                "ERR AUTH <password> called without any password configured for the default user. \
                 Are you sure your configuration is correct?"
            }
            Self::BitArgument => "ERR The bit argument must be 1 or 0.",
            Self::BitInvalid => "ERR bit is not an integer or out of range",
            Self::BitOffset => "ERR bit offset is not an integer or out of range",
            Self::BitfieldOverflow => "ERR Invalid OVERFLOW type specified",
            Self::BitfieldReadOnly => "ERR BITFIELD_RO only supports the GET subcommand",
            Self::BitfieldType => {
                "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not \
                 supported but i64 is."
            }
            Self::BitopSingleSource => "ERR BITOP NOT must be called with a single source key.",
            Self::BoundsCrossed => "ERR LBOUND can't be greater than UBOUND",
            Self::BusyFunction => {
                "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN \
                 NOSAVE."
            }
            Self::MigrateKeysAndKey => {
                "ERR When using MIGRATE KEYS option, the key argument must be set to the empty string"
            }
            Self::MigrateUnreachable => "IOERR error or timeout connecting to the client",
            Self::RewriteInProgress => {
                "ERR Background append only file rewriting already in progress"
            }
            Self::ReloadFailed(Reload::Journal) => {
                "ERR Error trying to load the AOF files, check server logs."
            }
            Self::ReloadFailed(Reload::Snapshot(_)) => {
                "ERR Error trying to load the RDB dump, check server logs."
            }
            Self::ReloadOption => {
                "ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options."
            }
            Self::SaveFailed => "ERR",
            Self::SaveInProgress => "ERR Background save already in progress",
            Self::NoSaveInProgress => {
                "ERR Background saving is currently not in progress or scheduled"
            }
            Self::CutInProgress => {
                "ERR Another child process is active (AOF?): can't BGSAVE right now. \
                 Use BGSAVE SCHEDULE in order to schedule a BGSAVE whenever possible."
            }
            Self::ShutdownFailed => "ERR Errors trying to SHUTDOWN. Check logs.",
            Self::BusyKey => "BUSYKEY Target key name already exists.",
            Self::FrequencyRange => "ERR Invalid FREQ value, must be >= 0 and <= 255",
            Self::IdleTimeNegative => "ERR Invalid IDLETIME value, must be >= 0",
            Self::PayloadFormat => "ERR Bad data format",
            Self::PayloadFrame => "ERR DUMP payload version or checksum are wrong",
            Self::TtlNegative => "ERR Invalid TTL value, must be >= 0",
            Self::BusyScript => {
                "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."
            }
            Self::CallLogType => {
                "ERR type should be one of the following: slow, large-request, large-reply"
            }
            Self::ClientIdInvalid => "ERR Invalid client ID",
            Self::ClientIdNotPositive => "ERR client-id should be greater than 0",
            Self::ImportModeOff => "ERR Server is not in import mode",
            Self::LimitNegative => "ERR LIMIT can't be negative",
            Self::PauseMode => "ERR CLIENT PAUSE mode must be WRITE or ALL",
            Self::Unblocked => "UNBLOCKED client unblocked via CLIENT UNBLOCK",
            Self::RangeLimitByRank => {
                "ERR syntax error, LIMIT is only supported in combination with either \
                 BYSCORE or BYLEX"
            }
            Self::RangeNotFloat => "ERR min or max is not a float",
            Self::RangeNotLex => "ERR min or max not valid string range item",
            Self::RangeScoresByLex => {
                "ERR syntax error, WITHSCORES not supported in combination with BYLEX"
            }
            Self::ScoreNotANumber => "ERR resulting score is not a number (NaN)",
            Self::UnblockReason => "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR",
            Self::ClientNameInvalid => {
                "ERR Client names cannot contain spaces, newlines or special characters."
            }
            Self::ClientNotFound => "ERR No such client",
            Self::Syntax => "ERR syntax error",
            Self::CountBelowMinusOne => "ERR count should be greater than or equal to -1",
            Self::CountNegative => "ERR COUNT can't be negative",
            Self::CountNotPositive => "ERR count should be greater than 0",
            Self::ConditionInvalid => "ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE",
            Self::ConditionType => "ERR Key should be of string type if conditions are specified",
            Self::CursorInvalid => "ERR invalid cursor",
            Self::SameObject => "ERR source and destination objects are the same",
            Self::DatabaseIndexInvalid => "ERR invalid DB index",
            Self::DatabaseIndexOutOfRange => "ERR DB index is out of range",
            Self::DebugDatabase => "ERR Out of range database",
            Self::DebugNoTable => {
                "ERR The value stored at the specified key is not represented using an hash table"
            }
            Self::DebugNotListpack => "ERR Not a listpack encoded object.",
            Self::DebugNotQuicklist => "ERR Not a quicklist encoded object.",
            Self::DebugProtocolResp2 => "ERR RESP2 is not supported by this command",
            Self::DebugProtocolType => {
                "ERR Wrong protocol type name. Please use one of the following: \
                 string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false"
            }
            Self::DebugThreshold => {
                "ERR argument must be a memory value bigger than 1 and smaller than 4gb"
            }
            Self::DebugDenied => {
                "ERR DEBUG command not allowed. If the enable-debug-command option is set to \
                 \"local\", you can run it from a local connection, otherwise you need to set this \
                 option in the configuration file, and then restart the server."
            }
            Self::DecrementOverflow => "ERR decrement would overflow",
            Self::DigestInvalid => "ERR Digest must be exactly 16 hexadecimal characters",
            Self::DiscardWithoutMulti => "ERR DISCARD without MULTI",
            Self::ExecAborted => "EXECABORT Transaction discarded because of previous errors.",
            Self::ExecWithoutMulti => "ERR EXEC without MULTI",
            Self::ExpireFlagsExclusiveGtLt => {
                "ERR GT and LT options at the same time are not compatible"
            }
            Self::ExpireFlagsExclusiveNx => {
                "ERR NX and XX, GT or LT options at the same time are not compatible"
            }
            Self::ExpireTimeMissing => "ERR missing expire time",
            Self::ExpireTimeNegative => "ERR invalid expire time, must be >= 0",
            Self::FieldCount => "ERR Number of fields must be a positive integer",
            Self::FieldCountParameter => "ERR Parameter `numFields` should be greater than 0",
            Self::FieldCountWrong => {
                "ERR The `numfields` parameter must match the number of arguments"
            }
            Self::FieldCountWrongValkey => {
                "ERR numfields should be greater than 0 and match the provided number of fields"
            }
            Self::FieldsArgumentMissing => "ERR missing FIELDS argument",
            Self::FieldsInvalid => "ERR invalid number of fields",
            Self::FieldsMissing => {
                "ERR Mandatory argument FIELDS is missing or not at the right position"
            }
            Self::HashValueNotAFloat => "ERR hash value is not a float",
            Self::HashValueNotAnInteger => "ERR hash value is not an integer",
            Self::HsetexConditionExclusive => {
                "ERR Only one of FXX or FNX arguments can be specified"
            }
            Self::HsetexTimeExclusive => {
                "ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified"
            }
            Self::NotANumberOrInfinity => "ERR value is NaN or Infinity",
            Self::FirstDatabaseIndexInvalid => "ERR invalid first DB index",
            Self::HyperLogLogCorrupt => "INVALIDOBJ Corrupted HLL object detected",
            Self::HyperLogLogMissing => "ERR The specified key does not exist",
            Self::HyperLogLogNotSparse => "ERR HLL encoding is not sparse",
            Self::HyperLogLogSelfTest => "TESTFAILED Counts are too far from the truth",
            Self::HyperLogLogType => "WRONGTYPE Key is not a valid HyperLogLog string value.",
            Self::IncrementInfinite => "ERR BYFLOAT increment cannot be Infinity",
            Self::BoxNegative => "ERR height or width cannot be negative",
            Self::CornersInvalid => "ERR invalid number of vertices",
            Self::CornersTooFew => "ERR GEOSEARCH BYPOLYGON must have at least 3 vertices",
            Self::GeoAnyWithoutCount => "ERR the ANY argument requires COUNT argument",
            Self::GeoCountNotPositive => "ERR COUNT must be > 0",
            Self::GeoRadiusStoreOptions => {
                "ERR STORE option in GEORADIUS is not compatible with WITHDIST, \
                 WITHHASH and WITHCOORD options"
            }
            Self::GeoSearchStoreOptions => {
                "ERR GEOSEARCHSTORE is not compatible with WITHDIST, WITHHASH and \
                 WITHCOORD options"
            }
            Self::HeightNotNumeric => "ERR need numeric height",
            Self::PlaceMissing(_) => "ERR could not decode requested zset member",
            Self::RadiusNegative => "ERR radius cannot be negative",
            Self::RadiusNotNumeric => "ERR need numeric radius",
            Self::UnitUnknown => "ERR unsupported unit provided. please use M, KM, FT, MI",
            Self::WidthNotNumeric => "ERR need numeric width",
            Self::IncrementNotFinite => "ERR increment would produce NaN or Infinity",
            Self::IncrementOverflow => "ERR increment or decrement would overflow",
            Self::IndexOutOfRange => "ERR index out of range",
            Self::IncrexEnxAlone => "ERR ENX flag requires an expiration",
            Self::KeySpecInvalid => "ERR Invalid arguments specified for command",
            Self::LcsTooLarge => {
                "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len"
            }
            Self::LcsWrongType => "ERR The specified keys must contain string values",
            Self::LcsLenAndIdx => {
                "ERR If you want both the length and indexes, please just use IDX."
            }
            Self::LfuNotSelected => {
                "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please \
                 note that when switching between policies at runtime LRU and LFU data will take \
                 some time to adjust."
            }
            Self::LruNotSelected => {
                "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that \
                 when switching between policies at runtime LRU and LFU data will take some time to \
                 adjust."
            }
            Self::MaxlenNegative => "ERR MAXLEN can't be negative",
            Self::ModuleDenied => {
                "ERR MODULE command not allowed. If the enable-module-command option is set to \
                 \"local\", you can run it from a local connection, otherwise you need to set this \
                 option in the configuration file, and then restart the server."
            }
            Self::ModuleNotLoaded => {
                "ERR Error loading the extension. Please check the server logs."
            }
            Self::ModuleUnknown => "ERR Error unloading module: no such module with that name",
            Self::MonitorInTransaction => "ERR MONITOR isn't allowed for DENY BLOCKING client",
            Self::MonitorTouchesKeys => "ERR Replica can't interact with the keyspace",
            Self::MultiInsideMulti => "ERR MULTI calls can not be nested",
            Self::NoAuth => "NOAUTH Authentication required.",
            Self::NoAuthHello => {
                "NOAUTH HELLO must be called with the client already authenticated, otherwise the \
                 HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and \
                 select the RESP protocol version at the same time"
            }
            Self::NoKeysInCommand => "ERR The command has no key arguments",
            Self::NoScript => "NOSCRIPT No matching script. Please use EVAL.",
            Self::NoScriptToShow => "NOSCRIPT No matching script.",
            Self::NoShutdown => "ERR No shutdown in progress.",
            Self::NoSuchKey => "ERR no such key",
            Self::NotAFloat => "ERR value is not a valid float",
            Self::NotAnInteger => "ERR value is not an integer or out of range",
            Self::NotInTransaction => "ERR Command not allowed inside a transaction",
            Self::NotInScript => "ERR This Redis command is not allowed from script",
            Self::ScanNoValues => "ERR NOVALUES option can only be used in HSCAN",
            Self::ScriptArgumentCount => "ERR wrong number of arguments",
            Self::ScriptArgumentsWrong => "ERR wrong number or type of arguments",
            Self::ScriptArgumentType => {
                "ERR Lua redis lib command arguments must be strings or integers"
            }
            Self::ScriptCheckedCommand => "ERR Invalid command passed to redis.acl_check_cmd()",
            Self::ScriptDebugMode => "ERR Use SCRIPT DEBUG YES/SYNC/NO",
            Self::ScriptDebugger => "ERR SCRIPT DEBUG is not supported",
            Self::ScriptFlushMode => "ERR SCRIPT FLUSH only support SYNC|ASYNC option",
            Self::FunctionKilled | Self::ScriptKilled => {
                "ERR Script killed by user with SCRIPT KILL..."
            }
            Self::ScriptLogArguments => "ERR redis.log() requires two arguments or more.",
            Self::ScriptLogLevel => "ERR Invalid log level.",
            Self::ScriptLogLevelType => "ERR First argument must be a number (log level).",
            Self::ScriptMayWrite => {
                "ERR Can not execute a script with write flag using *_ro command."
            }
            Self::ScriptNoArguments => {
                "ERR Please specify at least one argument for this redis lib call"
            }
            Self::ScriptNotBusy => "NOTBUSY No scripts in execution right now.",
            Self::ScriptProtocol => "ERR RESP version must be 2 or 3.",
            Self::ScriptProtocolArguments => "ERR redis.setresp() requires one argument.",
            Self::ScriptReplicationArguments => "ERR redis.set_repl() requires one argument.",
            Self::ScriptReplicationFlags => {
                "ERR Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE."
            }
            Self::ScriptUnkillable => {
                "UNKILLABLE Sorry the script already executed write commands against the dataset. \
                 You can either wait the script termination or kill the server in a hard way using \
                 the SHUTDOWN NOSAVE command."
            }
            Self::ScriptStrayed => "ERR Script touched a key that was not given to it",
            Self::ScriptReadOnly => "ERR Write commands are not allowed from read-only scripts.",
            Self::ScriptReplyDepth => "ERR reached lua stack limit",
            Self::ScriptUnknownCommand => "ERR Unknown Redis command called from script",
            Self::ScriptWrongArity => "ERR Wrong number of args calling Redis command from script",
            Self::NumkeysInvalid => "ERR invalid numkeys value or out of range",
            Self::NumkeysNotGreater => "ERR numkeys should be greater than 0",
            Self::NumkeysNotPositive => "ERR Number of keys can't be negative",
            Self::NumkeysTooLarge => "ERR Number of keys can't be greater than number of args",
            Self::OffsetOutOfRange => "ERR offset is out of range",
            Self::OnOrOff => "ERR Argument must be ON or OFF",
            Self::OutOfMemory => "OOM command not allowed when used memory > 'maxmemory'.",
            Self::OutOfRange32 => {
                "ERR value is out of range, value must between -2147483648 and 2147483647"
            }
            Self::OutOfRangeBinary => "ERR value is out of range, value must between 0 and 1",
            Self::OutOfRangeLong => {
                "ERR value is out of range, value must between -9223372036854775807 and \
                 9223372036854775807"
            }
            Self::OutOfRange => "ERR value is out of range",
            Self::OutOfRangePositive => "ERR value is out of range, must be positive",
            Self::ProtocolInvalid => "ERR Protocol version is not an integer or out of range",
            Self::ProtocolUnsupported => "NOPROTO unsupported protocol version",
            Self::PurgeFailed => "ERR Error purging dirty pages",
            Self::RankZero => {
                "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second \
                 ... or use negative to start from the end of the list"
            }
            Self::ReplyTooLarge => "ERR reply too large",
            Self::SecondDatabaseIndexInvalid => "ERR invalid second DB index",
            Self::SortScoreInvalid => "ERR One or more scores can't be converted into double",
            Self::CrossProtocol => "",
            Self::TimeoutInvalid => "ERR timeout is not an integer or out of range",
            Self::TimeoutNegative => "ERR timeout is negative",
            Self::TimeoutNotFloat => "ERR timeout is not a float or out of range",
            Self::TimeoutOutOfRange => "ERR timeout is out of range",
            Self::WaitWithoutJournal => {
                "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled."
            }
            Self::ValueInfinite => "ERR value cannot be Infinity",
            Self::WatchInsideMulti => "ERR WATCH inside MULTI is not allowed",
            Self::WeightNotFloat => "ERR weight value is not a float",
            Self::WrongPass => "WRONGPASS invalid username-password pair or user is disabled.",
            Self::WrongType => "WRONGTYPE Operation against a key holding the wrong kind of value",
            Self::Acl(error) => return error.text(),
            Self::Function(error) => return error.text(),
            Self::HotKeys(error) => return error.text(),
            Self::Stream(error) => return error.text(),
            Self::Tracking(error) => return error.text(),
            _ => return Cow::Owned(self.composed()),
        };
        Cow::Borrowed(fixed)
    }

    // Length: one arm for each text.
    fn composed(&self) -> String {
        match self {
            Self::PlaceMissingNamed(member) => format!("ERR member {member} does not exist"),
            Self::ArgumentUnknown(word) => format!("ERR unknown argument: {word}"),
            Self::BitopTwoSources(operation) => {
                format!("ERR BITOP {operation} must be called with at least two source keys.")
            }
            Self::ClientDatabase { last } => {
                format!("ERR DB number should be between 0 and {last}")
            }
            Self::ClientFilterInvalid(name) => {
                format!("ERR {name} is not an integer or out of range")
            }
            Self::ClientFilterNotPositive(name) => format!("ERR {name} should be greater than 0"),
            Self::ClientCapabilityUnknown(name) => {
                format!("ERR Unknown capa found in the provided filter: {name}")
            }
            Self::ClientFlagsUnknown(letters) => {
                format!("ERR Unknown flags found in the provided filter: {letters}")
            }
            Self::ClientInfoInvalid(name) => {
                format!("ERR {name} cannot contain spaces, newlines or special characters.")
            }
            Self::ClientInfoOption(option) => format!("ERR Unrecognized option '{option}'"),
            Self::ClientType(name) => format!("ERR Unknown client type '{name}'"),
            Self::NoInputKeys(command) => {
                format!("ERR at least 1 input key is needed for '{command}' command")
            }
            Self::NoSuchUser(name) => format!("ERR No such user '{name}'"),
            Self::BadPort(text) => format!("ERR Invalid port '{text}'"),
            Self::ConfigSet(why) => format!("ERR CONFIG SET failed {why}"),
            Self::ConfigUnknown(name) => {
                format!("ERR Unknown option or number of arguments for CONFIG SET - '{name}'")
            }
            Self::ExecAbortedBy(error) => {
                let text = error.text();
                let why = text.strip_prefix("ERR ").unwrap_or(&text);
                format!("EXECABORT Transaction discarded because of: {why}")
            }
            Self::DebugRewrite(reason) => format!("ERR CONFIG-REWRITE-FORCE-ALL failed: {reason}"),
            Self::ExpireOption(option) => format!("ERR Unsupported option {option}"),
            Self::ExpireTimeInvalid(command) => {
                format!("ERR invalid expire time in '{command}' command")
            }
            Self::GeoCenterMissing(command) => {
                format!(
                    "ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for {command}"
                )
            }
            Self::GeoShapeMissing(command) => {
                format!("ERR exactly one of BYRADIUS and BYBOX can be specified for {command}")
            }
            Self::HelloOption(option) => format!("ERR Syntax error in HELLO option '{option}'"),
            Self::HyperLogLogSubcommand(name) => {
                format!("ERR Unknown PFDEBUG subcommand '{name}'")
            }
            Self::InternalInconsistency(what) => format!("ERR internal inconsistency: {what}"),
            Self::NotAFloatNamed(what) => format!("ERR {what} is not a valid float"),
            Self::NotAnIntegerNamed(what) => {
                format!("ERR {what} is not an integer or out of range")
            }
            Self::NotInTransactionNamed(name) => {
                format!("ERR Command '{name}' not allowed inside a transaction")
            }
            Self::Outside(text) | Self::Script(text) | Self::ScriptFirstLine(text) => {
                format!("ERR {text}")
            }
            Self::ScriptCompile(text) => {
                format!("ERR Error compiling script (new function): {text}")
            }
            Self::PlaceInvalid(pair) => format!("ERR invalid longitude,latitude pair {pair}"),
            Self::Subscribed(name) => format!(
                "ERR Can't execute '{name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / \
                 RESET are allowed in this context"
            ),
            Self::NoSamples(event) => format!("ERR No samples available for event '{event}'"),
            Self::Loading(product) => {
                format!("LOADING {product} is loading the dataset in memory")
            }
            Self::SnapshotFailed(product) => format!(
                "MISCONF {product} is configured to save RDB snapshots, but it's currently unable to persist to \
                 disk. Commands that may modify the data set are disabled, because this instance is configured \
                 to report errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). \
                 Please check the {product} logs for details about the RDB error."
            ),
            Self::JournalFailed(reason) => {
                format!("MISCONF Errors writing to the AOF file: {reason}")
            }
            Self::MigrateFailed(what) => {
                format!("IOERR error or timeout {what} to target instance")
            }
            Self::MigrateRefused(answer) => {
                format!("ERR Target instance replied with error: {answer}")
            }
            Self::TypeUnknown(name) => format!("ERR unknown type name '{name}'"),
            Self::UnknownCommand(rest) => {
                format!("ERR unknown command {}", String::from_utf8_lossy(rest))
            }
            Self::UnknownSubcommand { container, name } => {
                format!("ERR unknown subcommand '{name}'. Try {container} HELP.")
            }
            Self::UnknownSubcommandOrArity { container, name } => {
                format!(
                    "ERR unknown subcommand or wrong number of arguments for '{name}'. \
                     Try {container} HELP."
                )
            }
            Self::ValueOutOfRange(what) => format!("ERR {what} is out of range"),
            Self::WrongArity(name) => format!("ERR wrong number of arguments for '{name}' command"),
            Self::Line(line) => line.to_string(),
            _ => "ERR".to_owned(),
        }
    }

    /// The same error in the words that Valkey has for scripts and their calls.
    #[must_use]
    pub fn in_valkey_scripts(self) -> Self {
        let text = match self {
            Self::BusyFunction => {
                "BUSY Valkey is busy running a script. You can only call FUNCTION KILL or SHUTDOWN \
                 NOSAVE."
            }
            Self::Function(error) => {
                let text =
                    error.text().replace("redis.register_function", "server.register_function");
                return Self::Line(text.into());
            }
            Self::FunctionKilled => "ERR Script killed by user with FUNCTION KILL.",
            Self::BusyScript => {
                "BUSY Valkey is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."
            }
            Self::NotInScript => "ERR This Valkey command is not allowed from script",
            Self::ScriptArgumentType => "ERR Command arguments must be strings or integers",
            Self::ScriptCheckedCommand => "ERR Invalid command passed to server.acl_check_cmd()",
            Self::ScriptKilled => "ERR Script killed by user with SCRIPT KILL.",
            Self::ScriptLogArguments => "ERR server.log() requires two arguments or more.",
            Self::ScriptNoArguments => "ERR Please specify at least one argument for this call",
            Self::ScriptProtocolArguments => "ERR server.setresp() requires one argument.",
            Self::ScriptReplicationArguments => "ERR server.set_repl() requires one argument.",
            Self::ScriptUnknownCommand => "ERR Unknown command called from script",
            Self::ScriptWrongArity => "ERR Wrong number of args calling command from script",
            other => return other,
        };
        Self::Line(text.into())
    }

    /// As [`CommandError::text`], in bytes: what a client sent is shown as it was.
    pub fn line(&self) -> Cow<'static, [u8]> {
        match self {
            Self::UnknownCommand(rest) => Cow::Owned([b"ERR unknown command ", &rest[..]].concat()),
            _ => match self.text() {
                Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
                Cow::Owned(text) if text.is_ascii() => Cow::Owned(text.into_bytes()),
                // A character stands for a byte of an argument: see `args::shown`.
                Cow::Owned(text) => {
                    let byte = |char| u8::try_from(u32::from(char)).unwrap_or(b'?');
                    Cow::Owned(text.chars().map(byte).collect())
                }
            },
        }
    }

    /// The first word, by which INFO errorstats counts.
    pub fn code(&self) -> String {
        self.text().split(' ').next().unwrap_or("ERR").to_owned()
    }

    /// The error for a command name that nobody knows, with the start of its arguments.
    pub fn unknown_command(argv: resp::Argv<'_>) -> Self {
        const SHOWN_BYTES_MAX: usize = 128;
        // Shown as far as a text in C would go.
        let shown = |bytes: &'_ [u8], len_max: usize| -> Vec<u8> {
            bytes.iter().copied().take(len_max).take_while(|byte| *byte != 0).collect()
        };
        let mut text = vec![b'\''];
        text.extend(shown(argv.at(0), SHOWN_BYTES_MAX));
        text.extend_from_slice(b"', with args beginning with: ");
        let mut used = 0;
        for argument in argv.iter().skip(1) {
            if SHOWN_BYTES_MAX <= used {
                break;
            }
            let part = shown(argument, SHOWN_BYTES_MAX - used);
            used += part.len() + 3;
            text.push(b'\'');
            text.extend(part);
            text.extend_from_slice(b"' ");
        }
        Self::UnknownCommand(text.into())
    }
}

impl From<AclError> for CommandError {
    fn from(error: AclError) -> Self {
        Self::Acl(error)
    }
}

impl From<FunctionError> for CommandError {
    fn from(error: FunctionError) -> Self {
        Self::Function(error)
    }
}

impl From<StreamError> for CommandError {
    fn from(error: StreamError) -> Self {
        Self::Stream(error)
    }
}
