//! Settings: the process, its threads, files and signals.

use super::super::special::check;
use super::{Choices, INT_MAX, Kind, Listed, Row, checked, choice, flag, integer, row, text};

const STOP_WORDS: Kind = Kind::Choices(Choices {
    valkey: &["safe", "failover"],
    ..Choices::of(&["default", "save", "nosave", "now", "force"])
});

pub(super) const ROWS: &[Row] = &[
    text("aof-rewrite-cpulist", "")
        .doc("Cores for rewriting the journal's base.")
        .also(&["aof_rewrite_cpulist"])
        .immutable()
        .kept(),
    text("bgsave-cpulist", "")
        .doc("Cores for background snapshots.")
        .also(&["bgsave_cpulist"])
        .immutable()
        .kept(),
    text("bio-cpulist", "")
        .doc("Cores for background threads.")
        .also(&["bio_cpulist"])
        .immutable()
        .kept(),
    flag("crash-log-enabled", "yes").doc("Write a report when the server crashes."),
    flag("crash-memcheck-enabled", "yes").doc("Test the memory after a crash.").kept(),
    flag("daemonize", "no").doc("Run in the background, detached from the terminal.").immutable(),
    row("dir", Kind::Folder, ".").doc("Folder that the server works in.").protected(),
    flag("disable-thp", "yes").doc("Turn transparent huge pages off for this process.").immutable(),
    flag("dynamic-hz", "yes")
        .doc("Run periodic jobs more often with more clients.")
        .only(Listed::Redis)
        .kept(),
    integer("hz", 0, INT_MAX, "10")
        .doc("How often a second periodic jobs run, from 1 to 500.")
        .clamped(1, 500),
    text("ignore-warnings", "").doc("Warnings about the machine that don't stop the start.").kept(),
    integer("io-threads", 1, 256, "1")
        .doc("Event loops; when not set, one for each core that the process may use.")
        .immutable(),
    flag("io-threads-always-active", "no").doc("Keep all threads busy.").hidden().kept(),
    flag("jemalloc-bg-thread", "yes").doc("Return unused memory from a background thread."),
    choice("oom-score-adj", &["no", "yes", "relative", "absolute"], "no")
        .doc("Whether to set the process's score for the kernel's out-of-memory killer."),
    row("oom-score-adj-values", Kind::OomScores, "0 200 800")
        .doc("Scores as primary, as replica, and of helper processes."),
    text("pidfile", "")
        .doc("File that holds the process number while the server runs.")
        .immutable(),
    checked("proc-title-template", check::title_template, "{title} {listen-addr} {server-mode}")
        .doc("Form of the process title."),
    text("server-cpulist", "")
        .doc("Cores for the event loops.")
        .also(&["server_cpulist"])
        .immutable()
        .kept(),
    flag("set-proc-title", "yes").doc("Put address and mode into the process title.").immutable(),
    row("shutdown-on-sigint", STOP_WORDS, "default").doc("How SIGINT shuts the server down."),
    row("shutdown-on-sigterm", STOP_WORDS, "default").doc("How SIGTERM shuts the server down."),
    integer("shutdown-timeout", 0, INT_MAX, "10")
        .doc("Seconds that a shutdown waits for replicas.")
        .kept(),
    choice("supervised", &["upstart", "systemd", "auto", "no"], "no")
        .doc("Supervisor to tell that the server is ready.")
        .immutable(),
    flag("use-exit-on-panic", "no").doc("Exit instead of aborting on a panic.").hidden().kept(),
    integer("watchdog-period", 0, INT_MAX, "0")
        .doc("Milliseconds after which a blocked server reports where; at least 200.")
        .hidden()
        .kept(),
];
