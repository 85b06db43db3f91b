//! `cjson`: values to and from JSON.

mod decode;
mod encode;
mod number;
mod options;

pub(super) use options::JsonOptions;

use super::function;
use mlua::{Lua, MultiValue, Table, Value};

/// The table `cjson`, whose functions share `options`.
pub(super) fn library(lua: &Lua, host: &Table, options: &JsonOptions) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    let own = options.clone();
    let array_mark = array_mark(lua)?;
    let mark = array_mark.clone();
    let encode = function(lua, host, move |lua, call| encode::encode(lua, call, &own, &mark))?;
    table.raw_set("encode", encode)?;
    let own = options.clone();
    let decode =
        function(lua, host, move |lua, call| decode::decode(lua, call, &own, &array_mark))?;
    table.raw_set("decode", decode)?;
    for (name, set) in options::SETTERS {
        let own = options.clone();
        table.raw_set(*name, function(lua, host, move |lua, call| set(lua, call, &own))?)?;
    }
    let place = host.clone();
    let new = function(lua, host, move |lua, _| {
        let fresh = library(lua, &place, &JsonOptions::default())?;
        Ok(MultiValue::from_vec(vec![Value::Table(fresh)]))
    })?;
    table.raw_set("new", new)?;
    table.raw_set("null", Value::NULL)?;
    table.raw_set("_NAME", "cjson")?;
    table.raw_set("_VERSION", "2.1.0")?;
    Ok(table)
}

/// The metatable of tables that were arrays in a text. Scripts cannot reach it, so none changes it.
fn array_mark(lua: &Lua) -> mlua::Result<Table> {
    let mark = lua.create_table()?;
    mark.raw_set("__metatable", false)?;
    Ok(mark)
}
