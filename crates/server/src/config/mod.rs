//! The settings: read from files and the command line, shown, changed and written back.
//!
//! [`Config`] holds one value per row of the [`table`]. It is plain data: the server keeps it
//! behind a lock, changes it through [`Config::set_many`], and publishes the typed [`Settings`]
//! derived from it. What a changed setting does to the world outside is the server's to do; when
//! that fails, [`Config::roll_back`] undoes the change, so that CONFIG SET is all or nothing.

pub mod apply;
pub mod command_line;
pub mod dialect;
mod error;
pub mod file;
pub mod machine;
mod rewrite;
mod settings;
pub mod special;
pub mod table;
pub mod value;

use std::collections::BTreeMap;
use std::env;
use std::fmt;
use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

pub use apply::Note;
pub use command_line::{Invocation, Sources};
pub use dialect::Dialect;
pub use error::{ConfigError, FatalError, LoadError};
pub use machine::Machine;
pub(crate) use rewrite::replace as replace_file;
pub use rewrite::{RewriteError, Scope};
pub use settings::{Bind, ClientsMemory, Settings, ShutdownWords, SyslogName, allows};
pub use special::{OutputLimit, SavePoint};

use engine::acl::ConfiguredUser;
use file::{Content, Directive};
use table::{FILE_DIRECTIVES, Mutability, RETIRED, ROWS, Status};
use value::{Reason, Value};

const BAD_DIRECTIVE: Reason = Reason::Borrowed("Bad directive or wrong number of arguments");

/// Where a CONFIG SET comes from, for settings that only this machine may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// A Unix socket or a loopback address.
    Local,
    Remote,
}

/// All settings and where they came from.
#[derive(Clone)]
pub struct Config {
    dialect: Dialect,
    machine: Machine,
    /// The file, as an absolute path: CONFIG REWRITE comes back to it from any folder.
    file: Option<PathBuf>,
    /// The words of `user` lines.
    users: Vec<ConfiguredUser>,
    /// By row.
    values: Vec<Value>,
    /// By row, what the setting would be if nobody had said anything.
    defaults: Vec<Value>,
    /// By row, whether a file, an option or CONFIG SET has named it.
    is_named: Vec<bool>,
}

/// What one CONFIG SET changed, with the old values.
#[derive(Default)]
pub struct Changes {
    before: Vec<(usize, Value)>,
}

/// Without the values: passwords may be among them.
impl fmt::Debug for Changes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.names()).finish()
    }
}

impl Changes {
    /// Whether this setting has another value now.
    pub fn touches(&self, name: &str) -> bool {
        self.holds(table::index_of(name))
    }

    fn holds(&self, index: usize) -> bool {
        self.before.iter().any(|(changed, _)| *changed == index)
    }

    pub fn is_empty(&self) -> bool {
        self.before.is_empty()
    }

    /// The names of the settings that have another value now.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.before.iter().map(|(index, _)| ROWS[*index].name)
    }
}

/// Without the values: passwords are among them.
impl fmt::Debug for Config {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Config")
            .field("dialect", &self.dialect)
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

impl Config {
    /// What holds when nothing is said.
    pub fn new(dialect: Dialect, machine: Machine) -> Self {
        let mut defaults: Vec<Value> = ROWS.iter().map(|row| default_value(row, dialect)).collect();
        defaults[table::index_of("io-threads")] = Value::Integer(machine.cores.into());
        let values = defaults.clone();
        let is_named = vec![false; ROWS.len()];
        Self { dialect, machine, file: None, users: Vec::new(), values, defaults, is_named }
    }

    /// Reads the file, standard input and options, in this order; later ones win. `program` is the
    /// name that the program was started under, which may choose the dialect.
    pub fn load(
        program: &str,
        sources: &Sources,
        standard_input: &mut dyn Read,
        machine: Machine,
    ) -> Result<Self, LoadError> {
        let mut text = Vec::new();
        let mut path = None;
        if let Some(file) = &sources.file {
            let absolute = std::path::absolute(file).unwrap_or_else(|_| file.clone());
            text = fs::read(&absolute).map_err(|error| LoadError::unreadable(&absolute, &error))?;
            path = Some(absolute);
        }
        if sources.reads_standard_input {
            standard_input
                .read_to_end(&mut text)
                .map_err(|error| LoadError::unreadable(Path::new("-"), &error))?;
        }
        if !sources.options.is_empty() {
            text.push(b'\n');
            text.extend_from_slice(&sources.options);
        }
        let fallback = dialect::from_program(program).unwrap_or_default();
        let mut config = Self::from_text(&text, fallback, machine)?;
        config.file = path;
        Ok(config)
    }

    /// Reads configuration text that came without a file of its own.
    pub fn from_text(text: &[u8], fallback: Dialect, machine: Machine) -> Result<Self, LoadError> {
        let read = |dialect: Dialect| file::directives(text, dialect.differences().quotes);
        let mut directives = read(fallback);
        let dialect = directives.iter().rev().find_map(named_dialect).unwrap_or(fallback);
        if dialect != fallback {
            directives = read(dialect);
        }
        let mut config = Self::new(dialect, machine);
        for directive in &directives {
            config.apply(directive)?;
        }
        config.settle_pidfile();
        config.check_users()?;
        apply::check_logfile(&config.settings())
            .map_err(|reason| LoadError::Config(FatalError::whole(dialect, reason)))?;
        Ok(config)
    }

    /// Changes several settings, or none when one of them is refused.
    pub fn set_many(
        &mut self,
        pairs: &[(&[u8], &[u8])],
        caller: Caller,
    ) -> Result<Changes, ConfigError> {
        let rows = self.settable_rows(pairs, caller)?;
        let mut next: Vec<(usize, Value)> = Vec::with_capacity(rows.len());
        for ((index, name), (_, word)) in rows.into_iter().zip(pairs) {
            let earlier = next.iter().rev().find(|(other, _)| *other == index);
            let current = earlier.map_or(&self.values[index], |(_, value)| value);
            let value = self
                .parsed(index, &[word], current)
                .map_err(|reason| ConfigError::refused(name, reason))?;
            next.push((index, value));
        }
        let mut changes = Changes::default();
        for (index, value) in next {
            self.is_named[index] = true;
            if self.values[index] != value {
                let before = std::mem::replace(&mut self.values[index], value);
                changes.before.push((index, before));
            }
        }
        Ok(changes)
    }

    /// Gives the changed settings their old values back.
    pub fn roll_back(&mut self, changes: Changes) {
        for (index, value) in changes.before.into_iter().rev() {
            self.values[index] = value;
        }
    }

    /// The settings that patterns find, with their values, in order of name. A name in full finds
    /// hidden settings too, and is shown as it was asked.
    pub fn find(&self, patterns: &[&[u8]]) -> Vec<(String, Vec<u8>)> {
        let mut found: BTreeMap<String, (String, usize)> = BTreeMap::new();
        for pattern in patterns {
            if base::glob::is_literal(pattern) {
                if let Some((index, name)) = table::find(pattern) {
                    let shown = String::from_utf8_lossy(pattern).into_owned();
                    found.entry(name.to_owned()).or_insert((shown, index));
                }
                continue;
            }
            for (index, row) in ROWS.iter().enumerate() {
                for name in row.listed_names(self.dialect) {
                    if base::glob::matches_ignore_case(pattern, name.as_bytes()) {
                        found.entry(name.to_owned()).or_insert_with(|| (name.to_owned(), index));
                    }
                }
            }
        }
        found.into_values().map(|(name, index)| (name, self.print(index))).collect()
    }

    /// Writes the settings back into the file that they came from, and these lines about users unless
    /// they have a file of their own.
    pub fn rewrite(&self, users: &[u8], scope: Scope) -> Result<(), RewriteError> {
        let path = self.file.as_deref().ok_or(RewriteError::NoFile)?;
        rewrite::write(self, path, users, scope)
    }

    /// The settings in the types that the server works with.
    pub fn settings(&self) -> Settings {
        Settings::new(self)
    }

    /// What the log should say about these settings at start.
    pub fn notes(&self) -> Vec<Note> {
        apply::notes(self, None)
    }

    /// What the log should say after a CONFIG SET.
    pub fn notes_about(&self, changes: &Changes) -> Vec<Note> {
        apply::notes(self, Some(changes))
    }

    /// The users of the file's `user` lines.
    pub fn users(&self) -> &[ConfiguredUser] {
        &self.users
    }

    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// The file that CONFIG REWRITE writes.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// One value as CONFIG GET shows it.
    fn print(&self, index: usize) -> Vec<u8> {
        match &self.values[index] {
            Value::Auto => self.machine.memory_auto_bytes().to_string().into_bytes(),
            value => ROWS[index].kind.print(value),
        }
    }

    /// The first pass of CONFIG SET: names, rights and repetitions, in the order given.
    fn settable_rows(
        &self,
        pairs: &[(&[u8], &[u8])],
        caller: Caller,
    ) -> Result<Vec<(usize, &'static str)>, ConfigError> {
        let mut rows: Vec<(usize, &'static str)> = Vec::with_capacity(pairs.len());
        for (given, _) in pairs {
            let (index, name) = table::find(given)
                .ok_or_else(|| ConfigError::Unknown(String::from_utf8_lossy(given).into_owned()))?;
            let refused = |reason: &'static str| {
                ConfigError::refused(&String::from_utf8_lossy(given), reason.into())
            };
            match ROWS[index].mutability {
                Mutability::Immutable => return Err(refused("can't set immutable config")),
                Mutability::Protected if !self.allows_protected(caller) => {
                    return Err(refused("can't set protected config"));
                }
                Mutability::Mutable | Mutability::Protected => {}
            }
            if rows.iter().any(|(_, earlier)| *earlier == name) {
                return Err(ConfigError::refused(name, "duplicate parameter".into()));
            }
            rows.push((index, name));
        }
        Ok(rows)
    }

    fn allows_protected(&self, caller: Caller) -> bool {
        settings::allows(self.settings().enable_protected_configs, caller)
    }

    /// Applies one line of a file.
    fn apply(&mut self, directive: &Directive) -> Result<(), LoadError> {
        let words = match &directive.content {
            Content::Words(words) => words,
            Content::UnreadableFile { path, reason } => {
                return Err(LoadError::Unreadable { path: path.clone(), reason: reason.clone() });
            }
            Content::IncludeTooDeep => {
                return Err(self.fatal(directive, "Files include each other too deeply".into()));
            }
            Content::UnbalancedQuotes => {
                let reason = "Unbalanced quotes in configuration line";
                return Err(self.fatal(directive, reason.into()));
            }
        };
        let [name, rest @ ..] = words.as_slice() else { return Ok(()) };
        let rest: Vec<&[u8]> = rest.iter().map(Vec::as_slice).collect();
        self.apply_words(name, &rest).map_err(|reason| self.fatal(directive, reason))
    }

    fn apply_words(&mut self, name: &[u8], words: &[&[u8]]) -> Result<(), Reason> {
        if name == b"sentinel" {
            return Err("sentinel directive while not in sentinel mode".into());
        }
        if let Some(known) = FILE_DIRECTIVES.iter().find(|known| name == known.name.as_bytes()) {
            if words.len() < known.words_min || known.words_max < words.len() {
                return Err(BAD_DIRECTIVE);
            }
            return match known.refusal {
                Some(reason) => Err(reason.into()),
                None => {
                    if known.name == "user" {
                        self.users.push(words.iter().map(|word| word.to_vec()).collect());
                    }
                    Ok(())
                }
            };
        }
        let is_retired = RETIRED.iter().any(|retired| name == retired.as_bytes());
        if is_retired && words.len() == 1 {
            return Ok(());
        }
        let (index, _) = table::find(name).ok_or(BAD_DIRECTIVE)?;
        let mut value = self.parsed(index, words, &self.values[index])?;
        // A file's first save line replaces the default, later ones add to it, and an empty one
        // takes all away.
        if let (Value::Save(points), Value::Save(earlier)) = (&mut value, &self.values[index])
            && self.is_named[index]
            && !points.is_empty()
        {
            points.splice(0..0, earlier.iter().copied());
        }
        self.values[index] = value;
        self.is_named[index] = true;
        Ok(())
    }

    fn parsed(&self, index: usize, words: &[&[u8]], current: &Value) -> Result<Value, Reason> {
        let row = &ROWS[index];
        let value = match (row.kind.parse(words, current, self.dialect)?, row.clamp) {
            (Value::Integer(number), Some((min, max))) => Value::Integer(number.clamp(min, max)),
            (value, _) => value,
        };
        match row.status {
            Status::Guarded(reason) if value != self.defaults[index] => Err(reason.into()),
            _ => Ok(value),
        }
    }

    fn fatal(&self, directive: &Directive, reason: Reason) -> LoadError {
        LoadError::Config(FatalError::at(self.dialect, directive, reason))
    }

    /// Users are in one place.
    fn check_users(&self) -> Result<(), LoadError> {
        if self.users.is_empty() || self.settings().aclfile.is_none() {
            return Ok(());
        }
        let reason = "Users are defined both here and in a file of users (aclfile). It would not \
            be clear which of them hold: define them in one of the two places.";
        Err(LoadError::Config(FatalError::whole(self.dialect, reason.into())))
    }

    /// A server in the background leaves its number somewhere, named or not.
    fn settle_pidfile(&mut self) {
        let index = table::index_of("pidfile");
        if self.settings().daemonize && !self.is_named[index] {
            self.values[index] = Value::Text(dialect::facts(self.dialect).pidfile.into());
        }
    }
}

fn default_value(row: &table::Row, dialect: Dialect) -> Value {
    // The folder that the server was started in may have been deleted, which is no reason not to
    // start.
    if matches!(row.kind, value::Kind::Folder) {
        let folder = env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
        return Value::Text(folder.into_os_string().into_vec());
    }
    let none = Value::Flag(false);
    let text = row.default_text(dialect).as_bytes();
    row.kind
        .parse(&[text], &none, dialect)
        .expect("a test parses the default of every row in both dialects")
}

fn named_dialect(directive: &Directive) -> Option<Dialect> {
    match &directive.content {
        Content::Words(words) => match words.as_slice() {
            [name, word] if name == b"dialect" => dialect::from_name(word),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests;
