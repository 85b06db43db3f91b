//! What the memory is used for: the section of INFO, and the numbers of MEMORY STATS and DOCTOR.

use super::sections::{Facts, fields};
use crate::sys;
use std::fmt::Write;
use std::sync::atomic::Ordering::Relaxed;
use tikv_jemalloc_ctl::{epoch, stats as allocator_stats};

/// The memory at one moment, in bytes.
pub(in crate::commands) struct Memory {
    pub used: usize,
    pub peak: usize,
    /// In use before the first client came.
    pub startup: usize,
    /// Pages that the process has.
    pub resident: usize,
    pub allocator: Allocator,
    pub clients: usize,
    /// How many clients there are.
    pub clients_count: usize,
    pub scripts: usize,
    /// How many scripts are cached.
    pub scripts_count: usize,
    pub functions: usize,
    /// How many libraries and functions there are.
    pub functions_count: (usize, usize),
    /// Of the interpreters of scripts, and of that of functions.
    pub interpreters: (usize, usize),
    /// Everything that is no data.
    pub overhead: usize,
}

/// What the allocator says of itself, in bytes.
#[derive(Default)]
pub(in crate::commands) struct Allocator {
    pub allocated: usize,
    pub active: usize,
    pub resident: usize,
}

impl Memory {
    /// As these facts have it, which have walked over the shards.
    pub(in crate::commands) fn of(facts: &Facts<'_>) -> Self {
        let used = base::memory::used();
        let startup = facts.host.started.memory_bytes;
        let (scripts_count, scripts, _) = facts.engine.scripts.measure();
        let (functions, functions_interpreter) = facts.engine.functions.memory_bytes();
        let mut clients = 0;
        facts.host.registry.for_each(|record| {
            clients += record.counts.memory_bytes.load(Relaxed) as usize;
        });
        Self {
            used,
            peak: base::memory::peak().max(used),
            startup,
            resident: sys::resident_bytes() as usize,
            allocator: Allocator::read(),
            clients,
            clients_count: facts.host.registry.count(),
            scripts,
            scripts_count,
            functions,
            functions_count: facts.engine.functions.count(),
            interpreters: (facts.engine.scripts.interpreter_bytes(), functions_interpreter),
            overhead: (startup + facts.table_bytes + clients).min(used),
        }
    }

    /// What the keys and values take.
    pub(in crate::commands) fn dataset(&self) -> usize {
        self.used - self.overhead
    }

    /// The part of the data in what was taken since the start, in percent.
    pub(in crate::commands) fn dataset_percent(&self) -> f64 {
        percent(self.dataset(), self.used.saturating_sub(self.startup)).min(100.0)
    }
}

impl Allocator {
    fn read() -> Self {
        // The numbers are those of the last epoch; this begins a new one.
        let _ = epoch::advance();
        Self {
            allocated: allocator_stats::allocated::read().unwrap_or_default(),
            active: allocator_stats::active::read().unwrap_or_default(),
            resident: allocator_stats::resident::read().unwrap_or_default(),
        }
    }
}

/// A part of a whole.
pub(in crate::commands) fn percent(part: usize, whole: usize) -> f64 {
    100.0 * part as f64 / whole.max(1) as f64
}

/// How many times as much.
pub(in crate::commands) fn ratio(much: usize, little: usize) -> f64 {
    if little == 0 { 1.0 } else { much as f64 / little as f64 }
}

/// How much more; less is negative.
pub(in crate::commands) fn gap(much: usize, little: usize) -> i64 {
    much as i64 - little as i64
}

/// The section `memory` of INFO.
// Length: a line for each few fields.
pub(super) fn section(text: &mut String, facts: &Facts<'_>) {
    let memory = Memory::of(facts);
    let Memory { used, peak, startup, resident, .. } = memory;
    let ((libraries, functions), (vm_eval, vm_functions)) =
        (memory.functions_count, memory.interpreters);
    let scripts = memory.scripts + memory.functions;
    let (allocator, dataset, total) = (&memory.allocator, memory.dataset(), facts.machine_bytes);
    fields!(text,
        "used_memory": used, "used_memory_human": human(used),
        "used_memory_rss": resident, "used_memory_rss_human": human(resident),
        "used_memory_peak": peak, "used_memory_peak_human": human(peak),
        "used_memory_peak_perc": format_args!("{:.2}%", percent(used, peak)),
        "used_memory_overhead": memory.overhead,
        "used_memory_startup": startup,
        "used_memory_dataset": dataset,
        "used_memory_dataset_perc":
            format_args!("{:.2}%", memory.dataset_percent()),
        "allocator_allocated": allocator.allocated,
        "allocator_active": allocator.active,
        "allocator_resident": allocator.resident,
        "allocator_muzzy": 0,
        "total_system_memory": total, "total_system_memory_human": human(total),
        "used_memory_lua": vm_eval, "used_memory_vm_eval": vm_eval,
        "used_memory_lua_human": human(vm_eval),
        "used_memory_scripts_eval": memory.scripts,
        "number_of_cached_scripts": memory.scripts_count,
        "number_of_functions": functions, "number_of_libraries": libraries,
        "used_memory_vm_functions": vm_functions, "used_memory_vm_total": vm_eval + vm_functions,
        "used_memory_vm_total_human": human(vm_eval + vm_functions),
        "used_memory_functions": memory.functions,
        "used_memory_scripts": scripts, "used_memory_scripts_human": human(scripts),
        "maxmemory": facts.settings.maxmemory,
        "maxmemory_human": human(facts.settings.maxmemory as usize),
        "maxmemory_policy": facts.setting("maxmemory-policy"),
    );
    fields!(text,
        "allocator_frag_ratio": format_args!("{:.2}", ratio(allocator.active, allocator.allocated)),
        "allocator_frag_bytes": gap(allocator.active, allocator.allocated),
        "allocator_rss_ratio": format_args!("{:.2}", ratio(allocator.resident, allocator.active)),
        "allocator_rss_bytes": gap(allocator.resident, allocator.active),
        "rss_overhead_ratio": format_args!("{:.2}", ratio(resident, allocator.resident)),
        "rss_overhead_bytes": gap(resident, allocator.resident),
        "mem_fragmentation_ratio": format_args!("{:.2}", ratio(resident, used)),
        "mem_fragmentation_bytes": gap(resident, used),
        "mem_not_counted_for_evict": 0, "mem_replication_backlog": 0,
        "mem_total_replication_buffers": 0, "mem_replicas_repl_buffer": 0, "mem_replica_full_sync_buffer": 0,
        "mem_clients_slaves": 0, "mem_clients_normal": memory.clients,
        "mem_cluster_links": 0, "mem_cluster_slot_import": 0, "mem_cluster_slot_export": 0,
        "mem_aof_buffer": facts.host.append_only.figures.waiting_bytes(facts.engine),
        "mem_allocator": "jemalloc-5.3.1",
        "mem_overhead_db_hashtable_rehashing": 0,
        "active_defrag_running": 0,
        "lazyfree_pending_objects": facts.host.reclaimer.pending(),
        "lazyfreed_objects": facts.host.reclaimer.freed(),
    );
}

/// Bytes as people read them: `1.50M`.
fn human(bytes: usize) -> String {
    const UNITS: [&str; 5] = ["K", "M", "G", "T", "P"];
    if bytes < 1024 {
        return format!("{bytes}B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while 1024.0 <= value && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.2}{}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shown_as_in_redis() {
        let shown: Vec<String> = [0, 1023, 1024, 1_016_592, 25_276_510_208].map(human).into();
        assert_eq!(shown, ["0B", "1023B", "1.00K", "992.77K", "23.54G"]);
    }
}
