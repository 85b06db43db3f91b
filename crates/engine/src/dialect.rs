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
}

static REDIS: Differences = Differences {
    hello_server: "redis",
    hello_version: "8.0.6",
    redis_version: "8.0.6",
    server_name: "ochre",
    valkey_version: None,
    nested_multi_aborts: false,
};

static VALKEY: Differences = Differences {
    hello_server: "valkey",
    hello_version: "9.1.2",
    redis_version: "7.2.4",
    server_name: "valkey",
    valkey_version: Some("9.1.2"),
    nested_multi_aborts: true,
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
