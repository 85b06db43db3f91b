//! ochre-benchmark: a load generator with the options of redis-benchmark and honest percentiles.
#![forbid(unsafe_code)]

mod connection;
mod load;
mod options;
mod report;
mod scan;
mod template;
mod uri;
mod workload;

use std::io::{self, IsTerminal, Read, Write};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use indicatif::{ProgressBar, ProgressStyle};

use connection::{LoadError, Server};
use load::Outcome;
use options::{Format, Options, Request};
use report::ServerSettings;
use workload::Workload;

const HELP: &str = include_str!("help.txt");

fn main() -> ExitCode {
    let arguments: Vec<String> =
        std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    let result = match options::parse(&arguments) {
        Ok(Request::Help) => print(HELP),
        Ok(Request::Version) => print(concat!("ochre-benchmark ", env!("CARGO_PKG_VERSION"), "\n")),
        Ok(Request::Load(options)) => measure(*options),
        Err(message) => Err(format!("{message}\n\n{HELP}")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            complain(&message);
            ExitCode::FAILURE
        }
    }
}

/// Says something on standard error. A closed one is no reason to stop.
pub(crate) fn complain(message: &str) {
    let _ = writeln!(io::stderr(), "{}", message.trim_end());
}

fn print(text: &str) -> Result<(), String> {
    io::stdout().write_all(text.as_bytes()).map_err(|error| error.to_string())
}

fn measure(mut options: Options) -> Result<(), String> {
    if options.appends_stdin {
        let mut last = Vec::new();
        io::stdin().read_to_end(&mut last).map_err(|error| format!("standard input: {error}"))?;
        options.command.push(last);
    }
    let data = workload::payload(options.data_len);
    let workloads = workload::choose(&options, &data)?;
    let server = Server::resolve(&options).map_err(|error| error.to_string())?;
    if options.is_idle {
        return stay_idle(&server, &options);
    }
    let settings = match options.format {
        Format::Report => settings(&server)?,
        Format::Csv | Format::Json | Format::Quiet => None,
    };
    let from_clock = || {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        since.map_or(0, |since| since.as_nanos() as u64)
    };
    let mut seed = options.seed.unwrap_or_else(from_clock);
    let failed = |error: io::Error| format!("standard output: {error}");
    report::write_header(options.format, &mut io::stdout()).map_err(failed)?;
    loop {
        for workload in &workloads {
            // Another seed each time, or GET would ask for just the keys that SET wrote.
            seed = seed.wrapping_add(1 << 20);
            let Some(outcome) = run(&server, workload, &options, seed)? else { continue };
            let mut out = io::BufWriter::new(io::stdout());
            report::write(&workload.title, &outcome, &options, settings.as_ref(), &mut out)
                .map_err(failed)?;
        }
        if !options.repeats {
            return Ok(());
        }
    }
}

/// `None` if the server lacks the command of an optional test.
fn run(
    server: &Server,
    workload: &Workload,
    options: &Options,
    seed: u64,
) -> Result<Option<Outcome>, String> {
    let progress = Progress::new(&workload.title, options);
    let result = load::run(server, workload, options, seed, |finished| progress.show(finished));
    progress.bar.finish_and_clear();
    match result {
        Ok(outcome) => Ok(Some(outcome)),
        Err(LoadError::Server(text))
            if workload.is_optional && text.starts_with("ERR unknown command") =>
        {
            complain(&format!("{}: skipped: {text}", workload.title));
            Ok(None)
        }
        Err(error) => Err(error.to_string()),
    }
}

/// A bar on a terminal, and nothing anywhere else.
struct Progress {
    bar: ProgressBar,
    started: Instant,
    /// By time; by requests without it.
    duration: Option<Duration>,
}

impl Progress {
    fn new(title: &str, options: &Options) -> Self {
        let is_shown =
            matches!(options.format, Format::Quiet | Format::Report) && io::stderr().is_terminal();
        let end = match options.duration {
            Some(duration) => duration.as_millis() as u64,
            None => options.requests,
        };
        let bar = if is_shown { ProgressBar::new(end) } else { ProgressBar::hidden() };
        let style = ProgressStyle::with_template("{prefix} [{bar:40}] {percent}%  {msg}");
        bar.set_style(style.expect("the template is a constant that is right"));
        bar.set_prefix(title.to_owned());
        Self { bar, started: Instant::now(), duration: options.duration }
    }

    fn show(&self, finished: u64) {
        if self.bar.is_hidden() {
            return;
        }
        let elapsed = self.started.elapsed();
        let rate = finished as f64 / elapsed.as_secs_f64().max(1e-9);
        let position = if self.duration.is_some() { elapsed.as_millis() as u64 } else { finished };
        self.bar.set_message(format!("{rate:.0} requests per second"));
        self.bar.set_position(position);
    }
}

/// The two settings that a figure means little without. A server that does not tell them is
/// measured all the same; one that is not there is not.
fn settings(server: &Server) -> Result<Option<ServerSettings>, String> {
    server.connect().map_err(|error| error.to_string())?;
    let (save, appendonly) = (server.setting("save"), server.setting("appendonly"));
    let settings =
        save.zip(appendonly).map(|(save, appendonly)| ServerSettings { save, appendonly });
    if settings.is_none() {
        complain("WARNING: Could not fetch server CONFIG");
    }
    Ok(settings)
}

fn stay_idle(server: &Server, options: &Options) -> Result<(), String> {
    let open = || server.connect().map_err(|error| error.to_string());
    let streams = (0..options.clients).map(|_| open()).collect::<Result<Vec<_>, _>>()?;
    complain(&format!("{} idle connections, waiting for Ctrl+C", streams.len()));
    loop {
        thread::park();
    }
}
