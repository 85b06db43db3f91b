//! The engine in process: the same bytes, without sockets and threads.

use super::Target;

/// The engine as a target.
///
/// # Errors
/// As long as the engine offers no node that runs without a server.
pub fn target() -> Result<Box<dyn Target>, String> {
    Err("the engine does not run in process yet".to_owned())
}
