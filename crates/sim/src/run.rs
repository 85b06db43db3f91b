//! One run: several lives of a server on one disk, and what must hold after each death.

use crate::contents::Contents;
use crate::disk::{Faults, Lies, Nature, SimDisk};
use crate::keeper::Keeper;
use crate::model::{Model, Wrong};
use crate::node::{self, Node};
use crate::restart;
use crate::saving::{Form, Saving};
use crate::trace::Trace;
use crate::workload::Workload;
use base::clock::{Clock, ManualClock};
use base::rand::Rng;
use engine::Engine;
use engine::cut::Purpose;
use persist::aof::{self, LoadError, Place, Wrong as Damage};
use persist::disk::Disk;
use persist::manifest::Manifest;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// When every run begins, in Unix milliseconds.
const START_MS: u64 = 1_700_000_000_000;

/// After so many attempts a start that goes wrong will never go right.
const STARTS_MAX: usize = 20;

/// Files that may lie about and belong to nothing: each is overwritten by the next of its kind.
const UNNAMED_MAX: usize = 4;

/// How often a disk that is well is asked for the same.
const ATTEMPTS_MAX: usize = 3;

/// What a snapshot is called while it is written.
const SNAPSHOT_TEMPORARY: &str = "data/temp-1.rdb";

/// What may be asked of a run beside its seed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Promises that the disk breaks.
    pub lies: Lies,
    /// Calls are taken for safe once they are written.
    pub acknowledges_early: bool,
}

/// What happened in a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub seeds: u64,
    pub lives: u64,
    /// Things that clients did.
    pub steps: u64,
    /// Operations of the disk.
    pub operations: u64,
    pub power_cuts: u64,
    /// Lives that ended because the process was killed.
    pub kills: u64,
    /// Rewrites that ended well.
    pub rewrites: u64,
    /// Snapshots that ended well.
    pub snapshots: u64,
    /// Those that the disk did not take.
    pub failed_snapshots: u64,
    /// What the disk refused while it had power.
    pub faults: u64,
    /// Starts for which a file had to be mended first.
    pub mended: u64,
}

impl Counts {
    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            seeds: self.seeds + other.seeds,
            lives: self.lives + other.lives,
            steps: self.steps + other.steps,
            operations: self.operations + other.operations,
            power_cuts: self.power_cuts + other.power_cuts,
            kills: self.kills + other.kills,
            rewrites: self.rewrites + other.rewrites,
            snapshots: self.snapshots + other.snapshots,
            failed_snapshots: self.failed_snapshots + other.failed_snapshots,
            faults: self.faults + other.faults,
            mended: self.mended + other.mended,
        }
    }
}

/// What must not happen.
#[derive(Debug)]
pub enum Failure {
    /// A base, or a snapshot, is not what there was when it was begun.
    Cut(Vec<String>),
    /// What was found after a crash is wrong.
    Found(Wrong),
    /// Though a snapshot has failed, or none has, a write was answered with this.
    Heard(Vec<u8>),
    /// These files are left.
    Litter(Vec<(String, usize)>),
    /// The files cannot be loaded, though nothing but torn ends can be wrong with them.
    Load(LoadError),
    /// The disk is well again, and still not everything can be made safe.
    Stuck(io::Error),
    /// Something changed, and nothing was recorded.
    Unrecorded(Vec<String>),
}

/// Runs a seed.
///
/// # Errors
/// What has gone wrong.
pub fn run(seed: u64, options: Options, trace: &Trace) -> Result<Counts, Failure> {
    let mut rng = Rng::new(seed);
    let clock = Arc::new(ManualClock::new(START_MS));
    let nature = Nature::draw(&mut rng);
    let disk = SimDisk::new(rng.next_u64(), nature, Arc::clone(&clock), trace.clone());
    let workload = Workload::draw(&mut rng);
    let faults = if rng.below(2) == 0 { Faults::draw(&mut rng) } else { Faults::default() };
    trace.note(|| format!("seed {seed}: {nature:?}, {faults:?}"));
    let world = World { clock, disk, workload, faults, options, trace: trace.clone() };
    world.begin();
    let mut past = Past {
        model: Model::default(),
        counts: Counts::default(),
        is_torn_only: true,
        has_lost_power: true,
        snapshots: Snapshots::default(),
    };
    for _ in 0..2 + rng.below(4) {
        world.live(&mut past, &mut rng)?;
    }
    // What the last life has left.
    world.start(&mut past, &mut rng, |_, _, _, _| Ok(true))?;
    past.counts.seeds = 1;
    past.counts.operations = world.disk.operations();
    Ok(past.counts)
}

/// What stays while servers come and go.
struct World {
    clock: Arc<ManualClock>,
    disk: SimDisk,
    workload: Workload,
    /// How things go wrong when they do.
    faults: Faults,
    options: Options,
    trace: Trace,
}

/// What is known of the lives so far.
struct Past {
    model: Model,
    counts: Counts,
    /// Nothing but the ends of files can be wrong.
    is_torn_only: bool,
    /// Since anything was found.
    has_lost_power: bool,
    snapshots: Snapshots,
}

/// What the file of the last snapshot may hold.
#[derive(Default)]
struct Snapshots {
    /// That of the last that ended well.
    safe: Option<Contents>,
    /// Those that were begun since: the power may have failed when they had their names.
    begun: Vec<Contents>,
}

/// A server that is up.
struct Life<'l> {
    engine: &'l Engine,
    node: Node<'l>,
    keeper: Keeper<'l>,
    snapshot: Option<Saving>,
    /// What an earlier life has left where the snapshot is written.
    leftover: Option<Vec<u8>>,
}

fn place() -> Place {
    Place { folder: PathBuf::from("data/appendonlydir"), name: "appendonly.aof".to_owned() }
}

fn snapshot_path() -> PathBuf {
    PathBuf::from("data/dump.rdb")
}

impl World {
    /// The folder that was made when the server was installed.
    fn begin(&self) {
        let made = self.disk.create_folder(Path::new("data"));
        made.and_then(|()| self.disk.sync_folder(Path::new(""))).expect("the disk is well yet");
        self.disk.set_lies(self.options.lies);
    }

    /// A server starts, works, and dies.
    fn live(&self, past: &mut Past, rng: &mut Rng) -> Result<(), Failure> {
        past.counts.lives += 1;
        self.start(past, rng, |engine, manifest, past, rng| {
            let keeper = match Keeper::open(engine, self.disk.clone(), place(), manifest) {
                Ok(keeper) => keeper,
                Err(error) => {
                    self.note_refusal("open", &error, past);
                    // It ends. If a sync has failed, nobody can tell what the next start would see that
                    // is not on the platter.
                    if !self.disk.is_off() && !self.disk.end_process() {
                        self.disk.cut_power();
                    }
                    return Ok(false);
                }
            };
            let node = Node::new(engine, self.trace.clone());
            let mut life = Life { engine, node, keeper, snapshot: None, leftover: None };
            past.model.opened();
            past.model.acknowledged(life.keeper.synced());
            self.work(&mut life, past, rng)?;
            self.die(&mut life, past, rng)?;
            Ok(true)
        })
    }

    /// Starts a server as often as it takes until `then` has worked with it.
    fn start(
        &self,
        past: &mut Past,
        rng: &mut Rng,
        mut then: impl FnMut(&Engine, Option<Manifest>, &mut Past, &mut Rng) -> Result<bool, Failure>,
    ) -> Result<(), Failure> {
        for attempt in 0..STARTS_MAX {
            if self.disk.is_off() {
                self.restore_power(past);
            }
            // At first a start may go wrong too.
            let is_calm = STARTS_MAX / 2 < attempt || rng.below(3) != 0;
            self.set_faults(if is_calm { Faults::default() } else { self.faults });
            if !is_calm && rng.below(2) == 0 {
                self.disk.cut_power_after(rng.below(40));
            }
            let engine = node::engine(rng.next_u64(), Arc::clone(&self.clock));
            let Some(manifest) = self.load(&engine, past, is_calm)? else { continue };
            if then(&engine, manifest, past, rng)? {
                return Ok(());
            }
        }
        Err(Failure::Stuck(io::Error::other("it does not start")))
    }

    /// Loads the files, and compares; the manifest, or nothing if the disk did not let it.
    fn load(
        &self,
        engine: &Engine,
        past: &mut Past,
        is_calm: bool,
    ) -> Result<Option<Option<Manifest>>, Failure> {
        let error = match restart::load(engine, &self.disk, &place()) {
            Ok(manifest) => {
                let (contents, now_ms) = (Contents::of(engine), self.clock.wall_ms());
                self.trace.note(|| format!("{} marks are found", contents.len()));
                let found = past.model.found(&contents, now_ms, past.has_lost_power);
                found.inspect_err(|_| self.note_files()).map_err(Failure::Found)?;
                past.is_torn_only = true;
                self.check_snapshot(past)?;
                return Ok(Some(manifest));
            }
            Err(error) => error,
        };
        self.trace.note(|| format!("load fails: {error}"));
        if self.disk.is_off() || (!is_calm && matches!(error.wrong, Damage::Io(_))) {
            past.counts.faults += u64::from(!self.disk.is_off());
            return Ok(None);
        }
        // A torn value that holds whole commands up to its torn end looks like one whose length is wrong.
        let is_mistaken = matches!(error.wrong, Damage::Damaged(_, aof::Damage::Length));
        if past.is_torn_only && !is_mistaken {
            self.note_files();
            return Err(Failure::Load(error));
        }
        self.set_faults(Faults::default());
        past.counts.mended += 1;
        match restart::mend(&self.disk, &error) {
            Err(_) if !self.disk.is_off() => Err(Failure::Load(error)),
            _ => Ok(None),
        }
    }

    fn work(&self, life: &mut Life<'_>, past: &mut Past, rng: &mut Rng) -> Result<(), Failure> {
        let steps = 5 + rng.below(120);
        if rng.below(2) == 0 {
            self.disk.cut_power_after(rng.below(steps * 2));
        }
        for _ in 0..steps {
            self.step(life, past, rng)?;
            let safe = match self.options.acknowledges_early {
                true => life.keeper.written(),
                false => life.keeper.synced(),
            };
            past.model.acknowledged(safe);
            if self.disk.is_off() {
                break;
            }
        }
        Ok(())
    }

    fn step(&self, life: &mut Life<'_>, past: &mut Past, rng: &mut Rng) -> Result<(), Failure> {
        let keeper = &mut life.keeper;
        let outcome = match rng.below(24) {
            0..12 => {
                past.counts.steps += 1;
                life.node.step(&self.workload, rng);
                return self.look(life, past);
            }
            12 => {
                life.node.tend(rng);
                return self.look(life, past);
            }
            13..17 => keeper.write(1 + rng.index(4)).map_err(|error| ("write", error)),
            17..20 => keeper.sync().map_err(|error| ("sync", error)),
            20..22 => {
                return match rng.below(2) {
                    0 => self.go_on_with_snapshot(life, past, rng),
                    _ => self.go_on(life, past, rng),
                };
            }
            22 => {
                self.pass_time(rng);
                return Ok(());
            }
            _ => {
                self.change_weather(rng);
                return Ok(());
            }
        };
        if let Err((what, error)) = outcome {
            self.note_refusal(what, &error, past);
        }
        Ok(())
    }

    /// What has changed was recorded, and nothing else has changed.
    fn look(&self, life: &mut Life<'_>, past: &mut Past) -> Result<(), Failure> {
        let contents = Contents::of(life.engine);
        if life.keeper.take() {
            past.model.changed(life.keeper.taken(), contents);
            return Ok(());
        }
        match past.model.difference(&contents, self.clock.wall_ms()) {
            None => Ok(()),
            Some(difference) => Err(Failure::Unrecorded(difference)),
        }
    }

    /// Goes on with a rewrite, or begins one, or tidies up.
    fn go_on(&self, life: &mut Life<'_>, past: &mut Past, rng: &mut Rng) -> Result<(), Failure> {
        let keeper = &mut life.keeper;
        let outcome = if keeper.is_rewriting() {
            match rng.below(12) {
                0 => {
                    keeper.give_up_rewrite();
                    Ok(false)
                }
                1..5 => keeper.go_on(usize::MAX),
                _ => keeper.go_on(1 + rng.index(4)),
            }
            .map(|is_done| past.counts.rewrites += u64::from(is_done))
        } else if life.snapshot.is_none() && (keeper.is_in_doubt() || rng.below(3) == 0) {
            let form = if rng.below(4) == 0 { Form::Commands } else { Form::Snapshot };
            self.trace.note(|| format!("a cut is taken, for a base of {form:?}"));
            keeper.begin_rewrite(form);
            Ok(())
        } else {
            keeper.tidy()
        };
        if let Err(error) = outcome {
            self.note_refusal("rewrite", &error, past);
        }
        let difference = keeper.take_wrong();
        if difference.is_empty() { Ok(()) } else { Err(Failure::Cut(difference)) }
    }

    /// Goes on with a snapshot, or begins one.
    fn go_on_with_snapshot(
        &self,
        life: &mut Life<'_>,
        past: &mut Past,
        rng: &mut Rng,
    ) -> Result<(), Failure> {
        let author = life.keeper.author();
        let Some(saving) = &mut life.snapshot else {
            if !life.keeper.is_rewriting() && rng.below(3) == 0 {
                self.trace.note(|| "a cut is taken, for a snapshot".to_owned());
                let temporary = PathBuf::from(SNAPSHOT_TEMPORARY);
                life.leftover = self.disk.bytes(&temporary);
                let author = life.keeper.author();
                let saving = author.begin(Purpose::Snapshot, Form::Snapshot, temporary);
                past.snapshots.begun.push(saving.contents().clone());
                life.snapshot = Some(saving.named(snapshot_path()));
            }
            return Ok(());
        };
        let before = self.disk.bytes(&snapshot_path());
        let steps = if rng.below(3) == 0 { usize::MAX } else { 1 + rng.index(4) };
        let outcome = author.go_on(saving, steps);
        if let Ok(false) = outcome {
            return Ok(());
        }
        let Some(saving) = life.snapshot.take() else { return Ok(()) };
        life.engine.cuts.set_failed(outcome.is_err());
        let contents = saving.contents().clone();
        if let Err(error) = outcome {
            author.give_up(saving);
            self.note_refusal("snapshot", &error, past);
            if self.disk.is_off() {
                return Ok(());
            }
            self.check_failed_snapshot(life, before.as_ref(), &contents)?;
            past.counts.failed_snapshots += 1;
        } else {
            let difference = author.difference(&snapshot_path(), &contents);
            past.snapshots = Snapshots { safe: Some(contents), begun: Vec::new() };
            past.counts.snapshots += 1;
            if !difference.is_empty() {
                return Err(Failure::Cut(difference));
            }
        }
        self.check_admission(life, past)
    }

    /// Of a snapshot that has failed nothing is left, and the one before is as it was.
    fn check_failed_snapshot(
        &self,
        life: &mut Life<'_>,
        before: Option<&Vec<u8>>,
        contents: &Contents,
    ) -> Result<(), Failure> {
        let left = self.disk.bytes(Path::new(SNAPSHOT_TEMPORARY));
        // It may not even have been begun.
        let is_old = left.is_some() && left == life.leftover;
        if let Some(left) = left.filter(|_| self.faults.remove == 0 && !is_old) {
            return Err(Failure::Litter(vec![(SNAPSHOT_TEMPORARY.to_owned(), left.len())]));
        }
        if self.disk.bytes(&snapshot_path()).as_ref() == before {
            return Ok(());
        }
        // It had its name, and only that could not be made safe.
        match life.keeper.author().difference(&snapshot_path(), contents) {
            difference if difference.is_empty() && self.faults.sync_folder != 0 => Ok(()),
            difference => Err(Failure::Cut(difference)),
        }
    }

    /// Whether clients may write is as the settings say and the last snapshot has ended.
    fn check_admission(&self, life: &mut Life<'_>, past: &mut Past) -> Result<(), Failure> {
        let is_refused =
            life.engine.cuts.has_failed() && life.engine.settings().snapshot_failure_stops_writes;
        let reply = life.node.ask(0, &node::words("SET s0 written"));
        if reply.starts_with(b"-MISCONF ") != is_refused {
            return Err(Failure::Heard(reply));
        }
        self.look(life, past)
    }

    /// The file of the last snapshot is whole, whatever has happened.
    fn check_snapshot(&self, past: &Past) -> Result<(), Failure> {
        let Snapshots { safe, begun } = &past.snapshots;
        let found = match restart::read(&self.disk, &snapshot_path()) {
            Err(_) if safe.is_none() && self.disk.bytes(&snapshot_path()).is_none() => {
                return Ok(());
            }
            Err(problem) => return Err(Failure::Cut(vec![problem])),
            Ok(found) => found,
        };
        let mut possible = safe.iter().chain(begun);
        match possible.any(|contents| contents.difference(&found, 0).is_empty()) {
            true => Ok(()),
            false => Err(Failure::Cut(vec!["the last snapshot is none of those".to_owned()])),
        }
    }

    fn pass_time(&self, rng: &mut Rng) {
        if rng.below(4) == 0 {
            let distance = up_to(23, rng);
            let now_ms = self.clock.wall_ms();
            let jumped = if rng.below(2) == 0 { now_ms + distance } else { now_ms - distance };
            self.clock.set_wall_ms(jumped);
        } else {
            let duration_us = up_to(22, rng);
            self.clock.advance_us(duration_us);
        }
        self.trace.note(|| format!("the wall clock shows {}", self.clock.wall_ms()));
    }

    /// Things begin to go wrong, or go well again.
    fn change_weather(&self, rng: &mut Rng) {
        let is_calm = rng.below(2) == 0;
        self.set_faults(if is_calm { Faults::default() } else { self.faults });
        if !is_calm && self.faults != Faults::default() && rng.below(3) == 0 {
            self.disk.set_space(Some(rng.index(2000)));
        }
    }

    fn set_faults(&self, faults: Faults) {
        self.disk.set_faults(faults);
        self.disk.set_space(None);
        self.trace.note(|| format!("the disk is {faults:?}"));
    }

    /// The server ends, one way or the other.
    fn die(&self, life: &mut Life<'_>, past: &mut Past, rng: &mut Rng) -> Result<(), Failure> {
        let how = rng.below(4);
        if !self.disk.is_off() && how < 2 {
            self.settle(life, past)?;
        }
        if !self.disk.is_off() && how.is_multiple_of(2) {
            self.trace.note(|| "the process is killed".to_owned());
            if self.disk.end_process() {
                past.model.killed(life.keeper.written());
                past.counts.kills += 1;
                past.has_lost_power = false;
                return Ok(());
            }
        }
        self.disk.cut_power();
        self.restore_power(past);
        Ok(())
    }

    /// The disk is well, and a while later everything is safe.
    fn settle(&self, life: &mut Life<'_>, past: &mut Past) -> Result<(), Failure> {
        self.trace.note(|| "everything is made safe".to_owned());
        self.set_faults(Faults::default());
        for attempt in 1.. {
            match life.keeper.settle() {
                Ok(()) => break,
                Err(_) if self.disk.is_off() => return Ok(()),
                Err(error) if attempt == ATTEMPTS_MAX => return Err(Failure::Stuck(error)),
                Err(error) => self.note_refusal("settle", &error, past),
            }
        }
        past.model.acknowledged(life.keeper.taken());
        let mut files = self.disk.files();
        let folder = place().folder;
        files.retain(|(path, _)| Path::new(path).starts_with(&folder) && !life.keeper.names(path));
        if UNNAMED_MAX < files.len() { Err(Failure::Litter(files)) } else { Ok(()) }
    }

    fn restore_power(&self, past: &mut Past) {
        past.is_torn_only &= self.disk.restore_power();
        past.model.power_failed();
        past.counts.power_cuts += 1;
        past.has_lost_power = true;
    }

    fn note_files(&self) {
        for (path, _) in self.disk.files() {
            self.trace.note(|| {
                let bytes = self.disk.bytes(Path::new(&path)).unwrap_or_default();
                format!("{path}: {}", bytes.escape_ascii())
            });
        }
    }

    fn note_refusal(&self, what: &str, error: &io::Error, past: &mut Past) {
        self.trace.note(|| format!("{what} fails: {error}"));
        past.counts.faults += u64::from(!self.disk.is_off());
    }
}

/// A number of any size up to so many bits.
fn up_to(bits: u64, rng: &mut Rng) -> u64 {
    let bound = 1 << rng.below(bits);
    rng.below(bound)
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cut(difference) => {
                write!(formatter, "a file holds another moment: {}", difference.join(", "))
            }
            Self::Found(Wrong::Lost { moment, floor }) => write!(
                formatter,
                "what was acknowledged is lost: moment {moment} was found, {floor} was safe"
            ),
            Self::Found(Wrong::Never { moment, floor, difference }) => write!(
                formatter,
                "what was found was never there; nearest is moment {moment} ({floor} was safe), but {}",
                difference.join(", ")
            ),
            Self::Heard(reply) => {
                write!(formatter, "a write was answered with {}", reply.escape_ascii())
            }
            Self::Litter(files) => write!(formatter, "files are left behind: {files:?}"),
            Self::Load(problem) => {
                write!(formatter, "it cannot be loaded: {problem} ({:?})", problem.wrong)
            }
            Self::Stuck(error) => write!(formatter, "the disk is well, and still: {error}"),
            Self::Unrecorded(difference) => {
                write!(formatter, "changed and not recorded: {}", difference.join(", "))
            }
        }
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests;
