//! The scripts that run now, as the other threads see them.
//!
//! Each thread has a place for the script that it runs. Others look there to tell their clients BUSY
//! when a script has been in their way for too long, and to end it; the interpreter's hook looks every so
//! many instructions whether its script was ended. Whether it may be ended, and whether it may write, is
//! settled on one word:
//!
//! ```text
//!   Idle ──begin──► Running ──write──► Written
//!                      └──kill, abandon──► Ended
//! ```
//!
//! A script that may touch any key runs alone, behind the gate, and is in everybody's way; the others
//! are in the way of those who want the same shards.

use crate::error::CommandError;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

const IDLE: u8 = 0;
const RUNNING: u8 = 1;
const WRITTEN: u8 = 2;
const ENDED: u8 = 3;

/// The places of all threads.
#[derive(Debug)]
pub struct RunningScripts {
    threads: Box<[Arc<Running>]>,
    /// Monotonic time at which the script began that runs alone; 0: none does.
    alone_since_ns: Arc<AtomicU64>,
}

/// What is known of the script that one thread runs.
#[derive(Debug)]
pub struct Running {
    /// Monotonic time at which it began; 0: none runs.
    since_ns: AtomicU64,
    phase: AtomicU8,
    /// The server ends, and with it every script.
    is_stopped: AtomicBool,
    alone_since_ns: Arc<AtomicU64>,
}

/// Whether a script runs behind the gate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Company {
    Alone,
    BesideOthers,
}

impl RunningScripts {
    pub(super) fn new(threads: usize) -> Self {
        let alone_since_ns = Arc::new(AtomicU64::new(0));
        let running = |_| {
            Arc::new(Running {
                since_ns: AtomicU64::new(0),
                phase: AtomicU8::new(IDLE),
                is_stopped: AtomicBool::new(false),
                alone_since_ns: Arc::clone(&alone_since_ns),
            })
        };
        Self { threads: (0..threads).map(running).collect(), alone_since_ns }
    }

    /// The place of a thread.
    pub fn of_thread(&self, slot: usize) -> Arc<Running> {
        Arc::clone(&self.threads[slot])
    }

    /// When the script began (monotonic nanoseconds) that runs alone, if one does.
    #[inline]
    pub fn alone_since_ns(&self) -> Option<u64> {
        // Relaxed: what follows from it is a reply or a moment to look again.
        let since_ns = self.alone_since_ns.load(Ordering::Relaxed);
        (since_ns != 0).then_some(since_ns)
    }

    /// Whether a script has run since `before_ns`, alone or not.
    pub fn is_any_older(&self, before_ns: u64) -> bool {
        self.threads.iter().any(|running| running.is_older(before_ns))
    }

    /// Ends the scripts that have run since `before_ns`, but for those that have written.
    ///
    /// # Errors
    /// There is none, or all have written.
    pub fn kill_older(&self, before_ns: u64) -> Result<(), CommandError> {
        let mut result = Err(CommandError::ScriptNotBusy);
        for running in self.threads.iter().filter(|running| running.is_older(before_ns)) {
            match running.kill() {
                Ok(()) => result = Ok(()),
                Err(error) if result.is_err() => result = Err(error),
                Err(_) => {}
            }
        }
        result
    }

    /// Ends all scripts whatever they have done, and all that follow, because the server ends.
    pub fn stop(&self) {
        self.threads.iter().for_each(|r| r.is_stopped.store(true, Ordering::Relaxed));
    }
}

impl Running {
    pub(super) fn begin(&self, now_ns: u64, company: Company) {
        let now_ns = now_ns.max(1);
        self.phase.store(RUNNING, Ordering::Relaxed);
        self.since_ns.store(now_ns, Ordering::Relaxed);
        if company == Company::Alone {
            self.alone_since_ns.store(now_ns, Ordering::Relaxed);
        }
    }

    pub(super) fn end(&self, company: Company) {
        self.since_ns.store(0, Ordering::Relaxed);
        self.phase.store(IDLE, Ordering::Relaxed);
        if company == Company::Alone {
            self.alone_since_ns.store(0, Ordering::Relaxed);
        }
    }

    /// The script is about to write: from now on nobody kills it. `false`: somebody has.
    pub(super) fn may_write(&self) -> bool {
        // Most look again and again at what is settled.
        let phase = self.phase.load(Ordering::Relaxed);
        let is_ended = phase != WRITTEN
            && self.phase.compare_exchange(RUNNING, WRITTEN, Ordering::Relaxed, Ordering::Relaxed)
                == Err(ENDED);
        !is_ended && !self.is_stopped.load(Ordering::Relaxed)
    }

    /// The script ends here, whatever it catches: it is run once more, or its call fails.
    pub(super) fn abandon(&self) {
        self.phase.store(ENDED, Ordering::Relaxed);
    }

    pub(super) fn is_ended(&self) -> bool {
        self.phase.load(Ordering::Relaxed) == ENDED || self.is_stopped.load(Ordering::Relaxed)
    }

    fn is_older(&self, before_ns: u64) -> bool {
        let since_ns = self.since_ns.load(Ordering::Relaxed);
        since_ns != 0 && since_ns <= before_ns
    }

    fn kill(&self) -> Result<(), CommandError> {
        // Relaxed, here and elsewhere: the phase guards nothing but itself.
        match self.phase.compare_exchange(RUNNING, ENDED, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) | Err(ENDED) => Ok(()),
            Err(WRITTEN) => Err(CommandError::ScriptUnkillable),
            Err(_) => Err(CommandError::ScriptNotBusy),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_written_is_not_killed() {
        let scripts = RunningScripts::new(2);
        let running = scripts.of_thread(1);
        assert_eq!(scripts.kill_older(9), Err(CommandError::ScriptNotBusy));
        running.begin(5, Company::Alone);
        assert_eq!(scripts.alone_since_ns(), Some(5));
        assert!(running.may_write());
        assert_eq!(scripts.kill_older(9), Err(CommandError::ScriptUnkillable));
        assert!(!running.is_ended());
        running.end(Company::Alone);
        assert_eq!(scripts.alone_since_ns(), None);
    }

    #[test]
    fn what_was_killed_does_not_write() {
        let scripts = RunningScripts::new(1);
        let running = scripts.of_thread(0);
        running.begin(1, Company::BesideOthers);
        assert_eq!(scripts.alone_since_ns(), None);
        assert_eq!(scripts.kill_older(1), Ok(()));
        assert_eq!(scripts.kill_older(1), Ok(()));
        assert!(!running.may_write());
        running.end(Company::BesideOthers);
        running.begin(2, Company::BesideOthers);
        assert!(running.may_write());
    }

    #[test]
    fn only_the_old_ones_are_killed() {
        let scripts = RunningScripts::new(3);
        let (old, written, young) =
            (scripts.of_thread(0), scripts.of_thread(1), scripts.of_thread(2));
        old.begin(1, Company::BesideOthers);
        written.begin(1, Company::BesideOthers);
        young.begin(8, Company::BesideOthers);
        assert!(written.may_write());
        assert_eq!(scripts.kill_older(5), Ok(()));
        assert!(old.is_ended() && !written.is_ended() && !young.is_ended());
        assert!(scripts.is_any_older(5));
        assert!(!scripts.is_any_older(0));
    }

    #[test]
    fn when_the_server_ends_every_script_does() {
        let scripts = RunningScripts::new(1);
        let running = scripts.of_thread(0);
        running.begin(1, Company::Alone);
        assert!(running.may_write());
        scripts.stop();
        assert!(running.is_ended());
        running.end(Company::Alone);
        running.begin(2, Company::Alone);
        assert!(running.is_ended());
        assert!(!running.may_write());
    }
}
