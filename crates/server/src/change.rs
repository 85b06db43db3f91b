//! What a CONFIG SET does to the running server: all of it, or nothing.

use crate::alloc;
use crate::config::{Caller, Changes, ConfigError, Settings, apply};
use crate::crash;
use crate::host::ServerHost;
use crate::limits::RESERVED_FILES;
use crate::log;
use crate::persistence::append_only::{self, SyncPolicy};
use crate::sys;
use crate::title;
use engine::Engine;

/// The setting that the world refused, and why.
struct Refusal {
    setting: &'static str,
    reason: String,
}

impl ServerHost {
    /// Changes settings and everything that follows from them. To be called behind the gate, so that no call runs partly
    /// with the old ones.
    pub fn change_config(
        &self,
        engine: &Engine,
        pairs: &[(&[u8], &[u8])],
        caller: Caller,
    ) -> Result<(), ConfigError> {
        let mut config = self.config.lock();
        let before = config.settings();
        let changes = config.set_many(pairs, caller)?;
        let after = config.settings();
        let turns_on = changes.touches("appendonly")
            && after.appendonly
            && !engine.journal.is_on()
            && !engine.loading.is_on();
        let file = if turns_on { append_only::begin(self, &after).map(Some) } else { Ok(None) };
        let file = match file {
            Ok(file) => file,
            Err(error) => {
                log::warning(format_args!("Can't open the append-only file: {error}"));
                config.roll_back(changes);
                let reason = "Unable to turn on AOF. Check server logs.";
                return Err(ConfigError::refused("appendonly", reason.into()));
            }
        };
        if let Err(refusal) = self.carry_out(&changes, &before, &after) {
            config.roll_back(changes);
            return Err(ConfigError::refused(refusal.setting, refusal.reason.into()));
        }
        for note in config.notes_about(&changes) {
            log::write(note.level, format_args!("{}", note.text));
        }
        engine.publish_settings(after.for_engine());
        if changes.touches("requirepass") {
            engine.acl.set_default_password(&after.requirepass);
        }
        if let Some(file) = file {
            append_only::keep(engine, self, &after, file);
        } else if engine.journal.is_on() && !after.appendonly {
            append_only::let_go(engine, self);
        }
        let holds = after.appendonly && after.appendfsync == SyncPolicy::Always;
        self.publish(after);
        if changes.touches("appendfsync") {
            engine.journal.hold_replies(holds);
            self.registry.inboxes().journal_is_safe();
            self.append_only.look_at_settings();
        }
        Ok(())
    }

    /// Does to the process what the changes ask for; what can fail comes first and is undone by a later failure.
    fn carry_out(
        &self,
        changes: &Changes,
        before: &Settings,
        after: &Settings,
    ) -> Result<(), Refusal> {
        if changes.touches("maxclients") {
            allow_clients(after.maxclients)?;
        }
        if changes.touches("dir") {
            apply::enter_folder(after)
                .map_err(|error| Refusal { setting: "dir", reason: error.to_string() })?;
        }
        if changes.touches("oom-score-adj") || changes.touches("oom-score-adj-values") {
            apply::set_oom_score(after, self.started.oom_score).map_err(|_| Refusal {
                setting: "oom-score-adj",
                reason: "Failed to apply new oom_score_adj configuration, check server logs."
                    .into(),
            })?;
        }
        let listens_elsewhere = changes.touches("port") || changes.touches("bind");
        if listens_elsewhere && let Err(refusal) = self.listen_again(changes, before, after) {
            if changes.touches("dir") {
                // It was the working folder a moment ago.
                let _ = apply::enter_folder(before);
            }
            return Err(refusal);
        }
        if changes.touches("jemalloc-bg-thread") {
            alloc::use_background_thread(after.jemalloc_bg_thread);
        }
        if changes.touches("proc-title-template") {
            title::show(after);
        }
        crash::enable(after.crash_log_enabled);
        log::configure(after);
        Ok(())
    }

    fn listen_again(
        &self,
        changes: &Changes,
        before: &Settings,
        after: &Settings,
    ) -> Result<(), Refusal> {
        let Some(acceptor) = self.acceptor.get() else { return Ok(()) };
        if acceptor.listen(before, after) {
            return Ok(());
        }
        if changes.touches("port") {
            let reason = "Unable to listen on this port. Check server logs.".to_owned();
            return Err(Refusal { setting: "port", reason });
        }
        let reason = "Failed to bind to specified addresses.".to_owned();
        Err(Refusal { setting: "bind", reason })
    }
}

/// Has the system allow as many open files as so many clients need.
fn allow_clients(count: u32) -> Result<(), Refusal> {
    let wanted = u64::from(count) + RESERVED_FILES;
    let Ok(files) = sys::open_files() else { return Ok(()) };
    if wanted <= files.now || sys::set_open_files(wanted, files.most).is_ok() {
        return Ok(());
    }
    let possible = files.now.saturating_sub(RESERVED_FILES);
    let reason = format!(
        "The operating system is not able to handle the specified number of clients, try with {possible}"
    );
    Err(Refusal { setting: "maxclients", reason })
}
