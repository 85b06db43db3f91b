//! What reaches a client outside of the order of replies: published messages and the like.
//!
//! A session that can be pushed to has a [`Mailbox`]. Whoever has something for it leaves it there,
//! from any thread; the thread that serves the session takes everything out between two calls and
//! writes it behind the replies. So a push never comes into the middle of a reply, and what was left
//! in a mailbox in some order arrives in that order.
//!
//! ```text
//! publisher ──post──► mailbox (a lock of its own, held for a push onto a list) ──deliver──► reply
//!     └─ first one in an empty mailbox: the owner's loop is told, at the end of the batch
//! ```
//!
//! A push is stored once, whoever and how many receive it: frames of RESP2 and RESP3 differ in their
//! first byte alone, and that byte is written when the push is delivered.
//!
//! A mailbox is bounded: with what the socket has not taken of earlier pushes it must stay within the
//! limit of the poster, else everything in it is dropped and its owner is cut off.

use base::lock::Token;
use parking_lot::Mutex;
use resp::{Protocol, Reply};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// One push, in the form of both protocols.
#[derive(Clone, Debug)]
pub struct Push {
    bytes: Arc<Vec<u8>>,
    form: Form,
}

#[derive(Clone, Copy, Debug)]
enum Form {
    /// All but the first byte, which depends on the protocol.
    Headless,
    /// Complete, in the protocol that its only receiver speaks.
    Whole,
}

impl Push {
    /// A push that is a list of texts.
    pub fn texts(texts: &[&[u8]]) -> Self {
        let mut reply = Reply::new();
        reply.push(texts.len());
        texts.iter().for_each(|text| reply.bulk(text));
        let mut bytes = reply.to_vec();
        bytes.remove(0);
        Self { bytes: Arc::new(bytes), form: Form::Headless }
    }

    /// A push for one receiver, written in the protocol that it speaks.
    pub fn whole(reply: &Reply) -> Self {
        Self { bytes: Arc::new(reply.to_vec()), form: Form::Whole }
    }

    fn len(&self) -> usize {
        self.bytes.len()
    }

    fn write(&self, protocol: Protocol, reply: &mut Reply) {
        match (self.form, protocol) {
            (Form::Headless, Protocol::Resp2) => reply.raw(b"*"),
            (Form::Headless, Protocol::Resp3) => reply.raw(b">"),
            (Form::Whole, _) => {}
        }
        reply.raw_shared(&self.bytes);
    }
}

/// Where pushes wait for one session.
#[derive(Debug)]
pub struct Mailbox {
    /// The session's id.
    pub owner: u64,
    /// By whom its loop is told.
    pub token: Token,
    waiting: Mutex<Waiting>,
    /// Something waits, and the owner's loop has been told or will be. Written under the lock.
    is_full: AtomicBool,
    /// Bytes that the socket has not taken yet, as the server says.
    unwritten: AtomicUsize,
}

#[derive(Debug, Default)]
struct Waiting {
    pushes: Vec<Push>,
    bytes: usize,
    /// More came than may wait; nothing is taken any more.
    is_overflowed: bool,
}

/// What became of a mailbox's content.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum Delivery {
    Done,
    /// Its owner must be cut off: pushes were dropped.
    Overflowed,
}

/// How pushes are posted by one thread: within which bound, and whose loops are to be told then.
#[derive(Debug, Default)]
pub struct Postings {
    /// Bytes that may wait for one client; 0: any number.
    pub bytes_max: usize,
    /// Owners of mailboxes that were empty before.
    pub told: Vec<Token>,
}

impl Postings {
    /// Leaves a push in a mailbox.
    pub fn post(&mut self, mailbox: &Mailbox, push: &Push) {
        self.post_within(mailbox, push, self.bytes_max);
    }

    /// Leaves a push in a mailbox within another bound.
    pub fn post_within(&mut self, mailbox: &Mailbox, push: &Push, bytes_max: usize) {
        if mailbox.post(push, bytes_max) {
            self.told.push(mailbox.token);
        }
    }
}

impl Mailbox {
    /// An empty mailbox.
    pub fn new(owner: u64, token: Token) -> Self {
        Self {
            owner,
            token,
            waiting: Mutex::default(),
            is_full: AtomicBool::new(false),
            unwritten: AtomicUsize::new(0),
        }
    }

    /// Returns whether the owner's loop must be told.
    fn post(&self, push: &Push, bytes_max: usize) -> bool {
        let mut waiting = self.waiting.lock();
        if waiting.is_overflowed {
            return false;
        }
        waiting.bytes += push.len();
        // Relaxed: a figure of a moment ago is as good.
        if bytes_max != 0 && bytes_max < waiting.bytes + self.unwritten.load(Ordering::Relaxed) {
            *waiting = Waiting { is_overflowed: true, ..Waiting::default() };
        } else {
            waiting.pushes.push(push.clone());
        }
        // Pairs with the acquire in `has_waiting`.
        !self.is_full.swap(true, Ordering::Release)
    }

    /// Whether something waits.
    #[inline]
    pub fn has_waiting(&self) -> bool {
        self.is_full.load(Ordering::Acquire)
    }

    /// Takes everything out and writes it to `reply`.
    pub fn deliver(&self, protocol: Protocol, reply: &mut Reply) -> Delivery {
        let mut waiting = self.waiting.lock();
        self.is_full.store(false, Ordering::Release);
        if waiting.is_overflowed {
            return Delivery::Overflowed;
        }
        let pushes = std::mem::take(&mut waiting.pushes);
        waiting.bytes = 0;
        drop(waiting);
        pushes.iter().for_each(|push| push.write(protocol, reply));
        Delivery::Done
    }

    /// Bytes that wait to be taken out.
    pub fn waiting_bytes(&self) -> usize {
        self.waiting.lock().bytes
    }

    /// Says how many bytes the socket has not taken yet.
    pub fn note_unwritten(&self, bytes: usize) {
        self.unwritten.store(bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_push_serves_both_protocols_in_order() {
        let mailbox = Mailbox::new(1, Token(1));
        let mut postings = Postings::default();
        for text in [b"one", b"two"] {
            postings.post(&mailbox, &Push::texts(&[b"message", text]));
        }
        // Its loop is told once.
        assert_eq!(postings.told, [Token(1)]);
        let mut reply = Reply::new();
        assert_eq!(mailbox.deliver(Protocol::Resp3, &mut reply), Delivery::Done);
        let expected = ">2\r\n$7\r\nmessage\r\n$3\r\none\r\n>2\r\n$7\r\nmessage\r\n$3\r\ntwo\r\n";
        assert_eq!(reply.to_vec(), expected.as_bytes());
        assert!(!mailbox.has_waiting());
        postings.post(&mailbox, &Push::texts(&[b"x"]));
        assert_eq!(postings.told.len(), 2);
        reply.clear();
        assert_eq!(mailbox.deliver(Protocol::Resp2, &mut reply), Delivery::Done);
        assert_eq!(reply.to_vec(), b"*1\r\n$1\r\nx\r\n");
    }

    #[test]
    fn a_mailbox_that_overflows_takes_nothing_any_more() {
        let mailbox = Mailbox::new(1, Token(1));
        let mut postings = Postings { bytes_max: 100, ..Postings::default() };
        mailbox.note_unwritten(60);
        postings.post(&mailbox, &Push::texts(&[b"a"]));
        let mut reply = Reply::new();
        assert_eq!(mailbox.deliver(Protocol::Resp2, &mut reply), Delivery::Done);
        postings.post(&mailbox, &Push::texts(&[&[b'a'; 100]]));
        postings.post(&mailbox, &Push::texts(&[b"a"]));
        assert!(mailbox.has_waiting());
        reply.clear();
        assert_eq!(mailbox.deliver(Protocol::Resp2, &mut reply), Delivery::Overflowed);
        assert!(reply.is_empty());
    }
}
