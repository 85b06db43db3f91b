//! The engine in process: the same bytes, without sockets and threads.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, Instant};

use server::config::{Config, Machine, dialect};
use server::inprocess::{Caller, InProcess};
use tempfile::TempDir;

use super::version::Identity;
use super::{Link, Received, Target};
use crate::frame::Frame;

/// How often a blocked client looks whether it still is.
const BLOCKED_PACE: Duration = Duration::from_millis(1);

/// The engine with the server's rows, as a target.
struct EngineTarget {
    node: Rc<InProcess>,
    identity: Identity,
    /// Where it writes; goes with it.
    _folder: Rc<TempDir>,
}

/// One client of it: what it sends is run at once, and its replies wait here.
struct EngineLink {
    node: Rc<InProcess>,
    /// Gone once the link is dropped.
    caller: Option<Caller>,
    replies: VecDeque<u8>,
}

/// The engine as a target.
///
/// # Errors
/// When it does not say who it is.
pub fn target() -> Result<Box<dyn Target>, String> {
    target_of(node()?)
}

/// A target around a server in this process.
///
/// # Errors
/// When it does not say who it is.
pub fn target_of(node: Node) -> Result<Box<dyn Target>, String> {
    let mut link: Box<dyn Link> = Box::new(EngineLink::new(&node.server));
    let info = link.call(&["INFO", "server"])?;
    let info = String::from_utf8_lossy(info.text().unwrap_or_default()).into_owned();
    drop(link);
    let identity = Identity::read(&info);
    Ok(Box::new(EngineTarget { node: node.server, identity, _folder: node.folder }))
}

/// A server in this process, and its folder, which goes with it.
#[derive(Clone)]
pub struct Node {
    pub server: Rc<InProcess>,
    folder: Rc<tempfile::TempDir>,
}

/// A server in this process, as tests want it.
///
/// # Errors
/// When its configuration is wrong.
pub fn node() -> Result<Node, String> {
    let machine = Machine { cores: 1, memory_bytes: 1 << 30 };
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let text = "enable-debug-command yes\nsave \"\"\n";
    let text = format!("{text}dir \"{}\"\n", folder.path().display());
    let config = Config::from_text(text.as_bytes(), dialect::Dialect::Redis, machine)
        .map_err(|error| error.to_string())?;
    Ok(Node { server: Rc::new(InProcess::new(config, &[])), folder: Rc::new(folder) })
}

impl Target for EngineTarget {
    fn open(&mut self) -> Result<Box<dyn Link>, String> {
        Ok(Box::new(EngineLink::new(&self.node)))
    }

    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn has_sockets(&self) -> bool {
        false
    }
}

impl EngineLink {
    fn new(node: &Rc<InProcess>) -> Self {
        let caller = Some(node.connect());
        Self { node: Rc::clone(node), caller, replies: VecDeque::new() }
    }
}

impl Link for EngineLink {
    fn send(&mut self, bytes: &[u8]) -> Result<(), String> {
        let caller = self.caller.as_mut().ok_or("the client is gone")?;
        if caller.is_closed() {
            return Err("the connection is closed".to_owned());
        }
        self.replies.extend(self.node.send(caller, bytes));
        Ok(())
    }

    fn receive(&mut self, wait: Duration) -> Result<Received, String> {
        let deadline = Instant::now() + wait;
        loop {
            if let Some(caller) = &mut self.caller {
                self.replies.extend(self.node.pushes(caller));
            }
            let bytes = self.replies.make_contiguous();
            if let Some((frame, consumed)) =
                Frame::decode(bytes).map_err(|error| format!("{error:?}"))?
            {
                self.replies.drain(..consumed);
                return Ok(Received::Frame(frame));
            }
            let Some(caller) = self.caller.as_mut().filter(|caller| !caller.is_closed()) else {
                return Ok(Received::Closed);
            };
            if !caller.is_blocked() || deadline <= Instant::now() {
                return Ok(Received::Nothing);
            }
            // Whoever serves it wakes this thread; its time may also run out.
            std::thread::park_timeout(BLOCKED_PACE);
            self.replies.extend(self.node.send(caller, b""));
        }
    }
}

impl Drop for EngineLink {
    fn drop(&mut self) {
        if let Some(caller) = self.caller.take() {
            self.node.disconnect(caller);
        }
    }
}
