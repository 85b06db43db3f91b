//! MEMORY DOCTOR: what could be wrong with the memory, in words.

use super::super::info::memory::{Memory, ratio};
use std::fmt::Write;

/// With less than this in use nothing can be said.
const USED_MIN: usize = 5 << 20;
/// Ratios are looked at only if they come to this much.
const GAP_MIN: usize = 10 << 20;
/// Bytes of a client that are many on average.
const CLIENT_BYTES: usize = 200 << 10;
/// Cached scripts that are many.
const SCRIPTS: usize = 1000;

/// The report.
pub(super) fn report(memory: &Memory) -> String {
    if memory.used < USED_MIN {
        return "There is too little data in this server to say anything about its memory.\n"
            .to_owned();
    }
    let findings = findings(memory);
    if findings.is_empty() {
        return "Nothing is wrong with the memory, as far as can be seen.\n".to_owned();
    }
    let mut report = "What could be wrong with the memory:\n\n".to_owned();
    for finding in findings {
        let _ = writeln!(report, "- {finding}\n");
    }
    report
}

fn findings(memory: &Memory) -> Vec<&'static str> {
    let allocator = &memory.allocator;
    let is_much = |much: usize, little: usize, over: f64| {
        over < ratio(much, little) && GAP_MIN < much - little
    };
    let findings = [
        (
            1.5 < ratio(memory.peak, memory.used),
            "Peak: at some time more than one and a half times as much was in use as now. What the \
             system gave then may be kept for a while, so a high fragmentation means little. MEMORY \
             PURGE gives it back.",
        ),
        (
            is_much(memory.resident, memory.used, 1.4),
            "Fragmentation: the process has over 1.4 times the memory that is in use. That follows \
             when many values were removed, or changed their size. The lines below say where it is, \
             if the allocator has it.",
        ),
        (
            is_much(allocator.active, allocator.allocated, 1.1),
            "Allocator, inside pages: over a tenth of the pages in use is free room between blocks. It \
             is used again by values of about the same size.",
        ),
        (
            is_much(allocator.resident, allocator.active, 1.1),
            "Allocator, unused pages: over a tenth of its pages are not in use and not given back. \
             MEMORY PURGE gives them back.",
        ),
        (
            is_much(memory.resident, allocator.resident, 1.1),
            "Outside of the allocator: the process has over a tenth more than the allocator knows of. \
             Scripts' interpreters and the program itself are there.",
        ),
        (
            CLIENT_BYTES < memory.clients / memory.clients_count.max(1),
            "Clients: they take more than 200 KiB each on average. Somebody sends large requests, or \
             does not read replies; CLIENT LIST shows who (qbuf, omem), client-output-buffer-limit \
             and maxmemory-clients set bounds.",
        ),
        (
            SCRIPTS < memory.scripts_count,
            "Scripts: more than a thousand are cached. Scripts should take their values from ARGV \
             instead of having them in their text.",
        ),
    ];
    findings.into_iter().filter(|(is_so, _)| *is_so).map(|(_, text)| text).collect()
}

#[cfg(test)]
mod tests {
    use super::super::super::info::memory::Allocator;
    use super::*;

    fn healthy() -> Memory {
        const MB: usize = 1 << 20;
        Memory {
            used: 100 * MB,
            peak: 110 * MB,
            startup: MB,
            resident: 110 * MB,
            allocator: Allocator { allocated: 100 * MB, active: 102 * MB, resident: 105 * MB },
            clients: MB,
            clients_count: 100,
            scripts: 0,
            scripts_count: 10,
            functions: 0,
            functions_count: (0, 0),
            interpreters: (0, 0),
            overhead: 2 * MB,
        }
    }

    #[test]
    fn each_finding_has_its_cause() {
        assert!(report(&healthy()).starts_with("Nothing is wrong"));
        assert!(report(&Memory { used: 1 << 20, ..healthy() }).starts_with("There is too little"));
        let sick = [
            (Memory { peak: 200 << 20, ..healthy() }, "Peak"),
            (Memory { resident: 150 << 20, ..healthy() }, "Fragmentation"),
            (Memory { clients: 100 << 20, ..healthy() }, "Clients"),
            (Memory { scripts_count: 2000, ..healthy() }, "Scripts"),
        ];
        for (memory, word) in sick {
            assert!(report(&memory).contains(&format!("- {word}: ")), "{word}");
        }
    }
}
