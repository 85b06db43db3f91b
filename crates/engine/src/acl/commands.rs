//! Which commands a selector allows, and the fewest rules that say so.
//!
//! A bit for each row of the table, subcommands included, answers the check. The rules are kept as
//! text beside them for ACL LIST: a rule takes the place of earlier ones for the same command (and its
//! subcommands), category or first argument, and *all* or *none* takes the place of everything.

use crate::command::{Categories, Flags};
use crate::error::RuleError;
use crate::table::{CommandTable, Entry};
use resp::Argv;
use std::collections::BTreeMap;

/// A set of commands.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Commands {
    /// All of them, and no rule since has taken any away.
    is_everything: bool,
    /// What the rules begin with: everything, or nothing.
    begins_with_all: bool,
    allowed: Vec<u64>,
    /// First arguments with which commands are allowed that otherwise are not, by row.
    first_arguments: BTreeMap<usize, Vec<Box<[u8]>>>,
    /// Each with whether it allows.
    rules: Vec<(bool, Box<[u8]>)>,
}

impl Commands {
    /// Every command, now and in future.
    pub(super) fn everything() -> Self {
        Self { is_everything: true, begins_with_all: true, ..Self::default() }
    }

    /// Applies `+…` or `-…`, given without its sign.
    pub(super) fn apply(
        &mut self,
        allows: bool,
        name: &[u8],
        table: &CommandTable,
    ) -> Result<(), RuleError> {
        if let Some(category) = name.strip_prefix(b"@") {
            return self.apply_category(allows, category, table);
        }
        if let (true, Some(bar)) = (allows, name.iter().rposition(|byte| *byte == b'|')) {
            return self.allow_part(name, bar, table);
        }
        let entry = table.full_named(name).ok_or(RuleError::Unknown)?;
        self.set(entry, allows, table);
        self.remember(allows, entry.full_name.as_bytes());
        Ok(())
    }

    fn apply_category(
        &mut self,
        allows: bool,
        name: &[u8],
        table: &CommandTable,
    ) -> Result<(), RuleError> {
        if name.eq_ignore_ascii_case(b"all") {
            *self = if allows { Self::everything() } else { Self::default() };
            return Ok(());
        }
        let category = category(name).ok_or(RuleError::Unknown)?;
        for entry in table.all().filter(|entry| entry.row.categories().has(category)) {
            self.set(entry, allows, table);
        }
        self.remember(allows, &[b"@", name].concat());
        Ok(())
    }

    /// `+command|part`: a subcommand, or a first argument of a command that has none.
    fn allow_part(
        &mut self,
        name: &[u8],
        bar: usize,
        table: &CommandTable,
    ) -> Result<(), RuleError> {
        let (command, part) = (&name[..bar], &name[bar + 1..]);
        let entry = table.full_named(command).ok_or(RuleError::Unknown)?;
        if entry.full_name.contains('|') {
            return Err(RuleError::FirstArgumentOfSubcommand);
        }
        if part.is_empty() {
            return Err(RuleError::Syntax);
        }
        if entry.subcommands.is_empty() {
            let known = self.first_arguments.entry(entry.id).or_default();
            if !known.iter().any(|known| known.eq_ignore_ascii_case(part)) {
                known.push(part.into());
            }
        } else {
            let entry = table.full_named(name).ok_or(RuleError::Unknown)?;
            self.set(entry, true, table);
        }
        self.remember(true, name);
        Ok(())
    }

    /// Whether a call may be made, as far as its command goes.
    pub(super) fn allows(&self, entry: &Entry, argv: Argv<'_>) -> bool {
        // Who could not say who it is could never do anything else.
        if self.is_everything || entry.row.flags.has(Flags::NO_AUTH) || self.has(entry.id) {
            return true;
        }
        let Some(allowed) = self.first_arguments.get(&entry.id) else { return false };
        let is_meant = |word: &[u8]| allowed.iter().any(|one| one.eq_ignore_ascii_case(word));
        argv.get(1).is_some_and(is_meant)
    }

    /// Whether everything is allowed.
    pub(super) fn is_everything(&self) -> bool {
        self.is_everything
    }

    /// Appends the rules.
    pub(super) fn describe(&self, text: &mut Vec<u8>) {
        text.extend_from_slice(if self.begins_with_all { b"+@all" } else { b"-@all" });
        for (allows, rule) in &self.rules {
            text.extend_from_slice(if *allows { b" +" } else { b" -" });
            text.extend_from_slice(rule);
        }
    }

    fn has(&self, id: usize) -> bool {
        self.allowed.get(id / 64).is_some_and(|word| word & (1 << (id % 64)) != 0)
    }

    /// Allows or forbids a command with its subcommands.
    fn set(&mut self, entry: &Entry, allows: bool, table: &CommandTable) {
        let words = table.count().div_ceil(64);
        if self.allowed.len() < words {
            let rest = if self.is_everything { u64::MAX } else { 0 };
            self.allowed.resize(words, rest);
        }
        self.is_everything &= allows;
        for id in std::iter::once(entry).chain(&entry.subcommands).map(|entry| entry.id) {
            let bit = 1 << (id % 64);
            if allows {
                self.allowed[id / 64] |= bit;
            } else {
                self.allowed[id / 64] &= !bit;
            }
        }
        self.first_arguments.remove(&entry.id);
    }

    /// Keeps a rule, in place of those that it makes void.
    fn remember(&mut self, allows: bool, rule: &[u8]) {
        let rule = rule.to_ascii_lowercase();
        self.rules.retain(|(_, earlier)| {
            let rest = earlier.strip_prefix(&rule[..]);
            !rest.is_some_and(|rest| rest.is_empty() || rest[0] == b'|')
        });
        self.rules.push((allows, rule.into()));
    }
}

/// The category of this name.
pub fn category(name: &[u8]) -> Option<Categories> {
    let is_named = |text: &str| name.eq_ignore_ascii_case(text.as_bytes());
    Categories::NAMES.iter().find(|(_, text)| is_named(text)).map(|(category, _)| *category)
}
