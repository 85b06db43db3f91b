//! `cmsgpack`: values to and from MessagePack.
//!
//! Written is what the library in C writes: whole numbers as the shortest integer, others as four bytes
//! if nothing is lost, tables as arrays if their keys are 1 to their count, else as maps, and nil
//! for what has no form, tables in the sixteenth level included. Read is everything but binary texts
//! and extensions.

use super::arguments::Arguments;
use super::fault::{Fault, Nest};
use super::tables::{Shape, Walker};
use super::{Answer, NESTING_MAX, RESULTS_MAX, Row, TEXT_LEN_MAX};
use mlua::{Lua, MultiValue, Table, Value};

pub(super) const FUNCTIONS: &[Row] = &[
    ("pack", pack),
    ("unpack", |lua, call| unpack(lua, call, 0, 0)),
    ("unpack_limit", |lua, call| {
        let limit = call.integer(2)?;
        unpack(lua, call, limit, call.integer_or(3, 0)?)
    }),
    ("unpack_one", |lua, call| unpack(lua, call, 1, call.integer_or(2, 0)?)),
];

/// Levels of tables that are written.
const LEVELS_MAX: usize = 16;

/// `cmsgpack.pack(value…)` → the bytes of all values, one behind the other.
fn pack(lua: &Lua, call: &Arguments<'_>) -> Answer {
    if call.len() == 0 {
        return Err(Fault::argument(0, "MessagePack pack needs input."));
    }
    let walker = Walker::new(lua)?;
    let mut packed = Vec::new();
    for number in 1..=call.len() {
        let value = call.value(number).cloned().unwrap_or_default();
        write(&walker, value, &mut packed)?;
    }
    Ok(MultiValue::from_vec(vec![Value::String(lua.create_string(packed)?)]))
}

/// A table that is being written.
enum Writing {
    Array {
        table: Table,
        len: usize,
        at: usize,
    },
    /// `value` belongs to `key`, which was written already.
    Map {
        table: Table,
        key: Value,
        value: Option<Value>,
    },
}

impl Writing {
    fn next(&mut self, walker: &Walker) -> mlua::Result<Option<Value>> {
        match self {
            Self::Array { len, at, .. } if at == len => Ok(None),
            Self::Array { table, at, .. } => {
                *at += 1;
                table.raw_get(*at).map(Some)
            }
            Self::Map { table, key, value } => {
                if let Some(value) = value.take() {
                    return Ok(Some(value));
                }
                let Some(pair) = walker.pair_after(table, key)? else { return Ok(None) };
                *key = pair.0.clone();
                *value = Some(pair.1);
                Ok(Some(pair.0))
            }
        }
    }
}

fn write(walker: &Walker, mut value: Value, out: &mut Vec<u8>) -> Result<(), Fault> {
    let mut open: Vec<Writing> = Vec::new();
    loop {
        match value {
            Value::Table(table) if open.len() < LEVELS_MAX => {
                let shape = Shape::of(&table)?;
                if shape.index_max == Some(shape.count) {
                    write_head(out, shape.count, [0x90, 0xdc, 0xdd]);
                    open.push(Writing::Array { table, len: shape.count, at: 0 });
                } else {
                    write_head(out, shape.count, [0x80, 0xde, 0xdf]);
                    open.push(Writing::Map { table, key: Value::Nil, value: None });
                }
            }
            value => write_scalar(&value, out),
        }
        if TEXT_LEN_MAX < out.len() {
            return Err(Fault::TooLong);
        }
        walker.step()?;
        value = loop {
            let Some(last) = open.last_mut() else { return Ok(()) };
            match last.next(walker)? {
                Some(value) => break value,
                None => drop(open.pop()),
            }
        };
    }
}

fn write_scalar(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Boolean(is_true) => out.push(if *is_true { 0xc3 } else { 0xc2 }),
        Value::Integer(number) => write_integer(out, *number),
        Value::Number(number) => write_number(out, *number),
        Value::String(text) => {
            let text = text.as_bytes();
            match text.len() {
                len @ 0..32 => out.push(0xa0 | len as u8),
                len @ 32..256 => out.extend_from_slice(&[0xd9, len as u8]),
                len => write_count(out, len, [0xda, 0xdb]),
            }
            out.extend_from_slice(&text);
        }
        _ => out.push(0xc0),
    }
}

/// The head of a table: its count within the first byte if it is small, else behind one of two.
fn write_head(out: &mut Vec<u8>, count: usize, [small, medium, large]: [u8; 3]) {
    if count < 16 {
        out.push(small | count as u8);
    } else {
        write_count(out, count, [medium, large]);
    }
}

fn write_count(out: &mut Vec<u8>, count: usize, [medium, large]: [u8; 2]) {
    if let Ok(count) = u16::try_from(count) {
        out.push(medium);
        out.extend_from_slice(&count.to_be_bytes());
    } else {
        out.push(large);
        out.extend_from_slice(&(count as u32).to_be_bytes());
    }
}

fn write_number(out: &mut Vec<u8>, number: f64) {
    const END: f64 = 9_223_372_036_854_775_808.0;
    if number.fract() == 0.0 && (-END..END).contains(&number) {
        write_integer(out, number as i64);
    } else if f64::from(number as f32) == number {
        out.push(0xca);
        out.extend_from_slice(&(number as f32).to_be_bytes());
    } else {
        out.push(0xcb);
        out.extend_from_slice(&number.to_be_bytes());
    }
}

fn write_integer(out: &mut Vec<u8>, number: i64) {
    let bytes = number.to_be_bytes();
    let (first, len) = match number {
        -32..=127 => (None, 1),
        128..=0xff => (Some(0xcc), 1),
        0x100..=0xffff => (Some(0xcd), 2),
        0x1_0000..=0xffff_ffff => (Some(0xce), 4),
        0x1_0000_0000.. => (Some(0xcf), 8),
        -0x80..=-33 => (Some(0xd0), 1),
        -0x8000..=-0x81 => (Some(0xd1), 2),
        -0x8000_0000..=-0x8001 => (Some(0xd2), 4),
        _ => (Some(0xd3), 8),
    };
    out.extend(first);
    out.extend_from_slice(&bytes[bytes.len() - len..]);
}

/// Up to `limit` values from `offset` on (all from the start, if both are 0), behind the offset that
/// follows them, -1 at the end.
fn unpack(lua: &Lua, call: &Arguments<'_>, limit: i64, offset: i64) -> Answer {
    let text = call.text(1)?;
    let text = text.as_bytes();
    if limit < 0 || offset < 0 {
        return Err(Fault::PackedRequest(offset, text.len()));
    }
    let start = usize::try_from(offset).unwrap_or(usize::MAX);
    let rest = text.get(start..).ok_or(Fault::PackedOffset(offset, text.len()))?;
    let is_whole = limit == 0 && offset == 0;
    let limit = if is_whole { i64::MAX } else { limit };
    let mut reader = Reader { rest };
    let mut values = Vec::new();
    if !is_whole {
        values.push(Value::Nil);
    }
    let mut count = 0;
    while !reader.rest.is_empty() && count < limit {
        if RESULTS_MAX < values.len() {
            return Err(Fault::PackedValuesMany);
        }
        values.push(reader.value(lua)?);
        count += 1;
    }
    if !is_whole {
        let next = text.len() - reader.rest.len();
        values[0] = Value::Integer(if reader.rest.is_empty() { -1 } else { next as i64 });
    }
    Ok(MultiValue::from_vec(values))
}

/// A table that is being read.
struct Reading {
    table: Table,
    /// Elements or pairs that are to come.
    left: usize,
    filling: Filling,
}

enum Filling {
    Array { at: usize },
    Map { key: Option<Value> },
}

impl Reading {
    /// Takes the next value; whether it was the last.
    fn take(&mut self, value: Value) -> Result<bool, Fault> {
        match &mut self.filling {
            Filling::Array { at } => {
                *at += 1;
                self.table.raw_set(*at, value)?;
            }
            Filling::Map { key } => match key.take() {
                None => {
                    *key = Some(value);
                    return Ok(false);
                }
                Some(Value::Nil) => return Err(Fault::TableKey("nil")),
                Some(Value::Number(key)) if key.is_nan() => return Err(Fault::TableKey("NaN")),
                Some(key) => self.table.raw_set(key, value)?,
            },
        }
        self.left -= 1;
        Ok(self.left == 0)
    }
}

/// What a byte begins.
enum Piece {
    Array(usize),
    Map(usize),
    Value(Value),
}

struct Reader<'t> {
    rest: &'t [u8],
}

impl Reader<'_> {
    fn value(&mut self, lua: &Lua) -> Result<Value, Fault> {
        let mut open: Vec<Reading> = Vec::new();
        loop {
            let (left, filling, nest) = match self.piece(lua)? {
                Piece::Value(value) => match Self::close(&mut open, value)? {
                    Some(value) => return Ok(value),
                    None => continue,
                },
                Piece::Array(count) => (count, Filling::Array { at: 0 }, Nest::Array),
                Piece::Map(count) => (count, Filling::Map { key: None }, Nest::Map),
            };
            let table = lua.create_table()?;
            if left == 0 {
                if let Some(value) = Self::close(&mut open, Value::Table(table))? {
                    return Ok(value);
                }
            } else if open.len() < NESTING_MAX {
                open.push(Reading { table, left, filling });
            } else {
                return Err(Fault::PackedNesting(nest));
            }
        }
    }

    /// Hands a whole value to the table that it belongs to, and that to its own if it is whole now.
    fn close(open: &mut Vec<Reading>, mut value: Value) -> Result<Option<Value>, Fault> {
        while let Some(last) = open.last_mut() {
            if !last.take(value)? {
                return Ok(None);
            }
            value = open.pop().map_or(Value::Nil, |done| Value::Table(done.table));
        }
        Ok(Some(value))
    }

    fn piece(&mut self, lua: &Lua) -> Result<Piece, Fault> {
        let [first] = self.bytes()?;
        let value = match first {
            0x00..=0x7f => Value::Integer(i64::from(first)),
            0x80..=0x8f => return Ok(Piece::Map(usize::from(first & 15))),
            0x90..=0x9f => return Ok(Piece::Array(usize::from(first & 15))),
            0xa0..=0xbf => self.text(lua, usize::from(first & 31))?,
            0xc0 => Value::Nil,
            0xc2 | 0xc3 => Value::Boolean(first == 0xc3),
            0xca => Value::Number(f64::from(f32::from_be_bytes(self.bytes()?))),
            0xcb => Value::Number(f64::from_be_bytes(self.bytes()?)),
            0xcc => Value::Integer(i64::from(u8::from_be_bytes(self.bytes()?))),
            0xcd => Value::Integer(i64::from(u16::from_be_bytes(self.bytes()?))),
            0xce => Value::Integer(i64::from(u32::from_be_bytes(self.bytes()?))),
            // As the library in C reads it: what is too large for a signed integer is below zero.
            0xcf => Value::Integer(u64::from_be_bytes(self.bytes()?) as i64),
            0xd0 => Value::Integer(i64::from(i8::from_be_bytes(self.bytes()?))),
            0xd1 => Value::Integer(i64::from(i16::from_be_bytes(self.bytes()?))),
            0xd2 => Value::Integer(i64::from(i32::from_be_bytes(self.bytes()?))),
            0xd3 => Value::Integer(i64::from_be_bytes(self.bytes()?)),
            0xd9 => {
                let [len] = self.bytes()?;
                self.text(lua, usize::from(len))?
            }
            0xda => {
                let len = self.medium()?;
                self.text(lua, len)?
            }
            0xdb => {
                let len = self.large()?;
                self.text(lua, len)?
            }
            0xdc => return self.medium().map(Piece::Array),
            0xdd => return self.large().map(Piece::Array),
            0xde => return self.medium().map(Piece::Map),
            0xdf => return self.large().map(Piece::Map),
            0xe0..=0xff => Value::Integer(i64::from(first as i8)),
            _ => return Err(Fault::PackedInvalid),
        };
        Ok(Piece::Value(value))
    }

    fn bytes<const LEN: usize>(&mut self) -> Result<[u8; LEN], Fault> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(Fault::PackedShort)?;
        self.rest = rest;
        Ok(*bytes)
    }

    fn medium(&mut self) -> Result<usize, Fault> {
        self.bytes().map(|bytes| usize::from(u16::from_be_bytes(bytes)))
    }

    fn large(&mut self) -> Result<usize, Fault> {
        self.bytes().map(|bytes| u32::from_be_bytes(bytes) as usize)
    }

    fn text(&mut self, lua: &Lua, len: usize) -> Result<Value, Fault> {
        let (text, rest) = self.rest.split_at_checked(len).ok_or(Fault::PackedShort)?;
        self.rest = rest;
        Ok(Value::String(lua.create_string(text)?))
    }
}
