//! The report of a crash: a panic is a broken invariant, and a store with broken invariants must not answer.
//!
//! Two ways lead here. A *panic* is reported by the log's usual means, and aborts. A *signal* that says
//! that something is broken may come in the middle of anything, so its report allocates nothing and
//! takes no lock (`sys::fatal`); its lines have a form of their own, as with Redis:
//! `PID:signal-handler (UNIX TIME) message`. After the report the signal does what it does by itself,
//! so that a core dump is made where those are wanted.

use crate::log;
use crate::server::Server;
use crate::sys::fatal::{self, Cause, Fatal, RawFile};
use std::backtrace::Backtrace;
use std::ffi::{CString, OsStr};
use std::fmt::{self, Write as _};
use std::os::unix::ffi::OsStrExt;
use std::panic::PanicHookInfo;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

const VERSION: &str = env!("CARGO_PKG_VERSION");
const BEGIN: &str = "\n\n=== OCHRE BUG REPORT START: Cut & paste starting from here ===";
const END: &str = "\n=== OCHRE BUG REPORT END ===\n";

/// `crash-log-enabled`. Relaxed: nothing else hangs on it.
static IS_ENABLED: AtomicBool = AtomicBool::new(true);
/// Where the report of a signal goes; nothing is standard output.
static LOG_FILE: OnceLock<CString> = OnceLock::new();
static SERVER: OnceLock<Arc<Server>> = OnceLock::new();

/// From now on a panic on any thread is reported to the log and ends the process.
pub fn report_panics() {
    std::panic::set_hook(Box::new(|info| {
        if IS_ENABLED.load(Ordering::Relaxed) {
            report_panic(info);
        } else {
            log::warning(format_args!("Ochre {VERSION} {}", Panic(info)));
        }
        fatal::stop_reports();
        std::process::abort();
    }));
}

/// From now on fatal signals are reported, to `log_file` if there is one.
pub fn report_signals(log_file: Option<&OsStr>) {
    if let Some(path) = log_file.and_then(|path| CString::new(path.as_bytes()).ok()) {
        // The start is the only caller.
        let _ = LOG_FILE.set(path);
    }
    fatal::report_signals(report_signal);
}

/// Whether reports are wanted at all.
pub fn enable(is_enabled: bool) {
    IS_ENABLED.store(is_enabled, Ordering::Relaxed);
}

/// From now on a report says what `server` was doing.
pub fn tell_of(server: &Arc<Server>) {
    // A program has one server.
    let _ = SERVER.set(Arc::clone(server));
}

/// A panic in one line.
struct Panic<'i>(&'i PanicHookInfo<'i>);

impl fmt::Display for Panic<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = self.0.payload_as_str().unwrap_or("(no message)");
        write!(formatter, "crashed by a panic: {message}")
    }
}

fn report_panic(info: &PanicHookInfo<'_>) {
    let place = info.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    let thread = std::thread::current();
    log::warning(format_args!("{BEGIN}"));
    log::warning(format_args!("Ochre {VERSION} {}", Panic(info)));
    log::warning(format_args!("Crashed at {place}, thread '{}'", thread.name().unwrap_or("?")));
    let mut facts = String::new();
    // Writing to a string cannot fail.
    let _ = write_facts(&mut facts);
    log::raw(&facts);
    log::raw(&format!("\n------ STACK TRACE ------\n{}", Backtrace::force_capture()));
    log::raw(END);
}

/// Runs in a signal handler.
fn report_signal(fatal: &Fatal) {
    if !IS_ENABLED.load(Ordering::Relaxed) {
        return;
    }
    let mut out = match LOG_FILE.get() {
        Some(path) => RawFile::append(path),
        None => RawFile::STANDARD_OUTPUT,
    };
    // A log that takes nothing is no reason to go on.
    let _ = write_signal(&mut out, fatal);
    let _ = write_facts(&mut out);
    let _ = out.write_str("\n------ STACK TRACE ------\n");
    out.write_stack();
    let _ = out.write_str(END);
}

fn write_signal(out: &mut impl fmt::Write, fatal: &Fatal) -> fmt::Result {
    let Fatal { signal, code, cause } = fatal;
    let process = std::process::id();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    writeln!(out, "{BEGIN}")?;
    let mut line =
        |text: fmt::Arguments<'_>| writeln!(out, "{process}:signal-handler ({now}) {text}");
    line(format_args!("Ochre {VERSION} crashed by signal: {signal}, si_code: {code}"))?;
    match cause {
        Cause::Address(address) => line(format_args!("Accessing address: {address:#x}")),
        Cause::Sender { process, user } => {
            line(format_args!("Killed by PID: {process}, UID: {user}"))
        }
    }
}

/// What the server is and does. Allocates nothing and takes no lock.
fn write_facts(out: &mut impl fmt::Write) -> fmt::Result {
    writeln!(out, "\n------ INFO OUTPUT ------")?;
    writeln!(out, "ochre_version:{VERSION}")?;
    writeln!(out, "process_id:{}", std::process::id())?;
    writeln!(out, "used_memory:{}", base::memory::used())?;
    writeln!(out, "used_memory_peak:{}", base::memory::peak())?;
    let Some(server) = SERVER.get() else { return Ok(()) };
    let now_ns = server.engine.clock().now_ns();
    let uptime_s = now_ns.saturating_sub(server.host.started.monotonic_ns) / 1_000_000_000;
    writeln!(out, "tcp_port:{}", server.host.started.port)?;
    writeln!(out, "uptime_in_seconds:{uptime_s}")?;
    writeln!(out, "connected_clients:{}", server.registry.count())?;
    let threads = server.engine.threads();
    let commands: u64 = threads.iter().map(|thread| thread.commands_processed.value()).sum();
    writeln!(out, "total_commands_processed:{commands}")?;
    writeln!(out, "\n------ RUNNING COMMANDS ------")?;
    for (number, thread) in threads.iter().enumerate() {
        let entry = thread.running().and_then(|id| server.engine.table.by_id(id));
        if let Some(entry) = entry {
            writeln!(out, "worker-{number}: {}", entry.full_name)?;
        }
    }
    Ok(())
}
