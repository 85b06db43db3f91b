//! What the stream commands have to complain of.

use std::borrow::Cow;

/// Why a call on a stream was not carried out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StreamError {
    AddIdTooSmall,
    AddIdZero,
    BusyGroup,
    ClaimCountNotPositive,
    ClaimMinIdle(&'static str),
    ClaimOption(&'static str),
    ClaimOptionUnknown(Box<str>),
    ConfigNothing,
    /// A number of XCFGSET is not from 1 to `max`.
    ConfigRange {
        name: &'static str,
        max: i64,
    },
    EntriesAddedNegative,
    EntriesReadNegative,
    Exhausted,
    GroupKeyMissing,
    /// This option belongs to XREADGROUP.
    GroupOption(&'static str),
    IdInvalid,
    LimitNegative,
    LimitWithoutApproximation,
    LimitWithoutTrim,
    /// Of all streams fewer entries than of one.
    MaxcountBelowCount,
    MaxlenNegative,
    MinIdleNegative,
    MinIdleNotAnInteger,
    MissingGroup,
    NackIdsMismatch,
    NackIdsMissing,
    NackIdsNotPositive,
    NackMode,
    NackOptionUnknown(Box<str>),
    NackRetryCount,
    NewId,
    NewOnly(char),
    NoGroup {
        key: Box<str>,
        group: Box<str>,
    },
    NoGroupNamed {
        key: Box<str>,
        group: Box<str>,
    },
    NoGroupToRead {
        key: Box<str>,
        group: Box<str>,
    },
    /// The value of this option.
    NotPositive(&'static str),
    NumidsMismatch,
    NumidsNotPositive,
    /// This option lacks this id.
    OnceEmpty(&'static str, &'static str),
    OnceTwice,
    OnceWithId,
    RangeEnd,
    RangeStart,
    SetIdBelowCurrentDeleted,
    SetIdBelowEntries,
    SetIdBelowGivenDeleted,
    SetIdBelowTop,
    SubcommandArguments {
        container: &'static str,
        name: Box<str>,
    },
    TrimMissing,
    TrimTwice,
    Unbalanced {
        command: &'static str,
        special: &'static str,
    },
}

impl StreamError {
    pub(super) fn text(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::AddIdTooSmall => {
                "ERR The ID specified in XADD is equal or smaller than the target stream top item"
            }
            Self::AddIdZero => "ERR The ID specified in XADD must be greater than 0-0",
            Self::BusyGroup => "BUSYGROUP Consumer Group name already exists",
            Self::ClaimCountNotPositive => "ERR COUNT must be > 0",
            Self::ConfigNothing => "ERR At least one parameter must be specified",
            Self::EntriesAddedNegative => "ERR entries_added must be positive",
            Self::EntriesReadNegative => "ERR value for ENTRIESREAD must be positive or -1",
            Self::Exhausted => {
                "ERR The stream has exhausted the last possible ID, unable to add more items"
            }
            Self::GroupKeyMissing => {
                "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may \
                 want to use the MKSTREAM option to create an empty stream automatically."
            }
            Self::IdInvalid => "ERR Invalid stream ID specified as stream command argument",
            Self::LimitNegative => "ERR The LIMIT argument must be >= 0.",
            Self::LimitWithoutApproximation => {
                "ERR syntax error, LIMIT cannot be used without the special ~ option"
            }
            Self::LimitWithoutTrim => {
                "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy"
            }
            Self::MaxcountBelowCount => "ERR MAXCOUNT must be greater than or equal to COUNT",
            Self::MaxlenNegative => "ERR The MAXLEN argument must be >= 0.",
            Self::MinIdleNegative => "ERR min-idle-time must be a positive integer",
            Self::MinIdleNotAnInteger => "ERR min-idle-time is not an integer or out of range",
            Self::MissingGroup => "ERR Missing GROUP option for XREADGROUP",
            Self::NackIdsMismatch => "ERR number of IDs doesn't match numids",
            Self::NackIdsMissing => "ERR syntax error, expected IDS keyword",
            Self::NackIdsNotPositive => "ERR numids must be a positive integer",
            Self::NackMode => "ERR mode must be SILENT, FAIL, or FATAL",
            Self::NackRetryCount => "ERR Invalid RETRYCOUNT value, must be >= 0",
            Self::NewId => {
                "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> \
                 <consumer> option."
            }
            Self::NumidsMismatch => "ERR The `numids` parameter must match the number of arguments",
            Self::NumidsNotPositive => "ERR Number of IDs must be a positive integer",
            Self::OnceTwice => "ERR IDMP/IDMPAUTO specified multiple times",
            Self::OnceWithId => "ERR IDMP/IDMPAUTO can be used only with auto-generated IDs",
            Self::RangeEnd => "ERR invalid end ID for the interval",
            Self::RangeStart => "ERR invalid start ID for the interval",
            Self::SetIdBelowCurrentDeleted => {
                "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id"
            }
            Self::SetIdBelowEntries => {
                "ERR The entries_added specified in XSETID is smaller than the target stream length"
            }
            Self::SetIdBelowGivenDeleted => {
                "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id"
            }
            Self::SetIdBelowTop => {
                "ERR The ID specified in XSETID is smaller than the target stream top item"
            }
            Self::TrimMissing => "ERR syntax error, XTRIM must be called with a trimming strategy",
            Self::TrimTwice => {
                "ERR syntax error, MAXLEN and MINID options at the same time are not compatible"
            }
            _ => return Cow::Owned(self.composed()),
        })
    }

    fn composed(&self) -> String {
        match self {
            Self::ClaimMinIdle(command) => {
                format!("ERR Invalid min-idle-time argument for {command}")
            }
            Self::ClaimOption(option) => format!("ERR Invalid {option} option argument for XCLAIM"),
            Self::ClaimOptionUnknown(option) => {
                format!("ERR Unrecognized XCLAIM option '{option}'")
            }
            Self::ConfigRange { name, max } => format!("ERR {name} must be between 1 and {max}"),
            Self::OnceEmpty(option, id) => format!("ERR {option} requires a non-empty {id} ID"),
            Self::GroupOption(option) => format!(
                "ERR The {option} option is only supported by XREADGROUP. You called XREAD instead."
            ),
            Self::NackOptionUnknown(option) => format!("ERR Unrecognized XNACK option '{option}'"),
            Self::NewOnly(id) => format!(
                "ERR The {id} ID is meaningless in the context of XREADGROUP: you want to read the \
                 history of this consumer by specifying a proper ID, or use the > ID to get new \
                 messages. The {id} ID would just return an empty result set."
            ),
            Self::NoGroup { key, group } => {
                format!("NOGROUP No such key '{key}' or consumer group '{group}'")
            }
            Self::NoGroupNamed { key, group } => {
                format!("NOGROUP No such consumer group '{group}' for key name '{key}'")
            }
            Self::NoGroupToRead { key, group } => format!(
                "NOGROUP No such key '{key}' or consumer group '{group}' in XREADGROUP with GROUP \
                 option"
            ),
            Self::NotPositive(option) => format!("ERR {option} must be a positive integer"),
            Self::SubcommandArguments { container, name } => format!(
                "ERR unknown subcommand or wrong number of arguments for '{name}'. Try {container} \
                 HELP."
            ),
            Self::Unbalanced { command, special } => format!(
                "ERR Unbalanced '{command}' list of streams: for each stream key an ID{special} \
                 must be specified."
            ),
            _ => "ERR".to_owned(),
        }
    }
}
