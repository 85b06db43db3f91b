//! Signals that end the process because something in it is broken, and what may be done while one is handled.
//!
//! A handler runs in the middle of anything: the thread may hold the allocator's lock or the log's. So
//! nothing here allocates, locks, or waits for anybody; text goes to a descriptor piece by piece.

use std::ffi::{CStr, c_int, c_void};
use std::fmt;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI32, Ordering};

/// What is known of such a signal.
#[derive(Clone, Copy, Debug)]
pub struct Fatal {
    pub signal: i32,
    pub code: i32,
    pub cause: Cause,
}

/// Where it comes from.
#[derive(Clone, Copy, Debug)]
pub enum Cause {
    /// The thread touched or ran something at this address.
    Address(usize),
    /// A process sent it.
    Sender { process: i32, user: u32 },
}

const SIGNALS: [c_int; 5] =
    [libc::SIGABRT, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGSEGV];
/// Frames of a stack that are shown at most.
const FRAMES_MAX: c_int = 64;

static REPORT: OnceLock<fn(&Fatal)> = OnceLock::new();
/// The thread that has begun with a report; 0 is none.
static REPORTER: AtomicI32 = AtomicI32::new(0);

/// Has the system end the process as if it had touched memory that it may not touch.
pub fn crash() {
    // SAFETY: it takes a number, and ends the process.
    unsafe { libc::raise(libc::SIGSEGV) };
}

/// Has `report` called when such a signal arrives; the process ends as it would have without, with a core dump where those
/// are made. `report` may only do what is allowed in a signal handler: see the file's head.
pub fn report_signals(report: fn(&Fatal)) {
    if REPORT.set(report).is_err() {
        return;
    }
    // The first look at a stack loads a library, which cannot be done in a handler.
    let mut frame = [ptr::null_mut()];
    stack(&mut frame);
    for signal in SIGNALS {
        let mut action = MaybeUninit::<libc::sigaction>::zeroed();
        // SAFETY: it is plain numbers and an optional pointer, for which zeros are valid.
        let action = unsafe { action.assume_init_mut() };
        action.sa_sigaction = handle as *const () as libc::sighandler_t;
        // On the stack that the standard library has set aside for each thread: its own may be used up.
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        // SAFETY: `action` is whole, and the handler keeps to what a handler may do.
        unsafe { libc::sigaction(signal, action, ptr::null_mut()) };
    }
}

/// Nothing is reported any more: it has been done.
pub fn stop_reports() {
    REPORTER.store(thread(), Ordering::Relaxed);
}

extern "C" fn handle(signal: c_int, info: *mut libc::siginfo_t, _context: *mut c_void) {
    let this = thread();
    // Relaxed: nothing but the number itself is handed over.
    match REPORTER.compare_exchange(0, this, Ordering::Relaxed, Ordering::Relaxed) {
        Ok(_) => {
            if let Some(report) = REPORT.get() {
                // SAFETY: the kernel passes a valid description of the signal.
                let info = unsafe { &*info };
                report(&describe(signal, info));
            }
        }
        // The report itself has failed, or was made before: the end comes now.
        Err(reporter) if reporter == this => {}
        Err(_) => loop {
            // SAFETY: it only waits. Another thread's report is being written, after which the process ends.
            unsafe { libc::pause() };
        },
    }
    // SAFETY: it only changes what the signal does.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
    // SAFETY: the signal is held back until the handler has returned, and then ends the process.
    unsafe { libc::raise(signal) };
}

fn describe(signal: i32, info: &libc::siginfo_t) -> Fatal {
    // Codes above 0 are the kernel's own.
    let cause = if 0 < info.si_code {
        // SAFETY: for these signals, sent by the kernel, the description holds an address.
        Cause::Address(unsafe { info.si_addr() }.addr())
    } else {
        // SAFETY: whatever a process sends holds its number.
        let process = unsafe { info.si_pid() };
        // SAFETY: as above, and the user's.
        Cause::Sender { process, user: unsafe { info.si_uid() } }
    };
    Fatal { signal, code: info.si_code, cause }
}

/// An open file, as a place to write text to. What cannot be written is dropped.
#[derive(Debug)]
pub struct RawFile(c_int);

impl RawFile {
    pub const STANDARD_OUTPUT: Self = Self(libc::STDOUT_FILENO);

    /// A file to be appended to; it stays open.
    pub fn append(path: &CStr) -> Self {
        let flags = libc::O_APPEND | libc::O_CREAT | libc::O_WRONLY | libc::O_CLOEXEC;
        // SAFETY: the path ends with a 0.
        Self(unsafe { libc::open(path.as_ptr(), flags, 0o644) })
    }

    /// Writes the calling thread's stack: one line a frame, with the place in the program.
    pub fn write_stack(&self) {
        let mut frames = [ptr::null_mut(); FRAMES_MAX as usize];
        let count = stack(&mut frames);
        #[cfg(target_env = "gnu")]
        // SAFETY: so many frames were filled in; the call allocates nothing.
        unsafe {
            libc::backtrace_symbols_fd(frames.as_ptr(), count, self.0);
        }
        #[cfg(not(target_env = "gnu"))]
        let _ = count;
    }
}

impl fmt::Write for RawFile {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            // SAFETY: `rest` is a valid place of this length.
            let written = unsafe { libc::write(self.0, rest.as_ptr().cast(), rest.len()) };
            match usize::try_from(written) {
                Ok(written @ 1..) => rest = &rest[written..],
                _ => return Err(fmt::Error),
            }
        }
        Ok(())
    }
}

/// The kernel's number of this thread.
fn thread() -> i32 {
    // SAFETY: it only answers a question.
    unsafe { libc::gettid() }
}

/// Fills in the return addresses of the calling thread's stack. Returns how many there are.
#[cfg(target_env = "gnu")]
fn stack(frames: &mut [*mut c_void]) -> c_int {
    // SAFETY: there is room for so many.
    unsafe { libc::backtrace(frames.as_mut_ptr(), frames.len() as c_int) }
}

/// Other C libraries have no such call.
#[cfg(not(target_env = "gnu"))]
fn stack(_frames: &mut [*mut c_void]) -> c_int {
    0
}
