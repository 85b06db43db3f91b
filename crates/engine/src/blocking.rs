//! Blocking calls: who waits for which key, and how they are served by the call that makes it ready.
//!
//! Problem. BLPOP finds nothing and waits, on keys in several shards, for a call of another client on
//! another thread. It must be served in the order of arrival and atomically with that call; its
//! timeout, CLIENT UNBLOCK and the end of its connection come at any time from elsewhere; and nobody
//! may pay who has nothing to do with its keys.
//!
//! Idea. A call that finds nothing becomes a [`Waiter`]: a copy of the request and of what its
//! session contributes, shared by everybody who may end it. It stands in a queue per key, in that
//! key's shard ([`WaitTable`]). The call that changes a key with waiters serves them at its end, on its
//! own thread and under its own locks: it *claims* a waiter (one compare-and-swap against all other
//! ends), runs the waiter's command as the waiter's session would, leaves the reply with the
//! waiter, and wakes its loop. There is one implementation per command: the same function runs for
//! the client at first and on its behalf later.
//!
//! ```text
//!   Waiting ──claim──► Claimed ──reply──► Served            by the thread that changed the key
//!      │ ▲                │
//!      │ └─ found nothing ┘
//!      ├──► TimedOut, Unblocked, Gone                       by its loop, CLIENT UNBLOCK, its end
//!      └──► Nudged: its own loop makes the call again       by whoever cannot serve it on the spot
//! ```
//!
//! *Which shards.* A waiter waits because none of its keys has anything for it. So a served call
//! needs to look only at keys whose shards the serving thread holds ([`Ctx::is_at_hand`]); a
//! BRPOP on hundreds of keys costs the pusher one of them. Only what a call touches *beside* the
//! keys that it waits for (BLMOVE's destination) is needed too. A call that holds its shards
//! and finds such waiters at its keys lets go and takes the larger set before it runs
//! (`Executor::widen`), following chains (BLMOVE waking BLMOVE) until the set is stable. It asks for
//! no more waiters than it can bring elements. Where that bound fails (a cycle of moves) a missing
//! shard is only tried for, and the key's waiters are *nudged* if it is taken: nothing is lost, only
//! their order is that of their loops then.
//!
//! *Which keys.* [`Data::changed`](crate::data::Data::changed) notes a key if it has waiters; what it holds is looked at after
//! the whole call (EXEC, script), so intermediate states serve nobody. Keys are served in the order
//! in which they were noted, and those that a served call makes ready come behind them.
//!
//! Cost. Without waiters: one test of a field beside the watchers' per change, and one per held
//! shard before the call. A waiter costs its keys alone: a place in a queue each, found by the key's
//! hash. Places of a waiter that is over are taken out by its own loop, shard by shard without
//! waiting; those in a shard that is taken just then are left in a list for the periodic jobs.
//!
//! # For commands that block
//!
//! One function, [`Ctx::wait`]: called when nothing was found, before anything is replied.
//!
//! ```text
//! let timeout = timeout::seconds(ctx.argv.at(last))?;       // errors come before anything else
//! for index in 1..last {
//!     let key = ctx.key(index);
//!     if !ctx.is_at_hand(key) {                             // a served call: nothing is there
//!         continue;
//!     }
//!     …                                                     // pop, reply, return Ok(())
//! }
//! if !ctx.wait(Wait { timeout, ..Wait::on(Kind::List, 1..last) }) {
//!     ctx.reply.null_array();                               // in EXEC and scripts nobody waits
//! }
//! Ok(())
//! ```
//!
//! If the function is run again for the waiter and calls `wait` again, it just waits on, at its old
//! place and with its old deadline. What depends on the moment of the first call (`$` of XREAD) goes
//! into [`Wait::argv`], the arguments to be run later. Whoever makes a key ready does nothing but
//! tell of its change.

mod serve;
mod table;
mod waiter;

pub use table::WaitTable;
pub use waiter::{AtTimeout, Wait, WaitedKey, Waiter};

#[cfg(doc)]
use crate::context::Ctx;

use crate::context::HashedKey;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use waiter::End;

/// Stripes of the table of waiting clients.
const STRIPES: usize = 16;

/// A key that has waiters and was changed by the present call.
#[derive(Debug)]
pub(crate) struct ReadyKey {
    pub db: usize,
    pub hash: u64,
    pub bytes: Box<[u8]>,
}

/// All clients that wait in a blocking call.
#[derive(Default)]
pub struct Blocking {
    arrivals: AtomicU64,
    count: AtomicUsize,
    clients: [Mutex<HashMap<u64, Arc<Waiter>>>; STRIPES],
    leftovers: Mutex<Vec<Leftover>>,
}

/// Places of a waiter that is over, still in the tables of these keys' shards.
pub(crate) struct Leftover {
    waiter: Arc<Waiter>,
    keys: Vec<WaitedKey>,
}

impl Blocking {
    /// How many clients wait.
    pub fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Ends the wait of a client: as if its time had run out, or with an error. `None` if it does not
    /// wait. The caller wakes the token; `relax` is called while somebody runs the client's call.
    pub fn unblock(
        &self,
        client: u64,
        with_error: bool,
        relax: impl Fn(),
    ) -> Option<base::lock::Token> {
        let waiter = self.stripe(client).lock().get(&client).map(Arc::clone)?;
        let end = if with_error { End::Unblocked } else { End::TimedOut };
        // Who has claimed it is in the middle of a call and either serves it or lets go of it soon.
        let is_ended = loop {
            match waiter.try_end(end) {
                Some(is_ended) => break is_ended,
                None => relax(),
            }
        };
        is_ended.then(|| {
            self.ended(&waiter);
            waiter.token
        })
    }

    /// The number of the next waiter: at one key, lower ones came first.
    pub(crate) fn arrival(&self) -> u64 {
        // Relaxed: those of one key are drawn under its shard's lock.
        self.arrivals.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(crate) fn began(&self, waiter: &Arc<Waiter>) {
        self.stripe(waiter.client).lock().insert(waiter.client, Arc::clone(waiter));
        self.count.fetch_add(1, Ordering::Relaxed);
    }

    /// The waiter is over; a second time is the same as once.
    pub(crate) fn ended(&self, waiter: &Waiter) {
        let mut clients = self.stripe(waiter.client).lock();
        if clients.get(&waiter.client).is_some_and(|found| found.number == waiter.number) {
            clients.remove(&waiter.client);
            self.count.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn leave_over(&self, leftovers: &mut Vec<Leftover>) {
        if !leftovers.is_empty() {
            self.leftovers.lock().append(leftovers);
        }
    }

    fn take_leftovers(&self) -> Vec<Leftover> {
        std::mem::take(&mut self.leftovers.lock())
    }

    fn stripe(&self, client: u64) -> &Mutex<HashMap<u64, Arc<Waiter>>> {
        &self.clients[client as usize % STRIPES]
    }
}

impl Waiter {
    /// A call's keys that it waits for.
    pub(crate) fn waited_keys(&self) -> impl Iterator<Item = WaitedKey> {
        let range = self.waited.clone();
        let keys = self.keys.iter().filter(move |key| range.contains(&key.argument));
        keys.map(|key| WaitedKey { argument: key.argument, hash: key.hash })
    }

    /// A call's keys beside those that it waits for.
    fn further_keys(&self) -> impl Iterator<Item = HashedKey> {
        self.keys.iter().copied().filter(|key| !self.waited.contains(&key.argument))
    }
}
