//! Versions of the format, and which one to write.

/// Redis's newest version that is known.
const REDIS_MAX: u16 = 14;
/// Valkey's first version of its own, and the newest that is known.
const VALKEY: u16 = 80;

/// Who reads and writes a version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Family {
    /// Redis, and Valkey before 9.
    #[default]
    Redis,
    /// Valkey from 9 on.
    Valkey,
}

/// A version of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(u16);

impl Version {
    /// The oldest that is written: Redis 5.
    pub const OLDEST: Self = Self(9);
    /// Redis 7.0: there are libraries of functions.
    pub const FUNCTIONS: Self = Self(10);
    /// Redis 7.0: streams know what was deleted, and how much was read.
    pub const STREAM_COUNTS: Self = Self(10);
    /// Redis 7.2: consumers know when they were active.
    pub const STREAM_ACTIVITY: Self = Self(11);
    /// Redis 7.4: fields of hashes expire.
    pub const FIELD_DEADLINES: Self = Self(12);
    /// Redis 8.6: streams know their producers.
    pub const STREAM_PRODUCERS: Self = Self(13);
    /// Redis 8.8: entries of streams are given back.
    pub const STREAM_NACKS: Self = Self(14);
    /// Valkey 9: fields of hashes expire, in another way.
    pub const VALKEY: Self = Self(VALKEY);

    /// The version of this number, if it is known.
    pub fn known(number: u32) -> Option<Self> {
        let number = u16::try_from(number).ok()?;
        ((1..=REDIS_MAX).contains(&number) || number == VALKEY).then_some(Self(number))
    }

    /// Its number.
    pub fn number(self) -> u16 {
        self.0
    }

    /// Whose it is.
    pub fn family(self) -> Family {
        if self.0 < VALKEY { Family::Redis } else { Family::Valkey }
    }
}

/// For whom values are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// Whose newer forms are taken, where older ones cannot hold a value.
    pub family: Family,
    /// The version that must be able to read it; without one, the oldest that can hold it.
    pub version: Option<Version>,
    /// Whether strings are compressed.
    pub compresses: bool,
}

impl Default for Target {
    fn default() -> Self {
        Self { family: Family::default(), version: None, compresses: true }
    }
}

impl Target {
    /// Whose forms are taken where the two have different ones.
    pub fn family(&self) -> Family {
        self.version.map_or(self.family, Version::family)
    }

    /// Whether what `needed` brought can be written.
    pub(super) fn has(&self, needed: Version) -> bool {
        match self.version {
            None => true,
            // Valkey has split off with what version 11 had.
            Some(Version::VALKEY) => {
                needed <= Version::STREAM_ACTIVITY || needed == Version::VALKEY
            }
            Some(version) => needed <= version,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_have_what_came_before() {
        let any = Target::default();
        assert!(any.has(Version::FIELD_DEADLINES) && any.has(Version::VALKEY));
        let only = |version| Target { version: Some(version), ..Target::default() };
        assert!(only(Version::STREAM_COUNTS).has(Version::STREAM_COUNTS));
        assert!(!only(Version::STREAM_COUNTS).has(Version::STREAM_ACTIVITY));
        assert!(!only(Version::STREAM_NACKS).has(Version::VALKEY));
        let valkey = only(Version::VALKEY);
        assert!(valkey.has(Version::STREAM_ACTIVITY) && valkey.has(Version::VALKEY));
        assert!(!valkey.has(Version::STREAM_NACKS));
        assert_eq!(valkey.family(), Family::Valkey);
    }

    #[test]
    fn only_known_versions_are() {
        let known: Vec<u32> = (0..200).filter(|n| Version::known(*n).is_some()).collect();
        assert_eq!(known, (1..=14).chain([80]).collect::<Vec<_>>());
        assert_eq!(Version::known((1 << 16) + 9), None);
    }
}
