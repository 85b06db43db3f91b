//! Expire times as arguments: EX, PX, EXAT, PXAT and their errors.

use crate::args::{self, Args};
use crate::error::CommandError;

/// How an expire time is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct TimeForm {
    pub is_absolute: bool,
    pub is_seconds: bool,
}

pub(crate) const EX: TimeForm = TimeForm { is_absolute: false, is_seconds: true };
pub(crate) const PX: TimeForm = TimeForm { is_absolute: false, is_seconds: false };
pub(crate) const EXAT: TimeForm = TimeForm { is_absolute: true, is_seconds: true };
pub(crate) const PXAT: TimeForm = TimeForm { is_absolute: true, is_seconds: false };

const WORDS: [(&str, TimeForm); 4] = [("ex", EX), ("px", PX), ("exat", EXAT), ("pxat", PXAT)];

/// Takes an `EX seconds`-like option if one is next. The number is not looked at yet, as in Redis:
/// a syntax error further on comes first.
pub(crate) fn take_option<'a>(
    args: &mut Args<'a>,
) -> Result<Option<(TimeForm, &'a [u8])>, CommandError> {
    for (word, form) in WORDS {
        if args.take(word) {
            return Ok(Some((form, args.required()?)));
        }
    }
    Ok(None)
}

/// The deadline in wall-clock milliseconds that a positive expire time means.
pub(crate) fn deadline(
    (form, number): (TimeForm, &[u8]),
    now_ms: u64,
    command: &'static str,
) -> Result<u64, CommandError> {
    let time = args::integer(number)?;
    if time <= 0 {
        return Err(CommandError::ExpireTimeInvalid(command));
    }
    absolute_ms(form, time, now_ms)
        .and_then(|ms| u64::try_from(ms).ok())
        .ok_or(CommandError::ExpireTimeInvalid(command))
}

/// An expire time as absolute milliseconds, or `None` on overflow.
pub(crate) fn absolute_ms(form: TimeForm, time: i64, now_ms: u64) -> Option<i64> {
    let ms = if form.is_seconds { time.checked_mul(1000)? } else { time };
    if form.is_absolute { Some(ms) } else { ms.checked_add(i64::try_from(now_ms).ok()?) }
}
