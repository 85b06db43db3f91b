//! Starts Ochre: reads the configuration, starts a node, waits for the end.

use base::clock::Clock;
use persist::disk::MachineDisk;
use server::clock::MachineClock;
use server::config::apply::{self, Detached};
use server::config::{Config, Invocation, LoadError, Machine, Sources, command_line, dialect};
use server::persistence::{check, check_append_only, load};
use server::signals::SignalThread;
use server::start::{Node, Options};
use server::sys::title::TitleArea;
use server::title::{self, Names};
use server::{banner, crash, log, process, warnings};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

fn main() -> ExitCode {
    crash::report_panics();
    let mut words = std::env::args_os().map(OsStringExt::into_vec);
    let program = String::from_utf8_lossy(&words.next().unwrap_or_default()).into_owned();
    let arguments: Vec<Vec<u8>> = words.collect();
    let dialect = dialect::from_program(&program).unwrap_or_default();
    let (text, code) = match command_line::parse(&program, &arguments) {
        Invocation::Run(sources) => return run(&program, &sources),
        Invocation::Help => (command_line::usage(&program), ExitCode::SUCCESS),
        Invocation::Version => (command_line::version_line(dialect), ExitCode::SUCCESS),
        Invocation::Refused(reason) => (reason, ExitCode::FAILURE),
        Invocation::CheckAppendOnly(request) => {
            let (mut input, mut out) = (io::stdin().lock(), io::stdout().lock());
            let now_ms = MachineClock::new().wall_ms();
            let is_fine =
                check_append_only::check(&MachineDisk, &request, now_ms, &mut input, &mut out);
            return if is_fine.unwrap_or(false) { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        }
        Invocation::CheckSnapshot(path) => {
            let report = check::check(&path, MachineClock::new().wall_ms());
            let code = if report.is_fine { ExitCode::SUCCESS } else { ExitCode::FAILURE };
            (report.text, code)
        }
        Invocation::CheckSystem => {
            let (report, is_fine) = warnings::report();
            (report, if is_fine { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
    };
    // Nobody to tell if it cannot be written.
    let _ = writeln!(io::stdout(), "{}", text.trim_end());
    code
}

fn run(program: &str, sources: &Sources) -> ExitCode {
    let mut input = Vec::new();
    if sources.reads_standard_input && io::stdin().read_to_end(&mut input).is_err() {
        return ExitCode::FAILURE;
    }
    let config = match Config::load(program, sources, &mut input.as_slice(), Machine::probe()) {
        Ok(config) => config,
        Err(error) => return refuse(&error),
    };
    match apply::detach(&config.settings(), &input) {
        Ok(Detached::GoOn) => {}
        Ok(Detached::TakenOver) => return ExitCode::SUCCESS,
        Err(error) => log::warning(format_args!("Can't go to the background: {error}")),
    }
    let settings = config.settings();
    log::configure(&settings);
    crash::enable(settings.crash_log_enabled);
    let log_file = settings.logfile.as_ref().map(|path| settings.dir.join(path));
    crash::report_signals(log_file.as_deref().map(Path::as_os_str));
    if settings.set_proc_title {
        let config_file = config.file().map_or_else(String::new, |path| path.display().to_string());
        let names = Names { program: program.to_owned(), config_file };
        // Before the first thread is started.
        title::take(TitleArea::take(), names);
        title::show(&settings);
    }
    banner::announce(&config);
    match serve(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            log::warning(format_args!("{reason}"));
            ExitCode::FAILURE
        }
    }
}

fn serve(mut config: Config) -> Result<(), String> {
    process::prepare(&mut config)?;
    let settings = config.settings();
    let notes = config.notes();
    let node = Node::start(config, Options { is_loading: true, ..Options::default() })
        .map_err(|error| error.to_string())?;
    crash::tell_of(node.server());
    // Before anybody is told that the server is there: who is told may send the first signal.
    let signals = SignalThread::start(Arc::clone(node.server()))
        .map_err(|error| format!("Can't wait for signals: {error}"))?;
    process::announce_start(&notes);
    load::load(node.server(), &settings).map_err(|error| error.to_string())?;
    process::announce(&settings, node.port());
    process::wait_for_end(node);
    drop(signals);
    Ok(())
}

/// Says why the configuration can't be used.
fn refuse(error: &LoadError) -> ExitCode {
    match error {
        LoadError::Config(error) => {
            let _ = write!(io::stderr(), "{error}");
        }
        LoadError::Unreadable { .. } => log::warning(format_args!("{error}")),
    }
    ExitCode::FAILURE
}
