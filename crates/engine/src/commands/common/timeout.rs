//! How long a blocking call waits: parsed as the reference does, zero means for ever.

use crate::args;
use crate::error::CommandError;
use base::numbers;
use base::numbers::LongDouble;
use std::time::Duration;

/// 2^63: the first number of milliseconds that is too large.
const MS_END: f64 = 9_223_372_036_854_775_808.0;

/// A timeout in seconds, with a fraction; `now_ms` is the wall clock.
pub fn seconds(argument: &[u8], now_ms: u64) -> Result<Option<Duration>, CommandError> {
    let seconds = numbers::parse_f64(argument).or_else(|| beyond_double(argument));
    let ms = (seconds.ok_or(CommandError::TimeoutNotFloat)? * 1000.0).ceil();
    if MS_END <= ms {
        return Err(CommandError::TimeoutOutOfRange);
    }
    // What is below the least number becomes that.
    duration(ms as i64, now_ms)
}

/// A timeout in whole milliseconds.
pub fn milliseconds(argument: &[u8], now_ms: u64) -> Result<Option<Duration>, CommandError> {
    let ms = args::integer(argument).map_err(|_| CommandError::TimeoutInvalid)?;
    duration(ms, now_ms)
}

fn duration(ms: i64, now_ms: u64) -> Result<Option<Duration>, CommandError> {
    let ms = u64::try_from(ms).map_err(|_| CommandError::TimeoutNegative)?;
    if ms == 0 {
        return Ok(None);
    }
    if (i64::MAX as u64).saturating_sub(now_ms) < ms {
        return Err(CommandError::TimeoutOutOfRange);
    }
    Ok(Some(Duration::from_millis(ms)))
}

/// A number that the reference's wider type holds and a double does not: infinite or nothing then.
fn beyond_double(argument: &[u8]) -> Option<f64> {
    LongDouble::parse(argument).and_then(|_| numbers::parse_f64_bound(argument))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_read_as_the_reference_reads_them() {
        let now_ms = 1_700_000_000_000;
        let parse = |text: &str| seconds(text.as_bytes(), now_ms);
        let ms = |ms| Ok(Some(Duration::from_millis(ms)));
        assert_eq!(parse("0"), Ok(None));
        assert_eq!(parse("-0.0001"), Ok(None));
        assert_eq!(parse("0.0001"), ms(1));
        assert_eq!(parse("1.5"), ms(1500));
        assert_eq!(parse("-1"), Err(CommandError::TimeoutNegative));
        assert_eq!(parse("-inf"), Err(CommandError::TimeoutNegative));
        assert_eq!(parse("nan"), Err(CommandError::TimeoutNotFloat));
        assert_eq!(parse(" 1"), Err(CommandError::TimeoutNotFloat));
        for text in ["inf", "1e400", "9223372036854775", "9223372036854776"] {
            assert_eq!(parse(text), Err(CommandError::TimeoutOutOfRange), "{text}");
        }
        let parse = |text: &str| milliseconds(text.as_bytes(), now_ms);
        assert_eq!(parse("0"), Ok(None));
        assert_eq!(parse("7"), ms(7));
        assert_eq!(parse("1.5"), Err(CommandError::TimeoutInvalid));
        assert_eq!(parse("-1"), Err(CommandError::TimeoutNegative));
        assert_eq!(parse("9223372036854775807"), Err(CommandError::TimeoutOutOfRange));
    }
}
