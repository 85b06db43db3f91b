//! The report of a crash: a panic is a broken invariant, and a store with broken invariants must not answer.

use crate::log;
use std::backtrace::Backtrace;
use std::panic::PanicHookInfo;

/// From now on a panic on any thread is reported to the log and ends the process.
pub fn report_panics() {
    std::panic::set_hook(Box::new(|info| {
        report(info);
        std::process::abort();
    }));
}

fn report(info: &PanicHookInfo<'_>) {
    let message = info.payload_as_str().unwrap_or("(no message)");
    let place = info.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    let thread = std::thread::current();
    log::warning(format_args!(
        "\n\n=== OCHRE BUG REPORT START: Cut & paste starting from here ==="
    ));
    log::warning(format_args!("Ochre {} crashed by a panic: {message}", env!("CARGO_PKG_VERSION")));
    log::warning(format_args!("Crashed at {place}, thread '{}'", thread.name().unwrap_or("?")));
    log::warning(format_args!("\n------ STACK TRACE ------\n{}", Backtrace::force_capture()));
    log::warning(format_args!("=== OCHRE BUG REPORT END ==="));
}
