//! The command line: redis-benchmark's options with their defaults, and ours.

use std::time::Duration;

use crate::uri;

/// What the user asked for.
#[derive(Debug)]
pub(crate) enum Request {
    Help,
    Load(Box<Options>),
    Version,
}

/// Where the server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Tcp { host: String, port: u16 },
    Unix(String),
}

/// The form of the results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Csv,
    Json,
    Quiet,
    Report,
}

#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) target: Target,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) db: u32,
    pub(crate) is_resp3: bool,
    pub(crate) is_tracking: bool,
    /// Names given to `-t`, in lower case; all of the defaults without it.
    pub(crate) tests: Option<Vec<String>>,
    pub(crate) requests: u64,
    pub(crate) duration: Option<Duration>,
    pub(crate) clients: usize,
    pub(crate) pipeline: usize,
    pub(crate) data_len: usize,
    pub(crate) keyspace: Option<u64>,
    pub(crate) is_sequential: bool,
    pub(crate) seed: Option<u64>,
    pub(crate) keeps_alive: bool,
    pub(crate) rps: Option<u64>,
    pub(crate) threads: Option<usize>,
    pub(crate) appends_stdin: bool,
    pub(crate) is_idle: bool,
    pub(crate) repeats: bool,
    pub(crate) shows_errors: bool,
    pub(crate) format: Format,
    pub(crate) precision: usize,
    /// The command at the end of the line, if there is one.
    pub(crate) command: Vec<Vec<u8>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            target: Target::Tcp { host: "127.0.0.1".to_owned(), port: 6379 },
            user: None,
            password: None,
            db: 0,
            is_resp3: false,
            is_tracking: false,
            tests: None,
            requests: 100_000,
            duration: None,
            clients: 50,
            pipeline: 1,
            data_len: 3,
            keyspace: None,
            is_sequential: false,
            seed: None,
            keeps_alive: true,
            rps: None,
            threads: None,
            appends_stdin: false,
            is_idle: false,
            repeats: false,
            shows_errors: false,
            format: Format::Report,
            precision: 3,
            command: Vec::new(),
        }
    }
}

/// A payload is built in memory and sent over and over: more is surely a slip of the keyboard.
const DATA_LEN_MAX: u64 = 1 << 30;
const CLIENTS_MAX: u64 = 1 << 20;
const PIPELINE_MAX: u64 = 1 << 20;
const THREADS_MAX: u64 = 500;
/// Numbers have twelve digits.
const KEYSPACE_MAX: u64 = 1_000_000_000_000;
const SECONDS_MAX: u64 = 1_000_000_000;
const PRECISION_MAX: u64 = 6;

/// Reads the arguments after the program's name.
///
/// # Errors
/// With one sentence that says which argument is wrong and why.
pub(crate) fn parse(arguments: &[String]) -> Result<Request, String> {
    let mut options = Options::default();
    let mut line = Line { arguments, at: 0 };
    while let Some(name) = line.next_option() {
        match name {
            "--help" => return Ok(Request::Help),
            "--version" | "-v" => return Ok(Request::Version),
            "--" => break,
            "--cluster" | "--tls" => return Err(format!("{name} is not supported yet")),
            _ => {
                let is_known = read_server(&mut options, name, &mut line)?
                    || read_load(&mut options, name, &mut line)?
                    || read_output(&mut options, name, &mut line)?;
                if !is_known {
                    return Err(format!("Invalid option \"{name}\""));
                }
            }
        }
    }
    options.command = line.rest().iter().map(|argument| argument.clone().into_bytes()).collect();
    check(&options)?;
    Ok(Request::Load(Box::new(options)))
}

fn read_server(options: &mut Options, name: &str, line: &mut Line<'_>) -> Result<bool, String> {
    match name {
        "-h" => set_host(options, line.text(name)?),
        "-p" => set_port(options, line.number(name, 1, u64::from(u16::MAX))? as u16),
        "-s" => options.target = Target::Unix(line.text(name)?),
        "-u" => uri::apply(&line.text(name)?, options)?,
        "-a" => options.password = Some(line.text(name)?),
        "--user" => options.user = Some(line.text(name)?),
        "--dbnum" => options.db = line.number(name, 0, u64::from(u32::MAX >> 1))? as u32,
        "-3" => options.is_resp3 = true,
        "--enable-tracking" => options.is_tracking = true,
        _ => return Ok(false),
    }
    Ok(true)
}

pub(crate) fn set_host(options: &mut Options, name: String) {
    match &mut options.target {
        Target::Tcp { host, .. } => *host = name,
        // As with a socket given, host and port have no effect.
        Target::Unix(_) => {}
    }
}

pub(crate) fn set_port(options: &mut Options, number: u16) {
    if let Target::Tcp { port, .. } = &mut options.target {
        *port = number;
    }
}

fn read_load(options: &mut Options, name: &str, line: &mut Line<'_>) -> Result<bool, String> {
    match name {
        "-t" => {
            let names = line.text(name)?.to_lowercase();
            let names = names.split(',').filter(|name| !name.is_empty());
            options.tests = Some(names.map(str::to_owned).collect());
        }
        "-n" => options.requests = line.number(name, 1, u64::MAX >> 1)?,
        "--duration" => {
            options.duration = Some(Duration::from_secs(line.number(name, 1, SECONDS_MAX)?));
        }
        "-c" => options.clients = line.number(name, 1, CLIENTS_MAX)? as usize,
        "-P" => options.pipeline = line.number(name, 1, PIPELINE_MAX)? as usize,
        "-d" => options.data_len = line.number(name, 1, DATA_LEN_MAX)? as usize,
        "-r" => options.keyspace = Some(line.number(name, 0, KEYSPACE_MAX)?).filter(|&n| n != 0),
        "--sequential" => options.is_sequential = true,
        "--seed" => options.seed = Some(line.number(name, 0, u64::MAX)?),
        "-k" => options.keeps_alive = line.number(name, 0, 1)? == 1,
        "--rps" => options.rps = Some(line.number(name, 0, 1_000_000_000)?).filter(|&n| n != 0),
        "--threads" => options.threads = Some(line.number(name, 1, THREADS_MAX)? as usize),
        "-x" => options.appends_stdin = true,
        "-I" => options.is_idle = true,
        "-l" => options.repeats = true,
        "-e" => options.shows_errors = true,
        _ => return Ok(false),
    }
    Ok(true)
}

fn read_output(options: &mut Options, name: &str, line: &mut Line<'_>) -> Result<bool, String> {
    match name {
        // Whichever order they come in, the form for machines wins.
        "-q" if options.format == Format::Report => options.format = Format::Quiet,
        "-q" => {}
        "--csv" => options.format = Format::Csv,
        "--json" => options.format = Format::Json,
        "--precision" => options.precision = line.number(name, 0, PRECISION_MAX)? as usize,
        _ => return Ok(false),
    }
    Ok(true)
}

fn check(options: &Options) -> Result<(), String> {
    if options.is_tracking && !options.is_resp3 {
        return Err("--enable-tracking needs -3".to_owned());
    }
    if options.user.is_some() && options.password.is_none() {
        return Err("--user needs -a".to_owned());
    }
    if options.appends_stdin && options.command.is_empty() {
        return Err("-x needs a command".to_owned());
    }
    Ok(())
}

struct Line<'a> {
    arguments: &'a [String],
    at: usize,
}

impl<'a> Line<'a> {
    /// The next argument if it is an option; the command begins where none is.
    fn next_option(&mut self) -> Option<&'a str> {
        let argument = self.arguments.get(self.at)?;
        if !argument.starts_with('-') || argument == "-" {
            return None;
        }
        self.at += 1;
        Some(argument)
    }

    fn text(&mut self, name: &str) -> Result<String, String> {
        let value = self.arguments.get(self.at);
        self.at += 1;
        value.cloned().ok_or_else(|| format!("Option \"{name}\" needs an argument"))
    }

    fn number(&mut self, name: &str, min: u64, max: u64) -> Result<u64, String> {
        let text = self.text(name)?;
        let number = text.parse().ok().filter(|number| (min..=max).contains(number));
        number.ok_or_else(|| {
            format!("Option \"{name}\" needs a number from {min} to {max}, not \"{text}\"")
        })
    }

    fn rest(&self) -> &'a [String] {
        self.arguments.get(self.at..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(line: &str) -> Result<Options, String> {
        let arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        match parse(&arguments)? {
            Request::Load(options) => Ok(*options),
            other => Err(format!("{other:?}")),
        }
    }

    #[test]
    fn the_defaults_are_those_of_redis_benchmark() {
        let options = options("").unwrap();
        assert_eq!(options.target, Target::Tcp { host: "127.0.0.1".to_owned(), port: 6379 });
        assert_eq!((options.requests, options.clients, options.pipeline), (100_000, 50, 1));
        assert_eq!((options.data_len, options.keyspace, options.db), (3, None, 0));
        assert!(options.keeps_alive);
        assert_eq!(options.format, Format::Report);
    }

    #[test]
    fn options_end_where_the_command_begins() {
        let options = options("-h db -p 7000 -n 10 -q SET key:__rand_int__ -1").unwrap();
        assert_eq!(options.target, Target::Tcp { host: "db".to_owned(), port: 7000 });
        assert_eq!(options.format, Format::Quiet);
        let command: Vec<&[u8]> = options.command.iter().map(Vec::as_slice).collect();
        assert_eq!(command, [&b"SET"[..], b"key:__rand_int__", b"-1"]);
    }

    #[test]
    fn tests_are_named_in_any_case() {
        let options = options("-t SET,get,,Ping --csv -q").unwrap();
        assert_eq!(options.tests.unwrap(), ["set", "get", "ping"]);
        assert_eq!(options.format, Format::Csv);
    }

    #[test]
    fn a_socket_replaces_host_and_port() {
        let options = options("-s /tmp/x.sock -p 7000").unwrap();
        assert_eq!(options.target, Target::Unix("/tmp/x.sock".to_owned()));
    }

    #[test]
    fn wrong_options_are_told_by_name() {
        for (line, word) in [
            ("--nonsense", "--nonsense"),
            ("-n", "\"-n\" needs an argument"),
            ("-n x", "not \"x\""),
            ("-n 0", "from 1"),
            ("-p 70000", "to 65535"),
            ("-k 2", "from 0 to 1"),
            ("--user u", "needs -a"),
            ("-x", "needs a command"),
            ("--enable-tracking", "needs -3"),
            ("--tls", "not supported"),
        ] {
            let message = options(line).unwrap_err();
            assert!(message.contains(word), "{line}: {message}");
        }
    }
}
