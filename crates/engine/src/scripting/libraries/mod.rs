//! The libraries that scripts find beside the language's own: `bit`, `cjson`, `cmsgpack`, `struct`.
//!
//! They stand in for C libraries that scripts have known for a decade, so what they take, return and
//! refuse is the same, down to the words. A function here sees [`Arguments`] and returns values or a
//! [`Fault`]; the glue in this file raises the fault with the place in the script, as Lua's own
//! libraries do. Nothing recurses over what a script or its data has nested, and no text grows
//! beyond [`TEXT_LEN_MAX`], however often the same table stands in another.

mod arguments;
mod bits;
mod fault;
mod json;
mod msgpack;
mod packing;
mod printing;
mod tables;

use arguments::Arguments;
use base::limits;
use fault::Fault;
use json::JsonOptions;
use mlua::{Function, Lua, MultiValue, Table};

/// Most values that one call returns: what fits on the stack of a function in C.
const RESULTS_MAX: usize = 7_950;

/// Deepest nesting of what is read or written: each level holds two references into the interpreter,
/// which has room for 8,000 at a time.
const NESTING_MAX: usize = 3_500;

/// Longest text that a library builds.
const TEXT_LEN_MAX: usize = limits::SCRIPT_TEXT_LEN_MAX;

type Answer = Result<MultiValue, Fault>;

/// A function of a library and its name.
type Row = (&'static str, fn(&Lua, &Arguments<'_>) -> Answer);

/// What libraries remember between calls.
pub(super) struct Libraries {
    json: JsonOptions,
}

impl Libraries {
    /// Puts the libraries into `host`, as the table `libraries`.
    pub(super) fn install(lua: &Lua, host: &Table) -> mlua::Result<Self> {
        let json = JsonOptions::default();
        let libraries = lua.create_table()?;
        libraries.raw_set("bit", library(lua, host, bits::FUNCTIONS)?)?;
        libraries.raw_set("cjson", json::library(lua, host, &json)?)?;
        let packer = library(lua, host, msgpack::FUNCTIONS)?;
        packer.raw_set("_NAME", "cmsgpack")?;
        packer.raw_set("_VERSION", "lua-cmsgpack 0.4.0")?;
        libraries.raw_set("cmsgpack", packer)?;
        libraries.raw_set("struct", library(lua, host, packing::FUNCTIONS)?)?;
        host.raw_set("libraries", libraries)?;
        Ok(Self { json })
    }

    /// Before each script: no script finds what another has set.
    pub(super) fn reset(&self) {
        self.json.reset();
    }
}

fn library(lua: &Lua, host: &Table, rows: &[Row]) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    for (name, body) in rows {
        table.raw_set(*name, function(lua, host, *body)?)?;
    }
    Ok(table)
}

fn function(
    lua: &Lua,
    host: &Table,
    body: impl Fn(&Lua, &Arguments<'_>) -> Answer + Send + 'static,
) -> mlua::Result<Function> {
    let host = host.clone();
    lua.create_function(move |lua, values: MultiValue| {
        let arguments = Arguments::new(lua, &values);
        body(lua, &arguments).map_err(|fault| fault.raise(lua, &host))
    })
}
