//! Short replies that wait for the end of a round.
//!
//! A loop serves whoever is due, one after the other. Writing each reply at once would wake its reader at once: it answers
//! with the next request before this loop has served the others, so both sides sleep and wake for every few requests. So
//! short replies are gathered and written together when the round is over, or after [`ROUND_NS_MAX`]. That saves
//! sleeps and wake-ups where many clients ask one thing at a time.
//!
//! What is gathered belongs to the loop: whoever takes the loop over from a slow call writes it first.

use crate::clients::connection::Connection;
use crate::limits::{DEFERRED_BYTES_MAX, DEFERRED_REPLY_BYTES_MAX, ROUND_NS_MAX};
use crate::worker::turn::Turn;
use resp::Reply;

/// Connections whose replies wait, and the replies.
#[derive(Default)]
pub struct Deferred {
    bytes: Vec<u8>,
    waiting: Vec<Waiting>,
    since_ns: u64,
}

/// A connection whose reply waits.
pub struct Waiting {
    pub connection: Box<Connection>,
    /// What becomes of it after the write.
    pub turn: Turn,
    /// Where its reply ends; it begins where the one before ends.
    end: usize,
}

/// Whether `reply` is short enough to wait, and in one piece.
pub fn may_wait(reply: &Reply) -> bool {
    let len = reply.len();
    len <= DEFERRED_REPLY_BYTES_MAX
        && reply.segments().next().is_some_and(|first| first.len() == len)
}

impl Deferred {
    /// Takes a connection and its reply, which is empty then.
    pub fn add(&mut self, connection: Box<Connection>, turn: Turn, reply: &mut Reply, now_ns: u64) {
        if self.waiting.is_empty() {
            self.since_ns = now_ns;
        }
        reply.append_to(&mut self.bytes);
        reply.clear();
        self.waiting.push(Waiting { connection, turn, end: self.bytes.len() });
    }

    /// Whether it is time to write, in the middle of a round.
    pub fn is_due(&self, now_ns: u64) -> bool {
        let is_old = ROUND_NS_MAX < now_ns.saturating_sub(self.since_ns);
        DEFERRED_BYTES_MAX < self.bytes.len() || (is_old && !self.waiting.is_empty())
    }

    /// Hands every connection with its reply to `write`, in order.
    pub fn write_all(&mut self, mut write: impl FnMut(Waiting, &[u8])) {
        let mut start = 0;
        for waiting in self.waiting.drain(..) {
            let end = waiting.end;
            write(waiting, &self.bytes[start..end]);
            start = end;
        }
        self.bytes.clear();
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}
