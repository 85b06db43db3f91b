//! A file's bytes: as programs see them, as they are on the platter, and what lies between the two.

use super::nature::{Holes, Nature, Order};
use base::rand::Rng;

/// The bytes of one file.
#[derive(Default)]
pub(super) struct Content {
    /// What a program reads.
    seen: Vec<u8>,
    /// What is left when nothing of the pending changes reached the platter.
    kept: Vec<u8>,
    /// What happened since the last successful sync.
    pending: Vec<Change>,
    /// The last write was cut short: the next goes on with it.
    is_short: bool,
}

enum Change {
    Truncate(usize),
    Write {
        at: usize,
        bytes: Vec<u8>,
        /// It goes on with the write before it, which was cut short: it is not there without that one.
        ///
        /// A file system promises no such thing. But where a piece is missing in the middle of what a
        /// program has written at once, nobody can tell from commands without checksums.
        goes_on: bool,
        /// Writing it back has failed, and the system has forgotten that it should be written at all.
        is_lost: bool,
    },
}

impl Content {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.seen
    }

    pub(super) fn len(&self) -> usize {
        self.seen.len()
    }

    /// Writes behind the end; if `is_short`, not all that was to be written.
    pub(super) fn append(&mut self, bytes: &[u8], is_short: bool) {
        let at = self.seen.len();
        self.seen.extend_from_slice(bytes);
        let goes_on = std::mem::replace(&mut self.is_short, is_short);
        self.pending.push(Change::Write { at, bytes: bytes.to_vec(), goes_on, is_lost: false });
    }

    /// Cuts the file, or lets zeros follow.
    pub(super) fn truncate(&mut self, len: usize) {
        self.seen.resize(len, 0);
        self.is_short = false;
        self.pending.push(Change::Truncate(len));
    }

    /// All of it is on the platter, but for what was lost before.
    pub(super) fn sync(&mut self) {
        for change in std::mem::take(&mut self.pending) {
            match change {
                Change::Truncate(len) => self.kept.resize(len, 0),
                Change::Write { at, bytes, is_lost: true, .. } => self.reserve(at + bytes.len()),
                Change::Write { at, bytes, .. } => self.put(at, &bytes),
            }
        }
    }

    /// A sync fails: what it could not write is taken for written from now on, as on Linux. So the next
    /// sync may succeed without it.
    pub(super) fn fail_sync(&mut self, rng: &mut Rng) {
        let loses_all = rng.below(2) == 0;
        let mut loses_last = false;
        for change in &mut self.pending {
            if let Change::Write { is_lost, goes_on, .. } = change {
                *is_lost |= loses_all || (*goes_on && loses_last) || rng.below(2) == 0;
                loses_last = *is_lost;
            }
        }
    }

    /// Whether something was not written back, and is taken for written.
    pub(super) fn has_lost(&self) -> bool {
        self.pending.iter().any(|change| matches!(change, Change::Write { is_lost: true, .. }))
    }

    /// The power fails: whether anything that was pending is there depends on luck. Whether nothing is
    /// missing but the end.
    pub(super) fn crash(&mut self, nature: Nature, rng: &mut Rng) -> bool {
        let pending = std::mem::take(&mut self.pending);
        let last = rng.index(pending.len() + 1);
        let mut is_whole = true;
        for (index, change) in pending.into_iter().enumerate() {
            let (is_done, is_torn) = match nature.data_order {
                Order::Any => (rng.below(2) == 0, rng.below(4) == 0),
                Order::Kept => (index < last, index == last),
            };
            match change {
                Change::Truncate(len) if is_done => self.kept.resize(len, 0),
                // What was written behind a cut is not there without the cut.
                Change::Truncate(_) => break,
                Change::Write { goes_on: true, .. } if !is_whole => {}
                Change::Write { is_lost: true, .. } => is_whole = false,
                Change::Write { at, bytes, .. } => {
                    let len = if is_torn { rng.index(bytes.len() + 1) } else { bytes.len() };
                    is_whole = is_done && len == bytes.len();
                    if is_done || is_torn {
                        self.put(at, &bytes[..len]);
                    }
                }
            }
        }
        self.grow_early(nature, rng);
        let is_beginning = self.seen.starts_with(&self.kept);
        self.seen.clone_from(&self.kept);
        self.is_short = false;
        is_beginning
    }

    /// The new length was written down before the bytes were.
    fn grow_early(&mut self, nature: Nature, rng: &mut Rng) {
        let (start, seen_len) = (self.kept.len(), self.seen.len());
        if nature.grows_early && start < seen_len && rng.below(2) == 0 {
            self.kept.resize(start + rng.index(seen_len - start) + 1, 0);
            if nature.holes == Holes::Garbage {
                rng.fill(&mut self.kept[start..]);
            }
        }
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.reserve(at + bytes.len());
        self.kept[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn reserve(&mut self, len: usize) {
        if self.kept.len() < len {
            self.kept.resize(len, 0);
        }
    }
}
