//! The sections of INFO. Monitoring tools read them, so every field that they know is there; those
//! that name what Ochre does not have (forks, defragmentation) are zero, and true.

use super::memory;
use crate::host::ServerHost;
use crate::sys::{self, TimeOf};
use engine::acl::Refused;
use engine::dialect::Dialect;
use engine::keyspace::LockedShard;
use engine::pause::Paused;
use engine::pubsub::Topic;
use engine::statistics::{Counter, Latency, ThreadStatistics};
use engine::{Ctx, Engine};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use store::{Kind, SizeSums};

/// When a section is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    ByDefault,
    OnDemand,
}

/// Keys of each shard that the average time to live is taken from.
const TTL_SAMPLES: usize = 8;

/// One section.
pub(super) struct Section {
    /// As it is asked for.
    pub name: &'static str,
    /// As it is headed.
    pub title: &'static str,
    pub shown: Shown,
    /// Whether it says something of the keys.
    pub wants_shards: bool,
    /// The dialect that alone has it.
    pub only: Option<Dialect>,
    pub write: fn(&mut String, &Facts<'_>),
}

const fn section(
    name: &'static str,
    title: &'static str,
    shown: Shown,
    write: fn(&mut String, &Facts<'_>),
) -> Section {
    Section { name, title, shown, wants_shards: false, only: None, write }
}

const fn section_of_keys(
    name: &'static str,
    title: &'static str,
    write: fn(&mut String, &Facts<'_>),
) -> Section {
    Section { name, title, shown: Shown::ByDefault, wants_shards: true, only: None, write }
}

const fn section_of_valkey(
    name: &'static str,
    title: &'static str,
    write: fn(&mut String, &Facts<'_>),
) -> Section {
    Section { only: Some(Dialect::Valkey), ..section(name, title, Shown::OnDemand, write) }
}

/// All sections, in the order in which they are shown.
pub(super) const SECTIONS: &[Section] = &[
    section("server", "Server", Shown::ByDefault, server),
    section_of_valkey("tls", "TLS", tls),
    section_of_keys("clients", "Clients", clients),
    section_of_keys("memory", "Memory", memory::section),
    section("persistence", "Persistence", Shown::ByDefault, persistence),
    section("threads", "Threads", Shown::ByDefault, threads),
    section("stats", "Stats", Shown::ByDefault, stats),
    section("replication", "Replication", Shown::ByDefault, replication),
    section("cpu", "CPU", Shown::ByDefault, cpu),
    section("modules", "Modules", Shown::ByDefault, |_, _| {}),
    section("commandstats", "Commandstats", Shown::OnDemand, commandstats),
    section("errorstats", "Errorstats", Shown::ByDefault, errorstats),
    section("latencystats", "Latencystats", Shown::OnDemand, latencystats),
    section("cluster", "Cluster", Shown::ByDefault, cluster),
    section_of_valkey("scriptingengines", "Scripting Engines", scripting_engines),
    section_of_keys("keyspace", "Keyspace", keyspace),
    section_of_keys("keysizes", "Keysizes", keysizes),
];

/// What the sections are written from.
pub(in super::super) struct Facts<'a> {
    pub(in super::super) engine: &'a Engine,
    pub(in super::super) host: &'a ServerHost,
    pub(in super::super) settings: crate::config::Settings,
    pub(in super::super) databases: Vec<DatabaseFacts>,
    /// How large the values are, by database that has any.
    pub(super) sizes: BTreeMap<usize, SizeSums>,
    pub(super) watched_keys: usize,
    /// Keys that blocked clients wait for, and those whose removal they mind.
    pub(super) blocking_keys: (usize, usize),
    pub(in super::super) table_bytes: usize,
    pub(super) machine_bytes: usize,
    pub(super) config_file: String,
    pub(super) wall_us: u64,
}

/// Of one numbered database.
#[derive(Clone, Copy, Default)]
pub(in super::super) struct DatabaseFacts {
    pub(in super::super) keys: usize,
    volatile: usize,
    timed_hashes: usize,
    /// Milliseconds that some volatile keys have left, all together, and how many these are.
    sampled_ttl_ms: u64,
    sampled: u64,
    /// Bytes of its tables, and of what says when keys expire.
    pub(in super::super) table_bytes: usize,
    pub(in super::super) deadline_bytes: usize,
}

impl DatabaseFacts {
    /// Adds the part of a database that one shard holds.
    fn add(&mut self, part: &store::Database, now_ms: u64) {
        self.keys += part.len();
        self.volatile += part.volatile_len();
        self.timed_hashes += part.timed_hashes();
        self.deadline_bytes += part.deadline_bytes();
        self.table_bytes += part.memory_bytes() - part.deadline_bytes();
        if 0 < part.volatile_len() {
            part.scan(0, TTL_SAMPLES, |entry| {
                if let Some(deadline) = entry.deadline() {
                    self.sampled_ttl_ms += deadline.saturating_sub(now_ms);
                    self.sampled += 1;
                }
            });
        }
    }
}

impl<'a> Facts<'a> {
    /// Walks over the shards once, if the sections that are asked for want that: it waits for
    /// whoever holds one.
    pub(in super::super) fn gather(
        ctx: &mut Ctx<'_, 'a>,
        host: &'a ServerHost,
        wants_shards: bool,
    ) -> Self {
        let mut databases = vec![DatabaseFacts::default(); ctx.settings.databases];
        let mut sizes = BTreeMap::<usize, SizeSums>::new();
        let (mut watched_keys, mut table_bytes) = (0, 0);
        let mut blocking_keys = (0, 0);
        let now_ms = ctx.data.now_ms;
        let visit = |shard: &mut LockedShard| {
            watched_keys += shard.watched.len();
            let (waited, minded) = shard.waiting.measure();
            blocking_keys = (blocking_keys.0 + waited, blocking_keys.1 + minded);
            for (db, facts) in databases.iter_mut().enumerate() {
                let part = shard.data.database_ref(db);
                facts.add(part, now_ms);
                table_bytes += part.memory_bytes();
                if !part.is_empty() {
                    part.sizes().add_to(sizes.entry(db).or_default());
                }
            }
        };
        if wants_shards {
            ctx.each_shard(visit);
        }
        let config = host.config.lock();
        let file = config.file().map(|path| path.display().to_string());
        Self {
            engine: ctx.engine,
            host,
            settings: config.settings(),
            databases,
            sizes,
            watched_keys,
            blocking_keys,
            table_bytes,
            machine_bytes: config.machine().memory_bytes as usize,
            config_file: file.unwrap_or_default(),
            wall_us: ctx.engine.clock().wall_us(),
        }
    }

    pub(super) fn setting(&self, name: &str) -> String {
        let found = self.host.config.lock().find(&[name.as_bytes()]);
        let value = found.first().map(|(_, value)| String::from_utf8_lossy(value).into_owned());
        value.unwrap_or_default()
    }

    fn sum(&self, counter: impl Fn(&ThreadStatistics) -> &Counter) -> u64 {
        self.engine.threads().iter().map(|thread| counter(thread).value()).sum()
    }
}

/// Lines of `field:value`.
macro_rules! fields {
    ($text:expr, $($name:literal: $value:expr),* $(,)?) => {
        $(let _ = write!($text, concat!($name, ":{}\r\n"), $value);)*
    };
}

pub(super) use fields;

fn server(text: &mut String, facts: &Facts<'_>) {
    let differences = facts.engine.settings().dialect.differences();
    let start = &facts.host.started;
    let uptime_s = facts.wall_us.saturating_sub(start.wall_ms * 1000) / 1_000_000;
    fields!(text,
        "redis_version": differences.redis_version,
        "server_name": differences.server_name,
    );
    if let Some(version) = differences.valkey_version {
        fields!(text, "valkey_version": version, "valkey_release_stage": "ga", "server_mode": "standalone");
    }
    fields!(text,
        "ochre_version": env!("CARGO_PKG_VERSION"),
        "redis_git_sha1": "00000000",
        "redis_git_dirty": 0,
        "redis_build_id": "0000000000000000",
        "redis_mode": "standalone",
        "os": operating_system(),
        "arch_bits": usize::BITS,
        "monotonic_clock": if sys::cycles_are_steady() { "TSC" } else { "POSIX clock_gettime" },
        "multiplexing_api": "epoll",
        "atomicvar_api": "rust-std",
        "gcc_version": "0.0.0",
        "process_id": std::process::id(),
        "process_supervised": "no",
        "run_id": start.run_id,
        "tcp_port": facts.settings.port,
        "server_time_usec": facts.wall_us,
        "uptime_in_seconds": uptime_s,
        "uptime_in_days": uptime_s / 86_400,
        "hz": facts.settings.hz,
        "configured_hz": facts.settings.hz,
        "lru_clock": (facts.wall_us / 62_500) & 0x00ff_ffff,
        "executable": executable(),
        "config_file": facts.config_file,
        "io_threads_active": u8::from(1 < facts.host.started.loops),
    );
    if differences.valkey_version.is_some() {
        fields!(text, "clients_hz": facts.settings.hz);
        fields!(text, "availability_zone": facts.setting("availability-zone"));
    }
    for (index, listener) in listeners(&facts.settings).iter().enumerate() {
        let _ = write!(text, "listener{index}:{listener}\r\n");
    }
}

fn clients(text: &mut String, facts: &Facts<'_>) {
    let registry = &facts.host.registry;
    let (mut input_max, mut output_max, mut watching) = (0, 0, 0);
    registry.for_each(|record| {
        input_max = input_max.max(record.counts.input_bytes.load(Relaxed));
        output_max = output_max.max(record.counts.outbox_bytes.load(Relaxed));
        watching += u32::from(0 < record.counts.watched.load(Relaxed));
    });
    fields!(text,
        "connected_clients": registry.count(),
        "cluster_connections": 0,
        "maxclients": facts.settings.maxclients,
        "client_recent_max_input_buffer": input_max,
        "client_recent_max_output_buffer": output_max,
        "blocked_clients": facts.engine.blocking.count(),
        "tracking_clients": facts.engine.tracking.clients(),
        "pubsub_clients": facts.engine.pubsub.clients(),
        "watching_clients": watching,
        "clients_in_timeout_table": 0,
        "total_watched_keys": facts.watched_keys,
        "total_blocking_keys": facts.blocking_keys.0,
        "total_blocking_keys_on_nokey": facts.blocking_keys.1,
    );
    let (reason, actions) = match facts.engine.pause.paused() {
        Paused::Nothing => ("none", "none"),
        Paused::Writes => ("client_pause", "write"),
        Paused::Everything => ("client_pause", "all"),
    };
    fields!(text,
        "paused_reason": reason,
        "paused_actions": actions,
        "paused_timeout_milliseconds": facts.engine.pause.remaining_ms(facts.wall_us / 1000),
    );
}

fn persistence(text: &mut String, facts: &Facts<'_>) {
    let (cut, running) = (facts.engine.cuts.present(), facts.host.snapshots.running());
    let (fetched, keys) = cut.as_ref().map_or((0, 0), |cut| (cut.keys_fetched(), cut.keys()));
    let (loading, snapshots) = (&facts.engine.loading, &facts.host.snapshots);
    let changes = facts.sum(|thread| &thread.changes);
    let aof = &facts.host.append_only.figures;
    let is_on = aof.is_on.load(Relaxed);
    let since_ms = aof.rewrite_since_ms.load(Relaxed);
    let current_s = match since_ms {
        0 => -1,
        since_ms => (facts.wall_us / 1000).saturating_sub(since_ms) as i64 / 1000,
    };
    fields!(text,
        "loading": u8::from(loading.is_on()), "async_loading": 0,
        "current_cow_peak": cut.as_ref().map_or(0, |cut| cut.old_bytes_peak()),
        "current_cow_size": if cut.is_some() { facts.engine.cuts.old_bytes() } else { 0 },
        "current_cow_size_age": 0,
        "current_fork_perc": format_args!("{:.2}", 100.0 * fetched as f64 / keys.max(1) as f64),
        "current_save_keys_processed": fetched, "current_save_keys_total": keys,
        "rdb_changes_since_last_save": changes - snapshots.changes_at_save.load(Relaxed).min(changes),
        "rdb_bgsave_in_progress": u8::from(running.is_some()),
        "rdb_last_save_time": snapshots.saved_ms.load(Relaxed) / 1000,
        "rdb_last_bgsave_status": if facts.engine.cuts.has_failed() { "err" } else { "ok" },
        "rdb_last_bgsave_time_sec": snapshots.last_s.load(Relaxed),
        "rdb_current_bgsave_time_sec": running.map_or(-1, |cut| {
            ((facts.wall_us / 1000).saturating_sub(cut.at_ms) / 1000) as i64
        }),
        "rdb_saves": snapshots.saves.load(Relaxed),
        "rdb_last_cow_size": snapshots.last_copies_bytes.load(Relaxed),
        "rdb_last_load_keys_expired": loading.keys_expired.load(Relaxed),
        "rdb_last_load_keys_loaded": loading.keys_loaded.load(Relaxed),
        "aof_enabled": u8::from(is_on),
        "aof_rewrite_in_progress": u8::from(since_ms != 0),
        "aof_rewrite_scheduled": u8::from(aof.is_rewrite_scheduled.load(Relaxed)),
        "aof_last_rewrite_time_sec": aof.last_rewrite_s.load(Relaxed),
        "aof_current_rewrite_time_sec": current_s,
        "aof_last_bgrewrite_status": status(&aof.has_rewrite_failed),
        "aof_rewrites": aof.rewrites.load(Relaxed),
        "aof_rewrites_consecutive_failures": aof.rewrite_failures_in_a_row.load(Relaxed),
        "aof_last_write_status": status(&aof.has_write_failed),
        "aof_last_cow_size": 0, "slot_migration_fork_in_progress": 0, "module_fork_in_progress": 0, "module_fork_last_cow_size": 0,
    );
    if is_on {
        fields!(text,
            "aof_current_size": aof.len.load(Relaxed),
            "aof_base_size": aof.base_len.load(Relaxed),
            "aof_pending_rewrite": 0,
            "aof_buffer_length": aof.waiting_bytes(facts.engine),
            "aof_pending_bio_fsync": u8::from(aof.sync_since_ns.load(Relaxed) != 0),
            "aof_delayed_fsync": aof.delayed_syncs.load(Relaxed),
        );
    }
    if loading.is_on() {
        loading_progress(text, facts);
    }
}

/// How something went last, as INFO says it.
fn status(has_failed: &AtomicBool) -> &'static str {
    if has_failed.load(Relaxed) { "err" } else { "ok" }
}

/// How far the loading at the start is.
fn loading_progress(text: &mut String, facts: &Facts<'_>) {
    let loading = &facts.engine.loading;
    let started_ms = loading.started_ms.load(Relaxed);
    let (done, total) = (loading.bytes_loaded.load(Relaxed), loading.bytes_total.load(Relaxed));
    let seconds = (facts.wall_us / 1000).saturating_sub(started_ms) as f64 / 1000.0;
    let left =
        if done == 0 { 1.0 } else { seconds * total.saturating_sub(done) as f64 / done as f64 };
    fields!(text,
        "loading_start_time": started_ms / 1000,
        "loading_total_bytes": total,
        "loading_rdb_used_mem": 0,
        "loading_loaded_bytes": done,
        "loading_loaded_perc": format_args!("{:.2}", 100.0 * done as f64 / total.max(1) as f64),
        "loading_eta_seconds": left as u64,
    );
}

fn threads(text: &mut String, facts: &Facts<'_>) {
    let mut clients = vec![0; facts.host.started.loops];
    facts.host.registry.for_each(|record| {
        if let Some(count) = clients.get_mut(record.token.0 as usize >> 48) {
            *count += 1;
        }
    });
    for (index, count) in clients.iter().enumerate() {
        let sums = facts.host.statistics.of_thread(index);
        let (reads, writes) = (sums.reads.value(), sums.writes.value());
        let _ = write!(text, "io_thread_{index}:clients={count},reads={reads},writes={writes}\r\n");
    }
}

fn stats(text: &mut String, facts: &Facts<'_>) {
    let statistics = &facts.host.statistics;
    let sums = statistics.sums();
    let errors: u64 = facts.engine.errors.snapshot().values().sum();
    let rates = statistics.rates.lock();
    let (pubsub, tracking) = (&facts.engine.pubsub, &facts.engine.tracking);
    let fields_expired = facts.sum(|thread| &thread.fields_expired);
    let threads = facts.engine.threads().iter();
    let calls_ns: u64 = threads
        .flat_map(|thread| &thread.commands)
        .map(|command| command.nanoseconds.value())
        .sum();
    let kilobytes = |bytes: u64| format!("{:.2}", bytes as f64 / 1024.0);
    fields!(text,
        "total_connections_received": statistics.connections_received.load(Relaxed),
        "total_commands_processed": facts.sum(|thread| &thread.commands_processed),
        "instantaneous_ops_per_sec": rates.commands.per_second(),
        "total_net_input_bytes": sums.bytes_read,
        "total_net_output_bytes": sums.bytes_written,
        "total_net_repl_input_bytes": 0, "total_net_repl_output_bytes": 0,
        "total_net_cluster_slot_import_bytes": 0, "total_net_cluster_slot_export_bytes": 0,
        "instantaneous_input_kbps": kilobytes(rates.bytes_read.per_second()),
        "instantaneous_output_kbps": kilobytes(rates.bytes_written.per_second()),
        "instantaneous_input_repl_kbps": "0.00", "instantaneous_output_repl_kbps": "0.00",
        "rejected_connections": statistics.connections_rejected.load(Relaxed),
        "sync_full": 0, "sync_partial_ok": 0, "sync_partial_err": 0,
        "expired_subkeys": fields_expired, "expired_fields": fields_expired,
        "expired_keys": facts.sum(|thread| &thread.keys_expired),
        "expired_stale_perc": "0.00", "expired_time_cap_reached_count": 0,
        "expired_keys_with_volatile_items_stale_perc": "0.00",
        "expire_cycle_cpu_milliseconds": 0,
        "evicted_keys": facts.sum(|thread| &thread.keys_evicted), "evicted_clients": facts.host.statistics.evicted_clients.load(Relaxed),
        "evicted_scripts": facts.engine.scripts.measure().2,
        "total_eviction_exceeded_time": 0, "current_eviction_exceeded_time": 0,
        "keyspace_hits": facts.sum(|thread| &thread.keyspace_hits),
        "keyspace_misses": facts.sum(|thread| &thread.keyspace_misses),
        "pubsub_channels": pubsub.count(Topic::Channel),
        "pubsub_patterns": pubsub.count(Topic::Pattern),
        "pubsubshard_channels": pubsub.count(Topic::ShardChannel),
        "latest_fork_usec": 0, "total_forks": 0, "migrate_cached_sockets": 0,
        "slave_expires_tracked_keys": 0,
        "active_defrag_hits": 0, "active_defrag_misses": 0, "active_defrag_key_hits": 0,
        "active_defrag_key_misses": 0, "total_active_defrag_time": 0,
        "current_active_defrag_time": 0,
        "tracking_total_keys": tracking.keys(), "tracking_total_items": tracking.items(), "tracking_total_prefixes": tracking.prefixes(),
        "unexpected_error_replies": 0,
        "total_error_replies": errors,
        "dump_payload_sanitizations": 0,
        "total_reads_processed": sums.reads, "total_writes_processed": sums.writes,
        "io_threaded_reads_processed": 0, "io_threaded_writes_processed": 0,
        "io_threaded_freed_objects": 0, "io_threaded_accept_processed": 0,
        "io_threaded_poll_processed": 0, "io_threaded_total_prefetch_batches": 0,
        "io_threaded_total_prefetch_entries": 0,
        "client_query_buffer_limit_disconnections":
            statistics.query_limit_disconnections.load(Relaxed),
        "client_output_buffer_limit_disconnections":
            statistics.output_limit_disconnections.load(Relaxed),
        "reply_buffer_shrinks": 0, "reply_buffer_expands": 0,
        "eventloop_cycles": sums.cycles,
        "eventloop_duration_sum": sums.cycles_ns / 1000,
        "eventloop_duration_cmd_sum": calls_ns / 1000,
        "instantaneous_eventloop_cycles_per_sec": rates.cycles.per_second(),
        "instantaneous_eventloop_duration_usec":
            rates.cycles_ns.per_second() / rates.cycles.per_second().max(1) / 1000,
        "slow_call_takeovers": statistics.takeovers.load(Relaxed),
    );
    denials(text, facts);
}

fn denials(text: &mut String, facts: &Facts<'_>) {
    let acl = &facts.engine.acl;
    fields!(text,
        "acl_access_denied_auth": acl.denied(Refused::Password),
        "acl_access_denied_cmd": acl.denied(Refused::Command),
        "acl_access_denied_key": acl.denied(Refused::Key),
        "acl_access_denied_channel": acl.denied(Refused::Channel),
        "acl_access_denied_tls_cert": 0,
        "acl_access_denied_db": acl.denied(Refused::Database),
    );
}

fn replication(text: &mut String, facts: &Facts<'_>) {
    fields!(text,
        "role": "master", "connected_slaves": 0, "master_failover_state": "no-failover",
        "replicas_waiting_psync": 0,
        "master_replid": facts.host.replication_id.lock(),
        "master_replid2": "0000000000000000000000000000000000000000",
        "master_repl_offset": 0, "second_repl_offset": -1,
        "repl_backlog_active": 0, "repl_backlog_size": facts.setting("repl-backlog-size"),
        "repl_backlog_first_byte_offset": 0, "repl_backlog_histlen": 0,
    );
}

/// Without TLS there is no certificate.
fn tls(text: &mut String, _facts: &Facts<'_>) {
    for certificate in ["server", "client", "ca"] {
        let _ = write!(
            text,
            "tls_{certificate}_cert_serial:none\r\ntls_{certificate}_cert_expires_in_seconds:0\r\n"
        );
    }
}

fn scripting_engines(text: &mut String, facts: &Facts<'_>) {
    let used = facts.engine.scripts.interpreter_bytes() + facts.engine.functions.memory_bytes().1;
    fields!(text,
        "engines_count": 1,
        "engines_total_used_memory": used, "engines_total_memory_overhead": 0,
        "engine_0": format_args!("name=LUA,module=lua,abi_version=4,used_memory={used},memory_overhead=0"),
    );
}

fn cpu(text: &mut String, facts: &Facts<'_>) {
    let seconds = |us: u64| format!("{}.{:06}", us / 1_000_000, us % 1_000_000);
    let process = sys::processor_time(TimeOf::Process);
    let children = sys::processor_time(TimeOf::Children);
    let thread = sys::processor_time(TimeOf::Thread);
    fields!(text,
        "used_cpu_sys": seconds(process.system_us), "used_cpu_user": seconds(process.user_us),
        "used_cpu_sys_children": seconds(children.system_us),
        "used_cpu_user_children": seconds(children.user_us),
        "used_cpu_sys_main_thread": seconds(thread.system_us),
        "used_cpu_user_main_thread": seconds(thread.user_us),
    );
    if facts.engine.settings().dialect == Dialect::Valkey {
        let active_ns = facts.host.statistics.of_thread(0).cycles_ns.value();
        fields!(text, "used_active_time_main_thread": seconds(active_ns / 1000));
    }
}

fn commandstats(text: &mut String, facts: &Facts<'_>) {
    for entry in facts.engine.table.all() {
        let sum = |counter: fn(&engine::statistics::CommandCounters) -> &Counter| {
            facts.sum(|thread| counter(&thread.commands[entry.id]))
        };
        let (calls, rejected) = (sum(|c| &c.calls), sum(|c| &c.rejected));
        if calls == 0 && rejected == 0 {
            continue;
        }
        let us = sum(|c| &c.nanoseconds) as f64 / 1000.0;
        let _ = write!(
            text,
            "cmdstat_{}:calls={calls},usec={:.0},usec_per_call={:.2},rejected_calls={rejected},\
             failed_calls={}\r\n",
            entry.full_name,
            us,
            us / calls.max(1) as f64,
            sum(|c| &c.failed),
        );
    }
}

fn errorstats(text: &mut String, facts: &Facts<'_>) {
    for (code, count) in facts.engine.errors.snapshot() {
        let _ = write!(text, "errorstat_{code}:count={count}\r\n");
    }
}

fn latencystats(text: &mut String, facts: &Facts<'_>) {
    if !facts.settings.latency_tracking {
        return;
    }
    for entry in facts.engine.table.all() {
        let mut sums = Vec::new();
        for thread in facts.engine.threads() {
            if let Some(latency) = thread.commands[entry.id].latency.get() {
                latency.add_to(&mut sums);
            }
        }
        if sums.iter().all(|count| *count == 0) {
            continue;
        }
        let shown: Vec<String> = facts
            .settings
            .latency_tracking_percentiles
            .iter()
            .map(|p| format!("p{p}={:.3}", Latency::percentile(&sums, *p) as f64 / 1000.0))
            .collect();
        let name = &entry.full_name;
        let _ = write!(text, "latency_percentiles_usec_{name}:{}\r\n", shown.join(","));
    }
}

fn cluster(text: &mut String, _facts: &Facts<'_>) {
    fields!(text, "cluster_enabled": 0);
}

fn keyspace(text: &mut String, facts: &Facts<'_>) {
    let is_redis = facts.engine.settings().dialect == Dialect::Redis;
    for (db, database) in facts.databases.iter().enumerate().filter(|(_, facts)| 0 < facts.keys) {
        let DatabaseFacts { keys, volatile, timed_hashes, .. } = database;
        let avg_ttl = database.sampled_ttl_ms.checked_div(database.sampled).unwrap_or(0);
        let timed = if is_redis { "subexpiry" } else { "keys_with_volatile_items" };
        let _ = write!(
            text,
            "db{db}:keys={keys},expires={volatile},avg_ttl={avg_ttl},{timed}={timed_hashes}\r\n"
        );
    }
}

fn keysizes(text: &mut String, facts: &Facts<'_>) {
    for (db, sizes) in &facts.sizes {
        for (kind, classes) in sizes.of_kinds() {
            let Some(name) = distribution_name(kind).filter(|_| !classes.is_empty()) else {
                continue;
            };
            let shown: Vec<String> =
                classes.iter().map(|(size, count)| format!("{}={count}", brief(*size))).collect();
            let _ = write!(text, "db{db}_distrib_{name}:{}\r\n", shown.join(","));
        }
    }
}

fn distribution_name(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::String => Some("strings_sizes"),
        Kind::List => Some("lists_items"),
        Kind::Set => Some("sets_items"),
        Kind::SortedSet => Some("zsets_items"),
        Kind::Hash => Some("hashes_items"),
        Kind::Stream => None,
    }
}

/// A power of two: `512`, `1K`, `2M`.
fn brief(mut size: u64) -> String {
    const UNITS: [&str; 7] = ["", "K", "M", "G", "T", "P", "E"];
    let mut unit = 0;
    while 1024 <= size {
        size /= 1024;
        unit += 1;
    }
    format!("{size}{}", UNITS[unit])
}

fn operating_system() -> String {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("Linux {} {}", release.trim(), std::env::consts::ARCH)
}

fn executable() -> String {
    std::env::current_exe().map(|path| path.display().to_string()).unwrap_or_default()
}

/// Lines of `listenerN`, without their number.
fn listeners(settings: &crate::config::Settings) -> Vec<String> {
    let mut lines = Vec::new();
    if settings.port != 0 {
        let shown = |bind: &crate::config::Bind| {
            format!("bind={}{},", if bind.is_optional { "-" } else { "" }, bind.address)
        };
        let binds: String = settings.bind.iter().map(shown).collect();
        lines.push(format!("name=tcp,{binds}port={}", settings.port));
    }
    if let Some(path) = &settings.unixsocket {
        lines.push(format!("name=unix,bind={}", path.display()));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_of_two_are_brief() {
        let shown: Vec<String> = [0, 1, 512, 1024, 1 << 19, 1 << 20, 1 << 63].map(brief).into();
        assert_eq!(shown, ["0", "1", "512", "1K", "512K", "1M", "8E"]);
    }

    #[test]
    fn sections_are_found_by_their_lower_case_titles() {
        for section in SECTIONS {
            assert_eq!(section.name, section.title.to_ascii_lowercase().replace(' ', ""));
        }
    }
}
