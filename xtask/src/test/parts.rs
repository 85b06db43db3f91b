//! The parts of `cargo xtask test`, in the order in which they run.

use std::path::Path;
use std::process::Command;

use super::count::Count;
use super::{Plan, Skip};
use crate::process::{cargo, is_installed, run, run_and_read};
use crate::tidy;

pub(crate) struct Part {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) run: fn(&Plan) -> Result<Count, Skip>,
    /// Whether a failure ends the run: what comes after it needs it.
    pub(crate) is_required: bool,
}

const fn part(
    name: &'static str,
    about: &'static str,
    run: fn(&Plan) -> Result<Count, Skip>,
) -> Part {
    Part { name, about, run, is_required: false }
}

pub(crate) const PARTS: &[Part] = &[
    part("tidy", "the rules of STYLE.md", tidy),
    part("format", "cargo fmt", format),
    part("clippy", "cargo clippy", clippy),
    part("setup-reference", "a reference server", setup_reference),
    part("setup-python", "virtual environment with the pinned clients", setup_python),
    part("setup-node", "npm packages", setup_node),
    Part { is_required: true, ..part("build", "everything once, profile ci", build) },
    part("unit", "unit and model tests of every crate", unit),
    part("loom", "every interleaving of the shard lock", loom),
    part("cases-engine", "case files on the engine in process", cases_engine),
    part("cases-server", "case files on the server", cases_server),
    part("cases-dialect", "case files on the server in dialect valkey", cases_dialect),
    part("cases-reference", "case files on the reference server", cases_reference),
    part("streams", "random command streams on the server and on the reference", streams),
    part(
        "journal",
        "the journal of random command streams, replayed here and by the reference",
        journal,
    ),
    part("sim", "crashes on a simulated disk, and what is there after them", sim),
    part("kills", "a real server, killed again and again while it writes", kills),
    part("full-disk", "a real server whose disk is full for a while", full_disk),
    part("dumps", "values from server to reference and back", dumps),
    part("files", "files of the server that the reference loads, and the other way round", files),
    part("django", "a Django site: cache and sessions", django),
    part("redis-py", "redis-py, newest and 5.x", redis_py),
    part("celery", "Celery: broker and results", celery),
    part("rq", "RQ: queues, schedules, stop commands", rq),
    part("locks", "locks of redis-py, and Redlock over several servers", locks),
    part("dramatiq", "Dramatiq: broker, results, rate limits", dramatiq),
    part("channels", "Django Channels: both layers", channels),
    part("huey", "Huey: queues, schedules, priorities, locks", huey),
    part("arq", "arq", arq),
    part("ioredis", "ioredis", ioredis),
    part("node-redis", "node-redis", node_redis),
    part("bullmq", "BullMQ: delays, retries, priorities, rate limits, flows", bullmq),
    part("bull", "Bull", bull),
];

/// Beginnings of the names of parts that run programs which `build` makes.
const NEED_BUILD: [&str; 20] = [
    "arq",
    "bull",
    "cases",
    "celery",
    "channels",
    "django",
    "dramatiq",
    "dumps",
    "files",
    "full-disk",
    "huey",
    "ioredis",
    "journal",
    "kills",
    "locks",
    "node-redis",
    "redis-py",
    "rq",
    "sim",
    "streams",
];

/// Whether a part of that name runs programs that `build` makes.
pub(crate) fn needs_build(name: &str) -> bool {
    NEED_BUILD.iter().any(|part| name.starts_with(part) || part.starts_with(name))
}

fn tidy(_: &Plan) -> Result<Count, Skip> {
    tidy::run()?;
    Ok(Count::ONE)
}

fn format(_: &Plan) -> Result<Count, Skip> {
    run(cargo().args(["fmt", "--all", "--check"]))?;
    Ok(Count::ONE)
}

fn clippy(_: &Plan) -> Result<Count, Skip> {
    run(cargo().args([
        "clippy",
        "--quiet",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]))?;
    Ok(Count::ONE)
}

fn setup_reference(plan: &Plan) -> Result<Count, Skip> {
    println!("{}", plan.reference()?.display());
    Ok(Count::default())
}

fn setup_python(plan: &Plan) -> Result<Count, Skip> {
    println!("{}", plan.setup.python()?.display());
    Ok(Count::default())
}

fn setup_node(plan: &Plan) -> Result<Count, Skip> {
    println!("{}", plan.setup.node()?.display());
    Ok(Count::default())
}

fn build(_: &Plan) -> Result<Count, Skip> {
    run(cargo().args(["build", "--quiet", "--profile", "ci", "--workspace"]))?;
    if is_installed("cargo-nextest") {
        let words = ["nextest", "run", "--no-run", "--cargo-profile", "ci", "--workspace"];
        run(cargo().args(words))?;
    } else {
        run(cargo().args(["test", "--quiet", "--no-run", "--profile", "ci", "--workspace"]))?;
    }
    Ok(Count::default())
}

fn unit(plan: &Plan) -> Result<Count, Skip> {
    let mut command = cargo();
    if is_installed("cargo-nextest") {
        command.args(["nextest", "run", "--cargo-profile", "ci", "--workspace", "--no-fail-fast"]);
        command.args(["--status-level", "fail", "--final-status-level", "slow"]);
        command.args(["--cargo-quiet", "--no-tests", "pass"]);
    } else {
        command.args(["test", "--quiet", "--profile", "ci", "--workspace", "--no-fail-fast"]);
    }
    // A random test fails once for every step by which its input is made smaller: with a trace at each
    // of them nobody finds the input at the end.
    command.env("RUST_BACKTRACE", "0");
    counted(plan, &mut command)
}

/// Loom replaces the atomics of the crate, so it is another build, beside the others.
fn loom(plan: &Plan) -> Result<Count, Skip> {
    let mut command = cargo();
    command.args(["test", "--quiet", "--package", "base", "--release", "--lib", "lock"]);
    command.env("RUSTFLAGS", "--cfg loom").env("LOOM_MAX_PREEMPTIONS", "2");
    command.env("CARGO_TARGET_DIR", plan.scratch().join("target-loom"));
    // Linking the whole program as one unit buys nothing here.
    command
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16");
    counted(plan, &mut command)
}

fn cases_engine(plan: &Plan) -> Result<Count, Skip> {
    counted(plan, harness(plan).args(["cases", "--engine"]))
}

fn cases_server(plan: &Plan) -> Result<Count, Skip> {
    counted(plan, harness(plan).arg("cases").arg("--server").arg(plan.server()?))
}

fn cases_dialect(plan: &Plan) -> Result<Count, Skip> {
    let mut command = harness(plan);
    command.args(["cases", "--dialect", "valkey", "--server"]).arg(plan.server()?);
    counted(plan, &mut command)
}

fn cases_reference(plan: &Plan) -> Result<Count, Skip> {
    counted(plan, harness(plan).arg("cases").arg("--server").arg(plan.reference()?))
}

/// The same streams every time, so that a run tells of the change and not of luck; other seeds are
/// for those who look for more (`--seed`).
const STREAMS_SEED: u64 = 1;

fn streams(plan: &Plan) -> Result<Count, Skip> {
    let mut command = harness(plan);
    command.arg("streams").arg("--server").arg(plan.server()?);
    command.arg("--reference").arg(plan.reference()?);
    command.args(["--seed", &plan.options.seed.unwrap_or(STREAMS_SEED).to_string()]);
    counted(plan, &mut command)
}

fn journal(plan: &Plan) -> Result<Count, Skip> {
    let mut command = harness(plan);
    let seed = plan.options.seed.unwrap_or(STREAMS_SEED).to_string();
    command.args(["journal", "--count", "200", "--seed", &seed]);
    let own = counted(plan, &mut command)?;
    let mut command = harness(plan);
    command.args(["journal", "--count", "60", "--seed", &seed]);
    command.arg("--reference").arg(plan.reference()?);
    Ok(own + counted(plan, &mut command)?)
}

/// Seeds that are the same every time, and as many that are not: these find what nobody has thought of.
const SIM_SEEDS: u64 = 4000;

fn sim(plan: &Plan) -> Result<Count, Skip> {
    let seeds = SIM_SEEDS.to_string();
    let run = |from: Option<u64>| {
        let mut command = Command::new(plan.built("sim"));
        command.args(["--seeds", &seeds]);
        if let Some(from) = from {
            command.args(["--from", &from.to_string()]);
        }
        counted(plan, &mut command)
    };
    let chosen = run(Some(plan.options.seed.unwrap_or(STREAMS_SEED)))?;
    Ok(chosen + run(None)?)
}

/// How often a server is killed under each sync policy.
const KILLS: u64 = 8;

fn kills(plan: &Plan) -> Result<Count, Skip> {
    let mut command = harness(plan);
    command.arg("kills").arg("--server").arg(plan.server()?);
    command.args(["--rounds", &KILLS.to_string()]);
    command.args(["--seed", &plan.options.seed.unwrap_or(STREAMS_SEED).to_string()]);
    counted(plan, &mut command)
}

fn full_disk(plan: &Plan) -> Result<Count, Skip> {
    counted(plan, harness(plan).arg("full-disk").arg("--server").arg(plan.server()?))
}

fn dumps(plan: &Plan) -> Result<Count, Skip> {
    let mut command = harness(plan);
    command.arg("dumps").arg("--server").arg(plan.server()?);
    command.arg("--reference").arg(plan.reference()?);
    command.args(["--seed", &plan.options.seed.unwrap_or(STREAMS_SEED).to_string()]);
    counted(plan, &mut command)
}

/// Files of each kind, of either server, each twice.
const FILES: u64 = 16;

fn files(plan: &Plan) -> Result<Count, Skip> {
    let mut command = harness(plan);
    command.arg("files").arg("--server").arg(plan.server()?);
    command.arg("--reference").arg(plan.reference()?);
    command.args(["--count", &FILES.to_string()]);
    command.args(["--seed", &plan.options.seed.unwrap_or(STREAMS_SEED).to_string()]);
    counted(plan, &mut command)
}

fn django(plan: &Plan) -> Result<Count, Skip> {
    counted(plan, &mut python(plan, "django_site", None)?)
}

fn redis_py(plan: &Plan) -> Result<Count, Skip> {
    let newest = counted(plan, &mut python(plan, "redis_py", None)?)?;
    let older = plan.setup.older_redis_py()?;
    Ok(newest + counted(plan, &mut python(plan, "redis_py", Some(&older))?)?)
}

fn celery(plan: &Plan) -> Result<Count, Skip> {
    counted(plan, &mut python(plan, "celery_site", None)?)
}

fn rq(plan: &Plan) -> Result<Count, Skip> {
    counted(plan, &mut python(plan, "rq_site", None)?)
}

fn locks(plan: &Plan) -> Result<Count, Skip> {
    counted(plan, &mut python(plan, "locks", None)?)
}

fn dramatiq(plan: &Plan) -> Result<Count, Skip> {
    counted(plan, &mut python(plan, "dramatiq_site", None)?)
}

fn channels(plan: &Plan) -> Result<Count, Skip> {
    counted(plan, &mut python(plan, "channels_site", None)?)
}

fn huey(plan: &Plan) -> Result<Count, Skip> {
    counted(plan, &mut python(plan, "huey_site", None)?)
}

/// It does not take the newest redis-py.
fn arq(plan: &Plan) -> Result<Count, Skip> {
    let older = plan.setup.older_redis_py()?;
    counted(plan, &mut python(plan, "arq_site", Some(&older))?)
}

fn ioredis(plan: &Plan) -> Result<Count, Skip> {
    counted(plan, &mut node(plan, "ioredis.test.mjs")?)
}

fn node_redis(plan: &Plan) -> Result<Count, Skip> {
    counted(plan, &mut node(plan, "node-redis.test.mjs")?)
}

fn bullmq(plan: &Plan) -> Result<Count, Skip> {
    counted(plan, &mut node(plan, "bullmq.test.mjs")?)
}

fn bull(plan: &Plan) -> Result<Count, Skip> {
    counted(plan, &mut node(plan, "bull.test.mjs")?)
}

fn harness(plan: &Plan) -> Command {
    let mut command = Command::new(plan.built("harness"));
    command.current_dir(&plan.root);
    command
}

/// A suite under tests/interop/python; `packages` shadows packages of the virtual environment.
fn python(plan: &Plan, suite: &str, packages: Option<&Path>) -> Result<Command, Skip> {
    let mut command = Command::new(plan.setup.python()?);
    command.args(["run.py", suite]).current_dir(plan.root.join("tests/interop/python"));
    command.env("OCHRE_TEST_SERVER", plan.server()?);
    command.env("PYTHONDONTWRITEBYTECODE", "1").env("PYTHONUNBUFFERED", "1");
    if let Some(packages) = packages {
        command.env("PYTHONPATH", packages);
    }
    Ok(command)
}

fn node(plan: &Plan, suite: &str) -> Result<Command, Skip> {
    let folder = plan.setup.node()?;
    let mut command = Command::new("node");
    command.args(["--test", "--test-reporter=tap", suite]).current_dir(folder);
    command.env("OCHRE_TEST_SERVER", plan.server()?);
    Ok(command)
}

/// Runs tests, shows what they say, and counts; of failures the end is kept for the report.
fn counted(plan: &Plan, command: &mut Command) -> Result<Count, Skip> {
    let finished = run_and_read(command)?;
    if !finished.is_success {
        plan.keep_end(&finished.text);
    }
    match Count::read(&finished.text) {
        Some(count) if finished.is_success || 0 < count.failed => Ok(count),
        Some(_) | None => Err(Skip::Failed("the runner ended badly".to_owned())),
    }
}
