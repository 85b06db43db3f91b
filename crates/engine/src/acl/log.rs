//! The log of what was refused (ACL LOG): the newest first, the same again counted.

use super::check::Refused;
use base::limits::{ACL_LOG_JOINED_MAX, ACL_LOG_OBJECT_LEN_MAX};
use parking_lot::Mutex;
use std::collections::VecDeque;

/// Entries that are this far apart are never counted as one, in milliseconds.
const JOINED_MS_MAX: u64 = 60_000;

/// Where a call was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Context {
    Script,
    TopLevel,
    /// While queueing, or by EXEC.
    Transaction,
}

impl Context {
    /// In the words of ACL LOG.
    pub fn name(self) -> &'static str {
        match self {
            Self::Script => "lua",
            Self::TopLevel => "toplevel",
            Self::Transaction => "multi",
        }
    }
}

/// Something that was refused, once or several times.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogEntry {
    pub id: u64,
    pub count: u64,
    pub what: Refused,
    pub context: Context,
    /// The command, key, channel or database.
    pub object: Box<[u8]>,
    pub user: Box<[u8]>,
    /// The line of CLIENT LIST, as of the last time.
    pub client: Box<[u8]>,
    pub created_ms: u64,
    pub updated_ms: u64,
}

impl LogEntry {
    pub(super) fn new(
        what: Refused,
        context: Context,
        object: &[u8],
        user: &[u8],
        client: Vec<u8>,
        now_ms: u64,
    ) -> Self {
        Self {
            id: 0,
            count: 1,
            what,
            context,
            object: object[..object.len().min(ACL_LOG_OBJECT_LEN_MAX)].into(),
            user: user.into(),
            client: client.into(),
            created_ms: now_ms,
            updated_ms: now_ms,
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        self.what == other.what
            && self.context == other.context
            && self.object == other.object
            && self.user == other.user
            && other.updated_ms.abs_diff(self.updated_ms) <= JOINED_MS_MAX
    }
}

/// The log.
#[derive(Default)]
pub struct AclLog {
    inside: Mutex<Inside>,
}

#[derive(Default)]
struct Inside {
    /// The newest first.
    entries: VecDeque<LogEntry>,
    next_id: u64,
}

impl AclLog {
    /// Adds an entry, or counts it with one of the last that is the same; keeps `len_max` at most.
    pub(super) fn add(&self, entry: LogEntry, len_max: usize) {
        let mut inside = self.inside.lock();
        let mut recent = inside.entries.iter().take(ACL_LOG_JOINED_MAX);
        let place = recent.position(|known| known.is_same(&entry));
        let known = place.and_then(|place| inside.entries.remove(place));
        let entry = match known {
            Some(known) => LogEntry {
                id: known.id,
                count: known.count + 1,
                created_ms: known.created_ms,
                ..entry
            },
            None => {
                let id = inside.next_id;
                inside.next_id += 1;
                LogEntry { id, ..entry }
            }
        };
        inside.entries.push_front(entry);
        inside.entries.truncate(len_max);
    }

    /// Forgets everything.
    pub fn clear(&self) {
        self.inside.lock().entries.clear();
    }

    /// The newest entries, so many at most.
    pub fn newest(&self, count: usize) -> Vec<LogEntry> {
        self.inside.lock().entries.iter().take(count).cloned().collect()
    }
}
