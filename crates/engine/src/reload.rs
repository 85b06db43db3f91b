//! Data that is loaded while the server runs, in place of what is there or beside it: DEBUG RELOAD and DEBUG
//! LOADAOF.
//!
//! What is there is set aside as a whole, which takes a moment; so a load that fails half way leaves everything
//! as it was. Until the end both take memory. Meanwhile all are told that data is being loaded, and whoever waits
//! in a blocking call waits on; at the end they hear that anything may have changed.

use crate::command::Outcome;
use crate::data::Data;
use crate::engine::Engine;
use crate::host::Host;
use crate::keyspace::LockedShard;
use crate::scripting::functions::{Existing, Library, Loader};
use std::sync::Arc;
use store::{Database, Key};

/// What is to be loaded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reload {
    /// The append-only file.
    Journal,
    Snapshot(SnapshotReload),
}

/// How a snapshot is to be loaded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SnapshotReload {
    /// What is there is saved to it before.
    pub saves: bool,
    /// What is there stays there.
    pub keeps: bool,
    /// Of a key that comes twice the later value counts; else that is an error.
    pub merges: bool,
}

/// All data that was there before.
pub struct Aside {
    /// With the numbers of their shards and their own, in this order; those that were empty are left out.
    databases: Vec<(u32, usize, Database)>,
    libraries: Vec<Arc<Library>>,
}

impl Engine {
    /// Takes all data away and leaves nothing. The caller stands alone behind the gate.
    ///
    /// # Panics
    /// When a cut is on its way.
    pub fn set_aside(&self, data: &mut Data<'_>) -> Aside {
        assert!(self.cuts.present().is_none(), "whoever walks over a cut finds it where it was");
        let mut databases = Vec::new();
        for index in 0..data.keyspace().locks().len() as u32 {
            let shard = &mut data.shard_at(index).data;
            for db in 0..shard.database_count() {
                if !shard.database_ref(db).is_empty() {
                    databases.extend(shard.take_database(db).map(|taken| (index, db, taken)));
                }
            }
        }
        let libraries = self.functions.libraries();
        self.functions.flush();
        Aside { databases, libraries }
    }

    /// Puts back what was set aside, in place of whatever was loaded. The caller stands alone behind the gate.
    ///
    /// # Errors
    /// A library of functions does not load as it did.
    pub fn put_back(&self, data: &mut Data<'_>, host: &dyn Host, aside: Aside) -> Outcome {
        self.discard(self.set_aside(data));
        for (index, db, database) in aside.databases {
            data.shard_at(index).data.put_database(db, database);
        }
        let codes: Vec<Vec<u8>> =
            aside.libraries.iter().map(|library| library.code.to_vec()).collect();
        self.functions.load_all(Loader { engine: self, host }, &codes, Existing::Refuse, false)
    }

    /// What was loaded is all there is from now on, with what has stayed. The caller stands alone behind the gate.
    pub fn settle_reload(&self, data: &mut Data<'_>, aside: Option<Aside>) {
        let (keyspace, mut nudged) = (data.keyspace(), Vec::new());
        for index in 0..keyspace.locks().len() as u32 {
            let LockedShard { data: shard, watched, waiting, .. } = data.shard_at(index);
            for db in 0..shard.database_count() {
                let database = shard.database_ref(db);
                let before = aside.as_ref().and_then(|aside| aside.database(index, db));
                watched.database_changed(db, |bytes| {
                    let key = Key { bytes, hash: keyspace.hash(bytes) };
                    let was_there = before.is_some_and(|before| before.find(key).is_some());
                    was_there || database.find(key).is_some()
                });
            }
            waiting.anything_changed(&mut nudged);
        }
        self.wake_all(nudged);
        data.invalidate_everything(&self.tracking);
        if let Some(aside) = aside {
            self.discard(aside);
        }
    }

    fn discard(&self, aside: Aside) {
        for (_, _, database) in aside.databases {
            self.reclaim.reclaim_database(database);
        }
    }
}

impl Aside {
    fn database(&self, index: u32, db: usize) -> Option<&Database> {
        let place =
            self.databases.binary_search_by_key(&(index, db), |(index, db, _)| (*index, *db));
        place.ok().map(|place| &self.databases[place].2)
    }
}
