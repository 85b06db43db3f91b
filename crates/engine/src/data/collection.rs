//! Collections through the door: read as a type, changed in place, created, removed when emptied.

use super::{Data, LockedShard};
use crate::error::CommandError;
use store::{Edited, Entry, EntryRef, Form, Home, Key, Large, Own};

/// More elements than this are not freed under the lock of their shard.
const CUT_LEN_MAX: usize = 20_000;
/// More bytes than this, about, are not freed there either.
const CUT_BYTES_MAX: usize = 4 << 20;

/// What a change of a collection said.
#[derive(Debug)]
pub struct Changed<R> {
    pub result: R,
    /// Whether nothing is left, so that the key has gone.
    pub is_emptied: bool,
}

impl Data<'_> {
    /// The collection at `key` for reading: counted as hit or miss, and touched.
    #[inline]
    pub fn read_as<L: Large>(&mut self, key: Key<'_>) -> Result<Option<Form<'_, L>>, CommandError> {
        as_kind(self.read(key))
    }

    /// The collection at `key` for a call that will write: touched, not counted.
    #[inline]
    pub fn look_as<L: Large>(&mut self, key: Key<'_>) -> Result<Option<Form<'_, L>>, CommandError> {
        as_kind(self.write(key).map(store::EntryUse::into_ref))
    }

    /// The collection at `key` once more, for a call that has asked for it already: neither
    /// counted nor touched, and others can be looked at beside it.
    pub fn view_as<L: Large>(&self, key: Key<'_>) -> Option<Form<'_, L>> {
        let index = self.keyspace.shard_index(key.hash) as u32;
        let place = self.guards.binary_search_by_key(&index, |(held, _)| *held).ok()?;
        let entry = self.guards[place].1.data.database_ref(self.db).find(key)?;
        (entry.kind() == L::KIND).then(|| entry.form())
    }

    /// Lets `verb` change the collection at `key`, if there is one. A key that is empty after that
    /// is removed. Say what happened with [`Data::changed`].
    #[inline]
    pub fn change<L: Large, R>(
        &mut self,
        key: Key<'_>,
        verb: impl FnOnce(&mut Entry) -> R,
    ) -> Result<Option<Changed<R>>, CommandError> {
        let (db, now_ms, mark) = (self.db, self.now_ms, self.access_mark());
        let (LockedShard { data, watched, tracked, waiting, .. }, mut after) = self.parts(key.hash);
        let is_recorded = after.recorder.is_on();
        // In a journal, parts whose time is up go before the change that may depend on it.
        let mut gone: Vec<Box<[u8]>> = Vec::new();
        let edited = data.database(db).edit_live(key, now_ms, |entry| {
            if entry.as_ref().kind() != L::KIND {
                return Err(CommandError::WrongType);
            }
            if is_recorded
                && let Some(large) = Home::<L>::large_mut(entry)
                && large.next_deadline_ms().is_some_and(|due_ms| due_ms < now_ms)
            {
                large.purge_due(now_ms, &mut |part| gone.push(part.into()));
                if is_emptied::<L>(entry) {
                    // A key whose last part has gone is gone with it, and with its own deadline.
                    return Ok(None);
                }
            }
            mark.apply(&mut entry.as_use());
            let result = verb(entry);
            Ok(Some(Changed { result, is_emptied: is_emptied::<L>(entry) }))
        });
        if !gone.is_empty() {
            let is_last = matches!(edited, Edited::Done(Ok(None)));
            after.parts_expired(watched, tracked, (db, key), &gone, is_last);
        }
        let changed = match edited {
            Edited::Done(changed) => match changed? {
                Some(changed) => changed,
                None => {
                    self.remove(key);
                    return Ok(None);
                }
            },
            Edited::Missing => return Ok(None),
            Edited::Expired(entry) => {
                after.expired(watched, tracked, waiting, db, key, entry);
                return Ok(None);
            }
        };
        if changed.is_emptied {
            self.remove(key);
        }
        Ok(Some(changed))
    }

    /// As [`Data::change`], for a verb that may take many elements away at once: `removed` says how
    /// many. A frozen view holds them then while the verb runs, and they are freed elsewhere.
    pub fn cut<L: Large, R>(
        &mut self,
        key: Key<'_>,
        removed: impl FnOnce(Form<'_, L>) -> usize,
        verb: impl FnOnce(&mut Entry) -> R,
    ) -> Result<Option<Changed<R>>, CommandError> {
        let changed = self.change::<L, _>(key, |home| {
            let bytes = home.as_ref().memory_bytes();
            let form = Home::<L>::form(home);
            let (len, removed) = (L::len(form).max(1), removed(form));
            let is_much =
                CUT_LEN_MAX < removed || (removed != 0 && CUT_BYTES_MAX / removed < bytes / len);
            let view = is_much.then(|| Entry::duplicate(home.as_ref(), b""));
            let result = verb(home);
            (result, view.map(|view| (view, bytes.saturating_sub(home.as_ref().memory_bytes()))))
        })?;
        Ok(changed.map(|Changed { result: (result, view), is_emptied }| {
            if let Some((view, bytes)) = view {
                self.reclaim.reclaim(view, bytes);
            }
            Changed { result, is_emptied }
        }))
    }

    /// As [`Data::change`], for a collection that is made if it is missing. One that `verb` leaves
    /// empty is not kept.
    #[inline]
    pub fn create<L: Large, R>(
        &mut self,
        key: Key<'_>,
        mut verb: impl FnMut(&mut Entry) -> R,
    ) -> Result<Changed<R>, CommandError> {
        if let Some(changed) = self.change::<L, R>(key, &mut verb)? {
            return Ok(changed);
        }
        let mut entry = Entry::collection::<L>(key.bytes, Own::default(), None, self.access_clock);
        let result = verb(&mut entry);
        let is_emptied = is_emptied::<L>(&entry);
        if !is_emptied {
            self.put(key.hash, entry);
        }
        Ok(Changed { result, is_emptied })
    }

    /// Tells of a change of which only those learn who wait for the key: what the groups of a stream
    /// have pending is no part of its value.
    pub fn changed_inside(&mut self, key: Key<'_>) {
        self.changes += 1;
        if !self.shard(key.hash).waiting.is_empty() {
            self.note_ready(key);
        }
    }

    /// Gives `key` a collection, whatever it was.
    pub fn put_collection<L: Large>(&mut self, key: Key<'_>, value: Own<L>, deadline: Option<u64>) {
        let clock = self.clock_for(key);
        self.put(key.hash, Entry::collection(key.bytes, value, deadline, clock));
    }
}

#[inline]
fn as_kind<L: Large>(entry: Option<EntryRef<'_>>) -> Result<Option<Form<'_, L>>, CommandError> {
    match entry {
        None => Ok(None),
        Some(entry) if entry.kind() == L::KIND => Ok(Some(entry.form())),
        Some(_) => Err(CommandError::WrongType),
    }
}

#[inline]
fn is_emptied<L: Large>(entry: &Entry) -> bool {
    !L::KEEPS_EMPTY && L::len(Home::<L>::form(entry)) == 0
}
