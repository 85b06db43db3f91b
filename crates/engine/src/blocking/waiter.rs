//! One waiting call: its request, what its session contributes, and the state that decides who ends it.

use crate::context::HashedKey;
use crate::session::{QueuedCall, Session};
use base::lock::Token;
use parking_lot::Mutex;
use resp::{ArgvBuffer, Reply};
use std::ops::Range;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;
use store::Kind;

/// What a call asks for that found nothing.
#[derive(Debug)]
pub struct Wait {
    /// What its keys must hold to be of use; `None`: it waits for no key.
    pub kind: Option<Kind>,
    /// The arguments that are the keys.
    pub keys: Range<usize>,
    /// How long; `None`: for ever.
    pub timeout: Option<Duration>,
    pub at_timeout: AtTimeout,
    /// It is also run when a key is removed or becomes another kind (XREADGROUP: an error then).
    pub minds_removal: bool,
    /// The arguments to be run later, if not those of this call: as many, with the same keys.
    pub argv: Option<ArgvBuffer>,
    /// The call is made again after so long, since there may be something without any change then.
    pub retry: Option<Duration>,
}

impl Wait {
    /// For a value of `kind` at the keys that are the arguments `keys`; for ever, null after that.
    pub fn on(kind: Kind, keys: Range<usize>) -> Self {
        Self { kind: Some(kind), keys, ..Self::until(None, AtTimeout::NullArray) }
    }

    /// For the end of its time alone.
    pub fn until(timeout: Option<Duration>, at_timeout: AtTimeout) -> Self {
        Self {
            kind: None,
            keys: 0..0,
            timeout,
            at_timeout,
            minds_removal: false,
            argv: None,
            retry: None,
        }
    }
}

/// The reply when its time has run out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AtTimeout {
    Integer(i64),
    Integers([i64; 2]),
    NullArray,
}

impl AtTimeout {
    pub(super) fn reply(self, reply: &mut Reply) {
        match self {
            Self::Integer(number) => reply.integer(number),
            Self::Integers(numbers) => {
                reply.array(numbers.len());
                numbers.into_iter().for_each(|number| reply.integer(number));
            }
            Self::NullArray => reply.null_array(),
        }
    }
}

/// A key that a call waits for: the argument that holds it, and its hash.
#[derive(Clone, Copy, Debug)]
pub struct WaitedKey {
    pub argument: usize,
    pub hash: u64,
}

/// How a wait ends without being served.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum End {
    /// Its connection has ended.
    Gone,
    TimedOut,
    /// CLIENT UNBLOCK with an error.
    Unblocked,
}

/// Where a waiter stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Standing {
    Waiting,
    /// Somebody runs its call.
    Claimed,
    /// Its own loop is to make the call again.
    Nudged,
    Served,
    Ended(End),
}

/// A waiting call.
///
/// `state` says who may touch `inside`: whoever has claimed it, and its own loop once it is over.
pub struct Waiter {
    /// Lower ones came first.
    pub number: u64,
    pub client: u64,
    pub token: Token,
    pub db: usize,
    pub(super) kind: Option<Kind>,
    pub(super) minds_removal: bool,
    pub(super) is_silent: bool,
    pub(super) deadline_ns: Option<u64>,
    /// When its own loop makes the call again, if nothing has happened; `u64::MAX`: never.
    retry_ns: AtomicU64,
    pub(super) at_timeout: AtTimeout,
    pub(super) call: QueuedCall,
    /// All keys of the call, by argument.
    pub(super) keys: Box<[HashedKey]>,
    /// The arguments among them that it waits for.
    pub(super) waited: Range<usize>,
    pub(super) inside: Mutex<Inside>,
    state: AtomicU8,
}

/// What the thread that runs the call needs and leaves.
pub(super) struct Inside {
    /// Stands in for the session that waits.
    pub session: Session,
    /// What its runs have taken so far.
    pub spent_ns: u64,
    pub reply: Reply,
}

const WAITING: u8 = 0;
const CLAIMED: u8 = 1;
const NUDGED: u8 = 2;
const SERVED: u8 = 3;
const TIMED_OUT: u8 = 4;
const UNBLOCKED: u8 = 5;
const GONE: u8 = 6;
/// Beside `CLAIMED`: somebody else had something for it meanwhile.
const MISSED: u8 = 0x10;
/// Beside `CLAIMED`: its connection has ended meanwhile.
const LEFT: u8 = 0x20;

impl Waiter {
    #[expect(
        clippy::too_many_arguments,
        reason = "each is a different thing, and there is one caller"
    )]
    pub(crate) fn new(
        number: u64,
        session: &Session,
        wait: Wait,
        is_silent: bool,
        call: QueuedCall,
        keys: Box<[HashedKey]>,
        db: usize,
        now_ns: u64,
    ) -> Self {
        let deadline_ns = wait.timeout.map(|timeout| after(now_ns, timeout));
        let retry_ns = wait.retry.map_or(u64::MAX, |retry| after(now_ns, retry));
        let reply = Reply::with_protocol(session.protocol);
        Self {
            number,
            client: session.id,
            token: session.token,
            db,
            kind: wait.kind,
            minds_removal: wait.minds_removal,
            is_silent,
            deadline_ns,
            retry_ns: AtomicU64::new(retry_ns),
            at_timeout: wait.at_timeout,
            call,
            keys,
            waited: wait.keys,
            inside: Mutex::new(Inside { session: session.stand_in(), spent_ns: 0, reply }),
            state: AtomicU8::new(WAITING),
        }
    }

    /// Its call waits on: says when it is made again. `true`: sooner than its loop expects.
    pub(crate) fn retry_in(&self, retry: Option<Duration>, now_ns: u64) -> bool {
        let retry_ns = retry.map_or(u64::MAX, |retry| after(now_ns, retry));
        // Relaxed: whoever has claimed the call writes it, and `state` orders that.
        retry_ns < self.retry_ns.swap(retry_ns, Ordering::Relaxed)
    }

    /// Whether it is time to make the call again.
    pub(super) fn is_due(&self, now_ns: u64) -> bool {
        self.retry_ns.load(Ordering::Relaxed) <= now_ns
    }

    /// When its loop has to look after it.
    pub(super) fn until_ns(&self) -> Option<u64> {
        let retry_ns = self.retry_ns.load(Ordering::Relaxed);
        let until_ns = self.deadline_ns.unwrap_or(u64::MAX).min(retry_ns);
        (until_ns != u64::MAX).then_some(until_ns)
    }

    /// Whether its reply waits to be written.
    pub(crate) fn is_served(&self) -> bool {
        self.standing() == Standing::Served
    }

    pub(super) fn standing(&self) -> Standing {
        // Acquire pairs with the Release of whoever has served it: `inside` is seen.
        match self.state.load(Ordering::Acquire) {
            WAITING => Standing::Waiting,
            NUDGED => Standing::Nudged,
            SERVED => Standing::Served,
            TIMED_OUT => Standing::Ended(End::TimedOut),
            UNBLOCKED => Standing::Ended(End::Unblocked),
            GONE => Standing::Ended(End::Gone),
            _ => Standing::Claimed,
        }
    }

    /// Whether nobody will serve it any more.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.standing(), Standing::Served | Standing::Ended(_))
    }

    /// The right to run its call. Whoever is refused because another has it is made up for: the call
    /// is run again then.
    pub(super) fn claim(&self) -> bool {
        self.change(|state| match state {
            WAITING => Some(CLAIMED),
            _ if is_claimed(state) => Some(state | MISSED),
            _ => None,
        }) == Ok(WAITING)
    }

    /// As [`Waiter::claim`], for its own loop after a nudge.
    pub(super) fn take_up(&self) -> bool {
        self.change(|state| (state == NUDGED).then_some(CLAIMED)).is_ok()
    }

    /// Its own loop could not make the call yet.
    pub(super) fn put_down(&self) {
        let _ = self.change(|state| is_claimed(state).then_some(NUDGED));
    }

    /// Its call was run and found nothing: it waits on. `false`: its own loop must be woken, because
    /// it was missed meanwhile.
    pub(crate) fn wait_on(&self) -> bool {
        let before = self.change(|state| match state {
            _ if state & LEFT != 0 => Some(GONE),
            _ if state & MISSED != 0 => Some(NUDGED),
            _ => Some(WAITING),
        });
        before.is_ok_and(|state| state & MISSED == 0 || state & LEFT != 0)
    }

    /// Its call was run and `inside` holds the reply.
    pub(super) fn served(&self) {
        // Release pairs with the Acquire in `standing`.
        self.state.store(SERVED, Ordering::Release);
    }

    /// Has its own loop make the call again. `true`: the caller wakes it.
    pub(crate) fn nudge(&self) -> bool {
        let before = self.change(|state| match state {
            WAITING => Some(NUDGED),
            _ if is_claimed(state) => Some(state | MISSED),
            _ => None,
        });
        before == Ok(WAITING)
    }

    /// Ends the wait. `None`: somebody runs its call just now; `false`: it is over already.
    pub(super) fn try_end(&self, end: End) -> Option<bool> {
        let after = match end {
            End::Gone => GONE,
            End::TimedOut => TIMED_OUT,
            End::Unblocked => UNBLOCKED,
        };
        let before = self.change(|state| match state {
            WAITING | NUDGED => Some(after),
            _ if is_claimed(state) && end == End::Gone => Some(state | LEFT),
            _ => None,
        });
        match before {
            Ok(WAITING | NUDGED) => Some(true),
            Ok(_) => None,
            Err(state) if is_claimed(state) => None,
            Err(_) => Some(false),
        }
    }

    /// One transition: the state before; an error with the state from which there is none.
    fn change(&self, next: impl FnMut(u8) -> Option<u8>) -> Result<u8, u8> {
        // AcqRel: a claim sees what the one before has left in `inside`, and shows what it leaves.
        self.state.fetch_update(Ordering::AcqRel, Ordering::Acquire, next)
    }
}

fn after(now_ns: u64, duration: Duration) -> u64 {
    now_ns.saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
}

fn is_claimed(state: u8) -> bool {
    state & !(MISSED | LEFT) == CLAIMED
}

impl std::fmt::Debug for Waiter {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (number, client, standing) = (self.number, self.client, self.standing());
        write!(formatter, "Waiter {{ {number} of client {client}, {standing:?} }}")
    }
}
