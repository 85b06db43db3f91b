//! What the locks cost: nanoseconds of each fast path, and the rate of several threads on one lock against one thread.
//!
//! `cargo bench -p base --bench lock`
#![allow(clippy::print_stdout, reason = "a program that reports")]

use std::collections::VecDeque;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use base::lock::{Claim, Gate, GateClaim, Handover, ShardLock, Tickets, Token, Wake, acquire_set};
use parking_lot::{Condvar, Mutex};

const ROUNDS: u64 = 10_000_000;
const CONTENDED: Duration = Duration::from_millis(300);

fn main() {
    let waker: Arc<dyn Wake> = Arc::new(Nobody);
    let locks: Vec<_> =
        (0..4).map(|index| ShardLock::new(index, 0u64, Arc::clone(&waker))).collect();
    let (mut claim, tickets) = (Claim::default(), Tickets::new());
    report("try_lock and drop", |now| *locks[0].try_lock(now).expect("it is free") += 1);
    report("acquire and drop", |now| {
        *locks[0].acquire(&mut claim, Token(0), now).expect("it is free") += 1;
    });
    let mut out = Vec::new();
    report("acquire_set of 2 and drop", |now| {
        let set =
            acquire_set(&locks, &[1, 3], &mut claim, Token(0), &tickets, now, false, &mut out);
        set.expect("they are free");
        out.clear();
    });
    let gate = Gate::new(8, waker);
    report("enter and leave", |now| {
        black_box(&gate.enter(0, Token(0), now).expect("it is open"));
    });
    let mut claim = GateClaim::default();
    report("close and open, 8 slots", |now| {
        black_box(&gate.close(&mut claim, Token(0), now, false).expect("nobody is inside"));
    });
    let (place, held) = Handover::new(Box::new(0u64));
    let mut held = Some(held);
    report("park and reclaim", |now| {
        let sequence = place.park(held.take().expect("it was put back"), now);
        held = place.reclaim(sequence);
    });
    for (inside, outside) in [(10, 10), (40, 40)] {
        let best = |threads| {
            let rates = (0..5).map(|_| contended(threads, inside, outside));
            rates.max_by(f64::total_cmp).expect("there are rounds")
        };
        let alone = best(1);
        println!("one lock, work {inside} inside and {outside} outside, 1 thread: {alone:.2} M/s");
        for threads in [2, 8] {
            let rate = best(threads);
            println!("  {threads} threads: {rate:.2} M/s, {:.2} of one thread's", rate / alone);
        }
    }
}

fn report(name: &str, mut run: impl FnMut(u64)) {
    let best = (0..5)
        .map(|_| {
            let start = Instant::now();
            for round in 0..ROUNDS {
                run(round);
            }
            start.elapsed()
        })
        .min()
        .expect("there are rounds");
    println!("{name}: {:.1} ns", best.as_nanos() as f64 / ROUNDS as f64);
}

struct Nobody;

impl Wake for Nobody {
    fn wake(&self, _: Token) {}
}

/// One per thread: a token's high half says which.
struct Inboxes(Vec<(Mutex<VecDeque<u32>>, Condvar)>);

impl Wake for Inboxes {
    fn wake(&self, token: Token) {
        let (inbox, bell) = &self.0[(token.0 >> 32) as usize];
        inbox.lock().push_back(token.0 as u32);
        bell.notify_one();
    }
}

/// Connections of each thread.
const CONNECTIONS: u32 = 8;
/// Calls of one connection in a row, as a pipeline has.
const PIPELINE: u32 = 16;

/// M calls per second of so many threads, each with a few connections, all on one shard.
fn contended(threads: usize, inside: u64, outside: u64) -> f64 {
    let inboxes = Arc::new(Inboxes((0..threads).map(|_| Default::default()).collect()));
    let waker: Arc<dyn Wake> = Arc::<Inboxes>::clone(&inboxes);
    let lock = ShardLock::new(0, 0u64, waker);
    let stop = AtomicBool::new(false);
    let start = Instant::now();
    thread::scope(|scope| {
        for index in 0..threads {
            let (lock, stop, inboxes) = (&lock, &stop, &inboxes);
            scope.spawn(move || run_loop(index, lock, inboxes, stop, start, (inside, outside)));
        }
        while start.elapsed() < CONTENDED {
            thread::sleep(Duration::from_millis(10));
        }
        stop.store(true, Ordering::Relaxed);
        for (_, bell) in &inboxes.0 {
            bell.notify_one();
        }
    });
    let calls = lock.into_inner();
    calls as f64 / start.elapsed().as_secs_f64() / 1e6
}

fn run_loop(
    index: usize,
    lock: &ShardLock<u64>,
    inboxes: &Inboxes,
    stop: &AtomicBool,
    start: Instant,
    (inside, outside): (u64, u64),
) {
    let mut claims: Vec<_> = (0..CONNECTIONS).map(|_| Claim::default()).collect();
    let mut ready: VecDeque<u32> = (0..CONNECTIONS).collect();
    let (inbox, bell) = &inboxes.0[index];
    while !stop.load(Ordering::Relaxed) {
        ready.append(&mut inbox.lock());
        let Some(connection) = ready.pop_front() else {
            let mut inbox = inbox.lock();
            if inbox.is_empty() {
                bell.wait_for(&mut inbox, Duration::from_millis(100));
            }
            continue;
        };
        let now = start.elapsed().as_nanos() as u64;
        let token = Token((index as u64) << 32 | u64::from(connection));
        let claim = &mut claims[connection as usize];
        let done = (0..PIPELINE).all(|_| match lock.acquire(claim, token, now) {
            Ok(mut count) => {
                work(inside);
                *count += 1;
                drop(count);
                work(outside);
                true
            }
            Err(_) => false,
        });
        if done {
            ready.push_back(connection);
        }
    }
}

/// About so many nanoseconds.
fn work(amount: u64) {
    for step in 0..amount {
        black_box(step);
    }
}
