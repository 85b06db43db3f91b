//! The locks under loom: every interleaving of two or three threads, up to a few preemptions each.
//!
//! Run it with
//!
//! ```text
//! RUSTFLAGS="--cfg loom" cargo test -p base --profile ci --target-dir target/loom --lib lock::models
//! ```
//!
//! (a target folder of its own, since the flag rebuilds every dependency; about a minute). At most
//! [`PREEMPTIONS`] preemptions are explored; `LOOM_MAX_PREEMPTIONS=4` digs deeper, for minutes or
//! hours.
//!
//! What a model proves: two are never inside together (the data is a loom cell, which also checks
//! that each holder sees what the last one wrote), and every call ends although it attempts again
//! only when its token was woken: a lost wake-up or a deadlock ends the model with "deadlock".
//! Under loom nobody spins, and a call reserves after its second miss.

use std::sync::Arc;

use loom::cell::UnsafeCell;
use loom::sync::Notify;
use loom::thread;

use super::*;

const PREEMPTIONS: usize = 3;

fn check(model: impl Fn() + Sync + Send + 'static) {
    check_within(PREEMPTIONS, model);
}

fn check_within(preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(preemptions));
    builder.check(model);
}

/// One bell per token.
struct Bells(Vec<Notify>);

impl Wake for Bells {
    fn wake(&self, token: Token) {
        self.0[token.0 as usize].notify();
    }
}

impl Bells {
    fn new(count: usize) -> Arc<Self> {
        Arc::new(Self((0..count).map(|_| Notify::new()).collect()))
    }

    fn wait(&self, token: Token) {
        self.0[token.0 as usize].wait();
    }
}

struct Shards {
    locks: Vec<ShardLock<UnsafeCell<u32>>>,
    tickets: Tickets,
    bells: Arc<Bells>,
}

impl Shards {
    fn new(shards: u32, tokens: usize) -> Arc<Self> {
        let bells = Bells::new(tokens);
        let waker: Arc<dyn Wake> = Arc::<Bells>::clone(&bells);
        let lock = |index| ShardLock::new(index, UnsafeCell::new(0), Arc::clone(&waker));
        Arc::new(Self { locks: (0..shards).map(lock).collect(), tickets: Tickets::new(), bells })
    }

    /// One attempt at one shard.
    fn try_one(
        &self,
        index: usize,
        claim: &mut Claim,
        token: Token,
        now: u64,
    ) -> Result<(), Queued> {
        count(&*self.locks[index].acquire(claim, token, now)?);
        Ok(())
    }

    /// One attempt at several shards.
    fn try_set(
        &self,
        indices: &[u32],
        claim: &mut Claim,
        token: Token,
        now: u64,
    ) -> Result<(), Queued> {
        let mut out = Vec::new();
        acquire_set(&self.locks, indices, claim, token, &self.tickets, now, false, &mut out)?;
        for (_, guard) in &out {
            count(guard);
        }
        Ok(())
    }

    /// A call for one shard, to its end.
    fn call_one(&self, index: usize, token: u64, now: u64) {
        let mut claim = Claim::default();
        while self.try_one(index, &mut claim, Token(token), now).is_err() {
            self.bells.wait(Token(token));
        }
    }

    /// A call for several shards, to its end.
    fn call_set(&self, indices: &[u32], token: u64, now: u64) {
        let mut claim = Claim::default();
        while self.try_set(indices, &mut claim, Token(token), now).is_err() {
            self.bells.wait(Token(token));
        }
    }

    /// A call for several shards that comes back when it was told to.
    fn call_set_punctually(&self, indices: &[u32], token: u64, mut now: u64) {
        let mut claim = Claim::default();
        while let Err(queued) = self.try_set(indices, &mut claim, Token(token), now) {
            match queued.retry_at.filter(|retry_at| now < *retry_at) {
                Some(retry_at) => {
                    now = retry_at;
                    thread::yield_now();
                }
                None => self.bells.wait(Token(token)),
            }
        }
    }

    /// A call whose connection is closed at its first miss; true if it didn't miss.
    fn call_set_once(&self, indices: &[u32], token: u64) -> bool {
        let mut claim = Claim::default();
        let done = self.try_set(indices, &mut claim, Token(token), 0).is_ok();
        claim.withdraw(&self.locks, Token(token));
        done
    }

    /// All is over: nothing stands anywhere, and the shards were visited so often.
    fn assert_counts(&self, counts: &[u32]) {
        for (lock, count) in self.locks.iter().zip(counts) {
            let guard = lock.try_lock(0).expect("nothing stands there any more");
            // SAFETY: nobody else is left.
            guard.with(|cell| assert_eq!(unsafe { *cell }, *count));
        }
    }
}

/// Visits a shard; loom complains if anybody else does, or has done without our having seen it.
fn count(cell: &UnsafeCell<u32>) {
    // SAFETY: the shard's guard is held.
    cell.with_mut(|cell| unsafe { *cell += 1 });
}

fn spawn(shards: &Arc<Shards>, run: impl FnOnce(&Shards) + 'static) -> thread::JoinHandle<()> {
    let shards = Arc::clone(shards);
    thread::spawn(move || run(&shards))
}

fn join(handles: impl IntoIterator<Item = thread::JoinHandle<()>>) {
    for handle in handles {
        handle.join().expect("the thread asserts nothing that fails");
    }
}

#[test]
fn one_shard_two_callers_twice() {
    check(|| {
        let shards = Shards::new(1, 2);
        let other = spawn(&shards, |shards| {
            shards.call_one(0, 1, 0);
            shards.call_one(0, 1, 0);
        });
        shards.call_one(0, 0, 0);
        shards.call_one(0, 0, 0);
        join([other]);
        shards.assert_counts(&[4]);
    });
}

#[test]
fn one_shard_three_callers() {
    check(|| {
        let shards = Shards::new(1, 3);
        let others = [1, 2].map(|token| spawn(&shards, move |shards| shards.call_one(0, token, 0)));
        shards.call_one(0, 0, 0);
        join(others);
        shards.assert_counts(&[3]);
    });
}

#[test]
fn one_shard_a_caller_that_never_waits() {
    check(|| {
        let shards = Shards::new(1, 3);
        let others = [
            spawn(&shards, |shards| shards.call_one(0, 1, 0)),
            spawn(&shards, |shards| {
                drop(shards.locks[0].try_lock(0));
                drop(shards.locks[0].try_lock(0));
            }),
        ];
        shards.call_one(0, 0, 0);
        join(others);
        shards.assert_counts(&[2]);
    });
}

#[test]
fn one_shard_a_waiter_goes_away() {
    check(|| {
        let shards = Shards::new(1, 3);
        let visits = Arc::new(std::sync::atomic::AtomicU32::new(2));
        let others = [
            spawn(&shards, |shards| shards.call_one(0, 1, 0)),
            spawn(&shards, {
                let visits = Arc::clone(&visits);
                move |shards| {
                    let mut claim = Claim::default();
                    if shards.try_one(0, &mut claim, Token(2), 0).is_ok() {
                        visits.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    }
                    claim.withdraw(&shards.locks, Token(2));
                }
            }),
        ];
        shards.call_one(0, 0, 0);
        join(others);
        shards.assert_counts(&[visits.load(std::sync::atomic::Ordering::Relaxed)]);
    });
}

/// Each caller's time is long after that of the one before, so that hand-offs are made and lapse.
#[test]
fn one_shard_is_handed_over() {
    check(|| {
        let shards = Shards::new(1, 3);
        let others = [1, 2].map(|token| {
            spawn(&shards, move |shards| shards.call_one(0, token, token * 10 * SLOW_NS))
        });
        shards.call_one(0, 0, 0);
        join(others);
        shards.assert_counts(&[3]);
    });
}

#[test]
fn two_shards_two_callers() {
    check(|| {
        let shards = Shards::new(2, 2);
        let other = spawn(&shards, |shards| shards.call_set(&[0, 1], 1, 0));
        shards.call_set(&[0, 1], 0, 0);
        join([other]);
        shards.assert_counts(&[2, 2]);
    });
}

#[test]
fn two_shards_three_callers() {
    // One more takes minutes.
    check_within(2, || {
        let shards = Shards::new(2, 3);
        let others =
            [1, 2].map(|token| spawn(&shards, move |shards| shards.call_set(&[0, 1], token, 0)));
        shards.call_set(&[0, 1], 0, 0);
        join(others);
        shards.assert_counts(&[3, 3]);
    });
}

#[test]
fn two_shards_and_callers_for_one_of_them() {
    check(|| {
        let shards = Shards::new(2, 3);
        let others = [
            spawn(&shards, |shards| shards.call_one(0, 1, 0)),
            spawn(&shards, |shards| shards.call_one(1, 2, 0)),
        ];
        shards.call_set(&[0, 1], 0, 0);
        join(others);
        shards.assert_counts(&[2, 2]);
    });
}

#[test]
fn two_shards_a_caller_goes_away() {
    check(|| {
        let shards = Shards::new(2, 3);
        let visits = Arc::new(std::sync::atomic::AtomicU32::new(2));
        let others = [
            spawn(&shards, |shards| shards.call_set(&[0, 1], 1, 0)),
            spawn(&shards, {
                let visits = Arc::clone(&visits);
                move |shards| {
                    if shards.call_set_once(&[0, 1], 2) {
                        visits.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    }
                }
            }),
        ];
        shards.call_set(&[0, 1], 0, 0);
        join(others);
        let visits = visits.load(std::sync::atomic::Ordering::Relaxed);
        shards.assert_counts(&[visits, visits]);
    });
}

/// Hand-offs, lapsed reservations and shards that look slow to one caller and not to another.
#[test]
fn two_shards_callers_at_different_times() {
    check_within(2, || {
        let shards = Shards::new(2, 3);
        let others = [
            spawn(&shards, |shards| shards.call_set_punctually(&[0, 1], 1, 10 * SLOW_NS)),
            spawn(&shards, |shards| shards.call_one(1, 2, 20 * SLOW_NS)),
        ];
        shards.call_set_punctually(&[0, 1], 0, 0);
        join(others);
        shards.assert_counts(&[2, 3]);
    });
}

/// Shard 1 is held until a call for shard 0 alone is through; in between, a call for both has set
/// both aside. It comes back when that lapses, and then waits for shard 1 alone.
#[test]
fn two_shards_a_slow_holders_wait_does_not_spread() {
    check(|| {
        let shards = Shards::new(2, 3);
        let slow = shards.locks[1].try_lock(0).expect("nobody else is here yet");
        let one = spawn(&shards, |shards| shards.call_one(0, 1, 1));
        let both = spawn(&shards, |shards| {
            shards.call_set_punctually(&[0, 1], 2, 1);
        });
        join([one]);
        drop(slow);
        join([both]);
        shards.assert_counts(&[2, 1]);
    });
}

struct Door {
    gate: Gate,
    bells: Arc<Bells>,
    cells: Vec<UnsafeCell<u32>>,
}

impl Door {
    /// Each slot has a cell of its own, which its thread visits inside and the exclusive caller
    /// visits alone.
    fn new(slots: usize, tokens: usize) -> Arc<Self> {
        let bells = Bells::new(tokens);
        let gate = Gate::new(slots, Arc::<Bells>::clone(&bells));
        Arc::new(Self { gate, bells, cells: (0..slots).map(|_| UnsafeCell::new(0)).collect() })
    }

    fn call_inside(&self, slot: usize, token: u64, now: u64) {
        loop {
            if let Ok(inside) = self.gate.enter(slot, Token(token), now) {
                count(&self.cells[slot]);
                return drop(inside);
            }
            self.bells.wait(Token(token));
        }
    }

    /// One that comes back when it was told to.
    fn call_alone_punctually(&self, token: u64, mut now: u64) {
        let mut claim = GateClaim::default();
        loop {
            let retry_at = match self.gate.close(&mut claim, Token(token), now, false) {
                Ok(alone) => {
                    self.cells.iter().for_each(count);
                    return drop(alone);
                }
                Err(queued) => queued.retry_at,
            };
            match retry_at.filter(|retry_at| now < *retry_at) {
                Some(retry_at) => {
                    now = retry_at;
                    thread::yield_now();
                }
                None => self.bells.wait(Token(token)),
            }
        }
    }

    /// One that enters first each time, as a call is admitted before it asks to be alone.
    fn call_admitted_alone(&self, slot: usize, token: u64) {
        let mut claim = GateClaim::default();
        loop {
            if let Ok(inside) = self.gate.enter(slot, Token(token), 0) {
                count(&self.cells[slot]);
                drop(inside);
                if let Ok(alone) = self.gate.close(&mut claim, Token(token), 0, false) {
                    self.cells.iter().for_each(count);
                    return drop(alone);
                }
            }
            self.bells.wait(Token(token));
        }
    }

    fn call_alone(&self, token: u64, now: u64, insists: bool) {
        let mut claim = GateClaim::default();
        loop {
            if let Ok(alone) = self.gate.close(&mut claim, Token(token), now, insists) {
                self.cells.iter().for_each(count);
                return drop(alone);
            }
            self.bells.wait(Token(token));
        }
    }

    fn assert_counts(&self, counts: &[u32]) {
        assert!(!self.gate.is_closed());
        for (cell, count) in self.cells.iter().zip(counts) {
            // SAFETY: nobody else is left.
            cell.with(|cell| assert_eq!(unsafe { *cell }, *count));
        }
    }
}

fn spawn_at(door: &Arc<Door>, run: impl FnOnce(&Door) + 'static) -> thread::JoinHandle<()> {
    let door = Arc::clone(door);
    thread::spawn(move || run(&door))
}

#[test]
fn the_gate_two_entrants_and_a_closer() {
    check(|| {
        let door = Door::new(2, 3);
        let others = [
            spawn_at(&door, |door| door.call_inside(0, 0, 0)),
            spawn_at(&door, |door| {
                door.call_inside(1, 1, 0);
                door.call_inside(1, 1, 0);
            }),
        ];
        door.call_alone(2, 0, false);
        join(others);
        door.assert_counts(&[2, 3]);
    });
}

#[test]
fn the_gate_an_entrant_and_two_closers() {
    check(|| {
        let door = Door::new(1, 3);
        let others = [
            spawn_at(&door, |door| {
                door.call_inside(0, 0, 0);
                door.call_inside(0, 0, 0);
            }),
            spawn_at(&door, |door| door.call_alone(1, 0, false)),
        ];
        door.call_alone(2, 0, false);
        join(others);
        door.assert_counts(&[4]);
    });
}

#[test]
fn the_gate_an_entrant_and_a_closer_that_enters() {
    check_within(2, || {
        let door = Door::new(2, 3);
        let others = [
            spawn_at(&door, |door| {
                door.call_inside(0, 0, 0);
                door.call_inside(0, 0, 0);
            }),
            spawn_at(&door, |door| door.call_alone(2, 0, false)),
        ];
        door.call_admitted_alone(1, 1);
        join(others);
        // SAFETY: nobody else is left.
        door.cells[0].with(|cell| assert_eq!(unsafe { *cell }, 4));
    });
}

/// Each caller's time is long after that of the one before: threads are refused for too long, the
/// gate is kept open for them, and callers come back when that is over.
#[test]
fn the_gate_callers_at_different_times() {
    check_within(2, || {
        let door = Door::new(2, 4);
        let others = [
            spawn_at(&door, |door| {
                door.call_inside(0, 0, 0);
                door.call_inside(0, 0, 10 * SLOW_NS);
            }),
            spawn_at(&door, |door| door.call_alone_punctually(1, 10 * SLOW_NS)),
        ];
        door.call_alone_punctually(2, 20 * SLOW_NS);
        join(others);
        door.assert_counts(&[4, 2]);
    });
}

/// The one inside is slow for both closers: neither closes the gate before it has left; the one
/// that insists does.
#[test]
fn the_gate_a_slow_one_and_two_closers() {
    check(|| {
        let door = Door::new(1, 3);
        let others = [
            spawn_at(&door, |door| door.call_inside(0, 0, 0)),
            spawn_at(&door, |door| door.call_alone(1, 10 * SLOW_NS, false)),
        ];
        door.call_alone(2, 20 * SLOW_NS, true);
        join(others);
        door.assert_counts(&[3]);
    });
}

#[test]
fn the_gate_a_closer_goes_away() {
    check(|| {
        let door = Door::new(1, 3);
        let visits = Arc::new(std::sync::atomic::AtomicU32::new(3));
        let others = [
            spawn_at(&door, |door| {
                door.call_inside(0, 0, 0);
                door.call_inside(0, 0, 0);
            }),
            spawn_at(&door, {
                let visits = Arc::clone(&visits);
                move |door| {
                    let mut claim = GateClaim::default();
                    if let Ok(alone) = door.gate.close(&mut claim, Token(1), 0, false) {
                        door.cells.iter().for_each(count);
                        drop(alone);
                        visits.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    }
                    door.gate.withdraw(&mut claim, Token(1));
                }
            }),
        ];
        door.call_alone(2, 0, false);
        join(others);
        door.assert_counts(&[visits.load(std::sync::atomic::Ordering::Relaxed)]);
    });
}

/// The thread that parked and the watcher that saw it: exactly one has the loop, and goes on with
/// it; if that is the spare thread, it parks again, and the slow thread must not take that.
#[test]
fn the_loop_is_reclaimed_or_stolen() {
    check(|| {
        let (place, held) = Handover::new(Box::new(UnsafeCell::new(0)));
        let place = Arc::new(place);
        let sequence = place.park(held, 7);
        let watcher = {
            let place = Arc::clone(&place);
            thread::spawn(move || {
                let Some((sequence, since)) = place.observe() else { return None };
                assert!(since == 7 || since == 8);
                let held = place.steal(sequence)?;
                count(&held);
                let sequence = place.park(held, 9);
                let held = place.reclaim(sequence).expect("nobody else knows this parking");
                count(&held);
                Some(held)
            })
        };
        let mut reclaimed = place.reclaim(sequence);
        if let Some(held) = reclaimed.take() {
            count(&held);
            let sequence = place.park(held, 8);
            reclaimed = place.reclaim(sequence);
        }
        let stolen = watcher.join().expect("the thread asserts nothing that fails");
        assert!(reclaimed.is_some() != stolen.is_some());
    });
}

/// One who knows a parking's number without having observed it sees the state all the same.
#[test]
fn the_loop_is_stolen_by_number() {
    check(|| {
        let (place, held) = Handover::new(Box::new(UnsafeCell::new(0)));
        let place = Arc::new(place);
        let watcher = {
            let place = Arc::clone(&place);
            thread::spawn(move || place.steal(1).map(|held| count(&held)).is_some())
        };
        count(&held);
        let sequence = place.park(held, 7);
        assert_eq!(sequence, 1);
        let reclaimed = place.reclaim(sequence).map(|held| count(&held)).is_some();
        let stolen = watcher.join().expect("the thread asserts nothing that fails");
        assert!(reclaimed != stolen);
    });
}
