//! `cargo xtask bench`: Ochre beside other servers, on one machine, under the same load.
//!
//! Every server is started fresh with the same flags, pinned to its core, and loaded by
//! `ochre-benchmark` from another core. What is compared first is not operations per second, which
//! the generator and the network stack limit too, but the processor time that the server spends on
//! an operation. `pause` measures what other clients feel while one is heavy, `loops` what a
//! second event loop costs, `hits` what eviction keeps, `bigvalues` what others wait while a large
//! value goes, `expiry` how late and at what cost keys expire, `load` how fast files are loaded and saved, `sync` what the append-only file costs, `saves` what a snapshot costs others,
//! and `plot` draws a result again.

mod big_values;
mod client;
mod document;
mod expiry;
mod generator;
mod hits;
mod load;
mod machine;
mod memory;
mod pause;
mod plot;
mod saves;
mod server;
mod speed;
mod subscribers;
mod sync;
mod workload;

use std::path::PathBuf;
use std::thread;

use clap::{Args, Subcommand};

use crate::process::{self, Outcome, cargo, root};
use document::Document;
use generator::Generator;
use machine::Machine;
use server::{Program, Setup};
use speed::Contestant;
use workload::Choice;

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Options {
    #[command(subcommand)]
    mode: Option<Mode>,
    #[command(flatten)]
    compare: Compare,
}

#[derive(Subcommand)]
enum Mode {
    /// What others wait while a value of millions of elements goes.
    #[command(name = "bigvalues")]
    BigValues(BigValues),
    /// How late, and at what cost, volatile keys are freed.
    Expiry(Expiry),
    /// How fast files are loaded and saved.
    Load(Load),
    /// Processor time per operation with two event loops, beside one.
    Loops(Compare),
    /// How often a cache of limited memory holds what is asked for.
    Hits(Hits),
    /// What other clients feel while one client is heavy.
    Pause(Pause),
    /// Draw the figures of a JSON file again.
    Plot(Plot),
    /// What BGSAVE costs others, under writes at full speed.
    Saves(Saves),
    /// What the append-only file costs, by when it is synced.
    Sync(Compare),
}

#[derive(Args, Default)]
struct Servers {
    /// Servers to compare with; ratios are to the first.
    #[arg(long, value_name = "PATH", num_args = 1..)]
    against: Vec<PathBuf>,
    /// Ochre's server; built when not given.
    #[arg(long, value_name = "PATH")]
    server: Option<PathBuf>,
    /// Rows to measure, by name; a wrong one lists them.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    only: Option<Vec<String>>,
    /// Write everything there as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[derive(Args)]
struct Compare {
    #[command(flatten)]
    servers: Servers,
    /// Rounds to take medians of.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// One round of a tenth of everything, to see that it works.
    #[arg(long)]
    quick: bool,
    /// The servers' cores, as `taskset` takes them [default: 0; with loops: 0,1].
    #[arg(long, value_name = "CORES")]
    pin: Option<String>,
    /// The generator's cores [default: 1; with loops: 2 where there are three].
    #[arg(long, value_name = "CORES")]
    pin_generator: Option<String>,
    /// Draw the figures there.
    #[arg(long, value_name = "FILE.svg")]
    plot: Option<PathBuf>,
}

#[derive(Args)]
struct Pause {
    #[command(flatten)]
    servers: Servers,
    /// Keys in the data set.
    #[arg(long, default_value_t = 3_000_000)]
    keys: u64,
    /// Keys that the load adds.
    #[arg(long, default_value_t = 20_000_000)]
    new_keys: u64,
    /// Every server runs with each of these.
    #[arg(long, value_delimiter = ',', default_value = "1,2")]
    io_threads: Vec<usize>,
    /// The servers' cores, as `taskset` takes them [default: any].
    #[arg(long, value_name = "CORES")]
    pin: Option<String>,
    /// Draw the longest waits there.
    #[arg(long, value_name = "FILE.svg")]
    plot: Option<PathBuf>,
}

#[derive(Args)]
struct Hits {
    #[command(flatten)]
    servers: Servers,
    /// Requests of a trace; the second half counts.
    #[arg(long, default_value_t = 1_000_000)]
    requests: usize,
    /// Requests a second.
    #[arg(long, default_value_t = 100_000)]
    pace: u64,
    /// Draw the figures there.
    #[arg(long, value_name = "FILE.svg")]
    plot: Option<PathBuf>,
}

#[derive(Args)]
struct BigValues {
    #[command(flatten)]
    servers: Servers,
    /// Elements of the value.
    #[arg(long, default_value_t = 10_000_000)]
    elements: u64,
}

#[derive(Args)]
struct Load {
    #[command(flatten)]
    servers: Servers,
    /// The size of the file, about.
    #[arg(long, default_value_t = 1024)]
    megabytes: u64,
    /// Rounds to take medians of.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// The servers' cores, as `taskset` takes them [default: any].
    #[arg(long, value_name = "CORES")]
    pin: Option<String>,
}

#[derive(Args)]
struct Saves {
    #[command(flatten)]
    servers: Servers,
    /// Keys in the data set, of 100 bytes each.
    #[arg(long, default_value_t = 3_000_000)]
    keys: u64,
    /// Draw memory and waits there.
    #[arg(long, value_name = "FILE.svg")]
    plot: Option<PathBuf>,
}

#[derive(Args)]
struct Expiry {
    #[command(flatten)]
    servers: Servers,
    /// Volatile keys, or fields.
    #[arg(long, default_value_t = 10_000_000)]
    items: u64,
    /// The time over which they expire.
    #[arg(long, default_value_t = 100)]
    seconds: u64,
    /// Fields of hashes instead of keys.
    #[arg(long)]
    fields: bool,
}

#[derive(Args)]
struct Plot {
    /// What `--json` wrote.
    from: PathBuf,
    to: PathBuf,
}

/// # Errors
/// If something does not build or start, a load fails, or a file cannot be written.
pub(crate) fn run(options: &Options) -> Outcome {
    match &options.mode {
        None => compare(&options.compare),
        Some(Mode::BigValues(options)) => big_values::run(&big_values::Plan {
            programs: &options.servers.programs()?,
            elements: options.elements,
            only: options.servers.only.as_deref(),
        }),
        Some(Mode::Expiry(options)) => expiry::run(&expiry::Plan {
            programs: &options.servers.programs()?,
            items: options.items.max(1),
            seconds: options.seconds.max(1),
            is_fields: options.fields,
        }),
        Some(Mode::Load(options)) => load::run(&load::Plan {
            programs: &options.servers.programs()?,
            megabytes: options.megabytes,
            pin: options.pin.as_deref(),
            rounds: options.rounds.max(1),
        }),
        Some(Mode::Loops(options)) => loops(options),
        Some(Mode::Hits(options)) => {
            let plot = options.plot.as_deref();
            hits::run(&options.servers.programs()?, options.requests, options.pace.max(1), plot)
        }
        Some(Mode::Pause(options)) => pauses(options),
        Some(Mode::Plot(options)) => plot::draw(&Document::read(&options.from)?, &options.to),
        Some(Mode::Saves(options)) => saves(options),
        Some(Mode::Sync(options)) => syncs(options),
    }
}

fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

impl Servers {
    /// The peers as given, then Ochre.
    fn programs(&self) -> Outcome<Vec<Program>> {
        let mut programs = Vec::new();
        for path in &self.against {
            programs.push(Program::identify(path)?);
        }
        programs.push(self.ochre()?);
        // Two builds of one version need two names.
        for index in 1..programs.len() {
            let name = programs[index].name.clone();
            let twins =
                programs[..index].iter().filter(|other| other.version == programs[index].version);
            match twins.count() {
                0 => {}
                count => programs[index].name = format!("{name} ({})", count + 1),
            }
        }
        Ok(programs)
    }

    fn ochre(&self) -> Outcome<Program> {
        if let Some(path) = &self.server {
            return Program::identify(path);
        }
        process::run(cargo().args(["build", "--release", "--quiet", "--package", "server"]))?;
        Program::identify(&root().join("target/release/ochre-server"))
    }

    fn finish(&self, document: &Document) -> Outcome {
        document.print_tables();
        self.json.as_ref().map_or(Ok(()), |path| document.write(path))
    }
}

impl Compare {
    /// What requests and items are divided by, and the rounds.
    fn size(&self) -> (u64, usize) {
        if self.quick { (10, 1) } else { (1, self.rounds.max(1)) }
    }
}

fn document(servers: Vec<Program>, conditions: String, rounds: usize) -> Document {
    let machine = Machine::here();
    let (speed, memory, pauses) = (Vec::new(), Vec::new(), Vec::new());
    let document = Document { machine, servers, conditions, rounds, speed, memory, pauses };
    document.print_header();
    document
}

fn compare(options: &Compare) -> Outcome {
    let choice = Choice::new(options.servers.only.as_deref())?;
    let programs = options.servers.programs()?;
    let pin = options.pin.clone().unwrap_or_else(|| "0".to_owned());
    let last_core = (cores() - 1).min(1).to_string();
    let pin_generator = options.pin_generator.clone().unwrap_or(last_core);
    let generator = Generator::build(Some(pin_generator.clone()))?;
    let contestants: Vec<Contestant<'_>> = programs
        .iter()
        .map(|program| Contestant {
            label: program.name.clone(),
            program,
            setup: Setup {
                pin: Some(pin.clone()),
                io_threads: (!pin.contains([',', '-'])).then_some(1),
                ..Setup::default()
            },
        })
        .collect();
    let (divisor, rounds) = options.size();
    let conditions = format!(
        "servers on core {pin}, generator on core {pin_generator}; 50 connections, 1 M keys, \
         64-byte values; medians of {rounds}"
    );
    let mut document = document(programs.clone(), conditions, rounds);
    let (workloads, shapes) = (choice.workloads(), choice.shapes());
    let plan = speed::Plan {
        contestants: &contestants,
        workloads: &workloads,
        generator: &generator,
        rounds,
        divisor,
    };
    document.speed = speed::measure(&plan)?;
    document.memory = memory::measure(&contestants, &shapes, divisor)?;
    options.servers.finish(&document)?;
    options.plot.as_ref().map_or(Ok(()), |path| plot::draw(&document, path))
}

fn loops(options: &Compare) -> Outcome {
    let choice = Choice::new(options.servers.only.as_deref())?;
    let program = options.servers.ochre()?;
    let pin = options.pin.clone().unwrap_or_else(|| "0,1".to_owned());
    let last_core = (cores() - 1).min(2).to_string();
    let pin_generator = options.pin_generator.clone().unwrap_or(last_core);
    let generator = Generator::build(Some(pin_generator.clone()))?;
    let contestant = |count: usize| Contestant {
        label: format!("{}, loops: {count}", program.name),
        program: &program,
        setup: Setup { pin: Some(pin.clone()), io_threads: Some(count), ..Setup::default() },
    };
    let contestants = [contestant(1), contestant(2)];
    let (divisor, rounds) = options.size();
    let conditions = format!(
        "server on cores {pin}, generator on core {pin_generator}; 50 connections, 1 M keys, \
         64-byte values; medians of {rounds}"
    );
    let mut document = document(vec![program.clone()], conditions, rounds);
    let workloads = choice.workloads();
    let generator = &generator;
    let plan = speed::Plan {
        contestants: &contestants,
        workloads: &workloads,
        generator,
        rounds,
        divisor,
    };
    document.speed = speed::measure(&plan)?;
    options.servers.finish(&document)?;
    options.plot.as_ref().map_or(Ok(()), |path| plot::draw(&document, path))
}

fn saves(options: &Saves) -> Outcome {
    let programs = options.servers.programs()?;
    let generator = Generator::build(None)?;
    let plan = saves::Plan { programs: &programs, generator: &generator, keys: options.keys };
    let courses = saves::run(&plan)?;
    let Some(path) = &options.plot else { return Ok(()) };
    let machine = Machine::here();
    let date = machine.date.split(' ').next().unwrap_or_default();
    let conditions = format!(
        "{date}, {}; {} keys of 100 bytes, 4 connections overwrite them at full speed",
        machine.processor, options.keys
    );
    saves::draw(&courses, &conditions, path)
}

fn syncs(options: &Compare) -> Outcome {
    let programs = options.servers.programs()?;
    let pin = options.pin.clone().unwrap_or_else(|| "0".to_owned());
    let last_core = (cores() - 1).min(1).to_string();
    let pin_generator = options.pin_generator.clone().unwrap_or(last_core);
    let generator = Generator::build(Some(pin_generator.clone()))?;
    let (divisor, rounds) = options.size();
    println!("servers on core {pin}, generator on core {pin_generator}; medians of {rounds}");
    sync::run(&sync::Plan {
        programs: &programs,
        generator: &generator,
        pin: &pin,
        rounds,
        divisor,
    })
}

fn pauses(options: &Pause) -> Outcome {
    let programs = options.servers.programs()?;
    let generator = Generator::build(None)?.in_background();
    let mut contestants = Vec::new();
    for program in &programs {
        for &io_threads in &options.io_threads {
            contestants.push(Contestant {
                label: format!("{}, io-threads {io_threads}", program.name),
                program,
                setup: Setup {
                    pin: options.pin.clone(),
                    io_threads: Some(io_threads),
                    enables_debug: true,
                    ..Setup::default()
                },
            });
        }
    }
    let conditions = format!(
        "{} keys of 100 bytes; 8 probes for each loop, a GET each 4 ms; servers on {} cores",
        options.keys,
        options.pin.as_deref().unwrap_or("any"),
    );
    let mut document = document(programs.clone(), conditions, 1);
    document.pauses = pause::measure(&pause::Plan {
        contestants: &contestants,
        generator: &generator,
        keys: options.keys,
        new_keys: options.new_keys,
        only: options.servers.only.as_deref(),
    })?;
    options.servers.finish(&document)?;
    options.plot.as_ref().map_or(Ok(()), |path| pause::draw(&document, path))
}
