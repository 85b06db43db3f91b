//! How large values may be in their small forms; the settings fill these in.

use super::hyperloglog::SPARSE_LEN_MAX;

/// When hashes turn large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashLimits {
    /// Most fields of a packed hash.
    pub packed_entries_max: usize,
    /// Longest field or value, in bytes, of a packed hash.
    pub packed_value_max: usize,
}

impl Default for HashLimits {
    fn default() -> Self {
        Self { packed_entries_max: 512, packed_value_max: 64 }
    }
}

/// When HyperLogLogs turn dense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HyperLogLogLimits {
    /// Longest sparse one, in bytes.
    pub sparse_bytes_max: usize,
}

impl Default for HyperLogLogLimits {
    fn default() -> Self {
        Self { sparse_bytes_max: SPARSE_LEN_MAX }
    }
}

/// When lists turn large, and how long their chunks are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListLimits {
    /// Positive: most elements of a chunk. -1 to -5: most bytes, 4 KiB to 64 KiB.
    pub chunk_max: i32,
}

impl Default for ListLimits {
    fn default() -> Self {
        Self { chunk_max: -2 }
    }
}

/// When sets turn large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetLimits {
    /// Most members of a set of integers.
    pub integers_max: usize,
    /// Most members of a packed set.
    pub packed_entries_max: usize,
    /// Longest member, in bytes, of a packed set.
    pub packed_value_max: usize,
}

impl Default for SetLimits {
    fn default() -> Self {
        Self { integers_max: 512, packed_entries_max: 128, packed_value_max: 64 }
    }
}

/// When sorted sets turn large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SortedSetLimits {
    /// Most members of a packed sorted set.
    pub packed_entries_max: usize,
    /// Longest member, in bytes, of a packed sorted set.
    pub packed_value_max: usize,
}

impl Default for SortedSetLimits {
    fn default() -> Self {
        Self { packed_entries_max: 128, packed_value_max: 64 }
    }
}

/// How long the nodes of a stream are; 0 is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamLimits {
    /// Most bytes of a node.
    pub node_bytes_max: usize,
    /// Most entries of a node.
    pub node_entries_max: usize,
}

impl Default for StreamLimits {
    fn default() -> Self {
        Self { node_bytes_max: 4096, node_entries_max: 100 }
    }
}

/// The limits of all types.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Of hashes.
    pub hash: HashLimits,
    /// Of HyperLogLogs.
    pub hyperloglog: HyperLogLogLimits,
    /// Of lists.
    pub list: ListLimits,
    /// Of sets.
    pub set: SetLimits,
    /// Of streams.
    pub stream: StreamLimits,
    /// Of sorted sets.
    pub zset: SortedSetLimits,
}
