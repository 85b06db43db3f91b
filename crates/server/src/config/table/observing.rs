//! Settings: log, slow log, latency, notifications.

use super::{Kind, LONG_MAX, Listed, Row, choice, flag, integer, row, text};

const FACILITIES: &[&str] =
    &["user", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"];

pub(super) const ROWS: &[Row] = &[
    flag("always-show-logo", "no")
        .doc("Show the banner even when the log doesn't go to a terminal.")
        .immutable(),
    integer("commandlog-large-reply-max-len", 0, LONG_MAX, "128")
        .doc("Entries of the log of large replies.")
        .only(Listed::Valkey),
    integer("commandlog-large-request-max-len", 0, LONG_MAX, "128")
        .doc("Entries of the log of large requests.")
        .only(Listed::Valkey),
    integer("commandlog-reply-larger-than", -1, LONG_MAX, "1048576")
        .doc("Bytes from which on a reply is logged.")
        .only(Listed::Valkey),
    integer("commandlog-request-larger-than", -1, LONG_MAX, "1048576")
        .doc("Bytes from which on a request is logged.")
        .only(Listed::Valkey),
    text("debug-context", "").doc("A word that tests put into the log.").hidden().kept(),
    flag("enable-debug-assert", "no")
        .doc("Check more while running, for tests.")
        .hidden()
        .immutable()
        .kept(),
    flag("hide-user-data-from-log", "no")
        .doc("Leave keys and values out of the log; here they never are in it.")
        .valkey_default("yes")
        .kept(),
    integer("latency-monitor-threshold", 0, LONG_MAX, "0")
        .doc("Milliseconds from which on an event is kept for LATENCY; 0 keeps none."),
    flag("latency-tracking", "yes").doc("Keep a histogram of each command's duration."),
    row("latency-tracking-info-percentiles", Kind::Percentiles, "50 99 99.9")
        .doc("Percentiles that INFO shows of them."),
    choice("log-format", &["legacy", "logfmt", "json"], "legacy")
        .doc("Form of a log line.")
        .only(Listed::Valkey),
    choice("log-timestamp-format", &["legacy", "iso8601", "milliseconds"], "legacy")
        .doc("Form of the time in a log line.")
        .only(Listed::Valkey),
    text("logfile", "")
        .doc("File that the log is appended to; empty is standard output.")
        .immutable(),
    choice("loglevel", &["debug", "verbose", "notice", "warning", "nothing"], "notice")
        .doc("The least important lines that are logged."),
    row("notify-keyspace-events", Kind::EventClasses, "")
        .doc("Classes of changes that are published as messages."),
    text("req-res-logfile", "")
        .doc("File for requests and replies, for tests.")
        .hidden()
        .immutable()
        .kept(),
    integer("slowlog-log-slower-than", -1, LONG_MAX, "10000")
        .doc("Microseconds from which on a command counts as slow; -1 never.")
        .valkey_name("commandlog-execution-slower-than"),
    integer("slowlog-max-len", 0, LONG_MAX, "128")
        .doc("Entries of the slow log.")
        .valkey_name("commandlog-slow-execution-max-len"),
    flag("syslog-enabled", "no").doc("Send the log to the system's log as well.").immutable(),
    choice("syslog-facility", FACILITIES, "local0")
        .doc("Facility of the system's log.")
        .immutable(),
    text("syslog-ident", "redis")
        .doc("Name in the system's log.")
        .valkey_default("valkey")
        .immutable(),
];
