//! Looks at the machine for what slows or endangers the server, and says so in the log.
//!
//! Each finding begins with the words that tools and operators know. `--check-system` prints the
//! same findings.

use std::fs;

use crate::config::Settings;
use crate::log;

const OVERCOMMIT: &str = "/proc/sys/vm/overcommit_memory";
const HUGE_PAGES: &str = "/sys/kernel/mm/transparent_hugepage/enabled";
const SOMAXCONN: &str = "/proc/sys/net/core/somaxconn";

/// Logs what is wrong with the machine. `huge_pages_are_off` says whether the process has turned
/// them off for itself.
pub fn announce(settings: &Settings, huge_pages_are_off: bool) {
    let findings = [
        overcommit(&read(OVERCOMMIT)),
        if huge_pages_are_off { None } else { huge_pages(&read(HUGE_PAGES)) },
        if settings.port == 0 { None } else { backlog(settings.tcp_backlog, &read(SOMAXCONN)) },
    ];
    for finding in findings.into_iter().flatten() {
        log::warning(format_args!("{finding}"));
    }
}

/// What `--check-system` prints, and whether all is well.
pub fn report() -> (String, bool) {
    let checks =
        [("overcommit", overcommit(&read(OVERCOMMIT))), ("THP", huge_pages(&read(HUGE_PAGES)))];
    let is_well = checks.iter().all(|(_, finding)| finding.is_none());
    let mut text = String::new();
    for (name, finding) in checks {
        text.push_str(&match finding {
            None => format!("[{name}]...OK\n"),
            Some(finding) => format!("[{name}]...WARNING:\n{finding}\n"),
        });
    }
    (text, is_well)
}

/// A file that isn't there has nothing to say.
fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// Ochre doesn't fork, but a kernel that promises no more memory than it has may refuse a large
/// allocation while much is free.
fn overcommit(mode: &str) -> Option<String> {
    if matches!(mode.trim(), "" | "1") {
        return None;
    }
    Some(
        "WARNING Memory overcommit must be enabled! Without it the kernel may refuse large \
         allocations while memory is still free. Put 'vm.overcommit_memory = 1' into \
         /etc/sysctl.conf for the next boot, and run 'sysctl vm.overcommit_memory=1' for now."
            .to_owned(),
    )
}

fn huge_pages(mode: &str) -> Option<String> {
    if !mode.contains("[always]") {
        return None;
    }
    Some(format!(
        "WARNING You have Transparent Huge Pages (THP) support enabled in your kernel. It costs \
         latency and memory. Run 'echo madvise > {HUGE_PAGES}' as root, at every boot, and start \
         the server again; or leave 'disable-thp yes' on."
    ))
}

fn backlog(asked: u32, limit: &str) -> Option<String> {
    let limit: u32 = limit.trim().parse().ok()?;
    if asked <= limit {
        return None;
    }
    Some(format!(
        "WARNING: The TCP backlog setting of {asked} cannot be enforced because {SOMAXCONN} is \
         set to the lower value of {limit}."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_begin_with_known_words() {
        assert!(
            overcommit("0\n").unwrap().starts_with("WARNING Memory overcommit must be enabled!")
        );
        assert_eq!(overcommit("1\n"), None);
        assert_eq!(overcommit(""), None);
        let finding = huge_pages("[always] madvise never\n").unwrap();
        assert!(finding.contains("Transparent Huge Pages (THP) support enabled"));
        assert_eq!(huge_pages("always [madvise] never\n"), None);
        let finding = backlog(511, "128\n").unwrap();
        assert!(finding.starts_with("WARNING: The TCP backlog setting of 511 cannot be enforced"));
        assert!(finding.ends_with("lower value of 128."));
        assert_eq!(backlog(511, "4096\n"), None);
        assert_eq!(backlog(511, ""), None);
    }

    #[test]
    fn the_report_names_every_check() {
        let (text, _) = report();
        assert!(text.contains("[overcommit]..."));
        assert!(text.contains("[THP]..."));
    }
}
