//! Between replies and Lua values, by the rules that Redis documents for EVAL.

use crate::error::CommandError;
use base::numbers;
use mlua::{Lua, Table, Value};
use resp::{Frame, Reply};

/// Deepest nesting of a table that becomes a reply; deeper ones end the script with an error.
const DEPTH_MAX: usize = 100;

/// A reply as a Lua value.
pub(super) fn to_lua(lua: &Lua, frame: &Frame) -> mlua::Result<Value> {
    Ok(match frame {
        Frame::Integer(number) => Value::Number(*number as f64),
        Frame::Bulk(bytes) => Value::String(lua.create_string(bytes)?),
        Frame::Simple(text) => Value::Table(single(lua, "ok", text)?),
        Frame::Error(text) | Frame::BulkError(text) => Value::Table(single(lua, "err", text)?),
        Frame::Null => Value::Nil,
        // What RESP2 calls null has always been false in Lua.
        Frame::NullArray | Frame::NullBulk => Value::Boolean(false),
        Frame::Array(items) | Frame::Push(items) => Value::Table(sequence(lua, items)?),
        Frame::Double(number) => {
            let table = lua.create_table()?;
            table.raw_set("double", *number)?;
            Value::Table(table)
        }
        Frame::Boolean(is_true) => Value::Boolean(*is_true),
        Frame::BigNumber(text) => Value::Table(single(lua, "big_number", text)?),
        Frame::Verbatim { format, text } => {
            let inner = lua.create_table()?;
            inner.raw_set("format", lua.create_string(format)?)?;
            inner.raw_set("string", lua.create_string(text)?)?;
            let table = lua.create_table()?;
            table.raw_set("verbatim_string", inner)?;
            Value::Table(table)
        }
        Frame::Map(pairs) => {
            let inner = lua.create_table()?;
            for (key, value) in pairs {
                inner.raw_set(to_lua(lua, key)?, to_lua(lua, value)?)?;
            }
            let table = lua.create_table()?;
            table.raw_set("map", inner)?;
            Value::Table(table)
        }
        Frame::Set(items) => {
            let inner = lua.create_table()?;
            for item in items {
                inner.raw_set(to_lua(lua, item)?, true)?;
            }
            let table = lua.create_table()?;
            table.raw_set("set", inner)?;
            Value::Table(table)
        }
        Frame::Attributed { value, .. } => to_lua(lua, value)?,
    })
}

/// What a script returns, as its reply.
pub(super) fn reply(
    reply: &mut Reply,
    value: &Value,
    shows_booleans: bool,
) -> Result<(), CommandError> {
    reply_nested(reply, value, shows_booleans, 0)
}

fn reply_nested(
    reply: &mut Reply,
    value: &Value,
    shows_booleans: bool,
    depth: usize,
) -> Result<(), CommandError> {
    if DEPTH_MAX < depth {
        return Err(CommandError::ScriptReplyDepth);
    }
    match value {
        Value::String(text) => reply.bulk(&text.as_bytes()),
        Value::Integer(number) => reply.integer(*number),
        Value::Number(number) => reply.integer(integer(*number)),
        Value::Boolean(is_true) if shows_booleans => reply.boolean(*is_true),
        Value::Boolean(true) => reply.integer(1),
        Value::Boolean(false) => reply.null(),
        Value::Table(table) => return reply_table(reply, table, shows_booleans, depth),
        _ => reply.null(),
    }
    Ok(())
}

fn reply_table(
    reply: &mut Reply,
    table: &Table,
    shows_booleans: bool,
    depth: usize,
) -> Result<(), CommandError> {
    let field = |name: &str| table.raw_get::<Value>(name).unwrap_or(Value::Nil);
    if let Value::String(error) = field("err") {
        reply.error(&error_line(&error.as_bytes()));
    } else if let Value::String(status) = field("ok") {
        reply.simple(&status.to_string_lossy().replace(['\r', '\n'], " "));
    } else if let Some(number) = number(&field("double")) {
        reply.double(number);
    } else if let Value::Table(pairs) = field("map") {
        return reply_pairs(reply, &pairs, shows_booleans, depth, Pairs::Map);
    } else if let Value::Table(members) = field("set") {
        return reply_pairs(reply, &members, shows_booleans, depth, Pairs::Set);
    } else if let Value::String(number) = field("big_number") {
        reply.big_number(&number.to_string_lossy().replace(['\r', '\n'], " "));
    } else if let Value::Table(verbatim) = field("verbatim_string") {
        let part = |name: &str| verbatim.raw_get::<mlua::LuaString>(name).ok();
        match (part("format"), part("string")) {
            (Some(format), Some(text)) => {
                reply.verbatim(&format.to_string_lossy(), &text.as_bytes());
            }
            _ => reply.null(),
        }
    } else {
        return reply_sequence(reply, table, shows_booleans, depth);
    }
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Pairs {
    Map,
    Set,
}

fn reply_pairs(
    reply: &mut Reply,
    table: &Table,
    shows_booleans: bool,
    depth: usize,
    form: Pairs,
) -> Result<(), CommandError> {
    // Twice through the table: the interpreter has room for a few thousand references at a time,
    // too few to hold the pairs of a large one.
    let pairs = || table.pairs::<Value, Value>().filter_map(Result::ok);
    match form {
        Pairs::Map => reply.map(pairs().count()),
        Pairs::Set => reply.set(pairs().count()),
    }
    for (key, value) in pairs() {
        reply_nested(reply, &key, shows_booleans, depth + 1)?;
        if form == Pairs::Map {
            reply_nested(reply, &value, shows_booleans, depth + 1)?;
        }
    }
    Ok(())
}

fn reply_sequence(
    reply: &mut Reply,
    table: &Table,
    shows_booleans: bool,
    depth: usize,
) -> Result<(), CommandError> {
    // Twice, as above.
    let items = || {
        (1_usize..).map_while(|index| match table.raw_get::<Value>(index) {
            Ok(Value::Nil) | Err(_) => None,
            Ok(value) => Some(value),
        })
    };
    reply.array(items().count());
    for item in items() {
        reply_nested(reply, &item, shows_booleans, depth + 1)?;
    }
    Ok(())
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Integer(number) => Some(*number as f64),
        Value::Number(number) => Some(*number),
        _ => None,
    }
}

/// A Lua number as an integer, as the processors that Redis runs on convert it: what does not fit
/// becomes the smallest.
fn integer(number: f64) -> i64 {
    const END: f64 = 9_223_372_036_854_775_808.0;
    if (-END..END).contains(&number) { number as i64 } else { i64::MIN }
}

/// A Lua argument of `redis.call` as bytes.
pub(super) fn argument(value: &Value, bytes: &mut Vec<u8>) -> bool {
    match value {
        Value::String(text) => bytes.extend_from_slice(&text.as_bytes()),
        Value::Integer(number) => numbers::append_i64(bytes, *number),
        Value::Number(number) => numbers::append_f64(bytes, *number),
        _ => return false,
    }
    true
}

/// An error of a script as an error line: with a code, on one line.
pub(super) fn error_line(text: &[u8]) -> Vec<u8> {
    let text = text.strip_prefix(b"-").unwrap_or(text);
    let mut line = text.to_vec();
    if !text.contains(&b' ') {
        line.splice(0..0, *b"ERR ");
    }
    line
}

fn single(lua: &Lua, name: &str, text: &[u8]) -> mlua::Result<Table> {
    let table = lua.create_table_with_capacity(0, 1)?;
    table.raw_set(name, lua.create_string(text)?)?;
    Ok(table)
}

fn sequence(lua: &Lua, items: &[Frame]) -> mlua::Result<Table> {
    let table = lua.create_table_with_capacity(items.len(), 0)?;
    for (index, item) in items.iter().enumerate() {
        table.raw_set(index + 1, to_lua(lua, item)?)?;
    }
    Ok(table)
}
