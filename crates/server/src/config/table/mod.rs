//! Every setting as one row: names, kind, default, mutability, status, one line of prose.
//!
//! The row is the only place that states a fact about a setting. Files, the command line, CONFIG
//! GET, SET and REWRITE and the typed [`Settings`](super::Settings) all read it. A row of status
//! [`Status::Kept`] is accepted and shown, and a log line says that it has no effect here; a row of
//! status [`Status::Guarded`] would leave access, data or role unguarded if it were merely kept, so
//! anything but its default stops the start.

mod clients;
mod cluster;
mod encodings;
mod memory;
mod network;
mod observing;
mod ours;
mod persistence;
mod process;
mod replication;
mod scripts;
mod security;

use super::dialect::Dialect;
use super::value::{Check, Choices, Kind};

/// Who may change a setting, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutability {
    /// Only in a file or on the command line.
    Immutable,
    Mutable,
    /// By CONFIG SET only where `enable-protected-configs` allows it.
    Protected,
}

/// What a setting does here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Anything but the default is refused, with this reason.
    Guarded(&'static str),
    Implemented,
    /// Accepted, shown, and without effect.
    Kept,
}

/// Which dialects list a setting; the other accepts it all the same, so that files of both families
/// work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listed {
    Both,
    Neither,
    Redis,
    Valkey,
}

/// One setting.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The name that CONFIG REWRITE writes, unless the dialect has its own.
    pub name: &'static str,
    /// Older names of the same setting.
    pub aliases: &'static [&'static str],
    /// Valkey's own name, which Redis doesn't know.
    pub valkey_name: Option<&'static str>,
    pub kind: Kind,
    /// As it would stand in a file.
    pub default: &'static str,
    /// Numbers outside are moved to the nearer end instead of refused.
    pub clamp: Option<(i128, i128)>,
    /// Valkey's default where it differs.
    pub valkey_default: Option<&'static str>,
    pub listed: Listed,
    pub mutability: Mutability,
    pub status: Status,
    /// Whether logs and monitors leave its value out.
    pub is_secret: bool,
    pub doc: &'static str,
}

/// A directive that only files know: it holds no value that could be shown.
#[derive(Clone, Copy, Debug)]
pub struct FileDirective {
    pub name: &'static str,
    pub words_min: usize,
    pub words_max: usize,
    /// Why the start stops here; `None` for one that `file` or `mod` handles itself.
    pub refusal: Option<&'static str>,
}

/// Directives of files beside the rows.
pub const FILE_DIRECTIVES: &[FileDirective] = &[
    FileDirective { name: "include", words_min: 1, words_max: 1, refusal: None },
    FileDirective {
        name: "loadmodule",
        words_min: 1,
        words_max: usize::MAX,
        refusal: Some("modules can't be loaded: this server has no module interface"),
    },
    FileDirective {
        name: "rename-command",
        words_min: 2,
        words_max: 2,
        refusal: Some(
            "rename-command isn't available yet, and the command would stay reachable without it",
        ),
    },
    FileDirective { name: "user", words_min: 1, words_max: usize::MAX, refusal: None },
];

/// Names that old files may hold with one argument; they mean nothing any more.
pub const RETIRED: &[&str] = &[
    "events-per-io-thread",
    "io-threads-do-reads",
    "list-max-ziplist-entries",
    "list-max-ziplist-value",
    "lua-replicate-commands",
];

const THEMES: [&[Row]; 12] = [
    network::ROWS,
    clients::ROWS,
    process::ROWS,
    security::ROWS,
    memory::ROWS,
    persistence::ROWS,
    encodings::ROWS,
    scripts::ROWS,
    observing::ROWS,
    replication::ROWS,
    cluster::ROWS,
    ours::ROWS,
];

/// How many settings there are.
pub const ROW_COUNT: usize = {
    let mut count = 0;
    let mut theme = 0;
    while theme < THEMES.len() {
        count += THEMES[theme].len();
        theme += 1;
    }
    count
};

/// All rows; a row's place here is its index everywhere else.
pub static ROWS: [Row; ROW_COUNT] = {
    let mut rows = [THEMES[0][0]; ROW_COUNT];
    let mut place = 0;
    let mut theme = 0;
    while theme < THEMES.len() {
        let mut row = 0;
        while row < THEMES[theme].len() {
            rows[place] = THEMES[theme][row];
            place += 1;
            row += 1;
        }
        theme += 1;
    }
    rows
};

/// The row of a name or alias in any case of letters, with the name as the table spells it.
pub fn find(name: &[u8]) -> Option<(usize, &'static str)> {
    ROWS.iter().enumerate().find_map(|(index, row)| {
        row.names()
            .find(|known| name.eq_ignore_ascii_case(known.as_bytes()))
            .map(|known| (index, known))
    })
}

/// The row of a name that the program itself uses.
///
/// # Panics
/// When the table has no such name; a test asks for every name that is used.
pub fn index_of(name: &str) -> usize {
    match find(name.as_bytes()) {
        Some((index, _)) => index,
        None => panic!("no setting is named {name}"),
    }
}

impl Row {
    /// Every name that the row answers to.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.valkey_name.into_iter().chain([self.name]).chain(self.aliases.iter().copied())
    }

    /// The names that a pattern finds in this dialect.
    pub fn listed_names(&self, dialect: Dialect) -> impl Iterator<Item = &'static str> {
        let is_listed = match self.listed {
            Listed::Both => true,
            Listed::Neither => false,
            Listed::Redis => dialect == Dialect::Redis,
            Listed::Valkey => dialect == Dialect::Valkey,
        };
        let skipped = if dialect == Dialect::Redis { self.valkey_name } else { None };
        self.names().filter(move |name| is_listed && Some(*name) != skipped)
    }

    /// The name to write in this dialect.
    pub fn canonical_name(&self, dialect: Dialect) -> &'static str {
        match (dialect, self.valkey_name) {
            (Dialect::Valkey, Some(name)) => name,
            _ => self.name,
        }
    }

    pub fn default_text(&self, dialect: Dialect) -> &'static str {
        match (dialect, self.valkey_default) {
            (Dialect::Valkey, Some(text)) => text,
            _ if self.listed == Listed::Valkey => self.valkey_default.unwrap_or(self.default),
            _ => self.default,
        }
    }
}

const INT_MAX: i128 = i32::MAX as i128;
const INT_MIN: i128 = i32::MIN as i128;
const LONG_MAX: i128 = i64::MAX as i128;
const LONG_MIN: i128 = i64::MIN as i128;
const UINT_MAX: i128 = u32::MAX as i128;

/// The constructors of rows: one per kind, and the modifiers that say what is not as usual.
const fn row(name: &'static str, kind: Kind, default: &'static str) -> Row {
    Row {
        name,
        aliases: &[],
        valkey_name: None,
        kind,
        default,
        valkey_default: None,
        clamp: None,
        listed: Listed::Both,
        mutability: Mutability::Mutable,
        status: Status::Implemented,
        is_secret: false,
        doc: "",
    }
}

const fn flag(name: &'static str, default: &'static str) -> Row {
    row(name, Kind::Flag, default)
}

const fn integer(name: &'static str, min: i128, max: i128, default: &'static str) -> Row {
    row(name, Kind::Integer { min, max }, default)
}

const fn memory(name: &'static str, min: i128, max: i128, default: &'static str) -> Row {
    row(name, Kind::Memory { min, max }, default)
}

const fn choice(name: &'static str, listed: &'static [&'static str], default: &'static str) -> Row {
    row(name, Kind::Choice(Choices::of(listed)), default)
}

const fn text(name: &'static str, default: &'static str) -> Row {
    row(name, Kind::Text { check: None }, default)
}

const fn checked(name: &'static str, check: Check, default: &'static str) -> Row {
    row(name, Kind::Text { check: Some(check) }, default)
}

impl Row {
    const fn doc(mut self, doc: &'static str) -> Self {
        self.doc = doc;
        self
    }

    const fn also(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    const fn valkey_name(mut self, name: &'static str) -> Self {
        self.valkey_name = Some(name);
        self
    }

    const fn valkey_default(mut self, text: &'static str) -> Self {
        self.valkey_default = Some(text);
        self
    }

    const fn only(mut self, listed: Listed) -> Self {
        self.listed = listed;
        self
    }

    const fn hidden(self) -> Self {
        self.only(Listed::Neither)
    }

    const fn immutable(mut self) -> Self {
        self.mutability = Mutability::Immutable;
        self
    }

    const fn protected(mut self) -> Self {
        self.mutability = Mutability::Protected;
        self
    }

    const fn clamped(mut self, min: i128, max: i128) -> Self {
        self.clamp = Some((min, max));
        self
    }

    const fn secret(mut self) -> Self {
        self.is_secret = true;
        self
    }

    const fn kept(mut self) -> Self {
        self.status = Status::Kept;
        self
    }

    const fn guarded(mut self, reason: &'static str) -> Self {
        self.status = Status::Guarded(reason);
        self
    }
}

#[cfg(test)]
mod tests;
