//! What happened in a run, line by line.

use parking_lot::Mutex;
use std::sync::Arc;

/// Where lines go; whoever holds a copy writes to the same place.
#[derive(Clone)]
pub struct Trace {
    sink: Option<Arc<Mutex<Sink>>>,
}

/// Takes a line.
type Sink = Box<dyn FnMut(String) + Send>;

impl Trace {
    /// Lines are not even made.
    pub fn off() -> Self {
        Self { sink: None }
    }

    /// Each line goes there at once.
    pub fn to(sink: impl FnMut(String) + Send + 'static) -> Self {
        Self { sink: Some(Arc::new(Mutex::new(Box::new(sink)))) }
    }

    /// Adds a line.
    pub fn note(&self, line: impl FnOnce() -> String) {
        if let Some(sink) = &self.sink {
            sink.lock()(line());
        }
    }
}
