//! The command table: all rows of all families, with lookup by name.

use crate::command::Command;
use crate::keys::{Begin, Find, NOT_KEY};
use parking_lot::Mutex;
use resp::Argv;

/// A row in the table, with what is derived from it once.
pub struct Entry {
    pub row: &'static Command,
    /// Dense number, for statistics.
    pub id: usize,
    /// `config|get`; of a plain command its name.
    pub full_name: Box<str>,
    /// Index of the only key argument, when there is exactly one and always there.
    pub only_key: Option<usize>,
    /// Index of the argument that is a key if any is and if it is there.
    pub first_key: Option<usize>,
    /// Rows of the subcommands.
    pub subcommands: Vec<Self>,
}

/// All commands of a server.
pub struct CommandTable {
    entries: &'static [Entry],
    /// Open addressing by [`name_hash`]; `u16::MAX` is empty.
    places: Box<[u16]>,
    count: usize,
}

/// The rows of a table. They live as long as the process: queued calls and statistics refer to them.
#[derive(Clone)]
struct Rows {
    families: Vec<&'static [Command]>,
    entries: &'static [Entry],
    count: usize,
}

/// What was made of families before: who builds an engine after the other (simulations, tests) needs no more
/// memory for each.
static MADE: Mutex<Vec<Rows>> = Mutex::new(Vec::new());

fn rows_of(families: &[&'static [Command]]) -> Rows {
    let mut made = MADE.lock();
    let is_same = |rows: &&Rows| {
        rows.families.len() == families.len()
            && rows.families.iter().zip(families).all(|(one, other)| std::ptr::eq(*one, *other))
    };
    if let Some(rows) = made.iter().find(is_same) {
        return rows.clone();
    }
    let mut count = 0;
    let mut commands: Vec<&'static Command> = families.iter().flat_map(|f| f.iter()).collect();
    commands.sort_by_key(|row| row.name);
    let entries: Vec<Entry> =
        commands.into_iter().map(|row| entry(row, None, &mut count)).collect();
    let entries: &'static [Entry] = Box::leak(entries.into_boxed_slice());
    let rows = Rows { families: families.to_vec(), entries, count };
    made.push(rows.clone());
    rows
}

/// What a name stands for.
pub enum Lookup {
    Found(&'static Entry),
    UnknownCommand,
    /// A container without or with an unknown subcommand.
    UnknownSubcommand(&'static Entry),
    /// A container named without a subcommand.
    SubcommandMissing(&'static Entry),
}

impl CommandTable {
    /// Joins the families.
    pub fn new(families: &[&'static [Command]]) -> Self {
        let Rows { entries, count, .. } = rows_of(families);
        let mut places = vec![u16::MAX; (entries.len() * 4).next_power_of_two()];
        for (index, entry) in entries.iter().enumerate() {
            let mask = places.len() - 1;
            let mut place = name_hash(entry.row.name.as_bytes()) & mask;
            while places[place] != u16::MAX {
                place = (place + 1) & mask;
            }
            places[place] = u16::try_from(index).expect("a table has fewer than 65,535 rows");
        }
        Self { entries, places: places.into(), count }
    }

    /// The row whose number is `id`.
    pub fn by_id(&self, id: usize) -> Option<&'static Entry> {
        let with_subcommands =
            |entry: &'static Entry| std::iter::once(entry).chain(&entry.subcommands);
        self.entries.iter().flat_map(with_subcommands).find(|entry| entry.id == id)
    }

    /// The row of a call; subcommands are resolved.
    #[inline]
    pub fn lookup(&self, argv: Argv<'_>) -> Lookup {
        let Some(entry) = self.named(argv.get(0).unwrap_or_default()) else {
            return Lookup::UnknownCommand;
        };
        if entry.subcommands.is_empty() {
            return Lookup::Found(entry);
        }
        let Some(name) = argv.get(1) else {
            // Only COMMAND is both, a command and a container.
            let runs_alone = entry.row.accepts(1);
            return if runs_alone {
                Lookup::Found(entry)
            } else {
                Lookup::SubcommandMissing(entry)
            };
        };
        let is_named = |e: &&Entry| e.row.name.as_bytes().eq_ignore_ascii_case(name);
        entry
            .subcommands
            .iter()
            .find(is_named)
            .map_or(Lookup::UnknownSubcommand(entry), Lookup::Found)
    }

    /// The row of a command's name, in any case.
    #[inline]
    pub fn named(&self, name: &[u8]) -> Option<&'static Entry> {
        let mask = self.places.len() - 1;
        let mut place = name_hash(name) & mask;
        loop {
            let entry = self.entries.get(usize::from(self.places[place]))?;
            if entry.row.name.as_bytes().eq_ignore_ascii_case(name) {
                return Some(entry);
            }
            place = (place + 1) & mask;
        }
    }

    /// The row of `name` or `container|name`.
    pub fn full_named(&self, name: &[u8]) -> Option<&'static Entry> {
        let Some(bar) = name.iter().position(|b| *b == b'|') else { return self.named(name) };
        let container = self.named(&name[..bar])?;
        let part = &name[bar + 1..];
        container.subcommands.iter().find(|e| e.row.name.as_bytes().eq_ignore_ascii_case(part))
    }

    /// All commands by name.
    pub fn entries(&self) -> &'static [Entry] {
        self.entries
    }

    /// Number of rows, subcommands included.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Every row, subcommands after their container.
    pub fn all(&self) -> impl Iterator<Item = &'static Entry> {
        self.entries.iter().flat_map(|e| std::iter::once(e).chain(&e.subcommands))
    }
}

fn entry(row: &'static Command, container: Option<&str>, next_id: &mut usize) -> Entry {
    let id = *next_id;
    *next_id += 1;
    let full_name = container.map_or_else(|| row.name.to_owned(), |c| format!("{c}|{}", row.name));
    let mut rows: Vec<_> = row.subcommands.iter().collect();
    rows.sort_by_key(|row| row.name);
    let subcommands = rows.into_iter().map(|sub| entry(sub, Some(row.name), next_id)).collect();
    let (only_key, first_key) = (only_key(row), first_key(row));
    Entry { row, id, full_name: full_name.into(), only_key, first_key, subcommands }
}

fn first_key(row: &Command) -> Option<usize> {
    let spec = row.keys.iter().find(|spec| spec.flags != NOT_KEY)?;
    match (spec.begin, spec.find) {
        (Begin::Index(index), Find::Range { .. }) => Some(index),
        (Begin::Index(index), Find::Counted { first, .. }) => Some(index + first),
        _ => None,
    }
}

fn only_key(row: &Command) -> Option<usize> {
    let [spec] = row.keys else { return None };
    if spec.flags == NOT_KEY {
        return None;
    }
    match (spec.begin, spec.find) {
        (Begin::Index(index), Find::Range { last: 0, .. }) => Some(index),
        _ => None,
    }
}

/// FNV-1a over the lower-cased bytes: names are short, and the table is sparse.
#[inline]
fn name_hash(name: &[u8]) -> usize {
    let mut hash: u32 = 0x811c_9dc5;
    for byte in name {
        hash = (hash ^ u32::from(byte | 0x20)).wrapping_mul(0x0100_0193);
    }
    (hash ^ (hash >> 15)) as usize
}
