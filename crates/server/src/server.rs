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

/// One loop, as other threads see it.
pub struct Home {
    pub handover: Handover<LoopState>,
    /// Registers sockets with the loop's poll.
    pub sockets: mio::Registry,
    /// Connections that were given to this loop.
    pub connections: AtomicUsize,
}
