//! The process title, as `proc-title-template` describes it.

use crate::config::Settings;
use crate::sys::title::TitleArea;
use parking_lot::Mutex;

/// Nothing until [`take`], and where the system has no such thing.
static AREA: Mutex<Option<TitleArea>> = Mutex::new(None);

/// What doesn't come from settings that may change.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// The program as it was called.
    pub program: String,
    /// The configuration file; empty without one.
    pub config_file: String,
}

static NAMES: Mutex<Option<Names>> = Mutex::new(None);

/// From now on the title can be shown in `area`.
pub fn take(area: Option<TitleArea>, names: Names) {
    *AREA.lock() = area;
    *NAMES.lock() = Some(names);
}

/// Shows the title that the settings ask for.
pub fn show(settings: &Settings) {
    if !settings.set_proc_title {
        return;
    }
    if let (Some(area), Some(names)) = (&mut *AREA.lock(), &*NAMES.lock()) {
        area.write(title(settings, names).as_bytes());
    }
}

/// The template with its names replaced. It has been checked when it was set.
fn title(settings: &Settings, names: &Names) -> String {
    let mut title = String::new();
    let mut rest = settings.proc_title_template.as_str();
    while let Some((before, after)) = rest.split_once('{') {
        title.push_str(before);
        let (name, after) = after.split_once('}').unwrap_or((after, ""));
        title.push_str(&value(name, settings, names));
        rest = after;
    }
    title.push_str(rest);
    title.trim_matches(' ').to_owned()
}

fn value(name: &str, settings: &Settings, names: &Names) -> String {
    let unixsocket =
        || settings.unixsocket.as_ref().map_or_else(String::new, |path| path.display().to_string());
    match name {
        "config-file" => names.config_file.clone(),
        "listen-addr" if settings.port != 0 => {
            let address = settings.bind.first().map_or("*", |bind| bind.address.as_str());
            format!("{address}:{}", settings.port)
        }
        "listen-addr" | "unixsocket" => unixsocket(),
        "port" => settings.port.to_string(),
        "title" => names.program.clone(),
        "tls-port" => "0".to_owned(),
        // The mode is shown where it is not the usual one.
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Dialect, Machine};

    #[test]
    fn the_template_is_filled_in() {
        let names = Names { program: "./ochre-server".into(), config_file: "/etc/a.conf".into() };
        for (config, expected) in [
            ("", "./ochre-server *:6379"),
            ("bind 127.0.0.1 -::1\nport 7000", "./ochre-server 127.0.0.1:7000"),
            ("port 0\nunixsocket /tmp/a", "./ochre-server /tmp/a"),
            (
                "proc-title-template \"{server-mode} x{port}/{tls-port} {config-file}\"",
                "x6379/0 /etc/a.conf",
            ),
            ("proc-title-template plain", "plain"),
        ] {
            let machine = Machine { cores: 1, memory_bytes: 1 };
            let config = Config::from_text(config.as_bytes(), Dialect::Redis, machine).unwrap();
            assert_eq!(title(&config.settings(), &names), expected, "{config:?}");
        }
    }
}
