//! What a server does to its process: limits at the start, the wait for the end, and the tidying up.

use crate::alloc;
use crate::clock::MachineClock;
use crate::config::{Config, Note, Settings, apply};
use crate::limits::RESERVED_FILES;
use crate::log;
use crate::start::Node;
use crate::sys;
use crate::warnings;
use std::sync::{Arc, OnceLock};

/// Makes the process what the settings ask for, before anything is opened.
pub fn prepare(config: &mut Config) -> Result<(), String> {
    let settings = config.settings();
    apply::enter_folder(&settings)
        .map_err(|error| format!("Can't chdir to '{}': {error}", settings.dir.display()))?;
    raise_open_files(config)?;
    // The names and scores are for people and the kernel; a system that refuses them runs the server as well.
    let _ = apply::set_process_name(settings.dialect);
    let _ = apply::set_oom_score(&settings, oom_score_at_start());
    alloc::use_background_thread(settings.jemalloc_bg_thread);
    let huge_pages_are_off = settings.disable_thp && sys::disable_huge_pages().is_ok();
    warnings::announce(&settings, huge_pages_are_off);
    if let Err(error) = apply::write_pidfile(&settings) {
        log::warning(format_args!("Failed to write PID file: {error}"));
    }
    // Measured now, so that no client waits for it.
    let _ = MachineClock::new();
    Ok(())
}

/// What the kernel's out-of-memory killer went by before anybody changed it.
pub fn oom_score_at_start() -> i32 {
    static SCORE: OnceLock<i32> = OnceLock::new();
    *SCORE.get_or_init(apply::oom_score)
}

/// Says that the server has been built.
pub fn announce_start(notes: &[Note]) {
    for note in notes {
        log::write(note.level, format_args!("{}", note.text));
    }
    log::notice(format_args!("Server initialized"));
}

/// Says that the server is there with all its data, to people and to the supervisor.
pub fn announce(settings: &Settings, port: u16) {
    if port != 0 {
        log::notice(format_args!("Ready to accept connections tcp"));
    }
    if settings.unixsocket.is_some() {
        log::notice(format_args!("Ready to accept connections unix"));
    }
    // A supervisor that cannot be told kills the server itself.
    let _ = apply::notify_supervisor(settings, "STATUS=Ready to accept connections\nREADY=1\n");
}

/// Waits until somebody asks for the end, and stops the server.
pub fn wait_for_end(node: Node) {
    let server = Arc::clone(node.server());
    server.host.shutdown.wait();
    log::notice(format_args!("User requested shutdown..."));
    let settings = server.host.settings();
    let _ = apply::notify_supervisor(&settings, "STOPPING=1\n");
    if settings.pidfile.is_some() {
        log::notice(format_args!("Removing the pid file."));
        apply::remove_pidfile(&settings);
    }
    node.stop();
    log::warning(format_args!("Ochre is now ready to exit, bye bye..."));
}

/// Has the system allow as many open files as the clients need, or allows fewer clients.
fn raise_open_files(config: &mut Config) -> Result<(), String> {
    let wanted_clients = u64::from(config.settings().maxclients);
    let wanted = wanted_clients + RESERVED_FILES;
    let Ok(before) = sys::open_files() else { return Ok(()) };
    if wanted <= before.now {
        return Ok(());
    }
    let mut refusal = None;
    let mut allowed = wanted;
    while before.now < allowed {
        match sys::set_open_files(allowed, before.most) {
            Ok(()) => break,
            Err(error) => refusal = Some(refusal.unwrap_or(error)),
        }
        // The hard limit is the most that a process without privileges gets.
        allowed = if before.most < allowed { before.most } else { before.now };
    }
    let Some(error) = refusal else {
        log::notice(format_args!(
            "Increased maximum number of open files to {wanted} (it was originally set to {}).",
            before.now
        ));
        return Ok(());
    };
    if allowed <= RESERVED_FILES {
        return Err(format!(
            "Your current 'ulimit -n' of {} is not enough for the server to start. Please increase your open file limit to \
             at least {wanted}. Exiting.",
            before.now
        ));
    }
    let clients = allowed - RESERVED_FILES;
    log::warning(format_args!(
        "You requested maxclients of {wanted_clients} requiring at least {wanted} max file descriptors."
    ));
    log::warning(format_args!(
        "Server can't set maximum open files to {wanted} because of OS error: {error}."
    ));
    log::warning(format_args!(
        "Current maximum open files is {allowed}. maxclients has been reduced to {clients} to compensate for low ulimit. If \
         you need higher maxclients increase 'ulimit -n'."
    ));
    let value = clients.to_string();
    let reduced =
        config.set_many(&[(b"maxclients", value.as_bytes())], crate::config::Caller::Local);
    reduced.map(drop).map_err(|error| error.to_string())
}
