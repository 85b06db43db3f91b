//! One value without its key: read from its bytes, made into an entry, written.

use std::io::{self, Read, Write};
use std::sync::Arc;

use super::types::TypeCode;
use super::values::{hash, list, set, sorted_set, stream};
use super::{RdbError, Reader, Target, Version, Writer};
use crate::layout::entry::{Entry, EntryRef, Kind};
use crate::layout::home::{Home, Large, Own};
use crate::types::hash::LargeHash;
use crate::types::limits::Limits;
use crate::types::list::LargeList;
use crate::types::set::LargeSet;
use crate::types::sorted_set::LargeSortedSet;
use crate::types::stream::Stream;

/// What reading goes by.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// The version in which the value was written.
    pub version: Version,
    /// How large the small forms may be.
    pub limits: &'a Limits,
    /// Fields of hashes whose time was before this are left out.
    pub now_ms: u64,
}

/// A value that has been read.
pub enum Value {
    /// Fields with values.
    Hash(Own<LargeHash>),
    /// A sequence.
    List(Own<LargeList>),
    /// Members.
    Set(Own<LargeSet>),
    /// Members with scores.
    SortedSet(Own<LargeSortedSet>),
    /// A log.
    Stream(Box<Stream>),
    /// Bytes.
    String(Vec<u8>),
}

impl Value {
    /// Reads a value of the type with this code.
    pub fn read<R: Read>(
        reader: &mut Reader<R>,
        code: u8,
        rules: &Rules<'_>,
    ) -> Result<Self, RdbError> {
        use TypeCode as T;
        let type_code = TypeCode::known(code, rules.version).ok_or(RdbError::UnknownType(code))?;
        Ok(match type_code {
            T::String => {
                let mut bytes = Vec::new();
                reader.string(&mut bytes)?;
                Self::String(bytes)
            }
            T::List | T::ListZiplist | T::ListOfZiplists | T::ListOfListpacks => {
                Self::List(list::read(reader, type_code, rules)?)
            }
            T::Set | T::SetIntset | T::SetListpack => {
                Self::Set(set::read(reader, type_code, rules)?)
            }
            T::SortedSet | T::SortedSetDigits | T::SortedSetListpack | T::SortedSetZiplist => {
                Self::SortedSet(sorted_set::read(reader, type_code, rules)?)
            }
            T::Hash
            | T::HashListpack
            | T::HashTimed
            | T::HashTimedEarly
            | T::HashTimedListpack
            | T::HashTimedListpackEarly
            | T::HashTimedValkey
            | T::HashZiplist
            | T::HashZipmap => Self::Hash(hash::read(reader, type_code, rules)?),
            T::Stream(number) => Self::Stream(Box::new(stream::read(reader, number, rules)?)),
            T::Module => return Err(RdbError::Module(module_name(reader.length()?))),
        })
    }

    /// Whether nothing is left of it, because the time of all of its fields has passed.
    pub fn is_gone(&self) -> bool {
        match self {
            Self::Hash(hash) => LargeHash::len(hash.form()) == 0,
            _ => false,
        }
    }

    /// The value under a key, with a deadline and an access clock.
    pub fn into_entry(self, key: &[u8], deadline: Option<u64>, clock: u32) -> Entry {
        match self {
            Self::Hash(hash) => Entry::collection(key, hash, deadline, clock),
            Self::List(list) => Entry::collection(key, list, deadline, clock),
            Self::Set(set) => Entry::collection(key, set, deadline, clock),
            Self::SortedSet(set) => Entry::collection(key, set, deadline, clock),
            Self::Stream(stream) => Entry::collection(key, Own::Large(*stream), deadline, clock),
            Self::String(bytes) => Entry::shared(key, Arc::new(bytes), deadline, clock),
        }
    }
}

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Its form.
    pub type_code: TypeCode,
    /// The oldest version that has this form.
    pub version: Version,
}

/// How to write the value of `entry`; `None` if the target cannot hold it.
pub fn plan(entry: EntryRef<'_>, target: &Target) -> Option<Plan> {
    let oldest = |type_code| Some(Plan { type_code, version: Version::OLDEST });
    match entry.kind() {
        Kind::Hash => hash::plan(entry.form(), target),
        Kind::List => oldest(TypeCode::List),
        Kind::Set => oldest(TypeCode::Set),
        Kind::SortedSet => oldest(TypeCode::SortedSet),
        Kind::Stream => Some(stream::plan(entry.form(), target)),
        Kind::String => oldest(TypeCode::String),
    }
}

/// Writes the value of `entry`, without its type code, as it was planned.
pub fn write<W: Write>(
    writer: &mut Writer<W>,
    entry: EntryRef<'_>,
    type_code: TypeCode,
) -> io::Result<()> {
    match entry.kind() {
        Kind::Hash => hash::write(writer, entry.form(), type_code),
        Kind::List => list::write(writer, entry.form()),
        Kind::Set => set::write(writer, entry.form()),
        Kind::SortedSet => sorted_set::write(writer, entry.form()),
        Kind::Stream => stream::write(writer, entry.form(), type_code),
        Kind::String => writer.string(entry.string().bytes()),
    }
}

/// The name that is packed into a module's number: nine characters of six bits, and its version.
pub fn module_name(number: u64) -> Box<str> {
    const CHARACTERS: &[u8; 64] =
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let place = |index: u32| number >> (58 - 6 * index) & 0x3f;
    (0..9).map(|index| char::from(CHARACTERS[place(index) as usize])).collect::<String>().into()
}
