//! Frames for people: numbered lines, nested by indentation, strings in quotes.

use std::fmt::{Formatter, Result, Write};

use base::numbers::FloatBuffer;

use super::Frame;

/// Writes a frame whose first line stands `indent` columns from the left already.
pub(super) fn write(out: &mut Formatter<'_>, frame: &Frame, indent: usize) -> Result {
    match frame {
        Frame::Array(items) => write_items(out, items, ')', "(empty array)", indent),
        Frame::Attributed { attributes, value } => {
            write_pairs(out, attributes, '|', "(empty attributes)", indent)?;
            next_line(out, indent)?;
            write(out, value, indent)
        }
        Frame::BigNumber(digits) => write!(out, "(big number) {}", digits.escape_ascii()),
        Frame::Boolean(value) => write!(out, "({value})"),
        Frame::Bulk(bytes) => write_quoted(out, bytes),
        Frame::BulkError(line) | Frame::Error(line) => {
            write!(out, "(error) {}", String::from_utf8_lossy(line))
        }
        Frame::Double(value) => {
            let mut buffer = FloatBuffer::new();
            write!(out, "(double) {}", String::from_utf8_lossy(buffer.format(*value)))
        }
        Frame::Integer(value) => write!(out, "(integer) {value}"),
        Frame::Map(pairs) => write_pairs(out, pairs, '#', "(empty hash)", indent),
        Frame::Null | Frame::NullArray | Frame::NullBulk => out.write_str("(nil)"),
        Frame::Push(items) => write_items(out, items, '>', "(empty push)", indent),
        Frame::Set(items) => write_items(out, items, '~', "(empty set)", indent),
        Frame::Simple(text) => out.write_str(&String::from_utf8_lossy(text)),
        Frame::Verbatim { text, .. } => out.write_str(&String::from_utf8_lossy(text)),
    }
}

fn write_items(
    out: &mut Formatter<'_>,
    items: &[Frame],
    mark: char,
    empty: &str,
    indent: usize,
) -> Result {
    if items.is_empty() {
        return out.write_str(empty);
    }
    let width = digits_of(items.len());
    for (index, item) in items.iter().enumerate() {
        if index != 0 {
            next_line(out, indent)?;
        }
        write!(out, "{:>width$}{mark} ", index + 1)?;
        write(out, item, indent + width + 2)?;
    }
    Ok(())
}

fn write_pairs(
    out: &mut Formatter<'_>,
    pairs: &[(Frame, Frame)],
    mark: char,
    empty: &str,
    indent: usize,
) -> Result {
    if pairs.is_empty() {
        return out.write_str(empty);
    }
    let width = digits_of(pairs.len());
    for (index, (key, value)) in pairs.iter().enumerate() {
        if index != 0 {
            next_line(out, indent)?;
        }
        write!(out, "{:>width$}{mark} ", index + 1)?;
        write(out, key, indent + width + 2)?;
        out.write_str(" =>")?;
        if matches!(value, Frame::Array(_) | Frame::Map(_) | Frame::Set(_)) {
            next_line(out, indent + width + 2)?;
        } else {
            out.write_char(' ')?;
        }
        write(out, value, indent + width + 2)?;
    }
    Ok(())
}

/// Bytes in double quotes, with everything that is not plain ASCII text escaped.
fn write_quoted(out: &mut Formatter<'_>, bytes: &[u8]) -> Result {
    out.write_char('"')?;
    for &byte in bytes {
        match byte {
            b'\\' | b'"' => write!(out, "\\{}", char::from(byte))?,
            b'\n' => out.write_str("\\n")?,
            b'\r' => out.write_str("\\r")?,
            b'\t' => out.write_str("\\t")?,
            0x07 => out.write_str("\\a")?,
            0x08 => out.write_str("\\b")?,
            b' '..=b'~' => out.write_char(char::from(byte))?,
            _ => write!(out, "\\x{byte:02x}")?,
        }
    }
    out.write_char('"')
}

fn next_line(out: &mut Formatter<'_>, indent: usize) -> Result {
    write!(out, "\n{:indent$}", "")
}

fn digits_of(count: usize) -> usize {
    count.checked_ilog10().map_or(1, |log| log as usize + 1)
}
