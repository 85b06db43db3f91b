//! `cjson.encode`: a value as JSON.

use super::super::arguments::{Arguments, type_name};
use super::super::fault::Fault;
use super::super::printing::append_general;
use super::super::tables::{Shape, Walker};
use super::super::{Answer, Lua, NESTING_MAX, TEXT_LEN_MAX};
use super::options::{JsonOptions, OddNumbers, Options};
use base::numbers;
use mlua::{MultiValue, Table, Value};

/// `cjson.encode(value)` → its text.
pub(super) fn encode(
    lua: &Lua,
    call: &Arguments<'_>,
    options: &JsonOptions,
    array_mark: &Table,
) -> Answer {
    if call.len() != 1 {
        return Err(Fault::argument(1, "expected 1 argument"));
    }
    let value = call.value(1).cloned().unwrap_or_default();
    let mut writer = Writer { options: options.now(), array_mark, out: Vec::new() };
    writer.write(&Walker::new(lua)?, value)?;
    Ok(MultiValue::from_vec(vec![Value::String(lua.create_string(writer.out)?)]))
}

/// A table that is being written.
enum Open {
    Array { table: Table, len: usize, at: usize },
    Object { table: Table, key: Value },
}

struct Writer<'m> {
    options: Options,
    array_mark: &'m Table,
    out: Vec<u8>,
}

impl Writer<'_> {
    fn write(&mut self, walker: &Walker, mut value: Value) -> Result<(), Fault> {
        let mut open: Vec<Open> = Vec::new();
        loop {
            match value {
                Value::Table(table) => {
                    let depth = open.len() + 1;
                    let depth_max = self.options.encode_depth_max as usize;
                    if depth_max.min(NESTING_MAX) < depth {
                        return Err(Fault::EncodeNesting(depth));
                    }
                    open.extend(self.open(table)?);
                }
                value => self.scalar(&value)?,
            }
            value = loop {
                let Some(last) = open.last_mut() else { return Ok(()) };
                if let Some(value) = self.next(walker, last)? {
                    break value;
                }
                open.pop();
            };
        }
    }

    /// Begins a table; one that holds no other is written whole.
    fn open(&mut self, table: Table) -> Result<Option<Open>, Fault> {
        let shape = Shape::of(&table)?;
        if let Some(len) = self.array_len(&table, &shape)? {
            self.out.push(b'[');
            return Ok(Some(Open::Array { table, len, at: 0 }));
        }
        self.out.push(b'{');
        if shape.is_nested {
            return Ok(Some(Open::Object { table, key: Value::Nil }));
        }
        let mut is_first = true;
        for pair in table.pairs::<Value, Value>() {
            let (key, value) = pair?;
            self.comma(&mut is_first);
            self.key(&key)?;
            self.scalar(&value)?;
        }
        self.out.push(b'}');
        Ok(None)
    }

    /// The places of an array; none of a table that is to be an object.
    fn array_len(&self, table: &Table, shape: &Shape) -> Result<Option<usize>, Fault> {
        if shape.count == 0 || table.metatable().is_some_and(|mark| mark == *self.array_mark) {
            let is_marked = table.metatable().is_some_and(|mark| mark == *self.array_mark);
            return Ok(is_marked.then(|| table.raw_len()));
        }
        let Some(len) = shape.index_max else { return Ok(None) };
        let ratio = self.options.sparse_ratio as usize;
        let safe = self.options.sparse_safe as usize;
        if ratio == 0 || len <= shape.count.saturating_mul(ratio) || len <= safe {
            return Ok(Some(len));
        }
        if self.options.sparse_become_objects {
            return Ok(None);
        }
        Err(Fault::EncodeRefused("table", "excessively sparse array"))
    }

    /// The next value of a table, once what stands before it is written; at its end, what ends it.
    fn next(&mut self, walker: &Walker, last: &mut Open) -> Result<Option<Value>, Fault> {
        if TEXT_LEN_MAX < self.out.len() {
            return Err(Fault::TooLong);
        }
        walker.step()?;
        match last {
            Open::Array { len, at, .. } if at == len => {
                self.out.push(b']');
                Ok(None)
            }
            Open::Array { table, at, .. } => {
                self.comma(&mut (*at == 0));
                *at += 1;
                Ok(Some(table.raw_get(*at)?))
            }
            Open::Object { table, key } => {
                let mut is_first = matches!(key, Value::Nil);
                let Some(pair) = walker.pair_after(table, key)? else {
                    self.out.push(b'}');
                    return Ok(None);
                };
                self.comma(&mut is_first);
                self.key(&pair.0)?;
                *key = pair.0;
                Ok(Some(pair.1))
            }
        }
    }

    fn comma(&mut self, is_first: &mut bool) {
        if !*is_first {
            self.out.push(b',');
        }
        *is_first = false;
    }

    fn key(&mut self, key: &Value) -> Result<(), Fault> {
        match key {
            Value::String(text) => self.text(&text.as_bytes()),
            Value::Integer(_) | Value::Number(_) => {
                self.out.push(b'"');
                self.number(key)?;
                self.out.push(b'"');
            }
            _ => {
                let reason = "table key must be a number or string";
                return Err(Fault::EncodeRefused(type_name(key), reason));
            }
        }
        self.out.push(b':');
        Ok(())
    }

    fn scalar(&mut self, value: &Value) -> Result<(), Fault> {
        match value {
            Value::String(text) => self.text(&text.as_bytes()),
            Value::Integer(_) | Value::Number(_) => self.number(value)?,
            Value::Boolean(true) => self.out.extend_from_slice(b"true"),
            Value::Boolean(false) => self.out.extend_from_slice(b"false"),
            Value::Nil => self.out.extend_from_slice(b"null"),
            value if value.is_null() => self.out.extend_from_slice(b"null"),
            value => return Err(Fault::EncodeRefused(type_name(value), "type not supported")),
        }
        if TEXT_LEN_MAX < self.out.len() {
            return Err(Fault::TooLong);
        }
        Ok(())
    }

    fn number(&mut self, value: &Value) -> Result<(), Fault> {
        let precision = self.options.precision as u32;
        let number = match value {
            Value::Integer(number) if number.unsigned_abs() < 10_u64.pow(precision) => {
                numbers::append_i64(&mut self.out, *number);
                return Ok(());
            }
            Value::Integer(number) => *number as f64,
            Value::Number(number) => *number,
            _ => unreachable!("only numbers are written as numbers"),
        };
        match self.options.written_numbers {
            _ if number.is_finite() => append_general(&mut self.out, number, precision as usize),
            OddNumbers::Refused => {
                return Err(Fault::EncodeRefused("number", "must not be NaN or Inf"));
            }
            OddNumbers::Written if number.is_nan() => self.out.extend_from_slice(b"nan"),
            OddNumbers::Written => append_general(&mut self.out, number, precision as usize),
            OddNumbers::Null => self.out.extend_from_slice(b"null"),
        }
        Ok(())
    }

    fn text(&mut self, text: &[u8]) {
        self.out.push(b'"');
        let mut plain = text;
        while let Some(at) = plain.iter().position(|byte| needs_escape(*byte)) {
            self.out.extend_from_slice(&plain[..at]);
            self.escape(plain[at]);
            plain = &plain[at + 1..];
        }
        self.out.extend_from_slice(plain);
        self.out.push(b'"');
    }

    fn escape(&mut self, byte: u8) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let letter = match byte {
            0x08 => b'b',
            b'\t' => b't',
            b'\n' => b'n',
            0x0c => b'f',
            b'\r' => b'r',
            b'"' | b'/' | b'\\' => byte,
            _ => {
                self.out.extend_from_slice(b"\\u00");
                self.out.push(DIGITS[usize::from(byte >> 4)]);
                self.out.push(DIGITS[usize::from(byte & 15)]);
                return;
            }
        };
        self.out.extend_from_slice(&[b'\\', letter]);
    }
}

fn needs_escape(byte: u8) -> bool {
    byte < 0x20 || matches!(byte, b'"' | b'/' | b'\\' | 0x7f)
}
