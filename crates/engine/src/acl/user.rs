//! A user: who may log in as it, and what it may do.

use super::Around;
use super::selector::Selector;
use crate::dialect::Dialect;
use crate::error::RuleError;
use sha2::{Digest, Sha256};

/// SHA-256 of a password, in lower-case hexadecimal.
type PasswordHash = [u8; 64];

/// A user and its rights.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct User {
    name: Box<[u8]>,
    is_on: bool,
    /// Any password will do.
    needs_no_password: bool,
    /// What RESTORE brings is looked at closely. Valkey takes the rule and shows nothing of it.
    sanitizes: bool,
    passwords: Vec<PasswordHash>,
    root: Selector,
    selectors: Vec<Selector>,
}

impl User {
    /// A user who may do nothing, not even log in; all channels, if so.
    pub fn new(name: &[u8], has_channels: bool) -> Self {
        Self {
            name: name.into(),
            is_on: false,
            needs_no_password: false,
            sanitizes: true,
            passwords: Vec::new(),
            root: Selector::new(has_channels),
            selectors: Vec::new(),
        }
    }

    /// A user who may do everything, with a password unless it is empty.
    pub fn all_powerful(name: &[u8], password: &[u8]) -> Self {
        let root = Selector::everything();
        let mut user = Self { is_on: true, root, ..Self::new(name, true) };
        user.set_only_password(password);
        user
    }

    /// Forgets all passwords but this one; none is needed if it is empty.
    pub fn set_only_password(&mut self, password: &[u8]) {
        self.passwords.clear();
        self.needs_no_password = password.is_empty();
        if !password.is_empty() {
            self.passwords.push(hash(password));
        }
    }

    /// Applies one rule. After an error the user is as before.
    pub fn apply(&mut self, rule: &[u8], around: &Around<'_>) -> Result<(), RuleError> {
        match &rule.to_ascii_lowercase()[..] {
            // Nothing is asked for.
            b"" => {}
            b"on" => self.is_on = true,
            b"off" => self.is_on = false,
            b"nopass" => self.set_only_password(b""),
            b"resetpass" => {
                self.passwords.clear();
                self.needs_no_password = false;
            }
            b"sanitize-payload" => self.sanitizes = true,
            b"skip-sanitize-payload" => self.sanitizes = false,
            b"clearselectors" => self.selectors.clear(),
            b"reset" => *self = Self::new(&self.name, around.has_channels),
            [b'>', ..] => self.add_password(hash(&rule[1..])),
            [b'#', ..] => self.add_password(as_hash(&rule[1..])?),
            [b'<', ..] => self.remove_password(&hash(&rule[1..]))?,
            [b'!', ..] => self.remove_password(&as_hash(&rule[1..])?)?,
            [b'(', rules @ .., b')'] => {
                let rules = &rule[1..=rules.len()];
                self.selectors.push(Selector::parse(rules, around)?);
            }
            _ => self.root.apply(rule, around)?,
        }
        Ok(())
    }

    fn add_password(&mut self, password: PasswordHash) {
        self.needs_no_password = false;
        if !self.passwords.contains(&password) {
            self.passwords.push(password);
        }
    }

    fn remove_password(&mut self, password: &PasswordHash) -> Result<(), RuleError> {
        let place = self.passwords.iter().position(|known| known == password);
        self.passwords.remove(place.ok_or(RuleError::PasswordUnknown)?);
        Ok(())
    }

    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// Whether this password lets a client in. Takes the same time whatever is wrong with it.
    pub fn accepts(&self, password: &[u8]) -> bool {
        let given = hash(password);
        let is_known = self.passwords.iter().fold(false, |is_known, known| {
            let difference = known.iter().zip(&given).fold(0, |all, (a, b)| all | (a ^ b));
            is_known | (std::hint::black_box(difference) == 0)
        });
        self.is_on && (self.needs_no_password || is_known)
    }

    /// Whether clients are in without a word.
    pub fn is_open(&self) -> bool {
        self.is_on && self.needs_no_password
    }

    /// Whether any password will do, once it is on.
    pub fn needs_no_password(&self) -> bool {
        self.needs_no_password
    }

    /// Whether there is no call that it may not make.
    pub fn is_unrestricted(&self) -> bool {
        self.root.is_everything()
    }

    /// Whether a channel may be used, or a pattern of channels.
    pub fn allows_channel(&self, channel: &[u8], is_pattern: bool) -> bool {
        self.all_selectors().any(|selector| selector.allows_channel(channel, is_pattern))
    }

    /// The words of `flags` in ACL GETUSER.
    pub fn flags(&self, dialect: Dialect) -> impl Iterator<Item = &'static str> {
        let shows_payload = dialect == Dialect::Redis;
        let flags = [
            (self.is_on, "on"),
            (!self.is_on, "off"),
            (self.needs_no_password, "nopass"),
            (!self.sanitizes && shows_payload, "skip-sanitize-payload"),
            (self.sanitizes && shows_payload, "sanitize-payload"),
        ];
        flags.into_iter().filter(|(is_set, _)| *is_set).map(|(_, word)| word)
    }

    /// The hashes of its passwords.
    pub fn passwords(&self) -> &[PasswordHash] {
        &self.passwords
    }

    /// Its own rules.
    pub fn root(&self) -> &Selector {
        &self.root
    }

    /// Further rules, each complete in itself.
    pub fn selectors(&self) -> &[Selector] {
        &self.selectors
    }

    /// Its own rules, then the further ones.
    pub(super) fn all_selectors(&self) -> impl Iterator<Item = &Selector> {
        std::iter::once(&self.root).chain(&self.selectors)
    }

    /// The rules that make this user out of one that was reset.
    pub fn describe(&self, dialect: Dialect) -> Vec<u8> {
        let mut text = Vec::new();
        for flag in self.flags(dialect) {
            text.extend_from_slice(flag.as_bytes());
            text.push(b' ');
        }
        for password in &self.passwords {
            text.push(b'#');
            text.extend_from_slice(password);
            text.push(b' ');
        }
        self.root.describe(&mut text);
        for selector in &self.selectors {
            text.extend_from_slice(b" (");
            selector.describe(&mut text);
            text.push(b')');
        }
        text
    }
}

/// Joins the words between an opening parenthesis and its closing one; the number of the word that
/// opens one for good, if there is such.
pub fn merge_selectors<'a>(words: impl Iterator<Item = &'a [u8]>) -> Result<Vec<Vec<u8>>, usize> {
    let mut merged = Vec::new();
    let mut open: Option<(usize, Vec<u8>)> = None;
    for (index, word) in words.enumerate() {
        let closes = word.last() == Some(&b')');
        open = match open {
            None if word.first() == Some(&b'(') && !closes => Some((index, word.to_vec())),
            None => {
                merged.push(word.to_vec());
                None
            }
            Some((start, mut rules)) => {
                rules.push(b' ');
                rules.extend_from_slice(word);
                if closes {
                    merged.push(rules);
                    None
                } else {
                    Some((start, rules))
                }
            }
        };
    }
    open.map_or(Ok(merged), |(start, _)| Err(start))
}

fn hash(password: &[u8]) -> PasswordHash {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [0; 64];
    for (pair, byte) in text.chunks_exact_mut(2).zip(Sha256::digest(password)) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    text
}

fn as_hash(text: &[u8]) -> Result<PasswordHash, RuleError> {
    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let hash = text.try_into().map_err(|_| RuleError::HashInvalid)?;
    if text.iter().all(is_digit) { Ok(hash) } else { Err(RuleError::HashInvalid) }
}
