//! What settings, log and banner need to know about the two dialects.

pub use engine::dialect::Dialect;

/// What differs between the dialects, as data: branches elsewhere read it from here.
#[derive(Debug)]
pub struct DialectFacts {
    /// The word in the `dialect` setting.
    pub name: &'static str,
    /// The product's name as it appears in prose.
    pub product: &'static str,
    /// The version that clients are told, because they decide by it what they may send.
    pub version: &'static str,
    /// Where the process number goes when the server runs in the background and no file is named.
    pub pidfile: &'static str,
    /// What stands in brackets in `*** FATAL CONFIG FILE ERROR (…) ***`.
    pub version_in_errors: &'static str,
}

static REDIS: DialectFacts = DialectFacts {
    name: "redis",
    product: "Redis",
    version: "8.0.6",
    pidfile: "/var/run/redis.pid",
    version_in_errors: "Redis 8.0.6",
};

static VALKEY: DialectFacts = DialectFacts {
    name: "valkey",
    product: "Valkey",
    version: "9.1.2",
    pidfile: "/var/run/valkey.pid",
    version_in_errors: "Version 9.1.2",
};

pub fn facts(dialect: Dialect) -> &'static DialectFacts {
    match dialect {
        Dialect::Redis => &REDIS,
        Dialect::Valkey => &VALKEY,
    }
}

/// The dialect of a word in the `dialect` setting.
pub fn from_name(name: &[u8]) -> Option<Dialect> {
    [Dialect::Redis, Dialect::Valkey]
        .into_iter()
        .find(|dialect| name.eq_ignore_ascii_case(facts(*dialect).name.as_bytes()))
}

/// The dialect that the program's own name asks for: `valkey-server` and `redis-server` do.
pub fn from_program(program: &str) -> Option<Dialect> {
    let name = program.rsplit('/').next().unwrap_or(program);
    if name.starts_with("valkey-server") {
        Some(Dialect::Valkey)
    } else if name.starts_with("redis-server") {
        Some(Dialect::Redis)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_programs() {
        assert_eq!(from_name(b"VALKEY"), Some(Dialect::Valkey));
        assert_eq!(from_name(b"redis"), Some(Dialect::Redis));
        assert_eq!(from_name(b"keydb"), None);
        assert_eq!(from_program("/usr/bin/valkey-server"), Some(Dialect::Valkey));
        assert_eq!(from_program("redis-server"), Some(Dialect::Redis));
        assert_eq!(from_program("./ochre-server"), None);
    }
}
