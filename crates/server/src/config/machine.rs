//! What the settings need to know about the machine: cores and memory that the process may use.

use std::fs;
use std::thread;

/// Read once at start; tests make their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Cores by affinity mask and cgroup quota; what `io-threads` is when nobody sets it.
    pub cores: u32,
    /// The lower of the machine's memory and the cgroup's limit; `maxmemory auto` takes 80 % of it.
    pub memory_bytes: u64,
}

impl Machine {
    /// Looks at the machine that the process runs on.
    pub fn probe() -> Self {
        let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let read = |path: &str| fs::read_to_string(path).ok();
        let limits = [
            read("/proc/meminfo").as_deref().and_then(total_memory),
            read("/sys/fs/cgroup/memory.max").as_deref().and_then(|text| text.trim().parse().ok()),
            own_cgroup_limit(read("/proc/self/cgroup").as_deref()),
            read("/sys/fs/cgroup/memory/memory.limit_in_bytes")
                .as_deref()
                .and_then(|text| text.trim().parse().ok()),
        ];
        Self {
            cores: u32::try_from(cores).unwrap_or(1),
            memory_bytes: limits.into_iter().flatten().min().unwrap_or(0),
        }
    }

    /// The bytes that `maxmemory auto` stands for.
    pub fn memory_auto_bytes(&self) -> u64 {
        self.memory_bytes / 10 * 8
    }
}

/// `MemTotal` of /proc/meminfo, in bytes.
fn total_memory(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

/// The limit of the process's own group in the unified hierarchy; its parents may be tighter.
fn own_cgroup_limit(membership: Option<&str>) -> Option<u64> {
    let path = membership?.lines().find_map(|line| line.strip_prefix("0::"))?.trim();
    let mut folder = std::path::PathBuf::from(format!("/sys/fs/cgroup{path}"));
    let mut limit = None;
    while folder.starts_with("/sys/fs/cgroup/") && folder.as_os_str() != "/sys/fs/cgroup/" {
        let own = fs::read_to_string(folder.join("memory.max"))
            .ok()
            .and_then(|text| text.trim().parse::<u64>().ok());
        limit = [limit, own].into_iter().flatten().min();
        if !folder.pop() {
            break;
        }
    }
    limit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_total() {
        let text = "MemTotal:        4026000 kB\nMemFree: 1 kB\n";
        assert_eq!(total_memory(text), Some(4026000 * 1024));
        assert_eq!(total_memory("nothing"), None);
    }

    #[test]
    fn probes_something_sensible() {
        let machine = Machine::probe();
        assert!(machine.cores >= 1);
        assert!(machine.memory_auto_bytes() <= machine.memory_bytes);
    }
}
