//! What reaches a loop from other threads: a queue, and the end of its sleep.
//!
//! Posting is a push and a look at one flag. The system is asked to end a loop's sleep only when the loop really sleeps,
//! and by the first who posts: a loop that is awake looks into its inbox before it sleeps. So a batch that wakes a
//! hundred others costs one call to the system, and one that wakes its own loop's connections none.
//!
//! A [`Token`] names a connection: its loop, its place there, and how many connections have had that place before. The
//! number of the loop [`OUTSIDE`] means a thread that is no loop; it is unparked.

use crate::clients::connection::Connection;
use crate::clients::stream::{Endpoint, Stream};
use base::lock::{Token, Wake};
use crossbeam_queue::SegQueue;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::thread::Thread;

/// Number of the loop in the tokens of threads that are no loops.
pub const OUTSIDE: u16 = u16::MAX;

/// Everything that can reach a loop beside its sockets.
pub enum Message {
    /// A new connection.
    Accept(Accepted),
    /// The client is to go.
    Kill(Token),
    /// Pushes wait for these connections.
    Pushed(Box<[Token]>),
    /// A suspended call should be attempted again.
    Resume(Token),
    /// A connection whose slow call is over.
    Return(Box<Connection>),
    /// More of the journal is safe: replies that have waited for that may leave.
    Safe,
    /// The server stops.
    Stop,
}

/// A connection that no loop has yet.
pub struct Accepted {
    pub stream: Stream,
    pub endpoint: Endpoint,
}

/// One loop's inbox.
pub struct Inbox {
    messages: SegQueue<Message>,
    is_asleep: AtomicBool,
    waker: mio::Waker,
}

/// The inboxes of all loops.
pub struct Inboxes {
    loops: Box<[Inbox]>,
    outside: Mutex<Vec<Thread>>,
}

impl Inbox {
    /// An empty inbox; `waker` ends the sleep of its loop.
    pub fn new(waker: mio::Waker) -> Self {
        Self { messages: SegQueue::new(), is_asleep: AtomicBool::new(false), waker }
    }

    /// Adds a message, and wakes the loop if it sleeps.
    pub fn post(&self, message: Message) {
        self.messages.push(message);
        // Pairs with the fence in `may_sleep`: either the loop sees the message or it is seen asleep here.
        fence(Ordering::SeqCst);
        if self.is_asleep.load(Ordering::Relaxed) && self.is_asleep.swap(false, Ordering::Relaxed) {
            // An error would mean that the loop is gone, with all that was posted to it.
            let _ = self.waker.wake();
        }
    }

    /// The next message.
    pub fn take(&self) -> Option<Message> {
        self.messages.pop()
    }

    /// To be asked by the loop before it sleeps: whether nothing was posted.
    pub fn may_sleep(&self) -> bool {
        self.is_asleep.store(true, Ordering::Relaxed);
        // Pairs with the fence in `post`.
        fence(Ordering::SeqCst);
        let is_empty = self.messages.is_empty();
        if !is_empty {
            self.wake_up();
        }
        is_empty
    }

    /// The loop is awake.
    pub fn wake_up(&self) {
        self.is_asleep.store(false, Ordering::Relaxed);
    }
}

impl Inboxes {
    /// Of loops in the order of their numbers.
    pub fn new(loops: Vec<Inbox>) -> Self {
        Self { loops: loops.into(), outside: Mutex::default() }
    }

    /// The inbox of a loop.
    pub fn of(&self, index: usize) -> &Inbox {
        &self.loops[index]
    }

    /// Posts to the loop that a token names, if it names one.
    pub fn post(&self, token: Token, message: Message) {
        if let Some(inbox) = self.loops.get(usize::from(loop_of(token))) {
            inbox.post(message);
        }
    }

    /// Tells the loops of these connections that pushes wait for them, each loop once.
    pub fn post_pushes(&self, tokens: &[Token]) {
        if let [token] = tokens {
            return self.post(*token, Message::Pushed([*token].into()));
        }
        let mut tokens = tokens.to_vec();
        // The number of the loop is in the highest bits.
        tokens.sort_unstable_by_key(|token| token.0);
        for group in tokens.chunk_by(|one, next| loop_of(*one) == loop_of(*next)) {
            self.post(group[0], Message::Pushed(group.into()));
        }
    }

    /// Tells every loop that more of the journal is safe.
    pub fn journal_is_safe(&self) {
        self.loops.iter().for_each(|inbox| inbox.post(Message::Safe));
    }

    /// Tells every loop that the server stops.
    pub fn stop(&self) {
        self.loops.iter().for_each(|inbox| inbox.post(Message::Stop));
    }

    /// A token for the present thread, which is no loop: waking it unparks the thread.
    pub fn token_of_this_thread(&self) -> Token {
        let mut outside = self.outside.lock();
        outside.push(std::thread::current());
        token(OUTSIDE, outside.len() as u32 - 1, 0)
    }
}

impl Wake for Inboxes {
    fn wake(&self, token: Token) {
        if loop_of(token) != OUTSIDE {
            return self.post(token, Message::Resume(token));
        }
        if let Some(thread) = self.outside.lock().get(place_of(token) as usize) {
            thread.unpark();
        }
    }
}

/// The shared inboxes as the engine knows them.
pub fn as_wake(inboxes: &Arc<Inboxes>) -> Arc<dyn Wake> {
    Arc::clone(inboxes) as Arc<dyn Wake>
}

const PLACE_BITS: u32 = 24;
const PLACE_MAX: u32 = (1 << PLACE_BITS) - 1;

/// The token of a connection: place and generation wrap at 24 bits.
pub fn token(loop_index: u16, place: u32, generation: u32) -> Token {
    let (place, generation) = (u64::from(place & PLACE_MAX), u64::from(generation & PLACE_MAX));
    Token(u64::from(loop_index) << (2 * PLACE_BITS) | generation << PLACE_BITS | place)
}

/// The number of a token's loop.
pub fn loop_of(token: Token) -> u16 {
    (token.0 >> (2 * PLACE_BITS)) as u16
}

/// A token's place in its loop.
pub fn place_of(token: Token) -> u32 {
    token.0 as u32 & PLACE_MAX
}

/// The generation after this one.
pub fn next_generation(generation: u32) -> u32 {
    (generation + 1) & PLACE_MAX
}

/// How many connections had a token's place before.
pub fn generation_of(token: Token) -> u32 {
    (token.0 >> PLACE_BITS) as u32 & PLACE_MAX
}

#[cfg(test)]
mod tests {
    use super::*;
    use mio::{Events, Poll};
    use std::time::Duration;

    #[test]
    fn a_token_holds_its_three_numbers() {
        let name = token(7, 123_456, 654_321);
        assert_eq!((loop_of(name), place_of(name)), (7, 123_456));
        assert_ne!(name, token(7, 123_456, 654_322));
    }

    #[test]
    fn only_a_sleeping_loop_is_woken_and_only_once() {
        let mut poll = Poll::new().unwrap();
        let waker = mio::Waker::new(poll.registry(), mio::Token(0)).unwrap();
        let inbox = Inbox::new(waker);
        let mut events = Events::with_capacity(8);
        let mut wakes = |timeout| {
            poll.poll(&mut events, Some(timeout)).unwrap();
            events.iter().count()
        };
        inbox.post(Message::Stop);
        assert_eq!(wakes(Duration::ZERO), 0);
        assert!(!inbox.may_sleep());
        assert!(inbox.take().is_some() && inbox.take().is_none());
        assert!(inbox.may_sleep());
        inbox.post(Message::Stop);
        inbox.post(Message::Stop);
        assert_eq!(wakes(Duration::from_secs(5)), 1);
        assert!(inbox.take().is_some() && inbox.take().is_some());
    }
}
