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
//! An invalidation (see [`tracking`](crate::tracking)) is a message of its own in RESP3; in RESP2 only a
//! subscriber understands it, as a message of the channel `__redis__:invalidate`, and only if it is another
//! client's: whoever cannot understand it gets nothing.
//!
//! A mailbox is bounded: with what the socket has not taken of earlier pushes it must stay within the
//! limit of the poster, else everything in it is dropped and its owner is cut off.

use crate::host::Host;
use crate::session::Session;
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
    /// The keys of an invalidation, or nothing for all keys.
    Invalidation {
        /// It is about what another client has read.
        is_redirected: bool,
    },
    /// Complete, and only for who speaks RESP3.
    Resp3,
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

    /// These keys have changed.
    pub fn invalidation(keys: &[&[u8]]) -> Self {
        let mut reply = Reply::new();
        reply.array(keys.len());
        keys.iter().for_each(|key| reply.bulk(key));
        let form = Form::Invalidation { is_redirected: false };
        Self { bytes: Arc::new(reply.to_vec()), form }
    }

    /// All keys have changed.
    pub fn invalidation_of_all() -> Self {
        let form = Form::Invalidation { is_redirected: false };
        Self { bytes: Arc::default(), form }
    }

    /// An invalidation for another client than the one that has read the keys.
    pub fn redirected(&self) -> Self {
        let form = Form::Invalidation { is_redirected: true };
        Self { bytes: Arc::clone(&self.bytes), form }
    }

    /// The client that should have received an invalidation has gone.
    pub fn redirection_broken(receiver: u64) -> Self {
        let mut reply = Reply::with_protocol(Protocol::Resp3);
        reply.push(2);
        reply.bulk(b"tracking-redir-broken");
        reply.integer(receiver as i64);
        Self { bytes: Arc::new(reply.to_vec()), form: Form::Resp3 }
    }

    fn len(&self) -> usize {
        self.bytes.len()
    }

    fn write(&self, receiver: Receiver, reply: &mut Reply) {
        match (self.form, receiver.protocol) {
            (Form::Headless, Protocol::Resp2) => reply.raw(b"*"),
            (Form::Headless, Protocol::Resp3) => reply.raw(b">"),
            (Form::Invalidation { .. }, Protocol::Resp3) => {
                reply.raw(b">2\r\n$10\r\ninvalidate\r\n")
            }
            (Form::Invalidation { is_redirected: true }, Protocol::Resp2)
                if receiver.is_subscriber =>
            {
                reply.raw(b"*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n");
            }
            (Form::Invalidation { .. } | Form::Resp3, Protocol::Resp2) => return,
            (Form::Resp3, Protocol::Resp3) | (Form::Whole, _) => {}
        }
        let is_of_all = matches!(self.form, Form::Invalidation { .. }) && self.bytes.is_empty();
        match receiver.protocol {
            _ if !is_of_all => reply.raw_shared(&self.bytes),
            Protocol::Resp2 => reply.raw(b"$-1\r\n"),
            Protocol::Resp3 => reply.raw(b"_\r\n"),
        }
    }
}

/// What a session understands.
#[derive(Clone, Copy, Debug)]
pub struct Receiver {
    pub protocol: Protocol,
    pub is_subscriber: bool,
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

impl Waiting {
    fn write(&self, receiver: Receiver, reply: &mut Reply) -> Delivery {
        if self.is_overflowed {
            return Delivery::Overflowed;
        }
        self.pushes.iter().for_each(|push| push.write(receiver, reply));
        Delivery::Done
    }
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

/// Writes whatever was pushed to a session.
pub fn deliver(session: &mut Session, host: &dyn Host, reply: &mut Reply) -> Delivery {
    // Others may have left it something without its having asked for any.
    if session.mailbox.is_none() {
        session.mailbox = host.mailbox(session.id);
    }
    let Some(mailbox) = &session.mailbox else { return Delivery::Done };
    let Some(waiter) = &session.blocked else { return mailbox.deliver(session.receiver(), reply) };
    // A reply that waits for it comes first. It is looked for after the pushes were taken, since those
    // that make it out of date are posted after it was left.
    let taken = mailbox.take();
    if waiter.is_served() {
        mailbox.put_back(taken);
        return Delivery::Done;
    }
    taken.write(session.receiver(), reply)
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
    pub fn deliver(&self, receiver: Receiver, reply: &mut Reply) -> Delivery {
        self.take().write(receiver, reply)
    }

    fn take(&self) -> Waiting {
        let mut waiting = self.waiting.lock();
        self.is_full.store(false, Ordering::Release);
        // More is taken no more after an overflow.
        let is_overflowed = waiting.is_overflowed;
        std::mem::replace(&mut *waiting, Waiting { is_overflowed, ..Waiting::default() })
    }

    /// Puts back what was taken, before what has come since.
    fn put_back(&self, mut taken: Waiting) {
        let mut waiting = self.waiting.lock();
        if !waiting.is_overflowed {
            taken.pushes.append(&mut waiting.pushes);
            taken.bytes += waiting.bytes;
            *waiting = taken;
        }
        self.is_full.store(true, Ordering::Release);
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

    const RESP2: Receiver = Receiver { protocol: Protocol::Resp2, is_subscriber: false };
    const RESP3: Receiver = Receiver { protocol: Protocol::Resp3, is_subscriber: false };

    #[test]
    fn an_invalidation_is_what_its_receiver_understands() {
        let subscriber = Receiver { is_subscriber: true, ..RESP2 };
        let push = Push::invalidation(&[b"a", b"b"]);
        let written = |push: &Push, receiver| {
            let mut reply = Reply::new();
            push.write(receiver, &mut reply);
            String::from_utf8(reply.to_vec()).unwrap()
        };
        let keys = "*2\r\n$1\r\na\r\n$1\r\nb\r\n";
        assert_eq!(written(&push, RESP3), format!(">2\r\n$10\r\ninvalidate\r\n{keys}"));
        assert_eq!(written(&push, RESP2), "");
        assert_eq!(written(&push, subscriber), "");
        let head = "*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n";
        assert_eq!(written(&push.redirected(), subscriber), format!("{head}{keys}"));
        assert_eq!(written(&push.redirected(), RESP2), "");
        let all = Push::invalidation_of_all();
        assert_eq!(written(&all, RESP3), ">2\r\n$10\r\ninvalidate\r\n_\r\n");
        assert_eq!(written(&all.redirected(), subscriber), format!("{head}$-1\r\n"));
        let broken = Push::redirection_broken(7);
        assert_eq!(written(&broken, RESP3), ">2\r\n$21\r\ntracking-redir-broken\r\n:7\r\n");
        assert_eq!(written(&broken, subscriber), "");
    }

    #[test]
    fn what_is_put_back_comes_first() {
        let mailbox = Mailbox::new(1, Token(1));
        let mut postings = Postings::default();
        postings.post(&mailbox, &Push::texts(&[b"1"]));
        let taken = mailbox.take();
        postings.post(&mailbox, &Push::texts(&[b"2"]));
        mailbox.put_back(taken);
        let mut reply = Reply::new();
        assert_eq!(mailbox.deliver(RESP2, &mut reply), Delivery::Done);
        assert_eq!(reply.to_vec(), b"*1\r\n$1\r\n1\r\n*1\r\n$1\r\n2\r\n");
    }

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
        assert_eq!(mailbox.deliver(RESP3, &mut reply), Delivery::Done);
        let expected = ">2\r\n$7\r\nmessage\r\n$3\r\none\r\n>2\r\n$7\r\nmessage\r\n$3\r\ntwo\r\n";
        assert_eq!(reply.to_vec(), expected.as_bytes());
        assert!(!mailbox.has_waiting());
        postings.post(&mailbox, &Push::texts(&[b"x"]));
        assert_eq!(postings.told.len(), 2);
        reply.clear();
        assert_eq!(mailbox.deliver(RESP2, &mut reply), Delivery::Done);
        assert_eq!(reply.to_vec(), b"*1\r\n$1\r\nx\r\n");
    }

    #[test]
    fn a_mailbox_that_overflows_takes_nothing_any_more() {
        let mailbox = Mailbox::new(1, Token(1));
        let mut postings = Postings { bytes_max: 100, ..Postings::default() };
        mailbox.note_unwritten(60);
        postings.post(&mailbox, &Push::texts(&[b"a"]));
        let mut reply = Reply::new();
        assert_eq!(mailbox.deliver(RESP2, &mut reply), Delivery::Done);
        postings.post(&mailbox, &Push::texts(&[&[b'a'; 100]]));
        postings.post(&mailbox, &Push::texts(&[b"a"]));
        assert!(mailbox.has_waiting());
        reply.clear();
        assert_eq!(mailbox.deliver(RESP2, &mut reply), Delivery::Overflowed);
        assert!(reply.is_empty());
    }
}
