//! Files that one server writes and another loads.
//!
//! A server is filled with values of random types and sizes, in two databases, and writes a snapshot or an
//! append-only file. Then both servers are started over a copy of that folder each. Of what the writer finds
//! there nothing may be missing for the other one: DEBUG DIGEST must be the same, and so must what can be
//! asked about each key.
//!
//! The writer is asked again after its own restart because the files of Redis do not say everything: how many
//! entries a group has read is not in its journal, and entries that are pending but deleted are lost by its
//! bases of commands: these claim them, and what is claimed and deleted is dropped. Redis before 7.2 makes no
//! consumer for such a claim. What our files say is everything: here a restart must change nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use base::rand::Rng;
use tempfile::TempDir;

use crate::dumps::{Count, call, facts, has_command, value};
use crate::frame::Frame;
use crate::target::launch::Server;
use crate::target::socket::SocketTarget;
use crate::target::{Link, Target, WAIT};

/// Keys that a file holds.
const KEYS: usize = 25;
/// The database that some of them are in.
const SECOND: &str = "3";
/// Lines of a difference that are shown.
const LINES_MAX: usize = 8;
/// Whose files say everything.
const OURS: &str = "ours";
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

/// What the reference can do and does otherwise.
#[derive(Clone, Copy, Debug)]
struct Manners {
    /// Fields of its hashes have deadlines.
    times_fields: bool,
    /// A claim of nothing makes its consumer.
    claims_make_consumers: bool,
}

impl Manners {
    fn of(link: &mut (dyn Link + 'static)) -> Result<Self, String> {
        link.call(&["XGROUP", "CREATE", "k", "g", "0", "MKSTREAM"])?;
        link.call(&["XCLAIM", "k", "g", "somebody", "0", "1-1"])?;
        // Nothing is left to be made if it is there.
        let made = link.call(&["XGROUP", "CREATECONSUMER", "k", "g", "somebody"])?;
        Ok(Self {
            times_fields: has_command(link, "HPEXPIREAT")?,
            claims_make_consumers: made == Frame::Integer(0),
        })
    }
}

/// Writes and loads the files, and prints every difference.
///
/// # Errors
/// When a server does not start or goes away.
#[allow(clippy::print_stdout, reason = "what it finds is for the terminal")]
pub fn run(plan: &Plan) -> Result<Count, String> {
    println!("files: --seed {} --count {}", plan.seed, plan.count);
    let (dialect, manners) = {
        let theirs = Server::start(&plan.reference, &[])?;
        let mut target = SocketTarget::new(theirs.port)?;
        let manners = Manners::of(target.open()?.as_mut())?;
        (target.identity().name.clone(), manners)
    };
    let options = vec!["dialect".to_owned(), dialect];
    let programs = [
        Program { name: OURS, path: plan.server.clone(), options },
        Program { name: "theirs", path: plan.reference.clone(), options: Vec::new() },
    ];
    let mut count = Count { passed: 0, failed: 0 };
    for seed in plan.seed..plan.seed + plan.count {
        let (giver, taker) = (&programs[(seed % 2) as usize], &programs[(1 - seed % 2) as usize]);
        let kind = KINDS[(seed / 2 % KINDS.len() as u64) as usize];
        match carry(giver, taker, kind, seed, manners)? {
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

/// Has one server write a file, and both load it. Says what differs.
fn carry(
    giver: &Program,
    taker: &Program,
    kind: Kind,
    seed: u64,
    manners: Manners,
) -> Result<Option<String>, String> {
    let times_fields = manners.times_fields;
    let folders = [(); 3].map(|()| tempfile::tempdir());
    let [written, for_giver, for_taker] = &folders;
    let [written, for_giver, for_taker] = [written, for_giver, for_taker]
        .map(|folder| folder.as_ref().map(TempDir::path).map_err(ToString::to_string));
    let (written, for_giver, for_taker) = (written?, for_giver?, for_taker?);
    let server = start(giver, written, kind)?;
    let mut link = SocketTarget::new(server.port)?.open()?;
    fill(link.as_mut(), kind, &mut Rng::new(seed), times_fields)?;
    if kind == Kind::Snapshot && link.call(&["SAVE"])? != Frame::Simple(b"OK".to_vec()) {
        return Ok(Some(format!("it was not saved:\n{}", server.log())));
    }
    let made = contents(link.as_mut(), times_fields)?;
    drop(link);
    server.shut_down()?;
    for copy in [for_giver, for_taker] {
        copy_folder(written, copy).map_err(|error| error.to_string())?;
    }
    let (mut kept, mut taken) = match (
        load(giver, for_giver, kind, times_fields),
        load(taker, for_taker, kind, times_fields),
    ) {
        (Ok(kept), Ok(taken)) => (kept, taken),
        (Err(message), _) | (_, Err(message)) => return Ok(Some(message)),
    };
    let keeps_all = giver.name == OURS;
    let lost =
        if keeps_all { difference(&made, &kept) } else { difference(&made[..1], &kept[..1]) };
    let lost = lost.map(|lost| format!("the writer has lost something by its restart: {lost}"));
    if !keeps_all && !manners.claims_make_consumers && kind != Kind::Snapshot {
        kept.iter_mut().chain(&mut taken).flatten().for_each(forget_consumers);
    }
    Ok(lost.or_else(|| difference(&kept, &taken)))
}

/// Takes out how many consumers a group has.
fn forget_consumers(frame: &mut Frame) {
    let Frame::Array(items) = frame else { return };
    let count = items.iter().position(|item| item.text() == Some(b"consumers"));
    if let Some(item) = count.and_then(|index| items.get_mut(index + 1)) {
        *item = Frame::Null;
    }
    items.iter_mut().for_each(forget_consumers);
}

/// What a server says of a folder that it is started over.
fn load(
    program: &Program,
    folder: &Path,
    kind: Kind,
    times_fields: bool,
) -> Result<Vec<Vec<Frame>>, String> {
    let server = start(program, folder, kind)?;
    let mut link = SocketTarget::new(server.port)?.open()?;
    contents(link.as_mut(), times_fields)
}

fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            fs::create_dir(&target)?;
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// The first thing that differs, as the lines of both that do.
fn difference(given: &[Vec<Frame>], taken: &[Vec<Frame>]) -> Option<String> {
    assert_eq!(given.len(), taken.len());
    let (given, taken) = given.iter().zip(taken).find(|(given, taken)| given != taken)?;
    let lines = |frames: &[Frame]| -> Vec<String> {
        let text: String = frames.iter().map(Frame::notation).collect();
        text.lines().map(str::to_owned).collect()
    };
    let (given, taken) = (lines(given), lines(taken));
    let differing =
        given.iter().zip(&taken).enumerate().filter(|(_, (given, taken))| given != taken);
    let mut text = format!("{} lines and {}", given.len(), taken.len());
    for (number, (given, taken)) in differing.take(LINES_MAX) {
        text.push_str(&format!("\nline {number}: kept {given}, taken {taken}"));
    }
    Some(text)
}

fn start(program: &Program, folder: &Path, kind: Kind) -> Result<Server, String> {
    let mut options = program.options.clone();
    if kind != Kind::Snapshot {
        let has_preamble = if kind == Kind::RewrittenAsCommands { "no" } else { "yes" };
        // Each server is shut down in order, so that no command need wait for the disk.
        let pairs =
            [("appendonly", "yes"), ("appendfsync", "no"), ("aof-use-rdb-preamble", has_preamble)];
        options.extend(
            pairs.iter().flat_map(|(name, value)| [(*name).to_owned(), (*value).to_owned()]),
        );
    }
    Server::start_in(folder, &program.path, &options)
}

/// Makes a function and values at keys `0`, `1` …, and has the file rewritten half way if that is wanted.
fn fill(
    link: &mut (dyn Link + 'static),
    kind: Kind,
    rng: &mut Rng,
    times_fields: bool,
) -> Result<(), String> {
    let code = format!(
        "#!lua name=number\nredis.register_function('number', function() return {} end)",
        rng.below(1 << 40)
    );
    link.call(&["FUNCTION", "LOAD", &code])?;
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
        if is_in_second(number) && link.call(&["MOVE", &key, SECOND])? != Frame::Integer(1) {
            return Err(format!("the key {key} was not moved"));
        }
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
    let mut of_all = vec![link.call(&["FCALL", "number", "0"])?, link.call(&["DEBUG", "DIGEST"])?];
    for db in ["0", SECOND] {
        link.call(&["SELECT", db])?;
        of_all.push(link.call(&["DBSIZE"])?);
    }
    let mut contents = vec![of_all];
    for number in 0..KEYS {
        let key = number.to_string();
        link.call(&["SELECT", if is_in_second(number) { SECOND } else { "0" }])?;
        let mut known = facts(link, &key, times_fields)?;
        known.push(link.call(&["PEXPIRETIME", &key])?);
        contents.push(known);
    }
    Ok(contents)
}

/// Whether a key is in the second database.
fn is_in_second(number: usize) -> bool {
    number % 5 == 4
}
