//! What DEBUG has switched for the whole server: tests of clients and tools rely on it.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// A switch that is off at first. Relaxed: whoever has had the reply of DEBUG finds it switched.
#[derive(Debug, Default)]
pub struct Switch(AtomicBool);

impl Switch {
    /// Whether it is on.
    #[inline]
    pub fn is_on(&self) -> bool {
        self.0.load(Relaxed)
    }

    /// Switches it.
    pub fn set(&self, is_on: bool) {
        self.0.store(is_on, Relaxed);
    }
}

/// All of them.
#[derive(Debug, Default)]
pub struct Switches {
    /// Periodic jobs rest.
    pub pauses_jobs: Switch,
    /// Scripts may call what only clients call otherwise.
    pub scripts_call_all: Switch,
    /// RESTORE takes payloads whose checksum is wrong.
    pub skips_checksums: Switch,
}
