//! One set of rules: commands, and the keys, channels and databases that they may touch.

use super::Around;
use super::commands::Commands;
use crate::error::RuleError;
use crate::keys::KeyFlags;
use crate::table::Entry;
use base::glob;
use resp::{Argv, Quotes, split_words};
use std::collections::BTreeSet;

/// What may be done with keys that a pattern matches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Permissions {
    pub(super) reads: bool,
    pub(super) writes: bool,
}

/// A pattern of keys.
#[derive(Clone, PartialEq, Eq, Debug)]
struct KeyPattern {
    permissions: Permissions,
    pattern: Box<[u8]>,
}

/// Everything, or what a list names.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Among<T> {
    All,
    These(T),
}

/// A set of rules; a user has one or more.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Selector {
    commands: Commands,
    keys: Among<Vec<KeyPattern>>,
    channels: Among<Vec<Box<[u8]>>>,
    databases: Among<BTreeSet<usize>>,
}

impl Permissions {
    const ALL: Self = Self { reads: true, writes: true };

    /// What a call needs that does this with a key.
    pub(super) fn needed(flags: KeyFlags) -> Self {
        let is_any = |words: &[&str]| flags.0.iter().any(|flag| words.contains(flag));
        Self { reads: is_any(&["access"]), writes: is_any(&["delete", "insert", "update"]) }
    }

    fn cover(self, needed: Self) -> bool {
        (self.reads || !needed.reads) && (self.writes || !needed.writes)
    }
}

impl Selector {
    /// Allows nothing, but all databases, and all channels if so.
    pub(super) fn new(has_channels: bool) -> Self {
        Self {
            commands: Commands::default(),
            keys: Among::These(Vec::new()),
            channels: if has_channels { Among::All } else { Among::These(Vec::new()) },
            databases: Among::All,
        }
    }

    /// Allows everything.
    pub(super) fn everything() -> Self {
        let commands = Commands::everything();
        Self { commands, keys: Among::All, channels: Among::All, databases: Among::All }
    }

    /// What `(rules)` say, given without the parentheses.
    pub(super) fn parse(rules: &[u8], around: &Around<'_>) -> Result<Self, RuleError> {
        let (mut bytes, mut spans) = (Vec::new(), Vec::new());
        split_words(rules, Quotes::EndWords, &mut bytes, &mut spans)
            .map_err(|_| RuleError::Syntax)?;
        let mut selector = Self::new(around.has_channels);
        for rule in Argv::new(&bytes, &spans).iter() {
            selector.apply(rule, around)?;
        }
        Ok(selector)
    }

    /// Applies one rule.
    pub(super) fn apply(&mut self, rule: &[u8], around: &Around<'_>) -> Result<(), RuleError> {
        match &rule.to_ascii_lowercase()[..] {
            b"allchannels" | b"&*" => self.channels = Among::All,
            b"allcommands" => self.commands = Commands::everything(),
            b"alldbs" => self.databases = Among::All,
            b"allkeys" | b"~*" => self.keys = Among::All,
            b"nocommands" => self.commands = Commands::default(),
            b"resetchannels" => self.channels = Among::These(Vec::new()),
            b"resetdbs" => self.databases = Among::These(BTreeSet::new()),
            b"resetkeys" => self.keys = Among::These(Vec::new()),
            [b'd', b'b', b'=', ..] => {
                self.databases = Among::These(databases(&rule[3..])?);
            }
            [b'+', ..] => self.commands.apply(true, &rule[1..], around.table)?,
            [b'-', ..] => self.commands.apply(false, &rule[1..], around.table)?,
            [b'~', ..] => self.add_keys(Permissions::ALL, &rule[1..])?,
            [b'%', ..] => {
                let Among::These(_) = &self.keys else { return Err(RuleError::KeysAfterAll) };
                let (permissions, pattern) = permissions(&rule[1..]).ok_or(RuleError::Syntax)?;
                self.add_keys(permissions, pattern)?;
            }
            [b'&', ..] => self.add_channels(&rule[1..])?,
            _ => return Err(RuleError::Syntax),
        }
        Ok(())
    }

    fn add_keys(&mut self, permissions: Permissions, pattern: &[u8]) -> Result<(), RuleError> {
        let Among::These(patterns) = &mut self.keys else { return Err(RuleError::KeysAfterAll) };
        if has_blanks(pattern) {
            return Err(RuleError::Syntax);
        }
        if let Some(known) = patterns.iter_mut().find(|known| *known.pattern == *pattern) {
            known.permissions.reads |= permissions.reads;
            known.permissions.writes |= permissions.writes;
        } else {
            patterns.push(KeyPattern { permissions, pattern: pattern.into() });
        }
        Ok(())
    }

    fn add_channels(&mut self, pattern: &[u8]) -> Result<(), RuleError> {
        let Among::These(patterns) = &mut self.channels else {
            return Err(RuleError::ChannelsAfterAll);
        };
        if has_blanks(pattern) {
            return Err(RuleError::Syntax);
        }
        if !patterns.iter().any(|known| **known == *pattern) {
            patterns.push(pattern.into());
        }
        Ok(())
    }

    /// Whether nothing is left to be checked.
    pub(super) fn is_everything(&self) -> bool {
        self.commands.is_everything()
            && matches!(self.keys, Among::All)
            && matches!(self.channels, Among::All)
            && matches!(self.databases, Among::All)
    }

    /// Whether a call's command is allowed.
    pub(super) fn allows_command(&self, entry: &Entry, argv: Argv<'_>) -> bool {
        self.commands.allows(entry, argv)
    }

    /// Whether keys need not be looked at.
    pub(super) fn allows_all_keys(&self) -> bool {
        matches!(self.keys, Among::All)
    }

    /// Whether any key may be read.
    pub(super) fn reads_all_keys(&self) -> bool {
        match &self.keys {
            Among::All => true,
            Among::These(patterns) => {
                patterns.iter().any(|known| known.permissions.reads && *known.pattern == *b"*")
            }
        }
    }

    /// Whether this may be done with a key.
    pub(super) fn allows_key(&self, key: &[u8], needed: Permissions) -> bool {
        let Among::These(patterns) = &self.keys else { return true };
        let is_match = |known: &KeyPattern| {
            known.permissions.cover(needed) && glob::matches(&known.pattern, key)
        };
        patterns.iter().any(is_match)
    }

    /// Whether channels need not be looked at.
    pub(super) fn allows_all_channels(&self) -> bool {
        matches!(self.channels, Among::All)
    }

    /// Whether a channel may be used, or a pattern of channels, which must be allowed literally.
    pub(super) fn allows_channel(&self, channel: &[u8], is_pattern: bool) -> bool {
        let Among::These(patterns) = &self.channels else { return true };
        patterns.iter().any(|known| {
            if is_pattern { **known == *channel } else { glob::matches(known, channel) }
        })
    }

    /// Whether databases need not be looked at.
    pub(super) fn allows_all_databases(&self) -> bool {
        matches!(self.databases, Among::All)
    }

    /// Whether a database may be used.
    pub(super) fn allows_database(&self, db: usize) -> bool {
        match &self.databases {
            Among::All => true,
            Among::These(databases) => databases.contains(&db),
        }
    }

    /// Appends the rules that make this selector.
    pub(super) fn describe(&self, text: &mut Vec<u8>) {
        let with_space = |text: &mut Vec<u8>, describe: fn(&Self, &mut Vec<u8>)| {
            let before = text.len();
            describe(self, text);
            if before < text.len() {
                text.push(b' ');
            }
        };
        with_space(text, Self::describe_keys);
        if !self.allows_all_channels() {
            text.extend_from_slice(b"resetchannels ");
        }
        with_space(text, Self::describe_channels);
        if !self.allows_all_databases() {
            let before = text.len();
            self.describe_databases(text);
            let is_none = before == text.len();
            text.extend_from_slice(if is_none { b"resetdbs " } else { b" " });
        }
        self.commands.describe(text);
    }

    /// Appends the rules of commands.
    pub fn describe_commands(&self, text: &mut Vec<u8>) {
        self.commands.describe(text);
    }

    /// Appends the patterns of keys.
    pub fn describe_keys(&self, text: &mut Vec<u8>) {
        let Among::These(patterns) = &self.keys else { return text.extend_from_slice(b"~*") };
        for (index, known) in patterns.iter().enumerate() {
            if index != 0 {
                text.push(b' ');
            }
            text.extend_from_slice(match known.permissions {
                Permissions { reads: true, writes: false } => b"%R~",
                Permissions { reads: false, writes: true } => b"%W~",
                _ => b"~",
            });
            text.extend_from_slice(&known.pattern);
        }
    }

    /// Appends the patterns of channels.
    pub fn describe_channels(&self, text: &mut Vec<u8>) {
        let Among::These(patterns) = &self.channels else { return text.extend_from_slice(b"&*") };
        for (index, pattern) in patterns.iter().enumerate() {
            text.extend_from_slice(if index == 0 { b"&" } else { b" &" });
            text.extend_from_slice(pattern);
        }
    }

    /// Appends the databases.
    pub fn describe_databases(&self, text: &mut Vec<u8>) {
        match &self.databases {
            Among::All => text.extend_from_slice(b"alldbs"),
            Among::These(databases) if databases.is_empty() => {}
            Among::These(databases) => {
                let numbers: Vec<String> = databases.iter().map(ToString::to_string).collect();
                text.extend_from_slice(b"db=");
                text.extend_from_slice(numbers.join(",").as_bytes());
            }
        }
    }
}

/// The numbers of `db=…`, at least one. There may be fewer databases than that.
fn databases(list: &[u8]) -> Result<BTreeSet<usize>, RuleError> {
    let number = |word: &[u8]| {
        let digits = word.strip_prefix(b"-").unwrap_or(word);
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return Err(RuleError::Syntax);
        }
        let number = str::from_utf8(word).ok().and_then(|text| text.parse::<i32>().ok());
        number.and_then(|number| usize::try_from(number).ok()).ok_or(RuleError::DatabaseOutOfRange)
    };
    list.split(|byte| *byte == b',').map(number).collect()
}

/// What stands before the tilde of `%…~pattern`, and the pattern.
fn permissions(rule: &[u8]) -> Option<(Permissions, &[u8])> {
    // Without a tilde the pattern is empty.
    let tilde = rule.iter().position(|byte| *byte == b'~').unwrap_or(rule.len());
    let mut permissions = Permissions { reads: false, writes: false };
    for letter in &rule[..tilde] {
        let place = match letter.to_ascii_uppercase() {
            b'R' => &mut permissions.reads,
            b'W' => &mut permissions.writes,
            _ => return None,
        };
        if std::mem::replace(place, true) {
            return None;
        }
    }
    (tilde != 0).then(|| (permissions, rule.get(tilde + 1..).unwrap_or_default()))
}

/// Whether a text could not be told apart again in a line of rules.
pub fn has_blanks(text: &[u8]) -> bool {
    text.iter().any(|byte| matches!(byte, b'\t'..=b'\r' | b' ' | 0))
}
