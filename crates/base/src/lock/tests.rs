//! The locks' tests: single steps here, threads that suspend and resume calls as a server does in `stress`.

mod stress;

use std::sync::Arc;

use parking_lot::Mutex;

use super::*;

/// Keeps the tokens that were woken.
#[derive(Default)]
struct Woken(Mutex<Vec<u64>>);

impl Woken {
    fn take(&self) -> Vec<u64> {
        std::mem::take(&mut self.0.lock())
    }
}

impl Wake for Woken {
    fn wake(&self, token: Token) {
        self.0.lock().push(token.0);
    }
}

fn locks(count: u32) -> (Vec<ShardLock<u32>>, Arc<Woken>) {
    let woken = Arc::new(Woken::default());
    let waker: Arc<dyn Wake> = Arc::<Woken>::clone(&woken);
    ((0..count).map(|index| ShardLock::new(index, 0, Arc::clone(&waker))).collect(), woken)
}

/// Attempts to lock the set, and lets go again at once.
fn passes(
    locks: &[ShardLock<u32>],
    indices: &[u32],
    claim: &mut Claim,
    token: u64,
    tickets: &Tickets,
    now: u64,
) -> Result<(), Queued> {
    let mut out = Vec::new();
    acquire_set(locks, indices, claim, Token(token), tickets, now, false, &mut out)?;
    assert!(out.iter().map(|(index, _)| *index).eq(indices.iter().copied()));
    assert!(claim.is_idle());
    Ok(())
}

const NEVER: Queued = Queued { retry_at: None };

#[test]
fn the_guard_reaches_the_data_and_the_word_tells_since_when() {
    let (mut locks, woken) = locks(1);
    let mut guard = locks[0].try_lock(77).unwrap();
    *guard += 1;
    assert_eq!(locks[0].held_since(), Some(77));
    assert!(locks[0].try_lock(78).is_none());
    assert_eq!(guard.index(), 0);
    drop(guard);
    assert_eq!(locks[0].held_since(), None);
    assert_eq!(*locks[0].try_lock(79).unwrap(), 1);
    *locks[0].value_mut() += 1;
    assert_eq!(locks.remove(0).into_inner(), 2);
    assert!(woken.take().is_empty());
}

#[test]
fn release_wakes_the_first_waiter_and_keeps_nothing_for_it() {
    let (locks, woken) = locks(1);
    let (mut first, mut second) = (Claim::default(), Claim::default());
    let guard = locks[0].try_lock(0).unwrap();
    assert_eq!(locks[0].acquire(&mut first, Token(1), 1).err(), Some(NEVER));
    assert_eq!(locks[0].acquire(&mut second, Token(2), 2).err(), Some(NEVER));
    assert_eq!(second.waiting_since(), Some(2));
    drop(guard);
    assert_eq!(woken.take(), [1]);
    // A newcomer is quicker; nobody else is woken while the first is on its way.
    drop(locks[0].try_lock(3).unwrap());
    assert!(woken.take().is_empty());
    let newcomer = locks[0].try_lock(4).unwrap();
    assert!(locks[0].acquire(&mut first, Token(1), 5).is_err());
    drop(newcomer);
    assert_eq!(woken.take(), [1]);
    drop(locks[0].acquire(&mut first, Token(1), 6).unwrap());
    assert!(first.is_idle());
    assert_eq!(woken.take(), [2]);
    drop(locks[0].acquire(&mut second, Token(2), 7).unwrap());
    assert!(woken.take().is_empty());
}

#[test]
fn one_who_has_waited_long_is_handed_the_lock() {
    let (locks, woken) = locks(1);
    let mut claim = Claim::default();
    let guard = locks[0].try_lock(0).unwrap();
    assert!(locks[0].acquire(&mut claim, Token(1), 1).is_err());
    drop(guard);
    assert_eq!(woken.take(), [1]);
    let late = 1 + SLOW_NS;
    let newcomer = locks[0].try_lock(late).unwrap();
    assert!(locks[0].acquire(&mut claim, Token(1), late).is_err());
    drop(newcomer);
    assert_eq!(woken.take(), [1]);
    let mut other = Claim::default();
    assert!(locks[0].try_lock(late + 1).is_none());
    assert!(locks[0].acquire(&mut other, Token(2), late + 1).is_err());
    drop(locks[0].acquire(&mut claim, Token(1), late + 2).unwrap());
    assert_eq!(woken.take(), [2]);
    drop(locks[0].try_lock(late + 3).unwrap());
    other.withdraw(&locks, Token(2));
    assert!(woken.take().is_empty());
}

#[test]
fn a_hand_off_lapses_and_the_waiter_keeps_its_place() {
    let (locks, woken) = locks(1);
    let (mut claim, mut other) = (Claim::default(), Claim::default());
    let guard = locks[0].try_lock(0).unwrap();
    assert!(locks[0].acquire(&mut claim, Token(1), 0).is_err());
    drop(guard);
    let late = SLOW_NS;
    let newcomer = locks[0].try_lock(late).unwrap();
    assert!(locks[0].acquire(&mut claim, Token(1), late).is_err());
    drop(newcomer);
    assert_eq!(woken.take(), [1, 1]);
    let lapsed = late + SLOW_NS;
    let barger = locks[0].acquire(&mut other, Token(2), lapsed).unwrap();
    assert!(locks[0].acquire(&mut claim, Token(1), lapsed + 1).is_err());
    drop(barger);
    assert_eq!(woken.take(), [1]);
    drop(locks[0].acquire(&mut claim, Token(1), lapsed + 2).unwrap());
    assert!(woken.take().is_empty());
}

#[test]
fn withdrawing_passes_a_wake_up_on() {
    let (locks, woken) = locks(1);
    let (mut first, mut second) = (Claim::default(), Claim::default());
    let guard = locks[0].try_lock(0).unwrap();
    assert!(locks[0].acquire(&mut first, Token(1), 0).is_err());
    assert!(locks[0].acquire(&mut second, Token(2), 0).is_err());
    drop(guard);
    assert_eq!(woken.take(), [1]);
    first.withdraw(&locks, Token(1));
    assert!(first.is_idle());
    assert_eq!(woken.take(), [2]);
    drop(locks[0].acquire(&mut second, Token(2), 1).unwrap());
    drop(locks[0].try_lock(2).unwrap());
    assert!(woken.take().is_empty());
}

#[test]
fn a_set_holds_nothing_while_it_waits() {
    let (locks, woken) = locks(3);
    let tickets = Tickets::new();
    let mut claim = Claim::default();
    let guard = locks[1].try_lock(0).unwrap();
    assert_eq!(passes(&locks, &[0, 1, 2], &mut claim, 1, &tickets, 0), Err(NEVER));
    drop(locks[0].try_lock(1).unwrap());
    drop(locks[2].try_lock(1).unwrap());
    assert!(woken.take().is_empty());
    drop(guard);
    assert_eq!(woken.take(), [1]);
    // Another shard is missed next: it waits there, and no longer at the first.
    let guard = locks[2].try_lock(2).unwrap();
    assert_eq!(passes(&locks, &[0, 1, 2], &mut claim, 1, &tickets, 2), Err(NEVER));
    drop(locks[1].try_lock(3).unwrap());
    assert!(woken.take().is_empty());
    drop(guard);
    assert_eq!(woken.take(), [1]);
    assert_eq!(passes(&locks, &[0, 1, 2], &mut claim, 1, &tickets, 4), Ok(()));
    assert!(woken.take().is_empty());
}

/// Lets a claim for the shards 0 and 1 miss shard 0 until it has reserved.
fn reserve(locks: &[ShardLock<u32>], claim: &mut Claim, token: u64, tickets: &Tickets, now: u64) {
    let guard = locks[0].try_lock(now).expect("nobody else is here");
    for _ in 0..100 {
        let missed = passes(locks, &[0, 1], claim, token, tickets, now);
        if let Err(Queued { retry_at: Some(retry_at) }) = missed {
            assert_eq!(retry_at, now + SLOW_NS);
            return drop(guard);
        }
    }
    panic!("after a few misses a call reserves");
}

#[test]
fn after_a_few_misses_the_lowest_ticket_goes_first() {
    let (locks, woken) = locks(2);
    let tickets = Tickets::new();
    let (mut first, mut second, mut third) = (Claim::default(), Claim::default(), Claim::default());
    let guard = locks[1].try_lock(0).unwrap();
    reserve(&locks, &mut first, 1, &tickets, 0);
    assert_eq!(woken.take().last(), Some(&1));
    assert!(passes(&locks, &[0, 1], &mut first, 1, &tickets, 1).is_err());
    assert!(locks[0].try_lock(1).is_none(), "shard 0 is set aside");
    assert!(locks[0].acquire(&mut third, Token(3), 1).is_err());
    for _ in 0..10 {
        assert!(passes(&locks, &[0, 1], &mut second, 2, &tickets, 1).is_err());
    }
    drop(guard);
    assert_eq!(woken.take(), [1]);
    assert!(passes(&locks, &[0, 1], &mut second, 2, &tickets, 2).is_err());
    assert!(passes(&locks, &[0, 1], &mut first, 1, &tickets, 2).is_ok());
    assert_eq!(woken.take(), [2, 2]);
    assert!(passes(&locks, &[0, 1], &mut second, 2, &tickets, 3).is_ok());
    assert_eq!(woken.take(), [3]);
    drop(locks[0].acquire(&mut third, Token(3), 4).unwrap());
    drop(locks[0].try_lock(5).unwrap());
    assert!(woken.take().is_empty());
}

#[test]
fn a_reservation_lapses_with_its_connection() {
    let (locks, woken) = locks(2);
    let tickets = Tickets::new();
    let (mut claim, mut other) = (Claim::default(), Claim::default());
    let guard = locks[1].try_lock(0).unwrap();
    reserve(&locks, &mut claim, 1, &tickets, 0);
    assert!(passes(&locks, &[0, 1], &mut claim, 1, &tickets, 1).is_err());
    assert!(locks[0].acquire(&mut other, Token(2), 1).is_err());
    woken.take();
    claim.withdraw(&locks, Token(1));
    assert_eq!(woken.take(), [2]);
    drop(locks[0].acquire(&mut other, Token(2), 2).unwrap());
    drop(guard);
    drop(locks[1].try_lock(3).unwrap());
    assert!(woken.take().is_empty());
}

#[test]
fn a_slow_holder_is_waited_for_alone() {
    let (locks, woken) = locks(2);
    let tickets = Tickets::new();
    let (mut claim, mut other) = (Claim::default(), Claim::default());
    let slow = locks[1].try_lock(0).unwrap();
    reserve(&locks, &mut claim, 1, &tickets, 0);
    assert!(passes(&locks, &[0, 1], &mut claim, 1, &tickets, 1).is_err());
    assert!(locks[0].acquire(&mut other, Token(2), SLOW_NS / 2).is_err());
    woken.take();
    // The reservation binds nobody any more, even if its owner is late.
    drop(locks[0].acquire(&mut Claim::default(), Token(3), 1 + SLOW_NS).unwrap());
    assert_eq!(woken.take(), [1, 2]);
    let queued = passes(&locks, &[0, 1], &mut claim, 1, &tickets, 1 + SLOW_NS).unwrap_err();
    assert_eq!(queued, NEVER, "nothing is set aside");
    drop(locks[0].try_lock(2 + SLOW_NS).unwrap());
    drop(locks[0].acquire(&mut other, Token(2), 2 + SLOW_NS).unwrap());
    woken.take();
    drop(slow);
    assert_eq!(woken.take(), [1]);
    assert!(passes(&locks, &[0, 1], &mut claim, 1, &tickets, 3 + SLOW_NS).is_ok());
    assert!(woken.take().is_empty());
}

#[test]
fn one_who_insists_reserves_beside_a_slow_holder() {
    let (locks, woken) = locks(2);
    let tickets = Tickets::new();
    let (mut claim, late) = (Claim::default(), 5000 * SLOW_NS);
    let slow = locks[1].try_lock(0).unwrap();
    assert_eq!(passes(&locks, &[0, 1], &mut claim, 1, &tickets, SLOW_NS), Err(NEVER));
    let mut out = Vec::new();
    let queued = acquire_set(&locks, &[0, 1], &mut claim, Token(1), &tickets, late, true, &mut out);
    assert_eq!(queued, Err(NEVER));
    assert!(locks[0].try_lock(2 * late).is_none());
    assert!(locks[0].acquire(&mut Claim::default(), Token(2), 2 * late).is_err());
    drop(slow);
    assert_eq!(woken.take(), [1]);
    assert!(passes(&locks, &[0, 1], &mut claim, 1, &tickets, 2 * late).is_ok());
    assert_eq!(woken.take(), [2]);
}

fn gate(slots: usize) -> (Gate, Arc<Woken>) {
    let woken = Arc::new(Woken::default());
    (Gate::new(slots, Arc::<Woken>::clone(&woken)), woken)
}

#[test]
fn the_gate_shuts_everybody_out() {
    let (gate, woken) = gate(2);
    let mut claim = GateClaim::default();
    let (first, second) =
        (gate.enter(0, Token(1), 0).unwrap(), gate.enter(1, Token(2), 0).unwrap());
    let queued = gate.close(&mut claim, Token(3), 1, false).err();
    assert_eq!(queued, Some(Queued { retry_at: Some(1 + SLOW_NS) }));
    assert_eq!(claim.waiting_since(), Some(1));
    assert!(gate.is_closed());
    drop(first);
    assert!(gate.enter(0, Token(4), 2).is_err());
    assert!(woken.take().is_empty());
    drop(second);
    assert_eq!(woken.take(), [3]);
    let exclusive = gate.close(&mut claim, Token(3), 3, false).unwrap();
    assert!(claim.is_idle());
    assert!(gate.enter(1, Token(5), 4).is_err());
    let mut other = GateClaim::default();
    assert_eq!(gate.close(&mut other, Token(6), 4, false).err(), Some(NEVER));
    drop(exclusive);
    assert_eq!(woken.take(), [4, 5, 6]);
    assert!(!gate.is_closed());
    drop(gate.close(&mut other, Token(6), 5, false).unwrap());
    drop(gate.enter(0, Token(4), 6).unwrap());
    assert!(woken.take().is_empty());
}

#[test]
fn the_gate_stays_open_beside_a_slow_one() {
    let (gate, woken) = gate(2);
    let mut claim = GateClaim::default();
    let slow = gate.enter(0, Token(1), 0).unwrap();
    assert_eq!(gate.close(&mut claim, Token(2), SLOW_NS, false).err(), Some(NEVER));
    assert!(!gate.is_closed());
    drop(gate.enter(1, Token(3), SLOW_NS).unwrap());
    assert!(woken.take().is_empty());
    drop(slow);
    assert_eq!(woken.take(), [2]);
    drop(gate.close(&mut claim, Token(2), 2 * SLOW_NS, false).unwrap());
}

#[test]
fn the_gate_opens_again_when_one_inside_turns_out_slow() {
    let (gate, woken) = gate(2);
    let mut claim = GateClaim::default();
    let slow = gate.enter(0, Token(1), 0).unwrap();
    assert!(gate.close(&mut claim, Token(2), 1, false).is_err());
    assert!(gate.enter(1, Token(3), 2).is_err());
    assert_eq!(gate.close(&mut claim, Token(2), 1 + SLOW_NS, false).err(), Some(NEVER));
    assert_eq!(woken.take(), [3]);
    drop(gate.enter(1, Token(3), 2 + SLOW_NS).unwrap());
    // One who insists closes it all the same.
    assert_eq!(gate.close(&mut claim, Token(2), 2 + SLOW_NS, true).err(), Some(NEVER));
    assert!(gate.enter(1, Token(3), 2 + SLOW_NS).is_err());
    drop(slow);
    assert_eq!(woken.take(), [2]);
    drop(gate.close(&mut claim, Token(2), 3 + SLOW_NS, true).unwrap());
    assert_eq!(woken.take(), [3]);
}

#[test]
fn the_gate_is_kept_open_for_threads_that_were_refused_for_long() {
    let (gate, woken) = gate(2);
    let (mut claim, mut other) = (GateClaim::default(), GateClaim::default());
    let alone = gate.close(&mut claim, Token(9), 0, false).unwrap();
    assert!(gate.enter(0, Token(1), 0).is_err());
    assert!(gate.enter(1, Token(2), SLOW_NS).is_err());
    drop(alone);
    assert_eq!(woken.take(), [1, 2]);
    let queued = gate.close(&mut claim, Token(9), SLOW_NS, false).err();
    assert_eq!(queued, Some(Queued { retry_at: Some(2 * SLOW_NS) }));
    assert!(gate.close(&mut other, Token(8), SLOW_NS, false).is_err());
    assert!(!gate.is_closed());
    let inside = gate.enter(0, Token(1), SLOW_NS).unwrap();
    assert_eq!(woken.take(), [9], "the other thread has not waited for long");
    drop(inside);
    drop(gate.close(&mut claim, Token(9), SLOW_NS, false).unwrap());
    assert_eq!(woken.take(), [8]);
    // The other one is due by now, but doesn't come.
    assert!(gate.close(&mut other, Token(8), 3 * SLOW_NS, false).is_err());
    assert!(gate.close(&mut other, Token(8), 4 * SLOW_NS - 1, false).is_err());
    drop(gate.close(&mut other, Token(8), 4 * SLOW_NS, false).unwrap());
    drop(gate.close(&mut other, Token(8), 4 * SLOW_NS, false).unwrap());
    drop(gate.enter(1, Token(2), 4 * SLOW_NS).unwrap());
    drop(gate.enter(1, Token(2), 4 * SLOW_NS).unwrap());
    assert!(woken.take().is_empty());
}

#[test]
fn the_exclusive_caller_may_enter_while_it_shuts_the_others_out() {
    let (gate, woken) = gate(3);
    let mut claim = GateClaim::default();
    let other = gate.enter(0, Token(1), 0).unwrap();
    assert!(gate.close(&mut claim, Token(2), 0, false).is_err());
    let own = gate.enter(1, Token(2), 1).unwrap();
    assert!(gate.enter(2, Token(3), 1).is_err());
    drop(other);
    assert!(woken.take().is_empty(), "it is here");
    drop(own);
    assert!(woken.take().is_empty(), "it is here still");
    drop(gate.close(&mut claim, Token(2), 2, false).unwrap());
    assert_eq!(woken.take(), [3]);
    // If it thinks better of it, the others enter, while it is inside.
    let other = gate.enter(0, Token(1), 3).unwrap();
    assert!(gate.close(&mut claim, Token(2), 3, false).is_err());
    let own = gate.enter(1, Token(2), 4).unwrap();
    assert!(gate.enter(2, Token(3), 4).is_err());
    gate.withdraw(&mut claim, Token(2));
    assert_eq!(woken.take(), [3]);
    drop((gate.enter(2, Token(3), 5).unwrap(), own, other));
    drop(gate.close(&mut claim, Token(2), 6, false).unwrap());
    assert!(woken.take().is_empty());
}

#[test]
fn the_gate_opens_when_the_exclusive_caller_withdraws() {
    let (gate, woken) = gate(1);
    let (mut claim, mut other) = (GateClaim::default(), GateClaim::default());
    let inside = gate.enter(0, Token(1), 0).unwrap();
    assert!(gate.close(&mut claim, Token(2), 1, false).is_err());
    assert!(gate.close(&mut other, Token(3), 1, false).is_err());
    gate.withdraw(&mut claim, Token(2));
    assert!(!gate.is_closed());
    assert_eq!(woken.take(), [3]);
    drop(inside);
    gate.withdraw(&mut other, Token(3));
    gate.withdraw(&mut other, Token(3));
    drop(gate.enter(0, Token(1), 2).unwrap());
    assert!(woken.take().is_empty());
}

#[test]
fn one_who_is_alone_takes_shards_whoever_they_are_kept_for() {
    let (locks, woken) = locks(2);
    let (gate, _) = gate(1);
    let tickets = Tickets::new();
    let mut claim = Claim::default();
    let guard = locks[1].try_lock(0).unwrap();
    reserve(&locks, &mut claim, 1, &tickets, 0);
    drop(guard);
    woken.take();
    let alone = gate.close(&mut GateClaim::default(), Token(2), 1, false).unwrap();
    assert!(locks[0].try_lock(1).is_none());
    *locks[0].lock_alone(&alone, 1) += 1;
    assert_eq!(woken.take(), [1]);
    drop(alone);
    assert!(passes(&locks, &[0, 1], &mut claim, 1, &tickets, 2).is_ok());
}

#[test]
fn one_who_was_handed_a_lock_and_misses_it_is_woken_again() {
    let (locks, woken) = locks(1);
    let (gate, _) = gate(1);
    let mut claim = Claim::default();
    let guard = locks[0].try_lock(SLOW_NS).unwrap();
    assert!(locks[0].acquire(&mut claim, Token(1), 0).is_err());
    drop(guard);
    assert!(locks[0].try_lock(SLOW_NS).is_none(), "it is handed over");
    let alone = gate.close(&mut GateClaim::default(), Token(2), SLOW_NS, false).unwrap();
    let guard = locks[0].lock_alone(&alone, SLOW_NS);
    assert!(locks[0].acquire(&mut claim, Token(1), SLOW_NS).is_err());
    drop(guard);
    assert_eq!(woken.take(), [1, 1]);
    drop(locks[0].acquire(&mut claim, Token(1), SLOW_NS).unwrap());
    assert!(woken.take().is_empty());
}

#[test]
fn a_hand_off_that_becomes_a_reservation_passes_on() {
    let (locks, woken) = locks(2);
    let tickets = Tickets::new();
    let (mut first, mut second) = (Claim::default(), Claim::default());
    // The first misses shard 1 as often as it may without reserving; then the second reserves both.
    let guard = locks[1].try_lock(SLOW_NS).unwrap();
    for _ in 0..3 {
        assert_eq!(passes(&locks, &[0, 1], &mut first, 1, &tickets, 0), Err(NEVER));
    }
    while passes(&locks, &[0, 1], &mut second, 2, &tickets, SLOW_NS) == Err(NEVER) {}
    drop(guard);
    assert_eq!(woken.take(), [1], "shard 1 is handed to the first, which has waited for longer");
    assert!(passes(&locks, &[0, 1], &mut second, 2, &tickets, SLOW_NS).is_err());
    // But the first misses shard 0 now, and stays at shard 1 with a higher ticket.
    assert!(passes(&locks, &[0, 1], &mut first, 1, &tickets, SLOW_NS).is_err());
    assert_eq!(woken.take(), [2]);
    assert!(passes(&locks, &[0, 1], &mut second, 2, &tickets, SLOW_NS).is_ok());
    assert_eq!(woken.take(), [1, 1]);
    assert!(passes(&locks, &[0, 1], &mut first, 1, &tickets, SLOW_NS).is_ok());
    assert!(woken.take().is_empty());
}

#[test]
fn a_parking_is_taken_once() {
    let (place, held) = Handover::new(Box::new(5));
    assert_eq!(place.observe(), None);
    let first = place.park(held, 10);
    assert_eq!(place.observe(), Some((first, 10)));
    let held = place.reclaim(first).unwrap();
    assert_eq!(*held, 5);
    assert_eq!(place.observe(), None);
    let second = place.park(held, 20);
    assert!(place.steal(first).is_none(), "a late watcher finds nothing");
    let mut stolen = place.steal(second).unwrap();
    *stolen += 1;
    assert!(place.reclaim(second).is_none());
    // The spare thread parks again: the slow one doesn't take that.
    let third = place.park(stolen, 30);
    assert!(place.reclaim(second).is_none());
    assert_eq!(*place.reclaim(third).unwrap(), 6);
}

#[test]
#[should_panic(expected = "its own place")]
fn a_loop_is_parked_only_at_home() {
    let (_, held) = Handover::new(Box::new(()));
    let (other, _) = Handover::new(Box::new(()));
    other.park(held, 0);
}
