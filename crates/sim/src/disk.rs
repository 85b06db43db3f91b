//! A disk that forgets, tears, fails and fills up, as its seed says.
//!
//! Programs see every change at once. On the platter is only what was synced: the bytes of a file by its own
//! sync, its name by that of its folder. When the power fails, some of the rest is there, and some is not
//! ([`Nature`]). Calls fail now and then ([`Faults`]); a write to a disk that has become full is cut short.
//! Every call counts as one operation, and the power can be made to fail in the middle of any
//! ([`SimDisk::cut_power_after`]); from then on each call fails until [`SimDisk::restore_power`].

mod content;
mod names;
mod nature;

#[cfg(test)]
mod tests;

pub use nature::{Faults, Holes, Lies, Nature, Order};

use crate::trace::Trace;
use base::clock::ManualClock;
use base::rand::Rng;
use content::Content;
use names::{FileId, Names, folder_of};
use parking_lot::Mutex;
use persist::disk::{Disk, Input, Output};
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Arc;

/// The system's number for "no space left on device".
const ENOSPC: i32 = 28;
/// The system's number for "input/output error".
const EIO: i32 = 5;

/// A disk, shared by all who hold it.
#[derive(Clone)]
pub struct SimDisk {
    machine: Arc<Mutex<Machine>>,
}

struct Machine {
    rng: Rng,
    clock: Arc<ManualClock>,
    trace: Trace,
    nature: Nature,
    faults: Faults,
    lies: Lies,
    files: BTreeMap<FileId, Content>,
    names: Names,
    next_file: FileId,
    /// Bytes that all files together may have.
    space: Option<usize>,
    /// Microseconds that one operation takes at most.
    slowness_us: u64,
    /// How often it was switched on: files that were open before are no more.
    boot: u64,
    is_off: bool,
    /// Operations until the power fails.
    left: Option<u64>,
    operations: u64,
}

/// Whether an operation takes its course.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Course {
    /// It happens, and while it does the power fails.
    Last,
    Normal,
}

impl SimDisk {
    /// An empty disk. Operations take time of `clock`.
    pub fn new(seed: u64, nature: Nature, clock: Arc<ManualClock>, trace: Trace) -> Self {
        let machine = Machine {
            rng: Rng::new(seed),
            clock,
            trace,
            nature,
            faults: Faults::default(),
            lies: Lies::default(),
            files: BTreeMap::new(),
            names: Names::default(),
            next_file: 1,
            space: None,
            slowness_us: 100,
            boot: 0,
            is_off: false,
            left: None,
            operations: 0,
        };
        Self { machine: Arc::new(Mutex::new(machine)) }
    }

    /// How often calls fail from now on.
    pub fn set_faults(&self, faults: Faults) {
        self.machine.lock().faults = faults;
    }

    /// What it only pretends to do.
    pub fn set_lies(&self, lies: Lies) {
        self.machine.lock().lies = lies;
    }

    /// How many bytes fit beside those that are there; `None`: any number.
    pub fn set_space(&self, more: Option<usize>) {
        let mut machine = self.machine.lock();
        machine.space = more.map(|more| machine.used() + more);
    }

    /// How long an operation takes at most.
    pub fn set_slowness_us(&self, slowness_us: u64) {
        self.machine.lock().slowness_us = slowness_us;
    }

    /// The power fails in the middle of the operation after so many others.
    pub fn cut_power_after(&self, operations: u64) {
        self.machine.lock().left = Some(operations);
    }

    /// The power fails now.
    pub fn cut_power(&self) {
        self.machine.lock().is_off = true;
    }

    /// Power comes back: of what was not synced, luck decides. Whether files miss nothing but their ends.
    pub fn restore_power(&self) -> bool {
        self.machine.lock().reboot()
    }

    /// The process that used it ends: the files that it had open are no more. What the system has seen
    /// stays seen, unless a sync has failed: nobody could tell then what is still to come to the platter.
    /// So `false`, and nothing happens, in that case.
    pub fn end_process(&self) -> bool {
        self.machine.lock().end_process()
    }

    /// Whether the power has failed.
    pub fn is_off(&self) -> bool {
        self.machine.lock().is_off
    }

    /// Operations so far.
    pub fn operations(&self) -> u64 {
        self.machine.lock().operations
    }

    /// The names of all files, with their lengths.
    pub fn files(&self) -> Vec<(String, usize)> {
        let machine = self.machine.lock();
        let len = |file| machine.files.get(&file).map_or(0, Content::len);
        machine.names.files().map(|(path, file)| (path.display().to_string(), len(file))).collect()
    }

    /// A file's bytes, as programs see them.
    pub fn bytes(&self, path: &Path) -> Option<Vec<u8>> {
        let machine = self.machine.lock();
        let file = machine.names.find(path)?;
        Some(machine.files.get(&file)?.bytes().to_vec())
    }
}

impl Machine {
    /// Begins an operation on files that were opened in this boot.
    fn begin(&mut self, boot: u64, what: impl FnOnce() -> String) -> io::Result<Course> {
        if self.is_off || boot != self.boot {
            return Err(power_is_off());
        }
        self.operations += 1;
        self.clock.advance_us(self.rng.below(self.slowness_us + 1));
        let course = match &mut self.left {
            Some(0) => Course::Last,
            Some(left) => {
                *left -= 1;
                Course::Normal
            }
            None => Course::Normal,
        };
        self.is_off = course == Course::Last;
        let operations = self.operations;
        self.trace.note(|| {
            let end = if course == Course::Last { ", and the power fails" } else { "" };
            format!("disk {operations}: {}{end}", what())
        });
        Ok(course)
    }

    /// Whether what fails now and then fails now.
    fn fails(&mut self, chance: impl Fn(&Faults) -> u32) -> bool {
        let chance = chance(&self.faults);
        let fails = chance != 0 && self.rng.below(u64::from(chance)) == 0;
        if fails {
            self.trace.note(|| "disk: it fails".to_owned());
        }
        fails
    }

    fn used(&self) -> usize {
        self.names.files().filter_map(|(_, file)| self.files.get(&file)).map(Content::len).sum()
    }

    fn end_process(&mut self) -> bool {
        self.forget_unnamed();
        let is_whole = !self.files.values().any(Content::has_lost);
        self.boot += u64::from(is_whole);
        is_whole
    }

    /// Files without a name are gone once nobody has them open.
    fn forget_unnamed(&mut self) {
        let named = self.names.all_files();
        self.files.retain(|file, _| named.contains(file));
    }

    fn reboot(&mut self) -> bool {
        self.names.crash(self.nature, &mut self.rng);
        self.forget_unnamed();
        let mut is_torn_only = true;
        for content in self.files.values_mut() {
            is_torn_only &= content.crash(self.nature, &mut self.rng);
        }
        self.boot += 1;
        self.is_off = false;
        self.left = None;
        let (files, names) = (&self.files, &self.names);
        self.trace.note(|| {
            let shown: Vec<String> = names
                .files()
                .map(|(path, file)| format!("{} ({})", path.display(), files[&file].len()))
                .collect();
            format!("disk: power is back, with {}", shown.join(", "))
        });
        is_torn_only
    }

    fn content(&mut self, file: FileId) -> &mut Content {
        self.files.get_mut(&file).expect("an open file has its bytes until the next boot")
    }

    fn find(&self, path: &Path) -> io::Result<FileId> {
        self.names.find(path).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// A file to write to, which is made if there is none.
    fn open_to_write(&mut self, path: &Path) -> io::Result<FileId> {
        if !self.names.has_folder(folder_of(path)) {
            return Err(io::ErrorKind::NotFound.into());
        }
        if self.fails(|faults| faults.open_to_write) {
            return Err(io_error());
        }
        if let Some(file) = self.names.find(path) {
            return Ok(file);
        }
        let file = self.next_file;
        self.next_file += 1;
        self.files.insert(file, Content::default());
        self.names.link(path, file);
        Ok(file)
    }

    fn write(&mut self, file: FileId, bytes: &[u8]) -> io::Result<usize> {
        let room = self.space.map_or(usize::MAX, |space| space.saturating_sub(self.used()));
        if room == 0 {
            return Err(io::Error::from_raw_os_error(ENOSPC));
        }
        let asked = bytes.len();
        let mut len = asked.min(room);
        let fails = self.fails(|faults| faults.write);
        // A write may be short for no reason, and one that fails may have written something.
        if fails || self.rng.below(32) == 0 {
            len = self.rng.index(len + 1).max(usize::from(!fails));
        }
        self.content(file).append(&bytes[..len], len < asked);
        if fails { Err(io_error()) } else { Ok(len) }
    }
}

fn power_is_off() -> io::Error {
    io::Error::other("the power is off")
}

fn io_error() -> io::Error {
    io::Error::from_raw_os_error(EIO)
}

/// What a call answers: nothing if the power failed meanwhile.
fn answer<T>(course: Course, value: T) -> io::Result<T> {
    if course == Course::Last { Err(power_is_off()) } else { Ok(value) }
}

impl Disk for SimDisk {
    fn open(&self, path: &Path) -> io::Result<Box<dyn Input>> {
        let mut machine = self.machine.lock();
        let boot = machine.boot;
        let course = machine.begin(boot, || format!("open {}", path.display()))?;
        let file = machine.find(path)?;
        let reading = Reading { disk: self.clone(), boot, file, at: 0 };
        answer(course, Box::new(reading) as Box<dyn Input>)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn Output>> {
        let mut machine = self.machine.lock();
        let boot = machine.boot;
        let course = machine.begin(boot, || format!("create {}", path.display()))?;
        let file = machine.open_to_write(path)?;
        if machine.content(file).len() != 0 {
            machine.content(file).truncate(0);
        }
        answer(course, Box::new(Writing { disk: self.clone(), boot, file }) as Box<dyn Output>)
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn Output>> {
        let mut machine = self.machine.lock();
        let boot = machine.boot;
        let course = machine.begin(boot, || format!("append to {}", path.display()))?;
        let file = machine.open_to_write(path)?;
        answer(course, Box::new(Writing { disk: self.clone(), boot, file }) as Box<dyn Output>)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut machine = self.machine.lock();
        let boot = machine.boot;
        let shown = || format!("rename {} to {}", from.display(), to.display());
        let course = machine.begin(boot, shown)?;
        machine.find(from)?;
        if machine.fails(|faults| faults.rename) {
            return Err(io_error());
        }
        machine.names.rename(from, to);
        answer(course, ())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut machine = self.machine.lock();
        let boot = machine.boot;
        let course = machine.begin(boot, || format!("remove {}", path.display()))?;
        machine.find(path)?;
        if machine.fails(|faults| faults.remove) {
            return Err(io_error());
        }
        machine.names.unlink(path);
        answer(course, ())
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        let mut machine = self.machine.lock();
        let boot = machine.boot;
        let course = machine.begin(boot, || format!("make the folder {}", path.display()))?;
        if machine.names.has_folder(path) {
            return answer(course, ());
        }
        if machine.fails(|faults| faults.create_folder) {
            return Err(io_error());
        }
        machine.names.make_folder(path);
        answer(course, ())
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let mut machine = self.machine.lock();
        let boot = machine.boot;
        let course = machine.begin(boot, || format!("list {}", folder.display()))?;
        if !machine.names.has_folder(folder) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let here = machine.names.files().filter(|(path, _)| folder_of(path) == folder);
        let name = |path: &Path| path.file_name()?.to_str().map(str::to_owned);
        let names = here.filter_map(|(path, _)| name(path)).collect();
        answer(course, names)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        let mut machine = self.machine.lock();
        let boot = machine.boot;
        let course = machine.begin(boot, || format!("sync the folder {}", folder.display()))?;
        if machine.fails(|faults| faults.sync_folder) {
            return Err(io_error());
        }
        if course == Course::Normal && !machine.lies.sync_folder {
            machine.names.sync(folder);
        }
        answer(course, ())
    }
}

/// An open file that is read.
struct Reading {
    disk: SimDisk,
    boot: u64,
    file: FileId,
    at: usize,
}

impl Read for Reading {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut machine = self.disk.machine.lock();
        let course = machine.begin(self.boot, || "read".to_owned())?;
        if machine.fails(|faults| faults.read) {
            return Err(io_error());
        }
        let bytes = machine.content(self.file).bytes();
        let rest = bytes.get(self.at..).unwrap_or_default();
        let len = rest.len().min(buffer.len());
        buffer[..len].copy_from_slice(&rest[..len]);
        self.at += len;
        answer(course, len)
    }
}

impl Input for Reading {
    fn len(&self) -> io::Result<u64> {
        let mut machine = self.disk.machine.lock();
        let course = machine.begin(self.boot, || "length".to_owned())?;
        answer(course, machine.content(self.file).len() as u64)
    }
}

/// An open file that is written at its end.
struct Writing {
    disk: SimDisk,
    boot: u64,
    file: FileId,
}

impl Write for Writing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        let mut machine = self.disk.machine.lock();
        let file = self.file;
        let shown = || format!("write {} bytes to file {file}", bytes.len());
        let course = machine.begin(self.boot, shown)?;
        let written = machine.write(file, bytes)?;
        answer(course, written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Output for Writing {
    fn sync(&mut self) -> io::Result<()> {
        let mut machine = self.disk.machine.lock();
        let file = self.file;
        let course = machine.begin(self.boot, || format!("sync file {file}"))?;
        if machine.fails(|faults| faults.sync) {
            let machine = &mut *machine;
            let content = machine.files.get_mut(&file).expect("it is open");
            content.fail_sync(&mut machine.rng);
            return Err(io_error());
        }
        if course == Course::Normal && !machine.lies.sync {
            machine.content(file).sync();
        }
        answer(course, ())
    }

    fn len(&self) -> io::Result<u64> {
        let mut machine = self.disk.machine.lock();
        let course = machine.begin(self.boot, || "length".to_owned())?;
        answer(course, machine.content(self.file).len() as u64)
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        let mut machine = self.disk.machine.lock();
        let file = self.file;
        let course = machine.begin(self.boot, || format!("cut file {file} to {len} bytes"))?;
        if machine.fails(|faults| faults.truncate) {
            return Err(io_error());
        }
        machine.content(file).truncate(len as usize);
        answer(course, ())
    }
}
