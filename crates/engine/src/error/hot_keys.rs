//! What HOTKEYS refuses, in Redis's words.

use super::CommandError;
use std::borrow::Cow;

/// Why hot keys are not collected so.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum HotKeysError {
    Count,
    Duration,
    MetricTwice(&'static str),
    MetricsCount,
    MetricsMismatch,
    MetricsMissing,
    MetricsNone,
    Running,
    RunningYet,
    Sample,
    Slots,
}

impl HotKeysError {
    /// The text that clients see.
    pub fn text(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Count => "ERR COUNT must be between 1 and 64",
            Self::Duration => "ERR DURATION must be between 1 and 1000000",
            Self::MetricTwice(name) => {
                return Cow::Owned(format!("ERR METRICS {name} defined more than once!"));
            }
            Self::MetricsCount => "ERR METRICS count must be > 0 and <= 2",
            Self::MetricsMismatch => {
                "ERR METRICS count does not match number of metric types provided"
            }
            Self::MetricsMissing => "ERR METRICS parameter is required",
            Self::MetricsNone => "ERR METRICS no valid metrics passed. Supported: CPU|NET",
            Self::Running => "ERR hotkey tracking session already in progress",
            Self::RunningYet => "ERR hotkey tracking session in progress, stop tracking first",
            Self::Sample => "ERR SAMPLE ratio must be positive",
            Self::Slots => "ERR SLOTS parameter cannot be used in non-cluster mode",
        })
    }
}

impl From<HotKeysError> for CommandError {
    fn from(error: HotKeysError) -> Self {
        Self::HotKeys(error)
    }
}
