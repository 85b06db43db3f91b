//! Who waits at one shard, who has reserved it, and who goes next: plain data, changed under the lock's mutex only.
//!
//! Design. Three kinds of claims stand at a shard, and they bind newcomers differently:
//!
//! - A *waiter* missed the lock and sleeps. Release wakes the first one and keeps nothing for it.
//!   While one is on its way, no further one is woken: it will take the lock, and its own release
//!   wakes the next; or it misses again, and the release of whoever was quicker wakes it again. One
//!   that has not come for [`SLOW_NS`] no longer counts.
//! - A *hand-off*: when somebody took the lock past a first waiter that had already waited
//!   [`SLOW_NS`], the release after that keeps the lock for this waiter. A hand-off binds for
//!   [`SLOW_NS`], and the next follows [`HAND_OFF_PAUSE_NS`] later at the earliest; otherwise a
//!   crowd of old waiters would bring the lock down from its own speed to that of wake-ups, one
//!   after another.
//! - A *reservation* belongs to a call that needs several shards; it carries the call's ticket, and
//!   the lowest ticket goes first. It binds until its time, so that a reservation whose owner waits
//!   elsewhere for a slow call doesn't spread that wait; the owner is asked to come back then and
//!   to renew or withdraw it.
//!
//! None of these guards the data: the lock bit alone does. A mistake here costs fairness or, at
//! worst, a wake-up. The rule that no wake-up is lost: while the lock is free and somebody stands
//! here, one of these holds:
//!
//! - a hand-off stands; its owner has been woken and has not come yet;
//! - the lowest reservation that binds has been woken and has not come yet; or its owner has seen
//!   this shard free and waits for another one, whose holder will wake it;
//! - nothing binds, and a waiter has been woken and has not come yet.
//!
//! Whoever is woken takes the lock, misses it (and stands here again), or leaves; each of these
//! passes through this file, which then chooses anew. Two traps: who was handed the lock may take
//! it however late it comes, since the reservations were not told; and who gives up a hand-off
//! passes it on, even when it stays with a reservation.

use std::collections::VecDeque;

use super::{SLOW_NS, Token};

/// The least time between two hand-offs at one shard.
const HAND_OFF_PAUSE_NS: u64 = 4 * SLOW_NS;

/// See the file's head.
#[derive(Default)]
pub(super) struct Queue {
    /// In order of arrival.
    waiting: VecDeque<Waiter>,
    /// By ticket, lowest first.
    reserved: Vec<Reservation>,
    handed: Option<HandOff>,
    /// When the next hand-off may be made.
    hand_off_after: u64,
}

struct Waiter {
    token: Token,
    since: u64,
    woken_at: Option<u64>,
}

/// One shard set aside for a call that needs several.
pub(super) struct Reservation {
    pub(super) ticket: u64,
    pub(super) token: Token,
    /// When the call took its ticket.
    pub(super) since: u64,
    /// Until when it binds others; `u64::MAX` for a call that insists.
    pub(super) until: u64,
}

struct HandOff {
    token: Token,
    until: u64,
}

/// Whom to wake: the first of the reservations, the first waiter, or both.
pub(super) struct Wakes([Option<Token>; 2]);

impl Wakes {
    pub(super) fn tokens(&self) -> impl Iterator<Item = Token> {
        self.0.iter().flatten().copied()
    }
}

impl Queue {
    /// `token` took the lock: it waits no more, and a hand-off to it, or a lapsed one, is over.
    pub(super) fn took(&mut self, token: Token) {
        self.waiting.retain(|waiter| waiter.token != token);
        self.handed = None;
    }

    /// `token` missed the lock and waits, at its old place if it has one.
    pub(super) fn wait(&mut self, token: Token, now: u64) {
        self.handed.take_if(|handed| handed.token == token);
        match self.waiting.iter_mut().find(|waiter| waiter.token == token) {
            Some(waiter) => waiter.woken_at = None,
            None => self.waiting.push_back(Waiter { token, since: now, woken_at: None }),
        }
    }

    /// Places a reservation or renews it; it stands for the token's place among the waiters too.
    /// True if the lock had been handed to the token: others may rely on its taking it, so the
    /// caller chooses the next then.
    pub(super) fn reserve(&mut self, reservation: Reservation) -> bool {
        let was_handed = self.handed.as_ref().is_some_and(|it| it.token == reservation.token);
        self.leave(reservation.token);
        let index = self.reserved.partition_point(|other| other.ticket < reservation.ticket);
        self.reserved.insert(index, reservation);
        was_handed
    }

    pub(super) fn unreserve(&mut self, token: Token) {
        self.reserved.retain(|reservation| reservation.token != token);
    }

    /// Nothing stands here for `token` any more. The caller chooses the next then.
    pub(super) fn leave(&mut self, token: Token) {
        self.waiting.retain(|waiter| waiter.token != token);
        self.unreserve(token);
        self.handed.take_if(|handed| handed.token == token);
    }

    /// The lock is free, or is about to be: decides who is woken and whether the lock is kept for
    /// it. `letting_go` is a call that lets go of a shard that it has reserved, to wait for another
    /// one, and needs no waking.
    pub(super) fn choose(&mut self, now: u64, letting_go: Option<Token>) -> Wakes {
        self.handed.take_if(|handed| handed.until <= now);
        if self.handed.is_some() {
            return Wakes([None, None]);
        }
        let lowest = self.lowest_binding(now);
        let due = self.waiting.front().filter(|first| {
            SLOW_NS <= now.saturating_sub(first.since)
                && self.hand_off_after <= now
                && lowest.is_none_or(|lowest| first.since < lowest.since)
        });
        if let Some(first) = due {
            let token = first.token;
            self.hand_off(token, now);
            return Wakes([Some(token), None]);
        }
        // One that has lapsed comes back by itself; that it is first by its ticket makes it worth
        // asking again now.
        let lapsed = self.reserved.first().filter(|first| first.until <= now);
        let lapsed = lapsed.map(|first| first.token);
        let next = match lowest {
            Some(lowest) => Some(lowest.token),
            None => self.wake_first(now),
        };
        Wakes([lapsed, next].map(|token| token.filter(|token| letting_go != Some(*token))))
    }

    /// May `token`, with its ticket if it has one, take the free lock?
    pub(super) fn admits(&self, token: Token, ticket: Option<u64>, now: u64) -> bool {
        match &self.handed {
            // However late: those with reservations here were not told that the lock is free.
            Some(handed) if handed.token == token => return true,
            Some(handed) if now < handed.until => return false,
            Some(_) | None => {}
        }
        match self.lowest_binding(now) {
            Some(lowest) => ticket.is_some_and(|ticket| ticket <= lowest.ticket),
            None => true,
        }
    }

    /// Must a newcomer ask here before it takes the lock?
    pub(super) fn binds(&self) -> bool {
        self.handed.is_some() || !self.reserved.is_empty()
    }

    /// Must the holder ask here whom to wake?
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.reserved.is_empty()
    }

    /// Does a free lock need another look here at its next release? Waiters don't: one of them is
    /// on its way.
    pub(super) fn is_reserved(&self) -> bool {
        !self.reserved.is_empty()
    }

    fn lowest_binding(&self, now: u64) -> Option<&Reservation> {
        self.reserved.iter().find(|reservation| now < reservation.until)
    }

    fn hand_off(&mut self, token: Token, now: u64) {
        self.handed = Some(HandOff { token, until: now.saturating_add(SLOW_NS) });
        self.hand_off_after = now.saturating_add(HAND_OFF_PAUSE_NS);
        if let Some(first) = self.waiting.front_mut() {
            first.woken_at = Some(now);
        }
    }

    /// The first waiter that was not woken, unless one before it is still on its way.
    fn wake_first(&mut self, now: u64) -> Option<Token> {
        for waiter in &mut self.waiting {
            match waiter.woken_at {
                Some(woken_at) if now.saturating_sub(woken_at) < SLOW_NS => return None,
                Some(_) => {}
                None => {
                    waiter.woken_at = Some(now);
                    return Some(waiter.token);
                }
            }
        }
        None
    }
}
