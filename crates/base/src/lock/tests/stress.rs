//! Threads with many calls each, which suspend and resume them as the server's loops do: nothing is counted twice or
//! lost, nobody meets anybody inside, and every call comes to its end (no wake-up is lost).
//!
//! Time is a counter that every attempt moves on by some µs, so that calls become slow, hand-offs
//! are made and reservations lapse many times in a run that takes a second.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::super::*;
use crate::rand::Rng;

const LOOPS: usize = 4;
const TASKS: usize = 12;
const SHARDS: u32 = 5;
const CALLS: u64 = 1_500;

/// What a shard guards.
#[derive(Default)]
struct Cell {
    count: u64,
    busy: bool,
}

struct World {
    locks: Vec<ShardLock<Cell>>,
    tickets: Tickets,
    gate: Gate,
    inboxes: Arc<Inboxes>,
    clock: AtomicU64,
}

/// Woken tokens, by loop.
struct Inboxes(Vec<(Mutex<VecDeque<usize>>, Condvar)>);

impl Wake for Inboxes {
    fn wake(&self, token: Token) {
        let (queue, bell) = &self.0[(token.0 >> 32) as usize];
        queue.lock().push_back(token.0 as u32 as usize);
        bell.notify_one();
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    One,
    Several,
    Everything,
}

struct Task {
    token: Token,
    kind: Kind,
    indices: Vec<u32>,
    claim: Claim,
    gate_claim: GateClaim,
    calls_left: u64,
    retry_at: Option<u64>,
    suspended: bool,
}

impl World {
    fn new() -> Self {
        let inboxes = Arc::new(Inboxes((0..LOOPS).map(|_| Default::default()).collect::<Vec<_>>()));
        let waker: Arc<dyn Wake> = Arc::<Inboxes>::clone(&inboxes);
        Self {
            locks: (0..SHARDS)
                .map(|index| ShardLock::new(index, Cell::default(), Arc::clone(&waker)))
                .collect(),
            tickets: Tickets::new(),
            gate: Gate::new(LOOPS, waker),
            inboxes,
            clock: AtomicU64::new(0),
        }
    }

    fn now(&self, rng: &mut Rng) -> u64 {
        let step = if rng.below(200) == 0 { 2 * SLOW_NS } else { rng.below(20_000) };
        self.clock.fetch_add(step, Ordering::Relaxed) + step
    }

    /// One attempt of one call; the shards that it counted in, or why it waits.
    fn attempt(&self, loop_index: usize, task: &mut Task, rng: &mut Rng) -> Result<u64, Queued> {
        let now = self.now(rng);
        let inside = self.gate.enter(loop_index, task.token, now)?;
        if task.kind == Kind::Everything {
            let insists =
                task.gate_claim.waiting_since().is_some_and(|since| since + 20 * SLOW_NS < now);
            drop(inside);
            let alone = self.gate.close(&mut task.gate_claim, task.token, now, insists)?;
            for lock in &self.locks {
                visit(&mut lock.lock_alone(&alone, now), rng);
            }
            return Ok(self.locks.len() as u64);
        }
        if let (Kind::One, [index]) = (task.kind, &*task.indices) {
            let lock = &self.locks[*index as usize];
            visit(&mut *lock.acquire(&mut task.claim, task.token, now)?, rng);
        } else {
            let insists =
                task.claim.waiting_since().is_some_and(|since| since + 20 * SLOW_NS < now);
            let mut guards = Vec::new();
            acquire_set(
                &self.locks,
                &task.indices,
                &mut task.claim,
                task.token,
                &self.tickets,
                now,
                insists,
                &mut guards,
            )?;
            assert_eq!(guards.len(), task.indices.len());
            for (index, guard) in &mut guards {
                assert_eq!(*index, guard.index());
                visit(&mut *guard, rng);
            }
        }
        drop(inside);
        Ok(task.indices.len() as u64)
    }

    /// Runs the tasks of one loop to their end; returns how often they counted.
    fn run(&self, loop_index: usize, seed: u64) -> u64 {
        let mut rng = Rng::new(seed);
        let mut tasks: Vec<Task> =
            (0..TASKS).map(|index| Task::new(loop_index, index, &mut rng)).collect();
        let mut ready: VecDeque<usize> = (0..TASKS).collect();
        let mut counted = 0;
        while tasks.iter().any(|task| task.calls_left != 0) {
            if rng.below(64) == 0 {
                let index = rng.index(TASKS);
                self.close_connection(&mut tasks[index], &mut ready, index);
            }
            let Some(index) = ready.pop_front() else {
                self.idle(loop_index, &mut tasks, &mut ready);
                continue;
            };
            let task = &mut tasks[index];
            // A few calls in a row, as a pipeline has.
            for _ in 0..rng.below(8) + 1 {
                if task.calls_left == 0 {
                    break;
                }
                task.suspended = false;
                match self.attempt(loop_index, task, &mut rng) {
                    Ok(count) => {
                        counted += count;
                        task.calls_left -= 1;
                        task.choose_shards(&mut rng);
                    }
                    Err(queued) => {
                        task.retry_at = queued.retry_at;
                        task.suspended = true;
                        break;
                    }
                }
            }
            if !task.suspended && task.calls_left != 0 {
                ready.push_back(index);
            }
            let woken = std::mem::take(&mut *self.inboxes.0[loop_index].0.lock());
            ready.extend(woken);
        }
        counted
    }

    /// Now and then the connection of a suspended call goes away; a new one takes its place.
    fn close_connection(&self, task: &mut Task, ready: &mut VecDeque<usize>, index: usize) {
        if task.suspended {
            task.claim.withdraw(&self.locks, task.token);
            self.gate.withdraw(&mut task.gate_claim, task.token);
            task.suspended = false;
            ready.push_back(index);
        }
    }

    /// Nothing to do: waits for a wake-up, or lets the time come at which one attempts again.
    fn idle(&self, loop_index: usize, tasks: &mut [Task], ready: &mut VecDeque<usize>) {
        let (inbox, bell) = &self.inboxes.0[loop_index];
        let mut inbox = inbox.lock();
        let retry_at = tasks.iter().filter(|task| task.suspended).filter_map(|task| task.retry_at);
        let retry_at = retry_at.min();
        let patience = if retry_at.is_some() { 1 } else { 60_000 };
        if inbox.is_empty()
            && bell.wait_for(&mut inbox, Duration::from_millis(patience)).timed_out()
        {
            let retry_at = retry_at.expect("a wake-up was lost");
            self.clock.fetch_max(retry_at, Ordering::Relaxed);
            let due = |task: &Task| task.suspended && task.retry_at == Some(retry_at);
            ready.extend((0..TASKS).filter(|index| due(&tasks[*index])));
        }
        ready.extend(inbox.drain(..));
    }
}

impl Task {
    fn new(loop_index: usize, index: usize, rng: &mut Rng) -> Self {
        let kind = match index {
            0 => Kind::Everything,
            index if index % 2 == 0 => Kind::Several,
            _ => Kind::One,
        };
        let mut task = Self {
            token: Token((loop_index as u64) << 32 | index as u64),
            kind,
            indices: Vec::new(),
            claim: Claim::default(),
            gate_claim: GateClaim::default(),
            calls_left: CALLS,
            retry_at: None,
            suspended: false,
        };
        task.choose_shards(rng);
        task
    }

    fn choose_shards(&mut self, rng: &mut Rng) {
        let count = if self.kind == Kind::One { 1 } else { 2 + rng.index(3) };
        self.indices.clear();
        while self.indices.len() < count {
            let index = rng.below(u64::from(SHARDS)) as u32;
            if !self.indices.contains(&index) {
                self.indices.push(index);
            }
        }
        self.indices.sort_unstable();
    }
}

/// Counts, and stays for a while: others miss the shard.
fn visit(cell: &mut Cell, rng: &mut Rng) {
    assert!(!cell.busy);
    cell.busy = true;
    for _ in 0..rng.below(100) {
        std::hint::spin_loop();
    }
    if rng.below(100) == 0 {
        thread::yield_now();
    }
    cell.count += 1;
    cell.busy = false;
}

#[test]
fn calls_are_counted_and_all_end() {
    for seed in 0..4 {
        let mut world = World::new();
        let counted: u64 = thread::scope(|scope| {
            let world = &world;
            let loops: Vec<_> = (0..LOOPS)
                .map(|index| scope.spawn(move || world.run(index, seed << 8 | index as u64)))
                .collect();
            loops.into_iter().map(|handle| handle.join().unwrap()).sum()
        });
        let sum: u64 = world.locks.iter_mut().map(|lock| lock.value_mut().count).sum();
        assert_eq!(sum, counted);
        for lock in &world.locks {
            assert!(lock.try_lock(0).is_some(), "nothing stands there any more");
        }
    }
}
