//! Places of bits in arguments, and strings that are there to be written.

use crate::data::Data;
use crate::error::CommandError;
use crate::settings::Settings;
use base::numbers;
use store::Key;
use store::types::bitmap;

/// The place of a bit: not beyond the longest string.
pub(crate) fn offset(argument: &[u8], settings: &Settings) -> Result<u64, CommandError> {
    let offset = numbers::parse_i64(argument).and_then(|offset| u64::try_from(offset).ok());
    let is_inside = |offset: &u64| offset / 8 < settings.bulk_len_max;
    offset.filter(is_inside).ok_or(CommandError::BitOffset)
}

/// The place of a field of `bits` bits; `#n` is the place of the n-th field from 0.
pub(crate) fn field_offset(
    argument: &[u8],
    bits: u64,
    settings: &Settings,
) -> Result<u64, CommandError> {
    let [b'#', index @ ..] = argument else { return offset(argument, settings) };
    let index = numbers::parse_i64(index).and_then(|index| u64::try_from(index).ok());
    let offset = index.and_then(|index| index.checked_mul(bits));
    let is_inside = |offset: &u64| offset / 8 < settings.bulk_len_max;
    offset.filter(is_inside).ok_or(CommandError::BitOffset)
}

/// Makes sure that `key` holds a string: a missing one becomes `len` zeros. Says whether it did.
pub(crate) fn ensure(data: &mut Data<'_>, key: Key<'_>, len: usize) -> Result<bool, CommandError> {
    let is_missing = data.write_string(key)?.is_none();
    if is_missing {
        let clock = data.access_clock;
        data.put(key.hash, bitmap::zeros(key.bytes, len, clock));
    }
    Ok(is_missing)
}
