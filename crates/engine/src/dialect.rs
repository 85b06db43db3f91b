//! The facts in which Redis 8 and Valkey 9 contradict each other, in one table.

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
    /// `server` of HELLO.
    pub hello_server: &'static str,
    /// `version` of HELLO.
    pub hello_version: &'static str,
    /// `redis_version` of INFO.
    pub redis_version: &'static str,
    /// `server_name` of INFO.
    pub server_name: &'static str,
    /// `valkey_version` of INFO, where it is shown.
    pub valkey_version: Option<&'static str>,
    /// Whether MULTI inside MULTI dooms the transaction.
    pub nested_multi_aborts: bool,
    /// The product's name, as LOLWUT says it.
    pub product: &'static str,
    /// Whether SCAN refuses a TYPE that does not exist, instead of finding nothing.
    pub scan_knows_types: bool,
    /// Whether OBJECT REFCOUNT shows small integers as shared by everybody.
    pub shares_integers: bool,
}

static REDIS: Differences = Differences {
    asks_for_password_first: false,
    hello_server: "redis",
    hello_version: "8.0.6",
    redis_version: "8.0.6",
    server_name: "ochre",
    valkey_version: None,
    nested_multi_aborts: false,
    product: "Redis",
    scan_knows_types: false,
    shares_integers: true,
};

static VALKEY: Differences = Differences {
    asks_for_password_first: true,
    hello_server: "valkey",
    hello_version: "9.1.2",
    redis_version: "7.2.4",
    server_name: "valkey",
    valkey_version: Some("9.1.2"),
    nested_multi_aborts: true,
    product: "Valkey",
    scan_knows_types: true,
    shares_integers: false,
};

impl Dialect {
    /// The row of this dialect.
    pub fn differences(self) -> &'static Differences {
        match self {
            Self::Redis => &REDIS,
            Self::Valkey => &VALKEY,
        }
    }
}
