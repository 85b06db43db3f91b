//! The settings in the types that the server works with, derived from the table.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use crate::persistence::append_only::SyncPolicy;
use engine::call_log::{CallLogLimits, LogLimits};
use engine::events::Classes;
use engine::settings::{Access, MemoryPolicy};
use store::rdb::Version;
use store::types::limits::{
    HashLimits, HyperLogLogLimits, Limits, ListLimits, SetLimits, SortedSetLimits, StreamLimits,
};

use super::special::{OutputLimit, SavePoint};
use super::table::{self, ROWS};
use super::value::Value;
use super::{Caller, Config, Dialect};
use crate::log::{Format, Level, TimeFormat};

/// One address to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bind {
    /// `*` stands for every IPv4 address, `::*` for every IPv6 address.
    pub address: String,
    /// Written with a leading dash: it is no error if the machine doesn't have it.
    pub is_optional: bool,
}

/// Whether this caller may use what the setting guards.
pub fn allows(access: Access, caller: Caller) -> bool {
    match access {
        Access::Everyone => true,
        Access::Local => caller == Caller::Local,
        Access::Nobody => false,
    }
}

/// How the process's score for the out-of-memory killer is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OomScoreAdj {
    Absolute,
    No,
    Relative,
}

/// What a signal adds to a shutdown; all false is the default way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShutdownWords {
    pub save: bool,
    pub nosave: bool,
    pub now: bool,
    pub force: bool,
    pub safe: bool,
    pub failover: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Supervised {
    Auto,
    No,
    Systemd,
    Upstart,
}

/// How the system's log names the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyslogName {
    /// As it stands in a message's priority.
    pub facility: u8,
    pub ident: String,
}

/// `maxmemory-clients`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientsMemory {
    Bytes(u64),
    /// Of `maxmemory`.
    Percent(u8),
}

/// Every setting that has an effect. Sizes are bytes, as the names say.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    pub dialect: Dialect,

    pub bind: Vec<Bind>,
    pub port: u16,
    /// Whether other machines are refused while there is no password.
    pub protected_mode: bool,
    pub tcp_backlog: u32,
    pub tcp_keepalive_s: u32,
    pub timeout_s: u32,
    pub unixsocket: Option<PathBuf>,
    pub unixsocketgroup: Option<String>,
    /// 0 leaves the mode to the umask.
    pub unixsocketperm: u32,

    pub client_query_buffer_limit: u64,
    pub maxclients: u32,
    pub maxmemory_clients: ClientsMemory,
    pub output_limit_normal: OutputLimit,
    pub output_limit_pubsub: OutputLimit,
    pub output_limit_replica: OutputLimit,
    pub proto_max_bulk_len: u64,
    pub tracking_table_max_keys: u64,

    pub crash_log_enabled: bool,
    pub daemonize: bool,
    pub dir: PathBuf,
    pub disable_thp: bool,
    pub hz: u32,
    /// The loops to run: what was named, or one per core.
    pub io_threads: u32,
    pub jemalloc_bg_thread: bool,
    pub oom_score_adj: OomScoreAdj,
    /// As primary, as replica, of helper processes.
    pub oom_score_adj_values: [i32; 3],
    pub pidfile: Option<PathBuf>,
    pub proc_title_template: String,
    pub set_proc_title: bool,
    pub shutdown_on_sigint: ShutdownWords,
    pub shutdown_on_sigterm: ShutdownWords,
    pub supervised: Supervised,

    /// Whether new users may use all channels.
    pub acl_pubsub_default: bool,
    /// `None`: users are among the settings.
    pub aclfile: Option<PathBuf>,
    pub acllog_max_len: u64,
    pub enable_debug_command: Access,
    pub enable_module_command: Access,
    pub enable_protected_configs: Access,
    /// Empty: none.
    pub requirepass: Vec<u8>,

    pub databases: u32,
    pub lfu_decay_time_minutes: u32,
    pub lfu_log_factor: u32,
    pub lazyfree_lazy_user_flush: bool,
    /// 0 is no limit; `auto` is resolved.
    pub maxmemory: u64,
    pub maxmemory_policy: MemoryPolicy,
    pub maxmemory_samples: u32,

    /// Whether bases of the append-only file are synced while they are written.
    pub aof_rewrite_incremental_fsync: bool,
    pub aof_timestamp_enabled: bool,
    /// Whether bases of the append-only file are snapshots, and no commands.
    pub aof_use_rdb_preamble: bool,
    /// The folder of the append-only file, in the server's folder.
    pub appenddirname: PathBuf,
    /// What the names of its files begin with.
    pub appendfilename: String,
    pub appendfsync: SyncPolicy,
    pub appendonly: bool,
    pub auto_aof_rewrite_min_bytes: u64,
    /// 0: it is not rewritten by itself.
    pub auto_aof_rewrite_percentage: u64,
    /// The snapshot, in the server's folder.
    pub dbfilename: PathBuf,
    pub rdbchecksum: bool,
    /// What must be able to read snapshots; `None`: the oldest that can hold the data.
    pub rdb_version: Option<Version>,
    pub aof_load_truncated: bool,
    pub no_appendfsync_on_rewrite: bool,
    /// Whether snapshots are synced while they are written.
    pub rdb_save_incremental_fsync: bool,
    pub rdbcompression: bool,
    pub save: Vec<SavePoint>,
    pub stop_writes_on_bgsave_error: bool,

    /// How large values may be in their small forms.
    pub limits: Limits,

    pub busy_reply_threshold_ms: u64,

    pub always_show_logo: bool,
    pub latency_monitor_threshold_ms: u64,
    pub latency_tracking: bool,
    pub latency_tracking_percentiles: Vec<f64>,
    pub log_format: Format,
    pub log_time_format: TimeFormat,
    /// `None` is standard output.
    pub logfile: Option<PathBuf>,
    pub loglevel: Level,
    /// The letters in canonical form; see [`event_bits`](super::special::event_bits).
    pub notify_keyspace_events: String,
    pub commandlog_large_reply_max_len: u64,
    pub commandlog_large_request_max_len: u64,
    pub commandlog_reply_larger_than_bytes: i64,
    pub commandlog_request_larger_than_bytes: i64,
    pub slowlog_log_slower_than_us: i64,
    pub slowlog_max_len: u64,
    /// `None`: the system's log is left alone.
    pub syslog: Option<SyslogName>,
}

impl Settings {
    /// The part that engine and store read.
    pub fn for_engine(&self) -> engine::settings::Settings {
        engine::settings::Settings {
            acl_log_len_max: usize::try_from(self.acllog_max_len).unwrap_or(usize::MAX),
            bulk_len_max: self.proto_max_bulk_len,
            busy_reply_threshold_ms: self.busy_reply_threshold_ms,
            call_logs: self.call_logs(),
            channels_by_default: self.acl_pubsub_default,
            compresses_dumps: self.rdbcompression,
            databases: usize::try_from(self.databases).unwrap_or(usize::MAX),
            debug_access: self.enable_debug_command,
            dialect: self.dialect,
            is_latency_tracked: self.latency_tracking,
            lfu_decay_minutes: self.lfu_decay_time_minutes,
            lfu_log_factor: self.lfu_log_factor,
            memory_bytes_max: usize::try_from(self.maxmemory).unwrap_or(usize::MAX),
            memory_policy: self.maxmemory_policy,
            memory_samples: self.maxmemory_samples as usize,
            module_access: self.enable_module_command,
            spike_ns_min: match self.latency_monitor_threshold_ms {
                0 => u64::MAX,
                ms => ms.saturating_mul(1_000_000),
            },
            snapshot_failure_stops_writes: self.stop_writes_on_bgsave_error
                && !self.save.is_empty(),
            tracked_keys_max: usize::try_from(self.tracking_table_max_keys).unwrap_or(usize::MAX),
            types: self.limits,
            monitor_bytes_max: usize::try_from(self.output_limit_normal.hard_bytes)
                .unwrap_or(usize::MAX),
            notified: Classes::from_letters(self.notify_keyspace_events.as_bytes()),
            password: self.requirepass.clone(),
            push_bytes_max: usize::try_from(self.output_limit_pubsub.hard_bytes)
                .unwrap_or(usize::MAX),
        }
    }

    fn call_logs(&self) -> CallLogLimits {
        CallLogLimits {
            large_reply: LogLimits::new(
                self.commandlog_reply_larger_than_bytes,
                self.commandlog_large_reply_max_len,
                1,
            ),
            large_request: LogLimits::new(
                self.commandlog_request_larger_than_bytes,
                self.commandlog_large_request_max_len,
                1,
            ),
            slow: LogLimits::new(self.slowlog_log_slower_than_us, self.slowlog_max_len, 1000),
        }
    }

    /// # Panics When the table lacks a name used here or has it with another kind; every test that
    /// makes settings would fail.
    // Length: a line for each setting.
    pub(super) fn new(config: &Config) -> Self {
        let read = Reader { config };
        let [output_limit_normal, output_limit_replica, output_limit_pubsub] =
            read.output_limits("client-output-buffer-limit");
        Self {
            dialect: config.dialect,
            bind: read.addresses("bind"),
            port: read.number("port"),
            protected_mode: read.flag("protected-mode"),
            tcp_backlog: read.number("tcp-backlog"),
            tcp_keepalive_s: read.number("tcp-keepalive"),
            timeout_s: read.number("timeout"),
            unixsocket: read.path("unixsocket"),
            unixsocketgroup: read.string("unixsocketgroup"),
            unixsocketperm: read.number("unixsocketperm"),
            client_query_buffer_limit: read.number("client-query-buffer-limit"),
            maxclients: read.number("maxclients"),
            maxmemory_clients: read.clients_memory("maxmemory-clients"),
            output_limit_normal,
            output_limit_pubsub,
            output_limit_replica,
            proto_max_bulk_len: read.number("proto-max-bulk-len"),
            tracking_table_max_keys: read.number("tracking-table-max-keys"),
            crash_log_enabled: read.flag("crash-log-enabled"),
            daemonize: read.flag("daemonize"),
            dir: read.path("dir").unwrap_or_default(),
            disable_thp: read.flag("disable-thp"),
            hz: read.number("hz"),
            io_threads: read.number("io-threads"),
            jemalloc_bg_thread: read.flag("jemalloc-bg-thread"),
            oom_score_adj: read.oom_score_adj("oom-score-adj"),
            oom_score_adj_values: read.oom_scores("oom-score-adj-values"),
            pidfile: read.path("pidfile"),
            proc_title_template: read.string("proc-title-template").unwrap_or_default(),
            set_proc_title: read.flag("set-proc-title"),
            shutdown_on_sigint: read.shutdown_words("shutdown-on-sigint"),
            shutdown_on_sigterm: read.shutdown_words("shutdown-on-sigterm"),
            supervised: read.supervised("supervised"),
            acl_pubsub_default: read.word("acl-pubsub-default") == "allchannels",
            aclfile: read.path("aclfile"),
            acllog_max_len: read.number("acllog-max-len"),
            enable_debug_command: read.access("enable-debug-command"),
            enable_module_command: read.access("enable-module-command"),
            enable_protected_configs: read.access("enable-protected-configs"),
            requirepass: read.text("requirepass").to_vec(),
            databases: read.number("databases"),
            lfu_decay_time_minutes: read.number("lfu-decay-time"),
            lfu_log_factor: read.number("lfu-log-factor"),
            lazyfree_lazy_user_flush: read.flag("lazyfree-lazy-user-flush"),
            maxmemory: read.maxmemory("maxmemory"),
            maxmemory_policy: read.policy("maxmemory-policy"),
            maxmemory_samples: read.number("maxmemory-samples"),
            aof_rewrite_incremental_fsync: read.flag("aof-rewrite-incremental-fsync"),
            aof_timestamp_enabled: read.flag("aof-timestamp-enabled"),
            aof_use_rdb_preamble: read.flag("aof-use-rdb-preamble"),
            appenddirname: read.path("appenddirname").unwrap_or_default(),
            appendfilename: read.string("appendfilename").unwrap_or_default(),
            appendfsync: read.sync_policy("appendfsync"),
            appendonly: read.flag("appendonly"),
            auto_aof_rewrite_min_bytes: read.number("auto-aof-rewrite-min-size"),
            auto_aof_rewrite_percentage: read.number("auto-aof-rewrite-percentage"),
            dbfilename: OsString::from_vec(read.text("dbfilename").to_vec()).into(),
            rdb_version: read.word("rdb-version").parse().ok().and_then(Version::known),
            rdbchecksum: read.flag("rdbchecksum"),
            aof_load_truncated: read.flag("aof-load-truncated"),
            no_appendfsync_on_rewrite: read.flag("no-appendfsync-on-rewrite"),
            rdb_save_incremental_fsync: read.flag("rdb-save-incremental-fsync"),
            rdbcompression: read.flag("rdbcompression"),
            save: read.save_points("save"),
            stop_writes_on_bgsave_error: read.flag("stop-writes-on-bgsave-error"),
            limits: limits(&read),
            busy_reply_threshold_ms: read.number("busy-reply-threshold"),
            always_show_logo: read.flag("always-show-logo"),
            latency_monitor_threshold_ms: read.number("latency-monitor-threshold"),
            latency_tracking: read.flag("latency-tracking"),
            latency_tracking_percentiles: read.percentiles("latency-tracking-info-percentiles"),
            log_format: read.log_format("log-format"),
            log_time_format: read.log_time_format("log-timestamp-format"),
            logfile: read.path("logfile"),
            loglevel: read.log_level("loglevel"),
            notify_keyspace_events: read.word("notify-keyspace-events"),
            commandlog_large_reply_max_len: read.number("commandlog-large-reply-max-len"),
            commandlog_large_request_max_len: read.number("commandlog-large-request-max-len"),
            commandlog_reply_larger_than_bytes: read.number("commandlog-reply-larger-than"),
            commandlog_request_larger_than_bytes: read.number("commandlog-request-larger-than"),
            slowlog_log_slower_than_us: read.number("slowlog-log-slower-than"),
            slowlog_max_len: read.number("slowlog-max-len"),
            syslog: read.syslog(),
        }
    }
}

fn limits(read: &Reader<'_>) -> Limits {
    Limits {
        hash: HashLimits {
            packed_entries_max: read.number("hash-max-listpack-entries"),
            packed_value_max: read.number("hash-max-listpack-value"),
        },
        hyperloglog: HyperLogLogLimits { sparse_bytes_max: read.number("hll-sparse-max-bytes") },
        list: ListLimits { chunk_max: read.number("list-max-listpack-size") },
        set: SetLimits {
            integers_max: read.number("set-max-intset-entries"),
            packed_entries_max: read.number("set-max-listpack-entries"),
            packed_value_max: read.number("set-max-listpack-value"),
        },
        stream: StreamLimits {
            node_bytes_max: read.number("stream-node-max-bytes"),
            node_entries_max: read.number("stream-node-max-entries"),
        },
        zset: SortedSetLimits {
            packed_entries_max: read.number("zset-max-listpack-entries"),
            packed_value_max: read.number("zset-max-listpack-value"),
        },
    }
}

/// Reads values by name and type.
struct Reader<'a> {
    config: &'a Config,
}

impl<'a> Reader<'a> {
    fn value(&self, name: &str) -> &'a Value {
        &self.config.values[table::index_of(name)]
    }

    /// The value as it is shown: the word of a choice.
    fn word(&self, name: &str) -> String {
        let index = table::index_of(name);
        String::from_utf8_lossy(&ROWS[index].kind.print(&self.config.values[index])).into_owned()
    }

    fn flag(&self, name: &str) -> bool {
        match self.value(name) {
            Value::Flag(flag) => *flag,
            other => panic!("{name} holds {other:?}"),
        }
    }

    /// The row's bounds fit the type, which the test of the table's extremes holds.
    fn number<T: TryFrom<i128>>(&self, name: &str) -> T {
        match self.value(name) {
            Value::Integer(number) => match T::try_from(*number) {
                Ok(number) => number,
                Err(_) => panic!("{name} holds {number}, beyond its type"),
            },
            other => panic!("{name} holds {other:?}"),
        }
    }

    fn text(&self, name: &str) -> &'a [u8] {
        match self.value(name) {
            Value::Text(text) => text,
            other => panic!("{name} holds {other:?}"),
        }
    }

    fn string(&self, name: &str) -> Option<String> {
        let text = self.text(name);
        (!text.is_empty()).then(|| String::from_utf8_lossy(text).into_owned())
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        let text = self.text(name);
        (!text.is_empty()).then(|| PathBuf::from(OsString::from_vec(text.to_vec())))
    }

    fn syslog(&self) -> Option<SyslogName> {
        const FACILITY_USER: u8 = 1;
        const FACILITY_LOCAL0: u8 = 16;
        let word = self.word("syslog-facility");
        let number = word.strip_prefix("local").and_then(|number| number.parse::<u8>().ok());
        let facility = number.map_or(FACILITY_USER, |number| FACILITY_LOCAL0 + number);
        let ident = self.string("syslog-ident").unwrap_or_default();
        self.flag("syslog-enabled").then_some(SyslogName { facility, ident })
    }

    fn addresses(&self, name: &str) -> Vec<Bind> {
        let Value::Words(words) = self.value(name) else { return Vec::new() };
        let address = |word: &Vec<u8>| {
            let text = String::from_utf8_lossy(word).into_owned();
            match text.strip_prefix('-') {
                Some(rest) => Bind { address: rest.to_owned(), is_optional: true },
                None => Bind { address: text, is_optional: false },
            }
        };
        words.iter().map(address).collect()
    }

    fn output_limits(&self, name: &str) -> [OutputLimit; 3] {
        match self.value(name) {
            Value::OutputLimits(limits) => *limits,
            other => panic!("{name} holds {other:?}"),
        }
    }

    fn clients_memory(&self, name: &str) -> ClientsMemory {
        match self.value(name) {
            Value::Percent(percent) => ClientsMemory::Percent(*percent),
            _ => ClientsMemory::Bytes(self.number(name)),
        }
    }

    fn maxmemory(&self, name: &str) -> u64 {
        match self.value(name) {
            Value::Auto => self.config.machine.memory_auto_bytes(),
            _ => self.number(name),
        }
    }

    fn oom_scores(&self, name: &str) -> [i32; 3] {
        match self.value(name) {
            Value::OomScores(scores) => *scores,
            other => panic!("{name} holds {other:?}"),
        }
    }

    fn sync_policy(&self, name: &str) -> SyncPolicy {
        match self.word(name).as_str() {
            "always" => SyncPolicy::Always,
            "no" => SyncPolicy::No,
            _ => SyncPolicy::EverySecond,
        }
    }

    fn save_points(&self, name: &str) -> Vec<SavePoint> {
        match self.value(name) {
            Value::Save(points) => points.clone(),
            other => panic!("{name} holds {other:?}"),
        }
    }

    fn percentiles(&self, name: &str) -> Vec<f64> {
        match self.value(name) {
            Value::Percentiles(list) => list.clone(),
            other => panic!("{name} holds {other:?}"),
        }
    }

    fn shutdown_words(&self, name: &str) -> ShutdownWords {
        let text = self.word(name);
        let has = |wanted: &str| text.split(' ').any(|word| word == wanted);
        ShutdownWords {
            save: has("save"),
            nosave: has("nosave"),
            now: has("now"),
            force: has("force"),
            safe: has("safe"),
            failover: has("failover"),
        }
    }

    fn access(&self, name: &str) -> Access {
        match self.word(name).as_str() {
            "yes" => Access::Everyone,
            "local" => Access::Local,
            _ => Access::Nobody,
        }
    }

    fn oom_score_adj(&self, name: &str) -> OomScoreAdj {
        match self.word(name).as_str() {
            "absolute" => OomScoreAdj::Absolute,
            "no" => OomScoreAdj::No,
            _ => OomScoreAdj::Relative,
        }
    }

    fn supervised(&self, name: &str) -> Supervised {
        match self.word(name).as_str() {
            "auto" => Supervised::Auto,
            "systemd" => Supervised::Systemd,
            "upstart" => Supervised::Upstart,
            _ => Supervised::No,
        }
    }

    fn policy(&self, name: &str) -> MemoryPolicy {
        match self.word(name).as_str() {
            "allkeys-lfu" => MemoryPolicy::AllKeysLfu,
            "allkeys-lrm" => MemoryPolicy::AllKeysLrm,
            "allkeys-lru" => MemoryPolicy::AllKeysLru,
            "allkeys-random" => MemoryPolicy::AllKeysRandom,
            "volatile-lfu" => MemoryPolicy::VolatileLfu,
            "volatile-lrm" => MemoryPolicy::VolatileLrm,
            "volatile-lru" => MemoryPolicy::VolatileLru,
            "volatile-random" => MemoryPolicy::VolatileRandom,
            "volatile-ttl" => MemoryPolicy::VolatileTtl,
            _ => MemoryPolicy::NoEviction,
        }
    }

    fn log_level(&self, name: &str) -> Level {
        match self.word(name).as_str() {
            "debug" => Level::Debug,
            "verbose" => Level::Verbose,
            "warning" => Level::Warning,
            "nothing" => Level::Nothing,
            _ => Level::Notice,
        }
    }

    fn log_format(&self, name: &str) -> Format {
        match self.word(name).as_str() {
            "json" => Format::Json,
            "logfmt" => Format::Logfmt,
            _ => Format::Legacy,
        }
    }

    fn log_time_format(&self, name: &str) -> TimeFormat {
        match self.word(name).as_str() {
            "iso8601" => TimeFormat::Iso8601,
            "milliseconds" => TimeFormat::Milliseconds,
            _ => TimeFormat::Legacy,
        }
    }
}
