//! Settings: snapshots and the journal on disk.

use super::super::special::check;
use super::{
    INT_MAX, INT_MIN, Kind, LONG_MAX, Listed, Row, checked, choice, flag, integer, memory, row,
};

pub(super) const ROWS: &[Row] = &[
    flag("aof-disable-auto-gc", "no")
        .doc("Keep journal files that are no longer needed.")
        .hidden()
        .kept(),
    flag("aof-load-truncated", "yes").doc("Load a journal whose end is missing."),
    flag("aof-rewrite-incremental-fsync", "yes")
        .doc("Sync in small steps while rewriting the journal."),
    flag("aof-timestamp-enabled", "no").doc("Write times into the journal."),
    flag("aof-use-rdb-preamble", "yes").doc("Begin the journal with a snapshot."),
    checked("appenddirname", check::appenddirname, "appendonlydir")
        .doc("Folder of the journal's files.")
        .immutable(),
    checked("appendfilename", check::appendfilename, "appendonly.aof")
        .doc("First part of the names of the journal's files.")
        .immutable(),
    choice("appendfsync", &["everysec", "always", "no"], "everysec")
        .doc("When the journal is forced to disk."),
    flag("appendonly", "no").doc("Keep a journal of every change."),
    memory("auto-aof-rewrite-min-size", 0, LONG_MAX, "64mb")
        .doc("Size below which the journal isn't rewritten by itself."),
    integer("auto-aof-rewrite-percentage", 0, INT_MAX, "100")
        .doc("Growth after which the journal is rewritten by itself."),
    checked("dbfilename", check::dbfilename, "dump.rdb")
        .doc("Name of the snapshot's file.")
        .protected(),
    integer("key-load-delay", INT_MIN, INT_MAX, "0")
        .doc("Microseconds to wait after each key while loading, for tests.")
        .hidden()
        .kept(),
    integer("loading-process-events-interval-bytes", 1024, INT_MAX, "524288")
        .doc("Bytes loaded between looks at clients.")
        .valkey_default("2097152")
        .hidden()
        .kept(),
    flag("no-appendfsync-on-rewrite", "no")
        .doc("Don't sync the journal while a snapshot is being written."),
    flag("rdb-del-sync-files", "no")
        .doc("Delete snapshot files that only replication needed.")
        .kept(),
    integer("rdb-key-save-delay", INT_MIN, INT_MAX, "0")
        .doc("Microseconds to wait after each key while saving, for tests.")
        .hidden()
        .kept(),
    flag("rdb-save-incremental-fsync", "yes").doc("Sync in small steps while writing a snapshot."),
    choice("rdb-version-check", &["strict", "relaxed"], "strict")
        .doc("Whether snapshots of an unknown version are refused.")
        .only(Listed::Valkey)
        .kept(),
    flag("rdbchecksum", "yes").doc("End snapshots with a checksum.").immutable(),
    flag("rdbcompression", "yes").doc("Compress strings in snapshots and dumps."),
    choice("sanitize-dump-payload", &["no", "yes", "clients"], "no")
        .doc("Whether dumped values are checked in depth.")
        .only(Listed::Redis)
        .kept(),
    row("save", Kind::Save, "3600 1 300 100 60 10000")
        .doc("Seconds and changes after which a snapshot is written."),
    flag("stop-writes-on-bgsave-error", "yes").doc("Refuse writes after a snapshot has failed."),
];
