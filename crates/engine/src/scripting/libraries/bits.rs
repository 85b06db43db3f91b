//! `bit`: operations on the lower 32 bits of numbers.

use super::arguments::Arguments;
use super::fault::Fault;
use super::{Answer, Row};
use mlua::{Lua, MultiValue, Value};

pub(super) const FUNCTIONS: &[Row] = &[
    ("arshift", |_, call| shift(call, |bits, count| ((bits as i32) >> count) as u32)),
    ("band", |_, call| fold(call, |left, right| left & right)),
    ("bnot", |_, call| answer(!bits(call, 1)?)),
    ("bor", |_, call| fold(call, |left, right| left | right)),
    ("bswap", |_, call| answer(bits(call, 1)?.swap_bytes())),
    ("bxor", |_, call| fold(call, |left, right| left ^ right)),
    ("lshift", |_, call| shift(call, |bits, count| bits << count)),
    ("rol", |_, call| shift(call, u32::rotate_left)),
    ("ror", |_, call| shift(call, u32::rotate_right)),
    ("rshift", |_, call| shift(call, |bits, count| bits >> count)),
    ("tobit", |_, call| answer(bits(call, 1)?)),
    ("tohex", to_hex),
];

/// The lower 32 bits of a number, rounded to the nearest integer.
fn bits(call: &Arguments<'_>, number: usize) -> Result<u32, Fault> {
    // Added to this, a number's integer part stands in the lower bits of the fraction.
    const SHIFTER: f64 = 6_755_399_441_055_744.0;
    Ok((call.number(number)? + SHIFTER).to_bits() as u32)
}

/// Every result is a signed number.
fn answer(bits: u32) -> Answer {
    Ok(MultiValue::from_vec(vec![Value::Integer(i64::from(bits as i32))]))
}

fn fold(call: &Arguments<'_>, operation: fn(u32, u32) -> u32) -> Answer {
    let mut result = bits(call, 1)?;
    // The last wrong argument is the one that is told.
    for number in (2..=call.len()).rev() {
        result = operation(result, bits(call, number)?);
    }
    answer(result)
}

fn shift(call: &Arguments<'_>, operation: fn(u32, u32) -> u32) -> Answer {
    let (shifted, count) = (bits(call, 1)?, bits(call, 2)?);
    answer(operation(shifted, count & 31))
}

/// `bit.tohex(number [, digits])`: fewer than none digits are upper-case ones.
fn to_hex(lua: &Lua, call: &Arguments<'_>) -> Answer {
    let number = bits(call, 1)?;
    let digits = if call.len() < 2 { 8 } else { bits(call, 2)? as i32 };
    let mut text = if digits < 0 { format!("{number:08X}") } else { format!("{number:08x}") };
    let kept = text.len() - digits.unsigned_abs().min(8) as usize;
    text.drain(..kept);
    Ok(MultiValue::from_vec(vec![Value::String(lua.create_string(text)?)]))
}
