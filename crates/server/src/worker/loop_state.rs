//! What one event loop consists of beside its threads: the connections and what is known to be due.
//!
//! It lies in one box that exactly one thread has in hand, or that is parked while the thread serves a connection (see
//! `base::lock::Handover`). Nothing here serves; it finds out who is to be served next.

use crate::clients::connection::Connection;
use crate::clients::stream::Stream;
use crate::inbox::{self, Inbox, Message};
use crate::limits::EVENTS;
use crate::worker::deferred::Deferred;
use base::lock::Token;
use mio::event::Source;
use mio::{Events, Interest, Poll};
use std::collections::{BTreeSet, VecDeque};
use std::io::{self, ErrorKind};
use std::time::Duration;

/// The token under which the inbox ends the loop's sleep; no connection has it.
pub const INBOX: mio::Token = mio::Token(usize::MAX);

/// One loop's state.
pub struct LoopState {
    pub index: usize,
    /// Replies that are still to be written.
    pub deferred: Deferred,
    poll: Poll,
    events: Events,
    places: Vec<Place>,
    free: Vec<u32>,
    /// Places whose connection is due, each once.
    due: VecDeque<u32>,
    /// Times at which suspended and blocked calls go on even if nobody wakes them, with their
    /// tokens; at most one per connection.
    retries: BTreeSet<(u64, u64)>,
    /// Up to where the journal must be safe before the replies of these connections may leave, with
    /// their tokens; at most one per connection.
    held: BTreeSet<(u64, u64)>,
}

/// Where a connection lies, and what has happened to it since it was served last.
#[derive(Default)]
struct Place {
    /// How many connections have had this place.
    generation: u32,
    occupant: Occupant,
    happened: Happened,
    is_due: bool,
    /// The time under which it stands among the retries.
    retry_at_ns: Option<u64>,
    /// The offset under which it stands among the held.
    held_until: Option<u64>,
}

#[derive(Default)]
enum Occupant {
    /// With the thread that serves it.
    Away,
    Here(Box<Connection>),
    #[default]
    Nobody,
}

/// What happened to a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Happened {
    pub killed: bool,
    pub pushed: bool,
    pub readable: bool,
    pub read_closed: bool,
    pub resumed: bool,
    pub writable: bool,
}

impl Happened {
    fn add(&mut self, other: Self) {
        self.killed |= other.killed;
        self.pushed |= other.pushed;
        self.readable |= other.readable;
        self.read_closed |= other.read_closed;
        self.resumed |= other.resumed;
        self.writable |= other.writable;
    }
}

impl LoopState {
    /// A loop without connections.
    pub fn new(index: usize, poll: Poll) -> Self {
        Self {
            index,
            deferred: Deferred::default(),
            poll,
            events: Events::with_capacity(EVENTS),
            places: Vec::new(),
            free: Vec::new(),
            due: VecDeque::new(),
            retries: BTreeSet::new(),
            held: BTreeSet::new(),
        }
    }

    /// Sleeps until something happens, at most until the next retry; not at all when somebody is due.
    pub fn wait(&mut self, inbox: &Inbox, now_ns: u64) -> io::Result<()> {
        let sleeps = self.due.is_empty() && inbox.may_sleep();
        let timeout = if sleeps { self.until_retry(now_ns) } else { Some(Duration::ZERO) };
        let outcome = self.poll.poll(&mut self.events, timeout);
        if sleeps {
            inbox.wake_up();
        }
        match outcome {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        for event in &self.events {
            if event.token() == INBOX {
                continue;
            }
            // A failed or reset socket tells why when it is read.
            let happened = Happened {
                readable: event.is_readable() || event.is_error(),
                read_closed: event.is_read_closed() || event.is_error(),
                writable: event.is_writable(),
                ..Happened::default()
            };
            let token = Token(event.token().0 as u64);
            happen(&mut self.places, &mut self.due, token, happened);
        }
        Ok(())
    }

    /// Something has happened to the connection that `token` names, if it is still there.
    pub fn happen(&mut self, token: Token, happened: Happened) {
        happen(&mut self.places, &mut self.due, token, happened);
    }

    /// Pushes wait for these connections, as far as they are still there.
    pub fn pushes_wait(&mut self, tokens: &[Token]) {
        let happened = Happened { pushed: true, ..Happened::default() };
        tokens.iter().for_each(|token| self.happen(*token, happened));
    }

    /// Lets those try again whose time has come.
    pub fn retry_due(&mut self, now_ns: u64) {
        while let Some((at_ns, token)) = self.retries.first().copied()
            && at_ns <= now_ns
        {
            self.retries.pop_first();
            let token = Token(token);
            if let Some(place) = self.places.get_mut(inbox::place_of(token) as usize) {
                place.retry_at_ns = None;
            }
            self.happen(token, Happened { resumed: true, ..Happened::default() });
        }
    }

    /// Notes when a suspended or blocked call is to go on.
    ///
    /// A time that was noted before and comes earlier stays: the call looks then, and notes a new one.
    /// So a client that blocks and is served over and over changes nothing here most of the time.
    pub fn retry_at(&mut self, at_ns: u64, token: Token) {
        let place = &mut self.places[inbox::place_of(token) as usize];
        match place.retry_at_ns {
            Some(noted_ns) if noted_ns <= at_ns => return,
            Some(noted_ns) => self.retries.remove(&(noted_ns, token.0)),
            None => false,
        };
        place.retry_at_ns = Some(at_ns);
        self.retries.insert((at_ns, token.0));
    }

    /// Holds a connection's replies until the journal is safe up to `offset`.
    pub fn hold(&mut self, offset: u64, token: Token) {
        let place = &mut self.places[inbox::place_of(token) as usize];
        if let Some(before) = place.held_until.replace(offset) {
            self.held.remove(&(before, token.0));
        }
        self.held.insert((offset, token.0));
    }

    /// Lets those go on whose replies may leave.
    pub fn release_safe(&mut self, is_safe: impl Fn(u64) -> bool) {
        while let Some((offset, token)) = self.held.first().copied()
            && is_safe(offset)
        {
            self.held.pop_first();
            let token = Token(token);
            if let Some(place) = self.places.get_mut(inbox::place_of(token) as usize) {
                place.held_until = None;
            }
            self.happen(token, Happened { writable: true, ..Happened::default() });
        }
    }

    /// How many are due at the moment.
    pub fn due(&self) -> usize {
        self.due.len()
    }

    /// The first `max` due connections, with what has happened to them.
    pub fn each_due(&mut self, max: usize, mut visit: impl FnMut(&mut Connection, &mut Happened)) {
        for index in self.due.iter().take(max) {
            let place = &mut self.places[*index as usize];
            if let Occupant::Here(connection) = &mut place.occupant {
                visit(connection, &mut place.happened);
            }
        }
    }

    /// Takes the next due connection out of its place, to be served.
    pub fn take_due(&mut self) -> Option<(Box<Connection>, Happened)> {
        let index = self.due.pop_front()?;
        let place = &mut self.places[index as usize];
        place.is_due = false;
        match std::mem::replace(&mut place.occupant, Occupant::Away) {
            Occupant::Here(connection) => Some((connection, std::mem::take(&mut place.happened))),
            other => {
                place.occupant = other;
                None
            }
        }
    }

    /// Puts a connection back to its place; it is due if something has happened meanwhile.
    pub fn put_back(&mut self, connection: Box<Connection>) {
        let index = inbox::place_of(connection.session.token);
        let place = &mut self.places[index as usize];
        let is_due = place.happened != Happened::default() || connection.is_due();
        place.occupant = Occupant::Here(connection);
        if is_due && !place.is_due {
            place.is_due = true;
            self.due.push_back(index);
        }
    }

    /// A place for a new connection, and the token that names it.
    pub fn reserve(&mut self) -> Token {
        let index = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place::default());
            self.places.len() as u32 - 1
        });
        let place = &mut self.places[index as usize];
        place.occupant = Occupant::Away;
        inbox::token(self.index as u16, index, place.generation)
    }

    /// Has the system tell when `stream` can be read.
    pub fn register(&self, stream: &mut Stream, token: Token) -> io::Result<()> {
        stream.register(self.poll.registry(), mio::Token(token.0 as usize), Interest::READABLE)
    }

    /// The connection of `token` is gone: its place is free, and whatever still comes for it is dropped.
    pub fn release(&mut self, token: Token) {
        let index = inbox::place_of(token);
        let place = &mut self.places[index as usize];
        if let Some(at_ns) = place.retry_at_ns.take() {
            self.retries.remove(&(at_ns, token.0));
        }
        if let Some(offset) = place.held_until.take() {
            self.held.remove(&(offset, token.0));
        }
        place.generation = inbox::next_generation(place.generation);
        place.occupant = Occupant::Nobody;
        place.happened = Happened::default();
        self.free.push(index);
    }

    /// All connections that are here, out of their places: the loop ends.
    pub fn take_all(&mut self) -> Vec<Box<Connection>> {
        let occupants = self.places.iter_mut().map(|place| std::mem::take(&mut place.occupant));
        let here = occupants.filter_map(|occupant| match occupant {
            Occupant::Here(connection) => Some(connection),
            Occupant::Away | Occupant::Nobody => None,
        });
        here.collect()
    }

    fn until_retry(&self, now_ns: u64) -> Option<Duration> {
        let (at_ns, _) = self.retries.first()?;
        Some(Duration::from_nanos(at_ns.saturating_sub(now_ns)))
    }
}

fn happen(places: &mut [Place], due: &mut VecDeque<u32>, token: Token, happened: Happened) {
    let index = inbox::place_of(token);
    let Some(place) = places.get_mut(index as usize) else { return };
    if place.generation != inbox::generation_of(token) {
        return;
    }
    place.happened.add(happened);
    if !place.is_due && matches!(place.occupant, Occupant::Here(_)) {
        place.is_due = true;
        due.push_back(index);
    }
}

/// What a message means for a loop's connections; the others are for the thread that runs the loop.
pub fn happened_by(message: &Message) -> Option<(Token, Happened)> {
    match message {
        Message::Kill(token) => Some((*token, Happened { killed: true, ..Happened::default() })),
        Message::Resume(token) => Some((*token, Happened { resumed: true, ..Happened::default() })),
        Message::Accept(_)
        | Message::Pushed(_)
        | Message::Return(_)
        | Message::Safe
        | Message::Stop => None,
    }
}
