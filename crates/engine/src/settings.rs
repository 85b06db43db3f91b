//! The settings that engine and store read: a plain struct, published as one snapshot.

use crate::call_log::CallLogLimits;
use crate::dialect::Dialect;
use crate::events::Classes;
use crate::lfu::Frequency;
use crate::moments::Moments;
use store::rdb::{Family, Target};
use store::types::limits::Limits;

/// What the server's configuration means to the engine.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Entries that the log of refusals holds at most.
    pub acl_log_len_max: usize,
    /// Longest bulk argument and longest string value, in bytes.
    pub bulk_len_max: u64,
    /// How long a script or a slow call may hold others up before they see BUSY.
    pub busy_reply_threshold_ms: u64,
    /// Which calls are logged as slow or large.
    pub call_logs: CallLogLimits,
    /// Whether new users may use all channels.
    pub channels_by_default: bool,
    /// Whether strings are compressed in snapshots and by DUMP.
    pub compresses_dumps: bool,
    /// Number of databases that SELECT knows.
    pub databases: usize,
    /// Whether DEBUG may be used.
    pub debug_access: Access,
    pub dialect: Dialect,
    /// Whether clients' latency histograms are kept.
    pub is_latency_tracked: bool,
    pub lfu_decay_minutes: u32,
    pub lfu_log_factor: u32,
    /// 0: no limit.
    pub memory_bytes_max: usize,
    pub memory_policy: MemoryPolicy,
    /// Bytes of lines that may wait for one monitor before it is cut off; 0: any number.
    pub monitor_bytes_max: usize,
    /// What happens to keys and is published as messages.
    pub notified: Classes,
    /// `maxmemory-samples`.
    pub memory_samples: usize,
    /// Whether MODULE may be used.
    pub module_access: Access,
    /// With which the default user begins; empty: none needed.
    pub password: Vec<u8>,
    /// Whether writes are refused after a snapshot could not be written.
    pub snapshot_failure_stops_writes: bool,
    /// Keys that clients may have in caches of their own; 0: any number.
    pub tracked_keys_max: usize,
    /// Nanoseconds from which on something counts as a latency spike; `u64::MAX`: nothing does.
    pub spike_ns_min: u64,
    /// How large values may be in their small forms.
    pub types: Limits,
    /// Bytes of pushes that may wait for one client before it is cut off; 0: any number.
    pub push_bytes_max: usize,
}

/// Who may use a guarded command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    Everyone,
    /// Connections from this machine.
    Local,
    Nobody,
}

/// What gives way when memory is short.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MemoryPolicy {
    AllKeysLfu,
    AllKeysLrm,
    AllKeysLru,
    AllKeysRandom,
    NoEviction,
    VolatileLfu,
    VolatileLrm,
    VolatileLru,
    VolatileRandom,
    VolatileTtl,
}

impl MemoryPolicy {
    /// Whether the access clock of an entry holds a frequency instead of a time.
    pub fn is_lfu(self) -> bool {
        matches!(self, Self::AllKeysLfu | Self::VolatileLfu)
    }

    /// Whether only changes count as use.
    pub fn is_lrm(self) -> bool {
        matches!(self, Self::AllKeysLrm | Self::VolatileLrm)
    }

    /// Whether only keys with a deadline give way.
    pub fn is_volatile(self) -> bool {
        matches!(
            self,
            Self::VolatileLfu
                | Self::VolatileLrm
                | Self::VolatileLru
                | Self::VolatileRandom
                | Self::VolatileTtl
        )
    }
}

impl Settings {
    /// For whom DUMP and MIGRATE write values: for any server that knows the newest things of this
    /// dialect's family.
    pub fn dump_target(&self) -> Target {
        let family = match self.dialect {
            Dialect::Redis => Family::Redis,
            Dialect::Valkey => Family::Valkey,
        };
        Target { family, version: None, compresses: self.compresses_dumps }
    }

    /// How uses are counted at `now_ms`, if the policy wants frequencies.
    #[inline]
    pub(crate) fn frequency<'e>(&self, moments: &'e Moments, now_ms: u64) -> Option<Frequency<'e>> {
        self.memory_policy
            .is_lfu()
            .then(|| Frequency::new(moments, now_ms, self.lfu_decay_minutes, self.lfu_log_factor))
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            acl_log_len_max: 128,
            snapshot_failure_stops_writes: false,
            bulk_len_max: 512 << 20,
            busy_reply_threshold_ms: 5000,
            call_logs: CallLogLimits::default(),
            channels_by_default: false,
            compresses_dumps: true,
            databases: 16,
            debug_access: Access::Nobody,
            dialect: Dialect::Redis,
            is_latency_tracked: true,
            lfu_decay_minutes: 1,
            lfu_log_factor: 10,
            memory_bytes_max: 0,
            memory_policy: MemoryPolicy::NoEviction,
            monitor_bytes_max: 0,
            notified: Classes::NONE,
            memory_samples: 5,
            module_access: Access::Nobody,
            password: Vec::new(),
            tracked_keys_max: 1_000_000,
            spike_ns_min: u64::MAX,
            types: Limits::default(),
            push_bytes_max: 32 << 20,
        }
    }
}
