//! Which server this is, and which servers a case holds for.

use std::fmt;

/// A server's name and version, as it states them itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub name: String,
    pub version: Vec<u64>,
}

/// One of `redis>=7.4`, `valkey<9`, `ochre`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector {
    name: String,
    bound: Option<(Relation, Vec<u64>)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relation {
    Below,
    From,
}

impl Identity {
    /// Reads `INFO server`. Ochre names its dialect too: `ochre` stands for dialect redis, and
    /// `ochre-valkey` for the other.
    pub fn read(info: &str) -> Self {
        let field = |name: &str| {
            let line = info.lines().find(|line| line.starts_with(&format!("{name}:")))?;
            Some(line[name.len() + 1..].trim().to_owned())
        };
        let valkey = field("valkey_version");
        let (name, version) = match (field("ochre_version"), valkey) {
            (Some(version), Some(_)) => ("ochre-valkey", version),
            (Some(version), None) => ("ochre", version),
            (None, Some(version)) => ("valkey", version),
            (None, None) => ("redis", field("redis_version").unwrap_or_default()),
        };
        Self { name: name.to_owned(), version: numbers(&version) }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version: Vec<String> = self.version.iter().map(ToString::to_string).collect();
        write!(formatter, "{} {}", self.name, version.join("."))
    }
}

impl Selector {
    /// # Errors
    /// When the text is no selector.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (name, bound) = if let Some((name, version)) = text.split_once(">=") {
            (name, Some((Relation::From, numbers(version))))
        } else if let Some((name, version)) = text.split_once('<') {
            (name, Some((Relation::Below, numbers(version))))
        } else {
            (text, None)
        };
        let name = name.trim();
        if !["redis", "valkey", "ochre", "ochre-valkey"].contains(&name) {
            return Err(format!("no server is called {name}"));
        }
        Ok(Self { name: name.to_owned(), bound })
    }

    pub fn holds_for(&self, identity: &Identity) -> bool {
        self.name == identity.name
            && match &self.bound {
                Some((Relation::From, bound)) => *bound <= identity.version,
                Some((Relation::Below, bound)) => identity.version < *bound,
                None => true,
            }
    }
}

fn numbers(version: &str) -> Vec<u64> {
    version.trim().split('.').map_while(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(selector: &str, info: &str) -> bool {
        Selector::parse(selector).expect("a selector").holds_for(&Identity::read(info))
    }

    #[test]
    fn names_and_bounds() {
        let valkey = "redis_version:7.2.4\r\nvalkey_version:9.1.2\r\n";
        let redis = "redis_version:7.0.15\r\n";
        let ochre = "redis_version:8.0.6\r\nserver_name:ochre\r\nochre_version:0.1.0\r\n";
        assert!(
            holds("valkey>=9", valkey) && !holds("redis", valkey) && !holds("valkey<9.1", valkey)
        );
        assert!(holds("redis<7.4", redis) && !holds("redis>=7.0.16", redis));
        assert!(holds("ochre", ochre) && !holds("redis", ochre));
        assert!(Selector::parse("reddis").is_err());
    }
}
