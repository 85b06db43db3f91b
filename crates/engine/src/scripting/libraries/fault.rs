//! What can be wrong with a call of a library, in the words that scripts match on.

use mlua::{Lua, Table, Value};
use std::borrow::Cow;
use std::fmt::Display;

/// Why a library refuses a call.
#[derive(Debug)]
pub(super) enum Fault {
    /// `struct`: alignment to so many bytes.
    AlignmentOdd(usize),
    /// The argument with this number, and what is wrong with it.
    Argument(usize, Cow<'static, str>),
    /// `cjson.decode`: nested so deep, at this byte.
    DecodeNesting(usize, usize),
    /// `cjson.decode`: what would be right, what is there, at which byte.
    DecodeUnexpected(&'static str, &'static str, usize),
    /// `cjson.encode`: nested so deep.
    EncodeNesting(usize),
    /// `cjson.encode`: the type, and why it cannot be written.
    EncodeRefused(&'static str, &'static str),
    /// `struct`: a length that was to be read from the data.
    LengthMissing,
    /// The script was ended.
    Ended,
    /// The interpreter's own error.
    Lua(mlua::Error),
    /// `cmsgpack`: a byte that begins nothing.
    PackedInvalid,
    /// `cmsgpack`: nested too deep, in arrays or in maps.
    PackedNesting(Nest),
    /// `cmsgpack`: where to begin, and how many bytes there are.
    PackedOffset(i64, usize),
    /// `cmsgpack`: where to begin, and how many bytes there are.
    PackedRequest(i64, usize),
    /// `cmsgpack`: the text ends before its last value.
    PackedShort,
    /// `cmsgpack`: more values than a call returns.
    PackedValuesMany,
    /// `struct`: an integer of so many bytes.
    SizeLarge(usize),
    /// `struct`: a size with too many digits.
    SizeOverflow,
    /// A key of a table that is none: nil or NaN.
    TableKey(&'static str),
    /// The text grows beyond what a script may build.
    TooLong,
    /// `cjson.decode`: text of two or four bytes a character.
    UnicodeWide,
    /// `struct`: a text without its end.
    UnfinishedText,
    /// `struct`: more values than a call returns.
    ValuesMany,
}

/// What is nested.
#[derive(Clone, Copy, Debug)]
pub(super) enum Nest {
    Array,
    Map,
}

impl Fault {
    pub(super) fn argument(number: usize, problem: impl Into<Cow<'static, str>>) -> Self {
        Self::Argument(number, problem.into())
    }

    /// Raises it as Lua's own library would: with the place of the call, and the name under which the
    /// function was called if an argument is wrong.
    pub(super) fn raise(self, lua: &Lua, host: &Table) -> mlua::Error {
        let text = match self {
            // An allocation failed: no place, as in Lua.
            Self::Lua(mlua::Error::MemoryError(_)) | Self::TooLong => {
                "not enough memory".to_owned()
            }
            Self::Lua(error) => return error,
            Self::Ended => return ended(host).unwrap_or_else(|error| error),
            Self::TableKey(what) => format!("table index is {what}"),
            Self::Argument(number, problem) => {
                let name = called_as(lua);
                format!("{}bad argument #{number} to '{name}' ({problem})", place(lua))
            }
            fault => format!("{}{}", place(lua), fault.text()),
        };
        match host.raw_set("raised", text) {
            Ok(()) => mlua::Error::runtime("raised"),
            Err(error) => error,
        }
    }

    fn text(&self) -> String {
        let overflow = |what: &dyn Display| format!("stack overflow ({what})");
        match self {
            Self::AlignmentOdd(size) => format!("alignment {size} is not a power of 2"),
            Self::DecodeNesting(depth, at) => {
                format!("Found too many nested data structures ({depth}) at character {at}")
            }
            Self::DecodeUnexpected(expected, found, at) => {
                format!("Expected {expected} but found {found} at character {at}")
            }
            Self::EncodeNesting(depth) => {
                format!("Cannot serialise, excessive nesting ({depth})")
            }
            Self::EncodeRefused(kind, reason) => format!("Cannot serialise {kind}: {reason}"),
            Self::LengthMissing => "format 'c0' needs a previous size".to_owned(),
            Self::PackedInvalid => "Bad data format in input.".to_owned(),
            Self::PackedNesting(Nest::Array) => overflow(&"in function mp_decode_to_lua_array"),
            Self::PackedNesting(Nest::Map) => {
                overflow(&"too many return values at once; use unpack_one or unpack_limit instead.")
            }
            Self::PackedOffset(offset, len) => {
                format!("Start offset {offset} greater than input length {len}.")
            }
            // The second number is the length: clients know it so.
            Self::PackedRequest(offset, len) => {
                format!("Invalid request to unpack with offset of {offset} and limit of {len}.")
            }
            Self::PackedShort => "Missing bytes in input.".to_owned(),
            Self::PackedValuesMany => {
                overflow(&"too many return values at once; use unpack_one or unpack_limit instead.")
            }
            Self::SizeLarge(size) => {
                let max = super::packing::INTEGER_SIZE_MAX;
                format!("integral size {size} is larger than limit of {max}")
            }
            Self::SizeOverflow => "integral size overflow".to_owned(),
            Self::UnicodeWide => "JSON parser does not support UTF-16 or UTF-32".to_owned(),
            Self::UnfinishedText => "unfinished string in data".to_owned(),
            Self::ValuesMany => overflow(&"too many results"),
            Self::Argument(..) | Self::Ended | Self::Lua(_) | Self::TableKey(_) | Self::TooLong => {
                unreachable!("worded by its caller")
            }
        }
    }
}

fn ended(host: &Table) -> mlua::Result<mlua::Error> {
    host.raw_set("raised", host.raw_get::<Value>("ended_by")?)?;
    Ok(mlua::Error::runtime("raised"))
}

impl From<mlua::Error> for Fault {
    fn from(error: mlua::Error) -> Self {
        Self::Lua(error)
    }
}

/// The place of whoever called the library, as a prefix; nothing when it is no Lua code.
fn place(lua: &Lua) -> String {
    let place = lua.inspect_stack(1, |frame| {
        let line = frame.current_line()?;
        let source = frame.source().short_src?.into_owned();
        Some(format!("{source}:{line}: "))
    });
    place.flatten().unwrap_or_default()
}

/// The name under which the library's function was called.
fn called_as(lua: &Lua) -> String {
    let name = lua.inspect_stack(0, |frame| frame.names().name.map(|name| name.into_owned()));
    name.flatten().unwrap_or_else(|| "?".to_owned())
}
