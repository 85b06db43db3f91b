//! The script that runs alone now, as the other threads see it.
//!
//! A script runs behind the gate, so there is one at most. Others look at it to tell their clients
//! BUSY once it has run for too long, and to end it; the interpreter's hook looks every so many instructions
//! whether it was ended. Whether it may be ended, and whether it may write, is settled on one word:
//!
//! ```text
//!   Idle ──begin──► Running ──write──► Written
//!                      └────kill────► Killed
//! ```

use crate::error::CommandError;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

const IDLE: u8 = 0;
const RUNNING: u8 = 1;
const WRITTEN: u8 = 2;
const KILLED: u8 = 3;

/// What is known of the running script.
#[derive(Default, Debug)]
pub struct Running {
    /// Monotonic time at which it began; 0: none runs.
    since_ns: AtomicU64,
    phase: AtomicU8,
    /// The server ends, and with it every script.
    is_stopped: AtomicBool,
}

impl Running {
    /// When the running script began (monotonic nanoseconds), if one runs.
    #[inline]
    pub fn since_ns(&self) -> Option<u64> {
        // Relaxed: what follows from it is a reply or a moment to look again.
        let since_ns = self.since_ns.load(Ordering::Relaxed);
        (since_ns != 0).then_some(since_ns)
    }

    /// Ends the script, unless it has written.
    ///
    /// # Errors
    /// No script runs, or it has written.
    pub fn kill(&self) -> Result<(), CommandError> {
        // Relaxed, here and below: the phase guards nothing but itself.
        match self.phase.compare_exchange(RUNNING, KILLED, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) | Err(KILLED) => Ok(()),
            Err(WRITTEN) => Err(CommandError::ScriptUnkillable),
            Err(_) => Err(CommandError::ScriptNotBusy),
        }
    }

    /// Ends this script whatever it has done, and all that follow, because the server ends.
    pub fn stop(&self) {
        self.is_stopped.store(true, Ordering::Relaxed);
    }

    pub(super) fn begin(&self, now_ns: u64) {
        self.phase.store(RUNNING, Ordering::Relaxed);
        self.since_ns.store(now_ns.max(1), Ordering::Relaxed);
    }

    pub(super) fn end(&self) {
        self.since_ns.store(0, Ordering::Relaxed);
        self.phase.store(IDLE, Ordering::Relaxed);
    }

    /// The script is about to write: from now on nobody kills it. `false`: somebody has.
    pub(super) fn may_write(&self) -> bool {
        let changed =
            self.phase.compare_exchange(RUNNING, WRITTEN, Ordering::Relaxed, Ordering::Relaxed);
        changed != Err(KILLED) && !self.is_stopped.load(Ordering::Relaxed)
    }

    pub(super) fn is_killed(&self) -> bool {
        self.phase.load(Ordering::Relaxed) == KILLED || self.is_stopped.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_written_is_not_killed() {
        let running = Running::default();
        assert_eq!(running.kill(), Err(CommandError::ScriptNotBusy));
        running.begin(5);
        assert_eq!(running.since_ns(), Some(5));
        assert!(running.may_write());
        assert_eq!(running.kill(), Err(CommandError::ScriptUnkillable));
        assert!(!running.is_killed());
        running.end();
        assert_eq!(running.since_ns(), None);
    }

    #[test]
    fn what_was_killed_does_not_write() {
        let running = Running::default();
        running.begin(1);
        assert_eq!(running.kill(), Ok(()));
        assert_eq!(running.kill(), Ok(()));
        assert!(!running.may_write());
        running.end();
        running.begin(2);
        assert!(running.may_write());
    }

    #[test]
    fn when_the_server_ends_every_script_does() {
        let running = Running::default();
        running.begin(1);
        assert!(running.may_write());
        running.stop();
        assert!(running.is_killed());
        running.end();
        running.begin(2);
        assert!(running.is_killed());
        assert!(!running.may_write());
    }
}
