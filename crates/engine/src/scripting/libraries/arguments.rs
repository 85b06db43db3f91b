//! What a library's function was called with, read as Lua's C interface reads it.

use super::fault::Fault;
use mlua::{Lua, LuaString, MultiValue, Value};

/// The arguments of a call, numbered from 1.
#[derive(Clone, Copy)]
pub(super) struct Arguments<'a> {
    lua: &'a Lua,
    values: &'a MultiValue,
    /// What is said to be where nothing is.
    absent: &'static str,
}

impl<'a> Arguments<'a> {
    pub(super) fn new(lua: &'a Lua, values: &'a MultiValue) -> Self {
        Self { lua, values, absent: "no value" }
    }

    /// The same, for a function that leaves a nil behind them.
    pub(super) fn with_nil_behind(self) -> Self {
        Self { absent: "nil", ..self }
    }

    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    pub(super) fn value(&self, number: usize) -> Option<&Value> {
        self.values.get(number - 1)
    }

    /// A value that is there and not nil.
    pub(super) fn some(&self, number: usize) -> Option<&Value> {
        self.value(number).filter(|value| !matches!(value, Value::Nil))
    }

    /// A number, or a text that is one.
    pub(super) fn number(&self, number: usize) -> Result<f64, Fault> {
        let found = self.value(number).and_then(|value| to_number(self.lua, value));
        found.ok_or_else(|| self.mistyped(number, "number"))
    }

    /// A number without its fraction; one that no integer can hold is the least.
    pub(super) fn integer(&self, number: usize) -> Result<i64, Fault> {
        Ok(truncated(self.number(number)?))
    }

    pub(super) fn integer_or(&self, number: usize, default: i64) -> Result<i64, Fault> {
        if self.some(number).is_some() { self.integer(number) } else { Ok(default) }
    }

    /// A text, or a number as text.
    pub(super) fn text(&self, number: usize) -> Result<LuaString, Fault> {
        match self.value(number) {
            Some(Value::String(text)) => Ok(text.clone()),
            Some(value @ (Value::Integer(_) | Value::Number(_))) => {
                let text = self.lua.coerce_string(value.clone())?;
                text.ok_or_else(|| self.mistyped(number, "string"))
            }
            _ => Err(self.mistyped(number, "string")),
        }
    }

    fn mistyped(&self, number: usize, expected: &str) -> Fault {
        let found = self.value(number).map_or(self.absent, type_name);
        Fault::argument(number, format!("{expected} expected, got {found}"))
    }
}

/// A number, or the number that a text is.
pub(super) fn to_number(lua: &Lua, value: &Value) -> Option<f64> {
    match value {
        Value::Integer(number) => Some(*number as f64),
        Value::Number(number) => Some(*number),
        Value::String(_) => lua.coerce_number(value.clone()).ok().flatten(),
        _ => None,
    }
}

/// The type of a value as Lua names it.
pub(super) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Nil => "nil",
        Value::Boolean(_) => "boolean",
        Value::Integer(_) | Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Table(_) => "table",
        Value::Function(_) => "function",
        Value::Thread(_) => "thread",
        _ => "userdata",
    }
}

fn truncated(number: f64) -> i64 {
    const END: f64 = 9_223_372_036_854_775_808.0;
    if (-END..END).contains(&number) { number as i64 } else { i64::MIN }
}
