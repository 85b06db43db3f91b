//! The scripts and functions that run now, as the other threads see them.
//!
//! Each thread has a place for the script that it runs, and there is one for the function that runs, since
//! functions are never two. Others look there to tell their clients BUSY
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
use parking_lot::Mutex;
use resp::{Argv, ArgvBuffer};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

const IDLE: u8 = 0;
const RUNNING: u8 = 1;
const WRITTEN: u8 = 2;
const ENDED: u8 = 3;

/// A longer call of a function is forgotten at its end.
const CALL_BYTES_KEPT: usize = 1 << 12;

/// What is run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A function of a library, called by its name.
    Function,
    /// A script, with its text or digest.
    Script,
}

impl Kind {
    /// The name of its chunks in the interpreter's own words; errors show it without the `@`.
    pub(super) fn chunk_name(self) -> &'static str {
        match self {
            Self::Function => "@user_function",
            Self::Script => "@user_script",
        }
    }

    /// What others are told while it is busy.
    pub fn busy(self) -> CommandError {
        match self {
            Self::Function => CommandError::BusyFunction,
            Self::Script => CommandError::BusyScript,
        }
    }

    /// What it ends with when it was killed.
    pub(super) fn killed(self) -> CommandError {
        match self {
            Self::Function => CommandError::FunctionKilled,
            Self::Script => CommandError::ScriptKilled,
        }
    }
}

/// A running function, as FUNCTION STATS shows it.
pub struct RunningFunction {
    pub name: Box<[u8]>,
    /// The call with all its arguments.
    pub call: ArgvBuffer,
    pub since_ns: u64,
}

/// The places of all threads.
pub struct RunningScripts {
    threads: Box<[Arc<Running>]>,
    /// The place of the function.
    functions: Arc<Running>,
    /// The function that runs, or ran last: kept, so that its room is used again.
    function: Mutex<(Vec<u8>, ArgvBuffer)>,
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
        let running = || {
            Arc::new(Running {
                since_ns: AtomicU64::new(0),
                phase: AtomicU8::new(IDLE),
                is_stopped: AtomicBool::new(false),
                alone_since_ns: Arc::clone(&alone_since_ns),
            })
        };
        Self {
            threads: (0..threads).map(|_| running()).collect(),
            functions: running(),
            function: Mutex::default(),
            alone_since_ns,
        }
    }

    /// The place of functions.
    pub(super) fn of_functions(&self) -> Arc<Running> {
        Arc::clone(&self.functions)
    }

    /// Of what kind that is which runs alone.
    pub fn alone_kind(&self) -> Kind {
        if self.functions.is_older(u64::MAX) { Kind::Function } else { Kind::Script }
    }

    /// Notes which function is about to begin, and its call.
    pub(super) fn describe(&self, name: &[u8], argv: Argv<'_>) {
        let mut function = self.function.lock();
        let (known, call) = &mut *function;
        known.clear();
        known.extend_from_slice(name);
        call.clear();
        argv.iter().for_each(|argument| call.push(argument));
    }

    /// Forgets a long call that is over.
    pub(super) fn forget_call(&self) {
        let mut function = self.function.lock();
        if CALL_BYTES_KEPT < function.1.argv().bytes_len() {
            *function = Default::default();
        }
    }

    /// The function that runs now, if one does.
    pub fn function(&self) -> Option<RunningFunction> {
        let function = self.function.lock();
        let since_ns = self.functions.since_ns.load(Ordering::Relaxed);
        let (name, call) = &*function;
        let name = name.as_slice().into();
        (since_ns != 0).then(|| RunningFunction { name, call: call.clone(), since_ns })
    }

    /// Ends the function that runs, unless it has written.
    ///
    /// # Errors
    /// None runs, or it has written, or a script runs alone.
    pub fn kill_function(&self) -> Result<(), CommandError> {
        match (self.alone_since_ns(), self.alone_kind()) {
            (Some(_), Kind::Script) => Err(CommandError::BusyScript),
            _ => self.functions.kill(),
        }
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
    /// There is none, or all have written, or a function runs.
    pub fn kill_older(&self, before_ns: u64) -> Result<(), CommandError> {
        if self.alone_kind() == Kind::Function {
            let has_written = self.functions.phase.load(Ordering::Relaxed) == WRITTEN;
            let busy = CommandError::BusyFunction;
            return Err(if has_written { CommandError::ScriptUnkillable } else { busy });
        }
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
        let places = self.threads.iter().chain([&self.functions]);
        places.for_each(|running| running.is_stopped.store(true, Ordering::Relaxed));
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
    fn functions_and_scripts_are_killed_by_their_own_commands() {
        let scripts = RunningScripts::new(1);
        let (script, function) = (scripts.of_thread(0), scripts.of_functions());
        let mut call = ArgvBuffer::new();
        call.push(b"FCALL");
        scripts.describe(b"name", call.argv());
        assert!(scripts.function().is_none());
        function.begin(7, Company::Alone);
        assert_eq!(scripts.alone_kind(), Kind::Function);
        assert_eq!(scripts.kill_older(9), Err(CommandError::BusyFunction));
        let shown = scripts.function().unwrap();
        assert_eq!((&*shown.name, shown.since_ns), (&b"name"[..], 7));
        assert_eq!(scripts.kill_function(), Ok(()));
        assert!(function.is_ended());
        function.end(Company::Alone);
        assert_eq!(scripts.kill_function(), Err(CommandError::ScriptNotBusy));
        script.begin(8, Company::Alone);
        assert_eq!(scripts.kill_function(), Err(CommandError::BusyScript));
        assert_eq!(scripts.kill_older(9), Ok(()));
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
