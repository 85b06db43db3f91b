//! What a disk and its file system may do: how much they promise, and how often they fail.

use base::rand::Rng;

/// What is left after a crash of what was not synced, within what POSIX allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nature {
    /// Whether later writes to a file may be there without earlier ones.
    pub data_order: Order,
    /// Whether later names may be there without earlier ones.
    pub name_order: Order,
    /// Whether a file may be longer than what was written to it.
    pub grows_early: bool,
    /// What is in such places.
    pub holes: Holes,
}

/// Whether things that were not synced happen in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Any,
    Kept,
}

/// What is in a place of a file that was never written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holes {
    Garbage,
    Zeros,
}

impl Nature {
    /// As file systems are that keep a journal and write data before lengths: what was written last is
    /// missing, and the last of it may be torn.
    pub const ORDERLY: Self = Self {
        data_order: Order::Kept,
        name_order: Order::Kept,
        grows_early: false,
        holes: Holes::Zeros,
    };

    /// Any nature.
    pub fn draw(rng: &mut Rng) -> Self {
        if rng.below(2) == 0 {
            return Self::ORDERLY;
        }
        let mut order = || if rng.below(2) == 0 { Order::Any } else { Order::Kept };
        let (data_order, name_order) = (order(), order());
        let holes = if rng.below(2) == 0 { Holes::Garbage } else { Holes::Zeros };
        Self { data_order, name_order, grows_early: rng.below(2) == 0, holes }
    }

    /// Whether a file may end in anything but the beginning of what was written to it.
    pub fn tears_only(self) -> bool {
        self.data_order == Order::Kept && !self.grows_early
    }
}

/// How often things fail: one time in so many, 0 is never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    pub create_folder: u32,
    pub open_to_write: u32,
    pub read: u32,
    pub remove: u32,
    pub rename: u32,
    pub sync: u32,
    pub sync_folder: u32,
    pub truncate: u32,
    pub write: u32,
}

impl Faults {
    /// Everything fails now and then but reading, some things more often.
    pub fn draw(rng: &mut Rng) -> Self {
        let mut chance = || if rng.below(2) == 0 { 0 } else { 2 + rng.below(60) as u32 };
        Self {
            create_folder: chance(),
            open_to_write: chance(),
            read: 0,
            remove: chance(),
            rename: chance(),
            sync: chance(),
            sync_folder: chance(),
            truncate: chance(),
            write: chance(),
        }
    }
}

/// Promises that a disk does not keep: the model has to notice the loss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lies {
    /// Files are not synced when they are said to be.
    pub sync: bool,
    /// Folders are not.
    pub sync_folder: bool,
}
