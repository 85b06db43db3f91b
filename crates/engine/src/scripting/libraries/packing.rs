//! `struct`: numbers and texts to and from the layout of C structures.
//!
//! A format is a row of letters: `b h i l` and `B H I L T` are integers (a digit behind `i` says how many
//! bytes), `f` and `d` floats, `s` a text that ends with a zero byte, `c` bytes, `x` one byte of padding;
//! `<` and `>` choose the byte order, `!` the largest alignment.

use super::arguments::{Arguments, to_number};
use super::fault::Fault;
use super::{Answer, RESULTS_MAX, Row, TEXT_LEN_MAX};
use mlua::{Lua, MultiValue, Value};

pub(super) const FUNCTIONS: &[Row] = &[("pack", pack), ("size", size), ("unpack", unpack)];

/// Bytes of the longest integer.
pub(super) const INTEGER_SIZE_MAX: usize = 32;

/// Alignment that `!` without a number stands for.
const ALIGNMENT_DEFAULT: usize = 8;

/// A format, letter by letter.
struct Format<'f> {
    rest: &'f [u8],
    is_little: bool,
    alignment: usize,
}

impl<'f> Format<'f> {
    /// A format ends at a zero byte.
    fn new(text: &'f [u8]) -> Self {
        let end = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
        let is_little = cfg!(target_endian = "little");
        Self { rest: &text[..end], is_little, alignment: 1 }
    }

    /// The next letter, and the bytes that it stands for.
    fn next(&mut self) -> Result<Option<(u8, usize)>, Fault> {
        let Some((letter, rest)) = self.rest.split_first() else { return Ok(None) };
        self.rest = rest;
        let size = match letter {
            b'b' | b'B' | b'x' => 1,
            b'h' | b'H' => 2,
            b'f' => 4,
            b'l' | b'L' | b'T' | b'd' => 8,
            b'c' => self.count(1)?,
            b'i' | b'I' => {
                let size = self.count(4)?;
                if INTEGER_SIZE_MAX < size {
                    return Err(Fault::SizeLarge(size));
                }
                size
            }
            _ => 0,
        };
        Ok(Some((*letter, size)))
    }

    /// The number that stands here, if one does.
    fn count(&mut self, default: usize) -> Result<usize, Fault> {
        let digits = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            return Ok(default);
        }
        let (number, rest) = self.rest.split_at(digits);
        self.rest = rest;
        let number = number.iter().try_fold(0_i32, |number, digit| {
            number.checked_mul(10)?.checked_add(i32::from(digit - b'0'))
        });
        number.map(|number| number as usize).ok_or(Fault::SizeOverflow)
    }

    /// Bytes of padding in front of a value of `size` bytes at `at`.
    fn padding(&self, at: usize, letter: u8, size: usize) -> usize {
        if size == 0 || letter == b'c' {
            return 0;
        }
        let size = size.min(self.alignment);
        (size - (at & (size - 1))) & (size - 1)
    }

    /// A letter that changes how the others are read.
    fn control(&mut self, letter: u8) -> Result<(), Fault> {
        match letter {
            b' ' => {}
            b'<' => self.is_little = true,
            b'>' => self.is_little = false,
            b'!' => {
                let alignment = self.count(ALIGNMENT_DEFAULT)?;
                if !alignment.is_power_of_two() {
                    return Err(Fault::AlignmentOdd(alignment));
                }
                self.alignment = alignment;
            }
            _ => {
                let letter = char::from(letter);
                return Err(Fault::argument(1, format!("invalid format option '{letter}'")));
            }
        }
        Ok(())
    }

    /// `bytes`, which begin with the lowest, in the chosen order.
    fn ordered(&self, bytes: &mut [u8]) {
        if !self.is_little {
            bytes.reverse();
        }
    }
}

/// `struct.pack(format, value…)` → the bytes.
fn pack(lua: &Lua, call: &Arguments<'_>) -> Answer {
    let format = call.text(1)?;
    let call = call.with_nil_behind();
    let format = format.as_bytes();
    let mut format = Format::new(&format);
    let mut packed = Vec::new();
    let mut number = 2;
    while let Some((letter, size)) = format.next()? {
        packed.resize(packed.len() + format.padding(packed.len(), letter, size), 0);
        match letter {
            b'b' | b'B' | b'h' | b'H' | b'i' | b'I' | b'l' | b'L' | b'T' => {
                let mut bytes = [0; INTEGER_SIZE_MAX];
                bytes[..8].copy_from_slice(&wrapped(call.number(number)?).to_le_bytes());
                format.ordered(&mut bytes[..size]);
                packed.extend_from_slice(&bytes[..size]);
                number += 1;
            }
            b'x' => packed.push(0),
            b'f' => {
                let mut bytes = (call.number(number)? as f32).to_le_bytes();
                format.ordered(&mut bytes);
                packed.extend_from_slice(&bytes);
                number += 1;
            }
            b'd' => {
                let mut bytes = call.number(number)?.to_le_bytes();
                format.ordered(&mut bytes);
                packed.extend_from_slice(&bytes);
                number += 1;
            }
            b'c' | b's' => {
                let text = call.text(number)?;
                let text = text.as_bytes();
                // It is the argument behind that is blamed.
                number += 1;
                let len = if size == 0 { text.len() } else { size };
                let kept =
                    text.get(..len).ok_or_else(|| Fault::argument(number, "string too short"))?;
                packed.extend_from_slice(kept);
                if letter == b's' {
                    packed.push(0);
                }
            }
            _ => format.control(letter)?,
        }
        if TEXT_LEN_MAX < packed.len() {
            return Err(Fault::TooLong);
        }
    }
    Ok(MultiValue::from_vec(vec![Value::String(lua.create_string(packed)?)]))
}

/// `struct.unpack(format, bytes [, position])` → the values, and the position behind them.
fn unpack(lua: &Lua, call: &Arguments<'_>) -> Answer {
    let (format, data) = (call.text(1)?, call.text(2)?);
    let (format, data) = (format.as_bytes(), data.as_bytes());
    let mut format = Format::new(&format);
    let position = call.integer_or(3, 1)?;
    if position == 0 {
        return Err(Fault::argument(3, "offset must be 1 or greater"));
    }
    // A position before the first byte is one far behind the last.
    let mut at = (position as usize).wrapping_sub(1);
    let mut values: Vec<Value> = Vec::new();
    while let Some((letter, size)) = format.next()? {
        at = at.wrapping_add(format.padding(at, letter, size));
        let mut field = field_at(&data, at, size)?;
        if RESULTS_MAX < values.len() {
            return Err(Fault::ValuesMany);
        }
        match letter {
            b'b' | b'B' | b'h' | b'H' | b'i' | b'I' | b'l' | b'L' | b'T' => {
                let is_signed = letter.is_ascii_lowercase();
                values.push(Value::Number(integer(field, format.is_little, is_signed)));
            }
            b'f' => {
                let mut bytes = [0; 4];
                bytes.copy_from_slice(field);
                format.ordered(&mut bytes);
                values.push(Value::Number(f64::from(f32::from_le_bytes(bytes))));
            }
            b'd' => {
                let mut bytes = [0; 8];
                bytes.copy_from_slice(field);
                format.ordered(&mut bytes);
                values.push(Value::Number(f64::from_le_bytes(bytes)));
            }
            b'c' => {
                if size == 0 {
                    let len = values.pop().and_then(|value| to_number(lua, &value));
                    let len = len.ok_or(Fault::LengthMissing)?;
                    let len = if 0.0 <= len { len as usize } else { usize::MAX };
                    field = field_at(&data, at, len)?;
                }
                values.push(Value::String(lua.create_string(field)?));
            }
            b's' => {
                let rest = &data[at..];
                let end = rest.iter().position(|byte| *byte == 0).ok_or(Fault::UnfinishedText)?;
                field = &rest[..=end];
                values.push(Value::String(lua.create_string(&rest[..end])?));
            }
            b'x' => {}
            _ => format.control(letter)?,
        }
        at = at.wrapping_add(field.len());
    }
    values.push(Value::Number(at.wrapping_add(1) as i64 as f64));
    Ok(MultiValue::from_vec(values))
}

/// `struct.size(format)` → bytes of what it packs to.
fn size(_: &Lua, call: &Arguments<'_>) -> Answer {
    let format = call.text(1)?;
    let format = format.as_bytes();
    let mut format = Format::new(&format);
    let mut at = 0_usize;
    while let Some((letter, size)) = format.next()? {
        at = at.wrapping_add(format.padding(at, letter, size));
        if letter == b's' || (letter == b'c' && size == 0) {
            let shown = if letter == b's' { "s" } else { "c0" };
            return Err(Fault::argument(1, format!("option '{shown}' has no fixed size")));
        }
        if !letter.is_ascii_alphanumeric() {
            format.control(letter)?;
        }
        at = at.wrapping_add(size);
    }
    Ok(MultiValue::from_vec(vec![Value::Number(at as f64)]))
}

fn field_at(data: &[u8], at: usize, size: usize) -> Result<&[u8], Fault> {
    let field = at.checked_add(size).and_then(|end| data.get(at..end));
    field.ok_or_else(|| Fault::argument(2, "data string too short"))
}

/// A number as 64 bits: those below zero in two's complement; what does not fit is cut as the
/// processors cut it that Redis runs on.
fn wrapped(number: f64) -> u64 {
    const END: f64 = 18_446_744_073_709_551_616.0;
    match number {
        _ if number.is_nan() => 1 << 63,
        _ if number < 0.0 => (number as i64) as u64,
        _ if number < END => number as u64,
        _ => 0,
    }
}

/// The lowest eight bytes of an integer in `bytes`.
fn integer(bytes: &[u8], is_little: bool, is_signed: bool) -> f64 {
    let add = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
    let number =
        if is_little { bytes.iter().rev().fold(0, add) } else { bytes.iter().fold(0, add) };
    if !is_signed {
        return number as f64;
    }
    let unused = 64_u32.saturating_sub(8 * bytes.len() as u32).min(63);
    ((number << unused) as i64 >> unused) as f64
}
