//! Whether the keys of one call in a script are named: the row's key specs over what is known of
//! the arguments.

use super::Value;
use crate::command::{Command, Flags, Reach};
use crate::keys::{Begin, Find, KeySpec, NOT_KEY};
use crate::table::{CommandTable, Lookup};
use resp::ArgvBuffer;

/// Whether every key of a call with these arguments, its name included, is an element of KEYS.
pub(super) fn are_keys_named(table: &CommandTable, values: &[Value<'_>]) -> bool {
    let Some(row) = row_of(table, values) else { return false };
    if row.flags.has(Flags::NOSCRIPT) {
        return false;
    }
    match row.reach {
        Reach::None => true,
        Reach::Keys => {
            let specs = row.keys.iter().filter(|spec| spec.flags != NOT_KEY);
            !row.keys.is_empty() && specs.into_iter().all(|spec| Arguments(values).satisfy(spec))
        }
        _ => false,
    }
}

/// The command, if its name (and its subcommand's) stands there as a text.
fn row_of(table: &CommandTable, values: &[Value<'_>]) -> Option<&'static Command> {
    let mut names = ArgvBuffer::default();
    let literals = values.iter().map_while(|value| match value {
        Value::Literal(text) => Some(text.as_bytes()),
        _ => None,
    });
    literals.take(2).for_each(|text| names.push(text));
    match table.lookup(names.argv()) {
        Lookup::Found(entry) => Some(entry.row),
        _ => None,
    }
}

/// A call's arguments. Only the last can stand for several.
struct Arguments<'v, 's>(&'v [Value<'s>]);

impl Arguments<'_, '_> {
    fn satisfy(&self, spec: &KeySpec) -> bool {
        let Begin::Index(begin) = spec.begin else { return false };
        if spec.located.is_some() {
            return false;
        }
        match spec.find {
            Find::Range { limit: 2.., .. } | Find::Unknown => false,
            Find::Range { last, step, .. } if 0 <= last => {
                let last = begin + last.unsigned_abs() as usize;
                (begin..=last).step_by(step).all(|index| self.is_key(index))
            }
            Find::Range { last, step, .. } => self.is_range_to_end(begin, last, step),
            Find::Counted { count, first, step } => {
                self.is_counted(begin + count, begin + first, step)
            }
        }
    }

    fn is_range_to_end(&self, begin: usize, last: i32, step: usize) -> bool {
        let len = self.0.len();
        let behind = match self.0.last() {
            Some(Value::Many) => return false,
            // However many they are: what is behind the keys is one of them.
            Some(Value::AllKeys) => 0,
            _ => last.unsigned_abs() as usize - 1,
        };
        // The first is a key even where the arguments are too few.
        let end = len.saturating_sub(behind).max(begin + 1);
        (begin..end).step_by(step).all(|index| self.is_key(index))
    }

    fn is_counted(&self, count: usize, first: usize, step: usize) -> bool {
        match self.0.get(count) {
            Some(Value::KeyCount) => {
                first + 1 == self.0.len() && self.0[first] == Value::AllKeys && step == 1
            }
            Some(Value::Literal(count)) => {
                // A count that is no number, or larger than the arguments, is an error of the call.
                let Ok(count) = count.parse::<u16>() else { return false };
                (0..usize::from(count)).all(|i| self.is_key(first + i * step))
            }
            _ => false,
        }
    }

    /// Whether the argument at `index` is a key, if there is one.
    fn is_key(&self, index: usize) -> bool {
        match (self.0.get(index), self.0.last()) {
            (Some(Value::Key(_) | Value::AllKeys), _) => true,
            (Some(_), _) => false,
            (None, Some(Value::Many)) => false,
            (None, _) => true,
        }
    }
}
