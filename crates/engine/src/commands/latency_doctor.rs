//! LATENCY DOCTOR: the spikes in words, and what may help against them.

use crate::latency::{Event, Series};
use crate::settings::Settings;
use std::fmt::Write;

/// The report on these spikes at the time `now_s`.
pub(super) fn report(events: &[(Event, Series)], settings: &Settings, now_s: u64) -> String {
    if events.is_empty() {
        let is_on = settings.spike_ns_min != u64::MAX;
        let report = if is_on { NOTHING_HAPPENED } else { NOT_WATCHED };
        return report.to_owned();
    }
    let mut report = "These latency spikes were observed:\n\n".to_owned();
    for (number, (event, series)) in events.iter().enumerate() {
        let analysis = series.analysis(now_s);
        let _ = writeln!(
            report,
            "{}. {}: {} latency spikes (average {}ms, mean deviation {}ms, period {:.2} sec). \
             Worst all time event {}ms.",
            number + 1,
            event.name(),
            analysis.count,
            analysis.average_ms,
            analysis.deviation_ms,
            analysis.period_s,
            series.ms_max,
        );
    }
    report.push_str("\nWhat may help:\n\n");
    for (event, _) in events {
        for advice in advice(*event, settings) {
            let _ = writeln!(report, "- {advice}");
        }
    }
    report
}

const NOT_WATCHED: &str = "Latency spikes are not watched. CONFIG SET latency-monitor-threshold \
    <milliseconds> has everything kept that takes longer than that.\n";

const NOTHING_HAPPENED: &str = "No latency spike was observed.\n";

fn advice(event: Event, settings: &Settings) -> Vec<String> {
    match event {
        Event::AofSync | Event::AofWrite => vec![
            "The disk of the append-only file is slow or busy: look who else uses it. Only replies that wait for it \
             take longer, and with 'appendfsync everysec' none do."
                .to_owned(),
        ],
        Event::Command => command_advice(settings),
        Event::EvictionCycle => vec![
            "Memory was short and much of it had to be freed at once. That follows when maxmemory \
             is lowered, or when commands make large values; lower it in steps, or raise it."
                .to_owned(),
        ],
        Event::ExpireCycle => vec![
            "Many keys of one shard, or large ones, expired at the same time. Spread their \
             deadlines."
                .to_owned(),
        ],
        Event::FastCommand => vec![
            "Commands that take constant time were slow, so the process did not get its share of \
             the processor. Look for other load on this machine, for a virtual machine that has to \
             share its processors, and for swapping."
                .to_owned(),
        ],
    }
}

fn command_advice(settings: &Settings) -> Vec<String> {
    let slow_ns_min = settings.call_logs.slow.value_min;
    let threshold_us = settings.spike_ns_min / 1000;
    let log = if slow_ns_min == u64::MAX {
        Some("The slow log is off, so nothing tells which calls these were.")
    } else if settings.spike_ns_min < slow_ns_min {
        Some("The slow log takes slower calls only.")
    } else {
        None
    };
    let mut advice: Vec<String> = log
        .map(|log| format!("{log} Set it with CONFIG SET slowlog-log-slower-than {threshold_us}."))
        .into_iter()
        .collect();
    advice.push(
        "SLOWLOG GET shows which calls took long. A slow call holds up its own connection and those \
         that want the same keys; scripts on undeclared keys hold up everybody."
            .to_owned(),
    );
    advice
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latency::Sample;

    fn settings(spike_ns_min: u64) -> Settings {
        Settings { spike_ns_min, ..Settings::default() }
    }

    #[test]
    fn without_spikes_there_is_nothing_to_say() {
        assert_eq!(report(&[], &settings(u64::MAX), 0), NOT_WATCHED);
        assert_eq!(report(&[], &settings(5), 0), NOTHING_HAPPENED);
    }

    #[test]
    fn each_event_has_its_line_and_its_advice() {
        let samples = vec![Sample { at_s: 90, ms: 30 }];
        let series = Series { samples, ms_max: 40, ms_sum: 70, count: 2 };
        let events = [(Event::Command, series.clone()), (Event::FastCommand, series)];
        let text = report(&events, &settings(1_000_000), 100);
        assert!(text.contains(
            "\n2. fast-command: 1 latency spikes (average 30ms, mean deviation 0ms, period 10.00 \
             sec). Worst all time event 40ms.\n"
        ));
        assert!(text.contains("CONFIG SET slowlog-log-slower-than 1000."));
        assert!(text.contains("swapping"));
        assert!(!report(&events, &settings(20_000_000), 100).contains("slower-than"));
    }
}
