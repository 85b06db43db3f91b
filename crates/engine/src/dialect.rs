//! The facts in which Redis 8 and Valkey 9 contradict each other, in one table.

use crate::error::CommandError;
use resp::Quotes;

/// Which of the two a server answers like.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Dialect {
    #[default]
    Redis,
    Valkey,
}

/// What differs, as data.
pub struct Differences {
    /// Whether NOAUTH comes before any other error of a call.
    pub asks_for_password_first: bool,
    /// Whether CLIENT LIST and KILL say of an id that is no number that the syntax is wrong, and
    /// refuse those that no client can have.
    pub client_ids_are_checked: bool,
    /// Whether the digest of a hash shows which fields have a deadline.
    pub digest_marks_fields: bool,
    /// Whether the error of a script names the script beside the line.
    pub errors_show_script: bool,
    /// Whether a call with FIELDS looks for that word first and for the key later, and says what is
    /// wrong in words of its own.
    pub finds_fields_first: bool,
    /// Whether the names of a library's functions are looked at when all are registered.
    pub function_names_wait: bool,
    /// `server` of HELLO.
    pub hello_server: &'static str,
    /// `version` of HELLO.
    pub hello_version: &'static str,
    /// `redis_version` of INFO.
    pub redis_version: &'static str,
    /// `server_name` of INFO.
    pub server_name: &'static str,
    /// Whether LATENCY LATEST adds up the spikes of an event.
    pub latency_spikes_are_summed: bool,
    /// `valkey_version` of INFO, where it is shown.
    pub valkey_version: Option<&'static str>,
    /// Whether a search around a member that is missing names it.
    pub missing_places_are_named: bool,
    /// Whether MULTI inside MULTI dooms the transaction.
    pub nested_multi_aborts: bool,
    /// Whether a deadline that has passed makes a key expire, for subscribers, instead of deleting it.
    pub past_deadlines_expire: bool,
    /// Whether GETEX looks at its time before the key.
    pub getex_checks_time_first: bool,
    /// Whether GEOPOS and its relatives print 17 decimals.
    pub places_have_17_decimals: bool,
    /// The product's name, as LOLWUT says it.
    pub product: &'static str,
    /// Whether BGSAVE can be cancelled.
    pub bgsave_can_be_cancelled: bool,
    /// What a closing quote does in inline requests and configuration files.
    pub quotes: Quotes,
    /// Whether SCAN refuses a TYPE that does not exist, instead of finding nothing.
    pub scan_knows_types: bool,
    /// Whether scripts may be of several languages: an unknown one is then looked up after the flags.
    pub script_engines_are_many: bool,
    /// Whether OBJECT REFCOUNT shows small integers as shared by everybody.
    pub shares_integers: bool,
}

static REDIS: Differences = Differences {
    asks_for_password_first: false,
    bgsave_can_be_cancelled: false,
    client_ids_are_checked: false,
    digest_marks_fields: true,
    errors_show_script: true,
    finds_fields_first: false,
    function_names_wait: false,
    hello_server: "redis",
    hello_version: "8.0.6",
    redis_version: "8.0.6",
    server_name: "ochre",
    latency_spikes_are_summed: false,
    valkey_version: None,
    missing_places_are_named: false,
    nested_multi_aborts: false,
    past_deadlines_expire: false,
    getex_checks_time_first: false,
    places_have_17_decimals: false,
    product: "Redis",
    quotes: Quotes::EndWords,
    scan_knows_types: false,
    script_engines_are_many: false,
    shares_integers: true,
};

static VALKEY: Differences = Differences {
    asks_for_password_first: true,
    bgsave_can_be_cancelled: true,
    client_ids_are_checked: true,
    digest_marks_fields: false,
    errors_show_script: false,
    finds_fields_first: true,
    function_names_wait: true,
    hello_server: "valkey",
    hello_version: "9.1.2",
    redis_version: "7.2.4",
    server_name: "valkey",
    latency_spikes_are_summed: true,
    valkey_version: Some("9.1.2"),
    missing_places_are_named: true,
    nested_multi_aborts: true,
    past_deadlines_expire: true,
    getex_checks_time_first: true,
    places_have_17_decimals: true,
    product: "Valkey",
    quotes: Quotes::JoinWords,
    scan_knows_types: true,
    script_engines_are_many: true,
    shares_integers: false,
};

impl Dialect {
    /// An error of a call from a script, in the words of this dialect.
    pub fn script_error(self, error: CommandError) -> CommandError {
        match self {
            Self::Redis => error,
            Self::Valkey => error.in_valkey_scripts(),
        }
    }

    /// The row of this dialect.
    pub fn differences(self) -> &'static Differences {
        match self {
            Self::Redis => &REDIS,
            Self::Valkey => &VALKEY,
        }
    }
}
