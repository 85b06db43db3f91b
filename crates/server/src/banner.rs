//! What the log shows first: who starts, and the banner.

use std::io::{IsTerminal as _, stdout};
use std::process;

use crate::config::dialect::facts;
use crate::config::{Config, Dialect, Settings};
use crate::log;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Writes the lines that come before anything else, and the banner where it is wanted.
pub fn announce(config: &Config) {
    let settings = config.settings();
    for line in start_lines(config.dialect(), config.file().is_some()) {
        log::notice(format_args!("{line}"));
    }
    if shows_logo(&settings, stdout().is_terminal()) {
        log::raw(&logo(&settings, process::id()));
    } else {
        log::notice(format_args!("Running mode=standalone, port={}.", settings.port));
    }
}

fn start_lines(dialect: Dialect, has_file: bool) -> Vec<String> {
    let facts = facts(dialect);
    let (product, version) = (facts.product, facts.version);
    let mut lines = vec![
        "Ochre is starting".to_owned(),
        format!(
            "Ochre version={VERSION}, answering as {product} version={version}, bits={}, \
             pid={}, just started",
            usize::BITS,
            process::id(),
        ),
    ];
    if has_file {
        lines.push("Configuration loaded".to_owned());
    } else {
        lines.push("No config file specified: defaults and options apply".to_owned());
    }
    lines
}

/// On a terminal by itself, elsewhere by request.
fn shows_logo(settings: &Settings, is_terminal: bool) -> bool {
    settings.always_show_logo || (settings.logfile.is_none() && is_terminal)
}

/// A lump of ochre in its layers, and the facts beside it.
fn logo(settings: &Settings, process_id: u32) -> String {
    let facts = facts(settings.dialect);
    let rows = [
        r"              .-^^-.             ".to_owned(),
        r"          .-^'      '^-.         ".to_owned(),
        format!(r"       .-'  .-~~~~-.    '-.        Ochre {VERSION}"),
        format!(
            r"     .'  .-'  ____  '-.    '.      speaking {} {}, {} bit",
            facts.product,
            facts.version,
            usize::BITS
        ),
        r"    /  .'  .-'    '-.  '.    \     ".to_owned(),
        r"   |  /  .'   .--.   '.  \    |    Running in standalone mode".to_owned(),
        format!(r"   |  |  |   ( () )   |  |    |    Port: {}", settings.port),
        format!(r"   |  \  '.   '--'   .'  /    |    PID: {process_id}"),
        r"    \  '.  '-.____.-'  .'    /     ".to_owned(),
        r"     '.  '-.        .-'    .'      ".to_owned(),
        r"       '-.  '~~~~~~'    .-'        ".to_owned(),
        r"          '-.________.-'           ".to_owned(),
    ];
    let mut text = String::from("\n");
    for row in rows {
        text.push_str(row.trim_end());
        text.push('\n');
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Machine;

    fn settings(text: &str) -> Settings {
        let machine = Machine { cores: 2, memory_bytes: 1 };
        Config::from_text(text.as_bytes(), Dialect::Redis, machine).unwrap().settings()
    }

    #[test]
    fn the_logo_holds_the_facts() {
        let text = logo(&settings("port 7001"), 4711);
        for fact in [" PID: 4711\n", " Port: 7001\n", "Redis 8.0.6", "standalone"] {
            assert!(text.contains(fact), "{fact}\n{text}");
        }
    }

    #[test]
    fn the_logo_is_for_terminals() {
        assert!(shows_logo(&settings(""), true));
        assert!(!shows_logo(&settings(""), false));
        assert!(!shows_logo(&settings("logfile /dev/null"), true));
        assert!(shows_logo(&settings("always-show-logo yes"), false));
    }

    #[test]
    fn both_dialects_say_who_they_are() {
        let lines = start_lines(Dialect::Valkey, false).join("\n");
        assert!(lines.contains("Ochre is starting"));
        assert!(lines.contains("Valkey version=9.1.2"));
        assert!(lines.contains("No config file specified"));
        assert_eq!(start_lines(Dialect::Redis, true)[2], "Configuration loaded");
    }
}
