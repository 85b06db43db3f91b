//! What all threads of a running server share.

use crate::clients::registry::Registry;
use crate::host::ServerHost;
use crate::inbox::Inboxes;
use crate::spares::Spares;
use crate::statistics::Statistics;
use crate::watcher::WatcherSwitch;
use crate::worker::loop_state::LoopState;
use base::lock::Handover;
use engine::Engine;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

/// The parts of a running server.
pub struct Server {
    pub engine: Engine,
    pub host: ServerHost,
    pub homes: Box<[Home]>,
    pub inboxes: Arc<Inboxes>,
    pub registry: Arc<Registry>,
    pub spares: Spares,
    pub statistics: Arc<Statistics>,
    pub watcher: WatcherSwitch,
}

/// Who takes part beside the workers, with numbers of their own behind theirs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Further {
    /// The periodic jobs.
    Cron,
    /// Who loads data, at the start and later.
    Loader,
    /// Who writes snapshots, and bases of the append-only file.
    Saver,
}

impl Further {
    /// How many there are.
    pub const COUNT: usize = Self::Saver as usize + 1;
}

impl Server {
    /// The number of a thread at the gate and in the statistics.
    pub fn number_of(&self, who: Further) -> usize {
        self.engine.threads().len() - 1 - who as usize
    }
}

/// One loop, as other threads see it.
pub struct Home {
    pub handover: Handover<LoopState>,
    /// Registers sockets with the loop's poll.
    pub sockets: mio::Registry,
    /// Connections that were given to this loop.
    pub connections: AtomicUsize,
}
