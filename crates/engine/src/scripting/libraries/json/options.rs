//! What scripts may set about JSON.

use super::super::arguments::Arguments;
use super::super::fault::Fault;
use super::super::{Answer, Lua};
use mlua::{MultiValue, Value};
use parking_lot::Mutex;
use std::sync::Arc;

/// The settings of one `cjson` table, shared by its functions.
#[derive(Clone, Default)]
pub(in super::super) struct JsonOptions {
    place: Arc<Mutex<Options>>,
}

#[derive(Clone, Copy)]
pub(super) struct Options {
    pub(super) sparse_become_objects: bool,
    /// An array with this many times more places than values is sparse; 0: none is.
    pub(super) sparse_ratio: i32,
    /// Arrays that end here or earlier are never sparse.
    pub(super) sparse_safe: i32,
    pub(super) encode_depth_max: i32,
    pub(super) decode_depth_max: i32,
    pub(super) precision: i32,
    /// Has no effect, but can be read back.
    keeps_buffer: bool,
    pub(super) written_numbers: OddNumbers,
    pub(super) reads_odd_numbers: bool,
    pub(super) marks_arrays: bool,
}

/// What becomes of numbers that JSON does not have.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum OddNumbers {
    Refused,
    Written,
    Null,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            sparse_become_objects: false,
            sparse_ratio: 2,
            sparse_safe: 10,
            encode_depth_max: 1000,
            decode_depth_max: 1000,
            precision: 14,
            keeps_buffer: true,
            written_numbers: OddNumbers::Refused,
            reads_odd_numbers: true,
            marks_arrays: false,
        }
    }
}

impl JsonOptions {
    pub(in super::super) fn reset(&self) {
        *self.place.lock() = Options::default();
    }

    pub(super) fn now(&self) -> Options {
        *self.place.lock()
    }

    fn change(&self, change: impl FnOnce(&mut Options)) {
        change(&mut self.place.lock());
    }
}

type Setter = fn(&Lua, &Arguments<'_>, &JsonOptions) -> Answer;

/// Each sets what it is given, and returns what is set then.
pub(super) const SETTERS: &[(&str, Setter)] = &[
    ("decode_array_with_array_mt", |lua, call, options| {
        flag(lua, call, options, |options| &mut options.marks_arrays)
    }),
    ("decode_invalid_numbers", |lua, call, options| {
        flag(lua, call, options, |options| &mut options.reads_odd_numbers)
    }),
    ("decode_max_depth", |_, call, options| {
        integer(call, options, (1, i32::MAX), |options| &mut options.decode_depth_max)
    }),
    ("encode_invalid_numbers", set_written_numbers),
    ("encode_keep_buffer", |lua, call, options| {
        flag(lua, call, options, |options| &mut options.keeps_buffer)
    }),
    ("encode_max_depth", |_, call, options| {
        integer(call, options, (1, i32::MAX), |options| &mut options.encode_depth_max)
    }),
    ("encode_number_precision", |_, call, options| {
        integer(call, options, (1, 14), |options| &mut options.precision)
    }),
    ("encode_sparse_array", set_sparse),
];

fn flag(
    _: &Lua,
    call: &Arguments<'_>,
    options: &JsonOptions,
    field: fn(&mut Options) -> &mut bool,
) -> Answer {
    at_most(call, 1)?;
    if let Some(is_on) = choice(call, 1, &["off", "on"])? {
        options.change(|options| *field(options) = is_on == 1);
    }
    Ok(MultiValue::from_vec(vec![Value::Boolean(*field(&mut options.now()))]))
}

fn integer(
    call: &Arguments<'_>,
    options: &JsonOptions,
    bounds: (i32, i32),
    field: fn(&mut Options) -> &mut i32,
) -> Answer {
    at_most(call, 1)?;
    if let Some(number) = bounded(call, 1, bounds)? {
        options.change(|options| *field(options) = number);
    }
    Ok(MultiValue::from_vec(vec![Value::Integer(i64::from(*field(&mut options.now())))]))
}

fn set_written_numbers(lua: &Lua, call: &Arguments<'_>, options: &JsonOptions) -> Answer {
    at_most(call, 1)?;
    if let Some(chosen) = choice(call, 1, &["off", "on", "null"])? {
        let all = [OddNumbers::Refused, OddNumbers::Written, OddNumbers::Null];
        options.change(|options| options.written_numbers = all[chosen]);
    }
    Ok(MultiValue::from_vec(vec![match options.now().written_numbers {
        OddNumbers::Refused => Value::Boolean(false),
        OddNumbers::Written => Value::Boolean(true),
        OddNumbers::Null => Value::String(lua.create_string("null")?),
    }]))
}

/// What comes before a wrong argument is set all the same.
fn set_sparse(_: &Lua, call: &Arguments<'_>, options: &JsonOptions) -> Answer {
    at_most(call, 3)?;
    if let Some(is_on) = choice(call, 1, &["off", "on"])? {
        options.change(|options| options.sparse_become_objects = is_on == 1);
    }
    if let Some(ratio) = bounded(call, 2, (0, i32::MAX))? {
        options.change(|options| options.sparse_ratio = ratio);
    }
    if let Some(safe) = bounded(call, 3, (0, i32::MAX))? {
        options.change(|options| options.sparse_safe = safe);
    }
    let now = options.now();
    Ok(MultiValue::from_vec(vec![
        Value::Boolean(now.sparse_become_objects),
        Value::Integer(i64::from(now.sparse_ratio)),
        Value::Integer(i64::from(now.sparse_safe)),
    ]))
}

fn at_most(call: &Arguments<'_>, max: usize) -> Result<(), Fault> {
    if max < call.len() {
        return Err(Fault::argument(max + 1, "found too many arguments"));
    }
    Ok(())
}

/// Which of the words an argument is; true stands for the second.
fn choice(call: &Arguments<'_>, number: usize, words: &[&str]) -> Result<Option<usize>, Fault> {
    match call.some(number) {
        None => Ok(None),
        Some(Value::Boolean(is_on)) => Ok(Some(usize::from(*is_on))),
        Some(_) => {
            let text = call.text(number)?;
            let found = words.iter().position(|word| *word.as_bytes() == *text.as_bytes());
            let refusal = || format!("invalid option '{}'", text.to_string_lossy());
            found.map(Some).ok_or_else(|| Fault::argument(number, refusal()))
        }
    }
}

/// A number within bounds; the first argument is blamed for any that is not.
fn bounded(
    call: &Arguments<'_>,
    number: usize,
    (min, max): (i32, i32),
) -> Result<Option<i32>, Fault> {
    if call.some(number).is_none() {
        return Ok(None);
    }
    // Of a large number the lower half counts, as when C makes an int of it.
    let found = call.integer(number)? as i32;
    if (min..=max).contains(&found) {
        return Ok(Some(found));
    }
    Err(Fault::argument(1, format!("expected integer between {min} and {max}")))
}
