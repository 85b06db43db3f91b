//! The forms of lists.

use std::io::{self, Read, Write};

use base::numbers::IntegerBuffer;

use super::super::packed::{Item, Listpack, Ziplist};
use super::super::types::TypeCode;
use super::super::value::Rules;
use super::super::{RdbError, Reader, Writer};
use crate::layout::home::{Form, Home, Own};
use crate::types::limits::ListLimits;
use crate::types::list::{self, Element, End, LargeList};

/// A node of a list of listpacks is one element.
const NODE_PLAIN: u64 = 1;
/// It is a listpack.
const NODE_PACKED: u64 = 2;

/// A list that grows.
struct Growing {
    list: Own<LargeList>,
    limits: ListLimits,
}

impl Growing {
    fn push(&mut self, text: &[u8]) {
        list::push(&mut self.list, End::Tail, std::iter::once(text), self.limits);
    }

    fn push_all<'a>(
        &mut self,
        items: impl Iterator<Item = Result<Item<'a>, RdbError>>,
    ) -> Result<(), RdbError> {
        let mut digits = IntegerBuffer::new();
        for item in items {
            self.push(item?.text(&mut digits));
        }
        Ok(())
    }
}

/// Reads a list.
pub(in super::super) fn read<R: Read>(
    reader: &mut Reader<R>,
    type_code: TypeCode,
    rules: &Rules<'_>,
) -> Result<Own<LargeList>, RdbError> {
    let mut growing = Growing { list: Own::default(), limits: rules.limits.list };
    let mut bytes = Vec::new();
    let nodes = if type_code == TypeCode::ListZiplist { 1 } else { reader.count()? };
    for _ in 0..nodes {
        let container = match type_code {
            TypeCode::ListOfListpacks => reader.length()?,
            _ => NODE_PLAIN,
        };
        reader.string(&mut bytes)?;
        match (type_code, container) {
            (TypeCode::List, _) => growing.push(&bytes),
            (TypeCode::ListZiplist | TypeCode::ListOfZiplists, _) => {
                growing.push_all(Ziplist::new(&bytes)?)?;
            }
            (_, NODE_PACKED) => growing.push_all(Listpack::new(&bytes)?)?,
            (_, NODE_PLAIN) => growing.push(&bytes),
            _ => return Err(RdbError::Corrupt("a node of a list")),
        }
    }
    if list::len(growing.list.form()) == 0 { Err(RdbError::Empty) } else { Ok(growing.list) }
}

/// Writes the elements of a list.
pub(in super::super) fn write<W: Write>(
    writer: &mut Writer<W>,
    form: Form<'_, LargeList>,
) -> io::Result<()> {
    writer.count(list::len(form))?;
    for element in list::walk(form, End::Head, 0, usize::MAX) {
        match element {
            Element::Bytes(bytes) => writer.string(bytes)?,
            Element::Integer(integer) => writer.integer(integer)?,
            Element::Shared(bytes) => writer.string(bytes)?,
        }
    }
    Ok(())
}
