//! What is noted of a call that is over: statistics, and those that stand out.

use crate::call_log::{LoggedCall, Measure};
use crate::command::Flags;
use crate::engine::Engine;
use crate::host::Host;
use crate::latency::Event;
use crate::session::Session;
use crate::settings::Settings;
use crate::statistics::ThreadStatistics;
use crate::table::Entry;
use resp::Argv;

/// A call that is over.
pub(crate) struct Finished<'c> {
    pub entry: &'static Entry,
    pub argv: Argv<'c>,
    /// Of the client for whom it was made.
    pub session: &'c Session,
    pub nanoseconds: u64,
    pub reply_bytes: usize,
    pub is_failed: bool,
    /// A script has made it.
    pub is_within_script: bool,
}

/// Counts a call, and logs it if it stands out.
#[inline]
pub(crate) fn note(
    engine: &Engine,
    host: &dyn Host,
    settings: &Settings,
    statistics: &ThreadStatistics,
    call: &Finished<'_>,
) {
    statistics.called(call.entry.id, call.nanoseconds, settings.is_latency_tracked);
    if call.is_failed {
        statistics.commands[call.entry.id].failed.add(1);
    }
    if engine.hot_keys.is_on() {
        engine.hot_keys.note(call, engine.clock().wall_ms());
    }
    let logs = &settings.call_logs;
    if logs.slow.value_min.min(settings.spike_ns_min) <= call.nanoseconds
        || logs.large_reply.value_min <= call.reply_bytes as u64
        || logs.large_request.value_min <= call.argv.request_len_max() as u64
    {
        note_outstanding(engine, host, settings, call);
    }
}

#[cold]
fn note_outstanding(engine: &Engine, host: &dyn Host, settings: &Settings, call: &Finished<'_>) {
    let is_fast = call.entry.row.flags.has(Flags::FAST);
    let event = if is_fast { Event::FastCommand } else { Event::Command };
    engine.note_duration(settings, event, call.nanoseconds);
    log(engine, host, settings, call);
}

fn log(engine: &Engine, host: &dyn Host, settings: &Settings, call: &Finished<'_>) {
    if call.entry.row.flags.has(Flags::SKIP_SLOWLOG) {
        return;
    }
    let limits = &settings.call_logs;
    let values = [
        (Measure::Slow, limits.slow, call.nanoseconds, 1000),
        (Measure::LargeRequest, limits.large_request, call.argv.request_len() as u64, 1),
        (Measure::LargeReply, limits.large_reply, call.reply_bytes as u64, 1),
    ];
    let client = host.client_shown(call.session);
    let at_s = engine.clock().wall_ms() / 1000;
    for (measure, limits, value, unit) in values {
        if limits.value_min <= value {
            let logged = LoggedCall::new(call.entry, call.argv, value / unit, at_s, &client);
            engine.call_logs.of(measure).add(logged, limits.entries_max);
        }
    }
}
