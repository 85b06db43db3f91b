//! Files that one server writes and another loads.
//!
//! A server is filled with values of random types and sizes, and writes a snapshot or an append-only file. The
//! other one is started over that folder. DEBUG DIGEST must be the same, and so must what can be asked
//! about each key.

use std::path::{Path, PathBuf};
use std::time::Instant;

use base::rand::Rng;

use crate::dumps::{Count, call, facts, has_command, value};
use crate::frame::Frame;
use crate::target::launch::Server;
use crate::target::socket::SocketTarget;
use crate::target::{Link, Target, WAIT};

/// Keys that a file holds.
const KEYS: usize = 25;
/// After so many differences the run ends: they will be the same.
const FAILURES_MAX: u64 = 3;

pub struct Plan {
    pub server: PathBuf,
    pub reference: PathBuf,
    pub seed: u64,
    pub count: u64,
}

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// An append-only file that was never rewritten.
    Journal,
    /// One with a base of commands, and what came after it.
    RewrittenAsCommands,
    /// One with a base that is a snapshot.
    RewrittenAsSnapshot,
    Snapshot,
}

const KINDS: [Kind; 4] =
    [Kind::Snapshot, Kind::Journal, Kind::RewrittenAsCommands, Kind::RewrittenAsSnapshot];

/// A program, and the settings that it is started with.
struct Program {
    name: &'static str,
    path: PathBuf,
    options: Vec<String>,
}

/// Writes and loads the files, and prints every difference.
///
/// # Errors
/// When a server does not start or goes away.
#[allow(clippy::print_stdout, reason = "what it finds is for the terminal")]
pub fn run(plan: &Plan) -> Result<Count, String> {
    println!("files: --seed {} --count {}", plan.seed, plan.count);
    let (dialect, times_fields) = {
        let theirs = Server::start(&plan.reference, &[])?;
        let mut target = SocketTarget::new(theirs.port)?;
        let times_fields = has_command(target.open()?.as_mut(), "HPEXPIREAT")?;
        (target.identity().name.clone(), times_fields)
    };
    let options = vec!["dialect".to_owned(), dialect];
    let programs = [
        Program { name: "ours", path: plan.server.clone(), options },
        Program { name: "theirs", path: plan.reference.clone(), options: Vec::new() },
    ];
    let mut count = Count { passed: 0, failed: 0 };
    for seed in plan.seed..plan.seed + plan.count {
        let (giver, taker) = (&programs[(seed % 2) as usize], &programs[(1 - seed % 2) as usize]);
        let kind = KINDS[(seed / 2 % KINDS.len() as u64) as usize];
        match carry(giver, taker, kind, seed, times_fields)? {
            None => count.passed += 1,
            Some(difference) => {
                let from = giver.name;
                println!("\nwith --seed {seed} --count 1, {kind:?} from {from}: {difference}");
                count.failed += 1;
            }
        }
        if count.failed == FAILURES_MAX {
            break;
        }
    }
    Ok(count)
}

/// Has one server write a file, and the other load it. Says what differs.
fn carry(
    giver: &Program,
    taker: &Program,
    kind: Kind,
    seed: u64,
    times_fields: bool,
) -> Result<Option<String>, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let server = start(giver, folder.path(), kind)?;
    let mut link = SocketTarget::new(server.port)?.open()?;
    fill(link.as_mut(), kind, &mut Rng::new(seed), times_fields)?;
    if kind == Kind::Snapshot && link.call(&["SAVE"])? != Frame::Simple(b"OK".to_vec()) {
        return Ok(Some(format!("it was not saved:\n{}", server.log())));
    }
    let given = contents(link.as_mut(), times_fields)?;
    drop(link);
    server.kill()?;
    let server = match start(taker, folder.path(), kind) {
        Ok(server) => server,
        Err(message) => return Ok(Some(message)),
    };
    let mut link = SocketTarget::new(server.port)?.open()?;
    let taken = contents(link.as_mut(), times_fields)?;
    let differences = given.iter().zip(&taken).filter(|(given, taken)| given != taken);
    Ok(differences
        .map(|(given, taken)| format!("\ngiven: {given:?}\ntaken: {taken:?}"))
        .next()
        .or_else(|| (given.len() != taken.len()).then(|| "there are more keys".to_owned())))
}

fn start(program: &Program, folder: &Path, kind: Kind) -> Result<Server, String> {
    let mut options = program.options.clone();
    if kind != Kind::Snapshot {
        let has_preamble = if kind == Kind::RewrittenAsCommands { "no" } else { "yes" };
        let pairs = [
            ("appendonly", "yes"),
            ("appendfsync", "always"),
            ("aof-use-rdb-preamble", has_preamble),
        ];
        options.extend(
            pairs.iter().flat_map(|(name, value)| [(*name).to_owned(), (*value).to_owned()]),
        );
    }
    Server::start_in(folder, &program.path, &options)
}

/// Makes values at keys `0`, `1` …, and has the file rewritten half way if that is wanted.
fn fill(
    link: &mut (dyn Link + 'static),
    kind: Kind,
    rng: &mut Rng,
    times_fields: bool,
) -> Result<(), String> {
    for number in 0..KEYS {
        for words in value(rng, times_fields) {
            let reply = call(link, &words)?;
            if reply.is_error() {
                return Err(format!("{} was refused: {reply:?}", words[0].escape_ascii()));
            }
        }
        let key = number.to_string();
        link.call(&["RENAME", "k", &key])?;
        if rng.below(4) == 0 {
            let deadline = (4_000_000_000_000 + rng.below(1 << 40)).to_string();
            link.call(&["PEXPIREAT", &key, &deadline])?;
        }
        let is_rewritten = matches!(kind, Kind::RewrittenAsCommands | Kind::RewrittenAsSnapshot);
        if number == KEYS / 2 && is_rewritten {
            rewrite(link)?;
        }
    }
    Ok(())
}

fn rewrite(link: &mut (dyn Link + 'static)) -> Result<(), String> {
    link.call(&["BGREWRITEAOF"])?;
    let started = Instant::now();
    while started.elapsed() < WAIT {
        let info = link.call(&["INFO", "persistence"])?;
        let text = String::from_utf8_lossy(info.text().unwrap_or_default()).into_owned();
        let is = |field: &str| text.contains(&format!("{field}:0\r\n"));
        if is("aof_rewrite_in_progress") && is("aof_rewrite_scheduled") {
            return Ok(());
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    Err("the append-only file is rewritten for ever".to_owned())
}

/// All that must be the same on both servers: of everything, and key by key.
fn contents(
    link: &mut (dyn Link + 'static),
    times_fields: bool,
) -> Result<Vec<Vec<Frame>>, String> {
    let mut contents = vec![vec![link.call(&["DBSIZE"])?]];
    for number in 0..KEYS {
        let key = number.to_string();
        let mut known = facts(link, &key, times_fields)?;
        known.push(link.call(&["PEXPIRETIME", &key])?);
        contents.push(known);
    }
    contents.push(vec![link.call(&["DEBUG", "DIGEST"])?]);
    Ok(contents)
}
